//! What the node keeps to: how long sessions last, what is on disk when, and what happens when a part of it
//! fails.
//!
//! That everything which fails denies can be written down; that something allows cannot, since nothing does
//! (`docs/design/0007-fail-modes.md`).
//!
//! Start at [`Reader::session`].

use super::{
    super::Reload,
    super::terms::{Durability, Flush, SessionTerms},
    field::{A_TEXT, Field, Reader},
    keys,
};
use crate::diagnostic::Finding;
use std::time::Duration;

/// The words for when a write is kept.
const FLUSHES: [(&str, Flush); 2] = [("flush", Flush::Disk), ("os", Flush::System)];

impl<'a> Reader<'a> {
    pub(super) fn reload(&mut self, field: &Field<'a>) -> Option<Reload> {
        self.choice(field, &Reload::ALL.map(|reload| (reload.as_str(), reload)))
    }

    pub(super) fn session(&mut self, field: &Field<'a>) -> SessionTerms {
        let Some(table) = self.fields(field, "session", &keys::SESSION) else {
            return SessionTerms::default();
        };
        let bounds = Duration::from_secs(1)..=SessionTerms::LONGEST;
        let mut length = |key| table.get(key).and_then(|length| self.length_of_time(&length, bounds.clone()));
        let usual = SessionTerms::default();
        let terms = SessionTerms {
            idle: length("idle").unwrap_or(usual.idle),
            max: length("max").unwrap_or(usual.max),
        };
        if terms.idle > terms.max {
            let finding = Finding::error("a session would end before it has been idle");
            let at = table.get("idle").or(table.get("max")).map_or(field.at.clone(), |length| length.at);
            self.found(&at, finding.help("`idle` is at most `max`; without them they are 30m and 24h"));
        }
        terms
    }

    pub(super) fn durability(&mut self, field: &Field<'a>) -> Durability {
        let Some(table) = self.fields(field, "durability", &keys::DURABILITY) else {
            return Durability::default();
        };
        let reads = [("queue", false), ("wait", true)];
        let reads_wait = table.get("reads").and_then(|reads_field| self.choice(&reads_field, &reads));
        let mut flush =
            |key| table.get(key).and_then(|flush| self.choice(&flush, &FLUSHES)).unwrap_or_default();
        Durability {
            reads_wait: reads_wait.unwrap_or(false),
            write: flush("write"),
            execute: flush("execute"),
            delete: flush("delete"),
        }
    }

    /// Nothing is kept of this table: it says what happens anyway, or it is an error.
    pub(super) fn fail(&mut self, field: &Field<'a>) {
        let Some(components) = self.fields(field, "fail", &keys::FAIL) else { return };
        for component in keys::FAIL.known.iter().filter_map(|key| components.get(key)) {
            let path = format!("fail.{}", component.name);
            let Some(levels) = self.fields(&component, &path, &keys::LEVELS) else { continue };
            for level in keys::LEVELS.known.iter().filter_map(|key| levels.get(key)) {
                let Some(word) = self.text(&level, A_TEXT) else { continue };
                let finding = match word {
                    "deny" => continue,
                    open if open.split(' ').next() == Some("allow") => {
                        Finding::error("no part of a node fails open, for no level and for no time")
                            .help("write `\"deny\"`, or take it out; docs/design/0007-fail-modes.md says why")
                    }
                    other => {
                        let help = self.near(other, ["deny", "allow"].into_iter());
                        Finding::error(format!("unknown word `{other}` for `{}`", level.name))
                            .help(help.unwrap_or_else(|| "it is `deny`".to_owned()))
                    }
                };
                self.found(&level.at, finding);
            }
        }
    }
}
