//! People: what each may do, and the settings of the groups that guards ask.
//!
//! A group has the members that `may` gives it, and no list of its own: who may approve for it is read beside
//! everything else that a person may do. Who somebody is, and how that is proved, is not in the file.
//!
//! Of the rights only `approve:GROUP` is acted on yet ([`crate::approval`]); `placet check` says so of the others.
//!
//! Start at [`Person`].

use super::{Credential, Strength};
use crate::{
    diagnostic::did_you_mean,
    names::{GroupName, NameError, PersonName},
    policy::facts::{Unfit, email::address},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    str::FromStr,
    time::Duration,
};

/// Somebody who answers questions and gives orders.
#[derive(Clone, Debug, Default)]
pub struct Person {
    /// Where that person is written to, and known by when signing in: one person's alone.
    pub email: Option<Email>,
    /// The digest of the secret by which that person gives orders in a terminal, if there is one.
    pub credential: Option<Credential>,
    /// What that person may do; nothing that is not named.
    pub may: BTreeSet<Right>,
    /// The line of its table; no part of equality.
    pub line: usize,
}

impl PartialEq for Person {
    fn eq(&self, other: &Self) -> bool {
        let Self { email, credential, may, line: _ } = self;
        *email == other.email && *credential == other.credential && *may == other.may
    }
}

impl Eq for Person {}

impl Person {
    /// Whether this person may answer what a group is asked.
    pub fn may_approve(&self, group: &GroupName) -> bool {
        self.may.iter().any(|right| matches!(right, Right::Approve(of) if of == group))
    }
}

/// An address of electronic mail that all mailers read alike.
#[derive(Clone, Debug)]
pub struct Email(String);

impl Email {
    /// The address as it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Two addresses that differ in the case of letters reach one person everywhere that matters.
impl PartialEq for Email {
    fn eq(&self, other: &Self) -> bool {
        self.0.eq_ignore_ascii_case(&other.0)
    }
}

impl Eq for Email {}

impl FromStr for Email {
    type Err = Unfit;

    fn from_str(text: &str) -> Result<Self, Unfit> {
        address(text).map(|()| Self(text.to_owned()))
    }
}

/// Something that a person may do.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Right {
    /// See calls, records and what is waiting.
    View,
    /// Answer what this group is asked.
    Approve(GroupName),
    /// Stop calls.
    Stop,
    /// End a stop.
    Resume,
    /// Say what became of a call without an outcome.
    Resolve,
    /// Accept a tool that changed.
    Accept,
    /// Make a changed file effective.
    Apply,
    /// Erase what is kept of calls.
    Erase,
}

/// Before the group in `approve:GROUP`.
const APPROVE: &str = "approve";

impl Right {
    /// Those that are a word of their own; `approve:GROUP` stands between the first and the others.
    pub const PLAIN: [Right; 7] =
        [Right::View, Right::Stop, Right::Resume, Right::Resolve, Right::Accept, Right::Apply, Right::Erase];

    /// The word for it in the file, without a group.
    pub const fn word(&self) -> &'static str {
        match self {
            Right::View => "view",
            Right::Approve(_) => APPROVE,
            Right::Stop => "stop",
            Right::Resume => "resume",
            Right::Resolve => "resolve",
            Right::Accept => "accept",
            Right::Apply => "apply",
            Right::Erase => "erase",
        }
    }
}

impl fmt::Display for Right {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Right::Approve(group) => write!(f, "{APPROVE}:{group}"),
            Right::View
            | Right::Stop
            | Right::Resume
            | Right::Resolve
            | Right::Accept
            | Right::Apply
            | Right::Erase => f.write_str(self.word()),
        }
    }
}

/// A text that is no [`Right`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RightError {
    /// No right is called so.
    Unknown(String),
    /// It does not say for which group.
    NoGroup,
    /// The group's name is none.
    Group(NameError),
}

