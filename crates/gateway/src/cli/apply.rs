//! `placet apply`: makes the file as it is now the one that is in force, once a person has seen what that changes.
//!
//! The file is vetted whole here, so that what is wrong is told before anybody is asked; then it is shown what is
//! different from the version in force, and a yes and a reason are wanted. The node reads and vets it again, and takes
//! it only if it is the very version that was shown. Where no node runs, it is kept for the next one.
//!
//! Not here: how a node changes over (`node`), and what is compared (the engine's `change`).

use std::{
    io::{self, IsTerminal as _, Write as _},
    time::{Duration, Instant},
};

use clap::Args;
use placet_engine::{
    diagnostic::inert,
    json::{Json, Object},
    permit::Durable,
    policy::change::{Comparison, from_nothing},
    state::Changes,
};
use placet_store::{
    Store as _,
    sqlite::{OpenError, Sqlite},
};

use super::{Exit, PlaceArguments, complain, operator, runtime, say};
use crate::{
    applied::{self, Applied, Stamp},
    clock::{Clock as _, SystemClock},
    config::{LoadError, Loaded, compared, load_from},
    inputs::Inputs,
    node::operator::order_within,
    payloads,
    place::Places,
    vet,
};

#[derive(Args, Debug)]
pub(super) struct Arguments {
    /// Why, for the record
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Without asking
    #[arg(long)]
    yes: bool,
    /// Show what would change, and change nothing
    #[arg(long, conflicts_with_all = ["yes", "reason"])]
    dry_run: bool,
    #[command(flatten)]
    place: PlaceArguments,
}

/// How long a node may take to read, compile and record a version.
const PATIENCE: Duration = Duration::from_secs(120);

/// How long between two tries while a node begins or ends.
const RETRY: Duration = Duration::from_millis(20);

pub(super) fn run(arguments: &Arguments) -> Exit {
    match apply(arguments) {
        Ok(exit) | Err(exit) => exit,
    }
}

fn apply(arguments: &Arguments) -> Result<Exit, Exit> {
    let places = arguments.place.places()?;
    let inputs = Inputs::read(&places.config).map_err(refused)?;
    let loaded = vet::vetted(inputs, &places.config).map_err(refused)?;
    let found = [loaded.warnings.clone(), loaded.lints()];
    found.iter().flatten().for_each(|text| tell(text));
    let before = before(&places);
    if let Before::Version(applied, _) = &before
        && applied.inputs.version() == loaded.inputs.version()
    {
        say(&format!("{} is as it was applied at {}", loaded.name, applied.stamp));
        return Ok(Exit::Done);
    }
    let comparison = before.comparison(&loaded);
    show(&comparison);
    if arguments.dry_run {
        return Ok(Exit::Done);
    }
    let reason = reason(arguments)?;
    if !arguments.yes && !confirmed()? {
        complain("nothing was changed", None);
        return Err(Exit::Refused);
    }
    enact(&places, &loaded, &comparison, &reason)?;
    Ok(Exit::Done)
}

/// What was applied before.
enum Before {
    /// This, and what it means, if it can still be loaded.
    Version(Box<Applied>, Option<Box<Loaded>>),
    /// Nothing.
    Nothing,
    /// Something that cannot be read.
    Damaged,
}

fn before(places: &Places) -> Before {
    match applied::read(&places.state) {
        Ok(Some(applied)) => {
            let loaded = load_from(applied.inputs.clone());
            if let Err(LoadError(text)) = &loaded {
                tell(
                    "note: the version in force cannot be loaded any more, so all of the file is shown as new\n",
                );
                tell(text);
            }
            Before::Version(Box::new(applied), loaded.ok().map(Box::new))
        }
        Ok(None) => Before::Nothing,
        Err(damaged) => {
            complain(&inert(&damaged.to_string()), Some("all of the file is shown as new"));
            Before::Damaged
        }
    }
}

impl Before {
    fn comparison(&self, new: &Loaded) -> Comparison {
        match self {
            Before::Version(_, Some(old)) => {
                compared((&old.config, old.lock.as_ref()), (&new.config, new.lock.as_ref()))
            }
            Before::Version(_, None) | Before::Nothing | Before::Damaged => from_nothing(&new.config),
        }
    }

