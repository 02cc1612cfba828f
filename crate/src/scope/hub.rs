//! Watching a native process: one bounded ring a thread, drained from outside the runtime it observes.
//!
//! A thread's ring is made at its first event while somebody watches. When it is full, the newest events are dropped
//! and counted, whole polls at a time, and a [`Event::Gap`] stands where they were. Knows nothing of who watches
//! or how the messages reach them.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::codec::{self, Columns};
use super::event::{Event, LabelId, ObjectId};
use super::frame::Frame;
use super::record::{self, At, ON};
use super::row::Row;

/// Events a worker's ring holds between two times that it is emptied: 5.4 million a second if that is every 3 ms. Its 393 KB
/// fit into a processor's second cache; four times as many, gone round in, cost a watched SET 5 % and a GET 4 %.
pub const WORKER_RING_EVENTS: usize = 16 * 1024;

/// Events the ring of any other thread holds. A runtime may have 512 blocking threads; theirs stay small.
pub const OTHER_RING_EVENTS: usize = 4 * 1024;

/// Free places a poll needs before it is recorded at all: it is better to miss a poll than to see half of it.
const POLL_RESERVE_EVENTS: usize = 512;

static HUB: Mutex<Hub> = Mutex::new(Hub { rings: Vec::new(), threads: 0 });
static WATCHES: AtomicU32 = AtomicU32::new(0);
static CLOCK: LazyLock<Clock> = LazyLock::new(Clock::calibrate);
static EPOCH: LazyLock<Instant> = LazyLock::new(now);

struct Hub {
    rings: Vec<Recorded>,
    threads: u16,
}

/// The reading end of a thread's ring.
struct Recorded {
    thread: u16,
    ring: rtrb::Consumer<Counted>,
    /// When the last event was that was read.
    last_ns: u64,
}

/// An event as it lies in a ring: the time-stamp counter, and what happened.
#[derive(Clone, Copy)]
struct Counted {
    raw: u64,
    row: Row,
}

/// The time-stamp counter, tied to the process's monotonic clock at one moment.
struct Clock {
    counter: quanta::Clock,
    raw: u64,
    at_ns: u64,
}

impl Clock {
    fn calibrate() -> Self {
        let counter = quanta::Clock::new();
        Self { raw: counter.raw(), at_ns: now_ns(), counter }
    }

    fn at_ns(&self, raw: u64) -> u64 {
        self.at_ns + self.counter.delta_as_nanos(self.raw, raw)
    }
}

#[expect(clippy::disallowed_methods, reason = "the native recorder's own clock")]
fn now() -> Instant {
    Instant::now()
}

/// Nanoseconds since the recording's epoch: the first call in this process.
pub fn now_ns() -> u64 {
    let epoch = *EPOCH;
    now().duration_since(epoch).as_nanos() as u64
}

/// Recording is on while at least one of these lives.
#[derive(Debug)]
pub struct Watch(());

/// Turns recording on. The first watcher in a process waits some milliseconds for its clock to be calibrated.
pub fn watch() -> Watch {
    LazyLock::force(&CLOCK);
    let mut hub = hub();
    if WATCHES.fetch_add(1, Ordering::Relaxed) == 0 {
        // What is left in the rings is from an earlier time of watching.
        let now_ns = CLOCK.at_ns(CLOCK.counter.raw());
        for Recorded { ring, last_ns, .. } in &mut hub.rings {
            while ring.pop().is_ok() {}
            *last_ns = now_ns;
        }
        ON.store(true, Ordering::Relaxed);
    }
    Watch(())
}

impl Drop for Watch {
    fn drop(&mut self) {
        let _hub = hub();
        if WATCHES.fetch_sub(1, Ordering::Relaxed) == 1 {
            ON.store(false, Ordering::Relaxed);
            record::process_registry().forget_fresh();
        }
    }
}

/// What a watcher who comes now must be told before the next message of a [`Drain`]: definitions, and the tasks alive.
///
/// Call it from the thread that drains: what happens in between is in neither or in both, never lost.
pub fn snapshot() -> [Frame; 2] {
    record::process_registry().snapshot()
}

/// Turns what was recorded into messages of the trace, one after the other. Keeps its buffers: what a second of load leaves
/// in the rings is tens of megabytes.
#[derive(Debug, Default)]
pub struct Drain {
    columns: Columns,
    events: Vec<u8>,
    /// Up to when the rings were emptied.
    at_ns: u64,
}

