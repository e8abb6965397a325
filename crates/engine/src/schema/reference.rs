//! References: which part of a schema another part names.
//!
//! Only what can be found inside the schema itself is followed: a path (`#/$defs/a`), an anchor, or the `$id`
//! of a part. Whatever else a reference says, its tool cannot be judged and is refused.

use std::collections::BTreeMap;

use super::{SchemaError, clip};
use crate::json::{Json, Object};

/// The parts of a schema that can be referred to.
pub(crate) struct References<'a> {
    root: &'a Json,
    /// The root's own `$id`, which may stand before a path.
    base: &'a str,
    /// By what is written in a reference: `#anchor`, or an `$id`.
    named: BTreeMap<String, &'a Json>,
    /// A part has an `$id` of its own, from which paths inside it would begin.
    rebased: bool,
}

impl<'a> References<'a> {
    pub(crate) fn of(root: &'a Json) -> Self {
        let base = root.get("$id").and_then(Json::as_str).unwrap_or("").trim_end_matches('#');
        let mut references = Self { root, base, named: BTreeMap::new(), rebased: false };
        references.collect(root);
        references
    }

    fn collect(&mut self, part: &'a Json) {
        match part {
            Json::Object(object) => {
                for (key, below) in object.iter() {
                    match (key, below) {
                        ("$anchor" | "$dynamicAnchor", Json::String(name)) => {
                            self.named.entry(format!("#{name}")).or_insert(part);
                        }
                        ("$id", Json::String(name)) => {
                            self.rebased |= !std::ptr::eq(part, self.root) && !name.starts_with('#');
                            self.named.entry(name.clone()).or_insert(part);
                        }
                        // Values, in which nothing is a schema.
                        ("enum" | "const" | "default" | "examples", _) => {}
                        _ => self.collect(below),
                    }
                }
            }
            Json::Array(items) => items.iter().for_each(|item| self.collect(item)),
            Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => {}
        }
    }

    /// The part that `reference` names.
    pub(crate) fn find(&self, reference: &Json) -> Result<&'a Json, SchemaError> {
        let lost = || SchemaError::Refused(clip(&format!("its reference {reference} leads nowhere in it")));
        let text = reference.as_str().ok_or_else(lost)?;
        if let Some(part) = self.named.get(text) {
            return Ok(part);
        }
        let local = text.strip_prefix(self.base).filter(|rest| rest.starts_with('#')).unwrap_or(text);
        if matches!(local, "#" | "#/") && !self.rebased {
            return Ok(self.root);
        }
        let path = local.strip_prefix("#/").filter(|_| !self.rebased).and_then(percent_decoded);
        path.and_then(|path| follow(&path, self.root)).ok_or_else(lost)
    }
}

/// RFC 6901, from the root.
fn follow<'a>(path: &str, root: &'a Json) -> Option<&'a Json> {
    path.split('/').try_fold(root, |place, part| match place {
        Json::Object(object) => object.get(&part.replace("~1", "/").replace("~0", "~")),
        Json::Array(items) => items.get(part.parse::<usize>().ok()?),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => None,
    })
}

/// A reference is a URI, so a name like `List<Row>` stands in it as `List%3CRow%3E`.
fn percent_decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        bytes.push(match first {
            b'%' => {
                let (digits, after) = rest.split_first_chunk::<2>()?;
                rest = after;
                let nibble =
                    |digit: u8| char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok());
                nibble(digits[0])? << 4 | nibble(digits[1])?
            }
            byte => *byte,
        });
    }
    String::from_utf8(bytes).ok()
}

/// Where a part of a schema applies, seen from the value that the schema is about.
pub(super) enum Where<'a> {
    /// To the same value.
    Here,
    /// To the member of this name.
    Member(&'a str),
    /// To any members.
    Members,
    /// To the item at this index.
    Item(usize),
    /// To any items.
    Items,
    /// To the names of members.
    Names,
}

/// The schemas directly inside a schema, and those that it refers to.
pub(super) fn parts<'a>(
    schema: &'a Object,
    references: &References<'a>,
) -> Result<Vec<(Where<'a>, &'a Json)>, SchemaError> {
    let mut parts = Vec::new();
    let members = |value: &'a Json| value.as_object().into_iter().flat_map(Object::iter);
    for (key, value) in schema.iter() {
        match (key, value) {
            ("$ref" | "$dynamicRef" | "$recursiveRef", _) => {
                parts.push((Where::Here, references.find(value)?))
            }
            ("allOf" | "anyOf" | "oneOf", Json::Array(all)) => {
                parts.extend(all.iter().map(|part| (Where::Here, part)));
            }
            ("not" | "if" | "then" | "else", _) => parts.push((Where::Here, value)),
            ("dependentSchemas" | "dependencies", _) => {
                parts.extend(members(value).map(|(_, part)| (Where::Here, part)));
            }
            ("properties", _) => parts.extend(members(value).map(|(name, part)| (Where::Member(name), part))),
            ("patternProperties", _) => parts.extend(members(value).map(|(_, part)| (Where::Members, part))),
            ("additionalProperties" | "unevaluatedProperties", _) => parts.push((Where::Members, value)),
            ("propertyNames", _) => parts.push((Where::Names, value)),
            ("prefixItems" | "items", Json::Array(all)) => {
                parts.extend(all.iter().enumerate().map(|(at, part)| (Where::Item(at), part)));
            }
            ("items" | "additionalItems" | "unevaluatedItems" | "contains", _) => {
                parts.push((Where::Items, value))
            }
            _ => {}
        }
    }
    Ok(parts)
}
