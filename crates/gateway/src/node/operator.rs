//! `operator.sock`: commands of people. One command a connection, as a frame of JSON; one answer.
//!
//! For most commands a person is whoever owns the account: the socket is theirs alone. Answers to questions are given
//! by people of the file, each with a secret of her own ([`asking`]). What each command does is recorded with who
//! gave it.

mod asking;

use std::{
    io::Write as _,
    os::unix::net::UnixStream as Blocking,
    path::Path,
    sync::{Arc, atomic::Ordering},
    thread::JoinHandle,
    time::Duration,
};

use placet_engine::{
    budget::Account,
    call::CallId,
    json::{Json, Limits, Object, parse},
    session::{SessionId, SessionKey},
    stop::{Leaves, Scope},
    time::Timestamp,
};
use tokio::{
    io::AsyncWriteExt as _,
    net::{UnixListener, UnixStream},
    sync::watch,
    time::timeout,
};

use super::{Node, Surface};
use crate::{
    frame::{Frame, Kind},
    gate::AfterStop,
};

/// How long either side may take.
pub const PATIENCE: Duration = Duration::from_secs(10);

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
        "stop" => stop(node, command, by, reason).await,
        "resume" => match scope(command) {
            Ok(scope) if !node.gate.is_stopped(&scope).await => {
                failed(&format!("`{scope}` is not stopped; `placet node status` shows what is"))
            }
            Ok(scope) => match node.gate.resume(&scope, by, reason).await {
                Ok(()) => done(),
                Err(error) => failed(&format!("it stays stopped: {error}")),
            },
            Err(why) => failed(&why),
        },
        "pause" => pause(node, command, by, reason).await,
        "end_pause" => match node.gate.end_pause(by, reason).await {
            Ok(()) => done(),
            Err(error) => {
                failed(&format!("policy is enforced again, but that could not be recorded: {error}"))
            }
        },
        "resolve" => resolve(node, command, by, reason).await,
        "settle_epoch" => match node.gate.settle_epoch(by, reason).await {
            Ok(()) => done(),
            Err(error) => failed(&error.to_string()),
        },
        "accept_clock" => match node.gate.accept_clock(by, reason).await {
            Ok(()) => done(),
            Err(error) => failed(&error.to_string()),
        },
        "questions" => asking::list(node).await,
        "question" => asking::show(node, command).await,
        "answer" => asking::answer(node, command).await,
        "end_session" => end_session(node, command, by).await,
        "reopen" => reopen(node, command, by, reason).await,
        "erase" => erase(node, command, by, reason).await,
        "apply" => match node.apply(text("version"), by, reason).await {
            Ok(told) => {
                let mut answer = done();
                told.iter().for_each(|(key, value)| drop(answer.insert(key, value.clone())));
                answer
            }
            Err(why) => failed(&why),
        },
        "rebuild" => match node.gate.store().rebuild().await {
            Ok(is_folded) => with_more(done(), [("folded", Json::from(is_folded))]),
            Err(error) => failed(&error.to_string()),
        },
        "end" => {
            node.ending.send_replace(true);
            done()
        }
        _ => failed("there is no such command"),
    }
}

fn scope(command: &Json) -> Result<Scope, String> {
    match command.get("scope").and_then(Json::as_str) {
        None => Ok(Scope::Everything),
        Some(scope) => scope.parse().map_err(|error: placet_engine::stop::NotAScope| error.to_string()),
    }
}

async fn pause(node: &Arc<Node>, command: &Json, by: &str, reason: &str) -> Object {
    let seconds =
        command.get("seconds").and_then(Json::as_i64).and_then(|seconds| u64::try_from(seconds).ok());
    let Some(seconds) = seconds else { return failed("a pause has a length in seconds") };
    match node.gate.pause(Duration::from_secs(seconds), by, reason).await {
        Ok(()) => done(),
        Err(error) => failed(&error.to_string()),
    }
}

