//! A reply as text for people, the way `redis-cli` prints it at a terminal.
//!
//! Owns that layout. Knows no terminal and no page.

use super::number::write_f64;
use super::value::Value;

/// Prints `value` as `redis-cli` would, without a line break at the end.
///
/// ```
/// use interleave::resp::{Value, format_value};
///
/// let value = Value::Array(vec![Value::Integer(1), Value::Bulk(b"a\"b".to_vec()), Value::Null]);
/// assert_eq!(format_value(&value), "1) (integer) 1\n2) \"a\\\"b\"\n3) (nil)");
/// ```
pub fn format_value(value: &Value) -> String {
    let mut out = String::new();
    print(value, 0, &mut out);
    out
}

/// Whether `redis-cli` prints the reply to this request as plain text rather than quoted: reports of many lines.
/// Use [`format_raw`] then.
pub fn prints_raw(arguments: &[impl AsRef<[u8]>]) -> bool {
    let is = |index: usize, word: &str| {
        arguments.get(index).is_some_and(|argument| argument.as_ref().eq_ignore_ascii_case(word.as_bytes()))
    };
    is(0, "info") || (is(0, "client") && (is(1, "list") || is(1, "info")))
}

/// Prints a reply as plain text: strings without quotes, errors without a mark, no line break at the end.
pub fn format_raw(value: &Value) -> String {
    match value {
        Value::Bulk(text) | Value::Verbatim { text, .. } => {
            String::from_utf8_lossy(text).trim_end().to_owned()
        }
        Value::Error(text) => text.clone(),
        other => format_value(other),
    }
}

/// Appends `value`; lines after its first are indented by `indent` spaces.
fn print(value: &Value, indent: usize, out: &mut String) {
    match value {
        Value::Simple(text) | Value::BigNumber(text) => out.push_str(text),
        Value::Error(text) => out.extend(["(error) ", text]),
        Value::Integer(number) => out.extend(["(integer) ", itoa::Buffer::new().format(*number)]),
        Value::Double(number) => out.extend(["(double) ", &write_f64(*number)]),
        Value::Boolean(true) => out.push_str("(true)"),
        Value::Boolean(false) => out.push_str("(false)"),
        Value::Null => out.push_str("(nil)"),
        Value::Bulk(bytes) => quote(bytes, out),
        Value::Verbatim { text, .. } => out.push_str(&String::from_utf8_lossy(text)),
        Value::Array(values) if values.is_empty() => out.push_str("(empty array)"),
        Value::Set(values) if values.is_empty() => out.push_str("(empty set)"),
        Value::Push(values) if values.is_empty() => out.push_str("(empty push)"),
        Value::Map(pairs) if pairs.is_empty() => out.push_str("(empty hash)"),
        Value::Array(values) | Value::Push(values) => print_elements(values, ')', indent, out),
        Value::Set(values) => print_elements(values, '~', indent, out),
        Value::Map(pairs) => {
            let width = digits(pairs.len());
            for (index, (key, value)) in pairs.iter().enumerate() {
                start_element(index, width, '#', indent, out);
                print(key, indent + width + 2, out);
                out.push_str(" => ");
                let start = out.len();
                print(value, indent + width + 2, out);
                // What takes several lines begins on one of its own.
                if is_aggregate(value) && out[start..].contains('\n') {
                    out.insert_str(start, &format!("\n{:1$}", "", indent + width + 2));
                }
            }
        }
    }
}

fn is_aggregate(value: &Value) -> bool {
    matches!(value, Value::Array(_) | Value::Set(_) | Value::Push(_) | Value::Map(_))
}

fn print_elements(values: &[Value], separator: char, indent: usize, out: &mut String) {
    let width = digits(values.len());
    for (index, value) in values.iter().enumerate() {
        start_element(index, width, separator, indent, out);
        print(value, indent + width + 2, out);
    }
}

