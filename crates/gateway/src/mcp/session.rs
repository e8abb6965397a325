//! One connection: a client, its tool server, and everything that passes between them.
//!
//! Each message of the client is read here once, strictly. Calls and judged methods go to the gate; what
//! concerns the caller alone is relayed; everything else is refused. Toward the client a server's results go
//! through as they are, less what claims to be ours.
//!
//! Start at [`Session::run`]. A call's way is in `calls`, the beginning of a connection in `handshake`, what the
//! server sends unasked in `server`, and what it asks for in its results in `inputs`.

mod calls;
mod handshake;
mod inputs;
mod server;

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
    time::Duration,
};

use parking_lot::Mutex;
use placet_engine::{
    decision::{Denial, DenyReason, Stopped},
    json::{Json, Limits, Object},
    names::{AgentName, ClientName, ServerName, ToolName},
    policy::{
        Policy,
        config::{Disclose, Integers, ServerRequest},
    },
    record::Record,
};
use placet_store::Store;
use tokio::{
    sync::{Mutex as AsyncMutex, mpsc, watch},
    task::JoinSet,
    time::timeout,
};

use super::{
    Era, MODERN,
    catalog::{Book, Listing},
    meta::{self, Meta},
    methods::{self, Method, Needs},
    out::Out,
    refusal::{self, Shape},
    uris,
    wire::{self, FromClient, Id},
};
use crate::{
    gate::Gate,
    upstream::stdio::{ASK_DEADLINE, Child, Gone, Launch, Log, Response},
    words,
};

/// Messages of the client that are taken before it is seen to that it reads what is said about them. Each leaves
/// at most two frames without content in the queue.
const QUEUED: usize = 65_536;

/// What one connection is about, settled by the operator's file and the client's credential.
pub struct Settings {
    /// Who proposes.
    pub agent: AgentName,
    /// Through which credential.
    pub client: ClientName,
    /// To which server.
    pub server: ServerName,
    /// How the server is started.
    pub launch: Launch,
    /// What the server may ask of the client.
    pub requests: BTreeSet<ServerRequest>,
    /// Keys of `_meta` that go on to the server.
    pub meta: Vec<String>,
    /// Resources that may be read; none: all.
    pub resources: Option<Vec<String>>,
    /// How large integers may be.
    pub integers: Integers,
    /// What the server's tools were accepted to be.
    pub book: Arc<Book>,
    /// How tools get their levels, where no file gives them.
    pub learn: Option<Learn>,
    /// Where the server's stderr and what a person should hear go.
    pub log: Log,
    /// How long calls in flight may take once the client is gone.
    pub drain: Duration,
    /// Whether what it rests on is no longer so: then no call of it is judged to be as accepted. None: never.
    pub retired: Option<watch::Receiver<bool>>,
}

/// Makes the policy from the tools that the server first offers.
pub type Learn = Box<dyn Fn(&[ToolName]) -> Result<(Policy, Record), String> + Send + Sync>;

/// One message of the client on its way in.
#[derive(Debug)]
pub struct Inbound {
    /// Its number.
    pub seq: u64,
    /// Its text.
    pub line: Vec<u8>,
    /// Whether an earlier node has answered it already.
    pub again: bool,
}

/// A connection.
pub struct Session<S> {
    gate: Arc<Gate<S>>,
    settings: Settings,
    out: Out,
    state: Mutex<State>,
    /// One listing at a time.
    listing: AsyncMutex<()>,
    /// One start of the server at a time.
    starting: AsyncMutex<()>,
}

#[derive(Default)]
struct State {
    era: Option<Era>,
    child: Option<Arc<Child>>,
    listed: Option<Listed>,
    learned: bool,
    /// The client's requests that are not answered yet.
    open: HashMap<Id, Open>,
    /// Which client token stands for which number of ours.
    progress: HashMap<u64, String>,
    /// Numbers of ours under which a subscription runs, and the client's identifier for it.
    subscriptions: HashMap<u64, String>,
    /// Questions of the server that the client has not answered: ours to theirs.
    questions: HashMap<String, String>,
    /// What the client can be asked, as it said itself at the beginning.
    answers: BTreeSet<&'static str>,
    /// What the server asked for in its results.
    inputs: inputs::Inputs,
}

/// A request of the client that is not answered yet.
#[derive(Clone, Copy, Debug, Default)]
struct Open {
    number: Option<u64>,
    cancelled: bool,
}

/// What this connection's server offers, as far as it has not said since that this changed.
#[derive(Clone, Debug)]
struct Listed {
    listing: Arc<Listing>,
    /// How often the server had said that its tools changed when its list was asked for.
    changes: u64,
    /// How often the book had said that lists are to be read again.
    readings: u64,
}

/// Where and how one request is to be answered.
struct Asked {
    seq: u64,
    id: Id,
    again: bool,
}

