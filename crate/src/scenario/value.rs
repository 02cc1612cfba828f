//! What a variable of a scenario can hold, and what operators make of two of them.
//!
//! Owns values and their arithmetic. Knows no server and no statement.

use std::fmt;

use bytes::Bytes;

use super::ast::Operator;
use crate::resp;

/// A reply as a scenario sees it. As in Redis, a string that spells an integer is that integer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Value {
    /// No value.
    #[default]
    Nil,
    /// A 64-bit integer.
    Integer(i64),
    /// Any other string of bytes.
    Text(Bytes),
}

impl Value {
    /// The value `bytes` stand for.
    #[must_use]
    pub fn from_bytes(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        resp::parse_i64(&bytes).map_or(Self::Text(bytes), Self::Integer)
    }

    /// The value of `reply`; what it is instead when it is an aggregate.
    pub(super) fn from_reply(reply: resp::Value) -> Result<Self, &'static str> {
        match reply {
            resp::Value::Null => Ok(Self::Nil),
            resp::Value::Integer(number) => Ok(Self::Integer(number)),
            resp::Value::Boolean(yes) => Ok(Self::Integer(i64::from(yes))),
            resp::Value::Bulk(bytes) | resp::Value::Verbatim { text: bytes, .. } => {
                Ok(Self::from_bytes(bytes))
            }
            resp::Value::Simple(text) | resp::Value::BigNumber(text) => Ok(Self::from_bytes(text)),
            resp::Value::Double(number) => Ok(Self::from_bytes(resp::write_f64(number))),
            resp::Value::Error(_) => Err("an error"),
            resp::Value::Array(_) => Err("an array"),
            resp::Value::Map(_) => Err("a map"),
            resp::Value::Set(_) => Err("a set"),
            resp::Value::Push(_) => Err("a push message"),
        }
    }

    /// Whether a condition with this value holds: all but nil and 0 do.
    #[must_use]
    pub fn is_true(&self) -> bool {
        !matches!(self, Self::Nil | Self::Integer(0))
    }

    /// Appends it as a request would carry it; false if it is nil, which no request can carry.
    pub(super) fn write(&self, out: &mut Vec<u8>) -> bool {
        match self {
            Self::Nil => return false,
            Self::Integer(number) => out.extend_from_slice(itoa::Buffer::new().format(*number).as_bytes()),
            Self::Text(bytes) => out.extend_from_slice(bytes),
        }
        true
    }

    /// Its kind, with an article.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Nil => "nil",
            Self::Integer(_) => "an integer",
            Self::Text(_) => "a string",
        }
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Integer(number)
    }
}

/// As it would be written in a scenario.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nil => f.write_str("nil"),
            Self::Integer(number) => write!(f, "{number}"),
            Self::Text(bytes) => f.write_str(&resp::format_value(&resp::Value::Bulk(bytes.to_vec()))),
        }
    }
}

/// What `left operator right` is.
///
/// # Errors
/// When the operator does not take such values, or the result does not fit 64 bits: the whole sentence.
pub(super) fn apply(left: &Value, operator: Operator, right: &Value) -> Result<Value, String> {
    let truth = |holds: bool| Ok(Value::Integer(i64::from(holds)));
    let ordering = || match (left, right) {
        (Value::Integer(left), Value::Integer(right)) => Ok(left.cmp(right)),
        (Value::Text(left), Value::Text(right)) => Ok(left.cmp(right)),
        _ => Err(format!(
            "expected two integers or two strings around `{}`, found {} and {}",
            operator.symbol(),
            left.kind(),
            right.kind()
        )),
    };
    match operator {
        Operator::Equal => truth(left == right),
        Operator::NotEqual => truth(left != right),
        Operator::Less => truth(ordering()?.is_lt()),
        Operator::LessOrEqual => truth(ordering()?.is_le()),
        Operator::Greater => truth(ordering()?.is_gt()),
        Operator::GreaterOrEqual => truth(ordering()?.is_ge()),
        Operator::Add | Operator::Subtract | Operator::Multiply | Operator::Divide | Operator::Remainder => {
            let (&Value::Integer(left), &Value::Integer(right)) = (left, right) else {
                return Err(format!(
                    "expected two integers around `{}`, found {} and {}",
                    operator.symbol(),
                    left.kind(),
                    right.kind()
                ));
            };
            let result = match operator {
                Operator::Add => left.checked_add(right),
                Operator::Subtract => left.checked_sub(right),
                Operator::Multiply => left.checked_mul(right),
                Operator::Divide => left.checked_div(right),
                _ => left.checked_rem(right),
            };
            result.map(Value::Integer).ok_or_else(|| {
                let why = if right == 0 { "a divisor other than 0" } else { "a result that fits 64 bits" };
                format!("expected {why}, found {left} {} {right}", operator.symbol())
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values as a scenario writes them, but for strings, which are bare.
    fn value(text: &str) -> Value {
        if text == "nil" { Value::Nil } else { Value::from_bytes(text.to_owned()) }
    }

    #[track_caller]
    fn check(line: &str, expected: &str) {
        let words: Vec<_> = line.split(' ').collect();
        let operator = Operator::from_symbol(words[1]).unwrap();
        let result = apply(&value(words[0]), operator, &value(words[2]));
        assert_eq!(result.map_or_else(|error| error, |value| value.to_string()), expected, "{line}");
    }

    #[test]
    fn arithmetic() {
        check("7 + 2", "9");
        check("7 - 9", "-2");
        check("7 * 2", "14");
        check("7 / 2", "3");
        check("7 % 2", "1");
        check("7 / 0", "expected a divisor other than 0, found 7 / 0");
        check("7 % 0", "expected a divisor other than 0, found 7 % 0");
        check(
            "9223372036854775807 + 1",
            "expected a result that fits 64 bits, found 9223372036854775807 + 1",
        );
        check(
            "-9223372036854775808 / -1",
            "expected a result that fits 64 bits, found -9223372036854775808 / -1",
        );
        check("nil + 1", "expected two integers around `+`, found nil and an integer");
        check("1 + a", "expected two integers around `+`, found an integer and a string");
    }

    #[test]
    fn comparisons() {
        check("9 < 10", "1");
        check("10 <= 10", "1");
        check("9 > 10", "0");
        check("9 >= 10", "0");
        check("a < b", "1");
        check("ab < b", "1");
        check("a == a", "1");
        check("a == 1", "0");
        check("007 == 7", "0");
        check("nil == nil", "1");
        check("nil != 0", "1");
        check("nil < 1", "expected two integers or two strings around `<`, found nil and an integer");
        check("1 < a", "expected two integers or two strings around `<`, found an integer and a string");
    }

    #[test]
    fn what_holds() {
        for (text, holds) in
            [("nil", false), ("0", false), ("1", true), ("-1", true), ("no", true), ("", true)]
        {
            assert_eq!(value(text).is_true(), holds, "{text}");
        }
    }
}
