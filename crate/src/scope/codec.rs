//! The bytes of a message: frames in, frames out.
//!
//! Layout: one version byte, then frames. A frame is a tag byte, a length, and that many bytes: definitions and the
//! like by postcard, events by columns (kinds, then time differences, then fields), which measured smallest and fastest of
//! the encodings tried: about 4 bytes an event. Numbers are LEB128 varints. Knows nothing of what events mean.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::event::{EndKind, Event, LabelId, ObjectId, PollOutcome, Stamped, TaskId, WakeBy, WorkerId};
use super::frame::{Chunk, Frame};

/// Raised whenever an older page could misread what a newer server sends.
pub const VERSION: u8 = 1;

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
    for frame in frames {
        let (tag, body) = match frame {
            Frame::Hello(hello) => (HELLO, serialized(hello)),
            Frame::Define(definitions) => (DEFINE, serialized(definitions)),
            Frame::Alive(tasks) => (ALIVE, serialized(tasks)),
            Frame::Events(chunk) => (EVENTS, encode_chunk(chunk)),
            Frame::Lost { events } => (LOST, serialized(events)),
            Frame::Drained { at_ns } => (DRAINED, serialized(at_ns)),
        };
        out.push(tag);
        put(out, body.len() as u64);
        out.extend_from_slice(&body);
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
                events += body.number("an event count")?;
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

/// The columns of a chunk are written side by side, in one pass over its events, and joined in the end.
fn encode_chunk(chunk: &Chunk) -> Vec<u8> {
    let events = &chunk.events;
    let start = events.first().map_or(0, |first| first.at_ns);
    let mut body = Vec::with_capacity(24 + events.len() * 6);
    put(&mut body, u64::from(chunk.thread));
    put(&mut body, events.len() as u64);
    put(&mut body, start);
    let mut times = Vec::with_capacity(events.len() * 2);
    let mut numbers = Vec::with_capacity(events.len() * 3);
    let mut before = start;
    for stamped in events {
        let (kind, fields) = row(&stamped.event);
        body.push(kind);
        put(&mut times, stamped.at_ns.saturating_sub(before));
        before = before.max(stamped.at_ns);
        for &field in fields.used() {
            put(&mut numbers, u64::from(field));
        }
    }
    body.append(&mut times);
    body.append(&mut numbers);
    body
}

fn decode_chunk(body: &[u8]) -> Result<Chunk, DecodeError> {
    let mut reader = Reader { bytes: body };
    let thread = u16::try_from(reader.number("a thread")?)
        .map_err(|_| DecodeError::Malformed { what: "a thread number past 65,535" })?;
    let count = reader.number("an event count")?;
    let mut at_ns = reader.number("a start time")?;
    // The count is checked by taking that many bytes, so what is allocated below has arrived.
    let kinds = reader.take(count, "fewer kinds than events")?;
    let mut times = Vec::with_capacity(kinds.len());
    for _ in kinds {
        at_ns = at_ns.saturating_add(reader.number("fewer times than events")?);
        times.push(at_ns);
    }
    let mut events = Vec::with_capacity(kinds.len());
    for (&kind, at_ns) in kinds.iter().zip(times) {
        events.push(Stamped { at_ns, event: read_event(kind, &mut reader)? });
    }
    Ok(Chunk { thread, events })
}

/// An event's fields, at most three.
struct Fields([u32; 3], u8);

impl Fields {
    fn used(&self) -> &[u32] {
        &self.0[..usize::from(self.1)]
    }
}

/// The one list of kinds and the order of their fields; [`read_event`] is its mirror.
fn row(event: &Event) -> (u8, Fields) {
    let none = || Fields([0; 3], 0);
    let one = |a| Fields([a, 0, 0], 1);
    let two = |a, b| Fields([a, b, 0], 2);
    match *event {
        Event::Spawn { task, label, number } => (0, Fields([task.0, label.0, number], 3)),
        Event::PollStart { task, worker } => (1, two(task.0, u32::from(worker.0))),
        Event::PollEnd { outcome } => match outcome {
            PollOutcome::Pending => (2, none()),
            PollOutcome::Ready => (3, none()),
            PollOutcome::CoopYield => (4, none()),
            PollOutcome::Yield => (5, none()),
            PollOutcome::Panicked => (6, none()),
        },
        Event::End { task, how } => match how {
            EndKind::Completed => (7, one(task.0)),
            EndKind::Cancelled => (8, one(task.0)),
            EndKind::Panicked => (9, one(task.0)),
        },
        Event::Wake { task, by } => match by {
            WakeBy::Task(by) => (10, two(task.0, by.0)),
            WakeBy::Finished(by) => (11, two(task.0, by.0)),
            WakeBy::Driver => (12, one(task.0)),
            WakeBy::Outside => (13, one(task.0)),
        },
        Event::Park { worker } => (14, one(u32::from(worker.0))),
        Event::Unpark { worker } => (15, one(u32::from(worker.0))),
        Event::LockWait { lock } => (16, one(lock.0)),
        Event::LockGranted { lock, to } => (17, two(lock.0, to.0)),
        Event::LockAcquired { lock } => (18, one(lock.0)),
        Event::LockReleased { lock } => (19, one(lock.0)),
        Event::Send { channel, message } => (20, two(channel.0, message)),
        Event::SendWait { channel } => (21, one(channel.0)),
        Event::Receive { channel, message } => (22, two(channel.0, message)),
        Event::ReceiveWait { channel } => (23, one(channel.0)),
        Event::JoinWait { on } => (24, one(on.0)),
        Event::Sleep { for_us } => (25, one(for_us)),
        Event::ReadWait => (26, none()),
        Event::Read { bytes } => (27, one(bytes)),
        Event::Write { bytes } => (28, one(bytes)),
        Event::CommandStart { client, command } => (29, two(client, command.0)),
        Event::CommandEnd { failed: false } => (30, none()),
        Event::CommandEnd { failed: true } => (31, none()),
        Event::BlockStart => (32, none()),
        Event::BlockEnd => (33, none()),
        Event::Gap { lost } => (34, one(lost)),
        Event::WriteWait => (35, none()),
    }
}

fn read_event(kind: u8, fields: &mut Reader<'_>) -> Result<Event, DecodeError> {
    let mut field = || fields.small("fewer fields than events");
    Ok(match kind {
        0 => Event::Spawn { task: TaskId(field()?), label: LabelId(field()?), number: field()? },
        1 => Event::PollStart { task: TaskId(field()?), worker: WorkerId(field()? as u16) },
        2 => Event::PollEnd { outcome: PollOutcome::Pending },
        3 => Event::PollEnd { outcome: PollOutcome::Ready },
        4 => Event::PollEnd { outcome: PollOutcome::CoopYield },
        5 => Event::PollEnd { outcome: PollOutcome::Yield },
        6 => Event::PollEnd { outcome: PollOutcome::Panicked },
        7 => Event::End { task: TaskId(field()?), how: EndKind::Completed },
        8 => Event::End { task: TaskId(field()?), how: EndKind::Cancelled },
        9 => Event::End { task: TaskId(field()?), how: EndKind::Panicked },
        10 => Event::Wake { task: TaskId(field()?), by: WakeBy::Task(TaskId(field()?)) },
        11 => Event::Wake { task: TaskId(field()?), by: WakeBy::Finished(TaskId(field()?)) },
        12 => Event::Wake { task: TaskId(field()?), by: WakeBy::Driver },
        13 => Event::Wake { task: TaskId(field()?), by: WakeBy::Outside },
        14 => Event::Park { worker: WorkerId(field()? as u16) },
        15 => Event::Unpark { worker: WorkerId(field()? as u16) },
        16 => Event::LockWait { lock: ObjectId(field()?) },
        17 => Event::LockGranted { lock: ObjectId(field()?), to: TaskId(field()?) },
        18 => Event::LockAcquired { lock: ObjectId(field()?) },
        19 => Event::LockReleased { lock: ObjectId(field()?) },
        20 => Event::Send { channel: ObjectId(field()?), message: field()? },
        21 => Event::SendWait { channel: ObjectId(field()?) },
        22 => Event::Receive { channel: ObjectId(field()?), message: field()? },
        23 => Event::ReceiveWait { channel: ObjectId(field()?) },
        24 => Event::JoinWait { on: TaskId(field()?) },
        25 => Event::Sleep { for_us: field()? },
        26 => Event::ReadWait,
        27 => Event::Read { bytes: field()? },
        28 => Event::Write { bytes: field()? },
        29 => Event::CommandStart { client: field()?, command: LabelId(field()?) },
        30 => Event::CommandEnd { failed: false },
        31 => Event::CommandEnd { failed: true },
        32 => Event::BlockStart,
        33 => Event::BlockEnd,
        34 => Event::Gap { lost: field()? },
        35 => Event::WriteWait,
        _ => return Err(DecodeError::Malformed { what: "an unknown kind of event" }),
    })
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
    use crate::scope::frame::{AliveTask, Definition, Hello, ObjectKind, Origin};

    fn any_event() -> impl Strategy<Value = Event> {
        // Every kind with every field, built through the reader itself: kinds the reader lacks would fail below.
        (0u8..=35, any::<[u32; 3]>()).prop_map(|(kind, fields)| {
            let mut bytes = Vec::new();
            fields.iter().for_each(|&field| put(&mut bytes, u64::from(field)));
            read_event(kind, &mut Reader { bytes: &bytes })
                .expect("kinds 0 to 35 exist and take at most three fields")
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
            "the trace has version 2, this program reads version 1; reload the page, or update the server"
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
