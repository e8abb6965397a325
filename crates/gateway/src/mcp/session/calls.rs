//! Calls: what an agent proposes, judged by the gate and carried by this connection's server.

use std::{
    borrow::Cow,
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use placet_engine::{
    call::{Call, Mode, Proposal},
    decide::Outcome,
    decision::{Denial, DenyReason},
    json::{Json, Number, Object},
    level::Level,
    names::{Action, ToolName},
    permit::{Bounds, Durability, Permit},
    policy::config::Integers,
    record::{Kind, Record},
    state::Ending,
    tool::Offer,
};
use placet_store::Store;
use tokio::time::timeout;

use super::{
    Asked, Listed, Session,
    inputs::{self, Input},
    integer, with_meta,
};
use crate::{
    gate::{Answer, Leash, Reply},
    latch::Latch,
    mcp::{
        Era,
        catalog::{self, Listing},
        meta::{self, Meta},
        methods::{self, Method},
        refusal::{self, Shape},
        wire,
    },
    upstream::{
        NotSent, Ran, Upstream,
        stdio::{ASK_DEADLINE, Child, Gone, Message, Response, Sent},
    },
    words,
};

/// Pages of a server's list that are read before it counts as endless.
const PAGES: usize = 1_000;

/// Tools of a list, and bytes of it: more than a model could look through.
const ENTRIES: usize = 4_096;
const ENTRY_BYTES: usize = 16 << 20;

/// How long all pages of a list may take.
const LISTING_DEADLINE: Duration = Duration::from_secs(120);

/// How often a list is read, or a call proposed, while the server keeps saying that its tools changed.
const READINGS: usize = 3;

const RESTLESS: &str = "its list of tools changes all the time";

impl<S: Store> Session<S> {
    /// One proposed call, the whole way.
    pub(super) async fn call(
        self: &Arc<Self>,
        asked: &Asked,
        era: Era,
        child: &Arc<Child>,
        mut params: Object,
        meta: Meta,
    ) {
        let Some(name) = params.remove("name").and_then(|name| name.as_str().map(str::to_owned)) else {
            return self.error(asked, -32602, "`name` must be a text").await;
        };
        let (arguments, misfit) = match params.remove("arguments") {
            None | Some(Json::Null) => (Object::new(), None),
            Some(Json::Object(arguments)) => {
                let unsafe_integer = match self.settings.integers {
                    Integers::Exact => None,
                    Integers::Safe => first_unsafe(&arguments),
                };
                (arguments, unsafe_integer)
            }
            Some(other) => {
                (Object::new(), Some(format!("`arguments` must be an object, not {}", other.kind())))
            }
        };
        // A name that no tool can have is a tool that does not exist: judged, refused and recorded like one.
        let tool = name.parse().unwrap_or_else(|_| ToolName::of_method("not-a-name"));
        let action = Action::new(self.settings.server.clone(), tool);
        let taken = self.state.lock().inputs.take(&action, &params);
        let input = match taken {
            Ok(input) => input,
            Err(what) => return self.error(asked, -32602, &what).await,
        };
        let answers = self.answers(era, &meta);
        with_meta(&mut params, meta.toward_server, None);
        let shape = Shape::ToolResult { modern: era == Era::Modern };
        for _ in 0..READINGS {
            let listed = match self.listing(child).await {
                Ok(listed) => listed,
                Err(why) => {
                    self.still_asked(input);
                    return self.unjudged(asked, "tools/call", DenyReason::UpstreamUnavailable(why)).await;
                }
            };
            let offer = match (listed.listing.offer(&action.tool), &misfit) {
                (Offer::Accepted(_), Some(problem)) => Offer::Misfit(problem.as_str().into()),
                (offer, _) => offer,
            };
            // Asked each time that the call is judged: a server that has said that its tools changed offers
            // nothing that was accepted until its list has been read again.
            let outdated = AtomicBool::new(false);
            let offer = |asked: &Action| {
                if self.is_retired() {
                    return Offer::Changed;
                }
                if self.is_current(&listed, child) {
                    return if *asked == action { offer.clone() } else { listed.listing.offer(&asked.tool) };
                }
                outdated.store(true, Ordering::Relaxed);
                Offer::Changed
            };
            let through = Through {
                session: self,
                child,
                asked,
                shape,
                name: &name,
                progress: meta.progress.clone(),
                changes: Some(listed.changes),
                answers: answers.clone(),
                modern: era == Era::Modern,
            };
            let proposal = Proposal {
                key: meta.key.clone(),
                cost: meta.cost.clone(),
                ..self.proposal(action.clone(), arguments.clone(), params.clone(), meta.mode)
            };
            let reply = self.gate.handle(proposal, offer, &through).await;
            let again =
                matches!(&reply.answer, Answer::Refused(denial) if denial.reason == DenyReason::ToolChanged);
            if !(again && outdated.into_inner()) {
                self.unanswered(input, &reply.answer);
                return self.reply(asked, shape, &name, reply).await;
            }
        }
        self.still_asked(input);
        let why = DenyReason::UpstreamUnavailable(RESTLESS.to_owned());
        self.unjudged(asked, "tools/call", why).await;
    }

    /// A method that needs `read` on the server, judged as a call of the action that stands for it.
    pub(super) async fn read(
        self: &Arc<Self>,
        asked: &Asked,
        era: Era,
        child: &Arc<Child>,
        row: &'static Method,
        params: Object,
        meta: Meta,
    ) {
        let readable = self.readable(row, &params);
        let offer = |_: &Action| match methods::anything() {
            _ if self.is_retired() => Offer::Changed,
            Some(definition) if readable => Offer::Accepted(Arc::clone(definition)),
            Some(_) | None => Offer::Absent,
        };
        let method = row.name;
        let action = methods::action(&self.settings.server, method);
        let taken = self.state.lock().inputs.take(&action, &params);
        let input = match taken {
            Ok(input) => input,
            Err(what) => return self.error(asked, -32602, &what).await,
        };
        let answers = self.answers(era, &meta);
        let mut beside = Object::new();
        with_meta(&mut beside, meta.toward_server, None);
        let proposal = self.proposal(action, params, beside, meta.mode);
        let through = Through {
            session: self,
            child,
            asked,
            shape: Shape::Error,
            name: method,
            progress: meta.progress,
            changes: None,
            answers,
            modern: era == Era::Modern,
        };
        let reply = self.gate.handle(proposal, offer, &through).await;
        self.unanswered(input, &reply.answer);
        self.reply(asked, Shape::Error, method, reply).await;
    }

    /// What the client of a request can be asked: as the request says, in the newer era.
    fn answers(&self, era: Era, meta: &Meta) -> BTreeSet<&'static str> {
        match era {
            Era::Legacy => self.state.lock().answers.clone(),
            Era::Modern => meta.answers.clone(),
        }
    }

    /// An answer that did not reach the server can be given again.
    fn unanswered(&self, input: Option<Input>, answer: &Answer<Response>) {
        match answer {
            Answer::Ran(_) | Answer::Replayed(..) | Answer::Unknown => {}
            Answer::Refused(_) | Answer::Waiting(_) | Answer::Planned(_) => self.still_asked(input),
        }
    }

    fn still_asked(&self, input: Option<Input>) {
        if let Some(input) = input {
            self.state.lock().inputs.ask(input);
        }
    }

    fn proposal(&self, action: Action, arguments: Object, beside: Object, mode: Mode) -> Proposal {
        Proposal {
            agent: self.settings.agent.clone(),
            client: self.settings.client.clone(),
            session: None,
            action,
            arguments,
            meta: beside,
            mode,
            key: None,
            cost: Default::default(),
        }
    }

    async fn reply(&self, asked: &Asked, shape: Shape, name: &str, reply: Reply<Response>) {
        match &reply.answer {
            Answer::Ran(Response::Result(result)) => {
                self.answer(asked, Ok(&wire::without_ours(result))).await;
            }
            Answer::Ran(Response::Error(error)) => self.answer(asked, Err(&wire::without_ours(error))).await,
            Answer::Replayed(of, Response::Result(result)) => {
                let result = refusal::replayed(&wire::without_ours(result), *of, reply.call.id.to_string());
                self.answer(asked, Ok(&result)).await;
            }
            Answer::Replayed(_, Response::Error(error)) => {
                self.answer(asked, Err(&wire::without_ours(error))).await;
            }
            Answer::Refused(_) | Answer::Waiting(_) | Answer::Planned(_) | Answer::Unknown => {
                if let Some(line) = refusal::line(asked.id.as_json(), name, shape, &reply) {
                    self.finish(asked, &line).await;
                }
            }
        }
    }

    /// The list that this agent sees: accepted definitions of the tools that it could be allowed to call.
    pub(super) async fn tools(
        self: &Arc<Self>,
        asked: &Asked,
        era: Era,
        child: &Arc<Child>,
        params: &Object,
    ) {
        if params.contains("cursor") {
            return self.error(asked, -32602, "this list has one page, so there is no cursor").await;
        }
        let listing = match self.listing(child).await {
            Ok(listed) => listed.listing,
            Err(why) => {
                let what = format!("server `{}`: {why}", self.settings.server);
                return self.error(asked, -32603, &what).await;
            }
        };
        let engine = self.gate.engine();
        let server = &self.settings.server;
        let seen = listing.tools().filter(|(tool, _)| {
            let action = Action::new(server.clone(), (*tool).clone());
            engine.policy().could_allow(&self.settings.agent, &action)
        });
        let tools = seen.map(|(_, text)| text).collect::<Vec<_>>().join(",");
        let result = match era {
            Era::Legacy => format!("{{\"tools\":[{tools}]}}"),
            Era::Modern => {
                format!(
                    "{{\"resultType\":\"complete\",\"ttlMs\":0,\"cacheScope\":\"private\",\"tools\":[{tools}]}}"
                )
            }
        };
        self.answer(asked, Ok(&result)).await;
    }

    /// What this connection's server offers, read anew after each start and each change.
    async fn listing(self: &Arc<Self>, child: &Arc<Child>) -> Result<Listed, String> {
        if let Some(listed) = self.listed(child) {
            return Ok(listed);
        }
        let _one_at_a_time = self.listing.lock().await;
        if let Some(listed) = self.listed(child) {
            return Ok(listed);
        }
        for _ in 0..READINGS {
            let (changes, readings) = (child.changes(), self.settings.book.readings());
            let fetched = timeout(LISTING_DEADLINE, self.fetch(child)).await;
            let entries = fetched.map_err(|_| "its list of tools does not end".to_owned())??;
            // A list that changed while it was read is no list: its pages may be of different ones.
            if child.changes() != changes {
                continue;
            }
            self.learn(&entries).await?;
            let listing = Arc::new(self.hold_against(entries).await?);
            self.tell_news(&listing).await;
            let listed = Listed { listing, changes, readings };
            let mut state = self.state.lock();
            if !state.child.as_ref().is_some_and(|current| Arc::ptr_eq(current, child)) {
                return Err("it was started again meanwhile".to_owned());
            }
            state.listed = Some(listed.clone());
            // If it has changed since, nobody is served by it: see `listed`.
            return Ok(listed);
        }
        Err(RESTLESS.to_owned())
    }

    /// What was listed by this very server, if it has not said since that it changed.
    fn listed(&self, child: &Arc<Child>) -> Option<Listed> {
        let state = self.state.lock();
        let current = state.child.as_ref().is_some_and(|current| Arc::ptr_eq(current, child));
        state.listed.clone().filter(|listed| current && self.is_current(listed, child))
    }

    /// Holds a list against the book, on a thread where nobody else waits.
    async fn hold_against(&self, entries: Vec<String>) -> Result<Listing, String> {
        let engine = self.gate.engine().clone();
        let (server, book) = (self.settings.server.clone(), Arc::clone(&self.settings.book));
        let holding = tokio::task::spawn_blocking(move || {
            let has_level =
                |tool: &ToolName| engine.policy().level(&Action::new(server.clone(), tool.clone())).is_some();
            book.hold_against(&entries, has_level)
        });
        holding.await.map_err(|_| "its list of tools cannot be read".to_owned())
    }

    /// Tells a person, and the record, what of a list is not callable and why.
    async fn tell_news(&self, listing: &Listing) {
        for (finding, tools) in self.settings.book.news(listing) {
            let server = &self.settings.server;
            (self.settings.log)(&format!("server `{server}`: {finding}: {}", tools.join(", ")));
            let record = Record::new(
                Kind::Catalogue,
                self.gate.clock().now().wall,
                [
                    ("server", Json::from(server.as_str())),
                    ("finding", Json::from(finding)),
                    ("tools", Json::Array(tools.into_iter().map(Json::from).collect())),
                ],
            );
            // The finding stands whether or not it could be recorded: these tools are not callable.
            drop(self.gate.note(record).await);
        }
    }

    /// All pages of the server's list.
    async fn fetch(&self, child: &Child) -> Result<Vec<String>, String> {
        let modern = self.state.lock().era == Some(Era::Modern);
        let mut entries = Vec::new();
        let mut bytes = 0;
        let mut cursor: Option<String> = None;
        for _ in 0..PAGES {
            let mut params = if modern { meta::our_own() } else { "{}".to_owned() };
            if let Some(cursor) = &cursor {
                let mut text = String::new();
                placet_engine::json::write_string(cursor, &mut text);
                let comma = if modern { "," } else { "" };
                params.pop();
                params = format!("{params}{comma}\"cursor\":{text}}}");
            }
            let response = child.ask(child.number(), "tools/list", &params, ASK_DEADLINE).await;
            let result = match response {
                Ok(Response::Result(result)) => result,
                // A server without tools may not know the method at all.
                Ok(Response::Error(error)) if wire::member(&error, "code") == Some("-32601") => {
                    return Ok(entries);
                }
                Ok(Response::Error(_)) => return Err("it does not list its tools".to_owned()),
                Err(Gone(why)) => return Err(why),
            };
            bytes += result.len();
            let (page, next) = match bytes {
                0..=ENTRY_BYTES => catalog::page(&result).ok_or("its list of tools cannot be read")?,
                _ => (Vec::new(), None),
            };
            if entries.len() + page.len() > ENTRIES || bytes > ENTRY_BYTES {
                return Err(format!(
                    "its list of tools has more than {ENTRIES} entries or {ENTRY_BYTES} bytes"
                ));
            }
            entries.extend(page);
            match next {
                Some(next) => cursor = Some(next),
                None => return Ok(entries),
            }
        }
        Err(format!("its list of tools has more than {PAGES} pages"))
    }

    /// Where no file gives levels, gives them once, to the tools that are there at first.
    async fn learn(&self, entries: &[String]) -> Result<(), String> {
        let Some(learn) = &self.settings.learn else { return Ok(()) };
        if std::mem::replace(&mut self.state.lock().learned, true) {
            self.settings.book.close();
            return Ok(());
        }
        let name = |entry: &String| wire::member(entry, "name").and_then(wire::text)?.parse().ok();
        let tools: Vec<ToolName> = entries.iter().filter_map(name).collect();
        let (policy, record) = learn(&tools)?;
        self.gate.apply(policy, record).await.map_err(|error| error.to_string())
    }
}

