use proptest::prelude::*;

use super::{
    super::edit::{Document, Wiring, rewire, tests::texts},
    *,
};

const BEFORE: &str = "{ // mine\n \"mcpServers\": {\n  \"fs\": {\"command\": \"npx\", \"env\": {\"A\": \"on\\u0065\", \"B\": \"two\"}},\n  \"web\": {\"url\": \"x\"}\n }\n}";

/// A file that was rewired, its backup (as `restore` finds it, but in a folder of its own), and its text.
fn backup(folder: &Path) -> (Backup, String) {
    let (file, secrets) = (folder.join("client.json"), folder.join("secrets"));
    let document = Document::read(BEFORE).unwrap();
    let entry = document.entry("fs").unwrap().unwrap();
    let env = document.members(entry.value).unwrap().pop().unwrap();
    let mut taken = Vec::new();
    for (member, value) in document.members(env.value).unwrap().into_iter().zip(["one", "two"]) {
        let secret = secrets.join(&member.key);
        create_private(&secret, value).unwrap();
        taken.push(Taken { at: member.value, secret });
    }
    let wiring = Wiring { entry: "fs".into(), command: "/bin/placet".into(), args: vec!["mcp".into()] };
    let (after, values) = rewire(BEFORE, &[wiring]).unwrap();
    let kept = write_backup(
        &folder.join("backup"),
        &file,
        BEFORE,
        &after,
        &taken,
        &[("fs".into(), values[0].clone())],
    );
    (kept.unwrap(), after)
}

#[test]
fn a_backup_holds_no_usual_secret_and_gives_back_every_byte() {
    let folder = tempfile::tempdir().unwrap();
    let (backup, after) = backup(folder.path());
    assert!(!backup.before.contains("two") && !after.contains("two"), "{}", backup.before);
    assert!(Document::read(&backup.before).is_ok(), "a text with holes is JSON still");
    assert_eq!(backup.original().unwrap(), (BEFORE.to_owned(), true));
    fs::write(folder.path().join("secrets/B"), "new").unwrap();
    assert_eq!(backup.original().unwrap(), (BEFORE.replace("two", "new"), false));
    fs::write(folder.path().join("secrets/A"), "new").unwrap();
    assert_eq!(backup.original().unwrap().0, BEFORE.replace("two", "new").replace("on\\u0065", "new"));
    fs::remove_file(folder.path().join("secrets/A")).unwrap();
    assert!(backup.original().unwrap_err().contains("is needed to put a value back"));
}

#[test]
fn in_a_file_that_changed_only_our_entries_are_put_back() {
    let folder = tempfile::tempdir().unwrap();
    let (backup, after) = backup(folder.path());
    let back = |now: &str| {
        let mut remarks = Vec::new();
        entries(now, BEFORE, &backup.entries, &mut remarks).map(|text| (text, remarks))
    };
    let added = |text: &str| text.replace("\"url\": \"x\"", "\"url\": \"y\", \"more\": 1");
    assert_eq!(back(&added(&after)), Ok((added(BEFORE), vec![])));
    // The client wrote its file anew: the entry is ours still, however it is spaced.
    let now = r#"{"mcpServers":{"fs":{"args":["mcp"],"command":"\/bin/placet"}},"new":true}"#;
    let was = "{\"mcpServers\":{\"fs\":{\"command\": \"npx\", \"env\": {\"A\": \"on\\u0065\", \"B\": \"two\"}}},\"new\":true}";
    assert_eq!(back(now), Ok((was.to_owned(), vec![])));
    let (same, remarks) = back(r#"{"mcpServers":{}}"#).unwrap();
    assert_eq!((same.as_str(), remarks.len()), (r#"{"mcpServers":{}}"#, 1));
    assert!(
        back(r#"{"mcpServers":{"fs":{"command":"other"}}}"#)
            .unwrap_err()
            .contains("no longer what was written")
    );
    assert!(back("{}").is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn undone_is_as_if_never_done(text in texts(), other in ".{0,9}") {
        let document = Document::read(&text).unwrap();
        let entry = document.entry("fs").unwrap().unwrap();
        let wiring = Wiring { entry: "fs".into(), command: "/bin/placet".into(), args: vec![other] };
        let Ok((after, values)) = rewire(&text, &[wiring]) else { return Ok(()) };
        let folder = tempfile::tempdir().unwrap();
        let mut taken = Vec::new();
        let members = document.members(entry.value).unwrap();
        let env = members.into_iter().find(|member| member.key == "env");
        for member in env.map(|env| document.members(env.value).unwrap()).unwrap_or_default() {
            let secret = folder.path().join("secrets").join(&member.key);
            create_private(&secret, document.json(&member.value).unwrap().as_str().unwrap()).unwrap();
            taken.push(Taken { at: member.value, secret });
        }
        let changed = [("fs".to_owned(), values[0].clone())];
        let backup = folder.path().join("backup");
        let backup = write_backup(&backup, Path::new("/file"), &text, &after, &taken, &changed).unwrap();
        prop_assert_eq!(backup.original().unwrap(), (text.clone(), true));
        // By entries, what comes back is the entry to the byte and the rest as it is.
        let by_entries = entries(&after, &text, &backup.entries, &mut Vec::new()).unwrap();
        prop_assert_eq!(by_entries, text);
    }
}
