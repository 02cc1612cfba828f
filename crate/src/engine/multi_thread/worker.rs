//! The workers: their queues, and the rules by which a ready task gets into one and out again.
//!
//! Each rule names where Tokio 1.54.1 has it, below `src/runtime/scheduler/multi_thread/`. Knows how a task is ordered, never
//! what it does; [`super`] polls it and moves the clocks.

use std::collections::VecDeque;
use std::sync::Arc;

use fastrand::Rng;

use super::Steal;
use super::idle::Idle;
use crate::engine::pool::{Key, Scheduler};
use crate::rt::Timers;
use crate::scope::record::Kept;

/// Places in a local queue (`queue.rs`, `LOCAL_QUEUE_CAPACITY`).
pub(super) const LOCAL_QUEUE_CAPACITY: usize = 256;

/// Polls of the LIFO slot in one tick, before it is closed until the tick ends (`worker.rs`, `MAX_LIFO_POLLS_PER_TICK`).
pub(super) const MAX_LIFO_POLLS_PER_TICK: u8 = 3;

/// In how many ticks a worker takes once from the injection queue first. Tokio starts at 61 and, unless the builder fixes
/// it, then follows the time that polls take (`stats.rs`); a model has no such time, and keeps the 61.
const GLOBAL_QUEUE_INTERVAL: u32 = 61;

/// In how many ticks a worker looks once at the driver and wakes deferred tasks (`runtime/builder.rs`, `event_interval`).
const EVENT_INTERVAL: u32 = 61;

/// All workers and what they share. Behind the pool's lock.
pub(super) struct Workers {
    pub(super) workers: Vec<Worker>,
    pub(super) injection: VecDeque<Key>,
    pub(super) idle: Idle,
    /// Who parks on the driver: one at most (`park.rs`, `Shared::driver`).
    pub(super) driver: Option<usize>,
    /// Whom the host's bytes woke, for the driver to tell, and since when.
    pub(super) arrived: VecDeque<(u64, Kept)>,
    /// Whose code runs.
    pub(super) at: At,
    /// The host's clock: after what it did last.
    host_ns: u64,
    /// The clock of whoever has its turn.
    timers: Arc<Timers>,
    /// From when on each task may be polled, by the place of its key.
    ready: Vec<(Key, u64)>,
    /// What the last search stole, until it is noted under the tasks' names.
    pub(super) just_stolen: Vec<(Key, [usize; 2])>,
    /// What was stolen last, the latest at the end.
    pub(super) stolen: VecDeque<Steal>,
}

/// One worker (`worker.rs`, `Core`).
pub(super) struct Worker {
    pub(super) clock_ns: u64,
    pub(super) phase: Phase,
    tick: u32,
    pub(super) lifo_slot: Option<Key>,
    lifo_enabled: bool,
    pub(super) queue: VecDeque<Key>,
    pub(super) searching: bool,
    /// Gave way, to be woken when there is nothing else (`../defer.rs`).
    pub(super) deferred: Vec<Kept>,
    rng: Rng,
}

/// What a worker does when its turn comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Begins its next tick.
    Tick,
    /// Polls a task that it took before the task's time had come, or from the LIFO slot.
    Took(Key, Chain),
    /// Has polled: looks into the LIFO slot.
    Polled(Chain),
    /// Sleeps, until the given time if somebody woke it.
    Parked(Option<u64>),
}

/// Polls that follow each other through the LIFO slot in one tick, with one budget for all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Chain {
    lifo_polls: u8,
}

impl Chain {
    /// Before the first of them.
    pub(super) const NEW: Self = Self { lifo_polls: 0 };
}

/// Whose code runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum At {
    /// The host's: a thread outside the runtime.
    Outside,
    /// A worker's.
    Worker(usize),
    /// The driver's, on a worker that parks: it wakes nobody else before it is done (`worker.rs`, `schedule_local`).
    Driver(usize),
}

