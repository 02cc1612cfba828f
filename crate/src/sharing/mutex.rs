//! One `std::sync::Mutex` around the store.
//!
//! A blocking lock in async code is right here: a batch of commands takes microseconds, nothing is awaited while the
//! lock is held, and so a worker that waits for it waits less than a switch of tasks would cost.

use std::sync::Arc;

use crate::rt::Mutex;
use crate::store::Databases;

use super::job::{Executor, Job};
use super::{OwnerGone, Share};

/// The store and its lock.
#[derive(Clone, Debug)]
pub(super) struct Shared(Arc<Mutex<Databases>>);

/// A connection that locks.
pub(crate) struct Connection {
    executor: Executor,
    store: Shared,
}

impl Shared {
    pub(super) fn new(store: Databases) -> Self {
        Self(Arc::new(Mutex::new("store", 0, store)))
    }

    pub(super) fn connect(&self, executor: Executor) -> Connection {
        Connection { executor, store: self.clone() }
    }

    pub(super) fn expire(&self, executor: &mut Executor) -> bool {
        executor.expire(&mut *self.0.lock())
    }
}

impl Share for Connection {
    async fn run(&mut self, job: &mut Job) -> Result<(), OwnerGone> {
        job.start_one(&self.executor.labels);
        self.executor.run(job, &mut *self.store.0.lock());
        job.end();
        self.executor.finish_timing(job);
        Ok(())
    }
}
