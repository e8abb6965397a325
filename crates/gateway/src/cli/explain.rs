//! `placet explain`: why a call would be decided as it would, for the person who writes the policy.
//!
//! Nothing is called and nothing is recorded. What is shown names rules, thresholds and other agents, so it is
//! no text for a model. Values of arguments are shown with everything in them to be seen, and cut.

use clap::Args;
use placet_engine::{
    diagnostic::inert,
    json::{Json, Limits, Object, parse},
    names::{Action, AgentName, Label},
    policy::{
        Judged, Policy,
        config::Proposed,
        explain::{Change, Explanation, RuleShown},
        facts::Truth,
    },
    time::Timestamp,
};

use super::{Exit, PlaceArguments, check, complain, say, test};
use crate::{
    clock::{Clock as _, SystemClock},
    config::Loaded,
};

#[derive(Args, Debug)]
pub(super) struct Arguments {
    /// The agent whose call it would be
    agent: String,
    /// The tool, as SERVER/TOOL
    tool: String,
    /// Its arguments, a JSON object; without them, what can be said of every call
    arguments: Option<String>,
    /// When the call would come, as 2026-11-24T10:00:00Z; else now
    #[arg(long, value_name = "TIME", requires = "arguments")]
    at: Option<String>,
    /// Which call of its session it would be, counted from 1
    #[arg(long, value_name = "N", default_value_t = 1, requires = "arguments")]
    steps: u64,
    /// What its session has seen; once for each label
    #[arg(long, value_name = "LABEL", requires = "arguments")]
    label: Vec<String>,
    /// As a dry run
    #[arg(long, requires = "arguments")]
    dry_run: bool,
    /// As one line of JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    place: PlaceArguments,
}

/// How much of a value is shown, in characters.
const VALUE_CHARS_MAX: usize = 200;

pub(super) fn run(arguments: &Arguments) -> Exit {
    let (agent, tool, call) = match read(arguments) {
        Ok(read) => read,
        Err(what) => {
            complain(&what, Some("as in `placet explain support crm/refund '{\"amount\": 600}'`"));
            return Exit::Usage;
        }
    };
    let loaded = match check::loaded(&arguments.place) {
        Ok(loaded) => loaded,
        Err(exit) => return exit,
    };
    let explanation = match &call {
        Some(call) => loaded.policy.explain(call),
        None => loaded.policy.explain_tool(&agent, &tool),
    };
    if arguments.json {
        say(&described(&agent, &tool, &explanation, &loaded.policy).compact());
    } else {
        for line in shown(&agent, &tool, call.is_some(), &explanation, &loaded) {
            if !say(&line) {
                break;
            }
        }
    }
    match explanation.judged {
        Ok(_) => Exit::Done,
        Err(_) => Exit::Unverified,
    }
}

fn read(arguments: &Arguments) -> Result<(AgentName, Action, Option<Proposed>), String> {
    let agent: AgentName = arguments.agent.parse().map_err(|error| format!("{error}"))?;
    let tool: Action = arguments.tool.parse().map_err(|error| format!("{error}"))?;
    let Some(text) = &arguments.arguments else { return Ok((agent, tool, None)) };
    let value = parse(text.as_bytes(), &Limits::EDGE).map_err(|error| format!("the arguments: {error}"))?;
    if value.as_object().is_none() {
        return Err(format!("the arguments are {}, not an object", value.kind()));
    }
    let labels =
        arguments.label.iter().map(|label| label.parse::<Label>().map_err(|error| error.to_string()));
    let at = match &arguments.at {
        None => SystemClock.now().wall,
        Some(text) => Timestamp::parse(text).ok_or_else(|| format!("`{}` is not a moment", inert(text)))?,
    };
    let call = Proposed {
        arguments: value,
        steps: arguments.steps.max(1),
        labels: labels.collect::<Result<_, _>>()?,
        at,
        dry_run: arguments.dry_run,
        ..Proposed::new(agent.clone(), tool.clone())
    };
    Ok((agent, tool, Some(call)))
}

