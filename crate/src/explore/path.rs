//! One run on its way: from choice to choice, to its end.
//!
//! Owns which of an engine's options are explored, and what counts as the end. Knows no other run.

use std::fmt;
use std::sync::Arc;

use super::place::{self, Place};
use crate::engine::{Choices, Manual, Parted};
use crate::machine::STARTED_UNIX_MS;
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
    /// A run at its beginning. `noting`: [`Self::place`] is wanted.
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

    fn options(&self) -> usize {
        if self.run.is_stopping() {
            return 1;
        }
        place::options(self.engine.ready(), self.engine.next_deadline_ns(), self.engine.now_ns())
    }

    /// What the run has come to, if it is at its end.
    pub(super) fn end(&self) -> Option<Outcome> {
        let outcome = match self.run.outcome() {
            Some(outcome) => outcome.clone(),
            None if self.engine.count() == 0 => self.run.deadlock(),
            None => return None,
        };
        Some(outcome.without_variables())
    }

    /// Where it stands.
    ///
    /// # Panics
    /// If it is not noting.
    pub(super) fn place(&self) -> Place {
        Place {
            notes: self.engine.notes().expect("made with notes"),
            counted: self.run.counted(),
            over: self.run.outcome().is_some(),
            stopping: self.run.is_stopping(),
        }
    }

    /// A number that is the same for runs that go on alike.
    ///
    /// # Panics
    /// As [`Self::place`].
    pub(super) fn state(&self) -> u64 {
        self.place().state()
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
    pub(super) fn choices(&self) -> &Choices {
        self.engine.choices()
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
