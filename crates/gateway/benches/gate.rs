//! What the whole way through the gate costs over a store on a disk, beside what the disk itself allows.
//!
//! A call here is judged, its intent is on disk before the tool runs, its outcome is queued, and the ledger
//! seals both; the tool does nothing. Beside it, in turns so that all share what the machine does besides: a
//! bare loop of appended records and flushes, and a file written by hand to which as many callers append under
//! group commit, with nothing else in it. Nothing is asserted: figures are for reading.
//!
//! `PLACET_BENCH_ROUNDS` sets how many rounds there are, `PLACET_BENCH_MS` how long each turn lasts,
//! `PLACET_BENCH_STORED` up to how many stored calls are tried, `PLACET_BENCH_DIR` on which disk. One of `flight`,
//! `budget`, `reads` and `stored` as an argument measures that alone.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    reason = "a measurement that cannot go on should say so and end"
)]

use std::{
    borrow::Cow,
    collections::BTreeMap,
    env,
    fs::File,
    io::Write as _,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
        mpsc,
    },
    time::{Duration, Instant},
};

use placet::{
    Json, Object,
    clock::{Clock, Guarded, SystemClock},
    gate::{Answer, Gate, Leash},
    latch::{Latch, Passage},
    sealer::Sealer,
    upstream::{NotSent, Ran, Upstream},
};
use placet_engine::{
    call::{DigestKey, Mode, Proposal},
    decide::Outcome,
    decision::DenyReason,
    json::{Limits, parse},
    names::Action,
    permit::{Durability, Permit},
    policy::{self, Policy, Rules, config},
    state::Ending,
    tool::{Definition, Offer},
};
use placet_store::{
    Memory, Store,
    sqlite::{Opened, Reader, Sqlite},
};
use tokio::sync::oneshot;

/// How many calls are in flight at once.
const IN_FLIGHT: [usize; 4] = [1, 16, 64, 1_024];

/// Where the targets for many callers and for a shared budget are.
const MANY: usize = 64;

/// Free reads between two flushes, fewer than the writer's queue takes.
const READS: usize = 200;

/// Calls by which the cost of one over a store of some size is told.
const SAMPLE: usize = 1_000;

fn main() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let folder = match env::var_os("PLACET_BENCH_DIR") {
        Some(folder) => PathBuf::from(folder),
        None => PathBuf::from(env!("CARGO_TARGET_TMPDIR")),
    };
    std::fs::create_dir_all(&folder).expect("the folder");
    let disk = tempfile::tempdir_in(&folder).expect("a folder of its own");
    if is_memory(disk.path()) {
        println!("{} is no disk but memory: flushes cost nothing there", folder.display());
    }
    let turn = Duration::from_millis(number("PLACET_BENCH_MS", 250));
    let rounds = number("PLACET_BENCH_ROUNDS", 5).max(1);
    let begun = Instant::now();
    let wanted = env::args().skip(1).find(|argument| !argument.starts_with('-'));
    let is_wanted = |part: &str| wanted.as_deref().is_none_or(|wanted| wanted == part);
    runtime.block_on(async {
        if is_wanted("flight") {
            in_flight(disk.path(), rounds, turn).await;
        }
        if is_wanted("budget") {
            shared_budget(disk.path(), rounds, turn).await;
        }
        if is_wanted("reads") {
            free_reads(disk.path(), rounds).await;
        }
        if is_wanted("stored") {
            stored(disk.path(), rounds, number("PLACET_BENCH_STORED", 100_000)).await;
        }
    });
    println!("\nthe whole run took {:.0} s", begun.elapsed().as_secs_f64());
}

