//! The bytes of a message: frames in, frames out.
//!
//! Layout: one version byte, then frames. A frame is a tag byte, a length, and that many bytes: definitions and the
//! like by postcard, events by columns (kinds, then time differences, then fields), which measured smallest and fastest of
//! the encodings tried: about 4 bytes an event. Numbers are LEB128 varints. Knows nothing of what events mean.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::event::Stamped;
use super::frame::{Chunk, Frame};
use super::row::{FIELDS, FIELDS_MAX, Instant, Row};

/// Raised whenever an older page could misread what a newer server sends.
pub const VERSION: u8 = 3;

/// Why a message could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecodeError {
    /// The message was written by another version.
    Version {
        /// The version found; [`VERSION`] was expected.
        found: u8,
    },
    /// The message ends inside a frame, or a number in it is out of range.
    Malformed {
        /// What could not be read.
        what: &'static str,
    },
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Version { found } => write!(
                f,
                "the trace has version {found}, this program reads version {VERSION}; reload the page, or update the server"
            ),
            Self::Malformed { what } => write!(f, "the trace is damaged: {what}"),
        }
    }
}

impl std::error::Error for DecodeError {}

/// Bytes of the largest number: seven bits each of 64; and of the largest field, which has 32.
const NUMBER_BYTES_MAX: usize = 10;
const FIELD_BYTES_MAX: usize = 5;

const HELLO: u8 = 0;
const DEFINE: u8 = 1;
const ALIVE: u8 = 2;
const EVENTS: u8 = 3;
const LOST: u8 = 4;
const DRAINED: u8 = 5;

/// Appends one message that holds `frames` to `out`.
pub fn encode(frames: &[Frame], out: &mut Vec<u8>) {
    out.push(VERSION);
    frames.iter().for_each(|frame| append(frame, out));
}

/// Appends one frame to a message.
pub(super) fn append(frame: &Frame, out: &mut Vec<u8>) {
    let (tag, body) = match frame {
        Frame::Hello(hello) => (HELLO, serialized(hello)),
        Frame::Define(definitions) => (DEFINE, serialized(definitions)),
        Frame::Alive(tasks) => (ALIVE, serialized(tasks)),
        Frame::Events(Chunk { thread, events }) => {
            let rows = events.iter().map(|stamped| (stamped.at_ns, Row::of(stamped.event)));
            let start_ns = events.first().map_or(0, |first| first.at_ns);
            Columns::default().chunk(*thread, start_ns, rows, out);
            return;
        }
        Frame::Lost { events } => (LOST, serialized(events)),
        Frame::Drained { at_ns } => (DRAINED, serialized(at_ns)),
    };
    out.push(tag);
    put(out, body.len() as u64);
    out.extend_from_slice(&body);
}

/// The columns of a chunk, written side by side in one pass over its events and joined in the end. Reused, so that a
/// megabyte need not be fetched from the system for each.
#[derive(Debug, Default)]
pub(super) struct Columns {
    // Each as long as it ever had to be: a byte is put where it belongs, not appended, which took a fifth longer.
    kinds: Vec<u8>,
    times: Vec<u8>,
    numbers: Vec<u8>,
}

