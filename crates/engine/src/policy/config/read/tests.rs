//! Reading a file: what it means, and that no text makes the reader panic.

mod invariants;
mod matches;
mod mistakes;
mod policy_tests;
mod terms;

use super::super::terms::{
    BudgetScope, Durability, Flush, Key, Measure, Once, Over, Payloads, Reconcile, SessionTerms, Tool,
    TripCount,
};
use super::{super::*, *};
use crate::{
    cost::{Amount, Path},
    diagnostic::render,
    level::Level,
    names::{AgentName, ClientName, Label, ServerName, ToolName, Unit},
    window::{Calendar, Window, Zone},
};
use proptest::prelude::*;
use std::{collections::BTreeSet, time::Duration};

/// What follows every mistake of the table.
const REST: &str = r#"
[servers.crm]
command = ["python", "crm_server.py"]
[servers.crm.tools]
refund = "write"
read_user = "read"
export_report = "execute"
[clients.desktop]
credential = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
agent = "support"
servers = ["crm"]
[agents.support]
team = "helpdesk"
levels = ["read"]
"#;

fn assert_found(rows: &[(&str, &str)]) {
    for (mistake, want) in rows {
        let source = format!("{mistake}{REST}");
        let Read { config, findings } = read(&source);
        assert_eq!(render(&findings, "placet.toml", &source), *want, "{mistake}");
        assert_eq!(config.is_none(), findings.iter().any(Finding::is_error), "{mistake}");
    }
}

fn shown(source: &str) -> String {
    render(&read(source).findings, "placet.toml", source)
}

fn good(source: &str) -> Config {
    let Read { config, findings } = read(source);
    assert_eq!(findings, [], "{}", shown(source));
    config.unwrap()
}

/// One of everything.
const FULL: &str = r#"
version = 1
tenant = "default"
state = "/var/lib/placet"

[servers.crm]
command = ["python", "crm_server.py"]
env = { CRM_TOKEN = "${file:/run/secrets/crm}", GREETING = "$${x} ${env:USER}" }
cwd = "client"
requests = ["roots", "elicitation"]
meta = ["acme/tenant"]
resources = ["file:///srv/docs/**"]
integers = "safe"
trusted = true
[servers.crm.tools]
read_user = "read"
refund = { level = "write" }
"repo/delete" = "delete"
get_refund = { level = "read", result_max = "1 MiB", deadline = "30s" }
secrets = { level = "read", canary = true, labels = ["bait", "pii"], repeat = true, once = "derived" }
send = { level = "execute", cost = { usd = "len(args.to) * 0.02", recipients = "len(args.to)" }, once = "required" }
[servers.crm.tools.pay]
level = "write"
cost = { usd = "args.amount + 0.10" }
actual = { usd = "result.charged" }
once = { by = ["args.invoice_id"], within = "90d", forward = "key", reconcile = { tool = "get_refund", args = { id = "args.order_id" }, happened = "result.found" } }

[servers.staging]
command = ["staging"]
cwd = "/srv/staging"
tools = { deploy = "execute" }

[clients.desktop]
credential = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
agent = "support"
servers = ["crm", "staging"]
sessions = true

[agents.support]
team = "helpdesk"
levels = ["write", "read"]
allow = ["staging/deploy", "crm/re*"]
deny = ["crm/repo/*"]
disclose = "full"
[agents.ops]
levels = []
allow = ["app/clock"]

[guards]
delete = "approval:oncall"
"crm/refund" = [
  { id = "big refund", for = { team = "helpdesk" }, require = ["approval:finance:2", "approval:risk:1:passkey"] },
  { for = { agent = "ops" }, when = "args.amount > 500", forbid = "ops does not refund" },
]
"*/*" = { level = ["write", "execute"], require = "approval:oncall:session" }

[approvers.oncall]
expires = "30m"
[approvers.finance]

[[budgets]]
name = "support day"
for = { agent = "support" }
per = "day"
zone = "Europe/Lisbon"
spend = "500.00 usd"
over = "approval:finance"
warn = [50, 80]
unpriced = "deny"
[[budgets]]
name = "each run"
for = { agent = "*" }
per = "session"
calls = 200
[[budgets]]
name = "each agent's day"
for = { agent = "*" }
per = "24h"
calls = 2000
warn = []
[[budgets]]
name = "results"
for = "all"
per = "total"
bytes = "10 GiB"
over = "deny"
[[budgets]]
name = "mails"
for = { tool = "crm/send*" }
per = "minute"
recipients = 50
unpriced = "free"

[[trips]]
name = "refused too often"
denials = 20
within = "10m"
[[trips]]
name = "spends too fast"
agent = "support"
spend = "100.50 usd"
within = "1h"