impl Scheduler for Workers {
    fn schedule(&mut self, task: Key, yields: bool) {
        self.ready_from_now(task);
        match self.at {
            At::Outside => {
                self.injection.push_back(task);
                self.notify();
            }
            At::Worker(worker) => {
                if self.schedule_local(worker, task, yields) {
                    self.notify();
                }
            }
            At::Driver(worker) => {
                self.schedule_local(worker, task, yields);
            }
        }
    }

    fn polled(&mut self, task: Key) {
        // Whoever wakes it by a clock that is behind does not have it polled twice at once.
        self.ready_from_now(task);
    }
}

impl Workers {
    pub(super) fn new(workers: usize, seed: u64, timers: Arc<Timers>) -> Self {
        let mut seeds = Rng::with_seed(seed);
        let worker = |_| Worker {
            clock_ns: 0,
            phase: Phase::Tick,
            tick: 0,
            lifo_slot: None,
            lifo_enabled: true,
            queue: VecDeque::with_capacity(LOCAL_QUEUE_CAPACITY),
            searching: false,
            deferred: Vec::new(),
            rng: seeds.fork(),
        };
        Self {
            workers: (0..workers).map(worker).collect(),
            injection: VecDeque::new(),
            idle: Idle::new(workers),
            driver: None,
            arrived: VecDeque::new(),
            at: At::Outside,
            host_ns: 0,
            timers,
            ready: Vec::new(),
            just_stolen: Vec::new(),
            stolen: VecDeque::new(),
        }
    }

    /// The worker that is furthest behind; of several, the first.
    pub(super) fn next_turn(&self) -> Option<usize> {
        let turns = (0..).zip(&self.workers).filter_map(|(index, worker)| Some((worker.turn_ns()?, index)));
        turns.min().map(|(_, index)| index)
    }

    /// Nothing happens before this any more.
    pub(super) fn now_ns(&self) -> u64 {
        let behind_ns = self.behind_ns();
        self.driver_turn().map_or(behind_ns, |(_, driver_ns)| driver_ns.min(behind_ns))
    }

    /// The clock that is furthest behind, without the driver's.
    fn behind_ns(&self) -> u64 {
        let turns = self.workers.iter().filter_map(Worker::turn_ns);
        // When all sleep, time goes on with the host.
        turns
            .min()
            .unwrap_or_else(|| self.workers.iter().map(|worker| worker.clock_ns).fold(self.host_ns, u64::max))
    }

    /// Who parks on the driver, and when that has something to tell next: bytes, or the end of a sleep.
    fn driver_turn(&self) -> Option<(usize, u64)> {
        let worker = self.driver?;
        let arrived_ns = self.arrived.front().map(|(arrived_ns, _)| *arrived_ns);
        let first_ns = arrived_ns.into_iter().chain(self.timers.next_deadline_ns()).min()?;
        Some((worker, first_ns.max(self.workers[worker].clock_ns)))
    }

    /// When the host's next deed is.
    pub(super) fn host_ns(&self) -> u64 {
        self.host_ns.max(self.now_ns())
    }

    /// The host's last deed was over at `now_ns`.
    pub(super) fn host_was_at(&mut self, now_ns: u64) {
        self.host_ns = now_ns;
    }

    /// Moves all clocks on that are behind `now_ns`, except those of sleepers.
    pub(super) fn advance_to(&mut self, now_ns: u64) {
        self.host_ns = self.host_ns.max(now_ns);
        for worker in &mut self.workers {
            if worker.turn_ns().is_some() {
                worker.clock_ns = worker.clock_ns.max(now_ns);
            }
        }
    }

    /// Wakes who parks on the driver, if it has something to tell by now.
    pub(super) fn driver_turns(&mut self) {
        if let Some((worker, driver_ns)) = self.driver_turn()
            && driver_ns <= self.behind_ns()
        {
            self.workers[worker].unpark_at(driver_ns);
        }
    }

    /// It is the turn of `worker`; at which time.
    pub(super) fn begin_turn(&mut self, worker: usize) -> u64 {
        let it = &mut self.workers[worker];
        it.clock_ns = it.turn_ns().unwrap_or(it.clock_ns);
        self.at = At::Worker(worker);
        self.workers[worker].clock_ns
    }

