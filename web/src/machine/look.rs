//! All that is to be seen while the run stands still: queues, locks, channels, timers, tasks, the store. Knows the worker's
//! look at the run, and how each part of it is known; computes nothing of its own.

use std::sync::Arc;

use interleave::scope::event::TaskId;
use leptos::prelude::*;

use super::message::Look;
use crate::code::with_code;
use crate::format;
use crate::page::{Page, Selected};
use crate::terms::explain;
use crate::tip::Term;

/// A task as its button shows it.
#[derive(Clone, Debug, PartialEq)]
struct Chip {
    id: u32,
    name: String,
    state: String,
    /// From whose queue it was stolen, as long as it waits in another.
    stolen_from: Option<usize>,
}

impl Chip {
    fn of(look: &Look, id: u32) -> Self {
        Self {
            id,
            name: look.name(id),
            state: look.task(id).map_or_else(String::new, |task| task.state.clone()),
            stolen_from: look
                .steals
                .iter()
                .rev()
                .find(|steal| steal.task == id && steal.waits)
                .map(|steal| steal.from),
        }
    }

    /// The same under the name that is known elsewhere: of those that have ended only the last are in the look.
    fn called(self, name: &str) -> Self {
        Self { name: name.to_owned(), ..self }
    }

    fn all(look: &Look, ids: &[u32]) -> Vec<Self> {
        ids.iter().map(|&id| Self::of(look, id)).collect()
    }
}

/// The whole look.
#[component]
pub(crate) fn LookView(page: Page) -> impl IntoView {
    let machine = page.machine;
    view! {
        <section id="look" aria-label="The run as it stands">
            {move || match machine.look.get() {
                None => view! { <p class="note">"Nothing is open."</p> }.into_any(),
                Some(look) => show(page, &look).into_any(),
            }}
        </section>
    }
}

fn show(page: Page, look: &Arc<Look>) -> impl IntoView {
    let outcome = look.outcome.clone().map(|outcome| {
        let word = match (outcome.good, outcome.deadlock) {
            (true, _) => "✓ good",
            (false, true) => "✕ deadlock",
            (false, false) => "✕ bad",
        };
        view! {
            <section class="outcome" class:good=outcome.good class:bad=!outcome.good>
                <h3><b class="verdict">{word}</b> " " {with_code(&outcome.headline)}</h3>
                <pre>{outcome.text}</pre>
            </section>
        }
    });
    view! {
        {outcome}
        {tasks(page, look)}
        {queues(page, look)}
        {locks(page, look)}
        {channels(page, look)}
        {timers(page, look)}
        {store(look)}
    }
}

/// A section's heading, with how what is below it is known.
fn heading(term: &'static str, shown: &'static str, origin: &str) -> impl IntoView {
    let sentence = explain(term).unwrap_or_default();
    let origin = origin.to_owned();
    let explained = explain(&origin).unwrap_or_default();
    view! {
        <h3>
            <span class="term" tabindex="0" data-tip=sentence aria-description=sentence>{shown}</span>
            " " <span class="origin term" tabindex="0" data-tip=explained>{origin}</span>
        </h3>
    }
}

/// A task's name; a click selects it.
fn chip(page: Page, chip: Chip) -> impl IntoView {
    let id = TaskId(chip.id);
    let is_selected = move || page.selected.get() == Some(Selected::Task(id));
    let stolen = chip
        .stolen_from
        .map(|from| view! { <small class="stolen" data-tip="A steal: the worker that has it now had nothing to do.">{format!("stolen from {from}")}</small> });
    view! {
        <button
            class=format!("task {}", chip.state)
            aria-pressed=move || is_selected().to_string()
            aria-description=format!("{}; select it", chip.state)
            on:click=move |_| page.select(Some(Selected::Task(id)))
        >
            {chip.name} {stolen}
        </button>
    }
}

/// Tasks in their order; in words if there are none.
fn line(page: Page, chips: Vec<Chip>, none: &'static str) -> AnyView {
    if chips.is_empty() {
        return view! { <span class="note">{none}</span> }.into_any();
    }
    view! { <span class="chips">{chips.into_iter().map(|one| chip(page, one)).collect_view()}</span> }
        .into_any()
}

