//! Runs of the time machine as a whole: all interleavings of one, two side by side, as links and files, and on the native
//! server.

use interleave_e2e::browser::Window;
use interleave_e2e::playground::{Playground, list, task, with_server, without_server};
use serde_json::Value;

fn step(machine: &Value) -> u64 {
    machine["at"]["step"].as_u64().unwrap_or(u64::MAX)
}

async fn steps(page: &Playground, count: u64) -> Value {
    page.browser.script(&format!("interleave.machine({{ do: 'step', count: {count} }})")).await;
    page.machine("these steps", |machine| machine["look"]["step"] == count).await
}

#[tokio::test]
async fn explores_and_opens_the_shortest_schedule() {
    without_server(Window::WIDE, async |page| {
        page.open_machine().await;
        page.click("#m-explore").await;
        page.shows("#m-explored", "schedules").await;
        let machine =
            page.machine("an end of exploring", |machine| machine["explored"]["done"] == true).await;
        let explored = &machine["explored"];
        assert_eq!(explored["complete"], true, "{explored}");
        let worst = &explored["outcomes"][0];
        assert_eq!(worst["good"], false);
        let share = format!(
            "{} of {}",
            worst["schedules"].as_str().unwrap_or("?"),
            explored["schedules"].as_str().unwrap_or("?")
        );
        page.shows(".outcomes tbody tr:first-child", &share).await;
        page.shows(".outcomes tbody tr:first-child .verdict", "✕ bad").await;
        page.shows(".outcomes tbody tr:last-child .verdict", "✓ good").await;
        let headline = worst["headline"].clone();
        page.click(".outcomes tbody tr:first-child .open").await;
        let machine = page.machine("its outcome", |machine| machine["look"]["outcome"].is_object()).await;
        assert_eq!(machine["look"]["outcome"]["headline"], headline);
        assert_eq!(
            (&machine["look"]["flavor"], &machine["settings"]["direct"]),
            (&"manual".into(), &true.into())
        );
        page.shows("#look .outcome.bad", "stock").await;
        page.shows(
            "#m-notice",
            "the settings are manual and direct now; they were current-thread and not direct",
        )
        .await;
        // Back at its start it is told of each option what can come of it.
        page.click("#m-start").await;
        page.machine("what lies ahead", |machine| {
            machine["look"]["step"] == 0 && machine["ahead"].is_array()
        })
        .await;
        page.find("#m-options .option .ahead.bad").await;
        // The fix has no bad outcome.
        page.choose("#m-example", "1").await;
        page.machine("another scenario", |machine| machine["explored"].is_null()).await;
        page.click("#m-explore").await;
        let machine =
            page.machine("an end of exploring", |machine| machine["explored"]["done"] == true).await;
        assert!(list(&machine["explored"]["outcomes"]).iter().all(|outcome| outcome["good"] == true));
    })
    .await;
}

#[tokio::test]
async fn explores_deadlocks_and_stops_when_told() {
    without_server(Window::WIDE, async |page| {
        page.open_machine().await;
        page.choose("#m-example", "4").await;
        page.click("#m-explore").await;
        page.machine("an end of exploring", |machine| machine["explored"]["done"] == true).await;
        page.shows(".outcomes tbody tr:first-child .verdict", "✕ deadlock").await;
        let many = "client a * 9 {\n    INCR x\n    yield\n    INCR y\n    yield\n    let z = GET x\n    SET z:$me $z\n    yield\n    APPEND w $me\n}\n";
        page.run_scenario(many).await;
        page.click("#m-explore").await;
        page.machine("exploring", |machine| machine["explored"]["states"].as_u64() > Some(0) || machine["explored"]["runs"].as_u64() > Some(0)).await;
        // The page answers meanwhile.
        page.click("#m-step").await;
        page.machine("a step", |machine| step(machine) == 1).await;
        page.click("#m-explore-stop").await;
        let machine = page.machine("an end", |machine| machine["explored"]["done"] == true).await;
        assert_eq!(machine["explored"]["complete"], false);
        page.shows("#m-explored", "topped").await;
    })
    .await;
}

