//! Values as text: canonical for digests, compact for wires, spaced for people.
//!
//! Canonical text is RFC 8785: members sorted by the UTF-16 units of their keys, no blanks, the fewest
//! escapes. The other two keep insertion order. All three are valid JSON, escape strings and write
//! numbers the same way, and read back as an equal value.
//!
//! One departure, on purpose: RFC 8785 sees every number as a double, while integers here keep all their
//! 64 bits. Rounding them would give two different values one canonical text.

use super::{Json, Object};

/// How values are laid out.
struct Layout {
    order: Order,
    comma: &'static str,
    colon: &'static str,
}

enum Order {
    Insertion,
    Sorted,
}

const CANONICAL: Layout = Layout { order: Order::Sorted, comma: ",", colon: ":" };
const COMPACT: Layout = Layout { order: Order::Insertion, comma: ",", colon: ":" };
const SPACED: Layout = Layout { order: Order::Insertion, comma: ", ", colon: ": " };

impl Json {
    /// The one text that RFC 8785 gives this value: equal values have equal canonical text.
    pub fn canonical(&self) -> String {
        CANONICAL.text(self)
    }

    /// Appends the [canonical](Self::canonical) text.
    pub fn write_canonical(&self, out: &mut String) {
        CANONICAL.write(self, out);
    }

    /// Members in insertion order, no blanks.
    pub fn compact(&self) -> String {
        COMPACT.text(self)
    }

    /// Members in insertion order, a blank after each `,` and `:`.
    pub fn spaced(&self) -> String {
        SPACED.text(self)
    }
}

impl Layout {
    fn text(&self, value: &Json) -> String {
        let mut text = String::new();
        self.write(value, &mut text);
        text
    }

    fn write(&self, value: &Json, out: &mut String) {
        match value {
            Json::Null => out.push_str("null"),
            Json::Bool(true) => out.push_str("true"),
            Json::Bool(false) => out.push_str("false"),
            Json::Number(number) => out.push_str(&number.to_string()),
            Json::String(text) => write_string(text, out),
            Json::Array(items) => self.write_array(items, out),
            Json::Object(object) => self.write_object(object, out),
        }
    }

    fn write_array(&self, items: &[Json], out: &mut String) {
        out.push('[');
        let mut separator = "";
        for item in items {
            out.push_str(separator);
            self.write(item, out);
            separator = self.comma;
        }
        out.push(']');
    }

    fn write_object(&self, object: &Object, out: &mut String) {
        match self.order {
            Order::Insertion => self.write_members(object.iter(), out),
            Order::Sorted => {
                let mut members: Vec<_> = object.iter().collect();
                members.sort_unstable_by(|(a, _), (b, _)| utf16_units(a).cmp(utf16_units(b)));
                self.write_members(members.into_iter(), out);
            }
        }
    }

    fn write_members<'a>(&self, members: impl Iterator<Item = (&'a str, &'a Json)>, out: &mut String) {
        out.push('{');
        let mut separator = "";
        for (key, value) in members {
            out.push_str(separator);
            write_string(key, out);
            out.push_str(self.colon);
            self.write(value, out);
            separator = self.comma;
        }
        out.push('}');
    }
}

/// Bytes that compare as the UTF-16 units of the text do.
///
/// UTF-8 compares by code point, and so does UTF-16 but for one thing: characters beyond U+FFFF are
/// written with surrogates, which come before U+E000. Moving the lead bytes of U+E000 to U+FFFF behind
/// all others says the same without converting.
fn utf16_units(text: &str) -> impl Iterator<Item = u8> {
    text.bytes().map(|byte| match byte {
        0xee | 0xef => byte + 0x10,
        _ => byte,
    })
}

/// Appends `text` as a JSON string with its quotes, escaping only what must be: `"`, `\` and control
/// characters, by their short escapes where JSON has one. All else is written as it is.
///
/// ```
/// let mut out = String::new();
/// placet_engine::json::write_string("a \"quoted\" żuk\n", &mut out);
/// assert_eq!(out, r#""a \"quoted\" żuk\n""#);
/// ```
pub fn write_string(text: &str, out: &mut String) {
    let must_be_escaped = |byte| matches!(byte, b'"' | b'\\' | 0..=0x1f);
    out.push('"');
    let mut rest = text;
    // The byte found is ASCII, so the text can always be split before it.
    while let Some((plain, tail)) =
        rest.bytes().position(must_be_escaped).and_then(|at| rest.split_at_checked(at))
    {
        out.push_str(plain);
        let mut tail = tail.chars();
        if let Some(character) = tail.next() {
            write_escape(character, out);
        }
        rest = tail.as_str();
    }
    out.push_str(rest);
    out.push('"');
}

