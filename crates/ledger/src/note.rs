//! Signed notes: text, and who signed it.
//!
//! A note is text, an empty line, and signature lines that name a key and its short hash. Whoever checks one
//! brings the keys that she trusts; lines of other keys are ignored, and one line of a key she trusts that does
//! not verify spoils the note. Two kinds of key are known: a log's, which signs the text, and a witness's, which
//! signs the text with the time (a *cosignature*).
//!
//! Reading is strict, so that what is read would be written just so: base64 in its one form, hashes of keys in
//! lower case. Signatures are checked by the strict rule of Ed25519, and keys of small order are no keys.
//! Not here: what the text of a checkpoint says ([`crate::checkpoint`]).
//! Specs: c2sp.org/signed-note, c2sp.org/tlog-cosignature.

use std::{fmt, str::FromStr};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use sha2::{Digest as _, Sha256};

/// The longest note that is read. With 64 signatures of today's kind it needs a tenth.
pub const NOTE_BYTES_MAX: usize = 65_536;

/// The most signature lines that are read.
pub const SIGNATURES_MAX: usize = 64;

/// What a signature line begins with.
const DASH: &str = "\u{2014} ";

/// The largest time that a cosignature may carry.
const TIME_MAX: u64 = i64::MAX as u64;

/// A key's name: not empty, without white space and `+`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyName(String);

impl KeyName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for KeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for KeyName {
    type Err = KeyError;

    fn from_str(name: &str) -> Result<Self, KeyError> {
        let bad = |char: char| char.is_whitespace() || char.is_ascii_control() || char == '+';
        if name.is_empty() || name.contains(bad) { Err(KeyError::Name) } else { Ok(Self(name.to_owned())) }
    }
}

/// What a key signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeyKind {
    /// The text: a log's key.
    Log,
    /// The text and a time: a witness's key.
    Witness,
}

impl KeyKind {
    /// The byte for it in keys and their hashes.
    const fn byte(self) -> u8 {
        match self {
            Self::Log => 0x01,
            Self::Witness => 0x04,
        }
    }

    fn of_byte(byte: u8) -> Option<Self> {
        [Self::Log, Self::Witness].into_iter().find(|kind| kind.byte() == byte)
    }
}

/// Why something is not a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyError {
    /// A name that is empty, or has white space, a control character or `+` in it.
    Name,
    /// Not of the form `NAME+HASH+BASE64`, or `PRIVATE+KEY+NAME+HASH+BASE64` for a secret one.
    Form,
    /// A kind of key that is not known here.
    Kind,
    /// The hash in the text is not that of the key.
    Hash,
    /// The bytes are no public key, or one that proves nothing.
    Point,
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Name => "a key's name is not empty and has no white space and no `+`",
            Self::Form => "a key is `NAME+HASH+BASE64`",
            Self::Kind => "the key is of a kind that is not known here",
            Self::Hash => "the hash in the key's text is not that of the key",
            Self::Point => "the key is no Ed25519 public key",
        })
    }
}

impl std::error::Error for KeyError {}

/// The short hash by which signature lines name a key.
fn key_hash(name: &KeyName, kind: KeyKind, public: &[u8; 32]) -> u32 {
    let digest = Sha256::new()
        .chain_update(name.as_str())
        .chain_update([b'\n', kind.byte()])
        .chain_update(public)
        .finalize();
    digest.iter().take(4).fold(0, |hash, byte| hash << 8 | u32::from(*byte))
}

