//! Where every task of a run stands, to be looked at while it runs.
//!
//! Owns what a task tells about itself. A task writes to its own entry only, and mostly atomics; anyone reads. None of
//! them orders anything else, so all accesses are relaxed: under an engine nothing runs while one looks, and natively
//! what one sees may be a moment old. Knows no statement but by its place.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use super::error::Span;
use super::outcome::{End, FailedAssert};
use super::parse::Script;
use super::value::Value;
use crate::scope::event::TaskId;
use crate::scope::record;

/// What a task of a scenario is called: `setup`, `buyer 2`, `buyer 2/helper`. Ordered as in the text, whatever the order
/// in which tasks were spawned.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TaskName {
    /// From the client down: which name, then which of that name.
    path: Vec<(u32, u32)>,
    label: Arc<str>,
    number: u32,
}

impl TaskName {
    /// The task of a part: the `place`-th one, and of its tasks the one numbered `number`; 0 for the only one.
    pub(super) fn of_part(place: u32, name: &Arc<str>, number: u32) -> Self {
        Self { path: vec![(place, number)], label: Arc::clone(name), number }
    }

    /// The task that this one spawns, the `number`-th (from 0) under `name`, the `place`-th of the names it uses.
    pub(super) fn child(&self, place: u32, name: &str, number: u32) -> Self {
        let mut path = self.path.clone();
        path.push((place, number));
        // The first has no number, so that the only one has none.
        let number = if number == 0 { 0 } else { number + 1 };
        Self { path, label: format!("{self}/{name}").into(), number }
    }

    /// The name without its number.
    pub(super) fn label(&self) -> &str {
        &self.label
    }

    /// Which of several with this label; 0 for the only one.
    pub(super) fn number(&self) -> u32 {
        self.number
    }
}

impl fmt::Display for TaskName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.number {
            0 => f.write_str(&self.label),
            number => write!(f, "{} {number}", self.label),
        }
    }
}

/// What a task waits for.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Waits {
    /// The server's reply.
    Reply,
    /// A lock, and the task that holds it.
    Lock {
        /// The lock's name.
        lock: Arc<str>,
        /// Who holds it; `None` while it is being handed over.
        holder: Option<TaskName>,
    },
    /// Room in a full channel.
    Room {
        /// The channel's name.
        channel: Arc<str>,
    },
    /// A message from an empty channel.
    Message {
        /// The channel's name.
        channel: Arc<str>,
    },
    /// The end of a task that it spawned.
    Join {
        /// That task.
        task: TaskName,
    },
    /// Time to pass.
    Sleep,
    /// The others to have their turn.
    Turn,
}

impl fmt::Display for Waits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Reply => f.write_str("waits for the server's reply"),
            Self::Lock { lock, holder: Some(holder) } => {
                write!(f, "waits for the lock `{lock}`, which {holder} holds")
            }
            Self::Lock { lock, holder: None } => write!(f, "waits for the lock `{lock}`"),
            Self::Room { channel } => write!(f, "waits for room in the channel `{channel}`"),
            Self::Message { channel } => write!(f, "waits for a message from the channel `{channel}`"),
            Self::Join { task } => write!(f, "waits for the end of {task}"),
            Self::Sleep => f.write_str("sleeps"),
            Self::Turn => f.write_str("lets the others run"),
        }
    }
}

/// What a task waits for, by number.
#[derive(Clone, Copy, Debug)]
pub(super) enum Wait {
    Reply,
    Lock(usize),
    Room(usize),
    Message(usize),
    Join(usize),
    Sleep,
    Turn,
}

impl Wait {
    /// 0 is left for waiting for nothing.
    fn encode(self) -> u64 {
        let (kind, number) = match self {
            Self::Reply => (1, 0),
            Self::Lock(lock) => (2, lock),
            Self::Room(channel) => (3, channel),
            Self::Message(channel) => (4, channel),
            Self::Join(task) => (5, task),
            Self::Sleep => (6, 0),
            Self::Turn => (7, 0),
        };
        kind << 32 | number as u64
    }

