//! Texts that may refer to secrets: `"Bearer ${file:/run/secrets/crm}"`.
//!
//! A secret never stands in the file; a reference names where it is found. `$${` is a plain `${`, and
//! anything else after `${` is an error, so that a misspelt reference is not sent to a server as it stands.
//!
//! Not here: looking secrets up. Start at [`Text`].

use std::{fmt, ops::Range, str::FromStr};

/// Literal text with references to secrets.
///
/// A `$` directly before a reference cannot be said: `$${` is taken.
///
/// ```
/// # use placet_engine::policy::config::{Part, Text};
/// let text: Text = "Bearer ${env:CRM_TOKEN}".parse()?;
/// assert_eq!(text.parts(), [Part::Literal("Bearer ".into()), Part::Env("CRM_TOKEN".into())]);
/// assert!("${evn:CRM_TOKEN}".parse::<Text>().is_err());
/// # Ok::<(), placet_engine::policy::config::TextError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Text(Vec<Part>);

/// A piece of a [`Text`].
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    /// These characters; never none.
    Literal(String),
    /// What the variable of our own environment holds.
    Env(String),
    /// What the file at this absolute path holds.
    File(String),
}

impl Text {
    /// A text without references: these very characters, `${` among them.
    pub fn literal(text: &str) -> Self {
        if text.is_empty() { Self(Vec::new()) } else { Self(vec![Part::Literal(text.to_owned())]) }
    }

    /// Its pieces in order; no two literal ones stand side by side, and the empty text has none.
    pub fn parts(&self) -> &[Part] {
        &self.0
    }

    /// The characters of a text without references.
    pub fn as_literal(&self) -> Option<&str> {
        match self.0.as_slice() {
            [] => Some(""),
            [Part::Literal(text)] => Some(text),
            [Part::Env(_) | Part::File(_), ..] | [Part::Literal(_), ..] => None,
        }
    }
}

/// The form of the file, which reads back as the same text.
impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|part| match part {
            Part::Literal(text) => f.write_str(&text.replace("${", "$${")),
            Part::Env(name) => write!(f, "${{env:{name}}}"),
            Part::File(path) => write!(f, "${{file:{path}}}"),
        })
    }
}

impl FromStr for Text {
    type Err = TextError;

    fn from_str(source: &str) -> Result<Self, TextError> {
        let mut parts = Vec::new();
        let mut literal = String::new();
        let mut rest = source;
        while let Some((before, after)) = rest.split_once("${") {
            if let Some(before) = before.strip_suffix('$') {
                literal.push_str(before);
                literal.push_str("${");
                rest = after;
                continue;
            }
            let begin = source.len() - after.len() - 2;
            let (body, tail) = after
                .split_once('}')
                .ok_or(TextError { at: begin..source.len(), fault: TextFault::Unclosed })?;
            let reference = Part::reference(body)
                .map_err(|fault| TextError { at: begin..source.len() - tail.len(), fault })?;
            literal.push_str(before);
            if !literal.is_empty() {
                parts.push(Part::Literal(std::mem::take(&mut literal)));
            }
            parts.push(reference);
            rest = tail;
        }
        literal.push_str(rest);
        if !literal.is_empty() {
            parts.push(Part::Literal(literal));
        }
        Ok(Self(parts))
    }
}

impl Part {
    fn reference(body: &str) -> Result<Self, TextFault> {
        if let Some(name) = body.strip_prefix("env:") {
            return if is_variable(name) { Ok(Self::Env(name.to_owned())) } else { Err(TextFault::Variable) };
        }
        if let Some(path) = body.strip_prefix("file:") {
            let good = path.starts_with('/') && !path.contains(char::is_control);
            return if good { Ok(Self::File(path.to_owned())) } else { Err(TextFault::Path) };
        }
        Err(TextFault::Kind)
    }
}

fn is_variable(name: &str) -> bool {
    name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        && name.bytes().next().is_some_and(|first| !first.is_ascii_digit())
}

