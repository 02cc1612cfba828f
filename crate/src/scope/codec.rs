//! The bytes of a message: frames in, frames out.
//!
//! Layout: one version byte, then frames. A frame is a tag byte, a length, and that many bytes: definitions and the
//! like by postcard; events as the words that they are in the rings ([`super::words`]), least byte first, behind what they are packed
//! against. Numbers outside of words are LEB128 varints. Knows nothing of what events mean.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::event::Stamped;
use super::frame::{Chunk, Frame};
use super::row::{Instant, Row};
use super::words::{Before, Unpacked};

/// Raised whenever an older page could misread what a newer server sends.
pub const VERSION: u8 = 4;

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
            let start_ns = events.first().map_or(0, |first| first.at_ns);
            let (start, mut before) = (Before::at(start_ns), Before::at(start_ns));
            let mut words = Vec::with_capacity(2 * events.len());
            for &Stamped { at_ns, event } in events {
                before.put(Row::of(event), at_ns, &mut words);
            }
            append_words(*thread, Clocked { at_ns: start_ns, ns_a_tick: ONE_NS }, start, [&words, &[]], out);
            return;
        }
        Frame::Lost { events } => (LOST, serialized(events)),
        Frame::Drained { at_ns } => (DRAINED, serialized(at_ns)),
    };
    out.push(tag);
    put(out, body.len() as u64);
    out.extend_from_slice(&body);
}

/// The clock of a chunk's words.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clocked {
    /// Nanoseconds since the recording's epoch, at the row before the chunk.
    pub(super) at_ns: u64,
    /// What a tick is, in parts of a nanosecond of which [`ONE_NS`] are one.
    pub(super) ns_a_tick: u64,
}

/// A tick that is a nanosecond.
pub(super) const ONE_NS: u64 = 1 << 32;

impl Clocked {
    /// When it is, `ticks` after the row before the chunk.
    fn after(self, ticks: u64) -> u64 {
        let ns = u128::from(ticks) * u128::from(self.ns_a_tick) / u128::from(ONE_NS);
        self.at_ns.saturating_add(u64::try_from(ns).unwrap_or(u64::MAX))
    }
}

/// Appends the frame of one thread's events to a message: `words`, in two pieces, of which the first is packed against `before`.
pub(super) fn append_words(
    thread: u16,
    Clocked { at_ns, ns_a_tick }: Clocked,
    before: Before,
    words: [&[u64]; 2],
    out: &mut Vec<u8>,
) {
    let mut head = Vec::new();
    // Who is nobody is 0.
    let client = before.client.map_or(0, |client| u64::from(client) + 1);
    [thread.into(), at_ns, ns_a_tick, client].into_iter().for_each(|number| put(&mut head, number));
    out.push(EVENTS);
    put(out, (head.len() + words.iter().map(|words| size_of_val(*words)).sum::<usize>()) as u64);
    out.extend_from_slice(&head);
    for words in words {
        let len = out.len();
        out.resize(len + size_of_val(words), 0);
        let (places, _) = out[len..].as_chunks_mut();
        places.iter_mut().zip(words).for_each(|(place, word)| *place = word.to_le_bytes());
    }
}

