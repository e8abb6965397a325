//! Stops: a person's word that nothing more leaves, and the generations that make it hold.
//!
//! A stop is checked when a call is judged, when its intent is committed, and by the permit at the moment of
//! writing. The third check compares [`Generations`]: numbers that grow whenever stop, policy or catalogue
//! change, so that a decision made before the change opens nothing after it.

use std::{fmt, str::FromStr};

use crate::time::Timestamp;

/// How far a stop reaches. Narrower scopes arrive together with budgets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// Every call of every agent.
    Everything,
}

/// A stop in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stop {
    /// What it halts.
    pub scope: Scope,
    /// Why, in the words of who stopped.
    pub reason: String,
    /// Who stopped.
    pub by: String,
    /// Since when.
    pub since: Timestamp,
}

/// Numbers that only grow: one step for each stop or resume, each policy applied, each catalogue change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Generations {
    /// Stops and resumes.
    pub stop: u64,
    /// Policies applied.
    pub policy: u64,
    /// Changes of what servers offer.
    pub catalogue: u64,
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Scope::Everything => f.write_str("everything"),
        }
    }
}

impl FromStr for Scope {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        if text == "everything" { Ok(Scope::Everything) } else { Err(()) }
    }
}
