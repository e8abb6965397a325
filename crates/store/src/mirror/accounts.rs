//! Accounts in memory: what is held and spent of each budget.
//!
//! What was spent stands in parts, so that a rolling window can forget it piece by piece; a window that follows
//! the calendar is an account of its own and has one part.

use std::collections::HashMap;

use placet_engine::{
    budget::{Account, AccountNeed, Balance, Charge, Hold},
    cost::Amount,
    session::SessionId,
    state::Tally,
    time::Timestamp,
};

/// Accounts beyond this many are looked through for those that no call can touch any more.
const SWEEP_ABOVE: usize = 16_384;

/// No window that follows the calendar is longer: a month of 31 days in which the clock is put back.
pub(crate) const LONGEST_WINDOW: std::time::Duration = std::time::Duration::from_secs(32 * 24 * 60 * 60);

/// Every account that has been touched.
#[derive(Debug, Default)]
pub(crate) struct Accounts {
    sums: HashMap<Account, Sum>,
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

    pub(crate) fn hold(&mut self, hold: &Hold, now: Timestamp) {
        if self.sums.len() > SWEEP_ABOVE && !self.sums.contains_key(&hold.account) {
            let before = |account: &Account| {
                account.window > Timestamp(0) && now.since(account.window) > LONGEST_WINDOW
            };
            self.sums.retain(|account, sum| sum.held > Amount::default() || !before(account));
        }
        let sum = self.sums.entry(hold.account.clone()).or_default();
        sum.held = sum.held.plus(hold.amount);
    }

    pub(crate) fn charge(&mut self, charge: &Charge) {
        let sum = self.sums.entry(charge.account.clone()).or_default();
        sum.held = sum.held.minus(charge.release);
        if charge.clear {
            sum.parts.clear();
        }
        sum.spend(charge.part, charge.spend, charge.refund);
        sum.closed |= charge.close;
    }

    pub(crate) fn tally(&mut self, tally: &Tally) {
        let sum = self.sums.entry(tally.account.clone()).or_default();
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
    pub(crate) fn restore(&mut self, account: Account, part: Timestamp, spent: Amount) {
        self.sums.entry(account).or_default().spend(part, spent, Amount::default());
    }

    /// An account that was found closed.
    pub(crate) fn restore_closed(&mut self, account: Account) {
        self.sums.entry(account).or_default().closed = true;
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
