//! A thread's own ring of events: how they lie in it, and which are left out when it is full.
//!
//! When it is full, the newest events are dropped and counted, whole polls at a time, and an [`Event::Gap`] stands where they
//! were. Knows nothing of who reads it.
//!
//! # How events lie in it
//!
//! As words of 64 bits: the kind, the time since the row before (ticks of the time-stamp counter) and the first field; a second
//! word with the other fields, where the kind has more. What a batch mostly consists of, a command after another of the same client, is
//! one word ([`SHORT`]). Where the time does not fit, it stands before the row ([`LATER`]).
//!
//! That is not for the sake of memory. Nobody's cache holds a place in the ring by the time it is used again, since it was read by another
//! core, and since a store of a million keys leaves nothing in there: writing to it waits, and the next lock taken or let go waits for that.
//! With 24 bytes a row, writing them was half of what a watched GET `-P 16` cost more than an unwatched one. For the same reason what
//! need not be read at once is put into the ring with what comes next: places written together wait together.

use std::iter::Chain;
use std::{mem, slice};

use super::event::{Event, LabelId, ObjectId};
use super::record::{self, At};
use super::row::Row;

/// Free places that a poll needs to be recorded at all: it is better to miss a poll than to see half of it.
const POLL_RESERVE_WORDS: usize = 1024;

/// Words put into the ring together at most: more than a batch of brief commands has.
const TOGETHER_WORDS: usize = 64;

/// Bits of the kind, the lowest; of the time above them, 7 ms at 2.3 GHz; and where the first field begins.
const KIND_BITS: u32 = 8;
const TIME_BITS: u32 = 24;
const FIELD_AT: u32 = KIND_BITS + TIME_BITS;

/// A kind of its own: the next word is the time-stamp counter as it stands.
const LATER: u64 = 0x7f;

/// Another: [`Row::held_next`] of the same client as the last time, its lock and command in 16 bits each.
const SHORT: u64 = 0x7e;
const SHORT_BITS: u32 = 16;

/// A ring of `capacity` words: the end that is written and the one that is read.
pub(super) fn ring(capacity: usize, counter: quanta::Clock) -> (Ring, Rows) {
    let (writer, reader) = rtrb::RingBuffer::new(capacity);
    let ring = Ring {
        words: writer,
        last: counter.raw(),
        counter,
        together: Vec::with_capacity(TOGETHER_WORDS),
        events: 0,
        packed: Packed::default(),
        held: None,
        lost: 0,
        skipping: false,
    };
    (ring, Rows { words: reader, packed: Packed::default() })
}

/// What both ends know of the row before: words tell the difference.
#[derive(Clone, Copy, Default)]
struct Packed {
    /// The time-stamp counter. None stood at 0, so whatever comes first has its own.
    raw: u64,
    /// The client of the last [`Row::held_next`].
    client: Option<u32>,
}

/// A thread's own end of its ring.
pub(super) struct Ring {
    words: rtrb::Producer<u64>,
    counter: quanta::Clock,
    /// The time-stamp counter at the last event.
    last: u64,
    /// The lock that was acquired at the last event, if that is not told yet.
    held: Option<ObjectId>,
    /// What is about to be put into the ring, how many events that is, and what its last row is packed against.
    together: Vec<u64>,
    events: u32,
    packed: Packed,
    /// Events dropped since the last one that fitted.
    lost: u32,
    /// Inside a poll that is not recorded, or no longer.
    skipping: bool,
}

impl Ring {
    /// A lock was acquired at the instant of the last event; told with what comes next.
    #[inline]
    pub(super) fn acquired(&mut self, lock: ObjectId) {
        if self.held.is_some() || self.skipping {
            return self.push(Row::of(Event::LockAcquired { lock }), At::Last);
        }
        self.held = Some(lock);
    }

    /// A command ends and the next one starts; before that a lock is `released`. If it was held briefly, all that is told with
    /// what comes next: commands that are brief follow each other in microseconds.
    #[inline]
    pub(super) fn push_next(&mut self, released: Option<ObjectId>, client: u32, command: LabelId) {
        if let Some(lock) = self.held
            && released == self.held
        {
            self.held = None;
            self.append(Row::held_next(lock, client, command), At::Now);
            if self.together.len() >= TOGETHER_WORDS {
                self.tell();
            }
            return;
        }
        self.push(Row::next(released, client, command), At::Now);
    }

