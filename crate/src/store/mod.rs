//! The keyspace: keys, their values, and when they expire.
//!
//! Owns plain synchronous data. There is no lock, clock, I/O or hidden randomness here: whoever calls passes the time
//! in, so the same store sits behind a mutex, in an actor or in a simulation.
//!
//! What memory they take and which key goes when it is short is known here, how much is too much is not.
//!
//! A value is a string or a collection, a file a type; small ones lie packed in one allocation.
//!
//! One [`Store`] is one shard of one database, [`Databases`] are the shard in all of them. Commands are written against
//! [`Keyspace`], which is one shard or several.

mod access;
mod databases;
mod evict;
mod hash;
mod image;
mod key;
mod keyspace;
mod list;
mod onlookers;
mod packed;
mod ranked;
mod set;
mod shard;
mod shown;
mod sorted_set;
pub mod stream;
mod table;
mod value;
mod weight;

pub use access::{COUNTER_INITIAL, Frequency};
pub use databases::{Databases, Upkeep};
pub use evict::Policy;
pub use hash::Hash;
pub use image::NoValue;
pub use keyspace::{Keyspace, scan, shard_of};
pub(crate) use keyspace::{Needed, fetch};
pub use list::{End, List};
pub use onlookers::{Done, Waiter, Watcher};
pub use set::{Member, Set};
pub use shard::{Entry, Stats, Store, Sweep};
pub use sorted_set::SortedSet;
pub use stream::Stream;
pub use value::{Bytes, Collection, Value, ValueType, WrongType};

/// Keys that are fetched from memory together: about as many as a processor waits for at once.
pub(crate) const FETCHED_TOGETHER: usize = 16;

/// Up to where small collections are packed, by the names `CONFIG GET` has for it, and how large a block of a stream's
/// entries is. A list's is a size: -2 says rows of 8 KiB.
pub const LAYOUT_LIMITS: &[(&str, i64)] = &[
    ("hash-max-listpack-entries", hash::PACKED_LEN_MAX as i64),
    ("hash-max-listpack-value", hash::PACKED_BYTES_MAX as i64),
    ("list-max-listpack-size", -2),
    ("set-max-intset-entries", set::INTEGERS_MAX as i64),
    ("set-max-listpack-entries", set::PACKED_LEN_MAX as i64),
    ("set-max-listpack-value", set::PACKED_BYTES_MAX as i64),
    ("stream-node-max-bytes", stream::BLOCK_BYTES_MAX as i64),
    ("stream-node-max-entries", stream::BLOCK_LEN_MAX as i64),
    ("zset-max-listpack-entries", sorted_set::PACKED_LEN_MAX as i64),
    ("zset-max-listpack-value", sorted_set::PACKED_BYTES_MAX as i64),
];
