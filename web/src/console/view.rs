//! How consoles look: tabs, entries, the line being typed with its completion and help. Knows keys and focus, not how a
//! command travels.

use interleave::command::Spec;
use leptos::ev;
use leptos::html;
use leptos::prelude::*;
use wasm_bindgen::JsCast;

use super::complete::{Help, complete, help, written};
use super::{CONSOLES_MAX, Console, Entry, Kind, Standing};
use crate::format;
use crate::page::{Page, Selected};

/// The consoles, docked below the timeline.
#[component]
pub(crate) fn Dock(page: Page) -> impl IntoView {
    let consoles = page.consoles;
    let full = move || consoles.list.with(Vec::len) >= CONSOLES_MAX;
    view! {
        <section id="dock" aria-label="Consoles">
            <div class="tabs" role="tablist" aria-label="Consoles: each is a connection, served by a task of its own">
                <For each=move || consoles.list.get() key=|console| console.number let:console>
                    <Tab page=page console=console/>
                </For>
                <button
                    id="console-new"
                    class="plain"
                    aria-label="New console"
                    data-tip="A second connection, which is a second task."
                    disabled=full
                    on:click=move |_| consoles.add(page)
                >
                    "+"
                </button>
            </div>
            <For each=move || consoles.list.get() key=|console| console.number let:console>
                <ConsoleView page=page console=console/>
            </For>
        </section>
    }
}

#[component]
fn Tab(page: Page, console: Console) -> impl IntoView {
    let number = console.number;
    let consoles = page.consoles;
    let in_front = move || consoles.active.get() == number;
    let title = move || match console.standing.get() {
        Standing::Connecting => "connecting".to_owned(),
        Standing::Connected(Some(client)) => format!("connected, served by the task client {client}"),
        Standing::Connected(None) => "connected".to_owned(),
        Standing::Closed => "closed; the next command connects again".to_owned(),
    };
    let class = move || match console.standing.get() {
        Standing::Connecting => "dot starting",
        Standing::Connected(_) => "dot up",
        Standing::Closed => "dot down",
    };
    // The arrow keys go from tab to tab, as a tab list's do.
    let step = move |by: isize| {
        let list = consoles.list.get_untracked();
        let place = list.iter().position(|console| console.number == number).unwrap_or(0);
        let next = (place as isize + by).rem_euclid(list.len() as isize) as usize;
        consoles.active.set(list[next].number);
        let tab = document().get_element_by_id(&format!("console-tab-{}", list[next].number));
        use wasm_bindgen::JsCast;
        if let Some(tab) = tab.and_then(|tab| tab.dyn_into::<web_sys::HtmlElement>().ok()) {
            let _ = tab.focus();
        }
    };
    view! {
        <span class="tab" class:front=in_front>
            <button
                id=format!("console-tab-{number}")
                role="tab"
                aria-selected=move || in_front().to_string()
                aria-controls=format!("console-{number}")
                tabindex=move || if in_front() { "0" } else { "-1" }
                data-tip=title
                on:click=move |_| consoles.active.set(number)
                on:keydown=move |event| match event.key().as_str() {
                    "ArrowRight" => step(1),
                    "ArrowLeft" => step(-1),
                    _ => {}
                }
            >
                <i class=class></i>
                {format!("console {number}")}
            </button>
            <Show when=move || { consoles.list.with(Vec::len) > 1 }>
                <button
                    class="plain close"
                    aria-label=format!("Close console {number}")
                    on:click=move |_| consoles.remove(page, number)
                >
                    "✕"
                </button>
            </Show>
        </span>
    }
}

#[component]
fn ConsoleView(page: Page, console: Console) -> impl IntoView {
    let number = console.number;
    let in_front = move || page.consoles.active.get() == number;
    let scroll = NodeRef::<html::Div>::new();
    // To the end once a frame at most, whatever came in between; reading the height makes the browser lay out.
    let asked = StoredValue::new(false);
    Effect::new(move |_| {
        // Whatever is still to be answered makes it longer.
        console.entries.with(|entries| {
            let waiting = entries.iter().filter(|entry| entry.outcome.with_untracked(Option::is_none));
            waiting.for_each(|entry| entry.outcome.track());
        });
        in_front();
        if !asked.get_value() {
            asked.set_value(true);
            request_animation_frame(move || {
                asked.set_value(false);
                // The console may have been closed since.
                if let Some(scroll) = scroll.try_get_untracked().flatten() {
                    scroll.set_scroll_top(scroll.scroll_height());
                }
            });
        }
    });
    view! {
        <div
            class="console"
            id=format!("console-{number}")
            role="tabpanel"
            aria-label=format!("Console {number}")
            class:hidden=move || !in_front()
        >
            <div
                class="entries"
                node_ref=scroll
                role="log"
                aria-live="polite"
                tabindex="-1"
                on:click=move |event| focus_prompt(number, &event)
            >
                <Show when=move || console.entries.with(Vec::is_empty)>
                    <Invitation page=page console=console/>
                </Show>
                <For each=move || console.entries.get() key=|entry| entry.id let:entry>
                    <EntryView page=page console=console entry=entry/>
                </For>
            </div>
            <Prompt page=page console=console/>
        </div>
    }
}

