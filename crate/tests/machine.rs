//! The time machine: what is seen while a run stands still, that going back leads to where one was, and that what is kept is
//! the same run.

use interleave::engine::Flavor;
use interleave::machine::{Breakpoint, BreakpointKind, Look, Machine, OpenError, Recipe, compare, take_over};
use interleave::scenario::EXAMPLES;
use interleave::scope::codec;
use interleave::scope::frame::Frame;
use interleave::sharing::Kind;

const FLAVORS: [Flavor; 4] = [
    Flavor::CurrentThread,
    Flavor::MultiThread { workers: 1 },
    Flavor::MultiThread { workers: 3 },
    Flavor::Manual,
];

/// A recipe of a scenario whose lines are parted by `;`.
fn recipe(scenario: &str, flavor: Flavor) -> Recipe {
    Recipe { scenario: scenario.replace(';', "\n"), flavor, ..Recipe::default() }
}

fn open(scenario: &str, flavor: Flavor) -> Machine {
    Machine::open(&recipe(scenario, flavor)).unwrap()
}

fn text(look: &Look) -> String {
    serde_json::to_string(look).unwrap()
}

/// Steps until `is_so` of what is seen.
#[track_caller]
fn until(machine: &mut Machine, is_so: impl Fn(&Look) -> bool) -> Look {
    loop {
        let look = machine.look();
        if is_so(&look) {
            return look;
        }
        assert!(machine.step().is_some(), "over without it: {}", text(&look));
    }
}

fn bytes(machine: &mut Machine) -> Vec<u8> {
    let (mut frames, mut bytes) = (Vec::new(), Vec::new());
    machine.take_frames(&mut frames);
    codec::encode(&frames, &mut bytes);
    bytes
}

fn name(look: &Look, id: u32) -> String {
    look.tasks.iter().find(|task| task.id == id).map_or_else(String::new, |task| task.name.clone())
}

/// Every example under every flavour and sharing.
fn all(mut check: impl FnMut(Recipe)) {
    for example in EXAMPLES {
        for flavor in FLAVORS {
            for sharing in Kind::ALL {
                check(Recipe { sharing, ..recipe(example.broken, flavor) });
            }
        }
    }
}

#[test]
fn every_step_of_a_run_can_be_stood_at_again() {
    all(|recipe| {
        let mut machine = Machine::open(&recipe).unwrap();
        let mut looks = vec![text(&machine.look())];
        while machine.step().is_some() {
            looks.push(text(&machine.look()));
        }
        assert!(machine.outcome().is_some() && looks.len() > 5);
        drop(machine);
        for step in (0..looks.len()).step_by(looks.len() / 5) {
            let there = Machine::stand_at(&Recipe { step: step as u64, ..recipe.clone() }).unwrap();
            // That it is over is known only to who has tried to go on.
            if step + 1 < looks.len() {
                assert_eq!(text(&there.look()), looks[step], "at {step} of {recipe:?}");
            }
        }
    });
}

#[test]
fn a_run_gives_the_same_bytes_however_it_is_stepped_and_looked_at() {
    all(|recipe| {
        let mut once = Machine::open(&recipe).unwrap();
        while once.step().is_some() {}
        let whole = bytes(&mut once);
        drop(once);
        let mut again = Machine::open(&recipe).unwrap();
        while again.step().is_some() {
            let _ = again.look();
        }
        assert_eq!(bytes(&mut again), whole, "{recipe:?}");
    });
}

#[test]
fn a_lock_is_seen_with_its_holder_and_its_waiters_in_order() {
    let scenario = "client a * 3 { lock till { SET k $me; sleep 1ms } }";
    let mut machine = open(scenario, Flavor::CurrentThread);
    let look = until(&mut machine, |look| look.locks.iter().any(|lock| lock.waiters.len() == 2));
    let lock = look.locks.iter().find(|lock| lock.name == "till").unwrap();
    assert_eq!((lock.kind, lock.holder.map(|id| name(&look, id))), ("tokio", Some("a 1".to_owned())));
    let waiters: Vec<_> = lock.waiters.iter().map(|&id| name(&look, id)).collect();
    assert_eq!(waiters, ["a 2", "a 3"]);
    let waits = look.tasks.iter().find(|task| task.name == "a 2").unwrap();
    assert_eq!((&*waits.waits, waits.line), ("waits for the lock `till`, which a 1 holds", Some(1)));
    let timer = until(&mut machine, |look| !look.timers.is_empty());
    assert_eq!(timer.timers[0].task.map(|id| name(&timer, id)), Some("a 1".to_owned()));
    assert!(timer.timers[0].at_ns > timer.now_ns);
}