fn write_escape(character: char, out: &mut String) {
    out.push('\\');
    match character {
        '"' | '\\' => out.push(character),
        '\u{8}' => out.push('b'),
        '\t' => out.push('t'),
        '\n' => out.push('n'),
        '\u{c}' => out.push('f'),
        '\r' => out.push('r'),
        _ => out.push_str(&format!("u{:04x}", u32::from(character))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(text: &str) -> String {
        let mut out = String::new();
        write_string(text, &mut out);
        out
    }

    #[test]
    fn a_string_escapes_only_what_it_must() {
        for (text, wanted) in [
            ("", r#""""#),
            ("plain / text", r#""plain / text""#),
            ("\"\\\"", r#""\"\\\"""#),
            ("\u{8}\t\n\u{c}\r", r#""\b\t\n\f\r""#),
            ("\u{0}\u{b}\u{1f}", r#""\u0000\u000b\u001f""#),
            ("\u{7f}\u{80}\u{2028}😂é", "\"\u{7f}\u{80}\u{2028}😂é\""),
        ] {
            assert_eq!(written(text), wanted, "{text:?}");
        }
    }

    #[test]
    fn canonical_text_sorts_by_utf16_at_every_depth() {
        // The keys of RFC 8785, section 3.2.3, in the order that it gives.
        let sorted = ["\r", "1", "\u{80}", "ö", "€", "😂", "\u{fb33}"];
        let object: Object = sorted.iter().rev().map(|key| ((*key).to_owned(), Json::Null)).collect();
        let nested =
            Json::from(vec![Json::from(Object::from([("b", Json::from(object)), ("a", Json::Null)]))]);
        assert_eq!(
            nested.canonical(),
            "[{\"a\":null,\"b\":{\"\\r\":null,\"1\":null,\"\u{80}\":null,\"ö\":null,\"€\":null,\"😂\":null,\"\u{fb33}\":null}}]"
        );
    }

    #[test]
    fn keys_compare_as_their_utf16_units_do() {
        let ends = ['\0', 'a', '\u{7f}', '\u{80}', '\u{7ff}', '\u{800}', '\u{d7ff}', '\u{e000}', '\u{efff}'];
        let more = ['\u{f000}', '\u{fffd}', '\u{ffff}', '\u{10000}', '\u{40000}', '\u{fffff}', '\u{10ffff}'];
        let mut keys = vec![String::new()];
        for first in ends.into_iter().chain(more) {
            keys.push(first.to_string());
            keys.extend(ends.into_iter().chain(more).map(|second| format!("{first}{second}")));
        }
        for a in &keys {
            for b in &keys {
                assert_eq!(
                    utf16_units(a).cmp(utf16_units(b)),
                    a.encode_utf16().cmp(b.encode_utf16()),
                    "{a:?} {b:?}"
                );
            }
        }
    }

    #[test]
    fn compact_and_spaced_text_keep_the_order_of_insertion() {
        let value = Json::from(Object::from([
            ("tool", Json::from("żuk")),
            ("args", Json::from(vec![Json::from(1), Json::from(true), Json::Null])),
            ("none", Json::from(Object::new())),
        ]));
        assert_eq!(value.compact(), r#"{"tool":"żuk","args":[1,true,null],"none":{}}"#);
        assert_eq!(value.spaced(), r#"{"tool": "żuk", "args": [1, true, null], "none": {}}"#);
        assert_eq!(value.to_string(), value.compact());
        let mut out = String::from("digest of ");
        value.write_canonical(&mut out);
        assert_eq!(out, r#"digest of {"args":[1,true,null],"none":{},"tool":"żuk"}"#);
    }

    #[test]
    fn an_integer_keeps_its_64_bits_in_canonical_text() {
        assert_eq!(Json::from(9_007_199_254_740_993_i64).canonical(), "9007199254740993");
        assert_eq!(Json::from(i64::MIN).canonical(), "-9223372036854775808");
    }
}
