//! What `machine.js` and the page tell each other, as the page reads it. Owns the forms; knows no worker and no view.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A run that can be made again: what a link and a file hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Recipe {
    pub(crate) format: u32,
    pub(crate) scenario: String,
    pub(crate) sharing: String,
    pub(crate) flavor: String,
    /// Of the multi-thread model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) workers: Option<u16>,
    /// Whether each command goes straight to the sharing, without a session.
    #[serde(default)]
    pub(crate) direct: bool,
    #[serde(default)]
    pub(crate) hold_ms: u64,
    #[serde(default)]
    pub(crate) seed: u64,
    /// What a person chose as the scheduler, in a form that is the engine's.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub(crate) choices: Value,
    #[serde(default)]
    pub(crate) step: u64,
}

impl Recipe {
    /// The form that is written.
    pub(crate) const FORMAT: u32 = 1;
}

impl Default for Recipe {
    fn default() -> Self {
        Self {
            format: Self::FORMAT,
            scenario: String::new(),
            sharing: interleave::sharing::Kind::default().name().to_owned(),
            flavor: "current-thread".to_owned(),
            workers: None,
            direct: false,
            hold_ms: 0,
            seed: 0,
            choices: Value::Null,
            step: 0,
        }
    }
}

/// What can be read of a JSON value. What is missing, or something else than expected, is as if it were empty: the module
/// is of one build with the page.
///
/// By hand, because deriving it costs the page several times the bytes.
pub(crate) trait Read: Sized {
    fn read(value: &Value) -> Self;
}

impl Read for bool {
    fn read(value: &Value) -> Self {
        value.as_bool().unwrap_or_default()
    }
}

impl Read for f64 {
    fn read(value: &Value) -> Self {
        value.as_f64().unwrap_or_default()
    }
}

impl Read for u64 {
    fn read(value: &Value) -> Self {
        // A number of JavaScript's may be written with a point.
        value.as_u64().unwrap_or_else(|| f64::read(value) as Self)
    }
}

impl Read for u32 {
    fn read(value: &Value) -> Self {
        u64::read(value) as Self
    }
}

impl Read for usize {
    fn read(value: &Value) -> Self {
        u64::read(value) as Self
    }
}

impl Read for String {
    fn read(value: &Value) -> Self {
        value.as_str().unwrap_or_default().to_owned()
    }
}

impl<T: Read> Read for Option<T> {
    fn read(value: &Value) -> Self {
        (!value.is_null()).then(|| T::read(value))
    }
}

impl<T: Read> Read for Vec<T> {
    fn read(value: &Value) -> Self {
        value.as_array().map(|list| list.iter().map(T::read).collect()).unwrap_or_default()
    }
}

impl<A: Read, B: Read> Read for (A, B) {
    fn read(value: &Value) -> Self {
        (A::read(&value[0]), B::read(&value[1]))
    }
}

