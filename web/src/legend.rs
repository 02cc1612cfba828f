//! What the timeline's colours and marks mean. Owns their names; the colours are the style sheet's.

use leptos::prelude::*;

use crate::tip::Term;

/// One line that explains the picture.
#[component]
pub(crate) fn Legend() -> impl IntoView {
    const KEYS: [(&str, &str, Option<&str>); 6] = [
        ("running", "running", Some("running (a poll)")),
        ("scheduled", "scheduled", None),
        ("idle", "waiting for bytes", Some("idle: waiting for bytes")),
        ("sleep", "sleeping", None),
        ("lock", "waiting for a lock", None),
        ("message", "waiting for a message", None),
    ];
    view! {
        <ul id="legend" aria-label="What the colours mean">
            {KEYS.map(|(colour, term, shown)| view! {
                <li>
                    <i class=format!("key {colour}")></i>
                    <Term term=term shown=shown.unwrap_or(term)/>
                </li>
            })}
            <li><i class="key wake"></i><Term term="wake"/></li>
            <li><i class="key gap"></i><Term term="dropped" shown="dropped events"/></li>
        </ul>
    }
}
