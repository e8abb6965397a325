//! The strict parser: bytes in, one [`Json`] value or a reason out.
//!
//! On top of JSON's grammar it refuses what could mean two things: bytes that are not UTF-8, a byte
//! order mark, the same key twice however it is escaped, half surrogate pairs, numbers that would be
//! rounded. It also refuses keys that other libraries treat as commands. Everything it reads is bounded
//! by [`Limits`], checked before the work or memory is spent.
//!
//! Not here: the grammar itself (`cursor.rs`), and text that must pass through unread (`raw.rs`).

use std::borrow::Cow;

use super::cursor::{Container, Cursor, LoneSurrogates, Quoted, Scalar, bad_number, check_length};
use super::error::{ParseError, ParseErrorKind, quoted};
use super::{Json, Number, Object};

/// How large a text may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Of the whole text, white space included.
    pub bytes: usize,
    /// Of arrays and objects around one another: `[[1]]` is 2 deep. Never more than 128 are read.
    pub depth: usize,
    /// In one object. Items of an array are bounded by `bytes` alone.
    pub members: usize,
    /// Of one key, after unescaping.
    pub key_bytes: usize,
}

impl Limits {
    /// What is read from a peer that has not been judged yet.
    pub const EDGE: Self = Self { bytes: 4 << 20, depth: 64, members: 10_000, key_bytes: 1 << 10 };
}

/// Keys that Cedar's JSON form of entities and values reads as commands.
const POLICY_KEYS: [&str; 3] = ["__entity", "__extn", "__expr"];

/// Keys by which `serde_json` passes numbers and raw text to itself.
const SERDE_PREFIX: &str = "$serde_json::private::";

/// Reads one JSON value, which may have white space around it and nothing else.
///
/// # Errors
///
/// [`ParseError`] with the offset of the first problem: a limit that was hit, or what is wrong.
///
/// ```
/// use placet_engine::json::{Limits, ParseErrorKind, parse};
///
/// assert_eq!(parse(b"[1, 2.50]", &Limits::EDGE)?.compact(), "[1,2.5]");
///
/// let refused = parse(b"[1, 2,]", &Limits::EDGE).unwrap_err();
/// assert_eq!(refused.kind(), ParseErrorKind::Unexpected);
/// assert_eq!(refused.to_string(), "expected a value, found `]` at byte 6");
/// # Ok::<(), placet_engine::json::ParseError>(())
/// ```
pub fn parse(bytes: &[u8], limits: &Limits) -> Result<Json, ParseError> {
    check_length(bytes.len(), limits)?;
    let text = std::str::from_utf8(bytes).map_err(|fault| {
        ParseError::new(ParseErrorKind::NotUtf8, fault.valid_up_to(), "the text is not UTF-8")
    })?;
    let mut reader = Reader { cursor: Cursor::over(text, limits)?, limits: *limits };
    let value = reader.value()?;
    reader.cursor.finish()?;
    Ok(value)
}

struct Reader<'a> {
    cursor: Cursor<'a>,
    limits: Limits,
}

impl Reader<'_> {
    fn value(&mut self) -> Result<Json, ParseError> {
        match self.cursor.container() {
            Some(Container::Object) => self.object().map(Json::Object),
            Some(Container::Array) => self.array().map(Json::Array),
            None => self.scalar(),
        }
    }

    fn scalar(&mut self) -> Result<Json, ParseError> {
        Ok(match self.cursor.scalar()? {
            Scalar::Null => Json::Null,
            Scalar::Bool(truth) => Json::Bool(truth),
            Scalar::Number(literal) => {
                Json::Number(Number::of_literal(literal.text).map_err(|why| bad_number(&literal, why))?)
            }
            Scalar::String(string) => Json::String(string.unescape(LoneSurrogates::Refuse)?.into_owned()),
        })
    }

    fn array(&mut self) -> Result<Vec<Json>, ParseError> {
        let mut items = Vec::new();
        let mut more = self.cursor.enter(Container::Array)?;
        while more {
            items.push(self.value()?);
            more = self.cursor.more(Container::Array)?;
        }
        Ok(items)
    }

    fn object(&mut self) -> Result<Object, ParseError> {
        let mut object = Object::new();
        let mut more = self.cursor.enter(Container::Object)?;
        while more {
            check_members(object.len(), self.cursor.offset(), &self.limits)?;
            let source = self.cursor.key()?;
            let key = checked_key(&source, LoneSurrogates::Refuse, &self.limits)?;
            if is_reserved(&key) {
                let message = format!("key {} is reserved", quoted(&key));
                return Err(ParseError::new(ParseErrorKind::ReservedKey, source.offset(), message));
            }
            if object.contains(&key) {
                return Err(duplicate(&key, source.offset()));
            }
            let value = self.value()?;
            object.append(key.into_owned(), value);
            more = self.cursor.more(Container::Object)?;
        }
        Ok(object)
    }
}

fn is_reserved(key: &str) -> bool {
    key.starts_with(SERDE_PREFIX) || POLICY_KEYS.contains(&key)
}

/// Checks that one more member may follow `held`.
pub(super) fn check_members(held: usize, offset: usize, limits: &Limits) -> Result<(), ParseError> {
    if held < limits.members {
        return Ok(());
    }
    let message = format!("the object has more members than the limit of {}", limits.members);
    Err(ParseError::new(ParseErrorKind::TooManyMembers, offset, message))
}

pub(super) fn checked_key<'a>(
    source: &Quoted<'a>,
    lone: LoneSurrogates,
    limits: &Limits,
) -> Result<Cow<'a, str>, ParseError> {
    let key = source.unescape(lone)?;
    if key.len() <= limits.key_bytes {
        return Ok(key);
    }
    let message = format!("key {} is longer than the limit of {} bytes", quoted(&key), limits.key_bytes);
    Err(ParseError::new(ParseErrorKind::KeyTooLong, source.offset(), message))
}

pub(super) fn duplicate(key: &str, offset: usize) -> ParseError {
    ParseError::new(
        ParseErrorKind::DuplicateKey,
        offset,
        format!("key {} stands twice in its object", quoted(key)),
    )
}

#[cfg(test)]
mod tests;