/// A reference that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextError {
    /// Its bytes in the text.
    pub at: Range<usize>,
    /// What is wrong with it.
    pub fault: TextFault,
}

/// What is wrong with a reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TextFault {
    /// No `}` follows.
    Unclosed,
    /// It is neither `env:` nor `file:`.
    Kind,
    /// The name is no variable's.
    Variable,
    /// The path is not absolute, or has a control character.
    Path,
}

impl TextError {
    /// What to write instead.
    pub fn help(&self) -> &'static str {
        match self.fault {
            TextFault::Unclosed | TextFault::Kind => {
                "references are `${env:NAME}` and `${file:/absolute/path}`; write `$${` for a plain `${`"
            }
            TextFault::Variable => "a variable's name is A-Z, a-z, 0-9 and `_`, not beginning with a digit",
            TextFault::Path => "write the whole path, as in `${file:/run/secrets/crm}`",
        }
    }
}

impl fmt::Display for TextError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.fault {
            TextFault::Unclosed => "the reference after `${` has no `}`",
            TextFault::Kind => "unknown kind of reference",
            TextFault::Variable => "the reference names no variable",
            TextFault::Path => "the reference names no absolute path",
        })
    }
}

impl std::error::Error for TextError {}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_text_is_split_at_its_references() {
        let literal = |text: &str| Part::Literal(text.into());
        let env = |name: &str| Part::Env(name.into());
        let file = |path: &str| Part::File(path.into());
        for (source, parts) in [
            ("", vec![]),
            ("plain $ {x} $5 }", vec![literal("plain $ {x} $5 }")]),
            ("${env:A}", vec![env("A")]),
            ("a${env:_B1}${file:/c d}e", vec![literal("a"), env("_B1"), file("/c d"), literal("e")]),
            ("$${env:A}", vec![literal("${env:A}")]),
            ("$$${env:A}", vec![literal("$${env:A}")]),
            ("$$${${env:A}", vec![literal("$${"), env("A")]),
            ("${file:/a/$b}", vec![file("/a/$b")]),
        ] {
            let text: Text = source.parse().unwrap();
            assert_eq!(text.parts(), parts, "{source:?}");
            assert_eq!(text.to_string(), source);
        }
    }

    #[test]
    fn a_misspelt_reference_is_an_error_with_its_place() {
        for (source, at, fault) in [
            ("a ${env:A", 2..9, TextFault::Unclosed),
            ("${", 0..2, TextFault::Unclosed),
            ("${}", 0..3, TextFault::Kind),
            ("$${x} ${evn:A} b", 6..14, TextFault::Kind),
            ("${ENV:A}", 0..8, TextFault::Kind),
            ("${env:}", 0..7, TextFault::Variable),
            ("${env:1A}", 0..9, TextFault::Variable),
            ("${env:A }", 0..9, TextFault::Variable),
            ("${file:secret}", 0..14, TextFault::Path),
            ("${file:/a\0}", 0..11, TextFault::Path),
        ] {
            assert_eq!(source.parse::<Text>(), Err(TextError { at, fault }), "{source:?}");
        }
    }

    proptest! {
        #[test]
        fn any_literal_comes_back_through_its_source(text in "[$a{}]{0,8}|\\PC*|[$]{0,3}[{]env:A[}]") {
            let meant = Text::literal(&text);
            prop_assert_eq!(meant.as_literal(), Some(text.as_str()));
            prop_assert_eq!(meant.to_string().parse::<Text>(), Ok(meant));
        }

        #[test]
        fn whatever_reads_comes_back_through_its_source(
            source in prop::collection::vec(prop::sample::select(vec!["$", "{", "}", "${env:A}", "${file:/a}", "é", "$${"]), 0..8)
        ) {
            if let Ok(text) = source.concat().parse::<Text>() {
                prop_assert_eq!(text.to_string().parse::<Text>(), Ok(text));
            }
        }
    }
}