fn shown(
    agent: &AgentName,
    tool: &Action,
    is_call: bool,
    explanation: &Explanation,
    loaded: &Loaded,
) -> Vec<String> {
    let Explanation { judged, deciding, conditional, facts, read, changes } = explanation;
    let (policy, file) = (&loaded.policy, loaded.name.as_str());
    let rules = |rules: &[RuleShown]| {
        rules.iter().map(|rule| format!("  {}", check::rule_line(rule, policy, file))).collect::<Vec<_>>()
    };
    let mut lines = Vec::new();
    match judged {
        Ok(judged) => {
            let by_condition =
                !is_call && matches!(judged, Judged::Granted { .. }) && !conditional.is_empty();
            let condition = if by_condition { ", by condition" } else { "" };
            lines.push(format!("{agent} {tool}: {}{condition}", check::judged(judged)));
            if let Judged::Refused { reason, .. } = judged {
                lines.push(format!("  {}", check::why(reason, tool)));
            }
        }
        Err(why) => lines.push(format!("{agent} {tool}: nothing can be said: {why}")),
    }
    if policy.observes(agent) {
        lines.push(
            "  (the agent is observed: what policy would refuse or ask about runs all the same)".to_owned(),
        );
    }
    let mut section = |title: &str, body: Vec<String>| {
        if !body.is_empty() {
            lines.push(title.to_owned());
            lines.extend(body);
        }
    };
    section("decided by", rules(deciding));
    section("rules with a condition that look at it", rules(conditional));
    section("facts", facts.iter().map(|(name, answer)| format!("  {name} {}", truth(answer))).collect());
    section(
        "read",
        read.iter().map(|(path, value)| format!("  {} = {}", inert(path), seen(value.as_ref()))).collect(),
    );
    section("what would change it", changes.iter().flat_map(|change| change_lines(change, file)).collect());
    lines
}

fn change_lines(change: &Change, file: &str) -> Vec<String> {
    let Change { what, line, then, also } = change;
    let place = if *line > 0 { format!("{}:{line}: ", inert(file)) } else { String::new() };
    let mut lines = vec![format!("  {place}{}", inert(what))];
    lines.extend(then.as_ref().map(|then| format!("    then: {}", check::judged(then))));
    if then.is_some() {
        let also: Vec<String> = also.iter().map(|(agent, tool)| format!("{agent} {tool}")).collect();
        let also = if also.is_empty() { "nothing".to_owned() } else { also.join(", ") };
        lines.push(format!("    besides it opens: {also}"));
    }
    lines
}

fn truth<E: std::fmt::Display>(answer: &Result<Truth, E>) -> String {
    match answer {
        Ok(Truth::Holds) => "holds".to_owned(),
        Ok(Truth::Fails) => "fails".to_owned(),
        Ok(Truth::Absent) => "is absent".to_owned(),
        Err(error) => inert(&error.to_string()).into_owned(),
    }
}

/// A value with everything in it to be seen, cut.
fn seen(value: Option<&Json>) -> String {
    let Some(value) = value else { return "(absent)".to_owned() };
    let text = value.spaced();
    let text = inert(&text);
    let cut: String = text.chars().take(VALUE_CHARS_MAX).collect();
    if cut.len() < text.len() { format!("{cut}…") } else { cut }
}

fn described(agent: &AgentName, tool: &Action, explanation: &Explanation, policy: &Policy) -> Json {
    let Explanation { judged, deciding, conditional, facts, read, changes } = explanation;
    let line = |line: usize| Json::from(i64::try_from(line).unwrap_or(0));
    let rules = |rules: &[RuleShown]| {
        let rules = rules.iter().map(|rule| {
            let mut object = Object::new();
            object.insert("policy", rule.policy.to_string());
            if let Some(id) = policy.guard_id(&rule.policy) {
                object.insert("guard", id);
            }
            object.insert("line", line(rule.line));
            object.insert("rule", rule.to_string());
            Json::Object(object)
        });
        Json::from(rules.collect::<Vec<_>>())
    };
    let mut object = Object::new();
    object.insert("agent", agent.as_str());
    object.insert("tool", tool.to_string());
    match judged {
        Ok(judged) => {
            test::outcome(&mut object, judged);
            if let Judged::Refused { reason, .. } = judged {
                object.insert("why", check::why(reason, tool));
            }
        }
        Err(why) => drop(object.insert("untried", why.to_string())),
    }
    object.insert("observed", policy.observes(agent));
    object.insert("deciding", rules(deciding));
    object.insert("conditional", rules(conditional));
    let facts: Object =
        facts.iter().map(|(name, answer)| (name.to_string(), Json::from(truth(answer)))).collect();
    object.insert("facts", facts);
    // A place that is absent has no member; one that is null has that.
    let read: Object = read.iter().filter_map(|(path, value)| Some((path.clone(), value.clone()?))).collect();
    object.insert("read", read);
    let changes = changes.iter().map(|Change { what, line: at, then, also }| {
        let mut object = Object::new();
        object.insert("what", what.as_str());
        object.insert("line", line(*at));
        if let Some(then) = then {
            object.insert("then", check::judged(then));
        }
        let also = also.iter().map(|(agent, tool)| {
            let mut pair = Object::new();
            pair.insert("agent", agent.as_str());
            pair.insert("tool", tool.to_string());
            Json::Object(pair)
        });
        object.insert("also", also.collect::<Vec<_>>());
        Json::Object(object)
    });
    object.insert("changes", changes.collect::<Vec<_>>());
    Json::Object(object)
}
