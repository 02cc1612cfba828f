//! Every conversation of several clients, under every sharing and on both runtimes that can be stopped.

#[path = "support/conversation.rs"]
mod conversation;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::BytesMut;
use conversation::{Act, shown};
use interleave::command::{Config, Peer, Server};
use interleave::engine::{CurrentThread, MultiThread, Step};
use interleave::resp::{encode_request, split_line};
use interleave::rt::Rt;
use interleave::session::Service;
use interleave::sharing::{Kind, Options, Sharing};
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf, duplex};
use tokio::sync::watch;

/// More than any conversation says or hears at once: nobody waits for room in a pipe.
const PIPE_BYTES: usize = 1 << 20;

fn service(kind: Kind, rt: &Rt, stop: watch::Receiver<bool>) -> Service {
    let server = Arc::new(Server::new(Config::default(), rt.unix_ms(), 7));
    Service {
        sharing: Sharing::new(kind, Options::default(), rt, &server),
        server,
        rt: rt.clone(),
        unfinished_timeout: Duration::from_secs(10),
        idle_timeout: None,
        stop,
    }
}

/// All that lies in `pipe`, and whether the other end is closed.
fn heard(pipe: &mut DuplexStream) -> (Vec<u8>, bool) {
    let (mut all, mut bytes) = (Vec::new(), [0; 4096]);
    loop {
        let mut read = ReadBuf::new(&mut bytes);
        match Pin::new(&mut *pipe).poll_read(&mut Context::from_waker(Waker::noop()), &mut read) {
            Poll::Ready(done) => done.expect("a pipe in memory does not break"),
            Poll::Pending => return (all, false),
        }
        if read.filled().is_empty() {
            return (all, true);
        }
        all.extend_from_slice(read.filled());
    }
}

/// Holds a conversation and tells every turn that came out otherwise than it should.
macro_rules! hold {
    ($engine:expr, $kind:expr, $turns:expr) => {{
        let mut engine = $engine;
        let rt = engine.rt();
        let (_stop, stop) = watch::channel(false);
        let service = engine.enter(|| service($kind, &rt, stop));
        let mut clients: BTreeMap<char, DuplexStream> = BTreeMap::new();
        let mut wrong = String::new();
        for turn in $turns {
            let mut until_ns = 0;
            match &turn.act {
                Act::Say(client, request) => engine.enter(|| {
                    let pipe = clients.entry(*client).or_insert_with(|| {
                        let (near, far) = duplex(PIPE_BYTES);
                        let address = format!("{client}:1");
                        service.spawn(far, Peer { address, local_address: "here".to_owned() });
                        near
                    });
                    let mut bytes = BytesMut::new();
                    encode_request(&split_line(request).expect("balanced quotes"), &mut bytes);
                    let cx = &mut Context::from_waker(Waker::noop());
                    // One that has been closed takes nothing any more.
                    let _ = Pin::new(pipe).poll_write(cx, &bytes);
                }),
                Act::Leave(client) => engine.enter(|| drop(clients.remove(client))),
                Act::Wait(ms) => until_ns = engine.now_ns() + ms * 1_000_000,
            }
            loop {
                match engine.step() {
                    Step::Polled => {}
                    Step::Idle { next_deadline_ns: Some(at_ns) } if at_ns <= until_ns => {
                        engine.advance_to(at_ns);
                    }
                    Step::Idle { .. } => break,
                }
            }
            engine.advance_to(until_ns);
            for (client, pipe) in &mut clients {
                let (bytes, ended) = heard(pipe);
                let found = shown(&bytes, ended);
                let expected = turn.heard.get(client);
                if !expected.map_or(found.is_empty(), |expected| expected.is(&found)) {
                    let expected = expected.map_or("nothing".to_owned(), |heard| format!("{heard:?}"));
                    let act = &turn.act;
                    let _ = writeln!(
                        wrong,
                        "{}: {act:?}\n{client} heard {found}\n{client}<  {expected}",
                        turn.line
                    );
                }
            }
            clients.retain(|_, pipe| !heard(pipe).1);
        }
        wrong
    }};
}

#[test]
fn several_clients_hear_what_they_should() {
    for (name, turns) in conversation::all() {
        for kind in Kind::ALL {
            let start_ms = 1_800_000_000_000;
            let wrong = hold!(CurrentThread::new(start_ms), kind, &turns);
            assert!(wrong.is_empty(), "{name} under {kind}:\n{wrong}");
            let wrong = hold!(MultiThread::new(4, 7, start_ms), kind, &turns);
            assert!(wrong.is_empty(), "{name} under {kind}, four workers:\n{wrong}");
        }
    }
}
