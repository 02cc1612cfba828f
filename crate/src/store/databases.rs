//! What one lock holds of all databases: a store for each of them.
//!
//! Owns which database commands mean just now, and the stores, made when a database is first chosen: one that nobody
//! uses costs nothing. Knows no client; whoever runs a command says in which database.

use std::hash::{BuildHasher, Hasher};

use foldhash::fast::FixedState;

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
#[derive(Debug)]
pub struct Databases {
    /// By number. There is always one, and `selected` is below their number.
    stores: Vec<Store>,
    selected: usize,
}

impl Default for Databases {
    fn default() -> Self {
        Self { stores: vec![Store::default()], selected: 0 }
    }
}

impl Databases {
    /// From now on commands mean this database. Its number is checked against the server's limit before.
    #[inline]
    pub fn select(&mut self, database: usize) {
        if database >= self.stores.len() {
            self.grow(database);
        }
        self.selected = database;
    }

    /// The store of the database that commands mean.
    #[inline]
    pub fn selected(&mut self) -> &mut Store {
        &mut self.stores[self.selected]
    }

    /// The store of a database.
    pub fn of(&mut self, database: usize) -> &mut Store {
        if database >= self.stores.len() {
            self.grow(database);
        }
        &mut self.stores[database]
    }

    /// The stores there are, by database. Those after them would be empty.
    pub fn stores(&mut self) -> &mut [Store] {
        &mut self.stores
    }

    /// Lets two databases change places. Those who look on stay, and see other keys.
    pub fn swap(&mut self, one: usize, other: usize) {
        self.grow(one.max(other));
        if let Ok([one, other]) = self.stores.get_disjoint_mut([one, other]) {
            one.swap(other);
        }
    }

    /// Whether the command has changed a key that somebody looks on at.
    #[inline]
    pub fn is_touched(&self) -> bool {
        self.stores.iter().any(Store::is_touched)
    }

    /// Whether anybody waits here who needs another shard, too; perhaps one who has gone.
    #[inline]
    pub fn has_far_waiters(&self) -> bool {
        self.stores.iter().any(Store::has_far_waiters)
    }

    #[cold]
    fn grow(&mut self, database: usize) {
        let len = self.stores.len().max(database + 1);
        self.stores.resize_with(len, Store::default);
    }

    /// A hash of all that a command could find out; see [`Store`]. A database that was never used and one that is empty
    /// are the same.
    pub(crate) fn digest(&self) -> u64 {
        let mut hasher = FixedState::with_seed(0).build_hasher();
        for (number, store) in self.stores.iter().enumerate().filter(|(_, store)| !store.is_blank()) {
            hasher.write_usize(number);
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
}
