//! What keys and values take of memory, as a figure that follows from their state alone.
//!
//! Owns the estimate, and the sum of it over a store. Each figure takes constant time: a large collection keeps count of what
//! its elements have allocated. Because the same state always has the same figure, a key weighed before a change and after it
//! keeps the sum right for ever; no error adds up. Knows no limit: whoever has one compares.

use super::Stream;
use super::key::Key;
use super::value::{Bytes, Value};
use super::{Entry, List, SortedSet, table};

/// What an entry takes besides the allocations of its key and value: its slot, when it was used, and its share of the hash
/// table's index. A table grows in steps, and what it has in reserve is nobody's.
const SLOT: usize = size_of::<(Key, Entry)>() + size_of::<u32>() + table::INDEX;

/// What an allocation of `bytes` bytes takes of an allocator that keeps 8 bytes for itself and hands out multiples of 16.
pub(super) fn allocated(bytes: usize) -> usize {
    if bytes == 0 { 0 } else { (bytes + 8).next_multiple_of(16).max(32) }
}

/// What `key` and its value take.
pub(super) fn weigh(key: &Key, entry: &Entry) -> usize {
    SLOT + key.heap_bytes() + entry.value.heap_bytes()
}

impl Value {
    /// What it has allocated.
    fn heap_bytes(&self) -> usize {
        match self {
            Self::Int(_) => 0,
            Self::Bytes(bytes) => bytes.heap_bytes(),
            Self::List(list) => allocated(size_of::<List>()) + list.heap_bytes(),
            Self::Hash(hash) => allocated(size_of_val(&**hash)) + hash.heap_bytes(),
            Self::Set(set) => allocated(size_of_val(&**set)) + set.heap_bytes(),
            Self::SortedSet(set) => allocated(size_of::<SortedSet>()) + set.heap_bytes(),
            Self::Stream(stream) => allocated(size_of::<Stream>()) + stream.heap_bytes(),
        }
    }
}

/// What a string in a table has allocated. By its length: a copy of a table has other capacities, and one that was longer keeps
/// its allocation for a while.
pub(super) fn of_field(value: &Bytes) -> usize {
    if value.len() <= Bytes::IN_PLACE_MAX { 0 } else { allocated(value.len()) }
}

/// The weight of all that a store has, kept up through every change.
///
/// A key handed out to be changed is taken off the scales and put back on when somebody wants to know: what is done to it in
/// between is seen by nobody else.
#[derive(Debug, Default)]
pub(super) struct Scales {
    bytes: usize,
    /// Keys taken off, nearly always none or one.
    off: Vec<Key>,
}

impl Scales {
    /// The weight of what is on them. All is once [`Self::close`] was called.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Puts an entry on that was not there.
    pub(super) fn add(&mut self, key: &Key, entry: &Entry) {
        self.bytes += weigh(key, entry);
    }

    /// Takes an entry off for good.
    pub(super) fn remove(&mut self, key: &Key, entry: &Entry) {
        match self.off.iter().position(|off| off == key) {
            Some(at) => drop(self.off.swap_remove(at)),
            None => self.bytes -= weigh(key, entry),
        }
    }

    /// Takes an entry off, as it is going to change.
    pub(super) fn open(&mut self, key: &Key, entry: &Entry) {
        if !self.off.contains(key) {
            self.bytes -= weigh(key, entry);
            self.off.push(key.clone());
        }
    }