async fn stop(node: &Arc<Node>, command: &Json, by: &str, reason: &str) -> Object {
    let scope = match scope(command) {
        Ok(scope) => scope,
        Err(why) => return failed(&why),
    };
    let word = |key: &str| command.get(key).and_then(Json::as_str);
    let leaves = match word("leaves") {
        None => Leaves::Nothing,
        Some("reads") => Leaves::Reads,
        Some(other) => return failed(&format!("`{other}` is nothing that a stop can leave: `reads` is")),
    };
    let after = match word("in_flight") {
        None => AfterStop::default(),
        Some(word) => match AfterStop::ALL.into_iter().find(|after| after.as_str() == word) {
            Some(after) => after,
            None => {
                return failed("calls in flight can be left to `drain`, or be told to `hold` or to `cancel`");
            }
        },
    };
    if !node.gate.covers_something(&scope) {
        return failed(&format!("`{scope}` names nothing that this node knows, so it would stop nothing"));
    }
    let stopped = node.gate.stop(scope, leaves, by, reason, after).await;
    let mut answer = match stopped.kept {
        Ok(()) => done(),
        Err(error) => failed(&format!("it is stopped, but only until this node ends: {error}")),
    };
    let out = stopped.out.into_iter().map(|out| {
        Json::Object(Object::from([
            ("call", Json::from(out.call.to_string())),
            ("agent", Json::from(out.agent)),
            ("tool", Json::from(out.tool)),
            ("since", Json::from(out.since.to_string())),
        ]))
    });
    answer.insert("in_flight", Json::Array(out.collect()));
    answer
}

async fn resolve(node: &Arc<Node>, command: &Json, by: &str, evidence: &str) -> Object {
    let call = command.get("call").and_then(Json::as_str).and_then(CallId::parse);
    let Some(call) = call else { return failed("a call's id is `d_` and 20 characters") };
    let Some(happened) = command.get("happened").and_then(Json::as_bool) else {
        return failed("say whether it happened");
    };
    match node.gate.resolve(call, happened, by, evidence).await {
        Ok(()) => done(),
        Err(error) => failed(&error.to_string()),
    }
}

async fn end_session(node: &Arc<Node>, command: &Json, by: &str) -> Object {
    let Some(Ok(client)) = command.get("client").and_then(Json::as_str).map(str::parse) else {
        return failed("say which client's session ends");
    };
    let name = command.get("run").and_then(Json::as_str).filter(|run| !run.is_empty()).map(Into::into);
    match node.gate.end_session(SessionKey { client, name }, by).await {
        Ok(()) => done(),
        Err(error) => failed(&error.to_string()),
    }
}

async fn reopen(node: &Arc<Node>, command: &Json, by: &str, reason: &str) -> Object {
    let text = |key: &str| command.get(key).and_then(Json::as_str).unwrap_or_default();
    let Ok(budget) = text("budget").parse() else { return failed("say which budget is opened again") };
    let window = command.get("window").and_then(Json::as_i64).and_then(|at| u64::try_from(at).ok());
    let account = Account {
        budget,
        subject: text("subject").into(),
        session: SessionId::parse(text("session")),
        window: Timestamp(window.unwrap_or(0)),
    };
    match node.gate.reopen(account, by, reason).await {
        Ok(()) => done(),
        Err(error) => failed(&error.to_string()),
    }
}

async fn erase(node: &Arc<Node>, command: &Json, by: &str, reason: &str) -> Object {
    let seconds = command.get("older").and_then(Json::as_i64).and_then(|older| u64::try_from(older).ok());
    let Some(seconds) = seconds else {
        return failed("say in seconds how long ago a call must have been allowed");
    };
    let from = match command.get("from").map(|from| from.as_str().and_then(CallId::parse)) {
        Some(None) => return failed("a call's id is `d_` and 20 characters"),
        Some(Some(call)) => Some(call),
        None => None,
    };
    let erased = match node.gate.erase(Duration::from_secs(seconds), from, by, reason).await {
        Ok(erased) => erased,
        Err(error) => return failed(&error.to_string()),
    };
    let count = |count: u64| Json::from(i64::try_from(count).unwrap_or(i64::MAX));
    let answer = [
        ("calls", count(erased.calls)),
        ("results", count(erased.results)),
        ("open", count(erased.open)),
        ("next", erased.next.map_or(Json::Null, |call| Json::from(call.to_string()))),
        ("folded", Json::from(erased.is_folded)),
    ];
    with_more(done(), answer)
}

