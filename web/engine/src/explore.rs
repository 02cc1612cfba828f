//! An exploration in a worker of its own: every way a scenario can go.
//!
//! JSON goes in and out, in slices as long as the host likes. Knows no clock: the host looks at its own.

use interleave::engine::Flavor;
use interleave::explore::{Bounds, Explorer};
use interleave::machine::Recipe;
use wasm_bindgen::prelude::*;

/// An exploration under way. One a module at a time beside no server and no machine: each is an engine.
#[wasm_bindgen]
#[derive(Debug)]
pub struct Exploration {
    explorer: Explorer,
    recipe: Recipe,
}

#[wasm_bindgen]
impl Exploration {
    /// Of the run that `recipe` (JSON) makes; beyond `states` states at random (0: as many as there may be by default).
    #[wasm_bindgen(constructor)]
    pub fn new(recipe: &str, states: f64) -> Result<Self, JsError> {
        let recipe = Recipe::from_json(recipe)?;
        let mut bounds = Bounds::default();
        if states > 0.0 {
            bounds.states = states as usize;
        }
        let explorer = Explorer::of(&recipe, bounds)?;
        Ok(Self { explorer, recipe })
    }

    /// Explores for about `steps` steps (some ten thousand take some ten milliseconds); whether there is more to do.
    pub fn go(&mut self, steps: f64) -> bool {
        self.explorer.go(steps as u64)
    }

    /// Ends it where it is.
    pub fn stop(&mut self) {
        self.explorer.stop();
    }

    /// What each option of the run that `recipe` (JSON) makes leads to, as JSON; `null` if that is not known.
    pub fn ahead(&self, recipe: &str) -> Result<String, JsError> {
        let recipe = Recipe::from_json(recipe)?;
        let is_this = recipe.scenario == self.recipe.scenario && recipe.sharing == self.recipe.sharing;
        if !is_this || !recipe.direct || recipe.flavor != Flavor::Manual {
            return Ok("null".to_owned());
        }
        Ok(self.explorer.ahead_json(&recipe.choices, recipe.step))
    }

    /// What was found so far, as JSON, after `took_ms` milliseconds by the host's clock.
    pub fn report(&mut self, took_ms: f64) -> String {
        self.explorer.report().to_json(&self.recipe, took_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_there_after_every_slice() {
        let recipe = Recipe {
            scenario:
                "setup { SET stock 1 }\nclient buyer * 3 {\n let n = GET stock\n if n > 0 { DECR stock }\n}\n\
                       finally { assert GET stock >= 0 }"
                    .to_owned(),
            ..Recipe::default()
        };
        let mut exploration = Exploration::new(&recipe.to_json(), 0.0).unwrap();
        let mut slices = 0;
        while exploration.go(10.0) {
            assert!(exploration.report(1.0).contains(r#""done":false"#));
            slices += 1;
        }
        let report = exploration.report(2.5);
        assert!(slices > 1, "{slices}");
        for expected in [r#""done":true"#, r#""complete":true"#, r#""schedules":"66""#, r#""took_ms":2.5"#] {
            assert!(report.contains(expected), "{report}");
        }
    }
}
