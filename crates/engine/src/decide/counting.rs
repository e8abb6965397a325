//! Counting: which accounts a call touches, whether it fits, and what makes the boundary narrow by itself.
//!
//! Every budget that matches a call is counted, in the order of the file. A call must fit all of them or holds
//! nothing. Trips count beside them and cap nothing: one that goes off narrows its agent to reads, and one that
//! goes off while the agent is narrowed stops it.
//!
//! Not here: the arithmetic of one account ([`crate::budget`]).

use std::sync::Arc;

use crate::{
    budget::{Account, AccountNeed, Balance, Hold},
    call::{Call, DryRun, Mode},
    cost::Amount,
    decision::{DenyReason, Spent},
    json::{Json, Object},
    names::{AgentName, Unit},
    policy::{
        Policy,
        config::{
            Control,
            terms::{Budget, Measure, Over, Tool, Trip, TripCount},
        },
    },
    record::{Kind, Record},
    state::{Changes, Known, Precondition, StopChange, Tally},
    stop::{Coordinates, Leaves, Scope, Stop},
    time::Timestamp,
    window::{Span, Window},
};

/// An account that a call touches.
pub(super) struct Counted<'a> {
    by: By<'a>,
    need: AccountNeed,
    span: Span,
}

enum By<'a> {
    Budget(&'a Budget),
    Trip(&'a Trip),
}

impl Counted<'_> {
    pub(super) fn need(&self) -> AccountNeed {
        self.need.clone()
    }
}

/// All accounts that a call which stands there touches at `now`: budgets first, then trips, each in the order
/// of the file.
pub(super) fn counted<'a>(policy: &'a Policy, about: &Coordinates, now: Timestamp) -> Vec<Counted<'a>> {
    let budgets = policy.budgets().iter().filter_map(|budget| {
        let subject = budget.subject(about)?;
        let of_session = budget.per == Window::Session;
        let session = about.session.filter(|_| of_session);
        Some(account(
            By::Budget(budget),
            budget.name.clone(),
            subject,
            (of_session, session),
            &budget.per,
            now,
        ))
    });
    let trips =
        policy.trips().iter().filter(|(trip, ..)| watches(trip, &about.agent)).map(|(trip, name, per)| {
            let subject = format!("agent:{}", about.agent).into();
            account(By::Trip(trip), name.clone(), subject, (false, None), per, now)
        });
    budgets.chain(trips).collect()
}

fn watches(trip: &Trip, agent: &AgentName) -> bool {
    trip.agent.as_ref().is_none_or(|watched| watched == agent)
}

fn account<'a>(
    by: By<'a>,
    budget: crate::names::BudgetName,
    subject: Arc<str>,
    (of_session, session): (bool, Option<crate::session::SessionId>),
    per: &Window,
    now: Timestamp,
) -> Counted<'a> {
    let span = per.at(now);
    let account = Account { budget, subject, session, window: span.window };
    Counted { by, need: AccountNeed { account, of_session, counts_from: span.counts_from }, span }
}

/// What a call would hold.
#[derive(Default)]
pub(super) struct Bill {
    pub(super) holds: Vec<Hold>,
    pub(super) require: Vec<Precondition>,
    pub(super) controls: Vec<Control>,
    pub(super) warnings: Vec<Record>,
}

