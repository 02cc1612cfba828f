//! Every way a scenario can go: all interleavings of its tasks, each counted, with the shortest schedule to each outcome.
//!
//! Owns the bounds of a search and what is reported of it. Runs are real ones, made on [`Manual`](crate::engine::Manual) by choosing; knows neither
//! statements nor commands.
//!
//! # What is explored
//!
//! A *schedule* is one row of choices from the beginning of a run to its end. A step is one poll, which begins with one thing
//! that others can see and ends before the next, so two commands, locks or messages of different tasks are tried in both
//! orders. Commands go straight to the data ([`Setting::direct`]). Time passes when no task is ready, and while a task
//! computes (`spin`); a sleep that is over then may end at once or later. That a task could be ready for long and not be polled
//! while time passes by itself is not explored: a runtime's timer fires when there is nothing to poll.
//! A run that passes a limit of the scenario ends there, whatever its other tasks were about to do.
//!
//! # Why a state is explored once
//!
//! Depth-first. Where there is a choice, the state is fingerprinted: what each task has
//! read since it was spawned (it is deterministic, so where it stands and what it holds follows), whether it is ready, locks
//! with holder and waiters in order, channels with their messages, stores with expiries, the time, what is counted against
//! limits, and what of the outcome is settled. Two runs with equal fingerprints have the same continuations, so what lies below
//! is added up once, and each way to get there counts it in full: the counts are those of an enumeration of all
//! schedules, which the tests make for small scenarios. No state comes back on one path: a task that is polled reads, waits or
//! ends. A fingerprint has 64 bits: among [`Bounds::states`] of them the chance that two different states share one is under
//! one in a hundred million.
//!
//! # Why a step is made once
//!
//! Most states of a scenario differ in how far others have come that are ready, and what a task does next does not depend on that.
//! Where tasks meet only at the data, at locks and in time, what a step does follows from what its task has read, from these three,
//! and from who waits: once made, it is known in all states that have these alike (`Place::surroundings`), and a run is
//! made only for what is not known. Where tasks send each other messages, spawn, watch keys or wait for them, they meet in places
//! that no note tells of, and each step is made wherever it comes up. The tests make known steps all the same, and compare; what
//! is reported as an outcome was run whole.
//!
//! Beyond a [bound](Bounds) schedules are drawn at random with a seed, and the [`Report`] says so.
//!
//! ```
//! use std::sync::Arc;
//! use interleave::explore::{Bounds, Explorer};
//! use interleave::scenario::{Limits, Scenario, Setting};
//!
//! let source = r#"
//! setup { SET stock 1 }
//! client buyer * 2 {
//!     let stock = GET stock
//!     if stock > 0 { DECR stock }
//! }
//! finally { assert GET stock >= 0 }
//! "#;
//! let scenario = Arc::new(Scenario::parse(source, &Limits::default())?);
//! let mut explorer = Explorer::new(scenario, Setting::default(), 0, Bounds::default());
//! while explorer.go(10_000) {}
//! let report = explorer.report();
//! assert!(report.complete);
//! assert_eq!(report.schedules.to_string(), "6");
//! // The worst comes first.
//! assert!(!report.outcomes[0].outcome.is_good());
//! assert_eq!(report.outcomes[0].schedules.to_string(), "4");
//! # Ok::<(), interleave::scenario::ScriptError>(())
//! ```

mod ahead;
mod count;
mod graph;
mod path;
mod place;
mod random;
mod report;
mod search;
mod steps;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::FixedState;

pub use self::ahead::Ahead;
pub use self::count::Count;
use self::graph::{Graph, Reached};
use self::path::{At, Path};
use self::random::Walks;
pub use self::report::{Found, Random, Report};
use self::search::Frame;
use self::steps::Steps;
use crate::engine::Choices;
use crate::machine::{self, Recipe};
use crate::scenario::{Outcome, Scenario, ScriptError, Setting};

/// How far one exploration may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Most states that are kept, at some 50 bytes each. With more, schedules are drawn at random from then on.
    pub states: usize,
    /// Most numbers that are kept, at 64 bytes each: for each state, one for each outcome that it leads to. With more, at random.
    pub entries: usize,
    /// Most different outcomes that are kept. With more, at random; what further ones come up then is counted and not kept.
    pub outcomes: usize,
    /// Most steps of one run. A longer one is cut: what it would have come to is not known, and the report says how many were.
    pub run_steps: u64,
    /// Most runs that are drawn at random; then the exploration is done.
    pub random_runs: u64,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { states: 500_000, entries: 1_000_000, outcomes: 256, run_steps: 20_000, random_runs: 1_000_000 }
    }
}

