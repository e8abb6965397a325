//! Toward the client: one message at a time, in the order in which they were given here.
//!
//! The client is either at the other end of this process's own stdout, or behind a thin client that attached
//! over a socket. To that one each message goes in a frame, and with frames go two promises: which of its
//! messages is done with, and what to tell the client of a call should this process die ([`Out::last_words`]).
//!
//! Messages wait in a queue that one task writes out. Whoever has something to say waits until it is written,
//! and so holds one message at most. Whoever reads the client's messages must not wait for that, or the two
//! ends could wait for each other: what it says there ([`Out::done`], [`Out::keep`]) is only queued.

use std::{borrow::Cow, io};

use tokio::{
    io::{AsyncWrite, AsyncWriteExt as _},
    sync::{mpsc, oneshot},
};

use crate::frame::{Frame, Kind};

/// The way to one client.
pub struct Out {
    queue: mpsc::UnboundedSender<Queued>,
    framed: bool,
}

/// A message on its way, and whom to tell how that went.
struct Queued {
    bytes: Vec<u8>,
    written: Option<oneshot::Sender<io::Result<()>>>,
}

impl Out {
    /// Plain lines.
    pub fn lines(writer: impl AsyncWrite + Send + Unpin + 'static) -> Self {
        Self::new(writer, false)
    }

    /// Frames for a thin client.
    pub fn frames(writer: impl AsyncWrite + Send + Unpin + 'static) -> Self {
        Self::new(writer, true)
    }

    fn new(writer: impl AsyncWrite + Send + Unpin + 'static, framed: bool) -> Self {
        let (queue, queued) = mpsc::unbounded_channel();
        tokio::spawn(write(writer, queued));
        Self { queue, framed }
    }

    /// Sends a message that answers none of the client's.
    ///
    /// # Errors
    ///
    /// If the client is gone.
    pub async fn tell(&self, line: &str) -> io::Result<()> {
        self.write(Kind::Message, 0, line).await
    }

    /// Sends the answer to the client's message `seq`, which is then done with.
    ///
    /// # Errors
    ///
    /// If the client is gone.
    pub async fn answer(&self, seq: u64, line: &str) -> io::Result<()> {
        self.write(Kind::Message, seq, line).await
    }

    /// The client's message `seq` is done with and gets no answer. Queued, and not waited for.
    pub fn done(&self, seq: u64) {
        self.post(Kind::Done, seq);
    }

    /// The client's message `seq` must be said again to whoever takes over from this process. Queued, and not
    /// waited for.
    pub fn keep(&self, seq: u64) {
        self.post(Kind::Keep, seq);
    }

    /// What the client is to be told of its message `seq` if this process dies before it answers.
    ///
    /// When this returns, the words are on their way whatever happens to us: a socket's bytes outlive their
    /// sender. So a call without last words was certainly never sent.
    ///
    /// # Errors
    ///
    /// If the client is gone.
    pub async fn last_words(&self, seq: u64, line: &str) -> io::Result<()> {
        if self.framed { self.write(Kind::LastWords, seq, line).await } else { Ok(()) }
    }

    /// Waits until all that was queued is written, or the client is gone.
    pub async fn drained(&self) {
        let (written, wait) = oneshot::channel();
        let nothing = Queued { bytes: Vec::new(), written: Some(written) };
        if self.queue.send(nothing).is_ok() {
            drop(wait.await);
        }
    }

    fn post(&self, kind: Kind, seq: u64) {
        if self.framed {
            // A client that is gone needs no word of it.
            drop(self.queue.send(Queued { bytes: self.bytes(kind, seq, ""), written: None }));
        }
    }

    async fn write(&self, kind: Kind, seq: u64, line: &str) -> io::Result<()> {
        let (written, wait) = oneshot::channel();
        let queued = Queued { bytes: self.bytes(kind, seq, line), written: Some(written) };
        self.queue.send(queued).map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))?;
        wait.await.unwrap_or_else(|_| Err(io::ErrorKind::BrokenPipe.into()))
    }

    fn bytes(&self, kind: Kind, seq: u64, line: &str) -> Vec<u8> {
        let line = on_one_line(line);
        if self.framed {
            return Frame { kind, seq, payload: line.as_bytes().into() }.encode();
        }
        let mut bytes = Vec::with_capacity(line.len() + 1);
        bytes.extend_from_slice(line.as_bytes());
        bytes.push(b'\n');
        bytes
    }
}

/// Writes out what is queued, until nobody can queue anything any more or the client is gone.
async fn write(mut writer: impl AsyncWrite + Unpin, mut queued: mpsc::UnboundedReceiver<Queued>) {
    while let Some(Queued { bytes, written }) = queued.recv().await {
        let outcome = match writer.write_all(&bytes).await {
            Ok(()) => writer.flush().await,
            Err(error) => Err(error),
        };
        let gone = outcome.is_err();
        if let Some(written) = written {
            // Whoever said it may have stopped waiting.
            drop(written.send(outcome));
        }
        if gone {
            return;
        }
    }
}

/// JSON text that every reader of lines takes for one line.
///
/// JSON allows a raw carriage return between values, and the line ends of Unicode inside texts. A client that
/// reads lines by the rules of its language may end one there, and what a server put behind it would pass for a
/// message of its own. Between values a blank means the same, inside a text an escape does.
fn on_one_line(json: &str) -> Cow<'_, str> {
    const UNICODE: [char; 3] = ['\u{85}', '\u{2028}', '\u{2029}'];
    let ends = |letter: char| matches!(letter, '\r' | '\n') || UNICODE.contains(&letter);
    if !json.contains(ends) {
        return Cow::Borrowed(json);
    }
    let mut line = String::with_capacity(json.len() + 64);
    for letter in json.chars() {
        match letter {
            '\r' | '\n' => line.push(' '),
            _ if UNICODE.contains(&letter) => line.push_str(&format!("\\u{:04x}", u32::from(letter))),
            _ => line.push(letter),
        }
    }
    Cow::Owned(line)
}

#[cfg(test)]
mod tests {
    use placet_engine::json::{Limits, parse};

    use super::*;

    #[test]
    fn a_message_is_one_line_to_every_reader_of_lines_and_means_the_same() {
        for json in [
            "{\"a\":\r{\"jsonrpc\":\"2.0\"}\r}",
            "{\r\n\"a\":[1,\n2]\r}",
            "{\"a\u{2028}\":\"\u{2029}\u{85}\\\\\u{2028}\"}",
        ] {
            let line = on_one_line(json);
            assert!(!line.contains(['\r', '\n', '\u{85}', '\u{2028}', '\u{2029}']), "{line:?}");
            let read = |text: &str| parse(text.as_bytes(), &Limits::EDGE).unwrap();
            assert_eq!(read(&line), read(json), "{json:?}");
        }
        assert!(matches!(on_one_line("{\"a\":\"\\r\"}"), Cow::Borrowed(_)));
    }

    #[tokio::test]
    async fn what_is_queued_waits_for_nobody_and_keeps_its_order() {
        let (ours, mut theirs) = tokio::io::duplex(64);
        let out = Out::frames(ours);
        // Far more than the pipe takes: nobody reads it yet.
        for seq in 1..=1_000 {
            out.keep(seq);
            out.done(seq);
        }
        for seq in 1..=1_000 {
            for kind in [Kind::Keep, Kind::Done] {
                let frame = Frame::receive(&mut theirs).await.unwrap().unwrap();
                assert_eq!((frame.kind, frame.seq), (kind, seq));
            }
        }
        drop(theirs);
        assert!(out.last_words(1, "{}").await.is_err(), "nobody is there to keep them");
    }
}
