mod mistakes;

use super::{super::*, *};
use crate::{
    diagnostic::render,
    level::Level,
    names::{AgentName, ClientName, ServerName},
};
use proptest::prelude::*;
use std::collections::BTreeSet;

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
[servers.crm.tools]
read_user = "read"
refund = { level = "write" }
"repo/delete" = "delete"

[servers.staging]
command = ["staging"]
cwd = "/srv/staging"
tools = { deploy = "execute" }

[clients.desktop]
credential = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
agent = "support"
servers = ["crm", "staging"]

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
  { for = { agent = "ops" }, forbid = "ops does not refund" },
]
"*/*" = { level = ["write", "execute"], require = "approval:oncall:session" }

[approvers.oncall]
expires = "30m"
[approvers.finance]
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
    assert_eq!(crm.line, 6);
    let tools: Vec<_> = crm.tools.iter().map(|(tool, at)| (tool.as_str(), at.value, at.line)).collect();
    let want =
        [("read_user", Level::Read, 15), ("refund", Level::Write, 16), ("repo/delete", Level::Delete, 17)];
    assert_eq!(tools, want);

    let staging = &config.servers[&"staging".parse::<ServerName>().unwrap()];
    assert_eq!(staging.launch.cwd, Cwd::Path("/srv/staging".into()));
    assert_eq!((&staging.resources, staging.integers), (&None, Integers::Exact));

    let desktop = &config.clients[&"desktop".parse::<ClientName>().unwrap()];
    assert_eq!(desktop.agent.as_str(), "support");
    assert_eq!(desktop.credential.0[..3], [0x01, 0x23, 0x45]);
    assert_eq!(desktop.servers.len(), 2);

    let support = &config.agents[&"support".parse::<AgentName>().unwrap()];
    assert_eq!(support.levels, LevelSet::of([Level::Read, Level::Write]));
    assert_eq!(support.allow[1].value.to_string(), "crm/re*");
    assert_eq!((support.allow[1].line, support.deny[0].line, support.line), (32, 33, 29));
    assert_eq!(support.disclose, Disclose::Full);

    let team = Scope::Team("helpdesk".parse().unwrap());
    let agent = Scope::Agent("ops".parse().unwrap());
    let approval =
        |group: &str, votes, strength| Control::Approval { group: group.parse().unwrap(), votes, strength };
    let guards: Vec<_> = config.guards.iter().map(|guard| (guard.scope.to_string(), guard.line)).collect();
    let scopes = [("delete", 40), ("crm/refund", 42), ("crm/refund", 43), ("*/*", 45)];
    assert_eq!(guards, scopes.map(|(scope, line)| (scope.to_owned(), line)));
    let [delete, refund, ops, both] = &config.guards[..] else { panic!("four guards") };
    assert_eq!(delete.effect, GuardEffect::Require(vec![approval("oncall", 1, None)]));
    assert_eq!((refund.id.as_deref(), &refund.applies_to), (Some("big refund"), &Some(team)));
    let two = vec![approval("finance", 2, None), approval("risk", 1, Some(Strength::Passkey))];
    assert_eq!(refund.effect, GuardEffect::Require(two));
    assert_eq!(
        (&ops.applies_to, &ops.effect),
        (&Some(agent), &GuardEffect::Forbid("ops does not refund".into()))
    );
    assert_eq!(both.levels, Some(LevelSet::of([Level::Write, Level::Execute])));

    let expires: Vec<_> = config.approvers.values().map(|group| group.expires.as_secs()).collect();
    assert_eq!(expires, [3600, 1800], "finance, oncall");
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
budgets = []
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
"crm/refund" = { when = "args.amount > 100", require = "confirm" }
"#;
    let Read { config, findings } = read(source);
    assert_eq!(config, None);
    let messages: Vec<&str> = findings.iter().map(|finding| finding.message.as_str()).collect();
    assert_eq!(
        messages,
        [
            "`budgets` is not built yet in this version",
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
            "`when` is not built yet in this version",
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
        ("[approvers.oncall]\n", keys::APPROVERS.unbuilt),
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
    let mut reader = Reader::new("");
    let document = Document::parse("delete = { for = { agent = 'nobody' }, forbid = 'no' }").unwrap();
    let root = Node::of(document.as_item()).as_table().unwrap();
    let table = reader.fields_of(root, "", &keys::Keys { known: &["delete"], unbuilt: &[] });
    assert_eq!(reader.guards(&[table.get("delete").unwrap()], &Known::of(root)), []);
    assert!(reader.has_errors());
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
const PIECES: [&str; 40] = [
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
        ];
        for (name, number) in read_of {
            prop_assert_eq!(number, written(name), "nothing of {} is lost without an error", name);
        }
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
