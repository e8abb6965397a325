//! Which resources a client may name: globs over URIs, read as carefully as a server might read them wrongly.
//!
//! A server may resolve `..`, decode `%2e`, or take `\` for `/`. A URI of which another reading leads elsewhere
//! than its text is one that no glob covers. Where globs are set this holds at every place where a method carries
//! a URI: [`allowed`].

use placet_engine::json::{Json, Object};

use super::methods::{Kind, Method};

/// How often an encoding is taken off before a URI counts as one that hides something.
const LAYERS: usize = 3;

/// Whether every URI that a request of this method carries is covered by one of the globs.
pub fn allowed(globs: &[String], method: &Method, params: &Object) -> bool {
    method.params.iter().all(|param| match (param.kind, params.get(param.name)) {
        (Kind::Uri, Some(uri)) => covered(globs, uri),
        (Kind::Reference, Some(reference)) => {
            // A prompt has no URI. What completes a template becomes a part of a URI.
            reference.get("uri").is_none_or(|uri| {
                let argument = params.get("argument").and_then(|argument| argument.get("value"));
                let context = params.get("context").and_then(|context| context.get("arguments"));
                let context = context.and_then(Json::as_object).into_iter().flat_map(Object::iter);
                let mut parts = argument.into_iter().chain(context.map(|(_, value)| value));
                covered(globs, uri) && parts.all(|part| part.as_str().is_some_and(is_plain))
            })
        }
        (Kind::Filter, Some(filter)) => filter.get("resourceSubscriptions").is_none_or(|uris| {
            uris.as_array().is_some_and(|uris| uris.iter().all(|uri| covered(globs, uri)))
        }),
        // Absent, or of a kind that carries none.
        (Kind::Uri | Kind::Reference | Kind::Filter, None)
        | (Kind::Text | Kind::Level | Kind::Object | Kind::Completed | Kind::State | Kind::Judged, _) => true,
    })
}

fn covered(globs: &[String], uri: &Json) -> bool {
    uri.as_str().is_some_and(|uri| is_plain(uri) && globs.iter().any(|glob| fits(glob, uri)))
}

/// Whether a text has one reading as (a part of) a URI: no segment that goes up or stays, not even encoded, no
/// separator in disguise, nothing that some readers of URIs leave out.
fn is_plain(text: &str) -> bool {
    if text.contains(' ') {
        return false;
    }
    let mut text = text.to_owned();
    for _ in 0..LAYERS {
        if text.contains(|letter: char| letter.is_control() || letter == '\\') {
            return false;
        }
        // Beyond `/`, what ends a segment for somebody: parameters, the query, the fragment, the scheme.
        let mut segments = text.split(['/', ';', '?', '#', ':']);
        if segments.any(|segment| matches!(segment.trim(), "." | "..")) {
            return false;
        }
        match decoded(&text) {
            // A text without an encoding is read.
            None => return true,
            Some(inner) if inner.matches('/').count() != text.matches('/').count() => return false,
            Some(inner) => text = inner,
        }
    }
    false
}

/// The text with one layer of percent-encoding taken off; none if there is nothing encoded in it.
fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    let mut found = false;
    while let Some((first, tail)) = rest.split_first() {
        let digits = tail.get(..2).filter(|_| *first == b'%').and_then(|two| std::str::from_utf8(two).ok());
        let digits = digits.filter(|two| two.bytes().all(|digit| digit.is_ascii_hexdigit()));
        match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => {
                found = true;
                bytes.push(byte);
                rest = tail.get(2..).unwrap_or_default();
            }
            None => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    found.then(|| String::from_utf8_lossy(&bytes).into_owned())
}

/// Whether a URI fits a glob: `*` is any run of characters, `?` one.
fn fits(glob: &str, uri: &str) -> bool {
    let (glob, uri): (Vec<char>, Vec<char>) = (glob.chars().collect(), uri.chars().collect());
    let (mut at, mut upto, mut star) = (0, 0, None);
    while upto < uri.len() {
        match glob.get(at) {
            Some('*') => {
                star = Some((at, upto));
                at += 1;
            }
            Some(wanted) if *wanted == '?' || Some(wanted) == uri.get(upto) => {
                at += 1;
                upto += 1;
            }
            _ => match star {
                Some((before, taken)) => {
                    star = Some((before, taken + 1));
                    at = before + 1;
                    upto = taken + 1;
                }
                None => return false,
            },
        }
    }
    glob.get(at..).unwrap_or_default().iter().all(|left| *left == '*')
}

