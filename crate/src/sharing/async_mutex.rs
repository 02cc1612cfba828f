//! One `tokio::sync::Mutex` around the store.
//!
//! A task that waits for it gives its worker back, at the price of a wake and another poll. Worth it only for a lock
//! that is held across an `.await`; `hold` does just that, to show what happens to everybody else.

use std::sync::Arc;
use std::time::Duration;

use crate::rt::AsyncMutex;
use crate::store::Databases;

use super::job::{Executor, Job};
use super::{OwnerGone, Share};

/// The store and its lock.
#[derive(Clone, Debug)]
pub(super) struct Shared {
    store: Arc<AsyncMutex<Databases>>,
    hold: Duration,
}

/// A connection that locks.
pub(crate) struct Connection {
    executor: Executor,
    shared: Shared,
}

impl Shared {
    pub(super) fn new(store: Databases, hold: Duration) -> Self {
        Self { store: Arc::new(AsyncMutex::new("store", 0, store)), hold }
    }

    pub(super) fn connect(&self, executor: Executor) -> Connection {
        Connection { executor, shared: self.clone() }
    }

    pub(super) async fn expire(&self, executor: &mut Executor) -> bool {
        executor.expire(&mut *self.store.lock().await)
    }
}

impl Share for Connection {
    async fn run(&mut self, job: &mut Job) -> Result<(), OwnerGone> {
        job.start_one(&self.executor.labels);
        let mut store = self.shared.store.lock().await;
        self.executor.run(job, &mut *store);
        if !self.shared.hold.is_zero() {
            // The lesson: the lock stays taken while this task sleeps, and every other connection waits.
            self.executor.finish_timing(job);
            self.executor.sleep(self.shared.hold).await;
        }
        drop(store);
        job.end();
        self.executor.finish_timing(job);
        Ok(())
    }
}
