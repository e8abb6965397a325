//! `placet init`: from what servers offer to a first `placet.toml`, and from a client's file to one that goes
//! through Placet.
//!
//! Each server is started and asked what it offers (`ask.rs`); each tool gets the most careful level that its
//! name, its arguments and its annotations allow (`levels.rs`). What a server says enters the file only as an
//! escaped value or as a one-line comment; the written text is read back and must mean what was meant, or nothing
//! is kept. A file that is there is added to, never written anew.
//!
//! [`client`] reads a client's own configuration, [`rewire`] makes its entries start `placet mcp`, and [`undo`]
//! takes that back.
//!
//! Not here: what a person answers on the way. Start at [`propose`].

mod ask;
pub mod client;
mod edit;
mod levels;
pub(crate) mod replace;
pub mod rewire;
pub mod undo;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    path::{Path, PathBuf},
    sync::Arc,
};

use placet_engine::{
    diagnostic::render,
    json::{Json, Limits, parse},
    level::{Level, LevelSet},
    names::{AgentName, ClientName, ServerName, ToolName},
    policy::config::{
        self, Agent, At, Client, Comments, Config, Credential, Integers, Launch, Server, terms,
    },
};
use sha2::{Digest as _, Sha256};
use toml_edit::DocumentMut;

pub(crate) use self::replace::{create, replace};
use crate::{lock::Lock, mcp::catalog::Book, upstream::stdio::Log};

/// A server that is to stand behind us.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// What it is called here.
    pub name: ServerName,
    /// How it is started; secrets by reference.
    pub launch: Launch,
    /// What variables hold whose references lead nowhere yet.
    pub values: BTreeMap<String, String>,
    /// The folder that the client runs it in, if that is known.
    pub folder: Option<PathBuf>,
}

/// What is to be put before an agent.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The servers to add.
    pub servers: Vec<Wanted>,
    /// Servers that are in the file, and that the client is to reach too.
    pub known: BTreeSet<ServerName>,
    /// Who will propose.
    pub agent: AgentName,
    /// Through which client.
    pub client: ClientName,
}

/// A `placet.toml` that is there already, and the lock beside it.
#[derive(Debug)]
pub struct Existing {
    /// Its text.
    pub text: String,
    /// What it means.
    pub config: Config,
    /// What was accepted.
    pub lock: Option<Lock>,
    /// The lock's text.
    pub lock_text: Option<String>,
}

impl Existing {
    /// Reads the file, if there is one.
    ///
    /// # Errors
    ///
    /// Why it cannot be added to, rendered for a person.
    pub fn beside(path: &Path) -> Result<Option<Self>, String> {
        let read = |path: &Path| match std::fs::read_to_string(path) {
            Ok(text) => Ok(Some(text)),
            Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(cause) => Err(format!("error: cannot read `{}`: {cause}\n", path.display())),
        };
        let Some(text) = read(path)? else { return Ok(None) };
        let found = config::read(&text);
        let Some(config) = found.config else {
            return Err(render(&found.findings, &path.display().to_string(), &text));
        };
        let lock = Lock::beside(path).map_err(|error| format!("error: {error}\n"))?;
        Ok(Some(Self { text, config, lock, lock_text: read(&path.with_extension("lock"))? }))
    }
}

/// What would be written.
#[derive(Debug)]
pub struct Proposal {
    /// `placet.toml`.
    pub config: String,
    /// `placet.lock`.
    pub lock: String,
    /// The client's secret, if the client is a new one.
    pub secret: Option<String>,
    /// What a person should look at.
    pub remarks: Vec<String>,
}

/// Asks the servers what they offer and proposes files for them, added to what exists.
///
/// # Errors
///
/// What stands in the way, for a person. Nothing was written.
pub async fn propose(plan: &Plan, existing: Option<&Existing>, log: &Log) -> Result<Proposal, String> {
    let mut remarks = Vec::new();
    let mut comments = Comments::default();
    let mut new = Config::default();
    let mut lock = existing.and_then(|existing| existing.lock.clone()).unwrap_or_default();
    for wanted in &plan.servers {
        let (tools, book) = tools_of(wanted, log, &mut remarks, &mut comments).await;
        new.servers.insert(wanted.name.clone(), server(wanted, tools));
        lock.servers.insert(wanted.name.clone(), book.accepted());
    }
    let reached: BTreeSet<_> = plan.servers.iter().map(|wanted| wanted.name.clone()).collect();
    let reached: BTreeSet<_> = reached.union(&plan.known).cloned().collect();
    let mut meant = existing.map(|existing| existing.config.clone()).unwrap_or_default();
    let secret = match meant.clients.get_mut(&plan.client) {
        Some(client) => {
            client.servers.extend(reached.iter().cloned());
            None
        }
        None => {
            let secret = draw()?;
            let credential = Credential(Sha256::digest(secret.as_bytes()).into());
            let client =
                Client { credential, agent: plan.agent.clone(), servers: reached.clone(), sessions: false };
            new.clients.insert(plan.client.clone(), client);
            Some(secret)
        }
    };
    if !meant.agents.contains_key(&plan.agent) {
        let levels = LevelSet::of([Level::Read, Level::Write, Level::Execute]);
        new.agents.insert(plan.agent.clone(), Agent { levels, ..Agent::default() });
    }
    if meant
        .agents
        .get(&plan.agent)
        .is_some_and(|agent| agent.levels.iter().any(|level| level == Level::Delete))
    {
        remarks.push(format!(
            "agent `{}` holds delete, so it may call what deletes on these servers too",
            plan.agent
        ));
    }
    meant.servers.extend(new.servers.clone());
    meant.clients.extend(new.clients.clone());
    meant.agents.extend(new.agents.clone());
    let text = match existing {
        None => {
            comments.header = vec![
                "What agents may do with their tools. `placet check` says what this file means.".to_owned(),
                "Levels are proposed from names, arguments and annotations: correct them here.".to_owned(),
                "Deletes are refused: add \"delete\" to the agent's levels to allow them.".to_owned(),
            ];
            config::write(&new, &comments)
        }
        Some(existing) => added(existing, plan, &reached, &new, &comments)?,
    };
    if config::read(&text).config.as_ref() != Some(&meant) {
        return Err(match existing {
            None => "the file that was to be written does not read back as what was meant; this is a bug",
            Some(_) => {
                "this file cannot be added to so that it means what is meant; `--config FILE` begins another"
            }
        }
        .to_owned());
    }
    let lock = lock.write();
    Lock::read(&lock)
        .map_err(|error| format!("the lock that was to be written does not read back: {error}"))?;
    Ok(Proposal { config: text, lock, secret, remarks })
}

