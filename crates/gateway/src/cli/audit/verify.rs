//! `placet audit verify` and `check-proof`: what an auditor does, with files and a key and no node.

use std::{io::Read as _, path::PathBuf};

use clap::Args;
use placet_engine::diagnostic::{inert, inert_lines};
use placet_ledger::{
    directory::Directory,
    note::{KeyKind, NOTE_BYTES_MAX, Verifier},
    proof::{PROOF_BYTES_MAX, RecordProof},
    verify::{Asked, verify},
};
use placet_store::sqlite::Reader;

use super::{
    super::{Exit, complain, say},
    keys_of,
    openings::Openings,
    unreadable,
};
use crate::signing;

#[derive(Args, Debug)]
pub(super) struct VerifyArguments {
    /// The log: the folder that holds `checkpoint` and `tile`
    #[arg(value_name = "DIR")]
    directory: PathBuf,
    /// The log's public key, or a file that holds it; not from that folder
    #[arg(long, value_name = "KEY|FILE")]
    key: String,
    /// A checkpoint that you kept earlier: must be where this log began
    #[arg(long, value_name = "OLD")]
    checkpoint: Option<PathBuf>,
    /// A witness whose cosignature counts; may be given several times
    #[arg(long, value_name = "KEY|FILE")]
    witness: Vec<String>,
    /// How many of the witnesses must have cosigned; else all
    #[arg(long, value_name = "N", requires = "witness")]
    quorum: Option<usize>,
    /// The state directory, where it is at hand: are the arguments kept there those that the records commit to
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
    /// The configuration file that names the key, where those arguments are encrypted
    #[arg(long, value_name = "FILE", requires = "state")]
    config: Option<PathBuf>,
    /// The report as one line of JSON, and one more with `--state`
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &VerifyArguments) -> Result<(), Exit> {
    let key = public(&arguments.key, KeyKind::Log)?;
    let witnesses: Vec<Verifier> =
        arguments.witness.iter().map(|text| public(text, KeyKind::Witness)).collect::<Result<_, _>>()?;
    let quorum = arguments.quorum.unwrap_or(witnesses.len());
    if arguments.quorum.is_some() && !(1..=witnesses.len()).contains(&quorum) {
        complain("`--quorum` is a number from 1 to that of the witnesses", None);
        return Err(Exit::Usage);
    }
    let old = arguments.checkpoint.as_ref().map(|path| read(path, NOTE_BYTES_MAX)).transpose()?;
    let asked = Asked { key, old, witnesses, quorum };
    let directory = Directory::new(&arguments.directory);
    let report = verify(&directory, &asked);
    let text = if arguments.json { report.to_json() } else { inert_lines(&report.to_string()).into_owned() };
    say(&text);
    if !report.is_good() {
        return Err(Exit::Unverified);
    }
    match &arguments.state {
        Some(state) => {
            let keys = arguments.config.as_deref().map(keys_of).unwrap_or_default();
            let reader = Reader::open_with(state, keys).map_err(|error| unreadable(&error))?;
            arguments_of(&reader, &directory, report.size.unwrap_or(0), arguments.json)
        }
        None => Ok(()),
    }
}

/// Holds what a state keeps against the records of a log that was found good.
fn arguments_of(state: &Reader, log: &Directory, size: u64, json: bool) -> Result<(), Exit> {
    let openings = Openings::check(log, size, state).map_err(|why| {
        complain(&format!("the arguments could not be checked: {}", inert(&why)), None);
        Exit::Unavailable
    })?;
    say(&if json { openings.to_json() } else { openings.to_string() });
    if openings.are_good() { Ok(()) } else { Err(Exit::Unverified) }
}

#[derive(Args, Debug)]
pub(super) struct CheckProofArguments {
    /// A `.tlog-proof` file, as `placet audit prove` writes it
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The log's public key, or a file that holds it
    #[arg(long, value_name = "KEY|FILE")]
    key: String,
    /// The record alone, if it is proven
    #[arg(long)]
    json: bool,
}

pub(super) fn check_proof(arguments: &CheckProofArguments) -> Result<(), Exit> {
    let key = public(&arguments.key, KeyKind::Log)?;
    let bytes = read(&arguments.file, PROOF_BYTES_MAX)?;
    let unverified = |why: String| {
        complain(&format!("`{}` proves nothing: {why}", arguments.file.display()), None);
        Exit::Unverified
    };
    let proof = RecordProof::parse(&bytes).map_err(|error| unverified(error.to_string()))?;
    let record = proof.check(&key).map_err(|error| unverified(error.to_string()))?;
    let record = String::from_utf8_lossy(record);
    if arguments.json {
        say(&record);
        return Ok(());
    }
    let head = proof.checkpoint.head();
    let text = format!(
        "proven: record {} is in the log `{}`, under its signed head of {} records\n{record}\n\
         not proven: that this head is the newest, or the one that others were shown",
        proof.index.saturating_add(1),
        head.origin,
        head.size,
    );
    say(&inert_lines(&text));
    Ok(())
}

pub(super) fn public(text: &str, kind: KeyKind) -> Result<Verifier, Exit> {
    signing::public(text, kind).map_err(|why| {
        complain(
            &placet_engine::diagnostic::inert(&why),
            Some("a node writes its log's key to `ledger.pub` in its state"),
        );
        Exit::Usage
    })
}

/// Reads a file of at most `bytes_max` bytes, and one more of a longer one, which its reader then refuses.
pub(super) fn read(path: &PathBuf, bytes_max: usize) -> Result<Vec<u8>, Exit> {
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path);
    match file.and_then(|file| file.take(bytes_max as u64 + 1).read_to_end(&mut bytes)) {
        Ok(_) => Ok(bytes),
        Err(cause) => {
            complain(&format!("cannot read `{}`: {cause}", path.display()), None);
            Err(Exit::Usage)
        }
    }
}
