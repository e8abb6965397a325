//! The way on which calls are judged, held against an oracle that knows the rules and nothing of Cedar.
//!
//! Random agents, guards, conditions and tools make a policy; random calls of random arguments are judged by it,
//! slices, views and all, and by a plain walk over all rules (`oracle.rs`). Both must agree in everything that is
//! said: the decision, the controls, the reason with its words, and the policies that decided. A tool's definition
//! is known when the policy is loaded, or comes with its first call, or is another one by then.
//!
//! `PLACET_POLICY_ROUNDS` says how many calls, `PLACET_POLICY_SEED` from which seed; a case that fails is shrunk,
//! printed, and kept beside this file to be run first from then on.

#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "a test that cannot go on should say so and end"
)]

mod call;
mod condition;
mod dice;
mod facts;
mod oracle;
mod tool;
mod world;

use std::{cell::RefCell, collections::BTreeMap};

use placet_engine::{
    cost::Amount,
    decision::DenyReason,
    names::{Action, AgentName},
    policy::{Judged, Policy, PolicyError, Seen},
};
use proptest::{
    prelude::*,
    test_runner::{FileFailurePersistence, RngAlgorithm, TestRng, TestRunner},
};

use call::Given;
use dice::Dice;
use tool::Tool;
use world::{ACTIONS, AGENTS, World};

/// How many calls each policy judges.
const CALLS: u32 = 4;

fn rounds() -> u32 {
    std::env::var("PLACET_POLICY_ROUNDS").map_or(2_000, |rounds| rounds.parse().unwrap())
}

/// What the engine says of one call.
fn judged(policy: &Policy, agent: &str, action: &str, given: &Given<'_>) -> Judged {
    let labels = given.labels.iter().map(|label| label.parse().unwrap()).collect();
    let cost = |unit: &str| {
        assert_eq!(unit, "usd");
        let cost = given.cost.ok_or_else(|| DenyReason::CostUnknown("nobody knows".to_owned()))?;
        Ok(Amount(u64::try_from(cost).unwrap()))
    };
    let seen = Seen {
        definition: &given.tool.definition,
        arguments: &given.arguments,
        dry_run: given.dry_run,
        now: given.now(),
        steps: given.steps,
        labels: &labels,
        cost: &cost,
    };
    let (agent, action): (AgentName, Action) = (agent.parse().unwrap(), action.parse().unwrap());
    policy.judge_call(&agent, &action, &seen)
}

/// What came about, in a word.
fn word(judged: &Judged) -> &'static str {
    match judged {
        Judged::Granted { controls, .. } if controls.is_empty() => "allow",
        Judged::Granted { .. } => "ask",
        Judged::Refused { reason, .. } => reason.code().as_str(),
    }
}

/// Makes a policy and calls of these numbers, and lets both judge them.
fn one(numbers: &[u16], saw: &mut impl FnMut(&'static str)) {
    let mut dice = Dice(numbers.iter());
    let world = World::random(&mut dice);
    let policy = match (Policy::compile(world.rules(), world.catalogue()), oracle::loads(&world)) {
        (Ok(policy), true) => policy,
        (Err(PolicyError::Rules(_)), false) => return saw("does not load"),
        (found, loads) => panic!("should load: {loads}, but {:?}\n{}", found.map(drop), shown(&world)),
    };
    for _ in 0..CALLS {
        // Mostly agents and tools that there are.
        let agent = if dice.one_in(8) { dice.pick(&AGENTS) } else { dice.pick(&world.known_agents()) };
        let action = if dice.one_in(8) { dice.pick(&ACTIONS) } else { dice.pick(&world.known_actions()) };
        let accepted = world.tools.get(action).map(|(tool, _)| tool.clone());
        let tool = match accepted {
            Some(tool) if !dice.one_in(8) => tool,
            accepted => {
                // The operator has accepted another definition since, which changes neither level nor cost.
                let (level, usd) = accepted
                    .map_or((placet_engine::level::Level::Read, false), |tool| (tool.level, tool.usd));
                Tool::random(&mut dice, level, usd)
            }
        };
        let given = Given::random(&mut dice, &tool);
        let want = oracle::judge(&world, agent, action, &given);
        let about =
            || format!("{agent} calls {action} with {}\n{given:?}\n{}", given.arguments, shown(&world));
        assert_eq!(judged(&policy, agent, action, &given), want, "{}", about());
        saw("judged");
        saw(word(&want));
        if let Judged::Refused { policies, .. } = &want
            && policies.iter().any(|id| id.ends_with(".missing"))
        {
            saw("something is missing");
        }
    }
}

fn shown(world: &World) -> String {
    let conditions: Vec<_> = world
        .guards
        .iter()
        .map(|rule| rule.when.as_ref().map(|(cond, asks)| cond.print(asks)).unwrap_or_default())
        .collect();
    format!("{}\n{world:#?}", conditions.join("\n"))
}

#[test]
fn the_engine_says_what_the_rules_mean() {
    let config = ProptestConfig {
        cases: rounds().div_ceil(CALLS),
        max_shrink_iters: 8_192,
        failure_persistence: Some(Box::new(FileFailurePersistence::Direct(
            "tests/policy_oracle/failures.txt",
        ))),
        ..ProptestConfig::default()
    };
    let seed = std::env::var("PLACET_POLICY_SEED").map_or(1, |seed| seed.parse::<u64>().unwrap());
    println!("seed {seed}");
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let mut runner = TestRunner::new_with_rng(config, rng);
    let seen = RefCell::new(BTreeMap::<&str, usize>::new());
    let result = runner.run(&prop::collection::vec(any::<u16>(), 200..700), |numbers| {
        one(&numbers, &mut |what| *seen.borrow_mut().entry(what).or_default() += 1);
        Ok(())
    });
    if let Err(failure) = result {
        panic!("{failure}");
    }
    let seen = seen.into_inner();
    println!("{seen:?}");
    // An agreement about nothing proves nothing.
    if rounds() >= 2_000 {
        for what in COMES_ABOUT {
            assert!(seen.contains_key(what), "`{what}` never came about: {seen:?}");
        }
    }
}

/// What comes about in two thousand calls.
const COMES_ABOUT: [&str; 11] = [
    "judged",
    "does not load",
    "allow",
    "ask",
    "not_granted",
    "denied",
    "fact_missing",
    "fact_error",
    "cost_unknown",
    "policy_error",
    "something is missing",
];