    /// Records what happened, or counts it as lost.
    #[inline]
    pub(super) fn push(&mut self, row: Row, at: At) {
        if let Some(lock) = self.held.take() {
            self.append(Row::of(Event::LockAcquired { lock }), At::Last);
        }
        if row.kind() == Row::POLL_START {
            self.skipping = self.words.slots() < POLL_RESERVE_WORDS;
        }
        self.append(row, at);
        self.tell();
        // The poll that was left out is over: what comes between polls stands for itself.
        if self.skipping && row.is_poll_end() {
            self.skipping = false;
        }
    }

    /// Leaves untold what was to be told with what comes next: nobody watches any more.
    pub(super) fn forget(&mut self) {
        self.held = None;
        self.together.clear();
        (self.events, self.packed) = (0, Packed::default());
    }

    /// Adds `row` to what is put into the ring next, unless its poll is left out.
    #[inline]
    fn append(&mut self, row: Row, at: At) {
        if self.skipping {
            self.lost = self.lost.saturating_add(row.count());
            return;
        }
        let before = self.last;
        if at == At::Now {
            self.last = self.counter.raw();
        }
        if self.lost > 0 {
            let gap = Row::of(Event::Gap { lost: self.lost });
            self.events = mem::take(&mut self.lost);
            self.packed.put(gap, before, &mut self.together);
        }
        self.events = self.events.saturating_add(row.count());
        self.packed.put(row, self.last, &mut self.together);
    }

    /// Puts what was appended into the ring, all of it or nothing.
    #[inline]
    fn tell(&mut self) {
        if self.words.push_entire_slice(&self.together).is_err() {
            self.lose();
        }
        self.together.clear();
        self.events = 0;
    }

    #[cold]
    fn lose(&mut self) {
        self.lost = self.lost.saturating_add(self.events);
        // The reader never saw what they are packed against.
        self.packed = Packed::default();
        // Inside a poll, the rest of it goes too: up to its end.
        self.skipping = record::current().is_some();
    }
}

/// The reading end of a thread's ring.
pub(super) struct Rows {
    words: rtrb::Consumer<u64>,
    packed: Packed,
}

impl Rows {
    /// Whether nothing will be written any more.
    pub(super) fn is_abandoned(&self) -> bool {
        self.words.is_abandoned()
    }

    /// Hands all rows that are there to `each`, if there are any, with the time-stamp counter at each. What it leaves is skipped.
    pub(super) fn read(&mut self, each: impl FnOnce(&mut Unpacked<'_>)) {
        let waiting = self.words.slots();
        if waiting == 0 {
            return;
        }
        let chunk = self.words.read_chunk(waiting).expect("`slots` said that many are there");
        let (first, rest) = chunk.as_slices();
        let mut rows = Unpacked { words: first.iter().chain(rest), packed: &mut self.packed };
        each(&mut rows);
        // What the next ones are packed against.
        rows.for_each(drop);
        chunk.commit_all();
    }
}

/// Words as rows.
pub(super) struct Unpacked<'a> {
    words: Chain<slice::Iter<'a, u64>, slice::Iter<'a, u64>>,
    packed: &'a mut Packed,
}

impl Packed {
    /// Appends `row`, which happened at `raw`, to `words`.
    #[inline]
    fn put(&mut self, row: Row, raw: u64, words: &mut Vec<u64>) {
        let mut ticks = raw.saturating_sub(self.raw);
        if ticks >> TIME_BITS != 0 {
            words.extend([LATER, raw]);
            ticks = 0;
        }
        // As the reader adds them up, should the counter ever go back.
        self.raw = self.raw.max(raw);
        let ticks = ticks << KIND_BITS;
        if let Some((lock, client, command)) = row.as_held_next() {
            if self.client == Some(client) && (lock.0 | command.0) >> SHORT_BITS == 0 {
                let fields = u64::from(lock.0 | command.0 << SHORT_BITS);
                return words.push(SHORT | ticks | fields << FIELD_AT);
            }
            self.client = Some(client);
        }
        let [first, second] = row.words();
        words.push(first | ticks);
        if row.used().count() > 1 {
            words.push(second);
        }
    }
}

