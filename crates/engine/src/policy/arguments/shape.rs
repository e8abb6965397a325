//! Shapes: which types a value may have at one place, and what is declared inside it.
//!
//! A shape is what remains of schemas when all that policy does not ask is left out. It never says less than
//! they allow: a keyword that is not understood here narrows nothing. *And* and *or* of shapes are those of the
//! schemas, with one difference. What only some of the alternatives declare is remembered as such, because in
//! the others it may be anything; so it yields to whoever declares it for all of them.
//!
//! Not here: how schemas refer to each other (`survey.rs`).

use std::collections::{BTreeMap, BTreeSet};

use super::types::Types;
use crate::{
    json::{Json, Object},
    schema::meeting::{Meeting, either, meeting_of},
};

/// What schemas say about the value in front of them.
#[derive(Clone)]
pub(super) struct Shape<'a> {
    pub(super) types: Types,
    /// No type is named, and it declares members as only an object has: then an object is meant.
    means_object: bool,
    /// It declares members, in each alternative that allows an object.
    declares: bool,
    /// It lets other members pass.
    opens: bool,
    /// Other members are refused although none is declared.
    shuts: bool,
    pub(super) members: BTreeMap<&'a str, Said<'a>>,
    pub(super) required: BTreeSet<&'a str>,
    /// What all other members must be.
    others: Option<Said<'a>>,
    /// A list whose items differ by where they stand, or that says of its items what is not followed here.
    pub(super) tuple: bool,
    pub(super) items: Option<Meeting<'a>>,
}

/// What is said of a member.
#[derive(Clone)]
pub(super) struct Said<'a> {
    pub(super) meeting: Meeting<'a>,
    /// Whether it holds in all alternatives.
    everywhere: bool,
}

impl<'a> Said<'a> {
    fn always(meeting: Meeting<'a>) -> Self {
        Self { meeting, everywhere: true }
    }

    fn and(self, other: Self) -> Self {
        match (self.everywhere, other.everywhere) {
            (true, true) => Self::always(self.meeting.and(other.meeting)),
            (true, false) => self,
            (false, true) => other,
            (false, false) => self.or(other),
        }
    }

    fn or(self, other: Self) -> Self {
        Self { meeting: self.meeting.or(other.meeting), everywhere: self.everywhere && other.everywhere }
    }

    fn sometimes(self) -> Self {
        Self { everywhere: false, ..self }
    }
}

/// One after the other, where both are there.
fn joined<'a>(
    one: Option<Said<'a>>,
    two: Option<Said<'a>>,
    join: impl Fn(Said<'a>, Said<'a>) -> Said<'a>,
) -> Option<Said<'a>> {
    match (one, two) {
        (Some(one), Some(two)) => Some(join(one, two)),
        (one, two) => one.or(two),
    }
}

/// What holds of a member in one of two alternatives, where either may refuse it.
fn alternative<'a>(one: Option<Said<'a>>, two: Option<Said<'a>>) -> Option<Said<'a>> {
    match (one, two) {
        (Some(one), Some(two)) => Some(one.or(two)),
        (one, two) => one.or(two).map(Said::sometimes),
    }
}

impl<'a> Shape<'a> {
    /// Whatever is here passes.
    pub(super) fn anything() -> Self {
        Self {
            types: Types::ALL,
            means_object: false,
            declares: false,
            opens: false,
            shuts: false,
            members: BTreeMap::new(),
            required: BTreeSet::new(),
            others: None,
            tuple: false,
            items: None,
        }
    }

    /// What a part says that cannot be followed: anything, with any members.
    pub(super) fn unknown() -> Self {
        Self { opens: true, ..Self::anything() }
    }

    /// Nothing passes.
    pub(super) fn nothing() -> Self {
        Self { types: Types::NONE, ..Self::anything() }
    }

    /// What a schema says by its own keywords, those left out that combine other schemas.
    pub(super) fn of(schema: &'a Object) -> Self {
        let mut shape = Self::anything();
        match schema.get("type") {
            Some(Json::String(name)) => shape.types = Types::named(name),
            Some(Json::Array(names)) => {
                let names = names.iter().filter_map(Json::as_str).map(Types::named);
                shape.types = names.fold(Types::NONE, Types::or);
            }
            Some(Json::Null | Json::Bool(_) | Json::Number(_) | Json::Object(_)) | None => {}
        }
        let listed = schema.get("enum").and_then(Json::as_array);
        for values in [schema.get("const").map(std::slice::from_ref), listed].into_iter().flatten() {
            shape.types = shape.types.and(values.iter().map(Types::of).fold(Types::NONE, Types::or));
        }
        shape.read_members(schema);
        shape.read_items(schema);
        shape
    }

    fn read_members(&mut self, schema: &'a Object) {
        let named = |key| schema.get(key).and_then(Json::as_object).filter(|named| !named.is_empty());
        if let Some(properties) = named("properties") {
            self.declares = true;
            self.means_object = true;
            self.members =
                properties.iter().map(|(name, below)| (name, Said::always(meeting_of(below)))).collect();
        }
        if let Some(required) = schema.get("required").and_then(Json::as_array) {
            self.required = required.iter().filter_map(Json::as_str).collect();
        }
        let additional = schema.get("additionalProperties");
        let refuses = additional == Some(&Json::Bool(false));
        let patterns = named("patternProperties");
        self.opens = patterns.is_some() || (additional.is_some() && !refuses);
        self.shuts = refuses && patterns.is_none();
        // A member may match any pattern, or none and be an additional one.
        let free = match (additional, patterns.is_some()) {
            (Some(Json::Bool(false)), _) | (None, false) => None,
            (Some(schema), _) => Some(meeting_of(schema)),
            (None, true) => Some(Meeting::Anything),
        };
        let patterns = patterns.into_iter().flat_map(Object::iter);
        let others = patterns.map(|(_, below)| Some(meeting_of(below))).fold(free, either);
        self.others = others.map(Said::always);
    }

