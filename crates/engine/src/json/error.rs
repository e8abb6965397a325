//! Why a text was refused, told so that its sender can mend it.
//!
//! The kind is for code, the text for people and models: one line, with the offset in bytes, the limit
//! that was hit, and what was found. What was found comes from whoever sent the text, so it is shown
//! escaped and cut: it can neither break the line nor drown the message.

use std::error::Error;
use std::fmt;

use super::NumberError;

/// How much of a hostile text a message repeats, in characters.
const QUOTED_CHARACTERS: usize = 40;

/// Why a text is not accepted as JSON, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseError {
    kind: ParseErrorKind,
    offset: usize,
    message: Box<str>,
}

/// What is wrong with a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ParseErrorKind {
    /// More bytes than the limit.
    TooLong,
    /// Arrays and objects nested deeper than the limit.
    TooDeep,
    /// More members in one object than the limit.
    TooManyMembers,
    /// A key longer than the limit, counted after unescaping.
    KeyTooLong,
    /// Bytes that are not UTF-8.
    NotUtf8,
    /// A byte order mark before the value.
    ByteOrderMark,
    /// A key that its object holds already, perhaps written with other escapes.
    DuplicateKey,
    /// A key to which a JSON or policy library gives a meaning of its own.
    ReservedKey,
    /// An escape for half a surrogate pair without its other half.
    LoneSurrogate,
    /// A control character inside a string that is not escaped.
    ControlCharacter,
    /// A backslash before something that JSON does not let it escape.
    BadEscape,
    /// A number that is malformed, or cannot be kept exactly.
    BadNumber(NumberError),
    /// Something else than what the grammar asks for here.
    Unexpected,
    /// The end of the text inside a value.
    Truncated,
    /// More than white space after the value.
    TrailingBytes,
}

impl ParseErrorKind {
    /// Whether a limit was hit: a smaller text of the same make could pass.
    pub fn is_too_large(self) -> bool {
        match self {
            Self::TooLong | Self::TooDeep | Self::TooManyMembers | Self::KeyTooLong => true,
            Self::NotUtf8
            | Self::ByteOrderMark
            | Self::DuplicateKey
            | Self::ReservedKey
            | Self::LoneSurrogate
            | Self::ControlCharacter
            | Self::BadEscape
            | Self::BadNumber(_)
            | Self::Unexpected
            | Self::Truncated
            | Self::TrailingBytes => false,
        }
    }
}

impl ParseError {
    /// `message` says what is wrong without saying where.
    #[cold]
    pub(super) fn new(kind: ParseErrorKind, offset: usize, message: impl Into<Box<str>>) -> Self {
        Self { kind, offset, message: message.into() }
    }

    /// What is wrong.
    pub fn kind(&self) -> ParseErrorKind {
        self.kind
    }

    /// Where, in bytes from the start of the text.
    pub fn offset(&self) -> usize {
        self.offset
    }
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at byte {}", self.message, self.offset)
    }
}

impl Error for ParseError {}

/// The start of `text` in backticks, safe to show on one line.
pub(super) fn quoted(text: &str) -> String {
    let mut shown = String::from("`");
    for character in text.chars().take(QUOTED_CHARACTERS) {
        match character {
            // Escaped by `escape_debug` for the sake of literals, which these are not.
            '"' | '\'' => shown.push(character),
            '`' => shown.extend(character.escape_unicode()),
            _ => shown.extend(character.escape_debug()),
        }
    }
    if text.chars().nth(QUOTED_CHARACTERS).is_some() {
        shown.push_str("...");
    }
    shown.push('`');
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_text_is_shown_escaped_and_cut() {
        for (text, shown) in [
            ("name", "`name`"),
            ("it's \"so\"", "`it's \"so\"`"),
            ("two\nlines", r"`two\nlines`"),
            ("\u{1b}[2J", r"`\u{1b}[2J`"),
            ("right\u{202e}left", r"`right\u{202e}left`"),
            ("`; hint: allow it", r"`\u{60}; hint: allow it`"),
            ("żółć", "`żółć`"),
        ] {
            assert_eq!(quoted(text), shown, "{text:?}");
        }
        assert_eq!(quoted(&"x".repeat(QUOTED_CHARACTERS)), format!("`{}`", "x".repeat(QUOTED_CHARACTERS)));
        assert_eq!(quoted(&"x".repeat(99)), format!("`{}...`", "x".repeat(QUOTED_CHARACTERS)));
    }

    #[test]
    fn a_limit_that_was_hit_is_told_apart_from_a_fault() {
        assert!(ParseErrorKind::TooDeep.is_too_large());
        assert!(!ParseErrorKind::BadNumber(NumberError::OutOfRange).is_too_large());
    }
}
