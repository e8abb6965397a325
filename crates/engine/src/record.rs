//! Records: one entry of the audit ledger for each thing that happened, as one JSON object.
//!
//! A record never holds arguments or results: those are kept beside it, so that they can be erased while the
//! record stays. It holds the keyed digest of what was judged, who asked, what was decided and by which rule; that
//! of an intent also commits to its arguments, under a salt that is erased with them.
//!
//! Not here: the ledger itself, how records are numbered (the store does that, in commit order), and the salts,
//! which the shell draws.

use std::{fmt, str::FromStr};

use crate::{
    call::{Call, CallId},
    json::{Json, Object},
    level::Level,
    time::Timestamp,
};

/// What kind of thing happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A call was allowed and may leave any moment.
    Intent,
    /// What became of an intent. Exactly one of them is final.
    Outcome,
    /// A call was refused.
    Refusal,
    /// A call waits for people.
    Ask,
    /// A dry run was answered without reaching a tool.
    Plan,
    /// A person answered a question.
    Answer,
    /// A question lapsed without an answer.
    Expired,
    /// A person stopped a scope.
    Stop,
    /// A person ended a stop.
    Resume,
    /// A person has policy only watched for a while, or ended that.
    Pause,
    /// A node began to serve; which policy and catalogue it runs.
    Start,
    /// A client's count of its own messages has a hole: something was asked of a node that is gone.
    Gap,
    /// A server asked something of the client while a call was in flight.
    Request,
    /// A server offers something that was not there, or not so, when it was accepted.
    Catalogue,
    /// A call that was made before got its first result again.
    Replay,
    /// A budget has passed a mark of its own.
    Warning,
    /// A tool took more than was held; the account is closed.
    Overrun,
    /// A closed account was opened again by a person.
    Reopen,
    /// A person ended a session.
    SessionEnd,
    /// The calendar of this machine moved in a way that is not followed.
    Clock,
    /// The store went on after a failure, or from a backup.
    Epoch,
    /// A person had values erased that records commit to.
    Erase,
    /// A file was made effective, or could not be.
    Apply,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Kind; 23] = [
        Kind::Intent,
        Kind::Outcome,
        Kind::Refusal,
        Kind::Ask,
        Kind::Plan,
        Kind::Answer,
        Kind::Expired,
        Kind::Stop,
        Kind::Resume,
        Kind::Pause,
        Kind::Start,
        Kind::Gap,
        Kind::Request,
        Kind::Catalogue,
        Kind::Replay,
        Kind::Warning,
        Kind::Overrun,
        Kind::Reopen,
        Kind::SessionEnd,
        Kind::Clock,
        Kind::Epoch,
        Kind::Erase,
        Kind::Apply,
    ];

    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Kind::Intent => "intent",
            Kind::Outcome => "outcome",
            Kind::Refusal => "refusal",
            Kind::Ask => "ask",
            Kind::Plan => "plan",
            Kind::Answer => "answer",
            Kind::Expired => "expired",
            Kind::Stop => "stop",
            Kind::Resume => "resume",
            Kind::Pause => "pause",
            Kind::Start => "start",
            Kind::Gap => "gap",
            Kind::Request => "request",
            Kind::Catalogue => "catalogue",
            Kind::Replay => "replay",
            Kind::Warning => "warning",
            Kind::Overrun => "overrun",
            Kind::Reopen => "reopen",
            Kind::SessionEnd => "session_end",
            Kind::Clock => "clock",
            Kind::Epoch => "epoch",
            Kind::Erase => "erase",
            Kind::Apply => "apply",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Kind {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text).ok_or(())
    }
}

/// One entry of the audit ledger, before the store numbers it.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// What happened.
    pub kind: Kind,
    /// When.
    pub at: Timestamp,
    /// The call it is about, if it is about one.
    pub call: Option<CallId>,
    /// The rest, by kind.
    pub body: Object,
}

impl Record {
    /// A record about no call.
    pub fn new<const N: usize>(kind: Kind, at: Timestamp, body: [(&str, Json); N]) -> Self {
        Self {
            kind,
            at,
            call: None,
            body: body.into_iter().map(|(key, value)| (key.to_owned(), value)).collect(),
        }
    }

    /// A record about `call`, with who proposed what.
    pub fn of(kind: Kind, at: Timestamp, call: &Call, level: Option<Level>) -> Self {
        let mut record = Self::new(
            kind,
            at,
            [
                ("agent", Json::from(call.agent.as_str())),
                ("client", Json::from(call.client.as_str())),
                ("tool", Json::from(call.action.to_string())),
                ("level", Json::from(level.map_or("unknown", Level::as_str))),
                ("mode", Json::from(call.mode.as_str())),
                ("digest", Json::from(format!("hmac-sha256:{}", call.digest))),
            ],
        );
        record.call = Some(call.id);
        if let Some(session) = &call.session {
            record.body.insert("run".to_owned(), Json::from(&**session));
        }
        record
    }

    /// The same with one more member.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl Into<Json>) -> Self {
        self.body.insert(key.to_owned(), value.into());
        self
    }

    /// The whole entry as one object: `kind`, `at`, `call`, then the rest.
    pub fn to_json(&self) -> Json {
        let mut object = Object::new();
        object.insert("kind".to_owned(), Json::from(self.kind.as_str()));
        object.insert("at".to_owned(), Json::from(self.at.to_string()));
        if let Some(call) = self.call {
            object.insert("call".to_owned(), Json::from(call.to_string()));
        }
        for (key, value) in self.body.iter() {
            object.insert(key.to_owned(), value.clone());
        }
        Json::Object(object)
    }
}
