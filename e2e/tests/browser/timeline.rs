//! The timeline: what is painted, and how one moves in it by mouse, wheel, keys, search and time.

use std::time::Duration;

use fantoccini::key::Key;
use interleave_e2e::browser::Window;
use interleave_e2e::pixels::Area;
use interleave_e2e::playground::{Playground, list, task, without_server};
use serde_json::Value;

const CANVAS: &str = "#canvas";
/// Height of the ruler above the lanes, in CSS pixels.
const RULER_PX: f64 = 34.0;
const LAST_LINE: &str = ".console:not(.hidden) .entry:last-child .line";

/// A command typed and clicked, so that its polls are bars one can see; then nothing is selected.
async fn look_at_a_command(page: &Playground, sharing: &str) {
    page.choose("#sharing", sharing).await;
    page.until(sharing, |state| state["sharing"] == sharing).await;
    page.is_connected().await;
    page.path_of("SET greeting hello").await;
    page.click(LAST_LINE).await;
    page.until("the command in the picture", |state| state["timeline"]["polls"].as_u64() > Some(0)).await;
    page.click("#drawer .close").await;
}

/// The stretch of time in the picture, in nanoseconds.
fn range(state: &Value) -> (f64, f64) {
    let timeline = &state["timeline"];
    (timeline["from_ns"].as_f64().unwrap_or(f64::NAN), timeline["to_ns"].as_f64().unwrap_or(f64::NAN))
}

fn scale(state: &Value) -> f64 {
    state["timeline"]["ns_per_px"].as_f64().unwrap_or(f64::NAN)
}

/// Waits until the picture has moved as `is_so` says; returns the state then.
async fn moved(page: &Playground, what: &str, is_so: impl Fn((f64, f64), f64) -> bool) -> Value {
    page.until(what, |state| is_so(range(state), scale(state))).await
}

/// A picture that holds still and draws all time at one scale, `ns_per_px` as it was.
async fn hold_unfolded(page: &Playground) -> Value {
    if page.state().await["timeline"]["folds"] == true {
        page.click("#fold").await;
    }
    if page.state().await["timeline"]["following"] == true {
        page.click("#follow").await;
    }
    page.until("a picture that holds still", |state| {
        let ((from, to), timeline) = (range(state), &state["timeline"]);
        timeline["following"] == false && timeline["folds"] == false && to > from
    })
    .await
}

fn near(a: f64, b: f64, by: f64) -> bool {
    (a - b).abs() <= by
}

#[tokio::test]
async fn paints_what_tasks_do_in_the_legends_colours() {
    for window in [Window::WIDE, Window::WIDE.dark()] {
        without_server(window, async |page| {
            look_at_a_command(page, "actor").await;
            // The client is polled, its bytes having woken it; it sends to the owner, and waits for the answer.
            for (colour, pixels) in
                [("--running", 20), ("--scheduled", 5), ("--message", 20), ("--idle", 20), ("--sleep", 20)]
            {
                page.run_of(CANVAS, &format!("var({colour})"), pixels).await;
            }
            let lock = page.colour("var(--lock)").await;
            assert_eq!(page.pixels(CANVAS, lock).await, 0, "no lock under `actor`");
            let lane = page.colour("var(--lane)").await;
            assert!(page.pixels(CANVAS, lane).await > 10_000);

            // The lane of what is selected stands out.
            let chosen = page.colour("var(--chosen-lane)").await;
            assert_eq!(page.pixels(CANVAS, chosen).await, 0);
            page.click(LAST_LINE).await;
            page.run_of(CANVAS, "var(--chosen-lane)", 20).await;
        })
        .await;
    }
}

