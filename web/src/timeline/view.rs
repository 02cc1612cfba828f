//! The timeline's place on the page: its tools, its canvas, and what pointer, wheel and keys do there. Knows no picture.

use leptos::ev;
use leptos::html;
use leptos::prelude::*;

use super::lanes::Whose;
use super::{Lanes, Timeline};
use crate::format;
use crate::legend::Legend;
use crate::page::{Page, Selected};
use crate::source::Kind;

/// Zoom of one press of a key or button.
const STEP: f64 = 1.5;

/// How far a pointer may move and still click, in CSS pixels.
const CLICK_PX: f64 = 4.0;

/// Results of a search that are shown.
const FOUND_MAX: usize = 12;

/// The timeline with its tools and legend.
#[component]
pub(crate) fn TimelineView(page: Page) -> impl IntoView {
    let timeline = page.timeline;
    let canvas = NodeRef::<html::Canvas>::new();
    Effect::new(move |_| {
        if let Some(canvas) = canvas.get() {
            timeline.attach(canvas);
        }
    });
    // Whatever else the picture depends on.
    Effect::new(move |_| {
        page.selected.track();
        timeline.lanes.track();
        timeline.folds.track();
        timeline.ended_open.track();
        timeline.following.track();
        page.machine.at.track();
        page.machine.look.track();
        page.machine.compared.track();
        page.machine.is_beside.track();
        timeline.redraw();
    });
    window_event_listener(ev::resize, move |_| timeline.redraw());
    view! {
        <section id="timeline" aria-label="Timeline">
            <Tools page=page/>
            <div class="picture">
                <Picture page=page canvas=canvas/>
                <Hover timeline=timeline/>
            </div>
            <div class="below">
                <Legend page=page/>
                <Show when=move || !timeline.following.get()>
                    <button id="to-now" class="link" on:click=move |_| timeline.follow()>
                        {move || if page.kind.get() == Kind::Machine { "follow the run ▸" } else { "follow live ▸" }}
                    </button>
                </Show>
            </div>
        </section>
    }
}

#[component]
fn Tools(page: Page) -> impl IntoView {
    let timeline = page.timeline;
    let lane_button = move |lanes: Lanes, id: &'static str, label: &'static str, tip: &'static str| {
        view! {
            <button
                id=id
                aria-pressed=move || (timeline.lanes.get() == lanes).to_string()
                data-tip=tip
                on:click=move |_| timeline.lanes.set(lanes)
            >
                {label}
            </button>
        }
    };
    view! {
        <div class="tools" role="toolbar" aria-label="Timeline">
            <div class="segmented" role="group" aria-label="Lanes">
                {lane_button(Lanes::Tasks, "lanes-tasks", "by task", "A lane for each task: how they take turns (concurrency).")}
                {lane_button(Lanes::Workers, "lanes-workers", "by worker", "A lane for each worker: what is polled at the same time (parallelism).")}
            </div>
            {toggle("follow", "follow", "Go along with what happens now, or hold the picture. ( F )",
                move || timeline.following.get(), move || toggle_following(timeline))}
            {toggle("fold", "fold idle", "Fold the time in which nothing happened into a narrow strip, or draw all time at one scale.",
                move || timeline.folds.get(), move || timeline.toggle_folds())}
            <div class="segmented" role="group" aria-label="Zoom">
                <button id="zoom-out" aria-label="Zoom out" data-tip="Zoom out ( − )" on:click=move |_| timeline.zoom(1.0 / STEP, None)>"−"</button>
                <button id="zoom-in" aria-label="Zoom in" data-tip="Zoom in ( + )" on:click=move |_| timeline.zoom(STEP, None)>"+"</button>
                <button id="fit" data-tip="Show all that is held." on:click=move |_| timeline.fit_all(page)>"all"</button>
            </div>
            <span class="fact scale" data-tip="The time that a hundred pixels stand for." tabindex="0">
                {move || format::duration(timeline.scale.get() * 100.0)} " / 100 px"
            </span>
            <span class="spring"></span>
            <Search page=page/>
            <GoTo page=page/>
        </div>
    }
}

/// A button that is on or off.
fn toggle(
    id: &'static str,
    label: &'static str,
    tip: &'static str,
    is_on: impl Fn() -> bool + Send + 'static,
    change: impl Fn() + 'static,
) -> impl IntoView {
    view! {
        <button
            id=id
            class="plain toggle"
            aria-pressed=move || is_on().to_string()
            data-tip=tip
            on:click=move |_| change()
        >
            {label}
        </button>
    }
}

