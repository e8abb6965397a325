//! The model of `placet.toml`: what an operator wrote, checked and with its defaults filled in.
//!
//! Plain data. [`read()`] makes it of a text, or says everything that is wrong with the text; [`write()`]
//! prints it as a text that reads back as the same model. Two models are equal if they mean the same: on
//! which line something stands ([`At`], `line`) is for messages and takes no part.
//!
//! Not here: what the model permits (it is lowered to Cedar elsewhere), and whether the secrets that it
//! refers to exist. Start at [`Config`].

mod control;
mod invariant;
mod pattern;
pub mod people;
mod policy_test;
pub mod read;
pub mod terms;
mod text;
pub mod write;

pub use self::{
    control::{Control, ControlError, Strength},
    invariant::{About, Claim, Invariant, Need},
    pattern::{Pattern, PatternError},
    people::{Approvers, Email, OwnCalls, Person, Right, RightError},
    policy_test::{Expected, PolicyTest, Proposed, Word},
    read::{Read, length, read},
    text::{Part, Text, TextError, TextFault},
    write::{Comments, write},
};

use super::when::When;
use crate::{
    level::{Level, LevelSet},
    names::{AgentName, ClientName, GroupName, MatchName, PersonName, ServerName, TeamName, ToolName},
    policy::facts::Match,
    window::Zone,
};
use std::{
    cmp::Ordering,
    collections::{BTreeMap, BTreeSet},
    fmt,
    hash::{Hash, Hasher},
    str::FromStr,
};

/// All of a `placet.toml`. The empty one lets nothing happen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Config {
    /// The directory of what is remembered, if not the usual one.
    pub state: Option<String>,
    /// The tool servers that stand behind us.
    pub servers: BTreeMap<ServerName, Server>,
    /// The programs with a credential.
    pub clients: BTreeMap<ClientName, Client>,
    /// The agents and their remits.
    pub agents: BTreeMap<AgentName, Agent>,
    /// What must also hold, in the order of the file. Guards of one scope stand together there, since a scope
    /// is a key: [`write()`] moves one that does not.
    pub guards: Vec<Guard>,
    /// The settings of groups of approvers. A group without a table has those of [`Approvers::default`].
    pub approvers: BTreeMap<GroupName, Approvers>,
    /// Who answers and gives orders, and what each may do.
    pub people: BTreeMap<PersonName, Person>,
    /// By whose clock conditions read the hour and the day.
    pub zone: Zone,
    /// How much may be spent, in the order of the file.
    pub budgets: Vec<terms::Budget>,
    /// When the boundary narrows by itself, in the order of the file.
    pub trips: Vec<terms::Trip>,
    /// How long sessions last.
    pub session: terms::SessionTerms,
    /// What is remembered how carefully.
    pub durability: terms::Durability,
    /// Under which key arguments and kept results are encrypted at rest; `None`: they stand in plain text.
    pub payloads: Option<terms::Payloads>,
    /// Facts about arguments.
    pub matches: BTreeMap<MatchName, Match>,
    /// What must be true of every call that is allowed, in the order of the file. No part of what is judged.
    pub invariants: Vec<Invariant>,
    /// What the policy is expected to say, in the order of the file. No part of what is judged.
    pub tests: Vec<PolicyTest>,
    /// What makes a changed file effective.
    pub reload: Reload,
}

/// What makes a changed file effective.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reload {
    /// A person, each time.
    #[default]
    Apply,
    /// The node itself, where the change only narrows; a person otherwise.
    Auto,
}

impl Reload {
    /// Both of them.
    pub const ALL: [Reload; 2] = [Reload::Apply, Reload::Auto];

    /// The word for it in the file.
    pub const fn as_str(self) -> &'static str {
        match self {
            Reload::Apply => "apply",
            Reload::Auto => "auto",
        }
    }
}

/// A value and the line that it stands on, counted from 1. Only the value counts when two are compared: a
/// written file is read back and compared with the model meant.
#[derive(Clone, Copy, Debug)]
pub struct At<T> {
    /// The value.
    pub value: T,
    /// The line in `placet.toml`.
    pub line: usize,
}

impl<T: PartialEq> PartialEq for At<T> {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

impl<T: Eq> Eq for At<T> {}

impl<T: PartialOrd> PartialOrd for At<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        self.value.partial_cmp(&other.value)
    }
}

impl<T: Ord> Ord for At<T> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.value.cmp(&other.value)
    }
}

impl<T: Hash> Hash for At<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.value.hash(state);
    }
}

