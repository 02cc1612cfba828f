//! A consumer group: how far it has read, and which entries it has handed out that nobody has acknowledged.
//!
//! Owns the pending entries, twice: by id for the group, and for each of its consumers. Knows of the log only what is asked
//! of it.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::sync::Arc;

use litemap::LiteMap;

use super::id::StreamId;
use super::log::Log;
use crate::store::weight::allocated;

/// A group of consumers that share a stream's entries out.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Group {
    last_id: StreamId,
    read: Option<i64>,
    pending: BTreeMap<StreamId, Pending>,
    consumers: LiteMap<Arc<[u8]>, Consumer>,
}

/// An entry that was handed out and not acknowledged.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Pending {
    /// Whose it is.
    pub consumer: Arc<[u8]>,
    /// When it was handed out last, in milliseconds since the Unix epoch.
    pub delivered_ms: u64,
    /// How often.
    pub deliveries: u64,
}

/// One of a group's consumers.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Consumer {
    seen_ms: u64,
    pending: BTreeSet<StreamId>,
}

impl Consumer {
    /// When it last asked for something, in milliseconds since the Unix epoch.
    #[must_use]
    pub fn seen_ms(&self) -> u64 {
        self.seen_ms
    }

    /// The ids of the entries it has been handed and not acknowledged.
    #[must_use]
    pub fn pending(&self) -> &BTreeSet<StreamId> {
        &self.pending
    }
}

impl Group {
    /// A group that has read up to `last_id`, which is `read` entries if anybody knows.
    #[must_use]
    pub fn new(last_id: StreamId, read: Option<i64>) -> Self {
        Self { last_id, read, pending: BTreeMap::new(), consumers: LiteMap::new_vec() }
    }

    /// The last entry that was handed out; new ones are above it.
    #[must_use]
    pub fn last_id(&self) -> StreamId {
        self.last_id
    }

    /// How many entries the group has read, if that is known.
    #[must_use]
    pub fn read(&self) -> Option<i64> {
        self.read
    }

    /// Puts the group at another place of the stream.
    pub fn set_position(&mut self, last_id: StreamId, read: Option<i64>) {
        (self.last_id, self.read) = (last_id, read);
    }

    /// Goes on to `id`, if that is ahead, without counting; whether it was.
    pub fn skip_to(&mut self, id: StreamId) -> bool {
        let is_ahead = id > self.last_id;
        self.last_id = self.last_id.max(id);
        is_ahead
    }

    /// Goes on to the entry `id` of `log`, the next one after the last.
    pub fn advance(&mut self, log: &Log, id: StreamId) {
        match &mut self.read {
            Some(read) if !log.has_gap_from(id) => *read += 1,
            read if log.added() > 0 => *read = log.added_up_to(id).map(|read| read as i64),
            _ => {}
        }
        self.last_id = id;
    }

    /// How many entries of `log` are still to be read, if that can be told.
    #[must_use]
    pub fn lag(&self, log: &Log) -> Option<i64> {
        if log.added() == 0 {
            return Some(0);
        }
        let read = match self.read {
            Some(read) if !log.has_gap_from(self.last_id) => read,
            _ => log.added_up_to(self.last_id)? as i64,
        };
        Some((log.added() as i64).wrapping_sub(read))
    }

    /// The pending entries by id.
    #[must_use]
    pub fn pending(&self) -> &BTreeMap<StreamId, Pending> {
        &self.pending
    }

    /// The pending entries with these ids, of all consumers or of one; none if there is no such consumer.
    pub fn pending_of(
        &self,
        consumer: Option<&[u8]>,
        ids: RangeInclusive<StreamId>,
    ) -> impl Iterator<Item = (StreamId, &Pending)> {
        let is_empty = ids.is_empty();
        let one = consumer.and_then(|name| self.consumers.get(name));
        let all = consumer.is_none().then_some(&self.pending);
        let of_one = one.filter(|_| !is_empty).map(|one| one.pending.range(ids.clone()));
        let of_all = all.filter(|_| !is_empty).map(|all| all.range(ids));
        let of_one = of_one.into_iter().flatten().filter_map(|id| Some((*id, self.pending.get(id)?)));
        of_all.into_iter().flatten().map(|(id, pending)| (*id, pending)).chain(of_one)
    }

    /// The consumers by name.
    #[must_use]
    pub fn consumers(&self) -> &LiteMap<Arc<[u8]>, Consumer> {
        &self.consumers
    }

    /// Adds a consumer; whether there was none of that name.
    pub fn add_consumer(&mut self, name: &[u8], now_ms: u64) -> bool {
        let is_new = !self.consumers.contains_key(name);
        if is_new {
            self.consumers.insert(name.into(), Consumer { seen_ms: now_ms, pending: BTreeSet::new() });
        }
        is_new
    }

    /// Notes that a consumer asks for something, and adds it if there is none of that name.
    pub fn see_consumer(&mut self, name: &[u8], now_ms: u64) {
        match self.consumers.get_mut(name) {
            Some(consumer) => consumer.seen_ms = now_ms,
            None => drop(self.add_consumer(name, now_ms)),
        }
    }

    /// Removes a consumer, and what it has not acknowledged is pending no more; how much that was.
    pub fn remove_consumer(&mut self, name: &[u8]) -> usize {
        let Some(consumer) = self.consumers.remove(name) else { return 0 };
        consumer.pending.iter().for_each(|id| drop(self.pending.remove(id)));
        consumer.pending.len()
    }

    /// Makes the entry `id` pending, delivered so often and last at this time, as one of `consumer`, which there must be;
    /// it may have been another one's.
    pub fn assign(&mut self, id: StreamId, consumer: &[u8], delivered_ms: u64, deliveries: u64) {
        self.acknowledge(id);
        let place = self.consumers.find_index(consumer);
        let Some((name, _)) = place.ok().and_then(|place| self.consumers.get_indexed(place)) else { return };
        let pending = Pending { consumer: Arc::clone(name), delivered_ms, deliveries };
        self.pending.insert(id, pending);
        if let Some(consumer) = self.consumers.get_mut(consumer) {
            consumer.pending.insert(id);
        }
    }

    /// Notes that a pending entry was handed once more to the consumer whose it is.
    pub fn deliver_again(&mut self, id: StreamId, now_ms: u64) {
        if let Some(pending) = self.pending.get_mut(&id) {
            pending.delivered_ms = now_ms;
            pending.deliveries = pending.deliveries.wrapping_add(1);
        }
    }

    /// About what it has allocated. A node of a B-tree is on average two thirds full.
    pub(super) fn heap_bytes(&self) -> usize {
        let pending = size_of::<(StreamId, Pending)>() + size_of::<StreamId>();
        let consumer = size_of::<(Arc<[u8]>, Consumer)>() + allocated(32);
        (self.pending.len() * pending + self.consumers.len() * consumer) * 3 / 2
    }

    /// Makes an entry pending no more; whether it was.
    pub fn acknowledge(&mut self, id: StreamId) -> bool {
        let Some(pending) = self.pending.remove(&id) else { return false };
        if let Some(consumer) = self.consumers.get_mut(&pending.consumer) {
            consumer.pending.remove(&id);
        }
        true
    }
}
