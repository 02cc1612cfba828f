//! A runtime whose scheduler is whoever calls: each step lists what may happen next, and one of it is chosen.
//!
//! Any ready task may be polled next, and while any sleeps, its time may come, be others ready or not: whatever a scheduler
//! could do is a row of choices here. What was chosen is recorded, and the run made again from it ([`Choices`]). One worker;
//! a task that gave way is ready again at once. A poll is a step that ends before the second thing that others can see, so
//! that every two such things can be had in either order ([`rt::step`](crate::rt)). Knows no rule by which to choose.
//!
//! Time goes on by waiting and computing only: an event takes none, and a run goes the same way whether it is recorded or not.

use std::fmt;
use std::sync::Arc;

use super::choices::{Choices, Parted};
use super::pool::{Budget, Key, Pool, Scheduler, Stage};
use super::{Queues, WorkerQueues, WorkerState};
use crate::rt::ledger::Keeping;
use crate::rt::{Rt, Spawn, Timers, step};
use crate::scope::event::{TaskId, WorkerId};
use crate::scope::frame::{Frame, Origin};
use crate::scope::record::{EngineRecording, Fresh, Keep};

/// A runtime that is told each step which task to poll.
///
/// One engine a thread: its recording is the thread's. Dropping it cancels its tasks. A panic ends the task it
/// happens in; in WebAssembly it is a trap that ends the instance.
pub struct Manual {
    pool: Arc<Pool<Ready>>,
    stage: Stage,
    timers: Arc<Timers>,
    recording: EngineRecording,
    notes: Option<Keeping>,
    choices: Choices,
    midway: bool,
}

/// What may happen next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Choice {
    /// This task is polled.
    Poll(TaskId),
    /// Time goes on to the end of the next sleep, or that is past already; who has slept long enough is woken.
    Wait {
        /// Virtual nanoseconds since the start.
        until_ns: u64,
    },
}

/// Tasks that are ready, in the order in which they became so.
#[derive(Debug, Default)]
struct Ready(Vec<Key>);

impl Scheduler for Ready {
    fn schedule(&mut self, task: Key, _yields: bool) {
        self.0.push(task);
    }

    fn polled(&mut self, _task: Key) {}
}

impl Manual {
    /// How its recordings come about.
    pub const ORIGIN: Origin = Origin::Modelled;

    /// A runtime without tasks, at 0 ns of virtual time, whose wall clock shows `started_unix_ms`.
    ///
    /// # Panics
    /// If the calling thread already has an engine.
    #[must_use]
    pub fn new(started_unix_ms: u64) -> Self {
        let timers = Arc::new(Timers::new(started_unix_ms));
        let recording = EngineRecording::start_beside(timers.clock());
        Self::with(timers, recording)
    }

    /// As [`Self::new`], and nothing is recorded: the same choices lead to the same end, sooner.
    ///
    /// # Panics
    /// As [`Self::new`].
    #[must_use]
    pub fn unrecorded(started_unix_ms: u64) -> Self {
        let timers = Arc::new(Timers::new(started_unix_ms));
        let recording = EngineRecording::start_quiet(timers.clock());
        Self::with(timers, recording)
    }

    fn with(timers: Arc<Timers>, recording: EngineRecording) -> Self {
        recording.turn(0, WorkerId(0));
        recording.keep(Keep::GaveWay);
        Self {
            pool: Pool::new(Ready::default()),
            stage: Stage::new(),
            timers,
            recording,
            notes: None,
            choices: Choices::default(),
            midway: false,
        }
    }

    /// The door through which code on this runtime spawns, sleeps and tells the time.
    #[must_use]
    pub fn rt(&self) -> Rt {
        Rt::ours(Arc::clone(&self.timers), Arc::clone(&self.pool) as Arc<dyn Spawn>)
    }

    /// Virtual nanoseconds since the start, as tasks are told.
    #[must_use]
    pub fn now_ns(&self) -> u64 {
        self.timers.now_ns()
    }

    /// The same in the recording, where every event takes a moment: never less than [`Self::now_ns`].
    #[must_use]
    pub fn recorded_ns(&self) -> u64 {
        self.recording.now_ns()
    }

    /// Runs `f` outside any task: to spawn the first ones, or to put bytes into a pipe. Whom it wakes was woken by the
    /// driver. What a host does here is no choice: to make a run again, do the same at the same steps.
    pub fn enter<R>(&self, f: impl FnOnce() -> R) -> R {
        self.recording.as_driver(f)
    }

    /// Moves the clock on to `now_ns`. It wakes nobody: that is [`Choice::Wait`].
    pub fn advance_to(&self, now_ns: u64) {
        self.timers.advance_to(now_ns);
    }

    /// How many options there are now. None: every task that lives waits for another, or for the host.
    #[must_use]
    pub fn count(&self) -> usize {
        self.pool.lock().scheduler.0.len() + usize::from(self.timers.next_deadline_ns().is_some())
    }

    /// What may happen now: ready tasks, those first that have been so longest; then the end of a sleep.
    #[must_use]
    pub fn options(&self) -> Vec<Choice> {
        let state = self.pool.lock();
        let polls = state.scheduler.0.iter().map(|&task| Choice::Poll(state.name(task)));
        let wait = self.timers.next_deadline_ns().map(|until_ns| Choice::Wait { until_ns });
        polls.chain(wait).collect()
    }

