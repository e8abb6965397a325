//! Calls that people must agree to, as the engine judges them: what a yes lets go, and what it does not.

#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that cannot go on should say so and end"
)]

use std::{sync::Arc, time::Duration};

use placet_engine::{
    approval::{Approval, Ballot, BallotError, State, YesOrNo},
    call::{Call, CallId, DigestKey, Mode, Proposal},
    decide::{Engine, Verdict},
    decision::{Decision, DenyReason},
    json::{Json, Limits, Object, parse},
    limits,
    policy::{
        Policy, Rules, catalogue,
        config::{Strength, read},
    },
    record::Kind,
    state::{Changes, Ending, Known, Precondition, Remembered},
    stop::Generations,
    time::{BootInstant, Now, Timestamp},
    tool::{Definition, Offer},
};

const DELETE: &str = "crm/delete_user";

/// Who may approve, and what asks them.
fn file(guards: &str) -> String {
    format!(
        "[servers.crm]\ncommand = [\"crm\"]\ntools = {{ delete_user = \"delete\", refund = \"write\" }}\n\
         [agents.ops]\nlevels = [\"write\", \"delete\"]\n[guards]\n{guards}\n\
         [approvers.oncall]\nstrength = \"terminal\"\nexpires = \"10m\"\n[approvers.finance]\nstrength = \"terminal\"\n\
         [people.ana]\nmay = [\"approve:oncall\", \"approve:finance\"]\n[people.bo]\nmay = [\"approve:finance\"]\n\
         [people.cy]\nmay = [\"approve:finance\"]\n"
    )
}

fn engine(guards: &str) -> Engine {
    let read = read(&file(guards));
    let config = read.config.unwrap_or_else(|| panic!("{:?}", read.findings));
    let policy = Policy::compile(Rules::from(&config), catalogue(&config)).unwrap();
    Engine::new(policy, DigestKey::new(&[3; 32]))
}

fn json(text: &str) -> Json {
    parse(text.as_bytes(), &Limits::EDGE).unwrap()
}

fn call(n: u8, id: &str) -> Arc<Call> {
    let proposal = Proposal {
        agent: "ops".parse().unwrap(),
        client: "desk".parse().unwrap(),
        session: None,
        action: DELETE.parse().unwrap(),
        arguments: json(&format!(r#"{{"id":"{id}"}}"#)).as_object().unwrap().clone(),
        meta: Object::new(),
        mode: Mode::Live,
        key: None,
        cost: Default::default(),
    };
    Arc::new(Call::new(CallId::from_random([n; 12]), proposal, &DigestKey::new(&[3; 32])))
}

fn at(seconds: u64) -> Now {
    let since = Duration::from_secs(seconds);
    Now { wall: Timestamp(1_795_340_096_000_000).plus(since), boot: BootInstant(since) }
}

fn offer(other: &str) -> Offer {
    let definition = format!(
        r#"{{"name":"delete_user","inputSchema":{{"type":"object",
            "properties":{{"id":{{"type":"string"}},"{other}":{{"type":"string"}}}}}}}}"#
    );
    Offer::Accepted(Arc::new(Definition::read(&json(&definition)).unwrap()))
}

fn known(question: Option<Approval>) -> Known {
    let generations = Generations { stop: 2, ..Generations::default() };
    let remembered = Remembered { question, generations, ..Remembered::default() };
    Known { remembered, offer: offer("one"), paused: false }
}

/// The question that a call raises, and what is remembered of it.
fn ask(engine: &Engine, call: &Arc<Call>) -> Approval {
    let Verdict { decision: Decision::Ask(request), changes } = engine.decide(call, &known(None), at(0))
    else {
        panic!("it asks")
    };
    assert_eq!(changes.question.as_ref(), Some(&request.approval));
    request.approval
}

fn answer(
    engine: &Engine,
    question: &Approval,
    by: &str,
    answer: YesOrNo,
) -> Result<(Approval, Changes), BallotError> {
    let ballot =
        Ballot { by: by.parse().unwrap(), strength: Strength::Terminal, shown: question.shown(), answer };
    engine.answered(question, &ballot, 2, at(1))
}

fn approved(engine: &Engine, call: &Arc<Call>) -> Approval {
    let (answered, changes) = answer(engine, &ask(engine, call), "ana", YesOrNo::Yes(None)).unwrap();
    assert!(matches!(changes.require[..], [Precondition::NoStop(_), Precondition::Question(..)]));
    assert_eq!(changes.records[0].kind, Kind::Answer);
    answered
}

