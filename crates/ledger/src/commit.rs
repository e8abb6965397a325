//! Commitments: a record names the arguments of a call without holding them, and one of them can be shown alone.
//!
//! Each field is hashed with a salt of its own, made of the call's, and the hashes are the leaves of a tree whose
//! root stands in the record. Whoever keeps the call's salt and its fields can show any of them with the hashes
//! that lead to the root; of the others that shows nothing, neither values nor names, only roughly how many there
//! are. Once salt and fields are erased nothing more can be shown, and the record, which verifies as before, tells
//! nothing. Without the salt a short value could be guessed.
//!
//! A field is a JSON pointer (RFC 6901) and the canonical text that stands there. Not here: which fields a call
//! has, drawing salts, and where salts and values are kept. Tree and paths are those of RFC 6962 §2.1.

use sha2::{Digest as _, Sha256};

use crate::{
    proof::includes,
    tree::{Hash, Range},
};

/// Random bytes, drawn for each call anew.
pub type Salt = [u8; 16];

/// What stands before a field, so that no other hash of ours can be taken for its commitment.
const FIELD: &[u8] = b"placet-field-v1";

/// What stands before what a field's salt is made of.
const SALT: &[u8] = b"placet-field-salt-v1";

/// The most fields of a call that a disclosure may speak of.
const FIELDS_MAX: u64 = 1 << 20;

/// One field: where it stands, and the canonical text of what stands there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field<'a> {
    /// The JSON pointer; the empty one is that of the whole.
    pub pointer: String,
    /// Canonical JSON text.
    pub value: &'a str,
}

/// The salt of the field at `pointer`. Who has it learns nothing of the call's salt, nor of other fields' ones.
fn salt_at(salt: &Salt, pointer: &str) -> Salt {
    let digest: [u8; 32] =
        Sha256::new().chain_update(SALT).chain_update(salt).chain_update(pointer).finalize().into();
    let (half, _) = digest.split_at(16);
    let mut field_salt = Salt::default();
    field_salt.copy_from_slice(half);
    field_salt
}

/// The leaf of a field under its own salt.
fn leaf(field_salt: &Salt, pointer: &str, value: &str) -> Hash {
    let digest: [u8; 32] = Sha256::new()
        .chain_update(FIELD)
        .chain_update(field_salt)
        .chain_update((pointer.len() as u64).to_be_bytes())
        .chain_update(pointer)
        .chain_update(value)
        .finalize()
        .into();
    Hash::of_leaf(&digest)
}

