//! `placet mcp`: what an MCP client starts in place of a tool server.

use std::path::PathBuf;

use clap::Args;
use placet_engine::level::Level;

use super::{Exit, complain, runtime};
use crate::inline::{Inline, serve};

#[derive(Args, Debug)]
pub(super) struct Arguments {
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
    if arguments.command.is_empty() {
        complain(
            "there is no tool server to stand in front of",
            Some("placet mcp --read 'read_*' --write 'edit_*' -- COMMAND …"),
        );
        return Exit::Usage;
    }
    let given = [
        (Level::Read, &arguments.read),
        (Level::Write, &arguments.write),
        (Level::Execute, &arguments.execute),
        (Level::Delete, &arguments.delete),
    ];
    let globs = given.into_iter().flat_map(|(level, globs)| globs.iter().map(move |glob| (level, glob.clone())));
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
