//! A node inside this process: one client on our own standard streams, one server, no file.
//!
//! Levels come from globs on the command line, held against the tools that the server offers at first; what
//! matches none, or globs of two levels, does not exist for the agent. What comes later is not taken.

use std::{path::PathBuf, sync::Arc, time::Duration};

use placet_engine::{
    call::DigestKey,
    json::Json,
    level::{Level, LevelSet},
    names::{Action, AgentName, ClientName, ServerName, ToolName},
    policy::{
        Catalogue, Policy, Rules, Tool,
        config::{Agent, Integers},
    },
    record::{Kind, Record},
    time::Timestamp,
};
use placet_store::sqlite::Sqlite;
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::mpsc,
};

use crate::{
    client_io,
    clock::{Clock, Guarded, SystemClock},
    embed::Kept,
    gate::Gate,
    latch::Latch,
    mcp::{
        catalog::Book,
        methods,
        out::Out,
        session::{Learn, Session, Settings},
    },
    node::registry,
    own_files, place,
    sealer::Sealer,
    upstream::stdio::{Environment, Launch, Log},
};

/// What the command line said.
#[derive(Clone, Debug)]
pub struct Inline {
    /// Globs over the server's tool names, each with the level of what it matches.
    pub globs: Vec<(Level, String)>,
    /// The server's program and its arguments.
    pub command: Vec<String>,
    /// What is remembered beyond this process, and where.
    pub state: Option<PathBuf>,
}

/// How long calls in flight may take once the client is gone.
const DRAIN: Duration = Duration::from_secs(5);

/// Serves the client on this process's standard streams until it is gone.
///
/// # Errors
///
/// What stands in the way, for a person.
pub async fn serve(inline: Inline) -> Result<(), String> {
    let agent: AgentName = "local".parse().map_err(display)?;
    let client: ClientName = "local".parse().map_err(display)?;
    let server = server_name(&inline.command)?;
    let held = LevelSet::of(inline.globs.iter().map(|(level, _)| *level));
    let log: Log = Arc::new(|line| eprintln!("{}", placet_engine::diagnostic::inert(line)));

    let (store, key, left_open) = match &inline.state {
        Some(directory) => {
            let opened = Sqlite::open(directory).map_err(display)?;
            let key = opened.store.key().clone();
            (Kept::Sqlite(Box::new(opened.store)), key, opened.left_open)
        }
        None => {
            let mut secret = [0; 32];
            getrandom::fill(&mut secret).map_err(display)?;
            (Kept::Memory(Box::default()), DigestKey::new(&secret), Vec::new())
        }
    };
    if !left_open.is_empty() {
        log(&format!(
            "{} calls of an earlier run have no recorded outcome; they are unknown",
            left_open.len()
        ));
    }
    let seen = match &store {
        Kept::Memory(_) => Timestamp(0),
        Kept::Sqlite(store) => store.epoch().calendar,
    };
    let clock: Arc<dyn Clock> = Arc::new(Guarded::new(SystemClock, seen));
    let sealer = match &inline.state {
        Some(state) => Some(Sealer::start(state, Arc::clone(&clock), Arc::clone(&log)).map_err(display)?),
        None => None,
    };
    let latch = Latch::new(place::account_stop_files().map_err(display)?);
    // A STOP file reaches this node whether or not it is listed; a stop can then say that it did.
    let _registration = registry::register(None)
        .inspect_err(|error| log(&format!("this process is not on the list of nodes: {error}")));
    // Until the server has said what it offers, nothing can be called.
    let own = own_files::of_process(&server, inline.state.as_deref())?;
    let nothing = policy(&agent, held, &server, &[], &[])?.guarding(Arc::clone(&own));
    let gate =
        Gate::new(nothing, store, latch, key, Arc::clone(&clock), &left_open).await.map_err(display)?;

    let learn: Learn = {
        let (agent, server, globs, log, clock) =
            (agent.clone(), server.clone(), inline.globs.clone(), Arc::clone(&log), Arc::clone(&clock));
        Box::new(move |tools| {
            let policy = policy(&agent, held, &server, &globs, tools)?.guarding(Arc::clone(&own));
            for tool in tools {
                if levels(&globs, tool).len() > 1 {
                    log(&format!("tool `{tool}` matches globs of several levels, so it cannot be called"));
                }
            }
            let record =
                Record::new(Kind::Start, clock.now().wall, [("policy", Json::from(policy.digest()))]);
            Ok((policy, record))
        })
    };
    let settings = Settings {
        agent,
        client,
        server,
        launch: Launch { command: inline.command, environment: Environment::Inherited, directory: None },
        requests: Default::default(),
        meta: Vec::new(),
        resources: None,
        integers: Integers::Exact,
        book: Arc::new(Book::default()),
        learn: Some(learn),
        log,
        drain: DRAIN,
        retired: None,
    };
    let out = Out::lines(client_io::stdout().map_err(display)?);
    let input = client_io::stdin().map_err(display)?;
    let (inbox, inbound) = mpsc::channel(client_io::INBOX);
    let reading = tokio::spawn(client_io::read_lines(input, inbox));
    let ending = tokio::spawn(until_told_to_end(reading));
    let gate = Arc::new(gate);
    Session::new(Arc::clone(&gate), settings, out).run(inbound).await;
    ending.abort();
    let flushed = gate.flush().await.map_err(display);
    drop(sealer);
    flushed
}

