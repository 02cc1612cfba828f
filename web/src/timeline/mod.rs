//! The timeline: what tasks did, as a picture one can move in. Owns which stretch of time and which lanes are seen, and
//! when the picture is drawn anew; knows no server and no console.

mod axis;
mod bars;
mod colours;
mod ground;
mod hit;
mod lanes;
mod marks;
mod paint;
mod run_marks;
mod scene;
mod view;

use interleave::scope::event::TaskId;
use interleave::scope::trace::{PollId, Trace};
use leptos::prelude::*;
use wasm_bindgen::JsCast;
use web_sys::{CanvasRenderingContext2d, HtmlCanvasElement};

use self::axis::{Axis, Layout};
use self::bars::{Column, Rows};
use self::colours::Colours;
use self::hit::Hit;
pub(crate) use self::lanes::Lanes;
use self::lanes::{EndedLanes, Whose};
use self::scene::{Place, Scene};
pub(crate) use self::view::TimelineView;
use crate::page::{Page, Selected};
use crate::saved::Saved;
use crate::source::Kind;

/// Time that is shown at least when all is: a run that has hardly begun goes on within it.
const FIT_MIN_NS: u64 = 20_000;

/// Height of the ruler above the lanes, in CSS pixels: a row for times, and one for the lengths of folded stretches.
const RULER_PX: f64 = 34.0;

/// Room right of now while following, in CSS pixels.
const AHEAD_PX: f64 = 16.0;

/// Room left of the beginning of a run that is seen whole, in CSS pixels.
const START_PX: f64 = 8.0;

/// Nanoseconds a pixel at first: a command's way is some tens of microseconds long.
const SCALE_FIRST: f64 = 400.0;

/// Nanoseconds a pixel, at the closest and from the furthest: ten a nanosecond, and a day on a screen.
const SCALES: std::ops::RangeInclusive<f64> = 0.1..=6e10;

/// Device pixels a CSS pixel at most: sharper costs time and shows no more.
const DENSITY_MAX: f64 = 2.0;

/// The timeline. A handle: copies are the same timeline.
#[derive(Clone, Copy)]
pub(crate) struct Timeline {
    pub(crate) lanes: RwSignal<Lanes>,
    /// Whether quiet time is folded.
    pub(crate) folds: RwSignal<bool>,
    /// The scale before all that is held was shown, if quiet time is not folded for that alone.
    unfolded_from: RwSignal<Option<f64>>,
    /// Whether the lanes of ended tasks are shown, once a person has said so.
    pub(crate) ended_open: RwSignal<Option<bool>>,
    /// Whether the picture goes along with what happens now.
    pub(crate) following: RwSignal<bool>,
    /// Nanoseconds a CSS pixel.
    pub(crate) scale: RwSignal<f64>,
    /// The scale that each place was left at.
    scales: StoredValue<Vec<(Kind, f64)>>,
    pub(crate) hovered: RwSignal<Option<(Hit, f64, f64)>>,
    inner: StoredValue<Inner, LocalStorage>,
}

struct Inner {
    canvas: Option<Canvas>,
    colours: Option<Colours>,
    axis: Axis,
    /// This moment stands at this pixel, unless the picture follows.
    anchor: (f64, f64),
    /// The moment that a person went to.
    mark_ns: Option<f64>,
    /// How far the lanes are scrolled, in CSS pixels.
    scroll_px: f64,
    /// From top to bottom, as last drawn.
    shown: Vec<Whose>,
    /// A lane's height, as last drawn, in CSS pixels.
    lane_px: f64,
    /// What is to be brought into the picture when it is drawn next: the page may be laid out anew until then.
    to_show: Option<Selected>,
    /// Whether all that is held is to be brought into the picture, once it is there.
    to_fit: bool,
    /// Polls in the picture, as last drawn.
    polls: usize,
    dirty: bool,
    pixels: Vec<u8>,
    /// A row in which nothing is.
    empty: Vec<u8>,
    columns: Vec<Column>,
    rows: Rows,
    /// Rows of what lies beneath the bars, in a lane and in that of the selected task.
    grounds: [Vec<u8>; 2],
}

/// Where is drawn.
struct Canvas {
    element: HtmlCanvasElement,
    context: CanvasRenderingContext2d,
    /// In CSS pixels.
    width: f64,
    height: f64,
    density: f64,
}

