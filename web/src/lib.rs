//! The page: consoles that speak to a server, and a timeline of that server's tasks.
//!
//! This file starts it. Read on in [`page`], what all parts share; [`source`], where the server is; [`console`],
//! [`timeline`], [`drawer`] and [`machine`], what a person sees. Nothing here knows how a server works: the page is a Redis client and a
//! reader of traces, of a native server and of the one in this tab alike.

#![allow(unreachable_pub, reason = "Leptos makes every component's function and properties `pub`")]

mod page;

mod source;

mod console;

mod timeline;

mod drawer;

mod machine;

mod header;
mod help;
mod layout;
mod legend;
mod tip;

mod code;
mod devtools;
mod format;
mod frames;
mod names;
mod saved;
mod terms;
mod theme;

use wasm_bindgen::prelude::wasm_bindgen;

/// Puts the page into the document and connects it to a server.
#[wasm_bindgen(start)]
pub fn start() {
    console_error_panic_hook::set_once();
    if let Some(boot) = leptos::prelude::document().get_element_by_id("boot") {
        boot.remove();
    }
    leptos::mount::mount_to_body(layout::App);
}
