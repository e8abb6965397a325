//! How a connection begins: `initialize` in the older era, `server/discover` in the newer.
//!
//! The server is spoken to in the client's own era. Where it speaks only the other, the client is told so.

use std::{sync::Arc, time::Duration};

use placet_engine::json::{Json, Object};
use placet_store::Store;

use super::{Asked, Session, with_meta};
use crate::{
    mcp::{Era, LEGACY, MODERN, meta, meta::Meta, wire},
    upstream::stdio::{ASK_DEADLINE, Child, Gone, Response},
};

/// How long a server may be silent to `server/discover` before it counts as one that does not know it.
const PROBE: Duration = Duration::from_secs(5);

impl<S: Store> Session<S> {
    /// Begins a session of the older era, on a fresh server.
    pub(super) async fn initialize(self: &Arc<Self>, asked: &Asked, params: Object) {
        let allowed = ["protocolVersion", "capabilities", "clientInfo", "_meta"];
        if let Some(unknown) = params.keys().find(|key| !allowed.contains(key)) {
            let what = format!("`{}` is not a parameter of `initialize`", wire::clipped(unknown));
            return self.error(asked, -32602, &what).await;
        }
        let Some(wanted) = params.get("protocolVersion").and_then(Json::as_str) else {
            return self.error(asked, -32602, "`protocolVersion` must be a text").await;
        };
        // Whoever asks for a revision that we do not know in this era is offered the newest of it.
        let version = LEGACY.into_iter().find(|known| *known == wanted).unwrap_or(LEGACY[0]);
        let declared = params.get("capabilities").cloned().unwrap_or(Json::Null);
        let capabilities = match meta::capabilities(&declared, &self.settings.requests) {
            Ok(capabilities) => capabilities,
            Err(what) => return self.error(asked, -32602, &what).await,
        };
        // One start at a time: of several that come at once the first begins, and the others find it begun.
        let _one_at_a_time = self.starting.lock().await;
        let running = {
            let state = self.state.lock();
            state.era == Some(Era::Legacy) && state.child.as_ref().is_some_and(|child| !child.is_gone())
        };
        if running {
            return self.error(asked, -32600, "this connection is initialized already").await;
        }
        self.replace(None);
        {
            let mut state = self.state.lock();
            state.era = Some(Era::Legacy);
            state.answers = meta::answers(&capabilities);
        }
        let Some(child) = self.start(asked).await else { return };
        let client = params.get("clientInfo").cloned().unwrap_or_else(|| {
            Json::Object(Object::from([("name", Json::from("unknown")), ("version", Json::from("0"))]))
        });
        let ours = Object::from([
            ("protocolVersion", Json::from(version)),
            ("capabilities", Json::Object(capabilities)),
            ("clientInfo", client),
        ]);
        let response =
            child.ask(child.number(), "initialize", &Json::Object(ours).compact(), ASK_DEADLINE).await;
        let result = match response {
            Ok(Response::Result(result)) => result,
            Ok(Response::Error(error)) => {
                let said = wire::member(&error, "message").and_then(wire::text).unwrap_or_default();
                let what = format!(
                    "server `{}` does not begin with `initialize`; it may speak only revision {MODERN}: {}",
                    self.settings.server,
                    wire::clipped(&said)
                );
                return self.refuse_era(asked, &child, -32603, &what).await;
            }
            Err(Gone(why)) => {
                let what = format!("server `{}`: {why}", self.settings.server);
                return self.refuse_era(asked, &child, -32603, &what).await;
            }
        };
        let agreed = wire::member(&result, "protocolVersion").and_then(wire::text);
        if !agreed.as_deref().is_some_and(|agreed| LEGACY.contains(&agreed)) {
            let what = format!(
                "server `{}` answers `initialize` with a revision that is not spoken here",
                self.settings.server
            );
            return self.refuse_era(asked, &child, -32603, &what).await;
        }
        match wire::rewritten(&wire::without_ours(&result), without_tasks) {
            Ok(result) => {
                self.out.keep(asked.seq);
                self.answer(asked, Ok(&result)).await;
            }
            Err(_) => {
                self.refuse_era(asked, &child, -32603, "the server's answer to `initialize` is no object")
                    .await
            }
        }
    }

    /// Says what the server can do, in the newer era.
    pub(super) async fn discover(self: &Arc<Self>, asked: &Asked, child: &Arc<Child>, meta: Meta) {
        let mut params = Object::new();
        with_meta(&mut params, meta.toward_server, None);
        let params = Json::Object(params).compact();
        let result = match child.ask(child.number(), "server/discover", &params, PROBE).await {
            Ok(Response::Result(result)) if speaks_modern(&result) => result,
            Ok(Response::Result(_) | Response::Error(_)) | Err(_) => {
                // A code that clients take for an older server, so that they begin again with `initialize`.
                return self.refuse_era(asked, child, -32601, &self.only_legacy()).await;
            }
        };
        let ours = |key: &str, value: &str| match key {
            "supportedVersions" => Some(format!("[\"{MODERN}\"]")),
            "cacheScope" => Some("\"private\"".to_owned()),
            _ => without_tasks(key, value),
        };
        match wire::rewritten(&wire::without_ours(&result), ours) {
            Ok(result) => self.answer(asked, Ok(&result)).await,
            Err(_) => {
                self.error(asked, -32603, "the server's answer to `server/discover` is no object").await
            }
        }
    }

    /// Whether a server that was just started speaks the newer era; if not, the client is told what it speaks.
    pub(super) async fn knows_modern(&self, asked: &Asked, child: &Arc<Child>) -> bool {
        match child.ask(child.number(), "server/discover", &meta::our_own(), PROBE).await {
            Ok(Response::Result(result)) if speaks_modern(&result) => true,
            Ok(Response::Result(_) | Response::Error(_)) | Err(_) => {
                self.forget(child);
                self.unspoken(asked, &self.only_legacy(), &LEGACY).await;
                false
            }
        }
    }

    fn only_legacy(&self) -> String {
        format!(
            "server `{}` speaks only revisions up to {}; begin with `initialize`",
            self.settings.server, LEGACY[0]
        )
    }

    /// Ends an attempt in an era that the server does not speak; the client may begin again in the other.
    async fn refuse_era(&self, asked: &Asked, child: &Arc<Child>, code: i64, what: &str) {
        self.forget(child);
        self.error(asked, code, what).await;
    }

    fn forget(&self, child: &Arc<Child>) {
        child.end_now();
        if self.has(child) {
            self.replace(None);
            self.state.lock().era = None;
        }
    }
}

fn speaks_modern(result: &str) -> bool {
    let versions = wire::member(result, "supportedVersions");
    let versions = versions.and_then(|list| placet_engine::json::raw::items(list, &wire::FROM_SERVER).ok());
    versions.is_some_and(|versions| {
        versions.into_iter().any(|version| wire::text(version).as_deref() == Some(MODERN))
    })
}

/// What a server can do, less tasks and extensions: their methods are not relayed, so they are not offered.
fn without_tasks(key: &str, value: &str) -> Option<String> {
    if key != "capabilities" {
        return None;
    }
    let gone = |name: &str| matches!(name, "tasks" | "extensions");
    let members = placet_engine::json::raw::members(value, &wire::FROM_SERVER).ok()?;
    let kept: Vec<String> = members
        .iter()
        .filter(|member| !gone(&member.key))
        .map(|member| {
            let mut text = String::new();
            placet_engine::json::write_string(&member.key, &mut text);
            format!("{text}:{}", member.value)
        })
        .collect();
    Some(format!("{{{}}}", kept.join(",")))
}