/// Whoever clicks beside what was printed wants to type; not whoever has marked some of it.
fn focus_prompt(number: u32, event: &web_sys::MouseEvent) {
    let on_button = event
        .target()
        .and_then(|target| target.dyn_into::<web_sys::Element>().ok())
        .and_then(|element| element.closest("button").ok().flatten());
    let marks = window().get_selection().ok().flatten().is_some_and(|selection| !selection.is_collapsed());
    if on_button.is_none() && !marks {
        crate::layout::focus(&format!("#console-{number} .console-input"));
    }
}

/// What to try, while nothing was typed yet: each is a button.
#[component]
fn Invitation(page: Page, console: Console) -> impl IntoView {
    let examples = ["SET greeting hello", "GET greeting", "INCR counter"].map(|line| {
        view! {
            <button class="example" on:click=move |_| console.run(page, line, None)>{line}</button>
        }
    });
    view! {
        <p class="invitation">
            "Type a Redis command, or try " {examples}
            ". Then click the command to see the way it took through the server's tasks."
        </p>
    }
}

#[component]
fn EntryView(page: Page, console: Console, entry: Entry) -> impl IntoView {
    let line = entry.line.get_value();
    match entry.kind {
        Kind::Command => {}
        Kind::Note => return view! { <p class="note">{line}</p> }.into_any(),
        Kind::Message => return view! { <pre class="message">{line}</pre> }.into_any(),
    }
    let selected = move || {
        let command = entry.command.get();
        command.is_some() && page.selected.get() == command.map(Selected::Command)
    };
    // From the wake to the written reply.
    let took = Memo::new(move |_| {
        page.changed.track();
        // A command that waits has not taken anything yet.
        if entry.outcome.with(Option::is_none) {
            let connected = matches!(console.standing.get(), Standing::Connected(_));
            return match (connected, page.running.get()) {
                (false, _) => Some("waits: not connected".to_owned()),
                (true, false) => Some("waits: paused".to_owned()),
                (true, true) => None,
            };
        }
        let command = entry.command.get()?;
        let kept = entry.way.get_value().map(|way| way.path);
        let path = kept.or_else(|| page.trace.with_value(|trace| trace.path(command)))?;
        let (first, last) = (path.segments.first()?, path.segments.last()?);
        Some(format!("{} ⤳", format::duration(last.to_ns.saturating_sub(first.from_ns) as f64)))
    });
    let tip = move || match entry.command.get() {
        Some(_) => "Show the way this command took: from the wake to the written reply.",
        None => "This command is not in the trace that is held.",
    };
    view! {
        <div class="entry" class:selected=selected>
            <button
                class="line"
                aria-disabled=move || entry.command.get().is_none().to_string()
                aria-description=tip
                on:click=move |_| {
                    if let Some(command) = entry.command.get_untracked() {
                        page.select(Some(Selected::Command(command)));
                    }
                }
            >
                <span class="prompt" aria-hidden="true">"> "</span>
                <code>{line}</code>
                <Show when=move || took.get().is_some()>
                    <span class="took">{move || took.get()}</span>
                </Show>
            </button>
            {move || entry.outcome.get().map(|outcome| view! {
                <pre class="reply" class:error=outcome.failed>{outcome.text}</pre>
            })}
        </div>
    }
    .into_any()
}

