//! Every interleaving of the scenario, in a worker of its own, and what can come of each choice. Owns when it is asked for; the
//! table of outcomes is another file's.

use leptos::prelude::*;
use serde_json::json;

use super::message::Explored;
use super::worker::{News, Worker};
use super::{Machine, written};

impl Machine {
    /// Explores every interleaving of the text in the editor.
    pub(crate) fn explore(self) {
        // A worker of its own, and a new one: what another scenario left behind is gone with the old.
        let Some(worker) = Worker::start(move |news| self.hear_explorer(news)) else {
            self.complain("This browser does not let the page start a worker.");
            return;
        };
        let text = self.text.get_untracked();
        let recipe = self.settings.with_untracked(|settings| settings.recipe(&text));
        worker.post(&json!({ "do": "explore", "recipe": written(&recipe) }));
        self.explorer.set_value(Some(worker));
        self.raw.update_value(|raw| raw.explored = "{}".to_owned());
        self.explored_text.set_value(text);
        self.explored.set(Some(Explored::default()));
    }

    /// Ends exploring; what was found so far stays.
    pub(crate) fn stop_exploring(self) {
        self.explorer
            .with_value(|worker| worker.as_ref().map(|worker| worker.post(&json!({ "do": "stop" }))));
    }

    pub(super) fn hear_explorer(self, news: News) {
        match news {
            News::Told(message) => {
                if let Some(report) = message.explored {
                    self.explored.set(self.read(report, |raw| &mut raw.explored));
                    self.look_ahead();
                }
                if message.id.is_some_and(|id| id == self.ahead_asked.get_value()) {
                    self.ahead.set(message.ahead.and_then(|ahead| self.read(ahead, |raw| &mut raw.ahead)));
                }
                if let Some(why) = message.refused.or(message.failed) {
                    self.complain(format!("Exploring ended: {why}"));
                    self.end_exploring();
                }
            }
            News::Broken(why) => {
                self.complain(why);
                self.end_exploring();
            }
            News::Trace { .. } => {}
        }
    }

    /// Asks what can come of each option, if all interleavings were run. Only then is it known, and only of a run that is
    /// direct, as those are that are explored.
    pub(super) fn look_ahead(self) {
        let explored =
            self.explored.with_untracked(|it| it.as_ref().is_some_and(|it| it.complete && it.done));
        let chooses = self.look.with_untracked(|look| look.as_ref().is_some_and(|it| !it.options.is_empty()));
        if !explored || !chooses || !self.opened.with_untracked(|it| it.as_ref().is_some_and(|it| it.direct))
        {
            return;
        }
        self.ask_recipe(move |recipe, _| {
            let id = self.new_id();
            self.ahead_asked.set_value(id);
            let message = json!({ "do": "ahead", "id": id, "recipe": recipe });
            self.explorer.with_value(|explorer| explorer.as_ref().map(|explorer| explorer.post(&message)));
        });
    }

    pub(super) fn end_exploring(self) {
        self.explorer.set_value(None);
        self.explored.set(None);
    }
}
