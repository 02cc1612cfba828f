//! Recording one event: the switch, and where this thread's events go.
//!
//! With nobody watching an event costs one relaxed load. While watched it goes to this thread's own sink: a ring
//! that [`super::hub`] drains (native), or the buffer of the engine that runs on this thread. Compiled without the
//! feature `scope`, every call here is empty. Knows nothing of what a task is waiting for; [`crate::rt`] says so.

use std::cell::{Cell, RefCell};
use std::panic::Location;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::task::Waker;

use super::event::{Event, LabelId, ObjectId, PollOutcome, Stamped, TaskId, WakeBy, WorkerId};
use super::frame::{Frame, ObjectKind};
use super::registry::Registry;
use super::row::Row;
use super::sink::EngineSink;

pub(crate) use super::sink::Fresh;

/// Whether any thread may have a sink. Relaxed: a watcher may miss the first events after it came.
pub(super) static ON: AtomicBool = AtomicBool::new(false);

static PROCESS: LazyLock<Mutex<Registry>> = LazyLock::new(Mutex::default);

thread_local! {
    static THREAD: Thread = const {
        Thread {
            sink: RefCell::new(Sink::None),
            current: Cell::new(None),
            joined: Cell::new(None),
            yields: Cell::new(false),
            gives_way: Cell::new(false),
            releasing: Cell::new(None),
            polls: Cell::new(0),
            from_outside: Cell::new(false),
            plays: Cell::new(None),
            keep: Cell::new(Keep::Nothing),
            kept: RefCell::new(Vec::new()),
        }
    };
}

/// What this thread is doing, as far as attribution needs it. Touched by its own thread only.
struct Thread {
    sink: RefCell<Sink>,
    /// The task being polled, if its poll is recorded.
    current: Cell<Option<TaskId>>,
    /// The task whose `JoinHandle` is being told of its end: a wake now is its joiner's.
    joined: Cell<Option<TaskId>>,
    /// The current task called `yield_now` in this poll.
    yields: Cell<bool>,
    /// It has called it just now: the next to be woken is itself, by Tokio, for having given way.
    gives_way: Cell<bool>,
    /// The lock being released: a wake now is a hand-over.
    releasing: Cell<Option<ObjectId>>,
    /// Recorded polls so far; an engine counts its steps by it.
    polls: Cell<u64>,
    /// The host of an engine stands in for the driver right now.
    from_outside: Cell<bool>,
    /// The worker whose part this thread plays for an engine that models several.
    plays: Cell<Option<WorkerId>>,
    /// Which wakes an engine keeps for later, and those it keeps.
    keep: Cell<Keep>,
    kept: RefCell<Vec<Kept>>,
}

/// Which wakes an engine keeps back, to let them go when the runtime it stands for would.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Keep {
    /// They take effect at once.
    Nothing,
    /// Those of tasks that gave way, which Tokio wakes after their poll from a list of its own.
    Deferred,
    /// The same where Tokio has no such list: it wakes them as they give way, and this thread's kept ones are the list.
    GaveWay,
    All,
}

/// A wake that was kept: not yet recorded, and without effect so far.
#[derive(Debug)]
pub(crate) struct Kept {
    pub(crate) task: TaskId,
    pub(crate) waker: Waker,
}

impl Thread {
    #[inline]
    fn push(&self, row: Row, at: At) {
        match &mut *self.sink.borrow_mut() {
            #[cfg(feature = "native")]
            Sink::Ring(ring) => ring.push(row, at),
            Sink::Engine(engine) => engine.push_row(row),
            sink => push_elsewhere(sink, row, at),
        }
    }

    #[inline]
    fn enter(&self, task: TaskId) -> Option<TaskId> {
        self.yields.set(false);
        self.gives_way.set(false);
        self.polls.set(self.polls.get() + 1);
        self.current.replace(Some(task))
    }

    #[inline]
    fn worker(&self) -> WorkerId {
        self.plays.get().unwrap_or_else(|| {
            tokio::runtime::worker_index().map_or(WorkerId::NONE, |index| WorkerId(index as u16))
        })
    }