#[tokio::test]
async fn above_its_bound_it_goes_on_at_random_with_a_seed_and_says_so() {
    without_server(Window::WIDE, async |page| {
        page.open_machine().await;
        // Each order of the six leaves another list: more outcomes than are kept.
        page.run_scenario("client a * 6 {\n    RPUSH order $me\n}\n").await;
        let seed = "const seed = document.querySelector('#m-seed'); seed.value = 7; seed.dispatchEvent(new Event('change'))";
        page.browser.script(seed).await;
        page.machine("the seed", |machine| machine["opened"]["seed"] == 7).await;
        page.click("#m-explore").await;
        let some = |machine: &Value| machine["explored"]["random"]["runs"].as_u64() > Some(100);
        page.machine("runs at random", some).await;
        page.click("#m-explore-stop").await;
        let machine = page.machine("an end", |machine| machine["explored"]["done"] == true).await;
        assert_eq!(machine["explored"]["random"]["seed"], 7);
        assert_eq!(machine["explored"]["complete"], false);
        page.shows("#m-explored", "at random, seed 7").await;
        page.shows("#m-explored", "The limit outcomes: there are more than 256 different outcomes").await;
        page.shows(".outcomes tbody tr:first-child", "so far").await;
    })
    .await;
}

#[tokio::test]
async fn two_sharings_stand_side_by_side() {
    without_server(Window::WIDE, async |page| {
        page.open_machine().await;
        let before = page.state().await;
        page.click("#m-tab-compare").await;
        page.choose("#m-other-sharing", "actor").await;
        page.click("#m-compare").await;
        let machine = page.machine("a comparison", |machine| machine["compared"].is_object()).await;
        page.shows("#m-compared", "actor").await;
        assert!(machine["compared"]["b"]["headline"].is_string());
        page.shows("#m-compared", "Tokio's own current-thread runtime scheduled").await;
        page.shows("#m-compared-what", "the scenario's own tasks").await;
        // Each run's lanes stand together, below its name.
        let shown = page.until("both runs' lanes", |state| {
            list(&state["timeline"]["shown"]).iter().any(|lane| lane == "actor")
        });
        let shown = shown.await["timeline"]["shown"].take();
        let lanes: Vec<&str> = list(&shown).iter().filter_map(Value::as_str).collect();
        let second = lanes.iter().position(|lane| *lane == "actor").unwrap_or_default();
        assert_eq!(lanes[0], "mutex");
        for (half, what) in [(&lanes[1..second], "first"), (&lanes[second + 1..], "second")] {
            for task in ["scenario", "buyer 1", "buyer 2", "client 1"] {
                assert!(half.contains(&task), "{task} in the {what}: {lanes:?}");
            }
        }
        // Both runs' tasks share the timeline.
        page.until("both runs", |state| list(&state["tasks"]).len() > list(&before["tasks"]).len() + 4).await;
        if machine["compared"]["parted"].is_object() {
            page.click("#m-to-parted").await;
            page.shows("#m-parted", "They part").await;
        }
        page.click("#m-uncompare").await;
        page.machine("the run", |machine| machine["compared"].is_null()).await;
        page.until("one run", |state| list(&state["tasks"]).len() == list(&before["tasks"]).len()).await;
    })
    .await;
}

#[tokio::test]
async fn a_link_and_a_file_bring_whoever_opens_them_to_the_same_step() {
    without_server(Window::WIDE, async |page| {
        page.open_machine().await;
        let stood = steps(page, 9).await;
        page.click("#m-tab-share").await;
        page.click("#m-link").await;
        let machine = page.machine("a link", |machine| machine["link"].is_string()).await;
        let link = machine["link"].as_str().unwrap_or_default().to_owned();
        assert_eq!(page.property("#m-link-text", "value").await, link);
        // What the save button would put into a file.
        page.browser.script("window.saved = null; HTMLElement.prototype.click = new Proxy(HTMLElement.prototype.click, { apply(f, that, args) { if (that.download) window.saved = [that.download, that.href]; else return Reflect.apply(f, that, args); } })").await;
        page.click("#m-save").await;
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        let saved = page.browser.script("return window.saved").await;
        assert_eq!(saved[0], "run.interleave.json");

        // Another page, of which nothing is known.
        page.follow(&link).await;
        let machine = page.machine("the same step", |machine| machine["look"]["step"] == 9).await;
        assert_eq!(machine["look"], stood["look"]);

        // It stays in the address as long as one stands there; from then on a reload finds where one went.
        page.reload().await;
        page.machine("the same step", |machine| machine["look"]["step"] == 9).await;
        page.click("#m-step").await;
        page.machine("a step more", |machine| machine["look"]["step"] == 10).await;
        assert_eq!(page.browser.script("return location.hash").await, "");
        page.is_kept().await;
        page.reload().await;
        page.machine("the later step", |machine| machine["look"]["step"] == 10).await;
        // The file, loaded by the button's own input.
        page.choose("#m-example", "2").await;
        page.machine("another scenario", |machine| machine["opened"]["scenario"] != stood["opened"]["scenario"]).await;
        assert_eq!(page.browser.script("return location.hash").await, "");
        page.click("#m-tab-share").await;
        let load = format!(
            "const text = await (await fetch({})).text(); const data = new DataTransfer();\
             data.items.add(new File([text], 'run.interleave.json'));\
             const input = document.querySelector('#m-load'); input.files = data.files; input.dispatchEvent(new Event('change'))",
            saved[1]
        );
        page.browser.script(&load).await;
        let machine = page.machine("the file's run", |machine| machine["look"]["step"] == 9).await;
        assert_eq!(machine["look"], stood["look"]);
    })
    .await;
}

