//! The page as a person uses it: type a command, read the reply, look at the timeline. Knows where things are on the
//! page and what `interleave.state()` tells of it; when the page changes, this file does.

use std::fs;
use std::panic::AssertUnwindSafe;
use std::path::Path;

use fantoccini::Locator;
use fantoccini::elements::Element;
use futures_util::FutureExt;
use serde_json::Value;

use crate::browser::{Browser, Window};
use crate::eventually;
use crate::host::Host;
use crate::pixels::{Area, Colour, colours};
use crate::server::Server;

/// The page in a browser.
pub struct Playground {
    /// To do what has no method here.
    pub browser: Browser,
}

/// Starts a server with `flags`, opens its page, and runs a test on both.
pub async fn with_server(flags: &[&str], window: Window, test: impl AsyncFnOnce(&Playground, &mut Server)) {
    let mut server = Server::start(flags).await;
    let page = Playground::open(&server.url(), window).await;
    page.picture_of_failure(AssertUnwindSafe(test(&page, &mut server))).await;
}

/// Opens the page from a plain web host, with no server of ours anywhere, and runs a test on it.
pub async fn without_server(window: Window, test: impl AsyncFnOnce(&Playground)) {
    let host = Host::start().await;
    let page = Playground::open(&host.url(), window).await;
    page.picture_of_failure(AssertUnwindSafe(test(&page))).await;
}

impl Playground {
    /// Opens the page and waits until it can be used.
    pub async fn open(url: &str, window: Window) -> Self {
        let page = Self { browser: Browser::start(window).await };
        page.browser.open(url).await;
        page.is_ready().await;
        page
    }

    /// Loads the page again, as the reader's reload button does.
    pub async fn reload(&self) {
        self.browser.client.refresh().await.unwrap_or_else(|error| panic!("cannot reload: {error}"));
        self.is_ready().await;
    }

    async fn is_ready(&self) {
        eventually("a page with `interleave` and a console", async || {
            let ready =
                self.browser.script("return Boolean(window.interleave?.state().consoles.length)").await;
            if ready == true { Ok(()) } else { Err(format!("console: {:?}", self.browser.console().await)) }
        })
        .await;
    }

    /// What the page says of itself.
    pub async fn state(&self) -> Value {
        self.browser.script("return interleave.state()").await
    }

    /// Waits until `is_so` holds of the page's state, and returns that state.
    pub async fn until(&self, what: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        eventually(what, async || {
            let state = self.state().await;
            if is_so(&state) { Ok(state) } else { Err(brief(&state)) }
        })
        .await
    }

    /// The one visible element that a CSS selector finds; waits for it.
    pub async fn find(&self, selector: &str) -> Element {
        eventually(&format!("`{selector}` on the page"), async || {
            let found = self
                .browser
                .client
                .find_all(Locator::Css(selector))
                .await
                .map_err(|error| error.to_string())?;
            for element in found {
                if element.is_displayed().await.unwrap_or(false) {
                    return Ok(element);
                }
            }
            Err("nothing visible".to_owned())
        })
        .await
    }

    /// Clicks on what a CSS selector finds.
    pub async fn click(&self, selector: &str) {
        // What was found may be replaced before the click when the page draws itself anew.
        eventually(&format!("a click on `{selector}`"), async || {
            self.find(selector).await.click().await.map_err(|error| error.to_string())
        })
        .await;
    }

    /// The text that a CSS selector's element shows.
    pub async fn text(&self, selector: &str) -> String {
        self.find(selector).await.text().await.unwrap_or_else(|error| format!("(no text: {error})"))
    }

    /// Waits until an element shows `expected` somewhere in its text.
    pub async fn shows(&self, selector: &str, expected: &str) {
        eventually(&format!("`{expected}` in `{selector}`"), async || {
            let text = self.text(selector).await;
            if text.contains(expected) { Ok(()) } else { Err(text) }
        })
        .await;
    }

    /// The part of the window that an element takes.
    pub async fn area(&self, selector: &str) -> Area {
        let rectangle = self.find(selector).await.rectangle().await;
        let (left, top, width, height) =
            rectangle.unwrap_or_else(|error| panic!("no place of `{selector}`: {error}"));
        Area { left, top, width, height }
    }

    /// What a CSS colour, such as `var(--running)`, is on the page as it now looks.
    pub async fn colour(&self, css: &str) -> Colour {
        let script = format!(
            "const probe = document.body.appendChild(document.createElement('i'));\
             probe.style.color = {css:?};\
             const canvas = new OffscreenCanvas(1, 1).getContext('2d');\
             canvas.fillStyle = getComputedStyle(probe).color;\
             probe.remove();\
             canvas.fillRect(0, 0, 1, 1);\
             return [...canvas.getImageData(0, 0, 1, 1).data]"
        );
        let rgba = self.browser.script(&script).await;
        let channel = |index: usize| rgba[index].as_u64().and_then(|value| u8::try_from(value).ok());
        match (channel(0), channel(1), channel(2)) {
            (Some(red), Some(green), Some(blue)) => [red, green, blue],
            _ => panic!("expected a colour for `{css}`, found {rgba}"),
        }
    }

    /// How many pixels of an element have exactly this colour now.
    pub async fn pixels(&self, selector: &str, colour: Colour) -> usize {
        let area = self.area(selector).await;
        colours(&self.browser.screenshot().await, area).get(&colour).copied().unwrap_or_default()
    }

    /// Runs a test; when it fails, its last sight is kept beside the build.
    async fn picture_of_failure(&self, test: AssertUnwindSafe<impl Future<Output = ()>>) {
        let Err(panic) = test.catch_unwind().await else { return };
        let name = std::thread::current().name().unwrap_or("test").replace("::", "-");
        let file =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/e2e").join(name).with_extension("png");
        let picture = self.browser.client.screenshot().await;
        if let (Ok(picture), Some(folder)) = (picture, file.parent())
            && fs::create_dir_all(folder).and_then(|()| fs::write(&file, picture)).is_ok()
        {
            eprintln!("the page as it was: {}", file.display());
        }
        eprintln!("the browser's console: {:#?}", self.browser.console().await);
        std::panic::resume_unwind(panic);
    }
}

/// A state short enough for an error message: its lists by their length.
fn brief(state: &Value) -> String {
    let Value::Object(fields) = state else { return state.to_string() };
    let field = |(name, value): (&String, &Value)| match value {
        Value::Array(list) if list.len() > 3 => format!("{name}: {} of them", list.len()),
        value => format!("{name}: {value}"),
    };
    fields.iter().map(field).collect::<Vec<_>>().join(", ")
}
