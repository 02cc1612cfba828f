//! A connected client: what it told about itself and what is known about it.
//!
//! Owns the state a connection has between requests, and the part of it that other connections may list. Knows no
//! socket.

use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use super::broker::{Message, Subscriptions, Topic};
use super::client_control::Silence;
use super::context::Server;
use super::mistake::Mistake;
use super::table::{Found, TABLE};
use super::transactions::Queue;
use crate::resp::{Protocol, Reply};
use crate::rt::Bell;
use crate::store::{Waiter, Watcher};

/// Both ends of a connection, as text for people: `127.0.0.1:6379`, or whatever names a pipe in the tab.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Peer {
    /// The client's end.
    pub address: String,
    /// The server's end.
    pub local_address: String,
}

/// One connection's state between requests. Made by [`Server::connect`]; dropping it takes the client off the
/// server's list.
#[derive(Debug)]
pub struct Client {
    listed: Arc<Listed>,
    // Whoever drops the last copy takes the client off the list.
    place: Arc<Place>,
    protocol: Protocol,
    database: usize,
    quitting: bool,
    transaction: Option<Box<Queue>>,
    pub(super) silence: Silence,
    pub(super) authenticated: bool,
    /// How long its task is to keep the worker, after this command.
    pub(crate) busy: Option<Duration>,
    // Made when it first listens to something, gone when it listens to nothing. Few clients do.
    subscriptions: Option<Box<Subscriptions>>,
}

/// What reaches a client from others while it waits.
#[derive(Debug)]
pub(crate) enum Call {
    /// A message it listens to.
    Message(Message),
    /// The order to end.
    Killed,
}

/// A client's place on the server's list.
#[derive(Debug)]
struct Place {
    server: Arc<Server>,
    id: u64,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.server.disconnect(self.id);
    }
}

impl Client {
    pub(super) fn new(server: Arc<Server>, listed: Arc<Listed>) -> Self {
        let authenticated = !server.settings.has_password();
        let place = Arc::new(Place { server, id: listed.id });
        Self {
            listed,
            place,
            protocol: Protocol::Resp2,
            database: 0,
            quitting: false,
            transaction: None,
            silence: Silence::None,
            authenticated,
            busy: None,
            subscriptions: None,
        }
    }

    /// The same client, to be changed elsewhere and put in this one's place.
    pub(super) fn lend(&mut self) -> Self {
        Self {
            listed: Arc::clone(&self.listed),
            place: Arc::clone(&self.place),
            transaction: self.transaction.take(),
            subscriptions: self.subscriptions.take(),
            ..*self
        }
    }

    /// The client's number, never used again by another.
    pub fn id(&self) -> u64 {
        self.listed.id
    }

    /// The name it gave itself; empty until it does.
    pub fn name(&self) -> String {
        self.listed.names().name.clone()
    }

    /// The protocol version its replies are written in.
    pub fn protocol(&self) -> Protocol {
        self.protocol
    }

    /// The database its commands mean.
    pub fn database(&self) -> usize {
        self.database
    }

    /// What watches keys for it.
    pub fn watcher(&self) -> &Arc<Watcher> {
        &self.listed.watcher
    }

    /// Whether its requests are gathered until EXEC.
    pub fn is_in_transaction(&self) -> bool {
        self.transaction.is_some()
    }

    /// Whether it asked to leave: close after the reply.
    pub fn is_quitting(&self) -> bool {
        self.quitting
    }

    /// Notes that a command begins. Two relaxed stores: call it for every request.
    pub fn note_command(&self, found: Found, now_ms: u64) {
        self.listed.last_command.store(encode_command(found), Relaxed);
        self.listed.last_active_ms.store(now_ms, Relaxed);
    }

    pub(super) fn set_protocol(&mut self, protocol: Protocol) {
        self.protocol = protocol;
        self.listed.protocol.store(protocol.number(), Relaxed);
    }

