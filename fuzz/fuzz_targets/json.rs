//! No text panics, and an accepted one survives the round trip.
//!
//! The promises are those of `crates/engine/tests/json.rs`, without the other readers that it asks.

#![no_main]

use std::borrow::Cow;

use libfuzzer_sys::fuzz_target;
use placet_engine::json::{Limits, parse, raw};

fuzz_target!(|bytes: &[u8]| {
    let parsed = parse(bytes, &Limits::EDGE);
    let Ok(text) = std::str::from_utf8(bytes) else {
        assert!(parsed.is_err());
        return;
    };

    let members = raw::members(text, &Limits::EDGE);
    let items = raw::items(text, &Limits::EDGE);
    let whole = raw::without_keys(text, &Limits::EDGE, &|_| false);
    assert!(members.is_err() || items.is_err());
    assert!(whole.is_ok() || (members.is_err() && items.is_err() && parsed.is_err()));

    let is_dropped = |key: &str| key.len() % 3 == 1;
    if let Ok(pruned) = raw::without_keys(text, &Limits::EDGE, &is_dropped) {
        let again = raw::without_keys(&pruned, &Limits::EDGE, &is_dropped);
        assert!(matches!(again, Ok(Cow::Borrowed(_))));
        assert!(parsed.is_err() || parse(pruned.as_bytes(), &Limits::EDGE).is_ok());
    }

    let Ok(value) = parsed else {
        return;
    };
    assert_eq!(members.is_ok(), value.as_object().is_some());
    assert_eq!(items.is_ok(), value.as_array().is_some());
    let canonical = value.canonical();
    // `1e18` is written with more digits than it had, so the limit on bytes is lifted for reading back.
    let limits = Limits { bytes: usize::MAX, ..Limits::EDGE };
    for written in [&canonical, &value.compact(), &value.spaced()] {
        let read = parse(written.as_bytes(), &limits);
        assert_eq!(read.as_ref(), Ok(&value));
        assert_eq!(read.map(|value| value.canonical()).as_ref(), Ok(&canonical));
    }
});
