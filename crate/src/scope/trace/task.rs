//! Tasks as a recording knows them: who spawned them, what they do, what they wait for.

use std::collections::{BTreeMap, VecDeque};

use super::Concurrency;
use super::poll::Wake;
use crate::scope::event::{
    EndKind, Event, LabelId, ObjectId, PollOutcome, Stamped, TaskId, WakeBy, WorkerId,
};
use crate::scope::frame::AliveTask;

/// Tasks that have ended and are still known; the oldest are forgotten first.
const ENDED_MAX: usize = 5_000;

/// A task.
#[derive(Clone, Debug)]
pub struct Task {
    /// Its number in the recording.
    pub id: TaskId,
    /// Who spawned it, if that was a task.
    pub parent: Option<TaskId>,
    /// What it is and where it was spawned; none if its spawning was not recorded.
    pub label: Option<LabelId>,
    /// Tells it from others with the same label.
    pub number: u32,
    /// The client whose commands it serves, once it has served one.
    pub client: Option<u32>,
    /// When it was spawned, or first seen.
    pub spawned_ns: u64,
    /// When and how it ended.
    pub ended: Option<(u64, EndKind)>,
    /// What it does now.
    pub state: TaskState,
    /// How often it was polled.
    pub polls: u64,
    /// How often it was woken, and how often by itself.
    pub wakes: u64,
    /// Of these, by itself.
    pub self_wakes: u64,
    /// Nanoseconds spent being polled.
    pub polled_ns: u64,
    /// Nanoseconds spent woken, waiting for a worker.
    pub scheduled_ns: u64,
    // The first wake since its last poll began.
    woken: Option<Wake>,
}

/// What a task does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TaskState {
    /// It is being polled.
    Running {
        /// By whom.
        worker: WorkerId,
        /// Since when.
        since_ns: u64,
    },
    /// It was woken, or just spawned, and waits for a worker.
    Scheduled {
        /// Since when.
        since_ns: u64,
    },
    /// It waits.
    Idle {
        /// For what.
        wait: Wait,
        /// Since when.
        since_ns: u64,
    },
    /// It is gone.
    Ended,
}

/// What a task waits for between two polls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Wait {
    /// Not recorded.
    #[default]
    Unknown,
    /// Bytes from its client.
    Bytes,
    /// Its client to take bytes.
    Writable,
    /// A lock.
    Lock(ObjectId),
    /// A message on a channel.
    Message(ObjectId),
    /// Room in a channel.
    Room(ObjectId),
    /// The end of another task.
    Join(TaskId),
    /// Time to pass.
    Sleep,
    /// Its turn: it gave way.
    Turn,
    /// Nothing: it is finished.
    Nothing,
}

impl Wait {
    /// What a poll with these details and this outcome leaves its task waiting for: the last wait told in it that was not
    /// over before it ended.
    pub(super) fn after(details: &[Stamped], outcome: Option<PollOutcome>) -> Self {
        match outcome {
            Some(PollOutcome::Pending) => {}
            Some(PollOutcome::CoopYield | PollOutcome::Yield) => return Self::Turn,
            Some(PollOutcome::Ready | PollOutcome::Panicked) => return Self::Nothing,
            None => return Self::Unknown,
        }
        // Other waits go before sleeping: a time-out is only the wait's bound.
        let mut sleeps = false;
        for stamped in details.iter().rev() {
            match stamped.event {
                Event::ReadWait => return Self::Bytes,
                Event::WriteWait => return Self::Writable,
                Event::LockWait { lock } => return Self::Lock(lock),
                Event::ReceiveWait { channel } => return Self::Message(channel),
                Event::SendWait { channel } => return Self::Room(channel),
                Event::JoinWait { on } => return Self::Join(on),
                Event::Sleep { .. } => sleeps = true,
                Event::Read { .. }
                | Event::Receive { .. }
                | Event::LockAcquired { .. }
                | Event::Write { .. } => break,
                _ => {}
            }
        }
        if sleeps { Self::Sleep } else { Self::Unknown }
    }
}

/// All tasks.
#[derive(Debug, Default)]
pub(super) struct Tasks {
    tasks: BTreeMap<TaskId, Task>,
    ended: VecDeque<TaskId>,
}

