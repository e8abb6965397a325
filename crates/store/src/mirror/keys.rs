//! Keys in memory: those of calls under way or unknown, all of them, and of finished ones the latest.
//!
//! A store that writes to disk may put finished keys away once they are flushed, and then looks for them there.
//! Between such a look and the claim another call may have claimed the key, finished, and been put away; so a
//! claim says how many had been put away when the look was made, and those since then are looked through here.

use std::collections::{HashMap, HashSet, VecDeque};

use placet_engine::{
    call::{CallId, Digest},
    once::{Claimed, Kept, Progress},
    state::{Fate, Intent},
    time::Timestamp,
};

/// Finished keys that stay in memory.
const FINISHED: usize = 4_096;

/// Bytes of their results that do.
const RESULT_BYTES: usize = 16 << 20;

/// How many of the keys that were put away last are remembered by name.
const REMEMBERED: usize = 65_536;

/// Claimed keys.
#[derive(Debug, Default)]
pub(crate) struct Keys {
    known: HashMap<Digest, Known>,
    /// Finished ones, in the order in which they finished, with the number of the commit that said so.
    finished: VecDeque<(Digest, u64)>,
    result_bytes: usize,
    /// Finished keys put away so far.
    put_away: u64,
    /// The last of them.
    last: VecDeque<Digest>,
}

/// A claimed key.
#[derive(Debug)]
struct Known {
    claimed: Claimed,
    /// The commit that said that it is finished. One that was claimed anew since is another's, and stands among the
    /// finished ones twice.
    finished: Option<u64>,
}

impl Keys {
    pub(crate) fn get(&self, key: &Digest) -> Option<&Claimed> {
        self.known.get(key).map(|known| &known.claimed)
    }

    pub(crate) fn put_away(&self) -> u64 {
        self.put_away
    }

    pub(crate) fn len(&self) -> usize {
        self.known.len()
    }

    /// Whether a key may be claimed at `now` by somebody who looked for it on disk when `looked` keys had been
    /// put away.
    pub(crate) fn is_free(&self, key: &Digest, now: Timestamp, looked: u64) -> bool {
        if self.get(key).is_some_and(|claimed| claimed.stands(now)) {
            return false;
        }
        let since = usize::try_from(self.put_away.saturating_sub(looked)).unwrap_or(usize::MAX);
        since <= self.last.len() && !self.last.iter().rev().take(since).any(|put_away| put_away == key)
    }

    pub(crate) fn claim(&mut self, intent: &Intent) {
        let Some(claim) = &intent.claim else { return };
        let claimed = Claimed {
            claim: claim.clone(),
            call: intent.call,
            agent: intent.agent.clone(),
            client: intent.client.clone(),
            progress: Progress::Running,
        };
        self.insert(claimed);
    }

    /// A key as it is found on disk.
    pub(crate) fn insert(&mut self, claimed: Claimed) {
        let key = claimed.claim.key;
        let before = self.known.insert(key, Known { claimed, finished: None });
        self.forget_result(before.as_ref());
    }

    pub(crate) fn settle(&mut self, key: &Digest, fate: &Fate, commit: u64) {
        match fate {
            Fate::Freed => {
                let before = self.known.remove(key);
                self.forget_result(before.as_ref());
            }
            Fate::Unknown => {
                if let Some(known) = self.known.get_mut(key) {
                    known.claimed.progress = Progress::Unknown;
                }
            }
            Fate::Done(kept) => {
                let Some(known) = self.known.get_mut(key) else { return };
                known.claimed.progress = Progress::Done(kept.clone());
                known.finished = Some(commit);
                self.result_bytes += bytes(kept);
                self.finished.push_back((*key, commit));
            }
        }
    }

    /// Lets go of the results of these calls; that they are done stays known.
    pub(crate) fn forget_results_of(&mut self, calls: &[CallId]) {
        let calls: HashSet<_> = calls.iter().collect();
        for known in self.known.values_mut().filter(|known| calls.contains(&known.claimed.call)) {
            if let Progress::Done(kept) = &mut known.claimed.progress {
                self.result_bytes = self.result_bytes.saturating_sub(bytes(kept));
                *kept = Kept::TooLarge;
            }
        }
    }

    fn forget_result(&mut self, known: Option<&Known>) {
        if let Some(Progress::Done(kept)) = known.map(|known| &known.claimed.progress) {
            self.result_bytes = self.result_bytes.saturating_sub(bytes(kept));
        }
    }

