//! Editing a client's file as text: what is changed is a span, and every byte outside it stays.
//!
//! Clients write JSON, and people put comments and trailing commas into it. [`Document`] keeps two pictures of
//! such a text beside it, of the same length: one without comments, and one that is plain JSON. The strict parser
//! reads the plain one, and where something stands there, it stands in the text. An edit that does not read back
//! as what was meant is not made.
//!
//! Not here: what an entry means (`client.rs`), and writing files (`replace.rs`). Start at [`Document::read`];
//! [`rewire`] is the one change that is ever made to an entry.

use std::ops::Range;

use placet_engine::json::{Json, Limits, Object, ParseError, parse, raw, write_string};

/// A whole file: clients keep more than servers in it, and years of it.
const FILE: Limits = Limits { bytes: 64 << 20, depth: 128, members: 100_000, key_bytes: 64 << 10 };

/// The keys under which clients keep their servers, in the order in which they are looked for.
pub(super) const SERVERS: [&str; 2] = ["mcpServers", "servers"];

/// A text of JSON, perhaps with comments, trailing commas and a byte order mark.
#[derive(Debug)]
pub(super) struct Document<'t> {
    text: &'t str,
    /// The text with blanks in place of comments and of the byte order mark.
    bare: String,
    /// The text with blanks in place of trailing commas, too: plain JSON.
    plain: String,
}

/// A member of an object, and where it stands in the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Member {
    /// The key, unescaped.
    pub(super) key: String,
    /// Where the key begins.
    pub(super) start: usize,
    /// Where the value stands.
    pub(super) value: Range<usize>,
}

/// One replacement in a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Splice {
    pub(super) at: Range<usize>,
    pub(super) with: String,
}

impl<'t> Document<'t> {
    /// Takes a text apart.
    ///
    /// # Errors
    ///
    /// What is wrong with it, for a person: it is not one JSON object, or its outermost object has a key twice.
    pub(super) fn read(text: &'t str) -> Result<Self, String> {
        let bare = without_comments(text)?;
        let plain = without_trailing_commas(&bare);
        let document = Self { text, bare, plain };
        document.members(0..text.len()).map_err(|error| error.to_string())?;
        Ok(document)
    }

