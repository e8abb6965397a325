//! What a command is, and that a real shell reads what is accepted as the same words.

use super::*;
use proptest::prelude::*;
use std::{
    io::Write,
    process::{Command, Stdio},
};

fn wanted(programs: &[&str], argv_prefix: &[&str], never: &[&str]) -> CommandTest {
    let owned = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
    CommandTest::new(&Wanted {
        programs: owned(programs),
        argv_prefix: owned(argv_prefix),
        never: owned(never),
    })
    .unwrap()
}

#[test]
fn words_are_what_quotes_and_blanks_make_them() {
    for (text, want) in [
        ("git status", &["git", "status"][..]),
        ("  git\t status  ", &["git", "status"]),
        ("git commit -m 'a b'", &["git", "commit", "-m", "a b"]),
        ("git commit -m \"it's\"", &["git", "commit", "-m", "it's"]),
        ("echo 'a'\"b\"c", &["echo", "abc"]),
        ("echo ''", &["echo", ""]),
        ("echo '' \"\" x", &["echo", "", "", "x"]),
        ("echo '$HOME `id` ; rm * \\ !'", &["echo", "$HOME `id` ; rm * \\ !"]),
        ("echo \"a;b|c&d>e<f(g){h}*?[~#'\"", &["echo", "a;b|c&d>e<f(g){h}*?[~#'"]),
        ("make CC=gcc", &["make", "CC=gcc"]),
        ("curl https://corp.example/a,b+c@d%20e", &["curl", "https://corp.example/a,b+c@d%20e"]),
        ("echo h\u{e9}llo", &["echo", "h\u{e9}llo"]),
        ("'if' x", &["if", "x"]),
        ("'A=b' x", &["A=b", "x"]),
        ("echo if", &["echo", "if"]),
    ] {
        assert_eq!(words(text).unwrap(), want, "{text}");
    }
}

#[test]
fn what_a_shell_might_act_on_is_refused() {
    for text in [
        "git status; rm -r /",
        "git status;rm",
        "git status && rm x",
        "git status || rm x",
        "git status | sh",
        "git status & rm x",
        "git status &",
        "git log > /etc/passwd",
        "git log >> x",
        "git log 2>x",
        "git apply < /etc/passwd",
        "git apply <<< x",
        "diff <(id) x",
        "git log $(id)",
        "git log `id`",
        "git log \"$(id)\"",
        "git log \"`id`\"",
        "git log $HOME",
        "git log ${IFS}x",
        "git log \"$HOME\"",
        "git log $'\\x3b'",
        "git log \\; rm",
        "git log \\\nrm",
        "git log \"\\\"; rm \\\"\"",
        "git log\nrm x",
        "git log\rrm x",
        "git log '\n' x",
        "git log\0rm",
        "git log\u{b}x",
        "git log\u{a0}x",
        "git log\u{2003}x",
        "git log\u{2028}rm",
        "git log \u{202e}x",
        "git log '\u{202e}'",
        "git log\u{ff1b}rm",
        "git log *",
        "git log a?",
        "git log [a]",
        "git log {a,b}",
        "git log ~",
        "git log ~root",
        "git log a~",
        "git log # x",
        "git log a#b",
        "!rm",
        "git log !!",
        "git log \"!!\"",
        "^a^b",
        "(git log)",
        "{ git log",
        "git() x",
        "GIT_SSH=evil git fetch",
        "A= git",
        "A=\"x\" git",
        "A+=x git",
        "=git log",
        "git =log",
        "%1",
        "if git",
        "while git",
        "time rm x",
        "coproc rm x",
        "function rm",
        "'' git",
        "\"\"",
        "git 'log",
        "git \"log",
        "git log'",
        "",
        " \t",
    ] {
        assert!(words(text).is_err(), "{text:?}: {:?}", words(text));
    }
}

#[test]
fn a_program_is_the_first_word_and_nothing_like_it() {
    let git = wanted(&["git", "make"], &[], &[]);
    for (text, holds) in [
        ("git status", Some(true)),
        ("'git' status", Some(true)),
        ("g'i't status", Some(true)),
        ("make", Some(true)),
        ("rm git", Some(false)),
        ("env git", Some(false)),
        ("gitk", Some(false)),
        ("git.exe", Some(false)),
        ("/usr/bin/git status", None),
        ("./git status", None),
        ("GIT status", None),
        ("/tmp/Git", None),
        ("/usr/bin/gitk", Some(false)),
        ("g\u{456}t status", Some(false)),
    ] {
        assert_eq!(git.judge(&Json::from(text)).ok(), holds, "{text}");
    }
}

#[test]
fn a_command_begins_with_certain_words() {
    let status = wanted(&[], &["git", "status"], &[]);
    for (text, holds) in [
        ("git status", Some(true)),
        ("git status -s", Some(true)),
        ("git  'status'", Some(true)),
        ("git push", Some(false)),
        ("git statusx", Some(false)),
        ("git -C /x status", Some(false)),
        ("git", Some(false)),
        ("/bin/git status", None),
    ] {
        assert_eq!(status.judge(&Json::from(text)).ok(), holds, "{text}");
    }
}