impl Timeline {
    /// A timeline as it was left.
    pub(crate) fn new(saved: &Saved) -> Self {
        let lanes = match saved.lanes.as_deref() {
            Some("workers") => Lanes::Workers,
            _ => Lanes::Tasks,
        };
        let scale = saved.ns_per_px.filter(|scale| SCALES.contains(scale)).unwrap_or(SCALE_FIRST);
        Self {
            lanes: RwSignal::new(lanes),
            folds: RwSignal::new(!saved.idle_in_full),
            unfolded_from: RwSignal::new(None),
            ended_open: RwSignal::new(saved.ended_open),
            following: RwSignal::new(true),
            scale: RwSignal::new(scale),
            scales: StoredValue::new(Vec::new()),
            hovered: RwSignal::new(None),
            inner: StoredValue::new_local(Inner {
                canvas: None,
                colours: None,
                axis: Axis::default(),
                anchor: (0.0, 0.0),
                mark_ns: None,
                scroll_px: 0.0,
                shown: Vec::new(),
                lane_px: 24.0,
                to_show: None,
                to_fit: false,
                polls: 0,
                dirty: true,
                pixels: Vec::new(),
                empty: Vec::new(),
                columns: Vec::new(),
                rows: Rows::default(),
                grounds: Default::default(),
            }),
        }
    }

    /// Begins anew with another trace.
    pub(crate) fn forget_trace(self) {
        self.follow();
        self.hovered.set(None);
        self.change(|inner| inner.scroll_px = 0.0);
    }

    /// The theme or the system's colours are others now.
    pub(crate) fn colours_changed(self) {
        self.change(|inner| inner.colours = None);
    }

    /// Draws on `element` from now on.
    fn attach(self, element: HtmlCanvasElement) {
        // All of it is painted: a picture without transparency is put onto the page as it is.
        let opaque = js_sys::Object::new();
        let _ = js_sys::Reflect::set(&opaque, &"alpha".into(), &false.into());
        let context = element.get_context_with_context_options("2d", &opaque).ok().flatten();
        let Some(context) = context.and_then(|context| context.dyn_into().ok()) else { return };
        self.change(|inner| {
            inner.canvas = Some(Canvas { element, context, width: 0.0, height: 0.0, density: 1.0 });
        });
    }

    /// The picture must be drawn anew, for what `f` did.
    fn change(self, f: impl FnOnce(&mut Inner)) {
        self.inner.update_value(|inner| {
            f(inner);
            inner.dirty = true;
        });
    }

    /// What has changed outside is to be seen: the selection, the lanes, the size.
    pub(crate) fn redraw(self) {
        self.change(|_| {});
    }

    /// Keeps the scale for where the server was, and takes that of where it is now: a run of microseconds and a server of hours
    /// are not looked at through the same glass.
    pub(crate) fn keep_scale(self, before: Kind, now: Kind) {
        let scale = self.scale.get_untracked();
        let kept = self.scales.try_update_value(|scales| {
            scales.retain(|(kind, _)| *kind != before);
            scales.push((before, scale));
            scales.iter().find(|(kind, _)| *kind == now).map_or(SCALE_FIRST, |(_, scale)| *scale)
        });
        self.scale.set(kept.unwrap_or(SCALE_FIRST));
    }

    /// Moves so that `at_ns` stands at `x` CSS pixels from where time begins, and stays there.
    fn hold(self, at_ns: f64, x: f64) {
        self.following.set(false);
        self.change(|inner| inner.anchor = (at_ns, x));
    }

    /// Zooms by `factor` (above 1: closer) around `x`, or around what is followed.
    pub(crate) fn zoom(self, factor: f64, x: Option<f64>) {
        let (at_ns, middle) = self.inner.with_value(|inner| {
            let middle =
                inner.canvas.as_ref().map_or(0.0, |canvas| (canvas.width - gutter(canvas.width)) / 2.0);
            (inner.axis.at_ns(x.unwrap_or(middle)), middle)
        });
        let scale = (self.scale.get_untracked() / factor).clamp(*SCALES.start(), *SCALES.end());
        self.scale.set(scale);
        if !self.following.get_untracked() {
            self.hold(at_ns, x.unwrap_or(middle));
        }
        self.redraw();
    }

    /// Moves by CSS pixels: to later times, and down.
    pub(crate) fn pan(self, right_px: f64, down_px: f64) {
        if right_px != 0.0 && self.following.get_untracked() {
            self.stay();
        }
        self.change(|inner| {
            // From where it shall stand, which may be drawn only in the next frame: every step counts.
            inner.anchor.1 -= right_px;
            inner.scroll_px = (inner.scroll_px + down_px).max(0.0);
        });
    }