[session]
idle = "10m"
max = "8h"

[durability]
reads = "wait"
write = "os"
execute = "flush"

[payloads]
key = "${file:/run/secrets/payloads}"
old = ["${env:OLD_KEY}", "${file:/run/secrets/older}"]

[fail]
store = { read = "deny", write = "deny" }
clock.delete = "deny"
"#;

#[test]
fn everything_that_can_be_said_is_read() {
    let config = good(FULL);
    assert_eq!(config.state.as_deref(), Some("/var/lib/placet"));

    let crm = &config.servers[&"crm".parse::<ServerName>().unwrap()];
    assert_eq!(crm.launch.command, ["python", "crm_server.py"]);
    assert_eq!(crm.launch.env["CRM_TOKEN"].parts(), [Part::File("/run/secrets/crm".into())]);
    let greeting = [Part::Literal("${x} ".into()), Part::Env("USER".into())];
    assert_eq!(crm.launch.env["GREETING"].parts(), greeting);
    assert_eq!(crm.launch.cwd, Cwd::Client);
    assert_eq!(crm.requests, BTreeSet::from([ServerRequest::Elicitation, ServerRequest::Roots]));
    assert_eq!(crm.meta, ["acme/tenant"]);
    assert_eq!(crm.resources.as_deref(), Some(&["file:///srv/docs/**".to_owned()][..]));
    assert_eq!(crm.integers, Integers::Safe);
    assert_eq!((crm.line, crm.trusted), (6, true));
    let tools: Vec<_> = crm.tools.iter().map(|(tool, at)| (tool.as_str(), at.value.level, at.line)).collect();
    let want = [
        ("get_refund", Level::Read, 19),
        ("pay", Level::Write, 22),
        ("read_user", Level::Read, 16),
        ("refund", Level::Write, 17),
        ("repo/delete", Level::Delete, 18),
        ("secrets", Level::Read, 20),
        ("send", Level::Execute, 21),
    ];
    assert_eq!(tools, want);

    let staging = &config.servers[&"staging".parse::<ServerName>().unwrap()];
    assert_eq!(staging.launch.cwd, Cwd::Path("/srv/staging".into()));
    assert_eq!((&staging.resources, staging.integers), (&None, Integers::Exact));

    let desktop = &config.clients[&"desktop".parse::<ClientName>().unwrap()];
    assert_eq!(desktop.agent.as_str(), "support");
    assert_eq!(desktop.credential.0[..3], [0x01, 0x23, 0x45]);
    assert_eq!((desktop.servers.len(), desktop.sessions), (2, true));

    let support = &config.agents[&"support".parse::<AgentName>().unwrap()];
    assert_eq!(support.levels, LevelSet::of([Level::Read, Level::Write]));
    assert_eq!(support.allow[1].value.to_string(), "crm/re*");
    assert_eq!((support.allow[1].line, support.deny[0].line, support.line), (42, 43, 39));
    assert_eq!(support.disclose, Disclose::Full);

    let team = Scope::Team("helpdesk".parse().unwrap());
    let agent = Scope::Agent("ops".parse().unwrap());
    let approval =
        |group: &str, votes, strength| Control::Approval { group: group.parse().unwrap(), votes, strength };
    let guards: Vec<_> = config.guards.iter().map(|guard| (guard.scope.to_string(), guard.line)).collect();
    let scopes = [("delete", 50), ("crm/refund", 52), ("crm/refund", 53), ("*/*", 55)];
    assert_eq!(guards, scopes.map(|(scope, line)| (scope.to_owned(), line)));
    let [delete, refund, ops, both] = &config.guards[..] else { panic!("four guards") };
    assert_eq!(delete.effect, GuardEffect::Require(vec![approval("oncall", 1, None)]));
    assert_eq!((refund.id.as_deref(), &refund.applies_to), (Some("big refund"), &Some(team)));
    let two = vec![approval("finance", 2, None), approval("risk", 1, Some(Strength::Passkey))];
    assert_eq!(refund.effect, GuardEffect::Require(two));
    assert_eq!(ops.when.as_ref().map(|when| when.text()), Some("args.amount > 500"));
    assert_eq!(refund.when, None);
    assert_eq!(
        (&ops.applies_to, &ops.effect),
        (&Some(agent), &GuardEffect::Forbid("ops does not refund".into()))
    );
    assert_eq!(both.levels, Some(LevelSet::of([Level::Write, Level::Execute])));

    let expires: Vec<_> = config.approvers.values().map(|group| group.expires.as_secs()).collect();
    assert_eq!(expires, [3600, 1800], "finance, oncall");
}