#[test]
fn a_word_that_never_stands_there_does_not_hide() {
    let safe = wanted(&["git"], &[], &["--force", "-f", "-rf", "push"]);
    for (text, holds) in [
        ("git status", Some(true)),
        ("git log --format=x", Some(true)),
        ("git add -A", Some(true)),
        ("git x --", Some(true)),
        ("git x -", Some(true)),
        ("git --forced", Some(true)),
        ("git x force f pushed", Some(true)),
        ("git push", Some(false)),
        ("git x --force", Some(false)),
        ("git x '--force'", Some(false)),
        ("git x --force=yes", Some(false)),
        ("git x -f", Some(false)),
        ("git x --forc", None),
        ("git x --f", None),
        ("git x --fo=1", None),
        ("git x -af", None),
        ("git x -fa", None),
        ("git x -fr", None),
    ] {
        assert_eq!(safe.judge(&Json::from(text)).ok(), holds, "{text}");
    }
}

#[test]
fn a_list_of_words_is_read_by_no_shell() {
    let git = wanted(&["git"], &[], &[]);
    let list = |words: &[&str]| Json::from(words.iter().map(|word| Json::from(*word)).collect::<Vec<_>>());
    for (value, holds) in [
        (list(&["git", "log", "$(id); rm *\n"]), Some(true)),
        (list(&["git log"]), Some(false)),
        (list(&["sh", "-c", "git"]), Some(false)),
        (list(&[]), None),
        (list(&["", "git"]), None),
        (list(&["git", "a\0b"]), None),
        (Json::from(vec![Json::from("git"), Json::from(7)]), None),
        (Json::from(7), None),
        (Json::Null, None),
    ] {
        assert_eq!(git.judge(&value).ok(), holds, "{value}");
    }
    let many = Json::from(vec![Json::from("git"); limits::JUDGED_LIST_ITEMS + 1]);
    assert!(git.judge(&many).is_err());
    let large = Json::from(vec![Json::from("g".repeat(limits::JUDGED_TEXT_BYTES / 2 + 1)); 2]);
    assert!(git.judge(&large).is_err());
}

/// What a real shell makes of each text: it prints the words, each with a NUL behind it, and then a mark.
fn by_shell(shell: &str, texts: &[String]) -> Vec<Vec<String>> {
    let mut script = "argv() { for word do printf '%s\\0' \"$word\"; done; printf '\\001\\0'; }\n".to_owned();
    texts.iter().for_each(|text| script.push_str(&format!("argv {text}\n")));
    let mut child = Command::new(shell)
        .env_clear()
        .env("LC_ALL", "C.UTF-8")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    let writing = std::thread::spawn(move || input.write_all(script.as_bytes()).unwrap());
    let output = child.wait_with_output().unwrap();
    writing.join().unwrap();
    assert!(output.status.success());
    let output = String::from_utf8(output.stdout).unwrap();
    let mut read = vec![Vec::new()];
    for word in output.split_terminator('\0') {
        match word {
            "\u{1}" => read.push(Vec::new()),
            word => read.last_mut().unwrap().push(word.to_owned()),
        }
    }
    assert_eq!(read.pop(), Some(Vec::new()));
    read
}

#[test]
fn a_shell_reads_what_is_accepted_as_the_same_words() {
    // Rich in what shells act on; quotes and letters often, so that enough is accepted.
    const PIECES: [&str; 64] = [
        "a",
        "git",
        "-x",
        "b",
        "'",
        "'",
        "'",
        "\"",
        "\"",
        "\"",
        " ",
        " ",
        " ",
        "\t",
        "''",
        "\"\"",
        "' '",
        "\" \"",
        "';'",
        "\"|\"",
        "'$a'",
        "'`'",
        "'\\'",
        "'!'",
        "'\"'",
        "\"'\"",
        "'*'",
        "\"*\"",
        "'~'",
        "\"#\"",
        "'#'",
        "\"{a,b}\"",
        "\"\u{e9}\"",
        "\u{e9}",
        "\u{4e2d}",
        "\u{101}",
        "'\u{e9}'",
        "=",
        "A=b",
        ".",
        "/",
        ":",
        ",",
        "+",
        "@",
        "%",
        "%s",
        "_",
        "--",
        "$",
        "`",
        "\\",
        ";",
        "|",
        "&",
        "<",
        ">",
        "(",
        "*",
        "?",
        "[",
        "~",
        "#",
        "{a,b}",
    ];
    let mut state: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut next = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % u64::try_from(below).unwrap()).unwrap()
    };
    let mut accepted: Vec<(String, Vec<String>)> = Vec::new();
    for _ in 0..400_000 {
        let text: String = (0..=next(12)).map(|_| PIECES[next(PIECES.len())]).collect();
        if let Ok(words) = words(&text) {
            accepted.push((text, words));
        }
        if accepted.len() == 4000 {
            break;
        }
    }
    assert!(accepted.len() >= 500, "{} accepted", accepted.len());
    let texts: Vec<String> = accepted.iter().map(|(text, _)| text.clone()).collect();
    for shell in ["/bin/sh", "/bin/bash"].into_iter().filter(|shell| std::path::Path::new(shell).exists()) {
        let read = by_shell(shell, &texts);
        assert_eq!(read.len(), accepted.len(), "{shell}");
        for ((text, words), read) in accepted.iter().zip(&read) {
            assert_eq!(words, read, "{shell} reads {text:?} differently");
        }
    }
}

proptest! {
    #[test]
    fn any_text_is_words_or_refused(text in "\\PC{0,30}|[a-z'\"$ \\\\;|&=~#!*?]{0,20}") {
        if let Ok(words) = words(&text) {
            prop_assert!(!words.is_empty());
            prop_assert!(words.iter().all(|word| !word.contains('\0')));
        }
    }
}