    /// Goes along with what happens now, as the picture was before all that is held was shown.
    pub(crate) fn follow(self) {
        if let Some(scale) = self.unfolded_from.get_untracked() {
            self.unfolded_from.set(None);
            self.folds.set(true);
            self.scale.set(scale);
        }
        self.following.set(true);
    }

    /// Folds quiet time, or draws it in full: because a person wants it so.
    pub(crate) fn toggle_folds(self) {
        self.unfolded_from.set(None);
        self.folds.update(|folds| *folds = !*folds);
    }

    /// Whether a person wants quiet time in full.
    pub(crate) fn wants_idle_in_full(self) -> bool {
        !self.folds.get() && self.unfolded_from.get().is_none()
    }

    /// Goes to a moment, in nanoseconds of the recording.
    pub(crate) fn go_to(self, at_ns: f64) {
        let middle = self.width() / 2.0;
        self.hold(at_ns, middle);
    }

    /// Goes to a moment that a person asked for, and marks it until they go elsewhere.
    pub(crate) fn go_to_mark(self, at_ns: f64) {
        self.go_to(at_ns);
        self.change(|inner| inner.mark_ns = Some(at_ns));
    }

    /// Shows `from_ns..to_ns` with some room on both sides.
    pub(crate) fn fit(self, from_ns: f64, to_ns: f64) {
        let width = self.width().max(1.0);
        let scale = ((to_ns - from_ns).max(1.0) / (width * 0.6)).clamp(*SCALES.start(), *SCALES.end());
        self.scale.set(scale);
        self.hold(from_ns, width * 0.2);
    }

    /// Shows all that is held. Where the folded strips alone would not fit, time is drawn in full, until the picture follows again.
    pub(crate) fn fit_all(self, page: Page) {
        let width = self.width().max(1.0);
        page.trace.with_value(|trace| {
            let busy_ns: u64 = trace.busy_periods().iter().map(|period| period.end - period.start).sum();
            let folds_px = (trace.busy_periods().len() as f64 + 1.0) * axis::FOLD_PX;
            if self.folds.get_untracked() && folds_px < width * 0.7 {
                let scale = busy_ns.max(FIT_MIN_NS) as f64 / (width * 0.98 - folds_px);
                self.scale.set(scale.clamp(*SCALES.start(), *SCALES.end()));
                self.hold(trace.now_ns() as f64, width * 0.99);
            } else {
                if self.folds.get_untracked() {
                    self.unfolded_from.set(Some(self.scale.get_untracked()));
                    self.folds.set(false);
                }
                let (from_ns, to_ns) = (trace.start_ns() as f64, trace.now_ns() as f64);
                let scale = (to_ns - from_ns).max(FIT_MIN_NS as f64) / (width * 0.98);
                self.scale.set(scale.clamp(*SCALES.start(), *SCALES.end()));
                self.hold(to_ns, width * 0.99);
            }
        });
    }

    /// Shows all that is held, as soon as it is there.
    pub(crate) fn fit_soon(self) {
        self.change(|inner| inner.to_fit = true);
    }

    /// Moves, if need be, so that a moment is in the picture.
    pub(crate) fn keep_in_sight(self, at_ns: f64) {
        let (x, width) = (self.inner.with_value(|inner| inner.axis.x(at_ns)), self.width());
        let beyond = x > width && !self.following.get_untracked();
        if width > 0.0 && (x < 0.0 || beyond) {
            self.go_to(at_ns);
        }
        self.redraw();
    }

    /// Brings something into the picture when it is drawn next.
    pub(crate) fn show(self, selected: Selected) {
        self.change(|inner| (inner.to_show, inner.mark_ns) = (Some(selected), None));
    }

    /// Brings something into the picture: a poll or a command close enough to be read, a task's lane.
    fn bring(self, page: Page, selected: Selected) {
        page.trace.with_value(|trace| {
            let poll = |id: PollId| {
                let poll = trace.poll(id)?;
                let woken_ns = poll.wake.map_or(poll.start_ns, |wake| wake.at_ns.min(poll.start_ns));
                Some((woken_ns as f64, poll.end_or(trace.now_ns()) as f64, poll.task))
            };
            match selected {
                Selected::Poll(id) | Selected::Wake(id) => {
                    if let Some((from_ns, to_ns, task)) = poll(id) {
                        self.show_range(from_ns, to_ns);
                        self.show_lane(task);
                    }
                }
                Selected::Command(id) => {
                    let path = trace.path(id);
                    let ends = path.as_ref().and_then(|path| path.segments.first().zip(path.segments.last()));
                    // Its way may be known for longer than what was around it: the picture would be empty.
                    if let Some((first, last)) = ends.filter(|ends| ends.0.from_ns >= trace.known_from_ns()) {
                        self.fit(first.from_ns as f64, last.to_ns as f64);
                    }
                    if let Some(task) = trace.command(id).and_then(|command| command.task) {
                        self.show_lane(task);
                    }
                }
                Selected::Task(task) => {
                    self.show_life(trace, task);
                    self.show_lane(task);
                }
            }
        });
    }

