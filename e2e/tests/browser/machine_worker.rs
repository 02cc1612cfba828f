//! The time machine's worker alone, spoken to as the page speaks to it: what it answers, and that what it keeps is true.

use interleave::engine::Flavor;
use interleave::machine::Recipe;
use interleave::scenario::EXAMPLES;
use interleave::scope::codec;
use interleave::scope::event::Stamped;
use interleave::scope::frame::Frame;
use interleave_e2e::browser::Window;
use interleave_e2e::playground::{Playground, list, without_server};
use serde_json::{Value, json};

/// Starts a worker in the page: `said` are its messages, `tell` speaks to it, and `ask` waits for the answer that has a field.
const WORKER: &str = "\
    const worker = new Worker('machine.js', { type: 'module' });\
    const said = [], waiting = [];\
    worker.onmessage = ({ data }) => {\
        said.push(data);\
        for (const wait of [...waiting]) if (data[wait.field] !== undefined) {\
            waiting.splice(waiting.indexOf(wait), 1); wait.done(data[wait.field]);\
        }\
    };\
    const hear = (field) => new Promise((done) => waiting.push({ field, done }));\
    const tell = (message) => worker.postMessage(message);\
    const ask = (message, field) => { const answer = hear(field); tell(message); return answer };\
    const act = async (message) => { const at = hear('at'), look = hear('look'); tell(message);\
        return { at: await at, look: JSON.parse(await look) } };\
    const look = async (message) => (await act(message)).look;\
    const trace = () => said.filter(({ trace }) => trace).reduce(\
        (all, { reset, trace }) => (reset ? [] : all).concat([[...trace]]), []);";

/// Runs `body` beside a worker in which `recipe` is open.
async fn with_run(page: &Playground, recipe: &Recipe, body: &str) -> Value {
    let open = json!({ "do": "open", "recipe": recipe.to_json() });
    let script = format!(
        "{WORKER} try {{ await act({open}); {body} }} \
         finally {{ worker.terminate() }}"
    );
    page.browser.script(&script).await
}

/// What happened, by messages of the trace.
fn events(messages: &Value) -> Vec<Stamped> {
    let byte = |byte: &Value| byte.as_u64().and_then(|byte| u8::try_from(byte).ok()).expect("a byte");
    let decode = |message: &Value| {
        let bytes: Vec<u8> = list(message).iter().map(byte).collect();
        codec::decode(&bytes).expect("a message of the trace")
    };
    let frames = list(messages).iter().flat_map(decode);
    frames
        .flat_map(|frame| if let Frame::Events(chunk) = frame { chunk.events } else { Vec::new() })
        .collect()
}

fn recipe(example: usize, flavor: Flavor) -> Recipe {
    Recipe { scenario: EXAMPLES[example].broken.to_owned(), flavor, ..Recipe::default() }
}

#[tokio::test]
async fn a_step_back_shows_what_was_there() {
    without_server(Window::WIDE, async |page| {
        for flavor in [Flavor::CurrentThread, Flavor::MultiThread { workers: 3 }, Flavor::Manual] {
            let same = with_run(
                page,
                &recipe(0, flavor),
                "const looks = [await look({ do: 'seek', step: 0 })];\
                 for (let step = 1; step <= 15; step++) looks.push(await look({ do: 'step', count: 1 }));\
                 const wrong = [];\
                 for (const step of [14, 3, 9, 0, 15, 7]) {\
                     const again = await look({ do: 'seek', step });\
                     if (JSON.stringify(again) !== JSON.stringify(looks[step])) wrong.push([step, again, looks[step]]);\
                 }\
                 const by_time = await look({ do: 'seekTime', ns: looks[6].now_ns });\
                 return { wrong, step: by_time.step, wanted: looks[6] }",
            )
            .await;
            assert_eq!(same["wrong"], json!([]), "{flavor}");
            assert!(same["step"].as_u64() >= Some(6), "{flavor}: {same}");
        }
    })
    .await;
}

