//! Approvals: a question to people about exactly one call, what they answer, and what a yes is good for.
//!
//! A call that policy lets through only with people's yes is not run; a question is remembered under the call's
//! digest, and the same call, proposed again, finds the same question. Each yes is a [`Vote`] of one person for one
//! group. Once the votes are what the controls ask, the question is [`State::Approved`], for a while and for one
//! run: it is used up in the commit that lets the call go. One no ends it.
//!
//! What is approved is the call that was shown, under whatever policy holds when it runs: that policy may ask less
//! than what was granted, never more. Not here: who may vote for which group (the policy knows), and how a person
//! proves to be that person.

use std::{collections::BTreeSet, fmt, sync::Arc, time::Duration};

use sha2::{Digest as _, Sha256};

use crate::{
    call::{Call, CallId, Digest},
    level::Level,
    limits,
    names::{Action, AgentName, ClientName, GroupName, PersonName},
    policy::config::{Control, Strength},
    time::Timestamp,
    tool::Shape,
};

/// A question to people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Approval {
    /// The call that raised it; also the handle under which it is found.
    pub id: CallId,
    /// The call it is about: digest over agent, client, session, tool, arguments and `_meta`.
    pub digest: Digest,
    /// The tool's definition as it was accepted when the question was raised.
    pub shape: Shape,
    /// Who proposed it.
    pub agent: AgentName,
    /// Through which credential.
    pub client: ClientName,
    /// The host's name for the run, if it gave one.
    pub run: Option<Arc<str>>,
    /// What was proposed.
    pub action: Action,
    /// The tool's level.
    pub level: Level,
    /// The canonical arguments as they will be sent; empty once they are erased.
    pub arguments: String,
    /// The canonical `_meta` as it will be sent; empty once it is erased.
    pub meta: String,
    /// What people must agree to, in the policy's words.
    pub controls: Vec<Control>,
    /// When it was raised.
    pub asked_at: Timestamp,
    /// When it lapses without an answer. Calendar time, capped by the boot clock's advance in the store's
    /// own reading of time; a question that outlives its hour grants nothing.
    pub expires_at: Timestamp,
    /// Who has said yes, in that order.
    pub votes: Vec<Vote>,
    /// How far it has come.
    pub state: State,
}

/// One person's yes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vote {
    /// Whose.
    pub by: PersonName,
    /// For which group: one person's yes counts for one of them.
    pub group: GroupName,
    /// How this person proved to be that person.
    pub strength: Strength,
    /// When.
    pub at: Timestamp,
}

impl fmt::Display for Vote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.by, self.group, self.strength.as_str())
    }
}

/// How far a question has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// It waits for people.
    Pending,
    /// They have said yes: the call may run once.
    Approved(Yes),
    /// One has said no.
    Denied {
        /// Who.
        by: PersonName,
        /// In which words; the agent is told.
        note: Box<str>,
    },
    /// Nobody answered in time, and the agent has been told.
    Expired,
    /// The yes has let a call go.
    Used {
        /// Which.
        call: CallId,
        /// What it was, should it come back because nothing was sent.
        yes: Yes,
    },
}

impl State {
    /// The word for it.
    pub const fn as_str(&self) -> &'static str {
        match self {
            State::Pending => "pending",
            State::Approved(_) => "approved",
            State::Denied { .. } => "denied",
            State::Expired => "expired",
            State::Used { .. } => "used",
        }
    }
}

/// What a yes is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Yes {
    /// When it lapses.
    pub until: Timestamp,
    /// The generation of stops in which it was given: whatever is stopped afterwards ends it.
    pub stops: u64,
}

/// Which question somebody saw, and how far it had come: so that of two who answer at once one is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The question.
    pub id: CallId,
    /// How many have said yes.
    pub votes: usize,
    /// The word of its state.
    pub state: &'static str,
}

/// What a person answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ballot {
    /// Who.
    pub by: PersonName,
    /// How this person proved to be that person.
    pub strength: Strength,
    /// Of what was shown.
    pub shown: Digest,
    /// Yes or no.
    pub answer: YesOrNo,
}

/// Yes or no.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum YesOrNo {
    /// Yes, for this group, or for the one that this person may vote for where there is one alone.
    Yes(Option<GroupName>),
    /// No, in these words; the agent is told.
    No(Box<str>),
}

