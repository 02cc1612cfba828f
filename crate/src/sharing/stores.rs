//! The data of a server before it serves: all stores in one place, and nobody else's.
//!
//! Owns how many stores a way of sharing has. Filled by a [replay](super::Replay) and then handed to the sharing.

use crate::store::{Databases, Keyspace, shard_of};

use super::{Kind, Options};

/// As many stores as a way of sharing shares the keys out over, without locks.
#[derive(Debug)]
pub struct Stores(Vec<Databases>);

impl Stores {
    /// Empty ones, for connections that share the data this way.
    ///
    /// # Panics
    /// If `options` ask for no shards.
    #[must_use]
    pub fn new(kind: Kind, options: &Options) -> Self {
        let count = if kind == Kind::Sharded { options.shards } else { 1 };
        assert!(count > 0, "a keyspace has at least one shard");
        Self((0..count).map(|_| Databases::default()).collect())
    }

    /// Each of them.
    pub(super) fn into_all(self) -> Vec<Databases> {
        self.0
    }

    /// The only one of a way that has one.
    pub(super) fn into_one(mut self) -> Databases {
        self.0.pop().expect("there is at least one")
    }

    /// Each of them, to be prepared.
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Databases> {
        self.0.iter_mut()
    }
}

impl Keyspace for Stores {
    fn shard_of(&mut self, key: &[u8]) -> &mut Databases {
        let shard = shard_of(key, self.0.len());
        &mut self.0[shard]
    }

    fn count(&self) -> usize {
        self.0.len()
    }

    fn is_same_shard(&self, one: &[u8], other: &[u8]) -> bool {
        shard_of(one, self.0.len()) == shard_of(other, self.0.len())
    }

    fn shard(&mut self, index: usize) -> &mut Databases {
        &mut self.0[index]
    }
}
