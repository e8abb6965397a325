//! `placet audit erase`: a person has what is kept beside the records erased. The node does it, and records who said
//! so; this asks once more before, since nothing brings it back.

use std::{
    io::{self, BufRead as _, IsTerminal as _, Write as _},
    time::Duration,
};

use clap::Args;
use placet_engine::{
    json::{Json, Object},
    policy::config::length,
};

use super::super::{Exit, PlaceArguments, complain, orders, say};

/// How long writing the database anew may take before this command gives up waiting; the node goes on.
const REBUILD_PATIENCE: Duration = Duration::from_secs(60 * 60);

#[derive(Args, Debug)]
pub(super) struct EraseArguments {
    /// Of calls that were allowed longer ago than this: 7d, 12h, 30m, 0s
    #[arg(long, value_name = "TIME", value_parser = older)]
    older: Duration,
    /// Why, for the record
    #[arg(long, default_value = "", hide_default_value = true, value_name = "TEXT")]
    reason: String,
    /// Write the database anew after it, so that no copy stands between its rows; calls wait meanwhile
    #[arg(long)]
    rebuild: bool,
    /// Do not ask
    #[arg(long)]
    yes: bool,
    /// What was done as one line of JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    place: PlaceArguments,
}

fn older(text: &str) -> Result<Duration, String> {
    length(text).ok_or_else(|| "a time is a whole number and one of s, m, h and d".to_owned())
}

pub(super) fn run(arguments: &EraseArguments) -> Result<(), Exit> {
    if !arguments.yes {
        confirm()?;
    }
    let seconds = Json::from(i64::try_from(arguments.older.as_secs()).unwrap_or(i64::MAX));
    let (mut calls, mut results) = (0, 0);
    let mut from = None;
    let (open, mut is_folded) = loop {
        let mut more = vec![("older", seconds.clone()), ("reason", Json::from(arguments.reason.as_str()))];
        more.extend(from.map(|call| ("from", call)));
        let answer = orders::give_all(&arguments.place, "erase", more)?;
        let count = |key: &str| answer.get(key).and_then(Json::as_i64).unwrap_or(0);
        (calls, results) = (calls + count("calls"), results + count("results"));
        from = answer.get("next").filter(|next| next.as_str().is_some()).cloned();
        if from.is_none() {
            break (count("open"), answer.get("folded").and_then(Json::as_bool).unwrap_or(false));
        }
    };
    if arguments.rebuild {
        let answer = orders::give_within(&arguments.place, "rebuild", Vec::new(), REBUILD_PATIENCE)?;
        is_folded = answer.get("folded").and_then(Json::as_bool).unwrap_or(false);
    }
    if arguments.json {
        say(&Json::Object(Object::from([
            ("calls", Json::from(calls)),
            ("results", Json::from(results)),
            ("open", Json::from(open)),
            ("folded", Json::from(is_folded)),
            ("rebuilt", Json::from(arguments.rebuild)),
        ]))
        .compact());
        return Ok(());
    }
    say(&format!("erased: the arguments of {calls} calls, {results} kept results; recorded"));
    if open > 0 {
        say(&format!("kept: what belongs to {open} calls that are not over; `placet calls list` shows them"));
    }
    if !is_folded {
        complain(
            "somebody was reading, so the log beside the database still holds some of it",
            Some("the same command once more, when nobody reads, sees to that"),
        );
    }
    Ok(())
}

/// Asks on the terminal. Whoever is not at one must have said `--yes`.
fn confirm() -> Result<(), Exit> {
    if !(io::stdin().is_terminal() && io::stderr().is_terminal()) {
        complain(
            "what is erased is gone for good, and nobody is here to be asked",
            Some("`--yes` erases without asking"),
        );
        return Err(Exit::Usage);
    }
    let mut err = io::stderr().lock();
    // If it cannot be shown it is not answered either.
    drop(write!(err, "arguments, salts and kept results go for good; type `erase` to go on: "));
    drop(err.flush());
    let mut answer = String::new();
    match io::stdin().lock().read_line(&mut answer) {
        Ok(_) if answer.trim() == "erase" => Ok(()),
        Ok(_) | Err(_) => {
            complain("nothing was erased", None);
            Err(Exit::Refused)
        }
    }
}