    fn read_items(&mut self, schema: &'a Object) {
        let items = schema.get("items");
        let by_place =
            schema.contains("prefixItems") || items.is_some_and(|items| items.as_array().is_some());
        self.tuple = by_place || schema.contains("unevaluatedItems");
        self.items = items.map(meeting_of);
    }

    /// What holds where an object is meant but not named.
    pub(super) fn settled(self) -> Self {
        if self.types == Types::ALL && self.means_object {
            return Self { types: Types::OBJECT, ..self };
        }
        self
    }

    /// Whether members that nobody declared are refused.
    pub(super) fn is_closed(&self) -> bool {
        (self.declares || self.shuts) && !self.opens
    }

    fn member(&self, name: &str) -> Option<Said<'a>> {
        self.members.get(name).or(self.others.as_ref()).cloned()
    }

    /// What a member may be under it alone; `None` if there may be no such member.
    fn allowed(&self, name: &str) -> Option<Said<'a>> {
        self.members.get(name).cloned().or_else(|| self.allowed_other())
    }

    fn allowed_other(&self) -> Option<Said<'a>> {
        let free = || self.others.clone().unwrap_or(Said::always(Meeting::Anything));
        (!self.is_closed()).then(free)
    }

    fn names(&self, other: &Self) -> BTreeSet<&'a str> {
        self.members.keys().chain(other.members.keys()).copied().collect()
    }

    /// How much work it is to combine it with another one.
    pub(super) fn weight(&self) -> usize {
        self.members.len() + self.required.len() + 1
    }

    /// Both hold.
    pub(super) fn and(self, other: Self) -> Self {
        let members = self
            .names(&other)
            .into_iter()
            .filter_map(|name| Some((name, joined(self.member(name), other.member(name), Said::and)?)))
            .collect();
        let items = match (self.items, other.items) {
            (Some(one), Some(two)) => Some(one.and(two)),
            (one, two) => one.or(two),
        };
        Self {
            types: self.types.and(other.types),
            means_object: self.means_object || other.means_object,
            declares: self.declares || other.declares,
            opens: self.opens || other.opens,
            shuts: self.shuts || other.shuts,
            members,
            required: self.required.into_iter().chain(other.required).collect(),
            others: joined(self.others, other.others, Said::and),
            tuple: self.tuple || other.tuple,
            items,
        }
    }

    /// One of them holds. Of one that allows no object, nothing about members counts; so with lists.
    pub(super) fn or(self, other: Self) -> Self {
        let (one, two) = (self.settled(), other.settled());
        let lists = (one.types.meets(Types::LIST), two.types.meets(Types::LIST));
        let (tuple, items) = match lists {
            (true, true) => {
                let items = one.items.clone().zip(two.items.clone());
                (one.tuple || two.tuple, items.map(|(one, two)| one.or(two)))
            }
            (true, false) => (one.tuple, one.items.clone()),
            (false, _) => (two.tuple, two.items.clone()),
        };
        let types = one.types.or(two.types);
        let objects = match (one.types.meets(Types::OBJECT), two.types.meets(Types::OBJECT)) {
            (true, true) => one.either_object(&two),
            (true, false) => one,
            (false, _) => two,
        };
        Self { types, means_object: false, tuple, items, ..objects }
    }

    fn either_object(&self, other: &Self) -> Self {
        let names = self.names(other).into_iter();
        Self {
            declares: self.declares && other.declares,
            opens: self.opens || other.opens,
            shuts: self.is_closed() && other.is_closed(),
            members: names
                .filter_map(|name| Some((name, alternative(self.allowed(name), other.allowed(name))?)))
                .collect(),
            required: self.required.intersection(&other.required).copied().collect(),
            others: alternative(self.allowed_other(), other.allowed_other()),
            ..Self::anything()
        }
    }

    /// The same, where it holds only sometimes: its names are declared, and nothing else is certain.
    pub(super) fn sometimes(self) -> Self {
        let members = self.members.into_iter().map(|(name, said)| (name, said.sometimes())).collect();
        Self { declares: self.declares, opens: self.opens, members, ..Self::anything() }
    }

    /// Only the names that it declares, which may be anything: it asks and does not demand.
    pub(super) fn names_only(self) -> Self {
        let anything = || Said::always(Meeting::Anything).sometimes();
        let members = self.members.into_keys().map(|name| (name, anything())).collect();
        Self { declares: self.declares, opens: self.opens, members, ..Self::anything() }
    }

    /// Members that no schema has looked at may be `rest`: those that only some alternatives declare, since
    /// another one may hold.
    pub(super) fn with_unevaluated(mut self, rest: &'a Json) -> Self {
        self.opens = true;
        for said in self.members.values_mut().filter(|said| !said.everywhere) {
            said.meeting = said.meeting.clone().or(meeting_of(rest));
        }
        self
    }
}
