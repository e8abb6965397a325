//! The JSON boundary from outside: a corpus of files, mutations of it, and other readers.
//!
//! The corpus says what is accepted and what is refused, and why. Mutations start from its files and
//! check what must hold for every text. Other crates serve as oracles: what is accepted here must mean
//! the same to them, raw text must be well formed to them exactly when it is here, and canonical text
//! must be theirs. Where they differ on purpose, a table below says so.
//!
//! A failing mutation prints its seed: run it again with `PLACET_MUTATION_SEED=<seed> PLACET_MUTATIONS=1`.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test panics when it fails"
)]

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::path::Path;

use placet_engine::json::{Json, Limits, Number, NumberError, Object, ParseErrorKind, parse, raw};

/// About three seconds of a debug build with `opt-level = 1`.
const MUTATIONS: u64 = 1_000_000;

/// Every file that is refused, and for what.
#[rustfmt::skip]
const REFUSED: [(&str, ParseErrorKind); 95] = {
    use NumberError::{Inexact, Malformed, OutOfRange};
    use ParseErrorKind::{
        BadEscape, BadNumber, ByteOrderMark, ControlCharacter, DuplicateKey, KeyTooLong, LoneSurrogate, NotUtf8,
        ReservedKey, TooDeep, TrailingBytes, Truncated, Unexpected,
    };
    [
        ("array-after-comma", Truncated),
        ("array-open", Truncated),
        ("blank-form-feed", Unexpected),
        ("blank-that-is-not-json", Unexpected),
        ("bracket-mismatched", Unexpected),
        ("byte-order-mark-after-a-blank", Unexpected),
        ("byte-order-mark-after-blanks-and-value", TrailingBytes),
        ("byte-order-mark-first", ByteOrderMark),
        ("byte-that-is-never-utf8", NotUtf8),
        ("character-cut-off", NotUtf8),
        ("code-point-past-the-last", NotUtf8),
        ("colon-for-comma", Unexpected),
        ("colon-missing", Unexpected),
        ("comma-leading", Unexpected),
        ("comma-missing-in-array", Unexpected),
        ("comma-missing-in-object", Unexpected),
        ("comma-trailing-in-array", Unexpected),
        ("comma-trailing-in-object", Unexpected),
        ("comma-twice", Unexpected),
        ("comment", Unexpected),
        ("control-newline-in-a-string", ControlCharacter),
        ("control-nul-in-a-string", ControlCharacter),
        ("control-tab-in-a-key", ControlCharacter),
        ("duplicate-key", DuplicateKey),
        ("duplicate-key-among-many", DuplicateKey),
        ("duplicate-key-by-escape", DuplicateKey),
        ("duplicate-key-by-surrogate-escape", DuplicateKey),
        ("duplicate-key-deep-inside", DuplicateKey),
        ("duplicate-key-empty", DuplicateKey),
        ("duplicate-key-with-equal-values", DuplicateKey),
        ("empty-file", Truncated),
        ("escape-cut-off", Truncated),
        ("escape-in-capitals", BadEscape),
        ("escape-of-a-hex-byte", BadEscape),
        ("escape-of-a-newline", BadEscape),
        ("escape-of-an-apostrophe", BadEscape),
        ("escape-with-a-sign", BadEscape),
        ("escape-with-fullwidth-digits", BadEscape),
        ("escape-with-three-digits", BadEscape),
        ("key-in-apostrophes", Unexpected),
        ("key-of-1025-bytes", KeyTooLong),
        ("key-of-1026-bytes-in-two-byte-characters", KeyTooLong),
        ("key-that-is-a-number", Unexpected),
        ("key-unquoted", Unexpected),
        ("literal-cut-off", Truncated),
        ("literal-in-capitals", Unexpected),
        ("literal-misspelled", Unexpected),
        ("nested-65-deep", TooDeep),
        ("number-below-the-smallest-double", BadNumber(Inexact)),
        ("number-exponent-without-digits", BadNumber(Malformed)),
        ("number-in-hex", TrailingBytes),
        ("number-integral-only-if-rounded", BadNumber(Inexact)),
        ("number-just-below-64-bits", BadNumber(OutOfRange)),
        ("number-just-past-64-bits", BadNumber(OutOfRange)),
        ("number-minus-alone", BadNumber(Malformed)),
        ("number-minus-infinity", BadNumber(Malformed)),
        ("number-negative-with-leading-zero", BadNumber(Malformed)),
        ("number-not-a-number", Unexpected),
        ("number-of-two-nearest-texts-the-odd-one", BadNumber(Inexact)),
        ("number-one-digit-too-fine", BadNumber(Inexact)),
        ("number-past-the-largest-double", BadNumber(OutOfRange)),
        ("number-point-without-fraction", BadNumber(Malformed)),
        ("number-unsigned-64-bits", BadNumber(OutOfRange)),
        ("number-with-a-huge-exponent", BadNumber(OutOfRange)),
        ("number-with-leading-zero", BadNumber(Malformed)),
        ("number-with-plus", Unexpected),
        ("number-with-separators", TrailingBytes),
        ("number-with-the-exact-digits-of-a-double", BadNumber(Inexact)),
        ("number-without-whole-part", Unexpected),
        ("object-after-colon", Truncated),
        ("objects-nested-without-end", TooDeep),
        ("only-blanks", Truncated),
        ("overlong-slash", NotUtf8),
        ("reserved-key-by-escape", ReservedKey),
        ("reserved-key-entity", ReservedKey),
        ("reserved-key-expression", ReservedKey),
        ("reserved-key-extension", ReservedKey),
        ("reserved-key-serde-number", ReservedKey),
        ("reserved-key-serde-raw-value-deep-inside", ReservedKey),
        ("reserved-key-serde-unknown", ReservedKey),
        ("string-ends-in-backslash", Truncated),
        ("string-open", Truncated),
        ("surrogate-before-a-letter-escape", LoneSurrogate),
        ("surrogate-encoded-as-utf8", NotUtf8),
        ("surrogate-first-half-alone", LoneSurrogate),
        ("surrogate-first-half-twice", LoneSurrogate),
        ("surrogate-halves-swapped", LoneSurrogate),
        ("surrogate-in-a-key", LoneSurrogate),
        ("surrogate-second-half-alone", LoneSurrogate),
        ("utf16-with-byte-order-mark", NotUtf8),
        ("value-and-bracket", TrailingBytes),
        ("value-and-comma", TrailingBytes),
        ("value-and-nul", TrailingBytes),
        ("value-twice", TrailingBytes),
        ("values-by-line", TrailingBytes),
    ]
};