    /// The text of a span.
    pub(super) fn text(&self, at: &Range<usize>) -> &'t str {
        self.text.get(at.clone()).unwrap_or_default()
    }

    /// The value of a span, read strictly.
    pub(super) fn json(&self, at: &Range<usize>) -> Result<Json, ParseError> {
        parse(self.plain.get(at.clone()).unwrap_or_default().as_bytes(), &Limits::EDGE)
    }

    /// The members of the object of a span, in order. A key that stands twice is an error.
    pub(super) fn members(&self, object: Range<usize>) -> Result<Vec<Member>, ParseError> {
        let plain = self.plain.get(object.clone()).unwrap_or_default();
        let mut end = plain.find('{').map_or(0, |brace| brace + 1);
        let mut members = Vec::new();
        for raw::RawMember { key, value } in raw::members(plain, &FILE)? {
            // The slice is one of `plain`, so its place is the distance between the two.
            let begin = value.as_ptr().addr() - plain.as_ptr().addr();
            // Between two values stand blanks, one comma, and the key: its quote is the first.
            let quote = plain.get(end..begin).and_then(|between| between.find('"')).unwrap_or_default();
            let start = object.start + end + quote;
            end = begin + value.len();
            let value = object.start + begin..object.start + end;
            members.push(Member { key: key.into_owned(), start, value });
        }
        Ok(members)
    }

    /// The key under which the servers stand, and their entries.
    ///
    /// # Errors
    ///
    /// What is missing or wrong, for a person.
    pub(super) fn servers(&self) -> Result<(&'static str, Vec<Member>), String> {
        let root = self.members(0..self.text.len()).map_err(|error| error.to_string())?;
        let found =
            SERVERS.iter().find_map(|key| Some((*key, root.iter().find(|member| member.key == *key)?)));
        let (key, member) = found.ok_or("it has no `mcpServers`")?;
        let entries = self.members(member.value.clone()).map_err(|error| format!("`{key}`: {error}"))?;
        Ok((key, entries))
    }

    /// The entry of this name among the servers.
    ///
    /// # Errors
    ///
    /// As [`Document::servers`].
    pub(super) fn entry(&self, name: &str) -> Result<Option<Member>, String> {
        Ok(self.servers()?.1.into_iter().find(|member| member.key == name))
    }

    /// Cuts a member with one comma. Comments beside it stay.
    fn cut(&self, member: &Member, before: usize) -> Vec<Splice> {
        let blank = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\r' | b'\n');
        let bytes = self.bare.as_bytes();
        let after = bytes.iter().skip(member.value.end).position(|byte| !blank(byte));
        let after = after.map(|at| member.value.end + at).filter(|at| bytes.get(*at) == Some(&b','));
        let comma = after.or_else(|| {
            let between = self.bare.get(before..member.start).unwrap_or_default();
            between.find(',').map(|at| before + at)
        });
        // A line of the member's own goes whole. If a comment shares it, the comment stays where it is: a line
        // feed that ends an earlier comment must not go.
        let text = self.text.as_bytes();
        let byte_before = |at: usize| text.get(at.wrapping_sub(1)).copied().filter(|_| at > before);
        let mut start = member.start;
        while matches!(byte_before(start), Some(b' ' | b'\t')) {
            start -= 1;
        }
        let rest = text.get(after.map_or(member.value.end, |comma| comma + 1)..).unwrap_or_default();
        let next = rest.iter().find(|byte| !matches!(byte, b' ' | b'\t'));
        if byte_before(start) == Some(b'\n') {
            if matches!(next, Some(b'\r' | b'\n')) {
                start -= 1;
                start -= usize::from(byte_before(start) == Some(b'\r'));
            } else {
                start = member.start;
            }
        }
        let mut cuts = vec![Splice { at: start..member.value.end, with: String::new() }];
        cuts.extend(comma.map(|comma| Splice { at: comma..comma + 1, with: String::new() }));
        cuts
    }
}

/// The text with these replacements made; they must not overlap.
pub(super) fn splice(text: &str, mut splices: Vec<Splice>) -> Option<String> {
    splices.sort_by_key(|splice| (splice.at.start, splice.at.end));
    let mut out = String::with_capacity(text.len());
    let mut done = 0;
    for Splice { at, with } in splices {
        out.push_str(text.get(done..at.start)?);
        out.push_str(&with);
        done = at.end;
    }
    out.push_str(text.get(done..)?);
    Some(out)
}

/// What is started in place of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wiring {
    /// The entry's name in the client's file.
    pub(super) entry: String,
    /// The program.
    pub(super) command: String,
    /// Its arguments.
    pub(super) args: Vec<String>,
}

/// Gives entries another command and other arguments, and takes their `env` out. Returns the text, and the value
/// that each entry then has.
///
/// # Errors
///
/// If the text cannot be read, or would not mean what was meant.
pub(super) fn rewire(text: &str, wirings: &[Wiring]) -> Result<(String, Vec<Json>), String> {
    let document = Document::read(text)?;
    let mut splices = Vec::new();
    let mut meant = Vec::new();
    for wiring in wirings {
        let entry = document.entry(&wiring.entry)?;
        let entry = entry.ok_or_else(|| format!("there is no entry `{}` any more", wiring.entry))?;
        let wrong = |error: ParseError| format!("entry `{}`: {error}", wiring.entry);
        let mut value = document.json(&entry.value).map_err(wrong)?;
        let members = document.members(entry.value.clone()).map_err(wrong)?;
        splices.extend(of_entry(&document, &entry, &members, wiring));
        let object = value.as_object_mut().ok_or_else(|| format!("entry `{}` is no object", wiring.entry))?;
        wired(object, wiring);
        meant.push(value);
    }
    let edited = splice(text, splices).ok_or("the changes overlap; this is a bug")?;
    let again = Document::read(&edited)?;
    for (wiring, meant) in wirings.iter().zip(&meant) {
        let entry = again.entry(&wiring.entry)?;
        if entry.and_then(|entry| again.json(&entry.value).ok()).as_ref() != Some(meant) {
            return Err(format!("entry `{}` cannot be edited so that it means what is meant", wiring.entry));
        }
    }
    Ok((edited, meant))
}

