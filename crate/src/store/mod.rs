//! The keyspace: keys, their values, and when they expire.
//!
//! Owns plain synchronous data. There is no lock, clock, I/O or hidden randomness here: whoever calls passes the time
//! in, so the same store sits behind a mutex, in an actor or in a simulation.
//!
//! One [`Store`] is one shard. Commands are written against [`Keyspace`], which is one store or several.

mod key;
mod keyspace;
mod shard;
mod value;

pub use keyspace::{Keyspace, scan, shard_of};
pub use shard::{Entry, Stats, Store, Sweep};
pub use value::{Bytes, Value, ValueType};
