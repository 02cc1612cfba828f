//! Where the parts of the time machine are: below the timeline, instead of the consoles. Knows no part's inside.

use std::ops::RangeInclusive;

use interleave::scenario::EXAMPLES;
use interleave::sharing;
use leptos::ev;
use leptos::prelude::*;
use wasm_bindgen::JsCast;
use wasm_bindgen::closure::Closure;

use super::breakpoints::Breakpoints;
use super::compare::Compare;
use super::editor::Editor;
use super::explore::Explore;
use super::native::NativeRun;
use super::options::Options;
use super::share::{self, Share};
use super::transport::Transport;
use super::{FLAVORS, LookView, Machine, Pane, WORKERS_MAX};
use crate::code::with_code;
use crate::drawer::Drawer;
use crate::page::Page;
use crate::tip::Term;

/// Below this width one part is shown at a time; as the style sheet has it.
const NARROW: &str = "(max-width: 760px)";

/// How long an async mutex may be held across an await, in milliseconds of virtual time.
const HOLD_MS_MAX: u64 = 1_000;

/// The largest seed: past it a number of JavaScript's would lie.
const SEED_MAX: u64 = (1 << 53) - 1;

/// The parts that are shown one at a time, and what their tabs say.
const PANES: [(Pane, &str, &str); 8] = [
    (Pane::Script, "m-tab-script", "scenario"),
    (Pane::State, "m-tab-state", "state"),
    (Pane::Explore, "m-tab-explore", "explore"),
    (Pane::Branches, "m-tab-branches", "branches"),
    (Pane::Breakpoints, "m-tab-breakpoints", "breakpoints"),
    (Pane::Compare, "m-tab-compare", "compare"),
    (Pane::Share, "m-tab-share", "share"),
    (Pane::Native, "m-tab-native", "native"),
];

impl Pane {
    /// Whether it has a place of its own where there is room.
    fn is_beside(self) -> bool {
        matches!(self, Self::Script | Self::State)
    }
}

/// Transport, editor and the rest.
#[component]
pub(crate) fn Bench(page: Page) -> impl IntoView {
    let machine = page.machine;
    follow_width(machine);
    // Beside the editor, where there is room.
    let beside = Memo::new(move |before: Option<&Pane>| {
        let pane = machine.pane.get();
        if pane.is_beside() { before.copied().unwrap_or(Pane::Explore) } else { pane }
    });
    let in_front = move |pane: Pane| {
        if machine.narrow.get() {
            machine.pane.get() == pane
        } else {
            pane.is_beside() || beside.get() == pane
        }
    };
    let dropped = move |event: ev::DragEvent| {
        event.prevent_default();
        let files = event.data_transfer().and_then(|data| data.files());
        if let Some(file) = files.and_then(|files| files.get(0)) {
            share::open_file(machine, file);
        }
    };
    view! {
        <section
            id="dock"
            class="bench"
            class:narrow=move || machine.narrow.get()
            aria-label="The time machine"
            on:dragover=|event: ev::DragEvent| event.prevent_default()
            on:drop=dropped
        >
            <div class="above">
                <Transport page=page/>
                <Options page=page/>
                <Said machine=machine/>
            </div>
            <div class="tabs" role="tablist" aria-label="Parts of the time machine">
                {move || {
                    let narrow = machine.narrow.get();
                    PANES.into_iter().filter(move |(pane, ..)| narrow || !pane.is_beside()).map(|(pane, id, label)| view! {
                        <span class="tab" class:front=move || in_front(pane)>
                            <button
                                id=id
                                role="tab"
                                aria-selected=move || in_front(pane).to_string()
                                aria-controls="m-pane"
                                on:click=move |_| machine.pane.set(pane)
                                on:keydown=|event| step_tabs(&event)
                            >
                                {label}
                            </button>
                        </span>
                    }).collect_view()
                }}
            </div>
            <div class="pane script" class:none=move || !in_front(Pane::Script)>
                <Setup page=page/>
                <Editor page=page/>
            </div>
            <div class="pane beside" id="m-pane" role="tabpanel" class:none=move || machine.narrow.get() && in_front(Pane::Script)>
                {move || match if machine.narrow.get() { machine.pane.get() } else { beside.get() } {
                    Pane::Script => ().into_any(),
                    Pane::State => view! { <LookView page=page/> <Drawer page=page/> }.into_any(),
                    Pane::Explore => view! { <Explore page=page/> }.into_any(),
                    Pane::Branches => view! { <Branches machine=machine/> }.into_any(),
                    Pane::Breakpoints => view! { <Breakpoints page=page/> }.into_any(),
                    Pane::Compare => view! { <Compare page=page/> }.into_any(),
                    Pane::Share => view! { <Share page=page/> }.into_any(),
                    Pane::Native => view! { <NativeRun page=page/> }.into_any(),
                }}
            </div>
        </section>
    }
}

