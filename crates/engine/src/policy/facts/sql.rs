//! Statements of SQL that are one of a few, but for their values.
//!
//! Nobody can say from the text of a statement alone what a database will do with it. So nothing is asked of a
//! statement but whether it is one that the operator wrote down. It is compared token by token; `?` stands for
//! exactly one number or one text in quotes. What databases read differently is not judged: comments, escapes
//! by backslash, a second statement, texts with a prefix.
//!
//! Start at [`SqlTest`]; the tokens are told in `sql/tokens.rs`.

mod tokens;

use self::tokens::{Token, tokens};
use super::{Unfit, text_of};
use crate::json::Json;

/// Whether a statement is one of these.
///
/// ```
/// # use placet_engine::{json::Json, policy::facts::sql::SqlTest};
/// let ours = SqlTest::new(&["SELECT name FROM users WHERE id = ?".to_owned()])?;
/// assert_eq!(ours.judge(&Json::from("SELECT name FROM users WHERE id = 7;")), Ok(true));
/// assert_eq!(ours.judge(&Json::from("SELECT name FROM users WHERE id = 7 OR 1 = 1")), Ok(false));
/// assert!(ours.judge(&Json::from("SELECT name FROM users WHERE id = 7 -- x")).is_err());
/// # Ok::<(), placet_engine::policy::facts::Unfit>(())
/// ```
#[derive(Clone, Debug)]
pub struct SqlTest {
    pub(in crate::policy) statements: Vec<String>,
    /// The tokens of each.
    compiled: Vec<Vec<Token>>,
}

impl PartialEq for SqlTest {
    fn eq(&self, other: &Self) -> bool {
        let Self { statements, compiled: _ } = self;
        *statements == other.statements
    }
}

impl Eq for SqlTest {}

/// How a statement compares with a template.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Likeness {
    Other,
    /// The same but for capital letters, which mean something in some places and nothing in others.
    ButForCase,
    Same,
}

impl SqlTest {
    /// These statements, with `?` for each value.
    ///
    /// # Errors
    ///
    /// [`Unfit`] if there is none, or one is no statement that could be judged.
    pub fn new(statements: &[String]) -> Result<Self, Unfit> {
        if statements.is_empty() {
            return Err(Unfit::empty_list("statements"));
        }
        let compiled = statements.iter().map(|statement| tokens(statement)).collect::<Result<_, _>>()?;
        Ok(Self { statements: statements.to_vec(), compiled })
    }

    /// Whether a value is one of the statements.
    ///
    /// # Errors
    ///
    /// [`Unfit`] if two databases may read it in two ways, or only its capital letters differ.
    pub fn judge(&self, value: &Json) -> Result<bool, Unfit> {
        let statement = tokens(text_of(value)?)?;
        if statement.contains(&Token::Any) {
            return Err(Unfit::new("it has a `?`, for a value that is not in it"));
        }
        match self.compiled.iter().map(|template| likeness(&statement, template)).max() {
            Some(Likeness::Same) => Ok(true),
            Some(Likeness::ButForCase) => {
                Err(Unfit::new("it differs only in capital letters from a statement that is listed"))
            }
            Some(Likeness::Other) | None => Ok(false),
        }
    }
}

