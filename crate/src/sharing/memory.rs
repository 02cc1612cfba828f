//! Staying below the memory limit: counting what commands add, and evicting keys before one that may add more.
//!
//! Owns when that happens and how much of it a command does. What keys take and which one goes is the store's to know.
//! Whoever runs commands holds some shards; it evicts from these, and since keys are shared out evenly, a sample of theirs is a
//! sample of all. Only where nothing is left in them are all of them wanted, see [`Executor::seeks_elsewhere`].

use std::sync::atomic::Ordering::Relaxed;

use crate::command::{Flag, Mistake, Spec};
use crate::store::{Databases, Keyspace, Policy};

use super::job::{Executor, Job};

/// Most keys that make room for one command. Each costs some microseconds at most, so a command's lock is held for a
/// fraction of a millisecond more; after a limit was lowered, or after one large value, the next commands go on.
const EVICTIONS_MAX: usize = 64;

/// Most keys evicted from a shard in one round of active expiry.
const EVICTIONS_ROUND_MAX: usize = 1000;

impl Executor {
    /// Tells the shards the time, and the settings if these have changed.
    #[inline]
    pub(super) fn prepare<K: Keyspace + ?Sized>(&mut self, keyspace: &mut K, now_ms: u64) {
        self.upkeep_version = self.server.memory.version();
        for index in 0..keyspace.count() {
            let shard = keyspace.shard(index);
            shard.set_clock(now_ms);
            if shard.upkeep_version() != self.upkeep_version {
                self.keep_up(shard);
            }
        }
    }

    #[cold]
    fn keep_up(&self, shard: &mut Databases) {
        shard.keep_up(self.server.memory.upkeep(), self.upkeep_version);
        self.weigh(shard);
    }

    /// The command is done: adds what it has added to the sum.
    #[inline]
    pub(super) fn weigh_all<K: Keyspace + ?Sized>(&mut self, keyspace: &mut K, now_ms: u64) {
        if self.server.memory.version() != self.upkeep_version {
            // It was the command that changed the settings, or another one changed them meanwhile.
            self.prepare(keyspace, now_ms);
        }
        for index in 0..keyspace.count() {
            let shard = keyspace.shard(index);
            if shard.counts_bytes() {
                self.weigh(shard);
            }
        }
    }

    fn weigh(&self, shard: &mut Databases) {
        let change = shard.weight_change();
        if change != 0 {
            self.used.fetch_add(change as u64, Relaxed);
        }
    }

    /// Whether the data takes more than it may.
    #[inline]
    fn is_short(&self) -> bool {
        self.server.memory.is_exceeded_by(self.used.load(Relaxed))
    }

    /// Makes room before a command that may need some; what is evicted is told to who watches it.
    ///
    /// # Errors
    /// When memory is short and nothing can be evicted: then the command may not run.
    #[inline]
    pub(super) fn make_room<K: Keyspace>(
        &mut self,
        spec: &Spec,
        (client, database): (u32, usize),
        keyspace: &mut K,
    ) -> Result<(), Mistake> {
        if self.is_short() && spec.has(Flag::DenyOom) {
            self.evict_some((client, database), keyspace)
        } else {
            Ok(())
        }
    }

    #[cold]
    fn evict_some(&mut self, of: (u32, usize), keyspace: &mut dyn Keyspace) -> Result<(), Mistake> {
        let evicted = self.evict(of, keyspace, EVICTIONS_MAX);
        if evicted == 0 && self.is_short() { Err(Mistake::OUT_OF_MEMORY) } else { Ok(()) }
    }

    /// Evicts up to `most` keys of any database while memory is short, on behalf of a client, and leaves its database selected;
    /// how many those were.
    fn evict(&mut self, (client, selected): (u32, usize), keyspace: &mut dyn Keyspace, most: usize) -> usize {
        let (policy, samples) = (self.server.memory.policy(), self.server.memory.samples() as usize);
        let shards = keyspace.count();
        let mut evicted = 0;
        while evicted < most && policy != Policy::NoEviction && self.is_short() {
            let start = if shards > 1 { self.random.u64(..shards as u64) as usize } else { 0 };
            let gone = (start..shards).chain(0..start).find_map(|index| {
                let (database, key) = keyspace.shard(index).evict(policy, samples, &mut self.random)?;
                Some((index, database, key))
            });
            let Some((shard, database, key)) = gone else { break };
            evicted += 1;
            self.weigh(keyspace.shard(shard));
            if let Some(mirror) = &self.mirror {
                keyspace.select(database);
                mirror.note(client, &key, keyspace);
                keyspace.select(selected);
            }
        }
        if evicted > 0 && keyspace.any_touched() {
            self.ready.settle(keyspace, false);
        }
        evicted
    }

    /// Evicts what active expiry comes across while memory is short; whether it still is and more can be done.
    pub(super) fn evict_actively(&mut self, keyspace: &mut dyn Keyspace) -> bool {
        let most = EVICTIONS_ROUND_MAX * keyspace.count();
        // Whatever is selected there: whoever comes selects their own.
        self.is_short() && self.evict((0, 0), keyspace, most) > 0 && self.is_short()
    }

    /// Whether the next request of `job` needs room and `keyspace`, which is not all of it, has nothing left to evict: then
    /// it should ask again with all shards.
    #[inline]
    pub(super) fn seeks_elsewhere<K: Keyspace>(&self, job: &Job, keyspace: &mut K) -> bool {
        self.is_short() && job.next_needs_memory() && !self.has_victims(keyspace)
    }

    /// Whether something can be evicted, or nothing ever is.
    #[cold]
    fn has_victims(&self, keyspace: &mut dyn Keyspace) -> bool {
        let policy = self.server.memory.policy();
        policy == Policy::NoEviction
            || (0..keyspace.count()).any(|index| keyspace.shard(index).has_victims(policy))
    }
}
