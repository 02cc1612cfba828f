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

/// A message of the worker's. Each has some of these; what the module has written as text goes through the worker as it is.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
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
}

/// What is known of a scenario's text without running it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(crate) struct Check {
    pub(crate) error: Option<ScriptError>,
    pub(crate) title: Option<String>,
    pub(crate) clients: Vec<(String, u32)>,
    pub(crate) keywords: Vec<String>,
}

/// A mistake in a scenario's text. Places are UTF-16 code units, as the browser counts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(crate) struct ScriptError {
    pub(crate) start: u32,
    pub(crate) end: u32,
    pub(crate) line: u32,
    pub(crate) column: u32,
    pub(crate) message: String,
    pub(crate) help: Option<String>,
}

/// Where the run stands.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default)]
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

/// A future that was made, and perhaps left.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default)]
pub(crate) struct Branch {
    pub(crate) label: String,
    pub(crate) parted_at: Option<u64>,
    pub(crate) steps: u64,
}

/// A breakpoint, and where the run stopped at it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(crate) struct Hit {
    pub(crate) kind: String,
    pub(crate) text: String,
    pub(crate) step: u64,
}

/// Where two runs part.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(crate) struct Compared {
    pub(crate) a: Side,
    pub(crate) b: Side,
    pub(crate) parted: Option<Parted>,
}

/// One of two runs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(crate) struct Side {
    pub(crate) name: String,
    pub(crate) headline: String,
    pub(crate) steps: u64,
}

/// What each of two runs does first that the other does not.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(crate) struct Parted {
    /// How many polls of the scenario's tasks were the same in both.
    pub(crate) polls: u64,
    pub(crate) at_ns: u64,
    pub(crate) a: String,
    pub(crate) b: String,
}

/// How far exploring has come.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(crate) struct Explored {
    pub(crate) done: bool,
    pub(crate) stopped: bool,
    /// Whether every interleaving was covered.
    pub(crate) complete: bool,
    pub(crate) random: Option<RandomRuns>,
    /// A decimal number: it may pass what a number of JavaScript's holds.
    pub(crate) schedules: String,
    pub(crate) states: u64,
    pub(crate) runs: u64,
    /// Runs that were too long, and cut.
    pub(crate) cut: u64,
    pub(crate) took_ms: f64,
    pub(crate) outcomes: Vec<FoundOutcome>,
}

/// Runs at random, where all are too many.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(crate) struct RandomRuns {
    pub(crate) seed: u64,
    pub(crate) runs: u64,
}

/// What can still come of a run if one of its options is chosen.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(crate) struct Ahead {
    pub(crate) option: u32,
    pub(crate) outcomes: Vec<AheadOutcome>,
}

/// One of those.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(crate) struct AheadOutcome {
    pub(crate) headline: String,
    pub(crate) good: bool,
    pub(crate) schedules: String,
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
            format!("{mark} {}: {} schedules", outcome.headline, outcome.schedules)
        };
        let outcomes: Vec<String> = self.outcomes.iter().map(outcome).collect();
        format!("Can still come of it: {}.", outcomes.join("; "))
    }
}

/// One way in which schedules end.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(crate) struct FoundOutcome {
    pub(crate) headline: String,
    pub(crate) text: String,
    pub(crate) good: bool,
    pub(crate) deadlock: bool,
    pub(crate) schedules: String,
    /// The shortest schedule that leads there.
    pub(crate) recipe: String,
}

/// All that is to be seen while the run stands still.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(crate) struct Look {
    pub(crate) step: u64,
    pub(crate) now_ns: u64,
    pub(crate) flavor: String,
    pub(crate) sharing: String,
    /// How what tasks do is known: `observed` or `modelled`.
    pub(crate) origin: String,
    /// How what is in the queues is known: `inferred` or `modelled`.
    pub(crate) queues_origin: String,
    pub(crate) outcome: Option<Outcome>,
    pub(crate) options: Vec<Choice>,
    pub(crate) workers: Vec<Worker>,
    pub(crate) injection: Vec<u32>,
    pub(crate) locks: Vec<Lock>,
    pub(crate) channels: Vec<Channel>,
    pub(crate) timers: Vec<Timer>,
    pub(crate) keys: Vec<Key>,
    /// How many there are besides.
    pub(crate) keys_more: u64,
    pub(crate) tasks: Vec<Task>,
}