    /// Leaves the picture as it is if the stretch can be seen and read in it.
    fn show_range(self, from_ns: f64, to_ns: f64) {
        let width = self.width();
        let (from, to) = self.inner.with_value(|inner| (inner.axis.x(from_ns), inner.axis.x(to_ns)));
        if from >= 0.0 && to <= width && to - from >= 6.0 {
            let at_ns = self.inner.with_value(|inner| inner.axis.at_ns(0.0));
            self.hold(at_ns, 0.0);
        } else {
            self.fit(from_ns, to_ns);
        }
    }

    /// Goes back to a task that ended before what is in the picture.
    fn show_life(self, trace: &Trace, task: TaskId) {
        let ended = trace.task(task).and_then(|task| task.ended).map(|(at_ns, _)| at_ns as f64);
        let from_ns = self.inner.with_value(|inner| inner.axis.at_ns(0.0));
        if let Some(at_ns) = ended.filter(|at_ns| *at_ns < from_ns) {
            self.go_to(at_ns);
        }
    }

    fn show_lane(self, task: TaskId) {
        self.change(|inner| {
            let lane = inner.lane_px;
            let Some(index) = inner.shown.iter().position(|whose| *whose == Whose::Task(task)) else {
                return;
            };
            let Some(canvas) = &inner.canvas else { return };
            let (top, room) = (index as f64 * lane, canvas.height - RULER_PX);
            if top < inner.scroll_px || top + lane > inner.scroll_px + room {
                inner.scroll_px = (top - room / 2.0).max(0.0);
            }
        });
    }

    /// Width of the part in which time runs, in CSS pixels.
    fn width(self) -> f64 {
        self.inner.with_value(|inner| {
            inner.canvas.as_ref().map_or(0.0, |canvas| (canvas.width - gutter(canvas.width)).max(0.0))
        })
    }

    /// What is at a place of the canvas, in CSS pixels.
    fn hit(self, page: Page, x: f64, y: f64) -> Option<Hit> {
        page.trace.with_value(|trace| {
            self.inner
                .with_value(|inner| self.scene(page, trace, inner).and_then(|scene| hit::hit(&scene, x, y)))
        })
    }

    fn scene<'a>(self, page: Page, trace: &'a Trace, inner: &'a Inner) -> Option<Scene<'a>> {
        let canvas = inner.canvas.as_ref()?;
        let lanes = self.lanes.get_untracked();
        let is_run = page.kind.get_untracked() == Kind::Machine;
        let place = Place {
            gutter: gutter(canvas.width),
            width: canvas.width,
            height: canvas.height,
            lane: inner.lane_px,
            scroll: inner.scroll_px,
        };
        Some(Scene {
            trace,
            axis: &inner.axis,
            shown: &inner.shown,
            place,
            lanes,
            scale: self.scale.get_untracked(),
            selected: page.selected.get_untracked(),
            chosen: chosen(page, trace),
            mark_ns: inner.mark_ns,
            playhead: page.machine.playhead().filter(|_| is_run),
            has_now: !(is_run && page.machine.shows_two()),
            look: page.machine.drawn().filter(|_| is_run),
            polls: inner.polls,
        })
    }

    /// Draws the picture if it changed: `moved` says that the trace has. Returns whether it did.
    pub(crate) fn draw(self, page: Page, moved: bool) -> bool {
        let fits = self.inner.try_update_value(Inner::fit_canvas).unwrap_or(false);
        if !fits {
            return false;
        }
        if let Some(selected) = self.inner.try_update_value(|inner| inner.to_show.take()).flatten() {
            self.bring(page, selected);
        }
        let fits_now =
            moved && self.inner.try_update_value(|inner| std::mem::take(&mut inner.to_fit)).unwrap_or(false);
        if fits_now {
            self.fit_all(page);
        }
        let following = self.following.get_untracked();
        let drawn = page.trace.with_value(|trace| {
            self.inner.try_update_value(|inner| {
                if !(inner.dirty || moved) {
                    return false;
                }
                inner.dirty = false;
                inner.lay_out(self, page, trace, following);
                inner.paint(page, trace);
                if let Some(scene) = self.scene(page, trace, inner)
                    && let (Some(canvas), Some(colours)) = (&inner.canvas, &inner.colours)
                {
                    marks::draw(&canvas.context, canvas.density, colours, &scene);
                }
                true
            })
        });
        drawn.unwrap_or(false)
    }