fn number(variable: &str, default: u64) -> u64 {
    env::var(variable).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

#[cfg(target_os = "linux")]
fn is_memory(path: &Path) -> bool {
    const TMPFS: u64 = 0x0102_1994;
    rustix::fs::statfs(path).is_ok_and(|found| u64::try_from(found.f_type).unwrap_or(0) == TMPFS)
}

#[cfg(not(target_os = "linux"))]
fn is_memory(_: &Path) -> bool {
    false
}

/// One turn of many: what was done in it, and how long each thing took.
#[derive(Clone, Debug, Default)]
struct Turn {
    times: Vec<Duration>,
    took: Duration,
    /// Calls that were answered `busy`; each was proposed again.
    busy: usize,
    /// Calls that were refused for want of budget.
    spent: usize,
}

impl Turn {
    fn per_second(&self) -> f64 {
        self.times.len() as f64 / self.took.as_secs_f64()
    }
}

/// All turns of one kind.
#[derive(Clone, Debug, Default)]
struct Turns(Vec<Turn>);

impl Turns {
    fn per_second(&self) -> f64 {
        middle(self.0.iter().map(Turn::per_second))
    }

    /// This many of a hundred took no longer.
    fn percentile(&self, percent: usize) -> Duration {
        let mut times: Vec<_> = self.0.iter().flat_map(|turn| turn.times.iter().copied()).collect();
        times.sort_unstable();
        let at = (times.len() * percent / 100).min(times.len().saturating_sub(1));
        times.get(at).copied().unwrap_or_default()
    }

    fn busy(&self) -> usize {
        self.0.iter().map(|turn| turn.busy).sum()
    }

    fn spent(&self) -> usize {
        self.0.iter().map(|turn| turn.spent).sum()
    }
}

fn middle(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

/// `name`: what came out, what was wanted, and whether it is so.
fn target(name: &str, is: f64, unit: &str, at_most: bool, wanted: f64) {
    let met = if at_most { is <= wanted } else { is >= wanted };
    let (sign, word) = (if at_most { "<=" } else { ">=" }, if met { "met" } else { "MISSED" });
    println!("  {name:62} {is:8.2}{unit:3} {sign} {wanted:6.2}{unit:3} {word}");
}

// ---------------------------------------------------------------------------------------------------------
// The disk

/// Appends a record and flushes, again and again.
fn bare(folder: &Path, record: &[u8], length: Duration) -> Turn {
    let mut file = File::options().append(true).create(true).open(folder.join("bare")).expect("a file");
    let begun = Instant::now();
    let mut turn = Turn::default();
    while begun.elapsed() < length {
        let one = Instant::now();
        file.write_all(record).and_then(|()| file.sync_data()).expect("it is flushed");
        turn.times.push(one.elapsed());
    }
    turn.took = begun.elapsed();
    turn
}

/// A file to which many append: a thread takes all that waits, writes it at once and flushes once.
struct ByHand {
    queue: mpsc::Sender<(Vec<u8>, oneshot::Sender<()>)>,
    record: Vec<u8>,
}

impl ByHand {
    fn open(folder: &Path, record: Vec<u8>) -> Arc<Self> {
        let mut file =
            File::options().append(true).create(true).open(folder.join("by-hand")).expect("a file");
        let (queue, jobs) = mpsc::channel::<(Vec<u8>, oneshot::Sender<()>)>();
        std::thread::spawn(move || {
            let mut bytes = Vec::new();
            while let Ok(first) = jobs.recv() {
                let group: Vec<_> = std::iter::once(first).chain(jobs.try_iter().take(1_023)).collect();
                bytes.clear();
                group.iter().for_each(|(record, _)| bytes.extend_from_slice(record));
                file.write_all(&bytes).and_then(|()| file.sync_data()).expect("it is flushed");
                group.into_iter().for_each(|(_, done)| done.send(()).unwrap_or_default());
            }
        });
        Arc::new(Self { queue, record })
    }

    async fn drive(self: &Arc<Self>, callers: usize, length: Duration) -> Turn {
        let until = Instant::now() + length;
        together(callers, |_| {
            let file = Arc::clone(self);
            async move {
                let mut turn = Turn::default();
                while Instant::now() < until {
                    let one = Instant::now();
                    let (done, written) = oneshot::channel();
                    file.queue.send((file.record.clone(), done)).expect("the thread lives");
                    written.await.expect("it is written");
                    turn.times.push(one.elapsed());
                }
                turn
            }
        })
        .await
    }
}

/// Runs as many tasks and puts together what they say.
async fn together<F: Future<Output = Turn> + Send + 'static>(
    callers: usize,
    one: impl Fn(usize) -> F,
) -> Turn {
    let begun = Instant::now();
    let tasks: Vec<_> = (0..callers).map(|caller| tokio::spawn(one(caller))).collect();
    let mut all = Turn::default();
    for task in tasks {
        let turn = task.await.expect("the task ends");
        all.times.extend(turn.times);
        all.busy += turn.busy;
        all.spent += turn.spent;
    }
    all.took = begun.elapsed();
    all
}

// ---------------------------------------------------------------------------------------------------------
// The gate

/// A tool that does nothing.
struct Nothing(Arc<dyn Clock>);

impl Upstream for Nothing {
    type Output = ();

    fn text(_: &()) -> Cow<'_, str> {
        Cow::Borrowed("{\"ok\":true}")
    }

    fn from_text(_: &str) -> Option<()> {
        Some(())
    }

    fn structured(_: &()) -> Option<Json> {
        None
    }

    async fn run<D: Durability>(&self, permit: Permit<D>, latch: &Latch, _: Leash) -> Ran<()> {
        match latch.pass(permit, self.0.now(), |_| Some(())) {
            Passage::Passed(()) => Ran::Answered {
                output: (),
                outcome: Outcome {
                    note: None,
                    bytes: Some(11),
                    ..Outcome::without_result(Ending::Succeeded, "")
                },
            },
            Passage::Lapsed(lapse) => Ran::NotSent(NotSent::Lapsed(lapse)),
            Passage::Blocked(_) => Ran::NotSent(NotSent::Unavailable("it is never blocked".to_owned())),
        }
    }
}