/// The way to one connection's server for one request.
struct Through<'a, S> {
    session: &'a Arc<Session<S>>,
    child: &'a Arc<Child>,
    asked: &'a Asked,
    shape: Shape,
    name: &'a str,
    progress: Option<String>,
    /// For a tool of a list: how often the server had said that its tools changed when it was read.
    changes: Option<u64>,
    /// What the client can be asked.
    answers: BTreeSet<&'static str>,
    modern: bool,
}

impl<S: Store> Upstream for Through<'_, S> {
    type Output = Response;

    fn text(output: &Response) -> Cow<'_, str> {
        match output {
            Response::Result(result) => Cow::Borrowed(result),
            // No JSON begins so.
            Response::Error(error) => Cow::Owned(format!("!{error}")),
        }
    }

    fn from_text(text: &str) -> Option<Response> {
        Some(match text.strip_prefix('!') {
            Some(error) => Response::Error(error.to_owned()),
            None => Response::Result(text.to_owned()),
        })
    }

    fn structured(output: &Response) -> Option<Json> {
        let Response::Result(result) = output else { return None };
        let structured = wire::member(result, "structuredContent")?;
        placet_engine::json::parse(structured.as_bytes(), &wire::FROM_SERVER).ok()
    }

    async fn run<D: Durability>(&self, permit: Permit<D>, latch: &Latch, leash: Leash) -> Ran<Response> {
        let call = Arc::clone(permit.call());
        let number = self.child.number();
        let method = call.action.tool.method().unwrap_or("tools/call");
        self.session.sent_as(&self.asked.id, number, self.progress.as_deref());
        if method == "subscriptions/listen" {
            let id = self.asked.id.as_json().to_owned();
            self.session.state.lock().subscriptions.insert(number, id);
        }
        let ran = self.send(&call, number, method, permit, latch, leash).await;
        self.child.heard_out().await;
        let mut state = self.session.state.lock();
        state.progress.remove(&number);
        state.subscriptions.remove(&number);
        ran
    }
}

