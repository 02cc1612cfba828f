//! The index of a recording: from frames to tasks, polls, wakes, messages and commands that can be asked for.
//!
//! [`Trace::apply`] takes frames as they come and keeps what is needed to draw and to explain, within named bounds; the
//! oldest goes first and is counted. It believes nothing: a recording with holes, or a nonsensical one, gives an
//! incomplete index, never a panic. Knows no colours and no clock but the recording's.

mod busy;
mod command;
mod merge;
mod parallel;
mod part;
mod path;
mod poll;
mod task;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, VecDeque};
use std::ops::Range;

use litemap::LiteMap;

use super::event::{EndKind, Event, LabelId, ObjectId, PollOutcome, Stamped, TaskId, WorkerId};
use super::frame::{AliveTask, Definition, Frame, Hello, ObjectKind};

pub use self::command::{Command, CommandId};
pub use self::part::Part;
pub use self::path::{Evidence, Path, Segment, Stage};
pub use self::poll::{Message, Poll, PollId, Wake};
pub use self::task::{Task, TaskState, Wait};

use self::busy::Busy;
use self::command::Commands;
use self::merge::Merge;
use self::parallel::Parallel;
use self::part::Parts;
use self::poll::{Messages, Polls};
use self::task::Tasks;

/// Gaps remembered, to be drawn.
const GAPS_MAX: usize = 1_000;

/// How much of everything there is, and is not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Events taken in, less those evicted with their polls.
    pub events_held: u64,
    /// Polls that can be asked for.
    pub polls_held: u64,
    /// Events that never came: buffers were full, or a watcher too slow.
    pub dropped: u64,
    /// Polls forgotten to stay within the bound.
    pub evicted: u64,
}

/// Where events of a thread are missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    /// When the recording went on.
    pub at_ns: u64,
    /// How many events are missing.
    pub lost: u64,
}

/// How many tasks are in flight.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Concurrency {
    /// Spawned and not ended.
    pub alive: usize,
    /// Of these, running or scheduled.
    pub busy: usize,
}

/// How many tasks were polled at the same instant.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Parallelism {
    /// At most.
    pub max: usize,
    /// On average over the time asked for.
    pub average: f64,
}

/// The index of a recording.
#[derive(Debug, Default)]
pub struct Trace {
    hello: Option<Hello>,
    labels: HashMap<LabelId, Label>,
    objects: HashMap<ObjectId, Object>,
    client_names: HashMap<u32, String>,
    merge: Merge,
    threads: LiteMap<u16, Thread>,
    tasks: Tasks,
    polls: Polls,
    messages: Messages,
    commands: Commands,
    busy: Busy,
    gaps: VecDeque<Gap>,
    dropped: u64,
    now_ns: u64,
    started_ns: Option<u64>,
    parts: Parts,
    /// By part; the first is that of a recording that is whole.
    parallel: Vec<Parallel>,
}

#[derive(Debug)]
struct Label {
    text: String,
    file: String,
    line: u32,
}

#[derive(Debug)]
struct Object {
    kind: ObjectKind,
    name: String,
    number: u32,
}

/// What a thread is in the middle of.
#[derive(Debug, Default)]
struct Thread {
    poll: Option<PollId>,
    details: Vec<Stamped>,
}

impl Trace {
    /// An empty index.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes in one frame. A [`Frame::Hello`] begins a new recording and forgets the old one.
    pub fn apply(&mut self, frame: &Frame) {
        match frame {
            Frame::Hello(hello) => {
                *self = Self { hello: Some(hello.clone()), now_ns: hello.now_ns, ..Self::default() };
            }
            Frame::Define(definitions) => definitions.iter().for_each(|definition| self.define(definition)),
            Frame::Alive(tasks) => self.alive(tasks),
            Frame::Events(chunk) => self.merge.push(chunk),
            Frame::Lost { events } => {
                self.dropped += events;
                self.gap(self.now_ns, *events);
                let open: Vec<u16> = self.threads.keys().copied().collect();
                open.into_iter().for_each(|thread| self.cut(thread, self.now_ns));
            }
            Frame::Drained { at_ns } => {
                let mut merge = std::mem::take(&mut self.merge);
                merge.take_until(*at_ns, |thread, stamped| self.event(thread, stamped));
                self.merge = merge;
                self.now_ns = self.now_ns.max(*at_ns);
            }
        }
    }

    /// What the recording says of itself.
    #[must_use]
    pub fn hello(&self) -> Option<&Hello> {
        self.hello.as_ref()
    }

