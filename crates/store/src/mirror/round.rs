//! A round: what is kept in memory is looked through bit by bit, with each thing that is added.
//!
//! Whatever is kept for as long as somebody may need it must at some time be looked through for what nobody
//! needs any more. Done all at once, that holds up whoever comes just then, for longer the more there is. So
//! each thing that is added pays for a look at two others. All have been looked at after half as many additions
//! as there are things, so what nobody needs is never more than what somebody does.

use std::collections::VecDeque;

/// Looks that each addition pays for.
const LOOKS: usize = 2;

/// The order in which things are looked at; each stands in it once.
#[derive(Debug)]
pub(super) struct Round<K>(VecDeque<K>);

impl<K> Default for Round<K> {
    fn default() -> Self {
        Self(VecDeque::new())
    }
}

impl<K: PartialEq> Round<K> {
    /// Something new is kept.
    pub(super) fn add(&mut self, key: K) {
        self.0.push_back(key);
    }

    /// Something is not kept any more. Takes time for each thing that is: for what people do.
    pub(super) fn remove(&mut self, key: &K) {
        self.0.retain(|kept| kept != key);
    }

    /// Looks at the next, if there are more than `enough`, and goes on without those that `still` does not keep.
    pub(super) fn turn(&mut self, enough: usize, mut still: impl FnMut(&K) -> bool) {
        for _ in 0..LOOKS {
            if self.0.len() <= enough {
                return;
            }
            if let Some(key) = self.0.pop_front()
                && still(&key)
            {
                self.0.push_back(key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_needs_is_never_more_than_what_somebody_does() {
        let mut round = Round::default();
        let (mut looks, mut most) = (0, 0);
        // Each is needed until a thousand more have come.
        for n in 0..100_000_u64 {
            round.turn(100, |kept| {
                looks += 1;
                kept + 1_000 > n
            });
            round.add(n);
            most = most.max(round.0.len());
        }
        assert!((1_000..=2_002).contains(&most), "{most}");
        assert!(looks <= 2 * 100_000, "{looks} looks");
    }

    #[test]
    fn a_few_are_not_looked_at() {
        let mut round = Round::default();
        (0..100).for_each(|n| round.add(n));
        round.turn(100, |_| unreachable!("there are no more than enough"));
        round.add(100);
        round.turn(100, |_| false);
        assert_eq!(round.0.len(), 100);
        round.remove(&50);
        assert_eq!(round.0.len(), 99);
    }
}
