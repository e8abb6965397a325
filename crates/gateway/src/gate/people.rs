//! What people do at the gate: stop and resume, have another policy in force, say what became of a call, end a session, have values erased, and
//! what is done when the store has failed and works again.

use std::{sync::Arc, time::Duration};

use placet_engine::{
    budget::Account,
    call::CallId,
    decide::{self, Engine},
    permit::{Durable, Queued},
    policy::Policy,
    record::{Kind, Record},
    session::SessionKey,
    state::{Advance, Needs},
    stop::{Leaves, Scope, Stop},
    time::Timestamp,
};
use placet_store::{
    Store, StoreError,
    sqlite::{Erased, Erasure, Sqlite},
};

use super::{AfterStop, Gate, MEND_PAUSE, Out};

/// How long it is erased before whoever asked is told how far it has come.
const ERASE_TURN: Duration = Duration::from_secs(1);

/// What a stop came to.
#[derive(Debug)]
pub struct Stopped {
    /// Calls that were out already.
    pub out: Vec<Out>,
    /// Whether the store has it; if not, it holds until this process ends.
    pub kept: Result<(), StoreError>,
}

impl<S: Store> Gate<S> {
    /// Stops a scope: in memory first, then durably. When this returns, no first byte of a call that it covers
    /// leaves any more.
    pub async fn stop(
        &self,
        scope: Scope,
        leaves: Leaves,
        by: &str,
        reason: &str,
        after: AfterStop,
    ) -> Stopped {
        let now = self.clock.now();
        let (by, reason) = (by.to_owned(), reason.to_owned());
        let stop = Stop { scope, leaves, reason, by, since: now.wall };
        self.latch.close(stop.clone());
        let out = self.flights.stopped(&stop, after);
        self.doors.open_all();
        let _one_at_a_time = self.switch.lock().await;
        // A resume that was under way may have opened it since.
        self.latch.close(stop.clone());
        let kept = match self.store.commit::<Durable>(decide::stop(stop, now)).await {
            Ok(_) => self.follow().await,
            Err(error) => Err(error),
        };
        if let Err(StoreError::Unavailable(_)) = &kept {
            self.mend().await;
        }
        Stopped { out, kept }
    }

    /// Whether a scope names anything that this node's policy knows. A session is known by the store alone.
    pub fn covers_something(&self, scope: &Scope) -> bool {
        let engine = self.engine.load();
        let policy = engine.policy();
        match scope {
            Scope::Everything | Scope::Session(_) => true,
            Scope::Team(team) => {
                policy.rules().agents.values().any(|agent| agent.team.as_ref() == Some(team))
            }
            Scope::Agent(agent) => policy.knows(agent),
            Scope::Client(client) => policy.rules().clients.contains(client),
            Scope::Server(server) => policy.catalogue().keys().any(|action| action.server == *server),
            Scope::Tool(pattern) => policy.catalogue().keys().any(|action| pattern.matches(action)),
            Scope::Label(label) => policy.catalogue().values().any(|tool| tool.terms.labels.contains(label)),
        }
    }

    /// Ends the stop of a scope: durably first, then in memory.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if that could not be kept; then it stays stopped.
    pub async fn resume(&self, scope: &Scope, by: &str, reason: &str) -> Result<(), StoreError> {
        let _one_at_a_time = self.switch.lock().await;
        let changes = decide::resume(scope.clone(), by, reason, self.clock.now());
        self.store.commit::<Durable>(changes).await?;
        self.latch.open(scope);
        self.follow().await
    }

    /// The stop of everything in force, wherever it comes from.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the store cannot be asked.
    pub async fn standing(&self) -> Result<Option<Stop>, StoreError> {
        Ok(self.load(&Needs::default()).await?.stop)
    }

    /// Whether a stop of just this scope is in force. Everything can always be resumed: a `STOP` file may have
    /// said it.
    pub async fn is_stopped(&self, scope: &Scope) -> bool {
        *scope == Scope::Everything
            || self.stops().await.is_ok_and(|stops| stops.iter().any(|stop| stop.scope == *scope))
    }

    /// All stops in force.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the store cannot be asked.
    pub async fn stops(&self) -> Result<Vec<Stop>, StoreError> {
        let mut stops = self.store.load(&Needs { stops: true, ..Needs::default() }).await?.stops;
        for unkept in self.latch.unkept() {
            if !stops.iter().any(|stop| stop.scope == unkept.scope) {
                stops.push(unkept);
            }
        }
        Ok(stops)
    }

    /// Says what became of a call whose outcome is unknown.
    ///
    /// # Errors
    ///
    /// [`ResolveError`] says why it cannot be said.
    pub async fn resolve(
        &self,
        call: CallId,
        happened: bool,
        by: &str,
        evidence: &str,
    ) -> Result<(), ResolveError> {
        let intent = self.store.open_intent(call).await.map_err(ResolveError::Store)?;
        let intent = intent.ok_or(ResolveError::NotOpen)?;
        if self.flights.has(call) {
            return Err(ResolveError::UnderWay);
        }
        let changes = decide::resolve(&intent, happened, by, evidence, self.clock.now());
        self.store.commit::<Durable>(changes).await.map(drop).map_err(|error| match error {
            StoreError::Conflict(_) => ResolveError::NotOpen,
            error @ (StoreError::Busy
            | StoreError::Full
            | StoreError::TooLarge(_)
            | StoreError::Unavailable(_)) => ResolveError::Store(error),
        })
    }

    /// Says that a person has looked at what was lost before the store was restored from a backup: calls under
    /// keys that it does not know may be made again.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if that could not be kept.
    pub async fn settle_epoch(&self, by: &str, evidence: &str) -> Result<(), StoreError> {
        let changes = decide::settle_epoch(by, evidence, self.clock.now());
        self.store.commit::<Durable>(changes).await.map(drop)
    }

