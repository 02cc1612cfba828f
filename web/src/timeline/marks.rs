//! What stands on the bars: names, times, wakes, messages, what is missing, what is selected. Drawn only as far as there is
//! room to see it; knows no pixels of the bars.

use std::cell::Cell;

use interleave::scope::event::{Event, TaskId, WakeBy};
use interleave::scope::trace::{Poll, PollId};
use web_sys::CanvasRenderingContext2d as Context;

use super::colours::{Colours, css, mix};
use super::ground::FOLDED_SHARE;
use super::lanes::{Lanes, Whose};
use super::{RULER_PX, Scene, bar_half_px};
use crate::page::Selected;
use crate::{format, names};

/// Polls in the picture up to which every wake and message is drawn; past it only those of the selection.
const ARROWS_MAX: usize = 400;

/// Least width of what stands for missing events, and how close together they count as one.
const GAP_PX: f64 = 6.0;

/// Pixels between two lines of what is hatched, downwards.
const HATCH_PX: f64 = 8.0;

/// The middles of the ruler's two rows, times above lengths of folded stretches, and where the lower row begins.
const TIMES_Y: f64 = 9.0;
const LENGTHS_Y: f64 = 26.0;
const LENGTHS_TOP: f64 = 18.0;

/// Draws everything. `density` is device pixels a CSS pixel.
pub(super) fn draw(context: &Context, density: f64, colours: &Colours, scene: &Scene<'_>) {
    context.save();
    let _ = context.scale(density, density);
    let painter = Painter { context, colours, scene, font: Cell::new(None) };
    painter.context.set_text_baseline("middle");
    painter.clip(scene.place.gutter, 0.0);
    painter.ruler();
    painter.clip(scene.place.gutter, RULER_PX);
    painter.gaps();
    painter.selection();
    painter.bars();
    painter.steals();
    painter.now();
    painter.playhead();
    painter.went_to();
    painter.labels();
    context.restore();
    painter.font.set(None);
    context.save();
    let _ = context.scale(density, density);
    painter.context.set_text_baseline("middle");
    painter.names();
    context.restore();
}

pub(super) struct Painter<'a> {
    pub(super) context: &'a Context,
    pub(super) colours: &'a Colours,
    pub(super) scene: &'a Scene<'a>,
    /// The font that is set: to set it anew has the browser read it anew.
    font: Cell<Option<(u32, bool)>>,
}

