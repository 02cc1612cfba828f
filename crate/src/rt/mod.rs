//! The one door to the runtime: spawn, join, sleep, yield, locks, channels and the clock, each recorded.
//!
//! Natively a thin layer over Tokio; under an [engine](crate::engine) the same `tokio::sync` types over virtual time.
//! Code that runs as a task uses nothing else, which is how every cause of waiting is known and how one body of code runs
//! in both places. Knows no store, no command and no client.

mod channel;
mod lock;
mod time;

use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use crate::scope::event::{Event, TaskId};
use crate::scope::record;
use crate::scope::traced::{JoinWaker, Traced};

pub use self::channel::{Answer, Answers, Promise, Receiver, Sender, channel};
pub use self::lock::{AsyncMutex, AsyncMutexGuard, Mutex, MutexGuard};
pub use self::time::{Sleep, Timers};

/// A handle to the runtime that the calling code runs on. Cheap to clone.
#[derive(Clone)]
pub struct Rt {
    // None: Tokio's own clock and timers.
    timers: Option<Arc<Timers>>,
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
        Self { timers: None }
    }

    /// A runtime whose time is `timers`.
    #[must_use]
    pub fn with_timers(timers: Arc<Timers>) -> Self {
        Self { timers: Some(timers) }
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
        #[expect(clippy::disallowed_methods, reason = "the door itself")]
        if cfg!(feature = "scope") {
            let traced = Traced::new(label, number, Location::caller(), future);
            JoinHandle { task: Some(traced.task()), waker: None, inner: tokio::task::spawn(traced) }
        } else {
            JoinHandle { task: None, waker: None, inner: tokio::task::spawn(future) }
        }
    }

    /// Lets the other tasks run first.
    pub async fn yield_now(&self) {
        if record::is_on() {
            record::yields();
        }
        #[expect(clippy::disallowed_methods, reason = "the door itself")]
        tokio::task::yield_now().await;
    }

    /// Waits until `duration` has passed. Cancellation safe. Millisecond resolution natively, exact under an engine.
    #[must_use]
    pub fn sleep(&self, duration: Duration) -> Sleep {
        Sleep::new(self.timers.as_ref(), duration)
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

/// Awaits the end of a spawned task. Dropping it lets the task go on, as Tokio's does.
#[derive(Debug)]
pub struct JoinHandle<T> {
    task: Option<TaskId>,
    // Made at the first wait that is watched, anew only when the joiner's own waker changes.
    waker: Option<JoinWaker>,
    inner: tokio::task::JoinHandle<T>,
}

impl<T> JoinHandle<T> {
    /// Cancels the task at its next wait.
    pub fn abort(&self) {
        self.inner.abort();
    }

    /// Whether the task has ended.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.inner.is_finished()
    }
}

impl<T> Future for JoinHandle<T> {
    type Output = Result<T, tokio::task::JoinError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(task) = self.task.filter(|_| record::is_on() && !self.inner.is_finished()) else {
            return Pin::new(&mut self.inner).poll(cx);
        };
        let Self { waker, inner, .. } = &mut *self;
        let first = waker.is_none();
        let waker = match waker {
            Some(waker) if waker.serves(cx.waker()) => waker,
            stale => stale.insert(JoinWaker::new(task, cx.waker())),
        };
        let poll = Pin::new(inner).poll(&mut Context::from_waker(waker.waker()));
        if poll.is_pending() && first {
            record::record(Event::JoinWait { on: task });
        }
        poll
    }
}
