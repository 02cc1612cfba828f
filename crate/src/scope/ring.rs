//! A thread's own ring of events: when they are put into it, and which are left out when it is full.
//!
//! When it is full, the newest events are dropped and counted, whole polls at a time, and an [`Event::Gap`] stands where they
//! were. How events are packed into words is in [`super::words`]. Knows nothing of who reads it.
//!
//! A ring is expensive to write to. Nobody's cache holds a place in it by the time it is used again, since it was read by another
//! core, and since a store of a million keys leaves nothing in there: writing to it waits, and the next lock taken or let go waits for that.
//! With 24 bytes a row, writing them was half of what a watched GET `-P 16` cost more than an unwatched one. So they are packed; and what
//! need not be read at once is put into the ring with what comes next: places written together wait together. And there are two: a small
//! one, whose places are used again soon, and a large one for when the small one is not read in time.

use std::mem;

use super::event::{Event, LabelId, ObjectId};
use super::record::{self, At};
use super::row::Row;
use super::words::{Before, Unpacked};

/// Free places that a poll needs to be recorded at all: it is better to miss a poll than to see half of it.
const POLL_RESERVE_WORDS: usize = 1024;

/// Words put into the ring together at most: more than a batch of brief commands has.
const TOGETHER_WORDS: usize = 64;

/// How many words a ring has room for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Room {
    /// As many as are used over and over, while they are read in time: few, so that they stay in the writer's cache.
    pub(super) near: usize,
    /// Those for when they are not.
    pub(super) far: usize,
}

/// A ring with `room`: the end that is written and the one that is read.
pub(super) fn ring(room: Room, counter: quanta::Clock) -> (Ring, Rows) {
    let (near_writer, near_reader) = rtrb::RingBuffer::new(room.near);
    let (far_writer, far_reader) = rtrb::RingBuffer::new(room.far);
    let last = counter.raw();
    let before = Before::at(last);
    let ring = Ring {
        near: near_writer,
        far: far_writer,
        is_far: false,
        counter,
        last,
        is_stale: false,
        held: None,
        together: Vec::with_capacity(TOGETHER_WORDS),
        events: 0,
        before,
        told: before,
        lost: 0,
        skipping: false,
    };
    (ring, Rows { near: near_reader, far: far_reader, before })
}

/// A thread's own end of its ring.
pub(super) struct Ring {
    near: rtrb::Producer<u64>,
    // Holds nothing but what came after all that is in `near`.
    far: rtrb::Producer<u64>,
    /// `far` may hold something: what comes next goes there.
    is_far: bool,
    counter: quanta::Clock,
    /// The time-stamp counter at the last event, and whether nobody watched at some time since.
    last: u64,
    is_stale: bool,
    /// The lock that was acquired at the last event, if that is not told yet.
    held: Option<ObjectId>,
    /// What is about to be put into the ring, how many events that is, and what the next row is packed against.
    together: Vec<u64>,
    events: u32,
    before: Before,
    /// The same of what is in the ring.
    told: Before,
    /// Events dropped since the last one that fitted.
    lost: u32,
    /// Inside a poll that is not recorded, or no longer.
    skipping: bool,
}

