//! The entries of a stream, oldest first, and what is remembered of those that are gone.
//!
//! Owns the row of blocks and the counters from which a group's lag follows. Knows no group.

use std::collections::VecDeque;

use super::block::{Block, StreamEntry};
use super::id::StreamId;
use crate::store::weight::allocated;

/// The entries.
///
/// An entry is reached by two binary searches, one of them over blocks, and a walk over at most a block. Adding one is
/// writing it behind the last.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Log {
    // None is empty.
    blocks: VecDeque<Block>,
    len: usize,
    last_id: StreamId,
    max_deleted_id: StreamId,
    added: u64,
    /// How many bytes the blocks' content has.
    bytes: usize,
}

/// Which entries a trim removes: the oldest, until this holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Threshold {
    /// No more entries than this are left.
    MaxLen(usize),
    /// No id is below this.
    MinId(StreamId),
}

impl Log {
    /// How many entries there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no entry. There may have been.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The highest id there ever was; the next is above it.
    #[must_use]
    pub fn last_id(&self) -> StreamId {
        self.last_id
    }

    /// The id of the first entry; [`StreamId::MIN`] where there is none.
    #[must_use]
    pub fn first_id(&self) -> StreamId {
        self.blocks.front().and_then(|block| block.iter().next()).map_or(StreamId::MIN, |entry| entry.id)
    }

    /// The highest id that was removed by itself, not by a trim; [`StreamId::MIN`] if none was.
    #[must_use]
    pub fn max_deleted_id(&self) -> StreamId {
        self.max_deleted_id
    }

    /// How many entries were ever added.
    #[must_use]
    pub fn added(&self) -> u64 {
        self.added
    }

    /// How many blocks the entries lie in.
    #[must_use]
    pub fn blocks(&self) -> usize {
        self.blocks.len()
    }

    /// About how many bytes the entries take.
    #[must_use]
    pub fn byte_len(&self) -> usize {
        let content: usize = self.blocks.iter().map(Block::byte_len).sum();
        content + self.blocks.capacity() * size_of::<Block>()
    }

    /// The id of an entry added at `now_ms` whose author leaves it to the stream: the clock's, or the one after the last if
    /// the clock is behind it. None is left after the last there can be.
    #[must_use]
    pub fn next_id(&self, now_ms: u64) -> Option<StreamId> {
        if now_ms > self.last_id.ms { Some(StreamId::new(now_ms, 0)) } else { self.last_id.next() }
    }

