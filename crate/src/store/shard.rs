//! One shard of one database.
//!
//! Owns a table of keys, values and expiries whose order is its own: a key added goes last, and where one is removed
//! the last one takes its place. So entries only ever move to *lower* positions, which is what lets SCAN and active
//! expiry walk downward without missing any. The order never depends on a hash: the same commands give the same order.

use std::hash::{BuildHasher, Hash, Hasher};

use foldhash::fast::FixedState;

use super::access::Access;
use super::key::Key;
use super::onlookers::Onlookers;
use super::table::Table;
use super::value::{Bytes, Collection, Value, WrongType, number};
use super::weight::Scales;

mod used;
mod watched;

type Entries = Table<Entry>;

/// A point in time no clock reaches: the key does not expire.
const NEVER: u64 = u64::MAX;

/// A value and when it expires.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The value.
    pub value: Value,
    expires_ms: u64,
}

impl Entry {
    /// When the key expires, in milliseconds since the Unix epoch; `None` when it stays.
    pub fn expires_ms(&self) -> Option<u64> {
        (self.expires_ms != NEVER).then_some(self.expires_ms)
    }

    /// Whether the key is gone at `now_ms`, in the eyes of every command, though it still takes room.
    pub fn is_expired(&self, now_ms: u64) -> bool {
        now_ms > self.expires_ms
    }
}

/// What a store counted since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Look-ups by reading commands that found their key.
    pub hits: u64,
    /// Look-ups by reading commands that did not.
    pub misses: u64,
    /// Keys removed because their time had come.
    pub expired: u64,
    /// Keys removed because memory was short.
    pub evicted: u64,
}

/// What one round of active expiry did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sweep {
    /// Entries looked at.
    pub looked: usize,
    /// Entries removed.
    pub expired: usize,
}

/// One shard of one database: look-ups, changes and expiry, each a hash look-up or less.
///
/// Every look-up takes the time (`now_ms`, milliseconds since the Unix epoch) and removes the key if it has expired:
/// lazy expiry. A key's memory is one 56-byte row and its share of the hash table when key and value are short.
///
/// ```
/// use interleave::store::{Store, Value};
///
/// let mut store = Store::default();
/// store.insert(b"k", Value::Int(1), Some(1_000));
/// assert_eq!(store.get(b"k", 1_000).map(|entry| &entry.value), Some(&Value::Int(1)));
/// assert!(store.get(b"k", 1_001).is_none());
/// ```
#[derive(Debug, Default)]
pub struct Store {
    entries: Entries,
    /// How keys were used, by position.
    access: Access,
    /// What the keys take; `None` while nobody wants to know.
    scales: Option<Scales>,
    /// How many entries have an expiry.
    volatile: usize,
    /// Active expiry has looked at the positions from here on up.
    swept_from: usize,
    stats: Stats,
    /// None while nobody looks on, which is all that a change costs then.
    onlookers: Option<Box<Onlookers>>,
    /// Keys that no command removed, since somebody asked last; `None` while nobody wants to know.
    vanished: Option<Vec<Key>>,
    /// Changes that commands have made since somebody asked last.
    changes: u32,
}

impl Store {
    /// How many keys there are, those included that have expired and were not removed yet.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is no key.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Whether there is nothing that a command could find out.
    pub(crate) fn is_blank(&self) -> bool {
        self.entries.is_empty() && self.onlookers.is_none()
    }

    /// How many keys have an expiry.
    pub fn volatile(&self) -> usize {
        self.volatile
    }

    /// What was counted so far.
    pub fn stats(&self) -> Stats {
        self.stats
    }

    /// Keeps the names of keys that go though no command removes them, for [`Store::take_vanished`].
    pub fn keep_vanished(&mut self) {
        self.vanished.get_or_insert_default();
    }

    /// The keys that went since this was called last though no command removed them: their time had come.
    pub fn take_vanished(&mut self, mut each: impl FnMut(&[u8])) {
        if let Some(vanished) = &mut self.vanished {
            vanished.drain(..).for_each(|key| each(key.as_slice()));
        }
    }

    /// Counts from 0 again.
    pub fn reset_stats(&mut self) {
        self.stats = Stats::default();
    }

