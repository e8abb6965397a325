//! What is worth a word, and what is not.

use super::*;
use crate::policy::trial::tests::policy;

/// A file of which there is nothing to say.
const CLEAN: &str = r#"
[servers.crm]
command = ["crm"]
[servers.crm.tools]
refund = "write"
find = "read"
[agents.support]
team = "desk"
levels = ["read", "write"]
"#;

/// Somebody who can say yes, and stands below everything that has a line.
const PEOPLE: &str = "
[approvers.a]
[approvers.b]
[approvers.oncall]
[people.ana]
may = ['approve:a', 'approve:b', 'approve:oncall']
";

fn found(more: &str) -> Vec<String> {
    found_in(&format!("{CLEAN}{more}{PEOPLE}"))
}

fn found_in(source: &str) -> Vec<String> {
    let (config, policy) = policy(source);
    lint(&config, &policy)
        .into_iter()
        .map(|problem| format!("{} {}", problem.line, problem.message))
        .collect()
}

#[test]
fn each_lint_has_its_place_and_is_said_of_nothing_else() {
    for (more, want) in [
        ("", &[][..]),
        (
            "[guards]\n'crm/*' = { level = 'delete', forbid = 'no' }",
            &["11 guard `crm/*` covers no tool: none that it matches has level delete"][..],
        ),
        (
            "[guards]\n'crm/*' = { level = 'read', forbid = 'no' }\n'crm/find' = 'approval:oncall'",
            &[
                "12 this guard of `crm/find` changes nothing: the one of `crm/*` on line 11 forbids every such call",
            ],
        ),
        ("[guards]\n'crm/*' = { when = 'call.dry_run', forbid = 'no' }\n'crm/find' = 'approval:oncall'", &[]),
        ("[guards]\n'crm/find' = { for = { team = 'desk' }, forbid = 'no' }\nread = 'approval:oncall'", &[]),
        (
            "[guards]\nwrite = { when = 'call.hour > 20 && call.hour < 6', forbid = 'no' }",
            &["11 this condition can never hold"],
        ),
        (
            "[guards]\nwrite = { when = 'call.dry_run || !call.dry_run', require = 'approval:oncall' }",
            &["11 this condition holds whatever the call is"],
        ),
        ("[match.few]\npath = 'args.to[*]'\nlen = { at_most = 5 }", &["10 no guard reads match `few`"]),
        (
            "[guards]\nwrite = [{ require = 'approval:a' }, { require = 'approval:b' }]",
            &["11 2 guards of `write` have no `id`"],
        ),
        ("[guards]\nwrite = [{ id = 'a', require = 'approval:a' }, { require = 'approval:b' }]", &[]),
        ("[agents.idle]", &["10 nothing is granted to agent `idle`"]),
        (
            "[servers.more]\ncommand = ['more']\ntools = { wipe = 'delete', bait = { level = 'delete', canary = true } }",
            &["12 no agent may call `more/wipe`"],
        ),
    ] {
        assert_eq!(found(more), want, "{more}");
    }
}

#[test]
fn a_guard_for_a_team_does_not_hide_one_for_all() {
    let hidden = "'crm/find' = [{ id = 'a', for = { team = 'desk' }, forbid = 'no' }, { id = 'b', for = { agent = 'support' }, require = 'approval:a' }]";
    let seen = hidden.replace("for = { agent = 'support' }, ", "");
    assert!(found(&format!("[guards]\n{hidden}")).iter().any(|line| line.contains("changes nothing")));
    assert!(!found(&format!("[guards]\n{seen}")).iter().any(|line| line.contains("changes nothing")));
}

#[test]
fn questions_that_nobody_can_answer_are_said_once_where_the_first_is_asked() {
    let said =
        |line: u32| vec![format!("{line} the file names no people, so nobody can say yes to what it asks")];
    let budget = "[[budgets]]\nname = 'b'\nfor = 'all'\nper = 'day'\ncalls = 5\nover = 'approval:b'\n";
    for (more, want) in [
        (String::new(), vec![]),
        ("[guards]\nwrite = { when = 'call.dry_run', forbid = 'no' }".to_owned(), vec![]),
        ("[guards]\nwrite = 'approval:a'\nread = 'approval:b'".to_owned(), said(11)),
        (budget.to_owned(), said(10)),
        (format!("{budget}[guards]\nwrite = 'approval:a'"), said(10)),
        (format!("{budget}[people.ana]\nmay = ['approve:b']"), vec![]),
    ] {
        assert_eq!(found_in(&format!("{CLEAN}{more}")), want, "{more}");
    }
}