struct File {
    name: String,
    bytes: Vec<u8>,
}

/// The files of one half of the corpus, sorted by name.
fn corpus(half: &str) -> Vec<File> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/json").join(half);
    let mut files: Vec<File> = folder
        .read_dir()
        .expect("the corpus is in the repository")
        .map(|entry| {
            let path = entry.expect("a folder that is read is listed").path();
            let name = path.file_stem().expect("files have names").to_string_lossy().into_owned();
            File { name, bytes: std::fs::read(&path).expect("a listed file is read") }
        })
        .collect();
    files.sort_by(|a, b| a.name.cmp(&b.name));
    files
}

fn kind_of(bytes: &[u8]) -> Option<ParseErrorKind> {
    parse(bytes, &Limits::EDGE).err().map(|e| e.kind())
}

#[test]
fn every_file_to_accept_is_accepted() {
    for file in corpus("accept") {
        assert_eq!(parse(&file.bytes, &Limits::EDGE).err().map(|e| e.to_string()), None, "{}", file.name);
        check(&file.bytes);
    }
}

#[test]
fn every_file_to_refuse_is_refused_for_its_own_reason() {
    let files = corpus("refuse");
    let named: Vec<_> = REFUSED.iter().map(|(name, _)| *name).collect();
    let found: Vec<_> = files.iter().map(|file| file.name.as_str()).collect();
    assert_eq!(found, named, "the table and the folder list the same files, sorted by name");
    for (file, (name, kind)) in files.iter().zip(REFUSED) {
        assert_eq!(kind_of(&file.bytes), Some(kind), "{name}");
        check(&file.bytes);
    }
}

