//! The one door to the runtime: spawn, join, sleep, yield, locks, channels and the clock, each recorded.
//!
//! Natively a thin layer over Tokio; under an [engine](crate::engine) the same `tokio::sync` types over virtual time.
//! Code that runs as a task uses nothing else, which is how every cause of waiting is known and how one body of code runs
//! in both places. Knows no store, no command and no client.

mod bell;
mod channel;
pub(crate) mod ledger;
mod lock;
mod mailbox;
#[cfg(feature = "shuttle")]
mod shuttle;
pub(crate) mod step;
mod task;
mod time;

use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::sync::Arc;
use std::time::Duration;

use crate::scope::event::TaskId;
use crate::scope::record;
use crate::scope::traced::Traced;

pub use self::bell::Bell;
pub use self::channel::{Answer, Answers, Promise, Receiver, Sender, channel};
pub use self::lock::{AsyncMutex, AsyncMutexGuard, Mutex, MutexGuard};
pub use self::mailbox::{Mailbox, Mailboxes, Refused, Room, Slot};
pub(crate) use self::task::{Body, Spawn};
pub use self::task::{JoinError, JoinHandle};
pub use self::time::{Sleep, Timers};

/// A handle to the runtime that the calling code runs on. Cheap to clone.
#[derive(Clone)]
pub struct Rt {
    // None: Tokio's own clock and timers.
    timers: Option<Arc<Timers>>,
    // None: the Tokio runtime that the caller runs on.
    spawner: Option<Arc<dyn Spawn>>,
}

impl fmt::Debug for Rt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.timers.is_some() { "Rt(virtual time)" } else { "Rt(native)" })
    }
}

impl Rt {
    /// The Tokio runtime that the caller runs on, with real time.
    #[cfg(feature = "native")]
    #[must_use]
    pub fn native() -> Self {
        Self { timers: None, spawner: None }
    }

    /// The Tokio runtime that the caller runs on, whose time is `timers`.
    #[must_use]
    pub fn with_timers(timers: Arc<Timers>) -> Self {
        Self { timers: Some(timers), spawner: None }
    }

    /// A runtime of ours, whose time is `timers`.
    #[must_use]
    pub(crate) fn ours(timers: Arc<Timers>, spawner: Arc<dyn Spawn>) -> Self {
        Self { timers: Some(timers), spawner: Some(spawner) }
    }

    /// Spawns a task called `label number`, to be seen at the caller's place in the source.
    ///
    /// # Panics
    /// Outside a Tokio runtime.
    #[track_caller]
    pub fn spawn<F>(&self, label: &'static str, number: u32, future: F) -> JoinHandle<F::Output>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        if cfg!(feature = "scope") {
            let traced = Traced::new(label, number, Location::caller(), future);
            ledger::spawned(traced.task(), label, number);
            step::acted();
            self.spawn_as(Some(traced.task()), traced)
        } else {
            self.spawn_as(None, future)
        }
    }

    #[inline]
    fn spawn_as<F>(&self, task: Option<TaskId>, future: F) -> JoinHandle<F::Output>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        match &self.spawner {
            #[expect(clippy::disallowed_methods, reason = "the door itself")]
            None => JoinHandle::tokio(task, tokio::task::spawn(future)),
            Some(spawner) => JoinHandle::ours(spawner, task, future),
        }
    }

    /// Lets the other tasks run first.
    pub async fn yield_now(&self) {
        if record::is_on() {
            record::yields();
        }
        ledger::read("yields");
        #[expect(clippy::disallowed_methods, reason = "the door itself")]
        tokio::task::yield_now().await;
    }

    /// Waits until `duration` has passed. Cancellation safe. Millisecond resolution natively, exact under an engine.
    #[must_use]
    pub fn sleep(&self, duration: Duration) -> Sleep {
        Sleep::new(self.timers.as_ref(), duration)
    }

    /// Keeps the worker busy for `duration`, without giving way. Under an engine virtual time passes; natively `work` is done
    /// over and over until real time has, or until it returns false.
    pub fn compute(&self, duration: Duration, mut work: impl FnMut() -> bool) {
        let for_ns = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        if !record::pass(for_ns) {
            let until_ns = self.now_ns().saturating_add(for_ns);
            while self.now_ns() < until_ns && work() {}
        }
    }

    /// `future`'s output, or `None` if `duration` passes first; then `future` is dropped.
    pub async fn timeout<F: Future>(&self, duration: Duration, future: F) -> Option<F::Output> {
        tokio::select! {
            // In order, not at random: a run must repeat.
            biased;
            output = future => Some(output),
            () = self.sleep(duration) => None,
        }
    }

    /// Nanoseconds of a clock that never goes back. Its zero is the recording's epoch.
    #[must_use]
    pub fn now_ns(&self) -> u64 {
        match &self.timers {
            Some(timers) => timers.now_ns(),
            None => time::native_now_ns(),
        }
    }

    /// Milliseconds since 1970 by the wall clock, which may jump. Under an engine: its fixed start plus virtual time.
    #[must_use]
    pub fn unix_ms(&self) -> u64 {
        match &self.timers {
            Some(timers) => timers.unix_ms(),
            None => time::native_unix_ms(),
        }
    }
}
