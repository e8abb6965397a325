//! Judging by rules without conditions, and what the tests of those with conditions share.

mod conditional;
mod controls;
mod traps;

use proptest::{collection::vec, option, prelude::*, sample::subsequence};
use serde_json::{Value, json};

use super::{
    config::{At, GuardEffect, GuardScope, Pattern, Scope},
    *,
};
use crate::level::LevelSet;

const READ: &str = "crm/read_user";
const WRITE: &str = "crm/update_user";
const EXECUTE: &str = "crm/send_mail";
const DELETE: &str = "crm/delete_user";

fn agent(name: &str) -> AgentName {
    name.parse().unwrap()
}

fn action(name: &str) -> Action {
    name.parse().unwrap()
}

fn control(text: &str) -> Control {
    text.parse().unwrap()
}

/// One tool of each level.
fn crm() -> Catalogue {
    [(READ, Level::Read), (WRITE, Level::Write), (EXECUTE, Level::Execute), (DELETE, Level::Delete)]
        .into_iter()
        .map(|(name, level)| (action(name), Tool::from(level)))
        .collect()
}

fn patterns(texts: &[&str]) -> Vec<At<Pattern>> {
    texts.iter().map(|text| At { value: text.parse().unwrap(), line: 0 }).collect()
}

fn remit(levels: &[Level]) -> Agent {
    Agent { levels: LevelSet::of(levels.iter().copied()), ..Agent::default() }
}

fn guard(scope: &str, effect: GuardEffect) -> Guard {
    let scope =
        scope.parse().map(GuardScope::Level).unwrap_or_else(|_| GuardScope::Tools(scope.parse().unwrap()));
    Guard { scope, applies_to: None, levels: None, when: None, id: None, effect, line: 0 }
}

fn require(scope: &str, controls: &[&str]) -> Guard {
    guard(scope, GuardEffect::Require(controls.iter().map(|text| control(text)).collect()))
}

fn forbid(scope: &str, words: &str) -> Guard {
    guard(scope, GuardEffect::Forbid(words.to_owned()))
}

fn policy(agents: &[(&str, Agent)], guards: Vec<Guard>) -> Policy {
    let agents = agents.iter().map(|(name, remit)| (agent(name), remit.clone())).collect();
    Policy::compile(Rules { agents, guards, ..Rules::default() }, crm()).unwrap()
}

fn granted(controls: &[&str], policies: &[&str]) -> Judged {
    Judged::Granted {
        controls: controls.iter().map(|text| control(text)).collect(),
        policies: policies.iter().map(|id| (*id).into()).collect(),
    }
}

fn refused(reason: DenyReason, policies: &[&str]) -> Judged {
    Judged::Refused { reason, policies: policies.iter().map(|id| (*id).into()).collect() }
}

fn forbidden(words: &str) -> DenyReason {
    DenyReason::Forbidden(Some(words.into()))
}

#[test]
fn levels_are_a_set_and_not_a_ladder() {
    use Level::{Delete, Execute, Read, Write};
    for held in [
        vec![],
        vec![Read],
        vec![Write],
        vec![Execute],
        vec![Delete],
        vec![Read, Write],
        vec![Write, Delete],
        vec![Read, Write, Execute, Delete],
    ] {
        let policy = policy(&[("bot", remit(&held))], Vec::new());
        for (name, level) in [(READ, Read), (WRITE, Write), (EXECUTE, Execute), (DELETE, Delete)] {
            let want = if held.contains(&level) {
                granted(&[], &["agents.bot.levels"])
            } else {
                refused(DenyReason::NotGranted, &[])
            };
            assert_eq!(policy.judge(&agent("bot"), &action(name)), want, "holds {held:?}, calls {name}");
        }
    }
}

