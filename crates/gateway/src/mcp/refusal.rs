//! A refusal on the MCP wire: the one function that turns a decision into wire text.
//!
//! A refused `tools/call` is a result with `isError`, so that the model reads it and goes on; it has no
//! `structuredContent`, which some clients would validate. Methods without `isError` get an error whose code
//! is outside the range that JSON-RPC and MCP reserve.

use placet_engine::{
    call::CallId,
    json::{Json, Object, parse},
};

use super::wire;
use crate::{
    gate::{Answer, Reply},
    words::{self, Told},
};

/// Which wire shape an answer takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// A result of `tools/call`, with `resultType` where the revision has it.
    ToolResult {
        /// Whether it is revision 2026-07-28 or later.
        modern: bool,
    },
    /// A JSON-RPC error.
    Error,
}

/// The code of refusals of methods without `isError`.
const REFUSED: i64 = 1001;

/// The key under which a decision stands in `_meta`.
const DECISION: &str = "dev.placet/decision";

/// The line that answers a request for which nothing came back from a tool; none if something did.
pub fn line<T>(id: &str, action: &str, shape: Shape, reply: &Reply<T>) -> Option<String> {
    let id_of = || reply.call.id.to_string();
    Some(match &reply.answer {
        Answer::Ran(_) | Answer::Replayed(..) => return None,
        Answer::Refused(denial) => {
            refusal(id, shape, "deny", &words::told(denial, action, reply.disclose), id_of())
        }
        Answer::Waiting(request) => refusal(id, shape, "ask", &words::told_waiting(request, action), id_of()),
        Answer::Unknown => refusal(id, shape, "allow", &words::told_unknown(action), id_of()),
        Answer::Planned(plan) => {
            let decision = Object::from([
                ("decision", Json::from("plan")),
                ("dry_run", Json::from(true)),
                ("decision_id", Json::from(id_of())),
            ]);
            result(id, shape, &words::told_plan(plan, action), decision, false)
        }
    })
}

/// The result of a call that has run, in place of one that is not handed on.
pub fn withheld(words: &str) -> String {
    let content = Object::from([("type", Json::from("text")), ("text", Json::from(capitalised(words)))]);
    let result =
        Object::from([("content", Json::Array(vec![Json::Object(content)])), ("isError", Json::from(true))]);
    Json::Object(result).compact()
}

/// The result of a call that was made before, marked as such.
pub fn replayed(result: &str, of: CallId, decision_id: String) -> String {
    // Objects only, as servers send them; anything else goes out as it was kept.
    let Ok(Json::Object(mut object)) = parse(result.as_bytes(), &wire::FROM_SERVER) else {
        return result.to_owned();
    };
    let mut meta = object.get("_meta").and_then(Json::as_object).cloned().unwrap_or_default();
    meta.insert(DECISION, Json::Object(words::wire_replay(of, decision_id)));
    object.insert("_meta", Json::Object(meta));
    Json::Object(object).compact()
}

/// The same for a call whose outcome nobody will learn any more.
pub fn unknown(id: &str, action: &str, shape: Shape, decision_id: String) -> String {
    refusal(id, shape, "allow", &words::told_unknown(action), decision_id)
}

/// The answer to a request that is refused without having been judged, or that was judged and lost; then with
/// the identifier of its decision.
pub fn unjudged(id: &str, shape: Shape, told: &Told, decision_id: String) -> String {
    refusal(id, shape, "deny", told, decision_id)
}

fn refusal(id: &str, shape: Shape, decision: &str, told: &Told, decision_id: String) -> String {
    let reference = if decision_id.is_empty() { String::new() } else { format!(" ({decision_id})") };
    let text = format!("{}. {}{reference}", capitalised(&told.sentence), capitalised(told.next));
    let object = words::wire(decision, told, decision_id);
    match shape {
        Shape::ToolResult { .. } => result(id, shape, &text, object, true),
        Shape::Error => wire::error(id, REFUSED, &text, Some(&Json::Object(object))),
    }
}

fn result(id: &str, shape: Shape, text: &str, decision: Object, is_error: bool) -> String {
    let Shape::ToolResult { modern } = shape else {
        return wire::error(id, REFUSED, text, Some(&Json::Object(decision)));
    };
    let content = Object::from([("type", Json::from("text")), ("text", Json::from(text))]);
    let meta = Object::from([(DECISION, Json::Object(decision))]);
    let mut result = Object::new();
    if modern {
        result.insert("resultType", "complete");
    }
    result.insert("content", Json::Array(vec![Json::Object(content)]));
    result.insert("isError", is_error);
    result.insert("_meta", Json::Object(meta));
    wire::answer(id, Ok(&Json::Object(result).compact()))
}

/// A sentence as a sentence; words in quotes stay as they are.
fn capitalised(text: &str) -> String {
    let mut characters = text.chars();
    characters.next().map_or(String::new(), |first| first.to_uppercase().chain(characters).collect())
}
