//! The audit commands over a store and a ledger that are really there, as an operator and an auditor use them.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on should say so and end")]

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    time::Duration,
};

use placet::{commitment, sequencer::Sequencer};
use placet_engine::{
    call::{CallId, Digest},
    json::Json,
    level::Level,
    permit::Durable,
    record::{Kind, Record},
    session::SessionId,
    state::{Changes, Ending, Intent, Settled},
    time::{BootInstant, Now, Timestamp},
};
use placet_store::{
    Store as _,
    sqlite::{PayloadKey, PayloadKeys, Sqlite},
};
use tempfile::TempDir;

/// A state directory with a store of so many records, and what an auditor has beside it.
struct World {
    folder: TempDir,
}

fn now() -> Now {
    Now { wall: Timestamp(1_800_000_000_000_000), boot: BootInstant(Duration::from_secs(5)) }
}

fn call(number: u8) -> CallId {
    CallId::from_random([number; 12])
}

fn record(number: u64) -> Record {
    let at = Timestamp(1_800_000_000_000_000 + number * 1_000_000);
    let kind = if number.is_multiple_of(10) { Kind::Refusal } else { Kind::Intent };
    let agent = if number.is_multiple_of(7) { "=cmd()" } else { "bot" };
    let mut record = Record::new(kind, at, [("agent", Json::from(agent)), ("tool", Json::from("crm/read"))]);
    record.call = Some(call((number / 2) as u8));
    record
}

