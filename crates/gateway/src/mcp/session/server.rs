//! What a server sends unasked: news, and questions to the client.
//!
//! A question reaches the client only if the operator's entry lists its kind, the client said that it can
//! answer it, and a request of the client is in flight. Its answer goes to this server alone, once.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use placet_engine::{
    json::Json,
    policy::config::ServerRequest,
    record::{Kind, Record},
};
use placet_store::Store;
use tokio::time::{Instant, sleep_until};

use super::Session;
use crate::{
    mcp::{methods, wire, wire::Id},
    upstream::stdio::{Child, Inbox, Unasked},
};

/// Questions that may wait for one client at a time.
const QUESTIONS: usize = 64;

/// What a server may ask, and tell that reaches nobody or makes work, in one second. Beyond that it is ended:
/// nobody means to be asked a thousand things.
const NOISE: usize = 1_000;

/// What a server said in the present second.
struct Noise {
    until: Instant,
    all: usize,
    refused: usize,
    /// Refused questions without a record yet, and the last one's method.
    unrecorded: usize,
    method: String,
}

impl Noise {
    fn begun() -> Self {
        let until = Instant::now() + Duration::from_secs(1);
        Self { until, all: 0, refused: 0, unrecorded: 0, method: String::new() }
    }
}

/// The kinds of questions: what the client must be able to do, and what the server's entry must list.
pub(super) fn kind(method: &str) -> Option<(&'static str, ServerRequest)> {
    Some(match method {
        "elicitation/create" => ("elicitation", ServerRequest::Elicitation),
        "sampling/createMessage" => ("sampling", ServerRequest::Sampling),
        "roots/list" => ("roots", ServerRequest::Roots),
        _ => return None,
    })
}

/// An identifier of a question that no other question has, of this process or of an earlier one: a late answer
/// to that must answer nothing here. None where the system has no randomness.
fn unguessable() -> Option<String> {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).ok()?;
    Some(format!("\"placet-{:016x}\"", u64::from_be_bytes(bytes)))
}

impl<S: Store> Session<S> {
    /// Listens to one server until it ends.
    pub(super) async fn hear(self: Arc<Self>, child: Weak<Child>, mut inbox: Inbox) {
        let mut noise = Noise::begun();
        loop {
            let unasked = tokio::select! {
                unasked = inbox.next() => unasked,
                () = sleep_until(noise.until), if noise.unrecorded > 0 => {
                    self.sum_up(&noise).await;
                    noise = Noise::begun();
                    continue;
                }
            };
            let Some(unasked) = unasked else { break };
            let Some(child) = child.upgrade().filter(|child| self.has(child)) else { break };
            if Instant::now() >= noise.until {
                self.sum_up(&noise).await;
                noise = Noise::begun();
            }
            match unasked {
                Unasked::Request { id, method, params } => {
                    self.question(&child, id, &method, params.as_deref(), &mut noise).await;
                }
                Unasked::Notification { method, params } => {
                    if method == wire::TOOLS_CHANGED || !methods::NOTIFICATIONS.contains(&&*method) {
                        noise.all += 1;
                    }
                    self.news(&method, params.as_deref()).await;
                }
            }
            if noise.all > NOISE {
                let server = &self.settings.server;
                (self.settings.log)(&format!(
                    "server `{server}` asks and tells more than {NOISE} things a second, so it is ended"
                ));
                child.end_now();
                break;
            }
        }
        self.sum_up(&noise).await;
    }

    async fn question(
        &self,
        child: &Arc<Child>,
        id: String,
        method: &str,
        params: Option<&str>,
        noise: &mut Noise,
    ) {
        noise.all += 1;
        if method == "ping" {
            drop(child.tell(&wire::answer(&id, Ok("{}"))).await);
            return;
        }
        // A question that cannot be read as it will be shown is not asked.
        let params = self.introduced(method, &wire::without_ours(params.unwrap_or("{}")));
        let ours = unguessable();
        let asked = kind(method).zip(params.as_ref()).zip(ours.as_ref());
        let asked = asked.is_some_and(|(((capability, kind), _), ours)| {
            let mut state = self.state.lock();
            let may = self.settings.requests.contains(&kind)
                && state.answers.contains(capability)
                && state.child.as_ref().is_some_and(|current| Arc::ptr_eq(current, child))
                && !state.open.is_empty()
                && state.questions.len() < QUESTIONS;
            if may {
                state.questions.insert(ours.clone(), id.clone());
            }
            may
        });
        if let (true, Some(params), Some(ours)) = (asked, params, ours) {
            let recorded = self.record(method, "allow", 1).await;
            if recorded && self.out.tell(&wire::request(&ours, method, &params)).await.is_ok() {
                return;
            }
            self.state.lock().questions.remove(&ours);
        } else if noise.refused == 0 {
            self.record(method, "deny", 1).await;
            noise.refused += 1;
        } else {
            // A server that asks without pause fills no disk: the rest of a second is one record.
            noise.refused += 1;
            noise.unrecorded += 1;
            noise.method = wire::clipped(method);
        }
        let line = wire::error(&id, -32601, "the client does not answer this here", None);
        drop(child.tell(&line).await);
    }

