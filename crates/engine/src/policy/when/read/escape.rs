//! What stands between quotes, with Cedar's escapes read.
//!
//! In a pattern `*` is any number of any characters and `\*` a star. Cedar takes an escaped code of the star
//! for the former, which nobody expects: here it is an error.

use std::ops::Range;

use super::super::{WhenError, syntax::Pattern};
use super::shown;

/// A character, or the star that stands for any.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Read {
    Char(char),
    /// The same, written as its code.
    Code(char),
    /// `\*`
    Star,
}

/// The text that `raw` writes; `start` is where it begins.
pub(super) fn text(raw: &str, start: usize) -> Result<String, WhenError> {
    read(raw, start, |read, at| match read {
        Read::Char(char) | Read::Code(char) => Ok(char),
        Read::Star => {
            Err(WhenError::new(at, "`\\*` stands in the pattern of a `like` only").help("write `*`"))
        }
    })
}

/// The pattern that `raw` writes; `start` is where it begins.
pub(super) fn pattern(raw: &str, start: usize) -> Result<Pattern, WhenError> {
    let chars: Vec<Option<char>> = read(raw, start, |read, at| match read {
        Read::Char('*') => Ok(None),
        Read::Code('*') => {
            let error = WhenError::new(at, "this is either a star or any characters");
            Err(error.help("write `\\*` for a star, `*` for any characters"))
        }
        Read::Star => Ok(Some('*')),
        Read::Char(char) | Read::Code(char) => Ok(Some(char)),
    })?;
    Ok(Pattern::of(chars))
}

fn read<T, All: FromIterator<T>>(
    raw: &str,
    start: usize,
    take: impl Fn(Read, Range<usize>) -> Result<T, WhenError>,
) -> Result<All, WhenError> {
    let mut rest = raw;
    std::iter::from_fn(|| {
        let begin = start + (raw.len() - rest.len());
        let (read, after) = one(rest)?;
        let bytes = rest.len() - after.len();
        let at = begin..begin + bytes;
        let escape = rest.get(..bytes).unwrap_or_default();
        rest = after;
        Some(match read {
            Some(read) => take(read, at),
            None => {
                let error = WhenError::new(at, format!("unknown escape `{}`", shown(escape)));
                Err(error
                    .help("escapes are \\n \\r \\t \\\\ \\0 \\\" \\' \\x41 \\u{e9}, and \\* in a pattern"))
            }
        })
    })
    .collect()
}

/// The first character of `rest` and what follows it; `None` inside for an escape that is none.
fn one(rest: &str) -> Option<(Option<Read>, &str)> {
    let mut chars = rest.chars();
    let first = chars.next()?;
    if first != '\\' {
        return Some((Some(Read::Char(first)), chars.as_str()));
    }
    let plain = match chars.next() {
        Some('n') => '\n',
        Some('r') => '\r',
        Some('t') => '\t',
        Some('0') => '\0',
        Some(char @ ('\\' | '"' | '\'')) => char,
        Some('*') => return Some((Some(Read::Star), chars.as_str())),
        Some('x') => return Some(byte(chars.as_str())),
        Some('u') => return Some(code(chars.as_str())),
        Some(_) | None => return Some((None, chars.as_str())),
    };
    Some((Some(Read::Char(plain)), chars.as_str()))
}

/// Two hexadecimal digits, of an ASCII character.
fn byte(rest: &str) -> (Option<Read>, &str) {
    let Some((digits, after)) = rest.split_at_checked(2) else { return (None, rest) };
    let char = hexadecimal(digits).filter(char::is_ascii);
    (char.map(Read::Code), after)
}

/// One to six hexadecimal digits between braces.
fn code(rest: &str) -> (Option<Read>, &str) {
    let Some((digits, after)) = rest.strip_prefix('{').and_then(|rest| rest.split_once('}')) else {
        return (None, rest);
    };
    let char = if (1..=6).contains(&digits.len()) { hexadecimal(digits) } else { None };
    (char.map(Read::Code), after)
}

fn hexadecimal(digits: &str) -> Option<char> {
    // Rust would read a sign in front of digits.
    let are_digits = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    if are_digits { char::from_u32(u32::from_str_radix(digits, 16).ok()?) } else { None }
}
