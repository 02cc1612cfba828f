//! `interleave-server run FILE`: one run of a scenario or of a saved run, without a socket or a wall clock, and what came of
//! it. Owns the command line's side of it; what a run is and does is the crate's matter.

use std::fmt;
use std::fs;
use std::io;
use std::path::PathBuf;

use clap::Args;
use interleave::engine::{self, WORKERS_MAX};
use interleave::machine::{Machine, OpenError, Recipe, RecipeError};
use interleave::scenario::{Outcome, ScriptError};
use interleave::sharing::Kind;

use crate::flags::Flavor;

/// Workers of the modelled runtime if nothing says how many.
const WORKERS: u8 = 2;

/// Flags of `run`. Those that are not given leave a saved run as it is.
#[derive(Clone, Debug, Args)]
pub struct RunFlags {
    /// A scenario, or a run that the page saved (JSON). The language of scenarios is told in
    /// `crate/src/scenario/mod.rs`, examples lie in `crate/scenarios`.
    file: PathBuf,

    /// How connections share the store: isolated, mutex, async-mutex, sharded or actor [default: sharded].
    #[arg(long, value_name = "WAY")]
    sharing: Option<Kind>,

    /// How long `--sharing async-mutex` keeps its lock across an `.await` after each batch, as a lesson [default: 0].
    #[arg(long, value_name = "MS")]
    hold_ms: Option<u64>,

    /// The runtime: Tokio's own current-thread one, or the model of its multi-thread one [default: current-thread].
    #[arg(long, value_enum)]
    flavor: Option<Flavor>,

    /// Workers of the modelled runtime [default: 2].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=WORKERS_MAX as i64))]
    workers: Option<u8>,

    /// Where random choices start, the server's and the modelled runtime's: the same seed, the same run [default: 0].
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
}

/// Why nothing was run.
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
    /// What is in it is no saved run that can be read here.
    Saved {
        /// The file.
        file: PathBuf,
        /// What is wrong.
        error: RecipeError,
    },
    /// The saved run does not go as it went when it was saved.
    Open {
        /// The file.
        file: PathBuf,
        /// Where it parts.
        error: Box<OpenError>,
    },
    /// A flag says otherwise than the saved run.
    Contradiction {
        /// The file.
        file: PathBuf,
        /// The flag.
        flag: &'static str,
        /// What the flag says.
        given: String,
        /// What the saved run says.
        saved: String,
    },
}

impl fmt::Display for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read { file, error } => write!(f, "cannot read {}: {error}", file.display()),
            Self::Script { file, error } => write!(f, "{} is no scenario:\n{error}", file.display()),
            Self::Saved { file, error } => write!(f, "{} is no saved run: {error}", file.display()),
            Self::Open { file, error } => write!(f, "{} cannot be run: {error}", file.display()),
            Self::Contradiction { file, flag, given, saved } => write!(
                f,
                "expected {flag} {saved}, as the run in {} was saved, found {given}: leave the flag out, or run the \
                 scenario itself",
                file.display()
            ),
        }
    }
}

impl std::error::Error for RunError {}

/// Runs what is in the file to its end, in virtual time: the same file and flags, the same outcome, which is the one that
/// the page shows. Gives it with the scenario's text.
///
/// # Errors
/// When the file cannot be read, is neither a scenario nor a saved run, or is one that the flags contradict.
pub fn run(flags: &RunFlags) -> Result<(Outcome, String), RunError> {
    let file = || flags.file.clone();
    let text = fs::read_to_string(&flags.file).map_err(|error| RunError::Read { file: file(), error })?;
    // No scenario begins so.
    let recipe = if text.trim_start().starts_with('{') {
        let recipe = Recipe::from_json(&text).map_err(|error| RunError::Saved { file: file(), error })?;
        flags.check(&recipe)?;
        recipe
    } else {
        flags.recipe(text)
    };
    // That its choices are still there is seen by making them.
    let step = recipe.step.max(recipe.choices.steps());
    let mut machine = Machine::stand_at(&Recipe { step, ..recipe.clone() }).map_err(|error| match error {
        OpenError::Script(error) => RunError::Script { file: file(), error: Box::new(error) },
        error => RunError::Open { file: file(), error: Box::new(error) },
    })?;
    let mut frames = Vec::new();
    while machine.step().is_some() {
        // Nobody watches this run; what was recorded must not pile up.
        machine.take_frames(&mut frames);
        frames.clear();
    }
    let outcome = machine.outcome().expect("a run that makes no step is over");
    Ok((outcome, recipe.scenario))
}

impl RunFlags {
    /// A run of `scenario`, as the flags say.
    fn recipe(&self, scenario: String) -> Recipe {
        let flavor = match self.flavor {
            None | Some(Flavor::CurrentThread) => engine::Flavor::CurrentThread,
            Some(Flavor::MultiThread) => {
                engine::Flavor::MultiThread { workers: self.workers.unwrap_or(WORKERS) }
            }
        };
        Recipe {
            scenario,
            sharing: self.sharing.unwrap_or_default(),
            flavor,
            hold_ms: self.hold_ms.unwrap_or_default(),
            seed: self.seed.unwrap_or_default(),
            ..Recipe::default()
        }
    }

    /// Checks that no flag says otherwise than `saved`.
    fn check(&self, saved: &Recipe) -> Result<(), RunError> {
        let agrees = |flag, given: Option<String>, saved: String| match given {
            Some(given) if given != saved => {
                Err(RunError::Contradiction { file: self.file.clone(), flag, given, saved })
            }
            _ => Ok(()),
        };
        let text = |number: u64| number.to_string();
        agrees("--sharing", self.sharing.map(|kind| kind.to_string()), saved.sharing.to_string())?;
        agrees("--hold-ms", self.hold_ms.map(text), text(saved.hold_ms))?;
        agrees(
            "--flavor",
            self.flavor.map(|flavor| flavor.name().to_owned()),
            saved.flavor.name().to_owned(),
        )?;
        let workers = self.workers.map(|workers| workers.to_string());
        agrees("--workers", workers, saved.flavor.workers().to_string())?;
        agrees("--seed", self.seed.map(text), text(saved.seed))
    }
}
