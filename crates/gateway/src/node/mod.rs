//! A node: the one process that owns a state directory, and what all surfaces of a machine share.
//!
//! It holds the gate, and lets clients in by two sockets: agents' clients by `agent.sock`, with a credential
//! that says who they are ([`agent`]); people's commands by `operator.sock` ([`operator`]). No request is
//! served on both, and people's are served by a thread of their own: whatever agents and servers keep busy, a stop
//! is taken. While it lives it is on the list of the account's nodes ([`registry`]). It opens no port, and leaves
//! after ten idle minutes. What it serves is the version last applied, and can change under way ([`change`]).
//!
//! Start at [`serve`]; the other end of `agent.sock` is `crate::attach`.

mod agent;
mod change;
pub mod operator;
pub mod registry;

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    sync::{
        Arc, Weak,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use placet_engine::{
    call::DigestKey,
    json::Json,
    record::{Kind, Record},
};
use placet_store::sqlite::{OpenError, Sqlite};
use tokio::{
    net::{UnixListener, UnixStream},
    signal::unix::{SignalKind, signal},
    sync::{Notify, watch},
    time::{Instant, MissedTickBehavior, sleep_until},
};

use crate::{
    clock::{Clock, Guarded, SystemClock},
    config, fail_modes,
    gate::Gate,
    latch::Latch,
    own_files, payloads,
    place::Places,
    sealer::Sealer,
    upstream::stdio::Log,
};

/// How long a node without clients stays.
const IDLE: Duration = Duration::from_secs(10 * 60);

/// How long connections may take to end when the node is told to.
const DRAIN: Duration = Duration::from_secs(30);

/// A node that serves.
pub(crate) struct Node {
    gate: Arc<Gate<Sqlite>>,
    served: ArcSwap<change::Served>,
    /// Whoever begins to serve a client holds this while reading what is served.
    connections: Mutex<Vec<Weak<change::Connection>>>,
    /// Changes of what is served, one at a time.
    changing: tokio::sync::Mutex<()>,
    watched: Mutex<change::Watched>,
    places: Places,
    log: Log,
    attached: AtomicUsize,
    changed: Notify,
    ending: watch::Sender<bool>,
}

/// Why a node does not serve.
#[derive(Debug)]
pub enum NodeError {
    /// Another node owns the state directory.
    Held(OpenError),
    /// The configuration cannot be used; rendered for a person.
    Config(String),
    /// Something of the system is in the way.
    System(String),
}

impl std::fmt::Display for NodeError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            NodeError::Held(error) => error.fmt(f),
            NodeError::Config(text) | NodeError::System(text) => f.write_str(text),
        }
    }
}

impl std::error::Error for NodeError {}

