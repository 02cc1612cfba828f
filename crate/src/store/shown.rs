//! A value as a short text for people: `[a, b, c]`, `{field: value}`.
//!
//! Owns the form. No program should read it: clients get replies.

use std::borrow::Cow;

use super::stream::StreamId;
use super::value::Value;

impl Value {
    /// At most `chars_max` characters of the value, then an ellipsis. Takes as long as writing them takes, however
    /// large the value is.
    #[must_use]
    pub fn shown(&self, chars_max: usize) -> String {
        let mut shown = Shown { text: String::new(), left: chars_max, cut: false };
        match self {
            Self::Int(number) => shown.add(number.to_string().as_bytes()),
            Self::Bytes(bytes) => shown.add(bytes),
            Self::Hash(hash) => {
                shown.all('{', hash.iter().map(|(field, value)| (field.into(), Some(value.into()))), '}');
            }
            Self::Set(set) => {
                shown.all('{', set.iter().map(|member| (member.with(<[u8]>::to_vec).into(), None)), '}');
            }
            Self::SortedSet(set) => {
                let members = set.iter(0..set.len());
                let scored = |(member, score): (_, f64)| {
                    (Cow::Borrowed(member), Some(score.to_string().into_bytes().into()))
                };
                shown.all('{', members.map(scored), '}');
            }
            Self::Stream(stream) => {
                let entries = stream.log.range(StreamId::MIN, StreamId::MAX).map(|entry| {
                    let mut pairs = Vec::new();
                    for (name, value) in entry.pairs() {
                        let space: &[u8] = if pairs.is_empty() { b"" } else { b" " };
                        pairs.extend_from_slice(&[space, name, b" ", value].concat());
                    }
                    (entry.id.to_string().into_bytes().into(), Some(pairs.into()))
                });
                shown.all('[', entries, ']');
            }
            Self::List(list) => {
                shown.all('[', list.iter(0..list.len()).map(|element| (element.into(), None)), ']');
            }
        }
        if shown.cut {
            shown.text.push('\u{2026}');
        }
        shown.text
    }
}

/// The text so far, and how many characters there is room for.
struct Shown {
    text: String,
    left: usize,
    cut: bool,
}

impl Shown {
    /// All of a collection, each part with what belongs to it.
    fn all<'a>(
        &mut self,
        open: char,
        parts: impl Iterator<Item = (Cow<'a, [u8]>, Option<Cow<'a, [u8]>>)>,
        close: char,
    ) {
        self.add(open.to_string().as_bytes());
        for (number, (part, beside)) in parts.enumerate() {
            if self.cut {
                return;
            }
            if number > 0 {
                self.add(b", ");
            }
            self.add(&part);
            if let Some(beside) = beside {
                self.add(b": ");
                self.add(&beside);
            }
        }
        self.add(close.to_string().as_bytes());
    }

    fn add(&mut self, bytes: &[u8]) {
        if self.cut {
            return;
        }
        // No character takes more than four bytes.
        let start = &bytes[..bytes.len().min(self.left * 4 + 4)];
        let text = String::from_utf8_lossy(start);
        match text.char_indices().nth(self.left) {
            Some((end, _)) => {
                self.text.push_str(&text[..end]);
                self.cut = true;
            }
            None => {
                self.text.push_str(&text);
                self.left -= text.chars().count();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Collection, End, Hash, List, Set, SortedSet, Stream};

    fn check(value: impl Into<Value>, chars_max: usize, expected: &str) {
        assert_eq!(value.into().shown(chars_max), expected);
    }

    #[test]
    fn what_is_too_long_is_cut() {
        check(Value::Int(-12), 80, "-12");
        check(Value::from("gr\u{fc}n".as_bytes()), 4, "gr\u{fc}n");
        check(Value::from("gr\u{fc}ne".as_bytes()), 4, "gr\u{fc}n\u{2026}");
        check(Value::from(&b"\xff\x00"[..]), 80, "\u{fffd}\0");
        check(Value::from(&[b'x'; 1000][..]), 3, "xxx\u{2026}");
    }

    #[test]
    fn collections_show_their_parts() {
        let mut list = List::default();
        [&b"a"[..], b"bc", b"d"].iter().for_each(|element| list.push(End::Right, element));
        check(list.clone().into_value(), 80, "[a, bc, d]");
        check(list.clone().into_value(), 10, "[a, bc, d]");
        check(list.into_value(), 5, "[a, b\u{2026}");
        let mut hash = Hash::default();
        hash.set(b"f", b"v");
        hash.set(b"g", b"1");
        check(hash.into_value(), 80, "{f: v, g: 1}");
        let mut set = Set::default();
        set.add(b"2");
        set.add(b"1");
        check(set.into_value(), 80, "{1, 2}");
        let mut set = SortedSet::default();
        set.set(b"a", 1.5);
        set.set(b"b", -1.0);
        check(set.into_value(), 80, "{b: -1, a: 1.5}");
        let mut stream = Stream::default();
        stream.log.append(StreamId::new(1, 0), [(&b"f"[..], &b"v"[..]), (b"g", b"w")].into_iter());
        stream.log.append(StreamId::new(2, 1), [(&b"h"[..], &b""[..])].into_iter());
        check(stream.clone().into_value(), 80, "[1-0: f v g w, 2-1: h ]");
        check(stream.into_value(), 8, "[1-0: f \u{2026}");
    }
}
