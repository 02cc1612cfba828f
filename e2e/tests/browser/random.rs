//! Random requests get the replies in the browser's WebAssembly that they get natively, under every sharing: the tab's module is
//! given the bytes of the requests, and its answers are compared byte for byte.

#[path = "../../../crate/tests/support/memory.rs"]
mod memory;
#[path = "../../../crate/tests/support/requests.rs"]
#[expect(dead_code, reason = "which commands there are is tested where they are")]
mod requests;

use bytes::BytesMut;
use interleave::command::{Group, lookup};
use interleave::resp::{ReplyDecoder, encode_request, format_value};
use interleave::sharing::Kind;
use interleave_e2e::browser::Window;
use interleave_e2e::playground::without_server;
use serde_json::json;

/// Seeds for each sharing.
const SEEDS: u64 = 10;

/// Requests of one seed.
const REQUESTS: usize = 400;

/// Loads the module of the tab's server and leaves a function that gives it bytes, and turns until nothing more comes. What
/// waits is waited for by a clock of its own.
const PREPARE: &str = r#"
    const tab = await import(new URL("tab.js", location));
    await tab.default({ module_or_path: new URL("tab_bg.wasm", location) });
    window.answer = (sharing) => {
        const bytes = window.requests;
        const server = new tab.Tab(sharing, 0, false, 7, 1.8e12);
        let now = 0;
        const turn = () => {
            for (let quiet = 0; quiet < 2000; quiet += 1) now += Math.min(server.turn(now), 1) || 0.01;
        };
        server.open(1);
        turn();
        let answer = "";
        const take = () => server.take_output(1).forEach((byte) => (answer += String.fromCharCode(byte)));
        for (let at = 0; at < bytes.length; at += 1000) {
            server.send(1, new Uint8Array(bytes.slice(at, at + 1000)));
            turn();
            take();
        }
        turn();
        take();
        server.free();
        return answer;
    };
"#;

#[tokio::test]
async fn random_requests_get_the_same_replies_in_the_browser_as_natively() {
    let mut runs: Vec<_> = (0..SEEDS).map(|seed| requests::requests(seed, REQUESTS, false)).collect();
    // The tab has neither streams nor what is costly to send besides.
    let is_there = |request: &Vec<Vec<u8>>| {
        lookup(&request[0]).is_none_or(|(_, spec)| {
            let is_left_out = |start: &&str| spec.name.starts_with(start);
            spec.group != Group::Stream
                && !["lcs", "sort", "zunion", "zinter", "zdiff"].iter().any(is_left_out)
        })
    };
    runs.iter_mut().for_each(|requests| requests.retain(is_there));
    let natively = runs.clone();
    // On a thread that runs no tasks: an engine is a runtime of its own.
    let expected = std::thread::spawn(move || {
        natively.iter().map(|requests| memory::replies(Kind::Mutex, 1, requests)).collect::<Vec<_>>()
    });
    let expected = expected.join().expect("every run ends");
    without_server(Window::WIDE, async |page| {
        page.browser.script(PREPARE).await;
        for ((seed, requests), expected) in runs.iter().enumerate().zip(&expected) {
            let mut bytes = BytesMut::new();
            requests.iter().for_each(|request| encode_request(request, &mut bytes));
            page.browser.script(&format!("window.requests = {}", json!(&bytes[..]))).await;
            for kind in Kind::ALL {
                let answer = page.browser.script(&format!("return answer({})", json!(kind.name()))).await;
                // A character a byte.
                let answer = answer.as_str().unwrap_or_else(|| panic!("expected a text, found {answer}"));
                let answer: Vec<u8> = answer.chars().map(|c| c as u8).collect();
                let (mut answer, mut decoder) = (BytesMut::from(&answer[..]), ReplyDecoder::default());
                for (request, expected) in requests.iter().zip(expected) {
                    let words: Vec<String> =
                        request.iter().map(|word| word.escape_ascii().to_string()).collect();
                    let found = decoder.decode(&mut answer).expect("good replies");
                    let found = found
                        .unwrap_or_else(|| panic!("seed {seed}, {kind}: no reply to {}", words.join(" ")));
                    let (native, tab) = (format_value(expected), format_value(&found));
                    assert!(
                        native == tab,
                        "seed {seed}, {kind}\n> {}\nnatively:\n{native}\nfound:\n{tab}",
                        words.join(" ")
                    );
                }
                assert!(answer.is_empty(), "seed {seed}, {kind}: more replies than requests");
            }
        }
    })
    .await;
}