#[test]
fn a_yes_lets_the_call_go_and_is_used_up_by_it() {
    let engine = engine("delete = \"approval:oncall\"");
    let first = call(1, "42");
    let yes = approved(&engine, &first);
    let Verdict { decision, changes } = engine.decide(&first, &known(Some(yes.clone())), at(2));
    assert!(matches!(decision, Decision::Allow(_)), "{decision:?}");
    assert!(changes.require.contains(&Precondition::Question(first.digest, Some(yes.seen()))));
    let used = changes.question.unwrap();
    assert!(matches!(used.state, State::Used { call, .. } if call == first.id));
    let intent = changes.intent.unwrap();
    assert_eq!(intent.approval, Some(yes.id));
    let votes = changes.records[0].body.get("votes").map(Json::compact);
    assert_eq!(votes.as_deref(), Some(r#"["ana oncall terminal"]"#));
    // The same once more asks anew; and where nothing was sent, the yes comes back.
    let again = engine.decide(&call(2, "42"), &known(Some(used)), at(3));
    assert!(matches!(again.decision, Decision::Ask(ref request) if request.approval.id == call(2, "42").id));
    let outcome = placet_engine::decide::Outcome::without_result(Ending::NotSent, "it lapsed".to_owned());
    let settled = engine.settle(&intent, &outcome, None, at(3)).settled.unwrap();
    assert_eq!(settled.returned, Some(yes.id));
    for ending in [Ending::Succeeded, Ending::Failed, Ending::Unknown] {
        let outcome = placet_engine::decide::Outcome::without_result(ending, String::new());
        assert_eq!(
            engine.settle(&intent, &outcome, None, at(3)).settled.unwrap().returned,
            None,
            "{ending:?}"
        );
    }
}

#[test]
fn a_yes_is_judged_by_the_policy_of_the_moment() {
    let engine_then = engine("delete = \"approval:oncall\"");
    let first = call(1, "42");
    let yes = approved(&engine_then, &first);
    for (guards, wanted) in [
        ("delete = \"approval:oncall\"", "allow"),
        // Another rule, and another policy, that asks nothing more.
        ("delete = \"approval:oncall\"\nwrite = { forbid = \"no writes\" }", "allow"),
        (
            "delete = [{ id = \"a\", require = \"approval:oncall\" }, { id = \"b\", require = \"approval:finance\" }]",
            "ask",
        ),
        ("delete = \"approval:finance\"", "ask"),
        ("delete = \"approval:oncall:passkey\"", "ask"),
        ("delete = { forbid = \"nothing is deleted\" }", "deny"),
    ] {
        let Verdict { decision, changes } = engine(guards).decide(&first, &known(Some(yes.clone())), at(2));
        let found = match decision {
            Decision::Allow(_) => "allow",
            Decision::Ask(_) => "ask",
            Decision::Deny(_) => "deny",
            other @ (Decision::Plan(_) | Decision::Join(_) | Decision::Replay(_)) => panic!("{other:?}"),
        };
        assert_eq!(found, wanted, "{guards}");
        assert_eq!(changes.intent.is_some(), wanted == "allow", "{guards}");
    }
}

#[test]
fn nothing_but_the_approved_call_runs_by_a_yes() {
    let engine = engine("delete = \"approval:oncall\"");
    let first = call(1, "42");
    let yes = approved(&engine, &first);
    // Under another digest a store would not find the question; if it did, it would still be about another call.
    assert_ne!(call(2, "43").digest, first.digest);
    let another_tool = Known { offer: offer("two"), ..known(Some(yes.clone())) };
    assert!(matches!(engine.decide(&first, &another_tool, at(2)).decision, Decision::Ask(_)));
    let mut stopped_since = known(Some(yes.clone()));
    stopped_since.remembered.generations.stop = 3;
    assert!(matches!(engine.decide(&first, &stopped_since, at(2)).decision, Decision::Ask(_)));
    let late = at(1 + limits::YES_LASTS.as_secs());
    assert!(matches!(engine.decide(&first, &known(Some(yes)), late).decision, Decision::Ask(_)));
}

#[test]
fn a_no_is_told_in_its_words_until_the_question_would_have_lapsed() {
    let engine = engine("delete = \"approval:oncall\"");
    let first = call(1, "42");
    let asked = ask(&engine, &first);
    let (denied, changes) = answer(&engine, &asked, "ana", YesOrNo::No("not today".into())).unwrap();
    assert_eq!(changes.records[0].body.get("note").and_then(Json::as_str), Some("not today"));
    let told = |seconds| match engine.decide(&first, &known(Some(denied.clone())), at(seconds)).decision {
        Decision::Deny(denial) => Some(denial.reason),
        Decision::Ask(_) => None,
        other @ (Decision::Allow(_) | Decision::Plan(_) | Decision::Join(_) | Decision::Replay(_)) => {
            panic!("{other:?}")
        }
    };
    assert_eq!(told(599), Some(DenyReason::ApprovalDenied("not today".into())));
    assert_eq!(told(600), None, "the same call asks anew");
    assert_eq!(
        answer(&engine, &denied, "ana", YesOrNo::Yes(None)).map(drop),
        Err(BallotError::Settled("denied"))
    );
}

#[test]
fn two_people_are_two_people() {
    let engine = engine("delete = \"approval:finance:2\"");
    let first = call(1, "42");
    let (one, _) = answer(&engine, &ask(&engine, &first), "bo", YesOrNo::Yes(None)).unwrap();
    assert_eq!(answer(&engine, &one, "bo", YesOrNo::Yes(None)).map(drop), Err(BallotError::Voted));
    let waits = engine.decide(&first, &known(Some(one.clone())), at(2)).decision;
    assert!(matches!(waits, Decision::Ask(ref request) if request.approval.id == one.id), "{waits:?}");
    let (two, _) = answer(&engine, &one, "cy", YesOrNo::Yes(None)).unwrap();
    assert!(matches!(engine.decide(&first, &known(Some(two)), at(2)).decision, Decision::Allow(_)));
}

#[test]
fn a_flood_of_questions_is_refused_and_one_that_waits_is_still_found() {
    let engine = engine("delete = \"approval:oncall\"");
    let first = call(1, "42");
    let asked = ask(&engine, &first);
    let flooded = |question| {
        let mut known = known(question);
        known.remembered.waiting = limits::WAITING_QUESTIONS;
        known
    };
    let refused = engine.decide(&call(2, "43"), &flooded(None), at(1)).decision;
    assert!(
        matches!(refused, Decision::Deny(ref denial) if denial.reason == DenyReason::TooManyAsked),
        "{refused:?}"
    );
    assert!(matches!(engine.decide(&first, &flooded(Some(asked)), at(1)).decision, Decision::Ask(_)));
}
