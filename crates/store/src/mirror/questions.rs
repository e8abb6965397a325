//! Questions to people, as decisions need them: by the call that they are about, by name, and how many of a client's
//! wait.
//!
//! Of each call the last question counts. One that says nothing any more is let go bit by bit, once there are many.

use std::collections::{BTreeSet, HashMap};

use placet_engine::{
    approval::Approval,
    call::{CallId, Digest},
    names::ClientName,
    time::Timestamp,
};

use super::{SWEEP_ABOVE, round::Round};

#[derive(Debug, Default)]
pub(crate) struct Questions {
    by_call: HashMap<Digest, Approval>,
    round: Round<Digest>,
    by_name: HashMap<CallId, Digest>,
    /// Of each client those that wait, by when they lapse.
    waiting: HashMap<ClientName, BTreeSet<(Timestamp, CallId)>>,
}

impl Questions {
    pub(crate) fn get(&self, digest: &Digest) -> Option<&Approval> {
        self.by_call.get(digest)
    }

    /// The question of this name, if it is the last about its call.
    pub(crate) fn called(&self, id: CallId) -> Option<&Approval> {
        self.by_name.get(&id).and_then(|digest| self.by_call.get(digest))
    }

    /// How many of a client's wait at `now`.
    pub(crate) fn waiting(&self, client: &ClientName, now: Timestamp) -> usize {
        let after = (Timestamp(now.0.saturating_add(1)), CallId::from_random([0; 12]));
        self.waiting.get(client).map_or(0, |waiting| waiting.range(after..).count())
    }

    /// All that still say anything at `now`, the oldest first.
    pub(crate) fn live(&self, now: Timestamp) -> Vec<Approval> {
        let mut live: Vec<_> =
            self.by_call.values().filter(|question| question.is_live(now)).cloned().collect();
        live.sort_by_key(|question| (question.asked_at, *question.id.as_bytes()));
        live
    }

    /// A question as it is from now on, in the place of the last about the same call.
    pub(crate) fn put(&mut self, question: Approval) {
        self.sweep(question.asked_at);
        let digest = question.digest;
        if question.is_pending(question.asked_at) {
            let waiting = self.waiting.entry(question.client.clone()).or_default();
            waiting.insert((question.expires_at, question.id));
            // Those that lapsed before this one was asked are counted by nobody.
            let lapsed = (question.asked_at, CallId::from_random([0; 12]));
            *waiting = waiting.split_off(&lapsed);
        } else {
            self.waits_no_more(&question);
        }
        self.by_name.insert(question.id, digest);
        match self.by_call.insert(digest, question) {
            Some(before) if self.by_call.get(&digest).is_some_and(|now| now.id != before.id) => {
                self.by_name.remove(&before.id);
                self.waits_no_more(&before);
            }
            Some(_) => {}
            None => self.round.add(digest),
        }
    }

    /// A yes comes back: nothing was sent of the call that it had let go.
    pub(crate) fn give_back(&mut self, id: CallId, call: CallId) {
        if let Some(returned) = self.called(id).and_then(|question| question.returned(call)) {
            self.by_call.insert(returned.digest, returned);
        }
    }

    fn waits_no_more(&mut self, question: &Approval) {
        if let Some(waiting) = self.waiting.get_mut(&question.client) {
            waiting.remove(&(question.expires_at, question.id));
            if waiting.is_empty() {
                self.waiting.remove(&question.client);
            }
        }
    }

    fn sweep(&mut self, now: Timestamp) {
        let (by_call, by_name) = (&mut self.by_call, &mut self.by_name);
        self.round.turn(SWEEP_ABOVE, |digest| {
            let Some(kept) = by_call.get(digest) else { return false };
            let is_live = kept.is_live(now);
            if !is_live {
                by_name.remove(&kept.id);
                by_call.remove(digest);
            }
            is_live
        });
    }
}
