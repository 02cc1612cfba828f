//! Exploring whole scenarios: what is found, what is told when there is too much, and that the time machine opens it.

use interleave::engine::Choices;
use interleave::explore::{Bounds, Explorer, Report};
use interleave::machine::{Machine, Recipe};
use interleave::sharing::Kind;

fn recipe(scenario: &str) -> Recipe {
    Recipe { scenario: scenario.to_owned(), sharing: Kind::Mutex, ..Recipe::default() }
}

fn explored_within(recipe: &Recipe, bounds: Bounds) -> Report {
    let mut explorer = match Explorer::of(recipe, bounds) {
        Ok(explorer) => explorer,
        Err(error) => panic!("{error}"),
    };
    while explorer.go(1_000) {}
    explorer.report()
}

fn explored(scenario: &str) -> Report {
    explored_within(&recipe(scenario), Bounds::default())
}

/// Each outcome in one line, with the number of schedules to it.
fn told(report: &Report, scenario: &str) -> Vec<String> {
    let line = |headline: String, schedules| format!("{schedules}: {headline}");
    report.outcomes.iter().map(|found| line(found.outcome.headline(scenario), found.schedules)).collect()
}

#[track_caller]
fn check(scenario: &str, expected: &[&str]) {
    let report = explored(scenario);
    assert!(report.complete, "{report:?}");
    assert_eq!(told(&report, scenario), expected);
}

const OVERSELL: &str = "setup { SET stock 1 }
client buyer * 3 {
    let stock = GET stock
    if stock > 0 { DECR stock }
}
finally { assert GET stock >= 0 }";

#[test]
fn the_shortest_schedules_open_in_the_time_machine() {
    for sharing in Kind::ALL {
        let recipe = Recipe { sharing, seed: 3, ..recipe(OVERSELL) };
        let report = explored_within(&recipe, Bounds::default());
        assert!(report.outcomes.len() > 1 || sharing == Kind::Isolated, "{report:?}");
        for found in report.outcomes {
            let opened = Recipe::from_json(&found.recipe(&recipe).to_json()).unwrap();
            let machine = Machine::stand_at(&opened).unwrap();
            assert!(machine.is_over());
            assert_eq!(machine.outcome().unwrap().without_variables(), found.outcome, "under {sharing}");
        }
    }
}

#[test]
fn a_lock_let_go_too_early_is_no_help() {
    // Looking and taking are each locked, and between the two the lock is free: without a step there, none of this shows.
    check(
        "setup { SET stock 1 }
        client buyer * 2 {
            let seen = 0
            lock shop { seen = GET stock }
            if seen > 0 {
                lock shop { DECR stock }
            }
        }
        finally { assert GET stock >= 0 }",
        &["24: `GET stock >= 0` does not hold: -1 >= 0; stock = -1", "4: stock = 0"],
    );
}

#[test]
fn what_only_a_session_can_do_is_refused_without_one() {
    check(
        "client a {
            let pong = PING
            let echo = ECHO hello
            assert pong == \"PONG\"
            assert echo == \"hello\"
            SELECT 0
            CLIENT ID
        }",
        &[
            "1: a: the server answers: ERR expected a command that needs no session, for there is none here, found \
           'CLIENT ID'",
        ],
    );
}

#[test]
fn too_many_states_are_explored_at_random() {
    let bounds = Bounds { states: 10, random_runs: 200, ..Bounds::default() };
    let report = explored_within(&Recipe { seed: 9, ..recipe(OVERSELL) }, bounds);
    assert!(report.done && !report.complete && !report.stopped);
    let random = report.random.unwrap();
    assert_eq!((random.seed, random.runs), (9, 200));
    assert_eq!(report.reach.map(|reach| (reach.bound, reach.most)), Some(("states", 10)));
    // There are 66 schedules, and nearly all of them turn up.
    let different = report.schedules.exact().unwrap();
    assert!((40..=66).contains(&different), "{different}");
    let again = explored_within(&Recipe { seed: 9, ..recipe(OVERSELL) }, bounds);
    assert_eq!(told(&again, OVERSELL), told(&report, OVERSELL));
}

#[test]
fn more_outcomes_than_are_kept_are_counted() {
    // Who comes first, second and third: six ways.
    let source = "client a * 3 { let n = INCR n\n SET place$n $me }";
    let whole = explored(source);
    assert!(whole.complete && whole.outcomes.len() == 6, "{whole:?}");
    let bounds = Bounds { outcomes: 4, random_runs: 100, ..Bounds::default() };
    let report = explored_within(&recipe(source), bounds);
    assert!(report.random.is_some() && report.outcomes.len() == 4 && report.unkept > 0, "{report:?}");
    assert_eq!(report.reach.map(|reach| (reach.bound, reach.most)), Some(("outcomes", 4)));
    let bounds = Bounds { entries: 5, random_runs: 10, ..Bounds::default() };
    assert!(explored_within(&recipe(source), bounds).random.is_some());
}

