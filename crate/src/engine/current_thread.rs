//! Tokio's current-thread runtime, one poll a step, in virtual time.
//!
//! The runtime is the real one: its queues, its wakers, its coop budget. What is ours is when it runs, what time it is, and
//! when the driver has its turn: a runtime left to itself lets it have one after 61 polls, or when no task is ready
//! (`runtime/scheduler/current_thread/mod.rs`, `block_on`), but a runtime that is stepped comes by after each poll. So
//! what the driver would do, waking for bytes and timers and waking the tasks that gave way, is kept until its time.
//! Nothing here waits: when no task is ready the host is told until when, and moves the clock.

use std::cell::RefCell;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use tokio::runtime::{Builder, Runtime};
use tokio::task::coop;

use crate::rt::{Rt, Timers};
use crate::scope::event::{Stamped, TaskId, WorkerId};
use crate::scope::frame::{Frame, Origin};
use crate::scope::record::{EngineRecording, Fresh, Keep, Kept};

/// Polls after which the driver has its turn even if tasks are ready (`runtime/builder.rs`, `event_interval`).
const EVENT_INTERVAL: u32 = 61;

/// A current-thread Tokio runtime that polls one task whenever it is told to.
///
/// One a thread: its recording is the thread's. Dropping it cancels its tasks.
#[derive(Debug)]
pub struct CurrentThread {
    // Dropped before the recording, so that the cancelled tasks still have one.
    runtime: Runtime,
    timers: Arc<Timers>,
    polls_since_driver: u32,
    /// Whom the host's bytes woke, for the driver to tell.
    arrived: RefCell<Vec<Kept>>,
    /// Who gave way, for the driver to wake, the last first.
    deferred: Vec<Kept>,
    recording: EngineRecording,
}

/// What one step did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// A task was polled.
    Polled,
    /// No task is ready. The next sleep ends at `next_deadline_ns` of virtual time, if any task sleeps.
    Idle {
        /// Nanoseconds since the engine's start.
        next_deadline_ns: Option<u64>,
    },
}

impl CurrentThread {
    /// How its recordings come about.
    pub const ORIGIN: Origin = Origin::Observed;

    /// A runtime without tasks, at 0 ns of virtual time, whose wall clock shows `started_unix_ms`.
    ///
    /// # Panics
    /// If the calling thread already has an engine.
    #[must_use]
    pub fn new(started_unix_ms: u64) -> Self {
        let timers = Arc::new(Timers::new(started_unix_ms));
        let recording = EngineRecording::start(timers.clock(), 1);
        // Its one worker, so that no poll has to ask Tokio which one it is on.
        recording.turn(0, WorkerId(0));
        // With an event interval of 1, Tokio comes back to `block_on`'s own future after every poll of a task.
        let runtime = Builder::new_current_thread()
            .event_interval(1)
            .build()
            .expect("a runtime without drivers asks nothing of the system");
        let arrived = RefCell::default();
        Self { runtime, timers, polls_since_driver: 0, arrived, deferred: Vec::new(), recording }
    }

    /// The door through which code on this runtime spawns, sleeps and tells the time.
    #[must_use]
    pub fn rt(&self) -> Rt {
        Rt::with_timers(Arc::clone(&self.timers))
    }

    /// Virtual nanoseconds since the start.
    #[must_use]
    pub fn now_ns(&self) -> u64 {
        self.timers.now_ns()
    }

    /// Runs `f` inside the runtime, outside any task: to spawn the first ones, or to put bytes into a pipe. Whom it
    /// wakes is woken by the driver, when that has its turn.
    pub fn enter<R>(&self, f: impl FnOnce() -> R) -> R {
        let _guard = self.runtime.enter();
        self.recording.keep(Keep::All);
        let result = f();
        self.recording.keep(Keep::Nothing);
        self.recording.release(|kept| self.arrived.borrow_mut().push(kept));
        result
    }

    /// Moves the clock on to `now_ns`. Who has slept long enough is woken by the driver, when that has its turn.
    pub fn advance_to(&self, now_ns: u64) {
        self.timers.advance_to(now_ns);
    }

    /// Polls the next ready task, if there is one.
    pub fn step(&mut self) -> Step {
        let mut first = true;
        self.run(|_, _| std::mem::replace(&mut first, false))
    }

