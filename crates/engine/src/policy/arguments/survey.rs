//! The survey of a schema: all places that its arguments can have, and which type stands at each.
//!
//! Places are numbered by the schemas that meet there, so a schema that refers to itself, or to one part from
//! many, has finitely many of them. What cannot be followed (a lost reference, a part that is too much work)
//! is taken for anything: then its place is opaque, and no other place suffers.
//!
//! Not here: how places become kinds, where a circle of places must end (`places.rs`).

use std::collections::BTreeMap;

use super::{Kind, Opaque, places::Place, shape::Shape, types::Types};
use crate::{
    json::{Json, Object},
    limits,
    schema::{
        meeting::{Meeting, Schema, meeting_of},
        reference::References,
    },
};

/// Places of one schema, the same as the schema's own outline has.
const PLACES_MAX: usize = 4_096;

/// Members that are looked at to find out what one place is, and all of them together.
const WORK_MAX: usize = 100_000;
const WORK_ALL_MAX: usize = 1_000_000;

/// What may stand beside a `$ref` and says nothing of the value.
const REMARKS: [&str; 10] = [
    "$ref",
    "$comment",
    "$defs",
    "definitions",
    "title",
    "description",
    "default",
    "examples",
    "deprecated",
    "readOnly",
];

/// What stands at a place, before the places inside it have kinds.
pub(super) enum Stands<T> {
    Scalar(Kind),
    Opaque(Opaque),
    List(T),
    Object { members: BTreeMap<String, (T, bool)>, open: bool },
}

pub(super) struct Survey<'a> {
    references: References<'a>,
    /// Up to draft 7 a `$ref` is all that counts in its schema.
    only_ref: bool,
    numbers: BTreeMap<Meeting<'a>, usize>,
    /// By their numbers. The first is the arguments as a whole, the second anything.
    waiting: Vec<Meeting<'a>>,
    /// Work that may still be spent on the place at hand, and on all.
    left: usize,
    left_in_all: usize,
}

/// All places of a schema of an object; the first is the arguments as a whole.
pub(super) fn survey(root: &Json, draft: jsonschema::Draft) -> Vec<Place> {
    let only_ref =
        matches!(draft, jsonschema::Draft::Draft4 | jsonschema::Draft::Draft6 | jsonschema::Draft::Draft7);
    let whole = Meeting::One(Schema(root));
    let mut survey = Survey {
        references: References::of(root),
        only_ref,
        numbers: BTreeMap::from([(whole.clone(), 0), (Meeting::Anything, 1)]),
        waiting: vec![whole, Meeting::Anything],
        left: 0,
        left_in_all: WORK_ALL_MAX,
    };
    let mut places = Vec::new();
    while let Some(meeting) = survey.waiting.get(places.len()).cloned() {
        let mut shape = survey.shape_at(&meeting);
        if places.is_empty() {
            // Arguments are an object, whatever else the schema would take.
            shape.types = shape.types.and(Types::OBJECT);
        }
        let place = survey.place(shape);
        places.push(place);
    }
    places
}

