//! What makes up the state of a run, noted while an explorer watches: two runs with the same notes go on alike.
//!
//! A task is deterministic, so where it stands and what it holds is a function of what it has read since it was spawned:
//! its *history*, a running hash. What it does at the door is noted there, too, when it is done. So between two notes there is
//! at most one place where it can stand ready, before what it does next, and one where it waits for that; the second shows in
//! the queue it waits in or in what it was handed there, or makes no difference.
//!
//! Beside the histories there is what tasks share: locks with their holders and waiters, channels with their messages,
//! stores. Each place in the project that touches one of these notes it here, in one line that does nothing unless this
//! thread's engine was made to keep notes. Knows neither statements nor commands.

#![cfg_attr(not(feature = "explore"), allow(dead_code, reason = "only exploring keeps notes"))]

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::hash::{BuildHasher, Hash};

use foldhash::fast::FixedState;
use litemap::LiteMap;

use crate::scope::event::{ObjectId, TaskId};

thread_local! {
    static KEPT: Cell<bool> = const { Cell::new(false) };
    static LEDGER: RefCell<Ledger> = RefCell::default();
}

/// The notes of one run.
#[derive(Debug, Default)]
struct Ledger {
    /// Whose poll this is.
    current: usize,
    /// By number.
    tasks: Vec<Task>,
    /// By number.
    objects: Vec<Object>,
    /// By where it lies, the content of every store.
    stores: LiteMap<usize, u64>,
    /// Which keys were named. A sum.
    named: u64,
    /// What tasks have settled for good: how they ended, which of their assertions failed. A sum.
    facts: u64,
    entangled: bool,
}

/// The notes of a run as they stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Notes {
    /// Who lives: first those who are ready, in the order in which they became so; then those who wait, by identity.
    pub(crate) tasks: Vec<Noted>,
    /// How many are ready.
    pub(crate) ready: usize,
    pub(crate) shared: Shared,
    pub(crate) next_deadline_ns: Option<u64>,
    /// When each sleep ends, in order, and whose it is.
    pub(crate) sleeps: u64,
    /// A sum of what tasks have settled for good. No task can find out.
    pub(crate) facts: u64,
    /// What the task has read that was polled last, be it alive or not.
    pub(crate) last: u64,
    /// See [`entangles`].
    pub(crate) entangled: bool,
}

/// A living task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Noted {
    pub(crate) identity: u64,
    /// What it has read so far.
    pub(crate) history: u64,
}

/// What all tasks of a run can meet with, as numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Shared {
    stores: u64,
    /// Locks and channels.
    objects: u64,
    /// Keys that were named.
    named: u64,
    pub(crate) now_ns: u64,
}

/// A task.
#[derive(Clone, Copy, Debug, Default)]
struct Task {
    /// Who it is, whenever it was spawned.
    identity: u64,
    /// What it has read so far.
    history: u64,
    alive: bool,
}

/// A lock or a channel; a lock has no messages and a channel no holder.
#[derive(Clone, Debug, Default, Hash)]
struct Object {
    /// Who holds the lock, or has been handed it.
    holder: Option<u64>,
    /// Who waits for the lock, or for room, in order.
    waiters: Vec<u64>,
    /// What each message was made of: its sender's history.
    messages: VecDeque<u64>,
    /// By message, who awaits an answer that is there, and what it was made of.
    answers: LiteMap<u32, (u64, u64)>,
    /// Nobody receives any more.
    closed: bool,
}

/// A hash of `value` that is the same in every process.
pub(crate) fn digest(value: impl Hash) -> u64 {
    FixedState::with_seed(0).hash_one(value)
}

/// Whether this thread keeps notes.
#[inline]
pub(crate) fn is_kept() -> bool {
    cfg!(feature = "explore") && KEPT.get()
}

fn note(change: impl FnOnce(&mut Ledger)) {
    if is_kept() {
        LEDGER.with_borrow_mut(change);
    }
}

/// Keeps notes on this thread until dropped.
#[derive(Debug)]
pub(crate) struct Keeping(());

impl Keeping {
    /// Begins with none.
    pub(crate) fn start() -> Self {
        LEDGER.with_borrow_mut(|ledger| *ledger = Ledger::default());
        KEPT.set(true);
        Self(())
    }

