//! Streams: entries that are added at one end and stay, each with an id and fields, and groups of consumers that share them
//! out.
//!
//! Owns the whole of a stream's value: the log, and the groups that read it. Knows no command and no clock: whoever calls
//! passes the time in. No order depends on a hash: ids and names are kept sorted.

mod block;
mod group;
mod id;
mod image;
mod log;
#[cfg(test)]
mod tests;

use litemap::LiteMap;

pub use block::{BLOCK_BYTES_MAX, BLOCK_LEN_MAX, StreamEntry};
pub use group::{Consumer, Group, Pending};
pub use id::StreamId;
pub use log::{Log, Threshold};

use super::weight::allocated;

/// A stream. It may be empty and still be somebody's: it remembers its last id, and its groups.
///
/// ```
/// use interleave::store::stream::{Stream, StreamId};
///
/// let mut stream = Stream::default();
/// let id = stream.log.next_id(1_000).unwrap();
/// stream.log.append(id, [(&b"name"[..], &b"value"[..])].into_iter());
/// assert_eq!(stream.log.get(StreamId::new(1_000, 0)).unwrap().len(), 1);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Stream {
    /// Its entries.
    pub log: Log,
    /// Its groups, by name.
    pub groups: LiteMap<Box<[u8]>, Group>,
}

impl Stream {
    /// What it has allocated, in time that grows with the number of groups alone.
    pub(super) fn heap_bytes(&self) -> usize {
        let groups = self.groups.iter();
        let groups = groups.map(|(name, group)| {
            size_of::<(Box<[u8]>, Group)>() + allocated(name.len()) + group.heap_bytes()
        });
        self.log.heap_bytes() + groups.sum::<usize>()
    }
}