    /// Puts finished keys away that are on disk, if there are more than need be in memory: those whose commit
    /// is not after `flushed`.
    pub(crate) fn tidy(&mut self, flushed: u64) {
        while self.finished.len() > FINISHED || self.result_bytes > RESULT_BYTES {
            let Some((key, commit)) = self.finished.front().copied().filter(|(_, commit)| *commit <= flushed)
            else {
                return;
            };
            self.finished.pop_front();
            // Claimed anew since it lapsed: then it is another's, and its own turn comes.
            if self.known.get(&key).is_none_or(|known| known.finished != Some(commit)) {
                continue;
            }
            let before = self.known.remove(&key);
            self.forget_result(before.as_ref());
            self.put_away += 1;
            self.last.push_back(key);
            if self.last.len() > REMEMBERED {
                self.last.pop_front();
            }
        }
    }

    /// Lets go of the oldest results if they take too much room, in a store that has nowhere to put them; that
    /// there was one is remembered.
    pub(crate) fn shed(&mut self) {
        while self.result_bytes > RESULT_BYTES {
            let Some((key, _)) = self.finished.pop_front() else { return };
            if let Some(Progress::Done(kept)) =
                self.known.get_mut(&key).map(|known| &mut known.claimed.progress)
            {
                self.result_bytes = self.result_bytes.saturating_sub(bytes(kept));
                *kept = Kept::TooLarge;
            }
        }
        // A key that is claimed again and again stands there each time.
        if self.finished.len() > 2 * self.known.len() + FINISHED {
            let mut seen = HashSet::new();
            let latest: Vec<_> = self.finished.drain(..).rev().filter(|(key, _)| seen.insert(*key)).collect();
            self.finished.extend(latest.into_iter().rev());
        }
    }

    /// Goes on after `before`, which is no longer looked at: whoever looked for a key in its time must look again,
    /// since what was finished then may be on disk only.
    pub(crate) fn go_on_after(&mut self, before: &Self) {
        self.put_away = before.put_away + 1;
        self.last.clear();
    }

    /// Forgets keys that have lapsed by `now`.
    pub(crate) fn sweep(&mut self, now: Timestamp) {
        self.known.retain(|_, known| known.claimed.stands(now));
        let known = &self.known;
        self.finished.retain(|(key, _)| known.contains_key(key));
        self.result_bytes = known
            .values()
            .map(|known| match &known.claimed.progress {
                Progress::Done(kept) => bytes(kept),
                Progress::Running | Progress::Unknown => 0,
            })
            .sum();
    }
}

fn bytes(kept: &Kept) -> usize {
    match kept {
        Kept::Text(text) => text.len(),
        Kept::TooLarge => 0,
    }
}

#[cfg(test)]
mod tests {
    use placet_engine::{
        level::Level,
        once::{Claim, ClaimKind},
        session::SessionId,
    };

    use super::*;

    fn key(n: u64) -> Digest {
        let mut bytes = [0; 32];
        bytes[24..].copy_from_slice(&n.to_be_bytes());
        Digest(bytes)
    }

    /// Claims a key and finishes it, in the commits `2 * n` and `2 * n + 1`.
    fn finish(keys: &mut Keys, n: u64) {
        finish_with(keys, n, "done", 2 * n + 1);
    }

    fn finish_with(keys: &mut Keys, n: u64, result: &str, commit: u64) {
        let call = CallId::from_random([0; 12]);
        keys.claim(&Intent {
            call,
            agent: "ops".parse().unwrap(),
            client: "desk".parse().unwrap(),
            run: None,
            action: "crm/update_user".parse().unwrap(),
            level: Level::Write,
            session: SessionId(call),
            at: Timestamp(0),
            arguments: String::new(),
            salt: None,
            digest: key(n),
            joined: false,
            holds: Vec::new(),
            approval: None,
            claim: Some(Claim {
                key: key(n),
                fingerprint: key(n),
                kind: ClaimKind::Sent,
                until: Timestamp(60),
            }),
        });
        keys.settle(&key(n), &Fate::Done(Kept::Text(result.into())), commit);
    }

    #[test]
    fn finished_keys_leave_memory_only_once_they_are_on_disk() {
        let mut keys = Keys::default();
        let count = FINISHED as u64 + 10;
        (0..count).for_each(|n| finish(&mut keys, n));
        keys.tidy(5);
        assert_eq!((keys.put_away(), keys.len()), (3, FINISHED + 7), "commits 1, 3 and 5 are flushed");
        keys.tidy(u64::MAX);
        assert_eq!((keys.put_away(), keys.len()), (10, FINISHED));
        assert!(keys.get(&key(9)).is_none() && keys.get(&key(10)).is_some());
    }

