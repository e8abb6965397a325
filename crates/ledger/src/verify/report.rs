//! What a verification found: one line for each thing that could be checked, for people and for programs.
//!
//! The JSON form has the same members, in the same order, as that of `tools/placet-verify.py`, so that two
//! verifiers can be compared byte for byte. Its words are part of the format and do not change.

use std::{fmt, ops::Range};

use crate::{
    note::{KeyName, Verifier},
    tree::Hash,
};

/// How one check ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Check {
    /// It was made, and it holds.
    Passed,
    /// It was made, and it does not hold.
    Failed {
        /// Why.
        why: Why,
        /// In which file, where it is one.
        at: Option<String>,
    },
    /// It was not made. That says nothing good.
    NotChecked(Why),
}

impl Check {
    pub(super) fn failed_at(why: Why, at: impl Into<String>) -> Self {
        Self::Failed { why, at: Some(at.into()) }
    }

    /// Why it failed, or was not made.
    pub fn why(&self) -> Option<Why> {
        match self {
            Self::Passed => None,
            Self::Failed { why, at: _ } | Self::NotChecked(why) => Some(*why),
        }
    }

    fn json(&self) -> String {
        match self {
            Self::Passed => r#"{"status":"passed"}"#.to_owned(),
            Self::Failed { why, at: None } => format!(r#"{{"status":"failed","why":"{}"}}"#, why.word()),
            Self::Failed { why, at: Some(at) } => {
                format!(r#"{{"status":"failed","why":"{}","at":{}}}"#, why.word(), quoted(at))
            }
            Self::NotChecked(why) => format!(r#"{{"status":"not_checked","why":"{}"}}"#, why.word()),
        }
    }
}

/// Why a check failed or was not made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// The file is not there.
    Missing,
    /// The file cannot be read as what it should be.
    Malformed,
    /// It is of another log.
    OtherOrigin,
    /// No signature of the key.
    Unsigned,
    /// A signature in the key's name that is none.
    BadSignature,
    /// The listed rotations are no chain from or to the key.
    RotationBad,
    /// What is there is not what should be there.
    Differs,
    /// The log is shorter than a head that was kept.
    Shorter,
    /// Too few witnesses have cosigned.
    QuorumNotMet,
    /// A signature in a witness's name that is none.
    BadCosignature,
    /// There is no checkpoint to go by.
    CheckpointFailed,
    /// The checkpoint is not to be believed.
    SignatureFailed,
    /// A record could not be read.
    RecordsIncomplete,
    /// The records do not lead to the signed root.
    RootNotProven,
    /// Records stand behind the signed ones.
    UnsignedRecords,
    /// No earlier checkpoint was given.
    NoOldCheckpoint,
    /// No witness was named.
    NoWitnessKey,
    /// Nobody but the log says how long it is.
    NoWitness,
    /// As of the witness's time, and no later.
    AsOfWitness,
}

impl Why {
    /// The stable word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Malformed => "malformed",
            Self::OtherOrigin => "other_origin",
            Self::Unsigned => "unsigned",
            Self::BadSignature => "bad_signature",
            Self::RotationBad => "rotation_bad",
            Self::Differs => "differs",
            Self::Shorter => "shorter",
            Self::QuorumNotMet => "quorum_not_met",
            Self::BadCosignature => "bad_cosignature",
            Self::CheckpointFailed => "checkpoint_failed",
            Self::SignatureFailed => "signature_failed",
            Self::RecordsIncomplete => "records_incomplete",
            Self::RootNotProven => "root_not_proven",
            Self::UnsignedRecords => "unsigned_records",
            Self::NoOldCheckpoint => "no_old_checkpoint",
            Self::NoWitnessKey => "no_witness_key",
            Self::NoWitness => "no_witness",
            Self::AsOfWitness => "as_of_witness",
        }
    }

