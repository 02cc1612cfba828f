//! From a run that a scheduler made to one in which the person is the scheduler: the same polls, as choices.
//!
//! Owns the translation. What was polled in which order is all that tells runs of the same tasks apart, and where the person
//! schedules, every order can be chosen. Knows no scheduler's rules.

use super::{Machine, OpenError, Recipe};
use crate::engine::{Choice, Flavor};
use crate::scope::event::TaskId;

/// The recipe of the run that does what `recipe` does up to its step, in which what comes next is the person's to choose.
///
/// Takes as long as making the run twice. Its steps are not the same number: where the person is the scheduler, time going on
/// is a step, and a poll ends before the second thing that others can see. What several workers compute at the same time is
/// computed one after the other here, so that less time is left for keys that expire.
///
/// # Errors
/// If `recipe` cannot be opened; or if it does what no order of polls does ([`OpenError::Unlike`]).
///
/// # Panics
/// If the calling thread already has an engine.
pub fn take_over(recipe: &Recipe) -> Result<Recipe, OpenError> {
    if recipe.flavor == Flavor::Manual {
        return Ok(Machine::stand_at(recipe)?.recipe());
    }
    let polls = polls(recipe)?;
    let manual = Recipe { flavor: Flavor::Manual, ..recipe.clone() };
    let mut machine = Machine::open(&manual)?;
    for (index, poll) in polls.iter().enumerate() {
        follow(&mut machine, poll).ok_or(OpenError::Unlike { step: index as u64 })?;
    }
    Ok(machine.recipe())
}

/// One step of the run to be followed.
struct Poll {
    task: TaskId,
    /// Sleeps that had ended before it, since the one before.
    began_ns: u64,
}

/// Who was polled, in order.
fn polls(recipe: &Recipe) -> Result<Vec<Poll>, OpenError> {
    let mut machine = Machine::open(&Recipe { step: 0, ..recipe.clone() })?;
    let mut polls = Vec::new();
    while machine.steps() < recipe.step && machine.step().is_some() {
        if let Some(task) = machine.polled() {
            polls.push(Poll { task, began_ns: machine.polled_ns() });
        }
    }
    if machine.steps() < recipe.step {
        return Err(OpenError::Ended { step: machine.steps(), wanted: recipe.step });
    }
    Ok(polls)
}

/// Does the same poll: to its end, however many steps that takes here.
fn follow(machine: &mut Machine, poll: &Poll) -> Option<()> {
    loop {
        let options = machine.engine.options();
        let wait = options
            .iter()
            .position(|option| matches!(option, Choice::Wait { until_ns } if *until_ns <= poll.began_ns));
        let polled = options.iter().position(|option| *option == Choice::Poll(poll.task));
        // Time that had passed there passes here, and whom it wakes is woken.
        match (wait, polled) {
            (Some(wait), _) => machine.choose(wait)?,
            (None, Some(polled)) => {
                machine.choose(polled)?;
                break;
            }
            // The clocks need not agree to the microsecond.
            (None, None) => {
                let wait = options.iter().position(|option| matches!(option, Choice::Wait { .. }))?;
                machine.choose(wait)?
            }
        };
    }
    while machine.engine.gave_way_midway() {
        let options = machine.engine.options();
        let Some(again) = options.iter().position(|option| *option == Choice::Poll(poll.task)) else { break };
        machine.choose(again)?;
    }
    Some(())
}