/// What the gate judges by: a read, a write, and under `budgets` what all writes together may be.
fn policy(budgets: &str) -> Policy {
    let text = format!(
        "[servers.crm]\ncommand = [\"none\"]\n\
         tools = {{ read_user = \"read\", update_user = \"write\", refund = \"write\", order = \"write\" }}\n\
         [agents.support]\nlevels = [\"read\", \"write\"]\n{budgets}"
    );
    let config = config::read(&text).config.expect("a file that loads");
    Policy::compile(Rules::from(&config), policy::catalogue(&config)).expect("a policy")
}

/// A budget of `cap` calls of one tool.
fn budget(tool: &str, cap: usize) -> String {
    format!(
        "[[budgets]]\nname = \"{tool}s\"\nfor = {{ tool = \"crm/{tool}\" }}\nper = \"day\"\ncalls = {cap}\n"
    )
}

/// A gate, and all that a node has beside it.
struct Node<S> {
    /// Ends before the store does.
    _sealer: Option<Sealer>,
    gate: Arc<Gate<S>>,
    tool: Arc<Nothing>,
    offer: Offer,
}

async fn on_disk(folder: &Path, budgets: &str) -> Node<Sqlite> {
    let Opened { store, left_open } = Sqlite::open(folder).expect("a store");
    let clock: Arc<dyn Clock> = Arc::new(Guarded::new(SystemClock, store.epoch().calendar));
    let key = store.key().clone();
    let gate = Gate::new(policy(budgets), store, Latch::default(), key, Arc::clone(&clock), &left_open);
    let gate = gate.await.expect("a gate");
    let sealer = Sealer::start(folder, Arc::clone(&clock), Arc::new(|what| println!("{what}")));
    Node { _sealer: Some(sealer.expect("a ledger")), ..node(gate, clock) }
}

async fn in_memory() -> Node<Memory> {
    let clock: Arc<dyn Clock> = Arc::new(Guarded::new(SystemClock, Default::default()));
    let key = DigestKey::new(&[3; 32]);
    let gate = Gate::new(policy(""), Memory::new(), Latch::default(), key, Arc::clone(&clock), &[]).await;
    node(gate.expect("a gate"), clock)
}