#[test]
fn the_terms_of_a_tool_are_read() {
    let config = good(FULL);
    let crm = &config.servers[&"crm".parse::<ServerName>().unwrap()];
    let tool = |name: &str| &crm.tools[&name.parse::<ToolName>().unwrap()].value;
    let path = |text: &str| text.parse::<Path>().unwrap();

    assert_eq!(*tool("refund"), Tool::from(Level::Write));
    let limited = Tool { result_max: 1 << 20, deadline: Duration::from_secs(30), ..Tool::from(Level::Read) };
    assert_eq!(*tool("get_refund"), limited);
    let bait = tool("secrets");
    assert!(bait.canary && bait.repeat);
    assert_eq!(bait.labels.iter().map(Label::as_str).collect::<Vec<_>>(), ["bait", "pii"]);
    assert_eq!((&bait.once.by, bait.once.within), (&Key::Derived, Once::DERIVED_WITHIN));
    let send = tool("send");
    let costs: Vec<_> = send.cost.iter().map(|(unit, cost)| format!("{unit}: {cost}")).collect();
    assert_eq!(costs, ["recipients: len(args.to)", "usd: len(args.to) * 0.02"]);
    assert_eq!((&send.once.by, send.once.within), (&Key::Required, Once::WITHIN));
    let pay = tool("pay");
    assert_eq!(pay.cost.values().next().unwrap().to_string(), "args.amount + 0.1");
    assert_eq!(pay.actual.values().collect::<Vec<_>>(), [&path("result.charged")]);
    let reconcile = Reconcile {
        tool: "get_refund".parse().unwrap(),
        arguments: [("id".to_owned(), path("args.order_id"))].into(),
        happened: path("result.found"),
    };
    let once = Once {
        by: Key::By(vec![path("args.invoice_id")]),
        within: Duration::from_secs(90 * 24 * 60 * 60),
        forward: Some("key".to_owned()),
        reconcile: Some(reconcile),
    };
    assert_eq!(pay.once, once);
}

#[test]
fn budgets_and_trips_are_read() {
    let config = good(FULL);
    let usd: Unit = "usd".parse().unwrap();
    let [day, run, each, results, mails] = &config.budgets[..] else { panic!("five budgets") };
    assert_eq!(
        (day.name.as_str(), day.scope.to_string(), day.line),
        ("support day", "agent:support".into(), 61)
    );
    assert_eq!(day.per, Window::Fixed(Calendar::Day, "Europe/Lisbon".parse().unwrap()));
    assert_eq!((&day.measure, day.cap), (&Measure::Cost(usd.clone()), Amount::whole(500)));
    assert_eq!(day.over, Over::Ask("approval:finance".parse().unwrap()));
    assert_eq!((&day.warn[..], day.unpriced_denied), (&[50, 80][..], true));
    assert_eq!(
        (&run.scope, &run.per, &run.warn[..]),
        (&BudgetScope::Agent(None), &Window::Session, &[80][..])
    );
    assert_eq!((&run.measure, run.cap, &run.over), (&Measure::Calls, Amount::whole(200), &Over::Deny));
    assert_eq!((&each.per, &each.warn[..]), (&Window::Rolling(Duration::from_secs(86_400)), &[][..]));
    assert_eq!((&results.scope, &results.per), (&BudgetScope::All, &Window::Total));
    assert_eq!((&results.measure, results.cap), (&Measure::Bytes, Amount::whole(10 << 30)));
    assert_eq!(mails.scope.to_string(), "tool:crm/send*");
    assert_eq!(mails.per, Window::Fixed(Calendar::Minute, Zone::default()));
    assert_eq!((mails.measure.to_string(), mails.cap), ("recipients".to_owned(), Amount::whole(50)));

    let [refused, fast] = &config.trips[..] else { panic!("two trips") };
    assert_eq!(
        (&refused.agent, &refused.counts, refused.at),
        (&None, &TripCount::Denials, Amount::whole(20))
    );
    assert_eq!(refused.within, Duration::from_secs(600));
    assert_eq!(fast.agent.as_ref().map(AgentName::as_str), Some("support"));
    assert_eq!((&fast.counts, fast.at), (&TripCount::Spend(usd), Amount(100_500_000)));

    let session = SessionTerms { idle: Duration::from_secs(600), max: Duration::from_secs(8 * 3600) };
    assert_eq!(config.session, session);
    let durability = Durability { reads_wait: true, write: Flush::System, ..Durability::default() };
    assert_eq!(config.durability, durability);
    let text = |text: &str| text.parse::<Text>().unwrap();
    let old = vec![text("${env:OLD_KEY}"), text("${file:/run/secrets/older}")];
    assert_eq!(config.payloads, Some(Payloads { key: text("${file:/run/secrets/payloads}"), old }));
}

