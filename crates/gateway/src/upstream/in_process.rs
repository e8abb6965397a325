//! Tools that run inside our own process: two closures, one that runs and one that only says what it would do.
//!
//! A tool that panics is caught: for a read that is a failure, for everything else the outcome is unknown,
//! since nobody knows how far it came.

use std::{
    borrow::Cow,
    collections::BTreeMap,
    future::{Future, poll_fn},
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::Arc,
    task::{Context as Context_, Poll, Waker},
};

use placet_engine::{
    call::{Call, CallId, Mode},
    decide::Outcome,
    json::{Json, Limits, Object, parse},
    level::Level,
    names::{Action, AgentName},
    permit::{Durability, Permit},
    state::Ending,
};

use super::{NotSent, Ran, Upstream};
use crate::{
    clock::Clock,
    gate::Leash,
    latch::{Latch, Passage},
};

/// What a tool is told besides its arguments.
#[derive(Clone, Debug)]
pub struct Context {
    /// The call and the decision about it.
    pub call: CallId,
    /// Who proposed it.
    pub agent: AgentName,
    /// The run in which it was proposed.
    pub session: Option<Arc<str>>,
}

/// What a tool would do.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    summary: Option<String>,
    changes: Vec<Change>,
}

#[derive(Clone, Debug, PartialEq)]
struct Change {
    path: String,
    before: Json,
    after: Json,
}

impl Plan {
    /// A plan that changes nothing.
    pub fn nothing() -> Self {
        Self::default()
    }

    /// A plan that changes one thing: where, from what, to what.
    pub fn change(path: impl Into<String>, before: impl Into<Json>, after: impl Into<Json>) -> Self {
        Self::nothing().and(path, before, after)
    }

    /// The same and one more change.
    #[must_use]
    pub fn and(mut self, path: impl Into<String>, before: impl Into<Json>, after: impl Into<Json>) -> Self {
        self.changes.push(Change { path: path.into(), before: before.into(), after: after.into() });
        self
    }

    /// The same with a sentence for people.
    #[must_use]
    pub fn summary(mut self, summary: impl Into<String>) -> Self {
        self.summary = Some(summary.into());
        self
    }

    /// `{summary?, changes: [{path, before, after}]}`
    pub fn to_json(&self) -> Json {
        let mut plan = Object::new();
        if let Some(summary) = &self.summary {
            plan.insert("summary".to_owned(), Json::from(summary.as_str()));
        }
        let changes = self.changes.iter().map(|change| {
            Json::Object(Object::from([
                ("path", Json::from(change.path.as_str())),
                ("before", change.before.clone()),
                ("after", change.after.clone()),
            ]))
        });
        plan.insert("changes".to_owned(), Json::Array(changes.collect()));
        Json::Object(plan)
    }
}

type Running<T> = Pin<Box<dyn Future<Output = Result<T, String>> + Send>>;
pub(crate) type Run = Arc<dyn Fn(Json, Context) -> Running<Json> + Send + Sync>;
pub(crate) type Planning = Arc<dyn Fn(Json, Context) -> Running<Plan> + Send + Sync>;

/// The closures of one tool.
pub(crate) struct Closures {
    pub(crate) level: Level,
    pub(crate) run: Run,
    pub(crate) plan: Option<Planning>,
}

/// The tools of this process.
pub(crate) struct InProcess {
    pub(crate) tools: BTreeMap<Action, Closures>,
    pub(crate) clock: Arc<dyn Clock>,
}

impl Upstream for InProcess {
    type Output = Json;