/// One of [`Bounds`] that was reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reach {
    /// The field's name.
    pub bound: &'static str,
    /// What it was.
    pub most: u64,
}

/// The best known about one outcome.
#[derive(Debug)]
struct Known {
    outcome: Outcome,
    shortest: Choices,
    /// `shortest` has been run again, recorded, and came to the same.
    confirmed: bool,
}

/// An exploration under way. It holds no engine between calls, so others may run on the same thread.
#[derive(Debug)]
pub struct Explorer {
    scenario: Arc<Scenario>,
    setting: Setting,
    seed: u64,
    bounds: Bounds,
    graph: Graph,
    steps: Steps,
    /// What was chosen on the way to where it stands.
    trail: Choices,
    // The states on the current path that are not finished, the first one first.
    frames: Vec<Frame>,
    known: Vec<Known>,
    numbers: HashMap<Outcome, u32, FixedState>,
    /// What the beginning leads to, once that is known.
    whole: Option<Vec<Reached>>,
    walks: Option<Walks>,
    /// Why schedules are drawn at random.
    reach: Option<Reach>,
    runs: u64,
    cut: u64,
    unkept: u64,
    stopped: bool,
    /// Makes known steps all the same, and compares.
    #[cfg(test)]
    distrusts: bool,
}

impl Explorer {
    /// Of `scenario` under `setting`, without sessions; `seed` is for schedules at random.
    #[must_use]
    pub fn new(scenario: Arc<Scenario>, setting: Setting, seed: u64, bounds: Bounds) -> Self {
        Self {
            scenario,
            setting: Setting { direct: true, mirrored: false, ..setting },
            seed,
            bounds,
            graph: Graph::default(),
            steps: Steps::default(),
            trail: Choices::default(),
            frames: Vec::new(),
            known: Vec::new(),
            numbers: HashMap::with_hasher(FixedState::with_seed(0)),
            whole: None,
            walks: None,
            reach: None,
            runs: 0,
            cut: 0,
            unkept: 0,
            stopped: false,
            #[cfg(test)]
            distrusts: false,
        }
    }

    /// Of the run that `recipe` makes, whatever its flavor and its choices.
    ///
    /// # Errors
    /// If the scenario cannot be read.
    pub fn of(recipe: &Recipe, bounds: Bounds) -> Result<Self, ScriptError> {
        let setting = machine::setting(recipe);
        let scenario = Scenario::parse(&recipe.scenario, &setting.limits)?;
        Ok(Self::new(Arc::new(scenario), setting, recipe.seed, bounds))
    }

    /// Explores for about `steps` steps of runs; whether there is more to do.
    ///
    /// # Panics
    /// If the calling thread has an engine.
    pub fn go(&mut self, steps: u64) -> bool {
        let mut spent = 0;
        let mut path = None;
        while !self.is_done() {
            if spent >= steps {
                return true;
            }
            spent += if self.walks.is_some() { self.walk() } else { self.follow(&mut path) };
        }
        false
    }

    /// Ends it where it is.
    pub fn stop(&mut self) {
        self.stopped = !self.is_done() || self.stopped;
    }

    fn is_done(&self) -> bool {
        let random = |walks: &Walks| walks.runs >= self.bounds.random_runs;
        self.stopped
            || (self.whole.is_some() && self.walks.is_none())
            || self.walks.as_ref().is_some_and(random)
    }

    fn path(&self, noting: bool) -> Path {
        Path::start(&self.scenario, self.setting, noting)
    }

    /// There is too much: from now on at random. What was found stays found.
    fn draw(&mut self, reach: Reach) {
        self.reach = Some(reach);
        self.frames.clear();
        self.graph.forget();
        self.steps = Steps::default();
        let mut walks = Walks::new(self.seed);
        for (number, known) in (0..).zip(&self.known) {
            walks.count(number, &known.shortest);
        }
        self.walks = Some(walks);
    }

