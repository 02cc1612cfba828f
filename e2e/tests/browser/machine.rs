//! The time machine: a scenario that is picked or written, stepped, looked into, taken back and forked. In the tab, without
//! a server.

use fantoccini::key::Key;
use interleave_e2e::browser::Window;
use interleave_e2e::playground::{Playground, list, task, without_server};
use serde_json::Value;

/// Two clients with one step each that matters.
const TWO: &str = "client a {\n    INCR hits\n}\nclient b {\n    INCR hits\n}\n";

/// Control, to be held while the next key is pressed, and let go.
const CONTROL: char = '\u{e009}';
const RELEASE: char = '\u{e000}';

fn step(machine: &Value) -> u64 {
    machine["at"]["step"].as_u64().unwrap_or(u64::MAX)
}

/// Chooses one of the scenarios that come along.
async fn pick(page: &Playground, name: &str) {
    let options = page
        .browser
        .script("return [...document.querySelectorAll('#m-example option')].map((o) => [o.value, o.text])")
        .await;
    let option =
        list(&options).iter().find(|option| option[1].as_str().is_some_and(|text| text.starts_with(name)));
    let value =
        option.and_then(|option| option[0].as_str()).unwrap_or_else(|| panic!("no {name} in {options}"));
    page.choose("#m-example", value).await;
    let title = option
        .and_then(|option| option[1].as_str())
        .and_then(|text| text.split_once(": "))
        .map_or("", |(_, title)| title);
    page.machine(name, |machine| {
        machine["opened"]["scenario"].as_str().is_some_and(|text| text.contains(title))
    })
    .await;
}

/// Runs to the end.
async fn to_end(page: &Playground) -> Value {
    page.machine("a run that stands", |machine| machine["at"]["playing"] == false).await;
    page.click("#m-end").await;
    page.machine("the end", |machine| machine["look"]["outcome"].is_object()).await
}

#[tokio::test]
async fn is_a_third_place_and_stays_it_when_the_page_is_loaded_again() {
    without_server(Window::WIDE, async |page| {
        assert_eq!(page.state().await["machine"], Value::Null);
        page.open_machine().await;
        page.shows("#status", "stopped at step 0").await;
        page.shows("#flavor", "current-thread, 1 worker").await;
        assert_eq!(page.attribute("#source-machine", "aria-pressed").await.as_deref(), Some("true"));
        page.run_scenario(TWO).await;
        page.choose("#m-flavor", "manual").await;
        page.machine("the flavour", |machine| machine["look"]["flavor"] == "manual").await;
        // What changes is kept a moment later.
        tokio::time::sleep(std::time::Duration::from_millis(400)).await;
        page.reload().await;
        let machine = page.machine("a run that is open", |machine| machine["look"]["tasks"].is_array()).await;
        assert_eq!(
            (&machine["opened"]["scenario"], &machine["look"]["flavor"]),
            (&TWO.into(), &"manual".into())
        );
        page.click("#source-tab").await;
        page.is_connected().await;
        assert_eq!(page.state().await["machine"], Value::Null);
        assert_eq!(page.answer("PING").await, "PONG");
    })
    .await;
}

#[tokio::test]
async fn a_scenario_is_picked_or_written_with_help() {
    without_server(Window::WIDE, async |page| {
        page.open_machine().await;
        pick(page, "deadlock, fixed").await;
        page.shows(".editor .shown", "client alice").await;
        page.keys("#m-text", &format!("{CONTROL}a{RELEASE}\u{e017}")).await;
        page.keys("#m-text", "cli").await;
        page.shows(".completions", "client").await;
        // Tab takes the suggestion; a new line stands as far in as its block.
        page.keys("#m-text", "\ta {\nINCRB").await;
        page.shows(".completions", "INCRBY").await;
        page.keys("#m-text", "\thits 5\n}").await;
        page.machine("the text", |machine| machine["text"] == "client a {\n    INCRBY hits 5\n}").await;
        page.shows("#m-error .usage, #m-run", "run the new text").await;
        page.keys("#m-text", &format!("{CONTROL}\n{RELEASE}")).await;
        page.machine("a run of it", |machine| machine["opened"]["scenario"] == machine["text"]).await;
        let machine = to_end(page).await;
        assert_eq!(machine["look"]["outcome"]["headline"], "hits = 5");
    })
    .await;
}