    async fn run<D: Durability>(&self, permit: Permit<D>, latch: &Latch, leash: Leash) -> Ran<Json> {
        let (call, bounds) = (Arc::clone(permit.call()), permit.bounds());
        let Some(tool) = self.tools.get(&call.action) else {
            return Ran::NotSent(NotSent::Unavailable("no such tool runs in this process".to_owned()));
        };
        // The first step is taken at the latch: whatever the tool does before it first waits, it does before a
        // stop has returned.
        let begun = match latch.pass(permit, self.clock.now(), |_| begin(tool, &call).map(first_step)) {
            Passage::Passed(begun) => begun,
            Passage::Lapsed(lapse) => return Ran::NotSent(NotSent::Lapsed(lapse)),
            Passage::Blocked(_) => {
                return Ran::NotSent(NotSent::Unavailable("the tool has not declared a dry run".to_owned()));
            }
        };
        let ended = match begun {
            Begun::Ended(ended) => ended,
            Begun::Waits(running) => tokio::select! {
                ended = tokio::time::timeout(bounds.deadline, unpanicked(running)) => match ended {
                    Ok(ended) => ended,
                    Err(_) => {
                        let seconds = bounds.deadline.as_secs();
                        return Ran::NoAnswer(format!("the tool did not answer within {seconds} s"));
                    }
                },
                () = leash.pulled() => return Ran::NoAnswer("it was given up when a person stopped it".to_owned()),
            },
        };
        match ended {
            Ok(Ok(output)) => answered(output, Ending::Succeeded, None),
            Ok(Err(words)) => {
                let failure =
                    Object::from([("ok", Json::from(false)), ("error", Json::from(words.as_str()))]);
                answered(
                    Json::Object(failure),
                    Ending::Failed,
                    Some("the tool said that it failed".to_owned()),
                )
            }
            Err(Panicked) if tool.level == Level::Read => {
                let failure =
                    Object::from([("ok", Json::from(false)), ("error", Json::from("the tool panicked"))]);
                answered(Json::Object(failure), Ending::Failed, Some("the tool panicked".to_owned()))
            }
            Err(Panicked) => Ran::NoAnswer("the tool panicked".to_owned()),
        }
    }

    fn text(output: &Json) -> Cow<'_, str> {
        Cow::Owned(output.compact())
    }

    fn from_text(text: &str) -> Option<Json> {
        parse(text.as_bytes(), &OWN).ok()
    }

    fn structured(output: &Json) -> Option<Json> {
        Some(output.clone())
    }
}

/// What is read again of what a tool of this process has answered.
const OWN: Limits = Limits { bytes: 64 << 20, depth: 256, members: 1_000_000, key_bytes: 64 << 10 };

/// A tool that has taken its first step.
enum Begun {
    Ended(Result<Result<Json, String>, Panicked>),
    Waits(Running<Json>),
}

/// Takes a tool's first step. It is polled again at once, by a task that can be woken.
fn first_step(mut running: Running<Json>) -> Begun {
    let mut nobody = Context_::from_waker(Waker::noop());
    match catch_unwind(AssertUnwindSafe(|| running.as_mut().poll(&mut nobody))) {
        Ok(Poll::Ready(ended)) => Begun::Ended(Ok(ended)),
        Ok(Poll::Pending) => Begun::Waits(running),
        Err(_) => Begun::Ended(Err(Panicked)),
    }
}

/// Calls the closure that the call's mode asks for; nothing of it has happened yet.
fn begin(tool: &Closures, call: &Call) -> Option<Running<Json>> {
    let context = Context { call: call.id, agent: call.agent.clone(), session: call.session.clone() };
    let arguments = call.arguments.value().clone();
    match call.mode {
        Mode::Live => {
            let run = Arc::clone(&tool.run);
            // Inside a future of its own, so that a panic before the first `await` is caught like any other.
            Some(Box::pin(async move { run(arguments, context).await }))
        }
        Mode::DryRun(_) => {
            let plan = Arc::clone(tool.plan.as_ref()?);
            Some(Box::pin(async move { plan(arguments, context).await.map(|plan| plan.to_json()) }))
        }
    }
}

fn answered(output: Json, ending: Ending, note: Option<String>) -> Ran<Json> {
    let bytes = Some(output.compact().len());
    let outcome = Outcome { note, bytes, ..Outcome::without_result(ending, "") };
    Ran::Answered { output, outcome }
}

struct Panicked;

/// Drives a future and catches what it throws.
async fn unpanicked<T>(mut running: Pin<Box<dyn Future<Output = T> + Send>>) -> Result<T, Panicked> {
    poll_fn(move |context| match catch_unwind(AssertUnwindSafe(|| running.as_mut().poll(context))) {
        Ok(Poll::Ready(output)) => Poll::Ready(Ok(output)),
        Ok(Poll::Pending) => Poll::Pending,
        Err(_) => Poll::Ready(Err(Panicked)),
    })
    .await
}
