//! `placet call`: one call through the boundary, as a client that attaches like any other.

use std::{io::Write as _, os::unix::net::UnixStream, time::Duration};

use clap::Args;
use placet_engine::{
    json::{Json, Limits, Object, parse},
    names::Action,
};

use super::{Exit, PlaceArguments, complain, say};
use crate::{
    attach::{AttachError, Attachment, attach},
    credential,
    frame::{Frame, Kind},
    mcp::MODERN,
};

#[derive(Args, Debug)]
pub(super) struct Arguments {
    /// The tool, `server/tool`
    tool: String,
    /// Its arguments, a JSON object
    #[arg(default_value = "{}")]
    arguments: String,
    /// The client whose credential is used; may be left out where this account has one
    #[arg(long, value_name = "NAME")]
    client: Option<String>,
    /// A key of your own: proposed again under it, the call is not made again
    #[arg(long, value_name = "KEY")]
    key: Option<String>,
    /// Say what would happen, and do nothing
    #[arg(long)]
    dry_run: bool,
    /// The whole result as one line of JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    place: PlaceArguments,
}

/// How long a server may take to begin, and the tool to answer.
const PATIENCE: Duration = Duration::from_secs(11 * 60);

pub(super) fn run(arguments: &Arguments) -> Exit {
    match call(arguments) {
        Ok(exit) | Err(exit) => exit,
    }
}

fn call(arguments: &Arguments) -> Result<Exit, Exit> {
    let usage = |what: &str, hint| {
        complain(what, hint);
        Exit::Usage
    };
    let action: Action = arguments
        .tool
        .parse()
        .map_err(|error| usage(&format!("{error}"), Some("placet call crm/read_user '{\"user_id\": 42}'")))?;
    let parameters = parse(arguments.arguments.as_bytes(), &Limits::EDGE)
        .map_err(|error| usage(&format!("the arguments cannot be read: {error}"), None))?;
    if parameters.as_object().is_none() {
        return Err(usage(&format!("the arguments must be an object, not {}", parameters.kind()), None));
    }
    let places = arguments.place.places()?;
    let secret = credential::find(arguments.client.as_deref()).map_err(|error| {
        complain(&error, Some("`placet init` makes a client and its credential"));
        Exit::Config
    })?;
    let attachment = Attachment { places, secret, server: Some(action.server.as_str().to_owned()) };
    let socket = attach(&attachment, 0).map_err(|error| match error {
        AttachError::Config(text) => {
            eprint!("{text}");
            Exit::Config
        }
        error @ AttachError::Refused(_) => {
            complain(&error.to_string(), None);
            Exit::Refused
        }
        error @ AttachError::NoNode(_) => {
            complain(&error.to_string(), None);
            Exit::Unavailable
        }
    })?;
    let mut line = Line { socket, seq: 0 };
    let meta = line.begin()?;
    let mut meta = meta;
    if arguments.dry_run {
        // Nothing that a server offers today can say what it would do; whether it would be allowed, we can.
        meta.insert("dev.placet/dry_run", "validate");
    }
    if let Some(key) = &arguments.key {
        meta.insert("dev.placet/key", key.as_str());
    }
    let mut params = Object::from([("name", Json::from(action.tool.as_str())), ("arguments", parameters)]);
    if !meta.is_empty() {
        params.insert("_meta", Json::Object(meta));
    }
    let answer = line.ask("tools/call", params)?;
    Ok(show(&answer, arguments.json))
}

/// One attached connection, one request at a time.
struct Line {
    socket: UnixStream,
    seq: u64,
}

