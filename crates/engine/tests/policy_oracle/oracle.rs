//! The oracle: what the rules mean, by going through all of them, without slices, lowering or Cedar.
//!
//! Start at [`judge`].

use std::{collections::BTreeSet, sync::Arc};

use placet_engine::{
    decision::DenyReason,
    policy::{Judged, config::Control},
};

use super::{
    call::Given,
    condition::{Looks, Told, Unfit, exact},
    facts::fact,
    tool::Tool,
    world::{Effect, Rule, World, stands_for},
};

/// Whether the rules can be loaded at all: each condition means something over each tool that is known.
pub(crate) fn loads(world: &World) -> bool {
    let mut known = world.tools.iter().filter(|(_, (_, is_known))| *is_known);
    known.all(|(action, (tool, _))| conditions(world, action, tool).all(|(_, told)| told.is_ok()))
}

/// The guards with a condition that are about a tool, whomever they concern, with what is known of them.
fn conditions<'a>(
    world: &'a World,
    action: &'a str,
    tool: &'a Tool,
) -> impl Iterator<Item = (usize, Result<Told, Unfit>)> + 'a {
    world.guards.iter().enumerate().filter(move |(_, rule)| rule.covers(action, tool)).filter_map(
        move |(at, rule)| {
            let (cond, asks) = rule.when.as_ref()?;
            Some((at, cond.over(asks, tool)))
        },
    )
}

/// What is said of one call.
pub(crate) fn judge(world: &World, agent: &str, action: &str, given: &Given<'_>) -> Judged {
    let refused = |reason, policies: Vec<String>| Judged::Refused {
        reason,
        policies: policies.into_iter().map(Arc::from).collect(),
    };
    let (Some(remit), Some((tool, _))) = (world.remits.get(agent), world.tools.get(action)) else {
        return refused(DenyReason::NotGranted, Vec::new());
    };
    let told: Vec<_> = conditions(world, action, given.tool).collect();
    let mine = |at: usize| world.guards[at].concerns(agent, remit);
    let conditional: Vec<String> = told.iter().flat_map(|(at, _)| ids(*at, &world.guards[*at])).collect();
    if told.iter().any(|(at, _)| mine(*at)) {
        let Ok(told) = told.into_iter().map(|(at, told)| Ok((at, told?))).collect::<Result<Vec<_>, Unfit>>()
        else {
            return refused(DenyReason::PolicyError, conditional);
        };
        let looks = |(at, told): &(usize, Told)| match told {
            Told::Always(_) => None,
            Told::Looks(looks) => Some((*at, looks.clone())),
        };
        let looks: Vec<(usize, Looks)> = told.iter().filter_map(looks).collect();
        // What is read for one rule of a tool is read for all of them; facts are asked only for those concerned.
        let reads: BTreeSet<_> = looks.iter().flat_map(|(_, looks)| &looks.reads).copied().collect();
        let concerned = looks.iter().filter(|(at, _)| mine(*at));
        let facts: BTreeSet<_> = concerned.flat_map(|(_, looks)| &looks.facts).copied().collect();
        if let Some(reason) = unreadable(&reads, given) {
            return refused(reason, conditional);
        }
        for name in facts {
            if let Err(why) = given.fact(name) {
                return refused(DenyReason::FactError(why.into()), conditional);
            }
        }
    }
    let holds = |levels: &[_]| levels.contains(&tool.level);
    let listed = |kind: &str, list: &[&str]| -> Vec<String> {
        let matching = list.iter().enumerate().filter(|(_, pattern)| stands_for(pattern, action));
        matching.map(|(at, _)| format!("agents.{agent}.{kind}.{at}")).collect()
    };
    let mut permits = listed("allow", &remit.allow);
    if holds(&remit.levels) {
        permits.push(format!("agents.{agent}.levels"));
    }
    let mut forbids = listed("deny", &remit.deny);
    let mut is_forbidden = !forbids.is_empty();
    let (mut words, mut missing): (Option<Arc<str>>, Option<&str>) = (None, None);
    let mut controls: BTreeSet<Control> = BTreeSet::new();
    for (at, rule) in world.guards.iter().enumerate() {
        if !rule.covers(action, tool) || !rule.concerns(agent, remit) {
            continue;
        }
        match applies(rule, given) {
            Applies::No => {}
            Applies::CannotTell(place) => {
                missing = missing.or(Some(place));
                forbids.extend(ids(at, rule).into_iter().map(|id| format!("{id}.missing")));
            }
            Applies::Yes => {
                forbids.extend(ids(at, rule));
                match &rule.effect {
                    Effect::Forbid(text) => {
                        is_forbidden = true;
                        words = words.or_else(|| Some((*text).into()));
                    }
                    Effect::Require(all) => {
                        controls.extend(all.iter().map(|text| text.parse::<Control>().unwrap()))
                    }
                }
            }
        }
    }
    permits.sort();
    forbids.sort();
    if is_forbidden {
        refused(DenyReason::Forbidden(words), forbids)
    } else if let Some(place) = missing {
        refused(DenyReason::FactMissing(format!("`{place}`").into()), forbids)
    } else if permits.is_empty() {
        refused(DenyReason::NotGranted, Vec::new())
    } else {
        let policies = [forbids, permits].concat().into_iter().map(Arc::from).collect();
        Judged::Granted { controls: controls.into_iter().collect(), policies }
    }
}