    #[inline]
    fn release(&self, each: impl FnMut(Kept)) {
        if self.kept.borrow().is_empty() {
            return;
        }
        // Taken out: whoever wakes one comes back here.
        let mut kept = self.kept.take();
        kept.drain(..).for_each(each);
        let mut meanwhile = self.kept.borrow_mut();
        if meanwhile.is_empty() {
            // Its memory is used again.
            *meanwhile = kept;
        }
    }

    /// Keeps a wake. As in Tokio's list of those who gave way, one that would wake the same again is kept once.
    fn keep(&self, new: Kept) {
        let mut kept = self.kept.borrow_mut();
        if self.keep.get() != Keep::GaveWay || kept.last().is_none_or(|last| last.task != new.task) {
            kept.push(new);
        }
    }
}

/// Where a thread's events go.
enum Sink {
    None,
    #[cfg(feature = "native")]
    Ring(super::ring::Ring),
    Engine(Box<EngineSink>),
}

/// Whether events are recorded.
#[inline(always)]
pub(crate) fn is_on() -> bool {
    cfg!(feature = "scope") && ON.load(Ordering::Relaxed)
}

/// Records `event` on this thread, if anybody watches.
#[inline(always)]
pub(crate) fn record(event: Event) {
    if is_on() {
        push(Row::of(event), At::Now);
    }
}

/// Records `event` at the instant of the thread's last one: nothing that takes time lies between the two. Saves the look
/// at the clock, which is most of what an event costs. An engine's clock ticks all the same.
#[inline(always)]
pub(crate) fn record_at_last(event: Event) {
    if is_on() {
        push(Row::of(event), At::Last);
    }
}

/// Records that the current command has its reply and the next one of its batch, `command` of `client`, starts;
/// and before that, that a lock was `released`. One row: a batch consists of little else.
#[inline(always)]
pub(crate) fn record_next(released: Option<ObjectId>, client: u32, command: LabelId) {
    if is_on() {
        push_next(released, client, command);
    }
}

/// Records that `lock`, which was free, is acquired for a moment: at the instant of the thread's last event, as
/// [`record_at_last`] does. It is told of when it is released, in one row with that, or when anything else happens on this thread
/// before. Where it may be held for long, [`record`] tells at once.
#[inline(always)]
pub(crate) fn record_acquired_briefly(lock: ObjectId) {
    if is_on() {
        push_acquired(lock);
    }
}

/// When an event happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum At {
    Now,
    /// At the instant of the last event of the same thread.
    Last,
}

#[inline(never)]
fn push(row: Row, at: At) {
    THREAD.with(|thread| thread.push(row, at));
}

#[inline(never)]
fn push_next(released: Option<ObjectId>, client: u32, command: LabelId) {
    THREAD.with(|thread| match &mut *thread.sink.borrow_mut() {
        #[cfg(feature = "native")]
        Sink::Ring(ring) => ring.push_next(released, client, command),
        sink => push_elsewhere(sink, Row::next(released, client, command), At::Now),
    });
}

#[inline(never)]
fn push_acquired(lock: ObjectId) {
    THREAD.with(|thread| match &mut *thread.sink.borrow_mut() {
        #[cfg(feature = "native")]
        Sink::Ring(ring) => ring.acquired(lock),
        sink => push_elsewhere(sink, Row::of(Event::LockAcquired { lock }), At::Last),
    });
}

/// Whatever is rarer than an event for a ring that is there.
#[cold]
fn push_elsewhere(sink: &mut Sink, row: Row, at: At) {
    match sink {
        Sink::Engine(engine) => engine.push_row(row),
        #[cfg(feature = "native")]
        Sink::Ring(ring) => ring.push(row, at),
        Sink::None => {
            #[cfg(feature = "native")]
            if let Some(mut ring) = super::hub::ring_for_this_thread() {
                ring.push(row, at);
                *sink = Sink::Ring(ring);
            }
            #[cfg(not(feature = "native"))]
            let _ = at;
        }
    }
}