#[test]
fn a_refusal_is_one_short_lower_case_line() {
    for file in corpus("refuse") {
        let message = parse(&file.bytes, &Limits::EDGE).map_err(|e| e.to_string()).expect_err(&file.name);
        assert!(!message.contains(char::is_control) && message.len() < 400, "{message:?}");
        assert!(message.starts_with(char::is_lowercase) && !message.ends_with('.'), "{message:?}");
    }
}

#[test]
fn what_is_too_long_is_refused_before_it_is_read() {
    let mut text = vec![b' '; Limits::EDGE.bytes];
    text[0] = b'1';
    assert_eq!(kind_of(&text), None);
    text.push(0xff);
    assert_eq!(kind_of(&text), Some(ParseErrorKind::TooLong));
}

/// What must hold for every text, accepted or not.
fn check(bytes: &[u8]) {
    let parsed = parse(bytes, &Limits::EDGE);
    let Ok(text) = std::str::from_utf8(bytes) else {
        assert_eq!(parsed.map_err(|e| e.kind()), Err(ParseErrorKind::NotUtf8));
        return;
    };
    check_raw(text);
    let Ok(value) = parsed else { return };

    let canonical = value.canonical();
    for written in [&canonical, &value.compact(), &value.spaced()] {
        assert_eq!(parse(written.as_bytes(), &Limits::EDGE).as_ref(), Ok(&value), "{written:?}");
    }
    assert_eq!(parse(canonical.as_bytes(), &Limits::EDGE).map(|v| v.canonical()).as_ref(), Ok(&canonical));

    check_raw_against(text, &value);
    check_other_readers(text, &value, &canonical);
}

/// Raw text is well formed exactly when another reader says so, and pruning keeps it that way.
fn check_raw(text: &str) {
    let keep_all = raw::without_keys(text, &Limits::EDGE, &|_| false);
    if keep_all.as_ref().is_err_and(|e| e.kind().is_too_large()) {
        return; // the other reader has other limits
    }
    let theirs = serde_json::from_str::<serde::de::IgnoredAny>(text);
    assert_eq!(keep_all.is_ok(), theirs.is_ok(), "ours {keep_all:?}, theirs {theirs:?}");

    let Ok(pruned) = raw::without_keys(text, &Limits::EDGE, &is_dropped) else { return };
    assert!(pruned.len() <= text.len());
    let again = raw::without_keys(&pruned, &Limits::EDGE, &is_dropped);
    assert!(matches!(again, Ok(Cow::Borrowed(_))), "{pruned:?} has nothing left to drop: {again:?}");
    if let Ok(members) = raw::members(text, &Limits::EDGE) {
        let keys: BTreeSet<_> = members.iter().map(|member| &*member.key).collect();
        assert_eq!(keys.len(), members.len(), "outermost keys are unique");
    }
}

/// Raw functions find in an accepted text what the strict parser found.
fn check_raw_against(text: &str, value: &Json) {
    assert!(
        matches!(raw::without_keys(text, &Limits::EDGE, &|_| false), Ok(Cow::Borrowed(same)) if same == text)
    );
    let pruned = raw::without_keys(text, &Limits::EDGE, &is_dropped).expect("what is strict is well formed");
    assert_eq!(parse(pruned.as_bytes(), &Limits::EDGE).as_ref(), Ok(&without_dropped(value)), "{pruned:?}");

    let members = raw::members(text, &Limits::EDGE).map(|members| {
        let read = |m: &raw::RawMember<'_>| {
            (m.key.to_string(), parse(m.value.as_bytes(), &Limits::EDGE).expect(m.value))
        };
        Json::from(members.iter().map(read).collect::<Object>())
    });
    assert_eq!(members.ok().as_ref(), value.as_object().map(|_| value));
    let items = raw::items(text, &Limits::EDGE).map(|items| {
        let read = |item: &&str| parse(item.as_bytes(), &Limits::EDGE).expect(item);
        Json::from(items.iter().map(read).collect::<Vec<_>>())
    });
    assert_eq!(items.ok().as_ref(), value.as_array().map(|_| value));
}

