use super::*;

const BASE: &str = r#"
[servers.crm]
command = ["crm"]
tools = { read_user = "read", refund = { level = "write", cost = { usd = "args.amount" } }, wipe = "delete" }
[agents.support]
team = "desk"
levels = ["read", "write"]
deny = ["crm/wipe"]
[agents.ops]
levels = ["read"]
allow = ["crm/wipe"]
[guards]
"crm/refund" = { id = "cap", for = { team = "desk" }, when = "matches.big", forbid = "too much" }
[match.big]
path = "args.amount"
is = { number = { above = 100 } }
[[budgets]]
name = "day"
for = { agent = "ops" }
per = "day"
calls = 50
"#;

fn config(text: &str) -> Config {
    let found = read(text);
    found.config.unwrap_or_else(|| panic!("{:?}\n{text}", found.findings))
}

/// What becomes of the base, of `support` and of `ops`, if one text in it is another.
fn effects(from: &str, to: &str) -> [&'static str; 3] {
    let changed = BASE.replacen(from, to, 1);
    assert_ne!(changed, BASE, "{from}");
    let found = compare(&config(BASE), &config(&changed));
    let of = |agent: &str| found.effect_for(&agent.parse().unwrap()).as_str();
    [found.effect().as_str(), of("support"), of("ops")]
}

#[test]
fn a_change_is_called_by_what_its_form_shows() {
    let (n, w, d, s) = ("narrower", "wider", "different", "same");
    for (from, to, wanted) in [
        ("levels = [\"read\", \"write\"]", "levels = [\"read\"]", [n, n, s]),
        ("levels = [\"read\"]", "levels = [\"read\", \"delete\"]", [w, s, w]),
        ("levels = [\"read\", \"write\"]", "levels = [\"read\", \"execute\"]", [d, d, s]),
        ("deny = [\"crm/wipe\"]", "deny = []", [w, w, s]),
        ("deny = [\"crm/wipe\"]", "deny = [\"crm/wipe\", \"crm/re*\"]", [n, n, s]),
        ("allow = [\"crm/wipe\"]", "", [n, s, n]),
        ("team = \"desk\"\nlevels", "team = \"desk\"\nobserve = true\nlevels", [w, w, s]),
        ("team = \"desk\"\nlevels", "team = \"desk\"\ndisclose = \"full\"\nlevels", [w, w, s]),
        ("team = \"desk\"\nlevels", "team = \"desk\"\ndisclose = \"code\"\nlevels", [n, n, s]),
        ("wipe = \"delete\"", "wipe = \"delete\", more = \"write\"", [w, w, s]),
        ("wipe = \"delete\"", "wipe = \"write\"", [d, d, d]),
        ("wipe = \"delete\"", "wipe = { level = \"delete\", canary = true }", [n, s, n]),
        ("usd = \"args.amount\"", "usd = \"1\"", [d, d, s]),
        ("command = [\"crm\"]", "command = [\"crm\", \"-x\"]", [d, d, d]),
        ("command = [\"crm\"]", "command = [\"crm\"]\ntrusted = true", [d, d, d]),
        ("command = [\"crm\"]", "command = [\"crm\"]\nresources = []", [n, n, n]),
        ("command = [\"crm\"]", "command = [\"crm\"]\nintegers = \"safe\"", [n, n, n]),
        ("command = [\"crm\"]", "command = [\"crm\"]\nrequests = [\"roots\"]", [w, w, w]),
        ("id = \"cap\", ", "", [s, s, s]),
        ("matches.big", "matches.big && args.amount > 1", [d, d, s]),
        ("above = 100", "above = 10", [d, d, d]),
        ("[guards]", "[guards]\nread = \"approval:oncall\"", [n, n, n]),
        ("calls = 50", "calls = 40", [n, s, n]),
        ("calls = 50", "calls = 60", [w, s, w]),
        ("calls = 50", "errors = 50", [d, s, d]),
        ("calls = 50", "calls = 50\nwarn = [50]", [s, s, s]),
        ("\n[servers.crm]", "reload = \"auto\"\n[servers.crm]", [w, w, w]),
        ("\n[servers.crm]", "zone = \"Europe/Berlin\"\n[servers.crm]", [d, d, d]),
        ("\n[servers.crm]", "\n[servers.erp]\ncommand = [\"erp\"]\n[servers.crm]", [w, w, w]),
    ] {
        assert_eq!(effects(from, to), wanted, "{from} -> {to}");
    }
}

#[test]
fn what_is_added_one_way_is_taken_away_the_other() {
    let opposite = |effect| match effect {
        Effect::Narrower => Effect::Wider,
        Effect::Wider => Effect::Narrower,
        same @ (Effect::Same | Effect::Different) => same,
    };
    for (from, to) in [
        ("[agents.ops]\nlevels = [\"read\"]\nallow = [\"crm/wipe\"]", ""),
        ("\"crm/refund\" = { id", "write = { forbid = \"no\" }\n\"crm/refund\" = { id"),
        ("calls = 50", "calls = 60"),
    ] {
        let base = BASE.replace("{ agent = \"ops\" }", "\"all\"");
        let (old, new) = (config(&base), config(&base.replacen(from, to, 1)));
        let there = compare(&old, &new).effect();
        assert_ne!(there, Effect::Same, "{from}");
        assert_eq!(compare(&new, &old).effect(), opposite(there), "{from}");
    }
}

#[test]
fn a_file_is_the_same_as_itself_wherever_its_lines_stand() {
    let found = compare(&config(BASE), &config(&format!("# a comment\n\n{BASE}")));
    assert_eq!(found.differences, []);
    assert!(!from_nothing(&config(BASE)).effect().only_narrows());
}
