//! A short run of a stream's entries in one allocation.
//!
//! Owns the layout: the names of the first entry's fields once, then the entries, each with its id counted from the block's
//! and its values; names again only where they are others. A small entry is some bytes long that way. Does not know the
//! blocks beside it, nor who has read what.

use serde::{Deserialize, Serialize};

use super::id::StreamId;

/// Most bytes of a block, unless one entry alone is longer: Redis's `stream-node-max-bytes`. Bounds what removing an entry
/// moves.
pub const BLOCK_BYTES_MAX: usize = 4096;

/// Most entries a block is ever given: Redis's `stream-node-max-entries`. Bounds the walk to one of them.
pub const BLOCK_LEN_MAX: usize = 100;

/// Entries one after the other, ascending by id.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(super) struct Block {
    /// The id of the first entry it was given, removed or not: ids count from it.
    base: StreamId,
    /// The id of the last entry it was given, removed or not.
    last: StreamId,
    /// How many shared names there are, the names, and then the entries.
    bytes: Vec<u8>,
    /// Where the entries begin.
    names_end: u32,
    /// How many entries it has.
    len: u16,
    /// How many it was given, those included that were removed.
    added: u16,
}

// What a block costs beside its bytes, shared by up to a hundred entries.
const _: () = assert!(size_of::<Block>() == 64 || size_of::<usize>() != 8);

impl Block {
    /// A block of one entry, whose fields' names the ones after it may share.
    pub(super) fn new<'a>(id: StreamId, pairs: impl Iterator<Item = (&'a [u8], &'a [u8])> + Clone) -> Self {
        let mut bytes = Vec::new();
        put(&mut bytes, pairs.clone().count() as u64);
        pairs.clone().for_each(|(name, _)| put_string(&mut bytes, name));
        let names_end = u32::try_from(bytes.len()).expect("a request is shorter than 4 GiB");
        let mut block = Self { base: id, last: id, bytes, names_end, len: 0, added: 0 };
        block.append(id, pairs);
        block
    }

    /// Whether an entry whose strings are `bytes` long together may be appended.
    pub(super) fn fits(&self, bytes: usize) -> bool {
        usize::from(self.added) < BLOCK_LEN_MAX && self.bytes.len() + bytes < BLOCK_BYTES_MAX
    }

    /// Adds an entry; its id must be above all there are.
    pub(super) fn append<'a>(
        &mut self,
        id: StreamId,
        pairs: impl Iterator<Item = (&'a [u8], &'a [u8])> + Clone,
    ) {
        let shares_names = pairs.clone().map(|(name, _)| name).eq(self.names());
        put(&mut self.bytes, if shares_names { 0 } else { pairs.clone().count() as u64 });
        put(&mut self.bytes, id.ms - self.base.ms);
        // Numbers start again in every millisecond but the first.
        put(&mut self.bytes, if id.ms == self.base.ms { id.seq - self.base.seq } else { id.seq });
        for (name, value) in pairs {
            if !shares_names {
                put_string(&mut self.bytes, name);
            }
            put_string(&mut self.bytes, value);
        }
        self.last = id;
        self.len += 1;
        self.added += 1;
    }

    /// Gives back memory that was taken for entries to come: none will.
    pub(super) fn shrink(&mut self) {
        self.bytes.shrink_to_fit();
    }

    pub(super) fn len(&self) -> usize {
        usize::from(self.len)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// An id that no entry is below.
    pub(super) fn base(&self) -> StreamId {
        self.base
    }

    /// An id that no entry is above.
    pub(super) fn last(&self) -> StreamId {
        self.last
    }

    /// Bytes it takes besides the place it lies in.
    pub(super) fn byte_len(&self) -> usize {
        self.bytes.capacity()
    }

    /// Bytes of its names and entries.
    pub(super) fn content_len(&self) -> usize {
        self.bytes.len()
    }

    /// The entries in order.
    pub(super) fn iter(&self) -> Iter<'_> {
        let (names, entries) = self.bytes.split_at(self.names_end as usize);
        Iter { base: self.base, names, rest: entries, left: self.len }
    }

    /// Removes an entry; whether there was one.
    pub(super) fn remove(&mut self, id: StreamId) -> bool {
        let mut entries = self.iter();
        loop {
            let before = entries.rest.len();
            match entries.next() {
                Some(entry) if entry.id < id => {}
                Some(entry) if entry.id == id => {
                    let (start, end) = (self.bytes.len() - before, self.bytes.len() - entries.rest.len());
                    self.cut(start, end, 1);
                    return true;
                }
                _ => return false,
            }
        }
    }

    /// Removes the first `count` entries, which there must be.
    pub(super) fn remove_first(&mut self, count: usize) {
        let mut entries = self.iter();
        entries.by_ref().take(count).for_each(drop);
        let end = self.bytes.len() - entries.rest.len();
        self.cut(self.names_end as usize, end, count as u16);
    }

    /// Removes these bytes, which are `count` entries.
    fn cut(&mut self, start: usize, end: usize, count: u16) {
        self.bytes.drain(start..end);
        self.len -= count;
        if self.bytes.capacity() > self.bytes.len() * 2 {
            self.bytes.shrink_to_fit();
        }
    }

    /// Whether it is as one that was filled: asked of a block that was read from elsewhere.
    pub(super) fn is_sound(&self) -> bool {
        let is_row = |mut bytes: &[u8], strings: usize| {
            (0..strings).all(|_| skip_string(&mut bytes).is_some()) && bytes.is_empty()
        };
        let Some((mut names, mut entries)) = self.bytes.split_at_checked(self.names_end as usize) else {
            return false;
        };
        let shared = take(&mut names) as usize;
        if self.len == 0 || self.len > self.added || !is_row(names, shared) {
            return false;
        }
        let mut above = None;
        for _ in 0..self.len {
            let own = take(&mut entries) as usize;
            let (ms, seq) = (take(&mut entries), take(&mut entries));
            let first_seq = if ms == 0 { self.base.seq } else { 0 };
            let (Some(ms), Some(seq)) = (self.base.ms.checked_add(ms), first_seq.checked_add(seq)) else {
                return false;
            };
            let id = StreamId::new(ms, seq);
            let strings = if own == 0 { Some(shared) } else { own.checked_mul(2) };
            let is_whole =
                strings.is_some_and(|strings| (0..strings).all(|_| skip_string(&mut entries).is_some()));
            if !is_whole || id < self.base || id > self.last || above.is_some_and(|above| id <= above) {
                return false;
            }
            above = Some(id);
        }
        entries.is_empty()
    }

    /// The names that entries share.
    fn names(&self) -> impl Iterator<Item = &[u8]> {
        let mut names = &self.bytes[..self.names_end as usize];
        let count = take(&mut names);
        (0..count).map(move |_| take_string(&mut names))
    }
}

