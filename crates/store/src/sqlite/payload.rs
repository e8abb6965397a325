//! Payloads: what is kept of calls beside their records, encrypted where the operator names a key.
//!
//! Arguments with their salt, and results that are kept for keys, are *sealed*: XChaCha20-Poly1305 under a drawn
//! nonce, bound to the column that they stand in and to their call, so that no value can be moved to another row.
//! In front stand the form and which key it was, so that plain and sealed rows live side by side, and a value under
//! another key is told from one that was changed. What cannot be opened is an error with its reason, never a text.
//!
//! Not here: records, digests and keys of calls, which are never encrypted, and how long a value is: that shows.
//! Where the secret comes from is the caller's matter. Start at [`PayloadKeys`].

use std::{fmt, str::FromStr};

use base64::{
    Engine as _,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use chacha20poly1305::{
    KeyInit as _, XChaCha20Poly1305, XNonce,
    aead::{Aead as _, Payload},
};
use placet_engine::{
    call::CallId,
    once::Kept,
    state::{Changes, Fate},
};
use sha2::{Digest as _, Sha256};

/// The form that this version writes: this byte, the key's identifier, the nonce, then what is sealed, with its tag.
const FORM: u8 = 1;

/// Bytes of a nonce, long enough to be drawn each time.
const NONCE: usize = 24;

/// What a key's identifier is a hash of, before the key.
const KEY_ID_DOMAIN: &[u8] = b"placet-payload-key-v1\0";

/// What is bound to each sealed value, before its column and its call.
const SEAL_DOMAIN: &[u8] = b"placet-payload-v1\0";

/// Base64 as people have it: with `=` at its end, or without.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Which key it is: the first bytes of a hash of it, as 16 hexadecimal digits. Tells keys apart, and nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyId(pub [u8; 8]);

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// A key that payloads are encrypted under. Wiped from memory when it is dropped, and never shown.
///
/// As text it is 32 bytes as 64 hexadecimal digits, or as Base64.
///
/// ```
/// # use placet_store::sqlite::{NotAPayloadKey, PayloadKey};
/// let key: PayloadKey = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef".parse()?;
/// let same: PayloadKey = "ASNFZ4mrze8BI0VniavN7wEjRWeJq83vASNFZ4mrze8=".parse()?;
/// assert_eq!(key.id(), same.id());
/// assert_eq!("a passphrase".parse::<PayloadKey>().unwrap_err(), NotAPayloadKey);
/// # Ok::<(), NotAPayloadKey>(())
/// ```
#[derive(Clone)]
pub struct PayloadKey {
    id: KeyId,
    cipher: XChaCha20Poly1305,
}

impl PayloadKey {
    /// A key from 32 secret bytes.
    pub fn new(secret: &[u8; 32]) -> Self {
        let mut hash = Sha256::new();
        hash.update(KEY_ID_DOMAIN);
        hash.update(secret);
        let mut id = [0; 8];
        id.iter_mut().zip(hash.finalize()).for_each(|(to, from)| *to = from);
        Self { id: KeyId(id), cipher: XChaCha20Poly1305::new(secret.into()) }
    }

    /// Which key it is.
    pub fn id(&self) -> KeyId {
        self.id
    }
}

impl fmt::Debug for PayloadKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PayloadKey({}…)", self.id)
    }
}

/// A text that is no [`PayloadKey`]. It does not repeat the text, which may be most of a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAPayloadKey;

impl fmt::Display for NotAPayloadKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key of payloads is 32 bytes, as 64 hexadecimal digits or as Base64")
    }
}

impl std::error::Error for NotAPayloadKey {}

impl FromStr for PayloadKey {
    type Err = NotAPayloadKey;

    fn from_str(text: &str) -> Result<Self, NotAPayloadKey> {
        // 64 characters of Base64 are more than 32 bytes, so no text is both.
        let mut secret = [0; 32];
        if text.len() == 2 * secret.len() {
            let digit = |digit: u8| char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok());
            for (byte, [high, low]) in secret.iter_mut().zip(text.as_bytes().as_chunks::<2>().0) {
                let (high, low) = digit(*high).zip(digit(*low)).ok_or(NotAPayloadKey)?;
                *byte = high << 4 | low;
            }
        } else if BASE64.decode_slice(text, &mut secret).map_err(|_| NotAPayloadKey)? != secret.len() {
            return Err(NotAPayloadKey);
        }
        Ok(Self::new(&secret))
    }
}

