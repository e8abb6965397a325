//! Fail modes: what is on disk before a call runs, what is waited for, and what happens when a part of the node is
//! lost, as a table that a person sees at each start and from `placet check`.
//!
//! Nothing here decides. How an intent is kept is [`Durability::before`]'s to say, which the engine asks too; the rest
//! is the same for every file, since no part fails open. Why not: `docs/design/0007-fail-modes.md`.

use placet_engine::{
    level::Level,
    policy::config::terms::{Durability, Flush},
};

/// What a kind of call keeps to.
struct Row {
    what: &'static str,
    before: &'static str,
    outcome: &'static str,
    store_lost: &'static str,
    unknown: &'static str,
}

/// What happens when another part is lost.
const PARTS: [(&str, &str); 5] = [
    (
        "audit",
        "what cannot be recorded does not run; what cannot be sealed yet is recorded, told, and sealed later",
    ),
    ("policy", "a version that cannot be used starts no node, and takes no other's place"),
    ("approver", "without an answer the question expires, and nothing runs"),
    ("upstream", "deny; what was sent and not answered is unknown"),
    ("clock", "a jump is not followed until a person accepts it, so no window ends early"),
];

/// The table, a line each.
///
/// ```
/// use placet::fail_modes;
/// use placet_engine::policy::config::terms::Durability;
/// let lines = fail_modes::table(Durability::default());
/// assert!(lines.iter().any(|line| line.starts_with("delete ") && line.contains("on disk")));
/// assert!(!lines.iter().any(|line| line.contains("allow")));
/// ```
pub fn table(durability: Durability) -> Vec<String> {
    let head = Row {
        what: "level",
        before: "intent before it runs",
        outcome: "outcome",
        store_lost: "store lost",
        unknown: "unknown outcome",
    };
    let refusal =
        Row { what: "refusal, dry run", before: "queued", outcome: "-", store_lost: "stands", unknown: "-" };
    let calls = [
        ("read", Level::Read, true),
        ("read with budget or key", Level::Read, false),
        ("write", Level::Write, false),
        ("execute", Level::Execute, false),
        ("delete", Level::Delete, false),
    ];
    let calls = calls.map(|(what, level, is_free)| row(what, level, is_free, durability));
    let rows = [head].into_iter().chain(calls).chain([refusal]);
    let lines = rows.map(|row| {
        let Row { what, before, outcome, store_lost, unknown } = row;
        format!("{what:24} {before:40} {outcome:12} {store_lost:11} {unknown}")
    });
    lines.chain(PARTS.map(|(part, what)| format!("{:24} {what}", format!("{part} lost")))).collect()
}

fn row(what: &'static str, level: Level, is_free: bool, durability: Durability) -> Row {
    Row {
        what,
        before: match durability.before(level, is_free) {
            None => "queued",
            Some(Flush::Disk) => "on disk",
            Some(Flush::System) => "with the system (not after a power cut)",
        },
        outcome: match level {
            Level::Delete => "waited for",
            Level::Read | Level::Write | Level::Execute => "queued",
        },
        store_lost: "deny",
        unknown: if is_free { "nothing held" } else { "cost and key kept" },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_says_what_each_level_waits_for() {
        let usual = table(Durability::default()).join("\n");
        let wanted = "\
level                    intent before it runs                    outcome      store lost  unknown outcome
read                     queued                                   queued       deny        nothing held
read with budget or key  on disk                                  queued       deny        cost and key kept
write                    on disk                                  queued       deny        cost and key kept
execute                  on disk                                  queued       deny        cost and key kept
delete                   on disk                                  waited for   deny        cost and key kept
refusal, dry run         queued                                   -            stands      -
audit lost               what cannot be recorded does not run; what cannot be sealed yet is recorded, told, and sealed later
policy lost              a version that cannot be used starts no node, and takes no other's place
approver lost            without an answer the question expires, and nothing runs
upstream lost            deny; what was sent and not answered is unknown
clock lost               a jump is not followed until a person accepts it, so no window ends early";
        assert_eq!(usual, wanted);
    }

    #[test]
    fn less_care_is_shown_where_the_file_asks_for_it() {
        let durability = Durability { reads_wait: true, execute: Flush::System, ..Durability::default() };
        let lines = table(durability);
        let of = |what: &str| lines.iter().find(|line| line.starts_with(what)).cloned().unwrap_or_default();
        assert!(of("read  ").contains("on disk"), "{lines:#?}");
        assert!(of("execute").contains("not after a power cut"), "{lines:#?}");
        assert!(of("write").contains("on disk"), "{lines:#?}");
    }
}
