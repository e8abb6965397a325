//! A tool server as a child process that speaks MCP over its standard streams.
//!
//! Two kinds of things are sent to it: calls, which spend a permit at the moment of writing, and everything
//! that reaches no tool (lists, the handshake, cancellations). Answers come back by number; numbers that
//! nobody waits for are dropped. A child that breaks off, floods, or stops reading is ended with its group.
//!
//! Not here: what methods mean. That is `crate::mcp`.

use std::{
    collections::HashMap,
    io,
    path::PathBuf,
    process::Stdio,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use parking_lot::{Mutex, RwLock};
use placet_engine::{
    limits,
    permit::{Durability, Lapse, Permit},
};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};
use tokio::{
    io::{AsyncBufRead, AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::unix::pipe,
    process::Command,
    sync::{Mutex as AsyncMutex, OwnedSemaphorePermit, Semaphore, mpsc, oneshot, watch},
    time::timeout,
};

use super::NotSent;
use crate::{
    clock::Clock,
    gate::Leash,
    latch::{Latch, Passage},
    mcp::wire::{self, FromServer},
};

/// How long a server may take to answer what reaches no tool.
pub const ASK_DEADLINE: Duration = Duration::from_secs(60);

/// How long a server may leave its input unread in the middle of a message.
const WRITE_DEADLINE: Duration = Duration::from_secs(30);

/// How long a server is given to leave by itself, and then after being asked to.
const LEAVE: [Duration; 2] = [Duration::from_secs(2), Duration::from_secs(1)];

/// Messages of a server that may wait to be looked at, and bytes of them; then its output is left unread. A
/// single one may be longer, and then waits alone.
const INBOX: usize = 256;
const INBOX_BYTES: u32 = 8 << 20;

/// How a server is started.
#[derive(Clone, Debug)]
pub struct Launch {
    /// The program and its arguments.
    pub command: Vec<String>,
    /// What it inherits of our environment, and what it gets besides.
    pub environment: Environment,
    /// Where it runs; none: where we do.
    pub directory: Option<PathBuf>,
}

/// A child's environment.
#[derive(Clone, Debug)]
pub enum Environment {
    /// Ours, as it is: the child stands in our place.
    Inherited,
    /// A minimal one and these.
    Minimal(Vec<(String, String)>),
}

/// What a minimal environment takes over from ours.
const MINIMAL: [&str; 9] = ["PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "LC_CTYPE", "TMPDIR", "TZ"];

/// Where a server's stderr goes, line by line.
pub type Log = Arc<dyn Fn(&str) + Send + Sync>;

/// An answer of a server, as it wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Response {
    /// A `result`.
    Result(String),
    /// An `error`.
    Error(String),
}

/// Something that a server sent and nobody had asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unasked {
    /// It asks something of the client.
    Request {
        /// Its identifier, as text.
        id: String,
        /// What it asks for.
        method: String,
        /// With what.
        params: Option<String>,
    },
    /// It tells something.
    Notification {
        /// What.
        method: String,
        /// With what.
        params: Option<String>,
    },
}

/// What a server sends unasked, in the order in which it came.
pub struct Inbox {
    messages: mpsc::Receiver<(Unasked, OwnedSemaphorePermit)>,
    /// How many have been looked at; whoever asks for the next is done with the one before.
    heard: Arc<watch::Sender<u64>>,
    outside: bool,
}

impl Inbox {
    /// The next message; none when the server has ended.
    pub async fn next(&mut self) -> Option<Unasked> {
        if std::mem::take(&mut self.outside) {
            self.heard.send_modify(|heard| *heard += 1);
        }
        // Its room is free once it is taken: there is one at a time outside.
        let next = self.messages.recv().await.map(|(unasked, _room)| unasked);
        self.outside = next.is_some();
        next
    }
}

impl Drop for Inbox {
    fn drop(&mut self) {
        // Nobody looks at anything any more, so nobody need wait for it.
        self.heard.send_replace(u64::MAX);
    }
}

/// An answer came that cannot be read.
struct Unreadable;

/// The server is gone, or did not answer in time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gone(pub String);

/// A call as it is sent.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    /// Its number on this server.
    pub number: u64,
    /// Its text.
    pub line: &'a str,
    /// A call of a tool of a list is only sent while the server has said no more often that its tools changed than
    /// before that list was asked for.
    pub changed: Option<u64>,
}