    /// The turn of `worker` is over.
    pub(super) fn end_turn(&mut self, worker: usize) {
        self.workers[worker].clock_ns = self.timers.now_ns();
        self.at = At::Outside;
    }

    /// `task` is polled from now on at the earliest.
    fn ready_from_now(&mut self, task: Key) {
        let now_ns = self.timers.now_ns();
        let index = task.index();
        if self.ready.len() <= index {
            self.ready.resize(index + 1, (task, now_ns));
        }
        let (whose, ready_ns) = self.ready[index];
        let earliest_ns = if whose == task { ready_ns.max(now_ns) } else { now_ns };
        self.ready[index] = (task, earliest_ns);
    }

    /// Whether `worker` polls `task` now: neither before it was woken, nor while another worker is behind.
    pub(super) fn reaches(&mut self, worker: usize, task: Key) -> bool {
        let now_ns = self.timers.now_ns();
        let (_, ready_ns) = self.ready[task.index()];
        self.workers[worker].clock_ns = now_ns.max(ready_ns);
        if now_ns < ready_ns {
            self.timers.set(ready_ns);
            return false;
        }
        self.next_turn() == Some(worker)
    }

    /// Queues `task` on `worker`; whether others should hear of it (`worker.rs`, `schedule_local`).
    fn schedule_local(&mut self, worker: usize, task: Key, yields: bool) -> bool {
        let lifo = !yields && self.workers[worker].lifo_enabled;
        if !lifo {
            self.push_back(worker, task);
            return true;
        }
        // What is in the slot cannot be stolen, so a single ready task wakes nobody.
        let Some(previous) = self.workers[worker].lifo_slot.replace(task) else { return false };
        self.push_back(worker, previous);
        true
    }

    /// `queue.rs`, `push_back_or_overflow`: from a full queue the second half goes to the injection queue, and the new task
    /// behind it.
    fn push_back(&mut self, worker: usize, task: Key) {
        let queue = &mut self.workers[worker].queue;
        if queue.len() < LOCAL_QUEUE_CAPACITY {
            queue.push_back(task);
        } else {
            self.injection.extend(queue.drain(LOCAL_QUEUE_CAPACITY / 2..));
            self.injection.push_back(task);
        }
    }

    /// Wakes a worker that sleeps, if none searches (`worker.rs`, `notify_parked_local` and `notify_parked_remote`).
    fn notify(&mut self) {
        if let Some(worker) = self.idle.worker_to_notify() {
            let now_ns = self.timers.now_ns();
            self.workers[worker].unpark_at(now_ns);
        }
    }

    /// `worker.rs`, `notify_if_work_pending`.
    pub(super) fn notify_if_work_pending(&mut self) {
        if !self.injection.is_empty() || self.workers.iter().any(|worker| !worker.queue.is_empty()) {
            self.notify();
        }
    }

    /// `worker.rs`, `should_notify_others`: after the driver, whose wakes wake no worker one by one.
    pub(super) fn notify_others(&mut self, worker: usize) {
        let it = &self.workers[worker];
        if !it.searching && usize::from(it.lifo_slot.is_some()) + it.queue.len() > 1 {
            self.notify();
        }
    }

    /// Begins a tick; whether the driver has its turn in it (`worker.rs`, `maintenance`).
    pub(super) fn tick(&mut self, worker: usize) -> bool {
        let it = &mut self.workers[worker];
        it.tick = it.tick.wrapping_add(1);
        it.tick.is_multiple_of(EVENT_INTERVAL)
    }