/// The line being typed, with its help above.
#[component]
fn Prompt(page: Page, console: Console) -> impl IntoView {
    let line = RwSignal::new(String::new());
    let chosen = RwSignal::new(0_usize);
    let helped = Memo::new(move |_| Known(help(&line.get())));
    let input = NodeRef::<html::Input>::new();
    let put = move |text: String| {
        chosen.set(0);
        line.set(text);
    };
    let accept = move |spec: &Spec| {
        put(complete(&line.get_untracked(), spec));
        if let Some(input) = input.get_untracked() {
            let _ = input.focus();
        }
    };
    Effect::new(move |_| {
        if page.consoles.active.get() == console.number
            && let Some(input) = input.get()
            && !is_touch()
        {
            let _ = input.focus();
        }
    });
    let keydown = move |event: ev::KeyboardEvent| {
        // While an input method composes, its keys are its own.
        if event.is_composing() {
            return;
        }
        match event.key().as_str() {
            "Enter" => {
                let typed = line.get_untracked();
                put(String::new());
                if typed.trim().eq_ignore_ascii_case("clear") {
                    console.clear();
                } else {
                    console.run(page, typed.trim(), None);
                }
            }
            "Tab" if !event.shift_key() => {
                let suggestions = helped.with_untracked(|known| known.0.suggestions.clone());
                if let Some(spec) = suggestions.get(chosen.get_untracked()) {
                    event.prevent_default();
                    accept(spec);
                }
            }
            "ArrowUp" => {
                event.prevent_default();
                let typed = line.get_untracked();
                if let Some(older) =
                    console.history.try_update_value(|history| history.older(&typed)).flatten()
                {
                    put(older);
                }
            }
            "ArrowDown" => {
                event.prevent_default();
                if let Some(newer) = console.history.try_update_value(|history| history.newer()).flatten() {
                    put(newer);
                }
            }
            "Escape" => put(String::new()),
            "l" if event.ctrl_key() => {
                event.prevent_default();
                console.clear();
            }
            _ => {}
        }
    };
    view! {
        <div class="typing">
            <Show when=move || helped.with(|known| known.0.command.is_some() || !known.0.suggestions.is_empty())>
                <Explained helped=helped accept=accept/>
            </Show>
            <label class="input-line">
                <span class="prompt" aria-hidden="true">"> "</span>
                <input
                    class="console-input"
                    type="text"
                    node_ref=input
                    aria-label=format!("Redis command for console {}", console.number)
                    placeholder="a Redis command, e.g. INCR hits"
                    autocomplete="off"
                    autocapitalize="off"
                    spellcheck="false"
                    prop:value=line
                    on:input=move |event| put(event_target_value(&event))
                    on:keydown=keydown
                />
            </label>
        </div>
    }
}

/// Whether the page is used by touch, where a focused input would cover it with a keyboard.
pub(crate) fn is_touch() -> bool {
    window().match_media("(pointer: coarse)").ok().flatten().is_some_and(|query| query.matches())
}

/// Help, compared by what it shows.
#[derive(Clone)]
struct Known(Help);

impl PartialEq for Known {
    fn eq(&self, other: &Self) -> bool {
        let names = |help: &Help| help.suggestions.iter().map(|spec| spec.name).collect::<Vec<_>>();
        self.0.command.map(|spec| spec.name) == other.0.command.map(|spec| spec.name)
            && names(&self.0) == names(&other.0)
    }
}

#[component]
fn Explained(helped: Memo<Known>, accept: impl Fn(&Spec) + Copy + Send + Sync + 'static) -> impl IntoView {
    view! {
        <div class="explained" aria-live="polite">
            {move || helped.get().0.command.map(|spec| view! {
                <p class="usage">
                    <code><b>{written(spec)}</b> " " {spec.usage}</code>
                    " " <span class="summary">{spec.summary} " " {arity(spec)}</span>
                </p>
            })}
            <div class="suggestions">
                {move || helped.get().0.suggestions.into_iter().map(|spec| view! {
                    <button
                        class="suggestion"
                        tabindex="-1"
                        // Before the input loses its focus.
                        on:mousedown=move |event| {
                            event.prevent_default();
                            accept(spec);
                        }
                    >
                        <code>{written(spec)}</code> " " <span class="summary">{spec.summary}</span>
                    </button>
                }).collect_view()}
            </div>
        </div>
    }
}

/// How many arguments a command takes, in words.
fn arity(spec: &Spec) -> String {
    if !spec.subcommands.is_empty() {
        return "Takes a subcommand.".to_owned();
    }
    let names = 1 + u32::from(spec.name.contains('|'));
    let arguments = |count: u32| match count {
        0 => "no argument".to_owned(),
        1 => "1 argument".to_owned(),
        count => format!("{count} arguments"),
    };
    let count = spec.arity.unsigned_abs().saturating_sub(names);
    match (spec.arity < 0, count) {
        (false, count) => format!("Takes {}.", arguments(count)),
        (true, 0) => "Takes any number of arguments.".to_owned(),
        (true, count) => format!("Takes at least {}.", arguments(count)),
    }
}
