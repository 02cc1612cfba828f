//! Scenarios run to their end on the real current-thread runtime: the ones that come along, and every statement, error
//! and limit.

use std::sync::Arc;
use std::time::Duration;

use insta::assert_snapshot;
use interleave::engine::{CurrentThread, Step};
use interleave::scenario::{
    Connect, Connecting, EXAMPLES, End, Limits, Outcome, Run, Scenario, Setting, Waits,
};
use interleave::scope::codec;
use interleave::sharing::Kind;

/// What came of `source`, and all that was recorded, as it would travel.
fn run(source: &str, setting: Setting) -> (Outcome, Vec<u8>) {
    let scenario = match Scenario::parse(source, &setting.limits) {
        Ok(scenario) => Arc::new(scenario),
        Err(error) => panic!("{error}"),
    };
    let mut engine = CurrentThread::new(1_800_000_000_000);
    let rt = engine.rt();
    let run = engine.enter(|| Run::start(&scenario, setting, &rt));
    loop {
        match engine.step() {
            Step::Polled => {}
            Step::Idle { next_deadline_ns: Some(at_ns) } => engine.advance_to(at_ns),
            Step::Idle { next_deadline_ns: None } => break,
        }
    }
    let (mut frames, mut bytes) = (Vec::new(), Vec::new());
    engine.take_frames(&mut frames);
    codec::encode(&frames, &mut bytes);
    (run.deadlock(), bytes)
}

fn outcome(source: &str) -> Outcome {
    run(source, Setting::default()).0
}

fn told(source: &str) -> String {
    outcome(source).describe(source)
}

fn told_within(source: &str, limits: Limits) -> String {
    let outcome = run(source, Setting { limits, ..Setting::default() }).0;
    outcome.describe(source)
}

/// What came of client `a` that executes `lines`, which begin at line 2.
fn line(lines: &str) -> String {
    told(&format!("client a {{\n{lines}\n}}"))
}

fn example(name: &str) -> (&'static str, &'static str) {
    let example = EXAMPLES.iter().find(|example| example.name == name).unwrap();
    (example.broken, example.fixed)
}

#[test]
fn what_is_broken_breaks_and_what_is_fixed_does_not() {
    for example in EXAMPLES {
        for sharing in Kind::ALL.into_iter().filter(|kind| *kind != Kind::Isolated) {
            let setting = Setting { sharing, ..Setting::default() };
            let told = |source| {
                format!("{} under {sharing}: {}", example.name, run(source, setting).0.describe(source))
            };
            assert!(!run(example.broken, setting).0.is_good(), "{}", told(example.broken));
            assert!(run(example.fixed, setting).0.is_good(), "{}", told(example.fixed));
        }
    }
}

#[test]
fn without_sessions_the_same_comes_of_them() {
    for example in EXAMPLES {
        for source in [example.broken, example.fixed] {
            for sharing in Kind::ALL {
                let told = |direct| {
                    let outcome = run(source, Setting { sharing, direct, ..Setting::default() }).0;
                    outcome.describe(source)
                };
                assert_eq!(told(true), told(false), "{} under {sharing}", example.name);
            }
        }
    }
}

#[test]
fn the_same_scenario_gives_the_same_events() {
    for example in EXAMPLES {
        for source in [example.broken, example.fixed] {
            for sharing in Kind::ALL {
                let setting = Setting { sharing, ..Setting::default() };
                let [first, second] = [run(source, setting), run(source, setting)];
                assert!(first == second, "{} under {sharing}", example.name);
            }
        }
    }
}

