//! Putting Placet between a client and its servers: what is written, in which order, and back if it fails.
//!
//! Secrets first, the client's own file last: until that is replaced, the client works as before, and afterwards
//! everything that it now needs is there. What was made on the way is removed again if a later step fails.
//!
//! Not here: asking the servers ([`super::propose`]), and the way back later ([`super::undo`]). Start at
//! [`prepare`].

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use placet_engine::{
    names::{AgentName, ClientName, ServerName},
    policy::config::{Launch, Part, Server, Text},
};

use super::{
    Existing, Plan, Proposal, Wanted,
    client::{ClientFile, Program, Scope, Variable, server_name},
    edit::{Wiring, rewire},
    replace::{create, create_private, replace},
    undo::{self, Taken},
};
use crate::place::Places;

/// Everything that is to change, decided and not yet begun.
#[derive(Debug)]
pub struct Rewiring {
    /// What the servers are asked for, and what the file gets.
    pub plan: Plan,
    /// Entries of the client by name, and the server that each will start.
    pub servers: Vec<(String, ServerName)>,
    /// Files to make, with what each holds.
    secrets: Vec<(PathBuf, String)>,
    taken: Vec<Taken>,
    wirings: Vec<Wiring>,
}

/// Who will propose, through which client, and where Placet is.
#[derive(Debug)]
pub struct Front<'a> {
    /// The node's places.
    pub places: &'a Places,
    /// The configuration, if there is one.
    pub existing: Option<&'a Existing>,
    /// The client.
    pub client: ClientName,
    /// The agent.
    pub agent: AgentName,
    /// Our own program.
    pub program: String,
}

/// Decides what becomes of these entries.
///
/// # Errors
///
/// What stands in the way, for a person.
pub fn prepare(
    file: &ClientFile,
    entries: &[(&str, &Program)],
    front: Front<'_>,
) -> Result<Rewiring, String> {
    let folder = front.places.state.join("secrets");
    let config = utf8(&front.places.config)?;
    let mut taken: BTreeSet<ServerName> =
        front.existing.iter().flat_map(|e| e.config.servers.keys().cloned()).collect();
    let mut plan =
        Plan { servers: Vec::new(), known: BTreeSet::new(), agent: front.agent, client: front.client };
    let mut rewiring = Rewiring {
        plan: plan.clone(),
        servers: Vec::new(),
        secrets: Vec::new(),
        taken: Vec::new(),
        wirings: Vec::new(),
    };
    for (entry, program) in entries {
        let server = match front.existing.and_then(|existing| same(existing, program)) {
            Some((server, secrets)) => {
                rewiring.taken.extend(secrets);
                plan.known.insert(server.clone());
                server
            }
            None => {
                let server = loop {
                    let name = server_name(entry, &taken).ok_or("too many servers have one name")?;
                    taken.insert(name.clone());
                    // A secret that stands there under this name belongs to somebody else.
                    let foreign = |(variable, value): (&String, &String)| {
                        let secret = secret(&folder, &name, variable);
                        secret.exists() && fs::read_to_string(secret).ok().as_ref() != Some(value)
                    };
                    if !values(program).into_iter().any(foreign) {
                        break name;
                    }
                };
                let mut wanted = Wanted {
                    name: server.clone(),
                    launch: Launch {
                        command: program.command.clone(),
                        env: BTreeMap::new(),
                        cwd: program.cwd.clone(),
                    },
                    values: BTreeMap::new(),
                    folder: match &file.scope {
                        Scope::User => None,
                        Scope::Project(folder) => Some(folder.clone()),
                    },
                };
                for (variable, held) in &program.env {
                    let text = match held {
                        Variable::Reference(text) => text.clone(),
                        Variable::Value { value, .. } if value.is_empty() => Text::literal(""),
                        Variable::Value { value, at } => {
                            let path = secret(&folder, &server, variable);
                            wanted.values.insert(variable.clone(), value.clone());
                            rewiring.secrets.push((path.clone(), value.clone()));
                            rewiring.taken.push(Taken { at: at.clone(), secret: path.clone() });
                            let reference = format!("${{file:{}}}", utf8(&path)?);
                            reference.parse().map_err(|error| format!("`{}`: {error}", path.display()))?
                        }
                    };
                    wanted.launch.env.insert(variable.clone(), text);
                }
                plan.servers.push(wanted);
                server
            }
        };
        let words = ["mcp", server.as_str(), "--config", &config, "--client", plan.client.as_str()];
        let args = words.map(str::to_owned).to_vec();
        rewiring.wirings.push(Wiring { entry: (*entry).to_owned(), command: front.program.clone(), args });
        rewiring.servers.push(((*entry).to_owned(), server));
    }
    rewiring.plan = plan;
    // What cannot be edited is refused before anything is asked or written.
    rewire(&file.text, &rewiring.wirings)?;
    Ok(rewiring)
}

fn utf8(path: &Path) -> Result<String, String> {
    path.to_str().map(str::to_owned).ok_or_else(|| format!("the path `{}` is not UTF-8", path.display()))
}

