//! A witness over HTTP: the second host that has seen how long a log was.
//!
//! [`Heads`] keeps, in a directory of its own, the last head it signed of each log; a head is on disk before its
//! cosignature leaves. [`serve`] answers `POST /add-checkpoint` (c2sp.org/tlog-witness), [`ask`] is the log's side.
//! What a witness signs is decided in the `ledger` crate; here are bytes, deadlines and files.

use std::{
    convert::Infallible,
    fs::{self, File, TryLockError},
    io,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use http_body_util::{BodyExt as _, Full, Limited};
use hyper::{Method, Request, Response, StatusCode, body::Bytes, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use parking_lot::Mutex;
use placet_ledger::{
    checkpoint::Checkpoint,
    note::{SignatureLine, Signer, Verifier},
    proof::Head,
    witness::{REQUEST_BYTES_MAX, Refusal, judge},
};
use sha2::{Digest as _, Sha256};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    time::timeout,
};

use crate::{clock::Clock, signing::write_private};

/// Connections at once. A log needs one.
const CONNECTIONS_MAX: usize = 64;

/// How long a connection may take, from its beginning to the answer's last byte.
const CONNECTION_DEADLINE: Duration = Duration::from_secs(30);

/// How long the head of a request may take.
const HEADER_DEADLINE: Duration = Duration::from_secs(5);

/// How long a log waits for a witness.
const ASK_DEADLINE: Duration = Duration::from_secs(15);

/// The longest answer that a log reads.
const ANSWER_BYTES_MAX: usize = 65_536;

/// What a witness remembers, in files.
#[derive(Debug)]
pub struct Heads {
    directory: PathBuf,
    _lock: File,
}

impl Heads {
    /// Opens a witness's directory, which one process may use at a time.
    ///
    /// # Errors
    ///
    /// What the system says; also if another process uses it.
    pub fn open(directory: &Path) -> io::Result<Self> {
        crate::place::make_private(directory).map_err(io::Error::other)?;
        let lock = File::options().write(true).create(true).truncate(false).open(directory.join("lock"))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { directory: directory.to_owned(), _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(io::Error::other("another witness uses this directory")),
            Err(TryLockError::Error(cause)) => Err(cause),
        }
    }

    /// An origin may hold anything, a file's name may not.
    fn path(&self, origin: &str) -> PathBuf {
        let name: String = Sha256::digest(origin).iter().map(|byte| format!("{byte:02x}")).collect();
        self.directory.join(format!("{name}.head"))
    }

    /// The last head signed for a log.
    ///
    /// # Errors
    ///
    /// What the system says, and a file that is no head of this log: then nothing may be signed for it.
    pub fn last(&self, origin: &str) -> io::Result<Option<Head>> {
        let text = match fs::read_to_string(self.path(origin)) {
            Ok(text) => text,
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(cause) => return Err(cause),
        };
        let head: Checkpoint = text.parse().map_err(io::Error::other)?;
        if head.origin != origin {
            return Err(io::Error::other("a kept head is of another log"));
        }
        Ok(Some(Head { size: head.size, root: head.root }))
    }

    fn keep(&self, origin: &str, head: Head) -> io::Result<()> {
        let Head { size, root } = head;
        let head = Checkpoint { origin: origin.to_owned(), size, root, extensions: Vec::new() };
        write_private(&self.path(origin), head.to_string().as_bytes())
    }
}

/// A witness: its key, the logs it watches, and what it remembers.
#[derive(Debug)]
pub struct Witness {
    /// Its key.
    pub signer: Signer,
    /// The keys of the logs that it watches.
    pub logs: Vec<Verifier>,
    /// Its memory. Reading, judging and keeping are one step under this lock.
    pub heads: Mutex<Heads>,
}

/// What a witness answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// `text/plain`, or of a conflict the size that it has signed.
    pub content_type: &'static str,
    /// Cosignature lines, or why there are none.
    pub body: String,
}

impl Witness {
    /// Answers the body of one `add-checkpoint`. When this returns a cosignature, the head is on disk.
    pub fn answer(&self, body: &[u8], seconds: u64) -> Answer {
        let heads = self.heads.lock();
        let mut unreadable = None;
        let judged = judge(
            body,
            &self.logs,
            |origin| {
                heads.last(origin).unwrap_or_else(|cause| {
                    unreadable = Some(cause);
                    None
                })
            },
            &self.signer,
            seconds,
        );
        let broken = |cause: io::Error| Answer {
            status: 500,
            content_type: "text/plain; charset=utf-8",
            body: format!("the witness cannot use its memory: {cause}\n"),
        };
        if let Some(cause) = unreadable {
            return broken(cause);
        }
        match judged {
            Ok(accepted) => match accepted.keep(|origin, head| heads.keep(origin, head)) {
                Ok(body) => Answer { status: 200, content_type: "text/plain; charset=utf-8", body },
                Err(cause) => broken(cause),
            },
            Err(refusal) => Answer {
                status: refusal.status(),
                content_type: match refusal {
                    Refusal::OtherSize { .. } | Refusal::OtherRoot { .. } => "text/x.tlog.size",
                    Refusal::Malformed | Refusal::UnknownLog | Refusal::Unsigned | Refusal::Inconsistent => {
                        "text/plain; charset=utf-8"
                    }
                },
                body: refusal.body(),
            },
        }
    }
}

type Body = Full<Bytes>;

