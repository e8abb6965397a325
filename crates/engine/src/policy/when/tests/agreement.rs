//! Random conditions over random tools and random calls: Cedar's answer against that of a naive reading.
//!
//! The naive reading walks the tree that was written, with exact numbers in millionths and with absence as a
//! value of its own; it knows nothing of capabilities, of settled answers, or of Cedar. Random numbers choose
//! the condition, so that most of them fit their tool and a failing one shrinks.

use super::{super::syntax::*, *};
use proptest::{collection::vec, prelude::*};

/// What an expression is of one call, or that it cannot be said because something is absent.
type Said = Result<Val, Absent>;

#[derive(Clone, Debug)]
struct Absent;

#[derive(Clone, Debug, PartialEq)]
enum Val {
    Bool(bool),
    /// In millionths of what it counts.
    Number(i128),
    Text(String),
    /// In no order, each once or more.
    Set(Vec<Val>),
    Object,
}

struct Naive<'a> {
    root: &'a Record,
    call: &'a Json,
    matches: &'a BTreeSet<MatchName>,
}

impl Naive<'_> {
    fn truth(&self, node: &Node) -> Result<bool, Absent> {
        let value = self.value(node)?;
        let Val::Bool(truth) = value else { panic!("`{node}` is {value:?}") };
        Ok(truth)
    }

    fn value(&self, node: &Node) -> Said {
        Ok(match &node.expr {
            Expr::Bool(truth) => Val::Bool(*truth),
            Expr::Text(text) => Val::Text(text.clone()),
            Expr::Number(literal) => Val::Number(millionths(&literal.to_string())),
            Expr::List(items) => {
                Val::Set(items.iter().map(|item| self.value(item)).collect::<Result<_, _>>()?)
            }
            Expr::Path(path) => self.at(&path.words())?.ok_or(Absent)?,
            Expr::Match(name) => Val::Bool(self.matches.contains(name)),
            Expr::Not(inner) => Val::Bool(!self.truth(inner)?),
            Expr::All(nodes) => Val::Bool(!self.any(nodes, false)?),
            Expr::Any(nodes) => Val::Bool(self.any(nodes, true)?),
            Expr::If(choice) => {
                self.value(if self.truth(&choice.test)? { &choice.yes } else { &choice.no })?
            }
            Expr::Compare(comparison, sides) => {
                let (left, right) = (self.value(&sides.0)?, self.value(&sides.1)?);
                Val::Bool(match comparison {
                    Comparison::Equal => same(&left, &right),
                    Comparison::Unequal => !same(&left, &right),
                    Comparison::Less => number(&left) < number(&right),
                    Comparison::AtMost => number(&left) <= number(&right),
                    Comparison::More => number(&left) > number(&right),
                    Comparison::AtLeast => number(&left) >= number(&right),
                })
            }
            Expr::Has(path, names) => Val::Bool(self.has(path, names)?),
            Expr::Like(of, pattern) => {
                let value = self.value(of)?;
                let Val::Text(text) = value else { panic!("`{of}` is {value:?}") };
                Val::Bool(fits(&text, pattern.parts()))
            }
            Expr::Contains(contains, sides) => {
                let (set, what) = (items(self.value(&sides.0)?), self.value(&sides.1)?);
                let has = |one: &Val| set.iter().any(|item| same(item, one));
                Val::Bool(match contains {
                    Contains::One => has(&what),
                    Contains::All => items(what).iter().all(has),
                    Contains::Any => items(what).iter().any(has),
                })
            }
            Expr::IsEmpty(of) => Val::Bool(items(self.value(of)?).is_empty()),
        })
    }

    /// Whether one of the nodes is `wanted`. One that cannot be said counts only if none of them is.
    fn any(&self, nodes: &[Node], wanted: bool) -> Result<bool, Absent> {
        let said: Vec<_> = nodes.iter().map(|node| self.truth(node)).collect();
        if said.iter().any(|said| matches!(said, Ok(truth) if *truth == wanted)) {
            return Ok(true);
        }
        said.into_iter().collect::<Result<Vec<_>, _>>().map(|_| false)
    }

    fn has(&self, path: &Path, names: &[Step]) -> Result<bool, Absent> {
        let mut place = path.words();
        for step in names {
            let declared = match declared(self.root, &place) {
                Some(Kind::Record(record)) => record.members.contains_key(&step.name),
                other => panic!("{other:?} has no members"),
            };
            if !declared {
                return Ok(false);
            }
            self.at(&place)?.ok_or(Absent)?;
            place.push(step.name.clone());
            if self.at(&place)?.is_none() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// What stands at a place; an error if what should hold it is absent.
    fn at(&self, place: &[String]) -> Result<Option<Val>, Absent> {
        let mut value = self.call;
        let (last, above) = place.split_last().unwrap();
        for word in above {
            value = present(value, word).ok_or(Absent)?;
        }
        let Some(value) = present(value, last) else { return Ok(None) };
        Ok(Some(val(declared(self.root, place).unwrap(), value)))
    }
}

fn declared<'a>(root: &'a Record, place: &[String]) -> Option<&'a Kind> {
    let (first, rest) = place.split_first()?;
    rest.iter().try_fold(&root.members.get(first)?.kind, |kind, word| {
        let Kind::Record(record) = kind else { panic!("{kind:?} has no `{word}`") };
        Some(&record.members.get(word)?.kind)
    })
}

