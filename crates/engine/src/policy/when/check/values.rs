//! What values have to do with each other: comparisons, patterns and lists.
//!
//! Both sides have one type, or the condition does not load. A number that is written out takes the type of
//! what it stands beside, if it can be said there without rounding.

use std::ops::Range;

use super::{
    super::{
        WhenError,
        read::shown,
        syntax::{Comparison, Contains, Node, Pattern},
        typed::Typed,
        types::Type,
    },
    Checked, Checker,
};

impl Checker<'_> {
    pub(super) fn list(&mut self, items: &[Node]) -> Option<Checked> {
        let mut kind: Option<Type> = None;
        let mut typed = Some(Vec::new());
        for item in items {
            let Some(checked) = self.check(item) else {
                typed = None;
                continue;
            };
            let joint = match &kind {
                None => Some(checked.kind.clone()),
                Some(kind) => kind.with(&checked.kind),
            };
            let Some(joint) = joint.filter(|kind| *kind != Type::Record) else {
                let text = shown(&item.to_string());
                let message = match kind {
                    Some(kind) if checked.kind != Type::Record => {
                        format!("`{text}` is {} in a list that begins with {kind}", checked.kind)
                    }
                    Some(_) | None => format!("`{text}` is an object, which stands in no list"),
                };
                self.error(
                    WhenError::new(item.at.clone(), message).help("the items of a list are of one type"),
                );
                return None;
            };
            kind = Some(joint);
            typed.iter_mut().for_each(|typed| typed.push(checked.typed.clone()));
        }
        Some(Checked::new(Type::Set(Box::new(kind?)), Typed::List(typed?)))
    }

    pub(super) fn compare(
        &mut self,
        comparison: Comparison,
        left: &Node,
        right: &Node,
        at: &Range<usize>,
    ) -> Option<Checked> {
        if left.is_fixed() && right.is_fixed() {
            return self.always_the_same(at);
        }
        let (left_checked, right_checked) = (self.check(left), self.check(right));
        let (left_checked, right_checked) = (left_checked?, right_checked?);
        let sign = comparison.as_str();
        let Some(kind) = left_checked.kind.with(&right_checked.kind) else {
            return self.unlike(at, [left, right], [&left_checked.kind, &right_checked.kind]);
        };
        let is_equality = match comparison {
            Comparison::Equal | Comparison::Unequal => true,
            Comparison::Less | Comparison::AtMost | Comparison::More | Comparison::AtLeast => false,
        };
        if kind == Type::Record {
            let error = WhenError::new(at.clone(), format!("`{sign}` does not compare objects"));
            self.error(error.help("compare their members"));
            return None;
        }
        if !is_equality && !kind.has_order() {
            let error = WhenError::new(at.clone(), format!("`{sign}` compares numbers, and this is {kind}"));
            self.error(match kind {
                Type::Text => error.help("a text is compared with `==`, `!=` and `like`"),
                Type::Set(_) => error.help("a list is asked `.contains(…)`, `.isEmpty()`"),
                Type::Bool | Type::Record | Type::Whole | Type::Decimal | Type::Micros | Type::Number => {
                    error.help("use `==` or `!=`")
                }
            });
            return None;
        }
        let kind = kind.settled();
        let (left, right) = (self.fit(left_checked.typed, &kind), self.fit(right_checked.typed, &kind));
        Some(Checked::truth(Typed::Compare(comparison, kind, Box::new([left?, right?]))))
    }

    pub(super) fn like(&mut self, of: &Node, pattern: &Pattern) -> Option<Checked> {
        if of.is_fixed() {
            return self.always_the_same(&of.at);
        }
        let checked = self.check(of)?;
        if checked.kind != Type::Text {
            let text = shown(&of.to_string());
            let message = format!("`like` compares texts, and `{text}` is {}", checked.kind);
            self.error(WhenError::new(of.at.clone(), message));
            return None;
        }
        Some(Checked::truth(Typed::Like(Box::new(checked.typed), pattern.clone())))
    }

    pub(super) fn contains(
        &mut self,
        contains: Contains,
        of: &Node,
        what: &Node,
        at: &Range<usize>,
    ) -> Option<Checked> {
        if of.is_fixed() && what.is_fixed() {
            return self.always_the_same(at);
        }
        let (set, checked) = (self.check(of), self.check(what));
        let set = self.items(contains.as_str(), of, set?)?;
        let checked = checked?;
        let wanted = match contains {
            Contains::One => checked.kind.clone(),
            Contains::All | Contains::Any => match &checked.kind {
                Type::Set(items) => (**items).clone(),
                Type::Bool
                | Type::Whole
                | Type::Decimal
                | Type::Micros
                | Type::Text
                | Type::Record
                | Type::Number => {
                    let text = shown(&what.to_string());
                    let message =
                        format!("`{}` asks for a list, and `{text}` is {}", contains.as_str(), checked.kind);
                    let error = WhenError::new(what.at.clone(), message);
                    self.error(error.help(format!("write `[{text}]`, or ask `.contains({text})`")));
                    return None;
                }
            },
        };
        let Some(item) = set.kind.with(&wanted) else {
            let (list, text) = (shown(&of.to_string()), shown(&what.to_string()));
            let whole = Type::Set(Box::new(set.kind));
            let message = format!("`{list}` is {whole}, and `{text}` is {}", checked.kind);
            self.error(WhenError::new(at.clone(), message).help("so the answer would always be no"));
            return None;
        };
        let item = item.settled();
        let whole = Type::Set(Box::new(item.clone()));
        let right = match contains {
            Contains::One => self.fit(checked.typed, &item),
            Contains::All | Contains::Any => self.fit(checked.typed, &whole),
        };
        let left = self.fit(set.typed, &whole);
        Some(Checked::truth(Typed::Contains(contains, Box::new([left?, right?]))))
    }

    pub(super) fn is_empty(&mut self, of: &Node) -> Option<Checked> {
        if of.is_fixed() {
            return self.always_the_same(&of.at);
        }
        let set = self.check(of)?;
        let set = self.items("isEmpty", of, set)?;
        let whole = Type::Set(Box::new(set.kind.settled()));
        Some(Checked::truth(Typed::IsEmpty(Box::new(self.fit(set.typed, &whole)?))))
    }

    /// The list, with the type of its items.
    fn items(&mut self, word: &str, of: &Node, checked: Checked) -> Option<Checked> {
        let text = shown(&of.to_string());
        let error = |help: Option<String>| {
            let message = format!("`{word}` asks a list, and `{text}` is {}", checked.kind);
            WhenError { help, ..WhenError::new(of.at.clone(), message) }
        };
        match &checked.kind {
            Type::Set(items) => return Some(Checked { kind: (**items).clone(), ..checked }),
            Type::Text if word == "isEmpty" => self.error(error(Some(format!("write `{text} == \"\"`")))),
            Type::Text => self.error(error(Some(format!("write `{text} like \"*part*\"`")))),
            Type::Bool | Type::Whole | Type::Decimal | Type::Micros | Type::Record | Type::Number => {
                self.error(error(None));
            }
        }
        None
    }

    fn always_the_same(&mut self, at: &Range<usize>) -> Option<Checked> {
        let error = WhenError::new(at.clone(), "this is the same for every call");
        self.error(error.help("compare with something of the call, as in `args.amount > 100`"));
        None
    }

    fn unlike(&mut self, at: &Range<usize>, sides: [&Node; 2], kinds: [&Type; 2]) -> Option<Checked> {
        let [left, right] = sides.map(|side| shown(&side.to_string()));
        let [left_kind, right_kind] = kinds;
        let error = WhenError::new(
            at.clone(),
            format!("`{left}` is {left_kind} and `{right}` is {right_kind}, which are not compared"),
        );
        self.error(match (left_kind, right_kind) {
            (Type::Whole | Type::Decimal | Type::Micros, Type::Whole | Type::Decimal | Type::Micros) => {
                error.help("compare each with a number")
            }
            (Type::Text, Type::Number) => error.help(format!("write `\"{right}\"` if it is a text")),
            (Type::Number, Type::Text) => error.help(format!("write `\"{left}\"` if it is a text")),
            (Type::Set(_), Type::Text | Type::Number | Type::Bool) => {
                error.help(format!("ask `{left}.contains({right})`"))
            }
            (
                Type::Bool
                | Type::Whole
                | Type::Decimal
                | Type::Micros
                | Type::Text
                | Type::Set(_)
                | Type::Record
                | Type::Number,
                _,
            ) => error,
        });
        None
    }

    /// The value with its numbers settled.
    fn fit(&mut self, typed: Typed, kind: &Type) -> Option<Typed> {
        match (typed, kind) {
            (Typed::Number(literal, at), kind) => {
                let fitted = match kind {
                    Type::Whole => literal.scaled(0).map(Typed::Whole),
                    Type::Micros => literal.scaled(6).map(Typed::Whole),
                    Type::Decimal | Type::Number => literal.decimal().map(Typed::Decimal),
                    Type::Bool | Type::Text | Type::Set(_) | Type::Record => None,
                };
                if fitted.is_none() {
                    let error = WhenError::new(at, "");
                    let (message, help) = if *kind == Type::Whole {
                        let message = format!("it is compared with a whole number, and `{literal}` is none");
                        (message, "write a number without decimals")
                    } else if *kind != Type::Micros && !literal.has_places(4) {
                        (
                            format!("`{literal}` has more than 4 decimal places"),
                            "arguments are judged to four",
                        )
                    } else {
                        (format!("`{literal}` is larger than anything it is compared with"), "take it out")
                    };
                    self.error(WhenError { message, ..error.help(help) });
                }
                fitted
            }
            (Typed::List(items), Type::Set(kind)) => {
                let fitted: Vec<Option<Typed>> = items.into_iter().map(|item| self.fit(item, kind)).collect();
                fitted.into_iter().collect::<Option<Vec<_>>>().map(Typed::List)
            }
            (Typed::If(parts), kind) => {
                let [test, yes, no] = *parts;
                let (yes, no) = (self.fit(yes, kind), self.fit(no, kind));
                Some(Typed::If(Box::new([test, yes?, no?])))
            }
            (
                typed @ (Typed::Bool(_)
                | Typed::Text(_)
                | Typed::Whole(_)
                | Typed::Decimal(_)
                | Typed::List(_)
                | Typed::Read(..)
                | Typed::Has(..)
                | Typed::Match(_)
                | Typed::Not(_)
                | Typed::All(_)
                | Typed::Any(_)
                | Typed::Compare(..)
                | Typed::Like(..)
                | Typed::Contains(..)
                | Typed::IsEmpty(_)),
                _,
            ) => Some(typed),
        }
    }
}
