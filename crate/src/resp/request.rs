//! Requests in: the bytes a client sent, cut into complete requests.
//!
//! Owns the request grammar (multibulk and inline) and its limits. Knows no command; copies no argument.

use std::borrow::Cow;

use bytes::BytesMut;

use super::batch::{Batch, Span};
use super::line::split_line;
use super::{Limits, parse_i64};

/// The client does not speak the protocol. Answer with [`ProtocolError::text`], then close: there is no telling where
/// the next request would begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProtocolError {
    /// The count of arguments is no number, or above [`Limits::arguments`].
    InvalidMultibulkLength,
    /// The count of arguments does not end within [`Limits::line_bytes`].
    TooBigMultibulkCount,
    /// An argument does not start with `$` but with this.
    ExpectedDollar(u8),
    /// An argument's length is no number, negative, or above [`Limits::bulk_bytes`].
    InvalidBulkLength,
    /// An argument's length does not end within [`Limits::line_bytes`].
    TooBigBulkCount,
    /// An inline command is longer than [`Limits::line_bytes`].
    TooBigInline,
    /// An inline command opens a quote and does not close it, or goes on right after a closing one.
    UnbalancedQuotes,
    /// A request is longer than [`Limits::request_bytes`]. Redis closes without a word here.
    RequestTooBig {
        /// The limit, in bytes.
        limit: usize,
    },
}

impl ProtocolError {
    /// The error reply, in Redis's words. Bytes, because it may quote the client.
    pub fn text(self) -> Cow<'static, [u8]> {
        match self {
            Self::InvalidMultibulkLength => Cow::Borrowed(b"ERR Protocol error: invalid multibulk length"),
            Self::TooBigMultibulkCount => Cow::Borrowed(b"ERR Protocol error: too big mbulk count string"),
            Self::ExpectedDollar(found) => {
                let mut text = b"ERR Protocol error: expected '$', got '".to_vec();
                text.extend([found, b'\'']);
                Cow::Owned(text)
            }
            Self::InvalidBulkLength => Cow::Borrowed(b"ERR Protocol error: invalid bulk length"),
            Self::TooBigBulkCount => Cow::Borrowed(b"ERR Protocol error: too big bulk count string"),
            Self::TooBigInline => Cow::Borrowed(b"ERR Protocol error: too big inline request"),
            Self::UnbalancedQuotes => Cow::Borrowed(b"ERR Protocol error: unbalanced quotes in request"),
            Self::RequestTooBig { limit } => {
                Cow::Owned(format!("ERR Protocol error: request longer than {limit} bytes").into_bytes())
            }
        }
    }
}

impl std::fmt::Display for ProtocolError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.text()))
    }
}

impl std::error::Error for ProtocolError {}

/// Cuts one connection's bytes into requests.
///
/// Remembers where it stopped inside a request that has not fully arrived, so each byte is looked at once however
/// small the pieces are; the caller must only append to the buffer between calls.
///
/// Two leniencies are Redis's own: the byte after a header's `\r` and the two bytes after an argument are skipped
/// unread.
#[derive(Debug)]
pub struct Decoder {
    limits: Limits,
    /// The next byte to look at. Counts, like the spans, from the start of the request at the buffer's front.
    at: usize,
    /// How many bytes from `at` on are known to hold no line end.
    searched: usize,
    /// What is expected at `at`.
    expect: Expect,
    /// The arguments of the unfinished request.
    spans: Vec<Span>,
}

#[derive(Clone, Copy, Debug)]
enum Expect {
    Request,
    /// An argument's length; this many arguments are missing.
    Length {
        missing: usize,
    },
    /// An argument of `length` bytes; this many are missing, it included.
    Argument {
        missing: usize,
        length: usize,
    },
}

impl Decoder {
    /// A decoder for a new connection.
    pub fn new(limits: Limits) -> Self {
        let limits = Limits {
            request_bytes: limits.request_bytes.min(Limits::REQUEST_BYTES_CEILING),
            batch_bytes: limits.batch_bytes.min(Limits::BATCH_BYTES_CEILING),
            ..limits
        };
        Self { limits, at: 0, searched: 0, expect: Expect::Request, spans: Vec::new() }
    }

    /// Moves the complete requests at the front of `buffer` into `batch` (replacing what it held), at most a
    /// [batch](Limits::batch_requests) of them, and leaves the rest. When the batch comes back empty, read more
    /// bytes; otherwise call again before reading.
    ///
    /// # Errors
    /// When what follows the complete requests breaks the protocol. `batch` still holds those: answer them first,
    /// then the error, then close.
    pub fn decode(&mut self, buffer: &mut BytesMut, batch: &mut Batch) -> Result<(), ProtocolError> {
        batch.clear();
        let mut start = 0;
        let mut result = Ok(());
        while batch.len() < self.limits.batch_requests && start < self.limits.batch_bytes {
            match self.request(&mut buffer[start..]) {
                Ok(true) => {
                    if !self.spans.is_empty() {
                        batch.push_spans(start, &self.spans);
                        self.spans.clear();
                    }
                    start += std::mem::take(&mut self.at);
                }
                Ok(false) => break,
                Err(error) => {
                    result = Err(error);
                    break;
                }
            }
        }
        batch.set_bytes(buffer.split_to(start).freeze());
        result
    }

    /// Whether a request has begun to arrive and is not complete: a peer that goes silent now is stuck halfway.
    pub fn is_midway(&self, buffer: &BytesMut) -> bool {
        !buffer.is_empty() || !matches!(self.expect, Expect::Request)
    }

