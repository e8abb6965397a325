//! The gate: the one way from a proposal to a tool.
//!
//! Every surface translates to a [`Proposal`], goes through [`Gate::handle`] and translates the [`Reply`] back.
//! The gate itself decides nothing: it loads what the engine needs, asks, has the answer remembered, and only
//! then lets an upstream run the call, by a permit that is made here and nowhere else.
//!
//! Not here: wires, names on the wire, what a refusal looks like.

use std::sync::Arc;

use arc_swap::ArcSwap;
use placet_engine::{
    approval::ApprovalRequest,
    call::{Call, CallId, DigestKey, Proposal},
    decide::{self, Engine, Outcome, Verdict},
    decision::{Allowed, Decision, Denial, DenyReason, Plan},
    level::Level,
    limits,
    names::ServerName,
    permit::{Durability, Durable, Grant, Permit, Queued},
    policy::{Policy, config::Disclose},
    record::{Kind, Record},
    session::{History, SessionKey},
    state::{Advance, Changes, Ending, Intent, Known, Needs, Remembered},
    stop::{Scope, Stop},
    tool::Offer,
};
use placet_store::{Store, StoreError};

use crate::{
    clock::Clock,
    latch::Latch,
    upstream::{NotSent, Ran, Upstream},
};

/// The choke point: engine, store, latch and clock of one node.
#[derive(Debug)]
pub struct Gate<S> {
    engine: ArcSwap<Engine>,
    store: S,
    latch: Latch,
    key: DigestKey,
    clock: Arc<dyn Clock>,
    /// Stops and resumes, one at a time.
    switch: tokio::sync::Mutex<()>,
}

/// What became of one proposed call.
#[derive(Debug)]
pub struct Reply<T> {
    /// The call that was judged.
    pub call: Arc<Call>,
    /// The tool's level, if there is such a tool.
    pub level: Option<Level>,
    /// How much the agent may be told.
    pub disclose: Disclose,
    /// What became of it.
    pub answer: Answer<T>,
}

/// What became of one proposed call.
#[derive(Debug)]
pub enum Answer<T> {
    /// The tool ran and answered.
    Ran(T),
    /// Nothing ran.
    Refused(Denial),
    /// Nothing ran yet: people are asked.
    Waiting(ApprovalRequest),
    /// A dry run that reached no tool.
    Planned(Plan),
    /// It was sent, and no definite answer came.
    Unknown,
}

impl<S: Store> Gate<S> {
    /// A gate that judges by `policy` and remembers in `store`.
    ///
    /// Intents that an earlier process left open become `unknown`, and what was stopped stays stopped, before
    /// this returns.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if that cannot be written; then nothing is served.
    pub async fn new(
        policy: Policy,
        store: S,
        latch: Latch,
        key: DigestKey,
        clock: Arc<dyn Clock>,
        left_open: &[Intent],
    ) -> Result<Self, StoreError> {
        for intent in left_open {
            store.commit::<Queued>(decide::recover(intent, clock.now())).await?;
        }
        let started = Record::new(
            Kind::Start,
            clock.now().wall,
            [
                ("version", env!("CARGO_PKG_VERSION").into()),
                ("policy", policy.digest().into()),
                ("left_open", i64::try_from(left_open.len()).unwrap_or(i64::MAX).into()),
            ],
        );
        store.commit::<Durable>(decide::advance(Advance::Policy, started)).await?;
        let engine = ArcSwap::from_pointee(Engine::new(policy));
        let gate = Self { engine, store, latch, key, clock, switch: tokio::sync::Mutex::default() };
        gate.follow().await?;
        Ok(gate)
    }

    /// The engine of this moment.
    pub fn engine(&self) -> arc_swap::Guard<Arc<Engine>> {
        self.engine.load()
    }

    /// The store.
    pub fn store(&self) -> &S {
        &self.store
    }

    /// The latch at which permits are spent.
    pub fn latch(&self) -> &Latch {
        &self.latch
    }