#[cfg(test)]
mod tests {
    use placet_engine::json::{Limits, parse};

    use super::*;
    use crate::mcp::methods;

    #[test]
    fn a_uri_that_is_read_in_two_ways_is_covered_by_no_glob() {
        let globs = ["file:///srv/docs/**".to_owned()];
        for (uri, wanted) in [
            ("file:///srv/docs/a", true),
            ("file:///srv/docs/a%20b/..c/c..d/e.f", true),
            ("file:///srv/docs/...", true),
            ("file:///etc/passwd", false),
            ("FILE:///srv/docs/a", false),
            ("", false),
            ("file:///srv/docs/../../etc/passwd", false),
            ("file:///srv/docs/..", false),
            ("file:///srv/docs/./a", false),
            ("file:///srv/docs/%2e%2e/%2e%2e/etc/passwd", false),
            ("file:///srv/docs/%2E./a", false),
            ("file:///srv/docs/.%252e/a", false),
            ("file:///srv/docs/%25252525252e%25252525252e/a", false),
            ("file:///srv/docs/a%2f..%2fb", false),
            ("file:///srv/docs/a%2Fb", false),
            ("file:///srv/docs/..\\..\\etc", false),
            ("file:///srv/docs/%5c..%5c", false),
            ("file:///srv/docs/..;x=1/a", false),
            ("file:///srv/docs/..?a", false),
            ("file:///srv/docs/.\t./a", false),
            ("file:///srv/docs/.%09./a", false),
            ("file:///srv/docs/..%20/a", false),
            ("file:///srv/docs/a b", false),
            ("file:///srv/docs/a%00b", false),
        ] {
            assert_eq!(covered(&globs, &Json::from(uri)), wanted, "{uri:?}");
        }
        for other in ["[\"file:///srv/docs/a\"]", "{\"href\":\"file:///srv/docs/a\"}", "null", "7"] {
            assert!(!covered(&globs, &parse(other.as_bytes(), &Limits::EDGE).unwrap()), "{other}");
        }
    }

    #[test]
    fn globs_hold_wherever_a_method_carries_a_uri() {
        let globs = ["file:///srv/docs/**".to_owned()];
        for (method, params, wanted) in [
            ("resources/read", r#"{"uri":"file:///srv/docs/a"}"#, true),
            ("resources/read", r#"{"uri":"file:///etc/passwd"}"#, false),
            ("resources/subscribe", r#"{"uri":"file:///etc/passwd"}"#, false),
            ("resources/unsubscribe", r#"{"uri":"file:///etc/passwd"}"#, false),
            ("completion/complete", r#"{"ref":{"type":"ref/resource","uri":"file:///etc/{x}"}}"#, false),
            (
                "completion/complete",
                r#"{"ref":{"type":"ref/prompt","name":"x","uri":"file:///etc/{x}"}}"#,
                false,
            ),
            ("completion/complete", r#"{"ref":{"type":"ref/prompt","name":"x"}}"#, true),
            (
                "completion/complete",
                r#"{"ref":{"type":"ref/resource","uri":"file:///srv/docs/{x}"},"argument":{"name":"x","value":"a"}}"#,
                true,
            ),
            (
                "completion/complete",
                r#"{"ref":{"type":"ref/resource","uri":"file:///srv/docs/{x}"},"argument":{"name":"x","value":"../a"}}"#,
                false,
            ),
            (
                "completion/complete",
                r#"{"ref":{"type":"ref/resource","uri":"file:///srv/docs/{x}/{y}"},"context":{"arguments":{"y":".."}}}"#,
                false,
            ),
            ("subscriptions/listen", r#"{"notifications":{"toolsListChanged":true}}"#, true),
            (
                "subscriptions/listen",
                r#"{"notifications":{"resourceSubscriptions":["file:///srv/docs/a"]}}"#,
                true,
            ),
            (
                "subscriptions/listen",
                r#"{"notifications":{"resourceSubscriptions":["file:///srv/docs/a","file:///etc/passwd"]}}"#,
                false,
            ),
            (
                "subscriptions/listen",
                r#"{"notifications":{"resourceSubscriptions":"file:///etc/passwd"}}"#,
                false,
            ),
        ] {
            let json = parse(params.as_bytes(), &Limits::EDGE).unwrap();
            let row = methods::find(method).unwrap();
            assert_eq!(allowed(&globs, row, json.as_object().unwrap()), wanted, "{method} {params}");
        }
    }
}
