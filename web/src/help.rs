//! The help that `?` opens: keys and terms. Owns its words, knows nothing of the rest of the page.

use leptos::prelude::*;
use wasm_bindgen::JsCast;

use crate::page::Page;
use crate::terms::TERMS;

const KEYS: &[(&str, &str)] = &[
    ("wheel, + −", "zoom"),
    ("drag, ← →, Shift + wheel", "move in time"),
    ("↑ ↓", "move between lanes"),
    ("F", "follow what happens now"),
    ("L", "lanes by task or by worker"),
    ("E", "show or fold the lanes of tasks that have ended"),
    ("[ ]", "the poll before or after, of the same task"),
    ("W", "the poll that woke the selected one"),
    ("Home, End", "the beginning, the end"),
    ("/", "search a task by name"),
    ("C", "to the console"),
    ("Tab, ↑ ↓", "in a console: complete, history"),
    ("Esc", "close what is open"),
];

const MACHINE_KEYS: &[(&str, &str)] = &[
    ("Space", "play, pause"),
    ("→ ←, . ,", "one step on, one step back (on the timeline only . and ,)"),
    ("T", "on to the end of the next poll of the selected task"),
    ("Home, End", "to the start, to the end"),
    ("1 to 9", "as the scheduler: choose what happens next"),
    ("C", "to the scenario"),
    ("Ctrl + Enter", "in the scenario: run it"),
    ("Tab, ↑ ↓, Esc", "in the scenario: take, choose, close a suggestion"),
];

/// The dialog.
#[component]
pub(crate) fn Help(page: Page) -> impl IntoView {
    let close = NodeRef::<leptos::html::Button>::new();
    // Where the focus was, to go back to.
    let before = StoredValue::new_local(None::<web_sys::HtmlElement>);
    Effect::new(move |_| {
        let next = if page.help.get() {
            let focused = document().active_element().and_then(|element| element.dyn_into().ok());
            before.set_value(focused);
            close.get().map(|close| close.unchecked_into())
        } else {
            before.try_update_value(Option::take).flatten()
        };
        if let Some(element) = next {
            let _ = element.focus();
        }
    });
    view! {
        <Show when=move || page.help.get()>
            <div class="veil" on:click=move |_| page.help.set(false)>
                <section
                    id="help-dialog"
                    role="dialog"
                    aria-modal="true"
                    aria-label="Keys and terms"
                    on:click=|event| event.stop_propagation()
                >
                    <button class="plain close" node_ref=close aria-label="Close" on:click=move |_| page.help.set(false)>"✕"</button>
                    <h2>"Keys"</h2>
                    <p>"On the timeline, once it has the focus (click it, or reach it with Tab):"</p>
                    <dl class="keys">
                        {KEYS.iter().map(|(key, does)| view! { <dt><kbd>{*key}</kbd></dt><dd>{*does}</dd> }).collect_view()}
                    </dl>
                    <h2>"Keys of the time machine"</h2>
                    <p>"Everywhere but where text is typed. The playhead can be dragged along the timeline's ruler, too."</p>
                    <dl class="keys">
                        {MACHINE_KEYS.iter().map(|(key, does)| view! { <dt><kbd>{*key}</kbd></dt><dd>{*does}</dd> }).collect_view()}
                    </dl>
                    <h2>"Terms"</h2>
                    <dl class="terms">
                        {TERMS.iter().map(|(term, sentence)| view! { <dt>{*term}</dt><dd>{*sentence}</dd> }).collect_view()}
                    </dl>
                    <h2>"From the browser's developer console"</h2>
                    <p><code>"await interleave.run(\"INCR hits\")"</code> " answers the reply; " <code>"interleave.help()"</code> " lists what else there is."</p>
                </section>
            </div>
        </Show>
    }
}