impl<S: Store> Through<'_, S> {
    async fn send<D: Durability>(
        &self,
        call: &Call,
        number: u64,
        method: &str,
        permit: Permit<D>,
        latch: &Latch,
        leash: Leash,
    ) -> Ran<Response> {
        let bounds = permit.bounds();
        let open = self.session.state.lock().open.get(&self.asked.id).copied();
        if open.is_none_or(|open| open.cancelled) {
            return Ran::NotSent(NotSent::Unavailable(
                "the client cancelled the call before it was sent".to_owned(),
            ));
        }
        if self.session.out.last_words(self.asked.seq, &self.last_words(call)).await.is_err() {
            return Ran::NotSent(NotSent::Unavailable("the client is gone".to_owned()));
        }
        let line = wire::request(&number.to_string(), method, &self.params(call, number));
        let clock = Arc::clone(self.session.gate.clock());
        let message = Message { number, line: &line, changed: self.changes };
        match self.child.call(message, permit, latch, &*clock, leash).await {
            Sent::Answered(response) => self.judge(call, response, bounds),
            Sent::Nothing(not_sent) => Ran::NotSent(not_sent),
            Sent::NoAnswer(why) => Ran::NoAnswer(why),
        }
    }

    /// What goes to the server: the judged arguments in their canonical text, and nothing that was not judged
    /// but our own token of progress.
    fn params(&self, call: &Call, number: u64) -> String {
        let mut beside = call.meta.clone();
        if self.progress.is_some() {
            let mut meta =
                beside.remove("_meta").and_then(|meta| meta.as_object().cloned()).unwrap_or_default();
            meta.insert("progressToken", integer(number));
            beside.insert("_meta", Json::Object(meta));
        }
        let arguments = call.arguments.canonical();
        let beside = Json::Object(beside).canonical();
        // Both texts are objects; joined without their braces they are one.
        let inner =
            |object: &str| object.get(1..object.len().saturating_sub(1)).unwrap_or_default().to_owned();
        let parts = match call.action.tool.method() {
            Some(_) => vec![inner(arguments), inner(&beside)],
            None => {
                let mut name = "\"name\":".to_owned();
                placet_engine::json::write_string(call.action.tool.as_str(), &mut name);
                vec![name, format!("\"arguments\":{arguments}"), inner(&beside)]
            }
        };
        let parts: Vec<_> = parts.into_iter().filter(|part| !part.is_empty()).collect();
        format!("{{{}}}", parts.join(","))
    }

    /// What the client is told if this process dies while the call is out.
    fn last_words(&self, call: &Call) -> String {
        let id = self.asked.id.as_json();
        let level = self.session.gate.engine().policy().level(&call.action);
        match level {
            Some(Level::Read) => {
                let why = "the boundary's own process ended; a read can be made again".to_owned();
                let denial = Denial::because(DenyReason::UpstreamUnavailable(why));
                let disclose = placet_engine::policy::config::Disclose::Reason;
                let told = words::told(&denial, self.name, disclose);
                refusal::unjudged(id, self.shape, &told, call.id.to_string())
            }
            Some(Level::Write | Level::Execute | Level::Delete) | None => {
                refusal::unknown(id, self.name, self.shape, call.id.to_string())
            }
        }
    }

    /// What a server's answer means for the record, and what of it the client may see.
    fn judge(&self, call: &Call, response: Response, bounds: Bounds) -> Ran<Response> {
        let (ending, note) = match &response {
            Response::Error(error) => {
                let code = wire::member(error, "code").unwrap_or("none");
                (Ending::Failed, Some(format!("the server answered with error {}", wire::clipped(code))))
            }
            Response::Result(result) if inputs::asks(result) => {
                let Some((shown, input)) = self.session.shown(&call.action, result, &self.answers) else {
                    return self.unaskable("the server asked for input that it may not ask for");
                };
                self.session.state.lock().inputs.ask(input);
                let outcome = Outcome {
                    bytes: Some(shown.len()),
                    is_unfinished: true,
                    ..Outcome::without_result(Ending::Failed, "the server asks for input first")
                };
                return Ran::Answered { output: Response::Result(shown), outcome };
            }
            // Of a member that stands twice nobody knows which one the client takes, so such a result could ask
            // for input unseen.
            Response::Result(result) if self.modern && wire::is_ambiguous(result) => {
                return self.unaskable("the server's result has a member twice");
            }
            Response::Result(result) if wire::member(result, "isError") == Some("true") => {
                (Ending::Failed, Some("the tool said that it failed".to_owned()))
            }
            Response::Result(_) => (Ending::Succeeded, None),
        };
        let bytes = match &response {
            Response::Error(text) | Response::Result(text) => Some(text.len()),
        };
        let outcome = Outcome { note, bytes, ..Outcome::without_result(ending, "") };
        if let Some(bytes) = bytes.filter(|bytes| *bytes as u64 > bounds.result_bytes) {
            let words = format!(
                "`{}` has run, but its result has {bytes} bytes, and more than {} are not handed on",
                self.name, bounds.result_bytes
            );
            return Ran::Answered { output: Response::Result(refusal::withheld(&words)), outcome };
        }
        Ran::Answered { output: response, outcome }
    }

    /// The answer in place of one that the client may not see.
    fn unaskable(&self, why: &str) -> Ran<Response> {
        let error = Object::from([("code", Json::from(-32603)), ("message", Json::from(why))]);
        Ran::Answered {
            output: Response::Error(Json::Object(error).compact()),
            outcome: Outcome::without_result(Ending::Failed, why),
        }
    }
}

/// The first integer that programs with doubles would round.
fn first_unsafe(arguments: &Object) -> Option<String> {
    fn look(value: &Json, at: &str) -> Option<String> {
        match value {
            Json::Number(number @ Number::Integer(_)) if !number.is_safe_integer() => {
                Some(format!("`{at}`: {number} is beyond 2^53 - 1, which this server would round"))
            }
            Json::Object(object) => {
                object.iter().find_map(|(key, below)| look(below, &format!("{at}.{key}")))
            }
            Json::Array(items) => items.iter().find_map(|item| look(item, &format!("{at}[]"))),
            Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => None,
        }
    }
    arguments.iter().find_map(|(key, value)| look(value, key))
}
