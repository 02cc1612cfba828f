//! CLIENT PAUSE: until when clients wait, and which of their commands.
//!
//! Owns the state and who is told when it ends. The waiting is the sessions' own. Knows no clock: the time is passed in.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio::sync::futures::Notified;

/// What waits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Pausing {
    /// Commands that may change data or are passed on to replicas.
    #[default]
    Writes,
    /// All commands.
    All,
}

/// Whether clients are to wait. Whoever looks at it per command looks at one flag, as long as nobody is.
#[derive(Debug, Default)]
pub(crate) struct Pause {
    on: AtomicBool,
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Clone, Copy, Debug, Default)]
struct State {
    until_ms: u64,
    pausing: Pausing,
}

impl Pause {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has clients wait until `until_ms`. A pause that lasts is never made shorter or weaker.
    pub(super) fn begin(&self, pausing: Pausing, until_ms: u64, now_ms: u64) {
        let mut state = self.state();
        let before = if state.until_ms > now_ms { *state } else { State::default() };
        *state = State { until_ms: until_ms.max(before.until_ms), pausing: pausing.max(before.pausing) };
        self.on.store(true, Relaxed);
    }

    /// Lets all go on.
    pub(super) fn end(&self) {
        *self.state() = State::default();
        self.on.store(false, Relaxed);
        self.changed.notify_waiters();
    }

    /// Whether one may last.
    #[inline]
    pub(super) fn is_on(&self) -> bool {
        self.on.load(Relaxed)
    }

    /// How long a request has to wait from now on, in milliseconds; `None`: not at all.
    #[inline]
    pub(crate) fn holds(
        &self,
        may_write: impl FnOnce() -> bool,
        now_ms: impl FnOnce() -> u64,
    ) -> Option<u64> {
        if !self.on.load(Relaxed) {
            return None;
        }
        let (state, now_ms) = (self.state(), now_ms());
        if state.until_ms <= now_ms {
            self.on.store(false, Relaxed);
            return None;
        }
        let is_held = match state.pausing {
            Pausing::All => true,
            Pausing::Writes => may_write(),
        };
        is_held.then_some(state.until_ms - now_ms)
    }

    /// Waits until a pause is ended before its time. Once it is enabled, no end is missed.
    pub(crate) fn ended(&self) -> Notified<'_> {
        self.changed.notified()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_holds_what_it_says_until_it_ends() {
        let pause = Pause::default();
        let holds = |name, now_ms: u64| pause.holds(|| name != "get", || now_ms);
        assert_eq!(holds("set", 0), None);
        pause.begin(Pausing::Writes, 100, 0);
        assert_eq!((holds("set", 10), holds("publish", 10), holds("get", 10)), (Some(90), Some(90), None));
        // The longer and the stronger of two count.
        pause.begin(Pausing::All, 50, 10);
        assert_eq!((holds("set", 10), holds("get", 60)), (Some(90), Some(40)));
        assert_eq!((holds("set", 100), holds("set", 100)), (None, None));
        // One that is over leaves nothing behind.
        pause.begin(Pausing::Writes, 200, 150);
        assert_eq!((holds("get", 160), holds("set", 160)), (None, Some(40)));
        pause.end();
        assert_eq!(holds("set", 160), None);
    }
}
