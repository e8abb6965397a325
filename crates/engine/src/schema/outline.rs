//! The outline of a schema: which members are declared, which objects are closed, where integers stand.
//!
//! JSON Schema lets undeclared members pass unless it is told not to. Here objects are closed by default, so we
//! must know at each place of the arguments what the schema declares there, through everything that combines
//! schemas: `allOf` and its like say *and*, `anyOf` and its like say *or*. A place is closed if some schema
//! that must hold declares members, and none opens it; of alternatives each that allows an object must.
//!
//! A schema may refer to itself, so the outline is a graph: places are numbered, and made once for each
//! combination of schemas that can meet somewhere.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    SchemaError, clip,
    meeting::{Meeting, Schema, both, either, meeting_of},
    reference::References,
};
use crate::{
    json::{Json, Number, Object},
    limits,
};

/// Places of one schema. Those of real tools have some hundreds at most.
const PLACES_MAX: usize = 4_096;

/// All places that arguments can have under one schema; the first is the arguments as a whole.
#[derive(Debug)]
pub(super) struct Outline {
    places: Vec<Place>,
}

/// What is known of one place.
#[derive(Debug, Default)]
struct Place {
    /// Whether members beyond the declared ones are refused.
    closed: bool,
    /// Whether the schema says `integer` here, so that whole numbers are kept beyond 2^53 - 1.
    integer: bool,
    /// Declared members.
    members: BTreeMap<String, usize>,
    /// All other members.
    others: Option<usize>,
    /// The first items of a list that says what each of them is.
    first: Vec<usize>,
    /// All other items.
    items: Option<usize>,
}

/// What does not fit: why, and where, from the inside out.
struct Misfit {
    why: Why,
    path: Vec<Option<String>>,
}

enum Why {
    Undeclared { allowed: Vec<String> },
    Unsafe(Number),
}

impl Outline {
    pub(super) fn of<'a>(root: &'a Json, references: &References<'a>) -> Result<Self, SchemaError> {
        let mut survey = Survey { references, numbers: BTreeMap::new(), waiting: Vec::new() };
        survey.number(Meeting::One(Schema(root)))?;
        let mut places = Vec::new();
        while let Some(meeting) = survey.waiting.get(places.len()).cloned() {
            let form = survey.form_of(&meeting)?;
            places.push(survey.place(form)?);
        }
        Ok(Self { places })
    }

    /// Whether these arguments hold nothing undeclared and no integer that might be rounded.
    pub(super) fn check(&self, arguments: &Json) -> Result<(), String> {
        self.walk(arguments, Some(0)).map_err(|misfit| clip(&misfit.to_string()))
    }

    fn walk(&self, value: &Json, at: Option<usize>) -> Result<(), Misfit> {
        let place = at.and_then(|at| self.places.get(at));
        match value {
            Json::Object(object) => {
                for (key, below) in object.iter() {
                    let next = match place {
                        None => None,
                        Some(place) => match place.members.get(key) {
                            Some(next) => Some(*next),
                            None if place.closed => {
                                let allowed = place.members.keys().cloned().collect();
                                return Err(Misfit {
                                    why: Why::Undeclared { allowed },
                                    path: vec![Some(key.to_owned())],
                                });
                            }
                            None => place.others,
                        },
                    };
                    self.walk(below, next).map_err(|misfit| misfit.inside(Some(key)))?;
                }
                Ok(())
            }
            Json::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    let next = place.and_then(|place| place.first.get(index).copied().or(place.items));
                    self.walk(item, next).map_err(|misfit| misfit.inside(None))?;
                }
                Ok(())
            }
            Json::Number(number @ Number::Integer(_))
                if !number.is_safe_integer() && !place.is_some_and(|place| place.integer) =>
            {
                Err(Misfit { why: Why::Unsafe(*number), path: Vec::new() })
            }
            Json::Number(_) | Json::Null | Json::Bool(_) | Json::String(_) => Ok(()),
        }
    }
}

