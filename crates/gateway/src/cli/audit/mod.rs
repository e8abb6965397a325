//! `placet audit`: the records, as they stand in the store, and the ledger that proves them. Works beside a
//! running node; `verify`, `check-proof` and `check-disclosure` work without one, on anybody's machine, and `erase` is the node's to do.

mod disclose;
mod erase;
mod openings;
mod prove;
mod query;
mod verify;
mod witness;

use std::path::Path;

use clap::{Args, Subcommand};
use placet_engine::{
    call::CallId,
    json::{Json, Limits, parse},
    record::Kind,
};
use placet_store::sqlite::{Entry, OpenError, PayloadKeys, Reader};

use super::{Exit, PlaceArguments, complain, say};
use crate::{
    commitment::{MEMBER, Opening, opening},
    payloads,
};

#[derive(Args, Debug)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// The last records, oldest first
    Tail {
        /// How many
        #[arg(short = 'n', long, default_value_t = 20, value_name = "COUNT")]
        count: u32,
        /// Each as one line of JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        place: PlaceArguments,
    },
    /// Everything about one call
    Show {
        /// Its identifier, `d_…`
        id: String,
        /// Each record as one line of JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        place: PlaceArguments,
    },
    /// The records that fit, oldest first
    Query(query::QueryArguments),
    /// All records, for another program
    Export(query::ExportArguments),
    /// Verify a ledger, offline: exactly what is proven and what is not
    Verify(verify::VerifyArguments),
    /// Write a file that proves one record
    Prove(prove::ProveArguments),
    /// Check such a file, offline
    CheckProof(verify::CheckProofArguments),
    /// Write a file that proves some arguments of one call, and hides the others
    Disclose(disclose::DiscloseArguments),
    /// Check such a file, offline
    CheckDisclosure(disclose::CheckDisclosureArguments),
    /// Be a second host that cosigns the heads of logs
    Witness(witness::WitnessArguments),
    /// Ask witnesses to cosign the head of this node's log
    Cosign(witness::CosignArguments),
    /// Erase arguments, salts and kept results of calls that are over; proofs, keys and budgets stay
    Erase(erase::EraseArguments),
}

pub(super) fn run(arguments: &Arguments) -> Exit {
    let shown = match &arguments.command {
        Command::Tail { count, json, place } => open(place).and_then(|reader| {
            let entries = reader.tail(*count).map_err(|error| unreadable(&error))?;
            print(&entries, *json);
            Ok(())
        }),
        Command::Show { id, json, place } => show(id, *json, place),
        Command::Query(arguments) => query::run(arguments),
        Command::Export(arguments) => query::export(arguments),
        Command::Verify(arguments) => verify::run(arguments),
        Command::Prove(arguments) => prove::run(arguments),
        Command::CheckProof(arguments) => verify::check_proof(arguments),
        Command::Disclose(arguments) => disclose::run(arguments),
        Command::CheckDisclosure(arguments) => disclose::check(arguments),
        Command::Witness(arguments) => witness::run(arguments),
        Command::Cosign(arguments) => witness::cosign(arguments),
        Command::Erase(arguments) => erase::run(arguments),
    };
    shown.err().unwrap_or(Exit::Done)
}

fn show(id: &str, json: bool, place: &PlaceArguments) -> Result<(), Exit> {
    let Some(call) = CallId::parse(id) else {
        complain(
            "a call's identifier is `d_` and 20 characters",
            Some("`placet audit tail` shows the last ones"),
        );
        return Err(Exit::Usage);
    };
    let reader = open_with_keys(place)?;
    let entries = reader.of_call(call).map_err(|error| unreadable(&error))?;
    if entries.is_empty() {
        complain(&format!("there is no record of `{call}`"), Some("is it another configuration file's?"));
        return Err(Exit::Refused);
    }
    print(&entries, json);
    let Some(found) = reader.call(call).map_err(|error| unreadable(&error))? else { return Ok(()) };
    if let Some(why) = found.unreadable {
        say(&if json {
            format!("{{\"arguments\":null,\"commitment\":\"not checked: {why}\"}}")
        } else {
            format!("       arguments {why}")
        });
        return Ok(());
    }
    // Of several intents, where a permit lapsed before anything was sent, each must commit to what is kept.
    let intents = entries.iter().filter_map(|entry| parse(entry.body.as_bytes(), &Limits::EDGE).ok());
    let intents =
        intents.filter(|record| record.get("kind").and_then(Json::as_str) == Some(Kind::Intent.as_str()));
    let openings: Vec<_> = intents.map(|record| opening(&record, &found.intent)).collect();
    let differs = openings.contains(&Opening::Differs);
    let word = if found.intent.is_erased() {
        "erased"
    } else if differs {
        "NOT what the record commits to"
    } else if openings.contains(&Opening::Opens) {
        "opens the commitment"
    } else {
        "recorded without a commitment"
    };
    let arguments = parse(found.intent.arguments.as_bytes(), &Limits::EDGE).unwrap_or(Json::Null);
    say(&if json {
        format!("{{\"arguments\":{},\"commitment\":\"{word}\"}}", arguments.compact())
    } else if found.intent.is_erased() {
        format!("       arguments {word}")
    } else {
        format!("       arguments {} ({word})", placet_engine::diagnostic::inert(&arguments.spaced()))
    });
    if differs && !found.intent.is_erased() { Err(Exit::Unverified) } else { Ok(()) }
}

pub(super) fn open(place: &PlaceArguments) -> Result<Reader, Exit> {
    let places = place.places()?;
    Reader::open(&places.state).map_err(|error| unreadable(&error))
}

/// The same, with the keys by which payloads are read. Without them everything else can be shown all the same.
pub(super) fn open_with_keys(place: &PlaceArguments) -> Result<Reader, Exit> {
    let places = place.places()?;
    Reader::open_with(&places.state, keys_of(&places.config)).map_err(|error| unreadable(&error))
}

fn keys_of(config: &Path) -> PayloadKeys {
    payloads::keys_of(config).unwrap_or_else(|why| {
        complain(&why, Some("what is encrypted is not shown"));
        PayloadKeys::default()
    })
}

pub(super) fn unreadable(error: &OpenError) -> Exit {
    complain(&error.to_string(), Some("a node makes its state when the first client attaches"));
    Exit::Unavailable
}

fn print(entries: &[Entry], json: bool) {
    for entry in entries {
        let line =
            if json { entry.body.clone() } else { format!("{:6} {}", entry.seq, readable(&entry.body)) };
        if !say(&line) {
            return;
        }
    }
}

/// One record in one line for a person: time, kind, call, then the rest as `key=value`.
fn readable(body: &str) -> String {
    let Ok(Json::Object(record)) = parse(body.as_bytes(), &Limits::EDGE) else {
        return placet_engine::diagnostic::inert(body).into_owned();
    };
    let text = |value: &Json| value.as_str().map_or_else(|| value.compact(), str::to_owned);
    let first = ["at", "kind", "call"];
    let head = first.iter().filter_map(|key| record.get(key).map(text));
    // Hashes are for programs.
    let hidden = ["digest", MEMBER];
    let rest = record.iter().filter(|(key, _)| !first.contains(key) && !hidden.contains(key));
    let rest = rest.map(|(key, value)| format!("{key}={}", text(value)));
    let line = head.chain(rest).collect::<Vec<_>>().join(" ");
    placet_engine::diagnostic::inert(&line).into_owned()
}
