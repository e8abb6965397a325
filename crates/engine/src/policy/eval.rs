//! Evaluation: Cedar, asked about one agent and one tool at a time, over the few policies that can matter.
//!
//! Cedar walks every policy it is given and skips one that errs. So we give it a slice, those policies whose
//! scope can match the pair, and turn any error into a denial. Where every satisfied forbid names the control
//! that lifts it, the same question is put again with those controls: what Cedar then says is the last word.
//!
//! Requests hold nothing that changes from call to call, so each pair's are built once and kept.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    fmt::Write as _,
    str::FromStr,
    sync::{Arc, OnceLock},
};

use cedar_policy::{
    AuthorizationError, Authorizer, Context, Decision, Entities, Entity, EntityId, EntityTypeName, EntityUid,
    Policy, PolicyId, PolicySet, Request, Response, RestrictedExpression, Schema, ValidationMode, Validator,
};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::{
    Catalogue, Judged, PolicyError, Rules,
    config::Control,
    lower::{Effect, Lowered, level_group, lower, probe, server_group},
};
use crate::{
    decision::DenyReason,
    level::Level,
    names::{Action, AgentName, TeamName},
};

/// Validated policies and, made on first use, the slice of each pair of agent and tool.
#[derive(Debug)]
pub(super) struct Compiled {
    lowered: Vec<Lowered>,
    by_id: HashMap<PolicyId, usize>,
    policies: Vec<Policy>,
    schema: Schema,
    entities: Entities,
    agents: BTreeMap<AgentName, (usize, Option<TeamName>)>,
    actions: BTreeMap<Action, (usize, Level)>,
    slices: Vec<OnceLock<Option<Slice>>>,
    digest: String,
}

/// What Cedar is asked about one agent and one tool.
#[derive(Debug)]
struct Slice {
    set: PolicySet,
    plain: Request,
    /// The same question with the controls that lifted the forbids of the first, which are always the same
    /// ones as long as a request holds nothing else.
    lifted: OnceLock<(BTreeSet<Control>, Request)>,
}

impl Slice {
    fn new(set: PolicySet, plain: Request) -> Self {
        Self { set, plain, lifted: OnceLock::new() }
    }
}

impl Compiled {
    pub(super) fn new(rules: &Rules, catalogue: &Catalogue) -> Result<Self, PolicyError> {
        let lowered = lower(rules, catalogue);
        let mut policies = Vec::with_capacity(lowered.len());
        let mut by_id = HashMap::with_capacity(lowered.len());
        for (at, rule) in lowered.iter().enumerate() {
            let id = PolicyId::new(&*rule.id);
            policies.push(Policy::from_json(Some(id.clone()), rule.to_est()).map_err(bug)?);
            if by_id.insert(id, at).is_some() {
                return Err(PolicyError::Invalid(vec![format!("two rules are called `{}`", rule.id)]));
            }
        }
        let schema = Schema::from_json_value(schema(catalogue)).map_err(bug)?;
        let entities = entities(rules, catalogue, &schema)?;
        validate(&policies, &schema)?;

        let agents: BTreeMap<_, _> = rules
            .agents
            .iter()
            .enumerate()
            .map(|(at, (name, agent))| (name.clone(), (at, agent.team.clone())))
            .collect();
        let actions: BTreeMap<_, _> = catalogue
            .iter()
            .enumerate()
            .map(|(at, (action, tool))| (action.clone(), (at, tool.level())))
            .collect();
        let mut slices = Vec::new();
        slices.resize_with(agents.len().saturating_mul(actions.len()), OnceLock::new);
        let digest = digest(&policies, catalogue);
        self_check(&schema, &entities)?;
        Ok(Self { lowered, by_id, policies, schema, entities, agents, actions, slices, digest })
    }

    /// Judges one pair. Whatever is not known to the policy is not granted.
    pub(super) fn judge(&self, agent: &AgentName, action: &Action) -> Judged {
        let refused = |reason, policies| Judged::Refused { reason, policies };
        let (Some((row, team)), Some((column, level))) = (self.agents.get(agent), self.actions.get(action))
        else {
            return refused(DenyReason::NotGranted, Vec::new());
        };
        let slot = row * self.actions.len() + column;
        let Some(slice) = self.slices.get(slot).and_then(|slot| {
            slot.get_or_init(|| self.slice(agent, team.as_ref(), action, *level).ok()).as_ref()
        }) else {
            return refused(DenyReason::PolicyError, Vec::new());
        };
        self.judge_by(slice, agent, action)
    }

