//! What a picture is of and where things stand in it, for those who draw on it or ask what is where. Draws nothing.

use std::sync::Arc;

use interleave::scope::event::{TaskId, WorkerId};
use interleave::scope::trace::Trace;

use super::RULER_PX;
use super::axis::Axis;
use super::lanes::{Lanes, Whose};
use crate::machine::{Look, Playhead, Steal};
use crate::page::Selected;

/// Where lanes and their names stand, in CSS pixels.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    /// Width of the names; time begins here.
    pub(crate) gutter: f64,
    pub(crate) width: f64,
    pub(crate) height: f64,
    pub(crate) lane: f64,
    pub(crate) scroll: f64,
}

impl Place {
    /// The upper edge of a lane.
    pub(crate) fn top(&self, index: usize) -> f64 {
        RULER_PX + index as f64 * self.lane - self.scroll
    }

    /// The lane at a height.
    pub(crate) fn index(&self, y: f64) -> Option<usize> {
        let index = (y - RULER_PX + self.scroll) / self.lane;
        (y >= RULER_PX && index >= 0.0).then_some(index as usize)
    }
}

/// What a picture is of, for those who draw on it or ask what is where.
pub(crate) struct Scene<'a> {
    pub(crate) trace: &'a Trace,
    pub(crate) axis: &'a Axis,
    pub(crate) shown: &'a [Whose],
    pub(crate) place: Place,
    pub(crate) lanes: Lanes,
    pub(crate) scale: f64,
    pub(crate) selected: Option<Selected>,
    /// The task that what is selected belongs to.
    pub(crate) chosen: Option<TaskId>,
    /// The moment that a person went to.
    pub(crate) mark_ns: Option<f64>,
    pub(crate) playhead: Option<Playhead>,
    /// Whether what is shown ends now; two runs side by side have no now.
    pub(crate) has_now: bool,
    /// The time machine's run, for what its trace does not tell.
    pub(crate) look: Option<Arc<Look>>,
    pub(crate) polls: usize,
}

impl Scene<'_> {
    /// The place of a lane, from above.
    pub(crate) fn lane(&self, whose: Whose) -> Option<usize> {
        self.shown.iter().position(|shown| *shown == whose)
    }

    /// Tasks that one worker took from another's queue.
    pub(crate) fn steals(&self) -> &[Steal] {
        self.look.as_ref().map_or(&[], |look| &look.steals)
    }

    /// Where the mark of a steal stands, in CSS pixels from where time begins and from above: in the lane of the worker that took
    /// the task, or in the task's.
    pub(crate) fn steal_mark(&self, steal: &Steal) -> Option<(f64, f64)> {
        let lane = match self.lanes {
            Lanes::Workers => self.lane(Whose::Worker(WorkerId(steal.to as u16))),
            Lanes::Tasks => self.lane(Whose::Task(TaskId(steal.task))),
        };
        let y = self.place.top(lane?) + self.place.lane / 2.0;
        Some((self.axis.x(steal.at_ns as f64), y))
    }
}
