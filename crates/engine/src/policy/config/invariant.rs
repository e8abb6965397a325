//! Invariants: what must be true of every call that the policy will ever allow, whatever the file says besides.
//!
//! An invariant changes no decision, and the policy's digest is the same with it and without. It says what a
//! change of the rules must not lose: *each delete is approved by somebody*, *the help desk never pays*. Whether
//! it holds is proved, or refuted with a call.
//!
//! Not here: reading and writing (`read`, `write`), and the proof (the crate `placet-prove`). Start at
//! [`Invariant`].

use super::{At, Control, Pattern, Scope};
use crate::{level::LevelSet, policy::when::When};
use std::fmt;

/// Something that is true of every call.
///
/// ```
/// # use placet_engine::policy::config::{Claim, read};
/// let source = r#"
/// [[invariants]]
/// name = "each delete is approved"
/// levels = ["delete"]
/// need = "approval:*"
/// "#;
/// let config = read(source).config.expect("no errors");
/// assert!(matches!(config.invariants[0].claim, Claim::Needs(_)));
/// assert!(read(&source.replace("approval:*", "approval:nobody")).config.is_none());
/// ```
#[derive(Clone, Debug)]
pub struct Invariant {
    /// What it is called: one invariant's alone, at most 128 characters, all of them visible.
    pub name: String,
    /// The calls that it is about.
    pub about: About,
    /// What is true of them.
    pub claim: Claim,
    /// The line of its table; no part of equality.
    pub line: usize,
}

impl PartialEq for Invariant {
    fn eq(&self, other: &Self) -> bool {
        let Self { name, about, claim, line: _ } = self;
        *name == other.name && *about == other.about && *claim == other.claim
    }
}

impl Eq for Invariant {}

/// The calls that an invariant is about: those of which all of this is true. At least one part is set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct About {
    /// Whose calls; `None` is anybody's.
    pub who: Option<Scope>,
    /// Of which tools, those that any of these matches; none is all tools.
    pub tools: Vec<At<Pattern>>,
    /// Of which levels the tools are, never an empty set; `None` is all.
    pub levels: Option<LevelSet>,
    /// Which calls among them. One of which it cannot be told is among them too.
    pub when: Option<When>,
}

/// What an invariant says of its calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claim {
    /// Whichever is allowed needed such a control.
    Needs(Need),
    /// None is allowed, with whatever arguments and controls.
    Never,
}

/// A control that a call must have needed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Need {
    /// The approval of any group.
    AnyApproval,
    /// This one, or one that asks for more of the same group.
    Control(Control),
}

impl Need {
    /// How the approval of any group is written.
    pub const ANY_APPROVAL: &str = "approval:*";

    /// Whether a call that needed this control has needed enough.
    ///
    /// ```
    /// # use placet_engine::policy::config::Need;
    /// let two = Need::Control("approval:finance:2".parse()?);
    /// assert!(two.is_met_by(&"approval:finance:3".parse()?));
    /// assert!(!two.is_met_by(&"approval:finance".parse()?));
    /// assert!(!two.is_met_by(&"approval:oncall:2".parse()?));
    /// # Ok::<(), placet_engine::policy::config::ControlError>(())
    /// ```
    pub fn is_met_by(&self, control: &Control) -> bool {
        match self {
            Need::AnyApproval => match control {
                Control::Approval { .. } => true,
            },
            Need::Control(Control::Approval { group, votes, strength }) => {
                let Control::Approval { group: asked, votes: asked_votes, strength: asked_strength } =
                    control;
                // Without a word a control asks as much as its group does, which nobody can tell here.
                let is_strong =
                    strength.is_none_or(|least| asked_strength.is_some_and(|asked| asked >= least));
                asked == group && asked_votes >= votes && is_strong
            }
        }
    }
}

impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Need::AnyApproval => f.write_str(Self::ANY_APPROVAL),
            Need::Control(control) => control.fmt(f),
        }
    }
}
