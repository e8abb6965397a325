//! Accounts in memory: what is held and spent of each budget.
//!
//! What was spent stands in parts, so that a rolling window can forget it piece by piece; a window that follows
//! the calendar is an account of its own and has one part.
//!
//! Accounts that no call can touch any more leave memory, a few with each that comes: those of windows that are
//! long over, and those of sessions that are not kept. What they say stays on disk.

use std::collections::{HashMap, HashSet};

use placet_engine::{
    budget::{Account, AccountNeed, Balance, Charge, Hold},
    cost::Amount,
    session::SessionId,
    state::Tally,
    time::Timestamp,
};

use super::round::Round;

/// Accounts beyond this many are looked through, bit by bit, for those that no call can touch any more.
const SWEEP_ABOVE: usize = 16_384;

/// No window that follows the calendar is longer: a month of 31 days in which the clock is put back.
pub(crate) const LONGEST_WINDOW: std::time::Duration = std::time::Duration::from_secs(32 * 24 * 60 * 60);

/// Every account that has been touched.
#[derive(Debug, Default)]
pub(crate) struct Accounts {
    sums: HashMap<Account, Sum>,
    round: Round<Account>,
    /// How many have come since others were looked at for it.
    fresh: usize,
}

#[derive(Debug, Default)]
struct Sum {
    parts: Vec<(Timestamp, Amount)>,
    held: Amount,
    closed: bool,
}

impl Accounts {
    /// What stands on the account that is asked for, where `session` is the one that runs.
    pub(crate) fn balance(&self, need: &AccountNeed, session: Option<SessionId>) -> Balance {
        if !need.of_session || need.account.session.is_some() {
            return self.of(&need.account, need.counts_from);
        }
        match session {
            Some(session) => {
                let account = Account { session: Some(session), ..need.account.clone() };
                self.of(&account, need.counts_from)
            }
            // A session that has not begun has spent nothing.
            None => Balance::default(),
        }
    }

    pub(crate) fn of(&self, account: &Account, counts_from: Timestamp) -> Balance {
        let Some(sum) = self.sums.get(account) else { return Balance::default() };
        let counted = sum.parts.iter().filter(|(part, _)| *part >= counts_from);
        let spent = counted.fold(Amount::default(), |all, (_, amount)| all.plus(*amount));
        Balance { spent, held: sum.held, closed: sum.closed }
    }

    pub(crate) fn hold(&mut self, hold: &Hold) {
        let sum = self.sum(&hold.account);
        sum.held = sum.held.plus(hold.amount);
    }

    /// The sum of an account, which may be new.
    fn sum(&mut self, account: &Account) -> &mut Sum {
        if !self.sums.contains_key(account) {
            self.round.add(account.clone());
            self.fresh += 1;
        }
        self.sums.entry(account.clone()).or_default()
    }

    /// For each account that has come, looks at others, as of `now` where that is known, when only these sessions
    /// are `kept`.
    pub(crate) fn sweep(&mut self, now: Option<Timestamp>, kept: &HashSet<SessionId>) {
        let sums = &mut self.sums;
        for _ in 0..std::mem::take(&mut self.fresh) {
            self.round.turn(SWEEP_ABOVE, |account| {
                let is_over = |now: Timestamp| {
                    account.window > Timestamp(0) && now.since(account.window) > LONGEST_WINDOW
                };
                let is_gone = account.session.is_some_and(|session| !kept.contains(&session));
                let holds = sums.get(account).is_some_and(|sum| sum.held > Amount::default());
                let stays = holds || !(is_gone || now.is_some_and(is_over));
                if !stays {
                    sums.remove(account);
                }
                stays
            });
        }
    }

    pub(crate) fn charge(&mut self, charge: &Charge) {
        let sum = self.sum(&charge.account);
        sum.held = sum.held.minus(charge.release);
        if charge.clear {
            sum.parts.clear();
        }
        sum.spend(charge.part, charge.spend, charge.refund);
        sum.closed |= charge.close;
    }

    pub(crate) fn tally(&mut self, tally: &Tally) {
        let sum = self.sum(&tally.account);
        match tally.add {
            Some(amount) => sum.spend(tally.part, amount, Amount::default()),
            None => sum.parts.clear(),
        }
    }

