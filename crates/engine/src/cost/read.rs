//! Reading of expressions and paths, from left to right and to the last character.

use super::{
    Amount, CostError, Path, Term,
    path::{Root, Step, is_bare, is_in_word},
};
use crate::{
    diagnostic::did_you_mean,
    json::{Json, Limits, parse},
};

/// The longest text of an expression or a path, in bytes. What one line of a file needs is far below.
const TEXT_BYTES_MAX: usize = 1024;

/// What has not been read yet.
pub(super) struct Scanner<'a> {
    rest: &'a str,
}

impl<'a> Scanner<'a> {
    pub(super) fn of(text: &'a str) -> Result<Self, CostError> {
        if text.len() > TEXT_BYTES_MAX {
            return Err(CostError(format!("it is longer than {TEXT_BYTES_MAX} bytes")));
        }
        Ok(Self { rest: text })
    }

    /// A decimal, a path or a length, with its factor.
    pub(super) fn term(&mut self) -> Result<Term, CostError> {
        self.blanks();
        if self.rest.starts_with(|first: char| first.is_ascii_digit() || first == '.') {
            let amount = self.decimal()?;
            self.blanks();
            if self.rest.starts_with('*') {
                let help = format!("write the path before the decimal, as in `args.pages * {amount}`");
                return Err(CostError(help));
            }
            return Ok(Term::Amount(amount));
        }
        if let Some(after) = self.rest.strip_prefix("len").map(str::trim_start)
            && let Some(inside) = after.strip_prefix('(')
        {
            self.rest = inside;
            self.blanks();
            let path = self.argument()?;
            self.blanks();
            self.expect(')')?;
            return Ok(Term::Length { path, times: self.factor()? });
        }
        let path = self.argument()?;
        Ok(Term::Value { path, times: self.factor()? })
    }

    /// Whether another term follows; if not, nothing does.
    pub(super) fn plus(&mut self) -> Result<bool, CostError> {
        self.blanks();
        if self.rest.starts_with('+') {
            return self.expect('+').map(|()| true);
        }
        if self.rest.starts_with('-') {
            return Err(CostError("a cost is a sum and has no `-`".to_owned()));
        }
        self.end().map(|()| false)
    }

    pub(super) fn end(&self) -> Result<(), CostError> {
        if self.rest.is_empty() { Ok(()) } else { Err(self.unexpected("nothing more")) }
    }

    fn factor(&mut self) -> Result<Amount, CostError> {
        self.blanks();
        if !self.rest.starts_with('*') {
            return Ok(Amount::ONE);
        }
        self.expect('*')?;
        self.blanks();
        if !self.rest.starts_with(|first: char| first.is_ascii_digit() || first == '.') {
            return Err(self.unexpected("a decimal after `*`"));
        }
        self.decimal()
    }

    fn decimal(&mut self) -> Result<Amount, CostError> {
        // Letters belong to it too, so that `1e3` is called no decimal and not two things.
        self.run(|byte| is_in_word(byte) || byte == b'.').parse()
    }

    /// A path of the arguments, which are all that there is before a call.
    fn argument(&mut self) -> Result<Path, CostError> {
        let path = self.path()?;
        if path.root() == Root::Args.as_str() {
            return Ok(path);
        }
        Err(CostError(format!("`{path}` is not there before the call: a cost reads `args`")))
    }

    pub(super) fn path(&mut self) -> Result<Path, CostError> {
        let word = self.run(is_in_word);
        if word.is_empty() {
            return Err(self.unexpected("a path such as `args.amount`"));
        }
        let Some(root) = Root::ALL.into_iter().find(|root| root.as_str() == word) else {
            let near = did_you_mean(word, Root::ALL.into_iter().map(Root::as_str));
            let hint = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
            return Err(CostError(format!("a path begins with `args` or `result`, not with `{word}`{hint}")));
        };
        let mut steps = Vec::new();
        loop {
            if self.rest.starts_with('.') {
                self.expect('.')?;
                let name = self.run(is_in_word);
                if !is_bare(name) {
                    let example =
                        "a name after the point, or another one in brackets, as in `args[\"e-mail\"]`";
                    return Err(if name.is_empty() {
                        self.unexpected(example)
                    } else {
                        CostError(format!(
                            "`{name}` does not begin with a letter: write it as `[\"{name}\"]`"
                        ))
                    });
                }
                steps.push(Step::Member(name.to_owned()));
            } else if self.rest.starts_with('[') {
                self.expect('[')?;
                steps.push(self.bracketed()?);
                self.expect(']')?;
            } else {
                return Ok(Path::new(root, steps));
            }
        }
    }

    fn bracketed(&mut self) -> Result<Step, CostError> {
        if self.rest.starts_with('"') {
            let literal = self.string();
            return match parse(literal.as_bytes(), &Limits::EDGE) {
                Ok(Json::String(name)) => Ok(Step::Member(name)),
                Ok(_) | Err(_) => Err(CostError(format!("{literal} is not a text in quotes"))),
            };
        }
        let digits = self.run(|byte| byte.is_ascii_digit());
        let item = digits.parse().ok().filter(|_| digits == "0" || !digits.starts_with('0'));
        item.map(Step::Item).ok_or_else(|| self.unexpected("a number or a name in quotes between brackets"))
    }

    /// A text with its quotes; all of the rest if the second one is missing.
    fn string(&mut self) -> &'a str {
        let mut is_escaped = false;
        let end = self.rest.char_indices().skip(1).find(|(_, char)| {
            let ends = *char == '"' && !is_escaped;
            is_escaped = *char == '\\' && !is_escaped;
            ends
        });
        self.take(end.map_or(self.rest.len(), |(at, _)| at + 1))
    }

    fn blanks(&mut self) {
        self.run(|byte| matches!(byte, b' ' | b'\t'));
    }

    fn run(&mut self, belongs: impl Fn(u8) -> bool) -> &'a str {
        self.take(self.rest.bytes().take_while(|byte| byte.is_ascii() && belongs(*byte)).count())
    }

    fn take(&mut self, bytes: usize) -> &'a str {
        let (taken, rest) = self.rest.split_at_checked(bytes).unwrap_or((self.rest, ""));
        self.rest = rest;
        taken
    }

    fn expect(&mut self, wanted: char) -> Result<(), CostError> {
        match self.rest.strip_prefix(wanted) {
            Some(rest) => {
                self.rest = rest;
                Ok(())
            }
            None => Err(self.unexpected(&format!("`{wanted}`"))),
        }
    }

    fn unexpected(&self, wanted: &str) -> CostError {
        CostError(match self.rest.trim_end() {
            "" => format!("{wanted} is expected at its end"),
            rest => format!("{wanted} is expected where `{rest}` stands"),
        })
    }
}
