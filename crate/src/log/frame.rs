//! How records lie in a file: each behind its length and checksums, so that what is missing or damaged is found.
//!
//! Owns the layout of a file's start and of a record's header. Does not know what a record says.
//!
//! ```text
//! file    magic (8 bytes)   salt (4)                checksum of both (4)
//! record  length (4)        checksum of what        checksum of these       what it says
//!                           it says (4)             eight bytes (4)         (as many bytes as the length)
//! ```
//!
//! All numbers are little-endian, all checksums CRC-32. The length has a checksum of its own: a damaged one would pass
//! for a record that was never finished, and all behind it for lost. The checksums of records start from the file's
//! salt: a record that a client stored as a value, or one of an older file, does not pass for one of this file.

/// Length of a file's start.
pub const START_BYTES: usize = 16;

/// Length of a record's header.
pub const HEADER_BYTES: usize = 12;

/// What a file starts with. The digit is the version of the format: a reader refuses any other.
const MAGIC: [u8; 8] = *b"ILEAVE1\n";

/// The start of a file whose records begin their checksums with `salt`.
#[must_use]
pub fn start(salt: u32) -> [u8; START_BYTES] {
    let mut bytes = [0; START_BYTES];
    bytes[..8].copy_from_slice(&MAGIC);
    bytes[8..12].copy_from_slice(&salt.to_le_bytes());
    let checksum = checksum(0, &bytes[..12]);
    bytes[12..].copy_from_slice(&checksum.to_le_bytes());
    bytes
}

/// The salt of a file that starts like this; `None` if it is no file of this format.
#[must_use]
pub fn salt_of(start: &[u8; START_BYTES]) -> Option<u32> {
    let whole = start[..8] == MAGIC && number(&start[12..]) == checksum(0, &start[..12]);
    whole.then(|| number(&start[8..12]))
}

/// A record's header, found whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// How many bytes the record's content has.
    pub content_bytes: u32,
    checksum: u32,
}

impl Header {
    /// The header in `bytes`; `None` if it is damaged, or none of a file with this salt.
    #[must_use]
    pub fn parse(bytes: &[u8; HEADER_BYTES], salt: u32) -> Option<Self> {
        let whole = number(&bytes[8..]) == checksum(salt, &bytes[..8]);
        whole.then(|| Self { content_bytes: number(&bytes[..4]), checksum: number(&bytes[4..8]) })
    }

    /// Whether `content` is what was written behind it.
    #[must_use]
    pub fn fits(&self, content: &[u8], salt: u32) -> bool {
        content.len() == self.content_bytes as usize && checksum(salt, content) == self.checksum
    }
}

/// Leaves room in `out` for a header; [`close`] needs to be told where.
pub(super) fn open(out: &mut Vec<u8>) -> usize {
    let at = out.len();
    out.resize(at + HEADER_BYTES, 0);
    at
}

/// Writes the length of a record that was opened at `at` and ends here. Its checksums are left to [`seal`].
///
/// # Panics
/// If the record is longer than 4 GiB: what a connection may send is bounded far below.
pub(super) fn close(out: &mut [u8], at: usize) {
    let length = u32::try_from(out.len() - at - HEADER_BYTES).expect("a request is at most a gibibyte long");
    out[at..at + 4].copy_from_slice(&length.to_le_bytes());
}

/// Fills in the checksums of `records`, one after the other, to be written to a file with this salt. Separate from
/// writing the records, because that is done while the data is locked, and this on the writer's own thread.
///
/// # Panics
/// If `records` are not whole records with their lengths.
pub fn seal(records: &mut [u8], salt: u32) {
    let mut rest = records;
    while !rest.is_empty() {
        let length = number(&rest[..4]) as usize;
        let (record, behind) = rest.split_at_mut(HEADER_BYTES + length);
        let (header, content) = record.split_at_mut(HEADER_BYTES);
        header[4..8].copy_from_slice(&checksum(salt, content).to_le_bytes());
        let own = checksum(salt, &header[..8]);
        header[8..].copy_from_slice(&own.to_le_bytes());
        rest = behind;
    }
}

/// Records out of the bytes of one file, which come in pieces of any length.
#[derive(Debug)]
pub struct Records {
    salt: u32,
    bytes: Vec<u8>,
    /// How much of `bytes` has been handed out.
    used: usize,
    /// Where in the file the next record starts.
    offset: u64,
}

/// A record is damaged: neither whole nor just unfinished.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Damaged;

impl Records {
    /// The records of a file with this salt, its [start](START_BYTES) left out.
    #[must_use]
    pub fn new(salt: u32) -> Self {
        Self { salt, bytes: Vec::new(), used: 0, offset: START_BYTES as u64 }
    }

    /// Where in the file the next record starts: all before it is whole.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// How many bytes of an unfinished record there are.
    #[must_use]
    pub fn left(&self) -> usize {
        self.bytes.len() - self.used
    }

    /// Adds the bytes that come next in the file.
    pub fn feed(&mut self, bytes: &[u8]) {
        // Moved to the front only once what is used up outweighs what is moved.
        if self.used >= self.left() {
            self.bytes.drain(..self.used);
            self.used = 0;
        }
        self.bytes.extend_from_slice(bytes);
    }

