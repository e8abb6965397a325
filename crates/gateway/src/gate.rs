//! The gate: the one way from a proposal to a tool.
//!
//! Every surface translates to a [`Proposal`], goes through [`Gate::handle`] and translates the [`Reply`] back.
//! The gate itself decides nothing: it loads what the engine needs, asks, has the answer remembered, and only
//! then lets an upstream run the call, by a permit that is made here and nowhere else.
//!
//! What people do (stop, resume, clear up) is in `people`; how they are asked and waited for, in `asking`; calls that
//! are out, in `flights`; the same call twice, in `same`. Not here: wires, names on the wire, what a refusal looks like.

mod asking;
mod flights;
mod pause;
mod people;
mod same;

use std::{sync::Arc, time::Duration};

use arc_swap::ArcSwap;
pub use asking::AnswerError;
use asking::Doors;
pub use flights::{AfterStop, Leash, Out};
use flights::{Airborne, Flights, Landing};
use parking_lot::Mutex;
pub use pause::{Pause, PauseError};
pub use people::{ResolveError, Stopped};
use placet_engine::{
    approval::ApprovalRequest,
    call::{Call, CallId, DigestKey, Proposal},
    decide::{self, Engine, Outcome, Verdict},
    decision::{Allowed, Decision, Denial, DenyReason, Plan},
    json::Json,
    level::Level,
    limits,
    names::{Action, ServerName},
    once::Kept,
    permit::{Durability, Durable, Grant, Permit, Queued},
    policy::{Policy, config::Disclose},
    record::{Kind, Record},
    session::{History, SessionKey},
    state::{Advance, Changes, Ending, Intent, Known, Needs, Remembered, StopChange},
    time::{BootInstant, Timestamp},
    tool::Offer,
};
use placet_ledger::commit::Salt;
use placet_store::{Store, StoreError};
use same::again;
use tokio::time::Instant;

use crate::{
    clock::Clock,
    commitment,
    latch::Latch,
    upstream::{NotSent, Ran, Upstream},
};

/// The largest result, in bytes, of which a digest is recorded and by which a loop is recognised.
const DIGESTED: usize = 1 << 20;

/// How long after a store that failed could not be mended it is tried again.
const MEND_PAUSE: Duration = Duration::from_secs(1);

/// The choke point: engine, store, latch and clock of one node.
#[derive(Debug)]
pub struct Gate<S> {
    engine: ArcSwap<Engine>,
    store: S,
    latch: Latch,
    key: DigestKey,
    clock: Arc<dyn Clock>,
    flights: Arc<Flights>,
    /// How long a call waits for the same one.
    patience: Duration,
    /// Where calls wait for people, and how long.
    doors: Doors,
    asks: Duration,
    /// Stops and resumes, one at a time.
    switch: tokio::sync::Mutex<()>,
    /// Whether policy is only watched at the moment.
    paused: Mutex<Option<Pause>>,
    /// When the store was last tried to be mended, and what could not be recorded until then.
    mending: Mutex<Mending>,
}

#[derive(Debug, Default)]
struct Mending {
    tried_at: Option<BootInstant>,
    unrecorded: u64,
    /// Outcomes that could not be kept, for when they can.
    unsettled: Vec<Changes>,
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
    /// The same call was made before, by this one; its answer.
    Replayed(CallId, T),
    /// Nothing ran.
    Refused(Denial),
    /// Nothing ran yet: people are asked.
    Waiting(Box<ApprovalRequest>),
    /// A dry run that reached no tool.
    Planned(Plan),
    /// It was sent, and no definite answer came, or none may be handed on.
    Unknown,
}

