//! The time machine: a scenario on a runtime that can be stopped, stepped, looked into and made again.
//!
//! Owns what a run is made of ([`Recipe`]), its steps, where to stop ([`Breakpoint`]), and what is seen while it stands
//! still ([`Look`]). The host keeps copies of its memory, or makes the steps again, to go back. Knows no page and no file.
//!
//! ```
//! use interleave::machine::{Machine, Recipe};
//!
//! let scenario = "client a { INCR hits }\nclient b { INCR hits }".to_owned();
//! let mut machine = Machine::open(&Recipe { scenario, ..Recipe::default() })?;
//! while machine.step().is_some() {}
//! assert_eq!(machine.look().outcome.unwrap().headline, "hits = 2");
//! # Ok::<(), interleave::machine::OpenError>(())
//! ```

mod breakpoint;
mod compare;
mod look;
mod recipe;
mod seen;
mod take_over;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use self::seen::Seen;
use crate::engine::{Choices, Engine, Parted, Stepped};
use crate::scenario::{Limits, Outcome, Run, Scenario, ScriptError, Setting, Span};
use crate::scope::event::TaskId;
use crate::scope::frame::{Frame, Hello};
use crate::sharing::{Mirror, Options};

pub use self::breakpoint::{Breakpoint, BreakpointKind};
pub use self::compare::{COMPARED_STEPS_MAX, Compared, Side, Split, compare};
pub use self::look::{
    Look, LookChannel, LookKey, LookLock, LookOption, LookOutcome, LookSteal, LookTask, LookTimer, LookWorker,
};
pub use self::recipe::{FORMAT, RECIPE_BYTES_MAX, Recipe, RecipeError, STEPS_MAX};
pub use self::take_over::take_over;

/// What a run may take here: it is kept in memory many times over, to go back in.
pub const LIMITS: Limits = Limits { total_bytes: 8 << 20, commands: 20_000, ..Limits::DEFAULT };

/// Shards of the keyspace under `sharded`: few enough to be looked at.
const SHARDS: usize = 4;

/// Messages that wait for the owner under `actor`.
const ACTOR_QUEUE: usize = 16;

/// The wall clock of every run begins here, for a run repeats: 2026-01-01 00:00 UTC, in milliseconds since 1970.
pub(crate) const STARTED_UNIX_MS: u64 = 1_767_225_600_000;

/// A run that stands where it was stepped to.
#[derive(Debug)]
pub struct Machine {
    // Dropped first: its tasks still have a run.
    engine: Engine,
    run: Run,
    scenario: Arc<Scenario>,
    recipe: Recipe,
    seen: Seen,
    step: u64,
    stuck: bool,
    /// What was recorded and has not been taken.
    frames: Vec<Frame>,
    breakpoints: Vec<Breakpoint>,
    /// Assertions that failed so far, and tasks that ended with an error.
    failures: usize,
    /// Where the run first had other options than its recipe.
    parted: Option<Parted>,
}

/// What a step did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Made {
    /// The breakpoint that says to stop here, if one does.
    pub hit: Option<usize>,
}

/// Why a recipe cannot be opened.
#[derive(Debug)]
pub enum OpenError {
    /// Its scenario is none.
    Script(ScriptError),
    /// The scenario does not go as it did when the choices were recorded.
    Parted(Parted),
    /// It ends before the step that is to be stood at.
    Ended {
        /// The step at which it ends.
        step: u64,
        /// The step that was asked for.
        wanted: u64,
    },
    /// It cannot be made step by step by a person.
    Unlike {
        /// Steps that can.
        step: u64,
    },
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Script(error) => write!(f, "the scenario cannot be read: {error}"),
            Self::Parted(parted) => write!(f, "the run cannot be made again: {parted}"),
            Self::Ended { step, wanted } => write!(
                f,
                "expected a run of at least {wanted} steps, found one that ends after {step}: it was saved with another \
                 scenario or another version"
            ),
            Self::Unlike { step } => write!(
                f,
                "expected a run whose polls can be chosen one by one, found one that cannot after {step}: go back to there and \
                 take over"
            ),
        }
    }
}

impl std::error::Error for OpenError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Script(error) => Some(error),
            Self::Parted(parted) => Some(parted),
            Self::Ended { .. } | Self::Unlike { .. } => None,
        }
    }
}