impl RightError {
    /// What to write instead.
    pub fn help(&self) -> String {
        match self {
            RightError::Unknown(word) => {
                let words = Right::PLAIN.iter().map(Right::word).chain([APPROVE]);
                match did_you_mean(word, words) {
                    Some(APPROVE) => "did you mean `approve:GROUP`?".to_owned(),
                    Some(near) => format!("did you mean `{near}`?"),
                    None => {
                        let words: Vec<&str> = Right::PLAIN.iter().map(Right::word).collect();
                        format!("rights are approve:GROUP, {}", words.join(", "))
                    }
                }
            }
            RightError::NoGroup => "say for which, as in `approve:oncall`".to_owned(),
            RightError::Group(error) => error.to_string(),
        }
    }
}

impl fmt::Display for RightError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RightError::Unknown(word) => write!(f, "unknown right `{word}`"),
            RightError::NoGroup => f.write_str("`approve` names no group"),
            RightError::Group(_) => f.write_str("`approve` names no usable group"),
        }
    }
}

impl std::error::Error for RightError {}

impl FromStr for Right {
    type Err = RightError;

    fn from_str(text: &str) -> Result<Self, RightError> {
        match text.split_once(':') {
            None if text == APPROVE => Err(RightError::NoGroup),
            Some((APPROVE, "")) => Err(RightError::NoGroup),
            Some((APPROVE, group)) => group.parse().map(Right::Approve).map_err(RightError::Group),
            None | Some(_) => {
                let plain = Right::PLAIN.into_iter().find(|right| right.word() == text);
                plain.ok_or_else(|| RightError::Unknown(text.to_owned()))
            }
        }
    }
}

/// How many of these people may approve for a group.
pub fn approvers_of(people: &BTreeMap<PersonName, Person>, group: &GroupName) -> usize {
    let may =
        |person: &&Person| person.may.iter().any(|right| matches!(right, Right::Approve(of) if of == group));
    people.values().filter(may).count()
}

/// The settings of a group of approvers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Approvers {
    /// How long a question waits for an answer: whole seconds, from 1 s to [`Approvers::EXPIRES_MAX`].
    pub expires: Duration,
    /// How whoever answers proves to be that person, where a guard does not say so itself.
    pub strength: Strength,
    /// Whether the person for whom an agent acts may answer for its calls.
    pub own: OwnCalls,
}

impl Approvers {
    /// The longest that a question may wait: a year, after which nobody knows what was asked.
    pub const EXPIRES_MAX: Duration = Duration::from_secs(365 * 24 * 60 * 60);
}

impl Default for Approvers {
    fn default() -> Self {
        Self { expires: Duration::from_secs(60 * 60), strength: Strength::Passkey, own: OwnCalls::Deny }
    }
}

/// Whether the person for whom an agent acts may approve what it proposes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OwnCalls {
    /// Somebody else must.
    #[default]
    Deny,
    /// That person may.
    Allow,
}

impl OwnCalls {
    /// Both of them.
    pub const ALL: [OwnCalls; 2] = [OwnCalls::Deny, OwnCalls::Allow];

    /// The word for it in the file.
    pub const fn as_str(self) -> &'static str {
        match self {
            OwnCalls::Deny => "deny",
            OwnCalls::Allow => "allow",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_right_is_printed_as_it_is_read() {
        for text in ["view", "approve:on-call", "stop", "resume", "resolve", "accept", "apply", "erase"] {
            assert_eq!(text.parse::<Right>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn whatever_is_no_right_says_what_is() {
        for (text, error, help) in [
            ("aprove:oncall", "unknown right `aprove:oncall`", "rights are approve:GROUP, view, stop"),
            ("approv", "unknown right `approv`", "did you mean `approve:GROUP`?"),
            ("stpo", "unknown right `stpo`", "did you mean `stop`?"),
            ("View", "unknown right `View`", "did you mean `view`?"),
            ("view:all", "unknown right `view:all`", "rights are"),
            ("", "unknown right ``", "rights are"),
            ("approve", "`approve` names no group", "as in `approve:oncall`"),
            ("approve:", "`approve` names no group", "as in `approve:oncall`"),
            ("approve:On Call", "`approve` names no usable group", "beginning with a letter"),
            ("approve:a:2", "`approve` names no usable group", "beginning with a letter"),
        ] {
            let found = text.parse::<Right>().unwrap_err();
            assert_eq!(found.to_string(), error);
            assert!(found.help().contains(help), "{text:?}: {}", found.help());
        }
    }
}
