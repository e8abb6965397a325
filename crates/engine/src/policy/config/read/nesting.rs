//! How deep the brackets of a file are nested, looked at before anything is built of it.
//!
//! The TOML reader bounds the depth of brackets, and the length of a dotted key, but not the product of both:
//! a file of a few kilobytes can make it build, and then drop, a tree deeper than a thread's stack. A
//! configuration needs four levels; beyond [`DEPTH_MAX`] we do not even begin.
//!
//! Texts and comments are told apart as the TOML reader does it, also where they are not well formed, and
//! brackets that are never closed count on: too deep rather than not deep enough.

use std::ops::Range;

/// The deepest nesting of `[` and `{`.
pub(super) const DEPTH_MAX: usize = 16;

/// The first bracket that stands too deep, if one does.
pub(super) fn too_deep(source: &str) -> Option<Range<usize>> {
    let mut awaited = Vec::new();
    let mut rest = source.strip_prefix('\u{feff}').unwrap_or(source).as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        let at = source.len() - rest.len();
        rest = tail;
        match first {
            b'#' => rest = skipped(rest, |byte| !matches!(byte, b'\r' | b'\n')),
            b'"' => rest = after_basic(rest),
            b'\'' => rest = after_literal(rest),
            b'[' => awaited.push(b']'),
            b'{' => awaited.push(b'}'),
            b']' | b'}' if awaited.last() == Some(first) => {
                awaited.pop();
            }
            b']' | b'}' | b'.' | b'=' | b',' | b' ' | b'\t' | b'\r' | b'\n' => {}
            // A quote inside a bare word opens no text, and must not hide what follows it.
            _ => rest = skipped(rest, |byte| !b".=,[]{} \t#\r\n".contains(&byte)),
        }
        if awaited.len() > DEPTH_MAX {
            return Some(at..at + 1);
        }
    }
    None
}

fn skipped(text: &[u8], skip: impl Fn(u8) -> bool) -> &[u8] {
    let end = text.iter().position(|byte| !skip(*byte)).unwrap_or(text.len());
    text.get(end..).unwrap_or_default()
}

/// What follows a `"…"` or `"""…"""` of which the first quote has been read. One on a single line ends with
/// it.
fn after_basic(text: &[u8]) -> &[u8] {
    let block = text.strip_prefix(b"\"\"");
    let mut rest = block.unwrap_or(text);
    loop {
        rest = match (rest, block) {
            ([], _) => return rest,
            ([b'\\', b'\\' | b'"', tail @ ..], _) => tail,
            ([b'"', b'"', b'"', tail @ ..], Some(_)) => return two_more(tail, b'"'),
            ([b'"', tail @ ..], None) => return tail,
            ([b'\n', ..], None) => return rest,
            ([_, tail @ ..], _) => tail,
        }
    }
}

/// What follows a `'…'` or `'''…'''` of which the first quote has been read.
fn after_literal(text: &[u8]) -> &[u8] {
    let block = text.strip_prefix(b"''");
    let mut rest = block.unwrap_or(text);
    loop {
        rest = match (rest, block) {
            ([], _) => return rest,
            ([b'\'', b'\'', b'\'', tail @ ..], Some(_)) => return two_more(tail, b'\''),
            ([b'\'', tail @ ..], None) => return tail,
            ([b'\n', ..], None) => return rest,
            ([_, tail @ ..], _) => tail,
        }
    }
}

/// A block may end in up to five quotes, of which the first two belong to it.
fn two_more(text: &[u8], quote: u8) -> &[u8] {
    match text {
        [first, second, tail @ ..] if *first == quote && *second == quote => tail,
        [first, tail @ ..] if *first == quote => tail,
        [..] => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brackets_count_where_they_are_brackets() {
        let deep = "[".repeat(DEPTH_MAX + 1);
        let most = "[".repeat(DEPTH_MAX) + &"]".repeat(DEPTH_MAX);
        for (source, at) in [
            (String::new(), None),
            (format!("a = {most}\nb = {most}"), None),
            (format!("a = {deep}"), Some(20)),
            (format!("a = {{ b = {}", "[".repeat(DEPTH_MAX)), Some(25)),
            (format!("a = \"{deep}\""), None),
            (format!("a = \"\\\"{deep}\""), None),
            (format!("a = \"\\\\\" # {deep}"), None),
            (format!("a = \"\\\\\" {deep}"), Some(25)),
            (format!("a = '{deep}'"), None),
            (format!("a = '\\' {deep}"), Some(24)),
            (format!("a = \"\"\"\n\"{deep}\"\"\"\"\""), None),
            (format!("a = '''\n'{deep}'''''"), None),
            (format!("a = '''x''''' {deep}"), Some(30)),
            (format!("# {deep}\na = 1"), None),
            (format!("a = \"x\n{deep}"), Some(23)),
            (format!("# \r{deep}"), Some(19)),
            (format!("a = {{ ]{deep}"), Some(22)),
            (format!("a = b\"\"\"\n{deep}"), Some(25)),
            (format!("a = b'{deep}"), Some(22)),
            (format!("\u{feff}'{deep}' {deep}"), Some(39)),
        ] {
            assert_eq!(too_deep(&source).map(|at| at.start), at, "{source}");
        }
    }
}
