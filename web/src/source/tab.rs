//! The server in this tab: a Web Worker that drives the wasm module `tab`. Knows the messages of `worker.js`, not what the
//! bytes mean.

use std::cell::Cell;
use std::rc::Rc;

use js_sys::{Object, Reflect, Uint8Array};
use wasm_bindgen::closure::Closure;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{MessageEvent, Worker, WorkerOptions, WorkerType};

use super::{About, Listener, News, TabOptions};

/// The worker and what listens to it. Dropping it ends the server where it stands.
pub(crate) struct Tab {
    worker: Option<Worker>,
    listener: Listener,
    _on_message: Closure<dyn FnMut(MessageEvent)>,
    _on_error: Closure<dyn FnMut(web_sys::Event)>,
}

impl Tab {
    pub(super) fn start(options: TabOptions, listener: Listener) -> Self {
        let about = About {
            resp: String::new(),
            flavor: "current-thread".to_owned(),
            sharing: options.sharing.name().to_owned(),
            workers: 1,
        };
        let failed = Rc::new(Cell::new(false));
        let (heard, unfit) = (Rc::clone(&listener), Rc::clone(&listener));
        let has_failed = Rc::clone(&failed);
        let on_message = Closure::<dyn FnMut(MessageEvent)>::new(move |event: MessageEvent| {
            if let Some(news) = news(&event.data(), &about) {
                has_failed.set(matches!(news, News::Down { .. }));
                heard(news);
            }
        });
        let on_error = Closure::<dyn FnMut(web_sys::Event)>::new(move |_| {
            if !failed.replace(true) {
                let why = "the tab's server could not be loaded".to_owned();
                unfit(News::Down { why, retry_ms: None });
            }
        });
        let module = WorkerOptions::new();
        module.set_type(WorkerType::Module);
        let worker = Worker::new_with_options("worker.js", &module).ok();
        if let Some(worker) = &worker {
            worker.set_onmessage(Some(on_message.as_ref().unchecked_ref()));
            worker.set_onerror(Some(on_error.as_ref().unchecked_ref()));
        }
        let tab = Self { worker, listener, _on_message: on_message, _on_error: on_error };
        let start = object(&[
            ("sharing", options.sharing.name().into()),
            ("holdMs", options.hold_ms.into()),
            ("scene", options.scene.into()),
            // Exact as a number; a run's own, so that RANDOMKEY is not the same at every visit.
            ("seed", (js_sys::Math::random() * 9e15).floor().into()),
        ]);
        tab.post(&[("start", start)]);
        tab
    }

    pub(super) fn open(&self, number: u32) {
        self.post(&[("open", number.into())]);
        // A pipe stands as soon as it is made.
        (self.listener)(News::Opened(number));
    }

    pub(super) fn send(&self, number: u32, bytes: &[u8]) {
        self.post(&[("send", number.into()), ("bytes", Uint8Array::from(bytes).into())]);
    }

    pub(super) fn close(&self, number: u32) {
        self.post(&[("close", number.into())]);
    }

    pub(super) fn set_running(&self, running: bool) {
        self.post(&[("running", running.into())]);
    }

    fn post(&self, fields: &[(&str, JsValue)]) {
        let posted = self.worker.as_ref().map(|worker| worker.post_message(&object(fields)));
        if !matches!(posted, Some(Ok(()))) {
            let why = "this browser does not let the page start a worker".to_owned();
            (self.listener)(News::Down { why, retry_ms: None });
        }
    }
}

impl Drop for Tab {
    fn drop(&mut self) {
        if let Some(worker) = &self.worker {
            worker.set_onmessage(None);
            worker.set_onerror(None);
            worker.terminate();
        }
    }
}

fn object(fields: &[(&str, JsValue)]) -> JsValue {
    let object = Object::new();
    for (name, value) in fields {
        // Setting a field of a plain object cannot fail.
        let _ = Reflect::set(&object, &(*name).into(), value);
    }
    object.into()
}

/// What a message of the worker's says.
fn news(message: &JsValue, about: &About) -> Option<News> {
    let field = |name: &str| Reflect::get(message, &name.into()).ok().filter(|value| !value.is_undefined());
    let bytes = |value: JsValue| Uint8Array::new(&value).to_vec();
    let number = |value: JsValue| value.as_f64().map(|number| number as u32);
    if let Some(trace) = field("trace") {
        Some(News::Trace(bytes(trace)))
    } else if let Some(console) = field("output") {
        Some(News::Bytes(number(console)?, bytes(field("bytes")?)))
    } else if let Some(console) = field("closed") {
        Some(News::Closed(number(console)?))
    } else if field("started").is_some() {
        Some(News::Up(about.clone()))
    } else {
        let why = format!("the tab's server failed: {}", field("failed")?.as_string().unwrap_or_default());
        Some(News::Down { why, retry_ms: None })
    }
}