    /// The clock.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    /// Judges one proposal and, if it is allowed, has `upstream` run it.
    ///
    /// `offer` says what the connection that would carry the call offers at that moment.
    pub async fn handle<U: Upstream>(
        &self,
        proposal: Proposal,
        offer: impl Fn() -> Offer + Send,
        upstream: &U,
    ) -> Reply<U::Output> {
        let call = Arc::new(Call::new(draw(), proposal, &self.key));
        let answer = self.answer(&call, &offer, upstream).await;
        let engine = self.engine.load();
        Reply {
            level: engine.policy().level(&call.action),
            disclose: engine.policy().disclose(&call.agent),
            call,
            answer,
        }
    }

    async fn answer<U: Upstream>(
        &self,
        call: &Arc<Call>,
        offer: &(impl Fn() -> Offer + Send),
        upstream: &U,
    ) -> Answer<U::Output> {
        for _ in 0..limits::DECIDE_ATTEMPTS {
            let remembered = match self.load(&Engine::needs(call)).await {
                Ok(remembered) => remembered,
                Err(error) => return unremembered(&error),
            };
            // After the store, so that a new generation is never judged by the old policy (see `apply`).
            let engine = self.engine.load_full();
            let known = Known { remembered, offer: offer() };
            let Verdict { decision, changes } = engine.decide(call, &known, self.clock.now());
            let ran = match decision {
                Decision::Allow(Allowed::Read(grant)) => self.run(grant, changes, upstream).await,
                Decision::Allow(Allowed::Effect(grant)) => self.run(grant, changes, upstream).await,
                Decision::Ask(request) => match self.store.commit::<Durable>(changes).await {
                    Ok(_) => return Answer::Waiting(request),
                    Err(error) => Err(error),
                },
                // A refusal or a plan stands whether or not its record could be queued.
                Decision::Deny(denial) => {
                    drop(self.store.commit::<Queued>(changes).await);
                    return Answer::Refused(denial);
                }
                Decision::Plan(plan) => match self.store.commit::<Queued>(changes).await {
                    Ok(_) => return Answer::Planned(plan),
                    Err(error) => Err(error),
                },
            };
            match ran {
                Ok(Ran::Answered { output, outcome }) => {
                    self.settle(&engine, call, &outcome).await;
                    return Answer::Ran(output);
                }
                Ok(Ran::NoAnswer(why)) => {
                    let outcome = Outcome { ending: Ending::Unknown, note: Some(why), bytes: None };
                    self.settle(&engine, call, &outcome).await;
                    return Answer::Unknown;
                }
                Ok(Ran::NotSent(not_sent)) => {
                    let note = Some(not_sent.to_string());
                    self.settle(&engine, call, &Outcome { ending: Ending::NotSent, note, bytes: None }).await;
                    match not_sent {
                        NotSent::Lapsed(_) => {}
                        NotSent::Unavailable(why) => {
                            return Answer::Refused(Denial::because(DenyReason::UpstreamUnavailable(why)));
                        }
                    }
                }
                Err(StoreError::Conflict(_)) => {}
                Err(error) => return unremembered(&error),
            }
        }
        Answer::Refused(Denial::because(DenyReason::Busy))
    }

    /// Has the allowance remembered, and then, holding the receipt, the tool run.
    async fn run<D: Durability, U: Upstream>(
        &self,
        grant: Grant<D>,
        changes: Changes,
        upstream: &U,
    ) -> Result<Ran<U::Output>, StoreError> {
        let receipt = self.store.commit::<D>(changes).await?;
        #[expect(clippy::disallowed_methods, reason = "this is the gate")]
        let permit = Permit::new(grant, receipt);
        match permit {
            Ok(permit) => Ok(upstream.run(permit, &self.latch).await),
            Err(_) => Err(StoreError::Unavailable("it answered for another call".to_owned())),
        }
    }

    /// Keeps how a call ended. If that fails the call stays open and the next start reports it as unknown,
    /// which is the truth of what is then known.
    async fn settle(&self, engine: &Engine, call: &Call, outcome: &Outcome) {
        let changes = engine.settle(call, outcome, self.clock.now());
        match engine.policy().level(&call.action) {
            Some(Level::Delete) => drop(self.store.commit::<Durable>(changes).await),
            Some(Level::Read | Level::Write | Level::Execute) | None => {
                drop(self.store.commit::<Queued>(changes).await);
            }
        }
    }

