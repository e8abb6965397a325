//! Words, texts, numbers and signs: the pieces of a condition's text, to its last character.
//!
//! What can be no piece becomes one that carries its own error, which the parser hands on when it gets there:
//! so the first mistake of a text is the one that is told. Blanks are the four of ASCII; a name with other
//! letters stands in quotes, where nothing may stand that cannot be seen.

use std::ops::Range;

use super::WhenError;
use crate::diagnostic::{acts, inert};

/// A piece and its place.
#[derive(Clone, Debug)]
pub(super) struct Token<'a> {
    pub(super) piece: Piece<'a>,
    pub(super) at: Range<usize>,
}

#[derive(Clone, Debug)]
pub(super) enum Piece<'a> {
    /// A name or a word of the language.
    Word(&'a str),
    /// What stands between two quotes, with its escapes.
    Text(&'a str),
    /// Digits, perhaps with a point.
    Number(&'a str),
    Sign(&'static str),
    /// What cannot stand in a condition.
    Bad(Box<WhenError>),
    End,
}

/// The signs that a condition may have; of two that begin alike the longer one first.
const SIGNS: [&str; 17] =
    ["||", "&&", "==", "!=", "<=", ">=", "::", "<", ">", "!", "(", ")", "[", "]", ".", ",", "-"];

/// The signs that it may not have, and what is said of them.
const OTHERS: [(&str, &str, &str); 13] = [
    ("//", "a condition has no comments", "write it in the file, after `#`"),
    ("+", ARITHMETIC, NO_ARITHMETIC),
    ("*", ARITHMETIC, NO_ARITHMETIC),
    ("/", ARITHMETIC, NO_ARITHMETIC),
    ("%", ARITHMETIC, NO_ARITHMETIC),
    ("&", "`&` is no operator", "write `&&`"),
    ("|", "`|` is no operator", "write `||`"),
    ("=", "`=` is no operator", "write `==`"),
    ("'", "a text stands between double quotes", "write `\"text\"`, in a file whose own quotes are single"),
    ("{", "a condition has no objects", "read one member of it, as in `args.address.city`"),
    (";", "a condition is one expression", "join two with `&&` or `||`"),
    ("?", "`?` is no operator", "write `if a then b else c`"),
    ("@", "a condition has no annotations", "a guard's `id` names it"),
];

pub(super) const ARITHMETIC: &str = "a condition does no arithmetic";
pub(super) const NO_ARITHMETIC: &str =
    "compare values as they are; what must be computed first can be a `[match]`";

/// The pieces of a text, up to its end or to what can be no piece.
pub(super) fn tokens(text: &str) -> Vec<Token<'_>> {
    let mut lexer = Lexer { text, at: 0 };
    let mut tokens = Vec::new();
    loop {
        let token = lexer.next();
        let is_last = matches!(token.piece, Piece::End | Piece::Bad(_));
        tokens.push(token);
        if is_last {
            return tokens;
        }
    }
}

/// Whether a name may follow a point.
pub(super) fn is_bare(name: &str) -> bool {
    name.bytes().next().is_some_and(|first| !first.is_ascii_digit())
        && name.bytes().all(is_in_word)
        && !RESERVED.contains(&name)
}

/// Cedar's own words, which are no names there.
const RESERVED: [&str; 9] = ["true", "false", "if", "then", "else", "in", "is", "like", "has"];

fn is_in_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

struct Lexer<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Lexer<'a> {
    fn next(&mut self) -> Token<'a> {
        self.run(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r'));
        let start = self.at;
        let piece = match self.rest().chars().next() {
            None => Piece::End,
            Some('"') => self.quoted(),
            Some(first) if first.is_ascii_digit() => self.number(),
            Some(first) if first.is_ascii_alphabetic() || first == '_' => Piece::Word(self.run(is_in_word)),
            Some(first) => self.sign(first),
        };
        Token { piece, at: start..self.at }
    }

    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn take(&mut self, bytes: usize) -> &'a str {
        let taken = self.rest().get(..bytes).unwrap_or_else(|| self.rest());
        self.at += taken.len();
        taken
    }

    fn run(&mut self, belongs: impl Fn(u8) -> bool) -> &'a str {
        self.take(self.rest().bytes().take_while(|byte| belongs(*byte)).count())
    }

    /// Letters belong to it too, so that `1e3` is called no number and not two things.
    fn number(&mut self) -> Piece<'a> {
        let start = self.at;
        self.run(is_in_word);
        let goes_on = |rest: &str| rest.as_bytes().get(1).is_some_and(u8::is_ascii_digit);
        while self.rest().starts_with('.') && goes_on(self.rest()) {
            self.take(1);
            self.run(is_in_word);
        }
        Piece::Number(self.text.get(start..self.at).unwrap_or_default())
    }

    fn quoted(&mut self) -> Piece<'a> {
        self.take(1);
        let mut is_escaped = false;
        for (at, char) in self.rest().char_indices() {
            if acts(char) {
                let at = self.at + at;
                let message = format!("the character `{}` is not seen, or moves what is seen", written(char));
                let error = WhenError::new(at..at + char.len_utf8(), message);
                return bad(error.help("write its escape, as in `\\n` or `\\u{200b}`"));
            }
            if char == '"' && !is_escaped {
                let inner = self.take(at);
                self.take(1);
                return Piece::Text(inner);
            }
            is_escaped = char == '\\' && !is_escaped;
        }
        let error = WhenError::new(self.at - 1..self.text.len(), "the text has no second quote");
        bad(error.help("end it with `\"`"))
    }

    fn sign(&mut self, first: char) -> Piece<'a> {
        let rest = self.rest();
        if let Some(sign) = SIGNS.into_iter().find(|sign| rest.starts_with(sign)) {
            self.take(sign.len());
            return Piece::Sign(sign);
        }
        if let Some((sign, message, help)) = OTHERS.into_iter().find(|(sign, _, _)| rest.starts_with(sign)) {
            return bad(WhenError::new(self.at..self.at + sign.len(), message).help(help));
        }
        let at = self.at..self.at + first.len_utf8();
        let error = WhenError::new(at, format!("the character `{}` cannot stand here", written(first)));
        bad(error.help("a name with other letters stands in brackets, as in `args[\"größe\"]`"))
    }
}

fn bad<'a>(error: WhenError) -> Piece<'a> {
    Piece::Bad(Box::new(error))
}

fn written(char: char) -> String {
    inert(char.encode_utf8(&mut [0; 4])).into_owned()
}
