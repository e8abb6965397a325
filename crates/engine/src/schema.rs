//! A tool's own JSON Schema: whether arguments fit, exactly and in linear time.
//!
//! Two parts judge arguments together. `jsonschema` checks all that JSON Schema says, with linear-time
//! patterns and without ever fetching anything. The `Outline`, ours, checks what JSON Schema leaves open
//! and a boundary must not: keys that nobody declared, and integers that other programs would round.
//!
//! Objects that declare properties are closed unless their schema opens them (`additionalProperties` or
//! `unevaluatedProperties` other than false, or `patternProperties`). A schema that cannot be compiled, or
//! asks for more work than a call is worth (`Effort`), costs its tool, not its server.

mod effort;
pub(crate) mod meeting;
mod outline;
pub(crate) mod reference;

use std::fmt;

use serde_json::Value;

use self::{effort::Effort, outline::Outline, reference::References};

use crate::{
    json::{Json, Number, Object},
    limits,
};

/// A compiled schema.
pub struct Schema {
    validator: jsonschema::Validator,
    outline: Outline,
    effort: Effort,
}

impl fmt::Debug for Schema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Schema").field("outline", &self.outline).finish_non_exhaustive()
    }
}

/// Why a schema cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SchemaError {
    /// There is none.
    Missing,
    /// It is not an object, or does not describe one.
    NotAnObject,
    /// It nests deeper than [`limits::SCHEMA_DEPTH`].
    TooDeep,
    /// The library refuses it: a bad keyword, a pattern that is not linear, a reference that leads outside.
    Refused(String),
}

impl fmt::Display for SchemaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SchemaError::Missing => f.write_str("it has no `inputSchema`"),
            SchemaError::NotAnObject => f.write_str("its `inputSchema` is not a schema of an object"),
            SchemaError::TooDeep => write!(f, "its `inputSchema` nests deeper than {}", limits::SCHEMA_DEPTH),
            SchemaError::Refused(why) => write!(f, "its `inputSchema` cannot be used: {why}"),
        }
    }
}

/// Refuses every document that a schema might point to: a schema is judged as it stands, or not at all.
struct Nowhere;

impl jsonschema::Retrieve for Nowhere {
    fn retrieve(
        &self,
        _uri: &jsonschema::Uri<String>,
    ) -> Result<Value, Box<dyn std::error::Error + Send + Sync>> {
        Err("references outside the schema are not followed".into())
    }
}

impl Schema {
    /// Compiles a tool's `inputSchema`.
    ///
    /// Without `$schema` it is read as draft 2020-12, as MCP says.
    ///
    /// # Errors
    ///
    /// [`SchemaError`]; then no call of this tool can be judged, so none runs.
    pub fn compile(schema: &Json) -> Result<Self, SchemaError> {
        let root = schema.as_object().ok_or(SchemaError::NotAnObject)?;
        if !may_be_object(root) {
            return Err(SchemaError::NotAnObject);
        }
        if depth(schema) > limits::SCHEMA_DEPTH {
            return Err(SchemaError::TooDeep);
        }
        // Before the library sees it: what it would do with a schema that never ends is not ours to find out.
        let references = References::of(schema);
        let effort = Effort::of(schema, &references)?;
        let outline = Outline::of(schema, &references)?;
        let validator = jsonschema::options()
            .with_draft(draft(root)?)
            .with_retriever(Nowhere)
            .should_validate_formats(false)
            .with_pattern_options(
                jsonschema::PatternOptions::regex()
                    .size_limit(limits::PATTERN_BYTES)
                    .dfa_size_limit(limits::PATTERN_BYTES),
            )
            .build(&value(schema))
            .map_err(|error| SchemaError::Refused(clip(&error.to_string())))?;
        Ok(Self { validator, outline, effort })
    }

    /// Whether these arguments fit.
    ///
    /// # Errors
    ///
    /// The first problem, in words for the model that must mend it.
    pub fn check(&self, arguments: &Json) -> Result<(), String> {
        self.outline.check(arguments)?;
        let value = value(arguments);
        if self.validator.is_valid(&value) {
            return Ok(());
        }
        if !self.effort.is_slight(arguments) {
            return Err(
                "the arguments do not fit the tool's schema, in a way that is too long to tell".to_owned()
            );
        }
        let Err(error) = self.validator.validate(&value) else {
            // Two answers of one library that differ: the stricter one stands.
            return Err("the arguments do not fit the tool's schema".to_owned());
        };
        let at = error.instance_path().to_string();
        let at = at.strip_prefix('/').unwrap_or(&at);
        Err(clip(&if at.is_empty() { error.to_string() } else { format!("`{at}`: {error}") }))
    }
}

/// Arguments are always an object; a schema of something else would refuse every call.
pub(crate) fn may_be_object(schema: &Object) -> bool {
    match schema.get("type") {
        Some(Json::String(kind)) => kind == "object",
        Some(Json::Array(kinds)) => kinds.iter().any(|kind| kind.as_str() == Some("object")),
        // Absent, or what the library will refuse.
        _ => true,
    }
}

/// What the library may take the schema for.
pub(crate) fn draft(root: &Object) -> Result<jsonschema::Draft, SchemaError> {
    let Some(named) = root.get("$schema") else { return Ok(jsonschema::Draft::Draft202012) };
    let text = named.as_str().unwrap_or("").trim_end_matches('#');
    let text = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")).unwrap_or(text);
    match text {
        "json-schema.org/draft/2020-12/schema" => Ok(jsonschema::Draft::Draft202012),
        "json-schema.org/draft/2019-09/schema" => Ok(jsonschema::Draft::Draft201909),
        "json-schema.org/draft-07/schema" => Ok(jsonschema::Draft::Draft7),
        "json-schema.org/draft-06/schema" => Ok(jsonschema::Draft::Draft6),
        "json-schema.org/draft-04/schema" => Ok(jsonschema::Draft::Draft4),
        _ => Err(SchemaError::Refused("its `$schema` names no draft that we know".to_owned())),
    }
}

/// How many objects and lists stand around the innermost value.
pub(crate) fn depth(value: &Json) -> usize {
    match value {
        Json::Object(object) => 1 + object.iter().map(|(_, below)| depth(below)).max().unwrap_or(0),
        Json::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => 0,
    }
}

/// The library's form of a value. Ours are exact: whole numbers fit i64, others are doubles already.
fn value(json: &Json) -> Value {
    match json {
        Json::Null => Value::Null,
        Json::Bool(truth) => Value::Bool(*truth),
        Json::Number(Number::Integer(whole)) => Value::from(*whole),
        Json::Number(number @ Number::Decimal(_)) => Value::from(number.as_f64()),
        Json::String(text) => Value::String(text.clone()),
        Json::Array(items) => Value::Array(items.iter().map(value).collect()),
        Json::Object(object) => {
            Value::Object(object.iter().map(|(key, below)| (key.to_owned(), value(below))).collect())
        }
    }
}

/// Cut to what an agent is told, at a character.
fn clip(text: &str) -> String {
    match text.char_indices().nth(limits::PROBLEM_CHARS) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or(text)),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests;
