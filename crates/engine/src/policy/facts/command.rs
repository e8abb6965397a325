//! Commands, as far as every shell reads them as the same words.
//!
//! A shell is a programming language, and a check of its text is a game that the text wins. So a command here
//! is words and quotes and nothing else ([`words`]): no second command, no redirection, no variable, no
//! pattern, no escape. It may also come as a list of words that no shell reads.
//!
//! This is for saying which commands may run. Saying which may not is weak whatever the form: programs start
//! other programs. Not here: aliases, and which file a program's name leads to. Start at [`CommandTest`].

mod words;

pub use self::words::words;

use super::{Unfit, case::Compared, mistyped, text_of};
use crate::{json::Json, limits};

/// Whether a command has all of what is asked for.
///
/// ```
/// # use placet_engine::{json::Json, policy::facts::command::{CommandTest, Wanted}};
/// let git = CommandTest::new(&Wanted {
///     programs: vec!["git".to_owned()],
///     never: vec!["--force".to_owned()],
///     ..Wanted::default()
/// })?;
/// assert_eq!(git.judge(&Json::from("git push origin 'my branch'")), Ok(true));
/// assert_eq!(git.judge(&Json::from("git push --force")), Ok(false));
/// assert!(git.judge(&Json::from("git status; rm -r /")).is_err());
/// # Ok::<(), placet_engine::policy::facts::Unfit>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandTest {
    pub(in crate::policy) programs: Vec<String>,
    pub(in crate::policy) argv_prefix: Vec<String>,
    pub(in crate::policy) never: Vec<String>,
}

/// What is asked for; an empty list asks for nothing.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// The first word is one of these, exactly.
    pub programs: Vec<String>,
    /// The first words are these, in this order.
    pub argv_prefix: Vec<String>,
    /// No word is one of these. An option that could be one of them in a shorter or bundled form cannot be
    /// judged.
    pub never: Vec<String>,
}

impl CommandTest {
    /// Asks for all of this.
    ///
    /// # Errors
    ///
    /// [`Unfit`] if nothing is asked for, or an empty word or one with a NUL.
    pub fn new(wanted: &Wanted) -> Result<Self, Unfit> {
        let Wanted { programs, argv_prefix, never } = wanted;
        let all = || programs.iter().chain(argv_prefix).chain(never);
        if all().next().is_none() {
            return Err(Unfit::new("`command` asks for nothing, as `{ program = \"git\" }` does"));
        }
        if all().any(|word| word.is_empty() || word.contains('\0')) {
            return Err(Unfit::new("a word is empty or has a NUL in it"));
        }
        if all().any(|word| word.starts_with(char::is_whitespace) || word.ends_with(char::is_whitespace)) {
            return Err(Unfit::new("a word has a blank at an end"));
        }
        Ok(Self { programs: programs.clone(), argv_prefix: argv_prefix.clone(), never: never.clone() })
    }

    /// Whether a value is a command that has all of it: a text that a shell reads, or a list of words.
    ///
    /// # Errors
    ///
    /// [`Unfit`] if the words cannot be told for certain.
    pub fn judge(&self, value: &Json) -> Result<bool, Unfit> {
        let words = match value {
            Json::String(_) => words(text_of(value)?)?,
            Json::Array(items) => listed(items)?,
            Json::Null | Json::Bool(_) | Json::Number(_) | Json::Object(_) => {
                return Err(mistyped(value, "a text or a list of words"));
            }
        };
        let Some((first, others)) = words.split_first() else {
            return Err(Unfit::new("it is empty"));
        };
        let program = self.programs.is_empty() || is_program(first, &self.programs)?;
        let prefix = match self.argv_prefix.split_first() {
            None => true,
            Some((wanted, others_wanted)) => {
                is_program(first, std::slice::from_ref(wanted))? && others.starts_with(others_wanted)
            }
        };
        let mut has_never = false;
        for never in &self.never {
            for word in &words {
                has_never |= is_option(word, never)?;
            }
        }
        Ok(program && prefix && !has_never)
    }
}

/// The words of a list, which reach the program as they are.
fn listed(items: &[Json]) -> Result<Vec<String>, Unfit> {
    if items.len() > limits::JUDGED_LIST_ITEMS {
        return Err(Unfit::new(format!("it has more than {} words", limits::JUDGED_LIST_ITEMS)));
    }
    let texts: Vec<&str> = items.iter().map(text_of).collect::<Result<_, _>>()?;
    if texts.iter().map(|text| text.len()).sum::<usize>() > limits::JUDGED_TEXT_BYTES {
        return Err(Unfit::new(format!("its words have more than {} bytes", limits::JUDGED_TEXT_BYTES)));
    }
    if texts.iter().any(|text| text.contains('\0')) {
        return Err(Unfit::character('\0', "a word of it contains"));
    }
    if texts.first().is_some_and(|first| first.is_empty()) {
        return Err(Unfit::new("its first word is empty"));
    }
    Ok(texts.into_iter().map(str::to_owned).collect())
}

/// Whether the first word is one of these. `/usr/bin/git` may be `git` or something that is only called so.
fn is_program(first: &str, programs: &[String]) -> Result<bool, Unfit> {
    if Compared::of(first, programs, |first, program| first == program).certain("its program")? {
        return Ok(true);
    }
    let has_file_name = |path: &str, program: &str| path.rsplit('/').next() == Some(program);
    if first.contains('/') && Compared::of(first, programs, has_file_name).certain("its program")? {
        return Err(Unfit::new(
            "its program is given with a folder: by its name it may be one that is listed",
        ));
    }
    Ok(false)
}

/// Whether a word is the option `never`, with or without a value behind `=`.
fn is_option(word: &str, never: &str) -> Result<bool, Unfit> {
    let (name, has_value) = match word.split_once('=') {
        Some((name, _)) if never.starts_with('-') => (name, true),
        Some(_) | None => (word, false),
    };
    if word == never || (has_value && name == never) {
        return Ok(true);
    }
    let may_be = match (never.strip_prefix("--"), never.strip_prefix('-'), name.strip_prefix('-')) {
        // Many programs take the beginning of a long option for all of it.
        (Some(_), _, Some(_)) => name.len() > "--".len() && never.starts_with(name),
        // And letters behind one hyphen for as many options, the last with its value.
        (None, Some(letters), Some(found)) if !letters.is_empty() && !found.starts_with('-') => {
            letters.chars().all(|letter| word.contains(letter))
        }
        (Some(_) | None, Some(_) | None, Some(_) | None) => false,
    };
    if may_be {
        return Err(Unfit::new(format!("one of its options may be `{never}` in another form")));
    }
    Ok(false)
}

#[cfg(test)]
mod tests;
