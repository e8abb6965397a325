//! What an expression begins with: a value that is written out, a path, a match, or brackets.
//!
//! Only four words begin a path, so nothing else of the context can be named: not who asks (a guard's `for`
//! says that), and above all not the controls, which lift the very guard that would read them.

use super::{
    super::{
        Root, WhenError,
        literal::{Literal, NotALiteral},
        syntax::{Expr, Node, Path, Pattern},
        token::{ARITHMETIC, Piece, Token},
    },
    Parser, escape, shown,
};
use crate::{diagnostic::did_you_mean, names::NameError};
use std::ops::Range;

/// What begins no path, and what to write instead.
const NO_ROOTS: [(&str, &str); 11] = [
    ("principal", WHO),
    ("agent", WHO),
    ("team", WHO),
    ("action", WHICH),
    ("tool", WHICH),
    ("resource", WHICH),
    ("server", WHICH),
    ("context", "leave it out: a path begins with `args`, `session` or `call`"),
    ("controls", "what is required of a call is the guard's `require`, and lifts that guard alone"),
    ("facts", "facts are not built yet in this version"),
    ("origins", "origins are not built yet in this version"),
];
const WHO: &str = "for whom a guard is, its `for` says, as in `for = { team = \"helpdesk\" }`";
const WHICH: &str = "for which tools a guard is, its key says, as in `\"crm/refund\"`";

/// What begins a path, or names a match.
const ROOTS: [&str; 4] = ["args", "session", "call", MATCHES];
const MATCHES: &str = "matches";

const VALUE: &str = "a value, as in `args.amount`,";

impl<'a> Parser<'a> {
    pub(super) fn primary(&mut self) -> Result<Node, WhenError> {
        let start = self.peek().at.start;
        match self.peek().piece {
            Piece::Word(word) => self.begins_with(word),
            Piece::Number(digits) => {
                let at = self.advance();
                self.number(false, digits, at)
            }
            Piece::Text(raw) => {
                let at = self.advance();
                Ok(Node::new(at.clone(), Expr::Text(escape::text(raw, at.start + 1)?)))
            }
            Piece::Sign("-") => {
                let minus = self.advance();
                let Piece::Number(digits) = self.peek().piece else {
                    let error = WhenError::new(minus, ARITHMETIC);
                    return Err(error.help("`-` stands before a number only, as in `-5`"));
                };
                let digits_at = self.advance();
                self.number(true, digits, minus.start..digits_at.end)
            }
            Piece::Sign("(") => {
                self.advance();
                let inner = self.expression()?;
                self.expect(")")?;
                Ok(self.node(start, inner.expr))
            }
            Piece::Sign("[") => self.list(),
            Piece::Sign(_) | Piece::Bad(_) | Piece::End => Err(self.unexpected(VALUE)),
        }
    }

    /// The text after `like`.
    pub(super) fn pattern(&mut self) -> Result<Pattern, WhenError> {
        let Piece::Text(raw) = self.peek().piece else {
            return Err(self.unexpected("a pattern in quotes, as in `args.name like \"*.txt\"`,"));
        };
        let at = self.advance();
        escape::pattern(raw, at.start + 1)
    }

    fn begins_with(&mut self, word: &str) -> Result<Node, WhenError> {
        match word {
            "true" | "false" => {
                let at = self.advance();
                return Ok(Node::new(at, Expr::Bool(word == "true")));
            }
            "if" => {
                let error =
                    WhenError::new(self.peek().at.clone(), "an `if` within an expression stands in brackets");
                return Err(error.help("as in `args.sure && (if a then b else c)`"));
            }
            "then" | "else" | "in" | "is" | "like" | "has" => return Err(self.unexpected(VALUE)),
            MATCHES => return self.named_match(),
            _ => {}
        }
        if let Some(root) = Root::ALL.into_iter().find(|root| root.as_str() == word) {
            let at = self.advance();
            return Ok(Node::new(at, Expr::Path(Path { root, steps: Vec::new() })));
        }
        Err(self.unknown(word))
    }

