//! Spawned tasks: the handle that awaits a task's end, and what a runtime of ours must offer to run one.
//!
//! On Tokio a [`JoinHandle`] is Tokio's own, recorded. A runtime of ours ([`Spawn`]) gets the task as one boxed future
//! without output; the output goes into a cell that the handle reads. Knows nothing of when a task runs.

use std::any::Any;
use std::error::Error;
use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};

use pin_project_lite::pin_project;
use tokio::task::coop;

use super::ledger;
use crate::scope::event::{Event, TaskId};
use crate::scope::record;
use crate::scope::traced::JoinWaker;

/// A task as a runtime of ours gets it. It never panics, and dropping it cancels the task.
pub(crate) type Body = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A runtime of ours, as the door to it needs one.
pub(crate) trait Spawn: Send + Sync {
    /// Takes on a task that is ready to be polled; the number by which [`Spawn::abort`] finds it. `task` is its name in
    /// the recording.
    fn spawn(&self, task: Option<TaskId>, body: Body) -> u64;

    /// Has the task dropped instead of polled, the next time it is its turn. Nothing if it has ended.
    fn abort(&self, key: u64);
}

/// Why a task has no output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JoinError {
    /// It was aborted, or its runtime shut down.
    Cancelled,
    /// It panicked.
    Panicked {
        /// What the panic said, if it was text.
        message: String,
    },
}

impl JoinError {
    fn panicked(payload: &(dyn Any + Send)) -> Self {
        let text = payload.downcast_ref::<&'static str>().copied();
        let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
        Self::Panicked { message: text.unwrap_or("a panic without a text").to_owned() }
    }
}

impl fmt::Display for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cancelled => f.write_str("the task was cancelled before it returned"),
            Self::Panicked { message } => write!(f, "the task panicked before it returned: {message}"),
        }
    }
}

impl Error for JoinError {}

impl From<tokio::task::JoinError> for JoinError {
    fn from(error: tokio::task::JoinError) -> Self {
        match error.try_into_panic() {
            Ok(payload) => Self::panicked(&*payload),
            Err(_) => Self::Cancelled,
        }
    }
}

/// Awaits the end of a spawned task. Dropping it lets the task go on, as Tokio's does.
#[derive(Debug)]
pub struct JoinHandle<T> {
    task: Option<TaskId>,
    // Made at the first wait that is watched, anew only when the joiner's own waker changes.
    waker: Option<JoinWaker>,
    inner: Inner<T>,
}

#[derive(Debug)]
enum Inner<T> {
    Tokio(tokio::task::JoinHandle<T>),
    Ours(Ours<T>),
}

impl<T> JoinHandle<T> {
    /// Awaits a task of the Tokio runtime the caller runs on.
    pub(super) fn tokio(task: Option<TaskId>, inner: tokio::task::JoinHandle<T>) -> Self {
        Self { task, waker: None, inner: Inner::Tokio(inner) }
    }

    /// Spawns `future` on a runtime of ours.
    pub(super) fn ours<F>(spawner: &Arc<dyn Spawn>, task: Option<TaskId>, future: F) -> Self
    where
        F: Future<Output = T> + Send + 'static,
        T: Send + 'static,
    {
        let end = Arc::new(End::default());
        let body = Box::pin(Joined { inner: Some(future), end: Arc::clone(&end) });
        let key = spawner.spawn(task, body);
        Self { task, waker: None, inner: Inner::Ours(Ours { end, spawner: Arc::clone(spawner), key }) }
    }

    /// Cancels the task at its next wait.
    pub fn abort(&self) {
        match &self.inner {
            Inner::Tokio(inner) => inner.abort(),
            Inner::Ours(inner) => inner.spawner.abort(inner.key),
        }
    }

    /// Whether the task has ended.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        match &self.inner {
            Inner::Tokio(inner) => inner.is_finished(),
            Inner::Ours(inner) => inner.end.lock().finished,
        }
    }
}

impl<T> Inner<T> {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<T, JoinError>> {
        match self {
            Self::Tokio(inner) => Pin::new(inner).poll(cx).map(|result| result.map_err(JoinError::from)),
            Self::Ours(inner) => inner.end.poll(cx),
        }
    }
}