/// A running server.
pub struct Child {
    stdin: AsyncMutex<Option<pipe::Sender>>,
    waiting: Mutex<HashMap<u64, oneshot::Sender<Result<Response, Unreadable>>>>,
    next: AtomicU64,
    /// How often it has said that its tools changed. Raised as soon as that is read, and held for reading while a
    /// call's first byte is written: so no call of a tool as it was listed before leaves afterwards.
    changes: RwLock<u64>,
    /// How many messages were put into the inbox, and how many of them have been looked at.
    unasked: AtomicU64,
    heard: Arc<watch::Sender<u64>>,
    gone: watch::Sender<Life>,
    /// The process group, whose number is its leader's. None once the leader is about to be reaped: from then
    /// on the number may be somebody else's, so no signal goes to it.
    group: Mutex<Option<Pid>>,
}

/// How far a server has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Life {
    /// It can be asked.
    Serves,
    /// It says nothing more.
    Silent,
    /// Nothing of it is left.
    Over,
}

impl Child {
    /// Starts a server. What it sends unasked comes out of the receiver, which ends when the server does.
    ///
    /// # Errors
    ///
    /// If it cannot be started.
    pub fn start(launch: &Launch, log: Log) -> io::Result<(Arc<Self>, Inbox)> {
        let [program, arguments @ ..] = launch.command.as_slice() else {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "there is no command to start"));
        };
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.kill_on_drop(true).process_group(0);
        if let Environment::Minimal(entries) = &launch.environment {
            command.env_clear();
            command.envs(MINIMAL.iter().filter_map(|key| Some((key, std::env::var_os(key)?))));
            command.envs(entries.iter().map(|(key, value)| (key, value)));
        }
        if let Some(directory) = &launch.directory {
            command.current_dir(directory);
        }
        let mut process = command.spawn()?;
        let piped = || io::Error::other("the server's streams could not be opened");
        let stdin = process.stdin.take().ok_or_else(piped)?;
        let stdout = process.stdout.take().ok_or_else(piped)?;
        let stderr = process.stderr.take().ok_or_else(piped)?;
        let stdin = pipe::Sender::from_owned_fd(stdin.into_owned_fd()?)?;
        let group = process.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        let child = Arc::new(Self {
            stdin: AsyncMutex::new(Some(stdin)),
            waiting: Mutex::default(),
            next: AtomicU64::new(1),
            changes: RwLock::new(0),
            unasked: AtomicU64::new(0),
            heard: Arc::new(watch::Sender::new(0)),
            gone: watch::Sender::new(Life::Serves),
            group: Mutex::new(group),
        });
        let (unasked, messages) = mpsc::channel(INBOX);
        tokio::spawn(Arc::clone(&child).listen(BufReader::with_capacity(64 << 10, stdout), unasked, process));
        tokio::spawn(drain(BufReader::new(stderr), log));
        let heard = Arc::clone(&child.heard);
        Ok((child, Inbox { messages, heard, outside: false }))
    }

    /// Whether it can still be asked anything.
    pub fn is_gone(&self) -> bool {
        *self.gone.borrow() != Life::Serves
    }

    /// A number for a request that nobody has used on this server.
    pub fn number(&self) -> u64 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    /// How often it has said that its tools changed.
    pub fn changes(&self) -> u64 {
        *self.changes.read()
    }

    /// Waits until what it sent unasked so far has been looked at. What a server says before an answer, progress
    /// above all, is to reach the client before it.
    pub async fn heard_out(&self) {
        let sent = self.unasked.load(Ordering::Acquire);
        let mut heard = self.heard.subscribe();
        // The one who looks may be waiting for the server to read, which has its own deadline.
        drop(timeout(WRITE_DEADLINE, heard.wait_for(|heard| *heard >= sent)).await);
    }

    /// Asks for something that reaches no tool.
    ///
    /// # Errors
    ///
    /// [`Gone`] if no answer comes.
    pub async fn ask(
        &self,
        number: u64,
        method: &str,
        params: &str,
        patience: Duration,
    ) -> Result<Response, Gone> {
        let answer = self.expect(number)?;
        self.tell(&wire::request(&number.to_string(), method, params)).await?;
        let answered = timeout(patience, answer).await;
        self.waiting.lock().remove(&number);
        match answered {
            Ok(Ok(Ok(response))) => Ok(response),
            Ok(Ok(Err(Unreadable))) => Err(Gone("its answer cannot be read".to_owned())),
            Ok(Err(_)) => Err(Gone("it ended before it answered".to_owned())),
            Err(_) => Err(Gone(format!("it did not answer within {} s", patience.as_secs()))),
        }
    }

    /// Sends a message that is no call.
    ///
    /// # Errors
    ///
    /// [`Gone`] if it cannot be sent whole; then the server is ended.
    pub async fn tell(&self, line: &str) -> Result<(), Gone> {
        let mut bytes = Vec::with_capacity(line.len() + 1);
        bytes.extend_from_slice(line.as_bytes());
        bytes.push(b'\n');
        let write = async {
            let mut stdin = self.stdin.lock().await;
            let stdin = stdin.as_mut().ok_or(io::ErrorKind::BrokenPipe)?;
            stdin.write_all(&bytes).await
        };
        match timeout(WRITE_DEADLINE, write).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => {
                self.end_now();
                Err(Gone(format!("it no longer takes messages: {error}")))
            }
            Err(_) => {
                self.end_now();
                Err(Gone("it stopped reading its input".to_owned()))
            }
        }
    }

    /// Sends one call, spending its permit on the first byte, and waits for the answer.
    pub async fn call<D: Durability>(
        &self,
        message: Message<'_>,
        permit: Permit<D>,
        latch: &Latch,
        clock: &dyn Clock,
        leash: Leash,
    ) -> Sent {
        let Message { number, line, changed } = message;
        let deadline = permit.bounds().deadline;
        let answer = match self.expect(number) {
            Ok(answer) => answer,
            Err(Gone(why)) => return Sent::Nothing(NotSent::Unavailable(why)),
        };
        let sent = self.send(line, changed, permit, latch, clock).await;
        if let Some(early) = sent {
            self.waiting.lock().remove(&number);
            return early;
        }
        let answered = tokio::select! {
            answered = timeout(deadline, answer) => answered,
            () = leash.pulled() => {
                self.waiting.lock().remove(&number);
                let params = format!("{{\"requestId\":{number},\"reason\":\"stopped\"}}");
                // Whether it hears that or not, its answer is no longer waited for.
                drop(self.tell(&wire::notification("notifications/cancelled", Some(&params))).await);
                return Sent::NoAnswer("it was given up when a person stopped it".to_owned());
            }
        };
        self.waiting.lock().remove(&number);
        match answered {
            Ok(Ok(Ok(response))) => Sent::Answered(response),
            Ok(Ok(Err(Unreadable))) => Sent::NoAnswer("the server's answer cannot be read".to_owned()),
            Ok(Err(_)) => Sent::NoAnswer("the server ended before it answered".to_owned()),
            Err(_) => Sent::NoAnswer(format!("the server did not answer within {} s", deadline.as_secs())),
        }
    }

    /// Writes a call's line; what went wrong, if something did.
    async fn send<D: Durability>(
        &self,
        line: &str,
        changed: Option<u64>,
        mut permit: Permit<D>,
        latch: &Latch,
        clock: &dyn Clock,
    ) -> Option<Sent> {
        let mut bytes = Vec::with_capacity(line.len() + 1);
        bytes.extend_from_slice(line.as_bytes());
        bytes.push(b'\n');
        let unread = || Some(Sent::Nothing(NotSent::Unavailable("it does not read its input".to_owned())));
        let Ok(mut stdin) = timeout(limits::PERMIT_LIFE, self.stdin.lock()).await else { return unread() };
        let gone = || Some(Sent::Nothing(NotSent::Unavailable("it has ended".to_owned())));
        let Some(stdin) = stdin.as_mut() else { return gone() };
        let written = loop {
            match timeout(limits::PERMIT_LIFE, stdin.writable()).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) => return gone(),
                Err(_) => return unread(),
            }
            let first = latch.pass(permit, clock.now(), |_| {
                let changes = self.changes.read();
                if changed.is_some_and(|changed| changed != *changes) {
                    return Some(First::OtherTools);
                }
                match stdin.try_write(&bytes) {
                    Ok(count) => Some(First::Written(count)),
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => None,
                    // Not one byte was taken: a pipe whose reader is gone refuses whole.
                    Err(_) => Some(First::Gone),
                }
            });
            match first {
                Passage::Passed(First::Written(count)) => break count,
                Passage::Passed(First::OtherTools) => {
                    return Some(Sent::Nothing(NotSent::Lapsed(Lapse::Moved)));
                }
                Passage::Passed(First::Gone) => return gone(),
                Passage::Lapsed(lapse) => return Some(Sent::Nothing(NotSent::Lapsed(lapse))),
                Passage::Blocked(back) => permit = back,
            }
        };
        let rest = bytes.get(written..).unwrap_or_default();
        if rest.is_empty() {
            return None;
        }
        match timeout(WRITE_DEADLINE, stdin.write_all(rest)).await {
            Ok(Ok(())) => None,
            // Part of the call is out. Half a message is none, but who knows what the other side made of it.
            Ok(Err(_)) | Err(_) => {
                self.end_now();
                Some(Sent::NoAnswer("the server stopped reading in the middle of the call".to_owned()))
            }
        }
    }

    fn expect(&self, number: u64) -> Result<oneshot::Receiver<Result<Response, Unreadable>>, Gone> {
        let (answer, wait) = oneshot::channel();
        let mut waiting = self.waiting.lock();
        // Under the lock under which `listen` gives up on everybody: nobody waits for an answer from the dead.
        if self.is_gone() {
            return Err(Gone("it has ended".to_owned()));
        }
        waiting.insert(number, answer);
        Ok(wait)
    }

    async fn listen(
        self: Arc<Self>,
        mut stdout: impl AsyncBufRead + Unpin,
        unasked: mpsc::Sender<(Unasked, OwnedSemaphorePermit)>,
        mut process: tokio::process::Child,
    ) {
        let mut line = Vec::new();
        let room = Arc::new(Semaphore::new(INBOX_BYTES as usize));
        loop {
            line.clear();
            let limit = wire::FROM_SERVER.bytes as u64;
            match (&mut stdout).take(limit).read_until(b'\n', &mut line).await {
                Ok(0) | Err(_) => break,
                Ok(_) if line.len() as u64 >= limit => break,
                Ok(_) => {}
            }
            let Ok(text) = std::str::from_utf8(&line) else {
                self.give_up(&String::from_utf8_lossy(&line));
                continue;
            };
            let text = text.trim();
            if text.is_empty() {
                continue;
            }
            let unexpected = match wire::from_server(text) {
                Ok(FromServer::Answer { id, outcome }) => {
                    let waiting = id.parse().ok().and_then(|number: u64| self.waiting.lock().remove(&number));
                    if let Some(waiting) = waiting {
                        // Whoever asked may have stopped waiting; then the answer is nobody's.
                        drop(waiting.send(Ok(match outcome {
                            Ok(result) => Response::Result(result.to_owned()),
                            Err(error) => Response::Error(error.to_owned()),
                        })));
                    }
                    continue;
                }
                Ok(FromServer::Request { id, method, params }) => {
                    Unasked::Request { id: id.to_owned(), method, params: params.map(str::to_owned) }
                }
                Ok(FromServer::Notification { method, params }) => {
                    if method == wire::TOOLS_CHANGED {
                        *self.changes.write() += 1;
                    }
                    Unasked::Notification { method, params: params.map(str::to_owned) }
                }
                // Not a message: some servers print on stdout. It reaches nobody, but whoever waits for an answer
                // that came broken need not wait any longer.
                Err(_) => {
                    self.give_up(text);
                    continue;
                }
            };
            let bytes = u32::try_from(text.len()).unwrap_or(u32::MAX).min(INBOX_BYTES);
            let Ok(room) = Arc::clone(&room).acquire_many_owned(bytes).await else { break };
            self.unasked.fetch_add(1, Ordering::AcqRel);
            if unasked.send((unexpected, room)).await.is_err() {
                break;
            }
        }
        {
            let mut waiting = self.waiting.lock();
            self.gone.send_replace(Life::Silent);
            waiting.clear();
        }
        self.stdin.lock().await.take();
        let leader = *self.group.lock();
        for patience in LEAVE {
            if timeout(patience, has_exited(leader)).await.is_ok() {
                break;
            }
            self.signal(Signal::TERM);
        }
        {
            // What the leader left behind goes with it, and so does a leader that stayed. Before it is reaped,
            // and under the lock: as long as it is not, nobody else can have its number.
            let mut group = self.group.lock();
            signal(*group, Signal::KILL);
            *group = None;
        }
        // Reaped, so that no dead child is left behind.
        drop(process.wait().await);
        self.gone.send_replace(Life::Over);
    }

    /// Ends the wait for an answer that cannot be read, as far as its number can be made out. Nothing else is
    /// taken from such a line: what became of the call stays unknown.
    fn give_up(&self, line: &str) {
        let numbers = line.split("\"id\"").skip(1).filter_map(|rest| {
            let digits = rest.trim_start().strip_prefix(':')?.trim_start();
            let end = digits.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(digits.len());
            digits.get(..end)?.parse::<u64>().ok()
        });
        let mut waiting = self.waiting.lock();
        for answer in numbers.filter_map(|number| waiting.remove(&number)).collect::<Vec<_>>() {
            drop(answer.send(Err(Unreadable)));
        }
    }

    /// Lets the server go: its input ends, and after a while so does it.
    pub async fn leave(&self) {
        self.stdin.lock().await.take();
        let mut gone = self.gone.subscribe();
        if timeout(LEAVE[0], gone.wait_for(|life| *life != Life::Serves)).await.is_err() {
            self.end_now();
        }
        // Whoever ends after this leaves no process behind. `listen` needs a little longer than `LEAVE` at most.
        let over = gone.wait_for(|life| *life == Life::Over);
        drop(timeout(LEAVE.iter().sum::<Duration>() * 2, over).await);
    }

    /// Ends the server and everything it started.
    pub fn end_now(&self) {
        self.signal(Signal::KILL);
    }

    /// Under the lock, so that the group's number stays its own until the signal is out.
    fn signal(&self, what: Signal) {
        signal(*self.group.lock(), what);
    }
}

