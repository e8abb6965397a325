//! No bytes panic a reader of the ledger, and what one takes would be written just so.
//!
//! The promises are those of `crates/ledger/tests/parsers.rs`.

#![no_main]

use libfuzzer_sys::fuzz_target;
use placet_ledger::{
    checkpoint::SignedCheckpoint,
    note::{Note, Signer, Verifier},
    proof::RecordProof,
    rotation::Rotation,
    tile::{Bundle, Tile, push_entry},
    witness::Request,
};

fuzz_target!(|bytes: &[u8]| {
    let same = |written: String| assert_eq!(written.as_bytes(), bytes);
    let text = std::str::from_utf8(bytes).unwrap_or_default();
    drop(Note::parse(bytes).map(|note| same(note.to_string())));
    drop(SignedCheckpoint::parse(bytes).map(|signed| same(signed.to_string())));
    drop(RecordProof::parse(bytes).map(|proof| same(proof.to_string())));
    drop(Request::parse(bytes).map(|request| same(request.to_string())));
    drop(Rotation::parse(bytes).map(|rotation| assert_eq!(rotation.to_record(), bytes)));
    drop(text.parse::<Tile>().map(|tile| same(tile.to_string())));
    drop(text.parse::<Verifier>().map(|key| same(key.to_string())));
    drop(Signer::parse(text).map(|key| same(key.to_secret_text())));
    let mut again = Vec::new();
    if Bundle::new(bytes).try_for_each(|entry| push_entry(&mut again, entry.map_err(drop)?).map_err(drop)).is_ok() {
        assert_eq!(again, bytes);
    }
});
