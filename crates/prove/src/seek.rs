//! Seeking a call: asking a solver for one until the engine bears it out.
//!
//! A solver is free in what it supposes of facts, so that some of what it finds no call can be. It is asked for
//! another then, with other facts, a few times. That finds calls and proves nothing: a proof is only the solver's no
//! to the question as it was first put.
//!
//! Start at [`seek`].

use std::collections::BTreeMap;

use placet_engine::{names::MatchName, policy::facts::Truth};
use serde_json::Value;

use crate::{
    call::{Maker, Sought},
    expression::{both, contains, context, literal, not},
    possible,
    question::{Answer, Question},
    solver::{Solver, Why},
};

/// How many answers of a solver are tried on the engine before it is given up to find one that stands.
const TRIES: usize = 8;

/// What came of seeking a call.
pub(crate) enum Seeking<T> {
    /// There is none.
    None,
    /// There is one, and the engine says so too.
    Stands(T),
    /// The solver found one that the engine does not bear out, and what the engine says.
    Doubtful(Sought, String),
    /// The solver did not say.
    Untold(Why),
}

/// Asks for a call, and tries what comes on the engine.
pub(crate) fn seek<T>(
    solver: &mut Solver,
    mut question: Question,
    maker: &Maker<'_>,
    attempt: impl Fn(&Sought) -> Result<T, String>,
) -> Seeking<T> {
    let found = match solver.ask(&question) {
        Answer::No => return Seeking::None,
        Answer::Yes(found) => found,
        Answer::Untold(why) => return Seeking::Untold(why),
    };
    // The one that is pleasant to read first, then others, and last the one that was found.
    let certain = question.assumed.len();
    question.assumed.extend(possible::plain(&question.read));
    let mut next = match solver.ask(&question) {
        Answer::Yes(plain) => plain,
        Answer::No | Answer::Untold(_) => {
            question.assumed.truncate(certain);
            found.clone()
        }
    };
    let mut first = None;
    for _ in 0..TRIES {
        let sought = maker.call(Some(&next));
        match attempt(&sought) {
            Ok(stands) => return Seeking::Stands(stands),
            Err(said) => drop(first.get_or_insert((sought, said))),
        }
        let facts = maker.supposed(&next);
        if facts.is_empty() {
            break;
        }
        question.assumed.push(otherwise(&facts));
        match solver.ask(&question) {
            Answer::Yes(other) => next = other,
            Answer::No | Answer::Untold(_) => break,
        }
    }
    let sought = maker.call(Some(&found));
    match attempt(&sought) {
        Ok(stands) => Seeking::Stands(stands),
        Err(said) => {
            let (sought, said) = first.unwrap_or((sought, said));
            Seeking::Doubtful(sought, said)
        }
    }
}

/// Other facts than these.
fn otherwise(facts: &BTreeMap<MatchName, Truth>) -> Value {
    let is = |(name, truth): (&MatchName, &Truth)| {
        let said = |set: &str| contains(context(&[set]), name.as_str());
        match truth {
            Truth::Holds => said("matches"),
            Truth::Absent => both(not(said("matches")), said("absent")),
            Truth::Fails => both(not(said("matches")), not(said("absent"))),
        }
    };
    facts.iter().map(is).reduce(both).map_or_else(|| literal(false), not)
}