    fn version(&self) -> Option<String> {
        match self {
            Before::Version(applied, _) => Some(applied.inputs.version()),
            Before::Nothing | Before::Damaged => None,
        }
    }
}

/// What changes, and what that can do, for each agent.
fn show(comparison: &Comparison) {
    let lines = comparison.differences.iter().map(|one| format!("{:9}  {}", one.effect.as_str(), one.what));
    let agents =
        comparison.agents.iter().map(|agent| format!("agent {agent}: {}", comparison.effect_for(agent)));
    let rule = (!comparison.agents.is_empty()).then(String::new);
    let all = [String::new(), format!("in all: {}", comparison.effect())];
    for line in lines.chain(rule).chain(agents).chain(all) {
        if !say(&inert(&line)) {
            return;
        }
    }
    if comparison.differences.is_empty() {
        say("only text that means nothing is different");
    }
}

fn reason(arguments: &Arguments) -> Result<String, Exit> {
    let given = match &arguments.reason {
        Some(reason) => reason.clone(),
        None if io::stdin().is_terminal() => line("why? ")?,
        None => String::new(),
    };
    if given.trim().is_empty() {
        complain(
            "a change has a reason, which is recorded",
            Some("placet apply --reason 'finance may refund'"),
        );
        return Err(Exit::Usage);
    }
    Ok(given.trim().to_owned())
}

fn confirmed() -> Result<bool, Exit> {
    if !io::stdin().is_terminal() {
        complain(
            "there is no terminal to ask on",
            Some("`--yes` applies what is shown above without asking"),
        );
        return Err(Exit::Usage);
    }
    Ok(matches!(line("apply it? [y/N] ")?.trim(), "y" | "Y" | "yes"))
}

fn line(question: &str) -> Result<String, Exit> {
    eprint!("{question}");
    io::stderr().flush().unwrap_or_default();
    let mut answer = String::new();
    match io::stdin().read_line(&mut answer) {
        Ok(_) => Ok(answer),
        Err(_) => Err(Exit::Interrupted),
    }
}

/// Has the node of this file change over, or keeps the version for the next one.
fn enact(places: &Places, loaded: &Loaded, comparison: &Comparison, reason: &str) -> Result<(), Exit> {
    let until = Instant::now() + PATIENCE;
    loop {
        let order = Object::from([
            ("command", Json::from("apply")),
            ("by", Json::from(operator())),
            ("reason", Json::from(reason)),
            ("version", Json::from(loaded.inputs.version())),
        ]);
        let nobody = |cause: &io::Error| {
            matches!(cause.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused)
        };
        match order_within(&places.operator_socket(), order, PATIENCE) {
            Ok(answer) => return answered(&answer, &loaded.name),
            Err(cause) if nobody(&cause) => match keep(places, loaded, comparison, reason) {
                Ok(()) => {
                    say(&format!(
                        "{} is applied; no node runs, and the next one begins with it",
                        loaded.name
                    ));
                    return Ok(());
                }
                // A node begins or ends: it takes the order, or lets go of the state.
                Err(Unkept::Held(_)) if Instant::now() < until => std::thread::sleep(RETRY),
                Err(Unkept::Held(why) | Unkept::Failed(why)) => {
                    complain(&inert(&why), None);
                    return Err(Exit::Unavailable);
                }
            },
            Err(cause) => {
                let hint = "`placet node status` says which version is in force";
                complain(&format!("the node does not answer: {cause}"), Some(hint));
                return Err(Exit::Unavailable);
            }
        }
    }
}

fn answered(answer: &Json, name: &str) -> Result<(), Exit> {
    if answer.get("ok").and_then(Json::as_bool) != Some(true) {
        let why = answer.get("error").and_then(Json::as_str).unwrap_or("it does not say why");
        complain(&format!("the version before stays in force: {}", inert(why)), None);
        return Err(Exit::Refused);
    }
    say(&format!("{name} is applied, and in force"));
    match answer.get("reattach").and_then(Json::as_i64) {
        Some(0) | None => {}
        Some(count) => {
            say(&format!(
                "{count} connections rest on what is different now: what is under way in them ends, then they begin anew"
            ));
        }
    }
    Ok(())
}

/// Why a version was not kept.
enum Unkept {
    /// Another process has the state.
    Held(String),
    /// Something else.
    Failed(String),
}

