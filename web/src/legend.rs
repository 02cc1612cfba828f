//! What the timeline's colours and marks mean. Owns their names; the colours are the style sheet's.

use leptos::prelude::*;

use crate::page::{Page, Selected};
use crate::source::Kind;
use crate::terms::explain;
use crate::timeline::Lanes;

/// When a thing can be seen at all.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Seen {
    Always,
    /// Only tasks have lanes in which it can be seen.
    ByTask,
    /// In a run with several workers, whose queues are known.
    InModel,
    /// While a command is selected, whose way is drawn along its task's lane.
    OnWay,
}

/// One thing that is drawn, and its name: the word, and what stands around it where there is room.
struct Key {
    colour: &'static str,
    term: &'static str,
    before: &'static str,
    word: &'static str,
    after: &'static str,
    seen: Seen,
}

const fn key(colour: &'static str, term: &'static str, words: [&'static str; 3], seen: Seen) -> Key {
    let [before, word, after] = words;
    Key { colour, term, before, word, after, seen }
}

const KEYS: [Key; 14] = [
    key("running", "running", ["", "running", " (a poll)"], Seen::Always),
    key("scheduled", "scheduled", ["", "scheduled", " (woken, not yet polled)"], Seen::Always),
    key("idle", "waiting for bytes", ["", "idle", ": waiting for bytes"], Seen::ByTask),
    key("sleep", "sleeping", ["", "sleeping", ""], Seen::ByTask),
    key("lock", "waiting for a lock", ["waiting for a ", "lock", ""], Seen::ByTask),
    key("message", "waiting for a message", ["waiting for a ", "message", ""], Seen::ByTask),
    key("wake", "wake", ["", "wake", ""], Seen::Always),
    key("sent", "message", ["", "sent", " message"], Seen::Always),
    key("steal", "steal", ["", "stolen", " task"], Seen::InModel),
    key("gap", "dropped", ["", "dropped", " events"], Seen::Always),
    key("strip running", "way", ["the command's way: ", "worked on", ""], Seen::OnWay),
    key("strip scheduled", "way", ["", "woken", ""], Seen::OnWay),
    key("strip lock", "way", ["", "at a lock", ""], Seen::OnWay),
    key("strip message", "way", ["", "in a channel", ""], Seen::OnWay),
];

/// One line that explains the picture.
#[component]
pub(crate) fn Legend(page: Page) -> impl IntoView {
    let by_worker = move || page.timeline.lanes.get() == Lanes::Workers;
    let in_model = Memo::new(move |_| {
        page.kind.get() == Kind::Machine
            && page.machine.look.with(|look| look.as_ref().is_some_and(|look| look.workers.len() > 1))
    });
    let on_way = move || matches!(page.selected.get(), Some(Selected::Command(_)));
    let is_seen = move |seen: Seen| match seen {
        Seen::Always => true,
        Seen::ByTask => !by_worker(),
        Seen::InModel => in_model.get(),
        Seen::OnWay => on_way() && !by_worker(),
    };
    view! {
        <ul id="legend" aria-label="What the colours mean">
            {KEYS.map(|Key { colour, term, before, word, after, seen }| {
                let sentence = explain(term).unwrap_or_default();
                view! {
                    <li class:none=move || !is_seen(seen)>
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