fn secret(folder: &Path, server: &ServerName, variable: &str) -> PathBuf {
    folder.join(format!("{server}.{variable}"))
}

/// The values of a program's environment that are kept in files.
fn values(program: &Program) -> BTreeMap<&String, &String> {
    let values = program.env.iter().filter_map(|(variable, held)| match held {
        Variable::Value { value, .. } if !value.is_empty() => Some((variable, value)),
        Variable::Value { .. } | Variable::Reference(_) => None,
    });
    values.collect()
}

/// The server of the file that is this very program, if there is one, and where its secrets are.
fn same(existing: &Existing, program: &Program) -> Option<(ServerName, Vec<Taken>)> {
    let mut servers = existing.config.servers.iter();
    servers.find_map(|(name, server)| Some((name.clone(), secrets_of(server, program)?)))
}

/// Where the secrets of a program are, if the server starts just like it.
fn secrets_of(server: &Server, program: &Program) -> Option<Vec<Taken>> {
    let Launch { command, env, cwd } = &server.launch;
    if *command != program.command || *cwd != program.cwd || env.len() != program.env.len() {
        return None;
    }
    let mut secrets = Vec::new();
    for (variable, held) in &program.env {
        let text = env.get(variable)?;
        match held {
            Variable::Reference(reference) if reference == text => {}
            Variable::Value { value, .. } if value.is_empty() && text.as_literal() == Some("") => {}
            Variable::Value { value, at } => {
                let [Part::File(path)] = text.parts() else { return None };
                let secret = PathBuf::from(path);
                if fs::read_to_string(&secret).ok()? != *value {
                    return None;
                }
                secrets.push(Taken { at: at.clone(), secret });
            }
            Variable::Reference(_) => return None,
        }
    }
    Some(secrets)
}

impl Rewiring {
    /// Writes all of it, or nothing that stays.
    ///
    /// # Errors
    ///
    /// What failed, for a person.
    pub fn carry_out(
        &self,
        file: &ClientFile,
        proposal: &Proposal,
        front: (&Places, Option<&Existing>, &Path),
    ) -> Result<(), String> {
        let mut made = Made::default();
        let done = self.steps(file, proposal, front, &mut made);
        if done.is_err() {
            made.take_back();
        }
        done
    }

    fn steps(
        &self,
        file: &ClientFile,
        proposal: &Proposal,
        (places, existing, key): (&Places, Option<&Existing>, &Path),
        made: &mut Made,
    ) -> Result<(), String> {
        let (after, wired) = rewire(&file.text, &self.wirings)?;
        crate::place::make_private(&places.state).map_err(|error| error.to_string())?;
        for (path, value) in &self.secrets {
            if !path.exists() {
                made.create(path, value, create_private)?;
            }
        }
        if let Some(secret) = &proposal.secret {
            made.create(key, secret, create_private)?;
        }
        let entries: Vec<_> = self.wirings.iter().map(|wiring| wiring.entry.clone()).zip(wired).collect();
        made.backup = Some(undo::keep(&file.path, &file.text, &after, &self.taken, &entries)?);
        let lock = places.config.with_extension("lock");
        match existing.and_then(|existing| existing.lock_text.as_ref()) {
            Some(old) => made.replace(&lock, old, &proposal.lock)?,
            None => made.create(&lock, &proposal.lock, create)?,
        }
        match existing {
            Some(existing) => made.replace(&places.config, &existing.text, &proposal.config)?,
            None => made.create(&places.config, &proposal.config, create)?,
        }
        made.replace(&file.path, &file.text, &after)
    }
}

/// What a rewiring has done so far.
#[derive(Default)]
struct Made {
    created: Vec<PathBuf>,
    /// File, what it was, what it is.
    replaced: Vec<(PathBuf, String, String)>,
    backup: Option<PathBuf>,
}

impl Made {
    fn create(
        &mut self,
        path: &Path,
        text: &str,
        create: fn(&Path, &str) -> std::io::Result<()>,
    ) -> Result<(), String> {
        create(path, text).map_err(|cause| format!("cannot write `{}`: {cause}", path.display()))?;
        self.created.push(path.to_owned());
        Ok(())
    }

    fn replace(&mut self, path: &Path, old: &str, new: &str) -> Result<(), String> {
        if old != new {
            replace(path, old, new).map_err(|cause| format!("cannot write `{}`: {cause}", path.display()))?;
            self.replaced.push((path.to_owned(), old.to_owned(), new.to_owned()));
        }
        Ok(())
    }

    /// As far as it goes: what cannot be taken back is without effect, since the client's own file comes last.
    fn take_back(self) {
        for (path, old, new) in self.replaced.iter().rev() {
            replace(path, new, old).unwrap_or_default();
        }
        for path in self.created.iter().rev() {
            fs::remove_file(path).unwrap_or_default();
        }
        if let Some(backup) = &self.backup {
            undo::forget(backup);
        }
    }
}
