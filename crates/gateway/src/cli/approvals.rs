//! `placet approvals`: calls that wait for people, shown as exactly what will run, and a person's answer to one.
//!
//! An answer is bound to what was shown: it carries a digest of it, and the node takes it for nothing else. A yes from
//! a terminal has the strength `terminal`. It proves that somebody had that person's secret, which on a laptop an
//! agent's process may have read too; a group that asks for more is not satisfied by it.

use std::{
    io::{self, BufRead as _, IsTerminal as _, Write as _},
    thread,
    time::Duration,
};

use clap::{Args, Subcommand};
use placet_engine::{
    call::CallId,
    diagnostic::inert,
    json::{Json, Limits, raw},
};
use sha2::{Digest as _, Sha256};

use super::{Exit, PlaceArguments, complain, orders, say};
use crate::credential;

/// Characters of one value that are shown at most; of a longer one the beginning, its length and its digest.
const VALUE_CHARS: usize = 2_000;

/// How often what waits is looked for.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

#[derive(Args, Debug)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// What waits, the oldest first, and what was answered lately
    List {
        /// Each as one line of JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        place: PlaceArguments,
    },
    /// One question: exactly what will run
    Show {
        /// Its name, `d_…`
        id: String,
        /// Long values whole
        #[arg(long)]
        full: bool,
        /// As one line of JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        place: PlaceArguments,
    },
    /// Say yes to this call, once
    Approve {
        /// Its name, `d_…`
        id: String,
        /// For which group, where you may speak for several that are asked
        #[arg(long)]
        group: Option<String>,
        /// Do not ask
        #[arg(long)]
        yes: bool,
        #[command(flatten)]
        who: Who,
    },
    /// Say no
    Deny {
        /// Its name, `d_…`
        id: String,
        /// Why, for the agent
        #[arg(long, default_value = "", value_name = "TEXT")]
        reason: String,
        #[command(flatten)]
        who: Who,
    },
    /// Wait, and say each question that comes
    Watch {
        #[command(flatten)]
        place: PlaceArguments,
    },
}

#[derive(Args, Debug)]
struct Who {
    /// Who you are, where this account has several people's secrets
    #[arg(long = "as", value_name = "PERSON")]
    person: Option<String>,
    #[command(flatten)]
    place: PlaceArguments,
}

pub(super) fn run(arguments: &Arguments) -> Exit {
    let done = match &arguments.command {
        Command::List { json, place } => list(*json, place),
        Command::Show { id, full, json, place } => show(id, *full, *json, place),
        Command::Approve { id, group, yes, who } => approve(id, group.as_deref(), *yes, who),
        Command::Deny { id, reason, who } => deny(id, reason, who),
        Command::Watch { place } => watch(place),
    };
    done.err().unwrap_or(Exit::Done)
}

fn list(json: bool, place: &PlaceArguments) -> Result<(), Exit> {
    let answer = orders::give(place, "questions", [])?;
    let questions = answer.get("questions").and_then(Json::as_array).unwrap_or_default();
    for question in questions {
        if !say(&if json { question.compact() } else { line(question) }) {
            return Ok(());
        }
    }
    if !json {
        match answer.get("more").and_then(Json::as_i64) {
            Some(more) if more > 0 => say(&format!("and {more} more")),
            _ if questions.is_empty() => say("nothing waits for a person"),
            _ => true,
        };
    }
    Ok(())
}

fn watch(place: &PlaceArguments) -> Result<(), Exit> {
    let mut told = std::collections::BTreeSet::new();
    loop {
        let answer = orders::give(place, "questions", [])?;
        let questions = answer.get("questions").and_then(Json::as_array).unwrap_or_default();
        let waits = |question: &&Json| text(question, "state") == "pending";
        for question in questions.iter().filter(waits) {
            if told.insert(text(question, "id").to_owned()) && !say(&line(question)) {
                return Ok(());
            }
        }
        thread::sleep(LOOK_AGAIN);
    }
}

