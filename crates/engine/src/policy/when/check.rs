//! Typing: whether a condition fits a tool, by the rules of Cedar's strict validator.
//!
//! To ask `args has note` makes `args.note` readable where the answer is known to be yes: behind the `&&`, and
//! in the `then`. Where an answer is the same for every call of this tool it is settled at once, and what it
//! makes unreachable is not looked at, so that a guard over many tools may ask for what only some of them
//! declare.
//!
//! A place that may be empty and of which the condition never asks whether it is becomes a need of the whole
//! condition ([`super::Condition::missing`]). One of which it asks somewhere must be asked of everywhere.
//!
//! Start at [`Checker::condition`]; what stands where is in `check/places.rs`, and what two values have to do with
//! each other in `check/values.rs`.

mod places;
mod values;

use std::{collections::BTreeSet, ops::Range};

use super::{
    Scope, WhenError,
    read::shown,
    syntax::{Choice, Expr, Node},
    typed::{Place, Typed},
    types::Type,
};
use crate::{diagnostic::did_you_mean, names::MatchName};

/// The most mistakes that are told at once. Looking for a similar name takes time for each.
const ERRORS_MAX: usize = 32;

pub(super) struct Checker<'a> {
    scope: &'a Scope<'a>,
    /// Places of which the condition asks, anywhere in it, whether they are empty.
    asked: BTreeSet<Place>,
    /// Places that are known not to be empty where we are.
    known: Vec<Place>,
    /// Places of which something was said already.
    told: BTreeSet<Place>,
    errors: Vec<WhenError>,
}

/// An expression with its type, and the places that are not empty where it is true.
pub(super) struct Checked {
    kind: Type,
    typed: Typed,
    known: Vec<Place>,
}

impl Checked {
    fn new(kind: Type, typed: Typed) -> Self {
        Self { kind, typed, known: Vec::new() }
    }

    fn truth(typed: Typed) -> Self {
        Self::new(Type::Bool, typed)
    }

    /// What it always is, if it always is the same.
    fn settled(&self) -> Option<bool> {
        let Typed::Bool(truth) = self.typed else { return None };
        Some(truth)
    }
}

impl<'a> Checker<'a> {
    pub(super) fn new(scope: &'a Scope<'a>, node: &Node) -> Self {
        let mut asked = BTreeSet::new();
        node.visit(&mut |node| {
            if let Expr::Has(path, names) = &node.expr {
                let mut place = path.words();
                for step in names {
                    place.push(step.name.clone());
                    asked.insert(place.clone());
                }
            }
        });
        Self { scope, asked, known: Vec::new(), told: BTreeSet::new(), errors: Vec::new() }
    }

    /// The condition that the whole expression is, or all that is wrong with it.
    pub(super) fn condition(mut self, node: &Node) -> Result<Typed, Vec<WhenError>> {
        match self.truth(node) {
            Some(checked) if self.errors.is_empty() => Ok(checked.typed),
            Some(_) | None => {
                self.errors.sort_by_key(|error| error.span.start);
                Err(self.errors)
            }
        }
    }

    fn error(&mut self, error: WhenError) {
        if self.errors.len() < ERRORS_MAX && !self.errors.contains(&error) {
            self.errors.push(error);
        }
    }

    /// An expression that is true or false.
    fn truth(&mut self, node: &Node) -> Option<Checked> {
        let checked = self.check(node)?;
        if checked.kind == Type::Bool {
            return Some(checked);
        }
        let text = shown(&node.to_string());
        let error = WhenError::new(
            node.at.clone(),
            format!("`{text}` is {}, where something true or false is expected", checked.kind),
        );
        self.error(match checked.kind {
            Type::Whole | Type::Decimal | Type::Micros | Type::Number => {
                error.help(format!("compare it, as in `{text} > 100`"))
            }
            Type::Text => error.help(format!("compare it, as in `{text} == \"a\"`")),
            Type::Set(_) => error.help(format!("ask for an item, as in `{text}.contains(\"a\")`")),
            Type::Record | Type::Bool => error.help(format!("name a member of it, as in `{text}.name`")),
        });
        None
    }

    fn check(&mut self, node: &Node) -> Option<Checked> {
        match &node.expr {
            Expr::Bool(truth) => Some(Checked::truth(Typed::Bool(*truth))),
            Expr::Number(literal) => {
                Some(Checked::new(Type::Number, Typed::Number(*literal, node.at.clone())))
            }
            Expr::Text(text) => Some(Checked::new(Type::Text, Typed::Text(text.clone()))),
            Expr::List(items) => self.list(items),
            Expr::Path(path) => self.read(path, &node.at),
            Expr::Match(name) => self.named_match(name, &node.at),
            Expr::Not(inner) => self.not(inner),
            Expr::All(nodes) => self.all(nodes),
            Expr::Any(nodes) => self.any(nodes),
            Expr::If(choice) => self.choice(choice, &node.at),
            Expr::Compare(comparison, sides) => self.compare(*comparison, &sides.0, &sides.1, &node.at),
            Expr::Has(path, names) => self.has(path, names, &node.at),
            Expr::Like(of, pattern) => self.like(of, pattern),
            Expr::Contains(contains, sides) => self.contains(*contains, &sides.0, &sides.1, &node.at),
            Expr::IsEmpty(of) => self.is_empty(of),
        }
    }

