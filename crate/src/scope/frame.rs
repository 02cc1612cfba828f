//! What travels to whoever watches: frames of definitions, tasks alive at the start, and batches of events.
//!
//! The same bytes come over the `/trace` WebSocket and out of the engine in a tab. Knows nothing of how the bytes are carried.

use serde::{Deserialize, Serialize};

use super::event::{LabelId, ObjectId, Stamped, TaskId, WorkerId};

/// How the events of a recording came about; the page never shows one for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Origin {
    /// Recorded from a real runtime.
    Observed,
    /// Produced by the model of the multi-thread scheduler.
    Modelled,
}

/// What a watcher is told first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// Observed or modelled.
    pub origin: Origin,
    /// Where the code runs: `native server` or `this tab`.
    pub place: String,
    /// The runtime's flavour, as its flag spells it: `current-thread` or `multi-thread`.
    pub flavor: String,
    /// Workers of the runtime.
    pub workers: u16,
    /// How connections share the store, as the flag spells it.
    pub sharing: String,
    /// Whether `at_ns` is virtual time (the tab) or the machine's (native).
    pub virtual_time: bool,
    /// Nanoseconds since the recording's epoch at the moment of this frame.
    pub now_ns: u64,
}

/// What a lock or channel is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ObjectKind {
    /// `std::sync::Mutex`: a task that waits blocks its worker.
    Mutex,
    /// `tokio::sync::Mutex`: a task that waits gives its worker back.
    AsyncMutex,
    /// `tokio::sync::mpsc`.
    Mpsc,
    /// `tokio::sync::oneshot`.
    Oneshot,
}

/// Text for the numbers in events; sent before the first event that uses them, possibly more than once.
#[expect(missing_docs, reason = "each variant's sentence names its fields")]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Definition {
    /// A task's kind and where it is spawned (`file` empty: none), or a command's name.
    Label { id: LabelId, text: String, file: String, line: u32 },
    /// A lock or a channel. `number` tells it from others with the same name.
    Object { id: ObjectId, kind: ObjectKind, name: String, number: u32 },
    /// A name the client gave itself with `CLIENT SETNAME` or `HELLO … SETNAME`. Empty: it took its name back.
    ClientName { client: u32, name: String },
    /// In a merged recording, one of those it is of: its tasks' numbers begin at `first_task`, its workers' at `first_worker`. It
    /// tells of nothing after `end_ns`.
    Part { name: String, first_task: TaskId, first_worker: WorkerId, workers: u16, end_ns: u64 },
}

/// A task that was alive when watching began, so that the page does not start empty.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AliveTask {
    /// The task.
    pub task: TaskId,
    /// Who spawned it.
    pub parent: Option<TaskId>,
    /// Its kind and place.
    pub label: LabelId,
    /// Tells it from others with the same label: the client's number for a connection.
    pub number: u32,
    /// When it was spawned.
    pub spawned_at_ns: u64,
}

/// Events of one thread, in order.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Chunk {
    /// The OS thread, numbered from 0 in the order of their first events.
    pub thread: u16,
    /// What happened, times never decreasing.
    pub events: Vec<Stamped>,
}

/// One frame.
#[expect(missing_docs, reason = "each variant's sentence names its fields")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// The first frame of every stream.
    Hello(Hello),
    /// Texts.
    Define(Vec<Definition>),
    /// Tasks alive when watching began.
    Alive(Vec<AliveTask>),
    /// Events of one thread.
    Events(Chunk),
    /// `events` were recorded but not sent, because this watcher was too slow to take them.
    Lost { events: u64 },
    /// All threads were drained up to this moment, whether or not anything happened: the page's clock goes on.
    Drained { at_ns: u64 },
}