impl Misfit {
    fn inside(mut self, key: Option<&str>) -> Self {
        self.path.push(key.map(str::to_owned));
        self
    }
}

impl std::fmt::Display for Misfit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut path = String::new();
        for step in self.path.iter().rev() {
            match step {
                Some(key) if path.is_empty() => path.push_str(key),
                Some(key) => {
                    path.push('.');
                    path.push_str(key);
                }
                None => path.push_str("[]"),
            }
        }
        match &self.why {
            Why::Undeclared { allowed } => {
                let allowed: Vec<_> = allowed.iter().map(|key| format!("`{key}`")).collect();
                write!(f, "`{path}` is not an argument of this tool; it takes {}", allowed.join(", "))
            }
            Why::Unsafe(number) => write!(
                f,
                "`{path}`: {number} is beyond 2^53 - 1, where numbers are rounded by many programs; only an argument that the tool declares as an integer may be that large"
            ),
        }
    }
}

/// What schemas say about the value in front of them, before places have numbers.
#[derive(Clone, Default)]
struct Form<'a> {
    /// It declares members, in each alternative that allows an object.
    declares: bool,
    /// It lets other members pass.
    opens: bool,
    /// No object can be here.
    no_object: bool,
    /// No list can be here.
    no_list: bool,
    integer: bool,
    members: BTreeMap<&'a str, Meeting<'a>>,
    others: Option<Meeting<'a>>,
    first: Vec<Meeting<'a>>,
    items: Option<Meeting<'a>>,
}

impl<'a> Form<'a> {
    fn is_closed(&self) -> bool {
        self.declares && !self.opens
    }

    /// What it says about a member, if anything.
    fn member(&self, name: &str) -> Option<Meeting<'a>> {
        self.members.get(name).or(self.others.as_ref()).cloned()
    }

    /// What a member may be under it alone; `None` if there may be no such member.
    fn allowed_member(&self, name: &str) -> Option<Meeting<'a>> {
        self.member(name).or_else(|| (!self.is_closed()).then_some(Meeting::Anything))
    }

    fn allowed_other(&self) -> Option<Meeting<'a>> {
        self.others.clone().or_else(|| (!self.is_closed()).then_some(Meeting::Anything))
    }

    fn item(&self, index: usize) -> Option<Meeting<'a>> {
        self.first.get(index).or(self.items.as_ref()).cloned()
    }

    fn allowed_item(&self, index: usize) -> Meeting<'a> {
        self.item(index).unwrap_or(Meeting::Anything)
    }

    fn names(&self, other: &Self) -> BTreeSet<&'a str> {
        self.members.keys().chain(other.members.keys()).copied().collect()
    }

    /// Both hold.
    fn and(self, other: Self) -> Self {
        let first = 0..self.first.len().max(other.first.len());
        Form {
            declares: self.declares || other.declares,
            opens: self.opens || other.opens,
            no_object: self.no_object || other.no_object,
            no_list: self.no_list || other.no_list,
            integer: self.integer || other.integer,
            members: self
                .names(&other)
                .into_iter()
                .filter_map(|name| Some((name, both(self.member(name), other.member(name))?)))
                .collect(),
            first: first
                .map(|index| both(self.item(index), other.item(index)).unwrap_or(Meeting::Anything))
                .collect(),
            others: both(self.others, other.others),
            items: both(self.items, other.items),
        }
    }

    /// One of them holds. Of one that allows no object, nothing about members counts; so with lists.
    fn or(self, other: Self) -> Self {
        let mut form = Form {
            no_object: self.no_object && other.no_object,
            no_list: self.no_list && other.no_list,
            integer: self.integer || other.integer,
            ..Form::default()
        };
        match (self.no_object, other.no_object) {
            (false, false) => {
                form.declares = self.declares && other.declares;
                form.opens = self.opens || other.opens;
                let names = self.names(&other).into_iter();
                form.members = names
                    .filter_map(|name| {
                        Some((name, either(self.allowed_member(name), other.allowed_member(name))?))
                    })
                    .collect();
                form.others = either(self.allowed_other(), other.allowed_other());
            }
            (no_object, _) => {
                let from = if no_object { &other } else { &self };
                form.declares = from.declares;
                form.opens = from.opens;
                form.members = from.members.clone();
                form.others = from.others.clone();
            }
        }
        match (self.no_list, other.no_list) {
            (false, false) => {
                let first = 0..self.first.len().max(other.first.len());
                form.first = first.map(|at| self.allowed_item(at).or(other.allowed_item(at))).collect();
                form.items = either(
                    Some(self.items.unwrap_or(Meeting::Anything)),
                    Some(other.items.unwrap_or(Meeting::Anything)),
                );
            }
            (true, _) => (form.first, form.items) = (other.first, other.items),
            (false, true) => (form.first, form.items) = (self.first, self.items),
        }
        form
    }

    /// The same, where it holds only sometimes: what cannot be here may be here after all.
    fn sometimes(self) -> Self {
        Form { no_object: false, no_list: false, ..self }
    }
}