    /// `task` is polled from now on.
    pub(crate) fn polls(&self, task: TaskId) {
        note(|ledger| ledger.current = task.0 as usize);
    }

    /// `task` has ended.
    pub(crate) fn ended(&self, task: TaskId) {
        note(|ledger| ledger.task(task.0 as usize).alive = false);
    }

    /// Who `task` is: the same number in every run, whenever the task was spawned.
    pub(crate) fn identity(&self, task: TaskId) -> u64 {
        LEDGER.with_borrow_mut(|ledger| ledger.task(task.0 as usize).identity)
    }

    /// The notes as they stand: `ready` are the ready tasks, in order, `sleeping` the sleeps that go on, in order, and
    /// `now_ns` is the time.
    pub(crate) fn taken(
        &self,
        ready: impl Iterator<Item = TaskId>,
        now_ns: u64,
        sleeping: &[(u64, Option<TaskId>)],
    ) -> Notes {
        LEDGER.with_borrow_mut(|ledger| {
            let noted = |task: &Task| Noted { identity: task.identity, history: task.history };
            let mut tasks: Vec<_> = ready.map(|task| noted(ledger.task(task.0 as usize))).collect();
            let ready = tasks.len();
            for task in ledger.tasks.iter().filter(|task| task.alive) {
                if !tasks[..ready].iter().any(|ready| ready.identity == task.identity) {
                    tasks.push(noted(task));
                }
            }
            tasks[ready..].sort_unstable_by_key(|task| task.identity);
            // A sum, because stores have no order.
            let stores = ledger.stores.values().copied().fold(0, u64::wrapping_add);
            let sleeper = |task: &Option<TaskId>| task.map(|task| ledger.tasks[task.0 as usize].identity);
            let sleeps = sleeping.iter().map(|(deadline_ns, task)| (deadline_ns, sleeper(task)));
            let sleeps = sleeps.fold(0, |sleeps, sleep| digest((sleeps, sleep)));
            let (objects, named) = (digest(&ledger.objects), ledger.named);
            Notes {
                tasks,
                ready,
                shared: Shared { stores, objects, named, now_ns },
                next_deadline_ns: sleeping.first().map(|&(deadline_ns, _)| deadline_ns),
                sleeps,
                facts: ledger.facts,
                last: ledger.current().history,
                entangled: ledger.entangled,
            }
        })
    }
}

impl Notes {
    /// Where the task called `identity` stands among all, if it waits; else where it would.
    pub(crate) fn waiting(&self, identity: u64) -> Result<usize, usize> {
        let place = self.tasks[self.ready..].binary_search_by_key(&identity, |task| task.identity);
        place.map(|at| self.ready + at).map_err(|at| self.ready + at)
    }

    /// The whole state, as one number: which tasks live, what each has read and whether it is ready, and all that they share.
    pub(crate) fn state(&self) -> u64 {
        // Sums, because tasks have no order.
        let tasks = self.tasks.iter().map(digest).fold(0, u64::wrapping_add);
        let ready = self.tasks[..self.ready].iter().map(|task| digest((task.identity, "ready")));
        digest((tasks, ready.fold(0, u64::wrapping_add), self.shared, self.next_deadline_ns, self.facts))
    }
}

impl Drop for Keeping {
    fn drop(&mut self) {
        KEPT.set(false);
    }
}

impl Ledger {
    fn task(&mut self, number: usize) -> &mut Task {
        if self.tasks.len() <= number {
            self.tasks.resize(number + 1, Task::default());
        }
        &mut self.tasks[number]
    }

    fn current(&mut self) -> &mut Task {
        self.task(self.current)
    }

    fn object(&mut self, object: ObjectId) -> &mut Object {
        let number = object.0 as usize;
        if self.objects.len() <= number {
            self.objects.resize(number + 1, Object::default());
        }
        &mut self.objects[number]
    }

    fn read(&mut self, what: u64) {
        let task = self.current();
        task.history = digest((task.history, what));
    }
}

/// `task`, called `label number`, was spawned. The name is its identity, whatever its place in the order of spawns.
pub(super) fn spawned(task: TaskId, label: &str, number: u32) {
    note(|ledger| {
        let mut identity = digest((label, number));
        // Two that live and are called the same are told apart by the order of their spawns.
        if ledger.tasks.iter().any(|task| task.alive && task.identity == identity) {
            identity = digest((identity, task.0));
        }
        // It may know all that its parent knew.
        let history = digest((identity, ledger.current().history));
        *ledger.task(task.0 as usize) = Task { identity, history, alive: true };
    });
}

