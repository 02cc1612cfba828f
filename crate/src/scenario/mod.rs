//! Scenarios: what several clients do, written by a person and run as tasks.
//!
//! Owns the language, what each of its statements does, and what came of a run. Knows no engine: the host polls the tasks
//! and says when none can go on. Knows the server by its [`session`](crate::session) only.
//!
//! # The language
//!
//! It reads like a console: a line that begins with no keyword is a Redis command, quoted as in `redis-cli`.
//!
//! ```text
//! # Two buyers want the last item.
//! setup {
//!     SET stock 1
//! }
//!
//! client buyer * 2 {
//!     let stock = GET stock
//!     if stock > 0 {
//!         DECR stock
//!         SET "winner:$stock" "buyer $me"
//!     }
//! }
//!
//! finally {
//!     assert GET stock >= 0
//! }
//! ```
//!
//! A scenario is a list of parts. `setup` runs first, then all clients at once, then, when every task has ended, `finally`.
//! A `client` is one task with one connection, or several that do the same; `me` is which of them it is, from 1.
//! `setup` and `finally` share a connection.
//!
//! ```text
//! scenario  = { part }                        with one client at least
//! part      = "setup" block                   at most once
//!           | "client" name [ "*" count ] block
//!           | "finally" block                 at most once
//!           | "channel" name capacity         before its use
//! block     = "{" { statement } "}"           a statement ends with its line, or before the "}"
//!
//! statement = command                         run it; an error reply ends the task
//!           | "let" name "=" value            a new variable, to the end of the block
//!           | name "=" value                  change it
//!           | "if" value block { "else" "if" value block } [ "else" block ]
//!           | "while" value block
//!           | "repeat" value block            that many times
//!           | "assert" value                  note it if it does not hold, and go on
//!           | "spawn" name block              a task, with a copy of the variables and a connection of its own
//!           | "join" name                     wait for the tasks spawned here under that name
//!           | "lock" name block               hold an async mutex meanwhile; it needs no declaration
//!           | "send" name value               into a channel; wait while it is full
//!           | "receive" name                  out of a channel; wait while it is empty
//!           | "yield"                         let the others run first
//!           | "sleep" time                    wait: 10ms, 5us, 1s
//!           | "spin" time                     compute for so long without giving way
//!
//! value     = sum [ ( "==" | "!=" | "<" | "<=" | ">" | ">=" ) sum ]
//! sum       = product { ( "+" | "-" ) product }
//! product   = operand { ( "*" | "/" | "%" ) operand }
//! operand   = integer | "nil" | string | variable | command | "receive" name | "(" value ")"
//! ```
//!
//! - A comment begins with `#`, where a word could, and ends with its line.
//! - A [value](Value) is an integer, a string or nil. A string that spells an integer is one, as in Redis. A condition holds
//!   unless it is 0 or nil. Both sides of an order are integers, or both are strings.
//! - `$name`, or `${name}` before a letter, stands for a variable in a word or in double quotes. Where a value is expected
//!   the `$` may be left out. In 'single quotes' it is a dollar, as in `"\$"` and before anything that is no name.
//! - Operators and braces stand between spaces, because they are ordinary letters in keys: `user:*`, `{tag}:1`, `a-b`. Where a
//!   value is expected, a command ends before one; quote it to send it.
//! - Variables belong to their task. What tasks share is the server, locks and channels.
//! - One task receives from a channel, as with Tokio's mpsc. When all tasks that send to it have ended, it receives nil;
//!   when the one that receives has ended, sending is an error.
//! - A task that ends waits for those it spawned and did not join.
//!
//! What is wrong with the text is found before anything runs, misspelt commands and a wrong number of arguments among it.
//! Everything a scenario may ask for has a limit with a name: see [`Limits`].
//!
//! # Running one
//!
//! ```
//! use std::sync::Arc;
//! use interleave::engine::{CurrentThread, Step};
//! use interleave::scenario::{Limits, Run, Scenario, Setting};
//!
//! let source = r#"
//! setup { SET stock 1 }
//! client buyer * 2 {
//!     let stock = GET stock
//!     if stock > 0 { DECR stock }
//! }
//! finally { assert GET stock >= 0 }
//! "#;
//! let scenario = Arc::new(Scenario::parse(source, &Limits::default())?);
//! let mut engine = CurrentThread::new(0);
//! let rt = engine.rt();
//! let run = engine.enter(|| Run::start(&scenario, Setting::default(), &rt));
//! loop {
//!     match engine.step() {
//!         Step::Polled => {}
//!         Step::Idle { next_deadline_ns: Some(at_ns) } => engine.advance_to(at_ns),
//!         Step::Idle { next_deadline_ns: None } => break,
//!     }
//! }
//! let outcome = run.deadlock();
//! assert!(!outcome.is_good());
//! assert_eq!(outcome.headline(source), "`GET stock >= 0` does not hold: -1 >= 0; stock = -1");
//! # Ok::<(), interleave::scenario::ScriptError>(())
//! ```

mod ast;
mod collection;
mod direct;
mod error;
mod examples;
mod expression;
mod lex;
mod limits;
mod link;
mod names;
mod nearest;
mod outcome;
mod panics;
mod parse;
mod progress;
mod run;
mod task;
mod value;

use std::sync::Arc;

pub use self::ast::Operator;
pub use self::error::{ScriptError, Span, excerpt};
pub use self::examples::{EXAMPLES, Example};
#[cfg(feature = "explore")]
pub(crate) use self::limits::Counted;
pub use self::limits::Limits;
pub use self::link::{Connect, Connecting, Stream};
pub(crate) use self::outcome::panicked;
pub use self::outcome::{End, FailedAssert, Found, Outcome, Stop, TaskOutcome};
pub use self::parse::{ME, PARTS, STATEMENTS};
pub use self::progress::{ChannelProgress, Progress, TaskName, TaskProgress, Waits};
pub use self::run::{Run, Setting};
pub use self::value::Value;

/// A scenario, read and checked. Running it changes nothing in it.
#[derive(Debug)]
pub struct Scenario {
    source: Arc<str>,
    script: parse::Script,
}

impl Scenario {
    /// Reads `source`. Takes time and memory in proportion to its length.
    ///
    /// # Errors
    /// The first mistake in it, or the first of the [`Limits`] that it passes.
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

    /// What it is about: its first line, if that is a comment.
    #[must_use]
    pub fn title(&self) -> Option<&str> {
        Some(self.source.lines().next()?.strip_prefix('#')?.trim())
    }

    /// Its clients in order, and how many there are of each.
    pub fn clients(&self) -> impl Iterator<Item = (&str, u32)> {
        self.script.clients.iter().map(|client| (&*client.name, client.count))
    }

    /// Its locks, in the order of their first use.
    pub fn locks(&self) -> impl Iterator<Item = &str> {
        self.script.locks.iter().map(|name| &**name)
    }

    /// Its channels in order, and how many messages each holds.
    pub fn channels(&self) -> impl Iterator<Item = (&str, usize)> {
        self.script.channels.iter().map(|channel| (&*channel.name, channel.capacity))
    }
}