impl Drain {
    /// Empties the rings; what was in them comes with the next message. Meant to be called by one thread about every 3 ms.
    pub fn collect(&mut self) {
        let clock = &*CLOCK;
        let mut hub = hub();
        self.at_ns = clock.at_ns(clock.counter.raw());
        hub.rings.retain_mut(|Recorded { thread, ring, last_ns }| {
            let gone = ring.is_abandoned();
            let waiting = ring.slots();
            if waiting > 0 {
                let chunk = ring.read_chunk(waiting).expect("`slots` said that many are there");
                let (first, rest) = chunk.as_slices();
                let rows = first.iter().chain(rest).map(|counted| (clock.at_ns(counted.raw), counted.row));
                *last_ns = self.columns.chunk(*thread, *last_ns, rows, &mut self.events);
                chunk.commit_all();
            }
            !gone
        });
    }

    /// A message with what was recorded since the last one: new definitions, chunks for every thread that had something,
    /// and the moment up to which all is in.
    pub fn message(&mut self) -> Vec<u8> {
        self.collect();
        let mut message = Vec::with_capacity(self.events.len() + 64);
        // Taken after the events and sent before them: every name they use is known by then.
        codec::encode(record::process_registry().take_fresh().as_slice(), &mut message);
        message.append(&mut self.events);
        codec::append(&Frame::Drained { at_ns: self.at_ns }, &mut message);
        message
    }
}

/// Appends the frames of one message, for a watcher in this process.
pub fn drain(frames: &mut Vec<Frame>) {
    frames.extend(codec::decode(&Drain::default().message()).expect("what was just encoded is whole"));
}

fn hub() -> MutexGuard<'static, Hub> {
    // Rings and counters are whole after any panic; the worst is a chunk that was read and not delivered.
    HUB.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A thread's own end of its ring.
pub(super) struct Ring {
    events: rtrb::Producer<Counted>,
    counter: quanta::Clock,
    /// The time-stamp counter at the last event.
    last: u64,
    /// The lock that was acquired at the last event, if that is not told yet.
    held: Option<ObjectId>,
    /// Events dropped since the last one that fitted.
    lost: u32,
    /// Inside a poll that is not recorded, or no longer.
    skipping: bool,
}

impl Ring {
    /// A ring for this thread, if anybody watches.
    pub(super) fn for_this_thread() -> Option<Self> {
        if WATCHES.load(Ordering::Relaxed) == 0 {
            return None;
        }
        let is_worker = tokio::runtime::worker_index().is_some();
        let capacity = if is_worker { WORKER_RING_EVENTS } else { OTHER_RING_EVENTS };
        let (producer, consumer) = rtrb::RingBuffer::new(capacity);
        let mut hub = hub();
        let thread = hub.threads;
        hub.threads = thread.wrapping_add(1);
        // Clocks of one process share their calibration; a clone counts the same ticks.
        let counter = CLOCK.counter.clone();
        let last = counter.raw();
        hub.rings.push(Recorded { thread, ring: consumer, last_ns: CLOCK.at_ns(last) });
        Some(Self { events: producer, counter, last, held: None, lost: 0, skipping: false })
    }

    /// A lock was acquired at the instant of the last event; told with what comes next.
    #[inline]
    pub(super) fn acquired(&mut self, lock: ObjectId) {
        if self.held.is_some() || self.skipping {
            return self.push(Row::of(Event::LockAcquired { lock }), At::Last);
        }
        self.held = Some(lock);
    }

    /// A command ends and the next one starts; before that a lock is `released`.
    #[inline]
    pub(super) fn push_next(&mut self, released: Option<ObjectId>, client: u32, command: LabelId) {
        if let Some(lock) = self.held
            && released == self.held
        {
            self.held = None;
            return self.push(Row::held_next(lock, client, command), At::Now);
        }
        self.push(Row::next(released, client, command), At::Now);
    }

