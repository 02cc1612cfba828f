//! `interleave-server run FILE`: one run of a scenario, without a socket or a wall clock, and what came of it. Owns the
//! command line's side of it; what a scenario is and does is the crate's matter.

use std::fmt;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use interleave::engine::{CurrentThread, MultiThread, Step, WORKERS_MAX};
use interleave::scenario::{Limits, Outcome, Run, Scenario, ScriptError, Setting};
use interleave::scope::frame::Frame;
use interleave::sharing::{Kind, Options};

use crate::flags::Flavor;

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

    /// The runtime: Tokio's own current-thread one, or the model of its multi-thread one.
    #[arg(long, value_enum, default_value_t = Flavor::CurrentThread)]
    flavor: Flavor,

    /// Workers of the modelled runtime.
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=WORKERS_MAX as i64))]
    workers: u8,

    /// Where random choices start, the server's and the modelled runtime's: the same seed, the same run.
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

/// Runs the scenario in virtual time: the same flags, the same outcome. Gives it with the scenario's text.
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
    let setting =
        Setting { sharing: flags.sharing, options, limits: Limits::default(), ..Setting::default() };
    let scenario = Arc::new(scenario);
    let outcome = match flags.flavor {
        Flavor::CurrentThread => {
            let mut engine = CurrentThread::new(0);
            let rt = engine.rt();
            let run = engine.enter(|| Run::start(&scenario, setting, &rt));
            to_the_end(
                &run,
                &mut engine,
                CurrentThread::step,
                CurrentThread::advance_to,
                CurrentThread::take_frames,
            )
        }
        Flavor::MultiThread => {
            let mut engine = MultiThread::new(usize::from(flags.workers), flags.seed, 0);
            let rt = engine.rt();
            let run = engine.enter(|| Run::start(&scenario, setting, &rt));
            to_the_end(
                &run,
                &mut engine,
                MultiThread::step,
                MultiThread::advance_to,
                MultiThread::take_frames,
            )
        }
    };
    Ok((outcome, source))
}

/// Steps `engine` until the run has its outcome, or nobody is ready and nobody sleeps.
fn to_the_end<E>(
    run: &Run,
    engine: &mut E,
    step: fn(&mut E) -> Step,
    advance_to: fn(&E, u64),
    take_frames: fn(&E, &mut Vec<Frame>),
) -> Outcome {
    let mut frames = Vec::new();
    while run.outcome().is_none() {
        match step(engine) {
            Step::Polled => {}
            Step::Idle { next_deadline_ns: Some(at_ns) } => advance_to(engine, at_ns),
            Step::Idle { next_deadline_ns: None } => break,
        }
        // Nobody watches this run; what was recorded must not pile up.
        take_frames(engine, &mut frames);
        frames.clear();
    }
    run.deadlock()
}
