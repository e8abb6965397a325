//! Every bound in one place: what it limits, in which unit, and why that much.
//!
//! A refusal that comes from a bound quotes it. All may be configured downward, none upward here.

use std::time::Duration;

/// How long a permit opens its tool, on the boot clock. Long enough for a busy writer, short enough that a
/// stop, a policy or a catalogue never acts on a decision that is older than this.
pub const PERMIT_LIFE: Duration = Duration::from_secs(2);

/// How often a call is judged again after the world moved between its decision and its commit.
pub const DECIDE_ATTEMPTS: usize = 3;

/// How many entries of a session's history are kept and shown.
pub const HISTORY_ENTRIES: usize = 100;

/// How long a session may lie idle before the client's next call begins another.
pub const SESSION_IDLE: Duration = Duration::from_secs(30 * 60);

/// How long a session may last at all.
pub const SESSION_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// The longest record, in bytes of its canonical text. The ledger's format would take eight times as much.
pub const RECORD_BYTES: usize = 8 << 10;

/// How many ids, holds or charges one record lists; of more it says how many.
pub const LISTED: usize = 24;

/// The longest text of a person, a server or a caller in a record, in characters.
pub const WORDS_CHARS: usize = 512;

/// At which of the same reads with the same answer, in a row, a loop is stopped.
pub const LOOP_READS: u32 = 10;

/// At which of the same effects with the same answer, in a row, a loop is stopped.
pub const LOOP_EFFECTS: u32 = 5;

/// The largest result, in bytes, that is kept to be handed out again under its key.
pub const KEPT_BYTES: usize = 64 << 10;

/// How long a yes of people waits for the call that they have agreed to.
pub const YES_LASTS: Duration = Duration::from_secs(10 * 60);

/// Questions of one client that may wait for people at once. More than that is a flood, under which a person looks at
/// none of them.
pub const WAITING_QUESTIONS: usize = 64;

/// How long a call waits for people before its agent is told that it waits.
pub const ASK_PATIENCE: Duration = Duration::from_secs(25);

/// How long a call waits for the same one that is under way, before it is told that it is.
pub const JOIN_PATIENCE: Duration = Duration::from_secs(25);

/// The longest that a person may have policy only watched.
pub const PAUSE_MAX: Duration = Duration::from_secs(60 * 60);

/// How long a question waits for a person, unless the group of approvers says otherwise.
pub const APPROVAL_PENDING: Duration = Duration::from_secs(60 * 60);

/// Compiled size, in bytes, of one `pattern` in a tool's schema. Linear-time matching needs no other bound.
pub const PATTERN_BYTES: usize = 1 << 20;

/// Nesting of a tool's schema: deeper ones are refused with their tool.
pub const SCHEMA_DEPTH: usize = 32;

/// The longest text of an argument, in bytes, that a policy judges. Longer ones are documents, not values.
pub const JUDGED_TEXT_BYTES: usize = 64 << 10;

/// The longest list of an argument, in items, that a policy judges one by one.
pub const JUDGED_LIST_ITEMS: usize = 4096;

/// What a policy judges of one list at most, in bytes of its texts together.
pub const JUDGED_ALL_BYTES: usize = 256 << 10;

/// Compiled size, in bytes, of one `regex` or `glob` in a match. The time for one text grows with both: at this
/// size the worst pattern takes about a third of a second for the longest text.
pub const FACT_PATTERN_BYTES: usize = 128 << 10;

/// Characters of a problem with arguments that are told to the agent.
pub const PROBLEM_CHARS: usize = 400;

/// The longest text, in bytes, that a rule reads in a call's arguments. Matching it takes time for each star.
pub const READ_TEXT_BYTES: usize = 64 << 10;

/// The longest list, in items, that a rule reads. Cedar compares sets of texts one by one.
pub const READ_ITEMS: usize = 4_096;

/// Nesting of what a rule reads, the arguments themselves counted. What Cedar does with a value takes time
/// with the square of its depth, and its stack is finite.
pub const READ_DEPTH: usize = 32;

/// All that the rules of one call read together, in bytes: texts and names as they are, each value 8 besides.
pub const READ_BYTES: usize = 256 << 10;