/// Splits `NAME+HASH+BASE64`; the name has no `+`, base64 may.
fn split_key(text: &str) -> Result<(KeyName, u32, KeyKind, [u8; 32]), KeyError> {
    let (name, rest) = text.split_once('+').ok_or(KeyError::Form)?;
    let (hash, bytes) = rest.split_once('+').ok_or(KeyError::Form)?;
    let name = name.parse()?;
    let lower = |byte: u8| byte.is_ascii_digit() || matches!(byte, b'a'..=b'f');
    if hash.len() != 8 || !hash.bytes().all(lower) {
        return Err(KeyError::Form);
    }
    let hash = u32::from_str_radix(hash, 16).map_err(|_| KeyError::Form)?;
    let bytes = STANDARD.decode(bytes).map_err(|_| KeyError::Form)?;
    let (kind, key) = bytes.split_first().ok_or(KeyError::Form)?;
    let kind = KeyKind::of_byte(*kind).ok_or(KeyError::Kind)?;
    Ok((name, hash, kind, key.try_into().map_err(|_| KeyError::Form)?))
}

fn key_text(name: &KeyName, hash: u32, kind: KeyKind, key: &[u8; 32]) -> String {
    let mut bytes = vec![kind.byte()];
    bytes.extend_from_slice(key);
    format!("{name}+{hash:08x}+{}", STANDARD.encode(bytes))
}

/// A public key with its name: what an auditor is given.
#[derive(Clone, PartialEq, Eq)]
pub struct Verifier {
    name: KeyName,
    hash: u32,
    kind: KeyKind,
    key: VerifyingKey,
}

impl Verifier {
    /// A key from its 32 bytes.
    ///
    /// # Errors
    ///
    /// [`KeyError::Point`] if they are no point of the curve in its one form, or one of small order, under which
    /// anything can be signed.
    pub fn new(name: KeyName, kind: KeyKind, public: &[u8; 32]) -> Result<Self, KeyError> {
        let key = VerifyingKey::from_bytes(public).map_err(|_| KeyError::Point)?;
        if key.is_weak() || key.to_edwards().compress().to_bytes() != *public {
            return Err(KeyError::Point);
        }
        Ok(Self { hash: key_hash(&name, kind, public), name, kind, key })
    }

    /// Its name.
    pub fn name(&self) -> &KeyName {
        &self.name
    }

    /// What it signs.
    pub fn kind(&self) -> KeyKind {
        self.kind
    }

    /// The 32 bytes of the key.
    pub fn public(&self) -> &[u8; 32] {
        self.key.as_bytes()
    }

    /// Whether a signature line names this key.
    pub fn is_named_by(&self, line: &SignatureLine) -> bool {
        line.name == self.name && line.hash == self.hash
    }

    /// Whether `line` is a signature by this key over `text`: none if not, else the time that it carries, which
    /// for a log's key is nothing.
    fn check(&self, text: &str, line: &SignatureLine) -> Option<Option<u64>> {
        match self.kind {
            KeyKind::Log => {
                let signature = Signature::from_slice(&line.signature).ok()?;
                self.key.verify_strict(text.as_bytes(), &signature).ok().map(|()| None)
            }
            KeyKind::Witness => {
                let (time, signature) = line.signature.split_first_chunk::<8>()?;
                let time = Some(u64::from_be_bytes(*time)).filter(|time| *time <= TIME_MAX)?;
                let signature = Signature::from_slice(signature).ok()?;
                let message = cosigned(text, time);
                self.key.verify_strict(message.as_bytes(), &signature).ok().map(|()| Some(time))
            }
        }
    }
}

impl fmt::Display for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&key_text(&self.name, self.hash, self.kind, self.key.as_bytes()))
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Verifier {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let (name, hash, kind, public) = split_key(text)?;
        let verifier = Self::new(name, kind, &public)?;
        if verifier.hash == hash { Ok(verifier) } else { Err(KeyError::Hash) }
    }
}

/// A secret key with its name. Its `Debug` shows the public half; the secret is wiped when it is dropped.
pub struct Signer {
    verifier: Verifier,
    secret: SigningKey,
}

impl Signer {
    /// A key from its seed, 32 bytes that nobody else knows.
    ///
    /// # Errors
    ///
    /// [`KeyError::Point`] is possible in theory only.
    pub fn from_seed(name: KeyName, kind: KeyKind, seed: &[u8; 32]) -> Result<Self, KeyError> {
        let secret = SigningKey::from_bytes(seed);
        let verifier = Verifier::new(name, kind, secret.verifying_key().as_bytes())?;
        Ok(Self { verifier, secret })
    }