fn likeness(statement: &[Token], template: &[Token]) -> Likeness {
    if statement.len() != template.len() {
        return Likeness::Other;
    }
    let each = statement.iter().zip(template).map(|(found, wanted)| match (found, wanted) {
        (Token::Number(_) | Token::Text(_), Token::Any) => Likeness::Same,
        (Token::Word(found) | Token::Name(found), Token::Word(wanted) | Token::Name(wanted))
            if found != wanted && found.eq_ignore_ascii_case(wanted) =>
        {
            Likeness::ButForCase
        }
        (found, wanted) if found == wanted => Likeness::Same,
        (
            Token::Word(_) | Token::Name(_) | Token::Number(_) | Token::Text(_) | Token::Sign(_) | Token::Any,
            Token::Word(_) | Token::Name(_) | Token::Number(_) | Token::Text(_) | Token::Sign(_) | Token::Any,
        ) => Likeness::Other,
    });
    each.min().unwrap_or(Likeness::Other)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ours() -> SqlTest {
        let statements = [
            "SELECT name FROM users WHERE id = ?",
            "SELECT a, b FROM \"t\" WHERE n<=? AND s != ?",
            "DELETE FROM logs WHERE level = 'debug';",
        ];
        SqlTest::new(&statements.map(str::to_owned)).unwrap()
    }

    #[test]
    fn a_statement_is_one_that_is_written_down() {
        for (text, holds) in [
            ("SELECT name FROM users WHERE id = 7", Some(true)),
            ("SELECT name FROM users WHERE id = 7;", Some(true)),
            (" SELECT\n name\tFROM users WHERE id=7 ; ", Some(true)),
            ("SELECT name FROM users WHERE id = 'x'", Some(true)),
            ("SELECT name FROM users WHERE id = 'it''s; -- /* x'", Some(true)),
            ("SELECT name FROM users WHERE id = '?'", Some(true)),
            ("SELECT name FROM users WHERE id = 7.50", Some(true)),
            ("SELECT name FROM users WHERE id = 'S\u{e3}o'", Some(true)),
            ("SELECT a,b FROM \"t\" WHERE n <= 1 AND s!='x'", Some(true)),
            ("DELETE FROM logs WHERE level = 'debug'", Some(true)),
            ("DELETE FROM logs WHERE level = 'error'", Some(false)),
            ("DELETE FROM logs WHERE level = 'DEBUG'", Some(false)),
            ("DELETE FROM logs", Some(false)),
            ("SELECT name FROM users", Some(false)),
            ("SELECT name FROM users WHERE id = 7 OR 1=1", Some(false)),
            ("SELECT name FROM users WHERE id = 7 UNION SELECT 1", Some(false)),
            ("SELECT name FROM users WHERE id = id", Some(false)),
            ("SELECT name FROM users WHERE id = -7", Some(false)),
            ("SELECT name FROM users WHERE id = (7)", Some(false)),
            ("SELECT name FROM users WHERE id = 'x' 'y'", Some(false)),
            ("SELECT name FROM users WHERE id = 'x' || 'y'", Some(false)),
            ("SELECT name FROM users WHERE id = \"x\"", Some(false)),
            ("SELECT name FROM users WHERE id = ", Some(false)),
            ("SELECTname FROM users WHERE id = 7", Some(false)),
            ("SELECT a, b FROM \"t\" WHERE n< =1 AND s != 2", Some(false)),
            ("SELECT a, b FROM t WHERE n<=1 AND s != 2", Some(false)),
            ("DROP TABLE users", Some(false)),
            ("select name from users where id = 7", None),
            ("SELECT name FROM Users WHERE id = 7", None),
            ("SELECT name FROM users WHERE id = ?", None),
            ("SELECT name FROM users WHERE id = 7; DROP TABLE users", None),
            ("SELECT name FROM users WHERE id = 7;;", None),
            ("; SELECT name FROM users WHERE id = 7", None),
            ("SELECT name FROM users WHERE id = 7 --", None),
            ("SELECT name FROM users WHERE id = 7--1", None),
            ("SELECT name FROM users WHERE id = 7 # x", None),
            ("SELECT/**/name FROM users WHERE id = 7", None),
            ("SELECT name FROM users WHERE id = 7 /*! OR 1=1 */", None),
            ("SELECT name FROM users WHERE id = 'x\\' OR 1=1 --'", None),
            ("SELECT name FROM users WHERE id = 'x", None),
            ("SELECT name FROM users WHERE id = 'x' OR 'y", None),
            ("SELECT name FROM users WHERE id = 'x\n'", None),
            ("SELECT name FROM users WHERE id = 'x\u{2bc} OR 1=1'", None),
            ("SELECT name FROM users WHERE id = 'x\u{ff07}'", None),
            ("SELECT name FROM users WHERE id = 'x\u{202e}'", None),
            ("SELECT name FROM users WHERE id = N'x'", None),
            ("SELECT name FROM users WHERE id = _utf8'x'", None),
            ("SELECT name FROM users WHERE id = x'41'", None),
            ("SELECT name FROM users WHERE id = 'x'or", None),
            ("SELECT name FROM users WHERE id = 7or 1=1", None),
            ("SELECT name FROM users WHERE id = 0x41", None),
            ("SELECT name FROM users WHERE id = 1e5", None),
            ("SELECT name FROM users WHERE id = 7.", None),
            ("SELECT name FROM users WHERE id = 1.2.3", None),
            ("SELECT name FROM users WHERE id = $$x$$", None),
            ("SELECT name FROM users WHERE id = $1", None),
            ("SELECT name FROM users WHERE id = :x", None),
            ("SELECT name FROM users WHERE id = @x", None),
            ("SELECT name FROM `users` WHERE id = 7", None),
            ("SELECT name FROM [users] WHERE id = 7", None),
            ("SELECT name FROM users WHERE id = 7\u{a0}", None),
            ("SELECT name FROM users\u{b} WHERE id = 7", None),
            ("SELECT name FROM users WHERE id = 7\0", None),
            ("SELECT n\u{430}me FROM users WHERE id = 7", None),
            ("SELECT name FROM \"users WHERE id = 7", None),
            (";", None),
            ("", None),
        ] {
            let judged = ours().judge(&Json::from(text));
            assert_eq!(judged.as_ref().ok(), holds.as_ref(), "{text:?}: {judged:?}");
        }
    }

    #[test]
    fn a_statement_of_the_file_is_one() {
        for statements in [&[][..], &[""], &["SELECT 1", ";"], &["SELECT 'x"], &["SELECT 1 -- x"], &["A; B"]]
        {
            let statements: Vec<String> = statements.iter().map(|text| (*text).to_owned()).collect();
            assert!(SqlTest::new(&statements).is_err(), "{statements:?}");
        }
    }

    proptest! {
        #[test]
        fn what_holds_is_the_statement_with_a_literal(value in "\\PC{0,20}|[0-9a'\"; \\-/*#x=.\\\\]{0,16}") {
            let text = format!("SELECT name FROM users WHERE id = {value}");
            if ours().judge(&Json::from(text.as_str())) == Ok(true) {
                let value = value.trim().trim_end_matches(';').trim();
                let inside = value.strip_prefix('\'').and_then(|value| value.strip_suffix('\''));
                prop_assert!(match inside {
                    Some(inside) => !inside.replace("''", "").contains(['\'', '\\']),
                    None => value.parse::<f64>().is_ok() && !value.starts_with(['-', '+']),
                }, "{text}");
            }
        }
    }
}
