//! `placet audit disclose` and `check-disclosure`: some arguments of one call, shown to somebody who sees no others.
//!
//! The file stands alone. It holds the proof of the intent's record, and of each field what shows that the record
//! commits to it. Whoever checks it needs the log's public key and nothing else of ours.
//!
//! Not here: how a record is proved ([`super::prove`]), and what a record commits to (`commitment.rs`).

use std::{fs, path::PathBuf};

use clap::Args;
use placet_engine::{
    call::CallId,
    diagnostic::{inert, inert_lines},
    json::{Json, Limits, Object, parse},
    record::Kind,
};
use placet_ledger::{
    commit::{Disclosure, Salt},
    note::KeyKind,
    proof::{PROOF_BYTES_MAX, RecordProof},
    tree::Hash,
};

use super::{
    super::{Exit, PlaceArguments, complain, say},
    open_with_keys,
    prove::SealedLog,
    unreadable,
    verify::{public, read},
};
use crate::commitment::{disclose, root_in};

/// What stands in each file, so that none of another kind is taken for one.
const FORM: &str = "placet-disclosure-v1";

/// The longest file that is read: a proof and a message's worth of fields, both as JSON text.
const FILE_BYTES_MAX: usize = 2 * PROOF_BYTES_MAX + (64 << 20);

#[derive(Args, Debug)]
pub(super) struct DiscloseArguments {
    /// The call's identifier, `d_…`
    #[arg(value_name = "CALL_ID")]
    id: String,
    /// Which arguments: the JSON pointer of each, as `/amount`
    #[arg(value_name = "POINTER", required = true)]
    pointers: Vec<String>,
    /// Where to; else `CALL_ID.disclosure.json` in this folder
    #[arg(short = 'o', long, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    place: PlaceArguments,
}

pub(super) fn run(arguments: &DiscloseArguments) -> Result<(), Exit> {
    let Some(call) = CallId::parse(&arguments.id) else {
        let hint = "`placet audit tail` shows the last ones";
        complain("a call's identifier is `d_` and 20 characters", Some(hint));
        return Err(Exit::Usage);
    };
    let refused = |what: &str, hint: &str| {
        complain(what, Some(hint));
        Exit::Refused
    };
    let reader = open_with_keys(&arguments.place)?;
    let kept = reader.call(call).map_err(|error| unreadable(&error))?;
    let kept =
        kept.ok_or_else(|| refused("no arguments are kept of this call", "only those of allowed calls are"))?;
    if let Some(why) = kept.unreadable {
        complain(&format!("the arguments of `{call}` are {why}"), None);
        return Err(Exit::Unavailable);
    }
    if kept.intent.is_erased() {
        return Err(refused(
            "its arguments have been erased",
            "what is erased can be shown to nobody any more",
        ));
    }
    // Of several intents, where a permit lapsed before anything was sent, the last is the one that ran.
    let entries = reader.of_call(call).map_err(|error| unreadable(&error))?;
    let intents = entries.iter().rev().filter_map(|entry| {
        let record = parse(entry.body.as_bytes(), &Limits::EDGE).ok()?;
        (record.get("kind").and_then(Json::as_str) == Some(Kind::Intent.as_str())).then_some((entry, record))
    });
    let Some((entry, root)) = intents.filter_map(|(entry, record)| Some((entry, root_in(&record)?))).next()
    else {
        return Err(refused("no record of this call commits to its arguments", "it was not allowed"));
    };
    let mut fields = Vec::new();
    for pointer in &arguments.pointers {
        let Some(shown) = disclose(&kept.intent, pointer) else {
            let hint =
                "a pointer is `/` and the argument's name, with `~1` for `/` and `~0` for `~`; `\"\"` is all";
            return Err(refused(&format!("`{}` is none of its arguments", inert(pointer)), hint));
        };
        if !shown.opens(&root) {
            complain("what is kept of this call is not what its record commits to", None);
            return Err(Exit::Unverified);
        }
        fields.push(field_json(&shown));
    }
    let proof = SealedLog::open(&arguments.place.places()?.state)?.prove(entry)?;
    let file = Json::Object(Object::from([
        ("form", Json::from(FORM)),
        ("proof", Json::from(proof.to_string())),
        ("fields", Json::Array(fields)),
    ]));
    let path = arguments.output.clone().unwrap_or_else(|| PathBuf::from(format!("{call}.disclosure.json")));
    fs::write(&path, format!("{}\n", file.compact())).map_err(|cause| {
        complain(&format!("cannot write `{}`: {cause}", path.display()), None);
        Exit::Unavailable
    })?;
    let count = arguments.pointers.len();
    let of = if count == 1 { "1 argument".to_owned() } else { format!("{count} arguments") };
    say(&format!("{of} of `{call}` in `{}`; the others stay hidden", path.display()));
    Ok(())
}