    /// Records what happened, or counts it as lost.
    #[inline]
    pub(super) fn push(&mut self, row: Row, at: At) {
        if let Some(lock) = self.held.take()
            // No lock is held across polls: its release was not recorded, because nobody watched any more.
            && row.kind() != Row::POLL_START
        {
            self.push(Row::of(Event::LockAcquired { lock }), At::Last);
        }
        if row.kind() == Row::POLL_START {
            self.skipping = self.events.slots() < POLL_RESERVE_EVENTS;
        }
        if self.skipping {
            self.lost = self.lost.saturating_add(row.count());
            // The poll that was left out is over: what comes between polls stands for itself.
            if row.is_poll_end() {
                self.skipping = false;
            }
            return;
        }
        let before = self.last;
        if at == At::Now {
            self.last = self.counter.raw();
        }
        let raw = self.last;
        if self.lost > 0 {
            // Two places are needed, for the gap and the event after it.
            if self.events.slots() < 2 {
                return self.lose(row);
            }
            let gap = Counted { raw: before, row: Row::of(Event::Gap { lost: self.lost }) };
            if self.events.push(gap).is_ok() {
                self.lost = 0;
            }
        }
        if self.events.push(Counted { raw, row }).is_err() {
            self.lose(row);
        }
    }

    #[cold]
    fn lose(&mut self, row: Row) {
        self.lost = self.lost.saturating_add(row.count());
        // Inside a poll, the rest of it goes too: up to its end.
        self.skipping = record::current().is_some() && !row.is_poll_end();
    }
}

/// Records parks and unparks of a runtime's workers. Call it on the builder of the runtime to be watched.
pub fn watch_workers(builder: &mut tokio::runtime::Builder) -> &mut tokio::runtime::Builder {
    builder
        .on_thread_park(|| record::record(Event::Park { worker: record::worker() }))
        .on_thread_unpark(|| record::record(Event::Unpark { worker: record::worker() }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scope::event::{TaskId, WorkerId};

    const LOCK: ObjectId = ObjectId(3);

    /// A ring of `capacity` rows and what reads it.
    fn ring(capacity: usize) -> (Ring, rtrb::Consumer<Counted>) {
        let (events, consumer) = rtrb::RingBuffer::new(capacity);
        let counter = quanta::Clock::new();
        let last = counter.raw();
        (Ring { events, counter, last, held: None, lost: 0, skipping: false }, consumer)
    }

    /// The rows in the ring, each as its events.
    fn rows(mut consumer: rtrb::Consumer<Counted>) -> Vec<Vec<Event>> {
        let (mut rows, mut before) = (Vec::new(), 0);
        while let Ok(Counted { raw, row }) = consumer.pop() {
            assert!(raw >= before, "the time goes back");
            before = raw;
            let mut events = Vec::new();
            row.each(|event, _| events.push(event));
            rows.push(events);
        }
        rows
    }

    #[test]
    fn a_lock_held_briefly_is_one_row_unless_something_happens_meanwhile() {
        let lock = LOCK;
        let (acquired, released) = (Event::LockAcquired { lock }, Event::LockReleased { lock });
        let next =
            [Event::CommandEnd { failed: false }, Event::CommandStart { client: 1, command: LabelId(2) }];
        let check = |program: fn(&mut Ring), expected: &[&[Event]]| {
            let (mut ring, consumer) = ring(2 * POLL_RESERVE_EVENTS);
            program(&mut ring);
            assert_eq!(rows(consumer), expected);
        };
        check(
            |ring| {
                ring.acquired(LOCK);
                ring.push_next(Some(LOCK), 1, LabelId(2));
            },
            &[&[acquired, released, next[0], next[1]]],
        );
        check(
            |ring| {
                ring.acquired(LOCK);
                ring.push(Row::of(Event::ReadWait), At::Now);
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
        check(
            |ring| {
                ring.acquired(LOCK);
                ring.push(Row::of(Event::PollStart { task: TaskId(1), worker: WorkerId(0) }), At::Now);
            },
            &[&[Event::PollStart { task: TaskId(1), worker: WorkerId(0) }]],
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
    }

    #[test]
    fn what_is_told_in_one_row_is_lost_as_what_it_tells() {
        let (mut ring, mut consumer) = ring(2);
        let held = |ring: &mut Ring| {
            ring.acquired(LOCK);
            ring.push_next(Some(LOCK), 1, LabelId(2));
        };
        (0..4).for_each(|_| held(&mut ring));
        assert_eq!(ring.lost, 8);
        while consumer.pop().is_ok() {}
        held(&mut ring);
        let told = rows(consumer);
        assert_eq!((told[0].as_slice(), told[1].len()), (&[Event::Gap { lost: 8 }][..], 4));
    }
}
