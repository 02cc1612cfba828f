//! Measures the page: `cargo xtask bench page`. Prints what a visitor waits for and what a frame costs, each beside its
//! limit; judges nothing, because the machine that runs it may be busy.

use std::time::Duration;

use interleave_e2e::browser::Window;
use interleave_e2e::load::Load;
use interleave_e2e::playground::{Playground, list, with_server};
use interleave_e2e::server::Server;
use interleave_e2e::table::{head, median, row};
use serde_json::Value;

/// All that is transferred, compressed.
const TRANSFER_MAX_KB: f64 = 600.0;
/// From the navigation to a console that is connected.
const READY_MAX_MS: f64 = 1_000.0;
/// Work in a frame, which leaves the browser its part of 16.
const FRAME_MAX_MS: f64 = 12.0;

/// Events held, and all on screen, while frames are measured.
const EVENTS_MIN: u64 = 100_000;

/// Room for a lane of each of redis-benchmark's 50 tasks: what is scrolled out of sight costs nothing.
const TALL: Window = Window { width: 1440, height: 2000, dark: false };

/// Visits of which the median is told.
const VISITS: usize = 5;

/// How long one moves in the picture.
const MOVING: Duration = Duration::from_secs(3);

#[tokio::test]
#[ignore = "a tool: cargo xtask bench page"]
async fn page() {
    with_server(&["--sharing", "sharded"], TALL, async |page, server| {
        head();
        visits(page, server).await;
        frames(page, server).await;
    })
    .await;
}

/// How long visitors wait, each with an empty cache, and what is sent to them.
async fn visits(page: &Playground, server: &Server) {
    let mut ready_ms = Vec::new();
    for _ in 0..VISITS {
        page.browser.open("about:blank").await;
        page.browser.forget(server.url().trim_end_matches('/')).await;
        page.browser.open(&server.url()).await;
        let script = "while (true) {\
                 if (window.interleave?.state().consoles[0]?.connected) return performance.now();\
                 await new Promise((done) => setTimeout(done, 1));\
             }";
        ready_ms.push(page.browser.script(script).await.as_f64().unwrap_or(f64::NAN));
    }
    let page_kb = transferred_kb(page).await;
    transfer("transfer, compressed", page_kb);
    // What a worker loads is not told to the page, so the page asks for it once more.
    let mut before_kb = page_kb;
    for (what, files) in [
        ("the same with the tab's server", "['worker.js', 'tab.js', 'tab_bg.wasm']"),
        ("the same with the time machine", "['machine.js', 'engine.js', 'engine_bg.wasm']"),
    ] {
        let fetch =
            format!("await Promise.all({files}.map((name) => fetch(name).then((file) => file.blob())))");
        page.browser.script(&fetch).await;
        let after_kb = transferred_kb(page).await;
        transfer(what, page_kb + after_kb - before_kb);
        before_kb = after_kb;
    }
    let spread = ready_ms.iter().map(|ms| format!("{ms:.0}")).collect::<Vec<_>>().join(" ");
    let middle = median(&mut ready_ms);
    let what = format!("from navigation to a ready console ({spread})");
    row(&what, &format!("median {middle:.0} ms"), "1 s", middle <= READY_MAX_MS);
}

fn transfer(what: &str, kb: f64) {
    row(what, &format!("{kb:.0} KB"), "600 KB", kb <= TRANSFER_MAX_KB);
}

/// What was sent to the page so far.
async fn transferred_kb(page: &Playground) -> f64 {
    let bytes = page
        .browser
        .script(
            "const entries = ['navigation', 'resource'].flatMap((type) => performance.getEntriesByType(type));\
             return entries.reduce((sum, entry) => sum + entry.encodedBodySize, 0)",
        )
        .await;
    bytes.as_f64().unwrap_or(f64::NAN) / 1e3
}

/// What a frame costs while one moves in a picture of at least [`EVENTS_MIN`] events.
async fn frames(page: &Playground, server: &Server) {
    // Each request is a poll of nine events or so.
    Load::start(server, &["-t", "get", "-c", "50", "-n", "14000"]).ends().await;
    page.until("many events", |state| state["events"].as_u64() > Some(EVENTS_MIN)).await;
    every_view(page, Some(FRAME_MAX_MS)).await;

    let load = Load::start(server, &["-t", "set,get", "-c", "50", "-n", "200000"]);
    page.until("50 clients", |state| list(&state["tasks"]).len() > 50).await;
    page.browser.script("await new Promise((done) => setTimeout(done, 2000))").await;
    let times = page.browser.script("return interleave.state().frame_ms.slice(-40)").await;
    frame("following, redis-benchmark beside", list(&times), None);
    load.ends().await;
    every_view(page, None).await;
}