#[tokio::test]
async fn broken_links_and_files_are_refused_and_nothing_else_changes() {
    without_server(Window::WIDE, async |page| {
        page.open_machine().await;
        let stood = steps(page, 4).await;
        let drop = |text: &str| format!(
            "const data = new DataTransfer(); data.items.add(new File([{text:?}], 'x.json'));\
             document.querySelector('#dock').dispatchEvent(new DragEvent('drop', {{ dataTransfer: data, bubbles: true }}))"
        );
        for (script, words) in [
            ("location.hash = 'run=AAAA'".to_owned(), "expected"),
            ("location.hash = 'run=%%%'".to_owned(), "expected"),
            (drop("{ \"format\": 1 "), "expected a saved run"),
            (drop(r#"{ "format": 99, "scenario": "client a { PING }" }"#), "newer version"),
            (drop(r#"{ "format": 1, "scenario": "nonsense" }"#), "line 1"),
        ] {
            page.browser.script("document.querySelector('#m-notice .close')?.click()").await;
            page.browser.script(&script).await;
            page.shows("#m-notice.error", words).await;
            let machine = page.machine("a refusal", |machine| machine["refused"].is_string()).await;
            for part in ["opened", "look", "at", "text", "settings"] {
                assert_eq!(machine[part], stood[part], "{part} after {script}");
            }
        }
        // A page that is opened with such a link opens nothing, and can be used.
        page.browser.script("location.hash = 'run=AAAA'; location.reload()").await;
        page.shows("#m-notice.error", "expected").await;
        let machine = page.machine("nothing open", |machine| machine["refused"].is_string()).await;
        assert!(machine["opened"].is_null() && machine["look"].is_null());
        page.shows("#status", "nothing is open").await;
        page.click("#m-run").await;
        page.machine("a run", |machine| machine["look"]["step"] == 0).await;
    })
    .await;
}

#[tokio::test]
async fn without_a_server_it_says_so() {
    without_server(Window::WIDE, async |page| {
        page.open_machine().await;
        page.click("#m-tab-native").await;
        page.click("#m-native").await;
        page.shows("#m-observed", "No Interleave server answers").await;
    })
    .await;
}

#[tokio::test]
async fn runs_on_the_native_server() {
    with_server(&[], Window::WIDE, async |page, _| {
        page.open_machine().await;
        page.browser.script("interleave.machine({ do: 'play', perSecond: 0 })").await;
        let machine =
            page.machine("the model's outcome", |machine| machine["look"]["outcome"].is_object()).await;
        page.click("#m-tab-native").await;
        page.click("#m-native").await;
        let machine_after =
            page.machine("the server's outcome", |machine| machine["native"]["finished"].is_object()).await;
        assert!(machine_after["native"]["finished"]["good"].is_boolean());
        // Both are on one timeline, from the same moment on.
        page.machine("both on the timeline", |machine| machine["beside"] == true).await;
        page.until("tasks of both", |state| {
            let named = |start: &str| task(state, start).is_some();
            named("native \u{b7} buyer 1") && named("model \u{b7} buyer 1")
        })
        .await;
        // Each runtime has its own numbers: what both poll at one instant is parallel in neither.
        let parts =
            page.until("both runtimes' numbers", |state| list(&state["parts"]).len() == 2).await["parts"]
                .take();
        assert_eq!((&parts[0]["name"], &parts[1]["name"]), (&"native".into(), &"model".into()));
        assert_eq!(parts[1]["workers"], 1, "{parts}");
        assert!(
            list(&parts).iter().all(|part| part["parallelism"].as_u64() <= part["workers"].as_u64()),
            "{parts}"
        );
        page.shows("#parallelism", "native").await;
        let observed = machine_after["native"]["finished"]["headline"].as_str().unwrap_or("?").to_owned();
        page.shows("#m-observed", &observed).await;
        page.shows("#m-here", machine["look"]["outcome"]["headline"].as_str().unwrap_or("?")).await;
        page.shows("#m-both", "observed").await;
        page.click("#m-unbeside").await;
        page.until("the model's alone", |state| {
            task(state, "buyer 1").is_some() && task(state, "native").is_none()
        })
        .await;
    })
    .await;
}
