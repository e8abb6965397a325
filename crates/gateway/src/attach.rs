//! The thin client: what an MCP client starts, when a node does the work.
//!
//! It understands no MCP. It numbers the client's lines and passes them to the node in frames; the node's go to
//! stdout. There is no node yet: it starts one. The node dies: whatever the node had said last words for is
//! answered with them; what it had not was certainly never sent to a tool, and goes to the next node. A few
//! threads, no runtime: there is one of these for each server of each client.
//!
//! Nobody writes to the node while holding what the reader of the node's words needs ([`Link`]): two ends that
//! both write and do not read wait for ever.

use std::{
    collections::BTreeMap,
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    net::Shutdown,
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::JoinHandle,
    time::{Duration, Instant},
};

use placet_engine::json::{Json, Limits, Object, parse};

use crate::{
    frame::{Frame, Kind},
    place::Places,
};

/// The version of the frames and of the introduction.
pub const PROTOCOL: i64 = 1;

/// How long a node may take to start, or to let go of the state directory to the one that does: a little longer
/// than one that is told to end waits for its connections.
const START: Duration = Duration::from_secs(35);

/// How long answers are waited for once the client has closed its end.
const DRAIN: Duration = Duration::from_secs(5);

/// How often in a row a new node may die, at once and without having answered anything, before this client gives
/// up. Somebody may kill nodes faster than this client gets a word in; a node that cannot live dies each time.
const LIVES: usize = 50;

/// A node that has lived this long has not ended at once.
const LIVED: Duration = Duration::from_secs(10);

/// To how many nodes one line is said that each of them dies of. It is what kills them, or it never gets through.
const TRIES: usize = 20;

/// Who attaches, and to what.
#[derive(Clone, Debug)]
pub struct Attachment {
    /// Where the node is.
    pub places: Places,
    /// The client's secret.
    pub secret: String,
    /// The server, if the client reaches several.
    pub server: Option<String>,
}

/// Why a client could not attach.
#[derive(Debug)]
pub enum AttachError {
    /// The node does not let it in.
    Refused(String),
    /// The configuration cannot be used; rendered for a person.
    Config(String),
    /// There is no node and none could be started.
    NoNode(String),
}

impl std::fmt::Display for AttachError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            AttachError::Refused(why) => write!(f, "the node does not let this client in: {why}"),
            AttachError::Config(text) => f.write_str(text),
            AttachError::NoNode(why) => write!(f, "there is no node and none could be started: {why}"),
        }
    }
}

impl std::error::Error for AttachError {}

/// What is between the client and the node right now.
struct Link {
    /// Set once everything that waited has been said to this node: from then on each line is said as it comes.
    socket: Option<Arc<UnixStream>>,
    /// Lines that are not done with, by number.
    pending: BTreeMap<u64, Pending>,
    /// Lines that a new node must hear first, by number.
    kept: BTreeMap<u64, Vec<u8>>,
    /// The client has closed its end.
    closed: bool,
}

struct Pending {
    line: Vec<u8>,
    last_words: Option<Vec<u8>>,
    /// Whether it has been said to this node, and to how many nodes in all.
    said: bool,
    tries: usize,
}

struct Shared {
    link: Mutex<Link>,
    quiet: Condvar,
}

