//! What `placet mcp` adds to a read, beside what bare processes in its place would add, in one run.
//!
//! Prints medians of calls one at a time, then sizes and starting times. The same program is the tool server,
//! and the process that only copies bytes. Nothing is asserted: figures are for reading.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a measurement that cannot go on should say so and end"
)]

use std::{
    env, fs, io,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use placet_engine::json::{Json, Limits, parse};
use placet_testkit::{client::Client, spy};
use sha2::{Digest as _, Sha256};

const CALLS: usize = 400;
const ROUNDS: usize = 7;

fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match arguments.first().map(String::as_str) {
        Some("spy") => spy::serve(Path::new(&arguments[1]), None).expect("the tool server serves"),
        Some("copy") => copy(&arguments[1..]),
        _ => measure(),
    }
}

/// Stands before a command and copies bytes both ways, with blocking reads and writes.
fn copy(command: &[String]) {
    let mut child = Command::new(&command[0])
        .args(&command[1..])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the command starts");
    let (mut stdin, mut stdout) = (child.stdin.take().expect("stdin"), child.stdout.take().expect("stdout"));
    std::thread::spawn(move || {
        pass(&mut io::stdin().lock(), &mut stdin);
        drop(stdin);
    });
    pass(&mut stdout, &mut io::stdout().lock());
    child.wait().expect("the command ends");
}

fn pass(from: &mut impl io::Read, to: &mut impl io::Write) {
    let mut buffer = [0; 64 << 10];
    while let Ok(read) = from.read(&mut buffer) {
        if read == 0 || to.write_all(&buffer[..read]).and_then(|()| to.flush()).is_err() {
            return;
        }
    }
}

struct Home(tempfile::TempDir);

impl Home {
    fn placet(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_placet"));
        command.args(arguments).stderr(Stdio::null()).env("HOME", self.0.path());
        command.env("XDG_CONFIG_HOME", self.path("config")).env("XDG_STATE_HOME", self.path("state"));
        command.env("XDG_RUNTIME_DIR", self.path("run")).env_remove("PLACET_STATE");
        command
    }

    fn path(&self, below: &str) -> PathBuf {
        self.0.path().join(below)
    }
}

fn home(exe: &Path) -> Home {
    use std::os::unix::fs::PermissionsExt as _;
    let home = Home(tempfile::tempdir().expect("a folder"));
    fs::create_dir_all(home.path("config/placet/clients")).expect("folders");
    fs::create_dir_all(home.path("run")).expect("folders");
    let key = home.path("config/placet/clients/desk.key");
    fs::write(&key, "a secret").expect("a key");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).expect("a private key");
    let digest: String = Sha256::digest(b"a secret").iter().map(|byte| format!("{byte:02x}")).collect();
    let config = format!(
        "[servers.spy]\ncommand = [\"{}\", \"spy\", \"{}\"]\n[servers.spy.tools]\nread_it = \"read\"\nwrite_it = \"write\"\n\
         [clients.desk]\ncredential = \"sha256:{digest}\"\nagent = \"a\"\nservers = [\"spy\"]\n[agents.a]\nlevels = [\"read\", \"write\"]\n",
        exe.display(),
        home.path("reached.log").display()
    );
    fs::write(home.path("config/placet/placet.toml"), config).expect("a file");
    home
}

fn measure() {
    let exe = env::current_exe().expect("this program");
    let home = home(&exe);
    let log = home.path("reached.log").display().to_string();
    let exe_text = exe.display().to_string();
    let spy = [exe_text.as_str(), "spy", log.as_str()];
    let command = |words: &[&str]| {
        let mut command = Command::new(words[0]);
        command.args(&words[1..]).stderr(Stdio::null());
        command
    };
    let inline: Vec<&str> =
        ["mcp", "--read", "read_it", "--write", "write_it", "--"].into_iter().chain(spy).collect();
    let mut ways: Vec<(&str, Client)> = vec![
        ("direct", Client::start(&mut command(&spy)).expect("direct")),
        (
            "one copying process",
            Client::start(&mut command(&[&[spy[0], "copy"], &spy[..]].concat())).expect("one"),
        ),
        (
            "two copying processes",
            Client::start(&mut command(&[&[spy[0], "copy", spy[0], "copy"], &spy[..]].concat()))
                .expect("two"),
        ),
        ("placet mcp, node inside", Client::start(&mut home.placet(&inline)).expect("inside")),
        (
            "placet mcp, attached",
            Client::start(&mut home.placet(&["mcp", "--client", "desk"])).expect("attached"),
        ),
    ];
    let mut medians = vec![Vec::new(); ways.len()];
    // In turn, so that what the machine does besides is shared by all.
    for round in 0..=ROUNDS {
        for (way, (_, client)) in ways.iter_mut().enumerate() {
            let median = median_of_calls(client, "read_it", CALLS);
            if round > 0 {
                medians[way].push(median);
            }
        }
    }
    let direct = median(&mut medians[0]);
    println!("a read, one in flight, median of {ROUNDS} rounds of {CALLS} calls:");
    for ((name, _), medians) in ways.iter().zip(&mut medians) {
        let this = median(medians);
        println!(
            "  {name:24} {:7.1} µs   added {:7.1} µs",
            micros(this),
            micros(this.saturating_sub(direct))
        );
    }
    let write = median_of_calls(&mut ways[4].1, "write_it", 100);
    println!("a write, attached, its intent on disk first: {:.1} µs", micros(write));

    println!("resident, idle:");
    let thin = ways[4].1.process().id();
    println!("  thin client {:6.1} MiB", resident(thin));
    let status = home.placet(&["node", "status", "--json"]).output().expect("status");
    let status =
        parse(String::from_utf8_lossy(&status.stdout).trim().as_bytes(), &Limits::EDGE).expect("status");
    let node =
        status.get("pid").and_then(Json::as_i64).and_then(|pid| u32::try_from(pid).ok()).expect("a node");
    println!("  node        {:6.1} MiB", resident(node));

    println!("from start to the answer to `initialize`, median of 9:");
    let starts: [(&str, &dyn Fn() -> Command); 3] = [
        ("server alone", &|| command(&spy)),
        ("placet mcp, node inside", &|| home.placet(&inline)),
        ("placet mcp, node running", &|| home.placet(&["mcp", "--client", "desk"])),
    ];
    for (name, start) in starts {
        let mut times: Vec<_> = (0..9)
            .map(|_| {
                let begun = Instant::now();
                let client = Client::start(&mut start()).expect("it starts");
                let took = begun.elapsed();
                drop(client);
                took
            })
            .collect();
        println!("  {name:24} {:7.1} ms", micros(median(&mut times)) / 1_000.0);
    }
    drop(ways);
    home.placet(&["node", "stop"]).status().expect("the node ends");
}

fn median_of_calls(client: &mut Client, tool: &str, calls: usize) -> Duration {
    let mut times: Vec<_> = (0..calls)
        .map(|nth| {
            // Each another one: the same call with the same answer over and over is stopped as a loop.
            let token = format!("x{nth}");
            let begun = Instant::now();
            let id = client.call(tool, &token).expect("a call");
            let answer = client.answer(id).expect("an answer");
            let took = begun.elapsed();
            assert!(
                answer.compact().contains(&format!("done {token}")),
                "it did not run: {}",
                answer.compact()
            );
            took
        })
        .collect();
    median(&mut times)
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort();
    times[times.len() / 2]
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

fn resident(pid: u32) -> f64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|kib| kib.parse::<f64>().ok()).unwrap_or(f64::NAN) / 1024.0
}
