//! Places: what the tool declares where a path leads, and whether something is there.
//!
//! A place has one type or none that a rule can read. Of one that may be empty it is known on the way that it
//! is not, or that is needed of every call, or it is a mistake; what holds it is looked at first.
//!
//! Start at [`Checker::read`] and [`Checker::has`].

use std::{iter, ops::Range};

use super::{
    super::{
        WhenError,
        read::shown,
        syntax::{Path, Quoted, Step, Words},
        token::is_bare,
        typed::{Place, Typed},
        types::Type,
    },
    Checked, Checker, ERRORS_MAX, chain,
};
use crate::{
    diagnostic::did_you_mean,
    policy::arguments::{Kind, Member, Opaque, Record},
};

const A_MATCH: &str = "name a `[match]` over it, and ask `matches.NAME` here";

/// What nobody declares, where anything may stand.
const ANYTHING: Member = Member { kind: Kind::Opaque(Opaque::Untyped), required: false };

/// The most names that a help lists.
const LISTED_MAX: usize = 10;

impl<'a> Checker<'a> {
    /// What stands at a place.
    pub(super) fn read(&mut self, path: &Path, at: &Range<usize>) -> Option<Checked> {
        let (kind, needs) = self.place(path, at)?;
        let kind = match Type::of(kind) {
            Ok(kind) => kind,
            Err(why) => return self.unreadable(&path.words(), why, at),
        };
        Some(Checked::new(kind, Typed::Read(path.words(), needs)))
    }

    /// `args has a.b`: a chain of questions, each about a member of what the one before has found.
    pub(super) fn has(&mut self, path: &Path, names: &[Step], at: &Range<usize>) -> Option<Checked> {
        let at = at.start..path.steps.last().map_or(at.start + path.root.as_str().len(), |step| step.at.end);
        let (kind, needs) = self.place(path, &at)?;
        let mut place = path.words();
        let mut record = self.members(kind, &place, &at)?;
        let (mut questions, mut known) = (Vec::new(), Vec::new());
        for (nth, step) in names.iter().enumerate() {
            let is_last = nth + 1 == names.len();
            let member = match record.members.get(&step.name) {
                Some(member) => member,
                // Anything may stand there, of which can be asked whether it does.
                None if record.open && is_last => &ANYTHING,
                None if record.open => return self.undeclared(record, &place, step),
                None => return Some(Checked::truth(Typed::Bool(false))),
            };
            place.push(step.name.clone());
            if !member.required {
                known.push(place.clone());
                if !self.known.contains(&place) {
                    questions.push(Typed::Has(place.clone(), needs.clone()));
                }
            }
            if !is_last {
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