    /// Looks a key up to read it, and counts the hit or miss.
    pub fn get(&mut self, key: &[u8], now_ms: u64) -> Option<&Entry> {
        match self.find(key, now_ms) {
            Some(position) => {
                self.stats.hits += 1;
                self.access.note(position);
                Some(&self.entries[position])
            }
            None => {
                self.stats.misses += 1;
                None
            }
        }
    }

    /// Looks a key up to read something about it that is no use of its value, and counts the hit or miss.
    pub fn inspect(&mut self, key: &[u8], now_ms: u64) -> Option<&Entry> {
        let found = self.find(key, now_ms);
        self.stats.hits += u64::from(found.is_some());
        self.stats.misses += u64::from(found.is_none());
        found.map(|position| &self.entries[position])
    }

    /// Where `key` likely is, for [`Self::fetch`].
    #[inline]
    pub(crate) fn likely(&self, key: &[u8]) -> usize {
        self.entries.likely(key)
    }

    /// Where `key` is, which is not `likely` anywhere if it is far from where its hash says. One in ten is, and of a collection that all
    /// requests are about no element would be fetched: then SADD `-P 16` to a million members took 1.3 µs of CPU time, not 0.75.
    #[inline]
    pub(crate) fn certainly(&self, key: &[u8], likely: usize) -> usize {
        if likely == usize::MAX { self.entries.find(key).unwrap_or(likely) } else { likely }
    }

    /// Fetches from memory what a use of the key at `position` is going to need, if there is one.
    #[inline]
    pub(crate) fn fetch(&self, position: usize) {
        if let Some((key, entry)) = self.entries.at(position) {
            // A row may lie across two cache lines, what it points to is in a third, and that it is used is noted in a fourth: letting
            // go of a lock waits for what was written. The key and the note are a tenth of the CPU time of a GET, and more of an INCR.
            let row = (key.is_inline(), entry.expires_ms, entry.value.first_byte());
            std::hint::black_box((row, self.access.word(position)));
        }
    }

    /// Where `element` of the collection at `position` likely is, for [`Self::fetch_element`].
    #[inline]
    pub(crate) fn likely_element(&self, position: usize, element: &[u8]) -> usize {
        self.entries.at(position).map_or(usize::MAX, |(_, entry)| entry.value.likely(element))
    }

    /// Fetches from memory what a use of the element at `element` of the collection at `position` is going to need, if there is one.
    #[inline]
    pub(crate) fn fetch_element(&self, position: usize, element: usize) {
        if let Some((_, entry)) = self.entries.at(position) {
            entry.value.fetch_element(element);
        }
    }

    /// Looks a key up without counting, which is no use of it: for commands that write.
    pub fn peek(&mut self, key: &[u8], now_ms: u64) -> Option<&Entry> {
        let position = self.find(key, now_ms)?;
        Some(&self.entries[position])
    }

    /// Looks a key's value up to change it. Its expiry stays. Who finds nothing to change says so: [`Self::unchanged`].
    pub fn value_mut(&mut self, key: &[u8], now_ms: u64) -> Option<&mut Value> {
        let position = self.find(key, now_ms)?;
        self.open(position);
        self.touch(key);
        Some(&mut self.entries[position].value)
    }

    /// Looks a key's collection up to read it, and counts the hit or miss; none where there is no key.
    ///
    /// # Errors
    /// When the key holds something else.
    pub fn read<T: Collection>(&mut self, key: &[u8], now_ms: u64) -> Result<Option<&T>, WrongType> {
        self.get(key, now_ms).map(|entry| T::of(&entry.value).ok_or(WrongType)).transpose()
    }

    /// Looks a key's collection up to change it; none where there is no key. Who empties it removes the key,
    /// and who finds nothing to change says so: [`Self::unchanged`].
    ///
    /// # Errors
    /// When the key holds something else.
    pub fn change<T: Collection>(&mut self, key: &[u8], now_ms: u64) -> Result<Option<&mut T>, WrongType> {
        self.value_mut(key, now_ms).map(|value| T::of_mut(value).ok_or(WrongType)).transpose()
    }

