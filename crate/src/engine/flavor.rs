//! One stepping interface over all runtimes that can be stopped.
//!
//! Owns which flavours there are and what they have in common. Each flavour's own rules are in its own file.

use std::fmt;
use std::num::ParseIntError;
use std::str::FromStr;

use super::inferred::Inferred;
use super::{Choice, Choices, CurrentThread, Manual, MultiThread, Parted, Queues, Step, WORKERS_MAX};
use crate::rt::Rt;
use crate::scope::event::TaskId;
use crate::scope::frame::{Frame, Origin};
use crate::scope::record::Fresh;

/// Who decides which task is polled next, and where.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Flavor {
    /// Tokio's own current-thread runtime.
    #[default]
    CurrentThread,
    /// The model of its multi-thread runtime.
    MultiThread {
        /// 1 to [`WORKERS_MAX`].
        workers: u8,
    },
    /// The caller.
    Manual,
}

impl Flavor {
    /// Its name in flags, in the page and in the trace.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::CurrentThread => "current-thread",
            Self::MultiThread { .. } => "multi-thread",
            Self::Manual => "manual",
        }
    }

    /// How many workers poll.
    #[must_use]
    pub fn workers(self) -> u8 {
        match self {
            Self::CurrentThread | Self::Manual => 1,
            Self::MultiThread { workers } => workers,
        }
    }
}

impl fmt::Display for Flavor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MultiThread { workers } => write!(f, "{}/{workers}", self.name()),
            _ => f.write_str(self.name()),
        }
    }
}

/// A text that is no [`Flavor`]'s.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownFlavor(String);

impl fmt::Display for UnknownFlavor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(found) = self;
        write!(
            f,
            "expected current-thread, multi-thread/1 to multi-thread/{WORKERS_MAX}, or manual, found '{found}'"
        )
    }
}

impl std::error::Error for UnknownFlavor {}

impl FromStr for Flavor {
    type Err = UnknownFlavor;

    /// Reads what `Display` writes; `multi-thread` alone has two workers.
    fn from_str(text: &str) -> Result<Self, UnknownFlavor> {
        let workers = |text: &str| -> Result<u8, ParseIntError> { text.parse() };
        match text.split_once('/') {
            None if text == "current-thread" => Ok(Self::CurrentThread),
            None if text == "multi-thread" => Ok(Self::MultiThread { workers: 2 }),
            None if text == "manual" => Ok(Self::Manual),
            Some(("multi-thread", count)) => match workers(count) {
                Ok(workers) if (1..=WORKERS_MAX).contains(&usize::from(workers)) => {
                    Ok(Self::MultiThread { workers })
                }
                _ => Err(UnknownFlavor(text.to_owned())),
            },
            _ => Err(UnknownFlavor(text.to_owned())),
        }
    }
}

/// A runtime that can be stopped, of whatever flavour.
///
/// One engine a thread: its recording is the thread's. Dropping it cancels its tasks.
#[derive(Debug)]
pub struct Engine {
    runtime: Runtime,
    /// Events that the queues were inferred from and that nobody has taken yet.
    inferred_from: usize,
}

#[derive(Debug)]
enum Runtime {
    CurrentThread(CurrentThread, Inferred),
    MultiThread(MultiThread),
    Manual(Manual),
}

/// What one step of an [`Engine`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stepped {
    /// A task was polled, or, in [`Flavor::Manual`], time went on.
    On,
    /// Nothing: no task is ready and none sleeps. Until the host does something, nothing ever will.
    Stuck,
}

impl Engine {
    /// A runtime of `flavor` without tasks, at 0 ns of virtual time, whose wall clock shows `started_unix_ms`. What the
    /// model leaves to chance follows from `seed`.
    ///
    /// # Panics
    /// If the calling thread already has an engine, or if a model is to have more than [`WORKERS_MAX`] workers or none.
    #[must_use]
    pub fn new(flavor: Flavor, seed: u64, started_unix_ms: u64) -> Self {
        let runtime = match flavor {
            Flavor::CurrentThread => {
                Runtime::CurrentThread(CurrentThread::new(started_unix_ms), Inferred::default())
            }
            Flavor::MultiThread { workers } => {
                Runtime::MultiThread(MultiThread::new(workers.into(), seed, started_unix_ms))
            }
            Flavor::Manual => Runtime::Manual(Manual::new(started_unix_ms)),
        };
        Self { runtime, inferred_from: 0 }
    }

    /// How its recordings come about.
    #[must_use]
    pub fn origin(&self) -> Origin {
        match self.runtime {
            Runtime::CurrentThread(..) => CurrentThread::ORIGIN,
            Runtime::MultiThread(_) => MultiThread::ORIGIN,
            Runtime::Manual(_) => Manual::ORIGIN,
        }
    }

