//! Controls: what a guard may require before a call runs.
//!
//! `approval:<group>[:votes][:strength]` says that so many different people of a group must agree. One vote
//! is left out when a control is printed, so that what means the same is the same text.
//!
//! Not here: who belongs to a group, and asking them. Start at [`Control`].

use crate::{
    diagnostic::did_you_mean,
    names::{GroupName, NameError},
};
use std::{fmt, str::FromStr};

/// Something that must have happened before a call runs.
///
/// ```
/// # use placet_engine::policy::config::Control;
/// let control: Control = "approval:finance:1:passkey".parse()?;
/// assert_eq!(control.to_string(), "approval:finance:passkey");
/// assert!("approval:finance:0".parse::<Control>().is_err());
/// # Ok::<(), placet_engine::policy::config::ControlError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Control {
    /// People agreed.
    Approval {
        /// The group that they belong to.
        group: GroupName,
        /// How many different ones, from 1 to [`Control::VOTES_MAX`].
        votes: u8,
        /// How they prove who they are; `None` is what the group asks.
        strength: Option<Strength>,
    },
}

impl Control {
    /// The most votes that a control may ask for.
    pub const VOTES_MAX: u8 = 16;
}

/// How a person who answers proves to be that person, from the weakest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Strength {
    /// By sitting at the machine.
    Terminal,
    /// By a session signed in to.
    Session,
    /// By a passkey, for this very question.
    Passkey,
}

impl Strength {
    /// All of them, from the weakest.
    pub const ALL: [Strength; 3] = [Strength::Terminal, Strength::Session, Strength::Passkey];

    /// The word for it in the file.
    pub const fn as_str(self) -> &'static str {
        match self {
            Strength::Terminal => "terminal",
            Strength::Session => "session",
            Strength::Passkey => "passkey",
        }
    }
}

impl fmt::Display for Control {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Control::Approval { group, votes, strength } = self;
        write!(f, "approval:{group}")?;
        if *votes != 1 {
            write!(f, ":{votes}")?;
        }
        strength.iter().try_for_each(|strength| write!(f, ":{}", strength.as_str()))
    }
}

/// A text that is no control of this version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ControlError {
    /// No control begins with this word.
    Unknown(String),
    /// It is a control, but of a later version.
    NotBuilt(&'static str),
    /// It does not say which group.
    NoGroup,
    /// The group's name is none.
    Group(NameError),
    /// This word is neither a number of votes nor a strength.
    Word(String),
}

impl ControlError {
    /// What to write instead.
    pub fn help(&self) -> String {
        const SHAPE: &str = "controls are `approval:<group>[:votes][:strength]`, as in `approval:finance:2`";
        match self {
            ControlError::Unknown(word) => match did_you_mean(word, ["approval"]) {
                Some(near) => format!("did you mean `{near}`? {SHAPE}"),
                None => SHAPE.to_owned(),
            },
            ControlError::NotBuilt(_) => "require an approval instead, as in `approval:oncall`".to_owned(),
            ControlError::NoGroup => SHAPE.to_owned(),
            ControlError::Group(error) => error.to_string(),
            ControlError::Word(word) => {
                match did_you_mean(word, Strength::ALL.into_iter().map(Strength::as_str)) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!(
                        "votes are 1 to {}, strengths are terminal, session and passkey, in this order",
                        Control::VOTES_MAX
                    ),
                }
            }
        }
    }
}

impl fmt::Display for ControlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ControlError::Unknown(word) => write!(f, "unknown control `{word}`"),
            ControlError::NotBuilt(control) => {
                write!(f, "control `{control}` is not built yet in this version")
            }
            ControlError::NoGroup => f.write_str("the approval names no group"),
            ControlError::Group(_) => f.write_str("the approval names no usable group"),
            ControlError::Word(word) => write!(f, "unknown word `{word}` in an approval"),
        }
    }
}

impl std::error::Error for ControlError {}

impl FromStr for Control {
    type Err = ControlError;

    fn from_str(text: &str) -> Result<Self, ControlError> {
        let mut words = text.split(':');
        match words.next().unwrap_or_default() {
            "approval" => {}
            "confirm" => return Err(ControlError::NotBuilt("confirm")),
            "dry_run" => return Err(ControlError::NotBuilt("dry_run")),
            "redact" => return Err(ControlError::NotBuilt("redact")),
            other => return Err(ControlError::Unknown(other.to_owned())),
        }
        let group = words.next().filter(|group| !group.is_empty()).ok_or(ControlError::NoGroup)?;
        let group = group.parse().map_err(ControlError::Group)?;
        let mut words = words.peekable();
        let votes = words.next_if(|word| votes(word).is_some()).and_then(votes).unwrap_or(1);
        let strength = words.next_if(|word| strength(word).is_some()).and_then(strength);
        match words.next() {
            None => Ok(Control::Approval { group, votes, strength }),
            Some(word) => Err(ControlError::Word(word.to_owned())),
        }
    }
}

/// A number as it is printed: `02` and `+2` are not.
fn votes(word: &str) -> Option<u8> {
    (1..=Control::VOTES_MAX).find(|votes| votes.to_string() == word)
}

fn strength(word: &str) -> Option<Strength> {
    Strength::ALL.into_iter().find(|strength| strength.as_str() == word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_means_the_same_is_printed_the_same() {
        for (text, printed) in [
            ("approval:oncall", "approval:oncall"),
            ("approval:oncall:1", "approval:oncall"),
            ("approval:oncall:2", "approval:oncall:2"),
            ("approval:oncall:16:terminal", "approval:oncall:16:terminal"),
            ("approval:oncall:1:passkey", "approval:oncall:passkey"),
            ("approval:oncall:session", "approval:oncall:session"),
            ("approval:passkey", "approval:passkey"),
        ] {
            let control: Control = text.parse().unwrap();
            assert_eq!(control.to_string(), printed);
            assert_eq!(printed.parse(), Ok(control));
        }
    }

    #[test]
    fn whatever_is_no_control_says_what_is() {
        for (text, error) in [
            ("aproval:oncall", "unknown control `aproval`"),
            ("", "unknown control ``"),
            ("approval", "the approval names no group"),
            ("approval:", "the approval names no group"),
            ("approval:On Call", "the approval names no usable group"),
            ("approval:oncall:0", "unknown word `0` in an approval"),
            ("approval:oncall:17", "unknown word `17` in an approval"),
            ("approval:oncall:02", "unknown word `02` in an approval"),
            ("approval:oncall:+2", "unknown word `+2` in an approval"),
            ("approval:oncall:", "unknown word `` in an approval"),
            ("approval:oncall:2:", "unknown word `` in an approval"),
            ("approval:oncall:passkey:2", "unknown word `2` in an approval"),
            ("approval:oncall:2:passkey:x", "unknown word `x` in an approval"),
            ("confirm", "control `confirm` is not built yet in this version"),
            ("dry_run", "control `dry_run` is not built yet in this version"),
            ("redact:args.to", "control `redact` is not built yet in this version"),
        ] {
            assert_eq!(text.parse::<Control>().unwrap_err().to_string(), error, "{text:?}");
        }
    }
}
