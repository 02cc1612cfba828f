//! The scenario's editor: a text area with the same text in colours behind it, completion, and what is wrong below.
//! Knows keys and the caret; what words mean is `text`'s, what is wrong is the worker's.

use leptos::ev;
use leptos::html;
use leptos::prelude::*;
use wasm_bindgen::JsCast;
use web_sys::HtmlTextAreaElement;

use super::text::{self, Help, Suggestion};
use super::{Machine, is_on};
use crate::page::Page;

/// After the last key, how long until the text is checked.
const CHECK_AFTER: std::time::Duration = std::time::Duration::from_millis(150);

/// Code units of a text: as many as a scenario may have bytes.
const TEXT_MAX: &str = "65536";

/// Height of a line, as the style sheet has it.
const LINE_PX: f64 = 19.0;

/// The text area with all around it.
#[component]
pub(crate) fn Editor(page: Page) -> impl IntoView {
    let machine = page.machine;
    let area = NodeRef::<html::Textarea>::new();
    let shown = NodeRef::<html::Pre>::new();
    let help = RwSignal::new(Help::default());
    let chosen = RwSignal::new(0_usize);
    // Where the list of suggestions stands: from the left and the top of the editor, in CSS pixels.
    let place = RwSignal::new((0.0, 0.0));
    // What comes from elsewhere: an example, a link. What is typed is there already; to set it would disturb its typing.
    Effect::new(move |_| {
        let text = machine.text.get();
        if let Some(area) = area.get()
            && area.value() != text
        {
            area.set_value(&text);
            area.set_scroll_top(0);
            help.set(Help::default());
        }
    });
    let html = Memo::new(move |_| {
        let text = machine.text.get();
        let wrong = machine.check.with(|check| {
            let error = check.error.as_ref()?;
            Some(text::byte_of(&text, error.start)..text::byte_of(&text, error.end))
        });
        text::html(&text, wrong.as_ref(), &standing(machine, &text))
    });
    let checks = StoredValue::new(0_u64);
    let check_soon = move || {
        checks.update_value(|checks| *checks += 1);
        let this = checks.get_value();
        set_timeout(
            move || {
                if checks.try_get_value() == Some(this) {
                    machine.check_text();
                }
            },
            CHECK_AFTER,
        );
    };
    let scrolled = move || {
        if let (Some(area), Some(shown)) = (area.get_untracked(), shown.get_untracked()) {
            shown.set_scroll_top(area.scroll_top());
            shown.set_scroll_left(area.scroll_left());
        }
    };
    let look_around = move |suggests: bool| {
        let Some(area) = area.get_untracked() else { return };
        let (value, caret) = (area.value(), caret(&area));
        let mut found = text::help(&value, text::byte_of(&value, caret));
        if !suggests {
            found.suggestions.clear();
        }
        if !found.suggestions.is_empty() {
            place.set(below(&area, &value, found.word.start, found.suggestions.len()));
        }
        chosen.set(0);
        help.set(found);
    };
    let accept = move |suggestion: Suggestion| {
        let Some(area) = area.get_untracked() else { return };
        let (value, word) = (area.value(), help.with_untracked(|help| help.word.clone()));
        let typed = value.get(word.clone()).unwrap_or_default();
        let mut full = suggestion.text();
        if typed.chars().any(char::is_lowercase) {
            full = full.to_ascii_lowercase();
        }
        full.push(' ');
        insert(&area, text::unit_of(&value, word.start)..text::unit_of(&value, word.end), &full);
        help.update(|help| help.suggestions.clear());
    };
    let keydown = move |event: ev::KeyboardEvent| {
        // While an input method composes, its keys are its own.
        if event.is_composing() {
            return;
        }
        let Some(area) = area.get_untracked() else { return };
        let suggestions = help.with_untracked(|help| help.suggestions.clone());
        let control = event.ctrl_key() || event.meta_key();
        match event.key().as_str() {
            "Enter" if control => machine.open_text(),
            "Enter" if !event.shift_key() && !event.alt_key() => new_line(&area),
            "Tab" if !event.shift_key() && !suggestions.is_empty() => {
                if let Some(suggestion) = suggestions.get(chosen.get_untracked()) {
                    accept(*suggestion);
                }
            }
            "ArrowDown" if !suggestions.is_empty() => chosen.update(|at| *at = (*at + 1) % suggestions.len()),
            "ArrowUp" if !suggestions.is_empty() => {
                chosen.update(|at| *at = (*at + suggestions.len() - 1) % suggestions.len());
            }
            "Escape" if !suggestions.is_empty() => help.update(|help| help.suggestions.clear()),
            "}" if closes_block(&area) => {}
            _ => return,
        }
        event.prevent_default();
    };
    view! {
        <div class="editor">
            <pre class="shown" node_ref=shown aria-hidden="true" inner_html=move || html.get()></pre>
            <textarea
                id="m-text"
                node_ref=area
                aria-label="Scenario: what each client does. Control and Enter runs it; Tab takes a suggestion."
                aria-invalid=move || machine.check.with(|check| check.error.is_some()).to_string()
                aria-describedby="m-error"
                spellcheck="false"
                autocapitalize="off"
                autocomplete="off"
                wrap="off"
                maxlength=TEXT_MAX
                on:input=move |event| {
                    machine.text.set(event_target_value(&event));
                    check_soon();
                    look_around(true);
                    scrolled();
                }
                on:keydown=keydown
                on:keyup=move |event| {
                    if matches!(event.key().as_str(), "ArrowLeft" | "ArrowRight" | "Home" | "End") {
                        look_around(false);
                    }
                }
                on:click=move |_| look_around(false)
                on:blur=move |_| help.set(Help::default())
                on:scroll=move |_| scrolled()
            ></textarea>
            <Show when=move || help.with(|help| !help.suggestions.is_empty())>
                <div class="completions" role="listbox" aria-label="Suggestions"
                    style:left=move || format!("{}px", place.get().0)
                    style:top=move || format!("{}px", place.get().1)
                >
                    {move || help.with(|help| help.suggestions.clone()).into_iter().enumerate().map(|(index, suggestion)| view! {
                        <button
                            class="suggestion"
                            role="option"
                            tabindex="-1"
                            aria-selected=move || (chosen.get() == index).to_string()
                            // Before the text loses its focus.
                            on:mousedown=move |event| {
                                event.prevent_default();
                                accept(suggestion);
                            }
                        >
                            <code>{suggestion.text()}</code> " " <span class="summary">{suggestion.says()}</span>
                        </button>
                    }).collect_view()}
                </div>
            </Show>
        </div>
        <div id="m-error" aria-live="polite">
            {move || machine.check.get().error.map(|error| {
                let (start, end) = (error.start, error.end);
                view! {
                    <button
                        class="script-error"
                        data-tip="Go there."
                        on:click=move |_| {
                            if let Some(area) = area.get_untracked() {
                                select(&area, start, end);
                            }
                        }
                    >
                        {format!("✕ line {}, column {}: {}", error.line, error.column, error.message)}
                        {error.help.map(|help| format!("; {help}"))}
                    </button>
                }
            })}
            {move || (machine.check.with(|check| check.error.is_none())).then(|| help.with(|help| help.command)).flatten().map(|spec| view! {
                <p class="usage"><code><b>{crate::console::written(spec)}</b> " " {spec.usage}</code> " " <span class="summary">{spec.summary}</span></p>
            })}
        </div>
    }
}

