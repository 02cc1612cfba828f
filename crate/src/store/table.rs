//! The hash table behind a store and its large collections: keys with their values in a row, and an index by which a key's place is
//! found.
//!
//! Owns that index and the order of the row: what is added goes last, and where something is removed the last takes its
//! place. A look-up waits for memory twice, for a slot of the index and for the row; so do several at once, if their rows are
//! [fetched](Table::likely) first. Knows neither expiry nor commands.

use std::hash::{BuildHasher, Hasher};
use std::ops::{Index, IndexMut};

use foldhash::fast::RandomState;

use super::key::Key;
use super::weight::allocated;

/// Keys and values by hash and by position.
///
/// Open addressing with linear probing, and removal that moves back what had to go further (Knuth, *The Art of Computer
/// Programming* 3, 6.4, algorithm R): no slot is ever a tombstone. A slot holds 32 bits of its key's hash, by which it is also told
/// from others: a key is compared about once, and nothing is hashed again when the index grows.
#[derive(Clone, Debug)]
pub(super) struct Table<V> {
    rows: Vec<(Key, V)>,
    /// As many as a power of two, or none; more than a quarter are empty.
    slots: Vec<Slot>,
    // foldhash's better hash spreads keys that are alike more evenly in the single table, not over those of many shards, and takes 3 %
    // more CPU time of a GET, SET or INCR `-P 16`.
    hasher: RandomState,
}

/// The hash of a key in the upper half; in the lower one more than its position, 0 in an empty slot.
type Slot = u64;

/// What a key takes of the index, of which at least a quarter is free.
pub(super) const INDEX: usize = size_of::<Slot>() + size_of::<Slot>() / 3;

/// The first index is of this many slots: a cache line.
const SLOTS_MIN: usize = 8;

/// Slots from a key's own on in which it is looked for when it is fetched: nine of ten keys are in one of them.
const SLOTS_LIKELY: usize = 4;

fn slot(hash: u32, position: usize) -> Slot {
    let number = u32::try_from(position + 1).expect("a shard holds fewer than 2^32 keys");
    u64::from(hash) << 32 | u64::from(number)
}

fn hash_of(slot: Slot) -> u32 {
    (slot >> 32) as u32
}

/// The position in a slot that is not empty.
fn position(slot: Slot) -> usize {
    slot as u32 as usize - 1
}

impl<V> Default for Table<V> {
    fn default() -> Self {
        Self { rows: Vec::new(), slots: Vec::new(), hasher: RandomState::default() }
    }
}