#[test]
fn messages_are_seen_in_their_channel() {
    let scenario = "channel mail 2; client writer { send mail 1; send mail \"two\"; send mail 3 }; client reader { sleep 5ms; repeat 3 { receive mail } }";
    let mut machine = open(scenario, Flavor::CurrentThread);
    let look = until(&mut machine, |look| look.channels.iter().any(|channel| !channel.senders.is_empty()));
    let mail = look.channels.iter().find(|channel| channel.name == "mail").unwrap();
    assert_eq!(
        (mail.kind, mail.capacity, &*mail.messages),
        ("mpsc", Some(2), &["1".to_owned(), "\"two\"".to_owned()][..])
    );
    assert_eq!(mail.senders.iter().map(|&id| name(&look, id)).collect::<Vec<_>>(), ["writer"]);
    let empty = until(&mut machine, |look| {
        look.channels.iter().any(|channel| channel.name == "mail" && channel.messages.is_empty())
    });
    assert!(empty.step > look.step);
}

#[test]
fn who_waits_for_an_element_is_seen_to() {
    for sharing in [Kind::Mutex, Kind::AsyncMutex, Kind::Sharded, Kind::Actor] {
        for direct in [false, true] {
            let scenario =
                "client taker { BLMOVE jobs taken LEFT RIGHT 0 }; client bringer { sleep 5ms; RPUSH jobs a }";
            let recipe = Recipe { sharing, direct, ..recipe(scenario, Flavor::CurrentThread) };
            let mut machine = Machine::open(&recipe).unwrap();
            let waits = |look: &Look| {
                look.channels.iter().any(|channel| channel.name == "element" && !channel.receivers.is_empty())
            };
            let waiting = until(&mut machine, waits);
            let served = until(&mut machine, |look| !waits(look));
            assert!(served.step > waiting.step);
            let look = until(&mut machine, |look| look.keys.len() == 1);
            assert_eq!((&*look.keys[0].key, look.keys[0].database), ("taken", 0), "under {sharing}");
            while machine.step().is_some() {}
            assert!(machine.outcome().is_some_and(|outcome| outcome.is_good()));
        }
    }
}

#[test]
fn the_keys_are_seen_whoever_holds_them() {
    for sharing in Kind::ALL {
        let scenario = "client a { SET k 1 PX 5000; INCR n; sleep 1ms; DEL k }";
        let mut machine =
            Machine::open(&Recipe { sharing, hold_ms: 1, ..recipe(scenario, Flavor::CurrentThread) })
                .unwrap();
        let look = until(&mut machine, |look| look.keys.len() == 2);
        let (k, n) = (&look.keys[0], &look.keys[1]);
        assert_eq!(
            (&*k.key, k.value_type, &*k.value, &*n.value),
            ("k", "string", "1", "1"),
            "under {sharing}"
        );
        assert!(k.expires_ns.is_some_and(|at_ns| at_ns > 4_000_000_000) && n.expires_ns.is_none());
        assert_eq!(k.owner.is_some(), sharing == Kind::Isolated);
        assert_eq!(until(&mut machine, |look| look.keys.len() == 1).keys[0].key, "n");
    }
}

#[test]
fn the_queues_of_every_flavour_hold_who_is_polled_next() {
    let scenario = "client a * 4 { repeat 5 { yield; INCR n } }";
    for flavor in FLAVORS {
        let mut machine = open(scenario, flavor);
        let mut seen_waiting = 0;
        loop {
            let look = machine.look();
            assert_eq!(look.workers.len(), usize::from(flavor.workers()));
            let worker = |worker: &interleave::machine::LookWorker| {
                [&worker.local[..], worker.running.as_slice(), worker.lifo_slot.as_slice(), &worker.deferred]
                    .concat()
            };
            let mut ready: Vec<u32> =
                look.workers.iter().flat_map(worker).chain(look.injection.iter().copied()).collect();
            seen_waiting = seen_waiting.max(ready.len());
            ready.sort_unstable();
            assert!(ready.windows(2).all(|pair| pair[0] != pair[1]), "twice in {}", text(&look));
            if machine.step().is_none() {
                break;
            }
            if let Some(polled) = machine.polled() {
                // Who gave way under the driver is woken and polled in one step; a model's worker moves tasks before it polls.
                let known = ready.contains(&polled.0) || machine.look().timers.len() < look.timers.len();
                assert!(known, "{flavor}: task {} polled, ready were {ready:?}", polled.0);
            }
        }
        assert!(seen_waiting >= 3, "{flavor}: at most {seen_waiting}");
    }
}