/// Serves until it is told to end or nobody is there. `ready` is called once both sockets listen.
///
/// # Errors
///
/// [`NodeError`] if it cannot begin.
pub async fn serve(places: Places, ready: impl FnOnce()) -> Result<(), NodeError> {
    let system = |error: &dyn std::fmt::Display| NodeError::System(error.to_string());
    places.make().map_err(|error| system(&error))?;
    let (named, keys) = change::payload_keys(&places)?;
    let opened = Sqlite::open_with(&places.state, keys).map_err(|error| match error {
        held @ OpenError::Held { .. } => NodeError::Held(held),
        sealed @ OpenError::Sealed { .. } => {
            let hint = "name that key in `[payloads]`, as `key` or among the `old` ones";
            NodeError::Config(format!("error: {sealed}\nhint: {hint}\n"))
        }
        other @ (OpenError::Io { .. } | OpenError::Database { .. } | OpenError::Format { .. }) => {
            system(&other)
        }
    })?;
    let (mut loaded, stamp) = change::begin(&places, &named, SystemClock.now().wall)?;
    let log = log_to(&places.state.join("node.log")).map_err(|error| system(&error))?;
    loaded.warnings.iter().flat_map(|warnings| warnings.lines()).for_each(|line| log(line));
    // Before anything is served: a ledger that contradicts the store says that one of them is not what it was.
    let clock: Arc<dyn Clock> = Arc::new(Guarded::new(SystemClock, opened.store.epoch().calendar));
    let sealer =
        Sealer::start(&places.state, Arc::clone(&clock), Arc::clone(&log)).map_err(|error| system(&error))?;
    let told = config::told_at_start(&loaded.config);
    let told = told.into_iter().chain(fail_modes::table(loaded.config.durability));
    for line in told.chain([payloads::told(opened.store.payloads())]) {
        log(&line);
    }
    let latch = Latch::new(places.stop_files().map_err(|error| system(&error))?);
    let key: DigestKey = opened.store.key().clone();
    let own = own_files::of_node(&places, &loaded.config).map_err(NodeError::System)?;
    let books = std::mem::take(&mut loaded.books);
    let (served, policy) = change::Served::of(loaded, books, stamp);
    let gate = Gate::new(policy.guarding(own), opened.store, latch, key, clock, &opened.left_open)
        .await
        .map_err(|error| system(&error))?;
    let served = change::recorded(served, &gate, &places.state).await?;
    let agents = listen(&places.agent_socket()).map_err(|error| system(&error))?;
    let operators = listen(&places.operator_socket()).map_err(|error| system(&error))?;
    let node = Arc::new(Node {
        gate: Arc::new(gate),
        served: ArcSwap::from_pointee(served),
        connections: Mutex::default(),
        changing: tokio::sync::Mutex::default(),
        watched: Mutex::default(),
        places,
        log,
        attached: AtomicUsize::new(0),
        changed: Notify::new(),
        ending: watch::Sender::new(false),
    });
    let people = operator::Desk::open(Arc::clone(&node), operators).map_err(|error| system(&error))?;
    let registration = registry::register(Some(&node.places)).map_err(|error| system(&error))?;
    (node.log)(&format!("node {} serves {}", std::process::id(), node.places.config.display()));
    node.look().await;
    if let Some(words) = node.pending() {
        eprintln!("{}", placet_engine::diagnostic::inert(&words));
    }
    ready();
    Arc::clone(&node).run(agents).await;
    // Whoever is on the list answers: it leaves the list first, and before it lets go of the state directory,
    // after which the socket's path is the next node's.
    drop(registration);
    people.close();
    let flushed = node.gate.flush().await.map_err(|error| system(&error));
    drop(sealer);
    flushed
}