impl<V> Table<V> {
    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// In the order of positions.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&Key, &V)> {
        self.rows.iter().map(|(key, value)| (key, value))
    }

    /// What is at a position, if it is below [`Self::len`].
    pub(super) fn at(&self, position: usize) -> Option<(&Key, &V)> {
        self.rows.get(position).map(|(key, value)| (key, value))
    }

    pub(super) fn get(&self, key: &[u8]) -> Option<&V> {
        Some(&self[self.find(key)?])
    }

    /// The position of a key that is there.
    #[inline]
    pub(super) fn find(&self, key: &[u8]) -> Option<usize> {
        let (_, slot) = self.seek(self.hash(key), |at| self.rows[at].0.as_slice() == key)?;
        Some(position(slot))
    }

    pub(super) fn contains(&self, key: &[u8]) -> bool {
        self.find(key).is_some()
    }

    /// The position that is likely `key`'s: what is there has its hash, and the key was not compared. Of a key that is not there any,
    /// or none at all. Who looks at what several keys likely have, waits for memory once for all of them, as nothing said of the
    /// one depends on the other.
    #[inline]
    pub(super) fn likely(&self, key: &[u8]) -> usize {
        let hash = self.hash(key);
        let Some(mask) = self.slots.len().checked_sub(1) else { return usize::MAX };
        // Without a branch that only a slot's arrival decides: what comes after one waits for it.
        let slots = (0..SLOTS_LIKELY).map(|step| self.slots[(hash as usize + step) & mask]);
        let slot = slots.rfold(0, |likely, slot| if hash_of(slot) == hash { slot } else { likely });
        (slot as u32 as usize).wrapping_sub(1)
    }

    /// Adds a key that is not there; its position. Amortised constant time: a growing index is filled anew from the old one.
    ///
    /// # Panics
    /// When there are 2³² − 1 keys.
    pub(super) fn push(&mut self, key: Key, value: V) -> usize {
        let position = self.rows.len();
        if (position + 1) * 4 > self.slots.len() * 3 {
            self.grow();
        }
        let hash = self.hash(key.as_slice());
        self.place(slot(hash, position));
        self.rows.push((key, value));
        position
    }

    /// Removes what is at a position below [`Self::len`], where the last one goes then.
    pub(super) fn swap_remove(&mut self, position: usize) -> Option<(Key, V)> {
        self.empty(self.slot_of(position)?);
        let last = self.rows.len() - 1;
        if position < last {
            let moved = self.slot_of(last)?;
            self.slots[moved] = slot(hash_of(self.slots[moved]), position);
        }
        Some(self.rows.swap_remove(position))
    }

    /// Removes a key, in whose place the last one goes then.
    pub(super) fn remove(&mut self, key: &[u8]) -> Option<(Key, V)> {
        self.swap_remove(self.find(key)?)
    }

    /// What it has allocated, its keys and values aside.
    pub(super) fn heap_bytes(&self) -> usize {
        allocated(self.rows.capacity() * size_of::<(Key, V)>())
            + allocated(self.slots.len() * size_of::<Slot>())
    }

    fn hash(&self, key: &[u8]) -> u32 {
        let mut hasher = self.hasher.build_hasher();
        hasher.write(key);
        hasher.finish() as u32
    }

    /// The first slot of that hash whose position is the one, and what it holds.
    #[inline]
    fn seek(&self, hash: u32, is_it: impl Fn(usize) -> bool) -> Option<(usize, Slot)> {
        let mask = self.slots.len().checked_sub(1)?;
        let mut at = hash as usize & mask;
        loop {
            let slot = self.slots[at];
            if slot == 0 {
                return None;
            }
            if hash_of(slot) == hash && is_it(position(slot)) {
                return Some((at, slot));
            }
            at = (at + 1) & mask;
        }
    }

    /// Which slot has the row at a position below [`Self::len`].
    fn slot_of(&self, position: usize) -> Option<usize> {
        let hash = self.hash(self.rows.get(position)?.0.as_slice());
        self.seek(hash, |at| at == position).map(|(at, _)| at)
    }

    /// Puts `slot` into the first empty one from where its hash says.
    fn place(&mut self, slot: Slot) {
        let mask = self.slots.len() - 1;
        let mut at = hash_of(slot) as usize & mask;
        while self.slots[at] != 0 {
            at = (at + 1) & mask;
        }
        self.slots[at] = slot;
    }

    /// Empties the slot at `hole`, and moves those behind it up whose hash says a place before it.
    fn empty(&mut self, mut hole: usize) {
        let mask = self.slots.len() - 1;
        let mut at = hole;
        loop {
            at = (at + 1) & mask;
            let slot = self.slots[at];
            if slot == 0 {
                break;
            }
            let home = hash_of(slot) as usize & mask;
            // How far it is from where it should be, and from the hole, both going round.
            if (at.wrapping_sub(home) & mask) >= (at.wrapping_sub(hole) & mask) {
                self.slots[hole] = slot;
                hole = at;
            }
        }
        self.slots[hole] = 0;
    }

    #[cold]
    fn grow(&mut self) {
        let slots = (self.slots.len() * 2).max(SLOTS_MIN);
        let old = std::mem::replace(&mut self.slots, vec![0; slots]);
        old.into_iter().filter(|&slot| slot != 0).for_each(|slot| self.place(slot));
    }
}

