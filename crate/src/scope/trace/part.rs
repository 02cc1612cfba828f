//! The recordings that a merged one is of: which task and which worker belongs to which. Knows nothing of what they did.

use std::ops::Range;

use crate::scope::event::{TaskId, WorkerId};

/// Parts that are told apart; a picture of more could not be read.
const PARTS_MAX: usize = 8;

/// One of the recordings that a merged one is of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// What it is called; its tasks' labels begin with it.
    pub name: String,
    /// The first number that a task of its may have; they end where the next part's begin.
    pub first_task: TaskId,
    /// Its workers' numbers in the merged recording.
    pub workers: Range<u16>,
    /// It tells of nothing after that.
    pub end_ns: u64,
}

/// All of them, in the order of their numbers.
#[derive(Debug, Default)]
pub(super) struct Parts {
    parts: Vec<Part>,
}

impl Parts {
    pub(super) fn all(&self) -> &[Part] {
        &self.parts
    }

    /// Takes in another one; what is told twice, or out of order, is left out.
    pub(super) fn add(&mut self, part: Part) {
        let follows = self.parts.last().is_none_or(|last| last.first_task < part.first_task);
        if follows && self.parts.len() < PARTS_MAX {
            self.parts.push(part);
        }
    }

    pub(super) fn of_task(&self, task: TaskId) -> usize {
        self.parts.partition_point(|part| part.first_task <= task).saturating_sub(1)
    }

    pub(super) fn own_worker(&self, worker: WorkerId) -> WorkerId {
        let part = self.parts.iter().find(|part| part.workers.contains(&worker.0));
        WorkerId(worker.0 - part.map_or(0, |part| part.workers.start))
    }
}
