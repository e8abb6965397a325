//! Groups of approvers, and people of whom enough may say yes.

use super::{
    super::super::{
        Approvers, Control, Credential, Guard, GuardEffect, OwnCalls, Person, Right, Strength, terms,
    },
    name,
};
use crate::names::{GroupName, PersonName};
use proptest::{collection, option, prelude::*, sample};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};
use terms::{Budget, Over};

pub(super) fn approvers() -> impl Strategy<Value = BTreeMap<GroupName, Approvers>> {
    let group = (
        1..=Approvers::EXPIRES_MAX.as_secs(),
        sample::select(&Strength::ALL[..]),
        sample::select(&OwnCalls::ALL[..]),
    );
    let group = group.prop_map(|(seconds, strength, own)| Approvers {
        expires: Duration::from_secs(seconds),
        strength,
        own,
    });
    collection::btree_map("[a-z]{1,5}".prop_map(|group| name(&group)), group, 0..3)
}

/// An address, rights without a group, and whether there are some with one.
pub(super) type Draft = (Option<String>, Vec<Right>, bool);

pub(super) fn drafts() -> impl Strategy<Value = BTreeMap<String, Draft>> {
    let draft = (option::of("[a-z]{1,3}"), sample::subsequence(&Right::PLAIN[..], 0..=7), any::<bool>());
    collection::btree_map("[a-z][a-z0-9_-]{0,5}", draft, 0..3)
}

/// People who differ in what they may, of whom each may approve for every group: none, or as many as are asked.
pub(super) fn answering(
    drafts: BTreeMap<String, Draft>,
    guards: &[Guard],
    budgets: &[Budget],
    approvers: &BTreeMap<GroupName, Approvers>,
) -> BTreeMap<PersonName, Person> {
    let guards = guards.iter().flat_map(|guard| match &guard.effect {
        GuardEffect::Require(controls) => controls.clone(),
        GuardEffect::Forbid(_) => Vec::new(),
    });
    let budgets = budgets.iter().filter_map(|budget| match &budget.over {
        Over::Ask(control) => Some(control.clone()),
        Over::Deny => None,
    });
    let (mut groups, mut most) = (Vec::from_iter(approvers.keys().cloned()), 0);
    for Control::Approval { group, votes, .. } in guards.chain(budgets) {
        groups.push(group);
        most = most.max(usize::from(votes));
    }
    let mut all: BTreeMap<PersonName, Person> = BTreeMap::new();
    for (called, (email, may, approves)) in drafts {
        let email = email.map(|local| format!("{local}@{called}.example").replace('_', "-"));
        let groups = groups.iter().filter(|_| approves || most > 0).cloned().map(Right::Approve);
        let person = Person {
            email: email.and_then(|email| email.parse().ok()),
            credential: approves.then_some(Credential([called.len() as u8; 32])).filter(|_| all.is_empty()),
            may: may.into_iter().chain(groups).collect(),
            line: 3,
        };
        all.insert(name(&called), person);
    }
    let missing = if all.is_empty() { 0 } else { most.saturating_sub(all.len()) };
    let may: BTreeSet<Right> = groups.into_iter().map(Right::Approve).collect();
    all.extend((0..missing).map(|number| {
        (
            name(&format!("person-number-{number}")),
            Person { email: None, credential: None, may: may.clone(), line: 4 },
        )
    }));
    all
}
