//! `placet stop --all` and `placet resume`: the off switch.
//!
//! A stop first drops the `STOP` file, which works even on a node that hangs, and on nodes inside other
//! processes; then it tells every node of this account, so that it outlives them. A resume goes the other way.

use std::{
    fs,
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use clap::Args;
use placet_engine::json::Json;

use super::{Exit, PlaceArguments, complain, operator, say};
use crate::{
    node::operator::tell,
    place::{self, account_stop_file},
};

#[derive(Args, Debug)]
pub(super) struct StopArguments {
    /// Every call of every agent, on every node of this account
    #[arg(long)]
    all: bool,
    /// Why
    #[arg(long, default_value = "no reason given", value_name = "TEXT")]
    reason: String,
}

#[derive(Args, Debug)]
pub(super) struct ResumeArguments {
    /// Why it may go on
    #[arg(long, value_name = "TEXT")]
    reason: String,
    #[command(flatten)]
    place: PlaceArguments,
}

pub(super) fn stop(arguments: &StopArguments) -> Exit {
    if !arguments.all {
        complain("say what to stop: in this version only everything can be, with `--all`", None);
        return Exit::Usage;
    }
    let Some(file) = account_stop_file() else {
        complain("there is no place for the STOP file: neither HOME nor XDG_RUNTIME_DIR is set", None);
        return Exit::Unavailable;
    };
    let mut exit = Exit::Done;
    match drop_file(&file, &arguments.reason) {
        Ok(()) => drop(say(&format!("stopped: {}", file.display()))),
        // The nodes that answer are told all the same.
        Err(why) => {
            complain(
                &format!("the STOP file could not be written: {why}"),
                Some("nodes inside `placet mcp -- COMMAND` are not stopped"),
            );
            exit = Exit::Unavailable;
        }
    }
    for socket in operator_sockets() {
        match answer(tell(&socket, "stop", &operator(), &arguments.reason)) {
            Ok(()) => drop(say(&format!("stopped: {}", socket.display()))),
            Err(Silent::Gone) => {}
            Err(Silent::Failed(why)) => {
                complain(&format!("{}: {why}", socket.display()), None);
                exit = Exit::Unavailable;
            }
        }
    }
    exit
}

pub(super) fn resume(arguments: &ResumeArguments) -> Exit {
    let mut exit = Exit::Done;
    let mut sockets = operator_sockets();
    // A node that was stopped and has ended since remembers it: it is started to be told.
    if let Ok(places) = place::Places::of(arguments.place.config.as_deref(), arguments.place.state.as_deref())
    {
        let socket = places.operator_socket();
        if places.state.join("placet.db").exists() {
            if let Err(error) = crate::attach::ensure_node(&places) {
                complain(&error.to_string(), None);
                exit = Exit::Unavailable;
            }
            if !sockets.contains(&socket) {
                sockets.push(socket);
            }
        }
    }
    for socket in sockets {
        match answer(tell(&socket, "resume", &operator(), &arguments.reason)) {
            Ok(()) => drop(say(&format!("resumed: {}", socket.display()))),
            Err(Silent::Gone) => {}
            Err(Silent::Failed(why)) => {
                complain(&format!("{}: {why}", socket.display()), None);
                exit = Exit::Unavailable;
            }
        }
    }
    if exit != Exit::Done {
        complain("everything stays stopped until every node has resumed", None);
        return exit;
    }
    let Some(file) = account_stop_file() else { return exit };
    match fs::remove_file(&file) {
        Ok(()) => drop(say(&format!("resumed: {}", file.display()))),
        Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => {}
        Err(cause) => {
            complain(&format!("`{}` could not be removed: {cause}", file.display()), None);
            exit = Exit::Unavailable;
        }
    }
    exit
}

fn drop_file(file: &Path, reason: &str) -> Result<(), String> {
    use std::io::Write as _;
    if let Some(folder) = file.parent() {
        place::make_private(folder).map_err(|error| error.to_string())?;
    }
    let mut file = fs::File::options()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(file)
        .map_err(|error| error.to_string())?;
    writeln!(file, "{}: {reason}", operator()).map_err(|error| error.to_string())
}

enum Silent {
    /// There is no node at that socket any more.
    Gone,
    Failed(String),
}

fn answer(told: std::io::Result<Json>) -> Result<(), Silent> {
    use std::io::ErrorKind::{ConnectionRefused, NotFound};
    match told {
        Ok(answer) if answer.get("ok").and_then(Json::as_bool) == Some(true) => Ok(()),
        Ok(answer) => {
            let why = answer.get("error").and_then(Json::as_str).unwrap_or("it does not say why");
            Err(Silent::Failed(placet_engine::diagnostic::inert(why).into_owned()))
        }
        Err(cause) if matches!(cause.kind(), ConnectionRefused | NotFound) => Err(Silent::Gone),
        Err(cause) => Err(Silent::Failed(cause.to_string())),
    }
}

/// The operators' sockets of all nodes of this account.
fn operator_sockets() -> Vec<PathBuf> {
    let ours = rustix::process::geteuid().as_raw();
    let folders = place::node_folders();
    let sockets = folders.into_iter().map(|folder| folder.join("operator.sock"));
    sockets.filter(|socket| fs::symlink_metadata(socket).is_ok_and(|found| found.uid() == ours)).collect()
}
