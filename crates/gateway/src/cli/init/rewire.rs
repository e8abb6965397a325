//! `placet init --from FILE` and `--undo`: what a person is told and asked while a client's own configuration is
//! rewired, or given back.
//!
//! Everything that comes from the file or from a server is shown inert. A project's file may have come from
//! anywhere, so each of its commands is shown whole and started only after a yes to it.

use std::{
    io::{self, IsTerminal as _, Write as _},
    path::Path,
};

use placet_engine::{diagnostic::inert, names::ClientName};
use sha2::{Digest as _, Sha256};

use super::{AGENT, Arguments, log, remark, unavailable, usage};
use crate::{
    cli::{Exit, apply, complain, runtime, say},
    credential,
    init::{
        Existing,
        client::{ClientFile, Program, Scope, Shape, Variable, find},
        propose,
        rewire::{Front, prepare},
        undo as backups,
    },
    inputs::Inputs,
    place::Places,
};

/// What a person has to decide before it can go on.
fn unfit(what: &str, hint: Option<&str>) -> Exit {
    complain(&inert(what), hint);
    Exit::Config
}

pub(super) fn from(from: &Path, arguments: &Arguments) -> Result<(), Exit> {
    let path = find(from).map_err(|why| unfit(&why, None))?;
    let file = ClientFile::read(&path).map_err(|why| {
        unfit(&format!("cannot use `{}`: {why}", path.display()), Some("nothing was changed"))
    })?;
    let chosen = chosen(&file, &arguments.server)?;
    if chosen.is_empty() {
        eprintln!("nothing to take: `{}` is left as it is", inert(&file.path.to_string_lossy()));
        return Ok(());
    }
    let places = Places::to_be(&super::config(arguments)?).map_err(|error| unavailable(error.to_string()))?;
    let existing = Existing::beside(&places.config).map_err(|rendered| {
        eprint!("{rendered}");
        Exit::Config
    })?;
    let client = arguments.client.as_deref().unwrap_or(file.client);
    let client: ClientName = client.parse().map_err(|error| usage(format!("{error}")))?;
    let agent = agent(arguments, existing.as_ref(), &client)?;
    let key = credential::file(&client).map_err(unavailable)?;
    fits(existing.as_ref(), &client, &key)?;
    let chosen = agreed(&file, chosen, arguments.yes)?;
    if chosen.is_empty() {
        eprintln!("nothing was taken");
        return Ok(());
    }
    let program = std::env::current_exe().ok().and_then(|path| path.to_str().map(str::to_owned));
    let program =
        program.ok_or_else(|| unavailable("where this program is cannot be said in UTF-8".to_owned()))?;
    let front =
        Front { places: &places, existing: existing.as_ref(), client: client.clone(), agent, program };
    let rewiring = prepare(&file, &chosen, front).map_err(|why| unfit(&why, Some("nothing was changed")))?;
    for wanted in &rewiring.plan.servers {
        eprintln!("asking {}: {}", wanted.name, inert(&words(&wanted.launch.command)));
    }
    let proposal = runtime()?.block_on(propose(&rewiring.plan, existing.as_ref(), &log()));
    let proposal = proposal.map_err(|why| unfit(&why, Some("nothing was changed")))?;
    remark(&proposal.remarks);
    if arguments.dry_run {
        for (entry, server) in &rewiring.servers {
            eprintln!("entry `{}` would start `placet mcp {server}`", inert(entry));
        }
        say(proposal.config.trim_end());
        return Ok(());
    }
    let before = Inputs::read(&places.config).ok().map(|inputs| inputs.version());
    let written = rewiring.carry_out(&file, &proposal, (&places, existing.as_ref(), &key));
    written.map_err(|why| unavailable(format!("{why}; nothing was changed")))?;
    done(&file, &places, &rewiring.servers, existing.is_some());
    apply::what_was_written(&places, before.as_deref(), &format!("placet init, for client {client}"))
}

