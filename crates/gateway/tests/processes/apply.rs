//! Change under control: what a node serves is what was applied, whatever happens to files, nodes and calls.

use std::{fs, io::Write as _, process::Command};

use placet_engine::json::{Json, Limits, parse};
use placet_testkit::{
    client::{Client, code, text},
    spy,
};

use super::{Home, placet};

fn file(home: &Home) -> std::path::PathBuf {
    home.path("config/placet/placet.toml")
}

/// Replaces one text of the file by another.
fn edit(home: &Home, from: &str, to: &str) {
    let text = fs::read_to_string(file(home)).unwrap();
    assert!(text.contains(from), "{from}\n{text}");
    fs::write(file(home), text.replacen(from, to, 1)).unwrap();
}

fn apply(home: &Home) -> (i32, String) {
    home.run(&["apply", "--yes", "--reason", "a test"])
}

fn call(home: &Home, tool: &str, token: &str) -> i32 {
    home.run(&["call", tool, &format!("{{\"token\":{}}}", Json::from(token).compact())]).0
}

/// The records of a kind, as `placet audit query` has them.
fn records(home: &Home, kind: &str) -> Vec<Json> {
    let (exit, said) = home.run(&["audit", "query", "--kind", kind, "--json"]);
    assert_eq!(exit, 0, "{said}");
    said.lines().map(|line| parse(line.as_bytes(), &Limits::EDGE).unwrap()).collect()
}

fn member<'a>(record: &'a Json, key: &str) -> &'a str {
    record.get(key).and_then(Json::as_str).unwrap_or_default()
}

const LEVELS: &str = "levels = [\"read\", \"write\"]";

pub(super) fn a_change_waits_for_a_person() {
    let home = Home::new();
    assert_eq!(call(&home, "spy/delete_it", "one"), 3);
    edit(&home, LEVELS, "levels = [\"read\", \"write\", \"delete\"]");
    // Neither to the node that runs nor to the next one.
    assert_eq!(call(&home, "spy/delete_it", "two"), 3);
    let (_, status) = home.run(&["node", "status"]);
    let wider = "placet.toml has changed since it was applied at ";
    assert!(status.contains(wider) && status.contains("it is wider"), "{status}");
    assert!(home.run(&["check"]).1.contains(wider));
    assert_eq!(home.run(&["node", "stop"]).0, 0);
    assert_eq!(call(&home, "spy/delete_it", "three"), 3);

    let (exit, said) = home.run(&["apply", "--dry-run"]);
    assert_eq!(exit, 0, "{said}");
    assert!(said.contains("wider      agent `assistant` holds delete too"), "{said}");
    assert!(said.contains("agent assistant: wider") && said.contains("in all: wider"), "{said}");
    assert_eq!(home.run(&["apply", "--yes"]).0, 2, "a change has a reason");
    assert_eq!(home.run(&["apply", "--reason", "x"]).0, 2, "nobody can be asked here");
    assert_eq!(call(&home, "spy/delete_it", "four"), 3);
    let (exit, said) = apply(&home);
    assert!(exit == 0 && said.contains("is applied, and in force"), "{said}");
    assert_eq!(call(&home, "spy/delete_it", "five"), 0);
    assert!(apply(&home).1.contains("is as it was applied at"));
    let (_, status) = home.run(&["node", "status"]);
    assert!(!status.contains(wider) && status.contains(": a test"), "{status}");
    let records = records(&home, "apply");
    let [first, second] = records.as_slice() else { panic!("{records:?}") };
    assert_eq!(first.get("old"), Some(&Json::Null));
    assert_eq!((member(second, "old"), member(second, "reason")), (member(first, "new"), "a test"));
    assert!(second.compact().contains("holds delete too"), "{}", second.compact());

    // Without a node it is for the next one, with its record.
    assert_eq!(home.run(&["node", "stop"]).0, 0);
    edit(&home, ", \"delete\"]", "]");
    let (exit, said) = apply(&home);
    assert!(exit == 0 && said.contains("no node runs"), "{said}");
    assert_eq!(call(&home, "spy/delete_it", "six"), 3);
    assert_eq!(self::records(&home, "apply").len(), 3);
    assert_eq!(spy::reached(&home.log()).unwrap(), ["five"]);
}

