//! What one lock holds of all databases: a store for each of them.
//!
//! Owns which database commands mean just now, and the stores, made when a database is first chosen: one that nobody
//! uses costs nothing. Knows no client; whoever runs a command says in which database.

use std::hash::{BuildHasher, Hasher};

use foldhash::fast::FixedState;

use super::access::Frequency;
use super::keyspace::Keyspace;
use super::shard::Store;

/// Of every database the part that lies in one shard.
///
/// ```
/// use interleave::store::{Databases, Keyspace, Value};
///
/// let mut databases = Databases::default();
/// databases.select(1);
/// databases.store(b"k").insert(b"k", Value::Int(1), None);
/// databases.select(0);
/// assert!(databases.store(b"k").get(b"k", 0).is_none());
/// ```
#[derive(Debug, Default)]
pub struct Databases {
    /// The store of the database that commands mean, kept here so that it is found without a look-up: nearly always it is
    /// the same.
    current: Store,
    /// The number of that database.
    selected: usize,
    /// The stores of the others, by number; that of the selected one is a blank. Empty while no other was ever used, and
    /// longer than `selected` otherwise.
    others: Vec<Store>,
    keeps_vanished: bool,
    upkeep: Upkeep,
    /// Which version of the settings that is.
    upkeep_version: u32,
    /// In seconds since the Unix epoch.
    now_s: u32,
    /// What was told of the weight.
    weight_told: usize,
}

/// What is kept of the keys for the sake of a memory limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Upkeep {
    /// The sum of what they take.
    pub counts_bytes: bool,
    /// How often each is used, and not when it was last.
    pub frequency: Option<Frequency>,
}

impl Databases {
    /// From now on commands mean this database. Its number is checked against the server's limit before.
    #[inline]
    pub fn select(&mut self, database: usize) {
        if database != self.selected {
            self.change(database);
        }
    }

    #[cold]
    fn change(&mut self, database: usize) {
        self.grow(database.max(self.selected));
        std::mem::swap(&mut self.current, &mut self.others[self.selected]);
        self.selected = database;
        std::mem::swap(&mut self.current, &mut self.others[database]);
        self.current.set_clock(self.now_s);
    }

    /// The store of the database that commands mean.
    #[inline]
    pub fn selected(&mut self) -> &mut Store {
        &mut self.current
    }

    /// The store of the database that the last command meant, which the next one likely means, too.
    #[inline]
    pub(crate) fn current(&self) -> &Store {
        &self.current
    }

    /// The store of a database.
    pub fn of(&mut self, database: usize) -> &mut Store {
        if database == self.selected {
            return &mut self.current;
        }
        self.grow(database);
        self.others[database].set_clock(self.now_s);
        &mut self.others[database]
    }

    /// The stores there are, in the order of the databases and without a gap. Those after them would be empty.
    pub fn stores(&mut self) -> impl Iterator<Item = &mut Store> {
        let at = self.selected.min(self.others.len());
        let (before, from) = self.others.split_at_mut(at);
        before.iter_mut().chain([&mut self.current]).chain(from.iter_mut().skip(1))
    }

    /// Has every store [keep the names](Store::keep_vanished) of keys that go though no command removes them.
    pub fn keep_vanished(&mut self) {
        self.keeps_vanished = true;
        self.stores().for_each(Store::keep_vanished);
    }

    /// What time it is, in milliseconds since the Unix epoch: by it the use of keys is told.
    #[inline]
    pub fn set_clock(&mut self, now_ms: u64) {
        self.now_s = (now_ms / 1000) as u32;
        self.current.set_clock(self.now_s);
    }

    /// Which version of the settings was [told](Self::keep_up) last; 0 at first.
    #[inline]
    pub fn upkeep_version(&self) -> u32 {
        self.upkeep_version
    }

    /// Keeps of the keys from now on what the settings want in this version of theirs. A walk over all keys where their bytes
    /// were not counted before.
    pub fn keep_up(&mut self, upkeep: Upkeep, version: u32) {
        (self.upkeep, self.upkeep_version) = (upkeep, version);
        for store in self.stores() {
            store.set_frequency(upkeep.frequency);
            store.set_scales(upkeep.counts_bytes);
        }
    }

    /// What all keys and values take, in bytes; 0 while nobody keeps count.
    pub fn weight(&mut self) -> usize {
        self.stores().map(Store::weight).sum()
    }

    /// By how much [`Self::weight`] has grown since this was asked last.
    pub fn weight_change(&mut self) -> isize {
        let weight = self.weight();
        weight.wrapping_sub(std::mem::replace(&mut self.weight_told, weight)) as isize
    }

