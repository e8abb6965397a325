//! The envelope: what one JSON-RPC message is, read strictly from clients and sparingly from servers.
//!
//! What a client sends is parsed whole by the strict parser, since it is judged. Of what a server sends only
//! the envelope is read; its results pass as the text they are, less whatever claims to be ours.

use std::{borrow::Cow, fmt};

use placet_engine::{
    diagnostic::inert,
    json::{Json, Limits, Object, ParseError, parse, raw, write_string},
};

/// The prefix of `_meta` keys that are ours alone.
pub const OURS: &str = "dev.placet/";

/// What a server says when its tools have changed.
pub const TOOLS_CHANGED: &str = "notifications/tools/list_changed";

/// What a server may send in one message.
pub const FROM_SERVER: Limits = Limits { bytes: 64 << 20, depth: 128, members: 100_000, key_bytes: 64 << 10 };

/// A request's identifier as its sender wrote it: a text or a whole number.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id(String);

impl Id {
    /// The identifier as JSON text.
    pub fn as_json(&self) -> &str {
        &self.0
    }

    /// The identifier that a JSON value is, if it is one.
    pub fn read(json: &Json) -> Option<Self> {
        match json {
            Json::String(_) => Some(Self(json.compact())),
            Json::Number(number) if number.as_i64().is_some() => Some(Self(json.compact())),
            Json::Number(_) | Json::Null | Json::Bool(_) | Json::Array(_) | Json::Object(_) => None,
        }
    }
}

/// A message from a client.
#[derive(Clone, Debug, PartialEq)]
pub enum FromClient {
    /// It wants an answer.
    Request {
        /// Under which identifier.
        id: Id,
        /// What it asks for.
        method: String,
        /// With what.
        params: Object,
    },
    /// It tells something.
    Notification {
        /// What.
        method: String,
        /// With what.
        params: Object,
    },
    /// It answers something that a server asked.
    Answer {
        /// The question's identifier.
        id: Id,
        /// The answer, `result` or `error`.
        key: &'static str,
        /// As text.
        value: String,
    },
}

/// A message that cannot be taken.
#[derive(Clone, Debug, PartialEq)]
pub struct Malformed {
    /// The identifier to answer under, where one could be read.
    pub id: Option<Id>,
    /// The JSON-RPC error code.
    pub code: i64,
    /// What is wrong.
    pub what: String,
}

impl Malformed {
    fn new(code: i64, what: impl fmt::Display) -> Self {
        Self { id: None, code, what: what.to_string() }
    }

    /// The answer to it.
    pub fn answer(&self) -> String {
        error(self.id.as_ref().map_or("null", Id::as_json), self.code, &self.what, None)
    }
}

/// The members that an envelope may have.
const ENVELOPE: [&str; 6] = ["jsonrpc", "id", "method", "params", "result", "error"];

/// Reads one message of a client.
///
/// # Errors
///
/// [`Malformed`] with the JSON-RPC code and words for whoever wrote the client.
pub fn from_client(line: &[u8], limits: &Limits) -> Result<FromClient, Malformed> {
    let json = parse(line, limits).map_err(|error: ParseError| Malformed {
        id: guess(line, limits),
        ..Malformed::new(-32700, error)
    })?;
    let mut message = match json {
        Json::Object(message) => message,
        Json::Array(_) => {
            return Err(Malformed::new(-32600, "batches are not taken; send one message at a time"));
        }
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => {
            return Err(Malformed::new(-32600, format!("a message is an object, not {}", json.kind())));
        }
    };
    let id = message.get("id").and_then(Id::read);
    let wrong = |what: String| Malformed { id: id.clone(), code: -32600, what };
    if let Some(key) = message.keys().find(|key| !ENVELOPE.contains(key)) {
        return Err(wrong(format!("a message has no member `{}`", inert(key))));
    }
    if message.get("jsonrpc").and_then(Json::as_str) != Some("2.0") {
        return Err(wrong("`jsonrpc` must be \"2.0\"".to_owned()));
    }
    if message.contains("id") && id.is_none() {
        return Err(wrong("`id` must be a text or a whole number".to_owned()));
    }
    let answers = ["result", "error"].into_iter().filter(|key| message.contains(key)).collect::<Vec<_>>();
    if let (None, [key], Some(id)) = (message.get("method"), answers.as_slice(), &id) {
        let value = message.remove(key).map(|value| value.compact()).unwrap_or_default();
        return Ok(FromClient::Answer { id: id.clone(), key, value });
    }
    if !answers.is_empty() {
        return Err(wrong("a message is a request, a notification or an answer, not several".to_owned()));
    }
    let Some(Json::String(method)) = message.remove("method") else {
        return Err(wrong("`method` must be a text".to_owned()));
    };
    let params = match message.remove("params") {
        None => Object::new(),
        Some(Json::Object(params)) => params,
        Some(other) => {
            let what = format!("`params` must be an object, not {}", other.kind());
            return Err(Malformed { code: -32602, ..wrong(what) });
        }
    };
    Ok(match id {
        Some(id) => FromClient::Request { id, method, params },
        None => FromClient::Notification { method, params },
    })
}

/// The identifier of a message that is not taken, if its outermost object can be read: whoever waits for the
/// answer should get it. Nothing else is taken from such a message.
fn guess(line: &[u8], limits: &Limits) -> Option<Id> {
    let text = std::str::from_utf8(line).ok()?;
    let id = member(text, "id").filter(|_| line.len() <= limits.bytes)?;
    Id::read(&parse(id.as_bytes(), limits).ok()?)
}

