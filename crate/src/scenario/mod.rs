//! Scenarios: what several clients do, written by a person, run as tasks.
mod ast;
mod error;
mod examples;
mod expression;
mod lex;
mod limits;
mod link;
mod names;
mod nearest;
mod outcome;
mod parse;
mod progress;
mod run;
mod task;
mod value;

use std::sync::Arc;

pub use self::ast::Operator;
pub use self::error::{ScriptError, Span, excerpt};
pub use self::examples::{EXAMPLES, Example};
pub use self::limits::Limits;
pub use self::outcome::{End, FailedAssert, Found, Outcome, Stop, TaskOutcome};
pub use self::parse::{ME, PARTS, STATEMENTS};
pub use self::progress::{Progress, TaskName, TaskProgress, Waits};
pub use self::run::{Run, Setting};
pub use self::value::Value;

/// A scenario, read and checked.
#[derive(Debug)]
pub struct Scenario {
    source: Arc<str>,
    script: parse::Script,
}

impl Scenario {
    /// Reads `source`.
    ///
    /// # Errors
    /// The first mistake in it.
    pub fn parse(source: &str, limits: &Limits) -> Result<Self, ScriptError> {
        match parse::script(source, limits) {
            Ok(script) => Ok(Self { source: source.into(), script }),
            Err(fault) => Err(ScriptError::new(source, fault)),
        }
    }

    /// The text it was read from, which spans point into.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }
}
