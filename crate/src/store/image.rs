//! A value as a plain row of strings, and the same value made of them again: what a snapshot keeps.
//!
//! Owns which strings those are. The value made again lies in memory as the first one did, and its elements have the
//! same positions: commands that come after it, replayed, do the same to it. Knows no file.

use super::stream::Stream;
use super::value::{Bytes, Value};
use super::{End, Hash, Set, SortedSet};

/// How values lie in memory, each by the number a snapshot has for it. Numbers are never used again for something else.
const INTEGER: u8 = 0;
const STRING: u8 = 1;
const LONG_STRING: u8 = 2;
const LIST: u8 = 3;
const HASH: u8 = 4;
const HASH_TABLE: u8 = 5;
const INTEGERS: u8 = 6;
const SET: u8 = 7;
const SET_TABLE: u8 = 8;
const SORTED_SET: u8 = 9;
const SORTED_SET_TABLE: u8 = 10;
const STREAM: u8 = 11;

/// Strings that are not the parts of a value of the layout they came with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoValue;

impl Value {
    /// How it lies in memory: a number for [`Value::of_layout`].
    #[must_use]
    pub fn layout(&self) -> u8 {
        match self {
            Self::Int(_) => INTEGER,
            Self::Bytes(bytes) if bytes.is_embedded() || bytes.len() > Bytes::EMBEDDED_MAX => STRING,
            Self::Bytes(_) => LONG_STRING,
            Self::List(_) => LIST,
            Self::Hash(hash) if hash.is_packed() => HASH,
            Self::Hash(_) => HASH_TABLE,
            Self::Set(set) => match set.encoding() {
                "intset" => INTEGERS,
                "listpack" => SET,
                _ => SET_TABLE,
            },
            Self::SortedSet(set) if set.is_packed() => SORTED_SET,
            Self::SortedSet(_) => SORTED_SET_TABLE,
            Self::Stream(_) => STREAM,
        }
    }

    /// How many of the [parts](Self::parts) belong together: a field and its value, a member and its score.
    #[must_use]
    pub fn parts_in_group(&self) -> usize {
        match self {
            Self::Hash(_) | Self::SortedSet(_) => 2,
            _ => 1,
        }
    }

    /// All strings that it is made of, in the order in which they are [added](Self::add_parts) again.
    pub fn parts(&self, mut part: impl FnMut(&[u8])) {
        match self {
            Self::Int(number) => part(&number.to_le_bytes()),
            Self::Bytes(bytes) => part(bytes),
            Self::List(list) => list.iter(0..list.len()).for_each(part),
            Self::Hash(hash) => hash.iter().for_each(|(field, value)| {
                part(field);
                part(value);
            }),
            Self::Set(set) => set.iter().for_each(|member| member.with(&mut part)),
            Self::Stream(stream) => stream.parts(part),
            Self::SortedSet(set) => {
                for (member, score) in set.walk() {
                    part(member);
                    part(&score.to_le_bytes());
                }
            }
        }
    }

    /// A value with nothing in it that lies in memory like this; `None` if there is no such layout.
    #[must_use]
    pub fn of_layout(layout: u8) -> Option<Self> {
        Some(match layout {
            INTEGER => Self::Int(0),
            STRING | LONG_STRING => {
                let mut bytes = Bytes::from(&b""[..]);
                if layout == LONG_STRING {
                    bytes.change(|_| ());
                }
                Self::Bytes(bytes)
            }
            LIST => Self::List(Box::default()),
            HASH => Self::Hash(Box::default()),
            HASH_TABLE => Self::Hash(Box::new(Hash::table_of_none())),
            INTEGERS => Self::Set(Box::default()),
            SET => Self::Set(Box::new(Set::packed_of_none())),
            SET_TABLE => Self::Set(Box::new(Set::table_of_none())),
            SORTED_SET => Self::SortedSet(Box::default()),
            SORTED_SET_TABLE => Self::SortedSet(Box::new(SortedSet::table_of_none())),
            STREAM => Self::Stream(Box::<Stream>::default()),
            _ => return None,
        })
    }

