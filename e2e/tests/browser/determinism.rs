//! A run is the same in the browser's WebAssembly as it is natively, byte for byte: a thousand of them, made by chance. Here
//! alone the code behind the page is used, to make the same runs. Digests of what is recorded are compared; the bytes
//! themselves would be megabytes.

#[path = "../../../crate/tests/support/recipes.rs"]
mod recipes;

use interleave_e2e::browser::Window;
use interleave_e2e::playground::{list, without_server};
use serde_json::json;

/// How many runs.
const RUNS: u64 = 1_000;

/// How many in one call of the page.
const BATCH: usize = 50;

/// Loads the module of "this tab" and leaves a function that makes runs. The digest is FNV-1a, of 32 bits.
const PREPARE: &str = r#"
    const engine = await import(new URL("engine.js", location));
    await engine.default({ module_or_path: new URL("engine_bg.wasm", location) });
    window.digests = (recipes) => recipes.map((recipe) => {
        const machine = new engine.Machine(recipe);
        while (!machine.is_over() && machine.steps(1_000).length > 0) {}
        const bytes = machine.take_trace();
        machine.free();
        let hash = 0x811c9dc5;
        for (const byte of bytes) hash = Math.imul(hash ^ byte, 0x01000193);
        return `${bytes.length} bytes, ${hash >>> 0}`;
    });
"#;

fn digest(bytes: &[u8]) -> String {
    let hash =
        bytes.iter().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193));
    format!("{} bytes, {hash}", bytes.len())
}

/// Every run as text, and its digest here.
fn natively() -> Vec<(String, String)> {
    let made = |number| {
        let recipe = recipes::recipe(number);
        (recipe.to_json(), digest(&recipes::trace(&recipe)))
    };
    (0..RUNS).map(made).collect()
}

#[tokio::test]
async fn a_thousand_runs_give_the_same_bytes_in_the_browser_as_natively() {
    // On a thread that runs no tasks: an engine is a runtime of its own.
    let runs = std::thread::spawn(natively).join().expect("every run ends");
    without_server(Window::WIDE, async |page| {
        page.browser.script(PREPARE).await;
        for runs in runs.chunks(BATCH) {
            let recipes: Vec<_> = runs.iter().map(|(recipe, _)| recipe).collect();
            let found = page.browser.script(&format!("return digests({})", json!(recipes))).await;
            for ((recipe, expected), found) in runs.iter().zip(list(&found)) {
                assert_eq!(found, expected, "in the browser and natively, of {recipe}");
            }
        }
    })
    .await;
}
