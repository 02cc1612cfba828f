//! The closed list of things a task can be seen doing.
//!
//! An event is small and plain so that recording one costs a clock read and a store. What it does not say is
//! given by where it stands: events between a task's [`Event::PollStart`] and [`Event::PollEnd`] on one thread
//! were done by that task. Names are numbers here; [`super::frame::Definition`] gives their text once.

use serde::{Deserialize, Serialize};

/// A task, numbered from 1 in the order of spawning within one runtime. Never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TaskId(
    /// The number.
    pub u32,
);

/// A text given once by [`super::frame::Definition::Label`]: what a task is, and where it was spawned; or what a
/// command is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct LabelId(
    /// The number.
    pub u32,
);

/// What a request is called for which there is no command, or which has a wrong number of arguments: it starts, and ends with an
/// error, at once.
pub const REFUSED: &str = "refused request";

/// A lock or a channel, given once by [`super::frame::Definition::Object`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ObjectId(
    /// The number.
    pub u32,
);

/// A worker of the runtime, from 0. `WorkerId::NONE` is a thread that is no worker (inside `block_in_place`, or
/// a thread outside the runtime).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct WorkerId(
    /// The index.
    pub u16,
);

impl WorkerId {
    /// A thread that is no worker.
    pub const NONE: Self = Self(u16::MAX);
}

/// How a poll ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PollOutcome {
    /// The task waits for something.
    Pending,
    /// The task is finished.
    Ready,
    /// Pending because the coop budget ran out: the task could go on and lets others run first.
    CoopYield,
    /// Pending because the task called `yield_now`.
    Yield,
    /// The task panicked.
    Panicked,
}

/// How a task's life ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EndKind {
    /// It returned.
    Completed,
    /// It was aborted, or its runtime shut down.
    Cancelled,
    /// It panicked.
    Panicked,
}

/// Who woke a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WakeBy {
    /// The task being polled on the thread that woke. The task itself: a self-wake.
    Task(TaskId),
    /// The end of this task, which the woken one awaited. Tokio wakes the joiner after the last poll has returned.
    Finished(TaskId),
    /// The runtime's driver: a socket became ready or a timer fired.
    Driver,
    /// A thread outside the runtime.
    Outside,
}

/// One thing that happened. Fields hold what position does not say.
#[expect(missing_docs, reason = "each variant's sentence names its fields")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Event {
    /// `task` was spawned by the current task (or by none). `number` tells it from others with the same label.
    Spawn { task: TaskId, label: LabelId, number: u32 },
    /// `worker` starts polling `task`, which is current from here to the matching `PollEnd` on this thread.
    PollStart { task: TaskId, worker: WorkerId },
    /// The current task's poll ended.
    PollEnd { outcome: PollOutcome },
    /// `task` is gone. Completed and panicked tasks end inside their last poll, before `PollEnd`; cancelled ones
    /// anywhere.
    End { task: TaskId, how: EndKind },
    /// `task` was woken: it is scheduled now, unless it already was or is being polled.
    Wake { task: TaskId, by: WakeBy },
    /// `worker` found nothing to do and sleeps.
    Park { worker: WorkerId },
    /// `worker` woke up, for its driver or for new work.
    Unpark { worker: WorkerId },
    /// The current task found `lock` taken and waits for it.
    LockWait { lock: ObjectId },
    /// The current task handed `lock` over to the first of its waiters.
    LockGranted { lock: ObjectId, to: TaskId },
    /// The current task holds `lock`.
    LockAcquired { lock: ObjectId },
    /// The current task let `lock` go.
    LockReleased { lock: ObjectId },
    /// The current task put `message` (numbered from 1 a channel) into `channel`.
    Send { channel: ObjectId, message: u32 },
    /// The current task found `channel` full and waits for room.
    SendWait { channel: ObjectId },
    /// The current task took `message` out of `channel`.
    Receive { channel: ObjectId, message: u32 },
    /// The current task found `channel` empty and waits for a message.
    ReceiveWait { channel: ObjectId },
    /// The current task awaits the end of `on`.
    JoinWait { on: TaskId },
    /// The current task sleeps for `for_us` microseconds.
    Sleep { for_us: u32 },
    /// The current task has nothing to read and waits for bytes from its client.
    ReadWait,
    /// The current task read `bytes` from its client.
    Read { bytes: u32 },
    /// The current task wrote `bytes` to its client.
    Write { bytes: u32 },
    /// The current task cannot write: its client takes no bytes. It waits until the client does.
    WriteWait,
    /// The current task starts to serve a command of `client`.
    CommandStart { client: u32, command: LabelId },
    /// The oldest command still open of the client that the current task serves has its reply, still to be written.
    /// A batch may start several commands before the first ends (one message to an actor carries them all).
    CommandEnd { failed: bool },
    /// The current task begins a section that blocks its worker.
    BlockStart,
    /// The blocking section ended.
    BlockEnd,
    /// `lost` events of this thread did not fit the buffer here. The next event is a `PollStart` or stands outside polls.
    Gap { lost: u32 },
}

impl Event {
    /// The lock or channel it happened to.
    pub(crate) fn object(self) -> Option<ObjectId> {
        match self {
            Self::LockWait { lock }
            | Self::LockGranted { lock, .. }
            | Self::LockAcquired { lock }
            | Self::LockReleased { lock } => Some(lock),
            Self::Send { channel, .. }
            | Self::SendWait { channel }
            | Self::Receive { channel, .. }
            | Self::ReceiveWait { channel } => Some(channel),
            _ => None,
        }
    }
}

/// An event and when it happened.
///
/// `at_ns` is nanoseconds since the recording's epoch: of the processor's monotonic clock natively, of the engine's
/// virtual clock in the tab.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Stamped {
    /// Nanoseconds since the recording's epoch.
    pub at_ns: u64,
    /// What happened.
    pub event: Event,
}
