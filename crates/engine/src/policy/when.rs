//! Conditions: what a guard's `when` says, read once and lowered for each tool that the guard is about.
//!
//! `args.amount > 100 && !matches.internal_mail` is Cedar's grammar of expressions without arithmetic, and with
//! decimals. It is read here to its last character, so that nobody's text ever becomes Cedar's text: what comes
//! out is a syntax tree over `context.args`, `context.session`, `context.call` and `context.matches`, in which
//! nothing else can be named. Types come from the tool's schema; what has no single one is refused.
//!
//! A member that may be absent is the author's to ask for (`args has amount && …`). Who does not ask gets a
//! second condition, [`Condition::missing`], under which the guard refuses.
//!
//! Start at [`When::parse`] and [`When::lower`]. Not here: the context that is asked about (`arguments`), and
//! what a guard does where its condition holds.

mod certain;
mod check;
mod literal;
mod read;
mod syntax;
#[cfg(test)]
mod tests;
mod token;
mod typed;
mod types;

use std::{collections::BTreeSet, fmt, ops::Range, sync::Arc};

use serde_json::Value;

use self::{check::Checker, read::Parser, syntax::Node};
use super::arguments::Record;
use crate::names::MatchName;

/// The longest text of a condition, in bytes.
pub const TEXT_BYTES_MAX: usize = 16 * 1024;

/// How deep a condition may nest, with its brackets, operators and members.
pub const DEPTH_MAX: usize = 64;

/// A condition, as far as it can be understood without knowing the tool.
///
/// Two conditions are equal if they read the same, wherever their words stand. The printed form reads back as
/// an equal one.
///
/// ```
/// # use placet_engine::policy::when::When;
/// let when = When::parse(r#"args.amount>100.50 && ["EUR","USD"].contains( args.currency )"#)?;
/// assert_eq!(when.to_string(), r#"args.amount > 100.5 && ["EUR", "USD"].contains(args.currency)"#);
///
/// let refused = When::parse("args.amount + 1 > 100").unwrap_err();
/// assert_eq!(refused.to_string(), "a condition does no arithmetic");
/// assert_eq!(refused.span, 12..13);
/// # Ok::<(), placet_engine::policy::when::WhenError>(())
/// ```
#[derive(Clone, Debug)]
pub struct When {
    node: Node,
    text: Arc<str>,
}

impl PartialEq for When {
    fn eq(&self, other: &Self) -> bool {
        let Self { node, text: _ } = self;
        *node == other.node
    }
}

impl Eq for When {}

/// The canonical form: one blank between words, and no bracket that changes nothing.
impl fmt::Display for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.node.fmt(f)
    }
}

/// The value that a path of a condition leads into.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Root {
    /// The arguments of the call.
    Args,
    /// What has happened in the session.
    Session,
    /// The call itself: what it costs, when it comes.
    Call,
}

impl Root {
    /// All of them, in the order in which they are always listed.
    pub const ALL: [Root; 3] = [Root::Args, Root::Session, Root::Call];

    /// The word for it in a condition.
    pub const fn as_str(self) -> &'static str {
        match self {
            Root::Args => "args",
            Root::Session => "session",
            Root::Call => "call",
        }
    }
}

/// Why a text is no condition, or none over this tool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WhenError {
    /// The bytes of the condition's text that it is about.
    pub span: Range<usize>,
    /// What is wrong: one line, lower case, no full stop, with nothing in it that acts.
    pub message: String,
    /// What to write instead.
    pub help: Option<String>,
}

impl WhenError {
    fn new(span: Range<usize>, message: impl Into<String>) -> Self {
        Self { span, message: message.into(), help: None }
    }

    fn help(self, help: impl Into<String>) -> Self {
        Self { help: Some(help.into()), ..self }
    }
}

impl fmt::Display for WhenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for WhenError {}

/// What a condition can read of the calls of one tool.
#[derive(Clone, Copy, Debug)]
pub struct Scope<'a> {
    /// The types of `args`, `session` and `call`, as its members.
    pub root: &'a Record,
    /// The named matches that exist.
    pub matches: &'a BTreeSet<MatchName>,
}