/// A socket for this account alone. What stands there is left from a node that is gone: this one has the lock.
fn listen(path: &Path) -> std::io::Result<UnixListener> {
    match fs::remove_file(path) {
        Err(cause) if cause.kind() != std::io::ErrorKind::NotFound => return Err(cause),
        Ok(()) | Err(_) => {}
    }
    let listener = UnixListener::bind(path)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

/// Bytes of the log; then it is put aside as `node.log.1`, in the place of the one before, and begun anew.
const LOG_BYTES: u64 = 8 << 20;

/// Lines for a person, each with its time, at the end of a file.
fn log_to(path: &Path) -> std::io::Result<Log> {
    use std::io::Write as _;
    let path = path.to_owned();
    let file = open_log(&path)?;
    let bytes = file.metadata()?.len();
    let log = Mutex::new((file, bytes));
    Ok(Arc::new(move |line| {
        let now = SystemClock.now().wall;
        let line = format!("{now} {}\n", placet_engine::diagnostic::inert(line));
        let mut log = log.lock();
        let (file, bytes) = &mut *log;
        if *bytes + line.len() as u64 > LOG_BYTES {
            let aside = fs::rename(&path, path.with_extension("log.1")).and_then(|()| open_log(&path));
            match aside {
                Ok(fresh) => *file = fresh,
                // A log that cannot be put aside is not kept: what counts is in the store.
                Err(_) => file.set_len(0).unwrap_or_default(),
            }
            *bytes = 0;
        }
        *bytes += line.len() as u64;
        // A log that cannot be written is no reason to stop.
        file.write_all(line.as_bytes()).unwrap_or_default();
    }))
}

fn open_log(path: &Path) -> std::io::Result<fs::File> {
    use std::os::unix::fs::OpenOptionsExt as _;
    fs::File::options().append(true).create(true).mode(0o600).open(path)
}

impl Node {
    async fn run(self: Arc<Self>, agents: UnixListener) {
        let (Ok(mut interrupt), Ok(mut terminate)) =
            (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
        else {
            return;
        };
        let mut ending = self.ending.subscribe();
        let mut looking = tokio::time::interval(change::LOOKING);
        looking.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // Since when nobody is there.
        let mut alone = Instant::now();
        loop {
            let idle = self.attached.load(Ordering::Acquire) == 0;
            if !idle {
                alone = Instant::now();
            }
            tokio::select! {
                stream = agents.accept() => if let Ok((stream, _)) = stream {
                    self.admit(stream, Surface::Agents);
                },
                () = self.changed.notified() => {}
                () = sleep_until(alone + IDLE), if idle => break,
                _ = looking.tick() => {
                    let node = Arc::clone(&self);
                    tokio::spawn(async move { node.look().await });
                }
                _ = ending.wait_for(|ending| *ending) => break,
                _ = interrupt.recv() => break,
                _ = terminate.recv() => break,
            }
        }
        (self.log)("node ends");
        self.ending.send_replace(true);
        drop(agents);
        // Whoever finds it connects to nobody and starts another node.
        fs::remove_file(self.places.agent_socket()).unwrap_or_default();
        let gone = async {
            while self.attached.load(Ordering::Acquire) > 0 {
                self.changed.notified().await;
            }
        };
        tokio::select! {
            () = gone => {}
            () = tokio::time::sleep(DRAIN) => (self.log)("connections did not end in time"),
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    }

    /// Lets a peer of this very account in.
    fn admit(self: &Arc<Self>, stream: UnixStream, surface: Surface) {
        let ours = rustix::process::geteuid().as_raw();
        if !stream.peer_cred().is_ok_and(|peer| peer.uid() == ours) {
            (self.log)("a peer of another account was turned away");
            return;
        }
        let node = Arc::clone(self);
        node.attached.fetch_add(1, Ordering::AcqRel);
        tokio::spawn(async move {
            let present = Present(Arc::clone(&node));
            match surface {
                Surface::Agents => agent::serve(&node, stream).await,
                Surface::People => operator::serve(&node, stream).await,
            }
            drop(present);
        });
    }

    async fn note(&self, kind: Kind, body: [(&str, Json); 2]) {
        let record = Record::new(kind, self.gate.clock().now().wall, body);
        if let Err(error) = self.gate.note(record).await {
            (self.log)(&format!("a record could not be kept: {error}"));
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum Surface {
    Agents,
    People,
}

/// Counts a peer while it is there, however its task ends.
struct Present(Arc<Node>);

impl Drop for Present {
    fn drop(&mut self) {
        self.0.attached.fetch_sub(1, Ordering::AcqRel);
        self.0.changed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_does_not_grow_without_bound() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("node.log");
        let log = log_to(&path).unwrap();
        let line = "x".repeat(64 << 10);
        (0..4 * LOG_BYTES / (64 << 10)).for_each(|_| log(&line));
        log("the last");
        let mut files: Vec<_> =
            fs::read_dir(folder.path()).unwrap().map(|file| file.unwrap().path()).collect();
        files.sort();
        assert_eq!(files, [path.clone(), folder.path().join("node.log.1")]);
        assert!(files.iter().all(|file| file.metadata().unwrap().len() <= LOG_BYTES));
        assert!(fs::read_to_string(&path).unwrap().ends_with("the last\n"));
    }
}