    /// Reads `PRIVATE+KEY+NAME+HASH+BASE64`.
    ///
    /// # Errors
    ///
    /// [`KeyError`] if it is not that.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let text = text.strip_prefix("PRIVATE+KEY+").ok_or(KeyError::Form)?;
        let (name, hash, kind, seed) = split_key(text)?;
        let signer = Self::from_seed(name, kind, &seed)?;
        if signer.verifier.hash == hash { Ok(signer) } else { Err(KeyError::Hash) }
    }

    /// The secret as text, to be kept in a file that only its owner reads.
    pub fn to_secret_text(&self) -> String {
        let Verifier { name, hash, kind, key: _ } = &self.verifier;
        format!("PRIVATE+KEY+{}", key_text(name, *hash, *kind, self.secret.as_bytes()))
    }

    /// The public half.
    pub fn verifier(&self) -> &Verifier {
        &self.verifier
    }

    /// Signs `text`. A witness's key also signs `time`, in seconds since 1970; a log's key leaves it out.
    pub fn sign(&self, text: &str, time: u64) -> SignatureLine {
        let signature = match self.verifier.kind {
            KeyKind::Log => self.secret.sign(text.as_bytes()).to_bytes().to_vec(),
            KeyKind::Witness => {
                let time = time.min(TIME_MAX);
                let mut bytes = time.to_be_bytes().to_vec();
                bytes.extend_from_slice(&self.secret.sign(cosigned(text, time).as_bytes()).to_bytes());
                bytes
            }
        };
        SignatureLine { name: self.verifier.name.clone(), hash: self.verifier.hash, signature }
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the secret of {}", self.verifier)
    }
}

/// What a witness signs: the time stands before the text.
fn cosigned(text: &str, time: u64) -> String {
    format!("cosignature/v1\ntime {time}\n{text}")
}

/// One line under a note: who signed, and the signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignatureLine {
    name: KeyName,
    hash: u32,
    signature: Vec<u8>,
}

impl SignatureLine {
    /// The name of the key.
    pub fn name(&self) -> &KeyName {
        &self.name
    }

    /// Reads one line, without its newline.
    ///
    /// # Errors
    ///
    /// [`NoteError::Signature`] if it is none.
    pub fn parse(line: &str) -> Result<Self, NoteError> {
        let rest = line.strip_prefix(DASH).ok_or(NoteError::Signature)?;
        let (name, bytes) = rest.split_once(' ').ok_or(NoteError::Signature)?;
        let name = name.parse().map_err(|_| NoteError::Signature)?;
        let bytes = STANDARD.decode(bytes).map_err(|_| NoteError::Signature)?;
        let (hash, signature) = bytes.split_first_chunk::<4>().ok_or(NoteError::Signature)?;
        if signature.is_empty() {
            return Err(NoteError::Signature);
        }
        Ok(Self { name, hash: u32::from_be_bytes(*hash), signature: signature.to_vec() })
    }
}

impl fmt::Display for SignatureLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = self.hash.to_be_bytes().to_vec();
        bytes.extend_from_slice(&self.signature);
        write!(f, "{DASH}{} {}", self.name, STANDARD.encode(bytes))
    }
}

/// Why bytes are no signed note.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoteError {
    /// Longer than [`NOTE_BYTES_MAX`].
    TooLong,
    /// Not UTF-8, or a control character other than newline.
    Text,
    /// No text, an empty line and signature lines, each ended by a newline.
    Form,
    /// A line that should be a signature is none.
    Signature,
    /// More lines than [`SIGNATURES_MAX`].
    TooMany,
}