/// The entry as it will be read.
fn wired(entry: &mut Object, wiring: &Wiring) {
    entry.insert("command", wiring.command.as_str());
    entry.insert("args", wiring.args.iter().map(|word| Json::from(word.as_str())).collect::<Vec<_>>());
    entry.remove("env");
}

fn of_entry(document: &Document<'_>, entry: &Member, members: &[Member], wiring: &Wiring) -> Vec<Splice> {
    let mut splices = Vec::new();
    let args = format!("[{}]", wiring.args.iter().map(|word| literal(word)).collect::<Vec<_>>().join(", "));
    let has_args = members.iter().any(|member| member.key == "args");
    let mut before = entry.value.start + 1;
    for member in members {
        match member.key.as_str() {
            "command" => {
                let mut with = literal(&wiring.command);
                if !has_args {
                    let gap = document.text(&(before..member.start));
                    let gap = gap.get(gap.trim_end().len()..).unwrap_or_default();
                    with.push_str(&format!(",{gap}\"args\": {args}"));
                }
                splices.push(Splice { at: member.value.clone(), with });
            }
            "args" => splices.push(Splice { at: member.value.clone(), with: args.clone() }),
            "env" => splices.extend(document.cut(member, before)),
            _ => {}
        }
        before = member.value.end;
    }
    splices
}

/// A text as JSON writes it.
pub(super) fn literal(text: &str) -> String {
    let mut out = String::new();
    write_string(text, &mut out);
    out
}

/// Blanks, as many bytes as before, in place of comments and of a byte order mark.
fn without_comments(text: &str) -> Result<String, String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    if let Some(after) = rest.strip_prefix('\u{feff}') {
        out.push_str("   ");
        rest = after;
    }
    while let Some(first) = rest.chars().next() {
        let (piece, kept) = if first == '"' {
            (string(rest), true)
        } else if rest.starts_with("//") {
            (rest.find(['\n', '\r']).unwrap_or(rest.len()), false)
        } else if rest.starts_with("/*") {
            let close = rest.get(2..).and_then(|inner| inner.find("*/"));
            let close = close.ok_or_else(|| {
                format!("the comment at byte {} does not end", text.len().saturating_sub(rest.len()))
            })?;
            (close + 4, false)
        } else {
            (first.len_utf8(), true)
        };
        let (piece, after) = rest.split_at_checked(piece).unwrap_or((rest, ""));
        if kept {
            out.push_str(piece);
        } else {
            out.extend(piece.bytes().map(|byte| if byte == b'\n' { '\n' } else { ' ' }));
        }
        rest = after;
    }
    Ok(out)
}

/// The bytes of the string that begins here, its quotes included; all that is left if it does not end.
fn string(rest: &str) -> usize {
    let mut escaped = false;
    for (at, byte) in rest.bytes().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return at + 1,
            _ => {}
        }
    }
    rest.len()
}

/// A blank in place of each comma that only blanks separate from the bracket after it, and that follows a value.
fn without_trailing_commas(bare: &str) -> String {
    let mut out = String::with_capacity(bare.len());
    let mut rest = bare;
    let mut last = '{';
    while let Some(first) = rest.chars().next() {
        let piece = if first == '"' { string(rest) } else { first.len_utf8() };
        let (piece, after) = rest.split_at_checked(piece).unwrap_or((rest, ""));
        let closes = || after.trim_start_matches([' ', '\t', '\r', '\n']).starts_with(['}', ']']);
        if first == ',' && !matches!(last, ',' | '{' | '[' | ':') && closes() {
            out.push(' ');
        } else {
            out.push_str(piece);
        }
        if !matches!(first, ' ' | '\t' | '\r' | '\n') {
            last = first;
        }
        rest = after;
    }
    out
}

#[cfg(test)]
pub(super) mod tests;
