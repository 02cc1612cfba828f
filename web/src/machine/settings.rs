//! How a run is set up, besides its scenario: what is chosen above the editor and kept for the next visit. Knows no run.

use serde::{Deserialize, Serialize};

use super::message::Recipe;

/// The flavours of the engine, and what the page calls them.
pub(crate) const FLAVORS: [&str; 3] = ["current-thread", "multi-thread", "manual"];

/// The most workers of the multi-thread model.
pub(crate) const WORKERS_MAX: u16 = 8;

/// How a run is set up, besides its scenario.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Settings {
    pub(crate) sharing: String,
    pub(crate) flavor: String,
    pub(crate) workers: u16,
    pub(crate) seed: u64,
    pub(crate) direct: bool,
    pub(crate) hold_ms: u64,
}

impl Default for Settings {
    fn default() -> Self {
        let sharing = interleave::sharing::Kind::Mutex.name().to_owned();
        Self { sharing, flavor: FLAVORS[0].to_owned(), workers: 2, seed: 0, direct: false, hold_ms: 0 }
    }
}

impl Settings {
    /// Those of a recipe; what it does not say is as it was `before`.
    pub(super) fn of(recipe: &Recipe, before: &Self) -> Self {
        Self {
            sharing: recipe.sharing.clone(),
            flavor: recipe.flavor.clone(),
            workers: recipe.workers.unwrap_or(before.workers).clamp(1, WORKERS_MAX),
            seed: recipe.seed,
            direct: recipe.direct,
            hold_ms: recipe.hold_ms,
        }
    }

    /// Who schedules, and whether there are sessions, in words.
    pub(super) fn says(&self) -> String {
        format!("{} and {}", self.flavor, if self.direct { "direct" } else { "not direct" })
    }

    /// A run of `scenario` set up like this, at its start.
    pub(crate) fn recipe(&self, scenario: &str) -> Recipe {
        Recipe {
            scenario: scenario.to_owned(),
            sharing: self.sharing.clone(),
            flavor: self.flavor.clone(),
            workers: (self.flavor == "multi-thread").then_some(self.workers),
            seed: self.seed,
            direct: self.direct,
            hold_ms: self.hold_ms,
            ..Recipe::default()
        }
    }
}
