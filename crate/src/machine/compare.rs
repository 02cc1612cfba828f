//! Two runs side by side: one trace that shows both, and where they part.
//!
//! Owns what it means for two runs to part: the first step at which their scenarios' tasks do something else. Knows no
//! picture.

use serde::Serialize;

use super::{Machine, OpenError, Recipe};
use crate::scope::frame::Frame;
use crate::scope::merge::{Part, merge};

/// Most steps of each run that are compared.
pub const COMPARED_STEPS_MAX: u64 = 20_000;

/// Two runs and where they part.
#[derive(Debug, Serialize)]
pub struct Compared {
    /// The first run.
    pub a: Side,
    /// The second.
    pub b: Side,
    /// Where they part; none if they do the same all the way.
    pub parted: Option<Split>,
    /// Both traces in one.
    #[serde(skip)]
    pub frames: Vec<Frame>,
}

/// One of the two.
#[derive(Debug, Serialize)]
pub struct Side {
    /// What tells it from the other.
    pub name: String,
    /// Who decided which task is polled next.
    pub flavor: &'static str,
    /// Workers that polled.
    pub workers: u8,
    /// How many steps it took.
    pub steps: u64,
    /// Whether it came to its end within [`COMPARED_STEPS_MAX`].
    pub over: bool,
    /// Whether every task completed and every assertion held; none before its end.
    pub good: Option<bool>,
    /// What came of it, in a line.
    pub headline: String,
}

/// Where two runs part.
#[derive(Debug, Serialize)]
pub struct Split {
    /// How many polls of the scenario's own tasks were the same in both.
    pub polls: usize,
    /// When the first poll that differs begins, in the run in which that is earlier, in virtual nanoseconds.
    pub at_ns: u64,
    /// What the first run does there.
    pub a: String,
    /// What the second does.
    pub b: String,
}

/// A poll of one of the scenario's own tasks: whose it is, and the statement it came to.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Turn {
    task: String,
    statement: String,
}

/// Makes both runs to their ends, at most [`COMPARED_STEPS_MAX`] steps of each.
///
/// # Errors
/// If one of them cannot be opened.
pub fn compare(a: &Recipe, b: &Recipe) -> Result<Compared, OpenError> {
    let names = names(a, b);
    let (a, a_turns, a_frames) = follow(a, &names.0)?;
    let (b, b_turns, b_frames) = follow(b, &names.1)?;
    let same = a_turns.iter().zip(&b_turns).take_while(|((_, a), (_, b))| a == b).count();
    let (next_a, next_b) = (a_turns.get(same), b_turns.get(same));
    let told = |turn: Option<&(u64, Turn)>| match turn {
        Some((_, Turn { task, statement })) if statement.is_empty() => format!("polls {task}"),
        Some((_, Turn { task, statement })) => format!("polls {task}, which comes to `{statement}`"),
        None => "is over".to_owned(),
    };
    let at_ns = next_a.into_iter().chain(next_b).map(|(at_ns, _)| *at_ns).min();
    let parted = at_ns.map(|at_ns| Split { polls: same, at_ns, a: told(next_a), b: told(next_b) });
    let frames = merge(&[
        Part { name: &names.0, frames: &a_frames, at_ns: 0 },
        Part { name: &names.1, frames: &b_frames, at_ns: 0 },
    ]);
    Ok(Compared { a, b, parted, frames })
}

/// What tells two recipes apart, in as few words as that takes.
fn names(a: &Recipe, b: &Recipe) -> (String, String) {
    let name = |recipe: &Recipe| {
        let mut parts = Vec::new();
        if a.flavor != b.flavor {
            parts.push(recipe.flavor.to_string());
        }
        if a.sharing != b.sharing {
            parts.push(recipe.sharing.to_string());
        }
        if a.hold_ms != b.hold_ms {
            parts.push(format!("hold {} ms", recipe.hold_ms));
        }
        if a.direct != b.direct {
            parts.push(if recipe.direct { "direct" } else { "sessions" }.to_owned());
        }
        if a.seed != b.seed {
            parts.push(format!("seed {}", recipe.seed));
        }
        parts.join(", ")
    };
    match (name(a), name(b)) {
        (same, other) if same == other => ("first".to_owned(), "second".to_owned()),
        names => names,
    }
}

type Followed = (Side, Vec<(u64, Turn)>, Vec<Frame>);

/// Makes the run of `recipe` and notes the turns of its scenario's tasks.
fn follow(recipe: &Recipe, name: &str) -> Result<Followed, OpenError> {
    let mut machine = Machine::open(recipe)?;
    let (mut turns, mut frames) = (Vec::new(), Vec::new());
    let source = recipe.scenario.as_str();
    while machine.steps() < COMPARED_STEPS_MAX {
        let began_ns = machine.now_ns();
        if machine.step().is_none() {
            break;
        }
        machine.take_frames(&mut frames);
        if let Some((task, span)) = machine.polled().and_then(|task| machine.stands(task)) {
            let statement = span.text(source).lines().next().unwrap_or_default().to_owned();
            turns.push((began_ns, Turn { task, statement }));
        }
    }
    let outcome = machine.outcome();
    let side = Side {
        name: name.to_owned(),
        flavor: recipe.flavor.name(),
        workers: recipe.flavor.workers(),
        steps: machine.steps(),
        over: machine.is_over(),
        good: outcome.as_ref().map(crate::scenario::Outcome::is_good),
        headline: match &outcome {
            Some(outcome) => outcome.headline(source),
            None => format!("still goes on after {COMPARED_STEPS_MAX} steps"),
        },
    };
    Ok((side, turns, frames))
}
