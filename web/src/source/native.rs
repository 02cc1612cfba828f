//! The native server: one WebSocket for the trace, one for each console, tried again for as long as it is away. Knows the
//! server's addresses, not what the bytes mean.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::{Rc, Weak};

use leptos::prelude::window;
use serde::Deserialize;
use wasm_bindgen::closure::Closure;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::{BinaryType, MessageEvent, WebSocket};

use super::backoff::Backoff;
use super::{Listener, News};

/// How long the server may take to say who it is before it counts as away, in milliseconds.
const PROBE_MS: u32 = 1_500;

/// What a server says of itself at `api/info`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(crate) struct About {
    /// The address for Redis clients; empty for the tab.
    pub(crate) resp: String,
    pub(crate) flavor: String,
    pub(crate) sharing: String,
    pub(crate) workers: u16,
}

/// Asks the page's own host whether it is an Interleave server.
pub(crate) async fn probe() -> Option<About> {
    let init = web_sys::RequestInit::new();
    init.set_signal(Some(&web_sys::AbortSignal::timeout_with_u32(PROBE_MS)));
    let response = JsFuture::from(window().fetch_with_str_and_init("api/info", &init)).await.ok()?;
    let response: web_sys::Response = response.dyn_into().ok()?;
    if !response.ok() {
        return None;
    }
    let text = JsFuture::from(response.text().ok()?).await.ok()?.as_string()?;
    // Another host may answer anything with a page of its own.
    serde_json::from_str(&text).ok().filter(|about: &About| !about.sharing.is_empty())
}

/// The connection to the server. Dropping it closes all sockets.
pub(crate) struct Native(Rc<RefCell<State>>);

struct State {
    listener: Listener,
    trace: Option<Socket>,
    consoles: HashMap<u32, Socket>,
    backoff: Backoff,
}

impl Native {
    pub(super) fn start(listener: Listener) -> Self {
        let state = State { listener, trace: None, consoles: HashMap::new(), backoff: Backoff::default() };
        let native = Self(Rc::new(RefCell::new(state)));
        connect(Rc::downgrade(&native.0));
        native
    }

    pub(super) fn open(&self, number: u32) {
        let (opened, bytes, closed) =
            (Rc::downgrade(&self.0), Rc::downgrade(&self.0), Rc::downgrade(&self.0));
        let socket = Socket::open(
            "redis",
            move || tell(&opened, News::Opened(number)),
            move |message| tell(&bytes, News::Bytes(number, message)),
            move || {
                if let Some(state) = closed.upgrade() {
                    let gone = state.borrow_mut().consoles.remove(&number);
                    tell(&closed, News::Closed(number));
                    // Dropped last: it holds this very closure.
                    drop_later(gone);
                }
            },
        );
        match socket {
            Some(socket) => drop_later(self.0.borrow_mut().consoles.insert(number, socket)),
            None => tell(&Rc::downgrade(&self.0), News::Closed(number)),
        }
    }

    pub(super) fn send(&self, number: u32, bytes: &[u8]) {
        if let Some(socket) = self.0.borrow().consoles.get(&number) {
            // It fails while connecting or closing; then its close is told.
            let _ = socket.socket.send_with_u8_array(bytes);
        }
    }

    pub(super) fn close(&self, number: u32) {
        let gone = self.0.borrow_mut().consoles.remove(&number);
        drop_later(gone);
    }
}

/// Tells the page, unless the source is gone.
fn tell(state: &Weak<RefCell<State>>, news: News) {
    // The listener may call back, so nothing is borrowed while it runs.
    let listener = state.upgrade().map(|state| Rc::clone(&state.borrow().listener));
    if let Some(listener) = listener {
        listener(news);
    }
}

/// Finds the server and watches its trace; when that ends, waits and begins again.
fn connect(state: Weak<RefCell<State>>) {
    spawn_local(async move {
        let about = probe().await;
        let Some(strong) = state.upgrade() else { return };
        let Some(about) = about else {
            away(&state, "no Interleave server answers at this address");
            return;
        };
        let (message, closed) = (state.clone(), state.clone());
        let socket = Socket::open(
            "trace",
            || {},
            move |bytes| tell(&message, News::Trace(bytes)),
            move || {
                if let Some(state) = closed.upgrade() {
                    let gone = state.borrow_mut().trace.take();
                    away(&closed, "the server closed the connection");
                    drop_later(gone);
                }
            },
        );
        {
            let mut inner = strong.borrow_mut();
            inner.trace = socket;
            inner.backoff.succeeded();
        }
        tell(&state, News::Up(about));
    });
}

fn away(state: &Weak<RefCell<State>>, why: &str) {
    let Some(strong) = state.upgrade() else { return };
    let retry_ms = strong.borrow_mut().backoff.next_ms();
    tell(state, News::Down { why: why.to_owned(), retry_ms: Some(retry_ms) });
    let again = state.clone();
    let run = Closure::once_into_js(move || connect(again));
    let _ = window().set_timeout_with_callback_and_timeout_and_arguments_0(run.unchecked_ref(), retry_ms);
}

/// Drops a socket after the closure that asked for it, which may be one of the socket's own.
fn drop_later(socket: Option<Socket>) {
    if let Some(socket) = socket {
        socket.forget();
        spawn_local(async move { drop(socket) });
    }
}

/// A WebSocket with its closures.
pub(crate) struct Socket {
    socket: WebSocket,
    _on_open: Closure<dyn FnMut()>,
    _on_message: Closure<dyn FnMut(MessageEvent)>,
    _on_close: Closure<dyn FnMut()>,
}

impl Socket {
    /// Connects to `path` beside the page. `None` if the browser refuses outright.
    pub(crate) fn open(
        path: &str,
        on_open: impl FnMut() + 'static,
        mut on_bytes: impl FnMut(Vec<u8>) + 'static,
        on_close: impl FnMut() + 'static,
    ) -> Option<Self> {
        let socket = WebSocket::new(&address(path)?).ok()?;
        socket.set_binary_type(BinaryType::Arraybuffer);
        let on_open = Closure::<dyn FnMut()>::new(on_open);
        let on_message = Closure::<dyn FnMut(MessageEvent)>::new(move |event: MessageEvent| {
            on_bytes(js_sys::Uint8Array::new(&event.data()).to_vec());
        });
        let on_close = Closure::<dyn FnMut()>::new(on_close);
        socket.set_onopen(Some(on_open.as_ref().unchecked_ref()));
        socket.set_onmessage(Some(on_message.as_ref().unchecked_ref()));
        // A failed connection is told as a close too.
        socket.set_onclose(Some(on_close.as_ref().unchecked_ref()));
        Some(Self { socket, _on_open: on_open, _on_message: on_message, _on_close: on_close })
    }

    /// Hears nothing more of it.
    fn forget(&self) {
        self.socket.set_onopen(None);
        self.socket.set_onmessage(None);
        self.socket.set_onclose(None);
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.forget();
        let _ = self.socket.close();
    }
}

/// `path` beside the page, as a WebSocket's address.
pub(crate) fn address(path: &str) -> Option<String> {
    let href = window().location().href().ok()?;
    let url = js_sys::Reflect::get(&js_sys::global(), &JsValue::from_str("URL")).ok()?;
    let url: js_sys::Function = url.dyn_into().ok()?;
    let arguments = js_sys::Array::of2(&path.into(), &href.into());
    let url = js_sys::Reflect::construct(&url, &arguments).ok()?;
    let text = js_sys::Reflect::get(&url, &"href".into()).ok()?.as_string()?;
    Some(text.replacen("http", "ws", 1))
}
