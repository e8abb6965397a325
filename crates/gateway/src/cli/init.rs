//! `placet init`: asks a tool server what it offers, and writes a first configuration for it.

use std::{
    fs,
    io::Write as _,
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    sync::Arc,
};

use clap::Args;

use super::{Exit, complain, runtime, say};
use crate::{
    credential,
    init::{Plan, Proposal, propose},
    place,
};

#[derive(Args, Debug)]
pub(super) struct Arguments {
    /// What the server is to be called: a-z, 0-9 and `-`
    #[arg(long, value_name = "NAME")]
    server: String,
    /// Who will propose calls
    #[arg(long, value_name = "NAME", default_value = "assistant")]
    agent: String,
    /// What the client is to be called; its secret is kept under this name
    #[arg(long, value_name = "NAME", default_value = "desktop")]
    client: String,
    /// What the server's environment holds besides the usual; a secret as `KEY=${file:/path}`
    #[arg(long, value_name = "KEY=VALUE")]
    env: Vec<String>,
    /// Where to write; else the user's own file
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Show what would be written, and write nothing
    #[arg(long)]
    dry_run: bool,
    /// The tool server and its arguments
    #[arg(last = true, required = true, value_name = "COMMAND")]
    command: Vec<String>,
}

pub(super) fn run(arguments: &Arguments) -> Exit {
    match init(arguments) {
        Ok(()) => Exit::Done,
        Err(exit) => exit,
    }
}

fn init(arguments: &Arguments) -> Result<(), Exit> {
    let plan = plan(arguments).map_err(|what| {
        complain(&what, None);
        Exit::Usage
    })?;
    let unavailable = |what: String| {
        complain(&what, None);
        Exit::Unavailable
    };
    let path = match &arguments.config {
        Some(path) => std::path::absolute(path).map_err(|cause| unavailable(cause.to_string()))?,
        None => place::config_home().map_err(|error| unavailable(error.to_string()))?.join("placet.toml"),
    };
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
    eprintln!("asking: {}", placet_engine::diagnostic::inert(&arguments.command.join(" ")));
    let log = Arc::new(|line: &str| eprintln!("  {}", placet_engine::diagnostic::inert(line)));
    let proposal = runtime()?.block_on(propose(&plan, log)).map_err(unavailable)?;
    for remark in &proposal.remarks {
        eprintln!("note: {}", placet_engine::diagnostic::inert(remark));
    }
    if arguments.dry_run {
        say(proposal.config.trim_end());
        return Ok(());
    }
    write(&proposal, &path, &key)
        .map_err(|cause| unavailable(format!("nothing works without all of it: {cause}")))?;
    let program =
        std::env::current_exe().map_or_else(|_| "placet".to_owned(), |path| path.display().to_string());
    eprintln!("wrote {}, {} and {}", path.display(), path.with_extension("lock").display(), key.display());
    eprintln!("look at the levels, then start this in place of the server:");
    say(&format!("{program} mcp {} --config {} --client {}", plan.server, path.display(), plan.client));
    Ok(())
}

fn plan(arguments: &Arguments) -> Result<Plan, String> {
    let env = arguments.env.iter().map(|entry| {
        let (key, value) = entry.split_once('=').ok_or_else(|| format!("`{entry}` is not KEY=VALUE"))?;
        let text = value.parse().map_err(|error| format!("`{key}`: {error}"))?;
        Ok((key.to_owned(), text))
    });
    Ok(Plan {
        server: arguments.server.parse().map_err(|error| format!("{error}"))?,
        command: arguments.command.clone(),
        env: env.collect::<Result<_, String>>()?,
        agent: arguments.agent.parse().map_err(|error| format!("{error}"))?,
        client: arguments.client.parse().map_err(|error| format!("{error}"))?,
    })
}

/// The secret first, the file that names its digest last: a half of it lets nobody in.
fn write(proposal: &Proposal, path: &Path, key: &Path) -> std::io::Result<()> {
    let create = |path: &Path, text: &str| {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        let mut file = fs::File::options().write(true).create_new(true).mode(0o600).open(path)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()
    };
    create(key, &proposal.secret)?;
    if let Some(folder) = key.parent() {
        fs::set_permissions(folder, fs::Permissions::from_mode(0o700))?;
    }
    create(&path.with_extension("lock"), &proposal.lock)?;
    create(path, &proposal.config)
}
