//! The append-only log on disk: read when the server starts, written while it runs, compacted when it has grown.
//!
//! Owns the thread that does the writing and when the log is compacted. What a record says and why replaying it gives
//! the same data is told in `interleave::log`; which commands are written, in `interleave::sharing`.
//!
//! 1. [`Durability::open`] reads the log and makes the data again, before any client is let in.
//! 2. Whoever runs a command appends it to the [`Log`] while it holds the data.
//! 3. The thread of [`Durability::run`] takes all that was appended, writes it at once, and has it reach the disk when
//!    the policy says so. Under `always` clients wait for that, all who came meanwhile for the same `fsync`.

mod files;
mod load;
mod rewrite;
mod writer;

use std::fmt;
use std::fs::File;
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use interleave::log::frame::START_BYTES;
use interleave::log::read::{ReadError, read_salt};
use interleave::log::{Fsync, Log};
use interleave::sharing::Stores;
use tracing::{error, info, warn};

use self::files::{Folder, Manifest, Name};
use self::rewrite::Rewrite;
use self::writer::Writer;

/// Time between two tries to write what could not be written.
const RETRY_EVERY: Duration = Duration::from_millis(100);

/// How often somebody looks whether the log is compacted, while it is.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Time from a compaction that failed to the next that nobody asked for.
const REWRITE_PAUSE: Duration = Duration::from_secs(60);

/// Time to write the rest of the log when the server ends and writing fails.
const LAST_TRY: Duration = Duration::from_secs(2);

/// When the log is compacted without being asked: Redis's `auto-aof-rewrite-percentage` and `-min-size`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AutoRewrite {
    /// By how many percent it must have grown since the last time; 0: never.
    pub(crate) percentage: u64,
    /// How many bytes it must have.
    pub(crate) min_bytes: u64,
}

/// The log's files, and what keeps them up.
#[derive(Debug)]
pub(crate) struct Durability {
    log: Log,
    folder: Folder,
    manifest: Manifest,
    writer: Writer<File>,
    auto_rewrite: AutoRewrite,
    /// Bytes of all files but the one that grows.
    older_bytes: u64,
    /// Bytes of that one.
    last_bytes: u64,
    rewrite: Option<Rewrite>,
    failed_at: Option<Instant>,
}

impl Durability {
    /// Takes the folder and fills `stores` with what the log in it says; begins a log if there is none.
    pub(crate) fn open(
        path: &Path,
        fsync: Fsync,
        auto_rewrite: AutoRewrite,
        stores: &mut Stores,
    ) -> Result<Self, OpenError> {
        let (folder, found) = Folder::open(path)?;
        let system = |error| OpenError::System { path: path.to_owned(), error };
        let (manifest, file, salt) = match found {
            Some(manifest) => {
                let began = Instant::now();
                let replay = load::load(&folder, &manifest, stores)?;
                let (commands, took) = (replay.commands(), began.elapsed());
                info!("read the log in {}: {commands} commands in {took:?}", path.display());
                let last = folder.path_of(*manifest.logs.last().expect("a manifest has a log"));
                let salt = File::open(&last).and_then(read_salt).map_err(system)?;
                let salt =
                    salt.ok_or(OpenError::Damaged { path: last.clone(), offset: 0, is_last: false })?;
                (manifest, File::options().append(true).open(&last).map_err(system)?, salt)
            }
            None => {
                let mut manifest = Manifest::default();
                let salt = salt(path);
                let file = rewrite::rotate(&folder, &mut manifest, salt).map_err(system)?;
                info!("began a log in {}", path.display());
                (manifest, file, salt)
            }
        };
        let sizes = || -> io::Result<(u64, u64)> {
            let size = |name: &Name| folder.path_of(*name).metadata().map(|metadata| metadata.len());
            let all: Vec<Name> = manifest.names().collect();
            let (last, older) = all.split_last().expect("a manifest has a log");
            Ok((older.iter().map(size).sum::<io::Result<u64>>()?, size(last)?))
        };
        let (older_bytes, last_bytes) = sizes().map_err(system)?;
        let log = Log::new(fsync);
        log.figures().base_bytes.store(older_bytes + last_bytes, Relaxed);
        let writer = Writer::new(log.clone(), file, salt);
        let (rewrite, failed_at) = (None, None);
        let durability =
            Self { log, folder, manifest, writer, auto_rewrite, older_bytes, last_bytes, rewrite, failed_at };
        durability.tell_size();
        Ok(durability)
    }

