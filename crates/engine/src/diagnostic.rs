//! Findings: what is wrong in a text that a person wrote, where, and what to write instead.
//!
//! A [`Finding`] is plain data; [`render`] turns findings into the lines that a terminal shows. Everything
//! shown passes through [`inert`], since names, commands and comments of the file may come from elsewhere:
//! what cannot be seen, or would move what can, is written out as `\u{202e}`.
//!
//! Not here: colour, and deciding what is wrong. Start at [`Finding::error`].

use std::{borrow::Cow, fmt, ops::Range};

/// Something to say about a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Whether the text can be used all the same.
    pub severity: Severity,
    /// What is wrong: one line, lower case, no full stop.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
    /// The bytes it is about.
    pub at: Option<Range<usize>>,
}

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// The text cannot be used.
    Error,
    /// The text can be used, but probably does not say what was meant.
    Warning,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Severity::Error => "error",
            Severity::Warning => "warning",
        })
    }
}

impl Finding {
    /// An error, so far without a place or a help.
    pub fn error(message: impl Into<String>) -> Self {
        Self { severity: Severity::Error, message: message.into(), help: None, at: None }
    }

    /// A warning, so far without a place or a help.
    pub fn warning(message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, message: message.into(), help: None, at: None }
    }

    /// With what to do about it.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// With the bytes it is about.
    #[must_use]
    pub fn at(mut self, at: Range<usize>) -> Self {
        self.at = Some(at);
        self
    }

    /// Whether it makes the text unusable.
    pub fn is_error(&self) -> bool {
        match self.severity {
            Severity::Error => true,
            Severity::Warning => false,
        }
    }
}

/// Shows findings as a terminal does, with an empty line between two.
///
/// ```
/// # use placet_engine::diagnostic::{Finding, render};
/// let found = Finding::error("unknown level `wrte`").at(11..15).help("did you mean `write`?");
/// assert_eq!(render(&[found], "placet.toml", "levels = [\"wrte\"]"), "\
/// error: unknown level `wrte`
///   ╭─[placet.toml:1:12]
/// 1 │ levels = [\"wrte\"]
///   ·            ─┬──  help: did you mean `write`?
/// ");
/// ```
pub fn render(findings: &[Finding], file_name: &str, source: &str) -> String {
    let mut out = String::new();
    for finding in findings {
        if !out.is_empty() {
            out.push('\n');
        }
        out.push_str(&format!("{}: {}\n", finding.severity, inert(&finding.message)));
        let help = finding.help.as_deref().map(|help| format!("help: {}", inert(help)));
        match &finding.at {
            Some(at) => out.push_str(&Place::of(at, source).drawn(file_name, help.as_deref())),
            None => help.into_iter().for_each(|help| out.push_str(&format!("{help}\n"))),
        }
    }
    out
}

/// The part of one line that a finding points at, each piece as it is shown.
struct Place {
    line: usize,
    column: usize,
    before: String,
    marked: String,
    after: String,
}

impl Place {
    /// The most characters of a line that are shown before, under and after the mark: a file of one long
    /// line must not become a screen of it.
    const SHOWN_MAX: usize = 80;

    fn of(at: &Range<usize>, source: &str) -> Self {
        let (head, tail) = split_near(source, at.start);
        let line = head.bytes().filter(|byte| *byte == b'\n').count() + 1;
        let before = head.rsplit('\n').next().unwrap_or_default();
        let rest = tail.split('\n').next().unwrap_or_default();
        let rest = rest.strip_suffix('\r').unwrap_or(rest);
        let (marked, after) = split_near(rest, at.end.saturating_sub(head.len()));
        Self {
            line,
            column: before.chars().count() + 1,
            before: last_of(&shown(before), Self::SHOWN_MAX),
            marked: first_of(&shown(marked), Self::SHOWN_MAX),
            after: first_of(&shown(after), Self::SHOWN_MAX),
        }
    }

    fn drawn(&self, file_name: &str, help: Option<&str>) -> String {
        let Self { line, column, before, marked, after } = self;
        let number = line.to_string();
        let gutter = " ".repeat(number.len());
        let indent = " ".repeat(before.chars().count());
        let width = marked.chars().count().max(1);
        let left = "─".repeat((width - 1) / 2);
        let right = "─".repeat(width / 2);
        let text = format!("{number} │ {before}{marked}{after}");
        let help = help.map(|help| format!("  {help}")).unwrap_or_default();
        format!(
            "{gutter} ╭─[{}:{line}:{column}]\n{}\n{gutter} · {indent}{left}┬{right}{help}\n",
            inert(file_name),
            text.trim_end(),
        )
    }
}

/// The text before and after `at`, or else after the last character that ends before it.
fn split_near(text: &str, at: usize) -> (&str, &str) {
    (0..=at.min(text.len())).rev().find_map(|at| text.split_at_checked(at)).unwrap_or((text, ""))
}

