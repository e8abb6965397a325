//! `placet budgets`: what is spent, held and left, and opening one again that an overrun has closed.

use std::collections::BTreeMap;

use clap::{Args, Subcommand};
use placet_engine::{
    cost::Amount,
    json::{Json, Object},
    policy::config::terms::Budget,
    time::Timestamp,
    window::Window,
};
use placet_store::sqlite::Spending;

use super::{Exit, PlaceArguments, audit, check, complain, orders, say};
use crate::clock::{Clock as _, SystemClock};

#[derive(Args, Debug)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    /// Each as one line of JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    place: PlaceArguments,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Open a budget again that an overrun has closed
    Reopen {
        /// The budget
        name: String,
        /// Why it may go on
        #[arg(long, value_name = "TEXT")]
        reason: String,
        #[command(flatten)]
        place: PlaceArguments,
    },
}

pub(super) fn run(arguments: &Arguments) -> Exit {
    let done = match &arguments.command {
        None => list(arguments.json, &arguments.place),
        Some(Command::Reopen { name, reason, place }) => reopen(name, reason, place),
    };
    done.err().unwrap_or(Exit::Done)
}

/// One account, as it stands now.
#[derive(Default)]
struct Standing {
    spent: Amount,
    held: Amount,
    closed: bool,
}

fn list(json: bool, place: &PlaceArguments) -> Result<(), Exit> {
    let budgets = budgets(place)?;
    if budgets.is_empty() {
        complain("the file has no budgets", Some("`[[budgets]]` begins one"));
        return Ok(());
    }
    let reader = audit::open(place)?;
    let spending = reader.spending().map_err(|error| audit::unreadable(&error))?;
    let now = SystemClock.now().wall;
    for budget in &budgets {
        let accounts = standing(budget, &spending, now);
        if accounts.is_empty() && !show(budget, &budget.scope.to_string(), &Standing::default(), now, json) {
            return Ok(());
        }
        for (subject, standing) in &accounts {
            if !show(budget, subject, standing, now, json) {
                return Ok(());
            }
        }
    }
    Ok(())
}

fn budgets(place: &PlaceArguments) -> Result<Vec<Budget>, Exit> {
    check::in_force(place).map(|loaded| loaded.config.budgets)
}

/// What counts now, by whose account it is. Of sessions' accounts, which are many, the sum of each kind.
fn standing(budget: &Budget, spending: &[Spending], now: Timestamp) -> BTreeMap<String, Standing> {
    let span = budget.per.at(now);
    let mut accounts = BTreeMap::<String, Standing>::new();
    let own = spending.iter().filter(|row| row.budget == budget.name.as_str() && row.window == span.window);
    for row in own {
        let subject =
            if row.session.is_some() { format!("{} (sessions)", row.subject) } else { row.subject.clone() };
        let account = accounts.entry(subject).or_default();
        if row.part >= span.counts_from {
            account.spent = account.spent.plus(row.spent);
        }
        account.held = account.held.plus(row.held);
        account.closed |= row.closed;
    }
    accounts
}

fn show(budget: &Budget, subject: &str, standing: &Standing, now: Timestamp, json: bool) -> bool {
    let resets_at = match budget.per {
        Window::Fixed(..) => budget.per.at(now).resets_at,
        Window::Rolling(_) | Window::Session | Window::Total => None,
    };
    let taken = standing.spent.plus(standing.held);
    let left = if standing.closed { Amount::default() } else { budget.cap.minus(taken) };
    if json {
        let mut line = Object::from([
            ("budget", Json::from(budget.name.as_str())),
            ("subject", Json::from(subject)),
            ("measure", Json::from(budget.measure.to_string())),
            ("cap", Json::from(budget.cap.to_string())),
            ("spent", Json::from(standing.spent.to_string())),
            ("held", Json::from(standing.held.to_string())),
            ("left", Json::from(left.to_string())),
            ("closed", Json::from(standing.closed)),
        ]);
        if let Some(resets_at) = resets_at {
            line.insert("resets_at", resets_at.to_string());
        }
        return say(&Json::Object(line).compact());
    }
    let bar = bar(taken, budget.cap);
    let held =
        if standing.held > Amount::default() { format!(", {} held", standing.held) } else { String::new() };
    let closed = if standing.closed { ", closed by an overrun" } else { "" };
    let resets = resets_at.map_or(String::new(), |at| format!(", anew {at}"));
    say(&format!(
        "{:24} {:20} {bar} {} of {} {}{held}{closed}{resets}",
        budget.name, subject, standing.spent, budget.cap, budget.measure
    ))
}

/// Ten tenths; what is begun shows.
fn bar(taken: Amount, cap: Amount) -> String {
    let tenths = (u128::from(taken.0) * 10).div_ceil(u128::from(cap.0.max(1))).min(10);
    let full = usize::try_from(tenths).unwrap_or(10);
    format!("[{}{}]", "#".repeat(full), ".".repeat(10 - full))
}

fn reopen(name: &str, reason: &str, place: &PlaceArguments) -> Result<(), Exit> {
    let reader = audit::open(place)?;
    let spending = reader.spending().map_err(|error| audit::unreadable(&error))?;
    let mut closed: Vec<_> = spending.iter().filter(|row| row.budget == name && row.closed).collect();
    closed.dedup_by_key(|row| (&row.subject, row.session.as_deref(), row.window));
    if closed.is_empty() {
        complain(&format!("no account of budget `{name}` is closed"), Some("`placet budgets` shows them"));
        return Err(Exit::Refused);
    }
    for row in closed {
        let order = [
            ("budget", Json::from(name)),
            ("subject", Json::from(row.subject.as_str())),
            ("session", Json::from(row.session.as_deref().unwrap_or_default())),
            ("window", Json::from(i64::try_from(row.window.0).unwrap_or(i64::MAX))),
            ("reason", Json::from(reason)),
        ];
        orders::give(place, "reopen", order)?;
        say(&format!("budget `{name}` of {} is open again", row.subject));
    }
    Ok(())
}
