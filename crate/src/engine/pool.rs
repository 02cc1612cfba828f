//! The tasks of a runtime of ours: which there are, and what each is doing; [`Scheduler`] decides where ready ones wait.
//!
//! A task goes through the states that Tokio's do (`runtime/task/state.rs`). Its poll happens inside a real Tokio
//! runtime, so that the budget of cooperative scheduling is the real one. Knows no order, no worker and no time.
//!
//! The pool is locked for moves of what it holds only; wakers, polls and drops run unlocked, for they come back to it.

use std::cell::Cell;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, Wake, Waker};

use tokio::runtime::{Builder, Runtime};
use tokio::task::coop;

use crate::rt::{Body, Spawn};
use crate::scope::event::TaskId;

/// Where ready tasks wait. Called while the pool is locked: it must not wake, poll or drop a task.
pub(super) trait Scheduler: Send + 'static {
    /// `task` is ready. `yields`: it was woken while it was being polled, so it lets the others go first.
    fn schedule(&mut self, task: Key, yields: bool);

    /// A poll of `task` is over. Called before it is scheduled again, if it was woken meanwhile.
    fn polled(&mut self, task: Key);
}

/// A task's place in the pool. Places are used again, keys are not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Key {
    index: u32,
    generation: u32,
}

impl Key {
    /// Its place in the pool.
    pub(super) fn index(self) -> usize {
        self.index as usize
    }

    fn to_bits(self) -> u64 {
        u64::from(self.generation) << 32 | u64::from(self.index)
    }

    fn from_bits(bits: u64) -> Self {
        Self { index: bits as u32, generation: (bits >> 32) as u32 }
    }
}

/// A task and where it waits, behind one lock.
pub(super) struct Pool<S> {
    // The wakers hold the pool.
    me: Weak<Self>,
    state: Mutex<State<S>>,
}

pub(super) struct State<S> {
    pub(super) scheduler: S,
    places: Vec<Place>,
    vacant: Vec<u32>,
    /// Tasks without a name in the recording are numbered here.
    nameless: u32,
    closed: bool,
}

struct Place {
    generation: u32,
    name: TaskId,
    life: Life,
    aborted: bool,
    // None while it is polled.
    task: Option<Task>,
}

/// What a task is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Life {
    /// It waits to be woken.
    Idle,
    /// It waits to be polled.
    Scheduled,
    /// It is being polled.
    Running,
    /// It is being polled and was woken meanwhile.
    RunningScheduled,
    /// It has ended.
    Gone,
}

/// What is polled.
struct Task {
    body: Body,
    waker: Waker,
}