impl Tasks {
    pub(super) fn get(&self, id: TaskId) -> Option<&Task> {
        self.tasks.get(&id)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Task> {
        self.tasks.values()
    }

    pub(super) fn concurrency(&self) -> Concurrency {
        let mut concurrency = Concurrency::default();
        for task in self.tasks.values().filter(|task| task.ended.is_none()) {
            concurrency.alive += 1;
            let busy = matches!(task.state, TaskState::Running { .. } | TaskState::Scheduled { .. });
            concurrency.busy += usize::from(busy);
        }
        concurrency
    }

    /// A task begins, or what was not known of it is told.
    pub(super) fn spawn(
        &mut self,
        id: TaskId,
        parent: Option<TaskId>,
        label: Option<LabelId>,
        number: u32,
        at_ns: u64,
    ) {
        let task = self.seen(id, at_ns);
        task.spawned_ns = task.spawned_ns.min(at_ns);
        task.parent = task.parent.or(parent);
        (task.label, task.number) = (task.label.or(label), number);
    }

    /// It is told to be alive at `now_ns`, with nothing of what it does. Most tasks wait at most times, and whoever does not
    /// is seen to soon.
    pub(super) fn found_alive(&mut self, alive: &AliveTask, now_ns: u64) {
        let is_new = !self.tasks.contains_key(&alive.task);
        self.spawn(alive.task, alive.parent, Some(alive.label), alive.number, alive.spawned_at_ns);
        if is_new && let Some(task) = self.tasks.get_mut(&alive.task) {
            task.state = TaskState::Idle { wait: Wait::Unknown, since_ns: now_ns };
        }
    }

    pub(super) fn end(&mut self, id: TaskId, at_ns: u64, how: EndKind) {
        let task = self.seen(id, at_ns);
        task.ended = Some((at_ns, how));
        task.state = TaskState::Ended;
        self.ended.push_back(id);
        if self.ended.len() > ENDED_MAX
            && let Some(oldest) = self.ended.pop_front()
        {
            self.tasks.remove(&oldest);
        }
    }

    /// Its poll begins; what woke it, if that was recorded.
    pub(super) fn start_poll(&mut self, id: TaskId, worker: WorkerId, at_ns: u64) -> Option<Wake> {
        let task = self.seen(id, at_ns);
        if let TaskState::Scheduled { since_ns } = task.state {
            task.scheduled_ns += at_ns.saturating_sub(since_ns);
        }
        task.polls += 1;
        task.state = TaskState::Running { worker, since_ns: at_ns };
        task.woken.take()
    }

    pub(super) fn end_poll(&mut self, id: TaskId, at_ns: u64, polled_ns: u64, wait: Wait) {
        let task = self.seen(id, at_ns);
        task.polled_ns += polled_ns;
        if task.ended.is_some() {
            return;
        }
        task.state = match task.woken {
            // Woken while it ran: it goes straight back in line.
            Some(_) => TaskState::Scheduled { since_ns: at_ns },
            None => TaskState::Idle { wait, since_ns: at_ns },
        };
    }

    pub(super) fn wake(&mut self, id: TaskId, wake: Wake) {
        let task = self.seen(id, wake.at_ns);
        task.wakes += 1;
        task.self_wakes += u64::from(wake.by == WakeBy::Task(id));
        task.woken.get_or_insert(wake);
        if let TaskState::Idle { .. } = task.state {
            task.state = TaskState::Scheduled { since_ns: wake.at_ns };
        }
    }

    /// It serves `client`.
    pub(super) fn serves(&mut self, id: TaskId, client: u32) {
        if let Some(task) = self.tasks.get_mut(&id) {
            task.client = Some(client);
        }
    }

    fn seen(&mut self, id: TaskId, at_ns: u64) -> &mut Task {
        self.tasks.entry(id).or_insert_with(|| Task {
            id,
            parent: None,
            label: None,
            number: 0,
            client: None,
            spawned_ns: at_ns,
            ended: None,
            state: TaskState::Scheduled { since_ns: at_ns },
            polls: 0,
            wakes: 0,
            self_wakes: 0,
            polled_ns: 0,
            scheduled_ns: 0,
            woken: None,
        })
    }
}
