//! The tree of a condition, and its printed form.
//!
//! Where something stands is kept for messages and takes no part in equality: the printed form reads back as an
//! equal tree. A chain of `&&` or of `||` is one node, so that a long one is not a deep one; brackets within
//! a chain are kept as they were written.
//!
//! Start at [`Node`]; how texts are escaped is at [`Quoted`].

use std::{
    fmt::{self, Write as _},
    ops::Range,
};

use super::{Root, literal::Literal, token::is_bare};
use crate::{diagnostic::acts, names::MatchName};

/// An expression and its place in the text.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) at: Range<usize>,
    pub(super) expr: Expr,
}

impl PartialEq for Node {
    fn eq(&self, other: &Self) -> bool {
        self.expr == other.expr
    }
}

impl Eq for Node {}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Expr {
    Bool(bool),
    Number(Literal),
    Text(String),
    /// Never empty.
    List(Vec<Node>),
    Path(Path),
    Match(MatchName),
    Not(Box<Node>),
    /// At least two.
    All(Vec<Node>),
    /// At least two.
    Any(Vec<Node>),
    If(Box<Choice>),
    Compare(Comparison, Box<(Node, Node)>),
    /// Whether what the path leads to has a member, and that one the next.
    Has(Path, Vec<Step>),
    Like(Box<Node>, Pattern),
    Contains(Contains, Box<(Node, Node)>),
    IsEmpty(Box<Node>),
}

/// `if a then b else c`
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Choice {
    pub(super) test: Node,
    pub(super) yes: Node,
    pub(super) no: Node,
}

/// A place: `args.order.total`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Path {
    pub(super) root: Root,
    pub(super) steps: Vec<Step>,
}

/// A member's name, and where it stands.
#[derive(Clone, Debug)]
pub(super) struct Step {
    pub(super) name: String,
    pub(super) at: Range<usize>,
}

impl PartialEq for Step {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Step {}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    Unequal,
    Less,
    AtMost,
    More,
    AtLeast,
}

impl Comparison {
    pub(super) const ALL: [Comparison; 6] = [
        Comparison::Equal,
        Comparison::Unequal,
        Comparison::Less,
        Comparison::AtMost,
        Comparison::More,
        Comparison::AtLeast,
    ];

    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Comparison::Equal => "==",
            Comparison::Unequal => "!=",
            Comparison::Less => "<",
            Comparison::AtMost => "<=",
            Comparison::More => ">",
            Comparison::AtLeast => ">=",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Contains {
    One,
    All,
    Any,
}

impl Contains {
    pub(super) const ALL: [Contains; 3] = [Contains::One, Contains::All, Contains::Any];

    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Contains::One => "contains",
            Contains::All => "containsAll",
            Contains::Any => "containsAny",
        }
    }
}

/// What `like` compares with: never two of a kind side by side, and no empty text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pattern(Vec<Part>);

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// Any number of any characters.
    Anything,
    Text(String),
}

impl Pattern {
    /// `None` stands for any number of any characters.
    pub(super) fn of(chars: impl IntoIterator<Item = Option<char>>) -> Self {
        let mut parts = Vec::new();
        for char in chars {
            match (char, parts.last_mut()) {
                (None, Some(Part::Anything)) => {}
                (None, Some(Part::Text(_)) | None) => parts.push(Part::Anything),
                (Some(char), Some(Part::Text(text))) => text.push(char),
                (Some(char), Some(Part::Anything) | None) => parts.push(Part::Text(char.into())),
            }
        }
        Self(parts)
    }

    pub(super) fn parts(&self) -> &[Part] {
        &self.0
    }
}

impl Path {
    /// Its words, the root's first.
    pub(super) fn words(&self) -> Vec<String> {
        let steps = self.steps.iter().map(|step| step.name.clone());
        std::iter::once(self.root.as_str().to_owned()).chain(steps).collect()
    }
}

impl Node {
    pub(super) fn new(at: Range<usize>, expr: Expr) -> Self {
        Self { at, expr }
    }

    pub(super) fn path(&self) -> Option<&Path> {
        match &self.expr {
            Expr::Path(path) | Expr::Has(path, _) => Some(path),
            Expr::Bool(_)
            | Expr::Number(_)
            | Expr::Text(_)
            | Expr::List(_)
            | Expr::Match(_)
            | Expr::Not(_)
            | Expr::All(_)
            | Expr::Any(_)
            | Expr::If(_)
            | Expr::Compare(..)
            | Expr::Like(..)
            | Expr::Contains(..)
            | Expr::IsEmpty(_) => None,
        }
    }