impl World {
    fn new(records: u64) -> Self {
        let world = Self { folder: tempfile::tempdir().unwrap() };
        fs::write(world.path("placet.toml"), "").unwrap();
        world.add(0..records);
        world.seal();
        world
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn state(&self) -> PathBuf {
        self.path("state")
    }

    fn add(&self, numbers: std::ops::Range<u64>) {
        let store = Sqlite::open(&self.state()).unwrap().store;
        let changes = Changes { records: numbers.map(record).collect(), ..Changes::default() };
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let _receipt = runtime.block_on(store.commit::<Durable>(changes)).unwrap();
        store.close();
    }

    fn seal(&self) {
        Sequencer::open(&self.state()).unwrap().finish(now()).unwrap();
    }

    fn placet(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_placet"));
        command.current_dir(self.folder.path()).env_clear().env("HOME", self.folder.path());
        command.env("XDG_RUNTIME_DIR", self.folder.path()).env("PLACET_CONFIG", self.path("placet.toml"));
        command.env("PLACET_STATE", self.state()).arg("audit").args(arguments).output().unwrap()
    }

    /// Runs a command that must end so, and gives what it printed.
    fn run(&self, arguments: &[&str], code: i32) -> (String, String) {
        let output = self.placet(arguments);
        let (out, err) =
            (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
        assert_eq!(output.status.code(), Some(code), "{arguments:?}\n{out}\n{err}");
        (out, err)
    }
}

#[test]
fn an_auditor_verifies_a_copy_and_finds_what_was_changed() {
    let world = World::new(300);
    fs::copy(world.path("state/ledger.pub"), world.path("ledger.pub")).unwrap();
    fs::copy(world.path("state/log/checkpoint"), world.path("kept")).unwrap();
    world.add(300..400);
    world.seal();
    let (out, _) = world.run(&["verify", "state/log", "--key", "ledger.pub", "--checkpoint", "kept"], 0);
    assert!(out.contains("root        proven: recomputed from the records"), "{out}");
    assert!(out.contains("extends     proven: its first 300 records"), "{out}");
    assert!(out.contains("freshness   not proven: without a witness"), "{out}");
    let (out, _) = world.run(&["verify", "state/log", "--key", "ledger.pub", "--json"], 0);
    assert!(out.starts_with("{\"verdict\":\"good\""), "{out}");

    let bundle = world.path("state/log/tile/entries/000");
    let changed = fs::read(&bundle).unwrap();
    let place = changed.windows(8).position(|window| window == b"crm/read").unwrap();
    let changed: Vec<u8> =
        changed.iter().enumerate().map(|(at, byte)| if at == place { b'C' } else { *byte }).collect();
    fs::write(&bundle, changed).unwrap();
    let (out, _) = world.run(&["verify", "state/log", "--key", "ledger.pub"], 8);
    assert!(out.contains("the first record that was changed or removed has index 0"), "{out}");

    let (_, err) = world.run(&["verify", "state/log", "--key", "rubbish"], 2);
    assert!(err.starts_with("error: `rubbish` is no public key"), "{err}");
    world.run(&["verify", "state/log", "--key", "ledger.pub", "--quorum", "1"], 2);
    world.run(&["verify", "state/log", "--key", "ledger.pub", "--checkpoint", "nowhere"], 2);
}

#[test]
fn a_record_is_proved_to_somebody_who_has_only_the_key() {
    let world = World::new(20);
    let (out, _) = world.run(&["prove", "7", "-o", "seventh"], 0);
    assert_eq!(out, "record 7: `seventh`, under a head of 20 records\n");
    let (out, _) = world.run(&["check-proof", "seventh", "--key", "state/ledger.pub"], 0);
    assert!(out.starts_with("proven: record 7 is in the log `placet.local/"), "{out}");
    assert!(out.contains("not proven: that this head is the newest"), "{out}");

    let two = call(3).to_string();
    let (out, _) = world.run(&["prove", &two], 0);
    assert_eq!(out.lines().count(), 2, "{out}");
    world.run(&["check-proof", "record-8.tlog-proof", "--key", "state/ledger.pub"], 0);
    world.run(&["prove", &two, "-o", "one"], 2);
    world.run(&["prove", "0"], 2);
    world.run(&["prove", "21"], 3);

    let forged = fs::read_to_string(world.path("seventh")).unwrap().replace("\nindex 6\n", "\nindex 5\n");
    fs::write(world.path("forged"), forged).unwrap();
    let (_, err) = world.run(&["check-proof", "forged", "--key", "state/ledger.pub"], 8);
    assert!(err.contains("do not lead from the record to the signed root"), "{err}");
    world.add(20..21);
    let (_, err) = world.run(&["prove", "21"], 7);
    assert!(err.contains("record 21 is not sealed yet"), "{err}");
}

#[test]
fn records_are_picked_out_and_taken_along() {
    let world = World::new(40);
    let (out, _) = world.run(&["query", "--kind", "refusal", "--json"], 0);
    assert_eq!(out.lines().count(), 4, "{out}");
    let (out, err) = world.run(&["query", "--agent", "bot", "--limit", "3"], 0);
    assert_eq!(out.lines().count(), 3, "{out}");
    assert!(err.contains("there are more records that fit"), "{err}");
    let (out, _) = world.run(&["query", "--call", &call(2).to_string(), "--json"], 0);
    assert_eq!(out.lines().count(), 2, "{out}");
    let third = record(3).at.to_string();
    let (out, _) = world.run(&["query", "--until", &third, "--json"], 0);
    assert_eq!(out.lines().count(), 3, "{out}");
    let (out, _) = world.run(&["query", "--since", "2100-01-01"], 0);
    assert_eq!(out, "");
    world.run(&["query", "--since", "yesterday"], 2);
    world.run(&["query", "--kind", "mystery"], 2);

    let (out, _) = world.run(&["export", "--format", "jsonl"], 0);
    let bodies: Vec<String> = (0..40).map(|number| record(number).to_json().canonical()).collect();
    assert_eq!(out.lines().collect::<Vec<_>>(), bodies);
    let (out, _) = world.run(&["export", "--format", "csv"], 0);
    assert_eq!(out.matches("\r\n").count(), 41, "{out}");
    assert!(out.starts_with("seq,at,kind,call,agent,"), "{out}");
    assert!(out.contains(",\"'=cmd()\","), "{out}");
}

/// An allowed call that is over, whose record commits to `recorded` and beside which `kept` is kept.
fn intent(number: u8, recorded: Option<&str>, kept: &str) -> [Changes; 2] {
    let intent = Intent {
        call: call(number),
        agent: "bot".parse().unwrap(),
        client: "desk".parse().unwrap(),
        run: None,
        action: "crm/read".parse().unwrap(),
        level: Level::Read,
        session: SessionId(call(number)),
        at: now().wall,
        arguments: recorded.unwrap_or(kept).to_owned(),
        salt: None,
        digest: Digest([number; 32]),
        joined: false,
        holds: Vec::new(),
        claim: None,
        approval: None,
    };
    let mut record = Record::new(Kind::Intent, now().wall, []);
    record.call = Some(intent.call);
    let mut changes = Changes { intent: Some(intent), records: vec![record], ..Changes::default() };
    if recorded.is_some() {
        assert!(commitment::bind(&mut changes, &[number; 16]));
    }
    let intent = changes.intent.as_mut().unwrap();
    intent.arguments = kept.to_owned();
    let settled = Settled {
        call: intent.call,
        ending: Ending::Succeeded,
        charges: Vec::new(),
        key: None,
        heard: None,
        returned: None,
    };
    [changes, Changes { settled: Some(settled), ..Changes::default() }]
}

fn commit(state: &Path, all: impl IntoIterator<Item = Changes>) {
    commit_under(PayloadKeys::default(), state, all);
}

fn commit_under(keys: PayloadKeys, state: &Path, all: impl IntoIterator<Item = Changes>) {
    let store = Sqlite::open_with(state, keys).unwrap().store;
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    for changes in all {
        let _receipt = runtime.block_on(store.commit::<Durable>(changes)).unwrap();
    }
    store.close();
}

#[test]
fn arguments_that_are_kept_are_held_against_what_was_recorded() {
    let world = World::new(0);
    let pin = r#"{"pin":"1234"}"#;
    commit(&world.state(), intent(1, Some(pin), pin).into_iter().chain(intent(2, None, pin)));
    world.seal();
    let verify = ["verify", "state/log", "--key", "state/ledger.pub", "--state", "state"];
    let (out, _) = world.run(&verify, 0);
    let line = out.lines().last().unwrap();
    assert_eq!(
        line,
        "arguments   proven: those of 1 intents are what the records commit to; 1 recorded without a commitment"
    );
    let (out, _) = world.run(&[&verify[..], &["--json"]].concat(), 0);
    let counts = "{\"arguments\":{\"opened\":1,\"erased\":0,\"sealed\":0,\"said_erased\":0,\"uncommitted\":1,\"absent\":0,\"wrong\":[]}}";
    assert_eq!(out.lines().last(), Some(counts));
    let (out, _) = world.run(&["show", &call(1).to_string()], 0);
    assert!(out.ends_with("arguments {\"pin\": \"1234\"} (opens the commitment)\n"), "{out}");
    let (out, _) = world.run(&["show", &call(2).to_string()], 0);
    assert!(out.ends_with("(recorded without a commitment)\n"), "{out}");

    // One argument is shown without the others, in a file that stands alone.
    let id = call(1).to_string();
    world.run(&["disclose", &id, "/pin", "-o", "shown"], 0);
    let shown = fs::read_to_string(world.folder.path().join("shown")).unwrap();
    let check = ["check-disclosure", "shown", "--key", "state/ledger.pub"];
    let (out, _) = world.run(&check, 0);
    assert!(out.contains(&format!("proven: /pin of call {id} = \"1234\"\n")), "{out}");
    for (good, bad, why) in [
        (r#"\"1234\""#, r#"\"1235\""#, "does not commit to what it shows at `/pin`"),
        (r#""/pin""#, r#""/pan""#, "does not commit to what it shows at `/pan`"),
        (r#""index":1"#, r#""index":0"#, "does not commit"),
        ("placet-disclosure-v1", "placet-disclosure-v2", "it is no disclosure of this version"),
        (r#","fields":[{"#, r#","fields":[],"more":[{"#, "it is no disclosure of this version"),
    ] {
        assert!(shown.contains(good), "{good}: {shown}");
        fs::write(world.folder.path().join("shown"), shown.replace(good, bad)).unwrap();
        let (_, err) = world.run(&check, 8);
        assert!(err.contains(why), "{bad}: {err}");
    }
    world.run(&["disclose", &id, "/pan", "-o", "shown"], 3);
    world.run(&["disclose", &call(2).to_string(), "/pin", "-o", "shown"], 3);

    let (out, _) = world.run(&["export", "--format", "jsonl", "--with-arguments"], 0);
    let opening = format!("{{\"opens\":1,\"salt\":\"{}\",\"arguments\":{pin}}}", "01".repeat(16));
    assert_eq!(out.lines().nth(1), Some(&*opening));
    let (out, _) = world.run(&["export", "--format", "csv", "--with-arguments"], 0);
    assert!(
        out.starts_with("seq,at,kind,call,agent,client,tool,level,mode,run,salt,arguments,record\r\n"),
        "{out}"
    );
    let (out, _) = world.run(&["export", "--format", "jsonl"], 0);
    assert!(!out.contains("1234"), "{out}");

    // Somebody changes what is kept. The log is as good as before, and the state is not.
    commit(&world.state(), intent(3, Some(pin), r#"{"pin":"4321"}"#));
    world.seal();
    let (out, _) = world.run(&verify, 8);
    assert!(out.contains("good: what is called proven"), "{out}");
    assert!(
        out.ends_with("arguments   FAILED: those kept are not what these records commit to: 3\n"),
        "{out}"
    );
    let (out, _) = world.run(&["show", &call(3).to_string()], 8);
    assert!(out.ends_with("(NOT what the record commits to)\n"), "{out}");
    let (out, _) = world.run(&["export", "--format", "jsonl", "--with-arguments"], 0);
    assert!(!out.contains("4321"), "{out}");
}

/// Names a key of this one byte in the configuration file.
fn name_key(world: &World, byte: u8) {
    use std::os::unix::fs::PermissionsExt as _;
    let secret = world.path("secret");
    fs::write(&secret, format!("{byte:02x}").repeat(32)).unwrap();
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).unwrap();
    let text = format!("[payloads]\nkey = '${{file:{}}}'\n", secret.display());
    fs::write(world.path("placet.toml"), text).unwrap();
}

#[test]
fn arguments_that_are_encrypted_are_shown_to_whoever_has_the_key() {
    let world = World::new(0);
    let (pin, key) = (r#"{"pin":"1234"}"#, PayloadKey::new(&[9; 32]));
    commit_under(PayloadKeys::new(key.clone(), []), &world.state(), intent(1, Some(pin), pin));
    world.seal();
    let id = call(1).to_string();
    let (show, export) = (["show", &id], ["export", "--format", "jsonl", "--with-arguments"]);
    let verify = ["verify", "state/log", "--key", "state/ledger.pub", "--state", "state"];
    let with_key = [&verify[..], &["--config", "placet.toml"]].concat();

    let none = format!("sealed under key {}, and no `[payloads]` names a key", key.id());
    let (out, _) = world.run(&show, 0);
    assert!(out.ends_with(&format!("       arguments {none}\n")), "{out}");
    let (out, err) = world.run(&export, 0);
    assert!(!out.contains("opens"), "{out}");
    assert_eq!(err, format!("error: the arguments of 1 intents are not here: they are {none}\n"));
    let unread = |why: &str| {
        format!(
            "arguments   not checked: none are kept that a record commits to; 1 not checked, since they cannot be read: {why}"
        )
    };
    let (out, _) = world.run(&verify, 0);
    assert_eq!(out.lines().last(), Some(&*unread(&none)));

    name_key(&world, 8);
    let other = PayloadKey::new(&[8; 32]).id();
    let wrong = format!("sealed under key {}, which is not the one named in `[payloads]`, {other}", key.id());
    let (out, _) = world.run(&show, 0);
    assert!(out.ends_with(&format!("       arguments {wrong}\n")), "{out}");
    let (out, _) = world.run(&with_key, 0);
    assert_eq!(out.lines().last(), Some(&*unread(&wrong)));

    name_key(&world, 9);
    let (out, _) = world.run(&show, 0);
    assert!(out.ends_with("arguments {\"pin\": \"1234\"} (opens the commitment)\n"), "{out}");
    let (out, _) = world.run(&with_key, 0);
    assert_eq!(
        out.lines().last(),
        Some("arguments   proven: those of 1 intents are what the records commit to")
    );
    let (out, err) = world.run(&export, 0);
    assert!(out.contains("\"opens\":1") && out.contains(pin) && err.is_empty(), "{out}{err}");

    // A key that is not there is told, and what needs none is shown.
    fs::remove_file(world.path("secret")).unwrap();
    let (out, err) = world.run(&show, 0);
    assert!(out.ends_with(&format!("       arguments {none}\n")), "{out}");
    assert!(err.starts_with("error: `key` of `[payloads]`: cannot read `"), "{err}");
}

/// A witness in a process of its own, ended with the test.
struct Running {
    child: Child,
    address: String,
    key: String,
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn witness(folder: &Path, log: &Path) -> Running {
    let mut child = Command::new(env!("CARGO_BIN_EXE_placet"))
        .args(["audit", "witness", "--listen", "127.0.0.1:0", "--state"])
        .arg(folder.join("witness"))
        .arg("--key")
        .arg(folder.join("witness.key"))
        .arg("--log")
        .arg(log)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let (mut key, mut line) = (String::new(), String::new());
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut key).unwrap();
    BufReader::new(child.stderr.take().unwrap()).read_line(&mut line).unwrap();
    let address =
        line.trim().strip_prefix("listening on ").and_then(|text| text.strip_suffix("/add-checkpoint"));
    let address = address.unwrap_or_else(|| panic!("{line}")).to_owned();
    Running { child, address, key: key.trim().to_owned() }
}

#[test]
fn a_witness_sees_the_log_grow_and_finds_it_cut() {
    let world = World::new(10);
    let running = witness(world.folder.path(), &world.path("state/ledger.pub"));
    let cosign = ["cosign", "--witness", &running.address, "--witness-key", &running.key];
    let verify = ["verify", "state/log", "--key", "state/ledger.pub", "--witness", &running.key];
    let (out, _) = world.run(&verify, 8);
    assert!(out.contains("witnesses   FAILED: too few of the witnesses have cosigned"), "{out}");
    let (out, _) = world.run(&cosign, 0);
    assert!(out.contains("has seen the first 10 records"), "{out}");
    world.add(10..300);
    world.seal();
    let (out, _) = world.run(&verify, 0);
    assert!(out.contains("witnesses   proven: the first 10 records"), "{out}");
    assert!(out.contains("the last 290 records are not witnessed"), "{out}");
    world.run(&cosign, 0);
    world.run(&cosign, 0);
    let (out, _) = world.run(&verify, 0);
    assert!(out.contains("witnesses   proven: the first 300 records"), "{out}");
    // A proof carries the cosignature.
    world.run(&["prove", "3", "-o", "third"], 0);
    assert!(fs::read_to_string(world.path("third")).unwrap().contains("placet.local/witness/"));
    // What was lost here the witness still knows.
    fs::remove_file(world.path("state/log/checkpoint.witnessed")).unwrap();
    world.run(&cosign, 0);

    // The owner begins the log anew, shorter, with the same key.
    let key = fs::read(world.path("state/ledger.key")).unwrap();
    let other = World::new(0);
    fs::remove_dir_all(other.path("state/log")).unwrap_or(());
    fs::write(other.path("state/ledger.key"), key).unwrap();
    fs::copy(world.path("state/ledger.pub"), other.path("state/ledger.pub")).unwrap();
    other.add(1..200);
    other.seal();
    let (_, err) = other.run(&cosign, 8);
    assert!(err.contains("it has seen 300 records of this log, which now has 199"), "{err}");
    other.add(200..400);
    other.seal();
    let (_, err) = other.run(&cosign, 8);
    assert!(err.contains("did not cosign: this log is not the one whose beginning it has signed"), "{err}");
}

#[test]
fn a_witness_answers_what_is_no_request_and_goes_on() {
    let world = World::new(3);
    let running = witness(world.folder.path(), &world.path("state/ledger.pub"));
    let host = running.address.strip_prefix("http://").unwrap();
    let ask = |text: &str| {
        let mut stream = TcpStream::connect(host).unwrap();
        stream.write_all(text.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer.split(' ').nth(1).unwrap_or_default().to_owned()
    };
    let post = |extra: &str, body: &str| {
        let length = body.len();
        ask(&format!(
            "POST /add-checkpoint HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{extra}content-length: {length}\r\n\r\n{body}"
        ))
    };
    assert_eq!(post("", "rubbish"), "400");
    assert_eq!(post("origin: http://evil.example\r\n", "rubbish"), "403");
    assert_eq!(ask("GET /add-checkpoint HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"), "405");
    assert_eq!(
        ask("POST /other HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"),
        "404"
    );
    let checkpoint = fs::read_to_string(world.path("state/log/checkpoint")).unwrap();
    assert_eq!(post("", &format!("old 5\n\n{checkpoint}")), "400");
    assert_eq!(post("", &format!("old 2\n\n{checkpoint}")), "409");
    assert_eq!(post("", &format!("old 0\n\n{checkpoint}")), "200");
    assert_eq!(post("", &format!("old 0\n\n{checkpoint}")), "409");
    let unsigned = checkpoint.replacen("\n3\n", "\n4\n", 1);
    assert_eq!(post("", &format!("old 3\n\n{unsigned}")), "403");
    let stranger = checkpoint.replacen("placet.local", "elsewhere", 1);
    assert_eq!(post("", &format!("old 3\n\n{stranger}")), "404");
    // A second witness over the same memory is refused.
    let second = world.run(
        &[
            "witness",
            "--listen",
            "127.0.0.1:0",
            "--state",
            "witness",
            "--key",
            "witness.key",
            "--log",
            "state/ledger.pub",
        ],
        7,
    );
    assert!(second.1.contains("another witness uses this directory"), "{}", second.1);
    world.run(
        &["witness", "--listen", "0.0.0.0:0", "--state", "w", "--key", "k", "--log", "state/ledger.pub"],
        2,
    );
}
