//! A connected client: what it told about itself and what is known about it.
//!
//! Owns the state a connection has between requests, and the part of it that other connections may list. Knows no
//! socket.

use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::context::Server;
use super::mistake::Mistake;
use super::table::{Found, TABLE};
use super::transactions::Queue;
use crate::resp::Protocol;
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
    watcher: Arc<Watcher>,
    protocol: Protocol,
    database: usize,
    quitting: bool,
    transaction: Option<Box<Queue>>,
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
        let place = Arc::new(Place { server, id: listed.id });
        let watcher = Arc::new(Watcher::default());
        watcher.identify(listed.id);
        Self {
            listed,
            place,
            watcher,
            protocol: Protocol::Resp2,
            database: 0,
            quitting: false,
            transaction: None,
        }
    }

    /// The same client, to be changed elsewhere and put in this one's place.
    pub(super) fn lend(&mut self) -> Self {
        Self {
            listed: Arc::clone(&self.listed),
            place: Arc::clone(&self.place),
            watcher: Arc::clone(&self.watcher),
            transaction: self.transaction.take(),
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
        &self.watcher
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
        self.watcher.forget();
        self.tell_transaction();
    }

    pub(super) fn queue_mut(&mut self) -> Option<&mut Queue> {
        self.transaction.as_deref_mut()
    }

    pub(super) fn take_queue(&mut self) -> Option<Queue> {
        self.transaction.take().map(|queue| *queue)
    }

    /// Lets the list say how many requests are gathered.
    pub(super) fn tell_transaction(&self) {
        let gathered = self.transaction.as_ref().map_or(NO_TRANSACTION, |queue| queue.len() as u32);
        self.listed.gathered.store(gathered, Relaxed);
    }

    pub(super) fn quit(&mut self) {
        self.quitting = true;
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
    peer: Peer,
    connected_ms: u64,
    last_active_ms: AtomicU64,
    last_command: AtomicU32,
    protocol: AtomicU8,
    database: AtomicU32,
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
        Self {
            id,
            peer,
            connected_ms: now_ms,
            last_active_ms: AtomicU64::new(now_ms),
            last_command: AtomicU32::new(NO_COMMAND),
            protocol: AtomicU8::new(Protocol::Resp2.number()),
            database: AtomicU32::new(0),
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

    /// The client in one line, as `CLIENT LIST` prints it, of what Redis prints leaving out what we have not:
    /// file descriptors and buffer sizes.
    pub(super) fn line(&self, now_ms: u64) -> String {
        let Names { name, lib_name, lib_version } = self.names().clone();
        let gathered = self.gathered.load(Relaxed);
        let (flags, multi) = match gathered {
            NO_TRANSACTION if self.waits().is_some() => ("b", -1),
            NO_TRANSACTION => ("N", -1),
            gathered => ("x", i64::from(gathered)),
        };
        let seconds_since = |then: u64| now_ms.saturating_sub(then) / 1000;
        format!(
            "id={} addr={} laddr={} name={name} age={} idle={} flags={flags} db={} sub=0 psub=0 ssub=0 multi={multi} \
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