/// All lanes and folds in turn, on all that is held.
async fn every_view(page: &Playground, max_ms: Option<f64>) {
    let state = page.state().await;
    let [events, polls, dropped] = ["events", "polls", "dropped"].map(|name| &state[name]);
    let events_a_poll = events.as_f64().unwrap_or_default() / polls.as_f64().unwrap_or(f64::NAN);
    println!("moving among {events} events in {polls} polls ({dropped} dropped):");
    for lanes in ["tasks", "workers"] {
        page.click(&format!("#lanes-{lanes}")).await;
        if lanes == "tasks" && ended_are_folded(&page.state().await) {
            // The benchmark's clients have ended, and their lanes are folded away.
            page.keys("#canvas", "e").await;
        }
        for folds in [true, false] {
            // Where the folds alone would fill the picture, all of it is shown in full; then folding shows its end.
            page.click("#fit").await;
            if page.state().await["timeline"]["folds"] != folds {
                page.click("#fold").await;
            }
            page.browser.script("await new Promise((done) => setTimeout(done, 300))").await;
            let shown = page
                .until("the picture", |state| {
                    state["timeline"]["lanes"] == lanes && state["timeline"]["folds"] == folds
                })
                .await["timeline"]["polls"]
                .clone();
            let drawn = shown.as_f64().unwrap_or_default() * events_a_poll / 1e3;
            let times = moving(page).await;
            let how = if folds { "folded" } else { "in full" };
            frame(&format!("  by {lanes}, {how}: some {drawn:.0}k on screen"), list(&times), max_ms);
        }
    }
}

/// Whether the last lane is the line under which the ended ones are folded.
fn ended_are_folded(state: &Value) -> bool {
    let last = list(&state["timeline"]["shown"]).last().and_then(Value::as_str);
    last.is_some_and(|lane| lane.ends_with(" ended"))
}

fn frame(what: &str, times_ms: &[Value], max_ms: Option<f64>) {
    let mut times: Vec<f64> = times_ms.iter().filter_map(Value::as_f64).collect();
    let middle = median(&mut times);
    let at = |share: f64| {
        let place = (times.len() as f64 * share) as usize;
        times.get(place).or(times.last()).copied().unwrap_or(f64::NAN)
    };
    let figures = format!("median {middle:.1}, p95 {:.1}, max {:.1} ms", at(0.95), at(1.0));
    let limit = max_ms.map_or(String::new(), |max| format!("{max} ms"));
    row(what, &figures, &limit, max_ms.is_none_or(|max| at(0.95) <= max));
}

/// Drags to and fro and turns the wheel, both a little every frame; returns the milliseconds of work of those frames.
async fn moving(page: &Playground) -> Value {
    let script = format!(
        "const canvas = document.querySelector('#canvas');\
         const {{ left, top, width, height }} = canvas.getBoundingClientRect();\
         const place = (x) => ({{ clientX: left + x, clientY: top + height / 2, bubbles: true, cancelable: true,\
             pointerId: 1, button: 0 }});\
         canvas.setPointerCapture = () => {{}};\
         const began = performance.now();\
         let x = width / 2;\
         canvas.dispatchEvent(new PointerEvent('pointerdown', place(x)));\
         let frame = 0;\
         for (; performance.now() - began < {}; frame += 1) {{\
             x += frame % 40 < 20 ? 7 : -7;\
             canvas.dispatchEvent(new PointerEvent('pointermove', place(x)));\
             canvas.dispatchEvent(new WheelEvent('wheel', {{ ...place(x), deltaY: frame % 40 < 20 ? 4 : -4 }}));\
             await new Promise((done) => requestAnimationFrame(done));\
         }}\
         canvas.dispatchEvent(new PointerEvent('pointerup', place(x)));\
         return interleave.state().frame_ms.slice(-frame)",
        MOVING.as_millis()
    );
    page.browser.script(&script).await
}
