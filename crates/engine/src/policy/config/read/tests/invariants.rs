//! Invariants: what is read of them, and what is said about each kind of mistake.

use super::*;
use crate::policy::config::{Claim, Need};

/// A guard that asks a group, and an invariant with these lines besides its name.
fn with(lines: &str) -> String {
    format!("{REST}[guards]\nwrite = \"approval:oncall\"\n[[invariants]]\nname = \"it\"\n{lines}\n")
}

#[test]
fn everything_of_an_invariant_is_read() {
    let config = good(&with(
        "levels = ['write', 'delete']\ntools = ['crm/*']\nfor = { team = 'helpdesk' }\nwhen = 'args.amount>100'\nneed = 'approval:oncall:2'",
    ));
    let [invariant] = config.invariants.as_slice() else { panic!("{:?}", config.invariants) };
    let about = &invariant.about;
    assert_eq!(about.who, Some(Scope::Team("helpdesk".parse().unwrap())));
    assert_eq!(about.levels, Some([Level::Write, Level::Delete].into_iter().collect()));
    assert_eq!((about.tools.len(), about.tools[0].value.to_string().as_str()), (1, "crm/*"));
    assert_eq!(about.when.as_ref().unwrap().to_string(), "args.amount > 100");
    assert_eq!(invariant.claim, Claim::Needs(Need::Control("approval:oncall:2".parse().unwrap())));

    let config = good(&with("never = { agent = 'support', tool = 'crm/refund', when = 'args.amount > 5' }"));
    let [invariant] = config.invariants.as_slice() else { panic!("{:?}", config.invariants) };
    assert_eq!(invariant.claim, Claim::Never);
    assert_eq!(invariant.about.who, Some(Scope::Agent("support".parse().unwrap())));
    assert!(invariant.about.when.is_some());
    let any = good(&with("levels = ['delete']\nneed = 'approval:*'"));
    assert_eq!(any.invariants[0].claim, Claim::Needs(Need::AnyApproval));
}

#[test]
fn each_mistake_is_said_with_what_was_meant_and_no_invariant_comes_of_it() {
    for (lines, message, help) in [
        ("levels = ['delete']", "the invariant has neither `need` nor `never`", "as in `need"),
        ("need = 'approval:*'", "the invariant does not say which calls it is about", "as in `levels"),
        ("never = {}", "the invariant does not say which calls it is about", "as in `levels"),
        (
            "never = { when = 'args.amount > 5' }",
            "the invariant does not say which calls it is about",
            "as in `levels",
        ),
        ("levels = ['delet']\nneed = 'approval:*'", "unknown level `delet`", "did you mean `delete`?"),
        ("levels = []\nneed = 'approval:*'", "`levels` names no level", "levels are"),
        ("levels = ['read']\nneed = 'aproval:*'", "unknown control `aproval`", "did you mean `approval`?"),
        ("levels = ['read']\nneed = 'approval:oncal'", "unknown group `oncal`", "did you mean `oncall`?"),
        ("levels = ['read']\nneed = 'approval:board'", "unknown group `board`", "no guard asks it"),
        (
            "tools = ['crm/refnd']\nneed = 'approval:*'",
            "tool `crm/refnd` is not in the catalogue",
            "did you mean `crm/refund`?",
        ),
        (
            "tools = 'crm/*'\nneed = 'approval:*'",
            "`tools` must be a list of patterns, not a text",
            "write it as a list",
        ),
        ("never = { agent = 'suport' }", "unknown agent `suport`", "did you mean `support`?"),
        ("never = { team = 'helpdsk' }", "unknown team `helpdsk`", "did you mean `helpdesk`?"),
        (
            "never = { agent = 'support', team = 'helpdesk' }",
            "`never` names one agent or one team, not both",
            "write another",
        ),
        ("never = { tools = 'crm/*' }", "unknown key `tools` in `never`", "did you mean `tool`?"),
        (
            "levels = ['read']\nnever = { agent = 'support' }",
            "`levels` stands beside `never`",
            "say inside it",
        ),
        (
            "need = 'approval:*'\nnever = { agent = 'support' }",
            "an invariant has either `need` or `never`, not both",
            "write another",
        ),
        (
            "level = ['read']\nneed = 'approval:*'",
            "unknown key `level` in `invariants`",
            "did you mean `levels`?",
        ),
        ("levels = ['read']\nwhen = 'args.amount >'\nneed = 'approval:*'", "the condition ends here", ""),
        (
            "levels = ['read']\nneed = 'approval:*'\n[[invariants]]\nname = 'it'\nnever = { agent = 'support' }",
            "two invariants are called `it`",
            "a name is",
        ),
    ] {
        let found = read(&with(lines));
        assert!(found.config.is_none(), "{lines}");
        let first = &found.findings[0];
        if !message.starts_with("the condition ends") {
            assert_eq!(first.message, message, "{lines}");
        }
        assert!(first.help.as_deref().unwrap_or_default().starts_with(help), "{lines}: {first:?}");
        assert!(first.at.is_some(), "{lines}");
    }
}

#[test]
fn a_group_is_not_called_unknown_where_what_names_it_cannot_be_read() {
    let source = with("levels = ['read']\nneed = 'approval:oncall'")
        .replace("write = \"approval:oncall\"", "write = { reqire = 'approval:oncall' }");
    let found = read(&source);
    assert!(found.config.is_none());
    assert!(found.findings.iter().all(|finding| !finding.message.contains("unknown group")), "{found:?}");
}
