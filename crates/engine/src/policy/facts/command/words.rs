//! The words of a command, where every shell agrees about them.
//!
//! Everything that a shell might act on is refused, wherever it stands, also where this shell would leave it
//! alone: characters are on a list of what is plain, not of what is special. Quotes are the exception, since
//! texts need them. A test gives what is accepted here to a real shell and compares.

use super::Unfit;
use crate::diagnostic::acts;

/// Words at the beginning that are the shell's own grammar, in any shell.
const RESERVED: [&str; 21] = [
    "case",
    "coproc",
    "do",
    "done",
    "elif",
    "else",
    "end",
    "esac",
    "fi",
    "for",
    "foreach",
    "function",
    "if",
    "in",
    "nocorrect",
    "repeat",
    "select",
    "then",
    "time",
    "until",
    "while",
];

/// A word as far as it is read.
#[derive(Default)]
struct Word {
    text: String,
    /// Whether a part of it stood between quotes.
    is_quoted: bool,
    /// Whether an `=` stood in it outside of quotes.
    assigns: bool,
}

/// The words that a shell makes of a text.
///
/// Blanks and tabs divide; `'…'` is taken as it stands, and `"…"` too as long as it has none of `$`, a
/// backquote, `\` and `!` in it.
///
/// # Errors
///
/// [`Unfit`] for everything else: an operator, a variable, a pattern, a comment, an escape, a line break, an
/// assignment or a word of the shell's own grammar at the beginning, no word at all.
///
/// ```
/// # use placet_engine::policy::facts::command::words;
/// assert_eq!(words("git commit -m 'two words'")?, ["git", "commit", "-m", "two words"]);
/// assert!(words("git log | sh").is_err());
/// assert!(words("GIT_DIR=/x git status").is_err());
/// # Ok::<(), placet_engine::policy::facts::Unfit>(())
/// ```
pub fn words(text: &str) -> Result<Vec<String>, Unfit> {
    let mut done = Vec::new();
    let mut open: Option<Word> = None;
    let mut chars = text.chars();
    while let Some(char) = chars.next() {
        if matches!(char, ' ' | '\t') {
            finish(open.take(), &mut done)?;
            continue;
        }
        let word = open.get_or_insert_default();
        match char {
            '\'' | '"' => {
                word.is_quoted = true;
                loop {
                    let Some(inside) = chars.next() else {
                        return Err(Unfit::new("a quote in it is not closed"));
                    };
                    if inside == char {
                        break;
                    }
                    if !is_plain_in_quotes(inside, char) {
                        return Err(Unfit::character(inside, "between quotes it contains"));
                    }
                    word.text.push(inside);
                }
            }
            '=' if word.text.is_empty() && !word.is_quoted => {
                return Err(Unfit::new("a word of it begins with `=`, which some shells replace"));
            }
            char if is_plain(char) => {
                word.assigns |= char == '=';
                word.text.push(char);
            }
            char => return Err(Unfit::character(char, "outside of quotes it contains")),
        }
    }
    finish(open, &mut done)?;
    if done.is_empty() { Err(Unfit::new("it has no word")) } else { Ok(done) }
}

fn finish(word: Option<Word>, done: &mut Vec<String>) -> Result<(), Unfit> {
    let Some(Word { text, is_quoted, assigns }) = word else { return Ok(()) };
    if done.is_empty() {
        if text.is_empty() {
            return Err(Unfit::new("its first word is empty"));
        }
        if assigns {
            return Err(Unfit::new("it begins with an assignment"));
        }
        if !is_quoted && (RESERVED.contains(&text.as_str()) || text.starts_with('%')) {
            return Err(Unfit::new("it begins with a word that is the shell's own"));
        }
    }
    done.push(text);
    Ok(())
}

/// What stands for itself in every shell.
fn is_plain(char: char) -> bool {
    char.is_ascii_alphanumeric()
        || matches!(char, '_' | '-' | '.' | '/' | ':' | ',' | '+' | '@' | '%' | '=')
        || (!char.is_ascii() && char.is_alphanumeric() && !acts(char))
}

fn is_plain_in_quotes(char: char, quote: char) -> bool {
    let is_special = quote == '"' && matches!(char, '$' | '`' | '\\' | '!');
    !is_special && !acts(char) && (char == ' ' || !char.is_whitespace())
}