impl Machine {
    /// A run of `recipe`, before its first step; where it is to stand is [`Self::seek`]'s matter.
    ///
    /// # Errors
    /// If the scenario cannot be read.
    ///
    /// # Panics
    /// If the calling thread already has an engine.
    pub fn open(recipe: &Recipe) -> Result<Self, OpenError> {
        let scenario = Scenario::parse(&recipe.scenario, &LIMITS).map_err(OpenError::Script)?;
        let scenario = Arc::new(scenario);
        let engine = Engine::new(recipe.flavor, recipe.seed, STARTED_UNIX_MS);
        let rt = engine.rt();
        let mut frames = vec![Frame::Hello(hello(recipe, &engine))];
        frames.extend(engine.snapshot());
        let run = engine.enter(|| Run::start(&scenario, setting(recipe), &rt));
        let mut machine = Self {
            engine,
            run,
            scenario,
            recipe: recipe.clone(),
            seen: Seen::default(),
            step: 0,
            stuck: false,
            frames,
            breakpoints: Vec::new(),
            failures: 0,
            parted: None,
        };
        machine.frames.iter().for_each(|frame| machine.seen.names(frame));
        machine.take_in();
        Ok(machine)
    }

    /// Makes one step: polls the task whose turn it is, or takes the choice that the recipe has for this step, or the first
    /// one where it has none. `None`: the run is over, and nothing was done.
    pub fn step(&mut self) -> Option<Made> {
        let option = self.recorded();
        self.make(|engine| match engine.choose(option) {
            Some(_) => Stepped::On,
            // It is not the caller's to choose.
            None => engine.step(),
        })
    }

    /// Lets option number `option` happen, where the person is the scheduler. What the recipe had for later steps is
    /// forgotten: this run parts from it here. `None` if there is no such option.
    pub fn choose(&mut self, option: usize) -> Option<Made> {
        if self.is_over() || option >= self.engine.count() {
            return None;
        }
        let made = self.make(|engine| {
            engine.choose(option);
            Stepped::On
        });
        self.recipe.choices = self.engine.choices().cloned().unwrap_or_default();
        made
    }

    /// Steps on to `step`; fewer if the run is over before.
    pub fn seek(&mut self, step: u64) {
        while self.step < step && self.step().is_some() {}
    }

    /// Opens `recipe` and goes to the step it says.
    ///
    /// # Errors
    /// If its scenario cannot be read, or does not go as it did when the recipe was kept.
    ///
    /// # Panics
    /// If the calling thread already has an engine.
    pub fn stand_at(recipe: &Recipe) -> Result<Self, OpenError> {
        let mut machine = Self::open(recipe)?;
        machine.seek(recipe.step);
        machine.stands_at(recipe.step)?;
        Ok(machine)
    }

    /// Whether it stands at `step` by its recipe.
    ///
    /// # Errors
    /// If it does not: the scenario does not go as it did when the recipe was kept, or is over before.
    pub fn stands_at(&self, step: u64) -> Result<(), OpenError> {
        match self.parted {
            Some(parted) => Err(OpenError::Parted(parted)),
            None if self.step < step => Err(OpenError::Ended { step: self.step, wanted: step }),
            None => Ok(()),
        }
    }

    /// What is to be chosen at later steps: the rest of a run that was gone back in.
    pub fn follow(&mut self, choices: Choices) {
        self.recipe.choices = choices;
    }

    /// Where to stop from now on.
    pub fn stop_at(&mut self, breakpoints: Vec<Breakpoint>) {
        self.breakpoints = breakpoints;
        self.failures = self.run.progress().failures();
    }

    /// Steps made.
    #[must_use]
    pub fn steps(&self) -> u64 {
        self.step
    }

    /// Virtual nanoseconds since the start.
    #[must_use]
    pub fn now_ns(&self) -> u64 {
        self.engine.now_ns()
    }

