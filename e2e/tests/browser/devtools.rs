//! `interleave` in the browser's developer console: commands as promises, the page's state, its help.

use interleave_e2e::browser::Window;
use interleave_e2e::playground::{Playground, front, list, without_server};
use serde_json::{Value, json};

/// What a script is answered; of an error, its text.
async fn answers(page: &Playground, script: &str, expected: Value) {
    let body = format!("try {{ return await {script} }} catch (error) {{ return `${{error}}` }}");
    assert_eq!(page.browser.script(&body).await, expected, "{script}");
}

#[tokio::test]
async fn runs_commands() {
    without_server(Window::WIDE, async |page| {
        page.is_connected().await;
        for (script, expected) in [
            ("interleave.run('INCR hits')", json!(1)),
            ("interleave.run('INCR hits')", json!(2)),
            ("interleave.run('SET greeting \"hello world\"')", json!("OK")),
            ("interleave.run('GET greeting')", json!("hello world")),
            ("interleave.run('GET nobody')", json!(null)),
            ("interleave.run('MGET greeting nobody')", json!(["hello world", null])),
            ("interleave.run('INCR greeting')", json!("Error: ERR value is not an integer or out of range")),
            ("interleave.run(5)", json!("Error: expected a command as a string, such as \"INCR hits\"")),
            ("interleave.run('')", json!("Error: expected a command, found an empty line")),
            ("interleave.text('MGET greeting nobody')", json!("1) \"hello world\"\n2) (nil)")),
            ("interleave.run('SET binary \"\\\\xff\"').then(() => interleave.run('GET binary')).then((bytes) => [...bytes])",
             json!([255])),
            // A number past 2^53 comes whole.
            ("interleave.run('SET large 9007199254740993').then(() => interleave.run('INCR large')).then(String)",
             json!("9007199254740994")),
            ("Promise.all([1, 2, 3].map(() => interleave.run('INCR together')))", json!([1, 2, 3])),
        ] {
            answers(page, script, expected).await;
        }
        // It is the console in front that ran them.
        let state = page.state().await;
        assert!(list(&front(&state)["entries"]).iter().any(|entry| entry["line"] == "INCR hits"));
        let help = page.browser.script("return interleave.help()").await;
        for name in ["run(", "text(", "state()", "source(", "pause()", "help()"] {
            assert!(help.as_str().is_some_and(|help| help.contains(name)), "no {name} in {help}");
        }
        page.browser.script("interleave.pause()").await;
        page.shows("#status", "paused").await;
        page.browser.script("interleave.resume()").await;
        page.shows("#status", "running").await;
        answers(page, "interleave.source('nowhere')", json!("Error: expected \"native\", \"tab\" or \"machine\", found \"nowhere\""))
            .await;
    })
    .await;
}

/// A reply that can never come is said to be lost, not waited for.
#[tokio::test]
async fn promises_end_with_the_server() {
    without_server(Window::WIDE, async |page| {
        page.is_connected().await;
        page.browser
            .script("interleave.pause(); window.asked = interleave.run('PING').then(String, String)")
            .await;
        page.click("#scene").await;
        page.is_connected().await;
        let answer = page
            .browser
            .script(
                "return await Promise.race([asked, new Promise((late) => setTimeout(late, 5000, 'late'))])",
            )
            .await;
        assert_eq!(
            answer,
            "Error: the connection was lost before the reply came; the command may have run or not"
        );
    })
    .await;
}