/// Appends an element's number. The first stands on the line its parent began.
fn start_element(index: usize, width: usize, separator: char, indent: usize, out: &mut String) {
    if index > 0 {
        out.push('\n');
        out.extend(std::iter::repeat_n(' ', indent));
    }
    out.push_str(&format!("{:>width$}{separator} ", index + 1));
}

fn digits(number: usize) -> usize {
    itoa::Buffer::new().format(number).len()
}

/// Appends bytes in double quotes, everything but printable ASCII escaped: [`split_line`](super::split_line) reads
/// it back.
pub(crate) fn quote(bytes: &[u8], out: &mut String) {
    out.push('"');
    for byte in bytes {
        match byte {
            b'\\' | b'"' => out.extend(['\\', char::from(*byte)]),
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            0x07 => out.push_str("\\a"),
            0x08 => out.push_str("\\b"),
            b' '..=b'~' => out.push(char::from(*byte)),
            _ => out.push_str(&format!("\\x{byte:02x}")),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;
    use insta::assert_snapshot;

    use super::*;
    use crate::resp::ReplyDecoder;

    fn printed(reply: &str) -> String {
        let value = ReplyDecoder::default().decode(&mut BytesMut::from(reply));
        format_value(&value.expect("a good reply").expect("a whole reply"))
    }

    #[test]
    fn scalars() {
        assert_snapshot!(printed("+OK\r\n"), @"OK");
        assert_snapshot!(printed("-ERR no\r\n"), @"(error) ERR no");
        assert_snapshot!(printed(":-7\r\n"), @"(integer) -7");
        assert_snapshot!(printed("_\r\n"), @"(nil)");
        assert_snapshot!(printed("#t\r\n"), @"(true)");
        assert_snapshot!(printed(",1.5\r\n"), @"(double) 1.5");
        assert_snapshot!(printed("(12\r\n"), @"12");
        assert_snapshot!(printed("=6\r\ntxt:hi\r\n"), @"hi");
        assert_snapshot!(printed("$9\r\na\"\\\r\n\t\x07\x08\x01\r\n"), @r#""a\"\\\r\n\t\a\b\x01""#);
        assert_snapshot!(printed("$2\r\n\u{e9}\r\n"), @r#""\xc3\xa9""#);
    }

    #[test]
    fn aggregates() {
        assert_snapshot!(printed("*0\r\n"), @"(empty array)");
        assert_snapshot!(printed("%0\r\n"), @"(empty hash)");
        assert_snapshot!(printed("~0\r\n"), @"(empty set)");
        assert_snapshot!(printed("*2\r\n*2\r\n:1\r\n:2\r\n*1\r\n*1\r\n$1\r\na\r\n"), @r#"
        1) 1) (integer) 1
           2) (integer) 2
        2) 1) 1) "a"
        "#);
        assert_snapshot!(printed(&format!("*10\r\n{}*2\r\n:8\r\n:9\r\n", ":1\r\n".repeat(9))), @"
         1) (integer) 1
         2) (integer) 1
         3) (integer) 1
         4) (integer) 1
         5) (integer) 1
         6) (integer) 1
         7) (integer) 1
         8) (integer) 1
         9) (integer) 1
        10) 1) (integer) 8
            2) (integer) 9
        ");
        // No snapshot: an editor would take the space at the end of a line away.
        let printed_map = printed("%2\r\n$1\r\nk\r\n:1\r\n$1\r\nl\r\n*2\r\n:1\r\n:2\r\n");
        let lines = ["1# \"k\" => (integer) 1", "2# \"l\" => ", "   1) (integer) 1", "   2) (integer) 2"];
        assert_eq!(printed_map, lines.join("\n"));
        assert_snapshot!(printed("%1\r\n$1\r\nk\r\n%1\r\n$1\r\nl\r\n*1\r\n:1\r\n"), @r#"1# "k" => 1# "l" => 1) (integer) 1"#);
        assert_snapshot!(printed("~2\r\n:1\r\n:2\r\n"), @"
        1~ (integer) 1
        2~ (integer) 2
        ");
    }
}