    /// Up to when everything is in, in the recording's nanoseconds.
    #[must_use]
    pub fn now_ns(&self) -> u64 {
        self.now_ns
    }

    /// When what is held begins.
    #[must_use]
    pub fn start_ns(&self) -> u64 {
        self.polls.first().map_or(self.now_ns, |poll| poll.start_ns).max(self.started_ns.unwrap_or(0))
    }

    /// Since when all is held that was not dropped. What was before was not recorded, or is held no more.
    #[must_use]
    pub fn known_from_ns(&self) -> u64 {
        if self.polls.evicted() > 0 { self.start_ns() } else { self.started_ns.unwrap_or(self.now_ns) }
    }

    /// How much there is, and is not.
    #[must_use]
    pub fn counts(&self) -> Counts {
        Counts {
            events_held: self.polls.events_held(),
            polls_held: self.polls.len() as u64,
            dropped: self.dropped,
            evicted: self.polls.evicted(),
        }
    }

    /// Where events are missing, oldest first.
    pub fn gaps(&self) -> impl Iterator<Item = Gap> {
        self.gaps.iter().copied()
    }

    /// A label's text; empty if it was never told.
    #[must_use]
    pub fn label(&self, label: LabelId) -> &str {
        self.labels.get(&label).map_or("", |label| &label.text)
    }

    /// Where in the source a task is spawned: file and line.
    #[must_use]
    pub fn place(&self, label: LabelId) -> Option<(&str, u32)> {
        self.labels.get(&label).filter(|label| !label.file.is_empty()).map(|label| (&*label.file, label.line))
    }

    /// A lock's or channel's kind.
    #[must_use]
    pub fn object_kind(&self, object: ObjectId) -> Option<ObjectKind> {
        self.objects.get(&object).map(|object| object.kind)
    }

    /// A lock's or channel's name, with its number if others share the name.
    #[must_use]
    pub fn object_name(&self, object: ObjectId) -> String {
        match self.objects.get(&object) {
            Some(Object { kind: ObjectKind::Mutex, name, number }) if name == "shard" => {
                format!("{name} {number}")
            }
            Some(Object { name, number: 0, .. }) => name.clone(),
            Some(Object { name, number, .. }) => format!("{name} {number}"),
            None => format!("object {}", object.0),
        }
    }

    /// A task's name: its label, its number, and what its client calls itself.
    #[must_use]
    pub fn task_name(&self, id: TaskId) -> String {
        let Some(task) = self.tasks.get(id) else { return format!("task {}", id.0) };
        let Some(label) = task.label else { return format!("task {}", id.0) };
        let label = self.label(label);
        let called = self.client_names.get(&task.number).filter(|_| label == "client");
        match (task.number, called) {
            (0, _) => label.to_owned(),
            (number, None) => format!("{label} {number}"),
            (number, Some(called)) => format!("{label} {number} ({called})"),
        }
    }

    /// All tasks known, by number.
    pub fn tasks(&self) -> impl Iterator<Item = &Task> {
        self.tasks.iter()
    }

    /// One task.
    #[must_use]
    pub fn task(&self, id: TaskId) -> Option<&Task> {
        self.tasks.get(id)
    }

    /// Workers seen, or told of in the hello.
    #[must_use]
    pub fn workers(&self) -> u16 {
        self.polls.workers().max(self.hello.as_ref().map_or(0, |hello| hello.workers))
    }

    /// One poll, if it is still held.
    #[must_use]
    pub fn poll(&self, id: PollId) -> Option<&Poll> {
        self.polls.get(id)
    }

    /// A worker's polls, in the order of their starts.
    #[must_use]
    pub fn polls_of_worker(&self, worker: WorkerId) -> &VecDeque<PollId> {
        self.polls.of_worker(worker)
    }

    /// A task's polls, in the order of their starts.
    #[must_use]
    pub fn polls_of_task(&self, task: TaskId) -> &VecDeque<PollId> {
        self.polls.of_task(task)
    }

    /// The first place in `lane` (one of the lists above) whose poll ends at or after `at_ns`.
    #[must_use]
    pub fn first_ending_after(&self, lane: &VecDeque<PollId>, at_ns: u64) -> usize {
        lane.partition_point(|&id| self.polls.get(id).is_none_or(|poll| poll.end_or(self.now_ns) < at_ns))
    }