#[test]
fn oversell() {
    let (broken, fixed) = example("oversell");
    assert_snapshot!(told(broken), @"
    setup: completed
    buyer 1: completed, stock = 1
    buyer 2: completed, stock = 1
    finally: completed
    finally: the assertion does not hold: -1 >= 0
        17 |     assert GET stock >= 0
           |     ^^^^^^^^^^^^^^^^^^^^^
    stock = -1
    ");
    assert_snapshot!(told(fixed), @"
    setup: completed
    buyer 1: completed
    buyer 2: completed
    finally: completed
    stock = 0
    ");
}

#[test]
fn lost_update() {
    let (broken, fixed) = example("lost-update");
    assert_snapshot!(told(broken), @"
    setup: completed
    visitor 1: completed, hits = 1
    visitor 2: completed, hits = 1
    visitor 3: completed, hits = 1
    finally: completed
    finally: the assertion does not hold: 1 == 3
        16 |     assert GET hits == 3
           |     ^^^^^^^^^^^^^^^^^^^^
    hits = 1
    ");
    assert_snapshot!(told(fixed), @"
    setup: completed
    visitor 1: completed, hits = 1
    visitor 2: completed, hits = 2
    visitor 3: completed, hits = 3
    finally: completed
    hits = 3
    ");
}

#[test]
fn deadlock() {
    let (broken, fixed) = example("deadlock");
    assert_snapshot!(told(broken), @"
    deadlock: nobody can go on
    setup: completed
    alice: waits for the lock `bob`, which bob holds
        12 |         lock bob {
           |         ^^^^^^^^
    bob: waits for the lock `alice`, which alice holds
        21 |         lock alice {
           |         ^^^^^^^^^^
    ");
    assert_snapshot!(told(fixed), @"
    setup: completed
    alice: completed
    bob: completed
    finally: completed
    alice = 110
    bob = 90
    ");
}

#[test]
fn starvation() {
    let (broken, fixed) = example("starvation");
    assert_snapshot!(told(broken), @r#"
    setup: completed
    worker: completed
    worker: the assertion does not hold: nil == "held"
        14 |     assert GET lease == "held"
           |     ^^^^^^^^^^^^^^^^^^^^^^^^^^
    keeper: completed
    lease = nil
    "#);
    assert_snapshot!(told(fixed), @r#"
    setup: completed
    worker: completed
    keeper: completed
    lease = "held"
    "#);
}

#[test]
fn a_lock_held_across_an_await() {
    let (broken, fixed) = example("held-lock");
    assert_snapshot!(told(broken), @"
    deadlock: nobody can go on
    cook: waits for a message from the channel `orders`
        9 |         let order = receive orders
          |         ^^^^^^^^^^^^^^^^^^^^^^^^^^
    waiter: waits for the lock `kitchen`, which cook holds
        15 |     lock kitchen {
           |     ^^^^^^^^^^^^
    ");
    assert_snapshot!(told(fixed), @r#"
    cook: completed, order = "soup"
    waiter: completed
    finally: completed
    board = "soup"
    dish = "soup"
    "#);
}

#[test]
fn a_full_channel() {
    let (broken, fixed) = example("full-channel");
    assert_snapshot!(told(broken), @"
    deadlock: nobody can go on
    asker: waits for room in the channel `questions`
        11 |         send questions 21
           |         ^^^^^^^^^^^^^^^^^
    answerer: waits for room in the channel `answers`, question = 21
        22 |         send answers question * 2
           |         ^^^^^^^^^^^^^^^^^^^^^^^^^
    ");
    assert_snapshot!(told(fixed), @"
    asker: completed
    asker/asking: completed
    answerer: completed, question = nil
    finally: completed
    answered = 4
    ");
}

#[test]
fn values() {
    assert_snapshot!(line("SET 'a b' 1\nGET ''"), @r#"
    a: completed
    "" = nil
    "a b" = 1
    "#);
    assert_snapshot!(line("SET k 'a b'\nlet a = GET k\nlet b = GET none\nlet c = APPEND k \"$a!\"\nlet d = (c + 1) * -2"), @r#"
    a: completed, a = "a b", b = nil, c = 7, d = -16
    k = "a ba b!"
    none = nil
    "#);
    assert_snapshot!(line("SET k $me\nSET \"k$me\" ${me}th\nlet n = STRLEN k$me\nlet p = PING\nlet q = \"x$p\""), @r#"
    a: completed, n = 3, p = "PONG", q = "xPONG"
    k = 1
    k1 = "1th"
    "#);
    assert_snapshot!(line("let n = 5\nlet list = 'go'\nwhile n > 0 {\n n = n - 2\n list = \"$list $n\"\n}"), @r#"a: completed, list = "go 3 1 -1", n = -1"#);
    assert_snapshot!(line("let n = 7\nif n > 9 { let r = 1 } else if n == 7 { let r = 2 } else { let r = 3 }"), @"a: completed, n = 7, r = 2");
    assert_snapshot!(line("repeat 3 { INCR n }\nrepeat GET n { INCR m }\nif GET none { DEL m }"), @"
    a: completed
    m = 3
    n = 3
    none = nil
    ");
}

#[test]
fn assertions() {
    assert_snapshot!(line("repeat 3 {\n let n = INCR n\n assert n < 2\n}\nassert GET none\nassert 1"), @"
    a: completed, n = 3
    a: the assertion does not hold: 2 < 2
        4 |  assert n < 2
          |  ^^^^^^^^^^^^
    a: the assertion does not hold: nil
        6 | assert GET none
          | ^^^^^^^^^^^^^^^
    n = 3
    none = nil
    ");
}

#[test]
fn errors_of_a_task() {
    assert_snapshot!(line("SET k word\nINCR k\nSET after 1"), @r#"
    a: the server answers: ERR value is not an integer or out of range
        3 | INCR k
          | ^^^^^^
    k = "word"
    "#);
    assert_snapshot!(line("let n = GET none\nSET k $n"), @"
    a: expected a value in `n` to send, found nil, n = nil
        3 | SET k $n
          | ^^^^^^^^
    none = nil
    ");
    assert_snapshot!(line("let n = 1 + nil"), @"
    a: expected two integers around `+`, found an integer and nil
        2 | let n = 1 + nil
          | ^^^^^^^^^^^^^^^
    ");
    assert_snapshot!(line("let n = MGET a b"), @"
    a: expected an integer, a string or nil as the reply, found an array
        2 | let n = MGET a b
          | ^^^^^^^^^^^^^^^^
    a = nil
    b = nil
    ");
    assert_snapshot!(line("repeat GET none { }"), @"
    a: expected how many times, found nil
        2 | repeat GET none { }
          | ^^^^^^^^^^^^^^^
    none = nil
    ");
    assert_snapshot!(line("QUIT\nPING"), @"
    a: expected a reply, found the connection closed by the server
        3 | PING
          | ^^^^
    ");
    assert_snapshot!(told("channel q 1\nclient a { sleep 1ms\n send q 1 }\nclient b { send q 2\n receive q\n }\nclient c { sleep 5ms\n send q 3 }"), @"
    a: expected a task that receives, found none any more
        3 |  send q 1 }
          |  ^^^^^^^^
    b: completed
    c: expected a task that receives, found none any more
        8 |  send q 3 }
          |  ^^^^^^^^
    ");
    assert_snapshot!(told("channel q 1\nclient a {\n repeat 2 {\n spawn b { receive q }\n }\n sleep 1ms\n send q 1\n}"), @"
    a: completed
    a/b: completed
    a/b 2: expected to be the only task that receives from the channel, found another before
        4 |  spawn b { receive q }
          |            ^^^^^^^^^
    ");
    assert_snapshot!(told("setup { INCRBY k x }\nclient a { SET k 1 }\nfinally { SET k 2 }"), @"
    setup: the server answers: ERR value is not an integer or out of range
        1 | setup { INCRBY k x }
          |         ^^^^^^^^^^
    k = nil
    ");
}

#[test]
fn tasks_that_are_spawned() {
    assert_snapshot!(told(
        "client a * 2 {
            let n = me * 10
            spawn b {
                n = n + 1
                spawn c { SET \"c$me\" $n }
            }
            spawn b { SET \"b$me\" $n }
            join b
            assert EXISTS \"c$me\"
            spawn late { sleep 1ms\n SET late $n }
        }
        finally { assert EXISTS late }"
    ), @"
    a 1: completed, n = 10
    a 1/b: completed, n = 11
    a 1/b/c: completed
    a 1/b 2: completed
    a 1/late: completed
    a 2: completed, n = 20
    a 2/b: completed, n = 21
    a 2/b/c: completed
    a 2/b 2: completed
    a 2/late: completed
    finally: completed
    b1 = 10
    b2 = 20
    c1 = 11
    c2 = 21
    late = 20
    ");
}

#[test]
fn stuck_for_every_reason() {
    assert_snapshot!(told(
        "channel q 1
        client a { lock x { lock x { } } }
        client b { spawn c { receive q\n receive q }\n join c }
        client d { send q 1\n lock x { send q 2 } }
        client e { PING\n lock x { } }"
    ), @"
    deadlock: nobody can go on
    a: waits for the lock `x`, which a holds
        2 |         client a { lock x { lock x { } } }
          |                             ^^^^^^
    b: waits for the end of b/c
        5 |  join c }
          |  ^^^^^^
    b/c: waits for a message from the channel `q`
        4 |  receive q }
          |  ^^^^^^^^^
    d: waits for the lock `x`, which a holds
        7 |  lock x { send q 2 } }
          |  ^^^^^^
    e: waits for the lock `x`, which a holds
        9 |  lock x { } }
          |  ^^^^^^
    ");
    assert_snapshot!(told("channel q 1\nsetup { send q 1\n send q 2 }\nclient a { receive q }"), @"
    deadlock: nobody can go on
    setup: waits for room in the channel `q`
        3 |  send q 2 }
          |  ^^^^^^^^
    ");
}

#[test]
fn limits_of_a_run() {
    let limits = Limits {
        steps: 100,
        spawned_tasks: 3,
        time: Duration::from_millis(50),
        commands: 20,
        value_bytes: 64,
        total_bytes: 1_000,
        keys_shown: 2,
        ..Limits::default()
    };
    let within = |lines: &str| {
        let source = format!("client a {{\n{lines}\n}}\nclient b {{ sleep 10ms }}");
        told_within(&source, limits)
    };
    assert_snapshot!(within("while 1 { }"), @"
    stopped in a: a executed more than 100 statements: this is the limit `steps` of a run
        2 | while 1 { }
          | ^^^^^^^
    a: not at its end
    b: not at its end
    ");
    assert_snapshot!(within("repeat 1000000 { yield }"), @"
    stopped in a: a executed more than 100 statements: this is the limit `steps` of a run
        2 | repeat 1000000 { yield }
          | ^^^^^^^^^^^^^^
    a: not at its end
    b: not at its end
    ");
    assert_snapshot!(within("repeat 4 { spawn c { } }"), @"
    stopped in a: more than 3 tasks were spawned: this is the limit `spawned_tasks` of a run
        2 | repeat 4 { spawn c { } }
          |            ^^^^^^^
    a: not at its end
    a/c: completed
    a/c 2: completed
    a/c 3: completed
    b: not at its end
    ");
    assert_snapshot!(within("sleep 50ms"), @"
    stopped in b: more than 50ms were slept or spun: this is the limit `time` of a run
        4 | client b { sleep 10ms }
          |            ^^^^^^^^^^
    a: not at its end
    b: not at its end
    ");
    assert_snapshot!(within("repeat 10 { spin 9ms }"), @"
    stopped in a: more than 50ms were slept or spun: this is the limit `time` of a run
        2 | repeat 10 { spin 9ms }
          |             ^^^^^^^^
    a: not at its end
    b: not at its end
    ");
    assert_snapshot!(within("spin 99999999999999999999s"), @"
    stopped in a: more than 50ms were slept or spun: this is the limit `time` of a run
        2 | spin 99999999999999999999s
          | ^^^^^^^^^^^^^^^^^^^^^^^^^^
    a: not at its end
    b: not at its end
    ");
    assert_snapshot!(within("while PING == \"PONG\" { }"), @r#"
    stopped in a: more than 20 commands were sent: this is the limit `commands` of a run
        2 | while PING == "PONG" { }
          | ^^^^^^^^^^^^^^^^^^^^
    a: not at its end
    b: not at its end
    "#);
    assert_snapshot!(within("let s = 'a'\nrepeat 10 { s = \"$s$s\" }"), @r#"
    stopped in a: a string is 128 bytes long, more than 64: this is the limit `value_bytes` of a run
        3 | repeat 10 { s = "$s$s" }
          |             ^^^^^^^^^^
    a: not at its end, s = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
    b: not at its end
    "#);
    assert_snapshot!(within("let s = '0123456789012345678901234567890'\nrepeat 90 { let t = \"$s$s\" }"), @r#"
    stopped in a: the strings of the run are more than 1000 bytes: this is the limit `total_bytes` of a run
        3 | repeat 90 { let t = "$s$s" }
          |             ^^^^^^^^^^^^^^
    a: not at its end, s = "0123456789012345678901234567890", t = "01234567890123456789012345678900123456789012345678901234567890"
    b: not at its end
    "#);
    assert_snapshot!(within("SETRANGE k 60 abcdefgh"), @"
    a: the server answers: ERR string exceeds maximum allowed size (proto-max-bulk-len)
        2 | SETRANGE k 60 abcdefgh
          | ^^^^^^^^^^^^^^^^^^^^^^
    b: completed
    k = nil
    ");
    assert_snapshot!(within("MSET c 1 b 2 d 3 a 4"), @"
    a: completed
    b: completed
    a = 4
    b = 2
    ");
}

#[test]
fn blocks_as_deep_as_they_may_be_run() {
    let depth = Limits::default().depth - 1;
    let source = format!("client a {{ {}INCR n {}}}", "if 1 { ".repeat(depth), "} ".repeat(depth));
    assert_snapshot!(told(&source), @"
    a: completed
    n = 1
    ");
}

#[test]
fn one_line_says_what_came_of_it() {
    let headlines = EXAMPLES.map(|example| outcome(example.broken).headline(example.broken));
    assert_snapshot!(headlines.join("\n"), @r#"
    `GET stock >= 0` does not hold: -1 >= 0; stock = -1
    `GET hits == 3` does not hold: 1 == 3; hits = 1
    deadlock of alice, bob
    deadlock of cook, waiter
    deadlock of asker, answerer
    `GET lease == "held"` does not hold: nil == "held"; lease = nil
    `GET done == 3` does not hold: nil == 3; done = nil; jobs = "[paint, paint, paint]"
    "#);
    let error = "client a { INCRBY k x }";
    assert_snapshot!(outcome(error).headline(error), @"a: the server answers: ERR value is not an integer or out of range; k = nil");
    let endless = "client a { while 1 { } }";
    assert_snapshot!(outcome(endless).headline(endless), @"stopped by the limit `steps`");
    let good = "client a { yield }";
    assert_snapshot!(outcome(good).headline(good), @"");
}

#[test]
fn a_scenario_tells_what_is_in_it() {
    for example in EXAMPLES {
        for source in [example.broken, example.fixed] {
            let scenario = Scenario::parse(source, &Limits::default()).unwrap();
            assert!(scenario.title().is_some_and(|title| title.ends_with('.')), "{}", example.name);
        }
    }
    let source = "channel q 3\nclient a * 2 { lock x { } }\nclient b { lock y { lock x { } } }";
    let scenario = Scenario::parse(source, &Limits::default()).unwrap();
    assert_eq!(scenario.title(), None);
    assert_eq!(scenario.clients().collect::<Vec<_>>(), [("a", 2), ("b", 1)]);
    assert_eq!(scenario.locks().collect::<Vec<_>>(), ["x", "y"]);
    assert_eq!(scenario.channels().collect::<Vec<_>>(), [("q", 3)]);
}

#[cfg(feature = "native")]
#[test]
fn a_scenario_runs_on_threads_and_in_real_time() {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_time().build().unwrap();
    for example in EXAMPLES.into_iter().filter(|example| example.name != "starvation") {
        let scenario = Arc::new(Scenario::parse(example.fixed, &Limits::default()).unwrap());
        let outcome = runtime.block_on(async {
            let rt = interleave::rt::Rt::native();
            let run = Run::start(&scenario, Setting::default(), &rt);
            while run.outcome().is_none() {
                rt.sleep(Duration::from_millis(1)).await;
            }
            run.outcome().cloned().unwrap()
        });
        assert!(outcome.is_good(), "{}", outcome.describe(example.fixed));
    }
}

#[test]
fn a_bomb_of_tasks_meets_its_limit() {
    let bomb =
        "client a { spawn b { spawn c { spawn d { spawn e { while 1 { spawn f { sleep 1s } } } } } } }";
    let outcome = outcome(bomb);
    assert_eq!(outcome.stopped.map(|stop| stop.limit), Some("spawned_tasks"));
}

#[test]
fn a_host_may_end_a_run() {
    let source =
        "setup { SET k 1 }\nclient a { lock x { sleep 3600s } }\nclient b { lock x { } }\nclient c { }";
    let scenario = Arc::new(Scenario::parse(source, &Limits::default()).unwrap());
    let mut engine = CurrentThread::new(0);
    let rt = engine.rt();
    let run = engine.enter(|| Run::start(&scenario, Setting::default(), &rt));
    while engine.step() == Step::Polled {}
    assert!(run.outcome().is_none());
    engine.enter(|| run.stop("patience", "nobody waits any longer".to_owned()));
    let outcome = run.outcome().cloned().unwrap();
    while engine.step() == Step::Polled {}
    assert_eq!(run.outcome(), Some(&outcome), "what is let go of by who ends changes nothing");
    assert!(run.progress().tasks().iter().any(|task| task.end.is_none()));
    assert_snapshot!(outcome.describe(source), @"
    stopped: nobody waits any longer
    setup: completed
    a: not at its end: sleeps
        2 | client a { lock x { sleep 3600s } }
          |                     ^^^^^^^^^^^
    b: not at its end: waits for the lock `x`, which a holds
        3 | client b { lock x { } }
          |            ^^^^^^
    c: completed
    ");
    assert_snapshot!(outcome.headline(source), @"stopped by the limit `patience`; a sleeps; b waits for the lock `x`, which a holds");
    assert!(!outcome.is_good() && !outcome.is_stuck());
}

#[test]
fn outcomes_are_compared() {
    let source = "client a { SET k 1 }";
    assert_eq!(outcome(source), outcome(source));
    assert_ne!(outcome(source), outcome("client a { SET k 2 }"));
    let [one, two] = [1, 2].map(|value| outcome(&format!("client a {{ let x = {value} }}")));
    assert_ne!(one, two);
    assert_eq!(one.without_variables(), two.without_variables());
}

#[test]
fn where_every_task_stands_can_be_seen() {
    let source = "client a {\n lock x {\n  sleep 10ms\n }\n}\nclient b {\n let n = 1\n lock x { }\n}";
    let scenario = Arc::new(Scenario::parse(source, &Limits::default()).unwrap());
    let mut engine = CurrentThread::new(0);
    let rt = engine.rt();
    let run = engine.enter(|| Run::start(&scenario, Setting::default(), &rt));
    while engine.step() == Step::Polled {}
    let tasks = run.progress().tasks();
    let seen: Vec<_> = tasks
        .iter()
        .map(|task| {
            let waits = task.waits.as_ref().map(Waits::to_string);
            format!("{}: `{}` {waits:?} {:?}", task.name, task.span.text(source), task.variables)
        })
        .collect();
    assert_snapshot!(seen.join("\n"), @r#"
    a: `sleep 10ms` Some("sleeps") {}
    b: `lock x` Some("waits for the lock `x`, which a holds") {"n": Integer(1)}
    "#);
    assert!(tasks.iter().all(|task| task.traced.is_some() && task.end.is_none()));
    assert!(run.outcome().is_none());
    let stuck = run.deadlock();
    assert!(matches!(stuck.tasks[1].end, End::Stuck { .. }));
}

/// A server that cannot be reached: asking for it is a bug.
#[derive(Debug)]
struct Abyss;

impl Connect for Abyss {
    fn connect(&self, name: &str) -> Connecting {
        let name = name.to_owned();
        Box::pin(async move { panic!("no way for {name}") })
    }
}

#[test]
fn a_panic_says_in_the_outcome_what_it_said() {
    let check = |source: &str, headline: &str| {
        let scenario = Arc::new(Scenario::parse(source, &Limits::default()).unwrap());
        let mut engine = CurrentThread::new(1_800_000_000_000);
        let rt = engine.rt();
        let run = engine.enter(|| Run::start_on(Arc::new(Abyss), &scenario, Limits::default(), &rt));
        while engine.step() == Step::Polled {}
        let outcome = run.outcome().cloned().unwrap();
        assert_eq!(outcome.headline(source), headline);
        assert!(!outcome.is_good() && !outcome.is_stuck());
        assert!(outcome.describe(source).contains(headline.split_once(": ").unwrap().1), "{outcome:?}");
        assert_eq!(run.progress().failures(), 1);
    };
    check(
        "client a { PING }\nclient b { let x = 1 }",
        "a panicked, which is a bug of Interleave: no way for a",
    );
    check(
        "setup { PING }\nclient a { let x = 1 }",
        "setup panicked, which is a bug of Interleave: no way for scenario",
    );
}