fn val(kind: &Kind, value: &Json) -> Val {
    match (kind, value) {
        (Kind::Bool, Json::Bool(truth)) => Val::Bool(*truth),
        (Kind::Whole | Kind::Decimal, Json::Number(_)) => Val::Number(millionths(&value.to_string())),
        (Kind::Micros, Json::Number(_)) => Val::Number(i128::from(value.as_i64().unwrap())),
        (Kind::Text, Json::String(text)) => Val::Text(text.clone()),
        (Kind::Set(kind), Json::Array(items)) => Val::Set(items.iter().map(|item| val(kind, item)).collect()),
        (Kind::Record(_), Json::Object(_)) => Val::Object,
        other => panic!("{other:?}"),
    }
}

fn millionths(text: &str) -> i128 {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    format!("{whole}{fraction:0<6}").parse().unwrap()
}

fn number(value: &Val) -> i128 {
    let Val::Number(number) = value else { panic!("{value:?} is no number") };
    *number
}

fn items(value: Val) -> Vec<Val> {
    let Val::Set(items) = value else { panic!("{value:?} is no list") };
    items
}

fn same(left: &Val, right: &Val) -> bool {
    match (left, right) {
        (Val::Set(left), Val::Set(right)) => {
            let within =
                |one: &[Val], other: &[Val]| one.iter().all(|item| other.iter().any(|it| same(item, it)));
            within(left, right) && within(right, left)
        }
        (left, right) => left == right,
    }
}

fn fits(text: &str, parts: &[Part]) -> bool {
    match parts {
        [] => text.is_empty(),
        [Part::Text(start), rest @ ..] => {
            text.strip_prefix(start.as_str()).is_some_and(|text| fits(text, rest))
        }
        [Part::Anything, rest @ ..] => {
            text.char_indices().map(|(at, _)| at).chain([text.len()]).any(|at| fits(&text[at..], rest))
        }
    }
}

/// Random numbers that make choices. Without any left, the first of each.
struct Dice<'a>(std::slice::Iter<'a, u16>);