fn with_more<const N: usize>(mut answer: Object, more: [(&str, Json); N]) -> Object {
    for (key, value) in more {
        answer.insert(key, value);
    }
    answer
}

async fn status(node: &Arc<Node>) -> Object {
    node.look().await;
    let served = node.served.load_full();
    let stopped = match node.gate.standing().await {
        Ok(Some(stop)) => Json::from(format!("{} ({})", stop.reason, stop.by)),
        Ok(None) => Json::Null,
        Err(error) => return failed(&error.to_string()),
    };
    let mut status = done();
    status.insert("version", env!("CARGO_PKG_VERSION"));
    status.insert("pid", i64::from(std::process::id()));
    status.insert("config", node.places.config.to_string_lossy().into_owned());
    status.insert("config_digest", served.digest.as_str());
    status.insert("applied", served.stamp.to_string());
    if let Some(words) = node.pending() {
        status.insert("changed", words);
    }
    status.insert("state", node.places.state.to_string_lossy().into_owned());
    // The one who asks is attached too.
    let clients = node.attached.load(Ordering::Acquire).saturating_sub(1);
    status.insert("clients", i64::try_from(clients).unwrap_or(i64::MAX));
    status.insert("stopped", stopped);
    if let Some(pause) = node.gate.paused() {
        let left = pause.until.since(node.gate.clock().now().boot).as_secs();
        let paused = format!("policy is only watched for {left} s more: {} ({})", pause.reason, pause.by);
        status.insert("paused", paused);
    }
    let observed = node
        .gate
        .engine()
        .policy()
        .rules()
        .agents
        .iter()
        .filter(|(_, agent)| agent.observe)
        .map(|(name, _)| Json::from(name.as_str()))
        .collect::<Vec<_>>();
    if !observed.is_empty() {
        status.insert("observed", Json::Array(observed));
    }
    if let Some(doubt) = node.gate.clock().doubt() {
        status.insert("clock", doubt);
    }
    match node.gate.stops().await {
        Ok(stops) => {
            let stops = stops.iter().map(|stop| {
                Json::from(format!(
                    "{} leaves {} ({}: {})",
                    stop.scope,
                    stop.leaves.as_str(),
                    stop.by,
                    stop.reason
                ))
            });
            status.insert("stops", Json::Array(stops.collect()));
        }
        Err(error) => return failed(&error.to_string()),
    }
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
    let command = Object::from([
        ("command", Json::from(command)),
        ("by", Json::from(by)),
        ("reason", Json::from(reason)),
    ]);
    order(socket, command)
}

/// Gives a node a command with more to it, and waits for its answer.
///
/// # Errors
///
/// As [`tell`].
pub fn order(socket: &Path, command: Object) -> std::io::Result<Json> {
    order_within(socket, command, PATIENCE)
}

/// The same, where the answer may take as long as `patience`.
///
/// # Errors
///
/// As [`tell`].
pub fn order_within(socket: &Path, command: Object, patience: Duration) -> std::io::Result<Json> {
    let mut stream = Blocking::connect(socket)?;
    stream.set_read_timeout(Some(patience))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let frame = Frame { kind: Kind::Command, seq: 0, payload: Json::Object(command).compact().into_bytes() };
    stream.write_all(&frame.encode())?;
    let unread = || std::io::Error::new(std::io::ErrorKind::InvalidData, "the node's answer cannot be read");
    let answer = Frame::read(&mut stream)?.ok_or_else(unread)?;
    parse(&answer.payload, &Limits::EDGE).map_err(|_| unread())
}
