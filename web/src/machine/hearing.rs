//! What the worker tells: its messages taken apart, each part where it belongs. Owns the order in which that is done.

use leptos::prelude::*;
use serde_json::Value;

use super::message::{Message, Read};
use super::worker::News;
use super::{Machine, Raw};
use crate::page::Page;
use crate::source::Kind;

impl Machine {
    pub(super) fn hear(self, page: Page, news: News) {
        match news {
            // The page shows another place; what it missed is sent again when it comes back.
            News::Trace { .. } if page.kind.get_untracked() != Kind::Machine => {}
            News::Trace { bytes, reset } => {
                if self.gather(&bytes, reset) || !reset && self.shows_two() {
                    return;
                }
                if reset {
                    page.renew_trace();
                }
                page.push_trace(bytes);
            }
            News::Told(message) => self.told(page, *message),
            News::Broken(why) => self.down(page, &why),
        }
    }

    pub(super) fn told(self, page: Page, message: Message) {
        if let Some(recipe) = message.opened.as_deref() {
            self.has_opened(page, recipe);
        }
        if let Some(why) = message.refused {
            self.refuse(why);
            if self.opened.with_untracked(Option::is_none) {
                // It waits for nothing any more.
                self.down(page, "nothing is open");
            }
        }
        // An answer about a text that has changed since is out of date.
        if let Some(report) = message.report.filter(|_| message.checked == Some(self.check_asked.get_value()))
        {
            self.check.set(self.read(report, |raw| &mut raw.check).unwrap_or_default());
        }
        if let Some(at) = message.at {
            self.stands(page, at);
            self.show_gathered(page);
        }
        if let Some(look) = message.look.and_then(|look| self.read(look, |raw| &mut raw.look)) {
            self.looks(look);
        }
        if let Some(hit) = message.hit {
            self.say(format!("Stopped at step {}: {} `{}`.", hit.step, hit.kind, hit.text));
        }
        if let Some(why) = message.failed {
            let step = message.step.unwrap_or_default();
            self.complain(format!(
                "The run broke down and was thrown away: {why}. It was made again, and stands at step {step}."
            ));
        }
        if let Some(kept) = message.kept {
            self.kept.set(Some(kept).filter(|kept| !kept.is_empty()));
        }
        if let (Some(recipe), Some(id)) = (message.recipe, message.id) {
            let asked = self.asked.try_update_value(|asked| {
                let place = asked.iter().position(|(asked, _)| *asked == id)?;
                Some(asked.swap_remove(place).1)
            });
            if let Some(done) = asked.flatten() {
                done(recipe, message.link.unwrap_or_default());
            }
        }
        if let Some(compared) = message.compared {
            self.compared.set(self.read(compared, |raw| &mut raw.compared));
            page.timeline.fit_soon();
        }
    }

    /// Reads what the module has written, and keeps it as it is for [`Self::describe`].
    pub(super) fn read<T: Read>(self, text: String, place: fn(&mut Raw) -> &mut String) -> Option<T> {
        let value = serde_json::from_str(&text).ok().filter(|value: &Value| !value.is_null());
        let value = value.map(|value| T::read(&value));
        self.raw.update_value(|raw| *place(raw) = text);
        value
    }
}
