//! Runtimes that can be stopped.
//!
//! One so far: [`CurrentThread`], Tokio's own current-thread runtime, one poll a step, in virtual time. Behind
//! [`crate::rt`] like any runtime; knows neither store nor commands.

mod current_thread;

pub use self::current_thread::{CurrentThread, Step};
