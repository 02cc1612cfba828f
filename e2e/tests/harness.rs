//! The harness itself, on pages made for it: a test that sees nothing must not pass for that reason.

use interleave_e2e::browser::{Browser, Window};
use interleave_e2e::pixels::{Area, colours};
use serde_json::json;

/// A page that is red in light, blue in dark colours.
const PAGE: &str = "data:text/html,<meta name=color-scheme content='light dark'><style>\
    body { margin: 0; background: rgb(255 0 0) }\
    @media (prefers-color-scheme: dark) { body { background: rgb(0 0 255) } }</style>";

const EVERYTHING: Area = Area { left: 0.0, top: 0.0, width: 9999.0, height: 9999.0 };

#[tokio::test]
async fn sees_size_and_colours() {
    let browser = Browser::start(Window::NARROW).await;
    browser.open(PAGE).await;
    assert_eq!(browser.script("return [innerWidth, innerHeight]").await, json!([390, 844]));
    let seen = colours(&browser.screenshot().await, EVERYTHING);
    assert_eq!(seen, [([255, 0, 0], 390 * 844)].into());

    browser.set_window(Window::WIDE.dark()).await;
    let seen = colours(&browser.screenshot().await, EVERYTHING);
    assert_eq!(seen, [([0, 0, 255], 1440 * 900)].into());
}

#[tokio::test]
async fn awaits_what_the_page_answers() {
    let browser = Browser::start(Window::WIDE).await;
    browser.open(PAGE).await;
    let answer = browser.script("return await new Promise((done) => setTimeout(done, 10, [1, 'two']))").await;
    assert_eq!(answer, json!([1, "two"]));
    browser.script("console.error('a mistake')").await;
    let console = browser.console().await;
    let [entry] = &console[..] else { panic!("expected one entry, found {console:?}") };
    assert_eq!(entry["level"], "SEVERE");
    assert!(entry["message"].as_str().is_some_and(|message| message.contains("a mistake")), "found {entry}");
}

#[tokio::test]
#[should_panic(expected = "no such thing")]
async fn a_script_that_throws_fails_the_test() {
    let browser = Browser::start(Window::WIDE).await;
    browser.open(PAGE).await;
    browser.script("throw new Error('no such thing')").await;
}