    /// Adds an entry.
    ///
    /// # Panics
    /// If its id is not above the last.
    pub fn append<'a>(&mut self, id: StreamId, pairs: impl Iterator<Item = (&'a [u8], &'a [u8])> + Clone) {
        assert!(id > self.last_id, "ids of a stream grow");
        let bytes: usize = pairs.clone().map(|(name, value)| name.len() + value.len()).sum();
        match self.blocks.back_mut() {
            Some(block) if block.fits(bytes) => {
                self.bytes -= block.content_len();
                block.append(id, pairs);
                self.bytes += block.content_len();
            }
            full => {
                if let Some(full) = full {
                    full.shrink();
                }
                let block = Block::new(id, pairs);
                self.bytes += block.content_len();
                self.blocks.push_back(block);
            }
        }
        self.len += 1;
        self.added += 1;
        self.last_id = id;
    }

    /// The entry of this id.
    #[must_use]
    pub fn get(&self, id: StreamId) -> Option<StreamEntry<'_>> {
        self.range(id, id).next()
    }

    /// The entries from `min` to `max`, both included, in order.
    pub fn range(&self, min: StreamId, max: StreamId) -> impl Iterator<Item = StreamEntry<'_>> {
        let at = self.blocks.partition_point(|block| block.base() <= min).saturating_sub(1);
        let entries = self.blocks.range(at..).flat_map(Block::iter);
        entries.skip_while(move |entry| entry.id < min).take_while(move |entry| entry.id <= max)
    }

    /// The same, the last one first.
    pub fn range_back(&self, min: StreamId, max: StreamId) -> impl Iterator<Item = StreamEntry<'_>> {
        let at = self.blocks.partition_point(|block| block.base() <= max);
        let blocks = self.blocks.range(..at).rev();
        let entries = blocks.flat_map(|block| block.iter().collect::<Vec<_>>().into_iter().rev());
        entries.skip_while(move |entry| entry.id > max).take_while(move |entry| entry.id >= min)
    }

    /// The entries above `id`, in order.
    pub fn after(&self, id: StreamId) -> impl Iterator<Item = StreamEntry<'_>> {
        id.next().into_iter().flat_map(|min| self.range(min, StreamId::MAX))
    }

    /// Removes an entry and remembers that it was; whether there was one.
    pub fn remove(&mut self, id: StreamId) -> bool {
        let Some(at) = self.blocks.partition_point(|block| block.base() <= id).checked_sub(1) else {
            return false;
        };
        let block = &mut self.blocks[at];
        let before = block.content_len();
        if !block.remove(id) {
            return false;
        }
        self.bytes = self.bytes - before + block.content_len();
        if block.is_empty() {
            self.bytes -= block.content_len();
            self.blocks.remove(at);
        }
        self.len -= 1;
        self.max_deleted_id = self.max_deleted_id.max(id);
        true
    }

    /// Removes the oldest entries, as many as `threshold` says; how many that were.
    pub fn trim(&mut self, threshold: Threshold) -> usize {
        let mut removed = self.trim_blocks(threshold, usize::MAX);
        if let Some(block) = self.blocks.front_mut() {
            let part = match threshold {
                Threshold::MaxLen(most) => self.len.saturating_sub(most),
                Threshold::MinId(min) => block.iter().take_while(|entry| entry.id < min).count(),
            };
            self.bytes -= block.content_len();
            block.remove_first(part);
            self.len -= part;
            removed += part;
            // A block whose last entries were removed by themselves may have ended above them.
            if block.is_empty() {
                self.blocks.pop_front();
            } else {
                self.bytes += block.content_len();
            }
        }
        removed
    }

    /// Removes the oldest entries as far as whole blocks go, which takes no time for their entries, at most `limit` of
    /// them; how many that were. No more than `threshold` says, and less than a block less unless the limit was hit.
    pub fn trim_blocks(&mut self, threshold: Threshold, limit: usize) -> usize {
        let mut removed = 0;
        while let Some(block) = self.blocks.front() {
            let goes = match threshold {
                Threshold::MaxLen(most) => self.len - block.len() >= most,
                Threshold::MinId(min) => block.last() < min,
            };
            if !goes || block.len() > limit - removed {
                break;
            }
            removed += block.len();
            self.len -= block.len();
            self.bytes -= block.content_len();
            self.blocks.pop_front();
        }
        removed
    }

    /// Sets the highest id, the number of entries ever added, and the highest id removed: the last two where given.
    /// Whoever asks makes sure that no entry is above `last_id`.
    pub fn set_counters(&mut self, last_id: StreamId, added: Option<u64>, max_deleted_id: Option<StreamId>) {
        self.last_id = last_id;
        self.added = added.unwrap_or(self.added);
        self.max_deleted_id = max_deleted_id.unwrap_or(self.max_deleted_id);
    }

    /// What the entries have allocated, in constant time.
    pub(super) fn heap_bytes(&self) -> usize {
        allocated(self.blocks.capacity() * size_of::<Block>()) + self.blocks.len() * allocated(1) + self.bytes
    }

    /// What of it was counted as entries came and went, and what that should be.
    #[cfg(test)]
    pub(in super::super) fn counted_bytes(&self) -> (usize, usize) {
        (self.bytes, self.blocks.iter().map(Block::content_len).sum())
    }

    /// The blocks in order.
    pub(super) fn each_block(&self) -> impl Iterator<Item = &Block> {
        self.blocks.iter()
    }

    /// Adds a block that was read from elsewhere; none if it does not belong behind those there are.
    pub(super) fn add_block(&mut self, block: Block) -> Option<()> {
        let follows = self.blocks.back().is_none_or(|before| before.last() < block.base());
        if !follows || !block.is_sound() {
            return None;
        }
        self.len += block.len();
        self.bytes += block.content_len();
        self.last_id = self.last_id.max(block.last());
        self.blocks.push_back(block);
        Some(())
    }

    /// Whether an entry with an id from `id` on may have been removed by itself: then what comes after it cannot be counted
    /// from the ends.
    #[must_use]
    pub fn has_gap_from(&self, id: StreamId) -> bool {
        let deleted = self.max_deleted_id;
        !self.is_empty() && deleted != StreamId::MIN && self.first_id() <= deleted && id <= deleted
    }

    /// How many entries were ever added up to `id`, where that can be told: at the ends, and before them.
    #[must_use]
    pub fn added_up_to(&self, id: StreamId) -> Option<u64> {
        if self.added == 0 {
            return Some(0);
        }
        let (first, deleted) = (self.first_id(), self.max_deleted_id);
        if self.is_empty() && id <= self.last_id || id == self.last_id {
            return Some(self.added);
        }
        if id < self.last_id && (deleted == StreamId::MIN || deleted < first) {
            if id < first {
                return Some(self.added - self.len as u64);
            }
            if id == first {
                return Some(self.added - self.len as u64 + 1);
            }
        }
        None
    }
}
