//! Consoles: replies as redis-cli prints them, a connection for each, history, completion and help.

use fantoccini::key::Key;
use interleave_e2e::browser::Window;
use interleave_e2e::playground::{PROMPT, Playground, front, list, task, without_server};
use serde_json::Value;

/// The entry that was typed last in the console in front.
const LAST: &str = ".console:not(.hidden) .entry:last-child";

#[tokio::test]
async fn prints_replies_as_redis_cli_does() {
    without_server(Window::WIDE, async |page| {
        for (line, expected) in [
            ("SET greeting hello", "OK"),
            ("GET greeting", "\"hello\""),
            ("GET nobody", "(nil)"),
            ("INCR hits", "(integer) 1"),
            ("incr hits", "(integer) 2"),
            ("MGET greeting nobody hits", "1) \"hello\"\n2) (nil)\n3) \"2\""),
            ("SET binary \"\\x00\\xff\\r\\n\"", "OK"),
            ("GET binary", "\"\\x00\\xff\\r\\n\""),
            ("SET 'two words' \"it's\"", "OK"),
            ("GET \"two words\"", "\"it's\""),
            ("KEYS nothing*", "(empty array)"),
            // The tab has every family that the native server has.
            ("XADD log 1-1 by ada", "\"1-1\""),
            ("XLEN log", "(integer) 1"),
            ("ZADD a 1 x 2 y", "(integer) 2"),
            ("ZINTERCARD 2 a a", "(integer) 2"),
            ("RPUSH numbers 3 1 2", "(integer) 3"),
            ("SORT numbers", "1) \"1\"\n2) \"2\"\n3) \"3\""),
        ] {
            assert_eq!(page.answer(line).await, expected, "{line}");
            assert_eq!(page.text(&format!("{LAST} .reply")).await, expected, "{line}");
        }
        for (line, expected) in [
            ("NONSENSE 1 2", "(error) ERR unknown command 'NONSENSE', with args beginning with: '1' '2'"),
            ("INCR greeting", "(error) ERR value is not an integer or out of range"),
            ("GET", "(error) ERR wrong number of arguments for 'get' command"),
            ("GET \"open", "Invalid argument(s): a quote is not closed, or text follows a closing quote"),
        ] {
            // redis-cli leaves out the space after the arguments of an unknown command, as a terminal would.
            assert_eq!(page.answer(line).await.trim_end(), expected, "{line}");
            page.find(&format!("{LAST} .reply.error")).await;
        }
        // What no command takes has a way, too.
        for line in ["NONSENSE 3", "GET"] {
            let path = page.path_of(line).await;
            assert!(
                path.iter().any(|stretch| stretch.contains("no such command, or other arguments")),
                "{path:?}"
            );
        }
        assert_eq!(page.answer("PING").await, "PONG");
    })
    .await;
}

#[tokio::test]
async fn the_end_is_in_sight_however_quickly_one_types() {
    without_server(Window::WIDE, async |page| {
        page.is_connected().await;
        for _ in 0..20 {
            page.type_line("PING").await;
        }
        page.type_line("SET \"open").await;
        let answered =
            |state: &Value| list(&front(state)["entries"]).iter().all(|entry| !entry["reply"].is_null());
        page.until("all replies", answered).await;
        // What is hidden below the last line, once the frame that shows it is over.
        let hidden = "const log = document.querySelector('.console:not(.hidden) .entries'); \
            return new Promise(done => requestAnimationFrame(() => setTimeout(() => \
                done(log.scrollHeight - log.scrollTop - log.clientHeight), 100)))";
        let hidden = page.browser.script(hidden).await;
        assert!(hidden.as_f64().is_some_and(|px| px <= 1.0), "{hidden} px");
    })
    .await;
}

#[tokio::test]
async fn a_second_console_is_a_second_connection_and_task() {
    without_server(Window::WIDE, async |page| {
        let first = page.answer("CLIENT ID").await;
        page.click("#console-new").await;
        page.until("a task of the second console", |state| {
            list(&state["consoles"]).len() == 2
                && list(&state["tasks"])
                    .iter()
                    .any(|task| task["name"].as_str().is_some_and(|name| name.contains("(console-2)")))
        })
        .await;
        assert_eq!(page.state().await["console"], 2);
        assert_eq!(page.attribute("#console-tab-2", "aria-selected").await.as_deref(), Some("true"));
        let second = page.answer("CLIENT ID").await;
        assert_ne!(first, second);
        assert_eq!(page.answer("SET shared by-2").await, "OK");
        let name = format!("client {}", second.trim_start_matches("(integer) "));

        page.click("#console-tab-1").await;
        assert_eq!(page.answer("GET shared").await, "\"by-2\"");
        assert_eq!(page.answer("CLIENT ID").await, first);
        // Tab lists go by the arrow keys.
        page.keys("#console-tab-1", &Key::Right).await;
        page.until("the second in front", |state| state["console"] == 2).await;

        page.click("[aria-label='Close console 2']").await;
        let state = page
            .until("the end of its task", |state| {
                task(state, &name).is_some_and(|task| task["state"] == "ended")
            })
            .await;
        assert_eq!((list(&state["consoles"]).len(), &state["console"]), (1, &1.into()));
        assert_eq!(page.answer("PING").await, "PONG");
    })
    .await;
}