/// Why an answer does not count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BallotError {
    /// It does not wait any more.
    Settled(&'static str),
    /// It has lapsed.
    Lapsed,
    /// What was shown is not what waits.
    OtherShown,
    /// This person has said yes before.
    Voted,
    /// It asks nothing of any group that this person may speak for.
    NotAsked,
    /// This person may speak for several that it asks, and has not said for which.
    WhichGroup(Vec<GroupName>),
    /// The way in which this person proved to be that person is too weak for what is asked.
    TooWeak(Strength),
}

impl fmt::Display for BallotError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BallotError::Settled(state) => write!(f, "it is {state} already"),
            BallotError::Lapsed => f.write_str("it has lapsed"),
            BallotError::OtherShown => f.write_str("what was shown is not what waits"),
            BallotError::Voted => f.write_str("this person has said yes already"),
            BallotError::NotAsked => f.write_str("it asks no group for which this person may approve"),
            BallotError::WhichGroup(groups) => {
                let groups: Vec<_> = groups.iter().map(|group| format!("`{group}`")).collect();
                write!(f, "say for which group: {}", groups.join(", "))
            }
            BallotError::TooWeak(asked) => {
                write!(f, "it asks for strength `{}`, and this way in proves less", asked.as_str())
            }
        }
    }
}

impl std::error::Error for BallotError {}

/// What a policy says of people and their groups.
pub trait Electorate {
    /// Whether this person may approve for this group.
    fn may_approve(&self, person: &PersonName, group: &GroupName) -> bool;

    /// How a person must prove to be that person where a control does not say.
    fn strength(&self, group: &GroupName) -> Strength;
}

impl Approval {
    /// A question about a call of a tool that was accepted with this shape. It waits for so long.
    pub fn about(
        call: &Call,
        level: Level,
        shape: Shape,
        controls: Vec<Control>,
        now: Timestamp,
        waits: Duration,
    ) -> Self {
        let meta = crate::json::Json::Object(call.meta.clone()).canonical();
        Self {
            id: call.id,
            digest: call.digest,
            shape,
            agent: call.agent.clone(),
            client: call.client.clone(),
            run: call.session.clone(),
            action: call.action.clone(),
            level,
            arguments: call.arguments.canonical().to_owned(),
            meta,
            controls,
            asked_at: now,
            expires_at: now.plus(waits),
            votes: Vec::new(),
            state: State::Pending,
        }
    }

    /// Whether it can still be answered at `now`.
    pub fn is_pending(&self, now: Timestamp) -> bool {
        self.state == State::Pending && now < self.expires_at
    }

    /// Whether it still says anything about the same call at `now`.
    pub fn is_live(&self, now: Timestamp) -> bool {
        match &self.state {
            // A no is not asked again before the question would have lapsed.
            State::Pending | State::Denied { .. } => now < self.expires_at,
            State::Approved(yes) => now < yes.until,
            State::Expired => false,
            // Where nothing was sent after all the yes comes back.
            State::Used { yes, .. } => now < yes.until,
        }
    }

    /// Whether it waits no more, and nobody has said anything.
    pub fn has_lapsed(&self, now: Timestamp) -> bool {
        self.state == State::Pending && now >= self.expires_at
    }

    /// How far it has come, for whoever is to change it.
    pub fn seen(&self) -> Seen {
        Seen { id: self.id, votes: self.votes.len(), state: self.state.as_str() }
    }