    /// Goes on with the request that starts at `bytes[0]`; whether it is complete. Then its arguments are in
    /// `self.spans` (none for a blank line or an empty array) and `self.at` is its length.
    fn request(&mut self, bytes: &mut [u8]) -> Result<bool, ProtocolError> {
        if let Expect::Request = self.expect {
            match bytes.first() {
                None => return Ok(false),
                Some(b'*') => {
                    let Some(count) = self.header(bytes, b'*', ProtocolError::TooBigMultibulkCount)? else {
                        return Ok(false);
                    };
                    match count.map(usize::try_from) {
                        Some(Ok(missing)) if missing > self.limits.arguments => {
                            return Err(ProtocolError::InvalidMultibulkLength);
                        }
                        Some(Ok(missing)) => self.expect = Expect::Length { missing },
                        // A negative count is an empty request.
                        Some(Err(_)) if count < Some(0) => self.expect = Expect::Length { missing: 0 },
                        _ => return Err(ProtocolError::InvalidMultibulkLength),
                    }
                }
                Some(_) => return self.inline(bytes),
            }
        }
        loop {
            match self.expect {
                Expect::Request | Expect::Length { missing: 0 } => {
                    self.expect = Expect::Request;
                    return Ok(true);
                }
                Expect::Length { missing } => {
                    let from = self.at;
                    let Some(length) = self.header(bytes, b'$', ProtocolError::TooBigBulkCount)? else {
                        return Ok(false);
                    };
                    if bytes[from] != b'$' {
                        return Err(ProtocolError::ExpectedDollar(bytes[from]));
                    }
                    let length = length
                        .and_then(|length| usize::try_from(length).ok())
                        .filter(|length| *length <= self.limits.bulk_bytes)
                        .ok_or(ProtocolError::InvalidBulkLength)?;
                    if length + 2 > self.limits.request_bytes.saturating_sub(self.at) {
                        return Err(ProtocolError::RequestTooBig { limit: self.limits.request_bytes });
                    }
                    self.expect = Expect::Argument { missing, length };
                }
                Expect::Argument { missing, length } => {
                    let end = self.at + length;
                    if bytes.len() < end + 2 {
                        return Ok(false);
                    }
                    self.spans.push(Span::new(self.at, end));
                    self.at = end + 2;
                    self.expect = Expect::Length { missing: missing - 1 };
                }
            }
        }
    }

    /// Reads the line at `self.at`, `marker` and a number: `None` when the line has not fully arrived, `Some(None)`
    /// when it is not that. Then it is not stepped over, so that asking again gives the same error.
    fn header(
        &mut self,
        bytes: &[u8],
        marker: u8,
        too_long: ProtocolError,
    ) -> Result<Option<Option<i64>>, ProtocolError> {
        let line = &bytes[self.at..];
        if let Some((number, used)) = short_header(line, marker) {
            self.at += used;
            self.searched = 0;
            return Ok(Some(Some(number)));
        }
        let Some(end) = self.find(line, b'\r') else {
            return if line.len() > self.limits.line_bytes { Err(too_long) } else { Ok(None) };
        };
        if end > self.limits.line_bytes {
            return Err(too_long);
        }
        if line.len() < end + 2 {
            return Ok(None);
        }
        let number = line.get(1..end).filter(|_| line[0] == marker).and_then(parse_i64);
        if number.is_some() {
            self.at += end + 2;
            self.searched = 0;
        }
        Ok(Some(number))
    }

    /// An inline command: a line of words. Quoted words are unescaped where they stand, which never makes them
    /// longer.
    fn inline(&mut self, bytes: &mut [u8]) -> Result<bool, ProtocolError> {
        let Some(end) = self.find(bytes, b'\n') else {
            let too_long = bytes.len() > self.limits.line_bytes;
            return if too_long { Err(ProtocolError::TooBigInline) } else { Ok(false) };
        };
        if end > self.limits.line_bytes {
            return Err(ProtocolError::TooBigInline);
        }
        let line = &mut bytes[..end];
        let words = split_line(&*line).map_err(|_| ProtocolError::UnbalancedQuotes)?;
        let mut start = 0;
        for word in &words {
            let end = start + word.len();
            line[start..end].copy_from_slice(word);
            self.spans.push(Span::new(start, end));
            start = end;
        }
        self.at = end + 1;
        self.searched = 0;
        Ok(true)
    }

    /// Where `byte` first is in `line`, which starts at `self.at`; remembers how far it looked.
    fn find(&mut self, line: &[u8], byte: u8) -> Option<usize> {
        let found = line[self.searched..].iter().position(|b| *b == byte);
        match found {
            Some(offset) => Some(self.searched + offset),
            None => {
                self.searched = line.len();
                None
            }
        }
    }
}

/// The header of nearly every request: its marker and one to seven digits in canonical form. `None` leaves the line
/// to the thorough way.
fn short_header(line: &[u8], marker: u8) -> Option<(i64, usize)> {
    let (first, digits) = line.split_first()?;
    if *first != marker {
        return None;
    }
    let mut value = 0;
    for (index, byte) in digits.iter().take(8).enumerate() {
        match byte {
            b'0'..=b'9' => value = value * 10 + i64::from(byte - b'0'),
            b'\r' => {
                let canonical = index == 1 || (index > 1 && digits[0] != b'0');
                return (canonical && digits.len() > index + 1).then_some((value, index + 3));
            }
            _ => return None,
        }
    }
    None
}
