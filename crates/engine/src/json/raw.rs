//! JSON that passes through: checked and taken apart as text, never built into a tree.
//!
//! What a tool server answers must reach the model unharmed, with numbers of any size, keys that stand
//! twice, and half surrogate pairs just as they were written. So these functions check that a text is
//! one well-formed JSON value and hand out slices of it. They judge nothing that they do not name: only
//! keys that they compare are unescaped, with U+FFFD for half a surrogate pair.
//!
//! `bytes` and `depth` of the limits hold for the whole text, `members` and `key_bytes` for the
//! outermost object of [`members`]. What [`parse`](fn@super::parse) accepts, these accept too.

use std::borrow::Cow;

use super::cursor::{Container, Cursor, LoneSurrogates};
use super::error::ParseError;
use super::parse::{Limits, check_members, checked_key, duplicate};

/// One member of an object, as it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawMember<'a> {
    /// The key, unescaped.
    pub key: Cow<'a, str>,
    /// The exact source text of the value, without blanks around it.
    pub value: &'a str,
}

/// The members of the object that `object` is, in the order in which they stand.
///
/// # Errors
///
/// [`ParseError`] if the text is not one well-formed JSON object, a limit is hit, or a key stands twice
/// in this outermost object.
///
/// ```
/// use placet_engine::json::{Limits, raw};
///
/// let result = raw::members(r#"{"rows": [1e999, 0.10], "next": null}"#, &Limits::EDGE)?;
/// assert_eq!(result[0].key, "rows");
/// assert_eq!(result[0].value, "[1e999, 0.10]");
/// assert!(raw::members(r#"{"rows": 1, "rows": 2}"#, &Limits::EDGE).is_err());
/// # Ok::<(), placet_engine::json::ParseError>(())
/// ```
pub fn members<'a>(object: &'a str, limits: &Limits) -> Result<Vec<RawMember<'a>>, ParseError> {
    let mut cursor = Cursor::over(object, limits)?;
    let mut members = Vec::new();
    let mut offsets = Vec::new();
    let mut more = cursor.enter(Container::Object)?;
    while more {
        check_members(members.len(), cursor.offset(), limits)?;
        let source = cursor.key()?;
        let key = checked_key(&source, LoneSurrogates::Replace, limits)?;
        let start = cursor.offset();
        cursor.skip_value()?;
        members.push(RawMember { key, value: cursor.since(start)? });
        offsets.push(source.offset());
        more = cursor.more(Container::Object)?;
    }
    cursor.finish()?;
    refuse_duplicates(&members, &offsets)?;
    Ok(members)
}

/// Sorts once instead of searching for every key, which hostile keys could make quadratic.
fn refuse_duplicates(members: &[RawMember<'_>], offsets: &[usize]) -> Result<(), ParseError> {
    let mut keys: Vec<(&str, usize)> =
        members.iter().map(|member| &*member.key).zip(offsets.iter().copied()).collect();
    keys.sort_unstable();
    let twice = |pair: &[(&str, usize)]| match pair {
        [(first, _), (second, offset)] if first == second => Some(duplicate(second, *offset)),
        _ => None,
    };
    keys.windows(2).find_map(twice).map_or(Ok(()), Err)
}

/// The items of the array that `array` is: the exact source text of each, without blanks around it.
///
/// # Errors
///
/// [`ParseError`] if the text is not one well-formed JSON array, or a limit is hit.
pub fn items<'a>(array: &'a str, limits: &Limits) -> Result<Vec<&'a str>, ParseError> {
    let mut cursor = Cursor::over(array, limits)?;
    let mut items = Vec::new();
    let mut more = cursor.enter(Container::Array)?;
    while more {
        let start = cursor.offset();
        cursor.skip_value()?;
        items.push(cursor.since(start)?);
        more = cursor.more(Container::Array)?;
    }
    cursor.finish()?;
    Ok(items)
}

/// The same text without the members, at any depth, whose key is to be dropped.
///
/// Everything else stays byte for byte. Borrowed if nothing was dropped. What stands inside a dropped
/// member is checked to be well formed, and its keys are not asked about.
///
/// # Errors
///
/// [`ParseError`] if the text is not one well-formed JSON value, or a limit is hit.
///
/// ```
/// use placet_engine::json::{Limits, raw};
///
/// let kept = raw::without_keys(r#"{"_meta": {}, "rows": [1.0, 2.0]}"#, &Limits::EDGE, &|key| key == "_meta")?;
/// assert_eq!(kept, r#"{"rows": [1.0, 2.0]}"#);
/// # Ok::<(), placet_engine::json::ParseError>(())
/// ```
pub fn without_keys<'a>(
    value: &'a str,
    limits: &Limits,
    drop: &dyn Fn(&str) -> bool,
) -> Result<Cow<'a, str>, ParseError> {
    let mut pruning = Pruning { cursor: Cursor::over(value, limits)?, drop, kept: String::new(), copied: 0 };
    pruning.value()?;
    pruning.finish(value)
}