/// The keys that a store has: one to write under, and older ones to read by. None is the usual: then what is written
/// stands in plain text.
///
/// ```
/// # use placet_store::sqlite::{PayloadKey, PayloadKeys};
/// let (new, old) = (PayloadKey::new(&[2; 32]), PayloadKey::new(&[1; 32]));
/// let keys = PayloadKeys::new(new.clone(), [old]);
/// assert_eq!(keys.id(), Some(new.id()));
/// assert_eq!(PayloadKeys::default().id(), None);
/// ```
#[derive(Clone, Debug, Default)]
pub struct PayloadKeys {
    current: Option<PayloadKey>,
    old: Vec<PayloadKey>,
}

impl PayloadKeys {
    /// A key to write under, and those that were before it.
    pub fn new(current: PayloadKey, old: impl IntoIterator<Item = PayloadKey>) -> Self {
        Self { current: Some(current), old: old.into_iter().collect() }
    }

    /// Under which key payloads are written; none if they are in plain text.
    pub fn id(&self) -> Option<KeyId> {
        self.current.as_ref().map(PayloadKey::id)
    }

    /// How many keys are there to read by, besides the one to write under.
    pub fn old_ones(&self) -> usize {
        self.old.len()
    }

    /// What of changes is to be written sealed; nothing without a key.
    ///
    /// # Errors
    ///
    /// In words, why it cannot be sealed; then nothing of it may be written.
    pub(super) fn seal(&self, changes: &Changes) -> Result<Sealed, String> {
        let Some(key) = &self.current else { return Ok(Sealed::default()) };
        let intent = changes.intent.as_ref().map(|intent| {
            let salt = intent.salt.as_ref().map_or(&[][..], |salt| salt);
            let plain = [&[u8::from(intent.salt.is_some())][..], salt, intent.arguments.as_bytes()].concat();
            key.seal(Column::Intent, intent.call, &plain)
        });
        let result = changes.settled.as_ref().and_then(|settled| match &settled.key {
            Some((_, Fate::Done(Kept::Text(text)))) => {
                Some(key.seal(Column::Result, settled.call, text.as_bytes()))
            }
            Some((_, Fate::Done(Kept::TooLarge) | Fate::Freed | Fate::Unknown)) | None => None,
        });
        let question = changes.question.as_ref().map(|question| {
            let length = (question.arguments.len() as u64).to_be_bytes();
            let plain = [&length[..], question.arguments.as_bytes(), question.meta.as_bytes()].concat();
            key.seal(Column::Question, question.id, &plain)
        });
        let [intent, result, question] = [intent, result, question].map(Option::transpose);
        Ok(Sealed { intent: intent?, result: result?, question: question? })
    }

    /// The arguments and the salt of a call.
    pub(super) fn open_intent(
        &self,
        call: CallId,
        sealed: &[u8],
    ) -> Result<(String, Option<[u8; 16]>), PayloadError> {
        let (key, plain) = self.open(Column::Intent, call, sealed)?;
        // Whoever has the key has written it, so another shape is a damage of another kind, and as bad.
        let (salted, rest) = plain.split_first().ok_or(PayloadError::Damaged(key))?;
        let (salt, arguments) = match salted {
            0 => (None, rest),
            1 => rest
                .split_first_chunk()
                .map(|(salt, arguments)| (Some(*salt), arguments))
                .ok_or(PayloadError::Damaged(key))?,
            2.. => return Err(PayloadError::Damaged(key)),
        };
        let arguments = String::from_utf8(arguments.to_vec()).map_err(|_| PayloadError::Damaged(key))?;
        Ok((arguments, salt))
    }

    /// The result that is kept for the key of a call.
    pub(super) fn open_result(&self, call: CallId, sealed: &[u8]) -> Result<String, PayloadError> {
        let (key, plain) = self.open(Column::Result, call, sealed)?;
        String::from_utf8(plain).map_err(|_| PayloadError::Damaged(key))
    }

