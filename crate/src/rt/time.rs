//! Sleeping and clocks: Tokio's natively, an engine's own in virtual time.
//!
//! Tokio's timer does not exist in a browser tab, and a run that must repeat cannot ask the machine what time it is.
//! [`Timers`] is what replaces both: a clock that somebody else moves, and the sleeps it ends. Knows nothing of who moves it.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use litemap::LiteMap;
use tokio::task::coop;

use super::ledger;
use crate::scope::event::{Event, TaskId};
use crate::scope::record;

/// Virtual time and the tasks that sleep in it.
#[derive(Debug)]
pub struct Timers {
    // Shared with the recorder, whose every event moves it on.
    now_ns: Arc<AtomicU64>,
    started_unix_ms: u64,
    sleepers: Mutex<Sleepers>,
}

#[derive(Debug, Default)]
struct Sleepers {
    // By deadline, then by the order in which they went to sleep; with the task that sleeps, if it is recorded.
    wakers: LiteMap<(u64, u64), (Waker, Option<TaskId>)>,
    slept: u64,
}

impl Timers {
    /// A clock at 0 ns, at which the wall clock shows `started_unix_ms`.
    #[must_use]
    pub fn new(started_unix_ms: u64) -> Self {
        Self { now_ns: Arc::default(), started_unix_ms, sleepers: Mutex::default() }
    }

    /// Virtual nanoseconds since the start.
    #[must_use]
    pub fn now_ns(&self) -> u64 {
        self.now_ns.load(Ordering::Relaxed)
    }

    /// What the wall clock shows in virtual time.
    #[must_use]
    pub fn unix_ms(&self) -> u64 {
        self.started_unix_ms + self.now_ns() / 1_000_000
    }

    /// Moves the clock on to `now_ns` (never back).
    pub fn advance_to(&self, now_ns: u64) {
        self.now_ns.fetch_max(now_ns, Ordering::Relaxed);
    }

    /// Sets the clock, back too: to that of the worker whose turn it is.
    pub(crate) fn set(&self, now_ns: u64) {
        self.now_ns.store(now_ns, Ordering::Relaxed);
    }

    /// When the next sleep ends.
    #[must_use]
    pub fn next_deadline_ns(&self) -> Option<u64> {
        self.sleepers().wakers.first().map(|(&(deadline_ns, _), _)| deadline_ns)
    }

    /// Wakes whoever has slept long enough, in the order of their deadlines; returns how many.
    pub fn fire(&self) -> usize {
        let later = self.now_ns() + 1;
        let due = {
            let mut sleepers = self.sleepers();
            let mut due = std::mem::take(&mut sleepers.wakers).into_tuple_vec();
            let rest = due.split_off(due.partition_point(|(entry, _)| *entry < (later, 0)));
            sleepers.wakers = LiteMap::from_sorted_store_unchecked(rest);
            due
        };
        let count = due.len();
        due.into_iter().for_each(|(_, (waker, _))| waker.wake());
        count
    }

    /// The sleeps that go on: when each ends, in nanoseconds of virtual time, and which task sleeps, if that is recorded.
    #[must_use]
    pub fn sleeping(&self) -> Vec<(u64, Option<TaskId>)> {
        let sleepers = self.sleepers();
        sleepers.wakers.iter().map(|(&(deadline_ns, _), (_, task))| (deadline_ns, *task)).collect()
    }

    /// The clock itself, for the recorder.
    pub(crate) fn clock(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.now_ns)
    }

    fn sleepers(&self) -> MutexGuard<'_, Sleepers> {
        // Held for map operations only; no user code can panic inside.
        self.sleepers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pin_project_lite::pin_project! {
    /// Ends when its time has come. Made by [`super::Rt::sleep`].
    pub struct Sleep {
        for_us: u32,
        told: bool,
        #[pin]
        timer: Timer,
    }
}

#[cfg(feature = "native")]
pin_project_lite::pin_project! {
    #[project = TimerProj]
    enum Timer {
        Native { #[pin] sleep: tokio::time::Sleep },
        Virtual { sleep: VirtualSleep },
    }
}

#[cfg(not(feature = "native"))]
pin_project_lite::pin_project! {
    #[project = TimerProj]
    enum Timer {
        Virtual { sleep: VirtualSleep },
    }
}

struct VirtualSleep {
    timers: Arc<Timers>,
    deadline_ns: u64,
    entry: Option<(u64, u64)>,
}

impl Sleep {
    pub(super) fn new(timers: Option<&Arc<Timers>>, duration: Duration) -> Self {
        let timer = match timers {
            Some(timers) => {
                let deadline_ns = timers.now_ns().saturating_add(duration.as_nanos() as u64);
                Timer::Virtual {
                    sleep: VirtualSleep { timers: Arc::clone(timers), deadline_ns, entry: None },
                }
            }
            #[cfg(feature = "native")]
            #[expect(clippy::disallowed_methods, reason = "the door itself")]
            None => Timer::Native { sleep: tokio::time::sleep(duration) },
            #[cfg(not(feature = "native"))]
            None => unreachable!("without the feature `native` every `Rt` has timers"),
        };
        Self { for_us: u32::try_from(duration.as_micros()).unwrap_or(u32::MAX), told: false, timer }
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.project();
        let poll = match this.timer.project() {
            #[cfg(feature = "native")]
            TimerProj::Native { sleep } => sleep.poll(cx),
            TimerProj::Virtual { sleep } => sleep.poll(cx),
        };
        if poll.is_pending() && !std::mem::replace(this.told, true) {
            record::record(Event::Sleep { for_us: *this.for_us });
        }
        poll
    }
}

impl VirtualSleep {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        // At the price that the end of Tokio's sleep has: one of the task's budget (`time/sleep.rs`).
        let budget = ready!(coop::poll_proceed(cx));
        if self.timers.now_ns() >= self.deadline_ns {
            budget.made_progress();
            return Poll::Ready(());
        }
        let mut sleepers = self.timers.sleepers();
        let entry = *self.entry.get_or_insert_with(|| {
            sleepers.slept += 1;
            ledger::read(self.deadline_ns);
            (self.deadline_ns, sleepers.slept)
        });
        sleepers.wakers.insert(entry, (cx.waker().clone(), record::current().or_else(ledger::current)));
        Poll::Pending
    }
}

impl Drop for VirtualSleep {
    fn drop(&mut self) {
        if let Some(entry) = self.entry {
            self.timers.sleepers().wakers.remove(&entry);
        }
    }
}

#[cfg(feature = "native")]
pub(super) fn native_now_ns() -> u64 {
    crate::scope::hub::now_ns()
}

#[cfg(feature = "native")]
#[expect(clippy::disallowed_methods, reason = "the door itself")]
pub(super) fn native_unix_ms() -> u64 {
    // A wall clock before 1970 is not worth a crash.
    std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |since| since.as_millis() as u64)
}

#[cfg(not(feature = "native"))]
pub(super) fn native_now_ns() -> u64 {
    unreachable!("without the feature `native` every `Rt` has timers")
}

#[cfg(not(feature = "native"))]
pub(super) fn native_unix_ms() -> u64 {
    unreachable!("without the feature `native` every `Rt` has timers")
}
