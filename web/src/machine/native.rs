//! The scenario on the native server, through real connections: asks the page's own host, and tells what came of it beside
//! what the model says. Knows the messages of `/scenario`, not how the server runs it.

use leptos::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use wasm_bindgen::JsCast;
use wasm_bindgen::closure::Closure;
use web_sys::{MessageEvent, WebSocket};

use crate::page::Page;
use crate::source::address;

/// What is known of a run on the server.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Standing {
    Nothing,
    Connecting,
    Runs,
    Finished(Finished),
    Failed(String),
}

/// What came of a run on the server, and when it was, by the recording's clock.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Finished {
    pub(crate) good: bool,
    pub(crate) deadlock: bool,
    pub(crate) headline: String,
    pub(crate) text: String,
    pub(crate) from_ns: u64,
    pub(crate) to_ns: u64,
}

/// What the server tells.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Told {
    started: bool,
    finished: Option<Finished>,
    refused: Option<String>,
}

/// The run on the server. A handle: copies are the same.
#[derive(Clone, Copy)]
pub(crate) struct Native {
    standing: RwSignal<Standing>,
    socket: StoredValue<Option<Socket>, LocalStorage>,
}

struct Socket {
    socket: WebSocket,
    _on_open: Closure<dyn FnMut()>,
    _on_message: Closure<dyn FnMut(MessageEvent)>,
    _on_close: Closure<dyn FnMut()>,
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.socket.set_onopen(None);
        self.socket.set_onmessage(None);
        self.socket.set_onclose(None);
        let _ = self.socket.close();
    }
}

impl Native {
    pub(super) fn new() -> Self {
        Self { standing: RwSignal::new(Standing::Nothing), socket: StoredValue::new_local(None) }
    }

    /// Hears no more of it.
    pub(super) fn leave(self) {
        self.socket.set_value(None);
        self.standing.set(Standing::Nothing);
    }

    /// Sends a scenario to the page's own host.
    fn run(self, scenario: &str) {
        self.standing.set(Standing::Connecting);
        let socket = address("scenario").and_then(|address| WebSocket::new(&address).ok());
        let Some(socket) = socket else {
            self.fail("This browser does not let the page connect to its host.");
            return;
        };
        let message = json!({ "scenario": scenario }).to_string();
        let opened = socket.clone();
        let on_open = Closure::<dyn FnMut()>::new(move || {
            // It fails while closing; then its close is told.
            let _ = opened.send_with_str(&message);
        });
        let on_message = Closure::<dyn FnMut(MessageEvent)>::new(move |event: MessageEvent| {
            let text = event.data().as_string().unwrap_or_default();
            self.told(serde_json::from_str(&text).unwrap_or_default());
        });
        // A failed connection is told as a close, too.
        let on_close = Closure::<dyn FnMut()>::new(move || match self.standing.get_untracked() {
            Standing::Connecting => {
                self.fail("No Interleave server answers at this page's address. Start one with `cargo xtask play`, and open its page.");
            }
            Standing::Runs => self.fail("The server closed the connection before the run had ended."),
            _ => {}
        });
        socket.set_onopen(Some(on_open.as_ref().unchecked_ref()));
        socket.set_onmessage(Some(on_message.as_ref().unchecked_ref()));
        socket.set_onclose(Some(on_close.as_ref().unchecked_ref()));
        let socket = Socket { socket, _on_open: on_open, _on_message: on_message, _on_close: on_close };
        self.socket.set_value(Some(socket));
    }

    fn told(self, told: Told) {
        if told.started {
            self.standing.set(Standing::Runs);
        }
        if let Some(finished) = told.finished {
            self.standing.set(Standing::Finished(finished));
        }
        if let Some(why) = told.refused {
            self.fail(&format!("The server refused: {why}"));
        }
    }

    fn fail(self, why: &str) {
        self.standing.set(Standing::Failed(why.to_owned()));
    }

    /// What is known, for `interleave.state()`.
    pub(super) fn describe(self) -> Value {
        json!(self.standing.get_untracked())
    }
}

/// The button, and both outcomes.
#[component]
pub(crate) fn NativeRun(page: Page) -> impl IntoView {
    let machine = page.machine;
    let native = machine.native;
    let runs = move || matches!(native.standing.get(), Standing::Connecting | Standing::Runs);
    let model = move || {
        machine.look.with(|look| {
            let look = look.as_ref()?;
            Some(match &look.outcome {
                Some(outcome) => outcome.headline.clone(),
                None => format!("not at its end yet, at step {}", look.step),
            })
        })
    };
    let observed = move || match native.standing.get() {
        Standing::Nothing => None,
        Standing::Connecting => Some("asking the server\u{2026}".to_owned()),
        Standing::Runs => Some("it runs\u{2026}".to_owned()),
        Standing::Finished(finished) => Some(finished.headline),
        Standing::Failed(why) => Some(why),
    };
    view! {
        <div class="row">
            <button id="m-native" class="plain" disabled=runs on:click=move |_| native.run(&machine.text.get_untracked())>
                "run it on the native server"
            </button>
        </div>
        {move || observed().map(|observed| view! {
            <dl class="both" id="m-both">
                <dt><Origin term="observed"/></dt><dd id="m-observed">{observed}</dd>
                <dt><Origin term="modelled"/></dt><dd>{model}</dd>
            </dl>
        })}
        <p class="note">"Real connections to the server behind this page, each client one, on its real runtime."</p>
    }
}

#[component]
fn Origin(term: &'static str) -> impl IntoView {
    view! { <crate::tip::Term term=term/> }
}