    /// Looks a key's collection up to add to it; an empty one where there is no key. Who finds nothing to add says so:
    /// [`Self::unchanged`].
    ///
    /// # Errors
    /// When the key holds something else.
    pub fn change_or_insert<T: Collection>(&mut self, key: &[u8], now_ms: u64) -> Result<&mut T, WrongType> {
        let position = match self.find(key, now_ms) {
            Some(position) => position,
            None => {
                let entry = Entry { value: T::default().into_value(), expires_ms: NEVER };
                self.add(key, entry)
            }
        };
        self.open(position);
        self.touch(key);
        T::of_mut(&mut self.entries[position].value).ok_or(WrongType)
    }

    /// Makes a key hold a collection whatever it held before, and no key of an empty one.
    pub fn insert_collection<T: Collection>(&mut self, key: &[u8], collection: T, now_ms: u64) {
        if collection.is_empty() {
            self.remove(key, now_ms);
        } else {
            self.insert(key, collection.into_value(), None);
        }
    }

    /// Sets a key whatever it held before.
    pub fn insert(&mut self, key: &[u8], value: Value, expires_ms: Option<u64>) {
        self.put(key, value, expires_ms, |old, value| *old = value, |value| value);
    }

    /// Sets a key to a string, or the number whose text that is, whatever it held before; the cheapest way to. An old string's
    /// allocation is used again.
    pub fn insert_bytes(&mut self, key: &[u8], bytes: &[u8], expires_ms: Option<u64>) {
        if let Some(number) = number(bytes) {
            return self.insert(key, Value::Int(number), expires_ms);
        }
        let assign = |old: &mut Value, bytes: &[u8]| match old {
            Value::Bytes(old) => old.assign(bytes),
            other => *other = Value::Bytes(Bytes::from(bytes)),
        };
        self.put(key, bytes, expires_ms, assign, |bytes| Value::Bytes(Bytes::from(bytes)));
    }

    /// Looks a key up and has `replace` change the value it holds, or `make` make one; from `with`, either.
    #[inline]
    fn put<T>(
        &mut self,
        key: &[u8],
        with: T,
        expires_ms: Option<u64>,
        replace: impl FnOnce(&mut Value, T),
        make: impl FnOnce(T) -> Value,
    ) {
        let new_ms = expires_ms.unwrap_or(NEVER);
        let was_volatile = match self.entries.find(key) {
            Some(position) => {
                self.open(position);
                let old = &mut self.entries[position];
                replace(&mut old.value, with);
                std::mem::replace(&mut old.expires_ms, new_ms) != NEVER
            }
            None => {
                self.add(key, Entry { value: make(with), expires_ms: new_ms });
                false
            }
        };
        self.count_volatile(was_volatile, expires_ms.is_some());
        self.touch(key);
    }

    /// Sets or clears a key's expiry; whether the key is there. The time may have passed: the next look-up removes
    /// the key then.
    pub fn set_expiry(&mut self, key: &[u8], expires_ms: Option<u64>, now_ms: u64) -> bool {
        let Some(position) = self.find(key, now_ms) else { return false };
        let slot = &mut self.entries[position].expires_ms;
        let was_volatile = std::mem::replace(slot, expires_ms.unwrap_or(NEVER)) != NEVER;
        self.count_volatile(was_volatile, expires_ms.is_some());
        if was_volatile || expires_ms.is_some() {
            self.touch(key);
        }
        true
    }

    /// Removes a key and hands out what it held.
    pub fn remove(&mut self, key: &[u8], now_ms: u64) -> Option<Entry> {
        let position = self.find(key, now_ms)?;
        self.touch(key);
        self.remove_at(position).map(|(_, entry)| entry)
    }

    /// Removes all keys. Takes as long as freeing them takes.
    pub fn clear(&mut self) {
        // Even if there was none, as in Redis: who reads what is written down asks for an order to forget.
        self.changes = self.changes.wrapping_add(1);
        self.touch_all_of(&Entries::default());
        self.entries = Entries::default();
        self.access.clear();
        self.scales = self.scales.is_some().then(Scales::default);
        self.volatile = 0;
    }

    /// The entry at a position below [`Store::len`], expired or not.
    pub fn at(&self, position: usize) -> Option<(&[u8], &Entry)> {
        let (key, entry) = self.entries.at(position)?;
        Some((key.as_slice(), entry))
    }

    /// Any key that has not expired, each as likely as the other; removes the expired ones it comes across.
    pub fn random_key(&mut self, random: &mut fastrand::Rng, now_ms: u64) -> Option<&[u8]> {
        while !self.entries.is_empty() {
            let position = random.u64(..self.entries.len() as u64) as usize;
            if self.entries[position].is_expired(now_ms) {
                self.expire_at(position);
            } else {
                return self.at(position).map(|(key, _)| key);
            }
        }
        None
    }