#[test]
fn every_scope_window_and_measure_has_its_words() {
    let budget = |line: &str| {
        let defaults = [("for", "for = 'all'"), ("per", "per = 'day'"), ("calls", "calls = 1")];
        let key = line.split(' ').next().unwrap();
        let rest: Vec<&str> = defaults
            .iter()
            .filter(|(default, _)| *default != key && (*default != "calls" || matches!(key, "for" | "per")))
            .map(|(_, line)| *line)
            .collect();
        let tool = "[servers.crm.tools.pay]\nlevel = 'write'\n\
                    cost = { usd = '1', tokens = '1', recipients = '1', rows = '1', minutes = '1' }\n";
        let source = format!("{REST}{tool}[[budgets]]\nname = 'b'\n{line}\n{}", rest.join("\n"));
        good(&source).budgets.remove(0)
    };
    for (line, scope) in [
        ("for = 'all'", "all"),
        ("for = { agent = 'support' }", "agent:support"),
        ("for = { agent = '*' }", "agent:*"),
        ("for = { team = 'helpdesk' }", "team:helpdesk"),
        ("for = { team = '*' }", "team:*"),
        ("for = { client = 'desktop' }", "client:desktop"),
        ("for = { client = '*' }", "client:*"),
        ("for = { server = 'crm' }", "server:crm"),
        ("for = { server = '*' }", "server:*"),
        ("for = { tool = 'crm/re*' }", "tool:crm/re*"),
        ("for = { tool = 'app/*' }", "tool:app/*"),
    ] {
        assert_eq!(budget(line).scope.to_string(), scope, "{line}");
    }
    let fixed = |calendar| Window::Fixed(calendar, Zone::default());
    for (line, window) in [
        ("per = 'session'", Window::Session),
        ("per = 'minute'", fixed(Calendar::Minute)),
        ("per = 'hour'", fixed(Calendar::Hour)),
        ("per = 'day'", fixed(Calendar::Day)),
        ("per = 'week'", fixed(Calendar::Week)),
        ("per = 'month'", fixed(Calendar::Month)),
        ("per = 'total'", Window::Total),
        ("per = '1m'", Window::Rolling(Duration::from_secs(60))),
        ("per = '90m'", Window::Rolling(Duration::from_secs(5400))),
        ("per = '365d'", Window::Rolling(Duration::from_secs(365 * 86_400))),
        ("per = 'day'\nzone = 'UTC'", fixed(Calendar::Day)),
        (
            "per = 'day'\nzone = 'Asia/Kathmandu'",
            Window::Fixed(Calendar::Day, "Asia/Kathmandu".parse().unwrap()),
        ),
    ] {
        assert_eq!(budget(line).per, window, "{line}");
    }
    for (line, measure, cap) in [
        ("spend = '0.5 usd'", "usd", "0.5"),
        ("spend = '500.00 usd'", "usd", "500"),
        ("spend = '30 minutes'", "minutes", "30"),
        ("spend = '100000 tokens'", "tokens", "100000"),
        ("tokens = 100_000", "tokens", "100000"),
        ("recipients = 50", "recipients", "50"),
        ("rows = 1", "rows", "1"),
        ("calls = 50", "calls", "50"),
        ("errors = 5", "errors", "5"),
        ("bytes = '1 MiB'", "bytes", "1048576"),
        ("bytes = '512B'", "bytes", "512"),
        ("time = '2h'", "seconds", "7200"),
    ] {
        let budget = budget(line);
        assert_eq!(
            (budget.measure.to_string(), budget.cap.to_string()),
            (measure.to_owned(), cap.to_owned()),
            "{line}"
        );
    }
}

#[test]
fn an_empty_file_lets_nothing_happen() {
    assert_eq!(good(""), Config::default());
    assert_eq!(good("# nothing\r\n[servers]\r\n[guards]\r\n"), Config::default());
    assert_eq!(good("\u{feff}version = 1"), Config::default());
}

#[test]
fn one_thing_written_in_different_ways_is_read_as_one() {
    let plain = good(&format!("{REST}[guards]\n\"crm/*\" = {{ forbid = \"no\" }}"));
    for guards in [
        "[[guards.\"crm/*\"]]\nforbid = 'no'",
        "[guards.\"crm/*\"]\nforbid = \"\"\"no\"\"\"",
        "[guards]\n'crm/*' = [{ forbid = \"n\\u006f\" }]",
        "[guards]\n'crm/*'.forbid = 'no'",
    ] {
        assert_eq!(good(&format!("{REST}{guards}")), plain, "{guards}");
    }
}

