//! Two runs on one timeline: this one and one under another sharing or flavour, or what the native server did. Owns when both are
//! shown and what is drawn then; knows not how they came about.

use std::sync::Arc;

use interleave::scope::frame::Frame;
use leptos::prelude::*;
use serde_json::json;

use super::message::Look;
use super::{Machine, native};
use crate::page::Page;

/// Two recordings that are to be shown beside each other.
pub(super) struct Gathered {
    /// The server's, and when it began.
    observed: Vec<Frame>,
    from_ns: u64,
    /// This run's, once it comes.
    modelled: Option<Vec<Vec<u8>>>,
}

impl Machine {
    /// Whether the timeline shows two runs side by side.
    pub(crate) fn shows_two(self) -> bool {
        self.compared.with_untracked(Option::is_some) || self.is_beside.get_untracked()
    }

    /// Shows what was `observed` on the server from `from_ns` on beside this run.
    pub(super) fn beside(self, observed: Vec<Frame>, from_ns: u64) {
        self.gathers.set_value(Some(Gathered { observed, from_ns, modelled: None }));
        self.post(&json!({ "do": "pause" }));
        self.post(&json!({ "do": "trace" }));
    }

    /// A part of the run's own trace that is gathered to be shown beside another. Whether it was.
    pub(super) fn gather(self, bytes: &[u8], reset: bool) -> bool {
        let gather = |gathers: &mut Option<Gathered>| {
            let Some(gathered) = gathers else { return false };
            // What comes before a reset is on its way from before.
            if reset {
                gathered.modelled = Some(Vec::new());
            }
            if let Some(modelled) = &mut gathered.modelled {
                modelled.push(bytes.to_vec());
            }
            true
        };
        self.gathers.try_update_value(gather).unwrap_or(false)
    }

    /// All of the run's trace has come: shows both.
    pub(super) fn show_gathered(self, page: Page) {
        let whole = self
            .gathers
            .with_value(|gathers| gathers.as_ref().is_some_and(|gathered| gathered.modelled.is_some()));
        let gathered = if whole { self.gathers.try_update_value(Option::take).flatten() } else { None };
        if let Some(Gathered { observed, from_ns, modelled: Some(modelled) }) = gathered {
            self.compared.set(None);
            self.is_beside.set(true);
            page.renew_trace();
            page.push_trace(native::side_by_side(&observed, from_ns, &modelled));
            page.timeline.fit_soon();
        }
    }

    /// From two runs side by side back to the one.
    pub(crate) fn back_to_run(self) {
        self.compared.set(None);
        self.is_beside.set(false);
        self.post(&json!({ "do": "trace" }));
    }

    /// Runs two recipes beside each other.
    pub(crate) fn compare(self, a: &str, b: &str) {
        self.post(&json!({ "do": "compare", "recipes": [a, b] }));
    }

    /// Where the playhead stands on the timeline: at the step, or where two runs part.
    pub(crate) fn playhead(self) -> Option<Playhead> {
        let parted = self.compared.with_untracked(|compared| {
            let parted = compared.as_ref()?.parted.as_ref();
            Some(parted.map(|parted| Playhead { at_ns: parted.at_ns, dims: false }))
        });
        match parted {
            _ if self.is_beside.get_untracked() => None,
            Some(parted) => parted,
            None => {
                self.at.with_untracked(|at| at.as_ref().map(|at| Playhead { at_ns: at.now_ns, dims: true }))
            }
        }
    }

    /// The run as it stands, for what is drawn of it; none where two runs are shown.
    pub(crate) fn drawn(self) -> Option<Arc<Look>> {
        self.look.get_untracked().filter(|_| !self.shows_two())
    }
}

/// Where the picture of a run is parted into what was and what is to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Playhead {
    pub(crate) at_ns: u64,
    /// Whether what comes after it is not so yet.
    pub(crate) dims: bool,
}
