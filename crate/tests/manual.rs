//! The runtime whose scheduler is the caller: what it offers, that a run can be made again, and that all runs can be made.

#[path = "support/random.rs"]
mod random;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use interleave::engine::{Choice, Choices, Manual, Parted, Pick};
use interleave::rt::{AsyncMutex, Mutex, Rt, channel};
use interleave::scope::codec;
use interleave::scope::event::TaskId;

/// An engine in which `program` has spawned its tasks.
fn engine(program: impl FnOnce(&Rt)) -> Manual {
    let engine = Manual::new(0);
    let _ = engine.snapshot();
    let rt = engine.rt();
    engine.enter(|| program(&rt));
    engine
}

fn bytes(engine: &Manual) -> Vec<u8> {
    let (mut frames, mut bytes) = (Vec::new(), Vec::new());
    engine.take_frames(&mut frames);
    codec::encode(&frames, &mut bytes);
    bytes
}

/// Makes every run of `program` there is, and counts those with the same `outcome`.
fn explore<T>(program: impl Fn(&Rt) -> T, outcome: impl Fn(&Manual, T) -> String) -> BTreeMap<String, u32> {
    let mut outcomes = BTreeMap::new();
    let mut prefix: Vec<Pick> = Vec::new();
    loop {
        let mut result = None;
        let mut engine = engine(|rt| result = Some(program(rt)));
        let mut picks = prefix.iter();
        loop {
            match engine.count() {
                0 => break,
                1 => engine.choose(0),
                _ => engine.choose(picks.next().map_or(0, |pick| pick.option as usize)),
            };
        }
        prefix = engine.choices().picks().to_vec();
        let result = result.expect("the program was entered");
        *outcomes.entry(outcome(&engine, result)).or_default() += 1;
        // The next run differs in the last choice that has another option left.
        while prefix.pop_if(|last| last.option + 1 == last.options).is_some() {}
        match prefix.last_mut() {
            Some(last) => last.option += 1,
            None => return outcomes,
        }
    }
}

fn counted(outcomes: &[(&str, u32)]) -> BTreeMap<String, u32> {
    outcomes.iter().map(|&(name, count)| (name.to_owned(), count)).collect()
}

#[test]
fn the_caller_decides() {
    let order = Arc::new(Mutex::new("order", 0, Vec::new()));
    let mut engine = engine(|rt| {
        for number in 0..3 {
            let order = Arc::clone(&order);
            rt.spawn("task", number, async move { order.lock().push(number) });
        }
    });
    let poll = |task| Choice::Poll(TaskId(task));
    assert_eq!(engine.options(), [poll(1), poll(2), poll(3)]);
    assert_eq!(engine.choose(1), poll(2));
    assert_eq!(engine.options(), [poll(1), poll(3)]);
    engine.choose(1);
    engine.choose(0);
    assert_eq!(engine.options(), []);
    assert_eq!(*order.lock(), [1, 2, 0]);
    let picks = engine.choices().picks().iter().map(|pick| (pick.option, pick.options));
    assert_eq!(picks.collect::<Vec<_>>(), [(1, 3), (1, 2)]);
    assert_eq!(engine.choices().steps(), 3);
}

#[test]
fn a_sleep_may_end_while_others_are_ready() {
    let mut engine = engine(|rt| {
        let inner = rt.clone();
        rt.spawn("sleeper", 0, async move { inner.sleep(Duration::from_millis(1)).await });
        rt.spawn("other", 0, async {});
    });
    engine.choose(0);
    let [Choice::Poll(TaskId(2)), Choice::Wait { until_ns }] = engine.options()[..] else {
        panic!("expected to poll the other task or to wait, found {:?}", engine.options());
    };
    assert_eq!(engine.choose(1), Choice::Wait { until_ns });
    assert_eq!(engine.options(), [Choice::Poll(TaskId(2)), Choice::Poll(TaskId(1))]);
    assert!(engine.now_ns() >= until_ns);
}

#[test]
fn a_run_is_made_again_byte_for_byte() {
    for seed in 0..1000 {
        let program = |rt: &Rt| drop(rt.spawn("main", 0, random::random(rt.clone(), seed)));
        let mut chance = Rng::with_seed(seed);
        let mut first = engine(program);
        // Not to its end, as a rule.
        for _ in 0..chance.u32(0..1000) {
            match first.count() {
                0 => break,
                count => first.choose(chance.u64(..count as u64) as usize),
            };
        }
        let (choices, expected) = (first.choices().to_bytes(), bytes(&first));
        drop(first);
        let mut again = engine(program);
        again.replay(&Choices::from_bytes(&choices).unwrap()).unwrap();
        assert!(bytes(&again) == expected, "seed {seed}: two runs differ");
        assert_eq!(again.choices().to_bytes(), choices);
    }
}

#[test]
fn another_program_is_noticed_where_it_parts() {
    let tasks = |count| {
        move |rt: &Rt| {
            for number in 0..count {
                rt.spawn("task", number, async {});
            }
        }
    };
    let mut recorded = engine(tasks(3));
    for _ in 0..3 {
        recorded.choose(0);
    }
    let choices = recorded.choices().clone();
    drop(recorded);
    let check = |count, parted| {
        assert_eq!(engine(tasks(count)).replay(&choices), Err(parted));
    };
    check(4, Parted { steps: 0, recorded: 3, found: 4 });
    check(1, Parted { steps: 1, recorded: 0, found: 0 });
}

