//! The Cedar model: agents in teams are principals, tools are actions in groups, servers are resources.
//!
//! Everything that makes Cedar's schema, entities and requests is here, so that no rule is ever evaluated
//! over entities that were built without the schema: then every `action in` would be false, and a forbid of a
//! level silently gone. [`self_check`] tries one of each level at load.

use std::{
    collections::{BTreeSet, HashSet},
    str::FromStr,
};

use cedar_policy::{
    Authorizer, Context, Decision, Entities, Entity, EntityId, EntityTypeName, EntityUid, Policy, PolicyId,
    PolicySet, Request, RestrictedExpression, Schema, ValidationMode, Validator,
};
use serde_json::{Map, Value, json};

use super::{
    Catalogue, PolicyError, Rules, Tool,
    lower::{level_group, probe, server_group},
};
use crate::{
    level::Level,
    names::{Action, AgentName},
};

/// All actions with their groups. A request of any of them holds controls and nothing else.
pub(super) fn schema(catalogue: &Catalogue) -> Result<Schema, PolicyError> {
    let mut actions = groups();
    for level in Level::ALL {
        actions.insert(probe(level), action(&[level_group(level)], &[]));
    }
    for (name, tool) in catalogue {
        insert(&mut actions, name, tool, &[]);
    }
    of_actions(actions)
}

/// One action with its groups, whose requests hold controls and this besides: names and their types.
pub(super) fn schema_of(
    name: &Action,
    tool: &Tool,
    context: &[(&str, Value)],
) -> Result<Schema, PolicyError> {
    let mut actions = groups();
    insert(&mut actions, name, tool, context);
    of_actions(actions)
}

/// One action without groups, whose requests hold controls and this besides: for rules whose scope was asked
/// before.
pub(super) fn schema_of_one(name: &str, context: &[(&str, Value)]) -> Result<Schema, PolicyError> {
    of_actions(Map::from_iter([(name.to_owned(), action(&[], context))]))
}

fn groups() -> Map<String, Value> {
    Level::ALL.into_iter().map(|level| (level_group(level), json!({}))).collect()
}

fn insert(actions: &mut Map<String, Value>, name: &Action, tool: &Tool, context: &[(&str, Value)]) {
    let server = server_group(name.server.as_str());
    actions.insert(name.to_string(), action(&[level_group(tool.level()), server.clone()], context));
    actions.insert(server, json!({}));
}

fn action(groups: &[String], context: &[(&str, Value)]) -> Value {
    let controls = json!({ "type": "Set", "element": { "type": "String" } });
    let attributes: Map<String, Value> = context
        .iter()
        .cloned()
        .chain([("controls", controls)])
        .map(|(name, kind)| (name.to_owned(), kind))
        .collect();
    let groups: Vec<_> = groups.iter().map(|group| json!({ "id": group })).collect();
    json!({ "memberOf": groups, "appliesTo": {
        "principalTypes": ["Agent"],
        "resourceTypes": ["Server"],
        "context": { "type": "Record", "attributes": attributes },
    } })
}

fn of_actions(actions: Map<String, Value>) -> Result<Schema, PolicyError> {
    Schema::from_json_value(json!({ "": {
        "entityTypes": { "Team": {}, "Agent": { "memberOfTypes": ["Team"] }, "Server": {} },
        "actions": actions,
    } }))
    .map_err(bug)
}

/// Agents in their teams, servers, and, by the schema, actions in their groups.
pub(super) fn entities(
    rules: &Rules,
    catalogue: &Catalogue,
    schema: &Schema,
) -> Result<Entities, PolicyError> {
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

/// One question: may this agent do this, where the context is this.
pub(super) fn request(
    agent: &AgentName,
    action: &Action,
    context: Context,
    schema: &Schema,
) -> Result<Request, PolicyError> {
    Request::new(
        uid("Agent", agent.as_str())?,
        uid("Action", &action.to_string())?,
        uid("Server", action.server.as_str())?,
        context,
        Some(schema),
    )
    .map_err(bug)
}

/// A set of texts, as an attribute of a context.
pub(super) fn texts<T: ToString>(all: impl IntoIterator<Item = T>) -> RestrictedExpression {
    RestrictedExpression::new_set(
        all.into_iter().map(|text| RestrictedExpression::new_string(text.to_string())),
    )
}

fn uid(kind: &str, id: &str) -> Result<EntityUid, PolicyError> {
    Ok(EntityUid::from_type_name_and_id(EntityTypeName::from_str(kind).map_err(bug)?, EntityId::new(id)))
}

/// Strict validation. A rule about a level of which there is no tool can never match, and may stand.
pub(super) fn validate(policies: &[Policy], schema: &Schema) -> Result<(), Vec<String>> {
    let set = PolicySet::from_policies(policies.iter().cloned()).map_err(|error| vec![error.to_string()])?;
    let result = Validator::new(schema.clone()).validate(&set, ValidationMode::Strict);
    let warnings = result
        .validation_warnings()
        .filter(|warning| !matches!(warning, cedar_policy::ValidationWarning::ImpossiblePolicy(_)));
    let problems: Vec<_> = result
        .validation_errors()
        .map(ToString::to_string)
        .chain(warnings.map(ToString::to_string))
        .collect();
    if problems.is_empty() { Ok(()) } else { Err(problems) }
}

/// Tries one forbid of each level on an action of that level, beside a permit of everything. If the
/// groups were lost on the way, `action in` would be false and every such forbid silently gone.
pub(super) fn self_check(schema: &Schema, entities: &Entities) -> Result<(), PolicyError> {
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
        let context = Context::from_pairs([("controls".to_owned(), texts::<&str>([]))]).map_err(bug)?;
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

/// Something that can only come of a fault of ours.
pub(super) fn bug(error: impl std::fmt::Display) -> PolicyError {
    PolicyError::Bug(error.to_string())
}
