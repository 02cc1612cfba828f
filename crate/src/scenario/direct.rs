//! A client without a session: its commands go straight to the data, one poll each.
//!
//! Owns which commands make sense that way. The way to the data is the sharing's own. Knows no statement and no byte of a
//! request.

use std::fmt;
use std::io;
use std::sync::Arc;

use crate::command::{self, Client, Found, Mistake, Peer, Run, Server, SessionCtx, Spec};
use crate::resp::{Protocol, Reply, ReplyDecoder, Value};
use crate::rt::{Rt, ledger, step};
use crate::scope::event::Event;
use crate::scope::record;
use crate::session::Service;
use crate::sharing::{Connection, Job, Labels, Share};

/// Commands about the connection or the server that mean the same without a session: they answer the same whoever asks
/// and whatever others do. The rest of their kind is refused in the plain mode.
const WITHOUT_SESSION: [&str; 13] = [
    "ping",
    "echo",
    "select",
    "multi",
    "discard",
    "unwatch",
    "time",
    "command",
    "command|count",
    "command|docs",
    "command|info",
    "config|get",
    "config|help",
];

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

impl fmt::Debug for Direct {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Direct").field("client", &self.client).finish_non_exhaustive()
    }
}

impl Direct {
    /// Connects the client called `name`.
    pub(super) fn open(service: &Service, name: &str, peer: Peer) -> Self {
        let client = service.server.connect(peer, service.rt.unix_ms());
        let client = client
            .unwrap_or_else(|full| unreachable!("a run has fewer clients than a server takes: {full:?}"));
        // Who it is must not depend on who was connected before.
        client.watcher().identify(ledger::digest(name));
        Self {
            server: Arc::clone(&service.server),
            rt: service.rt.clone(),
            labels: service.sharing.labels().clone(),
            connection: service.sharing.connect_as(name),
            decoder: ReplyDecoder::default(),
            job: Job::new(&client),
            client,
        }
    }

    /// Carries one request out.
    pub(super) async fn call(&mut self, request: &[impl AsRef<[u8]>]) -> io::Result<Value> {
        self.job.batch.clear();
        self.job.batch.push(request);
        match command::resolve(self.job.batch.request(0)) {
            Ok(found) if needs_session(found.spec) => {
                let name = found.spec.name.replace('|', " ").to_ascii_uppercase();
                self.refuse(Mistake::from(format!(
                    "ERR expected a command that needs no session, for there is none here, found '{name}'"
                )));
            }
            Ok(found) => {
                let request = self.job.batch.request(0);
                match self.client.gather(found, request, &self.server.config.limits) {
                    Some(Ok(())) => Reply::new(&mut self.job.replies, Protocol::Resp2).simple("QUEUED"),
                    Some(Err(mistake)) => self.answer_error(mistake),
                    None => self.run(found).await?,
                }
            }
            Err(mistake) => self.refuse(mistake),
        }
        let reply = self.decoder.decode(&mut self.job.replies).map_err(io::Error::other)?;
        reply.ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }

    async fn run(&mut self, found: Found) -> io::Result<()> {
        // A command on the data is one thing that others can see; what time it is, one that they can change.
        if !matches!(found.spec.run, Run::Session(_)) || found.spec.name == "time" {
            step::preempt().await;
        }
        let Run::Session(run) = found.spec.run else {
            if matches!(found.spec.run, Run::Exec) {
                match self.client.end_transaction() {
                    Ok(transaction) => self.job.transaction = Some(Box::new(transaction)),
                    Err(mistake) => {
                        self.answer_error(mistake);
                        return Ok(());
                    }
                }
            }
            self.job.push(0, found);
            while !self.job.is_done() {
                let ran = self.connection.run(&mut self.job).await;
                ran.map_err(|_| io::Error::other("the store's owner is gone"))?;
            }
            self.job.clear();
            if let Some(transaction) = self.job.transaction.take() {
                self.client = transaction.into_client();
                self.job.database = self.client.database();
            }
            if let Some(mut blocked) = self.job.blocked.take() {
                match blocked.ended(&self.rt).await {
                    Some(answer) => self.job.replies.extend_from_slice(&answer),
                    None => Reply::new(&mut self.job.replies, Protocol::Resp2).null_array(),
                }
            }
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
        job.database = client.database();
        record::record(Event::CommandEnd { failed });
        Ok(())
    }

    /// Answers that a request will not be carried out, which spoils a transaction under way.
    fn refuse(&mut self, mistake: Mistake) {
        let mistake = self.client.refuse(self.job.batch.request(0), mistake);
        self.answer_error(mistake);
    }

    fn answer_error(&mut self, mistake: Mistake) {
        Reply::new(&mut self.job.replies, Protocol::Resp2).error(mistake);
    }
}

/// Whether `spec` asks for what only a session has, or about what is counted on all connections.
fn needs_session(spec: &Spec) -> bool {
    match spec.run {
        Run::Session(_) => !WITHOUT_SESSION.contains(&spec.name),
        _ => matches!(spec.name, "info" | "config|resetstat"),
    }
}
