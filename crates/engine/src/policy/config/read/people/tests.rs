//! Who may do what, and what is said where that cannot be.

use crate::policy::config::{Approvers, OwnCalls, Read, Right, Strength, read};
use std::time::Duration;

const GUARDS: &str =
    "[guards]\ndelete = 'approval:oncall'\nwrite = { require = ['approval:finance:2', 'approval:oncall'] }\n";

/// Messages and helps.
fn said(source: &str) -> Vec<String> {
    let Read { config, findings } = read(source);
    assert_eq!(config.is_none(), findings.iter().any(|finding| finding.is_error()));
    let line = |finding: &crate::diagnostic::Finding| {
        let at = finding.at.clone().and_then(|at| source.get(at)).unwrap_or_default();
        format!("{} [{at}] {}", finding.message, finding.help.as_deref().unwrap_or_default())
    };
    findings.iter().map(line).collect()
}

#[test]
fn people_and_groups_are_kept_as_they_are_written() {
    let source = format!(
        "{GUARDS}[approvers.risk]\nstrength = 'terminal'\nself = 'allow'\nexpires = '5m'\n[approvers.oncall]\n\
         [people.ana]\nemail = 'Ana@corp.example'\nmay = ['apply', 'approve:finance', 'approve:oncall', 'view']\n\
         [people.bo]\nmay = ['approve:finance', 'approve:risk']\n"
    );
    let config = read(&source).config.unwrap();
    let risk =
        Approvers { expires: Duration::from_secs(300), strength: Strength::Terminal, own: OwnCalls::Allow };
    assert_eq!(config.approvers.values().collect::<Vec<_>>(), [&Approvers::default(), &risk]);
    assert_eq!(Approvers::default().strength, Strength::Passkey);
    assert_eq!(Approvers::default().own, OwnCalls::Deny);
    let [ana, bo] = config.people.values().collect::<Vec<_>>()[..] else { panic!("two people") };
    assert_eq!(ana.email.as_ref().unwrap().as_str(), "Ana@corp.example");
    let may: Vec<String> = ana.may.iter().map(Right::to_string).collect();
    assert_eq!(may, ["view", "approve:finance", "approve:oncall", "apply"]);
    assert_eq!((bo.email.as_ref(), bo.may.len()), (None, 2));
}

#[test]
fn what_a_person_may_not_be_is_said_with_what_was_meant() {
    for (people, want) in [
        ("[people.Ana]\nmay = ['view']", "the name `Ana` cannot be used [Ana] a person's name is 1 to 64"),
        (
            "[people.ana]\nmay = ['approve:onkall']",
            "unknown group `onkall` [approve:onkall] did you mean `oncall`?",
        ),
        ("[people.ana]\nmay = ['approve:zzz']", "unknown group `zzz` [approve:zzz] a group exists if"),
        ("[people.ana]\nmay = ['approve']", "`approve` names no group [approve] say for which"),
        ("[people.ana]\nmay = ['stpo']", "unknown right `stpo` [stpo] did you mean `stop`?"),
        ("[people.ana]\nmay = ['view', 'view']", "`may` lists `view` twice [view] "),
        (
            "[people.ana]\nmay = 'view'",
            "`may` must be a list of rights, not a text [view] write it as a list",
        ),
        ("[people.ana]\nmay = []", "person `ana` may do nothing ["),
        ("[people.ana]", "person `ana` may do nothing ["),
        (
            "[people.ana]\nemail = 'ana'\nmay = ['view']",
            "the `email` of `ana` cannot be used [ana] it has no `@`",
        ),
        ("[people.ana]\nemail = 'a@b@c.example'\nmay = ['view']", "the `email` of `ana` cannot be used ["),
        (
            "[people.ana]\nmail = 'a@b.example'\nmay = ['view']",
            "unknown key `mail` in `people.ana` [mail] did you mean `email`?",
        ),
        (
            "[people.ana]\nemail = 'a@b.example'\nmay = ['view']\n[people.bo]\nemail = 'A@B.example'\nmay = ['view']",
            "people `ana` and `bo` have the same `email` [A@B.example] one person must not count as two",
        ),
        ("[people]\nana = 1", "`ana` must be a table, not a whole number [1] "),
        ("people = []", "`people` must be a table, not a list [[]] "),
        (
            "[approvers.a]\nstrength = 'paskey'",
            "unknown word `paskey` for `strength` [paskey] did you mean `passkey`?",
        ),
        ("[approvers.a]\nself = true", "`self` must be a text, not a boolean [true] "),
        ("[approvers.a]\nself = 'maybe'", "unknown word `maybe` for `self` [maybe] it is one of deny, allow"),
    ] {
        let source = format!("{people}\n[agents.x]\nlevels = []\n[approvers.oncall]\n");
        let said = said(&source);
        assert!(matches!(&said[..], [one] if one.starts_with(want)), "{people}: {said:?}");
    }
}

#[test]
fn more_people_than_may_approve_are_asked_of_nobody_once_there_are_people() {
    let ana = "[people.ana]\nmay = ['approve:oncall', 'approve:finance']\n";
    let bo = "[people.bo]\nmay = ['approve:finance']\n";
    let budget = "[[budgets]]\nname = 'b'\nfor = 'all'\nper = 'day'\ncalls = 9\nover = 'approval:risk'\n";
    let test = "[servers.s]\ncommand = ['s']\ntools = { t = 'write' }\n[agents.x]\nlevels = ['write']\n\
                [[test]]\nname = 't'\nagent = 'x'\ntool = 's/t'\ndecision = 'ask'\ncontrols = ['approval:other:9']\n";
    for (people, want) in [
        (String::new(), vec![]),
        (format!("{ana}{bo}"), vec![]),
        // What a test expects asks nobody.
        (format!("{ana}{bo}{test}"), vec![]),
        (
            ana.to_owned(),
            vec!["2 people of `finance` are asked, and 1 may approve for it [approval:finance:2]"],
        ),
        (
            "[people.bo]\nmay = ['approve:finance', 'view']\n[people.cy]\nmay = ['approve:finance']\n"
                .to_owned(),
            vec![
                "nobody of this file may approve for `oncall` [approval:oncall]",
                "nobody of this file may approve for `oncall` [approval:oncall]",
            ],
        ),
        (format!("{ana}{bo}{budget}"), vec!["nobody of this file may approve for `risk` [approval:risk]"]),
        // Of people who cannot be read it is not known what they may.
        (format!("{ana}[people.bo]\nmay = ['aprove:finance']\n"), vec!["unknown right `aprove:finance`"]),
    ] {
        let said = said(&format!("{GUARDS}{people}"));
        let fits =
            said.len() == want.len() && said.iter().zip(&want).all(|(said, want)| said.starts_with(want));
        assert!(fits, "{people}: {said:?}");
    }
}