impl<T> Future for JoinHandle<T> {
    type Output = Result<T, JoinError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(task) = self.task.filter(|_| record::is_on() && !self.is_finished()) else {
            return self.inner.poll(cx);
        };
        let Self { waker, inner, .. } = &mut *self;
        let first = waker.is_none();
        let waker = match waker {
            Some(waker) if waker.serves(cx.waker()) => waker,
            stale => stale.insert(JoinWaker::new(task, cx.waker())),
        };
        let poll = inner.poll(&mut Context::from_waker(waker.waker()));
        if poll.is_pending() && first {
            record::record(Event::JoinWait { on: task });
        }
        poll
    }
}

// Nothing in it is pinned: Tokio's handle and ours are both `Unpin`, whatever the output is.
impl<T> Unpin for JoinHandle<T> {}

/// A task on a runtime of ours.
struct Ours<T> {
    end: Arc<End<T>>,
    spawner: Arc<dyn Spawn>,
    key: u64,
}

impl<T> fmt::Debug for Ours<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ours").field("key", &self.key).finish_non_exhaustive()
    }
}

impl<T> Drop for Ours<T> {
    fn drop(&mut self) {
        // As Tokio's handle does: nobody is told of the end any more, and the output is dropped here.
        let mut end = self.end.lock();
        let unread = (end.output.take(), end.joiner.take());
        drop(end);
        drop(unread);
    }
}

/// Where a task of a runtime of ours leaves its output. Locked for moves in and out only, never while foreign code runs.
struct End<T>(Mutex<EndState<T>>);

struct EndState<T> {
    finished: bool,
    output: Option<Result<T, JoinError>>,
    joiner: Option<Waker>,
}

impl<T> Default for End<T> {
    fn default() -> Self {
        Self(Mutex::new(EndState { finished: false, output: None, joiner: None }))
    }
}

impl<T> End<T> {
    fn lock(&self) -> MutexGuard<'_, EndState<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The task ended; wakes whoever awaits that.
    fn reached(&self, output: Result<T, JoinError>) {
        let mut end = self.lock();
        end.finished = true;
        end.output = Some(output);
        let joiner = end.joiner.take();
        drop(end);
        if let Some(joiner) = joiner {
            joiner.wake();
        }
    }

    /// Takes the output, at the price that Tokio's join has: one of the task's budget (`runtime/task/join.rs`).
    fn poll(&self, cx: &mut Context<'_>) -> Poll<Result<T, JoinError>> {
        let budget = ready!(coop::poll_proceed(cx));
        let mut end = self.lock();
        if end.finished {
            ledger::read("joined");
        }
        if let Some(output) = end.output.take() {
            budget.made_progress();
            return Poll::Ready(output);
        }
        assert!(!end.finished, "a `JoinHandle` gives its output once: poll it no more after that");
        if !end.joiner.as_ref().is_some_and(|joiner| joiner.will_wake(cx.waker())) {
            end.joiner = Some(cx.waker().clone());
        }
        Poll::Pending
    }
}

pin_project! {
    /// `inner` with its output put where the handle finds it. A panic ends the task and nobody else.
    struct Joined<F: Future> {
        // None once it has ended.
        #[pin]
        inner: Option<F>,
        end: Arc<End<F::Output>>,
    }

    impl<F: Future> PinnedDrop for Joined<F> {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            if this.inner.is_some() {
                let error = dropped(this.inner).err().unwrap_or(JoinError::Cancelled);
                this.end.reached(Err(error));
            }
        }
    }
}

impl<F: Future> Future for Joined<F> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut this = self.project();
        let inner = this.inner.as_mut().as_pin_mut().expect("a runtime polls no task after its end");
        // What it left half-changed is dropped, or was shared by means that say so themselves.
        let output = match catch_unwind(AssertUnwindSafe(|| inner.poll(cx))) {
            Ok(poll) => Ok(ready!(poll)),
            Err(payload) => Err(JoinError::panicked(&*payload)),
        };
        // Dropped before the joiner knows. A panic in there is the task's too, and its output is not lost by it.
        let _ = dropped(this.inner);
        this.end.reached(output);
        Poll::Ready(())
    }
}

/// Drops what a task held. Tokio keeps a panic in there from its worker; so do we.
fn dropped<F>(mut future: Pin<&mut Option<F>>) -> Result<(), JoinError> {
    catch_unwind(AssertUnwindSafe(|| future.set(None))).map_err(|payload| JoinError::panicked(&*payload))
}