fn show(id: &str, full: bool, json: bool, place: &PlaceArguments) -> Result<(), Exit> {
    let question = fetch(id, place)?;
    if json {
        say(&question.compact());
    } else {
        describe(&question, full).iter().all(|line| say(line));
    }
    Ok(())
}

fn approve(id: &str, group: Option<&str>, yes: bool, who: &Who) -> Result<(), Exit> {
    let question = fetch(id, &who.place)?;
    if !yes {
        confirm(&question)?;
    }
    let mut more = vec![("answer", Json::from("yes"))];
    if let Some(group) = group {
        more.push(("group", Json::from(group)));
    }
    let answered = answer(&question, who, more)?;
    say(&match text(&answered, "state") {
        "approved" => format!("{id} is approved, until {}", text(&answered, "good_until")),
        _ => format!("{id} has this yes, and waits for {}", texts(&answered, "missing")),
    });
    Ok(())
}

fn deny(id: &str, reason: &str, who: &Who) -> Result<(), Exit> {
    let question = fetch(id, &who.place)?;
    answer(&question, who, vec![("answer", Json::from("no")), ("note", Json::from(reason))])?;
    say(&format!("{id} is denied"));
    Ok(())
}

fn answer(question: &Json, who: &Who, more: Vec<(&str, Json)>) -> Result<Json, Exit> {
    let (person, secret) = credential::person(who.person.as_deref()).map_err(|why| {
        complain(&why, Some("`placet people add NAME` gives a person of the file a secret"));
        Exit::Usage
    })?;
    let said = [
        ("id", Json::from(text(question, "id"))),
        ("shown", Json::from(text(question, "shown"))),
        ("person", Json::from(person.as_str())),
        ("secret", Json::from(secret)),
    ];
    let answered = orders::give_all(&who.place, "answer", said.into_iter().chain(more).collect())?;
    answered.get("question").cloned().ok_or(Exit::Bug)
}

fn fetch(id: &str, place: &PlaceArguments) -> Result<Json, Exit> {
    if CallId::parse(id).is_none() {
        let hint = "`placet approvals list` shows what waits";
        complain("a question's name is `d_` and 20 characters", Some(hint));
        return Err(Exit::Usage);
    }
    let answer = orders::give(place, "question", [("id", Json::from(id))])?;
    answer.get("question").cloned().ok_or(Exit::Bug)
}

/// Shows the question on the terminal and asks. Whoever is not at one must have said `--yes`.
fn confirm(question: &Json) -> Result<(), Exit> {
    if !(io::stdin().is_terminal() && io::stderr().is_terminal()) {
        complain("nobody is here to be shown what will run", Some("`--yes` approves without asking"));
        return Err(Exit::Usage);
    }
    let mut err = io::stderr().lock();
    let shown: String = describe(question, false).into_iter().map(|line| line + "\n").collect();
    // If it cannot be shown it is not answered either.
    drop(write!(err, "{shown}run this, once? type `yes` to approve: ").and_then(|()| err.flush()));
    let mut said = String::new();
    match io::stdin().lock().read_line(&mut said) {
        Ok(_) if said.trim() == "yes" => Ok(()),
        Ok(_) | Err(_) => {
            complain("nothing was answered", None);
            Err(Exit::Refused)
        }
    }
}

fn line(question: &Json) -> String {
    let [id, state, level, agent, tool] =
        ["id", "state", "level", "agent", "tool"].map(|key| inert(text(question, key)).into_owned());
    let rest = match text(question, "state") {
        "pending" => format!("until {}, for {}", text(question, "expires_at"), texts(question, "missing")),
        "denied" => format!("by {}", text(question, "denied_by")),
        "approved" => format!("until {}", text(question, "good_until")),
        _ => String::new(),
    };
    format!("{id} {state:8} {level:7} {agent} {tool} {rest}").trim_end().to_owned()
}