    fn judge_by(&self, slice: &Slice, agent: &AgentName, action: &Action) -> Judged {
        let refused = |reason, policies| Judged::Refused { reason, policies };
        let first = self.ask(slice, &slice.plain);
        let (controls, mut policies) = match self.read(&first) {
            Read::Erred(ids) => return refused(DenyReason::PolicyError, ids),
            Read::Allowed(policies) => return Judged::Granted { controls: Vec::new(), policies },
            Read::NothingMatched => return refused(DenyReason::NotGranted, Vec::new()),
            Read::Forbidden { words, ids } => return refused(DenyReason::Forbidden(words), ids),
            Read::Curable { controls, ids } => (controls, ids),
        };
        if slice.lifted.get().is_none() {
            let Ok(request) = self.request(agent, action, &controls) else {
                return refused(DenyReason::PolicyError, policies);
            };
            // Whoever else was faster has put the same here.
            drop(slice.lifted.set((controls.clone(), request)));
        }
        let Some((_, request)) = slice.lifted.get().filter(|(lifted, _)| *lifted == controls) else {
            return refused(DenyReason::PolicyError, policies);
        };
        match self.read(&self.ask(slice, request)) {
            Read::Allowed(ids) => {
                policies.extend(ids);
                Judged::Granted { controls: controls.into_iter().collect(), policies }
            }
            Read::NothingMatched => refused(DenyReason::NotGranted, Vec::new()),
            Read::Forbidden { words, ids } => refused(DenyReason::Forbidden(words), ids),
            // More controls never satisfy a forbid that was not satisfied, so nothing new can ask for more.
            Read::Erred(ids) | Read::Curable { ids, .. } => refused(DenyReason::PolicyError, ids),
        }
    }

    fn ask(&self, slice: &Slice, request: &Request) -> Response {
        Authorizer::new().is_authorized(request, &slice.set, &self.entities)
    }

    fn read(&self, response: &Response) -> Read {
        let diagnostics = response.diagnostics();
        let mut erred: Vec<_> = diagnostics.errors().map(erring_policy).collect();
        if !erred.is_empty() {
            erred.sort();
            return Read::Erred(erred);
        }
        let mut ids: Vec<Arc<str>> = Vec::new();
        let mut controls = BTreeSet::new();
        let mut hard: Option<(bool, usize, Option<Arc<str>>)> = None;
        for id in diagnostics.reason() {
            let Some((at, rule)) = self.by_id.get(id).and_then(|at| Some((*at, self.lowered.get(*at)?)))
            else {
                return Read::Erred(vec![id.to_string().into()]);
            };
            ids.push(Arc::clone(&rule.id));
            match &rule.effect {
                Effect::Permit => {}
                Effect::Forbid(words) => {
                    // Cedar names its reasons in no order, but the same call is always told the same words:
                    // those of the first rule that has some.
                    let rank = (words.is_none(), at);
                    if hard.as_ref().is_none_or(|(silent, first, _)| rank < (*silent, *first)) {
                        hard = Some((words.is_none(), at, words.clone()));
                    }
                }
                Effect::Require(control) => {
                    controls.insert(control.clone());
                }
            }
        }
        ids.sort();
        match (response.decision(), hard) {
            (Decision::Allow, _) => Read::Allowed(ids),
            (Decision::Deny, Some((_, _, words))) => Read::Forbidden { words, ids },
            (Decision::Deny, None) if !controls.is_empty() => Read::Curable { controls, ids },
            (Decision::Deny, None) => Read::NothingMatched,
        }
    }

    fn slice(
        &self,
        agent: &AgentName,
        team: Option<&TeamName>,
        action: &Action,
        level: Level,
    ) -> Result<Slice, PolicyError> {
        let matching = self.lowered.iter().zip(&self.policies);
        let matching = matching.filter(|(rule, _)| rule.can_match(agent, team, action, level));
        // A glob may have become a list of hundreds of tools, which Cedar would build anew at each question.
        // Here the one tool that is asked about stands for all of them.
        let narrowed = matching.map(|(rule, policy)| match rule.narrowed(action) {
            None => Ok(policy.clone()),
            Some(narrowed) => Policy::from_json(Some(policy.id().clone()), narrowed.to_est()).map_err(bug),
        });
        let policies = narrowed.collect::<Result<Vec<_>, _>>()?;
        let set = PolicySet::from_policies(policies).map_err(bug)?;
        Ok(Slice::new(set, self.request(agent, action, &BTreeSet::new())?))
    }

