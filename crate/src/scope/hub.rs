//! Watching a native process: one bounded ring a thread, drained from outside the runtime it observes.
//!
//! A thread's ring is made at its first event while somebody watches. Knows nothing of how events lie in it, of who watches
//! or how the messages reach them.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::codec::{self, Clocked};
use super::event::Event;
use super::frame::Frame;
use super::record::{self, ON};
use super::ring::{self, Ring, Room, Rows};

/// What a worker's ring holds between two times that it is emptied, in words, of which most events take one: ten million a second if
/// that is every 3 ms. In that time a server under load uses the near ones about once: so few that they stay in a core's cache beside
/// the data it reads meanwhile. With 32,768 used in turn a watched INCR `-P 16`, on one core, had 0.86 of the throughput of an unwatched
/// one, with the near ones 0.88 (medians of nine times six turns).
const WORKER_ROOM: Room = Room { near: 8 * 1024, far: 32 * 1024 };

/// The same of any other thread. A runtime may have 512 blocking threads; theirs stay small.
const OTHER_ROOM: Room = Room { near: 0, far: 4 * 1024 };

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
    rows: Rows,
}

/// The time-stamp counter, tied to the process's monotonic clock at one moment.
struct Clock {
    counter: quanta::Clock,
    raw: u64,
    at_ns: u64,
    /// What a tick is, as [`Clocked`] has it: rounded down, so that no chunk ends after the next begins.
    ns_a_tick: u64,
}

impl Clock {
    fn calibrate() -> Self {
        let counter = quanta::Clock::new();
        let ns_a_tick = counter.delta_as_nanos(0, codec::ONE_NS);
        Self { raw: counter.raw(), at_ns: now_ns(), ns_a_tick, counter }
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
        hub.rings.iter_mut().for_each(|ring| ring.rows.read(|_, _| {}));
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
        hub.rings.retain_mut(|Recorded { thread, rows }| {
            let gone = rows.is_abandoned();
            rows.read(|before, words| {
                let clock = Clocked { at_ns: clock.at_ns(before.ticks), ns_a_tick: clock.ns_a_tick };
                codec::append_words(*thread, clock, before, words, &mut self.events);
            });
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

/// A ring for this thread, if anybody watches.
pub(super) fn ring_for_this_thread() -> Option<Ring> {
    if WATCHES.load(Ordering::Relaxed) == 0 {
        return None;
    }
    let is_worker = tokio::runtime::worker_index().is_some();
    let room = if is_worker { WORKER_ROOM } else { OTHER_ROOM };
    let mut hub = hub();
    let thread = hub.threads;
    hub.threads = thread.wrapping_add(1);
    // Clocks of one process share their calibration; a clone counts the same ticks.
    let counter = CLOCK.counter.clone();
    let (ring, rows) = ring::ring(room, counter);
    hub.rings.push(Recorded { thread, rows });
    Some(ring)
}

/// Records parks and unparks of a runtime's workers. Call it on the builder of the runtime to be watched.
pub fn watch_workers(builder: &mut tokio::runtime::Builder) -> &mut tokio::runtime::Builder {
    builder
        .on_thread_park(|| record::record(Event::Park { worker: record::worker() }))
        .on_thread_unpark(|| record::record(Event::Unpark { worker: record::worker() }))
}