    /// The ready tasks, as the local queue of its one worker.
    #[must_use]
    pub fn queues(&self) -> Queues {
        let state = self.pool.lock();
        let local: Vec<_> = state.scheduler.0.iter().map(|&task| state.name(task)).collect();
        let asleep = if local.is_empty() { WorkerState::ParkedOnDriver } else { WorkerState::Busy };
        let worker = WorkerQueues {
            state: asleep,
            clock_ns: self.recorded_ns(),
            running: None,
            lifo_slot: None,
            local,
            deferred: Vec::new(),
        };
        Queues { workers: vec![worker], injection: Vec::new(), stolen: Vec::new() }
    }

    /// Lets option number `option` of [`Self::options`] happen, and records that it was chosen.
    ///
    /// # Panics
    /// If there is no such option.
    pub fn choose(&mut self, option: usize) -> Choice {
        let next_deadline_ns = self.timers.next_deadline_ns();
        let mut state = self.pool.lock();
        let ready = state.scheduler.0.len();
        let count = ready + usize::from(next_deadline_ns.is_some());
        assert!(option < count, "there are {count} options, from 0, and option {option} is none of them");
        self.choices.push(option, count);
        if option < ready {
            let task = state.scheduler.0.remove(option);
            let name = state.name(task);
            if let Some(notes) = &self.notes {
                notes.polls(name);
            }
            let (midway, ran) = step::of(|| self.pool.run(state, &self.stage, task, Budget::New));
            self.midway = midway;
            // Ready again at once, unless it has ended.
            self.recording.release(|kept| {
                if !ran.ended {
                    kept.waker.wake();
                }
            });
            if let Some(notes) = &self.notes
                && self.pool.lock().is_gone(task)
            {
                notes.ended(name);
            }
            return Choice::Poll(name);
        }
        drop(state);
        let until_ns = next_deadline_ns.expect("the one option that is no ready task");
        self.timers.advance_to(until_ns);
        self.recording.as_driver(|| self.timers.fire());
        Choice::Wait { until_ns }
    }

    /// Whether the last poll ended before something that others can see, where any other runtime would go on.
    #[must_use]
    pub fn gave_way_midway(&self) -> bool {
        self.midway
    }

    /// What was chosen so far.
    #[must_use]
    pub fn choices(&self) -> &Choices {
        &self.choices
    }

    /// Makes the steps of `choices`, of which this run has made the first ones.
    ///
    /// # Errors
    /// If other options are found than were recorded. The steps before that are made.
    pub fn replay(&mut self, choices: &Choices) -> Result<(), Parted> {
        self.replay_to(choices, choices.steps())
    }

    /// As [`Self::replay`], up to step number `steps`.
    pub(crate) fn replay_to(&mut self, choices: &Choices, steps: u64) -> Result<(), Parted> {
        let mut picks = choices.picks()[self.choices.picks().len().min(choices.picks().len())..].iter();
        while self.choices.steps() < steps.min(choices.steps()) {
            let count = self.count() as u32;
            let pick = if count > 1 { picks.next() } else { None };
            let recorded = pick.map_or(0, |pick| pick.options);
            match (count, pick) {
                (1, _) => self.choose(0),
                (_, Some(pick)) if pick.options == count => self.choose(pick.option as usize),
                _ => return Err(Parted { steps: self.choices.steps(), recorded, found: count }),
            };
        }
        Ok(())
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
        self.recording.take(frames, self.recorded_ns());
    }

    /// Hands out what was recorded since the last call.
    pub(super) fn drain(&self, each: impl FnMut(Fresh<'_>)) {
        self.recording.drain(each);
    }
}

/// What exploring needs besides. Tasks are known by the names that the recording gives them, so not without it.
#[cfg(feature = "explore")]
impl Manual {
    /// As [`Self::unrecorded`], with notes of what makes up the state: see [`Self::notes`].
    pub(crate) fn noting(started_unix_ms: u64) -> Self {
        let mut engine = Self::unrecorded(started_unix_ms);
        engine.notes = Some(Keeping::start());
        engine
    }

    /// How many tasks are ready: the first options are to poll them.
    pub(crate) fn ready(&self) -> usize {
        self.pool.lock().scheduler.0.len()
    }

    /// The option to poll the task that was spawned first.
    ///
    /// # Panics
    /// If it is not ready.
    pub(crate) fn conductor(&self) -> usize {
        let state = self.pool.lock();
        let first = state.scheduler.0.iter().position(|&task| state.name(task) == TaskId(1));
        first.expect("a run that is stopped wakes the task that conducts it")
    }

    /// When the next sleep ends.
    pub(crate) fn next_deadline_ns(&self) -> Option<u64> {
        self.timers.next_deadline_ns()
    }

    /// All that decides how the run can go on: alike for two runs that can go on alike, whatever lies behind them. `None` if no
    /// notes are kept.
    pub(crate) fn notes(&self) -> Option<crate::rt::ledger::Notes> {
        let notes = self.notes.as_ref()?;
        let state = self.pool.lock();
        let ready = state.scheduler.0.iter().map(|&task| state.name(task));
        Some(notes.taken(ready, self.timers.now_ns(), &self.timers.sleeping()))
    }

    /// A number for what option `option` is, in whatever place it stands among the options of another run in the same state.
    pub(crate) fn meaning(&self, option: usize) -> u64 {
        let Some(notes) = &self.notes else { return 0 };
        let state = self.pool.lock();
        state.scheduler.0.get(option).map_or(0, |&task| notes.identity(state.name(task)))
    }
}

impl fmt::Debug for Manual {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Manual").field("options", &self.options()).finish_non_exhaustive()
    }
}

impl Drop for Manual {
    fn drop(&mut self) {
        // The cancelled tasks still have a recording.
        self.pool.close();
    }
}