    /// What those append to who run commands.
    pub(crate) fn log(&self) -> &Log {
        &self.log
    }

    /// Writes until the log is closed and everything is on the disk, or cannot be.
    pub(crate) fn run(mut self) {
        let mut spare = Vec::new();
        loop {
            let patience = if self.rewrite.is_some() { LOOK_EVERY } else { Duration::MAX };
            let taken = self.log.take(patience.min(self.writer.patience()), spare);
            spare = self.writer.take(taken.records, taken.end);
            self.work();
            let until = Instant::now() + LAST_TRY;
            while !self.writer.is_done() {
                if self.writer.is_lost() || (self.log.is_closed() && Instant::now() > until) {
                    error!("the last of the log was not written");
                    return self.wait_for_end();
                }
                std::thread::sleep(RETRY_EVERY);
                self.work();
            }
            if self.rewrite.as_ref().is_some_and(Rewrite::is_over) {
                self.finish_rewrite();
            }
            if taken.closed {
                break;
            }
            if self.rewrite.is_none() && (taken.rewrite || self.has_grown()) {
                self.begin_rewrite();
            }
        }
        self.writer.sync();
    }

    /// Nothing is written any more, and no command may change data; whoever waits is told so.
    fn wait_for_end(self) {
        while !self.log.take(Duration::MAX, Vec::new()).closed {}
    }

    fn work(&mut self) {
        let written = self.writer.work();
        if written > 0 {
            self.last_bytes += written as u64;
            self.tell_size();
        }
    }

    fn tell_size(&self) {
        self.log.figures().size_bytes.store(self.older_bytes + self.last_bytes, Relaxed);
    }

    /// Whether it is time to compact the log though nobody asked.
    fn has_grown(&self) -> bool {
        let AutoRewrite { percentage, min_bytes } = self.auto_rewrite;
        let base = self.log.figures().base_bytes.load(Relaxed).max(1);
        let size = self.older_bytes + self.last_bytes;
        percentage > 0
            && size >= min_bytes
            && size.saturating_sub(base).saturating_mul(100) / base >= percentage
            && self.failed_at.is_none_or(|at| at.elapsed() >= REWRITE_PAUSE)
    }

    fn begin_rewrite(&mut self) {
        let figures = self.log.figures();
        figures.rewrites_now.store(true, Relaxed);
        if !self.writer.sync() {
            figures.rewrites_now.store(false, Relaxed);
            return;
        }
        let salt = salt(self.folder.path_of(self.manifest.logs[0]).as_path());
        let begun = rewrite::rotate(&self.folder, &mut self.manifest, salt).and_then(|file| {
            self.writer.change(file, salt);
            self.older_bytes += self.last_bytes;
            self.last_bytes = START_BYTES as u64;
            Rewrite::begin(&self.folder, &self.manifest, salt)
        });
        match begun {
            Ok(rewrite) => {
                info!("compacting the log, {} bytes", self.older_bytes);
                self.rewrite = Some(rewrite);
            }
            Err(error) => self.rewrite_failed(&OpenError::Snapshot(error)),
        }
        self.tell_size();
    }

    fn finish_rewrite(&mut self) {
        let Some(rewrite) = self.rewrite.take() else { return };
        match rewrite.finish(&self.folder, &mut self.manifest) {
            Ok(bytes) => {
                info!("compacted the log from {} bytes to {bytes}", self.older_bytes);
                self.older_bytes = bytes;
                self.failed_at = None;
                let figures = self.log.figures();
                figures.base_bytes.store(self.older_bytes + self.last_bytes, Relaxed);
                figures.rewrites.fetch_add(1, Relaxed);
                figures.rewrite_failed.store(false, Relaxed);
                figures.rewrites_now.store(false, Relaxed);
            }
            Err(error) => self.rewrite_failed(&error),
        }
        self.tell_size();
    }

