//! A copy of the keys for whoever looks on from outside.
//!
//! While a runtime stands still the store may be locked, or lie inside the task that owns it; what is to be seen then must
//! lie elsewhere. Whoever runs commands notes here what they touched. Owns the copy; knows no command and no lock of the
//! store's, and a server without onlookers has none.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};

use litemap::LiteMap;

use crate::store::{Entry, Keyspace, ValueType};

/// Keys that are kept; the first in their order, for people to read. Those past it are in the store and not here.
pub const MIRROR_KEYS_MAX: usize = 1_000;

/// Characters of a value that are kept.
pub const MIRROR_CHARS_MAX: usize = 80;

/// The copy. Costs a short text of each value that a command touches.
#[derive(Debug)]
pub struct Mirror {
    /// Every client has a store of its own.
    by_client: bool,
    keys: Mutex<LiteMap<Place, Mirrored>>,
    /// The keys that commands named since they were last taken.
    touched: Mutex<Vec<Box<[u8]>>>,
    /// What is touched from now on is of no interest.
    ignores_touches: AtomicBool,
}

/// Whose key, in which database, and which.
type Place = (Option<u32>, usize, Box<[u8]>);

/// What a key holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mirrored {
    /// The value's type.
    pub value_type: ValueType,
    /// The value as text for people, cut after [`MIRROR_CHARS_MAX`] characters.
    pub shown: String,
    /// When the key expires, in milliseconds since the Unix epoch; it may have by now, and nobody has noticed.
    pub expires_ms: Option<u64>,
}

/// A key and where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MirroredKey {
    /// The client whose store it is in, where every client has its own.
    pub owner: Option<u32>,
    /// The number of its database.
    pub database: usize,
    /// The key.
    pub key: Box<[u8]>,
    /// What it holds.
    pub entry: Mirrored,
}

impl Mirror {
    /// An empty one. `by_client`: every client has a store of its own, and keys are told apart by it.
    #[must_use]
    pub fn new(by_client: bool) -> Self {
        Self {
            by_client,
            keys: Mutex::default(),
            touched: Mutex::default(),
            ignores_touches: AtomicBool::new(false),
        }
    }

    /// Notes what `keyspace` holds under `key`, or that it holds nothing, after a command of `client`.
    pub(crate) fn note(&self, client: u32, key: &[u8], keyspace: &mut dyn Keyspace) {
        let owner = self.by_client.then_some(client);
        let mut touched = self.touched();
        if touched.len() < MIRROR_KEYS_MAX && !self.ignores_touches.load(Relaxed) {
            touched.push(key.into());
        }
        drop(touched);
        let mut keys = self.keys();
        // A command may take a key from one database to another.
        for (database, store) in keyspace.shard_of(key).stores().enumerate() {
            let place = (owner, database, key.into());
            // What has expired is kept as it is until a command removes it: looking on changes nothing.
            match store.peek(key, 0).map(Mirrored::of) {
                Some(entry) => drop(keys.insert(place, entry)),
                None => drop(keys.remove(&place)),
            }
        }
        drop_last(&mut keys);
    }

    /// Notes all of `keyspace`, of which a command of `client` touched any.
    pub(crate) fn note_all(&self, client: u32, keyspace: &mut dyn Keyspace) {
        let owner = self.by_client.then_some(client);
        let mut keys = self.keys();
        keys.retain(|(whose, ..), _| *whose != owner);
        for index in 0..keyspace.count() {
            for (database, store) in keyspace.shard(index).stores().enumerate() {
                for (key, entry) in (0..store.len()).filter_map(|position| store.at(position)) {
                    keys.insert((owner, database, key.into()), Mirrored::of(entry));
                    drop_last(&mut keys);
                }
            }
        }
    }

    /// The keys in the order of databases and their own, each with the client whose it is if every client has a store of its
    /// own.
    #[must_use]
    pub fn list(&self) -> Vec<MirroredKey> {
        let key = |((owner, database, key), entry): (&Place, &Mirrored)| MirroredKey {
            owner: *owner,
            database: *database,
            key: key.clone(),
            entry: entry.clone(),
        };
        self.keys().iter().map(key).collect()
    }