    fn request(
        &self,
        agent: &AgentName,
        action: &Action,
        controls: &BTreeSet<Control>,
    ) -> Result<Request, PolicyError> {
        let names = controls.iter().map(|control| RestrictedExpression::new_string(control.to_string()));
        let context = Context::from_pairs([("controls".to_owned(), RestrictedExpression::new_set(names))])
            .map_err(bug)?;
        Request::new(
            uid("Agent", agent.as_str())?,
            uid("Action", &action.to_string())?,
            uid("Server", action.server.as_str())?,
            context,
            Some(&self.schema),
        )
        .map_err(bug)
    }

    pub(super) fn to_cedar(&self) -> String {
        let mut text = String::new();
        for policy in &self.policies {
            // Static policies, made from Cedar's own syntax trees, always have a text.
            let _ = writeln!(text, "{}\n", policy.to_cedar().unwrap_or_default());
        }
        text
    }

    pub(super) fn digest(&self) -> &str {
        &self.digest
    }
}

/// Tries one forbid of each level on an action of that level, beside a permit of everything. If the
/// groups were lost on the way, `action in` would be false and every such forbid silently gone.
fn self_check(schema: &Schema, entities: &Entities) -> Result<(), PolicyError> {
    for level in Level::ALL {
        let permit = json!({ "effect": "permit", "principal": { "op": "All" }, "action": { "op": "All" },
            "resource": { "op": "All" }, "conditions": [] });
        let forbid = json!({ "effect": "forbid", "principal": { "op": "All" },
            "action": { "op": "in", "entity": { "type": "Action", "id": level_group(level) } },
            "resource": { "op": "All" }, "conditions": [] });
        let set = PolicySet::from_policies([
            Policy::from_json(Some(PolicyId::new("permit")), permit).map_err(bug)?,
            Policy::from_json(Some(PolicyId::new("forbid")), forbid).map_err(bug)?,
        ])
        .map_err(bug)?;
        let none = RestrictedExpression::new_set([]);
        let context = Context::from_pairs([("controls".to_owned(), none)]).map_err(bug)?;
        let request = Request::new(
            uid("Agent", "probe")?,
            uid("Action", &probe(level))?,
            uid("Server", "probe")?,
            context,
            Some(schema),
        )
        .map_err(bug)?;
        let response = Authorizer::new().is_authorized(&request, &set, entities);
        let refused = response.decision() == Decision::Deny
            && response.diagnostics().errors().next().is_none()
            && response.diagnostics().reason().any(|id| *id == PolicyId::new("forbid"));
        if !refused {
            return Err(PolicyError::SelfCheck(level));
        }
    }
    Ok(())
}

/// What Cedar's answer means.
enum Read {
    Erred(Vec<Arc<str>>),
    Allowed(Vec<Arc<str>>),
    NothingMatched,
    Forbidden { words: Option<Arc<str>>, ids: Vec<Arc<str>> },
    Curable { controls: BTreeSet<Control>, ids: Vec<Arc<str>> },
}

/// Which policy could not be evaluated.
fn erring_policy(error: &AuthorizationError) -> Arc<str> {
    match error {
        AuthorizationError::PolicyEvaluationError(error) => error.policy_id().to_string().into(),
    }
}

fn uid(kind: &str, id: &str) -> Result<EntityUid, PolicyError> {
    Ok(EntityUid::from_type_name_and_id(EntityTypeName::from_str(kind).map_err(bug)?, EntityId::new(id)))
}

/// Actions with their groups, and what a request looks like.
fn schema(catalogue: &Catalogue) -> Value {
    let context = json!({ "type": "Record", "attributes": {
        "controls": { "type": "Set", "element": { "type": "String" } } } });
    let applies = json!({ "principalTypes": ["Agent"], "resourceTypes": ["Server"], "context": context });
    let mut actions = serde_json::Map::new();
    for level in Level::ALL {
        actions.insert(level_group(level), json!({}));
        actions.insert(
            probe(level),
            json!({ "memberOf": [{ "id": level_group(level) }], "appliesTo": applies }),
        );
    }
    for (action, tool) in catalogue {
        let server = server_group(action.server.as_str());
        actions.insert(
            action.to_string(),
            json!({ "memberOf": [{ "id": level_group(tool.level()) }, { "id": server }], "appliesTo": applies }),
        );
        actions.insert(server, json!({}));
    }
    json!({ "": {
        "entityTypes": { "Team": {}, "Agent": { "memberOfTypes": ["Team"] }, "Server": {} },
        "actions": actions,
    } })
}

