//! The tree of a condition.
//!
//! Where something stands is kept for messages and takes no part in equality: the printed form reads back as an
//! equal tree. A chain of `&&` or of `||` is one node, so that a long one is not a deep one; brackets within
//! a chain are kept as they were written.
//!
//! Start at [`Node`]; its printed form is in `syntax/print.rs`.

mod print;

use std::ops::Range;

pub(super) use self::print::{Quoted, Words};
use super::{Root, literal::Literal};
use crate::names::MatchName;

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
}
