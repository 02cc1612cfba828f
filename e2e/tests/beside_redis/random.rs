//! Random requests of every family, for a few seconds: our server answers each with redis-server's bytes, its mistakes with
//! the same words. A failure prints its seed; `INTERLEAVE_SEED=7` runs that one alone, `INTERLEAVE_SECONDS=60` tries seeds for
//! longer.

use std::time::{Duration, Instant};

use fastrand::Rng;
use interleave::command::{Flag, Group, Spec};
use interleave::resp::split_line;
use interleave_e2e::redis::Redis;
use interleave_e2e::server::Server;

use crate::differs;
use crate::talker::{Replied, Talker};

#[path = "../../../crate/tests/support/requests.rs"]
#[expect(dead_code, reason = "which commands there are is tested where they are")]
mod requests;

/// For how many seconds seeds are tried, unless told otherwise.
const SECONDS: u64 = 10;

/// Requests of one seed.
const REQUESTS: usize = 600;

fn shown(request: &[Vec<u8>]) -> String {
    request.iter().map(|word| word.escape_ascii().to_string()).collect::<Vec<_>>().join(" ")
}

/// What a server without keys answers to `requests`, sent at once.
fn replies(port: u16, protocol: &str, requests: &[Vec<Vec<u8>>]) -> Vec<Replied> {
    let mut talker = Talker::connect(port);
    for line in [&format!("HELLO {protocol}")[..], "FLUSHALL"] {
        let request = split_line(line).expect("balanced quotes");
        assert!(talker.ask(&request).is_some(), "{line} is answered");
    }
    talker.send(requests);
    let reply = |request: &Vec<Vec<u8>>| {
        talker.reply().unwrap_or_else(|| panic!("the connection ends at {}", shown(request)))
    };
    requests.iter().map(reply).collect()
}

/// A value of every type, for wild requests to find.
const VALUES: [&str; 12] = [
    "FLUSHALL",
    "MSET string1 abc string2 12",
    "RPUSH list1 a b c 1",
    "RPUSH list2 3 1 2",
    "HSET hash1 a 1 b x",
    "SADD set1 a b 1",
    "SADD set2 1 2 3",
    "ZADD sorted-set1 1 a 1 b",
    "ZADD sorted-set2 1 1 2 b",
    "XADD stream1 1-1 a 1",
    "XADD stream1 2-2 b 2",
    "XGROUP CREATE stream1 g 0",
];

/// What stands in wild requests besides keys and the words of the command's own usage.
const WORDS: [&str; 26] = [
    "0",
    "0",
    "1",
    "1",
    "2",
    "-1",
    "100",
    "a",
    "b",
    "g",
    "1-1",
    "2-2",
    "",
    "1.5",
    "nan",
    "inf",
    "-inf",
    "9223372036854775807",
    "9223372036854775808",
    "-9223372036854775808",
    "(1",
    "-",
    "+",
    ">",
    "$",
    "COUNT",
];

/// Requests whose words are any, in any order and number: most are mistakes, and which one is told depends on what a command
/// looks at first.
fn wild(seed: u64) -> Vec<Vec<Vec<u8>>> {
    let mut rng = Rng::with_seed(seed);
    let commands = requests::commands(false);
    let mut requests: Vec<Vec<Vec<u8>>> = Vec::new();
    while requests.len() < REQUESTS {
        if requests.len().is_multiple_of(60) {
            requests.extend(VALUES.map(|line| split_line(line).expect("balanced quotes")));
        }
        let request = wild_request(commands[rng.usize(..commands.len())], &mut rng);
        requests.extend(request.map(|words| words.iter().map(|word| word.as_bytes().to_vec()).collect()));
    }
    requests
}

/// `None` where two servers could not answer alike, or one of them for a long time.
fn wild_request(spec: &'static Spec, rng: &mut Rng) -> Option<Vec<&'static str>> {
    let keys: Vec<&str> =
        VALUES[1..].iter().filter_map(|line| line.split(' ').find(|word| word.ends_with('1'))).collect();
    let options: Vec<&str> =
        spec.usage.split(|c: char| !c.is_ascii_uppercase()).filter(|word| word.len() > 1).collect();
    let mut words: Vec<&str> = spec.name.split('|').collect();
    for position in 0..rng.usize(1..8) {
        let from = match rng.u8(..10) {
            0..8 if position == 0 => &keys[..],
            0..4 if !options.is_empty() => &options[..],
            _ => &WORDS[..],
        };
        words.push(from[rng.usize(..from.len())]);
    }
    let has = |option: &str| words.contains(&option);
    let waits = spec.has(Flag::Blocking) && (!spec.name.starts_with('x') || has("BLOCK"));
    let is_soon_over = has("PX") || ["pexpire", "psetex", "xautoclaim"].contains(&spec.name);
    let is_any_part = spec.name.starts_with("sort") && has("LIMIT");
    let gathers = spec.group == Group::Transactions;
    (!(waits || is_soon_over || is_any_part || gathers)).then_some(words)
}

#[tokio::test]
async fn random_requests_are_answered_alike() {
    let (redis, server) = (Redis::start().await, Server::start(&[]).await);
    let told = |variable| -> Option<u64> {
        let text = std::env::var(variable).ok()?;
        Some(text.parse().unwrap_or_else(|_| panic!("{variable} is a number")))
    };
    let only = told("INTERLEAVE_SEED");
    let lasts = Duration::from_secs(told("INTERLEAVE_SECONDS").unwrap_or(SECONDS));
    let began = Instant::now();
    let mut seed = only.unwrap_or(0);
    while began.elapsed() < lasts {
        // Those that are as they should be in turn with those that are not.
        let requests = if seed % 2 == 0 { requests::requests(seed, REQUESTS, false) } else { wild(seed) };
        let requests: Vec<_> =
            requests.into_iter().filter(|request| !differs::in_random_requests(request)).collect();
        for protocol in ["2", "3"] {
            let theirs = replies(redis.port(), protocol, &requests);
            let ours = replies(server.resp_port(), protocol, &requests);
            for (index, (theirs, ours)) in theirs.iter().zip(&ours).enumerate() {
                let request = &requests[index];
                assert!(
                    differs::same_reply(request, theirs, ours),
                    "INTERLEAVE_SEED={seed}, RESP{protocol}, request {index}\n{}> {}\nredis: {}\nours:  {}",
                    before(&requests[..index], request),
                    shown(request),
                    theirs.bytes.escape_ascii(),
                    ours.bytes.escape_ascii(),
                );
            }
        }
        if only.is_some() {
            return;
        }
        seed += 1;
    }
    println!("{seed} seeds of {REQUESTS} requests, each in both protocols");
}

/// The requests before one that name a key of its, which is what a person wants to see of them.
fn before(requests: &[Vec<Vec<u8>>], last: &[Vec<u8>]) -> String {
    const FAMILIES: [&[u8]; 6] = [b"string", b"list", b"hash", b"set", b"sorted-set", b"stream"];
    let is_key =
        |word: &[u8]| FAMILIES.iter().any(|family| word.starts_with(family) && word.len() > family.len());
    let keys: Vec<&Vec<u8>> = last.iter().filter(|word| is_key(word)).collect();
    let names_one = |request: &Vec<Vec<u8>>| request.iter().any(|word| keys.contains(&word));
    requests
        .iter()
        .filter(|request| names_one(request))
        .map(|request| format!("  {}\n", shown(request)))
        .collect()
}
