//! Erasing, as a person has it done: values go, proofs stay, and both verifiers say so.

use std::{
    fs,
    path::Path,
    process::{Command, Output},
    time::{Duration, Instant},
};

use super::Home;

/// The second verifier over the log of this home.
fn other_verifier(home: &Home, kept: &Path) -> Output {
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tools/placet-verify.py");
    let state = home.state();
    let mut command = Command::new("python3");
    command.arg(program).arg(state.join("log")).arg("--key").arg(state.join("ledger.pub"));
    command.arg("--checkpoint").arg(kept).arg("--json").output().unwrap()
}

/// How many records both verifiers find good, once at least `wanted` are sealed.
fn proven(home: &Home, kept: &Path, wanted: u64) -> u64 {
    let state = home.state();
    let (log, key) = (state.join("log"), state.join("ledger.pub"));
    let [log, key, kept_text] = [log.as_path(), &key, kept].map(|path| path.to_str().unwrap().to_owned());
    let since = Instant::now();
    loop {
        let verify = ["audit", "verify", &log, "--key", &key, "--checkpoint", &kept_text, "--json"];
        let (exit, ours) = home.run(&verify);
        let theirs = other_verifier(home, kept);
        let size = ours.split("\"size\":").nth(1).and_then(|rest| rest.split(',').next()?.parse().ok());
        if size.is_some_and(|size: u64| size >= wanted) && ours.as_bytes() == theirs.stdout {
            assert_eq!((exit, theirs.status.code()), (0, Some(0)), "{ours}");
            return size.unwrap_or(0);
        }
        assert!(since.elapsed() < Duration::from_secs(20), "{ours}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

pub(super) fn erase() {
    let home = Home::new();
    let token = "a-secret-token";
    let call = |more: &[&str]| {
        let arguments = format!("{{\"token\":\"{token}\"}}");
        home.run(&[&["call", "spy/write_it", &arguments], more].concat())
    };
    assert_eq!(call(&[]), (0, format!("done {token}\n")));
    let state = home.state();
    let since = Instant::now();
    while !state.join("log/checkpoint").exists() {
        assert!(since.elapsed() < Duration::from_secs(20), "nothing is sealed");
        std::thread::sleep(Duration::from_millis(50));
    }
    let kept = home.path("kept");
    fs::copy(state.join("log/checkpoint"), &kept).unwrap();
    let before = proven(&home, &kept, 3);
    let records = home.run(&["audit", "export", "--format", "jsonl"]).1;
    let intent = records.lines().find(|line| line.contains("\"kind\":\"intent\"")).unwrap();
    assert!(intent.contains("\"commitment\":\"placet-fields-v1:") && !intent.contains(token), "{intent}");
    let id = intent.split("\"call\":\"").nth(1).unwrap().split('"').next().unwrap();
    let show = || home.run(&["audit", "show", id]);
    assert!(show().1.contains("(opens the commitment)"), "{}", show().1);
    let with_state = ["--state", state.to_str().unwrap()];
    let proof = home.path("proof");
    let prove = ["audit", "prove", "2", "-o", proof.to_str().unwrap()];
    assert_eq!(home.run(&prove).0, 0);

    // Nobody is here to be asked; and nothing is that old.
    let (exit, said) = home.run(&["audit", "erase", "--older", "0s"]);
    assert!(exit == 2 && said.contains("--yes"), "{exit} {said}");
    assert_eq!(home.run(&["audit", "erase", "--older", "soon", "--yes"]).0, 2);
    let (exit, said) = home.run(&["audit", "erase", "--older", "7d", "--yes"]);
    assert_eq!(
        (exit, said.lines().next()),
        (0, Some("erased: the arguments of 0 calls, 0 kept results; recorded"))
    );
    assert!(show().1.contains("(opens the commitment)"));

    let erase = ["audit", "erase", "--older", "0s", "--yes", "--reason", "they asked", "--rebuild"];
    let (exit, said) = home.run(&erase);
    assert_eq!((exit, said.as_str()), (0, "erased: the arguments of 1 calls, 0 kept results; recorded\n"));
    let (exit, said) = show();
    assert!(exit == 0 && said.contains("arguments erased") && !said.contains(token), "{said}");
    for name in ["placet.db", "placet.db-wal"] {
        let bytes = fs::read(state.join(name)).unwrap_or_default();
        assert!(
            !bytes.windows(token.len()).any(|window| window == token.as_bytes()),
            "{name} holds it still"
        );
    }

    // Everything is proven as before, and two erasures besides.
    let after = proven(&home, &kept, before + 2);
    assert!(after >= before + 2);
    let again = home.run(&["audit", "export", "--format", "jsonl", "--with-arguments"]).1;
    assert!(again.starts_with(&records) && !again.contains("\"opens\""), "{again}");
    assert!(again.contains("\"kind\":\"erase\"") && again.contains("\"reason\":\"they asked\""), "{again}");
    let key = state.join("ledger.pub");
    let check = ["audit", "check-proof", proof.to_str().unwrap(), "--key", key.to_str().unwrap()];
    assert_eq!(home.run(&check).0, 0);
    let log = state.join("log");
    let verify = ["audit", "verify", log.to_str().unwrap(), "--key", key.to_str().unwrap()];
    let (exit, said) = home.run(&[&verify[..], &with_state].concat());
    let line = "arguments   not checked: none are kept that a record commits to; 1 erased (erasures of 1 are recorded)";
    assert_eq!((exit, said.lines().last()), (0, Some(line)));

    // The node serves on.
    assert_eq!(call(&[]).0, 0);
}