/// A walk over a text that copies what is kept of it, from one cut to the next.
struct Pruning<'a, 'd> {
    cursor: Cursor<'a>,
    drop: &'d dyn Fn(&str) -> bool,
    kept: String,
    /// Up to here the text has been copied or cut.
    copied: usize,
}

impl<'a> Pruning<'a, '_> {
    fn value(&mut self) -> Result<(), ParseError> {
        match self.cursor.container() {
            Some(Container::Object) => self.object(),
            Some(Container::Array) => self.array(),
            None => self.cursor.scalar().map(|_| ()),
        }
    }

    fn array(&mut self) -> Result<(), ParseError> {
        let mut more = self.cursor.enter(Container::Array)?;
        while more {
            self.value()?;
            more = self.cursor.more(Container::Array)?;
        }
        Ok(())
    }

    /// A dropped member takes one comma with it: the one before it if a kept member stands before, else
    /// the one after it, if any.
    fn object(&mut self) -> Result<(), ParseError> {
        let mut element_end = None;
        let mut more = self.cursor.enter(Container::Object)?;
        while more {
            let start = self.cursor.offset();
            let key = self.cursor.key()?.unescape(LoneSurrogates::Replace)?;
            if (self.drop)(&key) {
                self.cursor.skip_value()?;
                let end = self.cursor.offset();
                more = self.cursor.more(Container::Object)?;
                match element_end {
                    Some(before) => self.cut(before, end)?,
                    None if more => self.cut(start, self.cursor.offset())?,
                    None => self.cut(start, end)?,
                }
                element_end = element_end.map(|_| end);
            } else {
                self.value()?;
                element_end = Some(self.cursor.offset());
                more = self.cursor.more(Container::Object)?;
            }
        }
        Ok(())
    }

    fn cut(&mut self, from: usize, to: usize) -> Result<(), ParseError> {
        self.kept.push_str(self.cursor.between(self.copied, from)?);
        self.copied = to;
        Ok(())
    }

    fn finish(mut self, value: &'a str) -> Result<Cow<'a, str>, ParseError> {
        if self.copied > 0 {
            self.kept.push_str(self.cursor.between(self.copied, value.len())?);
        }
        self.cursor.finish()?;
        Ok(if self.copied > 0 { Cow::Owned(self.kept) } else { Cow::Borrowed(value) })
    }
}

#[cfg(test)]
mod tests {
    use super::super::{ParseErrorKind, parse};
    use super::*;