impl Ring {
    /// A lock was acquired at the instant of the last event; told with what comes next.
    #[inline]
    pub(super) fn acquired(&mut self, lock: ObjectId) {
        if self.held.is_some() || self.skipping || self.is_stale {
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
            self.skipping = self.far.slots() < POLL_RESERVE_WORDS;
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
        (self.events, self.before) = (0, self.told);
        self.is_stale = true;
    }

    /// Adds `row` to what is put into the ring next, unless its poll is left out.
    // Where the kind is known, as that of a batch's commands is, little of packing remains.
    #[inline(always)]
    fn append(&mut self, row: Row, at: At) {
        if self.skipping {
            self.lost = self.lost.saturating_add(row.count());
            return;
        }
        let before = self.last;
        if at == At::Now || self.is_stale {
            self.last = self.counter.raw();
            self.is_stale = false;
        }
        if self.lost > 0 {
            self.append_gap(before);
        }
        self.events = self.events.saturating_add(row.count());
        self.before.put(row, self.last, &mut self.together);
    }

    #[cold]
    fn append_gap(&mut self, at: u64) {
        let gap = Row::of(Event::Gap { lost: self.lost });
        self.events = mem::take(&mut self.lost);
        self.before.put(gap, at, &mut self.together);
    }

    /// Puts what was appended into the ring, all of it or nothing.
    #[inline]
    fn tell(&mut self) {
        if (!self.is_far && self.near.push_entire_slice(&self.together).is_ok()) || self.tell_far() {
            self.told = self.before;
        } else {
            self.lose();
        }
        self.together.clear();
        self.events = 0;
    }

    /// Puts it where there is more room, and whatever comes after it, until all is read; false if it does not fit there either.
    #[cold]
    fn tell_far(&mut self) -> bool {
        let is_read = |words: &rtrb::Producer<u64>| words.slots() == words.buffer().capacity();
        if self.is_far && is_read(&self.far) && is_read(&self.near) {
            self.is_far = false;
            if self.near.push_entire_slice(&self.together).is_ok() {
                return true;
            }
        }
        self.is_far = true;
        self.far.push_entire_slice(&self.together).is_ok()
    }

    #[cold]
    fn lose(&mut self) {
        self.lost = self.lost.saturating_add(self.events);
        // The reader never sees what was packed against them.
        self.before = self.told;
        // Inside a poll, the rest of it goes too: up to its end.
        self.skipping = record::current().is_some();
    }
}

/// The reading end of a thread's ring.
pub(super) struct Rows {
    near: rtrb::Consumer<u64>,
    far: rtrb::Consumer<u64>,
    before: Before,
}

impl Rows {
    /// Whether nothing will be written any more.
    pub(super) fn is_abandoned(&self) -> bool {
        self.near.is_abandoned() && self.far.is_abandoned()
    }

