//! The description of a command: all that is known about it, said once.
//!
//! Owns the shape of the table's entries and what a command is given to work with. Knows no particular command.

use std::sync::Arc;
use std::time::Duration;

use super::usage::{self, Argument};
use super::{Client, Mistake, Server};
use crate::resp::{Args, Reply, parse_i64};
use crate::store::{FETCHED_TOGETHER, Keyspace, Needed, Watcher, fetch};

/// One command, or one subcommand: the source of its checks, its `COMMAND` entry, its help in the page.
#[derive(Clone, Copy, Debug)]
pub struct Spec {
    /// The name in lower case; a subcommand's has its container in front: `client|id`.
    pub name: &'static str,
    /// What it does, in one line.
    pub summary: &'static str,
    /// What follows the name: `key value [NX | XX]`. Upper-case words stand for themselves, lower-case ones for
    /// what to put there, `[...]` may be left out, `(...)` belongs together, `|` parts alternatives, `...` repeats what
    /// is before it.
    pub usage: &'static str,
    /// The Redis version it first came with.
    pub since: &'static str,
    /// Its family.
    pub group: Group,
    /// How its cost grows.
    pub complexity: &'static str,
    /// How many arguments it takes, the name included (and the container's); `-n` means at least `n`.
    pub arity: i32,
    /// What kind of command it is.
    pub flags: &'static [Flag],
    /// Where its keys are.
    pub keys: KeySpec,
    /// Its subcommands, if it is a container.
    pub subcommands: &'static [Self],
    /// What carries it out.
    pub run: Run,
}

/// A family of commands, as `COMMAND DOCS` groups them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// Any key, whatever it holds.
    Generic,
    /// String values.
    String,
    /// Lists.
    List,
    /// Hashes.
    Hash,
    /// Sets.
    Set,
    /// Sorted sets.
    SortedSet,
    /// Transactions.
    Transactions,
    /// Streams.
    Stream,
    /// The client's own connection.
    Connection,
    /// Channels and who listens to them.
    PubSub,
    /// The server as a whole.
    Server,
}

impl Group {
    /// The name `COMMAND DOCS` gives it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Generic => "generic",
            Self::String => "string",
            Self::List => "list",
            Self::Hash => "hash",
            Self::Set => "set",
            Self::SortedSet => "sorted-set",
            Self::Transactions => "transactions",
            Self::Stream => "stream",
            Self::Connection => "connection",
            Self::PubSub => "pubsub",
            Self::Server => "server",
        }
    }
}

/// A property of a command, as `COMMAND INFO` lists it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flag {
    /// May change data.
    Write,
    /// Reads data and never changes it.
    ReadOnly,
    /// May need more memory.
    DenyOom,
    /// For administrators.
    Admin,
    /// Not for scripts.
    NoScript,
    /// Allowed while data is being loaded.
    Loading,
    /// Allowed while data may be out of date.
    Stale,
    /// Takes constant or logarithmic time.
    Fast,
    /// Allowed before authentication.
    NoAuth,
    /// Allowed while a script blocks the server.
    AllowBusy,
    /// About channels.
    PubSub,
    /// Changes no data, and replicas are told all the same; Redis does not show it.
    MayReplicate,
    /// May let its client wait.
    Blocking,
    /// Not timed by itself: its parts are.
    SkipSlowlog,
    /// Not allowed while data is being loaded in the background.
    NoAsyncLoading,
    /// Costly or destructive enough to think twice; shown as a category, not as a flag.
    Dangerous,
}

impl Flag {
    /// The name `COMMAND INFO` gives it; `None` for what it does not show.
    pub fn name(self) -> Option<&'static str> {
        Some(match self {
            Self::Write => "write",
            Self::ReadOnly => "readonly",
            Self::DenyOom => "denyoom",
            Self::Admin => "admin",
            Self::NoScript => "noscript",
            Self::Loading => "loading",
            Self::Stale => "stale",
            Self::Fast => "fast",
            Self::NoAuth => "no_auth",
            Self::AllowBusy => "allow_busy",
            Self::PubSub => "pubsub",
            Self::Blocking => "blocking",
            Self::SkipSlowlog => "skip_slowlog",
            Self::NoAsyncLoading => "no_async_loading",
            Self::MayReplicate | Self::Dangerous => return None,
        })
    }
}

