//! The model of Tokio's multi-thread runtime: 1 to 8 workers, one poll a step, in virtual time.
//!
//! What is real: the tasks, the locks and channels they use, and the budget of cooperative scheduling. What is modelled:
//! in which order tasks are polled and on which worker, by Tokio 1.54.1's rules ([`worker`], [`idle`]).
//!
//! Every worker has a clock of its own, which each event on it moves on; a step is taken by the worker whose clock is
//! behind the others. A poll is one piece: nothing happens on another worker in the midst of it. So polls overlap in
//! the picture and never in the program, except that a worker touches no lock or channel before the clock of whoever
//! touched it last. A task is never polled before it was woken.
//!
//! Known departures from Tokio, each for a reason:
//! - The injection queue's interval stays at 61; Tokio follows the time that polls take, and here they take none.
//! - A worker looks for work in no time, and wakes up in no time: threads of a real machine take some microseconds.
//! - A poll being one piece, a task finds only in its next poll what another worker does during this one. Two tasks that
//!   send each other a message and then compute change workers in a quarter of their polls here, in three quarters under
//!   Tokio, where each finds the other's message before its poll is over. Where nobody is answered during a poll, tasks
//!   change workers and run through the LIFO slot as often as under Tokio (`tests/rates.rs`).
//! - What is random in Tokio outside the scheduler does not follow the seed: `select!` without `biased`, and
//!   the order in which `tokio::sync::watch` wakes several. Code whose runs are to repeat depends on neither.
//! - Nothing happens between the steps of a search or of parking, so no steal meets another and no wake-up is spurious.
//! - A future inside a task that wakes by wakers of its own (`FuturesUnordered`) hears of a deferred wake as it gives way,
//!   the task itself when Tokio would tell it.
//! - A task that has spent its budget and then wakes itself by a message of its own is taken to give way.

mod idle;
mod worker;

use std::cell::Cell;
use std::fmt;
use std::sync::{Arc, MutexGuard};

use self::worker::{At, Chain, Phase, Workers};
use super::Step;
use super::pool::{Budget, Key, Pool, Stage, State};
use crate::rt::{Rt, Spawn, Timers};
use crate::scope::event::{Event, TaskId, WorkerId};
use crate::scope::frame::{Frame, Origin};
use crate::scope::record::{self, EngineRecording, Fresh, Keep};

/// The most workers a model has.
pub const WORKERS_MAX: usize = 8;

/// A model of the multi-thread runtime that polls one task whenever it is told to.
///
/// One engine a thread: its recording is the thread's. Dropping it cancels its tasks. A panic ends the task it
/// happens in; in WebAssembly it is a trap that ends the instance.
pub struct MultiThread {
    pool: Arc<Pool<Workers>>,
    stage: Stage,
    timers: Arc<Timers>,
    recording: EngineRecording,
    /// For every worker, what its next poll may spend.
    budgets: Vec<Cell<Budget>>,
}

type Locked<'a> = MutexGuard<'a, State<Workers>>;

/// Where each ready task waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Queues {
    /// The workers, by number.
    pub workers: Vec<WorkerQueues>,
    /// What no worker has taken yet, first come first.
    pub injection: Vec<TaskId>,
    /// What was stolen so far, the last [`STEALS_KEPT`] of it, in order.
    pub stolen: Vec<Steal>,
}

/// Steals that are kept to be looked at.
pub const STEALS_KEPT: usize = 256;

/// A task that one worker took from another's local queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Steal {
    /// When, by the thief's clock.
    pub at_ns: u64,
    /// The task.
    pub task: TaskId,
    /// From whose queue.
    pub from: usize,
    /// Who took it.
    pub to: usize,
}

/// What one worker has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkerQueues {
    /// What it does.
    pub state: WorkerState,
    /// Its virtual clock.
    pub clock_ns: u64,
    /// Taken, and polled when its time has come.
    pub running: Option<TaskId>,
    /// Polled next; nobody steals it.
    pub lifo_slot: Option<TaskId>,
    /// The local queue, first come first.
    pub local: Vec<TaskId>,
    /// Gave way; ready again when the worker has nothing else to do, the last first.
    pub deferred: Vec<TaskId>,
}

