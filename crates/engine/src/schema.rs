//! A tool's own JSON Schema: whether arguments fit, exactly and in linear time.
//!
//! Two parts judge arguments together. `jsonschema` checks all that JSON Schema says, with linear-time
//! patterns and without ever fetching anything. The [`Outline`], ours, checks what JSON Schema leaves open
//! and a boundary must not: keys that nobody declared, and integers that other programs would round.
//!
//! Objects that declare properties are closed unless their schema opens them (`additionalProperties` or
//! `unevaluatedProperties` other than false, or `patternProperties`). A schema that cannot be compiled costs
//! its tool, not its server.

use std::{collections::BTreeMap, fmt};

use serde_json::Value;

use crate::{
    json::{Json, Number, Object},
    limits,
};

/// A compiled schema.
pub struct Schema {
    validator: jsonschema::Validator,
    outline: Outline,
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
        if depth(schema) > limits::SCHEMA_DEPTH {
            return Err(SchemaError::TooDeep);
        }
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
        Ok(Self { validator, outline: Outline::of(schema, root, 0) })
    }

    /// Whether these arguments fit.
    ///
    /// # Errors
    ///
    /// The first problem, in words for the model that must mend it.
    pub fn check(&self, arguments: &Json) -> Result<(), String> {
        self.outline.check(arguments, &mut String::new())?;
        self.validator.validate(&value(arguments)).map_err(|error| {
            let at = error.instance_path().to_string();
            let at = at.strip_prefix('/').unwrap_or(&at);
            clip(&if at.is_empty() { error.to_string() } else { format!("`{at}`: {error}") })
        })
    }
}

/// What the library may take the schema for.
fn draft(root: &Object) -> Result<jsonschema::Draft, SchemaError> {
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

/// The declared keys of each object and the places of integers, as far as they can be read off the schema.
#[derive(Clone, Debug, Default, PartialEq)]
struct Outline {
    /// Whether keys beyond `keys` are refused here.
    closed: bool,
    /// Declared keys and what is below them.
    keys: BTreeMap<String, Outline>,
    /// What is in a list.
    items: Option<Box<Outline>>,
    /// Whether the schema says `integer` here, so that whole numbers are kept beyond 2^53 - 1.
    integer: bool,
}

impl Outline {
    fn of(schema: &Json, root: &Object, level: usize) -> Self {
        let mut outline = Outline::default();
        let mut open = false;
        outline.gather(schema, root, level, &mut open);
        outline.closed = !outline.keys.is_empty() && !open;
        outline
    }

    /// Adds what `schema` declares about this place, through the keywords that combine schemas in place.
    fn gather(&mut self, schema: &Json, root: &Object, level: usize, open: &mut bool) {
        if level > limits::SCHEMA_DEPTH {
            // Only a circle of references gets here. Beyond it nothing is declared and nothing closed; the
            // library still validates.
            *open = true;
            return;
        }
        let Some(object) = schema.as_object() else {
            *open |= matches!(schema, Json::Bool(true));
            return;
        };
        for (key, value) in object.iter() {
            match key {
                "type" => {
                    self.integer |= value.as_str() == Some("integer")
                        || value.as_array().is_some_and(|kinds| kinds.iter().any(|kind| kind.as_str() == Some("integer")));
                }
                "properties" => {
                    for (name, below) in value.as_object().into_iter().flat_map(Object::iter) {
                        let below = Outline::of(below, root, level + 1);
                        match self.keys.remove(name) {
                            Some(known) => self.keys.insert(name.to_owned(), known.merged(below)),
                            None => self.keys.insert(name.to_owned(), below),
                        };
                    }
                }
                "additionalProperties" | "unevaluatedProperties" => *open |= *value != Json::Bool(false),
                "patternProperties" => *open = true,
                "items" => {
                    let below = Outline::of(value, root, level + 1);
                    self.items = Some(Box::new(match self.items.take() {
                        Some(known) => known.merged(below),
                        None => below,
                    }));
                }
                "allOf" | "anyOf" | "oneOf" => {
                    for part in value.as_array().unwrap_or_default() {
                        self.gather(part, root, level + 1, open);
                    }
                }
                "if" | "then" | "else" => self.gather(value, root, level + 1, open),
                "dependentSchemas" => {
                    for (_, part) in value.as_object().into_iter().flat_map(Object::iter) {
                        self.gather(part, root, level + 1, open);
                    }
                }
                "$ref" | "$dynamicRef" | "$recursiveRef" => match local(value.as_str().unwrap_or(""), root) {
                    Some(target) => self.gather(target, root, level + 1, open),
                    None => *open = true,
                },
                _ => {}
            }
        }
    }

    /// Two declarations of one place: what either declares is declared, and open if either is.
    fn merged(mut self, other: Outline) -> Outline {
        self.closed &= other.closed;
        self.integer |= other.integer;
        for (name, below) in other.keys {
            let joined = match self.keys.remove(&name) {
                Some(known) => known.merged(below),
                None => below,
            };
            self.keys.insert(name, joined);
        }
        self.items = match (self.items, other.items) {
            (Some(one), Some(two)) => Some(Box::new(one.merged(*two))),
            (one, two) => one.or(two),
        };
        self
    }

    fn check(&self, value: &Json, at: &mut String) -> Result<(), String> {
        match value {
            Json::Object(object) => {
                for (key, below) in object.iter() {
                    let length = at.len();
                    if !at.is_empty() {
                        at.push('.');
                    }
                    at.push_str(key);
                    match self.keys.get(key) {
                        Some(outline) => outline.check(below, at)?,
                        None if self.closed => return Err(self.undeclared(at)),
                        None => Outline::default().check(below, at)?,
                    }
                    at.truncate(length);
                }
                Ok(())
            }
            Json::Array(items) => {
                let anything = Outline::default();
                let outline = self.items.as_deref().unwrap_or(&anything);
                let length = at.len();
                at.push_str("[]");
                items.iter().try_for_each(|item| outline.check(item, at))?;
                at.truncate(length);
                Ok(())
            }
            Json::Number(number) => self.check_number(number, at),
            Json::Null | Json::Bool(_) | Json::String(_) => Ok(()),
        }
    }

    fn check_number(&self, number: &Number, at: &str) -> Result<(), String> {
        match number {
            Number::Integer(_) if !self.integer && !number.is_safe_integer() => Err(clip(&format!(
                "`{at}`: {number} is beyond 2^53 - 1, where numbers are rounded by many programs; only an argument that the tool declares as an integer may be that large"
            ))),
            Number::Integer(_) | Number::Decimal(_) => Ok(()),
        }
    }

    fn undeclared(&self, at: &str) -> String {
        let allowed: Vec<_> = self.keys.keys().map(|key| format!("`{key}`")).collect();
        clip(&format!("`{at}` is not an argument of this tool; it takes {}", allowed.join(", ")))
    }
}

/// The part of the schema that a local reference names.
fn local<'a>(reference: &str, root: &'a Object) -> Option<&'a Json> {
    let mut parts = reference.strip_prefix("#/")?.split('/');
    let first = root.get(parts.next()?)?;
    parts.try_fold(first, |place, part| match place {
        Json::Object(object) => object.get(&part.replace("~1", "/").replace("~0", "~")),
        Json::Array(items) => items.get(part.parse::<usize>().ok()?),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => None,
    })
}

fn depth(value: &Json) -> usize {
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