    const fn text(self) -> &'static str {
        match self {
            Self::Missing => "it is not there",
            Self::Malformed => "it cannot be read as what it should be",
            Self::OtherOrigin => "it is of another log than the key",
            Self::Unsigned => "it is not signed by the key",
            Self::BadSignature => "the signature in the key's name is not over it",
            Self::RotationBad => "the listed rotations do not follow from the key, or do not lead to it",
            Self::Differs => "it is not what it was",
            Self::Shorter => "the log is shorter than it was",
            Self::QuorumNotMet => "too few of the witnesses have cosigned",
            Self::BadCosignature => "the signature in a witness's name is none",
            Self::CheckpointFailed => "there is no checkpoint to go by",
            Self::SignatureFailed => "the checkpoint is not to be believed",
            Self::RecordsIncomplete => "a record before could not be read",
            Self::RootNotProven => "the records do not lead to the signed root",
            Self::UnsignedRecords => "records stand behind the checkpoint that no signature covers",
            Self::NoOldCheckpoint => "no earlier checkpoint was given",
            Self::NoWitnessKey => "no witness was named",
            Self::NoWitness => "without a witness nobody but the log says what its newest head is",
            Self::AsOfWitness => "what came after the witness's time is not known",
        }
    }
}

/// One witness's signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cosigned {
    /// The witness.
    pub name: KeyName,
    /// When, by its clock, in seconds since 1970.
    pub at: u64,
}

/// A head that enough witnesses have signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Witnessed {
    /// How many records it covers.
    pub size: u64,
    /// Who signed it.
    pub by: Vec<Cosigned>,
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Which log it says it is.
    pub origin: Option<String>,
    /// How many records the checkpoint covers.
    pub size: Option<u64>,
    /// The root in the checkpoint.
    pub root: Option<Hash>,
    /// The key that signed it: the one given, or one that follows from it.
    pub key: Option<Verifier>,
    /// How many records were read and hashed.
    pub records: u64,
    /// There is a checkpoint.
    pub checkpoint: Check,
    /// It is signed.
    pub signature: Check,
    /// All records that it covers are there.
    pub entries: Check,
    /// They lead to its root.
    pub root_check: Check,
    /// The hash tiles are what the records make of them.
    pub tiles: Check,
    /// No records stand behind those that are signed.
    pub beyond: Check,
    /// The checkpoint that was kept is where this log began.
    pub extends: Check,
    /// Enough witnesses have cosigned.
    pub witnesses: Check,
    /// It is the newest head. Never passed: nobody can prove that.
    pub freshness: Check,
    /// The size of the checkpoint that was kept.
    pub old_size: Option<u64>,
    /// What witnesses have signed.
    pub witnessed: Option<Witnessed>,
    /// The indices among which the first record is that was changed or removed; one index where it is known.
    pub first_bad: Option<Range<u64>>,
}

impl Report {
    pub(super) fn nothing_checked(why: Why) -> Self {
        let not = || Check::NotChecked(why);
        Self {
            origin: None,
            size: None,
            root: None,
            key: None,
            records: 0,
            checkpoint: not(),
            signature: not(),
            entries: not(),
            root_check: not(),
            tiles: not(),
            beyond: not(),
            extends: not(),
            witnesses: not(),
            freshness: not(),
            old_size: None,
            witnessed: None,
            first_bad: None,
        }
    }