#[tokio::test]
async fn a_mistake_is_underlined_and_a_click_goes_there() {
    without_server(Window::WIDE, async |page| {
        page.open_machine().await;
        let before = page.machine("a run", |machine| machine["opened"].is_object()).await;
        page.write_scenario("# 🦀\nclient a {\n    GTE x\n}\n").await;
        page.shows("#m-error", "line 3, column 5: expected").await;
        assert_eq!(page.text(".editor .wrong").await, "GTE");
        page.click("#m-error .script-error").await;
        let selected = page
            .browser
            .script("const area = document.activeElement; return area.value.slice(area.selectionStart, area.selectionEnd)")
            .await;
        assert_eq!(selected, "GTE");
        // It is refused to run, and the run that is open stays.
        page.click("#m-run").await;
        let machine = page.machine("a refusal", |machine| machine["refused"].is_string()).await;
        assert_eq!(machine["opened"], before["opened"]);
        page.shows("#m-notice.error", "line 3, column 5").await;
        page.write_scenario(TWO).await;
        page.machine("no mistake", |machine| machine["check"]["error"].is_null()).await;
    })
    .await;
}

#[tokio::test]
async fn steps_and_shows_where_everyone_stands() {
    without_server(Window::WIDE, async |page| {
        page.open_machine().await;
        let machine = page
            .step_until("two buyers at their DECR", |machine| {
                let at_decr = |task: &&Value| task["line"] == 12 && task["result"].is_null();
                list(&machine["look"]["tasks"]).iter().filter(at_decr).count() == 2
            })
            .await;
        page.shows(".editor .who", "buyer 1, buyer 2").await;
        page.shows("#look .tasks", "waits for the server's reply").await;
        page.shows("#look .tasks", "stock = 1").await;
        page.shows("#look-queues", "LIFO slot").await;
        page.shows("#look-queues", "injection queue").await;
        page.shows("#look-queues h3", "inferred").await;
        page.shows("#look-locks", "std::sync::Mutex").await;
        page.shows("#look-store", "stock").await;
        page.shows("#m-at", &step(&machine).to_string()).await;
        // Every task that is scheduled stands in a queue.
        let queued = page.text("#look-queues").await;
        for task in list(&machine["look"]["tasks"]).iter().filter(|task| task["state"] == "scheduled") {
            assert!(queued.contains(task["name"].as_str().unwrap_or("?")), "{task} in {queued}");
        }
        // A task's name selects it on the timeline.
        page.click("#look .tasks .task").await;
        page.shows("#drawer h2", "").await;
        assert!(page.state().await["selected"].as_str().is_some_and(|selected| selected.starts_with("Task")));
    })
    .await;
}

#[tokio::test]
async fn shows_locks_channels_and_timers() {
    without_server(Window::WIDE, async |page| {
        page.open_machine().await;
        pick(page, "deadlock, broken").await;
        let machine = to_end(page).await;
        assert_eq!((&machine["look"]["outcome"]["good"], &machine["look"]["outcome"]["deadlock"]), (&false.into(), &true.into()));
        page.shows("#look .outcome .verdict", "deadlock").await;
        page.shows("#look-locks", "alice tokio::sync::Mutex").await;
        page.run_scenario("client cook {\n    lock kitchen {\n        sleep 5ms\n    }\n}\nclient waiter {\n    lock kitchen {\n        PING\n    }\n}\n").await;
        page.step_until("a cook that sleeps and a waiter that waits", |machine| {
            let locks = list(&machine["look"]["locks"]);
            locks.iter().any(|lock| lock["name"] == "kitchen" && lock["waiters"].as_array().is_some_and(|waiters| waiters.len() == 1))
                && !list(&machine["look"]["timers"]).is_empty()
        })
        .await;
        page.shows("#look-locks", "kitchen tokio::sync::Mutex").await;
        let locks = page.text("#look-locks").await;
        let (holder, waiter) = (locks.find("cook"), locks.find("waiter\n").or(locks.rfind("waiter")));
        assert!(holder < waiter, "{locks}");
        page.shows("#look-timers", "cook").await;
        page.run_scenario("channel line 2\nclient a {\n    repeat 3 {\n        send line \"hello\"\n    }\n}\nclient b {\n    sleep 1ms\n    while (receive line) != nil {\n        PING\n    }\n}\n").await;
        page.step_until("a full channel", |machine| {
            list(&machine["look"]["channels"]).iter().any(|channel| channel["name"] == "line" && list(&channel["senders"]).len() == 1)
        })
        .await;
        page.shows("#look-channels", "mpsc, 2 of 2").await;
        page.shows("#look-channels .message", "hello").await;
        page.shows("#look-channels", "waits for room").await;
    })
    .await;
}