/// Keeps to how wide the window is.
fn follow_width(machine: Machine) {
    let Ok(Some(query)) = window().match_media(NARROW) else { return };
    machine.narrow.set(query.matches());
    let asked = query.clone();
    let changed = Closure::<dyn Fn()>::new(move || machine.narrow.set(asked.matches())).into_js_value();
    // A browser that refuses only keeps the layout it has.
    let _ = query.add_event_listener_with_callback("change", changed.unchecked_ref());
}

/// The arrow keys go from tab to tab, as a tab list's do.
fn step_tabs(event: &ev::KeyboardEvent) {
    let tab = event.current_target().and_then(|target| target.dyn_into::<web_sys::Element>().ok());
    let Some(item) = tab.and_then(|tab| tab.parent_element()) else { return };
    let next = match event.key().as_str() {
        "ArrowRight" => item.next_element_sibling(),
        "ArrowLeft" => item.previous_element_sibling(),
        _ => return,
    };
    let button = next.and_then(|next| next.first_element_child());
    if let Some(button) = button.and_then(|button| button.dyn_into::<web_sys::HtmlElement>().ok()) {
        let _ = button.focus();
        button.click();
    }
}

/// What the time machine has to say.
#[component]
fn Said(machine: Machine) -> impl IntoView {
    view! {
        <Show when=move || machine.notice.with(Option::is_some)>
            <p
                id="m-notice"
                role="status"
                aria-live="assertive"
                class:error=move || machine.notice.with(|notice| notice.as_ref().is_some_and(|notice| notice.is_error))
            >
                <span>{move || machine.notice.get().map(|notice| with_code(&notice.text))}</span>
                <button class="plain close" aria-label="Close" on:click=move |_| machine.notice.set(None)>"✕"</button>
            </p>
        </Show>
    }
}

/// A scenario's title: its first line, without the mark of a comment.
fn title(text: &str) -> &str {
    text.lines().next().unwrap_or_default().trim_start_matches('#').trim()
}

/// A number within bounds.
#[component]
pub(super) fn Figure(
    id: &'static str,
    range: RangeInclusive<u64>,
    value: impl Fn() -> u64 + Send + 'static,
    set: impl Fn(u64) + 'static,
) -> impl IntoView {
    let (min, max) = (range.start().to_string(), range.end().to_string());
    let changed = move |event: ev::Event| {
        if let Ok(number) = event_target_value(&event).parse::<u64>() {
            set(number.clamp(*range.start(), *range.end()));
        }
    };
    view! { <input id=id type="number" min=min max=max prop:value=move || value().to_string() on:change=changed/> }
}

