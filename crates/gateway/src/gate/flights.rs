//! Flights: the calls that this process has let go and that have not landed.
//!
//! Whoever proposes the same call waits here for the first to land, and a stop finds here what is already out,
//! and says what is to become of it.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use parking_lot::Mutex;
use placet_engine::{
    call::{Call, CallId},
    session::SessionId,
    stop::{Coordinates, Stop},
    time::Timestamp,
};
use tokio::sync::watch;

/// All calls of a gate that are out.
#[derive(Debug, Default)]
pub(super) struct Flights {
    out: Mutex<HashMap<CallId, Arc<Flight>>>,
}

/// One call that is out.
#[derive(Debug)]
pub(super) struct Flight {
    call: Arc<Call>,
    about: Mutex<Coordinates>,
    since: Timestamp,
    landed: watch::Sender<Option<Landing>>,
    fate: watch::Sender<AfterStop>,
    held: AtomicBool,
}

/// How a call came down, for those who wait for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Landing {
    /// With a result.
    Result(Arc<str>),
    /// Nobody knows.
    Unknown,
    /// It was not sent, or there is nothing to hand out.
    Nothing,
}

/// What is to become of a call that is out when a stop comes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AfterStop {
    /// It ends, and its result is handed on.
    #[default]
    Drain,
    /// It ends, and its result is recorded but not handed on.
    Hold,
    /// It is given up, as unknown; its server is told.
    Cancel,
}

impl AfterStop {
    /// All of them.
    pub const ALL: [AfterStop; 3] = [AfterStop::Drain, AfterStop::Hold, AfterStop::Cancel];

    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            AfterStop::Drain => "drain",
            AfterStop::Hold => "hold",
            AfterStop::Cancel => "cancel",
        }
    }
}

/// A call that was out when a stop came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Out {
    /// The call.
    pub call: CallId,
    /// Who proposed it.
    pub agent: String,
    /// What it called.
    pub tool: String,
    /// Since when.
    pub since: Timestamp,
}

/// By which a call that runs hears that it is to be given up.
#[derive(Clone, Debug)]
pub struct Leash(Option<watch::Receiver<AfterStop>>);

impl Leash {
    /// One that nobody pulls.
    pub fn loose() -> Self {
        Self(None)
    }

    /// Ends when the call is to be given up; else never.
    pub async fn pulled(&self) {
        if let Some(mut fate) = self.0.clone()
            && fate.wait_for(|fate| *fate == AfterStop::Cancel).await.is_ok()
        {
            return;
        }
        std::future::pending().await
    }
}

impl Flights {
    /// A call is about to go out.
    pub(super) fn begin(
        self: &Arc<Self>,
        call: &Arc<Call>,
        about: Coordinates,
        since: Timestamp,
    ) -> Airborne {
        let flight = Arc::new(Flight {
            call: Arc::clone(call),
            about: Mutex::new(about),
            since,
            landed: watch::Sender::new(None),
            fate: watch::Sender::new(AfterStop::Drain),
            held: AtomicBool::new(false),
        });
        self.out.lock().insert(call.id, Arc::clone(&flight));
        Airborne { flights: Arc::clone(self), flight }
    }

    /// Whether this call is out.
    pub(super) fn has(&self, call: CallId) -> bool {
        self.out.lock().contains_key(&call)
    }

    /// Where to wait for a call, if it is out.
    pub(super) fn watch(&self, call: CallId) -> Option<watch::Receiver<Option<Landing>>> {
        self.out.lock().get(&call).map(|flight| flight.landed.subscribe())
    }

    /// How a call came down; none if it is still out after so long.
    pub(super) async fn wait(
        &self,
        mut landed: watch::Receiver<Option<Landing>>,
        patience: Duration,
    ) -> Option<Landing> {
        let landed = tokio::time::timeout(patience, landed.wait_for(Option::is_some)).await.ok()?;
        // Its place is given up only after it has landed.
        Some(landed.ok().and_then(|landed| landed.clone()).unwrap_or(Landing::Unknown))
    }

    /// The calls that a stop covers; they learn what is to become of them.
    pub(super) fn stopped(&self, stop: &Stop, after: AfterStop) -> Vec<Out> {
        let out = self.out.lock();
        let mut covered: Vec<_> = out.values().filter(|flight| stop.covers(&flight.about.lock())).collect();
        covered.sort_by_key(|flight| (flight.since, flight.call.id));
        covered
            .into_iter()
            .map(|flight| {
                if after != AfterStop::Drain {
                    flight.held.store(true, Ordering::Release);
                }
                flight.fate.send_replace(after);
                Out {
                    call: flight.call.id,
                    agent: flight.call.agent.to_string(),
                    tool: flight.call.action.to_string(),
                    since: flight.since,
                }
            })
            .collect()
    }
}

/// A call that is out for as long as this lives.
pub(super) struct Airborne {
    flights: Arc<Flights>,
    flight: Arc<Flight>,
}

impl Airborne {
    /// In which session its intent is kept, which may be another than was meant.
    pub(super) fn place(&self, session: SessionId) {
        self.flight.about.lock().session = Some(session);
    }

    /// By which it hears that it is to be given up.
    pub(super) fn leash(&self) -> Leash {
        Leash(Some(self.flight.fate.subscribe()))
    }

    /// Whether its result may not be handed on.
    pub(super) fn is_held(&self) -> bool {
        self.flight.held.load(Ordering::Acquire)
    }

    /// Tells those who wait how it came down.
    pub(super) fn land(self, landing: Landing) {
        self.flight.landed.send_replace(Some(landing));
    }
}

impl Drop for Airborne {
    fn drop(&mut self) {
        self.flights.out.lock().remove(&self.flight.call.id);
        self.flight.landed.send_if_modified(|landed| {
            let first = landed.is_none();
            // Whoever carried it was cut off.
            landed.get_or_insert(Landing::Unknown);
            first
        });
    }
}
