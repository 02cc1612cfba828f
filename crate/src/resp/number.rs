//! Numbers as text, the way Redis reads and prints them.
//!
//! Owns the accepted spellings. Does not know what a number is for.

/// A decimal integer in its one canonical spelling: an optional `-`, digits, no leading zero, no space, no `+`.
/// Anything else, and anything outside 64 bits, is `None`.
pub fn parse_i64(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        _ => (false, text),
    };
    match digits {
        [b'0'] if !negative => return Some(0),
        [b'1'..=b'9', ..] if digits.len() <= 19 => {}
        _ => return None,
    }
    let mut value: u64 = 0;
    for digit in digits {
        let digit = digit.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        // 19 digits stay below 10^19, which fits 64 unsigned bits.
        value = value * 10 + u64::from(digit);
    }
    if negative { 0i64.checked_sub_unsigned(value) } else { i64::try_from(value).ok() }
}

/// A floating-point number: decimal with an optional exponent, hexadecimal as in C, or `inf`, `infinity` with an optional sign,
/// in any case. No surrounding space, never not-a-number, and nothing that overflows or is too small to tell from 0.
pub fn parse_f64(text: &[u8]) -> Option<f64> {
    parse_f64_or_tiny(text).filter(|value| *value != 0.0 || is_zero(text))
}

/// The same, but what is too small is 0.
pub fn parse_f64_or_tiny(text: &[u8]) -> Option<f64> {
    let spelled_out = text.iter().any(|byte| matches!(byte, b'i' | b'I'));
    number_of(text).filter(|value| value.is_finite() || spelled_out)
}

/// Whether the digits of a number are all 0.
fn is_zero(number: &[u8]) -> bool {
    let is_hexadecimal = number.iter().any(|byte| matches!(byte, b'x' | b'X'));
    let exponent = if is_hexadecimal { b'p' } else { b'e' };
    let mut digits = number.iter().take_while(|byte| byte.to_ascii_lowercase() != exponent);
    !digits.any(|byte| byte.is_ascii_hexdigit() && *byte != b'0')
}

/// The same by C's `strtod`, which passes over space in front and takes what overflows for infinite.
pub fn parse_f64_leniently(text: &[u8]) -> Option<f64> {
    number_of(text.trim_ascii_start())
}

fn number_of(text: &[u8]) -> Option<f64> {
    let text = std::str::from_utf8(text).ok()?;
    text.parse().ok().or_else(|| hexadecimal(text)).filter(|value: &f64| !value.is_nan())
}

/// `0x1.8p3`: digits, and how many times the value is doubled.
fn hexadecimal(text: &str) -> Option<f64> {
    let unsigned = text.trim_start_matches(['+', '-']);
    let digits = unsigned.strip_prefix("0x").or_else(|| unsigned.strip_prefix("0X"))?;
    let (digits, doubled) = digits.split_once(['p', 'P']).unwrap_or((digits, "0"));
    let mut doubled: i16 = doubled.parse().ok()?;
    let (mut value, mut is_fraction, mut any) = (0.0, false, false);
    for digit in digits.chars() {
        if digit == '.' && !is_fraction {
            is_fraction = true;
            continue;
        }
        value = value * 16.0 + f64::from(digit.to_digit(16)?);
        any = true;
        doubled = doubled.checked_sub(if is_fraction { 4 } else { 0 })?;
    }
    for _ in 0..doubled.unsigned_abs() {
        value *= if doubled > 0 { 2.0 } else { 0.5 };
    }
    let is_one = any && text.len() - unsigned.len() <= 1;
    is_one.then_some(if text.starts_with('-') { -value } else { value })
}

/// Prints `value` with the fewest digits that read back as the same number, laid out as C's `%.17g` does:
/// `1.5`, `100000`, `1e+20`, `inf`.
pub fn write_f64(value: f64) -> String {
    if value.is_nan() {
        return "nan".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "inf" } else { "-inf" }.to_owned();
    }
    let scientific = format!("{value:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    match exponent.parse::<i32>() {
        Ok(exponent) if !(-4..17).contains(&exponent) => {
            let sign = if exponent < 0 { '-' } else { '+' };
            format!("{digits}e{sign}{:02}", exponent.abs())
        }
        _ => format!("{value}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_have_one_spelling() {
        let check = |text: &str, expected| assert_eq!(parse_i64(text.as_bytes()), expected, "{text}");
        check("0", Some(0));
        check("7", Some(7));
        check("-12", Some(-12));
        check("9223372036854775807", Some(i64::MAX));
        check("-9223372036854775808", Some(i64::MIN));
        for wrong in [
            "",
            "-",
            "-0",
            "00",
            "01",
            "+1",
            " 1",
            "1 ",
            "1.0",
            "1e3",
            "0x1",
            "9223372036854775808",
            "-9223372036854775809",
            "18446744073709551615",
            "99999999999999999999",
            "1\0",
        ] {
            check(wrong, None);
        }
    }

    #[test]
    fn floats_are_written_as_in_c() {
        let check = |text: &str, expected| assert_eq!(parse_f64(text.as_bytes()), expected, "{text}");
        check("1", Some(1.0));
        check("-2.5e3", Some(-2500.0));
        check(".5", Some(0.5));
        check("+inf", Some(f64::INFINITY));
        check("-Infinity", Some(f64::NEG_INFINITY));
        check("0x10", Some(16.0));
        check("-0X1.8p3", Some(-12.0));
        check("+0x.8P-1", Some(0.25));
        let wrong = ["0x", "0x.", "0xg", "0x1p", "0x1.8.8", "0x1p99999", "x1", "0x-1", "0x1 "];
        for wrong in ["", " 1", "1 ", "nan", "NaN", "1e999", "abc", "1.2.3", "--1"].iter().chain(&wrong) {
            check(wrong, None);
        }
        check("5e-324", Some(5e-324));
        check("-0.00e-999", Some(0.0));
        check("0X0.0p-9999", Some(0.0));
        for tiny in ["1e-400", "-.01E-400", "0x1p-2000", "0xap-2000"] {
            check(tiny, None);
            assert_eq!(parse_f64_or_tiny(tiny.as_bytes()), Some(0.0), "{tiny}");
        }
        let check =
            |text: &str, expected| assert_eq!(parse_f64_leniently(text.as_bytes()), expected, "{text}");
        check(" \t1", Some(1.0));
        check("-1e999", Some(f64::NEG_INFINITY));
        for wrong in ["", " ", "1 ", "nan"] {
            check(wrong, None);
        }
    }

    #[test]
    fn floats_print_as_c_prints_them() {
        let check = |value, expected: &str| assert_eq!(write_f64(value), expected);
        check(0.0, "0");
        check(-0.0, "-0");
        check(1.5, "1.5");
        check(0.1, "0.1");
        check(100000.0, "100000");
        check(1e20, "1e+20");
        check(1.5e-7, "1.5e-07");
        check(-1e300, "-1e+300");
        check(f64::INFINITY, "inf");
        check(f64::NEG_INFINITY, "-inf");
        check(f64::NAN, "nan");
    }
}
