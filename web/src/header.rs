//! The line at the top: which server, how its connections share the store, the two numbers, the theme. Knows no task.

use interleave::sharing;
use leptos::prelude::*;

use crate::format;
use crate::page::{Link, Page, PartNumbers};
use crate::source::Kind;
use crate::terms::explain;
use crate::theme;
use crate::tip::Term;

/// The header.
#[component]
pub(crate) fn Header(page: Page) -> impl IntoView {
    let about = move || match page.link.get() {
        Link::Up(about) => Some(about),
        _ => None,
    };
    view! {
        <header inert=move || page.help.get()>
            <h1>"Interleave"</h1>
            <div class="segmented" role="group" aria-label="Where the server runs">
                <SourceButton page=page kind=Kind::Native id="source-native" label="native server"/>
                <SourceButton page=page kind=Kind::Tab id="source-tab" label="in this tab"/>
                <SourceButton page=page kind=Kind::Machine id="source-machine" label="time machine"/>
            </div>
            <Status page=page/>
            <Show when=move || page.kind.get() == Kind::Tab>
                <TabControls page=page/>
            </Show>
            <span class="setup">
                <Show when=move || about().is_some()>
                    <span class="fact" id="flavor">
                        <Word of=move || about().map(|about| about.flavor).unwrap_or_default()/>
                        // A current-thread runtime has no more than one.
                        <span class:wide=move || about().is_some_and(|about| about.workers == 1)>
                            {move || about().map(|about| match about.workers {
                                1 => ", 1 worker".to_owned(),
                                workers => format!(", {workers} workers"),
                            })}
                        </span>
                    </span>
                    <Show when=move || page.kind.get() == Kind::Native>
                        <span class="fact">
                            <Term term="sharing"/> ": "
                            <b id="native-sharing"><Word of=move || about().map(|about| about.sharing).unwrap_or_default()/></b>
                        </span>
                        <span class="fact resp">"redis-cli: " <code>{move || about().map(|about| about.resp)}</code></span>
                    </Show>
                </Show>
            </span>
            <span class="right">
                <NumbersView page=page/>
                <button
                    class="plain"
                    id="theme"
                    aria-label="Change between light and dark"
                    data-tip="Change between light and dark."
                    on:click=move |_| theme::toggle(page)
                >
                    "◐"
                </button>
                <button
                    class="plain"
                    id="help"
                    aria-label="Help: keys and terms"
                    data-tip="Keys and terms ( ? )"
                    on:click=move |_| page.help.set(true)
                >
                    "?"
                </button>
            </span>
        </header>
    }
}

/// A term whose text is known only later.
#[component]
pub(crate) fn Word(of: impl Fn() -> String + Copy + Send + Sync + 'static) -> impl IntoView {
    view! {
        <span class="term" tabindex="0" data-tip=move || explain(&of()).unwrap_or_default()>{of}</span>
    }
}

#[component]
fn SourceButton(page: Page, kind: Kind, id: &'static str, label: &'static str) -> impl IntoView {
    view! {
        <button
            id=id
            aria-pressed=move || (page.kind.get() == kind).to_string()
            data-tip=explain(label)
            on:click=move |_| {
                if page.kind.get_untracked() != kind || !matches!(page.link.get_untracked(), Link::Up(_)) {
                    page.choose(kind);
                }
            }
        >
            {label}
        </button>
    }
}

/// Whether the server can be reached, in words and as a dot.
#[component]
fn Status(page: Page) -> impl IntoView {
    let text = move || match page.link.get() {
        Link::Starting => "connecting…".to_owned(),
        Link::Up(_) if page.kind.get() == Kind::Machine => page.machine.status(),
        Link::Up(_) if !page.running.get() => "paused".to_owned(),
        Link::Up(_) if page.kind.get() == Kind::Tab => "running".to_owned(),
        Link::Up(_) => "connected".to_owned(),
        Link::Down { why, retry_ms: Some(retry_ms) } => {
            format!("{why}; trying again in {}", format::duration(f64::from(retry_ms) * 1e6))
        }
        Link::Down { why, retry_ms: None } => why,
    };
    let class = move || match page.link.get() {
        Link::Starting => "starting",
        Link::Up(_) if page.kind.get() == Kind::Machine && page.machine.is_ended_badly() => "down",
        Link::Up(_) if !page.running.get() => "paused",
        Link::Up(_) => "up",
        Link::Down { .. } => "down",
    };
    view! {
        <span id="status" role="status" class=class>{text}</span>
    }
}