#[test]
fn all_mistakes_are_found_at_once() {
    let source = r#"
include = []
stat = "/var/lib/placet"
[servers.crm]
command = "crm"
tools = { refund = "wrte", delete_user = "delete" }
[servers.Mail]
command = ["mail"]
[clients.desktop]
credential = "sha256:00"
agent = "suport"
servers = ["crm", "mial"]
[agents.support]
levels = ["read", 7]
allow = ["crm/refnd", "crm/export_*"]
[guards]
delte = "approval:oncall"
"crm/refund" = { when = "args.amount >> 100", require = "confirm" }
"#;
    let Read { config, findings } = read(source);
    assert_eq!(config, None);
    let messages: Vec<&str> = findings.iter().map(|finding| finding.message.as_str()).collect();
    assert_eq!(
        messages,
        [
            "`include` is not built yet in this version",
            "unknown key `stat`",
            "`command` must be a list of texts, not a text",
            "unknown level `wrte`",
            "the name `Mail` cannot be used",
            "the `credential` of client `desktop`, on line 10, is not a digest",
            "unknown agent `suport`",
            "unknown server `mial`",
            "`levels` must be a list of levels, not a whole number",
            "tool `crm/refnd` is not in the catalogue",
            "pattern `crm/export_*` matches no tool of this file",
            "the guard's key `delte` is neither a level nor a pattern",
            "a value, as in `args.amount`, is expected where `>` stands",
            "control `confirm` is not built yet in this version",
        ]
    );
}

#[test]
fn what_is_not_built_yet_is_not_called_unknown() {
    let server = "[servers.erp]\ncommand = [\"erp\"]\n";
    let digest = "ab".repeat(32);
    let client =
        format!("[clients.c]\ncredential = \"sha256:{digest}\"\nagent = \"support\"\nservers = []\n");
    for (table, keys) in [
        ("", keys::TOP.unbuilt),
        (server, keys::SERVER.unbuilt),
        (&format!("{server}[servers.erp.tools.list]\nlevel = \"read\"\n"), keys::TOOL.unbuilt),
        (&client, keys::CLIENT.unbuilt),
        ("[agents.bot]\n", keys::AGENT.unbuilt),
        ("[guards.delete]\nforbid = \"no\"\n", keys::GUARD.unbuilt),
    ] {
        for (key, until_then) in keys {
            let source = format!("{table}{key} = true\n{REST}");
            let findings = read(&source).findings;
            let [finding] = &findings[..] else { panic!("{key}: {}", shown(&source)) };
            assert_eq!(finding.message, format!("`{key}` is not built yet in this version"));
            assert_eq!(finding.help.as_deref(), Some(*until_then));
            assert!(finding.is_error());
        }
    }
}

#[test]
fn one_mistake_is_one_finding_however_often_its_table_is_named() {
    for mistake in [
        "[servers.erp]\ncommand = 5\ntools = { list = \"read\" }",
        "[servers.erp]\ncommand = [\"erp\"]\ntools = { list = \"raed\" }",
        "[servers.erp]\ncommand = [\"erp\"]\ntools = \"list\"",
        "[servers]\nerp = \"erp\"",
        "[servers.erp]\ncommand = [\"erp\"]\nspeed = 9\ntools = { list = \"read\" }",
    ] {
        let source = format!(
            "{mistake}\n[clients.c]\ncredential = \"sha256:{}\"\nagent = \"bot\"\nservers = [\"erp\"]\n\
             [agents.bot]\nteam = \"crew\"\nallow = [\"erp/list\", \"erp/*\"]\ndeny = [\"erp/l*\"]\n\
             [guards]\n\"erp/list\" = {{ for = {{ team = \"crew\" }}, forbid = \"no\" }}\n",
            "ab".repeat(32)
        );
        assert_eq!(read(&source).findings.len(), 1, "{}", shown(&source));
    }
    for mistake in ["[agents]\nbot = 5", "[agents.bot]\nteam = 5", "[agents.bot]\nspeed = 5\nteam = \"crew\""]
    {
        let source =
            format!("{mistake}\n[guards]\ndelete = {{ for = {{ team = \"crew\" }}, forbid = \"no\" }}\n");
        assert_eq!(read(&source).findings.len(), 1, "{}", shown(&source));
    }
}

#[test]
fn a_guard_that_cannot_be_read_does_not_become_a_guard_for_all() {
    for guard in ["for = { agent = 'nobody' }", "when = 'args.amount > '", "when = 5", "when = ''"] {
        let mut reader = Reader::new("");
        let document = Document::parse(format!("delete = {{ {guard}, forbid = 'no' }}")).unwrap();
        let root = Node::of(document.as_item()).as_table().unwrap();
        let table = reader.fields_of(root, "", &keys::Keys { known: &["delete"], unbuilt: &[] });
        assert_eq!(reader.guards(&[table.get("delete").unwrap()], &Known::of(root)), [], "{guard}");
        assert!(reader.has_errors(), "{guard}");
    }
}

