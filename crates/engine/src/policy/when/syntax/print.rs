//! The printed form of a condition, which reads back as an equal one.
//!
//! One blank stands around operators, and brackets only where the tree would be another one without them. What
//! would not be seen is escaped, so that two conditions that look alike are alike.
//!
//! Start at the `Display` of [`Node`]; how texts are escaped is at [`Quoted`].

use std::fmt::{self, Write as _};

use super::{super::token::is_bare, Expr, Node, Part, Path, Pattern};
use crate::diagnostic::acts;

impl Node {
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
pub(in super::super) struct Words<'a>(pub(in super::super) &'a [String]);

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
pub(in super::super) struct Quoted<'a>(pub(in super::super) &'a str);

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