/// How a command's keys are found among its arguments.
#[derive(Clone, Copy, Debug)]
pub enum KeySpec {
    /// It has none and does not look at the keyspace.
    None,
    /// It names none and looks at the whole keyspace.
    All,
    /// From position `first` to `last` (negative: counted from the end, -1 the last one), every `step`-th.
    Range {
        /// The first key's position; the name's is 0.
        first: usize,
        /// The last key's position.
        last: i32,
        /// From one key to the next.
        step: usize,
    },
    /// The first argument is a key to which something else is done than to those from the second to `last` (negative: counted
    /// from the end).
    FirstApart {
        /// The last key's position.
        last: i32,
    },
    /// The argument at `count` says how many keys follow it; those of a STORE form write to another one before it.
    Counted {
        /// The position of the number of keys.
        count: usize,
        /// The position of the key that the result goes to.
        destination: Option<usize>,
    },
    /// They follow a word, and as many other arguments follow them.
    AfterWord {
        /// The word.
        word: &'static str,
        /// No option before this position is the word.
        from: usize,
        /// Finds them.
        keys: fn(Args<'_>) -> Keys,
    },
    /// The first argument is one; whether there are others depends on the arguments after it.
    FirstAndComputed(fn(Args<'_>) -> Keys),
    /// It depends on the other arguments.
    Computed(fn(Args<'_>) -> Keys),
}

impl KeySpec {
    /// The first argument is the only key.
    pub(super) const ONE: Self = Self::Range { first: 1, last: 1, step: 1 };
    /// All arguments are keys.
    pub(super) const EVERY: Self = Self::Range { first: 1, last: -1, step: 1 };
    /// The first two arguments are keys, and each is something else.
    pub(super) const TWO: Self = Self::FirstApart { last: 2 };
    /// Keys and values take turns.
    pub(super) const PAIRS: Self = Self::Range { first: 1, last: -1, step: 2 };
}

/// The keys of one request: which stores it needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keys {
    /// None.
    None,
    /// All of them.
    All,
    /// Those of the arguments at these positions: `first`, `first + step`, up to and including `last`; and the one at
    /// `besides`.
    Some {
        /// One more key's position.
        besides: Option<usize>,
        /// The first key's position; the name's is 0.
        first: usize,
        /// No key's position is above this.
        last: usize,
        /// From one key to the next.
        step: usize,
    },
}

impl Keys {
    /// The keys themselves, in the order of the arguments; none for [`Keys::None`] and [`Keys::All`].
    pub fn iter(self, args: Args<'_>) -> impl Iterator<Item = &[u8]> {
        let (besides, first, last, step) = match self {
            Self::Some { besides, first, last, step } => (besides, first, last, step),
            // An empty range.
            Self::None | Self::All => (None, 1, 0, 1),
        };
        let (before, after) = match besides {
            Some(position) if position > last => (None, besides),
            _ => (besides, None),
        };
        let positions = before.into_iter().chain((first..=last).step_by(step)).chain(after);
        positions.filter_map(move |position| args.get(position))
    }
}

/// How many keys follow the argument at `count`, which says so.
///
/// # Errors
/// When it is no number above zero, or there are not that many arguments.
pub(super) fn counted(args: Args<'_>, count: usize) -> Result<usize, Miscounted> {
    let keys = args.get(count).and_then(parse_i64).ok_or(Miscounted::NoNumber)?;
    if keys < 1 {
        return Err(Miscounted::NotPositive);
    }
    usize::try_from(keys).ok().filter(|keys| *keys < args.len() - count).ok_or(Miscounted::TooMany)
}

/// What is wrong with a number of keys. Each command has words of its own for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Miscounted {
    NoNumber,
    NotPositive,
    TooMany,
}

/// Most words of a request that brings elements and is short, its name and key among them.
const SHORT_WORDS_MAX: usize = 8;

impl Spec {
    /// Whether its cost does not grow with anything.
    pub(super) const fn is_constant_time(&self) -> bool {
        matches!(self.complexity.as_bytes(), b"O(1)")
    }

    /// Whether a request of so many words takes next to no time: its cost does not grow with anything, or hardly with anything but
    /// what it brings along to be kept, and that is little.
    pub(crate) fn is_short(&self, words: impl FnOnce() -> usize) -> bool {
        self.is_constant_time()
            // A stream may be trimmed, too.
            || self.group != Group::Stream
                && self.has(Flag::Fast)
                && self.has(Flag::DenyOom)
                && words() <= SHORT_WORDS_MAX
    }

    /// The key of a request for a command that has one and no more, its first argument: of most. `None` leaves it to
    /// [`Self::keys`].
    #[inline]
    pub(crate) fn only_key<'a>(&self, args: Args<'a>) -> Option<&'a [u8]> {
        if matches!(self.keys, KeySpec::Range { first: 1, last: 1, .. }) { args.get(1) } else { None }
    }

    /// The element of its key's collection that a request is most likely about, if it names one: a field, or a member.
    #[inline]
    pub(crate) fn element<'a>(&self, args: Args<'a>) -> Option<&'a [u8]> {
        match self.group {
            Group::Hash | Group::Set => args.get(2),
            // Scores and options come before members.
            Group::SortedSet => args.get(args.len() - 1),
            _ => None,
        }
    }

    /// Which keys a request touches. The request must have passed [`resolve`](super::resolve).
    pub fn keys(&self, args: Args<'_>) -> Keys {
        match self.keys {
            KeySpec::None => Keys::None,
            KeySpec::All => Keys::All,
            KeySpec::Range { first, last, step } => {
                let last = if last < 0 { args.len() as i32 + last } else { last };
                Keys::Some { besides: None, first, last: last as usize, step }
            }
            KeySpec::FirstApart { last } => {
                Self { keys: KeySpec::Range { first: 1, last, step: 1 }, ..*self }.keys(args)
            }
            KeySpec::Counted { count, destination } => match counted(args, count) {
                Ok(keys) => {
                    Keys::Some { besides: destination, first: count + 1, last: count + keys, step: 1 }
                }
                // The command will say what is wrong before it looks at any key.
                Err(_) => Keys::None,
            },
            KeySpec::AfterWord { keys, .. } | KeySpec::FirstAndComputed(keys) | KeySpec::Computed(keys) => {
                keys(args)
            }
        }
    }

    /// Its arguments, read from its usage.
    pub fn arguments(&self) -> Vec<Argument> {
        usage::arguments(self.usage)
    }

    /// Whether it has this flag.
    pub fn has(&self, flag: Flag) -> bool {
        self.flags.contains(&flag)
    }

    /// Whether it may change data or is passed on to replicas: what CLIENT PAUSE … WRITE holds up.
    pub(crate) fn may_write(&self) -> bool {
        self.has(Flag::Write) || self.has(Flag::MayReplicate)
    }

    /// Whether a request of `len` arguments, names included, has the right number.
    pub fn takes(&self, len: usize) -> bool {
        let needed = self.arity.unsigned_abs() as usize;
        if self.arity < 0 { len >= needed } else { len == needed }
    }
}