    /// The door through which code on this runtime spawns, sleeps and tells the time.
    #[must_use]
    pub fn rt(&self) -> Rt {
        match &self.runtime {
            Runtime::CurrentThread(engine, _) => engine.rt(),
            Runtime::MultiThread(engine) => engine.rt(),
            Runtime::Manual(engine) => engine.rt(),
        }
    }

    /// Virtual nanoseconds since the start.
    #[must_use]
    pub fn now_ns(&self) -> u64 {
        match &self.runtime {
            Runtime::CurrentThread(engine, _) => engine.now_ns(),
            Runtime::MultiThread(engine) => engine.now_ns(),
            // What is recorded is ahead of what tasks are told.
            Runtime::Manual(engine) => engine.recorded_ns(),
        }
    }

    /// Runs `f` outside any task: to spawn the first ones, or to put bytes into a pipe.
    pub fn enter<R>(&self, f: impl FnOnce() -> R) -> R {
        match &self.runtime {
            Runtime::CurrentThread(engine, _) => engine.enter(f),
            Runtime::MultiThread(engine) => engine.enter(f),
            Runtime::Manual(engine) => engine.enter(f),
        }
    }

    /// Polls the task whose turn it is. If none is ready, time goes on to the end of the next sleep first. Where the caller
    /// is the scheduler and has not [chosen](Self::choose), the first option is taken.
    pub fn step(&mut self) -> Stepped {
        let polled = match &mut self.runtime {
            Runtime::CurrentThread(engine, _) => poll(engine, CurrentThread::step, CurrentThread::advance_to),
            Runtime::MultiThread(engine) => poll(engine, MultiThread::step, MultiThread::advance_to),
            Runtime::Manual(engine) if engine.count() == 0 => Stepped::Stuck,
            Runtime::Manual(engine) => {
                engine.choose(0);
                Stepped::On
            }
        };
        self.infer();
        polled
    }

    /// How many [`Self::options`] there are.
    #[must_use]
    pub fn count(&self) -> usize {
        match &self.runtime {
            Runtime::Manual(engine) => engine.count(),
            _ => 0,
        }
    }

    /// What may happen next where the caller is the scheduler; nothing elsewhere, for there it is not the caller's to say.
    #[must_use]
    pub fn options(&self) -> Vec<Choice> {
        match &self.runtime {
            Runtime::Manual(engine) => engine.options(),
            _ => Vec::new(),
        }
    }

    /// Whether the last poll ended in the midst of what would be one poll elsewhere: where the caller is the scheduler, others
    /// may go first before everything that they can see.
    #[must_use]
    pub fn gave_way_midway(&self) -> bool {
        matches!(&self.runtime, Runtime::Manual(engine) if engine.gave_way_midway())
    }

    /// Lets option number `option` of [`Self::options`] happen; `None` if there is none of that number.
    pub fn choose(&mut self, option: usize) -> Option<Choice> {
        match &mut self.runtime {
            Runtime::Manual(engine) if option < engine.count() => Some(engine.choose(option)),
            _ => None,
        }
    }

    /// What was chosen so far, where the caller is the scheduler.
    #[must_use]
    pub fn choices(&self) -> Option<&Choices> {
        match &self.runtime {
            Runtime::Manual(engine) => Some(engine.choices()),
            _ => None,
        }
    }

    /// Makes the steps of `choices`, of which this run has made the first ones. Without effect where the caller is not the
    /// scheduler.
    ///
    /// # Errors
    /// If other options are found than were recorded. The steps before that are made.
    pub fn replay(&mut self, choices: &Choices) -> Result<(), Parted> {
        match &mut self.runtime {
            Runtime::Manual(engine) => engine.replay(choices),
            _ => Ok(()),
        }
    }

    /// Where each ready task waits: known exactly in a model, inferred from wakes and polls in Tokio's own runtime.
    #[must_use]
    pub fn queues(&self) -> Queues {
        match &self.runtime {
            Runtime::CurrentThread(engine, inferred) => inferred.queues(engine.now_ns()),
            Runtime::MultiThread(engine) => engine.queues(),
            Runtime::Manual(engine) => engine.queues(),
        }
    }

    /// Whether [`Self::queues`] is inferred rather than known.
    #[must_use]
    pub fn queues_are_inferred(&self) -> bool {
        matches!(self.runtime, Runtime::CurrentThread(..))
    }

    /// The sleeps that go on: when each ends, in virtual nanoseconds, and which task sleeps.
    #[must_use]
    pub fn sleeping(&self) -> Vec<(u64, Option<TaskId>)> {
        match &self.runtime {
            Runtime::CurrentThread(engine, _) => engine.sleeping(),
            Runtime::MultiThread(engine) => engine.sleeping(),
            Runtime::Manual(engine) => engine.sleeping(),
        }
    }

