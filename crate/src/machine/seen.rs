//! What the events of a run so far say about now: which tasks there are and what each waits for, who holds each lock and who
//! waits for it, which messages lie in each channel.
//!
//! Much less than [`scope::trace`](crate::scope::trace), which keeps the past: this is copied with every keyframe. Knows what
//! was recorded, no engine and no scenario.

use std::collections::VecDeque;

use crate::scope::event::{Event, LabelId, ObjectId, PollOutcome, Stamped, TaskId};
use crate::scope::frame::{Definition, Frame, ObjectKind};
use crate::scope::record::Fresh;

/// The state of everything that was recorded.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// Each at the place of its number, as are tasks and objects: numbers are given in order.
    labels: Vec<String>,
    /// By client.
    client_names: Vec<(u32, String)>,
    tasks: Vec<Option<Task>>,
    objects: Vec<Option<Object>>,
    /// The task polled on each thread.
    current: Vec<Option<TaskId>>,
    /// What happened in the last step.
    pub(super) step: Happened,
}

/// A task.
#[derive(Debug)]
pub(super) struct Task {
    label: LabelId,
    number: u32,
    pub(super) state: State,
    pub(super) waits: Wait,
    /// What it waited for before its last poll.
    waited: Wait,
    /// When its last poll began, if there was one.
    polled_ns: Option<u64>,
}

/// What a task is doing between two steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Running,
    /// Woken while it runs.
    RunningScheduled,
    Scheduled,
    Idle,
    Ended,
}

/// What a task waited for when its last poll ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wait {
    Nothing,
    Lock(ObjectId),
    Room(ObjectId),
    Message(ObjectId),
    Join(TaskId),
    Sleep,
    Bytes,
    ToWrite,
    Turn,
}

/// A lock or a channel.
#[derive(Debug)]
pub(super) struct Object {
    pub(super) kind: ObjectKind,
    pub(super) name: String,
    /// Who holds it, if it is a lock.
    pub(super) holder: Option<TaskId>,
    /// Who waits for the lock, in order.
    pub(super) waiters: VecDeque<TaskId>,
    /// What lies in the channel: each message's number and who sent it.
    pub(super) messages: VecDeque<(u32, Option<TaskId>)>,
    /// Whether anybody ever touched it.
    pub(super) touched: bool,
}

/// What happened in one step, as far as somebody may want to stop there.
#[derive(Debug)]
pub(super) struct Happened {
    /// Whether it has to do with the scenario; else the run did it for itself.
    pub(super) by_scenario: bool,
    pub(super) polled: Option<TaskId>,
    /// When that poll began.
    pub(super) polled_ns: u64,
    pub(super) commands: Vec<LabelId>,
    pub(super) locks: Vec<ObjectId>,
}

impl Default for Happened {
    fn default() -> Self {
        Self { by_scenario: true, polled: None, polled_ns: 0, commands: Vec::new(), locks: Vec::new() }
    }
}

impl Seen {
    pub(super) fn apply(&mut self, fresh: &Fresh<'_>) {
        match fresh {
            Fresh::Defined(frame) => self.names(frame),
            Fresh::Events { thread, events } => self.events(*thread, events),
        }
    }

    /// Takes the names in `frame`, if there are any.
    pub(super) fn names(&mut self, frame: &Frame) {
        if let Frame::Define(definitions) = frame {
            definitions.iter().for_each(|definition| self.define(definition));
        }
    }

    /// A task's name: its label and its number, and what its client calls itself.
    pub(super) fn name(&self, id: TaskId) -> String {
        let Some(task) = self.task(id) else { return format!("task {}", id.0) };
        let label = self.label(task.label);
        let named = self.client_names.iter().find(|(client, _)| *client == task.number);
        let called = named.map(|(_, name)| name).filter(|_| label == "client");
        match (task.number, called) {
            (0, _) => label.to_owned(),
            (number, None) => format!("{label} {number}"),
            (number, Some(called)) => format!("{label} {number} ({called})"),
        }
    }

    /// A label's text.
    pub(super) fn label(&self, label: LabelId) -> &str {
        self.labels.get(label.0 as usize).map_or("", String::as_str)
    }

    /// A task, if it was spawned.
    pub(super) fn task(&self, id: TaskId) -> Option<&Task> {
        self.tasks.get(id.0 as usize)?.as_ref()
    }

