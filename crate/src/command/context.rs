//! The server as its commands see it: settings, the list of clients, counters.
//!
//! Owns what all connections share besides the keyspace. Knows no socket and no clock: the host tells the time.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use litemap::LiteMap;

use super::broker::Broker;
use super::call_stats::CallStats;
use super::client::{Client, Listed, Peer};
use super::errors::Errors;
use super::memory_limit::MemoryLimit;
use super::mistake::Mistake;
use super::pause::Pause;
use super::settings::Settings;
use super::slow_log::SlowLog;
use super::striped::Striped;
use crate::log::Log;
use crate::resp::Limits;
use crate::rt::Room;
use crate::store::Policy;

/// The Redis whose replies are ours. Clients ask for it to know which commands they may use.
pub(super) const REDIS_VERSION: &str = "7.0.15";

/// How a server is set up.
#[derive(Clone, Debug)]
pub struct Config {
    /// What one connection may send.
    pub limits: Limits,
    /// Most clients at a time, at first. Redis: 10,000.
    pub max_clients: usize,
    /// Whether the system lets the host have so many clients at a time; how many it does, if fewer. Asked when more are to be let in.
    pub permit_clients: fn(usize) -> Result<(), u64>,
    /// How many databases there are; at least 1. Redis: 16.
    pub databases: usize,
    /// The TCP port of the Redis protocol; 0 where there is none.
    pub port: u16,
    /// How much may wait for one client that listens to channels. One for which more does is disconnected: it takes its messages
    /// too slowly, and nobody waits for it.
    pub messages: Room,
    /// Most channels and patterns that one client may listen to.
    pub subscriptions_max: usize,
    /// Where the server says what whoever runs it should know, a line at a time. It may be called under locks: it must not wait.
    pub log: fn(&str),
    /// What clients must say to be let in, at first; empty: nothing.
    pub password: String,
    /// Commands that take longer, in microseconds, are logged as slow, at first; below 0: none.
    pub slower_than_us: i64,
    /// How many of them are kept, at first.
    pub slow_log_len: usize,
    /// What CONFIG GET says how long a client may be silent, in seconds, until it is changed: the host's own setting of it is
    /// a [`Service`](crate::session::Service)'s.
    pub idle_timeout_s: u64,
    /// Most bytes the data may take, at first; 0: as many as there are.
    pub maxmemory: u64,
    /// What is evicted when that is not enough, at first.
    pub maxmemory_policy: Policy,
    /// How many keys the one to evict is chosen from, at first; at least 1.
    pub maxmemory_samples: u32,
    /// Further settings `CONFIG GET` shows, by name.
    pub settings: Vec<(String, String)>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            max_clients: 10_000,
            permit_clients: |_| Ok(()),
            databases: 16,
            port: 0,
            // As many bytes as Redis's `client-output-buffer-limit pubsub`.
            messages: Room { messages: 256 << 10, bytes: 32 << 20 },
            subscriptions_max: 1 << 20,
            log: |_| {},
            password: String::new(),
            slower_than_us: 10_000,
            slow_log_len: 128,
            idle_timeout_s: 0,
            maxmemory: 0,
            maxmemory_policy: Policy::NoEviction,
            maxmemory_samples: 5,
            settings: Vec::new(),
        }
    }
}

/// What the server counts. The host adds to them; none orders anything else, so all accesses are relaxed.
#[derive(Debug, Default)]
pub struct Counters {
    pub(super) served: Striped<Served>,
    /// Resident memory in bytes; 0 where the host cannot tell.
    pub resident_bytes: AtomicU64,
    /// How long processors have worked for this process, in microseconds; 0 where the host cannot tell.
    pub user_us: AtomicU64,
    /// How long the system has done so on its behalf, in microseconds; 0 where the host cannot tell.
    pub system_us: AtomicU64,
    pub(super) connections: AtomicU64,
    pub(super) rejected: AtomicU64,
    /// Clients that took their messages too slowly.
    pub(super) too_slow: AtomicU64,
}

/// What the sessions polled by one thread count.
#[derive(Debug, Default)]
pub(crate) struct Served {
    /// Requests carried out, mistakes included. Add once a batch.
    pub(crate) commands: AtomicU64,
    /// Bytes read from clients. Add once a read.
    pub(crate) bytes_in: AtomicU64,
    /// Bytes written to clients. Add once a flush.
    pub(crate) bytes_out: AtomicU64,
}

impl Counters {
    /// Where a session on this thread counts.
    #[inline]
    pub(crate) fn served(&self) -> &Served {
        self.served.own()
    }

    /// Counts from 0 again, but for what is there now.
    pub(super) fn reset(&self) {
        let Self { served, connections, rejected, too_slow, .. } = self;
        let served = served.iter().flat_map(|one| [&one.commands, &one.bytes_in, &one.bytes_out]);
        for count in served.chain([connections, rejected, too_slow]) {
            count.store(0, Relaxed);
        }
    }
}

