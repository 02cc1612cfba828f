//! The page as a person uses it: type a command, read the reply, look at the timeline. Knows where things are on the
//! page and what `interleave.state()` tells of it; when the page changes, this file does.

use std::fs;
use std::panic::AssertUnwindSafe;
use std::path::Path;
use std::time::Duration;

use fantoccini::Locator;
use fantoccini::actions::{
    Actions, InputSource, KeyAction, KeyActions, MOUSE_BUTTON_LEFT, MouseActions, PointerAction, WheelAction,
    WheelActions,
};
use fantoccini::elements::Element;
use fantoccini::key::Key;
use futures_util::FutureExt;
use serde_json::Value;

use crate::browser::{Browser, Window};
use crate::eventually;
use crate::host::Host;
use crate::pixels::{Area, Colour, Run, colours, longest_run};
use crate::server::Server;

/// The line being typed in the console in front.
pub const PROMPT: &str = ".console:not(.hidden) .console-input";

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

    /// Leaves the page and follows a link to it, as in a new tab.
    pub async fn follow(&self, link: &str) {
        self.browser.open("about:blank").await;
        self.browser.open(link).await;
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

    /// Waits until every console is connected.
    pub async fn is_connected(&self) -> Value {
        self.until("connected consoles", |state| {
            state["link"] == "up"
                && list(&state["consoles"]).iter().all(|console| console["connected"] == true)
        })
        .await
    }

    /// Types a line into the console in front, and Enter.
    pub async fn type_line(&self, line: &str) {
        self.keys(PROMPT, &format!("{line}\n")).await;
    }

    /// The reply to the line that was typed last among those that are equal, in the console in front; waits for it.
    pub async fn reply_of(&self, line: &str) -> String {
        let entry = self.entry(line, "a reply", |entry| entry["reply"].is_string()).await;
        entry["reply"].as_str().unwrap_or_default().to_owned()
    }

    /// Types a line and waits for its reply.
    pub async fn answer(&self, line: &str) -> String {
        self.type_line(line).await;
        self.reply_of(line).await
    }

    /// Types a line and waits until the way its command took is known to its end; returns the stretches in words.
    pub async fn path_of(&self, line: &str) -> Vec<String> {
        self.type_line(line).await;
        self.way_of(line).await
    }

    /// Waits until the way of a command that was typed is known to its end; returns the stretches in words.
    pub async fn way_of(&self, line: &str) -> Vec<String> {
        let is_whole =
            |entry: &Value| list(&entry["path"]).last().is_some_and(|last| last == "writes the reply");
        let entry = self.entry(line, "the way of the command", is_whole).await;
        list(&entry["path"]).iter().filter_map(Value::as_str).map(str::to_owned).collect()
    }

    /// Waits until `is_so` holds of the last entry with this line in the console in front.
    pub async fn entry(&self, line: &str, what: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        eventually(&format!("{what} for `{line}`"), async || {
            let state = self.state().await;
            let entries = list(&front(&state)["entries"]);
            match entries.iter().rev().find(|entry| entry["line"] == line) {
                Some(entry) if is_so(entry) => Ok(entry.clone()),
                _ => Err(format!("{entries:?}")),
            }
        })
        .await
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

    /// Opens the time machine and waits until its first run stands.
    pub async fn open_machine(&self) {
        self.click("#source-machine").await;
        self.machine("a run that is open", |machine| machine["look"]["tasks"].is_array()).await;
    }

    /// Waits until `is_so` holds of what the page tells of the time machine, and returns that.
    pub async fn machine(&self, what: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        eventually(what, async || {
            let machine = self.state().await["machine"].take();
            if is_so(&machine) { Ok(machine) } else { Err(brief(&machine)) }
        })
        .await
    }

    /// Waits until what the time machine shows is kept for a reload: the worker tells it a moment after, and the page writes it
    /// down another moment later.
    pub async fn is_kept(&self) {
        tokio::time::sleep(Duration::from_millis(400)).await;
    }

    /// Puts `text` in place of what is in the time machine's editor, as if it were pasted, and opens a run of it.
    pub async fn run_scenario(&self, text: &str) -> Value {
        self.write_scenario(text).await;
        self.click("#m-run").await;
        self.machine("a run of the text", |machine| {
            machine["opened"]["scenario"] == text && machine["look"]["step"] == 0
        })
        .await
    }

    /// Puts `text` in place of what is in the time machine's editor, as if it were pasted.
    pub async fn write_scenario(&self, text: &str) {
        let script = format!(
            "const area = document.querySelector('#m-text'); area.focus(); area.select();\
             document.execCommand('insertText', false, {text:?})"
        );
        self.browser.script(&script).await;
        self.machine("the text", |machine| machine["text"] == text).await;
    }

    /// Makes steps until `is_so` holds of what the page tells of the time machine; panics when the run ends before.
    pub async fn step_until(&self, what: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        let mut machine = self
            .machine("a run that stands", |machine| machine["look"]["step"] == machine["at"]["step"])
            .await;
        while !is_so(&machine) {
            let step = machine["at"]["step"].clone();
            assert_ne!(machine["at"]["ended"], true, "expected {what} before the run ends at step {step}");
            self.click("#m-step").await;
            let went_on = |machine: &Value| {
                machine["at"]["step"] != step && machine["look"]["step"] == machine["at"]["step"]
            };
            machine = self.machine("the next step", went_on).await;
        }
        machine
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

    /// Presses keys with the focus on what a CSS selector finds; special keys are WebDriver's characters, see
    /// [`fantoccini::key::Key`].
    pub async fn keys(&self, selector: &str, keys: &str) {
        let sent = self.find(selector).await.send_keys(keys).await;
        sent.unwrap_or_else(|error| panic!("`{selector}` takes no keys: {error}"));
    }

    /// Presses a key with the focus wherever it is.
    pub async fn press(&self, key: Key) {
        let value = char::from(key);
        let keys = KeyActions::new("keys".to_owned());
        self.perform(keys.then(KeyAction::Down { value }).then(KeyAction::Up { value }).into()).await;
    }

    /// Chooses an option of a select element.
    pub async fn choose(&self, selector: &str, option: &str) {
        let chosen = self.find(selector).await.select_by_value(option).await;
        chosen.unwrap_or_else(|error| panic!("cannot choose {option} in `{selector}`: {error}"));
    }

    /// A property of an element, such as an input's `value`.
    pub async fn property(&self, selector: &str, name: &str) -> String {
        self.find(selector).await.prop(name).await.ok().flatten().unwrap_or_default()
    }

    /// An attribute of an element, such as `aria-pressed`.
    pub async fn attribute(&self, selector: &str, name: &str) -> Option<String> {
        self.find(selector).await.attr(name).await.ok().flatten()
    }

    /// Moves the mouse to a place of the window.
    pub async fn hover(&self, (x, y): (f64, f64)) {
        self.mouse(vec![PointerAction::MoveTo { duration: None, x, y }]).await;
    }

    /// Clicks at a place of the window.
    pub async fn click_at(&self, place: (f64, f64)) {
        self.drag(place, (0.0, 0.0)).await;
    }

    /// Presses the mouse at a place of the window, moves it in some steps, and lets go.
    pub async fn drag(&self, (x, y): (f64, f64), (dx, dy): (f64, f64)) {
        const STEPS: u32 = 5;
        // One step a frame, as a hand does.
        let step = PointerAction::MoveBy {
            duration: Some(Duration::from_millis(20)),
            x: dx / f64::from(STEPS),
            y: dy / f64::from(STEPS),
        };
        let mut actions = vec![
            PointerAction::MoveTo { duration: None, x, y },
            PointerAction::Down { button: MOUSE_BUTTON_LEFT },
        ];
        if (dx, dy) != (0.0, 0.0) {
            actions.extend(vec![step; STEPS as usize]);
        }
        actions.push(PointerAction::Up { button: MOUSE_BUTTON_LEFT });
        self.mouse(actions).await;
    }

    async fn mouse(&self, actions: Vec<PointerAction>) {
        let mouse = actions.into_iter().fold(MouseActions::new("mouse".to_owned()), MouseActions::then);
        self.perform(mouse.into()).await;
    }

    /// Turns the wheel at a place of the window; below zero is away from the person, which zooms in.
    pub async fn wheel(&self, (x, y): (f64, f64), delta_y: i64) {
        // Whole pixels are all that WebDriver knows here.
        let (x, y) = (x.round() as i64, y.round() as i64);
        let scroll = WheelAction::Scroll { duration: None, x, y, delta_x: 0, delta_y };
        self.perform(WheelActions::new("wheel".to_owned()).then(scroll).into()).await;
    }

    async fn perform(&self, actions: Actions) {
        let done = self.browser.client.perform_actions(actions).await;
        done.unwrap_or_else(|error| panic!("the mouse failed: {error}"));
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

    /// The longest row of pixels of exactly this colour on an element, in pixels of the window.
    pub async fn longest_run(&self, selector: &str, colour: Colour) -> Option<Run> {
        let area = self.area(selector).await;
        longest_run(&self.browser.screenshot().await, area, colour)
    }

    /// Waits until a CSS colour is what `is_so` says, and returns it: the page learns of a theme a moment after the style
    /// sheet could.
    pub async fn colour_until(&self, css: &str, is_so: impl Fn(Colour) -> bool) -> Colour {
        eventually(&format!("another {css}"), async || {
            let colour = self.colour(css).await;
            if is_so(colour) { Ok(colour) } else { Err(format!("{colour:?}")) }
        })
        .await
    }

    /// Waits until a row of at least `pixels` pixels of a CSS colour stands on an element, and returns the longest.
    pub async fn run_of(&self, selector: &str, css: &str, pixels: usize) -> Run {
        eventually(&format!("{pixels} pixels of {css} in a row"), async || {
            // Asked anew each time: the theme may just be changing.
            let colour = self.colour(css).await;
            match self.longest_run(selector, colour).await {
                Some(run) if run.length >= pixels => Ok(run),
                other => Err(format!("{other:?}")),
            }
        })
        .await
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

/// The items of a list in the page's state; of anything else, none.
pub fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// The console in front.
pub fn front(state: &Value) -> &Value {
    let consoles = list(&state["consoles"]);
    consoles.iter().find(|console| console["number"] == state["console"]).unwrap_or(&Value::Null)
}

/// The task whose name begins with `name`; of several, the last that was spawned.
pub fn task<'a>(state: &'a Value, name: &str) -> Option<&'a Value> {
    let is_so = |task: &&Value| task["name"].as_str().is_some_and(|found| found.starts_with(name));
    list(&state["tasks"]).iter().rev().find(is_so)
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
