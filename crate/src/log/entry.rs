//! What a record says: commands that ran as one, or a part of a snapshot.
//!
//! Owns that form. Does not know what a command does, nor how a record lies in a file.
//!
//! ```text
//! commands   1   now_ms (8 bytes)   then each: database, flags (1 byte), seed (8) and key if the flags say so, request (RESP)
//! piece      2   flags (1 byte)   database   expires_ms + 1, or 0   layout (1 byte)   key   then each: part
//! end        3   keys in all (8)
//! ```
//!
//! `now_ms` and the seeds are little-endian; a database and the expiry are numbers of 7 bits a byte, the lowest first;
//! key and parts are strings, each behind its length in that form.

use bytes::{Buf, BytesMut};

use super::frame;
use crate::resp::{Args, Batch, Decoder, Limits};

const COMMANDS: u8 = 1;
const PIECE: u8 = 2;
const END: u8 = 3;

/// Flag of a command: its seed follows.
const SEEDED: u8 = 1;

/// Flag of a command: it had to wait, and the key that it was served from follows.
const SERVED: u8 = 2;

/// Flag of a piece: it goes on with a value of which there has been a piece already.
const CONTINUED: u8 = 1;

/// No server has more databases: each has a place in every shard, used or not.
pub const DATABASES_MAX: usize = 1024;

/// No clock shows a later time, in milliseconds since the Unix epoch: it is in the year 10889. What commands add to it is still a number.
const NOW_MS_MAX: u64 = 1 << 48;

/// A piece of a snapshot is full once its parts have this many bytes, and as many as its key: that is in each piece.
const PIECE_BYTES: usize = 64 * 1024;

/// A draft that a long record has grown past this many bytes is given back.
const BYTES_KEPT: usize = 4 * 1024;

/// Records in the making. Reused from one to the next.
#[derive(Debug, Default)]
pub struct Draft {
    bytes: Vec<u8>,
    /// Where the record that is being written starts.
    open: Option<usize>,
    /// How many bytes there are once the piece that is being written is full.
    full_at: usize,
}

impl Draft {
    /// Adds a command that ran at `now_ms` to the record that is being written, or to a new one. All commands of one record
    /// have the same time.
    pub fn command<'a>(
        &mut self,
        now_ms: u64,
        ran: Ran<'_>,
        arguments: impl ExactSizeIterator<Item = &'a [u8]>,
    ) {
        if self.open.is_none() {
            self.open = Some(frame::open(&mut self.bytes));
            self.bytes.push(COMMANDS);
            self.bytes.extend_from_slice(&now_ms.to_le_bytes());
        }
        let bytes = &mut self.bytes;
        put_number(bytes, ran.database as u64);
        let flag = |is_set, flag| if is_set { flag } else { 0 };
        bytes.push(flag(ran.seed.is_some(), SEEDED) | flag(ran.served.is_some(), SERVED));
        if let Some(seed) = ran.seed {
            bytes.extend_from_slice(&seed.to_le_bytes());
        }
        if let Some(key) = ran.served {
            put_string(bytes, key);
        }
        let mut digits = itoa::Buffer::new();
        put_line(bytes, b'*', digits.format(arguments.len()));
        for argument in arguments {
            put_line(bytes, b'$', digits.format(argument.len()));
            bytes.extend_from_slice(argument);
            bytes.extend_from_slice(b"\r\n");
        }
    }

    /// Begins a record of a value; of one that there has been a record of already, if it is `continued`.
    pub fn piece(&mut self, key: Key<'_>, layout: u8, continued: bool) {
        self.close();
        self.open = Some(frame::open(&mut self.bytes));
        self.bytes.extend_from_slice(&[PIECE, if continued { CONTINUED } else { 0 }]);
        put_number(&mut self.bytes, key.database as u64);
        put_number(&mut self.bytes, key.expires_ms.map_or(0, |expires_ms| expires_ms.saturating_add(1)));
        self.bytes.push(layout);
        put_string(&mut self.bytes, key.name);
        self.full_at = self.bytes.len() + key.name.len().max(PIECE_BYTES);
    }

    /// Adds a part to the piece of a value that is being written.
    pub fn part(&mut self, part: &[u8]) {
        put_string(&mut self.bytes, part);
    }

    /// Whether the record that is being written should be closed and [continued](Self::piece) by another, so that a
    /// large collection takes no more memory than that while it is written or read.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.bytes.len() >= self.full_at
    }

    /// Adds the end of a snapshot of `keys` keys.
    pub fn end(&mut self, keys: u64) {
        self.close();
        let at = frame::open(&mut self.bytes);
        self.bytes.push(END);
        self.bytes.extend_from_slice(&keys.to_le_bytes());
        frame::close(&mut self.bytes, at);
    }

    /// Ends the record that is being written.
    pub fn close(&mut self) {
        if let Some(at) = self.open.take() {
            frame::close(&mut self.bytes, at);
        }
    }

    /// Whether there is nothing in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// How many bytes it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// The records, but for their checksums; for [`frame::seal`].
    ///
    /// # Panics
    /// If one is not [closed](Self::close).
    pub fn records(&mut self) -> &mut [u8] {
        assert!(self.open.is_none(), "a record is closed before it is handed over");
        &mut self.bytes
    }

    /// Makes it empty again.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.open = None;
    }

    /// Gives back what a long record took: each connection has a draft, and most of its records are short.
    pub(super) fn shrink(&mut self) {
        self.bytes.shrink_to(BYTES_KEPT);
    }
}

