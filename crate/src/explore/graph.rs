//! The states met, and what each leads to.
//!
//! Owns the adding up: how many schedules lead from a state to each outcome, and how many steps the shortest takes. Knows
//! states by their fingerprints, outcomes by their numbers, and no run.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use foldhash::fast::FixedState;

use super::count::Count;

/// What lies behind a state: one outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reached {
    /// Which.
    pub(super) outcome: u32,
    /// How many schedules lead there from the state.
    pub(super) schedules: Count,
    /// Steps of the shortest.
    pub(super) steps: u64,
    /// What the option to begin with is, to take the shortest. Not its place: options stand in another order when the state
    /// is reached by another way.
    pub(super) option: u64,
}

/// Adds to `sum` what lies behind `option`: `reached`, and `steps` steps before that.
pub(super) fn add(sum: &mut Vec<Reached>, reached: &[Reached], steps: u64, option: u64) {
    for new in reached {
        let new = Reached { steps: new.steps + steps, option, ..*new };
        match sum.iter_mut().find(|old| old.outcome == new.outcome) {
            Some(old) => {
                let schedules = old.schedules + new.schedules;
                if new.steps < old.steps {
                    *old = new;
                }
                old.schedules = schedules;
            }
            None => sum.push(new),
        }
    }
}

/// What is known of a state that was met.
#[derive(Debug)]
pub(super) enum Met {
    /// Nothing: it was not met before.
    New,
    /// It lies on the path that was followed to here.
    UnderWay,
    /// All that lies behind it.
    Done(Vec<Reached>),
}

/// All states met where there was a choice.
#[derive(Debug)]
pub(super) struct Graph {
    /// None: under way.
    states: HashMap<u64, Option<Box<[Reached]>>, FixedState>,
    /// How many there were, even when they are forgotten.
    met: usize,
    /// How many [`Reached`] are kept, over all states.
    entries: usize,
}

impl Default for Graph {
    fn default() -> Self {
        Self { states: HashMap::with_hasher(FixedState::with_seed(0)), met: 0, entries: 0 }
    }
}

impl Graph {
    /// Notes that `state` is met; what was known of it.
    pub(super) fn meet(&mut self, state: u64) -> Met {
        match self.states.entry(state) {
            Entry::Vacant(vacant) => {
                vacant.insert(None);
                self.met += 1;
                Met::New
            }
            Entry::Occupied(known) => {
                known.get().as_ref().map_or(Met::UnderWay, |reached| Met::Done(reached.to_vec()))
            }
        }
    }

    /// All that lies behind `state` is `reached`.
    pub(super) fn finish(&mut self, state: u64, reached: Vec<Reached>) {
        self.entries += reached.len();
        self.states.insert(state, Some(reached.into()));
    }

    /// What is known of the way from `state` to `outcome`.
    pub(super) fn reached(&self, state: u64, outcome: u32) -> Option<Reached> {
        let reached = self.states.get(&state)?.as_ref()?;
        reached.iter().find(|reached| reached.outcome == outcome).copied()
    }

    /// All that is known to lie behind `state`.
    pub(super) fn all_reached(&self, state: u64) -> Option<&[Reached]> {
        self.states.get(&state)?.as_deref()
    }

    /// How many states were met.
    pub(super) fn len(&self) -> usize {
        self.met
    }

    /// How many numbers are kept: for each state, one for each outcome it leads to.
    pub(super) fn entries(&self) -> usize {
        self.entries
    }

    /// Gives the memory back.
    pub(super) fn forget(&mut self) {
        self.states = HashMap::with_hasher(FixedState::with_seed(0));
    }
}
