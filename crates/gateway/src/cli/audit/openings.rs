//! What is kept of calls, held against the records: whether the arguments in a state directory are those that a log
//! commits to, and each with its salt for whoever is to see it.
//!
//! A log and a state come together here that nobody says belong together; what the state does not have, or has
//! erased, is said to be unchecked, never to be good.

use std::fmt;

use placet_engine::{
    call::CallId,
    json::{Json, Limits, Object, parse},
    state::Intent,
};
use placet_ledger::{
    directory::{Directory, Found},
    tile::{Bundle, Tile},
};
use placet_store::sqlite::{PayloadError, Reader};

use crate::commitment::{Opening, opening};

/// Records whose arguments are told of by number; of more only how many.
const NAMED: usize = 8;

/// What became of the arguments that a log's records commit to.
#[derive(Debug, Default)]
pub(super) struct Openings {
    opened: u64,
    erased: u64,
    /// How many are encrypted under a key that is not at hand, or damaged; and why the last of them is.
    sealed: u64,
    sealed_why: Option<PayloadError>,
    uncommitted: u64,
    absent: u64,
    /// How many the log's own records of erasures account for.
    said_erased: u64,
    /// Numbers of the records that commit to something else.
    wrong: Vec<u64>,
}

impl Openings {
    /// Holds the first `size` records of a log, which are verified, against what a state keeps.
    ///
    /// # Errors
    ///
    /// In words, what cannot be read.
    pub(super) fn check(log: &Directory, size: u64, state: &Reader) -> Result<Self, String> {
        let mut openings = Self::default();
        let (mut seq, mut bundle) = (0, Vec::new());
        while seq < size {
            let tile = Tile::of_entries(seq / 256, size).ok_or("the log has no such bundle")?;
            let found = log.read_tile(tile, &mut bundle).map_err(|cause| cause.to_string())?;
            if found == Found::Missing {
                return Err(format!("`{tile}` of the log is gone"));
            }
            let end = seq + tile.width() as u64;
            for entry in Bundle::new(&bundle).take(tile.width()) {
                let entry = entry.map_err(|_| format!("`{tile}` of the log is torn"))?;
                seq += 1;
                openings.see(seq, entry, state)?;
            }
            if seq != end {
                return Err(format!("`{tile}` of the log is too short"));
            }
        }
        Ok(openings)
    }

    fn see(&mut self, seq: u64, entry: &[u8], state: &Reader) -> Result<(), String> {
        // A statement of a rotation is a record too, and no JSON.
        let Ok(record) = parse(entry, &Limits::EDGE) else { return Ok(()) };
        match record.get("kind").and_then(Json::as_str) {
            Some("intent") => {}
            Some("erase") => {
                let calls = record.get("calls").and_then(Json::as_i64);
                self.said_erased += calls.and_then(|calls| u64::try_from(calls).ok()).unwrap_or(0);
                return Ok(());
            }
            Some(_) | None => return Ok(()),
        }
        let call = record.get("call").and_then(Json::as_str).and_then(CallId::parse);
        let kept = match call {
            Some(call) => state.call(call).map_err(|error| error.to_string())?,
            None => None,
        };
        if let Some(why) = kept.as_ref().and_then(|kept| kept.unreadable) {
            self.sealed += 1;
            self.sealed_why = Some(why);
            return Ok(());
        }
        match kept.map(|kept| opening(&record, &kept.intent)) {
            Some(Opening::Opens) => self.opened += 1,
            Some(Opening::Erased) => self.erased += 1,
            Some(Opening::Uncommitted) => self.uncommitted += 1,
            Some(Opening::Differs) => self.wrong.push(seq),
            None => self.absent += 1,
        }
        Ok(())
    }

    pub(super) fn are_good(&self) -> bool {
        self.wrong.is_empty()
    }

    pub(super) fn to_json(&self) -> String {
        let count = |count: u64| Json::from(i64::try_from(count).unwrap_or(i64::MAX));
        let counts = Object::from([
            ("opened", count(self.opened)),
            ("erased", count(self.erased)),
            ("sealed", count(self.sealed)),
            ("said_erased", count(self.said_erased)),
            ("uncommitted", count(self.uncommitted)),
            ("absent", count(self.absent)),
            ("wrong", Json::Array(self.wrong.iter().map(|seq| count(*seq)).collect())),
        ]);
        Json::Object(Object::from([("arguments", Json::Object(counts))])).compact()
    }
}

/// One line, in the words of the report that it stands below.
impl fmt::Display for Openings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("arguments   ")?;
        if !self.are_good() {
            let named: Vec<_> = self.wrong.iter().take(NAMED).map(u64::to_string).collect();
            let more = self.wrong.len().saturating_sub(NAMED);
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            return write!(
                f,
                "FAILED: those kept are not what these records commit to: {}{more}",
                named.join(", ")
            );
        }
        match self.opened {
            0 => f.write_str("not checked: none are kept that a record commits to")?,
            opened => write!(f, "proven: those of {opened} intents are what the records commit to")?,
        }
        if self.erased > 0 {
            write!(f, "; {} erased (erasures of {} are recorded)", self.erased, self.said_erased)?;
        }
        if let Some(why) = self.sealed_why {
            write!(f, "; {} not checked, since they cannot be read: {why}", self.sealed)?;
        }
        if self.uncommitted > 0 {
            write!(f, "; {} recorded without a commitment", self.uncommitted)?;
        }
        if self.absent > 0 {
            write!(f, "; {} not in this state", self.absent)?;
        }
        Ok(())
    }
}

/// What shows one intent's arguments to whoever has its record: salt and arguments as they are kept. None where they
/// are erased, or the record commits to nothing.
pub(super) fn shown(record: &Object, kept: &Intent) -> Option<(String, String)> {
    let opens = opening(&Json::Object(record.clone()), kept) == Opening::Opens;
    let salt = kept.salt.filter(|_| opens)?;
    let salt = salt.iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"));
    Some((salt, kept.arguments.clone()))
}
