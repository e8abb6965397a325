//! Reading: from pieces to a tree, by Cedar's grammar of expressions.
//!
//! The levels are Cedar's: `||`, `&&`, one relation, `!` and `-`, members. Relations do not chain, `!` binds
//! tighter than a relation, and an `if` within an expression stands in brackets. What Cedar has and a condition
//! has not (arithmetic, entities, functions) is named where it stands, with what to write instead.
//!
//! Recursion is bounded: every way down goes through [`Parser::expression`], which counts. What may begin an
//! expression is in `read/primary.rs`.

mod escape;
mod primary;

use std::ops::Range;

use super::{
    DEPTH_MAX, WhenError,
    syntax::{Choice, Comparison, Contains, Expr, Node, Step},
    token::{ARITHMETIC, NO_ARITHMETIC, Piece, Token, is_bare, tokens},
};
use crate::diagnostic::{did_you_mean, first_of, inert};

/// The most characters that a message repeats of a text.
pub(super) const REPEATED_MAX: usize = 60;

/// The most members that a path goes down, as deep as policy reads a value at all.
const STEPS_MAX: usize = 32;

/// The most `!` in a row, as in Cedar.
const NOTS_MAX: usize = 4;

pub(super) struct Parser<'a> {
    text: &'a str,
    tokens: Vec<Token<'a>>,
    end: Token<'a>,
    next: usize,
    depth: usize,
}

