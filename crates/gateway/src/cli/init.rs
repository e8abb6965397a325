//! `placet init`: asks tool servers what they offer, and writes a first configuration for them; with `--from`,
//! for the servers of a client, whose own configuration then goes through Placet.

mod rewire;

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    sync::Arc,
};

use clap::Args;
use placet_engine::{
    diagnostic::inert,
    policy::config::{Cwd, Launch},
};

use super::{Exit, apply, complain, runtime, say};
use crate::{
    credential,
    init::{Plan, Proposal, Wanted, create, propose},
    place::{self, Places},
    upstream::stdio::Log,
};

#[derive(Args, Debug)]
#[command(group = clap::ArgGroup::new("what").required(true).multiple(true).args(["from", "undo", "command"]))]
pub(super) struct Arguments {
    /// Take the servers of this client's configuration: a file, or claude-desktop, claude-code, cursor, vscode
    #[arg(long, value_name = "FILE", conflicts_with_all = ["command", "env"])]
    from: Option<PathBuf>,
    /// Give the client's configuration back as it was
    #[arg(long, conflicts_with_all = ["command", "env", "server", "agent", "client", "config", "yes"])]
    undo: bool,
    /// What the server is to be called: a-z, 0-9 and `-`; with `--from`, take these servers only
    #[arg(long, value_name = "NAME", required_unless_present_any = ["from", "undo"])]
    server: Vec<String>,
    /// Who will propose calls; `assistant` if nothing is said
    #[arg(long, value_name = "NAME")]
    agent: Option<String>,
    /// What the client is to be called; its secret is kept under this name
    #[arg(long, value_name = "NAME")]
    client: Option<String>,
    /// What the server's environment holds besides the usual; a secret as `KEY=${file:/path}`
    #[arg(long, value_name = "KEY=VALUE")]
    env: Vec<String>,
    /// Where to write; else the user's own file
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Start the servers of a project's file without asking
    #[arg(long)]
    yes: bool,
    /// Show what would be written, and write nothing
    #[arg(long)]
    dry_run: bool,
    /// The tool server and its arguments
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<String>,
}

/// Who proposes, if nothing is said.
const AGENT: &str = "assistant";

pub(super) fn run(arguments: &Arguments) -> Exit {
    let done = match (&arguments.from, arguments.undo) {
        (from, true) => rewire::undo(from.as_deref(), arguments.dry_run),
        (Some(from), false) => rewire::from(from, arguments),
        (None, false) => init(arguments),
    };
    match done {
        Ok(()) => Exit::Done,
        Err(exit) => exit,
    }
}

fn usage(what: String) -> Exit {
    complain(&inert(&what), None);
    Exit::Usage
}

fn unavailable(what: String) -> Exit {
    complain(&inert(&what), None);
    Exit::Unavailable
}

/// The configuration file that is written.
fn config(arguments: &Arguments) -> Result<PathBuf, Exit> {
    match &arguments.config {
        Some(path) => std::path::absolute(path).map_err(|cause| unavailable(cause.to_string())),
        None => Ok(place::config_home().map_err(|error| unavailable(error.to_string()))?.join("placet.toml")),
    }
}

/// Where a server's words go while it is asked.
fn log() -> Log {
    Arc::new(|line: &str| eprintln!("  {}", inert(line)))
}

fn remark(remarks: &[String]) {
    remarks.iter().for_each(|remark| eprintln!("note: {}", inert(remark)));
}

fn init(arguments: &Arguments) -> Result<(), Exit> {
    let plan = plan(arguments).map_err(usage)?;
    let path = config(arguments)?;
    let key = credential::file(&plan.client).map_err(unavailable)?;
    for taken in [&path, &path.with_extension("lock"), &key] {
        if taken.exists() && !arguments.dry_run {
            complain(
                &format!("`{}` is there already, and is not overwritten", taken.display()),
                Some("`--config FILE` and `--client NAME` choose others; add to an existing file by hand"),
            );
            return Err(Exit::Config);
        }
    }
    eprintln!("asking: {}", inert(&arguments.command.join(" ")));
    let proposal = runtime()?.block_on(propose(&plan, None, &log())).map_err(unavailable)?;
    remark(&proposal.remarks);
    if arguments.dry_run {
        say(proposal.config.trim_end());
        return Ok(());
    }
    write(&proposal, &path, &key)
        .map_err(|cause| unavailable(format!("nothing works without all of it: {cause}")))?;
    let places = Places::to_be(&path).map_err(|error| unavailable(error.to_string()))?;
    apply::what_was_written(&places, None, "placet init")?;
    let program =
        std::env::current_exe().map_or_else(|_| "placet".to_owned(), |path| path.display().to_string());
    eprintln!("wrote {}, {} and {}", path.display(), path.with_extension("lock").display(), key.display());
    eprintln!("look at the levels, then start this in place of the server:");
    let server = plan.servers.first().map_or("", |wanted| wanted.name.as_str());
    say(&format!("{program} mcp {server} --config {} --client {}", path.display(), plan.client));
    Ok(())
}

fn plan(arguments: &Arguments) -> Result<Plan, String> {
    let env = arguments.env.iter().map(|entry| {
        let (key, value) = entry.split_once('=').ok_or_else(|| format!("`{entry}` is not KEY=VALUE"))?;
        let text = value.parse().map_err(|error| format!("`{key}`: {error}"))?;
        Ok((key.to_owned(), text))
    });
    let [server] = arguments.server.as_slice() else {
        return Err("one command is one server, so it has one `--server NAME`".to_owned());
    };
    let launch = Launch {
        command: arguments.command.clone(),
        env: env.collect::<Result<_, String>>()?,
        cwd: Cwd::Node,
    };
    let name = server.parse().map_err(|error| format!("{error}"))?;
    Ok(Plan {
        servers: vec![Wanted { name, launch, values: [].into(), folder: None }],
        known: [].into(),
        agent: arguments.agent.as_deref().unwrap_or(AGENT).parse().map_err(|error| format!("{error}"))?,
        client: arguments
            .client
            .as_deref()
            .unwrap_or("desktop")
            .parse()
            .map_err(|error| format!("{error}"))?,
    })
}

/// The secret first, the file that names its digest last: a half of it lets nobody in.
fn write(proposal: &Proposal, path: &Path, key: &Path) -> std::io::Result<()> {
    if let Some(secret) = &proposal.secret {
        create(key, secret)?;
    }
    if let Some(folder) = key.parent() {
        fs::set_permissions(folder, fs::Permissions::from_mode(0o700))?;
    }
    create(&path.with_extension("lock"), &proposal.lock)?;
    create(path, &proposal.config)
}