    /// A digest of everything that a person is shown before she answers.
    pub fn shown(&self) -> Digest {
        let mut hash = Sha256::new().chain_update(b"placet-shown-v1");
        let controls: Vec<_> = self.controls.iter().map(ToString::to_string).collect();
        let controls = controls.join(" ");
        let action = self.action.to_string();
        let parts: [&[u8]; 9] = [
            &self.id.as_bytes()[..],
            &self.digest.0[..],
            &self.shape.0[..],
            self.agent.as_str().as_bytes(),
            action.as_bytes(),
            self.level.as_str().as_bytes(),
            self.arguments.as_bytes(),
            self.meta.as_bytes(),
            controls.as_bytes(),
        ];
        for part in parts {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        Digest(hash.finalize().into())
    }

    /// Whether a yes lets the same call go at `now`, where this is asked of it and stops have come so far.
    pub fn grants(
        &self,
        controls: &[Control],
        shape: &Shape,
        now: Timestamp,
        stops: u64,
        electorate: &impl Electorate,
    ) -> bool {
        let State::Approved(yes) = self.state else { return false };
        now < yes.until
            && yes.stops == stops
            && self.shape == *shape
            && controls.iter().all(|control| is_met(control, &self.votes, electorate))
    }

    /// What is still missing, and how many more people for it.
    pub fn missing(&self, electorate: &impl Electorate) -> Vec<(Control, usize)> {
        let missing = |control: &Control| {
            let Control::Approval { votes, .. } = control;
            let more = usize::from(*votes).saturating_sub(count(control, &self.votes, electorate));
            (more > 0).then(|| (control.clone(), more))
        };
        self.controls.iter().filter_map(missing).collect()
    }

    /// The question with one person's answer, at a time when stops have come so far.
    ///
    /// # Errors
    ///
    /// [`BallotError`] says why the answer does not count; then nothing has changed.
    pub fn answered(
        &self,
        ballot: &Ballot,
        now: Timestamp,
        stops: u64,
        electorate: &impl Electorate,
    ) -> Result<Self, BallotError> {
        if self.state != State::Pending {
            return Err(BallotError::Settled(self.state.as_str()));
        }
        if now >= self.expires_at {
            return Err(BallotError::Lapsed);
        }
        if ballot.shown != self.shown() {
            return Err(BallotError::OtherShown);
        }
        // Only whom it asks may end it, in either way.
        let asked: BTreeSet<&GroupName> = self
            .controls
            .iter()
            .map(|Control::Approval { group, .. }| group)
            .filter(|group| electorate.may_approve(&ballot.by, group))
            .collect();
        if asked.is_empty() {
            return Err(BallotError::NotAsked);
        }
        let mut answered = self.clone();
        match &ballot.answer {
            YesOrNo::No(note) => {
                answered.state = State::Denied { by: ballot.by.clone(), note: note.clone() };
            }
            YesOrNo::Yes(group) => {
                if self.votes.iter().any(|vote| vote.by == ballot.by) {
                    return Err(BallotError::Voted);
                }
                let group = match group {
                    Some(group) if asked.contains(group) => group.clone(),
                    Some(_) => return Err(BallotError::NotAsked),
                    None => match asked.iter().copied().collect::<Vec<_>>()[..] {
                        [group] => group.clone(),
                        _ => return Err(BallotError::WhichGroup(asked.into_iter().cloned().collect())),
                    },
                };
                let of_group = |Control::Approval { group: of, .. }: &&Control| *of == group;
                let weakest =
                    self.controls.iter().filter(of_group).map(|control| asked_of(control, electorate));
                let weakest = weakest.min().unwrap_or(Strength::Passkey);
                if ballot.strength < weakest {
                    return Err(BallotError::TooWeak(weakest));
                }
                answered.votes.push(Vote {
                    by: ballot.by.clone(),
                    group,
                    strength: ballot.strength,
                    at: now,
                });
                if answered.missing(electorate).is_empty() {
                    let until = now.plus(limits::YES_LASTS);
                    answered.state = State::Approved(Yes { until, stops });
                }
            }
        }
        Ok(answered)
    }

    /// The question once its yes has let `call` go. None if it is no yes.
    pub fn used(&self, call: CallId) -> Option<Self> {
        let State::Approved(yes) = self.state else { return None };
        Some(Self { state: State::Used { call, yes }, ..self.clone() })
    }

    /// The question as it was before it let `call` go, of which nothing was sent. None if it let another go.
    pub fn returned(&self, call: CallId) -> Option<Self> {
        match self.state {
            State::Used { call: used, yes } if used == call => {
                Some(Self { state: State::Approved(yes), ..self.clone() })
            }
            State::Pending
            | State::Approved(_)
            | State::Denied { .. }
            | State::Expired
            | State::Used { .. } => None,
        }
    }
}

/// How strong each yes must be that counts for a control.
fn asked_of(control: &Control, electorate: &impl Electorate) -> Strength {
    let Control::Approval { group, strength, .. } = control;
    strength.unwrap_or_else(|| electorate.strength(group))
}

/// How many different people have said yes in a way that counts for a control, and may still do so.
fn count(control: &Control, votes: &[Vote], electorate: &impl Electorate) -> usize {
    let Control::Approval { group, .. } = control;
    let asked = asked_of(control, electorate);
    let counts = |vote: &&Vote| {
        vote.group == *group && vote.strength >= asked && electorate.may_approve(&vote.by, group)
    };
    votes.iter().filter(counts).map(|vote| &vote.by).collect::<BTreeSet<_>>().len()
}

fn is_met(control: &Control, votes: &[Vote], electorate: &impl Electorate) -> bool {
    let Control::Approval { votes: asked, .. } = control;
    count(control, votes, electorate) >= usize::from(*asked)
}

/// A question to be raised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApprovalRequest {
    /// The question, new or found.
    pub approval: Approval,
    /// How long it waits from now.
    pub waits: Duration,
}

#[cfg(test)]
mod tests;