#[tokio::test]
async fn lanes_are_tasks_or_workers() {
    without_server(Window::WIDE, async |page| {
        page.until("visitors", |state| task(state, "visitor 3").is_some()).await;
        let shown = |state: &Value| -> Vec<String> {
            list(&state["timeline"]["shown"]).iter().filter_map(Value::as_str).map(str::to_owned).collect()
        };
        let names = shown(&page.until("lanes", |state| shown(state).len() > 7).await);
        for name in ["listener", "visitor 1", "client 1"] {
            assert!(names.iter().any(|found| found.starts_with(name)), "no {name} in {names:?}");
        }
        assert_eq!(page.attribute("#lanes-tasks", "aria-pressed").await.as_deref(), Some("true"));
        page.click("#lanes-workers").await;
        page.until("one lane for the one worker", |state| shown(state) == ["worker 0"]).await;
        assert_eq!(page.attribute("#lanes-workers", "aria-pressed").await.as_deref(), Some("true"));
        let running = page.colour("var(--running)").await;
        assert!(page.pixels(CANVAS, running).await == 0 || page.state().await["timeline"]["polls"] != 0);
        page.keys(CANVAS, "l").await;
        page.until("lanes by task", |state| state["timeline"]["lanes"] == "tasks").await;
        page.keys(CANVAS, "L").await;
        page.until("lanes by worker", |state| state["timeline"]["lanes"] == "workers").await;
        page.click("#lanes-tasks").await;
        page.until("lanes by task", |state| state["timeline"]["lanes"] == "tasks").await;
    })
    .await;
}

#[tokio::test]
async fn follows_folds_and_holds() {
    without_server(Window::WIDE, async |page| {
        page.until("some time", |state| state["now_ns"].as_u64() > Some(1_000_000_000)).await;
        let wait = async || tokio::time::sleep(Duration::from_millis(400)).await;
        // Folded, a picture of microseconds a pixel spans the pauses of the visitors.
        let state = page.state().await;
        let (from, to) = range(&state);
        let width = page.area(CANVAS).await.width;
        assert_eq!(state["timeline"]["folds"], true);
        assert!(to - from > 10.0 * width * scale(&state), "found {from} to {to} at {} ns/px", scale(&state));
        wait().await;
        moved(page, "a picture that goes along", |(_, later), _| later > to).await;

        page.keys(CANVAS, "f").await;
        page.until("a picture that holds", |state| state["timeline"]["following"] == false).await;
        page.find("#to-now").await;
        // Its right edge may lie in a fold that grows; what was in the picture stays where it was.
        let (held, _) = range(&page.state().await);
        wait().await;
        assert_eq!(range(&page.state().await).0, held);

        let state = hold_unfolded(page).await;
        let (from, to) = range(&state);
        assert!(
            to - from < width * scale(&state) * 1.01,
            "unfolded, {from} to {to} at {} ns/px",
            scale(&state)
        );
        page.click("#to-now").await;
        let state = page.until("following", |state| state["timeline"]["following"] == true).await;
        let now_ns = state["now_ns"].as_f64().unwrap_or_default();
        moved(page, "now in the picture", |(from, to), _| from < now_ns + 1e9 && to >= now_ns).await;
        page.click("#follow").await;
        page.until("held by the button", |state| state["timeline"]["following"] == false).await;
        page.click("#follow").await;
        page.until("following by the button", |state| state["timeline"]["following"] == true).await;
    })
    .await;
}

