//! Values of a match: the literals that something may be equal to, bounds, and examples.
//!
//! Numbers are taken as they are written and never through a double: `100.10` in the file is that amount.

use super::super::field::{Field, Node, Reader};
use crate::{
    diagnostic::Finding,
    json::{Json, Number},
    policy::facts::text::Literal,
};
use toml_edit::Value;

impl<'a> Reader<'a> {
    /// A text, a whole number or a boolean.
    pub(super) fn fact_literal(&mut self, field: &Field<'a>) -> Option<Literal> {
        let literal = match field.node {
            Node::Value(Value::String(text)) => Literal::Text(text.value().clone()),
            Node::Value(Value::Integer(number)) => Literal::Integer(*number.value()),
            Node::Value(Value::Boolean(truth)) => Literal::Bool(*truth.value()),
            Node::Value(Value::Float(_)) => {
                let help = "a decimal is compared with `number = { at_least = …, at_most = … }`";
                self.mistyped(field, "a text, a whole number or a boolean", Some(help.to_owned()));
                return None;
            }
            Node::Value(Value::Datetime(_) | Value::Array(_) | Value::InlineTable(_))
            | Node::Table(_)
            | Node::Tables(_)
            | Node::Nothing => {
                self.mistyped(field, "a text, a whole number or a boolean", None);
                return None;
            }
        };
        Some(literal)
    }

    /// A number, or a text that is one.
    pub(in super::super) fn exact_number(&mut self, field: &Field<'a>) -> Option<Number> {
        let written = match field.node {
            Node::Value(Value::String(text)) => text.value().clone(),
            Node::Value(Value::Integer(_) | Value::Float(_)) => {
                let literal = self.literal(field).replace('_', "");
                literal.strip_prefix('+').map(str::to_owned).unwrap_or(literal)
            }
            Node::Value(Value::Boolean(_) | Value::Datetime(_) | Value::Array(_) | Value::InlineTable(_))
            | Node::Table(_)
            | Node::Tables(_)
            | Node::Nothing => {
                self.mistyped(field, "a number", None);
                return None;
            }
        };
        let read = Number::parse(&written);
        read.map_err(|error| {
            let finding = Finding::error(format!("`{}` is not a number that can be compared", field.name));
            self.found(&field.at, finding.help(error.to_string()));
        })
        .ok()
    }

    /// A value as it could stand in a call; a list has plain values only.
    pub(in super::super) fn value(&mut self, field: &Field<'a>) -> Option<Json> {
        match field.node {
            Node::Value(Value::Array(_)) => {
                let elements = self.list_of(field, "a list")?;
                let values: Vec<Json> =
                    elements.iter().filter_map(|element| self.plain_value(element)).collect();
                (values.len() == elements.len()).then(|| Json::from(values))
            }
            Node::Value(_) | Node::Table(_) | Node::Tables(_) | Node::Nothing => self.plain_value(field),
        }
    }

    fn plain_value(&mut self, field: &Field<'a>) -> Option<Json> {
        match field.node {
            Node::Value(Value::String(text)) => Some(Json::from(text.value().as_str())),
            Node::Value(Value::Boolean(truth)) => Some(Json::from(*truth.value())),
            Node::Value(Value::Integer(number)) => Some(Json::from(*number.value())),
            Node::Value(Value::Float(_)) => self.exact_number(field).map(Json::Number),
            Node::Value(Value::Datetime(_) | Value::Array(_) | Value::InlineTable(_))
            | Node::Table(_)
            | Node::Tables(_)
            | Node::Nothing => {
                self.mistyped(field, "a text, a number, a boolean or a list of them", None);
                None
            }
        }
    }
}
