//! The one table of methods: what each needs, and which members its `params` may have.
//!
//! What is not here is refused. Toward the server goes only what the revisions define, each member of the kind
//! that it is defined to be: no method is a way to say something else to a server.

use std::sync::{Arc, OnceLock};

use placet_engine::{
    json::{Json, Object},
    level::Level,
    names::{Action, ServerName, ToolName},
    policy::{Catalogue, Tool},
    schema::Schema,
    tool::{Definition, Shape},
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
    Read,
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
    pub params: &'static [Param],
    /// The eras that have it.
    pub eras: &'static [Era],
}

/// A member of a method's `params`.
#[derive(Clone, Copy, Debug)]
pub struct Param {
    /// Its key.
    pub name: &'static str,
    /// What its value is.
    pub kind: Kind,
    /// Whether it must be there.
    pub required: bool,
}

/// What the value of a member of `params` is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A short text.
    Text,
    /// The URI of a resource.
    Uri,
    /// One of the levels of logging.
    Level,
    /// An object.
    Object,
    /// What is completed: a prompt, or a resource by its URI.
    Reference,
    /// The argument that is completed.
    Completed,
    /// What a subscription is about, URIs among it.
    Filter,
    /// What a server gave to be given back, with the answers to what it asked.
    State,
    /// Anything: it is judged with the call.
    Judged,
}

/// Bytes of a text that is a name, a URI or a cursor. None of them carries content.
const TEXT: usize = 4_096;

/// Bytes of a state that a server gave to be given back.
const STATE: usize = 64 << 10;

/// Resources that one subscription names.
const SUBSCRIPTIONS: usize = 1_000;

const LEVELS: [&str; 8] = ["debug", "info", "notice", "warning", "error", "critical", "alert", "emergency"];

impl Method {
    /// Holds a request's `params` against this row.
    ///
    /// # Errors
    ///
    /// What is wrong, in words for whoever made the request.
    pub fn check(&self, params: &Object) -> Result<(), String> {
        if let Some(unknown) = params.keys().find(|key| !self.params.iter().any(|param| param.name == *key)) {
            return Err(format!("`{}` is not a parameter of `{}` here", wire::clipped(unknown), self.name));
        }
        self.params.iter().try_for_each(|param| match params.get(param.name) {
            Some(value) => param.kind.check(value).map_err(|what| format!("`{}` {what}", param.name)),
            None if param.required => Err(format!("`{}` must be given", param.name)),
            None => Ok(()),
        })
    }
}

impl Kind {
    fn check(self, value: &Json) -> Result<(), String> {
        match self {
            Kind::Text | Kind::Uri => text(value, TEXT),
            Kind::State => text(value, STATE),
            Kind::Level => match value.as_str() {
                Some(level) if LEVELS.contains(&level) => Ok(()),
                _ => Err(format!("must be one of {}", LEVELS.join(", "))),
            },
            Kind::Object => members(value, None).map(drop),
            Kind::Reference => {
                let reference = members(value, Some(&["type", "name", "title", "uri"]))?;
                reference.iter().try_for_each(|(_, value)| text(value, TEXT))?;
                let named = match reference.get("type").and_then(Json::as_str) {
                    Some("ref/resource") => reference.contains("uri") && !reference.contains("name"),
                    Some("ref/prompt") => reference.contains("name") && !reference.contains("uri"),
                    _ => false,
                };
                if named {
                    Ok(())
                } else {
                    Err("must be a prompt by its name or a resource by its URI".into())
                }
            }
            Kind::Completed => {
                let argument = members(value, Some(&["name", "value"]))?;
                argument.iter().try_for_each(|(_, value)| text(value, STATE))
            }
            Kind::Filter => {
                let known = [
                    "toolsListChanged",
                    "promptsListChanged",
                    "resourcesListChanged",
                    "resourceSubscriptions",
                ];
                members(value, Some(&known))?.iter().try_for_each(|(key, value)| match (key, value) {
                    ("resourceSubscriptions", Json::Array(uris)) if uris.len() <= SUBSCRIPTIONS => {
                        uris.iter().try_for_each(|uri| text(uri, TEXT))
                    }
                    ("resourceSubscriptions", _) => {
                        Err(format!("names at most {SUBSCRIPTIONS} resources, in a list"))
                    }
                    (_, Json::Bool(_)) => Ok(()),
                    (_, _) => Err("says of each kind whether it is wanted, by true or false".to_owned()),
                })
            }
            Kind::Judged => Ok(()),
        }
    }
}

fn text(value: &Json, bytes: usize) -> Result<(), String> {
    match value.as_str() {
        Some(text) if text.len() <= bytes => Ok(()),
        Some(_) => Err(format!("is longer than {bytes} bytes")),
        None => Err(format!("must be a text, not {}", value.kind())),
    }
}

fn members<'a>(value: &'a Json, known: Option<&[&str]>) -> Result<&'a Object, String> {
    let object = value.as_object().ok_or_else(|| format!("must be an object, not {}", value.kind()))?;
    match known.and_then(|known| object.keys().find(|key| !known.contains(key))) {
        Some(unknown) => Err(format!("has no member `{}`", wire::clipped(unknown))),
        None => Ok(object),
    }
}