impl std::fmt::Debug for Block {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// An entry of a stream: its id, and its fields and values in the order in which they were given.
#[derive(Clone, Copy)]
pub struct StreamEntry<'a> {
    /// Its id.
    pub id: StreamId,
    fields: usize,
    /// Where the names are, unless each stands before its value.
    names: Option<&'a [u8]>,
    strings: &'a [u8],
}

impl<'a> StreamEntry<'a> {
    /// How many fields it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.fields
    }

    /// Whether it has no field. None that was added by a command is so.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.fields == 0
    }

    /// The fields and values in order. A field may be there several times.
    pub fn pairs(&self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> + use<'a> {
        let (mut names, mut strings) = (self.names, self.strings);
        (0..self.fields).map(move |_| {
            let name = match &mut names {
                Some(names) => take_string(names),
                None => take_string(&mut strings),
            };
            (name, take_string(&mut strings))
        })
    }
}

impl std::fmt::Debug for StreamEntry<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.id)?;
        self.pairs()
            .try_for_each(|(name, value)| write!(f, " {}={}", name.escape_ascii(), value.escape_ascii()))
    }
}

/// The entries of a block that are still to come.
#[derive(Clone)]
pub(super) struct Iter<'a> {
    base: StreamId,
    /// How many shared names there are, and the names.
    names: &'a [u8],
    rest: &'a [u8],
    left: u16,
}

impl<'a> Iterator for Iter<'a> {
    type Item = StreamEntry<'a>;

    fn next(&mut self) -> Option<StreamEntry<'a>> {
        self.left = self.left.checked_sub(1)?;
        let own_names = take(&mut self.rest) as usize;
        let (ms, seq) = (take(&mut self.rest), take(&mut self.rest));
        let seq = if ms == 0 { self.base.seq + seq } else { seq };
        let id = StreamId::new(self.base.ms + ms, seq);
        let (fields, names, strings) = if own_names == 0 {
            let mut names = self.names;
            let fields = take(&mut names) as usize;
            (fields, Some(names), fields)
        } else {
            (own_names, None, own_names * 2)
        };
        let before = self.rest;
        for _ in 0..strings {
            take_string(&mut self.rest);
        }
        let strings = &before[..before.len() - self.rest.len()];
        Some(StreamEntry { id, fields, names, strings })
    }
}

/// Writes a number, seven bits a byte, low ones first; the top bit says that more follow.
fn put(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

fn put_string(bytes: &mut Vec<u8>, string: &[u8]) {
    put(bytes, string.len() as u64);
    bytes.extend_from_slice(string);
}

/// Reads a number from the front of `bytes`, which [`put`] wrote.
fn take(bytes: &mut &[u8]) -> u64 {
    let (mut number, mut shift) = (0, 0);
    while let Some((byte, rest)) = bytes.split_first() {
        *bytes = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if *byte < 0x80 || shift == 63 {
            break;
        }
        shift += 7;
    }
    number
}

fn take_string<'a>(bytes: &mut &'a [u8]) -> &'a [u8] {
    let len = take(bytes) as usize;
    let (string, rest) = bytes.split_at(len);
    *bytes = rest;
    string
}

/// Goes on behind a string; none where it is cut, or not begun: any number of strings is not found in nothing.
fn skip_string(bytes: &mut &[u8]) -> Option<()> {
    if bytes.is_empty() {
        return None;
    }
    let len = usize::try_from(take(bytes)).ok()?;
    *bytes = bytes.split_at_checked(len)?.1;
    Some(())
}
