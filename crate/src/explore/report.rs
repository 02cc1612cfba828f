//! What an exploration has found, for whoever shows it.
//!
//! Owns the order in which outcomes are told and their form as JSON. Does not know how they were found.

use serde::Serialize;

use super::Reach;
use super::count::Count;
use crate::engine::{Choices, Flavor};
use crate::machine::Recipe;
use crate::scenario::Outcome;

/// What was found so far.
#[derive(Clone, Debug)]
pub struct Report {
    /// There is nothing more to do: all was covered, or the bound of random runs is reached, or it was stopped.
    pub done: bool,
    /// It was stopped before its end.
    pub stopped: bool,
    /// Every interleaving was covered: the numbers are exact.
    pub complete: bool,
    /// Whether there were too many states, and schedules are drawn at random.
    pub random: Option<Random>,
    /// The bound for which not everything was covered, if one was reached: why it is at random, or why runs were cut.
    pub reach: Option<Reach>,
    /// How far it is, from 0 to 1, for a bar: as if behind every option there were as much to do. It may jump, and goes back only
    /// when it begins anew at random.
    pub progress: f64,
    /// Schedules accounted for; at random: different ones that were drawn.
    pub schedules: Count,
    /// Different states met where there was a choice.
    pub states: usize,
    /// Runs made.
    pub runs: u64,
    /// Runs that were cut at [`Bounds::run_steps`](super::Bounds::run_steps).
    pub cut: u64,
    /// Runs at random that led to outcomes beyond [`Bounds::outcomes`](super::Bounds::outcomes).
    pub unkept: u64,
    /// What schedules led to: the bad ones first, of these the most frequent.
    pub outcomes: Vec<Found>,
}

/// How schedules are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Random {
    /// The same seed draws the same ones.
    pub seed: u64,
    /// How many were drawn.
    pub runs: u64,
}

/// What some schedules lead to.
#[derive(Clone, Debug)]
pub struct Found {
    /// The outcome, without the tasks' variables.
    pub outcome: Outcome,
    /// How many schedules lead to it.
    pub schedules: Count,
    /// The shortest of them that is known; once everything is covered, the shortest of all.
    pub shortest: Choices,
}

/// The report as the page reads it.
#[derive(Serialize)]
struct Written {
    done: bool,
    stopped: bool,
    complete: bool,
    random: Option<WrittenRandom>,
    reach: Option<WrittenReach>,
    progress: f64,
    schedules: String,
    states: usize,
    runs: u64,
    cut: u64,
    unkept: u64,
    took_ms: f64,
    outcomes: Vec<WrittenFound>,
}

#[derive(Serialize)]
struct WrittenRandom {
    seed: u64,
    runs: u64,
}

#[derive(Serialize)]
struct WrittenReach {
    bound: &'static str,
    most: u64,
}

#[derive(Serialize)]
struct WrittenFound {
    headline: String,
    text: String,
    good: bool,
    deadlock: bool,
    schedules: String,
    recipe: String,
}

impl Report {
    /// As JSON. `recipe` is what was explored, after `took_ms` milliseconds by the host's clock.
    #[must_use]
    pub fn to_json(&self, recipe: &Recipe, took_ms: f64) -> String {
        let source = &recipe.scenario;
        let outcomes = self.outcomes.iter().map(|found| WrittenFound {
            headline: found.outcome.headline(source),
            text: found.outcome.describe(source),
            good: found.outcome.is_good(),
            deadlock: found.outcome.is_stuck(),
            schedules: found.schedules.to_string(),
            recipe: found.recipe(recipe).to_json(),
        });
        let written = Written {
            done: self.done,
            stopped: self.stopped,
            complete: self.complete,
            random: self.random.map(|Random { seed, runs }| WrittenRandom { seed, runs }),
            reach: self.reach.map(|Reach { bound, most }| WrittenReach { bound, most }),
            progress: self.progress,
            schedules: self.schedules.to_string(),
            states: self.states,
            runs: self.runs,
            cut: self.cut,
            unkept: self.unkept,
            took_ms,
            outcomes: outcomes.collect(),
        };
        serde_json::to_string(&written).expect("texts and numbers can be written")
    }
}

impl Found {
    /// What makes the shortest schedule again, standing at its end; `explored` is what was explored.
    #[must_use]
    pub fn recipe(&self, explored: &Recipe) -> Recipe {
        Recipe {
            flavor: Flavor::Manual,
            direct: true,
            choices: self.shortest.clone(),
            step: self.shortest.steps(),
            ..explored.clone()
        }
    }
}
