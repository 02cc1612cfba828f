//! `interleave-server run FILE`: one run of a scenario, without a socket or a wall clock, and what came of it. Owns the
//! command line's side of it; what a scenario is and does is the crate's matter.

use std::fmt;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use interleave::engine::{CurrentThread, Step};
use interleave::scenario::{Limits, Outcome, Run, Scenario, ScriptError, Setting};
use interleave::sharing::{Kind, Options};

/// Flags of `run`.
#[derive(Clone, Debug, Args)]
pub struct RunFlags {
    /// The scenario; the language is told in `crate/src/scenario/mod.rs`, examples lie in `crate/scenarios`.
    file: PathBuf,

    /// How connections share the store: isolated, mutex, async-mutex, sharded or actor.
    #[arg(long, value_name = "WAY", default_value_t)]
    sharing: Kind,

    /// How long `--sharing async-mutex` keeps its lock across an `.await` after each batch, as a lesson.
    #[arg(long, value_name = "MS", default_value_t = 0)]
    hold_ms: u64,

    /// Where the server's random choices start: the same seed, the same run.
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
}

/// Why a scenario was not run.
#[derive(Debug)]
#[non_exhaustive]
pub enum RunError {
    /// The file cannot be read.
    Read {
        /// The file.
        file: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// What is in it is no scenario.
    Script {
        /// The file.
        file: PathBuf,
        /// Where, and what is wrong.
        error: Box<ScriptError>,
    },
}

impl fmt::Display for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read { file, error } => write!(f, "cannot read the scenario {}: {error}", file.display()),
            Self::Script { file, error } => write!(f, "{} is no scenario:\n{error}", file.display()),
        }
    }
}

impl std::error::Error for RunError {}

/// Runs the scenario on Tokio's current-thread runtime in virtual time: the same flags, the same outcome.
///
/// # Errors
/// When the file cannot be read or is no scenario.
pub fn run(flags: &RunFlags) -> Result<(Outcome, String), RunError> {
    let file = || flags.file.clone();
    let source = fs::read_to_string(&flags.file).map_err(|error| RunError::Read { file: file(), error })?;
    let scenario = Scenario::parse(&source, &Limits::default())
        .map_err(|error| RunError::Script { file: file(), error: Box::new(error) })?;
    let options =
        Options { hold: Duration::from_millis(flags.hold_ms), seed: flags.seed, ..Options::default() };
    let setting = Setting { sharing: flags.sharing, options, limits: Limits::default() };
    let mut engine = CurrentThread::new(0);
    let rt = engine.rt();
    let run = engine.enter(|| Run::start(&Arc::new(scenario), setting, &rt));
    let mut frames = Vec::new();
    while run.outcome().is_none() {
        match engine.step() {
            Step::Polled => {}
            Step::Idle { next_deadline_ns: Some(at_ns) } => engine.advance_to(at_ns),
            // Nobody is ready and nobody sleeps.
            Step::Idle { next_deadline_ns: None } => break,
        }
        // Nobody watches this run; what was recorded must not pile up.
        engine.take_frames(&mut frames);
        frames.clear();
    }
    Ok((run.deadlock(), source))
}
