//! Reading the log when the server starts, and its older part when it is compacted.
//!
//! Owns what becomes of a file that does not end with a whole record. At the end of the last file that is what a crash left of
//! the last writes, and it is cut off: nobody was told that those were safe. Anything else is damage, and not for a program to
//! guess about: the server does not start.

use std::fs::File;
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use interleave::log;
use interleave::log::read::End;
use interleave::sharing::Replay;
use interleave::store::Keyspace;
use tracing::{info, warn};

use super::OpenError;
use super::files::{Folder, Manifest, Role};

/// Bytes read at a time.
const CHUNK_BYTES: usize = 1 << 20;

/// Time between two lines that tell how far loading is.
const TELL_EVERY: Duration = Duration::from_secs(5);

/// Carries out all that the files of `manifest` say, and cuts off what a crash left at the end of the last one.
pub(super) fn load(
    folder: &Folder,
    manifest: &Manifest,
    keyspace: &mut dyn Keyspace,
) -> Result<Replay, OpenError> {
    let mut replay = Replay::new();
    for name in manifest.names() {
        let path = folder.path_of(name);
        let is_last = manifest.logs.last() == Some(&name);
        let read = read(&path, name.role, &mut replay, keyspace);
        let end = read.map_err(|error| error.in_last(is_last))?;
        if end.torn_bytes == 0 {
            continue;
        }
        if !is_last {
            // It was whole on the disk before the next one was begun.
            return Err(OpenError::Damaged { path, offset: end.offset, is_last: false });
        }
        let cut = || -> io::Result<()> {
            let file = File::options().write(true).open(&path)?;
            file.set_len(end.offset)?;
            file.sync_all()
        };
        cut().map_err(|error| OpenError::System { path: path.clone(), error })?;
        warn!(
            "{}: the last command was not written whole; cut off {} bytes at offset {}",
            path.display(),
            end.torn_bytes,
            end.offset,
        );
    }
    if replay.refused() > 0 {
        warn!(
            "{} of {} commands in the log failed; did another version write it?",
            replay.refused(),
            replay.commands()
        );
    }
    Ok(replay)
}

/// Carries out all that the file says; tells how it ends.
pub(super) fn read(
    path: &Path,
    role: Role,
    replay: &mut Replay,
    keyspace: &mut dyn Keyspace,
) -> Result<End, OpenError> {
    let system = |error| OpenError::System { path: path.to_owned(), error };
    let mut file = File::open(path).map_err(system)?;
    let length = file.metadata().map_err(system)?.len();
    let (mut told, mut looked_at) = (Instant::now(), 0);
    let end = log::read::read(&mut file, CHUNK_BYTES, |offset, content| {
        // The clock is not worth reading for every record.
        if offset - looked_at >= CHUNK_BYTES as u64 {
            looked_at = offset;
            if told.elapsed() >= TELL_EVERY {
                told = Instant::now();
                let percent = offset * 100 / length.max(1);
                info!("loading {}: {percent} %, {} commands", path.display(), replay.commands());
            }
        }
        replay.apply(content, keyspace)
    });
    let end = end.map_err(|error| OpenError::from_read(path, error))?;
    if role == Role::Base && !replay.has_ended() {
        return Err(OpenError::Damaged { path: path.to_owned(), offset: end.offset, is_last: false });
    }
    Ok(end)
}
