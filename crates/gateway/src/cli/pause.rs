//! `placet pause`: for a while, policy is only watched. Stops, budgets, keys, schemas and the record go on.

use std::time::Duration;

use clap::Args;
use placet_engine::{json::Json, limits, policy::config::length};

use super::{Exit, PlaceArguments, complain, orders, say};

#[derive(Args, Debug)]
pub(super) struct Arguments {
    /// For how long, as `10m`; an hour at most
    #[arg(required_unless_present = "end", value_name = "DURATION")]
    length: Option<String>,
    /// Enforce policy again, at once
    #[arg(long, conflicts_with = "length")]
    end: bool,
    /// Why
    #[arg(long, value_name = "TEXT")]
    reason: String,
    #[command(flatten)]
    place: PlaceArguments,
}

pub(super) fn run(arguments: &Arguments) -> Exit {
    let reason = ("reason", Json::from(arguments.reason.as_str()));
    let told = match &arguments.length {
        None => orders::give(&arguments.place, "end_pause", [reason]).map(|_| {
            say("policy is enforced again");
        }),
        Some(length) => match seconds(length) {
            Some(seconds) => orders::give(
                &arguments.place,
                "pause",
                [reason, ("seconds", Json::from(seconds))],
            )
            .map(|_| {
                say(&format!("policy is only watched for {length}; `placet pause --end` ends it before"));
            }),
            None => {
                let most = limits::PAUSE_MAX.as_secs() / 60;
                let hint = format!("write a number and a unit, as `10m`; {most} minutes at most");
                complain(
                    &format!("`{}` is no length of a pause", placet_engine::diagnostic::inert(length)),
                    Some(&hint),
                );
                Err(Exit::Usage)
            }
        },
    };
    told.err().unwrap_or(Exit::Done)
}

fn seconds(text: &str) -> Option<i64> {
    let length =
        length(text).filter(|length| (Duration::from_secs(1)..=limits::PAUSE_MAX).contains(length))?;
    i64::try_from(length.as_secs()).ok()
}
