//! The way of records from those who run commands to the one who writes them down.
//!
//! Owns the records that are not written yet, who waits for which of them, and whether writing fails. Knows no file:
//! one thread of the host's [takes](Log::take) what there is and says when it is [safe](Log::settled).
//!
//! Two locks, both held for as long as it takes to copy a record or to look at a queue, and never both at once. The
//! first is taken while a part of the data is locked, never the other way round.

use std::collections::VecDeque;
use std::str::FromStr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::entry::Draft;
use crate::rt::{Answers, Promise};

/// Records that wait to be written may take about this many bytes: a client that adds to more than that waits until
/// there are fewer, unless it waits for the disk anyway.
pub const PENDING_BYTES_MAX: u64 = 64 << 20;

/// How long records are gathered before they are written: at most a hundred writes a second, and an idle server has
/// none.
const GATHER: Duration = Duration::from_millis(10);

/// With so many bytes they are written without more ado.
const GATHER_BYTES: usize = 256 * 1024;

/// When what was written is made to reach the disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Fsync {
    /// Before the client is answered. All clients that wait at the same time wait for the same `fsync`.
    Always,
    /// Once a second: what the machine's failure takes is about a second of writes.
    #[default]
    EverySec,
    /// When the system sees fit.
    No,
}

impl Fsync {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Always, Self::EverySec, Self::No];

    /// Its name in flags and settings.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Always => "always",
            Self::EverySec => "everysec",
            Self::No => "no",
        }
    }
}

impl FromStr for Fsync {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let known = Self::ALL.into_iter().find(|fsync| fsync.name() == name);
        known.ok_or_else(|| format!("expected always, everysec or no, found '{name}'"))
    }
}

/// The log as everybody sees it who runs commands or asks about it. Cheap to clone; all clones are the same log.
#[derive(Clone, Debug)]
pub struct Log(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    fsync: Fsync,
    figures: Figures,
    pending: Mutex<Pending>,
    /// Told when the first record is pending, when there are many, and when something else is asked for.
    more: Condvar,
    /// Who is at this position or before it need not wait.
    settled: AtomicU64,
    fails: AtomicBool,
    waiting: Mutex<Waiting>,
    answers: Answers,
}

/// What is not written yet.
#[derive(Debug, Default)]
struct Pending {
    records: Vec<u8>,
    /// How many bytes there have been ever: the position of whoever appends next.
    end: u64,
    rewrite: bool,
    closed: bool,
}

/// Who waits.
#[derive(Debug, Default)]
struct Waiting {
    /// By position, nearly: two who append at the same time may come here in the other order.
    clients: VecDeque<(u64, Promise<Result<(), Failing>>)>,
    /// Why writing fails, if it does.
    error: Option<String>,
}

/// The log cannot be written: what the system says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failing(pub String);

/// What INFO tells of the log. The writer keeps it up; nothing is ordered by it.
#[derive(Debug, Default)]
pub struct Figures {
    /// Bytes of all files.
    pub size_bytes: AtomicU64,
    /// The same when the log was compacted last, or read.
    pub base_bytes: AtomicU64,
    /// Whether it is being compacted.
    pub rewrites_now: AtomicBool,
    /// How many times it was compacted.
    pub rewrites: AtomicU64,
    /// Whether the last time failed.
    pub rewrite_failed: AtomicBool,
}

/// What the writer is handed.
#[derive(Debug)]
pub struct Taken {
    /// Records, [not sealed yet](super::frame::seal).
    pub records: Vec<u8>,
    /// The position behind them.
    pub end: u64,
    /// Somebody asked for the log to be compacted.
    pub rewrite: bool,
    /// Nothing will come any more.
    pub closed: bool,
}

impl Log {
    /// A log with nothing in it, that has somebody who [takes](Self::take) what is appended.
    #[must_use]
    pub fn new(fsync: Fsync) -> Self {
        let log = Self(Arc::new(Shared {
            fsync,
            figures: Figures::default(),
            pending: Mutex::default(),
            more: Condvar::new(),
            settled: AtomicU64::new(0),
            fails: AtomicBool::new(false),
            waiting: Mutex::default(),
            answers: Answers::new("log"),
        }));
        log.settled(0);
        log
    }

    /// When what is written reaches the disk.
    #[must_use]
    pub fn fsync(&self) -> Fsync {
        self.0.fsync
    }

    /// What INFO tells of it.
    #[must_use]
    pub fn figures(&self) -> &Figures {
        &self.0.figures
    }

    /// How many bytes wait to be written.
    #[must_use]
    pub fn pending_bytes(&self) -> usize {
        self.pending().records.len()
    }