#[test]
fn no_finding_shows_what_may_be_a_secret() {
    let source = r#"
[servers.crm]
command = ["crm"]
env = { API_KEY = "hunter2-hunter2", PORT = "8080-8080", KEY = "short", MY_TOKEN = "${env:MY_TOKEN}", "db.password" = 'hunter2-hunter2' }
[clients.desktop]
credential = "hunter2-hunter2"
agent = "support"
servers = ["crm"]
[agents.support]
"#;
    assert_eq!(
        shown(source),
        "\
warning: `API_KEY` of server `crm`, on line 4, looks like a secret
help: keep it in a file, and write `API_KEY = \"${file:/run/secrets/crm}\"`

warning: `db.password` of server `crm`, on line 4, looks like a secret
help: keep it in a file, and write `db.password = \"${file:/run/secrets/crm}\"`

error: the `credential` of client `desktop`, on line 6, is not a digest
help: it is `sha256:` and 64 hexadecimal digits; `placet init` makes one
"
    );
}

#[test]
fn a_key_of_payloads_is_a_reference_and_whatever_else_stands_there_is_not_shown() {
    for (line, wanted) in [
        (
            "key = \"hunter2-hunter2\"",
            "\
error: `key` of `payloads`, on line 2, is not a reference to a key
help: keep it in a file that only you can read, and write `\"${file:/run/secrets/payloads}\"`
",
        ),
        (
            "key = \"hunter2${env:KEY}\"",
            "\
error: `key` of `payloads`, on line 2, is not a reference to a key
help: keep it in a file that only you can read, and write `\"${file:/run/secrets/payloads}\"`
",
        ),
        (
            "key = \"${exec:pass show hunter2}\"",
            "\
error: `key` of `payloads`, on line 2, asks a program for the key, which is not built yet in this version
help: keep it in a file that only you can read, and write `\"${file:/run/secrets/payloads}\"`
",
        ),
        (
            "key = \"${file:hunter2}\"",
            "\
error: `key` of `payloads`, on line 2, is not a reference that can be read
help: write the whole path, as in `${file:/run/secrets/crm}`
",
        ),
        (
            "key = \"${env:KEY}\"\nold = [\"${env:OLD}\", \"hunter2-hunter2\"]",
            "\
error: `old` of `payloads`, on line 3, is not a reference to a key
help: keep it in a file that only you can read, and write `\"${file:/run/secrets/payloads}\"`
",
        ),
        (
            "key = [\"hunter2\"]\nold = \"hunter2\"",
            "\
error: `key` of `payloads`, on line 2, is not a reference to a key
help: keep it in a file that only you can read, and write `\"${file:/run/secrets/payloads}\"`

error: `old` of `payloads`, on line 3, is not a list of references
help: keep it in a file that only you can read, and write `\"${file:/run/secrets/payloads}\"`
",
        ),
        (
            "old = [\"${env:OLD}\"]",
            "\
error: `payloads` names no `key` to encrypt under
  ╭─[placet.toml:1:1]
1 │ [payloads]
  · ────┬─────  help: keep it in a file that only you can read, and write `\"${file:/run/secrets/payloads}\"`
",
        ),
    ] {
        assert_eq!(shown(&format!("[payloads]\n{line}\n")), wanted, "{line}");
    }
}

#[test]
fn a_warning_does_not_stop_the_file() {
    let source = format!("{REST}deny = [\"crm/pay_*\"]");
    let Read { config, findings } = read(&source);
    assert_eq!(config.unwrap().agents.values().next().unwrap().deny.len(), 1);
    assert_eq!(findings.len(), 1);
}

#[test]
fn lengths_of_time_have_a_number_and_a_unit() {
    for (text, seconds) in [
        ("90s", Some(90)),
        ("30m", Some(1800)),
        ("1h", Some(3600)),
        ("7d", Some(604_800)),
        ("007d", Some(604_800)),
        ("365d", Some(31_536_000)),
        ("366d", None),
        ("0h", None),
        ("h", None),
        ("1", None),
        ("+1h", None),
        ("-1h", None),
        ("1.5h", None),
        ("1 h", None),
        ("1H", None),
        ("1ä", None),
        ("99999999999999999999d", None),
        ("18446744073709551615d", None),
        ("", None),
    ] {
        let source = format!("[approvers.a]\nexpires = \"{text}\"");
        let config = read(&source).config;
        let read = config.map(|config| config.approvers.values().next().unwrap().expires.as_secs());
        assert_eq!(read, seconds, "{text:?}");
    }
}