impl<'a> Parser<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        let end = Token { piece: Piece::End, at: text.len()..text.len() };
        Self { text, tokens: tokens(text), end, next: 0, depth: 0 }
    }

    /// The expression that the whole text is.
    pub(super) fn whole(mut self) -> Result<Node, WhenError> {
        if self.is_at_end() {
            let error = WhenError::new(0..self.text.len(), "the condition is empty");
            return Err(error.help("say what must hold, as in `args.amount > 100`"));
        }
        let node = self.expression()?;
        if !self.is_at_end() {
            return Err(self.unexpected("`&&`, `||` or nothing more"));
        }
        if node.depth() > DEPTH_MAX { Err(too_deep(node.at)) } else { Ok(node) }
    }

    fn expression(&mut self) -> Result<Node, WhenError> {
        if self.depth >= DEPTH_MAX {
            return Err(too_deep(self.peek().at.clone()));
        }
        self.depth += 1;
        let node = if self.is_word("if") { self.choice() } else { self.any() };
        self.depth -= 1;
        node
    }

    fn choice(&mut self) -> Result<Node, WhenError> {
        let start = self.peek().at.start;
        self.advance();
        let test = self.expression()?;
        self.expect_word("then")?;
        let yes = self.expression()?;
        self.expect_word("else")?;
        let no = self.expression()?;
        Ok(self.node(start, Expr::If(Box::new(Choice { test, yes, no }))))
    }

    fn any(&mut self) -> Result<Node, WhenError> {
        self.chain("||", Self::all, Expr::Any)
    }

    fn all(&mut self) -> Result<Node, WhenError> {
        self.chain("&&", Self::relation, Expr::All)
    }

    /// What `between` joins; one alone is itself.
    fn chain(
        &mut self,
        between: &str,
        operand: fn(&mut Self) -> Result<Node, WhenError>,
        joined: fn(Vec<Node>) -> Expr,
    ) -> Result<Node, WhenError> {
        let first = operand(self)?;
        if !self.is_sign(between) {
            return Ok(first);
        }
        let start = first.at.start;
        let mut nodes = vec![first];
        while self.is_sign(between) {
            self.advance();
            nodes.push(operand(self)?);
        }
        Ok(self.node(start, joined(nodes)))
    }

    fn relation(&mut self) -> Result<Node, WhenError> {
        let left = self.unary()?;
        let start = left.at.start;
        let expr = if let Some(comparison) = self.comparison() {
            self.advance();
            Expr::Compare(comparison, Box::new((left, self.unary()?)))
        } else if self.is_word("has") {
            let has = self.advance();
            self.has(left, has)?
        } else if self.is_word("like") {
            self.advance();
            Expr::Like(Box::new(left), self.pattern()?)
        } else if self.is_word("in") {
            let error =
                WhenError::new(self.peek().at.clone(), "`in` is about entities, and a condition has none");
            let member = shown(&left.to_string());
            return Err(error.help(format!("for a list, write `[\"a\", \"b\"].contains({member})`")));
        } else if self.is_word("is") {
            let error =
                WhenError::new(self.peek().at.clone(), "`is` is about entities, and a condition has none");
            return Err(error.help("a guard's key says for which tools it is, and its `for` for whom"));
        } else {
            return Ok(left);
        };
        if self.comparison().is_some()
            || ["has", "like", "in", "is"].into_iter().any(|word| self.is_word(word))
        {
            let error = WhenError::new(self.peek().at.clone(), "comparisons do not chain");
            return Err(error.help("compare twice, as in `1 < args.count && args.count < 9`"));
        }
        Ok(self.node(start, expr))
    }

    fn comparison(&self) -> Option<Comparison> {
        Comparison::ALL.into_iter().find(|comparison| self.is_sign(comparison.as_str()))
    }

    /// What stands behind `has`.
    fn has(&mut self, left: Node, has: Range<usize>) -> Result<Expr, WhenError> {
        let Node { at, expr: Expr::Path(path) } = left else {
            let error = WhenError::new(has, format!("`{}` has no members", shown(&left.to_string())));
            return Err(error.help("`has` asks about `args`, `session`, `call` or one of their members"));
        };
        let mut names = Vec::new();
        match self.peek().piece {
            Piece::Text(raw) => {
                let at = self.advance();
                names.push(Step { name: escape::text(raw, at.start + 1)?, at });
            }
            Piece::Word(_) => {
                names.push(self.name()?);
                while self.is_sign(".") {
                    self.advance();
                    names.push(self.name()?);
                }
            }
            Piece::Number(_) | Piece::Sign(_) | Piece::Bad(_) | Piece::End => {
                return Err(self.unexpected("a member's name, as in `args has amount`,"));
            }
        }
        if self.is_sign("(") || self.is_sign("[") {
            let error = WhenError::new(self.peek().at.clone(), "`has` is followed by a name");
            return Err(error.help("a name with other letters stands in quotes, as in `args has \"e-mail\"`"));
        }
        if path.steps.len() + names.len() > STEPS_MAX {
            Err(too_many_steps(at))
        } else {
            Ok(Expr::Has(path, names))
        }
    }

    fn unary(&mut self) -> Result<Node, WhenError> {
        let mut starts = Vec::new();
        while self.is_sign("!") {
            starts.push(self.advance().start);
        }
        if let Some(start) = starts.get(NOTS_MAX) {
            let error = WhenError::new(*start..*start + 1, format!("more than {NOTS_MAX} `!` in a row"));
            return Err(error.help("two of them say nothing"));
        }
        let mut node = self.member()?;
        if self.is_sign("-") {
            return Err(WhenError::new(self.peek().at.clone(), ARITHMETIC).help(NO_ARITHMETIC));
        }
        for start in starts.into_iter().rev() {
            node = self.node(start, Expr::Not(Box::new(node)));
        }
        Ok(node)
    }

    fn member(&mut self) -> Result<Node, WhenError> {
        let mut node = self.primary()?;
        loop {
            if self.is_sign(".") {
                self.advance();
                let Piece::Word(word) = self.peek().piece else {
                    return Err(self.unexpected("a member's name after the point"));
                };
                if matches!(self.tokens.get(self.next + 1), Some(Token { piece: Piece::Sign("("), .. })) {
                    node = self.question(node, word)?;
                } else {
                    let step = self.name()?;
                    node = self.step(node, step)?;
                }
            } else if self.is_sign("[") {
                self.advance();
                let step = self.bracketed()?;
                node = self.step(node, step)?;
            } else if self.is_sign("(") {
                let error = WhenError::new(self.peek().at.clone(), "a value is not called");
                return Err(error.help("join two expressions with `&&` or `||`"));
            } else {
                return Ok(node);
            }
        }
    }

    /// One step further into what a path leads to.
    fn step(&self, node: Node, step: Step) -> Result<Node, WhenError> {
        let Node { at, expr: Expr::Path(mut path) } = node else {
            let error = WhenError::new(step.at, format!("`{}` has no members", shown(&node.to_string())));
            return Err(error.help("a path begins with `args`, `session` or `call`"));
        };
        if path.steps.len() >= STEPS_MAX {
            return Err(too_many_steps(at.start..step.at.end));
        }
        path.steps.push(step);
        Ok(self.node(at.start, Expr::Path(path)))
    }

    /// A name after a point or after `has`.
    fn name(&mut self) -> Result<Step, WhenError> {
        let Piece::Word(word) = self.peek().piece else {
            return Err(self.unexpected("a member's name"));
        };
        let at = self.advance();
        if !is_bare(word) {
            let error = WhenError::new(at, format!("`{word}` is a word of the language"));
            return Err(error
                .help(format!("as a name it stands in quotes: `args[\"{word}\"]`, `args has \"{word}\"`")));
        }
        Ok(Step { name: word.to_owned(), at })
    }

    /// A name between brackets, the first of which was read.
    fn bracketed(&mut self) -> Result<Step, WhenError> {
        match self.peek().piece {
            Piece::Text(raw) => {
                let at = self.advance();
                let name = escape::text(raw, at.start + 1)?;
                self.expect("]")?;
                Ok(Step { name, at })
            }
            Piece::Number(_) => {
                let error = WhenError::new(
                    self.peek().at.clone(),
                    "a list has no order here, so its items have no numbers",
                );
                Err(error.help("ask `.contains(…)`, or name a `[match]` over the items"))
            }
            Piece::Word(_) | Piece::Sign(_) | Piece::Bad(_) | Piece::End => {
                Err(self.unexpected("a name in quotes between brackets"))
            }
        }
    }

    /// What is asked of a list: `.contains(…)` and its like.
    fn question(&mut self, of: Node, word: &str) -> Result<Node, WhenError> {
        let start = of.at.start;
        let at = self.advance();
        if let Expr::Contains(..) | Expr::IsEmpty(_) = of.expr {
            return Err(WhenError::new(at, "the answer is true or false, of which nothing more is asked"));
        }
        let contains = Contains::ALL.into_iter().find(|contains| contains.as_str() == word);
        if contains.is_none() && word != IS_EMPTY {
            return Err(unknown_question(word, at, &of));
        }
        self.expect("(")?;
        let Some(contains) = contains else {
            if !self.is_sign(")") {
                let error =
                    WhenError::new(self.peek().at.clone(), "`isEmpty` takes nothing between its brackets");
                return Err(error.help("as in `args.to.isEmpty()`"));
            }
            self.advance();
            return Ok(self.node(start, Expr::IsEmpty(Box::new(of))));
        };
        if self.is_sign(")") {
            let error = WhenError::new(self.peek().at.clone(), format!("`{word}` asks for what?"));
            return Err(error
                .help("as in `args.labels.contains(\"private\")`, `args.to.containsAll([\"a\", \"b\"])`"));
        }
        let what = self.expression()?;
        if self.is_sign(",") {
            let error = WhenError::new(self.peek().at.clone(), format!("`{word}` takes one value"));
            return Err(error.help("ask for several with `.containsAll([…])` or `.containsAny([…])`"));
        }
        self.expect(")")?;
        Ok(self.node(start, Expr::Contains(contains, Box::new((of, what)))))
    }

    fn peek(&self) -> &Token<'a> {
        self.tokens.get(self.next).unwrap_or(&self.end)
    }

    /// Goes on to the next piece, and says where the last one was.
    fn advance(&mut self) -> Range<usize> {
        let at = self.peek().at.clone();
        self.next += 1;
        at
    }

    fn is_sign(&self, sign: &str) -> bool {
        matches!(self.peek().piece, Piece::Sign(found) if found == sign)
    }

    fn is_word(&self, word: &str) -> bool {
        matches!(self.peek().piece, Piece::Word(found) if found == word)
    }

    fn is_at_end(&self) -> bool {
        matches!(self.peek().piece, Piece::End)
    }

    fn expect(&mut self, sign: &str) -> Result<(), WhenError> {
        if self.is_sign(sign) {
            self.advance();
            return Ok(());
        }
        Err(self.unexpected(&format!("`{sign}`")))
    }

    fn expect_word(&mut self, word: &str) -> Result<(), WhenError> {
        if self.is_word(word) {
            self.advance();
            return Ok(());
        }
        let error = self.unexpected(&format!("`{word}`"));
        Err(if error.help.is_some() { error } else { error.help("as in `if a then b else c`") })
    }

    /// A node from `start` to the piece that was read last.
    fn node(&self, start: usize, expr: Expr) -> Node {
        let last = self.next.checked_sub(1).and_then(|last| self.tokens.get(last));
        Node::new(start..last.map_or(start, |token| token.at.end), expr)
    }

    /// What is wrong where `wanted` should stand.
    fn unexpected(&self, wanted: &str) -> WhenError {
        let Token { piece, at } = self.peek();
        let found = match piece {
            Piece::Bad(error) => return (**error).clone(),
            Piece::End => return WhenError::new(at.clone(), format!("{wanted} is expected at its end")),
            Piece::Word(_) | Piece::Text(_) | Piece::Number(_) | Piece::Sign(_) => {
                shown(self.text.get(at.clone()).unwrap_or_default())
            }
        };
        let error = WhenError::new(at.clone(), format!("{wanted} is expected where `{found}` stands"));
        let operators =
            [("and", "&&"), ("or", "||"), ("not", "!"), ("AND", "&&"), ("OR", "||"), ("NOT", "!")];
        match operators.into_iter().find(|(word, _)| self.is_word(word)) {
            Some((_, operator)) => error.help(format!("write `{operator}`")),
            None => error,
        }
    }
}