impl Iterator for Unpacked<'_> {
    type Item = (u64, Row);

    #[inline]
    fn next(&mut self) -> Option<(u64, Row)> {
        let mut word = *self.words.next()?;
        if word == LATER {
            self.packed.raw = *self.words.next()?;
            word = *self.words.next()?;
        }
        let kind = word & ((1 << KIND_BITS) - 1);
        self.packed.raw += (word >> KIND_BITS) & ((1 << TIME_BITS) - 1);
        let row = if kind == SHORT {
            let fields = (word >> FIELD_AT) as u32;
            let (lock, command) = (fields & ((1 << SHORT_BITS) - 1), fields >> SHORT_BITS);
            Row::held_next(ObjectId(lock), self.packed.client?, LabelId(command))
        } else {
            let mut row = Row::from_words([word & !(((1 << TIME_BITS) - 1) << KIND_BITS), 0]);
            if row.used().count() > 1 {
                row = Row::from_words([row.words()[0], *self.words.next()?]);
            }
            if let Some((_, client, _)) = row.as_held_next() {
                self.packed.client = Some(client);
            }
            row
        };
        Some((self.packed.raw, row))
    }

    /// No more rows than words.
    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, self.words.size_hint().1)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::row::{FIELDS, FIELDS_MAX};
    use super::*;
    use crate::scope::event::{PollOutcome, TaskId, WorkerId};

    const LOCK: ObjectId = ObjectId(3);

    /// Everything that can be read, each row as its events.
    fn told(rows: &mut Rows) -> Vec<Vec<Event>> {
        let (mut told, mut before) = (Vec::new(), 0);
        rows.read(|rows| {
            for (raw, row) in rows {
                assert!(raw >= before, "the time goes back");
                before = raw;
                let mut events = Vec::new();
                row.each(|event, _| events.push(event));
                told.push(events);
            }
        });
        told
    }

    fn new(capacity: usize) -> (Ring, Rows) {
        ring(capacity, quanta::Clock::new())
    }

    /// A brief command and the start of the next.
    fn brief(ring: &mut Ring) {
        ring.acquired(LOCK);
        ring.push_next(Some(LOCK), 1, LabelId(2));
    }

    fn wait(ring: &mut Ring) {
        ring.push(Row::of(Event::ReadWait), At::Now);
    }

    #[test]
    fn a_lock_held_briefly_is_one_row_unless_something_happens_meanwhile() {
        let lock = LOCK;
        let (acquired, released) = (Event::LockAcquired { lock }, Event::LockReleased { lock });
        let next =
            [Event::CommandEnd { failed: false }, Event::CommandStart { client: 1, command: LabelId(2) }];
        let check = |program: fn(&mut Ring), expected: &[&[Event]]| {
            let (mut ring, mut rows) = new(2 * POLL_RESERVE_WORDS);
            program(&mut ring);
            wait(&mut ring);
            assert_eq!(told(&mut rows), [expected, &[&[Event::ReadWait]]].concat());
        };
        check(brief, &[&[acquired, released, next[0], next[1]]]);
        check(
            |ring| {
                ring.acquired(LOCK);
                wait(ring);
                ring.push_next(Some(LOCK), 1, LabelId(2));
            },
            &[&[acquired], &[Event::ReadWait], &[released, next[0], next[1]]],
        );
        check(
            |ring| {
                ring.acquired(LOCK);
                ring.push(Row::of(Event::LockReleased { lock: LOCK }), At::Now);
            },
            &[&[acquired], &[released]],
        );
        // Another lock is not this one.
        check(
            |ring| {
                ring.acquired(LOCK);
                ring.push_next(Some(ObjectId(4)), 1, LabelId(2));
            },
            &[&[acquired], &[Event::LockReleased { lock: ObjectId(4) }, next[0], next[1]]],
        );
        check(
            |ring| {
                ring.acquired(LOCK);
                ring.acquired(ObjectId(4));
                ring.push_next(Some(LOCK), 1, LabelId(2));
            },
            &[&[acquired], &[Event::LockAcquired { lock: ObjectId(4) }], &[released, next[0], next[1]]],
        );
        // Nobody watched any more when it was released.
        check(
            |ring| {
                ring.acquired(LOCK);
                ring.forget();
            },
            &[],
        );
    }

    #[test]
    fn what_need_not_be_read_at_once_is_read_with_what_comes_next() {
        let (mut ring, mut rows) = new(2 * POLL_RESERVE_WORDS);
        (0..5).for_each(|_| brief(&mut ring));
        assert!(told(&mut rows).is_empty());
        wait(&mut ring);
        assert_eq!(told(&mut rows).len(), 6);
        // But a long batch is not put off for ever.
        (0..TOGETHER_WORDS).for_each(|_| brief(&mut ring));
        assert!(told(&mut rows).len() > TOGETHER_WORDS / 2);
        ring.forget();
        wait(&mut ring);
        assert_eq!(told(&mut rows), [[Event::ReadWait]]);
    }

    #[test]
    fn what_is_told_in_one_row_is_lost_as_what_it_tells() {
        let (mut ring, mut rows) = new(4);
        for _ in 0..2 {
            // The time and two rows: five words.
            brief(&mut ring);
            wait(&mut ring);
        }
        assert_eq!((ring.lost, told(&mut rows).len()), (10, 0));
        let (mut ring, mut rows) = new(7);
        brief(&mut ring);
        wait(&mut ring);
        brief(&mut ring);
        brief(&mut ring);
        wait(&mut ring);
        assert_eq!((ring.lost, told(&mut rows).len()), (9, 2));
        brief(&mut ring);
        wait(&mut ring);
        let told = told(&mut rows);
        assert_eq!((told[0].as_slice(), told[1].len(), told.len()), (&[Event::Gap { lost: 9 }][..], 4, 3));
    }

    #[test]
    fn a_poll_that_may_not_fit_is_left_out_whole() {
        let (mut ring, mut rows) = new(POLL_RESERVE_WORDS + 8);
        let start = Event::PollStart { task: TaskId(1), worker: WorkerId(0) };
        let poll = [start, Event::ReadWait, Event::PollEnd { outcome: PollOutcome::Pending }];
        let poll = |ring: &mut Ring| poll.map(|event| ring.push(Row::of(event), At::Now));
        for _ in 0..4 {
            poll(&mut ring);
        }
        let seen = told(&mut rows).len();
        assert!(
            seen.is_multiple_of(3) && seen > 0 && ring.lost == 12 - seen as u32,
            "{seen} and {}",
            ring.lost
        );
        let lost = ring.lost;
        poll(&mut ring);
        assert_eq!(told(&mut rows)[..2], [[Event::Gap { lost }], [start]]);
    }

    proptest! {
        #[test]
        fn rows_come_back_with_their_times(
            steps in prop::collection::vec((0u64..1 << 26, any_row()), 0..200),
            read_every in 1usize..20,
        ) {
            let (mut words, reader) = rtrb::RingBuffer::new(100);
            let mut rows = Rows { words: reader, packed: Packed::default() };
            let (mut raw, mut packed) = (1 << 40, Packed::default());
            let (mut written, mut read) = (Vec::new(), Vec::new());
            for steps in steps.chunks(read_every) {
                for &(ticks, row) in steps {
                    raw += ticks;
                    let mut together = Vec::new();
                    packed.put(row, raw, &mut together);
                    words.push_entire_slice(&together).unwrap();
                    written.push((raw, row));
                }
                rows.read(|them| read.extend(them));
            }
            prop_assert_eq!(read, written);
        }
    }

    fn any_row() -> impl Strategy<Value = Row> {
        let any = (0..FIELDS.len() as u32, any::<[u32; FIELDS_MAX]>()).prop_map(|(kind, fields)| {
            let mut row = Row::new(kind, [0; FIELDS_MAX]);
            let used = row.used().count();
            row = Row::new(kind, std::array::from_fn(|field| if field < used { fields[field] } else { 0 }));
            row
        });
        // Some of the numbers fit into 16 bits, and some do not.
        let number = || prop_oneof![0u32..9, 0xfffe_u32..0x1_0002];
        let next = (number(), 1u32..3, number())
            .prop_map(|(lock, client, command)| Row::held_next(ObjectId(lock), client, LabelId(command)));
        prop_oneof![any, next]
    }
}
