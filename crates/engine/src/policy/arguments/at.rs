//! What stands at a path of the arguments, for whoever writes a rule over it.
//!
//! A path is a list of names below `args`. It is printed as it would be written: `args.to["x-y"]`, with
//! whatever acts in hostile names written out, since people and models read it.

use std::fmt::{self, Write as _};

use super::{Kind, Opaque, Record};
use crate::{
    diagnostic::{did_you_mean, first_of, inert},
    json::write_string,
};

/// The longest name that is shown of a path, in characters.
const NAME_SHOWN: usize = 64;

/// Whether a place is in every call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Presence {
    /// It is.
    Always,
    /// Something on the way to it may be missing.
    Sometimes {
        /// For each member that may be missing, the number of names on the path up to and with it, in
        /// ascending order: `[2]` says that only `args.a.b` may be missing on `args.a.b.c`. Never empty.
        optional: Vec<usize>,
    },
}

/// Why a rule can read nothing at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoPlace {
    /// The tool declares no such argument.
    Undeclared {
        /// The path up to the name that is not declared, as it is shown.
        path: String,
        /// The name that was probably meant, if one is near.
        did_you_mean: Option<String>,
    },
    /// Something stands there that no rule reads.
    Opaque {
        /// The path up to there, as it is shown.
        path: String,
        /// Why.
        why: Opaque,
    },
    /// The path goes on where there are no names.
    NoObject {
        /// The path up to there, as it is shown.
        path: String,
        /// What is there, in words: `a list`.
        found: String,
    },
    /// The path names no argument at all.
    NoName,
}

impl Record {
    /// What stands at `path`, names below `args`, and whether it always does. Never an [opaque](Kind::Opaque) kind.
    ///
    /// # Errors
    ///
    /// [`NoPlace`] if a rule can read nothing there.
    pub fn at(&self, path: &[String]) -> Result<(&Kind, Presence), NoPlace> {
        let shown = |names: usize| shown(path.iter().take(names).map(|name| Step::Member(name)));
        let mut optional = Vec::new();
        let mut record = self;
        for (before, name) in path.iter().enumerate() {
            let names = before + 1;
            let Some(member) = record.members.get(name) else {
                let near = did_you_mean(name, record.members.keys().map(String::as_str));
                let did_you_mean = near.map(str::to_owned);
                return Err(NoPlace::Undeclared { path: shown(names), did_you_mean });
            };
            if !member.required {
                optional.push(names);
            }
            if let Kind::Opaque(why) = member.kind {
                return Err(NoPlace::Opaque { path: shown(names), why });
            }
            if names == path.len() {
                let presence =
                    if optional.is_empty() { Presence::Always } else { Presence::Sometimes { optional } };
                return Ok((&member.kind, presence));
            }
            let Kind::Record(below) = &member.kind else {
                return Err(NoPlace::NoObject { path: shown(names), found: member.kind.to_string() });
            };
            record = below;
        }
        Err(NoPlace::NoName)
    }
}

/// For whoever wrote the rule: which place, and what is wrong with it.
impl fmt::Display for NoPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NoPlace::Undeclared { path, did_you_mean } => {
                write!(f, "`{path}` is not an argument of this tool")?;
                match did_you_mean {
                    Some(near) => write!(f, "; did you mean `{}`?", first_of(&inert(near), NAME_SHOWN)),
                    None => Ok(()),
                }
            }
            NoPlace::Opaque { path, why } => write!(f, "`{path}` cannot be read by a rule: {why}"),
            NoPlace::NoObject { path, found } => {
                write!(f, "`{path}` is {found}, which has no members by name")
            }
            NoPlace::NoName => f.write_str("`args` is all arguments: name one of them, as in `args.amount`"),
        }
    }
}

impl std::error::Error for NoPlace {}

/// One step further into the arguments.
#[derive(Clone, Copy, Debug)]
pub(super) enum Step<'a> {
    Member(&'a str),
    Item(usize),
}

/// The path as it is shown, cut where a name is long.
pub(super) fn shown<'a>(steps: impl IntoIterator<Item = Step<'a>>) -> String {
    let mut path = "args".to_owned();
    for step in steps {
        // Writing to a text cannot fail.
        let _ = match step {
            Step::Member(name) if is_bare(name) => write!(path, ".{}", first_of(name, NAME_SHOWN)),
            Step::Member(name) => {
                let mut quoted = String::new();
                write_string(&first_of(name, NAME_SHOWN), &mut quoted);
                write!(path, "[{}]", inert(&quoted))
            }
            Step::Item(at) => write!(path, "[{at}]"),
        };
    }
    path
}

/// Whether a name may follow a point.
fn is_bare(name: &str) -> bool {
    name.bytes().next().is_some_and(|first| !first.is_ascii_digit())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}
