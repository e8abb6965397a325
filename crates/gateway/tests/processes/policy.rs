//! The policy, asked from the command line: what its tests say, why a call is refused, and what was not meant.

use std::{env, fs};

use placet_engine::json::{Json, Limits, parse};

use super::Home;

/// Rules over the spy's tools, and tests of which one is wrong.
const RULES: &str = r#"
[agents.desk]
levels = ["read", "write"]
[agents.intern]
levels = ["read"]
[guards]
"spy/write_it" = [
  { id = "cap", when = "args.amount > 500", forbid = "too much" },
  { id = "review", when = "args.amount > 100", require = "approval:oncall" },
]
[[test]]
name = "little goes through"
agent = "desk"
tool = "spy/write_it"
args = { amount = 5 }
decision = "allow"
[[test]]
name = "much is refused"
agent = "desk"
tool = "spy/write_it"
args = { amount = 500.5 }
decision = "deny"
code = "denied"
by = ["cap"]
"#;

const WRONG: &str = r#"
[[test]]
name = "the intern writes"
agent = "intern"
tool = "spy/write_it"
args = { amount = 5 }
decision = "allow"
"#;

/// A home with these rules and what the spy offered in its lock.
fn home(more: &str) -> Home {
    let home = Home::new();
    let file = home.path("config/placet/placet.toml");
    fs::remove_file(&file).unwrap();
    let offers = home.path("offers.json");
    let tool = |name: &str| {
        format!(
            "{{\"name\":\"{name}\",\"inputSchema\":{{\"type\":\"object\",\"required\":[\"amount\"],\"properties\":{{\"amount\":{{\"type\":\"number\"}}}}}}}}"
        )
    };
    fs::write(&offers, format!("{{\"tools\":[{},{}]}}", tool("read_it"), tool("write_it"))).unwrap();
    let (exe, log) = (env::current_exe().unwrap(), home.log());
    let command = [exe.to_str().unwrap(), "spy", log.to_str().unwrap(), offers.to_str().unwrap()];
    let arguments: Vec<&str> =
        ["init", "--server", "spy", "--client", "fresh", "--"].into_iter().chain(command).collect();
    let (exit, said) = home.run(&arguments);
    assert_eq!(exit, 0, "{said}");
    let server = format!(
        "[servers.spy]\ncommand = [\"{}\", \"spy\", \"{}\"]\n[servers.spy.tools]\nread_it = \"read\"\nwrite_it = \"write\"\n",
        exe.display(),
        log.display()
    );
    fs::write(&file, format!("{server}{RULES}{more}")).unwrap();
    home
}

pub(super) fn tests_in_the_file() {
    let good = home("");
    let (exit, said) = good.run(&["test"]);
    assert_eq!(
        (exit, said.as_str()),
        (0, "ok    little goes through\nok    much is refused\n2 passed, 0 failed\n")
    );
    assert_eq!(good.run(&["test", "--filter", "much"]).1, "ok    much is refused\n1 passed, 0 failed\n");
    assert_eq!(good.run(&["test", "--filter", "none of them"]).0, 8, "a run of no tests shows nothing");

    let wrong = home(WRONG);
    let (exit, said) = wrong.run(&["test"]);
    assert_eq!(exit, 8, "{said}");
    let failed = "FAIL  the intern writes (placet.toml:31)\n        decision: expected allow, got deny\n        \
                  why: action 'spy/write_it' is blocked by policy\n        by no rule\n2 passed, 1 failed\n";
    assert!(said.ends_with(failed), "{said}");
    let (exit, said) = wrong.run(&["test", "--json", "--filter", "intern"]);
    let told = parse(said.trim().as_bytes(), &Limits::EDGE).unwrap();
    assert_eq!(
        (exit, told.get("passed"), told.get("code").and_then(Json::as_str)),
        (8, Some(&Json::from(false)), Some("not_granted"))
    );

    // Without a lock nobody knows what the arguments are.
    fs::remove_file(good.path("config/placet/placet.lock")).unwrap();
    let (exit, said) = good.run(&["test"]);
    assert!(
        exit == 8 && said.contains("is not in placet.lock") && said.contains("0 passed, 2 failed"),
        "{said}"
    );

    assert_eq!(home("[[test]]\nname = \"half\"\n").run(&["test"]).0, 6);
}

pub(super) fn explained() {
    let home = home("");
    let (exit, said) = home.run(&["explain", "desk", "spy/write_it", "{\"amount\": 600}"]);
    assert_eq!(exit, 0, "{said}");
    for line in [
        "desk spy/write_it: deny denied\n",
        "decided by\n  placet.toml:13 guard `cap`: deny \"too much\" if args.amount > 500\n",
        "read\n  args.amount = 600\n",
        "  placet.toml:13: take out guard `cap` on line 13, or change its condition, or send other arguments\n    \
         then: ask approval:oncall\n    besides it opens: nothing\n",
    ] {
        assert!(said.contains(line), "{line}\n--\n{said}");
    }
    let (_, said) = home.run(&["explain", "intern", "spy/write_it", "{\"amount\": 5}"]);
    assert!(
        said.contains(
            "`agents.intern.allow` could name it, as in allow = [\"spy/write_it\"]\n    then: allow\n"
        ),
        "{said}"
    );
    let (_, said) = home.run(&["explain", "desk", "spy/write_it"]);
    assert!(said.starts_with("desk spy/write_it: allow, by condition\n"), "{said}");
    let (_, said) = home.run(&["explain", "desk", "spy/write_it", "{\"amount\": 600}", "--json"]);
    let told = parse(said.trim().as_bytes(), &Limits::EDGE).unwrap();
    assert_eq!(told.get("read").and_then(|read| read.get("args.amount")), Some(&Json::from(600)));
    // What an argument holds does not move the terminal.
    let (_, said) = home.run(&["explain", "desk", "spy/write_it", "{\"amount\": \"\u{202e}\\u001b[2J\"}"]);
    assert!(!said.contains('\u{202e}') && !said.contains('\u{1b}'), "{said:?}");
    assert_eq!(home.run(&["explain", "desk", "spy/write_it", "[1]"]).0, 2);
    assert!(!home.path("state/placet").exists(), "nothing is recorded");
}

pub(super) fn checked() {
    let home = home("[match.idle]\npath = \"args.amount\"\nis = { number = { above = 5 } }\n");
    let (exit, said) = home.run(&["check"]);
    assert_eq!(exit, 0, "{said}");
    assert!(said.contains("warning: no guard reads match `idle`\n"), "{said}");
    let row = said
        .lines()
        .find(|line| line.starts_with("desk") && line.contains("spy/write_it"))
        .unwrap_or_default();
    let shown = "allow, by condition: deny \"too much\" if args.amount > 500; ask approval:oncall if args.amount > 100";
    assert!(row.ends_with(shown), "{said}");
}