/// Finds a task by its name.
#[component]
fn Search(page: Page) -> impl IntoView {
    let text = RwSignal::new(String::new());
    let found = Memo::new(move |_| {
        page.changed.track();
        let text = text.get();
        if text.trim().is_empty() {
            return None;
        }
        Some(page.trace.with_value(|trace| {
            let ids = trace.search(text.trim());
            let names = ids.iter().take(FOUND_MAX).map(|&id| (id, trace.task_name(id))).collect::<Vec<_>>();
            (names, ids.len())
        }))
    });
    let select = move |id| {
        text.set(String::new());
        page.timeline.lanes.set(Lanes::Tasks);
        page.select(Some(Selected::Task(id)));
    };
    view! {
        <div class="search">
            <input
                id="search"
                type="search"
                placeholder="find a task"
                aria-label="Find a task by its name"
                autocomplete="off"
                prop:value=text
                on:input=move |event| text.set(event_target_value(&event))
                on:keydown=move |event| match event.key().as_str() {
                    "Enter" => {
                        let first = found.with_untracked(|found| found.as_ref().and_then(|(names, _)| names.first().map(|(id, _)| *id)));
                        if let Some(id) = first {
                            select(id);
                        }
                    }
                    "Escape" => text.set(String::new()),
                    _ => {}
                }
            />
            <Show when=move || found.with(Option::is_some)>
                <div class="found" role="listbox" aria-label="Tasks found">
                    {move || found.get().map(|(names, all)| {
                        let more = all.saturating_sub(names.len());
                        let none = names.is_empty().then(|| view! { <p>"No task has that in its name."</p> });
                        let more = (more > 0).then(|| view! { <p>{format!("and {more} more")}</p> });
                        let names = names.into_iter().map(|(id, name)| view! {
                            <button role="option" on:click=move |_| select(id)>{name}</button>
                        }).collect_view();
                        view! { {names} {none} {more} }
                    })}
                </div>
            </Show>
        </div>
    }
}

/// Goes to a moment that is typed.
#[component]
fn GoTo(page: Page) -> impl IntoView {
    let wrong = RwSignal::new(None::<String>);
    let go = move |text: &str| {
        let end_ns = page.trace.with_value(|trace| trace.now_ns()) as f64;
        let at_ns = format::parse_moment(text);
        wrong.set(match at_ns {
            None => Some("Expected a time, such as 1.25 s, 340 ms or 12 µs.".to_owned()),
            Some(at_ns) if at_ns > end_ns => {
                Some(format!("The recording ends at {}, which is shown.", format::moment(end_ns, 1e6)))
            }
            Some(_) => None,
        });
        if let Some(at_ns) = at_ns {
            page.timeline.go_to_mark(at_ns.min(end_ns));
        }
    };
    view! {
        <div class="search">
            <input
                id="goto"
                type="text"
                placeholder="go to, e.g. 1.25 s"
                aria-label="Go to a time of the recording"
                data-tip="A time since the recording began: 1.25 s, 340 ms, 12 µs. Enter goes there."
                aria-invalid=move || wrong.with(Option::is_some).to_string()
                autocomplete="off"
                on:input=move |_| wrong.set(None)
                on:blur=move |_| wrong.set(None)
                on:keydown=move |event| {
                    if event.key() == "Enter" {
                        go(&event_target_value(&event));
                    }
                }
            />
            <Show when=move || wrong.with(Option::is_some)>
                <div class="found" role="alert"><p>{move || wrong.get()}</p></div>
            </Show>
        </div>
    }
}

fn toggle_following(timeline: Timeline) {
    if timeline.following.get_untracked() {
        timeline.stay();
    } else {
        timeline.follow();
    }
}

impl Timeline {
    /// Holds the picture where it is.
    pub(crate) fn stay(self) {
        let at_ns = self.inner.with_value(|inner| inner.axis.at_ns(0.0));
        self.hold(at_ns, 0.0);
    }
}

/// Pointers on the canvas: one drags, two pinch.
#[derive(Default)]
struct Pointers {
    down: Vec<(i32, f64, f64)>,
    moved_px: f64,
}

