//! The transport: to the start, back, play, on, to the end, how fast, and a slider over all steps. Owns these buttons and
//! the keys that do the same; knows no step itself.

use leptos::ev;
use leptos::prelude::*;
use wasm_bindgen::JsCast;

use super::{Machine, is_on};
use crate::page::Page;
use crate::tip::Term;

/// Polls a second at first: slow enough to follow.
pub(super) const PER_SECOND_FIRST: u32 = 5;

/// How fast it plays, from one poll a second to as fast as it goes.
const SPEEDS: [(u32, &str); 8] = [
    (1, "1 poll/s"),
    (2, "2 polls/s"),
    (5, "5 polls/s"),
    (20, "20 polls/s"),
    (100, "100 polls/s"),
    (1_000, "1\u{202f}000 polls/s"),
    (10_000, "10\u{202f}000 polls/s"),
    (0, "as fast as it goes"),
];

/// The buttons, the slider and where the run stands.
#[component]
pub(crate) fn Transport(page: Page) -> impl IntoView {
    let machine = page.machine;
    let at = move || machine.at.get().unwrap_or_default();
    let none = move || machine.at.with(Option::is_none);
    let at_start = move || machine.at.with(|at| at.as_ref().is_none_or(|at| at.step == 0));
    let at_end = move || machine.at.with(|at| at.as_ref().is_none_or(|at| at.ended && at.step == at.head));
    let button = move |id, shown, label: &'static str, off: Signal<bool>, does: fn(Page)| {
        view! {
            <button id=id aria-label=label data-tip=label disabled=off on:click=move |_| does(page)>{shown}</button>
        }
    };
    let speeds = SPEEDS.map(|(value, label)| {
        view! { <option value=value.to_string() selected=move || machine.per_second.get() == value>{label}</option> }
    });
    view! {
        <div class="transport" role="toolbar" aria-label="Transport of the time machine">
            <div class="segmented">
                {button("m-start", "|◂", "To the start ( Home )", Signal::derive(at_start), |page| page.machine.seek(0))}
                {button("m-back", "◂", "One step back ( ← or , )", Signal::derive(at_start), |page| page.machine.back())}
                <button
                    id="m-play"
                    class="wide"
                    aria-pressed=move || machine.is_playing().to_string()
                    aria-label=move || if machine.is_playing() { "Pause" } else { "Play" }
                    data-tip="Play, or pause ( Space )"
                    disabled=move || none() || at_end() && !machine.is_playing()
                    on:click=move |_| machine.play(!machine.at.get_untracked().is_some_and(|at| at.playing))
                >
                    {move || if machine.is_playing() { "❚❚" } else { "▶" }}
                </button>
                {button("m-step", "▸", "One step: the next poll ( → or . )", Signal::derive(at_end), |page| page.machine.step(1))}
                {button("m-step-task", "▸ task", "On to the end of the next poll of the selected task ( T )", Signal::derive(at_end), |page| page.machine.step_task(page))}
                {button("m-end", "▸|", "To the end of this branch, then of the run ( End )", Signal::derive(none), |page| page.machine.to_end())}
            </div>
            <select
                id="m-speed"
                aria-label="How fast it plays"
                on:change=move |event| {
                    if let Ok(per_second) = event_target_value(&event).parse() {
                        machine.set_speed(per_second);
                    }
                }
            >
                {speeds}
            </select>
            <input
                id="m-playhead"
                type="range"
                aria-label="Playhead: the step at which the run stands"
                aria-valuetext=move || format!("step {} of {}", at().step, at().head)
                min="0"
                max=move || at().head.to_string()
                // After `max`, or the browser would cut it.
                prop:value=move || { let at = at(); (at.step, at.head).0.to_string() }
                disabled=move || at().head == 0
                on:input=move |event| {
                    if let Ok(step) = event_target_value(&event).parse() {
                        machine.seek(step);
                    }
                }
            />
            <span class="fact" id="m-at">
                <Term term="step"/> " " <b>{move || at().step}</b> " of " {move || at().head}
                {move || { let at = at(); if at.ended || at.step < at.head { "" } else { "+" } }}
            </span>
            <button
                id="m-take-over"
                class="plain"
                data-tip="Be the scheduler from here: each step lists the tasks that can run, and you choose."
                hidden=move || machine.look.with(|look| look.as_ref().is_some_and(|look| look.flavor == "manual"))
                disabled=move || none() || at_end()
                on:click=move |_| machine.take_over()
            >
                "be the scheduler from here"
            </button>
        </div>
    }
}

/// The keys of the time machine, wherever no other part of the page takes them.
pub(crate) fn key(page: Page, event: &ev::KeyboardEvent) {
    let machine = page.machine;
    if event.default_prevented() || !untrack(|| is_on(page)) {
        return;
    }
    let element = event.target().and_then(|target| target.dyn_into::<web_sys::Element>().ok());
    let on_button = element.as_ref().is_some_and(|element| element.tag_name() == "BUTTON");
    let on_tab = element.is_some_and(|element| element.get_attribute("role").as_deref() == Some("tab"));
    match event.key().as_str() {
        // A button that has the focus takes the space bar as a click.
        " " if !on_button => machine.play(!machine.at.get_untracked().is_some_and(|at| at.playing)),
        "." => machine.step(1),
        "," => machine.back(),
        "ArrowRight" if !on_tab => machine.step(1),
        "ArrowLeft" if !on_tab => machine.back(),
        "Home" => machine.seek(0),
        "End" => machine.to_end(),
        "t" | "T" => machine.step_task(page),
        digit => match digit.parse::<usize>() {
            Ok(number) if (1..=9).contains(&number) => choose(machine, number - 1),
            _ => return,
        },
    }
    event.prevent_default();
}

fn choose(machine: Machine, place: usize) {
    let option = machine.look.with_untracked(|look| Some(look.as_ref()?.options.get(place)?.option));
    if let Some(option) = option {
        machine.choose(option);
    }
}