#[test]
fn a_deny_wins_over_levels_and_over_an_allow() {
    let bot = Agent {
        allow: patterns(&[DELETE, READ]),
        deny: patterns(&["crm/delete_*", "*/read_user"]),
        ..remit(&[Level::Read, Level::Write])
    };
    let policy = policy(&[("bot", bot)], Vec::new());
    for (name, want) in [
        (READ, refused(DenyReason::Forbidden(None), &["agents.bot.deny.1"])),
        (DELETE, refused(DenyReason::Forbidden(None), &["agents.bot.deny.0"])),
        (WRITE, granted(&[], &["agents.bot.levels"])),
        (EXECUTE, refused(DenyReason::NotGranted, &[])),
    ] {
        assert_eq!(policy.judge(&agent("bot"), &action(name)), want, "{name}");
    }
}

#[test]
fn an_allow_grants_one_tool_besides_the_levels_and_to_one_agent() {
    let bot = Agent { allow: patterns(&[EXECUTE]), ..remit(&[Level::Read]) };
    let policy = policy(&[("bot", bot), ("other", remit(&[Level::Read]))], Vec::new());
    assert_eq!(policy.judge(&agent("bot"), &action(EXECUTE)), granted(&[], &["agents.bot.allow.0"]));
    assert_eq!(policy.judge(&agent("other"), &action(EXECUTE)), refused(DenyReason::NotGranted, &[]));
}

#[test]
fn whoever_or_whatever_the_rules_do_not_name_is_refused() {
    let all = Agent { allow: patterns(&["*/*"]), ..remit(&Level::ALL) };
    let policy = policy(&[("bot", all)], Vec::new());
    for (who, what) in [("nobody", READ), ("bot", "crm/unlisted"), ("bot", "erp/read_user"), ("probe", READ)]
    {
        assert_eq!(
            policy.judge(&agent(who), &action(what)),
            refused(DenyReason::NotGranted, &[]),
            "{who} {what}"
        );
        assert!(!policy.could_allow(&agent(who), &action(what)));
    }
    assert!(policy.could_allow(&agent("bot"), &action(DELETE)));
}

#[test]
fn an_agent_called_like_our_probe_is_an_agent() {
    let policy = policy(&[("probe", remit(&[Level::Read]))], Vec::new());
    assert_eq!(policy.judge(&agent("probe"), &action(READ)), granted(&[], &["agents.probe.levels"]));
    assert_eq!(policy.judge(&agent("probe"), &action(WRITE)), refused(DenyReason::NotGranted, &[]));
}

#[test]
fn a_guard_grants_with_what_it_requires() {
    let policy = policy(&[("ops", remit(&Level::ALL))], vec![require("delete", &["approval:oncall"])]);
    assert_eq!(
        policy.judge(&agent("ops"), &action(DELETE)),
        granted(&["approval:oncall"], &["guards.0.0", "agents.ops.levels"])
    );
    assert_eq!(policy.judge(&agent("ops"), &action(WRITE)), granted(&[], &["agents.ops.levels"]));
}

#[test]
fn a_forbid_refuses_whatever_people_might_agree_to() {
    let guards =
        vec![require("delete", &["approval:oncall"]), forbid("crm/delete_*", "nothing is deleted here")];
    let policy = policy(&[("ops", remit(&Level::ALL))], guards);
    assert_eq!(
        policy.judge(&agent("ops"), &action(DELETE)),
        refused(forbidden("nothing is deleted here"), &["guards.0.0", "guards.1.1"])
    );
}

#[test]
fn nobody_is_asked_about_what_nothing_grants() {
    let policy = policy(&[("bot", remit(&[Level::Read]))], vec![require("delete", &["approval:oncall"])]);
    assert_eq!(policy.judge(&agent("bot"), &action(DELETE)), refused(DenyReason::NotGranted, &[]));
}

#[test]
fn the_controls_of_all_guards_are_needed() {
    let guards = vec![
        require("delete", &["approval:oncall"]),
        require("crm/*", &["approval:finance:2", "approval:oncall"]),
        Guard { id: Some("late".to_owned()), ..require("*/delete_user", &["approval:oncall:passkey"]) },
    ];
    let policy = policy(&[("ops", remit(&Level::ALL))], guards);
    assert_eq!(
        policy.judge(&agent("ops"), &action(DELETE)),
        granted(
            &["approval:finance:2", "approval:oncall", "approval:oncall:passkey"],
            &["guards.0.0", "guards.1.1.0", "guards.1.1.1", "guards.2.late", "agents.ops.levels"]
        )
    );
    assert_eq!(
        policy.judge(&agent("ops"), &action(READ)),
        granted(
            &["approval:finance:2", "approval:oncall"],
            &["guards.1.1.0", "guards.1.1.1", "agents.ops.levels"]
        )
    );
}