    /// The definitions and living tasks that a watcher who comes now must be told first.
    #[must_use]
    pub fn snapshot(&self) -> [Frame; 2] {
        match &self.runtime {
            Runtime::CurrentThread(engine, _) => engine.snapshot(),
            Runtime::MultiThread(engine) => engine.snapshot(),
            Runtime::Manual(engine) => engine.snapshot(),
        }
    }

    /// Appends what was recorded since the last call. Call it every few thousand steps at the latest: until then it is kept.
    pub fn take_frames(&mut self, frames: &mut Vec<Frame>) {
        self.drain(|fresh| fresh.append_to(frames));
        frames.push(Frame::Drained { at_ns: self.now_ns() });
    }

    /// Hands out what was recorded since the last call, piece by piece.
    pub(crate) fn drain(&mut self, each: impl FnMut(Fresh<'_>)) {
        self.infer();
        self.inferred_from = 0;
        match &self.runtime {
            Runtime::CurrentThread(engine, _) => engine.drain(each),
            Runtime::MultiThread(engine) => engine.drain(each),
            Runtime::Manual(engine) => engine.drain(each),
        }
    }

    /// Brings what is inferred up to date.
    fn infer(&mut self) {
        if let Runtime::CurrentThread(engine, inferred) = &mut self.runtime {
            self.inferred_from = engine.peek(|events| {
                events[self.inferred_from..].iter().for_each(|stamped| inferred.apply(stamped.event));
                events.len()
            });
        }
    }
}

/// Polls one task, letting time go on if none is ready.
fn poll<E>(engine: &mut E, step: fn(&mut E) -> Step, advance_to: fn(&E, u64)) -> Stepped {
    loop {
        match step(engine) {
            Step::Polled => return Stepped::On,
            Step::Idle { next_deadline_ns: Some(at_ns) } => advance_to(engine, at_ns),
            Step::Idle { next_deadline_ns: None } => return Stepped::Stuck,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;
    use crate::rt::{AsyncMutex, channel};

    /// A program in which tasks are spawned, woken by each other and by timers, and give way.
    async fn busy(rt: Rt) {
        let lock = Arc::new(AsyncMutex::new("lock", 0, 0_u64));
        let (sender, mut receiver) = channel("mail", 2);
        let mut children = Vec::new();
        for number in 0..20 {
            let (inner, lock, sender) = (rt.clone(), Arc::clone(&lock), sender.clone());
            children.push(rt.spawn("child", number, async move {
                for round in 0..10_u64 {
                    match (u64::from(number) + round) % 4 {
                        0 => inner.yield_now().await,
                        1 => inner.sleep(Duration::from_micros(50 * u64::from(number))).await,
                        2 => *lock.lock().await += 1,
                        _ => sender.send(round).await.unwrap_or_else(|_| panic!("the parent receives")),
                    }
                }
            }));
        }
        drop(sender);
        while receiver.receive().await.is_some() {}
        for child in children {
            child.await.unwrap_or_else(|error| panic!("{error}"));
        }
    }

    #[test]
    fn whoever_is_polled_stood_at_the_head_of_a_queue_as_inferred() {
        let mut engine = Engine::new(Flavor::CurrentThread, 0, 0);
        let rt = engine.rt();
        engine.enter(|| rt.spawn("main", 0, busy(rt.clone())));
        let mut steps = 0;
        while engine.step() == Stepped::On {
            steps += 1;
        }
        let Runtime::CurrentThread(_, inferred) = &engine.runtime else { unreachable!("made above") };
        assert_eq!(inferred.surprises(), 0);
        assert!(steps > 100, "{steps}");
    }

    #[test]
    fn every_flavour_runs_the_same_program_to_its_end() {
        for flavor in [Flavor::CurrentThread, Flavor::MultiThread { workers: 4 }, Flavor::Manual] {
            let mut engine = Engine::new(flavor, 7, 0);
            let rt = engine.rt();
            let done = engine.enter(|| rt.spawn("main", 0, busy(rt.clone())));
            while engine.step() == Stepped::On {}
            assert!(done.is_finished(), "under {flavor}");
            assert_eq!(engine.sleeping(), [], "under {flavor}");
            let queues = engine.queues();
            assert!(
                queues.injection.is_empty() && queues.workers.iter().all(|worker| worker.local.is_empty())
            );
        }
    }

    #[test]
    fn names_are_read_as_they_are_written() {
        for flavor in [Flavor::CurrentThread, Flavor::MultiThread { workers: 8 }, Flavor::Manual] {
            assert_eq!(flavor.to_string().parse(), Ok(flavor));
        }
        assert_eq!("multi-thread".parse(), Ok(Flavor::MultiThread { workers: 2 }));
        for text in ["", "multi-thread/0", "multi-thread/9", "multi-thread/x", "manual/2"] {
            let error = text.parse::<Flavor>().unwrap_err().to_string();
            assert!(error.contains("expected current-thread"), "{error}");
        }
    }
}