    pub(super) fn match_name(&self) -> Option<&MatchName> {
        let Expr::Match(name) = &self.expr else { return None };
        Some(name)
    }

    /// Whether it says the same of every call.
    pub(super) fn is_fixed(&self) -> bool {
        match &self.expr {
            Expr::Bool(_) | Expr::Number(_) | Expr::Text(_) => true,
            Expr::List(items) => items.iter().all(Node::is_fixed),
            Expr::Path(_)
            | Expr::Match(_)
            | Expr::Not(_)
            | Expr::All(_)
            | Expr::Any(_)
            | Expr::If(_)
            | Expr::Compare(..)
            | Expr::Has(..)
            | Expr::Like(..)
            | Expr::Contains(..)
            | Expr::IsEmpty(_) => false,
        }
    }

    /// The nodes directly below.
    fn children(&self) -> Vec<&Node> {
        match &self.expr {
            Expr::Bool(_)
            | Expr::Number(_)
            | Expr::Text(_)
            | Expr::Path(_)
            | Expr::Match(_)
            | Expr::Has(..) => Vec::new(),
            Expr::List(nodes) | Expr::All(nodes) | Expr::Any(nodes) => nodes.iter().collect(),
            Expr::Not(node) | Expr::Like(node, _) | Expr::IsEmpty(node) => vec![node],
            Expr::If(choice) => vec![&choice.test, &choice.yes, &choice.no],
            Expr::Compare(_, sides) | Expr::Contains(_, sides) => vec![&sides.0, &sides.1],
        }
    }

    /// Whether this asks if an argument of that name is there.
    pub(super) fn asks_for(&self, argument: &str) -> bool {
        match &self.expr {
            Expr::Has(path, names) if path.root == Root::Args => {
                path.steps.iter().chain(names).next().is_some_and(|step| step.name == argument)
            }
            Expr::Has(..)
            | Expr::Bool(_)
            | Expr::Number(_)
            | Expr::Text(_)
            | Expr::List(_)
            | Expr::Path(_)
            | Expr::Match(_)
            | Expr::Not(_)
            | Expr::All(_)
            | Expr::Any(_)
            | Expr::If(_)
            | Expr::Compare(..)
            | Expr::Like(..)
            | Expr::Contains(..)
            | Expr::IsEmpty(_) => false,
        }
    }

    /// Shows every node to `see`, each before those below it.
    pub(super) fn visit<'a>(&'a self, see: &mut impl FnMut(&'a Node)) {
        see(self);
        self.children().into_iter().for_each(|child| child.visit(see));
    }

    /// How deep Cedar's tree of it will be, more or less: there a chain of operators is a tree of pairs.
    pub(super) fn depth(&self) -> usize {
        let below = self.children().into_iter().map(Node::depth).max().unwrap_or_default();
        let chain = match &self.expr {
            Expr::All(nodes) | Expr::Any(nodes) => nodes.len(),
            Expr::Has(_, names) => names.len(),
            Expr::Bool(_)
            | Expr::Number(_)
            | Expr::Text(_)
            | Expr::List(_)
            | Expr::Path(_)
            | Expr::Match(_)
            | Expr::Not(_)
            | Expr::If(_)
            | Expr::Compare(..)
            | Expr::Like(..)
            | Expr::Contains(..)
            | Expr::IsEmpty(_) => 1,
        };
        let steps = self.path().map_or(0, |path| path.steps.len());
        let pairs = usize::try_from(chain.next_power_of_two().trailing_zeros()).unwrap_or(usize::MAX);
        below.saturating_add(pairs.max(1)).saturating_add(steps)
    }

    /// How tightly its own sign binds, from an `if` to a name.
    fn binding(&self) -> Binding {
        match &self.expr {
            Expr::If(_) => Binding::Whole,
            Expr::Any(_) => Binding::Any,
            Expr::All(_) => Binding::All,
            Expr::Compare(..) | Expr::Has(..) | Expr::Like(..) => Binding::Relation,
            Expr::Not(_) => Binding::Unary,
            Expr::Number(literal) if literal.is_negative() => Binding::Unary,
            Expr::Bool(_)
            | Expr::Number(_)
            | Expr::Text(_)
            | Expr::List(_)
            | Expr::Path(_)
            | Expr::Match(_)
            | Expr::Contains(..)
            | Expr::IsEmpty(_) => Binding::Member,
        }
    }