#[test]
fn a_guard_may_be_about_one_agent_or_one_team() {
    let member = |team: &str| Agent { team: Some(team.parse().unwrap()), ..remit(&Level::ALL) };
    let about = |scope| Guard { applies_to: Some(scope), ..forbid("write", "not by you") };
    let guards = vec![about(Scope::Team("helpdesk".parse().unwrap())), about(Scope::Agent(agent("solo")))];
    let policy = policy(
        &[("ana", member("helpdesk")), ("bo", member("finance")), ("solo", remit(&Level::ALL))],
        guards,
    );
    assert_eq!(
        policy.judge(&agent("ana"), &action(WRITE)),
        refused(forbidden("not by you"), &["guards.0.0"])
    );
    assert_eq!(policy.judge(&agent("bo"), &action(WRITE)), granted(&[], &["agents.bo.levels"]));
    assert_eq!(
        policy.judge(&agent("solo"), &action(WRITE)),
        refused(forbidden("not by you"), &["guards.1.1"])
    );
    assert_eq!(policy.judge(&agent("ana"), &action(READ)), granted(&[], &["agents.ana.levels"]));
}

#[test]
fn a_guard_of_a_team_that_nobody_is_in_is_about_nobody() {
    let scope = Some(Scope::Team("ghosts".parse().unwrap()));
    let policy =
        policy(&[("bot", remit(&Level::ALL))], vec![Guard { applies_to: scope, ..forbid("read", "no") }]);
    assert_eq!(policy.judge(&agent("bot"), &action(READ)), granted(&[], &["agents.bot.levels"]));
}

#[test]
fn a_guard_of_tools_may_be_narrowed_to_levels() {
    let narrow = Guard { levels: Some(LevelSet::of([Level::Write, Level::Delete])), ..forbid("crm/*", "no") };
    let policy = policy(&[("bot", remit(&Level::ALL))], vec![narrow]);
    for (name, refused) in [(READ, false), (WRITE, true), (EXECUTE, false), (DELETE, true)] {
        let judged = policy.judge(&agent("bot"), &action(name));
        assert_eq!(matches!(judged, Judged::Refused { .. }), refused, "{name}: {judged:?}");
    }
}

#[test]
fn a_glob_means_the_tools_that_have_a_level_and_no_others() {
    let bot = Agent { allow: patterns(&["crm/*"]), ..Agent::default() };
    let rules = Rules { agents: [(agent("bot"), bot)].into(), ..Rules::default() };
    let known: Catalogue = crm().into_iter().filter(|(name, _)| *name == action(READ)).collect();
    let policy = Policy::compile(rules.clone(), known).unwrap();
    assert_eq!(policy.judge(&agent("bot"), &action(READ)), granted(&[], &["agents.bot.allow.0"]));
    assert_eq!(policy.judge(&agent("bot"), &action(DELETE)), refused(DenyReason::NotGranted, &[]));
    assert!(policy.to_cedar().contains(READ) && !policy.to_cedar().contains('*'), "{}", policy.to_cedar());
    // A pattern that matches nothing is no rule about everything.
    assert_eq!(Policy::compile(rules, Catalogue::new()).unwrap().to_cedar(), "");
}

#[test]
fn of_several_forbids_the_first_with_words_speaks() {
    let bot = Agent { deny: patterns(&[WRITE]), ..remit(&Level::ALL) };
    let guards = (0..8).map(|at| forbid("crm/*", &format!("reason {at}"))).collect();
    let rules = Rules { agents: [(agent("bot"), bot)].into(), guards, ..Rules::default() };
    // Cedar's reasons come in the order of a hash table that is seeded anew with each set.
    for _ in 0..16 {
        let policy = Policy::compile(rules.clone(), crm()).unwrap();
        let Judged::Refused { reason, policies } = policy.judge(&agent("bot"), &action(WRITE)) else {
            panic!("it is forbidden nine times");
        };
        assert_eq!(reason, forbidden("reason 0"));
        assert_eq!(policies.len(), 9);
        assert!(policies.is_sorted(), "{policies:?}");
    }
}