/// Runs `f` on the names this thread's events use: its engine's, or else the process's.
pub(super) fn with_registry<R>(f: impl FnOnce(&mut Registry) -> R) -> R {
    THREAD.with(|thread| match &mut *thread.sink.borrow_mut() {
        Sink::Engine(engine) => f(&mut engine.registry),
        _ => f(&mut process_registry()),
    })
}

/// The names shared by all threads without an engine.
pub(super) fn process_registry() -> std::sync::MutexGuard<'static, Registry> {
    // A panic cannot leave the registry half-changed in a way that matters: at worst a name is missing.
    PROCESS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The number of a text that is no task's: a command's name.
pub(crate) fn label(text: &'static str) -> LabelId {
    with_registry(|registry| registry.label(text, None))
}

/// Lets `ns` pass on the clock of this thread's engine, as if the current task had computed for so long; false where there
/// is no engine and time passes by itself.
pub(crate) fn pass(ns: u64) -> bool {
    THREAD.with(|thread| match &*thread.sink.borrow() {
        Sink::Engine(engine) => {
            engine.pass(ns);
            true
        }
        _ => false,
    })
}

/// Whether this thread's names are kept: no, where an engine records nothing.
pub(crate) fn keeps_names() -> bool {
    with_registry(|registry| registry.keeps_names())
}

/// Numbers a lock or channel.
pub(crate) fn object(kind: ObjectKind, name: &str, number: u32) -> ObjectId {
    if cfg!(feature = "scope") {
        with_registry(|registry| registry.object(kind, name, number))
    } else {
        ObjectId(0)
    }
}

/// `client` calls itself `name` from now on; empty: no longer.
pub(crate) fn client_name(client: u32, name: &str) {
    if cfg!(feature = "scope") {
        with_registry(|registry| registry.client_name(client, name));
    }
}

/// Numbers a task that is about to be spawned and records it.
pub(super) fn spawned(text: &'static str, number: u32, place: &'static Location<'static>) -> TaskId {
    let parent = current();
    let at_ns = now_ns();
    let (task, label) = with_registry(|registry| registry.spawned(parent, text, number, place, at_ns));
    record(Event::Spawn { task, label, number });
    task
}

/// The task being polled on this thread, if its poll is recorded.
pub(crate) fn current() -> Option<TaskId> {
    THREAD.with(|thread| thread.current.get())
}

/// Makes `task` current until [`leave`]; gives back who was.
pub(super) fn enter(task: TaskId) -> Option<TaskId> {
    THREAD.with(|thread| thread.enter(task))
}

/// Ends what [`enter`] began.
pub(super) fn leave(before: Option<TaskId>) {
    THREAD.with(|thread| thread.current.set(before));
}

/// As [`enter`], and records that a poll of `task` starts: with one look at the thread's variables, as every poll comes by here.
#[inline(never)]
pub(super) fn poll_starts(task: TaskId) -> Option<TaskId> {
    THREAD.with(|thread| {
        let before = thread.enter(task);
        let worker = thread.worker();
        thread.push(Row::of(Event::PollStart { task, worker }), At::Now);
        before
    })
}

/// Ends what [`poll_starts`] began.
#[inline(never)]
pub(super) fn poll_ends(before: Option<TaskId>, outcome: PollOutcome) {
    THREAD.with(|thread| {
        if is_on() {
            thread.push(Row::of(Event::PollEnd { outcome }), At::Now);
        } else {
            // Nobody watches any more.
            #[cfg(feature = "native")]
            if let Sink::Ring(ring) = &mut *thread.sink.borrow_mut() {
                ring.forget();
            }
        }
        thread.current.set(before);
    });
}

/// Runs `f`, in which the runtime wakes whoever awaits the end of `task`.
pub(crate) fn joining<R>(task: TaskId, f: impl FnOnce() -> R) -> R {
    let before = THREAD.with(|thread| thread.joined.replace(Some(task)));
    let result = f();
    THREAD.with(|thread| thread.joined.set(before));
    result
}

/// The current task calls `yield_now`.
pub(crate) fn yields() {
    THREAD.with(|thread| {
        thread.yields.set(true);
        thread.gives_way.set(true);
    });
}