    /// All tasks, in the order of their spawning.
    pub(super) fn tasks(&self) -> impl Iterator<Item = (TaskId, &Task)> {
        let tasks = (0..).zip(&self.tasks);
        tasks.filter_map(|(number, task)| Some((TaskId(number), task.as_ref()?)))
    }

    /// A lock or channel, if it was made.
    pub(super) fn object(&self, id: ObjectId) -> Option<&Object> {
        self.objects.get(id.0 as usize)?.as_ref()
    }

    /// All locks and channels, in the order of their making.
    pub(super) fn objects(&self) -> impl Iterator<Item = (ObjectId, &Object)> {
        let objects = (0..).zip(&self.objects);
        objects.filter_map(|(number, object)| Some((ObjectId(number), object.as_ref()?)))
    }

    /// What `task` waits for, in words.
    pub(super) fn waits(&self, task: &Task) -> String {
        let object = |id| self.object(id).map_or("", |object| object.name.as_str());
        match task.waits {
            Wait::Nothing => String::new(),
            Wait::Lock(lock) => format!("waits for the lock {}", object(lock)),
            Wait::Room(channel) => format!("waits for room in {}", object(channel)),
            Wait::Message(channel) => match self.object(channel).map(|object| object.kind) {
                Some(ObjectKind::Oneshot) => format!("waits for the {}", object(channel)),
                _ => format!("waits for a message from {}", object(channel)),
            },
            Wait::Join(on) => format!("waits for the end of {}", self.name(on)),
            Wait::Sleep => "sleeps".to_owned(),
            Wait::Bytes => "waits for bytes".to_owned(),
            Wait::ToWrite => "waits until its client reads".to_owned(),
            Wait::Turn => "lets the others run".to_owned(),
        }
    }

    fn define(&mut self, definition: &Definition) {
        match definition {
            Definition::Label { id, text, .. } => *place(&mut self.labels, id.0) = text.clone(),
            Definition::Object { id, kind, name, number } => {
                // Told again with every snapshot.
                place(&mut self.objects, id.0).get_or_insert_with(|| Object {
                    kind: *kind,
                    name: match (kind, number) {
                        (ObjectKind::Mutex, _) if name == "shard" => format!("{name} {number}"),
                        (_, 0) => name.clone(),
                        (_, number) => format!("{name} {number}"),
                    },
                    holder: None,
                    waiters: VecDeque::new(),
                    messages: VecDeque::new(),
                    touched: false,
                });
            }
            Definition::ClientName { client, name } => {
                self.client_names.retain(|(other, _)| other != client);
                if !name.is_empty() {
                    self.client_names.push((*client, name.clone()));
                }
            }
            // A run's own recording is none of several.
            Definition::Part { .. } => {}
        }
    }

    fn events(&mut self, thread: u16, events: &[Stamped]) {
        for stamped in events {
            if let Event::PollStart { .. } = stamped.event {
                self.step.polled_ns = stamped.at_ns;
            }
            self.event(thread, stamped.event);
        }
    }

