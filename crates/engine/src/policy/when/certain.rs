//! What a condition comes to whatever the call is, where that is plain from its text.
//!
//! Only what is certain is said: `false`, `x && !x`, `a > 5 && a < 3`, and what follows from them. Where
//! something could still decide, nothing is said; this is no prover. A value that is absent is another matter:
//! the guard then refuses, whatever its condition comes to.
//!
//! Start at [`certain`].

use super::{
    literal::Literal,
    syntax::{Comparison, Expr, Node, Path},
};

/// What the expression comes to for every call; `None` if that is not plain.
pub(super) fn certain(node: &Node) -> Option<bool> {
    match &node.expr {
        Expr::Bool(truth) => Some(*truth),
        Expr::Not(inside) => certain(inside).map(|truth| !truth),
        Expr::All(nodes) => chain(nodes, false),
        Expr::Any(nodes) => chain(nodes, true),
        Expr::If(choice) => match certain(&choice.test) {
            Some(true) => certain(&choice.yes),
            Some(false) => certain(&choice.no),
            None => certain(&choice.yes).filter(|yes| certain(&choice.no) == Some(*yes)),
        },
        Expr::Compare(comparison, sides) if sides.0 == sides.1 && matches!(sides.0.expr, Expr::Path(_)) => {
            Some(match comparison {
                Comparison::Equal | Comparison::AtMost | Comparison::AtLeast => true,
                Comparison::Unequal | Comparison::Less | Comparison::More => false,
            })
        }
        Expr::Compare(..)
        | Expr::Number(_)
        | Expr::Text(_)
        | Expr::List(_)
        | Expr::Path(_)
        | Expr::Match(_)
        | Expr::Has(..)
        | Expr::Like(..)
        | Expr::Contains(..)
        | Expr::IsEmpty(_) => None,
    }
}

/// A chain that one part settles: `&&` by `false`, `||` by `true`.
fn chain(nodes: &[Node], settles: bool) -> Option<bool> {
    let mut open = Vec::new();
    for node in nodes {
        match certain(node) {
            Some(truth) if truth == settles => return Some(settles),
            Some(_) => {}
            None => open.push(node),
        }
    }
    if open.is_empty() {
        return Some(!settles);
    }
    // A `||` is settled where its parts cannot all be false together.
    let claims: Vec<Claim<'_>> = open.into_iter().map(|node| Claim::of(node, !settles)).collect();
    let clash = claims
        .iter()
        .enumerate()
        .any(|(at, claim)| claims.iter().take(at).any(|earlier| claim.excludes(earlier)));
    clash.then_some(settles)
}

/// That an expression is so, or is not.
struct Claim<'a> {
    node: &'a Node,
    holds: bool,
}

/// What a claim leaves of the values of one place.
enum Left<'a> {
    /// Numbers between these, each with whether it is left itself.
    Between(Option<(i128, bool)>, Option<(i128, bool)>),
    /// Every number but this.
    NotNumber(i128),
    Text(&'a str),
}

impl<'a> Claim<'a> {
    fn of(node: &'a Node, holds: bool) -> Self {
        match &node.expr {
            Expr::Not(inside) => Self::of(inside, !holds),
            Expr::Bool(_)
            | Expr::Number(_)
            | Expr::Text(_)
            | Expr::List(_)
            | Expr::Path(_)
            | Expr::Match(_)
            | Expr::All(_)
            | Expr::Any(_)
            | Expr::If(_)
            | Expr::Compare(..)
            | Expr::Has(..)
            | Expr::Like(..)
            | Expr::Contains(..)
            | Expr::IsEmpty(_) => Self { node, holds },
        }
    }

    /// Whether both cannot be so.
    fn excludes(&self, other: &Self) -> bool {
        if self.node == other.node {
            return self.holds != other.holds;
        }
        let (Some((path, left)), Some((other_path, other_left))) = (self.left(), other.left()) else {
            return false;
        };
        path == other_path && left.is_disjoint(&other_left)
    }

    /// What it says of one place beside a literal.
    fn left(&self) -> Option<(&'a Path, Left<'a>)> {
        let Expr::Compare(comparison, sides) = &self.node.expr else { return None };
        let (path, comparison, literal) = match (&sides.0.expr, &sides.1.expr) {
            (Expr::Path(path), literal) => (path, *comparison, literal),
            (literal, Expr::Path(path)) => (path, mirrored(*comparison), literal),
            (_, _) => return None,
        };
        let comparison = if self.holds { comparison } else { opposite(comparison) };
        let left = match literal {
            Expr::Number(number) => Left::of_number(comparison, *number),
            Expr::Text(text) if comparison == Comparison::Equal => Left::Text(text),
            Expr::Text(_)
            | Expr::Bool(_)
            | Expr::List(_)
            | Expr::Path(_)
            | Expr::Match(_)
            | Expr::Not(_)
            | Expr::All(_)
            | Expr::Any(_)
            | Expr::If(_)
            | Expr::Compare(..)
            | Expr::Has(..)
            | Expr::Like(..)
            | Expr::Contains(..)
            | Expr::IsEmpty(_) => return None,
        };
        Some((path, left))
    }
}