/// Whether the current poll called `yield_now`.
pub(super) fn did_yield() -> bool {
    THREAD.with(|thread| thread.yields.get())
}

/// Runs `f`, which lets `lock` go: whom it wakes is handed the lock.
pub(crate) fn releasing<R>(lock: ObjectId, f: impl FnOnce() -> R) -> R {
    if !is_on() {
        return f();
    }
    let before = THREAD.with(|thread| thread.releasing.replace(Some(lock)));
    let result = f();
    THREAD.with(|thread| thread.releasing.set(before));
    result
}

/// Records that `task` was woken, and by whom. `deferred`: the task gave way in its last poll, and Tokio
/// wakes it later from its own list. False: an engine keeps `waker`, and the wake has no effect yet.
pub(super) fn woken(task: TaskId, deferred: bool, waker: impl FnOnce() -> Waker) -> bool {
    let cause = THREAD.with(|thread| {
        let (current, joined) = (thread.current.get(), thread.joined.get());
        let keep = match thread.keep.get() {
            Keep::Nothing => false,
            Keep::Deferred => deferred && current.is_none() && joined.is_none(),
            Keep::GaveWay => {
                // Nothing comes between the call and the wake; and without a budget a task is polled for nothing but giving way.
                current == Some(task)
                    && (thread.gives_way.take() || !tokio::task::coop::has_budget_remaining())
            }
            Keep::All => true,
        };
        if keep {
            thread.keep(Kept { task, waker: waker() });
            return None;
        }
        let by = match (current, joined) {
            (Some(current), _) => WakeBy::Task(current),
            (None, _) if deferred => WakeBy::Task(task),
            (None, Some(joined)) => WakeBy::Finished(joined),
            (None, None) if thread.from_outside.get() => WakeBy::Driver,
            (None, None) if thread.worker() != WorkerId::NONE => WakeBy::Driver,
            (None, None) => WakeBy::Outside,
        };
        Some((by, thread.releasing.get()))
    });
    let Some((by, lock)) = cause else { return false };
    record(Event::Wake { task, by });
    if let Some(lock) = lock {
        record(Event::LockGranted { lock, to: task });
    }
    true
}

/// The worker this thread is.
#[cfg(feature = "native")]
pub(super) fn worker() -> WorkerId {
    THREAD.with(Thread::worker)
}

/// Nanoseconds since the recording's epoch on this thread's clock.
fn now_ns() -> u64 {
    THREAD.with(|thread| match &*thread.sink.borrow() {
        Sink::Engine(engine) => engine.now_ns(),
        #[cfg(feature = "native")]
        _ => super::hub::now_ns(),
        #[cfg(not(feature = "native"))]
        _ => 0,
    })
}

/// This thread's events go to an engine's buffer for as long as this lives. One engine a thread at a time.
#[derive(Debug)]
pub(crate) struct EngineRecording {
    // Bound to its thread.
    _not_send: std::marker::PhantomData<*const ()>,
}

impl EngineRecording {
    /// Starts recording this thread on `clock_ns`, which every event moves on. It stands for
    /// `threads` threads, of which the first has the first turn.
    ///
    /// # Panics
    /// If this thread already has an engine.
    pub(crate) fn start(clock_ns: Arc<AtomicU64>, threads: usize) -> Self {
        let recording = Self::install(clock_ns, None, threads, false);
        ON.store(true, Ordering::Relaxed);
        recording
    }

    /// Starts recording this thread on a clock of its own, which every event moves, and which `program_ns` takes along but
    /// does not follow: the program sees the same time whether it is recorded or not.
    ///
    /// # Panics
    /// As [`Self::start`].
    pub(crate) fn start_beside(program_ns: Arc<AtomicU64>) -> Self {
        let recording = Self::install(Arc::default(), Some(program_ns), 1, false);
        ON.store(true, Ordering::Relaxed);
        recording
    }

