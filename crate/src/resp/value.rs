//! The client's side: requests out, replies in.
//!
//! Owns the [`Value`] of a reply and decoding it from bytes that arrive in pieces. Knows no command and no connection.

use bytes::{Buf, BufMut, BytesMut};

use super::number::parse_i64;

/// Appends a request as an array of bulk strings.
///
/// ```
/// let mut out = bytes::BytesMut::new();
/// interleave::resp::encode_request(&["GET", "k"], &mut out);
/// assert_eq!(&out[..], b"*2\r\n$3\r\nGET\r\n$1\r\nk\r\n");
/// ```
pub fn encode_request(arguments: &[impl AsRef<[u8]>], out: &mut BytesMut) {
    let mut number = itoa::Buffer::new();
    out.put_u8(b'*');
    out.put_slice(number.format(arguments.len()).as_bytes());
    out.put_slice(b"\r\n");
    for argument in arguments {
        let argument = argument.as_ref();
        out.put_u8(b'$');
        out.put_slice(number.format(argument.len()).as_bytes());
        out.put_slice(b"\r\n");
        out.put_slice(argument);
        out.put_slice(b"\r\n");
    }
}

/// A reply, of any type of RESP2 or RESP3.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A short text without line breaks, as `OK`.
    Simple(String),
    /// An error; its first word is its code.
    Error(String),
    /// A 64-bit integer.
    Integer(i64),
    /// A string of any bytes.
    Bulk(Vec<u8>),
    /// No value: RESP3's null, and the null bulk string and null array of RESP2.
    Null,
    /// Several values in order.
    Array(Vec<Value>),
    /// Keys and values, in the order they came.
    Map(Vec<(Value, Value)>),
    /// Several values whose order means nothing.
    Set(Vec<Value>),
    /// Out-of-band data: the answer to no request.
    Push(Vec<Value>),
    /// A floating-point number.
    Double(f64),
    /// True or false.
    Boolean(bool),
    /// An integer of any size, in decimal.
    BigNumber(String),
    /// Text to be shown as it is.
    Verbatim {
        /// What it is: `txt` or `mkd`.
        format: String,
        /// The text.
        text: Vec<u8>,
    },
}

/// What a client accepts of a server. Memory is taken for what arrived, never for what was announced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReplyLimits {
    /// Longest line, in bytes: a simple string, an error, a number.
    pub line_bytes: usize,
    /// Longest bulk string, in bytes.
    pub bulk_bytes: usize,
    /// Most values in one reply, at all depths together: each takes several times its bytes in memory.
    pub values: usize,
    /// How deep arrays may nest.
    pub depth: usize,
}

impl Default for ReplyLimits {
    fn default() -> Self {
        Self { line_bytes: 1 << 20, bulk_bytes: 512 << 20, values: 16 << 20, depth: 128 }
    }
}

/// What came back is not a reply; nothing after it can be understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReplyError {
    /// A reply begins with a byte that marks no type.
    UnknownType(u8),
    /// A number or another fixed text reads otherwise than it must: what was expected.
    Malformed(&'static str),
    /// A limit is passed: which one.
    TooBig(&'static str),
}

impl std::fmt::Display for ReplyError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::UnknownType(found) => {
                write!(f, "expected the first byte of a reply, found '{}'", found.escape_ascii())?;
            }
            Self::Malformed(expected) => write!(f, "expected {expected}, found something else")?,
            Self::TooBig(limit) => write!(f, "expected a reply within limits, found one past its {limit}")?,
        }
        f.write_str("; close the connection: is this a Redis server?")
    }
}

impl std::error::Error for ReplyError {}

/// Puts replies together from bytes that arrive in pieces. Looks at each byte a bounded number of times, and never
/// recurses.
#[derive(Debug)]
pub struct ReplyDecoder {
    limits: ReplyLimits,
    /// The aggregates that are not complete, outermost first.
    open: Vec<Open>,
    /// How many values the reply in progress has so far.
    values: usize,
    /// How many bytes at the front of the buffer are known to hold no line end.
    searched: usize,
}

