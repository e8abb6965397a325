//! The one place that reads JSON's grammar.
//!
//! The strict parser builds a tree as it walks, and the raw functions only note where things begin and
//! end; both walk with a [`Cursor`], so they cannot disagree about what is well formed. A cursor stands
//! at a byte of the text and moves over one piece of grammar at a time.
//!
//! Containers are read by one loop everywhere: [`Cursor::enter`] says whether there is a first element,
//! [`Cursor::more`] whether another follows. They also count depth, so that no walk can recurse past
//! the limit. Not here: what a number or a key may be, which the two sides see differently.

use std::borrow::Cow;

use super::error::{ParseError, ParseErrorKind, quoted};
use super::number::{NumberError, literal_length};
use super::parse::Limits;

/// The deepest nesting that any [`Limits`] can allow. Walks recurse, and a thread's stack is finite.
pub(super) const DEPTH_CEILING: usize = 128;

/// A place in a text that holds one JSON value.
pub(super) struct Cursor<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
    depth_max: usize,
}

/// The two kinds of value that hold others.
#[derive(Clone, Copy)]
pub(super) enum Container {
    Array,
    Object,
}

/// A value that holds no other.
pub(super) enum Scalar<'a> {
    Null,
    Bool(bool),
    Number(Literal<'a>),
    String(Quoted<'a>),
}

/// A number as it is written, its grammar checked.
pub(super) struct Literal<'a> {
    pub text: &'a str,
    pub offset: usize,
}

/// A string as it stands between its quotes: well formed, escapes not yet replaced.
pub(super) struct Quoted<'a> {
    inner: &'a str,
    /// Of the first byte after the opening quote.
    offset: usize,
    has_escapes: bool,
}

/// What to do about an escape for half a surrogate pair, which stands for no character.
#[derive(Clone, Copy)]
pub(super) enum LoneSurrogates {
    Refuse,
    /// Put U+FFFD in their place.
    Replace,
}

impl<'a> Cursor<'a> {
    /// Stands before the one value of `text`, past any white space.
    pub(super) fn over(text: &'a str, limits: &Limits) -> Result<Self, ParseError> {
        check_length(text.len(), limits)?;
        if text.starts_with('\u{feff}') {
            let message = "expected a value, found a byte order mark";
            return Err(ParseError::new(ParseErrorKind::ByteOrderMark, 0, message));
        }
        let mut cursor = Self { text, at: 0, depth: 0, depth_max: limits.depth.min(DEPTH_CEILING) };
        cursor.skip_blanks();
        Ok(cursor)
    }

    /// Checks that nothing but white space is left.
    pub(super) fn finish(mut self) -> Result<(), ParseError> {
        self.skip_blanks();
        if self.at == self.text.len() {
            return Ok(());
        }
        let found = quoted(self.next_character().unwrap_or_default());
        let message = format!("expected the end of the text, found {found}");
        Err(ParseError::new(ParseErrorKind::TrailingBytes, self.at, message))
    }

    /// Where the cursor stands, in bytes.
    pub(super) fn offset(&self) -> usize {
        self.at
    }

    pub(super) fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// Which container begins here, if one does.
    pub(super) fn container(&self) -> Option<Container> {
        match self.peek() {
            Some(b'[') => Some(Container::Array),
            Some(b'{') => Some(Container::Object),
            _ => None,
        }
    }

    /// Moves into the container that begins here, up to its first element. False if it has none; then
    /// the cursor stands behind it.
    pub(super) fn enter(&mut self, container: Container) -> Result<bool, ParseError> {
        if self.peek() != Some(container.opening()) {
            return Err(self.unexpected(container.name()));
        }
        if self.depth == self.depth_max {
            let message =
                format!("arrays and objects nest deeper than the limit of {} levels", self.depth_max);
            return Err(ParseError::new(ParseErrorKind::TooDeep, self.at, message));
        }
        self.at += 1;
        self.skip_blanks();
        if self.peek() == Some(container.closing()) {
            self.at += 1;
            return Ok(false);
        }
        self.depth += 1;
        Ok(true)
    }

    /// Moves from behind one element to the next. False if there is none; then the cursor stands behind
    /// the container.
    pub(super) fn more(&mut self, container: Container) -> Result<bool, ParseError> {
        self.skip_blanks();
        match self.peek() {
            Some(b',') => {
                self.at += 1;
                self.skip_blanks();
                Ok(true)
            }
            Some(byte) if byte == container.closing() => {
                self.at += 1;
                self.depth = self.depth.saturating_sub(1);
                Ok(false)
            }
            _ => Err(self.unexpected(container.after_element())),
        }
    }

