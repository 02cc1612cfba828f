//! Several recordings as one, side by side on one time axis.
//!
//! Owns how their numbers are kept apart: each recording's tasks, labels, locks, workers, threads and clients get a range of
//! their own, and its labels its name in front. Knows no picture.

use super::event::{Event, LabelId, ObjectId, Stamped, TaskId, WakeBy, WorkerId};
use super::frame::{AliveTask, Chunk, Definition, Frame, Hello};

/// Numbers of each kind that a recording may use. What passes it would meet the next one's: such a recording is a matter of
/// hours, and these are of seconds.
const RANGE: u32 = 1 << 24;

/// Workers and threads that a recording may use.
const RANGE_SMALL: u16 = 64;

/// One recording.
#[derive(Clone, Copy, Debug)]
pub struct Part<'a> {
    /// What it is called, in front of its tasks' names.
    pub name: &'a str,
    /// What was recorded.
    pub frames: &'a [Frame],
    /// The moment of it that is 0 in the merged recording, in its own nanoseconds. What was before is at 0, too.
    pub at_ns: u64,
}

/// All of them in one: its greeting is the first recording's, with the workers of all.
#[must_use]
pub fn merge(parts: &[Part<'_>]) -> Vec<Frame> {
    let (mut definitions, mut alive, mut events) = (Vec::new(), Vec::new(), Vec::new());
    let (mut greeting, mut workers, mut end_ns) = (None, 0, 0);
    for (index, part) in (0..).zip(parts) {
        let moved = Move { part, index, first_worker: workers };
        let mut own_end_ns = None;
        for frame in part.frames {
            match frame {
                Frame::Hello(hello) => {
                    workers = moved.first_worker + hello.workers.min(RANGE_SMALL);
                    greeting.get_or_insert_with(|| hello.clone());
                }
                Frame::Define(defined) => definitions.extend(defined.iter().map(|it| moved.definition(it))),
                Frame::Alive(living) => alive.extend(living.iter().map(|it| moved.alive(it))),
                Frame::Events(chunk) => events.push(Frame::Events(moved.chunk(chunk))),
                Frame::Lost { events: lost } => events.push(Frame::Lost { events: *lost }),
                Frame::Drained { at_ns } => own_end_ns = own_end_ns.max(Some(moved.at_ns(*at_ns))),
            }
        }
        definitions.push(Definition::Part {
            name: part.name.to_owned(),
            first_task: moved.task(TaskId(0)),
            first_worker: WorkerId(moved.first_worker),
            workers: workers - moved.first_worker,
            end_ns: own_end_ns.unwrap_or(u64::MAX),
        });
        end_ns = end_ns.max(own_end_ns.unwrap_or(0));
    }
    let mut merged = Vec::new();
    merged.extend(greeting.map(|hello| Frame::Hello(Hello { workers, now_ns: 0, ..hello })));
    // Whoever reads "these are alive" takes all others for dead: so it is said once, of all.
    merged.extend([Frame::Define(definitions), Frame::Alive(alive)]);
    merged.append(&mut events);
    merged.push(Frame::Drained { at_ns: end_ns });
    merged
}

/// How one recording's numbers are moved.
struct Move<'a> {
    part: &'a Part<'a>,
    index: u32,
    first_worker: u16,
}