    async fn sum_up(&self, noise: &Noise) {
        if noise.unrecorded > 0 {
            self.record(&noise.method, "deny", noise.unrecorded).await;
        }
    }

    /// Keeps what became of questions; false if that could not be kept.
    async fn record(&self, method: &str, decision: &str, count: usize) -> bool {
        let now = self.gate.clock().now().wall;
        let record = Record::new(
            Kind::Request,
            now,
            [
                ("server", Json::from(self.settings.server.as_str())),
                ("client", Json::from(self.settings.client.as_str())),
                ("method", Json::from(wire::clipped(method))),
                ("decision", Json::from(decision)),
                ("count", Json::from(i64::try_from(count).unwrap_or(i64::MAX))),
            ],
        );
        self.gate.note(record).await.is_ok()
    }

    /// A question that is shown to a person begins with who asks; none if what it says cannot be read.
    pub(super) fn introduced(&self, method: &str, params: &str) -> Option<String> {
        if method != "elicitation/create" {
            // Still one object whose keys stand once, so that everybody reads the same.
            return wire::rewritten(params, |_, _| None).ok();
        }
        let message = wire::member(params, "message").and_then(wire::text)?;
        let mut text = String::new();
        placet_engine::json::write_string(&format!("[{}] {message}", self.settings.server), &mut text);
        wire::rewritten(params, |key, _| (key == "message").then(|| text.clone())).ok()
    }

    /// The client's answer to a question. One that nobody asked reaches nobody.
    pub(super) async fn answered(&self, id: &Id, key: &'static str, value: &str) {
        let (question, child) = {
            let mut state = self.state.lock();
            (state.questions.remove(id.as_json()), state.child.clone())
        };
        if let (Some(question), Some(child)) = (question, child) {
            let outcome = if key == "result" { Ok(value) } else { Err(value) };
            drop(child.tell(&wire::answer(&question, outcome)).await);
        }
    }

    async fn news(&self, method: &str, params: Option<&str>) {
        if !methods::NOTIFICATIONS.contains(&method) {
            return;
        }
        if method == wire::TOOLS_CHANGED {
            // A server that says so again before anybody looked has said nothing new.
            let known = self.state.lock().listed.take().is_some();
            if known {
                // Calls of this connection are held against its own server's word, at the latch. This makes what
                // others decided lapse too; a store that cannot keep it keeps no decision either.
                drop(self.gate.catalogue_changed(&self.settings.server).await);
            }
        }
        let params = params.map(wire::without_ours);
        let Some(params) = params.as_deref() else {
            drop(self.out.tell(&wire::notification(method, None)).await);
            return;
        };
        let translated = match method {
            "notifications/progress" => self.translated_progress(params),
            "notifications/cancelled" => self.translated_cancel(params),
            _ => self.translated_subscription(params),
        };
        if let Some(params) = translated {
            drop(self.out.tell(&wire::notification(method, Some(&params))).await);
        }
    }

    /// Progress under the client's own token; progress of what nobody waits for is dropped.
    fn translated_progress(&self, params: &str) -> Option<String> {
        let number: u64 = wire::member(params, "progressToken")?.parse().ok()?;
        let token = self.state.lock().progress.get(&number).cloned()?;
        wire::rewritten(params, |key, _| (key == "progressToken").then(|| token.clone())).ok()
    }

    /// A question taken back, under the identifier that the client knows.
    fn translated_cancel(&self, params: &str) -> Option<String> {
        let theirs = wire::member(params, "requestId")?;
        let ours = {
            let mut state = self.state.lock();
            let ours = state.questions.iter().find(|(_, id)| *id == theirs).map(|(ours, _)| ours.clone())?;
            state.questions.remove(&ours);
            ours
        };
        wire::rewritten(params, |key, _| (key == "requestId").then(|| ours.clone())).ok()
    }

    /// News of a subscription, under the client's identifier for it; other news as it is.
    fn translated_subscription(&self, params: &str) -> Option<String> {
        const SUBSCRIPTION: &str = "io.modelcontextprotocol/subscriptionId";
        let Some(meta) = wire::member(params, "_meta") else { return Some(params.to_owned()) };
        let Some(theirs) = wire::member(meta, SUBSCRIPTION) else { return Some(params.to_owned()) };
        let number: u64 = theirs.trim_matches('"').parse().ok()?;
        let known = self.state.lock().subscriptions.get(&number).cloned()?;
        let meta = wire::rewritten(meta, |key, _| (key == SUBSCRIPTION).then(|| known.clone())).ok()?;
        wire::rewritten(params, |key, _| (key == "_meta").then(|| meta.clone())).ok()
    }
}
