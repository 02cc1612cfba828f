//! The keyspace as commands see it: one shard, or several that share the keys out.
//!
//! Owns which shard a key belongs to and the walk over all of them. Does not know how the shards are reached or
//! locked.

use super::FETCHED_TOGETHER;
use super::databases::Databases;
use super::shard::{Entry, Store};

/// All keys, in one shard or several. A command that names its keys asks for their stores; one that looks at
/// everything walks them. Both see the database that was selected.
pub trait Keyspace {
    /// The shard that `key` is in, or would be, in every database.
    ///
    /// # Panics
    /// An implementation that holds only some shards panics when asked for another: then the command's
    /// key positions are wrong.
    fn shard_of(&mut self, key: &[u8]) -> &mut Databases;

    /// How many shards there are.
    fn count(&self) -> usize;

    /// The shard at `index`, below [`Keyspace::count`].
    ///
    /// # Panics
    /// When there is no such index.
    fn shard(&mut self, index: usize) -> &mut Databases;

    /// The store of the selected database that `key` is in, or would be.
    ///
    /// # Panics
    /// As [`Keyspace::shard_of`].
    fn store(&mut self, key: &[u8]) -> &mut Store {
        self.shard_of(key).selected()
    }

    /// The same, to be looked at, if the keyspace can say without changing anything.
    fn peek(&self, _key: &[u8]) -> Option<&Store> {
        None
    }

    /// The store of the selected database at `index`, below [`Keyspace::count`].
    ///
    /// # Panics
    /// As [`Keyspace::shard`].
    fn nth(&mut self, index: usize) -> &mut Store {
        self.shard(index).selected()
    }

    /// Whether two keys are in the same shard.
    fn is_same_shard(&self, _one: &[u8], _other: &[u8]) -> bool {
        true
    }

    /// Whether the command has changed a key that somebody looks on at.
    fn any_touched(&mut self) -> bool {
        (0..self.count()).any(|index| self.shard(index).is_touched())
    }

    /// Whether commands have changed anything since this was asked last.
    fn take_changed(&mut self) -> bool {
        (0..self.count()).fold(false, |any, index| self.shard(index).take_changed() | any)
    }

    /// From now on commands mean this database.
    fn select(&mut self, database: usize) {
        for index in 0..self.count() {
            self.shard(index).select(database);
        }
    }
}

/// What a request is going to need: a key and, of the collection there, an element.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Needed<'a> {
    pub(crate) key: &'a [u8],
    pub(crate) element: Option<&'a [u8]>,
}

/// Fetches from memory what requests are going to `need`, of each a store and what is needed of it, all of it at once: a look-up of one
/// key in a million spends a third of a microsecond waiting. Of more than [`FETCHED_TOGETHER`] the first so many.
pub(crate) fn fetch<'a>(need: impl Iterator<Item = (&'a Store, Needed<'a>)> + Clone) {
    // All places first, and then what is there: with less to do between two of them, more are on their way at once.
    // INCR -P 16 takes a twentieth less CPU time.
    let mut positions = [0; FETCHED_TOGETHER];
    for ((store, needed), position) in need.clone().zip(&mut positions) {
        *position = store.likely(needed.key);
    }
    let mut any_element = false;
    for ((store, needed), position) in need.clone().zip(positions) {
        store.fetch(position);
        any_element |= needed.element.is_some();
    }
    if any_element {
        fetch_elements(need, positions);
    }
}

/// The same of elements, each in a collection at one of the `positions`, where that is likely.
// Collections whose keys are far are looked for here: when `fetch` did that, GET -P 16 took a tenth more CPU time.
fn fetch_elements<'a>(
    need: impl Iterator<Item = (&'a Store, Needed<'a>)> + Clone,
    mut positions: [usize; FETCHED_TOGETHER],
) {
    let mut elements = [usize::MAX; FETCHED_TOGETHER];
    for (((store, needed), position), at) in need.clone().zip(&mut positions).zip(&mut elements) {
        if let Some(element) = needed.element {
            *position = store.certainly(needed.key, *position);
            *at = store.likely_element(*position, element);
        }
    }
    for (((store, _), position), at) in need.zip(positions).zip(elements) {
        store.fetch_element(position, at);
    }
}

