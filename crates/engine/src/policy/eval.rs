//! Evaluation: Cedar, asked about one agent and one tool at a time, over the few policies that can matter.
//!
//! Cedar walks every policy it is given and skips one that errs. So we give it a slice, those policies whose
//! scope can match the pair, and turn any error into a denial. Where every satisfied forbid names the control
//! that lifts it, the same question is put again with those controls: what Cedar then says is the last word.
//!
//! Most questions hold nothing that changes from call to call ([`Compiled::judge`]): each pair's are built once
//! and kept. Where a rule has a condition, a call is judged by what its action's [`View`] reads of it
//! ([`Compiled::judge_call`]), and a pair that no arguments could open is refused before they are looked at.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fmt::Write as _,
    sync::{Arc, OnceLock, RwLock},
};

use cedar_policy::{
    AuthorizationError, Authorizer, Context, Decision, Entities, Policy, PolicyId, PolicySet, Request,
    Response, RestrictedExpression, Schema,
};
use sha2::{Digest as _, Sha256};

use super::{
    Catalogue, Judged, PolicyError, RuleProblem, Rules, Seen,
    config::Control,
    lower::{Effect, Lowered, lower},
    model::{self, bug},
    view::{LookedAt, Sliced, View},
};
use crate::{
    decision::DenyReason,
    level::Level,
    names::{Action, AgentName, TeamName},
    tool::Definition,
};

/// Validated policies and, made on first use, the slice of each pair of agent and tool.
#[derive(Debug)]
pub(super) struct Compiled {
    rules: Arc<Rules>,
    catalogue: Arc<Catalogue>,
    lowered: Vec<Lowered>,
    /// By a policy's id: its rule, and whether it is the one for what is missing.
    by_id: HashMap<PolicyId, (usize, Part)>,
    /// Those without a condition; none where there is one.
    policies: Vec<Option<Policy>>,
    schema: Schema,
    entities: Entities,
    agents: BTreeMap<AgentName, (usize, Option<TeamName>)>,
    actions: BTreeMap<Action, (usize, Level)>,
    slices: Vec<OnceLock<Option<Slice>>>,
    /// The conditional rules of each action that has any.
    conditional: BTreeMap<Action, Vec<usize>>,
    views: RwLock<BTreeMap<Action, Arc<View>>>,
    digest: String,
}

/// Which of a rule's policies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Main,
    Missing,
}

