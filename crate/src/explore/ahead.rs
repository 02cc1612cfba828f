//! What can still come of a run, by what each next option leads to.
//!
//! Owns the look-up in what was explored. It makes the run's steps again, once for each option, and explores nothing.

use serde::Serialize;

use super::count::Count;
use super::path::{At, Path};
use super::{Explorer, Outcome};
use crate::engine::Choices;

/// What lies behind one option.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ahead {
    /// The option's number, as the time machine has it.
    pub option: usize,
    /// What can come of it, and how many schedules lead there from here; the bad ones first.
    pub outcomes: Vec<(Outcome, Count)>,
}

#[derive(Serialize)]
struct Written {
    option: usize,
    outcomes: Vec<WrittenOutcome>,
}

#[derive(Serialize)]
struct WrittenOutcome {
    headline: String,
    good: bool,
    schedules: String,
}

impl Explorer {
    /// What each option leads to for a run that has made the first `steps` steps of `choices`. `None` if that is not known: not all
    /// was explored, or the run is no run of this scenario. An option that was not explored, time going on while others
    /// are ready, is left out.
    ///
    /// # Panics
    /// If the calling thread has an engine.
    #[must_use]
    pub fn ahead(&self, choices: &Choices, steps: u64) -> Option<Vec<Ahead>> {
        if self.whole.is_none() || self.walks.is_some() {
            return None;
        }
        let options = self.path_along(choices, steps)?.open_options();
        let ahead =
            (0..options).map(|option| Some(Ahead { option, outcomes: self.behind(choices, steps, option)? }));
        ahead.collect()
    }

    /// As [`Self::ahead`], as JSON; `null` for what is not known.
    #[must_use]
    pub fn ahead_json(&self, choices: &Choices, steps: u64) -> String {
        let source = self.scenario.source();
        let written = self.ahead(choices, steps).map(|ahead| {
            let outcome = |(outcome, schedules): &(Outcome, Count)| WrittenOutcome {
                headline: outcome.headline(source),
                good: outcome.is_good(),
                schedules: schedules.to_string(),
            };
            let option = |ahead: &Ahead| Written {
                option: ahead.option,
                outcomes: ahead.outcomes.iter().map(outcome).collect(),
            };
            ahead.iter().map(option).collect::<Vec<_>>()
        });
        serde_json::to_string(&written).expect("texts and numbers can be written")
    }

    fn path_along(&self, choices: &Choices, steps: u64) -> Option<Path> {
        let mut path = self.path(true);
        path.follow(choices, steps).ok()?;
        Some(path)
    }

    fn behind(&self, choices: &Choices, steps: u64, option: usize) -> Option<Vec<(Outcome, Count)>> {
        let mut path = self.path_along(choices, steps)?;
        path.choose(option);
        let mut outcomes = match path.forward(self.bounds.run_steps) {
            At::End(outcome) => vec![(outcome, Count::ONE)],
            At::TooFar => return None,
            At::Choice { .. } => {
                let reached = self.graph.all_reached(path.state())?;
                let outcome = |number: u32| self.known[number as usize].outcome.clone();
                reached.iter().map(|reached| (outcome(reached.outcome), reached.schedules)).collect()
            }
        };
        outcomes.sort_by(|(a, some), (b, others)| a.is_good().cmp(&b.is_good()).then(others.cmp(some)));
        Some(outcomes)
    }
}
