//! Every transcript, typed into both servers.

use std::fmt::Write as _;

use interleave::resp::{format_raw, format_value, prints_raw, split_line};
use interleave_e2e::redis::Redis;
use interleave_e2e::server::Server;

use crate::differs;
use crate::talker::{Replied, Talker};

#[path = "../../../crate/tests/support/transcript.rs"]
mod transcript;

use transcript::Step;

/// What is wrong with a pair of replies to `step`.
fn fault(
    step: &Step,
    request: &[Vec<u8>],
    theirs: &Replied,
    ours: &Replied,
    protocol: &str,
) -> Option<String> {
    if step.differs.is_some() {
        return None;
    }
    let print = if prints_raw(request) { format_raw } else { format_value };
    // Typed as it is, the transcript is right of Redis, too.
    let is_as_written =
        protocol == "3" || differs::is_unordered(request) || step.accepts(&print(&theirs.value));
    // Where it has a pattern, the replies tell of this server or this moment.
    let are_alike = is_as_written
        && if step.reply.starts_with("~ ") {
            ours.bytes.first() == theirs.bytes.first()
        } else {
            differs::same_reply(request, theirs, ours)
        };
    (!are_alike)
        .then(|| format!("redis: {}\nours:  {}", theirs.bytes.escape_ascii(), ours.bytes.escape_ascii()))
}

async fn every_transcript(protocol: &str) {
    let mut wrong = String::new();
    for (name, steps) in transcript::all() {
        let (redis, server) = (Redis::start().await, Server::start(&[]).await);
        let (mut theirs, mut ours) = (Talker::connect(redis.port()), Talker::connect(server.resp_port()));
        if protocol == "3" {
            let hello = split_line("HELLO 3").expect("balanced quotes");
            assert!(theirs.ask(&hello).is_some() && ours.ask(&hello).is_some(), "both speak RESP3");
        }
        for step in &steps {
            let request = split_line(&step.request).expect("balanced quotes");
            let (Some(theirs), Some(ours)) = (theirs.ask(&request), ours.ask(&request)) else {
                panic!("{name}:{}: a connection ended", step.line);
            };
            if let Some(fault) = fault(step, &request, &theirs, &ours, protocol) {
                let _ =
                    writeln!(wrong, "{name}:{} in RESP{protocol}\n> {}\n{fault}\n", step.line, step.request);
            }
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

#[tokio::test]
async fn transcripts_in_resp2() {
    every_transcript("2").await;
}

#[tokio::test]
async fn transcripts_in_resp3() {
    every_transcript("3").await;
}
