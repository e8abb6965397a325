//! What tests need to see of the compiled policies, or to break in them.

use super::*;
use crate::policy::lower::{What, Who};
use serde_json::Value;

impl Compiled {
    /// The same with one more policy in every slice, unvalidated: no file can hold one that errs.
    pub(in crate::policy) fn with_raw(mut self, id: &str, est: Value) -> Self {
        let id = PolicyId::new(id);
        self.by_id.insert(id.clone(), (self.lowered.len(), Part::Main));
        self.lowered.push(Lowered {
            id: id.to_string().into(),
            line: 0,
            effect: Effect::Forbid(None),
            who: Who::Anyone,
            what: What::Levels(Level::ALL.into_iter().collect()),
            when: None,
        });
        self.policies.push(Some(Policy::from_json(Some(id), est).unwrap()));
        self.slices.iter_mut().for_each(|slice| drop(slice.take()));
        self
    }

    /// What the whole set says of this pair.
    pub(in crate::policy) fn judge_unsliced(&self, agent: &AgentName, action: &Action) -> Judged {
        let set = PolicySet::from_policies(self.policies.iter().flatten().cloned()).unwrap();
        let plain = self.request(agent, action, &BTreeSet::new()).unwrap();
        self.judge_by(&Slice::new(set, plain), agent, action)
    }

    /// The policies that are satisfied where these controls are, each tried by itself; permits apart.
    pub(in crate::policy) fn satisfied(
        &self,
        agent: &AgentName,
        action: &Action,
        controls: &BTreeSet<Control>,
    ) -> (BTreeSet<PolicyId>, BTreeSet<PolicyId>) {
        let request = self.request(agent, action, controls).unwrap();
        let satisfied = self.policies.iter().flatten().filter(|policy| {
            let set = PolicySet::from_policies([(*policy).clone()]).unwrap();
            let response = Authorizer::new().is_authorized(&request, &set, &self.entities);
            assert_eq!(response.diagnostics().errors().count(), 0, "{policy}");
            response.diagnostics().reason().any(|id| id == policy.id())
        });
        let (permits, forbids): (Vec<_>, Vec<_>) =
            satisfied.partition(|policy| policy.effect() == cedar_policy::Effect::Permit);
        let ids = |policies: Vec<&Policy>| policies.into_iter().map(|policy| policy.id().clone()).collect();
        (ids(permits), ids(forbids))
    }

    /// The same of one call, among all policies that its tool has, conditional ones included. None where the call
    /// cannot be judged at all.
    pub(in crate::policy) fn satisfied_by(
        &self,
        agent: &AgentName,
        action: &Action,
        seen: &Seen<'_>,
        controls: &BTreeSet<Control>,
    ) -> Option<(BTreeSet<PolicyId>, BTreeSet<PolicyId>)> {
        if !self.is_conditional(action) {
            return Some(self.satisfied(agent, action, controls));
        }
        let view = self.view(action, seen.definition)?;
        let all: Vec<Policy> = view.policies().map(|(_, policy)| policy.clone()).collect();
        let everything = view.slice(Vec::new(), |_| true)?;
        let mut parts = view.parts(&everything, &self.rules, seen).ok()?;
        parts.push(("controls".to_owned(), model::texts(controls)));
        let request =
            model::request(agent, action, Context::from_pairs(parts).unwrap(), &view.schema).unwrap();
        let (mut permits, mut forbids) = self.satisfied(agent, action, controls);
        for policy in all {
            let set = PolicySet::from_policies([policy.clone()]).unwrap();
            let response = Authorizer::new().is_authorized(&request, &set, &self.entities);
            assert_eq!(response.diagnostics().errors().count(), 0, "{policy}");
            if response.diagnostics().reason().next().is_some() {
                let ids =
                    if policy.effect() == cedar_policy::Effect::Permit { &mut permits } else { &mut forbids };
                ids.insert(policy.id().clone());
            }
        }
        Some((permits, forbids))
    }

    /// The self-check as it would go if Cedar had not been told which actions are in which groups.
    pub(in crate::policy) fn self_check_without_groups(&self) -> Result<(), PolicyError> {
        model::self_check(&self.schema, &Entities::empty())
    }
}
