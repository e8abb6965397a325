//! Paths of facts: one place in the arguments, or one in each item of a list.
//!
//! The language is that of [`crate::cost::Path`], with one `[*]` at most. A second one would ask about a list
//! of lists, where "all" and "the first" no longer say which.
//!
//! Start at [`FactPath`].

use super::{FactError, Unfit, mistyped};
use crate::{
    cost::{CostError, Path},
    json::Json,
};
use std::{fmt, str::FromStr};

/// Where a fact looks: `args.to`, `args.to[*]`, `args.lines[*].price`.
///
/// ```
/// # use placet_engine::policy::facts::FactPath;
/// let path: FactPath = r#"args["e-mail"].to[*].address"#.parse()?;
/// assert!(path.is_each());
/// assert!("args.rows[*].cells[*]".parse::<FactPath>().is_err());
/// assert!("result.to".parse::<FactPath>().is_err());
/// # Ok::<(), placet_engine::policy::facts::Unfit>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FactPath {
    /// The value, or the list.
    outer: Path,
    /// The way inside each item, as if the item were the arguments.
    inner: Option<Path>,
}

impl FactPath {
    /// The names of members on its way, up to the first item of a list.
    pub fn names(&self) -> Vec<String> {
        self.outer.names().map(str::to_owned).collect()
    }

    /// Whether it leads to each item of a list.
    pub fn is_each(&self) -> bool {
        self.inner.is_some()
    }

    /// Whether no item of a list stands on the way to the value, or to the list.
    pub(super) fn has_only_members(&self) -> bool {
        self.outer.has_only_members()
    }

    /// An item in which this value stands where the path leads.
    pub(super) fn item(&self, value: Json) -> Json {
        let names: Vec<&str> = self.inner.iter().flat_map(Path::names).collect();
        super::samples::below(names.into_iter(), value)
    }

    /// Whether it leads to the items themselves, not to something inside of them.
    pub(in crate::policy) fn ends_at_items(&self) -> bool {
        self.inner.as_ref().is_some_and(|inner| !inner.goes_inside())
    }

    /// The value; `None` if it is missing or null.
    pub(super) fn value<'a>(&self, arguments: &'a Json) -> Result<Option<&'a Json>, FactError> {
        self.outer.seek(arguments).map_err(|found| self.error(blocked(found)))
    }

    /// The list.
    pub(super) fn list<'a>(&self, arguments: &'a Json) -> Result<Option<&'a [Json]>, FactError> {
        let Some(value) = self.value(arguments)? else { return Ok(None) };
        value.as_array().map(Some).ok_or_else(|| self.error(mistyped(value, "a list")))
    }

    /// The value in the item `at`.
    pub(super) fn inside<'a>(&self, at: usize, item: &'a Json) -> Result<Option<&'a Json>, FactError> {
        match &self.inner {
            Some(inner) => inner.seek(item).map_err(|found| self.error_at(at, blocked(found))),
            None => Ok(Some(item)),
        }
    }

    /// An error about the value or the list.
    pub(super) fn error(&self, why: Unfit) -> FactError {
        FactError { place: self.outer.to_string(), why }
    }

    /// An error about the item `at`.
    pub(super) fn error_at(&self, at: usize, why: Unfit) -> FactError {
        FactError { place: format!("{}[{at}]{}", self.outer, self.suffix()), why }
    }

    fn suffix(&self) -> String {
        let inner = self.inner.as_ref().map(Path::to_string).unwrap_or_default();
        inner.strip_prefix(ROOT).map(str::to_owned).unwrap_or_default()
    }
}

/// The first word of each path.
const ROOT: &str = "args";

/// What stands for each item.
const EACH: &str = "[*]";

fn blocked(found: &Json) -> Unfit {
    Unfit::new(format!("the way there leads through {}", found.kind()))
}

impl FromStr for FactPath {
    type Err = Unfit;

    fn from_str(text: &str) -> Result<Self, Unfit> {
        let path = |text: &str| text.parse::<Path>().map_err(|CostError(why)| Unfit::new(why));
        let (outer, inner) = match after_names(text) {
            Some((outer, inner)) if after_names(inner).is_some() => {
                return Err(Unfit::new(format!("`{outer}[*]` goes on with another `[*]`; a path has one")));
            }
            Some((outer, inner)) => (path(outer)?, Some(path(&format!("{ROOT}{inner}"))?)),
            None => (path(text)?, None),
        };
        if outer.root() != ROOT {
            return Err(Unfit::new("it begins with `args`, as in `args.to[*]`: facts are about arguments"));
        }
        if !outer.goes_inside() {
            return Err(Unfit::new("it names no argument, as `args.to[*]` does"));
        }
        Ok(Self { outer, inner })
    }
}

/// What stands before and after the first `[*]` that is no part of a name in quotes.
fn after_names(text: &str) -> Option<(&str, &str)> {
    let (mut is_quoted, mut is_escaped) = (false, false);
    for (at, char) in text.char_indices() {
        match char {
            '"' if !is_escaped => is_quoted = !is_quoted,
            '[' if !is_quoted => {
                let rest = text.get(at..).and_then(|rest| rest.strip_prefix(EACH));
                if let Some(rest) = rest {
                    return Some((text.get(..at)?, rest));
                }
            }
            _ => {}
        }
        is_escaped = is_quoted && char == '\\' && !is_escaped;
    }
    None
}

/// The text that reads back as the same path.
impl fmt::Display for FactPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.outer.fmt(f)?;
        if self.inner.is_some() {
            write!(f, "{EACH}{}", self.suffix())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_read_and_written_alike() {
        for text in [
            "args.to",
            "args.to[*]",
            "args.to[0]",
            "args.lines[*].price",
            "args.lines[1].parts[*][0]",
            r#"args["[*]"]"#,
            r#"args["\"[*]"][*]["[*]"]"#,
            r#"args["x y"][*]"#,
            "args[*]",
        ] {
            let read: Result<FactPath, Unfit> = text.parse();
            // The arguments are an object and never a list.
            match text {
                "args[*]" => assert!(read.is_err()),
                _ => assert_eq!(read.map(|path| path.to_string()), Ok(text.to_owned())),
            }
        }
    }

    #[test]
    fn a_path_with_two_lists_or_without_arguments_is_none() {
        for text in [
            "",
            "args",
            "result.to",
            "args.a[*].b[*]",
            "args.a[*][*]",
            "args.[*]",
            "args.a[ * ]",
            "args.a[*]x",
            "args.a[*",
            "[*]",
        ] {
            assert!(text.parse::<FactPath>().is_err(), "{text}");
        }
    }
}