    /// A word that begins nothing.
    fn unknown(&self, word: &str) -> WhenError {
        let Token { at, .. } = self.peek();
        let at = at.clone();
        let word = shown(word);
        if let Some(Token { piece: Piece::Sign("::"), .. }) = self.tokens.get(self.next + 1) {
            let error = WhenError::new(at, format!("`{word}::…` is an entity, and a condition has none"));
            return error.help(WHO);
        }
        if let Some(Token { piece: Piece::Sign("("), .. }) = self.tokens.get(self.next + 1) {
            let error = WhenError::new(at, format!("there is no function `{word}`"));
            return error.help(match &*word {
                "decimal" => "write the number itself, as in `args.amount > 100.5`",
                "not" => "write `!(…)`",
                "len" => "a condition counts nothing; a cost does",
                _ => "what must be computed first can be a `[match]`",
            });
        }
        if matches!(&*word, "and" | "or" | "not" | "AND" | "OR" | "NOT") {
            return self.unexpected(VALUE);
        }
        let error =
            WhenError::new(at, format!("a path begins with `args`, `session` or `call`, not with `{word}`"));
        if let Some((_, help)) = NO_ROOTS.into_iter().find(|(root, _)| *root == word) {
            return error.help(help);
        }
        error.help(match did_you_mean(&word, ROOTS) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("an argument is `args.{word}`, a text stands in double quotes"),
        })
    }

    /// `matches.NAME`
    fn named_match(&mut self) -> Result<Node, WhenError> {
        let start = self.advance().start;
        let alone = "a match is named, as in `matches.internal_mail` or `matches[\"internal-mail\"]`";
        let (name, at) = if self.is_sign(".") {
            self.advance();
            let Piece::Word(word) = self.peek().piece else {
                return Err(self.unexpected("a match's name after the point"));
            };
            let at = self.advance();
            (word.to_owned(), at)
        } else if self.is_sign("[") {
            self.advance();
            let step = self.bracketed()?;
            (step.name, step.at)
        } else {
            return Err(
                WhenError::new(start..start + MATCHES.len(), "`matches` alone says nothing").help(alone)
            );
        };
        if self.is_sign("(") {
            return Err(WhenError::new(at, "nothing is asked of `matches`").help(alone));
        }
        let cannot = |error: NameError| {
            WhenError::new(at, format!("the name `{}` cannot be used", shown(&name))).help(error.to_string())
        };
        let name = name.parse().map_err(cannot)?;
        Ok(self.node(start, Expr::Match(name)))
    }

    fn number(&self, is_negative: bool, digits: &str, at: Range<usize>) -> Result<Node, WhenError> {
        match Literal::parse(is_negative, digits) {
            Ok(literal) => Ok(Node::new(at, Expr::Number(literal))),
            Err(fault) => {
                let digits = shown(digits);
                let (message, help) = match fault {
                    NotALiteral::Shape => {
                        (format!("`{digits}` is no number"), "write it out, as in `1000` or `0.5`")
                    }
                    NotALiteral::TooManyPlaces => {
                        (format!("`{digits}` has more than 6 decimal places"), "nothing is judged to more")
                    }
                    NotALiteral::TooLarge => {
                        (format!("`{digits}` is beyond 64 bits"), "no number that policy reads is as large")
                    }
                };
                Err(WhenError::new(at, message).help(help))
            }
        }
    }

    fn list(&mut self) -> Result<Node, WhenError> {
        let start = self.advance().start;
        let mut items = Vec::new();
        while !self.is_sign("]") {
            items.push(self.expression()?);
            if !self.is_sign(",") {
                break;
            }
            self.advance();
        }
        if !self.is_sign("]") {
            return Err(self.unexpected("`,` or `]`"));
        }
        let end = self.advance().end;
        if items.is_empty() {
            let error = WhenError::new(start..end, "a list with nothing in it says nothing");
            return Err(error.help("whether a list is empty asks `.isEmpty()`"));
        }
        Ok(Node::new(start..end, Expr::List(items)))
    }
}