    fn decode(code: u64) -> Option<Self> {
        let number = code as u32 as usize;
        Some(match code >> 32 {
            1 => Self::Reply,
            2 => Self::Lock(number),
            3 => Self::Room(number),
            4 => Self::Message(number),
            5 => Self::Join(number),
            6 => Self::Sleep,
            7 => Self::Turn,
            _ => return None,
        })
    }
}

/// A task's own entry.
#[derive(Debug)]
pub(super) struct Standing {
    pub(super) name: TaskName,
    /// Its number among all tasks of the run, in the order of their spawning.
    pub(super) number: usize,
    /// Where the statement begins and ends that it executes.
    span: AtomicU64,
    wait: AtomicU64,
    /// Its number in the trace plus one; 0 before its first poll, or if nothing is recorded.
    traced: AtomicU64,
    pub(super) end: OnceLock<End>,
    kept: Mutex<Kept>,
}

/// What a task leaves behind.
#[derive(Clone, Debug, Default)]
pub(super) struct Kept {
    /// The variables it set, by name.
    pub(super) variables: BTreeMap<Arc<str>, Value>,
    pub(super) failed: Vec<FailedAssert>,
}

impl Standing {
    pub(super) fn kept(&self) -> MutexGuard<'_, Kept> {
        // Held for map operations only; no user code can panic inside.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn stands_at(&self, span: Span) {
        self.span.store(u64::from(span.start) << 32 | u64::from(span.end), Relaxed);
    }

    pub(super) fn span(&self) -> Span {
        let code = self.span.load(Relaxed);
        Span { start: (code >> 32) as u32, end: code as u32 }
    }

    pub(super) fn waits(&self, wait: Option<Wait>) {
        self.wait.store(wait.map_or(0, Wait::encode), Relaxed);
    }

    /// Called in the task's first poll.
    pub(super) fn begins(&self) {
        self.traced.store(record::current().map_or(0, |task| u64::from(task.0) + 1), Relaxed);
    }
}

/// Where one task stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskProgress {
    /// What it is called.
    pub name: TaskName,
    /// Its number in the trace, if it has run and is recorded.
    pub traced: Option<TaskId>,
    /// The statement it executes, or executed last; of a statement with a block, the part before the block.
    pub span: Span,
    /// What it waits for; `None` while it runs, is ready to, or has ended.
    pub waits: Option<Waits>,
    /// How it ended, if it has.
    pub end: Option<End>,
    /// The variables it has set.
    pub variables: BTreeMap<Arc<str>, Value>,
}

impl Channel {
    fn inside(&self) -> MutexGuard<'_, Inside> {
        // Held for queue operations only; no user code can panic inside.
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where the tasks of a run stand. Reading it disturbs nobody.
#[derive(Debug)]
pub struct Progress {
    tasks: Mutex<Vec<Arc<Standing>>>,
    /// For each lock, the number of the task that holds it plus one, and its name.
    locks: Vec<(AtomicU32, Arc<str>)>,
    channels: Vec<Channel>,
}

/// A channel, and what lies in it.
#[derive(Debug)]
struct Channel {
    name: Arc<str>,
    capacity: usize,
    inside: Mutex<Inside>,
}

/// The messages in a channel, as far as they are noted.
#[derive(Debug, Default)]
struct Inside {
    messages: VecDeque<Value>,
    /// Natively one may be received before its sender has noted it: how many are still to be noted, and gone.
    gone: usize,
}

/// What lies in a channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChannelProgress {
    /// Its name.
    pub name: Arc<str>,
    /// How many messages it holds at most.
    pub capacity: usize,
    /// Those it holds, the first first.
    pub messages: Vec<Value>,
}

impl Progress {
    pub(super) fn new(script: &Script) -> Self {
        Self {
            tasks: Mutex::default(),
            locks: script.locks.iter().map(|name| (AtomicU32::new(0), Arc::clone(name))).collect(),
            channels: script
                .channels
                .iter()
                .map(|channel| Channel {
                    name: Arc::clone(&channel.name),
                    capacity: channel.capacity,
                    inside: Mutex::default(),
                })
                .collect(),
        }
    }