#[tokio::test]
async fn the_trace_of_a_fork_is_that_of_a_run_with_its_choices() {
    without_server(Window::WIDE, async |page| {
        let forked = with_run(
            page,
            &Recipe { direct: true, ..recipe(0, Flavor::Manual) },
            "let stands = await look({ do: 'seek', step: 0 });\
             while (stands.options.length < 2 && !stands.over) stands = await look({ do: 'step', count: 1 });\
             const first = await look({ do: 'step', count: 4 });\
             await act({ do: 'seek', step: stands.step });\
             const { at } = await act({ do: 'choose', option: 1 });\
             await look({ do: 'step', count: 2 });\
             const { recipe, link } = await new Promise((done) => {\
                 worker.addEventListener('message', ({ data }) => { if (data.id === 7) done(data) });\
                 tell({ do: 'recipe', id: 7 });\
             });\
             const fork = trace();\
             const { at: back } = await act({ do: 'branch', index: 0 });\
             const whole = trace();\
             said.length = 0;\
             const opened = hear('opened');\
             await act({ do: 'open', link });\
             return { at, back, fork, whole, again: trace(), same: await opened === recipe, first: first.step, link }",
        )
        .await;
        let branches = &forked["at"]["branches"];
        assert_eq!(branches.as_array().map(Vec::len), Some(2), "{}", forked["at"]);
        assert_eq!((&forked["at"]["branch"], &forked["back"]["branch"]), (&json!(1), &json!(0)), "{}", forked["back"]);
        let [fork, again, whole] = ["fork", "again", "whole"].map(|name| events(&forked[name]));
        assert!(fork == again && fork.len() > 10, "{fork:?}\n{again:?}");
        assert_ne!(whole, fork);
        assert_eq!(forked["same"], true, "{}", forked["link"]);
    })
    .await;
}

#[tokio::test]
async fn whoever_takes_over_may_choose_from_there_on() {
    without_server(Window::WIDE, async |page| {
        let taken = with_run(
            page,
            &recipe(0, Flavor::MultiThread { workers: 2 }),
            "await look({ do: 'step', count: 12 });\
             const taken = await look({ do: 'takeOver' });\
             const { at } = await act({ do: 'branch', index: 0 });\
             return { taken, at }",
        )
        .await;
        assert_eq!(taken["taken"]["flavor"], "manual");
        assert!(taken["taken"]["options"].as_array().is_some_and(|options| !options.is_empty()), "{taken}");
        assert_eq!((&taken["at"]["step"], &taken["at"]["branch"]), (&json!(12), &json!(0)), "{taken}");
    })
    .await;
}

