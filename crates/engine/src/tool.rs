//! Tools: what a server offers under a name, and whether this very connection offers what was accepted.
//!
//! A [`Definition`] is read from a server's list with our own parser; its schema is compiled once. What the
//! operator accepted is compared by *shape* (name, schemas without prose, annotations): prose may change, the
//! shape may not. Levels are not here: they are the operator's word, and live in the policy.

use std::{fmt, sync::Arc};

use sha2::{Digest as _, Sha256};

use crate::{
    json::{Json, Object},
    limits,
    names::{NameError, ToolName},
    schema::{Schema, SchemaError},
};

/// A tool as its server defines it.
#[derive(Debug)]
pub struct Definition {
    /// What the server calls it.
    pub name: ToolName,
    /// What its arguments must look like.
    pub schema: Schema,
    /// Digest of name, schemas without prose, and annotations.
    pub shape: Shape,
    /// Digest of the whole definition.
    pub whole: Shape,
}

/// SHA-256 of a definition, or of its shape. Not keyed: it stands in a file that people compare.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Shape(pub [u8; 32]);

/// Why a tool cannot be used. The other tools of its server can.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DefinitionError {
    /// Not an object, or without a text `name`.
    Nameless,
    /// A name that we do not take.
    Name(NameError),
    /// `inputSchema` is missing, not an object, or cannot be compiled.
    Schema(SchemaError),
}

impl fmt::Display for DefinitionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DefinitionError::Nameless => f.write_str("a tool's definition is an object with a text `name`"),
            DefinitionError::Name(error) => error.fmt(f),
            DefinitionError::Schema(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for DefinitionError {}

impl Definition {
    /// Reads one entry of a server's list of tools.
    ///
    /// # Errors
    ///
    /// [`DefinitionError`] if the tool cannot be used; that says nothing of its server's other tools.
    pub fn read(json: &Json) -> Result<Self, DefinitionError> {
        let name = json.get("name").and_then(Json::as_str).ok_or(DefinitionError::Nameless)?;
        let name = name.parse().map_err(DefinitionError::Name)?;
        let input = json.get("inputSchema").ok_or(DefinitionError::Schema(SchemaError::Missing))?;
        let schema = Schema::compile(input).map_err(DefinitionError::Schema)?;
        Ok(Self { name, schema, shape: Shape::of(json), whole: Shape::of_text(&json.canonical()) })
    }
}

impl Shape {
    /// The digest of a definition's shape.
    pub fn of(definition: &Json) -> Self {
        let kept = ["name", "inputSchema", "outputSchema", "annotations"];
        let shape: Object = kept
            .into_iter()
            .filter_map(|key| definition.get(key).map(|value| (key.to_owned(), without_prose(value, 0))))
            .collect();
        Self::of_text(&Json::Object(shape).canonical())
    }

    fn of_text(text: &str) -> Self {
        Self(Sha256::digest(text.as_bytes()).into())
    }

    /// Reads the text form, `sha256:` and 64 hexadecimal digits.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix("sha256:").filter(|digits| digits.len() == 64 && digits.is_ascii())?;
        let mut bytes = [0_u8; 32];
        for (at, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(digits.get(2 * at..2 * at + 2)?, 16).ok()?;
        }
        Some(Self(bytes))
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("sha256:")?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Shape({self})")
    }
}

/// A schema without the words that only people and models read.
///
/// Inside `properties` and its like the keys are names chosen by the tool's author, so a property called
/// `title` stays.
fn without_prose(value: &Json, depth: usize) -> Json {
    const PROSE: [&str; 5] = ["description", "title", "examples", "$comment", "markdownDescription"];
    const NAMED: [&str; 5] = ["properties", "patternProperties", "$defs", "definitions", "dependentSchemas"];
    if depth > limits::SCHEMA_DEPTH {
        return value.clone();
    }
    match value {
        Json::Object(object) => Json::Object(
            object
                .iter()
                .filter(|(key, value)| !(PROSE.contains(key) && !value.is_object_of_schemas()))
                .map(|(key, value)| {
                    let kept = match value {
                        Json::Object(named) if NAMED.contains(&key) => Json::Object(
                            named.iter().map(|(name, schema)| (name.to_owned(), without_prose(schema, depth + 2))).collect(),
                        ),
                        // What an argument may be is shape to the last character, whatever it is called.
                        _ if matches!(key, "enum" | "const" | "default") => value.clone(),
                        other => without_prose(other, depth + 1),
                    };
                    (key.to_owned(), kept)
                })
                .collect(),
        ),
        Json::Array(items) => Json::Array(items.iter().map(|item| without_prose(item, depth + 1)).collect()),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => value.clone(),
    }
}

trait Prose {
    fn is_object_of_schemas(&self) -> bool;
}

impl Prose for Json {
    /// Prose is text or a list of examples; an object under such a key is something else and is kept.
    fn is_object_of_schemas(&self) -> bool {
        matches!(self, Json::Object(_))
    }
}

/// What the connection that would carry a call offers under the tool's name.
#[derive(Clone, Debug)]
pub enum Offer {
    /// The definition that was accepted.
    Accepted(Arc<Definition>),
    /// A tool whose shape is not the accepted one.
    Changed,
    /// A tool whose definition cannot be used, and why.
    Unusable(Arc<str>),
    /// The accepted definition, but what was sent as arguments is none; what is wrong with it.
    Misfit(Arc<str>),
    /// Nothing.
    Absent,
}
