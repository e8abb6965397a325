//! Costs: what an expression comes to, to the millionth, and what it refuses.

use super::*;
use crate::json::{Limits, Object, parse};
use proptest::{collection, option, prelude::*, sample};

fn json(text: &str) -> Json {
    parse(text.as_bytes(), &Limits::EDGE).unwrap()
}

fn evaluated(cost: &str, args: &str) -> String {
    let cost: Expression = cost.parse().unwrap_or_else(|error| panic!("{cost}: {error}"));
    match cost.evaluate(&json(args)) {
        Ok(amount) => amount.to_string(),
        Err(error) => error.to_string(),
    }
}

#[test]
fn a_cost_is_worked_out_from_the_decimal_text_of_numbers() {
    for (cost, args, want) in [
        ("0.25", "{}", "0.25"),
        ("args.amount", r#"{"amount": 250}"#, "250"),
        ("args.amount", r#"{"amount": 0.1}"#, "0.1"),
        ("args.amount + args.fee", r#"{"amount": 0.1, "fee": 0.2}"#, "0.3"), // as doubles a little more
        ("args.amount", r#"{"amount": 1.1e2}"#, "110"),
        ("args.amount", r#"{"amount": -0}"#, "0"),
        ("args.amount", r#"{"amount": 0.0000001}"#, "0.000001"), // up to the next millionth
        ("args.amount", r#"{"amount": 1.0000005}"#, "1.000001"),
        ("args.amount", r#"{"amount": 5e-324}"#, "0.000001"),
        ("args.amount * 0", r#"{"amount": 5e-324}"#, "0"),
        ("args.amount * 0.000001", r#"{"amount": 5e-324}"#, "0.000001"),
        ("args.n * 0.333333", r#"{"n": 3}"#, "0.999999"),
        ("args.n * 0.000001 + args.n * 0.000001", r#"{"n": 0.5}"#, "0.000002"), // each term rounds up
        ("len(args.to) * 0.02", r#"{"to": ["a", "b", "c"]}"#, "0.06"),
        ("len(args.to)", r#"{"to": []}"#, "0"),
        ("len(args.text) * 0.001", r#"{"text": "żuk"}"#, "0.003"), // characters, not bytes
        ("0.10 + args.pages * 0.01", r#"{"pages": 7}"#, "0.17"),
        ("args.order.lines[1].price", r#"{"order": {"lines": [{}, {"price": 4.5}]}}"#, "4.5"),
        (r#"args["unit price"]["a\"b"][0]"#, r#"{"unit price": {"a\"b": [2]}}"#, "2"),
        ("args.n", r#"{"n": 9223372036854.775}"#, "9223372036854.775"),
        ("args.n", r#"{"n": 9223372036854775807}"#, "`args.n` is too large to be counted"),
        ("args.n", r#"{"n": 9223372036855}"#, "`args.n` is too large to be counted"),
        ("args.n + 1", r#"{"n": 9223372036854}"#, "the sum is too large to be counted"),
        ("args.n * 1000000", r#"{"n": 9223372036}"#, "`args.n` is too large to be counted"),
        ("len(args.to) * 9223372036854", r#"{"to": [1, 2]}"#, "`args.to` is too long to be counted"),
        ("args.amount", "{}", "`args.amount` is missing"),
        ("args.amount", "[]", "`args.amount` is missing"),
        ("args.amount", "null", "`args.amount` is missing"),
        ("args.order.total", r#"{"order": null}"#, "`args.order.total` is missing"),
        ("args.lines[1]", r#"{"lines": [1]}"#, "`args.lines[1]` is missing"),
        ("args[\"0\"]", r#"{"0": 1}"#, "1"),
        ("args[0]", r#"{"0": 1}"#, "`args[0]` is missing"), // an item of a list is no member of an object
        ("args.amount", r#"{"amount": null}"#, "`args.amount` is null, not a number"),
        ("args.amount", r#"{"amount": "5"}"#, "`args.amount` is a string, not a number"),
        ("args.amount", r#"{"amount": true}"#, "`args.amount` is a boolean, not a number"),
        ("args.amount", r#"{"amount": -0.01}"#, "`args.amount` is negative"),
        ("args.amount * 0", r#"{"amount": -1}"#, "`args.amount` is negative"),
        ("args", "{}", "`args` is an object, not a number"),
        ("len(args.to)", r#"{"to": 3}"#, "`args.to` is a number, not a list or a text"),
        ("len(args.to)", r#"{"to": {}}"#, "`args.to` is an object, not a list or a text"),
        ("len(args.to)", r#"{"to": null}"#, "`args.to` is null, not a list or a text"),
        ("args.a + args.b", r#"{"a": 1}"#, "`args.b` is missing"),
    ] {
        assert_eq!(evaluated(cost, args), want, "{cost} over {args}");
    }
}

#[test]
fn what_is_no_cost_says_why() {
    for (text, why) in [
        ("", "a path such as `args.amount` is expected at its end"),
        ("args.a +", "a path such as `args.amount` is expected at its end"),
        ("args.a args.b", "nothing more is expected where `args.b` stands"),
        ("args.a - 1", "a cost is a sum and has no `-`"),
        ("-1", "a path such as `args.amount` is expected where `-1` stands"),
        ("0.1 * args.a", "write the path before the decimal, as in `args.pages * 0.1`"),
        ("args.a * args.b", "a decimal after `*` is expected where `args.b` stands"),
        ("args.a * 1.5e3", "`1.5e3` is not a plain decimal such as `12.50`"),
        ("0.0000001", "`0.0000001` has more than 6 digits after the point"),
        (".5", "`.5` is not a plain decimal such as `12.50`"),
        ("5.", "`5.` is not a plain decimal such as `12.50`"),
        ("007", "`007` is not a plain decimal such as `12.50`"),
        ("9223372036855", "`9223372036855` is more than can be counted, 9223372036854.775807"),
        ("amount", "a path begins with `args` or `result`, not with `amount`"),
        ("arg.amount", "a path begins with `args` or `result`, not with `arg`; did you mean `args`?"),
        ("result.charged", "`result.charged` is not there before the call: a cost reads `args`"),
        ("len(args.to", "`)` is expected at its end"),
        ("len(0.5)", "a path begins with `args` or `result`, not with `0`"),
        ("len args.to", "a path begins with `args` or `result`, not with `len`"),
        (
            "args.",
            "a name after the point, or another one in brackets, as in `args[\"e-mail\"]` is expected at its end",
        ),
        ("args.1", "`1` does not begin with a letter: write it as `[\"1\"]`"),
        ("args[", "a number or a name in quotes between brackets is expected at its end"),
        ("args[00]", "a number or a name in quotes between brackets is expected where `]` stands"),
        ("args[\"a", "\"a is not a text in quotes"),
        ("args[\"a\"", "`]` is expected at its end"),
        ("args['a']", "a number or a name in quotes between brackets is expected where `'a']` stands"),
    ] {
        let error = text.parse::<Expression>().unwrap_err();
        assert_eq!(error.to_string(), why, "{text:?}");
    }
    assert!("+ args.a".repeat(500).parse::<Expression>().is_err(), "too long");
    assert!(" args.a".parse::<Path>().is_err(), "a path has no blanks around it");
    assert_eq!("result.charged".parse::<Path>().unwrap().root(), "result");
}

#[test]
fn a_cost_is_written_in_one_way() {
    for (text, canonical) in [
        ("0.50", "0.5"),
        ("  args.amount\t*1 ", "args.amount"),
        ("len ( args.to )*0.02+1", "len(args.to) * 0.02 + 1"),
        (r#"args["a"]["b c"][3]"#, r#"args.a["b c"][3]"#),
        (r#"args["\u00e9"]"#, r#"args["é"]"#),
        ("args.len", "args.len"),
        ("args.length", "args.length"),
    ] {
        assert_eq!(text.parse::<Expression>().unwrap().to_string(), canonical, "{text:?}");
    }
}

#[test]
fn amounts_are_plain_decimals() {
    for (text, millionths) in [
        ("0", Some(0)),
        ("12.5", Some(12_500_000)),
        ("500.00", Some(500_000_000)),
        ("0.000001", Some(1)),
        ("9223372036854.775807", Some(i64::MAX as u64)),
        ("9223372036854.775808", None),
        ("99999999999999999999999999", None),
        ("0.0000010", None),
        ("+1", None),
        ("-0", None),
        ("1e3", None),
        ("01", None),
        ("1.", None),
        (".1", None),
        ("", None),
        (" 1", None),
        ("1_000", None),
        ("\u{0661}", None),
    ] {
        assert_eq!(text.parse::<Amount>().ok(), millionths.map(Amount), "{text:?}");
    }
}

#[test]
fn amounts_stay_within_what_is_counted() {
    use std::time::Duration;
    assert_eq!(Amount::whole(u64::MAX), Amount::MAX);
    assert_eq!(Amount::checked_whole(9_223_372_036_855), None);
    assert_eq!(Amount::checked_whole(3), Some(Amount::whole(3)));
    assert_eq!(Amount::MAX.plus(Amount::ONE), Amount::MAX);
    assert_eq!(Amount::MAX.checked_plus(Amount(1)), None);
    assert_eq!(Amount(1).minus(Amount(2)), Amount(0));
    assert_eq!((Amount::whole(7).as_whole(), Amount(7).as_whole()), (Some(7), None));
    assert_eq!(Amount::seconds(Duration::from_nanos(1_500_000_001)), Amount(1_500_001));
    assert_eq!(Amount::seconds(Duration::MAX), Amount::MAX);
}

/// A decimal of any number of digits, as a text of digits and how many of them are after the point: the
/// plainest way to be exact.
#[derive(Clone, Debug)]
struct Big {
    /// Digits from the least significant one.
    digits: Vec<u32>,
    places: usize,
}

impl Big {
    const PLACES: usize = 400;

    fn read(text: &str) -> Self {
        let (mantissa, exponent) = text.split_once('e').unwrap_or((text, "0"));
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let exponent: i64 = exponent.parse().unwrap();
        let mut digits: Vec<u32> =
            whole.chars().chain(fraction.chars()).map(|digit| digit.to_digit(10).unwrap()).rev().collect();
        let mut places = fraction.len() as i64 - exponent;
        while places < 0 {
            digits.insert(0, 0);
            places += 1;
        }
        Self { digits, places: places as usize }
    }

    fn times(&self, other: &Self) -> Self {
        let mut digits = vec![0; self.digits.len() + other.digits.len() + 1];
        for (i, a) in self.digits.iter().enumerate() {
            for (j, b) in other.digits.iter().enumerate() {
                digits[i + j] += a * b;
            }
        }
        Self { digits, places: self.places + other.places }.carried()
    }

    fn carried(mut self) -> Self {
        let mut carry = 0;
        for digit in &mut self.digits {
            let sum = *digit + carry;
            (*digit, carry) = (sum % 10, sum / 10);
        }
        while carry > 0 {
            self.digits.push(carry % 10);
            carry /= 10;
        }
        self
    }

    fn plus(&self, other: &Self) -> Self {
        let (a, b) = (self.at(Self::PLACES), other.at(Self::PLACES));
        let length = a.digits.len().max(b.digits.len());
        let digit = |of: &Self, at: usize| of.digits.get(at).copied().unwrap_or(0);
        let digits = (0..length).map(|at| digit(&a, at) + digit(&b, at)).collect();
        Self { digits, places: Self::PLACES }.carried()
    }

    fn at(&self, places: usize) -> Self {
        let mut digits = vec![0; places - self.places];
        digits.extend(&self.digits);
        Self { digits, places }
    }

    /// The number of whole millionths, up to the next one; `None` beyond what is counted.
    fn millionths(&self) -> Option<u64> {
        let this = self.at(self.places.max(6));
        let (cut, kept) = this.digits.split_at((this.places - 6).min(this.digits.len()));
        let whole = kept
            .iter()
            .rev()
            .try_fold(0_u128, |sum, digit| sum.checked_mul(10)?.checked_add(u128::from(*digit)))?;
        let whole = whole + u128::from(cut.iter().any(|digit| *digit != 0));
        u64::try_from(whole).ok().filter(|millionths| *millionths <= Amount::MAX.0)
    }
}

/// A number that JSON can hold here, as its text.
fn number() -> impl Strategy<Value = String> {
    prop_oneof![
        (0..10_000_u32).prop_map(|number| number.to_string()),
        (0..i64::MAX).prop_map(|number| number.to_string()),
        (0..1_000_000_u32, 0..12_u32).prop_map(|(number, places)| format!("{number}e-{places}")),
        (1..1_000_000_000_000_000_u64, -320..16_i32)
            .prop_map(|(number, exponent)| format!("{number}e{exponent}")),
    ]
    .prop_filter("kept exactly", |text| crate::json::Number::parse(text).is_ok())
}

fn factor() -> impl Strategy<Value = Amount> {
    prop_oneof![Just(Amount::ONE), (0..20_000_000_u64).prop_map(Amount), (0..=Amount::MAX.0).prop_map(Amount)]
}

fn name() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z_][a-z0-9_]{0,4}", "\\PC{0,6}", any::<String>(), Just("len".to_owned())]
        .prop_map(|name| name.chars().take(20).collect())
}

fn path() -> impl Strategy<Value = Path> {
    use super::path::{Root, Step};
    let step = prop_oneof![name().prop_map(Step::Member), (0..1000_usize).prop_map(Step::Item)];
    collection::vec(step, 0..4).prop_map(|steps| Path::new(Root::Args, steps))
}

fn expression() -> impl Strategy<Value = Expression> {
    let term = prop_oneof![
        factor().prop_map(Term::Amount),
        (path(), factor()).prop_map(|(path, times)| Term::Value { path, times }),
        (path(), factor()).prop_map(|(path, times)| Term::Length { path, times }),
    ];
    collection::vec(term, 1..4).prop_map(|terms| Expression { terms })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn a_sum_of_products_is_that_of_exact_arithmetic(
        parts in collection::vec((number(), factor()), 1..4), fixed in option::of(factor())
    ) {
        let mut args = Object::new();
        let mut terms = Vec::new();
        let mut want = Some(0_u64);
        let mut exact = Big::read("0");
        let mut add = |term: &Big| {
            exact = exact.plus(term);
            want = want.and_then(|sum| sum.checked_add(term.millionths()?)).filter(|sum| *sum <= Amount::MAX.0);
        };
        for (at, (number, factor)) in parts.iter().enumerate() {
            args.insert(format!("n{at}"), json(number));
            terms.push(format!("args.n{at} * {factor}"));
            add(&Big::read(number).times(&Big::read(&factor.to_string())));
        }
        if let Some(fixed) = fixed {
            terms.push(fixed.to_string());
            add(&Big::read(&fixed.to_string()));
        }
        let cost: Expression = terms.join(" + ").parse().unwrap();
        let got = cost.evaluate(&Json::from(args)).ok();
        prop_assert_eq!(got, want.map(Amount), "{}", cost);
        if let (Some(got), Some(least)) = (got, exact.millionths()) {
            prop_assert!(got.0 >= least && got.0 < least + terms.len() as u64, "never less than exact, and near it");
        }
    }

    #[test]
    fn an_amount_is_read_back_from_its_text(millionths in 0..=Amount::MAX.0) {
        let amount = Amount(millionths);
        prop_assert_eq!(amount.to_string().parse(), Ok(amount));
    }

    #[test]
    fn an_expression_is_read_back_from_its_text(expression in expression()) {
        let text = expression.to_string();
        prop_assume!(text.len() <= 1024);
        prop_assert_eq!(text.parse(), Ok(expression), "{}", text);
    }

    #[test]
    fn no_text_makes_the_reader_of_costs_panic(text in any::<String>(), pieces in collection::vec(sample::select(&[
        "args", "result", ".", "a", "[", "]", "\"", "\\", "0", "1.5", "*", "+", "len(", ")", " ", "é", "-", "e3",
    ][..]), 0..12)) {
        let _ = (text.parse::<Path>(), text.parse::<Amount>());
        for text in [text, pieces.concat()] {
            if let Ok(expression) = text.parse::<Expression>() {
                prop_assert_eq!(expression.to_string().parse(), Ok(expression));
            }
        }
    }
}