/// Reads the frames of one message. Never panics, and allocates no more than the message's own size justifies.
pub fn decode(message: &[u8]) -> Result<Vec<Frame>, DecodeError> {
    let mut rest = Reader { bytes: message };
    match rest.byte("an empty message")? {
        VERSION => {}
        found => return Err(DecodeError::Version { found }),
    }
    let mut frames = Vec::new();
    while let Some((tag, body)) = rest.frame()? {
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

/// How many events a message holds, without making them: what a reader loses who leaves it out. 0 if damaged.
#[must_use]
pub fn events_in(message: &[u8]) -> u64 {
    fn count(message: &[u8]) -> Result<u64, DecodeError> {
        let mut rest = Reader { bytes: message };
        rest.byte("an empty message")?;
        let mut events = 0;
        while let Some((tag, body)) = rest.frame()? {
            if tag == EVENTS {
                Words::read(body)?.each(&mut |_, row| {
                    events += u64::from(row.count());
                    true
                })?;
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

/// The body of a frame of events.
struct Words<'a> {
    thread: u16,
    clock: Clocked,
    before: Before,
    words: &'a [[u8; 8]],
}

impl<'a> Words<'a> {
    fn read(body: &'a [u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader { bytes: body };
        let thread = u16::try_from(reader.number("a thread")?)
            .map_err(|_| DecodeError::Malformed { what: "a thread number past 65,535" })?;
        let clock =
            Clocked { at_ns: reader.number("a start time")?, ns_a_tick: reader.number("a tick's length")? };
        let client = match reader.number("a client")? {
            0 => None,
            next => Some(
                u32::try_from(next - 1)
                    .map_err(|_| DecodeError::Malformed { what: "a client's number past 32 bits" })?,
            ),
        };
        let (words, []) = reader.bytes.as_chunks() else {
            return Err(DecodeError::Malformed { what: "events that end inside a word" });
        };
        Ok(Self { thread, clock, before: Before { ticks: 0, client }, words })
    }

    /// Hands all rows to `each`, with when they were; false from it says that a row is none.
    // One copy of the code: the page is sent it.
    fn each(mut self, each: &mut dyn FnMut(u64, Row) -> bool) -> Result<(), DecodeError> {
        let words = self.words.iter().map(|word| u64::from_le_bytes(*word));
        for row in Unpacked::new(words, &mut self.before) {
            let (ticks, row) = row.map_err(|what| DecodeError::Malformed { what })?;
            if !each(self.clock.after(ticks), row) {
                return Err(DecodeError::Malformed { what: "an unknown kind of event" });
            }
        }
        Ok(())
    }
}

fn decode_chunk(body: &[u8]) -> Result<Chunk, DecodeError> {
    let words = Words::read(body)?;
    let (thread, mut before_ns) = (words.thread, words.clock.at_ns);
    let mut events = Vec::with_capacity(words.words.len());
    words.each(&mut |own_ns, row| {
        let is_known = row.each(|event, instant| {
            let at_ns = if instant == Instant::Own { own_ns } else { before_ns };
            events.push(Stamped { at_ns, event });
        });
        before_ns = own_ns;
        is_known
    })?;
    Ok(Chunk { thread, events })
}

fn put(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

struct Reader<'a> {
    bytes: &'a [u8],
}

impl<'a> Reader<'a> {
    /// The next frame's tag and body.
    fn frame(&mut self) -> Result<Option<(u8, &'a [u8])>, DecodeError> {
        if self.bytes.is_empty() {
            return Ok(None);
        }
        let tag = self.byte("a frame without a tag")?;
        let length = self.number("a frame without a length")?;
        Ok(Some((tag, self.take(length, "a frame that ends early")?)))
    }

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
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::scope::event::{Event, LabelId, ObjectId, TaskId, WakeBy, WorkerId};
    use crate::scope::frame::{AliveTask, Definition, Hello, ObjectKind, Origin};
    use crate::scope::row::FIELDS;

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
            "the trace has version 5, this program reads version 4; reload the page, or update the server"
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
    fn a_row_of_several_events_counts_as_several() {
        let (mut bytes, mut words) = (vec![VERSION], Vec::new());
        let lock = ObjectId(300);
        let start = Before { ticks: 1_000, client: Some(7) };
        let mut before = start;
        let rows = [
            (1_200, Row::held_next(lock, 7, LabelId(2))),
            (2_800, Row::next(Some(lock), 7, LabelId(2))),
            (4_801, Row::held_next(lock, 7, LabelId(2))),
            (5_000, Row::of(Event::ReadWait)),
        ];
        rows.into_iter().for_each(|(ticks, row)| before.put(row, ticks, &mut words));
        // A ring's words lie in two pieces where it begins anew: here inside a row.
        let (first, rest) = words.split_at(2);
        append_words(1, Clocked { at_ns: 50, ns_a_tick: ONE_NS / 2 }, start, [first, rest], &mut bytes);
        assert_eq!(events_in(&bytes), 12);
        let next = |at_ns| {
            [
                (at_ns, Event::LockReleased { lock }),
                (at_ns, Event::CommandEnd { failed: false }),
                (at_ns, Event::CommandStart { client: 7, command: LabelId(2) }),
            ]
        };
        let mut happened = vec![(50, Event::LockAcquired { lock })];
        happened.extend(next(150));
        happened.extend(next(950));
        happened.push((950, Event::LockAcquired { lock }));
        happened.extend(next(1_950));
        happened.push((2_050, Event::ReadWait));
        let events = happened.into_iter().map(|(at_ns, event)| Stamped { at_ns, event }).collect();
        assert_eq!(decode(&bytes), Ok(vec![Frame::Events(Chunk { thread: 1, events })]));
    }

    #[test]
    fn a_clock_past_its_end_stands_still() {
        let clock = Clocked { at_ns: 1, ns_a_tick: u64::MAX };
        assert_eq!([clock.after(0), clock.after(u64::MAX)], [1, u64::MAX]);
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