    fn dropped<'a>(text: &'a str, key: &str) -> Result<Cow<'a, str>, ParseErrorKind> {
        without_keys(text, &Limits::EDGE, &|found| found == key).map_err(|e| e.kind())
    }

    #[test]
    fn members_are_handed_out_as_they_are_written() {
        let text = " { \"a\" : 1e999 ,\n\"\\u0062\":{\"x\":1,\"x\":[ ]}, \"\\ud800\": \"\\udc00\" } ";
        let found = members(text, &Limits::EDGE)
            .map(|members| members.into_iter().map(|m| (m.key.into_owned(), m.value)).collect::<Vec<_>>());
        let wanted = [("a", "1e999"), ("b", "{\"x\":1,\"x\":[ ]}"), ("\u{fffd}", "\"\\udc00\"")];
        assert_eq!(found, Ok(wanted.map(|(key, value)| (key.to_owned(), value)).to_vec()));
        assert_eq!(members("{}", &Limits::EDGE), Ok(Vec::new()));
    }

    #[test]
    fn items_are_handed_out_as_they_are_written() {
        assert_eq!(items(" [ 1.0 , [2,\t3],\"]\" ] ", &Limits::EDGE), Ok(vec!["1.0", "[2,\t3]", "\"]\""]));
        assert_eq!(items("[ ]", &Limits::EDGE), Ok(Vec::new()));
    }

    #[test]
    fn only_the_outermost_keys_must_be_unique() {
        use ParseErrorKind::DuplicateKey;
        for (text, kind) in [
            (r#"{"a":1,"a":2}"#, Some(DuplicateKey)),
            (r#"{"a":1,"b":2,"\u0061":3}"#, Some(DuplicateKey)),
            (r#"{"a":{"b":1,"b":2}}"#, None),
            (r#"{"a":1,"A":2}"#, None),
            (r#"{"\ud800":1,"\udbff":2}"#, Some(DuplicateKey)), // both read as U+FFFD
        ] {
            assert_eq!(members(text, &Limits::EDGE).err().map(|e| e.kind()), kind, "{text}");
        }
    }

    #[test]
    fn what_is_no_such_container_is_refused() {
        use ParseErrorKind::{TrailingBytes, Truncated, Unexpected};
        for (text, as_object, as_array) in [
            ("", Truncated, Truncated),
            ("1", Unexpected, Unexpected),
            ("[1", Unexpected, Truncated),
            ("[1]x", Unexpected, TrailingBytes),
            ("{\"a\"", Truncated, Unexpected),
            ("{} {}", TrailingBytes, Unexpected),
        ] {
            assert_eq!(members(text, &Limits::EDGE).map_err(|e| e.kind()), Err(as_object), "{text}");
            assert_eq!(items(text, &Limits::EDGE).map_err(|e| e.kind()), Err(as_array), "{text}");
        }
    }

    #[test]
    fn limits_hold_for_raw_text() {
        let tight = Limits { bytes: 24, depth: 2, members: 2, key_bytes: 3 };
        for (text, kind) in [
            (r#"{"a":[],"b":2}"#, None),
            (r#"{"a":1,"b":2,"c":3}"#, Some(ParseErrorKind::TooManyMembers)),
            (r#"{"a":[{}]}"#, Some(ParseErrorKind::TooDeep)),
            (r#"{"long":1}"#, Some(ParseErrorKind::KeyTooLong)),
            (r#"{"a":{"long":1}}"#, None),
            (r#"{"a":"aaaaaaaaaaaaaaaaa"}"#, Some(ParseErrorKind::TooLong)),
        ] {
            assert_eq!(members(text, &tight).err().map(|e| e.kind()), kind, "{text}");
        }
        let deep = "[".repeat(100_000);
        let unlimited = Limits { bytes: usize::MAX, depth: usize::MAX, ..tight };
        for refused in [items(&deep, &unlimited).err(), without_keys(&deep, &unlimited, &|_| true).err()] {
            assert_eq!(refused.map(|e| e.kind()), Some(ParseErrorKind::TooDeep));
        }
    }

    #[test]
    fn a_dropped_member_takes_one_comma_with_it() {
        for (text, kept) in [
            (r#"{"x":1}"#, "{}"),
            (r#"{ "x" : 1 }"#, "{  }"),
            (r#"{"x":1,"a":2}"#, r#"{"a":2}"#),
            (r#"{"a":1,"x":2}"#, r#"{"a":1}"#),
            (r#"{"a":1 , "x":2 , "b":3}"#, r#"{"a":1 , "b":3}"#),
            (r#"{"x":1, "x":2, "a":3, "x":4, "x":5}"#, r#"{"a":3}"#),
            (r#"{"x":1, "x":2 }"#, r"{ }"),
            (r#"[{"x":[1,{"x":2}]},{"a":{"x":3,"b":4}}]"#, r#"[{},{"a":{"b":4}}]"#),
            (r#"{"\u0078":1,"X":2}"#, r#"{"X":2}"#),
            (r#"{"a":"x","b":{"x":"x"}}"#, r#"{"a":"x","b":{}}"#),
            ("{\"ż\":\"ó\",\"x\":\"ł\",\"ć\":1}", "{\"ż\":\"ó\",\"ć\":1}"),
        ] {
            assert_eq!(dropped(text, "x").as_deref(), Ok(kept), "{text}");
        }
    }

    #[test]
    fn text_of_which_nothing_is_dropped_is_borrowed_whole() {
        let text = " {\"a\" : [1e999, \"\\ud800\", {\"b\":1,\"b\":2}]} ";
        assert!(matches!(dropped(text, "x"), Ok(Cow::Borrowed(same)) if same == text));
        assert!(matches!(dropped(" 7 ", "x"), Ok(Cow::Borrowed(" 7 "))));
    }

    #[test]
    fn a_dropped_member_is_still_checked() {
        for text in
            [r#"{"x":tru}"#, r#"{"x":01}"#, r#"{"x":"\q"}"#, r#"{"x":1,}"#, r#"{"x":1}}"#, "{\"x\":\"\n\"}"]
        {
            assert!(dropped(text, "x").is_err(), "{text}");
            assert!(parse(text.as_bytes(), &Limits::EDGE).is_err(), "{text}");
        }
    }
}