    /// Puts those taken off back on; `find` finds them.
    pub(super) fn close<'a>(&mut self, find: impl Fn(&[u8]) -> Option<(&'a Key, &'a Entry)>) {
        while let Some(key) = self.off.pop() {
            if let Some((key, entry)) = find(key.as_slice()) {
                self.bytes += weigh(key, entry);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Key, of_field};
    use crate::store::Bytes;
    use crate::store::stream::{Group, StreamId, Threshold};
    use crate::store::{Databases, End, Hash, List, Set, SortedSet, Store, Stream, Upkeep, Value};

    /// A string that is in place, or not, or too long to be packed.
    fn text(number: u8) -> Vec<u8> {
        vec![number; [3, 20, 90, 700][usize::from(number % 4)]]
    }

    /// Does one of many things to a key, whatever it holds.
    fn change(store: &mut Store, key: &[u8], what: u8, with: u8, now_ms: u64) {
        let (one, other) = (text(with), text(with.wrapping_add(1)));
        match what {
            0 => store.insert_bytes(key, &one, None),
            1 => store.insert_bytes(key, &one, Some(now_ms + u64::from(with % 8))),
            2 => store.insert(key, Value::Int(7), None),
            3 => drop(store.remove(key, now_ms)),
            4 => drop(store.set_expiry(key, Some(now_ms + 3), now_ms)),
            5 => {
                if let Some(Value::Bytes(bytes)) = store.value_mut(key, now_ms) {
                    bytes.change(|bytes| bytes.extend_from_slice(&one));
                }
            }
            6..=8 => {
                if let Ok(list) = store.change_or_insert::<List>(key, now_ms) {
                    list.push(if what == 6 { End::Left } else { End::Right }, &one);
                    match with % 7 {
                        0 => list.remove(0..list.len() / 2),
                        1 => list.insert(list.len() / 2, &other),
                        2 => drop(list.set(list.len() / 2, &other)),
                        3 => drop(list.remove_equal(&one, End::Right, 2)),
                        _ => {}
                    }
                }
            }
            9..=11 => {
                if let Ok(hash) = store.change_or_insert::<Hash>(key, now_ms) {
                    hash.set(&one, &other);
                    hash.set(&other, &text(with.wrapping_mul(3)));
                    hash.remove(&text(with.wrapping_mul(5)));
                }
            }
            12..=14 => {
                if let Ok(set) = store.change_or_insert::<Set>(key, now_ms) {
                    set.add(if with < 40 { b"12" } else { &one });
                    set.add(&other);
                    set.remove(&text(with.wrapping_mul(5)));
                }
            }
            15..=17 => {
                if let Ok(set) = store.change_or_insert::<SortedSet>(key, now_ms) {
                    set.set(&one, f64::from(with));
                    set.set(&other, 1.0);
                    match with % 3 {
                        0 => drop(set.remove(&text(with.wrapping_mul(5)))),
                        1 => set.remove_range(0..set.len() / 3),
                        _ => {}
                    }
                }
            }
            18..=20 => {
                if let Ok(stream) = store.change_or_insert::<Stream>(key, now_ms) {
                    let id = stream.log.next_id(now_ms).unwrap();
                    stream.log.append(id, [(&one[..], &other[..])].into_iter());
                    match with % 5 {
                        0 => drop(stream.log.trim(Threshold::MaxLen(usize::from(with % 16)))),
                        1 => drop(stream.log.trim_blocks(Threshold::MaxLen(3), usize::MAX)),
                        2 => drop(stream.log.remove(id)),
                        3 => drop(stream.groups.insert(one.into(), Group::new(StreamId::MIN, None))),
                        _ => {}
                    }
                }
            }
            21 => {
                let copy = store.peek(key, now_ms).map(|entry| entry.value.clone());
                if let Some(copy) = copy {
                    store.insert(&[key, b" copied"].concat(), copy, None);
                }
            }
            22 => drop(store.expire_some(now_ms, 3)),
            _ if with < 8 => store.clear(),
            _ => drop(store.random_key(&mut fastrand::Rng::with_seed(with.into()), now_ms)),
        }
    }

    proptest! {
            /// After any changes the sum is that of a walk over all that is there, and what a collection counts is that of a walk
            /// over its elements: no change leaves anything behind.
            #[test]
            fn the_sum_is_that_of_a_walk(
                changes in proptest::collection::vec((0u8..24, 0u8..4, any::<u8>(), 0usize..3), 1..400),
            ) {
                let mut databases = Databases::default();
                let counting = Upkeep { counts_bytes: true, frequency: None };
                databases.keep_up(counting, 1);
                for (now_ms, (what, key, with, database)) in (0..).zip(changes) {
                    databases.select(database);
                    change(databases.selected(), &text(key), what, with, now_ms);
                    if what == 23 {
                        databases.swap(database, 0);
                    }
                }
                let kept = databases.weight();
                databases.keep_up(Upkeep::default(), 2);
                prop_assert_eq!(databases.weight(), 0);
                databases.keep_up(counting, 3);
                prop_assert_eq!(databases.weight(), kept);
                for store in databases.stores() {
                    for position in 0..store.len() {
                        let (_, entry) = store.at(position).unwrap();
    let (counted, expected) = counted(&entry.value);
                        prop_assert_eq!(counted, expected);
                    }
                }
            }
        }

    /// What a collection has counted of its elements, and what that should be.
    fn counted(value: &Value) -> (usize, usize) {
        let of = |text: &[u8]| Key::from(text).heap_bytes();
        let of_value = |text: &[u8]| of_field(&Bytes::from(text));
        match value {
            Value::Int(_) | Value::Bytes(_) => (0, 0),
            Value::List(list) => list.counted_bytes(),
            Value::Stream(stream) => stream.log.counted_bytes(),
            Value::Hash(hash) if hash.is_packed() => (hash.counted_bytes(), 0),
            Value::Set(set) if set.is_packed() => (set.counted_bytes(), 0),
            Value::SortedSet(set) if set.is_packed() => (set.counted_bytes(), 0),
            Value::Hash(hash) => {
                (hash.counted_bytes(), hash.iter().map(|(field, value)| of(field) + of_value(value)).sum())
            }
            Value::Set(set) => (set.counted_bytes(), set.iter().map(|member| member.with(of)).sum()),
            Value::SortedSet(set) => {
                (set.counted_bytes(), set.iter(0..set.len()).map(|(member, _)| of(member)).sum())
            }
        }
    }

    #[test]
    fn what_is_longer_weighs_more() {
        let mut store = Store::default();
        let mut weigh = |bytes: usize| {
            store.insert_bytes(b"k", &vec![0; bytes], None);
            store.weight_of(b"k", 0).unwrap()
        };
        let (short, long, longest) = (weigh(3), weigh(100), weigh(1_000_000));
        assert_eq!(weigh(3), short);
        assert!((60..=100).contains(&short), "{short}");
        assert!((short + 100..short + 130).contains(&long), "{long}");
        assert!((short + 1_000_000..short + 1_000_050).contains(&longest), "{longest}");
    }
}
