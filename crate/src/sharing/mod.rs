//! How connections share the store: the same commands, five ways to reach the data.
//!
//! | way | how | what it teaches |
//! | --- | --- | --- |
//! | [`isolated`] | a store for every connection | why state must be shared at all: the last item sells twice |
//! | [`mutex`] | one `std::sync::Mutex`, never held across `.await` | the simple answer |
//! | [`async_mutex`] | one `tokio::sync::Mutex`, held across an `.await` if asked to | when it is needed, what it costs |
//! | [`sharded`] | one mutex for each part of the keyspace | lock striping; the fast default |
//! | [`actor`] | one task owns the store; requests and replies are messages | message passing, back-pressure |
//!
//! Knows the commands and the runtime's door; knows no connection and no byte of the protocol beyond replies.

mod actor;
mod async_mutex;
mod blocking;
mod isolated;
mod job;
mod journal;
mod memory;
mod mirror;
mod mutex;
mod replay;
mod sharded;
mod stores;
mod transaction;

use std::fmt;
use std::future::Future;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::command::Server;
use crate::rt::{Answers, Rt, ledger};

pub(crate) use self::blocking::Blocked;
use self::job::Executor;
pub(crate) use self::job::{Job, Labels, REPLY_BYTES_MAX, Standing};
pub use self::mirror::{MIRROR_CHARS_MAX, MIRROR_KEYS_MAX, Mirror, Mirrored, MirroredKey};
pub use self::replay::{Replay, snapshot};
pub use self::stores::Stores;

/// Which way connections share the store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A store for every connection.
    Isolated,
    /// One `std::sync::Mutex` around the store.
    Mutex,
    /// One `tokio::sync::Mutex` around the store.
    AsyncMutex,
    /// One `std::sync::Mutex` for each shard of the keyspace.
    #[default]
    Sharded,
    /// One task owns the store and is sent requests.
    Actor,
}

impl Kind {
    /// All of them, from the simplest on.
    pub const ALL: [Self; 5] = [Self::Isolated, Self::Mutex, Self::AsyncMutex, Self::Sharded, Self::Actor];

    /// Its name in flags, in the page and in the trace.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Isolated => "isolated",
            Self::Mutex => "mutex",
            Self::AsyncMutex => "async-mutex",
            Self::Sharded => "sharded",
            Self::Actor => "actor",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A name that is no [`Kind`]'s.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownKind(String);

impl fmt::Display for UnknownKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "expected {}, found '{}'", Kind::ALL.map(Kind::name).join(", "), self.0)
    }
}

impl std::error::Error for UnknownKind {}

impl FromStr for Kind {
    type Err = UnknownKind;

    fn from_str(name: &str) -> Result<Self, UnknownKind> {
        Self::ALL.into_iter().find(|kind| kind.name() == name).ok_or_else(|| UnknownKind(name.to_owned()))
    }
}

/// What can be chosen besides the [`Kind`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Shards of the keyspace under [`Kind::Sharded`]; at least 1. Few are enough for one worker; several meet less
    /// often the more there are, and what needs all the data takes longer.
    pub shards: usize,
    /// Messages that may wait for the owner under [`Kind::Actor`]; then senders wait. At least 1.
    pub actor_queue: usize,
    /// How long [`Kind::AsyncMutex`] goes on holding the lock, across an `.await`, after the commands have run: 0
    /// but to show what that does to everybody else.
    pub hold: Duration,
    /// Where random choices start (RANDOMKEY, expiry samples). The same seed, the same choices.
    pub seed: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self { shards: 64, actor_queue: 1024, hold: Duration::ZERO, seed: 0 }
    }
}

/// Time between two rounds of active expiry, as Redis's `hz 10` has it.
pub const EXPIRE_EVERY: Duration = Duration::from_millis(100);

/// Time until active expiry looks again when no key expires at all: it is the only task that runs on an idle server, and
/// fills its timeline. Until then the first keys to expire are removed when somebody asks for them, and whoever reads a stream for a
/// group is told so late that its time has come.
pub const EXPIRE_LOOK_EVERY: Duration = Duration::from_secs(1);

/// The task that owns the store is gone, or has given up on this job: nothing can be served any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OwnerGone;

/// One connection's way to the data.
pub(crate) trait Share {
    /// Runs requests of `job` in order until all have run, or until its replies should be written first.
    ///
    /// A command that has begun is carried out whether or not the future is dropped; its reply is lost then.
    fn run(&mut self, job: &mut Job) -> impl Future<Output = Result<(), OwnerGone>> + Send;
}

/// The data and the way to it. Cheap to clone; all clones are the same data.
#[derive(Clone, Debug)]
pub struct Sharing {
    kind: Kind,
    options: Options,
    rt: Rt,
    server: Arc<Server>,
    labels: Labels,
    // Each has random choices of its own, and all repeat with the seed.
    executors: Arc<AtomicU64>,
    // What those who wait are answered.
    answers: Answers,
    mirror: Option<Arc<Mirror>>,
    data: Data,
}

#[derive(Clone, Debug)]
enum Data {
    Isolated,
    Mutex(mutex::Shared),
    AsyncMutex(async_mutex::Shared),
    Sharded(sharded::Shared),
    Actor(actor::Owner),
}

/// One connection's [`Share`], whichever it is.
pub(crate) enum Connection {
    Isolated(isolated::Connection),
    Mutex(mutex::Connection),
    AsyncMutex(async_mutex::Connection),
    Sharded(sharded::Connection),
    Actor(actor::Connection),
}

