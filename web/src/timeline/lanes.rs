//! Which lanes there are and where they stand: one a worker, or one a task. Knows no canvas.

use interleave::scope::event::{TaskId, WorkerId};
use interleave::scope::trace::{PollId, Trace};
use std::collections::VecDeque;

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
}

impl Whose {
    /// Its polls, in order.
    pub(crate) fn polls(self, trace: &Trace) -> &VecDeque<PollId> {
        match self {
            Self::Task(task) => trace.polls_of_task(task),
            Self::Worker(worker) => trace.polls_of_worker(worker),
        }
    }

    /// Its name.
    pub(crate) fn name(self, trace: &Trace) -> String {
        match self {
            Self::Task(task) => trace.task_name(task),
            Self::Worker(worker) => crate::names::worker(worker),
        }
    }
}

/// The lanes that belong into a picture of `from_ns..to_ns`: all workers; or all tasks that lived in that time.
pub(crate) fn lanes(trace: &Trace, lanes: Lanes, from_ns: f64, to_ns: f64) -> Vec<Whose> {
    match lanes {
        Lanes::Workers => (0..trace.workers()).map(|worker| Whose::Worker(WorkerId(worker))).collect(),
        Lanes::Tasks => {
            let lived = trace.tasks().filter(|task| {
                let ended = task.ended.is_some_and(|(at_ns, _)| (at_ns as f64) < from_ns);
                !ended && task.spawned_ns as f64 <= to_ns
            });
            lived.map(|task| Whose::Task(task.id)).collect()
        }
    }
}