impl<S: Store> Session<S> {
    /// A connection that has not begun.
    pub fn new(gate: Arc<Gate<S>>, settings: Settings, out: Out) -> Arc<Self> {
        Arc::new(Self {
            gate,
            settings,
            out,
            state: Mutex::default(),
            listing: AsyncMutex::default(),
            starting: AsyncMutex::default(),
        })
    }

    /// Serves the client until it is gone, then lets what is in flight end.
    pub async fn run(self: Arc<Self>, mut inbound: mpsc::Receiver<Inbound>) {
        let mut tasks = JoinSet::new();
        let mut taken = 0_usize;
        loop {
            tokio::select! {
                message = inbound.recv() => match message {
                    Some(message) => {
                        self.take(message, &mut tasks).await;
                        taken += 1;
                        if taken.is_multiple_of(QUEUED) {
                            // What is only queued for the client is bounded too, if it does not read at all.
                            self.out.drained().await;
                        }
                    }
                    None => break,
                },
                // Reaped as they end; one that panicked has answered nothing and granted nothing.
                Some(_) = tasks.join_next(), if !tasks.is_empty() => {}
            }
        }
        let ending = async {
            while tasks.join_next().await.is_some() {}
            self.out.drained().await;
        };
        if timeout(self.settings.drain, ending).await.is_err() {
            (self.settings.log)("calls in flight did not end in time; what has no answer is unknown");
        }
        let child = self.state.lock().child.take();
        if let Some(child) = child {
            child.leave().await;
        }
        // With the server gone, what still waits for it learns so at once.
        let rest = async { while tasks.join_next().await.is_some() {} };
        drop(timeout(Duration::from_secs(2), rest).await);
        tasks.shutdown().await;
        // One that was started meanwhile is nobody's any more.
        self.replace(None);
    }

    async fn take(self: &Arc<Self>, message: Inbound, tasks: &mut JoinSet<()>) {
        let Inbound { seq, line, again } = message;
        let session = Arc::clone(self);
        match wire::from_client(&line, &Limits::EDGE) {
            Err(malformed) => {
                tasks.spawn(async move { drop(session.out.answer(seq, &malformed.answer()).await) });
            }
            Ok(FromClient::Request { id, method, params }) => {
                let twice = {
                    let mut state = self.state.lock();
                    let twice = state.open.contains_key(&id);
                    if !twice {
                        state.open.insert(id.clone(), Open::default());
                    }
                    twice
                };
                let asked = Asked { seq, id, again };
                let request = async move {
                    if twice {
                        // The request that has it goes on: nothing of it is touched.
                        let what = "this `id` is in use by a request that is not answered yet";
                        let line = wire::error(asked.id.as_json(), -32600, what, None);
                        session.out.answer(asked.seq, &line).await.unwrap_or_default();
                    } else {
                        session.request(&asked, &method, params).await;
                    }
                };
                // What is said again opens the connection for what comes after it, so it is done first.
                if again {
                    request.await;
                } else {
                    tasks.spawn(request);
                }
            }
            Ok(FromClient::Notification { method, params }) => {
                self.notification(seq, &method, params).await;
            }
            Ok(FromClient::Answer { id, key, value }) => {
                self.answered(&id, key, &value).await;
                self.out.done(seq);
            }
        }
    }

    async fn request(self: &Arc<Self>, asked: &Asked, method: &str, params: Object) {
        if method == "initialize" {
            return self.initialize(asked, params).await;
        }
        let Some(row) = methods::find(method) else {
            return self.error(asked, -32601, "this method is not relayed").await;
        };
        let mut params = params;
        let meta = match meta::read(params.remove("_meta"), &self.settings.meta, &self.settings.requests) {
            Ok(meta) => meta,
            Err(what) => return self.error(asked, -32602, &what).await,
        };
        if let Err(what) = row.check(&params) {
            return self.error(asked, -32602, &what).await;
        }
        let Some((era, child)) = self.ready(asked, method, &meta).await else { return };
        if !row.eras.contains(&era) {
            return self.error(asked, -32601, "this revision does not have this method").await;
        }
        match row.needs {
            Needs::Call => self.call(asked, era, &child, params, meta).await,
            Needs::Tools => self.tools(asked, era, &child, &params).await,
            Needs::Read => self.read(asked, era, &child, row, params, meta).await,
            Needs::Nothing if method == "server/discover" => self.discover(asked, &child, meta).await,
            Needs::Nothing if method == "ping" => self.answer(asked, Ok("{}")).await,
            Needs::Nothing => self.relay(asked, &child, row, params, meta).await,
        }
    }