    /// An entry for a task about to be spawned.
    pub(super) fn enter(&self, name: TaskName) -> Arc<Standing> {
        let mut tasks = self.standings();
        let standing = Arc::new(Standing {
            name,
            number: tasks.len(),
            span: AtomicU64::default(),
            wait: AtomicU64::default(),
            traced: AtomicU64::default(),
            end: OnceLock::new(),
            kept: Mutex::default(),
        });
        tasks.push(Arc::clone(&standing));
        standing
    }

    pub(super) fn standings(&self) -> MutexGuard<'_, Vec<Arc<Standing>>> {
        // Held for vector operations only; no user code can panic inside.
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes who holds `lock`.
    pub(super) fn holds(&self, lock: usize, holder: Option<&Standing>) {
        self.locks[lock].0.store(holder.map_or(0, |holder| holder.number as u32 + 1), Relaxed);
    }

    /// Notes that `message` was put into `channel`.
    pub(super) fn sent(&self, channel: usize, message: Value) {
        let mut inside = self.channels[channel].inside();
        match inside.gone.checked_sub(1) {
            Some(gone) => inside.gone = gone,
            None => inside.messages.push_back(message),
        }
    }

    /// Notes that the first message was taken out of `channel`.
    pub(super) fn received(&self, channel: usize) {
        let mut inside = self.channels[channel].inside();
        if inside.messages.pop_front().is_none() {
            inside.gone += 1;
        }
    }

    /// The channels in the order of the text, and what lies in them. Natively a moment old.
    #[must_use]
    pub fn channels(&self) -> Vec<ChannelProgress> {
        let progress = |channel: &Channel| ChannelProgress {
            name: Arc::clone(&channel.name),
            capacity: channel.capacity,
            messages: channel.inside().messages.iter().cloned().collect(),
        };
        self.channels.iter().map(progress).collect()
    }

    /// How many assertions have failed and tasks have ended with an error so far.
    #[must_use]
    pub fn failures(&self) -> usize {
        let wrong = |standing: &Arc<Standing>| {
            let error = matches!(standing.end.get(), Some(End::Error { .. } | End::Panicked { .. }));
            standing.kept().failed.len() + usize::from(error)
        };
        self.standings().iter().map(wrong).sum()
    }

    /// All tasks so far, those that have ended among them, in the order of the text.
    #[must_use]
    pub fn tasks(&self) -> Vec<TaskProgress> {
        let standings = self.standings().clone();
        let mut tasks: Vec<_> = standings
            .iter()
            .map(|standing| TaskProgress {
                name: standing.name.clone(),
                traced: standing.traced.load(Relaxed).checked_sub(1).map(|number| TaskId(number as u32)),
                span: standing.span(),
                waits: self.waits_of(standing, &standings),
                end: standing.end.get().cloned(),
                variables: standing.kept().variables.clone(),
            })
            .collect();
        tasks.sort_by(|a, b| a.name.cmp(&b.name));
        tasks
    }

    /// What the task of `standing`, one of `all`, waits for.
    pub(super) fn waits_of(&self, standing: &Standing, all: &[Arc<Standing>]) -> Option<Waits> {
        let name = |number: usize| all.get(number).map(|standing| standing.name.clone());
        Some(match Wait::decode(standing.wait.load(Relaxed))? {
            Wait::Reply => Waits::Reply,
            Wait::Lock(lock) => {
                let (holder, lock) = &self.locks[lock];
                let holder = holder.load(Relaxed).checked_sub(1).and_then(|holder| name(holder as usize));
                Waits::Lock { lock: Arc::clone(lock), holder }
            }
            Wait::Room(channel) => Waits::Room { channel: Arc::clone(&self.channels[channel].name) },
            Wait::Message(channel) => Waits::Message { channel: Arc::clone(&self.channels[channel].name) },
            Wait::Join(task) => Waits::Join { task: name(task)? },
            Wait::Sleep => Waits::Sleep,
            Wait::Turn => Waits::Turn,
        })
    }
}