/// The entries that can be taken and are wanted, each with how it is started; the others are named, with the reason.
fn chosen<'f>(file: &'f ClientFile, wanted: &[String]) -> Result<Vec<(&'f str, &'f Program)>, Exit> {
    for name in wanted {
        if !file.entries.iter().any(|entry| entry.name == *name) {
            let names: Vec<_> =
                file.entries.iter().map(|entry| format!("`{}`", inert(&entry.name))).collect();
            let what = format!("there is no server `{name}` in `{}`", file.path.display());
            return Err(unfit(&what, Some(&format!("it has {}", names.join(", ")))));
        }
    }
    let mut chosen = Vec::new();
    for entry in &file.entries {
        let left = match &entry.shape {
            _ if !wanted.is_empty() && !wanted.contains(&entry.name) => continue,
            Shape::Program(program) => {
                chosen.push((entry.name.as_str(), program));
                continue;
            }
            Shape::Wired => "it goes through Placet already",
            Shape::Left(why) => why,
        };
        eprintln!("left as it is: `{}`: {}", inert(&entry.name), inert(left));
    }
    if file.elsewhere {
        eprintln!("note: servers under `projects` in this file are not looked at, and stay as they are");
    }
    Ok(chosen)
}

/// The agent that the client stands for.
fn agent(
    arguments: &Arguments,
    existing: Option<&Existing>,
    client: &ClientName,
) -> Result<placet_engine::names::AgentName, Exit> {
    let said = arguments.agent.as_deref();
    let known = existing.and_then(|existing| existing.config.clients.get(client)).map(|client| &client.agent);
    match known {
        Some(known) if said.is_some_and(|said| said != known.as_str()) => {
            let what = format!("client `{client}` is there already and stands for agent `{known}`");
            Err(unfit(&what, Some("`--client NAME` makes another client")))
        }
        Some(known) => Ok(known.clone()),
        None => said.unwrap_or(AGENT).parse().map_err(|error| usage(format!("{error}"))),
    }
}

/// A client of the file has its secret, and a new client has none yet.
fn fits(existing: Option<&Existing>, client: &ClientName, key: &Path) -> Result<(), Exit> {
    let known = existing.and_then(|existing| existing.config.clients.get(client));
    let Some(known) = known else {
        if key.exists() {
            let what = format!("`{}` is there already, and is not overwritten", key.display());
            return Err(unfit(&what, Some("`--client NAME` chooses another name")));
        }
        return Ok(());
    };
    let secret = credential::find(Some(client.as_str())).map_err(|why| unfit(&why, None))?;
    if known.credential.0 == <[u8; 32]>::from(Sha256::digest(secret.as_bytes())) {
        return Ok(());
    }
    let what = format!("the secret of client `{client}` is not the one that the file knows");
    Err(unfit(&what, Some("`--client NAME` makes another client")))
}

/// What may be started: all of the user's own file, and of a project's what a person says yes to.
fn agreed<'f>(
    file: &ClientFile,
    chosen: Vec<(&'f str, &'f Program)>,
    yes: bool,
) -> Result<Vec<(&'f str, &'f Program)>, Exit> {
    let Scope::Project(folder) = &file.scope else { return Ok(chosen) };
    eprintln!(
        "`{}` is a project's file: its servers are programs that whoever wrote it chose, and run in `{}`",
        inert(&file.path.to_string_lossy()),
        inert(&folder.to_string_lossy())
    );
    let asks = !yes && io::stdin().is_terminal() && io::stderr().is_terminal();
    let mut agreed = Vec::new();
    for (name, program) in chosen {
        eprintln!("  `{}` starts: {}", inert(name), inert(&words(&program.command)));
        for (variable, held) in &program.env {
            let shown = match held {
                Variable::Reference(text) => text.to_string(),
                Variable::Value { .. } if is_secret(variable) => "(not shown)".to_owned(),
                Variable::Value { value, .. } => words(std::slice::from_ref(value)),
            };
            eprintln!("    with {}={}", inert(variable), inert(&shown));
        }
        if yes || asks && confirmed("  start it? [y/N] ") {
            agreed.push((name, program));
        } else if asks {
            eprintln!("left as it is: `{}`", inert(name));
        }
    }
    if !yes && !asks {
        let hint = "on a terminal each is asked for; `--yes` starts all of them";
        complain(
            "a project's servers are not started without a yes, and there is no terminal to ask on",
            Some(hint),
        );
        return Err(Exit::Refused);
    }
    Ok(agreed)
}

