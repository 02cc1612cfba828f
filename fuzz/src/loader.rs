//! The loader of the log: whatever a file holds, it is loaded, cut off where it is torn, or refused with a place in it.

use std::io::Cursor;

use interleave::log::entry::{Entry, Next};
use interleave::log::frame::{HEADER_BYTES, Header, START_BYTES, seal, start};
use interleave::log::read::{End, ReadError, read};
use interleave::sharing::{Kind, Options, Replay, Stores, snapshot};

/// Checksums start from it; what a crash leaves of another file has another.
const SALT: u32 = 7;

/// A record may ask for a string of four gigabytes in thirty bytes, if that was the limit of the server that wrote it. More than
/// so many are not tried here.
const STRING_BYTES_MAX: u64 = 1 << 16;

/// What was done to a file that was whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Damage {
    None,
    /// Its end was cut off here.
    Cut(usize),
    /// A byte here was changed.
    Flip(usize),
}

/// What became of a file.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    Loaded {
        end: (u64, u64),
        data: Vec<u8>,
    },
    /// The offset is told.
    Damaged(u64),
    /// So it is here.
    Unreadable(u64),
}

/// The first bytes say whether the others are a file as they are, what follows the start of one, or records whose checksums
/// are right (each behind its length in two bytes); where such a file was damaged then; and how much is read at a time.
///
/// # Panics
/// When a file that is whole is not loaded or refused as a whole, a damaged one otherwise than up to the damage, an offset lies
/// outside, or what was loaded is not what is loaded again.
pub fn loader(input: &[u8]) {
    let Some((&[how, cut_low, cut_high, flip_low, flip_high, mask], bytes)) = input.split_first_chunk()
    else {
        return;
    };
    let chunk_bytes = HEADER_BYTES + usize::from(how >> 2) * 9;
    match how % 4 {
        0 => drop(check(bytes, chunk_bytes)),
        1 => drop(check(&[&start(SALT), bytes].concat(), chunk_bytes)),
        _ => {
            let (whole, offsets) = sealed(bytes);
            let place = |low, high| usize::from(u16::from_le_bytes([low, high]));
            let damage = match mask {
                0 if how % 4 == 2 => Damage::None,
                0 => Damage::Cut(place(cut_low, cut_high) % (whole.len() + 1)),
                _ => Damage::Flip(place(flip_low, flip_high) % whole.len()),
            };
            damaged(&whole, &offsets, damage, mask, chunk_bytes);
        }
    }
}

/// A file as a server writes it, of what `bytes` say that its records say; where each record starts, and the end.
fn sealed(mut bytes: &[u8]) -> (Vec<u8>, Vec<usize>) {
    let (mut records, mut offsets) = (Vec::new(), vec![START_BYTES]);
    while let Some((length, rest)) = bytes.split_first_chunk() {
        let (content, rest) = rest.split_at(usize::from(u16::from_le_bytes(*length)).min(rest.len()));
        records.extend_from_slice(&(content.len() as u32).to_le_bytes());
        records.resize(records.len() + HEADER_BYTES - 4, 0);
        records.extend_from_slice(content);
        offsets.push(START_BYTES + records.len());
        bytes = rest;
    }
    seal(&mut records, SALT);
    ([&start(SALT)[..], &records].concat(), offsets)
}

/// A whole file is loaded or not understood; a damaged one is the same up to the record that was damaged.
fn damaged(whole: &[u8], offsets: &[usize], damage: Damage, mask: u8, chunk_bytes: usize) {
    let Some(before) = check(whole, chunk_bytes) else { return };
    match before {
        Outcome::Loaded { end, .. } => assert_eq!(end, (whole.len() as u64, 0), "all of it"),
        Outcome::Unreadable(offset) => assert!(offsets.contains(&(offset as usize)), "where a record starts"),
        Outcome::Damaged(offset) => panic!("a whole file was damaged at {offset}"),
    }
    let mut file = whole.to_vec();
    let at = match damage {
        Damage::None => return,
        Damage::Cut(at) => {
            file.truncate(at);
            at
        }
        Damage::Flip(at) => {
            file[at] ^= mask;
            at
        }
    };
    let after = check(&file, chunk_bytes);
    if at < START_BYTES {
        assert_eq!(after, Some(Outcome::Damaged(0)), "{damage:?} in the start");
        return;
    }
    let record = offsets[offsets.partition_point(|offset| *offset <= at) - 1];
    if let Outcome::Unreadable(offset) = before
        && (offset as usize) < record
    {
        assert_eq!(after, Some(before), "not understood before {damage:?}");
        return;
    }
    let Some(Outcome::Loaded { data, .. }) = check(&file[..record], chunk_bytes) else {
        panic!("what is before {record} is whole, and was understood");
    };
    if is_anything_whole(file.get(record + 1..).unwrap_or_default()) {
        assert_eq!(after, Some(Outcome::Damaged(record as u64)), "{damage:?}, and something whole behind it");
    } else {
        let end = (record as u64, (file.len() - record) as u64);
        assert_eq!(after, Some(Outcome::Loaded { end, data }), "{damage:?} at the end");
    }
}