impl Columns {
    /// Appends the frame of one thread's events to `out`. The event before the first of `rows` was at `start_ns`. Gives when the
    /// last one is.
    pub(super) fn chunk(
        &mut self,
        thread: u16,
        start_ns: u64,
        rows: impl Iterator<Item = (u64, Row)>,
        out: &mut Vec<u8>,
    ) -> u64 {
        let (_, rows_max) = rows.size_hint();
        let rows_max = rows_max.expect("what was recorded comes to an end");
        let kinds = room(&mut self.kinds, rows_max);
        let times = room(&mut self.times, rows_max * NUMBER_BYTES_MAX);
        let numbers = room(&mut self.numbers, rows_max * FIELDS_MAX * FIELD_BYTES_MAX);
        let (mut kinds_len, mut times_len, mut numbers_len) = (0, 0, 0);
        let mut before = start_ns;
        for (at_ns, row) in rows {
            kinds[kinds_len] = row.kind() as u8;
            kinds_len += 1;
            put_at(times, &mut times_len, at_ns.saturating_sub(before));
            before = before.max(at_ns);
            for field in row.used() {
                put_at(numbers, &mut numbers_len, u64::from(field));
            }
        }
        let mut head = Vec::with_capacity(3 * NUMBER_BYTES_MAX);
        put(&mut head, u64::from(thread));
        put(&mut head, kinds_len as u64);
        put(&mut head, start_ns);
        let columns = [&head, &kinds[..kinds_len], &times[..times_len], &numbers[..numbers_len]];
        out.push(EVENTS);
        put(out, columns.iter().map(|column| column.len() as u64).sum());
        columns.iter().for_each(|column| out.extend_from_slice(column));
        before
    }
}

/// The first `len` bytes of `column`, whatever is in them.
fn room(column: &mut Vec<u8>, len: usize) -> &mut [u8] {
    if column.len() < len {
        column.resize(len, 0);
    }
    &mut column[..len]
}

/// Reads the frames of one message. Never panics, and allocates no more than the message's own size justifies.
pub fn decode(message: &[u8]) -> Result<Vec<Frame>, DecodeError> {
    let mut rest = Reader { bytes: message };
    match rest.byte("an empty message")? {
        VERSION => {}
        found => return Err(DecodeError::Version { found }),
    }
    let mut frames = Vec::new();
    while !rest.bytes.is_empty() {
        let tag = rest.byte("a frame without a tag")?;
        let length = rest.number("a frame without a length")?;
        let body = rest.take(length, "a frame that ends early")?;
        frames.push(match tag {
            HELLO => Frame::Hello(deserialized(body)?),
            DEFINE => Frame::Define(deserialized(body)?),
            ALIVE => Frame::Alive(deserialized(body)?),
            EVENTS => Frame::Events(decode_chunk(body)?),
            LOST => Frame::Lost { events: deserialized(body)? },
            DRAINED => Frame::Drained { at_ns: deserialized(body)? },
            _ => return Err(DecodeError::Malformed { what: "an unknown frame" }),
        });
    }
    Ok(frames)
}

/// How many events a message holds, without reading them: what a reader loses who leaves it out. 0 if damaged.
#[must_use]
pub fn events_in(message: &[u8]) -> u64 {
    fn count(message: &[u8]) -> Result<u64, DecodeError> {
        let mut rest = Reader { bytes: message };
        rest.byte("an empty message")?;
        let mut events = 0;
        while !rest.bytes.is_empty() {
            let tag = rest.byte("a frame without a tag")?;
            let length = rest.number("a frame without a length")?;
            let mut body = Reader { bytes: rest.take(length, "a frame that ends early")? };
            if tag == EVENTS {
                body.number("a thread")?;
                let count = body.number("an event count")?;
                body.number("a start time")?;
                let kinds = body.take(count, "fewer kinds than events")?;
                let events_of = |&kind: &u8| u64::from(Row::new(kind.into(), [0; FIELDS_MAX]).count());
                events += kinds.iter().map(events_of).sum::<u64>();
            }
        }
        Ok(events)
    }
    count(message).unwrap_or(0)
}

fn serialized<T: Serialize>(value: &T) -> Vec<u8> {
    postcard::to_allocvec(value).expect("plain data into a growing buffer always serializes")
}

fn deserialized<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, DecodeError> {
    postcard::from_bytes(bytes)
        .map_err(|_| DecodeError::Malformed { what: "a definition that does not parse" })
}