#[tokio::test]
async fn moves_by_wheel_drag_keys_and_buttons() {
    without_server(Window::WIDE, async |page| {
        page.until("some time", |state| state["now_ns"].as_u64() > Some(1_000_000_000)).await;
        let state = hold_unfolded(page).await;
        let ((from, to), old) = (range(&state), scale(&state));
        let Area { left, top, width, height } = page.area(CANVAS).await;
        let place = (left + width / 2.0, top + height / 2.0);
        let gutter = width - (to - from) / old;
        let under = |(from, _): (f64, f64), scale: f64| from + (place.0 - left - gutter) * scale;

        // The wheel zooms around the pointer.
        let at_ns = under((from, to), old);
        page.wheel(place, -240).await;
        let state = moved(page, "closer", |_, scale| scale < old * 0.9).await;
        let closer = scale(&state);
        let found = under(range(&state), closer);
        assert!(near(found, at_ns, 3.0 * old), "{at_ns} stood under the pointer, found {found}");
        page.wheel(place, 240).await;
        let state = moved(page, "as far as before", |_, scale| near(scale, old, old * 0.01)).await;
        assert!(near(range(&state).0, from, 3.0 * old), "expected {from}, found {:?}", range(&state));

        // Dragging to the right goes to earlier times, by as much as the hand moved.
        let (from, _) = range(&state);
        page.drag(place, (200.0, 0.0)).await;
        let goal = from - 200.0 * old;
        moved(page, "200 pixels earlier", |(from, _), _| near(from, goal, 3.0 * old)).await;
        assert_eq!(page.state().await["selected"], Value::Null, "a drag is no click");

        // Keys and buttons.
        for (key, factor) in [("+", 1.0 / 1.5), ("-", 1.5)] {
            let old = scale(&page.state().await);
            page.keys(CANVAS, key).await;
            moved(page, key, |_, scale| near(scale, old * factor, old * 0.01)).await;
        }
        for (button, factor) in [("#zoom-in", 1.0 / 1.5), ("#zoom-out", 1.5)] {
            let old = scale(&page.state().await);
            page.click(button).await;
            moved(page, button, |_, scale| near(scale, old * factor, old * 0.01)).await;
        }
        // The picture follows the scale with the next frame.
        page.browser.script("await new Promise((done) => setTimeout(done, 200))").await;
        let (from, _) = range(&page.state().await);
        page.keys(CANVAS, &Key::Left).await;
        moved(page, "earlier", |(earlier, _), scale| earlier < from - 100.0 * scale).await;
        page.keys(CANVAS, &Key::Right).await;
        moved(page, "where it was", |(again, _), scale| near(again, from, 3.0 * scale)).await;
        page.keys(CANVAS, &Key::Home).await;
        moved(page, "the beginning", |(from, to), _| from <= 0.0 && to > 0.0).await;
        page.keys(CANVAS, &Key::End).await;
        page.until("the end", |state| state["timeline"]["following"] == true).await;

        // All that is held.
        let now_ns = page.state().await["now_ns"].as_f64().unwrap_or_default();
        page.click("#fit").await;
        moved(page, "everything", |(from, to), _| from <= 0.0 && to >= now_ns).await;
    })
    .await;
}

/// Every press moves, also when several come between two pictures.
#[tokio::test]
async fn presses_in_quick_succession_all_count() {
    without_server(Window::WIDE, async |page| {
        page.until("some time", |state| state["now_ns"].as_u64() > Some(1_000_000_000)).await;
        let state = hold_unfolded(page).await;
        let ((from, to), scale) = (range(&state), scale(&state));
        let press = "document.querySelector('#canvas').dispatchEvent(\
             new KeyboardEvent('keydown', { key: 'ArrowLeft', bubbles: true, cancelable: true }));";
        page.browser.script(&press.repeat(4)).await;
        let goal = from - 4.0 * 0.15 * (to - from);
        moved(page, "four steps", |(from, _), _| near(from, goal, 8.0 * scale)).await;
    })
    .await;
}

