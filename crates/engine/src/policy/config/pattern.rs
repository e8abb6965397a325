//! Patterns: which tools a line of the file is about.
//!
//! A pattern has a server's side and a tool's side, and each is matched against the name on its side: in
//! `*/delete` the star is any server, and `git/repo/delete` is another tool of `git`. No look-ahead and no
//! memory but the last star, so that the work for one name is at most the product of two small bounds.
//!
//! Not here: which tools exist. Start at [`Pattern`].

use crate::names::{Action, NameError, ServerName, ToolName};
use std::{fmt, str::FromStr};

/// A tool's full name, in which `*` stands for any run of characters, `/` among them, and `?` for one.
///
/// Tools that run inside our own process are `app/NAME`.
///
/// ```
/// # use placet_engine::policy::config::Pattern;
/// let pattern: Pattern = "crm/export_*".parse()?;
/// assert!(pattern.matches(&"crm/export_report".parse().expect("a name")));
/// assert!(!pattern.matches(&"erp/export_report".parse().expect("a name")));
/// assert!("export_*".parse::<Pattern>().is_err());
/// # Ok::<(), placet_engine::policy::config::PatternError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pattern {
    server: String,
    tool: String,
}

impl Pattern {
    /// The longest pattern, in bytes: more than the longest full name has.
    pub const BYTES_MAX: usize = 256;

    /// Whether it is about this tool.
    pub fn matches(&self, action: &Action) -> bool {
        self.covers(action.server.as_str(), action.tool.as_str())
    }

    /// Whether it is about the tool of these names.
    pub(super) fn covers(&self, server: &str, tool: &str) -> bool {
        fits(self.server.as_bytes(), server.as_bytes()) && fits(self.tool.as_bytes(), tool.as_bytes())
    }

    /// Whether it is one tool's full name, without `*` or `?`.
    pub fn is_literal(&self) -> bool {
        !has_glob(&self.server) && !has_glob(&self.tool)
    }

    /// The server that it names, if that side is a plain name.
    pub(in crate::policy) fn literal_server(&self) -> Option<&str> {
        (!has_glob(&self.server)).then_some(self.server.as_str())
    }

    /// The side of the tool.
    pub(super) fn tool(&self) -> &str {
        &self.tool
    }
}

fn has_glob(side: &str) -> bool {
    side.contains(['*', '?'])
}

/// Whether the name is one that the glob stands for. After a mismatch only the last star is tried again, one
/// byte further: an earlier one could not help, since what follows it has been found as early as it could be.
/// At most `glob.len() * name.len()` steps.
fn fits(glob: &[u8], name: &[u8]) -> bool {
    let (mut in_glob, mut in_name) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while let Some(byte) = name.get(in_name) {
        match (glob.get(in_glob), star) {
            (Some(b'*'), _) => {
                in_glob += 1;
                star = Some((in_glob, in_name));
            }
            (Some(wanted), _) if wanted == byte || *wanted == b'?' => {
                in_glob += 1;
                in_name += 1;
            }
            (Some(_) | None, Some((after_star, taken))) => {
                in_glob = after_star;
                in_name = taken + 1;
                star = Some((after_star, in_name));
            }
            (Some(_) | None, None) => return false,
        }
    }
    glob.iter().skip(in_glob).all(|byte| *byte == b'*')
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.server, self.tool)
    }
}

/// A text that is no pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PatternError {
    /// It has no `/`, or nothing on one side of it.
    NoSide,
    /// It is longer than [`Pattern::BYTES_MAX`].
    TooLong,
    /// No name has this character.
    Character(char),
    /// A side without `*` and `?` is no name.
    Name(NameError),
}

