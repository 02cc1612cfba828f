//! How the keys of a store are used, what they take, and making room.
//!
//! Owns the way from a key to its notes. Which key goes when memory is short is chosen elsewhere.

use super::Store;
use crate::store::access::{Access, Frequency};
use crate::store::weight::{Scales, weigh};

impl Store {
    /// The clock by which use is told, in seconds since the Unix epoch.
    #[inline]
    pub(in crate::store) fn set_clock(&mut self, now_s: u32) {
        self.access.set_clock(now_s);
    }

    /// Has use be counted, or just its time be noted.
    pub(in crate::store) fn set_frequency(&mut self, frequency: Option<Frequency>) {
        self.access.set_frequency(frequency);
    }

    /// Begins to keep count of what keys take, by a walk over all of them, or ends it.
    pub(in crate::store) fn set_scales(&mut self, wanted: bool) {
        if wanted != self.scales.is_some() {
            self.scales = wanted.then(|| {
                let mut scales = Scales::default();
                self.entries.iter().for_each(|(key, entry)| scales.add(key, entry));
                scales
            });
        }
    }

    /// What the keys and their values take, in bytes; 0 while nobody keeps count.
    pub fn weight(&mut self) -> usize {
        let Some(scales) = &mut self.scales else { return 0 };
        scales.close(|key| self.entries.at(self.entries.find(key)?));
        scales.bytes()
    }

    /// What one key and its value take, in bytes. Asking is no use of it.
    pub fn weight_of(&mut self, key: &[u8], now_ms: u64) -> Option<usize> {
        let position = self.find(key, now_ms)?;
        self.entries.at(position).map(|(key, entry)| weigh(key, entry))
    }

    /// How long a key was not used, in seconds. Asking is no use of it.
    pub fn idle_s(&mut self, key: &[u8], now_ms: u64) -> Option<u32> {
        self.find(key, now_ms).map(|position| self.access.idle_s(position))
    }

    /// How often a key was used lately, if that is counted. Asking is no use of it.
    pub fn counter(&mut self, key: &[u8], now_ms: u64) -> Option<u8> {
        self.find(key, now_ms).map(|position| self.access.counter(position))
    }

    pub(in crate::store) fn access(&self) -> &Access {
        &self.access
    }

    /// When the entry at a position expires, if it does.
    pub(in crate::store) fn expiry_at(&self, position: usize) -> Option<u64> {
        self.entries[position].expires_ms()
    }

    /// Removes the entry at a position to make room. To those who watch it is changed.
    pub(in crate::store) fn evict_at(&mut self, position: usize) {
        if let Some((key, _)) = self.remove_at(position) {
            self.show(key.as_slice());
            if let Some(vanished) = &mut self.vanished {
                vanished.push(key);
            }
            self.stats.evicted += 1;
        }
    }
}
