//! That nothing is left out and nothing counted twice: against making every schedule, one after the other.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::path::{At, Path};
use super::*;
use crate::scenario::{EXAMPLES, Limits};
use crate::sharing::{Kind, Options};

fn parsed(source: &str) -> Arc<Scenario> {
    match Scenario::parse(source, &Limits::default()) {
        Ok(scenario) => Arc::new(scenario),
        Err(error) => panic!("{error}"),
    }
}

fn explored(source: &str, setting: Setting, bounds: Bounds) -> Report {
    let mut explorer = Explorer::new(parsed(source), setting, 7, bounds);
    while explorer.go(1_000) {}
    explorer.report()
}

fn under(sharing: Kind) -> Setting {
    Setting { sharing, ..Setting::default() }
}

/// Outcomes as a person reads them, with how many schedules lead to each and how many steps the shortest takes.
type Table = BTreeMap<String, (u128, u64)>;

fn table(report: &Report, source: &str) -> Table {
    let told = report.outcomes.iter().map(|found| {
        let schedules = found.schedules.exact().expect("few enough to be counted");
        (found.outcome.describe(source), (schedules, found.shortest.steps()))
    });
    told.collect()
}

/// The same by making every schedule; `None` if there are more than `most`.
fn made(source: &str, setting: Setting, most: u64) -> Option<Table> {
    let scenario = parsed(source);
    let setting = Setting { direct: true, ..setting };
    let mut table = Table::new();
    // By choice, the option taken and how many there were.
    let mut taken: Vec<(usize, usize)> = Vec::new();
    for _ in 0..most {
        let mut path = Path::start(&scenario, setting, false);
        let mut choices = 0;
        let outcome = loop {
            match path.forward(u64::MAX) {
                At::Choice { options } => {
                    if choices == taken.len() {
                        taken.push((0, options));
                    }
                    path.choose(taken[choices].0);
                    choices += 1;
                }
                At::End(outcome) => break outcome,
                At::TooFar => unreachable!("there is no bound"),
            }
        };
        let (schedules, steps) = table.entry(outcome.describe(source)).or_insert((0, u64::MAX));
        *schedules += 1;
        *steps = path.steps().min(*steps);
        while taken.pop_if(|(option, options)| *option + 1 == *options).is_some() {}
        match taken.last_mut() {
            Some((option, _)) => *option += 1,
            None => return Some(table),
        }
    }
    None
}

/// Explores `source` and makes all of its schedules, if there are no more than `most`.
fn check(source: &str, setting: Setting, most: u64) -> bool {
    let Some(expected) = made(source, setting, most) else { return false };
    let report = explored(source, setting, Bounds::default());
    assert!(report.complete, "not complete: {report:?}\n{source}");
    assert_eq!(table(&report, source), expected, "explored, and made, under {}:\n{source}", setting.sharing);
    distrusted(source, setting, Bounds::default());
    true
}

/// Explores `source` and makes each step that is known all the same: it does what is known.
fn distrusted(source: &str, setting: Setting, bounds: Bounds) -> Report {
    let mut explorer = Explorer::new(parsed(source), setting, 7, bounds);
    explorer.distrusts = true;
    while explorer.go(1_000) {}
    explorer.report()
}

fn oversell(buyers: usize) -> String {
    format!(
        "setup {{ SET stock 1 }}
        client buyer * {buyers} {{
            let stock = GET stock
            if stock > 0 {{ DECR stock }}
        }}
        finally {{ assert GET stock >= 0 }}"
    )
}

#[test]
fn all_schedules_of_oversell_are_counted() {
    for sharing in [Kind::Mutex, Kind::Sharded] {
        let counted = |buyers| {
            let source = oversell(buyers);
            let report = explored(&source, under(sharing), Bounds::default());
            assert!(report.complete && report.done && !report.stopped);
            let good = report.outcomes.iter().filter(|found| found.outcome.is_good());
            let good = good.fold(Count::ZERO, |sum, found| sum + found.schedules);
            (report.schedules.exact(), good.exact())
        };
        assert_eq!(counted(2), (Some(6), Some(2)));
        assert_eq!(counted(3), (Some(66), Some(6)));
        assert_eq!(counted(4), (Some(1_176), Some(24)));
    }
}

