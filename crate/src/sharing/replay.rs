//! The log, read again: the same commands give the same data.
//!
//! Owns how an entry is carried out, and how data is written as a snapshot. Knows no file: whoever reads one hands over
//! its records.

use std::sync::Arc;

use bytes::BytesMut;

use crate::command::{Config, Ctx, Flag, Run, Server, resolve};
use crate::log::Draft;
use crate::log::entry::{DATABASES_MAX, Entry, Key, Next, Piece, Unreadable};
use crate::resp::{Limits, Protocol, Reply};
use crate::store::{Keyspace, Value, Watcher};

/// Carries out what the log says.
///
/// ```
/// use interleave::log::Draft;
/// use interleave::log::entry::Ran;
/// use interleave::log::frame::{self, Records};
/// use interleave::sharing::Replay;
/// use interleave::store::{Databases, Value};
///
/// let mut draft = Draft::default();
/// draft.command(1_000, Ran::default(), [&b"INCR"[..], b"hits"].into_iter());
/// draft.close();
/// frame::seal(draft.records(), 7);
/// let mut records = Records::new(7);
/// records.feed(draft.records());
/// let (mut replay, mut store) = (Replay::new(), Databases::default());
/// while let Some(content) = records.read_next().unwrap() {
///     replay.apply(content, &mut store).unwrap();
/// }
/// assert_eq!(store.selected().get(b"hits", 1_000).unwrap().value, Value::Int(1));
/// ```
#[derive(Debug)]
pub struct Replay {
    server: Arc<Server>,
    /// The client that stands for all who were there.
    watcher: Arc<Watcher>,
    replies: BytesMut,
    commands: u64,
    refused: u64,
    keys: u64,
    ended: bool,
}

impl Replay {
    /// Nothing was read yet.
    #[must_use]
    pub fn new() -> Self {
        // What was done once is done again, whatever this server's limits are.
        let limits = Limits {
            arguments: usize::MAX,
            bulk_bytes: u32::MAX as usize,
            request_bytes: usize::MAX,
            ..Limits::default()
        };
        let server = Server::new(Config { limits, databases: DATABASES_MAX, ..Config::default() }, 0, 0);
        Self {
            server: Arc::new(server),
            watcher: Arc::default(),
            replies: BytesMut::new(),
            commands: 0,
            refused: 0,
            keys: 0,
            ended: false,
        }
    }

    /// How many commands were carried out.
    #[must_use]
    pub fn commands(&self) -> u64 {
        self.commands
    }

    /// How many of them were answered with an error. They were not when they were written: there should be none, unless
    /// another version wrote the log.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.refused
    }

    /// Whether a snapshot was read to its end. It is not whole before that.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.ended
    }

    /// Carries out what the record with this content says, all of it or nothing.
    ///
    /// # Errors
    /// When that cannot be understood.
    pub fn apply(&mut self, content: &[u8], keyspace: &mut dyn Keyspace) -> Result<(), Unreadable> {
        match Entry::parse(content)? {
            Entry::Commands(mut commands) => {
                let now_ms = commands.now_ms;
                while let Some(next) = commands.read_next()? {
                    self.run(&next, now_ms, keyspace)?;
                }
            }
            Entry::Piece(piece) => self.put(piece, keyspace)?,
            Entry::End { keys } => {
                if keys != self.keys {
                    return Err(Unreadable);
                }
                self.ended = true;
            }
        }
        Ok(())
    }

    fn run(&mut self, next: &Next<'_>, now_ms: u64, keyspace: &mut dyn Keyspace) -> Result<(), Unreadable> {
        let Next { ran, args } = *next;
        let found = resolve(args).map_err(|_| Unreadable)?;
        let mut random = fastrand::Rng::with_seed(ran.seed.unwrap_or_default());
        let (database, server, watcher) = (ran.database, &*self.server, &self.watcher);
        keyspace.select(database);
        let mut ctx = Ctx { keyspace, database, now_ms, random: &mut random, server, watcher };
        let mut reply = Reply::new(&mut self.replies, Protocol::Resp2);
        let done = match found.spec.run {
            // Only earlier versions wrote that down, of clients that had waited.
            Run::Keyspace(_) | Run::Blocking(_) if !found.spec.has(Flag::Write) => return Ok(()),
            Run::Keyspace(run) => run(&mut ctx, args, &mut reply).is_ok(),
            // It did not wait any more.
            Run::Blocking(run) => matches!(run(&mut ctx, args, ran.served, &mut reply), Ok(None)),
            _ => return Err(Unreadable),
        };
        self.commands += 1;
        self.refused += u64::from(!done);
        self.replies.clear();
        Ok(())
    }

    fn put(&mut self, piece: Piece<'_>, keyspace: &mut dyn Keyspace) -> Result<(), Unreadable> {
        let (key, parts) = (piece.key, piece.parts()?);
        if parts.is_empty() {
            // No key holds nothing.
            return Err(Unreadable);
        }
        let store = keyspace.shard_of(key.name).of(key.database);
        // At the beginning of time no key has expired: whether one has is for the commands that come after to find out.
        let value = if piece.continued {
            store.value_mut(key.name, 0).ok_or(Unreadable)?
        } else {
            self.keys += 1;
            let value = Value::of_layout(piece.layout).ok_or(Unreadable)?;
            store.insert(key.name, value, key.expires_ms);
            store.value_mut(key.name, 0).ok_or(Unreadable)?
        };
        value.add_parts(&parts).map_err(|_| Unreadable)
    }
}

impl Default for Replay {
    fn default() -> Self {
        Self::new()
    }
}

/// Writes all of `keyspace` as a snapshot: into a draft that is handed to `write` whenever it holds `bytes` bytes or
/// more, and at the end; how many keys there were. Keys that have expired are written, too: the log behind the snapshot
/// says when they go.
///
/// # Errors
/// The first that `write` returns.
pub fn snapshot<E>(
    keyspace: &mut dyn Keyspace,
    bytes: usize,
    mut write: impl FnMut(&mut Draft) -> Result<(), E>,
) -> Result<u64, E> {
    let mut draft = Draft::default();
    let mut keys = 0;
    for index in 0..keyspace.count() {
        let databases = keyspace.shard(index).stores().enumerate();
        let entries = databases.flat_map(|(database, store)| {
            let store = &*store;
            (0..store.len())
                .filter_map(move |position| store.at(position))
                .map(move |entry| (database, entry))
        });
        for (database, (name, entry)) in entries {
            let key = Key { database, name, expires_ms: entry.expires_ms() };
            let (layout, in_group) = (entry.value.layout(), entry.value.parts_in_group());
            draft.piece(key, layout, false);
            let (mut parts, mut result) = (0, Ok(()));
            entry.value.parts(|part| {
                if result.is_ok() && parts % in_group == 0 && draft.is_full() {
                    draft.close();
                    result = write_if(&mut draft, bytes, &mut write);
                    draft.piece(key, layout, true);
                }
                parts += 1;
                draft.part(part);
            });
            draft.close();
            result?;
            write_if(&mut draft, bytes, &mut write)?;
            keys += 1;
        }
    }
    draft.end(keys);
    write(&mut draft)?;
    Ok(keys)
}

/// Hands `draft` to `write` if it holds `bytes` bytes.
fn write_if<E>(
    draft: &mut Draft,
    bytes: usize,
    write: &mut impl FnMut(&mut Draft) -> Result<(), E>,
) -> Result<(), E> {
    if draft.len() >= bytes {
        write(draft)?;
        draft.clear();
    }
    Ok(())
}
