//! Writing replies, in the protocol version the client asked for.
//!
//! Owns the wire form of every reply type in RESP2 and RESP3. Knows no command and no connection: it appends to a
//! buffer.

use bytes::{BufMut, BytesMut};

use super::number::write_f64;

/// The protocol version of a connection, chosen by `HELLO`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// What a connection starts with.
    #[default]
    Resp2,
    /// Adds maps, sets, doubles, booleans, nulls and pushes.
    Resp3,
}

impl Protocol {
    /// 2 or 3.
    pub fn number(self) -> u8 {
        match self {
            Self::Resp2 => 2,
            Self::Resp3 => 3,
        }
    }
}

/// Appends one reply to a buffer. What RESP2 lacks is written the way Redis downgrades it: a map as a flat array, a
/// double as a bulk string, a boolean as 0 or 1.
///
/// Whoever announces an array, map, set or push of `len` elements must write that many.
#[derive(Debug)]
pub struct Reply<'a> {
    out: &'a mut BytesMut,
    protocol: Protocol,
}

impl<'a> Reply<'a> {
    /// A writer that appends to `out`.
    pub fn new(out: &'a mut BytesMut, protocol: Protocol) -> Self {
        Self { out, protocol }
    }

    /// The protocol version replies are written in.
    pub fn protocol(&self) -> Protocol {
        self.protocol
    }

    /// Changes the version for what follows (`HELLO` answers in the version it switches to).
    pub fn set_protocol(&mut self, protocol: Protocol) {
        self.protocol = protocol;
    }

    /// How many bytes the buffer holds, whoever wrote them.
    pub fn len(&self) -> usize {
        self.out.len()
    }

    /// Whether the buffer is empty.
    pub fn is_empty(&self) -> bool {
        self.out.is_empty()
    }

    /// `OK`.
    pub fn ok(&mut self) {
        self.out.extend_from_slice(b"+OK\r\n");
    }

    /// A simple string: `text` must hold no line break.
    pub fn simple(&mut self, text: &str) {
        debug_assert!(!text.contains(['\r', '\n']));
        self.line(b'+', text.as_bytes());
    }

    /// An error. `text` starts with its code (`ERR`, `WRONGTYPE`); line breaks in it become spaces.
    pub fn error(&mut self, text: impl AsRef<[u8]>) {
        self.out.put_u8(b'-');
        let safe = |byte: &u8| if matches!(byte, b'\r' | b'\n') { b' ' } else { *byte };
        self.out.extend(text.as_ref().iter().map(safe));
        self.out.extend_from_slice(b"\r\n");
    }

    /// An integer.
    pub fn integer(&mut self, value: i64) {
        match value {
            0..100 => self.header(b':', value as usize),
            _ => self.line(b':', itoa::Buffer::new().format(value).as_bytes()),
        }
    }

    /// A length or a count as an integer.
    pub fn count(&mut self, value: usize) {
        self.header(b':', value);
    }

    /// A bulk string of any bytes.
    pub fn bulk(&mut self, bytes: impl AsRef<[u8]>) {
        let bytes = bytes.as_ref();
        self.out.reserve(bytes.len() + 32);
        self.header(b'$', bytes.len());
        self.out.extend_from_slice(bytes);
        self.out.extend_from_slice(b"\r\n");
    }

    /// An integer as a bulk string, the way GET prints a counter.
    pub fn bulk_integer(&mut self, value: i64) {
        self.bulk(itoa::Buffer::new().format(value));
    }

    /// No value.
    pub fn null(&mut self) {
        self.out.extend_from_slice(match self.protocol {
            Protocol::Resp2 => b"$-1\r\n",
            Protocol::Resp3 => b"_\r\n",
        });
    }

    /// No array. RESP2 tells the two apart.
    pub fn null_array(&mut self) {
        self.out.extend_from_slice(match self.protocol {
            Protocol::Resp2 => b"*-1\r\n",
            Protocol::Resp3 => b"_\r\n",
        });
    }

    /// Announces an array of `len` elements.
    pub fn array(&mut self, len: usize) {
        self.header(b'*', len);
    }

    /// Announces a map of `len` pairs: key, value, key, value.
    pub fn map(&mut self, len: usize) {
        match self.protocol {
            Protocol::Resp2 => self.header(b'*', len * 2),
            Protocol::Resp3 => self.header(b'%', len),
        }
    }

    /// Announces a set of `len` elements.
    pub fn set(&mut self, len: usize) {
        self.resp3_header(b'~', len);
    }

    /// Announces a push of `len` elements: out-of-band data, not the answer to a request.
    pub fn push(&mut self, len: usize) {
        self.resp3_header(b'>', len);
    }

    /// A floating-point number.
    pub fn double(&mut self, value: f64) {
        let text = write_f64(value);
        match self.protocol {
            Protocol::Resp2 => self.bulk(text),
            Protocol::Resp3 => self.line(b',', text.as_bytes()),
        }
    }