    fn not(&mut self, inner: &Node) -> Option<Checked> {
        let checked = self.truth(inner)?;
        Some(Checked::truth(match checked.settled() {
            Some(truth) => Typed::Bool(!truth),
            None => Typed::Not(Box::new(checked.typed)),
        }))
    }

    /// `&&`: each part knows what those before it have found; behind one that is never true nothing is read.
    fn all(&mut self, nodes: &[Node]) -> Option<Checked> {
        let before = self.known.len();
        let mut parts = Some(Vec::new());
        for node in nodes {
            let Some(checked) = self.truth(node) else {
                parts = None;
                continue;
            };
            match checked.settled() {
                Some(false) => {
                    self.known.truncate(before);
                    return parts.map(|_| Checked::truth(Typed::Bool(false)));
                }
                Some(true) => self.known.extend(checked.known),
                None => {
                    self.known.extend(checked.known);
                    parts.iter_mut().for_each(|parts| parts.push(checked.typed.clone()));
                }
            }
        }
        let known = self.known.split_off(before);
        Some(Checked { known, ..Checked::truth(chain(parts?, true, Typed::All)) })
    }

    /// `||`: only what each part finds is known.
    fn any(&mut self, nodes: &[Node]) -> Option<Checked> {
        let mut parts = Some(Vec::new());
        let mut known: Option<Vec<Place>> = None;
        for node in nodes {
            let Some(checked) = self.truth(node) else {
                parts = None;
                continue;
            };
            match checked.settled() {
                Some(false) => continue,
                Some(true) => return parts.map(|_| Checked::truth(Typed::Bool(true))),
                None => parts.iter_mut().for_each(|parts| parts.push(checked.typed.clone())),
            }
            known = Some(match known {
                None => checked.known,
                Some(known) => common(known, &checked.known),
            });
        }
        let known = known.unwrap_or_default();
        Some(Checked { known, ..Checked::truth(chain(parts?, false, Typed::Any)) })
    }

    fn choice(&mut self, choice: &Choice, at: &Range<usize>) -> Option<Checked> {
        let Choice { test, yes, no } = choice;
        let test = self.truth(test);
        let settled = test.as_ref().and_then(Checked::settled);
        let found = test.as_ref().map(|test| test.known.clone()).unwrap_or_default();
        let before = self.known.len();
        self.known.extend(found.iter().cloned());
        let yes = if settled == Some(false) { None } else { self.check(yes) };
        self.known.truncate(before);
        let with_found = |yes: Checked| {
            let known = yes.known.iter().chain(&found).cloned().collect();
            Checked { known, ..yes }
        };
        match settled {
            Some(true) => return yes.map(with_found),
            Some(false) => return self.check(no),
            None => {}
        }
        let no = self.check(no);
        let (test, yes, no) = (test?, with_found(yes?), no?);
        let Some(kind) = yes.kind.with(&no.kind) else {
            let message = format!("this is {} or {}", yes.kind, no.kind);
            self.error(WhenError::new(at.clone(), message).help("`then` and `else` give values of one type"));
            return None;
        };
        let known = common(yes.known, &no.known);
        Some(Checked { kind, known, typed: Typed::If(Box::new([test.typed, yes.typed, no.typed])) })
    }

    fn named_match(&mut self, name: &MatchName, at: &Range<usize>) -> Option<Checked> {
        if self.scope.matches.contains(name) {
            return Some(Checked::truth(Typed::Match(name.clone())));
        }
        if self.errors.len() < ERRORS_MAX {
            let names = self.scope.matches.iter().map(MatchName::as_str);
            let help = match did_you_mean(name.as_str(), names) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("describe it in a table, `[match.{name}]`"),
            };
            self.error(WhenError::new(at.clone(), format!("there is no match `{name}`")).help(help));
        }
        None
    }
}

/// The parts as one expression; without any it is what the operator begins with.
fn chain(parts: Vec<Typed>, of_none: bool, joined: fn(Vec<Typed>) -> Typed) -> Typed {
    let mut parts = parts;
    match parts.len() {
        0 => Typed::Bool(of_none),
        1 => parts.pop().unwrap_or(Typed::Bool(of_none)),
        _ => joined(parts),
    }
}

fn common(left: Vec<Place>, right: &[Place]) -> Vec<Place> {
    left.into_iter().filter(|place| right.contains(place)).collect()
}
