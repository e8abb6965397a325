//! Commitments: what ties the record of an intent to the arguments that are kept beside it.
//!
//! The record holds the root of a tree over salted hashes: of the arguments as a whole, and of each of them. Salt and
//! arguments are in the store. While they are there anybody can see that these are the arguments that were recorded,
//! and one of them can be shown without the others. Once both are erased the record tells nothing about them, and is
//! proven as before. The salt is drawn for each call: one that was made from the state's key could be made again
//! after the erasure.
//!
//! A call that is allowed a second time, since nothing was sent the first, has one salt and so one commitment.
//!
//! Not here: the tree (`placet_ledger::commit`), and the erasure (`placet_store::sqlite`).

use placet_engine::{
    json::{Json, Limits, raw},
    record::{Kind, Record},
    state::{Changes, Intent},
};
use placet_ledger::{
    commit::{Disclosure, Field, Salt, commit},
    tree::Hash,
};

/// The member of an intent's record that commits to its arguments.
pub const MEMBER: &str = "commitment";

/// What stands before the root: how it is made.
const FORM: &str = "placet-fields-v1:";

/// What was taken in is taken apart again; nothing of it may be too large here.
const TAKEN: Limits =
    Limits { bytes: usize::MAX, members: usize::MAX, key_bytes: usize::MAX, ..Limits::EDGE };

/// What the arguments that are kept are to the record of their intent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opening {
    /// They are what it commits to.
    Opens,
    /// They have been erased.
    Erased,
    /// It commits to nothing: an older version wrote it.
    Uncommitted,
    /// They are not what it commits to.
    Differs,
}

/// Ties the intent that `changes` hold to its record, under `salt`. False if there is none of either; then the call
/// must not be made.
#[must_use = "an intent whose record commits to nothing is not to be acted on"]
pub fn bind(changes: &mut Changes, salt: &Salt) -> bool {
    let Some(intent) = &mut changes.intent else { return false };
    let Some(fields) = fields(&intent.arguments) else { return false };
    let hash = commit(salt, &fields);
    let Some(record) = changes.records.iter_mut().find(|record| is_of(record, intent)) else { return false };
    intent.salt = Some(*salt);
    record.body.insert(MEMBER.to_owned(), Json::from(shown(&hash)));
    true
}

/// The arguments as a whole, whose pointer is empty, and then each of them, as their canonical text orders them. None
/// if it is no canonical text of an object.
fn fields(arguments: &str) -> Option<Vec<Field<'_>>> {
    let members = raw::members(arguments, &TAKEN).ok()?;
    let whole = Field { pointer: String::new(), value: arguments };
    // RFC 6901 §3: what would end a step of the pointer is escaped.
    let each = members.into_iter().map(|member| Field {
        pointer: format!("/{}", member.key.replace('~', "~0").replace('/', "~1")),
        value: member.value,
    });
    Some(std::iter::once(whole).chain(each).collect())
}

/// Shows one of the arguments that are kept of a call, without the others. None if there is no such argument, or
/// they are erased.
pub fn disclose(kept: &Intent, pointer: &str) -> Option<Disclosure> {
    Disclosure::of(&kept.salt?, &fields(&kept.arguments)?, pointer)
}

/// The root that a record commits to, as hexadecimal text stands in it behind the form.
pub fn root_in(record: &Json) -> Option<Hash> {
    let hex = record.get(MEMBER)?.as_str()?.strip_prefix(FORM)?;
    let bytes = hex.as_bytes().chunks_exact(2).map(|pair| {
        let digits = std::str::from_utf8(pair).ok().filter(|digits| !digits.starts_with('+'))?;
        u8::from_str_radix(digits, 16).ok()
    });
    let bytes = bytes.collect::<Option<Vec<u8>>>()?;
    // Whatever was left out or added above is seen here.
    bytes.try_into().ok().map(Hash).filter(|hash| shown(hash).ends_with(hex))
}

fn is_of(record: &Record, intent: &Intent) -> bool {
    record.kind == Kind::Intent && record.call == Some(intent.call)
}

/// Holds what is kept of a call against the record of its intent.
///
/// ```
/// use placet::commitment::{Opening, opening};
/// use placet_engine::json::{Json, Object};
/// # use placet_engine::{call::{CallId, Digest}, level::Level, session::SessionId, state::Intent, time::Timestamp};
/// # let call = CallId::from_random([1; 12]);
/// # let kept = Intent { call, agent: "bot".parse()?, client: "desk".parse()?, run: None, action: "crm/read".parse()?,
/// #     level: Level::Read, session: SessionId(call), at: Timestamp(0), arguments: r#"{"id":"42"}"#.to_owned(),
/// #     salt: Some([7; 16]), digest: Digest([0; 32]), joined: false, holds: Vec::new(), claim: None, approval: None };
/// # use placet_ledger::commit::{Field, commit};
/// let whole = Field { pointer: String::new(), value: r#"{"id":"42"}"# };
/// let hash = commit(&[7; 16], &[whole, Field { pointer: "/id".to_owned(), value: "\"42\"" }]);
/// let hex: String = hash.0.iter().map(|byte| format!("{byte:02x}")).collect();
/// let record = Json::Object(Object::from([("commitment", Json::from(format!("placet-fields-v1:{hex}")))]));
/// assert_eq!(opening(&record, &kept), Opening::Opens);
/// let changed = Intent { arguments: r#"{"id":"43"}"#.to_owned(), ..kept };
/// assert_eq!(opening(&record, &changed), Opening::Differs);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn opening(record: &Json, kept: &Intent) -> Opening {
    let Some(recorded) = record.get(MEMBER) else { return Opening::Uncommitted };
    if kept.is_erased() {
        return Opening::Erased;
    }
    let made = kept.salt.zip(fields(&kept.arguments)).map(|(salt, fields)| commit(&salt, &fields));
    match made {
        Some(hash) if recorded.as_str() == Some(&shown(&hash)) => Opening::Opens,
        Some(_) | None => Opening::Differs,
    }
}

