//! `cargo xtask bench redis --targets`: what the default sharing is to reach beside redis-server, goal by goal. Owns the goals;
//! how a thing is measured lies in the files beside.

use std::path::Path;

use anyhow::Result;

use super::latency::p99_us;
use super::load::{Cost, Load};
use super::memory::{bytes_a_key, of_connections, permit_connections};
use super::program::Program;
use super::redis::{start_ours, start_redis};
use super::{Effort, PACED, median, scope};

const SHARING: &str = "sharded";

/// Ours divided by Redis's.
#[derive(Clone, Copy)]
enum Goal {
    AtLeast(f64),
    AtMost(f64),
}

/// A row of the table: commands at one depth of pipelining, and what is to be reached with all cores free and with the server
/// on one.
struct Row {
    tests: &'static [&'static str],
    pipeline: u32,
    rate: [f64; 2],
    cpu: Option<[f64; 2]>,
}

const BASICS: &[&str] = &["set", "get", "incr"];
const FAMILIES: &[&str] = &["lpush", "lrange_100", "sadd", "hset", "zadd", "mset"];

const ROWS: [Row; 4] = [
    Row { tests: BASICS, pipeline: 1, rate: [1.0, 1.0], cpu: Some([1.0, 1.0]) },
    Row { tests: BASICS, pipeline: 16, rate: [1.4, 1.1], cpu: Some([0.7, 0.85]) },
    Row { tests: BASICS, pipeline: 64, rate: [1.7, 1.2], cpu: Some([0.7, 0.85]) },
    Row { tests: FAMILIES, pipeline: 16, rate: [1.3, 1.0], cpu: None },
];

/// Keys whose memory is measured, and how long their values are.
const KEYS: usize = 1_000_000;
const VALUE_BYTES: [usize; 2] = [3, 100];

/// Connections that are idle.
const CONNECTIONS: usize = 5_000;

/// Throughput while somebody watches, as a share of that while nobody does: with all cores free, and with the server on one.
const WATCHED: [f64; 2] = [0.9, 0.88];

/// Measures every goal and says whether it is reached.
pub(super) fn bench(effort: &Effort, binary: &Path) -> Result<()> {
    let (server_core, load_core) = effort.cores();
    let column = usize::from(effort.one_core);
    let pair = || -> Result<[Program; 2]> {
        Ok([start_redis(server_core)?, start_ours(binary, SHARING, server_core)?])
    };
    println!(
        "sharing {SHARING}; {} rounds, {}",
        effort.rounds,
        if effort.one_core { "one core" } else { "both cores" }
    );

    let programs = pair()?;
    for row in &ROWS {
        for test in row.tests {
            let requests = effort.requests * if row.pipeline > 1 { 5 } else { 1 };
            // A hundred elements a reply.
            let requests = if *test == "lrange_100" { requests / 5 } else { requests };
            let load = Load { test: (*test).to_owned(), pipeline: row.pipeline, keys: effort.keys, requests };
            let mut rounds = Vec::new();
            for _ in 0..effort.rounds {
                let redis = load.measure(&programs[0], load_core)?;
                rounds.push((redis, load.measure(&programs[1], load_core)?));
            }
            let of = |value: fn(&(Cost, Cost)) -> f64| median(rounds.iter().map(value));
            let name = format!("{test} -P {}", row.pipeline);
            let rate = of(|(redis, ours)| ours.rate / redis.rate);
            tell(&format!("{name}: throughput"), rate, Goal::AtLeast(row.rate[column]));
            println!(
                "  the load was busy {:.2} of the time, with redis {:.2}",
                of(|(_, ours)| ours.load_busy),
                of(|(redis, _)| redis.load_busy)
            );
            if let Some(goal) = row.cpu {
                let cpu = of(|(redis, ours)| ours.cpu_us / redis.cpu_us);
                tell(&format!("{name}: server CPU"), cpu, Goal::AtMost(goal[column]));
            }
        }
    }

    let load = Load { test: "get".to_owned(), pipeline: 1, keys: effort.keys, requests: effort.requests };
    let mut latencies = Vec::new();
    for _ in 0..effort.rounds {
        let half = load.measure(&programs[0], load_core)?.rate / 2.0;
        let [redis, ours] = [p99_us(programs[0].port, half, PACED)?, p99_us(programs[1].port, half, PACED)?];
        latencies.push(ours / redis);
    }
    tell("get at half of Redis's peak: p99 latency", median(latencies), Goal::AtMost(1.0));
    drop(programs);

    if !effort.one_core {
        idle(effort, pair)?;
    }

    for test in BASICS {
        let load =
            Load { test: (*test).to_owned(), pipeline: 16, keys: effort.keys, requests: effort.requests * 5 };
        let mut ratios = Vec::new();
        for _ in 0..effort.rounds {
            let subject = scope::Subject::start(binary, SHARING, effort.cores(), &load)?;
            for turn in 0..scope::TURNS {
                // The other one begins each time: what drifts favours neither.
                let first_watched = turn % 2 == 1;
                let first = subject.measure(&load, first_watched)?.0.rate;
                let second = subject.measure(&load, !first_watched)?.0.rate;
                let (watched, idle) = if first_watched { (first, second) } else { (second, first) };
                ratios.push(watched / idle);
            }
        }
        let goal = Goal::AtLeast(WATCHED[column]);
        tell(&format!("{test} -P 16: throughput watched, to idle"), median(ratios), goal);
    }
    Ok(())
}

