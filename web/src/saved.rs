//! What the page keeps from visit to visit, in the browser's local storage. Knows its form, not what it is used for.

use leptos::prelude::window;
use serde::{Deserialize, Serialize};

use crate::machine::{Breakpoint, Settings};

const KEY: &str = "interleave";

/// Lines of a console that are kept.
pub(crate) const LINES_MAX: usize = 100;

/// Everything that is kept. Fields a former version did not know have their defaults.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Saved {
    /// `native`, `tab` or `machine`, if a person chose one.
    pub(crate) source: Option<String>,
    /// How connections share the store in the tab.
    pub(crate) sharing: Option<String>,
    /// `light` or `dark`, if a person chose one.
    pub(crate) theme: Option<String>,
    /// `workers` or `tasks`.
    pub(crate) lanes: Option<String>,
    /// Whether idle time is drawn in full.
    pub(crate) idle_in_full: bool,
    /// Nanoseconds a pixel.
    pub(crate) ns_per_px: Option<f64>,
    /// The consoles' height in CSS pixels.
    pub(crate) dock_px: Option<f64>,
    /// The time machine.
    pub(crate) machine: Option<SavedMachine>,
    pub(crate) consoles: Vec<SavedConsole>,
    /// The place of the console in front.
    pub(crate) active: usize,
}

/// The time machine.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct SavedMachine {
    /// The scenario in the editor.
    pub(crate) text: Option<String>,
    pub(crate) settings: Settings,
    pub(crate) breakpoints: Vec<Breakpoint>,
    /// Polls a second when it plays.
    pub(crate) per_second: Option<u32>,
}

/// One console.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct SavedConsole {
    pub(crate) number: u32,
    pub(crate) lines: Vec<SavedLine>,
    pub(crate) history: Vec<String>,
}

/// A command and its reply.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct SavedLine {
    pub(crate) command: String,
    pub(crate) reply: Option<String>,
    pub(crate) failed: bool,
}

/// What was kept, or the defaults: for a first visit, or where storage is forbidden or damaged.
pub(crate) fn load() -> Saved {
    let text =
        window().local_storage().ok().flatten().and_then(|storage| storage.get_item(KEY).ok().flatten());
    text.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default()
}

/// Keeps `saved`. Where storage is forbidden or full, the next visit begins afresh, which is no reason to disturb this one.
pub(crate) fn store(saved: &Saved) {
    if let (Ok(Some(storage)), Ok(text)) = (window().local_storage(), serde_json::to_string(saved)) {
        let _ = storage.set_item(KEY, &text);
    }
}