    /// The era of this connection and its server, or an answer that says why there is none.
    async fn ready(self: &Arc<Self>, asked: &Asked, method: &str, meta: &Meta) -> Option<(Era, Arc<Child>)> {
        let era = self.state.lock().era;
        if era != Some(Era::Legacy) && meta.version.as_deref().is_some_and(|version| version != MODERN) {
            self.unspoken(asked, "this revision is not spoken here", &[MODERN]).await;
            return None;
        }
        if era == Some(Era::Modern) && meta.version.is_none() {
            let what = format!("`_meta` must name the revision, under `{}`", meta::VERSION);
            self.error(asked, -32602, &what).await;
            return None;
        }
        if let Some(running) = self.running() {
            return Some(running);
        }
        // One start at a time: requests of a fresh connection may come all at once.
        let _one_at_a_time = self.starting.lock().await;
        if let Some(running) = self.running() {
            return Some(running);
        }
        let era = self.state.lock().era;
        match (era, meta.version.as_deref()) {
            (Some(Era::Legacy), _) => {
                let why = "it has ended; reconnect to start it again".to_owned();
                self.unjudged(asked, method, DenyReason::UpstreamUnavailable(why)).await;
                None
            }
            (Some(Era::Modern) | None, Some(MODERN)) => {
                let child = self.start(asked).await?;
                if method != "server/discover" && !self.knows_modern(asked, &child).await {
                    return None;
                }
                self.state.lock().era = Some(Era::Modern);
                Some((Era::Modern, child))
            }
            (Some(Era::Modern) | None, Some(_)) => {
                // Refused above; a revision that is not ours never gets further.
                self.unspoken(asked, "this revision is not spoken here", &[MODERN]).await;
                None
            }
            (_, None) if method == "ping" => {
                self.answer(asked, Ok("{}")).await;
                None
            }
            (_, None) => {
                self.error(asked, -32600, "begin with `initialize`, or name the revision in `_meta`").await;
                None
            }
        }
    }

    /// The era and the server of a connection that has begun.
    fn running(&self) -> Option<(Era, Arc<Child>)> {
        let state = self.state.lock();
        Some((state.era?, state.child.clone().filter(|child| !child.is_gone())?))
    }

    /// Puts another server, or none, in the place of the one that is there, which is ended, and with it all that
    /// was between it and the client: its list, its questions, what it was asked.
    fn replace(&self, child: Option<&Arc<Child>>) {
        let previous = {
            let mut state = self.state.lock();
            state.listed = None;
            state.questions.clear();
            state.inputs.clear();
            state.progress.clear();
            state.subscriptions.clear();
            std::mem::replace(&mut state.child, child.cloned())
        };
        if let Some(previous) = previous {
            previous.end_now();
        }
    }

    /// Whether the file that is in force now no longer has this connection as it is.
    fn is_retired(&self) -> bool {
        self.settings.retired.as_ref().is_some_and(|retired| *retired.borrow())
    }

    /// Whether a list is what this server offers, by its own word and by the book.
    fn is_current(&self, listed: &Listed, child: &Arc<Child>) -> bool {
        listed.changes == child.changes() && listed.readings == self.settings.book.readings()
    }

    /// Whether this is the server that the connection has now.
    fn has(&self, child: &Arc<Child>) -> bool {
        self.state.lock().child.as_ref().is_some_and(|current| Arc::ptr_eq(current, child))
    }

    /// Tells a client which revisions are spoken.
    async fn unspoken(&self, asked: &Asked, what: &str, supported: &[&str]) {
        let supported = supported.iter().map(|revision| Json::from(*revision)).collect();
        let data = Json::Object(Object::from([("supported", Json::Array(supported))]));
        let line = wire::error(asked.id.as_json(), -32022, what, Some(&data));
        self.finish(asked, &line).await;
    }

    /// Starts the server of this connection and listens to what it sends unasked.
    async fn start(self: &Arc<Self>, asked: &Asked) -> Option<Arc<Child>> {
        match Child::start(&self.settings.launch, Arc::clone(&self.settings.log)) {
            Ok((child, inbox)) => {
                self.replace(Some(&child));
                tokio::spawn(Arc::clone(self).hear(Arc::downgrade(&child), inbox));
                Some(child)
            }
            Err(error) => {
                let why = format!("server `{}` could not be started: {error}", self.settings.server);
                (self.settings.log)(&why);
                self.error(asked, -32603, &why).await;
                None
            }
        }
    }

