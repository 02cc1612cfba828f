//! Opening runs: of the text in the editor, of a link, a file, a schedule that was found, or as they were left. Owns what is
//! shown and forgotten when another run is open; knows no step.

use leptos::prelude::*;
use serde_json::{Value, json};

use super::message::Recipe;
use super::settings::Settings;
use super::{Machine, about, share, written};
use crate::page::{Link, Page};
use crate::source::Kind;

impl Machine {
    /// Opens a run of the text in the editor.
    pub(crate) fn open_text(self) {
        let recipe = self.text.with_untracked(|text| self.settings.with_untracked(|s| s.recipe(text)));
        self.open_recipe(&written(&recipe), false);
    }

    /// Opens a run; `shows` it in the editor, too.
    pub(crate) fn open_recipe(self, recipe: &str, shows: bool) {
        self.open(&json!({ "do": "open", "recipe": recipe }), shows);
    }

    /// Opens a schedule that exploring found. It is one of choices and without sessions, whatever the settings were: that is said.
    pub(crate) fn open_shortest(self, recipe: &str) {
        self.open_recipe(recipe, true);
        self.of_exploring.set_value(true);
    }

    /// Opens what is in a link or a file.
    pub(crate) fn open_from(self, what: &'static str, text: &str) {
        self.open(&json!({ "do": "open", what: text }), true);
    }

    pub(super) fn open(self, message: &Value, shows: bool) {
        self.shows_opened.set_value(shows);
        self.of_exploring.set_value(false);
        self.of_link.set_value(message["link"].is_string());
        self.notice.set(None);
        self.refused.set(None);
        self.post(message);
    }

    /// Opens what was kept, with all branches; the text in the editor if that cannot be read any more.
    pub(super) fn restore(self, kept: &str) {
        let recipe = self.text.with_untracked(|text| self.settings.with_untracked(|s| s.recipe(text)));
        self.open(&json!({ "do": "restore", "kept": kept, "recipe": written(&recipe) }), false);
    }

    /// Changes how runs are set up, and opens one.
    pub(crate) fn set_up(self, change: impl FnOnce(&mut Settings)) {
        self.settings.update(change);
        self.open_text();
    }

    /// Says that something is not opened, and why.
    pub(crate) fn refuse(self, why: String) {
        self.refused.set(Some(why.clone()));
        self.complain(why);
    }

    /// Asks for the run as it stands: its recipe and its link.
    pub(crate) fn ask_recipe(self, done: impl FnOnce(String, String) + 'static) {
        let id = self.new_id();
        self.asked.update_value(|asked| asked.push((id, Box::new(done))));
        self.post(&json!({ "do": "recipe", "id": id }));
    }

    pub(super) fn has_opened(self, page: Page, recipe: &str) {
        let Ok(recipe) = serde_json::from_str::<Recipe>(recipe) else { return };
        if self.shows_opened.get_value() && self.text.with_untracked(|text| *text != recipe.scenario) {
            self.text.set(recipe.scenario.clone());
            self.check_text();
        }
        let before = self.settings.get_untracked();
        let settings = Settings::of(&recipe, &before);
        if self.of_exploring.try_update_value(std::mem::take) == Some(true) && before != settings {
            self.say(format!(
                "A schedule is a row of choices, without sessions: the settings are {} now; they were {}.",
                settings.says(),
                before.says()
            ));
        }
        self.settings.set(settings);
        if !self.of_link.get_value() {
            self.leave_address(page);
        }
        if self.explored_text.with_value(|text| *text != recipe.scenario) {
            self.explored.set(None);
            self.explorer.set_value(None);
        }
        page.link.set(Link::Up(about(&recipe)));
        self.native.forget_others(&recipe.scenario);
        self.opened.set(Some(recipe));
        self.compared.set(None);
        self.is_beside.set(false);
        self.look.set(None);
        self.change.set(None);
        self.link.set(None);
        // A run that stands in its midst is looked at as a whole; a new one goes on at the scale there is.
        if self.opened.with_untracked(|opened| opened.as_ref().is_some_and(|opened| opened.step > 0)) {
            page.timeline.fit_soon();
        }
    }

    /// The page's address names no run any more; the place stays, as if a person had chosen it.
    pub(super) fn leave_address(self, page: Page) {
        self.of_link.set_value(false);
        if share::forget_address() {
            page.chosen.set(Some(Kind::Machine));
        }
    }
}