    /// Whether it was told to end: by CLIENT KILL, or because it takes its messages too slowly.
    pub fn is_killed(&self) -> bool {
        self.listed.bell.is_rung()
    }

    /// Waits until it is told to end. Cancellation safe.
    pub(crate) async fn killed(&self) {
        self.listed.bell.rung().await;
    }

    /// Whether it is let in, wants replies, has no mailbox and gathers no transaction: whatever else may keep a command from it is the server's.
    #[inline]
    pub(crate) fn is_plain(&self) -> bool {
        self.authenticated
            && self.silence == Silence::None
            && self.subscriptions.is_none()
            && self.transaction.is_none()
    }

    /// A command begins: whether its reply may have to be dropped. Afterwards [`Self::is_silent`] tells.
    #[inline]
    pub(crate) fn begins_silent(&mut self) -> bool {
        if self.silence == Silence::Next {
            self.silence = Silence::This;
        }
        self.silence != Silence::None
    }

    /// The command that began has run: whether its reply is to be dropped.
    pub(crate) fn is_silent(&mut self) -> bool {
        let drop = self.silence != Silence::None;
        if self.silence == Silence::This {
            self.silence = Silence::None;
        }
        drop
    }

    /// The server it is connected to.
    pub(super) fn server(&self) -> &Arc<Server> {
        &self.place.server
    }

    /// Whether it may ask for more than to be let in.
    pub(crate) fn is_let_in(&self) -> bool {
        self.authenticated || !self.place.server.settings.has_password()
    }

    /// Whether messages may come for it.
    pub(crate) fn has_mailbox(&self) -> bool {
        self.subscriptions.is_some()
    }

    /// Whether it listens to channels.
    pub(super) fn listens(&self) -> bool {
        self.has_mailbox() && self.listed.listens()
    }

    /// Whether it looks on at all commands.
    pub(super) fn looks_on(&self) -> bool {
        self.subscription_count(Topic::Everything) > 0
    }

    /// What others have for this client. To be polled by the task that serves it.
    pub(crate) fn poll_call(&mut self, cx: &mut Context<'_>) -> Poll<Call> {
        if self.listed.bell.poll_rung(cx).is_ready() {
            return Poll::Ready(Call::Killed);
        }
        match &mut self.subscriptions {
            Some(subscriptions) => subscriptions.mailbox.poll_take(cx).map(Call::Message),
            None => Poll::Pending,
        }
    }

    /// Writes the messages that lie in the mailbox, until `reply` has grown past `bytes_max` or none is left.
    pub(crate) fn write_messages(&mut self, reply: &mut Reply<'_>, bytes_max: usize) {
        while reply.len() < bytes_max
            && let Some(message) = self.subscriptions.as_mut().and_then(|one| one.mailbox.take_now())
        {
            message.write(reply);
        }
    }

    /// How much it listens to of one kind.
    pub(super) fn subscription_count(&self, topic: Topic) -> usize {
        self.subscriptions.as_ref().map_or(0, |subscriptions| subscriptions.count(topic))
    }

    /// What it listens to, to be changed; afterwards [`Self::settle_subscriptions`].
    pub(super) fn subscriptions(&mut self) -> &mut Subscriptions {
        self.subscriptions
            .get_or_insert_with(|| Box::new(self.place.server.broker.open(&self.place.server, &self.listed)))
    }

    /// Gives the mailbox up if nothing more will come.
    pub(super) fn settle_subscriptions(&mut self) {
        self.subscriptions.take_if(|subscriptions| subscriptions.total() == 0);
    }

    /// Has it listen to nothing; messages that it has not been written are lost.
    pub(crate) fn unsubscribe_all(&mut self) {
        // Dropped, they are given up.
        self.subscriptions = None;
    }

    /// The number is below [`Config::databases`](super::Config::databases).
    pub(super) fn select(&mut self, database: usize) {
        self.database = database;
        self.listed.database.store(database as u32, Relaxed);
    }