    /// Reads a member's key and the colon behind it, up to the member's value.
    pub(super) fn key(&mut self) -> Result<Quoted<'a>, ParseError> {
        if self.peek() != Some(b'"') {
            return Err(self.unexpected("a key"));
        }
        let key = self.string()?;
        self.skip_blanks();
        if self.peek() != Some(b':') {
            return Err(self.unexpected("`:`"));
        }
        self.at += 1;
        self.skip_blanks();
        Ok(key)
    }

    /// Reads a value that is not a container.
    pub(super) fn scalar(&mut self) -> Result<Scalar<'a>, ParseError> {
        match self.peek() {
            Some(b'"') => self.string().map(Scalar::String),
            Some(b'-' | b'0'..=b'9') => self.number().map(Scalar::Number),
            Some(b't') => self.word("true").map(|()| Scalar::Bool(true)),
            Some(b'f') => self.word("false").map(|()| Scalar::Bool(false)),
            Some(b'n') => self.word("null").map(|()| Scalar::Null),
            _ => Err(self.unexpected("a value")),
        }
    }

    /// Moves over one value of any kind and keeps nothing of it.
    pub(super) fn skip_value(&mut self) -> Result<(), ParseError> {
        let Some(container) = self.container() else {
            return self.scalar().map(|_| ());
        };
        let mut more = self.enter(container)?;
        while more {
            if let Container::Object = container {
                self.key()?;
            }
            self.skip_value()?;
            more = self.more(container)?;
        }
        Ok(())
    }

    /// The source from `start` to the cursor.
    pub(super) fn since(&self, start: usize) -> Result<&'a str, ParseError> {
        self.between(start, self.at)
    }

    /// The source between two places where the cursor has stood.
    pub(super) fn between(&self, from: usize, to: usize) -> Result<&'a str, ParseError> {
        // Always there, because a cursor stops only beside ASCII. Were that ever wrong, the text is refused.
        self.text.get(from..to).ok_or_else(|| self.unexpected("a character boundary"))
    }

    fn string(&mut self) -> Result<Quoted<'a>, ParseError> {
        let offset = self.at + 1;
        self.at = offset;
        let mut has_escapes = false;
        loop {
            let ends_run = |byte: &u8| matches!(byte, b'"' | b'\\' | 0..=0x1f);
            self.at += self.rest().iter().position(ends_run).unwrap_or(self.rest().len());
            match self.peek() {
                Some(b'"') => {
                    let inner = self.since(offset)?;
                    self.at += 1;
                    return Ok(Quoted { inner, offset, has_escapes });
                }
                Some(b'\\') => {
                    has_escapes = true;
                    self.escape()?;
                }
                Some(byte) => {
                    let message = format!("unescaped control character U+{byte:04X} in a string");
                    return Err(ParseError::new(ParseErrorKind::ControlCharacter, self.at, message));
                }
                None => return Err(self.unexpected("the end of a string")),
            }
        }
    }

    fn escape(&mut self) -> Result<(), ParseError> {
        let after_backslash = self.text.get(self.at + 1..).unwrap_or_default();
        match Escape::read(after_backslash) {
            Ok((_, rest)) => {
                self.at = self.text.len() - rest.len();
                Ok(())
            }
            Err(NotAnEscape::Truncated) => {
                self.at = self.text.len();
                Err(self.unexpected("the rest of an escape"))
            }
            Err(NotAnEscape::Bad { length }) => {
                let shown = self.text.get(self.at..).unwrap_or_default().chars().take(1 + length);
                let message = format!("unknown escape {} in a string", quoted(&shown.collect::<String>()));
                Err(ParseError::new(ParseErrorKind::BadEscape, self.at, message))
            }
        }
    }

    fn number(&mut self) -> Result<Literal<'a>, ParseError> {
        let offset = self.at;
        let Some(length) = literal_length(self.rest()) else {
            let resembles = |byte: &&u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
            self.at += self.rest().iter().take_while(resembles).count();
            let literal = Literal { text: self.since(offset)?, offset };
            return Err(bad_number(&literal, NumberError::Malformed));
        };
        self.at += length;
        Ok(Literal { text: self.since(offset)?, offset })
    }

    fn word(&mut self, word: &str) -> Result<(), ParseError> {
        let matching =
            self.rest().iter().zip(word.bytes()).take_while(|(found, wanted)| **found == *wanted).count();
        self.at += matching;
        if matching == word.len() { Ok(()) } else { Err(self.unexpected(&format!("`{word}`"))) }
    }

    fn skip_blanks(&mut self) {
        let is_blank = |byte: &&u8| matches!(byte, b' ' | b'\t' | b'\n' | b'\r');
        self.at += self.rest().iter().take_while(is_blank).count();
    }

    fn rest(&self) -> &'a [u8] {
        self.text.as_bytes().get(self.at..).unwrap_or_default()
    }

    fn next_character(&self) -> Option<&'a str> {
        let rest = self.text.get(self.at..)?;
        rest.get(..rest.chars().next()?.len_utf8())
    }

    #[cold]
    fn unexpected(&self, expected: &str) -> ParseError {
        match self.next_character() {
            Some(found) => {
                let message = format!("expected {expected}, found {}", quoted(found));
                ParseError::new(ParseErrorKind::Unexpected, self.at, message)
            }
            None => {
                let message = format!("expected {expected}, found the end of the text");
                ParseError::new(ParseErrorKind::Truncated, self.at, message)
            }
        }
    }
}

