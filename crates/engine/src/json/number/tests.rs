//! Numbers: what is kept exactly, what is refused, and how each is written.

use super::*;

fn text_of(double: f64) -> String {
    let mut text = String::new();
    assert!(write_double(double, &mut text).is_ok());
    text
}

#[test]
fn an_integral_literal_is_kept_as_an_integer_however_it_is_written() {
    for (literal, value) in [
        ("5", 5),
        ("5.0", 5),
        ("1e2", 100),
        ("1E+2", 100),
        ("1.5e1", 15),
        ("1200e-2", 12),
        ("-0", 0),
        ("-0.0e-5", 0),
        ("0.00e999999999", 0),
        ("0e-99999999999999999999", 0),
        ("9007199254740993", 9_007_199_254_740_993),
        ("9007199254740993.000", 9_007_199_254_740_993),
        ("9223372036854775807", i64::MAX),
        ("-9223372036854775808", i64::MIN),
        ("-9.223372036854775808e18", i64::MIN),
        ("0.00000000000000000000001e23", 1),
        ("100000000000000000000000e-23", 1),
    ] {
        assert_eq!(Number::parse(literal), Ok(Number::Integer(value)), "{literal}");
    }
}

#[test]
fn a_fraction_is_kept_if_its_shortest_double_says_the_same() {
    for (literal, text) in [
        ("0.1", "0.1"),
        ("1.10", "1.1"),
        ("2.5e-3", "0.0025"),
        ("-0.5", "-0.5"),
        ("25e-7", "0.0000025"),
        ("1e-7", "1e-7"),
        ("12.5e-9", "1.25e-8"),
        ("5e-324", "5e-324"),
        ("0.3", "0.3"),
        ("0.30000000000000004", "0.30000000000000004"),
        ("4503599627370495.5", "4503599627370495.5"),
        ("123456789012.345e2", "12345678901234.5"),
    ] {
        assert_eq!(Number::parse(literal).map(|n| n.to_string()), Ok(text.to_owned()), "{literal}");
    }
}

#[test]
fn what_would_be_rounded_is_refused() {
    use NumberError::{Inexact, OutOfRange};
    for (literal, why) in [
        ("100.000000000000000000001", Inexact),
        ("0.1000000000000000055511151231257827", Inexact), // exactly the double, but not its text
        ("0.99999999999999999", Inexact),                  // the nearest double is 1
        ("0.30000000000000001", Inexact),                  // the nearest double is written 0.3
        ("9007199254740993.5", Inexact),
        ("1424953923781206.3", Inexact), // 1424953923781206.25 is written ...206.2, the even one
        ("1e-400", Inexact),
        ("4e-324", Inexact), // rounds to 5e-324
        ("1e-99999999999999999999", Inexact),
        ("9223372036854775808", OutOfRange),
        ("-9223372036854775809", OutOfRange),
        ("9.3e18", OutOfRange),
        ("1e19", OutOfRange),
        ("1e400", OutOfRange),
        ("-1e99999999999999999999", OutOfRange),
        ("18446744073709551615", OutOfRange),
    ] {
        assert_eq!(Number::parse(literal), Err(why), "{literal}");
    }
}

#[test]
fn what_json_does_not_call_a_number_is_refused() {
    for text in [
        "",
        "-",
        "+1",
        "01",
        "-01",
        ".5",
        "1.",
        "1.e1",
        "1e",
        "1e+",
        "0x1",
        "1_0",
        " 1",
        "1 ",
        "1,",
        "NaN",
        "Infinity",
        "-Infinity",
        "--1",
        "1e1.5",
        "１",
    ] {
        assert_eq!(Number::parse(text), Err(NumberError::Malformed), "{text:?}");
    }
}

#[test]
fn hostile_literals_are_judged_in_linear_time() {
    const LENGTH: usize = 4 << 20;
    let nines = "9".repeat(LENGTH);
    let zeros = "0".repeat(LENGTH);
    for (literal, judged) in [
        (nines.clone(), Err(NumberError::OutOfRange)),
        (format!("0.{nines}"), Err(NumberError::Inexact)),
        (format!("1e{nines}"), Err(NumberError::OutOfRange)),
        (format!("1e-{nines}"), Err(NumberError::Inexact)),
        (format!("0.{zeros}"), Ok(Number::Integer(0))),
        (format!("7.{zeros}"), Ok(Number::Integer(7))),
        (format!("0.{zeros}7e{}", LENGTH + 1), Ok(Number::Integer(7))),
        (format!("7{zeros}e-{LENGTH}"), Ok(Number::Integer(7))),
    ] {
        assert_eq!(Number::parse(&literal), judged, "{}...", literal.split_at(9).0);
    }
}

