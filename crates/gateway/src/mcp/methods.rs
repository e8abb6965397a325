//! The one table of methods: what each needs, and which members its `params` may have.
//!
//! What is not here is refused. Toward the server goes only what the revisions define.

use placet_engine::{
    level::Level,
    names::{Action, ServerName, ToolName},
    policy::{Catalogue, Tool},
};

use super::{Era, wire};

/// What a client's request needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    /// The whole way of one call.
    Call,
    /// The list that we make ourselves.
    Tools,
    /// `read` on the server: judged as a call of the action that stands for the method.
    Read(&'static str),
    /// Nothing: it concerns the caller alone.
    Nothing,
}

/// One row of the table.
#[derive(Clone, Copy, Debug)]
pub struct Method {
    /// Its name.
    pub name: &'static str,
    /// What it needs.
    pub needs: Needs,
    /// The members that its `params` may have beside `_meta`.
    pub params: &'static [&'static str],
    /// The eras that have it.
    pub eras: &'static [Era],
}

const BOTH: &[Era] = &[Era::Legacy, Era::Modern];
const OLD: &[Era] = &[Era::Legacy];
const NEW: &[Era] = &[Era::Modern];

const fn row(
    name: &'static str,
    needs: Needs,
    params: &'static [&'static str],
    eras: &'static [Era],
) -> Method {
    Method { name, needs, params, eras }
}

/// Requests that a client may make once a connection is open.
pub const REQUESTS: [Method; 14] = [
    row("tools/call", Needs::Call, &["name", "arguments", "inputResponses", "requestState"], BOTH),
    row("tools/list", Needs::Tools, &["cursor"], BOTH),
    row("resources/read", Needs::Read("resources/read"), &["uri", "inputResponses", "requestState"], BOTH),
    row("resources/subscribe", Needs::Read("resources/subscribe"), &["uri"], OLD),
    row("resources/unsubscribe", Needs::Nothing, &["uri"], OLD),
    row(
        "prompts/get",
        Needs::Read("prompts/get"),
        &["name", "arguments", "inputResponses", "requestState"],
        BOTH,
    ),
    row("completion/complete", Needs::Read("completion/complete"), &["ref", "argument", "context"], BOTH),
    row("subscriptions/listen", Needs::Read("subscriptions/listen"), &["notifications"], NEW),
    row("resources/list", Needs::Nothing, &["cursor"], BOTH),
    row("resources/templates/list", Needs::Nothing, &["cursor"], BOTH),
    row("prompts/list", Needs::Nothing, &["cursor"], BOTH),
    row("logging/setLevel", Needs::Nothing, &["level"], OLD),
    row("server/discover", Needs::Nothing, &[], NEW),
    row("ping", Needs::Nothing, &[], OLD),
];

/// The row of a method.
pub fn find(name: &str) -> Option<&'static Method> {
    REQUESTS.iter().find(|method| method.name == name)
}

/// The action that stands for a method of a server.
pub fn action(server: &ServerName, method: &'static str) -> Action {
    Action::new(server.clone(), ToolName::of_method(method))
}

/// Adds the judged methods of `server` to a catalogue, as tools of level read.
pub fn add(server: &ServerName, catalogue: &mut Catalogue) {
    for method in REQUESTS {
        if let Needs::Read(name) = method.needs {
            catalogue.insert(action(server, name), Tool::from(Level::Read));
        }
    }
}

/// What a server may tell the client. Everything else is dropped.
pub const NOTIFICATIONS: [&str; 9] = [
    "notifications/message",
    "notifications/progress",
    "notifications/cancelled",
    "notifications/resources/updated",
    "notifications/resources/list_changed",
    "notifications/prompts/list_changed",
    wire::TOOLS_CHANGED,
    "notifications/subscriptions/acknowledged",
    "notifications/elicitation/complete",
];
