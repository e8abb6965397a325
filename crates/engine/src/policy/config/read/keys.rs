//! The keys of the file: those that are read, and those that the design names but this version does not read.
//!
//! A key of the second kind is an error of its own. A rule that is written down and not enforced is worse
//! than one that is missing, and "unknown key" would send its author looking for a typing mistake.

/// The keys of one kind of table.
pub(super) struct Keys {
    /// Those that are read.
    pub(super) known: &'static [&'static str],
    /// Those that are not read yet, and what to do until then.
    pub(super) unbuilt: &'static [(&'static str, &'static str)],
}

/// For what would permit, prepare or tune something.
const NO_EFFECT: &str = "take it out: it would have no effect";

/// For what would refuse something.
const UNENFORCED: &str = "take it out: what is not enforced must not look as if it were";

/// A template is written out, never merged: each rule that holds has its line.
const TEMPLATE: &str =
    "a template is written out, so that each rule has its line: `placet init --template NAME` does that";

pub(super) const TOP: Keys = Keys {
    known: &[
        "version",
        "tenant",
        "state",
        "reload",
        "zone",
        "servers",
        "clients",
        "agents",
        "guards",
        "approvers",
        "people",
        "budgets",
        "trips",
        "session",
        "durability",
        "payloads",
        "fail",
        "match",
        "invariants",
        "test",
    ],
    unbuilt: &[
        ("facts", UNENFORCED),
        ("require_for_apply", UNENFORCED),
        ("template", TEMPLATE),
        ("templates", TEMPLATE),
        ("include", "keep everything in this one file until then"),
        ("secrets", "refer to a secret where it is used, as in `\"${file:/run/secrets/crm}\"`"),
        ("gateway", NO_EFFECT),
    ],
};

pub(super) const SERVER: Keys = Keys {
    known: &["command", "env", "cwd", "tools", "trusted", "requests", "meta", "resources", "integers"],
    unbuilt: &[
        ("url", "only servers that are started here, with `command`, can be reached yet"),
        ("auth", "only servers that are started here, with `command`, can be reached yet"),
        ("share", NO_EFFECT),
        ("new_tools", "take it out: a tool that is not listed cannot be called"),
        ("confirm_covers", UNENFORCED),
        ("pin", UNENFORCED),
    ],
};

pub(super) const TOOL: Keys = Keys {
    known: &["level", "cost", "actual", "once", "repeat", "labels", "canary", "result_max", "deadline"],
    unbuilt: &[("dry_run", UNENFORCED), ("inputs", UNENFORCED)],
};

pub(super) const ONCE: Keys = Keys { known: &["key", "by", "within", "forward", "reconcile"], unbuilt: &[] };

pub(super) const RECONCILE: Keys = Keys { known: &["tool", "args", "happened"], unbuilt: &[] };

pub(super) const CLIENT: Keys =
    Keys { known: &["credential", "agent", "servers", "sessions"], unbuilt: &[("acts_for", NO_EFFECT)] };

pub(super) const AGENT: Keys =
    Keys { known: &["team", "levels", "allow", "deny", "disclose", "observe"], unbuilt: &[] };

pub(super) const GUARD: Keys = Keys {
    known: &["for", "level", "when", "id", "require", "forbid"],
    unbuilt: &[
        ("hold", UNENFORCED),
        ("match", "keep examples outside of this file until then"),
        ("not_match", "keep examples outside of this file until then"),
    ],
};

pub(super) const FOR: Keys = Keys { known: &["agent", "team"], unbuilt: &[] };

pub(super) const APPROVERS: Keys = Keys { known: &["expires", "strength", "self"], unbuilt: &[] };

pub(super) const PERSON: Keys = Keys { known: &["email", "credential", "may"], unbuilt: &[] };

pub(super) const BUDGET: Keys = Keys {
    known: &[
        "name",
        "for",
        "per",
        "zone",
        "spend",
        "calls",
        "tokens",
        "bytes",
        "time",
        "errors",
        "recipients",
        "rows",
        "over",
        "warn",
        "unpriced",
    ],
    unbuilt: &[],
};

pub(super) const BUDGET_FOR: Keys = Keys {
    known: &["agent", "team", "client", "server", "tool"],
    unbuilt: &[("session", "write `per = \"session\"` beside whose calls count"), ("label", UNENFORCED)],
};

pub(super) const TRIP: Keys =
    Keys { known: &["name", "agent", "denials", "loops", "spend", "within"], unbuilt: &[] };

pub(super) const SESSION: Keys = Keys { known: &["idle", "max"], unbuilt: &[] };

pub(super) const DURABILITY: Keys = Keys { known: &["reads", "write", "execute", "delete"], unbuilt: &[] };

pub(super) const PAYLOADS: Keys = Keys { known: &["key", "old"], unbuilt: &[] };

pub(super) const FAIL: Keys =
    Keys { known: &["audit", "store", "policy", "approver", "upstream", "clock"], unbuilt: &[] };

pub(super) const LEVELS: Keys = Keys { known: &["read", "write", "execute", "delete"], unbuilt: &[] };

pub(super) const MATCH: Keys =
    Keys { known: &["path", "is", "all", "any", "first", "len", "match", "not_match"], unbuilt: &[] };

pub(super) const POLICY_TEST: Keys = Keys {
    known: &[
        "name", "agent", "tool", "args", "session", "at", "dry_run", "cost", "decision", "code", "controls",
        "by",
    ],
    unbuilt: &[],
};

pub(super) const INVARIANT: Keys =
    Keys { known: &["name", "levels", "tools", "for", "when", "need", "never"], unbuilt: &[] };

pub(super) const NEVER: Keys = Keys { known: &["agent", "team", "tool", "levels", "when"], unbuilt: &[] };

pub(super) const TEST_SESSION: Keys = Keys { known: &["steps", "labels"], unbuilt: &[] };

pub(super) const COUNT: Keys = Keys { known: &["at_least", "at_most"], unbuilt: &[] };

pub(super) const TEST: Keys = Keys {
    known: &[
        "equals",
        "one_of",
        "prefix",
        "suffix",
        "contains",
        "regex",
        "glob",
        "number",
        "email",
        "url",
        "path",
        "command",
        "sql",
        "any_of",
        "not",
        "ignore_case",
    ],
    unbuilt: &[],
};

pub(super) const NUMBER: Keys = Keys { known: &["above", "at_least", "below", "at_most"], unbuilt: &[] };

pub(super) const EMAIL: Keys = Keys { known: &["domain", "domains", "subdomains"], unbuilt: &[] };

pub(super) const URL: Keys = Keys {
    known: &["scheme", "schemes", "host", "hosts", "host_suffix", "port", "ports", "path_prefix"],
    unbuilt: &[],
};

pub(super) const FILE: Keys = Keys { known: &["under", "under_any", "base", "suffix", "name"], unbuilt: &[] };

pub(super) const COMMAND: Keys =
    Keys { known: &["program", "programs", "argv_prefix", "never"], unbuilt: &[] };

pub(super) const SQL: Keys = Keys { known: &["statements"], unbuilt: &[] };