#[test]
fn two_rules_of_one_name_do_not_hide_each_other() {
    let named = |scope| Guard { id: Some("x.0".to_owned()), ..forbid(scope, "no") };
    let guards = vec![require("read", &["approval:a", "approval:b"]), named("write"), named("execute")];
    let policy = policy(&[("bot", remit(&Level::ALL))], guards);
    assert_eq!(policy.judge(&agent("bot"), &action(WRITE)), refused(forbidden("no"), &["guards.1.x.0"]));
    assert_eq!(policy.judge(&agent("bot"), &action(EXECUTE)), refused(forbidden("no"), &["guards.2.x.0"]));
}

#[test]
fn what_rules_say_in_words_stays_words() {
    let hostile = "\"); permit(principal, action, resource); //\n@id(\"x\")\\";
    let guards = vec![Guard { id: Some(hostile.to_owned()), ..forbid("delete", hostile) }];
    let policy = policy(&[("bot", remit(&Level::ALL))], guards);
    let id = format!("guards.0.{hostile}");
    assert_eq!(policy.judge(&agent("bot"), &action(DELETE)), refused(forbidden(hostile), &[&id]));
    // As Cedar reads our text there are the levels and the guard, and no third.
    let set: cedar_policy::PolicySet = policy.to_cedar().parse().unwrap();
    assert_eq!(set.policies().count(), 2, "{}", policy.to_cedar());
}

