//! The page with a native server: its replies and ways, its absence and return, and the load of a benchmark beside it.

use std::io::Write;
use std::net::TcpStream;
use std::time::Duration;

use interleave_e2e::browser::Window;
use interleave_e2e::load::Load;
use interleave_e2e::playground::{Playground, front, list, task, with_server};
use serde_json::{Value, json};

#[tokio::test]
async fn starts_on_the_server_that_serves_it() {
    let flags = ["--sharing", "sharded", "--flavor", "multi-thread", "--worker-threads", "3"];
    with_server(&flags, Window::WIDE, async |page, server| {
        let state = page.is_connected().await;
        assert_eq!(state["source"], "native");
        let state = page.until("the trace's greeting", |state| state["workers"] == 3).await;
        assert_eq!((&state["sharing"], &state["flavor"]), (&"sharded".into(), &"multi-thread".into()));
        page.shows("#status", "connected").await;
        page.shows("#native-sharing", "sharded").await;
        page.shows("#flavor", "multi-thread, 3 workers").await;
        page.shows("header", &format!("127.0.0.1:{}", server.resp_port())).await;
        page.click("#lanes-workers").await;
        page.until("a lane for each worker", |state| {
            state["timeline"]["shown"] == json!(["worker 0", "worker 1", "worker 2"])
        })
        .await;

        for (line, expected) in [
            ("SET greeting hello", "OK"),
            ("GET greeting", "\"hello\""),
            ("INCR hits", "(integer) 1"),
            ("GET nobody", "(nil)"),
        ] {
            assert_eq!(page.answer(line).await, expected);
        }
        page.click("#console-new").await;
        page.until("a task of the second console", |state| {
            list(&state["tasks"])
                .iter()
                .any(|task| task["name"].as_str().is_some_and(|name| name.contains("(console-2)")))
        })
        .await;
        assert_eq!(page.answer("INCR hits").await, "(integer) 2");
        assert_eq!(page.browser.console().await, [] as [Value; 0]);
    })
    .await;
}

#[tokio::test]
async fn each_sharing_shows_its_own_way_of_a_command() {
    for (sharing, flavor, expected) in [
        ("isolated", "multi-thread", &["runs the command"][..]),
        ("mutex", "current-thread", &["holds the lock"]),
        ("async-mutex", "multi-thread", &["holds the lock"]),
        ("sharded", "multi-thread", &["holds the lock"]),
        ("actor", "multi-thread", &["request waits in", "runs the command", "reply waits in"]),
    ] {
        with_server(&["--sharing", sharing, "--flavor", flavor], Window::WIDE, async |page, _| {
            page.is_connected().await;
            let state = page.until("the trace's greeting", |state| state["sharing"] == sharing).await;
            assert_eq!(state["flavor"], flavor);
            let path = page.path_of("SET greeting hello").await;
            let mut stretches = path.iter();
            for part in expected {
                assert!(
                    stretches.any(|stretch| stretch.contains(part)),
                    "{sharing}: no `{part}` in {path:?}"
                );
            }
            page.click(".console:not(.hidden) .entry:last-child .line").await;
            page.shows("#drawer", "the driver (its socket, or a timer)").await;
            for stretch in &path {
                // What is code there stands between backticks here.
                page.shows("#drawer .way", &stretch.replace('`', "")).await;
            }
        })
        .await;
    }
}

#[tokio::test]
async fn shows_a_task_that_waits_for_a_lock() {
    let flags = ["--sharing", "async-mutex", "--hold-ms", "60"];
    with_server(&flags, Window::WIDE, async |page, _| {
        page.is_connected().await;
        page.click("#console-new").await;
        page.is_connected().await;
        // While the first holds the lock for its pause, the second wants it.
        page.type_line("INCR hits").await;
        page.click("#console-tab-1").await;
        page.browser
            .script(
                "const line = (number, text) => {\
                     const input = document.querySelector(`#console-${number} .console-input`);\
                     input.value = text;\
                     input.dispatchEvent(new InputEvent('input', { bubbles: true }));\
                     input.dispatchEvent(new KeyboardEvent('keydown', { key: 'Enter', bubbles: true }));\
                 };\
                 line(2, 'INCR hits'); line(1, 'INCR hits')",
            )
            .await;
        let state = page
            .until("a command that waited for the lock", |state| {
                waited(state).is_some()
                    && list(&state["consoles"]).iter().all(|console| {
                        list(&console["entries"]).iter().all(|entry| entry["reply"].is_string())
                    })
            })
            .await;
        let console = waited(&state).unwrap_or_default();
        page.click(&format!("#console-tab-{console}")).await;
        // Nobody is polled while the lock is held, which otherwise is folded away.
        page.click("#fold").await;
        page.click(".console:not(.hidden) .entry:last-child .line").await;
        page.shows("#drawer .way", "waits for the lock").await;
        page.shows("#drawer .way", "sleeps, and holds the lock store meanwhile").await;
        page.click("#drawer .close").await;
        page.run_of("#canvas", "var(--lock)", 50).await;
    })
    .await;
}

