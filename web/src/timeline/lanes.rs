//! Which lanes there are and where they stand: one a worker, or one a task, the living first; those of two runs one run after
//! the other. Knows no canvas.

use interleave::scope::event::{TaskId, WorkerId};
use interleave::scope::trace::{PollId, Trace};
use std::collections::VecDeque;
use std::ops::Range;

/// Ended tasks in the picture up to which they are shown unasked; a server that has had many clients would else show
/// little but those.
const ENDED_SHOWN: usize = 6;

/// How the timeline is divided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lanes {
    /// One lane a task: concurrency.
    Tasks,
    /// One lane a worker: parallelism.
    Workers,
}

impl Lanes {
    /// Its name in saved state and in `interleave.state()`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Tasks => "tasks",
            Self::Workers => "workers",
        }
    }

    /// A lane's height in CSS pixels, where `count` lanes share `room_px`: few are drawn larger.
    pub(crate) fn height_px(self, count: usize, room_px: f64) -> f64 {
        let (least, most) = match self {
            Self::Tasks => (22.0, 40.0),
            Self::Workers => (40.0, 72.0),
        };
        (room_px / count.max(1) as f64).floor().clamp(least, most)
    }
}

/// What a lane is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Whose {
    Task(TaskId),
    Worker(WorkerId),
    /// A line above the tasks that have ended: how many, and whether their lanes follow.
    Ended {
        count: usize,
        open: bool,
    },
    /// A line above the lanes of one of several recordings, by its place among them.
    Part(usize),
}

static NO_POLLS: VecDeque<PollId> = VecDeque::new();

impl Whose {
    /// Its polls, in order.
    pub(crate) fn polls(self, trace: &Trace) -> &VecDeque<PollId> {
        match self {
            Self::Task(task) => trace.polls_of_task(task),
            Self::Worker(worker) => trace.polls_of_worker(worker),
            Self::Ended { .. } | Self::Part(_) => &NO_POLLS,
        }
    }

    /// Its name. Below the line that names a recording, its tasks need not say it again.
    pub(crate) fn name(self, trace: &Trace) -> String {
        match self {
            Self::Task(task) => {
                let name = trace.task_name(task);
                let part = trace.parts().get(trace.part_of(task));
                let own = part.and_then(|part| name.strip_prefix(&*part.name)?.strip_prefix(" \u{b7} "));
                own.map_or_else(|| name.clone(), str::to_owned)
            }
            Self::Worker(worker) => crate::names::worker(trace, worker),
            Self::Ended { count, .. } => format!("{count} ended"),
            Self::Part(part) => trace.parts().get(part).map_or_else(String::new, |part| part.name.clone()),
        }
    }

    /// Whether it is a line between lanes, in which nothing happens.
    pub(crate) fn is_line(self) -> bool {
        matches!(self, Self::Ended { .. } | Self::Part(_))
    }
}

/// How the lanes of ended tasks are shown.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct EndedLanes {
    /// Whether a person opened or folded them; none: how many there are decides.
    pub(crate) open: Option<bool>,
    /// This one is shown in any case: it is selected.
    pub(crate) chosen: Option<TaskId>,
}

/// The lanes that belong into a picture of some nanoseconds: all workers; or all tasks that lived in that time, those
/// that outlive it first. Of several recordings each has its lanes below a line with its name.
pub(crate) fn lanes(trace: &Trace, lanes: Lanes, ns: &Range<f64>, ended_lanes: EndedLanes) -> Vec<Whose> {
    let workers = |of: Range<u16>| of.map(|worker| Whose::Worker(WorkerId(worker)));
    let mut shown = Vec::new();
    for (index, part) in trace.parts().iter().enumerate() {
        shown.push(Whose::Part(index));
        match lanes {
            Lanes::Workers => shown.extend(workers(part.workers.clone())),
            Lanes::Tasks => {
                let own = trace.tasks().filter(|task| trace.part_of(task.id) == index);
                let seen = own.filter(|task| {
                    task.spawned_ns as f64 <= ns.end
                        && task.ended.is_none_or(|(at_ns, _)| at_ns as f64 >= ns.start)
                });
                shown.extend(seen.map(|task| Whose::Task(task.id)));
            }
        }
    }
    if !shown.is_empty() {
        return shown;
    }
    if lanes == Lanes::Workers {
        return workers(0..trace.workers()).collect();
    }
    let mut ended = Vec::new();
    for task in trace.tasks().filter(|task| task.spawned_ns as f64 <= ns.end) {
        match task.ended {
            Some((at_ns, _)) if (at_ns as f64) < ns.start => {}
            Some((at_ns, _)) if at_ns as f64 <= ns.end => ended.push(Whose::Task(task.id)),
            _ => shown.push(Whose::Task(task.id)),
        }
    }
    let count = ended.len();
    if count > 0 {
        let open = ended_lanes.open.unwrap_or(count <= ENDED_SHOWN);
        shown.push(Whose::Ended { count, open });
        let chosen = ended_lanes.chosen.map(Whose::Task);
        shown.extend(ended.into_iter().filter(|whose| open || Some(*whose) == chosen));
    }
    shown
}