fn decode_chunk(body: &[u8]) -> Result<Chunk, DecodeError> {
    let mut reader = Reader { bytes: body };
    let thread = u16::try_from(reader.number("a thread")?)
        .map_err(|_| DecodeError::Malformed { what: "a thread number past 65,535" })?;
    let count = reader.number("an event count")?;
    let mut before_ns = reader.number("a start time")?;
    // The count is checked by taking that many bytes, so what is allocated below has arrived.
    let kinds = reader.take(count, "fewer kinds than events")?;
    let (mut times, mut at_ns) = (Vec::with_capacity(kinds.len()), before_ns);
    for _ in kinds {
        at_ns = at_ns.saturating_add(reader.number("fewer times than events")?);
        times.push(at_ns);
    }
    let mut events = Vec::with_capacity(kinds.len());
    for (&kind, own_ns) in kinds.iter().zip(times) {
        let is_known = read_row(kind, &mut reader)?.each(|event, instant| {
            let at_ns = if instant == Instant::Own { own_ns } else { before_ns };
            events.push(Stamped { at_ns, event });
        });
        if !is_known {
            return Err(DecodeError::Malformed { what: "an unknown kind of event" });
        }
        before_ns = own_ns;
    }
    Ok(Chunk { thread, events })
}

fn read_row(kind: u8, reader: &mut Reader<'_>) -> Result<Row, DecodeError> {
    let mut fields = [0; FIELDS_MAX];
    let count = FIELDS.get(usize::from(kind)).copied().unwrap_or_default();
    for field in &mut fields[..usize::from(count)] {
        *field = reader.small("fewer fields than events")?;
    }
    Ok(Row::new(kind.into(), fields))
}

fn put(out: &mut Vec<u8>, number: u64) {
    let (mut bytes, mut len) = ([0; NUMBER_BYTES_MAX], 0);
    put_at(&mut bytes, &mut len, number);
    out.extend_from_slice(&bytes[..len]);
}

/// Writes `number` to `out` from `len` on, which moves on behind it.
#[inline]
fn put_at(out: &mut [u8], len: &mut usize, mut number: u64) {
    while number >= 0x80 {
        out[*len] = number as u8 | 0x80;
        *len += 1;
        number >>= 7;
    }
    out[*len] = number as u8;
    *len += 1;
}

struct Reader<'a> {
    bytes: &'a [u8],
}

impl<'a> Reader<'a> {
    fn byte(&mut self, what: &'static str) -> Result<u8, DecodeError> {
        let (&first, rest) = self.bytes.split_first().ok_or(DecodeError::Malformed { what })?;
        self.bytes = rest;
        Ok(first)
    }

