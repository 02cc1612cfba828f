//! Where a run stands: all that decides how it can go on, in parts.
//!
//! Owns the fingerprint of a state, which options it has, and what of it the step of one task can meet with. Knows no run.

use crate::rt::ledger::{Noted, Notes, digest};
use crate::scenario::Counted;

/// How many options are explored: the first ones of the engine's, to poll each of the `ready` ones. To let time pass is the last
/// of these, and is left out while it is not over and others are ready.
pub(super) fn options(ready: usize, next_deadline_ns: Option<u64>, now_ns: u64) -> usize {
    let may_wait = next_deadline_ns.is_some_and(|until_ns| ready == 0 || until_ns <= now_ns);
    ready + usize::from(may_wait)
}

/// Where a run stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) notes: Notes,
    /// What counts against limits.
    pub(super) counted: Counted,
    /// There is an outcome.
    pub(super) over: bool,
    /// A limit was passed: what the tasks were about to do is of no account.
    pub(super) stopping: bool,
}

impl Place {
    /// A number that is the same for runs that go on alike.
    pub(super) fn state(&self) -> u64 {
        digest((self.notes.state(), self.counted))
    }

    /// How many options are explored.
    pub(super) fn options(&self) -> usize {
        let Notes { ready, next_deadline_ns, shared, .. } = &self.notes;
        if self.stopping { 1 } else { options(*ready, *next_deadline_ns, shared.now_ns) }
    }

    /// How many options the engine has.
    pub(super) fn count(&self) -> usize {
        self.notes.ready + usize::from(self.notes.next_deadline_ns.is_some())
    }

    /// Whether the run is at its end: it has an outcome, or nobody can go on.
    pub(super) fn is_end(&self) -> bool {
        self.over || self.count() == 0
    }

    /// Who is polled if option `option` is taken; `None`: time passes.
    pub(super) fn mover(&self, option: usize) -> Option<Noted> {
        self.notes.tasks[..self.notes.ready].get(option).copied()
    }

    /// What option `option` is, in whatever place it stands in another run.
    pub(super) fn meaning(&self, option: usize) -> u64 {
        self.mover(option).map_or(0, |task| task.identity)
    }

    /// Whether tasks meet at nothing but what [`Self::surroundings`] takes in.
    pub(super) fn is_simple(&self) -> bool {
        !self.notes.entangled && !self.stopping
    }

    /// A number for what option `option` is and all that it can meet with, where [`Self::is_simple`]: the data, the locks, the
    /// time and its sleepers, and who waits for what. Those who are ready are left out, since a wake is nothing to
    /// them, and so is what they have read. But who is the last to end wakes the one who conducts the run, and is told from the
    /// others: beside these two nobody lives then.
    pub(super) fn surroundings(&self, option: usize) -> u64 {
        let Notes { tasks, ready, shared, sleeps, .. } = &self.notes;
        let waiting = tasks[*ready..].iter().map(digest).fold(0, u64::wrapping_add);
        digest((self.mover(option), waiting, shared, sleeps, tasks.len() <= 2))
    }

    /// A number for all that an outcome is made of, at the end of a run where [`Self::is_simple`].
    pub(super) fn end(&self) -> u64 {
        let Notes { tasks, shared, facts, last, .. } = &self.notes;
        let tasks = tasks.iter().map(digest).fold(0, u64::wrapping_add);
        digest((tasks, shared, facts, last, self.over))
    }
}