    /// True or false.
    pub fn boolean(&mut self, value: bool) {
        self.out.extend_from_slice(match (self.protocol, value) {
            (Protocol::Resp2, false) => b":0\r\n",
            (Protocol::Resp2, true) => b":1\r\n",
            (Protocol::Resp3, false) => b"#f\r\n",
            (Protocol::Resp3, true) => b"#t\r\n",
        });
    }

    /// An integer of any size, as its decimal digits.
    pub fn big_number(&mut self, digits: &str) {
        match self.protocol {
            Protocol::Resp2 => self.bulk(digits),
            Protocol::Resp3 => self.line(b'(', digits.as_bytes()),
        }
    }

    /// Text to show as it is. `format` is three letters: `txt` or `mkd`.
    pub fn verbatim(&mut self, format: &str, text: impl AsRef<[u8]>) {
        debug_assert_eq!(format.len(), 3);
        let text = text.as_ref();
        match self.protocol {
            Protocol::Resp2 => self.bulk(text),
            Protocol::Resp3 => {
                self.header(b'=', text.len() + 4);
                self.out.extend_from_slice(format.as_bytes());
                self.out.put_u8(b':');
                self.out.extend_from_slice(text);
                self.out.extend_from_slice(b"\r\n");
            }
        }
    }

    /// Appends what another `Reply` of the same protocol version wrote: the way to elements whose number is known only
    /// once they are written.
    pub fn append(&mut self, written: &[u8]) {
        self.out.extend_from_slice(written);
    }

    fn resp3_header(&mut self, marker: u8, len: usize) {
        match self.protocol {
            Protocol::Resp2 => self.header(b'*', len),
            Protocol::Resp3 => self.header(marker, len),
        }
    }

    // Most lengths have a digit or two: an array that is stored whole costs a third of what a call to copy it does.
    #[inline]
    fn header(&mut self, marker: u8, len: usize) {
        let digit = |value: usize| b'0' + (value % 10) as u8;
        match len {
            0..10 => self.out.extend_from_slice(&[marker, digit(len), b'\r', b'\n']),
            10..100 => self.out.extend_from_slice(&[marker, digit(len / 10), digit(len), b'\r', b'\n']),
            _ => self.line(marker, itoa::Buffer::new().format(len).as_bytes()),
        }
    }

    fn line(&mut self, marker: u8, text: &[u8]) {
        self.out.reserve(text.len() + 3);
        self.out.put_u8(marker);
        self.out.extend_from_slice(text);
        self.out.extend_from_slice(b"\r\n");
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;

    fn both(write: impl Fn(&mut Reply<'_>)) -> String {
        let written = [Protocol::Resp2, Protocol::Resp3].map(|protocol| {
            let mut out = BytesMut::new();
            write(&mut Reply::new(&mut out, protocol));
            out.escape_ascii().to_string()
        });
        written.join("   ")
    }

    #[test]
    fn every_type_in_both_versions() {
        assert_snapshot!(both(|r| r.ok()), @r"+OK\r\n   +OK\r\n");
        assert_snapshot!(both(|r| r.simple("PONG")), @r"+PONG\r\n   +PONG\r\n");
        assert_snapshot!(both(|r| r.error("ERR a\r\nb")), @r"-ERR a  b\r\n   -ERR a  b\r\n");
        assert_snapshot!(both(|r| r.integer(i64::MIN)), @r":-9223372036854775808\r\n   :-9223372036854775808\r\n");
        assert_snapshot!(both(|r| r.count(3)), @r":3\r\n   :3\r\n");
        assert_snapshot!(both(|r| r.bulk(b"a\r\n\xff")), @r"$4\r\na\r\n\xff\r\n   $4\r\na\r\n\xff\r\n");
        assert_snapshot!(both(|r| r.bulk("")), @r"$0\r\n\r\n   $0\r\n\r\n");
        assert_snapshot!(both(|r| r.bulk_integer(-5)), @r"$2\r\n-5\r\n   $2\r\n-5\r\n");
        assert_snapshot!(both(|r| r.null()), @r"$-1\r\n   _\r\n");
        assert_snapshot!(both(|r| r.null_array()), @r"*-1\r\n   _\r\n");
        assert_snapshot!(both(|r| r.array(2)), @r"*2\r\n   *2\r\n");
        assert_snapshot!(both(|r| r.map(2)), @r"*4\r\n   %2\r\n");
        assert_snapshot!(both(|r| r.set(2)), @r"*2\r\n   ~2\r\n");
        assert_snapshot!(both(|r| r.push(2)), @r"*2\r\n   >2\r\n");
        assert_snapshot!(both(|r| r.double(1.5)), @r"$3\r\n1.5\r\n   ,1.5\r\n");
        assert_snapshot!(both(|r| r.boolean(true)), @r":1\r\n   #t\r\n");
        assert_snapshot!(both(|r| r.boolean(false)), @r":0\r\n   #f\r\n");
        assert_snapshot!(both(|r| r.big_number("123")), @r"$3\r\n123\r\n   (123\r\n");
        assert_snapshot!(both(|r| r.verbatim("txt", "hi")), @r"$2\r\nhi\r\n   =6\r\ntxt:hi\r\n");
    }
}
