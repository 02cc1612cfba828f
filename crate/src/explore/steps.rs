//! What steps do, known once they were made: the same step in the same surroundings is not made again.
//!
//! A task is deterministic, so what its poll does follows from what it has read and from what it meets with. Where tasks meet
//! only at the data, at locks and in time, that is a small part of the whole state, and most states of a scenario differ in the
//! rest alone: in how far others have come that are ready.
//!
//! Owns what was learned of steps and ends, and applies it. Knows no run; whoever made a step says what it did.

use std::collections::HashMap;

use foldhash::fast::FixedState;

use super::place::Place;
use crate::rt::ledger::{Noted, Shared};
use crate::scenario::{Counted, Limits};

/// Most steps that are kept, at some 200 bytes each. Those that come later are made whenever they come up.
const STEPS_MAX: usize = 100_000;

/// What steps do, by their surroundings, and what ends come to.
#[derive(Debug)]
pub(super) struct Steps {
    known: HashMap<u64, Effect, FixedState>,
    ends: HashMap<u64, u32, FixedState>,
}

/// What one step does.
#[derive(Debug)]
struct Effect {
    /// What the task has read that was polled; `None`: time passed.
    history: Option<u64>,
    /// It has ended.
    ended: bool,
    /// Who became ready, in order; the task itself, too, if it gave way.
    woken: Box<[u64]>,
    shared: Shared,
    next_deadline_ns: Option<u64>,
    sleeps: u64,
    over: bool,
    // What is added up does not depend on what it was.
    facts: u64,
    counted: Counted,
}

impl Default for Steps {
    fn default() -> Self {
        let new = || FixedState::with_seed(0);
        Self { known: HashMap::with_hasher(new()), ends: HashMap::with_hasher(new()) }
    }
}

impl Steps {
    /// Where option `option` leads to from `place`, if that is known. Not where it passes a limit.
    pub(super) fn after(&self, place: &Place, option: usize, limits: &Limits) -> Option<Place> {
        if !place.is_simple() {
            return None;
        }
        self.known.get(&place.surroundings(option))?.apply(place, option, limits)
    }

    /// Option `option` has led from `before` to `after`.
    pub(super) fn learn(&mut self, before: &Place, option: usize, after: &Place, limits: &Limits) {
        if !before.is_simple() || !after.is_simple() || self.known.len() >= STEPS_MAX {
            return;
        }
        // All that it did: one that spawned, for one, did more.
        if let Some(effect) = Effect::between(before, option, after)
            && effect.apply(before, option, limits).as_ref() == Some(after)
        {
            self.known.insert(before.surroundings(option), effect);
        }
    }

    /// The number of the outcome at the end `place`, if it is known.
    pub(super) fn outcome(&self, place: &Place) -> Option<u32> {
        if place.is_simple() { self.ends.get(&place.end()).copied() } else { None }
    }

    /// The end `place` has outcome number `outcome`.
    pub(super) fn ends(&mut self, place: &Place, outcome: u32) {
        if place.is_simple() && self.ends.len() < STEPS_MAX {
            self.ends.insert(place.end(), outcome);
        }
    }
}

impl Effect {
    /// What the step did that led from `before` to `after`, as far as an effect can say.
    fn between(before: &Place, option: usize, after: &Place) -> Option<Self> {
        let (old, new) = (&before.notes, &after.notes);
        let mover = before.mover(option);
        let stayed = old.ready - usize::from(mover.is_some());
        let woken = new.tasks[..new.ready].get(stayed..)?;
        let lives = |mover: Noted| new.tasks.iter().any(|task| task.identity == mover.identity);
        Some(Self {
            history: mover.map(|_| new.last),
            ended: mover.is_some_and(|mover| !lives(mover)),
            woken: woken.iter().map(|task| task.identity).collect(),
            shared: new.shared,
            next_deadline_ns: new.next_deadline_ns,
            sleeps: new.sleeps,
            over: after.over,
            facts: new.facts.wrapping_sub(old.facts),
            counted: after.counted.since(before.counted),
        })
    }

    /// Where it leads to from `place`; `None` if it passes a limit there, or does not fit.
    fn apply(&self, place: &Place, option: usize, limits: &Limits) -> Option<Place> {
        let counted = place.counted.and(self.counted, limits)?;
        let mut next = Place { counted, over: self.over, ..place.clone() };
        let notes = &mut next.notes;
        if let Some(history) = self.history {
            let mover = notes.tasks.remove(option);
            notes.ready -= 1;
            notes.last = history;
            if !self.ended {
                let at = notes.waiting(mover.identity).err()?;
                notes.tasks.insert(at, Noted { history, ..mover });
            }
        }
        for &identity in &self.woken {
            let at = notes.waiting(identity).ok()?;
            notes.tasks[notes.ready..=at].rotate_right(1);
            notes.ready += 1;
        }
        notes.shared = self.shared;
        (notes.next_deadline_ns, notes.sleeps) = (self.next_deadline_ns, self.sleeps);
        notes.facts = notes.facts.wrapping_add(self.facts);
        Some(next)
    }
}
