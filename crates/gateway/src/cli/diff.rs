//! `placet diff OLD NEW`: what one configuration file permits, refuses and asks about that another does not.
//!
//! Each file has the `placet.lock` beside it. Each difference comes with a call that both engines have judged; what
//! could not be compared is listed, and decides the exit code.

use std::path::{Path, PathBuf};

use clap::Args;
use placet_engine::{
    diagnostic::inert,
    json::{Json, Object},
};
use placet_prove::{Change, Changes, Effort, Kind, Shown, Uncompared};

use super::{Exit, check, prove, say, test};
use crate::config::{self, Loaded};

#[derive(Args, Debug)]
pub(super) struct Arguments {
    /// The configuration file as it was
    old: PathBuf,
    /// The configuration file as it is to be
    new: PathBuf,
    /// Each difference as one line of JSON
    #[arg(long)]
    json: bool,
    /// What it took, too
    #[arg(long)]
    timings: bool,
}

pub(super) fn run(arguments: &Arguments) -> Exit {
    let (old, new) = match (loaded(&arguments.old), loaded(&arguments.new)) {
        (Ok(old), Ok(new)) => (old, new),
        (Err(exit), _) | (Ok(_), Err(exit)) => return exit,
    };
    let changes = config::diff(&old, &new, &Effort::default());
    let Changes { found, uncompared, pairs, timings } = &changes;
    let mut lines = Vec::new();
    for change in found {
        match arguments.json {
            true => lines.push(described(change).compact()),
            false => lines.extend(shown(change)),
        }
    }
    for pair in uncompared {
        match arguments.json {
            true => lines.push(described_uncompared(pair).compact()),
            false => lines.extend(shown_uncompared(pair)),
        }
    }
    if !arguments.json {
        lines.push(format!(
            "{} differences and {} not compared, in {pairs} pairs of agent and tool",
            found.len(),
            uncompared.len()
        ));
    }
    if arguments.timings {
        lines.extend(prove::timed(timings, arguments.json));
    }
    for line in lines {
        if !say(&line) {
            return Exit::Unverified;
        }
    }
    match (changes.is_complete(), found.as_slice()) {
        (false, _) => Exit::Unverified,
        (true, []) => Exit::Done,
        (true, [..]) => Exit::Differs,
    }
}

fn loaded(path: &Path) -> Result<Loaded, Exit> {
    config::load(path).map_err(|config::LoadError(text)| {
        check::tell(&text);
        Exit::Config
    })
}

fn shown(change: &Change) -> Vec<String> {
    let Change { agent, tool, kind, shown } = change;
    let title = format!("{:17}  {agent} {tool}", kind.phrase());
    match shown {
        Shown::ByCondition => vec![format!("{title}, by condition")],
        Shown::Call(sought, before, after) => {
            let mut lines = vec![inert(&title).into_owned()];
            lines.push(format!("    {}", prove::call(&sought.call)));
            lines.extend(prove::around(sought).map(|around| format!("      {around}")));
            lines.push(format!("      before: {}; after: {}", check::judged(before), check::judged(after)));
            lines
        }
    }
}

fn shown_uncompared(pair: &Uncompared) -> Vec<String> {
    let Uncompared { agent, tool, why, sought } = pair;
    let mut lines = vec![format!("not compared       {agent} {tool}"), format!("    {}", inert(why))];
    if let Some(sought) = sought {
        lines.push(format!("    {}", prove::call(&sought.call)));
        lines.extend(prove::around(sought).map(|around| format!("      {around}")));
    }
    lines
}

/// The word of a difference for programs, and the control that it is about.
fn described_kind(kind: &Kind, object: &mut Object) {
    let (word, control) = match kind {
        Kind::Permitted => ("permitted", None),
        Kind::Denied => ("denied", None),
        Kind::AsksNow(control) => ("asks_now", Some(control)),
        Kind::AsksNoLonger(control) => ("asks_no_longer", Some(control)),
    };
    object.insert("change", word);
    if let Some(control) = control {
        object.insert("control", control.to_string());
    }
}

fn described(change: &Change) -> Json {
    let Change { agent, tool, kind, shown } = change;
    let mut object = Object::new();
    described_kind(kind, &mut object);
    object.insert("agent", agent.as_str());
    object.insert("tool", tool.to_string());
    match shown {
        Shown::ByCondition => drop(object.insert("by_condition", true)),
        Shown::Call(sought, before, after) => {
            object.insert("call", prove::described_call(sought));
            for (name, judged) in [("before", before), ("after", after)] {
                let mut said = Object::new();
                test::outcome(&mut said, judged);
                object.insert(name, said);
            }
        }
    }
    Json::Object(object)
}

fn described_uncompared(pair: &Uncompared) -> Json {
    let Uncompared { agent, tool, why, sought } = pair;
    let mut object = Object::new();
    object.insert("change", "not_compared");
    object.insert("agent", agent.as_str());
    object.insert("tool", tool.to_string());
    object.insert("why", why.as_str());
    if let Some(sought) = sought {
        object.insert("call", prove::described_call(sought));
    }
    Json::Object(object)
}
