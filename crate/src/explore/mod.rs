//! Every way a scenario can go: all interleavings of its tasks, each counted, with the shortest schedule to each outcome.
//!
//! Owns the search and its bounds. Runs are real ones, made on [`Manual`](crate::engine::Manual) by choosing; knows neither
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
//! Depth-first, as runs made again from their choices. Where there is a choice, the state is fingerprinted: what each task has
//! read since it was spawned (it is deterministic, so where it stands and what it holds follows), whether it is ready, locks
//! with holder and waiters in order, channels with their messages, stores with expiries, the time, what is counted against
//! limits, and what of the outcome is settled. Two runs with equal fingerprints have the same continuations, so what lies below
//! is added up once, and each way to get there counts it in full: the counts are those of an enumeration of all
//! schedules, which the tests make for small scenarios. No state comes back on one path: a task that is polled reads, waits or
//! ends. A fingerprint has 64 bits: among [`Bounds::states`] of them the chance that two different states share one is under
//! one in a hundred million.
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
mod random;
mod report;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::FixedState;

pub use self::ahead::Ahead;
pub use self::count::Count;
use self::graph::{Graph, Met, Reached, add};
use self::path::{At, Path};
use self::random::Walks;
pub use self::report::{Found, Random, Report};
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
}

/// A state some of whose options have been followed.
#[derive(Debug)]
struct Frame {
    state: u64,
    options: usize,
    next: usize,
    /// What the option before that is.
    followed: u64,
    /// Steps from the state before to this one.
    steps: u64,
    reached: Vec<Reached>,
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

    /// Follows one more option, or finishes a state; gives the steps made. `path` stands at the last frame, or is none.
    fn follow(&mut self, path: &mut Option<Path>) -> u64 {
        let Some(frame) = self.frames.last_mut() else {
            self.runs += 1;
            return self.arrive(path, self.path(true), 0);
        };
        if frame.next == frame.options {
            self.finish();
            *path = None;
            return 0;
        }
        let option = frame.next;
        frame.next += 1;
        let mut here = match path.take() {
            Some(here) => here,
            None => {
                self.runs += 1;
                self.again()
            }
        };
        let before = here.steps();
        self.frames.last_mut().expect("it was there above").followed = here.meaning(option);
        here.choose(option);
        before + self.arrive(path, here, before)
    }

    /// Makes the run again up to the last frame.
    fn again(&self) -> Path {
        let mut path = self.path(true);
        for (index, frame) in self.frames.iter().enumerate() {
            path.forward(u64::MAX);
            if index + 1 < self.frames.len() {
                path.choose(frame.next - 1);
            }
        }
        path
    }

    /// Goes on from where `here` chose, `before` steps from the beginning, to the next choice or the end; steps made.
    fn arrive(&mut self, path: &mut Option<Path>, mut here: Path, before: u64) -> u64 {
        let at = here.forward(self.bounds.run_steps);
        let steps = here.steps() - before;
        let met = match at {
            At::End(outcome) => {
                let Some(number) = self.number(outcome, || here.choices()) else {
                    self.draw(Reach { bound: "outcomes", most: self.bounds.outcomes as u64 });
                    return steps;
                };
                Met::Done(vec![Reached { outcome: number, schedules: Count::ONE, steps: 0, option: 0 }])
            }
            At::TooFar => {
                self.cut += 1;
                Met::Done(Vec::new())
            }
            At::Choice { options } => {
                let state = here.state();
                let met = self.graph.meet(state);
                if let Met::New = met {
                    self.frames.push(Frame {
                        state,
                        options,
                        next: 0,
                        followed: 0,
                        steps,
                        reached: Vec::new(),
                    });
                    *path = Some(here);
                    if let Some(reach) = self.is_too_much() {
                        *path = None;
                        self.draw(reach);
                    }
                    return steps;
                }
                met
            }
        };
        match met {
            Met::Done(reached) => self.add(&reached, steps),
            Met::UnderWay => {
                unreachable!("a run came back to a state it had left: its fingerprint lacks something")
            }
            Met::New => unreachable!("returned above"),
        }
        steps
    }

    /// What `reached` says lies `steps` steps behind the last frame's last option.
    fn add(&mut self, reached: &[Reached], steps: u64) {
        match self.frames.last_mut() {
            Some(frame) => add(&mut frame.reached, reached, steps, frame.followed),
            None => {
                let mut whole = Vec::new();
                add(&mut whole, reached, steps, 0);
                self.whole = Some(whole);
            }
        }
    }

    /// The last frame's options have all been followed.
    fn finish(&mut self) {
        let frame = self.frames.pop().expect("only a frame that is there is finished");
        self.add(&frame.reached, frame.steps);
        self.graph.finish(frame.state, frame.reached);
    }

    /// The bound that the graph has passed, if it has passed one.
    fn is_too_much(&self) -> Option<Reach> {
        let Bounds { states, entries, .. } = self.bounds;
        let sizes = [("states", self.graph.len(), states), ("entries", self.graph.entries(), entries)];
        let passed = sizes.into_iter().find(|(_, size, most)| size > most);
        passed.map(|(bound, _, most)| Reach { bound, most: most as u64 })
    }

    /// The number of `outcome`, to which `choices` lead; `None` if there are too many to keep another.
    fn number(&mut self, outcome: Outcome, choices: impl FnOnce() -> Choices) -> Option<u32> {
        if let Some(&number) = self.numbers.get(&outcome) {
            let known = &mut self.known[number as usize];
            let choices = choices();
            if choices.steps() < known.shortest.steps() {
                (known.shortest, known.confirmed) = (choices, false);
            }
            return Some(number);
        }
        if self.known.len() == self.bounds.outcomes {
            return None;
        }
        let number = self.known.len() as u32;
        self.numbers.insert(outcome.clone(), number);
        self.known.push(Known { outcome, shortest: choices(), confirmed: false });
        Some(number)
    }

    /// There is too much: from now on at random. What was found stays found.
    fn draw(&mut self, reach: Reach) {
        self.reach = Some(reach);
        self.frames.clear();
        self.graph.forget();
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
                let choices = path.choices();
                let number = self.number(outcome, || choices.clone());
                match (number, &mut self.walks) {
                    (Some(number), Some(walks)) => walks.count(number, &choices),
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
        (known.shortest, known.confirmed) = (path.choices(), false);
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
