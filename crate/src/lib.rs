//! Interleave: a Redis-like server whose Tokio tasks can be watched.
//!
//! Everything that runs in both places lives here: natively behind a TCP socket, and in a browser tab behind an
//! in-memory pipe. There are no sockets, no DOM and no wall clock in this crate; the host brings them.
//!
//! Read it in the order a byte travels: [`resp`] turns bytes into requests, [`command`] says what a request means,
//! [`store`] holds the data, [`log`] keeps what was done to it, [`sharing`] is how connections reach it, and [`session`] serves one client with all of
//! them. [`rt`] is the one door to the runtime, [`scope`] records what goes through it, and [`engine`] is a runtime
//! that can be stopped. [`scenario`] is the language in which a person says what the clients do, and
//! [`machine`] puts the two together: a run that can be stopped, stepped, looked into and made again. [`explore`] finds out
//! all that can come of it.
#![forbid(unsafe_code)]

// Blank lines keep the reading order: rustfmt sorts neighbours by name.

pub mod resp;

pub mod command;

pub mod store;

pub mod log;

pub mod sharing;

pub mod session;

pub mod rt;

pub mod scope;

pub mod engine;

pub mod scenario;

pub mod machine;

#[cfg(feature = "explore")]
pub mod explore;