/// An aggregate with elements missing.
#[derive(Debug)]
struct Open {
    kind: Aggregate,
    missing: usize,
    values: Vec<Value>,
}

#[derive(Clone, Copy, Debug)]
enum Aggregate {
    Array,
    Map,
    Set,
    Push,
    /// Metadata in front of a value. Read and dropped.
    Attribute,
}

/// What stands at the front of the buffer.
enum Item {
    Value(Value),
    Open(Aggregate, usize),
}

impl ReplyDecoder {
    /// A decoder for a new connection.
    pub fn new(limits: ReplyLimits) -> Self {
        Self { limits, open: Vec::new(), values: 0, searched: 0 }
    }

    /// Takes the next reply from the front of `buffer`; `None` when it has not fully arrived.
    ///
    /// # Errors
    /// When the bytes are no reply, or pass a limit. The decoder is of no further use then.
    pub fn decode(&mut self, buffer: &mut BytesMut) -> Result<Option<Value>, ReplyError> {
        while let Some(item) = self.item(buffer)? {
            self.values += 1;
            if self.values > self.limits.values {
                return Err(ReplyError::TooBig("number of values"));
            }
            let complete = match item {
                Item::Value(value) => Some(value),
                Item::Open(Aggregate::Attribute, 0) => None,
                Item::Open(kind, 0) => Some(close(kind, Vec::new())),
                Item::Open(_, missing) if missing > self.limits.values => {
                    return Err(ReplyError::TooBig("number of values"));
                }
                Item::Open(kind, missing) => {
                    if self.open.len() == self.limits.depth {
                        return Err(ReplyError::TooBig("nesting depth"));
                    }
                    self.open.push(Open { kind, missing, values: Vec::new() });
                    None
                }
            };
            if let Some(value) = complete.and_then(|value| self.put(value)) {
                self.values = 0;
                return Ok(Some(value));
            }
        }
        Ok(None)
    }

    /// Puts a complete value where it belongs; hands it back when it is a whole reply.
    fn put(&mut self, mut value: Value) -> Option<Value> {
        while let Some(open) = self.open.last_mut() {
            open.values.push(value);
            open.missing -= 1;
            if open.missing > 0 {
                return None;
            }
            let Open { kind, values, .. } = self.open.pop()?;
            if let Aggregate::Attribute = kind {
                return None;
            }
            value = close(kind, values);
        }
        Some(value)
    }

    /// Takes the scalar or the head of an aggregate at the front of `buffer`.
    fn item(&mut self, buffer: &mut BytesMut) -> Result<Option<Item>, ReplyError> {
        let Some(line_end) = self.line_end(buffer)? else { return Ok(None) };
        let (marker, text) = (buffer[0], &buffer[1..line_end]);
        let value = match marker {
            b'+' => Value::Simple(lossy(text)),
            b'-' => Value::Error(lossy(text)),
            b':' => Value::Integer(parse_i64(text).ok_or(ReplyError::Malformed("an integer"))?),
            b',' => Value::Double(double(text).ok_or(ReplyError::Malformed("a double"))?),
            b'#' => match text {
                b"t" => Value::Boolean(true),
                b"f" => Value::Boolean(false),
                _ => return Err(ReplyError::Malformed("t or f")),
            },
            b'(' => Value::BigNumber(big_number(text).ok_or(ReplyError::Malformed("a big number"))?),
            b'_' if text.is_empty() => Value::Null,
            b'_' => return Err(ReplyError::Malformed("nothing after a null")),
            b'$' | b'!' | b'=' => match length(text)? {
                None => Value::Null,
                Some(length) => return self.blob(buffer, marker, line_end + 2, length),
            },
            b'*' | b'%' | b'~' | b'>' | b'|' => match length(text)? {
                None => Value::Null,
                Some(length) => {
                    let (kind, per_element) = match marker {
                        b'*' => (Aggregate::Array, 1),
                        b'%' => (Aggregate::Map, 2),
                        b'~' => (Aggregate::Set, 1),
                        b'>' => (Aggregate::Push, 1),
                        _ => (Aggregate::Attribute, 2),
                    };
                    let missing =
                        length.checked_mul(per_element).ok_or(ReplyError::TooBig("number of values"))?;
                    self.take(buffer, line_end + 2);
                    return Ok(Some(Item::Open(kind, missing)));
                }
            },
            other => return Err(ReplyError::UnknownType(other)),
        };
        self.take(buffer, line_end + 2);
        Ok(Some(Item::Value(value)))
    }