const BOTH: &[Era] = &[Era::Legacy, Era::Modern];
const OLD: &[Era] = &[Era::Legacy];
const NEW: &[Era] = &[Era::Modern];

const fn row(name: &'static str, needs: Needs, params: &'static [Param], eras: &'static [Era]) -> Method {
    Method { name, needs, params, eras }
}

const fn must(name: &'static str, kind: Kind) -> Param {
    Param { name, kind, required: true }
}

const fn may(name: &'static str, kind: Kind) -> Param {
    Param { name, kind, required: false }
}

const RESPONSES: Param = may("inputResponses", Kind::Object);
const STATE_BACK: Param = may("requestState", Kind::State);
const URI: Param = must("uri", Kind::Uri);
const CURSOR: Param = may("cursor", Kind::Text);

/// Requests that a client may make once a connection is open.
pub const REQUESTS: [Method; 14] = [
    row(
        "tools/call",
        Needs::Call,
        // A name or arguments of a wrong kind are judged and refused like a call that does not fit.
        &[may("name", Kind::Judged), may("arguments", Kind::Judged), RESPONSES, STATE_BACK],
        BOTH,
    ),
    row("tools/list", Needs::Tools, &[CURSOR], BOTH),
    row("resources/read", Needs::Read, &[URI, RESPONSES, STATE_BACK], BOTH),
    row("resources/subscribe", Needs::Read, &[URI], OLD),
    row("resources/unsubscribe", Needs::Nothing, &[URI], OLD),
    row(
        "prompts/get",
        Needs::Read,
        &[must("name", Kind::Text), may("arguments", Kind::Object), RESPONSES, STATE_BACK],
        BOTH,
    ),
    row(
        "completion/complete",
        Needs::Read,
        &[must("ref", Kind::Reference), must("argument", Kind::Completed), may("context", Kind::Object)],
        BOTH,
    ),
    row("subscriptions/listen", Needs::Read, &[may("notifications", Kind::Filter)], NEW),
    row("resources/list", Needs::Nothing, &[CURSOR], BOTH),
    row("resources/templates/list", Needs::Nothing, &[CURSOR], BOTH),
    row("prompts/list", Needs::Nothing, &[CURSOR], BOTH),
    row("logging/setLevel", Needs::Nothing, &[must("level", Kind::Level)], OLD),
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
        if method.needs == Needs::Read {
            let definition = anything().map(Arc::clone);
            catalogue.insert(action(server, method.name), Tool { definition, ..Tool::from(Level::Read) });
        }
    }
}

/// The definition of methods that are judged by nothing but policy: no rule reads what they carry.
pub fn anything() -> Option<&'static Arc<Definition>> {
    static ANYTHING: OnceLock<Option<Arc<Definition>>> = OnceLock::new();
    let make = || {
        let schema = Schema::compile(&Json::Object(Object::from([("type", Json::from("object"))]))).ok()?;
        let none = Shape([0; 32]);
        Some(Arc::new(Definition {
            name: ToolName::of_method("any"),
            schema,
            arguments: Arc::default(),
            shape: none,
            whole: none,
        }))
    };
    ANYTHING.get_or_init(make).as_ref()
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

#[cfg(test)]
mod tests {
    use placet_engine::json::{Limits, parse};

    use super::*;

    #[test]
    fn a_member_of_another_kind_is_refused() {
        let long = format!("{{\"cursor\":\"{}\"}}", "x".repeat(TEXT + 1));
        for (method, params, wanted) in [
            ("resources/read", r#"{"uri":"file:///x"}"#, true),
            ("resources/read", "{}", false),
            ("resources/read", r#"{"uri":["file:///x"]}"#, false),
            ("resources/read", r#"{"uri":"file:///x","URI":"file:///y"}"#, false),
            ("resources/list", r#"{"cursor":"x"}"#, true),
            ("resources/list", r#"{"cursor":{"any":"thing"}}"#, false),
            ("resources/list", &long, false),
            ("logging/setLevel", r#"{"level":"debug"}"#, true),
            ("logging/setLevel", r#"{"level":"anything"}"#, false),
            ("logging/setLevel", r#"{"level":{"any":["thing"]}}"#, false),
            (
                "completion/complete",
                r#"{"ref":{"type":"ref/prompt","name":"x"},"argument":{"name":"a","value":""}}"#,
                true,
            ),
            (
                "completion/complete",
                r#"{"ref":{"type":"ref/prompt","name":"x","uri":"y"},"argument":{}}"#,
                false,
            ),
            ("completion/complete", r#"{"ref":{"uri":"y"},"argument":{}}"#, false),
            ("subscriptions/listen", r#"{"notifications":{"resourceSubscriptions":[1]}}"#, false),
            ("subscriptions/listen", r#"{"notifications":{"other":true}}"#, false),
            ("prompts/get", r#"{"name":"x","arguments":[]}"#, false),
        ] {
            let json = parse(params.as_bytes(), &Limits::EDGE).unwrap();
            let checked = find(method).unwrap().check(json.as_object().unwrap());
            assert_eq!(checked.is_ok(), wanted, "{method} {params:.100}: {checked:?}");
        }
    }
}
