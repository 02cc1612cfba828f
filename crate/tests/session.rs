//! Sessions over an in-memory pipe, for every sharing and on both runtimes that can be stopped: every transcript, and what is
//! no request at all.

#[path = "support/transcript.rs"]
mod transcript;
#[path = "support/wire.rs"]
mod wire;

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::BytesMut;
use interleave::command::{Config, Peer, Server};
use interleave::engine::{CurrentThread, MultiThread, Step};
use interleave::resp::{ReplyDecoder, encode_request, format_raw, format_value, prints_raw, split_line};
use interleave::rt::{JoinHandle, Rt};
use interleave::session::Service;
use interleave::sharing::{Kind, Options, Sharing};
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
use tokio::sync::watch;

macro_rules! talk_on {
    ($engine:expr, $kind:expr, $bytes:expr) => {{
        let mut engine = $engine;
        let rt = engine.rt();
        let (_stop, stop) = watch::channel(false);
        let client = engine.enter(|| start(&rt, $kind, $bytes, stop));
        loop {
            match engine.step() {
                Step::Polled => {}
                Step::Idle { next_deadline_ns: Some(at_ns) } => engine.advance_to(at_ns),
                Step::Idle { next_deadline_ns: None } => break,
            }
        }
        match pin!(client).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(answer) => answer.expect("the client's task does not panic"),
            Poll::Pending => panic!("under {} the client still waits", $kind),
        }
    }};
}

/// All that a new server answers to `bytes`, and whether it closed the connection before the client did. The same under
/// real current-thread Tokio and under the model of four workers.
fn talk(kind: Kind, bytes: &[u8]) -> (Vec<u8>, bool) {
    let one = talk_on!(CurrentThread::new(1_800_000_000_000), kind, bytes);
    let four = talk_on!(MultiThread::new(4, 7, 1_800_000_000_000), kind, bytes);
    assert_eq!(one, four, "under {kind}, one worker and four");
    one
}

/// Starts a server, and a client's task on the other end of its pipe.
fn start(rt: &Rt, kind: Kind, bytes: &[u8], stop: watch::Receiver<bool>) -> JoinHandle<(Vec<u8>, bool)> {
    let bytes = bytes.to_vec();
    let server = Arc::new(Server::new(Config::default(), rt.unix_ms(), 7));
    let service = Service {
        sharing: Sharing::new(kind, Options::default(), rt, &server),
        server,
        rt: rt.clone(),
        unfinished_timeout: Duration::from_secs(10),
        idle_timeout: Some(Duration::from_secs(10)),
        stop,
    };
    let (near, far) = duplex(1000);
    let session = service.spawn(far, Peer::default());
    let timer = rt.clone();
    rt.spawn("visitor", 0, async move {
        let (mut reads, mut writes) = tokio::io::split(near);
        let mut answer = Vec::new();
        let write = async {
            // The server may close before it has read everything.
            let _ = writes.write_all(&bytes).await;
            timer.sleep(Duration::from_secs(1)).await;
            let closed = session.is_finished();
            let _ = writes.shutdown().await;
            closed
        };
        let (closed, read) = tokio::join!(write, reads.read_to_end(&mut answer));
        read.expect("a pipe in memory does not break");
        (answer, closed)
    })
}

#[test]
fn every_sharing_answers_as_the_transcripts_say() {
    for kind in Kind::ALL {
        for (name, steps) in transcript::all() {
            let requests: Vec<_> = steps.iter().map(|step| split_line(&step.request).unwrap()).collect();
            let mut bytes = BytesMut::new();
            requests.iter().for_each(|request| encode_request(request, &mut bytes));
            let (answer, _) = talk(kind, &bytes);
            let (mut answer, mut decoder) = (BytesMut::from(&answer[..]), ReplyDecoder::default());
            for (step, request) in steps.iter().zip(&requests) {
                let reply = decoder.decode(&mut answer).unwrap().expect("a reply for each request");
                let printed = if prints_raw(request) { format_raw(&reply) } else { format_value(&reply) };
                let (line, typed) = (step.line, &step.request);
                assert!(step.accepts(&printed), "{kind} {name}:{line}\n> {typed}\n{printed}");
            }
            assert!(answer.is_empty(), "{kind} {name}: more replies than requests");
        }
    }
}

#[test]
fn every_sharing_survives_what_is_no_request() {
    for kind in Kind::ALL {
        for case in wire::cases() {
            let (answer, closed) = talk(kind, &case.sent);
            let answer = answer.escape_ascii().to_string();
            let sent = case.sent[..case.sent.len().min(40)].escape_ascii();
            assert_eq!((answer.as_str(), closed), (case.answer, case.closes), "{kind} \"{sent}\"");
        }
    }
}