/// The making of an outline.
struct Survey<'a, 'r> {
    references: &'r References<'a>,
    numbers: BTreeMap<Meeting<'a>, usize>,
    /// By their numbers.
    waiting: Vec<Meeting<'a>>,
}

impl<'a> Survey<'a, '_> {
    fn number(&mut self, meeting: Meeting<'a>) -> Result<usize, SchemaError> {
        if let Some(number) = self.numbers.get(&meeting) {
            return Ok(*number);
        }
        let number = self.waiting.len();
        if number >= PLACES_MAX {
            return Err(SchemaError::Refused("its parts meet in more ways than can be checked".to_owned()));
        }
        self.numbers.insert(meeting.clone(), number);
        self.waiting.push(meeting);
        Ok(number)
    }

    fn place(&mut self, form: Form<'a>) -> Result<Place, SchemaError> {
        Ok(Place {
            closed: form.is_closed(),
            integer: form.integer,
            members: form
                .members
                .into_iter()
                .map(|(name, meeting)| Ok((name.to_owned(), self.number(meeting)?)))
                .collect::<Result<_, SchemaError>>()?,
            others: form.others.map(|meeting| self.number(meeting)).transpose()?,
            first: form.first.into_iter().map(|meeting| self.number(meeting)).collect::<Result<_, _>>()?,
            items: form.items.map(|meeting| self.number(meeting)).transpose()?,
        })
    }

    fn form_of(&self, meeting: &Meeting<'a>) -> Result<Form<'a>, SchemaError> {
        match meeting {
            Meeting::Anything => Ok(Form::default()),
            Meeting::One(Schema(schema)) => self.form(schema, 0),
            Meeting::All(all) => {
                all.iter().try_fold(Form::default(), |form, one| Ok(form.and(self.form_of(one)?)))
            }
            Meeting::Any(any) => {
                let forms = any.iter().map(|one| self.form_of(one)).collect::<Result<Vec<_>, _>>()?;
                Ok(forms.into_iter().reduce(Form::or).unwrap_or_default())
            }
        }
    }

    /// What one schema says, with all that it combines at this place.
    fn form(&self, schema: &'a Json, level: usize) -> Result<Form<'a>, SchemaError> {
        if level > limits::SCHEMA_DEPTH {
            return Err(SchemaError::Refused(
                "it refers to itself, or through too many references, without going deeper".to_owned(),
            ));
        }
        let object = match schema {
            Json::Object(object) => object,
            Json::Bool(false) => return Ok(Form { no_object: true, no_list: true, ..Form::default() }),
            Json::Bool(true) | Json::Null | Json::Number(_) | Json::String(_) | Json::Array(_) => {
                return Ok(Form::default());
            }
        };
        let part = |schema| self.form(schema, level + 1);
        let mut form = own(object);
        for (key, value) in object.iter() {
            match (key, value) {
                ("allOf", Json::Array(all)) => {
                    for one in all {
                        form = form.and(part(one)?);
                    }
                }
                ("anyOf" | "oneOf", Json::Array(any)) => {
                    let forms = any.iter().map(part).collect::<Result<Vec<_>, _>>()?;
                    form = form.and(forms.into_iter().reduce(Form::or).unwrap_or_default());
                }
                ("$ref" | "$dynamicRef" | "$recursiveRef", _) => {
                    form = form.and(part(self.references.find(value)?)?);
                }
                ("if", _) => form = form.and(part(value)?.sometimes()),
                ("dependentSchemas" | "dependencies", Json::Object(named)) => {
                    for (_, one) in named.iter() {
                        form = form.and(part(one)?.sometimes());
                    }
                }
                _ => {}
            }
        }
        form = match (object.get("then"), object.get("else")) {
            (Some(then), Some(otherwise)) => form.and(part(then)?.or(part(otherwise)?)),
            (Some(one), None) | (None, Some(one)) => form.and(part(one)?.sometimes()),
            (None, None) => form,
        };
        // Last, since they are about what nothing before has spoken of.
        if let Some(rest) = object.get("unevaluatedProperties").filter(|rest| **rest != Json::Bool(false)) {
            form.opens = true;
            form.others = form.others.or_else(|| Some(meeting_of(rest)));
        }
        if let Some(rest) = object.get("unevaluatedItems").filter(|rest| **rest != Json::Bool(false)) {
            form.items = form.items.or_else(|| Some(meeting_of(rest)));
        }
        Ok(form)
    }
}

/// What a schema says by its own keywords.
fn own(schema: &Object) -> Form<'_> {
    let mut form = Form::default();
    let kinds: Option<BTreeSet<&str>> = match schema.get("type") {
        Some(Json::String(kind)) => Some(BTreeSet::from([kind.as_str()])),
        Some(Json::Array(kinds)) => Some(kinds.iter().filter_map(Json::as_str).collect()),
        _ => None,
    };
    if let Some(kinds) = kinds {
        form.no_object = !kinds.contains("object");
        form.no_list = !kinds.contains("array");
        form.integer = kinds.contains("integer");
    }
    let values = match (schema.get("const"), schema.get("enum")) {
        (Some(value), _) => Some(std::slice::from_ref(value)),
        (None, listed) => listed.and_then(Json::as_array),
    };
    if let Some(values) = values {
        form.no_object |= !values.iter().any(|value| value.as_object().is_some());
        form.no_list |= !values.iter().any(|value| value.as_array().is_some());
    }

    let named = |key| schema.get(key).and_then(Json::as_object).filter(|named| !named.is_empty());
    if let Some(properties) = named("properties") {
        form.declares = true;
        form.members = properties.iter().map(|(name, below)| (name, meeting_of(below))).collect();
    }
    let additional = schema.get("additionalProperties");
    if additional.is_some_and(|additional| *additional != Json::Bool(false)) {
        form.opens = true;
        form.others = additional.map(meeting_of);
    }
    if let Some(patterns) = named("patternProperties") {
        form.opens = true;
        // A member may match any of them, or none and be an additional one.
        let additional = match additional {
            Some(Json::Bool(false)) => None,
            Some(schema) => Some(meeting_of(schema)),
            None => Some(Meeting::Anything),
        };
        form.others = patterns.iter().map(|(_, below)| Some(meeting_of(below))).fold(additional, either);
    }
    match (schema.get("prefixItems"), schema.get("items")) {
        (Some(Json::Array(first)), rest) => {
            form.first = first.iter().map(meeting_of).collect();
            form.items = rest.map(meeting_of);
        }
        // Drafts before 2020-12.
        (_, Some(Json::Array(first))) => {
            form.first = first.iter().map(meeting_of).collect();
            form.items = schema.get("additionalItems").map(meeting_of);
        }
        (_, rest) => form.items = rest.map(meeting_of),
    }
    form
}
