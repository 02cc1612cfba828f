//! Reading the log when the server starts, and its older part when it is compacted.
//!
//! Owns what becomes of a record that is not whole. If nothing whole comes after it, in the last file, it is what a
//! crash left of the last writes, and is cut off: nobody was told that those were safe. Anything else is damage, and
//! not for a program to guess about: the server does not start.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;
use std::time::{Duration, Instant};

use interleave::log::frame::{Damaged, HEADER_BYTES, Header, Records};
use interleave::sharing::Replay;
use interleave::store::Keyspace;
use tracing::{info, warn};

use super::OpenError;
use super::files::{Folder, Manifest, Role, read_salt};

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
        let Some(torn) = read.map_err(|error| error.in_last(is_last))? else { continue };
        if !is_last {
            // It was whole on the disk before the next one was begun.
            return Err(OpenError::Damaged { path, offset: torn.offset, is_last: false });
        }
        let cut = || -> io::Result<()> {
            let file = File::options().write(true).open(&path)?;
            file.set_len(torn.offset)?;
            file.sync_all()
        };
        cut().map_err(|error| OpenError::System { path: path.clone(), error })?;
        warn!(
            "{}: the last command was not written whole; cut off {} bytes at offset {}",
            path.display(),
            torn.bytes,
            torn.offset,
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

/// The end of a file that is not whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Torn {
    pub(super) offset: u64,
    pub(super) bytes: u64,
}

/// Carries out all that the file says; tells how it ends, if not with a whole record.
pub(super) fn read(
    path: &Path,
    role: Role,
    replay: &mut Replay,
    keyspace: &mut dyn Keyspace,
) -> Result<Option<Torn>, OpenError> {
    let system = |error| OpenError::System { path: path.to_owned(), error };
    let damaged = |offset| OpenError::Damaged { path: path.to_owned(), offset, is_last: false };
    let mut file = File::open(path).map_err(system)?;
    let length = file.metadata().map_err(system)?.len();
    let salt = read_salt(&mut file).map_err(system)?.ok_or_else(|| damaged(0))?;
    let mut records = Records::new(salt);
    let mut chunk = vec![0; CHUNK_BYTES];
    let mut told = Instant::now();
    loop {
        let bytes = match file.read(&mut chunk) {
            Ok(0) => break,
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(system(error)),
        };
        records.feed(&chunk[..bytes]);
        loop {
            let offset = records.offset();
            match records.read_next() {
                Ok(Some(content)) => replay
                    .apply(content, keyspace)
                    .map_err(|_| OpenError::Unreadable { path: path.to_owned(), offset })?,
                Ok(None) => break,
                Err(Damaged) => {
                    return end(&mut file, salt, offset, length)
                        .map_err(system)?
                        .ok_or_else(|| damaged(offset))
                        .map(Some);
                }
            }
        }
        if told.elapsed() >= TELL_EVERY {
            told = Instant::now();
            let percent = records.offset() * 100 / length.max(1);
            info!("loading {}: {percent} %, {} commands", path.display(), replay.commands());
        }
    }
    if role == Role::Base && !replay.has_ended() {
        return Err(damaged(records.offset()));
    }
    let offset = records.offset();
    if records.left() == 0 {
        return Ok(None);
    }
    // A length that was damaged together with its checksum is caught here, too.
    end(&mut file, salt, offset, length).map_err(system)?.ok_or_else(|| damaged(offset)).map(Some)
}

/// How the file ends, given that the record at `offset` is not whole; `None` if a whole one comes after it.
fn end(file: &mut File, salt: u32, offset: u64, length: u64) -> io::Result<Option<Torn>> {
    let mut window = Vec::new();
    let mut at = offset + 1;
    // Windows overlap by what of a header may lie in the one before.
    while at + HEADER_BYTES as u64 <= length {
        file.seek(SeekFrom::Start(at))?;
        window.clear();
        file.by_ref().take(CHUNK_BYTES as u64).read_to_end(&mut window)?;
        for (place, bytes) in window.windows(HEADER_BYTES).enumerate() {
            let bytes = bytes.first_chunk().expect("a window has as many bytes as a header");
            let Some(header) = Header::parse(bytes, salt) else { continue };
            let start = at + (place + HEADER_BYTES) as u64;
            if start + u64::from(header.content_bytes) > length {
                continue;
            }
            let mut content = vec![0; header.content_bytes as usize];
            file.seek(SeekFrom::Start(start))?;
            file.read_exact(&mut content)?;
            if header.fits(&content, salt) {
                return Ok(None);
            }
        }
        at += (window.len() - (HEADER_BYTES - 1)) as u64;
    }
    Ok(Some(Torn { offset, bytes: length - offset }))
}
