//! Schedules drawn at random, where there are too many to make them all.
//!
//! Owns the seed and the telling apart of those drawn. Knows outcomes by their numbers.

use std::collections::HashMap;

use fastrand::Rng;
use foldhash::fast::FixedState;

use super::count::Count;
use super::path::{At, Path};
use crate::engine::Choices;
use crate::rt::ledger::digest;
use crate::scenario::Outcome;

/// Most schedules that are told apart, at 16 bytes each; one that is drawn after that counts as another.
const TOLD_APART_MAX: usize = 1_000_000;

/// Runs at random.
#[derive(Debug)]
pub(super) struct Walks {
    random: Rng,
    /// How many were made.
    pub(super) runs: u64,
    /// Every schedule drawn, and its outcome.
    drawn: HashMap<u64, u32, FixedState>,
    /// By outcome, different schedules.
    different: Vec<u64>,
}

impl Walks {
    pub(super) fn new(seed: u64) -> Self {
        let drawn = HashMap::with_hasher(FixedState::with_seed(0));
        Self { random: Rng::with_seed(seed), runs: 0, drawn, different: Vec::new() }
    }

    /// Takes `path` to its end; what it came to, unless it is too long.
    pub(super) fn walk(&mut self, path: &mut Path, steps_max: u64) -> Option<Outcome> {
        self.runs += 1;
        loop {
            match path.forward(steps_max) {
                At::Choice { options } => path.choose(self.random.u64(..options as u64) as usize),
                At::End(outcome) => return Some(outcome),
                At::TooFar => return None,
            }
        }
    }

    /// `choices` lead to `outcome`.
    pub(super) fn count(&mut self, outcome: u32, choices: &Choices) {
        let place = outcome as usize;
        if self.different.len() <= place {
            self.different.resize(place + 1, 0);
        }
        let known = self.drawn.len();
        let is_new = known >= TOLD_APART_MAX || self.drawn.insert(digest(choices), outcome).is_none();
        self.different[place] += u64::from(is_new);
    }

    /// Different schedules to each outcome.
    pub(super) fn counts(&self, counts: &mut [Count]) {
        for (count, different) in counts.iter_mut().zip(&self.different) {
            *count = Count::from(*different);
        }
    }
}
