//! Frames between a thin client and its node: a kind, a number, a payload.
//!
//! The thin client understands no JSON. It numbers the client's messages; the node says by number what is done
//! with, what to say again after a change of nodes, and what to tell the client if the node dies.
//!
//! One byte of kind, eight of number and four of length, both big-endian, then the payload.

use std::io;

/// What a frame is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// Client to node, first: who attaches, as JSON.
    Hello = b'H',
    /// Node to client, first: taken.
    Welcome = b'W',
    /// Node to client, first: not taken, and why, as JSON.
    Refused = b'X',
    /// One MCP message. From the node: the answer to the message of that number, or 0.
    Message = b'M',
    /// Client to node: a message said again to a new node; its answer is not wanted.
    Again = b'A',
    /// Node to client: that message is done with.
    Done = b'D',
    /// Node to client: keep that message, and say it again to a new node.
    Keep = b'K',
    /// Node to client: what to answer to that message if the node dies.
    LastWords = b'L',
    /// Operator to node: a command, as JSON; node to operator: its answer.
    Command = b'C',
}

impl Kind {
    const ALL: [Kind; 9] = [
        Kind::Hello,
        Kind::Welcome,
        Kind::Refused,
        Kind::Message,
        Kind::Again,
        Kind::Done,
        Kind::Keep,
        Kind::LastWords,
        Kind::Command,
    ];
}

/// Bytes before the payload.
pub const HEAD: usize = 13;

/// The largest payload. A message to the client is at most what a server may send in one, 64 MiB, which grows
/// threefold where it is all line ends of Unicode that are escaped, under an identifier that is at most a whole
/// message of the client. A node never says more: a frame that is longer is no frame of ours.
pub const PAYLOAD_MAX: usize = (3 * 64 + 16) << 20;

/// One frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// What it is for.
    pub kind: Kind,
    /// The number of the client's message that it is about, or 0.
    pub seq: u64,
    /// Its content.
    pub payload: Vec<u8>,
}

impl Frame {
    /// Its bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEAD + self.payload.len());
        bytes.push(self.kind as u8);
        bytes.extend_from_slice(&self.seq.to_be_bytes());
        bytes.extend_from_slice(&u32::try_from(self.payload.len()).unwrap_or(u32::MAX).to_be_bytes());
        bytes.extend_from_slice(&self.payload);
        bytes
    }

    /// What a frame's first bytes say: kind, number, length of the payload.
    ///
    /// # Errors
    ///
    /// If they are none of ours.
    pub fn head(bytes: &[u8; HEAD]) -> io::Result<(Kind, u64, usize)> {
        let wrong = |what| io::Error::new(io::ErrorKind::InvalidData, what);
        let [kind, s0, s1, s2, s3, s4, s5, s6, s7, l0, l1, l2, l3] = *bytes;
        let kind = Kind::ALL
            .into_iter()
            .find(|known| *known as u8 == kind)
            .ok_or_else(|| wrong("an unknown frame"))?;
        let length = u32::from_be_bytes([l0, l1, l2, l3]) as usize;
        if length > PAYLOAD_MAX {
            return Err(wrong("a frame that is too long"));
        }
        Ok((kind, u64::from_be_bytes([s0, s1, s2, s3, s4, s5, s6, s7]), length))
    }

    /// Reads one frame; none at a clean end.
    ///
    /// # Errors
    ///
    /// If what comes is none of ours, or ends in the middle.
    pub fn read(from: &mut impl io::Read) -> io::Result<Option<Self>> {
        let mut head = [0; HEAD];
        let mut got = 0;
        while let Some(rest) = head.get_mut(got..).filter(|rest| !rest.is_empty()) {
            match from.read(rest) {
                Ok(0) if got == 0 => return Ok(None),
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(read) => got += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        let (kind, seq, length) = Self::head(&head)?;
        let mut payload = vec![0; length];
        from.read_exact(&mut payload)?;
        Ok(Some(Self { kind, seq, payload }))
    }

    /// Reads one frame without blocking the thread; none at a clean end.
    ///
    /// # Errors
    ///
    /// As [`Frame::read`].
    pub async fn receive(from: &mut (impl tokio::io::AsyncRead + Unpin)) -> io::Result<Option<Self>> {
        use tokio::io::AsyncReadExt as _;
        let mut head = [0; HEAD];
        let Some(first) = head.first_mut() else { return Ok(None) };
        if from.read(std::slice::from_mut(first)).await? == 0 {
            return Ok(None);
        }
        if let Some(rest) = head.get_mut(1..) {
            from.read_exact(rest).await?;
        }
        let (kind, seq, length) = Self::head(&head)?;
        let mut payload = vec![0; length];
        from.read_exact(&mut payload).await?;
        Ok(Some(Self { kind, seq, payload }))
    }
}
