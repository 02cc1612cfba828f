//! Light or dark: what a person chose, else what the system says, now and when it changes. Knows no colour.

use leptos::prelude::*;
use wasm_bindgen::JsCast;
use wasm_bindgen::closure::Closure;

use crate::page::Page;

/// Keeps the page in the theme that applies from now on.
pub(crate) fn follow(page: Page) {
    let system = RwSignal::new(system_is_dark());
    if let Ok(Some(query)) = window().match_media(QUERY) {
        let changed = Closure::<dyn Fn()>::new(move || system.set(system_is_dark())).into_js_value();
        // A browser that refuses only keeps the theme it has.
        let _ = query.add_event_listener_with_callback("change", changed.unchecked_ref());
    }
    Effect::new(move |_| {
        let theme = page.theme.get().unwrap_or_else(|| name(system.get()).to_owned());
        if let Some(root) = document().document_element() {
            let _ = root.set_attribute("data-theme", &theme);
        }
        page.timeline.colours_changed();
    });
}

/// Changes to the other theme, and keeps it whatever the system says.
pub(crate) fn toggle(page: Page) {
    let is_dark = match page.theme.get_untracked() {
        Some(theme) => theme == name(true),
        None => system_is_dark(),
    };
    page.theme.set(Some(name(!is_dark).to_owned()));
}

const QUERY: &str = "(prefers-color-scheme: dark)";

fn system_is_dark() -> bool {
    window().match_media(QUERY).ok().flatten().is_some_and(|query| query.matches())
}

/// As the style sheet and the saved state have it.
fn name(is_dark: bool) -> &'static str {
    if is_dark { "dark" } else { "light" }
}
