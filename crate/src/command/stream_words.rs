//! What the commands on streams have in common: how ids and ranges are spelled, how entries are answered.
//!
//! Owns these forms, with Redis's error for each. Knows no command by name.

use bytes::BytesMut;

use super::Mistake;
use crate::resp::{Protocol, Reply, parse_i64};
use crate::store::stream::{StreamEntry, StreamId};

const INVALID_ID: Mistake = Mistake::new("ERR Invalid stream ID specified as stream command argument");

/// Longest spelling of an id. Redis copies it to a buffer of this many bytes and a zero.
const ID_TEXT_MAX: usize = 127;

/// An id, whose number counts as 0 where it is left out.
pub(super) fn id(text: &[u8]) -> Result<StreamId, Mistake> {
    match new_id(text)? {
        NewId::Given(id) => Ok(id),
        NewId::OfMillisecond(_) | NewId::OfNow => Err(INVALID_ID),
    }
}

/// The id of an entry to add.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NewId {
    /// All of it is given.
    Given(StreamId),
    /// `5-*`: the next number of that millisecond.
    OfMillisecond(u64),
    /// `*`: whatever comes next now.
    OfNow,
}

/// The id of an entry to add, or what is to be made of it.
pub(super) fn new_id(text: &[u8]) -> Result<NewId, Mistake> {
    if text == b"*" {
        return Ok(NewId::OfNow);
    }
    if text.len() > ID_TEXT_MAX {
        return Err(INVALID_ID);
    }
    let (ms, seq) = match text.iter().position(|byte| *byte == b'-') {
        Some(dash) => (&text[..dash], &text[dash + 1..]),
        None => (text, &b"0"[..]),
    };
    let ms = part(ms).ok_or(INVALID_ID)?;
    if seq == b"*" {
        return Ok(NewId::OfMillisecond(ms));
    }
    Ok(NewId::Given(StreamId::new(ms, part(seq).ok_or(INVALID_ID)?)))
}

/// One of the two numbers of an id. What is no canonical number is read as C's `strtoull` reads it: `007` and `+7` are 7.
fn part(text: &[u8]) -> Option<u64> {
    if let Some(number) = parse_i64(text) {
        return u64::try_from(number).ok();
    }
    let text = text.trim_ascii_start();
    let digits = text.strip_prefix(b"+").or_else(|| text.strip_prefix(b"-")).unwrap_or(text);
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let number: u64 = std::str::from_utf8(digits).ok()?.parse().ok()?;
    Some(if text.starts_with(b"-") { number.wrapping_neg() } else { number })
}

/// Which side of a range an id is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Start,
    End,
}

/// The first id of a range: `-`, an id, or `(` in front of one that is not part of it.
pub(super) fn start(text: &[u8]) -> Result<StreamId, Mistake> {
    let (id, is_open) = side(text, Side::Start)?;
    let id = if is_open { id.next() } else { Some(id) };
    id.ok_or(Mistake::new("ERR invalid start ID for the interval"))
}

/// The last id of a range, spelled as its first; all of a millisecond where the number is left out.
pub(super) fn end(text: &[u8]) -> Result<StreamId, Mistake> {
    let (id, is_open) = side(text, Side::End)?;
    let id = if is_open { id.previous() } else { Some(id) };
    id.ok_or(Mistake::new("ERR invalid end ID for the interval"))
}

fn side(text: &[u8], side: Side) -> Result<(StreamId, bool), Mistake> {
    let open = text.strip_prefix(b"(").filter(|rest| !rest.is_empty());
    let spelled = open.unwrap_or(text);
    let id = match (spelled, side) {
        (b"-", _) if open.is_none() => StreamId::MIN,
        (b"+", _) if open.is_none() => StreamId::MAX,
        (_, Side::End) if !spelled.contains(&b'-') => StreamId::new(id(spelled)?.ms, u64::MAX),
        _ => id(spelled)?,
    };
    Ok((id, open.is_some()))
}

/// A COUNT: below 0 as 0.
pub(super) fn count(text: &[u8]) -> Result<usize, Mistake> {
    let count = parse_i64(text).ok_or(Mistake::NOT_AN_INTEGER)?.max(0);
    Ok(usize::try_from(count).unwrap_or(usize::MAX))
}

/// A COUNT of which 0 says that there is none.
pub(super) fn count_or_all(text: &[u8]) -> Result<usize, Mistake> {
    count(text).map(|count| if count == 0 { usize::MAX } else { count })
}

