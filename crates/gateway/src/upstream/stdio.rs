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

use parking_lot::Mutex;
use placet_engine::{
    limits,
    permit::{Durability, Permit},
};
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::{
    io::{AsyncBufRead, AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::unix::pipe,
    process::Command,
    sync::{Mutex as AsyncMutex, mpsc, oneshot, watch},
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

/// Messages of a server that may wait to be looked at; then its output is left unread.
const INBOX: usize = 256;

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

/// An answer came that cannot be read.
struct Unreadable;

/// The server is gone, or did not answer in time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gone(pub String);

/// A running server.
pub struct Child {
    stdin: AsyncMutex<Option<pipe::Sender>>,
    waiting: Mutex<HashMap<u64, oneshot::Sender<Result<Response, Unreadable>>>>,
    next: AtomicU64,
    gone: watch::Sender<bool>,
    group: Option<Pid>,
}

impl Child {
    /// Starts a server. What it sends unasked comes out of the receiver, which ends when the server does.
    ///
    /// # Errors
    ///
    /// If it cannot be started.
    pub fn start(launch: &Launch, log: Log) -> io::Result<(Arc<Self>, mpsc::Receiver<Unasked>)> {
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
            gone: watch::Sender::new(false),
            group,
        });
        let (unasked, inbox) = mpsc::channel(INBOX);
        tokio::spawn(Arc::clone(&child).listen(BufReader::with_capacity(64 << 10, stdout), unasked, process));
        tokio::spawn(drain(BufReader::new(stderr), log));
        Ok((child, inbox))
    }

    /// Whether it can still be asked anything.
    pub fn is_gone(&self) -> bool {
        *self.gone.borrow()
    }

    /// A number for a request that nobody has used on this server.
    pub fn number(&self) -> u64 {
        self.next.fetch_add(1, Ordering::Relaxed)
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
        number: u64,
        line: &str,
        permit: Permit<D>,
        latch: &Latch,
        clock: &dyn Clock,
        leash: Leash,
    ) -> Sent {
        let deadline = permit.bounds().deadline;
        let answer = match self.expect(number) {
            Ok(answer) => answer,
            Err(Gone(why)) => return Sent::Nothing(NotSent::Unavailable(why)),
        };
        let sent = self.send(line, permit, latch, clock).await;
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
            let first = latch.pass(permit, clock.now(), |_| match stdin.try_write(&bytes) {
                Ok(count) => Some(Ok(count)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => None,
                Err(error) => Some(Err(error)),
            });
            match first {
                Passage::Passed(Ok(count)) => break count,
                // Not one byte was taken: a pipe whose reader is gone refuses whole.
                Passage::Passed(Err(_)) => return gone(),
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
        unasked: mpsc::Sender<Unasked>,
        mut process: tokio::process::Child,
    ) {
        let mut line = Vec::new();
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
                    Unasked::Notification { method, params: params.map(str::to_owned) }
                }
                // Not a message: some servers print on stdout. It reaches nobody, but whoever waits for an answer
                // that came broken need not wait any longer.
                Err(_) => {
                    self.give_up(text);
                    continue;
                }
            };
            if unasked.send(unexpected).await.is_err() {
                break;
            }
        }
        {
            let mut waiting = self.waiting.lock();
            self.gone.send_replace(true);
            waiting.clear();
        }
        self.stdin.lock().await.take();
        for patience in LEAVE {
            if timeout(patience, process.wait()).await.is_ok() {
                return;
            }
            self.signal(Signal::TERM);
        }
        self.signal(Signal::KILL);
        // Reaped, so that no dead child is left behind.
        drop(process.wait().await);
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
        if timeout(LEAVE[0], gone.wait_for(|gone| *gone)).await.is_err() {
            self.end_now();
        }
    }

    /// Ends the server and everything it started.
    pub fn end_now(&self) {
        self.signal(Signal::KILL);
    }

    fn signal(&self, signal: Signal) {
        if let Some(group) = self.group {
            // A group that is gone already needs no signal, so a failure says nothing new.
            kill_process_group(group, signal).unwrap_or_default();
        }
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
