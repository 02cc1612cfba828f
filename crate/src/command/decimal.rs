//! Decimal fractions as INCRBYFLOAT adds them.
//!
//! Owns one number format: decimal with 17 places, exact. Redis computes in C's 80-bit `long double` and prints 17
//! places, so `0.1 + 0.2` is `0.3` there, which 64-bit floating point would spoil. Exact decimals agree with it up to
//! its 19 significant digits and stay exact beyond, where Redis's last digits turn to noise. Sums of 10^20 and more,
//! which no one counts to, are left to 64-bit floating point.

use crate::resp::parse_f64_or_tiny;

/// Places after the point.
const PLACES: i64 = 17;

/// A decimal number, or one too large to be exact.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Decimal {
    /// This many units of 10^-17.
    Exact(i128),
    Large(f64),
}

impl Decimal {
    /// From 10^20 up, a number is [`Decimal::Large`]. Sums of two smaller ones stay far below 2^127 units.
    const LARGE: f64 = 1e20;
    const UNITS: i128 = 10i128.pow(PLACES as u32);

    /// The number `text` spells; `None` when it spells none.
    pub(super) fn parse(text: &[u8]) -> Option<Self> {
        let rough = parse_f64_or_tiny(text)?;
        if rough.abs() >= Self::LARGE {
            return Some(Self::Large(rough));
        }
        if rough == 0.0 {
            return Some(Self::Exact(0));
        }
        if text.iter().any(|byte| matches!(byte, b'x' | b'X')) {
            // Hexadecimal: what it spells has few digits more than `rough`.
            return Some(Self::Exact((rough * Self::UNITS as f64) as i128));
        }
        // The spelling is known to be good: sign, digits with perhaps a point, exponent.
        let text = std::str::from_utf8(text).ok()?;
        let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
        let exponent: i64 = exponent.parse().ok()?;
        let digits = mantissa.trim_start_matches(['+', '-']);
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));

        let mut units: i128 = 0;
        // The power of ten the last digit taken counts.
        let mut power = whole.len() as i64 + exponent;
        for digit in whole.bytes().chain(fraction.bytes()).map(|byte| i128::from(byte - b'0')) {
            power -= 1;
            if power < -PLACES {
                let rounds_up = power == -PLACES - 1 && digit >= 5;
                units += i128::from(rounds_up);
                break;
            }
            units = units * 10 + digit;
        }
        for _ in -PLACES..power {
            units *= 10;
        }
        Some(Self::Exact(if mantissa.starts_with('-') { -units } else { units }))
    }

    /// The sum, `None` when it is not finite.
    pub(super) fn add(self, other: Self) -> Option<Self> {
        if let (Self::Exact(a), Self::Exact(b)) = (self, other) {
            return Some(Self::Exact(a + b));
        }
        let sum = self.to_f64() + other.to_f64();
        sum.is_finite().then_some(Self::Large(sum))
    }

    pub(super) fn is_finite(self) -> bool {
        self.to_f64().is_finite()
    }

    fn to_f64(self) -> f64 {
        match self {
            Self::Exact(units) => units as f64 / Self::UNITS as f64,
            Self::Large(value) => value,
        }
    }
}

impl From<i64> for Decimal {
    fn from(value: i64) -> Self {
        Self::Exact(i128::from(value) * Self::UNITS)
    }
}

/// Without an exponent, and without zeros at the end of the fraction.
impl std::fmt::Display for Decimal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let units = match self {
            Self::Exact(units) => *units,
            Self::Large(value) => return write!(f, "{value}"),
        };
        let sign = if units < 0 { "-" } else { "" };
        let (whole, fraction) = (units.abs() / Self::UNITS, units.abs() % Self::UNITS);
        write!(f, "{sign}{whole}")?;
        if fraction > 0 {
            let fraction = format!("{fraction:017}");
            write!(f, ".{}", fraction.trim_end_matches('0'))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(a: &str, b: &str, expected: &str) {
        let [a, b] = [a, b].map(|text| Decimal::parse(text.as_bytes()));
        let sum = a.zip(b).and_then(|(a, b)| a.add(b));
        assert_eq!(sum.map(|sum| sum.to_string()).as_deref().unwrap_or("none"), expected);
    }

    #[test]
    fn sums_are_exact() {
        check("0.1", "0.2", "0.3");
        check("10.50", "0.1", "10.6");
        check("5.0e3", "2.0e2", "5200");
        check("-3", "1.1", "-1.9");
        check("1", "-1", "0");
        check("-0.5", "0.5", "0");
        check("+.5", "1.", "1.5");
        check("0", "1e-17", "0.00000000000000001");
        check("0", "1e-18", "0");
        check("0", "6e-18", "0.00000000000000001");
        check("0", "0e99999999999", "0");
        check("0", "1e-99999999999", "0");
        check("99999999999999999999", "0", "100000000000000000000");
        check("9223372036854775807", "0.5", "9223372036854775807.5");
        check("1e25", "1", "10000000000000000000000000");
    }

    #[test]
    fn what_is_no_number_or_no_finite_sum() {
        for wrong in ["", "abc", "1 ", "nan", "1e400"] {
            check("0", wrong, "none");
        }
        check("inf", "1", "none");
        check("inf", "-inf", "none");
        check("1.7e308", "1.7e308", "none");
    }
}
