//! A client's connection: requests in, replies out.
//!
//! Owns the encoding and the waiting. At the other end is a real session on a pipe in memory, or, in the plain mode, no
//! session at all: then commands go straight to the data, one poll each. Knows no statement.

use std::io;
use std::sync::Arc;

use bytes::BytesMut;
use tokio::io::{AsyncWriteExt, DuplexStream, duplex};

use crate::command::{self, Client, Found, Mistake, Peer, Run, Server, SessionCtx, Spec};
use crate::resp::{Protocol, Reply, ReplyDecoder, Value, encode_request};
use crate::rt::{Rt, step};
use crate::scope::event::Event;
use crate::scope::record;
use crate::session::{Service, read_some, write_some};
use crate::sharing::{Connection, Job, Labels, Share};

/// How much either side may write before the other reads. A request or reply longer than this goes in pieces.
const PIPE_BYTES: usize = 16 * 1024;

/// Commands about the connection or the server that mean the same without a session: they answer the same whoever asks
/// and whatever others do. The rest of their kind is refused in the plain mode.
const WITHOUT_SESSION: [&str; 10] = [
    "ping",
    "echo",
    "select",
    "time",
    "command",
    "command|count",
    "command|docs",
    "command|info",
    "config|get",
    "config|help",
];

/// One open connection.
#[derive(Debug)]
pub(super) enum Link {
    /// To a session, through a pipe.
    Session(Box<Piped>),
    /// To the data.
    Direct(Box<Direct>),
}

impl Link {
    /// Connects the client called `name`: spawns its session, unless it is to be `direct`.
    pub(super) fn open(service: &Service, name: &str, direct: bool) -> Self {
        let peer = Peer { address: name.to_owned(), local_address: "scenario".to_owned() };
        if !direct {
            return Self::Session(Box::new(Piped::open(service, peer)));
        }
        match service.server.connect(peer, service.rt.unix_ms()) {
            Ok(client) => Self::Direct(Box::new(Direct::open(service, name, client))),
            Err(full) => unreachable!("a run has fewer clients than a server takes: {full:?}"),
        }
    }

    /// Sends one request and waits for its reply.
    pub(super) async fn call(&mut self, request: &[impl AsRef<[u8]>]) -> io::Result<Value> {
        match self {
            Self::Session(piped) => piped.call(request).await,
            Self::Direct(direct) => direct.call(request).await,
        }
    }
}

/// A client of a session.
#[derive(Debug)]
pub(super) struct Piped {
    stream: DuplexStream,
    decoder: ReplyDecoder,
    // Both are empty between calls.
    out: BytesMut,
    arrived: BytesMut,
}

impl Piped {
    fn open(service: &Service, peer: Peer) -> Self {
        let (near, far) = duplex(PIPE_BYTES);
        service.spawn(far, peer);
        Self {
            stream: near,
            decoder: ReplyDecoder::default(),
            out: BytesMut::new(),
            arrived: BytesMut::new(),
        }
    }

    async fn call(&mut self, request: &[impl AsRef<[u8]>]) -> io::Result<Value> {
        encode_request(request, &mut self.out);
        self.flush().await?;
        self.reply().await
    }

    async fn flush(&mut self) -> io::Result<()> {
        let bytes = self.out.len() as u32;
        while !self.out.is_empty() {
            write_some(&mut self.stream, &mut self.out).await?;
        }
        self.stream.flush().await?;
        record::record(Event::Write { bytes });
        Ok(())
    }

    async fn reply(&mut self) -> io::Result<Value> {
        loop {
            if let Some(reply) = self.decoder.decode(&mut self.arrived).map_err(io::Error::other)? {
                return Ok(reply);
            }
            if read_some(&mut self.stream, &mut self.arrived).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }
}

/// A client that runs its commands itself, on data it shares with the others.
pub(super) struct Direct {
    client: Client,
    server: Arc<Server>,
    rt: Rt,
    labels: Labels,
    connection: Connection,
    decoder: ReplyDecoder,
    // Empty between calls.
    job: Job,
}

impl std::fmt::Debug for Direct {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Direct").field("client", &self.client).finish_non_exhaustive()
    }
}

impl Direct {
    fn open(service: &Service, name: &str, client: Client) -> Self {
        Self {
            server: Arc::clone(&service.server),
            rt: service.rt.clone(),
            labels: service.sharing.labels().clone(),
            connection: service.sharing.connect_as(name),
            decoder: ReplyDecoder::default(),
            job: Job::new(client.id() as u32, client.protocol()),
            client,
        }
    }

    async fn call(&mut self, request: &[impl AsRef<[u8]>]) -> io::Result<Value> {
        self.job.batch.clear();
        self.job.batch.push(request);
        match command::resolve(self.job.batch.request(0)) {
            Ok(found) => self.run(found).await?,
            Err(mistake) => self.answer_error(mistake),
        }
        let reply = self.decoder.decode(&mut self.job.replies).map_err(io::Error::other)?;
        reply.ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }

    async fn run(&mut self, found: Found) -> io::Result<()> {
        if needs_session(found.spec) {
            let name = found.spec.name.replace('|', " ").to_uppercase();
            self.answer_error(Mistake::from(format!(
                "ERR expected a command that needs no session, for there is none here, found '{name}'"
            )));
            return Ok(());
        }
        // A command on the data is one thing that others can see; what time it is, one that they can change.
        if matches!(found.spec.run, Run::Keyspace(_)) || found.spec.name == "time" {
            step::preempt().await;
        }
        let Run::Session(run) = found.spec.run else {
            self.job.push(0, found);
            while !self.job.is_done() {
                let ran = self.connection.run(&mut self.job).await;
                ran.map_err(|_| io::Error::other("the store's owner is gone"))?;
            }
            self.job.clear();
            if !step::is_asked() {
                // One poll a command elsewhere, too: with a session the reply takes at least that long.
                self.rt.yield_now().await;
            }
            return Ok(());
        };
        record::record(self.labels.start(self.job.client, found));
        let now_ms = self.rt.unix_ms();
        let Self { client, server, job, .. } = self;
        let mut reply = Reply::new(&mut job.replies, Protocol::Resp2);
        let outcome = run(&mut SessionCtx { client, server, now_ms }, job.batch.request(0), &mut reply);
        let failed = outcome.is_err();
        if let Err(mistake) = outcome {
            reply.error(mistake);
        }
        record::record(Event::CommandEnd { failed });
        Ok(())
    }

    fn answer_error(&mut self, mistake: Mistake) {
        Reply::new(&mut self.job.replies, Protocol::Resp2).error(mistake);
    }
}

/// Whether `spec` asks for what only a session has, or about what is counted on all connections.
fn needs_session(spec: &Spec) -> bool {
    match spec.run {
        Run::Session(_) => !WITHOUT_SESSION.contains(&spec.name),
        Run::Keyspace(_) => spec.name == "info",
    }
}