    /// Whether the bytes are counted.
    #[inline]
    pub fn counts_bytes(&self) -> bool {
        self.upkeep.counts_bytes
    }

    /// Lets two databases change places. Those who look on stay, and see other keys.
    pub fn swap(&mut self, one: usize, other: usize) {
        let selected = self.selected;
        // With a third one selected both are among the others.
        let third = (0..3).find(|database| *database != one && *database != other);
        self.select(third.unwrap_or(selected));
        self.grow(one.max(other));
        if let Ok([one, other]) = self.others.get_disjoint_mut([one, other]) {
            one.swap(other);
        }
        self.select(selected);
    }

    /// Whether the command has changed a key that somebody looks on at.
    #[inline]
    pub fn is_touched(&self) -> bool {
        self.current.is_touched() || self.others.iter().any(Store::is_touched)
    }

    /// Whether commands have changed anything since this was asked last.
    #[inline]
    pub fn take_changed(&mut self) -> bool {
        self.stores().fold(false, |any, store| store.take_changed() | any)
    }

    /// Whether anybody waits here who needs another shard, too; perhaps one who has gone.
    #[inline]
    pub fn has_far_waiters(&self) -> bool {
        self.current.has_far_waiters() || self.others.iter().any(Store::has_far_waiters)
    }

    fn grow(&mut self, database: usize) {
        if database >= self.others.len() {
            let new = self.others.len();
            self.others.resize_with(database + 1, Store::default);
            for store in &mut self.others[new..] {
                store.set_frequency(self.upkeep.frequency);
                store.set_scales(self.upkeep.counts_bytes);
            }
            if self.keeps_vanished {
                self.others.iter_mut().for_each(Store::keep_vanished);
            }
        }
    }

    /// Whether anybody waits for a key or watches one, or did.
    pub(crate) fn is_looked_at(&self) -> bool {
        let looked_at = |store: &Store| store.onlookers() > 0;
        looked_at(&self.current) || self.others.iter().any(looked_at)
    }

    /// A hash of all that a command could find out; see [`Store`]. A database that was never used and one that is empty
    /// are the same.
    pub(crate) fn digest(&mut self) -> u64 {
        let mut hasher = FixedState::with_seed(0).build_hasher();
        for (number, store) in self.stores().enumerate().filter(|(_, store)| !store.is_blank()) {
            hasher.write_u64(number as u64);
            hasher.write_u64(store.digest());
        }
        hasher.finish()
    }
}

impl Keyspace for Databases {
    #[inline]
    fn shard_of(&mut self, _key: &[u8]) -> &mut Databases {
        self
    }

    #[inline]
    fn peek(&self, _key: &[u8]) -> Option<&Store> {
        Some(self.current())
    }

    fn count(&self) -> usize {
        1
    }

    fn shard(&mut self, index: usize) -> &mut Databases {
        assert_eq!(index, 0, "one lock holds one shard");
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Value;

    #[test]
    fn what_was_never_used_is_as_what_is_empty() {
        let (mut one, mut other) = (Databases::default(), Databases::default());
        other.select(7);
        assert_eq!(one.digest(), other.digest());
        one.of(3).insert(b"k", Value::Int(1), None);
        other.of(4).insert(b"k", Value::Int(1), None);
        assert_ne!(one.digest(), other.digest());
        other.swap(3, 4);
        assert_eq!(one.digest(), other.digest());
    }

    #[test]
    fn every_database_keeps_its_own_whichever_is_selected() {
        let mut databases = Databases::default();
        for number in [0, 2, 1, 5, 3] {
            databases.of(number).insert(b"k", Value::Int(number as i64), None);
            databases.select(number);
        }
        let held = |databases: &mut Databases| {
            let held = |store: &mut Store| store.at(0).map(|(_, entry)| entry.value.clone());
            databases.stores().map(held).collect::<Vec<_>>()
        };
        let int = |number| Some(Value::Int(number));
        for selected in [0, 4, 2, 5, 1, 3] {
            databases.select(selected);
            assert_eq!(held(&mut databases), [int(0), int(1), int(2), int(3), None, int(5)]);
            let own = databases.selected().at(0).map(|(_, entry)| entry.value.clone());
            assert_eq!(own, held(&mut databases)[selected]);
            for (one, other) in [(0, 5), (1, 2), (2, 2), (selected, 4)] {
                databases.swap(one, other);
                databases.swap(other, one);
            }
        }
        databases.swap(0, 1);
        databases.swap(3, 7);
        assert_eq!(held(&mut databases), [int(1), int(0), int(2), None, None, int(5), None, int(3)]);
    }
}
