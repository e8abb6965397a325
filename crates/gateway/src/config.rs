//! Loading: from a configuration file to everything that a node serves by, or to all that is wrong with it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    sync::Arc,
};

use placet_engine::{
    diagnostic::{Finding, Severity, render},
    json::{Json, parse},
    names::{Action, ServerName},
    policy::{
        self, Policy, PolicyError, RuleProblem, Rules,
        change::{self, Comparison, Effect},
        config::{self, Config, Cwd, Part, Text},
        lint::lint,
    },
};
use placet_prove::{Broken, Changes, Effort, Proofs};

use crate::{
    inputs::{Inputs, digest},
    lock::{self, Lock},
    mcp::{catalog::Book, methods},
    upstream::stdio::{Environment, Launch},
};

/// A file that has been read, checked and compiled.
#[derive(Debug)]
pub struct Loaded {
    /// What the file says.
    pub config: Config,
    /// What is judged by.
    pub policy: Policy,
    /// What is accepted of each server; shared by all its connections.
    pub books: BTreeMap<ServerName, Arc<Book>>,
    /// Digest of the file's text.
    pub digest: String,
    /// What a person should hear although the file can be used.
    pub warnings: Option<String>,
    /// What messages call the file.
    pub name: String,
    /// Its text, into which messages point.
    pub source: String,
    /// What is accepted of each server, if there is a lock.
    pub lock: Option<Lock>,
    /// Everything that it was made of.
    pub inputs: Inputs,
}

impl Loaded {
    /// What the file says that its author probably did not mean, rendered for a person.
    pub fn lints(&self) -> Option<String> {
        let found = lint(&self.config, &self.policy);
        let warning = |problem| Finding { severity: Severity::Warning, ..found_at(problem, &self.source) };
        let findings: Vec<Finding> = found.iter().map(warning).collect();
        (!findings.is_empty()).then(|| render(&findings, &self.name, &self.source))
    }
}

impl Loaded {
    /// Proves the invariants of the file, or refutes them. Waits for a solver, so no node's start depends on it.
    pub fn prove(&self, effort: &Effort) -> Proofs {
        placet_prove::prove(&self.policy, &self.config.invariants, effort, &|tool: &Action| self.schema(tool))
    }

    /// Whether the file keeps its invariants: to be asked before it is applied.
    ///
    /// # Errors
    ///
    /// [`Broken`] with those that are refuted, or not proved for whatever reason.
    pub fn invariants_hold(&self, effort: &Effort) -> Result<(), Broken> {
        let schemas = |tool: &Action| self.schema(tool);
        placet_prove::invariants_hold(&self.policy, &self.config.invariants, effort, &schemas)
    }

    /// What a tool's arguments look like, as its server wrote it and `placet.lock` has it.
    fn schema(&self, tool: &Action) -> Option<Json> {
        let accepted = self.books.get(&tool.server)?.accepted();
        let found = accepted.iter().find(|known| known.definition.name == tool.tool)?;
        let definition = parse(found.text.as_bytes(), &lock::DEFINITION).ok()?;
        definition.get("inputSchema").cloned()
    }
}

/// What a file permits, refuses and asks about that another does not.
pub fn diff(old: &Loaded, new: &Loaded, effort: &Effort) -> Changes {
    let schemas = |tool: &Action| new.schema(tool).or_else(|| old.schema(tool));
    placet_prove::diff(&old.policy, &new.policy, effort, &schemas)
}

/// What a person should see at each start: where the file asks for less than the usual care.
pub fn told_at_start(config: &Config) -> Vec<String> {
    let observed = config.agents.iter().filter(|(_, agent)| agent.observe);
    let told = observed.map(|(name, _)| {
        format!(
            "agent {name} is observed: what policy would refuse or ask about runs, and is recorded as such"
        )
    });
    told.collect()
}

/// Why a file cannot be used, rendered for a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadError(pub String);

/// Reads, checks and compiles a configuration file and the lock beside it.
///
/// # Errors
///
/// [`LoadError`] with every mistake that was found.
pub fn load(path: &Path) -> Result<Loaded, LoadError> {
    load_from(Inputs::read(path)?)
}

/// Checks and compiles what was read.
///
/// # Errors
///
/// [`LoadError`] with every mistake that was found.
pub fn load_from(inputs: Inputs) -> Result<Loaded, LoadError> {
    let wrong = |what: String| LoadError(format!("error: {what}\n"));
    let (source, name) = (inputs.config().to_owned(), inputs.name().to_owned());
    let read = config::read(&source);
    let Some(config) = read.config else { return Err(LoadError(render(&read.findings, &name, &source))) };
    let lock = inputs.lock().map(Lock::read).transpose();
    let lock = lock.map_err(|error| wrong(format!("the lock beside `{name}`: {error}")))?;
    let mut findings = read.findings;
    let mut catalogue = policy::catalogue(&config);
    for (action, tool) in &mut catalogue {
        let accepted = lock.as_ref().and_then(|lock| lock.definition(action));
        tool.definition = accepted.map(Arc::clone);
    }
    config.servers.keys().for_each(|server| methods::add(server, &mut catalogue));
    let refused = |error: PolicyError, findings: &[Finding]| match error {
        PolicyError::Rules(problems) => {
            let mut findings = findings.to_vec();
            findings.extend(problems.iter().map(|problem| found_at(problem, &source)));
            LoadError(render(&findings, &name, &source))
        }
        error @ (PolicyError::Invalid(_) | PolicyError::SelfCheck(_) | PolicyError::Bug(_)) => {
            wrong(error.to_string())
        }
    };
    let policy =
        Policy::compile(Rules::from(&config), catalogue).map_err(|error| refused(error, &findings))?;
    // An invariant whose condition means nothing over its tools says nothing, and must not look as if it did.
    for invariant in &config.invariants {
        policy.probe(invariant).map_err(|error| refused(error, &findings))?;
    }
    findings.extend(unlocked(&config, lock.as_ref()));
    let accepted = |server: &ServerName| lock.as_ref().and_then(|lock| lock.servers.get(server)).cloned();
    let books = config
        .servers
        .keys()
        .map(|server| (server.clone(), Arc::new(Book::of(accepted(server).unwrap_or_default()))))
        .collect();
    let digest = digest(&source);
    let warnings = (!findings.is_empty()).then(|| render(&findings, &name, &source));
    Ok(Loaded { config, policy, books, digest, warnings, name, source, lock, inputs })
}