impl Shared {
    fn link(&self) -> MutexGuard<'_, Link> {
        self.link.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Stands between the client on this process's standard streams and the node, until either is done.
///
/// # Errors
///
/// [`AttachError`] if the first attachment fails; later ones are told on stderr.
pub fn run(attachment: &Attachment) -> Result<(), AttachError> {
    let socket = Arc::new(attach(attachment, 0)?);
    let link = Link {
        socket: Some(Arc::clone(&socket)),
        pending: BTreeMap::new(),
        kept: BTreeMap::new(),
        closed: false,
    };
    let shared = Arc::new(Shared { link: Mutex::new(link), quiet: Condvar::new() });
    let listener = {
        let (shared, attachment) = (Arc::clone(&shared), attachment.clone());
        std::thread::spawn(move || listen(&shared, &attachment, socket))
    };
    speak(&shared);
    finish(&shared);
    // The listener ends with the process; what it might still say nobody waits for.
    drop(listener);
    Ok(())
}

/// Passes the client's lines to the node.
fn speak(shared: &Shared) {
    let mut input = io::stdin().lock();
    let mut seq = 0;
    loop {
        let mut line = Vec::new();
        let limit = Limits::EDGE.bytes as u64 + 2;
        match (&mut input).take(limit).read_until(b'\n', &mut line) {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
        if line.last() == Some(&b'\n') {
            line.pop();
        } else if line.len() as u64 >= limit && !skip_line(&mut input) {
            return;
        }
        if line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        seq += 1;
        let frame = Frame { kind: Kind::Message, seq, payload: line.clone() }.encode();
        let socket = {
            let mut link = shared.link();
            let socket = link.socket.clone();
            let (said, tries) = (socket.is_some(), usize::from(socket.is_some()));
            link.pending.insert(seq, Pending { line, last_words: None, said, tries });
            socket
        };
        // To the node that was there when the line came, and to no later one: the listener notices a node that is
        // gone, and has this said again to the next.
        if let Some(socket) = socket {
            (&*socket).write_all(&frame).unwrap_or_default();
        }
    }
}

/// Throws away the rest of a line that is too long; false at the end.
fn skip_line(input: &mut impl io::BufRead) -> bool {
    loop {
        let (used, found) = match input.fill_buf() {
            Ok([]) | Err(_) => return false,
            Ok(buffer) => match buffer.iter().position(|byte| *byte == b'\n') {
                Some(end) => (end + 1, true),
                None => (buffer.len(), false),
            },
        };
        input.consume(used);
        if found {
            return true;
        }
    }
}

/// Passes the node's words to the client, and finds another node when this one dies.
fn listen(shared: &Arc<Shared>, attachment: &Attachment, mut socket: Arc<UnixStream>) {
    let mut deaths = 0;
    let mut saying: Option<JoinHandle<()>> = None;
    loop {
        let begun = Instant::now();
        let mut reader = BufReader::with_capacity(64 << 10, &*socket);
        loop {
            match Frame::read(&mut reader) {
                Ok(Some(frame)) => {
                    // A node that answers lives. One that only takes what is said again may die of the next line.
                    if matches!(frame.kind, Kind::Message | Kind::LastWords) && frame.seq > 0 {
                        deaths = 0;
                    }
                    if !hear(shared, frame) {
                        std::process::exit(0);
                    }
                }
                // It may live and have sent calls; what of them was said to us is lost in what cannot be read.
                Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                    give_up(&format!("the node's words cannot be read: {error}"));
                }
                Ok(None) | Err(_) => break,
            }
        }
        // Whoever still writes to it ends, and it can have no more last words kept, so it sends nothing more.
        socket.shutdown(Shutdown::Both).unwrap_or_default();
        if let Some(saying) = saying.take() {
            drop(saying.join());
        }
        deaths = if begun.elapsed() > LIVED { 1 } else { deaths + 1 };
        if deaths > LIVES {
            give_up("nodes keep ending at once");
        }
        socket = match reattach(shared, attachment) {
            Ok(Some(socket)) => socket,
            Ok(None) => return,
            Err(error) => give_up(&error.to_string()),
        };
        // The node is listened to at once: it need not take all before it says something.
        let (shared, socket) = (Arc::clone(shared), Arc::clone(&socket));
        saying = Some(std::thread::spawn(move || say_again(&shared, &socket)));
    }
}

fn give_up(why: &str) -> ! {
    eprintln!("error: {why}");
    std::process::exit(7)
}

/// One frame of the node; false if the client no longer listens.
fn hear(shared: &Shared, frame: Frame) -> bool {
    let Frame { kind, seq, payload } = frame;
    match kind {
        Kind::Message => {
            let said = say(&payload);
            let mut link = shared.link();
            link.pending.remove(&seq);
            shared.quiet.notify_all();
            said
        }
        Kind::Done => {
            shared.link().pending.remove(&seq);
            shared.quiet.notify_all();
            true
        }
        Kind::Keep => {
            let mut link = shared.link();
            if let Some(line) = link.pending.get(&seq).map(|pending| pending.line.clone()) {
                link.kept.insert(seq, line);
            }
            true
        }
        Kind::LastWords => {
            if let Some(pending) = shared.link().pending.get_mut(&seq) {
                pending.last_words = Some(payload);
            }
            true
        }
        // Nothing else comes from a node that let us in.
        Kind::Hello | Kind::Welcome | Kind::Refused | Kind::Again | Kind::Command => true,
    }
}

fn say(line: &[u8]) -> bool {
    let mut out = io::stdout().lock();
    out.write_all(line).and_then(|()| out.write_all(b"\n")).and_then(|()| out.flush()).is_ok()
}

/// Answers what the dead node had spoken last words for, and attaches to the next one.
fn reattach(shared: &Shared, attachment: &Attachment) -> Result<Option<Arc<UnixStream>>, AttachError> {
    let lost = {
        let mut link = shared.link();
        link.socket = None;
        if link.closed && link.pending.is_empty() {
            shared.quiet.notify_all();
            return Ok(None);
        }
        let mut lost = Vec::new();
        link.pending.retain(|_, pending| match pending.last_words.take() {
            Some(words) => {
                lost.push(words);
                false
            }
            None => {
                pending.said = false;
                true
            }
        });
        if link.pending.values().any(|pending| pending.tries >= TRIES) {
            give_up("nodes keep ending before they are done with one and the same message");
        }
        lost
    };
    if lost.iter().any(|words| !say(words)) {
        std::process::exit(0);
    }
    shared.quiet.notify_all();
    let gap = i64::try_from(lost.len()).unwrap_or(i64::MAX);
    attach(attachment, gap).map(|socket| Some(Arc::new(socket)))
}

/// Says to a new node what it must hear first, and then what no node is done with, in the client's order. When
/// nothing is left, lines go to it as they come.
fn say_again(shared: &Shared, mut socket: &UnixStream) {
    let mut say = |kind, seq, payload| {
        // If this node is gone as well, the listener sees to the next.
        socket.write_all(&Frame { kind, seq, payload }.encode()).is_ok()
    };
    let kept: Vec<(u64, Vec<u8>)> = {
        let link = shared.link();
        // What was kept is not said twice: an `initialize` that was never answered is among the pending.
        let kept = link.kept.iter().filter(|(seq, _)| !link.pending.contains_key(seq));
        kept.map(|(seq, line)| (*seq, line.clone())).collect()
    };
    for (seq, line) in kept {
        if !say(Kind::Again, seq, line) {
            return;
        }
    }
    let mut next = 0;
    loop {
        let (seq, line) = {
            let mut link = shared.link();
            match link.pending.range_mut(next..).find(|(_, pending)| !pending.said) {
                Some((seq, pending)) => {
                    pending.said = true;
                    pending.tries += 1;
                    next = seq + 1;
                    (*seq, pending.line.clone())
                }
                None => match clone(socket) {
                    Ok(socket) => {
                        link.socket = Some(Arc::new(socket));
                        return;
                    }
                    Err(error) => give_up(&error.to_string()),
                },
            }
        };
        if !say(Kind::Message, seq, line) {
            return;
        }
    }
}

/// The client has closed its end: what it still waits for may come.
fn finish(shared: &Shared) {
    let mut link = shared.link();
    link.closed = true;
    let until = Instant::now() + DRAIN;
    while !link.pending.is_empty() {
        let Some(left) = until.checked_duration_since(Instant::now()) else { return };
        link = match shared.quiet.wait_timeout(link, left) {
            Ok((link, _)) => link,
            Err(poisoned) => poisoned.into_inner().0,
        };
    }
}

fn clone(socket: &UnixStream) -> Result<UnixStream, AttachError> {
    socket.try_clone().map_err(|cause| AttachError::NoNode(cause.to_string()))
}

/// Finds a node or starts one, and introduces this client.
///
/// # Errors
///
/// [`AttachError`].
pub fn attach(attachment: &Attachment, gap: i64) -> Result<UnixStream, AttachError> {
    let no_node = |cause: io::Error| AttachError::NoNode(cause.to_string());
    let until = Instant::now() + START;
    loop {
        let mut socket = connect_or_start(&attachment.places, until)?;
        socket.set_read_timeout(Some(START)).map_err(no_node)?;
        let hello = introduction(attachment, gap);
        let answer = socket.write_all(&hello.encode()).and_then(|()| Frame::read(&mut socket));
        match answer {
            Ok(Some(Frame { kind: Kind::Welcome, .. })) => {
                socket.set_read_timeout(None).map_err(no_node)?;
                return Ok(socket);
            }
            Ok(Some(Frame { kind: Kind::Refused, payload, .. })) => {
                let reason = parse(&payload, &Limits::EDGE).ok();
                let reason = reason.as_ref().and_then(|reason| reason.get("error")).and_then(Json::as_str);
                return Err(AttachError::Refused(reason.unwrap_or("it does not say why").to_owned()));
            }
            // A node that was just leaving; there will be another.
            Ok(_) | Err(_) if Instant::now() < until => std::thread::sleep(RETRY),
            Ok(_) => return Err(AttachError::NoNode("it does not answer".to_owned())),
            Err(cause) => return Err(no_node(cause)),
        }
    }
}

/// Between two looks for a node that another client is starting.
const RETRY: Duration = Duration::from_millis(10);

fn introduction(attachment: &Attachment, gap: i64) -> Frame {
    let mut hello = Object::from([
        ("protocol", Json::from(PROTOCOL)),
        ("version", Json::from(env!("CARGO_PKG_VERSION"))),
        ("config", Json::from(attachment.places.config.to_string_lossy().into_owned())),
        ("secret", Json::from(attachment.secret.as_str())),
        ("gap", Json::from(gap)),
    ]);
    if let Some(server) = &attachment.server {
        hello.insert("server", server.as_str());
    }
    if let Ok(folder) = std::env::current_dir() {
        hello.insert("folder", folder.to_string_lossy().into_owned());
    }
    Frame { kind: Kind::Hello, seq: 0, payload: Json::Object(hello).compact().into_bytes() }
}

/// Connects to the node, starting one if there is none.
fn connect_or_start(places: &Places, until: Instant) -> Result<UnixStream, AttachError> {
    let socket = places.agent_socket();
    loop {
        if let Ok(stream) = connect(&socket) {
            return Ok(stream);
        }
        match start_node(places) {
            Started::Ready => {}
            // Another one is starting or leaving: it, or the next try, will have the lock.
            Started::Held(_) if Instant::now() < until => std::thread::sleep(RETRY),
            Started::Held(why) => return Err(AttachError::NoNode(why)),
            Started::Config(text) => return Err(AttachError::Config(text)),
            Started::Failed(why) => return Err(AttachError::NoNode(why)),
        }
    }
}

/// Sees to it that a node runs there.
///
/// # Errors
///
/// [`AttachError`].
pub fn ensure_node(places: &Places) -> Result<(), AttachError> {
    connect_or_start(places, Instant::now() + START).map(drop)
}

/// Connects to a socket that is this account's own.
fn connect(path: &Path) -> io::Result<UnixStream> {
    use std::os::unix::fs::MetadataExt as _;
    let owner = path.parent().map(std::fs::metadata).transpose()?.map(|folder| folder.uid());
    if owner != Some(rustix::process::geteuid().as_raw()) {
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, "the runtime folder is somebody else's"));
    }
    UnixStream::connect(path)
}