const IS_EMPTY: &str = "isEmpty";

fn unknown_question(word: &str, at: Range<usize>, of: &Node) -> WhenError {
    let error = WhenError::new(at, format!("there is no `.{}(…)`", shown(word)));
    let of = shown(&of.to_string());
    let comparisons =
        [("lessThan", "<"), ("lessThanOrEqual", "<="), ("greaterThan", ">"), ("greaterThanOrEqual", ">=")];
    if let Some((_, sign)) = comparisons.into_iter().find(|(method, _)| *method == word) {
        return error.help(format!("write `{of} {sign} 100`"));
    }
    match word {
        "startsWith" | "starts_with" => return error.help(format!("write `{of} like \"text*\"`")),
        "endsWith" | "ends_with" => return error.help(format!("write `{of} like \"*text\"`")),
        _ => {}
    }
    let words = Contains::ALL.into_iter().map(Contains::as_str).chain([IS_EMPTY]);
    error.help(match did_you_mean(word, words) {
        Some(near) => format!("did you mean `{near}`?"),
        None => "of a list is asked `contains`, `containsAll`, `containsAny` and `isEmpty`".to_owned(),
    })
}

fn too_deep(at: Range<usize>) -> WhenError {
    let error = WhenError::new(at, format!("the condition is nested more than {DEPTH_MAX} deep"));
    error.help("write several guards, or name a `[match]`")
}

fn too_many_steps(at: Range<usize>) -> WhenError {
    WhenError::new(at, format!("policy reads at most {STEPS_MAX} members deep"))
}

/// A text as a message repeats it.
pub(super) fn shown(text: &str) -> String {
    first_of(&inert(text), REPEATED_MAX)
}