/// A message from a server; `params`, `result` and `error` are the server's own text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FromServer<'a> {
    /// It asks something of the client.
    Request {
        /// Its identifier, as text.
        id: &'a str,
        /// What it asks for.
        method: String,
        /// With what.
        params: Option<&'a str>,
    },
    /// It tells something.
    Notification {
        /// What.
        method: String,
        /// With what.
        params: Option<&'a str>,
    },
    /// It answers one of our requests.
    Answer {
        /// Which, as text.
        id: &'a str,
        /// With what.
        outcome: Result<&'a str, &'a str>,
    },
}

/// Reads the envelope of one message of a server.
///
/// # Errors
///
/// What is wrong with it, for the log.
pub fn from_server(line: &str) -> Result<FromServer<'_>, String> {
    let members = raw::members(line, &FROM_SERVER).map_err(|error| error.to_string())?;
    let find = |key: &str| members.iter().find(|member| member.key == key).map(|member| member.value);
    let params = find("params");
    match (find("method"), find("id"), find("result"), find("error")) {
        (Some(method), id, None, None) => {
            let method = text(method).ok_or("`method` is no text")?;
            Ok(match id {
                Some(id) => FromServer::Request { id, method, params },
                None => FromServer::Notification { method, params },
            })
        }
        (None, Some(id), Some(result), None) => Ok(FromServer::Answer { id, outcome: Ok(result) }),
        (None, Some(id), None, Some(error)) => Ok(FromServer::Answer { id, outcome: Err(error) }),
        _ => Err("it is no request, no notification and no answer".to_owned()),
    }
}

/// The text of a JSON string literal.
pub fn text(literal: &str) -> Option<String> {
    match parse(literal.as_bytes(), &FROM_SERVER) {
        Ok(Json::String(text)) => Some(text),
        Ok(_) | Err(_) => None,
    }
}

/// The member `key` of an object's text, as text.
pub fn member<'a>(object: &'a str, key: &str) -> Option<&'a str> {
    let members = raw::members(object, &FROM_SERVER).ok()?;
    members.into_iter().find(|member| member.key == key).map(|member| member.value)
}

/// Whether a text is no object whose members each stand once.
pub fn is_ambiguous(object: &str) -> bool {
    raw::members(object, &FROM_SERVER).is_err()
}

/// Characters of a foreign text that are told to people, or kept in a record.
pub const CLIPPED: usize = 128;

/// A foreign text as a person may see it and a record may keep it: inert, and no longer than needed to know it.
pub fn clipped(text: &str) -> String {
    let mut characters = text.chars();
    let kept: String = characters.by_ref().take(CLIPPED).collect();
    let kept = inert(&kept);
    let more = if characters.next().is_some() { "…" } else { "" };
    // Written out, a character takes up to ten.
    kept.chars().take(CLIPPED).chain(more.chars()).collect()
}

/// The object's text with the members replaced that `change` answers for.
///
/// # Errors
///
/// If the text is no object.
pub fn rewritten(object: &str, change: impl Fn(&str, &str) -> Option<String>) -> Result<String, ParseError> {
    let members = raw::members(object, &FROM_SERVER)?;
    let mut text = String::with_capacity(object.len());
    text.push('{');
    for (at, member) in members.iter().enumerate() {
        if at > 0 {
            text.push(',');
        }
        write_string(&member.key, &mut text);
        text.push(':');
        match change(&member.key, member.value) {
            Some(changed) => text.push_str(&changed),
            None => text.push_str(member.value),
        }
    }
    text.push('}');
    Ok(text)
}

/// A server's text without anything that claims to be ours.
pub fn without_ours(text: &str) -> Cow<'_, str> {
    // A key with our prefix is written with these letters or with an escape.
    if !text.contains("dev.placet") && !text.contains("\\u") {
        return Cow::Borrowed(text);
    }
    match raw::without_keys(text, &FROM_SERVER, &|key| key.starts_with(OURS)) {
        Ok(kept) => kept,
        // It was well formed a moment ago; what cannot be cleaned does not pass.
        Err(_) => Cow::Borrowed("{}"),
    }
}

/// A request of ours, or one that we pass on.
pub fn request(id: &str, method: &str, params: &str) -> String {
    let mut line = format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"method\":");
    write_string(method, &mut line);
    line.push_str(",\"params\":");
    line.push_str(params);
    line.push('}');
    line
}

/// A notification of ours, or one that we pass on.
pub fn notification(method: &str, params: Option<&str>) -> String {
    let mut line = "{\"jsonrpc\":\"2.0\",\"method\":".to_owned();
    write_string(method, &mut line);
    if let Some(params) = params {
        line.push_str(",\"params\":");
        line.push_str(params);
    }
    line.push('}');
    line
}

/// An answer under the client's own identifier.
pub fn answer(id: &str, outcome: Result<&str, &str>) -> String {
    let (key, value) = match outcome {
        Ok(result) => ("result", result),
        Err(error) => ("error", error),
    };
    format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"{key}\":{value}}}")
}

/// An error of ours.
pub fn error(id: &str, code: i64, message: &str, data: Option<&Json>) -> String {
    let mut error = Object::from([("code", Json::from(code)), ("message", Json::from(message))]);
    if let Some(data) = data {
        error.insert("data", data.clone());
    }
    answer(id, Err(&Json::Object(error).compact()))
}
