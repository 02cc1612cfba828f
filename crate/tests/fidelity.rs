//! The engines against Tokio itself: the same programs, their tasks polled in the same order.
//!
//! Tokio runs natively and is recorded as the server is; the engines run in virtual time. With one worker there is one right
//! order, and both engines have it in every program. What Tokio itself does at random is left out of the programs
//! (`support/programs.rs` says what); how the model departs from Tokio otherwise stands in its documentation.

#[path = "support/programs.rs"]
mod programs;

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use interleave::engine::{CurrentThread, MultiThread, Step};
use interleave::rt::Rt;
use interleave::scope::event::{Event, LabelId, TaskId};
use interleave::scope::frame::{Definition, Frame};
use interleave::scope::hub;
use tokio::runtime::{Builder, Runtime};

use self::programs::{PROGRAMS, Program};

/// The tasks of a recording in the order of their polls, by name.
fn order(frames: &[Frame]) -> Vec<String> {
    let mut labels = HashMap::<LabelId, &str>::new();
    let mut names = HashMap::<TaskId, (LabelId, u32)>::new();
    for frame in frames {
        match frame {
            Frame::Define(definitions) => {
                for definition in definitions {
                    if let Definition::Label { id, text, .. } = definition {
                        labels.insert(*id, text);
                    }
                }
            }
            Frame::Events(chunk) => {
                for stamped in &chunk.events {
                    if let Event::Spawn { task, label, number } = stamped.event {
                        names.insert(task, (label, number));
                    }
                }
            }
            _ => {}
        }
    }
    let events = frames.iter().filter_map(|frame| match frame {
        Frame::Events(chunk) => Some(&chunk.events),
        _ => None,
    });
    let polled = events.flatten().filter_map(|stamped| match stamped.event {
        Event::PollStart { task, .. } => Some(task),
        _ => None,
    });
    polled
        .map(|task| {
            let (label, number) = names[&task];
            format!("{} {number}", labels[&label])
        })
        .collect()
}

/// Recording is the process's; the tests take turns.
fn alone() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs `program` on a real runtime, watched.
fn natively(runtime: &Runtime, program: Program) -> Vec<String> {
    let _watch = hub::watch();
    let mut frames = hub::snapshot().to_vec();
    let rt = Rt::native();
    runtime.block_on(async {
        rt.spawn("main", 0, (program.main)(rt.clone())).await.unwrap();
        // Those that nobody joins, too.
        while runtime.metrics().num_alive_tasks() > 0 {
            rt.sleep(Duration::from_millis(1)).await;
        }
    });
    hub::drain(&mut frames);
    order(&frames)
}

fn multi_thread_natively(program: Program) -> Vec<String> {
    // The interval that Tokio would otherwise fit to how long polls take.
    let mut builder = Builder::new_multi_thread();
    let runtime = builder.worker_threads(1).global_queue_interval(61).enable_time().build().unwrap();
    while runtime.metrics().worker_park_count(0) == 0 {
        std::thread::yield_now();
    }
    natively(&runtime, program)
}

macro_rules! run {
    ($engine:expr, $program:expr) => {{
        let mut engine = $engine;
        let mut frames = engine.snapshot().to_vec();
        let rt = engine.rt();
        // Its workers go to sleep, as those of a runtime that has nothing to do yet.
        assert_eq!(engine.step(), Step::Idle { next_deadline_ns: None });
        engine.enter(|| rt.spawn("main", 0, ($program.main)(rt.clone())));
        loop {
            match engine.step() {
                Step::Polled => {}
                Step::Idle { next_deadline_ns: Some(deadline_ns) } => engine.advance_to(deadline_ns),
                Step::Idle { next_deadline_ns: None } => break,
            }
        }
        engine.take_frames(&mut frames);
        frames
    }};
}

/// How often a program runs natively.
const RUNS: usize = 5;

/// How often one that sleeps may: a machine that is busy elsewhere wakes sleepers too late, and then several at once.
const RUNS_THAT_SLEEP: usize = 50;

/// Checks that `program` is polled in the same order natively, every time; if it sleeps, the last time.
fn check(program: Program, engine: &[String], natively: impl Fn() -> Vec<String>) -> Option<String> {
    if program.sleeps {
        let mut parts = (0..RUNS_THAT_SLEEP).map(|_| parted(program.name, &natively(), engine));
        let mut last = None;
        parts.any(|part| {
            last = part;
            last.is_none()
        });
        return last;
    }
    (0..RUNS).find_map(|_| parted(program.name, &natively(), engine))
}

/// Says where two orders part.
fn parted(program: &str, tokio: &[String], engine: &[String]) -> Option<String> {
    if tokio == engine {
        return None;
    }
    let same = tokio.iter().zip(engine).take_while(|(left, right)| left == right).count();
    let around = |order: &[String]| order[same.saturating_sub(4)..(same + 8).min(order.len())].join(", ");
    Some(format!(
        "{program}: parted after {same} of {} and {} polls\n  Tokio:  {}\n  engine: {}",
        tokio.len(),
        engine.len(),
        around(tokio),
        around(engine),
    ))
}

#[test]
fn one_worker_of_the_model_polls_as_tokio_does() {
    let _alone = alone();
    let parts: Vec<_> = PROGRAMS
        .iter()
        .filter_map(|&program| {
            let modelled = order(&run!(MultiThread::new(1, 7, 0), program));
            check(program, &modelled, || multi_thread_natively(program))
        })
        .collect();
    assert!(parts.is_empty(), "{}", parts.join("\n"));
}

#[test]
fn the_stepped_current_thread_runtime_polls_as_tokio_does() {
    let _alone = alone();
    let parts: Vec<_> = PROGRAMS
        .iter()
        .filter_map(|&program| {
            let stepped = order(&run!(CurrentThread::new(0), program));
            check(program, &stepped, || {
                natively(&Builder::new_current_thread().enable_time().build().unwrap(), program)
            })
        })
        .collect();
    assert!(parts.is_empty(), "{}", parts.join("\n"));
}
