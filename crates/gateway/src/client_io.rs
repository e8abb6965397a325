//! This process's own standard streams, as the way to an MCP client: one message a line.
//!
//! Clients start us with pipes or socket pairs; these are read and written without a thread in between. A line
//! beyond the edge's bound is not kept: its beginning goes on, to be refused, and the rest is thrown away.

use std::{
    io,
    os::fd::{AsFd, OwnedFd},
};

use placet_engine::json::Limits;
use rustix::fs::{FileType, Mode, OFlags};
use tokio::{
    io::{AsyncBufRead, AsyncBufReadExt as _, AsyncRead, AsyncWrite, BufReader},
    net::{UnixStream, unix::pipe},
    sync::mpsc,
};

use crate::mcp::session::Inbound;

/// Messages of the client that may wait to be looked at; then its output is left unread.
pub const INBOX: usize = 64;

/// Standard input.
///
/// # Errors
///
/// If it cannot be opened for waiting.
pub fn stdin() -> io::Result<Box<dyn AsyncRead + Send + Unpin>> {
    Ok(match own(rustix::stdio::stdin(), "/proc/self/fd/0", OFlags::RDONLY)? {
        Stream::Pipe(fd) => Box::new(pipe::Receiver::from_owned_fd(fd)?),
        Stream::Socket(socket) => Box::new(socket),
        Stream::Other => Box::new(tokio::io::stdin()),
    })
}

/// Standard output.
///
/// # Errors
///
/// If it cannot be opened for waiting.
pub fn stdout() -> io::Result<Box<dyn AsyncWrite + Send + Unpin>> {
    Ok(match own(rustix::stdio::stdout(), "/proc/self/fd/1", OFlags::WRONLY)? {
        Stream::Pipe(fd) => Box::new(pipe::Sender::from_owned_fd(fd)?),
        Stream::Socket(socket) => Box::new(socket),
        Stream::Other => Box::new(tokio::io::stdout()),
    })
}

enum Stream {
    Pipe(OwnedFd),
    Socket(UnixStream),
    Other,
}

/// A descriptor of our own for a stream, so that waiting for it changes nothing for others who share it.
fn own(stream: impl AsFd, path: &str, flags: OFlags) -> io::Result<Stream> {
    let kind = FileType::from_raw_mode(rustix::fs::fstat(&stream)?.st_mode);
    if kind == FileType::Fifo {
        let again = rustix::fs::open(path, flags | OFlags::NONBLOCK | OFlags::CLOEXEC, Mode::empty());
        // Where there is no such path, the shared descriptor serves.
        return Ok(Stream::Pipe(again.map_or_else(|_| stream.as_fd().try_clone_to_owned(), Ok)?));
    }
    if kind == FileType::Socket {
        let socket = std::os::unix::net::UnixStream::from(stream.as_fd().try_clone_to_owned()?);
        socket.set_nonblocking(true)?;
        return Ok(Stream::Socket(UnixStream::from_std(socket)?));
    }
    // Files and terminals, which are read by a thread.
    Ok(Stream::Other)
}

/// Reads messages, one a line, until the client is gone or nobody takes them any more.
pub async fn read_lines(input: impl AsyncRead + Unpin, inbox: mpsc::Sender<Inbound>) {
    let mut input = BufReader::with_capacity(64 << 10, input);
    let mut seq = 0;
    while let Ok(Some(line)) = next_line(&mut input).await {
        if line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        seq += 1;
        if inbox.send(Inbound { seq, line, again: false }).await.is_err() {
            return;
        }
    }
}

/// One line without its end; at most one byte more than the edge takes.
async fn next_line(input: &mut (impl AsyncBufRead + Unpin)) -> io::Result<Option<Vec<u8>>> {
    let limit = Limits::EDGE.bytes + 1;
    let mut line = Vec::new();
    loop {
        let buffer = input.fill_buf().await?;
        if buffer.is_empty() {
            return Ok(if line.is_empty() { None } else { Some(line) });
        }
        let end = buffer.iter().position(|byte| *byte == b'\n');
        let taken = end.unwrap_or(buffer.len());
        let room = limit.saturating_sub(line.len());
        line.extend_from_slice(buffer.get(..taken.min(room)).unwrap_or_default());
        input.consume(end.map_or(taken, |end| end + 1));
        if end.is_some() {
            return Ok(Some(line));
        }
    }
}
