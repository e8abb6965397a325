//! The types of what a condition compares.
//!
//! They are those of [`Kind`] that a rule can read, and one more: a number that is written out, which becomes
//! whatever number it stands beside. Unlike types are never compared: Cedar would answer `false`, and a guard
//! that is false where it was meant to hold guards nothing.

use std::fmt;

use super::super::arguments::{Kind, Opaque};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Type {
    Bool,
    Whole,
    Decimal,
    Micros,
    Text,
    Set(Box<Type>),
    Record,
    /// A number that is written out.
    Number,
}

impl Type {
    /// The type of what stands at a place, or why no rule can read it.
    pub(super) fn of(kind: &Kind) -> Result<Self, &'static str> {
        Ok(match kind {
            Kind::Bool => Type::Bool,
            Kind::Whole => Type::Whole,
            Kind::Decimal => Type::Decimal,
            Kind::Micros => Type::Micros,
            Kind::Text => Type::Text,
            Kind::Record(_) => Type::Record,
            Kind::Set(items) => match Type::of(items)? {
                Type::Record => return Err("is a list of objects"),
                items @ (Type::Bool
                | Type::Whole
                | Type::Decimal
                | Type::Micros
                | Type::Text
                | Type::Set(_)
                | Type::Number) => Type::Set(Box::new(items)),
            },
            Kind::Opaque(Opaque::Untyped) => return Err("has no type in the tool's schema"),
            Kind::Opaque(Opaque::Union) => return Err("may be of several types"),
            Kind::Opaque(Opaque::FreeObject) => return Err("is an object that declares no members"),
            Kind::Opaque(Opaque::Recursive) => return Err("contains itself, or nests too deep"),
        })
    }

    /// The one type of two values, if they have one.
    pub(super) fn with(&self, other: &Type) -> Option<Type> {
        match (self, other) {
            (one, same) if one == same => Some(one.clone()),
            (Type::Number, number @ (Type::Whole | Type::Decimal | Type::Micros))
            | (number @ (Type::Whole | Type::Decimal | Type::Micros), Type::Number) => Some(number.clone()),
            (Type::Set(one), Type::Set(other)) => one.with(other).map(|items| Type::Set(Box::new(items))),
            (
                Type::Bool
                | Type::Whole
                | Type::Decimal
                | Type::Micros
                | Type::Text
                | Type::Set(_)
                | Type::Record
                | Type::Number,
                _,
            ) => None,
        }
    }

    /// The type with nothing left open: numbers that stand only beside each other are decimals.
    pub(super) fn settled(self) -> Type {
        match self {
            Type::Number => Type::Decimal,
            Type::Set(items) => Type::Set(Box::new(items.settled())),
            Type::Bool | Type::Whole | Type::Decimal | Type::Micros | Type::Text | Type::Record => self,
        }
    }

    /// Whether one value can be less than another.
    pub(super) fn has_order(&self) -> bool {
        match self {
            Type::Whole | Type::Decimal | Type::Micros | Type::Number => true,
            Type::Bool | Type::Text | Type::Set(_) | Type::Record => false,
        }
    }
}

/// What it is, in words that follow "is".
impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Type::Bool => "true or false",
            Type::Whole => "a whole number",
            Type::Decimal => "a number with decimals",
            Type::Micros => "a sum",
            Type::Text => "a text",
            Type::Set(items) => match **items {
                Type::Bool => "a list of truths",
                Type::Whole => "a list of whole numbers",
                Type::Decimal => "a list of numbers with decimals",
                Type::Micros => "a list of sums",
                Type::Text => "a list of texts",
                Type::Set(_) | Type::Record => "a list of lists",
                Type::Number => "a list of numbers",
            },
            Type::Record => "an object",
            Type::Number => "a number",
        })
    }
}
