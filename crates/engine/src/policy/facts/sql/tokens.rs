//! The tokens of a statement, where databases agree about them.
//!
//! Read from left to right, each token as long as it can be. What follows a literal at once, without a blank
//! or a sign, is refused: databases differ about whether `7or` is one token or two.

use super::super::Unfit;
use crate::diagnostic::acts;

/// A piece of a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Token {
    /// A keyword, or a name that needs no quotes.
    Word(String),
    /// A name between double quotes, with them.
    Name(String),
    /// Digits, perhaps with a point among them.
    Number(String),
    /// What stands between single quotes, with them.
    Text(String),
    /// An operator, a bracket, a comma, a point.
    Sign(&'static str),
    /// `?`.
    Any,
}

/// The signs that are known, the longer ones first. `;` is not among them: it only ends a statement.
const SIGNS: [&str; 17] =
    ["<=", ">=", "<>", "!=", "||", "(", ")", ",", ".", "=", "<", ">", "+", "-", "*", "/", "%"];

/// Characters beyond ASCII that become a quote where a database converts a text to one byte a letter.
const LIKE_QUOTES: [char; 8] =
    ['\u{2b9}', '\u{2bc}', '\u{2c8}', '\u{2018}', '\u{2019}', '\u{201b}', '\u{2032}', '\u{ff07}'];

pub(super) fn tokens(text: &str) -> Result<Vec<Token>, Unfit> {
    let mut found = Vec::new();
    let mut rest = text.trim_matches(is_blank);
    rest = rest.strip_suffix(';').unwrap_or(rest).trim_end_matches(is_blank);
    while let Some(first) = rest.chars().next() {
        let (token, length) = match first {
            'a'..='z' | 'A'..='Z' | '_' => {
                let word = leading(rest, |char| char.is_ascii_alphanumeric() || char == '_');
                (Token::Word(word.to_owned()), word.len())
            }
            '0'..='9' => {
                let number = number(rest);
                (Token::Number(number.to_owned()), number.len())
            }
            '\'' | '"' => {
                let quoted = quoted(rest, first)?;
                let token = if first == '\'' { Token::Text } else { Token::Name };
                (token(quoted.to_owned()), quoted.len())
            }
            '?' => (Token::Any, 1),
            _ => {
                if let Some(comment) = ["--", "/*"].into_iter().find(|sign| rest.starts_with(sign)) {
                    return Err(Unfit::new(format!("it has a comment, which begins with `{comment}`")));
                }
                let Some(sign) = SIGNS.into_iter().find(|sign| rest.starts_with(sign)) else {
                    let what = if first == ';' { "before its end it contains" } else { "it contains" };
                    return Err(Unfit::character(first, what));
                };
                (Token::Sign(sign), sign.len())
            }
        };
        rest = rest.get(length..).unwrap_or_default();
        let next = rest.chars().next().filter(|next| is_of_a_word(*next));
        if let (
            Some(next),
            Token::Word(_) | Token::Name(_) | Token::Number(_) | Token::Text(_) | Token::Any,
        ) = (next, &token)
        {
            return Err(Unfit::character(next, "at once after a word or a value it has"));
        }
        if let (Token::Number(_), true) = (&token, rest.starts_with('.')) {
            return Err(Unfit::new("it has a number with a point at its end"));
        }
        found.push(token);
        rest = rest.trim_start_matches(is_blank);
    }
    if found.is_empty() { Err(Unfit::new("it is empty")) } else { Ok(found) }
}

fn is_blank(char: char) -> bool {
    matches!(char, ' ' | '\t' | '\r' | '\n')
}

/// What must not follow a word or a literal at once.
fn is_of_a_word(char: char) -> bool {
    char.is_ascii_alphanumeric()
        || matches!(char, '_' | '\'' | '"' | '?' | '$' | '@' | '#' | '`')
        || !char.is_ascii()
}

fn leading(text: &str, belongs: impl Fn(char) -> bool) -> &str {
    text.split_once(|char| !belongs(char)).map_or(text, |(leading, _)| leading)
}

fn number(text: &str) -> &str {
    let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
    let whole = digits(text);
    let fraction = text.get(whole..).and_then(|rest| rest.strip_prefix('.')).map_or(0, digits);
    let length = if fraction == 0 { whole } else { whole + 1 + fraction };
    text.get(..length).unwrap_or_default()
}

/// A text with its quotes; a quote in it is written twice.
fn quoted(text: &str, quote: char) -> Result<&str, Unfit> {
    let mut chars = text.char_indices().skip(1).peekable();
    while let Some((at, char)) = chars.next() {
        if char == quote {
            if chars.next_if(|(_, next)| *next == quote).is_none() {
                return Ok(text.get(..=at).unwrap_or_default());
            }
        } else if char == '\\' || acts(char) || LIKE_QUOTES.contains(&char) {
            return Err(Unfit::character(char, "between quotes it contains"));
        }
    }
    Err(Unfit::new("a quote in it is not closed"))
}
