//! The scenario under two sharings or two flavours, side by side on one time axis: which two, and in words where they part.

use interleave::sharing;
use leptos::prelude::*;

use super::bench::Figure;
use super::message::Side;
use super::{FLAVORS, Recipe, WORKERS_MAX, written};
use crate::format::counted;
use crate::page::Page;

/// Who decided in one of the runs which task is polled next.
fn scheduled_by(side: &Side) -> String {
    match side.flavor.as_str() {
        "manual" => "You scheduled: your choices, as far as they fit.".to_owned(),
        "multi-thread" => {
            format!(
                "The model of Tokio's multi-thread runtime scheduled, {}.",
                counted(side.workers, "worker")
            )
        }
        _ => "Tokio's own current-thread runtime scheduled.".to_owned(),
    }
}

/// What to compare with, and what came of it.
#[component]
pub(crate) fn Compare(page: Page) -> impl IntoView {
    let machine = page.machine;
    let other = RwSignal::new((None::<String>, None::<String>, 2_u16));
    let sharings = sharing::Kind::ALL.map(|kind| view! { <option value=kind.name()>{kind.name()}</option> });
    let flavors = FLAVORS[..2].iter().map(|flavor| view! { <option value=*flavor>{*flavor}</option> });
    let chosen =
        |event: &leptos::ev::Event| Some(event_target_value(event)).filter(|value| !value.is_empty());
    let compare = move |_| {
        machine.ask_recipe(move |recipe, _| {
            let Ok(one) = serde_json::from_str::<Recipe>(&recipe) else { return };
            let (sharing, flavor, workers) = other.get_untracked();
            let (flavor, workers) = match flavor {
                None => (one.flavor.clone(), one.workers),
                Some(flavor) if flavor == "multi-thread" => (flavor, Some(workers)),
                Some(flavor) => (flavor, None),
            };
            let two = Recipe {
                sharing: sharing.unwrap_or_else(|| one.sharing.clone()),
                workers,
                // Choices are of a manual run; another runtime makes its own.
                choices: if flavor == one.flavor { one.choices.clone() } else { serde_json::Value::Null },
                flavor,
                ..one.clone()
            };
            machine.compare(&written(&one), &written(&two));
        });
    };
    view! {
        <div class="row">
            <span class="fact">"This run and one under"</span>
            <select id="m-other-sharing" aria-label="The other run's sharing" on:change=move |event| other.update(|other| other.0 = chosen(&event))>
                <option value="">"the same sharing"</option>
                {sharings}
            </select>
            <select id="m-other-flavor" aria-label="The other run's flavour" on:change=move |event| other.update(|other| other.1 = chosen(&event))>
                <option value="">"the same flavour"</option>
                {flavors.collect_view()}
            </select>
            <Show when=move || other.with(|other| other.1.as_deref() == Some("multi-thread"))>
                <label class="fact">
                    "workers "
                    <Figure id="m-other-workers" range=1..=WORKERS_MAX.into() value=move || other.with(|other| other.2.into())
                        set=move |workers| other.update(|other| other.2 = workers as u16)/>
                </label>
            </Show>
            <button id="m-compare" class="plain" on:click=compare>"compare"</button>
        </div>
        {move || machine.compared.get().map(|compared| {
            let side = |side: Side| view! {
                <li>
                    <b>{side.name.clone()}</b> {format!(": {} after {}. ", side.headline, counted(side.steps, "step"))}
                    <span class="note">{scheduled_by(&side)}</span>
                </li>
            };
            let parted = match compared.parted {
                None => view! { <p id="m-parted">"They never part: each does the same in the same order."</p> }.into_any(),
                Some(parted) => {
                    let at_ns = parted.at_ns;
                    view! {
                        <p id="m-parted">
                            {format!("They part after {} of the scenario's tasks: in the first, {}; in the second, {}. ", counted(parted.polls, "equal poll"), parted.a, parted.b)}
                            <button class="link" id="m-to-parted" on:click=move |_| page.timeline.go_to(at_ns as f64)>"show where"</button>
                        </p>
                    }.into_any()
                }
            };
            view! {
                <div id="m-compared">
                    <ul>{side(compared.a)} {side(compared.b)}</ul>
                    {parted}
                    <p class="note" id="m-compared-what">
                        "Compared are the polls of the scenario's own tasks. What the server does for them is on the timeline, too, and may differ
                        before they do."
                    </p>
                    <button class="plain" id="m-uncompare" on:click=move |_| machine.back_to_run()>"back to the run"</button>
                </div>
            }
        })}
    }
}
