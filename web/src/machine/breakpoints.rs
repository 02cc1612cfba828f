//! Where the run is to stop: a list to add to and take from. Knows the kinds there are, not when one is hit.

use leptos::prelude::*;

use super::{BREAKPOINTS_MAX, Breakpoint};
use crate::page::Page;

/// The kinds, with what to type.
const KINDS: [(&str, &str); 5] = [
    ("task", "a task's name, e.g. buyer 2"),
    ("command", "a command, e.g. DECR"),
    ("key", "a key, e.g. stock"),
    ("lock", "a lock's name, e.g. alice"),
    ("outcome", "whenever something goes wrong"),
];

/// Characters of a breakpoint's text.
const TEXT_MAX: &str = "100";

/// The list.
#[component]
pub(crate) fn Breakpoints(page: Page) -> impl IntoView {
    let machine = page.machine;
    let (kind, text) = (RwSignal::new(0_usize), RwSignal::new(String::new()));
    let full = move || machine.breakpoints.with(Vec::len) >= BREAKPOINTS_MAX;
    let add = move || {
        let added = Breakpoint {
            kind: KINDS[kind.get_untracked()].0.to_owned(),
            text: text.get_untracked().trim().to_owned(),
        };
        let mut list = machine.breakpoints.get_untracked();
        if (!added.text.is_empty() || added.kind == "outcome") && !list.contains(&added) {
            list.push(added);
            machine.set_breakpoints(list);
            text.set(String::new());
        }
    };
    let remove = move |place: usize| {
        let mut list = machine.breakpoints.get_untracked();
        list.remove(place);
        machine.set_breakpoints(list);
    };
    let options = KINDS
        .iter()
        .enumerate()
        .map(|(index, (kind, _))| view! { <option value=index.to_string()>{*kind}</option> });
    view! {
        <form
            class="row"
            on:submit=move |event| {
                event.prevent_default();
                add();
            }
        >
            <select
                id="m-break-kind"
                aria-label="Stop at what"
                on:change=move |event| kind.set(event_target_value(&event).parse().unwrap_or(0).min(KINDS.len() - 1))
            >
                {options.collect_view()}
            </select>
            <input
                id="m-break-text"
                type="text"
                maxlength=TEXT_MAX
                autocomplete="off"
                aria-label="Its name"
                placeholder=move || KINDS[kind.get()].1
                prop:value=text
                on:input=move |event| text.set(event_target_value(&event))
            />
            <button id="m-break-add" class="plain" type="submit" disabled=full>"stop there"</button>
        </form>
        <ul class="list" id="m-breaks">
            {move || machine.breakpoints.get().into_iter().enumerate().map(|(place, breakpoint)| {
                let label = format!("{} {}", breakpoint.kind, breakpoint.text);
                view! {
                    <li>
                        <span>{breakpoint.kind} " " <code>{breakpoint.text}</code></span>
                        <button class="plain close" aria-label=format!("Remove the breakpoint {label}") on:click=move |_| remove(place)>"✕"</button>
                    </li>
                }
            }).collect_view()}
        </ul>
        <p class="note">"While it plays, it stops after the step that polls such a task, runs such a command of the scenario's, touches such a key or lock. The reading of the keys in the end, for the outcome, is none of the scenario's."</p>
    }
}