    /// Makes steps until no task is ready, or until `goes_on` says no, which is asked before each. What it does, it does as if
    /// [entered](Self::enter), but it must not spawn: its tasks would not wait where those wait that are spawned from outside.
    ///
    /// The runtime is entered once for all of these steps. Entering is a third of what a step by itself costs.
    pub fn steps(&mut self, mut goes_on: impl FnMut() -> bool) -> Step {
        self.run(|recording, arrived| {
            recording.keep(Keep::All);
            // What the host moves is no task's: none of it counts.
            let mut asked = coop::unconstrained(poll_fn(|_| Poll::Ready(goes_on())));
            let Poll::Ready(goes_on) = Pin::new(&mut asked).poll(&mut Context::from_waker(Waker::noop()))
            else {
                unreachable!("it is always ready");
            };
            recording.settle(|kept| arrived.push(kept));
            goes_on
        })
    }

    /// Makes steps within one `block_on`, whose own future is polled between two of them.
    fn run(&mut self, mut goes_on: impl FnMut(&EngineRecording, &mut Vec<Kept>) -> bool) -> Step {
        let Self { runtime, timers, polls_since_driver, arrived, deferred, recording } = self;
        let (timers, recording, arrived) = (&**timers, &*recording, arrived.get_mut());
        // The step that is under way: how many polls there were before it, and whether the driver has had its turn in it.
        let mut begun: Option<(u64, bool)> = None;
        runtime.block_on(poll_fn(|cx| {
            let driver = match begun {
                None => {
                    if !goes_on(recording, arrived) {
                        return Poll::Ready(Step::Polled);
                    }
                    *polls_since_driver >= EVENT_INTERVAL
                }
                Some((before, driver)) => {
                    // Tokio woke them from the end of its list.
                    let first = deferred.len();
                    let polls = recording.settle(|kept| deferred.push(kept));
                    deferred[first..].reverse();
                    if polls != before {
                        *polls_since_driver += 1;
                        if !goes_on(recording, arrived) {
                            return Poll::Ready(Step::Polled);
                        }
                        *polls_since_driver >= EVENT_INTERVAL
                    } else if driver {
                        return Poll::Ready(Step::Idle { next_deadline_ns: timers.next_deadline_ns() });
                    } else {
                        // None was ready: it is the driver's turn.
                        true
                    }
                }
            };
            if driver {
                *polls_since_driver = 0;
                // Inside the runtime, so that they wait where a driver's would: in the local queue.
                recording.as_driver(|| {
                    arrived.drain(..).for_each(|kept| kept.waker.wake());
                    timers.fire();
                    deferred.drain(..).rev().for_each(|kept| kept.waker.wake());
                });
            }
            begun = Some((recording.keep(Keep::Deferred), driver));
            // Pending, having woken itself: `block_on` then polls one ready task, if there is one, and comes back.
            cx.waker().wake_by_ref();
            Poll::Pending
        }))
    }

    /// The sleeps that go on: when each ends, in virtual nanoseconds, and which task sleeps.
    #[must_use]
    pub fn sleeping(&self) -> Vec<(u64, Option<TaskId>)> {
        self.timers.sleeping()
    }

    /// The definitions and living tasks that a watcher who comes now must be told first.
    #[must_use]
    pub fn snapshot(&self) -> [Frame; 2] {
        self.recording.snapshot()
    }

    /// Appends what was recorded since the last call.
    pub fn take_frames(&self, frames: &mut Vec<Frame>) {
        self.recording.take(frames, self.now_ns());
    }

    /// Looks at the events that were recorded since they were last taken.
    pub(super) fn peek<R>(&self, look: impl FnOnce(&[Stamped]) -> R) -> R {
        self.recording.peek(look)
    }

