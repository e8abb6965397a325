//! `placet mcp`: what an MCP client starts in place of a tool server.

use std::path::PathBuf;

use clap::Args;
use placet_engine::level::Level;

use super::{Exit, PlaceArguments, complain, runtime};
use crate::{
    attach::{self, AttachError, Attachment},
    credential,
    inline::{Inline, serve},
};

#[derive(Args, Debug)]
pub(super) struct Arguments {
    /// The server of the configuration file; may be left out where the client reaches one
    #[arg(conflicts_with = "command")]
    server: Option<String>,
    /// The client whose credential is used; may be left out where this account has one
    #[arg(long, value_name = "NAME", conflicts_with = "command")]
    client: Option<String>,
    /// The configuration file; else $PLACET_CONFIG, the user's, the system's
    #[arg(long, value_name = "FILE", conflicts_with = "command")]
    config: Option<PathBuf>,
    /// Tools that match are reads, and may be called
    #[arg(long, value_name = "GLOB")]
    read: Vec<String>,
    /// Tools that match are writes, and may be called
    #[arg(long, value_name = "GLOB")]
    write: Vec<String>,
    /// Tools that match make something happen, and may be called
    #[arg(long, value_name = "GLOB")]
    execute: Vec<String>,
    /// Tools that match delete, and may be called
    #[arg(long, value_name = "GLOB")]
    delete: Vec<String>,
    /// Remember in this folder beyond this process
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
    /// The tool server and its arguments
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<String>,
}

pub(super) fn run(arguments: &Arguments) -> Exit {
    let given = [
        (Level::Read, &arguments.read),
        (Level::Write, &arguments.write),
        (Level::Execute, &arguments.execute),
        (Level::Delete, &arguments.delete),
    ];
    if arguments.command.is_empty() {
        if given.iter().any(|(_, globs)| !globs.is_empty()) {
            complain(
                "levels on the command line are for a command; with a file they stand in the file",
                Some("placet mcp --read 'read_*' --write 'edit_*' -- COMMAND …"),
            );
            return Exit::Usage;
        }
        return attached(arguments);
    }
    let globs =
        given.into_iter().flat_map(|(level, globs)| globs.iter().map(move |glob| (level, glob.clone())));
    let inline =
        Inline { globs: globs.collect(), command: arguments.command.clone(), state: arguments.state.clone() };
    let runtime = match runtime() {
        Ok(runtime) => runtime,
        Err(exit) => return exit,
    };
    match runtime.block_on(serve(inline)) {
        Ok(()) => Exit::Done,
        Err(why) => {
            complain(&why, None);
            Exit::Unavailable
        }
    }
}

/// Stands in front of a server of the configuration file, by the node that all clients of this machine share.
fn attached(arguments: &Arguments) -> Exit {
    let place = PlaceArguments { config: arguments.config.clone(), state: arguments.state.clone() };
    let places = match place.places() {
        Ok(places) => places,
        Err(exit) => return exit,
    };
    let secret = match credential::find(arguments.client.as_deref()) {
        Ok(secret) => secret,
        Err(why) => {
            complain(&why, Some("`placet init` makes a client and its credential"));
            return Exit::Config;
        }
    };
    match attach::run(&Attachment { places, secret, server: arguments.server.clone() }) {
        Ok(()) => Exit::Done,
        Err(AttachError::Config(text)) => {
            eprint!("{text}");
            Exit::Config
        }
        Err(error @ AttachError::Refused(_)) => {
            complain(&error.to_string(), None);
            Exit::Refused
        }
        Err(error @ AttachError::NoNode(_)) => {
            complain(&error.to_string(), None);
            Exit::Unavailable
        }
    }
}
