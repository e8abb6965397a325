//! `operator.sock`: commands of people. One command a connection, as a frame of JSON; one answer.
//!
//! In this version a person is whoever owns the account: the socket is theirs alone. What each command does is
//! recorded with who gave it.

use std::{
    io::Write as _,
    os::unix::net::UnixStream as Blocking,
    path::Path,
    sync::{Arc, atomic::Ordering},
    thread::JoinHandle,
    time::Duration,
};

use placet_engine::json::{Json, Limits, Object, parse};
use tokio::{
    io::AsyncWriteExt as _,
    net::{UnixListener, UnixStream},
    sync::watch,
    time::timeout,
};

use super::{Node, Surface};
use crate::frame::{Frame, Kind};

/// How long either side may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// The thread that takes people's commands.
pub(super) struct Desk {
    node: Arc<Node>,
    closing: watch::Sender<bool>,
    thread: JoinHandle<()>,
}

impl Desk {
    /// Begins to take commands.
    pub(super) fn open(node: Arc<Node>, listener: UnixListener) -> std::io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let listener = listener.into_std()?;
        let (closing, mut closed) = watch::channel(false);
        let desk = Arc::clone(&node);
        let serve = async move {
            let Ok(listener) = UnixListener::from_std(listener) else { return };
            loop {
                tokio::select! {
                    stream = listener.accept() => if let Ok((stream, _)) = stream {
                        desk.admit(stream, Surface::People);
                    },
                    _ = closed.wait_for(|closed| *closed) => return,
                }
            }
        };
        let thread =
            std::thread::Builder::new().name("operator".to_owned()).spawn(move || runtime.block_on(serve))?;
        Ok(Self { node, closing, thread })
    }

    /// Takes no more commands.
    pub(super) fn close(self) {
        self.closing.send_replace(true);
        // It is idle or ending; one that panicked has ended.
        drop(self.thread.join());
        std::fs::remove_file(self.node.places.operator_socket()).unwrap_or_default();
    }
}

pub(super) async fn serve(node: &Arc<Node>, mut stream: UnixStream) {
    let command = match timeout(PATIENCE, Frame::receive(&mut stream)).await {
        Ok(Ok(Some(frame))) if frame.kind == Kind::Command => frame.payload,
        Ok(_) | Err(_) => return,
    };
    let answer = match parse(&command, &Limits::EDGE) {
        Ok(command) => obey(node, &command).await,
        Err(error) => failed(&error.to_string()),
    };
    let frame = Frame { kind: Kind::Command, seq: 0, payload: Json::Object(answer).compact().into_bytes() };
    // Whoever gave the command and went away learns nothing more; it is recorded.
    stream.write_all(&frame.encode()).await.unwrap_or_default();
}

async fn obey(node: &Arc<Node>, command: &Json) -> Object {
    let text = |key: &str| command.get(key).and_then(Json::as_str).unwrap_or_default();
    let (by, reason) = (text("by"), text("reason"));
    match text("command") {
        "status" => status(node).await,
        "stop" => match node.gate.stop(by, reason).await {
            Ok(()) => done(),
            Err(error) => failed(&format!("everything is stopped, but only until this node ends: {error}")),
        },
        "resume" => match node.gate.resume(by, reason).await {
            Ok(()) => done(),
            Err(error) => failed(&format!("everything stays stopped: {error}")),
        },
        "end" => {
            node.ending.send_replace(true);
            done()
        }
        _ => failed("there is no such command"),
    }
}

async fn status(node: &Arc<Node>) -> Object {
    let stopped = match node.gate.standing().await {
        Ok(Some(stop)) => Json::from(format!("{} ({})", stop.reason, stop.by)),
        Ok(None) => Json::Null,
        Err(error) => return failed(&error.to_string()),
    };
    let mut status = done();
    status.insert("version", env!("CARGO_PKG_VERSION"));
    status.insert("pid", i64::from(std::process::id()));
    status.insert("config", node.places.config.to_string_lossy().into_owned());
    status.insert("config_digest", node.config_digest.as_str());
    status.insert("state", node.places.state.to_string_lossy().into_owned());
    // The one who asks is attached too.
    let clients = node.attached.load(Ordering::Acquire).saturating_sub(1);
    status.insert("clients", i64::try_from(clients).unwrap_or(i64::MAX));
    status.insert("stopped", stopped);
    status
}

fn done() -> Object {
    Object::from([("ok", Json::from(true))])
}

fn failed(why: &str) -> Object {
    Object::from([("ok", Json::from(false)), ("error", Json::from(why))])
}

/// Gives a node a command and waits for its answer.
///
/// # Errors
///
/// If there is no node at that socket, or it does not answer.
pub fn tell(socket: &Path, command: &str, by: &str, reason: &str) -> std::io::Result<Json> {
    let mut stream = Blocking::connect(socket)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let command = Object::from([
        ("command", Json::from(command)),
        ("by", Json::from(by)),
        ("reason", Json::from(reason)),
    ]);
    let frame = Frame { kind: Kind::Command, seq: 0, payload: Json::Object(command).compact().into_bytes() };
    stream.write_all(&frame.encode())?;
    let unread = || std::io::Error::new(std::io::ErrorKind::InvalidData, "the node's answer cannot be read");
    let answer = Frame::read(&mut stream)?.ok_or_else(unread)?;
    parse(&answer.payload, &Limits::EDGE).map_err(|_| unread())
}