/// What is different between two files and the locks beside them.
pub fn compared(old: (&Config, Option<&Lock>), new: (&Config, Option<&Lock>)) -> Comparison {
    let mut found = change::compare(old.0, new.0);
    locks(old.1, new.1, &mut found);
    found
}

/// What is accepted decides which tool a name stands for; what that can do, its form does not tell.
fn locks(old: Option<&Lock>, new: Option<&Lock>, found: &mut Comparison) {
    let definitions = |lock: Option<&Lock>| -> BTreeMap<String, Arc<str>> {
        let servers = lock.into_iter().flat_map(|lock| &lock.servers);
        let tools = servers.flat_map(|(server, tools)| {
            tools
                .iter()
                .map(move |tool| (format!("{server}/{}", tool.definition.name), Arc::clone(&tool.text)))
        });
        tools.collect()
    };
    let (old, new) = (definitions(old), definitions(new));
    let tools: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    for tool in tools {
        let words = match (old.get(tool), new.get(tool)) {
            (before, now) if before == now => continue,
            (None, _) => "is accepted as it stands in the lock",
            (_, None) => "is no longer in the lock",
            (Some(_), Some(_)) => "is accepted with another definition",
        };
        found.note_for_all(Effect::Different, format!("tool `{tool}` {words}"));
    }
}

/// What is wrong with a rule, shown on its line.
fn found_at(problem: &RuleProblem, source: &str) -> Finding {
    let before: usize = source.split_inclusive('\n').take(problem.line.saturating_sub(1)).map(str::len).sum();
    let line = source.get(before..).and_then(|rest| rest.lines().next()).unwrap_or_default();
    let indent = line.len() - line.trim_start().len();
    let finding = Finding::error(problem.message.clone());
    let finding = match &problem.help {
        Some(help) => finding.help(help.clone()),
        None => finding,
    };
    match problem.line {
        0 => finding,
        _ => finding.at(before + indent..before + line.trim_end().len()),
    }
}

/// Tools of the file that the lock does not have: they are taken as they are at first contact.
fn unlocked(config: &Config, lock: Option<&Lock>) -> Vec<Finding> {
    let warning = |message: String, help: &str| Finding {
        severity: Severity::Warning,
        message,
        help: Some(help.to_owned()),
        at: None,
    };
    let Some(lock) = lock else {
        return match config.servers.is_empty() {
            true => Vec::new(),
            false => vec![warning(
                "there is no placet.lock, so tools are taken as they are at first contact".to_owned(),
                "`placet init` writes one",
            )],
        };
    };
    let known = |server: &ServerName, tool: &str| {
        lock.servers
            .get(server)
            .is_some_and(|tools| tools.iter().any(|known| known.definition.name.as_str() == tool))
    };
    let missing =
        config.servers.iter().flat_map(|(server, entry)| entry.tools.keys().map(move |tool| (server, tool)));
    missing
        .filter(|(server, tool)| !known(server, tool.as_str()))
        .map(|(server, tool)| {
            warning(
                format!(
                    "tool `{server}/{tool}` is not in placet.lock, so it is taken as it is at first contact"
                ),
                "`placet init` writes what a server offers into placet.lock",
            )
        })
        .collect()
}

/// How a server of the file is started for a client that attached from `folder`.
///
/// # Errors
///
/// What is missing, for a person.
pub fn launch(server: &config::Server, folder: Option<&Path>) -> Result<Launch, String> {
    let directory = match &server.launch.cwd {
        Cwd::Node => None,
        Cwd::Client => Some(folder.ok_or("the client did not say in which folder it is")?.to_owned()),
        Cwd::Path(path) => Some(PathBuf::from(path)),
    };
    let entries = server.launch.env.iter().map(|(key, text)| Ok((key.clone(), resolve(text)?)));
    let environment = Environment::Minimal(entries.collect::<Result<_, String>>()?);
    Ok(Launch { command: server.launch.command.clone(), environment, directory })
}

/// A text with its secrets in it. It is not kept, and never shown.
///
/// # Errors
///
/// What is missing, for a person.
pub fn resolve(text: &Text) -> Result<String, String> {
    let part = |part: &Part| match part {
        Part::Literal(literal) => Ok(literal.clone()),
        Part::Env(name) => std::env::var(name)
            .map_err(|_| format!("the environment variable `{name}` is not set where the node runs")),
        Part::File(path) => {
            let metadata = fs::metadata(path).map_err(|cause| format!("cannot read `{path}`: {cause}"))?;
            if metadata.permissions().mode() & 0o077 != 0 {
                return Err(format!("`{path}` can be read by others; `chmod 600` it first"));
            }
            let secret =
                fs::read_to_string(path).map_err(|cause| format!("cannot read `{path}`: {cause}"))?;
            Ok(secret.trim_end_matches(['\n', '\r']).to_owned())
        }
    };
    text.parts().iter().map(part).collect()
}