/// A piece of a line, one column for each tab.
fn shown(text: &str) -> String {
    inert(&text.replace('\t', " ")).into_owned()
}

/// The text, or its first `max` characters, the last of which then says that there is more.
pub(crate) fn first_of(text: &str, max: usize) -> String {
    match text.char_indices().nth(max) {
        None => text.to_owned(),
        Some(_) => text.chars().take(max.saturating_sub(1)).chain(['…']).collect(),
    }
}

fn last_of(text: &str, max: usize) -> String {
    let length = text.chars().count();
    if length <= max {
        return text.to_owned();
    }
    ['…'].into_iter().chain(text.chars().skip(length - max + 1)).collect()
}

/// The text with everything that cannot be seen, or that moves what can, written out: `\u{202e}`.
///
/// That is control characters (line feed and tab among them), format and bidirectional characters, those of
/// no width, separators of lines and paragraphs, selectors of variants, tags, and private or never assigned
/// ones. A backslash stays as it is: the result is for reading, not for decoding.
///
/// ```
/// # use placet_engine::diagnostic::inert;
/// assert_eq!(inert("crm\u{202e}/dnufer\n"), r"crm\u{202e}/dnufer\u{a}");
/// ```
pub fn inert(text: &str) -> Cow<'_, str> {
    written_out(text, acts)
}

/// As [`inert`], but a line feed stays a line feed, for text that may have lines of its own.
pub fn inert_lines(text: &str) -> Cow<'_, str> {
    written_out(text, |char| char != '\n' && acts(char))
}

fn written_out(text: &str, acts: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.contains(&acts) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for char in text.chars() {
        if acts(char) {
            out.push_str(&format!("\\u{{{:x}}}", u32::from(char)));
        } else {
            out.push(char);
        }
    }
    Cow::Owned(out)
}

/// Whether a character does something other than to be seen.
pub(crate) fn acts(char: char) -> bool {
    let code = u32::from(char);
    let noncharacter = code & 0xFFFE == 0xFFFE;
    noncharacter || ACTING.iter().any(|(first, last)| (*first..=*last).contains(&code))
}

/// Ranges of [`acts`], first and last: general categories Cc, Cf, Zl, Zp and Co, all of `Bidi_Control` and
/// `Default_Ignorable_Code_Point` (with the unassigned ones), and the noncharacters of the first plane.
const ACTING: [(u32, u32); 32] = [
    (0x0000, 0x001F),    // controls of C0
    (0x007F, 0x009F),    // delete, and controls of C1
    (0x00AD, 0x00AD),    // soft hyphen
    (0x034F, 0x034F),    // combining grapheme joiner
    (0x0600, 0x0605),    // Arabic number signs
    (0x061C, 0x061C),    // Arabic letter mark
    (0x06DD, 0x06DD),    // Arabic end of ayah
    (0x070F, 0x070F),    // Syriac abbreviation mark
    (0x0890, 0x0891),    // Arabic pound and piastre marks
    (0x08E2, 0x08E2),    // Arabic disputed end of ayah
    (0x115F, 0x1160),    // Hangul fillers
    (0x17B4, 0x17B5),    // Khmer inherent vowels
    (0x180B, 0x180F),    // Mongolian variation selectors and vowel separator
    (0x200B, 0x200F),    // zero width, left-to-right and right-to-left marks
    (0x2028, 0x202E),    // line and paragraph separators, embeddings and overrides
    (0x2060, 0x206F),    // word joiner, invisible operators, isolates
    (0x3164, 0x3164),    // Hangul filler
    (0xE000, 0xF8FF),    // private use
    (0xFDD0, 0xFDEF),    // noncharacters
    (0xFE00, 0xFE0F),    // variation selectors
    (0xFEFF, 0xFEFF),    // byte order mark
    (0xFFA0, 0xFFA0),    // halfwidth Hangul filler
    (0xFFF0, 0xFFFB),    // unassigned, and interlinear annotation
    (0x110BD, 0x110BD),  // Kaithi number sign
    (0x110CD, 0x110CD),  // Kaithi number sign above
    (0x13430, 0x1345F),  // Egyptian hieroglyph format controls
    (0x16FE4, 0x16FE4),  // Khitan small script filler
    (0x1BCA0, 0x1BCA3),  // shorthand format controls
    (0x1D159, 0x1D159),  // musical null notehead
    (0x1D173, 0x1D17A),  // musical beams, ties, slurs
    (0xE0000, 0xE0FFF),  // tags, variation selectors, and what is reserved beside them
    (0xF0000, 0x10FFFF), // private use
];