    /// Takes all words that are there. `each` is handed them, whole rows in two pieces where a ring begins anew, and what the first is
    /// packed against; twice, if there are some in both rings.
    pub(super) fn read(&mut self, mut each: impl FnMut(Before, [&[u64]; 2])) {
        let Self { near, far, before } = self;
        // Looked at first: what is far by now came after all that is near, and nothing goes there again before it is taken.
        let waiting = far.slots();
        take(near, near.slots(), before, &mut each);
        take(far, waiting, before, &mut each);
    }
}

fn take(
    words: &mut rtrb::Consumer<u64>,
    waiting: usize,
    before: &mut Before,
    each: &mut impl FnMut(Before, [&[u64]; 2]),
) {
    if waiting == 0 {
        return;
    }
    let chunk = words.read_chunk(waiting).expect("`slots` said that many are there");
    let (first, rest) = chunk.as_slices();
    each(*before, [first, rest]);
    Unpacked::new(first.iter().chain(rest).copied(), before).for_each(drop);
    chunk.commit_all();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scope::event::{PollOutcome, TaskId, WorkerId};

    const LOCK: ObjectId = ObjectId(3);

    /// Everything that can be read, each row as its events.
    fn told(rows: &mut Rows) -> Vec<Vec<Event>> {
        let mut told = Vec::new();
        rows.read(|mut before, words| {
            for row in Unpacked::new(words.concat().into_iter(), &mut before) {
                let mut events = Vec::new();
                row.unwrap().1.each(|event, _| events.push(event));
                told.push(events);
            }
        });
        told
    }

    /// A ring whose clock stands still: what it writes takes as many words each time.
    fn new(capacity: usize) -> (Ring, Rows) {
        ring(Room { near: 0, far: capacity }, quanta::Clock::mock().0)
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
        let (mut ring, mut rows) = new(2);
        for _ in 0..2 {
            // Two rows, of which the first has a client to tell: three words.
            brief(&mut ring);
            wait(&mut ring);
        }
        assert_eq!((ring.lost, told(&mut rows).len()), (10, 0));
        let (mut ring, mut rows) = new(5);
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

    #[test]
    fn what_is_lost_is_not_what_the_next_is_packed_against() {
        let (mut ring, mut rows) = new(4);
        wait(&mut ring);
        // Does not fit, and what it would have told of the client goes with it.
        (0..5).for_each(|_| brief(&mut ring));
        wait(&mut ring);
        assert_eq!(told(&mut rows).len(), 1);
        brief(&mut ring);
        wait(&mut ring);
        let told = told(&mut rows);
        assert_eq!((told[0].as_slice(), told[1].len(), told.len()), (&[Event::Gap { lost: 21 }][..], 4, 3));
        assert!(told[1].contains(&Event::CommandStart { client: 1, command: LabelId(2) }));
    }

    #[test]
    fn what_is_near_comes_before_what_is_far() {
        let (mut ring, mut rows) = ring(Room { near: 4, far: 10 }, quanta::Clock::mock().0);
        let (mut written, mut read, mut random) = (0, Vec::new(), fastrand::Rng::with_seed(1));
        for _ in 0..1_000 {
            for _ in 0..random.u64(0..=14) {
                written += 1;
                ring.push(Row::of(Event::Read { bytes: written }), At::Now);
            }
            read.extend(told(&mut rows).concat());
        }
        assert_eq!(ring.lost, 0);
        assert_eq!(read, (1..=written).map(|bytes| Event::Read { bytes }).collect::<Vec<_>>());
        (0..14).for_each(|_| wait(&mut ring));
        wait(&mut ring);
        assert_eq!((told(&mut rows).len(), ring.lost), (14, 1));
    }

    #[test]
    fn what_another_thread_reads_is_in_order() {
        const WRITTEN: u32 = 100_000;
        let (mut ring, rows) = ring(Room { near: 16, far: 256 }, quanta::Clock::mock().0);
        std::thread::scope(move |scope| {
            // Gone if this panics: then the writer ends, too.
            let mut rows = rows;
            scope.spawn(move || {
                for bytes in 1..=WRITTEN {
                    ring.push(Row::of(Event::Read { bytes }), At::Now);
                    if bytes % 64 == 0 {
                        std::thread::yield_now();
                    }
                }
                // What is lost is told with the next that fits.
                while ring.lost > 0 && !ring.far.is_abandoned() {
                    wait(&mut ring);
                }
            });
            let mut last = 0;
            while !(rows.is_abandoned() && rows.near.is_empty() && rows.far.is_empty()) {
                for event in told(&mut rows).concat() {
                    match event {
                        Event::Read { bytes } => {
                            assert_eq!(bytes, last + 1);
                            last = bytes;
                        }
                        Event::Gap { lost } => last += lost,
                        _ => {}
                    }
                }
            }
            assert!(last >= WRITTEN, "{last}");
        });
    }

    #[test]
    fn nothing_happens_at_the_instant_of_what_nobody_watched() {
        let (counter, time) = quanta::Clock::mock();
        let (mut ring, mut rows) = ring(Room { near: 0, far: 2 * POLL_RESERVE_WORDS }, counter);
        wait(&mut ring);
        ring.forget();
        time.increment(100);
        ring.acquired(LOCK);
        let (mut before, mut read) = (rows.before, Vec::new());
        rows.read(|_, words| read = words.concat());
        let read: Vec<_> = Unpacked::new(read.into_iter(), &mut before).map(Result::unwrap).collect();
        let lock = Row::of(Event::LockAcquired { lock: LOCK });
        assert_eq!(read, [(0, Row::of(Event::ReadWait)), (100, lock)]);
    }
}