#[test]
fn progress_never_goes_back() {
    let mut explorer = Explorer::of(&recipe(OVERSELL), Bounds::default()).unwrap();
    let mut before = 0.0;
    while explorer.go(1) {
        let progress = explorer.report().progress;
        assert!((before..1.0).contains(&progress), "{progress} after {before}");
        before = progress;
    }
    assert_eq!(explorer.report().progress, 1.0);
}

#[test]
fn what_is_stopped_says_what_it_found() {
    let mut explorer = Explorer::of(&recipe(OVERSELL), Bounds::default()).unwrap();
    assert!(explorer.go(60));
    explorer.stop();
    assert!(!explorer.go(60));
    let report = explorer.report();
    assert!(report.done && report.stopped && !report.complete);
    assert!(report.schedules.exact().unwrap() < 66 && !report.outcomes.is_empty());
}

#[test]
fn a_limit_that_is_passed_is_an_outcome() {
    check(
        "client a { while 1 { } }
        client b { SET k 1 }",
        // Before or after the other client has ended.
        &["1: stopped by the limit `steps`", "1: stopped by the limit `steps`"],
    );
}

#[test]
fn a_run_without_end_is_cut_and_explored_at_random() {
    let bounds = Bounds { states: 50, run_steps: 100, random_runs: 20, ..Bounds::default() };
    let report = explored_within(&recipe("client a * 2 { while 1 { yield } }"), bounds);
    assert!(report.done && !report.complete && report.cut > 0, "{report:?}");
    assert!(report.outcomes.is_empty());
}

#[test]
fn what_lies_ahead_adds_up_to_what_was_found() {
    let recipe = recipe(OVERSELL);
    let mut explorer = Explorer::of(&recipe, Bounds::default()).unwrap();
    while explorer.go(1_000) {}
    let report = explorer.report();
    let counted = |options: &[interleave::explore::Ahead]| {
        let all = options.iter().flat_map(|ahead| &ahead.outcomes);
        all.map(|(_, schedules)| schedules.to_string().parse::<u64>().unwrap()).sum::<u64>()
    };
    // Along the shortest schedule to the worst outcome fewer and fewer are left, until its own.
    let worst = &report.outcomes[0].shortest;
    let left: Vec<u64> =
        (0..=worst.steps()).map(|steps| counted(&explorer.ahead(worst, steps).unwrap())).collect();
    assert_eq!(left[0].to_string(), report.schedules.to_string());
    assert!(left.is_sorted_by(|before, after| before >= after), "{left:?}");
    assert_eq!(left[left.len() - 2..], [1, 0]);
    // Once two have looked before anybody took, no way leads to a good end.
    let doomed = (0..=worst.steps()).find(|&steps| {
        let ahead = explorer.ahead(worst, steps).unwrap();
        !ahead.is_empty()
            && ahead.iter().all(|ahead| ahead.outcomes.iter().all(|(outcome, _)| !outcome.is_good()))
    });
    assert!(doomed.is_some_and(|steps| steps < worst.steps()), "{doomed:?}");
    assert!(explorer.ahead_json(worst, 1).contains(r#""good":false"#));
}

#[test]
fn nothing_is_said_of_what_lies_ahead_before_all_is_explored() {
    let explorer = Explorer::of(&recipe(OVERSELL), Bounds::default()).unwrap();
    assert!(explorer.ahead(&Choices::default(), 0).is_none());
    assert_eq!(explorer.ahead_json(&Choices::default(), 0), "null");
}

#[test]
fn every_change_of_a_collection_is_a_state_and_its_content_an_outcome() {
    // The order of a list is that in which its clients came.
    check(
        "client a { RPUSH queue a }
        client b { RPUSH queue b }
        finally { LLEN queue }",
        &["1: queue = \"[a, b]\"", "1: queue = \"[b, a]\""],
    );
    check(
        "client a { HSET h last a count 1 }
        client b { HSET h last b }
        finally { HLEN h }",
        &["1: h = \"{count: 1, last: a}\"", "1: h = \"{count: 1, last: b}\""],
    );
    // One way or the other, the set holds both.
    check("client a { SADD s a }\nclient b { SADD s b }\nfinally { SCARD s }", &["2: s = \"{a, b}\""]);
    // Two who look before they take: both see the one element.
    check(
        "setup { ZADD jobs 1 only }
        client worker * 2 { let n = ZCARD jobs\n if n > 0 { ZPOPMIN jobs } }
        finally { EXISTS jobs }",
        &["6: jobs = nil"],
    );
}
