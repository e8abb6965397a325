//! Commitments: a record names a value without holding it.
//!
//! A commitment is a hash over a random salt, where the value stood, and the value. While somebody keeps salt
//! and value, she can show them, and anybody can see that they are what was recorded; once they are erased, the
//! record says nothing about the value, and still verifies. Without the salt a short value could be guessed.
//!
//! Not here: drawing salts, and where salts and values are kept.

use sha2::{Digest as _, Sha256};

use crate::tree::Hash;

/// Random bytes, drawn for each value anew.
pub type Salt = [u8; 16];

/// What stands before everything that is committed to, so that no other hash of ours can be taken for one.
const DOMAIN: &[u8] = b"placet-commit-v1";

/// The commitment to `value`, the canonical JSON text of what stood at the JSON pointer `pointer`.
///
/// None if the pointer contains a NUL, since that is what ends it.
///
/// ```
/// use placet_ledger::commit::{commit, opens};
/// let salt = [9; 16];
/// let commitment = commit(&salt, "/user/pin", b"\"1234\"").ok_or("no pointer")?;
/// assert!(opens(&commitment, &salt, "/user/pin", b"\"1234\""));
/// // Another value, another place, another salt: not what was recorded.
/// assert!(!opens(&commitment, &salt, "/user/pin", b"\"1235\""));
/// assert!(!opens(&commitment, &salt, "/user/id", b"\"1234\""));
/// assert!(!opens(&commitment, &[8; 16], "/user/pin", b"\"1234\""));
/// # Ok::<(), &str>(())
/// ```
pub fn commit(salt: &Salt, pointer: &str, value: &[u8]) -> Option<Hash> {
    if pointer.contains('\0') {
        return None;
    }
    let digest = Sha256::new()
        .chain_update(DOMAIN)
        .chain_update(salt)
        .chain_update(pointer)
        .chain_update([0])
        .chain_update(value)
        .finalize();
    Some(Hash(digest.into()))
}

/// Whether salt, place and value are what `commitment` was made of.
pub fn opens(commitment: &Hash, salt: &Salt, pointer: &str, value: &[u8]) -> bool {
    commit(salt, pointer, value).is_some_and(|made| made == *commitment)
}