/// A condition over one tool, in Cedar's JSON syntax.
#[derive(Clone, Debug, PartialEq)]
pub struct Condition {
    /// The expression: true where the guard's effect applies.
    pub body: Value,
    /// Every place that it reads, or of which it asks whether something is there: `["args", "amount"]`. What is
    /// not among them need not be in the context.
    pub reads: BTreeSet<Vec<String>>,
    /// Those of them that must not be empty and of which it never asks whether they are.
    pub needs: BTreeSet<Vec<String>>,
    /// The named matches that it reads. The context then has `matches`.
    pub matches: BTreeSet<MatchName>,
    /// True where something is absent that the expression reads without asking whether it is there: nothing
    /// can be said of such a call, so the guard refuses it. `None` if that cannot be.
    pub missing: Option<Value>,
}

impl When {
    /// Reads a condition.
    ///
    /// # Errors
    ///
    /// The first mistake: the text is longer than [`TEXT_BYTES_MAX`], nests deeper than [`DEPTH_MAX`], or says
    /// what a condition cannot say. Types are looked at by [`When::lower`].
    pub fn parse(text: &str) -> Result<Self, WhenError> {
        if text.len() > TEXT_BYTES_MAX {
            let error = WhenError::new(0..text.len(), "the condition is longer than 16 KiB");
            return Err(error.help("write several guards, or name a `[match]`"));
        }
        let node = Parser::new(text).whole()?;
        Ok(Self { node, text: text.into() })
    }

    /// The text that it was read from, into which the spans of its errors point.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The named matches that it mentions.
    pub fn matches(&self) -> BTreeSet<MatchName> {
        let mut names = BTreeSet::new();
        self.node.visit(&mut |node| names.extend(node.match_name().cloned()));
        names
    }

    /// Whether it asks if this argument is there: then its absence is the author's own affair.
    pub fn asks_for(&self, argument: &str) -> bool {
        let mut asks = false;
        self.node.visit(&mut |node| asks |= node.asks_for(argument));
        asks
    }

    /// The values into which its paths lead.
    pub fn roots(&self) -> BTreeSet<Root> {
        let mut roots = BTreeSet::new();
        self.node.visit(&mut |node| roots.extend(node.path().map(|path| path.root)));
        roots
    }

    /// What it comes to whatever the call is, where its text alone says so; `None` is no answer, and not a no.
    ///
    /// ```
    /// # use placet_engine::policy::when::When;
    /// assert_eq!(When::parse("args.amount > 500 && args.amount < 100")?.certain(), Some(false));
    /// assert_eq!(When::parse("args.amount > 500")?.certain(), None);
    /// # Ok::<(), placet_engine::policy::when::WhenError>(())
    /// ```
    pub fn certain(&self) -> Option<bool> {
        certain::certain(&self.node)
    }

    /// Types the condition against one tool and makes Cedar's expression of it.
    ///
    /// A member is always read as the one type that the scope gives it. One that may be absent is either asked
    /// for first (`args has note && args.note like "*x*"`), or it is in [`Condition::missing`]. To ask for a
    /// member which the tool does not declare is false, and what stands behind it is not looked at: so one
    /// condition serves all tools of a pattern.
    ///
    /// # Errors
    ///
    /// Everything in it that does not fit the tool, up to a few dozen mistakes; never an empty list.
    ///
    /// ```
    /// # use std::collections::{BTreeMap, BTreeSet};
    /// # use placet_engine::policy::{arguments::{Kind, Member, Record}, when::{Scope, When}};
    /// # let one = |name: &str, kind| Record {
    /// #     members: BTreeMap::from([(name.to_owned(), Member { kind, required: true })]),
    /// #     open: false,
    /// # };
    /// // A tool with one argument, the number `amount`.
    /// let root = one("args", Kind::Record(one("amount", Kind::Decimal)));
    /// let scope = Scope { root: &root, matches: &BTreeSet::new() };
    ///
    /// let condition = When::parse("args.amount > 100")?.lower(&scope).expect("it fits");
    /// assert_eq!(condition.missing, None);
    /// assert!(condition.body.to_string().contains("greaterThan"));
    ///
    /// let refused = When::parse("args.amuont > 100")?.lower(&scope).unwrap_err();
    /// assert_eq!(refused[0].message, "`args.amuont` is not declared by this tool");
    /// assert_eq!(refused[0].help.as_deref(), Some("did you mean `amount`?"));
    /// # Ok::<(), placet_engine::policy::when::WhenError>(())
    /// ```
    pub fn lower(&self, scope: &Scope<'_>) -> Result<Condition, Vec<WhenError>> {
        Checker::new(scope, &self.node).condition(&self.node).map(|typed| typed.condition())
    }
}