/// What carries a command out.
///
/// `Err` means that nothing was written: the caller writes the mistake as the reply.
#[derive(Clone, Copy, Debug)]
pub enum Run {
    /// A command that needs the connection and the server alone; run it where the connection is served.
    Session(fn(&mut SessionCtx<'_>, Args<'_>, &mut Reply<'_>) -> Outcome),
    /// A command that needs the keyspace; run it where the store is reached.
    Keyspace(fn(&mut Ctx<'_>, Args<'_>, &mut Reply<'_>) -> Outcome),
    /// A command on the keyspace that may have to wait. It looks at the key given besides alone, if one is: somebody has
    /// changed that key, and no other is locked but those it moves to.
    Blocking(Try),
    /// EXEC: carry out the [`Transaction`](super::Transaction) that the client has gathered where the store is reached.
    Exec,
    /// The table only tells of commands: the crate was built without the feature `serve`, for a page that need not hold the
    /// code of them all.
    #[cfg(not(feature = "serve"))]
    Untold,
}

impl Run {
    /// What a command about the connection or the server does.
    pub(super) const fn session(run: fn(&mut SessionCtx<'_>, Args<'_>, &mut Reply<'_>) -> Outcome) -> Self {
        #[cfg(feature = "serve")]
        return Self::Session(run);
        #[cfg(not(feature = "serve"))]
        {
            let _ = run;
            Self::Untold
        }
    }

    /// What a command on the keyspace does that may have to wait.
    pub(super) const fn blocking(run: Try) -> Self {
        #[cfg(feature = "serve")]
        return Self::Blocking(run);
        #[cfg(not(feature = "serve"))]
        {
            let _ = run;
            Self::Untold
        }
    }

    /// What EXEC does.
    pub(super) const fn exec() -> Self {
        #[cfg(feature = "serve")]
        return Self::Exec;
        #[cfg(not(feature = "serve"))]
        Self::Untold
    }

    /// What a command on the keyspace does.
    pub(super) const fn keyspace(run: fn(&mut Ctx<'_>, Args<'_>, &mut Reply<'_>) -> Outcome) -> Self {
        #[cfg(feature = "serve")]
        return Self::Keyspace(run);
        #[cfg(not(feature = "serve"))]
        {
            let _ = run;
            Self::Untold
        }
    }
}

/// Whether a reply was written, or what to write instead.
pub type Outcome = Result<(), Mistake>;

/// Carries a command out that may have to wait: what for, if it does, and then nothing was written.
pub type Try = fn(&mut Ctx<'_>, Args<'_>, Option<&[u8]>, &mut Reply<'_>) -> Result<Option<Wait>, Mistake>;

/// What a command that found nothing waits for.
#[derive(Clone, Debug)]
pub struct Wait {
    /// How long; `None`: for ever.
    pub timeout: Option<Duration>,
    /// For which keys to have something.
    pub keys: Keys,
    /// Whether it answers a null array where it may not wait, in a transaction. After its time has passed every command
    /// does.
    pub null_array: bool,
    /// What it is to be called with in place of some arguments, by their positions, when it is called again: they stood for
    /// something that will have changed by then.
    pub settled: Vec<(usize, Box<[u8]>)>,
    /// Whether it is called again as well when a key it waits for is there no more.
    pub minds_absence: bool,
}

/// What a command about the connection or the server works with.
#[derive(Debug)]
pub struct SessionCtx<'a> {
    /// The client that asks.
    pub client: &'a mut Client,
    /// The server it is connected to.
    pub server: &'a Server,
    /// Milliseconds since the Unix epoch.
    pub now_ms: u64,
}

/// What a command about data works with.
pub struct Ctx<'a> {
    /// The stores its [keys](Spec::keys) are in.
    pub keyspace: &'a mut dyn Keyspace,
    /// The database that is [selected](Keyspace::select) there.
    pub database: usize,
    /// Milliseconds since the Unix epoch.
    pub now_ms: u64,
    /// Where chance comes from.
    pub random: &'a mut fastrand::Rng,
    /// The server's limits and statistics.
    pub server: &'a Server,
    /// The client, as stores know it.
    pub watcher: &'a Arc<Watcher>,
}

impl Ctx<'_> {
    /// Calls `f` with each of `items`, having fetched from memory what looking up their keys needs: of several at once, while
    /// each on its own would be waited for.
    // MSET of ten out of a million keys takes a fifth less CPU time, and so holds its locks for less.
    pub(super) fn each_key<'k, T>(
        &mut self,
        items: impl Iterator<Item = T> + Clone,
        key: impl Fn(&T) -> &'k [u8],
        mut f: impl FnMut(&mut Self, T),
    ) {
        // WebAssembly is sent to the page: there it is not worth its bytes.
        let several = !cfg!(target_family = "wasm") && items.clone().nth(1).is_some();
        let mut ahead = items.clone();
        for (index, item) in items.enumerate() {
            if several && index.is_multiple_of(FETCHED_TOGETHER) {
                let need = ahead.clone().map(|item| Needed { key: key(&item), element: None });
                let keyspace = &*self.keyspace;
                fetch(need.filter_map(|needed| Some((keyspace.peek(needed.key)?, needed))));
                ahead.nth(FETCHED_TOGETHER - 1);
            }
            f(self, item);
        }
    }
}
