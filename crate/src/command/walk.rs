//! Walking step by step: what SCAN, HSCAN, SSCAN and ZSCAN have in common.
//!
//! Owns cursors, options and the reply's form. What is walked over, the callers know.

use bytes::BytesMut;

use super::Mistake;
use super::parse::{integer, is};
use super::pattern::{Case, is_everything, matches};
use crate::resp::{Args, Protocol, Reply};

/// What a step of a walk is asked for besides its cursor.
pub(super) struct WalkOptions<'a> {
    /// About how many to look at.
    pub(super) count: usize,
    pattern: Option<&'a [u8]>,
    /// Of keys only: the type they should hold.
    pub(super) type_name: Option<&'a [u8]>,
}

impl<'a> WalkOptions<'a> {
    /// Reads the options from argument `first` on; TYPE only where keys are walked over.
    pub(super) fn parse(args: Args<'a>, first: usize, are_keys: bool) -> Result<Self, Mistake> {
        let mut options = Self { count: 10, pattern: None, type_name: None };
        let mut rest = args.from(first);
        while let Some(option) = rest.next() {
            let value = rest.next().ok_or(Mistake::SYNTAX)?;
            if is(option, "COUNT") {
                let count = integer(value)?;
                if count < 1 {
                    return Err(Mistake::SYNTAX);
                }
                options.count = usize::try_from(count).unwrap_or(usize::MAX);
            } else if is(option, "MATCH") {
                options.pattern = Some(value);
            } else if is(option, "TYPE") && are_keys {
                options.type_name = Some(value);
            } else {
                return Err(Mistake::SYNTAX);
            }
        }
        Ok(options)
    }

    /// Whether the pattern, if there is one, matches.
    pub(super) fn wants(&self, name: &[u8]) -> bool {
        self.pattern.is_none_or(|pattern| is_everything(pattern) || matches(pattern, name, Case::Sensitive))
    }
}

/// The cursor a client sends. Redis reads it by C's `strtoul`: nothing is 0, and a sign is taken.
pub(super) fn cursor(text: &[u8]) -> Result<u64, Mistake> {
    let (is_negative, digits) = match text {
        [] => return Ok(0),
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] => (false, digits),
        digits => (false, digits),
    };
    let digits = std::str::from_utf8(digits).ok().filter(|digits| !digits.starts_with('+'));
    let cursor: Option<u64> = digits.and_then(|digits| digits.parse().ok());
    let cursor = cursor.ok_or(Mistake::new("ERR invalid cursor"))?;
    Ok(if is_negative { cursor.wrapping_neg() } else { cursor })
}

/// Which positions of a collection of `len` a step looks at, from the highest down, and the cursor to go on with.
/// What is small is walked over in one step; otherwise a cursor says that the positions below it are still to come.
/// Whatever is added and removed between steps, what stays is seen, since members only move to lower positions.
pub(super) fn step(
    cursor: u64,
    count: usize,
    len: usize,
    is_small: bool,
) -> (impl Iterator<Item = usize>, u64) {
    let below = if cursor == 0 || is_small { len } else { usize::try_from(cursor).unwrap_or(len).min(len) };
    let end = if is_small { 0 } else { below.saturating_sub(count) };
    // In their own order where that is all.
    let (up, down) = if is_small { (0..len, 0..0) } else { (0..0, end..below) };
    (up.chain(down.rev()), end as u64)
}

/// An array whose number of elements is known only at the end.
pub(super) struct Found {
    len: usize,
    written: BytesMut,
    protocol: Protocol,
}

impl Found {
    pub(super) fn new(reply: &Reply<'_>) -> Self {
        Self { len: 0, written: BytesMut::new(), protocol: reply.protocol() }
    }

    pub(super) fn add(&mut self, element: &[u8]) {
        self.len += 1;
        Reply::new(&mut self.written, self.protocol).bulk(element);
    }

    /// Writes the array.
    pub(super) fn finish(self, reply: &mut Reply<'_>) {
        reply.array(self.len);
        reply.append(&self.written);
    }

    /// Writes the reply to a step: where to go on, and the array.
    pub(super) fn finish_step(self, next: u64, reply: &mut Reply<'_>) {
        reply.array(2);
        reply.bulk(itoa::Buffer::new().format(next));
        self.finish(reply);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_are_read_as_c_does() {
        for (text, expected) in [
            ("", Some(0)),
            ("7", Some(7)),
            ("007", Some(7)),
            ("+7", Some(7)),
            ("-1", Some(u64::MAX)),
            ("18446744073709551615", Some(u64::MAX)),
            ("18446744073709551616", None),
            ("-", None),
            ("+", None),
            ("-+1", None),
            (" 1", None),
            ("1 ", None),
            ("x", None),
        ] {
            assert_eq!(cursor(text.as_bytes()).ok(), expected, "{text:?}");
        }
    }

    #[test]
    fn every_position_comes_once() {
        for (len, count) in [(0, 3), (1, 1), (10, 3), (10, 10), (10, 100)] {
            let (mut seen, mut cursor) = (Vec::new(), 0);
            loop {
                let (positions, next) = step(cursor, count, len, false);
                seen.extend(positions);
                cursor = next;
                if cursor == 0 {
                    break;
                }
            }
            assert_eq!(seen, (0..len).rev().collect::<Vec<_>>());
            assert_eq!(step(7, count, len, true).0.collect::<Vec<_>>(), (0..len).collect::<Vec<_>>());
        }
        assert_eq!(step(u64::MAX, 2, 5, false).0.collect::<Vec<_>>(), [4, 3]);
    }
}