    #[test]
    fn results_that_take_too_much_room_leave_memory_too() {
        let mut keys = Keys::default();
        for n in 0..300 {
            finish_with(&mut keys, n, &"x".repeat(64 << 10), n);
        }
        keys.tidy(u64::MAX);
        assert!(
            keys.result_bytes <= RESULT_BYTES && keys.len() < 300,
            "{} of {}",
            keys.result_bytes,
            keys.len()
        );
    }

    #[test]
    fn a_store_that_cannot_put_results_away_sheds_the_oldest() {
        let mut keys = Keys::default();
        for n in 0..300 {
            finish_with(&mut keys, n, &"x".repeat(64 << 10), n);
            keys.shed();
        }
        assert!(keys.result_bytes <= RESULT_BYTES, "{}", keys.result_bytes);
        assert_eq!(keys.len(), 300, "that they are done is not forgotten");
        let kept = |n| keys.get(&key(n)).map(|claimed| claimed.progress.clone());
        assert_eq!(kept(0), Some(Progress::Done(Kept::TooLarge)));
        assert!(matches!(kept(299), Some(Progress::Done(Kept::Text(_)))));
        for n in 0..20_000 {
            finish_with(&mut keys, 7, "again", 300 + n);
            keys.shed();
        }
        assert!(keys.finished.len() <= 2 * 300 + FINISHED, "{}", keys.finished.len());
    }

    #[test]
    fn whoever_looked_before_a_key_was_put_away_may_not_claim_it() {
        let mut keys = Keys::default();
        let looked = keys.put_away();
        assert!(keys.is_free(&key(0), Timestamp(0), looked));
        (0..=FINISHED as u64).for_each(|n| finish(&mut keys, n));
        keys.tidy(u64::MAX);
        assert_eq!(keys.put_away(), 1);
        assert!(!keys.is_free(&key(0), Timestamp(0), looked), "it was claimed since, and is on disk now");
        assert!(keys.is_free(&key(999_999), Timestamp(0), looked), "another was not");
        assert!(keys.is_free(&key(0), Timestamp(0), keys.put_away()), "who looks now finds it on disk");
        assert!(!keys.is_free(&key(5), Timestamp(0), keys.put_away()), "it is in memory");
        assert!(keys.is_free(&key(5), Timestamp(60), keys.put_away()), "and has lapsed");
    }

    #[test]
    fn whoever_looked_too_long_ago_must_look_again() {
        let mut keys = Keys::default();
        let count = (FINISHED + REMEMBERED) as u64;
        (0..count).for_each(|n| finish(&mut keys, n));
        keys.tidy(u64::MAX);
        assert_eq!(keys.put_away(), REMEMBERED as u64);
        assert!(keys.is_free(&key(999_999), Timestamp(0), 0), "all of them are remembered by name");
        finish(&mut keys, count);
        keys.tidy(u64::MAX);
        assert!(
            !keys.is_free(&key(999_999), Timestamp(0), 0),
            "one is forgotten, and it may have been this one"
        );
        assert!(keys.is_free(&key(999_999), Timestamp(0), 1));
        assert_eq!(keys.last.len(), REMEMBERED);
    }

    #[test]
    fn whoever_looked_before_a_store_was_mended_must_look_again() {
        let mut keys = Keys::default();
        (0..=FINISHED as u64).for_each(|n| finish(&mut keys, n));
        keys.tidy(u64::MAX);
        let looked = keys.put_away();
        let mut mended = Keys::default();
        mended.go_on_after(&keys);
        // Finished in the meantime, and after mending on disk alone.
        assert!(!mended.is_free(&key(5), Timestamp(0), looked));
        assert!(mended.is_free(&key(999_999), Timestamp(0), mended.put_away()));
    }

    #[test]
    fn a_key_that_was_claimed_anew_is_put_away_in_its_own_turn() {
        let mut keys = Keys::default();
        finish(&mut keys, 0);
        finish_with(&mut keys, 0, "done again", 2);
        (1..FINISHED as u64).for_each(|n| finish(&mut keys, n));
        keys.tidy(u64::MAX);
        assert_eq!((keys.put_away(), keys.len()), (0, FINISHED), "its first turn is none any more");
        keys.settle(&key(0), &Fate::Freed, 0);
        assert!(keys.is_free(&key(0), Timestamp(0), 0));
    }
}
