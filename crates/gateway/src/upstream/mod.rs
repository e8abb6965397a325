//! Upstreams: the only code that reaches a tool, and only by consuming a permit.
//!
//! An upstream makes what it sends from the call inside the permit and from nothing else. It says exactly one
//! of three things: the tool answered; nothing was sent; it was sent and no definite answer came.

pub mod in_process;
pub mod stdio;

use std::{borrow::Cow, fmt, future::Future};

use placet_engine::{
    decide::Outcome,
    json::Json,
    permit::{Durability, Lapse, Permit},
};

use crate::{gate::Leash, latch::Latch};

/// Something that runs tools.
pub trait Upstream: Send + Sync {
    /// What a tool's answer is here.
    type Output: Send;

    /// Runs the call inside `permit`, which is spent at the moment of writing, at `latch`. If `leash` is pulled
    /// the call is given up, as unknown.
    fn run<D: Durability>(
        &self,
        permit: Permit<D>,
        latch: &Latch,
        leash: Leash,
    ) -> impl Future<Output = Ran<Self::Output>> + Send;

    /// An answer as text, from which [`Upstream::from_text`] makes it again.
    fn text(output: &Self::Output) -> Cow<'_, str>;

    /// An answer that was kept; none if it is not one of this upstream's.
    fn from_text(text: &str) -> Option<Self::Output>;

    /// An answer as a value, if it has one: what a trusted server states in it may be believed.
    fn structured(output: &Self::Output) -> Option<Json>;
}

/// What came of running a call.
#[derive(Debug)]
pub enum Ran<T> {
    /// The tool gave a definite answer.
    Answered {
        /// The answer.
        output: T,
        /// What is remembered of it.
        outcome: Outcome,
    },
    /// Nothing was sent, for certain.
    NotSent(NotSent),
    /// It was sent, and no definite answer came; why, in a few words.
    NoAnswer(String),
}

/// Why nothing was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotSent {
    /// The permit ran out, or the world moved: the call is judged again.
    Lapsed(Lapse),
    /// The tool cannot be reached.
    Unavailable(String),
}

impl fmt::Display for NotSent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NotSent::Lapsed(lapse) => lapse.fmt(f),
            NotSent::Unavailable(why) => f.write_str(why),
        }
    }
}
