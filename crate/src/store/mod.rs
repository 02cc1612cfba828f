//! The keyspace: keys, their values, and when they expire.
//!
//! Owns plain synchronous data. There is no lock, clock, I/O or hidden randomness here: whoever calls passes the time
//! in, so the same store sits behind a mutex, in an actor or in a simulation.
//!
//! A value is a string or a collection, a file a type; small ones lie packed in one allocation.
//!
//! One [`Store`] is one shard. Commands are written against [`Keyspace`], which is one store or several.

mod hash;
mod key;
mod keyspace;
mod list;
mod packed;
mod ranked;
mod set;
mod shard;
mod shown;
mod sorted_set;
mod value;

pub use hash::Hash;
pub use keyspace::{Keyspace, scan, shard_of};
pub use list::{End, List};
pub use set::{Member, Set};
pub use shard::{Entry, Stats, Store, Sweep};
pub use sorted_set::SortedSet;
pub use value::{Bytes, Collection, Value, ValueType, WrongType};
