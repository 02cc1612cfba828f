//! The runtime on which shuttle chooses who goes on, at every lock and wherever a task waits.
//!
//! For searching the interleavings of sessions (`tests/shuttle.rs`). Its threads take turns, so only what is shuttle's is
//! where one can be put behind another: the [`Mutex`](super::Mutex) of this feature, and the end of a poll. Knows no scheduler; time is
//! the test's to move.

use std::sync::{Arc, Mutex, PoisonError};

use shuttle::future::AbortHandle;

use super::{Body, Rt, Spawn, Timers};
use crate::scope::event::TaskId;

impl Rt {
    /// The run of shuttle that the caller is in, whose time is `timers`. Tasks end with it, or before.
    #[must_use]
    pub fn shuttle(timers: Arc<Timers>) -> Self {
        Self::ours(timers, Arc::new(Tasks::default()))
    }
}

/// The tasks of one run, in the order in which they were spawned.
#[derive(Default)]
struct Tasks(Mutex<Vec<AbortHandle>>);

impl Spawn for Tasks {
    fn spawn(&self, _task: Option<TaskId>, body: Body) -> u64 {
        let task = shuttle::future::spawn(body).abort_handle();
        let mut tasks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        tasks.push(task);
        tasks.len() as u64 - 1
    }

    fn abort(&self, key: u64) {
        // Not locked any more when it is aborted: there somebody else may go on.
        let task = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(key as usize).cloned();
        if let Some(task) = task {
            task.abort();
        }
    }
}