    /// The checks by name, in the order in which they are made.
    pub fn checks(&self) -> [(&'static str, &Check); 9] {
        [
            ("checkpoint", &self.checkpoint),
            ("signature", &self.signature),
            ("records", &self.entries),
            ("root", &self.root_check),
            ("tiles", &self.tiles),
            ("beyond", &self.beyond),
            ("extends", &self.extends),
            ("witnesses", &self.witnesses),
            ("freshness", &self.freshness),
        ]
    }

    /// Whether nothing failed, and the records lead to a signed root.
    pub fn is_good(&self) -> bool {
        self.root_check == Check::Passed
            && !self.checks().iter().any(|(_, check)| matches!(check, Check::Failed { .. }))
    }

    /// The report as one line of JSON.
    pub fn to_json(&self) -> String {
        let text = |value: Option<String>| value.map_or("null".to_owned(), |text| quoted(&text));
        let number = |value: Option<u64>| value.map_or("null".to_owned(), |number| number.to_string());
        let checks = self.checks().map(|(name, check)| format!("\"{name}\":{}", check.json()));
        let witnessed = self.witnessed.as_ref().map_or("null".to_owned(), |Witnessed { size, by }| {
            let by = by
                .iter()
                .map(|Cosigned { name, at }| format!(r#"{{"name":{},"at":{at}}}"#, quoted(name.as_str())));
            format!(r#"{{"size":{size},"by":[{}]}}"#, by.collect::<Vec<_>>().join(","))
        });
        let first_bad = self
            .first_bad
            .as_ref()
            .map_or("null".to_owned(), |range| format!(r#"{{"from":{},"to":{}}}"#, range.start, range.end));
        format!(
            r#"{{"verdict":"{}","origin":{},"size":{},"root":{},"key":{},"records":{},"checks":{{{}}},"old_size":{},"witnessed":{witnessed},"first_bad":{first_bad}}}"#,
            if self.is_good() { "good" } else { "failed" },
            text(self.origin.clone()),
            number(self.size),
            text(self.root.map(|root| root.to_string())),
            text(self.key.as_ref().map(ToString::to_string)),
            self.records,
            checks.join(","),
            number(self.old_size),
        )
    }

    /// What a passed check has shown.
    fn shown(&self, name: &str) -> String {
        let (size, old) = (self.size.unwrap_or(0), self.old_size.unwrap_or(0));
        match name {
            "checkpoint" => {
                let origin = self.origin.as_deref().unwrap_or_default();
                format!("it is there, and speaks of {size} records of `{origin}`")
            }
            "signature" => self.key.as_ref().map_or(String::new(), |key| format!("by `{key}`")),
            "records" => format!("all {size} are there"),
            "root" => "recomputed from the records, and equal to the signed one".to_owned(),
            "tiles" => "every stored hash is what the records make it".to_owned(),
            "beyond" => "nothing stands behind the signed records".to_owned(),
            "extends" => format!("its first {old} records are those of the checkpoint that was kept"),
            "witnesses" => self.witnessed.as_ref().map_or(String::new(), |Witnessed { size: seen, by }| {
                let by = by.iter().map(|Cosigned { name, at }| format!("`{name}` at {}", utc(*at)));
                let rest = match size.saturating_sub(*seen) {
                    0 => String::new(),
                    rest => format!("; the last {rest} records are not witnessed"),
                };
                format!("the first {seen} records, by {}{rest}", by.collect::<Vec<_>>().join(", "))
            }),
            _ => String::new(),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, check) in self.checks() {
            match check {
                Check::Passed => writeln!(f, "{name:<11} proven: {}", self.shown(name))?,
                Check::Failed { why, at } => {
                    let at = at.as_ref().map_or(String::new(), |at| format!(" (`{at}`)"));
                    let text = match (name, why) {
                        ("root", Why::Differs) => "the records do not lead to the signed one",
                        ("tiles", Why::Differs) => "a stored hash is not what the records make it",
                        ("extends", Why::Differs) => {
                            "its first records are not those of the checkpoint that was kept"
                        }
                        ("witnesses", Why::Differs) => {
                            "its first records are not those that the witnesses saw"
                        }
                        _ => why.text(),
                    };
                    writeln!(f, "{name:<11} FAILED: {text}{at}")?;
                }
                // That nobody else was asked is a limit of the proof; everything else is a check left out.
                Check::NotChecked(why) if name == "freshness" => {
                    writeln!(f, "{name:<11} not proven: {}", why.text())?;
                }
                Check::NotChecked(why) => writeln!(f, "{name:<11} not checked: {}", why.text())?,
            }
        }
        match &self.first_bad {
            None => {}
            Some(range) if range.end - range.start == 1 => {
                writeln!(f, "the first record that was changed or removed has index {}", range.start)?;
            }
            Some(range) => writeln!(
                f,
                "the first record that was changed or removed is among indices {} to {}",
                range.start,
                range.end - 1
            )?,
        }
        f.write_str(if self.is_good() {
            "good: what is called proven above is proven, and nothing else"
        } else {
            "failed: this is not the log that was signed"
        })
    }
}

/// A JSON string.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for char in text.chars() {
        match char {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            control if u32::from(control) < 0x20 => {
                quoted.push_str(&format!("\\u{:04x}", u32::from(control)))
            }
            plain => quoted.push(plain),
        }
    }
    quoted.push('"');
    quoted
}

/// Seconds since 1970 as a date and time, for people.
fn utc(seconds: u64) -> String {
    // Civil date from days, by counting in eras of 400 years that begin in March.
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    let days = days.saturating_add(719_468);
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let date = day - (153 * month + 2) / 5 + 1;
    let (month, over) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    let year = year + era * 400 + over;
    format!("{year:04}-{month:02}-{date:02}T{:02}:{:02}:{:02}Z", rest / 3_600, rest / 60 % 60, rest % 60)
}
