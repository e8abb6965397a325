//! `_meta`: what a client may say about its request, and what of it goes on to the server.
//!
//! Identity is never taken from it. Toward the server go trace context, the protocol's own keys, and the keys
//! that the operator listed; ours never do, and a member of ours that we do not know is refused, so that a
//! misspelt dry run does not run live.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use placet_engine::{
    call::{DryRun, Mode},
    cost::Amount,
    json::{Json, Object},
    names::Unit,
    policy::config::ServerRequest,
};

use super::wire::{self, OURS};

/// Trace context, carried from the caller to the tool.
const TRACE: [&str; 3] = ["traceparent", "tracestate", "baggage"];

/// The prefix of the protocol's own keys.
const PROTOCOL: &str = "io.modelcontextprotocol/";

/// The revision that a request of the newer era is made in.
pub const VERSION: &str = "io.modelcontextprotocol/protocolVersion";

const CAPABILITIES: &str = "io.modelcontextprotocol/clientCapabilities";

/// What a request's `_meta` says.
#[derive(Clone, Debug, PartialEq)]
pub struct Meta {
    /// For real or not.
    pub mode: Mode,
    /// The caller's own key.
    pub key: Option<Arc<str>>,
    /// What the caller says that it costs.
    pub cost: BTreeMap<Unit, Amount>,
    /// Under which token the client wants to hear of progress, as JSON text.
    pub progress: Option<String>,
    /// The revision, where the request names it.
    pub version: Option<String>,
    /// What the client can be asked during this request, as far as its server may ask.
    pub answers: BTreeSet<&'static str>,
    /// What goes on to the server.
    pub toward_server: Object,
}

/// Reads the `_meta` member of a request's `params`, if there is one.
///
/// # Errors
///
/// What is wrong, in words for whoever made the request.
pub fn read(
    meta: Option<Json>,
    listed: &[String],
    requests: &BTreeSet<ServerRequest>,
) -> Result<Meta, String> {
    let mut read = Meta {
        mode: Mode::Live,
        key: None,
        cost: BTreeMap::new(),
        progress: None,
        version: None,
        answers: BTreeSet::new(),
        toward_server: Object::new(),
    };
    let meta = match meta {
        None => return Ok(read),
        Some(Json::Object(meta)) => meta,
        Some(other) => return Err(format!("`_meta` must be an object, not {}", other.kind())),
    };
    for (key, value) in meta.iter() {
        if let Some(ours) = key.strip_prefix(OURS) {
            match ours {
                "dry_run" => read.mode = mode(value)?,
                "label" => check_label(value)?,
                "key" => read.key = Some(caller_key(value)?),
                "cost" => read.cost = cost(value)?,
                "session" => {
                    return Err(
                        "`dev.placet/session` is not taken from this credential; leave it out".to_owned()
                    );
                }
                _ => return Err(format!("`{}` is not known", wire::clipped(key))),
            }
            continue;
        }
        let known = listed.iter().any(|known| known == key);
        if !known && passes_for_ours(key) {
            return Err(format!(
                "`{}` is not known; a dry run is asked for by `dev.placet/dry_run`",
                wire::clipped(key)
            ));
        }
        match key {
            "progressToken" if value.as_str().is_some() || value.as_i64().is_some() => {
                read.progress = Some(value.compact());
            }
            "progressToken" => {
                return Err(format!(
                    "`progressToken` must be a text or a whole number, not {}",
                    value.kind()
                ));
            }
            CAPABILITIES => {
                let capabilities = capabilities(value, requests)?;
                read.answers = answers(&capabilities);
                read.toward_server.insert(key, capabilities);
            }
            _ if key.starts_with(PROTOCOL) || TRACE.contains(&key) || known => {
                if key == VERSION {
                    read.version = value.as_str().map(str::to_owned);
                }
                read.toward_server.insert(key, value.clone());
            }
            // Whatever else a client notes for itself stays with us.
            _ => {}
        }
    }
    Ok(read)
}

/// Whether whoever wrote a key may have meant one of ours. A dry run that is not understood must not run live,
/// however it is spelt.
fn passes_for_ours(key: &str) -> bool {
    let key = key.trim().to_lowercase();
    let last = key.rsplit(['/', '.']).next().unwrap_or_default();
    let letters: String = last.chars().filter(|letter| letter.is_alphanumeric()).collect();
    key.starts_with("dev.placet") || letters == "dryrun"
}