impl Move<'_> {
    fn chunk(&self, chunk: &Chunk) -> Chunk {
        Chunk {
            thread: chunk.thread % RANGE_SMALL + self.index as u16 * RANGE_SMALL,
            events: chunk.events.iter().map(|stamped| self.stamped(*stamped)).collect(),
        }
    }

    fn definition(&self, definition: &Definition) -> Definition {
        match definition.clone() {
            Definition::Label { id, text, file, line } => {
                // A command's name has no place in the source, and stays as it is.
                let text = if file.is_empty() { text } else { format!("{} · {text}", self.part.name) };
                Definition::Label { id: self.label(id), text, file, line }
            }
            Definition::Object { id, kind, name, number } => {
                let name = format!("{} · {name}", self.part.name);
                Definition::Object { id: self.object(id), kind, name, number }
            }
            Definition::ClientName { client, name } => {
                Definition::ClientName { client: self.number(client), name }
            }
            // Of what is merged already, only what it is merged into is told.
            part @ Definition::Part { .. } => part,
        }
    }

    fn alive(&self, alive: &AliveTask) -> AliveTask {
        AliveTask {
            task: self.task(alive.task),
            parent: alive.parent.map(|parent| self.task(parent)),
            label: self.label(alive.label),
            number: alive.number,
            spawned_at_ns: self.at_ns(alive.spawned_at_ns),
        }
    }

    fn stamped(&self, stamped: Stamped) -> Stamped {
        Stamped { at_ns: self.at_ns(stamped.at_ns), event: self.event(stamped.event) }
    }

    fn event(&self, event: Event) -> Event {
        use Event as E;
        match event {
            E::Spawn { task, label, number } => {
                E::Spawn { task: self.task(task), label: self.label(label), number }
            }
            E::PollStart { task, worker } => {
                E::PollStart { task: self.task(task), worker: self.worker(worker) }
            }
            E::End { task, how } => E::End { task: self.task(task), how },
            E::Wake { task, by } => {
                let by = match by {
                    WakeBy::Task(task) => WakeBy::Task(self.task(task)),
                    WakeBy::Finished(task) => WakeBy::Finished(self.task(task)),
                    WakeBy::Driver | WakeBy::Outside => by,
                };
                E::Wake { task: self.task(task), by }
            }
            E::Park { worker } => E::Park { worker: self.worker(worker) },
            E::Unpark { worker } => E::Unpark { worker: self.worker(worker) },
            E::LockWait { lock } => E::LockWait { lock: self.object(lock) },
            E::LockGranted { lock, to } => E::LockGranted { lock: self.object(lock), to: self.task(to) },
            E::LockAcquired { lock } => E::LockAcquired { lock: self.object(lock) },
            E::LockReleased { lock } => E::LockReleased { lock: self.object(lock) },
            E::Send { channel, message } => E::Send { channel: self.object(channel), message },
            E::SendWait { channel } => E::SendWait { channel: self.object(channel) },
            E::Receive { channel, message } => E::Receive { channel: self.object(channel), message },
            E::ReceiveWait { channel } => E::ReceiveWait { channel: self.object(channel) },
            E::JoinWait { on } => E::JoinWait { on: self.task(on) },
            E::CommandStart { client, command } => {
                E::CommandStart { client: self.number(client), command: self.label(command) }
            }
            E::PollEnd { .. }
            | E::Sleep { .. }
            | E::ReadWait
            | E::Read { .. }
            | E::Write { .. }
            | E::WriteWait
            | E::CommandEnd { .. }
            | E::BlockStart
            | E::BlockEnd
            | E::Gap { .. } => event,
        }
    }

    fn at_ns(&self, at_ns: u64) -> u64 {
        at_ns.saturating_sub(self.part.at_ns)
    }

    fn task(&self, task: TaskId) -> TaskId {
        TaskId(self.number(task.0))
    }

    fn label(&self, label: LabelId) -> LabelId {
        LabelId(self.number(label.0))
    }

    fn object(&self, object: ObjectId) -> ObjectId {
        ObjectId(self.number(object.0))
    }

    fn worker(&self, worker: WorkerId) -> WorkerId {
        if worker == WorkerId::NONE {
            return worker;
        }
        WorkerId(worker.0 % RANGE_SMALL + self.first_worker)
    }

    fn number(&self, number: u32) -> u32 {
        number % RANGE + self.index * RANGE
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scope::event::PollOutcome;
    use crate::scope::frame::{ObjectKind, Origin};
    use crate::scope::trace::Trace;

    /// A recording of one task on one worker, which begins at `at_ns`.
    fn recording(at_ns: u64) -> Vec<Frame> {
        let event = |after_ns, event| Stamped { at_ns: at_ns + after_ns, event };
        vec![
            Frame::Hello(Hello {
                origin: Origin::Observed,
                place: "here".to_owned(),
                flavor: "current-thread".to_owned(),
                workers: 1,
                sharing: "mutex".to_owned(),
                virtual_time: true,
                now_ns: at_ns,
            }),
            Frame::Define(vec![
                Definition::Label {
                    id: LabelId(0),
                    text: "task".to_owned(),
                    file: "a.rs".to_owned(),
                    line: 1,
                },
                Definition::Label { id: LabelId(1), text: "get".to_owned(), file: String::new(), line: 0 },
                Definition::Object {
                    id: ObjectId(0),
                    kind: ObjectKind::Mutex,
                    name: "store".to_owned(),
                    number: 0,
                },
            ]),
            Frame::Alive(Vec::new()),
            Frame::Events(Chunk {
                thread: 0,
                events: vec![
                    event(0, Event::Spawn { task: TaskId(1), label: LabelId(0), number: 3 }),
                    event(1, Event::PollStart { task: TaskId(1), worker: WorkerId(0) }),
                    event(2, Event::LockAcquired { lock: ObjectId(0) }),
                    event(3, Event::PollEnd { outcome: PollOutcome::Pending }),
                ],
            }),
            Frame::Drained { at_ns: at_ns + 4 },
        ]
    }

    #[test]
    fn nothing_of_one_is_taken_for_the_others() {
        let (a, mut b) = (recording(100), recording(5_000));
        *b.last_mut().unwrap() = Frame::Drained { at_ns: 5_002 };
        let parts =
            [Part { name: "a", frames: &a, at_ns: 100 }, Part { name: "b", frames: &b, at_ns: 5_000 }];
        let mut trace = Trace::new();
        merge(&parts).iter().for_each(|frame| trace.apply(frame));
        let names: Vec<_> = trace.tasks().map(|task| trace.task_name(task.id)).collect();
        assert_eq!(names, ["a · task 3", "b · task 3"]);
        assert_eq!((trace.workers(), trace.now_ns()), (2, 4));
        for task in trace.tasks() {
            assert_eq!((task.spawned_ns, task.polls, task.ended), (0, 1, None));
        }
        for worker in [0, 1] {
            assert_eq!(trace.polls_of_worker(WorkerId(worker)).len(), 1);
            assert_eq!(trace.own_worker(WorkerId(worker)), WorkerId(0));
        }
        // Both are polled at the same moment, but by two runtimes.
        let names: Vec<_> = trace.parts().iter().map(|part| &*part.name).collect();
        assert_eq!(names, ["a", "b"]);
        for task in trace.tasks() {
            let part = trace.part_of(task.id);
            assert_eq!(trace.parts()[part].name, trace.task_name(task.id)[..1]);
            assert_eq!(trace.until_ns(task.id), [4, 2][part], "what came after its end is not told");
            assert_eq!(trace.parallelism_of(part, 0..4).max, 1);
        }
    }
}