impl From<String> for Unkept {
    fn from(why: String) -> Self {
        Unkept::Failed(why)
    }
}

/// Keeps a version for the next node, with its record.
fn keep(places: &Places, loaded: &Loaded, comparison: &Comparison, reason: &str) -> Result<(), Unkept> {
    places.make().map_err(|error| error.to_string())?;
    // The state is this process's while this is open: no node begins meanwhile.
    let opened = Sqlite::open_with(&places.state, payloads::keys(&loaded.config)?);
    let opened = opened.map_err(|error| match error {
        held @ OpenError::Held { .. } => Unkept::Held(held.to_string()),
        sealed @ OpenError::Sealed { .. } => Unkept::Failed(format!(
            "{sealed}; name that key in `[payloads]`, as `key` or among the `old` ones"
        )),
        other @ (OpenError::Io { .. } | OpenError::Database { .. } | OpenError::Format { .. }) => {
            Unkept::Failed(other.to_string())
        }
    })?;
    let old = before(places);
    let stamp = Stamp {
        at: SystemClock.now().wall,
        by: operator(),
        reason: reason.to_owned(),
        old: old.version(),
        changes: comparison.differences.iter().map(|one| one.what.clone()).collect(),
        recorded: false,
    };
    let record = stamp.record(&loaded.inputs.version());
    let new = Applied { inputs: loaded.inputs.clone(), stamp };
    applied::keep(&places.state, &new)
        .map_err(|cause| format!("it cannot be kept, and the version before stays: {cause}"))?;
    let changes = Changes { records: vec![record], ..Changes::default() };
    let runtime = runtime().map_err(|_| "it could not be recorded; the next node does".to_owned())?;
    if let Err(error) = runtime.block_on(opened.store.commit::<Durable>(changes)) {
        let back = match &old {
            Before::Version(applied, _) => applied::keep(&places.state, applied).is_ok(),
            Before::Nothing | Before::Damaged => false,
        };
        let then =
            if back { "the version before stays" } else { "the next node begins with it and records it" };
        return Err(format!("it could not be recorded: {error}; {then}").into());
    }
    let recorded = Applied { stamp: Stamp { recorded: true, ..new.stamp }, ..new };
    // If this is not kept, the next node records it once more.
    applied::keep(&places.state, &recorded).unwrap_or_default();
    let kept = match &old {
        Before::Version(applied, _) => vec![&recorded.inputs, &applied.inputs],
        Before::Nothing | Before::Damaged => vec![&recorded.inputs],
    };
    applied::tidy(&places.state, &kept);
    opened.store.close();
    Ok(())
}

/// Applies what a command has just written, if what stood there before it was in force; otherwise says how.
pub(super) fn what_was_written(
    places: &Places,
    before_version: Option<&str>,
    reason: &str,
) -> Result<(), Exit> {
    if !applied::is_there(&places.state) {
        // The first node applies what it finds.
        return Ok(());
    }
    let old = before(places);
    if old.version().as_deref() != before_version || before_version.is_none() {
        eprintln!(
            "note: the file differs from the version in force in more than this; `placet apply` makes it effective"
        );
        return Ok(());
    }
    let loaded =
        vet::vetted(Inputs::read(&places.config).map_err(refused)?, &places.config).map_err(refused)?;
    let comparison = old.comparison(&loaded);
    enact(places, &loaded, &comparison, reason)
}

/// What a person should hear of a file that is not the version in force; none if it is.
pub(super) fn pending(places: &Places, inputs: &Inputs) -> Option<String> {
    match applied::read(&places.state) {
        Ok(Some(applied)) if applied.inputs.version() == inputs.version() => None,
        Ok(Some(applied)) => Some(format!(
            "{}; `placet apply` makes it effective",
            applied::has_changed(inputs.name(), &applied.stamp)
        )),
        Ok(None) => None,
        Err(damaged) => Some(format!("{damaged}; {}", applied::MEND)),
    }
}

fn refused(LoadError(text): LoadError) -> Exit {
    tell(&text);
    complain("it is not applied", None);
    Exit::Config
}

fn tell(text: &str) {
    // Nobody is left to tell if this fails; the exit code says it too.
    io::stderr().lock().write_all(text.as_bytes()).unwrap_or_default();
}
