//! Domain names, in the one form that all readers agree on: labels of ASCII letters, digits and hyphens.
//!
//! No names beyond ASCII: two libraries make two different names of the same letters. No trailing point,
//! which is the same name to DNS and another one to a list. No last label of digits, which some take for an
//! address. Capital letters mean nothing in a domain and are made small.

use super::Unfit;
use std::fmt;

/// A domain name in small letters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::policy) struct Domain(String);

/// The longest name and the longest label, in bytes (RFC 1035, section 2.3.4).
const NAME_BYTES_MAX: usize = 253;
const LABEL_BYTES_MAX: usize = 63;

impl Domain {
    pub(super) fn parse(text: &str) -> Result<Self, Unfit> {
        if text.is_empty() {
            return Err(Unfit::new("its domain is empty"));
        }
        if text.len() > NAME_BYTES_MAX {
            return Err(Unfit::new(format!("its domain is longer than {NAME_BYTES_MAX} bytes")));
        }
        let is_allowed = |char: char| char.is_ascii_alphanumeric() || matches!(char, '-' | '.');
        if let Some(char) = text.chars().find(|char| !is_allowed(*char)) {
            return Err(Unfit::character(char, "its domain contains"));
        }
        for label in text.split('.') {
            if label.is_empty() {
                return Err(Unfit::new("its domain has an empty label"));
            }
            if label.len() > LABEL_BYTES_MAX || label.starts_with('-') || label.ends_with('-') {
                return Err(Unfit::new("its domain has a label that is too long or has a hyphen at an end"));
            }
        }
        if ends_in_a_number(text) {
            return Err(Unfit::new("its domain ends in a number, as an address does"));
        }
        Ok(Self(text.to_ascii_lowercase()))
    }

    pub(in crate::policy) fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is `parent` or a name below it.
    pub(super) fn is_within(&self, parent: &Domain) -> bool {
        let before = self.0.strip_suffix(&parent.0);
        before.is_some_and(|before| before.is_empty() || before.ends_with('.'))
    }
}

/// Whether a reader of URLs takes it for an address: its last label is digits, or `0x` and digits.
pub(super) fn ends_in_a_number(text: &str) -> bool {
    let last = text.rsplit('.').next().unwrap_or_default();
    let hex = last.strip_prefix("0x").or_else(|| last.strip_prefix("0X"));
    let is_hex = hex.is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
    is_hex || (!last.is_empty() && last.bytes().all(|byte| byte.is_ascii_digit()))
}

impl fmt::Display for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