/// The candidate that was probably meant by `word`, if one is near: at most a third of the word's letters
/// (and always one) are missing, too many, other, or swapped with their neighbour.
///
/// Between candidates that are equally near, the first wins.
pub fn did_you_mean<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word: Vec<char> = word.chars().take(WORD_MAX + 1).collect();
    let most = (word.len() / 3).max(1);
    let mut best = None;
    for candidate in candidates {
        let letters: Vec<char> = candidate.chars().take(WORD_MAX + 1).collect();
        if word.len().max(letters.len()) > WORD_MAX || word.len().abs_diff(letters.len()) > most {
            continue;
        }
        let distance = distance(&word, &letters);
        if distance <= most && best.is_none_or(|(nearest, _)| distance < nearest) {
            best = Some((distance, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

/// The longest word that is compared, a server's and a tool's name with room to spare. The work for one pair
/// grows with the square of it.
const WORD_MAX: usize = 200;

/// The Damerau-Levenshtein distance, restricted: no letter is edited twice.
fn distance(left: &[char], right: &[char]) -> usize {
    let mut before: Vec<usize> = Vec::new();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (i, l) in left.iter().enumerate() {
        let mut next = Vec::with_capacity(row.len());
        next.push(i + 1);
        for (j, r) in right.iter().enumerate() {
            let cell = |row: &[usize], at: usize| row.get(at).copied().unwrap_or(usize::MAX - 1);
            let mut least =
                (cell(&row, j) + usize::from(l != r)).min(cell(&row, j + 1) + 1).min(cell(&next, j) + 1);
            let swapped = i.checked_sub(1).zip(j.checked_sub(1));
            if let Some((above, aside)) = swapped
                && left.get(above) == Some(r)
                && right.get(aside) == Some(l)
            {
                least = least.min(cell(&before, aside) + 1);
            }
            next.push(least);
        }
        before = std::mem::replace(&mut row, next);
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SOURCE: &str =
        "#\n#\n#\n#\n#\n#\n#\n#\n#\n#\n[agents.support]\nlevels = [\"read\"]\n\nallow = [\"crm/refnd\"]\n";

    #[test]
    fn a_finding_shows_the_line_the_place_and_the_way_on() {
        let at = SOURCE.find("crm/refnd").unwrap();
        let found = Finding::error("tool `crm/refnd` is not in the catalogue")
            .at(at..at + 9)
            .help("did you mean `crm/refund`?");
        assert_eq!(
            render(&[found], "placet.toml", SOURCE),
            "\
error: tool `crm/refnd` is not in the catalogue
   ╭─[placet.toml:14:11]
14 │ allow = [\"crm/refnd\"]
   ·           ────┬────  help: did you mean `crm/refund`?
"
        );
    }

    #[test]
    fn a_finding_without_a_place_has_only_its_message_and_its_help() {
        let findings = [Finding::error("the file is empty"), Finding::warning("no agents").help("add one")];
        assert_eq!(
            render(&findings, "placet.toml", ""),
            "error: the file is empty\n\nwarning: no agents\nhelp: add one\n"
        );
    }

    #[test]
    fn marks_of_every_width_stand_under_what_they_mark() {
        for (source, at, want) in [
            ("abc", 0..1, "  ╭─[f:1:1]\n1 │ abc\n  · ┬\n"),
            ("abc", 1..1, "  ╭─[f:1:2]\n1 │ abc\n  ·  ┬\n"),
            ("abc", 0..2, "  ╭─[f:1:1]\n1 │ abc\n  · ┬─\n"),
            ("abc", 0..3, "  ╭─[f:1:1]\n1 │ abc\n  · ─┬─\n"),
            ("abc", 3..3, "  ╭─[f:1:4]\n1 │ abc\n  ·    ┬\n"),
            ("\ta b", 1..2, "  ╭─[f:1:2]\n1 │  a b\n  ·  ┬\n"),
            ("äö = 1", 7..8, "  ╭─[f:1:6]\n1 │ äö = 1\n  ·      ┬\n"),
            ("a\nbcd\ne", 3..6, "  ╭─[f:2:2]\n2 │ bcd\n  ·  ┬─\n"),
            ("a\r\nb\r\n", 3..4, "  ╭─[f:2:1]\n2 │ b\n  · ┬\n"),
            ("a\n", 2..2, "  ╭─[f:2:1]\n2 │\n  · ┬\n"),
            ("", 0..0, "  ╭─[f:1:1]\n1 │\n  · ┬\n"),
            ("\u{1b}x", 1..2, "  ╭─[f:1:2]\n1 │ \\u{1b}x\n  ·       ┬\n"),
        ] {
            let drawn = render(&[Finding::error("e").at(at.clone())], "f", source);
            assert_eq!(drawn, format!("error: e\n{want}"), "{source:?} at {at:?}");
        }
    }

    #[test]
    fn a_long_line_is_shown_around_the_mark() {
        let source = format!("{}MARK{}", "a".repeat(5000), "b".repeat(5000));
        let drawn = render(&[Finding::error("e").at(5000..5004)], "f", &source);
        let before = format!("…{}", "a".repeat(79));
        let after = format!("{}…", "b".repeat(79));
        let marks = " ".repeat(80);
        assert_eq!(drawn, format!("error: e\n  ╭─[f:1:5001]\n1 │ {before}MARK{after}\n  · {marks}─┬──\n"));
    }

    #[test]
    fn whatever_acts_is_written_out() {
        for (text, want) in [
            ("plain text, `quotes` and ünïcödé 漢字 🦀", "plain text, `quotes` and ünïcödé 漢字 🦀"),
            ("\u{1b}[31mred", r"\u{1b}[31mred"),
            ("a\nb\tc\r\0\u{7f}\u{9b}", r"a\u{a}b\u{9}c\u{d}\u{0}\u{7f}\u{9b}"),
            ("\u{202e}\u{2066}\u{200f}\u{61c}", r"\u{202e}\u{2066}\u{200f}\u{61c}"),
            ("\u{200b}\u{feff}\u{ad}\u{2028}\u{2029}", r"\u{200b}\u{feff}\u{ad}\u{2028}\u{2029}"),
            ("\u{e0041}\u{e0100}\u{fe0f}\u{e000}", r"\u{e0041}\u{e0100}\u{fe0f}\u{e000}"),
            ("\u{10ffff}\u{f0000}\u{fffe}\u{1ffff}", r"\u{10ffff}\u{f0000}\u{fffe}\u{1ffff}"),
            (
                "\u{3164}\u{ffa0}\u{115f}\u{17b4}\u{180e}\u{34f}",
                r"\u{3164}\u{ffa0}\u{115f}\u{17b4}\u{180e}\u{34f}",
            ),
        ] {
            assert_eq!(inert(text), want);
        }
        assert_eq!(inert_lines("a\n\tb\u{2028}"), "a\n\\u{9}b\\u{2028}");
    }

    #[test]
    fn the_ranges_stand_in_order_and_apart() {
        for (left, right) in ACTING.iter().zip(ACTING.iter().skip(1)) {
            assert!(left.0 <= left.1 && left.1 < right.0, "{left:x?} {right:x?}");
        }
    }

    #[test]
    fn the_nearest_word_is_proposed_and_a_far_one_is_not() {
        let levels = || ["read", "write", "execute", "delete"];
        for (word, want) in [
            ("wrte", Some("write")),
            ("raed", Some("read")),
            ("reads", Some("read")),
            ("delte", Some("delete")),
            ("exeucte", Some("execute")),
            ("admin", None),
            ("", None),
            ("reading books", None),
        ] {
            assert_eq!(did_you_mean(word, levels()), want, "{word:?}");
        }
        assert_eq!(did_you_mean("b", ["a", "c"]), Some("a"));
        assert_eq!(did_you_mean("ca", ["abc"]), None, "restricted: no letter is edited twice");
        assert_eq!(did_you_mean(&"a".repeat(5000), [&*"a".repeat(5000)]), None);
    }

    proptest! {
        #[test]
        fn what_is_shown_of_any_text_never_acts(text in any::<String>(), start in 0usize..40, end in 0usize..40)
        {
            prop_assert!(!inert(&text).contains(acts));
            prop_assert!(!inert_lines(&text).contains(|char| char != '\n' && acts(char)));
            let drawn = render(&[Finding::warning(&text).help(&text).at(start..end)], &text, &text);
            prop_assert!(!drawn.contains(|char| char != '\n' && acts(char)));
            prop_assert_eq!(drawn.lines().count(), 4);
        }

        #[test]
        fn distance_is_that_of_the_plain_definition(left in "[ab]{0,6}", right in "[ab]{0,6}") {
            let (left, right): (Vec<char>, Vec<char>) = (left.chars().collect(), right.chars().collect());
            prop_assert_eq!(distance(&left, &right), plain(&left, &right));
            prop_assert_eq!(distance(&left, &right), distance(&right, &left));
        }
    }

    fn plain(left: &[char], right: &[char]) -> usize {
        let (Some((l, left_rest)), Some((r, right_rest))) = (left.split_last(), right.split_last()) else {
            return left.len().max(right.len());
        };
        let mut least = (plain(left_rest, right_rest) + usize::from(l != r))
            .min(plain(left_rest, right) + 1)
            .min(plain(left, right_rest) + 1);
        if let ([.., a, b], [.., c, d]) = (left, right)
            && a == d
            && b == c
        {
            least = least.min(plain(&left[..left.len() - 2], &right[..right.len() - 2]) + 1);
        }
        least
    }
}