#[test]
fn a_file_has_at_most_a_mebibyte() {
    let most = format!("#{}", "a".repeat(SOURCE_BYTES_MAX - 1));
    assert_eq!(good(&most), Config::default());
    assert_eq!(
        shown(&format!("{most}a")),
        "error: the file is larger than 1 MiB\nhelp: a server lists its tools, not their text\n"
    );
}

#[test]
fn a_flood_of_mistakes_is_counted() {
    let source: String = (0..5000).map(|number| format!("key_{number} = 1\n")).collect();
    let Read { config, findings } = read(&source);
    assert_eq!((config, findings.len()), (None, 101));
    assert_eq!(findings.last().unwrap().message, "4900 more errors are not listed");

    // Errors are told from warnings even when there are more warnings than are listed.
    let warnings = "\"crm/pay_*\", ".repeat(5000);
    let source = format!("{REST}deny = [{warnings}]\nallow = [\"crm/refnd\"]");
    let Read { config, findings } = read(&source);
    assert_eq!((config, findings.len()), (None, 102));
    assert_eq!(findings.iter().filter(|finding| finding.is_error()).count(), 1);
}

#[test]
fn long_keys_and_values_make_no_long_messages() {
    let long = "a".repeat(100_000);
    for source in [
        format!("{long} = 1"),
        format!("[servers.{long}]\nx = 1\ny = 1"),
        format!("[agents.a]\nteam = \"{long}\""),
        format!("[agents.a]\nallow = [\"{long}\", \"{long}/x\", \"a/{long}*\"]"),
        format!("[clients.a]\nagent = \"{long}\""),
        format!("[guards]\ndelete = \"approval:{long}\""),
        format!("[guards]\ndelete = \"{long}\""),
    ] {
        let findings = read(&source).findings;
        assert!(!findings.is_empty());
        assert!(shown(&source).len() < 3000 * findings.len(), "{}", shown(&source).len());
    }
}

#[test]
fn a_file_cannot_be_nested_until_the_stack_ends() {
    let dotted = vec!["a"; 80].join(".");
    let tables =
        |depth| format!("[{dotted}]\n{}a = 1{}", format!("{dotted} = {{").repeat(depth), "}".repeat(depth));
    for source in [
        tables(79),
        tables(nesting::DEPTH_MAX),
        format!("a = {}", "[".repeat(500_000)),
        format!("a = {}", "[{a=".repeat(200_000)),
        format!("a = {}1{}", "[".repeat(400_000), "]".repeat(400_000)),
        format!("[{}]", vec!["a"; 400_000].join(".")),
        format!("{} = 1", vec!["a"; 400_000].join(".")),
        "[a]\n[[a.a]]\n".repeat(50_000),
    ] {
        // Two mebibytes are what a thread has that nobody asked for more.
        let reading = std::thread::Builder::new().stack_size(2 << 20).spawn(move || read(&source).config);
        assert_eq!(reading.unwrap().join().unwrap(), None);
    }
}

/// Pieces that mean something to the file, or to those who read it.
const PIECES: [&str; 48] = [
    "[",
    "]",
    "[[",
    "]]",
    "{",
    "}",
    "=",
    ",",
    ".",
    "\"",
    "'",
    "\"\"\"",
    "'''",
    "\\",
    "#",
    "\n",
    "\r",
    "\r\n",
    "\t",
    " ",
    "\0",
    "\u{feff}",
    "\u{202e}",
    "é",
    "${",
    "${env:A}",
    "true",
    "1",
    "-0.5",
    "1979-05-27",
    "\\uD800",
    "crm/*",
    "crm/refund",
    "approval:oncall",
    "[guards]\n",
    "[[guards.delete]]\n",
    "[agents.support]\n",
    "delete",
    "levels",
    "app/x",
    "[[budgets]]\n",
    "[[trips]]\n",
    "spend = '1 usd'\n",
    "\"session\"",
    "args.a",
    " usd",
    "24h",
    "*",
];

fn mutated() -> impl Strategy<Value = String> {
    let step = (any::<prop::sample::Index>(), 0usize..40, prop::sample::select(&PIECES[..]), 0u8..4);
    prop::collection::vec(step, 1..6).prop_map(|steps| {
        let mut text = FULL.to_owned();
        for (at, length, piece, kind) in steps {
            let bounds: Vec<usize> = text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
            let begin = at.index(bounds.len());
            let end = (begin + length).min(bounds.len() - 1);
            let (begin, end) = (bounds[begin], bounds[end]);
            let taken = text[begin..end].to_owned();
            match kind {
                0 => text.insert_str(begin, piece),
                1 => text.replace_range(begin..end, ""),
                2 => text.replace_range(begin..end, piece),
                _ => text.insert_str(begin, &taken),
            }
        }
        text
    })
}