/// Which of the scenario's tasks stand at which lines, if the text is the one that runs.
fn standing(machine: Machine, text: &str) -> Vec<(u32, String)> {
    let is_of_text =
        machine.opened.with(|opened| opened.as_ref().is_some_and(|opened| opened.scenario == text));
    if !is_of_text {
        return Vec::new();
    }
    machine.look.with(|look| {
        let tasks = look.iter().flat_map(|look| &look.tasks);
        let here = tasks.filter(|task| task.script && task.result.is_none());
        here.filter_map(|task| Some((task.line?, task.name.clone()))).collect()
    })
}

fn caret(area: &HtmlTextAreaElement) -> u32 {
    area.selection_start().ok().flatten().unwrap_or_default()
}

/// Selects a part of the text and brings it into sight.
fn select(area: &HtmlTextAreaElement, start: u32, end: u32) {
    let _ = area.focus();
    let _ = area.set_selection_range(start, end);
    let value = area.value();
    let line = value[..text::byte_of(&value, start)].matches('\n').count() as f64;
    let middle = line * LINE_PX - f64::from(area.client_height()) / 2.0;
    area.set_scroll_top(middle.max(0.0) as i32);
}

/// Puts text in as if it were typed, so that it can be undone.
fn insert(area: &HtmlTextAreaElement, range: std::ops::Range<u32>, text: &str) {
    let _ = area.set_selection_range(range.start, range.end);
    let done = document()
        .dyn_into::<web_sys::HtmlDocument>()
        .ok()
        .and_then(|document| document.exec_command_with_show_ui_and_value("insertText", false, text).ok());
    if done != Some(true) {
        let _ = area.set_range_text(text);
        if let Ok(event) = web_sys::Event::new("input") {
            let _ = area.dispatch_event(&event);
        }
    }
}

