//! Scenes about what is remembered: a budget that many spend from at once, a payment that is proposed twice, a
//! record that somebody has altered.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    os::unix::net::UnixListener as Listener,
    path::Path,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use placet_ledger::{
    directory::Directory,
    verify::{Asked, verify},
};
use serde_json::{Value, json};

use super::{AGENT, Broken, Stage, held};
use crate::{
    Agent, Budget, Gateway, Key, Level, Once, Tool,
    embed::ExecuteError,
    sequencer::{LOG, PUBLIC_KEY},
};

/// How many processes call at once, and how often each.
const PROCESSES: usize = 4;
const CALLS_EACH: usize = 4;

/// How many of their calls the budget covers.
const CAP: u64 = 10;

impl Stage<'_> {
    /// Sixteen calls at once, from four processes, against a budget of ten.
    pub(super) async fn budget(&self) -> Result<bool, Broken> {
        let spent = Arc::new(AtomicU64::new(0));
        let gateway = Gateway::builder()
            .agent(Agent::new(AGENT).holds([Level::Write]))
            .tool(counting("buy_credit", &spent).cost("usd", "args.amount").repeat())
            .budget(Budget::spend("shopping", "usd", &CAP.to_string()).of_agent(AGENT))
            .state(self.state)
            .build()
            .await?;
        let socket = self.state.join("demo.sock");
        let listener = Listener::bind(&socket).map_err(|_| Broken::World("no socket can be made"))?;
        let callers = call_from_processes(&socket)?;
        let mut replies = Vec::new();
        for _ in 0..PROCESSES {
            let (stream, _) = listener.accept().map_err(|_| Broken::World("a caller did not come"))?;
            let said = BufReader::new(stream).lines().map_while(Result::ok);
            // All that are asked for are under way before the first is waited for.
            replies.extend(said.map(|line| {
                let gateway = gateway.clone();
                tokio::spawn(async move {
                    let parameters = serde_json::from_str(&line).unwrap_or(Value::Null);
                    gateway.execute(AGENT, "demo", "buy_credit", parameters).await
                })
            }));
        }
        for mut caller in callers {
            drop(caller.wait());
        }
        let (mut ran, mut refused) = (0, None);
        for reply in replies {
            let reply = reply.await.unwrap_or(Err(ExecuteError::CutOff))?;
            match reply.ok() {
                true => ran += 1,
                false => refused = Some(reply),
            }
        }
        held(ran == CAP && spent.load(Ordering::SeqCst) == CAP, "more was spent than the budget covers")?;
        let refused = refused.ok_or(Broken::World("nothing was refused"))?;
        Ok(self.tell(
            &[&refused],
            "budget",
            "16 calls came at once from 4 processes, each to spend 1 usd of a budget of 10: 10 ran, 6 were refused, and 10 usd were spent",
        ))
    }

    /// The same payment, proposed twice by one agent and once by another.
    pub(super) async fn once(&self) -> Result<bool, Broken> {
        let paid = Arc::new(AtomicU64::new(0));
        let by_invoice = Once {
            by: Key::By(vec!["args.invoice".parse().map_err(|_| Broken::World("a path cannot be read"))?]),
            within: Once::BY_WITHIN,
            ..Once::default()
        };
        let gateway = Gateway::builder()
            .agent(Agent::new(AGENT).holds([Level::Execute]))
            .agent(Agent::new("nightly").holds([Level::Execute]))
            .tool(counting("pay_invoice", &paid).once(by_invoice))
            .state(self.state)
            .build()
            .await?;
        let invoice = || json!({ "invoice": "2026-117", "amount": 120 });
        let first = gateway.execute(AGENT, "demo", "pay_invoice", invoice()).await?;
        let second = gateway.execute(AGENT, "demo", "pay_invoice", invoice()).await?;
        let other = gateway.execute("nightly", "demo", "pay_invoice", invoice()).await?;
        held(first.ok() && second.result() == first.result(), "the second was not given the first result")?;
        held(!other.ok() && paid.load(Ordering::SeqCst) == 120, "an invoice was paid twice")?;
        Ok(self.tell(
            &[&other],
            "once",
            "invoice 2026-117 was proposed twice and paid once: the second call got the first result; another agent was refused, and 120 was paid",
        ))
    }

    /// A record that is altered on disk, and found.
    pub(super) async fn audit(&self) -> Result<bool, Broken> {
        let done = Arc::new(AtomicU64::new(0));
        let gateway = Gateway::builder()
            .agent(Agent::new(AGENT).holds([Level::Write]))
            .tool(counting("note", &done).repeat())
            .tool(Tool::new("delete_user", Level::Delete))
            .state(self.state)
            .build()
            .await?;
        for amount in 1..=3 {
            gateway.execute(AGENT, "demo", "note", json!({ "amount": amount })).await?;
        }
        let refused = gateway.execute(AGENT, "demo", "delete_user", json!({})).await?;
        gateway.flush().await.map_err(|error| Broken::Build(crate::embed::BuildError::Store(error)))?;
        drop(gateway);

        let key = std::fs::read_to_string(self.state.join(PUBLIC_KEY)).unwrap_or_default();
        let key = key.trim().parse().map_err(|_| Broken::World("the ledger has no public key"))?;
        let asked = Asked::of(key);
        let log = self.state.join(LOG);
        let good = verify(&Directory::new(&log), &asked);
        held(good.is_good(), "a ledger that nobody touched does not verify")?;
        alter(&log).map_err(|_| Broken::World("no record can be altered"))?;
        let report = verify(&Directory::new(&log), &asked);
        held(!report.is_good(), "an altered record was not found")?;
        let bad = report.first_bad.ok_or(Broken::World("it was not found which record was altered"))?;
        Ok(self.tell(
            &[&refused],
            "audit",
            &format!(
                "{} records were sealed and verified; one word was altered on disk, and the verifier finds it in record {}",
                good.records,
                bad.start
            ),
        ))
    }
}