    fn event(&mut self, thread: u16, event: Event) {
        let current = *place(&mut self.current, thread.into());
        match event {
            Event::Spawn { task, label, number } => {
                let (state, waits) = (State::Scheduled, Wait::Nothing);
                *place(&mut self.tasks, task.0) =
                    Some(Task { label, number, state, waits, waited: waits, polled_ns: None });
            }
            Event::PollStart { task, .. } => {
                *place(&mut self.current, thread.into()) = Some(task);
                self.step.polled = Some(task);
                let polled_ns = Some(self.step.polled_ns);
                if let Some(task) = self.task_mut(task) {
                    task.waited = std::mem::replace(&mut task.waits, Wait::Nothing);
                    (task.state, task.polled_ns) = (State::Running, polled_ns);
                }
            }
            Event::PollEnd { outcome } => {
                *place(&mut self.current, thread.into()) = None;
                if let Some(task) = current.and_then(|task| self.task_mut(task)) {
                    task.poll_ends(outcome);
                }
            }
            Event::End { task, .. } => self.ended(task),
            Event::Wake { task, .. } => {
                if let Some(task) = self.task_mut(task) {
                    task.woken();
                }
            }
            Event::LockWait { lock } => {
                self.waits_for(current, Wait::Lock(lock));
                if let (Some(object), Some(task)) = (self.touch(lock), current) {
                    object.waiters.push_back(task);
                }
            }
            Event::LockGranted { lock, to } => {
                if let Some(object) = self.touch(lock) {
                    object.waiters.retain(|&task| task != to);
                    object.holder = Some(to);
                }
            }
            Event::LockAcquired { lock } => {
                if let Some(object) = self.touch(lock) {
                    object.waiters.retain(|&task| Some(task) != current);
                    object.holder = current;
                }
                self.step.locks.push(lock);
            }
            Event::LockReleased { lock } => {
                if let Some(object) = self.touch(lock) {
                    object.holder = None;
                }
                self.step.locks.push(lock);
            }
            Event::Send { channel, message } => {
                if let Some(object) = self.touch(channel) {
                    object.messages.push_back((message, current));
                }
            }
            Event::Receive { channel, message } => {
                if let Some(object) = self.touch(channel) {
                    object.messages.retain(|&(other, _)| other != message);
                }
            }
            Event::SendWait { channel } => self.waits_for(current, Wait::Room(channel)),
            Event::ReceiveWait { channel } => self.waits_for(current, Wait::Message(channel)),
            Event::JoinWait { on } => self.waits_for(current, Wait::Join(on)),
            Event::Sleep { .. } => self.waits_for(current, Wait::Sleep),
            Event::ReadWait => self.waits_for(current, Wait::Bytes),
            Event::WriteWait => self.waits_for(current, Wait::ToWrite),
            Event::CommandStart { command, .. } => self.step.commands.push(command),
            Event::Read { .. }
            | Event::Write { .. }
            | Event::CommandEnd { .. }
            | Event::Park { .. }
            | Event::Unpark { .. }
            | Event::BlockStart
            | Event::BlockEnd
            | Event::Gap { .. } => {}
        }
    }

    fn task_mut(&mut self, id: TaskId) -> Option<&mut Task> {
        self.tasks.get_mut(id.0 as usize)?.as_mut()
    }

    /// The object, to which something happens.
    fn touch(&mut self, id: ObjectId) -> Option<&mut Object> {
        let object = self.objects.get_mut(id.0 as usize)?.as_mut()?;
        object.touched = true;
        Some(object)
    }

    fn waits_for(&mut self, task: Option<TaskId>, wait: Wait) {
        if let Wait::Room(channel) | Wait::Message(channel) = wait {
            self.touch(channel);
        }
        if let Some(task) = task.and_then(|task| self.task_mut(task)) {
            if wait == Wait::Sleep && task.waits != Wait::Nothing {
                // A time-out is only the other wait's bound.
                return;
            }
            task.waits = wait;
        }
    }

    fn ended(&mut self, id: TaskId) {
        if let Some(task) = self.task_mut(id) {
            (task.state, task.waits) = (State::Ended, Wait::Nothing);
        }
        for object in self.objects.iter_mut().flatten() {
            object.waiters.retain(|&task| task != id);
        }
    }
}

/// The place of number `number`, made if it is not there yet.
fn place<T: Default>(places: &mut Vec<T>, number: u32) -> &mut T {
    let index = number as usize;
    if places.len() <= index {
        places.resize_with(index + 1, T::default);
    }
    &mut places[index]
}

impl Task {
    /// Whether it was never polled.
    pub(super) fn is_new(&self) -> bool {
        self.polled_ns.is_none()
    }

    /// Whether it was polled at `at_ns` or later.
    pub(super) fn was_polled_since(&self, at_ns: u64) -> bool {
        self.polled_ns.is_some_and(|polled_ns| polled_ns >= at_ns)
    }

    fn woken(&mut self) {
        self.state = match self.state {
            State::Idle => State::Scheduled,
            State::Running => State::RunningScheduled,
            other => other,
        };
    }

    fn poll_ends(&mut self, outcome: PollOutcome) {
        let woken = self.state == State::RunningScheduled;
        match outcome {
            PollOutcome::Pending => {
                self.state = if woken { State::Scheduled } else { State::Idle };
                // A wait is told once: this one goes on.
                if self.waits == Wait::Nothing {
                    self.waits = self.waited;
                }
            }
            PollOutcome::Yield | PollOutcome::CoopYield => {
                self.state = if woken { State::Scheduled } else { State::Idle };
                self.waits = Wait::Turn;
            }
            PollOutcome::Ready | PollOutcome::Panicked => self.state = State::Ended,
        }
    }
}
