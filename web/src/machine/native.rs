//! The scenario on the native server, through real connections: asks the page's own host, gathers the trace of that time, and
//! shows it beside the model's. Knows the messages of `/scenario` and `/trace`, not how the server runs anything.

use interleave::scope::codec;
use interleave::scope::frame::{Chunk, Frame};
use interleave::scope::merge::{Part, merge};
use leptos::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use wasm_bindgen::JsCast;
use wasm_bindgen::closure::Closure;
use wasm_bindgen_futures::spawn_local;
use web_sys::{MessageEvent, WebSocket};

use crate::header::Word;
use crate::page::Page;
use crate::source::{Socket, address};
use crate::tip::Term;

/// Bytes of the server's trace that are gathered for one run; what comes after is not shown.
const TRACE_BYTES_MAX: usize = 16 << 20;

/// What is known of a run on the server.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Standing {
    Nothing,
    Connecting,
    Runs,
    Finished(Finished),
    Failed(String),
}

/// What came of a run on the server, and when it was, by the recording's clock.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct Finished {
    good: bool,
    deadlock: bool,
    headline: String,
    text: String,
    from_ns: u64,
    to_ns: u64,
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
    asked: StoredValue<Option<Asked>, LocalStorage>,
    trace: StoredValue<Option<Socket>, LocalStorage>,
    /// What the server's trace brought, and how many bytes it took.
    seen: StoredValue<(Vec<Frame>, usize), LocalStorage>,
    /// The scenario that is asked for, once the server has begun to record.
    waiting: StoredValue<Option<String>>,
    /// The scenario of which the outcome is shown.
    scenario: StoredValue<String>,
}

/// The conversation about one run.
struct Asked {
    socket: WebSocket,
    _on_open: Closure<dyn FnMut()>,
    _on_message: Closure<dyn FnMut(MessageEvent)>,
    _on_close: Closure<dyn FnMut()>,
}

impl Drop for Asked {
    fn drop(&mut self) {
        self.socket.set_onopen(None);
        self.socket.set_onmessage(None);
        self.socket.set_onclose(None);
        let _ = self.socket.close();
    }
}

impl Native {
    pub(super) fn new() -> Self {
        Self {
            standing: RwSignal::new(Standing::Nothing),
            asked: StoredValue::new_local(None),
            trace: StoredValue::new_local(None),
            seen: StoredValue::new_local((Vec::new(), 0)),
            waiting: StoredValue::new(None),
            scenario: StoredValue::new(String::new()),
        }
    }

    /// Hears no more of it.
    pub(super) fn leave(self) {
        self.hang_up();
        self.standing.set(Standing::Nothing);
    }

    /// A run of `scenario` is opened: what came of another one says nothing of it.
    pub(super) fn forget_others(self, scenario: &str) {
        if self.scenario.with_value(|shown| shown != scenario) {
            self.leave();
        }
    }

    /// Closes both sockets, after the closure that asks for it, which may be one of theirs.
    fn hang_up(self) {
        let asked = self.asked.try_update_value(Option::take);
        let trace = self.trace.try_update_value(Option::take);
        spawn_local(async move { drop((asked, trace)) });
    }

    /// Sends a scenario to the page's own host, once the trace is being watched.
    fn run(self, page: Page, scenario: String) {
        self.hang_up();
        self.seen.set_value((Vec::new(), 0));
        self.scenario.set_value(scenario.clone());
        self.waiting.set_value(Some(scenario));
        self.standing.set(Standing::Connecting);
        let watched =
            Socket::open("trace", || {}, move |bytes| self.watch(page, &bytes), move || self.closed());
        match watched {
            Some(watched) => self.trace.set_value(Some(watched)),
            None => self.fail("This browser does not let the page connect to its host."),
        }
    }

    fn ask(self, page: Page, scenario: &str) {
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
            self.told(page, serde_json::from_str(&text).unwrap_or_default());
        });
        // A failed connection is told as a close, too.
        let on_close = Closure::<dyn FnMut()>::new(move || self.closed());
        socket.set_onopen(Some(on_open.as_ref().unchecked_ref()));
        socket.set_onmessage(Some(on_message.as_ref().unchecked_ref()));
        socket.set_onclose(Some(on_close.as_ref().unchecked_ref()));
        let asked = Asked { socket, _on_open: on_open, _on_message: on_message, _on_close: on_close };
        self.asked.set_value(Some(asked));
    }

    fn closed(self) {
        match self.standing.get_untracked() {
            Standing::Connecting => self.fail(
                "No Interleave server answers at this page's address. Start one with `cargo xtask play`, and open its page.",
            ),
            Standing::Runs => self.fail("The server closed the connection before the run had ended."),
            _ => {}
        }
    }

    fn told(self, page: Page, told: Told) {
        if told.started {
            self.standing.set(Standing::Runs);
        }
        if let Some(finished) = told.finished {
            self.standing.set(Standing::Finished(finished));
            self.show_if_whole(page);
        }
        if let Some(why) = told.refused {
            self.fail(&format!("The server refused: {why}"));
        }
    }

    fn fail(self, why: &str) {
        self.standing.set(Standing::Failed(why.to_owned()));
        self.hang_up();
    }

    fn watch(self, page: Page, bytes: &[u8]) {
        let Ok(frames) = codec::decode(bytes) else { return };
        // An open connection is no recording yet: what happens before the first drain may be missed.
        if frames.iter().any(|frame| matches!(frame, Frame::Drained { .. }))
            && let Some(scenario) = self.waiting.try_update_value(Option::take).flatten()
        {
            self.ask(page, &scenario);
        }
        self.seen.update_value(|(seen, all)| {
            *all += bytes.len();
            // Past the bound only the clock is of interest, which says when the run's end has been passed.
            let fits = *all <= TRACE_BYTES_MAX;
            seen.extend(frames.into_iter().filter(|frame| fits || matches!(frame, Frame::Drained { .. })));
        });
        self.show_if_whole(page);
    }

    /// The trace comes a little later than the outcome: both are shown when all of it is there.
    fn show_if_whole(self, page: Page) {
        let Standing::Finished(finished) = self.standing.get_untracked() else { return };
        let is_whole = self.seen.with_value(|(seen, _)| {
            seen.iter()
                .rev()
                .any(|frame| matches!(frame, Frame::Drained { at_ns } if *at_ns >= finished.to_ns))
        });
        if is_whole {
            self.hang_up();
            let seen = self.seen.try_update_value(|(seen, _)| std::mem::take(seen)).unwrap_or_default();
            let observed = stretch(seen, finished.from_ns, finished.to_ns);
            page.machine.beside(observed, finished.from_ns);
        }
    }

    /// What is known, for `interleave.state()`.
    pub(super) fn describe(self) -> Value {
        json!(self.standing.get_untracked())
    }
}