/// The console whose last command waited for a lock.
fn waited(state: &Value) -> Option<u64> {
    let console = list(&state["consoles"]).iter().find(|console| {
        let last = list(&console["entries"]).last();
        last.is_some_and(|entry| {
            list(&entry["path"])
                .iter()
                .filter_map(Value::as_str)
                .any(|stretch| stretch.starts_with("waits for the lock"))
        })
    })?;
    console["number"].as_u64()
}

#[tokio::test]
async fn the_time_machine_leaves_nothing_on_other_sources() {
    with_server(&[], Window::WIDE, async |page, _| {
        page.is_connected().await;
        page.open_machine().await;
        page.machine("a run that stands", |machine| machine["look"].is_object()).await;
        page.click("#source-native").await;
        page.is_connected().await;
        assert_eq!(page.answer("SET greeting hello").await, "OK");
        page.until("the server's own tasks in flight", |state| {
            let alive = list(&state["tasks"]).iter().filter(|task| task["state"] != "ended").count();
            alive > 2 && state["concurrency"] == alive
        })
        .await;
    })
    .await;
}

#[tokio::test]
async fn a_command_that_waits_is_shown_to_wait() {
    with_server(&[], Window::WIDE, async |page, server| {
        page.is_connected().await;
        page.type_line("BLPOP jobs 0").await;
        let entry =
            page.entry("BLPOP jobs 0", "a command in the trace", |entry| entry["path"].is_array()).await;
        assert_eq!(entry["reply"], Value::Null);
        let mut other = TcpStream::connect(("127.0.0.1", server.resp_port())).expect("the server listens");
        other.write_all(b"LPUSH jobs one\r\n").expect("the server reads");
        assert!(page.reply_of("BLPOP jobs 0").await.contains("one"));
        let way = page.way_of("BLPOP jobs 0").await;
        assert!(way.iter().any(|stretch| stretch.starts_with("waits for a message")), "{way:?}");
    })
    .await;
}

#[tokio::test]
async fn survives_a_restart_of_the_server() {
    with_server(&[], Window::WIDE, async |page, server| {
        page.is_connected().await;
        assert_eq!(page.answer("SET greeting hello").await, "OK");
        server.stop();
        page.until("a lost server", |state| state["link"] == "down" && front(state)["connected"] == false)
            .await;
        page.shows("#status", "trying again in").await;
        // What was counted last is not so any more.
        page.shows("#concurrency", "\u{2013}").await;
        page.shows("#parallelism", "\u{2013}").await;
        // What is typed meanwhile is answered in one way or another.
        page.type_line("ECHO meanwhile").await;
        page.shows(".console:not(.hidden) .entry:last-child", "waits: not connected").await;
        tokio::time::sleep(Duration::from_secs(1)).await;
        server.start_again().await;
        page.is_connected().await;
        page.shows("#status", "connected").await;
        page.reply_of("ECHO meanwhile").await;
        assert_eq!(page.answer("GET greeting").await, "(nil)");
        assert_eq!(page.path_of("GET nobody").await.last().map(String::as_str), Some("writes the reply"));
    })
    .await;
}