#[test]
fn a_person_chooses_and_the_choices_make_the_run_again() {
    let mut machine = open(EXAMPLES[0].broken, Flavor::Manual);
    let mut last = 0;
    while !machine.is_over() {
        let options = machine.look().options;
        last = options.len().saturating_sub(1);
        if machine.choose(last).is_none() {
            break;
        }
    }
    assert_eq!(machine.choose(99), None, "there is no option {last}");
    let kept = machine.recipe();
    let looked = text(&machine.look());
    drop(machine);
    let read = Recipe::from_json(&kept.to_json()).unwrap();
    let again = Machine::stand_at(&read).unwrap();
    assert_eq!(text(&again.look()), looked);
}

#[test]
fn an_option_says_what_its_task_does_next() {
    let scenario = "setup { SET k 1 }; client a { INCR k }; finally { GET k }";
    let offers = |direct: bool| {
        let recipe = Recipe { direct, ..recipe(scenario, Flavor::Manual) };
        let mut machine = Machine::open(&recipe).unwrap();
        let mut offers: Vec<String> = Vec::new();
        while let Some(first) = machine.look().options.first() {
            if first.name == "scenario" || first.name == "a" {
                offers.push(format!("{}: {}", first.name, first.does));
            }
            machine.choose(first.option).unwrap();
        }
        offers.dedup();
        offers
    };
    let direct = [
        "scenario: begins",
        "a: begins",
        "scenario: has the end of clients",
        "scenario: lets the others run",
    ];
    assert_eq!(offers(true), direct);
    let replies = [
        "scenario: begins",
        "scenario: has the reply to SET k 1",
        "a: begins",
        "a: has the reply to INCR k",
        "scenario: has the end of clients",
        "scenario: has the reply to GET k",
        // The same connection tells what the keys hold in the end.
        "scenario: has bytes",
    ];
    assert_eq!(offers(false), replies);
}

#[test]
fn a_choice_in_the_past_forgets_the_future() {
    let mut machine = open(EXAMPLES[0].broken, Flavor::Manual);
    machine.seek(20);
    let first = machine.recipe();
    drop(machine);
    let mut back = Machine::stand_at(&Recipe { step: 8, ..first.clone() }).unwrap();
    while back.look().options.len() < 2 {
        back.step().unwrap();
    }
    back.choose(1).unwrap();
    let fork = back.recipe();
    assert_eq!(fork.choices.steps(), fork.step);
    drop(back);
    // Both futures can be gone to.
    for recipe in [first, fork] {
        let step = recipe.step;
        assert_eq!(Machine::stand_at(&recipe).unwrap().steps(), step);
    }
}

#[test]
fn breakpoints_are_hit_by_what_they_name() {
    let scenario = "client a { SET k 1; lock till { GET other } }; client b { INCR k; assert GET k == 99 }";
    let hit = |kind, text: &str| {
        let mut machine = open(scenario, Flavor::CurrentThread);
        machine.stop_at(vec![Breakpoint { kind, text: text.to_owned() }]);
        while let Some(made) = machine.step() {
            if made.hit.is_some() {
                return true;
            }
        }
        false
    };
    for (kind, there, absent) in [
        (BreakpointKind::Task, "b", "nobody"),
        (BreakpointKind::Command, "incr", "DECR"),
        (BreakpointKind::Key, "other", "oth"),
        (BreakpointKind::Lock, "till", "door"),
        (BreakpointKind::Task, "B", ""),
    ] {
        assert!(hit(kind, there), "{kind:?} {there}");
        assert!(!hit(kind, absent), "{kind:?} {absent}");
    }
    assert!(hit(BreakpointKind::Outcome, ""));
    let mut good = open("client a { PING }", Flavor::CurrentThread);
    good.stop_at(vec![Breakpoint { kind: BreakpointKind::Outcome, text: String::new() }]);
    while let Some(made) = good.step() {
        assert_eq!(made.hit, None);
    }
}

#[test]
fn breakpoints_are_of_the_scenario_not_of_what_the_run_does_in_the_end() {
    let hits = |scenario: &str, kind, text: &str, direct| {
        let mut machine =
            Machine::open(&Recipe { direct, ..recipe(scenario, Flavor::CurrentThread) }).unwrap();
        machine.stop_at(vec![Breakpoint { kind, text: text.to_owned() }]);
        let mut hits = 0;
        while let Some(made) = machine.step() {
            hits += usize::from(made.hit.is_some());
        }
        hits
    };
    for direct in [false, true] {
        // The run itself reads `k` with GET when all is over, for the outcome.
        let set = "client a { SET k 1 }";
        assert_eq!(hits(set, BreakpointKind::Command, "GET", direct), 0, "direct: {direct}");
        assert_eq!(hits(set, BreakpointKind::Command, "SET", direct), 1, "direct: {direct}");
        assert_eq!(hits(set, BreakpointKind::Key, "k", direct), 1, "direct: {direct}");
        let read = "client a { SET k 1 }; finally { assert GET k == 1 }";
        assert_eq!(hits(read, BreakpointKind::Command, "GET", direct), 1, "direct: {direct}");
        assert_eq!(hits(read, BreakpointKind::Key, "k", direct), 2, "direct: {direct}");
    }
}

