//! The drawer: all that is known of what is selected, in words and numbers. Knows the trace, not how the timeline draws it.

mod command;
mod poll;
mod task;

use interleave::scope::event::WakeBy;
use interleave::scope::trace::{PollId, Trace};
use leptos::prelude::*;

use crate::code::with_code;
use crate::page::{Page, Selected};

/// One line of a table: a term or a plain name, and what is so.
pub(crate) struct Fact {
    name: &'static str,
    value: String,
}

impl Fact {
    fn new(name: &'static str, value: impl Into<String>) -> Self {
        Self { name, value: value.into() }
    }
}

/// A way from what is selected to something else.
pub(crate) struct Link {
    label: String,
    to: Selected,
}

/// A stretch of a command's way, to be drawn to scale.
pub(crate) struct Stretch {
    label: String,
    colour: &'static str,
    from_ns: u64,
    to_ns: u64,
    evidence: &'static str,
}

/// Said of what the trace held once.
const GONE: &str = "The timeline no longer holds it: the oldest goes first.";

/// Everything the drawer shows.
#[derive(Default)]
pub(crate) struct Sheet {
    kind: &'static str,
    title: String,
    facts: Vec<Fact>,
    stretches: Vec<Stretch>,
    notes: Vec<String>,
    links: Vec<Link>,
    // Moments inside a poll: since its start, and what happened.
    log: Vec<(String, String)>,
}

/// The drawer.
#[component]
pub(crate) fn Drawer(page: Page) -> impl IntoView {
    let sheet = move || {
        page.changed.track();
        let selected = page.selected.get()?;
        Some(page.trace.with_value(|trace| match selected {
            Selected::Task(task) => task::sheet(trace, task),
            Selected::Poll(poll) => poll::sheet(trace, poll),
            Selected::Wake(poll) => poll::wake_sheet(trace, poll),
            Selected::Command(command) => command::sheet(trace, command, page.consoles.way(command)),
        }))
    };
    view! {
        <Show when=move || page.selected.get().is_some()>
            <aside id="drawer" aria-label="What is selected">
                <button class="plain close" aria-label="Close" on:click=move |_| page.selected.set(None)>"✕"</button>
                <Show when=move || page.machine.is_in_the_past()>
                    <p class="note">"As it is at the end of this branch, not at the playhead."</p>
                </Show>
                {move || sheet().map(|sheet| match sheet {
                    Some(sheet) => show(page, sheet).into_any(),
                    None => view! { <p class="note">{GONE}</p> }.into_any(),
                })}
            </aside>
        </Show>
    }
}

fn show(page: Page, sheet: Sheet) -> impl IntoView {
    let Sheet { kind, title, facts, stretches, notes, links, log } = sheet;
    let facts = facts.into_iter().map(|fact| {
        view! {
            <dt>{term_or_text(fact.name)}</dt>
            <dd>{fact.value}</dd>
        }
    });
    let links = links.into_iter().map(|link| {
        view! { <button class="link" on:click=move |_| page.select(Some(link.to))>{link.label}</button> }
    });
    let log = log.into_iter().map(|(at, what)| view! { <tr><td>{at}</td><td>{what}</td></tr> });
    view! {
        <p class="kind">{term_or_text(kind)}</p>
        <h2>{title}</h2>
        {ways(stretches)}
        {notes.into_iter().map(|note| view! { <p class="note">{note}</p> }).collect_view()}
        <dl>{facts.collect_view()}</dl>
        <p class="links">{links.collect_view()}</p>
        <table class="log"><tbody>{log.collect_view()}</tbody></table>
    }
}

/// A name with its explanation, if it is a term.
fn term_or_text(name: &'static str) -> AnyView {
    match crate::terms::explain(name) {
        Some(sentence) => {
            view! { <span class="term" tabindex="0" data-tip=sentence>{name}</span> }.into_any()
        }
        None => name.into_any(),
    }
}

/// The stretches of a way below each other, each where it lies in time.
fn ways(stretches: Vec<Stretch>) -> impl IntoView {
    let from_ns = stretches.iter().map(|stretch| stretch.from_ns).min().unwrap_or(0);
    let to_ns = stretches.iter().map(|stretch| stretch.to_ns).max().unwrap_or(0);
    let whole = to_ns.saturating_sub(from_ns).max(1) as f64;
    let any = !stretches.is_empty();
    let rows = stretches.into_iter().map(move |stretch| {
        let left = (stretch.from_ns - from_ns) as f64 / whole * 100.0;
        let width = stretch.to_ns.saturating_sub(stretch.from_ns) as f64 / whole * 100.0;
        let took = crate::format::duration(stretch.to_ns.saturating_sub(stretch.from_ns) as f64);
        let inferred = stretch.evidence == "inferred";
        let label = match crate::terms::explain(&stretch.label) {
            Some(sentence) => {
                view! { <span class="term" tabindex="0" data-tip=sentence>{stretch.label}</span> }.into_any()
            }
            None => with_code(&stretch.label).into_any(),
        };
        view! {
            <li class:inferred=inferred>
                <span class="stage">{label}{inferred.then(|| view! { " " {term_or_text("inferred")} })}</span>
                <span class="time">{took}</span>
                <span class="track"><i class=stretch.colour style=format!("left:{left:.2}%;width:{width:.2}%")></i></span>
            </li>
        }
    });
    let rows = rows.collect_view();
    any.then(|| view! { <ol class="way" aria-label="The way of the command, stretch by stretch">{rows}</ol> })
}

/// The poll in which the task ran that woke this one.
pub(crate) fn waker(trace: &Trace, poll: PollId) -> Option<PollId> {
    let wake = trace.poll(poll)?.wake?;
    let (WakeBy::Task(task) | WakeBy::Finished(task)) = wake.by else { return None };
    let lane = trace.polls_of_task(task);
    let place = trace.first_ending_after(lane, wake.at_ns);
    match wake.by {
        WakeBy::Task(_) => lane.get(place).copied(),
        // A joiner is woken after the last poll has returned.
        _ => lane.back().copied(),
    }
}