#[test]
fn the_text_that_is_shown_has_ids_and_lines() {
    let bot = Agent { line: 7, ..remit(&[Level::Read]) };
    let guards = vec![Guard { line: 9, ..require("delete", &["approval:oncall"]) }];
    let text = policy(&[("bot", bot)], guards).to_cedar();
    for part in [
        r#"@id("agents.bot.levels")"#,
        r#"@src("placet.toml:7")"#,
        r#"@id("guards.0.0")"#,
        r#"@src("placet.toml:9")"#,
        r#"@requires("approval:oncall")"#,
        "context has",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
}

#[test]
fn the_digest_moves_with_what_is_judged() {
    let rules =
        |levels: &[Level]| Rules { agents: [(agent("bot"), remit(levels))].into(), ..Rules::default() };
    let digest = |rules, catalogue| Policy::compile(rules, catalogue).unwrap().digest().to_owned();
    let base = digest(rules(&[Level::Read]), crm());
    assert_eq!(base, digest(rules(&[Level::Read]), crm()));
    assert_ne!(base, digest(rules(&[Level::Read, Level::Write]), crm()));
    let mut relevelled = crm();
    relevelled.insert(action(DELETE), Tool::from(Level::Read));
    assert_ne!(base, digest(rules(&[Level::Read]), relevelled));
    let mut planning = crm();
    planning.insert(action(DELETE), Tool { plans: true, ..Tool::from(Level::Delete) });
    assert_ne!(base, digest(rules(&[Level::Read]), planning));
}

#[test]
fn a_question_waits_as_long_as_its_most_impatient_group() {
    let approvers = |seconds| Approvers { expires: Duration::from_secs(seconds), ..Approvers::default() };
    let rules = Rules {
        approvers: [("fast".parse().unwrap(), approvers(60)), ("slow".parse().unwrap(), approvers(7_200))]
            .into(),
        ..Rules::default()
    };
    let policy = Policy::compile(rules, crm()).unwrap();
    for (controls, seconds) in [
        (vec!["approval:slow"], 7_200),
        (vec!["approval:slow", "approval:fast:2"], 60),
        (vec!["approval:other"], 3_600),
        (vec!["approval:other", "approval:slow"], 3_600),
    ] {
        let parsed: Vec<_> = controls.iter().map(|text| control(text)).collect();
        assert_eq!(policy.patience(&parsed), Duration::from_secs(seconds), "{controls:?}");
    }
}

/// `9223372036854775807 + 1 == 0`, under which Cedar gives up.
fn overflow() -> Value {
    json!({ "==": {
        "left": { "+": { "left": { "Value": i64::MAX }, "right": { "Value": 1 } } },
        "right": { "Value": 0 },
    } })
}

fn raw(effect: &str, condition: Value) -> Value {
    json!({ "effect": effect, "principal": { "op": "All" }, "action": { "op": "All" }, "resource": { "op": "All" },
        "conditions": [{ "kind": "when", "body": condition }] })
}

#[test]
fn a_rule_that_cannot_be_evaluated_denies() {
    let controls = json!({ ".": { "left": { "Var": "context" }, "attr": "controls" } });
    let once_approved = json!({ "&&": {
        "left": { "contains": { "left": controls, "right": { "Value": "approval:oncall" } } },
        "right": overflow(),
    } });
    let missing = json!({ "==": {
        "left": { ".": { "left": { "Var": "context" }, "attr": "missing" } }, "right": { "Value": 1 } } });
    for (case, est, tool) in [
        ("a forbid", raw("forbid", overflow()), READ),
        ("a permit beside one that grants", raw("permit", overflow()), READ),
        ("a forbid over a fact that is not there", raw("forbid", missing), READ),
        ("a forbid that errs only in the second round", raw("forbid", once_approved), DELETE),
    ] {
        let guards = vec![require("delete", &["approval:oncall"])];
        let sound = policy(&[("ops", remit(&Level::ALL))], guards);
        assert!(sound.could_allow(&agent("ops"), &action(tool)));
        let erring = Policy { compiled: sound.compiled.with_raw("raw", est), ..sound };
        assert_eq!(
            erring.judge(&agent("ops"), &action(tool)),
            refused(DenyReason::PolicyError, &["raw"]),
            "{case}"
        );
    }
}

#[test]
fn nothing_is_served_if_the_groups_of_levels_were_lost() {
    let sound = policy(&[("ops", remit(&Level::ALL))], Vec::new());
    assert_eq!(sound.compiled.self_check_without_groups(), Err(PolicyError::SelfCheck(Level::Read)));
}

/// A small world in which random rules meet often.
const SERVERS: [&str; 2] = ["a", "b"];
const TOOLS: [&str; 3] = ["x", "xy", "z/x"];
const AGENTS: [&str; 3] = ["ann", "bot", "cy"];
const TEAMS: [&str; 2] = ["red", "blue"];
const PATTERNS: [&str; 9] = ["a/*", "*/x", "b/x?", "*/*", "a/x", "?/z/*", "b/z*x", "a/none", "*/*y"];
const CONTROLS: [&str; 4] = ["approval:p", "approval:p:2", "approval:q", "approval:q:passkey"];

fn any_levels() -> impl Strategy<Value = LevelSet> {
    subsequence(Level::ALL.to_vec(), 0..=4).prop_map(LevelSet::of)
}

fn any_pattern() -> impl Strategy<Value = Pattern> {
    prop::sample::select(PATTERNS.to_vec()).prop_map(|text| text.parse().unwrap())
}

fn any_remit() -> impl Strategy<Value = Agent> {
    let list = || vec(any_pattern().prop_map(|value| At { value, line: 0 }), 0..3);
    let team = option::of(prop::sample::select(TEAMS.to_vec()));
    (any_levels(), list(), list(), team).prop_map(|(levels, allow, deny, team)| Agent {
        levels,
        allow,
        deny,
        team: team.map(|name| name.parse().unwrap()),
        ..Agent::default()
    })
}

fn any_guard() -> impl Strategy<Value = Guard> {
    let scope = prop_oneof![
        prop::sample::select(Level::ALL.to_vec()).prop_map(|level| (GuardScope::Level(level), None)),
        (
            any_pattern(),
            option::of(any_levels().prop_filter("never an empty set", |levels| !levels.is_empty()))
        )
            .prop_map(|(pattern, levels)| (GuardScope::Tools(pattern), levels)),
    ];
    let applies_to = prop_oneof![
        Just(None),
        prop::sample::select(AGENTS.to_vec()).prop_map(|name| Some(Scope::Agent(agent(name)))),
        prop::sample::select(TEAMS.to_vec()).prop_map(|name| Some(Scope::Team(name.parse().unwrap()))),
    ];
    let effect = prop_oneof![
        1 => "[a-z]{1,4}".prop_map(GuardEffect::Forbid),
        3 => subsequence(CONTROLS.to_vec(), 1..=2)
            .prop_map(|texts| GuardEffect::Require(texts.into_iter().map(control).collect())),
    ];
    (scope, applies_to, effect).prop_map(|((scope, levels), applies_to, effect)| Guard {
        scope,
        applies_to,
        levels,
        when: None,
        id: None,
        effect,
        line: 0,
    })
}

fn any_world() -> impl Strategy<Value = (Rules, Catalogue)> {
    let remits = vec(any_remit(), 1..=AGENTS.len());
    let levels =
        vec(option::weighted(0.8, prop::sample::select(Level::ALL.to_vec())), SERVERS.len() * TOOLS.len());
    (remits, vec(any_guard(), 0..4), levels).prop_map(|(remits, guards, levels)| {
        let agents = AGENTS.iter().map(|name| agent(name)).zip(remits).collect();
        let tools = all_actions().into_iter().zip(levels);
        let catalogue = tools.filter_map(|(name, level)| Some((name, Tool::from(level?)))).collect();
        (Rules { agents, guards, ..Rules::default() }, catalogue)
    })
}

fn all_actions() -> Vec<Action> {
    SERVERS
        .iter()
        .flat_map(|server| TOOLS.iter().map(move |tool| action(&format!("{server}/{tool}"))))
        .collect()
}

/// What the rules mean, without Cedar, without lowering and without slices: sets and loops.
fn oracle(rules: &Rules, catalogue: &Catalogue, who: &AgentName, what: &Action) -> Judged {
    let (Some(remit), Some(tool)) = (rules.agents.get(who), catalogue.get(what)) else {
        return Judged::Refused { reason: DenyReason::NotGranted, policies: Vec::new() };
    };
    let holds = |levels: LevelSet| levels.iter().any(|level| level == tool.level());
    let listed = |kind: &str, list: &[At<Pattern>]| -> Vec<String> {
        let matching =
            list.iter().enumerate().filter(|(_, pattern)| stands_for(&pattern.value.to_string(), what));
        matching.map(|(at, _)| format!("agents.{who}.{kind}.{at}")).collect()
    };
    let mut permits = listed("allow", &remit.allow);
    if holds(remit.levels) {
        permits.push(format!("agents.{who}.levels"));
    }
    let mut forbids = listed("deny", &remit.deny);
    let (mut is_forbidden, mut words, mut controls) = (!forbids.is_empty(), None, BTreeSet::new());
    for (at, guard) in rules.guards.iter().enumerate() {
        let about_tool = match &guard.scope {
            GuardScope::Level(level) => *level == tool.level(),
            GuardScope::Tools(pattern) => {
                stands_for(&pattern.to_string(), what) && guard.levels.is_none_or(holds)
            }
        };
        let about_agent = match &guard.applies_to {
            None => true,
            Some(Scope::Agent(name)) => name == who,
            Some(Scope::Team(team)) => remit.team.as_ref() == Some(team),
        };
        if !(about_tool && about_agent) {
            continue;
        }
        match &guard.effect {
            GuardEffect::Forbid(text) => {
                is_forbidden = true;
                words = words.or_else(|| Some(text.as_str().into()));
                forbids.push(format!("guards.{at}.{at}"));
            }
            GuardEffect::Require(all) if all.len() == 1 => {
                controls.extend(all.iter().cloned());
                forbids.push(format!("guards.{at}.{at}"));
            }
            GuardEffect::Require(all) => {
                controls.extend(all.iter().cloned());
                forbids.extend((0..all.len()).map(|nth| format!("guards.{at}.{at}.{nth}")));
            }
        }
    }
    permits.sort();
    forbids.sort();
    let ids = |names: Vec<String>| names.into_iter().map(Arc::from).collect();
    if is_forbidden {
        Judged::Refused { reason: DenyReason::Forbidden(words), policies: ids(forbids) }
    } else if permits.is_empty() {
        Judged::Refused { reason: DenyReason::NotGranted, policies: Vec::new() }
    } else {
        Judged::Granted {
            controls: controls.into_iter().collect(),
            policies: ids([forbids, permits].concat()),
        }
    }
}

/// Globs by trying everything.
fn stands_for(pattern: &str, what: &Action) -> bool {
    fn side(glob: &[char], name: &[char]) -> bool {
        match glob.split_first() {
            None => name.is_empty(),
            Some(('*', rest)) => (0..=name.len()).any(|taken| side(rest, &name[taken..])),
            Some((want, rest)) => {
                !name.is_empty() && (*want == '?' || *want == name[0]) && side(rest, &name[1..])
            }
        }
    }
    let chars = |text: &str| text.chars().collect::<Vec<_>>();
    let (server, tool) = pattern.split_once('/').unwrap();
    side(&chars(server), &chars(what.server.as_str())) && side(&chars(tool), &chars(what.tool.as_str()))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn judgements_are_what_the_rules_mean((rules, catalogue) in any_world()) {
        let policy = Policy::compile(rules.clone(), catalogue.clone()).unwrap();
        for who in AGENTS.map(agent) {
            for what in all_actions() {
                let want = oracle(&rules, &catalogue, &who, &what);
                prop_assert_eq!(policy.judge(&who, &what), want.clone(), "{} {}", who, what);
                prop_assert_eq!(policy.judge(&who, &what), want, "the second time, {} {}", who, what);
            }
        }
    }

    #[test]
    fn a_slice_says_what_the_whole_set_says((rules, catalogue) in any_world()) {
        let policy = Policy::compile(rules.clone(), catalogue.clone()).unwrap();
        for who in rules.agents.keys() {
            for what in catalogue.keys() {
                prop_assert_eq!(policy.judge(who, what), policy.compiled.judge_unsliced(who, what), "{} {}", who, what);
            }
        }
    }

    #[test]
    fn more_controls_never_satisfy_a_forbid_and_never_change_a_permit(
        (rules, catalogue) in any_world(),
        some in subsequence(CONTROLS.to_vec(), 0..=4),
        more in subsequence(CONTROLS.to_vec(), 0..=4),
    ) {
        let policy = Policy::compile(rules.clone(), catalogue.clone()).unwrap();
        let fewer: BTreeSet<_> = some.iter().map(|text| control(text)).collect();
        let all: BTreeSet<_> = some.iter().chain(&more).map(|text| control(text)).collect();
        for who in rules.agents.keys() {
            for what in catalogue.keys() {
                let (permits, forbids) = policy.compiled.satisfied(who, what, &fewer);
                let (permits_then, forbids_then) = policy.compiled.satisfied(who, what, &all);
                prop_assert_eq!(permits, permits_then, "{} {}", who, what);
                prop_assert!(forbids_then.is_subset(&forbids), "{} {}: {:?} beyond {:?}", who, what, forbids_then, forbids);
            }
        }
    }

    #[test]
    fn the_controls_that_are_asked_for_are_enough_and_none_is_idle((rules, catalogue) in any_world()) {
        let policy = Policy::compile(rules.clone(), catalogue.clone()).unwrap();
        for who in rules.agents.keys() {
            for what in catalogue.keys() {
                let Judged::Granted { controls, .. } = policy.judge(who, what) else { continue };
                let all: BTreeSet<_> = controls.into_iter().collect();
                let (permits, forbids) = policy.compiled.satisfied(who, what, &all);
                prop_assert!(!permits.is_empty() && forbids.is_empty(), "{} {}: {:?}", who, what, forbids);
                for idle in &all {
                    let without = all.iter().filter(|kept| *kept != idle).cloned().collect();
                    let (_, forbids) = policy.compiled.satisfied(who, what, &without);
                    prop_assert!(!forbids.is_empty(), "{} {} without {}", who, what, idle);
                }
            }
        }
    }
}
