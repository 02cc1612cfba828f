//! Several stores in one place.

use interleave::store::{Keyspace, Store, shard_of};

/// A keyspace shared out over stores, as the sharded sharing has it, without its locks.
pub(crate) struct Shards(Vec<Store>);

impl Shards {
    pub(crate) fn new(count: usize) -> Self {
        Self((0..count).map(|_| Store::default()).collect())
    }
}

impl Keyspace for Shards {
    fn store(&mut self, key: &[u8]) -> &mut Store {
        let shard = shard_of(key, self.0.len());
        &mut self.0[shard]
    }

    fn count(&self) -> usize {
        self.0.len()
    }

    fn nth(&mut self, index: usize) -> &mut Store {
        &mut self.0[index]
    }
}
