//! How the page looks and whom it shuts out: themes, narrow windows, keyboards, screen readers, and a silent console.

use fantoccini::key::Key;
use interleave_e2e::browser::Window;
use interleave_e2e::playground::{PROMPT, Playground, task, with_server, without_server};
use serde_json::{Value, json};

/// Where no server answers, the browser itself reports the question that tells so.
fn complaints(console: Vec<Value>) -> Vec<Value> {
    let is_expected = |entry: &Value| entry["message"].as_str().is_some_and(|text| text.contains("api/info"));
    console.into_iter().filter(|entry| !is_expected(entry)).collect()
}

/// Uses most of the page once.
async fn use_everything(page: &Playground) {
    page.path_of("SET greeting hello").await;
    page.answer("NONSENSE").await;
    page.click("#console-new").await;
    page.path_of("INCR hits").await;
    page.click(".console:not(.hidden) .entry:last-child .line").await;
    page.find("#drawer .way").await;
    for control in [
        "#lanes-workers",
        "#fold",
        "#follow",
        "#zoom-in",
        "#zoom-out",
        "#fit",
        "#theme",
        "#lanes-tasks",
        "#scene",
    ] {
        page.click(control).await;
    }
    page.click("#help").await;
    page.keys("#help-dialog .close", &Key::Escape).await;
    page.is_connected().await;
    page.answer("PING").await;
}

#[tokio::test]
async fn the_browser_has_nothing_to_complain_about() {
    for window in [Window::WIDE, Window::NARROW.dark()] {
        without_server(window, async |page| {
            use_everything(page).await;
            assert_eq!(complaints(page.browser.console().await), [] as [Value; 0]);
        })
        .await;
    }
}

#[tokio::test]
async fn the_theme_is_the_systems_until_one_is_chosen() {
    without_server(Window::WIDE, async |page| {
        let light = page.colour("var(--ground)").await;
        page.browser.set_window(Window::WIDE.dark()).await;
        let dark = page.colour_until("var(--ground)", |colour| colour != light).await;
        assert!(
            dark.iter().zip(light).all(|(dark, light)| *dark < light),
            "{dark:?} is darker than {light:?}"
        );
        let turns = async |expected| page.colour_until("var(--ground)", |colour| colour == expected).await;
        page.browser.set_window(Window::WIDE).await;
        turns(light).await;

        page.click("#theme").await;
        turns(dark).await;
        // The canvas follows.
        page.run_of("#canvas", "var(--lane)", 50).await;
        page.reload().await;
        turns(dark).await;
        page.click("#theme").await;
        turns(light).await;
        page.run_of("#canvas", "var(--lane)", 50).await;
    })
    .await;
}

/// A system that turns dark in the evening, while nobody has chosen a theme.
#[tokio::test]
async fn the_canvas_follows_the_system() {
    without_server(Window::WIDE, async |page| {
        page.run_of("#canvas", "var(--lane)", 50).await;
        // Nothing moves that would have it drawn anew.
        page.click("#pause").await;
        page.browser.set_window(Window::WIDE.dark()).await;
        page.run_of("#canvas", "var(--lane)", 50).await;
    })
    .await;
}

#[tokio::test]
async fn help_opens_and_closes() {
    without_server(Window::WIDE, async |page| {
        page.keys("#canvas", "?").await;
        page.shows("#help-dialog", "concurrency").await;
        page.shows("#help-dialog", "parallelism").await;
        assert_eq!(page.browser.script("return document.activeElement.ariaLabel").await, "Close");
        // The focus stays inside while it is open, or leaves the page.
        for _ in 0..3 {
            page.press(Key::Tab).await;
            let inside = "const element = document.activeElement;\
                 return element === document.body || Boolean(element.closest('#help-dialog'))";
            assert_eq!(page.browser.script(inside).await, true);
        }
        page.press(Key::Escape).await;
        assert_eq!(page.browser.script("return document.querySelector('#help-dialog')").await, Value::Null);
        // It was opened from the timeline, so that is where one goes on.
        assert_eq!(page.browser.script("return document.activeElement.id").await, "canvas");
        page.click("#help").await;
        page.click("#help-dialog .close").await;
        assert_eq!(page.browser.script("return document.querySelector('#help-dialog')").await, Value::Null);
        // Keys that lead to the places where one types.
        page.keys("#canvas", "/").await;
        assert_eq!(page.browser.script("return document.activeElement.id").await, "search");
        page.keys("#canvas", "c").await;
        assert_eq!(page.browser.script("return document.activeElement.className").await, "console-input");
    })
    .await;
}