    /// Hands out what was recorded since the last call.
    pub(super) fn drain(&self, each: impl FnMut(Fresh<'_>)) {
        self.recording.drain(each);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::time::Duration;

    use insta::assert_snapshot;

    use super::*;
    use crate::rt::{AsyncMutex, channel};
    use crate::scope::event::Event;

    /// Runs `program` inside a task until nothing is ready any more, letting sleepers have their time; gives what was
    /// recorded. (Tasks spawned from outside wait in the injection queue, behind all those that wake each other.)
    fn run(program: impl FnOnce(Rt) + Send + 'static) -> Vec<Event> {
        let mut engine = CurrentThread::new(0);
        let rt = engine.rt();
        engine.enter(|| rt.clone().spawn("main", 0, async move { program(rt) }));
        loop {
            match engine.step() {
                Step::Polled => {}
                Step::Idle { next_deadline_ns: Some(deadline_ns) } => engine.advance_to(deadline_ns),
                Step::Idle { next_deadline_ns: None } => break,
            }
        }
        let mut frames = Vec::new();
        engine.take_frames(&mut frames);
        let chunks = frames.into_iter().filter_map(|frame| match frame {
            Frame::Events(chunk) => Some(chunk.events),
            _ => None,
        });
        chunks.flatten().map(|stamped| stamped.event).collect()
    }

    fn lines(events: &[Event]) -> String {
        events.iter().map(|event| format!("{event:?}\n")).collect()
    }

    #[test]
    fn a_step_is_one_poll() {
        let mut engine = CurrentThread::new(0);
        let rt = engine.rt();
        let log = Arc::new(Mutex::new(Vec::new()));
        engine.enter(|| {
            for number in 0..3 {
                let log = Arc::clone(&log);
                rt.spawn("task", number, async move { log.lock().unwrap().push(number) });
            }
        });
        for done in 1..=3 {
            assert_eq!(engine.step(), Step::Polled);
            assert_eq!(log.lock().unwrap().len(), done);
        }
        assert_eq!(engine.step(), Step::Idle { next_deadline_ns: None });
    }

    #[test]
    fn many_steps_at_once_are_the_same_steps() {
        let run = |at_once: usize| {
            let mut engine = CurrentThread::new(0);
            let (rt, gate) = (engine.rt(), Arc::new(tokio::sync::Semaphore::new(0)));
            let lock = Arc::new(AsyncMutex::new("store", 0, 0));
            engine.enter(|| {
                for number in 0..8 {
                    let (rt2, lock, gate) = (rt.clone(), Arc::clone(&lock), Arc::clone(&gate));
                    rt.spawn("task", number, async move {
                        for round in 0..40 {
                            match (round + number) % 4 {
                                0 => rt2.sleep(Duration::from_millis(u64::from(number % 3))).await,
                                1 => *lock.lock().await += 1,
                                2 => drop(gate.acquire().await),
                                _ => rt2.yield_now().await,
                            }
                        }
                    });
                }
            });
            let mut asked = 0;
            // From outside, before some steps.
            let mut host = || {
                asked += 1;
                gate.add_permits(usize::from(asked % 5 == 0));
            };
            loop {
                let step = if at_once == 1 {
                    engine.enter(&mut host);
                    engine.step()
                } else {
                    let mut left = at_once;
                    engine.steps(|| {
                        let goes_on = left > 0;
                        if goes_on {
                            left -= 1;
                            host();
                        }
                        goes_on
                    })
                };
                match step {
                    Step::Polled => {}
                    Step::Idle { next_deadline_ns: Some(deadline_ns) } => engine.advance_to(deadline_ns),
                    Step::Idle { next_deadline_ns: None } => break,
                }
            }
            let mut frames = Vec::new();
            engine.take_frames(&mut frames);
            frames
        };
        let one_by_one = run(1);
        assert_eq!(run(3), one_by_one);
        assert_eq!(run(1_000), one_by_one);
    }

    #[test]
    fn a_task_that_waits_for_another_is_woken_by_its_end() {
        let events = run(|rt| {
            let inner = rt.clone();
            rt.spawn("outer", 0, async move {
                inner.spawn("inner", 0, async {}).await.unwrap();
            });
        });
        assert_snapshot!(lines(&events), @r"
        Spawn { task: TaskId(1), label: LabelId(0), number: 0 }
        PollStart { task: TaskId(1), worker: WorkerId(0) }
        Spawn { task: TaskId(2), label: LabelId(1), number: 0 }
        End { task: TaskId(1), how: Completed }
        PollEnd { outcome: Ready }
        PollStart { task: TaskId(2), worker: WorkerId(0) }
        Spawn { task: TaskId(3), label: LabelId(2), number: 0 }
        JoinWait { on: TaskId(3) }
        PollEnd { outcome: Pending }
        PollStart { task: TaskId(3), worker: WorkerId(0) }
        End { task: TaskId(3), how: Completed }
        PollEnd { outcome: Ready }
        Wake { task: TaskId(2), by: Finished(TaskId(3)) }
        PollStart { task: TaskId(2), worker: WorkerId(0) }
        End { task: TaskId(2), how: Completed }
        PollEnd { outcome: Ready }
        ");
    }

    #[test]
    fn a_lock_is_handed_over() {
        let events = run(|rt| {
            let lock = Arc::new(AsyncMutex::new("store", 0, ()));
            for number in 0..2 {
                let (rt2, lock) = (rt.clone(), Arc::clone(&lock));
                rt.spawn("task", number, async move {
                    let _held = lock.lock().await;
                    rt2.yield_now().await;
                });
            }
        });
        assert_snapshot!(lines(&events), @r"
        Spawn { task: TaskId(1), label: LabelId(0), number: 0 }
        PollStart { task: TaskId(1), worker: WorkerId(0) }
        Spawn { task: TaskId(2), label: LabelId(1), number: 0 }
        Spawn { task: TaskId(3), label: LabelId(1), number: 1 }
        End { task: TaskId(1), how: Completed }
        PollEnd { outcome: Ready }
        PollStart { task: TaskId(2), worker: WorkerId(0) }
        LockAcquired { lock: ObjectId(0) }
        PollEnd { outcome: Yield }
        PollStart { task: TaskId(3), worker: WorkerId(0) }
        LockWait { lock: ObjectId(0) }
        PollEnd { outcome: Pending }
        Wake { task: TaskId(2), by: Task(TaskId(2)) }
        PollStart { task: TaskId(2), worker: WorkerId(0) }
        LockReleased { lock: ObjectId(0) }
        Wake { task: TaskId(3), by: Task(TaskId(2)) }
        LockGranted { lock: ObjectId(0), to: TaskId(3) }
        End { task: TaskId(2), how: Completed }
        PollEnd { outcome: Ready }
        PollStart { task: TaskId(3), worker: WorkerId(0) }
        LockAcquired { lock: ObjectId(0) }
        PollEnd { outcome: Yield }
        Wake { task: TaskId(3), by: Task(TaskId(3)) }
        PollStart { task: TaskId(3), worker: WorkerId(0) }
        LockReleased { lock: ObjectId(0) }
        End { task: TaskId(3), how: Completed }
        PollEnd { outcome: Ready }
        ");
    }

    #[test]
    fn sleepers_wake_in_the_order_of_their_deadlines() {
        let order = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&order);
        run(move |rt| {
            for ms in [30, 10, 20] {
                let (sleeper, order) = (rt.clone(), Arc::clone(&order));
                rt.spawn("sleeper", ms, async move {
                    sleeper.sleep(Duration::from_millis(ms.into())).await;
                    order.lock().unwrap().push(ms);
                });
            }
        });
        assert_eq!(*seen.lock().unwrap(), [10, 20, 30]);
    }

    #[test]
    fn a_sleeper_is_woken_by_the_driver_whatever_ended_before() {
        let events = run(|rt| {
            let sleeper = rt.clone();
            rt.spawn("sleeper", 0, async move { sleeper.sleep(Duration::from_millis(5)).await });
            rt.spawn("short", 0, async {});
        });
        let wakes: Vec<_> = events.into_iter().filter(|event| matches!(event, Event::Wake { .. })).collect();
        assert_snapshot!(lines(&wakes), @"Wake { task: TaskId(2), by: Driver }");
    }

    #[test]
    fn a_timeout_ends_the_wait() {
        let ended = Arc::new(Mutex::new(None));
        let seen = Arc::clone(&ended);
        run(move |rt| {
            let waiter = rt.clone();
            rt.spawn("waiter", 0, async move {
                let never = std::future::pending::<()>();
                let output = waiter.timeout(Duration::from_millis(5), never).await;
                *ended.lock().unwrap() = Some((output, waiter.now_ns() >= 5_000_000));
            });
        });
        assert_eq!(*seen.lock().unwrap(), Some((None, true)));
    }

    #[test]
    fn a_full_channel_holds_the_sender_back() {
        let events = run(|rt| {
            let (sender, mut receiver) = channel("mail", 1);
            rt.spawn("sender", 0, async move {
                for letter in 0..3 {
                    sender.send(letter).await.unwrap();
                }
            });
            rt.spawn("receiver", 0, async move { while receiver.receive().await.is_some() {} });
        });
        let waits = events.iter().filter(|event| matches!(event, Event::SendWait { .. })).count();
        let received = events.iter().filter(|event| matches!(event, Event::Receive { .. })).count();
        assert_eq!((waits, received), (2, 3), "{}", lines(&events));
    }

    #[test]
    fn the_same_program_gives_the_same_events() {
        let program = |rt: Rt| {
            let lock = Arc::new(AsyncMutex::new("store", 0, 0));
            for number in 0..8 {
                let (rt2, lock) = (rt.clone(), Arc::clone(&lock));
                rt.spawn("task", number, async move {
                    rt2.sleep(Duration::from_millis(u64::from(number % 3))).await;
                    *lock.lock().await += 1;
                    rt2.yield_now().await;
                });
            }
        };
        assert_eq!(run(program), run(program));
    }

    #[test]
    fn tasks_left_over_are_cancelled() {
        let engine = CurrentThread::new(0);
        let rt = engine.rt();
        let dropped = Arc::new(Mutex::new(false));
        struct OnDrop(Arc<Mutex<bool>>);
        impl Drop for OnDrop {
            fn drop(&mut self) {
                *self.0.lock().unwrap() = true;
            }
        }
        let flag = OnDrop(Arc::clone(&dropped));
        engine.enter(|| {
            rt.spawn("waiter", 0, async move {
                let _flag = flag;
                std::future::pending::<()>().await;
            })
        });
        drop(engine);
        assert!(*dropped.lock().unwrap());
    }
}
