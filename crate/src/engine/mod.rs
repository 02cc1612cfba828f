//! Runtimes that can be stopped, all behind [`crate::rt`] like any runtime.
//!
//! [`CurrentThread`] is Tokio's own current-thread runtime, one poll a step. [`MultiThread`] is a model of Tokio's
//! multi-thread runtime. In [`Manual`] the caller chooses what happens next. [`Engine`] is any of them. All run in virtual time
//! and know neither store nor commands.

mod choices;
mod current_thread;
mod flavor;
mod inferred;
mod manual;
mod multi_thread;
mod pool;

pub use self::choices::{CHOICES_MAX, Choices, ChoicesError, Parted, Pick};
pub use self::current_thread::{CurrentThread, Step};
pub use self::flavor::{Engine, Flavor, Stepped, UnknownFlavor};
pub use self::manual::{Choice, Manual};
pub use self::multi_thread::{
    MultiThread, Queues, STEALS_KEPT, Steal, WORKERS_MAX, WorkerQueues, WorkerState,
};
