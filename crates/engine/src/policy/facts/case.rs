//! Case: comparisons whose answer depends on who compares.
//!
//! Whether `/Repo` is `/repo`, or `DROP` is `drop`, depends on the disk and on the language. Where two texts
//! differ in the case of letters only, "no" would be a guess, so there is no answer.

use super::Unfit;

/// How one text compares with others.
pub(super) struct Compared {
    exact: bool,
    folded: bool,
}

impl Compared {
    /// Compares by `matches`, once the texts as they are and once all in small letters.
    pub(super) fn of(text: &str, wanted: &[String], matches: fn(&str, &str) -> bool) -> Self {
        let small = text.to_ascii_lowercase();
        Self {
            exact: wanted.iter().any(|wanted| matches(text, wanted)),
            folded: wanted.iter().any(|wanted| matches(&small, &wanted.to_ascii_lowercase())),
        }
    }

    /// Whether they match, if the case of letters does not matter.
    pub(super) fn certain(self, what: &str) -> Result<bool, Unfit> {
        match self {
            Compared { exact: true, folded: _ } => Ok(true),
            Compared { exact: false, folded: false } => Ok(false),
            Compared { exact: false, folded: true } => {
                Err(Unfit::new(format!("{what} differs only in capital letters from one that is listed")))
            }
        }
    }
}
