//! Takes the pictures in `docs/screenshots`: `cargo xtask shots`. What happens on them is real, so times and places differ
//! from run to run; names, sizes and what is to be seen do not.

use std::fs;
use std::path::Path;

use interleave_e2e::browser::Window;
use interleave_e2e::load::Load;
use interleave_e2e::playground::{Playground, list, task, with_server, without_server};
use serde_json::Value;

/// A picture travels with every clone of the repository.
const BYTES_MAX: usize = 200_000;

const LAST_LINE: &str = ".console:not(.hidden) .entry:last-child .line";

/// Keeps what is on the page now.
async fn shoot(page: &Playground, name: &str) {
    // No tooltip, no caret that blinks or not.
    page.hover((2.0, 2.0)).await;
    page.browser.script("document.activeElement?.blur()").await;
    page.browser.script("await new Promise((done) => setTimeout(done, 300))").await;
    let picture = page.browser.screenshot().await;
    assert!(picture.len() <= BYTES_MAX, "{name}: at most {BYTES_MAX} bytes, found {}", picture.len());
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/screenshots");
    fs::create_dir_all(&folder).unwrap_or_else(|error| panic!("cannot make {}: {error}", folder.display()));
    let file = folder.join(name).with_extension("png");
    fs::write(&file, &picture).unwrap_or_else(|error| panic!("cannot write {}: {error}", file.display()));
    println!("{name:<14} {:>8} bytes", picture.len());
}

/// Waits until every task that lives has been polled since the page came: of the others nothing is known yet.
async fn all_are_known(page: &Playground) {
    page.until("tasks that were polled", |state| {
        let mut alive = list(&state["tasks"]).iter().filter(|task| task["state"] != "ended");
        alive.all(|task| task["polls"].as_u64() > Some(0))
    })
    .await;
}

async fn answer_all(page: &Playground, lines: &[&str]) {
    for line in lines {
        page.answer(line).await;
    }
}

/// The scene under way, at a scale where its messages can be told apart, and standing still.
async fn scene_under(page: &Playground, sharing: &str) {
    page.choose("#sharing", sharing).await;
    page.until(sharing, |state| state["sharing"] == sharing).await;
    page.is_connected().await;
    page.until("a scene that plays", |state| {
        task(state, "visitor 3").is_some_and(|task| task["polls"].as_u64() > Some(6))
    })
    .await;
}

#[tokio::test]
#[ignore = "a tool: cargo xtask shots"]
async fn wide_light() {
    let flags = ["--sharing", "mutex", "--worker-threads", "4"];
    with_server(&flags, Window::WIDE, async |page, server| {
        page.is_connected().await;
        answer_all(page, &["SET greeting hello", "GET greeting", "INCR hits"]).await;
        page.click("#console-new").await;
        page.is_connected().await;
        answer_all(page, &["INCR hits", "INCR greeting"]).await;
        all_are_known(page).await;
        // Others who take their turns meanwhile.
        let others = Load::start(server, &["-t", "incr", "-c", "3", "-n", "100000"]);
        page.until("others", |state| list(&state["tasks"]).len() > 6).await;
        page.path_of("MGET greeting hits nobody").await;
        page.click(LAST_LINE).await;
        page.find("#drawer .way").await;
        others.ends().await;
        shoot(page, "wide-light").await;
    })
    .await;
}

#[tokio::test]
#[ignore = "a tool: cargo xtask shots"]
async fn wide_dark() {
    without_server(Window::WIDE.dark(), async |page| {
        scene_under(page, "actor").await;
        page.answer("SET greeting hello").await;
        page.path_of("GET greeting").await;
        page.click(LAST_LINE).await;
        page.find("#drawer .way").await;
        shoot(page, "wide-dark").await;
    })
    .await;
}

#[tokio::test]
#[ignore = "a tool: cargo xtask shots"]
async fn narrow_light() {
    without_server(Window::NARROW, async |page| {
        scene_under(page, "sharded").await;
        answer_all(page, &["SET greeting hello", "GET greeting", "INCR hits"]).await;
        page.click("#pause").await;
        shoot(page, "narrow-light").await;
    })
    .await;
}

#[tokio::test]
#[ignore = "a tool: cargo xtask shots"]
async fn narrow_dark() {
    without_server(Window::NARROW.dark(), async |page| {
        scene_under(page, "actor").await;
        page.path_of("INCR hits").await;
        page.click(LAST_LINE).await;
        page.find("#drawer .way").await;
        shoot(page, "narrow-dark").await;
    })
    .await;
}

#[tokio::test]
#[ignore = "a tool: cargo xtask shots"]
async fn load() {
    with_server(&["--sharing", "sharded"], Window::WIDE, async |page, server| {
        page.is_connected().await;
        all_are_known(page).await;
        let args = ["-t", "set,get", "-c", "50", "-n", "1000000", "-P", "16"];
        let load = Load::start(server, &args);
        page.until("50 clients", |state| list(&state["tasks"]).len() > 50).await;
        page.path_of("PING").await;
        // Far enough to have busy and calm moments in one picture.
        page.click("#zoom-out").await;
        page.click("#zoom-out").await;
        shoot(page, "load").await;
        load.ends().await;
    })
    .await;
}

/// Three buyers, explored, at the start of the worst that can come of them, and chosen on until little is left.
async fn explored(page: &Playground) {
    page.open_machine().await;
    let scenario =
        page.state().await["machine"]["opened"]["scenario"].as_str().unwrap_or_default().to_owned();
    page.run_scenario(&scenario.replace("buyer * 2", "buyer * 3")).await;
    page.click("#m-explore").await;
    page.machine("an end of exploring", |machine| machine["explored"]["done"] == true).await;
    page.click(".outcomes tbody tr:first-child .open").await;
    page.machine("its end", |machine| machine["look"]["outcome"].is_object()).await;
    page.browser.script("interleave.machine({ do: 'seek', step: 4 })").await;
    page.machine("what lies ahead", |machine| machine["look"]["step"] == 4 && machine["ahead"].is_array())
        .await;
    page.click("#fit").await;
}

#[tokio::test]
#[ignore = "a tool: cargo xtask shots"]
async fn machine_light() {
    without_server(Window::WIDE, async |page| {
        page.open_machine().await;
        page.choose("#m-flavor", "multi-thread").await;
        page.machine("the model", |machine| machine["look"]["flavor"] == "multi-thread").await;
        page.step_until("two buyers at their DECR", |machine| {
            let at_decr = |task: &&Value| task["line"] == 12 && task["result"].is_null();
            list(&machine["look"]["tasks"]).iter().filter(at_decr).count() == 2
        })
        .await;
        page.click("#fit").await;
        shoot(page, "machine-light").await;
    })
    .await;
}

#[tokio::test]
#[ignore = "a tool: cargo xtask shots"]
async fn machine_dark() {
    without_server(Window::WIDE.dark(), async |page| {
        explored(page).await;
        shoot(page, "machine-dark").await;
    })
    .await;
}

#[tokio::test]
#[ignore = "a tool: cargo xtask shots"]
async fn machine_narrow() {
    without_server(Window::NARROW, async |page| {
        page.open_machine().await;
        page.browser.script("interleave.machine({ do: 'step', count: 14 })").await;
        page.machine("these steps", |machine| machine["look"]["step"] == 14).await;
        page.click("#fit").await;
        shoot(page, "machine-narrow").await;
    })
    .await;
}
