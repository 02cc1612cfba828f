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

/// A floating-point number: decimal with an optional exponent, or `inf`, `infinity` with an optional sign, in any
/// case. No surrounding space, no hexadecimal (which Redis takes), never not-a-number, and nothing that overflows.
pub fn parse_f64(text: &[u8]) -> Option<f64> {
    let text = std::str::from_utf8(text).ok()?;
    let value: f64 = text.parse().ok()?;
    let spelled_out = text.bytes().any(|byte| matches!(byte, b'i' | b'I'));
    (!value.is_nan() && (value.is_finite() || spelled_out)).then_some(value)
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
    fn floats_are_decimal_or_infinite() {
        let check = |text: &str, expected| assert_eq!(parse_f64(text.as_bytes()), expected, "{text}");
        check("1", Some(1.0));
        check("-2.5e3", Some(-2500.0));
        check(".5", Some(0.5));
        check("+inf", Some(f64::INFINITY));
        check("-Infinity", Some(f64::NEG_INFINITY));
        for wrong in ["", " 1", "1 ", "nan", "NaN", "1e999", "0x10", "abc", "1.2.3", "--1"] {
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
