//! `placet init`: from a server's own list of tools to a first `placet.toml`.
//!
//! The server is started and asked what it offers; each tool gets the most careful level that its name, its
//! arguments and its annotations allow. What a server says enters the file only as an escaped value or as a
//! one-line comment; the written text is read back and must mean what was meant, or nothing is kept.
//!
//! Not here: what a person answers on the way. Start at [`propose`].

mod ask;
mod levels;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    path::Path,
};

use placet_engine::{
    json::{Json, Limits, parse},
    level::{Level, LevelSet},
    names::{AgentName, ClientName, ServerName, ToolName},
    policy::config::{
        self, Agent, At, Client, Comments, Config, Credential, Cwd, Integers, Launch, Server, Text,
    },
};
use sha2::{Digest as _, Sha256};

use crate::{lock::Lock, mcp::catalog::Book, upstream::stdio::Log};

/// What is to be put before an agent.
#[derive(Clone, Debug)]
pub struct Plan {
    /// What the server is called.
    pub server: ServerName,
    /// How it is started.
    pub command: Vec<String>,
    /// What its environment holds besides the minimal one; secrets by reference.
    pub env: BTreeMap<String, Text>,
    /// Who will propose.
    pub agent: AgentName,
    /// Through which client.
    pub client: ClientName,
}

/// What would be written.
#[derive(Debug)]
pub struct Proposal {
    /// `placet.toml`.
    pub config: String,
    /// `placet.lock`.
    pub lock: String,
    /// The client's secret.
    pub secret: String,
    /// What a person should look at.
    pub remarks: Vec<String>,
}

/// Asks the server what it offers and proposes files for it.
///
/// # Errors
///
/// What stands in the way, for a person. Nothing was written.
pub async fn propose(plan: &Plan, log: Log) -> Result<Proposal, String> {
    let mut remarks = Vec::new();
    let entries = match ask::offered(plan, log).await {
        Ok(entries) => entries,
        Err(why) => {
            remarks.push(format!("server `{}`: {why}; it is in the file without tools", plan.server));
            Vec::new()
        }
    };
    let book = Book::default();
    let listing = book.hold_against(&entries, |_| true);
    remarks.extend(listing.findings.iter().map(|(tool, finding)| format!("tool `{tool}`: {finding}")));

    let mut tools = BTreeMap::new();
    let mut comments = BTreeMap::new();
    for (tool, text) in listing.tools() {
        let definition = parse(text.as_bytes(), &Limits::EDGE).unwrap_or(Json::Null);
        let (level, why) = levels::level_of(tool, &definition);
        let said = definition.get("description").and_then(Json::as_str).unwrap_or_default();
        comments.insert((plan.server.clone(), tool.clone()), format!("{why}: {said}"));
        tools.insert(tool.clone(), At { value: level, line: 0 });
    }
    let secret = draw()?;
    let config = model(plan, tools, &secret);
    let header = vec![
        "What agents may do with their tools. `placet check` says what this file means.".to_owned(),
        "Levels are proposed from names, arguments and annotations: correct them here.".to_owned(),
        "Deletes are refused: add \"delete\" to the agent's levels to allow them.".to_owned(),
    ];
    let text = config::write(&config, &Comments { header, tools: comments });
    let meant = config::read(&text).config;
    if meant.as_ref() != Some(&config) {
        return Err(
            "the file that was to be written does not read back as what was meant; this is a bug".to_owned()
        );
    }
    let lock = Lock { servers: [(plan.server.clone(), book.accepted())].into() }.write();
    Lock::read(&lock)
        .map_err(|error| format!("the lock that was to be written does not read back: {error}"))?;
    Ok(Proposal { config: text, lock, secret, remarks })
}

/// The file's model: the server with its tools, one client, one agent that holds all levels but delete.
fn model(plan: &Plan, tools: BTreeMap<ToolName, At<Level>>, secret: &str) -> Config {
    // Programs in JavaScript read every number as a double.
    let runner =
        plan.command.first().map(|program| Path::new(program).file_stem().unwrap_or_default().to_owned());
    let rounds = runner
        .is_some_and(|runner| ["node", "npx", "bun", "bunx", "deno"].iter().any(|name| runner == *name));
    let server = Server {
        launch: Launch { command: plan.command.clone(), env: plan.env.clone(), cwd: Cwd::Node },
        tools,
        requests: BTreeSet::new(),
        meta: Vec::new(),
        resources: None,
        integers: if rounds { Integers::Safe } else { Integers::Exact },
        line: 0,
    };
    let client = Client {
        credential: Credential(Sha256::digest(secret.as_bytes()).into()),
        agent: plan.agent.clone(),
        servers: [plan.server.clone()].into(),
    };
    let remit =
        Agent { levels: LevelSet::of([Level::Read, Level::Write, Level::Execute]), ..Agent::default() };
    Config {
        servers: [(plan.server.clone(), server)].into(),
        clients: [(plan.client.clone(), client)].into(),
        agents: [(plan.agent.clone(), remit)].into(),
        ..Config::default()
    }
}

fn draw() -> Result<String, String> {
    let mut secret = [0_u8; 32];
    getrandom::fill(&mut secret).map_err(|cause| cause.to_string())?;
    Ok(secret.iter().fold(String::new(), |mut text, byte| {
        // Writing to a text cannot fail.
        write!(text, "{byte:02x}").unwrap_or_default();
        text
    }))
}
