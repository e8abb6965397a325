//! A tool server that writes down every call before it answers, and misbehaves on request.
//!
//! While it runs it holds a lock beside its log, so that a test can wait for its end without sleeping.

use std::{
    fs::File,
    io::{self, BufRead as _, Write as _},
    path::{Path, PathBuf},
};

use placet_engine::json::{Json, Limits, parse};

/// The tools that it offers: one to read, one to write, one to delete, each with a text as token.
pub const TOOLS: [&str; 3] = ["read_it", "write_it", "delete_it"];

/// The lock that is held while a server with this log runs.
pub fn lock_of(log: &Path) -> PathBuf {
    log.with_extension("lock")
}

/// Waits until no server with this log runs any more.
///
/// # Errors
///
/// If the lock cannot be opened.
pub fn wait_for_end(log: &Path) -> io::Result<()> {
    File::options().create(true).truncate(false).write(true).open(lock_of(log))?.lock()
}

/// The tokens of all calls that reached a server with this log, in order.
///
/// # Errors
///
/// If the log cannot be read.
pub fn reached(log: &Path) -> io::Result<Vec<String>> {
    match std::fs::read_to_string(log) {
        Ok(text) => Ok(text.lines().map(str::to_owned).collect()),
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(cause) => Err(cause),
    }
}

/// Writes a line into the log, between those of calls: what stands after it was done after it.
///
/// # Errors
///
/// If the log cannot be written.
pub fn mark(log: &Path, words: &str) -> io::Result<()> {
    let mut log = File::options().append(true).create(true).open(log)?;
    log.write_all(format!("# {words}\n").as_bytes())
}

/// Where a server with this log finds the result of its calls, as JSON; without such a file it makes its own.
pub fn says_of(log: &Path) -> PathBuf {
    log.with_extension("says")
}

/// The tools of a server that is given none.
fn own_tools() -> String {
    let tools = TOOLS.map(|tool| {
        format!("{{\"name\":\"{tool}\",\"inputSchema\":{{\"type\":\"object\",\"properties\":{{\"token\":{{\"type\":\"string\"}}}},\"required\":[\"token\"]}}}}")
    });
    format!("{{\"tools\":[{}]}}", tools.join(","))
}

/// Serves on standard streams until its input ends, and offers [`TOOLS`] or what `offers` says as the result of
/// `tools/list`. A token `die` ends it in the middle of the call.
///
/// # Errors
///
/// If a stream or the log fails.
pub fn serve(log: &Path, offers: Option<String>) -> io::Result<()> {
    let offers = offers.unwrap_or_else(own_tools);
    let says = says_of(log);
    let lock = File::options().create(true).truncate(false).write(true).open(lock_of(log))?;
    lock.lock_shared()?;
    let mut log = File::options().append(true).create(true).open(log)?;
    let mut out = io::stdout().lock();
    for line in io::stdin().lock().lines() {
        let line = line?;
        let Ok(message) = parse(line.as_bytes(), &Limits::EDGE) else { continue };
        let (Some(id), Some(method)) = (message.get("id"), message.get("method").and_then(Json::as_str))
        else {
            continue;
        };
        let params = message.get("params");
        let argument = |key: &str| params.and_then(|params| params.get("arguments")).and_then(|a| a.get(key));
        let result = match method {
            "initialize" => {
                "{\"protocolVersion\":\"2025-11-25\",\"capabilities\":{\"tools\":{}},\"serverInfo\":{\"name\":\"spy\",\"version\":\"1\"}}".to_owned()
            }
            "tools/list" => offers.clone(),
            "tools/call" => {
                let tool = params.and_then(|params| params.get("name")).and_then(Json::as_str).unwrap_or("none");
                let token = argument("token").and_then(Json::as_str).unwrap_or(tool);
                // One write of the whole line: what is in the log was done.
                log.write_all(format!("{token}\n").as_bytes())?;
                if token == "die" {
                    return Ok(());
                }
                let own = || format!("{{\"content\":[{{\"type\":\"text\",\"text\":{}}}]}}", Json::from(format!("done {token}")).compact());
                std::fs::read_to_string(&says).unwrap_or_else(|_| own())
            }
            _ => "{}".to_owned(),
        };
        writeln!(out, "{{\"jsonrpc\":\"2.0\",\"id\":{},\"result\":{result}}}", id.compact())?;
        out.flush()?;
    }
    Ok(())
}
