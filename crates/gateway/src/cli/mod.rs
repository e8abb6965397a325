//! The command line: `placet COMMAND`. Data goes to stdout, words for people to stderr.
//!
//! Each command is a file of its own and ends with one of the exit codes below. Start at [`main`].

mod apply;
mod approvals;
mod audit;
mod backup;
mod budgets;
mod call;
mod calls;
mod check;
mod config;
mod demo;
mod diff;
mod explain;
mod init;
mod mcp;
mod node;
mod orders;
mod pause;
mod people;
mod prove;
mod sessions;
mod stop;
mod test;

use std::{
    io::{self, Write as _},
    path::PathBuf,
    process::ExitCode,
};

use clap::{Parser, Subcommand};

use crate::place::{PlaceError, Places};

/// How a command ended, the same for all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Done, allowed.
    Done = 0,
    /// The tool ran and failed.
    ToolFailed = 1,
    /// The command line is wrong, or asks for what is not built yet.
    Usage = 2,
    /// Refused.
    Refused = 3,
    /// Waiting for a person.
    Waiting = 4,
    /// The outcome is unknown.
    Unknown = 5,
    /// The configuration is invalid or not found.
    Config = 6,
    /// The node or the store is unavailable.
    Unavailable = 7,
    /// A verification failed, or a proof proves nothing.
    Unverified = 8,
    /// Two policies were compared, and differ.
    Differs = 9,
    /// Our bug.
    Bug = 70,
    /// Interrupted.
    Interrupted = 130,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

#[derive(Debug, Parser)]
#[command(
    name = "placet",
    version,
    about = "The boundary between an AI agent's model and the tools it can reach"
)]
#[command(disable_help_subcommand = true, max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show the boundary at work, without any set-up
    Demo(demo::Arguments),
    /// Ask a tool server what it offers, and write a first configuration for it
    Init(init::Arguments),
    /// Stand between an MCP client and a tool server, over stdio
    Mcp(mcp::Arguments),
    /// Make one call through the boundary
    Call(call::Arguments),
    /// Read the configuration file as a node would, offline
    Check(check::Arguments),
    /// Make the file as it is now the one in force, with a reason
    Apply(apply::Arguments),
    /// Which file is meant, what it means, and its form
    Config(config::Arguments),
    /// Run the tests that stand in the configuration file, offline
    Test(test::Arguments),
    /// Say why a call would be decided as it would, and what would change that
    Explain(explain::Arguments),
    /// Calls that wait for a person's yes, and answering them
    Approvals(approvals::Arguments),
    /// People who may answer and give orders: list them, give one a secret
    People(people::Arguments),
    /// Prove the invariants of the configuration file, or refute them with calls
    Prove(prove::Arguments),
    /// Say what one configuration file permits, refuses and asks about that another does not
    Diff(diff::Arguments),
    /// Calls without a final outcome, and what became of them
    Calls(calls::Arguments),
    /// What is spent, held and left
    Budgets(budgets::Arguments),
    /// Sessions that run, and ending one
    Sessions(sessions::Arguments),
    /// Copy the state while the node goes on
    Backup(backup::BackupArguments),
    /// Go on from a backup, in a new epoch
    Restore(backup::RestoreArguments),
    /// Stop every call of every agent, or a part of them
    Stop(stop::StopArguments),
    /// End a stop
    Resume(stop::ResumeArguments),
    /// Have policy only watched for a while: what it would refuse or ask about runs, and is recorded as such
    Pause(pause::Arguments),
    /// Look at what was recorded
    Audit(audit::Arguments),
    /// The background node: is it there, and end it
    Node(node::Arguments),
}

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help and version come this way too; a closed pipe must not turn them into a panic.
            drop(error.print());
            return if error.use_stderr() { Exit::Usage.into() } else { Exit::Done.into() };
        }
    };
    match arguments.command {
        Command::Demo(arguments) => demo::run(&arguments).into(),
        Command::Init(arguments) => init::run(&arguments).into(),
        Command::Mcp(arguments) => mcp::run(&arguments).into(),
        Command::Call(arguments) => call::run(&arguments).into(),
        Command::Check(arguments) => check::run(&arguments).into(),
        Command::Apply(arguments) => apply::run(&arguments).into(),
        Command::Config(arguments) => config::run(&arguments).into(),
        Command::Test(arguments) => test::run(&arguments).into(),
        Command::Explain(arguments) => explain::run(&arguments).into(),
        Command::Approvals(arguments) => approvals::run(&arguments).into(),
        Command::People(arguments) => people::run(&arguments).into(),
        Command::Prove(arguments) => prove::run(&arguments).into(),
        Command::Diff(arguments) => diff::run(&arguments).into(),
        Command::Calls(arguments) => calls::run(&arguments).into(),
        Command::Budgets(arguments) => budgets::run(&arguments).into(),
        Command::Sessions(arguments) => sessions::run(&arguments).into(),
        Command::Backup(arguments) => backup::backup(&arguments).into(),
        Command::Restore(arguments) => backup::run_restore(&arguments).into(),
        Command::Stop(arguments) => stop::stop(&arguments).into(),
        Command::Resume(arguments) => stop::resume(&arguments).into(),
        Command::Pause(arguments) => pause::run(&arguments).into(),
        Command::Audit(arguments) => audit::run(&arguments).into(),
        Command::Node(arguments) => node::run(&arguments).into(),
    }
}

/// Where the node is, from the command line.
#[derive(clap::Args, Debug)]
struct PlaceArguments {
    /// The configuration file; else $PLACET_CONFIG, the user's, the system's
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The state directory; else $PLACET_STATE, or one for this configuration file
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
}

impl PlaceArguments {
    fn places(&self) -> Result<Places, Exit> {
        Places::of(self.config.as_deref(), self.state.as_deref()).map_err(|error| {
            let hint = match error {
                PlaceError::NoConfig(_) => Some("`placet init` writes one; `--config FILE` names another"),
                PlaceError::TooLong(_) => Some("set XDG_RUNTIME_DIR or `--state` to a shorter path"),
                PlaceError::Config(..)
                | PlaceError::NoHome(_)
                | PlaceError::Homeless
                | PlaceError::Folder(..) => None,
            };
            complain(&error.to_string(), hint);
            Exit::Config
        })
    }
}

/// Who gives a command: the account, which in this version stands for the person.
fn operator() -> String {
    let name = std::env::var("USER").or_else(|_| std::env::var("LOGNAME")).unwrap_or_default();
    let uid = rustix::process::geteuid().as_raw();
    if name.is_empty() { format!("uid {uid}") } else { format!("{name} (uid {uid})") }
}

/// Writes one line of data. Whoever closed stdout wants no more of it: the command ends quietly.
fn say(line: &str) -> bool {
    let mut out = io::stdout().lock();
    writeln!(out, "{line}").and_then(|()| out.flush()).is_ok()
}

/// Tells a person what went wrong, and what to do.
fn complain(message: &str, hint: Option<&str>) {
    let mut err = io::stderr().lock();
    let hint = hint.map_or(String::new(), |hint| format!("\nhint: {hint}"));
    // Nobody is left to tell if this fails.
    drop(writeln!(err, "error: {message}{hint}"));
}

/// A runtime for commands that work in their own process: one thread, since one call at a time is in their hands.
fn runtime() -> Result<tokio::runtime::Runtime, Exit> {
    tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| {
        complain(&format!("this process cannot wait for anything: {error}"), None);
        Exit::Bug
    })
}