#[test]
fn every_lesson_shows_its_bug_and_its_fix_explores_clean() {
    for example in EXAMPLES {
        for sharing in Kind::ALL.into_iter().filter(|kind| *kind != Kind::Isolated) {
            let report = explored(example.broken, under(sharing), Bounds::default());
            let worst = &report.outcomes[0];
            assert!(!worst.outcome.is_good(), "{} under {sharing}: {report:?}", example.name);
            let report = explored(example.fixed, under(sharing), Bounds::default());
            let worst = &report.outcomes[0];
            let told = worst.outcome.describe(example.fixed);
            assert!(report.complete && worst.outcome.is_good(), "{} under {sharing}: {told}", example.name);
            eprintln!(
                "{} {sharing}: {} schedules {} states {} runs",
                example.name, report.schedules, report.states, report.runs
            );
        }
    }
}

#[test]
fn the_lessons_counted_are_the_lessons_made() {
    for example in EXAMPLES {
        for sharing in Kind::ALL {
            for source in [example.broken, example.fixed] {
                let made = check(source, under(sharing), 800);
                // All but the last two have few enough.
                assert!(
                    made || !EXAMPLES[..4].iter().any(|few| few.name == example.name)
                        || sharing == Kind::Actor
                );
            }
        }
    }
}

/// One statement of a random scenario; `clients` says who may receive. Two keys, two locks, two channels.
fn statement(number: u8, inner: &str, client: usize) -> String {
    let (key, other) = if number & 0x40 == 0 { ("a", "b") } else { ("b", "a") };
    match number % 24 {
        0 | 1 => format!("v = GET {key}"),
        2 => format!("INCR {key}"),
        3 => format!("v = INCR {key}"),
        4 => format!("SET {key} 5 PX 1"),
        5 => format!("SET {key} $me"),
        6 => format!("if v > 0 {{ DECR {key} }} else {{ {inner} }}"),
        7 | 8 => format!("lock {key} {{ {inner} }}"),
        9 => format!("lock {key} {{ lock {other} {{ {inner} }} }}"),
        10 => "yield".to_owned(),
        11 => "sleep 1ms".to_owned(),
        12 => "spin 1ms".to_owned(),
        13 | 14 => "send c v".to_owned(),
        15 if client == 0 => "v = receive c".to_owned(),
        16 => format!("spawn child {{ {inner} }}"),
        17 => "join child".to_owned(),
        18 => format!("assert v == GET {key}"),
        19 => "v = RANDOMKEY\n if v == nil { v = 0 } else { v = v == \"a\" }".to_owned(),
        20 => format!("repeat 2 {{ {inner} }}"),
        21 => format!("GETDEL {key}"),
        22 => format!("PEXPIRE {key} 1"),
        _ => format!("APPEND {key} 1"),
    }
}

/// A scenario of two or three clients, by the numbers of their statements.
fn random(clients: &[Vec<(u8, u8)>]) -> String {
    let mut source = "setup { SET a 1 }\n".to_owned();
    for (client, statements) in clients.iter().enumerate() {
        let mut body = "let v = 0\n".to_owned();
        let spawns = statements.iter().any(|(number, _)| number % 24 == 16);
        for &(number, inner) in statements {
            // One level deep only, and nobody joins what is never spawned.
            let inner = statement([0, 2, 3, 5, 10, 11, 13, 18, 21, 12][usize::from(inner) % 10], "", client);
            let line = statement(number, &inner, client);
            if line != "join child" || spawns {
                body += &format!("{line}\n");
            }
        }
        source += &format!("client c{client} {{\n{body}}}\n");
    }
    // Where there is a channel, less is known of a step than elsewhere.
    let channel = if source.contains(" c v") || source.contains("receive c") { "channel c 1\n" } else { "" };
    format!("{channel}{source}finally {{ assert GET a }}\n")
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig { cases: if cfg!(debug_assertions) { 50 } else { 5_000 }, ..Default::default() })]

    #[test]
    fn random_scenarios_counted_are_random_scenarios_made(
        clients in proptest::collection::vec(
            proptest::collection::vec(proptest::prelude::any::<(u8, u8)>(), 1..4), 2..4
        ),
        sharing in 0..Kind::ALL.len(),
    ) {
        let source = random(&clients);
        // A few texts are refused; those that are not have too many schedules now and then.
        if Scenario::parse(&source, &Limits::default()).is_ok() {
            check(&source, under(Kind::ALL[sharing]), 400);
        }
    }
}

