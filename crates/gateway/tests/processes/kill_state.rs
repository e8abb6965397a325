//! What is counted and promised, while the node is killed at any moment: budgets, once-only keys, stops, outcomes
//! and the ledger, held against what the tool server has seen.
//!
//! A round is clients that write at once, a person who stops and resumes, and some kills; then the node ends in
//! order and everything is looked at. What is unknown a person resolves by the server's own log; so in the end
//! what is spent is exactly what the server did.

use std::{
    collections::{BTreeMap, BTreeSet},
    env,
    fs::{self, File},
    path::PathBuf,
    process::Command,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use placet_engine::{
    call::CallId,
    cost::Amount,
    json::{Json, Limits, parse},
    state::Open,
};
use placet_store::sqlite::Reader;
use placet_testkit::{
    client::{Client, code, text},
    spy,
};

use crate::{Dice, Home, rounds};

const CLIENTS: u64 = 4;

/// Kills between two looks at everything.
const KILLS: usize = 5;

/// What may be spent in one round.
const A_ROUND: u64 = 50;

/// How the tools tell two calls apart: not at all, by a named argument, by a key that is sent.
const TOOLS: [&str; 3] = ["write_it", "pay_it", "order_it"];

/// What a person stops, and which tools that covers.
const SCOPES: [(&str, &[&str]); 4] = [
    ("tool:spy/pay_it", &["pay_it"]),
    ("label:money", &["pay_it", "order_it"]),
    ("agent:assistant", &TOOLS),
    ("everything", &TOOLS),
];

/// What is counted over all rounds.
#[derive(Default)]
struct Tally {
    answers: BTreeMap<String, u64>,
    /// Tokens of calls that were answered as done.
    done: BTreeSet<String>,
    stops: u64,
}

pub(crate) fn kill_state() {
    let home = Home::new();
    let tally = Mutex::new(Tally::default());
    let (mut kills, mut unknown) = (0, 0);
    let mut dice = Dice(0x51ed_270b_9f86_7c4d);
    let all = rounds(25).div_ceil(KILLS).max(2);
    for round in 0..all {
        configure(&home, (round as u64 + 1) * A_ROUND);
        kills += play(&home, round, &mut dice, &tally);
        // A node that was killed last leaves what another finds.
        home.run(&["call", "spy/read_it", "{\"token\":\"look\"}"]);
        end(&home);
        check(&home, (round as u64 + 1) * A_ROUND, &tally.lock().unwrap());
        unknown += resolve(&home);
        check(&home, (round as u64 + 1) * A_ROUND, &tally.lock().unwrap());
        verify(&home);
    }
    let tally = tally.into_inner().unwrap();
    println!(
        "{kills} kills, {} calls reached the tool, {unknown} were unknown, {} stops; answers {:?}",
        reached(&home).len(),
        tally.stops,
        tally.answers
    );
}

/// The file of a round; it grants more than the one before, and the account goes on.
fn configure(home: &Home, cap: u64) {
    let offers = home.path("offers.json");
    let tool = |name: &str| {
        format!(
            "{{\"name\":\"{name}\",\"inputSchema\":{{\"type\":\"object\",\"properties\":{{\"token\":{{\"type\":\"string\"}},\"amount\":{{\"type\":\"integer\"}}}},\"required\":[\"token\"]}}}}"
        )
    };
    let tools: Vec<_> = TOOLS.into_iter().chain(["read_it"]).map(tool).collect();
    fs::write(&offers, format!("{{\"tools\":[{}]}}", tools.join(","))).unwrap();
    let config = format!(
        "[servers.spy]\ncommand = [\"{}\", \"spy\", \"{}\", \"{}\"]\n[servers.spy.tools]\nread_it = \"read\"\n\
         write_it = {{ level = \"write\", cost = {{ usd = \"args.amount\" }} }}\n\
         pay_it = {{ level = \"write\", labels = [\"money\"], cost = {{ usd = \"args.amount\" }}, once = {{ by = [\"args.token\"] }} }}\n\
         order_it = {{ level = \"execute\", labels = [\"money\"], cost = {{ usd = \"args.amount\" }}, once = \"required\" }}\n\
         [agents.assistant]\nlevels = [\"read\", \"write\", \"execute\"]\n\
         [[budgets]]\nname = \"all of it\"\nfor = \"all\"\nper = \"total\"\nspend = \"{cap} usd\"\n{}",
        env::current_exe().unwrap().display(),
        home.log().display(),
        offers.display(),
        home.client("assistant", "spy"),
    );
    fs::write(home.path("config/placet/placet.toml"), config).unwrap();
}

/// One round; how often the node was killed in it.
fn play(home: &Home, round: usize, dice: &mut Dice, tally: &Mutex<Tally>) -> usize {
    // Odd while a stop is acknowledged and its end has not begun.
    let era = AtomicU64::new(0);
    let done = AtomicBool::new(false);
    let seeds: Vec<u64> = (0..=CLIENTS).map(|_| dice.below(u64::MAX - 1) + 1).collect();
    let mut kills = 0;
    std::thread::scope(|scope| {
        for number in 0..CLIENTS {
            let (era, done, seed) = (&era, &done, seeds[number as usize]);
            scope.spawn(move || {
                write(home, &format!("r{round}n{number}"), round, Dice(seed), era, done, tally)
            });
        }
        let (era, done, seed) = (&era, &done, seeds[CLIENTS as usize]);
        scope.spawn(move || stop_and_resume(home, round, Dice(seed), era, done, tally));
        while kills < KILLS {
            // As many looks at the node as the dice say are between two kills: no clock is asked.
            for _ in 0..=dice.below(20) {
                home.node();
            }
            if let Some(pid) = home.node() {
                Command::new("kill").args(["-9", &pid.to_string()]).status().unwrap();
                kills += 1;
            }
        }
        done.store(true, Ordering::Relaxed);
    });
    kills
}

/// A client that proposes one call after the other until it is told that the round is over.
fn write(
    home: &Home,
    name: &str,
    round: usize,
    mut dice: Dice,
    era: &AtomicU64,
    done: &AtomicBool,
    tally: &Mutex<Tally>,
) {
    let mut command = home.placet(&["mcp", "spy", "--client", "desk"]);
    let mut client = Client::start(command.stderr(std::process::Stdio::null())).unwrap();
    let mut call = 0;
    while !done.load(Ordering::Relaxed) {
        let tool = TOOLS[dice.below(3) as usize];
        let seen = era.load(Ordering::SeqCst);
        // Several clients come to the same token where a key makes them one, some of them later than others.
        let token = match tool {
            "write_it" => format!("{tool}:{name}c{call}e{seen}"),
            _ => format!("{tool}:r{round}k{}e-", call / 2 + dice.below(2)),
        };
        call += 1;
        let meta = match tool {
            "order_it" => format!(",\"_meta\":{{\"dev.placet/key\":\"{token}\"}}"),
            _ => String::new(),
        };
        let params = format!(
            "{{\"name\":\"{tool}\",\"arguments\":{{\"amount\":{},\"token\":\"{token}\"}}{meta}}}",
            amount(&token)
        );
        let id = client.ask("tools/call", &params).unwrap();
        let answer = client.answer(id).unwrap();
        let code = code(&answer);
        let is_done = text(&answer) == format!("done {token}");
        assert!(is_done != code.as_ref().is_some_and(|code| code != "replayed"), "{}", answer.compact());
        let mut tally = tally.lock().unwrap();
        let word = code.unwrap_or_else(|| "done".to_owned());
        *tally.answers.entry(word).or_default() += 1;
        if is_done {
            tally.done.insert(token);
        }
    }
}

/// What a call with this token costs: the same each time, or the key would be another's.
fn amount(token: &str) -> u64 {
    1 + token.bytes().map(u64::from).sum::<u64>() % 3
}

/// A person who stops something, and lets it go on.
fn stop_and_resume(
    home: &Home,
    round: usize,
    mut dice: Dice,
    era: &AtomicU64,
    done: &AtomicBool,
    tally: &Mutex<Tally>,
) {
    let mark = |word: &str, era: u64, scope: &str| spy::mark(&home.log(), &format!("{word} {era} {scope}"));
    while !done.load(Ordering::Relaxed) {
        let (scope, _) = SCOPES[dice.below(SCOPES.len() as u64) as usize];
        let what = if scope == "everything" { "--all" } else { scope };
        let was_told = home.run(&["stop", what, "--reason", "a test"]).0 == 0;
        if was_told {
            let odd = era.load(Ordering::SeqCst) + 1;
            mark("stopped", odd, scope).unwrap();
            era.store(odd, Ordering::SeqCst);
            tally.lock().unwrap().stops += 1;
            for _ in 0..dice.below(4) {
                home.node();
            }
            era.store(odd + 1, Ordering::SeqCst);
            mark("resumed", odd, scope).unwrap();
        }
        // Whether one that failed has been kept is not known; nor whether this one has, if it fails.
        let resume = ["resume", scope, "--reason", "the test goes on"];
        let is_over = || {
            let (exit, said) = home.run(&resume);
            exit == 0 || said.contains("is not stopped")
        };
        assert!(
            (0..50).any(|_| is_over()),
            "round {round}: {scope} cannot be resumed: {}",
            home.run(&resume).1
        );
    }
}

fn end(home: &Home) {
    let (exit, said) = home.run(&["node", "stop"]);
    assert_eq!(exit, 0, "{said}");
    spy::wait_for_end(&home.log()).unwrap();
    // It has been told; it is over when it lets go of its directory, with all that it has recorded sealed.
    File::options().write(true).open(home.state().join("lock")).unwrap().lock().unwrap();
}

/// Every line of the server's log but for marks and looks.
fn reached(home: &Home) -> Vec<String> {
    let lines = spy::reached(&home.log()).unwrap();
    lines.into_iter().filter(|line| line.contains(':') && !line.starts_with('#')).collect()
}

/// One allowed call as the records tell it.
#[derive(Debug)]
struct Told {
    call: CallId,
    token: String,
    ending: String,
}

/// What all records tell of each allowed call, in an order that can be.
fn told(home: &Home) -> Vec<Told> {
    let reader = Reader::open(&home.state()).unwrap();
    let mut calls: BTreeMap<CallId, Told> = BTreeMap::new();
    for (entry, seq) in reader.after(0, u32::MAX).unwrap().into_iter().zip(1..) {
        assert_eq!(entry.seq, seq, "the records have a hole");
        let record = parse(entry.body.as_bytes(), &Limits::EDGE).unwrap();
        let (Some(call), Some(kind)) = (entry.call, record.get("kind").and_then(Json::as_str)) else {
            continue;
        };
        match kind {
            "intent" => {
                let before = calls.get(&call).map(|told| told.ending.clone());
                assert!(
                    before.is_none_or(|before| before == "not_sent"),
                    "{call} was allowed twice: {record:?}"
                );
                let arguments = reader.call(call).unwrap().unwrap().intent.arguments;
                let arguments = parse(arguments.as_bytes(), &Limits::EDGE).unwrap();
                let token = arguments.get("token").and_then(Json::as_str).unwrap().to_owned();
                calls.insert(call, Told { call, token, ending: "running".to_owned() });
            }
            "outcome" => {
                let outcome = record.get("outcome").and_then(Json::as_str).unwrap();
                let told = calls.get_mut(&call).expect("an outcome has an intent");
                let follows = match told.ending.as_str() {
                    "running" => true,
                    "unknown" => outcome == "succeeded" || outcome == "failed",
                    _ => false,
                };
                assert!(follows, "{call} ended as {} and then as {outcome}", told.ending);
                told.ending = outcome.to_owned();
            }
            _ => {}
        }
    }
    // Looks cost nothing and are told apart by that.
    calls.into_values().filter(|told| told.token.contains(':')).collect()
}

/// What must hold whenever the node has ended in order.
fn check(home: &Home, cap: u64, tally: &Tally) {
    let (reached, told) = (reached(home), told(home));
    let seen: BTreeSet<&str> = reached.iter().map(String::as_str).collect();
    assert_eq!(seen.len(), reached.len(), "a call reached the tool twice");
    let known: BTreeSet<&str> = told.iter().map(|told| told.token.as_str()).collect();
    for token in &seen {
        assert!(known.contains(token), "{token} reached the tool without an intent");
    }
    for token in &tally.done {
        assert!(seen.contains(token.as_str()), "{token} was answered as done and never reached the tool");
    }
    for Told { call, token, ending } in &told {
        let was_seen = seen.contains(token.as_str());
        match ending.as_str() {
            "succeeded" => assert!(was_seen, "{call} ({token}) succeeded and never reached the tool"),
            // Its token may have got there by another call under its key.
            "not_sent" | "failed" => {}
            "unknown" => {}
            other => panic!("{call} ({token}) is {other} after a restart"),
        }
    }
    // What counts as spent: what the tool did, and of what nobody knows, all.
    let counts = |told: &&Told| matches!(told.ending.as_str(), "succeeded" | "unknown");
    let expected: u64 = told.iter().filter(counts).map(|told| amount(&told.token)).sum();
    let spending = Reader::open(&home.state()).unwrap().spending().unwrap();
    let sum = |part: fn(&placet_store::sqlite::Spending) -> Amount| {
        spending.iter().map(part).fold(Amount::default(), Amount::plus)
    };
    let (spent, held) = (sum(|spending| spending.spent), sum(|spending| spending.held));
    assert_eq!(spent.plus(held), Amount::whole(expected), "what is spent is not what was done");
    assert!(spent.plus(held) <= Amount::whole(cap), "more than {cap} was spent: {spent} and {held} held");
    check_stops(home);
}

/// A person says what became of each unknown call, as the server's log has it; how many there were.
fn resolve(home: &Home) -> usize {
    let reached = reached(home);
    // A call whose node ended before its first byte left was proposed anew to the next one: of several calls with
    // one token the tool saw one.
    let mut unclaimed: BTreeSet<_> = reached.iter().cloned().collect();
    for told in told(home).iter().filter(|told| told.ending == "succeeded") {
        assert!(unclaimed.remove(&told.token), "{told:?} succeeded besides another of its token");
    }
    let unknown = Reader::open(&home.state()).unwrap().open_calls(Open::Unknown).unwrap();
    let unknown: Vec<_> = unknown.into_iter().map(|call| call.intent).collect();
    let told: BTreeMap<_, _> = told(home).into_iter().map(|told| (told.call, told.token)).collect();
    let mut resolved = 0;
    for intent in &unknown {
        let Some(token) = told.get(&intent.call) else { continue };
        let word = if unclaimed.remove(token) { "--succeeded" } else { "--failed" };
        let id = intent.call.to_string();
        let (exit, said) = home.run(&["calls", "resolve", &id, word, "--evidence", "the server's log"]);
        assert_eq!(exit, 0, "{said}");
        resolved += 1;
        if resolved == 1 {
            let (exit, said) = home.run(&["calls", "resolve", &id, word, "--evidence", "once more"]);
            assert_ne!(exit, 0, "what is resolved was resolved again: {said}");
        }
    }
    if resolved > 0 {
        end(home);
    }
    assert!(told_open(home).is_empty(), "a call has no final outcome");
    // Now everything is known: what is spent is what the server did, to the cent.
    let expected: u64 = reached.iter().map(|token| amount(token)).sum();
    let spending = Reader::open(&home.state()).unwrap().spending().unwrap();
    let spent = spending.iter().fold(Amount::default(), |all, one| all.plus(one.spent).plus(one.held));
    assert_eq!(spent, Amount::whole(expected), "what is spent is not what the tool did");
    resolved
}

fn told_open(home: &Home) -> Vec<Told> {
    let told = told(home);
    told.into_iter().filter(|told| matches!(told.ending.as_str(), "running" | "unknown")).collect()
}

/// Between the acknowledgement of a stop and the order to resume nothing that it covers arrives, but for what was
/// proposed before it.
fn check_stops(home: &Home) {
    let mut standing: Option<(u64, &[&str])> = None;
    let mut late = 0;
    for line in spy::reached(&home.log()).unwrap() {
        let words: Vec<&str> = line.split(' ').collect();
        match words.as_slice() {
            ["#", "stopped", era, scope] => {
                let covered = SCOPES.iter().find(|(known, _)| known == scope).expect("a scope").1;
                (standing, late) = (Some((era.parse().unwrap(), covered)), 0);
            }
            ["#", "resumed", ..] => standing = None,
            _ => {
                let Some((stopped, covered)) = standing else { continue };
                let Some((tool, rest)) = line.split_once(':') else { continue };
                if !covered.contains(&tool) {
                    continue;
                }
                let era = rest.rsplit_once('e').and_then(|(_, era)| era.parse::<u64>().ok());
                assert!(
                    era.is_none_or(|era| era < stopped),
                    "{line} was proposed after a stop and arrived under it"
                );
                late += 1;
                assert!(late <= CLIENTS, "{line} arrived under a stop, after all that were out");
            }
        }
    }
}

/// The ledger verifies, and goes on from where it was when it was last looked at.
fn verify(home: &Home) {
    let (log, key) = (home.state().join("log"), home.state().join("ledger.pub"));
    let kept: PathBuf = home.path("kept");
    let path = |path: &PathBuf| path.to_str().unwrap().to_owned();
    let (log_path, key) = (path(&log), path(&key));
    let mut arguments = vec!["audit", "verify", &log_path, "--key", &key];
    let kept_path = path(&kept);
    if kept.exists() {
        arguments.extend(["--checkpoint", &kept_path]);
    }
    let (exit, said) = home.run(&arguments);
    assert_eq!(exit, 0, "{said}");
    let records = Reader::open(&home.state()).unwrap().tail(1).unwrap()[0].seq;
    assert!(said.contains(&records.to_string()), "not all {records} records are sealed: {said}");
    fs::copy(log.join("checkpoint"), kept).unwrap();
}
