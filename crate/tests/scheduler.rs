//! The model of the multi-thread runtime under random programs: what holds of any scheduler, whatever it decides.
//!
//! A failure names the seed of the program, which is also that of the model, and the number of workers.

#[path = "support/random.rs"]
mod random;

use std::collections::{HashMap, HashSet};
use std::future::poll_fn;
use std::task::Poll;

use interleave::engine::{MultiThread, Queues, Step, WorkerState};
use interleave::rt::{Rt, channel};
use interleave::scope::event::{Event, ObjectId, Stamped, TaskId, WorkerId};
use interleave::scope::frame::Frame;

/// Polls after which a random program must have ended by far.
const POLLS_MAX: usize = 100_000;

/// Runs `main` until nothing is left to do; calls `look` after every step.
fn run<F>(workers: usize, seed: u64, main: impl FnOnce(Rt) -> F, mut look: impl FnMut(&Queues)) -> Vec<Frame>
where
    F: Future<Output = ()> + Send + 'static,
{
    let mut engine = MultiThread::new(workers, seed, 0);
    let mut frames = engine.snapshot().to_vec();
    let rt = engine.rt();
    engine.enter(|| rt.spawn("main", 0, main(rt.clone())));
    for _ in 0..POLLS_MAX {
        let step = engine.step();
        look(&engine.queues());
        // Now and then only, as a host does: what comes later must not be earlier.
        if fastrand::u8(..) < 8 {
            engine.take_frames(&mut frames);
        }
        match step {
            Step::Polled => {}
            Step::Idle { next_deadline_ns: Some(deadline_ns) } => engine.advance_to(deadline_ns),
            Step::Idle { next_deadline_ns: None } => {
                engine.take_frames(&mut frames);
                return frames;
            }
        }
    }
    panic!("not at its end after {POLLS_MAX} polls");
}

/// All events in order of time, those of one thread in theirs; each with its thread.
fn in_order(frames: &[Frame]) -> Vec<(u16, Stamped)> {
    let mut events = Vec::new();
    for frame in frames {
        if let Frame::Events(chunk) = frame {
            events.extend(chunk.events.iter().map(|&stamped| (chunk.thread, stamped)));
        }
    }
    events.sort_by_key(|(_, stamped)| stamped.at_ns);
    events
}

fn random_runs(seeds: std::ops::Range<u64>, mut check: impl FnMut(usize, u64)) {
    for seed in seeds {
        let workers = 1 + seed as usize % 8;
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| check(workers, seed)));
        if let Err(panic) = result {
            eprintln!("with {workers} workers and seed {seed}:");
            std::panic::resume_unwind(panic);
        }
    }
}

#[test]
fn queues_are_bounded_and_no_worker_sleeps_beside_work() {
    random_runs(0..300, |workers, seed| {
        run(
            workers,
            seed,
            |rt| random::random(rt, seed),
            |queues| {
                let mut queued = HashSet::new();
                let ready = queues
                    .workers
                    .iter()
                    .flat_map(|worker| worker.local.iter().chain(&worker.lifo_slot).chain(&worker.running));
                for task in ready.chain(&queues.injection) {
                    assert!(queued.insert(*task), "{task:?} waits twice: {queues:?}");
                }
                for worker in &queues.workers {
                    assert!(worker.local.len() <= 256);
                    if let WorkerState::Parked | WorkerState::ParkedOnDriver = worker.state {
                        let work = worker.local.len() + worker.deferred.len();
                        assert_eq!((work, worker.lifo_slot, worker.running), (0, None, None), "{queues:?}");
                    }
                }
                let parked = |worker: &interleave::engine::WorkerQueues| {
                    matches!(worker.state, WorkerState::Parked | WorkerState::ParkedOnDriver)
                };
                if queues.workers.iter().all(parked) {
                    assert!(queues.injection.is_empty(), "all sleep beside work: {queues:?}");
                    let drivers = queues.workers.iter().filter(|it| it.state == WorkerState::ParkedOnDriver);
                    assert_eq!(drivers.count(), 1, "nobody would wake for timers: {queues:?}");
                }
            },
        );
    });
}

