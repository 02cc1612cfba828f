//! Measures the engines in WebAssembly: `cargo xtask bench engine`. Prints each figure beside its limit.

use interleave::machine::Recipe;
use interleave::scenario::EXAMPLES;
use interleave_e2e::browser::Window;
use interleave_e2e::playground::{Playground, list, without_server};
use interleave_e2e::table::{head, median, row};
use serde_json::json;

/// Millions of polls a second.
const POLLS_MIN_M: f64 = 1.0;
/// A jump to any step of a run of [`LONG_STEPS_MIN`] steps.
const JUMP_MAX_MS: f64 = 16.0;
/// Exploring the oversell of four buyers.
const EXPLORED_MAX_MS: f64 = 100.0;

/// Steps of the run that is jumped in.
const LONG_STEPS_MIN: u64 = 100_000;

/// Explorations of which the median is told.
const EXPLORATIONS: usize = 5;

#[tokio::test]
#[ignore = "a tool: cargo xtask bench engine"]
async fn engine() {
    without_server(Window::WIDE, async |page| {
        head();
        for flavor in ["current-thread", "multi-thread"] {
            polls(page, flavor).await;
        }
        jumps(page).await;
        exploring(page).await;
    })
    .await;
}

/// Polls of the time machine, with everything recorded and seen, the trace encoded and taken.
async fn polls(page: &Playground, flavor: &str) {
    let scenario = "client a * 50 {\n repeat 2000 {\n yield\n }\n}";
    let recipe = json!({ "format": 1, "scenario": scenario, "flavor": flavor, "direct": true });
    let script = format!(
        "const glue = await import('/engine.js');\
         await glue.default({{ module_or_path: '/engine_bg.wasm' }});\
         const rates = [];\
         for (let round = 0; round < 5; round++) {{\
             const machine = new glue.Machine(JSON.stringify({recipe}));\
             let polls = 0;\
             const began = performance.now();\
             for (let made; (made = machine.steps(2000).length) > 0;) {{ polls += made; machine.take_trace(); }}\
             rates.push(polls / (performance.now() - began) / 1000);\
             machine.free();\
         }}\
         return rates"
    );
    let rates = page.browser.script(&script).await;
    let mut rates: Vec<f64> = list(&rates).iter().filter_map(serde_json::Value::as_f64).collect();
    let middle = median(&mut rates);
    let what = format!("polls, {flavor}, recorded and seen");
    row(&what, &format!("{middle:.2} M/s"), &format!("{POLLS_MIN_M} M/s"), middle >= POLLS_MIN_M);
}

/// From asking the worker for a step to its answer.
async fn jumps(page: &Playground) {
    let scenario = "client a * 40 {\n repeat 2600 {\n yield\n }\n}".to_owned();
    let open = json!({ "do": "open", "recipe": Recipe { scenario, ..Recipe::default() }.to_json() });
    let script = format!(
        "const worker = new Worker('machine.js', {{ type: 'module' }});\
         let told;\
         worker.onmessage = ({{ data }}) => {{ if (data.at) told?.(data.at) }};\
         const hear = () => new Promise((done) => told = done);\
         const ask = (message) => {{ const at = hear(); worker.postMessage(message); return at }};\
         await ask({open});\
         let at = await ask({{ do: 'play', perSecond: 0 }});\
         while (at.playing) at = await hear();\
         const jumps = [];\
         for (let random = 7, jump = 0; jump < 101; jump++) {{\
             random = (random * 48271) % 2147483647;\
             const began = performance.now();\
             await ask({{ do: 'seek', step: random % at.head }});\
             jumps.push(performance.now() - began);\
         }}\
         worker.terminate();\
         return {{ head: at.head, jumps }}"
    );
    let found = page.browser.script(&script).await;
    let steps = found["head"].as_u64().unwrap_or(0);
    assert!(steps >= LONG_STEPS_MIN, "{steps} steps only");
    let mut jumps: Vec<f64> = list(&found["jumps"]).iter().filter_map(serde_json::Value::as_f64).collect();
    let middle = median(&mut jumps);
    let (p95, most) = (jumps[jumps.len() * 95 / 100], jumps[jumps.len() - 1]);
    row(
        &format!("a jump in {steps} steps: median, p95, most"),
        &format!("{middle:.1}, {p95:.1}, {most:.1} ms"),
        &format!("{JUMP_MAX_MS} ms"),
        p95 <= JUMP_MAX_MS,
    );
}

/// All schedules of four buyers, by the worker's own clock.
async fn exploring(page: &Playground) {
    let scenario = EXAMPLES[0].broken.replace("buyer * 2", "buyer * 4");
    let explore = json!({ "do": "explore", "recipe": Recipe { scenario, ..Recipe::default() }.to_json() });
    let mut times = Vec::new();
    for _ in 0..EXPLORATIONS {
        let script = format!(
            "const worker = new Worker('machine.js', {{ type: 'module' }});\
             const report = await new Promise((done) => {{\
                 worker.onmessage = ({{ data }}) => {{\
                     const report = data.explored && JSON.parse(data.explored);\
                     if (report?.done) done(report);\
                 }};\
                 worker.postMessage({explore});\
             }});\
             worker.terminate();\
             return report"
        );
        let report = page.browser.script(&script).await;
        assert_eq!(report["schedules"], "1176", "{report}");
        times.push(report["took_ms"].as_f64().unwrap_or(f64::NAN));
    }
    let middle = median(&mut times);
    row(
        "4 buyers explored, 1,176 schedules",
        &format!("{middle:.1} ms"),
        &format!("{EXPLORED_MAX_MS} ms"),
        middle <= EXPLORED_MAX_MS,
    );
}