#[tokio::test]
async fn tells_what_is_under_the_pointer_and_selects_it() {
    without_server(Window::WIDE, async |page| {
        look_at_a_command(page, "actor").await;
        // Until the pointer comes to it, something else may take its place.
        let hovered = async |colour: &str, pixels: usize, says: &[&str]| {
            let run = page.run_of(CANVAS, &format!("var({colour})"), pixels).await;
            page.hover(run.middle).await;
            for part in says {
                page.shows(".hover", part).await;
            }
            run.middle
        };
        hovered("--message", 20, &["waits", "for a message on"]).await;
        hovered("--idle", 20, &["waits"]).await;
        let scheduled = hovered("--scheduled", 5, &["is scheduled: woken, it waits", "woken by"]).await;
        page.click_at(scheduled).await;
        page.until("a wake", |state| starts(&state["selected"], "Wake")).await;
        page.shows("#drawer .kind", "wake").await;
        page.shows("#drawer", "the poll it led to").await;
        page.click("#drawer .close").await;

        // The layout has changed twice, but the picture holds.
        let running = hovered("--running", 20, &["polled by worker 0 for", "woken"]).await;
        page.click_at(running).await;
        let state = page.until("a poll", |state| starts(&state["selected"], "Poll")).await;
        page.shows("#drawer .kind", "poll").await;
        page.shows("#drawer", "woken by").await;
        let first = state["selected"].clone();
        page.keys(CANVAS, "[").await;
        page.until("the poll before", |state| {
            starts(&state["selected"], "Poll") && state["selected"] != first
        })
        .await;
        page.keys(CANVAS, "]").await;
        page.until("the first again", |state| state["selected"] == first).await;

        // A click on a lane's name selects its task, one on nothing lets go.
        let Area { left, top, .. } = page.area(CANVAS).await;
        page.hover((left + 40.0, top + RULER_PX + 8.0)).await;
        page.shows(".hover", "spawned at").await;
        page.click_at((left + 40.0, top + RULER_PX + 8.0)).await;
        page.until("a task", |state| starts(&state["selected"], "Task")).await;
        page.shows("#drawer .kind", "task").await;
        page.keys(CANVAS, &Key::Escape).await;
        page.until("nothing selected", |state| state["selected"].is_null()).await;
    })
    .await;
}

fn starts(selected: &Value, with: &str) -> bool {
    selected.as_str().is_some_and(|selected| selected.starts_with(with))
}

#[tokio::test]
async fn finds_tasks_by_name_and_moments_by_time() {
    without_server(Window::WIDE, async |page| {
        page.until("some time", |state| {
            state["now_ns"].as_u64() > Some(1_000_000_000) && task(state, "visitor 2").is_some()
        })
        .await;
        page.keys("#search", "visitor 2").await;
        page.shows(".found", "visitor 2").await;
        page.keys("#search", "\n").await;
        page.until("a task", |state| starts(&state["selected"], "Task")).await;
        page.shows("#drawer h2", "visitor 2").await;
        page.keys("#search", "no such task").await;
        page.shows(".found", "No task has that in its name.").await;
        page.keys("#search", &Key::Escape).await;
        assert_eq!(page.property("#search", "value").await, "");
        page.keys("#search", "CLIENT").await;
        page.click(".found button").await;
        page.shows("#drawer h2", "client").await;
        page.click("#drawer .close").await;

        hold_unfolded(page).await;
        page.keys("#goto", "250 ms\n").await;
        let middle = |(from, to): (f64, f64)| (from + to) / 2.0;
        moved(page, "a quarter of a second", |range, scale| near(middle(range), 250e6, 2.0 * scale)).await;
        page.find("#goto").await.clear().await.expect("an input can be cleared");
        page.keys("#goto", "soon\n").await;
        page.find("#goto[aria-invalid=true]").await;
        page.shows(".found", "Expected a time").await;
        page.find("#goto").await.clear().await.expect("an input can be cleared");
        page.keys("#goto", "9999 s\n").await;
        page.shows(".found", "The recording ends at").await;
    })
    .await;
}

fn lanes(state: &Value) -> Vec<&str> {
    list(&state["timeline"]["shown"]).iter().filter_map(Value::as_str).collect()
}