#[component]
fn Picture(page: Page, canvas: NodeRef<html::Canvas>) -> impl IntoView {
    let timeline = page.timeline;
    let pointers = StoredValue::new(Pointers::default());
    let place = move |event: &web_sys::MouseEvent| (f64::from(event.offset_x()), f64::from(event.offset_y()));
    let time_x = move |x: f64| {
        let width = canvas.get_untracked().map_or(0.0, |canvas| canvas.get_bounding_client_rect().width());
        (x - super::gutter(width)).max(0.0)
    };
    // The ruler is where the time machine's playhead is dragged along.
    let seeks = StoredValue::new(false);
    let seek = move |x: f64| {
        let at_ns = timeline.inner.with_value(|inner| inner.axis.at_ns(time_x(x)));
        page.machine.seek_time(at_ns);
    };
    let wheel = move |event: ev::WheelEvent| {
        event.prevent_default();
        let (x, _) = place(&event);
        let (dx, dy) = (event.delta_x(), event.delta_y());
        // Lines and pages, as some browsers count, are made pixels.
        let unit = [1.0, 16.0, 400.0][(event.delta_mode() as usize).min(2)];
        let on_names =
            x < super::gutter(canvas.get_untracked().map_or(0.0, |c| c.get_bounding_client_rect().width()));
        if event.shift_key() || dx.abs() > dy.abs() {
            timeline.pan((if dx == 0.0 { dy } else { dx }) * unit, 0.0);
        } else if on_names {
            timeline.pan(0.0, dy * unit);
        } else {
            timeline.zoom(js_sys::Math::exp(-dy * unit * 0.0025), Some(time_x(x)));
        }
    };
    let down = move |event: ev::PointerEvent| {
        if event.button() != 0 {
            return;
        }
        let (x, y) = place(&event);
        if let Some(canvas) = canvas.get_untracked() {
            let _ = canvas.set_pointer_capture(event.pointer_id());
        }
        if y < super::RULER_PX && page.kind.get_untracked() == Kind::Machine && !page.machine.shows_two() {
            seeks.set_value(true);
            seek(x);
            return;
        }
        pointers.update_value(|pointers| {
            if pointers.down.is_empty() {
                pointers.moved_px = 0.0;
            }
            pointers.down.push((event.pointer_id(), x, y));
        });
        timeline.hovered.set(None);
    };
    let moved = move |event: ev::PointerEvent| {
        let (x, y) = place(&event);
        if seeks.get_value() {
            seek(x);
            return;
        }
        let held = pointers.with_value(|pointers| pointers.down.clone());
        let Some(index) = held.iter().position(|(id, ..)| *id == event.pointer_id()) else {
            timeline.hovered.set(timeline.hit(page, x, y).map(|hit| (hit, x, y)));
            return;
        };
        let (_, old_x, old_y) = held[index];
        if let Some((_, other_x, _)) = held.iter().find(|(id, ..)| *id != event.pointer_id()) {
            let (before, after) = ((old_x - other_x).abs().max(8.0), (x - other_x).abs().max(8.0));
            timeline.zoom(after / before, Some(time_x((x + other_x) / 2.0)));
        }
        pointers.update_value(|pointers| {
            pointers.moved_px += (x - old_x).abs() + (y - old_y).abs();
            pointers.down[index] = (event.pointer_id(), x, y);
        });
        if held.len() == 1 && pointers.with_value(|pointers| pointers.moved_px > CLICK_PX) {
            timeline.pan(old_x - x, old_y - y);
        }
    };
    let up = move |event: ev::PointerEvent| {
        if seeks.get_value() {
            seeks.set_value(false);
            return;
        }
        let (x, y) = place(&event);
        let clicked = pointers
            .try_update_value(|pointers| {
                let held = pointers.down.len();
                pointers.down.retain(|(id, ..)| *id != event.pointer_id());
                held == 1 && pointers.moved_px <= CLICK_PX
            })
            .unwrap_or(false);
        if clicked {
            let hit = timeline.hit(page, x, y);
            match hit.as_ref().and_then(|hit| hit.opens) {
                Some(open) => timeline.ended_open.set(Some(open)),
                None => page.select(hit.and_then(|hit| hit.selects)),
            }
        }
    };
    view! {
        <canvas
            id="canvas"
            node_ref=canvas
            tabindex="0"
            role="application"
            aria-label="Timeline of tasks. Arrow keys move, plus and minus zoom, F follows what happens now, brackets go from poll to poll of the selected task; what is selected is told beside it."
            on:wheel=wheel
            on:pointerdown=down
            on:pointermove=moved
            on:pointerup=up
            on:pointercancel=move |event| pointers.update_value(|pointers| {
                seeks.set_value(false);
                pointers.down.retain(|(id, ..)| *id != event.pointer_id());
            })
            on:pointerleave=move |_| timeline.hovered.set(None)
            on:keydown=move |event| key(page, &event)
        ></canvas>
    }
}

