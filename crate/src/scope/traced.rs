//! The future around every spawned task, and the waker that knows who woke it.
//!
//! Works on stock Tokio: all it needs is to be polled and to be handed wakers. Measured cheaper than the runtime's own
//! unstable hooks, and unlike them it sees wakes. Knows nothing of what the task does.

use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use pin_project_lite::pin_project;

use super::event::{EndKind, Event, PollOutcome, TaskId};
use super::record;

pin_project! {
    /// `inner` as a task that can be seen.
    ///
    /// Cancellation safe exactly as `inner` is. Costs a relaxed load and a look at the waker a poll while nobody watches.
    pub(crate) struct Traced<F> {
        life: Life,
        // The waker handed to `inner` last, made anew only when the runtime's own waker changes.
        waker: Option<TracedWaker>,
        // None once it has completed: dropped inside the last poll, so that the wakes its drop causes are its own.
        #[pin]
        inner: Option<F>,
    }

    impl<F> PinnedDrop for Traced<F> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            if this.inner.is_some() {
                let before = record::enter(this.life.task);
                this.inner.set(None);
                record::leave(before);
            }
        }
    }
}

impl<F> Traced<F> {
    /// Records the spawn, at `place`, of a task called `text number`.
    pub(crate) fn new(text: &'static str, number: u32, place: &'static Location<'static>, inner: F) -> Self {
        let task = record::spawned(text, number, place);
        Self { life: Life { task, ended: false }, waker: None, inner: Some(inner) }
    }

    /// Which task this is.
    pub(crate) fn task(&self) -> TaskId {
        self.life.task
    }
}

impl<F: Future> Future for Traced<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let mut this = self.project();
        let inner = this.inner.as_mut().as_pin_mut().expect("a runtime polls no future after it completed");
        // Handed out while nobody watches too: whoever comes to watch then sees the wake of a task that sleeps by now.
        let waker = match this.waker {
            Some(waker) if waker.target.runtime.will_wake(cx.waker()) => waker,
            stale => stale.insert(TracedWaker::new(this.life.task, cx.waker())),
        };
        waker.target.deferred.store(false, Ordering::Relaxed);
        let mut cx = Context::from_waker(&waker.waker);
        if !record::is_on() {
            let poll = inner.poll(&mut cx);
            if poll.is_ready() {
                this.life.end(EndKind::Completed);
            }
            return poll;
        }

        let mut visit = Visit::begin(this.life);
        let poll = inner.poll(&mut cx);
        if poll.is_ready() {
            this.inner.set(None);
            visit.completed();
        } else if record::did_yield() {
            waker.target.deferred.store(true, Ordering::Relaxed);
            visit.outcome = PollOutcome::Yield;
        } else if !tokio::task::coop::has_budget_remaining() {
            waker.target.deferred.store(true, Ordering::Relaxed);
            visit.outcome = PollOutcome::CoopYield;
        } else {
            visit.outcome = PollOutcome::Pending;
        }
        poll
    }
}

/// A task's identity, and whether its end was told.
struct Life {
    task: TaskId,
    ended: bool,
}

impl Life {
    fn end(&mut self, how: EndKind) {
        if !std::mem::replace(&mut self.ended, true) {
            record::record(Event::End { task: self.task, how });
            record::with_registry(|registry| registry.ended(self.task));
        }
    }
}

impl Drop for Life {
    fn drop(&mut self) {
        self.end(EndKind::Cancelled);
    }
}

/// One recorded poll, ended by its drop: a panic ends it too.
struct Visit<'a> {
    life: &'a mut Life,
    before: Option<TaskId>,
    outcome: PollOutcome,
}

impl<'a> Visit<'a> {
    fn begin(life: &'a mut Life) -> Self {
        let before = record::poll_starts(life.task);
        Self { life, before, outcome: PollOutcome::Panicked }
    }

    fn completed(&mut self) {
        self.outcome = PollOutcome::Ready;
        self.life.end(EndKind::Completed);
    }
}

impl Drop for Visit<'_> {
    fn drop(&mut self) {
        if self.outcome == PollOutcome::Panicked {
            self.life.end(EndKind::Panicked);
        }
        record::poll_ends(self.before, self.outcome);
    }
}

struct TracedWaker {
    target: Arc<Target>,
    // Made from `target` once; cloning a waker is what futures do with it.
    waker: Waker,
}

struct Target {
    task: TaskId,
    runtime: Waker,
    /// The last poll ended by giving way; Tokio wakes the task later from its list of deferred wakers.
    deferred: AtomicBool,
}

impl TracedWaker {
    fn new(task: TaskId, runtime: &Waker) -> Self {
        let target = Arc::new(Target { task, runtime: runtime.clone(), deferred: AtomicBool::new(false) });
        Self { waker: Waker::from(Arc::clone(&target)), target }
    }
}

impl Wake for Target {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let deferred = self.deferred.load(Ordering::Relaxed);
        if record::is_on() && !record::woken(self.task, deferred, || Waker::from(Arc::clone(self))) {
            return;
        }
        self.runtime.wake_by_ref();
    }
}

/// A waker for a `JoinHandle`, so that the wake it brings is known for what it is: Tokio wakes the joiner after the last
/// poll has returned, when no task is current.
#[derive(Debug)]
pub(crate) struct JoinWaker {
    target: Arc<JoinTarget>,
    waker: Waker,
}

#[derive(Debug)]
struct JoinTarget {
    ends: TaskId,
    joiner: Waker,
}

impl JoinWaker {
    /// Wakes `joiner`, as the end of `ends`.
    pub(crate) fn new(ends: TaskId, joiner: &Waker) -> Self {
        let target = Arc::new(JoinTarget { ends, joiner: joiner.clone() });
        Self { waker: Waker::from(Arc::clone(&target)), target }
    }

    /// Whether it would wake as `joiner` does.
    pub(crate) fn serves(&self, joiner: &Waker) -> bool {
        self.target.joiner.will_wake(joiner)
    }

    /// What to hand to the `JoinHandle`.
    pub(crate) fn waker(&self) -> &Waker {
        &self.waker
    }
}

impl Wake for JoinTarget {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        record::joining(self.ends, || self.joiner.wake_by_ref());
    }
}