pub(super) fn what_is_under_way_ends() {
    let home = Home::new();
    // Whoever reads what the spy is to say waits for somebody to write it.
    let says = spy::says_of(&home.log());
    assert!(Command::new("mkfifo").arg(&says).status().unwrap().success());
    let mut client = Client::start(&mut home.placet(&["mcp", "spy", "--client", "desk"])).unwrap();
    let id = client.call("write_it", "before").unwrap();
    let mut answer = fs::File::options().write(true).open(&says).unwrap();
    edit(&home, LEVELS, "levels = [\"read\"]");
    let (exit, said) = apply(&home);
    assert_eq!(exit, 0, "{said}");
    answer.write_all(b"{\"content\":[{\"type\":\"text\",\"text\":\"late\"}]}").unwrap();
    drop(answer);
    assert_eq!(text(&client.answer(id).unwrap()), "late", "a call that was out is answered");
    let id = client.call("write_it", "after").unwrap();
    let told = client.answer(id).unwrap();
    assert_eq!(code(&told).as_deref(), Some("unknown_tool"), "{}", told.compact());
    client.leave().unwrap();
    assert_eq!(spy::reached(&home.log()).unwrap(), ["before"]);
}

pub(super) fn what_a_connection_rests_on() {
    let home = Home::new();
    let mut client = Client::start(&mut home.placet(&["mcp", "spy", "--client", "desk"])).unwrap();
    let mut propose = |token: &str| {
        let id = client.call("write_it", token).unwrap();
        let answer = client.answer(id).unwrap();
        code(&answer).unwrap_or_else(|| text(&answer))
    };
    assert_eq!(propose("one"), "done one");
    // The client stands for another agent, which may only read.
    edit(&home, "agent = \"assistant\"", "agent = \"reader\"");
    edit(&home, "[agents.assistant]", "[agents.reader]\nlevels = [\"read\"]\n[agents.assistant]");
    let (exit, said) = apply(&home);
    assert!(exit == 0 && said.contains("1 connections rest on what is different now"), "{said}");
    assert_eq!(propose("two"), "unknown_tool");
    edit(&home, "agent = \"reader\"", "agent = \"assistant\"");
    assert_eq!(apply(&home).0, 0);
    assert_eq!(propose("three"), "done three");
    // A client that is taken out reaches nothing any more.
    let text = fs::read_to_string(file(&home)).unwrap();
    fs::write(file(&home), text.split("[clients.desk]").next().unwrap()).unwrap();
    assert_eq!(apply(&home).0, 0);
    let answer = client.call("write_it", "four").and_then(|id| client.answer(id));
    assert!(answer.as_ref().is_ok_and(|answer| code(answer).is_some()) || answer.is_err(), "{answer:?}");
    assert_eq!(spy::reached(&home.log()).unwrap(), ["one", "three"]);
}