/// The id of the policy that refuses where a rule's condition cannot be told.
pub(super) fn missing_id(rule: &str) -> Arc<str> {
    format!("{rule}.missing").into()
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
    pub(super) fn new(rules: &Arc<Rules>, catalogue: &Arc<Catalogue>) -> Result<Self, PolicyError> {
        let lowered = lower(rules, catalogue);
        let mut policies = Vec::with_capacity(lowered.len());
        let mut by_id = HashMap::with_capacity(lowered.len());
        for (at, rule) in lowered.iter().enumerate() {
            let id = PolicyId::new(&*rule.id);
            policies.push(match rule.when {
                None => Some(Policy::from_json(Some(id.clone()), rule.to_est()).map_err(bug)?),
                Some(_) => None,
            });
            let missing =
                rule.when.as_ref().map(|_| (PolicyId::new(&*missing_id(&rule.id)), (at, Part::Missing)));
            for (id, part) in [(id, (at, Part::Main))].into_iter().chain(missing) {
                if by_id.insert(id, part).is_some() {
                    return Err(PolicyError::Invalid(vec![format!("two rules are called `{}`", rule.id)]));
                }
            }
        }
        let schema = model::schema(catalogue)?;
        let entities = model::entities(rules, catalogue, &schema)?;
        let plain: Vec<_> = policies.iter().flatten().cloned().collect();
        model::validate(&plain, &schema).map_err(PolicyError::Invalid)?;

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
        model::self_check(&schema, &entities)?;
        let with_condition: Vec<_> =
            lowered.iter().enumerate().filter(|(_, rule)| rule.when.is_some()).collect();
        let conditional = actions.iter().filter_map(|(action, (_, level))| {
            let covering = with_condition.iter().filter(|(_, rule)| rule.covers(action, *level));
            let covering: Vec<_> = covering.map(|(at, _)| *at).collect();
            (!covering.is_empty()).then(|| (action.clone(), covering))
        });
        let conditional = conditional.collect();
        let mut compiled = Self {
            rules: Arc::clone(rules),
            catalogue: Arc::clone(catalogue),
            digest: String::new(),
            lowered,
            by_id,
            policies,
            schema,
            entities,
            agents,
            actions,
            slices,
            conditional,
            views: RwLock::default(),
        };
        compiled.view_all()?;
        compiled.digest = compiled.digest_of_all();
        Ok(compiled)
    }

    /// Makes the views of all tools whose definitions are known, or says everything that is wrong with the
    /// conditions over them.
    fn view_all(&mut self) -> Result<(), PolicyError> {
        let mut problems: Vec<RuleProblem> = Vec::new();
        let mut views = BTreeMap::new();
        for action in self.conditional.keys() {
            let Some(definition) = self.catalogue.get(action).and_then(|tool| tool.definition.as_ref())
            else {
                continue;
            };
            match self.compile_view(action, definition) {
                Ok(view) => drop(views.insert(action.clone(), Arc::new(view))),
                Err(found) => {
                    for problem in found {
                        if !problems.contains(&problem) {
                            problems.push(problem);
                        }
                    }
                }
            }
        }
        if !problems.is_empty() {
            problems.sort_by_key(|problem| problem.line);
            return Err(PolicyError::Rules(problems));
        }
        self.views = RwLock::new(views);
        Ok(())
    }

    fn compile_view(&self, action: &Action, definition: &Definition) -> Result<View, Vec<RuleProblem>> {
        let bug = || vec![RuleProblem { line: 0, message: format!("`{action}` is not known"), help: None }];
        let tool = self.catalogue.get(action).ok_or_else(bug)?;
        let covering = self.conditional.get(action).ok_or_else(bug)?;
        let rules: Vec<_> = covering.iter().filter_map(|at| Some((*at, self.lowered.get(*at)?))).collect();
        View::compile(action, tool, definition, &rules, &self.rules.matches, self.agents.len())
    }

    /// The view of an action under the definition that a call of it has; none if its conditions mean nothing
    /// there.
    fn view(&self, action: &Action, definition: &Definition) -> Option<Arc<View>> {
        let known =
            self.views.read().ok()?.get(action).filter(|view| view.shape == definition.shape).cloned();
        if known.is_some() {
            return known;
        }
        // Only what an operator or a first contact has pinned comes here, so there are few.
        let view = Arc::new(self.compile_view(action, definition).ok()?);
        self.views.write().ok()?.insert(action.clone(), Arc::clone(&view));
        Some(view)
    }

    /// Whether what is said of this tool depends on the call.
    pub(super) fn is_conditional(&self, action: &Action) -> bool {
        self.conditional.contains_key(action)
    }

    /// Whether a conditional rule of this tool is about this agent.
    pub(super) fn is_conditional_for(&self, agent: &AgentName, action: &Action) -> bool {
        let (Some((_, team)), Some((_, level))) = (self.agents.get(agent), self.actions.get(action)) else {
            return false;
        };
        let mut covering = self.conditional.get(action).into_iter().flatten();
        covering.any(|at| {
            self.lowered.get(*at).is_some_and(|rule| rule.can_match(agent, team.as_ref(), action, *level))
        })
    }

    /// Whether a view of this tool holds what the session has seen.
    pub(super) fn reads_labels(&self, action: &Action) -> bool {
        let Ok(views) = self.views.read() else { return true };
        views.get(action).is_some_and(|view| view.reads_labels())
    }

    /// The rule of a policy, and whether the policy is the one for what is missing.
    pub(super) fn rule(&self, id: &str) -> Option<(&Lowered, bool)> {
        let (at, part) = self.by_id.get(&PolicyId::new(id))?;
        Some((self.lowered.get(*at)?, *part == Part::Missing))
    }

    /// The rules with a condition whose scope can match the pair.
    pub(super) fn conditional_rules(&self, agent: &AgentName, action: &Action) -> Vec<&Lowered> {
        let found = self.agents.get(agent).zip(self.actions.get(action)).zip(self.conditional.get(action));
        let Some((((_, team), (_, level)), covering)) = found else { return Vec::new() };
        let rules = covering.iter().filter_map(|at| self.lowered.get(*at));
        rules.filter(|rule| rule.can_match(agent, team.as_ref(), action, *level)).collect()
    }

    /// What the conditional rules of a pair read, under this definition of the tool.
    pub(super) fn looked_at(
        &self,
        agent: &AgentName,
        action: &Action,
        definition: &Definition,
    ) -> Option<(Arc<View>, LookedAt)> {
        let view = self.conditional.get(action).and_then(|_| self.view(action, definition))?;
        let ids: BTreeSet<_> =
            self.conditional_rules(agent, action).into_iter().map(|rule| &rule.id).collect();
        let looked = view.looked_at(|at| self.lowered.get(at).is_some_and(|rule| ids.contains(&rule.id)));
        Some((view, looked))
    }

    /// Judges one call, conditions included.
    pub(super) fn judge_call(&self, agent: &AgentName, action: &Action, seen: &Seen<'_>) -> Judged {
        let refused = |reason, policies| Judged::Refused { reason, policies };
        let Some(covering) = self.conditional.get(action) else { return self.judge(agent, action) };
        let (Some((row, team)), Some((_, level))) = (self.agents.get(agent), self.actions.get(action)) else {
            return refused(DenyReason::NotGranted, Vec::new());
        };
        let applies = |at: usize| {
            self.lowered.get(at).is_some_and(|rule| rule.can_match(agent, team.as_ref(), action, *level))
        };
        if !covering.iter().any(|at| applies(*at)) {
            return self.judge(agent, action);
        }
        let Some(view) = self.view(action, seen.definition) else {
            let ids = covering.iter().filter_map(|at| Some(Arc::clone(&self.lowered.get(*at)?.id)));
            return refused(DenyReason::PolicyError, ids.collect());
        };
        let sliced = view.slices.get(*row).and_then(|slot| {
            slot.get_or_init(|| {
                let plain = self.plain(agent, team.as_ref(), action, *level).ok()?;
                view.slice(plain, applies)
            })
            .as_ref()
        });
        let Some(sliced) = sliced else { return refused(DenyReason::PolicyError, Vec::new()) };
        self.judge_seen(&view, sliced, agent, action, seen)
    }

    fn judge_seen(
        &self,
        view: &View,
        sliced: &Sliced,
        agent: &AgentName,
        action: &Action,
        seen: &Seen<'_>,
    ) -> Judged {
        let parts = match view.parts(sliced, &self.rules, seen) {
            Ok(parts) => parts,
            Err(reason) => {
                let policies = view.policies().map(|(rule, _)| rule).collect::<BTreeSet<_>>();
                let ids = policies.into_iter().filter_map(|at| Some(Arc::clone(&self.lowered.get(at)?.id)));
                return Judged::Refused { reason, policies: ids.collect() };
            }
        };
        let ask = |controls: &BTreeSet<Control>| {
            let controls = ("controls".to_owned(), model::texts(controls));
            let parts: Vec<(String, RestrictedExpression)> =
                parts.iter().cloned().chain([controls]).collect();
            let context = Context::from_pairs(parts).map_err(bug)?;
            let request = model::request(agent, action, context, &view.schema)?;
            Ok(Authorizer::new().is_authorized(&request, &sliced.set, &self.entities))
        };
        match self.in_two_rounds(ask) {
            Judged::Refused { reason: DenyReason::FactMissing(_), policies } => {
                let refuses = |rule: usize| {
                    self.lowered.get(rule).is_some_and(|rule| policies.contains(&missing_id(&rule.id)))
                };
                let which = view.missing(refuses, &self.rules, seen.arguments);
                let which = which.unwrap_or_else(|| "an argument".to_owned());
                Judged::Refused { reason: DenyReason::FactMissing(which.into()), policies }
            }
            judged @ (Judged::Granted { .. } | Judged::Refused { .. }) => judged,
        }
    }

    /// Asks without controls and, if every satisfied forbid can be lifted, with those that lift them.
    fn in_two_rounds(&self, ask: impl Fn(&BTreeSet<Control>) -> Result<Response, PolicyError>) -> Judged {
        let refused = |reason, policies| Judged::Refused { reason, policies };
        let Ok(first) = ask(&BTreeSet::new()) else { return refused(DenyReason::PolicyError, Vec::new()) };
        let (controls, mut policies) = match self.read(&first) {
            Read::Erred(ids) => return refused(DenyReason::PolicyError, ids),
            Read::Allowed(policies) => return Judged::Granted { controls: Vec::new(), policies },
            Read::NothingMatched => return refused(DenyReason::NotGranted, Vec::new()),
            Read::Forbidden { reason, ids } => return refused(reason, ids),
            Read::Curable { controls, ids } => (controls, ids),
        };
        let Ok(second) = ask(&controls) else { return refused(DenyReason::PolicyError, policies) };
        match self.read(&second) {
            Read::Allowed(ids) => {
                policies.extend(ids);
                Judged::Granted { controls: controls.into_iter().collect(), policies }
            }
            Read::NothingMatched => refused(DenyReason::NotGranted, Vec::new()),
            Read::Forbidden { reason, ids } => refused(reason, ids),
            // More controls never satisfy a forbid that was not satisfied, so nothing new can ask for more.
            Read::Erred(ids) | Read::Curable { ids, .. } => refused(DenyReason::PolicyError, ids),
        }
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
        self.in_two_rounds(|controls| {
            if controls.is_empty() {
                return Ok(self.ask(slice, &slice.plain));
            }
            if slice.lifted.get().is_none() {
                let request = self.request(agent, action, controls)?;
                // Whoever else was faster has put the same here.
                drop(slice.lifted.set((controls.clone(), request)));
            }
            let lifted = slice.lifted.get().filter(|(lifted, _)| lifted == controls);
            let (_, request) = lifted.ok_or_else(|| bug("the controls of a pair changed"))?;
            Ok(self.ask(slice, request))
        })
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
        let mut missing = false;
        for id in diagnostics.reason() {
            let found = self.by_id.get(id).and_then(|(at, part)| Some((*at, *part, self.lowered.get(*at)?)));
            let Some((at, part, rule)) = found else {
                return Read::Erred(vec![id.to_string().into()]);
            };
            if part == Part::Missing {
                ids.push(missing_id(&rule.id));
                missing = true;
                continue;
            }
            ids.push(Arc::clone(&rule.id));
            match &rule.effect {
                Effect::Permit => {}
                Effect::Missing => missing = true,
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
            (Decision::Deny, Some((_, _, words))) => {
                Read::Forbidden { reason: DenyReason::Forbidden(words), ids }
            }
            (Decision::Deny, None) if missing => {
                Read::Forbidden { reason: DenyReason::FactMissing("an argument".into()), ids }
            }
            (Decision::Deny, None) if !controls.is_empty() => Read::Curable { controls, ids },
            (Decision::Deny, None) => Read::NothingMatched,
        }
    }

    /// The unconditional policies whose scope can match the pair.
    fn plain(
        &self,
        agent: &AgentName,
        team: Option<&TeamName>,
        action: &Action,
        level: Level,
    ) -> Result<Vec<Policy>, PolicyError> {
        let matching = self.lowered.iter().zip(&self.policies).filter_map(|(rule, policy)| {
            Some((rule, policy.as_ref()?)).filter(|(rule, _)| rule.can_match(agent, team, action, level))
        });
        // A glob may have become a list of hundreds of tools, which Cedar would build anew at each question.
        // Here the one tool that is asked about stands for all of them.
        let narrowed = matching.map(|(rule, policy)| match rule.narrowed(action) {
            None => Ok(policy.clone()),
            Some(narrowed) => Policy::from_json(Some(policy.id().clone()), narrowed.to_est()).map_err(bug),
        });
        narrowed.collect()
    }

    fn slice(
        &self,
        agent: &AgentName,
        team: Option<&TeamName>,
        action: &Action,
        level: Level,
    ) -> Result<Slice, PolicyError> {
        let set = PolicySet::from_policies(self.plain(agent, team, action, level)?).map_err(bug)?;
        Ok(Slice::new(set, self.request(agent, action, &BTreeSet::new())?))
    }

    pub(super) fn request(
        &self,
        agent: &AgentName,
        action: &Action,
        controls: &BTreeSet<Control>,
    ) -> Result<Request, PolicyError> {
        let context = Context::from_pairs([("controls".to_owned(), model::texts(controls))]).map_err(bug)?;
        model::request(agent, action, context, &self.schema)
    }

    /// The unconditional policies whose scope can match the pair; none if one of it is not known.
    pub(super) fn plain_of(
        &self,
        agent: &AgentName,
        action: &Action,
    ) -> Result<Option<Vec<Policy>>, PolicyError> {
        let (Some((_, team)), Some((_, level))) = (self.agents.get(agent), self.actions.get(action)) else {
            return Ok(None);
        };
        self.plain(agent, team.as_ref(), action, *level).map(Some)
    }

    /// The view of an action under the definition that was accepted when the policy was loaded.
    pub(super) fn accepted_view(&self, action: &Action) -> Option<Arc<View>> {
        let definition = self.catalogue.get(action)?.definition.as_ref()?;
        self.view(action, definition)
    }

    /// A rule by its number.
    pub(super) fn lowered_at(&self, at: usize) -> Option<&Lowered> {
        self.lowered.get(at)
    }

    /// Agents, teams, servers, and actions in their groups.
    pub(super) fn entities(&self) -> &Entities {
        &self.entities
    }

    /// All policies, the conditional ones once for each tool over which they are known to mean something.
    fn all(&self) -> Vec<Policy> {
        let mut all: Vec<Policy> = self.policies.iter().flatten().cloned().collect();
        if let Ok(views) = self.views.read() {
            all.extend(views.values().flat_map(|view| view.policies().map(|(_, policy)| policy.clone())));
        }
        all
    }

    /// Where a rule stands in the file, by the id of its policy; 0 if it has no place.
    pub(super) fn line(&self, id: &str) -> usize {
        let found = self.by_id.get(&PolicyId::new(id)).and_then(|(at, _)| self.lowered.get(*at));
        found.map_or(0, |rule| rule.line)
    }

    pub(super) fn to_cedar(&self) -> String {
        let mut text = String::new();
        for policy in self.all() {
            // Static policies, made from Cedar's own syntax trees, always have a text.
            let _ = writeln!(text, "{}\n", policy.to_cedar().unwrap_or_default());
        }
        text
    }

    pub(super) fn digest(&self) -> &str {
        &self.digest
    }

    /// Everything that can change a judgement: policies, conditions as they are written, facts, and terms.
    fn digest_of_all(&self) -> String {
        let mut hash = Sha256::new();
        for (rule, policy) in self.lowered.iter().zip(&self.policies) {
            match (policy, &rule.when) {
                (Some(policy), _) => hash.update(policy.to_cedar().unwrap_or_default()),
                (None, when) => hash.update(format!("{:?} {when:?}", rule.to_est())),
            }
            hash.update([0]);
        }
        for (name, found) in &self.rules.matches {
            hash.update(format!("{name} {found:?}\n"));
        }
        for (action, tool) in &*self.catalogue {
            hash.update(format!("{action} {} {:?}\n", tool.plans, tool.terms));
        }
        hash.finalize().iter().fold("sha256:".to_owned(), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
    }
}

/// What Cedar's answer means.
enum Read {
    Erred(Vec<Arc<str>>),
    Allowed(Vec<Arc<str>>),
    NothingMatched,
    Forbidden { reason: DenyReason, ids: Vec<Arc<str>> },
    Curable { controls: BTreeSet<Control>, ids: Vec<Arc<str>> },
}

/// Which policy could not be evaluated.
fn erring_policy(error: &AuthorizationError) -> Arc<str> {
    match error {
        AuthorizationError::PolicyEvaluationError(error) => error.policy_id().to_string().into(),
    }
}

#[cfg(test)]
mod broken;