/// Whether a variable is called as secrets are. The others are shown: `NODE_OPTIONS` starts programs too.
fn is_secret(variable: &str) -> bool {
    let name = variable.to_ascii_uppercase();
    ["TOKEN", "SECRET", "KEY", "PASSWORD"].iter().any(|word| name.contains(word))
}

/// A command with each word that is not plain between quotes, so that it is seen where words begin and end.
fn words(command: &[String]) -> String {
    let plain = |word: &str| {
        !word.is_empty() && word.chars().all(|c| c.is_ascii_alphanumeric() || "-_./:@=+,%~".contains(c))
    };
    let words = command
        .iter()
        .map(|word| if plain(word) { word.clone() } else { format!("'{}'", word.replace('\'', "'\\''")) });
    words.collect::<Vec<_>>().join(" ")
}

fn confirmed(question: &str) -> bool {
    eprint!("{question}");
    io::stderr().flush().unwrap_or_default();
    let mut answer = String::new();
    // No answer is a no.
    io::stdin().read_line(&mut answer).is_ok() && matches!(answer.trim(), "y" | "Y" | "yes")
}

fn done(
    file: &ClientFile,
    places: &Places,
    servers: &[(String, placet_engine::names::ServerName)],
    added: bool,
) {
    eprintln!("{} {}", if added { "added to" } else { "wrote" }, places.config.display());
    for (entry, server) in servers {
        eprintln!("entry `{}` now starts `placet mcp {server}`", inert(entry));
    }
    if let Scope::Project(_) = file.scope {
        eprintln!(
            "note: the project's file now names paths of this machine; others who have the file cannot use them"
        );
    }
    if ["XDG_CONFIG_HOME", "XDG_STATE_HOME"].iter().any(|name| std::env::var_os(name).is_some()) {
        eprintln!(
            "note: XDG_CONFIG_HOME or XDG_STATE_HOME is set here; the client must be started with the same"
        );
    }
    eprintln!("look at the levels in the file, then restart the client; to take it back:");
    say(&format!("placet init --undo --from {}", words(&[file.path.to_string_lossy().into_owned()])));
}

pub(super) fn undo(from: Option<&Path>, dry_run: bool) -> Result<(), Exit> {
    let file = match from {
        Some(from) => find(from).and_then(|path| path.canonicalize().map_err(|cause| cause.to_string())),
        None => only(),
    };
    let file = file.map_err(|why| unfit(&why, None))?;
    let restored =
        backups::restore(&file, dry_run).map_err(|why| unfit(&why, Some("nothing was changed")))?;
    remark(&restored.remarks);
    let how = if restored.exact { "byte for byte" } else { "our entries in it, the rest as it is now" };
    eprintln!(
        "{} {}: {how}",
        if dry_run { "would restore" } else { "restored" },
        inert(&file.to_string_lossy())
    );
    if !dry_run {
        eprintln!("placet.toml, its secrets and the client's key stay; restart the client");
    }
    Ok(())
}

/// The one file that is rewired.
fn only() -> Result<std::path::PathBuf, String> {
    let files = backups::rewired()?;
    match files.as_slice() {
        [only] => Ok(only.clone()),
        [] => Err("no client's file is rewired".to_owned()),
        several => {
            let names: Vec<_> = several.iter().map(|file| format!("`{}`", file.display())).collect();
            Err(format!("several files are rewired; name one with `--from`: {}", names.join(", ")))
        }
    }
}
