//! One run on its way: from choice to choice, to its end.
//!
//! Owns which of an engine's options are explored, and what counts as the end. Knows no other run.

use std::fmt;
use std::sync::Arc;

use crate::engine::{Choices, Manual, Parted};
use crate::machine::STARTED_UNIX_MS;
use crate::rt::ledger::digest;
use crate::scenario::{Outcome, Run, Scenario, Setting};

/// A run.
pub(super) struct Path {
    // Dropped first: its tasks hold what the engine records.
    engine: Manual,
    run: Run,
}

/// Where a run stands.
#[derive(Debug)]
pub(super) enum At {
    /// One of several options is next.
    Choice { options: usize },
    /// It is over.
    End(Outcome),
    /// It has made more steps than it may.
    TooFar,
}

impl fmt::Debug for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Path").field("steps", &self.steps()).finish_non_exhaustive()
    }
}

impl Path {
    /// A run at its beginning. `noting`: [`Self::state`] is wanted.
    pub(super) fn start(scenario: &Arc<Scenario>, setting: Setting, noting: bool) -> Self {
        let make = if noting { Manual::noting } else { Manual::unrecorded };
        Self::on(make(STARTED_UNIX_MS), scenario, setting)
    }

    fn on(engine: Manual, scenario: &Arc<Scenario>, setting: Setting) -> Self {
        let rt = engine.rt();
        let run = engine.enter(|| Run::start(scenario, setting, &rt));
        Self { engine, run }
    }

    /// Goes on while there is one option only.
    pub(super) fn forward(&mut self, steps_max: u64) -> At {
        loop {
            if let Some(outcome) = self.end() {
                return At::End(outcome);
            }
            if self.steps() >= steps_max {
                return At::TooFar;
            }
            match self.options() {
                1 => self.choose(0),
                options => return At::Choice { options },
            }
        }
    }

    /// Takes one of the options.
    pub(super) fn choose(&mut self, option: usize) {
        // A run that is stopped ends with the task that conducts it: what the others still do is of no account.
        let option = if self.run.is_stopping() { self.engine.conductor() } else { option };
        self.engine.choose(option);
    }

    /// Makes the first `steps` steps of `choices`.
    ///
    /// # Errors
    /// If the run has other options than were recorded.
    pub(super) fn follow(&mut self, choices: &Choices, steps: u64) -> Result<(), Parted> {
        self.engine.replay_to(choices, steps)
    }

    /// How many options are explored where it stands; none at its end.
    pub(super) fn open_options(&self) -> usize {
        if self.end().is_some() { 0 } else { self.options() }
    }

    /// How many options are explored: the first ones of the engine's. To let time pass is the last of these, and is left out
    /// while it is not over and others are ready.
    fn options(&self) -> usize {
        if self.run.is_stopping() {
            return 1;
        }
        let ready = self.engine.ready();
        let waits = self.engine.next_deadline_ns();
        let may_wait = waits.is_some_and(|until_ns| ready == 0 || until_ns <= self.engine.now_ns());
        ready + usize::from(may_wait)
    }

    fn end(&self) -> Option<Outcome> {
        let outcome = match self.run.outcome() {
            Some(outcome) => outcome.clone(),
            None if self.engine.count() == 0 => self.run.deadlock(),
            None => return None,
        };
        Some(outcome.without_variables())
    }

    /// A number that is the same for runs that go on alike.
    pub(super) fn state(&self) -> u64 {
        digest((self.engine.state(), self.run.counted()))
    }

    /// What option `option` is.
    pub(super) fn meaning(&self, option: usize) -> u64 {
        self.engine.meaning(option)
    }

    /// Steps made.
    pub(super) fn steps(&self) -> u64 {
        self.engine.choices().steps()
    }

    /// What was chosen.
    pub(super) fn choices(&self) -> Choices {
        self.engine.choices().clone()
    }
}

/// Makes the run of `choices` again, recorded as any other; what it came to.
pub(super) fn replay(
    scenario: &Arc<Scenario>,
    setting: Setting,
    choices: &Choices,
) -> Result<Outcome, Parted> {
    let mut path = Path::on(Manual::new(STARTED_UNIX_MS), scenario, setting);
    path.engine.replay(choices)?;
    let found = path.engine.count() as u32;
    path.end().ok_or(Parted { steps: choices.steps(), recorded: 0, found })
}
