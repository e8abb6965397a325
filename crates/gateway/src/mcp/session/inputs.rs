//! What a server asks for in a result, in the newer era, and the client's answers in the request that follows.
//!
//! Each entry of such a result is a question like any other: of a kind that the server's entry lists, to a client
//! that said it can answer that kind, and, if a person will see it, introduced with the server's name. Answers go
//! on only to what was asked here, once: the same tool or method, the state that the server gave, its keys.

use std::collections::{BTreeSet, VecDeque};

use placet_engine::{
    json::{Json, Object, raw},
    names::Action,
};
use placet_store::Store;

use super::{Session, server};
use crate::mcp::wire;

/// Results of one connection that ask for input and are not answered; the oldest is forgotten for the next.
const WAITING: usize = 64;

/// Questions in one result.
const QUESTIONS: usize = 64;

/// What was asked for in one result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Input {
    action: Action,
    keys: BTreeSet<String>,
    state: Option<String>,
}

/// What waits for the client's answers.
#[derive(Debug, Default)]
pub(super) struct Inputs(VecDeque<Input>);

impl Inputs {
    /// Remembers what was asked.
    pub(super) fn ask(&mut self, input: Input) {
        if self.0.len() >= WAITING {
            self.0.pop_front();
        }
        self.0.push_back(input);
    }

    /// Takes out what a request answers; none if it answers nothing.
    ///
    /// # Errors
    ///
    /// If it answers what was not asked here, or was answered already.
    pub(super) fn take(&mut self, action: &Action, params: &Object) -> Result<Option<Input>, String> {
        let keys: BTreeSet<&str> = match params.get("inputResponses") {
            None => BTreeSet::new(),
            Some(Json::Object(answers)) => answers.keys().collect(),
            Some(other) => return Err(format!("`inputResponses` must be an object, not {}", other.kind())),
        };
        let state = match params.get("requestState") {
            None => None,
            Some(Json::String(state)) => Some(state.as_str()),
            Some(other) => return Err(format!("`requestState` must be a text, not {}", other.kind())),
        };
        if !params.contains("inputResponses") && state.is_none() {
            return Ok(None);
        }
        let fits = |input: &Input| {
            input.action == *action
                && input.state.as_deref() == state
                && keys.iter().all(|key| input.keys.contains(*key))
        };
        let at = self.0.iter().position(fits);
        let input = at.and_then(|at| self.0.remove(at));
        input
            .map(Some)
            .ok_or_else(|| "this answers nothing that the server asks here; begin again".to_owned())
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}

/// Whether a result asks for input first.
pub(super) fn asks(result: &str) -> bool {
    wire::member(result, "resultType").and_then(wire::text).as_deref() == Some("input_required")
}

impl<S: Store> Session<S> {
    /// A result that asks for input as the client may see it, and what it asks; none if it may not be asked.
    pub(super) fn shown(
        &self,
        action: &Action,
        result: &str,
        answers: &BTreeSet<&'static str>,
    ) -> Option<(String, Input)> {
        let state = match wire::member(result, "requestState") {
            Some(state) => Some(wire::text(state)?),
            None => None,
        };
        let mut keys = BTreeSet::new();
        let mut shown = Vec::new();
        if let Some(requests) = wire::member(result, "inputRequests") {
            let requests = raw::members(requests, &wire::FROM_SERVER).ok()?;
            if requests.len() > QUESTIONS {
                return None;
            }
            for request in requests {
                let method = wire::member(request.value, "method").and_then(wire::text)?;
                let (capability, kind) = server::kind(&method)?;
                if !(self.settings.requests.contains(&kind) && answers.contains(capability)) {
                    return None;
                }
                let params = wire::member(request.value, "params").unwrap_or("{}");
                let params = self.introduced(&method, &wire::without_ours(params))?;
                let question = wire::rewritten(request.value, |key, _| match key {
                    "params" => Some(params.clone()),
                    _ => None,
                });
                let mut entry = String::new();
                placet_engine::json::write_string(&request.key, &mut entry);
                entry.push(':');
                entry.push_str(&question.ok()?);
                shown.push(entry);
                keys.insert(request.key.into_owned());
            }
        }
        let requests = format!("{{{}}}", shown.join(","));
        let result =
            wire::rewritten(result, |key, _| (key == "inputRequests").then(|| requests.clone())).ok()?;
        Some((result, Input { action: action.clone(), keys, state }))
    }
}

#[cfg(test)]
mod tests {
    use placet_engine::json::{Limits, parse};

    use super::*;

    fn params(text: &str) -> Object {
        parse(text.as_bytes(), &Limits::EDGE).unwrap().as_object().unwrap().clone()
    }

    #[test]
    fn an_answer_goes_to_what_was_asked_and_once() {
        let action: Action = "fs/write".parse().unwrap();
        let input =
            Input { action: action.clone(), keys: ["a".to_owned()].into(), state: Some("S".to_owned()) };
        let answer = params(r#"{"inputResponses":{"a":{}},"requestState":"S"}"#);
        for (of, text) in [
            ("fs/read", r#"{"inputResponses":{"a":{}},"requestState":"S"}"#),
            ("fs/write", r#"{"inputResponses":{"b":{}},"requestState":"S"}"#),
            ("fs/write", r#"{"inputResponses":{"a":{},"b":{}},"requestState":"S"}"#),
            ("fs/write", r#"{"inputResponses":{"a":{}},"requestState":"T"}"#),
            ("fs/write", r#"{"inputResponses":{"a":{}}}"#),
            ("fs/write", r#"{"requestState":"T"}"#),
            ("fs/write", r#"{"inputResponses":{}}"#),
            ("fs/write", r#"{"inputResponses":[],"requestState":"S"}"#),
            ("fs/write", r#"{"inputResponses":{"a":{}},"requestState":{"x":"S"}}"#),
        ] {
            let mut inputs = Inputs::default();
            inputs.ask(input.clone());
            assert!(inputs.take(&of.parse().unwrap(), &params(text)).is_err(), "{of} {text}");
            assert_eq!(inputs.take(&action, &answer), Ok(Some(input.clone())), "{of} {text}: taken");
        }
        let mut inputs = Inputs::default();
        assert!(inputs.take(&action, &answer).is_err(), "nothing was asked");
        assert_eq!(inputs.take(&action, &params("{}")), Ok(None));
        inputs.ask(input.clone());
        assert_eq!(inputs.take(&action, &answer), Ok(Some(input)));
        assert!(inputs.take(&action, &answer).is_err(), "it was answered already");
    }

    #[test]
    fn what_waits_for_answers_is_bounded() {
        let action: Action = "fs/write".parse().unwrap();
        let mut inputs = Inputs::default();
        for at in 0..=WAITING {
            let state = Some(at.to_string());
            inputs.ask(Input { action: action.clone(), keys: BTreeSet::new(), state });
        }
        assert!(inputs.take(&action, &params(r#"{"requestState":"0"}"#)).is_err());
        assert!(inputs.take(&action, &params(r#"{"requestState":"1"}"#)).is_ok());
    }
}
