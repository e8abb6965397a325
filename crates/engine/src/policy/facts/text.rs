//! Plain tests of a value as it is: equal, one of several, and the shapes of a text.
//!
//! Texts are compared letter by letter, without folding or normal forms: what looks alike is not alike. A
//! pattern must match all of the text. Patterns that need to match only somewhere are how `evil-corp.example`
//! gets through a list of `corp.example`; whoever wants that writes `.*` around them.
//!
//! Not here: paths, addresses, URLs and commands, of which the letters say less than they seem to. Start at
//! [`TextTest`].

use super::{Unfit, mistyped, text_of};
use crate::{json::Json, limits};
use regex::{Regex, RegexBuilder};
use std::{collections::BTreeSet, fmt};

/// What a value is as it stands.
///
/// ```
/// # use placet_engine::{json::Json, policy::facts::text::{Case, Pattern, TextTest}};
/// let test = TextTest::Pattern(Pattern::regex("[a-z]+@corp")?);
/// assert_eq!(test.judge(&Json::from("ana@corp")), Ok(true));
/// assert_eq!(test.judge(&Json::from("ana@corp.evil")), Ok(false));
/// assert!(test.judge(&Json::from(7)).is_err());
/// assert!(Pattern::regex("(").is_err());
/// # Ok::<(), placet_engine::policy::facts::Unfit>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TextTest {
    /// It is one of these; never none. A value of a kind that none of them has cannot be judged.
    OneOf(Vec<Literal>, Case),
    /// It begins so; never with an empty text, and likewise for the next two.
    Prefix(String, Case),
    /// It ends so.
    Suffix(String, Case),
    /// It has this in it.
    Contains(String, Case),
    /// All of it matches.
    Pattern(Pattern),
}

/// A value that another can be equal to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Literal {
    /// A text.
    Text(String),
    /// A whole number.
    Integer(i64),
    /// A boolean.
    Bool(bool),
}

/// Whether capital letters matter. Of letters only `A` to `Z` can not matter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Case {
    /// They do.
    #[default]
    Exact,
    /// `A` is `a`.
    Ignored,
}

impl Case {
    fn of(self, text: &str) -> String {
        match self {
            Case::Exact => text.to_owned(),
            Case::Ignored => text.to_ascii_lowercase(),
        }
    }
}

/// A regular expression or a glob, compiled. Two are equal if they are written alike.
#[derive(Clone, Debug)]
pub struct Pattern {
    pub(in crate::policy) syntax: Syntax,
    pub(in crate::policy) source: String,
    pub(in crate::policy) case: Case,
    compiled: Regex,
}

/// The language of a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Syntax {
    /// Regular expressions, without look-around and back references.
    Regex,
    /// `*` is a run of characters without `/`, `**` any run, `?` one character other than `/`.
    Glob,
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        let Self { syntax, source, case, compiled: _ } = self;
        *syntax == other.syntax && *source == other.source && *case == other.case
    }
}

impl Eq for Pattern {}

impl Pattern {
    /// The longest pattern as it is written, in bytes.
    pub const BYTES_MAX: usize = 4096;

    /// A regular expression that must match all of a text.
    ///
    /// # Errors
    ///
    /// [`Unfit`] if it is none, or compiles to more than [`limits::FACT_PATTERN_BYTES`].
    pub fn regex(source: &str) -> Result<Self, Unfit> {
        within_bytes(source)?;
        // By itself first: `a)|(b` is none, but would be one between the brackets that follow.
        compile(source)?;
        // A comment at its end, where it allows comments, would take the closing bracket with it.
        let compiled = compile(&format!(r"\A(?:{source})\z"))
            .map_err(|_| Unfit::new("it ends in a comment: end that with a line break"))?;
        Ok(Self { syntax: Syntax::Regex, source: source.to_owned(), case: Case::Exact, compiled })
    }

    /// A glob that must match all of a text.
    ///
    /// # Errors
    ///
    /// [`Unfit`] if it is empty or too long, or has three stars together.
    pub fn glob(source: &str, case: Case) -> Result<Self, Unfit> {
        within_bytes(source)?;
        if source.contains("***") {
            return Err(Unfit::new("it has more than two stars together"));
        }
        let mut regex = r"(?s)\A".to_owned();
        let folded = case.of(source);
        let mut rest = folded.as_str();
        while let Some(first) = rest.chars().next() {
            let (piece, length) = match first {
                '*' if rest.starts_with("**") => (".*".to_owned(), 2),
                '*' => ("[^/]*".to_owned(), 1),
                '?' => ("[^/]".to_owned(), 1),
                other => (regex::escape(other.encode_utf8(&mut [0; 4])), other.len_utf8()),
            };
            regex.push_str(&piece);
            rest = rest.get(length..).unwrap_or_default();
        }
        regex.push_str(r"\z");
        Ok(Self { syntax: Syntax::Glob, source: source.to_owned(), case, compiled: compile(&regex)? })
    }