/// Of keys that are all different.
impl<V> FromIterator<(Key, V)> for Table<V> {
    fn from_iter<I: IntoIterator<Item = (Key, V)>>(rows: I) -> Self {
        let mut table = Self::default();
        for (key, value) in rows {
            table.push(key, value);
        }
        table
    }
}

/// The value at a position, which must be below [`Table::len`].
impl<V> Index<usize> for Table<V> {
    type Output = V;

    #[inline]
    fn index(&self, position: usize) -> &V {
        &self.rows[position].1
    }
}

impl<V> IndexMut<usize> for Table<V> {
    #[inline]
    fn index_mut(&mut self, position: usize) -> &mut V {
        &mut self.rows[position].1
    }
}

#[cfg(test)]
mod tests {
    use indexmap::IndexMap;
    use proptest::prelude::*;

    use super::*;

    /// Every slot is reached from where its hash says, and says where a key of that hash is.
    fn check(table: &Table<u32>) {
        let taken: Vec<_> = table.slots.iter().copied().filter(|&slot| slot != 0).collect();
        assert_eq!(taken.len(), table.len());
        assert!(taken.len() * 4 <= table.slots.len() * 3);
        for (position, (key, _)) in table.iter().enumerate() {
            assert_eq!(table.find(key.as_slice()), Some(position));
            assert!(table.slot_of(position).is_some());
        }
    }

    proptest! {
        /// Whatever is added and removed, it is what a well-known table with the same order would hold.
        #[test]
        fn it_is_a_map_with_an_order(steps in prop::collection::vec((any::<bool>(), 0_u32..60, any::<u32>()), 1..400)) {
            let (mut table, mut model) = (Table::default(), IndexMap::new());
            for (adds, number, value) in steps {
                let key = number.to_string().repeat(1 + number as usize % 9).into_bytes();
                let found = table.find(&key);
                prop_assert_eq!(found, model.get_index_of(&key));
                match found {
                    None if adds => {
                        prop_assert_eq!(table.push(Key::from(&*key), value), model.len());
                        model.insert(key, value);
                    }
                    None => {}
                    Some(at) if adds => {
                        table[at] = value;
                        model[at] = value;
                    }
                    Some(at) => {
                        let removed = table.swap_remove(at).map(|(key, value)| (key.as_slice().to_vec(), value));
                        prop_assert_eq!(removed, model.swap_remove_index(at));
                    }
                }
                check(&table);
            }
            let rows: Vec<_> = table.iter().map(|(key, value)| (key.as_slice().to_vec(), *value)).collect();
            prop_assert_eq!(rows, model.into_iter().collect::<Vec<_>>());
        }
    }

    #[test]
    fn nothing_is_found_in_an_empty_one() {
        let mut table = Table::<u32>::default();
        assert_eq!((table.find(b"a"), table.likely(b"a"), table.at(0).is_some()), (None, usize::MAX, false));
        assert!(table.swap_remove(0).is_none());
        table.push(Key::from(&b"a"[..]), 1);
        table.swap_remove(0);
        assert_eq!((table.find(b"a"), table.len()), (None, 0));
        check(&table);
    }

    #[test]
    fn what_is_likely_is_nearly_always_it() {
        const KEYS: u32 = 5_000;
        let key = |number: u32| format!("key:{number:012}").into_bytes();
        // Each has a seed of its own, and some suit such keys badly: with one in twenty, a sixth of the keys are further away.
        let tables = std::iter::repeat_with(|| {
            let mut table = Table::default();
            for number in 0..KEYS {
                table.push(Key::from(&*key(number)), number);
            }
            check(&table);
            table
        });
        let right = |table: Table<u32>| {
            let none = (KEYS..2 * KEYS).filter(|&number| table.find(&key(number)).is_some()).count();
            assert_eq!(none, 0);
            (0..KEYS).filter(|&number| table.likely(&key(number)) == number as usize).count()
        };
        let right: usize = tables.take(64).map(right).sum();
        assert!(right > 64 * KEYS as usize * 9 / 10, "{right} of 64 tables");
    }
}