    fn rewrite_failed(&mut self, error: &OpenError) {
        warn!("the log was not compacted, and goes on as it is: {error}");
        self.failed_at = Some(Instant::now());
        let figures = self.log.figures();
        figures.rewrite_failed.store(true, Relaxed);
        figures.rewrites_now.store(false, Relaxed);
    }
}

impl Drop for Durability {
    fn drop(&mut self) {
        // Whatever ended the thread: nobody waits for it in vain.
        self.log.failed("the log is closed");
    }
}

/// Any number that differs from file to file.
fn salt(path: &Path) -> u32 {
    RandomState::new().hash_one(path) as u32
}

/// Why the log cannot be read or written.
#[derive(Debug)]
#[non_exhaustive]
pub enum OpenError {
    /// Another server writes to the folder.
    InUse {
        /// The folder.
        folder: PathBuf,
    },
    /// The manifest is damaged, or another version's.
    Manifest {
        /// The manifest.
        path: PathBuf,
    },
    /// There is data, and no manifest says what it is.
    NoManifest {
        /// One of the files.
        path: PathBuf,
    },
    /// A record is damaged, and others come after it.
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where the record starts, in bytes. All before it is whole.
        offset: u64,
        /// It is the file that was written last, so that what is before the damage is of use.
        is_last: bool,
    },
    /// A record is whole and says nothing that can be understood.
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Where the record starts, in bytes.
        offset: u64,
    },
    /// A snapshot could not be written.
    Snapshot(io::Error),
    /// The system refuses.
    System {
        /// The file or folder.
        path: PathBuf,
        /// What it says.
        error: io::Error,
    },
}

impl OpenError {
    /// What stood in the way of reading a file.
    fn from_read(path: &Path, error: ReadError) -> Self {
        let path = path.to_owned();
        match error {
            ReadError::Damaged { offset } => Self::Damaged { path, offset, is_last: false },
            ReadError::Unreadable { offset } => Self::Unreadable { path, offset },
            ReadError::System(error) => Self::System { path, error },
        }
    }

    /// The same of a file that is the last one, or not.
    fn in_last(self, is_last: bool) -> Self {
        match self {
            Self::Damaged { path, offset, .. } => Self::Damaged { path, offset, is_last },
            other => other,
        }
    }
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InUse { folder } => {
                let folder = folder.display();
                write!(f, "another server has its log in {folder}; choose another folder with --dir")
            }
            Self::Manifest { path } => {
                let path = path.display();
                write!(
                    f,
                    "{path} is no manifest that this version can read; restore it from a copy of the folder"
                )
            }
            Self::NoManifest { path } => {
                let path = path.display();
                write!(
                    f,
                    "{path} holds data, but interleave.manifest is missing; restore it, or move the file away to begin \
                     anew"
                )
            }
            Self::Damaged { path, offset, is_last } => {
                let path = path.display();
                write!(
                    f,
                    "{path} is damaged at offset {offset}, and not just cut off; restore it from a copy"
                )?;
                if *is_last && *offset > 0 {
                    write!(
                        f,
                        ", or give up what follows: `truncate -s {offset} {path}` leaves the commands before it"
                    )?;
                }
                Ok(())
            }
            Self::Unreadable { path, offset } => {
                let path = path.display();
                write!(
                    f,
                    "{path} has something at offset {offset} that this version does not understand; start the one that \
                     wrote it"
                )
            }
            Self::Snapshot(error) => write!(f, "the snapshot was not written: {error}"),
            Self::System { path, error } => write!(f, "{}: {error}", path.display()),
        }
    }
}

impl std::error::Error for OpenError {}
