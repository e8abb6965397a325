//! Receipts and permits: typed proof that a call was allowed, and that the allowance is remembered.
//!
//! The chain is `decide` → [`Grant`] → store → [`Receipt`] → gate → [`Permit`] → upstream. Each link is made
//! only from the one before, is neither `Clone` nor `Copy`, and is taken by value; so a tool runs at most once
//! for each recorded decision, and the bytes it gets are those of the call inside the permit.
//!
//! `D` says what the store has done: [`Durable`], on disk; [`Queued`], in its queue, which only the grant of a
//! free read accepts. The compiler tells them apart; `clippy.toml` keeps both constructors to one place each.

use std::{fmt, marker::PhantomData, sync::Arc, time::Duration};

use crate::{
    call::{Call, CallId},
    limits,
    session::SessionId,
    state::Intent,
    stop::{Coordinates, Generations},
    time::{BootInstant, Now},
};

mod sealed {
    pub trait Sealed {}
}

/// What a receipt proves: [`Durable`] or [`Queued`].
pub trait Durability: sealed::Sealed + Send + Sync + 'static {
    /// Whether the store must have the changes on disk before it answers.
    const ON_DISK: bool;
}

/// The changes are on disk.
#[derive(Debug)]
pub enum Durable {}

/// The changes are in the store's queue and will be on disk soon; a crash may lose them.
#[derive(Debug)]
pub enum Queued {}

impl sealed::Sealed for Durable {}
impl sealed::Sealed for Queued {}

impl Durability for Durable {
    const ON_DISK: bool = true;
}

impl Durability for Queued {
    const ON_DISK: bool = false;
}

/// Policy's yes to one call: worth nothing until the store has remembered it.
#[derive(Debug)]
pub struct Grant<D: Durability> {
    call: Arc<Call>,
    decided_at: BootInstant,
    seen: Generations,
    about: Coordinates,
    bounds: Bounds,
    durability: PhantomData<D>,
}

/// How far a call may go once it runs. What it holds of budgets rests on these.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// The most bytes of a result that are handed on.
    pub result_bytes: u64,
    /// How long an answer is waited for.
    pub deadline: Duration,
}

impl<D: Durability> Grant<D> {
    pub(crate) fn new(
        call: Arc<Call>,
        now: Now,
        seen: Generations,
        about: Coordinates,
        bounds: Bounds,
    ) -> Self {
        Self { call, decided_at: now.boot, seen, about, bounds, durability: PhantomData }
    }
}

impl<D: Durability> Grant<D> {
    /// Where the call stands, by which stops find it.
    pub fn about(&self) -> &Coordinates {
        &self.about
    }
}

/// The store's word that it has taken the changes of one call.
#[derive(Debug)]
pub struct Receipt<D: Durability> {
    intent: Option<(CallId, SessionId)>,
    durability: PhantomData<D>,
}

impl<D: Durability> Receipt<D> {
    /// Attests that changes are kept as `D` says, and with them this intent if they hold one.
    ///
    /// For stores only, and only after the commit: everything that follows believes it.
    pub fn attest(intent: Option<&Intent>) -> Self {
        Self { intent: intent.map(|intent| (intent.call, intent.session)), durability: PhantomData }
    }

    /// The call whose intent is kept, if there is one.
    pub fn call(&self) -> Option<CallId> {
        self.intent.map(|(call, _)| call)
    }

    /// Moves `intent` into the session in which it is kept, if that is another than was meant.
    pub fn place(&self, intent: &mut Intent) {
        if let Some((_, session)) = self.intent.filter(|(call, _)| *call == intent.call) {
            intent.continue_in(session);
        }
    }
}

/// Proof that a call was allowed and that the allowance is remembered. Opens one tool, once, for
/// [`limits::PERMIT_LIFE`], unless stop, policy or catalogue move first.
///
/// The grant and the receipt must prove the same:
///
/// ```
/// use placet_engine::permit::{Durable, Grant, Permit, Receipt};
///
/// fn on_disk(grant: Grant<Durable>, receipt: Receipt<Durable>) -> Option<Permit<Durable>> {
///     Permit::new(grant, receipt).ok()
/// }
/// ```
///
/// A store's word that something waits in its queue opens no tool that needs it on disk:
///
/// ```compile_fail,E0308
/// use placet_engine::permit::{Durable, Grant, Permit, Queued, Receipt};
///
/// fn not_yet(grant: Grant<Durable>, receipt: Receipt<Queued>) -> Option<Permit<Durable>> {
///     Permit::new(grant, receipt).ok()
/// }
/// ```
///
/// And one permit is one call: what has been spent is gone, and there is no second.
///
/// ```
/// use placet_engine::permit::{Durable, Permit};
///
/// fn spend(permit: Permit<Durable>) {}
/// fn once(permit: Permit<Durable>) {
///     spend(permit);
/// }
/// ```
///
/// ```compile_fail,E0382
/// use placet_engine::permit::{Durable, Permit};
///
/// fn spend(permit: Permit<Durable>) {}
/// fn twice(permit: Permit<Durable>) {
///     spend(permit);
///     spend(permit);
/// }
/// ```
///
/// ```compile_fail,E0599
/// use placet_engine::permit::{Durable, Permit};
///
/// fn spend(permit: Permit<Durable>) {}
/// fn copied(permit: Permit<Durable>) {
///     spend(permit.clone());
/// }
/// ```
#[derive(Debug)]
#[must_use = "a permit that nobody consumes is a call that nobody answers"]
pub struct Permit<D: Durability> {
    grant: Grant<D>,
    until: BootInstant,
}

/// The receipt that was shown holds no intent, or another call's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mismatch;

/// Why a permit opens nothing any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lapse {
    /// Its time ran out.
    TooLate,
    /// Stop, policy or catalogue have moved since the decision.
    Moved,
}

impl<D: Durability> Permit<D> {
    /// Joins policy's yes and the store's word. For the gate only.
    ///
    /// # Errors
    ///
    /// [`Mismatch`] if the receipt is not for the granted call's intent.
    pub fn new(grant: Grant<D>, receipt: Receipt<D>) -> Result<Self, Mismatch> {
        let (_, session) = receipt.intent.filter(|(call, _)| *call == grant.call.id).ok_or(Mismatch)?;
        let mut grant = grant;
        // It may have been moved into a session that another call began first; a stop of that one covers it.
        grant.about.session = Some(session);
        let until = grant.decided_at.plus(limits::PERMIT_LIFE);
        Ok(Self { grant, until })
    }

    /// The call that may run: the only source of the bytes that are sent.
    pub fn call(&self) -> &Arc<Call> {
        &self.grant.call
    }

    /// Where the call stands, by which stops find it.
    pub fn about(&self) -> &Coordinates {
        &self.grant.about
    }

    /// How far it may go.
    pub fn bounds(&self) -> Bounds {
        self.grant.bounds
    }

    /// Whether it still opens its tool at `now`, under the generations of this moment.
    ///
    /// To be asked at the moment of writing, under a lock that a stop takes too; a permit whose write did not
    /// get its first byte out must be asked again.
    ///
    /// # Errors
    ///
    /// [`Lapse`] says what ran out; then nothing may be sent.
    pub fn check(&self, now: BootInstant, current: Generations) -> Result<(), Lapse> {
        if now >= self.until {
            return Err(Lapse::TooLate);
        }
        if self.grant.seen != current { Err(Lapse::Moved) } else { Ok(()) }
    }
}

impl fmt::Display for Lapse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Lapse::TooLate => "the permit's time ran out before anything was sent",
            Lapse::Moved => "a stop, the policy or the catalogue changed before anything was sent",
        })
    }
}