    /// Active expiry: looks at up to `budget` entries, going on where the last call stopped, and removes those that
    /// have expired.
    ///
    /// Walking the table in order costs about a nanosecond an entry, finds every expired key within
    /// `len / budget` calls, and needs no second index of volatile keys. As in Redis, a caller should go on at once
    /// while a large share of what was looked at had expired (Redis: a tenth), up to its time limit.
    pub fn expire_some(&mut self, now_ms: u64, budget: usize) -> Sweep {
        let mut sweep = Sweep::default();
        let budget = budget.min(self.entries.len());
        while sweep.looked < budget && self.volatile > 0 {
            if self.swept_from == 0 || self.swept_from > self.entries.len() {
                self.swept_from = self.entries.len();
            }
            self.swept_from -= 1;
            sweep.looked += 1;
            if self.entries[self.swept_from].is_expired(now_ms) {
                self.expire_at(self.swept_from);
                sweep.expired += 1;
            }
        }
        sweep
    }

    /// Lets two stores change places, but for those who look on: to them what one of the stores has is changed.
    pub(super) fn swap(&mut self, other: &mut Self) {
        std::mem::swap(self, other);
        std::mem::swap(&mut self.onlookers, &mut other.onlookers);
        // What has vanished did so under the number that it had.
        std::mem::swap(&mut self.vanished, &mut other.vanished);
        self.changes = self.changes.wrapping_add(1);
        self.touch_all_of(&other.entries);
        other.touch_all_of(&self.entries);
    }

    /// A hash of all that a command could find out: keys in their order, values, how they lie in memory, expiries,
    /// and who looks on.
    /// When keys were used is left out: two runs that differ in that alone are the same to whoever explores.
    /// Takes as long as hashing them takes.
    pub(crate) fn digest(&self) -> u64 {
        let mut hasher = FixedState::with_seed(0).build_hasher();
        for (key, entry) in self.entries.iter() {
            (key.as_slice(), entry.expires_ms, &entry.value, entry.value.encoding()).hash(&mut hasher);
        }
        if let Some(onlookers) = &self.onlookers {
            onlookers.hash(&mut hasher);
        }
        hasher.finish()
    }

    /// Adds an entry whose key is not there yet; its position.
    fn add(&mut self, key: &[u8], entry: Entry) -> usize {
        let position = self.entries.push(Key::from(key), entry);
        self.access.push();
        if let (Some(scales), Some((key, entry))) = (&mut self.scales, self.entries.at(position)) {
            scales.add(key, entry);
        }
        position
    }

    /// The entry at `position` is used, and going to change.
    #[inline]
    fn open(&mut self, position: usize) {
        self.access.note(position);
        if let (Some(scales), Some((key, entry))) = (&mut self.scales, self.entries.at(position)) {
            scales.open(key, entry);
        }
    }

    /// The position of a key that is there now. Removes it if its time has come.
    fn find(&mut self, key: &[u8], now_ms: u64) -> Option<usize> {
        let position = self.entries.find(key)?;
        if self.entries[position].is_expired(now_ms) {
            self.expire_at(position);
            return None;
        }
        Some(position)
    }

    fn expire_at(&mut self, position: usize) {
        if let (Some(onlookers), Some((key, _))) = (&mut self.onlookers, self.entries.at(position)) {
            onlookers.expired(key.as_slice());
        }
        if let (Some((key, _)), Some(vanished)) = (self.remove_at(position), &mut self.vanished) {
            vanished.push(key);
        }
        self.stats.expired += 1;
    }

    fn remove_at(&mut self, position: usize) -> Option<(Key, Entry)> {
        let (key, entry) = self.entries.swap_remove(position)?;
        self.access.swap_remove(position);
        if let Some(scales) = &mut self.scales {
            scales.remove(&key, &entry);
        }
        self.count_volatile(entry.expires_ms != NEVER, false);
        Some((key, entry))
    }

    fn count_volatile(&mut self, before: bool, after: bool) {
        self.volatile = self.volatile + usize::from(after) - usize::from(before);
    }
}

#[cfg(test)]
mod tests;