impl fmt::Display for PatternError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PatternError::NoSide => f.write_str("a pattern is `server/tool`"),
            PatternError::TooLong => write!(f, "a pattern has at most {} bytes", Pattern::BYTES_MAX),
            PatternError::Character(char) => {
                write!(f, "no name has `{char}`; `*` is any run of characters, `?` is one")
            }
            PatternError::Name(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for PatternError {}

impl FromStr for Pattern {
    type Err = PatternError;

    fn from_str(text: &str) -> Result<Self, PatternError> {
        if text.len() > Self::BYTES_MAX {
            return Err(PatternError::TooLong);
        }
        let (server, tool) = text.split_once('/').ok_or(PatternError::NoSide)?;
        if server.is_empty() || tool.is_empty() {
            return Err(PatternError::NoSide);
        }
        if has_glob(server) {
            only(server, |char| char.is_ascii_lowercase() || char.is_ascii_digit() || char == '-')?;
        } else {
            server.parse::<ServerName>().map_err(PatternError::Name)?;
        }
        if has_glob(tool) {
            only(tool, |char| char.is_ascii_alphanumeric() || "_-./".contains(char))?;
        } else {
            tool.parse::<ToolName>().map_err(PatternError::Name)?;
        }
        Ok(Self { server: server.to_owned(), tool: tool.to_owned() })
    }
}

fn only(side: &str, in_names: impl Fn(char) -> bool) -> Result<(), PatternError> {
    match side.chars().find(|char| !in_names(*char) && !matches!(char, '*' | '?')) {
        None => Ok(()),
        Some(char) => Err(PatternError::Character(char)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_pattern_matches_side_by_side() {
        for (pattern, action, matches) in [
            ("crm/refund", "crm/refund", true),
            ("crm/refund", "crm/refund2", false),
            ("crm/*", "crm/refund", true),
            ("crm/*", "crm2/refund", false),
            ("git/*", "git/repo/delete", true),
            ("git/repo/*", "git/repo/delete", true),
            ("*/delete", "git/delete", true),
            ("*/delete", "git/repo/delete", false), // the star of a server's side ends with it
            ("*/*delete", "git/repo/delete", true),
            ("crm/export_*", "crm/export_", true),
            ("crm/?efund", "crm/refund", true),
            ("crm/?refund", "crm/refund", false),
            ("crm-?/x", "crm-1/x", true),
            ("crm/*_*_*", "crm/a_b", false),
            ("crm/*_*_*", "crm/a_b_c_d", true),
            ("crm/**", "crm/a", true),
            ("app/*", "app/clock", true),
        ] {
            let (pattern, action): (Pattern, Action) = (pattern.parse().unwrap(), action.parse().unwrap());
            assert_eq!(pattern.matches(&action), matches, "{pattern} on {action}");
        }
    }

    #[test]
    fn a_pattern_that_could_match_no_name_is_refused() {
        for (text, error) in [
            ("refund", "a pattern is `server/tool`"),
            ("/refund", "a pattern is `server/tool`"),
            ("crm/", "a pattern is `server/tool`"),
            ("", "a pattern is `server/tool`"),
            ("Crm/x", "a server's name is 1 to 32 of a-z, 0-9 and `-`, beginning with a letter"),
            ("C*/x", "no name has `C`; `*` is any run of characters, `?` is one"),
            ("crm_*/x", "no name has `_`; `*` is any run of characters, `?` is one"),
            ("crm/[ab]*", "no name has `[`; `*` is any run of characters, `?` is one"),
            ("crm/a b", "a tool's name is 1 to 128 of A-Z, a-z, 0-9, `_`, `-`, `.` and `/`"),
        ] {
            assert_eq!(text.parse::<Pattern>().unwrap_err().to_string(), error, "{text:?}");
        }
        assert_eq!(format!("crm/{}*", "a".repeat(300)).parse::<Pattern>(), Err(PatternError::TooLong));
    }

    #[test]
    fn a_literal_pattern_knows_it() {
        for (text, literal) in [("crm/x", true), ("crm/*", false), ("c?m/x", false)] {
            let pattern: Pattern = text.parse().unwrap();
            assert_eq!(pattern.is_literal(), literal);
            assert_eq!(pattern.to_string(), text);
        }
    }

    #[test]
    fn many_stars_on_a_long_name_end() {
        let glob = "a*".repeat(120) + "b";
        // In some 15,000 steps; trying every star again would take longer than there is time.
        assert!(!fits(glob.as_bytes(), "a".repeat(128).as_bytes()));
    }

    proptest! {
        #[test]
        fn matching_is_that_of_the_plain_definition(glob in "[ab*?]{0,8}", name in "[ab]{0,8}") {
            prop_assert_eq!(fits(glob.as_bytes(), name.as_bytes()), plain(glob.as_bytes(), name.as_bytes()));
        }
    }

    fn plain(glob: &[u8], name: &[u8]) -> bool {
        match (glob, name) {
            ([], []) => true,
            ([b'*', glob_rest @ ..], [_, name_rest @ ..]) => plain(glob_rest, name) || plain(glob, name_rest),
            ([b'*', glob_rest @ ..], []) => plain(glob_rest, name),
            ([b'?', glob_rest @ ..], [_, name_rest @ ..]) => plain(glob_rest, name_rest),
            ([g, glob_rest @ ..], [n, name_rest @ ..]) => g == n && plain(glob_rest, name_rest),
            ([], [_, ..]) | ([_, ..], []) => false,
        }
    }
}
