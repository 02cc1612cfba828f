//! Sessions over pipes under an engine: pipelines, violations, halves of requests. Knows only what goes in and comes out.

use std::pin::pin;
use std::task::{Context, Poll, Waker};

use tokio::io::{AsyncReadExt, duplex};

use super::*;
use crate::command::Config;
use crate::engine::{CurrentThread, Step};
use crate::sharing::{Kind, Options};

/// A server under the engine, and a client that writes `requests` at once and then closes its half; all it was sent.
fn answers(kind: Kind, requests: &[u8]) -> String {
    let mut engine = CurrentThread::new(1_700_000_000_000);
    let rt = engine.rt();
    let (_stop, stopped) = watch::channel(false);
    let requests = requests.to_vec();
    let client = engine.enter(|| {
        let server = Arc::new(Server::new(Config::default(), 0, 0));
        let sharing = Sharing::new(kind, Options::default(), &rt, &server);
        let service = Service {
            sharing,
            server,
            rt: rt.clone(),
            unfinished_timeout: Duration::from_secs(10),
            idle_timeout: None,
            stop: stopped,
        };
        let (mut near, far) = duplex(256);
        service.spawn(far, Peer::default());
        rt.spawn("visitor", 0, async move {
            let (mut reads, mut writes) = tokio::io::split(&mut near);
            let mut answer = Vec::new();
            let write = async {
                writes.write_all(&requests).await.unwrap();
                writes.shutdown().await.unwrap();
            };
            let (_, read) = tokio::join!(write, reads.read_to_end(&mut answer));
            read.unwrap();
            String::from_utf8_lossy(&answer).into_owned()
        })
    });
    loop {
        match engine.step() {
            Step::Polled => {}
            Step::Idle { next_deadline_ns: Some(at_ns) } => engine.advance_to(at_ns),
            Step::Idle { next_deadline_ns: None } => break,
        }
    }
    assert!(client.is_finished(), "under {kind} the client still waits");
    let Poll::Ready(answer) = pin!(client).poll(&mut Context::from_waker(Waker::noop())) else {
        panic!("finished, so ready")
    };
    answer.unwrap()
}

#[track_caller]
fn check(requests: &str, expected: &str) {
    for kind in Kind::ALL {
        assert_eq!(answers(kind, requests.as_bytes()), expected, "under {kind}");
    }
}

#[test]
fn a_pipeline_is_answered_in_order() {
    check(
        "SET k 1\r\nPING\r\nINCR k\r\nNOPE\r\nGET k\r\n",
        "+OK\r\n+PONG\r\n:2\r\n-ERR unknown command 'NOPE', with args beginning with: \r\n$1\r\n2\r\n",
    );
}

#[test]
fn what_was_whole_before_a_violation_is_answered() {
    check("PING\r\n*1\r\n:1\r\nPING\r\n", "+PONG\r\n-ERR Protocol error: expected '$', got ':'\r\n");
}

#[test]
fn half_a_request_is_no_request() {
    check("PING\r\n*2\r\n$3\r\nGET", "+PONG\r\n");
}

#[test]
fn a_large_pipeline_through_a_small_pipe_is_answered() {
    let requests = "INCR hits\r\n".repeat(5_000);
    let expected: String = (1..=5_000).map(|hits| format!(":{hits}\r\n")).collect();
    check(&requests, &expected);
}
