//! A Web Worker that runs `machine.js`. Carries messages there and back as JSON, and the trace as bytes; knows none of them.

use js_sys::{JSON, Reflect, Uint8Array};
use serde_json::Value;
use wasm_bindgen::JsCast;
use wasm_bindgen::closure::Closure;
use web_sys::{MessageEvent, WorkerOptions, WorkerType};

use super::message::{Message, Read};

/// What a worker tells.
#[derive(Debug)]
pub(crate) enum News {
    Trace {
        bytes: Vec<u8>,
        reset: bool,
    },
    Told(Box<Message>),
    /// It could not be loaded, or what it said could not be read.
    Broken(String),
}

/// The worker and what listens to it. Dropping it ends the worker where it stands.
pub(crate) struct Worker {
    worker: web_sys::Worker,
    _on_message: Closure<dyn FnMut(MessageEvent)>,
    _on_error: Closure<dyn FnMut(web_sys::Event)>,
}

impl Worker {
    /// Starts one; `None` if the browser does not let the page.
    pub(crate) fn start(listener: impl Fn(News) + Clone + 'static) -> Option<Self> {
        let module = WorkerOptions::new();
        module.set_type(WorkerType::Module);
        let worker = web_sys::Worker::new_with_options("machine.js", &module).ok()?;
        let heard = listener.clone();
        let on_message = Closure::<dyn FnMut(MessageEvent)>::new(move |event: MessageEvent| {
            heard(read(&event.data()));
        });
        let on_error = Closure::<dyn FnMut(web_sys::Event)>::new(move |_| {
            listener(News::Broken("the time machine could not be loaded".to_owned()));
        });
        worker.set_onmessage(Some(on_message.as_ref().unchecked_ref()));
        worker.set_onerror(Some(on_error.as_ref().unchecked_ref()));
        Some(Self { worker, _on_message: on_message, _on_error: on_error })
    }

    /// Sends a message.
    pub(crate) fn post(&self, message: &Value) {
        // What `json!` makes is JSON, and a plain object can be cloned: neither fails.
        if let Ok(message) = JSON::parse(&message.to_string()) {
            let _ = self.worker.post_message(&message);
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.worker.set_onmessage(None);
        self.worker.set_onerror(None);
        self.worker.terminate();
    }
}

fn read(data: &wasm_bindgen::JsValue) -> News {
    let field = |name: &str| Reflect::get(data, &name.into()).ok().filter(|value| !value.is_undefined());
    if let Some(trace) = field("trace") {
        let reset = field("reset").is_some_and(|reset| reset.is_truthy());
        return News::Trace { bytes: Uint8Array::new(&trace).to_vec(), reset };
    }
    let text = JSON::stringify(data).ok().and_then(|text| text.as_string()).unwrap_or_default();
    match serde_json::from_str(&text) {
        Ok(message) => News::Told(Box::new(Message::read(&message))),
        Err(error) => News::Broken(format!("the time machine said what the page cannot read: {error}")),
    }
}