fn mode(value: &Json) -> Result<Mode, String> {
    match value {
        Json::Bool(false) => Ok(Mode::Live),
        Json::Bool(true) => Ok(Mode::DryRun(DryRun::Tool)),
        Json::String(kind) => match kind.as_str() {
            "decide" => Ok(Mode::DryRun(DryRun::Decide)),
            "validate" => Ok(Mode::DryRun(DryRun::Validate)),
            "tool" => Ok(Mode::DryRun(DryRun::Tool)),
            _ => Err("`dev.placet/dry_run` is true, \"decide\", \"validate\" or \"tool\"".to_owned()),
        },
        Json::Null | Json::Number(_) | Json::Array(_) | Json::Object(_) => {
            Err("`dev.placet/dry_run` is true, \"decide\", \"validate\" or \"tool\"".to_owned())
        }
    }
}

/// The longest key that a caller may choose, in characters.
const KEY_CHARS: usize = 256;

/// A key that a caller chose: visible ASCII, so that two that look alike are alike.
///
/// # Errors
///
/// If it is none, in words for whoever sent it.
pub fn caller_key(value: &Json) -> Result<Arc<str>, String> {
    match value.as_str() {
        Some(key)
            if (1..=KEY_CHARS).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic()) =>
        {
            Ok(key.into())
        }
        _ => Err(format!("`dev.placet/key` is 1 to {KEY_CHARS} visible ASCII characters without blanks")),
    }
}

/// `{"usd": 0.25}`: units and amounts.
fn cost(value: &Json) -> Result<BTreeMap<Unit, Amount>, String> {
    const SHAPE: &str = "`dev.placet/cost` is an object of units and amounts, as in {\"usd\": \"0.25\"}";
    let units = value.as_object().ok_or(SHAPE)?;
    units
        .iter()
        .map(|(unit, amount)| {
            let text = amount.as_str().map_or_else(|| amount.compact(), str::to_owned);
            let amount = text.parse::<Amount>().map_err(|_| SHAPE)?;
            Ok((unit.parse::<Unit>().map_err(|error| error.to_string())?, amount))
        })
        .collect()
}

fn check_label(value: &Json) -> Result<(), String> {
    match value.as_str() {
        Some(label) if label.chars().count() <= 128 && !label.chars().any(char::is_control) => Ok(()),
        _ => Err("`dev.placet/label` is a text of at most 128 printable characters".to_owned()),
    }
}

/// What the client can do, less what its server may not ask of it.
///
/// # Errors
///
/// If it is no object.
pub fn capabilities(declared: &Json, requests: &BTreeSet<ServerRequest>) -> Result<Object, String> {
    let declared = declared
        .as_object()
        .ok_or_else(|| format!("the client's capabilities must be an object, not {}", declared.kind()))?;
    let kept = declared.iter().filter(|(key, _)| match *key {
        "elicitation" => requests.contains(&ServerRequest::Elicitation),
        "sampling" => requests.contains(&ServerRequest::Sampling),
        "roots" => requests.contains(&ServerRequest::Roots),
        // Others would offer the server ways to the client that do not lead through here.
        _ => false,
    });
    Ok(kept.map(|(key, value)| (key.to_owned(), value.clone())).collect())
}

/// What a client with these capabilities can be asked.
pub fn answers(capabilities: &Object) -> BTreeSet<&'static str> {
    ["elicitation", "sampling", "roots"].into_iter().filter(|kind| capabilities.contains(kind)).collect()
}

/// The `_meta` of a request of our own in the newer era.
pub fn our_own() -> String {
    format!("{{\"_meta\":{{\"{VERSION}\":\"{}\",\"{CAPABILITIES}\":{{}}}}}}", super::MODERN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dry_run_never_runs_live_for_the_way_it_is_spelt() {
        for key in [
            "dev.placet/dryrun",
            "dev.placet/dry-run",
            "Dev.Placet/dry_run",
            "DEV.PLACET/DRY_RUN",
            "dev.placet.dry_run",
            " dev.placet/dry_run",
            "dev.placet/dry_run ",
            "dev.placet",
            "dry_run",
            "dryRun",
            "DRY-RUN",
            "placet/dry_run",
            "com.example/dry_run",
            "dev.placet\u{200b}/dry_run",
        ] {
            let meta = Json::Object(Object::from([(key, Json::from(true))]));
            let read = read(Some(meta), &[], &BTreeSet::new());
            assert!(read.is_err(), "{key:?}: {read:?}");
        }
        let listed = ["com.example/dry_run".to_owned()];
        let meta = Json::Object(Object::from([("com.example/dry_run", Json::from(true))]));
        let read = read(Some(meta), &listed, &BTreeSet::new()).unwrap();
        assert_eq!(read.mode, Mode::Live);
        assert!(read.toward_server.contains("com.example/dry_run"), "the operator's own key goes on");
    }
}
