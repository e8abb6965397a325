//! Orders: what the commands of people have in common. Each goes to the node's own socket, which starts if it
//! must, and comes back as yes or as the reason why not.

use std::time::Duration;

use placet_engine::json::{Json, Object};

use super::{Exit, PlaceArguments, complain, operator};
use crate::{
    attach::ensure_node,
    node::operator::{PATIENCE, order_within},
};

/// Gives the node of a file an order; its answer, if it obeyed.
pub(super) fn give<const N: usize>(
    place: &PlaceArguments,
    command: &str,
    more: [(&str, Json); N],
) -> Result<Json, Exit> {
    give_all(place, command, more.into())
}

/// The same, where how much there is to say is not known before.
pub(super) fn give_all(place: &PlaceArguments, command: &str, more: Vec<(&str, Json)>) -> Result<Json, Exit> {
    give_within(place, command, more, PATIENCE)
}

/// The same, where the answer may take as long as `patience`.
pub(super) fn give_within(
    place: &PlaceArguments,
    command: &str,
    more: Vec<(&str, Json)>,
    patience: Duration,
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
    let answer = order_within(&places.operator_socket(), said, patience)
        .map_err(|cause| unavailable(format!("the node does not answer: {cause}")))?;
    if answer.get("ok").and_then(Json::as_bool) == Some(true) {
        return Ok(answer);
    }
    let why = answer.get("error").and_then(Json::as_str).unwrap_or("it does not say why");
    complain(&placet_engine::diagnostic::inert(why), None);
    Err(Exit::Refused)
}