/// Which scenario, and how it is run.
#[component]
fn Setup(page: Page) -> impl IntoView {
    let machine = page.machine;
    let texts = || {
        EXAMPLES.iter().flat_map(|example| {
            [(example.name, "broken", example.broken), (example.name, "fixed", example.fixed)]
        })
    };
    let is_example = move || machine.text.with(|text| texts().any(|(.., example)| example == text));
    let examples = texts().enumerate().map(|(index, (name, which, text))| {
        view! {
            <option value=index.to_string() selected=move || machine.text.with(|shown| shown == text)>
                {format!("{name}, {which}: {}", title(text))}
            </option>
        }
    });
    let is = move |flavor: &'static str| move || machine.settings.with(|settings| settings.flavor == flavor);
    let sharings = sharing::Kind::ALL.map(|kind| view! {
        <option value=kind.name() selected=move || machine.settings.with(|settings| settings.sharing == kind.name())>{kind.name()}</option>
    });
    let flavors = FLAVORS.map(|flavor| view! { <option value=flavor selected=is(flavor)>{flavor}</option> });
    let changed = move || {
        let text = machine.text.get();
        machine.opened.with(|opened| opened.as_ref().is_none_or(|opened| opened.scenario != text))
    };
    view! {
        <div class="row setup-row">
            <select
                id="m-example"
                aria-label="Scenarios that come along"
                on:change=move |event| {
                    let chosen = event_target_value(&event).parse::<usize>().ok().and_then(|index| texts().nth(index));
                    // One's own text is put aside, not thrown away.
                    if !is_example() {
                        machine.own.set_value(Some(machine.text.get_untracked()));
                    }
                    let text = chosen.map(|(.., text)| text.to_owned()).or_else(|| machine.own.get_value());
                    if let Some(text) = text {
                        machine.text.set(text);
                        machine.check_text();
                        machine.open_text();
                    }
                }
            >
                <option value="" selected=move || !is_example()>"a scenario of your own"</option>
                {examples.collect_view()}
            </select>
            <button id="m-run" class="plain" class:due=changed data-tip="Open a run of this text ( Ctrl + Enter )" on:click=move |_| machine.open_text()>
                {move || if changed() { "run the new text" } else { "run anew" }}
            </button>
        </div>
        <div class="row setup-row">
            <label class="fact">
                <Term term="sharing"/> " "
                <select id="m-sharing" on:change=move |event| {
                    let sharing = event_target_value(&event);
                    machine.set_up(|settings| settings.sharing = sharing);
                }>
                    {sharings}
                </select>
            </label>
            <Show when=move || machine.settings.with(|settings| settings.sharing == "async-mutex")>
                <label class="fact" data-tip="How long the lock is held across an .await, in milliseconds of virtual time.">
                    "held " <Figure id="m-hold" range=0..=HOLD_MS_MAX value=move || machine.settings.with(|settings| settings.hold_ms)
                        set=move |hold_ms| machine.set_up(|settings| settings.hold_ms = hold_ms)/> " ms"
                </label>
            </Show>
            <label class="fact">
                <Term term="flavour"/> " "
                <select id="m-flavor" on:change=move |event| {
                    let flavor = event_target_value(&event);
                    machine.set_up(|settings| settings.flavor = flavor);
                }>
                    {flavors}
                </select>
            </label>
            <Show when=is("multi-thread")>
                <label class="fact">
                    "workers " <Figure id="m-workers" range=1..=WORKERS_MAX.into() value=move || machine.settings.with(|settings| settings.workers.into())
                        set=move |workers| machine.set_up(|settings| settings.workers = workers as u16)/>
                </label>
            </Show>
            <label class="fact">
                <Term term="seed"/> " " <Figure id="m-seed" range=0..=SEED_MAX value=move || machine.settings.with(|settings| settings.seed)
                    set=move |seed| machine.set_up(|settings| settings.seed = seed)/>
            </label>
            <label class="fact">
                <input id="m-direct" type="checkbox" prop:checked=move || machine.settings.with(|settings| settings.direct)
                    on:change=move |event| {
                        let direct = event_target_checked(&event);
                        machine.set_up(|settings| settings.direct = direct);
                    }/> " " <Term term="direct"/>
            </label>
        </div>
    }
}

/// The futures that were made, and the way back to each.
#[component]
fn Branches(machine: Machine) -> impl IntoView {
    let rows = move || {
        let at = machine.at.get().unwrap_or_default();
        let here = at.branch;
        at.branches.into_iter().enumerate().map(move |(index, branch)| {
            let parted = match branch.parted_at.filter(|_| index > 0) {
                Some(step) => format!("parted at step {step}, "),
                None => String::new(),
            };
            view! {
                <li>
                    <button class="link" aria-pressed=(index == here).to_string() on:click=move |_| machine.go_to_branch(index)>
                        {branch.label}
                    </button>
                    " " <span class="note">{format!("{parted}{} steps", branch.steps)} {(index == here).then_some(", here")}</span>
                </li>
            }
        }).collect_view()
    };
    view! {
        <ul class="list" id="m-branches">{rows}</ul>
        <p class="note">"Go back and do something else: the run " <Term term="fork" shown="forks"/> ", and what came after stays here."</p>
    }
}