#[derive(Args, Debug)]
pub(super) struct CheckDisclosureArguments {
    /// A file that `placet audit disclose` wrote
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The log's public key, or a file that holds it
    #[arg(long, value_name = "KEY|FILE")]
    key: String,
}

pub(super) fn check(arguments: &CheckDisclosureArguments) -> Result<(), Exit> {
    let key = public(&arguments.key, KeyKind::Log)?;
    let bytes = read(&arguments.file, FILE_BYTES_MAX)?;
    let unverified = |why: String| {
        complain(&format!("`{}` proves nothing: {}", arguments.file.display(), inert(&why)), None);
        Exit::Unverified
    };
    let malformed = || unverified("it is no disclosure of this version".to_owned());
    let (proof, fields) = read_file(&bytes).ok_or_else(malformed)?;
    let record = proof.check(&key).map_err(|error| unverified(error.to_string()))?;
    let record =
        parse(record, &Limits::EDGE).map_err(|_| unverified("its record is not one of a call".to_owned()))?;
    let root = root_in(&record).ok_or_else(|| unverified("its record commits to no arguments".to_owned()))?;
    if let Some(wrong) = fields.iter().find(|field| !field.opens(&root)) {
        return Err(unverified(format!(
            "the record does not commit to what it shows at `{}`",
            wrong.pointer
        )));
    }
    let call = record.get("call").and_then(Json::as_str).unwrap_or("without a name");
    let head = proof.checkpoint.head();
    let mut text = format!(
        "proven: record {} is in the log `{}`, under its signed head of {} records\n{}\n",
        proof.index.saturating_add(1),
        head.origin,
        head.size,
        record.compact(),
    );
    for field in &fields {
        let of = if field.pointer.is_empty() { "all arguments" } else { &field.pointer };
        text.push_str(&format!("proven: {of} of call {call} = {}\n", field.value));
    }
    text.push_str("not proven: that this head is the newest, or the one that others were shown");
    say(&inert_lines(&text));
    Ok(())
}

/// The proof and the fields of a file; at least one field, and nothing left over.
fn read_file(bytes: &[u8]) -> Option<(RecordProof, Vec<Disclosure>)> {
    let limits = Limits { bytes: FILE_BYTES_MAX, ..Limits::EDGE };
    let file = parse(bytes, &limits).ok()?;
    let file = file.as_object().filter(|file| file.len() == 3)?;
    file.get("form").and_then(Json::as_str).filter(|form| *form == FORM)?;
    let proof = RecordProof::parse(file.get("proof")?.as_str()?.as_bytes()).ok()?;
    let fields = file.get("fields")?.as_array()?.iter().map(read_field).collect::<Option<Vec<_>>>()?;
    (!fields.is_empty()).then_some((proof, fields))
}

fn field_json(shown: &Disclosure) -> Json {
    let number = |number: u64| Json::from(i64::try_from(number).unwrap_or(i64::MAX));
    let salt = shown.salt.iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"));
    Json::Object(Object::from([
        ("pointer", Json::from(shown.pointer.as_str())),
        ("value", Json::from(shown.value.as_str())),
        ("salt", Json::from(salt)),
        ("index", number(shown.index)),
        ("size", number(shown.size)),
        ("path", Json::Array(shown.path.iter().map(|hash| Json::from(hash.to_string())).collect())),
    ]))
}

fn read_field(field: &Json) -> Option<Disclosure> {
    let text = |key: &str| field.get(key).and_then(Json::as_str);
    let number =
        |key: &str| field.get(key).and_then(Json::as_i64).and_then(|number| u64::try_from(number).ok());
    let path = field.get("path")?.as_array()?.iter();
    Some(Disclosure {
        pointer: text("pointer")?.to_owned(),
        value: text("value")?.to_owned(),
        salt: read_salt(text("salt")?)?,
        index: number("index")?,
        size: number("size")?,
        path: path.map(|hash| hash.as_str()?.parse::<Hash>().ok()).collect::<Option<_>>()?,
    })
}

fn read_salt(text: &str) -> Option<Salt> {
    let digit = |digit: u8| char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let pairs = text.as_bytes().chunks(2).map(|pair| match pair {
        [high, low] => Some(digit(*high)? << 4 | digit(*low)?),
        _ => None,
    });
    pairs.collect::<Option<Vec<u8>>>()?.try_into().ok()
}