/// What is known of a value besides its parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key<'a> {
    /// Which database it is in.
    pub database: usize,
    /// Its name.
    pub name: &'a [u8],
    /// When it expires, in milliseconds since the Unix epoch.
    pub expires_ms: Option<u64>,
}

/// What one record says.
#[derive(Debug)]
#[cfg_attr(
    target_pointer_width = "64",
    expect(clippy::large_enum_variant, reason = "there is one at a time, and most are the large ones")
)]
pub enum Entry<'a> {
    /// Commands that ran as one.
    Commands(Commands),
    /// A value, or a part of it.
    Piece(Piece<'a>),
    /// A snapshot is over.
    End {
        /// How many keys it has.
        keys: u64,
    },
}

/// A record whose checksum is right says nothing that can be understood: another version wrote it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unreadable;

impl<'a> Entry<'a> {
    /// Reads what a record says.
    ///
    /// # Errors
    /// When it is [`Unreadable`].
    pub fn parse(content: &'a [u8]) -> Result<Self, Unreadable> {
        let (kind, mut rest) = content.split_first().ok_or(Unreadable)?;
        match *kind {
            COMMANDS => {
                let now_ms = rest.try_get_u64_le().map_err(|_| Unreadable)?;
                if now_ms > NOW_MS_MAX {
                    return Err(Unreadable);
                }
                let limits = Limits {
                    arguments: usize::MAX,
                    bulk_bytes: u32::MAX as usize,
                    batch_requests: 1,
                    ..Limits::default()
                };
                let decoder = Decoder::new(limits);
                let (batch, key) = (Batch::default(), Vec::new());
                Ok(Self::Commands(Commands { now_ms, decoder, rest: rest.into(), batch, key }))
            }
            PIECE => {
                let continued = rest.try_get_u8().map_err(|_| Unreadable)? & CONTINUED != 0;
                let database = usize::try_from(take_number(&mut rest)?).map_err(|_| Unreadable)?;
                if database >= DATABASES_MAX {
                    return Err(Unreadable);
                }
                let expires_ms = take_number(&mut rest)?.checked_sub(1);
                let layout = rest.try_get_u8().map_err(|_| Unreadable)?;
                let name = take_string(&mut rest)?;
                let key = Key { database, name, expires_ms };
                Ok(Self::Piece(Piece { key, layout, continued, parts: rest }))
            }
            END => {
                let keys = rest.try_get_u64_le().map_err(|_| Unreadable)?;
                if rest.is_empty() { Ok(Self::End { keys }) } else { Err(Unreadable) }
            }
            _ => Err(Unreadable),
        }
    }
}

/// Commands that ran as one, in order.
#[derive(Debug)]
pub struct Commands {
    /// When they ran, in milliseconds since the Unix epoch.
    pub now_ms: u64,
    decoder: Decoder,
    rest: BytesMut,
    batch: Batch,
    key: Vec<u8>,
}

/// How a command ran, besides its words.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ran<'a> {
    /// Which database it ran in.
    pub database: usize,
    /// Where its random choices started, if it made any.
    pub seed: Option<u64>,
    /// The key that it was served from, if it had to wait.
    pub served: Option<&'a [u8]>,
}

