//! Slices, for whoever reasons about all calls of a pair instead of judging one.
//!
//! A slice holds the very policies by which calls of one agent and one tool are judged, each without its scope:
//! whether that is true depends on the pair alone, so Cedar is asked here, once. What is left says what a call
//! must be like, and slices of different agents and tools, or of different files, can be compared.
//!
//! Not here: what is proved of them (the crate `placet-prove`). Start at [`Policy::slice`].

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use cedar_policy::{Authorizer, Policy as CedarPolicy, PolicyId, PolicySet, Schema};
use serde_json::{Value, json};

use super::{
    Policy, PolicyError,
    arguments::{Kind, Member, Reads, Record},
    eval::Compiled,
    explain::{Does, shown},
    model::{self, bug},
    view::context_type,
};
use crate::names::{Action, AgentName, MatchName};

/// By what calls of one agent and one tool are judged.
#[derive(Clone, Debug, Default)]
pub struct Slice {
    /// The rules whose scope is true of the pair.
    pub rules: Vec<Ruled>,
    /// What of a call they read.
    pub read: Read,
    /// Rules with a condition that could apply, of which nothing can be said because nothing was accepted of the
    /// tool. Such rules only refuse.
    pub untyped: Vec<Arc<str>>,
}

/// A policy of a slice.
#[derive(Clone, Debug)]
pub struct Ruled {
    /// Its id.
    pub id: Arc<str>,
    /// The line of the file that it comes from; 0 if it stands in none.
    pub line: usize,
    /// What it does.
    pub does: Does,
    /// The policy itself, about everybody and everything, in Cedar's JSON syntax.
    pub est: Value,
}

/// What rules read of a call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Read {
    /// Under `args`, `session` and `call`.
    pub root: Record,
    /// The facts.
    pub facts: BTreeSet<MatchName>,
}

impl Slice {
    /// The one action of [`Read::schema`].
    pub const ACTION: &str = "call";
}

impl Read {
    /// What this and another read together; none if they read one place as two different things.
    pub fn and(&self, other: &Self) -> Option<Self> {
        let facts = self.facts.union(&other.facts).cloned().collect();
        Some(Self { root: joined(&self.root, &other.root)?, facts })
    }

    /// The schema of calls of which this is read: agents, servers, and the action [`Slice::ACTION`].
    ///
    /// # Errors
    ///
    /// [`PolicyError::Bug`] if Cedar does not take it.
    pub fn schema(&self) -> Result<Schema, PolicyError> {
        model::schema_of_one(Slice::ACTION, &context_type(&self.root, !self.facts.is_empty()))
    }
}

fn joined(one: &Record, two: &Record) -> Option<Record> {
    let mut members: BTreeMap<String, Member> = one.members.clone();
    for (name, theirs) in &two.members {
        let member = match members.get(name) {
            None => theirs.clone(),
            Some(ours) if ours == theirs => continue,
            Some(Member { kind: Kind::Record(ours), required }) => match &theirs.kind {
                Kind::Record(record) if *required == theirs.required => {
                    Member { kind: Kind::Record(joined(ours, record)?), required: *required }
                }
                Kind::Record(_)
                | Kind::Bool
                | Kind::Whole
                | Kind::Decimal
                | Kind::Micros
                | Kind::Text
                | Kind::Set(_)
                | Kind::Opaque(_) => return None,
            },
            Some(_) => return None,
        };
        members.insert(name.clone(), member);
    }
    Some(Record { members, open: one.open || two.open })
}