#[test]
fn what_cannot_be_opened_says_why() {
    let open = |recipe: &Recipe| Machine::stand_at(recipe).map(|_| ()).unwrap_err();
    let script = open(&recipe("client a { GTE k }", Flavor::Manual));
    assert!(matches!(&script, OpenError::Script(_)), "{script}");
    let ended = open(&Recipe { step: 1_000, ..recipe("client a { PING }", Flavor::CurrentThread) });
    assert!(ended.to_string().contains("ends after"), "{ended}");
    let mut machine = Machine::open(&recipe(EXAMPLES[0].broken, Flavor::Manual)).unwrap();
    while machine.step().is_some() {}
    let kept = machine.recipe();
    drop(machine);
    let other = Recipe { scenario: EXAMPLES[3].broken.to_owned(), ..kept };
    let parted = open(&other);
    assert!(parted.to_string().contains("with another"), "{parted}");
}

#[test]
fn a_scenario_that_never_ends_meets_a_limit() {
    for scenario in [
        "client a { while 1 { yield } }",
        "client a { while 1 { spawn child { sleep 1s } } }",
        "client a { let s = \"xxxxxxxx\"; while 1 { s = \"$s$s\"; SET k $s } }",
        "client a { while 1 { SET k 1 } }",
    ] {
        let mut machine = open(scenario, Flavor::CurrentThread);
        let mut frames = Vec::new();
        while machine.step().is_some() {
            machine.take_frames(&mut frames);
            frames.clear();
        }
        let outcome = machine.outcome().unwrap();
        assert!(outcome.stopped.is_some(), "{scenario}: {outcome:?}");
    }
}

#[test]
fn two_runs_stand_side_by_side() {
    let one = recipe(EXAMPLES[0].broken, Flavor::CurrentThread);
    let other = Recipe { flavor: Flavor::MultiThread { workers: 1 }, ..one.clone() };
    let compared = compare(&one, &other).unwrap();
    assert_eq!((&*compared.a.name, &*compared.b.name), ("current-thread", "multi-thread/1"));
    assert!(compared.a.over && compared.b.over);
    assert_eq!((compared.a.good, compared.b.good), (Some(false), Some(true)));
    let split = compared.parted.as_ref().expect("one oversells and the other does not");
    assert_ne!(split.a, split.b);
    let mut trace = interleave::scope::trace::Trace::new();
    compared.frames.iter().for_each(|frame| trace.apply(frame));
    let names: Vec<_> = trace.tasks().map(|task| trace.task_name(task.id)).collect();
    for expected in ["current-thread · buyer 1", "multi-thread/1 · buyer 1"] {
        assert!(names.iter().any(|name| name == expected), "{names:?}");
    }
    assert_eq!(trace.workers(), 2);
    assert!(trace.tasks().all(|task| task.ended.is_some() || task.polls > 0));
    assert!(matches!(compared.frames.first(), Some(Frame::Hello(_))));

    let same = compare(&one, &one).unwrap();
    assert!(same.parted.is_none());
}

#[test]
fn whoever_takes_over_stands_in_the_same_run() {
    // Who has done what, and what the store holds; neither clocks nor numbers of steps.
    let standing = |machine: &Machine| {
        let look = machine.look();
        let tasks = look.tasks.into_iter().filter(|task| task.script);
        let tasks = tasks.map(|task| (task.name, task.line, task.variables, task.result)).collect::<Vec<_>>();
        (tasks, look.keys.into_iter().map(|key| (key.key, key.value)).collect::<Vec<_>>())
    };
    all(|recipe| {
        if recipe.scenario.contains("spin") && recipe.flavor.workers() > 1 {
            // Two workers compute at the same time there, one after the other here: keys expire sooner.
            return;
        }
        let mut machine = Machine::open(&recipe).unwrap();
        while machine.step().is_some() {}
        let over = machine.steps();
        drop(machine);
        for step in [0, over / 3, over / 2, over - 1] {
            let there = Recipe { step, ..recipe.clone() };
            let machine = Machine::stand_at(&there).unwrap();
            let stood = standing(&machine);
            drop(machine);
            let taken = take_over(&there).unwrap_or_else(|error| panic!("{error}: {there:?}"));
            assert_eq!(taken.flavor, Flavor::Manual);
            let mut machine = Machine::stand_at(&taken).unwrap();
            assert_eq!(standing(&machine), stood, "at {step} of {there:?}");
            while machine.step().is_some() {}
            assert!(machine.outcome().is_some());
        }
    });
}