/// The keys of the timeline.
fn key(page: Page, event: &ev::KeyboardEvent) {
    if event.ctrl_key() || event.meta_key() || event.alt_key() {
        return;
    }
    let timeline = page.timeline;
    let step_px = timeline.width() * 0.15;
    match event.key().as_str() {
        "ArrowLeft" => timeline.pan(-step_px, 0.0),
        "ArrowRight" => timeline.pan(step_px, 0.0),
        "ArrowUp" => step_lane(page, -1),
        "ArrowDown" => step_lane(page, 1),
        "+" | "=" => timeline.zoom(STEP, None),
        "-" | "_" => timeline.zoom(1.0 / STEP, None),
        "f" | "F" => toggle_following(timeline),
        "l" | "L" => timeline.lanes.update(|lanes| {
            *lanes = match lanes {
                Lanes::Tasks => Lanes::Workers,
                Lanes::Workers => Lanes::Tasks,
            };
        }),
        "e" | "E" => toggle_ended(timeline),
        "[" => step_poll(page, -1),
        "]" => step_poll(page, 1),
        "w" | "W" => select_waker(page),
        // In the time machine they go to the run's beginning and end.
        "Home" | "End" if page.kind.get_untracked() == Kind::Machine => return,
        "Home" => timeline.go_to(page.trace.with_value(|trace| trace.start_ns()) as f64),
        "End" => timeline.follow(),
        _ => return,
    }
    event.prevent_default();
}

/// Opens or folds the lanes of ended tasks, if there are any in the picture.
fn toggle_ended(timeline: Timeline) {
    let open = timeline.inner.with_value(|inner| {
        inner.shown.iter().find_map(|whose| match whose {
            Whose::Ended { open, .. } => Some(*open),
            _ => None,
        })
    });
    if let Some(open) = open {
        timeline.ended_open.set(Some(!open));
    }
}

fn step_lane(page: Page, by: isize) {
    let tasks: Vec<_> = page.timeline.inner.with_value(|inner| {
        let task = |whose: &Whose| match whose {
            Whose::Task(task) => Some(*task),
            Whose::Worker(_) | Whose::Ended { .. } | Whose::Part(_) => None,
        };
        inner.shown.iter().filter_map(task).collect()
    });
    let current = match page.selected.get_untracked() {
        Some(Selected::Task(task)) => tasks.iter().position(|other| *other == task),
        _ => None,
    };
    let next = match current {
        Some(place) => place.saturating_add_signed(by).min(tasks.len().saturating_sub(1)),
        None => 0,
    };
    if let Some(task) = tasks.get(next) {
        page.select(Some(Selected::Task(*task)));
    }
}

fn step_poll(page: Page, by: isize) {
    let next = page.trace.with_value(|trace| match page.selected.get_untracked()? {
        Selected::Poll(id) | Selected::Wake(id) => trace.neighbour(id, by),
        Selected::Task(task) => trace.polls_of_task(task).back().copied(),
        Selected::Command(command) => trace.command(command)?.start_poll,
    });
    if let Some(next) = next {
        page.select(Some(Selected::Poll(next)));
    }
}

fn select_waker(page: Page) {
    let Some(Selected::Poll(id) | Selected::Wake(id)) = page.selected.get_untracked() else { return };
    if let Some(waker) = page.trace.with_value(|trace| crate::drawer::waker(trace, id)) {
        page.select(Some(Selected::Poll(waker)));
    }
}

/// What hovering tells, beside the pointer.
#[component]
fn Hover(timeline: Timeline) -> impl IntoView {
    let hovered = timeline.hovered;
    let says = move || hovered.get().map(|(hit, ..)| hit.says).unwrap_or_default();
    let place = move || {
        let Some((_, x, y)) = hovered.get() else { return String::new() };
        let canvas = document().get_element_by_id("canvas").map(|canvas| canvas.get_bounding_client_rect());
        let (width, height) = canvas.map_or((0.0, 0.0), |place| (place.width(), place.height()));
        // On the side with more room.
        let left = if x > width / 2.0 {
            format!("right:{}px", width - x + 12.0)
        } else {
            format!("left:{}px", x + 12.0)
        };
        let top = if y > height / 2.0 {
            format!("bottom:{}px", height - y + 12.0)
        } else {
            format!("top:{}px", y + 12.0)
        };
        format!("{left};{top}")
    };
    view! {
        <Show when=move || hovered.with(Option::is_some)>
            <div class="hover" style=place aria-hidden="true">
                {move || says().into_iter().map(|line| view! { <p>{line}</p> }).collect_view()}
            </div>
        </Show>
    }
}
