//! From the rings of the observed runtime to everybody who watches.
//!
//! One thread outside both runtimes drains, encodes once and hands the same bytes to all watchers; while
//! nobody watches it sleeps and nothing is recorded. A watcher that is too slow loses whole batches, is told
//! how many events that were, and starts anew from a snapshot. Knows nothing of what the events mean.

use std::mem;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use interleave::scope::frame::{Frame, Hello};
use interleave::scope::{codec, hub};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

/// Most watchers at a time. Each batch is copied into the socket of each.
pub(crate) const WATCHERS_MAX: usize = 16;

/// Time between two drains: a ring of 32 Ki words is not full before, up to ten million words a second a worker, and most events are
/// one.
const DRAIN_EVERY: Duration = Duration::from_millis(3);

/// Drains to a message: one every 9 ms, no more than a page can show.
const DRAINS_A_MESSAGE: u32 = 3;

/// What a waiting message costs besides its bytes, roughly; counted, so that many small ones are bounded too.
const MESSAGE_COST_BYTES: usize = 64;

/// The way to the thread that drains. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Trace {
    desk: Arc<Desk>,
    queue_bytes_max: usize,
    places: Arc<Semaphore>,
}

/// Where watchers announce themselves to the thread.
#[derive(Default)]
struct Desk {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    arrived: Vec<Watcher>,
    stopping: bool,
}