impl Look {
    pub(crate) fn task(&self, id: u32) -> Option<&Task> {
        self.tasks.iter().find(|task| task.id == id)
    }

    /// What a task is called.
    pub(crate) fn name(&self, id: u32) -> String {
        self.task(id).map_or_else(|| format!("task {id}"), |task| task.name.clone())
    }
}

/// What came of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(crate) struct Outcome {
    pub(crate) good: bool,
    pub(crate) deadlock: bool,
    pub(crate) headline: String,
    pub(crate) text: String,
}

/// What the person who schedules may let happen next.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(crate) struct Choice {
    pub(crate) option: u32,
    /// `poll` or `wait`.
    pub(crate) kind: String,
    pub(crate) task: Option<u32>,
    pub(crate) name: String,
    /// What the task does then.
    pub(crate) does: String,
    pub(crate) until_ns: Option<u64>,
}

impl Choice {
    /// As its button has it: `buyer 2: GET stock`.
    pub(crate) fn label(&self) -> String {
        match (self.kind.as_str(), self.does.is_empty()) {
            ("wait", _) => match self.until_ns {
                Some(at_ns) => {
                    format!("let time pass until {}", crate::format::moment(at_ns as f64, 1_000.0))
                }
                None => "let time pass".to_owned(),
            },
            (_, true) => self.name.clone(),
            (_, false) => format!("{}: {}", self.name, self.does),
        }
    }
}

/// A worker and what waits for it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(crate) struct Worker {
    pub(crate) state: String,
    pub(crate) clock_ns: u64,
    pub(crate) running: Option<u32>,
    pub(crate) lifo_slot: Option<u32>,
    pub(crate) local: Vec<u32>,
    pub(crate) deferred: Vec<u32>,
}

/// A lock that was ever touched.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(crate) struct Lock {
    pub(crate) name: String,
    /// `std` or `tokio`.
    pub(crate) kind: String,
    pub(crate) holder: Option<u32>,
    pub(crate) waiters: Vec<u32>,
}

/// A channel and what is in it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(crate) struct Channel {
    pub(crate) name: String,
    /// `mpsc` or `oneshot`.
    pub(crate) kind: String,
    pub(crate) capacity: Option<u64>,
    pub(crate) messages: Vec<String>,
    /// Tasks that wait for a message.
    pub(crate) receivers: Vec<u32>,
    /// Tasks that wait for room.
    pub(crate) senders: Vec<u32>,
}

/// When a task's sleep ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(crate) struct Timer {
    pub(crate) at_ns: u64,
    pub(crate) task: Option<u32>,
}

/// A key of the store's.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(crate) struct Key {
    pub(crate) key: String,
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) value: String,
    /// When it expires, by the run's clock.
    pub(crate) expires_ns: Option<u64>,
    /// Whose store it is in, where there are several.
    pub(crate) owner: Option<String>,
}

/// A task.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(crate) struct Task {
    pub(crate) id: u32,
    pub(crate) name: String,
    /// Whether it is one of the scenario's; else it is one of the server's.
    pub(crate) script: bool,
    /// `running`, `scheduled`, `idle` or `ended`.
    pub(crate) state: String,
    /// What it awaits, in words.
    pub(crate) waits: String,
    /// Where it stands in the scenario's text, in UTF-16 code units.
    pub(crate) start: Option<u32>,
    pub(crate) end: Option<u32>,
    pub(crate) line: Option<u32>,
    pub(crate) variables: Vec<(String, String)>,
    pub(crate) result: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_message_does_not_have_is_left_out() {
        let message: Message = serde_json::from_str(
            r#"{"at":{"step":3,"head":9,"now_ns":4000,"branches":[{"label":"first"}]}}"#,
        )
        .unwrap_or_default();
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
        let text = r#"[{"option":2,"outcomes":[{"headline":"stock = -1","good":false,"schedules":"60"},
            {"headline":"other","schedules":"1"}]}]"#;
        let ahead: Vec<Ahead> = serde_json::from_str(text).unwrap_or_default();
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