    /// Whether no step can be made any more.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.stuck || self.run.outcome().is_some() || self.step >= STEPS_MAX
    }

    /// What came of the run, once it is over.
    #[must_use]
    pub fn outcome(&self) -> Option<Outcome> {
        self.is_over().then(|| self.run.deadlock())
    }

    /// The scenario that runs.
    #[must_use]
    pub fn scenario(&self) -> &Scenario {
        &self.scenario
    }

    /// What makes this run again, up to here.
    #[must_use]
    pub fn recipe(&self) -> Recipe {
        Recipe { step: self.step, ..self.recipe.clone() }
    }

    /// All that is seen while it stands still.
    #[must_use]
    pub fn look(&self) -> Look {
        look::look(self)
    }

    /// Appends what was recorded since the last call. Call it every few thousand steps at the latest: until then it is kept.
    pub fn take_frames(&mut self, frames: &mut Vec<Frame>) {
        frames.append(&mut self.frames);
        frames.push(Frame::Drained { at_ns: self.now_ns() });
    }

    /// The task polled in the last step, if one was.
    #[must_use]
    pub fn polled(&self) -> Option<TaskId> {
        self.seen.step.polled
    }

    /// When the last step's poll began, in virtual nanoseconds.
    fn polled_ns(&self) -> u64 {
        self.seen.step.polled_ns
    }

    /// A task of the scenario's own: its name, and the statement it stands at.
    fn stands(&self, task: TaskId) -> Option<(String, Span)> {
        let tasks = self.run.progress().tasks();
        let found = tasks.into_iter().rfind(|progress| progress.traced == Some(task))?;
        Some((found.name.to_string(), found.span))
    }

    fn make(&mut self, step: impl FnOnce(&mut Engine) -> Stepped) -> Option<Made> {
        if self.is_over() {
            return None;
        }
        self.seen.step = seen::Happened::default();
        let before = self.run.sent();
        if step(&mut self.engine) == Stepped::Stuck {
            self.stuck = true;
            return None;
        }
        self.step += 1;
        if self.step == STEPS_MAX && self.run.outcome().is_none() {
            let message =
                format!("it was not at its end after {STEPS_MAX} steps, the limit `steps_max` of a run here");
            self.engine.enter(|| self.run.stop("steps_max", message));
        }
        self.take_in();
        self.leave_out_own(before);
        Some(Made { hit: self.hit() })
    }

    /// The option that the recipe has for the next step; the first where it has none.
    fn recorded(&mut self) -> usize {
        match self.recorded_option() {
            Ok(option) => option.unwrap_or(0),
            Err(parted) => {
                self.parted.get_or_insert(parted);
                0
            }
        }
    }

    /// The option that the recipe has for the next step; `None` where it has none.
    ///
    /// # Errors
    /// If the run has other options there than when the recipe was kept.
    pub fn recorded_option(&self) -> Result<Option<usize>, Parted> {
        let recorded = &self.recipe.choices;
        let (Some(made), found) = (self.engine.choices(), self.engine.count()) else { return Ok(None) };
        if made.steps() >= recorded.steps() {
            return Ok(None);
        }
        if found <= 1 {
            return Ok(Some(0));
        }
        match recorded.picks().get(made.picks().len()) {
            Some(pick) if pick.options as usize == found => Ok(Some(pick.option as usize)),
            other => {
                let recorded = other.map_or(0, |pick| pick.options);
                Err(Parted { steps: self.step, recorded, found: found as u32 })
            }
        }
    }

    /// Takes in what the engine recorded.
    fn take_in(&mut self) {
        let Self { engine, seen, frames, .. } = self;
        engine.drain(|fresh| {
            seen.apply(&fresh);
            fresh.append_to(frames);
        });
    }

    /// Forgets of the last step what the run did for itself: reading the keys for its outcome is none of the scenario's doing.
    /// `before`: whether it did so already, and the commands that the scenario had sent.
    fn leave_out_own(&mut self, (read_keys, sent_before): (bool, u64)) {
        let (reads_keys, sent) = self.run.sent();
        let step = &mut self.seen.step;
        if read_keys {
            (step.by_scenario, step.commands, step.locks) = (false, Vec::new(), Vec::new());
        } else if reads_keys {
            // Without sessions both may be done in one poll, the scenario's first. Each takes a lock and lets go of it, if any.
            let own = (sent - sent_before) as usize;
            step.commands.truncate(own);
            step.locks.truncate(2 * own);
        }
    }

    /// The first breakpoint that the last step came to.
    fn hit(&mut self) -> Option<usize> {
        let touched = self.run.keys().map(Mirror::take_touched).unwrap_or_default();
        if self.breakpoints.is_empty() {
            return None;
        }
        let failures = self.run.progress().failures();
        let failed = std::mem::replace(&mut self.failures, failures) < failures;
        self.breakpoints.iter().position(|breakpoint| breakpoint.is_hit(&self.seen, &touched, failed))
    }
}

/// What a run of `recipe` runs on.
pub(crate) fn setting(recipe: &Recipe) -> Setting {
    let hold = Duration::from_millis(recipe.hold_ms);
    let options = Options { shards: SHARDS, actor_queue: ACTOR_QUEUE, hold, seed: recipe.seed };
    Setting { sharing: recipe.sharing, options, limits: LIMITS, mirrored: true, direct: recipe.direct }
}

fn hello(recipe: &Recipe, engine: &Engine) -> Hello {
    Hello {
        origin: engine.origin(),
        place: "time machine".to_owned(),
        flavor: recipe.flavor.name().to_owned(),
        workers: recipe.flavor.workers().into(),
        sharing: recipe.sharing.to_string(),
        virtual_time: true,
        now_ns: 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_that_makes_too_many_steps_is_ended_there() {
        let scenario = "client a { lock x { while 1 { yield } } }\nclient b { lock x { } }".to_owned();
        let mut machine = Machine::open(&Recipe { scenario, ..Recipe::default() }).unwrap();
        machine.seek(10);
        // As if it had made them.
        machine.step = STEPS_MAX - 10;
        while machine.step().is_some() {}
        assert_eq!(machine.steps(), STEPS_MAX);
        let outcome = machine.outcome().unwrap();
        assert!(!outcome.is_good() && !outcome.is_stuck());
        let headline = "stopped by the limit `steps_max`; a lets the others run; b waits for the lock `x`, which a holds";
        assert_eq!(outcome.headline(machine.scenario().source()), headline);
    }
}