fn tasks(page: Page, look: &Look) -> impl IntoView {
    // Who has ended is of less interest than who has not.
    let mut all: Vec<_> = look.tasks.iter().collect();
    all.sort_by_key(|task| (task.state == "ended", !task.script));
    let rows = all.into_iter().map(|task| {
        let variables = task.variables.iter().map(|(name, value)| format!("{name} = {value}"));
        let variables = variables.collect::<Vec<_>>().join(", ");
        let line = task.line.filter(|_| task.result.is_none()).map(|line| format!("line {line}"));
        let doing = match (&task.result, task.state.as_str()) {
            (Some(result), "ended") => result.clone(),
            (None, "ended") => "ended".to_owned(),
            _ if task.waits.is_empty() => task.state.clone(),
            _ => task.waits.clone(),
        };
        view! {
            <tr>
                <td>{chip(page, Chip::of(look, task.id))}</td>
                <td>{doing} {line.map(|line| view! { " " <span class="note">{line}</span> })}
                    {(!variables.is_empty()).then(|| view! { <code class="variables">{variables}</code> })}</td>
            </tr>
        }
    });
    view! {
        <section class="seen">
            {heading("task", "tasks", &look.origin)}
            <table class="tasks"><tbody>{rows.collect_view()}</tbody></table>
        </section>
    }
}

fn queues(page: Page, look: &Look) -> impl IntoView {
    let workers = look.workers.iter().enumerate().map(|(number, worker)| {
        let one = |id: Option<u32>| Chip::all(look, id.as_slice());
        let deferred = Chip::all(look, &worker.deferred);
        view! {
            <li>
                <p><b>{format!("worker {number}")}</b> " " {worker.state.clone()}
                    " " <span class="note">{format!("clock {}", format::duration(worker.clock_ns as f64))}</span></p>
                <dl>
                    <dt>"polls"</dt><dd>{line(page, one(worker.running), "nothing")}</dd>
                    <dt><Term term="LIFO slot"/></dt><dd>{line(page, one(worker.lifo_slot), "empty")}</dd>
                    <dt><Term term="local queue"/></dt><dd>{line(page, Chip::all(look, &worker.local), "empty")}</dd>
                    {(!deferred.is_empty()).then(|| view! { <dt><Term term="deferred"/></dt><dd>{line(page, deferred, "none")}</dd> })}
                </dl>
            </li>
        }
    });
    view! {
        <section class="seen" id="look-queues">
            {heading("worker", "workers and queues", &look.queues_origin)}
            <ul>{workers.collect_view()}</ul>
            <dl><dt><Term term="injection queue"/></dt><dd>{line(page, Chip::all(look, &look.injection), "empty")}</dd></dl>
            {steals(page, look)}
        </section>
    }
}

/// Steals that are listed, the last first.
const STEALS_SHOWN: usize = 6;

/// Which tasks were taken from which queue to which; a click on the time goes there.
fn steals(page: Page, look: &Look) -> impl IntoView {
    if look.workers.len() < 2 {
        return None;
    }
    let rows = look.steals.iter().rev().take(STEALS_SHOWN).map(|steal| {
        let at_ns = steal.at_ns as f64;
        let moved = format!(" worker {} \u{2192} worker {} ", steal.from, steal.to);
        view! {
            <li>
                {chip(page, Chip { stolen_from: None, ..Chip::of(look, steal.task).called(&steal.name) })} {moved}
                <button class="link" data-tip="Take the run to that moment." on:click=move |_| page.machine.seek_time(at_ns)>
                    {format::moment(at_ns, 1_000.0)}
                </button>
            </li>
        }
    });
    let rows = rows.collect_view();
    let none = look.steals.is_empty().then(|| view! { <li class="note">"none so far"</li> });
    Some(
        view! { <dl id="look-steals"><dt><Term term="steal" shown="stolen, the last first"/></dt><dd><ul>{rows} {none}</ul></dd></dl> },
    )
}