/// Keys to drop, spread so that runs, first and last members are all met.
fn is_dropped(key: &str) -> bool {
    key.len() % 3 == 1
}

fn without_dropped(value: &Json) -> Json {
    match value {
        Json::Array(items) => Json::Array(items.iter().map(without_dropped).collect()),
        Json::Object(object) => {
            let kept = object.iter().filter(|(key, _)| !is_dropped(key));
            Json::Object(kept.map(|(key, value)| (key.to_owned(), without_dropped(value))).collect())
        }
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => value.clone(),
    }
}

/// Other crates accept what is accepted here, read the same from it, and write the same canonical text.
fn check_other_readers(text: &str, value: &Json, canonical: &str) {
    let serde: serde_json::Value = serde_json::from_str(text).expect(text);
    assert!(is_same_to_serde(value, &serde), "{text:?}: {value} here, {serde} there");
    let jiter = jiter::JsonValue::parse(text.as_bytes(), false).expect(text);
    assert!(is_same_to_jiter(value, &jiter), "{text:?}: {value} here, {jiter:?} there");
    if has_only_safe_integers(value) {
        let theirs = serde_json_canonicalizer::to_string(&serde).expect(text);
        assert_eq!(canonical, theirs, "{text:?}");
    }
}

fn is_same_to_serde(ours: &Json, theirs: &serde_json::Value) -> bool {
    use serde_json::Value;
    match (ours, theirs) {
        (Json::Null, Value::Null) => true,
        (Json::Bool(a), Value::Bool(b)) => a == b,
        (Json::Number(a), Value::Number(b)) if b.is_f64() => Some(a.as_f64()) == b.as_f64(),
        (Json::Number(a), Value::Number(b)) => a.as_i64().is_some() && a.as_i64() == b.as_i64(),
        (Json::String(a), Value::String(b)) => a == b,
        (Json::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| is_same_to_serde(a, b))
        }
        (Json::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| is_same_to_serde(a, b)))
        }
        _ => false,
    }
}

fn is_same_to_jiter(ours: &Json, theirs: &jiter::JsonValue<'_>) -> bool {
    use jiter::JsonValue;
    match (ours, theirs) {
        (Json::Null, JsonValue::Null) => true,
        (Json::Bool(a), JsonValue::Bool(b)) => a == b,
        (Json::Number(a), JsonValue::Float(b)) => a.as_f64() == *b,
        (Json::Number(a), JsonValue::Int(b)) => a.as_i64() == Some(*b),
        (Json::String(a), JsonValue::Str(b)) => a == b,
        (Json::Array(a), JsonValue::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b.iter()).all(|(a, b)| is_same_to_jiter(a, b))
        }
        (Json::Object(a), JsonValue::Object(b)) => {
            let same = |((a_key, a), (b_key, b)): ((&str, &Json), &(Cow<'_, str>, JsonValue<'_>))| {
                a_key == b_key && is_same_to_jiter(a, b)
            };
            a.len() == b.len() && a.iter().zip(b.iter()).all(same)
        }
        _ => false,
    }
}

fn has_only_safe_integers(value: &Json) -> bool {
    match value {
        Json::Number(number) => number.as_i64().is_none() || number.is_safe_integer(),
        Json::Array(items) => items.iter().all(has_only_safe_integers),
        Json::Object(object) => object.iter().all(|(_, value)| has_only_safe_integers(value)),
        Json::Null | Json::Bool(_) | Json::String(_) => true,
    }
}