    /// The next task at hand (`worker.rs`, `next_task`).
    pub(super) fn next_task(&mut self, worker: usize) -> Option<Key> {
        if self.workers[worker].tick.is_multiple_of(GLOBAL_QUEUE_INTERVAL) {
            return self.injection.pop_front().or_else(|| self.workers[worker].next_local());
        }
        if let Some(task) = self.workers[worker].next_local() {
            return Some(task);
        }
        // A fair share, and at most the half of a queue, so that an overflow gives none of them back.
        let share = (self.injection.len() / self.workers.len() + 1).min(LOCAL_QUEUE_CAPACITY / 2);
        let mut batch = self.injection.drain(..share.min(self.injection.len()));
        let first = batch.next();
        self.workers[worker].queue.extend(batch);
        first
    }

    /// Takes from another worker what it has queued (`worker.rs`, `steal_work`), or from the injection queue.
    pub(super) fn steal(&mut self, thief: usize) -> Option<Key> {
        if !self.workers[thief].searching {
            if !self.idle.may_search() {
                return None;
            }
            self.workers[thief].searching = true;
        }
        let workers = self.workers.len();
        let start = self.workers[thief].rng.u64(..workers as u64) as usize;
        let stolen = (start..start + workers).find_map(|victim| self.steal_from(victim % workers, thief));
        stolen.or_else(|| self.injection.pop_front())
    }

    /// `queue.rs`, `steal_into`: the older half, rounded up; the last of them is polled at once.
    fn steal_from(&mut self, victim: usize, thief: usize) -> Option<Key> {
        // It would not find work at its own place: that is empty.
        debug_assert!(self.workers[thief].queue.is_empty(), "who steals has nothing queued");
        let places = [victim, thief];
        let [victim, thief] = self.workers.get_disjoint_mut(places).ok()?;
        let half = victim.queue.len() - victim.queue.len() / 2;
        self.just_stolen.extend(victim.queue.iter().take(half).map(|&task| (task, places)));
        thief.queue.extend(victim.queue.drain(..half));
        thief.queue.pop_back()
    }

    /// `worker` goes on to poll: it no longer searches, and if it was the last that did, wakes another (`worker.rs`,
    /// `transition_from_searching`).
    pub(super) fn found_work(&mut self, worker: usize) {
        if std::mem::replace(&mut self.workers[worker].searching, false) && self.idle.search_ends() {
            self.notify();
        }
    }

    /// After a poll: the task in the LIFO slot, if it is to be polled in the same tick (`worker.rs`, `run_task`).
    pub(super) fn next_lifo(&mut self, worker: usize, chain: &mut Chain, spent: bool) -> Option<Key> {
        let it = &mut self.workers[worker];
        let Some(task) = it.lifo_slot.take() else {
            it.lifo_enabled = true;
            return None;
        };
        if spent {
            self.push_back(worker, task);
            return None;
        }
        chain.lifo_polls += 1;
        // Two tasks that wake each other would keep all others waiting.
        it.lifo_enabled = chain.lifo_polls < MAX_LIFO_POLLS_PER_TICK;
        Some(task)
    }
}

impl Worker {
    /// `worker.rs`, `next_local_task`.
    fn next_local(&mut self) -> Option<Key> {
        self.lifo_slot.take().or_else(|| self.queue.pop_front())
    }

    pub(super) fn has_tasks(&self) -> bool {
        self.lifo_slot.is_some() || !self.queue.is_empty()
    }

    /// Somebody wakes it at `at_ns`.
    pub(super) fn unpark_at(&mut self, at_ns: u64) {
        if let Phase::Parked(unparked_ns) = &mut self.phase {
            *unparked_ns = Some(unparked_ns.map_or(at_ns, |earlier| earlier.min(at_ns)));
        }
    }

    /// When its turn is; never, as long as it sleeps.
    pub(super) fn turn_ns(&self) -> Option<u64> {
        match self.phase {
            Phase::Parked(unparked_ns) => Some(unparked_ns?.max(self.clock_ns)),
            _ => Some(self.clock_ns),
        }
    }

    /// `../defer.rs`: a task that gives way twice in a row is deferred once.
    pub(super) fn defer(&mut self, kept: Kept) {
        if self.deferred.last().is_none_or(|last| last.task != kept.task) {
            self.deferred.push(kept);
        }
    }
}
