//! What a vote counts for, and what a yes lets go.

use proptest::prelude::*;

use super::*;
use crate::{
    call::{DigestKey, Mode, Proposal},
    json::Object,
};

/// Ana and Bo for finance, Bo and Cy for oncall; finance wants passkeys, oncall a terminal.
struct File;

impl Electorate for File {
    fn may_approve(&self, person: &PersonName, group: &GroupName) -> bool {
        matches!((person.as_str(), group.as_str()), ("ana" | "bo", "finance") | ("bo" | "cy", "oncall"))
    }

    fn strength(&self, group: &GroupName) -> Strength {
        if group.as_str() == "oncall" { Strength::Terminal } else { Strength::Passkey }
    }
}

/// The same file, later: nobody may approve any more.
struct Nobody;

impl Electorate for Nobody {
    fn may_approve(&self, _: &PersonName, _: &GroupName) -> bool {
        false
    }

    fn strength(&self, _: &GroupName) -> Strength {
        Strength::Terminal
    }
}

const NOW: Timestamp = Timestamp(1_000_000_000);

fn controls(all: &[&str]) -> Vec<Control> {
    all.iter().map(|control| control.parse().unwrap()).collect()
}

fn asked(all: &[&str]) -> Approval {
    let proposal = Proposal {
        agent: "bot".parse().unwrap(),
        client: "desk".parse().unwrap(),
        session: None,
        action: "crm/delete_user".parse().unwrap(),
        arguments: Object::from([("id", crate::json::Json::from("42"))]),
        meta: Object::new(),
        mode: Mode::Live,
        key: None,
        cost: Default::default(),
    };
    let call = Call::new(CallId::from_random([1; 12]), proposal, &DigestKey::new(&[7; 32]));
    Approval::about(&call, Level::Delete, Shape([9; 32]), controls(all), NOW, Duration::from_secs(60))
}

fn ballot(question: &Approval, by: &str, strength: Strength, answer: YesOrNo) -> Ballot {
    Ballot { by: by.parse().unwrap(), strength, shown: question.shown(), answer }
}

fn yes(question: &Approval, by: &str, group: Option<&str>) -> Result<Approval, BallotError> {
    let group = group.map(|group| group.parse().unwrap());
    question.answered(&ballot(question, by, Strength::Passkey, YesOrNo::Yes(group)), NOW, 3, &File)
}

fn grants(question: &Approval, all: &[&str]) -> bool {
    question.grants(&controls(all), &Shape([9; 32]), NOW, 3, &File)
}

#[test]
fn as_many_different_people_as_are_asked_make_a_yes() {
    let question = asked(&["approval:finance:2"]);
    let first = yes(&question, "ana", None).unwrap();
    assert_eq!((first.state.as_str(), first.votes.len()), ("pending", 1));
    assert_eq!(first.missing(&File), [(controls(&["approval:finance:2"]).remove(0), 1)]);
    assert_eq!(yes(&first, "ana", None), Err(BallotError::Voted), "one person, two yeses");
    let second = yes(&first, "bo", Some("finance")).unwrap();
    assert_eq!(second.state.as_str(), "approved");
    assert!(grants(&second, &["approval:finance:2"]));
}

#[test]
fn one_person_does_not_answer_for_two_groups() {
    let question = asked(&["approval:finance", "approval:oncall"]);
    let both = ["finance", "oncall"].map(|group| group.parse().unwrap()).to_vec();
    assert_eq!(yes(&question, "bo", None), Err(BallotError::WhichGroup(both)));
    let first = yes(&question, "bo", Some("oncall")).unwrap();
    assert_eq!(yes(&first, "bo", Some("finance")), Err(BallotError::Voted));
    assert!(!grants(&first, &["approval:finance", "approval:oncall"]));
    let second = yes(&first, "ana", None).unwrap();
    assert!(grants(&second, &["approval:finance", "approval:oncall"]));
}

#[test]
fn an_answer_that_does_not_count_changes_nothing_and_says_why() {
    let question = asked(&["approval:finance:2"]);
    let pass = |by: &str, answer| ballot(&question, by, Strength::Passkey, answer);
    let another = asked(&["approval:finance"]);
    let denied = question.answered(&pass("ana", YesOrNo::No("no".into())), NOW, 3, &File).unwrap();
    let lapsed = NOW.plus(Duration::from_secs(60));
    for (what, found, wanted) in [
        (
            "of another group",
            question.answered(&pass("cy", YesOrNo::Yes(None)), NOW, 3, &File),
            BallotError::NotAsked,
        ),
        (
            "for a group that is not asked",
            question.answered(&pass("bo", YesOrNo::Yes(Some("oncall".parse().unwrap()))), NOW, 3, &File),
            BallotError::NotAsked,
        ),
        (
            "no of whoever is not asked",
            question.answered(&pass("cy", YesOrNo::No("".into())), NOW, 3, &File),
            BallotError::NotAsked,
        ),
        (
            "too weak",
            question.answered(
                &ballot(&question, "ana", Strength::Session, YesOrNo::Yes(None)),
                NOW,
                3,
                &File,
            ),
            BallotError::TooWeak(Strength::Passkey),
        ),
        (
            "to another question",
            question.answered(&ballot(&another, "ana", Strength::Passkey, YesOrNo::Yes(None)), NOW, 3, &File),
            BallotError::OtherShown,
        ),
        (
            "too late",
            question.answered(&pass("ana", YesOrNo::Yes(None)), lapsed, 3, &File),
            BallotError::Lapsed,
        ),
        (
            "after a no",
            denied.answered(&pass("bo", YesOrNo::Yes(None)), NOW, 3, &File),
            BallotError::Settled("denied"),
        ),
    ] {
        assert_eq!(found, Err(wanted), "{what}");
    }
}

