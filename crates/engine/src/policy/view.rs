//! Views: what the conditional rules of one action read of a call, and those rules over exactly that.
//!
//! A rule with a `when` means something only over a tool whose arguments have types. So for each action, under
//! the definition that was accepted of its tool, the conditions are typed and lowered, what they read is
//! collected, and only that enters the action's Cedar schema and the context of its calls. Where the definition
//! is not known when the policy is loaded, this happens at the tool's first call; a tool over which a condition
//! means nothing is not called.
//!
//! Start at [`View::compile`] and [`View::parts`]. Not here: which rules an agent's slice holds (`eval`).

use std::{
    cell::LazyCell,
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, OnceLock},
};

use cedar_policy::{Policy, PolicyId, PolicySet, RestrictedExpression, Schema};
use serde_json::{Value, json};

use super::{
    RuleProblem, Rules, Seen, Tool,
    arguments::{self, Kind, Member, Reads, Record},
    eval::missing_id,
    facts::{self, Match, Truth},
    lower::{Effect, Lowered},
    model::{self, bug},
    when::{Condition, Scope, When},
};
use crate::{
    decision::DenyReason,
    json::Json,
    names::{Action, MatchName},
    tool::{Definition, Shape},
    window::Zone,
};

/// What conditional rules see of the calls of one tool.
#[derive(Debug)]
pub(super) struct View {
    /// The definition over which the conditions were typed.
    pub(super) shape: Shape,
    pub(super) schema: Schema,
    /// Only what is read, under `args`, `session` and `call`.
    pub(super) root: Record,
    /// Whether arguments that nobody declared are looked for.
    whole: Arc<Record>,
    rules: Vec<Viewed>,
    /// By agent: its conditional and unconditional rules together, and the facts that they read.
    pub(super) slices: Vec<OnceLock<Option<Sliced>>>,
}

/// One conditional rule over one tool.
#[derive(Debug)]
struct Viewed {
    rule: usize,
    policies: Vec<Policy>,
    facts: BTreeSet<MatchName>,
    /// The facts of which it does not ask whether their argument is there.
    unasked: BTreeSet<MatchName>,
    reads: BTreeSet<Vec<String>>,
    needs: BTreeSet<Vec<String>>,
}

/// What conditional rules read of a call.
pub(super) struct LookedAt {
    pub(super) facts: BTreeSet<MatchName>,
    pub(super) reads: BTreeSet<Vec<String>>,
}

/// The rules of one agent and one tool, conditional ones included.
#[derive(Debug)]
pub(super) struct Sliced {
    pub(super) set: PolicySet,
    facts: BTreeSet<MatchName>,
}