fn node<S: Store>(gate: Gate<S>, clock: Arc<dyn Clock>) -> Node<S> {
    let schema = br#"{"name":"any","inputSchema":{"type":"object","properties":{"user_id":{"type":"integer"},"note":{"type":"string"}},"required":["user_id"]}}"#;
    let definition = Definition::read(&parse(schema, &Limits::EDGE).expect("JSON")).expect("a definition");
    let tool = Arc::new(Nothing(clock));
    Node { _sealer: None, gate: Arc::new(gate), tool, offer: Offer::Accepted(Arc::new(definition)) }
}

impl<S: Store> Node<S> {
    /// Proposes one call, like no other: the same one at the same time would be taken for one.
    async fn call(&self, action: &Action, caller: usize, turn: &mut Turn) {
        static NUMBER: AtomicI64 = AtomicI64::new(0);
        let arguments = Object::from([
            ("user_id", Json::from(NUMBER.fetch_add(1, Ordering::Relaxed))),
            ("note", Json::from("asked to be called back in the afternoon")),
        ]);
        let proposal = Proposal {
            agent: "support".parse().expect("a name"),
            client: "desk".parse().expect("a name"),
            session: Some(format!("run {caller}").into()),
            action: action.clone(),
            arguments,
            meta: Object::new(),
            mode: Mode::Live,
            key: None,
            cost: BTreeMap::new(),
        };
        let begun = Instant::now();
        loop {
            match self.gate.handle(proposal.clone(), |_| self.offer.clone(), &*self.tool).await.answer {
                Answer::Ran(()) => break turn.times.push(begun.elapsed()),
                Answer::Refused(denial) => match denial.reason {
                    DenyReason::Busy => turn.busy += 1,
                    DenyReason::BudgetSpent(_) => break turn.spent += 1,
                    other => unreachable!("it was refused: {other:?}"),
                },
                other => unreachable!("it did not run: {other:?}"),
            }
            tokio::task::yield_now().await;
        }
    }
}

/// Has as many callers propose calls, one after the other each, for so long.
async fn drive<S: Store>(node: &Arc<Node<S>>, tool: &str, callers: usize, length: Duration) -> Turn {
    let action: Action = tool.parse().expect("a name");
    let until = Instant::now() + length;
    together(callers, |caller| {
        let (node, action) = (Arc::clone(node), action.clone());
        async move {
            let mut turn = Turn::default();
            while Instant::now() < until {
                node.call(&action, caller, &mut turn).await;
            }
            turn
        }
    })
    .await
}

/// Has as many callers share a number of calls, and waits until all is on disk.
async fn share<S: Store>(node: &Arc<Node<S>>, tool: &str, callers: usize, calls: usize) -> Turn {
    let action: Action = tool.parse().expect("a name");
    let begun = Instant::now();
    let mut all = together(callers, |caller| {
        let (node, action) = (Arc::clone(node), action.clone());
        async move {
            let mut turn = Turn::default();
            for _ in 0..calls / callers {
                node.call(&action, caller, &mut turn).await;
            }
            turn
        }
    })
    .await;
    node.gate.flush().await.expect("it is on disk");
    all.took = begun.elapsed();
    all
}

// ---------------------------------------------------------------------------------------------------------
// The measurements

