//! What survives a reload: what was typed and answered, and how the page was set up.

use fantoccini::key::Key;
use interleave_e2e::browser::Window;
use interleave_e2e::playground::{PROMPT, front, list, without_server};
use serde_json::{Value, json};

#[tokio::test]
async fn a_reload_brings_the_page_back() {
    without_server(Window::WIDE, async |page| {
        page.answer("SET greeting hello").await;
        page.answer("NONSENSE").await;
        page.click("#console-new").await;
        page.choose("#sharing", "actor").await;
        page.until("actor", |state| state["sharing"] == "actor").await;
        page.is_connected().await;
        page.answer("GET greeting").await;
        page.click("#lanes-workers").await;
        page.click("#fold").await;
        page.click("#zoom-in").await;
        page.keys(".splitter", &Key::Up).await;
        let before = page.state().await;
        let dock = page.area("#dock").await;
        let kept = |state: &Value| {
            let lines = |console: &Value| {
                // The page's own words are not kept.
                let lines = list(&console["entries"]).iter().filter(|entry| entry["note"] == false);
                lines.map(|entry| json!([entry["line"], entry["reply"], entry["failed"]])).collect::<Vec<_>>()
            };
            json!({
                "consoles": list(&state["consoles"]).iter().map(lines).collect::<Vec<_>>(),
                "front": state["console"],
                "source": state["source"],
                "sharing": state["sharing"],
                "lanes": state["timeline"]["lanes"],
                "folds": state["timeline"]["folds"],
                "scale": state["timeline"]["ns_per_px"],
            })
        };
        let expected = json!([
            [["SET greeting hello", "OK", false], ["NONSENSE", kept(&before)["consoles"][0][1][1], true]],
            [["GET greeting", "(nil)", false]],
        ]);
        assert_eq!(kept(&before)["consoles"], expected);

        page.reload().await;
        page.is_connected().await;
        // The trace comes a little later.
        let after = page.until("the new server's trace", |state| state["sharing"].is_string()).await;
        assert_eq!(kept(&after), kept(&before));
        assert_eq!(page.area("#dock").await, dock);
        assert_eq!(page.property("#sharing", "value").await, "actor");
        // The history is each console's own.
        page.keys(PROMPT, &Key::Up).await;
        assert_eq!(page.property(PROMPT, "value").await, "GET greeting");
        page.click("#console-tab-1").await;
        page.keys(PROMPT, &Key::Up).await;
        page.keys(PROMPT, &Key::Up).await;
        assert_eq!(page.property(PROMPT, "value").await, "SET greeting hello");
        page.keys(PROMPT, &Key::Escape).await;
        // The server is a new one, and the consoles work.
        assert_eq!(page.answer("GET greeting").await, "(nil)");
        assert_eq!(front(&page.state().await)["connected"], true);
    })
    .await;
}

#[tokio::test]
async fn the_chosen_source_is_kept_where_it_cannot_be_reached() {
    without_server(Window::WIDE, async |page| {
        page.is_connected().await;
        page.click("#source-native").await;
        page.shows("#status", "no Interleave server answers at this address").await;
        page.shows("#status", "trying again in").await;
        page.reload().await;
        page.until("a server that is away", |state| state["source"] == "native" && state["link"] == "down")
            .await;
        page.click("#source-tab").await;
        page.is_connected().await;
        assert_eq!(page.answer("PING").await, "PONG");
        page.reload().await;
        page.is_connected().await;
        assert_eq!(page.state().await["source"], "tab");
    })
    .await;
}

/// What is stored may be of another version, or damaged.
#[tokio::test]
async fn damaged_memory_is_forgotten() {
    without_server(Window::WIDE, async |page| {
        for damaged in ["{", "[]", "{\"lanes\": 7}", "{\"consoles\": [], \"active\": 9, \"ns_per_px\": -1}"] {
            // The page stores on its way out, so it is left first.
            page.browser
                .script(&format!(
                    "addEventListener('pagehide', () => localStorage.setItem('interleave', {damaged:?}))"
                ))
                .await;
            page.reload().await;
            page.is_connected().await;
            assert_eq!(page.answer("PING").await, "PONG", "{damaged}");
        }
    })
    .await;
}