/// A mistake that quotes the client: the parts one after the other.
pub(super) fn mistake(parts: &[&[u8]]) -> Mistake {
    Mistake::from(parts.concat())
}

/// There is no such key, or no such group of its stream.
pub(super) fn no_group(key: &[u8], group: &[u8], end: &str) -> Mistake {
    let start = b"NOGROUP No such key '";
    mistake(&[start, key, b"' or consumer group '", group, b"'", end.as_bytes()])
}

/// Answers an id.
pub(super) fn write_id(id: StreamId, reply: &mut Reply<'_>) {
    // Two numbers of at most 20 digits.
    let (mut text, mut len) = ([0; 41], 0);
    let (mut ms, mut seq) = (itoa::Buffer::new(), itoa::Buffer::new());
    for piece in [ms.format(id.ms), "-", seq.format(id.seq)] {
        text[len..len + piece.len()].copy_from_slice(piece.as_bytes());
        len += piece.len();
    }
    reply.bulk(&text[..len]);
}

/// Answers an entry: its id, and its fields and values in turn.
pub(super) fn write_entry(entry: &StreamEntry<'_>, reply: &mut Reply<'_>) {
    reply.array(2);
    write_id(entry.id, reply);
    reply.array(entry.len() * 2);
    for (name, value) in entry.pairs() {
        reply.bulk(name);
        reply.bulk(value);
    }
}

/// Answers entries as an array.
pub(super) fn write_entries<'a>(entries: impl Iterator<Item = StreamEntry<'a>>, reply: &mut Reply<'_>) {
    let mut written = Elements::new(reply);
    entries.for_each(|entry| write_entry(&entry, &mut written.add()));
    written.finish(reply);
}

/// The elements of an array whose number is known only at the end.
pub(super) struct Elements {
    len: usize,
    written: BytesMut,
    protocol: Protocol,
}

impl Elements {
    pub(super) fn new(reply: &Reply<'_>) -> Self {
        Self { len: 0, written: BytesMut::new(), protocol: reply.protocol() }
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Where the next one is to be written.
    pub(super) fn add(&mut self) -> Reply<'_> {
        self.len += 1;
        Reply::new(&mut self.written, self.protocol)
    }

    /// Writes the array.
    pub(super) fn finish(self, reply: &mut Reply<'_>) {
        reply.array(self.len);
        self.finish_bare(reply);
    }

    /// Writes the elements alone.
    pub(super) fn finish_bare(self, reply: &mut Reply<'_>) {
        reply.append(&self.written);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_spelled_as_redis_reads_them() {
        let check = |text: &str, expected: Option<(u64, u64)>| {
            let expected = expected.map(|(ms, seq)| StreamId::new(ms, seq));
            assert_eq!(id(text.as_bytes()).ok(), expected, "{text}");
        };
        let last = u64::MAX;
        check("5", Some((5, 0)));
        check("5-7", Some((5, 7)));
        check("18446744073709551615-18446744073709551615", Some((last, last)));
        check("007-+8", Some((7, 8)));
        check(" 1- 2", Some((1, 2)));
        check("1--01", Some((1, last)));
        for wrong in
            ["", "-", "+", "*", "5-*", "-1", "1-", "1--1", "a", "1-2-3", "18446744073709551616", "0x1"]
        {
            check(wrong, None);
        }
        check(&("0".repeat(126) + "7"), Some((7, 0)));
        check(&("0".repeat(127) + "7"), None);
    }

    #[test]
    fn ranges_are_closed_or_open() {
        let both = |text: &str| {
            let text = text.as_bytes();
            [start(text), end(text)]
                .map(|side| side.map_or_else(|mistake| mistake.to_string(), |id| id.to_string()))
        };
        let last = u64::MAX;
        assert_eq!(both("-"), ["0-0", "0-0"]);
        assert_eq!(both("+"), [format!("{last}-{last}"), format!("{last}-{last}")]);
        assert_eq!(both("5"), ["5-0".to_owned(), format!("5-{last}")]);
        assert_eq!(both("(5-7"), ["5-8", "5-6"]);
        assert_eq!(both("(5"), ["5-1".to_owned(), format!("5-{}", last - 1)]);
        assert_eq!(both("(0-0")[1], "ERR invalid end ID for the interval");
        assert_eq!(both(&format!("({last}-{last}"))[0], "ERR invalid start ID for the interval");
        for wrong in ["(", "(-", "(+", "x", "((5"] {
            assert_eq!(both(wrong), [INVALID_ID.to_string(), INVALID_ID.to_string()], "{wrong}");
        }
    }
}
