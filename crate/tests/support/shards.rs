//! Several stores in one place.

use interleave::store::{Databases, Keyspace, shard_of};

/// A keyspace shared out over stores, as the sharded sharing has it, without its locks.
pub(crate) struct Shards(Vec<Databases>);

impl Shards {
    pub(crate) fn new(count: usize) -> Self {
        Self((0..count).map(|_| Databases::default()).collect())
    }
}

impl Keyspace for Shards {
    fn shard_of(&mut self, key: &[u8]) -> &mut Databases {
        let shard = shard_of(key, self.0.len());
        &mut self.0[shard]
    }

    fn count(&self) -> usize {
        self.0.len()
    }

    fn shard(&mut self, index: usize) -> &mut Databases {
        &mut self.0[index]
    }
}