/// The right to watch: one of [`WATCHERS_MAX`].
pub(crate) struct Place(#[expect(dead_code, reason = "held, not used")] OwnedSemaphorePermit);

impl Trace {
    /// `queue_bytes_max`: bytes that may wait for one watcher; then it loses what comes next.
    pub(crate) fn new(queue_bytes_max: usize) -> Self {
        Self { desk: Arc::default(), queue_bytes_max, places: Arc::new(Semaphore::new(WATCHERS_MAX)) }
    }

    /// A place for one more watcher, if there is one.
    pub(crate) fn place(&self) -> Option<Place> {
        Arc::clone(&self.places).try_acquire_owned().ok().map(Place)
    }

    /// Begins to watch: the messages to send, from the first on.
    pub(crate) fn watch(&self, place: Place) -> Messages {
        let (sender, receiver) = mpsc::unbounded_channel();
        let queued = Arc::new(AtomicUsize::new(0));
        let watcher = Watcher { sender, queued: Arc::clone(&queued), lost: None };
        self.desk.state().arrived.push(watcher);
        self.desk.changed.notify_all();
        Messages { receiver, queued, taken: 0, _place: place }
    }

    /// Ends the thread.
    pub(crate) fn stop(&self) {
        self.desk.state().stopping = true;
        self.desk.changed.notify_all();
    }

    /// The thread: drains for as long as anybody watches, until it is told to end.
    pub(crate) fn run(&self, hello: &Hello) {
        let mut watchers: Vec<Watcher> = Vec::new();
        let mut recording = None;
        let mut drain = hub::Drain::default();
        let mut drains = 0;
        while let Some(arrived) = self.desk.wait(!watchers.is_empty()) {
            recording.get_or_insert_with(hub::watch);
            drains += 1;
            // Who arrived begins with a snapshot, and what was before it is not to be told again.
            if drains < DRAINS_A_MESSAGE && arrived.is_empty() {
                drain.collect();
                continue;
            }
            drains = 0;
            if !watchers.is_empty() {
                let batch = drain.message().into();
                watchers.retain_mut(|watcher| watcher.offer(&batch, self.queue_bytes_max));
            }
            // After the drain: a snapshot holds what was drained before it.
            for mut watcher in arrived {
                let hello = Hello { now_ns: hub::now_ns(), ..hello.clone() };
                let [definitions, alive] = hub::snapshot();
                if watcher.send(encoded(&[Frame::Hello(hello), definitions, alive])) {
                    watchers.push(watcher);
                }
            }
            if watchers.is_empty() {
                recording = None;
            }
        }
    }
}

impl Desk {
    /// Waits until the next drain is due, or, with nobody `watched`, until somebody arrives. Gives who
    /// arrived; `None` when the thread is to end.
    fn wait(&self, watched: bool) -> Option<Vec<Watcher>> {
        let state = self.state();
        let mut state = if watched {
            let waited = self.changed.wait_timeout_while(state, DRAIN_EVERY, |state| !state.stopping);
            waited.unwrap_or_else(PoisonError::into_inner).0
        } else {
            let idle = |state: &mut State| state.arrived.is_empty() && !state.stopping;
            self.changed.wait_while(state, idle).unwrap_or_else(PoisonError::into_inner)
        };
        (!state.stopping).then(|| mem::take(&mut state.arrived))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Held for a push or a take only; nothing there can panic.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The sending end of one watcher's queue. Touched by the thread only.
struct Watcher {
    sender: mpsc::UnboundedSender<Bytes>,
    // Bytes in the queue, for both ends to count.
    queued: Arc<AtomicUsize>,
    // While it is behind: how many events it has lost.
    lost: Option<u64>,
}

impl Watcher {
    /// Sends `batch`, or counts it as lost. False when the watcher is gone.
    fn offer(&mut self, batch: &Bytes, queue_bytes_max: usize) -> bool {
        let queued = self.queued.load(Ordering::Relaxed);
        let events = || codec::events_in(batch);
        match &mut self.lost {
            None if queued + cost(batch) <= queue_bytes_max => self.send(batch.clone()),
            None => {
                self.lost = Some(events());
                !self.sender.is_closed()
            }
            Some(lost) if queued > 0 => {
                *lost += events();
                !self.sender.is_closed()
            }
            // It has taken everything: what it lost up to now, this batch included, and how things are after it.
            Some(lost) => {
                let lost = *lost + events();
                self.lost = None;
                let [definitions, alive] = hub::snapshot();
                self.send(encoded(&[Frame::Lost { events: lost }, definitions, alive]))
            }
        }
    }

    fn send(&mut self, message: Bytes) -> bool {
        self.queued.fetch_add(cost(&message), Ordering::Relaxed);
        self.sender.send(message).is_ok()
    }
}

/// The receiving end: what is to be sent to one watcher. Dropping it ends the watching.
pub(crate) struct Messages {
    receiver: mpsc::UnboundedReceiver<Bytes>,
    queued: Arc<AtomicUsize>,
    // What the message handed out last cost. It counts as queued until the next one is asked for.
    taken: usize,
    _place: Place,
}

impl Messages {
    /// The next message; `None` when there will be none. Cancellation safe.
    pub(crate) async fn next(&mut self) -> Option<Bytes> {
        self.queued.fetch_sub(mem::take(&mut self.taken), Ordering::Relaxed);
        let message = self.receiver.recv().await?;
        self.taken = cost(&message);
        Some(message)
    }
}

fn cost(message: &Bytes) -> usize {
    message.len() + MESSAGE_COST_BYTES
}

fn encoded(frames: &[Frame]) -> Bytes {
    let mut message = Vec::new();
    codec::encode(frames, &mut message);
    message.into()
}

#[cfg(test)]
mod tests {
    use interleave::scope::event::{Event, Stamped};
    use interleave::scope::frame::Chunk;

    use super::*;

    const QUEUE_BYTES_MAX: usize = 1 << 20;

    fn batch(events: usize) -> Bytes {
        let events = vec![Stamped { at_ns: 1, event: Event::ReadWait }; events];
        encoded(&[Frame::Events(Chunk { thread: 0, events })])
    }

    fn lost_in(message: &[u8]) -> Option<u64> {
        codec::decode(message).unwrap().into_iter().find_map(|frame| match frame {
            Frame::Lost { events } => Some(events),
            _ => None,
        })
    }

    fn watcher() -> (Watcher, Messages) {
        let trace = Trace::new(QUEUE_BYTES_MAX);
        let messages = trace.watch(trace.place().unwrap());
        (trace.desk.state().arrived.pop().unwrap(), messages)
    }

    #[test]
    fn there_are_so_many_places() {
        let trace = Trace::new(QUEUE_BYTES_MAX);
        let mut places: Vec<_> = (0..WATCHERS_MAX).map(|_| trace.place().unwrap()).collect();
        assert!(trace.place().is_none());
        places.pop();
        assert!(trace.place().is_some());
    }

    #[tokio::test]
    async fn who_is_too_slow_is_told_what_it_lost() {
        let (mut watcher, mut messages) = watcher();
        let batch = batch(100_000);
        let fit = QUEUE_BYTES_MAX / cost(&batch);
        for _ in 0..fit + 3 {
            assert!(watcher.offer(&batch, QUEUE_BYTES_MAX));
        }
        for _ in 0..fit {
            assert_eq!(messages.next().await.unwrap(), batch);
        }
        // The last message is still being sent, so this one is lost too.
        assert!(watcher.offer(&batch, QUEUE_BYTES_MAX));
        let offer = async {
            tokio::task::yield_now().await;
            assert!(watcher.offer(&batch, QUEUE_BYTES_MAX));
        };
        let (message, ()) = tokio::join!(messages.next(), offer);
        assert_eq!(lost_in(&message.unwrap()), Some(500_000));
        assert!(watcher.offer(&batch, QUEUE_BYTES_MAX));
        assert_eq!(messages.next().await.unwrap(), batch, "from here on nothing is lost");
    }

    #[test]
    fn small_messages_are_bounded_too() {
        let (mut watcher, messages) = watcher();
        for _ in 0..1_000_000 {
            watcher.offer(&batch(1), QUEUE_BYTES_MAX);
        }
        assert!(messages.receiver.len() <= QUEUE_BYTES_MAX / MESSAGE_COST_BYTES);
    }

    #[test]
    fn who_leaves_is_forgotten() {
        let (mut watcher, messages) = watcher();
        drop(messages);
        assert!(!watcher.offer(&batch(1), QUEUE_BYTES_MAX));
        watcher.lost = Some(1);
        watcher.queued.store(1, Ordering::Relaxed);
        assert!(!watcher.offer(&batch(1), QUEUE_BYTES_MAX), "nor while it was behind");
    }
}