fn locks(page: Page, look: &Look) -> impl IntoView {
    let rows = look.locks.iter().map(|lock| {
        let kind = match lock.kind.as_str() {
            "std" => "std::sync::Mutex",
            "tokio" => "tokio::sync::Mutex",
            other => other,
        };
        view! {
            <li>
                <p><b>{lock.name.clone()}</b> " " <span class="note">{kind.to_owned()}</span></p>
                <dl>
                    <dt><Term term="holder"/></dt><dd>{line(page, Chip::all(look, lock.holder.as_slice()), "nobody")}</dd>
                    <dt><Term term="waiters"/></dt><dd>{line(page, Chip::all(look, &lock.waiters), "nobody")}</dd>
                </dl>
            </li>
        }
    });
    let rows = rows.collect_view();
    (!look.locks.is_empty()).then(|| view! {
        <section class="seen" id="look-locks">{heading("lock", "locks", &look.origin)}<ul>{rows}</ul></section>
    })
}

fn channels(page: Page, look: &Look) -> impl IntoView {
    let rows = look.channels.iter().map(|channel| {
        let (waiting, wanting) = (Chip::all(look, &channel.receivers), Chip::all(look, &channel.senders));
        let fill = match channel.capacity {
            Some(capacity) => format!("{} of {capacity}", channel.messages.len()),
            None => channel.messages.len().to_string(),
        };
        let messages = channel.messages.iter().map(|message| view! { <code class="message">{message.clone()}</code> });
        view! {
            <li>
                <p><b>{channel.name.clone()}</b> " " <span class="note">{format!("{}, {fill}", channel.kind)}</span></p>
                <p class="messages">{messages.collect_view()}</p>
                <dl>
                    {(!waiting.is_empty()).then(|| view! { <dt>"waits for a message"</dt><dd>{line(page, waiting, "")}</dd> })}
                    {(!wanting.is_empty()).then(|| view! { <dt>"waits for room"</dt><dd>{line(page, wanting, "")}</dd> })}
                </dl>
            </li>
        }
    });
    let rows = rows.collect_view();
    (!look.channels.is_empty()).then(|| view! {
        <section class="seen" id="look-channels">{heading("channel", "channels", &look.origin)}<ul>{rows}</ul></section>
    })
}

fn timers(page: Page, look: &Look) -> impl IntoView {
    let rows = look.timers.iter().map(|timer| {
        let left = format::duration(timer.at_ns.saturating_sub(look.now_ns) as f64);
        view! { <li>{format!("in {left}: ")} {line(page, Chip::all(look, timer.task.as_slice()), "a task")}</li> }
    });
    let rows = rows.collect_view();
    (!look.timers.is_empty()).then(|| view! {
        <section class="seen" id="look-timers">{heading("timer", "timers", &look.origin)}<ul>{rows}</ul></section>
    })
}

fn store(look: &Look) -> impl IntoView {
    let rows = look.keys.iter().map(|key| {
        let owner = key.owner.clone().map(|owner| format!(" ({owner})"));
        let database = (key.database > 0).then(|| format!(" (database {})", key.database));
        let left_ns = key.expires_ns.map(|at_ns| at_ns.saturating_sub(look.now_ns));
        let expires = left_ns.map(|left| format!(", expires in {}", format::duration(left as f64)));
        view! {
            <tr><td><code>{key.key.clone()}</code>{database}{owner}</td><td><code>{key.value.clone()}</code> " " <span class="note">{key.r#type.clone()} {expires}</span></td></tr>
        }
    });
    let rows = rows.collect_view();
    let more = (look.keys_more > 0)
        .then(|| view! { <p class="note">{format!("and {} more", format::count(look.keys_more))}</p> });
    let none = look.keys.is_empty().then(|| view! { <p class="note">"No key."</p> });
    view! {
        <section class="seen" id="look-store">
            {heading("keyspace", "keys", &look.origin)}
            <table class="keys"><tbody>{rows}</tbody></table>
            {none}
            {more}
        </section>
    }
}