fn signal(group: Option<Pid>, signal: Signal) {
    if let Some(group) = group {
        // A group that is gone already needs no signal, so a failure says nothing new.
        kill_process_group(group, signal).unwrap_or_default();
    }
}

/// Waits until a child of ours has exited, and leaves it unreaped. There is no portable way to be woken for
/// that, so it is looked at again and again; this is only done once its output has ended.
async fn has_exited(leader: Option<Pid>) {
    const LOOK: Duration = Duration::from_millis(5);
    let Some(leader) = leader else { return };
    let unreaped = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    while let Ok(None) = waitid(WaitId::Pid(leader), unreaped) {
        tokio::time::sleep(LOOK).await;
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if !self.is_gone() {
            self.end_now();
        }
    }
}

/// What came of sending a call.
#[derive(Debug)]
pub enum Sent {
    /// An answer came.
    Answered(Response),
    /// Nothing was sent.
    Nothing(NotSent),
    /// It was sent, and no answer came.
    NoAnswer(String),
}

/// What became of writing a call's first byte.
enum First {
    Written(usize),
    /// The list that the call was judged by is not the server's any more.
    OtherTools,
    Gone,
}

/// Reads a server's stderr to its end, so that it never blocks on it.
async fn drain(mut stderr: impl AsyncBufRead + Unpin, log: Log) {
    const LINE: u64 = 16 << 10;
    let mut line = Vec::new();
    loop {
        line.clear();
        match (&mut stderr).take(LINE).read_until(b'\n', &mut line).await {
            Ok(0) | Err(_) => return,
            Ok(_) => log(&placet_engine::diagnostic::inert(String::from_utf8_lossy(&line).trim_end())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Launch {
        let command = ["sh", "-c", script].map(str::to_owned).to_vec();
        Launch { command, environment: Environment::Inherited, directory: None }
    }

    #[tokio::test]
    async fn what_a_server_leaves_behind_ends_with_it_and_its_number_is_signalled_no_more() {
        // The one that stays holds the server's stderr; when nobody does any more, the log is let go.
        let (held, mut let_go) = mpsc::channel::<()>(1);
        let log: Log = Arc::new(move |_| held.try_send(()).unwrap_or_default());
        let (child, _inbox) = Child::start(&shell("sleep 1000 >/dev/null & exit 0"), log).unwrap();
        timeout(Duration::from_secs(20), let_go.recv()).await.unwrap();
        let over = async { child.gone.subscribe().wait_for(|life| *life == Life::Over).await.map(drop) };
        timeout(Duration::from_secs(20), over).await.unwrap().unwrap();
        assert_eq!(*child.group.lock(), None);
    }
}