/// Stops reading when the process is told to end; a second signal ends it at once.
async fn until_told_to_end(reading: tokio::task::JoinHandle<()>) {
    let (Ok(mut interrupt), Ok(mut terminate)) =
        (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        return;
    };
    for told in 0..2 {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        if told == 0 {
            reading.abort();
        } else {
            std::process::exit(130);
        }
    }
}

/// The levels of all globs that match a tool, each once.
fn levels(globs: &[(Level, String)], tool: &ToolName) -> Vec<Level> {
    let matching = |level: &Level| {
        globs.iter().any(|(of, glob)| {
            let pattern = format!("*/{glob}").parse::<placet_engine::policy::config::Pattern>();
            let action = Action::new(ServerName::app(), tool.clone());
            of == level && pattern.is_ok_and(|pattern| pattern.matches(&action))
        })
    };
    Level::ALL.into_iter().filter(matching).collect()
}

fn policy(
    agent: &AgentName,
    held: LevelSet,
    server: &ServerName,
    globs: &[(Level, String)],
    tools: &[ToolName],
) -> Result<Policy, String> {
    let mut catalogue = Catalogue::new();
    methods::add(server, &mut catalogue);
    for tool in tools {
        if let [level] = levels(globs, tool).as_slice() {
            catalogue.insert(Action::new(server.clone(), tool.clone()), Tool::from(*level));
        }
    }
    let remit = Agent { levels: held, ..Agent::default() };
    let rules = Rules { agents: [(agent.clone(), remit)].into(), ..Rules::default() };
    Policy::compile(rules, catalogue).map_err(display)
}

/// A server without a name of its own is called after its program.
fn server_name(command: &[String]) -> Result<ServerName, String> {
    const RUNNERS: [&str; 9] = ["node", "npx", "bun", "bunx", "deno", "python", "python3", "uv", "uvx"];
    let stem = |program: &str| {
        let stem = std::path::Path::new(program).file_stem().and_then(|stem| stem.to_str());
        stem.unwrap_or("server").to_owned()
    };
    let program = command.first().ok_or("there is no command to start")?;
    let named = if RUNNERS.contains(&stem(program).as_str()) {
        command.iter().skip(1).find(|argument| !argument.starts_with('-') && *argument != "run")
    } else {
        None
    };
    let stem = stem(named.unwrap_or(program));
    let kept: String = stem
        .to_ascii_lowercase()
        .chars()
        .map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '-' })
        .take(32)
        .collect();
    let begins = kept.chars().next().is_some_and(|first| first.is_ascii_lowercase());
    let name = if begins && kept != "app" { kept } else { "server".to_owned() };
    name.parse().map_err(display)
}

fn display(error: impl std::fmt::Display) -> String {
    error.to_string()
}
