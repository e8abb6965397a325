//! Effort: what it may cost to check arguments against a schema that somebody else wrote.
//!
//! Schemas are small programs. One whose parts refer to each other twice over asks for work that doubles with
//! each reference, and one that refers to itself in two ways asks for work that doubles with each level of the
//! arguments. The first is counted when the schema is compiled, and refused. The second the library survives
//! as long as it is only asked for yes or no; explaining a no is what explodes, so that is weighed first.

use super::{
    SchemaError,
    reference::{References, Where, parts},
};
use crate::{json::Json, limits};

/// Schemas in a schema with all references written out, except for those that come back to themselves. Real
/// ones, unions of fifty kinds of blocks among them, stay below 2,000.
const UNFOLDED_MAX: usize = 20_000;

/// References and nesting on one way from the root, without coming back.
const WAY_MAX: usize = 4 * limits::SCHEMA_DEPTH;

/// Visits of a value by a schema for which the library may take the time to say what is wrong: 10 ms.
const VISITS_MAX: usize = 10_000;

/// How much work a schema asks for.
#[derive(Debug)]
pub(super) struct Effort {
    /// The schema itself, if it refers to itself: then the work depends on how deep the arguments nest.
    recursive: Option<Json>,
}

impl Effort {
    pub(super) fn of(root: &Json, references: &References<'_>) -> Result<Self, SchemaError> {
        let mut unfolding = Unfolding { references, way: Vec::new(), count: 0, recursive: false };
        unfolding.visit(root)?;
        Ok(Self { recursive: unfolding.recursive.then(|| root.clone()) })
    }

    /// Whether telling what is wrong with these arguments takes little enough time.
    pub(super) fn is_slight(&self, arguments: &Json) -> bool {
        let Some(root) = &self.recursive else { return true };
        let mut left = VISITS_MAX;
        visit(root, arguments, &References::of(root), &mut left).is_some()
    }
}

struct Unfolding<'a, 'r> {
    references: &'r References<'a>,
    /// The schemas from the root to here.
    way: Vec<&'a Json>,
    count: usize,
    recursive: bool,
}

impl<'a> Unfolding<'a, '_> {
    fn visit(&mut self, schema: &'a Json) -> Result<(), SchemaError> {
        self.count += 1;
        if self.count > UNFOLDED_MAX {
            return Err(SchemaError::Refused(
                "its references multiply beyond what can be checked".to_owned(),
            ));
        }
        let Some(object) = schema.as_object() else { return Ok(()) };
        if self.way.iter().any(|above| std::ptr::eq(*above, schema)) {
            self.recursive = true;
            return Ok(());
        }
        if self.way.len() >= WAY_MAX {
            return Err(SchemaError::TooDeep);
        }
        self.way.push(schema);
        for (_, part) in parts(object, self.references)? {
            self.visit(part)?;
        }
        self.way.pop();
        Ok(())
    }
}

/// Walks as the library would if it never stopped at the first answer. `None` once nothing is `left`.
fn visit<'a>(schema: &'a Json, value: &Json, references: &References<'a>, left: &mut usize) -> Option<()> {
    *left = left.checked_sub(1)?;
    let Some(object) = schema.as_object() else { return Some(()) };
    for (applies, part) in parts(object, references).ok()? {
        match (applies, value) {
            (Where::Here, _) => visit(part, value, references, left)?,
            (Where::Member(name), Json::Object(members)) => {
                members.get(name).map_or(Some(()), |below| visit(part, below, references, left))?;
            }
            (Where::Members, Json::Object(members)) => {
                members.iter().try_for_each(|(_, below)| visit(part, below, references, left))?;
            }
            (Where::Names, Json::Object(members)) => {
                members.iter().try_for_each(|_| visit(part, &Json::Null, references, left))?;
            }
            (Where::Item(at), Json::Array(items)) => {
                items.get(at).map_or(Some(()), |below| visit(part, below, references, left))?;
            }
            (Where::Items, Json::Array(items)) => {
                items.iter().try_for_each(|below| visit(part, below, references, left))?;
            }
            (Where::Member(_) | Where::Members | Where::Names | Where::Item(_) | Where::Items, _) => {}
        }
    }
    Some(())
}