pub(super) fn a_broken_file_changes_nothing() {
    let home = Home::new();
    assert_eq!(call(&home, "spy/write_it", "one"), 0);
    for (broken, why) in [
        ("levels = [\"reed\"]", "unknown level `reed`"),
        ("levels = [", ""),
        (
            "levels = [\"read\"]\n[[test]]\nname = \"it writes\"\nagent = \"assistant\"\ntool = \"spy/write_it\"\ndecision = \"allow\"",
            "test `it writes` does not pass: decision: expected allow, got deny",
        ),
    ] {
        let good = fs::read_to_string(file(&home)).unwrap();
        edit(&home, LEVELS, broken);
        let (exit, said) = apply(&home);
        assert!(exit == 6 && said.contains(why) && said.contains("it is not applied"), "{said}");
        assert_eq!(home.run(&["check"]).0, 6);
        assert_eq!(call(&home, "spy/write_it", "two"), 0, "the version in force goes on");
        let (_, status) = home.run(&["node", "status"]);
        assert!(status.contains("it cannot be applied"), "{status}");
        assert_eq!(home.run(&["node", "stop"]).0, 0);
        assert_eq!(call(&home, "spy/write_it", "three"), 0, "also in the next node");
        fs::write(file(&home), good).unwrap();
    }
    fs::remove_file(file(&home)).unwrap();
    assert_eq!(home.run(&["node", "stop", "--config", file(&home).to_str().unwrap()]).0, 0);
    let path = file(&home);
    let gone = ["call", "spy/write_it", "{\"token\":\"four\"}", "--config", path.to_str().unwrap()];
    assert_eq!(home.run(&gone).0, 0, "a file that is gone changes nothing either");
    assert_eq!(home.run(&["node", "stop", "--config", path.to_str().unwrap()]).0, 0);
    // But where nothing was applied before, nothing is served.
    let fresh = Home::new();
    edit(&fresh, LEVELS, "levels = [\"reed\"]");
    assert_eq!(call(&fresh, "spy/read_it", "one"), 6);
    assert!(!fresh.state().join("applied/manifest.json").exists());
}

pub(super) fn a_damaged_version_is_not_guessed() {
    let home = Home::new();
    assert_eq!(call(&home, "spy/write_it", "one"), 0);
    let applied = home.state().join("applied");
    let texts = |applied: &std::path::Path| -> Vec<_> {
        fs::read_dir(applied).unwrap().map(|entry| entry.unwrap().path()).collect()
    };
    for damaged in texts(&applied) {
        assert_eq!(home.run(&["node", "stop"]).0, 0);
        let good = fs::read(&damaged).unwrap();
        fs::write(&damaged, &good[..good.len() / 2]).unwrap();
        let (exit, said) = home.run(&["call", "spy/write_it", "{\"token\":\"two\"}"]);
        assert_eq!(exit, 6, "{said}");
        assert!(
            said.contains("the version last applied cannot be used") && said.contains("`placet apply`"),
            "{said}"
        );
        assert!(home.run(&["check"]).1.contains("the version last applied cannot be used"));
        let (exit, said) = apply(&home);
        assert_eq!(exit, 0, "{said}");
        assert_eq!(call(&home, "spy/write_it", "three"), 0);
    }
    // The ledger knows that there was one.
    assert_eq!(home.run(&["node", "stop"]).0, 0);
    fs::remove_dir_all(&applied).unwrap();
    let (exit, said) = home.run(&["call", "spy/write_it", "{\"token\":\"four\"}"]);
    assert!(exit == 6 && said.contains("it is not there any more"), "{said}");
    assert_eq!(apply(&home).0, 0);
    assert_eq!(call(&home, "spy/write_it", "five"), 0);
    // A version whose record was cut off is recorded by the next node.
    assert_eq!(home.run(&["node", "stop"]).0, 0);
    let manifest = applied.join("manifest.json");
    let text = fs::read_to_string(&manifest).unwrap();
    fs::write(&manifest, text.replace("\"recorded\":true", "\"recorded\":false")).unwrap();
    let before = records(&home, "apply").len();
    assert_eq!(call(&home, "spy/write_it", "six"), 0);
    assert_eq!(records(&home, "apply").len(), before + 1);
    assert!(fs::read_to_string(&manifest).unwrap().contains("\"recorded\":true"));
    // A backup goes on with the version that was in force, not with the file of today.
    let (copy, other) = (home.path("copy"), home.path("other"));
    let (copy, other) = (copy.to_str().unwrap(), other.to_str().unwrap());
    assert_eq!(home.run(&["backup", copy]).0, 0);
    assert_eq!(home.run(&["node", "stop"]).0, 0);
    edit(&home, LEVELS, "levels = []");
    assert_eq!(home.run(&["restore", copy, "--state", other]).0, 0);
    assert_eq!(home.run(&["call", "spy/write_it", "{\"token\":\"seven\"}", "--state", other]).0, 0);
    assert_eq!(home.run(&["node", "stop", "--state", other]).0, 0);
}