    /// The position behind all that was appended so far.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.pending().end
    }

    /// Whether records cannot be written: then nothing is to be changed.
    #[must_use]
    pub fn fails(&self) -> bool {
        self.0.fails.load(Ordering::Acquire)
    }

    /// Why records cannot be written, if so.
    #[must_use]
    pub fn failing(&self) -> Option<Failing> {
        self.waiting().error.clone().map(Failing)
    }

    /// Appends the records in `draft`, and empties it; the position behind them. Call it while the data they touch is
    /// locked.
    pub fn append(&self, draft: &mut Draft) -> u64 {
        let mut pending = self.pending();
        let before = pending.records.len();
        let records = draft.records();
        pending.records.extend_from_slice(records);
        pending.end += records.len() as u64;
        let (after, end) = (pending.records.len(), pending.end);
        drop(pending);
        if before == 0 || (before < GATHER_BYTES && after >= GATHER_BYTES) {
            self.0.more.notify_one();
        }
        draft.clear();
        draft.shrink();
        end
    }

    /// Waits until what was appended up to `position` is safe: on the disk under [`Fsync::Always`], and otherwise until
    /// there are not too many bytes to be written.
    ///
    /// # Errors
    /// Under [`Fsync::Always`], when it cannot be written now. It will be as soon as that is possible, unless the
    /// server ends first: whether it was done is open, and that is what the client is to be told.
    ///
    /// Cancelled, it changes nothing about what is written.
    pub async fn settle(&self, position: u64) -> Result<(), Failing> {
        if position <= self.0.settled.load(Ordering::Acquire) {
            return Ok(());
        }
        let answer = {
            let mut waiting = self.waiting();
            // Whoever raises it takes the queue afterwards: either this is seen here, or we are seen there.
            if position <= self.0.settled.load(Ordering::Acquire) {
                return Ok(());
            }
            if let Some(error) = &waiting.error {
                return if self.0.fsync == Fsync::Always { Err(Failing(error.clone())) } else { Ok(()) };
            }
            let (promise, answer) = self.0.answers.promise();
            waiting.clients.push_back((position, promise));
            answer
        };
        answer.await.unwrap_or_else(|| Err(Failing("the log was closed".to_owned())))
    }

    /// Asks for the log to be compacted; false if that is being done already.
    #[must_use]
    pub fn ask_rewrite(&self) -> bool {
        let mut pending = self.pending();
        if self.0.figures.rewrites_now.load(Ordering::Acquire) || pending.rewrite {
            return false;
        }
        pending.rewrite = true;
        drop(pending);
        self.0.more.notify_one();
        true
    }

    /// Whether it was [closed](Self::close).
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.pending().closed
    }

    /// Tells the writer that nothing will come any more.
    pub fn close(&self) {
        self.pending().closed = true;
        self.0.more.notify_one();
    }
}

/// For the writer.
impl Log {
    /// Blocks the thread until there is something to do, at most for `patience`, and hands it out. Unless clients wait
    /// for the disk, records are gathered for a moment. `spare` is a buffer to be used again.
    #[must_use]
    pub fn take(&self, patience: Duration, mut spare: Vec<u8>) -> Taken {
        spare.clear();
        let is_idle =
            |pending: &mut Pending| pending.records.is_empty() && !pending.rewrite && !pending.closed;
        let mut pending = self.wait_while(self.pending(), patience, is_idle);
        if self.0.fsync != Fsync::Always && !pending.records.is_empty() {
            let may_gather = |pending: &mut Pending| {
                pending.records.len() < GATHER_BYTES && !pending.rewrite && !pending.closed
            };
            pending = self.wait_while(pending, GATHER, may_gather);
        }
        let rewrite = std::mem::take(&mut pending.rewrite);
        if rewrite {
            self.0.figures.rewrites_now.store(true, Ordering::Release);
        }
        Taken {
            records: std::mem::replace(&mut pending.records, spare),
            end: pending.end,
            rewrite,
            closed: pending.closed,
        }
    }