fn new_line(area: &HtmlTextAreaElement) {
    let (value, from) = (area.value(), caret(area));
    let to = area.selection_end().ok().flatten().unwrap_or(from);
    insert(area, from..to, &text::new_line(&value, text::byte_of(&value, from)));
    // The line may lie below what is seen; browsers scroll only for keys of their own.
    let line = value[..text::byte_of(&value, from)].matches('\n').count() as f64 + 2.0;
    let below_px = line * LINE_PX + 8.0 - f64::from(area.client_height());
    if below_px > f64::from(area.scroll_top()) {
        area.set_scroll_top(below_px as i32);
    }
}

/// A closing brace that begins its line stands where the block began: one step less far in.
fn closes_block(area: &HtmlTextAreaElement) -> bool {
    let (value, at) = (area.value(), caret(area));
    let before = &value[..text::byte_of(&value, at)];
    let line = &before[before.rfind('\n').map_or(0, |newline| newline + 1)..];
    let deep = line.len() >= 4 && line.bytes().all(|byte| byte == b' ');
    if deep {
        insert(area, at - 4..at, "}");
    }
    deep
}

/// The place below a byte of the text, or above it where there is no room; from the upper left of the editor.
fn below(area: &HtmlTextAreaElement, value: &str, byte: usize, suggestions: usize) -> (f64, f64) {
    const GUTTER_PX: f64 = 44.0;
    const CHAR_PX: f64 = 7.6;
    let list_px = 12.0 + 26.0 * suggestions as f64;
    let before = &value[..value.floor_char_boundary(byte)];
    let line = before.matches('\n').count() as f64;
    let column = before.rsplit('\n').next().map_or(0, |line| line.chars().count()) as f64;
    let left = GUTTER_PX + column * CHAR_PX - f64::from(area.scroll_left());
    let top = 6.0 + (line + 1.0) * LINE_PX - f64::from(area.scroll_top());
    // The list must not be cut off by the window's lower edge.
    let room = window().inner_height().ok().and_then(|height| height.as_f64()).unwrap_or(800.0);
    let above = area.get_bounding_client_rect().top() + top + list_px > room;
    let top = if above { top - LINE_PX - list_px } else { top };
    (left.clamp(0.0, 400.0), top + f64::from(area.offset_top()))
}

/// Brings the editor to the front and the caret into it.
pub(crate) fn focus(page: Page) {
    if untrack(|| is_on(page)) {
        page.machine.pane.set(super::Pane::Script);
        request_animation_frame(|| {
            let area = document().get_element_by_id("m-text");
            if let Some(area) = area.and_then(|area| area.dyn_into::<web_sys::HtmlElement>().ok()) {
                let _ = area.focus();
            }
        });
    }
}
