//! Orders: what the commands of people have in common. Each goes to the node's own socket, which starts if it
//! must, and comes back as yes or as the reason why not.

use placet_engine::json::{Json, Object};

use super::{Exit, PlaceArguments, complain, operator};
use crate::{attach::ensure_node, node::operator::order};

/// Gives the node of a file an order; its answer, if it obeyed.
pub(super) fn give<const N: usize>(
    place: &PlaceArguments,
    command: &str,
    more: [(&str, Json); N],
) -> Result<Json, Exit> {
    let places = place.places()?;
    let unavailable = |what: String| {
        complain(&what, None);
        Exit::Unavailable
    };
    ensure_node(&places).map_err(|error| unavailable(error.to_string()))?;
    let mut said = Object::from([("command", Json::from(command)), ("by", Json::from(operator()))]);
    for (key, value) in more {
        said.insert(key, value);
    }
    let answer = order(&places.operator_socket(), said)
        .map_err(|cause| unavailable(format!("the node does not answer: {cause}")))?;
    if answer.get("ok").and_then(Json::as_bool) == Some(true) {
        return Ok(answer);
    }
    let why = answer.get("error").and_then(Json::as_str).unwrap_or("it does not say why");
    complain(&placet_engine::diagnostic::inert(why), None);
    Err(Exit::Refused)
}