/// A tool server: how it is started, and what each of its tools does.
#[derive(Clone, Debug)]
pub struct Server {
    /// How it is started.
    pub launch: Launch,
    /// What each tool does. A tool that is not listed is unknown and cannot be called.
    pub tools: BTreeMap<ToolName, At<terms::Tool>>,
    /// Whether its structured results are believed where they say what a call did cost.
    pub trusted: bool,
    /// What it may ask of the client.
    pub requests: BTreeSet<ServerRequest>,
    /// The keys of `_meta` that pass toward it, besides those that always do.
    pub meta: Vec<String>,
    /// URI globs of the resources that may be read; `None` is all of them.
    pub resources: Option<Vec<String>>,
    /// How large an integer may be.
    pub integers: Integers,
    /// The line of its table; no part of equality.
    pub line: usize,
}

impl PartialEq for Server {
    fn eq(&self, other: &Self) -> bool {
        let Self { launch, tools, trusted, requests, meta, resources, integers, line: _ } = self;
        *launch == other.launch
            && *tools == other.tools
            && *trusted == other.trusted
            && *requests == other.requests
            && *meta == other.meta
            && *resources == other.resources
            && *integers == other.integers
    }
}

impl Eq for Server {}

/// How a server's process is started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Launch {
    /// The program and its arguments; never empty, and nothing in it is a reference.
    pub command: Vec<String>,
    /// What is added to its minimal environment.
    pub env: BTreeMap<String, Text>,
    /// The folder that it runs in.
    pub cwd: Cwd,
}

/// The folder that a server runs in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Cwd {
    /// That of our own process.
    #[default]
    Node,
    /// That of the client which attaches.
    Client,
    /// This one, an absolute path.
    Path(String),
}

/// Something that a server may ask of the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ServerRequest {
    /// A question to the user.
    Elicitation,
    /// A completion by the client's model.
    Sampling,
    /// The folders that the client works in.
    Roots,
}

impl ServerRequest {
    /// All of them, in the order in which they are always listed.
    pub const ALL: [ServerRequest; 3] =
        [ServerRequest::Elicitation, ServerRequest::Sampling, ServerRequest::Roots];

    /// The word for it in the file.
    pub const fn as_str(self) -> &'static str {
        match self {
            ServerRequest::Elicitation => "elicitation",
            ServerRequest::Sampling => "sampling",
            ServerRequest::Roots => "roots",
        }
    }
}

/// How large an integer may be in a call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Integers {
    /// Kept to the digit, up to 64 bits, where the tool's schema says that it is an integer.
    #[default]
    Exact,
    /// At most 2^53 - 1, for a server that reads every number as a double.
    Safe,
}

impl Integers {
    /// Both of them.
    pub const ALL: [Integers; 2] = [Integers::Exact, Integers::Safe];

    /// The word for it in the file.
    pub const fn as_str(self) -> &'static str {
        match self {
            Integers::Exact => "exact",
            Integers::Safe => "safe",
        }
    }
}

/// A program with a credential, and the agent that it stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Client {
    /// The digest of its secret.
    pub credential: Credential,
    /// The agent whose remit it has.
    pub agent: AgentName,
    /// The servers that it may reach.
    pub servers: BTreeSet<ServerName>,
    /// Whether it may open sessions: a host application that names its runs.
    pub sessions: bool,
}

/// The SHA-256 digest of a client's secret, as text `sha256:` and 64 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Credential(pub [u8; 32]);

/// A text that is no [`Credential`]. It does not repeat the text, which may be the secret itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotACredential;

impl fmt::Display for NotACredential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a credential is `sha256:` and 64 hexadecimal digits")
    }
}

impl std::error::Error for NotACredential {}

impl FromStr for Credential {
    type Err = NotACredential;

    fn from_str(text: &str) -> Result<Self, NotACredential> {
        let digits = text.strip_prefix("sha256:").ok_or(NotACredential)?;
        let (pairs, rest) = digits.as_bytes().as_chunks::<2>();
        let mut digest = [0; 32];
        if pairs.len() != digest.len() || !rest.is_empty() {
            return Err(NotACredential);
        }
        let nibble = |digit: u8| char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok());
        for (byte, [high, low]) in digest.iter_mut().zip(pairs) {
            let (high, low) = nibble(*high).zip(nibble(*low)).ok_or(NotACredential)?;
            *byte = high << 4 | low;
        }
        Ok(Self(digest))
    }
}

