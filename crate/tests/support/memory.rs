//! A session over a pipe in memory, under an engine: what every other transport is compared with.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::BytesMut;
use interleave::command::{Config, Peer, Server};
use interleave::engine::{CurrentThread, Step};
use interleave::resp::{ReplyDecoder, Value, encode_request};
use interleave::session::Service;
use interleave::sharing::{Kind, Options, Sharing};
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
use tokio::sync::watch;

/// What it answers to `requests`, with the store shared as `kind`.
///
/// # Panics
/// When not each request gets one reply.
pub(crate) fn replies(kind: Kind, shards: usize, requests: &[Vec<Vec<u8>>]) -> Vec<Value> {
    let mut bytes = BytesMut::new();
    requests.iter().for_each(|request| encode_request(request, &mut bytes));
    let expected = requests.len();
    let mut engine = CurrentThread::new(1_800_000_000_000);
    let rt = engine.rt();
    let (_stop, stop) = watch::channel(false);
    let client = engine.enter(|| {
        let server = Arc::new(Server::new(Config::default(), rt.unix_ms(), 7));
        let service = Service {
            sharing: Sharing::new(kind, Options { shards, ..Options::default() }, &rt, &server),
            server,
            rt: rt.clone(),
            unfinished_timeout: Duration::from_secs(10),
            idle_timeout: None,
            stop,
        };
        let (near, far) = duplex(1000);
        service.spawn(far, Peer::default());
        rt.spawn("visitor", 0, async move {
            let (mut reads, mut writes) = tokio::io::split(near);
            let write = async { writes.write_all(&bytes).await.expect("all is read") };
            // Both halves stay open until all is answered: who leaves waits for nothing any more.
            let read = async {
                let (mut answer, mut arrived) = (Vec::new(), BytesMut::new());
                let mut decoder = ReplyDecoder::default();
                while answer.len() < expected {
                    match decoder.decode(&mut arrived).expect("good replies") {
                        Some(reply) => answer.push(reply),
                        None => assert_ne!(reads.read_buf(&mut arrived).await.expect("a pipe holds"), 0),
                    }
                }
                answer
            };
            let ((), answer) = tokio::join!(write, read);
            answer
        })
    });
    drain(&mut engine);
    match pin!(client).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => answer.expect("the client's task does not panic"),
        Poll::Pending => panic!("under {kind} the client still waits"),
    }
}

fn drain(engine: &mut CurrentThread) {
    loop {
        match engine.step() {
            Step::Polled => {}
            Step::Idle { next_deadline_ns: Some(at_ns) } => engine.advance_to(at_ns),
            Step::Idle { next_deadline_ns: None } => return,
        }
    }
}