    /// The arguments and the `_meta` that people are shown in a question.
    pub(super) fn open_question(&self, id: CallId, sealed: &[u8]) -> Result<(String, String), PayloadError> {
        let (key, plain) = self.open(Column::Question, id, sealed)?;
        let damaged = || PayloadError::Damaged(key);
        let (length, rest) = plain.split_first_chunk().ok_or_else(damaged)?;
        let length = usize::try_from(u64::from_be_bytes(*length)).map_err(|_| damaged())?;
        let (arguments, meta) = rest.split_at_checked(length).ok_or_else(damaged)?;
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).map_err(|_| damaged());
        Ok((text(arguments)?, text(meta)?))
    }

    fn open(&self, column: Column, call: CallId, sealed: &[u8]) -> Result<(KeyId, Vec<u8>), PayloadError> {
        let rest = match sealed.split_first() {
            Some((&FORM, rest)) => rest,
            Some(_) | None => return Err(PayloadError::Form),
        };
        let (under, rest) = rest.split_first_chunk().ok_or(PayloadError::Form)?;
        let under = KeyId(*under);
        let (nonce, msg) = rest.split_first_chunk::<NONCE>().ok_or(PayloadError::Damaged(under))?;
        let mut all = self.current.iter().chain(&self.old);
        let Some(key) = all.find(|key| key.id == under) else {
            return Err(PayloadError::OtherKey { under, named: self.id() });
        };
        let aad = &bound(column, call);
        let plain = key.cipher.decrypt(&XNonce::from(*nonce), Payload { msg, aad });
        plain.map(|plain| (under, plain)).map_err(|_| PayloadError::Damaged(under))
    }
}

impl PayloadKey {
    fn seal(&self, column: Column, call: CallId, plain: &[u8]) -> Result<Vec<u8>, String> {
        let mut nonce = [0; NONCE];
        getrandom::fill(&mut nonce).map_err(|cause| format!("no nonce can be drawn: {cause}"))?;
        let aad = &bound(column, call);
        let sealed = self.cipher.encrypt(&XNonce::from(nonce), Payload { msg: plain, aad });
        let sealed = sealed.map_err(|_| "a payload is too large to be encrypted".to_owned())?;
        Ok([&[FORM][..], &self.id.0, &nonce, &sealed].concat())
    }
}

/// Where a sealed value stands.
#[derive(Clone, Copy)]
enum Column {
    Intent,
    Result,
    Question,
}

/// What a sealed value is bound to: it opens nowhere else.
fn bound(column: Column, call: CallId) -> Vec<u8> {
    let column = match column {
        Column::Intent => "intents.sealed",
        Column::Result => "keys.sealed",
        Column::Question => "questions.sealed",
    };
    [SEAL_DOMAIN, column.as_bytes(), b"\0", call.as_bytes()].concat()
}

/// What of some changes is written sealed. What is none is written as it is.
#[derive(Debug, Default)]
pub(super) struct Sealed {
    /// Salt and arguments of the intent.
    pub(super) intent: Option<Vec<u8>>,
    /// The result that is kept.
    pub(super) result: Option<Vec<u8>>,
    /// What people are shown in the question.
    pub(super) question: Option<Vec<u8>>,
}

/// Why a sealed value cannot be read. The words follow "it is", or "its arguments are".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PayloadError {
    /// It is sealed under a key that is not there.
    OtherKey {
        /// That key.
        under: KeyId,
        /// The key that is there to write under, if any is.
        named: Option<KeyId>,
    },
    /// It was changed, cut, or moved from another row. The key is there.
    Damaged(KeyId),
    /// It is in no form that this version knows.
    Form,
}

impl fmt::Display for PayloadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PayloadError::OtherKey { under, named: Some(named) } => {
                write!(f, "sealed under key {under}, which is not the one named in `[payloads]`, {named}")
            }
            PayloadError::OtherKey { under, named: None } => {
                write!(f, "sealed under key {under}, and no `[payloads]` names a key")
            }
            PayloadError::Damaged(under) => {
                write!(f, "sealed under key {under}, but damaged, or moved here from another call")
            }
            PayloadError::Form => f.write_str("sealed in a form that this version does not know"),
        }
    }
}

impl std::error::Error for PayloadError {}

#[cfg(test)]
mod tests {
    use super::*;

    const ARGUMENTS: &str = r#"{"pin":"sesame"}"#;

    fn call(n: u8) -> CallId {
        CallId::from_random([n; 12])
    }

    fn keys(secret: u8) -> PayloadKeys {
        PayloadKeys::new(PayloadKey::new(&[secret; 32]), [])
    }

    fn sealed(keys: &PayloadKeys, column: Column, call: CallId, plain: &[u8]) -> Vec<u8> {
        keys.current.as_ref().unwrap().seal(column, call, plain).unwrap()
    }

