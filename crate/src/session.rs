//! Serving one client, from its first byte to its last.
//!
//! The same async function over a TCP socket, a WebSocket and an in-memory pipe: read what has arrived, run every
//! complete request in it, write all replies at once, wait for more. Owns that loop and its time-outs. Knows neither
//! where the bytes come from nor how the data is shared.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::sync::watch;

use crate::command::{
    self, Call, Calls, Client, Found, Mistake, Outcome, Peer, Run, Server, SessionCtx, Slow,
};
use crate::resp::{Args, Decoder, Protocol, Reply};
use crate::rt::{JoinHandle, Rt, step};
use crate::scope::event::Event;
use crate::scope::record;
use crate::sharing::{Connection, Job, REPLY_BYTES_MAX, Share, Sharing, Standing};

mod blocked;
mod questions;
mod stream;
mod transaction;

use stream::read_into_spare;
pub(crate) use stream::{read_some, write_some};

/// A reply buffer that one large reply has grown past this many bytes is given back.
const REPLY_CAPACITY_KEPT: usize = 256 * 1024;

/// How long a client that was told to end may hold up the end of its task: it may be one that reads nothing.
const KILLED_PATIENCE: Duration = Duration::from_millis(500);

/// What a session is given besides its client. Cheap to clone; every session has one.
#[derive(Clone, Debug)]
pub struct Service {
    /// The data, and how connections share it.
    pub sharing: Sharing,
    /// What all connections of one server have in common.
    pub server: Arc<Server>,
    /// The runtime the sessions run on.
    pub rt: Rt,
    /// How long a request may stay half-arrived before the connection is closed.
    pub unfinished_timeout: Duration,
    /// How long a client may be silent before the connection is closed; `None`: for ever.
    pub idle_timeout: Option<Duration>,
    /// Turns true when the server stops: sessions answer what has arrived and end. False when the service is made.
    pub stop: watch::Receiver<bool>,
}

impl Service {
    /// Spawns the task that serves `stream`, called `client N`.
    ///
    /// When there are too many clients the task says so to this one and ends.
    #[track_caller]
    pub fn spawn<S>(&self, stream: S, peer: Peer) -> JoinHandle<()>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        match self.server.connect(peer, self.rt.unix_ms()) {
            Ok(client) => self.rt.spawn("client", client.id() as u32, serve(stream, client, self.clone())),
            Err(full) => self.rt.spawn("turned away", 0, turn_away(stream, full)),
        }
    }

    /// Spawns the task that removes expired keys, called `active expiry`. It ends when the server stops.
    #[track_caller]
    pub fn spawn_expiry(&self) -> JoinHandle<()> {
        let Self { sharing, stop, .. } = self;
        let (sharing, stop) = (sharing.clone(), stop.clone());
        self.rt.spawn("active expiry", 0, async move {
            tokio::select! {
                biased;
                () = stopped(stop) => {}
                () = sharing.expire_actively() => {}
            }
        })
    }
}

/// Waits until the server stops. Cancellation safe.
async fn stopped(mut stop: watch::Receiver<bool>) {
    // The sender gone means the server is gone.
    let _ = stop.wait_for(|stop| *stop).await;
}

/// Serves one client until it leaves, breaks the protocol, is silent too long, or the server stops.
///
/// Cancelled, it drops the connection where it stands; a command that has begun is carried out.
pub async fn serve<S>(stream: S, client: Client, service: Service)
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    let mut session = Session {
        stream,
        decoder: Decoder::new(service.server.config.limits),
        arrived: BytesMut::new(),
        job: Job::new(&client),
        connection: service.sharing.connect(),
        name: String::new(),
        silent: false,
        client,
        service,
    };
    // A client that goes away in the middle is an everyday event, told by the end of its task.
    let _ = session.run().await;
    // However long it takes to close.
    session.client.leave();
    if session.client.is_killed() {
        let rt = session.service.rt.clone();
        let _ = rt.timeout(KILLED_PATIENCE, session.stream.shutdown()).await;
    } else {
        let _ = session.stream.shutdown().await;
    }
    if !session.name.is_empty() {
        record::client_name(session.client.id() as u32, "");
    }
}

/// Tells a client that it cannot be served, and why.
async fn turn_away<S: AsyncWrite + Unpin>(mut stream: S, why: Mistake) {
    let mut error = BytesMut::new();
    Reply::new(&mut error, Protocol::Resp2).error(why);
    // It may be gone already, which is just as well.
    let _ = stream.write_all(&error).await;
    let _ = stream.shutdown().await;
}

/// Why a session ended.
enum End {
    /// The client closed the connection, or asked us to.
    Left,
    /// Nothing, or nothing whole, arrived in time.
    Silent,
    /// The server stops.
    Stopped,
    /// It was told to.
    Killed,
}