impl Dice<'_> {
    fn of(&mut self, most: usize) -> usize {
        usize::from(self.0.next().copied().unwrap_or_default()) % most.max(1)
    }

    fn pick<T: Clone>(&mut self, from: &[T]) -> T {
        from[self.of(from.len())].clone()
    }

    fn kind(&mut self, depth: usize) -> Kind {
        match self.of(if depth > 0 { 9 } else { 7 }) {
            0 => Kind::Whole,
            1 => Kind::Decimal,
            2 => Kind::Micros,
            3 | 4 => Kind::Text,
            5 => Kind::Bool,
            6 => set(self.pick(&[Kind::Text, Kind::Whole, Kind::Decimal, Kind::Bool, set(Kind::Text)])),
            _ => Kind::Record(self.record(depth - 1)),
        }
    }

    /// Some of four members, so that a name is often declared somewhere else.
    fn record(&mut self, depth: usize) -> Record {
        let mut members = BTreeMap::new();
        for name in NAMES {
            if self.of(4) > 0 {
                members.insert(name.to_owned(), Member { kind: self.kind(depth), required: self.of(2) == 0 });
            }
        }
        Record { members, open: false }
    }

    fn root(&mut self) -> Record {
        let mut root = Record::default();
        for name in ["args", "session", "call"] {
            let required = name == "args" || self.of(3) > 0;
            root.members.insert(name.to_owned(), Member { kind: Kind::Record(self.record(2)), required });
        }
        root
    }

    /// A value of a kind, as JSON text.
    fn json(&mut self, kind: &Kind) -> String {
        match kind {
            Kind::Bool => self.pick(&["true", "false"]).to_owned(),
            Kind::Whole => self.pick(&["0", "1", "5", "-5", "1e2", "9223372036854775807"]).to_owned(),
            Kind::Decimal => self.pick(&["0", "1", "5.0", "-5.25", "0.0001", "100", "99.9999"]).to_owned(),
            Kind::Micros => self.pick(&["0", "1", "1000000", "5250000", "100000000"]).to_owned(),
            Kind::Text => format!("{:?}", self.pick(&TEXTS)),
            Kind::Set(kind) => {
                let items: Vec<String> = (0..self.of(4)).map(|_| self.json(kind)).collect();
                format!("[{}]", items.join(","))
            }
            Kind::Record(record) => {
                let mut members = vec!["\"extra\":{}".to_owned()];
                for (name, member) in &record.members {
                    match if member.required { 2 } else { self.of(5) } {
                        0 => {}
                        1 => members.push(format!("{name:?}:null")),
                        _ => members.push(format!("{name:?}:{}", self.json(&member.kind))),
                    }
                }
                format!("{{{}}}", members.join(","))
            }
            Kind::Opaque(why) => panic!("{why:?}"),
        }
    }

    /// A value of a kind, as it is written out in a condition.
    fn literal(&mut self, kind: &Kind) -> String {
        match kind {
            Kind::Bool => self.pick(&["true", "false"]).to_owned(),
            Kind::Whole => self.pick(&["0", "1", "5.0", "-5", "100", "9223372036854775807"]).to_owned(),
            Kind::Decimal => self.pick(&["0", "1.0", "5", "-5.25", "0.0001", "99.9999"]).to_owned(),
            Kind::Micros => self.pick(&["0", "0.000001", "1", "5.25", "100"]).to_owned(),
            Kind::Text => Quoted(self.pick(&TEXTS)).to_string(),
            Kind::Set(kind) => {
                let items: Vec<String> = (0..self.of(3) + 1).map(|_| self.literal(kind)).collect();
                format!("[{}]", items.join(","))
            }
            Kind::Record(_) | Kind::Opaque(_) => "true".to_owned(),
        }
    }

    /// A value of a kind: written out, or read from somewhere.
    fn operand(&mut self, kind: &Kind, places: &[(String, Kind)], depth: usize) -> String {
        let same: Vec<_> = places.iter().filter(|(_, other)| other == kind).collect();
        match self.of(6) {
            0 | 1 if !same.is_empty() => self.pick(&same).0.clone(),
            2 if depth > 0 => {
                let test = self.truth(places, depth - 1);
                format!(
                    "(if {test} then {} else {})",
                    self.literal(kind),
                    self.operand(kind, places, depth - 1)
                )
            }
            _ => self.literal(kind),
        }
    }

    /// An expression that is true or false.
    fn truth(&mut self, places: &[(String, Kind)], depth: usize) -> String {
        let below = depth.saturating_sub(1);
        match self.of(if depth > 0 { 14 } else { 6 }) {
            0 => self.pick(&["true", "false", "matches.pii", "matches.internal_mail"]).to_owned(),
            1 => self.question(places),
            2..6 => self.relation(places, below),
            6 => format!("!({})", self.truth(places, below)),
            7 => format!("({} || {})", self.truth(places, below), self.truth(places, below)),
            8 => format!(
                "({} && {} && {})",
                self.truth(places, below),
                self.truth(places, below),
                self.truth(places, below)
            ),
            9 => format!(
                "(if {} then {} else {})",
                self.truth(places, below),
                self.truth(places, below),
                self.truth(places, below)
            ),
            _ => {
                // What a careful author writes: first the question, then the place.
                let near = self.pick(places);
                let (above, name) = near.0.rsplit_once('.').unwrap_or(("args", "a"));
                let (asked, read) = (format!("{above} has {name}"), self.about(&near, places, below));
                match self.of(6) {
                    0 => format!("(if {asked} then {read} else {})", self.truth(places, below)),
                    // And what a careless one does: the answer may be yes for another reason.
                    1 => format!("(({asked} || {}) && {read})", self.truth(places, below)),
                    2 => format!("((if {} then {asked} else {asked}) && {read})", self.truth(places, below)),
                    _ => format!("({asked} && {read})"),
                }
            }
        }
    }

    /// Whether something is there, declared or not.
    fn question(&mut self, places: &[(String, Kind)]) -> String {
        let records: Vec<String> = places
            .iter()
            .filter(|(_, kind)| matches!(kind, Kind::Record(_)))
            .map(|(path, _)| path.clone())
            .collect();
        let of = self.pick(&[records, vec!["args".to_owned(), "session".to_owned()]].concat());
        let name = self.pick(&NAMES);
        format!("{of} has {name}")
    }

    fn relation(&mut self, places: &[(String, Kind)], depth: usize) -> String {
        let place = self.pick(places);
        self.about(&place, places, depth)
    }

    /// A relation of what stands at a place with something of its kind.
    fn about(&mut self, (path, kind): &(String, Kind), places: &[(String, Kind)], depth: usize) -> String {
        match kind {
            Kind::Whole | Kind::Decimal | Kind::Micros => {
                let sign = self.pick(&["==", "!=", "<", "<=", ">", ">="]);
                let (left, right) = (path.clone(), self.operand(kind, places, depth));
                if self.of(2) == 0 {
                    format!("{left} {sign} {right}")
                } else {
                    format!("{right} {sign} {left}")
                }
            }
            Kind::Text => match self.of(3) {
                0 => format!(
                    "{path} like \"{}\"",
                    self.pick(&["*", "a*", "*b", "*a*b*", "", "\\*", "a\\*", "?*é"])
                ),
                1 => format!("{}.contains({path})", self.literal(&set(Kind::Text))),
                _ => format!("{path} {} {}", self.pick(&["==", "!="]), self.operand(kind, places, depth)),
            },
            Kind::Bool => match self.of(2) {
                0 => path.clone(),
                _ => format!("{path} == {}", self.operand(kind, places, depth)),
            },
            Kind::Set(item) => match self.of(4) {
                0 => format!("{path}.isEmpty()"),
                1 => format!("{path}.contains({})", self.operand(item, places, depth)),
                2 => {
                    let method = self.pick(&["containsAll", "containsAny"]);
                    format!("{path}.{method}({})", self.operand(kind, places, depth))
                }
                _ => format!("{path} {} {}", self.pick(&["==", "!="]), self.operand(kind, places, depth)),
            },
            Kind::Record(_) | Kind::Opaque(_) => format!("{path} has {}", self.pick(&NAMES)),
        }
    }
}