/// The current task has read `what`: from now on what it does may depend on it.
pub(crate) fn read(what: impl Hash) {
    note(|ledger| ledger.read(digest(what)));
}

/// All that the current task knows is `what`; what it has read before no longer matters to it.
pub(crate) fn knows(what: impl Hash) {
    note(|ledger| {
        let task = ledger.current();
        task.history = digest((task.identity, digest(what)));
    });
}

/// `key` was named for the first time, by whatever task.
pub(crate) fn named(key: &[u8]) {
    note(|ledger| ledger.named = ledger.named.wrapping_add(digest(key)));
}

/// From now on tasks may meet elsewhere than at the data, at locks and in time: what a step of one does may depend on where
/// others stand that are ready. Their histories tell where that is, and nothing else does.
pub(crate) fn entangles() {
    note(|ledger| ledger.entangled = true);
}

/// Who is polled, if notes are kept.
pub(super) fn current() -> Option<TaskId> {
    is_kept().then(|| LEDGER.with_borrow(|ledger| TaskId(ledger.current as u32)))
}

/// `what` holds of the current task from now on, even when it has ended.
pub(crate) fn fact_of_task(what: impl Hash) {
    note(|ledger| {
        let identity = ledger.current().identity;
        ledger.facts = ledger.facts.wrapping_add(digest((identity, digest(what))));
    });
}

/// The store at `place` holds `content` now.
pub(crate) fn store(place: usize, content: u64) {
    note(|ledger| _ = ledger.stores.insert(place, content));
}

/// The current task waits for `object`: a lock, or room in a channel.
pub(super) fn waits(object: ObjectId) {
    note(|ledger| {
        let identity = ledger.current().identity;
        ledger.object(object).waiters.push(identity);
    });
}

/// The current task has `lock`.
pub(super) fn acquired(lock: ObjectId) {
    note(|ledger| {
        let identity = ledger.current().identity;
        ledger.object(lock).holder = Some(identity);
        ledger.read(lock.0.into());
    });
}

/// `lock` is let go: who has waited longest has it now.
pub(super) fn released(lock: ObjectId) {
    note(|ledger| {
        let object = ledger.object(lock);
        object.holder = if object.waiters.is_empty() { None } else { Some(object.waiters.remove(0)) };
        // To have it for the second time is not to have it still.
        ledger.read(digest((lock.0, "released")));
    });
}

/// The current task has sent a message through `channel`, or could not.
pub(super) fn sent(channel: ObjectId, arrived: bool) {
    note(|ledger| {
        let Task { identity, history, .. } = *ledger.current();
        // What it carries besides, a promise say, has a number that others have counted up.
        ledger.entangled = true;
        let object = ledger.object(channel);
        object.waiters.retain(|waiter| *waiter != identity);
        if arrived {
            object.messages.push_back(history);
        }
        ledger.read(digest((channel.0, arrived)));
    });
}

/// The current task has taken the next message out of `channel`, or learned that there will be none.
pub(super) fn received(channel: ObjectId, some: bool) {
    note(|ledger| {
        let message = if some { ledger.object(channel).messages.pop_front() } else { None };
        ledger.read(digest((channel.0, message)));
    });
}

/// Nobody receives from `channel` any more.
pub(super) fn closed(channel: ObjectId) {
    note(|ledger| ledger.object(channel).closed = true);
}

/// The current task's identity, for whom an answer is promised.
pub(super) fn identity() -> u64 {
    if is_kept() { LEDGER.with_borrow_mut(|ledger| ledger.current().identity) } else { 0 }
}

/// The current task answers `whom`.
pub(super) fn answered(answers: ObjectId, message: u32, whom: u64) {
    note(|ledger| {
        let history = ledger.current().history;
        ledger.object(answers).answers.insert(message, (whom, history));
    });
}

/// The current task has taken the answer.
pub(super) fn took_answer(answers: ObjectId, message: u32) {
    note(|ledger| {
        let made_of = ledger.object(answers).answers.remove(&message).map(|(_, made_of)| made_of);
        ledger.read(digest((answers.0, made_of)));
    });
}