impl Policy {
    /// By what calls of this agent and this tool are judged; none if the policy does not know one of them, and so
    /// refuses.
    ///
    /// ```
    /// # use placet_engine::policy::{Policy, Rules, catalogue, config::read, explain::Does};
    /// let source = "[servers.crm]\ncommand = ['crm']\ntools = { wipe = 'delete', show = 'read' }\n\
    ///     [agents.bot]\nlevels = ['delete']\n[guards]\ndelete = 'approval:oncall'";
    /// let config = read(source).config.expect("no errors");
    /// let policy = Policy::compile(Rules::from(&config), catalogue(&config))?;
    /// let rules = |tool: &str| Ok::<_, Box<dyn std::error::Error>>(
    ///     policy.slice(&"bot".parse()?, &tool.parse()?)?.expect("both are known").rules,
    /// );
    /// assert_eq!(rules("crm/wipe")?.len(), 2);
    /// assert!(rules("crm/show")?.is_empty());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`PolicyError`] if Cedar does not take what it took before: a bug.
    pub fn slice(&self, agent: &AgentName, action: &Action) -> Result<Option<Slice>, PolicyError> {
        self.compiled.slice_of(agent, action)
    }
}

impl Compiled {
    fn slice_of(&self, agent: &AgentName, action: &Action) -> Result<Option<Slice>, PolicyError> {
        let Some(plain) = self.plain_of(agent, action)? else { return Ok(None) };
        let conditional = self.conditional_rules(agent, action);
        let mine: BTreeSet<&Arc<str>> = conditional.iter().map(|rule| &rule.id).collect();
        let view = match mine.is_empty() {
            true => None,
            false => self.accepted_view(action),
        };
        let (mut policies, mut read, mut untyped) = (plain, Read::default(), Vec::new());
        match &view {
            Some(view) => {
                let is_mine = |at: usize| self.lowered_at(at).is_some_and(|rule| mine.contains(&rule.id));
                policies
                    .extend(view.policies().filter(|(at, _)| is_mine(*at)).map(|(_, policy)| policy.clone()));
                let looked = view.looked_at(is_mine);
                let reads: Reads = looked.reads.into_iter().collect();
                read = Read { root: view.root.narrowed(&reads), facts: looked.facts };
            }
            None => untyped = conditional.iter().map(|rule| Arc::clone(&rule.id)).collect(),
        }
        let holding = self.holding(agent, action, &policies)?;
        let mut rules = Vec::with_capacity(holding.len());
        for policy in policies.iter().filter(|policy| holding.contains(policy.id())) {
            // Not as it is printed: an id may hold what is escaped there.
            let id: &str = policy.id().as_ref();
            let (rule, is_missing) =
                self.rule(id).ok_or_else(|| bug(format!("policy `{}` has no rule", policy.id())))?;
            let does = if is_missing { Does::CannotTell } else { shown(rule).does };
            rules.push(Ruled { id: id.into(), line: rule.line, does, est: about_all(policy)? });
        }
        Ok(Some(Slice { rules, read, untyped }))
    }

    /// The policies whose scope is true of the pair, by Cedar's own word.
    fn holding(
        &self,
        agent: &AgentName,
        action: &Action,
        policies: &[CedarPolicy],
    ) -> Result<BTreeSet<PolicyId>, PolicyError> {
        let scopes = policies.iter().map(|policy| {
            let mut est = policy.to_json().map_err(bug)?;
            set(&mut est, "effect", json!("permit"));
            set(&mut est, "conditions", json!([]));
            CedarPolicy::from_json(Some(policy.id().clone()), est).map_err(bug)
        });
        let scopes = PolicySet::from_policies(scopes.collect::<Result<Vec<_>, _>>()?).map_err(bug)?;
        let response = Authorizer::new().is_authorized(
            &self.request(agent, action, &BTreeSet::new())?,
            &scopes,
            self.entities(),
        );
        match response.diagnostics().errors().next() {
            Some(error) => Err(bug(error)),
            None => Ok(response.diagnostics().reason().cloned().collect()),
        }
    }
}

/// The policy without its scope.
fn about_all(policy: &CedarPolicy) -> Result<Value, PolicyError> {
    let mut est = policy.to_json().map_err(bug)?;
    for part in ["principal", "action", "resource"] {
        set(&mut est, part, json!({ "op": "All" }));
    }
    set(&mut est, "annotations", json!({}));
    Ok(est)
}

fn set(est: &mut Value, key: &str, value: Value) {
    if let Some(object) = est.as_object_mut() {
        object.insert(key.to_owned(), value);
    }
}

#[cfg(test)]
mod tests;