    /// Lets others see that it waits, and release it; or that it waits no longer.
    pub(crate) fn wait_with(&self, waiter: Option<Arc<dyn Waiter>>) {
        *self.listed.waits() = waiter;
    }

    pub(super) fn begin_transaction(&mut self) -> Result<(), Mistake> {
        if self.transaction.is_some() {
            return Err(Mistake::new("ERR MULTI calls can not be nested"));
        }
        self.transaction = Some(Box::default());
        self.tell_transaction();
        Ok(())
    }

    /// Forgets what was gathered, and watches nothing any more.
    pub(super) fn discard_transaction(&mut self) {
        self.transaction = None;
        self.listed.watcher.forget();
        self.tell_transaction();
    }

    pub(super) fn queue_mut(&mut self) -> Option<&mut Queue> {
        self.transaction.as_deref_mut()
    }

    pub(super) fn queue(&self) -> Option<&Queue> {
        self.transaction.as_deref()
    }

    pub(super) fn take_queue(&mut self) -> Option<Queue> {
        self.transaction.take().map(|queue| *queue)
    }

    /// Lets the list say how many requests are gathered.
    pub(super) fn tell_transaction(&self) {
        let gathered = self.transaction.as_ref().map_or(NO_TRANSACTION, |queue| queue.len() as u32);
        self.listed.gathered.store(gathered, Relaxed);
    }

    /// Does nothing more for it, which is no client any more for whoever asks.
    pub(crate) fn leave(&mut self) {
        self.unsubscribe_all();
        self.listed.set(Listed::LEFT, true);
    }

    pub(super) fn quit(&mut self) {
        self.quitting = true;
        self.listed.set(Listed::LEFT, true);
    }

    pub(super) fn listed(&self) -> &Listed {
        &self.listed
    }
}

/// The part of a client that others may list. The connection's own task writes the atomics, anyone reads them;
/// none of them orders anything else, so all accesses are relaxed.
#[derive(Debug)]
pub(super) struct Listed {
    pub(super) id: u64,
    pub(super) peer: Peer,
    connected_ms: u64,
    last_active_ms: AtomicU64,
    last_command: AtomicU32,
    protocol: AtomicU8,
    /// How much it listens to, by [`Topic`].
    pub(super) subscriptions: [AtomicU32; 4],
    /// What else it is, see [`Self::NO_EVICT`].
    marks: AtomicU8,
    /// Tells its task to end.
    pub(super) bell: Bell,
    database: AtomicU32,
    // What watches keys for it.
    watcher: Arc<Watcher>,
    // Requests of a transaction under way.
    gathered: AtomicU32,
    // What it waits with.
    waits: Mutex<Option<Arc<dyn Waiter>>>,
    names: Mutex<Names>,
}

/// What a client calls itself.
#[derive(Clone, Debug, Default)]
pub(super) struct Names {
    pub(super) name: String,
    pub(super) lib_name: String,
    pub(super) lib_version: String,
}

/// No transaction is under way.
const NO_TRANSACTION: u32 = u32::MAX;

/// No command yet.
const NO_COMMAND: u32 = u32::MAX;

impl Listed {
    pub(super) fn new(id: u64, peer: Peer, now_ms: u64) -> Self {
        let watcher = Arc::new(Watcher::default());
        watcher.identify(id);
        Self {
            id,
            peer,
            connected_ms: now_ms,
            last_active_ms: AtomicU64::new(now_ms),
            last_command: AtomicU32::new(NO_COMMAND),
            protocol: AtomicU8::new(Protocol::Resp2.number()),
            subscriptions: Default::default(),
            marks: AtomicU8::new(0),
            bell: Bell::default(),
            database: AtomicU32::new(0),
            watcher,
            gathered: AtomicU32::new(NO_TRANSACTION),
            waits: Mutex::default(),
            names: Mutex::default(),
        }
    }

