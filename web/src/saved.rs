//! What the page keeps from visit to visit, in the browser's local storage. Knows its form, not what it is used for.

use leptos::prelude::window;
use serde::{Deserialize, Serialize};

use crate::machine::{Breakpoint, Settings};

const KEY: &str = "interleave";

/// Lines of a console that are kept.
pub(crate) const LINES_MAX: usize = 100;

/// What tells this window's consoles from those of another, in the session's storage: every window has its own.
const WINDOW_KEY: &str = "interleave-window";

/// What no other window has, or hardly ever: three letters, the same as long as the window lives.
pub(crate) fn window_word() -> String {
    let storage = window().session_storage().ok().flatten();
    let kept = storage.as_ref().and_then(|storage| storage.get_item(WINDOW_KEY).ok().flatten());
    kept.unwrap_or_else(|| {
        let word = word((js_sys::Math::random() * f64::from(WORDS)) as u32);
        if let Some(storage) = storage {
            // Where it cannot be kept, the consoles are called otherwise after a reload; nothing else depends on it.
            let _ = storage.set_item(WINDOW_KEY, &word);
        }
        word
    })
}

/// No vowels: nothing that could be read as a word it should not be.
const LETTERS: &[u8] = b"bcdfghjkmnpqrstvwxz23456789";
const WORDS: u32 = (LETTERS.len() * LETTERS.len() * LETTERS.len()) as u32;

fn word(number: u32) -> String {
    let (number, base) = (number as usize, LETTERS.len());
    let letters = [number % base, number / base % base, number / base / base % base];
    letters.map(|place| char::from(LETTERS[place])).into_iter().collect()
}

/// Everything that is kept. Fields a former version did not know have their defaults.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Saved {
    /// `native`, `tab` or `machine`, if a person chose one.
    pub(crate) source: Option<String>,
    /// How connections share the store in the tab.
    pub(crate) sharing: Option<String>,
    /// How long `async-mutex` holds its lock in the tab, in milliseconds.
    pub(crate) hold_ms: u32,
    /// `light` or `dark`, if a person chose one.
    pub(crate) theme: Option<String>,
    /// `workers` or `tasks`.
    pub(crate) lanes: Option<String>,
    /// Whether idle time is drawn in full.
    pub(crate) idle_in_full: bool,
    /// Whether the lanes of ended tasks are shown, if a person chose.
    pub(crate) ended_open: Option<bool>,
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
    /// The run with its branches and where each stands, in a form that is the worker's.
    pub(crate) run: Option<String>,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_have_words_of_their_own() {
        let words: std::collections::BTreeSet<_> = (0..WORDS).map(word).collect();
        assert_eq!(words.len(), WORDS as usize);
        assert!(words.contains("bbb") && words.contains("999"));
    }
}
