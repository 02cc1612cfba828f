//! Random requests of every family get the same replies under every sharing, and each command of the table is among them.
//! `INTERLEAVE_SEED=7` runs one seed alone.

#[path = "support/memory.rs"]
mod memory;
#[path = "support/requests.rs"]
mod requests;

use std::collections::HashSet;

use interleave::resp::{Value, format_value};
use interleave::sharing::Kind;
use memory::replies;

/// Seeds in a run of the tests.
const SEEDS: u64 = 40;

/// Requests of one seed.
const REQUESTS: usize = 600;

fn seeds() -> Vec<u64> {
    match std::env::var("INTERLEAVE_SEED") {
        Ok(seed) => vec![seed.parse().expect("INTERLEAVE_SEED is a number")],
        Err(_) => (0..SEEDS).collect(),
    }
}

#[test]
fn every_sharing_gives_the_same_replies() {
    let others = [
        (Kind::Isolated, 1),
        (Kind::AsyncMutex, 1),
        (Kind::Sharded, 1),
        (Kind::Sharded, 7),
        (Kind::Sharded, 64),
        (Kind::Actor, 1),
    ];
    for seed in seeds() {
        let requests = requests::requests(seed, REQUESTS, false);
        let expected = replies(Kind::Mutex, 1, &requests);
        for (kind, shards) in others {
            let found = replies(kind, shards, &requests);
            for ((request, expected), found) in requests.iter().zip(&expected).zip(&found) {
                assert!(
                    expected == found,
                    "INTERLEAVE_SEED={seed}, {kind}, {shards} shards\n> {}\nunder mutex:\n{}\nfound:\n{}",
                    request.iter().map(|word| word.escape_ascii().to_string()).collect::<Vec<_>>().join(" "),
                    format_value(expected),
                    format_value(found),
                );
            }
        }
    }
}

#[test]
fn every_command_is_asked_for_and_most_are_understood() {
    let (mut asked, mut understood) = (HashSet::new(), HashSet::new());
    for seed in 0..SEEDS {
        let requests = requests::requests(seed, REQUESTS, true);
        for (request, reply) in requests.iter().zip(replies(Kind::Sharded, 7, &requests)) {
            let name = String::from_utf8_lossy(&request[0]).into_owned();
            if !matches!(reply, Value::Error(_)) {
                understood.insert(name.clone());
            }
            asked.insert(name);
        }
    }
    for name in requests::names() {
        assert!(asked.contains(name), "{name} is never asked for");
        assert!(understood.contains(name), "{name} is only ever a mistake");
    }
}
