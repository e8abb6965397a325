//! Levels: what kind of effect a tool has. A set, not a ladder.
//!
//! `execute` is not "more" than `write`: an agent may hold one without the other. Nothing in Rust decides
//! whether an agent's levels suffice; that is Cedar's, over the action groups `level:read` and so on. What
//! Rust reads off a level is how carefully a call must be remembered (`crate::decide`).

use std::{fmt, str::FromStr};

/// What kind of effect a tool has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// Looks, changes nothing.
    Read,
    /// Changes or creates something that can be changed back.
    Write,
    /// Makes something happen in the world: sends, runs, deploys.
    Execute,
    /// Removes something.
    Delete,
}

impl Level {
    /// All levels, in the order in which they are always listed.
    pub const ALL: [Level; 4] = [Level::Read, Level::Write, Level::Execute, Level::Delete];

    /// The word for it in files, messages and records.
    pub const fn as_str(self) -> &'static str {
        match self {
            Level::Read => "read",
            Level::Write => "write",
            Level::Execute => "execute",
            Level::Delete => "delete",
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A word that is no level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownLevel;

impl fmt::Display for UnknownLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("levels are read, write, execute and delete")
    }
}

impl std::error::Error for UnknownLevel {}

impl FromStr for Level {
    type Err = UnknownLevel;

    fn from_str(text: &str) -> Result<Self, UnknownLevel> {
        Self::ALL.into_iter().find(|level| level.as_str() == text).ok_or(UnknownLevel)
    }
}

/// The levels that an agent holds.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct LevelSet(u8);

impl LevelSet {
    /// No level at all.
    pub const EMPTY: LevelSet = LevelSet(0);

    /// The set of these levels.
    pub fn of(levels: impl IntoIterator<Item = Level>) -> Self {
        levels.into_iter().collect()
    }

    /// The levels in it, in the order of [`Level::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Level> {
        Level::ALL.into_iter().filter(move |level| self.0 & (1 << *level as u8) != 0)
    }

    /// Whether no level is held.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }
}

impl FromIterator<Level> for LevelSet {
    fn from_iter<I: IntoIterator<Item = Level>>(levels: I) -> Self {
        LevelSet(levels.into_iter().fold(0, |bits, level| bits | (1 << level as u8)))
    }
}

impl fmt::Debug for LevelSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_of_levels_holds_what_was_put_in_and_nothing_below_it() {
        let set = LevelSet::of([Level::Write, Level::Write]);
        assert_eq!(set.iter().collect::<Vec<_>>(), [Level::Write]);
        assert!(LevelSet::EMPTY.is_empty());
    }

    #[test]
    fn level_words_are_exact() {
        for (text, level) in [
            ("read", Ok(Level::Read)),
            ("Read", Err(UnknownLevel)),
            ("wrte", Err(UnknownLevel)),
            ("", Err(UnknownLevel)),
        ] {
            assert_eq!(text.parse(), level, "{text:?}");
        }
    }
}