#[test]
fn what_a_step_does_is_learned_once() {
    let report = explored(&oversell(4), under(Kind::Mutex), Bounds::default());
    let made = distrusted(&oversell(4), under(Kind::Mutex), Bounds::default());
    assert_eq!((report.states, report.schedules), (made.states, made.schedules));
    assert!(3 * report.runs < made.runs, "{} runs, and {} to make all steps", report.runs, made.runs);
    // Locks, time and the store's owner; and no limit is passed unseen.
    let locks = "client a * 3 {
            lock x { INCR k }
            sleep 1ms
            lock y { lock x { SET k $me PX 1 } }
            spin 1ms
            let v = GET k
        }";
    for sharing in Kind::ALL {
        for source in [locks, &oversell(3)] {
            distrusted(source, under(sharing), Bounds { states: 2_000, random_runs: 1, ..Bounds::default() });
        }
    }
    let limits = Limits { commands: 7, ..Limits::default() };
    assert!(check(&oversell(3), Setting { limits, ..under(Kind::Mutex) }, 1_000));
}

#[test]
fn who_waits_and_who_watches_is_part_of_the_state() {
    // Two who wait, and who is first gets the first element.
    let waiting = "client boss {
            RPUSH q a b
        }
        client worker * 2 {
            let job = BLMOVE q done LEFT RIGHT 0
        }";
    // One gives up, perhaps in the moment in which it is served.
    let timed = "client boss {
            sleep 1ms
            RPUSH q a
        }
        client worker * 2 {
            let job = BLMOVE q done LEFT RIGHT 0.001
        }";
    let taken = "client boss {
            RPUSH q a
            LPOP q
        }
        client worker {
            let job = BLMOVE q done LEFT RIGHT 0
        }
        client other {
            RPUSH q b
        }";
    let watching = "setup { SET k 0 }
        client adder * 2 {
            WATCH k
            let old = GET k
            MULTI
            SET k $old$me
            let done = EXEC
        }
        client looker {
            GET k
        }";
    let unwatched = "client a {
            WATCH k
            UNWATCH
            WATCH l
            MULTI
            SET mine 1
            let done = EXEC
        }
        client b {
            SET k 1
            SET l 1
        }";
    for source in [waiting, timed, taken, watching, unwatched] {
        for sharing in [Kind::Mutex, Kind::AsyncMutex, Kind::Sharded, Kind::Actor] {
            let made = check(source, under(sharing), 20_000);
            assert!(made || sharing == Kind::Actor, "under {sharing}:\n{source}");
        }
    }
}

#[test]
fn a_lock_had_again_is_not_a_lock_had_still() {
    // Both times the second client has read the same and has the lock; once it has let it go between.
    let source = "client one {
            lock b { lock a { GET k } }
            GET k
        }
        client two {
            lock a { yield }
            lock a { GET k }
        }";
    assert!(check(source, under(Kind::Mutex), 1_000));
}

#[test]
fn a_task_that_holds_the_store_begins_to_sleep_at_a_time_of_its_own() {
    // Whoever computes does so from the beginning. What is left of the 100 ms tells whether that was before the key was set,
    // while its setter slept, or in between.
    let source = "client holds {
            SET k 1 PX 100
            let left = PTTL k
            assert left == 0
        }
        client computes { spin 2ms }";
    let hold = std::time::Duration::from_millis(1);
    let setting = Setting { options: Options { hold, ..Options::default() }, ..under(Kind::AsyncMutex) };
    assert!(check(source, setting, 1_000));
    let report = explored(source, setting, Bounds::default());
    for left in [97, 98, 99] {
        let told = format!("{left} == 0");
        let tells = |found: &Found| found.outcome.headline(source).contains(&told);
        assert!(report.outcomes.iter().any(tells), "nobody found {told}: {:?}", report.outcomes);
    }
}
