use proptest::prelude::*;

use super::*;
use crate::json::{Limits, parse};

fn own() -> OwnFiles {
    let paths = ["/home/ana/.bashrc", "/home/ana/.config/placet", "/srv/x/../placet/state/"];
    OwnFiles::new(paths.map(str::to_owned), false)
        .at_home("/home/ana", Some("ana"))
        .with_base(server("known"), Base::Known("/home/ana/work".to_owned()))
        .with_base(server("guessed"), Base::Guessed(vec!["/".to_owned(), "/home/ana".to_owned()]))
}

fn server(name: &str) -> ServerName {
    name.parse().unwrap()
}

fn leads(text: &str, of: &str) -> bool {
    own().touched(&server(of), &Json::from(text)).is_some()
}

#[test]
fn a_text_that_leads_to_such_a_file_or_covers_it_is_found_however_it_is_written() {
    for text in [
        "/home/ana/.bashrc",
        "/home/ana/.bashrc/",
        "//home//ana/./.bashrc",
        "/home/ana/x/../.bashrc",
        "/../home/ana/.bashrc",
        "/home/ana/.config/placet/placet.toml",
        "/home/ana/.config/placet/clients/desk.key",
        "/home/ana/.config",
        "/home/ana",
        "/home",
        "/",
        "/..",
        "/srv/placet/state/placet.db",
        "~/.bashrc",
        "~ana/.bashrc",
        "~",
        "~/",
        "~/x/..",
        "$HOME/.bashrc",
        "${HOME}/.bashrc",
        "file:///home/ana/.bashrc",
        "file://localhost/home/ana/.bashrc",
        "FILE:/home/ana/.bashrc",
        "file:///home/ana/%2Ebashrc",
        "file:///home/ana/.bashrc?x#y",
        "/home/ana/%2e%62ashrc",
        " /home/ana/.bashrc\n",
        "/home/ana/.bashrc\0.txt",
        "/proc/self/root/home/ana/.bashrc",
        "/proc/1/root/proc/2/root/home/ana/.bashrc",
        "/proc/self/root",
    ] {
        assert!(leads(text, "other"), "{text:?}");
    }
}

#[test]
fn a_text_that_leads_elsewhere_is_left_alone() {
    for text in [
        "",
        " ",
        "42",
        "/home/ana2/.bashrc",
        "/home/ana/.bashrc2",
        "/home/ana/work/a.rs",
        "/home/ana/.config/other",
        "/srv/placet/other",
        "/proc/self/status",
        "/proc",
        "~/work",
        "~bo/.bashrc",
        "$HOMES/.bashrc",
        "see /home/ana/.bashrc",
        "cat /home/ana/.bashrc",
        "https://home/ana/.bashrc",
        "file:///home/ana/work",
        "file:",
        "%",
        "/%zz",
        "and/or",
        ".",
        "..",
        ".bashrc",
    ] {
        assert!(!leads(text, "other"), "{text:?}");
    }
}

#[test]
fn a_relative_path_is_taken_from_where_the_server_takes_it() {
    for (text, of, found) in [
        ("../.bashrc", "known", true),
        ("./../.bashrc", "known", true),
        ("..", "known", true),
        ("../..", "known", true),
        ("x/../../.config/placet/placet.toml", "known", true),
        ("https://../../.bashrc", "known", true),
        (".", "known", false),
        (".bashrc", "known", false),
        (".bashrc", "guessed", true),
        (".config/placet/x", "guessed", true),
        ("home/ana/.bashrc", "guessed", true),
        // They may cover one, and stand in nearly every call.
        (".", "guessed", false),
        ("home", "guessed", false),
        (".config", "guessed", false),
    ] {
        assert_eq!(leads(text, of), found, "{text} of {of}");
    }
}

#[test]
fn a_file_in_a_folder_of_somebody_elses_does_not_close_the_folder() {
    let own = own().and_alone(["/repo/.mcp.json".to_owned()]);
    for (text, found) in [
        ("/repo/.mcp.json", true),
        ("/repo/x/../.mcp.json", true),
        ("/repo", false),
        ("/repo/", false),
        ("/repo/src", false),
    ] {
        assert_eq!(own.touched(&server("other"), &Json::from(text)).is_some(), found, "{text}");
    }
}

#[test]
fn a_server_that_runs_inside_one_reaches_nothing() {
    let own = own().with_base(server("inside"), Base::Known("/home/ana/y/../.config/placet/x/".to_owned()));
    for text in ["a", "a/b", "."] {
        assert!(own.touched(&server("inside"), &Json::from(text)).is_some(), "{text}");
    }
}

#[test]
fn every_text_is_looked_at_and_the_argument_is_named() {
    for (arguments, named) in [
        (r#"{"a": {"b": [1, {"c": "~/.bashrc"}]}}"#, Some("args.a.b[1].c")),
        (r#"{"files": {"/home/ana/.bashrc": "alias"}}"#, Some("args.files./home/ana/.bashrc")),
        (r#"{"x": "a", "y": ["b", "/"]}"#, Some("args.y[1]")),
        (r#"{"x": null, "y": [true, 1.5], "z": {}}"#, None),
    ] {
        let arguments = parse(arguments.as_bytes(), &Limits::EDGE).unwrap();
        assert_eq!(own().touched(&server("other"), &arguments).as_deref(), named);
    }
}

#[test]
fn where_the_disk_folds_case_so_is_it_here() {
    let paths = ["/Users/Ana/.zshrc".to_owned()];
    let (folding, exact) = (OwnFiles::new(paths.clone(), true), OwnFiles::new(paths, false));
    let text = Json::from("/users/ANA/.ZSHRC");
    assert!(folding.touched(&server("fs"), &text).is_some());
    assert!(exact.touched(&server("fs"), &text).is_none());
}

#[test]
fn what_is_not_absolute_and_the_root_itself_protect_nothing() {
    let own = OwnFiles::new(["x".to_owned(), "/".to_owned(), "/a/..".to_owned(), String::new()], false);
    assert!(own.is_empty());
    assert_eq!(own.touched(&server("fs"), &Json::from("/")), None);
}

proptest! {
    /// The reference resolves names one by one, as the system does where there are no links.
    #[test]
    fn a_path_is_found_exactly_if_it_is_above_or_below_once_resolved(text in "/[/.a]{0,8}(home/ana|\\.bashrc|srv)?[/.]{0,5}(\\.bashrc|placet)?") {
        let mut at = Vec::new();
        for name in text.split('/') {
            match name {
                "" | "." => {}
                ".." => drop(at.pop()),
                name => at.push(name),
            }
        }
        let places = [vec!["home", "ana", ".bashrc"], vec!["home", "ana", ".config", "placet"], vec!["srv", "placet", "state"]];
        let wanted = places.iter().any(|place| place.starts_with(&at) || at.starts_with(place));
        prop_assert_eq!(leads(&text, "other"), wanted, "{}", text);
    }
}