/// What all connections share besides the keyspace. Make one, put it in an [`Arc`], and [connect](Server::connect)
/// clients to it.
#[derive(Debug)]
pub struct Server {
    /// How it is set up.
    pub config: Config,
    /// What it counts.
    pub counters: Counters,
    /// Where what is done to the data is written down, if it is.
    log: Option<Log>,
    started_ms: u64,
    run_id: String,
    /// Who listens to which channel.
    pub(super) broker: Broker,
    /// Whether clients are to wait.
    pub(crate) pause: Pause,
    /// What can be changed while it runs.
    pub(crate) settings: Settings,
    /// How much memory the data may take.
    pub(crate) memory: MemoryLimit,
    /// The last commands that took long.
    pub(crate) slow_log: SlowLog,
    /// What clients did wrong.
    pub(crate) errors: Errors,
    /// What they asked for, and how long that took.
    pub(crate) calls: CallStats,
    next_client: AtomicU64,
    /// Touched when a client comes, goes, or asks for the list; never per command.
    clients: Mutex<LiteMap<u64, Arc<Listed>>>,
}

impl Server {
    /// A server that starts at `now_ms` (since the Unix epoch). `seed` makes the run's name: anything that differs
    /// from run to run.
    pub fn new(config: Config, now_ms: u64, seed: u64) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let run_id = (0..40).map(|_| random.digit(16)).collect();
        Self {
            broker: Broker::new(config.messages),
            pause: Pause::default(),
            settings: Settings::new(&config),
            memory: MemoryLimit::new(&config),
            slow_log: SlowLog::new(config.slow_log_len),
            errors: Errors::default(),
            calls: CallStats::default(),
            next_client: AtomicU64::new(0),
            config,
            counters: Counters::default(),
            log: None,
            started_ms: now_ms,
            run_id,
            clients: Mutex::default(),
        }
    }

    /// The same server, with a log of what is done to the data.
    #[must_use]
    pub fn with_log(self, log: Log) -> Self {
        Self { log: Some(log), ..self }
    }

    /// The log of what is done to the data, if there is one.
    pub fn log(&self) -> Option<&Log> {
        self.log.as_ref()
    }

    /// Lets a client in and puts it on the list.
    ///
    /// # Errors
    /// When there are as many as there may be, `maxclients`: the error to write before closing.
    pub fn connect(self: &Arc<Self>, peer: Peer, now_ms: u64) -> Result<Client, Mistake> {
        let mut clients = self.clients();
        if clients.len() >= self.settings.max_clients.load(Relaxed) {
            self.counters.rejected.fetch_add(1, Relaxed);
            return Err(Mistake::new("ERR max number of clients reached"));
        }
        self.counters.connections.fetch_add(1, Relaxed);
        let id = self.next_client.fetch_add(1, Relaxed) + 1;
        let listed = Arc::new(Listed::new(id, peer, now_ms));
        clients.insert(id, Arc::clone(&listed));
        drop(clients);
        Ok(Client::new(Arc::clone(self), listed))
    }

    /// Whether something is to be asked before a command of any client: all wait, or somebody looks on.
    #[inline]
    pub(crate) fn has_questions(&self) -> bool {
        self.pause.is_on() || self.broker.is_watched()
    }

    /// How many clients are connected.
    pub fn connected_clients(&self) -> usize {
        self.clients().len()
    }

    /// How many of them wait for a key to have something.
    pub(super) fn waiting_clients(&self) -> usize {
        self.clients().values().filter(|client| client.waits().is_some()).count()
    }

    pub(super) fn disconnect(&self, id: u64) {
        self.clients().remove(&id);
    }

    /// The list of clients by id, locked. A panic while it was locked leaves it whole, so poison is of no interest.
    pub(super) fn clients(&self) -> MutexGuard<'_, LiteMap<u64, Arc<Listed>>> {
        self.clients.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn started_ms(&self) -> u64 {
        self.started_ms
    }

    pub(super) fn run_id(&self) -> &str {
        &self.run_id
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(max_clients: usize) -> Arc<Server> {
        Arc::new(Server::new(Config { max_clients, ..Config::default() }, 1_000, 7))
    }

    #[test]
    fn clients_come_and_go() {
        let server = server(2);
        let peer = Peer { address: "pipe:1".to_owned(), local_address: "tab".to_owned() };
        let first = server.connect(peer, 1_000).unwrap();
        let second = server.connect(Peer::default(), 1_000).unwrap();
        assert_eq!((first.id(), second.id(), server.connected_clients()), (1, 2, 2));
        let refused = server.connect(Peer::default(), 1_000).map(|client| client.id());
        assert_eq!(refused, Err(Mistake::new("ERR max number of clients reached")));
        drop(first);
        assert_eq!(server.connect(Peer::default(), 1_000).unwrap().id(), 3, "no number is given twice");
        assert_eq!(server.connected_clients(), 1);
        drop(second);
        assert_eq!(server.connected_clients(), 0);
    }

    #[test]
    fn a_client_in_one_line() {
        let server = server(1);
        let peer = Peer { address: "pipe:1".to_owned(), local_address: "tab".to_owned() };
        let client = server.connect(peer, 1_000).unwrap();
        client.listed().names().name = "alice".to_owned();
        let mut batch = crate::resp::Batch::default();
        batch.push(&["client", "list"]);
        client.note_command(crate::command::resolve(batch.request(0)).unwrap(), 3_500);
        insta::assert_snapshot!(client.listed().line(5_000), @"id=1 addr=pipe:1 laddr=tab name=alice age=4 idle=1 flags=N db=0 sub=0 psub=0 ssub=0 multi=-1 cmd=client|list user=default redir=-1 resp=2 lib-name= lib-ver=");
    }

    #[test]
    fn runs_have_names_of_forty_hexadecimal_digits() {
        let name = server(1).run_id().to_owned();
        assert_eq!(name.len(), 40);
        assert!(name.bytes().all(|byte| byte.is_ascii_hexdigit()));
    }
}