    /// Takes a bulk string, bulk error or verbatim string whose content starts at `start`.
    fn blob(
        &mut self,
        buffer: &mut BytesMut,
        marker: u8,
        start: usize,
        length: usize,
    ) -> Result<Option<Item>, ReplyError> {
        if length > self.limits.bulk_bytes {
            return Err(ReplyError::TooBig("bulk string's length"));
        }
        let end = start + length;
        if buffer.len() < end + 2 {
            return Ok(None);
        }
        if &buffer[end..end + 2] != b"\r\n" {
            return Err(ReplyError::Malformed("a line end after a bulk string"));
        }
        let content = &buffer[start..end];
        let value = match marker {
            b'$' => Value::Bulk(content.to_vec()),
            b'!' => Value::Error(lossy(content)),
            _ => match content {
                [a, b, c, b':', text @ ..] => {
                    Value::Verbatim { format: lossy(&[*a, *b, *c]), text: text.to_vec() }
                }
                _ => return Err(ReplyError::Malformed("a verbatim string's format")),
            },
        };
        self.take(buffer, end + 2);
        Ok(Some(Item::Value(value)))
    }

    /// Where the line at the front of `buffer` ends, before its `\r\n`; `None` while it has not fully arrived.
    fn line_end(&mut self, buffer: &[u8]) -> Result<Option<usize>, ReplyError> {
        let found = buffer[self.searched..].iter().position(|byte| *byte == b'\r');
        self.searched = found.map_or(buffer.len(), |offset| self.searched + offset);
        if self.searched > self.limits.line_bytes {
            return Err(ReplyError::TooBig("line's length"));
        }
        match buffer.get(self.searched + 1) {
            None => Ok(None),
            Some(_) if self.searched == 0 => Err(ReplyError::UnknownType(b'\r')),
            Some(b'\n') => Ok(Some(self.searched)),
            Some(_) => Err(ReplyError::Malformed("a line feed after a carriage return")),
        }
    }

    fn take(&mut self, buffer: &mut BytesMut, len: usize) {
        buffer.advance(len);
        self.searched = 0;
    }
}

impl Default for ReplyDecoder {
    fn default() -> Self {
        Self::new(ReplyLimits::default())
    }
}

/// The complete aggregate of `values`, which are as many as were announced.
fn close(kind: Aggregate, values: Vec<Value>) -> Value {
    match kind {
        Aggregate::Array | Aggregate::Attribute => Value::Array(values),
        Aggregate::Set => Value::Set(values),
        Aggregate::Push => Value::Push(values),
        Aggregate::Map => {
            let mut values = values.into_iter();
            let mut pairs = Vec::with_capacity(values.len() / 2);
            while let (Some(key), Some(value)) = (values.next(), values.next()) {
                pairs.push((key, value));
            }
            Value::Map(pairs)
        }
    }
}

fn lossy(text: &[u8]) -> String {
    String::from_utf8_lossy(text).into_owned()
}

/// A length; -1 is RESP2's null.
fn length(text: &[u8]) -> Result<Option<usize>, ReplyError> {
    match parse_i64(text) {
        Some(-1) => Ok(None),
        Some(length) => usize::try_from(length).map(Some).map_err(|_| ReplyError::Malformed("a length")),
        None => Err(ReplyError::Malformed("a length")),
    }
}

/// Decimal, infinite or not-a-number.
fn double(text: &[u8]) -> Option<f64> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