#[tokio::test]
async fn terms_explain_themselves() {
    without_server(Window::WIDE, async |page| {
        // The header has its place once it says where the server runs.
        page.is_connected().await;
        let place = page.area("#concurrency .term").await;
        page.hover((place.left + place.width / 2.0, place.top + place.height / 2.0)).await;
        page.shows(".tip", "tasks are in flight").await;
        // By keyboard too, and Escape takes it away.
        page.browser.script("document.querySelector('#parallelism .term').focus()").await;
        page.shows(".tip", "at the same instant").await;
        page.press(Key::Escape).await;
        assert_eq!(page.browser.script("return document.querySelector('.tip')").await, Value::Null);
    })
    .await;
}

/// Everything one can operate, as an array `controls`, in the order of the document.
const CONTROLS: &str = "const controls = [...document.querySelectorAll(\
     'button, input, select, textarea, a[href], canvas, summary, [tabindex], [role=button], [role=tab], [role=option]')]\
     .filter((element) => element.checkVisibility());\
     const told = (element) => element.outerHTML.slice(0, 120);";

async fn with_everything_open(page: &Playground) {
    page.click("#console-new").await;
    page.path_of("INCR hits").await;
    page.click(".console:not(.hidden) .entry:last-child .line").await;
    page.find("#drawer .links button").await;
}

#[tokio::test]
async fn every_control_has_a_name() {
    without_server(Window::WIDE, async |page| {
        with_everything_open(page).await;
        page.keys("#search", "client").await;
        page.find(".found button").await;
        let script = format!(
            "{CONTROLS} return controls.filter((element) => element.tabIndex >= 0 || element.matches('button'))\
             .filter((element) => !(element.ariaLabel || element.textContent.trim() \
                 || [...(element.labels ?? [])].some((label) => label.textContent.trim()))).map(told)"
        );
        assert_eq!(page.browser.script(&script).await, json!([]));
        // A name of nothing but a sign is read aloud as that sign.
        let script = format!(
            "{CONTROLS} return controls.filter((element) => !element.ariaLabel \
             && element.textContent.trim() && !/[a-z0-9]/i.test(element.textContent)).map(told)"
        );
        assert_eq!(page.browser.script(&script).await, json!([]));
    })
    .await;
}

#[tokio::test]
async fn every_control_is_reached_by_tab() {
    without_server(Window::WIDE, async |page| {
        with_everything_open(page).await;
        // With the scene still playing controls would come and go.
        page.until("visitors that have left", |state| {
            task(state, "visitor 3").is_some_and(|task| task["state"] == "ended")
        })
        .await;
        let count = page
            .browser
            .script(&format!(
                "{CONTROLS} window.reached = new Set();\
                 document.addEventListener('focusin', (event) => reached.add(event.target));\
                 document.querySelector('header button').focus();\
                 return controls.length"
            ))
            .await;
        for _ in 0..count.as_u64().unwrap_or_default() + 5 {
            page.press(Key::Tab).await;
        }
        // Left out on purpose: tabs behind the one in front (arrow keys), and what scrolls by itself.
        let script = format!(
            "{CONTROLS} return controls.filter((element) => element.tabIndex >= 0 && !element.disabled \
             && !reached.has(element)).map(told)"
        );
        assert_eq!(page.browser.script(&script).await, json!([]));
        let ring = "const style = getComputedStyle(document.activeElement);\
             return style.outlineStyle !== 'none' || style.boxShadow !== 'none'";
        page.browser.script("document.querySelector('#fit').focus()").await;
        page.press(Key::Tab).await;
        assert_eq!(page.browser.script(ring).await, true, "what has the focus shows it");
    })
    .await;
}

