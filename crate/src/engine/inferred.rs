//! Where the ready tasks of Tokio's own current-thread runtime wait, inferred from what was observed.
//!
//! Tokio shows its queues to nobody. But every spawn and every wake is recorded, and by its rules
//! (`runtime/scheduler/current_thread/mod.rs`, `schedule`) they say where a task goes: to the end of the local queue from
//! inside the runtime, to the end of the injection queue from outside. A poll says which task left. What is inferred is
//! checked by that: [`Inferred::surprises`] counts tasks that were polled and stood in no queue. Knows no runtime.

use std::collections::VecDeque;

use super::{Queues, WorkerQueues, WorkerState};
use crate::scope::event::{Event, PollOutcome, TaskId};

/// The queues as the events so far have them.
#[derive(Debug, Default)]
pub(super) struct Inferred {
    /// What is known of each, by its number.
    tasks: Vec<Option<Life>>,
    current: Option<TaskId>,
    local: VecDeque<TaskId>,
    injection: VecDeque<TaskId>,
    deferred: Vec<TaskId>,
    surprises: u64,
}

/// What a task is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Life {
    Idle,
    Scheduled,
    Running,
    /// Woken while it was polled: it is scheduled when the poll is over.
    RunningScheduled,
}

impl Inferred {
    pub(super) fn apply(&mut self, event: Event) {
        match event {
            Event::Spawn { task, .. } => {
                *self.life(task) = Some(Life::Scheduled);
                match self.current {
                    Some(_) => self.local.push_back(task),
                    None => self.injection.push_back(task),
                }
            }
            Event::Wake { task, .. } => self.wake(task),
            Event::PollStart { task, .. } => {
                self.leaves_its_queue(task);
                *self.life(task) = Some(Life::Running);
                self.current = Some(task);
            }
            Event::PollEnd { outcome } => self.poll_ends(outcome),
            Event::End { task, .. } => {
                *self.life(task) = None;
                if self.current != Some(task) {
                    self.local.retain(|&other| other != task);
                    self.injection.retain(|&other| other != task);
                    self.deferred.retain(|&other| other != task);
                }
            }
            _ => {}
        }
    }

    /// Tasks that were polled though they were in no queue: 0, as long as Tokio's rules are what they are taken for.
    #[cfg(test)]
    pub(super) fn surprises(&self) -> u64 {
        self.surprises
    }

    /// The queues of the one worker, whose clock shows `now_ns`.
    pub(super) fn queues(&self, now_ns: u64) -> Queues {
        let asleep = self.local.is_empty() && self.injection.is_empty() && self.deferred.is_empty();
        Queues {
            workers: vec![WorkerQueues {
                state: if asleep { WorkerState::ParkedOnDriver } else { WorkerState::Busy },
                clock_ns: now_ns,
                running: self.current,
                lifo_slot: None,
                local: self.local.iter().copied().collect(),
                deferred: self.deferred.clone(),
            }],
            injection: self.injection.iter().copied().collect(),
            stolen: Vec::new(),
        }
    }

    fn life(&mut self, task: TaskId) -> &mut Option<Life> {
        let index = task.0 as usize;
        if self.tasks.len() <= index {
            self.tasks.resize(index + 1, None);
        }
        &mut self.tasks[index]
    }

    fn wake(&mut self, task: TaskId) {
        match self.life(task) {
            Some(life @ Life::Idle) => {
                *life = Life::Scheduled;
                // Whom the driver wakes is woken inside the runtime, too.
                self.local.push_back(task);
                self.deferred.retain(|&other| other != task);
            }
            Some(life @ Life::Running) => *life = Life::RunningScheduled,
            _ => {}
        }
    }

    fn leaves_its_queue(&mut self, task: TaskId) {
        if self.local.front() == Some(&task) {
            self.local.pop_front();
        } else if self.injection.front() == Some(&task) {
            self.injection.pop_front();
        } else {
            self.surprises += 1;
            self.local.retain(|&other| other != task);
            self.injection.retain(|&other| other != task);
        }
    }

    fn poll_ends(&mut self, outcome: PollOutcome) {
        let Some(task) = self.current.take() else { return };
        // Gone, if it has ended.
        let Some(life) = self.life(task) else { return };
        let woken = std::mem::replace(life, Life::Idle) == Life::RunningScheduled;
        if woken {
            *life = Life::Scheduled;
            self.local.push_back(task);
        } else if matches!(outcome, PollOutcome::Yield | PollOutcome::CoopYield) {
            self.deferred.push(task);
        }
    }
}
