//! JSON that means one thing: what is accepted here reads the same to every other JSON reader.
//!
//! A policy that judges one reading of a text while the tool acts on another guards nothing. So
//! [`parse()`] refuses what readers disagree about (duplicate keys, lone surrogates, numbers that would
//! be rounded, keys that some library treats as magic), and [`Json::canonical`] gives each value
//! exactly one text, by RFC 8785. What must pass through unread goes through [`raw`], which builds no
//! tree and changes no byte that it is not asked to cut.
//!
//! Not here: hashing of canonical text, and whether a value fits a tool's schema.
//! Start at [`Json`] and [`parse()`]; what a number may be is told in `number.rs`.

mod cursor;
mod error;
mod number;
mod object;
mod parse;
pub mod raw;
mod write;

use std::fmt;

pub use self::error::{ParseError, ParseErrorKind};
pub use self::number::{Decimal, Number, NumberError};
pub use self::object::Object;
pub use self::parse::{Limits, parse};
pub use self::write::write_string;

/// One JSON value.
///
/// Copying, comparing, writing and dropping a value recurse as deep as it nests. What [`parse()`] returns
/// is shallow enough for that; code that builds values by hand keeps them so.
///
/// ```
/// use placet_engine::json::{Json, Limits, ParseErrorKind, parse};
///
/// let call = parse(br#"{"tool": "search", "rows": 1e2}"#, &Limits::EDGE)?;
/// assert_eq!(call.get("rows").and_then(Json::as_i64), Some(100));
/// assert_eq!(call.canonical(), r#"{"rows":100,"tool":"search"}"#);
///
/// let twice = parse(br#"{"rows": 1, "\u0072ows": 1000000}"#, &Limits::EDGE);
/// assert_eq!(twice.map_err(|e| e.kind()), Err(ParseErrorKind::DuplicateKey));
/// # Ok::<(), placet_engine::json::ParseError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Json {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number, exactly as valued by its literal.
    Number(Number),
    /// Text, unescaped.
    String(String),
    /// Items in order.
    Array(Vec<Json>),
    /// Members with unique keys.
    Object(Object),
}

impl Json {
    /// The text of a string.
    pub fn as_str(&self) -> Option<&str> {
        let Self::String(text) = self else { return None };
        Some(text)
    }

    /// The value of an integral number, however it was written.
    pub fn as_i64(&self) -> Option<i64> {
        let Self::Number(number) = self else { return None };
        number.as_i64()
    }

    /// The truth of a boolean.
    pub fn as_bool(&self) -> Option<bool> {
        let Self::Bool(truth) = self else { return None };
        Some(*truth)
    }

    /// The members of an object.
    pub fn as_object(&self) -> Option<&Object> {
        let Self::Object(object) = self else { return None };
        Some(object)
    }

    /// The members of an object, to change them.
    pub fn as_object_mut(&mut self) -> Option<&mut Object> {
        let Self::Object(object) = self else { return None };
        Some(object)
    }

    /// The items of an array.
    pub fn as_array(&self) -> Option<&[Json]> {
        let Self::Array(items) = self else { return None };
        Some(items)
    }

    /// The member of an object under this key; `None` also when this is not an object.
    pub fn get(&self, key: &str) -> Option<&Json> {
        self.as_object()?.get(key)
    }

    /// What this is, in words that fit a sentence: "expected a string, found `kind`".
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "a boolean",
            Self::Number(_) => "a number",
            Self::String(_) => "a string",
            Self::Array(_) => "an array",
            Self::Object(_) => "an object",
        }
    }

    /// Whether this is `null`; a member that is missing is no `null`.
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }
}

/// The same text as [`Json::compact`].
impl fmt::Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.compact())
    }
}

impl From<&str> for Json {
    fn from(text: &str) -> Self {
        Self::String(text.to_owned())
    }
}

impl From<String> for Json {
    fn from(text: String) -> Self {
        Self::String(text)
    }
}

impl From<bool> for Json {
    fn from(truth: bool) -> Self {
        Self::Bool(truth)
    }
}

impl From<i64> for Json {
    fn from(integer: i64) -> Self {
        Self::Number(Number::Integer(integer))
    }
}

/// Lets a bare literal be written: `Json::from(1)`.
impl From<i32> for Json {
    fn from(integer: i32) -> Self {
        Self::from(i64::from(integer))
    }
}

impl From<u32> for Json {
    fn from(integer: u32) -> Self {
        Self::from(i64::from(integer))
    }
}

impl From<Vec<Json>> for Json {
    fn from(items: Vec<Json>) -> Self {
        Self::Array(items)
    }
}

impl From<Object> for Json {
    fn from(object: Object) -> Self {
        Self::Object(object)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_value_names_its_kind() {
        for (value, kind) in [
            (Json::Null, "null"),
            (Json::from(true), "a boolean"),
            (Json::from(7), "a number"),
            (Json::from("seven"), "a string"),
            (Json::from(vec![Json::Null]), "an array"),
            (Json::from(Object::new()), "an object"),
        ] {
            assert_eq!(value.kind(), kind, "{value}");
            assert_eq!(value.is_null(), kind == "null", "{value}");
        }
    }

    #[test]
    fn a_value_is_read_only_as_what_it_is() {
        let mut object =
            Json::from(Object::from([("n", Json::from(4_u32)), ("t", Json::from("x".to_owned()))]));
        assert_eq!(object.get("n").and_then(Json::as_i64), Some(4));
        assert_eq!(object.get("t").and_then(Json::as_str), Some("x"));
        assert_eq!(object.get("t").and_then(Json::as_i64), None);
        assert_eq!(object.get("missing"), None);
        assert_eq!(Json::from("n").get("n"), None, "a string has no members");
        assert_eq!(Json::from(false).as_bool(), Some(false));
        assert_eq!(Json::from(vec![Json::Null]).as_array().map(<[Json]>::len), Some(1));
        if let Some(members) = object.as_object_mut() {
            members.insert("n", 5);
        }
        assert_eq!(object.to_string(), r#"{"n":5,"t":"x"}"#);
    }
}
