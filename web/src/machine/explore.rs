//! Every interleaving of the scenario: a button, how far it has come, and a table of the outcomes there are, worst first.
//! Knows the report, not how it is found.

use leptos::prelude::*;

use super::message::{Explored, FoundOutcome, Reach};
use crate::code::with_code;
use crate::format::{count, counted};
use crate::page::Page;
use crate::tip::Term;

/// The table with its buttons.
#[component]
pub(crate) fn Explore(page: Page) -> impl IntoView {
    let machine = page.machine;
    let runs =
        move || machine.explored.with(|explored| explored.as_ref().is_some_and(|explored| !explored.done));
    view! {
        <div class="row">
            <button
                id="m-explore"
                class="plain"
                disabled=runs
                data-tip="Run every interleaving of this scenario's steps, each command straight on the sharing."
                on:click=move |_| machine.explore()
            >
                "explore all schedules"
            </button>
            <button id="m-explore-stop" class="plain" disabled=move || !runs() on:click=move |_| machine.stop_exploring()>"stop"</button>
            <Show when=runs><progress aria-label="Exploring"></progress></Show>
        </div>
        {move || match machine.explored.get() {
            Some(explored) => view! { <Report page=page explored=explored/> }.into_any(),
            None => view! {
                <p class="note">
                    "Every order in which the tasks can run, each " <Term term="interleaving"/> " once: which outcomes are there, and how many "
                    <Term term="schedule" shown="schedules"/> " lead to each?"
                </p>
            }.into_any(),
        }}
    }
}

#[component]
fn Report(page: Page, explored: Explored) -> impl IntoView {
    // Before all are counted a share says nothing.
    let all = if explored.complete { explored.schedules.clone() } else { String::new() };
    let rows = explored
        .outcomes
        .iter()
        .cloned()
        .map(|outcome| view! { <Row page=page outcome=outcome all=all.clone()/> });
    let rows = rows.collect_view();
    let any = !explored.outcomes.is_empty();
    view! {
        <p id="m-explored" role="status">{with_code(&summary(&explored))}</p>
        {any.then(|| view! {
            <table class="outcomes">
                <thead><tr><th>"outcome"</th><th><Term term="schedule" shown="schedules"/></th><th></th></tr></thead>
                <tbody>{rows}</tbody>
            </table>
        })}
    }
}

#[component]
fn Row(page: Page, outcome: FoundOutcome, all: String) -> impl IntoView {
    let FoundOutcome { headline, text, good, deadlock, schedules, recipe } = outcome;
    let (mark, word) = match (good, deadlock) {
        (true, _) => ("✓", "good"),
        (false, true) => ("✕", "deadlock"),
        (false, false) => ("✕", "bad"),
    };
    view! {
        <tr class:good=good class:bad=!good>
            <td><b class="verdict">{mark} " " {word}</b> " " <span data-tip=text tabindex="0">{with_code(&headline)}</span></td>
            <td class="share">{share(&schedules, &all)}</td>
            <td>
                <button class="link open" data-tip="Open its shortest schedule in the time machine." on:click=move |_| page.machine.open_shortest(&recipe)>
                    "shortest ▸"
                </button>
            </td>
        </tr>
    }
}

/// How many schedules of all lead to an outcome: `60 of 66`.
fn share(some: &str, all: &str) -> String {
    if all.is_empty() || all == "0" {
        format!("{} so far", grouped(some))
    } else {
        format!("{} of {}", grouped(some), grouped(all))
    }
}

/// A decimal number of any size with its thousands apart.
fn grouped(digits: &str) -> String {
    match digits.parse() {
        Ok(number) => count(number),
        Err(_) => digits.to_owned(),
    }
}