    /// What it waits with, locked. A panic while it was locked leaves it whole, so poison is of no interest.
    pub(super) fn waits(&self) -> MutexGuard<'_, Option<Arc<dyn Waiter>>> {
        self.waits.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The names, locked. A panic while they were locked leaves them whole, so poison is of no interest.
    pub(super) fn names(&self) -> MutexGuard<'_, Names> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A mark: it is not to be ended for its memory.
    pub(super) const NO_EVICT: u8 = 1;
    /// A mark: nothing more is done for it.
    const LEFT: u8 = 2;

    /// Sets or takes away a mark. Only the client's own task does.
    pub(super) fn set(&self, mark: u8, on: bool) {
        let marks = self.marks.load(Relaxed);
        self.marks.store(if on { marks | mark } else { marks & !mark }, Relaxed);
    }

    fn has(&self, mark: u8) -> bool {
        self.marks.load(Relaxed) & mark != 0
    }

    /// The letters by which CLIENT LIST says what it is.
    fn flags(&self) -> String {
        let looks_on = self.subscriptions[Topic::Everything as usize].load(Relaxed) > 0;
        let gathers = self.gathered.load(Relaxed) != NO_TRANSACTION;
        let waits = !gathers && self.waits().is_some();
        let letters = [
            (looks_on, 'O'),
            (self.listens(), 'P'),
            (gathers, 'x'),
            (waits, 'b'),
            (self.watcher.is_dirty(), 'd'),
            (self.has(Self::NO_EVICT), 'e'),
        ];
        let flags: String = letters.iter().filter(|(is, _)| *is).map(|(_, letter)| *letter).collect();
        if flags.is_empty() { "N".to_owned() } else { flags }
    }

    /// Whether it was told to end or has left, and is no client any more for whoever asks, though its connection may take a while to
    /// close.
    pub(super) fn is_gone(&self) -> bool {
        self.bell.is_rung() || self.has(Self::LEFT)
    }

    /// Whether it listens to channels.
    pub(super) fn listens(&self) -> bool {
        self.subscriptions[..Topic::Everything as usize].iter().any(|count| count.load(Relaxed) > 0)
    }

    /// The client in one line, as `CLIENT LIST` prints it, of what Redis prints leaving out what we have not:
    /// file descriptors and buffer sizes.
    pub(super) fn line(&self, now_ms: u64) -> String {
        let Names { name, lib_name, lib_version } = self.names().clone();
        let [channels, patterns, shards, _] = self.subscriptions.each_ref().map(|count| count.load(Relaxed));
        let gathered = self.gathered.load(Relaxed);
        let multi = if gathered == NO_TRANSACTION { -1 } else { i64::from(gathered) };
        let flags = self.flags();
        let seconds_since = |then: u64| now_ms.saturating_sub(then) / 1000;
        format!(
            "id={} addr={} laddr={} name={name} age={} idle={} flags={flags} db={} sub={channels} psub={patterns} \
             ssub={shards} multi={multi} \
             cmd={} user=default redir=-1 resp={} lib-name={lib_name} lib-ver={lib_version}",
            self.id,
            self.peer.address,
            self.peer.local_address,
            seconds_since(self.connected_ms),
            seconds_since(self.last_active_ms.load(Relaxed)),
            self.database.load(Relaxed),
            decode_command(self.last_command.load(Relaxed)),
            self.protocol.load(Relaxed),
        )
    }
}

/// A command's position in the low half, its subcommand's plus one in the high half.
fn encode_command(found: Found) -> u32 {
    let subcommands = TABLE[found.index].subcommands;
    let sub = subcommands.iter().position(|sub| std::ptr::eq(sub, found.spec));
    (sub.map_or(0, |sub| sub as u32 + 1) << 16) | found.index as u32
}

fn decode_command(code: u32) -> &'static str {
    let Some(command) = TABLE.get((code & 0xffff) as usize) else { return "NULL" };
    match (code >> 16).checked_sub(1).and_then(|sub| command.subcommands.get(sub as usize)) {
        Some(sub) => sub.name,
        None => command.name,
    }
}