#[test]
fn tasks_are_polled_when_woken_and_never_twice_at_once() {
    random_runs(0..300, |workers, seed| {
        let frames = run(workers, seed, |rt| random::random(rt, seed), |_| {});
        let mut woken = HashSet::<TaskId>::new();
        let mut ended = HashSet::<TaskId>::new();
        let mut alive = HashSet::<TaskId>::new();
        let mut polled = HashMap::<TaskId, u16>::new();
        let mut polling = HashMap::<u16, TaskId>::new();
        for (thread, Stamped { at_ns, event }) in in_order(&frames) {
            match event {
                Event::Spawn { task, .. } => {
                    woken.insert(task);
                    alive.insert(task);
                }
                Event::Wake { task, .. } => {
                    woken.insert(task);
                }
                Event::PollStart { task, worker } => {
                    assert_eq!(worker, WorkerId(thread), "a worker's events are on its own thread");
                    assert!(woken.remove(&task), "{task:?} polled at {at_ns} and not woken before");
                    assert!(!ended.contains(&task), "{task:?} polled after its end");
                    assert_eq!(polled.insert(task, thread), None, "{task:?} polled twice at once at {at_ns}");
                    assert_eq!(polling.insert(thread, task), None, "polls nested");
                }
                Event::PollEnd { .. } => {
                    let task = polling.remove(&thread).expect("an end without a start");
                    polled.remove(&task);
                }
                Event::End { task, .. } => {
                    ended.insert(task);
                }
                _ => {}
            }
        }
        assert_eq!(alive, ended, "tasks that were lost");
    });
}

#[test]
fn clocks_go_on_and_locks_have_one_holder() {
    random_runs(0..300, |workers, seed| {
        let frames = run(workers, seed, |rt| random::random(rt, seed), |_| {});
        let (mut last_ns, mut drained_ns) = (HashMap::<u16, u64>::new(), 0);
        for frame in &frames {
            match frame {
                Frame::Events(chunk) => {
                    for Stamped { at_ns, event } in &chunk.events {
                        let last_ns = last_ns.entry(chunk.thread).or_default();
                        assert!(at_ns >= last_ns, "{event:?} at {at_ns} on {}: back in time", chunk.thread);
                        assert!(*at_ns >= drained_ns, "{event:?} at {at_ns} after all was told");
                        *last_ns = *at_ns;
                    }
                }
                Frame::Drained { at_ns } => {
                    assert!(*at_ns >= drained_ns, "told up to {drained_ns}, then to {at_ns}");
                    drained_ns = *at_ns;
                }
                _ => {}
            }
        }
        let mut held = HashSet::<ObjectId>::new();
        let mut sent = HashSet::<(ObjectId, u32)>::new();
        for (_, Stamped { event, .. }) in in_order(&frames) {
            match event {
                Event::LockAcquired { lock } => assert!(held.insert(lock), "{lock:?} has two holders"),
                Event::LockReleased { lock } => assert!(held.remove(&lock), "{lock:?} is not held"),
                Event::Send { channel, message } => {
                    sent.insert((channel, message));
                }
                Event::Receive { channel, message } => {
                    assert!(sent.remove(&(channel, message)), "{channel:?} {message} before it was sent");
                }
                _ => {}
            }
        }
    });
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    random_runs(0..1000, |workers, seed| {
        let bytes = || {
            let mut engine = MultiThread::new(workers, seed, 0);
            let mut frames = engine.snapshot().to_vec();
            let rt = engine.rt();
            engine.enter(|| rt.spawn("main", 0, random::random(rt.clone(), seed)));
            loop {
                match engine.step() {
                    Step::Polled => {}
                    Step::Idle { next_deadline_ns: Some(deadline_ns) } => engine.advance_to(deadline_ns),
                    Step::Idle { next_deadline_ns: None } => break,
                }
            }
            engine.take_frames(&mut frames);
            frames
        };
        assert!(bytes() == bytes(), "two runs differ");
    });
}