    /// The poll of the same task after (`by` = 1) or before (`by` = -1) this one.
    #[must_use]
    pub fn neighbour(&self, id: PollId, by: isize) -> Option<PollId> {
        let lane = self.polls.of_task(self.poll(id)?.task);
        let place = lane.binary_search(&id).ok()?.checked_add_signed(by)?;
        lane.get(place).copied()
    }

    /// What happened inside a poll, in order. Empty while it goes on.
    pub fn details(&self, id: PollId) -> impl Iterator<Item = &Stamped> {
        self.polls.details(id)
    }

    /// Stretches of time in which any task was scheduled or polled, in order; quiet of less than a tenth of a millisecond
    /// does not part them.
    #[must_use]
    pub fn busy_periods(&self) -> &VecDeque<Range<u64>> {
        self.busy.periods()
    }

    /// Messages sent in `range`, in the order of sending.
    pub fn messages_in(&self, range: Range<u64>) -> impl Iterator<Item = &Message> {
        self.messages.sent_in(range)
    }

    /// One command.
    #[must_use]
    pub fn command(&self, id: CommandId) -> Option<&Command> {
        self.commands.get(id)
    }

    /// The commands of a client after `after`, in order.
    pub fn commands_of(&self, client: u32, after: Option<CommandId>) -> impl Iterator<Item = CommandId> {
        self.commands.of_client(client, after)
    }

    /// The way a command took.
    #[must_use]
    pub fn path(&self, id: CommandId) -> Option<Path> {
        path::path(self, id)
    }

    /// Tasks in flight now.
    #[must_use]
    pub fn concurrency(&self) -> Concurrency {
        self.tasks.concurrency()
    }

    /// Tasks being polled at the same instant in `range`, to the precision of ten milliseconds. In a recording of several, those
    /// of the first: see [`Self::parallelism_of`].
    #[must_use]
    pub fn parallelism_over(&self, range: Range<u64>) -> Parallelism {
        self.parallelism_of(0, range)
    }

    /// The same of one part: what is polled by different runtimes is polled by neither in parallel.
    #[must_use]
    pub fn parallelism_of(&self, part: usize, range: Range<u64>) -> Parallelism {
        self.parallel.get(part).map_or_else(Parallelism::default, |parallel| parallel.over(&range))
    }

    /// The recordings that this one is merged from; none if it is one.
    #[must_use]
    pub fn parts(&self) -> &[Part] {
        self.parts.all()
    }

    /// The place in [`Self::parts`] of the one that `task` is of; 0 if there are none.
    #[must_use]
    pub fn part_of(&self, task: TaskId) -> usize {
        self.parts.of_task(task)
    }

    /// Until when it is known what `task` did: now, or the end of the recording that it is of.
    #[must_use]
    pub fn until_ns(&self, task: TaskId) -> u64 {
        self.parts().get(self.part_of(task)).map_or(self.now_ns, |part| part.end_ns.min(self.now_ns))
    }

    /// A worker's number in the recording that it is of.
    #[must_use]
    pub fn own_worker(&self, worker: WorkerId) -> WorkerId {
        self.parts.own_worker(worker)
    }

    /// Tasks whose name contains `text`, whatever the case, by number.
    #[must_use]
    pub fn search(&self, text: &str) -> Vec<TaskId> {
        let wanted = text.to_ascii_lowercase();
        let found =
            self.tasks.iter().filter(|task| self.task_name(task.id).to_ascii_lowercase().contains(&wanted));
        found.map(|task| task.id).collect()
    }

    fn define(&mut self, definition: &Definition) {
        match definition.clone() {
            Definition::Label { id, text, file, line } => {
                drop(self.labels.insert(id, Label { text, file, line }));
            }
            Definition::Object { id, kind, name, number } => {
                self.objects.insert(id, Object { kind, name, number });
            }
            Definition::ClientName { client, name } if name.is_empty() => {
                drop(self.client_names.remove(&client));
            }
            Definition::ClientName { client, name } => drop(self.client_names.insert(client, name)),
            Definition::Part { name, first_task, first_worker, workers, end_ns } => {
                let workers = first_worker.0..first_worker.0.saturating_add(workers);
                self.parts.add(Part { name, first_task, workers, end_ns });
            }
        }
    }