/// Everything that will be sent, each value inert.
fn describe(question: &Json, full: bool) -> Vec<String> {
    let mut lines = vec![line(question)];
    for key in ["client", "asked_at"] {
        lines.push(format!("  {key:10} {}", inert(text(question, key))));
    }
    for key in ["controls", "votes"] {
        lines.push(format!("  {key:10} {}", texts(question, key)));
    }
    for (name, what) in [("arguments", "argument"), ("meta", "_meta")] {
        let whole = text(question, name);
        let members = raw::members(whole, &Limits { bytes: usize::MAX, ..Limits::EDGE });
        match members {
            Ok(members) if members.is_empty() && name == "arguments" => {
                lines.push("  no arguments".to_owned());
            }
            Ok(members) => lines.extend(members.iter().map(|member| {
                let value = value(member.value, full);
                format!("  {what} {} = {value}", inert(&member.key))
            })),
            // Erased, or not ours: shown as the text that it is.
            Err(_) => lines.push(format!("  {name} {}", value(whole, full))),
        }
    }
    lines.push(format!("  shown      sha256:{}", text(question, "shown")));
    lines
}

/// A value as it will be sent, with nothing in it that acts on a screen; a long one says how much is not shown.
fn value(text: &str, full: bool) -> String {
    let length = text.chars().count();
    if full || length <= VALUE_CHARS {
        return inert(text).into_owned();
    }
    let first: String = text.chars().take(VALUE_CHARS).collect();
    let digest = Sha256::digest(text.as_bytes());
    let digest = digest.iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"));
    let more = length - VALUE_CHARS;
    format!("{}… and {more} more characters ({} bytes, sha256:{digest})", inert(&first), text.len())
}

fn text<'a>(question: &'a Json, key: &str) -> &'a str {
    question.get(key).and_then(Json::as_str).unwrap_or_default()
}

fn texts(question: &Json, key: &str) -> String {
    let all = question.get(key).and_then(Json::as_array).unwrap_or_default();
    let all: Vec<_> = all.iter().filter_map(Json::as_str).map(inert).collect();
    if all.is_empty() { "nobody".to_owned() } else { all.join(", ") }
}

#[cfg(test)]
mod tests {
    use placet_engine::json::parse;

    use super::*;

    fn question(arguments: &str) -> Json {
        let quoted = Json::from(arguments).compact();
        let text = format!(
            r#"{{"id":"d_1","state":"pending","level":"delete","agent":"bot","tool":"crm/delete","client":"desk",
            "asked_at":"now","expires_at":"then","controls":["approval:oncall"],"votes":[],
            "missing":["approval:oncall (1 more)"],"arguments":{quoted},"meta":"{{}}","shown":"aa"}}"#
        );
        parse(text.as_bytes(), &Limits::EDGE).unwrap()
    }

    #[test]
    fn what_is_shown_is_what_will_be_sent_and_acts_on_no_screen() {
        let lines = describe(&question("{\"path\":\"\u{202e}gpj.exe\",\"x\":\"\\u001b[2J\"}"), false);
        assert!(lines.contains(&"  argument path = \"\\u{202e}gpj.exe\"".to_owned()), "{lines:#?}");
        assert!(lines.iter().all(|line| !line.contains(['\u{1b}', '\u{202e}'])), "{lines:#?}");
    }

    #[test]
    fn a_long_value_says_how_much_is_not_shown() {
        let spaces = format!("{{\"path\":\"{}/etc/passwd\"}}", " ".repeat(5_000));
        let lines = describe(&question(&spaces), false).join("\n");
        assert!(lines.contains("more characters (5013 bytes, sha256:"), "{lines}");
        let whole = describe(&question(&spaces), true).join("\n");
        assert!(whole.contains("/etc/passwd"), "{whole}");
    }

    #[test]
    fn what_was_erased_is_shown_as_nothing() {
        let lines = describe(&question(""), false);
        assert!(lines.contains(&"  arguments ".to_owned()), "{lines:#?}");
    }
}