#[test]
fn the_lifo_slot_keeps_nobody_waiting() {
    // Two tasks that wake each other, and one that is always ready: at most one poll and three through the slot before it
    // has its turn.
    let main = |rt: Rt| async move {
        let (ping, mut pinged) = channel("ping", 1);
        let (pong, mut ponged) = channel("pong", 1);
        rt.spawn("pong", 0, async move {
            while let Some(ball) = pinged.receive().await {
                pong.send(ball).await.unwrap();
            }
        });
        rt.spawn("ping", 0, async move {
            for ball in 0..100 {
                ping.send(ball).await.unwrap();
                ponged.receive().await;
            }
        });
        let mut left = 200;
        rt.spawn(
            "ready",
            0,
            poll_fn(move |cx| {
                left -= 1;
                cx.waker().wake_by_ref();
                if left == 0 { Poll::Ready(()) } else { Poll::Pending }
            }),
        );
    };
    let ready = TaskId(4);
    let frames = run(1, 0, main, |_| {});
    let polls = in_order(&frames).into_iter().filter_map(|(_, stamped)| match stamped.event {
        Event::PollStart { task, .. } => Some(task),
        _ => None,
    });
    let polls: Vec<_> = polls.collect();
    // The first rounds are those of tasks that were not yet polled.
    let most = polls.split(|&task| task == ready).skip(2).map(<[_]>::len).max();
    assert_eq!(most, Some(4));
}

#[test]
fn work_is_shared() {
    for workers in 2..=8 {
        let frames = run(
            workers,
            1,
            |rt| async move {
                for number in 0..400 {
                    let inner = rt.clone();
                    rt.spawn("task", number, async move { inner.yield_now().await });
                }
            },
            |_| {},
        );
        let mut polls = vec![0; workers];
        for (thread, stamped) in in_order(&frames) {
            if let Event::PollStart { .. } = stamped.event {
                polls[usize::from(thread)] += 1;
            }
        }
        assert_eq!(polls.iter().sum::<u32>(), 801);
        assert!(polls.iter().all(|&polls| polls > 801 / workers as u32 / 3), "{polls:?}");
    }
}

/// The queues of `workers` workers after each of the first steps, when `tasks` are spawned at once by a task of the first.
fn after_spawning(workers: usize, tasks: u32, steps: usize) -> Vec<Queues> {
    let mut engine = MultiThread::new(workers, 0, 0);
    let rt = engine.rt();
    // They sleep; the last to fall asleep wakes first.
    assert!(matches!(engine.step(), Step::Idle { .. }));
    let inner = rt.clone();
    engine.enter(|| {
        rt.spawn("main", 0, async move {
            for number in 0..tasks {
                inner.spawn("task", number, async {});
            }
        })
    });
    let step = |_| {
        assert_eq!(engine.step(), Step::Polled);
        engine.queues()
    };
    (0..steps).map(step).collect()
}

#[test]
fn a_full_queue_overflows_by_half() {
    let queues = &after_spawning(1, 600, 1)[0];
    let worker = &queues.workers[0];
    // The main task is 1, so tasks are numbered from 2. In the queue: its older half at each overflow, and what came after
    // the last.
    assert_eq!(worker.lifo_slot, Some(TaskId(601)));
    let numbers = |tasks: &[TaskId]| tasks.iter().map(|task| task.0).collect::<Vec<_>>();
    assert_eq!(numbers(&worker.local), (2..130).chain(517..601).collect::<Vec<_>>());
    assert_eq!(numbers(&queues.injection), (130..517).collect::<Vec<_>>());
}

#[test]
fn a_thief_takes_the_older_half() {
    let steps = after_spawning(2, 10, 2);
    // One in the slot, nine in the queue; the thief takes five of them and polls the fifth at once.
    let lengths =
        |queues: &Queues| queues.workers.iter().map(|worker| worker.local.len()).collect::<Vec<_>>();
    assert_eq!(lengths(&steps[0]), [0, 9]);
    assert_eq!(lengths(&steps[1]), [4, 4]);
    let thief = &steps[1].workers[0];
    assert_eq!(thief.local, [2, 3, 4, 5].map(TaskId));
}