/// The table of RFC 8785, appendix B: the bits of a double, its text, and what becomes of that text here.
#[test]
fn the_sample_numbers_of_rfc_8785_are_written_as_it_says() {
    use NumberError::OutOfRange;
    for (bits, text, kept) in [
        (0x0000_0000_0000_0000, "0", Ok(())),
        (0x8000_0000_0000_0000, "0", Ok(())),
        (0x0000_0000_0000_0001, "5e-324", Ok(())),
        (0x8000_0000_0000_0001, "-5e-324", Ok(())),
        (0x7fef_ffff_ffff_ffff, "1.7976931348623157e+308", Err(OutOfRange)),
        (0xffef_ffff_ffff_ffff, "-1.7976931348623157e+308", Err(OutOfRange)),
        (0x4340_0000_0000_0000, "9007199254740992", Ok(())),
        (0xc340_0000_0000_0000, "-9007199254740992", Ok(())),
        (0x4430_0000_0000_0000, "295147905179352830000", Err(OutOfRange)),
        (0x44b5_2d02_c7e1_4af5, "9.999999999999997e+22", Err(OutOfRange)),
        (0x44b5_2d02_c7e1_4af6, "1e+23", Err(OutOfRange)),
        (0x44b5_2d02_c7e1_4af7, "1.0000000000000001e+23", Err(OutOfRange)),
        (0x444b_1ae4_d6e2_ef4e, "999999999999999700000", Err(OutOfRange)),
        (0x444b_1ae4_d6e2_ef4f, "999999999999999900000", Err(OutOfRange)),
        (0x444b_1ae4_d6e2_ef50, "1e+21", Err(OutOfRange)),
        (0x3eb0_c6f7_a0b5_ed8c, "9.999999999999997e-7", Ok(())),
        (0x3eb0_c6f7_a0b5_ed8d, "0.000001", Ok(())),
        (0x41b3_de43_5555_5553, "333333333.3333332", Ok(())),
        (0x41b3_de43_5555_5554, "333333333.33333325", Ok(())),
        (0x41b3_de43_5555_5555, "333333333.3333333", Ok(())),
        (0x41b3_de43_5555_5556, "333333333.3333334", Ok(())),
        (0x41b3_de43_5555_5557, "333333333.33333343", Ok(())),
        (0xbecb_f647_612f_3696, "-0.0000033333333333333333", Ok(())),
        (0x4314_3ff3_c1cb_0959, "1424953923781206.2", Ok(())),
    ] {
        assert_eq!(text_of(f64::from_bits(bits)), text, "{bits:016x}");
        assert_eq!(Number::parse(text).map(|n| n.to_string()), kept.map(|()| text.to_owned()), "{bits:016x}");
    }
}

#[test]
fn a_power_of_two_is_never_written_as_its_neighbour() {
    // The nearest text of as many digits, one less in the last place, names the double below.
    for (power, text) in [(-24, "5.960464477539063e-8"), (-44, "5.684341886080802e-14")] {
        assert_eq!(text_of(2_f64.powi(power)), text, "2^{power}");
        assert_eq!(Number::parse(text).map(|n| n.as_f64()), Ok(2_f64.powi(power)), "2^{power}");
    }
}

#[test]
fn only_integers_up_to_the_last_that_doubles_count_are_safe() {
    for (literal, safe) in [
        ("0", true),
        ("9007199254740991", true),
        ("-9007199254740991", true),
        ("9007199254740992", false),
        ("-9223372036854775808", false),
        ("0.5", false),
    ] {
        assert_eq!(Number::parse(literal).map(|n| n.is_safe_integer()), Ok(safe), "{literal}");
    }
}

#[test]
fn a_number_is_also_a_double() {
    for (literal, double) in [("7", 7.0), ("-0.25", -0.25), ("9007199254740993", 9_007_199_254_740_992.0)] {
        assert_eq!(Number::parse(literal).map(|n| n.as_f64()), Ok(double), "{literal}");
    }
    match Number::parse("0.25") {
        Ok(Number::Decimal(decimal)) => assert_eq!(decimal.as_f64(), 0.25),
        other => panic!("0.25 is a decimal, not {other:?}"),
    }
}

#[test]
fn the_short_way_for_few_digits_ends_where_doubles_grow_coarse() {
    for (literal, kept) in [
        ("0.999999999999999", Ok("0.999999999999999")),
        ("9.99999999999999e-307", Ok("9.99999999999999e-307")),
        ("1.23456789012345e-307", Ok("1.23456789012345e-307")),
        ("1.23456789012345e-320", Err(NumberError::Inexact)),
        ("1.235e-320", Ok("1.235e-320")),
    ] {
        assert_eq!(Number::parse(literal).map(|n| n.to_string()), kept.map(str::to_owned), "{literal}");
    }
}
