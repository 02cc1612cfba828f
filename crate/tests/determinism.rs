//! A run is made again byte for byte: a thousand of them, made by chance, twice each. In a browser they give the same bytes
//! too; the end-to-end tests hold it.

#[path = "support/recipes.rs"]
mod recipes;

use std::thread;

use interleave::machine::Recipe;

/// How many runs.
const RUNS: u64 = 1_000;

#[test]
fn a_thousand_runs_give_the_same_bytes_twice() {
    for number in 0..RUNS {
        let recipe = recipes::recipe(number);
        let kept = Recipe::from_json(&recipe.to_json()).expect("what was written is read");
        let first = recipes::trace(&recipe);
        // The second elsewhere: nothing of a run is left in a thread, or taken from it.
        let second = thread::scope(|scope| scope.spawn(|| recipes::trace(&kept)).join());
        let second = second.unwrap_or_else(|_| panic!("run {number} panics in another thread"));
        assert!(first.len() > 100, "run {number} is no run");
        assert!(first == second, "run {number} differs: {recipe:?}");
    }
}

#[test]
fn runs_differ_from_each_other() {
    let mut traces: Vec<_> = (0..100).map(|number| recipes::trace(&recipes::recipe(number))).collect();
    traces.sort();
    traces.dedup();
    assert_eq!(traces.len(), 100);
}
