//! What keys and values take of memory, as a figure that follows from their state alone.
//!
//! Owns the estimate, and the sum of it over a store. Each figure takes constant time: a large collection keeps count of what
//! its elements have allocated. Because the same state always has the same figure, a key weighed before a change and after it
//! keeps the sum right for ever; no error adds up. Knows no limit: whoever has one compares.

use super::key::Key;
use super::value::{Bytes, Value};
use super::{Entry, List, SortedSet, Stream};

/// What an entry takes besides the allocations of its key and value: its slot, when it was used, and its share of the hash
/// table's index. A table grows in steps, and what it has in reserve is nobody's.
const SLOT: usize = size_of::<(usize, Key, Entry)>() + size_of::<u32>() + INDEX;

/// A position in a hash table's index, its share of the places left free, and its byte of control.
pub(super) const INDEX: usize = size_of::<usize>() * 8 / 7 + 2;

/// What an allocation of `bytes` bytes takes of an allocator that keeps 8 bytes for itself and hands out multiples of 16.
pub(super) fn allocated(bytes: usize) -> usize {
    if bytes == 0 { 0 } else { (bytes + 8).next_multiple_of(16).max(32) }
}

/// What `key` and its value take.
pub(super) fn weigh(key: &Key, entry: &Entry) -> usize {
    SLOT + key.heap_bytes() + entry.value.heap_bytes()
}

impl Value {
    /// What it has allocated.
    fn heap_bytes(&self) -> usize {
        match self {
            Self::Int(_) => 0,
            Self::Bytes(bytes) => bytes.heap_bytes(),
            Self::List(list) => allocated(size_of::<List>()) + list.heap_bytes(),
            Self::Hash(hash) => allocated(size_of_val(&**hash)) + hash.heap_bytes(),
            Self::Set(set) => allocated(size_of_val(&**set)) + set.heap_bytes(),
            Self::SortedSet(set) => allocated(size_of::<SortedSet>()) + set.heap_bytes(),
            Self::Stream(stream) => allocated(size_of::<Stream>()) + stream.heap_bytes(),
        }
    }
}

/// What a string in a table has allocated. By its length: a copy of a table has other capacities.
pub(super) fn of_field(value: &Bytes) -> usize {
    if value.is_in_place() { 0 } else { allocated(value.len()) }
}

/// The weight of all that a store has, kept up through every change.
///
/// A key handed out to be changed is taken off the scales and put back on when somebody wants to know: what is done to it in
/// between is seen by nobody else.
#[derive(Debug, Default)]
pub(super) struct Scales {
    bytes: usize,
    /// Keys taken off, nearly always none or one.
    off: Vec<Key>,
}

impl Scales {
    /// The weight of what is on them. All is once [`Self::close`] was called.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Puts an entry on that was not there.
    pub(super) fn add(&mut self, key: &Key, entry: &Entry) {
        self.bytes += weigh(key, entry);
    }

    /// Takes an entry off for good.
    pub(super) fn remove(&mut self, key: &Key, entry: &Entry) {
        match self.off.iter().position(|off| off == key) {
            Some(at) => drop(self.off.swap_remove(at)),
            None => self.bytes -= weigh(key, entry),
        }
    }

    /// Takes an entry off, as it is going to change.
    pub(super) fn open(&mut self, key: &Key, entry: &Entry) {
        if !self.off.contains(key) {
            self.bytes -= weigh(key, entry);
            self.off.push(key.clone());
        }
    }

    /// Puts those taken off back on; `find` finds them.
    pub(super) fn close<'a>(&mut self, find: impl Fn(&[u8]) -> Option<(&'a Key, &'a Entry)>) {
        while let Some(key) = self.off.pop() {
            if let Some((key, entry)) = find(key.as_slice()) {
                self.bytes += weigh(key, entry);
            }
        }
    }
}
