//! A call: what an agent proposes, in the one form in which it is judged, hashed, recorded and sent.
//!
//! The bytes that reach a tool are made from a [`Call`] and from nothing else, so what was decided is what
//! runs. A call is built once, at the edge, from strictly parsed JSON; inside it is never changed.
//!
//! Not here: reading the wire (each surface does), the tool's level (policy's), the session's state.

use std::{collections::BTreeMap, fmt, sync::Arc};

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::{
    cost::Amount,
    json::{Json, Object},
    names::{Action, AgentName, ClientName, Unit},
};

/// Identifies one proposed call and the decision about it. Drawn by the shell, unguessable, shown as `d_…`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallId([u8; 12]);

/// Digits and letters without the four that people misread (`i`, `l`, `o`, `u`).
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

impl CallId {
    /// An identifier from 96 bits, of which whoever draws it makes at least 64 unguessable.
    pub fn from_random(bytes: [u8; 12]) -> Self {
        Self(bytes)
    }

    /// The bits it was made from.
    pub fn as_bytes(&self) -> &[u8; 12] {
        &self.0
    }

    /// Reads the text form, `d_` and 20 characters.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix("d_").filter(|digits| digits.len() == 20)?;
        let mut bits: u128 = 0;
        for byte in digits.bytes() {
            let value = ALPHABET.iter().position(|letter| *letter == byte)?;
            bits = bits << 5 | value as u128;
        }
        // 20 characters hold 100 bits; an identifier fills the upper 96.
        let bytes = (bits << 28).to_be_bytes();
        let id = Self(bytes.first_chunk().copied()?);
        (bits & 0xf == 0).then_some(id)
    }
}

impl fmt::Display for CallId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("d_")?;
        let mut bits: u128 = self.0.iter().fold(0, |bits, byte| bits << 8 | u128::from(*byte)) << 32;
        for _ in 0..20 {
            let digit = (bits >> 123) as usize;
            f.write_str(
                ALPHABET
                    .get(digit)
                    .and_then(|b| std::str::from_utf8(std::slice::from_ref(b)).ok())
                    .unwrap_or("?"),
            )?;
            bits <<= 5;
        }
        Ok(())
    }
}

impl fmt::Debug for CallId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CallId({self})")
    }
}

/// An HMAC-SHA-256 over canonical bytes. Keyed, so that a record does not give away guessable values.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest(pub [u8; 32]);

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({self})")
    }
}

/// The key of a state directory, under which digests are made.
#[derive(Clone)]
pub struct DigestKey(Hmac<Sha256>);

impl DigestKey {
    /// A key from 32 secret bytes.
    pub fn new(secret: &[u8; 32]) -> Self {
        // The block form takes a key of exactly the hash's block, so there is no length to get wrong.
        let mut block = [0_u8; 64];
        block.iter_mut().zip(secret).for_each(|(to, from)| *to = *from);
        Self(Hmac::new(&block.into()))
    }

    /// The digest of these parts, in this order, each with its length, so that no two lists collide.
    pub fn digest<'a>(&self, parts: impl IntoIterator<Item = &'a [u8]>) -> Digest {
        let mut mac = self.0.clone();
        for part in parts {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part);
        }
        Digest(mac.finalize().into_bytes().into())
    }
}

impl fmt::Debug for DigestKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DigestKey(…)")
    }
}

/// What kind of answer the caller asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Run it.
    Live,
    /// Run nothing for real.
    DryRun(DryRun),
}

/// How far a dry run goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DryRun {
    /// Only the decision. Reaches no tool.
    Decide,
    /// The decision, and whether the arguments fit. Reaches no tool.
    Validate,
    /// The tool itself says what it would do, if it has declared how.
    Tool,
}

impl Mode {
    /// The word for it in records.
    pub const fn as_str(self) -> &'static str {
        match self {
            Mode::Live => "live",
            Mode::DryRun(DryRun::Decide) => "dry_run:decide",
            Mode::DryRun(DryRun::Validate) => "dry_run:validate",
            Mode::DryRun(DryRun::Tool) => "dry_run:tool",
        }
    }
}

