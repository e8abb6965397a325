//! What rules read: only this much of the arguments goes to Cedar.
//!
//! A value that no rule reads needs no form in Cedar and cannot make a call fail, costs nothing, and is not
//! there to be matched by accident. So the record of a tool is narrowed to the paths that the rules of its
//! action name, and both the type and the context of the arguments are made of what is left.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::{Kind, Member, Opaque, Record};

/// The paths that the rules of one action read, each by its names below `args`.
///
/// A path reads what stands at it: one that ends at an object reads whether it is there and none of its members,
/// and the empty one reads all arguments.
///
/// ```
/// # use placet_engine::policy::arguments::{Reads, Record};
/// # use placet_engine::json::{Limits, parse};
/// let schema = br#"{"properties": {"to": {"type": "string"}, "note": {"type": "string"}, "any": {}}}"#;
/// let record = Record::of_schema(&parse(schema, &Limits::EDGE).expect("JSON"))?;
/// let mut reads = Reads::default();
/// assert!(record.narrowed(&reads).members.is_empty());
/// reads.insert(vec!["to".to_owned()]);
/// reads.insert(vec!["any".to_owned()]); // opaque: only whether it is there is seen
/// assert_eq!(record.narrowed(&reads).members.keys().collect::<Vec<_>>(), ["any", "to"]);
/// # Ok::<(), placet_engine::schema::SchemaError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reads(BTreeSet<Vec<String>>);

impl Reads {
    /// Adds a path.
    pub fn insert(&mut self, path: Vec<String>) {
        self.0.insert(path);
    }

    /// Adds all paths of another set.
    pub fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// The paths, sorted.
    pub fn paths(&self) -> impl Iterator<Item = &[String]> {
        self.0.iter().map(Vec::as_slice)
    }

    /// Whether nothing is read.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromIterator<Vec<String>> for Reads {
    fn from_iter<T: IntoIterator<Item = Vec<String>>>(paths: T) -> Self {
        Self(paths.into_iter().collect())
    }
}

impl Record {
    /// Only the members that `reads` names, with those around them. Of what is opaque, or is declared by nobody
    /// where anything may stand, only the presence is seen: such a member is [`Kind::Opaque`] here too. A path
    /// that leads nowhere stays out.
    #[must_use]
    pub fn narrowed(&self, reads: &Reads) -> Self {
        self.of_paths(&reads.paths().collect::<Vec<_>>())
    }

    fn of_paths(&self, paths: &[&[String]]) -> Self {
        if paths.iter().any(|path| path.is_empty()) {
            return self.readable();
        }
        let mut below: BTreeMap<&String, Vec<&[String]>> = BTreeMap::new();
        for (name, rest) in paths.iter().filter_map(|path| path.split_first()) {
            below.entry(name).or_default().push(rest);
        }
        let members = below.into_iter().filter_map(|(name, paths)| {
            let ends_here = paths.iter().any(|path| path.is_empty());
            let Some(Member { kind, required }) = self.members.get(name) else {
                let anything = Member { kind: Kind::Opaque(Opaque::Untyped), required: false };
                return (self.open && ends_here).then(|| (name.clone(), anything));
            };
            let kind = match kind {
                // A path that ends at an object asks whether it is there, and reads nothing in it.
                Kind::Record(record) => {
                    let below: Vec<_> = paths.into_iter().filter(|path| !path.is_empty()).collect();
                    Kind::Record(record.of_paths(&below))
                }
                Kind::Opaque(why) if ends_here => Kind::Opaque(*why),
                // Nothing inside has a name, so a path that goes on reads nothing.
                kind if ends_here => kind.readable()?,
                Kind::Bool
                | Kind::Whole
                | Kind::Decimal
                | Kind::Micros
                | Kind::Text
                | Kind::Set(_)
                | Kind::Opaque(_) => return None,
            };
            Some((name.clone(), Member { kind, required: *required }))
        });
        Self { members: members.collect(), open: self.open }
    }

    /// All of it that is not opaque.
    fn readable(&self) -> Self {
        let members = self.members.iter().filter_map(|(name, Member { kind, required })| {
            Some((name.clone(), Member { kind: kind.readable()?, required: *required }))
        });
        Self { members: members.collect(), open: self.open }
    }

    /// Its type, as Cedar's JSON schemas write it. An opaque member is an object without members: it can be asked
    /// whether it is there, and nothing else.
    pub fn cedar_type(&self) -> Value {
        Value::Object(self.cedar_map())
    }

    fn cedar_map(&self) -> Map<String, Value> {
        let attributes = self.members.iter().filter_map(|(name, member)| {
            let mut kind = member.kind.cedar_type()?;
            kind.insert("required".to_owned(), Value::Bool(member.required));
            Some((name.clone(), Value::Object(kind)))
        });
        Map::from_iter([
            ("type".to_owned(), Value::from("Record")),
            ("attributes".to_owned(), Value::Object(attributes.collect())),
        ])
    }
}

impl Kind {
    fn readable(&self) -> Option<Self> {
        match self {
            Kind::Opaque(_) => None,
            Kind::Record(record) => Some(Kind::Record(record.readable())),
            Kind::Bool | Kind::Whole | Kind::Decimal | Kind::Micros | Kind::Text | Kind::Set(_) => {
                Some(self.clone())
            }
        }
    }

    fn cedar_type(&self) -> Option<Map<String, Value>> {
        let plain = |name: &str| Map::from_iter([("type".to_owned(), Value::from(name))]);
        Some(match self {
            Kind::Bool => plain("Boolean"),
            Kind::Whole | Kind::Micros => plain("Long"),
            Kind::Decimal => {
                let mut decimal = plain("Extension");
                decimal.insert("name".to_owned(), Value::from("decimal"));
                decimal
            }
            Kind::Text => plain("String"),
            // Items of which only is known that they are there would all be one.
            Kind::Set(items) if matches!(**items, Kind::Opaque(_)) => return None,
            Kind::Set(items) => {
                let mut set = plain("Set");
                set.insert("element".to_owned(), Value::Object(items.cedar_type()?));
                set
            }
            Kind::Record(record) => record.cedar_map(),
            Kind::Opaque(_) => Record::default().cedar_map(),
        })
    }
}
