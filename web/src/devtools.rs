//! `interleave` in the browser's own developer console: commands, and the page's state, for people and for scripts. Knows
//! what the page holds, not how it is shown.

use interleave::resp::{Value, format_value};
use interleave::scope::trace::Trace;
use js_sys::{Array, Function, Object, Promise, Reflect, Uint8Array};
use leptos::prelude::*;
use serde_json::json;
use wasm_bindgen::closure::Closure;
use wasm_bindgen::{JsCast, JsValue};

use crate::console::{Console, Kind as EntryKind, Standing};
use crate::frames;
use crate::names;
use crate::page::{Link, Page};
use crate::source::Kind;

const HELP: &str = "\
interleave.run(\"INCR hits\")     sends a command on the console in front; a promise of the reply:
                                numbers, strings, null, arrays; bytes that are no text as a Uint8Array;
                                a promise that fails, with Redis's words, for an error
interleave.text(\"INCR hits\")    the same, answered as redis-cli prints it
interleave.state()              what the page shows: source, consoles, tasks, the two numbers
interleave.source(\"tab\")        changes to the server \"in this tab\"; \"native\" changes back; \"machine\" opens
                                the time machine, of which state().machine tells
interleave.machine(message)     tells the time machine's worker something: { do: \"step\", count: 3 }, { do: \"seek\", step: 0 },
                                { do: \"play\", perSecond: 5 }, { do: \"pause\" }, { do: \"choose\", option: 0 }, ...
interleave.pause(), .resume()   lets the tab's server stand still, and run on
interleave.help()               this text";

/// Puts `interleave` into the window.
pub(crate) fn install(page: Page) {
    let api = Object::new();
    let set = |name: &str, function: JsValue| {
        // Setting a field of a plain object cannot fail.
        let _ = Reflect::set(&api, &name.into(), &function);
    };
    // They live as long as the page.
    let run = move |line: JsValue| ask(page, &line, |value| js_value(&value));
    set("run", Closure::<dyn Fn(JsValue) -> Promise>::new(run).into_js_value());
    let text = move |line: JsValue| ask(page, &line, |value| Ok(format_value(&value).into()));
    set("text", Closure::<dyn Fn(JsValue) -> Promise>::new(text).into_js_value());
    set("state", Closure::<dyn Fn() -> JsValue>::new(move || state(page)).into_js_value());
    set("help", Closure::<dyn Fn() -> String>::new(|| HELP.to_owned()).into_js_value());
    set("pause", Closure::<dyn Fn()>::new(move || page.set_running(false)).into_js_value());
    set("resume", Closure::<dyn Fn()>::new(move || page.set_running(true)).into_js_value());
    let machine = move |message: JsValue| {
        let text = js_sys::JSON::stringify(&message).ok().and_then(|text| text.as_string());
        if let Some(message) = text.and_then(|text| serde_json::from_str(&text).ok()) {
            page.machine.send(&message);
        }
    };
    set("machine", Closure::<dyn Fn(JsValue)>::new(machine).into_js_value());
    let source = move |name: JsValue| {
        let name = name.as_string().unwrap_or_else(|| "(no string)".to_owned());
        let Some(kind) = Kind::from_name(&name) else {
            let why = format!("expected \"native\", \"tab\" or \"machine\", found {name:?}");
            return Err(js_sys::Error::new(&why).into());
        };
        page.choose(kind);
        Ok(())
    };
    set("source", Closure::<dyn Fn(JsValue) -> Result<(), JsValue>>::new(source).into_js_value());
    let _ = Reflect::set(&js_sys::global(), &"interleave".into(), &api);
}

/// Runs a line on the console in front and promises its reply, made into what the script gets by `convert`.
fn ask(page: Page, line: &JsValue, convert: fn(Value) -> Result<JsValue, JsValue>) -> Promise {
    let Some(line) = line.as_string() else {
        let error = js_sys::Error::new("expected a command as a string, such as \"INCR hits\"");
        return Promise::reject(&error);
    };
    Promise::new(&mut |resolve: Function, reject: Function| {
        let Some(console) = page.consoles.front() else { return };
        let done = move |reply: Result<Value, String>| {
            let result = match reply {
                Ok(Value::Error(text)) | Err(text) => Err(js_sys::Error::new(&text).into()),
                Ok(value) => convert(value),
            };
            let _ = match result {
                Ok(value) => resolve.call1(&JsValue::NULL, &value),
                Err(error) => reject.call1(&JsValue::NULL, &error),
            };
        };
        console.run(page, &line, Some(Box::new(done)));
    })
}

/// A reply as a script has it.
fn js_value(value: &Value) -> Result<JsValue, JsValue> {
    let list = |values: &[Value]| {
        let array = Array::new();
        for value in values {
            array.push(&js_value(value).unwrap_or_else(|error| error));
        }
        array.into()
    };
    Ok(match value {
        Value::Null => JsValue::NULL,
        Value::Simple(text) | Value::BigNumber(text) => text.into(),
        Value::Error(text) => return Err(js_sys::Error::new(text).into()),
        // Past 2^53 a number of JavaScript's would lie.
        Value::Integer(number) if number.unsigned_abs() > 1 << 53 => (*number).into(),
        Value::Integer(number) => (*number as f64).into(),
        Value::Double(number) => (*number).into(),
        Value::Boolean(truth) => (*truth).into(),
        Value::Bulk(bytes) | Value::Verbatim { text: bytes, .. } => match std::str::from_utf8(bytes) {
            Ok(text) => text.into(),
            Err(_) => Uint8Array::from(&bytes[..]).into(),
        },
        Value::Array(values) | Value::Set(values) | Value::Push(values) => list(values),
        Value::Map(pairs) => {
            let map = js_sys::Map::new();
            for (key, value) in pairs {
                map.set(&js_value(key)?, &js_value(value)?);
            }
            map.unchecked_into()
        }
    })
}

/// What the page shows, as a plain object.
fn state(page: Page) -> JsValue {
    // Asked now, so all that has arrived counts.
    page.read_trace(0.0, frames::now_ms);
    page.refresh();
    let text = page.trace.with_value(|trace| describe(page, trace)).to_string();
    js_sys::JSON::parse(&text).unwrap_or(JsValue::UNDEFINED)
}

fn describe(page: Page, trace: &Trace) -> serde_json::Value {
    let link = match page.link.get_untracked() {
        Link::Starting => "starting",
        Link::Up(_) => "up",
        Link::Down { .. } => "down",
    };
    let (counts, numbers) = (trace.counts(), page.numbers.get_untracked());
    let tasks: Vec<_> = trace
        .tasks()
        .map(|task| {
            json!({
                "id": task.id.0,
                "name": trace.task_name(task.id),
                "state": names::state_word(task.state),
                "polls": task.polls,
                "wakes": task.wakes,
                "polled_ns": task.polled_ns,
            })
        })
        .collect();
    let hello = trace.hello();
    let consoles = page.consoles.list.get_untracked();
    json!({
        "source": page.kind.get_untracked().name(),
        "link": link,
        "running": page.running.get_untracked(),
        "flavor": hello.map(|hello| &hello.flavor),
        "sharing": hello.map(|hello| &hello.sharing),
        "workers": trace.workers(),
        "concurrency": numbers.concurrency.alive,
        "busy": numbers.concurrency.busy,
        "parallelism": numbers.parallelism.max,
        "parallelism_average": numbers.parallelism.average,
        "parts": numbers.parts.iter().map(|part| json!({
            "name": part.name,
            "concurrency": part.alive,
            "parallelism": part.parallelism.max,
            "workers": part.workers,
        })).collect::<Vec<_>>(),
        "events": counts.events_held,
        "polls": counts.polls_held,
        "dropped": counts.dropped,
        "evicted": counts.evicted,
        "now_ns": trace.now_ns(),
        "console": page.consoles.active.get_untracked(),
        "consoles": consoles.iter().map(|console| describe_console(console, trace)).collect::<Vec<_>>(),
        "tasks": tasks,
        "timeline": page.timeline.describe(trace),
        "selected": page.selected.get_untracked().map(|selected| format!("{selected:?}")),
        "frame_ms": frames::times_ms(),
        "machine": (page.kind.get_untracked() == Kind::Machine).then(|| page.machine.describe()),
    })
}

fn describe_console(console: &Console, trace: &Trace) -> serde_json::Value {
    let standing = console.standing.get_untracked();
    let entries: Vec<_> = console
        .entries
        .get_untracked()
        .iter()
        .map(|entry| {
            let outcome = entry.outcome.get_untracked();
            let kept = entry.way.get_value().map(|way| way.path);
            let path = kept.or_else(|| entry.command.get_untracked().and_then(|command| trace.path(command)));
            json!({
                "line": entry.line.get_value(),
                "note": entry.kind == EntryKind::Note,
                "message": entry.kind == EntryKind::Message,
                "reply": outcome.as_ref().map(|outcome| &outcome.text),
                "failed": outcome.as_ref().is_some_and(|outcome| outcome.failed),
                "path": path.map(|path| {
                    path.segments.iter().map(|segment| names::stage(trace, segment.stage)).collect::<Vec<_>>()
                }),
            })
        })
        .collect();
    json!({
        "number": console.number,
        "connected": matches!(standing, Standing::Connected(_)),
        "client": match standing {
            Standing::Connected(client) => client,
            _ => None,
        },
        "entries": entries,
    })
}