/// Whether there is a record in `bytes`: the plain way to look for one.
fn is_anything_whole(bytes: &[u8]) -> bool {
    (0..bytes.len()).any(|at| {
        let Some((header, behind)) = bytes[at..].split_first_chunk() else { return false };
        let Some(header) = Header::parse(header, SALT) else { return false };
        behind.get(..header.content_bytes as usize).is_some_and(|content| header.fits(content, SALT))
    })
}

/// What becomes of a file, which must hold of any; `None` if it is not tried.
fn check(file: &[u8], chunk_bytes: usize) -> Option<Outcome> {
    let mut stores = stores();
    let mut replay = Replay::new();
    let mut asks_much = false;
    let end = read(&mut Cursor::new(file), chunk_bytes, |offset, content| {
        assert!(START_BYTES as u64 <= offset && offset < file.len() as u64, "a record at {offset}");
        asks_much = asks_much || asks_for_much(content);
        if asks_much { Ok(()) } else { replay.apply(content, &mut stores) }
    });
    if asks_much {
        return None;
    }
    let End { offset, torn_bytes } = match end {
        Ok(end) => end,
        Err(ReadError::Damaged { offset }) => {
            assert!(offset <= file.len() as u64, "damaged at {offset} of {}", file.len());
            return Some(Outcome::Damaged(offset));
        }
        Err(ReadError::Unreadable { offset }) => {
            assert!(offset < file.len() as u64, "not understood at {offset} of {}", file.len());
            return Some(Outcome::Unreadable(offset));
        }
        Err(ReadError::System(error)) => panic!("memory is no disk that fails: {error}"),
    };
    assert_eq!(offset + torn_bytes, file.len() as u64, "nothing is left out");
    let data = written(&mut stores);
    if torn_bytes > 0 {
        let expected = Outcome::Loaded { end: (offset, 0), data: data.clone() };
        assert_eq!(check(&file[..offset as usize], chunk_bytes), Some(expected), "what is left by the cut");
    }
    // Compacted and read again it is the same.
    let (mut stores, mut replay) = (self::stores(), Replay::new());
    let snapshot = [&start(SALT)[..], &data].concat();
    let end = read(&mut Cursor::new(&snapshot), chunk_bytes, |_, content| replay.apply(content, &mut stores));
    let end = end.unwrap_or_else(|error| panic!("what was written down is {error}"));
    assert_eq!((end.torn_bytes, replay.has_ended()), (0, true));
    assert!(written(&mut stores) == data, "what was written down is read as something else");
    Some(Outcome::Loaded { end: (offset, torn_bytes), data })
}

fn stores() -> Stores {
    Stores::new(Kind::Sharded, &Options { shards: 3, ..Options::default() })
}

/// All data, as a snapshot has it.
fn written(stores: &mut Stores) -> Vec<u8> {
    let mut data = Vec::new();
    let written = snapshot(stores, usize::MAX, |draft| {
        seal(draft.records(), SALT);
        data.extend_from_slice(draft.records());
        Ok::<_, std::convert::Infallible>(())
    });
    written.unwrap_or_else(|never| match never {});
    data
}

/// Whether a record has a command that makes a long string of nothing.
pub(crate) fn asks_for_much(content: &[u8]) -> bool {
    let Ok(Entry::Commands(mut commands)) = Entry::parse(content) else { return false };
    while let Ok(Some(Next { args, .. })) = commands.read_next() {
        if args.name().eq_ignore_ascii_case(b"SETRANGE") && args.len() > 2 {
            let offset = std::str::from_utf8(&args[2]).ok().and_then(|offset| offset.parse::<u64>().ok());
            if offset.is_some_and(|offset| offset > STRING_BYTES_MAX) {
                return true;
            }
        }
    }
    false
}
