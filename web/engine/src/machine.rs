//! The time machine as the page's worker drives it: texts and bytes in, texts and bytes out.
//!
//! Holds no JavaScript object between two calls, so that the host may copy this module's whole memory, and put the copy back
//! later to stand where it stood. Knows no page; the rules of a run are `interleave::machine`'s.

use std::sync::{Mutex, Once};

use interleave::command::TABLE;
use interleave::engine::Choices;
use interleave::machine::{self, Breakpoint, LIMITS, Machine as Run, Made, Recipe};
use interleave::scenario::{PARTS, STATEMENTS, Scenario, ScriptError};
use interleave::scope::codec;
use interleave::scope::frame::Frame;
use serde::Serialize;
use wasm_bindgen::prelude::*;

/// A run that can be stopped, stepped and looked into.
#[wasm_bindgen]
#[derive(Debug)]
pub struct Machine {
    run: Run,
    /// The breakpoint that ended the last call of [`Self::steps`].
    hit: Option<usize>,
    frames: Vec<Frame>,
}

#[wasm_bindgen]
impl Machine {
    /// Opens a recipe (JSON) before its first step; the host goes to the one it says, see [`Self::stands_at`].
    #[wasm_bindgen(constructor)]
    pub fn new(recipe: &str) -> Result<Self, JsError> {
        remember_panics();
        let run = Run::open(&Recipe::from_json(recipe)?)?;
        Ok(Self { run, hit: None, frames: Vec::new() })
    }

    /// Makes up to `count` steps; fewer if the run ends or comes to a breakpoint. The time after each, in virtual nanoseconds.
    pub fn steps(&mut self, count: u32) -> Vec<f64> {
        self.hit = None;
        let mut times = Vec::new();
        while (times.len() as u32) < count {
            let Some(Made { hit }) = self.run.step() else { break };
            times.push(self.run.now_ns() as f64);
            if hit.is_some() {
                self.hit = hit;
                break;
            }
        }
        times
    }

    /// An error unless it stands at `step` by its recipe.
    pub fn stands_at(&self, step: f64) -> Result<(), JsError> {
        Ok(self.run.stands_at(step as u64)?)
    }

    /// The option that its recipe has for the next step, if it has one.
    pub fn recorded(&self) -> Option<u32> {
        self.run.recorded_option().ok().flatten().map(|option| option as u32)
    }

    /// The number of the breakpoint that ended the last call of [`Self::steps`], if one did.
    pub fn hit(&self) -> Option<u32> {
        self.hit.map(|hit| hit as u32)
    }

    /// Lets option number `option` happen, where the person is the scheduler; false if there is no such option.
    pub fn choose(&mut self, option: u32) -> bool {
        self.run.choose(option as usize).is_some()
    }

    /// The number in the trace of the task polled in the last step; 0 if none was.
    pub fn polled(&self) -> u32 {
        self.run.polled().map_or(0, |task| task.0)
    }

    /// The choices of the whole branch, to be told to a copy that stands before them.
    pub fn choices(&self) -> Vec<u8> {
        self.run.recipe().choices.to_bytes()
    }

    /// What [`Self::choices`] said at the branch's head.
    pub fn follow(&mut self, choices: &[u8]) -> Result<(), JsError> {
        self.run.follow(Choices::from_bytes(choices)?);
        Ok(())
    }

    /// Where to stop from now on: breakpoints as JSON.
    pub fn stop_at(&mut self, breakpoints: &str) -> Result<(), JsError> {
        let breakpoints: Vec<Breakpoint> = serde_json::from_str(breakpoints)?;
        self.run.stop_at(breakpoints);
        Ok(())
    }

    /// Steps made.
    pub fn step(&self) -> f64 {
        self.run.steps() as f64
    }

    /// Virtual nanoseconds since the start.
    pub fn now_ns(&self) -> f64 {
        self.run.now_ns() as f64
    }

    /// Whether no step can be made any more.
    pub fn is_over(&self) -> bool {
        self.run.is_over()
    }

    /// All that is seen while it stands still, as JSON.
    pub fn look(&self) -> String {
        text(&self.run.look())
    }

    /// What makes this run again, as JSON.
    pub fn recipe(&self) -> String {
        self.run.recipe().to_json()
    }

    /// The same, for whoever is to stand at `step` when it is opened.
    pub fn recipe_at(&self, step: f64) -> String {
        Recipe { step: step as u64, ..self.run.recipe() }.to_json()
    }

    /// What was recorded since the last call, as one message of the trace.
    pub fn take_trace(&mut self) -> Vec<u8> {
        self.run.take_frames(&mut self.frames);
        let mut message = Vec::new();
        codec::encode(&self.frames, &mut message);
        self.frames.clear();
        message
    }
}

/// What the last panic said. It can be asked of an instance that has trapped.
#[wasm_bindgen]
pub fn last_panic() -> String {
    LAST_PANIC.lock().map(|text| text.clone()).unwrap_or_default()
}

/// Panics, for whoever wants to see that the page lives on.
#[wasm_bindgen]
pub fn fail() {
    remember_panics();
    panic!("it was asked to fail");
}

static LAST_PANIC: Mutex<String> = Mutex::new(String::new());