    /// What the next record says; `None` if it is not all there yet.
    ///
    /// # Errors
    /// When it is [`Damaged`]: it starts at [`Self::offset`].
    pub fn read_next(&mut self) -> Result<Option<&[u8]>, Damaged> {
        let rest = &self.bytes[self.used..];
        let Some((header, behind)) = rest.split_first_chunk() else { return Ok(None) };
        let header = Header::parse(header, self.salt).ok_or(Damaged)?;
        let Some(content) = behind.get(..header.content_bytes as usize) else { return Ok(None) };
        if !header.fits(content, self.salt) {
            return Err(Damaged);
        }
        let length = HEADER_BYTES + content.len();
        self.used += length;
        self.offset += length as u64;
        Ok(Some(content))
    }
}

fn checksum(salt: u32, bytes: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new_with_initial(salt);
    hasher.update(bytes);
    hasher.finalize()
}

/// Four bytes as a number.
fn number(bytes: &[u8]) -> u32 {
    u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn file(contents: &[Vec<u8>], salt: u32) -> Vec<u8> {
        let mut records = Vec::new();
        for content in contents {
            let at = open(&mut records);
            records.extend_from_slice(content);
            close(&mut records, at);
        }
        seal(&mut records, salt);
        records
    }

    /// All that `bytes` hold, read in pieces of `piece` bytes; where the first damage is, if there is any; and how many
    /// bytes are left over.
    fn read(bytes: &[u8], salt: u32, piece: usize) -> (Vec<Vec<u8>>, Option<u64>, usize) {
        let mut records = Records::new(salt);
        let mut contents = Vec::new();
        for piece in bytes.chunks(piece) {
            records.feed(piece);
            loop {
                match records.read_next() {
                    Ok(Some(content)) => contents.push(content.to_vec()),
                    Ok(None) => break,
                    Err(Damaged) => return (contents, Some(records.offset()), records.left()),
                }
            }
        }
        (contents, None, records.left())
    }

    /// Where each record of such contents starts in its file, and where the last one ends.
    fn offsets(contents: &[Vec<u8>]) -> Vec<u64> {
        let mut offsets = vec![START_BYTES as u64];
        for content in contents {
            offsets.push(offsets[offsets.len() - 1] + (HEADER_BYTES + content.len()) as u64);
        }
        offsets
    }

    fn contents() -> impl Strategy<Value = Vec<Vec<u8>>> {
        proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..40), 1..8)
    }

    proptest! {
        #[test]
        fn what_was_written_is_read(contents in contents(), salt: u32, piece in 1usize..50) {
            let file = file(&contents, salt);
            prop_assert_eq!(read(&file, salt, piece), (contents, None, 0));
        }

        #[test]
        fn any_cut_leaves_a_prefix(contents in contents(), salt: u32, at: prop::sample::Index) {
            let file = file(&contents, salt);
            let cut = at.index(file.len());
            let (found, damage, left) = read(&file[..cut], salt, 7);
            let offsets = offsets(&contents);
            prop_assert_eq!(damage, None);
            prop_assert_eq!(&found[..], &contents[..found.len()]);
            prop_assert_eq!(offsets[found.len()] + left as u64, (START_BYTES + cut) as u64);
            prop_assert!(offsets[found.len() + 1] > (START_BYTES + cut) as u64, "a whole record was left");
        }

        #[test]
        fn any_changed_byte_is_found_where_its_record_starts(
            contents in contents(), salt: u32, at: prop::sample::Index, change in 1u8..,
        ) {
            let mut file = file(&contents, salt);
            let at = at.index(file.len());
            file[at] ^= change;
            let (found, damage, _) = read(&file, salt, 1 << 10);
            let offsets = offsets(&contents);
            let record = offsets.partition_point(|offset| *offset <= (START_BYTES + at) as u64) - 1;
            prop_assert_eq!(damage, Some(offsets[record]));
            prop_assert_eq!(&found[..], &contents[..record]);
        }
    }

    #[test]
    fn a_record_of_another_file_is_none_of_this_one() {
        let file = file(&[b"SET k v".to_vec()], 1);
        assert_eq!(read(&file, 2, 100), (vec![], Some(START_BYTES as u64), file.len()));
    }

    #[test]
    fn a_start_is_known_again() {
        for salt in [0, 1, u32::MAX] {
            assert_eq!(salt_of(&start(salt)), Some(salt));
            for at in 0..START_BYTES {
                let mut damaged = start(salt);
                damaged[at] ^= 1;
                assert_eq!(salt_of(&damaged), None, "byte {at}");
            }
        }
        assert_eq!(salt_of(&[0; START_BYTES]), None);
    }

    #[test]
    fn zeros_are_no_record() {
        // What a file system may leave where it had no time to write.
        assert_eq!(read(&[0; 100], 0, 100).1, Some(START_BYTES as u64));
        assert_eq!(read(&[0; 100], 0xdead_beef, 100).1, Some(START_BYTES as u64));
    }
}