/// A struct that is read field by field.
macro_rules! form {
    ($(#[$of:meta])* pub(crate) struct $name:ident { $($(#[$about:meta])* pub(crate) $field:ident: $type:ty,)* }) => {
        $(#[$of])*
        pub(crate) struct $name { $($(#[$about])* pub(crate) $field: $type,)* }

        impl Read for $name {
            fn read(value: &Value) -> Self {
                // A field called `type` is written `r#type` here.
                Self { $($field: Read::read(&value[stringify!($field).trim_start_matches("r#")]),)* }
            }
        }
    };
}

// Below the macro, which it uses.
mod look;

pub(crate) use self::look::{Choice, Look, Steal};

form! {
    /// A message of the worker's. Each has some of these; what the module has written as text goes through the worker as it is.
    #[derive(Clone, Debug, Default)]
    pub(crate) struct Message {
        pub(crate) checked: Option<u64>,
        /// With `checked`.
        pub(crate) report: Option<String>,
        /// The recipe of the run that is open now.
        pub(crate) opened: Option<String>,
        pub(crate) refused: Option<String>,
        pub(crate) look: Option<String>,
        pub(crate) at: Option<At>,
        pub(crate) failed: Option<String>,
        /// With `failed`: where the run stands again.
        pub(crate) step: Option<u64>,
        pub(crate) hit: Option<Hit>,
        pub(crate) recipe: Option<String>,
        /// With `recipe`.
        pub(crate) link: Option<String>,
        pub(crate) id: Option<u64>,
        pub(crate) compared: Option<String>,
        pub(crate) explored: Option<String>,
        /// With `id`; `null` if it is not known.
        pub(crate) ahead: Option<String>,
        /// What a reload is to find, in a form that is the worker's; empty if it is too long to be kept.
        pub(crate) kept: Option<String>,
    }
}

form! {
    /// What is known of a scenario's text without running it.
    #[derive(Clone, Debug, Default, PartialEq, Eq)]
    pub(crate) struct Check {
        pub(crate) error: Option<ScriptError>,
        pub(crate) title: Option<String>,
        pub(crate) clients: Vec<(String, u32)>,
        pub(crate) keywords: Vec<String>,
    }
}

form! {
    /// A mistake in a scenario's text. Places are UTF-16 code units, as the browser counts.
    #[derive(Clone, Debug, Default, PartialEq, Eq)]
    pub(crate) struct ScriptError {
        pub(crate) start: u32,
        pub(crate) end: u32,
        pub(crate) line: u32,
        pub(crate) column: u32,
        pub(crate) message: String,
        pub(crate) help: Option<String>,
    }
}

form! {
    /// Where the run stands.
    #[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
    pub(crate) struct At {
        pub(crate) step: u64,
        /// The last step that was made.
        pub(crate) head: u64,
        pub(crate) now_ns: u64,
        pub(crate) playing: bool,
        /// Which branch this is.
        pub(crate) branch: usize,
        pub(crate) branches: Vec<Branch>,
        /// Whether nothing more can happen after `head`.
        pub(crate) ended: bool,
    }
}

form! {
    /// A future that was made, and perhaps left.
    #[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
    pub(crate) struct Branch {
        pub(crate) label: String,
        pub(crate) parted_at: Option<u64>,
        pub(crate) steps: u64,
    }
}

form! {
    /// A breakpoint, and where the run stopped at it.
    #[derive(Clone, Debug, Default, PartialEq, Eq)]
    pub(crate) struct Hit {
        pub(crate) kind: String,
        pub(crate) text: String,
        pub(crate) step: u64,
    }
}

form! {
    /// Where two runs part.
    #[derive(Clone, Debug, Default, PartialEq, Eq)]
    pub(crate) struct Compared {
        pub(crate) a: Side,
        pub(crate) b: Side,
        pub(crate) parted: Option<Parted>,
    }
}

form! {
    /// One of two runs.
    #[derive(Clone, Debug, Default, PartialEq, Eq)]
    pub(crate) struct Side {
        pub(crate) name: String,
        /// Who decided which task is polled next, and how many workers polled.
        pub(crate) flavor: String,
        pub(crate) workers: u64,
        pub(crate) headline: String,
        pub(crate) steps: u64,
    }
}

form! {
    /// What each of two runs does first that the other does not.
    #[derive(Clone, Debug, Default, PartialEq, Eq)]
    pub(crate) struct Parted {
        /// How many polls of the scenario's tasks were the same in both.
        pub(crate) polls: u64,
        pub(crate) at_ns: u64,
        pub(crate) a: String,
        pub(crate) b: String,
    }
}

form! {
    /// How far exploring has come.
    #[derive(Clone, Debug, Default, PartialEq)]
    pub(crate) struct Explored {
        pub(crate) done: bool,
        pub(crate) stopped: bool,
        /// Whether every interleaving was covered.
        pub(crate) complete: bool,
        pub(crate) random: Option<RandomRuns>,
        /// The bound for which not everything was covered.
        pub(crate) reach: Option<Reach>,
        /// A decimal number: it may pass what a number of JavaScript's holds.
        pub(crate) schedules: String,
        pub(crate) states: u64,
        pub(crate) runs: u64,
        /// Runs that were too long, and cut.
        pub(crate) cut: u64,
        pub(crate) took_ms: f64,
        pub(crate) outcomes: Vec<FoundOutcome>,
    }
}

form! {
    /// Runs at random, where all are too many.
    #[derive(Clone, Debug, Default, PartialEq, Eq)]
    pub(crate) struct RandomRuns {
        pub(crate) seed: u64,
        pub(crate) runs: u64,
    }
}

form! {
    /// A bound of exploring that was reached.
    #[derive(Clone, Debug, Default, PartialEq, Eq)]
    pub(crate) struct Reach {
        /// Its name.
        pub(crate) bound: String,
        pub(crate) most: u64,
    }
}

form! {
    /// What can still come of a run if one of its options is chosen.
    #[derive(Clone, Debug, Default, PartialEq, Eq)]
    pub(crate) struct Ahead {
        pub(crate) option: u32,
        pub(crate) outcomes: Vec<AheadOutcome>,
    }
}

form! {
    /// One of those.
    #[derive(Clone, Debug, Default, PartialEq, Eq)]
    pub(crate) struct AheadOutcome {
        pub(crate) headline: String,
        pub(crate) good: bool,
        pub(crate) schedules: String,
    }
}

impl Ahead {
    /// How many schedules lead to good, or to bad, outcomes; none if no schedule does.
    pub(crate) fn tally(&self, good: bool) -> Option<String> {
        let mut outcomes = self.outcomes.iter().filter(|outcome| outcome.good == good).peekable();
        outcomes.peek()?;
        let sum = outcomes.try_fold(0_u64, |sum, outcome| sum.checked_add(outcome.schedules.parse().ok()?));
        Some(sum.map_or_else(|| "very many".to_owned(), crate::format::count))
    }

    /// All of them in words.
    pub(crate) fn says(&self) -> String {
        let outcome = |outcome: &AheadOutcome| {
            let mark = if outcome.good { '\u{2713}' } else { '\u{2715}' };
            let s = if outcome.schedules == "1" { "" } else { "s" };
            format!("{mark} {}: {} schedule{s}", outcome.headline, outcome.schedules)
        };
        let outcomes: Vec<String> = self.outcomes.iter().map(outcome).collect();
        format!("Can still come of it: {}.", outcomes.join("; "))
    }
}

form! {
    /// One way in which schedules end.
    #[derive(Clone, Debug, Default, PartialEq, Eq)]
    pub(crate) struct FoundOutcome {
        pub(crate) headline: String,
        pub(crate) text: String,
        pub(crate) good: bool,
        pub(crate) deadlock: bool,
        pub(crate) schedules: String,
        /// The shortest schedule that leads there.
        pub(crate) recipe: String,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_message_does_not_have_is_left_out() {
        let message = Message::read(&serde_json::json!({
            "at": { "step": 3, "head": 9, "now_ns": 4000.0, "branches": [{ "label": "first" }] }
        }));
        let at = message.at.unwrap_or_default();
        assert_eq!((at.step, at.head, at.now_ns, at.branches.len()), (3, 9, 4_000, 1));
        assert!(message.look.is_none() && message.opened.is_none());
    }

    #[test]
    fn a_choice_says_what_the_task_does() {
        let choice = |kind: &str, does: &str, until_ns| Choice {
            kind: kind.to_owned(),
            name: "buyer 2".to_owned(),
            does: does.to_owned(),
            until_ns,
            ..Choice::default()
        };
        assert_eq!(choice("poll", "GET stock", None).label(), "buyer 2: GET stock");
        assert_eq!(choice("poll", "", None).label(), "buyer 2");
        assert_eq!(choice("wait", "", Some(2_000_000)).label(), "let time pass until 0.002\u{202f}000 s");
    }

    #[test]
    fn what_lies_ahead_is_summed() {
        let ahead = Vec::<Ahead>::read(&serde_json::json!([{ "option": 2, "outcomes": [
            { "headline": "stock = -1", "good": false, "schedules": "60" },
            { "headline": "other", "schedules": "1" },
        ] }]));
        assert_eq!(ahead.len(), 1);
        assert_eq!((ahead[0].tally(false).as_deref(), ahead[0].tally(true)), (Some("61"), None));
        assert!(ahead[0].says().contains("\u{2715} stock = -1: 60 schedules; "), "{}", ahead[0].says());
    }

    #[test]
    fn a_recipe_needs_no_more_than_what_runs() {
        let text =
            r#"{"format":1,"scenario":"client a { PING }","sharing":"mutex","flavor":"manual","workers":1}"#;
        let recipe: Option<Recipe> = serde_json::from_str(text).ok();
        assert_eq!(recipe.map(|recipe| (recipe.step, recipe.choices)), Some((0, Value::Null)));
    }
}