fn assert_sound(source: &str) -> Result<(), TestCaseError> {
    let Read { config, findings } = read(source);
    prop_assert_eq!(config.is_none(), findings.iter().any(Finding::is_error));
    for finding in &findings {
        if let Some(at) = &finding.at {
            prop_assert!(at.start <= at.end && at.end <= source.len(), "{:?} in {:?}", finding, source);
        }
    }
    render(&findings, "placet.toml", source);
    if let Some(config) = config {
        let document = Document::parse(source).unwrap();
        let root = Node::of(document.as_item()).as_table().unwrap();
        let written =
            |name| root.get(name).and_then(|item| Node::of(item).as_table()).map_or(0, |table| table.len());
        let read_of = [
            ("servers", config.servers.len()),
            ("clients", config.clients.len()),
            ("agents", config.agents.len()),
            ("guards", config.guards.iter().map(|guard| &guard.scope).collect::<BTreeSet<_>>().len()),
            ("approvers", config.approvers.len()),
            ("people", config.people.len()),
        ];
        for (name, number) in read_of {
            prop_assert_eq!(number, written(name), "nothing of {} is lost without an error", name);
        }
        let listed = |name| match root.get(name).map(Node::of) {
            Some(Node::Tables(tables)) => tables.len(),
            Some(Node::Value(value)) => value.as_array().map_or(0, |array| array.len()),
            Some(Node::Table(_) | Node::Nothing) | None => 0,
        };
        prop_assert_eq!((config.budgets.len(), config.trips.len()), (listed("budgets"), listed("trips")));
        let text = write(&config, &Comments::default());
        prop_assert_eq!(super::read(&text).config, Some(config), "{}", text);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn a_mutated_file_is_read_or_refused_and_what_is_read_can_be_written(source in mutated()) {
        assert_sound(&source)?;
    }

    #[test]
    fn no_text_at_all_makes_the_reader_panic(source in any::<String>()) {
        assert_sound(&source)?;
    }

    #[test]
    fn no_bytes_make_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        assert_sound(&String::from_utf8_lossy(&bytes))?;
    }

    #[test]
    fn no_heap_of_pieces_makes_the_reader_panic(pieces in prop::collection::vec(prop::sample::select(&PIECES[..]), 0..40)) {
        assert_sound(&pieces.concat())?;
    }
}

#[test]
fn a_session_budget_needs_a_longer_one_where_sessions_are_opened() {
    let budgets = |sessions: bool, scope: &str, beside: &str| {
        let host = format!(
            "[clients.host]\ncredential = 'sha256:{}'\nagent = 'support'\nservers = ['crm']\nsessions = {sessions}\n",
            "ab".repeat(32)
        );
        let run = format!("[[budgets]]\nname = 'run'\nfor = {scope}\nper = 'session'\ncalls = 5\n");
        let beside =
            if beside.is_empty() { String::new() } else { format!("[[budgets]]\nname = 'day'\n{beside}") };
        read(&format!("{host}{run}{beside}{REST}\n[agents.ops]\nteam = 'others'\n")).config.is_some()
    };
    for (sessions, scope, beside, good) in [
        (false, "{ agent = 'support' }", "", true),
        (true, "{ agent = 'support' }", "", false),
        (true, "{ agent = '*' }", "", false),
        (true, "{ team = 'helpdesk' }", "", false),
        (true, "{ team = 'others' }", "", true), // nobody of that team opens sessions
        (true, "{ agent = 'ops' }", "", true),
        (true, "{ client = 'desktop' }", "", true),
        (true, "{ client = 'host' }", "", false),
        (true, "{ server = 'crm' }", "", false),
        (true, "'all'", "", false),
        (true, "'all'", "for = 'all'\nper = 'day'\ncalls = 50", true),
        (true, "'all'", "for = 'all'\nper = 'total'\ncalls = 50", true),
        (true, "'all'", "for = 'all'\nper = '24h'\ncalls = 50", true),
        (true, "'all'", "for = 'all'\nper = '23h'\ncalls = 50", false),
        (true, "'all'", "for = 'all'\nper = 'hour'\ncalls = 50", false), // a rate, not a sum
        (true, "'all'", "for = 'all'\nper = 'day'\nerrors = 50", false), // of something else
        (true, "'all'", "for = { agent = '*' }\nper = 'day'\ncalls = 50", false),
    ] {
        assert_eq!(budgets(sessions, scope, beside), good, "{sessions} {scope} {beside}");
    }
}
