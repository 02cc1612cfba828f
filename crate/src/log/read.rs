//! Reading a file of the log: its records in order, and what becomes of one that is not whole.
//!
//! If nothing whole comes after it, it is what a crash left of the last writes: nobody was told that those were safe. Anything
//! else is damage, and not for a program to guess about. Owns that distinction. Knows no folder and not what a record says;
//! a file is whatever can be read and sought in.

use std::fmt;
use std::io::{self, ErrorKind, Read, Seek, SeekFrom};

use super::entry::Unreadable;
use super::frame::{Damaged, HEADER_BYTES, Header, Records, START_BYTES, salt_of};

/// How a file ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct End {
    /// All before this is whole: a start, and records.
    pub offset: u64,
    /// How many bytes follow that are the torn end of the last writes; 0: none.
    pub torn_bytes: u64,
}

/// Why a file cannot be read to its end.
#[derive(Debug)]
pub enum ReadError {
    /// A record is damaged and others come after it, or the file is none of the log.
    Damaged {
        /// Where it starts, in bytes. All before it is whole.
        offset: u64,
    },
    /// A record is whole and says nothing that can be understood.
    Unreadable {
        /// Where it starts, in bytes.
        offset: u64,
    },
    /// The system refuses.
    System(io::Error),
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Damaged { offset } => write!(f, "damaged at offset {offset}"),
            Self::Unreadable { offset } => write!(f, "not to be understood at offset {offset}"),
            Self::System(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for ReadError {}

impl From<io::Error> for ReadError {
    fn from(error: io::Error) -> Self {
        Self::System(error)
    }
}

/// Hands each whole record of `file` to `each`, with where it starts; how the file ends.
///
/// `chunk_bytes` are read at a time. Memory: that, and twice the longest record. Looking for what is whole behind a record that is
/// not takes a checksum for each byte of the rest.
///
/// # Errors
/// As [`ReadError`] says; [`ReadError::Unreadable`] where `each` says so.
///
/// ```
/// use interleave::log::Draft;
/// use interleave::log::entry::Ran;
/// use interleave::log::frame::{START_BYTES, seal, start};
/// use interleave::log::read::{End, read};
///
/// let mut draft = Draft::default();
/// draft.command(1_000, Ran::default(), [&b"INCR"[..], b"hits"].into_iter());
/// draft.close();
/// seal(draft.records(), 7);
/// // The last byte of the second record was not written.
/// let whole = [&start(7)[..], draft.records()].concat();
/// let torn = [&whole[..], &whole[START_BYTES..whole.len() - 1]].concat();
/// let mut records = 0;
/// let end = read(&mut std::io::Cursor::new(&torn), 4096, |_, _| {
///     records += 1;
///     Ok(())
/// });
/// let torn_bytes = (torn.len() - whole.len()) as u64;
/// assert_eq!((records, end.unwrap()), (1, End { offset: whole.len() as u64, torn_bytes }));
/// ```
pub fn read<F: Read + Seek>(
    file: &mut F,
    chunk_bytes: usize,
    mut each: impl FnMut(u64, &[u8]) -> Result<(), Unreadable>,
) -> Result<End, ReadError> {
    let length = file.seek(SeekFrom::End(0))?;
    file.rewind()?;
    let salt = read_salt(&mut *file)?.ok_or(ReadError::Damaged { offset: 0 })?;
    let mut records = Records::new(salt);
    // Windows of the search for something whole are as long, and have to hold a header.
    let mut chunk = vec![0; chunk_bytes.max(HEADER_BYTES)];
    loop {
        match file.read(&mut chunk) {
            Ok(0) => break,
            Ok(bytes) => records.feed(&chunk[..bytes]),
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(error.into()),
        }
        loop {
            let offset = records.offset();
            match records.read_next() {
                Ok(Some(content)) => {
                    each(offset, content).map_err(|Unreadable| ReadError::Unreadable { offset })?;
                }
                Ok(None) => break,
                Err(Damaged) => return torn(file, salt, offset, length, &mut chunk),
            }
        }
    }
    let offset = records.offset();
    if records.left() == 0 {
        return Ok(End { offset, torn_bytes: 0 });
    }
    // A length that was damaged together with its checksum is caught here, too.
    torn(file, salt, offset, length, &mut chunk)
}

/// The salt of a file, from its first bytes; `None` if it is none of ours.
///
/// # Errors
/// What the system says.
pub fn read_salt(mut file: impl Read) -> io::Result<Option<u32>> {
    let mut bytes = [0; START_BYTES];
    match file.read_exact(&mut bytes) {
        Ok(()) => Ok(salt_of(&bytes)),
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(None),
        Err(error) => Err(error),
    }
}

/// How the file ends, given that the record at `offset` is not whole; it is damaged if a whole one comes after that.
fn torn<F: Read + Seek>(
    file: &mut F,
    salt: u32,
    offset: u64,
    length: u64,
    window: &mut [u8],
) -> Result<End, ReadError> {
    let mut at = offset + 1;
    // Windows overlap by what of a header may lie in the one before.
    while at + HEADER_BYTES as u64 <= length {
        file.seek(SeekFrom::Start(at))?;
        let window_bytes = (length - at).min(window.len() as u64) as usize;
        let window = &mut window[..window_bytes];
        file.read_exact(window)?;
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
                return Err(ReadError::Damaged { offset });
            }
        }
        at += (window.len() - (HEADER_BYTES - 1)) as u64;
    }
    Ok(End { offset, torn_bytes: length.saturating_sub(offset) })
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;
    use crate::log::Draft;
    use crate::log::frame::{seal, start};