/// What a worker does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WorkerState {
    /// It polls.
    Busy,
    /// It was woken to look for work.
    Searching,
    /// It sleeps.
    Parked,
    /// It sleeps, and wakes for timers and for bytes.
    ParkedOnDriver,
}

impl MultiThread {
    /// How its recordings came about.
    pub const ORIGIN: Origin = Origin::Modelled;

    /// A model without tasks, at 0 ns of virtual time, whose wall clock shows `started_unix_ms`. All that the scheduler
    /// leaves to chance follows from `seed`.
    ///
    /// # Panics
    /// If `workers` is not 1 to [`WORKERS_MAX`], or if the calling thread already has an engine.
    #[must_use]
    pub fn new(workers: usize, seed: u64, started_unix_ms: u64) -> Self {
        assert!(
            (1..=WORKERS_MAX).contains(&workers),
            "a model has 1 to {WORKERS_MAX} workers, not {workers}"
        );
        let timers = Arc::new(Timers::new(started_unix_ms));
        let pool = Pool::new(Workers::new(workers, seed, Arc::clone(&timers)));
        // One thread for each worker, and the host's.
        let recording = EngineRecording::start(timers.clock(), workers + 1);
        recording.keep(Keep::GaveWay);
        let budgets = (0..workers).map(|_| Cell::new(Budget::New)).collect();
        Self { pool, stage: Stage::new(), timers, recording, budgets }
    }

    /// The door through which code on this runtime spawns, sleeps and tells the time.
    #[must_use]
    pub fn rt(&self) -> Rt {
        Rt::ours(Arc::clone(&self.timers), Arc::clone(&self.pool) as Arc<dyn Spawn>)
    }

    /// How many workers it has.
    #[must_use]
    pub fn workers(&self) -> usize {
        self.budgets.len()
    }

    /// Virtual nanoseconds since the start: nothing happens earlier any more.
    #[must_use]
    pub fn now_ns(&self) -> u64 {
        self.pool.lock().scheduler.now_ns()
    }

    /// Runs `f` outside any task: to spawn the first ones, or to put bytes into a pipe. Whom it wakes is woken by the
    /// driver, when a worker comes to it; what it spawns goes to the injection queue.
    pub fn enter<R>(&self, f: impl FnOnce() -> R) -> R {
        self.timers.set(self.pool.lock().scheduler.host_ns());
        self.recording.turn(self.workers(), WorkerId::NONE);
        self.recording.keep(Keep::All);
        let result = f();
        self.recording.keep(Keep::GaveWay);
        let now_ns = self.timers.now_ns();
        let scheduler = &mut self.pool.lock().scheduler;
        self.recording.release(|kept| scheduler.arrived.push_back((now_ns, kept)));
        scheduler.host_was_at(now_ns);
        result
    }

    /// Moves the clock on to `now_ns`; who has slept long enough is woken in the next step.
    pub fn advance_to(&self, now_ns: u64) {
        self.pool.lock().scheduler.advance_to(now_ns);
    }

    /// Lets the worker that is furthest behind take its next poll, if any has one to take.
    pub fn step(&mut self) -> Step {
        loop {
            let mut state = self.pool.lock();
            state.scheduler.driver_turns();
            let Some(worker) = state.scheduler.next_turn() else {
                return Step::Idle { next_deadline_ns: self.timers.next_deadline_ns() };
            };
            self.timers.set(state.scheduler.begin_turn(worker));
            self.recording.turn(worker, WorkerId(worker as u16));
            let polled = self.turn(worker, state);
            self.pool.lock().scheduler.end_turn(worker);
            if polled {
                return Step::Polled;
            }
        }
    }

