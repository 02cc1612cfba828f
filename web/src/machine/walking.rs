//! Moving in a run: steps on and back, playing, choices, branches, and where that leads. Owns the ways in which a person moves;
//! what a step does is the worker's matter.

use std::sync::Arc;

use leptos::prelude::*;
use serde_json::{Value, json};

use super::message::{At, Look};
use super::{BREAKPOINTS_MAX, Breakpoint, Machine, moves, selected_task};
use crate::page::Page;

impl Machine {
    /// Steps on.
    pub(crate) fn step(self, count: u64) {
        self.act(&json!({ "do": "step", "count": count }));
    }

    /// Steps back.
    pub(crate) fn back(self) {
        // From where the worker stands by then: keys may come faster than its answers.
        self.post(&json!({ "do": "step", "count": -1 }));
    }

    /// Goes on to the end of the next poll of the selected task.
    pub(crate) fn step_task(self, page: Page) {
        match selected_task(page) {
            Some(task) => self.act(&json!({ "do": "stepTask", "task": task.0 })),
            None => self.say("Select a task first: click its name on the timeline or in the state."),
        }
    }

    /// Plays, or pauses.
    pub(crate) fn play(self, plays: bool) {
        if plays {
            self.notice.set(None);
            self.act(&json!({ "do": "play", "perSecond": self.per_second.get_untracked() }));
        } else {
            self.post(&json!({ "do": "pause" }));
        }
    }

    /// Whether it plays.
    pub(crate) fn is_playing(self) -> bool {
        self.at.with(|at| at.as_ref().is_some_and(|at| at.playing))
    }

    /// Plays faster or slower.
    pub(crate) fn set_speed(self, per_second: u32) {
        self.per_second.set(per_second);
        if self.at.with_untracked(|at| at.as_ref().is_some_and(|at| at.playing)) {
            self.play(true);
        }
    }

    /// To where the branch ends; at its head, on to where the run ends.
    pub(crate) fn to_end(self) {
        let Some(at) = self.at.get_untracked() else { return };
        if at.step < at.head {
            self.seek(at.head);
        } else {
            self.notice.set(None);
            self.run_to_end();
        }
    }

    /// Goes to a step. While a slider is dragged only the latest place counts.
    pub(crate) fn seek(self, step: u64) {
        self.seek_to(json!({ "do": "seek", "step": step }));
    }

    /// Goes to a moment of the recording.
    pub(crate) fn seek_time(self, at_ns: f64) {
        self.seek_to(json!({ "do": "seekTime", "ns": at_ns.max(0.0).round() }));
    }

    pub(super) fn seek_to(self, message: Value) {
        if self.seeking.get_value() {
            self.seek_next.set_value(Some(message));
        } else {
            self.seeking.set_value(true);
            self.act(&message);
        }
    }

    /// Chooses what happens next.
    pub(crate) fn choose(self, option: u32) {
        let chosen = self.look.with_untracked(|look| {
            let options = &look.as_ref()?.options;
            options.iter().find(|choice| choice.option == option).cloned()
        });
        if chosen.is_some() {
            self.chosen.set_value(chosen);
            self.act(&json!({ "do": "choose", "option": option }));
        }
    }

    /// From here on the person is the scheduler.
    pub(crate) fn take_over(self) {
        self.act(&json!({ "do": "takeOver" }));
    }

    /// Goes back to a branch, to where it was left.
    pub(crate) fn go_to_branch(self, index: usize) {
        self.act(&json!({ "do": "branch", "index": index }));
    }

    /// Stops at these from now on.
    pub(crate) fn set_breakpoints(self, mut list: Vec<Breakpoint>) {
        list.truncate(BREAKPOINTS_MAX);
        self.post(&json!({ "do": "breakpoints", "list": list }));
        self.breakpoints.set(list);
    }

    /// Plays as fast as it goes, to the end.
    pub(crate) fn run_to_end(self) {
        self.act(&json!({ "do": "play", "perSecond": 0 }));
    }

    /// Tells the worker to go somewhere. Where two runs are shown, only one is from then on.
    pub(super) fn act(self, message: &Value) {
        if self.shows_two() {
            self.back_to_run();
        }
        self.post(message);
    }

    /// Whether the run stands before the end of its branch.
    pub(crate) fn is_in_the_past(self) -> bool {
        self.at.with(|at| at.as_ref().is_some_and(|at| at.step < at.head))
    }

    pub(super) fn stands(self, page: Page, at: At) {
        self.seeking.set_value(false);
        if let Some(next) = self.seek_next.try_update_value(Option::take).flatten() {
            self.seek_to(next);
        }
        let forked = self.at.with_untracked(|before| {
            let before = before.as_ref()?;
            (at.branches.len() > before.branches.len() && !before.branches.is_empty())
                .then_some(before.branch)
        });
        if let Some(label) = forked.and_then(|left| at.branches.get(left)).map(|branch| &branch.label) {
            self.say(format!("Forked here: the other future stays under branches, as “{label}”."));
        }
        let opened_at = self.opened.with_untracked(|opened| opened.as_ref().map(|opened| opened.step));
        if self.of_link.get_value() && opened_at.is_some_and(|step| step != at.step) {
            // The address names a step that is left: a reload is to find this one.
            self.leave_address(page);
        }
        if self.at.with_untracked(|before| before.as_ref() != Some(&at)) {
            let now_ns = at.now_ns;
            self.at.set(Some(at));
            // A link to another step is of no use.
            self.link.set(None);
            page.timeline.keep_in_sight(now_ns as f64);
        }
    }

    pub(super) fn looks(self, look: Look) {
        let options = self.look.with_untracked(|before| {
            before.as_deref().map(|before| before.options.clone()).unwrap_or_default()
        });
        if let Some(chosen) = self.chosen.try_update_value(Option::take).flatten() {
            self.change.set(Some(moves::change(&options, &look.options, Some(&chosen))));
        } else if options != look.options {
            self.change.set(None);
        }
        self.look.set(Some(Arc::new(look)));
        self.ahead.set(None);
        self.ahead_asked.set_value(0);
        if !self.at.with_untracked(|at| at.as_ref().is_some_and(|at| at.playing)) {
            self.look_ahead();
        }
    }
}
