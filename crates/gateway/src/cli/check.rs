//! `placet check`: reads a configuration file as a node would, offline, and says everything that is wrong; then what
//! each agent may do, and what holds when a part of the node is lost.

use std::io::Write as _;

use clap::Args;
use placet_engine::policy::Judged;

use super::{Exit, PlaceArguments, complain, say};
use crate::{
    config::{self, LoadError},
    fail_modes, payloads,
};

#[derive(Args, Debug)]
pub(super) struct Arguments {
    #[command(flatten)]
    place: PlaceArguments,
    /// The policies that the file means, as Cedar text
    #[arg(long)]
    show_cedar: bool,
}

pub(super) fn run(arguments: &Arguments) -> Exit {
    let places = match arguments.place.places() {
        Ok(places) => places,
        Err(exit) => return exit,
    };
    let loaded = match config::load(&places.config) {
        Ok(loaded) => loaded,
        Err(LoadError(text)) => {
            tell(&text);
            return Exit::Config;
        }
    };
    if let Some(warnings) = &loaded.warnings {
        tell(warnings);
    }
    // Looked up from here, where a variable of the node's may not be set: said as the mistake that it may be.
    let keys = match payloads::keys(&loaded.config) {
        Ok(keys) => keys,
        Err(why) => {
            complain(&why, Some("a node that does not find it does not start"));
            return Exit::Config;
        }
    };
    if arguments.show_cedar {
        say(loaded.policy.to_cedar().trim_end());
        return Exit::Done;
    }
    if loaded.config.agents.is_empty() {
        complain("the file names no agent, so nothing may be called", None);
    }
    for (agent, remit) in &loaded.config.agents {
        for action in loaded.policy.catalogue().keys().filter(|action| action.tool.method().is_none()) {
            let said = judged(&loaded.policy.judge(agent, action));
            let level = loaded.policy.level(action).map_or("unknown", |level| level.as_str());
            let (agent, action) = (agent.as_str(), action.to_string());
            let observed = if remit.observe { " (observed: it runs all the same)" } else { "" };
            let line = format!("{agent:16} {action:32} {level:8} {said}{observed}");
            if !say(line.trim_end()) {
                return Exit::Done;
            }
        }
    }
    // What a file has no say in, and what it has said of durability, belongs to what it means.
    let modes = fail_modes::table(loaded.config.durability).into_iter().chain([payloads::told(&keys)]);
    for line in [String::new()].into_iter().chain(modes) {
        if !say(&line) {
            return Exit::Done;
        }
    }
    Exit::Done
}

fn judged(judged: &Judged) -> String {
    match judged {
        Judged::Granted { controls, .. } if controls.is_empty() => "allow".to_owned(),
        Judged::Granted { controls, .. } => {
            let controls: Vec<_> = controls.iter().map(ToString::to_string).collect();
            format!("ask {}", controls.join(" and "))
        }
        Judged::Refused { reason, .. } => format!("deny {}", reason.code().as_str()),
    }
}

/// Findings, which are rendered already.
fn tell(text: &str) {
    // Nobody is left to tell if this fails; the exit code says it too.
    std::io::stderr().lock().write_all(text.as_bytes()).unwrap_or_default();
}