    fn wait_while<'a>(
        &self,
        pending: MutexGuard<'a, Pending>,
        patience: Duration,
        condition: impl FnMut(&mut Pending) -> bool,
    ) -> MutexGuard<'a, Pending> {
        let waited = self.0.more.wait_timeout_while(pending, patience, condition);
        waited.unwrap_or_else(PoisonError::into_inner).0
    }

    /// Says that everything up to `position` is as safe as [`Self::settle`] waits for: on the disk under
    /// [`Fsync::Always`], written otherwise.
    pub fn settled(&self, position: u64) {
        let slack = if self.0.fsync == Fsync::Always { 0 } else { PENDING_BYTES_MAX };
        let settled = position + slack;
        self.0.settled.store(settled, Ordering::Release);
        let mut waiting = self.waiting();
        // The few that are out of order wait until those before them are answered, which is at the next call.
        while let Some((_, promise)) = waiting.clients.pop_front_if(|(position, _)| *position <= settled) {
            // A client that has left awaits nothing.
            let _ = promise.keep(Ok(()));
        }
    }

    /// Says that records cannot be written, and why. Those who wait for the disk are told, and the others wait no
    /// longer.
    pub fn failed(&self, error: &str) {
        let mut waiting = self.waiting();
        waiting.error = Some(error.to_owned());
        self.0.fails.store(true, Ordering::Release);
        let answer = match self.0.fsync {
            Fsync::Always => Err(Failing(error.to_owned())),
            Fsync::EverySec | Fsync::No => Ok(()),
        };
        for (_, promise) in waiting.clients.drain(..) {
            let _ = promise.keep(answer.clone());
        }
    }

    /// Says that records can be written again.
    pub fn recovered(&self) {
        self.waiting().error = None;
        self.0.fails.store(false, Ordering::Release);
    }

    /// Poison is of no interest: whoever held it has changed nothing by halves.
    fn pending(&self) -> MutexGuard<'_, Pending> {
        self.0.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use super::*;
    use crate::log::entry::Ran;

    /// Appends a record; the position behind it.
    fn append(log: &Log) -> u64 {
        let mut draft = Draft::default();
        draft.command(0, Ran::default(), [&b"INCR"[..], b"k"].into_iter());
        draft.close();
        log.append(&mut draft)
    }

    fn poll(
        settling: std::pin::Pin<&mut impl Future<Output = Result<(), Failing>>>,
    ) -> Option<Result<(), Failing>> {
        match settling.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(result) => Some(result),
            Poll::Pending => None,
        }
    }

    #[test]
    fn what_is_appended_is_taken_in_order_and_once() {
        let log = Log::new(Fsync::Always);
        let (first, second) = (append(&log), append(&log));
        assert_eq!(second, 2 * first);
        let taken = log.take(Duration::MAX, Vec::new());
        assert_eq!((taken.records.len() as u64, taken.end), (second, second));
        let taken = log.take(Duration::ZERO, taken.records);
        assert_eq!((taken.records.len(), taken.end, taken.closed), (0, second, false));
        log.close();
        assert!(log.take(Duration::MAX, Vec::new()).closed);
    }

    #[test]
    fn with_always_one_waits_until_it_is_on_the_disk() {
        let log = Log::new(Fsync::Always);
        let (first, second) = (append(&log), append(&log));
        let (mut one, mut two) = (pin!(log.settle(first)), pin!(log.settle(second)));
        assert_eq!((poll(two.as_mut()), poll(one.as_mut())), (None, None));
        log.settled(first);
        // Behind the other in the queue, so at the next time.
        assert_eq!(poll(two.as_mut()), None);
        log.settled(second);
        assert_eq!((poll(two.as_mut()), poll(one.as_mut())), (Some(Ok(())), Some(Ok(()))));
        assert_eq!(poll(pin!(log.settle(first))), Some(Ok(())));
    }

    #[test]
    fn otherwise_one_waits_only_while_too_much_is_to_be_written() {
        for fsync in [Fsync::EverySec, Fsync::No] {
            let log = Log::new(fsync);
            assert_eq!(poll(pin!(log.settle(PENDING_BYTES_MAX))), Some(Ok(())));
            let mut waits = pin!(log.settle(PENDING_BYTES_MAX + 1));
            assert_eq!(poll(waits.as_mut()), None);
            log.settled(1);
            assert_eq!(poll(waits), Some(Ok(())));
        }
    }

    #[test]
    fn who_waits_is_told_of_a_failure_and_so_is_who_comes_later() {
        let full = || Some(Err(Failing("full".to_owned())));
        let log = Log::new(Fsync::Always);
        let position = append(&log);
        let mut waits = pin!(log.settle(position));
        assert_eq!(poll(waits.as_mut()), None);
        log.failed("full");
        assert!(log.fails());
        assert_eq!((poll(waits), poll(pin!(log.settle(position)))), (full(), full()));
        log.recovered();
        log.settled(position);
        assert_eq!((poll(pin!(log.settle(position))), log.failing()), (Some(Ok(())), None));
        // Without `always` nobody was waiting for the disk.
        let log = Log::new(Fsync::EverySec);
        log.failed("full");
        assert_eq!(poll(pin!(log.settle(PENDING_BYTES_MAX + 1))), Some(Ok(())));
    }

    #[test]
    fn who_has_left_is_forgotten() {
        let log = Log::new(Fsync::Always);
        let position = append(&log);
        {
            let mut waits = pin!(log.settle(position));
            assert_eq!(poll(waits.as_mut()), None);
        }
        log.settled(position);
        assert!(log.waiting().clients.is_empty());
    }

    #[test]
    fn a_rewrite_is_asked_for_once() {
        let log = Log::new(Fsync::No);
        assert!(log.ask_rewrite() && !log.ask_rewrite());
        assert!(log.take(Duration::MAX, Vec::new()).rewrite && !log.ask_rewrite());
        log.figures().rewrites_now.store(false, Ordering::Release);
        assert!(log.ask_rewrite());
    }
}