impl Painter<'_> {
    /// Lets nothing be drawn left of or above this from now on.
    fn clip(&self, left: f64, top: f64) {
        self.context.begin_path();
        self.context.rect(left, top, self.scene.place.width - left, self.scene.place.height - top);
        self.context.clip();
    }

    pub(super) fn font(&self, px: u32, bold: bool) {
        if self.font.replace(Some((px, bold))) == Some((px, bold)) {
            return;
        }
        let weight = if bold { "600 " } else { "" };
        self.context.set_font(&format!("{weight}{px}px {}", self.colours.font));
    }

    /// The lower edge of the lanes.
    fn bottom(&self) -> f64 {
        self.scene.place.top(self.scene.shown.len()).min(self.scene.place.height)
    }

    pub(super) fn x(&self, at_ns: u64) -> f64 {
        self.scene.place.gutter + self.scene.axis.x(at_ns as f64)
    }

    pub(super) fn line(&self, from: (f64, f64), to: (f64, f64)) {
        self.context.begin_path();
        self.context.move_to(from.0, from.1);
        self.context.line_to(to.0, to.1);
        self.context.stroke();
    }

    pub(super) fn text(&self, text: &str, x: f64, y: f64) {
        let _ = self.context.fill_text(text, x, y);
    }

    pub(super) fn width_of(&self, text: &str) -> f64 {
        self.context.measure_text(text).map_or(0.0, |metrics| metrics.width())
    }

    /// The times above the lanes, and under them how long each folded stretch is.
    fn ruler(&self) {
        let place = self.scene.place;
        let axis = self.scene.axis;
        self.font(11, false);
        self.context.set_line_width(1.0);
        self.context.set_stroke_style_str(&self.colours.line);
        self.context.set_fill_style_str(&self.colours.muted);
        let mut free_from = place.gutter;
        axis.marks(place.width - place.gutter, |at_ns, x| {
            let x = (place.gutter + x).round() + 0.5;
            self.line((x, LENGTHS_TOP - 5.0), (x, RULER_PX));
            let label = format::moment(at_ns, axis.mark_ns());
            let ends = x + 4.0 + self.width_of(&label);
            if x >= free_from && ends <= place.width {
                self.text(&label, x + 4.0, TIMES_Y);
                free_from = ends + 12.0;
            }
        });
        self.font(10, false);
        for piece in axis.pieces().iter().filter(|piece| piece.folded) {
            let (from, to) = (place.gutter + piece.from_px, place.gutter + piece.to_px);
            if to < place.gutter || from > place.width {
                continue;
            }
            self.context.set_fill_style_str(&css(mix(self.colours.ground, self.colours.grid, FOLDED_SHARE)));
            self.context.fill_rect(from, LENGTHS_TOP, to - from, RULER_PX - LENGTHS_TOP);
            self.context.set_fill_style_str(&self.colours.muted);
            // Nothing happened there, as far as it is known: how long that was means nothing where it is not.
            let is_known = piece.from_ns >= self.scene.trace.known_from_ns() as f64;
            let label = if is_known { short(piece.to_ns - piece.from_ns) } else { "gone".to_owned() };
            let width = self.width_of(&label);
            let x = (from + to - width) / 2.0;
            // At the edge half a number would be another number.
            if x >= place.gutter && x + width <= place.width {
                self.text(&label, x, LENGTHS_Y);
            }
        }
    }

    /// Where events are missing: hatched, those close together as one. What states are drawn there is not known, and faded.
    fn gaps(&self) {
        let place = self.scene.place;
        self.context.set_stroke_style_str(&self.colours.missing);
        self.font(10, false);
        let mut strips: Vec<(f64, f64, u64)> = Vec::new();
        for gap in self.scene.trace.gaps() {
            let x = self.x(gap.at_ns);
            match strips.last_mut() {
                Some((_, to, lost)) if x - *to < GAP_PX => (*to, *lost) = (x.max(*to), *lost + gap.lost),
                _ => strips.push((x, x, gap.lost)),
            }
        }
        let bottom = self.bottom();
        let mut free_from = 0.0;
        for (from, to, lost) in strips {
            let (from, to) = (from - GAP_PX / 2.0, to + GAP_PX / 2.0);
            if to < place.gutter || from > place.width {
                continue;
            }
            self.context.set_fill_style_str(&css(self.colours.lane));
            self.context.set_global_alpha(0.7);
            self.context.fill_rect(from, RULER_PX, to - from, bottom - RULER_PX);
            self.context.set_global_alpha(1.0);
            self.hatch(from.max(place.gutter), to.min(place.width), bottom);
            self.context.set_fill_style_str(&self.colours.missing);
            let label = format!("{} dropped", format::count(lost));
            let x = from.max(place.gutter + 4.0);
            if x >= free_from {
                self.text(&label, x, (bottom + 9.0).min(place.height - 8.0));
                free_from = x + self.width_of(&label) + 8.0;
            }
        }
    }

    /// Slanted lines from the ruler to `bottom`, as one path.
    fn hatch(&self, from: f64, to: f64, bottom: f64) {
        let width = to - from;
        self.context.begin_path();
        let mut y = RULER_PX;
        while y < bottom + width {
            let over = (y - bottom).max(0.0);
            self.context.move_to(from + over, y - over);
            self.context.line_to(to, y - width);
            y += HATCH_PX;
        }
        self.context.stroke();
    }

    /// The stretch that a selected command took, with its stages along the bottom of its task's lane.
    fn selection(&self) {
        let Some(Selected::Command(id)) = self.scene.selected else { return };
        let place = self.scene.place;
        let Some(path) = self.scene.trace.path(id) else { return };
        let Some((first, last)) = path.segments.first().zip(path.segments.last()) else { return };
        let (from, to) = (self.x(first.from_ns), self.x(last.to_ns));
        self.context.set_fill_style_str(&self.colours.accent);
        self.context.set_global_alpha(0.12);
        self.context.fill_rect(from, RULER_PX, (to - from).max(1.0), self.bottom() - RULER_PX);
        self.context.set_global_alpha(1.0);
        self.context.set_stroke_style_str(&self.colours.accent);
        for x in [from, to] {
            self.line((x, RULER_PX), (x, self.bottom()));
        }
        let task = self.scene.trace.command(id).and_then(|command| command.task);
        let lane = task.and_then(|task| self.lane_of(task, first.to_ns));
        let Some(lane) = lane else { return };
        let below = place.top(lane) + place.lane - 5.0;
        for segment in &path.segments {
            let (from, to) = (self.x(segment.from_ns), self.x(segment.to_ns));
            let colour = match names::stage_colour(segment.stage) {
                "scheduled" => self.colours.scheduled,
                "lock" => self.colours.lock,
                "sleep" => self.colours.sleep,
                "message" => self.colours.message,
                _ => self.colours.running,
            };
            self.context.set_fill_style_str(&css(colour));
            // A hair between two stretches tells them apart.
            self.context.fill_rect(from + 0.5, below, (to - from - 1.0).max(1.0), 4.0);
        }
    }

    /// Wakes, messages, the selected poll.
    fn bars(&self) {
        let all = self.scene.polls <= ARROWS_MAX;
        self.each_poll(&|index, top, id, poll| {
            let chosen = matches!(self.scene.selected, Some(Selected::Poll(selected) | Selected::Wake(selected)) if selected == id);
            if all || chosen {
                self.wake(poll, index, chosen);
            }
            if chosen {
                self.outline(poll, top);
            }
        });
        if all {
            self.messages();
        }
    }

    /// Labels on bars that have room; after what the playhead dims, to be read there, too.
    fn labels(&self) {
        if self.scene.polls <= ARROWS_MAX {
            self.font(11, false);
            self.each_poll(&|_, top, id, poll| self.label(id, poll, top));
        }
    }

    /// Calls `draw` with each poll in the picture: the number and the upper edge of its lane, and the poll.
    fn each_poll(&self, draw: &dyn Fn(usize, f64, PollId, &Poll)) {
        for (index, &whose) in self.scene.shown.iter().enumerate() {
            let top = self.scene.place.top(index);
            if top + self.scene.place.lane < RULER_PX || top > self.scene.place.height {
                continue;
            }
            for (id, poll) in self.visible(whose) {
                draw(index, top, id, poll);
            }
        }
    }

    /// The polls of a lane that are in the picture: none if they are too many to be told apart.
    fn visible(&self, whose: Whose) -> impl Iterator<Item = (PollId, &Poll)> {
        let trace = self.scene.trace;
        let lane = whose.polls(trace);
        let time_px = self.scene.place.width - self.scene.place.gutter;
        let first = trace.first_ending_after(lane, self.scene.axis.at_ns(0.0).max(0.0) as u64);
        let to_ns = self.scene.axis.at_ns(time_px).max(0.0) as u64;
        // With many polls in the picture, only the one that is selected matters: it is looked at directly.
        let selected = match self.scene.selected {
            Some(Selected::Poll(id) | Selected::Wake(id)) => Some(id),
            _ => None,
        };
        let many = self.scene.polls > ARROWS_MAX;
        let alone = selected.filter(|id| many && lane.binary_search(id).is_ok());
        let rest = if many { lane.range(lane.len()..) } else { lane.range(first..) };
        let each = alone.into_iter().chain(rest.copied());
        each.filter_map(|id| Some((id, trace.poll(id)?))).take_while(move |(_, poll)| poll.start_ns <= to_ns)
    }

    fn ends(&self, poll: &Poll) -> (f64, f64) {
        (self.x(poll.start_ns), self.x(poll.end_or(self.scene.trace.now_ns())))
    }

    fn label(&self, id: PollId, poll: &Poll, top: f64) {
        let (start, end) = self.ends(poll);
        let start = start.max(self.scene.place.gutter);
        // Where the run stands: dimmed from there on. A label keeps to one side.
        let stands = self.scene.playhead.filter(|playhead| playhead.dims);
        let stands = stands.map_or(f64::INFINITY, |playhead| self.x(playhead.at_ns));
        let dimmed = start >= stands - 0.5;
        let end = if dimmed { end } else { end.min(stands) };
        let room = end - start - 8.0;
        if room < 30.0 {
            return;
        }
        let took =
            format::duration(poll.end_or(self.scene.trace.now_ns()).saturating_sub(poll.start_ns) as f64);
        let commands = self.commands(id);
        // The longest that has room.
        let says = match (self.scene.lanes, commands) {
            (Lanes::Workers, commands) => {
                let task = self.scene.trace.task_name(poll.task);
                let first = commands.map_or_else(|| task.clone(), |commands| format!("{task}: {commands}"));
                [format!("{first} · {took}"), first, called(&task).to_owned()]
            }
            (Lanes::Tasks, commands) => {
                let name = commands.unwrap_or_else(|| names::worker(self.scene.trace, poll.worker));
                [format!("{name} · {took}"), name, String::new()]
            }
        };
        let middle = top + self.scene.place.lane / 2.0;
        let colour = if dimmed { &self.colours.text } else { &self.colours.on_running };
        self.context.set_fill_style_str(colour);
        if let Some(says) = says.iter().find(|says| self.width_of(says) <= room) {
            self.text(says, start + 4.0, middle);
        }
    }

    /// The commands that start in a poll: the first by name, the rest as a number.
    fn commands(&self, id: PollId) -> Option<String> {
        let mut started = self.scene.trace.details(id).filter_map(|stamped| match stamped.event {
            Event::CommandStart { command, .. } => Some(command),
            _ => None,
        });
        let first = self.scene.trace.label(started.next()?).to_ascii_uppercase();
        Some(match started.count() {
            0 => first,
            more => format!("{first} +{more}"),
        })
    }

    fn outline(&self, poll: &Poll, top: f64) {
        let (start, end) = self.ends(poll);
        let height = self.scene.place.lane - 3.0;
        self.context.set_stroke_style_str(&self.colours.accent);
        self.context.set_line_width(2.0);
        self.context.stroke_rect(start - 2.0, top + 1.0, (end - start).max(1.0) + 4.0, height);
        self.context.set_line_width(1.0);
    }

    /// The wake that led to a poll: from whoever woke, if they are in the picture, to the beginning of the poll.
    fn wake(&self, poll: &Poll, index: usize, chosen: bool) {
        let Some(wake) = poll.wake else { return };
        let place = self.scene.place;
        let by_task = match wake.by {
            WakeBy::Task(task) | WakeBy::Finished(task) if task != poll.task => {
                self.lane_of(task, wake.at_ns)
            }
            _ => None,
        };
        let middle = |index: usize| place.top(index) + place.lane / 2.0;
        let (woken, start) = (self.x(wake.at_ns), self.x(poll.start_ns));
        self.context.set_stroke_style_str(if chosen { &self.colours.accent } else { &self.colours.wake });
        self.context.set_fill_style_str(if chosen { &self.colours.accent } else { &self.colours.wake });
        self.context.set_line_width(if chosen { 2.0 } else { 1.0 });
        // In a worker's lane the time between may lie beneath the poll of another task, so the arrow goes on to the poll.
        let end = match self.scene.lanes {
            Lanes::Tasks => (woken, middle(index)),
            Lanes::Workers => (start, middle(index)),
        };
        match by_task {
            Some(from) if from != index => {
                let down = index > from;
                let edge =
                    if down { end.1 - bar_half_px(place.lane) } else { end.1 + bar_half_px(place.lane) };
                self.line((woken, middle(from)), (end.0, edge));
                self.arrow_head((end.0, edge), (woken, middle(from)));
            }
            Some(_) => {}
            // The driver and the outside have no lane: a small mark above.
            None if wake.by == WakeBy::Task(poll.task) => {}
            None => {
                let tip = end.1 - bar_half_px(place.lane);
                self.context.begin_path();
                self.context.move_to(end.0, tip);
                self.context.line_to(end.0 - 3.0, tip - 5.0);
                self.context.line_to(end.0 + 3.0, tip - 5.0);
                self.context.close_path();
                self.context.fill();
            }
        }
        self.context.set_line_width(1.0);
    }

    fn arrow_head(&self, tip: (f64, f64), from: (f64, f64)) {
        let (dx, dy) = (tip.0 - from.0, tip.1 - from.1);
        let length = (dx * dx + dy * dy).sqrt().max(1e-9);
        // Its sides, 5.4 pixels back and 2.6 aside: without the sine of anything, whose code would be sent to every visitor.
        let (back, aside) = (5.4 / length, 2.6 / length);
        self.context.begin_path();
        self.context.move_to(tip.0, tip.1);
        for aside in [-aside, aside] {
            self.context.line_to(tip.0 - back * dx + aside * dy, tip.1 - back * dy - aside * dx);
        }
        self.context.close_path();
        self.context.fill();
    }

    /// The lane in which a task was at a moment.
    fn lane_of(&self, task: TaskId, at_ns: u64) -> Option<usize> {
        let wanted = match self.scene.lanes {
            Lanes::Tasks => Whose::Task(task),
            Lanes::Workers => {
                let lane = self.scene.trace.polls_of_task(task);
                let place = self.scene.trace.first_ending_after(lane, at_ns);
                // A joiner is woken just after the last poll of the task it waited for.
                let poll = lane.get(place).or(lane.back()).and_then(|&id| self.scene.trace.poll(id))?;
                Whose::Worker(poll.worker)
            }
        };
        self.scene.shown.iter().position(|whose| *whose == wanted)
    }

    /// Messages from the poll that sent to the poll that received.
    fn messages(&self) {
        let place = self.scene.place;
        let axis = self.scene.axis;
        let range = axis.at_ns(0.0).max(0.0) as u64..axis.at_ns(place.width - place.gutter).max(0.0) as u64;
        let dashes = js_sys::Array::of2(&3.into(), &3.into());
        let _ = self.context.set_line_dash(&dashes);
        self.context.set_stroke_style_str(&css(self.colours.message));
        self.context.set_fill_style_str(&css(self.colours.message));
        for message in self.scene.trace.messages_in(range).take(ARROWS_MAX) {
            let Some((received_ns, Some(received_in))) = message.received else { continue };
            let lane = |poll: Option<PollId>| {
                let poll = self.scene.trace.poll(poll?)?;
                self.lane_of(poll.task, poll.start_ns)
            };
            let (Some(from), Some(to)) = (lane(message.sent_in), lane(Some(received_in))) else { continue };
            if from == to {
                continue;
            }
            let middle = |index: usize| place.top(index) + place.lane / 2.0;
            let ends = ((self.x(message.sent_ns), middle(from)), (self.x(received_ns), middle(to)));
            self.line(ends.0, ends.1);
            self.arrow_head(ends.1, ends.0);
        }
        let _ = self.context.set_line_dash(&js_sys::Array::new());
    }

    /// A name that fits: of `client 7 (console-1)` what the client calls itself, if need be, and as much as there is room for.
    fn fitting(&self, name: String, room: f64) -> String {
        if self.width_of(&name) <= room {
            return name;
        }
        let called = called(&name);
        let fits = |name: &str| self.width_of(name) <= room;
        if fits(called) {
            return called.to_owned();
        }
        let shortened = called.char_indices().rev().map(|(end, _)| format!("{}\u{2026}", &called[..end]));
        shortened.into_iter().find(|name| fits(name)).unwrap_or_default()
    }

    /// The lanes' names, on the left.
    fn names(&self) {
        let place = self.scene.place;
        self.context.begin_path();
        self.context.rect(0.0, RULER_PX, place.gutter - 6.0, place.height - RULER_PX);
        self.context.clip();
        let chosen = self.scene.chosen;
        for (index, &whose) in self.scene.shown.iter().enumerate() {
            let top = place.top(index);
            if top + place.lane < RULER_PX || top > place.height {
                continue;
            }
            let is_chosen = chosen.is_some_and(|task| whose == Whose::Task(task));
            let ended = match whose {
                Whose::Task(task) => self.scene.trace.task(task).is_some_and(|task| task.ended.is_some()),
                Whose::Worker(_) | Whose::Part(_) => false,
                Whose::Ended { .. } => true,
            };
            self.font(12, is_chosen || matches!(whose, Whose::Part(_)));
            self.context.set_fill_style_str(if ended { &self.colours.muted } else { &self.colours.text });
            let name = match whose {
                Whose::Ended { open: true, .. } => format!("▾ {}", whose.name(self.scene.trace)),
                Whose::Ended { open: false, .. } => format!("▸ {}", whose.name(self.scene.trace)),
                _ => self.fitting(whose.name(self.scene.trace), place.gutter - 18.0),
            };
            self.text(&name, 10.0, top + place.lane / 2.0);
        }
        self.more();
    }

    /// How many lanes lie below the picture.
    fn more(&self) {
        let place = self.scene.place;
        let seen = place.index(place.height - place.lane / 2.0).map_or(0, |last| last + 1);
        let below = self.scene.shown.len().saturating_sub(seen);
        if below == 0 {
            return;
        }
        self.context.set_fill_style_str(&css(self.colours.ground));
        self.context.fill_rect(0.0, place.height - 20.0, place.gutter - 6.0, 20.0);
        self.font(11, false);
        self.context.set_fill_style_str(&self.colours.accent);
        let (all, short) = (format!("\u{25be} {below} more: drag up"), format!("\u{25be} {below} more"));
        let fits = self.width_of(&all) <= place.gutter - 18.0;
        self.text(if fits { &all } else { &short }, 10.0, place.height - 10.0);
    }
}

/// What a client calls itself, of `client 7 (console-1)`; else the whole name.
fn called(name: &str) -> &str {
    name.split_once(" (").map_or(name, |(_, called)| called.trim_end_matches(')'))
}

/// A length of time for a narrow place: `1.2 s`, `340 ms`.
fn short(ns: f64) -> String {
    match ns {
        ns if ns >= 99.5e9 => format!("{:.0} min", ns / 60e9),
        ns if ns >= 9.95e9 => format!("{:.0} s", ns / 1e9),
        ns if ns >= 0.9995e9 => format!("{:.1} s", ns / 1e9),
        ns if ns >= 0.9995e6 => format!("{:.0} ms", ns / 1e6),
        ns => format!("{:.0} µs", ns / 1e3),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folded_time_has_a_short_label() {
        for (ns, expected) in
            [(150e3, "150 µs"), (340.2e6, "340 ms"), (1.234e9, "1.2 s"), (42.4e9, "42 s"), (120e9, "2 min")]
        {
            assert_eq!(short(ns), expected);
        }
    }
}