#[tokio::test]
async fn what_cannot_be_opened_is_refused_and_nothing_changes() {
    without_server(Window::WIDE, async |page| {
        let answers = with_run(
            page,
            &recipe(0, Flavor::CurrentThread),
            "const before = await look({ do: 'step', count: 8 });\
             const refused = [];\
             for (const wrong of [\
                 { link: 'not a link' }, { link: 'AAAA' }, { link: '' }, { file: '{' }, { file: '{\"format\":99}' },\
                 { file: JSON.stringify({ format: 1, scenario: 'client a { GTE k }' }) },\
                 { file: JSON.stringify({ format: 1, scenario: 'client a { PING }', step: 5000 }) },\
             ]) refused.push(await ask({ do: 'open', ...wrong }, 'refused'));\
             const after = await look({ do: 'seek', step: 8 });\
             const on = await look({ do: 'step', count: 1 });\
             return { refused, same: JSON.stringify(before) === JSON.stringify(after), on: on.step }",
        )
        .await;
        let refused: Vec<_> = answers["refused"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
        for (refused, expected) in refused.iter().zip([
            "expected the link", "expected the link", "expected", "expected a saved run", "newer version",
            "the scenario cannot be read", "ends after",
        ]) {
            assert!(refused.contains(expected), "{refused}: no `{expected}`");
        }
        assert_eq!((&answers["same"], &answers["on"]), (&json!(true), &json!(9)), "{answers}");
    })
    .await;
}

#[tokio::test]
async fn a_trap_is_told_and_the_run_stands_at_the_step_before() {
    without_server(Window::WIDE, async |page| {
        let trap = with_run(
            page,
            &recipe(0, Flavor::MultiThread { workers: 2 }),
            "const before = await look({ do: 'step', count: 10 });\
             const failed = hear('failed'), again = hear('look');\
             tell({ do: 'fail' });\
             const why = await failed, stands = JSON.parse(await again);\
             const on = await look({ do: 'step', count: 1 });\
             const back = await look({ do: 'seek', step: 10 });\
             return { why, same: JSON.stringify(before) === JSON.stringify(stands), on: on.step,\
                      back: JSON.stringify(before) === JSON.stringify(back) }",
        )
        .await;
        assert!(trap["why"].as_str().is_some_and(|why| why.contains("asked to fail")), "{trap}");
        assert_eq!(
            (&trap["same"], &trap["on"], &trap["back"]),
            (&json!(true), &json!(11), &json!(true)),
            "{trap}"
        );
    })
    .await;
}

#[tokio::test]
async fn any_step_of_a_long_run_is_near() {
    without_server(Window::WIDE, async |page| {
        let scenario =
            "client a * 20 {\n repeat 2000 {\n yield\n }\n repeat 100 {\n INCR hits\n }\n}".to_owned();
        let long = with_run(
            page,
            &Recipe { scenario, ..Recipe::default() },
            "tell({ do: 'play', perSecond: 0 });\
             let at;\
             do { at = await hear('at') } while (at.playing);\
             const jumps = [];\
             let random = 7;\
             for (let jump = 0; jump < 40; jump++) {\
                 random = (random * 48271) % 2147483647;\
                 const step = random % at.head;\
                 const began = performance.now();\
                 const { at: there } = await act({ do: 'seek', step });\
                 jumps.push(performance.now() - began);\
                 if (there.step !== step) throw new Error(`at ${there.step}, not ${step}`);\
             }\
             jumps.sort((a, b) => a - b);\
             return { head: at.head, ended: at.ended, median: jumps[20], most: jumps[39] }",
        )
        .await;
        println!("{long}");
        assert!(long["head"].as_u64() > Some(20_000) && long["ended"] == true, "{long}");
    })
    .await;
}

#[tokio::test]
async fn two_runs_are_compared_and_one_is_explored() {
    without_server(Window::WIDE, async |page| {
        let one = recipe(0, Flavor::CurrentThread);
        let other = Recipe { flavor: Flavor::MultiThread { workers: 1 }, ..one.clone() };
        let recipes = json!([one.to_json(), other.to_json()]);
        let compared = with_run(
            page,
            &one,
            &format!(
                "const before = await look({{ do: 'step', count: 5 }});\
                 said.length = 0;\
                 const compared = JSON.parse(await ask({{ do: 'compare', recipes: {recipes} }}, 'compared'));\
                 const after = await look({{ do: 'seek', step: 5 }});\
                 return {{ compared, same: JSON.stringify(before) === JSON.stringify(after), bytes: trace().flat().length }}"
            ),
        )
        .await;
        assert_eq!((&compared["compared"]["a"]["good"], &compared["compared"]["b"]["good"]), (&json!(false), &json!(true)));
        assert!(compared["compared"]["parted"].is_object() && compared["same"] == true, "{compared}");
        assert!(compared["bytes"].as_u64() > Some(1_000), "{compared}");

        let four = EXAMPLES[0].broken.replace("buyer * 2", "buyer * 4");
        let explore = json!({ "do": "explore", "recipe": Recipe { scenario: four, ..Recipe::default() }.to_json() });
        let script = format!(
            "{WORKER} let report; tell({explore});\
             do {{ report = JSON.parse(await hear('explored')) }} while (!report.done); worker.terminate(); return report"
        );
        let report = page.browser.script(&script).await;
        assert_eq!((&report["complete"], &report["schedules"]), (&json!(true), &json!("1176")), "{report}");
        println!("4 buyers explored in {} ms", report["took_ms"]);
    })
    .await;
}