/// Arguments as they were parsed and as they will be sent: the value and its canonical text.
#[derive(Clone, Debug)]
pub struct Arguments {
    value: Json,
    canonical: Arc<str>,
}

impl Arguments {
    /// Takes strictly parsed arguments.
    pub fn new(object: Object) -> Self {
        let value = Json::Object(object);
        let canonical = value.canonical().into();
        Self { value, canonical }
    }

    /// The arguments as a JSON object.
    pub fn value(&self) -> &Json {
        &self.value
    }

    /// RFC 8785 text: what is judged, hashed, shown and sent.
    pub fn canonical(&self) -> &str {
        &self.canonical
    }
}

/// What an agent proposes, and who it is by its credential.
#[derive(Clone, Debug)]
pub struct Call {
    /// This call and the decision about it.
    pub id: CallId,
    /// Who proposes, by the client's credential.
    pub agent: AgentName,
    /// The credential through which it came.
    pub client: ClientName,
    /// A run that the host opened, if it opened one; else the client's running session.
    pub session: Option<Arc<str>>,
    /// What is to be called.
    pub action: Action,
    /// With which arguments.
    pub arguments: Arguments,
    /// What goes to the tool beside the arguments (`_meta`, answers to its questions); judged, hashed and shown
    /// like arguments.
    pub meta: Object,
    /// For real or not.
    pub mode: Mode,
    /// The caller's own key: a call under the same one is the same call.
    pub key: Option<Arc<str>>,
    /// What the caller says that it costs. It can only make it dearer.
    pub cost: BTreeMap<Unit, Amount>,
    /// Keyed digest of everything above that the tool will see, and of who asked.
    pub digest: Digest,
}

/// The parts of a call that a surface supplies.
#[derive(Clone, Debug)]
pub struct Proposal {
    /// Who proposes, by the client's credential.
    pub agent: AgentName,
    /// The credential through which it came.
    pub client: ClientName,
    /// A run that the host opened, if it opened one.
    pub session: Option<Arc<str>>,
    /// What is to be called.
    pub action: Action,
    /// With which arguments.
    pub arguments: Object,
    /// What goes to the tool beside the arguments.
    pub meta: Object,
    /// For real or not.
    pub mode: Mode,
    /// The caller's own key, if it sent one.
    pub key: Option<Arc<str>>,
    /// What the caller says that it costs.
    pub cost: BTreeMap<Unit, Amount>,
}

impl Call {
    /// Makes the call that will be judged, under a drawn `id`.
    pub fn new(id: CallId, proposal: Proposal, key: &DigestKey) -> Self {
        let Proposal { agent, client, session, action, arguments, meta, mode, key: own_key, cost } = proposal;
        let arguments = Arguments::new(arguments);
        let meta_text = Json::Object(meta.clone()).canonical();
        let digest = key.digest([
            agent.as_str().as_bytes(),
            client.as_str().as_bytes(),
            session.as_deref().unwrap_or("").as_bytes(),
            action.server.as_str().as_bytes(),
            action.tool.as_str().as_bytes(),
            arguments.canonical().as_bytes(),
            meta_text.as_bytes(),
            mode.as_str().as_bytes(),
            own_key.as_deref().unwrap_or("").as_bytes(),
        ]);
        Self { id, agent, client, session, action, arguments, meta, mode, key: own_key, cost, digest }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identifier_reads_back_from_its_text() {
        for bytes in [[0; 12], [255; 12], [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]] {
            let id = CallId::from_random(bytes);
            let text = id.to_string();
            assert_eq!(text.len(), 22);
            assert_eq!(CallId::parse(&text), Some(id), "{text}");
        }
        for wrong in ["", "d_", "d_0000000000000000000u", "d_00000000000000000001", "x_00000000000000000000"]
        {
            assert_eq!(CallId::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn digests_keep_their_parts_apart() {
        let key = DigestKey::new(&[7; 32]);
        assert_ne!(key.digest([&b"ab"[..], b"c"]), key.digest([&b"a"[..], b"bc"]));
        assert_ne!(key.digest([&b"ab"[..]]), DigestKey::new(&[8; 32]).digest([&b"ab"[..]]));
    }
}