const NAMES: [&str; 4] = ["a", "b", "c", "d"];
const TEXTS: [&str; 7] = ["", "a", "b", "ab", "a*", "*", "?xé"];

/// Every place that is declared, as a path.
fn places(record: &Record, above: &str) -> Vec<(String, Kind)> {
    let below = record.members.iter().flat_map(|(name, member)| {
        let path = if above.is_empty() { name.clone() } else { format!("{above}.{name}") };
        let inner = match &member.kind {
            Kind::Record(record) => places(record, &path),
            Kind::Bool
            | Kind::Whole
            | Kind::Decimal
            | Kind::Micros
            | Kind::Text
            | Kind::Set(_)
            | Kind::Opaque(_) => Vec::new(),
        };
        [(path, member.kind.clone())].into_iter().chain(inner)
    });
    below.collect()
}

/// What came of one condition.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Outcome {
    Refused,
    Settled,
    Judged(bool),
    Missing,
}

/// Makes a tool, a condition and a call of these numbers, and asks both.
fn one(numbers: &[u16]) -> Outcome {
    let mut dice = Dice(numbers.iter());
    let root = dice.root();
    let all: Vec<_> = places(&root, "").into_iter().filter(|(path, _)| path.contains('.')).collect();
    if all.is_empty() {
        return Outcome::Refused;
    }
    let text = dice.truth(&all, 3);
    let read = when(&text);
    assert_eq!(When::parse(&read.to_string()), Ok(read.clone()), "{text}");
    let known = names(&["internal_mail", "pii"]);
    let Ok(condition) = read.lower(&Scope { root: &root, matches: &known }) else {
        return Outcome::Refused;
    };
    let cedar = Cedar::of(&condition, &root);
    cedar.accepts(&condition);
    let mut settled = condition.reads.is_empty() && condition.matches.is_empty();
    let mut outcome = Outcome::Settled;
    for _ in 0..3 {
        let call = call(&dice.json(&Kind::Record(root.clone())));
        let held: BTreeSet<_> = known.iter().filter(|_| dice.of(2) == 0).cloned().collect();
        let matches = (!condition.matches.is_empty()).then_some(&held);
        let says = |body| cedar.says(body, &call, matches);
        let naive = Naive { root: &root, call: &call, matches: &held };
        let body = says(&condition.body);
        let is_missing = condition.missing.as_ref().is_some_and(says);
        let about = || format!("{text}\n{}\n{call}\n{root:#?}", printed(&condition.body));
        if is_missing {
            assert!(!body, "{}", about());
            // Something is absent that the condition reads and of which it never asks.
            assert!(absent_and_unasked(&read, &naive), "{}", about());
            outcome = Outcome::Missing;
        } else {
            let naive = naive.truth(&read.node).unwrap_or_else(|Absent| panic!("absent: {}", about()));
            assert_eq!(body, naive, "{}", about());
            if !settled {
                outcome = Outcome::Judged(body);
                settled = true;
            }
        }
    }
    outcome
}