enum Started {
    Ready,
    Held(String),
    Config(String),
    Failed(String),
}

/// Starts a node in the background, with an environment of its own, and waits until it listens.
fn start_node(places: &Places) -> Started {
    const KEPT: [&str; 14] = [
        "HOME",
        "USER",
        "LOGNAME",
        "PATH",
        "LANG",
        "LC_ALL",
        "LC_CTYPE",
        "TZ",
        "TMPDIR",
        "SHELL",
        "XDG_RUNTIME_DIR",
        "XDG_STATE_HOME",
        "XDG_CONFIG_HOME",
        "XDG_CACHE_HOME",
    ];
    let program: PathBuf = match std::env::current_exe() {
        Ok(program) => program,
        Err(cause) => return Started::Failed(cause.to_string()),
    };
    let mut command = Command::new(program);
    command.args(["node", "run", "--config"]).arg(&places.config).arg("--state").arg(&places.state);
    command.env_clear().envs(KEPT.iter().filter_map(|key| Some((key, std::env::var_os(key)?))));
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).current_dir("/");
    let mut node = match command.spawn() {
        Ok(node) => node,
        Err(cause) => return Started::Failed(cause.to_string()),
    };
    let mut said = String::new();
    if let Some(stdout) = node.stdout.take() {
        // One word and, where it is not `ready`, why; then the node closes this end.
        BufReader::new(stdout).take(1 << 20).read_to_string(&mut said).unwrap_or_default();
    }
    let (word, rest) = said.split_once('\n').unwrap_or((&said, ""));
    match word {
        "ready" => Started::Ready,
        "held" => Started::Held(rest.to_owned()),
        "config" => Started::Config(rest.to_owned()),
        "failed" => Started::Failed(rest.to_owned()),
        _ => Started::Failed("it ended at once".to_owned()),
    }
}