impl Left<'_> {
    fn of_number(comparison: Comparison, number: Literal) -> Self {
        let number = number.millionths();
        match comparison {
            Comparison::Equal => Left::Between(Some((number, true)), Some((number, true))),
            Comparison::Unequal => Left::NotNumber(number),
            Comparison::Less => Left::Between(None, Some((number, false))),
            Comparison::AtMost => Left::Between(None, Some((number, true))),
            Comparison::More => Left::Between(Some((number, false)), None),
            Comparison::AtLeast => Left::Between(Some((number, true)), None),
        }
    }

    fn is_disjoint(&self, other: &Self) -> bool {
        let apart = |low: &Option<(i128, bool)>, high: &Option<(i128, bool)>| match (low, high) {
            (Some((low, low_left)), Some((high, high_left))) => {
                low > high || (low == high && !(*low_left && *high_left))
            }
            (None, _) | (_, None) => false,
        };
        match (self, other) {
            (Left::Between(low, high), Left::Between(other_low, other_high)) => {
                apart(low, other_high) || apart(other_low, high)
            }
            (Left::Between(low, high), Left::NotNumber(number))
            | (Left::NotNumber(number), Left::Between(low, high)) => {
                *low == Some((*number, true)) && *high == Some((*number, true))
            }
            (Left::Text(text), Left::Text(other)) => text != other,
            (Left::NotNumber(_), Left::NotNumber(_) | Left::Text(_))
            | (Left::Between(..), Left::Text(_))
            | (Left::Text(_), Left::Between(..) | Left::NotNumber(_)) => false,
        }
    }
}

/// The comparison with its sides exchanged.
fn mirrored(comparison: Comparison) -> Comparison {
    match comparison {
        Comparison::Equal => Comparison::Equal,
        Comparison::Unequal => Comparison::Unequal,
        Comparison::Less => Comparison::More,
        Comparison::AtMost => Comparison::AtLeast,
        Comparison::More => Comparison::Less,
        Comparison::AtLeast => Comparison::AtMost,
    }
}

/// What is so where the comparison is not.
fn opposite(comparison: Comparison) -> Comparison {
    match comparison {
        Comparison::Equal => Comparison::Unequal,
        Comparison::Unequal => Comparison::Equal,
        Comparison::Less => Comparison::AtLeast,
        Comparison::AtMost => Comparison::More,
        Comparison::More => Comparison::AtMost,
        Comparison::AtLeast => Comparison::Less,
    }
}

#[cfg(test)]
mod tests {
    use crate::policy::when::When;

    #[test]
    fn what_is_plain_is_said_and_nothing_else() {
        for (text, certain) in [
            ("false", Some(false)),
            ("!false", Some(true)),
            ("args.a && false", Some(false)),
            ("args.a || true", Some(true)),
            ("args.a && true", None),
            ("args.x && !args.x", Some(false)),
            ("args.x || !args.x", Some(true)),
            ("args.x && !args.y", None),
            ("matches.internal && !(!(!matches.internal))", Some(false)),
            ("args.a > 5 && args.a < 3", Some(false)),
            ("5 < args.a && 3 > args.a", Some(false)),
            ("args.a > 5 && args.b < 3", None),
            ("args.a > 5 && args.a < 7", None),
            ("args.a >= 5 && args.a <= 5.0", None),
            ("args.a >= 5 && args.a < 5.00", Some(false)),
            ("args.a == 5 && args.a != 5", Some(false)),
            ("args.a == 5 && args.a > 6", Some(false)),
            ("args.a != 5 && args.a != 6", None),
            // Of whole numbers there is none between them, but the type is not known here.
            ("args.a > 5 && args.a < 6", None),
            ("args.a > 3 || args.a <= 5", Some(true)),
            ("args.a > 5 || args.a < 3", None),
            ("args.a > 5 && !(args.a > 3)", Some(false)),
            ("args.c == \"EUR\" && args.c == \"USD\"", Some(false)),
            ("args.c == \"EUR\" && args.c != \"USD\"", None),
            ("args.c == \"EUR\" || args.c == \"USD\"", None),
            ("args.a == args.a", Some(true)),
            ("args.a < args.a", Some(false)),
            ("if args.x then false else false", Some(false)),
            ("if args.x then true else false", None),
            ("args.a > 9 && args.z && args.a == -9", Some(false)),
            ("args has a && !(args has a)", Some(false)),
        ] {
            assert_eq!(When::parse(text).unwrap().certain(), certain, "{text}");
        }
    }
}