fn leaves(salt: &Salt, fields: &[Field<'_>]) -> Vec<Hash> {
    fields.iter().map(|field| leaf(&salt_at(salt, &field.pointer), &field.pointer, field.value)).collect()
}

/// The commitment to `fields`, in this order, under a call's `salt`.
pub fn commit(salt: &Salt, fields: &[Field<'_>]) -> Hash {
    root_of(&leaves(salt, fields))
}

fn root_of(leaves: &[Hash]) -> Hash {
    let mut range = Range::default();
    leaves.iter().for_each(|leaf| range.push(*leaf));
    range.root()
}

/// One field of a call, with what shows that a root commits to it.
///
/// ```
/// use placet_ledger::commit::{Disclosure, Field, commit};
/// let field = |pointer: &str, value| Field { pointer: pointer.to_owned(), value };
/// let fields = [field("/amount", "600"), field("/pin", "\"1234\"")];
/// let recorded = commit(&[7; 16], &fields);
/// let shown = Disclosure::of(&[7; 16], &fields, "/amount").ok_or("no such field")?;
/// assert!(shown.opens(&recorded));
/// // Another value is not what was recorded.
/// assert!(!Disclosure { value: "60".to_owned(), ..shown }.opens(&recorded));
/// # Ok::<(), &str>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disclosure {
    /// Where it stood.
    pub pointer: String,
    /// The canonical text of what stood there.
    pub value: String,
    /// The field's own salt.
    pub salt: Salt,
    /// Which of the fields it is, from 0.
    pub index: u64,
    /// How many there are.
    pub size: u64,
    /// The hashes that lead to the root.
    pub path: Vec<Hash>,
}

impl Disclosure {
    /// Shows the field at `pointer`. None if there is none.
    pub fn of(salt: &Salt, fields: &[Field<'_>], pointer: &str) -> Option<Self> {
        let index = fields.iter().position(|field| field.pointer == pointer)?;
        let field = fields.get(index)?;
        Some(Self {
            pointer: field.pointer.clone(),
            value: field.value.to_owned(),
            salt: salt_at(salt, pointer),
            index: index as u64,
            size: fields.len() as u64,
            path: path(&leaves(salt, fields), index),
        })
    }

    /// Whether `root` commits to this field.
    pub fn opens(&self, root: &Hash) -> bool {
        let leaf = leaf(&self.salt, &self.pointer, &self.value);
        self.size <= FIELDS_MAX && includes(self.index, self.size, &leaf, &self.path, root)
    }
}

/// The hashes beside the way from a leaf to the root, from below (RFC 6962 §2.1.1).
fn path(leaves: &[Hash], index: usize) -> Vec<Hash> {
    let half = match leaves.len() {
        0 | 1 => return Vec::new(),
        many => many.next_power_of_two() / 2,
    };
    let (left, right) = leaves.split_at(half);
    let (mut below, beside) =
        if index < half { (path(left, index), right) } else { (path(right, index - half), left) };
    below.push(root_of(beside));
    below
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(count: usize) -> Vec<(String, String)> {
        (0..count).map(|n| (format!("/f{n}"), format!("\"v{n}\""))).collect()
    }

    fn borrowed(fields: &[(String, String)]) -> Vec<Field<'_>> {
        fields.iter().map(|(pointer, value)| Field { pointer: pointer.clone(), value }).collect()
    }

    #[test]
    fn each_field_of_any_number_opens_its_root_and_no_other() {
        for count in 1..20 {
            let owned = fields(count);
            let fields = borrowed(&owned);
            let recorded = commit(&[1; 16], &fields);
            let other = commit(&[2; 16], &fields);
            for field in &fields {
                let shown = Disclosure::of(&[1; 16], &fields, &field.pointer).unwrap();
                assert!(shown.opens(&recorded), "{} of {count}", field.pointer);
                assert!(!shown.opens(&other), "{} of {count} under another salt", field.pointer);
            }
        }
    }

    #[test]
    fn what_is_changed_in_a_disclosure_no_longer_opens() {
        let owned = fields(5);
        let fields = borrowed(&owned);
        let recorded = commit(&[1; 16], &fields);
        let good = Disclosure::of(&[1; 16], &fields, "/f3").unwrap();
        let mut swapped = good.clone();
        swapped.path.reverse();
        for (name, changed) in [
            ("pointer", Disclosure { pointer: "/f2".to_owned(), ..good.clone() }),
            ("value", Disclosure { value: "\"v2\"".to_owned(), ..good.clone() }),
            ("salt", Disclosure { salt: [1; 16], ..good.clone() }),
            ("index", Disclosure { index: 2, ..good.clone() }),
            ("size", Disclosure { size: 4, ..good.clone() }),
            ("an endless size", Disclosure { size: u64::MAX, ..good.clone() }),
            ("path", swapped),
            ("no path", Disclosure { path: Vec::new(), ..good.clone() }),
            // What separates a pointer from a value is part of neither.
            (
                "boundary",
                Disclosure { pointer: "/f3\"".to_owned(), value: "v3\"".to_owned(), ..good.clone() },
            ),
        ] {
            assert!(!changed.opens(&recorded), "{name}");
        }
        assert!(good.opens(&recorded));
    }

    #[test]
    fn a_field_that_is_not_there_is_not_shown() {
        assert_eq!(Disclosure::of(&[1; 16], &borrowed(&fields(2)), "/f2"), None);
        assert_eq!(Disclosure::of(&[1; 16], &[], ""), None);
    }

    #[test]
    fn what_one_field_shows_does_not_give_away_the_salt_of_another() {
        let owned = fields(2);
        let fields = borrowed(&owned);
        let shown = Disclosure::of(&[1; 16], &fields, "/f0").unwrap();
        assert_ne!(shown.salt, [1; 16]);
        assert_ne!(shown.salt, salt_at(&[1; 16], "/f1"));
        assert_ne!(salt_at(&shown.salt, "/f1"), salt_at(&[1; 16], "/f1"));
    }
}
