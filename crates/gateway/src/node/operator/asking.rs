//! Questions to people, as orders: which wait, one of them whole, and a person's answer.
//!
//! Whoever looks needs no more than the account. Whoever answers must be a person of the file, with that person's own
//! secret: no client's secret is looked at here, and no person's secret where clients come in.

use std::sync::Arc;

use placet_engine::{
    approval::{Approval, Ballot, State, YesOrNo},
    call::{CallId, Digest},
    json::{Json, Object},
    names::PersonName,
    policy::{Policy, config::Strength},
};
use sha2::{Digest as _, Sha256};

use super::{super::Node, done, failed, with_more};

/// Questions that are listed at once.
const LISTED: usize = 1_000;

/// The questions that wait or were answered lately, without what they are about in full.
pub(super) async fn list(node: &Arc<Node>) -> Object {
    let questions = match node.gate.questions().await {
        Ok(questions) => questions,
        Err(error) => return failed(&error.to_string()),
    };
    let engine = node.gate.engine();
    let more = questions.len().saturating_sub(LISTED);
    let shown =
        questions.iter().take(LISTED).map(|question| Json::Object(in_short(question, engine.policy())));
    let shown = shown.collect();
    with_more(
        done(),
        [("questions", Json::Array(shown)), ("more", Json::from(i64::try_from(more).unwrap_or(i64::MAX)))],
    )
}

/// One question, with exactly what will be sent.
pub(super) async fn show(node: &Arc<Node>, command: &Json) -> Object {
    let question = match find(node, command).await {
        Ok(question) => question,
        Err(why) => return failed(&why),
    };
    let engine = node.gate.engine();
    let mut shown = in_short(&question, engine.policy());
    shown.insert("arguments", question.arguments.as_str());
    shown.insert("meta", question.meta.as_str());
    shown.insert("shown", question.shown().to_string());
    with_more(done(), [("question", Json::Object(shown))])
}

/// A person's answer.
pub(super) async fn answer(node: &Arc<Node>, command: &Json) -> Object {
    let text = |key: &str| command.get(key).and_then(Json::as_str);
    let engine = node.gate.engine().clone();
    let by = match person(engine.policy(), text("person"), text("secret")) {
        Ok(by) => by,
        Err(why) => return failed(&why),
    };
    let question = match find(node, command).await {
        Ok(question) => question,
        Err(why) => return failed(&why),
    };
    let Some(shown) = text("shown").and_then(digest) else {
        return failed("an answer says what was shown, as 64 hexadecimal digits");
    };
    let group = match text("group").map(str::parse) {
        None => None,
        Some(Ok(group)) => Some(group),
        Some(Err(error)) => return failed(&format!("{error}")),
    };
    let answer = match text("answer") {
        Some("yes") => YesOrNo::Yes(group),
        Some("no") => YesOrNo::No(text("note").unwrap_or_default().into()),
        Some(_) | None => return failed("an answer is `yes` or `no`"),
    };
    let ballot = Ballot { by, strength: Strength::Terminal, shown, answer };
    match node.gate.answer_question(question.id, &ballot).await {
        Ok(answered) => {
            let engine = node.gate.engine();
            with_more(done(), [("question", Json::Object(in_short(&answered, engine.policy())))])
        }
        Err(error) => failed(&error.to_string()),
    }
}

/// Who gives this order. One sentence for all that is wrong with it: which names there are is not told.
fn person(policy: &Policy, name: Option<&str>, secret: Option<&str>) -> Result<PersonName, String> {
    let refused = || "this is no person of the file, or not this person's secret".to_owned();
    let name: PersonName = name.and_then(|name| name.parse().ok()).ok_or_else(refused)?;
    let person = policy.rules().people.get(&name).ok_or_else(refused)?;
    let given: [u8; 32] = Sha256::digest(secret.unwrap_or_default().as_bytes()).into();
    match &person.credential {
        Some(credential) if credential.0 == given => Ok(name),
        Some(_) | None => Err(refused()),
    }
}

async fn find(node: &Arc<Node>, command: &Json) -> Result<Approval, String> {
    let id = command.get("id").and_then(Json::as_str).and_then(CallId::parse);
    let id = id.ok_or("a question's name is `d_` and 20 characters")?;
    let found = node.gate.question(id).await.map_err(|error| error.to_string())?;
    found.ok_or_else(|| format!("no question `{id}` waits; `placet approvals list` shows which do"))
}

fn digest(text: &str) -> Option<Digest> {
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    let nibble = |digit: u8| char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok());
    let bytes = pairs.iter().map(|[high, low]| Some(nibble(*high)? << 4 | nibble(*low)?));
    let bytes: Vec<u8> = bytes.collect::<Option<_>>().filter(|_| rest.is_empty())?;
    bytes.try_into().ok().map(Digest)
}

fn in_short(question: &Approval, policy: &Policy) -> Object {
    let texts = |texts: Vec<String>| Json::Array(texts.into_iter().map(Json::from).collect());
    let missing =
        question.missing(policy).into_iter().map(|(control, more)| format!("{control} ({more} more)"));
    let mut shown = Object::from([
        ("id", Json::from(question.id.to_string())),
        ("state", Json::from(question.state.as_str())),
        ("agent", Json::from(question.agent.as_str())),
        ("client", Json::from(question.client.as_str())),
        ("tool", Json::from(question.action.to_string())),
        ("level", Json::from(question.level.as_str())),
        ("asked_at", Json::from(question.asked_at.to_string())),
        ("expires_at", Json::from(question.expires_at.to_string())),
        ("controls", texts(question.controls.iter().map(ToString::to_string).collect())),
        ("votes", texts(question.votes.iter().map(ToString::to_string).collect())),
        ("missing", texts(missing.collect())),
    ]);
    match &question.state {
        State::Denied { by, note } => {
            shown.insert("denied_by", by.as_str());
            shown.insert("note", &**note);
        }
        State::Used { call, yes: _ } => {
            shown.insert("used_by", call.to_string());
        }
        State::Approved(yes) => {
            shown.insert("good_until", yes.until.to_string());
        }
        State::Pending | State::Expired => {}
    }
    shown
}