/// Where other readers lose what is kept here. Each row is an integer that doubles cannot count.
#[test]
fn an_integer_past_the_safe_ones_is_kept_where_others_round_it() {
    let rounded = 9_007_199_254_740_992_f64;
    for (literal, serde_reads, jiter_reads, canonicalizer_writes) in [
        ("9007199254740993", None, None, "9007199254740992"),
        ("9007199254740993.0", Some(rounded), Some(rounded), "9007199254740992"),
        ("9007199254740993e0", Some(rounded), Some(rounded), "9007199254740992"),
    ] {
        let ours = parse(literal.as_bytes(), &Limits::EDGE).expect(literal);
        assert_eq!(ours, Json::from(9_007_199_254_740_993_i64), "{literal}");
        assert_eq!(ours.canonical(), "9007199254740993", "{literal}");

        let serde: serde_json::Value = serde_json::from_str(literal).expect(literal);
        assert_eq!(serde.as_f64().filter(|_| serde.is_f64()), serde_reads, "{literal}");
        let jiter = jiter::JsonValue::parse(literal.as_bytes(), false).expect(literal);
        let jiter = if let jiter::JsonValue::Float(double) = jiter { Some(double) } else { None };
        assert_eq!(jiter, jiter_reads, "{literal}");
        assert_eq!(
            serde_json_canonicalizer::to_string(&serde).expect(literal),
            canonicalizer_writes,
            "{literal}"
        );
    }
}

/// A small generator of its own, so that a seed means the same in every year.
struct Xorshift(u64);

impl Xorshift {
    fn seeded(seed: u64) -> Self {
        // Seeds in a row must not start alike, and zero would stay zero for ever.
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0xd1b5_4a32_d192_ed03 | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, end: usize) -> usize {
        ((self.next() >> 32) as usize) % end.max(1)
    }

    fn pick<'a, T: ?Sized>(&mut self, from: &[&'a T]) -> &'a T {
        from[self.below(from.len())]
    }
}

/// Prints the seed if the round that holds this panics.
struct SeedOnPanic(u64);

impl Drop for SeedOnPanic {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("run again with PLACET_MUTATION_SEED={} PLACET_MUTATIONS=1", self.0);
        }
    }
}

fn from_env(name: &str, otherwise: u64) -> u64 {
    match std::env::var(name) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{name} is a whole number, not {text:?}")),
        Err(_) => otherwise,
    }
}

/// Pieces that mean something to a reader of JSON, or did to one that was wrong.
const PIECES: [&[u8]; 44] = [
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b":",
    b"\"",
    b"\\",
    b"\\u",
    b"\\ud83d",
    b"\\ude02",
    b"\\u0000",
    b"\\u0061",
    b" ",
    b"\n",
    b"null",
    b"true",
    b"false",
    b"0",
    b"-",
    b"+",
    b".",
    b"e",
    b"E-",
    b"1e99",
    b"1e-99",
    b"9223372036854775807",
    b"5e-324",
    b"0.1",
    b"00",
    b"\"a\":1",
    b",\"a\":1",
    b"{\"a\":",
    b"[[",
    b"]]",
    b"\xef\xbb\xbf",
    b"\xff",
    b"\xed\xa0",
    "é".as_bytes(),
    "😂".as_bytes(),
    b"\0",
    b"\x7f",
    b"__expr",
    b"\"k1\":",
];

fn mutate(text: &mut Vec<u8>, other: &[u8], random: &mut Xorshift) {
    let at = random.below(text.len() + 1);
    let end = (at + random.below(9)).min(text.len());
    match random.below(7) {
        0 => text.splice(at..at, random.pick(&PIECES).iter().copied()).for_each(drop),
        1 => text.splice(at..end, random.pick(&PIECES).iter().copied()).for_each(drop),
        2 => text.drain(at..end).for_each(drop),
        3 => text.extend_from_within(at..end),
        4 => {
            let copied = text[at..end].to_vec();
            let to = random.below(text.len() + 1);
            text.splice(to..to, copied).for_each(drop);
        }
        5 => {
            let from = random.below(other.len() + 1);
            let piece = &other[from..(from + random.below(40)).min(other.len())];
            text.splice(at..end, piece.iter().copied()).for_each(drop);
        }
        _ => {
            if let Some(byte) = text.get_mut(at) {
                *byte ^= 1 << random.below(8);
            }
        }
    }
}

#[test]
fn mutations_of_the_corpus_keep_every_promise() {
    let files: Vec<File> = corpus("accept").into_iter().chain(corpus("refuse")).collect();
    let first = from_env("PLACET_MUTATION_SEED", 1);
    for seed in first..first.saturating_add(from_env("PLACET_MUTATIONS", MUTATIONS)) {
        let _guard = SeedOnPanic(seed);
        let mut random = Xorshift::seeded(seed);
        let mut text = files[random.below(files.len())].bytes.clone();
        for _ in 0..=random.below(3) {
            let other = random.below(files.len());
            mutate(&mut text, &files[other].bytes, &mut random);
        }
        check(&text);
    }
}

