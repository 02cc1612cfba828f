//! The server in this tab: it starts by itself where no other answers, plays its scene, stands still and goes on, and
//! starts anew with another sharing.

use std::time::Duration;

use interleave_e2e::browser::Window;
use interleave_e2e::playground::{Playground, list, task, without_server};
use serde_json::Value;

/// Long enough for a server that runs to do something, and for messages on the way to arrive.
const A_WHILE: Duration = Duration::from_millis(400);

fn polls(state: &Value, name: &str) -> u64 {
    task(state, name).and_then(|task| task["polls"].as_u64()).unwrap_or_default()
}

fn now_ns(state: &Value) -> u64 {
    state["now_ns"].as_u64().unwrap_or_default()
}

#[tokio::test]
async fn starts_by_itself_and_plays_the_scene() {
    without_server(Window::WIDE, async |page| {
        const CAST: [&str; 7] =
            ["listener", "visitor 1", "visitor 2", "visitor 3", "client 1", "client 2", "client 3"];
        let state = page
            .until("the tasks of the scene", |state| CAST.iter().all(|name| polls(state, name) > 0))
            .await;
        assert_eq!((&state["source"], &state["flavor"]), (&"tab".into(), &"current-thread".into()));
        assert_eq!(
            (&state["link"], &state["workers"], &state["dropped"]),
            (&"up".into(), &1.into(), &0.into())
        );
        page.shows("#status", "running").await;
        assert_eq!(page.attribute("#source-tab", "aria-pressed").await.as_deref(), Some("true"));
        page.shows("#flavor", "current-thread, 1 worker").await;

        let before = CAST.map(|name| polls(&state, name));
        page.until("visitors that go on", |state| {
            // The listener has nobody left to receive.
            (1..CAST.len()).all(|index| polls(state, CAST[index]) > before[index])
        })
        .await;
        // Three visitors, twenty times each, on one counter.
        page.until("visitors that have left", |state| {
            (1..=3).all(|number| {
                task(state, &format!("visitor {number}")).is_some_and(|task| task["state"] == "ended")
            })
        })
        .await;
        assert_eq!(page.answer("GET counter").await, "\"60\"");
        let state = page.state().await;
        let alive = list(&state["tasks"]).iter().filter(|task| task["state"] != "ended").count();
        assert_eq!(state["concurrency"], alive);
        page.shows("#concurrency", &alive.to_string()).await;
        assert_eq!(state["parallelism"].as_u64().filter(|most| *most > 1), None, "one worker polls one task");
    })
    .await;
}

/// The clock and the polls now and a while later: equal while the server stands still.
async fn go_on(page: &Playground) -> bool {
    let before = page.state().await;
    tokio::time::sleep(A_WHILE).await;
    let after = page.state().await;
    let now = |state: &Value| (now_ns(state), state["polls"].as_u64());
    now(&before) != now(&after)
}

#[tokio::test]
async fn stands_still_when_paused_and_goes_on_when_resumed() {
    without_server(Window::WIDE, async |page| {
        page.until("a scene that plays", |state| polls(state, "visitor 1") > 1).await;
        assert!(go_on(page).await);
        page.click("#pause").await;
        page.shows("#status", "paused").await;
        assert_eq!(page.state().await["running"], false);
        tokio::time::sleep(A_WHILE).await;
        assert!(!go_on(page).await);
        page.until("nothing that is polled", |state| state["parallelism"] == 0).await;

        // What is typed meanwhile waits.
        page.type_line("PING").await;
        tokio::time::sleep(A_WHILE).await;
        assert_eq!(page.entry("PING", "an entry", |_| true).await["reply"], Value::Null);
        page.shows(".entry:last-child .line", "waits: paused").await;
        let paused_ns = now_ns(&page.state().await);
        page.click("#pause").await;
        assert_eq!(page.reply_of("PING").await, "PONG");
        assert!(!page.text(".entry:last-child .line").await.contains("paused"));
        page.shows("#status", "running").await;
        let resumed_ns = now_ns(&page.state().await);
        assert!(
            resumed_ns - paused_ns < 10_000_000_000,
            "time stood still, found {paused_ns} to {resumed_ns}"
        );
        assert!(go_on(page).await);
    })
    .await;
}

