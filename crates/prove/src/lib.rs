//! Proofs about a policy: what is true of every call that it allows, and what a change of it changes.
//!
//! The engine judges one call. Here all calls of an agent and a tool are looked at together: the slice by which the
//! engine judges them ([`placet_engine::policy::slice`]) becomes a question for an SMT solver, whose no is a proof
//! and whose yes is a call. Each such call is put before the engine itself; what that does not bear out is said to
//! be so, and never hidden. What was not answered is not proved: without a solver nothing is.
//!
//! This crate starts a process (`cvc5`) and waits for it, so it is none of the engine's, and on no call's way.
//! Start at [`prove()`], [`invariants_hold`] and [`diff()`]; the question itself is in `question.rs`.

mod call;
mod diff;
mod expression;
mod invariant;
mod possible;
mod question;
mod seek;
mod solver;
mod told;

pub use self::{
    call::Sought,
    diff::{Change, Changes, Kind, Shown, Uncompared, diff},
    invariant::{Broken, Doubt, Proof, Proofs, Refuted, Unproved, Verdict, invariants_hold, prove},
    solver::{Effort, NoSolver, PACKAGE, Timings, Why},
};

use placet_engine::{json::Json, names::Action};

/// What is known of the tools besides the policy: the schema of a tool's arguments as its server wrote it, by which
/// a call is completed that a proof came upon. Nothing is less proved without it.
pub trait Schemas: Sync {
    /// The schema, if it is known.
    fn of(&self, action: &Action) -> Option<Json>;
}

impl<F: Fn(&Action) -> Option<Json> + Sync> Schemas for F {
    fn of(&self, action: &Action) -> Option<Json> {
        self(action)
    }
}

/// Runs it on a thread of its own: whoever calls may be inside a runtime, in which another cannot wait.
fn apart<T: Send>(work: impl FnOnce() -> T + Send) -> Option<T> {
    std::thread::scope(|scope| scope.spawn(work).join().ok())
}

#[cfg(test)]
mod tests;