fn shown(hash: &Hash) -> String {
    hash.0.iter().fold(FORM.to_owned(), |text, byte| format!("{text}{byte:02x}"))
}

#[cfg(test)]
mod tests {
    use placet_engine::{
        call::{CallId, Digest},
        json::Object,
        level::Level,
        session::SessionId,
        time::Timestamp,
    };

    use super::*;

    fn changes() -> Changes {
        let call = CallId::from_random([1; 12]);
        let intent = Intent {
            call,
            agent: "bot".parse().unwrap(),
            client: "desk".parse().unwrap(),
            run: None,
            action: "crm/read".parse().unwrap(),
            level: Level::Read,
            session: SessionId(call),
            at: Timestamp(0),
            arguments: r#"{"pin":"1234"}"#.to_owned(),
            salt: None,
            digest: Digest([0; 32]),
            joined: false,
            holds: Vec::new(),
            claim: None,
            approval: None,
        };
        let mut record = Record::new(Kind::Intent, Timestamp(0), []);
        record.call = Some(call);
        Changes { intent: Some(intent), records: vec![record], ..Changes::default() }
    }

    #[test]
    fn what_is_bound_opens_and_nothing_else_does() {
        let mut bound = changes();
        assert!(bind(&mut bound, &[7; 16]));
        let record = bound.records[0].to_json();
        let kept = bound.intent.unwrap();
        assert!(!record.canonical().contains("1234"));
        let other_text = Intent { arguments: r#"{"pin":"1235"}"#.to_owned(), ..kept.clone() };
        let other_salt = Intent { salt: Some([8; 16]), ..kept.clone() };
        let no_salt = Intent { salt: None, ..kept.clone() };
        let erased = Intent { arguments: String::new(), salt: None, ..kept.clone() };
        let bare = changes().records[0].to_json();
        for (name, record, kept, wanted) in [
            ("as bound", &record, &kept, Opening::Opens),
            ("another text", &record, &other_text, Opening::Differs),
            ("another salt", &record, &other_salt, Opening::Differs),
            ("no salt", &record, &no_salt, Opening::Differs),
            ("erased", &record, &erased, Opening::Erased),
            ("an older record", &bare, &kept, Opening::Uncommitted),
        ] {
            assert_eq!(opening(record, kept), wanted, "{name}");
        }
    }

    #[test]
    fn each_argument_is_shown_alone_and_opens_the_record() {
        let arguments = r#"{"":0,"a/b~c":[1,2],"pin":"1234","z\u0000":null}"#;
        let mut bound = changes();
        bound.intent = bound.intent.map(|intent| Intent { arguments: arguments.to_owned(), ..intent });
        assert!(bind(&mut bound, &[7; 16]));
        let root = root_in(&bound.records[0].to_json()).unwrap();
        let kept = bound.intent.unwrap();
        for (pointer, value) in
            [("", arguments), ("/", "0"), ("/a~1b~0c", "[1,2]"), ("/pin", "\"1234\""), ("/z\0", "null")]
        {
            let shown = disclose(&kept, pointer).unwrap();
            assert_eq!(shown.value, value, "{pointer:?}");
            assert!(shown.opens(&root), "{pointer:?}");
        }
        assert_eq!(disclose(&kept, "/a/b~c"), None);
        assert_eq!(disclose(&Intent { salt: None, ..kept }, "/pin"), None);
    }

    #[test]
    fn a_root_is_read_only_in_the_one_form_that_is_written() {
        let record = |text: &str| Json::Object(Object::from([(MEMBER, Json::from(text))]));
        let good = format!("{FORM}{}", "0a".repeat(32));
        assert_eq!(root_in(&record(&good)), Some(Hash([10; 32])));
        for text in [
            good.to_uppercase(),
            format!("{FORM}{}", "0A".repeat(32)),
            format!("{FORM}{}", "+a".repeat(32)),
            format!("{good}0"),
            format!("{good}0a"),
            good.replace("v1", "v2"),
            FORM.to_owned(),
        ] {
            assert_eq!(root_in(&record(&text)), None, "{text}");
        }
    }

    #[test]
    fn an_intent_without_its_record_is_not_bound() {
        let without_record = Changes { records: Vec::new(), ..changes() };
        let mut of_another = changes();
        of_another.records[0].call = Some(CallId::from_random([2; 12]));
        let without_intent = Changes { intent: None, ..changes() };
        for mut changes in [without_record, of_another, without_intent] {
            assert!(!bind(&mut changes, &[7; 16]));
        }
    }
}
