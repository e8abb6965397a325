//! `placet node`: the background node. `run` is how a client starts one.

use std::io::Write as _;

use clap::{Args, Subcommand};
use placet_engine::json::Json;

use super::{Exit, PlaceArguments, complain, operator, orders, say};
use crate::node::{self, NodeError, operator::tell};

#[derive(Args, Debug)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Whether a node runs, and what it serves
    Status {
        #[command(flatten)]
        place: PlaceArguments,
        /// As one line of JSON
        #[arg(long)]
        json: bool,
    },
    /// End the node; clients that are attached start another when they need it
    Stop {
        #[command(flatten)]
        place: PlaceArguments,
    },
    /// Follow the calendar again, after a jump that was not followed
    AcceptClock {
        /// Why it is right now
        #[arg(long, value_name = "TEXT")]
        reason: String,
        #[command(flatten)]
        place: PlaceArguments,
    },
    /// Serve in this process until told to end
    Run {
        #[command(flatten)]
        place: PlaceArguments,
    },
}

pub(super) fn run(arguments: &Arguments) -> Exit {
    match &arguments.command {
        Command::Status { place, json } => status(place, *json),
        Command::Stop { place } => end(place),
        Command::AcceptClock { reason, place } => {
            match orders::give(place, "accept_clock", [("reason", Json::from(reason.as_str()))]) {
                Ok(_) => {
                    say("the calendar is followed");
                    Exit::Done
                }
                Err(exit) => exit,
            }
        }
        Command::Run { place } => serve(place),
    }
}

fn status(place: &PlaceArguments, json: bool) -> Exit {
    let places = match place.places() {
        Ok(places) => places,
        Err(exit) => return exit,
    };
    let Ok(status) = tell(&places.operator_socket(), "status", &operator(), "") else {
        complain(
            &format!("no node runs for `{}`", places.config.display()),
            Some("a client starts one when it needs it"),
        );
        return Exit::Unavailable;
    };
    let well = status.get("ok").and_then(Json::as_bool) == Some(true);
    if json {
        say(&status.compact());
        return if well { Exit::Done } else { Exit::Unavailable };
    }
    if !well {
        let why = status.get("error").and_then(Json::as_str).unwrap_or("it does not say why");
        complain(&format!("the node cannot serve: {}", placet_engine::diagnostic::inert(why)), None);
        return Exit::Unavailable;
    }
    let text = |key: &str| match status.get(key) {
        Some(Json::String(text)) => placet_engine::diagnostic::inert(text).into_owned(),
        Some(Json::Null) | None => "no".to_owned(),
        Some(other) => other.compact(),
    };
    for key in [
        "version", "pid", "config", "applied", "changed", "state", "clients", "stopped", "paused",
        "observed", "clock",
    ] {
        // A clock that is followed is nothing to speak of, and neither is a file that has not changed.
        if (!["clock", "changed"].contains(&key) || status.get(key).is_some())
            && !say(&format!("{key:8} {}", text(key)))
        {
            return Exit::Done;
        }
    }
    for stop in status.get("stops").and_then(Json::as_array).unwrap_or_default() {
        let stop = stop.as_str().unwrap_or_default();
        if !say(&format!("stop     {}", placet_engine::diagnostic::inert(stop))) {
            break;
        }
    }
    Exit::Done
}

fn end(place: &PlaceArguments) -> Exit {
    let places = match place.places() {
        Ok(places) => places,
        Err(exit) => return exit,
    };
    match tell(&places.operator_socket(), "end", &operator(), "") {
        Ok(_) => Exit::Done,
        Err(_) => {
            complain(&format!("no node runs for `{}`", places.config.display()), None);
            Exit::Unavailable
        }
    }
}

/// Serves. The first word on stdout tells whoever started us how that went; then stdout is closed.
fn serve(place: &PlaceArguments) -> Exit {
    let first_word = |word: &str, why: &str| {
        // Whoever started us may have gone; then nobody needs the word.
        let mut out = std::io::stdout().lock();
        writeln!(out, "{word}")
            .and_then(|()| write!(out, "{why}"))
            .and_then(|()| out.flush())
            .unwrap_or_default();
    };
    let places = match place.places() {
        Ok(places) => places,
        Err(exit) => {
            first_word("failed", "its places cannot be found");
            return exit;
        }
    };
    // A session of its own, so that no terminal's signals reach it. In the foreground of a shell that fails,
    // and then the terminal's signals are wanted.
    rustix::process::setsid().map(drop).unwrap_or_default();
    #[cfg(target_os = "linux")]
    rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable)
        .unwrap_or_default();
    let runtime = match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            first_word("failed", &error.to_string());
            return Exit::Bug;
        }
    };
    let ready = || {
        first_word("ready", "");
        // The one who waits for the word waits for the end of the stream.
        if let Ok(null) = std::fs::File::options().write(true).open("/dev/null") {
            rustix::stdio::dup2_stdout(null).unwrap_or_default();
        }
    };
    let served = runtime.block_on(node::serve(places, ready));
    runtime.shutdown_background();
    match served {
        Ok(()) => Exit::Done,
        Err(error) => {
            let (word, exit) = match &error {
                NodeError::Held(_) => ("held", Exit::Unavailable),
                NodeError::Config(_) => ("config", Exit::Config),
                NodeError::System(_) => ("failed", Exit::Unavailable),
            };
            first_word(word, &error.to_string());
            match &error {
                NodeError::Config(text) => eprint!("{text}"),
                NodeError::Held(_) | NodeError::System(_) => complain(&error.to_string(), None),
            }
            exit
        }
    }
}