#[tokio::test]
async fn plays_pauses_and_stops_at_breakpoints() {
    without_server(Window::WIDE, async |page| {
        page.open_machine().await;
        page.choose("#m-speed", "20").await;
        page.click("#m-play").await;
        page.machine("a run that plays", |machine| machine["at"]["playing"] == true && step(machine) > 2)
            .await;
        page.click("#m-play").await;
        let machine = page.machine("a run that stands", |machine| machine["at"]["playing"] == false).await;
        assert!(step(&machine) < 22 || machine["at"]["ended"] == true);
        page.click("#m-start").await;
        page.machine("the start", |machine| step(machine) == 0).await;
        page.click("#m-tab-breakpoints").await;
        page.choose("#m-break-kind", "1").await;
        page.keys("#m-break-text", "decr\n").await;
        page.shows("#m-breaks", "command decr").await;
        assert!(!page.text("#m-breaks").await.contains("no such"));
        page.choose("#m-speed", "0").await;
        page.click("#m-play").await;
        page.shows("#m-notice", "command decr").await;
        let machine =
            page.machine("a stop", |machine| machine["at"]["playing"] == false && step(machine) > 0).await;
        assert_ne!(machine["at"]["ended"], true);
        page.click("#m-breaks .close").await;
        let machine = page.machine("no breakpoint", |machine| list(&machine["breakpoints"]).is_empty()).await;
        let stood = step(&machine);
        page.click("#m-play").await;
        let machine = page.machine("the end", |machine| machine["at"]["ended"] == true).await;
        assert!(step(&machine) > stood);
    })
    .await;
}