#[tokio::test]
async fn the_lanes_of_many_that_ended_are_folded() {
    without_server(Window::WIDE, async |page| {
        page.is_connected().await;
        for _ in 0..8 {
            page.click("#console-new").await;
            page.is_connected().await;
        }
        for _ in 0..8 {
            page.click(".tab.front .close").await;
        }
        // All that is held, so that every end is in the picture.
        page.click("#fit").await;
        let is_ended = |lane: &&str| lane.ends_with(" ended");
        page.until("a line for those that have ended, and nothing below it", |state| {
            lanes(state).last().is_some_and(is_ended)
        })
        .await;
        // What follows is about lanes that stay where they are.
        page.click("#pause").await;
        // And none has ended behind the picture's end.
        page.click("#fit").await;
        page.keys(CANVAS, "e").await;
        let open = |state: &Value| {
            let lanes = lanes(state);
            let line = lanes.iter().position(is_ended);
            line.is_some_and(|line| lanes.len() >= line + 8)
        };
        let state = page.until("their lanes below it", open).await;
        let line = lanes(&state).iter().position(is_ended).unwrap_or_default();
        let ended = |name: &str| {
            list(&state["tasks"]).iter().any(|task| task["name"] == name && task["state"] == "ended")
        };
        assert!(!lanes(&state)[..line].iter().any(|name| ended(name)), "the living come first: {state}");
        // It is a place to click, too.
        let Area { left, top, height, .. } = page.area(CANVAS).await;
        let lane = ((height - RULER_PX) / lanes(&state).len() as f64).floor().clamp(22.0, 40.0);
        page.click_at((left + 300.0, top + RULER_PX + (line as f64 + 0.5) * lane)).await;
        page.until("folded again", |state| lanes(state).last().is_some_and(is_ended)).await;
    })
    .await;
}

#[tokio::test]
async fn what_is_unfolded_to_show_all_is_folded_again_to_follow() {
    without_server(Window::WIDE, async |page| {
        let before = scale(&page.is_connected().await);
        // So many that their strips alone would not fit.
        for _ in 0..40 {
            page.answer("PING").await;
        }
        page.click("#fit").await;
        page.until("all time in full", |state| state["timeline"]["folds"] == false && scale(state) > before)
            .await;
        page.is_kept().await;
        page.click("#follow").await;
        let follows = |state: &Value| {
            let timeline = &state["timeline"];
            timeline["following"] == true && timeline["folds"] == true && scale(state) == before
        };
        page.until("the picture as it was", follows).await;
        // Nor does a reload take it for what a person wants.
        page.click("#fit").await;
        page.until("all time in full", |state| state["timeline"]["folds"] == false).await;
        page.reload().await;
        page.is_connected().await;
        page.until("folded time", |state| state["timeline"]["folds"] == true).await;
    })
    .await;
}

#[tokio::test]
async fn the_legend_stays_in_one_row_and_tells_of_a_selected_command() {
    without_server(Window::WIDE, async |page| {
        page.path_of("INCR hits").await;
        let height = page.area("#legend").await.height;
        page.click(".console:not(.hidden) .entry:last-child .line").await;
        page.find("#drawer .way").await;
        page.shows("#legend", "worked on").await;
        page.find("#to-now").await;
        assert_eq!(page.area("#legend").await.height, height);
        // The drawer goes down to where the page ends.
        let (drawer, dock) = (page.area("#drawer").await, page.area("#dock").await);
        assert_eq!(drawer.top + drawer.height, dock.top + dock.height);
    })
    .await;
}

#[tokio::test]
async fn the_legend_tells_of_what_is_drawn() {
    without_server(Window::NARROW, async |page| {
        page.is_connected().await;
        let shown = "return [...document.querySelectorAll('#legend li')]\
             .filter((item) => item.checkVisibility()).map((item) => item.innerText.trim())";
        let by_task = page.browser.script(shown).await;
        assert_eq!(
            by_task,
            serde_json::json!([
                "running",
                "scheduled",
                "idle",
                "sleeping",
                "lock",
                "message",
                "wake",
                "sent",
                "dropped"
            ])
        );
        page.click("#lanes-workers").await;
        page.shows("#legend", "What tasks wait for is shown by task.").await;
        assert_eq!(
            page.browser.script(shown).await,
            serde_json::json!([
                "running",
                "scheduled",
                "wake",
                "sent",
                "dropped",
                "What tasks wait for is shown by task."
            ])
        );
    })
    .await;
}