impl Sharing {
    /// An empty store. [`Kind::Actor`] spawns the task that owns it.
    ///
    /// # Panics
    /// Outside a Tokio runtime; or if an option is below its minimum.
    #[must_use]
    pub fn new(kind: Kind, options: Options, rt: &Rt, server: &Arc<Server>) -> Self {
        Self::build(kind, options, rt, server, Stores::new(kind, &options), None)
    }

    /// The same, over data that is there already: `stores` made for this kind and these options.
    ///
    /// # Panics
    /// As [`Self::new`].
    #[must_use]
    pub fn over(stores: Stores, kind: Kind, options: Options, rt: &Rt, server: &Arc<Server>) -> Self {
        Self::build(kind, options, rt, server, stores, None)
    }

    /// The same, with a copy of the keys that can be looked at whoever holds the store.
    ///
    /// # Panics
    /// As [`Self::new`].
    #[must_use]
    pub fn mirrored(kind: Kind, options: Options, rt: &Rt, server: &Arc<Server>) -> (Self, Arc<Mirror>) {
        let mirror = Arc::new(Mirror::new(kind == Kind::Isolated));
        let stores = Stores::new(kind, &options);
        (Self::build(kind, options, rt, server, stores, Some(Arc::clone(&mirror))), mirror)
    }

    fn build(
        kind: Kind,
        options: Options,
        rt: &Rt,
        server: &Arc<Server>,
        mut stores: Stores,
        mirror: Option<Arc<Mirror>>,
    ) -> Self {
        let labels = Labels::new();
        let answers = Answers::new("element");
        if server.log().is_some() {
            for shard in stores.iter_mut() {
                shard.keep_vanished();
                // What was read from the log is in it.
                shard.take_changed();
            }
        }
        let memory = &server.memory;
        for shard in stores.iter_mut() {
            shard.keep_up(memory.upkeep(), memory.version());
            memory.used().fetch_add(shard.weight_change() as u64, Ordering::Relaxed);
        }
        let data = match kind {
            Kind::Isolated => Data::Isolated,
            Kind::Mutex => Data::Mutex(mutex::Shared::new(stores.into_one())),
            Kind::AsyncMutex => Data::AsyncMutex(async_mutex::Shared::new(stores.into_one(), options.hold)),
            Kind::Sharded => Data::Sharded(sharded::Shared::new(stores.into_all())),
            Kind::Actor => {
                let executor = Executor::new(&labels, rt, server, &answers, mirror.as_ref(), options.seed);
                Data::Actor(actor::Owner::spawn(rt, executor, stores.into_one(), options.actor_queue))
            }
        };
        let (rt, server) = (rt.clone(), Arc::clone(server));
        Self { kind, options, rt, server, labels, executors: Arc::default(), answers, mirror, data }
    }

    /// Which way this is.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The numbers of the commands' names in events.
    pub(crate) fn labels(&self) -> &Labels {
        &self.labels
    }

    /// A connection's own way to the data.
    pub(crate) fn connect(&self) -> Connection {
        self.connect_with(self.executor())
    }

    /// The way to the data of the connection called `name`, whose random choices do not depend on when it is opened.
    pub(crate) fn connect_as(&self, name: &str) -> Connection {
        let seed = ledger::digest((name, self.options.seed));
        self.connect_with(self.executor_with(seed))
    }

    fn connect_with(&self, executor: Executor) -> Connection {
        match &self.data {
            Data::Isolated => Connection::Isolated(isolated::Connection::new(executor.private())),
            Data::Mutex(shared) => Connection::Mutex(shared.connect(executor)),
            Data::AsyncMutex(shared) => Connection::AsyncMutex(shared.connect(executor)),
            Data::Sharded(shared) => Connection::Sharded(shared.connect(executor)),
            Data::Actor(owner) => Connection::Actor(owner.connect(&self.labels)),
        }
    }

    /// Removes expired keys that nobody asks for, a sample every [`EXPIRE_EVERY`], for as long as it is polled. Isolated
    /// stores are left alone: each belongs to its connection.
    pub async fn expire_actively(&self) {
        let mut executor = self.executor();
        loop {
            let any_expire = match &self.data {
                Data::Isolated => return,
                Data::Mutex(shared) => shared.expire(&mut executor),
                Data::AsyncMutex(shared) => shared.expire(&mut executor).await,
                Data::Sharded(shared) => shared.expire(&mut executor),
                Data::Actor(owner) => owner.expire().await,
            };
            self.rt.sleep(if any_expire { EXPIRE_EVERY } else { EXPIRE_LOOK_EVERY }).await;
        }
    }

    fn executor(&self) -> Executor {
        let number = self.executors.fetch_add(1, Ordering::Relaxed) + 1;
        let seed = self.options.seed.wrapping_add(number);
        self.executor_with(seed)
    }

    fn executor_with(&self, seed: u64) -> Executor {
        let Self { labels, rt, server, answers, mirror, .. } = self;
        Executor::new(labels, rt, server, answers, mirror.as_ref(), seed)
    }
}

impl Share for Connection {
    async fn run(&mut self, job: &mut Job) -> Result<(), OwnerGone> {
        match self {
            Self::Isolated(connection) => connection.run(job).await,
            Self::Mutex(connection) => connection.run(job).await,
            Self::AsyncMutex(connection) => connection.run(job).await,
            Self::Sharded(connection) => connection.run(job).await,
            Self::Actor(connection) => connection.run(job).await,
        }
    }
}
