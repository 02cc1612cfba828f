//! What the timeline's colours and marks mean. Owns their names; the colours are the style sheet's.

use leptos::prelude::*;

use crate::terms::explain;
use crate::timeline::{Lanes, Timeline};

/// One thing that is drawn, and its name: the word, and what stands around it where there is room.
struct Key {
    colour: &'static str,
    term: &'static str,
    before: &'static str,
    word: &'static str,
    after: &'static str,
    /// Only tasks have lanes in which this can be seen.
    of_tasks: bool,
}

const fn key(colour: &'static str, term: &'static str, words: [&'static str; 3], of_tasks: bool) -> Key {
    let [before, word, after] = words;
    Key { colour, term, before, word, after, of_tasks }
}

const KEYS: [Key; 8] = [
    key("running", "running", ["", "running", " (a poll)"], false),
    key("scheduled", "scheduled", ["", "scheduled", " (woken, not yet polled)"], false),
    key("idle", "waiting for bytes", ["", "idle", ": waiting for bytes"], true),
    key("sleep", "sleeping", ["", "sleeping", ""], true),
    key("lock", "waiting for a lock", ["waiting for a ", "lock", ""], true),
    key("message", "waiting for a message", ["waiting for a ", "message", ""], true),
    key("wake", "wake", ["", "wake", ""], false),
    key("gap", "dropped", ["", "dropped", " events"], false),
];

/// One line that explains the picture.
#[component]
pub(crate) fn Legend(timeline: Timeline) -> impl IntoView {
    let by_worker = move || timeline.lanes.get() == Lanes::Workers;
    view! {
        <ul id="legend" aria-label="What the colours mean">
            {KEYS.map(|Key { colour, term, before, word, after, of_tasks }| {
                let sentence = explain(term).unwrap_or_default();
                view! {
                    <li class:none=move || of_tasks && by_worker()>
                        <i class=format!("key {colour}")></i>
                        <span class="term" tabindex="0" data-tip=sentence aria-description=sentence>
                            <span class="long">{before}</span>{word}<span class="long">{after}</span>
                        </span>
                    </li>
                }
            })}
            <li class:none=move || !by_worker()>"What tasks wait for is shown by task."</li>
        </ul>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_is_explained() {
        for Key { term, word, .. } in KEYS {
            assert!(explain(term).is_some(), "{word} stands for {term}, which no sentence explains");
        }
    }
}