impl fmt::Display for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("sha256:")?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// An agent's remit.
#[derive(Clone, Debug, Default)]
pub struct Agent {
    /// The team that it belongs to. A team exists if an agent names it.
    pub team: Option<TeamName>,
    /// Every tool of these levels.
    pub levels: LevelSet,
    /// Tools besides.
    pub allow: Vec<At<Pattern>>,
    /// Tools that it may not call, whatever else says so.
    pub deny: Vec<At<Pattern>>,
    /// How much a refusal tells its model.
    pub disclose: Disclose,
    /// Whether policy is only watched: what it would refuse or ask about runs, with a record that says so.
    pub observe: bool,
    /// The line of its table; no part of equality.
    pub line: usize,
}

impl PartialEq for Agent {
    fn eq(&self, other: &Self) -> bool {
        let Self { team, levels, allow, deny, disclose, observe, line: _ } = self;
        *team == other.team
            && *levels == other.levels
            && *allow == other.allow
            && *deny == other.deny
            && *disclose == other.disclose
            && *observe == other.observe
    }
}

impl Eq for Agent {}

/// How much a refusal tells the model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Disclose {
    /// The code alone.
    Code,
    /// The code and the reason.
    #[default]
    Reason,
    /// Also what the agent holds and what the tool needs.
    Full,
}

impl Disclose {
    /// All of them, from the least to the most.
    pub const ALL: [Disclose; 3] = [Disclose::Code, Disclose::Reason, Disclose::Full];

    /// The word for it in the file.
    pub const fn as_str(self) -> &'static str {
        match self {
            Disclose::Code => "code",
            Disclose::Reason => "reason",
            Disclose::Full => "full",
        }
    }
}

/// Something that must also hold before a tool runs.
#[derive(Clone, Debug)]
pub struct Guard {
    /// The tools that it is about.
    pub scope: GuardScope,
    /// The agents that it is about; `None` is all of them.
    pub applies_to: Option<Scope>,
    /// The levels of the tools that it is about, never an empty set, and never set beside a scope that is a
    /// level; `None` is all of them.
    pub levels: Option<LevelSet>,
    /// When it holds, by what is known of the call; `None` is always.
    pub when: Option<When>,
    /// What records and messages call it: one guard's alone, at most 128 characters, all of them visible.
    pub id: Option<String>,
    /// What it does.
    pub effect: GuardEffect,
    /// The line that it stands on; no part of equality.
    pub line: usize,
}

impl PartialEq for Guard {
    fn eq(&self, other: &Self) -> bool {
        let Self { scope, applies_to, levels, when, id, effect, line: _ } = self;
        *scope == other.scope
            && *applies_to == other.applies_to
            && *levels == other.levels
            && *when == other.when
            && *id == other.id
            && *effect == other.effect
    }
}

impl Eq for Guard {}

/// The tools that a guard is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum GuardScope {
    /// Every tool of a level.
    Level(Level),
    /// Every tool that a pattern matches.
    Tools(Pattern),
}

impl fmt::Display for GuardScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            GuardScope::Level(level) => level.fmt(f),
            GuardScope::Tools(pattern) => pattern.fmt(f),
        }
    }
}

/// The agents that a guard is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// One agent.
    Agent(AgentName),
    /// The agents of a team.
    Team(TeamName),
}

/// What a guard does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GuardEffect {
    /// All of these must have happened; never none.
    Require(Vec<Control>),
    /// The call is refused, with these words for the model; never an empty text.
    Forbid(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credential_is_a_prefix_and_64_hexadecimal_digits() {
        let digits = "0123456789abcdef".repeat(4);
        for (text, good) in [
            (format!("sha256:{digits}"), true),
            (format!("sha256:{}", digits.to_uppercase()), true),
            (digits.clone(), false),
            (format!("sha512:{digits}"), false),
            (format!("sha256:{digits}0"), false),
            (format!("sha256:{digits}00"), false),
            (format!("sha256:{}", &digits[1..]), false),
            (format!("sha256:{}", &digits[2..]), false),
            (format!("sha256:g{}", &digits[1..]), false),
            (format!("sha256:+{}", &digits[1..]), false),
            (format!("sha256:é{}", &digits[2..]), false),
            (String::new(), false),
        ] {
            assert_eq!(text.parse::<Credential>().is_ok(), good, "{text:?}");
            if good {
                assert_eq!(text.parse::<Credential>().unwrap().to_string(), text.to_lowercase());
            }
        }
    }

    #[test]
    fn where_something_stands_is_no_part_of_what_it_is() {
        assert_eq!(At { value: Level::Read, line: 1 }, At { value: Level::Read, line: 2 });
        assert!(At { value: Level::Read, line: 9 } < At { value: Level::Write, line: 2 });
        assert_eq!(Agent { line: 1, ..Agent::default() }, Agent { line: 2, ..Agent::default() });
    }
}