/// A mistyped breakpoint would else be waited for in vain.
#[tokio::test]
async fn a_breakpoint_at_what_is_not_there_says_so() {
    without_server(Window::WIDE, async |page| {
        page.open_machine().await;
        page.click("#m-tab-breakpoints").await;
        for (kind, text, says) in [
            ("1", "INCRBY", "no such command in this scenario"),
            ("3", "alice", "no such lock in this scenario"),
            ("0", "seller", "not seen yet"),
            ("2", "stock", "\u{2715}"),
        ] {
            page.choose("#m-break-kind", kind).await;
            page.keys("#m-break-text", &format!("{text}\n")).await;
            page.shows("#m-breaks li:last-child code", text).await;
            // Where nothing is said, the button to remove it comes last.
            let shown = page.text("#m-breaks li:last-child").await;
            assert!(shown.trim_end().ends_with(says), "{text}: {shown:?} ends with {says:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn steps_over_to_the_next_poll_of_a_task() {
    without_server(Window::WIDE, async |page| {
        page.open_machine().await;
        page.step_until("a buyer", |machine| list(&machine["look"]["tasks"]).iter().any(|task| task["name"] == "buyer 2")).await;
        page.browser.script("[...document.querySelectorAll('#look .tasks .task')].find((b) => b.textContent.startsWith('buyer 2')).click()").await;
        let polls = |state: &Value| task(state, "buyer 2").and_then(|task| task["polls"].as_u64()).unwrap_or_default();
        let before = polls(&page.state().await);
        for more in 1..=2 {
            page.click("#m-step-task").await;
            page.until("one poll more", |state| polls(state) == before + more).await;
        }
    })
    .await;
}

#[tokio::test]
async fn goes_back_by_slider_ruler_and_keys_and_dims_what_is_to_come() {
    without_server(Window::WIDE, async |page| {
        page.open_machine().await;
        let machine = to_end(page).await;
        let head = step(&machine);
        page.hover((2.0, 2.0)).await;
        let running = page.colour("var(--running)").await;
        let full = page.pixels("#canvas", running).await;
        page.keys("#m-playhead", &char::from(Key::Home).to_string()).await;
        page.machine("the start", |machine| step(machine) == 0 && machine["at"]["head"] == head).await;
        page.until("a dimmed picture", |_| true).await;
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        let dimmed = page.pixels("#canvas", running).await;
        assert!(dimmed * 3 < full, "{dimmed} of {full} pixels are still bright");
        // A click into the ruler, and a drag along it.
        let canvas = page.area("#canvas").await;
        let state = page.state().await;
        let from = state["timeline"]["from_ns"].as_f64().unwrap_or_default();
        let per_px = state["timeline"]["ns_per_px"].as_f64().unwrap_or(1.0);
        let end = 168.0 + (state["now_ns"].as_f64().unwrap_or_default() - from) / per_px;
        let (middle, y) = (canvas.left + (168.0 + end) / 2.0, canvas.top + 12.0);
        page.click_at((middle, y)).await;
        let half = page.machine("a step in the midst", |machine| (1..head).contains(&step(machine))).await;
        page.drag((middle, y), (end, 0.0)).await;
        page.machine("a later step", |machine| step(machine) > step(&half)).await;
        // Keys, with the focus nowhere.
        page.browser.script("document.activeElement.blur()").await;
        page.press(Key::Home).await;
        page.machine("the start", |machine| step(machine) == 0).await;
        page.press(Key::Right).await;
        page.press(Key::Right).await;
        page.press(Key::Left).await;
        page.machine("step 1", |machine| step(machine) == 1).await;
    })
    .await;
}

#[tokio::test]
async fn the_scheduler_is_whoever_chooses_and_the_past_forks() {
    without_server(Window::WIDE, async |page| {
        page.open_machine().await;
        page.step_until("two that can run", |machine| {
            list(&machine["look"]["tasks"]).iter().filter(|task| task["state"] == "scheduled").count() >= 2
        })
        .await;
        page.click("#m-take-over").await;
        let machine = page.machine("options", |machine| list(&machine["look"]["options"]).len() >= 2).await;
        assert_eq!(machine["opened"]["flavor"], "manual");
        let taken = step(&machine);
        let names: Vec<&str> =
            list(&machine["look"]["options"]).iter().filter_map(|option| option["name"].as_str()).collect();
        for name in names {
            page.shows("#m-options", name).await;
        }
        // By button, then by number.
        page.click("#m-options .option").await;
        page.machine("a choice", |machine| step(machine) == taken + 1).await;
        page.find("#m-change").await;
        page.browser.script("document.activeElement.blur()").await;
        page.browser.script("dispatchEvent(new KeyboardEvent('keydown', { key: '1' }))").await;
        page.machine("another", |machine| step(machine) == taken + 2).await;
        let ended = to_end(page).await;
        let head = step(&ended);
        // Back to the fork, and the other way.
        for _ in taken..head {
            page.click("#m-back").await;
        }
        page.machine("the fork", |machine| step(machine) == taken && machine["look"]["step"] == taken).await;
        page.click("#m-options .option:nth-of-type(2)").await;
        page.shows("#m-notice", "Forked").await;
        let machine =
            page.machine("a branch more", |machine| list(&machine["at"]["branches"]).len() >= 3).await;
        assert_eq!((step(&machine), machine["at"]["head"].as_u64()), (taken + 1, Some(taken + 1)));
        page.click("#m-tab-branches").await;
        page.click("#m-branches li:nth-child(2) button").await;
        let machine = page
            .machine("the other branch", |machine| {
                machine["at"]["branch"] == 1 && machine["at"]["head"] == head
            })
            .await;
        assert_eq!(step(&machine), taken);
        page.click("#m-step").await;
        // A reload finds the branch in front at its step, its future, and the other branches.
        let stood = page.machine("a step on", |machine| machine["look"]["step"] == taken + 1).await;
        page.is_kept().await;
        page.reload().await;
        let machine = page.machine("the same step", |machine| machine["look"]["step"] == taken + 1).await;
        for part in ["at", "look", "text", "settings"] {
            assert_eq!(machine[part], stood[part], "{part}");
        }
        page.click("#m-tab-branches").await;
        page.click("#m-branches li:nth-child(3) button").await;
        page.machine("the third branch", |machine| {
            machine["at"]["branch"] == 2 && step(machine) == taken + 1
        })
        .await;
    })
    .await;
}

#[tokio::test]
async fn the_multi_thread_model_steals() {
    without_server(Window::WIDE, async |page| {
        page.open_machine().await;
        page.choose("#m-flavor", "multi-thread").await;
        page.machine("the model", |machine| list(&machine["look"]["workers"]).len() == 2).await;
        page.run_scenario("client a {\n    repeat 8 {\n        spawn b {\n            spin 50us\n            yield\n            spin 50us\n        }\n    }\n    spin 1ms\n}\n").await;
        let waits = |machine: &Value| list(&machine["look"]["steals"]).iter().any(|steal| steal["waits"] == true);
        let machine = page.step_until("a task stolen that waits", waits).await;
        page.shows("#look .stolen", "stolen from").await;
        page.shows("#look-queues h3", "modelled").await;
        assert!(list(&machine["look"]["workers"]).len() == 2);
        page.click("#lanes-workers").await;
        page.shows("#legend", "stolen").await;
        // It stays on the timeline and in the list when the run has gone on.
        let steal = list(&machine["look"]["steals"])[0].clone();
        to_end(page).await;
        let moved = format!("worker {} \u{2192} worker {}", steal["from"], steal["to"]);
        page.shows("#look-steals", &moved).await;
        page.click("#fit").await;
        let state = page.until("the whole run", |state| state["timeline"]["from_ns"].as_f64() <= Some(0.0)).await;
        let (from_ns, scale) = (&state["timeline"]["from_ns"], &state["timeline"]["ns_per_px"]);
        let x = 168.0 + (steal["at_ns"].as_f64().unwrap_or_default() - from_ns.as_f64().unwrap_or_default()) / scale.as_f64().unwrap_or(1.0);
        let canvas = page.area("#canvas").await;
        let lane = (canvas.height - 34.0) / 2.0;
        let lane = lane.floor().clamp(40.0, 72.0);
        let y = canvas.top + 34.0 + lane * (steal["to"].as_f64().unwrap_or_default() + 0.5);
        page.hover((canvas.left + x, y)).await;
        page.shows(".hover", "is stolen: worker").await;
        page.browser.script("const workers = document.querySelector('#m-workers'); workers.value = 8; workers.dispatchEvent(new Event('change'))").await;
        page.machine("eight workers", |machine| list(&machine["look"]["workers"]).len() == 8).await;
        page.shows("#flavor", "multi-thread, 8 workers").await;
        page.shows("#look-queues", "worker 7").await;
    })
    .await;
}

/// A panic in the module is told, and the run stands where it stood.
#[tokio::test]
async fn a_broken_instance_is_thrown_away_and_the_run_made_again() {
    without_server(Window::WIDE, async |page| {
        page.open_machine().await;
        for _ in 0..5 {
            page.click("#m-step").await;
        }
        let before = page.machine("five steps", |machine| machine["look"]["step"] == 5).await;
        page.browser.script("interleave.machine({ do: 'fail' })").await;
        page.shows("#m-notice.error", "was thrown away").await;
        let after = page.machine("the same step", |machine| machine["look"]["step"] == 5).await;
        assert_eq!(after["look"]["tasks"], before["look"]["tasks"]);
        let machine = to_end(page).await;
        assert_eq!(machine["look"]["outcome"]["good"], false);
        // The page's other servers live on.
        page.click("#source-tab").await;
        page.is_connected().await;
        assert_eq!(page.answer("PING").await, "PONG");
    })
    .await;
}

#[tokio::test]
async fn a_narrow_window_shows_one_part_at_a_time() {
    without_server(Window::NARROW, async |page| {
        page.open_machine().await;
        page.find("#m-text").await;
        page.click("#m-step").await;
        page.click("#m-step").await;
        page.click("#m-tab-state").await;
        page.shows("#look-queues", "local queue").await;
        page.click("#m-tab-script").await;
        page.find("#m-text").await;
        let wider = "return document.documentElement.scrollWidth > document.documentElement.clientWidth";
        assert_eq!(page.browser.script(wider).await, false, "nothing is wider than the window");
    })
    .await;
}
