//! `placet calls`: allowed calls that have no final outcome, and a person's word on what became of one.

use clap::{Args, Subcommand};
use placet_engine::{
    call::CallId,
    diagnostic::inert,
    json::{Json, Limits, Object, parse},
    state::{Intent, Open},
};
use placet_store::sqlite::Call;

use super::{Exit, PlaceArguments, audit, complain, orders, say};

#[derive(Args, Debug)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Calls whose outcome is unknown, and those under way
    List {
        /// Only those under way
        #[arg(long, conflicts_with = "unknown")]
        running: bool,
        /// Only those whose outcome is unknown
        #[arg(long)]
        unknown: bool,
        /// Each as one line of JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        place: PlaceArguments,
    },
    /// One call: what was allowed, how it ended, what it holds
    Show {
        /// Its identifier, `d_…`
        id: String,
        /// As one line of JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        place: PlaceArguments,
    },
    /// Say what became of a call whose outcome is unknown
    Resolve {
        /// Its identifier, `d_…`
        #[arg(required_unless_present = "epoch")]
        id: Option<String>,
        /// It happened: what it held is spent, its key stays taken
        #[arg(long, conflicts_with_all = ["failed", "epoch"])]
        succeeded: bool,
        /// It did not happen: what it held is given back, its key is free
        #[arg(long, conflicts_with = "epoch")]
        failed: bool,
        /// All that was lost before a restore was looked at: keys that are not known may be used again
        #[arg(long, conflicts_with = "id")]
        epoch: bool,
        /// How that is known
        #[arg(long, value_name = "TEXT")]
        evidence: String,
        #[command(flatten)]
        place: PlaceArguments,
    },
}

pub(super) fn run(arguments: &Arguments) -> Exit {
    let done = match &arguments.command {
        Command::List { running, unknown, json, place } => list(*running, *unknown, *json, place),
        Command::Show { id, json, place } => show(id, *json, place),
        Command::Resolve { id, succeeded, failed, epoch, evidence, place } => {
            resolve(id.as_deref(), *succeeded, *failed, *epoch, evidence, place)
        }
    };
    done.err().unwrap_or(Exit::Done)
}

fn list(running: bool, unknown: bool, json: bool, place: &PlaceArguments) -> Result<(), Exit> {
    let reader = audit::open_with_keys(place)?;
    let wanted = [(Open::Unknown, !running), (Open::Running, !unknown)];
    let mut any = false;
    for (state, _) in wanted.into_iter().filter(|(_, wanted)| *wanted) {
        for call in reader.open_calls(state).map_err(|error| audit::unreadable(&error))? {
            any = true;
            let line = match (json, call.unreadable) {
                (true, _) => described(&call, word(state)).compact(),
                (false, None) => line(&call.intent, word(state)),
                (false, Some(why)) => format!("{} ({why})", line(&call.intent, word(state))),
            };
            if !say(&line) {
                return Ok(());
            }
        }
    }
    if !any && !json {
        say("every call that was allowed has its outcome");
    }
    Ok(())
}

fn show(id: &str, json: bool, place: &PlaceArguments) -> Result<(), Exit> {
    let call = identifier(id)?;
    let reader = audit::open_with_keys(place)?;
    let Some(found) = reader.call(call).map_err(|error| audit::unreadable(&error))? else {
        complain(
            &format!("no call `{call}` was allowed"),
            Some("`placet audit show` also knows refused ones"),
        );
        return Err(Exit::Refused);
    };
    let state = found.ending.map_or("running", |ending| ending.as_str());
    if json {
        say(&described(&found, state).compact());
        return Ok(());
    }
    say(&line(&found.intent, state));
    match found.unreadable {
        None => say(&format!("  arguments {}", inert(&found.intent.arguments))),
        Some(why) => say(&format!("  arguments {why}")),
    };
    for hold in &found.intent.holds {
        say(&format!(
            "  holds {} {} of `{}` ({})",
            hold.amount, hold.measure, hold.account.budget, hold.account.subject
        ));
    }
    if found.intent.claim.is_some() {
        say("  has a once-only key");
    }
    Ok(())
}

fn resolve(
    id: Option<&str>,
    succeeded: bool,
    failed: bool,
    epoch: bool,
    evidence: &str,
    place: &PlaceArguments,
) -> Result<(), Exit> {
    if epoch {
        orders::give(place, "settle_epoch", [("reason", Json::from(evidence))])?;
        say("keys that this store does not know may be used again");
        return Ok(());
    }
    let call = identifier(id.unwrap_or_default())?;
    if succeeded == failed {
        complain("say what became of it: `--succeeded` or `--failed`", None);
        return Err(Exit::Usage);
    }
    let order = [
        ("call", Json::from(call.to_string())),
        ("happened", Json::from(succeeded)),
        ("reason", Json::from(evidence)),
    ];
    orders::give(place, "resolve", order)?;
    say(&format!("{call} {}", if succeeded { "happened" } else { "did not happen" }));
    Ok(())
}

fn identifier(text: &str) -> Result<CallId, Exit> {
    CallId::parse(text).ok_or_else(|| {
        complain(
            "a call's identifier is `d_` and 20 characters",
            Some("`placet calls list` shows open ones"),
        );
        Exit::Usage
    })
}

const fn word(state: Open) -> &'static str {
    match state {
        Open::Running => "running",
        Open::Unknown => "unknown",
    }
}

fn line(intent: &Intent, state: &str) -> String {
    format!("{} {state:9} {} {} {} {}", intent.call, intent.at, intent.level, intent.agent, intent.action)
}

fn described(call: &Call, state: &str) -> Json {
    let Call { intent, ending: _, unreadable } = call;
    let holds = intent.holds.iter().map(|hold| {
        Json::Object(Object::from([
            ("budget", Json::from(hold.account.budget.as_str())),
            ("subject", Json::from(&*hold.account.subject)),
            ("measure", Json::from(hold.measure.to_string())),
            ("amount", Json::from(hold.amount.to_string())),
        ]))
    });
    let mut described = Object::from([
        ("call", Json::from(intent.call.to_string())),
        ("state", Json::from(state)),
        ("at", Json::from(intent.at.to_string())),
        ("agent", Json::from(intent.agent.as_str())),
        ("client", Json::from(intent.client.as_str())),
        ("tool", Json::from(intent.action.to_string())),
        ("level", Json::from(intent.level.as_str())),
        ("session", Json::from(intent.session.to_string())),
        ("keyed", Json::from(intent.claim.is_some())),
        ("arguments", parse(intent.arguments.as_bytes(), &Limits::EDGE).unwrap_or(Json::Null)),
        ("holds", Json::Array(holds.collect())),
    ]);
    if let Some(why) = unreadable {
        described.insert("unreadable", Json::from(why.to_string()));
    }
    Json::Object(described)
}