    /// Relays a request that reaches no tool.
    async fn relay(&self, asked: &Asked, child: &Arc<Child>, row: &Method, mut params: Object, meta: Meta) {
        if !self.readable(row, &params) {
            return self.error(asked, -32602, "this resource is not one of this agent's").await;
        }
        // What is not judged is not sent under a stop either: a cursor is as good as a letter.
        match self.gate.standing().await {
            Ok(None) => {}
            Ok(Some(stop)) => {
                let stopped = Stopped { scope: stop.scope, leaves: stop.leaves, since: stop.since };
                return self.unjudged(asked, row.name, DenyReason::Stopped(Box::new(stopped))).await;
            }
            Err(_) => return self.unjudged(asked, row.name, DenyReason::StoreUnavailable).await,
        }
        let number = child.number();
        self.sent_as(&asked.id, number, meta.progress.as_deref());
        with_meta(&mut params, meta.toward_server, meta.progress.is_some().then_some(number));
        let params = Json::Object(params).compact();
        let response = child.ask(number, row.name, &params, ASK_DEADLINE).await;
        child.heard_out().await;
        self.state.lock().progress.remove(&number);
        self.pass(asked, response).await;
    }

    /// Hands a server's answer to the client as it is, less what claims to be ours.
    async fn pass(&self, asked: &Asked, response: Result<Response, Gone>) {
        match response {
            Ok(Response::Result(result)) => self.answer(asked, Ok(&wire::without_ours(&result))).await,
            Ok(Response::Error(error)) => self.answer(asked, Err(&wire::without_ours(&error))).await,
            Err(Gone(why)) => {
                let what = format!("server `{}`: {why}", self.settings.server);
                self.error(asked, -32603, &what).await;
            }
        }
    }

    /// Whether a request names only resources that the operator lets be read.
    fn readable(&self, row: &Method, params: &Object) -> bool {
        self.settings.resources.as_ref().is_none_or(|globs| uris::allowed(globs, row, params))
    }

    async fn answer(&self, asked: &Asked, outcome: Result<&str, &str>) {
        self.finish(asked, &wire::answer(asked.id.as_json(), outcome)).await;
    }

    async fn error(&self, asked: &Asked, code: i64, what: &str) {
        self.finish(asked, &wire::error(asked.id.as_json(), code, what, None)).await;
    }

    /// Refuses a request that was never judged, because nothing could be asked.
    async fn unjudged(&self, asked: &Asked, method: &str, reason: DenyReason) {
        let shape = self.shape(method);
        let told = words::told(&Denial::because(reason), method, Disclose::Reason);
        self.finish(asked, &refusal::unjudged(asked.id.as_json(), shape, &told, String::new())).await;
    }

    /// The last word on a request. A client that cancelled it hears no more of it.
    async fn finish(&self, asked: &Asked, line: &str) {
        let open = self.state.lock().open.remove(&asked.id).unwrap_or_default();
        if open.cancelled || asked.again {
            self.out.done(asked.seq);
        } else {
            // A client that is gone hears nothing; what was decided and done is recorded all the same.
            drop(self.out.answer(asked.seq, line).await);
        }
    }

    fn shape(&self, method: &str) -> Shape {
        match method {
            "tools/call" => Shape::ToolResult { modern: self.state.lock().era == Some(Era::Modern) },
            _ => Shape::Error,
        }
    }

    /// Notes under which number a request goes to the server.
    fn sent_as(&self, id: &Id, number: u64, progress: Option<&str>) {
        let mut state = self.state.lock();
        if let Some(open) = state.open.get_mut(id) {
            open.number = Some(number);
        }
        if let Some(token) = progress {
            state.progress.insert(number, token.to_owned());
        }
    }

    /// What the client tells without wanting an answer.
    async fn notification(self: &Arc<Self>, seq: u64, method: &str, params: Object) {
        let child = self.state.lock().child.clone();
        match (method, child) {
            ("notifications/initialized", Some(child)) => {
                drop(child.tell(&wire::notification(method, None)).await);
                self.out.keep(seq);
            }
            ("notifications/cancelled", Some(child)) => {
                let number = params.get("requestId").and_then(|id| {
                    let mut state = self.state.lock();
                    let open = state.open.get_mut(&Id::read(id)?)?;
                    open.cancelled = true;
                    open.number
                });
                if let Some(number) = number {
                    let params = Json::Object(Object::from([("requestId", Json::from(integer(number)))]));
                    drop(child.tell(&wire::notification(method, Some(&params.compact()))).await);
                }
            }
            ("notifications/roots/list_changed", Some(child))
                if self.settings.requests.contains(&ServerRequest::Roots) =>
            {
                drop(child.tell(&wire::notification(method, None)).await);
            }
            // Nothing else that a client may tell concerns its server.
            _ => {}
        }
        self.out.done(seq);
    }
}

/// Puts `_meta` into `params`, with our own number as the token of progress.
fn with_meta(params: &mut Object, mut meta: Object, progress: Option<u64>) {
    if let Some(number) = progress {
        meta.insert("progressToken", integer(number));
    }
    if !meta.is_empty() {
        params.insert("_meta", Json::Object(meta));
    }
}

/// Our numbers count messages of one process: they stay far below what JSON numbers hold.
fn integer(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