fn entities(rules: &Rules, catalogue: &Catalogue, schema: &Schema) -> Result<Entities, PolicyError> {
    let mut all = vec![Entity::new_no_attrs(uid("Agent", "probe")?, HashSet::new())];
    let mut teams = BTreeSet::new();
    for (name, agent) in &rules.agents {
        let mut parents = HashSet::new();
        if let Some(team) = &agent.team {
            parents.insert(uid("Team", team.as_str())?);
            teams.insert(team.as_str());
        }
        if name.as_str() != "probe" {
            all.push(Entity::new_no_attrs(uid("Agent", name.as_str())?, parents));
        } else if let Some(first) = all.first_mut() {
            *first = Entity::new_no_attrs(uid("Agent", "probe")?, parents);
        }
    }
    for team in teams {
        all.push(Entity::new_no_attrs(uid("Team", team)?, HashSet::new()));
    }
    let servers: BTreeSet<_> =
        catalogue.keys().map(|action| action.server.as_str()).chain(["probe"]).collect();
    for server in servers {
        all.push(Entity::new_no_attrs(uid("Server", server)?, HashSet::new()));
    }
    // With the schema, always: it is what puts the actions into their groups.
    Entities::from_entities(all, Some(schema)).map_err(bug)
}

/// Strict validation. A rule about a level of which there is no tool can never match, and may stand.
fn validate(policies: &[Policy], schema: &Schema) -> Result<(), PolicyError> {
    let set = PolicySet::from_policies(policies.iter().cloned()).map_err(bug)?;
    let result = Validator::new(schema.clone()).validate(&set, ValidationMode::Strict);
    let problems: Vec<_> = result
        .validation_errors()
        .map(ToString::to_string)
        .chain(
            result
                .validation_warnings()
                .filter(|warning| !matches!(warning, cedar_policy::ValidationWarning::ImpossiblePolicy(_)))
                .map(ToString::to_string),
        )
        .collect();
    if problems.is_empty() { Ok(()) } else { Err(PolicyError::Invalid(problems)) }
}

fn digest(policies: &[Policy], catalogue: &Catalogue) -> String {
    let mut hash = Sha256::new();
    for policy in policies {
        hash.update(policy.to_cedar().unwrap_or_default());
        hash.update([0]);
    }
    for (action, tool) in catalogue {
        hash.update(format!("{action} {} {:?}\n", tool.plans, tool.terms));
    }
    hash.finalize().iter().fold("sha256:".to_owned(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn bug(error: impl std::fmt::Display) -> PolicyError {
    PolicyError::Bug(error.to_string())
}

/// What tests need to see or to break.
#[cfg(test)]
impl Compiled {
    /// The same with one more policy in every slice, unvalidated: no file can hold one that errs.
    pub(super) fn with_raw(mut self, id: &str, est: Value) -> Self {
        let id = PolicyId::new(id);
        self.by_id.insert(id.clone(), self.lowered.len());
        self.lowered.push(Lowered {
            id: id.to_string().into(),
            line: 0,
            effect: Effect::Forbid(None),
            who: super::lower::Who::Anyone,
            what: super::lower::What::Levels(Level::ALL.into_iter().collect()),
        });
        self.policies.push(Policy::from_json(Some(id), est).unwrap());
        self.slices.iter_mut().for_each(|slice| drop(slice.take()));
        self
    }

    /// What the whole set says of this pair.
    pub(super) fn judge_unsliced(&self, agent: &AgentName, action: &Action) -> Judged {
        let set = PolicySet::from_policies(self.policies.iter().cloned()).unwrap();
        let plain = self.request(agent, action, &BTreeSet::new()).unwrap();
        self.judge_by(&Slice::new(set, plain), agent, action)
    }

    /// The policies that are satisfied where these controls are, each tried by itself; permits apart.
    pub(super) fn satisfied(
        &self,
        agent: &AgentName,
        action: &Action,
        controls: &BTreeSet<Control>,
    ) -> (BTreeSet<PolicyId>, BTreeSet<PolicyId>) {
        let request = self.request(agent, action, controls).unwrap();
        let satisfied = self.policies.iter().filter(|policy| {
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

    /// The self-check as it would go if Cedar had not been told which actions are in which groups.
    pub(super) fn self_check_without_groups(&self) -> Result<(), PolicyError> {
        self_check(&self.schema, &Entities::empty())
    }
}