    /// Ends a session; the next one under its key inherits nothing.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if that could not be kept.
    pub async fn end_session(&self, key: SessionKey, by: &str) -> Result<(), StoreError> {
        let changes = decide::end_session(key, by, self.clock.now());
        self.store.commit::<Durable>(changes).await.map(drop)
    }

    /// Opens an account again that an overrun has closed.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if that could not be kept.
    pub async fn reopen(&self, account: Account, by: &str, reason: &str) -> Result<(), StoreError> {
        let changes = decide::accept_overrun(account, by, reason, self.clock.now());
        self.store.commit::<Durable>(changes).await.map(drop)
    }

    /// Follows the calendar again, after a jump that was not followed.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if that could not be kept; it is followed all the same, until the next start.
    pub async fn accept_clock(&self, by: &str, reason: &str) -> Result<(), StoreError> {
        let doubt = self.clock.doubt().unwrap_or_else(|| "none".to_owned());
        self.clock.accept();
        let changes = decide::accept_clock(&doubt, by, reason, self.clock.now());
        self.store.commit::<Durable>(changes).await.map(drop)
    }

    /// Judges by another policy from now on. Permits given under the old one open nothing any more.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the change could not be kept; then the old policy stays.
    pub async fn apply(&self, policy: Policy, record: Record) -> Result<(), StoreError> {
        let before = self.engine.swap(Arc::new(Engine::new(policy, self.key.clone())));
        if let Err(error) = self.store.commit::<Durable>(decide::advance(Advance::Policy, record)).await {
            self.engine.store(before);
            // What was decided in between was so by a policy that is not in force; it opens nothing either.
            let failed = Record::new(
                Kind::Apply,
                self.clock.now().wall,
                [("failed", "the policy before it stays in force".into())],
            );
            drop(self.store.commit::<Queued>(decide::advance(Advance::Policy, failed)).await);
            if self.follow().await.is_err() {
                self.latch.outdate_policy();
            }
            return Err(error);
        }
        // It is in force, and on disk; a store that cannot be asked any more is no reason to say otherwise.
        if self.follow().await.is_err() {
            self.latch.outdate_policy();
        }
        Ok(())
    }

    /// Tells the latch what the store has: generations, and stops.
    pub(super) async fn follow(&self) -> Result<(), StoreError> {
        let remembered = self.store.load(&Needs { stops: true, ..Needs::default() }).await?;
        self.latch.follow(remembered.stops);
        self.latch.advance(remembered.generations);
        Ok(())
    }

    /// Tries to have a store that failed work again. What it could not keep in the meantime and is known here is
    /// kept then.
    pub(super) async fn mend(&self) {
        let now = self.clock.now();
        {
            let mut mending = self.mending.lock();
            if mending.tried_at.is_some_and(|tried_at| now.boot < tried_at.plus(MEND_PAUSE)) {
                return;
            }
            mending.tried_at = Some(now.boot);
        }
        // Whatever fails in here leaves the store as it is or poisons it again; every call is refused then.
        let Ok(left_open) = self.store.mend().await else { return };
        for intent in left_open.iter().filter(|intent| !self.flights.has(intent.call)) {
            drop(self.store.commit::<Queued>(decide::not_sent(intent, self.clock.now())).await);
        }
        // One that is on disk after all is refused, since it is open no more.
        let unsettled = std::mem::take(&mut self.mending.lock().unsettled);
        for outcome in unsettled {
            drop(self.store.commit::<Queued>(outcome).await);
        }
        for stop in self.latch.unkept() {
            drop(self.store.commit::<Durable>(decide::stop(stop, self.clock.now())).await);
        }
        let unrecorded = std::mem::take(&mut self.mending.lock().unrecorded);
        let record = Record::new(
            Kind::Epoch,
            self.clock.now().wall,
            [
                ("finding", "the store failed, was opened afresh and verified".into()),
                ("refusals_not_recorded", i64::try_from(unrecorded).unwrap_or(i64::MAX).into()),
            ],
        );
        drop(self.note(record).await);
        drop(self.follow().await);
    }
}

impl Gate<Sqlite> {
    /// Erases what is kept beside the records of calls that are over and were allowed longer ago than `older`: from
    /// after the call `from`, for a second or so. Where the last batch ended is `next`; the rest is for another time.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if it is not certain that it was done; asking again is safe.
    pub async fn erase(
        &self,
        older: Duration,
        from: Option<CallId>,
        by: &str,
        reason: &str,
    ) -> Result<Erased, StoreError> {
        let began = self.clock.now();
        let before =
            Timestamp(began.wall.0.saturating_sub(u64::try_from(older.as_micros()).unwrap_or(u64::MAX)));
        let mut sum = Erased { calls: 0, results: 0, open: 0, next: from, is_folded: false };
        loop {
            let now = self.clock.now();
            let record = decide::erase(before, by, reason, now);
            let batch = self.store.erase(Erasure { before, after: sum.next, record }).await?;
            sum = Erased { calls: sum.calls + batch.calls, results: sum.results + batch.results, ..batch };
            if sum.next.is_none() || now.boot.since(began.boot) >= ERASE_TURN {
                return Ok(sum);
            }
        }
    }
}

/// Why it cannot be said what became of a call.
#[derive(Debug)]
pub enum ResolveError {
    /// It is over, or there was none.
    NotOpen,
    /// It is under way.
    UnderWay,
    /// It could not be kept.
    Store(StoreError),
}

impl std::fmt::Display for ResolveError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            ResolveError::NotOpen => f.write_str("there is no such call whose outcome is unknown"),
            ResolveError::UnderWay => f.write_str("the call is under way; its answer will say"),
            ResolveError::Store(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for ResolveError {}
