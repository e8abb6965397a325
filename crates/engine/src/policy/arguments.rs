//! What policy may read of a call's arguments: which place has which type, as the tool's own schema says.
//!
//! Cedar compares values of one type each, and its answer is only worth something if a place always has the
//! type that the rule was checked against. So a place is readable if the schema gives it exactly one type that
//! has an exact form in Cedar; what else stands there (a union, a free object, a number of any size) is opaque:
//! it goes to the tool, it is in the digest, and no rule reads it.
//!
//! From a tool's schema comes its [`Record`]; [`Record::at`] tells what a rule may do at a path; of the record
//! narrowed to what rules read come the [Cedar type](Record::cedar_type) and, for each call, the [`context`].
//! Not here: whether arguments fit the schema at all (`schema`), which was asked before.

mod at;
mod context;
mod decimal;
mod places;
mod reads;
mod shape;
mod survey;
mod types;

pub use self::{
    at::{NoPlace, Presence},
    context::{Bound, FactError, Why, context},
    reads::Reads,
};

use std::{collections::BTreeMap, fmt};

use crate::{
    json::Json,
    limits,
    schema::{SchemaError, depth, draft, may_be_object},
};

/// The one type that a value has for policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `true` or `false`.
    Bool,
    /// A whole number of 64 bits: Cedar's `Long`.
    Whole,
    /// A number of any kind, judged as a decimal of four places: Cedar's `decimal`.
    Decimal,
    /// A sum in millionths of its unit, counted as a whole number: costs.
    Micros,
    /// A text.
    Text,
    /// A list, of which neither order nor repetition is seen.
    Set(Box<Kind>),
    /// An object with declared members.
    Record(Record),
    /// Something that has no single form, and why.
    Opaque(Opaque),
}

/// An object's members, as far as they are declared.
///
/// ```
/// # use placet_engine::{json::{Json, Limits, parse}, policy::arguments::{Reads, Record, context}};
/// # let json = |text: &str| parse(text.as_bytes(), &Limits::EDGE).expect("JSON");
/// let schema = json(r#"{"properties": {"amount": {"type": "number"}, "note": {}}, "required": ["amount"]}"#);
/// let record = Record::of_schema(&schema)?;
/// assert!(record.at(&["amount".to_owned()]).is_ok());
/// let opaque = record.at(&["note".to_owned()]).unwrap_err().to_string();
/// assert_eq!(opaque, "`args.note` cannot be read by a rule: the tool's schema does not say of which type it is");
///
/// let read = record.narrowed(&Reads::from_iter([vec!["amount".to_owned()]]));
/// assert!(context(&read, &json(r#"{"amount": 99.95, "note": [1]}"#)).is_ok());
/// let refused = context(&read, &json(r#"{"amount": 0.00001}"#)).unwrap_err().to_string();
/// assert_eq!(refused, "`args.amount` has more than 4 digits after the point");
/// # Ok::<(), placet_engine::schema::SchemaError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// By name.
    pub members: BTreeMap<String, Member>,
    /// Whether others may stand there, which no rule can name.
    pub open: bool,
}

/// One declared member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// What it holds.
    pub kind: Kind,
    /// Whether it is always there. One that may be `null` is not: `null` is read as absence.
    pub required: bool,
}

/// Why a place cannot be read by a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Opaque {
    /// The schema says nothing of its type.
    Untyped,
    /// It may be of several types.
    Union,
    /// An object that declares no members.
    FreeObject,
    /// It contains itself, or nests too deep.
    Recursive,
}

impl Record {
    /// What a tool's `inputSchema` declares, for rules to read.
    ///
    /// A place whose type the schema leaves open is [opaque](Kind::Opaque), and so is what contains itself where
    /// it does so, and the largest parts of a schema that would be too large when written out. An `integer` in
    /// any draft is [whole](Kind::Whole), a `number` [decimal](Kind::Decimal), a list whose items have one exact
    /// form a [set](Kind::Set); a schema that names no type but properties means an object.
    ///
    /// What only some alternatives declare has the type that those give it. Should another type stand there,
    /// because another alternative holds, [`context`] refuses to read it.
    ///
    /// # Errors
    ///
    /// [`SchemaError`] if it is no schema of an object, nests too deep, or is of a draft that is not known. Nothing
    /// else in a schema, however wrong, costs more than the place where it stands.
    pub fn of_schema(schema: &Json) -> Result<Self, SchemaError> {
        let root = schema.as_object().filter(|root| may_be_object(root)).ok_or(SchemaError::NotAnObject)?;
        if depth(schema) > limits::SCHEMA_DEPTH {
            return Err(SchemaError::TooDeep);
        }
        Ok(places::record(&survey::survey(schema, draft(root)?)))
    }
}

impl Kind {
    /// Whether a value of this kind is seen whole by a rule that compares it, so that equal means equal.
    ///
    /// # Errors
    ///
    /// Why not: something inside is opaque, or members may stand there that no rule sees.
    pub fn exact(&self) -> Result<(), Opaque> {
        match self {
            Kind::Bool | Kind::Whole | Kind::Decimal | Kind::Micros | Kind::Text => Ok(()),
            Kind::Set(items) => items.exact(),
            Kind::Record(Record { open: true, .. }) => Err(Opaque::FreeObject),
            Kind::Record(record) => record.members.values().try_for_each(|member| member.kind.exact()),
            Kind::Opaque(why) => Err(*why),
        }
    }
}

/// What stands there, in words that fit a sentence: `a text`.
impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Bool => "a boolean",
            Kind::Whole => "a whole number",
            Kind::Decimal => "a number",
            Kind::Micros => "an amount",
            Kind::Text => "a text",
            Kind::Set(_) => "a list",
            Kind::Record(_) => "an object",
            Kind::Opaque(_) => "of no single type",
        })
    }
}

/// Why, after the name of the place: `the tool's schema …`.
impl fmt::Display for Opaque {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Opaque::Untyped => "the tool's schema does not say of which type it is",
            Opaque::Union => "the tool's schema lets it be of several types",
            Opaque::FreeObject => "the tool's schema does not say which members it has",
            Opaque::Recursive => "the tool's schema lets it contain itself, or nest too deep",
        })
    }
}

#[cfg(test)]
mod tests;