/// Another account's file, which this test can make only as root; nobody runs the node then.
pub(super) fn a_change_that_only_narrows_may_go_by_itself() {
    let home = Home::new();
    edit(&home, "[servers.spy]", "reload = \"auto\"\n[servers.spy]");
    let (exit, said) = home.run(&["check"]);
    assert!(
        exit == 6 && said.contains("`reload = \"auto\"` is for files that the node's account cannot write"),
        "{said}"
    );
    assert_eq!(call(&home, "spy/write_it", "one"), 6);
    if !rustix_is_root() {
        println!("passed over: only root can give a file away");
        return;
    }
    let Some(program) = for_nobody(&home) else {
        println!("passed over: nobody cannot run the program");
        return;
    };
    let run = |arguments: &[&str]| {
        use std::os::unix::process::CommandExt as _;
        let mut command = Command::new(&program);
        command
            .args(arguments)
            .uid(NOBODY)
            .gid(NOBODY)
            .env_remove("PLACET_STATE")
            .env_remove("PLACET_CONFIG");
        command.env("HOME", home.path("")).env("XDG_CONFIG_HOME", home.path("config"));
        command.env("XDG_STATE_HOME", home.path("state")).env("XDG_RUNTIME_DIR", home.path("run"));
        let output = command.output().unwrap();
        let said =
            String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        (output.status.code().unwrap_or(-1), said)
    };
    let call = |tool: &str| run(&["call", tool, "{\"token\":\"one\"}"]);
    let (exit, said) = call("spy/write_it");
    assert_eq!(exit, 0, "{said}");
    edit(&home, LEVELS, "levels = [\"read\"]");
    assert_eq!(call("spy/write_it").0, 3, "less is in force at the next attachment");
    edit(&home, "levels = [\"read\"]", LEVELS);
    assert_eq!(call("spy/write_it").0, 3, "more waits");
    let (_, status) = run(&["node", "status"]);
    assert!(status.contains("`placet apply` makes it effective"), "{status}");
    let (_, said) = run(&["audit", "query", "--kind", "apply", "--json"]);
    assert!(said.contains("the change only narrows"), "{said}");
    assert_eq!(run(&["apply", "--yes", "--reason", "more again"]).0, 0);
    assert_eq!(call("spy/write_it").0, 0);
    run(&["node", "stop"]);
}

const NOBODY: u32 = 65_534;

fn rustix_is_root() -> bool {
    use std::os::unix::fs::MetadataExt as _;
    fs::metadata("/proc/self").is_ok_and(|found| found.uid() == 0)
}

/// Gives all of a home but its configuration away, and the program with it; none if it cannot be run there.
fn for_nobody(home: &Home) -> Option<std::path::PathBuf> {
    use std::os::unix::fs::{PermissionsExt as _, chown};
    home.run(&["node", "stop"]);
    let program = home.path("placet");
    fs::copy(placet().get_program(), &program).ok()?;
    let spy = home.path("spy");
    fs::copy(std::env::current_exe().ok()?, &spy).ok()?;
    let own = std::env::current_exe().ok()?;
    edit(home, own.to_str()?, spy.to_str()?);
    for folder in ["state", "run"] {
        fs::remove_dir_all(home.path(folder)).ok()?;
        fs::create_dir(home.path(folder)).ok()?;
    }
    fs::create_dir_all(home.path(".local/state")).ok()?;
    fs::write(home.log(), "").ok()?;
    for given in ["state", "run", ".local", ".local/state", "reached.log", "config/placet/clients/desk.key"] {
        chown(home.path(given), Some(NOBODY), Some(NOBODY)).ok()?;
    }
    // The spy keeps a lock beside its log.
    fs::write(spy::lock_of(&home.log()), "").ok()?;
    chown(spy::lock_of(&home.log()), Some(NOBODY), Some(NOBODY)).ok()?;
    for open in ["", "config", "config/placet", "config/placet/clients"] {
        fs::set_permissions(home.path(open), fs::Permissions::from_mode(0o755)).ok()?;
    }
    fs::set_permissions(file(home), fs::Permissions::from_mode(0o644)).ok()?;
    use std::os::unix::process::CommandExt as _;
    Command::new(&program).arg("--version").uid(NOBODY).gid(NOBODY).output().is_ok().then_some(program)
}