fn absent_and_unasked(read: &When, naive: &Naive<'_>) -> bool {
    let mut asked = BTreeSet::new();
    let mut mentioned = BTreeSet::new();
    read.node.visit(&mut |node| {
        let Some(path) = node.path() else { return };
        let mut place = path.words();
        mentioned.extend((1..=place.len()).map(|length| place[..length].to_vec()));
        if let Expr::Has(_, names) = &node.expr {
            for step in names {
                place.push(step.name.clone());
                asked.insert(place.clone());
            }
        }
    });
    mentioned.difference(&asked).any(|place| matches!(naive.at(place), Ok(None)))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    #[test]
    fn cedar_says_what_a_naive_reading_says(numbers in vec(any::<u16>(), 40..400)) {
        one(&numbers);
    }
}

#[test]
fn random_conditions_come_out_in_every_way() {
    let mut counts = BTreeMap::new();
    let mut state = 1_u64;
    for _ in 0..1500 {
        let numbers: Vec<u16> = (0..300)
            .map(|_| {
                // A linear congruence, the same at every run.
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                u16::try_from(state >> 48).unwrap()
            })
            .collect();
        *counts.entry(one(&numbers)).or_insert(0) += 1;
    }
    for outcome in
        [Outcome::Refused, Outcome::Settled, Outcome::Judged(false), Outcome::Judged(true), Outcome::Missing]
    {
        let count = counts.get(&outcome).copied().unwrap_or_default();
        assert!(count >= 20, "{outcome:?}: {counts:?}");
    }
}
