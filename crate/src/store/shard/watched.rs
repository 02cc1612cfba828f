//! A store and those who look on: who watches a key, who waits for one.
//!
//! Owns what a store tells [`Onlookers`](crate::store::onlookers::Onlookers), and when. Knows nothing of who they are.

use std::collections::VecDeque;
use std::sync::Arc;

use super::{Entries, Store};
use crate::store::onlookers::{Waiter, Watcher};

impl Store {
    /// Lets `watcher` know when `key` is changed. It must note the key as its own, too.
    pub fn watch(&mut self, key: &[u8], watcher: &Arc<Watcher>) {
        self.onlookers.get_or_insert_default().watch(key, watcher);
    }

    /// Lets `waiter` wait for `key` to have something, behind those who do already.
    pub fn wait(&mut self, key: &[u8], waiter: Arc<dyn Waiter>) {
        self.onlookers.get_or_insert_default().wait(key, waiter);
    }

    /// Takes those who wait for `key`, the first one first. Who still waits is to be [put back](Self::put_back).
    pub fn take_waiters(&mut self, key: &[u8]) -> VecDeque<Arc<dyn Waiter>> {
        self.onlookers.as_mut().map_or(VecDeque::new(), |onlookers| onlookers.take_waiters(key))
    }

    /// Puts those who still wait for `key` back, in their order.
    pub fn put_back(&mut self, key: &[u8], waiters: VecDeque<Arc<dyn Waiter>>) {
        self.onlookers.get_or_insert_default().put_back(key, waiters);
    }

    /// Whether anybody waits here who needs another shard, too; perhaps one who has gone.
    #[inline]
    pub fn has_far_waiters(&self) -> bool {
        self.onlookers.as_ref().is_some_and(|onlookers| onlookers.far() > 0)
    }

    /// The command found nothing to change in what it has just looked `key` up to change, and has found.
    pub fn unchanged(&mut self, key: &[u8]) {
        self.unwritten();
        self.unseen(key);
    }

    /// What the command has just changed in `key` is nothing to those who look on at it.
    pub fn unseen(&mut self, key: &[u8]) {
        if let Some(onlookers) = &mut self.onlookers {
            onlookers.untouch(key);
        }
    }

    /// As [`Self::unchanged`], but those who look on take it for a change.
    pub fn unwritten(&mut self) {
        debug_assert_ne!(self.changes, 0, "what is taken back was said before");
        self.changes = self.changes.wrapping_sub(1);
    }

    /// Whether commands have changed anything since this was asked last.
    #[inline]
    pub fn take_changed(&mut self) -> bool {
        std::mem::take(&mut self.changes) > 0
    }

    /// Whether the command has changed a key that somebody looks on at.
    #[inline]
    pub fn is_touched(&self) -> bool {
        self.onlookers.as_ref().is_some_and(|onlookers| onlookers.is_touched())
    }

    /// The command is done: tells who watches what it changed. Which of the keys it changed somebody waits for, in order.
    pub fn settle(&mut self) -> Vec<Box<[u8]>> {
        self.onlookers.as_mut().map_or(Vec::new(), |onlookers| onlookers.settle())
    }

    /// The command has failed: whatever it looked up to change it has left alone.
    pub fn settle_nothing(&mut self) {
        if let Some(onlookers) = &mut self.onlookers {
            onlookers.settle_nothing();
        }
    }

    /// How many watch or wait, those who have gone and are not forgotten yet included.
    pub fn onlookers(&self) -> usize {
        self.onlookers.as_ref().map_or(0, |onlookers| onlookers.len())
    }

    /// Forgets watchers and waiters that have gone. It happens by and by anyway.
    pub fn forget_gone(&mut self) {
        if let Some(onlookers) = &mut self.onlookers {
            onlookers.sweep();
            if onlookers.is_empty() {
                self.onlookers = None;
            }
        }
    }

    /// Touches what somebody looks on at and is here now or was before: in `old`.
    pub(super) fn touch_all_of(&mut self, old: &Entries) {
        if let Some(onlookers) = &mut self.onlookers {
            for key in onlookers.keys() {
                if self.entries.contains(&key) || old.contains(&key) {
                    onlookers.touch(&key);
                }
            }
        }
    }

    #[inline]
    pub(super) fn touch(&mut self, key: &[u8]) {
        self.changes = self.changes.wrapping_add(1);
        self.show(key);
    }

    /// Touches `key` for those who look on.
    #[inline]
    pub(super) fn show(&mut self, key: &[u8]) {
        if let Some(onlookers) = &mut self.onlookers {
            onlookers.touch(key);
        }
    }
}