/// The file's own text, with more servers in a client's list, and the new tables below.
fn added(
    existing: &Existing,
    plan: &Plan,
    reached: &BTreeSet<ServerName>,
    new: &Config,
    comments: &Comments,
) -> Result<String, String> {
    let mut text = existing.text.clone();
    if let Some(client) = existing.config.clients.get(&plan.client)
        && !reached.is_subset(&client.servers)
    {
        let mut document: DocumentMut =
            text.parse().map_err(|error: toml_edit::TomlError| error.message().to_owned())?;
        let entry = document.get_mut("clients").and_then(|clients| clients.get_mut(plan.client.as_str()));
        let list = entry.and_then(|client| client.get_mut("servers")).and_then(|list| list.as_array_mut());
        let list = list.ok_or_else(|| format!("client `{}` has no list of servers", plan.client))?;
        reached.difference(&client.servers).for_each(|server| list.push(server.as_str()));
        text = document.to_string();
    }
    let below = config::write(new, comments);
    if below.is_empty() {
        return Ok(text);
    }
    let gap = if text.ends_with('\n') { "\n" } else { "\n\n" };
    Ok(format!("{text}{gap}{below}"))
}

/// What a server offers, each tool with a level; nothing if it cannot be asked, which is then remarked.
async fn tools_of(
    wanted: &Wanted,
    log: &Log,
    remarks: &mut Vec<String>,
    comments: &mut Comments,
) -> (BTreeMap<ToolName, At<terms::Tool>>, Book) {
    let entries = match ask::offered(wanted, Arc::clone(log)).await {
        Ok(entries) => entries,
        Err(why) => {
            remarks.push(format!("server `{}`: {why}; it is in the file without tools", wanted.name));
            Vec::new()
        }
    };
    let book = Book::default();
    let listing = book.hold_against(&entries, |_| true);
    let about = |(tool, finding): (&String, &String)| format!("tool `{}/{tool}`: {finding}", wanted.name);
    remarks.extend(listing.findings.iter().map(about));
    let mut tools = BTreeMap::new();
    for (tool, text) in listing.tools() {
        let definition = parse(text.as_bytes(), &Limits::EDGE).unwrap_or(Json::Null);
        let (level, why) = levels::level_of(tool, &definition);
        let said = definition.get("description").and_then(Json::as_str).unwrap_or_default();
        comments.tools.insert((wanted.name.clone(), tool.clone()), format!("{why}: {said}"));
        tools.insert(tool.clone(), At { value: level.into(), line: 0 });
    }
    (tools, book)
}

fn server(wanted: &Wanted, tools: BTreeMap<ToolName, At<terms::Tool>>) -> Server {
    // Programs in JavaScript read every number as a double.
    let runner = wanted.launch.command.first();
    let runner = runner.map(|program| Path::new(program).file_stem().unwrap_or_default().to_owned());
    let rounds = runner
        .is_some_and(|runner| ["node", "npx", "bun", "bunx", "deno"].iter().any(|name| runner == *name));
    Server {
        launch: wanted.launch.clone(),
        tools,
        trusted: false,
        requests: BTreeSet::new(),
        meta: Vec::new(),
        resources: None,
        integers: if rounds { Integers::Safe } else { Integers::Exact },
        line: 0,
    }
}

pub(crate) fn draw() -> Result<String, String> {
    let mut secret = [0_u8; 32];
    getrandom::fill(&mut secret).map_err(|cause| cause.to_string())?;
    Ok(secret.iter().fold(String::new(), |mut text, byte| {
        // Writing to a text cannot fail.
        write!(text, "{byte:02x}").unwrap_or_default();
        text
    }))
}
