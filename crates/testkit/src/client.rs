//! An MCP client of the older era that writes lines and reads answers, over a process that it may kill.

use std::{
    io::{self, BufRead as _, BufReader, Write as _},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use placet_engine::json::{Json, Limits, parse};

/// What servers and the boundary may answer.
const ANSWER: Limits = Limits { bytes: 64 << 20, depth: 128, members: 100_000, key_bytes: 64 << 10 };

/// A client and the process it talks to.
#[derive(Debug)]
pub struct Client {
    process: Child,
    stdin: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,
    next: i64,
}

impl Client {
    /// Starts `command` and shakes hands with it.
    ///
    /// # Errors
    ///
    /// If it cannot be started, or ends before it has answered.
    pub fn start(command: &mut Command) -> io::Result<Self> {
        let mut client = Self::bare(command)?;
        let hello = "{\"protocolVersion\":\"2025-11-25\",\"capabilities\":{},\"clientInfo\":{\"name\":\"testkit\",\"version\":\"1\"}}";
        let id = client.ask("initialize", hello)?;
        let answer = client.answer(id)?;
        if answer.get("result").is_none() {
            return Err(io::Error::other(answer.compact()));
        }
        client.line("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}")?;
        Ok(client)
    }

    /// Starts `command` and says nothing yet.
    ///
    /// # Errors
    ///
    /// If it cannot be started.
    pub fn bare(command: &mut Command) -> io::Result<Self> {
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let piped = || io::Error::other("the process has no streams");
        let stdin = Some(process.stdin.take().ok_or_else(piped)?);
        let stdout = BufReader::new(process.stdout.take().ok_or_else(piped)?);
        Ok(Self { process, stdin, stdout, next: 1 })
    }

    /// Writes one line as it is.
    ///
    /// # Errors
    ///
    /// If the process no longer reads.
    pub fn line(&mut self, line: &str) -> io::Result<()> {
        let stdin = self.stdin.as_mut().ok_or(io::ErrorKind::BrokenPipe)?;
        stdin.write_all(format!("{line}\n").as_bytes())
    }

    /// Asks something; the answer comes under the identifier that is returned.
    ///
    /// # Errors
    ///
    /// If the process no longer reads.
    pub fn ask(&mut self, method: &str, params: &str) -> io::Result<i64> {
        let id = self.next;
        self.next += 1;
        self.line(&format!(
            "{{\"jsonrpc\":\"2.0\",\"id\":{id},\"method\":\"{method}\",\"params\":{params}}}"
        ))?;
        Ok(id)
    }

    /// Proposes a call of a tool with a token.
    ///
    /// # Errors
    ///
    /// If the process no longer reads.
    pub fn call(&mut self, tool: &str, token: &str) -> io::Result<i64> {
        let token = Json::from(token).compact();
        self.ask("tools/call", &format!("{{\"name\":\"{tool}\",\"arguments\":{{\"token\":{token}}}}}"))
    }

    /// The next message.
    ///
    /// # Errors
    ///
    /// If the process ends first, or says what is no JSON.
    pub fn message(&mut self) -> io::Result<Json> {
        let mut line = String::new();
        if self.stdout.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        parse(line.trim_end().as_bytes(), &ANSWER).map_err(io::Error::other)
    }

    /// The answer under this identifier; other messages that come before it are passed over.
    ///
    /// # Errors
    ///
    /// As [`Client::message`].
    pub fn answer(&mut self, id: i64) -> io::Result<Json> {
        loop {
            let message = self.message()?;
            if message.get("id").and_then(Json::as_i64) == Some(id) {
                return Ok(message);
            }
        }
    }

    /// The process.
    pub fn process(&mut self) -> &mut Child {
        &mut self.process
    }

    /// Kills the process, as `kill -9` does, and waits until it is gone.
    ///
    /// # Errors
    ///
    /// If it cannot be killed.
    pub fn kill(&mut self) -> io::Result<()> {
        self.process.kill()?;
        self.process.wait().map(drop)
    }

    /// Closes the client's end and waits until the process is gone.
    ///
    /// # Errors
    ///
    /// If it cannot be waited for.
    pub fn leave(&mut self) -> io::Result<std::process::ExitStatus> {
        self.stdin = None;
        self.process.wait()
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.stdin = None;
        // Gone already, or gone now.
        self.process.kill().unwrap_or_default();
        drop(self.process.wait());
    }
}

/// The text of a result, or the message of an error.
pub fn text(answer: &Json) -> String {
    let content = answer.get("result").and_then(|result| result.get("content")).and_then(Json::as_array);
    let text =
        content.and_then(|items| items.first()).and_then(|item| item.get("text")).and_then(Json::as_str);
    let error = || answer.get("error").and_then(|error| error.get("message")).and_then(Json::as_str);
    text.or_else(error).unwrap_or_default().to_owned()
}

/// The code of the boundary's decision, if the answer is one.
pub fn code(answer: &Json) -> Option<String> {
    let meta = answer.get("result").and_then(|result| result.get("_meta"));
    let data = answer.get("error").and_then(|error| error.get("data"));
    let decision = meta.and_then(|meta| meta.get("dev.placet/decision")).or(data);
    decision.and_then(|decision| decision.get("code")).and_then(Json::as_str).map(str::to_owned)
}