enum Applies {
    Yes,
    No,
    /// Since nothing stands at this place.
    CannotTell(&'static str),
}

fn applies(rule: &Rule, given: &Given<'_>) -> Applies {
    let Some((cond, asks)) = &rule.when else { return Applies::Yes };
    let looks = match cond.told(asks, given.tool) {
        Ok(Told::Always(true)) => return Applies::Yes,
        Ok(Told::Always(false)) => return Applies::No,
        Ok(Told::Looks(looks)) => looks,
        Err(Unfit) => panic!("{rule:?} means nothing"),
    };
    let absent = looks.needs.iter().copied().find(|place| given.at(place).is_none());
    let unasked = looks.facts.iter().filter(|name| !asks.contains(fact(name).argument));
    let untold = unasked.into_iter().find(|name| given.fact(name) == Ok(None)).map(|name| fact(name).place);
    match absent.or(untold) {
        Some(place) => Applies::CannotTell(place),
        None if cond.holds(asks, given) => Applies::Yes,
        None => Applies::No,
    }
}

/// The policies of a guard.
fn ids(at: usize, rule: &Rule) -> Vec<String> {
    let name = rule.id.clone().unwrap_or_else(|| at.to_string());
    match &rule.effect {
        Effect::Require(all) if all.len() > 1 => {
            (0..all.len()).map(|nth| format!("guards.{at}.{name}.{nth}")).collect()
        }
        Effect::Require(_) | Effect::Forbid(_) => vec![format!("guards.{at}.{name}")],
    }
}

/// Why what is read cannot be judged: the first place, by its name; after the arguments the cost.
fn unreadable(reads: &BTreeSet<&str>, given: &Given<'_>) -> Option<DenyReason> {
    let number = |place: String, value: i128| {
        // Hundreds of millionths are below what is compared.
        if value % 100 != 0 {
            Some(DenyReason::FactError(
                format!("`args.{place}` has more than 4 digits after the point").into(),
            ))
        } else if value.abs() > i128::from(i64::MAX) * 100 {
            Some(DenyReason::FactError(format!("`args.{place}` is too large a number to be judged").into()))
        } else {
            None
        }
    };
    let amount = || number("amount".to_owned(), exact(given.at("amount")?));
    let note = || {
        (given.at("note")?.as_str()?.len() > 64 * 1024).then(|| {
            DenyReason::TooLargeToJudge(
                "`args.note` is longer than 65536 bytes, more than a rule reads".into(),
            )
        })
    };
    let sums = || {
        let sums = given.at("sums")?.as_array()?;
        sums.iter().enumerate().find_map(|(at, sum)| number(format!("sums[{at}]"), exact(sum)))
    };
    let cost = || given.cost.is_none().then(|| DenyReason::CostUnknown("nobody knows".to_owned()));
    let places: [(&str, &dyn Fn() -> Option<DenyReason>); 4] =
        [("amount", &amount), ("note", &note), ("sums", &sums), ("cost", &cost)];
    places.into_iter().filter(|(place, _)| reads.contains(place)).find_map(|(_, fault)| fault())
}
