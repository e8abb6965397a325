//! The examples: each file loads with nothing to say about it, and means what its README says.
//!
//! `placet.lock` is made of `tools.json`, which is what the example's servers offer. After a change of either run
//! this with `PLACET_WRITE_LOCKS=1`. Calls are judged here by their arguments alone; `cases/policy` has whole runs.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should say so and end")]

use std::{
    collections::BTreeSet,
    env, fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use placet::{
    config,
    lock::Lock,
    mcp::catalog::{Accepted, page},
};
use placet_engine::{
    cost::Amount,
    json::{Limits, parse, raw},
    names::Action,
    policy::{Judged, Seen},
    time::Timestamp,
    tool::Definition,
};

const EXAMPLES: [&str; 3] = ["support-desk", "coding-agent", "payments"];

fn folder(example: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples").join(example)
}

/// The lock of what the servers offer.
fn lock(example: &str) -> Lock {
    let text = fs::read_to_string(folder(example).join("tools.json")).unwrap();
    let mut lock = Lock::default();
    for member in raw::members(&text, &Limits::EDGE).unwrap() {
        let (entries, _) = page(&format!("{{\"tools\":{}}}", member.value)).unwrap();
        let accepted = entries.iter().map(|entry| {
            let json = parse(entry.as_bytes(), &Limits::EDGE).unwrap();
            Accepted { definition: Arc::new(Definition::read(&json).unwrap()), text: entry.as_str().into() }
        });
        let mut accepted: Vec<_> = accepted.collect();
        accepted.sort_by(|one, two| one.definition.name.cmp(&two.definition.name));
        lock.servers.insert(member.key.parse().unwrap(), accepted);
    }
    lock
}

#[test]
fn each_example_loads_and_there_is_nothing_to_say_about_it() {
    for example in EXAMPLES {
        let folder = folder(example);
        let written = folder.join("placet.lock");
        if env::var_os("PLACET_WRITE_LOCKS").is_some() {
            fs::write(&written, lock(example).write()).unwrap();
        }
        assert_eq!(fs::read_to_string(&written).unwrap(), lock(example).write(), "{example}");
        let loaded = config::load(&folder.join("placet.toml")).unwrap_or_else(|error| panic!("{}", error.0));
        assert_eq!(loaded.warnings, None, "{example}");
    }
}

/// The example, the agent, the tool, the arguments, what the session has seen, and what is said.
type Row<'a> = (&'a str, &'a str, &'a str, String, &'a [&'a str], &'a str);

/// A Friday, 10:00 in Berlin.
const MORNING: Timestamp = Timestamp(1_800_003_600_000_000);

