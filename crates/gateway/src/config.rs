//! Loading: from a configuration file to everything that a node serves by, or to all that is wrong with it.

use std::{
    collections::BTreeMap,
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
        config::{self, Config, Cwd, Part, Text},
        lint::lint,
    },
};
use placet_prove::{Broken, Changes, Effort, Proofs};
use sha2::{Digest as _, Sha256};

use crate::{
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
    let wrong = |what: String| LoadError(format!("error: {what}\n"));
    let source = fs::read_to_string(path)
        .map_err(|cause| wrong(format!("cannot read `{}`: {cause}", path.display())))?;
    let read = config::read(&source);
    let name = path
        .file_name()
        .map_or_else(|| path.display().to_string(), |name| name.to_string_lossy().into_owned());
    let Some(config) = read.config else { return Err(LoadError(render(&read.findings, &name, &source))) };
    let lock = Lock::beside(path).map_err(|error| wrong(error.to_string()))?;
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
    let digest = Sha256::digest(source.as_bytes());
    let digest = digest.iter().fold("sha256:".to_owned(), |text, byte| format!("{text}{byte:02x}"));
    let warnings = (!findings.is_empty()).then(|| render(&findings, &name, &source));
    Ok(Loaded { config, policy, books, digest, warnings, name, source })
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
