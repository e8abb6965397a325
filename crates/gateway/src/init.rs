//! `placet init`: from a server's own list of tools to a first `placet.toml`.
//!
//! The server is started and asked what it offers; each tool gets the most careful level that its name, its
//! arguments and its annotations allow. What a server says enters the file only as an escaped value or as a
//! one-line comment; the written text is read back and must mean what was meant, or nothing is kept.
//!
//! Not here: what a person answers on the way. Start at [`propose`].

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    path::Path,
    sync::Arc,
    time::Duration,
};

use placet_engine::{
    json::{Json, Limits, parse},
    level::{Level, LevelSet},
    names::{AgentName, ClientName, ServerName, ToolName},
    policy::config::{
        self, Agent, At, Client, Comments, Config, Credential, Cwd, Integers, Launch, Server, Text, terms,
    },
};
use sha2::{Digest as _, Sha256};

use crate::{
    lock::Lock,
    mcp::{
        LEGACY,
        catalog::{self, Book},
        meta, wire,
    },
    upstream::stdio::{self, Child, Environment, Log, Response},
};

/// How long a server may take to answer each question.
const PATIENCE: Duration = Duration::from_secs(20);

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
    let entries = match offered(plan, log).await {
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
        let (level, why) = level_of(tool, &definition);
        let said = definition.get("description").and_then(Json::as_str).unwrap_or_default();
        comments.insert((plan.server.clone(), tool.clone()), format!("{why}: {said}"));
        tools.insert(tool.clone(), At { value: level.into(), line: 0 });
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
fn model(plan: &Plan, tools: BTreeMap<ToolName, At<terms::Tool>>, secret: &str) -> Config {
    // Programs in JavaScript read every number as a double.
    let runner =
        plan.command.first().map(|program| Path::new(program).file_stem().unwrap_or_default().to_owned());
    let rounds = runner
        .is_some_and(|runner| ["node", "npx", "bun", "bunx", "deno"].iter().any(|name| runner == *name));
    let server = Server {
        launch: Launch { command: plan.command.clone(), env: plan.env.clone(), cwd: Cwd::Node },
        tools,
        trusted: false,
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
        sessions: false,
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

/// Everything that the server lists, asked in the older era or, if it does not know that, in the newer.
async fn offered(plan: &Plan, log: Log) -> Result<Vec<String>, String> {
    let entries = plan.env.iter().map(|(key, text)| Ok((key.clone(), crate::config::resolve(text)?)));
    let environment = Environment::Minimal(entries.collect::<Result<_, String>>()?);
    let launch = stdio::Launch { command: plan.command.clone(), environment, directory: None };
    let start = || {
        Child::start(&launch, Arc::clone(&log)).map_err(|cause| format!("it could not be started: {cause}"))
    };
    let (child, _inbox) = start()?;
    let hello = format!(
        "{{\"protocolVersion\":\"{}\",\"capabilities\":{{}},\"clientInfo\":{{\"name\":\"placet\",\"version\":\"{}\"}}}}",
        LEGACY[0],
        env!("CARGO_PKG_VERSION")
    );
    let began = child.ask(child.number(), "initialize", &hello, PATIENCE).await;
    if matches!(began, Ok(Response::Result(_))) {
        let told = child.tell(&wire::notification("notifications/initialized", None)).await;
        told.map_err(|gone| gone.0)?;
        let listed = list(&child, "{}").await;
        child.leave().await;
        return listed;
    }
    child.end_now();
    let (child, _inbox) = start()?;
    let listed = list(&child, &meta::our_own()).await;
    child.leave().await;
    listed
}

async fn list(child: &Child, params: &str) -> Result<Vec<String>, String> {
    let mut entries = Vec::new();
    let mut asked = params.to_owned();
    // As many pages as a connection would read.
    for _ in 0..1_000 {
        let result = match child.ask(child.number(), "tools/list", &asked, PATIENCE).await {
            Ok(Response::Result(result)) => result,
            Ok(Response::Error(_)) => return Err("it does not list its tools".to_owned()),
            Err(gone) => return Err(gone.0),
        };
        let (page, next) = catalog::page(&result).ok_or("its list of tools cannot be read")?;
        entries.extend(page);
        let Some(next) = next else { return Ok(entries) };
        let mut cursor = String::new();
        placet_engine::json::write_string(&next, &mut cursor);
        let inner = params.trim_end_matches('}').to_owned()
            + &"}".repeat(params.matches('{').count().saturating_sub(1));
        let comma = if inner.len() > 1 { "," } else { "" };
        asked = format!("{inner}{comma}\"cursor\":{cursor}}}");
    }
    Err("its list of tools does not end".to_owned())
}

/// Words in a tool's name and the level that they speak for, the most careful first.
const WORDS: [(Level, &[&str]); 4] = [
    (
        Level::Delete,
        &[
            "delete", "remove", "drop", "destroy", "purge", "erase", "truncate", "reset", "clear", "wipe",
            "unlink",
        ],
    ),
    (
        Level::Execute,
        &[
            "execute", "exec", "run", "send", "deploy", "call", "invoke", "post", "publish", "pay", "refund",
            "charge", "transfer", "email", "notify", "trigger", "start", "stop", "restart", "kill", "shell",
            "eval", "submit", "merge", "push", "approve",
        ],
    ),
    (
        Level::Write,
        &[
            "write", "create", "update", "edit", "set", "add", "move", "rename", "commit", "insert", "put",
            "patch", "save", "upload", "append", "checkout", "assign", "tag", "branch", "open", "close",
            "copy",
        ],
    ),
    (
        Level::Read,
        &[
            "read", "get", "list", "search", "find", "fetch", "describe", "show", "view", "status", "diff",
            "log", "count", "lookup", "query", "tree", "info", "convert", "inspect", "check",
        ],
    ),
];

/// Arguments by which a tool takes a program.
const PROGRAMS: [&str; 7] = ["command", "cmd", "code", "script", "sql", "shell", "expression"];

/// The level proposed for a tool, and why, in a few words. Hints may make it more careful, never less.
fn level_of(tool: &ToolName, definition: &Json) -> (Level, &'static str) {
    let words = words(tool.as_str());
    let named = |level: Level| {
        let of_level = WORDS.iter().find(|(of, _)| *of == level).map_or(&[][..], |(_, words)| words);
        words.iter().any(|word| of_level.contains(&word.as_str()))
    };
    let hint =
        |key: &str| definition.get("annotations").and_then(|hints| hints.get(key)).and_then(Json::as_bool);
    let properties =
        definition.get("inputSchema").and_then(|schema| schema.get("properties")).and_then(Json::as_object);
    let program = properties.is_some_and(|properties| properties.keys().any(|key| PROGRAMS.contains(&key)));
    if named(Level::Delete) {
        (Level::Delete, "by its name")
    } else if program {
        (Level::Execute, "it takes a program")
    } else if named(Level::Execute) {
        (Level::Execute, "by its name")
    } else if named(Level::Write) {
        (Level::Write, "by its name")
    } else if named(Level::Read)
        && hint("readOnlyHint") != Some(false)
        && hint("destructiveHint") != Some(true)
    {
        (Level::Read, "by its name")
    } else {
        (Level::Execute, "unclear, so taken as execute")
    }
}

/// The words of a name: at `_`, `-`, `.`, `/`, and where a capital begins one.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut small = false;
    for letter in name.chars() {
        let begins = !letter.is_ascii_alphanumeric() || (small && letter.is_ascii_uppercase());
        if begins && words.last().is_some_and(|word| !word.is_empty()) {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut().filter(|_| letter.is_ascii_alphanumeric()) {
            word.push(letter.to_ascii_lowercase());
        }
        small = letter.is_ascii_lowercase();
    }
    words
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_proposed_on_the_careful_side() {
        for (name, definition, level) in [
            ("read_user", "{}", Level::Read),
            ("getUser", "{}", Level::Read),
            ("list-files", "{}", Level::Read),
            ("write_file", "{}", Level::Write),
            ("send_webhook", "{}", Level::Execute),
            ("delete_user", "{}", Level::Delete),
            ("list_and_delete", "{}", Level::Delete),
            ("frobnicate", "{}", Level::Execute),
            ("read_user", r#"{"annotations":{"readOnlyHint":false}}"#, Level::Execute),
            ("get_it", r#"{"annotations":{"destructiveHint":true}}"#, Level::Execute),
            ("delete_user", r#"{"annotations":{"readOnlyHint":true}}"#, Level::Delete),
            ("frobnicate", r#"{"annotations":{"readOnlyHint":true}}"#, Level::Execute),
            ("query", r#"{"inputSchema":{"properties":{"sql":{}}}}"#, Level::Execute),
            ("reader", "{}", Level::Execute),
        ] {
            let definition = parse(definition.as_bytes(), &Limits::EDGE).unwrap();
            assert_eq!(level_of(&name.parse().unwrap(), &definition).0, level, "{name}");
        }
    }
}
