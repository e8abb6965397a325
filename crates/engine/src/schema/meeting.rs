//! Meetings: the schemas that are about one and the same place of a value.
//!
//! Schemas combine: of some all must hold at a place, of others one. A meeting is such a combination, of parts
//! of one schema that are known by where they stand and not by what they say. So the same combination is
//! recognised when a schema comes back to itself, and whoever numbers places by their meetings has finitely
//! many of them.
//!
//! Not here: what a meeting says. The [outline](super::outline) asks what is declared, and policy which type it is.

use std::collections::BTreeSet;

use crate::json::Json;

/// A schema by its identity: two that read the same at different places stay two.
#[derive(Clone, Copy)]
pub(crate) struct Schema<'a>(pub(crate) &'a Json);

impl PartialEq for Schema<'_> {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self.0, other.0)
    }
}

impl Eq for Schema<'_> {}

impl PartialOrd for Schema<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Schema<'_> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        std::ptr::from_ref(self.0).cmp(&std::ptr::from_ref(other.0))
    }
}

/// The schemas that meet at one place.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Meeting<'a> {
    /// None: whatever is here passes.
    Anything,
    One(Schema<'a>),
    /// All of them must hold.
    All(BTreeSet<Meeting<'a>>),
    /// One of them must hold.
    Any(BTreeSet<Meeting<'a>>),
}

impl<'a> Meeting<'a> {
    /// Both hold.
    pub(crate) fn and(self, other: Self) -> Self {
        match (self, other) {
            (Meeting::Anything, meeting) | (meeting, Meeting::Anything) => meeting,
            (one, two) if one == two => one,
            (one, two) => {
                let flat = |meeting| match meeting {
                    Meeting::All(all) => all,
                    Meeting::Anything | Meeting::One(_) | Meeting::Any(_) => BTreeSet::from([meeting]),
                };
                let mut all = flat(one);
                all.extend(flat(two));
                Meeting::All(all)
            }
        }
    }

    /// One of them holds.
    pub(crate) fn or(self, other: Self) -> Self {
        if self == other {
            return self;
        }
        let flat = |meeting| match meeting {
            Meeting::Any(any) => any,
            Meeting::Anything | Meeting::One(_) | Meeting::All(_) => BTreeSet::from([meeting]),
        };
        let mut any = flat(self);
        any.extend(flat(other));
        Meeting::Any(any)
    }
}

/// Both hold, as far as they are there.
pub(crate) fn both<'a>(one: Option<Meeting<'a>>, two: Option<Meeting<'a>>) -> Option<Meeting<'a>> {
    match (one, two) {
        (Some(one), Some(two)) => Some(one.and(two)),
        (one, two) => one.or(two),
    }
}

/// One of them holds, of those that are there.
pub(crate) fn either<'a>(one: Option<Meeting<'a>>, two: Option<Meeting<'a>>) -> Option<Meeting<'a>> {
    match (one, two) {
        (Some(one), Some(two)) => Some(one.or(two)),
        (one, two) => one.or(two),
    }
}

/// The meeting of one schema alone.
pub(crate) fn meeting_of(schema: &Json) -> Meeting<'_> {
    match schema {
        Json::Object(object) if !object.is_empty() => Meeting::One(Schema(schema)),
        Json::Bool(false) => Meeting::One(Schema(schema)),
        Json::Object(_)
        | Json::Bool(true)
        | Json::Null
        | Json::Number(_)
        | Json::String(_)
        | Json::Array(_) => Meeting::Anything,
    }
}