/// Works out what `call` holds of each account, if it fits all of them.
pub(super) fn bill(
    counted: &[Counted<'_>],
    call: &Call,
    terms: &Tool,
    known: &Known,
    now: Timestamp,
) -> Result<Bill, DenyReason> {
    let mut bill = Bill::default();
    for (at, counted) in counted.iter().enumerate() {
        // A store that does not answer for an account has answered that nothing is left.
        let balance = known.remembered.balances.get(at).copied();
        let balance = balance.unwrap_or(Balance { closed: true, ..Balance::default() });
        match counted.by {
            By::Budget(budget) => bill.budget(counted, budget, balance, call, terms, now)?,
            By::Trip(trip) => {
                if let TripCount::Spend(unit) = &trip.counts
                    && !is_spared(call, unit)
                {
                    let price = price(call, terms, unit)?.unwrap_or_default();
                    bill.steep(counted, trip, balance, price)?;
                }
            }
        }
    }
    Ok(bill)
}

impl Bill {
    fn budget(
        &mut self,
        counted: &Counted<'_>,
        budget: &Budget,
        balance: Balance,
        call: &Call,
        terms: &Tool,
        now: Timestamp,
    ) -> Result<(), DenyReason> {
        let amount = match &budget.measure {
            Measure::Calls => Amount::ONE,
            Measure::Bytes => Amount::whole(terms.result_max),
            Measure::Time => Amount(u64::try_from(terms.deadline.as_micros()).unwrap_or(Amount::MAX.0)),
            // Nothing is held for a failure that may never come; what has come counts.
            Measure::Errors => Amount::default(),
            Measure::Cost(unit) => match price(call, terms, unit)? {
                // A dry run that asks the tool costs a call and its time, but no money.
                Some(_) if is_spared(call, unit) => return Ok(()),
                Some(amount) => amount,
                None if budget.unpriced_denied => {
                    return Err(DenyReason::CostUnknown(format!("the tool has no cost in {unit}")));
                }
                None => return Ok(()),
            },
        };
        let fits = match budget.measure {
            Measure::Errors => !balance.closed && balance.taken() < budget.cap,
            Measure::Calls | Measure::Bytes | Measure::Time | Measure::Cost(_) => {
                balance.fits(amount, budget.cap)
            }
        };
        let Counted { need: AccountNeed { account, counts_from, .. }, span, .. } = counted;
        match (fits, &budget.over) {
            (true, _) if budget.measure == Measure::Errors => {}
            (true, _) => self.require.push(Precondition::Fits {
                account: account.clone(),
                counts_from: *counts_from,
                amount,
                cap: budget.cap,
            }),
            // People are asked; what they agree to is booked over the cap, and shown so.
            (false, Over::Ask(control)) => self.controls.push(control.clone()),
            (false, Over::Deny) => {
                return Err(DenyReason::BudgetSpent(Box::new(Spent {
                    budget: budget.name.clone(),
                    measure: budget.measure.clone(),
                    left: budget.is_one_agents().then(|| balance.left(budget.cap)),
                    resets_at: span.resets_at.filter(|_| !balance.closed),
                })));
            }
        }
        self.warn(budget, balance, amount, account, now);
        let measure = budget.measure.clone();
        self.holds.push(Hold { account: account.clone(), part: span.part, measure, amount });
        Ok(())
    }

    /// Says so where this call passes a mark.
    fn warn(&mut self, budget: &Budget, balance: Balance, amount: Amount, account: &Account, now: Timestamp) {
        let (before, after) = (balance.taken(), balance.taken().plus(amount));
        let mark = |percent: u8| Amount((u128::from(budget.cap.0) * u128::from(percent) / 100) as u64);
        let passed =
            budget.warn.iter().rev().find(|percent| before < mark(**percent) && mark(**percent) <= after);
        if let Some(percent) = passed {
            self.warnings.push(Record::new(
                Kind::Warning,
                now,
                [
                    ("budget", Json::from(budget.name.as_str())),
                    ("subject", Json::from(&*account.subject)),
                    ("percent", Json::from(i64::from(*percent))),
                    ("taken", Json::from(after.to_string())),
                    ("cap", Json::from(budget.cap.to_string())),
                    ("measure", Json::from(budget.measure.to_string())),
                ],
            ));
        }
    }

    /// What is spent faster than a trip allows does not run; the agent is narrowed where the refusal is kept.
    fn steep(
        &mut self,
        counted: &Counted<'_>,
        trip: &Trip,
        balance: Balance,
        price: Amount,
    ) -> Result<(), DenyReason> {
        if price == Amount::default() {
            return Ok(());
        }
        let Counted { need: AccountNeed { account, counts_from, .. }, span, .. } = counted;
        let (measure, amount, cap) = (trip.measure(), price, trip.at);
        if !balance.fits(amount, cap) {
            return Err(DenyReason::BudgetSpent(Box::new(Spent {
                budget: account.budget.clone(),
                measure,
                left: None,
                resets_at: span.resets_at,
            })));
        }
        self.require.push(Precondition::Fits {
            account: account.clone(),
            counts_from: *counts_from,
            amount,
            cap,
        });
        self.holds.push(Hold { account: account.clone(), part: span.part, measure, amount });
        Ok(())
    }
}

/// Whether a call spends none of this unit though it has a price: money, where the tool only says what it would
/// do. A dry run that reaches no tool is told what the call itself would be.
fn is_spared(call: &Call, unit: &Unit) -> bool {
    call.mode == Mode::DryRun(DryRun::Tool) && unit.is_money()
}

/// What a call costs in a unit: what the tool says, or what the caller says if that is more.
pub(super) fn price(call: &Call, terms: &Tool, unit: &Unit) -> Result<Option<Amount>, DenyReason> {
    let price = terms.price(unit, call.arguments.value(), &call.cost);
    price.map_err(|error| DenyReason::CostUnknown(error.to_string()))
}

/// Lets a refusal count against its agent, and narrows the agent if that was one too many.
pub(super) fn trip(
    policy: &Policy,
    about: &Coordinates,
    mode: Mode,
    reason: &DenyReason,
    known: &Known,
    now: Timestamp,
    changes: &mut Changes,
) {
    let mut goes_off =
        (*reason == DenyReason::Canary).then(|| "a tool that nobody needs was called".to_owned());
    // Budgets come first among the balances; they were read in the same order.
    let all = counted(policy, about, now);
    for (at, counted) in all.iter().enumerate() {
        let By::Trip(trip) = counted.by else { continue };
        let (is_counted, is_steep) = match (&trip.counts, reason) {
            (TripCount::Denials, reason) => (is_denial(reason), false),
            (TripCount::Loops, reason) => (*reason == DenyReason::LoopStopped, false),
            // What was only asked for as a dry run would have spent nothing.
            (TripCount::Spend(_), DenyReason::BudgetSpent(spent)) => {
                (false, mode == Mode::Live && spent.budget == counted.need.account.budget)
            }
            (TripCount::Spend(_), _) => (false, false),
        };
        if !is_counted && !is_steep {
            continue;
        }
        // As for a budget: what a store does not answer for is not taken for nothing.
        let balance = known.remembered.balances.get(at).copied();
        let balance = balance.unwrap_or(Balance { closed: true, ..Balance::default() });
        let over = is_steep || !balance.fits(Amount(Amount::ONE.0 + 1), trip.at);
        if over {
            goes_off.get_or_insert_with(|| format!("trip `{}` went off", trip.name));
        }
        if is_counted {
            changes.tallies.push(Tally {
                account: counted.need.account.clone(),
                part: counted.span.part,
                add: (!over).then_some(Amount::ONE),
            });
        }
    }
    if let Some(why) = goes_off {
        let leaves = if known.remembered.narrowed { Leaves::Nothing } else { Leaves::Reads };
        let stop = Stop {
            scope: Scope::Agent(about.agent.clone()),
            leaves,
            reason: why,
            by: "placet".to_owned(),
            since: now,
        };
        changes.records.push(super::people::stop_record(&stop, now));
        changes.stop = Some(StopChange::Begin(stop));
    }
}

/// Whether a refusal says that the agent tried what it may not.
fn is_denial(reason: &DenyReason) -> bool {
    match reason {
        DenyReason::NotGranted | DenyReason::Forbidden(_) | DenyReason::UnknownTool | DenyReason::Canary => {
            true
        }
        DenyReason::ToolChanged
        | DenyReason::BadArguments(_)
        | DenyReason::TooLarge(_)
        | DenyReason::PolicyError
        | DenyReason::FactMissing(_)
        | DenyReason::FactError(_)
        | DenyReason::TooLargeToJudge(_)
        | DenyReason::Stopped(_)
        | DenyReason::BudgetSpent(_)
        | DenyReason::CostUnknown(_)
        | DenyReason::LoopStopped
        | DenyReason::KeyMissing(_)
        | DenyReason::KeyReused
        | DenyReason::InProgress
        | DenyReason::AlreadyDone
        | DenyReason::OutcomeUnknown(_)
        | DenyReason::DryRunUnsupported
        | DenyReason::Busy
        | DenyReason::TooManyAsked
        | DenyReason::ApprovalDenied(_)
        | DenyReason::ApprovalExpired
        | DenyReason::StoreUnavailable
        | DenyReason::UpstreamUnavailable(_)
        | DenyReason::Bug => false,
    }
}

/// A hold as a record shows it.
pub(super) fn shown(hold: &Hold) -> Json {
    Json::Object(Object::from([
        ("budget", Json::from(hold.account.budget.as_str())),
        ("subject", Json::from(&*hold.account.subject)),
        ("amount", Json::from(hold.amount.to_string())),
        ("measure", Json::from(hold.measure.to_string())),
    ]))
}

impl Trip {
    fn measure(&self) -> Measure {
        match &self.counts {
            TripCount::Denials | TripCount::Loops => Measure::Calls,
            TripCount::Spend(unit) => Measure::Cost(unit.clone()),
        }
    }
}
