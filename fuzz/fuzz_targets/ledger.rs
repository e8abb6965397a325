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
    let same = |written: Option<String>| assert!(written.is_none_or(|written| written.as_bytes() == bytes));
    let text = std::str::from_utf8(bytes).unwrap_or_default();
    same(Note::parse(bytes).ok().map(|note| note.to_string()));
    same(SignedCheckpoint::parse(bytes).ok().map(|signed| signed.to_string()));
    same(RecordProof::parse(bytes).ok().map(|proof| proof.to_string()));
    same(Request::parse(bytes).ok().map(|request| request.to_string()));
    same(text.parse::<Tile>().ok().map(|tile| tile.to_string()));
    same(text.parse::<Verifier>().ok().map(|key| key.to_string()));
    same(Signer::parse(text).ok().map(|key| key.to_secret_text()));
    assert!(!Rotation::parse(bytes).is_ok_and(|rotation| rotation.to_record() != bytes));
    let mut again = Vec::new();
    if Bundle::new(bytes)
        .try_for_each(|entry| push_entry(&mut again, entry.map_err(drop)?).map_err(drop))
        .is_ok()
    {
        assert_eq!(again, bytes);
    }
});