/// What one look at a call came to.
enum Turn<T> {
    Answer(Answer<T>),
    /// The world moved: judge again.
    Again,
    /// The same call is out: wait for it.
    Wait(CallId),
    /// A call under the same key is unknown.
    Unclear(CallId),
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
        let engine = ArcSwap::from_pointee(Engine::new(policy, key.clone()));
        let gate = Self {
            engine,
            store,
            latch,
            key,
            clock,
            flights: Arc::default(),
            patience: limits::JOIN_PATIENCE,
            doors: Doors::default(),
            asks: limits::ASK_PATIENCE,
            switch: tokio::sync::Mutex::default(),
            paused: Mutex::default(),
            mending: Mutex::default(),
        };
        gate.follow().await?;
        Ok(gate)
    }

    /// The same, where a call waits so long for the same one that is under way.
    #[must_use]
    pub fn with_patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// The same, where a call waits so long for people before its agent is told that it waits.
    #[must_use]
    pub fn with_asking(self, asks: Duration) -> Self {
        Self { asks, ..self }
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
        offer: impl Fn(&Action) -> Offer + Send + Sync,
        upstream: &U,
    ) -> Reply<U::Output> {
        let (proposal, misfit) = self.forward_key(proposal);
        let offer = |action: &Action| match (offer(action), &misfit) {
            (Offer::Accepted(_), Some(problem)) => Offer::Misfit(problem.as_str().into()),
            (offer, _) => offer,
        };
        let (id, salt) = draw(self.clock.now().wall);
        let call = Arc::new(Call::new(id, proposal, &self.key));
        let answer = self.answer(&call, &salt, &offer, upstream).await;
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
        salt: &Salt,
        offer: &(dyn Fn(&Action) -> Offer + Send + Sync),
        upstream: &U,
    ) -> Answer<U::Output> {
        let (mut looked_up, mut waited) = (false, false);
        let mut asked_until = None;
        // Whoever waited, or looked something up, has the usual number of tries after that.
        let mut tries = limits::DECIDE_ATTEMPTS;
        while tries > 0 {
            tries -= 1;
            match self.turn(call, salt, offer, upstream).await {
                Turn::Answer(Answer::Waiting(request)) => {
                    let until = *asked_until.get_or_insert_with(|| Instant::now() + self.asks);
                    if !self.wait_for_people(&request, until).await {
                        return Answer::Waiting(request);
                    }
                    tries = limits::DECIDE_ATTEMPTS;
                }
                Turn::Answer(answer) => return answer,
                Turn::Again => {}
                Turn::Wait(_) if waited => {
                    return self.refuse(call, offer, DenyReason::InProgress).await;
                }
                Turn::Wait(other) => {
                    waited = true;
                    tries = limits::DECIDE_ATTEMPTS;
                    // One that is not out any more has landed since; the store knows what came of it.
                    let Some(landed) = self.flights.watch(other) else { continue };
                    let Some(landing) = self.flights.wait(landed, self.patience).await else {
                        return self.refuse(call, offer, DenyReason::InProgress).await;
                    };
                    // A key's result is in the store; without one it is only here.
                    if !self.engine.load().is_keyed(call, self.clock.now())
                        && let Some(answer) = self.join::<U>(call, offer, other, landing).await
                    {
                        return answer;
                    }
                }
                Turn::Unclear(other) if looked_up => {
                    return self.refuse(call, offer, DenyReason::OutcomeUnknown(other)).await;
                }
                Turn::Unclear(other) => {
                    looked_up = true;
                    tries = limits::DECIDE_ATTEMPTS;
                    Box::pin(self.look_up(call, other, offer, upstream)).await;
                }
            }
        }
        Answer::Refused(Denial::because(DenyReason::Busy))
    }

    /// Judges a call once, and does what the decision says.
    async fn turn<U: Upstream>(
        &self,
        call: &Arc<Call>,
        salt: &Salt,
        offer: &(dyn Fn(&Action) -> Offer + Send + Sync),
        upstream: &U,
    ) -> Turn<U::Output> {
        let (engine, known) = match self.know(call, offer).await {
            Ok(Some(known)) => known,
            Ok(None) => return Turn::Again,
            Err(error) => return Turn::Answer(self.unremembered(&error).await),
        };
        let Verdict { decision, mut changes } = engine.decide(call, &known, self.clock.now());
        if changes.intent.is_some() && !commitment::bind(&mut changes, salt) {
            return Turn::Answer(Answer::Refused(Denial::because(DenyReason::Bug)));
        }
        let outcome = match decision {
            Decision::Allow(Allowed::Read(grant)) => self.run(&engine, call, grant, changes, upstream).await,
            Decision::Allow(Allowed::Effect(grant)) => {
                self.run(&engine, call, grant, changes, upstream).await
            }
            Decision::Join(other) => return Turn::Wait(other),
            Decision::Deny(Denial { reason: DenyReason::OutcomeUnknown(other), .. }) if other != call.id => {
                return Turn::Unclear(other);
            }
            // Nobody answered in time, and this call is the one that is told.
            Decision::Deny(denial) if changes.question.is_some() => {
                self.keep::<Durable, _>(changes, Answer::Refused(denial)).await
            }
            // A refusal stands whether or not its record could be queued.
            Decision::Deny(denial) => {
                self.keep_refusal(changes).await;
                return Turn::Answer(Answer::Refused(denial));
            }
            Decision::Ask(request) => {
                self.keep::<Durable, _>(changes, Answer::Waiting(Box::new(request))).await
            }
            Decision::Plan(plan) => self.keep::<Queued, _>(changes, Answer::Planned(plan)).await,
            Decision::Replay(replay) => self.keep::<Queued, _>(changes, again::<U>(&replay)).await,
        };
        match outcome {
            Ok(answer) => Turn::Answer(answer),
            Err(Undone::Lapsed | Undone::Store(StoreError::Conflict(_))) => Turn::Again,
            Err(Undone::Store(error)) => Turn::Answer(self.unremembered(&error).await),
        }
    }

    /// What is known of a call, and the engine that it belongs to; none if the policy was swapped meanwhile.
    async fn know(
        &self,
        call: &Call,
        offer: &(dyn Fn(&Action) -> Offer + Send + Sync),
    ) -> Result<Option<(Arc<Engine>, Known)>, StoreError> {
        let engine = self.engine.load_full();
        let remembered = self.load(&engine.needs(call, self.clock.now())).await?;
        // Engines are swapped before the policy's generation moves (see `apply`). So if this one is in place
        // still, the generation that was read is not that of a later policy.
        if !Arc::ptr_eq(&engine, &self.engine.load()) {
            return Ok(None);
        }
        let paused = self.paused().is_some();
        Ok(Some((engine, Known { remembered, offer: offer(&call.action), paused })))
    }

    async fn load(&self, needs: &Needs) -> Result<Remembered, StoreError> {
        let mut remembered = self.store.load(needs).await?;
        // What this process was told to stop counts even if the store could not keep it.
        remembered.stop = remembered.stop.or_else(|| self.latch.standing(needs.about.as_ref()));
        Ok(remembered)
    }

    async fn keep<D: Durability, T>(&self, changes: Changes, answer: Answer<T>) -> Result<Answer<T>, Undone> {
        self.store.commit::<D>(changes).await.map(|_| answer).map_err(Undone::Store)
    }

    /// Has the allowance remembered, and then, holding the receipt, the tool run.
    async fn run<D: Durability, U: Upstream>(
        &self,
        engine: &Engine,
        call: &Arc<Call>,
        grant: Grant<D>,
        changes: Changes,
        upstream: &U,
    ) -> Result<Answer<U::Output>, Undone> {
        let bug = || Undone::Store(StoreError::Unavailable("it answered for another call".to_owned()));
        let Some(mut intent) = changes.intent.clone() else { return Err(bug()) };
        // Before the commit: what is on disk and not out was never sent.
        let airborne = self.flights.begin(call, grant.about().clone(), intent.at);
        let receipt = match self.store.commit::<D>(changes).await {
            Ok(receipt) => receipt,
            Err(error) => {
                airborne.land(Landing::Nothing);
                return Err(Undone::Store(error));
            }
        };
        // Calls that were judged at once may each have meant to begin a session; the store says which one it is.
        receipt.place(&mut intent);
        airborne.place(intent.session);
        #[expect(clippy::disallowed_methods, reason = "this is the gate")]
        let permit = Permit::new(grant, receipt).map_err(|_| bug())?;
        let began = self.clock.now().boot;
        let ran = upstream.run(permit, &self.latch, airborne.leash()).await;
        let elapsed = self.clock.now().boot.since(began);
        match ran {
            Ran::Answered { output, mut outcome } => {
                outcome.elapsed = elapsed;
                self.landed::<U>(engine, &intent, airborne, output, outcome).await
            }
            Ran::NoAnswer(why) => {
                let outcome = Outcome { elapsed, ..Outcome::without_result(Ending::Unknown, why) };
                self.settle(engine, &intent, &outcome, None).await;
                airborne.land(Landing::Unknown);
                Ok(Answer::Unknown)
            }
            Ran::NotSent(not_sent) => {
                let outcome = Outcome::without_result(Ending::NotSent, not_sent.to_string());
                self.settle(engine, &intent, &outcome, None).await;
                airborne.land(Landing::Nothing);
                match not_sent {
                    NotSent::Lapsed(_) => Err(Undone::Lapsed),
                    NotSent::Unavailable(why) => {
                        Ok(Answer::Refused(Denial::because(DenyReason::UpstreamUnavailable(why))))
                    }
                }
            }
        }
    }

    /// The tool has answered: what that means is kept, and those who wait for it are told.
    async fn landed<U: Upstream>(
        &self,
        engine: &Engine,
        intent: &Intent,
        airborne: Airborne,
        output: U::Output,
        mut outcome: Outcome,
    ) -> Result<Answer<U::Output>, Undone> {
        let tool = engine.policy().tool(&intent.action);
        let believes = tool.is_some_and(|tool| !tool.terms.actual.is_empty());
        let structured = if believes { U::structured(&output) } else { None };
        let mut shared = None;
        {
            let text = U::text(&output);
            if text.len() <= DIGESTED {
                outcome.digest = Some(self.key.digest([text.as_bytes()]));
            }
            if intent.joined || intent.claim.is_some() {
                shared = Some(Arc::<str>::from(&*text));
            }
        }
        if intent.claim.is_some() {
            let kept = shared.clone().filter(|text| text.len() <= limits::KEPT_BYTES);
            outcome.kept = Some(kept.map_or(Kept::TooLarge, Kept::Text));
        }
        let is_kept = self.settle(engine, intent, &outcome, structured.as_ref()).await;
        let held = airborne.is_held();
        airborne.land(match shared {
            Some(text) if !held => Landing::Result(text),
            Some(_) => Landing::Unknown,
            None => Landing::Nothing,
        });
        // What a stop holds back, and a delete whose outcome could not be kept, are not told as done.
        if held || (intent.level == Level::Delete && !is_kept) {
            return Ok(Answer::Unknown);
        }
        Ok(Answer::Ran(output))
    }

    /// Keeps how a call ended. If the store has failed that is kept once it works again; if this process ends
    /// first the call stays open and the next start reports it as unknown, which is the truth of what is then
    /// known.
    async fn settle(
        &self,
        engine: &Engine,
        intent: &Intent,
        outcome: &Outcome,
        structured: Option<&Json>,
    ) -> bool {
        let changes = || engine.settle(intent, outcome, structured, self.clock.now());
        let kept = match intent.level {
            Level::Delete => self.store.commit::<Durable>(changes()).await.map(drop),
            Level::Read | Level::Write | Level::Execute => {
                self.store.commit::<Queued>(changes()).await.map(drop)
            }
        };
        if let Err(StoreError::Unavailable(_)) = &kept {
            // There are never more of them than calls that were out when the store failed.
            self.mending.lock().unsettled.push(changes());
        }
        kept.is_ok()
    }

    /// Refuses a call for a reason that arose here.
    async fn refuse<T>(
        &self,
        call: &Arc<Call>,
        offer: &(dyn Fn(&Action) -> Offer + Send + Sync),
        reason: DenyReason,
    ) -> Answer<T> {
        let denial = Denial::because(reason);
        match self.know(call, offer).await {
            Ok(Some((engine, known))) => {
                let denial = Denial { level: engine.policy().level(&call.action), ..denial };
                let Verdict { changes, .. } = engine.refuse(call, &known, self.clock.now(), denial.clone());
                self.keep_refusal(changes).await;
                Answer::Refused(denial)
            }
            Ok(None) => Answer::Refused(denial),
            Err(error) => self.unremembered(&error).await,
        }
    }

    /// Keeps a refusal. It stands whether or not that can be done; a stop that comes with it holds at once.
    async fn keep_refusal(&self, changes: Changes) {
        let kept = if let Some(StopChange::Begin(stop)) = &changes.stop {
            self.latch.close(stop.clone());
            let kept = self.store.commit::<Durable>(changes).await;
            // If it cannot be followed the stop holds all the same, in memory.
            drop(self.follow().await);
            kept.map(drop)
        } else {
            self.store.commit::<Queued>(changes).await.map(drop)
        };
        if kept.is_err() {
            self.mending.lock().unrecorded += 1;
        }
    }

    /// A call that cannot be remembered is not made. If the store has failed, it is tried to be mended, for
    /// the next one.
    async fn unremembered<T>(&self, error: &StoreError) -> Answer<T> {
        Answer::Refused(Denial::because(match error {
            StoreError::Busy | StoreError::Conflict(_) => DenyReason::Busy,
            StoreError::TooLarge(_) => DenyReason::TooLarge("its record".to_owned()),
            StoreError::Full => DenyReason::StoreUnavailable,
            StoreError::Unavailable(_) => {
                self.mend().await;
                DenyReason::StoreUnavailable
            }
        }))
    }

    /// The last steps of a session.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if they cannot be read.
    pub async fn history(&self, session: SessionKey) -> Result<History, StoreError> {
        let needs = Needs { session: Some(session), history: true, ..Needs::default() };
        Ok(self.store.load(&needs).await?.history)
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

/// Why nothing came of a turn.
enum Undone {
    /// The permit opened nothing any more.
    Lapsed,
    /// It could not be remembered.
    Store(StoreError),
}

/// A new identifier, the second in which it is drawn and 64 random bits, and the salt of what is kept of its call.
/// What is drawn together lies together in the store's files; a call that wrote to a page of its own in each table
/// would make them slower the more they hold.
///
/// Without randomness there is none, and without one nothing is judged.
fn draw(now: Timestamp) -> (CallId, Salt) {
    let seconds = u32::try_from(now.0 / 1_000_000 % (1 << 32)).unwrap_or(0).to_be_bytes();
    let mut bytes = [0; 12];
    let mut salt = Salt::default();
    #[expect(
        clippy::expect_used,
        reason = "a system without randomness cannot make unguessable identifiers"
    )]
    getrandom::fill(&mut bytes)
        .and_then(|()| getrandom::fill(&mut salt))
        .expect("the system gives random bytes");
    bytes.iter_mut().zip(seconds).for_each(|(to, from)| *to = from);
    (CallId::from_random(bytes), salt)
}