    /// Makes one run at random; steps made.
    fn walk(&mut self) -> u64 {
        let mut path = self.path(false);
        let walks = self.walks.as_mut().expect("only called while there are");
        let end = walks.walk(&mut path, self.bounds.run_steps);
        self.runs += 1;
        match end {
            Some(outcome) => {
                self.trail = path.choices().clone();
                let number = self.number(outcome);
                match (number, &mut self.walks) {
                    (Some(number), Some(walks)) => walks.count(number, &self.trail),
                    _ => self.unkept += 1,
                }
            }
            None => self.cut += 1,
        }
        path.steps()
    }

    /// What was found so far. The shortest schedule to each outcome is run again, recorded, before it is told.
    ///
    /// # Panics
    /// If the calling thread has an engine; or if a schedule does not lead where it led before, which is a bug of ours.
    #[must_use]
    pub fn report(&mut self) -> Report {
        if let Some(whole) = self.whole.clone() {
            for reached in &whole {
                self.shorten(reached);
            }
        }
        for number in 0..self.known.len() {
            if !self.known[number].confirmed {
                self.confirm(number);
            }
        }
        let counts = self.counts();
        let schedules = counts.iter().fold(Count::ZERO, |sum, count| sum + *count);
        let found = self.known.iter().zip(counts).map(|(known, schedules)| Found {
            outcome: known.outcome.clone(),
            schedules,
            shortest: known.shortest.clone(),
        });
        let mut outcomes: Vec<Found> = found.collect();
        outcomes.sort_by(|a, b| {
            let worst = a.outcome.is_good().cmp(&b.outcome.is_good());
            worst.then(b.schedules.cmp(&a.schedules)).then(a.outcome.cmp(&b.outcome))
        });
        Report {
            done: self.is_done(),
            stopped: self.stopped,
            complete: self.whole.is_some() && self.cut == 0,
            random: self.walks.as_ref().map(|walks| Random { seed: self.seed, runs: walks.runs }),
            reach: self.reach.or_else(|| {
                (self.cut > 0).then_some(Reach { bound: "run_steps", most: self.bounds.run_steps })
            }),
            progress: self.progress(),
            schedules,
            states: self.graph.len(),
            runs: self.runs,
            cut: self.cut,
            unkept: self.unkept,
            outcomes,
        }
    }

    fn progress(&self) -> f64 {
        if let Some(walks) = &self.walks {
            return walks.runs as f64 / self.bounds.random_runs as f64;
        }
        if self.whole.is_some() {
            return 1.0;
        }
        let (mut behind, mut share) = (0.0, 1.0);
        for frame in &self.frames {
            share /= frame.options as f64;
            behind += share * frame.next.saturating_sub(1) as f64;
        }
        behind
    }

    /// Schedules to each outcome, by number.
    fn counts(&self) -> Vec<Count> {
        let mut counts = vec![Count::ZERO; self.known.len()];
        if let Some(walks) = &self.walks {
            walks.counts(&mut counts);
            return counts;
        }
        // While under way: what lies behind the options followed so far, of every state on the path.
        let open = self.frames.iter().map(|frame| &frame.reached).chain(&self.whole);
        for reached in open.flatten() {
            let count = &mut counts[reached.outcome as usize];
            *count = *count + reached.schedules;
        }
        counts
    }

    /// Finds the shortest schedule of all to an outcome, by what is known of every state.
    fn shorten(&mut self, whole: &Reached) {
        let known = &self.known[whole.outcome as usize];
        if known.shortest.steps() <= whole.steps {
            return;
        }
        let mut path = self.path(true);
        while let At::Choice { options } = path.forward(u64::MAX) {
            let below = self.graph.reached(path.state(), whole.outcome);
            let meant = below.expect("the state before says that it is reached").option;
            let option = (0..options).find(|&option| path.meaning(option) == meant);
            path.choose(option.expect("equal states have the same options"));
        }
        let known = &mut self.known[whole.outcome as usize];
        (known.shortest, known.confirmed) = (path.choices().clone(), false);
        assert_eq!(known.shortest.steps(), whole.steps, "the shortest schedule is as long as was reckoned");
    }

    /// Runs the shortest known schedule to outcome `number` again, recorded.
    fn confirm(&mut self, number: usize) {
        let known = &mut self.known[number];
        let outcome = path::replay(&self.scenario, self.setting, &known.shortest);
        assert_eq!(
            outcome.as_ref(),
            Ok(&known.outcome),
            "a schedule led elsewhere when it was recorded: {:?}",
            known.shortest
        );
        known.confirmed = true;
    }
}
