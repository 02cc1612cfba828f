//! Several clients of one server, who speak in turns: what each is answered, and when.
//!
//! Owns the clients' ends of their pipes and a stopped engine. After each turn the engine runs until nobody can go on, and
//! no time passes but what is asked for; so a client that is not answered waits.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::BytesMut;
use interleave::command::{Config, Peer, Server};
use interleave::engine::{CurrentThread, Step};
use interleave::resp::{ReplyDecoder, Value, encode_request, split_line};
use interleave::session::Service;
use interleave::sharing::{Kind, Options, Sharing};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::sync::watch;

/// When a talk begins, in milliseconds since the Unix epoch.
pub(crate) const START_MS: u64 = 1_800_000_000_000;

/// A server and the clients that have spoken so far, by number.
pub(crate) struct Talk {
    // First, so that sessions end before their pipes do.
    engine: CurrentThread,
    service: Service,
    clients: Vec<Option<End>>,
    _stop: watch::Sender<bool>,
}

/// A client's end of its pipe.
struct End {
    stream: DuplexStream,
    arrived: BytesMut,
    decoder: ReplyDecoder,
}

impl Talk {
    pub(crate) fn new(kind: Kind, config: Config) -> Self {
        Self::with(kind, Server::new(config, START_MS, 7))
    }

    /// With a server made at [`START_MS`].
    pub(crate) fn with(kind: Kind, server: Server) -> Self {
        let engine = CurrentThread::new(START_MS);
        let rt = engine.rt();
        let (stop, stopped) = watch::channel(false);
        let server = Arc::new(server);
        let service = engine.enter(|| Service {
            sharing: Sharing::new(kind, Options { shards: 8, ..Options::default() }, &rt, &server),
            server,
            rt: rt.clone(),
            unfinished_timeout: Duration::from_secs(10),
            idle_timeout: None,
            stop: stopped,
        });
        Self { engine, service, clients: Vec::new(), _stop: stop }
    }

    /// One turn: `2 GET k` is a request of client 2, `2 leaves` and `pass 10` (milliseconds) speak for themselves. What
    /// all clients are answered then: `1: x; 2: [a b]`.
    pub(crate) fn turn(&mut self, line: &str) -> String {
        match line.split_once(' ') {
            Some(("pass", ms)) => self.pass(ms.parse().expect("a number of milliseconds")),
            Some((client, "leaves")) => self.clients[number(client)] = None,
            Some((client, request)) => {
                self.send(number(client), &split_line(request).expect("balanced quotes"));
            }
            None => panic!("expected who, and what: {line}"),
        }
        self.run();
        self.heard()
    }

    fn send(&mut self, client: usize, request: &[Vec<u8>]) {
        while self.clients.len() <= client {
            let (stream, end) = duplex(1 << 16);
            self.engine.enter(|| self.service.spawn(end, Peer::default()));
            self.run();
            let decoder = ReplyDecoder::default();
            self.clients.push(Some(End { stream, arrived: BytesMut::new(), decoder }));
        }
        let mut bytes = BytesMut::new();
        encode_request(request, &mut bytes);
        let end = self.clients[client].as_mut().expect("who speaks has not left");
        assert!(ready(end.stream.write_all(&bytes)).is_some(), "room for a request");
    }

    /// Lets time pass, everybody who can go on going on in between.
    fn pass(&mut self, ms: u64) {
        let until_ns = self.engine.now_ns() + ms * 1_000_000;
        loop {
            match self.engine.step() {
                Step::Polled => {}
                Step::Idle { next_deadline_ns: Some(at_ns) } if at_ns <= until_ns => {
                    self.engine.advance_to(at_ns);
                }
                Step::Idle { .. } => break,
            }
        }
        self.engine.advance_to(until_ns);
    }

    fn run(&mut self) {
        while self.engine.step() == Step::Polled {}
    }

    fn heard(&mut self) -> String {
        let mut heard = Vec::new();
        for (number, client) in self.clients.iter_mut().enumerate() {
            let Some(end) = client else { continue };
            while ready(end.stream.read_buf(&mut end.arrived))
                .is_some_and(|read| read.is_ok_and(|read| read > 0))
            {}
            while let Some(value) = end.decoder.decode(&mut end.arrived).expect("a good reply") {
                heard.push(format!("{}: {}", number + 1, shown(&value)));
            }
        }
        heard.join("; ")
    }
}

fn number(client: &str) -> usize {
    client.parse::<usize>().expect("a client's number") - 1
}

fn ready<F: Future>(future: F) -> Option<F::Output> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}

fn shown(value: &Value) -> String {
    match value {
        Value::Simple(text) => text.clone(),
        Value::Bulk(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        Value::Integer(number) => number.to_string(),
        Value::Null => "nil".to_owned(),
        Value::Array(values) => format!("[{}]", values.iter().map(shown).collect::<Vec<_>>().join(" ")),
        Value::Error(text) => format!("-{}", String::from_utf8_lossy(text.as_ref())),
        other => format!("{other:?}"),
    }
}