impl fmt::Display for NoteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong => write!(f, "longer than {NOTE_BYTES_MAX} bytes"),
            Self::Text => f.write_str("not plain UTF-8 text"),
            Self::Form => f.write_str("not a text, an empty line, and signatures"),
            Self::Signature => f.write_str("a line that should be a signature is none"),
            Self::TooMany => write!(f, "more than {SIGNATURES_MAX} signatures"),
        }
    }
}

impl std::error::Error for NoteError {}

/// How a note stands to one key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signed {
    /// No line names the key.
    No,
    /// A line names the key, and is not its signature over this text.
    Wrongly,
    /// Every line that names the key is its signature.
    Yes {
        /// The latest time that they carry, in seconds since 1970; a log's key carries none.
        at: Option<u64>,
    },
}

/// Text and its signatures.
///
/// ```
/// use placet_ledger::note::{KeyKind, Note, Signed, Signer};
/// let signer = Signer::from_seed("example.org/log".parse()?, KeyKind::Log, &[7; 32])?;
/// let other = Signer::from_seed("example.org/log".parse()?, KeyKind::Log, &[8; 32])?;
/// let note = Note::sign("as agreed\n", &signer)?;
/// assert_eq!(note.signed_by(signer.verifier()), Signed::Yes { at: None });
/// assert_eq!(note.signed_by(other.verifier()), Signed::No);
/// // A word changed under the same signature.
/// let forged = note.to_string().replace("agreed", "denied");
/// assert_eq!(Note::parse(forged.as_bytes())?.signed_by(signer.verifier()), Signed::Wrongly);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    text: String,
    signatures: Vec<SignatureLine>,
}

impl Note {
    /// Signs a text, which must end with a newline.
    ///
    /// # Errors
    ///
    /// [`NoteError`] if it is no text for a note.
    pub fn sign(text: &str, signer: &Signer) -> Result<Self, NoteError> {
        let note = Self { text: text.to_owned(), signatures: vec![signer.sign(text, 0)] };
        Self::parse(note.to_string().as_bytes())
    }

    /// Reads a note. That says nothing about who signed it.
    ///
    /// # Errors
    ///
    /// [`NoteError`] if it is none.
    pub fn parse(bytes: &[u8]) -> Result<Self, NoteError> {
        if bytes.len() > NOTE_BYTES_MAX {
            return Err(NoteError::TooLong);
        }
        let whole = std::str::from_utf8(bytes).map_err(|_| NoteError::Text)?;
        if whole.bytes().any(|byte| byte < 0x20 && byte != b'\n') {
            return Err(NoteError::Text);
        }
        // The last empty line divides; the newline before it belongs to the text.
        let (text, lines) = whole.rsplit_once("\n\n").ok_or(NoteError::Form)?;
        let lines = lines.strip_suffix('\n').ok_or(NoteError::Form)?;
        if lines.split('\n').count() > SIGNATURES_MAX {
            return Err(NoteError::TooMany);
        }
        let signatures = lines.split('\n').map(SignatureLine::parse).collect::<Result<_, _>>()?;
        Ok(Self { text: format!("{text}\n"), signatures })
    }

    /// The text, with its last newline.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Its signatures, checked or not.
    pub fn signatures(&self) -> &[SignatureLine] {
        &self.signatures
    }

    /// Adds a signature, unless that very line is there.
    pub fn add(&mut self, line: SignatureLine) {
        if !self.signatures.contains(&line) {
            self.signatures.push(line);
        }
    }

    /// Whether this key signed the text.
    pub fn signed_by(&self, key: &Verifier) -> Signed {
        let mut signed = Signed::No;
        for line in self.signatures.iter().filter(|line| key.is_named_by(line)) {
            let Some(at) = key.check(&self.text, line) else { return Signed::Wrongly };
            signed = match signed {
                Signed::Yes { at: earlier } => Signed::Yes { at: at.max(earlier) },
                Signed::No | Signed::Wrongly => Signed::Yes { at },
            };
        }
        signed
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text)?;
        self.signatures.iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}