/// How far it has come, in words.
fn summary(explored: &Explored) -> String {
    let Explored { done, stopped, complete, random, reach, schedules, states, runs, cut, took_ms, .. } =
        explored;
    let rate = if *took_ms >= 1.0 && *states > 0 {
        format!(", {} states/s", count((*states as f64 / took_ms * 1e3) as u64))
    } else {
        String::new()
    };
    let (states, made) = (counted(*states, "state"), counted(*runs, "run"));
    let amount = format!("{states} with a choice, {made} in {took_ms:.0} ms{rate}");
    let what = match (done, stopped, complete, random) {
        (_, _, _, Some(random)) => {
            format!("Too many to run all: {} at random, seed {}", count(random.runs), random.seed)
        }
        (false, ..) => "Exploring".to_owned(),
        (true, true, ..) => "Stopped before all were run".to_owned(),
        (true, false, true, _) if schedules == "1" => "All of the 1 schedule there is".to_owned(),
        (true, false, true, _) => format!("All {} schedules", grouped(schedules)),
        (true, false, false, _) => "Ended before all were run".to_owned(),
    };
    let stopped = if *stopped && random.is_some() { "; stopped" } else { "" };
    let cut = match cut {
        0 => String::new(),
        1 => " 1 run went on too long and was cut: what it comes to is not known.".to_owned(),
        cut => {
            format!(" {} runs went on too long and were cut: what they come to is not known.", count(*cut))
        }
    };
    let reach = reach.as_ref().map(|reach| format!(" {}", reached(reach))).unwrap_or_default();
    format!("{what}{stopped}: {amount}.{cut}{reach}")
}

/// Which bound was reached, and what can be done about it.
fn reached(reach: &Reach) -> String {
    let most = count(reach.most);
    let fewer = "fewer clients, or fewer commands in each, can all be counted";
    let (what, instead) = match reach.bound.as_str() {
        "states" => (format!("there are more than {most} states"), fewer),
        "entries" => (format!("states and what they lead to take more than {most} entries"), fewer),
        "outcomes" => (
            format!("there are more than {most} different outcomes"),
            "let the scenario write less that differs from order to order",
        ),
        "run_steps" => (
            format!("a run may take {most} steps"),
            "look for a loop that waits for what nobody does, and give it an end",
        ),
        _ => (format!("at most {most}"), fewer),
    };
    format!("The limit `{}`: {what}; {instead}.", reach.bound)
}

#[cfg(test)]
mod tests {
    use super::super::message::RandomRuns;
    use super::*;

    #[test]
    fn says_how_far_it_has_come() {
        let check = |explored: Explored, expected: &str| assert_eq!(summary(&explored), expected);
        let all = Explored {
            done: true,
            complete: true,
            schedules: "1176".to_owned(),
            states: 90,
            runs: 12,
            took_ms: 45.0,
            ..Explored::default()
        };
        check(
            all.clone(),
            "All 1\u{202f}176 schedules: 90 states with a choice, 12 runs in 45 ms, 2\u{202f}000 states/s.",
        );
        check(
            Explored { done: false, complete: false, ..all.clone() },
            "Exploring: 90 states with a choice, 12 runs in 45 ms, 2\u{202f}000 states/s.",
        );
        let one = Explored { schedules: "1".to_owned(), states: 0, runs: 1, ..all.clone() };
        check(one, "All of the 1 schedule there is: 0 states with a choice, 1 run in 45 ms.");
        let reach = Some(Reach { bound: "states".to_owned(), most: 90 });
        let random = Some(RandomRuns { seed: 7, runs: 12 });
        check(
            Explored { complete: false, stopped: true, random, reach, ..all.clone() },
            "Too many to run all: 12 at random, seed 7; stopped: 90 states with a choice, 12 runs in 45 ms, 2\u{202f}000 states/s. \
             The limit `states`: there are more than 90 states; fewer clients, or fewer commands in each, can all be counted.",
        );
        let reach = Some(Reach { bound: "run_steps".to_owned(), most: 20 });
        check(
            Explored { complete: false, states: 0, runs: 1, cut: 1, reach, ..all },
            "Ended before all were run: 0 states with a choice, 1 run in 45 ms. 1 run went on too long and was cut: what it comes to is \
             not known. The limit `run_steps`: a run may take 20 steps; look for a loop that waits for what nobody does, and give it \
             an end.",
        );
    }

    #[test]
    fn shares_are_of_all() {
        assert_eq!(share("60", "66"), "60 of 66");
        assert_eq!(share("60", ""), "60 so far");
        assert_eq!(grouped("123456789012345678901234567890"), "123456789012345678901234567890");
    }
}
