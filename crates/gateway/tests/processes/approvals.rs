//! A person's yes for exactly this call, through real processes: the agent's client waits, a person looks and answers
//! in a terminal, and the call runs once, or not.

use std::{fs, fs::OpenOptions, io::Write as _, path::PathBuf};

use placet_testkit::spy;

use super::{Client, Home, code};

/// A file in which a write asks two groups' people, of whom some have secrets.
fn home() -> Home {
    let home = Home::new();
    let file = home.path("config/placet/placet.toml");
    let mut config = OpenOptions::new().append(true).open(file).unwrap();
    let more = "\n[guards]\n\"spy/write_it\" = \"approval:oncall\"\n\n[approvers.oncall]\nstrength = \"terminal\"\n\n\
                [people.ana]\nmay = [\"approve:oncall\"]\n\n[people.bo]\nmay = [\"view\"]\n";
    config.write_all(more.as_bytes()).unwrap();
    for person in ["ana", "bo"] {
        let (exit, said) = home.run(&["people", "add", person]);
        assert_eq!(exit, 0, "{said}");
    }
    home
}

/// The one question that waits.
fn waiting(home: &Home) -> String {
    for _ in 0..400 {
        let (exit, said) = home.run(&["approvals", "list"]);
        assert_eq!(exit, 0, "{said}");
        if let Some(line) = said.lines().find(|line| line.contains(" pending ")) {
            return line.split(' ').next().unwrap().to_owned();
        }
    }
    panic!("nothing waits");
}

pub(super) fn approvals() {
    let home = home();
    let mut client = Client::start(&mut home.placet(&["mcp", "--client", "desk"])).unwrap();
    let mut propose = |token: &str| client.call("write_it", token).unwrap();

    // Nothing runs before the yes; after it the call that waits runs, once.
    let call = propose("first");
    let id = waiting(&home);
    let (_, shown) = home.run(&["approvals", "show", &id]);
    assert!(shown.contains("argument token = \"first\""), "{shown}");
    assert!(spy::reached(&home.log()).unwrap().is_empty());
    let (exit, said) = home.run(&["approvals", "approve", &id, "--yes", "--as", "bo"]);
    assert!(
        exit == 3 && said.contains("it asks no group for which this person may approve"),
        "{exit} {said}"
    );
    let (exit, said) = home.run(&["approvals", "approve", &id, "--as", "ana"]);
    assert!(exit == 2 && said.contains("nobody is here to be shown what will run"), "{exit} {said}");
    let (exit, said) = home.run(&["approvals", "approve", &id, "--yes", "--as", "ana"]);
    assert!(exit == 0 && said.contains("is approved"), "{exit} {said}");
    let answer = client.answer(call).unwrap();
    assert_eq!(code(&answer), None, "{}", answer.compact());
    assert_eq!(spy::reached(&home.log()).unwrap(), ["first"]);
    let (exit, said) = home.run(&["approvals", "approve", &id, "--yes", "--as", "ana"]);
    assert!(exit == 3 && said.contains("it is used already"), "{exit} {said}");

    // No is no, in the person's words, and for as long as the question would have waited.
    let call = client.call("write_it", "second").unwrap();
    let id = waiting(&home);
    let (exit, said) =
        home.run(&["approvals", "deny", &id, "--reason", "not before the audit", "--as", "ana"]);
    assert_eq!(exit, 0, "{said}");
    for call in [call, client.call("write_it", "second").unwrap()] {
        let answer = client.answer(call).unwrap();
        assert_eq!(code(&answer).as_deref(), Some("approval_denied"), "{}", answer.compact());
        assert!(answer.compact().contains("not before the audit"), "{}", answer.compact());
    }

    // An agent's secret is nobody's, whatever name it comes under.
    let call = client.call("write_it", "third").unwrap();
    let id = waiting(&home);
    let key = |person: &str| -> PathBuf { home.path(&format!("config/placet/people/{person}.key")) };
    let anas = fs::read_to_string(key("ana")).unwrap();
    fs::write(key("ana"), super::secret_of("desk")).unwrap();
    let (exit, said) = home.run(&["approvals", "approve", &id, "--yes", "--as", "ana"]);
    assert!(exit == 3 && said.contains("not this person's secret"), "{exit} {said}");
    fs::write(key("ana"), anas).unwrap();
    // What is stopped is not answered, and whoever waits for it is told.
    assert_eq!(home.run(&["stop", "--all"]).0, 0);
    let answer = client.answer(call).unwrap();
    assert_eq!(code(&answer).as_deref(), Some("stopped"), "{}", answer.compact());
    let (exit, said) = home.run(&["approvals", "approve", &id, "--yes", "--as", "ana"]);
    assert!(exit == 3 && said.contains("resume first"), "{exit} {said}");
    assert_eq!(home.run(&["resume", "--reason", "the test goes on"]).0, 0);

    // The question outlives its node, and so does the yes; the same call has it.
    assert_eq!(client.leave().unwrap().code(), Some(0));
    assert_eq!(home.run(&["node", "stop"]).0, 0);
    let (exit, said) = home.run(&["approvals", "approve", &id, "--yes", "--as", "ana"]);
    assert_eq!(exit, 0, "{said}");
    assert_eq!(home.run(&["node", "stop"]).0, 0);
    let mut client = Client::start(&mut home.placet(&["mcp", "--client", "desk"])).unwrap();
    let call = client.call("write_it", "third").unwrap();
    let answer = client.answer(call).unwrap();
    assert_eq!(code(&answer), None, "{}", answer.compact());
    client.leave().unwrap();
    assert_eq!(spy::reached(&home.log()).unwrap(), ["first", "third"]);
    let records = home.run(&["audit", "export", "--format", "jsonl"]).1;
    let votes = records.lines().filter(|line| line.contains("\"votes\":[\"ana oncall terminal\"]")).count();
    assert_eq!(votes, 2, "{records}");
}
