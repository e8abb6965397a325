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
//! Start at [`Checker::condition`]; what two values have to do with each other is in `check/values.rs`.

mod values;

use std::{collections::BTreeSet, iter, ops::Range};

use super::{
    Scope, WhenError,
    read::shown,
    syntax::{Choice, Expr, Node, Path, Quoted, Step, Words},
    token::is_bare,
    typed::{Place, Typed},
    types::Type,
};
use crate::{
    diagnostic::did_you_mean,
    names::MatchName,
    policy::arguments::{Kind, Member, Record},
};

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

    /// What stands at a place.
    fn read(&mut self, path: &Path, at: &Range<usize>) -> Option<Checked> {
        let (kind, needs) = self.place(path, at)?;
        let kind = match Type::of(kind) {
            Ok(kind) => kind,
            Err(why) => return self.unreadable(&path.words(), why, at),
        };
        Some(Checked::new(kind, Typed::Read(path.words(), needs)))
    }

    /// `args has a.b`: a chain of questions, each about a member of what the one before has found.
    fn has(&mut self, path: &Path, names: &[Step], at: &Range<usize>) -> Option<Checked> {
        let at = at.start..path.steps.last().map_or(at.start + path.root.as_str().len(), |step| step.at.end);
        let (kind, needs) = self.place(path, &at)?;
        let mut place = path.words();
        let mut record = self.members(kind, &place, &at)?;
        let (mut questions, mut known) = (Vec::new(), Vec::new());
        for (nth, step) in names.iter().enumerate() {
            let Some(member) = record.members.get(&step.name) else {
                if record.open {
                    return self.undeclared(record, &place, step);
                }
                return Some(Checked::truth(Typed::Bool(false)));
            };
            place.push(step.name.clone());
            if let Err(why) = Type::of(&member.kind) {
                return self.unreadable(&place, why, &step.at);
            }
            if !member.required {
                known.push(place.clone());
                if !self.known.contains(&place) {
                    questions.push(Typed::Has(place.clone(), needs.clone()));
                }
            }
            if nth + 1 < names.len() {
                record = self.members(&member.kind, &place, &step.at)?;
            }
        }
        // The answer is yes, but only where there is somebody to ask.
        if questions.is_empty() && !needs.is_empty() {
            questions.push(Typed::Has(place, needs));
        }
        Some(Checked { known, ..Checked::truth(chain(questions, true, Typed::All)) })
    }

    /// What a path leads to, and the places on its way that may be empty and of which nobody asks.
    fn place(&mut self, path: &Path, at: &Range<usize>) -> Option<(&'a Kind, Vec<Place>)> {
        let root =
            Step { name: path.root.as_str().to_owned(), at: at.start..at.start + path.root.as_str().len() };
        let mut record = self.scope.root;
        let (mut place, mut needs) = (Vec::new(), Vec::new());
        let mut steps = iter::once(&root).chain(&path.steps).peekable();
        // Below a place of which was asked nothing is needed everywhere: it is the author's to ask on.
        let mut is_below_asked = false;
        loop {
            let step = steps.next()?;
            let Some(Member { kind, required }) = record.members.get(&step.name) else {
                return self.undeclared(record, &place, step);
            };
            place.push(step.name.clone());
            if !required {
                let is_known = self.known.contains(&place);
                if !is_known && (is_below_asked || self.asked.contains(&place)) {
                    return self.unasked(place, &step.at);
                }
                if !is_known {
                    needs.push(place.clone());
                }
                is_below_asked |= is_known;
            }
            if steps.peek().is_none() {
                return Some((kind, needs));
            }
            record = self.members(kind, &place, &step.at)?;
        }
    }

    /// The members of what stands at a place.
    fn members(&mut self, kind: &'a Kind, place: &[String], at: &Range<usize>) -> Option<&'a Record> {
        let type_or_why = match kind {
            Kind::Record(record) => return Some(record),
            Kind::Bool
            | Kind::Whole
            | Kind::Decimal
            | Kind::Micros
            | Kind::Text
            | Kind::Set(_)
            | Kind::Opaque(_) => Type::of(kind),
        };
        match type_or_why {
            Err(why) => self.unreadable(place, why, at),
            Ok(kind) => {
                if self.told.insert(place.to_vec()) {
                    let message =
                        format!("`{}` is {kind} and has no members", shown(&Words(place).to_string()));
                    self.error(WhenError::new(at.clone(), message));
                }
                None
            }
        }
    }

    fn unreadable<T>(&mut self, place: &[String], why: &str, at: &Range<usize>) -> Option<T> {
        if self.told.insert(place.to_vec()) {
            let message = format!("`{}` {why}, so no rule can read it", shown(&Words(place).to_string()));
            self.error(WhenError::new(at.clone(), message).help(A_MATCH));
        }
        None
    }

    /// A member that nobody declares, of what stands at `above`.
    fn undeclared<T>(&mut self, record: &Record, above: &[String], step: &Step) -> Option<T> {
        let place: Place = above.iter().chain([&step.name]).cloned().collect();
        if self.errors.len() >= ERRORS_MAX || !self.told.insert(place.clone()) {
            return None;
        }
        let path = shown(&Words(&place).to_string());
        let is_argument = above.first().is_some_and(|root| root == "args");
        let message = if is_argument {
            format!("`{path}` is not declared by this tool")
        } else {
            format!("there is no `{path}`")
        };
        let near = did_you_mean(&step.name, record.members.keys().map(String::as_str));
        let help = if let Some(near) = near {
            format!("did you mean `{}`?", shown(near))
        } else if record.open {
            A_MATCH.to_owned()
        } else if is_argument {
            let name = if is_bare(&step.name) { step.name.clone() } else { Quoted(&step.name).to_string() };
            let (above, name) = (shown(&Words(above).to_string()), shown(&name));
            format!("where only some tools have it, ask first: `{above} has {name} && …`")
        } else {
            let names: Vec<&str> = record.members.keys().map(String::as_str).take(LISTED_MAX).collect();
            format!(
                "there is {}",
                if names.is_empty() { "nothing".to_owned() } else { shown(&names.join(", ")) }
            )
        };
        self.error(WhenError::new(step.at.clone(), message).help(help));
        None
    }

    /// A place that may be empty where we are, and of which the condition asks elsewhere.
    fn unasked<T>(&mut self, place: Place, at: &Range<usize>) -> Option<T> {
        let path = shown(&Words(&place).to_string());
        let error = WhenError::new(at.clone(), format!("`{path}` may be absent here"));
        self.error(error.help("ask with `has` before each place where it is read, joined with `&&`"));
        None
    }
}

const A_MATCH: &str = "name a `[match]` over it, and ask `matches.NAME` here";

/// The most names that a help lists.
const LISTED_MAX: usize = 10;

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
