//! What came of a run: the same value for all runs that came to the same.
//!
//! Owns what is compared when schedules are told apart, and how it is told to a person. Holds no time and no order of
//! events, which differ from schedule to schedule. Does not know how it came about.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

use super::ast::Operator;
use super::error::{Span, excerpt};
use super::progress::{TaskName, Waits};
use super::value::Value;

/// What came of a run.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Outcome {
    /// The limit that stopped the run, if one did.
    pub stopped: Option<Stop>,
    /// All tasks, in the order of the text: `setup`, clients and what they spawned, `finally`.
    pub tasks: Vec<TaskOutcome>,
    /// The keys that commands named, with their values in the end. Empty if the run did not come to its end.
    pub keys: BTreeMap<Bytes, Value>,
}

/// What came of one task.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TaskOutcome {
    /// What it is called.
    pub name: TaskName,
    /// How it ended, or did not.
    pub end: End,
    /// Its assertions that did not hold, each once, in the order they failed first.
    pub failed: Vec<FailedAssert>,
    /// The last values of the variables it set.
    pub variables: BTreeMap<Arc<str>, Value>,
}

/// How a task ended.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum End {
    /// It came to the end of its block.
    Completed,
    /// A statement could not be executed; the task ended there.
    Error {
        /// The statement.
        span: Span,
        /// What was expected and what was found, or the server's error reply.
        message: String,
    },
    /// It waits for something that nobody will do.
    Stuck {
        /// The statement it stands at.
        span: Span,
        /// What it waits for.
        waits: Option<Waits>,
    },
    /// It panicked, which is a bug of Interleave.
    Panicked {
        /// The statement.
        span: Span,
        /// What the panic says.
        message: String,
    },
    /// The run passed a limit before the task had ended.
    Stopped,
    /// The host stopped the run before the task had ended.
    Unfinished {
        /// The statement it stood at.
        span: Span,
        /// What it waited for; `None`: for its turn, or it was running.
        waits: Option<Waits>,
    },
}

/// An assertion that did not hold.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FailedAssert {
    /// The statement.
    pub span: Span,
    /// What it came to when it failed first.
    pub found: Found,
}

/// What the expression of a failed assertion came to.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Found {
    /// No comparison: its value.
    Value(Value),
    /// A comparison: both sides.
    Comparison(Value, Operator, Value),
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Value(value) => write!(f, "{value}"),
            Self::Comparison(left, operator, right) => write!(f, "{left} {} {right}", operator.symbol()),
        }
    }
}

/// Why a run was stopped.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Stop {
    /// The field of [`Limits`](super::Limits) that was passed, or a limit of the host's.
    pub limit: &'static str,
    /// The task that passed it and the statement it was executing; `None`: the host did not wait any longer.
    pub place: Option<(TaskName, Span)>,
    /// The whole sentence.
    pub message: String,
}

impl Outcome {
    /// Whether every task completed and every assertion held.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.stopped.is_none()
            && self.tasks.iter().all(|task| task.end == End::Completed && task.failed.is_empty())
    }

    /// Whether tasks wait for each other, or for nobody, for ever.
    #[must_use]
    pub fn is_stuck(&self) -> bool {
        self.tasks.iter().any(|task| matches!(task.end, End::Stuck { .. }))
    }

    /// The same without the tasks' variables: what matters where schedules are counted by what they led to.
    #[must_use]
    pub fn without_variables(mut self) -> Self {
        self.tasks.iter_mut().for_each(|task| task.variables.clear());
        self
    }

    /// What is wrong, if anything is, and the keys, in one line; `source` is the scenario's text.
    #[must_use]
    pub fn headline(&self, source: &str) -> String {
        let mut parts = Vec::new();
        if let Some(stop) = &self.stopped {
            parts.push(format!("stopped by the limit `{}`", stop.limit));
        }
        let stuck = self.tasks.iter().filter(|task| matches!(task.end, End::Stuck { .. }));
        let stuck: Vec<_> = stuck.map(|task| task.name.to_string()).collect();
        if !stuck.is_empty() {
            parts.push(format!("deadlock of {}", stuck.join(", ")));
        }
        for TaskOutcome { name, end, failed, .. } in &self.tasks {
            match end {
                End::Error { message, .. } => parts.push(format!("{name}: {message}")),
                End::Panicked { message, .. } => parts.push(format!("{name} {}", panicked(message))),
                End::Unfinished { waits: Some(waits), .. } => parts.push(format!("{name} {waits}")),
                // Nothing else ends a task of a run that was not stopped.
                End::Stopped if self.stopped.is_none() => {
                    parts.push(format!("{name} did not come to its end, which is a bug of Interleave"));
                }
                _ => {}
            }
            for FailedAssert { span, found } in failed {
                let asserted = span.text(source).trim_start_matches("assert").trim_start();
                parts.push(format!("`{asserted}` does not hold: {found}"));
            }
        }
        parts.extend(self.keys.iter().map(|(key, value)| format!("{} = {value}", shown(key))));
        parts.join("; ")
    }

    /// All of it as text for a person, pointing into `source`.
    #[must_use]
    pub fn describe(&self, source: &str) -> String {
        let mut out = String::new();
        let mut line = |text: String| {
            out.push_str(&text);
            out.push('\n');
        };
        let place = |span: Span| {
            let shown = excerpt(source, span);
            shown.lines().map(|line| format!("    {line}\n")).collect::<String>().trim_end().to_owned()
        };
        match &self.stopped {
            Some(Stop { place: Some((task, span)), message, .. }) => {
                line(format!("stopped in {task}: {message}\n{}", place(*span)));
            }
            Some(Stop { place: None, message, .. }) => line(format!("stopped: {message}")),
            None => {}
        }
        if self.is_stuck() {
            line("deadlock: nobody can go on".to_owned());
        }
        for TaskOutcome { name, end, failed, variables } in &self.tasks {
            let variables: String =
                variables.iter().map(|(name, value)| format!(", {name} = {value}")).collect();
            match end {
                End::Completed => line(format!("{name}: completed{variables}")),
                End::Stopped => line(format!("{name}: not at its end{variables}")),
                End::Error { span, message } => {
                    line(format!("{name}: {message}{variables}\n{}", place(*span)));
                }
                End::Panicked { span, message } => {
                    line(format!("{name}: {}{variables}\n{}", panicked(message), place(*span)));
                }
                End::Stuck { span, waits } => {
                    let waits = waits.as_ref().map_or("waits".to_owned(), Waits::to_string);
                    line(format!("{name}: {waits}{variables}\n{}", place(*span)));
                }
                End::Unfinished { span, waits } => {
                    let waits = waits.as_ref().map_or("was running".to_owned(), Waits::to_string);
                    line(format!("{name}: not at its end: {waits}{variables}\n{}", place(*span)));
                }
            }
            for FailedAssert { span, found } in failed {
                line(format!("{name}: the assertion does not hold: {found}\n{}", place(*span)));
            }
        }
        for (key, value) in &self.keys {
            line(format!("{} = {value}", shown(key)));
        }
        out
    }
}

/// What is said of a panic.
pub(crate) fn panicked(message: &str) -> String {
    format!("panicked, which is a bug of Interleave: {message}")
}

/// A key, in quotes where it would not be read as one word.
fn shown(key: &Bytes) -> String {
    let plain = |byte: &u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\'' | b'\\');
    match std::str::from_utf8(key) {
        Ok(text) if !key.is_empty() && key.iter().all(plain) => text.to_owned(),
        _ => Value::Text(key.clone()).to_string(),
    }
}