fn response(answer: Answer) -> Response<Body> {
    let mut response = Response::new(Full::new(Bytes::from(answer.body)));
    *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let content_type = hyper::header::HeaderValue::from_static(answer.content_type);
    response.headers_mut().insert(hyper::header::CONTENT_TYPE, content_type);
    response
}

fn plain(status: u16, body: &str) -> Response<Body> {
    response(Answer { status, content_type: "text/plain; charset=utf-8", body: format!("{body}\n") })
}

/// Serves until it is dropped.
///
/// # Errors
///
/// What the system says when it accepts no more connections.
pub async fn serve(
    listener: TcpListener,
    witness: Arc<Witness>,
    clock: Arc<dyn Clock>,
) -> io::Result<Infallible> {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let place = Arc::clone(&places).acquire_owned().await.map_err(io::Error::other)?;
        let (stream, _) = match listener.accept().await {
            Ok(accepted) => accepted,
            // One connection that went away, or no more files for a moment; the next may do.
            Err(_) => {
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let (witness, clock) = (Arc::clone(&witness), Arc::clone(&clock));
        tokio::spawn(async move {
            let _place = place;
            let service =
                service_fn(move |request| respond(request, Arc::clone(&witness), Arc::clone(&clock)));
            let connection = hyper::server::conn::http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEADER_DEADLINE)
                .max_buf_size(16 * 1_024)
                .serve_connection(TokioIo::new(stream), service);
            // A peer that breaks off or takes too long is not answered, and has nobody to blame us to.
            drop(timeout(CONNECTION_DEADLINE, connection).await);
        });
    }
}

async fn respond(
    request: Request<hyper::body::Incoming>,
    witness: Arc<Witness>,
    clock: Arc<dyn Clock>,
) -> Result<Response<Body>, Infallible> {
    if request.uri().path() != "/add-checkpoint" {
        return Ok(plain(404, "a witness has one path, `/add-checkpoint`"));
    }
    if request.method() != Method::POST {
        return Ok(plain(405, "a checkpoint is brought by POST"));
    }
    // A page in somebody's browser has no business here.
    if request.headers().contains_key(hyper::header::ORIGIN) {
        return Ok(plain(403, "not from a web page"));
    }
    let Ok(body) = Limited::new(request.into_body(), REQUEST_BYTES_MAX).collect().await else {
        return Ok(plain(413, "the request is too long, or broke off"));
    };
    let seconds = clock.now().wall.0 / 1_000_000;
    let bytes = body.to_bytes();
    // Keeping a head waits for the disk.
    let answer = tokio::task::spawn_blocking(move || witness.answer(&bytes, seconds)).await;
    Ok(answer.map_or_else(|_| plain(500, "the witness failed"), response))
}

/// Where a witness is: `http://HOST:PORT` and a path before `/add-checkpoint`, if there is one.
///
/// ```
/// use placet::witness::Address;
/// assert!("http://127.0.0.1:8090".parse::<Address>().is_ok());
/// // There is no TLS in here; a tunnel or a proxy on this host brings it.
/// assert!("https://witness.example".parse::<Address>().is_err());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    authority: String,
    prefix: String,
}

impl std::str::FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let rest = text.strip_prefix("http://").ok_or("a witness's address begins with `http://`")?;
        let (authority, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        if authority.is_empty() || authority.contains(['@', '?', '#']) || prefix.contains(['?', '#', ' ']) {
            return Err("a witness's address is `http://HOST:PORT` and perhaps a path".to_owned());
        }
        let with_port = if authority.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok()) {
            authority.to_owned()
        } else {
            format!("{authority}:80")
        };
        Ok(Self { authority: with_port, prefix: prefix.trim_end_matches('/').to_owned() })
    }
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "http://{}/{}", self.authority, self.prefix)
    }
}

/// Sends one request to a witness: the status and the body of its answer.
///
/// # Errors
///
/// In words, why there was no answer.
pub async fn ask(address: &Address, request: String) -> Result<(u16, String), String> {
    let exchange = async {
        let stream = TcpStream::connect(&address.authority).await.map_err(|error| error.to_string())?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|error| error.to_string())?;
        let driver = tokio::spawn(connection);
        let prefix = if address.prefix.is_empty() { String::new() } else { format!("/{}", address.prefix) };
        let request = Request::post(format!("{prefix}/add-checkpoint"))
            .header(hyper::header::HOST, &address.authority)
            .header(hyper::header::CONTENT_TYPE, "text/plain; charset=utf-8")
            .body(Full::new(Bytes::from(request)))
            .map_err(|error| error.to_string())?;
        let response = sender.send_request(request).await.map_err(|error| error.to_string())?;
        let status = response.status().as_u16();
        let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX).collect().await;
        let body = body.map_err(|error| error.to_string())?.to_bytes();
        driver.abort();
        let body = String::from_utf8(body.into()).map_err(|_| "its answer is no text".to_owned())?;
        Ok((status, body))
    };
    timeout(ASK_DEADLINE, exchange).await.map_err(|_| "it did not answer in time".to_owned())?
}

/// The cosignatures in a witness's answer.
///
/// # Errors
///
/// In words, that a line is none.
pub fn cosignatures(body: &str) -> Result<Vec<SignatureLine>, String> {
    let lines = body.strip_suffix('\n').ok_or("its answer does not end")?;
    lines.split('\n').map(|line| SignatureLine::parse(line).map_err(|error| error.to_string())).collect()
}

/// Where a witness may listen without being asked twice: this host alone.
pub fn is_loopback(address: &SocketAddr) -> bool {
    address.ip().is_loopback()
}