/// A tool that adds its `amount` to a sum: the world that must not change.
fn counting(name: &str, sum: &Arc<AtomicU64>) -> Tool {
    let level = if name == "pay_invoice" { Level::Execute } else { Level::Write };
    let schema = json!({ "type": "object", "required": ["amount"], "properties": {
        "amount": { "type": "integer" }, "invoice": { "type": "string" }, "order": { "type": "string" } } });
    let sum = Arc::clone(sum);
    Tool::new(name, level).schema(schema).run(move |args, _| {
        let amount = args.get("amount").and_then(crate::Json::as_i64).unwrap_or_default();
        sum.fetch_add(amount.unsigned_abs(), Ordering::SeqCst);
        async { Ok(crate::Json::Object(crate::Object::from([("ok", crate::Json::from(true))]))) }
    })
}

/// Starts the processes that call.
fn call_from_processes(socket: &Path) -> Result<Vec<std::process::Child>, Broken> {
    let this = std::env::current_exe().map_err(|_| Broken::World("this program cannot find itself"))?;
    let start = |_| {
        Command::new(&this)
            .arg("demo")
            .arg("--caller")
            .arg(socket)
            .spawn()
            .map_err(|_| Broken::World("no caller can be started"))
    };
    (0..PROCESSES).map(start).collect()
}

/// What a process that calls does: says all its calls at once.
pub(super) fn caller(socket: &Path) -> std::io::Result<()> {
    let mut stream = std::os::unix::net::UnixStream::connect(socket)?;
    // Orders of their own: the same call at the same time would be taken for one.
    let call =
        |nth| format!("{}\n", json!({ "amount": 1, "order": format!("{}-{nth}", std::process::id()) }));
    stream.write_all((0..CALLS_EACH).map(call).collect::<String>().as_bytes())
}

/// Alters one word of one record in the ledger's files.
fn alter(log: &Path) -> std::io::Result<()> {
    let mut folders = vec![log.join("tile/entries")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let mut bytes = std::fs::read(&path)?;
            let refusal = bytes.windows(4).position(|word| word == b"deny");
            if let Some(word) = refusal.and_then(|at| bytes.get_mut(at..at + 4)) {
                word.copy_from_slice(b"okay");
                return std::fs::write(&path, bytes);
            }
        }
    }
    Err(std::io::ErrorKind::NotFound.into())
}
