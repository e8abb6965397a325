//! A key of payloads, as a node finds it: what it tells, what its files do not show, and that it does not start
//! without it.

use std::{
    fs::{self, File, OpenOptions},
    io::Write as _,
    os::unix::fs::PermissionsExt as _,
};

use super::Home;

const SECRET: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

pub(super) fn payloads() {
    let home = Home::new();
    assert_eq!(told(&home), "payloads: kept in plain text");
    let secret = home.path("payload-key");
    fs::write(&secret, SECRET).unwrap();
    File::open(&secret).and_then(|file| file.set_permissions(fs::Permissions::from_mode(0o600))).unwrap();
    let mut config = OpenOptions::new().append(true).open(home.path("config/placet/placet.toml")).unwrap();
    write!(config, "\n[payloads]\nkey = '${{file:{}}}'\n", secret.display()).unwrap();
    let under = told(&home);
    assert!(under.starts_with("payloads: encrypted under ") && !under.contains("0123"), "{under}");

    let token = "a-secret-token";
    let arguments = format!("{{\"token\":\"{token}\"}}");
    let call = || home.run(&["call", "spy/write_it", &arguments, "--key", "once"]);
    assert_eq!(call(), (0, format!("done {token}\n")));
    // Its result is kept, and handed out again by another node too.
    assert_eq!(home.run(&["node", "stop"]).0, 0);
    assert_eq!(call().0, 0);
    assert_eq!(home.run(&["node", "stop"]).0, 0);
    for file in ["placet.db", "placet.db-wal"] {
        let bytes = fs::read(home.state().join(file)).unwrap_or_default();
        assert!(!bytes.windows(token.len()).any(|window| window == token.as_bytes()), "{file}");
    }
    let log = fs::read_to_string(home.state().join("node.log")).unwrap();
    assert!(log.contains(&under) && !log.contains("0123"), "{log}");

    // What is no key starts no node, and is not repeated.
    fs::write(&secret, &SECRET[1..]).unwrap();
    for command in [&["call", "spy/write_it", &arguments][..], &["node", "run"], &["check"]] {
        let (exit, said) = home.run(command);
        assert!(exit != 0 && said.contains("`key` of `[payloads]`"), "{command:?}: {exit} {said}");
        assert!(said.contains("does not hold one") && !said.contains("12345"), "{command:?}: {said}");
    }
}

/// The line about payloads of `placet check`.
fn told(home: &Home) -> String {
    let (exit, said) = home.run(&["check"]);
    assert_eq!(exit, 0, "{said}");
    said.lines().find(|line| line.starts_with("payloads")).unwrap_or_default().to_owned()
}