/// The next command of a record.
#[derive(Debug)]
pub struct Next<'a> {
    /// How it ran.
    pub ran: Ran<'a>,
    /// Its words.
    pub args: Args<'a>,
}

impl Commands {
    /// The next command; `None` after the last.
    ///
    /// # Errors
    /// When it is [`Unreadable`].
    pub fn read_next(&mut self) -> Result<Option<Next<'_>>, Unreadable> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let mut head = &self.rest[..];
        let database = usize::try_from(take_number(&mut head)?).map_err(|_| Unreadable)?;
        if database >= DATABASES_MAX {
            return Err(Unreadable);
        }
        let flags = head.try_get_u8().map_err(|_| Unreadable)?;
        let seed = match flags & SEEDED {
            0 => None,
            _ => Some(head.try_get_u64_le().map_err(|_| Unreadable)?),
        };
        let served = match flags & SERVED {
            0 => false,
            _ => {
                self.key.clear();
                self.key.extend_from_slice(take_string(&mut head)?);
                true
            }
        };
        let used = self.rest.len() - head.len();
        self.rest.advance(used);
        if self.rest.first() != Some(&b'*') {
            // An inline command, which nobody wrote.
            return Err(Unreadable);
        }
        self.decoder.decode(&mut self.rest, &mut self.batch).map_err(|_| Unreadable)?;
        if self.batch.len() != 1 {
            return Err(Unreadable);
        }
        let ran = Ran { database, seed, served: served.then_some(&*self.key) };
        Ok(Some(Next { ran, args: self.batch.request(0) }))
    }
}

/// A value, or a part of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece<'a> {
    /// Whose value it is, and when it expires.
    pub key: Key<'a>,
    /// How the value lies in memory.
    pub layout: u8,
    /// Whether there has been a piece of it already.
    pub continued: bool,
    parts: &'a [u8],
}

impl<'a> Piece<'a> {
    /// Its parts in order.
    ///
    /// # Errors
    /// When they are [`Unreadable`].
    pub fn parts(mut self) -> Result<Vec<&'a [u8]>, Unreadable> {
        let mut parts = Vec::new();
        while !self.parts.is_empty() {
            parts.push(take_string(&mut self.parts)?);
        }
        Ok(parts)
    }
}

fn put_line(out: &mut Vec<u8>, kind: u8, digits: &str) {
    out.push(kind);
    out.extend_from_slice(digits.as_bytes());
    out.extend_from_slice(b"\r\n");
}

fn put_string(out: &mut Vec<u8>, string: &[u8]) {
    put_number(out, string.len() as u64);
    out.extend_from_slice(string);
}

fn take_string<'a>(from: &mut &'a [u8]) -> Result<&'a [u8], Unreadable> {
    let length = usize::try_from(take_number(from)?).map_err(|_| Unreadable)?;
    let (string, rest) = from.split_at_checked(length).ok_or(Unreadable)?;
    *from = rest;
    Ok(string)
}