    /// What is seen, for `interleave.state()`.
    pub(crate) fn describe(self, trace: &Trace) -> serde_json::Value {
        let width = self.width();
        self.inner.with_value(|inner| {
            serde_json::json!({
                "lanes": self.lanes.get_untracked().name(),
                "shown": inner.shown.iter().map(|whose| whose.name(trace)).collect::<Vec<_>>(),
                "following": self.following.get_untracked(),
                "folds": self.folds.get_untracked(),
                "ns_per_px": self.scale.get_untracked(),
                "from_ns": inner.axis.at_ns(0.0),
                "to_ns": inner.axis.at_ns(width),
                "polls": inner.polls,
            })
        })
    }
}

impl Inner {
    /// Fits the canvas to its place on the page; false if there is none.
    fn fit_canvas(&mut self) -> bool {
        let Some(canvas) = &mut self.canvas else { return false };
        let place = canvas.element.get_bounding_client_rect();
        let density = window().device_pixel_ratio().clamp(1.0, DENSITY_MAX);
        let (width, height) = (place.width().floor(), place.height().floor());
        if (width, height, density) != (canvas.width, canvas.height, canvas.density) {
            (canvas.width, canvas.height, canvas.density) = (width, height, density);
            canvas.element.set_width((width * density) as u32);
            canvas.element.set_height((height * density) as u32);
            self.dirty = true;
        }
        width >= 1.0 && height >= 1.0
    }

    /// Finds the stretch of time and the lanes that are to be seen.
    fn lay_out(&mut self, timeline: Timeline, page: Page, trace: &Trace, following: bool) {
        let Some(canvas) = &self.canvas else { return };
        let width_px = (canvas.width - gutter(canvas.width)).max(1.0);
        let now_ns = trace.now_ns() as f64;
        if following {
            self.anchor = (now_ns, width_px - AHEAD_PX);
            self.mark_ns = None;
        }
        let (anchor_ns, anchor_px) = self.anchor;
        let (scale, folds) = (timeline.scale.get_untracked(), timeline.folds.get_untracked());
        let layout = Layout { scale, folds, anchor_ns, anchor_px, width_px, now_ns };
        self.axis = Axis::lay(layout, trace.busy_periods());
        let start_ns = trace.start_ns() as f64;
        // A run of the time machine is looked at as a whole: from its start, with all of its tasks.
        let is_run = page.kind.get_untracked() == Kind::Machine;
        if following && is_run && self.axis.x(start_ns) > 0.0 {
            // All of it has room, and stays where it is while it grows.
            let layout = Layout { anchor_ns: start_ns, anchor_px: START_PX, ..layout };
            self.axis = Axis::lay(layout, trace.busy_periods());
        }
        if !(0.0..=width_px).contains(&anchor_px) {
            // An axis is laid from its anchor on, so that must not stay far away.
            self.anchor = (self.axis.at_ns(0.0), 0.0);
        }
        let lanes = timeline.lanes.get_untracked();
        let ns = self.axis.at_ns(0.0)..self.axis.at_ns(width_px);
        let open = if is_run { Some(true) } else { timeline.ended_open.get_untracked() };
        self.shown = lanes::lanes(trace, lanes, &ns, EndedLanes { open, chosen: chosen(page, trace) });
        let room_px = canvas.height - RULER_PX;
        self.lane_px = lanes.height_px(self.shown.len(), room_px);
        let all_px = self.shown.len() as f64 * self.lane_px;
        self.scroll_px = self.scroll_px.min((all_px - room_px).max(0.0));
    }
}

/// The task that what is selected belongs to.
fn chosen(page: Page, trace: &Trace) -> Option<TaskId> {
    match page.selected.get_untracked()? {
        Selected::Task(task) => Some(task),
        Selected::Poll(poll) | Selected::Wake(poll) => trace.poll(poll).map(|poll| poll.task),
        Selected::Command(command) => trace.command(command).and_then(|command| command.task),
    }
}

/// Half the height of a bar in a lane.
fn bar_half_px(lane_px: f64) -> f64 {
    (lane_px * 0.36).min(16.0)
}

/// Width of the lanes' names.
fn gutter(width: f64) -> f64 {
    if width < 560.0 { 96.0 } else { 168.0 }
}