/// One to many calls in flight, beside the disk.
async fn in_flight(disk: &Path, rounds: u64, turn: Duration) {
    let folder = disk.join("in-flight");
    let node = Arc::new(on_disk(&folder, "").await);
    let memory = Arc::new(in_memory().await);
    share(&node, "crm/update_user", MANY, 20 * MANY).await;
    let written = Reader::open(&folder).and_then(|reader| reader.tail(1_000)).expect("records");
    let bytes = written.iter().map(|entry| entry.body.len()).sum::<usize>() / written.len().max(1);
    let record = vec![b'x'; bytes];
    let file = ByHand::open(disk, record.clone());

    let (mut flushes, mut beside) = (Turns::default(), Turns::default());
    let (mut by_hand, mut gate) =
        (vec![Turns::default(); IN_FLIGHT.len()], vec![Turns::default(); IN_FLIGHT.len()]);
    for round in 0..=rounds {
        for (at, callers) in IN_FLIGHT.into_iter().enumerate() {
            let this = (
                bare(disk, &record, turn),
                file.drive(callers, turn).await,
                drive(&node, "crm/update_user", callers, turn).await,
            );
            node.gate.flush().await.expect("it is on disk");
            // The first round warms up.
            if round > 0 {
                flushes.0.push(this.0);
                by_hand[at].0.push(this.1);
                gate[at].0.push(this.2);
            }
        }
        let this = drive(&memory, "crm/update_user", 1, turn / 4).await;
        if round > 0 {
            beside.0.push(this);
        }
    }

    println!(
        "writes: judged, intent flushed, tool run, outcome queued, ledger sealed; {rounds} rounds, a record of {bytes} bytes"
    );
    println!(
        "  {:>9}  {:>10}  {:>9} {:>9}   {:>10}  {:>9} {:>9}   {:>6} {:>6}",
        "in flight", "by hand/s", "p50 ms", "p99 ms", "records/s", "p50 ms", "p99 ms", "ratio", "busy"
    );
    let mut ratios = Vec::new();
    for (at, callers) in IN_FLIGHT.into_iter().enumerate() {
        let ratio = middle(
            by_hand[at]
                .0
                .iter()
                .zip(&gate[at].0)
                .map(|(file, gate)| 2.0 * gate.per_second() / file.per_second()),
        );
        ratios.push(ratio);
        let show = |turns: &Turns| (ms(turns.percentile(50)), ms(turns.percentile(99)));
        let (file, whole) = (show(&by_hand[at]), show(&gate[at]));
        println!(
            "  {callers:>9}  {:>10.0}  {:>9.2} {:>9.2}   {:>10.0}  {:>9.2} {:>9.2}   {ratio:>6.2} {:>6}",
            by_hand[at].per_second(),
            file.0,
            file.1,
            2.0 * gate[at].per_second(),
            whole.0,
            whole.1,
            gate[at].busy(),
        );
    }
    let (flush, slow) = (flushes.percentile(50), flushes.percentile(99));
    println!(
        "  bare flushes: {:.0}/s, p50 {:.2} ms, p99 {:.2} ms",
        flushes.per_second(),
        ms(flush),
        ms(slow)
    );
    println!("  one caller over the store in memory: p50 {:.1} µs", micros(beside.percentile(50)));
    let many = IN_FLIGHT.iter().position(|callers| *callers == MANY).unwrap_or(0);
    target("64 in flight, of the records/s of the file by hand", ratios[many], "", false, 0.25);
    let added = gate[0].percentile(50).saturating_sub(beside.percentile(50));
    target(
        "p50 added by durability, one caller, in flushes",
        added.as_secs_f64() / flush.as_secs_f64(),
        "",
        true,
        1.5,
    );
    target(
        "p99 with 16 callers, against 3 x p99 of a flush + 2 ms",
        ms(gate[1].percentile(99)),
        " ms",
        true,
        3.0 * ms(slow) + 2.0,
    );
}

/// Many callers that share one budget, beside as many that have none; and a budget that fits some of them.
async fn shared_budget(disk: &Path, rounds: u64, turn: Duration) {
    let cap = 40 * MANY;
    let budgets = budget("refund", 1_000_000_000) + &budget("order", cap);
    let node = Arc::new(on_disk(&disk.join("budget"), &budgets).await);
    let (mut free, mut shared) = (Turns::default(), Turns::default());
    for round in 0..=rounds {
        let this =
            (drive(&node, "crm/update_user", MANY, turn).await, drive(&node, "crm/refund", MANY, turn).await);
        if round > 0 {
            free.0.push(this.0);
            shared.0.push(this.1);
        }
    }
    let last = share(&node, "crm/order", MANY, 60 * MANY).await;
    println!(
        "one budget shared by {MANY} callers: {:.0} calls/s, without it {:.0}",
        shared.per_second(),
        free.per_second()
    );
    println!(
        "  a budget of {cap} calls, of which {} were proposed: {} ran, {} were refused",
        60 * MANY,
        last.times.len(),
        last.spent
    );
    let costs = middle(
        free.0.iter().zip(&shared.0).map(|(free, shared)| 1.0 - shared.per_second() / free.per_second()),
    );
    target("what the budget costs", 100.0 * costs, " %", true, 10.0);
    let wrongly = shared.spent() + cap.saturating_sub(last.times.len());
    target("calls refused that fit", wrongly as f64, "", true, 0.0);
}

