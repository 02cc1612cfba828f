//! Marks of the run as a whole: where it stands, where two of them part, what was stolen, where now is. Knows no bar.

use interleave::scope::event::WorkerId;

use super::RULER_PX;
use super::colours::css;
use super::lanes::{Lanes, Whose};
use super::marks::Painter;
use crate::format;

impl Painter<'_> {
    /// Where a run that can be taken back stands: what comes after is dimmed, because it need not come so.
    pub(super) fn playhead(&self) {
        let Some(playhead) = self.scene.playhead else { return };
        let (place, x) = (self.scene.place, self.x(playhead.at_ns));
        if !playhead.dims {
            return self.note(x, "they part here");
        }
        if playhead.at_ns < self.scene.trace.now_ns() && x < place.width {
            self.context.set_fill_style_str(&css(self.colours.ground));
            self.context.set_global_alpha(0.62);
            let from = x.max(place.gutter);
            self.context.fill_rect(from, RULER_PX, place.width - from, place.height - RULER_PX);
            self.context.set_global_alpha(1.0);
        }
        self.context.set_stroke_style_str(&self.colours.accent);
        self.context.set_fill_style_str(&self.colours.accent);
        self.context.set_line_width(2.0);
        self.line((x, RULER_PX), (x, place.height));
        self.context.set_line_width(1.0);
        // A handle, below the ruler that it is dragged along.
        self.context.begin_path();
        self.context.move_to(x - 6.0, RULER_PX);
        self.context.line_to(x + 6.0, RULER_PX);
        self.context.line_to(x, RULER_PX + 9.0);
        self.context.close_path();
        self.context.fill();
    }

    /// The moment that a person went to.
    pub(super) fn went_to(&self) {
        if let Some(at_ns) = self.scene.mark_ns {
            let label = format::moment(at_ns, self.scene.scale);
            self.note(self.scene.place.gutter + self.scene.axis.x(at_ns), &label);
        }
    }

    /// A moment of note, such as where two runs part: no playhead, for neither stands there.
    fn note(&self, x: f64, label: &str) {
        let place = self.scene.place;
        let dashes = js_sys::Array::of2(&5.into(), &4.into());
        let _ = self.context.set_line_dash(&dashes);
        self.context.set_stroke_style_str(&self.colours.muted);
        self.line((x, RULER_PX), (x, place.height));
        let _ = self.context.set_line_dash(&js_sys::Array::new());
        self.font(11, false);
        self.context.set_fill_style_str(&self.colours.muted);
        let beside = x + 5.0;
        let fits = beside + self.width_of(label) <= place.width;
        let left = if fits { beside } else { x - 5.0 - self.width_of(label) };
        self.text(label, left, place.height - 9.0);
    }

    /// Tasks that one worker took from another's queue: by worker a line from queue to queue, by task a mark in its lane.
    pub(super) fn steals(&self) {
        let scene = self.scene;
        self.context.set_stroke_style_str(&self.colours.text);
        self.context.set_fill_style_str(&self.colours.text);
        for steal in scene.steals() {
            let Some((x, y)) = scene.steal_mark(steal) else { continue };
            let x = scene.place.gutter + x;
            if scene.lanes == Lanes::Workers
                && let Some(from) = scene.lane(Whose::Worker(WorkerId(steal.from as u16)))
            {
                let from = (x, scene.place.top(from) + scene.place.lane / 2.0);
                self.context.set_line_width(1.5);
                self.line(from, (x, y));
                self.context.set_line_width(1.0);
            }
            self.context.begin_path();
            for (index, (dx, dy)) in
                [(0.0, -5.0), (5.0, 0.0), (0.0, 5.0), (-5.0, 0.0)].into_iter().enumerate()
            {
                let corner = (x + dx, y + dy);
                if index == 0 {
                    self.context.move_to(corner.0, corner.1);
                } else {
                    self.context.line_to(corner.0, corner.1);
                }
            }
            self.context.close_path();
            self.context.fill();
        }
    }

    pub(super) fn now(&self) {
        if !self.scene.has_now {
            return;
        }
        let x = self.x(self.scene.trace.now_ns());
        if x <= self.scene.place.width {
            self.context.set_stroke_style_str(&self.colours.accent);
            self.line((x, RULER_PX), (x, self.scene.place.height));
        }
    }
}