    async fn load(&self, needs: &Needs) -> Result<Remembered, StoreError> {
        let mut remembered = self.store.load(needs).await?;
        // What this process was told to stop counts even if the store could not keep it.
        remembered.stop = remembered.stop.or_else(|| self.latch.standing());
        Ok(remembered)
    }

    /// Tells the latch what the store has: generations, and a stop that an earlier process left.
    async fn follow(&self) -> Result<(), StoreError> {
        let remembered = self.store.load(&Needs::default()).await?;
        self.latch.advance(remembered.generations);
        if let Some(stop) = remembered.stop {
            self.latch.close(stop);
        }
        Ok(())
    }

    /// The last steps of a session.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if they cannot be read.
    pub async fn history(&self, session: SessionKey) -> Result<History, StoreError> {
        let needs = Needs { session: Some(session), question: None, history: true };
        Ok(self.store.load(&needs).await?.history)
    }

    /// Stops everything: in memory first, then durably.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the stop could not be kept. It holds all the same, until this process ends.
    pub async fn stop(&self, by: &str, reason: &str) -> Result<(), StoreError> {
        let now = self.clock.now();
        let stop = || Stop {
            scope: Scope::Everything,
            reason: reason.to_owned(),
            by: by.to_owned(),
            since: now.wall,
        };
        self.latch.close(stop());
        let _one_at_a_time = self.switch.lock().await;
        // A resume that was under way may have opened it since.
        self.latch.close(stop());
        self.store.commit::<Durable>(decide::stop(by, reason, now)).await?;
        self.follow().await
    }

    /// Ends a stop: durably first, then in memory.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if that could not be kept; then everything stays stopped.
    pub async fn resume(&self, by: &str, reason: &str) -> Result<(), StoreError> {
        let _one_at_a_time = self.switch.lock().await;
        self.store.commit::<Durable>(decide::resume(by, reason, self.clock.now())).await?;
        self.latch.open();
        self.follow().await
    }

    /// The stop in force, wherever it comes from.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the store cannot be asked.
    pub async fn standing(&self) -> Result<Option<Stop>, StoreError> {
        Ok(self.load(&Needs::default()).await?.stop)
    }

    /// Judges by another policy from now on. Permits given under the old one open nothing any more.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the change could not be kept; then the old policy stays.
    pub async fn apply(&self, policy: Policy, record: Record) -> Result<(), StoreError> {
        let before = self.engine.swap(Arc::new(Engine::new(policy)));
        if let Err(error) = self.store.commit::<Durable>(decide::advance(Advance::Policy, record)).await {
            self.engine.store(before);
            return Err(error);
        }
        self.follow().await
    }

    /// What a server offers has changed: decisions made before open nothing any more.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if that could not be kept.
    pub async fn catalogue_changed(&self, server: &ServerName) -> Result<(), StoreError> {
        let now = self.clock.now().wall;
        let record = Record::new(
            Kind::Catalogue,
            now,
            [
                ("server", server.as_str().into()),
                ("finding", "the server says that its list of tools changed".into()),
            ],
        );
        self.store.commit::<Queued>(decide::advance(Advance::Catalogue, record)).await?;
        self.follow().await
    }

    /// Waits until everything that was queued before is on disk.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if that is not certain.
    pub async fn flush(&self) -> Result<(), StoreError> {
        self.store.commit::<Durable>(Changes::default()).await.map(drop)
    }

    /// Keeps a record that is about no decision.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if it could not be queued.
    pub async fn note(&self, record: Record) -> Result<(), StoreError> {
        let changes = Changes { records: vec![record], ..Changes::default() };
        self.store.commit::<Queued>(changes).await.map(drop)
    }
}

fn unremembered<T>(error: &StoreError) -> Answer<T> {
    Answer::Refused(Denial::because(match error {
        StoreError::Busy | StoreError::Conflict(_) => DenyReason::Busy,
        StoreError::Unavailable(_) => DenyReason::StoreUnavailable,
    }))
}

/// A new identifier. Without randomness there is none, and without one nothing is judged.
fn draw() -> CallId {
    let mut bytes = [0; 12];
    #[expect(
        clippy::expect_used,
        reason = "a system without randomness cannot make unguessable identifiers"
    )]
    getrandom::fill(&mut bytes).expect("the system gives random bytes");
    CallId::from_random(bytes)
}