#[tokio::test]
async fn changes_between_the_server_and_the_tab() {
    with_server(&["--sharing", "mutex"], Window::WIDE, async |page, _| {
        page.is_connected().await;
        assert_eq!(page.answer("SET where native").await, "OK");
        page.click("#source-tab").await;
        page.until("the tab", |state| state["source"] == "tab" && state["workers"] == 1).await;
        page.is_connected().await;
        assert_eq!(page.answer("GET where").await, "(nil)");
        page.until("the scene", |state| task(state, "visitor 1").is_some()).await;
        page.click("#source-native").await;
        page.until("the server", |state| state["source"] == "native").await;
        page.is_connected().await;
        assert_eq!(page.answer("GET where").await, "\"native\"");
        page.until("its own tasks only", |state| {
            task(state, "client").is_some() && task(state, "visitor 1").is_none()
        })
        .await;
        assert!(!page.path_of("INCR hits").await.is_empty());
    })
    .await;
}

#[tokio::test]
async fn quit_closes_and_the_next_command_connects_again() {
    with_server(&[], Window::WIDE, async |page, _| {
        page.is_connected().await;
        crate::console::quits_and_connects_again(page).await;
        assert_eq!(page.state().await["link"], "up");
    })
    .await;
}

/// Begins to note when the browser shows new frames.
async fn watch_frames(page: &Playground) {
    page.browser
        .script(
            "window.frames_ms = [performance.now()];\
             const note = (now) => { frames_ms.push(now); requestAnimationFrame(note) };\
             requestAnimationFrame(note)",
        )
        .await;
}

#[tokio::test]
async fn goes_on_under_a_benchmarks_load() {
    with_server(&[], Window::WIDE, async |page, server| {
        page.is_connected().await;
        let before = page.state().await;
        watch_frames(page).await;
        let load = Load::start(server, &["-t", "set,get,incr", "-c", "50", "-n", "100000", "-P", "16"]);
        let state = page.until("50 tasks more", |state| list(&state["tasks"]).len() >= 50).await;
        assert!(state["polls"].as_u64() > before["polls"].as_u64());
        // The console is answered in the midst of it.
        assert_eq!(page.answer("PING").await, "PONG");
        load.ends().await;
        let gaps = page
            .browser
            .script("return frames_ms.slice(1).map((now, index) => now - frames_ms[index])")
            .await;
        let gaps: Vec<f64> = list(&gaps).iter().filter_map(Value::as_f64).collect();
        let longest = gaps.iter().copied().fold(0.0, f64::max);
        println!("{} frames, at most {longest:.0} ms apart", gaps.len());
        assert!(gaps.len() > 10 && longest < 3_000.0, "{} frames, at most {longest:.0} ms apart", gaps.len());

        let state = page
            .until("the clients' ends", |state| {
                let alive = list(&state["tasks"]).iter().filter(|task| task["state"] != "ended").count();
                alive < 20 && state["concurrency"] == alive
            })
            .await;
        let dropped = state["dropped"].as_u64().expect("a number");
        if dropped > 0 {
            page.shows("#dropped", "dropped").await;
        } else {
            assert_eq!(
                page.browser.script("return document.querySelector('#dropped').checkVisibility()").await,
                false
            );
        }
        let path = page.path_of("SET after load").await;
        assert!(!path.is_empty());
        assert_eq!(page.browser.console().await, [] as [Value; 0]);
    })
    .await;
}

#[tokio::test]
async fn two_windows_have_consoles_of_different_names() {
    with_server(&[], Window::WIDE, async |page, server| {
        let other = Playground::open(&server.url(), Window::WIDE).await;
        let name_of = async |window: &Playground| {
            window.browser.script("return await interleave.run('CLIENT GETNAME')").await
        };
        let mut names = Vec::new();
        for window in [page, &other] {
            window.is_connected().await;
            let name = name_of(window).await;
            assert!(name.as_str().is_some_and(|name| name.starts_with("console-1-")), "{name}");
            // The window's own console goes without what tells it from the other's, which does not.
            let shown = |state: &Value, called: &str| {
                let tasks = list(&state["tasks"]).iter().filter_map(|task| task["name"].as_str());
                tasks.filter(|name| name.ends_with(called)).count()
            };
            window.until("its own console", |state| shown(state, "(console-1)") == 1).await;
            names.push(name);
        }
        assert_ne!(names[0], names[1]);
        page.reload().await;
        page.is_connected().await;
        assert_eq!(name_of(page).await, names[0], "a reload keeps the name");
    })
    .await;
}