#[tokio::test]
async fn the_header_is_one_row_on_a_desk() {
    without_server(Window::WIDE, async |page| {
        page.is_connected().await;
        let height = page.area("header").await.height;
        page.choose("#sharing", "async-mutex").await;
        page.find("#hold").await;
        page.until("the new server", |state| state["sharing"] == "async-mutex").await;
        assert_eq!(page.area("header").await.height, height);
        // Events that are missing take room there, too.
        page.browser.script("document.querySelector('#dropped').classList.remove('none')").await;
        page.shows("#dropped", "dropped").await;
        assert_eq!(page.area("header").await.height, height);
        let wider =
            "const header = document.querySelector('header'); return header.scrollWidth > header.clientWidth";
        assert_eq!(page.browser.script(wider).await, false);
    })
    .await;
}

/// Of what the header has no room for nothing is seen, instead of a part.
#[tokio::test]
async fn no_word_of_the_header_is_cut() {
    with_server(&[], Window::WIDE, async |page, _| {
        page.is_connected().await;
        page.browser
            .script(
                "const dropped = document.querySelector('#dropped');\
                 dropped.querySelector('b').textContent = '465 212';\
                 dropped.classList.remove('none')",
            )
            .await;
        for width in [1190, 1280, 1366, 1440, 1920] {
            page.browser.set_window(Window { width, ..Window::WIDE }).await;
            let cut = "const cut = ({ left, right, top }, clip) =>\
                 top < clip.bottom - 1 && (left < clip.left - 0.5 || right > clip.right + 0.5);\
                 const [header, setup] = ['header', '.setup'].map((of) => document.querySelector(of));\
                 const places = (of) => [...of.children].map((part) => part.getBoundingClientRect());\
                 const status = document.querySelector('#status');\
                 return status.scrollWidth > status.clientWidth\
                 || places(header).some((place) => cut(place, header.getBoundingClientRect()))\
                 || places(setup).some((place) => cut(place, setup.getBoundingClientRect()))";
            assert_eq!(page.browser.script(cut).await, false, "{width} wide");
        }
        // A wide screen has room for all of it.
        let setup = page.area(".setup").await;
        let resp = page.area(".resp").await;
        assert!(resp.top < setup.top + setup.height, "{resp:?} in {setup:?}");
    })
    .await;
}

#[tokio::test]
async fn fits_a_telephone() {
    for window in [Window::NARROW, Window::NARROW.dark()] {
        without_server(window, async |page| {
            page.until("a scene", |state| task(state, "visitor 3").is_some()).await;
            let fits = async |when: &str| {
                let size = page
                    .browser
                    .script(
                        "const root = document.documentElement;\
                         return [root.scrollWidth <= innerWidth, root.scrollHeight <= innerHeight, scrollX, scrollY]",
                    )
                    .await;
                assert_eq!(size, json!([true, true, 0, 0]), "{when}");
                // What is cut off is as bad as what hangs over; the legend and the consoles' tabs scroll by themselves.
                let cut = page
                    .browser
                    .script(&format!(
                        "{CONTROLS} return controls.filter((element) => !element.closest('#legend, .tabs, .entries'))\
                         .map((element) => [element.getBoundingClientRect(), told(element)])\
                         .filter(([place]) => place.left < 0 || place.right > innerWidth + 0.5)\
                         .map(([place, text]) => `${{place.left}} to ${{place.right}}: ${{text}}`)"
                    ))
                    .await;
                assert_eq!(cut, json!([]), "{when}");
            };
            fits("at first").await;
            let canvas = page.area("#canvas").await;
            assert!(canvas.height >= 200.0, "room for the timeline, found {canvas:?}");
            page.keys(PROMPT, "set").await;
            page.find(".explained").await;
            fits("while typing").await;
            page.keys(PROMPT, &Key::Escape).await;
            page.path_of("SET greeting hello").await;
            fits("after a command").await;
            page.click(".console:not(.hidden) .entry:last-child .line").await;
            page.find("#drawer .way").await;
            fits("with the drawer").await;
            page.click("#drawer .close").await;
            page.click("#help").await;
            fits("with help").await;
            page.press(Key::Escape).await;
            page.keys("#search", "client").await;
            page.find(".found").await;
            fits("while searching").await;
        })
        .await;
    }
}
