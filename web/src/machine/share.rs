//! A run as a link and as a file: to take along, and to open again. Knows neither form; the worker makes and reads them.

use leptos::prelude::*;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::{JsFuture, spawn_local};

use super::Machine;
use crate::page::Page;

/// What stands before a run in an address.
const MARK: &str = "#run=";

/// Bytes of a file that are read: a hundred times what a long run of a person's takes.
const FILE_BYTES_MAX: f64 = (4 << 20) as f64;

/// How a saved run's file is called.
const FILE_NAME: &str = "run.interleave.json";

/// The run in the page's address, if there is one.
pub(crate) fn run_in_address() -> Option<String> {
    let hash = window().location().hash().ok()?;
    hash.strip_prefix(MARK).map(str::to_owned)
}

/// Takes the run out of the page's address, now that another one is open. Whether one was there.
pub(super) fn forget_address() -> bool {
    let there = run_in_address().is_some();
    let (location, history) = (window().location(), window().history());
    if let (true, Ok(path), Ok(query), Ok(history)) = (there, location.pathname(), location.search(), history)
    {
        // Refused only to a page without an address.
        let _ = history.replace_state_with_url(&JsValue::NULL, "", Some(&format!("{path}{query}")));
    }
    there
}

/// The address that opens what `link` says.
fn address(link: &str) -> String {
    let href = window().location().href().unwrap_or_default();
    let page = href.split('#').next().unwrap_or_default();
    let run = link.rsplit_once(MARK).map_or(link, |(_, run)| run);
    format!("{page}{MARK}{run}")
}

/// Opens what is in a file.
pub(super) fn open_file(machine: Machine, file: web_sys::File) {
    if file.size() > FILE_BYTES_MAX {
        machine.refuse(format!(
            "The file is too large for a run: expected at most 4 MB, found {:.0} MB.",
            file.size() / 1e6
        ));
        return;
    }
    spawn_local(async move {
        match JsFuture::from(file.text()).await {
            Ok(text) => machine.open_from("file", &text.as_string().unwrap_or_default()),
            Err(_) => machine.refuse("The file could not be read.".to_owned()),
        }
    });
}

/// Makes the browser save `text` as a file.
fn download(text: &str) {
    let content = String::from(js_sys::encode_uri_component(text));
    let Ok(anchor) = document().create_element("a") else { return };
    // A link that is clicked and forgotten is how a page saves a file.
    let _ = anchor.set_attribute("href", &format!("data:application/json;charset=utf-8,{content}"));
    let _ = anchor.set_attribute("download", FILE_NAME);
    if let Ok(anchor) = anchor.dyn_into::<web_sys::HtmlElement>() {
        anchor.click();
    }
}

/// The buttons.
#[component]
pub(crate) fn Share(page: Page) -> impl IntoView {
    let machine = page.machine;
    let copied = RwSignal::new(false);
    let copy = move |_| {
        copied.set(false);
        machine.ask_recipe(move |_, link| {
            let address = address(&link);
            let clipboard = window().navigator().clipboard();
            machine.link.set(Some(address.clone()));
            // Over plain HTTP a browser has none.
            if !clipboard.is_undefined() {
                spawn_local(async move {
                    copied.set(JsFuture::from(clipboard.write_text(&address)).await.is_ok());
                });
            }
        });
    };
    let picked = move |event: leptos::ev::Event| {
        let input = event.target().and_then(|target| target.dyn_into::<web_sys::HtmlInputElement>().ok());
        let Some(input) = input else { return };
        if let Some(file) = input.files().and_then(|files| files.get(0)) {
            open_file(machine, file);
        }
        // So that the same file can be opened again.
        input.set_value("");
    };
    view! {
        <div class="row">
            <button id="m-link" class="plain" on:click=copy>"copy link"</button>
            <button id="m-save" class="plain" on:click=move |_| machine.ask_recipe(|recipe, _| download(&recipe))>"save file"</button>
            <label class="plain file">
                "load file"
                <input id="m-load" type="file" accept=".json,application/json" on:change=picked/>
            </label>
        </div>
        {move || machine.link.get().map(|link| view! {
            <p id="m-copied" role="status">
                {move || if copied.get() { "Copied. Whoever opens it stands at this step:" } else { "Copy it from here; whoever opens it stands at this step:" }}
            </p>
            <input id="m-link-text" type="text" readonly aria-label="The link" prop:value=link
                on:focus=|event| {
                    let input = event.target().and_then(|target| target.dyn_into::<web_sys::HtmlInputElement>().ok());
                    if let Some(input) = input {
                        input.select();
                    }
                }/>
        })}
        <p class="note">
            "A link and a file hold the scenario, how it is set up, your choices and the step. A file can be dropped anywhere here, and "
            <code>"interleave-server run FILE"</code> " runs it natively."
        </p>
    }
}