fn put_number(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

fn take_number(from: &mut &[u8]) -> Result<u64, Unreadable> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let byte = from.try_get_u8().map_err(|_| Unreadable)?;
        let bits = u64::from(byte & 0x7f);
        if shift == 63 && bits > 1 {
            return Err(Unreadable);
        }
        number |= bits << shift;
        if byte < 0x80 {
            return Ok(number);
        }
    }
    Err(Unreadable)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::log::frame::{Records, seal};

    /// What the records of a draft say, each in turn.
    fn check(mut draft: Draft, mut each: impl FnMut(Entry<'_>)) {
        seal(draft.records(), 7);
        let mut records = Records::new(7);
        records.feed(draft.records());
        while let Some(content) = records.read_next().unwrap() {
            each(Entry::parse(content).unwrap());
        }
        assert_eq!(records.left(), 0);
    }

    fn strings() -> impl Strategy<Value = Vec<Vec<u8>>> {
        proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..20), 1..6)
    }

    proptest! {
        #[test]
        fn commands_come_back_as_they_ran(
            now_ms in 0..=NOW_MS_MAX,
            all in proptest::collection::vec(
                (0usize..1000, any::<Option<u64>>(), any::<Option<Vec<u8>>>(), strings()), 1..5,
            ),
        ) {
            let mut draft = Draft::default();
            for (database, seed, served, arguments) in &all {
                let ran = Ran { database: *database, seed: *seed, served: served.as_deref() };
                draft.command(now_ms, ran, arguments.iter().map(Vec::as_slice));
            }
            draft.close();
            let mut found = Vec::new();
            check(draft, |entry| {
                let Entry::Commands(mut commands) = entry else { panic!("expected commands") };
                assert_eq!(commands.now_ms, now_ms);
                while let Some(Next { ran, args }) = commands.read_next().unwrap() {
                    let arguments = args.iter().map(<[u8]>::to_vec).collect::<Vec<_>>();
                    found.push((ran.database, ran.seed, ran.served.map(<[u8]>::to_vec), arguments));
                }
            });
            prop_assert_eq!(found, all);
        }

        #[test]
        fn anything_else_is_told_or_read_to_its_end(content in proptest::collection::vec(any::<u8>(), 0..60)) {
            match Entry::parse(&content) {
                Ok(Entry::Commands(mut commands)) => {
                    while let Ok(Some(_)) = commands.read_next() {}
                }
                Ok(Entry::Piece(piece)) => drop(piece.parts()),
                Ok(Entry::End { .. }) | Err(Unreadable) => {}
            }
        }

        #[test]
        fn numbers_come_back(number: u64) {
            let mut out = Vec::new();
            put_number(&mut out, number);
            prop_assert_eq!(take_number(&mut &out[..]), Ok(number));
        }
    }

    #[test]
    fn a_long_value_comes_in_pieces() {
        let key = Key { database: 3, name: b"k", expires_ms: Some(u64::MAX - 1) };
        let mut draft = Draft::default();
        let part = |number: u32| [&number.to_le_bytes()[..], &[b'x'; 1000]].concat();
        draft.piece(key, 9, false);
        for number in 0..200 {
            if draft.is_full() {
                draft.piece(key, 9, true);
            }
            draft.part(&part(number));
        }
        draft.end(1);
        let (mut parts, mut pieces, mut ends) = (Vec::new(), 0, 0);
        check(draft, |entry| match entry {
            Entry::Piece(piece) => {
                assert_eq!((piece.key, piece.layout, piece.continued), (key, 9, pieces > 0));
                parts.extend(piece.parts().unwrap().into_iter().map(<[u8]>::to_vec));
                pieces += 1;
            }
            Entry::End { keys } => ends += keys,
            Entry::Commands(_) => panic!("expected a snapshot"),
        });
        assert_eq!((pieces, ends), (4, 1));
        assert_eq!(parts, (0..200).map(part).collect::<Vec<_>>());
    }

    #[test]
    fn a_long_key_is_not_written_for_every_part() {
        let name = vec![b'k'; 3 * PIECE_BYTES];
        let key = Key { database: 0, name: &name, expires_ms: None };
        let (mut draft, mut pieces) = (Draft::default(), 1);
        draft.piece(key, 3, false);
        for _ in 0..1000 {
            if draft.is_full() {
                draft.piece(key, 3, true);
                pieces += 1;
            }
            draft.part(&[b'x'; 1000]);
        }
        draft.close();
        assert_eq!(pieces, 1_000_000 / name.len() + 1);
    }

    #[test]
    fn what_no_server_writes_cannot_be_read() {
        for (now_ms, database, is_read) in [
            (NOW_MS_MAX, DATABASES_MAX - 1, true),
            (NOW_MS_MAX + 1, 0, false),
            (u64::MAX, 0, false),
            (0, DATABASES_MAX, false),
            (0, usize::MAX, false),
        ] {
            let mut draft = Draft::default();
            let ran = Ran { database, ..Ran::default() };
            draft.command(now_ms, ran, [&b"PING"[..]].into_iter());
            draft.close();
            let content = &draft.records()[frame::HEADER_BYTES..];
            let found = Entry::parse(content).and_then(|entry| match entry {
                Entry::Commands(mut commands) => commands.read_next().map(|next| next.is_some()),
                other => panic!("expected commands, found {other:?}"),
            });
            assert_eq!(found.is_ok(), is_read, "at {now_ms} in {database}: {found:?}");
        }
    }

    #[test]
    fn a_number_of_more_than_64_bits_is_none() {
        assert_eq!(take_number(&mut &[0xff; 9][..]), Err(Unreadable));
        assert_eq!(take_number(&mut &[&[0xff; 9][..], &[2]].concat()[..]), Err(Unreadable));
        assert_eq!(take_number(&mut &[&[0xff; 9][..], &[1]].concat()[..]), Ok(u64::MAX));
    }
}