    fn take(&mut self, count: u64, what: &'static str) -> Result<&'a [u8], DecodeError> {
        let count = usize::try_from(count).map_err(|_| DecodeError::Malformed { what })?;
        let (taken, rest) = self.bytes.split_at_checked(count).ok_or(DecodeError::Malformed { what })?;
        self.bytes = rest;
        Ok(taken)
    }

    fn number(&mut self, what: &'static str) -> Result<u64, DecodeError> {
        let mut number = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte(what)?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(DecodeError::Malformed { what })
    }

    fn small(&mut self, what: &'static str) -> Result<u32, DecodeError> {
        u32::try_from(self.number(what)?).map_err(|_| DecodeError::Malformed { what })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::scope::event::{Event, LabelId, ObjectId, TaskId, WakeBy, WorkerId};
    use crate::scope::frame::{AliveTask, Definition, Hello, ObjectKind, Origin};

    fn any_event() -> impl Strategy<Value = Event> {
        // Every kind with every field.
        // Of a row that is several, the last.
        (0..FIELDS.len() as u32, any::<[u32; 3]>()).prop_map(|(kind, fields)| {
            let mut last = None;
            Row::new(kind, fields).each(|event, _| last = Some(event));
            last.expect("every kind exists")
        })
    }

    fn round_trip(frames: &[Frame]) {
        let mut bytes = Vec::new();
        encode(frames, &mut bytes);
        assert_eq!(decode(&bytes).as_deref(), Ok(frames));
    }

    #[test]
    fn every_frame_comes_back() {
        round_trip(&[
            Frame::Hello(Hello {
                origin: Origin::Observed,
                place: "native server".into(),
                flavor: "multi-thread".into(),
                workers: 2,
                sharing: "sharded".into(),
                virtual_time: false,
                now_ns: 12_345,
            }),
            Frame::Define(vec![
                Definition::Label { id: LabelId(1), text: "client".into(), file: "a.rs".into(), line: 3 },
                Definition::Object {
                    id: ObjectId(1),
                    kind: ObjectKind::Mutex,
                    name: "store".into(),
                    number: 0,
                },
                Definition::ClientName { client: 7, name: "console-1".into() },
                Definition::Part {
                    name: "model".into(),
                    first_task: TaskId(1 << 24),
                    first_worker: WorkerId(2),
                    workers: 4,
                    end_ns: 900,
                },
            ]),
            Frame::Alive(vec![AliveTask {
                task: TaskId(1),
                parent: None,
                label: LabelId(1),
                number: 7,
                spawned_at_ns: 1,
            }]),
            Frame::Lost { events: 99 },
            Frame::Drained { at_ns: u64::MAX },
        ]);
    }

    #[test]
    fn another_version_is_named() {
        let error = decode(&[VERSION + 1]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the trace has version 4, this program reads version 3; reload the page, or update the server"
        );
    }

    #[test]
    fn a_short_message_is_damaged_not_a_panic() {
        let mut bytes = Vec::new();
        let event = Event::Wake { task: TaskId(300), by: WakeBy::Task(TaskId(2)) };
        encode(
            &[Frame::Events(Chunk { thread: 1, events: vec![Stamped { at_ns: 900, event }; 3] })],
            &mut bytes,
        );
        for end in 2..bytes.len() {
            assert!(decode(&bytes[..end]).is_err(), "{end} of {} bytes were read as a whole", bytes.len());
        }
    }

    #[test]
    #[cfg(feature = "native")]
    fn a_row_of_several_events_counts_as_several() {
        let mut bytes = vec![VERSION];
        let lock = ObjectId(300);
        let rows = [
            (100, Row::held_next(lock, 7, LabelId(2))),
            (900, Row::next(Some(lock), 7, LabelId(2))),
            (1_900, Row::held_next(lock, 7, LabelId(2))),
            (2_000, Row::of(Event::ReadWait)),
        ];
        let end_ns = Columns::default().chunk(1, 50, rows.into_iter(), &mut bytes);
        assert_eq!((events_in(&bytes), end_ns), (12, 2_000));
        let next = |at_ns| {
            [
                (at_ns, Event::LockReleased { lock }),
                (at_ns, Event::CommandEnd { failed: false }),
                (at_ns, Event::CommandStart { client: 7, command: LabelId(2) }),
            ]
        };
        let mut happened = vec![(50, Event::LockAcquired { lock })];
        happened.extend(next(100));
        happened.extend(next(900));
        happened.push((900, Event::LockAcquired { lock }));
        happened.extend(next(1_900));
        happened.push((2_000, Event::ReadWait));
        let events = happened.into_iter().map(|(at_ns, event)| Stamped { at_ns, event }).collect();
        assert_eq!(decode(&bytes), Ok(vec![Frame::Events(Chunk { thread: 1, events })]));
    }

    proptest! {
        #[test]
        fn events_come_back(thread: u16, steps in prop::collection::vec((0u64..5_000_000_000, any_event()), 0..200)) {
            let (mut at_ns, steps_len) = (0, steps.len());
            let events = steps.into_iter().map(|(step, event)| {
                at_ns += step;
                Stamped { at_ns, event }
            }).collect();
            let frames = [Frame::Events(Chunk { thread, events }), Frame::Lost { events: 1 }];
            round_trip(&frames);
            let mut bytes = Vec::new();
            encode(&frames, &mut bytes);
            assert_eq!(events_in(&bytes), steps_len as u64);
        }

        #[test]
        fn garbage_is_an_error_or_frames(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = decode(&[&[VERSION], &bytes[..]].concat());
        }
    }
}