#[cfg(test)]
mod tests {
    use interleave::scope::event::{EndKind, Event, LabelId, Stamped};
    use interleave::scope::frame::{Chunk, Definition, Frame, Hello, Origin};
    use interleave::scope::merge::{Part, merge};

    use super::*;

    /// Tasks 1 to `count`, spawned at 10 ns; every one but the first ends, at 10 ns times its number.
    fn trace(count: u32) -> Trace {
        let spawn = |task| (10, Event::Spawn { task: TaskId(task), label: LabelId(0), number: task });
        let end = |task| (10 * u64::from(task), Event::End { task: TaskId(task), how: EndKind::Completed });
        let events = (1..=count).map(spawn).chain((2..=count).map(end));
        let events = events.map(|(at_ns, event)| Stamped { at_ns, event }).collect();
        let mut trace = Trace::new();
        trace.apply(&Frame::Events(Chunk { thread: 0, events }));
        trace.apply(&Frame::Drained { at_ns: 1_000 });
        trace
    }

    /// The lanes in words: tasks by number, and the line above the ended.
    fn check(count: u32, ns: Range<f64>, ended: EndedLanes, expected: &str) {
        let name = |whose: Whose| match whose {
            Whose::Task(task) => task.0.to_string(),
            Whose::Ended { count, open } => format!("{count} ended{}", if open { ":" } else { "" }),
            Whose::Worker(worker) => format!("worker {}", worker.0),
            Whose::Part(part) => format!("part {part}"),
        };
        let found: Vec<_> = lanes(&trace(count), Lanes::Tasks, &ns, ended).into_iter().map(name).collect();
        assert_eq!(found.join(" "), expected, "of {count} tasks, in {ns:?}, {ended:?}");
    }

    #[test]
    fn the_living_come_first_and_many_ended_are_folded() {
        let by_count = EndedLanes::default();
        check(1, 0.0..1e3, by_count, "1");
        check(3, 0.0..1e3, by_count, "1 2 ended: 2 3");
        check(9, 0.0..1e3, by_count, "1 8 ended");
        check(9, 0.0..1e3, EndedLanes { open: Some(true), ..by_count }, "1 8 ended: 2 3 4 5 6 7 8 9");
        check(3, 0.0..1e3, EndedLanes { open: Some(false), ..by_count }, "1 2 ended");
        check(9, 0.0..1e3, EndedLanes { chosen: Some(TaskId(4)), ..by_count }, "1 8 ended 4");
    }

    #[test]
    fn each_of_two_recordings_has_its_lanes_together() {
        let one = |ended: u32| {
            let mut events = vec![(1, Event::Spawn { task: TaskId(1), label: LabelId(0), number: 1 })];
            events.push((2, Event::Spawn { task: TaskId(2), label: LabelId(0), number: 2 }));
            events.push((3, Event::End { task: TaskId(ended), how: EndKind::Completed }));
            let events = events.into_iter().map(|(at_ns, event)| Stamped { at_ns, event }).collect();
            let client =
                Definition::Label { id: LabelId(0), text: "client".into(), file: "a.rs".into(), line: 1 };
            let hello = Hello {
                origin: Origin::Modelled,
                place: String::new(),
                flavor: String::new(),
                workers: 2,
                sharing: String::new(),
                virtual_time: true,
                now_ns: 0,
            };
            [
                Frame::Hello(hello),
                Frame::Define(vec![client]),
                Frame::Events(Chunk { thread: 0, events }),
                Frame::Drained { at_ns: 10 },
            ]
        };
        let (a, b) = (one(1), one(2));
        let parts = [Part { name: "a", frames: &a, at_ns: 0 }, Part { name: "b", frames: &b, at_ns: 0 }];
        let mut trace = Trace::new();
        merge(&parts).iter().for_each(|frame| trace.apply(frame));
        let check = |by: Lanes, expected: &str| {
            let shown = lanes(&trace, by, &(0.0..1e3), EndedLanes { open: Some(true), chosen: None });
            let names: Vec<_> = shown.into_iter().map(|whose| whose.name(&trace)).collect();
            assert_eq!(names.join(", "), expected);
        };
        check(Lanes::Tasks, "a, client 1, client 2, b, client 1, client 2");
        check(Lanes::Workers, "a, worker 0, worker 1, b, worker 0, worker 1");
    }

    #[test]
    fn who_outlives_the_picture_lives_in_it() {
        let by_count = EndedLanes::default();
        check(4, 0.0..25.0, by_count, "1 3 4 1 ended: 2");
        check(4, 25.0..35.0, by_count, "1 4 1 ended: 3");
        check(4, 0.0..5.0, by_count, "");
    }
}
