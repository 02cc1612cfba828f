//! A stream as a row of strings, and the same stream made of them again: what a snapshot keeps of it.
//!
//! Owns that form. Blocks are kept whole, so that what `~` trims later, replayed, is the same. Knows no file.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::Stream;
use super::block::Block;
use super::group::Group;
use super::id::StreamId;

/// One string's content. A variant's number never changes.
#[derive(Serialize, Deserialize)]
enum Part<'a> {
    /// Entries that lie together.
    Block(Cow<'a, Block>),
    /// What is remembered of entries, those that are gone among them. Behind the blocks.
    Counters { last_id: StreamId, max_deleted_id: StreamId, added: u64 },
    /// A group. Groups come in the order of their names.
    Group { name: &'a [u8], last_id: StreamId, read: Option<i64> },
    /// A consumer of the group before it.
    Consumer { name: &'a [u8], seen_ms: u64 },
    /// An entry that a consumer of the group before it has not acknowledged.
    Pending { id: StreamId, consumer: &'a [u8], delivered_ms: u64, deliveries: u64 },
}

impl Stream {
    /// All parts, in the order in which they are [added](Self::add_part) again. Most are at most a block long.
    pub(in super::super) fn parts(&self, mut part: impl FnMut(&[u8])) {
        let mut put = |of: &Part<'_>| part(&postcard::to_allocvec(of).expect("plain data has a form"));
        let log = &self.log;
        log.each_block().for_each(|block| put(&Part::Block(Cow::Borrowed(block))));
        put(&Part::Counters {
            last_id: log.last_id(),
            max_deleted_id: log.max_deleted_id(),
            added: log.added(),
        });
        for (name, group) in &self.groups {
            put(&Part::Group { name, last_id: group.last_id(), read: group.read() });
            for (name, consumer) in group.consumers() {
                put(&Part::Consumer { name, seen_ms: consumer.seen_ms() });
            }
            for (id, pending) in group.pending() {
                let (id, consumer) = (*id, &*pending.consumer);
                let (delivered_ms, deliveries) = (pending.delivered_ms, pending.deliveries);
                put(&Part::Pending { id, consumer, delivered_ms, deliveries });
            }
        }
    }

    /// Adds a part; none if it is not what can come next.
    pub(in super::super) fn add_part(&mut self, part: &[u8]) -> Option<()> {
        let (part, []) = postcard::take_from_bytes(part).ok()? else { return None };
        match part {
            Part::Block(block) => self.log.add_block(block.into_owned())?,
            Part::Counters { last_id, max_deleted_id, added } => {
                if last_id < self.log.last_id() {
                    return None;
                }
                self.log.set_counters(last_id, Some(added), Some(max_deleted_id));
            }
            Part::Group { name, last_id, read } => {
                if self.groups.last().is_some_and(|(before, _)| **before >= *name) {
                    return None;
                }
                self.groups.insert(name.into(), Group::new(last_id, read));
            }
            Part::Consumer { name, seen_ms } => {
                self.groups.iter_mut().next_back()?.1.add_consumer(name, seen_ms).then_some(())?;
            }
            Part::Pending { id, consumer, delivered_ms, deliveries } => {
                let group = self.groups.iter_mut().next_back()?.1;
                group.consumers().get(consumer)?;
                group.assign(id, consumer, delivered_ms, deliveries);
            }
        }
        Some(())
    }
}
