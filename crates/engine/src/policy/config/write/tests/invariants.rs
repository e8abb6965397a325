//! Invariants as they may stand in a file: what the models of the property test are made of.

use super::*;
use crate::policy::config::{About, Claim, Invariant, Need};

/// What an invariant is made of, before it is known which agents, tools and groups there are.
#[derive(Clone, Debug)]
pub(super) struct Draft {
    pick: sample::Index,
    whose: u8,
    tools: usize,
    levels: LevelSet,
    when: bool,
    need: Option<(u8, Option<Strength>)>,
    name: String,
}

pub(super) fn drafts() -> impl Strategy<Value = Vec<Draft>> {
    let strength = option::of(sample::select(&Strength::ALL[..]));
    let need = option::of((0..=Control::VOTES_MAX, strength));
    let draft = (any::<sample::Index>(), 0u8..3, 0usize..3, levels(), any::<bool>(), need);
    collection::vec(draft, 0..3).prop_map(|drafts| {
        let numbered = drafts.into_iter().enumerate();
        numbered
            .map(|(at, (pick, whose, tools, levels, when, need))| Draft {
                pick,
                whose,
                tools,
                levels,
                when,
                need,
                name: format!("it holds \"{at}\" # '\\ é"),
            })
            .collect()
    })
}

impl Draft {
    /// The invariant, if it says of which calls it is.
    pub(super) fn invariant(
        self,
        agents: &BTreeMap<AgentName, Agent>,
        patterns: &[At<Pattern>],
        groups: &[GroupName],
    ) -> Option<Invariant> {
        let agent = agents.keys().nth(self.pick.index(agents.len().max(1))).cloned();
        let who = match self.whose {
            0 => None,
            1 => agent.clone().map(Scope::Agent),
            _ => agent.and_then(|agent| agents[&agent].team.clone()).map(Scope::Team),
        };
        let tools: Vec<At<Pattern>> = patterns.iter().take(self.tools).cloned().collect();
        let levels = (!self.levels.is_empty()).then_some(self.levels);
        let when = self.when.then(|| When::parse("args.amount > 100.5 || matches.m").unwrap());
        if who.is_none() && tools.is_empty() && levels.is_none() {
            return None;
        }
        let claim = match (self.need, groups.get(self.pick.index(groups.len().max(1)))) {
            (Some((votes @ 1.., strength)), Some(group)) => {
                Claim::Needs(Need::Control(Control::Approval { group: group.clone(), votes, strength }))
            }
            (Some(_), _) => Claim::Needs(Need::AnyApproval),
            (None, _) => Claim::Never,
        };
        Some(Invariant { name: self.name, about: About { who, tools, levels, when }, claim, line: 1 })
    }
}