#[test]
fn a_yes_lets_go_exactly_what_was_approved_and_nothing_later() {
    let approved = yes(&asked(&["approval:finance"]), "ana", None).unwrap();
    let good = controls(&["approval:finance"]);
    let State::Approved(Yes { until, .. }) = approved.state else { panic!("{approved:?}") };
    for (what, controls, shape, now, stops, granted) in [
        ("the same", &good, [9; 32], NOW, 3, true),
        ("less is asked now", &Vec::new(), [9; 32], NOW, 3, true),
        ("more people are asked now", &controls(&["approval:finance:2"]), [9; 32], NOW, 3, false),
        ("another group is asked now", &controls(&["approval:oncall"]), [9; 32], NOW, 3, false),
        ("another tool", &good, [8; 32], NOW, 3, false),
        ("the last moment", &good, [9; 32], Timestamp(until.0 - 1), 3, true),
        ("too late", &good, [9; 32], until, 3, false),
        ("something was stopped since", &good, [9; 32], NOW, 4, false),
    ] {
        assert_eq!(approved.grants(controls, &Shape(shape), now, stops, &File), granted, "{what}");
    }
    assert!(!approved.grants(&good, &Shape([9; 32]), NOW, 3, &Nobody), "who may not any more, did not");
}

#[test]
fn a_yes_is_for_one_call_and_comes_back_to_it_alone() {
    let [one, other] = [1, 2].map(|n| CallId::from_random([n; 12]));
    let approved = yes(&asked(&["approval:finance"]), "ana", None).unwrap();
    let used = approved.used(one).unwrap();
    assert!(!grants(&used, &["approval:finance"]));
    assert_eq!(used.used(other), None, "used twice");
    assert_eq!(used.returned(other), None);
    assert_eq!(used.returned(one).as_ref(), Some(&approved));
    assert_eq!(asked(&["approval:finance"]).used(one), None, "nobody has said yes");
}

#[test]
fn what_is_shown_changes_with_everything_that_will_run() {
    let question = asked(&["approval:finance"]);
    let mut all = vec![question.shown()];
    for changed in [
        Approval { arguments: r#"{"id":"43"}"#.to_owned(), ..question.clone() },
        Approval { meta: r#"{"id":"42"}"#.to_owned(), arguments: "{}".to_owned(), ..question.clone() },
        Approval { action: "crm/delete_users".parse().unwrap(), ..question.clone() },
        Approval { shape: Shape([8; 32]), ..question.clone() },
        Approval { agent: "bots".parse().unwrap(), ..question.clone() },
        Approval { controls: controls(&["approval:oncall"]), ..question.clone() },
        Approval { digest: Digest([5; 32]), ..question.clone() },
        Approval { id: CallId::from_random([2; 12]), ..question.clone() },
    ] {
        assert!(!all.contains(&changed.shown()), "{changed:?}");
        all.push(changed.shown());
    }
    // Votes are not part of it: who comes second sees the same.
    assert_eq!(
        yes(&asked(&["approval:finance:2"]), "ana", None).unwrap().shown(),
        asked(&["approval:finance:2"]).shown()
    );
}

proptest! {
    /// Whoever answers what in which order: a yes stands on enough different people, each for one group.
    #[test]
    fn no_order_of_answers_makes_a_yes_of_too_few(
        answers in prop::collection::vec((0..4_usize, 0..3_usize, 0..3_usize, any::<bool>()), 0..24),
        finance in 1..3_u8,
    ) {
        let wanted = [format!("approval:finance:{finance}"), "approval:oncall".to_owned()];
        let wanted: Vec<_> = wanted.iter().map(String::as_str).collect();
        let mut question = asked(&wanted);
        for (who, group, strength, says_yes) in answers {
            let by = ["ana", "bo", "cy", "di"][who];
            let group = [None, Some("finance"), Some("oncall")][group].map(|group| group.parse().unwrap());
            let answer = if says_yes { YesOrNo::Yes(group) } else { YesOrNo::No("".into()) };
            let ballot = ballot(&question, by, Strength::ALL[strength], answer);
            if let Ok(answered) = question.answered(&ballot, NOW, 3, &File) {
                prop_assert_eq!(&question.state, &State::Pending);
                question = answered;
            }
            let people: BTreeSet<_> = question.votes.iter().map(|vote| &vote.by).collect();
            prop_assert_eq!(people.len(), question.votes.len());
            if grants(&question, &wanted) {
                let of = |group: &str| question.votes.iter().filter(|vote| vote.group.as_str() == group).count();
                prop_assert!(of("finance") >= usize::from(finance) && of("oncall") >= 1);
            }
        }
    }
}