impl<S: Scheduler> Pool<S> {
    pub(super) fn new(scheduler: S) -> Arc<Self> {
        Arc::new_cyclic(|me| Self {
            me: Weak::clone(me),
            state: Mutex::new(State {
                scheduler,
                places: Vec::new(),
                vacant: Vec::new(),
                nameless: 0,
                closed: false,
            }),
        })
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State<S>> {
        // No foreign code runs while it is held; a panic can only be a bug of ours, which the tests would have shown.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs `key`, which waits to be polled: polls it on `stage` with what `budget` there is, or drops it if it was
    /// aborted. `state` is the pool's own, which is unlocked meanwhile.
    pub(super) fn run(
        &self,
        mut state: MutexGuard<'_, State<S>>,
        stage: &Stage,
        key: Key,
        budget: Budget,
    ) -> Ran {
        let Some(place) = state.place(key) else {
            debug_assert!(false, "{key:?} was scheduled and is gone");
            return Ran { left: budget, ended: true };
        };
        debug_assert_eq!(place.life, Life::Scheduled, "only what is scheduled is run");
        place.life = Life::Running;
        let mut task = place.task.take().expect("a task that waits to be polled is in its place");
        let aborted = place.aborted;
        drop(state);
        let (over, ran) = if aborted {
            (Some(task), Ran { left: budget, ended: true })
        } else {
            let (poll, left) = stage.poll(&mut task, budget);
            let ended = poll.is_ready();
            let mut state = self.lock();
            state.scheduler.polled(key);
            let over = if ended { Some(task) } else { state.put_back(key, task) };
            (over, Ran { left, ended })
        };
        if over.is_some() {
            // Whom its drop wakes comes back here: unlocked.
            drop(over);
            self.lock().ended(key);
        }
        ran
    }

    /// Drops all tasks. What is spawned from now on is dropped at once.
    pub(super) fn close(&self) {
        let mut index = 0;
        loop {
            let mut state = self.lock();
            state.closed = true;
            let Some(place) = state.places.get_mut(index) else { break };
            place.life = Life::Gone;
            let task = place.task.take();
            drop(state);
            // What its drop wakes or spawns comes back here: unlocked.
            drop(task);
            index += 1;
        }
    }
}

impl<S> State<S> {
    /// What `key` is called. The name of a task that is gone may be another's by now.
    pub(super) fn name(&self, key: Key) -> TaskId {
        self.places[key.index as usize].name
    }

    /// Whether `key`'s task has ended.
    pub(super) fn is_gone(&mut self, key: Key) -> bool {
        self.place(key).is_none()
    }

    fn ended(&mut self, key: Key) {
        if let Some(place) = self.place(key) {
            place.life = Life::Gone;
            place.generation = place.generation.wrapping_add(1);
            self.vacant.push(key.index);
        }
    }

    fn place(&mut self, key: Key) -> Option<&mut Place> {
        self.places.get_mut(key.index as usize).filter(|place| place.generation == key.generation)
    }
}

impl<S: Scheduler> State<S> {
    /// Puts `task` back after a poll that left it waiting. Gives it back if it was aborted meanwhile.
    fn put_back(&mut self, key: Key, task: Task) -> Option<Task> {
        let closed = self.closed;
        let place = self.place(key)?;
        if place.aborted || closed {
            return Some(task);
        }
        place.task = Some(task);
        if place.life == Life::RunningScheduled {
            // `runtime/task/harness.rs`: a task notified while it runs is yielded, which puts it last.
            place.life = Life::Scheduled;
            self.scheduler.schedule(key, true);
        } else {
            place.life = Life::Idle;
        }
        None
    }

    /// Makes `key` ready, if it waits.
    fn wake(&mut self, key: Key) {
        let Some(place) = self.place(key) else { return };
        match place.life {
            Life::Idle => {
                place.life = Life::Scheduled;
                self.scheduler.schedule(key, false);
            }
            Life::Running => place.life = Life::RunningScheduled,
            Life::Scheduled | Life::RunningScheduled | Life::Gone => {}
        }
    }
}

impl<S: Scheduler> Spawn for Pool<S> {
    fn spawn(&self, task: Option<TaskId>, body: Body) -> u64 {
        let mut state = self.lock();
        if state.closed {
            drop(state);
            drop(body);
            return u64::MAX;
        }
        let name = task.unwrap_or_else(|| {
            state.nameless += 1;
            TaskId(state.nameless)
        });
        let index = state.vacant.pop().unwrap_or(state.places.len() as u32);
        let generation = state.places.get(index as usize).map_or(0, |place| place.generation);
        let key = Key { index, generation };
        let pool = self.me.upgrade().expect("whoever calls holds the pool");
        let task = Task { body, waker: Waker::from(Arc::new(TaskWaker { pool, key })) };
        let place = Place { generation, name, life: Life::Scheduled, aborted: false, task: Some(task) };
        if state.places.len() == index as usize {
            state.places.push(place);
        } else {
            state.places[index as usize] = place;
        }
        state.scheduler.schedule(key, false);
        key.to_bits()
    }

    fn abort(&self, key: u64) {
        let key = Key::from_bits(key);
        let mut state = self.lock();
        let Some(place) = state.place(key) else { return };
        place.aborted = true;
        // It ends where it would have been polled, as in `runtime/task/harness.rs`.
        if place.life == Life::Idle {
            state.wake(key);
        }
    }
}

struct TaskWaker<S> {
    pool: Arc<Pool<S>>,
    key: Key,
}

impl<S: Scheduler> Wake for TaskWaker<S> {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.pool.lock().wake(self.key);
    }
}

/// What came of running a task.
#[derive(Debug)]
pub(super) struct Ran {
    /// What the poll left of its budget.
    pub(super) left: Budget,
    /// It is polled no more: nobody is left to be woken.
    pub(super) ended: bool,
}

/// Where tasks are polled: a real Tokio runtime that has none of its own.
#[derive(Debug)]
pub(super) struct Stage {
    /// There until it is dropped.
    runtime: Option<Runtime>,
}

thread_local! {
    /// The runtime of a stage that is no more, for the next: making one is a tenth of what a short run costs.
    static SPARE: Cell<Option<Runtime>> = const { Cell::new(None) };
}

/// What a poll may spend.
#[derive(Debug)]
pub(super) enum Budget {
    /// As much as any first poll of a tick (`task/coop/mod.rs`: 128 units).
    New,
    /// What the poll before it left.
    Left(Left),
    /// Nothing is left.
    Spent,
}

/// What a poll left.
///
/// Tokio tells nobody the number, but gives out what restores it: dropped inside a later poll on the same thread, the
/// permit to make one step sets the budget to what it was before that step.
#[derive(Debug)]
pub(super) struct Left(Option<coop::RestoreOnPending>);

impl Left {
    /// Makes it the current poll's.
    fn restore(mut self) {
        drop(self.0.take());
    }
}

impl Drop for Left {
    fn drop(&mut self) {
        // Unused: the code that runs now keeps what it has.
        if let Some(permit) = &self.0 {
            permit.made_progress();
        }
    }
}

impl Budget {
    /// Of the poll that this is called in.
    fn left(cx: &mut Context<'_>) -> Self {
        if !coop::has_budget_remaining() {
            return Self::Spent;
        }
        match coop::poll_proceed(cx) {
            Poll::Ready(permit) => Self::Left(Left(Some(permit))),
            Poll::Pending => Self::Spent,
        }
    }
}

impl Stage {
    pub(super) fn new() -> Self {
        // Nothing of one run is seen in the next, for a stage's runtime has no tasks.
        let spare = SPARE.try_with(Cell::take).ok().flatten();
        let runtime = spare.map_or_else(|| Builder::new_current_thread().build(), Ok);
        Self { runtime: Some(runtime.expect("a runtime without drivers asks nothing of the system")) }
    }

    /// Polls `task`.
    ///
    /// Of the runtime only what surrounds a poll is used, for to have it look for tasks and drivers of its own costs more than
    /// most polls do. So it has no list of those who gave way: Tokio wakes them at once then, and whoever owns the stage has
    /// the recording keep those wakes ([`Keep::GaveWay`](crate::scope::record::Keep)).
    fn poll(&self, task: &mut Task, budget: Budget) -> (Poll<()>, Budget) {
        let mut budget = if let Budget::Left(left) = budget { Some(left) } else { None };
        let runtime = self.runtime.as_ref().expect("there until it is dropped");
        runtime.handle().block_on(poll_fn(|cx| {
            if let Some(left) = budget.take() {
                left.restore();
            }
            let poll = task.body.as_mut().poll(&mut Context::from_waker(&task.waker));
            Poll::Ready((poll, Budget::left(cx)))
        }))
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        // A thread that ends needs no spare.
        let _ = SPARE.try_with(|spare| spare.set(self.runtime.take()));
    }
}
