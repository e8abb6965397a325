//! Once-only keys: a call that has one is sent once, and proposed again it gets the first result.
//!
//! A key is *claimed* in the commit that remembers the intent, and stays claimed whatever becomes of the call:
//! a deadline frees nothing. What two calls must have in common to be the same depends on the kind of key;
//! keys and arguments are kept only as keyed digests.
//!
//! We promise that we send at most once; what the tool makes of one message is the tool's.
//!
//! Not here: keeping keys (a store), waiting for a call that is under way (the gate). Start at [`claim`].

use std::sync::Arc;

use crate::{
    call::{Call, CallId, Digest, DigestKey},
    decision::DenyReason,
    names::{AgentName, ClientName},
    policy::config::terms::{Key, Once},
    time::Timestamp,
};

/// A key that a call is about to take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The key in its space: who, which tool, which key, under the state's own secret.
    pub key: Digest,
    /// What must be equal for a call under the same key to be the same call.
    pub fingerprint: Digest,
    /// What kind of key it is.
    pub kind: ClaimKind,
    /// Until when it is remembered.
    pub until: Timestamp,
}

/// What kind of key a claim is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClaimKind {
    /// The caller's own.
    Sent,
    /// Made of session and arguments.
    Derived,
    /// A business key: the same for every agent.
    By,
}

impl ClaimKind {
    /// All kinds.
    pub const ALL: [ClaimKind; 3] = [ClaimKind::Sent, ClaimKind::Derived, ClaimKind::By];

    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            ClaimKind::Sent => "sent",
            ClaimKind::Derived => "derived",
            ClaimKind::By => "by",
        }
    }

    /// Whether a definite failure frees the key. A caller that chose its key can choose another; nobody can
    /// choose another order number, and what did not happen may be tried again.
    pub const fn freed_by_failure(self) -> bool {
        match self {
            ClaimKind::Sent => false,
            ClaimKind::Derived | ClaimKind::By => true,
        }
    }
}

/// A key that was claimed, and what has become of the call that did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claimed {
    /// What it was claimed with.
    pub claim: Claim,
    /// The call that claimed it.
    pub call: CallId,
    /// Who proposed that call.
    pub agent: AgentName,
    /// Through which credential.
    pub client: ClientName,
    /// What has become of it.
    pub progress: Progress,
}

/// What has become of the call behind a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// It is under way.
    Running,
    /// It was sent, and nobody knows what came of it.
    Unknown,
    /// It is done, and this was its result.
    Done(Kept),
}

/// A result that is kept to be handed out again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kept {
    /// As the surface that ran the call wrote it.
    Text(Arc<str>),
    /// There was more of it than is kept, or it has been erased.
    TooLarge,
}

impl Claimed {
    /// Whether it still stands in the way of another call at `now`. What is not done always does.
    pub fn stands(&self, now: Timestamp) -> bool {
        match self.progress {
            Progress::Running | Progress::Unknown => true,
            Progress::Done(_) => now < self.claim.until,
        }
    }
}

/// The key that `call` takes under `once`, if it takes one.
///
/// # Errors
///
/// [`DenyReason::KeyMissing`] if the tool wants a key and none was sent, or an argument that makes the key is
/// not there; then the call must not run.
pub fn claim(
    call: &Call,
    once: &Once,
    secret: &DigestKey,
    now: Timestamp,
) -> Result<Option<Claim>, DenyReason> {
    let (agent, client) = (call.agent.as_str().as_bytes(), call.client.as_str().as_bytes());
    let action = call.action.to_string();
    let action = action.as_bytes();
    let arguments = call.arguments.canonical().as_bytes();
    let fingerprint =
        || secret.digest([b"placet-call".as_slice(), action, arguments, call.mode.as_str().as_bytes()]);
    let made = |kind, key| Claim { key, fingerprint: fingerprint(), kind, until: now.plus(once.within) };
    // A dry run is no attempt: it takes no key, and is told of none.
    if call.mode != crate::call::Mode::Live {
        return Ok(None);
    }
    match (&once.by, &call.key) {
        (Key::Sent, None) => Ok(None),
        (Key::Required, None) => {
            Err(DenyReason::KeyMissing("a key of your own, the same for each repetition of the call".into()))
        }
        (Key::Sent | Key::Required | Key::Derived, Some(sent)) => {
            let key = secret.digest([b"placet-key".as_slice(), agent, client, action, sent.as_bytes()]);
            Ok(Some(made(ClaimKind::Sent, key)))
        }
        (Key::Derived, None) => {
            let session = call.session.as_deref().unwrap_or_default().as_bytes();
            let key =
                secret.digest([b"placet-derived".as_slice(), agent, client, session, action, arguments]);
            Ok(Some(made(ClaimKind::Derived, key)))
        }
        (Key::By(paths), _) => {
            let mut parts = vec![b"placet-by".to_vec(), action.to_vec()];
            for path in paths {
                let value = path.find(call.arguments.value());
                let value = value.ok_or_else(|| DenyReason::KeyMissing(format!("`{path}`").into()))?;
                parts.push(value.canonical().into_bytes());
            }
            let key = secret.digest(parts.iter().map(Vec::as_slice));
            Ok(Some(made(ClaimKind::By, key)))
        }
    }
}

/// What a claimed key means for a call that would claim it too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Held {
    /// Nothing: it may be claimed.
    Free,
    /// The same call is under way: wait for it.
    Running(CallId),
    /// The same call is done: its result.
    Done(CallId, Kept),
    /// It must not run.
    Refused(DenyReason),
}

/// What `claimed` means for a call by `agent` through `client` that would make `claim` at `now`.
pub fn held(
    claim: &Claim,
    claimed: Option<&Claimed>,
    agent: &AgentName,
    client: &ClientName,
    now: Timestamp,
) -> Held {
    let Some(claimed) = claimed.filter(|claimed| claimed.stands(now)) else { return Held::Free };
    let same_call = claimed.claim.fingerprint == claim.fingerprint;
    let own = claimed.agent == *agent && claimed.client == *client;
    match (claim.kind, &claimed.progress) {
        (ClaimKind::Sent | ClaimKind::Derived, _) if !same_call => Held::Refused(DenyReason::KeyReused),
        (_, Progress::Running) if own && same_call => Held::Running(claimed.call),
        (_, Progress::Running) => Held::Refused(DenyReason::InProgress),
        (_, Progress::Unknown) => Held::Refused(DenyReason::OutcomeUnknown(claimed.call)),
        // Somebody else's result, or that of other arguments, is not handed out.
        (ClaimKind::By, Progress::Done(_)) if !own || !same_call => Held::Refused(DenyReason::AlreadyDone),
        (_, Progress::Done(kept)) => Held::Done(claimed.call, kept.clone()),
    }
}