    /// Keeps names and time for this thread and no event.
    ///
    /// # Panics
    /// As [`Self::start`].
    pub(crate) fn start_quiet(program_ns: Arc<AtomicU64>) -> Self {
        Self::install(Arc::default(), Some(program_ns), 1, true)
    }

    fn install(
        clock_ns: Arc<AtomicU64>,
        program_ns: Option<Arc<AtomicU64>>,
        threads: usize,
        quiet: bool,
    ) -> Self {
        THREAD.with(|thread| {
            let mut sink = thread.sink.borrow_mut();
            assert!(!matches!(*sink, Sink::Engine(_)), "one engine a thread: drop the other first");
            *sink = Sink::Engine(Box::new(EngineSink::new(clock_ns, program_ns, threads, quiet)));
        });
        Self { _not_send: std::marker::PhantomData }
    }

    /// What the next event would be stamped with.
    pub(crate) fn now_ns(&self) -> u64 {
        now_ns()
    }

    /// What happens next happens on thread number `turn`, which is `worker`.
    pub(crate) fn turn(&self, turn: usize, worker: WorkerId) {
        THREAD.with(|thread| {
            thread.plays.set(Some(worker));
            if let Sink::Engine(engine) = &mut *thread.sink.borrow_mut() {
                engine.turn = turn;
            }
        });
    }

    /// Keeps wakes back from now on; the polls recorded on this thread so far.
    pub(crate) fn keep(&self, keep: Keep) -> u64 {
        THREAD.with(|thread| {
            thread.keep.set(keep);
            thread.polls.get()
        })
    }

    /// Hands the wakes that were kept to `each`, in order.
    pub(crate) fn release(&self, each: impl FnMut(Kept)) {
        THREAD.with(|thread| thread.release(each));
    }

    /// Keeps no wake from now on and does as [`Self::release`]; the polls recorded on this thread so far.
    pub(crate) fn settle(&self, each: impl FnMut(Kept)) -> u64 {
        THREAD.with(|thread| {
            thread.keep.set(Keep::Nothing);
            thread.release(each);
            thread.polls.get()
        })
    }

    /// Definitions and living tasks; what comes later is in [`Self::take`].
    pub(crate) fn snapshot(&self) -> [Frame; 2] {
        with_registry(Registry::snapshot)
    }

    /// Hands what was recorded since the last call to `each`, in order; of each thread at once. It must not record.
    pub(crate) fn drain(&self, each: impl FnMut(Fresh<'_>)) {
        THREAD.with(|thread| {
            if let Sink::Engine(engine) = &mut *thread.sink.borrow_mut() {
                engine.drain(each);
            }
        });
    }

    /// Appends what was recorded since the last call, complete up to `until_ns`.
    pub(crate) fn take(&self, frames: &mut Vec<Frame>, until_ns: u64) {
        self.drain(|fresh| fresh.append_to(frames));
        frames.push(Frame::Drained { at_ns: until_ns });
    }

    /// Looks at the events of thread 0 that have not been taken.
    pub(crate) fn peek<R>(&self, look: impl FnOnce(&[Stamped]) -> R) -> R {
        THREAD.with(|thread| match &*thread.sink.borrow() {
            Sink::Engine(engine) => look(engine.first()),
            _ => look(&[]),
        })
    }

    /// Runs `f` as the driver: what it wakes was woken by bytes that arrived or time that passed.
    pub(crate) fn as_driver<R>(&self, f: impl FnOnce() -> R) -> R {
        THREAD.with(|thread| thread.from_outside.set(true));
        let result = f();
        THREAD.with(|thread| thread.from_outside.set(false));
        result
    }
}

impl Drop for EngineRecording {
    fn drop(&mut self) {
        // `ON` stays set: another thread's engine may be recording, and a thread without a sink loses nothing but the look.
        // In a browser there is no other thread, and exploring after a recorded run is faster without the look.
        #[cfg(target_arch = "wasm32")]
        ON.store(false, Ordering::Relaxed);
        THREAD.with(|thread| {
            thread.plays.set(None);
            thread.keep.set(Keep::Nothing);
            thread.kept.take();
            *thread.sink.borrow_mut() = Sink::None;
        });
    }
}
