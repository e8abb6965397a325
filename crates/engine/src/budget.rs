//! Budgets: how much may be spent, and why two calls cannot spend the same cent.
//!
//! A call *holds* the most that it can cost before it runs and *settles* at what it did cost after. What is
//! held counts as spent, and that it fits is checked once more where it is written down, so no interleaving
//! lets held and spent together pass a cap. An unknown outcome keeps its whole hold. A tool that took more
//! than was held is an *overrun*: booked in full, and the account is closed.
//!
//! Not here: what a call costs ([`crate::cost`]), over which time ([`crate::window`]), and who holds the sums
//! (a store). Start at [`Account`] and [`charge`].

use std::sync::Arc;

use crate::{
    cost::Amount,
    names::BudgetName,
    policy::config::terms::{Budget, BudgetScope, Measure},
    session::SessionId,
    state::{Ending, Open},
    stop::Coordinates,
    time::Timestamp,
};

/// One sum: of a budget, for one subject, in one window.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Account {
    /// The budget.
    pub budget: BudgetName,
    /// Whose calls count, in the words of the budget's scope.
    pub subject: Arc<str>,
    /// The session, where each has its own.
    pub session: Option<SessionId>,
    /// When its window began; 0 where there is but one.
    pub window: Timestamp,
}

/// What a decision needs to know of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountNeed {
    /// Which. Where each session has its own, the session is not named: the one that runs is meant.
    pub account: Account,
    /// Whether each session has its own.
    pub of_session: bool,
    /// What was spent in parts before this one no longer counts.
    pub counts_from: Timestamp,
}

/// What stands on an account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Balance {
    /// What is spent.
    pub spent: Amount,
    /// What calls in flight may still spend.
    pub held: Amount,
    /// Whether an overrun closed it.
    pub closed: bool,
}

impl Balance {
    /// What counts against the cap.
    pub fn taken(&self) -> Amount {
        self.spent.plus(self.held)
    }

    /// What is left under `cap`; nothing once it is closed.
    pub fn left(&self, cap: Amount) -> Amount {
        if self.closed { Amount::default() } else { cap.minus(self.taken()) }
    }

    /// Whether `amount` more stays under `cap`.
    ///
    /// ```
    /// # use placet_engine::{budget::Balance, cost::Amount};
    /// let balance = Balance { spent: Amount::whole(7), held: Amount::whole(2), closed: false };
    /// assert!(balance.fits(Amount::whole(1), Amount::whole(10)));
    /// assert!(!balance.fits(Amount::whole(2), Amount::whole(10)));
    /// assert!(!Balance { closed: true, ..balance }.fits(Amount(0), Amount::whole(10)));
    /// ```
    pub fn fits(&self, amount: Amount, cap: Amount) -> bool {
        !self.closed && self.taken().0.checked_add(amount.0).is_some_and(|sum| sum <= cap.0)
    }
}

/// What one call holds of one account until it is settled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hold {
    /// Of which account.
    pub account: Account,
    /// The part of the window in which it counts.
    pub part: Timestamp,
    /// Of what.
    pub measure: Measure,
    /// How much.
    pub amount: Amount,
}

/// What an outcome does to one account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Charge {
    /// Which account.
    pub account: Account,
    /// In which part of its window.
    pub part: Timestamp,
    /// What is no longer held.
    pub release: Amount,
    /// What is spent.
    pub spend: Amount,
    /// What was booked as spent and is not.
    pub refund: Amount,
    /// Whether what was spent before is forgotten: errors in a row end with a success.
    pub clear: bool,
    /// Whether the account is closed, since more was taken than was held.
    pub close: bool,
}

impl Charge {
    fn of(hold: &Hold) -> Self {
        let (none, account) = (Amount::default(), hold.account.clone());
        let part = hold.part;
        Self { account, part, release: none, spend: none, refund: none, clear: false, close: false }
    }
}

/// What became of a call, as far as it is counted.
#[derive(Clone, Copy, Debug)]
pub struct Became {
    /// Whether it was waited for, or already given up as unknown.
    pub from: Open,
    /// How it ended.
    pub ending: Ending,
}

/// What `became` of a call does to an account of which it held something; `actual` is what it did take, where
/// that is known.
///
/// From nothing to unknown and then to a final outcome, the sum is the same as straight to that outcome.
pub fn charge(hold: &Hold, became: Became, actual: Option<Amount>) -> Charge {
    let mut charge = Charge::of(hold);
    match became.from {
        Open::Running => charge.release = hold.amount,
        // When it was given up, the whole hold was booked.
        Open::Unknown => charge.refund = booked(hold),
    }
    match (&hold.measure, became.ending) {
        (_, Ending::NotSent) => {}
        // A person or a look-up found that it never happened: it took nothing.
        (_, Ending::Failed) if became.from == Open::Unknown => {}
        (Measure::Errors, Ending::Succeeded) => charge.clear = true,
        (Measure::Errors, Ending::Failed | Ending::Unknown) => charge.spend = Amount::ONE,
        (_, Ending::Unknown) => charge.spend = hold.amount,
        // Nobody waits longer than the deadline that was held; what is measured beyond it is the measuring.
        (Measure::Time, Ending::Succeeded | Ending::Failed) => {
            charge.spend = actual.unwrap_or(hold.amount).min(hold.amount);
        }
        (Measure::Calls | Measure::Bytes | Measure::Cost(_), Ending::Succeeded | Ending::Failed) => {
            charge.spend = actual.unwrap_or(hold.amount);
            charge.close = charge.spend > hold.amount;
        }
    }
    charge
}

/// What is booked of a hold whose call became unknown.
fn booked(hold: &Hold) -> Amount {
    match hold.measure {
        Measure::Errors => Amount::ONE,
        Measure::Calls | Measure::Bytes | Measure::Time | Measure::Cost(_) => hold.amount,
    }
}

impl Budget {
    /// Whose count a call adds to, if it counts for this budget.
    pub fn subject(&self, about: &Coordinates) -> Option<Arc<str>> {
        let subject = match &self.scope {
            BudgetScope::All => "all".to_owned(),
            BudgetScope::Agent(name) => name
                .as_ref()
                .is_none_or(|name| *name == about.agent)
                .then(|| format!("agent:{}", about.agent))?,
            BudgetScope::Team(name) => {
                let team = about.team.as_ref()?;
                name.as_ref().is_none_or(|name| name == team).then(|| format!("team:{team}"))?
            }
            BudgetScope::Client(name) => name
                .as_ref()
                .is_none_or(|name| *name == about.client)
                .then(|| format!("client:{}", about.client))?,
            BudgetScope::Server(name) => {
                let server = &about.action.server;
                name.as_ref().is_none_or(|name| name == server).then(|| format!("server:{server}"))?
            }
            BudgetScope::Tools(pattern) => {
                pattern.matches(&about.action).then(|| format!("tool:{pattern}"))?
            }
        };
        Some(subject.into())
    }

    /// Whether what is left of it is one agent's own affair, which that agent may be told.
    pub fn is_one_agents(&self) -> bool {
        matches!(self.scope, BudgetScope::Agent(_))
    }
}