    fn matches(&self, text: &str) -> bool {
        match self.case {
            Case::Exact => self.compiled.is_match(text),
            Case::Ignored => self.compiled.is_match(&text.to_ascii_lowercase()),
        }
    }
}

fn within_bytes(source: &str) -> Result<(), Unfit> {
    match source.len() {
        0 => Err(Unfit::new("it is empty")),
        1..=Pattern::BYTES_MAX => Ok(()),
        _ => Err(Unfit::new(format!("it is longer than {} bytes", Pattern::BYTES_MAX))),
    }
}

fn compile(regex: &str) -> Result<Regex, Unfit> {
    let compiled = RegexBuilder::new(regex).size_limit(limits::FACT_PATTERN_BYTES).build();
    compiled.map_err(|error| {
        if matches!(error, regex::Error::CompiledTooBig(_)) {
            return Unfit::new(format!("compiled it takes more than {} bytes", limits::FACT_PATTERN_BYTES));
        }
        // The library draws the place on lines of its own; the last one says what is wrong.
        let said = error.to_string();
        let last = said.lines().last().unwrap_or_default().trim();
        Unfit::new(last.strip_prefix("error: ").unwrap_or(last))
    })
}

impl TextTest {
    /// Whether it holds for a value.
    ///
    /// # Errors
    ///
    /// [`Unfit`] if the value is of another kind, or too long.
    pub fn judge(&self, value: &Json) -> Result<bool, Unfit> {
        match self {
            TextTest::OneOf(literals, case) => one_of(value, literals, *case),
            TextTest::Prefix(wanted, case) => Ok(case.of(text_of(value)?).starts_with(&case.of(wanted))),
            TextTest::Suffix(wanted, case) => Ok(case.of(text_of(value)?).ends_with(&case.of(wanted))),
            TextTest::Contains(wanted, case) => Ok(case.of(text_of(value)?).contains(&case.of(wanted))),
            TextTest::Pattern(pattern) => Ok(pattern.matches(text_of(value)?)),
        }
    }
}

fn one_of(value: &Json, literals: &[Literal], case: Case) -> Result<bool, Unfit> {
    let mut answer = Err(());
    for literal in literals {
        let equal = match (literal, value) {
            (Literal::Text(wanted), Json::String(_)) => {
                let text = text_of(value)?;
                match case {
                    Case::Exact => text == wanted,
                    Case::Ignored => text.eq_ignore_ascii_case(wanted),
                }
            }
            (Literal::Integer(wanted), Json::Number(number)) => number.as_i64() == Some(*wanted),
            (Literal::Bool(wanted), Json::Bool(found)) => found == wanted,
            (
                Literal::Text(_) | Literal::Integer(_) | Literal::Bool(_),
                Json::Null
                | Json::Bool(_)
                | Json::Number(_)
                | Json::String(_)
                | Json::Array(_)
                | Json::Object(_),
            ) => continue,
        };
        answer = Ok(answer == Ok(true) || equal);
    }
    answer.map_err(|()| {
        let kinds: BTreeSet<&str> = literals.iter().map(Literal::kind).collect();
        mistyped(value, &kinds.into_iter().collect::<Vec<_>>().join(" or "))
    })
}

impl Literal {
    fn kind(&self) -> &'static str {
        match self {
            Literal::Text(_) => "a text",
            Literal::Integer(_) => "a number",
            Literal::Bool(_) => "a boolean",
        }
    }
}

