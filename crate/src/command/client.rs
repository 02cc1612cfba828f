//! A connected client: what it told about itself and what is known about it.
//!
//! Owns the state a connection has between requests, and the part of it that other connections may list. Knows no
//! socket.

use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::context::Server;
use super::table::{Found, TABLE};
use crate::resp::Protocol;

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
    server: Arc<Server>,
    listed: Arc<Listed>,
    protocol: Protocol,
    database: usize,
    quitting: bool,
}

impl Client {
    pub(super) fn new(server: Arc<Server>, listed: Arc<Listed>) -> Self {
        Self { server, listed, protocol: Protocol::Resp2, database: 0, quitting: false }
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

    pub(super) fn quit(&mut self) {
        self.quitting = true;
    }

    pub(super) fn listed(&self) -> &Listed {
        &self.listed
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.server.disconnect(self.listed.id);
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
    names: Mutex<Names>,
}

/// What a client calls itself.
#[derive(Clone, Debug, Default)]
pub(super) struct Names {
    pub(super) name: String,
    pub(super) lib_name: String,
    pub(super) lib_version: String,
}

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
            names: Mutex::default(),
        }
    }

    /// The names, locked. A panic while they were locked leaves them whole, so poison is of no interest.
    pub(super) fn names(&self) -> MutexGuard<'_, Names> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The client in one line, as `CLIENT LIST` prints it, of what Redis prints leaving out what we have not:
    /// file descriptors and buffer sizes.
    pub(super) fn line(&self, now_ms: u64) -> String {
        let Names { name, lib_name, lib_version } = self.names().clone();
        let seconds_since = |then: u64| now_ms.saturating_sub(then) / 1000;
        format!(
            "id={} addr={} laddr={} name={name} age={} idle={} flags=N db={} sub=0 psub=0 ssub=0 multi=-1 \
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
