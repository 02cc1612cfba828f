//! Where things are on the page: header, timeline, consoles, drawer. Starts the page's heartbeat and finds its source; knows
//! nothing of what the parts show.

use leptos::ev;
use leptos::prelude::*;
use wasm_bindgen::JsCast;
use wasm_bindgen_futures::spawn_local;

use crate::console::Dock;
use crate::drawer::Drawer;
use crate::header::Header;
use crate::help::Help;
use crate::machine::{self, Bench, LookView};
use crate::page::Page;
use crate::source::{Kind, probe};
use crate::timeline::TimelineView;
use crate::tip::Tooltip;
use crate::{devtools, frames, saved, theme};

/// The least heights of the consoles and of what is above them, in CSS pixels.
const DOCK_MIN_PX: f64 = 96.0;
const ABOVE_MIN_PX: f64 = 200.0;

/// The whole page.
#[component]
pub(crate) fn App() -> impl IntoView {
    let page = Page::new(&saved::load());
    page.keep_saved();
    devtools::install(page);
    frames::run(page);
    begin(page);
    theme::follow(page);
    window_event_listener(ev::keydown, move |event| shortcut(page, &event));
    window_event_listener(ev::hashchange, move |_| {
        if let Some(link) = machine::run_in_address() {
            page.open_link(link);
        }
    });
    let with_look = move || machine::is_on(page) && !page.machine.narrow.get();
    view! {
        <Header page=page/>
        <main class="layout" class:machine=move || machine::is_on(page) inert=move || page.help.get() style=("--dock", move || page.dock_px.get().map(|px| format!("{px}px")))>
            <TimelineView page=page/>
            <div class="side" class:with-look=with_look>
                <Show when=move || !(machine::is_on(page) && page.machine.narrow.get())><Drawer page=page/></Show>
                <Show when=with_look><LookView page=page/></Show>
            </div>
            <Splitter page=page/>
            <Show when=move || machine::is_on(page) fallback=move || view! { <Dock page=page/> }>
                <Bench page=page/>
            </Show>
        </main>
        <Help page=page/>
        <Tooltip/>
    }
}

/// Starts with the run in the page's address; else with the source a person chose last; else with the native server if there is one, else in the tab.
fn begin(page: Page) {
    if let Some(link) = machine::run_in_address() {
        page.open_link(link);
        return;
    }
    match page.chosen.get_untracked() {
        Some(kind) => page.start(kind, kind == Kind::Tab),
        None => spawn_local(async move {
            let kind = if probe().await.is_some() { Kind::Native } else { Kind::Tab };
            page.start(kind, kind == Kind::Tab);
        }),
    }
}

/// The keys that work everywhere but where text is typed.
fn shortcut(page: Page, event: &web_sys::KeyboardEvent) {
    let element = event.target().and_then(|target| target.dyn_into::<web_sys::Element>().ok());
    // A slider takes the keys that move it, and no text.
    let slides =
        element.as_ref().is_some_and(|element| element.get_attribute("type").as_deref() == Some("range"));
    let moves =
        matches!(&*event.key(), "Home" | "End" | "PageUp" | "PageDown") || event.key().starts_with("Arrow");
    let typing = element
        .is_some_and(|element| matches!(&*element.tag_name(), "INPUT" | "SELECT" | "TEXTAREA"))
        && (!slides || moves);
    if event.key() == "Escape" {
        if page.help.get_untracked() {
            page.help.set(false);
        } else if !typing {
            page.selected.set(None);
        }
        return;
    }
    if typing || event.ctrl_key() || event.meta_key() || event.alt_key() {
        return;
    }
    match event.key().as_str() {
        "?" => page.help.update(|help| *help = !*help),
        "/" => {
            event.prevent_default();
            focus("#search");
        }
        "c" => {
            event.prevent_default();
            focus(".console-input");
            machine::focus(page);
        }
        _ => machine::key(page, event),
    }
}

/// Gives the first element that `selector` finds the focus.
pub(crate) fn focus(selector: &str) {
    let element = document().query_selector(selector).ok().flatten();
    if let Some(element) = element.and_then(|element| element.dyn_into::<web_sys::HtmlElement>().ok()) {
        let _ = element.focus();
    }
}

/// The line between timeline and consoles, to be dragged or moved with the arrow keys.
#[component]
fn Splitter(page: Page) -> impl IntoView {
    let dragging = StoredValue::new(false);
    let height = || window().inner_height().ok().and_then(|height| height.as_f64()).unwrap_or(800.0);
    let set = move |px: f64| {
        let most = (height() - ABOVE_MIN_PX).max(DOCK_MIN_PX);
        page.dock_px.set(Some(px.clamp(DOCK_MIN_PX, most)));
    };
    let now = || {
        let dock = document().get_element_by_id("dock");
        dock.map_or(220.0, |dock| dock.get_bounding_client_rect().height())
    };
    view! {
        <div
            class="splitter"
            role="separator"
            aria-orientation="horizontal"
            aria-label="Height of the consoles: drag, or use the arrow keys"
            tabindex="0"
            on:pointerdown=move |event| {
                dragging.set_value(true);
                let element = event.target().and_then(|target| target.dyn_into::<web_sys::Element>().ok());
                if let Some(element) = element {
                    let _ = element.set_pointer_capture(event.pointer_id());
                }
            }
            on:pointermove=move |event| {
                if dragging.get_value() {
                    set(height() - f64::from(event.client_y()));
                }
            }
            on:pointerup=move |_| dragging.set_value(false)
            on:keydown=move |event| match event.key().as_str() {
                "ArrowUp" => set(now() + 24.0),
                "ArrowDown" => set(now() - 24.0),
                _ => {}
            }
        ></div>
    }
}