/// What keys and connections take that nobody asks for. Not how many cores there are makes the difference, so it is aimed at with all.
fn idle(effort: &Effort, pair: impl Fn() -> Result<[Program; 2]>) -> Result<()> {
    for value_bytes in VALUE_BYTES {
        let [redis, ours] = pair()?;
        let ratio = bytes_a_key(&ours, KEYS, value_bytes)? / bytes_a_key(&redis, KEYS, value_bytes)?;
        tell(&format!("memory a key, {value_bytes}-byte values"), ratio, Goal::AtMost(1.0));
    }

    permit_connections(CONNECTIONS)?;
    let (mut bytes, mut beside) = (Vec::new(), Vec::new());
    for _ in 0..effort.rounds {
        let [redis, ours] = pair()?;
        let redis = of_connections(&redis, CONNECTIONS, None)?;
        let ours = of_connections(&ours, CONNECTIONS, None)?;
        bytes.push(ours.bytes_each / redis.bytes_each);
        beside.push(ours.rate_beside);
    }
    tell(&format!("memory of {CONNECTIONS} idle connections"), median(bytes), Goal::AtMost(1.0));
    tell("throughput beside them, to that without", median(beside), Goal::AtLeast(0.95));
    Ok(())
}

fn tell(what: &str, ratio: f64, goal: Goal) {
    let (sign, bound) = match goal {
        Goal::AtLeast(bound) => (">=", bound),
        Goal::AtMost(bound) => ("<=", bound),
    };
    let verdict = if is_reached(ratio, goal) { "reached" } else { "NOT reached" };
    println!("{what:<44} {ratio:>6.2}  {sign} {bound:<5.2} {verdict}");
}

/// As the ratio is printed: two digits.
fn is_reached(ratio: f64, goal: Goal) -> bool {
    let ratio = (ratio * 100.0).round() / 100.0;
    match goal {
        Goal::AtLeast(bound) => ratio >= bound,
        Goal::AtMost(bound) => ratio <= bound,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_goal_is_judged_as_it_is_printed() {
        let check = |ratio, goal, expected| assert_eq!(is_reached(ratio, goal), expected, "{ratio}");
        check(1.396, Goal::AtLeast(1.4), true);
        check(1.394, Goal::AtLeast(1.4), false);
        check(0.704, Goal::AtMost(0.7), true);
        check(0.706, Goal::AtMost(0.7), false);
        check(f64::NAN, Goal::AtLeast(1.0), false);
        check(f64::NAN, Goal::AtMost(1.0), false);
    }
}