/// Notes what a panic says where [`last_panic`] finds it: in WebAssembly it is a trap, which says nothing.
fn remember_panics() {
    static ONCE: Once = Once::new();
    if !cfg!(target_arch = "wasm32") {
        // Where a panic unwinds, it says so itself.
        return;
    }
    ONCE.call_once(|| {
        std::panic::set_hook(Box::new(|panic| {
            if let Ok(mut text) = LAST_PANIC.lock() {
                *text = panic.to_string();
            }
        }));
    });
}

/// From the step of `recipe` (JSON) on the person is the scheduler: the recipe of the same run with every step so far as a
/// choice.
#[wasm_bindgen]
pub fn take_over(recipe: &str) -> Result<String, JsError> {
    Ok(machine::take_over(&Recipe::from_json(recipe)?)?.to_json())
}

/// Two runs side by side.
#[wasm_bindgen]
#[derive(Debug)]
pub struct Comparison {
    compared: machine::Compared,
}

#[wasm_bindgen]
impl Comparison {
    /// Makes the runs of both recipes (JSON) to their ends.
    #[wasm_bindgen(constructor)]
    pub fn new(a: &str, b: &str) -> Result<Self, JsError> {
        let compared = machine::compare(&Recipe::from_json(a)?, &Recipe::from_json(b)?)?;
        Ok(Self { compared })
    }

    /// Where they part and what came of both, as JSON.
    pub fn report(&self) -> String {
        text(&self.compared)
    }

    /// Both traces in one message.
    pub fn trace(&self) -> Vec<u8> {
        let mut message = Vec::new();
        codec::encode(&self.compared.frames, &mut message);
        message
    }
}

/// What is to be said of a scenario's text while it is typed.
#[derive(Serialize)]
struct Report<'a> {
    error: Option<Mistake>,
    title: Option<&'a str>,
    clients: Vec<(&'a str, u32)>,
    keywords: Vec<&'static str>,
    commands: Vec<&'static str>,
}

/// A mistake and its place, in UTF-16 units as the browser counts.
#[derive(Serialize)]
struct Mistake {
    start: usize,
    end: usize,
    line: usize,
    column: usize,
    message: String,
    help: Option<String>,
    text: String,
}

/// Reads a scenario without running it; what there is to say of it, as JSON.
#[wasm_bindgen]
pub fn check(source: &str) -> String {
    let read = Scenario::parse(source, &LIMITS);
    let (error, scenario) = match &read {
        Ok(scenario) => (None, Some(scenario)),
        Err(error) => (Some(mistake(source, error)), None),
    };
    text(&Report {
        error,
        title: scenario.and_then(Scenario::title),
        clients: scenario.map_or_else(Vec::new, |scenario| scenario.clients().collect()),
        keywords: PARTS.iter().chain(&STATEMENTS).copied().collect(),
        commands: TABLE.iter().map(|spec| spec.name).collect(),
    })
}

fn mistake(source: &str, error: &ScriptError) -> Mistake {
    let utf16 = |at: u32| source[..source.floor_char_boundary(at as usize)].encode_utf16().count();
    Mistake {
        start: utf16(error.span().start),
        end: utf16(error.span().end),
        line: error.line(),
        column: error.column(),
        message: error.message(),
        help: error.help().map(str::to_owned),
        text: error.to_string(),
    }
}

fn text(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("texts, numbers and lists can be written")
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn json(text: &str) -> Value {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn a_mistake_is_told_with_its_place_as_the_browser_counts() {
        // The first character is two units of UTF-16 and four bytes.
        let report = json(&check("# 🦀\nclient a {\n    GTE k\n}"));
        let error = &report["error"];
        assert_eq!((&error["line"], &error["column"]), (&3.into(), &5.into()), "{report}");
        assert_eq!((&error["start"], &error["end"]), (&20.into(), &23.into()), "{report}");
        assert!(error["message"].as_str().unwrap().contains("expected"), "{report}");
        let good = json(&check("# Two.\nclient a * 2 { GET k }"));
        assert_eq!(good["error"], Value::Null);
        assert_eq!(good["title"], "Two.");
        assert_eq!(good["clients"], serde_json::json!([["a", 2]]));
        assert!(good["keywords"].as_array().unwrap().iter().any(|word| word == "repeat"));
    }

    #[test]
    fn steps_stop_at_a_breakpoint() {
        let recipe = Recipe { scenario: "client a { SET k 1\n GET k }".to_owned(), ..Recipe::default() };
        let mut machine = Machine::new(&recipe.to_json()).unwrap();
        machine.stop_at(r#"[{"kind":"command","text":"set"}]"#).unwrap();
        let times = machine.steps(1_000);
        assert_eq!((machine.hit(), machine.is_over()), (Some(0), false));
        assert_eq!(times.len() as f64, machine.step());
        assert!(times.is_sorted());
        machine.steps(1_000);
        assert!(machine.is_over() && machine.hit().is_none());
        let trace = codec::decode(&machine.take_trace()).unwrap();
        assert!(matches!(trace.first(), Some(Frame::Hello(_))));
        assert_eq!(json(&machine.look())["outcome"]["good"], true);
    }
}
