//! A store for every connection: what happens when state is not shared.
//!
//! No lock, no message, no waiting, and two clients each buy the last item. Expired keys go when they are looked up.

use crate::store::Databases;

use super::job::{Executor, Job};
use super::{OwnerGone, Share};

/// A connection and the store that is its own.
pub(crate) struct Connection {
    executor: Executor,
    // In a box: other ways of sharing have connections, too, and none as large.
    store: Box<Databases>,
}

impl Connection {
    pub(super) fn new(executor: Executor) -> Self {
        Self { executor, store: Box::default() }
    }
}

impl Share for Connection {
    async fn run(&mut self, job: &mut Job) -> Result<(), OwnerGone> {
        job.start_one(&self.executor.labels);
        self.executor.run(job, &mut *self.store);
        job.end();
        self.executor.finish_timing(job);
        Ok(())
    }
}