/// Which of `shards` shards `key` belongs to. The same on every machine and in every run.
///
/// Keys chosen to meet in one shard do: that costs their owner the parallelism, and nobody anything else.
pub fn shard_of(key: &[u8], shards: usize) -> usize {
    // Multiply-and-rotate over eight bytes at a time; the odd constant spreads low bits upward (2^64 / golden ratio).
    const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;
    let mix = |hash: u64, word: u64| (hash.rotate_left(5) ^ word).wrapping_mul(SPREAD);
    let (words, tail) = key.as_chunks::<8>();
    let hash = words.iter().fold(key.len() as u64, |hash, word| mix(hash, u64::from_le_bytes(*word)));
    let tail = tail.iter().fold(0, |word, byte| word << 8 | u64::from(*byte));
    let hash = mix(hash, tail);
    // The high half is the well-mixed one; scaling it to the range avoids a division.
    (((hash >> 32) * shards as u64) >> 32) as usize
}

/// Visits the next `count` entries of a walk over the whole keyspace that starts at cursor 0, expired ones left out;
/// the cursor to go on with, 0 when the walk is done.
///
/// Every key that is there during the whole walk is visited, some perhaps twice, whatever is added and removed
/// between the calls: the walk goes from each shard's last position down to its first, and entries only ever move
/// down. Any number is a valid cursor.
pub fn scan(
    keyspace: &mut dyn Keyspace,
    cursor: u64,
    count: usize,
    now_ms: u64,
    mut visit: impl FnMut(&[u8], &Entry),
) -> u64 {
    // A cursor is `below * shards + shard`: the positions of `shard` under `below` are still to come.
    let shards = keyspace.count() as u64;
    let mut shard = cursor % shards;
    let mut below = if cursor == 0 { u64::MAX } else { cursor / shards };
    let mut left = count;
    loop {
        let store = keyspace.nth(shard as usize);
        below = below.min(store.len() as u64);
        while below > 0 {
            if left == 0 {
                return below * shards + shard;
            }
            left -= 1;
            below -= 1;
            if let Some((key, entry)) =
                store.at(below as usize).filter(|(_, entry)| !entry.is_expired(now_ms))
            {
                visit(key, entry);
            }
        }
        shard += 1;
        if shard == shards {
            return 0;
        }
        below = u64::MAX;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_spread_evenly_over_shards() {
        for (shards, prefix) in [(16, "key:"), (16, ""), (7, "user:000000000000:"), (64, "k")] {
            let mut counts = vec![0; shards];
            for number in 0..10_000 {
                counts[shard_of(format!("{prefix}{number}").as_bytes(), shards)] += 1;
            }
            let fair = 10_000 / shards;
            assert!(counts.iter().all(|count| (fair / 2..fair * 2).contains(count)), "{prefix} {counts:?}");
        }
    }

    #[test]
    fn a_key_keeps_its_shard() {
        // Where a key lives is part of what a run repeats, natively and in wasm.
        let shards = ["", "a", "greeting", "hits", "user:1000:name"].map(|key| shard_of(key.as_bytes(), 16));
        assert_eq!(shards, [0, 2, 9, 9, 1]);
    }

    #[test]
    fn any_cursor_is_valid() {
        let mut store = Databases::default();
        for number in 0..5 {
            store.selected().insert_bytes(&[number], b"", None);
        }
        for cursor in [0, 1, 3, 6, 1_000, u64::MAX] {
            let mut seen = 0;
            assert_eq!(scan(&mut store, cursor, usize::MAX, 0, |_, _| seen += 1), 0);
            assert_eq!(seen, if cursor == 0 { 5 } else { cursor.min(5) });
        }
    }
}