impl Container {
    fn opening(self) -> u8 {
        match self {
            Self::Array => b'[',
            Self::Object => b'{',
        }
    }

    fn closing(self) -> u8 {
        match self {
            Self::Array => b']',
            Self::Object => b'}',
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Array => "an array",
            Self::Object => "an object",
        }
    }

    fn after_element(self) -> &'static str {
        match self {
            Self::Array => "`,` or `]`",
            Self::Object => "`,` or `}`",
        }
    }
}

impl<'a> Quoted<'a> {
    /// Where the string begins, at its opening quote.
    pub(super) fn offset(&self) -> usize {
        self.offset.saturating_sub(1)
    }

    /// What the string says.
    pub(super) fn unescape(&self, lone: LoneSurrogates) -> Result<Cow<'a, str>, ParseError> {
        if !self.has_escapes {
            return Ok(Cow::Borrowed(self.inner));
        }
        let mut said = String::with_capacity(self.inner.len());
        let mut rest = self.inner;
        while let Some((plain, after_backslash)) = rest.split_once('\\') {
            said.push_str(plain);
            let offset = self.offset + self.inner.len() - after_backslash.len() - 1;
            let Ok((escape, after_escape)) = Escape::read(after_backslash) else {
                // The cursor has read this escape before; a disagreement is refused.
                return Err(ParseError::new(ParseErrorKind::BadEscape, offset, "unknown escape in a string"));
            };
            rest = after_escape;
            if let Some(character) = escape.character() {
                said.push(character);
            } else if let Some((character, after_pair)) = escape.pair_with(after_escape) {
                said.push(character);
                rest = after_pair;
            } else {
                match lone {
                    LoneSurrogates::Replace => said.push(char::REPLACEMENT_CHARACTER),
                    LoneSurrogates::Refuse => {
                        let message = "escape for half a surrogate pair in a string";
                        return Err(ParseError::new(ParseErrorKind::LoneSurrogate, offset, message));
                    }
                }
            }
        }
        said.push_str(rest);
        Ok(Cow::Owned(said))
    }
}

/// What an escape stands for.
#[derive(Clone, Copy)]
enum Escape {
    Character(char),
    /// `\u` names a unit of UTF-16, which may be half of a character.
    Unit(u16),
}

enum NotAnEscape {
    Truncated,
    /// Wrong at this many characters after the backslash.
    Bad {
        length: usize,
    },
}

impl Escape {
    /// Reads the escape whose backslash stands before `text`; also returns what follows it.
    fn read(text: &str) -> Result<(Self, &str), NotAnEscape> {
        let mut letters = text.chars();
        let character = match letters.next().ok_or(NotAnEscape::Truncated)? {
            letter @ ('"' | '\\' | '/') => letter,
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'u' => {
                let mut unit: u16 = 0;
                for read in 1..=4 {
                    let letter = letters.next().ok_or(NotAnEscape::Truncated)?;
                    let digit = letter.to_digit(16).ok_or(NotAnEscape::Bad { length: read + 1 })?;
                    unit = unit << 4 | digit as u16;
                }
                return Ok((Self::Unit(unit), letters.as_str()));
            }
            _ => return Err(NotAnEscape::Bad { length: 1 }),
        };
        Ok((Self::Character(character), letters.as_str()))
    }

    fn character(self) -> Option<char> {
        match self {
            Self::Character(character) => Some(character),
            Self::Unit(unit) => char::from_u32(unit.into()),
        }
    }

    /// The character that this half makes with the escape at the start of `text`, and what follows.
    fn pair_with(self, text: &str) -> Option<(char, &str)> {
        let Self::Unit(first) = self else { return None };
        let Ok((Self::Unit(second), rest)) = Self::read(text.strip_prefix('\\')?) else { return None };
        let character = char::decode_utf16([first, second]).next()?.ok()?;
        Some((character, rest))
    }
}

pub(super) fn check_length(bytes: usize, limits: &Limits) -> Result<(), ParseError> {
    if bytes <= limits.bytes {
        return Ok(());
    }
    let message = format!("the text is longer than the limit of {} bytes", limits.bytes);
    Err(ParseError::new(ParseErrorKind::TooLong, limits.bytes, message))
}

#[cold]
pub(super) fn bad_number(literal: &Literal<'_>, why: NumberError) -> ParseError {
    let message = format!("number {}: {why}", quoted(literal.text));
    ParseError::new(ParseErrorKind::BadNumber(why), literal.offset, message)
}