impl fmt::Display for Literal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Literal::Text(text) => f.write_str(text),
            Literal::Integer(integer) => integer.fmt(f),
            Literal::Bool(truth) => truth.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_value_is_equal_to_its_own_kind_only() {
        let texts = TextTest::OneOf(vec![Literal::Text("5".to_owned()), Literal::Bool(true)], Case::Exact);
        let small =
            TextTest::OneOf(vec![Literal::Text("Eur".to_owned()), Literal::Integer(5)], Case::Ignored);
        for (test, value, holds) in [
            (&texts, Json::from("5"), Some(true)),
            (&texts, Json::from("5 "), Some(false)),
            (&texts, Json::from(true), Some(true)),
            (&texts, Json::from(false), Some(false)),
            (&texts, Json::from(5), None),
            (&texts, Json::from(vec![Json::from("5")]), None),
            (&small, Json::from("EUR"), Some(true)),
            (&small, Json::from("e\u{443}r"), Some(false)),
            (&small, Json::from(5), Some(true)),
            (&small, Json::from(6), Some(false)),
            (&small, Json::from(true), None),
        ] {
            assert_eq!(test.judge(&value).ok(), holds, "{value} for {test:?}");
        }
    }

    #[test]
    fn shapes_of_texts() {
        let prefix = |text: &str, case| TextTest::Prefix(text.to_owned(), case);
        let suffix = |text: &str, case| TextTest::Suffix(text.to_owned(), case);
        let contains = |text: &str, case| TextTest::Contains(text.to_owned(), case);
        for (test, text, holds) in [
            (prefix("ab", Case::Exact), "abc", true),
            (prefix("ab", Case::Exact), "Abc", false),
            (prefix("ab", Case::Ignored), "ABc", true),
            (suffix("@corp.example", Case::Exact), "a@corp.example", true),
            (suffix("@corp.example", Case::Exact), "a@corp.example ", false),
            (suffix("CORP", Case::Ignored), "corp", true),
            (suffix("k", Case::Ignored), "\u{212a}", false),
            (contains("..", Case::Exact), "a/../b", true),
            (contains("ss", Case::Ignored), "\u{df}", false),
        ] {
            assert_eq!(test.judge(&Json::from(text)), Ok(holds), "{text} for {test:?}");
        }
        let long = "a".repeat(limits::JUDGED_TEXT_BYTES);
        assert_eq!(prefix("a", Case::Exact).judge(&Json::from(long.as_str())), Ok(true));
        assert!(prefix("a", Case::Exact).judge(&Json::from(long + "a")).is_err());
    }

    #[test]
    fn a_regex_matches_all_of_the_text() {
        for (regex, text, holds) in [
            ("corp", "corp", true),
            ("corp", "corp\n", false),
            ("corp", "evilcorp", false),
            ("a|ab", "ab", true),
            ("(?m)^corp$", "evil\ncorp", false),
            ("^corp$", "corp", true),
            ("(?i)corp", "CORP", true),
            ("a.c", "a\nc", false),
            ("(?s)a.*", "a\nc", true),
            (".*corp.*", "an evilcorp.example", true),
            ("(?x)a  # a comment\n", "a", true),
        ] {
            let test = TextTest::Pattern(Pattern::regex(regex).unwrap());
            assert_eq!(test.judge(&Json::from(text)), Ok(holds), "{regex:?} on {text:?}");
        }
    }

    #[test]
    fn a_bad_regex_is_refused_in_one_line() {
        for (regex, why) in [
            ("(", "unclosed group"),
            ("a)|(?:b", "unopened group"),
            ("(?=a)", "look-around, including look-ahead and look-behind, is not supported"),
            (r"(a)\1", "backreferences are not supported"),
            ("", "it is empty"),
            (r"\w{1000}{1000}", "compiled it takes more than 131072 bytes"),
            ("(?x)a # no end", "it ends in a comment: end that with a line break"),
        ] {
            assert_eq!(Pattern::regex(regex).unwrap_err().to_string(), why, "{regex:?}");
        }
        assert!(Pattern::regex(&"a".repeat(Pattern::BYTES_MAX + 1)).is_err());
    }

    #[test]
    fn a_star_of_a_glob_stays_within_its_folder() {
        for (glob, text, holds) in [
            ("*.md", "a.md", true),
            ("*.md", "a/b.md", false),
            ("**.md", "a/b.md", true),
            ("src/**", "src/a/b", true),
            ("src/**", "src", false),
            ("a?c", "abc", true),
            ("a?c", "a/c", false),
            ("a?c", "a\u{e9}c", true),
            ("a*", "a\nb", true),
            ("a.c", "abc", false),
            ("[ab]+", "[ab]+", true),
            ("*", "", true),
            ("A*", "ab", false),
        ] {
            let test = TextTest::Pattern(Pattern::glob(glob, Case::Exact).unwrap());
            assert_eq!(test.judge(&Json::from(text)), Ok(holds), "{glob:?} on {text:?}");
        }
        let test = TextTest::Pattern(Pattern::glob("A*", Case::Ignored).unwrap());
        assert_eq!(test.judge(&Json::from("aB")), Ok(true));
        assert!(Pattern::glob("a***", Case::Exact).is_err());
        assert!(Pattern::glob("", Case::Exact).is_err());
    }

    proptest! {
        #[test]
        fn any_pattern_compiles_or_is_refused(source in "\\PC{0,20}|[a-z()|*+?\\[\\]{}\\\\#^$. ]{0,12}", text in ".{0,20}") {
            let patterns = [Pattern::regex(&source), Pattern::glob(&source, Case::Ignored)];
            for pattern in patterns.into_iter().flatten() {
                let _ = TextTest::Pattern(pattern).judge(&Json::from(text.as_str()));
            }
        }
    }
}
