//! Proofs from the command line: the examples keep their invariants, a hole is shown with a call, two files are
//! compared, and what nobody has proved is never called proved.
//!
//! All but the last need the solver. Where it is missing they fail and name the package: a proof that is left out is
//! no proof.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should say so and end")]

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use placet::config;
use placet_engine::json::{Json, Limits, parse};
use placet_prove::{Effort, Proof};

const EXAMPLES: [&str; 3] = ["support-desk", "coding-agent", "payments"];

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples")
}

/// A copy of an example, with its lock, in which one text stands in place of another.
struct Copied(tempfile::TempDir);

impl Copied {
    fn of(example: &str, change: (&str, &str)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let from = examples().join(example);
        fs::copy(from.join("placet.lock"), folder.path().join("placet.lock")).unwrap();
        let text = fs::read_to_string(from.join("placet.toml")).unwrap();
        assert!(text.contains(change.0), "{example} has no `{}`", change.0);
        fs::write(folder.path().join("placet.toml"), text.replace(change.0, change.1)).unwrap();
        Self(folder)
    }

    fn file(&self) -> PathBuf {
        self.0.path().join("placet.toml")
    }
}

fn placet(arguments: &[&str], solver: Option<&str>) -> (i32, String) {
    let home = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_placet"));
    command.args(arguments).env("HOME", home.path()).env("XDG_RUNTIME_DIR", home.path());
    if let Some(solver) = solver {
        command.env("CVC5", solver);
    }
    let output = command.output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap();
    (output.status.code().unwrap(), said)
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn each_example_keeps_its_invariants() {
    for example in EXAMPLES {
        let loaded = config::load(&examples().join(example).join("placet.toml")).unwrap();
        let proofs = loaded.prove(&Effort::default());
        assert!(proofs.verdicts.len() >= 4, "{example}");
        for verdict in &proofs.verdicts {
            let doubts: Vec<String> =
                verdict.unproved.iter().map(|unproved| unproved.doubt.to_string()).collect();
            assert_eq!(
                verdict.proof(),
                Proof::Proved,
                "{example}: `{}`: {doubts:?} {:?}",
                verdict.name,
                verdict.refuted
            );
            assert!(verdict.pairs > 0, "{example}: `{}` is about nothing", verdict.name);
        }
        assert!(loaded.invariants_hold(&Effort::default()).is_ok(), "{example}");
    }
}

#[test]
fn a_rule_that_is_lost_is_told_with_the_call_that_gets_through() {
    for (example, change, invariant, call) in [
        (
            "support-desk",
            ("delete = \"approval:oncall\"", "read = \"approval:oncall\""),
            "nobody is deleted without a person's yes",
            "supervisor crm/delete_user {\"id\":",
        ),
        (
            "support-desk",
            ("when = \"args.amount > 100\", require", "when = \"args.amount > 200\", require"),
            "large refunds need two people of finance",
            "crm/refund {\"",
        ),
        (
            "payments",
            (
                "{ id = \"known account\", when = \"!matches.known_account\", forbid = \"only to accounts of the list\" },",
                "",
            ),
            "only to known accounts",
            "clerk bank/transfer {\"",
        ),
        (
            "coding-agent",
            (
                "'session.labels.contains(\"untrusted\")', require = \"approval:owner\" },",
                "'session.labels.contains(\"other\")', require = \"approval:owner\" },",
            ),
            "what read the web runs nothing by itself",
            "coder shell/run {\"command\":\"",
        ),
    ] {
        let copied = Copied::of(example, change);
        let file = copied.file();
        let (exit, said) = placet(&["prove", "--config", text(&file)], None);
        assert_eq!(exit, 8, "{example}: {said}");
        assert!(said.contains(&format!("refuted     {invariant} (placet.toml:")), "{example}: {said}");
        assert!(said.contains(call), "{example}: {said}");
        assert!(said.contains(" 1 refuted, 0 not proved"), "{example}: {said}");
        let (exit, said) = placet(&["check", "--config", text(&file)], None);
        assert!(exit == 8 && said.contains(&format!("error: invariant refuted {invariant}")), "{said}");
        // The call is one that the engine lets through when it is asked again.
        let (_, said) = placet(&["prove", "--config", text(&file), "--json"], None);
        let refuted = said.lines().map(|line| parse(line.as_bytes(), &Limits::EDGE).unwrap());
        let refuted = refuted.filter(|told| told.get("proof").and_then(Json::as_str) == Some("refuted"));
        for told in refuted {
            for call in told.get("calls").and_then(Json::as_array).unwrap() {
                let word = |key: &str| call.get(key).and_then(Json::as_str).unwrap().to_owned();
                let arguments = call.get("args").unwrap().compact();
                let labels = call.get("session").unwrap().get("labels").and_then(Json::as_array).unwrap();
                let labels: Vec<String> =
                    labels.iter().map(|label| label.as_str().unwrap().to_owned()).collect();
                let mut words = vec![
                    "explain".to_owned(),
                    word("agent"),
                    word("tool"),
                    arguments,
                    "--at".to_owned(),
                    word("at"),
                ];
                words.extend(labels.into_iter().flat_map(|label| ["--label".to_owned(), label]));
                words.extend(["--config".to_owned(), text(&file).to_owned()]);
                let words: Vec<&str> = words.iter().map(String::as_str).collect();
                let (_, said) = placet(&words, None);
                let first = said.lines().next().unwrap_or_default().to_owned();
                assert!(first.contains(": allow") || first.contains(": ask"), "{example}: {said}");
            }
        }
    }
}

#[test]
fn two_files_are_compared_by_what_they_permit() {
    let same = Copied::of("payments", ("# Payments", "# Money"));
    let example = examples().join("payments/placet.toml");
    let (exit, said) = placet(&["diff", text(&example), text(&same.file())], None);
    assert_eq!(exit, 0, "{said}");
    let wider = Copied::of("support-desk", ("args.amount > 500\", forbid", "args.amount > 600\", forbid"));
    let example = examples().join("support-desk/placet.toml");
    let (exit, said) = placet(&["diff", text(&example), text(&wider.file())], None);
    assert_eq!(exit, 9, "{said}");
    assert!(
        said.contains("newly permitted    support crm/refund\n    support crm/refund {\"amount\":"),
        "{said}"
    );
    assert!(said.contains("before: deny denied; after: ask approval:finance"), "{said}");
    let (exit, said) = placet(&["diff", text(&wider.file()), text(&example), "--json"], None);
    let first = parse(said.lines().next().unwrap().as_bytes(), &Limits::EDGE).unwrap();
    assert_eq!((exit, first.get("change").and_then(Json::as_str)), (9, Some("denied")), "{said}");
    let (exit, _) = placet(&["diff", text(&example), "/nowhere/placet.toml"], None);
    assert_eq!(exit, 6);
}

#[test]
fn an_invariant_whose_condition_means_nothing_over_its_tool_does_not_load() {
    let copied =
        Copied::of("payments", ("when = \"!matches.known_account\" }", "when = \"args.acount > 5\" }"));
    let (exit, said) = placet(&["prove", "--config", text(&copied.file())], None);
    assert_eq!(exit, 6, "{said}");
    assert!(said.contains("`args.acount` is not declared by this tool"), "{said}");
}

#[test]
fn without_the_solver_nothing_is_proved_and_a_file_is_checked_all_the_same() {
    let file = examples().join("payments/placet.toml");
    let (exit, said) = placet(&["prove", "--config", text(&file)], Some("/nowhere/cvc5"));
    assert_eq!(exit, 8, "{said}");
    assert!(said.contains("the package `cvc5`"), "{said}");
    assert!(said.contains("0 proved, 0 refuted, 4 not proved"), "{said}");
    let (exit, said) = placet(&["check", "--config", text(&file)], Some("/nowhere/cvc5"));
    assert_eq!(exit, 0, "{said}");
    assert!(said.contains("warning: invariant not proved four eyes for all money that leaves"), "{said}");
    // A file that changes what a condition says cannot be compared.
    let wider = Copied::of("payments", ("call.cost.eur > 10000", "call.cost.eur > 20000"));
    let (exit, said) = placet(&["diff", text(&file), text(&wider.file())], Some("/nowhere/cvc5"));
    assert!(exit == 8 && said.contains("the package `cvc5`"), "{said}");
}
