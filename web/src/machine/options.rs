//! What may happen next, when a person is the scheduler: a button for each option, and what the last choice changed.

use leptos::prelude::*;

use super::message::Choice;
use crate::page::Page;
use crate::tip::Term;

/// Options that are shown as buttons; more tasks than these are ready only in a scenario that spawns many.
const OPTIONS_MAX: usize = 24;

/// The buttons. Nothing while a scheduler of the engine's chooses.
#[component]
pub(crate) fn Options(page: Page) -> impl IntoView {
    let machine = page.machine;
    let manual = move || machine.look.with(|look| look.as_ref().is_some_and(|look| look.flavor == "manual"));
    let options = Memo::new(move |_| {
        machine.look.with(|look| look.as_ref().map(|look| look.options.clone()).unwrap_or_default())
    });
    let button = move |(index, choice): (usize, Choice)| {
        let option = choice.option;
        let key = (index < 9).then(|| view! { <kbd>{index + 1}</kbd> });
        // Asked anew: it comes a moment after the options.
        let ahead = move || {
            machine.ahead.with(|ahead| ahead.as_ref()?.iter().find(|ahead| ahead.option == option).cloned())
        };
        let tally = move |good: bool| ahead().and_then(|ahead| ahead.tally(good));
        let says = move || ahead().map(|ahead| ahead.says());
        view! {
            <button class="option" data-tip=says aria-description=says on:click=move |_| machine.choose(option)>
                {key} " " {choice.label()}
                {move || tally(false).map(|tally| view! { <small class="ahead bad">"✕ " {tally}</small> })}
                {move || tally(true).map(|tally| view! { <small class="ahead good">"✓ " {tally}</small> })}
            </button>
        }
    };
    // What is explored is direct; another run's steps are not the same.
    let can_foresee = move || {
        machine.opened.with(|opened| opened.as_ref().is_some_and(|opened| opened.direct))
            && machine.explored.with(Option::is_none)
            && options.with(|options| !options.is_empty())
    };
    let change = move || {
        let change = machine.change.get()?;
        let list = |what: &str, labels: &[String]| {
            (!labels.is_empty()).then(|| format!("{what}: {}", labels.join(", ")))
        };
        let said = [list("now possible", &change.possible), list("no longer possible", &change.gone)];
        let said: Vec<String> = said.into_iter().flatten().collect();
        Some(if said.is_empty() {
            "That changed nothing of what else may happen.".to_owned()
        } else {
            said.join("; ")
        })
    };
    view! {
        <Show when=manual>
            <div id="m-options" role="group" aria-label="You are the scheduler: what happens next?">
                <span class="fact"><Term term="manual" shown="you schedule"/> ":"</span>
                {move || options.get().into_iter().enumerate().take(OPTIONS_MAX).map(button).collect_view()}
                {move || options.with(Vec::len).checked_sub(OPTIONS_MAX + 1).map(|more| view! { <span class="fact">{format!("and {} more", more + 1)}</span> })}
                {move || options.with(Vec::is_empty).then(|| view! { <span class="fact">"nothing can happen any more"</span> })}
                <Show when=can_foresee>
                    <button id="m-foresee" class="link" data-tip="Explores every schedule, to tell of each option how many lead to good and to bad outcomes."
                        on:click=move |_| machine.explore()>
                        "what can come of each?"
                    </button>
                </Show>
                <p class="note" id="m-change" role="status">{change}</p>
            </div>
        </Show>
    }
}