    /// The tasks alive at this moment: those we did not know begin, those we thought alive and are not have ended.
    fn alive(&mut self, alive: &[AliveTask]) {
        let now_ns = self.now_ns;
        let gone: Vec<TaskId> = self
            .tasks
            .iter()
            .filter(|task| task.ended.is_none() && !alive.iter().any(|alive| alive.task == task.id))
            .map(|task| task.id)
            .collect();
        gone.into_iter().for_each(|task| self.tasks.end(task, now_ns, EndKind::Completed));
        for alive in alive {
            self.tasks.found_alive(alive, now_ns);
        }
    }

    fn event(&mut self, thread: u16, stamped: Stamped) {
        let Stamped { at_ns, event } = stamped;
        self.started_ns.get_or_insert(at_ns);
        let open = self.threads.entry(thread).or_default().poll;
        let current = open.and_then(|id| self.polls.get(id)).map(|poll| poll.task);
        match event {
            Event::PollStart { task, worker } => {
                // A poll whose end is missing ends here at the latest.
                self.cut(thread, at_ns);
                let wake = self.tasks.start_poll(task, worker, at_ns);
                let id = self.polls.start(Poll::new(task, worker, at_ns, wake));
                self.threads.entry(thread).or_default().poll = Some(id);
                self.parallel(task).begin(at_ns);
            }
            Event::PollEnd { outcome } => self.end_poll(thread, at_ns, Some(outcome)),
            Event::Spawn { task, label, number } => {
                self.tasks.spawn(task, current, Some(label), number, at_ns);
            }
            Event::End { task, how } => self.tasks.end(task, at_ns, how),
            Event::Wake { task, by } => self.tasks.wake(task, Wake { at_ns, by }),
            Event::Send { channel, message } => self.messages.sent(channel, message, at_ns, open),
            Event::Receive { channel, message } => self.messages.received(channel, message, at_ns, open),
            Event::CommandStart { client, command } => {
                self.commands.start(client, command, current, at_ns, open);
            }
            Event::CommandEnd { failed } => {
                let client = current.and_then(|task| self.tasks.get(task)).and_then(|task| task.client);
                if let Some(client) = client {
                    self.commands.end(client, at_ns, open, failed);
                }
            }
            Event::Gap { lost } => {
                self.cut(thread, at_ns);
                self.dropped += u64::from(lost);
                self.gap(at_ns, u64::from(lost));
            }
            _ => {}
        }
        if let (Event::CommandStart { client, .. }, Some(task)) = (event, current) {
            self.tasks.serves(task, client);
        }
        if open.is_some()
            && !matches!(event, Event::PollEnd { .. } | Event::PollStart { .. } | Event::Gap { .. })
        {
            self.threads.entry(thread).or_default().details.push(stamped);
        }
    }

    fn end_poll(&mut self, thread: u16, at_ns: u64, outcome: Option<PollOutcome>) {
        let Some(open) = self.threads.get_mut(&thread) else { return };
        let Some(id) = open.poll.take() else { return };
        let details = std::mem::take(&mut open.details);
        let wait = Wait::after(&details, outcome);
        let Some(poll) = self.polls.get_mut(id) else { return };
        (poll.end_ns, poll.outcome, poll.wait_after) = (Some(at_ns), outcome, wait);
        let (task, start_ns) = (poll.task, poll.start_ns);
        let woken_ns = poll.wake.map_or(start_ns, |wake| wake.at_ns.min(start_ns));
        self.busy.add(woken_ns, at_ns);
        let polled_ns = at_ns.saturating_sub(start_ns);
        self.tasks.end_poll(task, at_ns, polled_ns, wait);
        self.parallel(task).end(at_ns, polled_ns);
        self.polls.keep_details(id, details);
        let oldest_ns = self.polls.first().map_or(0, |poll| poll.start_ns);
        self.messages.forget_before(oldest_ns);
        self.commands.forget_before(oldest_ns);
        self.busy.forget_before(oldest_ns);
    }

    /// The recording of a thread breaks off: what it was in the middle of ends without an outcome.
    fn cut(&mut self, thread: u16, at_ns: u64) {
        self.end_poll(thread, at_ns, None);
    }

    fn gap(&mut self, at_ns: u64, lost: u64) {
        self.gaps.push_back(Gap { at_ns, lost });
        if self.gaps.len() > GAPS_MAX {
            self.gaps.pop_front();
        }
    }

    fn parallel(&mut self, task: TaskId) -> &mut Parallel {
        let part = self.parts.of_task(task);
        if self.parallel.len() <= part {
            self.parallel.resize_with(part + 1, Parallel::default);
        }
        &mut self.parallel[part]
    }
}
