//! The append-only log: what was done to the data, in the order in which it was done.
//!
//! Owns how a record lies in a file ([`frame`]), what it says ([`entry`]), how a file is read ([`read`]), and the way of
//! the records from those who run commands to the one who writes them down ([`Log`]). Knows no folder, no clock and no
//! command: the host brings a thread that writes, and `sharing` makes the data again from what was read.
//!
//! # Why replaying gives the same data
//!
//! A record is one command as it ran, or all commands of one transaction, with all that its outcome depended on besides
//! the data: the time, the database, and where its random choices started. The same commands give the same data in the
//! same order, since no order depends on a hash's seed. So nothing is rewritten: SPOP takes the same members again, a
//! relative expiry means the same instant, and `*` becomes the same ID.
//!
//! What the server does by itself, or for a command that only reads, is written as a DEL: a key removed because its
//! time had come. Each client's commands run at an instant of their own, and a wall clock can be set back; so it is not
//! left to the replay to find out which of two commands still saw the key.
//!
//! Records are appended while the data they touch is locked. Two commands that touch the same key stand in the log in
//! the order in which they ran; two that do not stand in some order, and either gives the same data.

pub mod entry;
pub mod frame;
mod pipe;
pub mod read;

pub use self::entry::Draft;
pub use self::pipe::{Failing, Figures, Fsync, Log, PENDING_BYTES_MAX, Taken};