fn big_number(text: &[u8]) -> Option<String> {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    (!digits.is_empty() && digits.iter().all(u8::is_ascii_digit)).then(|| lossy(text))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SMALL: ReplyLimits = ReplyLimits { line_bytes: 64, bulk_bytes: 64, values: 64, depth: 4 };

    /// All replies in `bytes`, arriving in pieces; then the error, if any.
    fn decode(bytes: &[u8], piece: usize) -> String {
        let (mut decoder, mut buffer) = (ReplyDecoder::new(SMALL), BytesMut::new());
        let mut shown = Vec::new();
        for piece in bytes.chunks(piece) {
            buffer.extend_from_slice(piece);
            loop {
                match decoder.decode(&mut buffer) {
                    Ok(Some(value)) => shown.push(format!("{value:?}")),
                    Ok(None) => break,
                    Err(error) => {
                        shown.push(format!("{error:?}"));
                        return shown.join(" ");
                    }
                }
            }
        }
        shown.join(" ")
    }

    fn check(bytes: &str, expected: &str) {
        for piece in [bytes.len(), 1, 2, 5] {
            assert_eq!(decode(bytes.as_bytes(), piece), expected, "{bytes:?} by {piece}");
        }
    }

    #[test]
    fn every_type() {
        check("+OK\r\n", r#"Simple("OK")"#);
        check("-ERR no\r\n", r#"Error("ERR no")"#);
        check(":-7\r\n", "Integer(-7)");
        check("$4\r\na\r\nb\r\n", "Bulk([97, 13, 10, 98])");
        check("$-1\r\n*-1\r\n_\r\n", "Null Null Null");
        check("*2\r\n:1\r\n*0\r\n", "Array([Integer(1), Array([])])");
        check("%1\r\n+k\r\n#t\r\n", r#"Map([(Simple("k"), Boolean(true))])"#);
        check("~1\r\n#f\r\n", "Set([Boolean(false)])");
        check(">1\r\n+m\r\n", r#"Push([Simple("m")])"#);
        check(",1.5\r\n,inf\r\n,-inf\r\n,nan\r\n", "Double(1.5) Double(inf) Double(-inf) Double(NaN)");
        check("(-123456789012345678901\r\n", r#"BigNumber("-123456789012345678901")"#);
        check("!5\r\nERR x\r\n", r#"Error("ERR x")"#);
        check("=6\r\ntxt:hi\r\n", r#"Verbatim { format: "txt", text: [104, 105] }"#);
        check(
            "|1\r\n+ttl\r\n:9\r\n*2\r\n|0\r\n:1\r\n|1\r\n+a\r\n*1\r\n:5\r\n:2\r\n",
            "Array([Integer(1), Integer(2)])",
        );
    }

    #[test]
    fn errors() {
        check("HTTP/1.1 400\r\n", "UnknownType(72)");
        check(":x\r\n", r#"Malformed("an integer")"#);
        check("$-2\r\n", r#"Malformed("a length")"#);
        check("$1\r\nabc\r\n", r#"Malformed("a line end after a bulk string")"#);
        check("#x\r\n", r#"Malformed("t or f")"#);
        check("(12a\r\n", r#"Malformed("a big number")"#);
        check("=2\r\nhi\r\n", r#"Malformed("a verbatim string's format")"#);
        check("+a\rb\r\n", r#"Malformed("a line feed after a carriage return")"#);
        check("$65\r\n", r#"TooBig("bulk string's length")"#);
        check(&format!("+{}\r\n", "x".repeat(80)), r#"TooBig("line's length")"#);
        check(&"*1\r\n".repeat(5), r#"TooBig("nesting depth")"#);
        check(&format!("*99\r\n{}", ":1\r\n".repeat(99)), r#"TooBig("number of values")"#);
        check("%9223372036854775807\r\n", r#"TooBig("number of values")"#);
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived_however_they_are_cut(bytes in "[-+:$*%~>|,#(_!=0-9at\r\n]{0,60}", piece in 1usize..9) {
            let whole = decode(bytes.as_bytes(), bytes.len().max(1));
            prop_assert_eq!(decode(bytes.as_bytes(), piece), whole);
        }
    }
}