impl View {
    /// Types and lowers `rules`, those conditional ones whose scope covers `action`, over a definition.
    pub(super) fn compile(
        action: &Action,
        tool: &Tool,
        definition: &Definition,
        rules: &[(usize, &Lowered)],
        matches: &BTreeMap<MatchName, Match>,
        agents: usize,
    ) -> Result<Self, Vec<RuleProblem>> {
        let whole = Arc::clone(&definition.arguments);
        let root = root(&whole, tool);
        let names: BTreeSet<MatchName> = matches.keys().cloned().collect();
        let scope = Scope { root: &root, matches: &names };
        let mut problems = Vec::new();
        let mut lowered = Vec::new();
        for (at, rule) in rules {
            let Some(when) = &rule.when else { continue };
            match conditioned(when, rule, action, &scope, &whole, matches) {
                Ok(condition) => lowered.push((*at, *rule, condition)),
                // A method is covered by a glob that was written for tools, and has nothing of what they have.
                Err(_) if action.tool.method().is_some() => lowered.push((*at, *rule, untellable())),
                Err(found) => problems.extend(found),
            }
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        let reads: Reads =
            lowered.iter().flat_map(|(_, _, condition)| condition.reads.iter().cloned()).collect();
        let root = root.narrowed(&reads);
        let context =
            context_type(&root, lowered.iter().any(|(.., condition)| !condition.matches.is_empty()));
        let invalid = |what: String| vec![RuleProblem { line: 0, message: what, help: None }];
        let schema = model::schema_of(action, tool, &context).map_err(|error| invalid(error.to_string()))?;
        let mut viewed = Vec::new();
        for (at, rule, condition) in lowered {
            let unasked = unasked(rule, &condition, matches);
            let policies =
                policies(rule, action, &condition, &unasked).map_err(|error| invalid(error.to_string()))?;
            model::validate(&policies, &schema).map_err(|found| {
                let line = rule.line;
                found.into_iter().map(|message| RuleProblem { line, message, help: None }).collect::<Vec<_>>()
            })?;
            let Condition { reads, needs, matches: facts, body: _, missing: _ } = condition;
            viewed.push(Viewed { rule: at, policies, facts, unasked, reads, needs });
        }
        let mut slices = Vec::new();
        slices.resize_with(agents, OnceLock::new);
        Ok(Self { shape: definition.shape, schema, root, whole, rules: viewed, slices })
    }

    /// An agent's slice: these unconditional policies, and the conditional ones of these rules.
    pub(super) fn slice(&self, plain: Vec<Policy>, covers: impl Fn(usize) -> bool) -> Option<Sliced> {
        let mine = || self.rules.iter().filter(|viewed| covers(viewed.rule));
        let conditional = mine().flat_map(|viewed| viewed.policies.iter().cloned());
        let set = PolicySet::from_policies(plain.into_iter().chain(conditional)).ok()?;
        Some(Sliced { set, facts: mine().flat_map(|viewed| viewed.facts.iter().cloned()).collect() })
    }

    /// What the conditional rules among these read.
    pub(super) fn looked_at(&self, covers: impl Fn(usize) -> bool) -> LookedAt {
        let mine = || self.rules.iter().filter(|viewed| covers(viewed.rule));
        LookedAt {
            facts: mine().flat_map(|viewed| viewed.facts.iter().cloned()).collect(),
            reads: mine().flat_map(|viewed| viewed.reads.iter().cloned()).collect(),
        }
    }

    /// Whether arguments have members that the tool does not declare.
    pub(super) fn is_extra(&self, arguments: &Json) -> bool {
        has_extra(&self.whole, arguments)
    }

    /// Whether a rule reads what the session has seen.
    pub(super) fn reads_labels(&self) -> bool {
        self.rules.iter().flat_map(|viewed| &viewed.reads).any(|path| path == &["session", "labels"])
    }

    /// All conditional policies, each with the rule that it comes from.
    pub(super) fn policies(&self) -> impl Iterator<Item = (usize, &Policy)> {
        self.rules.iter().flat_map(|viewed| viewed.policies.iter().map(|policy| (viewed.rule, policy)))
    }

    /// The place that is missing to the first of these rules, to be named in a refusal.
    pub(super) fn missing(
        &self,
        of: impl Fn(usize) -> bool,
        rules: &Rules,
        arguments: &Json,
    ) -> Option<String> {
        let is_absent = |path: &[String]| {
            let found = path.iter().try_fold(arguments, |value, name| value.get(name));
            found.is_none_or(Json::is_null)
        };
        let missing = self.rules.iter().filter(|viewed| of(viewed.rule)).find_map(|viewed| {
            let needs = viewed.needs.iter().filter_map(|path| match path.split_first() {
                Some((root, path)) if root == "args" => Some(path.to_vec()),
                Some(_) | None => None,
            });
            // A list that has no first item is there, and yet nothing can be said of its first item.
            let untold = viewed.unasked.iter().filter_map(|name| {
                let found = rules.matches.get(name)?;
                (found.holds(arguments) == Ok(Truth::Absent)).then(|| found.path.names())
            });
            needs.filter(|path| is_absent(path)).chain(untold).next()
        });
        missing.map(|path| format!("`{}`", crate::diagnostic::inert(&path.join("."))))
    }

    /// The context of one call, but for its controls.
    pub(super) fn parts(
        &self,
        slice: &Sliced,
        rules: &Rules,
        seen: &Seen<'_>,
    ) -> Result<Vec<(String, RestrictedExpression)>, DenyReason> {
        let mut parts = Vec::with_capacity(self.root.members.len() + 3);
        for (name, member) in &self.root.members {
            let Kind::Record(read) = &member.kind else { return Err(DenyReason::Bug) };
            let value = match name.as_str() {
                "args" => arguments::context(read, seen.arguments).map_err(unreadable)?,
                _ => self.told(name, read, &rules.zone, seen)?,
            };
            parts.push((name.clone(), value));
        }
        if self.rules.iter().any(|viewed| !viewed.facts.is_empty()) {
            let (mut holding, mut absent) = (Vec::new(), Vec::new());
            for name in &slice.facts {
                let found = rules.matches.get(name).ok_or(DenyReason::Bug)?;
                match found.holds(seen.arguments).map_err(|error| unjudged(name, &error))? {
                    Truth::Holds => holding.push(name),
                    Truth::Fails => {}
                    Truth::Absent => absent.push(name),
                }
            }
            parts.push(("matches".to_owned(), model::texts(holding)));
            parts.push(("absent".to_owned(), model::texts(absent)));
        }
        Ok(parts)
    }

    /// What is read of the session or of the call itself.
    fn told(
        &self,
        root: &str,
        read: &Record,
        zone: &Zone,
        seen: &Seen<'_>,
    ) -> Result<RestrictedExpression, DenyReason> {
        let clock = LazyCell::new(|| zone.clock(seen.now));
        let mut pairs = Vec::with_capacity(read.members.len());
        for (name, member) in &read.members {
            let value = match (root, name.as_str()) {
                ("session", "steps") => whole(seen.steps)?,
                ("session", "labels") => model::texts(seen.labels),
                ("call", "dry_run") => RestrictedExpression::new_bool(seen.dry_run),
                ("call", "extra") => RestrictedExpression::new_bool(has_extra(&self.whole, seen.arguments)),
                ("call", "hour") => whole(u64::from(clock.hour))?,
                ("call", "minute") => whole(u64::from(clock.minute))?,
                ("call", "weekday") => RestrictedExpression::new_string(clock.weekday.to_owned()),
                ("call", "cost") => {
                    let Kind::Record(units) = &member.kind else { return Err(DenyReason::Bug) };
                    let costs =
                        units.members.keys().map(|unit| Ok((unit.clone(), whole((seen.cost)(unit)?.0)?)));
                    let costs = costs.collect::<Result<Vec<_>, DenyReason>>()?;
                    RestrictedExpression::new_record(costs).map_err(|_| DenyReason::Bug)?
                }
                _ => return Err(DenyReason::Bug),
            };
            pairs.push((name.clone(), value));
        }
        RestrictedExpression::new_record(pairs).map_err(|_| DenyReason::Bug)
    }
}

/// Everything that a condition over this tool may read.
pub(super) fn root(arguments: &Record, tool: &Tool) -> Record {
    let units = tool.terms.cost.keys().map(|unit| (unit.to_string(), Kind::Micros));
    let labels = Kind::Set(Box::new(Kind::Text));
    record([
        ("args".to_owned(), Kind::Record(arguments.clone())),
        (
            "session".to_owned(),
            Kind::Record(record([("steps".to_owned(), Kind::Whole), ("labels".to_owned(), labels)])),
        ),
        (
            "call".to_owned(),
            Kind::Record(record([
                ("dry_run".to_owned(), Kind::Bool),
                ("extra".to_owned(), Kind::Bool),
                ("hour".to_owned(), Kind::Whole),
                ("minute".to_owned(), Kind::Whole),
                ("weekday".to_owned(), Kind::Text),
                ("cost".to_owned(), Kind::Record(record(units))),
            ])),
        ),
    ])
}

fn record(members: impl IntoIterator<Item = (String, Kind)>) -> Record {
    let members = members.into_iter().map(|(name, kind)| (name, Member { kind, required: true }));
    Record { members: members.collect(), open: false }
}

pub(super) fn context_type(root: &Record, with_facts: bool) -> Vec<(&str, Value)> {
    let texts = || json!({ "type": "Set", "element": { "type": "String" } });
    let mut context: Vec<_> = root
        .members
        .iter()
        .filter_map(|(name, member)| match &member.kind {
            Kind::Record(read) => Some((name.as_str(), read.cedar_type())),
            Kind::Bool
            | Kind::Whole
            | Kind::Decimal
            | Kind::Micros
            | Kind::Text
            | Kind::Set(_)
            | Kind::Opaque(_) => None,
        })
        .collect();
    if with_facts {
        context.extend([("matches", texts()), ("absent", texts())]);
    }
    context
}

/// The facts of a rule of which its condition does not ask whether their argument is there.
fn unasked(
    rule: &Lowered,
    condition: &Condition,
    matches: &BTreeMap<MatchName, Match>,
) -> BTreeSet<MatchName> {
    let asks = |name: &MatchName| {
        let first = matches.get(name).and_then(|found| found.path.names().into_iter().next());
        first.is_some_and(|first| rule.when.as_ref().is_some_and(|when| when.asks_for(&first)))
    };
    condition.matches.iter().filter(|name| !asks(name)).cloned().collect()
}

/// A rule's condition over one tool, or what in it means nothing there.
fn conditioned(
    when: &When,
    rule: &Lowered,
    action: &Action,
    scope: &Scope<'_>,
    whole: &Record,
    matches: &BTreeMap<MatchName, Match>,
) -> Result<Condition, Vec<RuleProblem>> {
    let problem = |message, help| RuleProblem { line: rule.line, message, help };
    let condition = when.lower(scope).map_err(|errors| {
        let told = errors.into_iter().map(|error| {
            let message = format!("{}, in the condition of a guard that covers `{action}`", error.message);
            problem(message, error.help)
        });
        told.collect::<Vec<_>>()
    })?;
    let undeclared = condition.matches.iter().filter_map(|name| {
        let path = matches.get(name)?.path.names();
        let first = path.first().filter(|first| !whole.open && !whole.members.contains_key(*first))?;
        let message = format!(
            "`matches.{name}` looks at `args.{}`, which `{action}` does not declare",
            crate::diagnostic::inert(first)
        );
        Some(problem(message, Some(format!("ask first, as in `args has {first} && matches.{name}`"))))
    });
    let undeclared: Vec<_> = undeclared.collect();
    if undeclared.is_empty() { Ok(condition) } else { Err(undeclared) }
}

/// The condition of which nothing can be told: the rule refuses.
fn untellable() -> Condition {
    Condition {
        body: json!({ "Value": false }),
        reads: BTreeSet::new(),
        needs: BTreeSet::new(),
        matches: BTreeSet::new(),
        missing: Some(json!({ "Value": true })),
    }
}

/// A rule over one tool: itself under its condition, and a forbid where that cannot be told.
fn policies(
    rule: &Lowered,
    action: &Action,
    condition: &Condition,
    unasked: &BTreeSet<MatchName>,
) -> Result<Vec<Policy>, super::PolicyError> {
    let rule = rule.of_one(action);
    let absent = unasked.iter().map(absent).reduce(either);
    // Of a fact that is absent neither it nor its contrary is said.
    let body = match &absent {
        Some(absent) => both(not(absent.clone()), condition.body.clone()),
        None => condition.body.clone(),
    };
    let main = rule.to_est_where(Some(&body));
    let mut policies = vec![Policy::from_json(Some(PolicyId::new(&*rule.id)), main).map_err(bug)?];
    if let Some(missing) = condition.missing.iter().cloned().chain(absent).reduce(either) {
        let id = missing_id(&rule.id);
        let rule = Lowered { id: id.clone(), effect: Effect::Missing, ..rule };
        let est = rule.to_est_where(Some(&missing));
        policies.push(Policy::from_json(Some(PolicyId::new(&*id)), est).map_err(bug)?);
    }
    Ok(policies)
}

/// `context.absent.contains("…")`
fn absent(name: &MatchName) -> Value {
    json!({ "contains": {
        "left": { ".": { "left": { "Var": "context" }, "attr": "absent" } },
        "right": { "Value": name.as_str() },
    } })
}

fn either(left: Value, right: Value) -> Value {
    json!({ "||": { "left": left, "right": right } })
}

fn both(left: Value, right: Value) -> Value {
    json!({ "&&": { "left": left, "right": right } })
}

fn not(value: Value) -> Value {
    json!({ "!": { "arg": value } })
}

/// Whether a value has members that its record does not declare.
fn has_extra(record: &Record, value: &Json) -> bool {
    let Some(object) = value.as_object() else { return false };
    object.iter().any(|(key, below)| match record.members.get(key).map(|member| &member.kind) {
        None => true,
        Some(Kind::Record(record)) => has_extra(record, below),
        Some(
            Kind::Bool
            | Kind::Whole
            | Kind::Decimal
            | Kind::Micros
            | Kind::Text
            | Kind::Set(_)
            | Kind::Opaque(_),
        ) => false,
    })
}

fn whole(count: u64) -> Result<RestrictedExpression, DenyReason> {
    i64::try_from(count).map(RestrictedExpression::new_long).map_err(|_| DenyReason::Bug)
}

fn unreadable(error: arguments::FactError) -> DenyReason {
    use arguments::Why;
    match error.why {
        Why::Missing => DenyReason::FactMissing(error.path.into()),
        Why::TooLarge(_) => DenyReason::TooLargeToJudge(error.to_string().into()),
        Why::Mistyped { .. } | Why::Fraction | Why::TooPrecise { .. } | Why::TooFar | Why::Opaque(_) => {
            DenyReason::FactError(error.to_string().into())
        }
        Why::Bug => DenyReason::Bug,
    }
}

fn unjudged(_: &MatchName, error: &facts::FactError) -> DenyReason {
    DenyReason::FactError(error.to_string().into())
}
