//! Asking a server what it offers, as a client would: started, greeted, its list read to the end, and ended.
//!
//! Not here: what is made of the answer. Start at [`offered`].

use std::{sync::Arc, time::Duration};

use placet_engine::policy::config::Cwd;

use super::Wanted;
use crate::{
    mcp::{LEGACY, catalog, meta, wire},
    upstream::stdio::{self, Child, Environment, Log, Response},
};

/// How long a server may take to answer each question.
const PATIENCE: Duration = Duration::from_secs(20);

/// Everything that the server lists, asked in the older era or, if it does not know that, in the newer.
///
/// # Errors
///
/// Why it could not be asked, for a person.
pub(super) async fn offered(wanted: &Wanted, log: Log) -> Result<Vec<String>, String> {
    let entries = wanted.launch.env.iter().map(|(key, text)| {
        let known = wanted.values.get(key).cloned();
        Ok((key.clone(), known.map_or_else(|| crate::config::resolve(text), Ok)?))
    });
    let environment = Environment::Minimal(entries.collect::<Result<_, String>>()?);
    let directory = match &wanted.launch.cwd {
        Cwd::Node => None,
        Cwd::Client => wanted.folder.clone(),
        Cwd::Path(path) => Some(path.into()),
    };
    let launch = stdio::Launch { command: wanted.launch.command.clone(), environment, directory };
    let start = || {
        Child::start(&launch, Arc::clone(&log)).map_err(|cause| format!("it could not be started: {cause}"))
    };
    let (child, _inbox) = start()?;
    let hello = format!(
        "{{\"protocolVersion\":\"{}\",\"capabilities\":{{}},\"clientInfo\":{{\"name\":\"placet\",\"version\":\"{}\"}}}}",
        LEGACY[0],
        env!("CARGO_PKG_VERSION")
    );
    let began = child.ask(child.number(), "initialize", &hello, PATIENCE).await;
    if matches!(began, Ok(Response::Result(_))) {
        let told = child.tell(&wire::notification("notifications/initialized", None)).await;
        told.map_err(|gone| gone.0)?;
        let listed = list(&child, "{}").await;
        child.leave().await;
        return listed;
    }
    child.end_now();
    let (child, _inbox) = start()?;
    let listed = list(&child, &meta::our_own()).await;
    child.leave().await;
    listed
}

async fn list(child: &Child, params: &str) -> Result<Vec<String>, String> {
    let mut entries = Vec::new();
    let mut asked = params.to_owned();
    // As many pages as a connection would read.
    for _ in 0..1_000 {
        let result = match child.ask(child.number(), "tools/list", &asked, PATIENCE).await {
            Ok(Response::Result(result)) => result,
            Ok(Response::Error(_)) => return Err("it does not list its tools".to_owned()),
            Err(gone) => return Err(gone.0),
        };
        let (page, next) = catalog::page(&result).ok_or("its list of tools cannot be read")?;
        entries.extend(page);
        let Some(next) = next else { return Ok(entries) };
        let mut cursor = String::new();
        placet_engine::json::write_string(&next, &mut cursor);
        let inner = params.trim_end_matches('}').to_owned()
            + &"}".repeat(params.matches('{').count().saturating_sub(1));
        let comma = if inner.len() > 1 { "," } else { "" };
        asked = format!("{inner}{comma}\"cursor\":{cursor}}}");
    }
    Err("its list of tools does not end".to_owned())
}