async fn line_is(page: &Playground, expected: &str) {
    assert_eq!(page.property(PROMPT, "value").await, expected);
}

#[tokio::test]
async fn remembers_completes_and_explains() {
    without_server(Window::WIDE, async |page| {
        let [up, down, tab, escape] = [Key::Up, Key::Down, Key::Tab, Key::Escape];
        page.answer("SET a 1").await;
        page.answer("GET a").await;
        page.keys(PROMPT, "half").await;
        for (key, expected) in
            [(up, "GET a"), (up, "SET a 1"), (up, "SET a 1"), (down, "GET a"), (down, "half")]
        {
            page.keys(PROMPT, &key).await;
            line_is(page, expected).await;
        }
        page.keys(PROMPT, &escape).await;
        line_is(page, "").await;

        page.keys(PROMPT, "rena").await;
        page.shows(".explained", "RENAMENX").await;
        page.keys(PROMPT, &tab).await;
        line_is(page, "rename ").await;
        page.shows(".explained .usage", "RENAME key newkey").await;
        page.keys(PROMPT, "a b\n").await;
        assert_eq!(page.reply_of("rename a b").await, "OK");
        page.keys(PROMPT, "CLIENT SETN").await;
        page.keys(PROMPT, &tab).await;
        line_is(page, "CLIENT SETNAME ").await;
        page.keys(PROMPT, &escape).await;

        // Suggestions can be clicked, and typing goes on.
        page.keys(PROMPT, "dbsi").await;
        page.click(".suggestion").await;
        line_is(page, "dbsize").await;
        page.keys(PROMPT, "\n").await;
        assert!(page.reply_of("dbsize").await.starts_with("(integer) "));

        page.type_line("clear").await;
        page.until("an empty screen", |state| list(&front(state)["entries"]).is_empty()).await;
        page.click(".example").await;
        assert_eq!(page.reply_of("SET greeting hello").await, "OK");
    })
    .await;
}

/// QUIT closes the console's connection, and what is typed next opens another.
pub(crate) async fn quits_and_connects_again(page: &Playground) {
    let before = page.answer("CLIENT ID").await;
    assert_eq!(page.answer("QUIT").await, "OK");
    page.until("a closed console", |state| front(state)["connected"] == false).await;
    page.shows(".console:not(.hidden)", "The next command connects again").await;
    assert_eq!(page.answer("PING").await, "PONG");
    assert_ne!(page.answer("CLIENT ID").await, before);
}

#[tokio::test]
async fn quit_closes_and_the_next_command_connects_again() {
    without_server(Window::WIDE, async |page| {
        quits_and_connects_again(page).await;
        assert_eq!(front(&page.state().await)["connected"], true);
    })
    .await;
}

#[tokio::test]
async fn messages_of_channels_are_shown_as_they_come() {
    without_server(Window::WIDE, async |page| {
        assert_eq!(
            page.answer("SUBSCRIBE news other").await,
            "1) \"subscribe\"\n2) \"news\"\n3) (integer) 1\n1) \"subscribe\"\n2) \"other\"\n3) (integer) 2"
        );
        page.click("#console-new").await;
        page.until("a second console", |state| list(&state["consoles"]).len() == 2).await;
        assert_eq!(page.answer("PUBLISH news hello").await, "(integer) 1");
        // The one who spoke waits for its reply only; the message is in the other console.
        page.click("#console-tab-1").await;
        let message = "1) \"message\"\n2) \"news\"\n3) \"hello\"";
        page.until("the message", |state| {
            list(&front(state)["entries"])
                .iter()
                .any(|entry| entry["message"] == true && entry["line"] == message)
        })
        .await;
        page.shows(".console:not(.hidden) .message", "hello").await;
        // A console that listens can be typed in, and its replies are its own.
        assert_eq!(page.answer("PING").await, "PONG");
        assert_eq!(page.answer("PUBLISH news self").await, "(integer) 1");
        assert_eq!(
            page.answer("UNSUBSCRIBE").await,
            "1) \"unsubscribe\"\n2) \"news\"\n3) (integer) 1\n1) \"unsubscribe\"\n2) \"other\"\n3) (integer) 0"
        );
        page.click("#console-tab-2").await;
        assert_eq!(page.answer("PUBLISH news nobody").await, "(integer) 0");
    })
    .await;
}