#[component]
fn TabControls(page: Page) -> impl IntoView {
    let options = sharing::Kind::ALL.map(|kind| {
        view! {
            <option value=kind.name() selected=move || page.sharing.get() == kind>{kind.name()}</option>
        }
    });
    view! {
        <button
            id="pause"
            class="plain"
            aria-pressed=move || (!page.running.get()).to_string()
            aria-label=move || if page.running.get() { "pause" } else { "resume" }
            data-tip="Let the tab's server stand still, its clock too, or run on."
            on:click=move |_| page.set_running(!page.running.get_untracked())
        >
            {move || if page.running.get() { "❚❚" } else { "▶" }}
            <span class="wide">{move || if page.running.get() { " pause" } else { " resume" }}</span>
        </button>
        <button
            id="scene"
            class="plain"
            aria-label="replay"
            data-tip="Start a new server and play the scene: three clients, one counter."
            on:click=move |_| page.start(Kind::Tab, true)
        >
            "⟲" <span class="wide">" replay"</span>
        </button>
        <label class="fact">
            <Term term="sharing"/> " "
            <select
                id="sharing"
                aria-label="How connections share the store; changing it starts a new server"
                on:change=move |event| {
                    if let Ok(kind) = event_target_value(&event).parse() {
                        page.sharing.set(kind);
                        page.start(Kind::Tab, true);
                    }
                }
            >
                {options}
            </select>
        </label>
        <Show when=move || page.sharing.get() == sharing::Kind::AsyncMutex>
            <Hold page=page/>
        </Show>
    }
}

/// How long the lock of `async-mutex` may be held, in milliseconds: from not at all to what one can watch happen.
const HOLDS_MS: [u32; 5] = [0, 1, 10, 100, 1000];

#[component]
fn Hold(page: Page) -> impl IntoView {
    let options = HOLDS_MS.map(|ms| {
        view! {
            <option value=ms selected=move || page.hold_ms.get() == ms>{format!("{ms} ms")}</option>
        }
    });
    view! {
        <label class="fact">
            <Term term="hold"/> " "
            <select
                id="hold"
                aria-label="How long a task holds the lock across an await; changing it starts a new server"
                on:change=move |event| {
                    if let Ok(hold_ms) = event_target_value(&event).parse() {
                        page.hold_ms.set(hold_ms);
                        page.start(Kind::Tab, true);
                    }
                }
            >
                {options}
            </select>
        </label>
    }
}

/// Concurrency and parallelism, and what is missing from the picture. Without a server there is nothing to count: a dash.
#[component]
fn NumbersView(page: Page) -> impl IntoView {
    let is_live = move || matches!(page.link.get(), Link::Up(_));
    let live = move |number: &dyn Fn() -> String| if is_live() { number() } else { "\u{2013}".to_owned() };
    let alive = move || live(&|| page.numbers.with(|numbers| numbers.concurrency.alive.to_string()));
    let at_most = move || live(&|| page.numbers.with(|numbers| numbers.parallelism.max.to_string()));
    let average = move || page.numbers.with(|numbers| format!("{:.2}", numbers.parallelism.average));
    let missing = move || {
        let dropped = page.numbers.with(|numbers| numbers.dropped);
        (dropped > 0).then(|| format::count(dropped))
    };
    let parts = Memo::new(move |_| page.numbers.with(|numbers| numbers.parts.clone()));
    // Of several runtimes each has its own, with its name.
    let several = move || parts.with(|parts| !parts.is_empty());
    let each = move |number: fn(&PartNumbers) -> String| {
        let one = |part: PartNumbers| view! { <small class="part">{part.name.clone()} " " <b>{number(&part)}</b></small> };
        parts.get().into_iter().map(one).collect_view()
    };
    view! {
        <span class="numbers" class:stale=move || !is_live()>
            <span class="number" id="concurrency">
                <Show when=several fallback=move || view! { <b>{alive}</b> }>{move || each(|part| part.alive.to_string())}</Show>
                " " <Term term="concurrency"/>
            </span>
            <span class="number" id="parallelism">
                <Show when=several fallback=move || view! {
                    <b>{at_most}</b>
                    <Show when=is_live>
                        <small data-tip="The most tasks that were polled at the same instant during the last second, of as many as there are workers." tabindex="0">
                            " of " {move || page.numbers.with(|numbers| numbers.workers)} <span class="wide">" at most"</span>
                        </small>
                    </Show>
                }>{move || each(|part| format!("{} of {}", part.parallelism.max, part.workers))}</Show>
                " "
                <Term term="parallelism"/>
                <Show when=move || is_live() && !several()>
                    <small class="average" data-tip="Tasks being polled, on average over the last second." tabindex="0">
                        " " {average} " on average"
                    </small>
                </Show>
            </span>
            <span class="number missing" id="dropped" class:none=move || missing().is_none()>
                <b>{move || missing().unwrap_or_else(|| "0".to_owned())}</b> " " <Term term="dropped"/>
            </span>
        </span>
    }
}