#[test]
fn every_order_is_found() {
    // Two polls a task: they interleave in 2 of 4, and 2 and 2 of 6 ways.
    let yields = |tasks: u32| {
        move |rt: &Rt| {
            for number in 0..tasks {
                let inner = rt.clone();
                rt.spawn("task", number, async move { inner.yield_now().await });
            }
        }
    };
    assert_eq!(explore(yields(2), |_, ()| "done".to_owned()), counted(&[("done", 6)]));
    assert_eq!(explore(yields(3), |_, ()| "done".to_owned()), counted(&[("done", 90)]));
}

#[test]
fn a_lost_update_is_found() {
    let program = |rt: &Rt| {
        let hits = Arc::new(Mutex::new("hits", 0, 0));
        for number in 0..2 {
            let (inner, hits) = (rt.clone(), Arc::clone(&hits));
            rt.spawn("client", number, async move {
                let read = *hits.lock();
                inner.yield_now().await;
                *hits.lock() = read + 1;
            });
        }
        Counter(hits)
    };
    let outcomes = explore(program, |_, hits| format!("hits {}", *hits.0.lock()));
    // Only where one is through before the other begins is nothing lost.
    assert_eq!(outcomes, counted(&[("hits 1", 4), ("hits 2", 2)]));
}

#[test]
fn a_deadlock_is_found() {
    let program = |rt: &Rt| {
        let locks = Arc::new([AsyncMutex::new("lock", 0, ()), AsyncMutex::new("lock", 1, ())]);
        for number in 0..2 {
            let (inner, locks) = (rt.clone(), Arc::clone(&locks));
            rt.spawn("task", number, async move {
                let _first = locks[number as usize].lock().await;
                inner.yield_now().await;
                let _second = locks[1 - number as usize].lock().await;
            });
        }
        Counter(Arc::new(Mutex::new("unused", 0, 0)))
    };
    let alive = |engine: &Manual, _| match engine.snapshot() {
        [_, interleave::scope::frame::Frame::Alive(tasks)] => format!("{} wait for ever", tasks.len()),
        other => panic!("a snapshot ends with the living tasks: {other:?}"),
    };
    let outcomes = explore(program, alive);
    assert_eq!(
        outcomes.keys().map(String::as_str).collect::<Vec<_>>(),
        ["0 wait for ever", "2 wait for ever"]
    );
}

#[test]
fn a_free_lock_is_a_place_to_give_way_at() {
    // What was looked at under the lock is old once the lock was let go.
    let program = |rt: &Rt| {
        let stock = Arc::new(AsyncMutex::new("stock", 0, 1));
        let left = Counter(Arc::new(Mutex::new("left", 0, 1)));
        for number in 0..2 {
            let (stock, left) = (Arc::clone(&stock), Arc::clone(&left.0));
            rt.spawn("buyer", number, async move {
                let seen = *stock.lock().await;
                if seen > 0 {
                    let mut stock = stock.lock().await;
                    *stock -= 1;
                    *left.lock() = *stock;
                }
            });
        }
        left
    };
    let outcomes = explore(program, |_, left| format!("{} left", *left.0.lock()));
    // Nobody waits: a lock is let go in the step that takes it. As if looking and taking were the two commands of oversell.
    assert_eq!(outcomes, counted(&[("-1 left", 4), ("0 left", 2)]));
}

#[test]
fn a_step_ends_before_the_second_thing_that_others_can_see() {
    let steps = |program: fn(&Rt)| {
        let mut engine = engine(program);
        while engine.count() > 0 {
            engine.choose(0);
        }
        engine.choices().steps()
    };
    // One poll, for nothing is shared.
    assert_eq!(steps(|rt| drop(rt.spawn("alone", 0, async {}))), 1);
    // The first message goes with what comes before it, each other one makes a step.
    let three = |rt: &Rt| {
        let (sender, receiver) = channel("messages", 3);
        rt.spawn("sender", 0, async move {
            for number in 0..3 {
                sender.send(number).await.unwrap();
            }
            drop(receiver);
        });
    };
    assert_eq!(steps(three), 3);
    // To wait for what is not there is part of a step; to take what is there is one.
    let taken = |rt: &Rt| {
        let (sender, mut receiver) = channel("messages", 3);
        rt.spawn("sender", 0, async move {
            for number in 0..2 {
                sender.send(number).await.unwrap();
            }
        });
        rt.spawn("receiver", 1, async move { while receiver.receive().await.is_some() {} });
    };
    assert_eq!(steps(taken), 2 + 2);
}

#[test]
fn an_unrecorded_run_goes_the_same_way() {
    for seed in 0..200 {
        let program = |rt: &Rt| drop(rt.spawn("main", 0, random::random(rt.clone(), seed)));
        let mut chance = Rng::with_seed(seed);
        let mut quiet = Manual::unrecorded(0);
        let rt = quiet.rt();
        quiet.enter(|| program(&rt));
        for _ in 0..chance.u32(0..1000) {
            match quiet.count() {
                0 => break,
                count => quiet.choose(chance.u64(..count as u64) as usize),
            };
        }
        let (choices, options) = (quiet.choices().clone(), quiet.options());
        let now_ns = quiet.now_ns();
        drop((rt, quiet));
        let mut recorded = engine(program);
        recorded.replay(&choices).unwrap();
        assert_eq!(recorded.options(), options, "seed {seed}");
        assert_eq!(recorded.now_ns(), now_ns, "seed {seed}");
        assert!(recorded.recorded_ns() >= now_ns);
    }
}

/// What a program leaves behind.
struct Counter(Arc<Mutex<i32>>);