    #[test]
    fn what_is_sealed_opens_where_it_was_sealed_and_nowhere_else() {
        let keys = keys(1);
        let plain = [&[1][..], &[7; 16], ARGUMENTS.as_bytes()].concat();
        let intent = sealed(&keys, Column::Intent, call(1), &plain);
        assert_eq!(keys.open_intent(call(1), &intent), Ok((ARGUMENTS.to_owned(), Some([7; 16]))));
        let bare = sealed(&keys, Column::Intent, call(1), b"\0{}");
        assert_eq!(keys.open_intent(call(1), &bare), Ok(("{}".to_owned(), None)));
        let result = sealed(&keys, Column::Result, call(1), b"{}");
        assert_eq!(keys.open_result(call(1), &result).as_deref(), Ok("{}"));

        let damaged = PayloadError::Damaged(keys.id().unwrap());
        assert_eq!(keys.open_intent(call(2), &intent), Err(damaged), "another call");
        assert_eq!(keys.open_result(call(1), &intent), Err(damaged), "another column");
        assert_ne!(intent, sealed(&keys, Column::Intent, call(1), &plain), "one nonce each");
        assert!(!intent.windows(6).any(|window| window == b"sesame"));
    }

    #[test]
    fn what_was_cut_or_changed_in_any_byte_is_an_error() {
        let keys = keys(1);
        let whole = sealed(&keys, Column::Result, call(1), ARGUMENTS.as_bytes());
        for length in 0..whole.len() {
            assert!(keys.open_result(call(1), &whole[..length]).is_err(), "{length} bytes of it");
        }
        for at in 0..whole.len() {
            let mut changed = whole.clone();
            changed[at] ^= 1;
            let wanted = match at {
                0 => PayloadError::Form,
                1..9 => {
                    let mut under = keys.id().unwrap();
                    under.0[at - 1] ^= 1;
                    PayloadError::OtherKey { under, named: keys.id() }
                }
                _ => PayloadError::Damaged(keys.id().unwrap()),
            };
            assert_eq!(keys.open_result(call(1), &changed), Err(wanted), "byte {at}");
        }
    }

    #[test]
    fn a_value_under_another_key_says_which_one_it_was() {
        let (old, new) = (keys(1), keys(2));
        let value = sealed(&old, Column::Result, call(1), b"{}");
        let said = new.open_result(call(1), &value).unwrap_err().to_string();
        let (old_id, new_id) = (old.id().unwrap(), new.id().unwrap());
        assert_eq!(
            said,
            format!("sealed under key {old_id}, which is not the one named in `[payloads]`, {new_id}")
        );
        let said = PayloadKeys::default().open_result(call(1), &value).unwrap_err().to_string();
        assert_eq!(said, format!("sealed under key {old_id}, and no `[payloads]` names a key"));
        let both = PayloadKeys::new(PayloadKey::new(&[2; 32]), [PayloadKey::new(&[1; 32])]);
        assert_eq!(both.open_result(call(1), &value).as_deref(), Ok("{}"));
        assert_eq!(sealed(&both, Column::Result, call(1), b"{}")[1..9], new_id.0);
    }

    #[test]
    fn a_value_of_the_first_form_opens_for_ever() {
        let hex = concat!(
            "01a4ae00b3c9c7f66b205111a5a1ce9e12bdecaf9aa0f7927d2583f6348cc6c409333d1f5b308af5a8",
            "b9c02340745c426412dac4c9e11efbdcfba26253a99792b9a0c20059761c25fb8cbb9d5185562a0993",
        );
        let value: Vec<u8> =
            (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect();
        assert_eq!(keys(3).open_intent(call(5), &value), Ok((ARGUMENTS.to_owned(), Some([7; 16]))));
    }

    #[test]
    fn a_key_is_32_bytes_in_either_writing_and_is_never_shown() {
        let hex = "0123456789abcdef".repeat(4);
        let base64 = "ASNFZ4mrze8BI0VniavN7wEjRWeJq83vASNFZ4mrze8=";
        for (text, good) in [
            (hex.as_str(), true),
            (&hex.to_uppercase(), true),
            (base64, true),
            (&base64[..43], true),
            ("", false),
            (&hex[..62], false),
            (&format!("{hex}00"), false),
            (&hex.replace('0', "g"), false),
            (&hex.replacen("01", "é", 1), false),
            (&base64[..42], false),
            (&format!("{base64}\n"), false),
            (&base64.replace('8', "_"), false),
            ("AAAA", false),
        ] {
            assert_eq!(text.parse::<PayloadKey>().is_ok(), good, "{text:?}");
        }
        let key: PayloadKey = hex.parse().unwrap();
        let shown = format!("{key:?} {:?} {}", PayloadKeys::new(key.clone(), [key.clone()]), NotAPayloadKey);
        assert!(!shown.contains("0123") && shown.contains(&key.id().to_string()), "{shown}");
    }
}
