//! INFO's statistics of commands: after the same requests both count the same calls, refusals and failures of each, and tell
//! how long each took.

use std::collections::BTreeSet;

use interleave::resp::{Value, split_line};
use interleave_e2e::redis::Redis;
use interleave_e2e::server::Server;

use crate::talker::Talker;

/// Requests of one client, a pipeline a line.
const PIPELINES: [&[&str]; 9] = [
    &["SET a 1", "SET b 2", "GET a", "GET missing", "INCR a", "MGET a b"],
    // Wrong kinds, wrong numbers of arguments, no such commands.
    &["LPUSH list x", "INCR list", "GET", "OBJECT", "OBJECT NOTHING a", "NOTHING", "SET a 1 EX zero"],
    &["OBJECT ENCODING a", "OBJECT ENCODING missing", "CONFIG GET maxmemory", "CONFIG SET maxmemory x"],
    &["MULTI", "SET a 1", "LPOP a", "GET b", "EXEC", "MULTI", "NOTHING", "GET", "EXEC"],
    &["EXEC", "DISCARD", "MULTI", "MULTI", "GET a", "DISCARD", "WATCH a", "UNWATCH"],
    &["BLPOP list 0", "BLPOP list 0.01", "SUBSCRIBE news", "GET a", "PING", "UNSUBSCRIBE news"],
    // Refused for want of memory.
    &["CONFIG SET maxmemory 1", "SET c 3", "GET a", "CONFIG SET maxmemory 0"],
    &["CLIENT ID", "CLIENT SETNAME a b", "CLIENT GETNAME", "SELECT 99", "SELECT 1", "ECHO a", "HELLO 9"],
    &["PING", "GET a", "PING", "GET a", "PING", "GET a", "DEL a b list", "DBSIZE", "FLUSHALL"],
];

/// Runs all pipelines; then what INFO says in `section`, line by line, its head left out.
fn told(port: u16, section: &str) -> Vec<String> {
    let mut talker = Talker::connect(port);
    let request = |line: &str| split_line(line).expect("balanced quotes");
    talker.ask(&request("CONFIG RESETSTAT"));
    for pipeline in PIPELINES {
        talker.send(&pipeline.iter().map(|line| request(line)).collect::<Vec<_>>());
        for line in pipeline {
            assert!(talker.reply().is_some(), "no reply to {line}");
        }
    }
    match talker.ask(&request(&format!("INFO {section}"))).map(|replied| replied.value) {
        Some(Value::Bulk(text)) => {
            let text = String::from_utf8_lossy(&text).into_owned();
            assert!(text.starts_with(&format!("# {section}\r\n")), "{text}");
            text.lines().skip(1).map(ToOwned::to_owned).collect()
        }
        other => panic!("expected the section {section}, found {other:?}"),
    }
}

/// A line without its times.
fn counts(line: &str) -> String {
    let fields = line.split(',').filter(|field| !field.starts_with("usec"));
    fields.collect::<Vec<_>>().join(",")
}

#[tokio::test]
async fn the_same_calls_are_counted() {
    let redis = Redis::start().await;
    let theirs: BTreeSet<_> = told(redis.port(), "Commandstats").iter().map(|line| counts(line)).collect();
    for sharing in ["isolated", "mutex", "async-mutex", "sharded", "actor"] {
        let server = Server::start(&["--sharing", sharing]).await;
        let lines = told(server.resp_port(), "Commandstats");
        let ours: BTreeSet<_> = lines.iter().map(|line| counts(line)).collect();
        assert_eq!(ours, theirs, "{sharing}");
        for line in lines.iter().filter(|line| !line.contains("calls=0,")) {
            let parts: Vec<_> = line.split([',', '=']).collect();
            let [_, _, "usec", us, "usec_per_call", each, ..] = parts[..] else { panic!("{line}") };
            let [us, each]: [f64; 2] = [us, each].map(|number| number.parse().expect("a number"));
            assert!(us >= 0.0 && each >= 0.0 && each <= us + 1.0, "{line}");
        }
    }
}

#[tokio::test]
async fn the_same_commands_are_timed() {
    let (redis, server) = (Redis::start().await, Server::start(&[]).await);
    let [theirs, ours] = [redis.port(), server.resp_port()].map(|port| {
        let lines = told(port, "Latencystats");
        for line in &lines {
            let (_, times) = line.split_once(':').expect("a field");
            let labels: Vec<_> = times.split(',').filter_map(|time| time.split('=').next()).collect();
            assert_eq!(labels, ["p50", "p99", "p99.9"], "{line}");
            let times: Vec<f64> = times
                .split(',')
                .map(|time| time.rsplit('=').next().expect("a time").parse().expect("a number"))
                .collect();
            assert!(times.is_sorted(), "{line}");
        }
        lines.iter().filter_map(|line| line.split(':').next().map(ToOwned::to_owned)).collect::<BTreeSet<_>>()
    });
    assert_eq!(ours, theirs);
}