    const SALT: u32 = 7;

    /// A file of records with such contents, and where each of them ends.
    fn file(contents: &[&[u8]]) -> (Vec<u8>, Vec<usize>) {
        let mut file = start(SALT).to_vec();
        let mut ends = vec![file.len()];
        for content in contents {
            let mut draft = Draft::default();
            draft.command(0, Default::default(), [*content].into_iter());
            draft.close();
            seal(draft.records(), SALT);
            file.extend_from_slice(draft.records());
            ends.push(file.len());
        }
        (file, ends)
    }

    /// How many records there are, and how the file ends.
    fn count(file: &[u8], chunk_bytes: usize) -> (usize, Result<End, ReadError>) {
        let mut count = 0;
        let end = read(&mut Cursor::new(file), chunk_bytes, |_, _| {
            count += 1;
            Ok(())
        });
        (count, end)
    }

    #[test]
    fn any_cut_is_torn_there_however_much_is_read_at_a_time() {
        let (file, ends) = file(&[b"one", b"two", &[b'x'; 300], b"four"]);
        for chunk_bytes in [1, 13, 64, 1 << 20] {
            for cut in START_BYTES..=file.len() {
                let whole = ends.partition_point(|end| *end <= cut) - 1;
                let (count, end) = count(&file[..cut], chunk_bytes);
                let expected = End { offset: ends[whole] as u64, torn_bytes: (cut - ends[whole]) as u64 };
                assert_eq!((count, end.unwrap()), (whole, expected), "cut at {cut}, read by {chunk_bytes}");
            }
        }
        for cut in 0..START_BYTES {
            assert!(matches!(count(&file[..cut], 64).1, Err(ReadError::Damaged { offset: 0 })), "{cut}");
        }
    }

    #[test]
    fn what_is_damaged_before_something_whole_is_refused_however_much_is_read_at_a_time() {
        // The whole one lies behind so many bytes that its header straddles two windows.
        for long in 100..140 {
            let (mut file, ends) = file(&[b"one", &vec![b'x'; long], b"three"]);
            file[ends[1] + 4] ^= 1;
            for chunk_bytes in [12, 64, 1 << 20] {
                let (count, end) = count(&file, chunk_bytes);
                let Err(ReadError::Damaged { offset }) = end else { panic!("{end:?}") };
                assert_eq!((count, offset), (1, ends[1] as u64));
            }
            // Nothing whole behind it.
            let (count, end) = count(&file[..file.len() - 1], 64);
            assert_eq!((count, end.unwrap().offset), (1, ends[1] as u64));
        }
    }

    #[test]
    fn what_cannot_be_understood_is_told_with_its_place() {
        let (file, ends) = file(&[b"one", b"two"]);
        let mut left = 1;
        let end = read(&mut Cursor::new(&file), 64, |_, _| {
            left -= 1;
            if left < 0 { Err(Unreadable) } else { Ok(()) }
        });
        assert!(matches!(end, Err(ReadError::Unreadable { offset }) if offset == ends[1] as u64), "{end:?}");
    }
}
