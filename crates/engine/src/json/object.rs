//! Objects: unique keys, kept in the order in which they came.
//!
//! Order is kept so that what people and tools wrote can be shown back to them; it carries no meaning,
//! so two objects are equal when they hold the same members in any order.
//!
//! A small object is searched member by member, which is fastest for the handful of keys that calls
//! carry. A large one keeps an index beside its members, so that no number of hostile keys makes
//! looking up or comparing quadratic. The index is a tree and not a hash table: its worst case needs no
//! secret and no randomness.

use std::collections::BTreeMap;
use std::fmt;
use std::mem;

use super::Json;

/// Up to this many members, comparing keys one by one beats keeping an index.
const SCANNED_MEMBERS: usize = 16;

/// The members of a JSON object: unique keys in insertion order.
///
/// Equality ignores order: `{"a":1,"b":2}` equals `{"b":2,"a":1}`.
///
/// ```
/// use placet_engine::json::{Json, Object};
///
/// let mut object = Object::from([("tool", Json::from("search")), ("rows", Json::from(10))]);
/// assert_eq!(object.insert("rows", 20), Some(Json::from(10)));
/// assert_eq!(object.keys().collect::<Vec<_>>(), ["tool", "rows"]);
/// assert_eq!(object.get("limit"), None);
/// ```
#[derive(Clone, Default)]
pub struct Object {
    members: Vec<(String, Json)>,
    index: Option<Box<Index>>,
}

/// Where each key of a large object stands among the members.
#[derive(Clone)]
struct Index(BTreeMap<Box<str>, usize>);

impl Object {
    /// An object without members.
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty object with room for this many members.
    pub fn with_capacity(members: usize) -> Self {
        Self { members: Vec::with_capacity(members), index: None }
    }

    /// Sets a member. A key that is there already keeps its place, and its old value is returned.
    pub fn insert(&mut self, key: impl Into<String>, value: impl Into<Json>) -> Option<Json> {
        let (key, value) = (key.into(), value.into());
        if let Some((_, old)) = self.position(&key).and_then(|at| self.members.get_mut(at)) {
            return Some(mem::replace(old, value));
        }
        self.append(key, value);
        None
    }

    /// Adds a member whose key the caller has found missing.
    pub(super) fn append(&mut self, key: String, value: Json) {
        if let Some(index) = &mut self.index {
            index.0.insert(key.as_str().into(), self.members.len());
        }
        self.members.push((key, value));
        if self.index.is_none() && self.members.len() > SCANNED_MEMBERS {
            self.index = Some(Box::new(Index::of(&self.members)));
        }
    }

    /// The value under this key.
    pub fn get(&self, key: &str) -> Option<&Json> {
        let (_, value) = self.members.get(self.position(key)?)?;
        Some(value)
    }

    /// The value under this key, to change it.
    pub fn get_mut(&mut self, key: &str) -> Option<&mut Json> {
        let at = self.position(key)?;
        let (_, value) = self.members.get_mut(at)?;
        Some(value)
    }

    /// Takes a member out; the others keep their order.
    pub fn remove(&mut self, key: &str) -> Option<Json> {
        let at = self.position(key)?;
        if let Some(index) = &mut self.index {
            index.forget(key, at);
        }
        // `Vec::remove` panics past the end, which `position` never returns.
        (at < self.members.len()).then(|| self.members.remove(at).1)
    }

    /// Whether there is a member under this key, be its value `null`.
    pub fn contains(&self, key: &str) -> bool {
        self.position(key).is_some()
    }

    /// How many members there are.
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// Whether there are no members.
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// The members in insertion order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &Json)> + DoubleEndedIterator {
        self.members.iter().map(|(key, value)| (key.as_str(), value))
    }

    /// The keys in insertion order.
    pub fn keys(&self) -> impl ExactSizeIterator<Item = &str> + DoubleEndedIterator {
        self.members.iter().map(|(key, _)| key.as_str())
    }

    fn position(&self, key: &str) -> Option<usize> {
        match &self.index {
            Some(index) => index.0.get(key).copied(),
            None => self.members.iter().position(|(held, _)| held == key),
        }
    }
}