struct Session<S> {
    stream: S,
    client: Client,
    // What the client called itself last.
    name: String,
    // What the job in progress answers is dropped.
    silent: bool,
    service: Service,
    decoder: Decoder,
    // What has arrived and is not a whole request yet.
    arrived: BytesMut,
    // Reused from batch to batch.
    job: Job,
    connection: Connection,
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Session<S> {
    async fn run(&mut self) -> io::Result<End> {
        // One wait for the whole session: to begin and end one with every read took 3 % of the CPU time of GET without pipelining.
        let mut stopped = pin!(stopped(self.service.stop.clone()));
        loop {
            self.decoder.set_strange(!self.client.is_let_in());
            let decoded = self.decoder.decode(&mut self.arrived, &mut self.job.batch);
            self.run_batch().await?;
            self.take_messages();
            // Behind a QUIT nothing is looked at.
            if let Err(violation) = decoded
                && !self.client.is_quitting()
            {
                // What was whole before it has been answered; what comes after it cannot be understood.
                Reply::new(&mut self.job.replies, self.client.protocol()).error(violation.text());
                self.write().await?;
                return Ok(End::Left);
            }
            self.write().await?;
            if self.client.is_quitting() {
                return Ok(End::Left);
            }
            if self.client.is_killed() {
                return Ok(End::Killed);
            }
            // A pipeline longer than one batch has more to run before there is anything to wait for.
            if self.job.batch.is_empty()
                && let Some(end) = self.read(stopped.as_mut()).await?
            {
                return Ok(end);
            }
        }
    }

    /// Runs the requests of the batch in order: those about the connection here, those about the data where it is.
    async fn run_batch(&mut self) -> io::Result<()> {
        // Mostly, all that arrived has been answered: not worth a look at the clock.
        if self.job.batch.is_empty() {
            return Ok(());
        }
        let now_ms = self.service.rt.unix_ms();
        for index in 0..self.job.batch.len() {
            match command::resolve(self.job.batch.request(index)) {
                // Nearly all: what is to be run where the data is, of a client of whom nothing special is known.
                Ok(found)
                    if matches!(found.spec.run, Run::Keyspace(_) | Run::Blocking(_)) && self.is_plain() =>
                {
                    self.client.note_command(found, now_ms);
                    self.job.push(index, found);
                }
                Ok(found) => {
                    self.run_found(index, found, now_ms).await?;
                    if self.client.is_quitting() {
                        return Ok(());
                    }
                }
                Err(mistake) => {
                    self.run_job().await?;
                    if is_http(self.job.batch.request(index)) {
                        return Err(io::Error::new(io::ErrorKind::InvalidData, "expected RESP, found HTTP"));
                    }
                    self.refuse_unknown(index, mistake).await?;
                }
            }
        }
        self.service
            .server
            .counters
            .served()
            .commands
            .fetch_add(self.job.batch.len() as u64, Ordering::Relaxed);
        self.run_job().await
    }

    /// Takes over what a command has changed about the client.
    fn tell_client(&mut self) {
        let Self { job, client, name, service, .. } = self;
        if let Some(busy) = client.busy.take() {
            service.rt.compute(busy, || true);
        }
        (job.protocol, job.database) = (client.protocol(), client.database());
        let named = client.name();
        if *name != named {
            record::client_name(job.client, &named);
            *name = named;
        }
    }

    /// Runs the requests gathered for the keyspace.
    async fn run_job(&mut self) -> io::Result<()> {
        while !self.job.is_done() {
            let (standing, logged) = (self.job.standing(), self.job.logged);
            self.connection
                .run(&mut self.job)
                .await
                .map_err(|_| io::Error::other("the store's owner is gone"))?;
            if self.job.logged > logged {
                self.settle(standing).await;
            }
            if let Some(blocked) = self.job.blocked.take() {
                self.wait(blocked).await?;
            } else if self.silent && self.job.is_full() {
                self.job.replies.clear();
            } else if self.job.is_full() {
                self.write().await?;
            }
        }
        self.job.clear();
        Ok(())
    }

    /// Waits until the log is as safe as it is to be before the client is answered. If that cannot be, no command that
    /// ran since the job stood there is said to have succeeded.
    async fn settle(&mut self, since: Standing) {
        let Some(log) = self.service.server.log() else { return };
        if let Err(failing) = log.settle(self.job.logged).await {
            self.job.refuse_since(since, &Mistake::log_fails(&failing));
        }
    }

    /// Runs a command that needs the connection only.
    fn run_here(
        &mut self,
        index: usize,
        found: Found,
        run: impl FnOnce(&mut SessionCtx<'_>, Args<'_>, &mut Reply<'_>) -> Outcome,
        now_ms: u64,
    ) {
        let Self { job, client, service, .. } = self;
        record::record(service.sharing.labels().start(job.client, found));
        let began_ns = service.rt.now_ns();
        let mut reply = Reply::new(&mut job.replies, job.protocol);
        let mut ctx = SessionCtx { client, server: &service.server, now_ms };
        let outcome = run(&mut ctx, job.batch.request(index), &mut reply);
        let failed = outcome.is_err();
        if let Err(mistake) = outcome {
            service.server.errors.count(&mistake);
            reply.error(mistake);
        }
        self.tell_client();
        let Self { job, client, service, .. } = self;
        let took_ns = service.rt.now_ns().saturating_sub(began_ns);
        let calls = Calls { calls: 1, failed: failed.into(), took_ns: Some(took_ns) };
        service.server.calls.count(found, calls);
        if took_ns >= service.server.settings.slower_than_ns() {
            let (args, now_ms) = (job.batch.request(index), service.rt.unix_ms());
            let slow = Slow { spec: found.spec, args, with: 0, took_ns };
            service.server.log_slow(client.id(), &slow, now_ms);
        }
        record::record(Event::CommandEnd { failed });
    }

    /// Writes the messages that came for the client behind the replies, as many as go out together.
    fn take_messages(&mut self) {
        if self.client.has_mailbox() {
            let mut reply = Reply::new(&mut self.job.replies, self.client.protocol());
            self.client.write_messages(&mut reply, REPLY_BYTES_MAX);
        }
    }

    /// How long the client may be silent: as the host chose, or as was set since.
    fn idle_timeout(&self) -> Option<Duration> {
        match self.service.server.settings.idle_timeout_s() {
            None => self.service.idle_timeout,
            Some(0) => None,
            Some(seconds) => Some(Duration::from_secs(seconds)),
        }
    }

    /// Waits for bytes, for what others have for the client, or until the server is `stopped`; says why nothing more will come.
    async fn read(&mut self, stopped: Pin<&mut impl Future<Output = ()>>) -> io::Result<Option<End>> {
        if self.is_stopped() {
            return Ok(Some(End::Stopped));
        }
        let patience = if self.decoder.is_midway(&self.arrived) {
            Some(self.service.unfinished_timeout)
        } else if self.client.has_mailbox() {
            // Who listens has nothing to say.
            step::preempt().await;
            None
        } else {
            self.idle_timeout()
        };
        let Self { stream, arrived, client, job, service, .. } = self;
        let Service { rt, server, .. } = service;
        let reading = read_into_spare(stream, arrived);
        let reading = async {
            match patience {
                Some(patience) => rt.timeout(patience, reading).await,
                None => Some(reading.await),
            }
        };
        tokio::select! {
            // In order: what has arrived is answered even when the server stops, and a run repeats.
            biased;
            read = reading => match read {
                Some(read) => {
                    let bytes = read?;
                    server.counters.served().bytes_in.fetch_add(bytes as u64, Ordering::Relaxed);
                    Ok((bytes == 0).then_some(End::Left))
                }
                None => Ok(Some(End::Silent)),
            },
            call = poll_fn(|cx| client.poll_call(cx)) => match call {
                Call::Killed => Ok(Some(End::Killed)),
                Call::Message(message) => {
                    message.write(&mut Reply::new(&mut job.replies, client.protocol()));
                    Ok(None)
                }
            },
            () = stopped => Ok(Some(End::Stopped)),
        }
    }

    /// Whether the server has been told to stop. The value is behind a lock that all sessions share, so it is looked at only
    /// where there is a new one.
    fn is_stopped(&self) -> bool {
        let stop = &self.service.stop;
        stop.has_changed().unwrap_or(true) && *stop.borrow()
    }

    /// Writes the replies, waiting for a client that takes them slowly: meanwhile nothing of its is read.
    async fn write(&mut self) -> io::Result<()> {
        let replies = &mut self.job.replies;
        if replies.is_empty() {
            return Ok(());
        }
        let bytes = replies.len();
        let stream = &mut self.stream;
        let writing = async {
            while !replies.is_empty() {
                write_some(stream, replies).await?;
            }
            stream.flush().await
        };
        tokio::select! {
            biased;
            written = writing => written?,
            // It may be one that reads nothing.
            () = self.client.killed() => return Err(io::ErrorKind::ConnectionAborted.into()),
        }
        self.service.server.counters.served().bytes_out.fetch_add(bytes as u64, Ordering::Relaxed);
        record::record(Event::Write { bytes: u32::try_from(bytes).unwrap_or(u32::MAX) });
        if replies.capacity() > REPLY_CAPACITY_KEPT {
            *replies = BytesMut::new();
        }
        Ok(())
    }
}

/// Whether the request is a line of HTTP. A page from anywhere can make its reader's browser post to this port: the
/// headers would be so many unknown commands, and the body whatever commands the page likes. Redis closes without a
/// word, too.
fn is_http(request: Args<'_>) -> bool {
    [&b"post"[..], b"host:"].iter().any(|line| request.name().eq_ignore_ascii_case(line))
}

#[cfg(test)]
mod tests;
