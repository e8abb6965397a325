//! `placet check`: reads a configuration file as a node would, offline, and says everything that is wrong; then what
//! each agent may do, and what holds when a part of the node is lost.

use std::io::Write as _;

use clap::Args;
use placet_engine::{
    decision::{Denial, DenyReason},
    diagnostic::{inert, render},
    names::{Action, AgentName},
    policy::{
        Judged, Policy,
        config::{Approvers, Config, Disclose, Right},
        explain::RuleShown,
    },
};
use placet_prove::{Effort, Proof};

use super::{Exit, PlaceArguments, apply, complain, prove, say};
use crate::{
    applied,
    config::{self, LoadError, Loaded},
    fail_modes, own_files, payloads, vet, words,
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
    let loaded = match loaded(&arguments.place) {
        Ok(loaded) => loaded,
        Err(exit) => return exit,
    };
    if let Some(warnings) = &loaded.warnings {
        tell(warnings);
    }
    if let Some(lints) = loaded.lints() {
        tell(&lints);
    }
    if let Some(note) = unused_rights(&loaded.config) {
        tell(note);
    }
    // Looked up from here, where a variable of the node's may not be set: said as the mistake that it may be.
    let keys = match payloads::keys(&loaded.config) {
        Ok(keys) => keys,
        Err(why) => {
            complain(&why, Some("a node that does not find it does not start"));
            return Exit::Config;
        }
    };
    let failed = vet::failed_tests(&loaded);
    if !failed.is_empty() {
        tell(&render(&failed, &loaded.name, &loaded.source));
        return Exit::Config;
    }
    if arguments.show_cedar {
        say(loaded.policy.to_cedar().trim_end());
        return Exit::Done;
    }
    let done = if broken(&loaded) { Exit::Unverified } else { Exit::Done };
    if loaded.config.agents.is_empty() {
        complain("the file names no agent, so nothing may be called", None);
    }
    for (agent, remit) in &loaded.config.agents {
        for action in loaded.policy.catalogue().keys().filter(|action| action.tool.method().is_none()) {
            let judged = loaded.policy.judge(agent, action);
            let said =
                format!("{}{}", self::judged(&judged), conditions(&judged, agent, action, &loaded.policy));
            let level = loaded.policy.level(action).map_or("unknown", |level| level.as_str());
            let (agent, action) = (agent.as_str(), action.to_string());
            let observed = if remit.observe { " (observed: it runs all the same)" } else { "" };
            let line = format!("{agent:16} {action:32} {level:8} {said}{observed}");
            if !say(line.trim_end()) {
                return done;
            }
        }
    }
    // What a file has no say in, and what it has said of durability, belongs to what it means.
    let modes = fail_modes::table(loaded.config.durability).into_iter().chain([payloads::told(&keys)]);
    for line in [String::new()].into_iter().chain(modes) {
        if !say(&line) {
            return done;
        }
    }
    done
}

/// Says which invariants of the file are refuted, and which nobody has proved; whether one is refuted.
fn broken(loaded: &Loaded) -> bool {
    if loaded.config.invariants.is_empty() {
        return false;
    }
    let mut refuted = false;
    for verdict in loaded.prove(&Effort::default()).verdicts {
        let severity = match verdict.proof() {
            Proof::Proved => continue,
            Proof::Refuted => "error",
            Proof::Unproved => "warning",
        };
        refuted |= verdict.proof() == Proof::Refuted;
        let mut lines = prove::shown(&verdict, loaded).into_iter();
        let first = lines.next().unwrap_or_default();
        tell(&format!("{severity}: invariant {}\n", first.split_whitespace().collect::<Vec<_>>().join(" ")));
        lines.for_each(|line| tell(&format!("{line}\n")));
    }
    refuted
}

/// What is written down and not enforced must not look as if it were.
fn unused_rights(config: &Config) -> Option<&'static str> {
    let acts = |right: &Right| matches!(right, Right::Approve(_) | Right::View);
    let has_others = config.people.values().any(|person| !person.may.iter().all(acts));
    let asks_self = config.approvers.values().any(|group| group.own != Approvers::default().own);
    (has_others || asks_self).then_some(
        "note: in this version of a person's rights only `approve:GROUP` is acted on: whoever has the account may give \
         every other order; and `self` of a group is not acted on, since no client says for whom it acts\n",
    )
}

/// Reads the file of a command as a node would, or says everything that is wrong with it.
pub(super) fn loaded(place: &PlaceArguments) -> Result<Loaded, Exit> {
    let places = place.places()?;
    let loaded = config::load(&places.config).and_then(|loaded| {
        let own = own_files::of_node(&places, &loaded.config);
        let own = own.map_err(|why| LoadError(format!("error: {}\n", inert(&why))))?;
        vet::may_reload(&loaded.config, &places.config)?;
        Ok(Loaded { policy: loaded.policy.guarding(own), ..loaded })
    });
    let loaded = loaded.map_err(|LoadError(text)| {
        tell(&text);
        Exit::Config
    })?;
    if let Some(words) = apply::pending(&places, &loaded.inputs) {
        eprintln!("note: {}", inert(&words));
    }
    Ok(loaded)
}

/// The file that is in force, or, where none was applied yet, the one that would be.
pub(super) fn in_force(place: &PlaceArguments) -> Result<Loaded, Exit> {
    let places = place.places()?;
    let read = match applied::read(&places.state) {
        Ok(Some(applied)) => config::load_from(applied.inputs),
        Ok(None) => config::load(&places.config),
        Err(damaged) => {
            Err(LoadError(format!("error: {}\nhelp: {}\n", inert(&damaged.to_string()), applied::MEND)))
        }
    };
    read.map_err(|LoadError(text)| {
        tell(&text);
        Exit::Config
    })
}

/// What could still refuse or ask where the rules without a condition do not refuse.
fn conditions(judged: &Judged, agent: &AgentName, action: &Action, policy: &Policy) -> String {
    let conditions = policy.conditions(agent, action);
    match judged {
        Judged::Granted { .. } if !conditions.is_empty() => {
            let conditions: Vec<String> =
                conditions.iter().map(|rule| inert(&rule.to_string()).into_owned()).collect();
            format!(", by condition: {}", conditions.join("; "))
        }
        // Conditions only ever narrow, so of a refusal there is nothing more to say.
        Judged::Granted { .. } | Judged::Refused { .. } => String::new(),
    }
}

/// Where a rule stands, what it is called and what it does.
pub(super) fn rule_line(rule: &RuleShown, policy: &Policy, file: &str) -> String {
    let name =
        policy.guard_id(&rule.policy).map_or_else(|| rule.policy.to_string(), |id| format!("guard `{id}`"));
    let text = format!("{file}:{} {name}: {rule}", rule.line);
    inert(&text).into_owned()
}

/// Why a call of this tool is refused, for a person.
pub(super) fn why(reason: &DenyReason, tool: &Action) -> String {
    let denial = Denial { listed: true, ..Denial::because(reason.clone()) };
    let told = words::told(&denial, &tool.to_string(), Disclose::Full);
    inert(&told.sentence.replace(" (level=unknown)", "")).into_owned()
}

/// A judgement in a few words.
pub(super) fn judged(judged: &Judged) -> String {
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
pub(super) fn tell(text: &str) {
    // Nobody is left to tell if this fails; the exit code says it too.
    std::io::stderr().lock().write_all(text.as_bytes()).unwrap_or_default();
}