#[test]
fn each_example_permits_and_refuses_what_its_readme_says() {
    let mail = |to: &str| format!(r#"{{"to":[{to}],"subject":"s","body":"b"}}"#);
    let refund = |amount: &str| format!(r#"{{"order":"a1","amount":{amount}}}"#);
    let pay = |iban: &str, currency: &str| {
        format!(r#"{{"invoice":"INV-000001","iban":"{iban}","currency":"{currency}","amount":10.5,"fee":0}}"#)
    };
    let run = |command: &str| format!(r#"{{"command":"{command}"}}"#);
    let table: &[Row] = &[
        ("support-desk", "support", "crm/refund", refund("100"), &[], "allow"),
        ("support-desk", "support", "crm/refund", refund("100.01"), &[], "approval:finance:2"),
        ("support-desk", "support", "crm/refund", refund("500.01"), &[], "denied"),
        ("support-desk", "supervisor", "crm/refund", refund("500.01"), &[], "approval:finance:2"),
        ("support-desk", "support", "crm/delete_user", r#"{"id":1}"#.to_owned(), &[], "not_granted"),
        ("support-desk", "supervisor", "crm/delete_user", r#"{"id":1}"#.to_owned(), &[], "approval:oncall"),
        ("support-desk", "support", "mail/send", mail(r#""ana@corp.example""#), &[], "allow"),
        ("support-desk", "support", "mail/send", mail(r#""eve@evil.example""#), &[], "denied"),
        ("support-desk", "support", "mail/send", mail(""), &[], "denied"),
        ("support-desk", "support", "mail/webhook", r#"{"event":"e"}"#.to_owned(), &[], "allow"),
        ("support-desk", "support", "mail/webhook", r#"{"event":"e"}"#.to_owned(), &["private"], "denied"),
        (
            "coding-agent",
            "coder",
            "files/write_file",
            r#"{"path":"src/a.rs","text":""}"#.to_owned(),
            &[],
            "allow",
        ),
        ("coding-agent", "coder", "files/read_file", r#"{"path":"/etc/passwd"}"#.to_owned(), &[], "denied"),
        ("coding-agent", "coder", "files/read_file", r#"{"path":".env"}"#.to_owned(), &[], "denied"),
        ("coding-agent", "coder", "files/read_file", r#"{"path":"a/../.env"}"#.to_owned(), &[], "fact_error"),
        ("coding-agent", "coder", "files/delete_file", r#"{"path":"a"}"#.to_owned(), &[], "approval:owner"),
        ("coding-agent", "coder", "shell/run", run("cargo test"), &[], "allow"),
        ("coding-agent", "coder", "shell/run", run("cargo test"), &["untrusted"], "approval:owner"),
        ("coding-agent", "coder", "shell/run", run("git push"), &[], "approval:owner"),
        ("coding-agent", "coder", "shell/run", run("git push --force"), &[], "denied"),
        ("coding-agent", "coder", "shell/run", run("ls; id"), &[], "fact_error"),
        ("coding-agent", "coder", "web/fetch", r#"{"url":"https://docs.rs/"}"#.to_owned(), &[], "allow"),
        ("coding-agent", "coder", "web/fetch", r#"{"url":"http://docs.rs/"}"#.to_owned(), &[], "denied"),
        ("payments", "clerk", "bank/balance", "{}".to_owned(), &[], "allow"),
        ("payments", "clerk", "bank/add_account", r#"{"iban":"x"}"#.to_owned(), &[], "denied"),
        (
            "payments",
            "clerk",
            "bank/transfer",
            pay("DE02120300000000202051", "EUR"),
            &[],
            "approval:finance:2",
        ),
        ("payments", "clerk", "bank/transfer", pay("DE02120300000000202051", "USD"), &[], "denied"),
        ("payments", "clerk", "bank/transfer", pay("DE99", "EUR"), &[], "denied"),
        ("payments", "clerk", "sandbox/transfer", pay("DE99", "USD"), &[], "allow"),
    ];
    for (example, agent, tool, arguments, labels, want) in table {
        let policy = config::load(&folder(example).join("placet.toml")).unwrap().policy;
        let action: Action = tool.parse().unwrap();
        let definition = lock(example).definition(&action).cloned().unwrap();
        let parsed = parse(arguments.as_bytes(), &Limits::EDGE).unwrap();
        definition.schema.check(&parsed).unwrap_or_else(|problem| panic!("{tool} {arguments}: {problem}"));
        let labels: BTreeSet<_> = labels.iter().map(|label| label.parse().unwrap()).collect();
        let seen = Seen {
            definition: &definition,
            arguments: &parsed,
            dry_run: false,
            now: MORNING,
            steps: 1,
            labels: &labels,
            cost: &|_| Ok(Amount::whole(10)),
        };
        let said = match policy.judge_call(&agent.parse().unwrap(), &action, &seen) {
            Judged::Granted { controls, .. } if controls.is_empty() => "allow".to_owned(),
            Judged::Granted { controls, .. } => {
                controls.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
            }
            Judged::Refused { reason, .. } => reason.code().as_str().to_owned(),
        };
        assert_eq!(said, *want, "{example}: {agent} {tool} {arguments}");
    }
}