impl<'a> Survey<'a> {
    fn shape_at(&mut self, meeting: &Meeting<'a>) -> Shape<'a> {
        self.left = WORK_MAX.min(self.left_in_all);
        let had = self.left;
        let shape = self.shape_of(meeting);
        self.left_in_all -= had - self.left;
        // Beyond its share of work nothing is known of a place.
        if self.left == 0 { Shape::unknown() } else { shape.settled() }
    }

    fn place(&mut self, shape: Shape<'a>) -> Place {
        let nullable = shape.types.meets(Types::NULL);
        let stands = match stands(shape) {
            Stands::Scalar(kind) => Stands::Scalar(kind),
            Stands::Opaque(why) => Stands::Opaque(why),
            Stands::List(items) => Stands::List(self.number(items)),
            Stands::Object { members, open } => {
                let members = members.into_iter();
                let members =
                    members.map(|(name, (meeting, required))| (name, (self.number(meeting), required)));
                Stands::Object { members: members.collect(), open }
            }
        };
        Place { stands, nullable }
    }

    fn number(&mut self, meeting: Meeting<'a>) -> usize {
        let meeting = self.followed(meeting);
        if let Some(number) = self.numbers.get(&meeting) {
            return *number;
        }
        let number = self.waiting.len();
        if number >= PLACES_MAX {
            return 1;
        }
        self.numbers.insert(meeting.clone(), number);
        self.waiting.push(meeting);
        number
    }

    /// The same meeting without its mere references, so that a part is one place from wherever it is referred to.
    fn followed(&self, meeting: Meeting<'a>) -> Meeting<'a> {
        match meeting {
            Meeting::Anything => meeting,
            Meeting::One(Schema(schema)) => meeting_of(self.target(schema)),
            Meeting::All(all) => {
                all.into_iter().map(|one| self.followed(one)).fold(Meeting::Anything, Meeting::and)
            }
            Meeting::Any(any) => {
                any.into_iter().map(|one| self.followed(one)).reduce(Meeting::or).unwrap_or(Meeting::Anything)
            }
        }
    }

    fn target(&self, schema: &'a Json) -> &'a Json {
        let mut schema = schema;
        for _ in 0..limits::SCHEMA_DEPTH {
            let Some(object) = schema.as_object() else { return schema };
            let Some(reference) = object.get("$ref") else { return schema };
            let is_mere = self.only_ref || object.keys().all(|key| REMARKS.contains(&key));
            match self.references.find(reference) {
                Ok(part) if is_mere => schema = part,
                Ok(_) | Err(_) => return schema,
            }
        }
        schema
    }

    fn spend(&mut self, work: usize) {
        self.left = self.left.saturating_sub(work);
    }

    fn and(&mut self, one: Shape<'a>, two: Shape<'a>) -> Shape<'a> {
        self.spend(one.weight() + two.weight());
        if self.left == 0 { Shape::unknown() } else { one.and(two) }
    }

    fn or(&mut self, one: Shape<'a>, two: Shape<'a>) -> Shape<'a> {
        self.spend(one.weight() + two.weight());
        if self.left == 0 { Shape::unknown() } else { one.or(two) }
    }

    fn any(&mut self, shapes: impl IntoIterator<Item = Shape<'a>>) -> Shape<'a> {
        let any = shapes.into_iter().fold(None, |any, shape| {
            Some(match any {
                None => shape,
                Some(any) => self.or(any, shape),
            })
        });
        any.unwrap_or_else(Shape::anything)
    }

    fn shape_of(&mut self, meeting: &Meeting<'a>) -> Shape<'a> {
        match meeting {
            Meeting::Anything => Shape::anything(),
            Meeting::One(Schema(schema)) => self.shape(schema, 0),
            Meeting::All(all) => all.iter().fold(Shape::anything(), |shape, one| {
                let one = self.shape_of(one);
                self.and(shape, one)
            }),
            Meeting::Any(any) => {
                let shapes: Vec<_> = any.iter().map(|one| self.shape_of(one)).collect();
                self.any(shapes)
            }
        }
    }

    /// What one schema says, with all that it combines at this place.
    fn shape(&mut self, schema: &'a Json, level: usize) -> Shape<'a> {
        self.spend(1);
        if level > limits::SCHEMA_DEPTH || self.left == 0 {
            return Shape::unknown();
        }
        match schema {
            Json::Object(object) => self.combined(object, level + 1),
            Json::Bool(false) => Shape::nothing(),
            Json::Bool(true) | Json::Null | Json::Number(_) | Json::String(_) | Json::Array(_) => {
                Shape::anything()
            }
        }
    }

    fn combined(&mut self, object: &'a Object, level: usize) -> Shape<'a> {
        if let Some(reference) = object.get("$ref").filter(|_| self.only_ref) {
            return self.referred(reference, level);
        }
        let mut shape = Shape::of(object);
        self.spend(shape.weight());
        for (key, value) in object.iter() {
            let more = match (key, value) {
                ("allOf", Json::Array(all)) => {
                    for one in all {
                        let one = self.shape(one, level);
                        shape = self.and(shape, one);
                    }
                    continue;
                }
                ("anyOf" | "oneOf", Json::Array(any)) => {
                    let shapes: Vec<_> = any.iter().map(|one| self.shape(one, level)).collect();
                    self.any(shapes)
                }
                ("$ref", reference) => self.referred(reference, level),
                // Where they lead depends on the way that led here.
                ("$dynamicRef" | "$recursiveRef", _) => Shape::unknown(),
                ("if", one) => self.shape(one, level).names_only(),
                ("dependentSchemas" | "dependencies", Json::Object(named)) => {
                    for (_, one) in named.iter() {
                        let one = self.shape(one, level).sometimes();
                        shape = self.and(shape, one);
                    }
                    continue;
                }
                _ => continue,
            };
            shape = self.and(shape, more);
        }
        let branch = match (object.get("then"), object.get("else")) {
            (Some(then), Some(otherwise)) => {
                let shapes = [self.shape(then, level), self.shape(otherwise, level)];
                Some(self.any(shapes))
            }
            (Some(one), None) | (None, Some(one)) => Some(self.shape(one, level).sometimes()),
            (None, None) => None,
        };
        if let Some(branch) = branch {
            shape = self.and(shape, branch);
        }
        // Last, since it is about what nothing before has spoken of.
        match object.get("unevaluatedProperties") {
            None | Some(Json::Bool(false)) => shape,
            Some(rest) => shape.with_unevaluated(rest),
        }
    }

    fn referred(&mut self, reference: &Json, level: usize) -> Shape<'a> {
        match self.references.find(reference) {
            Ok(part) => self.shape(part, level),
            Err(_) => Shape::unknown(),
        }
    }
}

/// The one type that stands at a place of this shape, or why there is none.
fn stands(shape: Shape<'_>) -> Stands<Meeting<'_>> {
    let types = shape.types.without(Types::NULL);
    if types == Types::BOOL {
        Stands::Scalar(Kind::Bool)
    } else if types == Types::WHOLE {
        Stands::Scalar(Kind::Whole)
    } else if types == Types::NUMBER || types == Types::FRACTION {
        Stands::Scalar(Kind::Decimal)
    } else if types == Types::TEXT {
        Stands::Scalar(Kind::Text)
    } else if types == Types::LIST {
        match shape.items {
            Some(_) | None if shape.tuple => Stands::Opaque(Opaque::Union),
            Some(items) => Stands::List(items),
            None => Stands::Opaque(Opaque::Untyped),
        }
    } else if types == Types::OBJECT {
        object(shape)
    } else if shape.types == Types::ALL || types == Types::NONE {
        Stands::Opaque(Opaque::Untyped)
    } else {
        Stands::Opaque(Opaque::Union)
    }
}

fn object(shape: Shape<'_>) -> Stands<Meeting<'_>> {
    let open = !shape.is_closed();
    if open && shape.members.is_empty() {
        return Stands::Opaque(Opaque::FreeObject);
    }
    let required = shape.required;
    let members = shape.members.into_iter();
    let members = members.map(|(name, said)| (name.to_owned(), (said.meeting, required.contains(name))));
    Stands::Object { members: members.collect(), open }
}