/// A decimal value in its one normal form: sign, digits without zeros at either end, power of ten.
#[derive(Debug, PartialEq)]
struct Exact {
    negative: bool,
    digits: String,
    power: i64,
}

/// Written the slow and obvious way, to check the fast one. Only for exponents of a few digits.
fn exact(literal: &str) -> Exact {
    let lower = literal.to_lowercase();
    let (mantissa, exponent) = lower.split_once('e').unwrap_or((&lower, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let all = format!("{}{fraction}", whole.trim_start_matches('-'));
    let digits = all.trim_end_matches('0');
    let power =
        exponent.parse::<i64>().expect(literal) - fraction.len() as i64 + (all.len() - digits.len()) as i64;
    let digits = digits.trim_start_matches('0').to_owned();
    let is_zero = digits.is_empty();
    Exact { negative: literal.starts_with('-') && !is_zero, digits, power: if is_zero { 0 } else { power } }
}

/// What becomes of a literal, by arithmetic on integers and by the text that another crate gives a double.
fn judged_slowly(literal: &str) -> Result<String, NumberError> {
    let value = exact(literal);
    if value.power >= 0 {
        let sign = if value.negative { "-" } else { "" };
        let plain = format!("{sign}0{}{}", value.digits, "0".repeat(value.power as usize));
        return plain.parse::<i64>().map(|integer| integer.to_string()).map_err(|_| NumberError::OutOfRange);
    }
    let nearest: f64 = literal.parse().expect(literal);
    let text = serde_json_canonicalizer::to_string(&nearest).expect(literal);
    if exact(&text) == value { Ok(text) } else { Err(NumberError::Inexact) }
}

/// Literals where rounding and layout are hard.
fn literal(random: &mut Xorshift) -> String {
    let written = match random.below(5) {
        // Any double at all.
        0 => f64::from_bits(random.next()),
        // Doubles with few bits behind the point, where two shortest texts can be equally near.
        1 => ((1_u64 << 52) + random.next() % (1 << 52)) as f64 / (1 << random.below(5)) as f64,
        // Powers of two, where doubles lie closer on one side than on the other, and their neighbours.
        2 => f64::from_bits(((random.next() % 2047) << 52).saturating_add_signed(random.below(3) as i64 - 1)),
        // Digits and exponents of any length.
        3 => {
            let digits: String =
                (0..=random.below(20)).map(|_| char::from(b'0' + random.below(10) as u8)).collect();
            let whole = random.next() % 1000;
            return format!("{whole}.{digits}e{}", random.below(40) as i64 - 25);
        }
        // What an amount looks like.
        _ => (random.next() % 100_000_000) as f64 / 100.0,
    };
    if !written.is_finite() {
        return "0.5".to_owned();
    }
    let mut text = serde_json_canonicalizer::to_string(&written).expect("a finite number is written");
    if random.below(3) == 0
        && let Some(at) = text.rfind(|c: char| c.is_ascii_digit())
        && !text.contains('e')
    {
        // The neighbour in the last place is another number, or the same double by a worse name.
        let near = char::from(b'0' + random.below(10) as u8);
        text.replace_range(at..=at, &near.to_string());
    }
    text
}

#[test]
fn a_number_is_kept_exactly_when_slow_arithmetic_says_so() {
    let mut random = Xorshift::seeded(7);
    let mut kept = 0;
    let rounds = 100_000;
    for _ in 0..rounds {
        let literal = literal(&mut random);
        let ours = Number::parse(&literal).map(|number| number.to_string());
        assert_eq!(ours, judged_slowly(&literal), "{literal}");
        kept += u32::from(ours.is_ok());
    }
    assert!(
        (rounds / 10..rounds * 9 / 10).contains(&kept),
        "both answers are met often: {kept} of {rounds} kept"
    );
}