impl Index {
    fn of(members: &[(String, Json)]) -> Self {
        Self(members.iter().enumerate().map(|(at, (key, _))| (key.as_str().into(), at)).collect())
    }

    fn forget(&mut self, key: &str, at: usize) {
        self.0.remove(key);
        for place in self.0.values_mut().filter(|place| **place > at) {
            *place -= 1;
        }
    }
}

impl PartialEq for Object {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.iter().all(|(key, value)| other.get(key) == Some(value))
    }
}

impl Eq for Object {}

impl fmt::Debug for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

impl IntoIterator for Object {
    type Item = (String, Json);
    type IntoIter = std::vec::IntoIter<(String, Json)>;

    fn into_iter(self) -> Self::IntoIter {
        self.members.into_iter()
    }
}

/// Of members with the same key the last value counts, at the place of the first.
impl FromIterator<(String, Json)> for Object {
    fn from_iter<I: IntoIterator<Item = (String, Json)>>(members: I) -> Self {
        let mut object = Self::new();
        for (key, value) in members {
            object.insert(key, value);
        }
        object
    }
}

impl<K: Into<String>, V: Into<Json>, const N: usize> From<[(K, V); N]> for Object {
    fn from(members: [(K, V); N]) -> Self {
        members.into_iter().map(|(key, value)| (key.into(), value.into())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbered(range: impl Iterator<Item = i64>) -> Object {
        range.map(|n| (format!("k{n}"), Json::from(n))).collect()
    }

    #[test]
    fn a_replaced_member_keeps_its_place() {
        for size in [3, SCANNED_MEMBERS, SCANNED_MEMBERS + 1, 100] {
            let mut object = numbered(0..size as i64);
            assert_eq!(object.insert("k1", "new"), Some(Json::from(1)), "{size} members");
            assert_eq!(object.keys().nth(1), Some("k1"), "{size} members");
            assert_eq!(object.get("k1"), Some(&Json::from("new")), "{size} members");
            assert_eq!(object.len(), size);
        }
    }

    #[test]
    fn a_removed_member_is_gone_and_the_others_are_still_found() {
        for size in [3, SCANNED_MEMBERS, SCANNED_MEMBERS + 1, 100] {
            let mut object = numbered(0..size as i64);
            assert_eq!(object.remove("k1"), Some(Json::from(1)), "{size} members");
            assert_eq!(object.remove("k1"), None, "{size} members");
            assert!(!object.contains("k1"), "{size} members");
            for n in (0..size as i64).filter(|n| *n != 1) {
                assert_eq!(object.get(&format!("k{n}")), Some(&Json::from(n)), "{size} members");
            }
            assert_eq!(object.insert("k1", 9), None, "{size} members");
            assert_eq!(object.keys().last(), Some("k1"), "{size} members");
        }
    }

    #[test]
    fn equality_is_about_members_and_not_about_order() {
        for size in [2, SCANNED_MEMBERS + 1] {
            let forward = numbered(0..size as i64);
            let mut backward = numbered((0..size as i64).rev());
            assert_eq!(forward, backward);
            if let Some(value) = backward.get_mut("k0") {
                *value = Json::from(1);
            }
            assert_ne!(forward, backward);
            backward.remove("k0");
            assert_ne!(forward, backward, "an object does not equal a smaller one");
            assert_ne!(backward, forward, "an object does not equal a larger one");
        }
    }

    #[test]
    fn members_come_back_in_the_order_of_their_first_insertion() {
        let object = Object::from([("b", 1), ("a", 2), ("b", 3)]);
        let members: Vec<_> = object.into_iter().collect();
        assert_eq!(members, [("b".to_owned(), Json::from(3)), ("a".to_owned(), Json::from(2))]);
        assert!(Object::with_capacity(4).is_empty());
    }
}
