//! `placet stop` and `placet resume`: the off switch, for everything or for a part.
//!
//! A stop first drops the `STOP` files, which work even on a node that hangs, and on nodes inside other
//! processes; then it tells every node of this account, so that it outlives them. A node that lives and was not
//! reached makes it fail. A resume goes the other way.

use std::{
    collections::BTreeSet,
    fs,
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use clap::Args;
use placet_engine::{json::Json, stop::Scope};

use super::{Exit, PlaceArguments, complain, operator, orders, say};
use crate::{
    node::{
        operator::tell,
        registry::{self, Entry},
    },
    place,
};

#[derive(Args, Debug)]
pub(super) struct StopArguments {
    /// What is stopped on the node of one file: `agent:NAME`, `team:`, `client:`, `session:`, `server:`, `tool:` or
    /// `label:`
    #[arg(required_unless_present = "all", value_name = "SCOPE")]
    scope: Option<String>,
    /// Every call of every agent, on every node of this account
    #[arg(long, conflicts_with = "scope")]
    all: bool,
    /// Reads go on
    #[arg(long, conflicts_with = "all")]
    narrow: bool,
    /// What becomes of calls that are out: `drain` lets them end, `hold` keeps back their results, `cancel` gives
    /// them up as unknown
    #[arg(long, value_name = "CHOICE", default_value = "drain", conflicts_with = "all")]
    in_flight: String,
    #[command(flatten)]
    place: PlaceArguments,
    /// Why
    #[arg(long, default_value = "no reason given", value_name = "TEXT")]
    reason: String,
}

#[derive(Args, Debug)]
pub(super) struct ResumeArguments {
    /// The scope that was stopped; without it, everything
    scope: Option<String>,
    /// Why it may go on
    #[arg(long, value_name = "TEXT")]
    reason: String,
    #[command(flatten)]
    place: PlaceArguments,
}

pub(super) fn stop(arguments: &StopArguments) -> Exit {
    if let Some(scope) = &arguments.scope {
        return stop_scope(scope, arguments).err().unwrap_or(Exit::Done);
    }
    let (account, mut exit) = Account::found();
    let files = match place::account_stop_files() {
        Ok(files) => account.stop_files(files),
        Err(error) => {
            complain(&error.to_string(), Some("no STOP file was written"));
            exit = Exit::Unavailable;
            account.stop_files(Vec::new())
        }
    };
    let mut written = BTreeSet::new();
    for file in files {
        match drop_file(&file, &arguments.reason) {
            Ok(()) => {
                say(&format!("stopped: {}", file.display()));
                written.insert(file);
            }
            // The nodes that answer are told all the same.
            Err(why) => {
                complain(&format!("`{}` could not be written: {why}", file.display()), None);
                exit = Exit::Unavailable;
            }
        }
    }
    for node in account.nodes.iter().filter(|node| node.socket.is_none()) {
        if node.stop_files.iter().any(|file| written.contains(file)) {
            say(&format!("stopped by its file: process {}", node.pid));
        } else {
            complain(&format!("process {} looks for none of these files", node.pid), None);
            exit = Exit::Unavailable;
        }
    }
    if account.tell("stop", "stopped", &arguments.reason) { exit } else { Exit::Unavailable }
}

/// Stops a part, on the node that knows it. Nothing that it covers leaves any more once this returns.
fn stop_scope(scope: &str, arguments: &StopArguments) -> Result<(), Exit> {
    parsed(scope)?;
    let order = [
        ("scope", Json::from(scope)),
        ("reason", Json::from(arguments.reason.as_str())),
        ("in_flight", Json::from(arguments.in_flight.as_str())),
        ("leaves", if arguments.narrow { Json::from("reads") } else { Json::Null }),
    ];
    let answer = orders::give(&arguments.place, "stop", order)?;
    say(&format!("stopped: {scope}{}", if arguments.narrow { ", but for reads" } else { "" }));
    let out = answer.get("in_flight").and_then(Json::as_array).unwrap_or_default();
    for call in out {
        let text = |key: &str| call.get(key).and_then(Json::as_str).unwrap_or_default();
        say(&format!(
            "in flight since {}: {} {} by {}",
            text("since"),
            text("call"),
            text("tool"),
            text("agent")
        ));
    }
    Ok(())
}

/// Looks at a scope before a node is started for it.
fn parsed(scope: &str) -> Result<(), Exit> {
    scope.parse::<Scope>().map(drop).map_err(|error| {
        complain(&error.to_string(), None);
        Exit::Usage
    })
}

pub(super) fn resume(arguments: &ResumeArguments) -> Exit {
    if let Some(scope) = arguments.scope.as_ref().filter(|scope| *scope != "everything") {
        let order =
            [("scope", Json::from(scope.as_str())), ("reason", Json::from(arguments.reason.as_str()))];
        let resumed = parsed(scope).and_then(|()| orders::give(&arguments.place, "resume", order));
        return match resumed {
            Ok(_) => {
                say(&format!("resumed: {scope}"));
                Exit::Done
            }
            Err(exit) => exit,
        };
    }
    let mut exit = Exit::Done;
    // A node that was stopped and has ended since remembers it: it is started to be told.
    if let Ok(places) = place::Places::of(arguments.place.config.as_deref(), arguments.place.state.as_deref())
        && places.state.join("placet.db").exists()
        // It may run with another runtime folder than the one that this environment would give it.
        && !registry::live().is_ok_and(|nodes| nodes.iter().any(|node| node.state.as_ref() == Some(&places.state)))
        && let Err(error) = crate::attach::ensure_node(&places)
    {
        complain(&error.to_string(), None);
        exit = Exit::Unavailable;
    }
    let (account, found) = Account::found();
    if found != Exit::Done || !account.tell("resume", "resumed", &arguments.reason) {
        exit = Exit::Unavailable;
    }
    if exit != Exit::Done {
        complain("everything stays stopped until every node has resumed", None);
        return exit;
    }
    for file in account.stop_files(place::account_stop_files().unwrap_or_default()) {
        match fs::remove_file(&file) {
            Ok(()) => drop(say(&format!("resumed: {}", file.display()))),
            Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => {}
            Err(cause) => {
                complain(&format!("`{}` could not be removed: {cause}", file.display()), None);
                exit = Exit::Unavailable;
            }
        }
    }
    exit
}

/// The nodes of this account: those on its list, and those that an earlier version has started, which are found
/// by their folders.
struct Account {
    nodes: Vec<Entry>,
    unlisted: Vec<PathBuf>,
}

impl Account {
    /// What there is; and whether that is all.
    fn found() -> (Self, Exit) {
        let (nodes, exit) = match registry::live() {
            Ok(nodes) => (nodes, Exit::Done),
            Err(error) => {
                complain(&format!("the list of nodes cannot be read: {error}"), None);
                (Vec::new(), Exit::Unavailable)
            }
        };
        let listed = |socket: &PathBuf| nodes.iter().any(|node| node.socket.as_ref() == Some(socket));
        let unlisted = operator_sockets().into_iter().filter(|socket| !listed(socket)).collect();
        (Self { nodes, unlisted }, exit)
    }

    /// These files and those that nodes in other environments look for.
    fn stop_files(&self, mut files: Vec<PathBuf>) -> Vec<PathBuf> {
        for file in self.nodes.iter().flat_map(|node| &node.stop_files) {
            if !files.contains(file) {
                files.push(file.clone());
            }
        }
        files
    }

    /// Gives every node that takes commands one; false if one that lives did not obey.
    fn tell(&self, command: &str, done: &str, reason: &str) -> bool {
        let listed = self.nodes.iter().filter_map(|node| node.socket.as_ref());
        let mut all = true;
        for (socket, lives) in
            listed.map(|socket| (socket, true)).chain(self.unlisted.iter().map(|s| (s, false)))
        {
            match answer(tell(socket, command, &operator(), reason)) {
                Ok(()) => drop(say(&format!("{done}: {}", socket.display()))),
                Err(Silent::Gone) if !lives || !still_lives(socket) => {}
                Err(Silent::Gone) => {
                    complain(&format!("{}: a node lives there and does not answer", socket.display()), None);
                    all = false;
                }
                Err(Silent::Failed(why)) => {
                    complain(&format!("{}: {why}", socket.display()), None);
                    all = false;
                }
            }
        }
        all
    }
}

/// Whether the node of this socket is still on the list: it may have ended since.
fn still_lives(socket: &Path) -> bool {
    registry::live().map_or(true, |nodes| nodes.iter().any(|node| node.socket.as_deref() == Some(socket)))
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