    pub(crate) fn reopen(&mut self, account: &Account) {
        if let Some(sum) = self.sums.get_mut(account) {
            sum.closed = false;
        }
    }

    /// What was found on disk.
    pub(crate) fn restore(&mut self, account: &Account, part: Timestamp, spent: Amount) {
        self.sum(account).spend(part, spent, Amount::default());
    }

    /// An account that was found closed.
    pub(crate) fn restore_closed(&mut self, account: &Account) {
        self.sum(account).closed = true;
    }
}

impl Sum {
    fn spend(&mut self, part: Timestamp, spend: Amount, refund: Amount) {
        /// Parts of a rolling window: sixty and the one that is half in it, and room for what comes late.
        const PARTS: usize = 128;
        if spend == Amount::default() && refund == Amount::default() {
            return;
        }
        match self.parts.iter_mut().find(|(kept, _)| *kept == part) {
            Some((_, sum)) => *sum = sum.plus(spend).minus(refund),
            None => self.parts.push((part, spend.minus(refund))),
        }
        if self.parts.len() > PARTS {
            // Parts follow one another at one distance, so the oldest of so many is out of every window.
            self.parts.sort_unstable();
            self.parts.remove(0);
        }
    }
}

#[cfg(test)]
mod tests {
    use placet_engine::{call::CallId, policy::config::terms::Measure};

    use super::*;

    fn session(n: u64) -> SessionId {
        let mut bytes = [0; 12];
        bytes[4..].copy_from_slice(&n.to_be_bytes());
        SessionId(CallId::from_random(bytes))
    }

    fn account(session: Option<SessionId>, window: Timestamp) -> Account {
        Account { budget: "calls".parse().unwrap(), subject: "all".into(), session, window }
    }

    fn hold(account: &Account) -> Hold {
        Hold { account: account.clone(), part: account.window, measure: Measure::Calls, amount: Amount(1) }
    }

    /// Holds and books one call.
    fn spend(accounts: &mut Accounts, account: &Account) {
        accounts.hold(&hold(account));
        let (close, clear) = (false, false);
        let (release, spend, refund) = (Amount(1), Amount(1), Amount(0));
        accounts.charge(&Charge {
            account: account.clone(),
            part: account.window,
            release,
            spend,
            refund,
            close,
            clear,
        });
    }

    #[test]
    fn accounts_of_sessions_that_are_not_kept_leave_memory() {
        let (mut accounts, mut kept) = (Accounts::default(), HashSet::new());
        let lasting = account(Some(session(u64::MAX)), Timestamp(0));
        let held = account(Some(session(u64::MAX - 1)), Timestamp(0));
        kept.insert(session(u64::MAX));
        spend(&mut accounts, &lasting);
        accounts.hold(&hold(&held));
        let mut most = 0;
        for n in 0..100_000 {
            // A session lasts until a hundred others have begun.
            kept.insert(session(n));
            if let Some(over) = n.checked_sub(100) {
                kept.remove(&session(over));
            }
            spend(&mut accounts, &account(Some(session(n)), Timestamp(0)));
            accounts.sweep(None, &kept);
            most = most.max(accounts.sums.len());
        }
        assert!(most <= SWEEP_ABOVE + 2, "{most}");
        assert_eq!(accounts.of(&lasting, Timestamp(0)).spent, Amount(1), "that session goes on");
        assert_eq!(accounts.of(&held, Timestamp(0)).held, Amount(1), "a call of that one is not over");
    }

    #[test]
    fn accounts_of_windows_that_are_long_over_leave_memory() {
        let mut accounts = Accounts::default();
        let shared = account(None, Timestamp(0));
        spend(&mut accounts, &shared);
        let hour = LONGEST_WINDOW / 32 / 24;
        let mut now = Timestamp(1);
        let mut most = 0;
        for _ in 0..100_000 {
            now = now.plus(hour / 60);
            spend(&mut accounts, &account(None, now));
            accounts.sweep(Some(now), &HashSet::new());
            most = most.max(accounts.sums.len());
        }
        let minutes = 32 * 24 * 60;
        assert!((minutes..=2 * minutes + 3).contains(&most), "{most}");
        assert_eq!(
            accounts.of(&shared, Timestamp(0)).spent,
            Amount(1),
            "it has no window that could be over"
        );
    }
}