    /// Where each ready task waits.
    #[must_use]
    pub fn queues(&self) -> Queues {
        let state = self.pool.lock();
        let name = |task: &Key| state.name(*task);
        let scheduler = &state.scheduler;
        let workers = scheduler.workers.iter().enumerate().map(|(index, worker)| {
            let (running, asleep) = match &worker.phase {
                Phase::Took(task, _) => (Some(state.name(*task)), false),
                Phase::Parked(unparked_ns) => (None, unparked_ns.is_none()),
                Phase::Tick | Phase::Polled(_) => (None, false),
            };
            WorkerQueues {
                state: match asleep {
                    true if scheduler.driver == Some(index) => WorkerState::ParkedOnDriver,
                    true => WorkerState::Parked,
                    false if worker.searching || matches!(worker.phase, Phase::Parked(_)) => {
                        WorkerState::Searching
                    }
                    false => WorkerState::Busy,
                },
                clock_ns: worker.clock_ns,
                running,
                lifo_slot: worker.lifo_slot.as_ref().map(name),
                local: worker.queue.iter().map(name).collect(),
                deferred: worker.deferred.iter().map(|kept| kept.task).collect(),
            }
        });
        Queues {
            workers: workers.collect(),
            injection: scheduler.injection.iter().map(name).collect(),
            stolen: scheduler.stolen.iter().copied().collect(),
        }
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

    /// Appends what was recorded since the last call: a chunk for every worker that did something, and one for the host.
    pub fn take_frames(&self, frames: &mut Vec<Frame>) {
        self.recording.take(frames, self.now_ns());
    }

    /// Hands out what was recorded since the last call.
    pub(super) fn drain(&self, each: impl FnMut(Fresh<'_>)) {
        self.recording.drain(each);
    }

    /// Lets `worker` go on until it has polled, or sleeps, or has to wait for others to catch up. Whether it polled.
    fn turn<'a>(&'a self, worker: usize, mut state: Locked<'a>) -> bool {
        loop {
            let scheduler = &mut state.scheduler;
            match scheduler.workers[worker].phase {
                Phase::Tick => {
                    if scheduler.tick(worker) {
                        state = self.park_yield(worker, state);
                    }
                    let scheduler = &mut state.scheduler;
                    let next = scheduler.next_task(worker).or_else(|| scheduler.steal(worker));
                    self.note_steals(&mut state);
                    let scheduler = &mut state.scheduler;
                    if let Some(task) = next {
                        scheduler.workers[worker].phase = Phase::Took(task, Chain::NEW);
                        self.budgets[worker].set(Budget::New);
                    } else if scheduler.workers[worker].deferred.is_empty() {
                        self.park(worker, state);
                        return false;
                    } else {
                        state = self.park_yield(worker, state);
                    }
                }
                Phase::Polled(mut chain) => {
                    let budget = self.budgets[worker].replace(Budget::Spent);
                    let lifo = scheduler.next_lifo(worker, &mut chain, matches!(budget, Budget::Spent));
                    scheduler.workers[worker].phase =
                        lifo.map_or(Phase::Tick, |task| Phase::Took(task, chain));
                    self.budgets[worker].set(budget);
                }
                Phase::Took(task, chain) => {
                    if !scheduler.reaches(worker, task) {
                        return false;
                    }
                    scheduler.found_work(worker);
                    scheduler.workers[worker].phase = Phase::Polled(chain);
                    let budget = self.budgets[worker].replace(Budget::Spent);
                    let ran = self.pool.run(state, &self.stage, task, budget);
                    self.budgets[worker].set(ran.left);
                    self.recording.release(|kept| {
                        if !ran.ended {
                            self.pool.lock().scheduler.workers[worker].defer(kept);
                        }
                    });
                    return true;
                }
                Phase::Parked(_) => match self.unpark(worker, state) {
                    Some(awake) => state = awake,
                    None => return false,
                },
            }
        }
    }

    /// Notes what was just stolen while the tasks still have their names.
    fn note_steals(&self, state: &mut Locked<'_>) {
        if state.scheduler.just_stolen.is_empty() {
            return;
        }
        let at_ns = self.timers.now_ns();
        for (task, [from, to]) in std::mem::take(&mut state.scheduler.just_stolen) {
            let steal = Steal { at_ns, task: state.name(task), from, to };
            let stolen = &mut state.scheduler.stolen;
            if stolen.len() == STEALS_KEPT {
                stolen.pop_front();
            }
            stolen.push_back(steal);
        }
    }

    /// Sleeps, unless there is work after all (`worker.rs`, `park` and `transition_to_parked`).
    fn park(&self, worker: usize, mut state: Locked<'_>) {
        record::record(Event::Park { worker: WorkerId(worker as u16) });
        let scheduler = &mut state.scheduler;
        let searched = std::mem::replace(&mut scheduler.workers[worker].searching, false);
        debug_assert!(!scheduler.workers[worker].has_tasks(), "a worker with tasks polls them");
        scheduler.workers[worker].phase = Phase::Parked(None);
        if scheduler.idle.park(worker, searched) {
            scheduler.notify_if_work_pending();
        }
        // `park.rs`: who was notified meanwhile does not come to the driver, nor who finds it taken.
        if scheduler.driver.is_none() && scheduler.workers[worker].phase == Phase::Parked(None) {
            scheduler.driver = Some(worker);
        }
    }

    /// Woken. `None`: for nothing, it sleeps on (`worker.rs`, `park` and `transition_from_parked`).
    fn unpark<'a>(&'a self, worker: usize, mut state: Locked<'a>) -> Option<Locked<'a>> {
        if state.scheduler.driver == Some(worker) {
            state = self.drive(worker, state);
            state.scheduler.driver = None;
        }
        let scheduler = &mut state.scheduler;
        scheduler.notify_others(worker);
        if scheduler.workers[worker].has_tasks() {
            // Who wakes for the driver has work of its own and does not search.
            scheduler.workers[worker].searching = !scheduler.idle.unpark(worker);
        } else if scheduler.idle.sleeps(worker) {
            scheduler.workers[worker].phase = Phase::Parked(None);
            scheduler.driver = scheduler.driver.or(Some(worker));
            return None;
        } else {
            scheduler.workers[worker].searching = true;
        }
        scheduler.workers[worker].phase = Phase::Tick;
        record::record(Event::Unpark { worker: WorkerId(worker as u16) });
        Some(state)
    }

    /// Looks at the driver without sleeping, then wakes who gave way (`worker.rs`, `park_yield`).
    fn park_yield<'a>(&'a self, worker: usize, mut state: Locked<'a>) -> Locked<'a> {
        // Nobody can drive who finds another parked there.
        if state.scheduler.driver.is_none() {
            state = self.drive(worker, state);
        }
        state.scheduler.at = At::Driver(worker);
        // `../defer.rs`: from the end. The wakers come back to the pool.
        let mut deferred = std::mem::take(&mut state.scheduler.workers[worker].deferred);
        drop(state);
        deferred.drain(..).rev().for_each(|kept| kept.waker.wake());
        let mut state = self.pool.lock();
        let scheduler = &mut state.scheduler;
        // Empty, and its memory used again.
        scheduler.workers[worker].deferred = deferred;
        scheduler.at = At::Worker(worker);
        scheduler.notify_others(worker);
        state
    }

    /// Wakes, on `worker`, whom bytes and timers wake by now; bytes first, as in `runtime/driver.rs`.
    fn drive<'a>(&'a self, worker: usize, mut state: Locked<'a>) -> Locked<'a> {
        state.scheduler.at = At::Driver(worker);
        let now_ns = self.timers.now_ns();
        let arrived = &mut state.scheduler.arrived;
        let due = arrived.partition_point(|(arrived_ns, _)| *arrived_ns <= now_ns);
        let due: Vec<_> = arrived.drain(..due).collect();
        // The wakers come back to the pool.
        drop(state);
        due.into_iter().for_each(|(_, kept)| kept.waker.wake());
        self.timers.fire();
        let mut state = self.pool.lock();
        state.scheduler.at = At::Worker(worker);
        state
    }
}

impl fmt::Debug for MultiThread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MultiThread")
            .field("workers", &self.workers())
            .field("queues", &self.queues())
            .finish()
    }
}

impl Drop for MultiThread {
    fn drop(&mut self) {
        // The cancelled tasks still have a recording: the host's, which shuts the runtime down.
        let host_ns = self.pool.lock().scheduler.host_ns();
        self.timers.set(host_ns);
        self.recording.turn(self.workers(), WorkerId::NONE);
        self.pool.close();
    }
}