/// Free reads, one at a time, beside the same over a store in memory.
async fn free_reads(disk: &Path, rounds: u64) {
    let node = Arc::new(on_disk(&disk.join("reads"), "").await);
    let memory = Arc::new(in_memory().await);
    let (mut kept, mut beside) = (Turns::default(), Turns::default());
    for round in 0..=4 * rounds {
        let this =
            (share(&node, "crm/read_user", 1, READS).await, share(&memory, "crm/read_user", 1, READS).await);
        if round > 0 {
            kept.0.push(this.0);
            beside.0.push(this.1);
        }
    }
    println!("a free read, one caller, {READS} between two flushes:");
    println!(
        "  on disk p50 {:.1} µs, p99 {:.1} µs; in memory p50 {:.1} µs, p99 {:.1} µs",
        micros(kept.percentile(50)),
        micros(kept.percentile(99)),
        micros(beside.percentile(50)),
        micros(beside.percentile(99))
    );
    let added = kept.percentile(50).saturating_sub(beside.percentile(50));
    target("p50 added to a free read", micros(added), " µs", true, 30.0);
}

/// The same calls over stores that have few and many already.
async fn stored(disk: &Path, rounds: u64, most: u64) {
    let sizes: Vec<u64> =
        [1_000, 10_000, 100_000, 1_000_000].into_iter().filter(|size| *size <= most).collect();
    let mut nodes = Vec::new();
    for size in &sizes {
        let folder = disk.join(format!("stored-{size}"));
        let node = Arc::new(on_disk(&folder, "").await);
        let begun = Instant::now();
        share(&node, "crm/read_user", MANY, usize::try_from(*size).expect("a size")).await;
        println!(
            "{}{size} free reads by {MANY} callers took {:.1} s",
            if nodes.is_empty() { "stored calls: " } else { "              " },
            begun.elapsed().as_secs_f64()
        );
        nodes.push(node);
    }
    let mut costs = vec![(Turns::default(), Turns::default()); nodes.len()];
    for round in 0..=rounds.min(3) {
        for (node, costs) in nodes.iter().zip(&mut costs) {
            let this = (
                share(node, "crm/read_user", MANY, SAMPLE).await,
                share(node, "crm/update_user", MANY, SAMPLE).await,
            );
            if round > 0 {
                costs.0.0.push(this.0);
                costs.1.0.push(this.1);
            }
        }
    }
    let each = |turns: &Turns| 1e6 / turns.per_second();
    for (size, (reads, writes)) in sizes.iter().zip(&costs) {
        println!(
            "  {size:>9} stored: a read {:6.1} µs, a write {:6.1} µs, each of {SAMPLE} by {MANY} callers and all on disk",
            each(reads),
            each(writes)
        );
    }
    if let [(first, _), .., (last, _)] = costs.as_slice() {
        target("a read over the most, of one over the fewest", each(last) / each(first), "", true, 1.2);
    }
    if let [(_, first), .., (_, last)] = costs.as_slice() {
        target("a write over the most, of one over the fewest", each(last) / each(first), "", true, 1.2);
    }
    for (node, size) in nodes.into_iter().zip(sizes) {
        let Some(node) = Arc::into_inner(node) else { continue };
        drop(node);
        let begun = Instant::now();
        let opened = Sqlite::open(&disk.join(format!("stored-{size}"))).expect("a store");
        println!("  {size:>9} stored: opened in {:.1} ms", ms(begun.elapsed()));
        drop(opened);
    }
}
