//! What policy may read of a call's arguments: which place has which type, as the tool's own schema says.
//!
//! Cedar compares values of one type each, and its answer is only worth something if a place always has the
//! type that the rule was checked against. So a place is readable if the schema gives it exactly one type that
//! has an exact form in Cedar; what else stands there (a union, a free object, a number of any size) is opaque:
//! it goes to the tool, it is in the digest, and no rule reads it.
//!
//! Start at [`Record`]; not here: whether arguments fit the schema at all (`schema`), which was asked before.

use std::collections::BTreeMap;

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