pub(super) fn own_files() {
    let home = Home::new();
    let refused = |token: &str| {
        let token = Json::from(token).compact();
        let (exit, said) = home.run(&["call", "spy/write_it", &format!("{{\"token\":{token}}}")]);
        assert_eq!(exit, 3, "{token}: {said}");
        assert!(said.contains("`args.token` leads to a file of Placet's own"), "{said}");
    };
    assert_eq!(call(&home, "spy/write_it", "one"), 0);
    let state = home.state();
    let path = |below: &str| home.path(below).to_str().unwrap().to_owned();
    let all = [
        path("config/placet/placet.toml"),
        path("config/placet/placet.lock"),
        path("config/placet/clients/desk.key"),
        path("config"),
        state.join("placet.db").to_str().unwrap().to_owned(),
        path("x/../state"),
        path("run/placet"),
        path(".bashrc"),
        format!("file://{}", path(".zshrc")),
        "~/.profile".to_owned(),
        "~".to_owned(),
        "/".to_owned(),
    ];
    all.iter().for_each(|token| refused(token));
    // Nothing lifts it.
    assert_eq!(home.run(&["pause", "10m", "--reason", "a test"]).0, 0);
    all.iter().for_each(|token| refused(token));
    edit(&home, LEVELS, &format!("{LEVELS}\nobserve = true\nallow = [\"spy/write_it\"]"));
    assert_eq!(apply(&home).0, 0);
    all.iter().for_each(|token| refused(token));
    assert_eq!(call(&home, "spy/write_it", &path("work/notes.txt")), 0);
    let (_, said) = home.run(&["audit", "query", "--kind", "refusal", "--json"]);
    assert!(said.contains("placet.own_files"), "{said}");
    assert_eq!(spy::reached(&home.log()).unwrap(), ["one".to_owned(), path("work/notes.txt")]);
}

pub(super) fn config() {
    let home = Home::new();
    let path = file(&home);
    let (exit, said) = home.run(&["config", "path"]);
    assert_eq!((exit, said), (0, format!("{}\nthe user's own\n", path.display())));
    let (exit, said) = home.run(&["config", "show", "--origin"]);
    assert_eq!(exit, 0, "{said}");
    let line = |key: &str| said.lines().find(|line| line.starts_with(key)).unwrap_or_default().to_owned();
    assert!(line("agents.assistant.levels = ").ends_with("# placet.toml:8"), "{said}");
    assert!(line("agents.assistant.observe = false").ends_with("# default"), "{said}");
    let before = fs::read_to_string(&path).unwrap();
    let (exit, said) = home.run(&["config", "migrate", "--dry-run"]);
    assert!(exit == 0 && said.contains("+version = 1"), "{said}");
    assert_eq!(fs::read_to_string(&path).unwrap(), before);
    assert_eq!(home.run(&["config", "migrate"]).0, 0);
    assert_eq!(fs::read_to_string(&path).unwrap(), format!("version = 1\n{before}"));
    let (exit, said) = home.run(&["config", "migrate"]);
    assert!(exit == 0 && said.contains("which is the present one"), "{said}");
    fs::remove_file(&path).unwrap();
    let (exit, said) = home.run(&["config", "path"]);
    assert!(exit == 6 && said.contains("/etc/placet/placet.toml"), "{said}");
}