    /// The node where only one that binds at least so tightly may stand.
    fn bound(&self, least: Binding) -> Bound<'_> {
        Bound { node: self, least }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Binding {
    Whole,
    Any,
    All,
    Relation,
    Unary,
    Member,
}

struct Bound<'a> {
    node: &'a Node,
    least: Binding,
}

impl fmt::Display for Bound<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.node.binding() < self.least { write!(f, "({})", self.node) } else { self.node.fmt(f) }
    }
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let listed = |f: &mut fmt::Formatter<'_>, nodes: &[Node], between: &str, least| {
            nodes.iter().enumerate().try_for_each(|(at, node)| {
                f.write_str(if at > 0 { between } else { "" })?;
                node.bound(least).fmt(f)
            })
        };
        match &self.expr {
            Expr::Bool(truth) => truth.fmt(f),
            Expr::Number(literal) => literal.fmt(f),
            Expr::Text(text) => Quoted(text).fmt(f),
            Expr::List(items) => {
                f.write_char('[')?;
                listed(f, items, ", ", Binding::Whole)?;
                f.write_char(']')
            }
            Expr::Path(path) => path.fmt(f),
            Expr::Match(name) => {
                f.write_str("matches")?;
                write_step(name.as_str(), f)
            }
            Expr::Not(node) => write!(f, "!{}", node.bound(Binding::Member)),
            Expr::All(nodes) => listed(f, nodes, " && ", Binding::Relation),
            Expr::Any(nodes) => listed(f, nodes, " || ", Binding::All),
            Expr::If(choice) => write!(f, "if {} then {} else {}", choice.test, choice.yes, choice.no),
            Expr::Compare(comparison, sides) => {
                let (left, right) = (sides.0.bound(Binding::Unary), sides.1.bound(Binding::Unary));
                write!(f, "{left} {} {right}", comparison.as_str())
            }
            Expr::Has(path, names) => {
                write!(f, "{path} has ")?;
                match names.as_slice() {
                    [one] if !is_bare(&one.name) => Quoted(&one.name).fmt(f),
                    names => names.iter().enumerate().try_for_each(|(at, step)| {
                        f.write_str(if at > 0 { "." } else { "" })?;
                        f.write_str(&step.name)
                    }),
                }
            }
            Expr::Like(node, pattern) => write!(f, "{} like {pattern}", node.bound(Binding::Unary)),
            Expr::Contains(contains, sides) => {
                write!(f, "{}.{}({})", sides.0.bound(Binding::Member), contains.as_str(), sides.1)
            }
            Expr::IsEmpty(node) => write!(f, "{}.isEmpty()", node.bound(Binding::Member)),
        }
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.root.as_str())?;
        self.steps.iter().try_for_each(|step| write_step(&step.name, f))
    }
}

/// A place by its words, as a path of a condition is printed.
pub(super) struct Words<'a>(pub(super) &'a [String]);

impl fmt::Display for Words<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().enumerate().try_for_each(|(at, word)| match at {
            0 => f.write_str(word),
            _ => write_step(word, f),
        })
    }
}

fn write_step(name: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    if is_bare(name) { write!(f, ".{name}") } else { write!(f, "[{}]", Quoted(name)) }
}

/// A text between quotes, with Cedar's escapes for all that would not be seen.
pub(super) struct Quoted<'a>(pub(super) &'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        self.0.chars().try_for_each(|char| write_char(char, f))?;
        f.write_char('"')
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        for part in &self.0 {
            match part {
                Part::Anything => f.write_char('*')?,
                Part::Text(text) => text.chars().try_for_each(|char| match char {
                    '*' => f.write_str("\\*"),
                    char => write_char(char, f),
                })?,
            }
        }
        f.write_char('"')
    }
}

fn write_char(char: char, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match char {
        '"' => f.write_str("\\\""),
        '\\' => f.write_str("\\\\"),
        '\n' => f.write_str("\\n"),
        '\r' => f.write_str("\\r"),
        '\t' => f.write_str("\\t"),
        '\0' => f.write_str("\\0"),
        char if acts(char) => write!(f, "\\u{{{:x}}}", u32::from(char)),
        char => f.write_char(char),
    }
}