#[tokio::test]
async fn replays_the_scene() {
    without_server(Window::WIDE, async |page| {
        assert_eq!(page.answer("SET mine 1").await, "OK");
        let long = page.until("some seconds", |state| now_ns(state) > 1_500_000_000).await;
        page.click("#scene").await;
        let anew = page.until("a new server", |state| now_ns(state) < now_ns(&long)).await;
        assert!(now_ns(&anew) < now_ns(&long));
        page.until("a scene that plays", |state| polls(state, "visitor 3") > 1).await;
        // The consoles stay, the data is gone with the server.
        assert_eq!(page.reply_of("SET mine 1").await, "OK");
        assert_eq!(page.answer("GET mine").await, "(nil)");
    })
    .await;
}

/// What must be among the stretches of a command's way, for each sharing.
const WAYS: [(&str, &[&str]); 5] = [
    ("isolated", &["runs the command"]),
    ("mutex", &["holds the lock"]),
    ("async-mutex", &["holds the lock"]),
    ("sharded", &["holds the lock"]),
    ("actor", &["request waits in", "runs the command", "reply waits in"]),
];

#[tokio::test]
async fn each_sharing_shows_its_own_way_of_a_command() {
    without_server(Window::WIDE, async |page| {
        for (sharing, expected) in WAYS {
            page.choose("#sharing", sharing).await;
            page.until(sharing, |state| state["sharing"] == sharing).await;
            page.is_connected().await;
            let line = format!("SET {sharing} x");
            let path = page.path_of(&line).await;
            let mut stretches = path.iter();
            for part in expected {
                // In this order, with others between.
                assert!(
                    stretches.any(|stretch| stretch.contains(part)),
                    "{sharing}: no `{part}` in {path:?}"
                );
            }
            assert!(path[0].contains("scheduled") || path[0].contains("woken"), "{sharing}: {path:?}");
            let has_message = path.iter().any(|stretch| stretch.contains("waits in"));
            let has_lock = path.iter().any(|stretch| stretch.contains("lock"));
            assert_eq!(
                (has_message, has_lock),
                (sharing == "actor", expected == ["holds the lock"]),
                "{path:?}"
            );

            page.click(".console:not(.hidden) .entry:last-child .line").await;
            page.until("the command in the picture", |state| {
                let selected = state["selected"].as_str().unwrap_or_default();
                selected.starts_with("Command") && state["timeline"]["following"] == false
            })
            .await;
            page.shows("#drawer h2", "SET").await;
            for stretch in &path {
                // What is code there stands between backticks here.
                page.shows("#drawer .way", &stretch.replace('`', "")).await;
            }
            page.click("#drawer .close").await;
            assert_eq!(page.state().await["selected"], Value::Null);
        }
    })
    .await;
}

/// A lock that is held across an await, so that one sees the others wait for it.
#[tokio::test]
async fn a_lock_that_is_held_is_waited_for() {
    without_server(Window::WIDE, async |page| {
        page.is_connected().await;
        assert_eq!(page.browser.script("return document.querySelector('#hold')").await, Value::Null);
        page.choose("#sharing", "async-mutex").await;
        page.choose("#hold", "1000").await;
        page.is_connected().await;
        // The visitors are in each other's way, for a second each time.
        page.until("some waits", |state| now_ns(state) > 2_500_000_000).await;
        page.click("#fold").await;
        page.click("#fit").await;
        page.run_of("#canvas", "var(--lock)", 20).await;
        page.reload().await;
        page.find("#hold").await;
        assert_eq!(page.property("#hold", "value").await, "1000");
    })
    .await;
}
