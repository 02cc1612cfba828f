//! How much memory the data may take, and what happens when that is not enough.
//!
//! Owns the limit, the policy and the sum that is compared: each shard adds its difference after a command that changed it.
//! Knows no key; whoever holds the data counts and evicts. Settings are read on their own, so all accesses are relaxed.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering::Relaxed};

use super::context::Config;
use crate::store::{Frequency, Policy, Upkeep};

/// The settings as they are now.
#[derive(Debug)]
pub(crate) struct MemoryLimit {
    /// In bytes; 0: none.
    bytes: AtomicU64,
    /// A position in [`Policy::ALL`].
    policy: AtomicU8,
    samples: AtomicU32,
    log_factor: AtomicU32,
    decay_minutes: AtomicU32,
    /// Grows with every change that shards must learn of; 0 as long as nothing is to be kept but times.
    version: AtomicU32,
    used: Arc<AtomicU64>,
}

impl MemoryLimit {
    pub(super) fn new(config: &Config) -> Self {
        let limit = Self {
            bytes: AtomicU64::new(0),
            policy: AtomicU8::new(0),
            samples: AtomicU32::new(config.maxmemory_samples),
            log_factor: AtomicU32::new(10),
            decay_minutes: AtomicU32::new(1),
            version: AtomicU32::new(0),
            used: Arc::default(),
        };
        limit.set_bytes(config.maxmemory);
        limit.set_policy(config.maxmemory_policy);
        limit
    }

    /// Most bytes the data may take; `None`: as many as there are.
    #[inline]
    pub(crate) fn bytes(&self) -> Option<u64> {
        Some(self.bytes.load(Relaxed)).filter(|bytes| *bytes > 0)
    }

    pub(super) fn set_bytes(&self, bytes: u64) {
        if (self.bytes.swap(bytes, Relaxed) > 0) != (bytes > 0) {
            self.version.fetch_add(1, Relaxed);
        }
    }

    pub(crate) fn policy(&self) -> Policy {
        Policy::ALL[usize::from(self.policy.load(Relaxed))]
    }

    pub(super) fn set_policy(&self, policy: Policy) {
        let before = self.policy();
        let number = Policy::ALL.iter().position(|other| *other == policy).unwrap_or_default();
        self.policy.store(number as u8, Relaxed);
        if before.is_lfu() != policy.is_lfu() {
            self.version.fetch_add(1, Relaxed);
        }
    }

    /// How many keys the one to evict is chosen from.
    pub(crate) fn samples(&self) -> u32 {
        self.samples.load(Relaxed)
    }

    pub(super) fn set_samples(&self, samples: u32) {
        self.samples.store(samples, Relaxed);
    }

    pub(super) fn frequency(&self) -> Frequency {
        Frequency {
            log_factor: self.log_factor.load(Relaxed),
            decay_minutes: self.decay_minutes.load(Relaxed),
        }
    }

    pub(super) fn set_log_factor(&self, log_factor: u32) {
        self.log_factor.store(log_factor, Relaxed);
        self.version.fetch_add(1, Relaxed);
    }

    pub(super) fn set_decay_minutes(&self, decay_minutes: u32) {
        self.decay_minutes.store(decay_minutes, Relaxed);
        self.version.fetch_add(1, Relaxed);
    }

    /// Which version of the settings this is.
    #[inline]
    pub(crate) fn version(&self) -> u32 {
        self.version.load(Relaxed)
    }

    /// What a shard keeps of its keys for them.
    pub(crate) fn upkeep(&self) -> Upkeep {
        let frequency = self.policy().is_lfu().then(|| self.frequency());
        Upkeep { counts_bytes: self.bytes().is_some(), frequency }
    }

    /// Whether data that takes `used` bytes takes more than it may.
    #[inline]
    pub(crate) fn is_exceeded_by(&self, used: u64) -> bool {
        // Below 0, wrapped, is a sum that is still being made.
        self.bytes().is_some_and(|limit| used > limit && used < 1 << 63)
    }

    /// Whether memory is short and nothing is ever evicted.
    pub(super) fn refuses(&self) -> bool {
        self.policy() == Policy::NoEviction && self.is_exceeded_by(self.used.load(Relaxed))
    }

    /// What all shards together take, in bytes, up to date but for commands that run just now. It wraps around 0 while shards
    /// begin to count.
    pub(crate) fn used(&self) -> &Arc<AtomicU64> {
        &self.used
    }
}
