//! Runtimes that can be stopped, all behind [`crate::rt`] like any runtime.
//!
//! [`CurrentThread`] is Tokio's own current-thread runtime, one poll a step. [`MultiThread`] is a model of Tokio's
//! multi-thread runtime. Both run in virtual time and know neither store nor commands.

mod current_thread;
mod multi_thread;
mod pool;

pub use self::current_thread::{CurrentThread, Step};
pub use self::multi_thread::{MultiThread, Queues, WORKERS_MAX, WorkerQueues, WorkerState};