    /// The keys that commands named since the last call, at most [`MIRROR_KEYS_MAX`].
    #[must_use]
    pub fn take_touched(&self) -> Vec<Box<[u8]>> {
        std::mem::take(&mut *self.touched())
    }

    /// From now on [`Self::take_touched`] has nothing new; the keys are noted as before.
    pub(crate) fn note_no_touches(&self) {
        self.ignores_touches.store(true, Relaxed);
    }

    fn touched(&self) -> MutexGuard<'_, Vec<Box<[u8]>>> {
        // As below.
        self.touched.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn keys(&self) -> MutexGuard<'_, LiteMap<Place, Mirrored>> {
        // Held for map operations only; no user code can panic inside.
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Keeps no more than there may be.
fn drop_last(keys: &mut LiteMap<Place, Mirrored>) {
    while keys.len() > MIRROR_KEYS_MAX
        && let Some((last, _)) = keys.last()
    {
        let last = last.clone();
        keys.remove(&last);
    }
}

impl Mirrored {
    fn of(entry: &Entry) -> Self {
        let (value, expires_ms) = (&entry.value, entry.expires_ms());
        Self { value_type: value.value_type(), shown: value.shown(MIRROR_CHARS_MAX), expires_ms }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Databases, Value};

    fn listed(mirror: &Mirror) -> Vec<(Option<u32>, String)> {
        let text = |key: &[u8]| String::from_utf8(key.to_vec()).unwrap();
        mirror.list().iter().map(|key| (key.owner, text(&key.key))).collect()
    }

    #[test]
    fn what_is_noted_is_listed_and_what_is_gone_is_not() {
        let (mirror, mut store) = (Mirror::new(false), Databases::default());
        store.selected().insert(b"b", Value::Int(1), Some(5));
        store.selected().insert(b"a", Value::Int(2), None);
        mirror.note(1, b"b", &mut store);
        mirror.note(2, b"a", &mut store);
        assert_eq!(listed(&mirror), [(None, "a".to_owned()), (None, "b".to_owned())]);
        let expected = Mirrored { value_type: ValueType::String, shown: "1".to_owned(), expires_ms: Some(5) };
        assert_eq!(mirror.list()[1].entry, expected);
        store.selected().remove(b"a", 0);
        mirror.note(1, b"a", &mut store);
        assert_eq!(listed(&mirror), [(None, "b".to_owned())]);
        store.selected().clear();
        mirror.note_all(1, &mut store);
        assert_eq!(listed(&mirror), []);
    }

    #[test]
    fn clients_with_stores_of_their_own_are_told_apart() {
        let (mirror, mut one, mut two) = (Mirror::new(true), Databases::default(), Databases::default());
        one.selected().insert(b"k", Value::Int(1), None);
        two.selected().insert(b"k", Value::Int(2), None);
        mirror.note(1, b"k", &mut one);
        mirror.note_all(2, &mut two);
        assert_eq!(listed(&mirror), [(Some(1), "k".to_owned()), (Some(2), "k".to_owned())]);
        one.selected().clear();
        mirror.note_all(1, &mut one);
        assert_eq!(listed(&mirror), [(Some(2), "k".to_owned())]);
    }

    #[test]
    fn no_more_keys_are_kept_than_the_limit() {
        let (mirror, mut store) = (Mirror::new(false), Databases::default());
        for number in 0..MIRROR_KEYS_MAX + 10 {
            let key = format!("{number:06}");
            store.selected().insert(key.as_bytes(), Value::Int(0), None);
            mirror.note(1, key.as_bytes(), &mut store);
        }
        let listed = listed(&mirror);
        assert_eq!((listed.len(), &*listed[0].1), (MIRROR_KEYS_MAX, "000000"));
        mirror.note_all(1, &mut store);
        assert_eq!(mirror.list().len(), MIRROR_KEYS_MAX);
    }
}
