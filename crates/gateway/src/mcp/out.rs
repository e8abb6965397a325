//! Toward the client: one message at a time, written before anything that must come after it.
//!
//! The client is either at the other end of this process's own stdout, or behind a thin client that attached
//! over a socket. To that one each message goes in a frame, and with frames go two promises: which of its
//! messages is done with, and what to tell the client of a call should this process die ([`Out::last_words`]).

use tokio::{
    io::{AsyncWrite, AsyncWriteExt as _},
    sync::Mutex,
};

use crate::frame::{Frame, Kind};

/// The way to one client.
pub struct Out {
    writer: Mutex<Box<dyn AsyncWrite + Send + Unpin>>,
    framed: bool,
}

impl Out {
    /// Plain lines.
    pub fn lines(writer: impl AsyncWrite + Send + Unpin + 'static) -> Self {
        Self { writer: Mutex::new(Box::new(writer)), framed: false }
    }

    /// Frames for a thin client.
    pub fn frames(writer: impl AsyncWrite + Send + Unpin + 'static) -> Self {
        Self { writer: Mutex::new(Box::new(writer)), framed: true }
    }

    /// Sends a message that answers none of the client's.
    ///
    /// # Errors
    ///
    /// If the client is gone.
    pub async fn tell(&self, line: &str) -> std::io::Result<()> {
        self.write(Kind::Message, 0, line).await
    }

    /// Sends the answer to the client's message `seq`, which is then done with.
    ///
    /// # Errors
    ///
    /// If the client is gone.
    pub async fn answer(&self, seq: u64, line: &str) -> std::io::Result<()> {
        self.write(Kind::Message, seq, line).await
    }

    /// The client's message `seq` is done with and gets no answer.
    ///
    /// # Errors
    ///
    /// If the client is gone.
    pub async fn done(&self, seq: u64) -> std::io::Result<()> {
        if self.framed { self.write(Kind::Done, seq, "").await } else { Ok(()) }
    }

    /// The client's message `seq` must be said again to whoever takes over from this process.
    ///
    /// # Errors
    ///
    /// If the client is gone.
    pub async fn keep(&self, seq: u64) -> std::io::Result<()> {
        if self.framed { self.write(Kind::Keep, seq, "").await } else { Ok(()) }
    }

    /// What the client is to be told of its message `seq` if this process dies before it answers.
    ///
    /// When this returns, the words are on their way whatever happens to us: a socket's bytes outlive their
    /// sender. So a call without last words was certainly never sent.
    ///
    /// # Errors
    ///
    /// If the client is gone.
    pub async fn last_words(&self, seq: u64, line: &str) -> std::io::Result<()> {
        if self.framed { self.write(Kind::LastWords, seq, line).await } else { Ok(()) }
    }

    async fn write(&self, kind: Kind, seq: u64, line: &str) -> std::io::Result<()> {
        let bytes = if self.framed {
            Frame { kind, seq, payload: line.as_bytes().into() }.encode()
        } else {
            let mut bytes = Vec::with_capacity(line.len() + 1);
            bytes.extend_from_slice(line.as_bytes());
            bytes.push(b'\n');
            bytes
        };
        let mut writer = self.writer.lock().await;
        writer.write_all(&bytes).await?;
        writer.flush().await
    }
}
