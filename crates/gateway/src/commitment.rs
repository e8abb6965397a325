//! Commitments: what ties the record of an intent to the arguments that are kept beside it.
//!
//! The record holds a hash over a random salt and the arguments; salt and arguments are in the store. While they are
//! there anybody can see that these are the arguments that were recorded. Once both are erased the record tells
//! nothing about them, and is proven as before. The salt is drawn for each call: one that was made from the state's
//! key could be made again after the erasure.
//!
//! A call that is allowed a second time, since nothing was sent the first, has one salt and so one commitment.
//!
//! Not here: the hash (`placet_ledger::commit`), and the erasure (`placet_store::sqlite`).

use placet_engine::{
    json::Json,
    record::{Kind, Record},
    state::{Changes, Intent},
};
use placet_ledger::{
    commit::{Salt, commit},
    tree::Hash,
};

/// The member of an intent's record that commits to its arguments.
pub const MEMBER: &str = "commitment";

/// What stands before the hash: how it is made.
const FORM: &str = "placet-commit-v1:";

/// The pointer to the arguments as a whole.
const WHOLE: &str = "";

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
    let Some(hash) = commit(salt, WHOLE, intent.arguments.as_bytes()) else { return false };
    let Some(record) = changes.records.iter_mut().find(|record| is_of(record, intent)) else { return false };
    intent.salt = Some(*salt);
    record.body.insert(MEMBER.to_owned(), Json::from(shown(&hash)));
    true
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
/// #     salt: Some([7; 16]), digest: Digest([0; 32]), joined: false, holds: Vec::new(), claim: None };
/// let hash = placet_ledger::commit::commit(&[7; 16], "", br#"{"id":"42"}"#).ok_or("no pointer")?;
/// let hex: String = hash.0.iter().map(|byte| format!("{byte:02x}")).collect();
/// let record = Json::Object(Object::from([("commitment", Json::from(format!("placet-commit-v1:{hex}")))]));
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
    let made = kept.salt.and_then(|salt| commit(&salt, WHOLE, kept.arguments.as_bytes()));
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
