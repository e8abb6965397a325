//! A witness: it signs that it saw a log's head, and never signs two that contradict each other.
//!
//! Of each log it remembers one thing, the last head it signed. A request brings a newer head and the proof that
//! it extends the last. What is here is a function of request and memory; the caller keeps the memory, and gets
//! the cosignature only through [`Accepted::keep`], which stores the new head first. Memory must be read, judged
//! and stored under one lock for each log, or an older head could overwrite a newer one.
//!
//! Not here: HTTP, files, the clock. Spec: c2sp.org/tlog-witness, `add-checkpoint`.

use std::fmt;

use crate::{
    checkpoint::SignedCheckpoint,
    note::{NOTE_BYTES_MAX, SignatureLine, Signed, Signer, Verifier},
    proof::{Head, extends},
    tile::decimal,
    tree::Hash,
};

/// The most hashes that a request may bring.
pub const REQUEST_HASHES_MAX: usize = 63;

/// The longest request that is read.
pub const REQUEST_BYTES_MAX: usize = 32 + REQUEST_HASHES_MAX * 45 + NOTE_BYTES_MAX;

/// A log's wish to have its head cosigned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The size of the last head that the witness signed, as the log believes; 0 for none.
    pub old: u64,
    /// That the new head extends it.
    pub proof: Vec<Hash>,
    /// The new head.
    pub checkpoint: SignedCheckpoint,
}

/// Not a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotARequest;

impl fmt::Display for NotARequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a request to cosign a checkpoint")
    }
}

impl std::error::Error for NotARequest {}

impl Request {
    /// Reads a request.
    ///
    /// # Errors
    ///
    /// [`NotARequest`] if it is none.
    pub fn parse(bytes: &[u8]) -> Result<Self, NotARequest> {
        if bytes.len() > REQUEST_BYTES_MAX {
            return Err(NotARequest);
        }
        let text = std::str::from_utf8(bytes).map_err(|_| NotARequest)?;
        let (head, checkpoint) = text.split_once("\n\n").ok_or(NotARequest)?;
        let mut lines = head.split('\n');
        let old =
            lines.next().and_then(|line| line.strip_prefix("old ")).and_then(decimal).ok_or(NotARequest)?;
        let proof = lines.map(str::parse).collect::<Result<Vec<Hash>, _>>().map_err(|_| NotARequest)?;
        if proof.len() > REQUEST_HASHES_MAX {
            return Err(NotARequest);
        }
        let checkpoint = SignedCheckpoint::parse(checkpoint.as_bytes()).map_err(|_| NotARequest)?;
        Ok(Self { old, proof, checkpoint })
    }
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "old {}", self.old)?;
        self.proof.iter().try_for_each(|hash| writeln!(f, "{hash}"))?;
        write!(f, "\n{}", self.checkpoint)
    }
}

/// Why a witness does not sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The bytes are no request, or the old size is beyond the new one.
    Malformed,
    /// It does not watch this log.
    UnknownLog,
    /// No key of the log signed the head.
    Unsigned,
    /// The last head it signed has another size.
    OtherSize {
        /// That size.
        signed: u64,
    },
    /// It has signed another root for this size: the log has been caught.
    OtherRoot {
        /// The size of both.
        signed: u64,
    },
    /// The proof does not show that the head extends the last one.
    Inconsistent,
}

impl Refusal {
    /// The HTTP status for it.
    pub const fn status(self) -> u16 {
        match self {
            Self::Malformed => 400,
            Self::Unsigned => 403,
            Self::UnknownLog => 404,
            Self::OtherSize { .. } | Self::OtherRoot { .. } => 409,
            Self::Inconsistent => 422,
        }
    }

    /// The body for it. Of a conflict it is the size alone, of type `text/x.tlog.size`.
    pub fn body(self) -> String {
        match self {
            Self::Malformed => "not a request to cosign a checkpoint\n".to_owned(),
            Self::Unsigned => "the checkpoint is not signed by a known key of its log\n".to_owned(),
            Self::UnknownLog => "this log is not watched here\n".to_owned(),
            Self::OtherSize { signed } | Self::OtherRoot { signed } => format!("{signed}\n"),
            Self::Inconsistent => "the checkpoint does not extend the last one\n".to_owned(),
        }
    }
}

/// A head that may be signed, once it is stored.
#[derive(Debug)]
#[must_use = "nothing is signed before the head is kept"]
pub struct Accepted {
    origin: String,
    head: Head,
    line: SignatureLine,
}

impl Accepted {
    /// Whose log.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// Stores the head, durably, by `store`; only then hands out the answer, the cosignature as a line.
    ///
    /// # Errors
    ///
    /// Whatever `store` says; then nothing is signed.
    pub fn keep<E>(self, store: impl FnOnce(&str, Head) -> Result<(), E>) -> Result<String, E> {
        store(&self.origin, self.head)?;
        Ok(format!("{}\n", self.line))
    }
}

/// Judges a request by what is remembered.
///
/// `keys` are those of the logs that are watched; a log may have several. `last` is the head last signed for an
/// origin. `now` is in seconds since 1970.
///
/// # Errors
///
/// [`Refusal`] says why nothing is signed, in the order of the spec.
pub fn judge(
    request: &[u8],
    keys: &[Verifier],
    last: impl FnOnce(&str) -> Option<Head>,
    signer: &Signer,
    now: u64,
) -> Result<Accepted, Refusal> {
    let Request { old, proof, checkpoint } =
        Request::parse(request).map_err(|NotARequest| Refusal::Malformed)?;
    let head = checkpoint.head();
    let mut of_log = keys.iter().filter(|key| key.name().as_str() == head.origin).peekable();
    if of_log.peek().is_none() {
        return Err(Refusal::UnknownLog);
    }
    // One good signature by a known key, and none in a known key's name that is not good.
    let mut signed = false;
    for key in of_log {
        match checkpoint.note().signed_by(key) {
            Signed::Yes { .. } => signed = true,
            Signed::No => {}
            Signed::Wrongly => return Err(Refusal::Unsigned),
        }
    }
    if !signed {
        return Err(Refusal::Unsigned);
    }
    if old > head.size {
        return Err(Refusal::Malformed);
    }
    let before = last(&head.origin).unwrap_or(Head { size: 0, root: Hash::of_nothing() });
    if before.size != old {
        return Err(Refusal::OtherSize { signed: before.size });
    }
    let new = Head { size: head.size, root: head.root };
    if new.size == before.size && new.root != before.root {
        return Err(Refusal::OtherRoot { signed: before.size });
    }
    if !extends(before, new, &proof) {
        return Err(Refusal::Inconsistent);
    }
    let line = signer.sign(checkpoint.note().text(), now);
    Ok(Accepted { origin: head.origin.clone(), head: new, line })
}