impl Line {
    /// Begins in the older era, or in the newer where the server speaks only that; what requests must carry.
    fn begin(&mut self) -> Result<Object, Exit> {
        let about = Object::from([
            ("name", Json::from("placet call")),
            ("version", Json::from(env!("CARGO_PKG_VERSION"))),
        ]);
        let initialize = Object::from([
            ("protocolVersion", Json::from(crate::mcp::LEGACY[0])),
            ("capabilities", Json::Object(Object::new())),
            ("clientInfo", Json::Object(about)),
        ]);
        if self.ask("initialize", initialize)?.get("result").is_some() {
            self.send(&Object::from([
                ("jsonrpc", Json::from("2.0")),
                ("method", Json::from("notifications/initialized")),
            ]))?;
            return Ok(Object::new());
        }
        Ok(Object::from([
            ("io.modelcontextprotocol/protocolVersion", Json::from(MODERN)),
            ("io.modelcontextprotocol/clientCapabilities", Json::Object(Object::new())),
        ]))
    }

    fn send(&mut self, message: &Object) -> Result<(), Exit> {
        self.seq += 1;
        let payload = Json::Object(message.clone()).compact().into_bytes();
        let frame = Frame { kind: Kind::Message, seq: self.seq, payload };
        self.socket.write_all(&frame.encode()).map_err(|_| gone())
    }

    fn ask(&mut self, method: &str, params: Object) -> Result<Json, Exit> {
        let id = i64::try_from(self.seq).unwrap_or(0) + 1;
        self.send(&Object::from([
            ("jsonrpc", Json::from("2.0")),
            ("id", Json::from(id)),
            ("method", Json::from(method)),
            ("params", Json::Object(params)),
        ]))?;
        self.socket.set_read_timeout(Some(PATIENCE)).map_err(|_| gone())?;
        let mut last_words = None;
        loop {
            match Frame::read(&mut self.socket) {
                Ok(Some(Frame { kind: Kind::Message, seq, payload })) if seq == self.seq => {
                    return parse(&payload, &crate::mcp::wire::FROM_SERVER).map_err(|error| {
                        complain(&format!("the answer cannot be read: {error}"), None);
                        Exit::Unknown
                    });
                }
                Ok(Some(Frame { kind: Kind::LastWords, payload, .. })) => last_words = Some(payload),
                Ok(Some(_)) => {}
                Ok(None) | Err(_) => {
                    let words = last_words.as_deref().and_then(|words| parse(words, &Limits::EDGE).ok());
                    return words.ok_or_else(gone);
                }
            }
        }
    }
}

fn gone() -> Exit {
    complain("the node ended", Some("nothing was sent to the tool; try again"));
    Exit::Unavailable
}

/// Shows an answer; the exit code says what became of the call.
fn show(answer: &Json, json: bool) -> Exit {
    let decision = answer
        .get("result")
        .and_then(|result| result.get("_meta"))
        .and_then(|meta| meta.get("dev.placet/decision"));
    let word = |key: &str| decision.and_then(|decision| decision.get(key)).and_then(Json::as_str);
    if json {
        say(&answer.get("result").or_else(|| answer.get("error")).unwrap_or(answer).compact());
    } else {
        for line in text(answer).lines() {
            if !say(&placet_engine::diagnostic::inert(line)) {
                break;
            }
        }
    }
    match (word("decision"), word("code")) {
        (Some("deny"), _) => Exit::Refused,
        (Some("ask"), _) => Exit::Waiting,
        (_, Some("outcome_unknown")) => Exit::Unknown,
        (Some("plan"), _) => Exit::Done,
        (Some(_), _) => Exit::Bug,
        (None, _) => {
            let failed = answer
                .get("result")
                .is_none_or(|result| result.get("isError").and_then(Json::as_bool) == Some(true));
            if failed { Exit::ToolFailed } else { Exit::Done }
        }
    }
}

/// The texts of a result, or the whole of what is no text.
fn text(answer: &Json) -> String {
    if let Some(error) = answer.get("error") {
        return error
            .get("message")
            .and_then(Json::as_str)
            .unwrap_or("the server answered with an error")
            .to_owned();
    }
    let Some(result) = answer.get("result") else { return String::new() };
    let content = result.get("content").and_then(Json::as_array).unwrap_or_default();
    let texts = content.iter().map(|item| match item.get("text").and_then(Json::as_str) {
        Some(text) => text.to_owned(),
        None => item.spaced(),
    });
    texts.collect::<Vec<_>>().join("\n")
}