/// Of a recording, what happened from `from_ns` to `to_ns`.
fn stretch(frames: Vec<Frame>, from_ns: u64, to_ns: u64) -> Vec<Frame> {
    let cut = |frame| match frame {
        Frame::Events(Chunk { thread, mut events }) => {
            events.retain(|stamped| (from_ns..=to_ns).contains(&stamped.at_ns));
            Frame::Events(Chunk { thread, events })
        }
        Frame::Drained { at_ns } => Frame::Drained { at_ns: at_ns.min(to_ns) },
        frame => frame,
    };
    frames.into_iter().map(cut).collect()
}

/// The server's recording and the model's in one, as a message of the trace. The server's begins at `from_ns`.
pub(super) fn side_by_side(observed: &[Frame], from_ns: u64, modelled: &[Vec<u8>]) -> Vec<u8> {
    let modelled: Vec<Frame> =
        modelled.iter().filter_map(|bytes| codec::decode(bytes).ok()).flatten().collect();
    let merged = merge(&[
        Part { name: "native", frames: observed, at_ns: from_ns },
        Part { name: "model", frames: &modelled, at_ns: 0 },
    ]);
    let mut message = Vec::new();
    codec::encode(&merged, &mut message);
    message
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
    let origin =
        move || machine.look.with(|look| look.as_ref().map(|look| look.origin.clone()).unwrap_or_default());
    let observed = move || match native.standing.get() {
        Standing::Nothing => None,
        Standing::Connecting => Some("asking the server\u{2026}".to_owned()),
        Standing::Runs => Some("it runs\u{2026}".to_owned()),
        Standing::Finished(finished) => Some(finished.headline),
        Standing::Failed(why) => Some(why),
    };
    view! {
        <div class="row">
            <button id="m-native" class="plain" disabled=runs on:click=move |_| {
                native.run(page, machine.text.get_untracked());
                machine.run_to_end();
            }>
                "run it on the native server"
            </button>
        </div>
        {move || observed().map(|observed| view! {
            <dl class="both" id="m-both">
                <dt>"on the server, " <Term term="observed"/></dt><dd id="m-observed">{observed}</dd>
                <dt>"here, " <Word of=origin/></dt>
                <dd id="m-here">{model}</dd>
            </dl>
        })}
        <Show when=move || machine.is_beside.get()>
            <p>"Both are on the timeline, each task with the name of its runtime in front. "
                <button class="plain" id="m-unbeside" on:click=move |_| machine.back_to_run()>"back to the run"</button></p>
        </Show>
        <p class="note">"Real connections to the server behind this page, each client one, on its real runtime."</p>
    }
}

#[cfg(test)]
mod tests {
    use interleave::scope::event::{Event, LabelId, Stamped, TaskId};
    use interleave::scope::trace::Trace;

    use super::*;

    fn spawned(task: u32, at_ns: u64) -> Frame {
        let event = Event::Spawn { task: TaskId(task), label: LabelId(0), number: 0 };
        Frame::Events(Chunk { thread: 0, events: vec![Stamped { at_ns, event }] })
    }

    #[test]
    fn both_recordings_begin_at_the_same_moment() {
        let seen =
            vec![spawned(1, 900), spawned(2, 1_200), spawned(3, 5_000), Frame::Drained { at_ns: 9_000 }];
        let observed = stretch(seen, 1_000, 2_000);
        let mut model = Vec::new();
        codec::encode(&[spawned(1, 100)], &mut model);
        let mut trace = Trace::new();
        for frame in codec::decode(&side_by_side(&observed, 1_000, &[model])).unwrap_or_default() {
            trace.apply(&frame);
        }
        let mut spawned_ns: Vec<u64> = trace.tasks().map(|task| task.spawned_ns).collect();
        spawned_ns.sort_unstable();
        assert_eq!(spawned_ns, [100, 200]);
    }
}
