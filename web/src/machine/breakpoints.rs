//! Where the run is to stop: a list to add to and take from. Knows the kinds there are, not when one is hit.

use leptos::prelude::*;

use super::{BREAKPOINTS_MAX, Breakpoint, Machine};
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

/// What to say of a breakpoint at what the run does not have, as far as it can be known: a task or a key may still come.
fn unknown(machine: Machine, breakpoint: &Breakpoint) -> Option<&'static str> {
    let wanted = breakpoint.text.to_ascii_lowercase();
    let is = |name: &String| name.to_ascii_lowercase().contains(&wanted);
    let look = machine.look.get()?;
    let (found, says) = match &*breakpoint.kind {
        "command" => (false, "no such command in this scenario"),
        "lock" => (look.locks.iter().any(|lock| is(&lock.name)), "no such lock in this scenario"),
        "task" => (look.tasks.iter().any(|task| is(&task.name)), "not seen yet"),
        "key" => (look.keys.iter().any(|key| is(&key.key)), "not seen yet"),
        _ => return None,
    };
    let written = machine.opened.with(|opened| opened.as_ref().is_some_and(|opened| is(&opened.scenario)));
    (!found && !written).then_some(says)
}

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
                let sought = breakpoint.clone();
                view! {
                    <li>
                        <span>{breakpoint.kind} " " <code>{breakpoint.text}</code></span>
                        <button class="plain close" aria-label=format!("Remove the breakpoint {label}") on:click=move |_| remove(place)>"✕"</button>
                        <span class="note">{move || unknown(machine, &sought)}</span>
                    </li>
                }
            }).collect_view()}
        </ul>
        <p class="note">"While it plays, it stops after the step that polls such a task, runs such a command of the scenario's, touches such a key or lock. The reading of the keys in the end, for the outcome, is none of the scenario's."</p>
    }
}
