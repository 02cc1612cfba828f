//! Headless Chromium, driven by chromedriver: one browser a test, with nothing remembered. Knows pages in general,
//! not ours.

use std::process::Command;

use fantoccini::wd::{Capabilities, WebDriverCompatibleCommand};
use fantoccini::{Client, ClientBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::process::Process;
use crate::server::free_ports;
use crate::{PATIENCE, eventually};

/// What the window is like.
#[derive(Clone, Copy, Debug)]
pub struct Window {
    /// In CSS pixels; one is one pixel of a screenshot.
    pub width: u32,
    /// In CSS pixels.
    pub height: u32,
    /// Whether the reader prefers dark colours.
    pub dark: bool,
}

impl Window {
    /// A usual desktop screen.
    pub const WIDE: Self = Self { width: 1440, height: 900, dark: false };
    /// A usual telephone, upright.
    pub const NARROW: Self = Self { width: 390, height: 844, dark: false };

    /// The same window in dark colours.
    #[must_use]
    pub fn dark(self) -> Self {
        Self { dark: true, ..self }
    }
}

/// A browser with one page.
pub struct Browser {
    /// To do what has no method here.
    pub client: Client,
    // Dropped in this order: the processes first, then the folder they write to.
    _driver: Process,
    _folder: TempDir,
}

impl Browser {
    /// Starts a browser. Slow: about a second.
    ///
    /// # Panics
    /// When chromedriver or Chromium cannot be started.
    pub async fn start(window: Window) -> Self {
        let folder = tempfile::tempdir().expect("a folder for the browser");
        let [port] = free_ports();
        let driver = Process::start(
            Command::new("chromedriver").arg(format!("--port={port}")),
            &folder.path().join("chromedriver.log"),
        );
        let capabilities = capabilities(&folder);
        let client = eventually("a session with chromedriver", async || {
            ClientBuilder::new(HttpConnector::new())
                .capabilities(capabilities.clone())
                .connect(&format!("http://127.0.0.1:{port}"))
                .await
                .map_err(|error| format!("{error}; chromedriver printed:\n{}", driver.output()))
        })
        .await;
        let browser = Self { client, _driver: driver, _folder: folder };
        browser.set_window(window).await;
        browser
    }

    /// Changes the window while a page is open.
    pub async fn set_window(&self, Window { width, height, dark }: Window) {
        let metrics = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.devtools("Emulation.setDeviceMetricsOverride", metrics).await;
        let scheme = if dark { "dark" } else { "light" };
        let features = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        self.devtools("Emulation.setEmulatedMedia", features).await;
    }

    /// Opens an address and waits until the page has loaded.
    pub async fn open(&self, url: &str) {
        self.client.goto(url).await.unwrap_or_else(|error| panic!("cannot open {url}: {error}"));
    }

    /// Runs a function body in the page and returns what it returns; promises are awaited.
    pub async fn script(&self, body: &str) -> Value {
        // An error is returned as text, to be told with the script that threw it.
        let script = format!(
            "const done = arguments[arguments.length - 1];\
             (async () => {{ {body} }})().then((value) => done({{ value }}), (error) => done({{ error: String(error) }}));"
        );
        let answer = self.client.execute_async(&script, Vec::new()).await;
        let mut answer = answer.unwrap_or_else(|error| panic!("the page did not answer `{body}`: {error}"));
        if let Some(error) = answer.get("error") {
            panic!("`{body}` threw {error}");
        }
        answer["value"].take()
    }

    /// Forgets all that pages of `origin`, such as `http://127.0.0.1:8080`, left in the browser: the next visit is a first
    /// one. Leave its pages before; they may store something on their way out.
    pub async fn forget(&self, origin: &str) {
        self.devtools("Network.clearBrowserCache", json!({})).await;
        let everything = json!({ "origin": origin, "storageTypes": "all" });
        self.devtools("Storage.clearDataForOrigin", everything).await;
    }

    /// A picture of the window, as a PNG file's bytes.
    pub async fn screenshot(&self) -> Vec<u8> {
        self.client.screenshot().await.unwrap_or_else(|error| panic!("no screenshot: {error}"))
    }

    /// What the page and the browser wrote to the console since the last call, as chromedriver gives it: `level`,
    /// `message`.
    pub async fn console(&self) -> Vec<Value> {
        let log = self.client.issue_cmd(Post { path: "se/log", body: json!({ "type": "browser" }) }).await;
        match log {
            Ok(Value::Array(entries)) => entries,
            other => panic!("expected the browser's log, found {other:?}"),
        }
    }

    /// One command of the DevTools protocol.
    async fn devtools(&self, command: &'static str, params: Value) -> Value {
        let body = json!({ "cmd": command, "params": params });
        let answer = self.client.issue_cmd(Post { path: "goog/cdp/execute", body }).await;
        answer.unwrap_or_else(|error| panic!("{command} failed: {error}"))
    }
}

fn capabilities(folder: &TempDir) -> Capabilities {
    let profile = format!("--user-data-dir={}", folder.path().join("profile").display());
    let options = json!({
        "args": [
            "--headless",
            // Chromium refuses its sandbox to root, which a container's tests run as.
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            // Containers give little shared memory.
            "--disable-dev-shm-usage",
            profile,
        ],
    });
    let wanted = json!({
        "goog:chromeOptions": options,
        "goog:loggingPrefs": { "browser": "ALL" },
        "timeouts": { "script": PATIENCE.as_millis() as u64 },
    });
    match wanted {
        Value::Object(map) => map,
        _ => unreachable!("the literal above is an object"),
    }
}

/// A command of chromedriver's own.
#[derive(Debug)]
struct Post {
    /// After the session's address.
    path: &'static str,
    body: Value,
}

impl WebDriverCompatibleCommand for Post {
    fn endpoint(&self, base: &url::Url, session: Option<&str>) -> Result<url::Url, url::ParseError> {
        base.join(&format!("session/{}/{}", session.unwrap_or_default(), self.path))
    }

    fn method_and_body(&self, _: &url::Url) -> (http::Method, Option<String>) {
        (http::Method::POST, Some(self.body.to_string()))
    }
}