    /// Adds parts to a value that [has](Self::of_layout) the layout they came with.
    ///
    /// # Errors
    /// When they are not such parts.
    pub fn add_parts(&mut self, parts: &[&[u8]]) -> Result<(), NoValue> {
        match (self, parts) {
            (Self::Int(number), [part]) => {
                *number = i64::from_le_bytes((*part).try_into().map_err(|_| NoValue)?);
            }
            (Self::Bytes(bytes), [part]) if bytes.is_in_place() => *bytes = Bytes::from(*part),
            (Self::Bytes(bytes), [part]) => bytes.change(|bytes| bytes.extend_from_slice(part)),
            (Self::List(list), parts) => parts.iter().for_each(|part| list.push(End::Right, part)),
            (Self::Set(set), parts) => {
                for part in parts {
                    set.add(part);
                }
            }
            (Self::Hash(hash), parts) => {
                let (pairs, []) = parts.as_chunks() else { return Err(NoValue) };
                for [field, value] in pairs {
                    hash.set(field, value);
                }
            }
            (Self::SortedSet(set), parts) => {
                let (pairs, []) = parts.as_chunks() else { return Err(NoValue) };
                for [member, score] in pairs {
                    let score = f64::from_bits(u64::from_le_bytes((*score).try_into().map_err(|_| NoValue)?));
                    if score.is_nan() {
                        return Err(NoValue);
                    }
                    set.set(member, score);
                }
            }
            (Self::Stream(stream), parts) => {
                for part in parts {
                    stream.add_part(part).ok_or(NoValue)?;
                }
            }
            (Self::Int(_) | Self::Bytes(_), _) => return Err(NoValue),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::stream::{Group, StreamId, Threshold};
    use crate::store::{Collection, List};

    /// The same value out of its parts, added `step` groups at a time, is the same to whoever looks.
    #[track_caller]
    fn check(value: impl Into<Value>) {
        let value = value.into();
        let mut parts = Vec::new();
        value.parts(|part| parts.push(part.to_vec()));
        let parts: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
        for step in [1, 3, 1000] {
            let mut made = Value::of_layout(value.layout()).unwrap();
            for parts in parts.chunks(step * value.parts_in_group()) {
                made.add_parts(parts).unwrap();
            }
            assert_eq!((&made, made.encoding(), made.layout()), (&value, value.encoding(), value.layout()));
        }
    }

    #[test]
    fn strings_and_numbers() {
        check(Value::Int(i64::MIN));
        for length in [
            0,
            1,
            Bytes::IN_PLACE_MAX,
            Bytes::IN_PLACE_MAX + 1,
            Bytes::EMBEDDED_MAX,
            Bytes::EMBEDDED_MAX + 1,
            1000,
        ] {
            let mut bytes = Bytes::from(&vec![b'x'; length][..]);
            check(Value::Bytes(bytes.clone()));
            bytes.change(|_| ());
            check(Value::Bytes(bytes));
        }
    }

    #[test]
    fn lists() {
        let mut list = List::default();
        (0..1000u32).for_each(|number| list.push(End::Left, &number.to_le_bytes()));
        check(list.into_value());
    }

    #[test]
    fn hashes_that_shrank_keep_their_layout_and_order() {
        for len in [1, 20, 200u32] {
            let mut hash = Hash::default();
            (0..len).for_each(|number| assert!(hash.set(format!("f{number}").as_bytes(), b"v")));
            check(hash.clone().into_value());
            (1..len).step_by(2).for_each(|number| assert!(hash.remove(format!("f{number}").as_bytes())));
            check(hash.into_value());
        }
    }

    #[test]
    fn sets_that_shrank_keep_their_layout_and_order() {
        let integers = |len: i64| (0..len).rev().map(|n| n.to_string()).collect::<Vec<_>>();
        for (members, removed) in [
            (integers(10), 0),
            (integers(600), 590),
            (["b", "2", "1", "a"].map(str::to_owned).to_vec(), 1),
            (["a", "2", "1"].map(str::to_owned).to_vec(), 1),
            (["x".repeat(100), "2".to_owned(), "1".to_owned()].to_vec(), 1),
        ] {
            let mut set = Set::default();
            members.iter().for_each(|member| assert!(set.add(member.as_bytes())));
            members[..removed].iter().for_each(|member| assert!(set.remove(member.as_bytes())));
            check(set.into_value());
        }
    }

    #[test]
    fn sorted_sets_that_shrank_keep_their_layout_and_orders() {
        for len in [1, 20, 200u32] {
            let mut set = SortedSet::default();
            for number in 0..len {
                set.set(format!("m{number}").as_bytes(), f64::from(number * 7 % 13));
            }
            set.set(b"zero", -0.0);
            set.set(b"end", f64::NEG_INFINITY);
            check(set.clone().into_value());
            (1..len).step_by(2).for_each(|n| assert!(set.remove(format!("m{n}").as_bytes()).is_some()));
            check(set.into_value());
        }
    }

    #[test]
    fn streams_keep_their_blocks_their_counters_and_their_groups() {
        let mut stream = Stream::default();
        for number in 1..=350u64 {
            let value = number.to_string();
            let pairs = [(&b"n"[..], value.as_bytes()), (b"other", b"x")];
            let few = if number % 7 == 0 { 2 } else { 1 };
            stream.log.append(StreamId::new(number / 3, number), pairs.into_iter().take(few));
        }
        check(stream.clone().into_value());
        let ids: Vec<_> = stream.log.range(StreamId::MIN, StreamId::MAX).map(|entry| entry.id).collect();
        ids[..120].iter().step_by(2).for_each(|id| assert!(stream.log.remove(*id)));
        stream.log.trim(Threshold::MaxLen(200));
        let mut group = Group::new(ids[300], Some(3));
        group.add_consumer(b"alice", 5);
        group.add_consumer(b"bob", 6);
        group.assign(ids[299], b"bob", 7, 2);
        group.assign(ids[3], b"alice", 8, 1);
        stream.groups.insert(b"g".as_slice().into(), group);
        stream.groups.insert(b"h".as_slice().into(), Group::new(StreamId::MIN, None));
        check(stream.into_value());
        check(Stream::default().into_value());
    }

    #[test]
    fn a_stream_whose_parts_were_changed_is_none_or_can_be_read() {
        let mut stream = Stream::default();
        for number in 1..=5u64 {
            stream.log.append(StreamId::new(number, 0), [(&b"name"[..], &b"value"[..])].into_iter());
        }
        let mut parts = Vec::new();
        stream.parts(|part| parts.push(part.to_vec()));
        for at in 0..parts[0].len() {
            for bit in 0..8 {
                let mut changed = parts[0].clone();
                changed[at] ^= 1 << bit;
                let mut made = Stream::default();
                if made.add_part(&changed).is_some() {
                    let entries = made.log.range(StreamId::MIN, StreamId::MAX);
                    let read: Vec<_> = entries.map(|entry| (entry.id, entry.pairs().count())).collect();
                    assert!(read.is_sorted_by(|(before, _), (after, _)| before < after), "{read:?}");
                }
            }
        }
    }

    #[test]
    fn what_is_no_value_is_told() {
        assert_eq!(Value::of_layout(200), None);
        for (layout, parts) in [
            (INTEGER, &[&b"1"[..]][..]),
            (INTEGER, &[]),
            (STRING, &[b"a", b"b"]),
            (HASH, &[b"f"]),
            (STREAM, &[b"?"]),
            (SORTED_SET, &[b"m", b"1"]),
            (SORTED_SET_TABLE, &[b"m", &f64::NAN.to_le_bytes()]),
        ] {
            assert_eq!(Value::of_layout(layout).unwrap().add_parts(parts), Err(NoValue), "{layout}");
        }
    }
}
