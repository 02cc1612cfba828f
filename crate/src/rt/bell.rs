//! A bell: anybody may ring it, once and for all, and one task hears it wherever it waits.
//!
//! How a task that waits for bytes learns that it is to end. Knows nothing of why. What is seen of it is the wake.

use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

/// Rung or not. Forty bytes, so that every connection can have one.
#[derive(Debug, Default)]
pub struct Bell {
    rung: AtomicBool,
    // Who listens. Locked for a few instructions, when the task goes to sleep and when somebody rings.
    listener: Mutex<Option<Waker>>,
}

impl Bell {
    /// Rings. Whether it had not been rung before.
    pub fn ring(&self) -> bool {
        // Before the waker is taken: whoever puts one there afterwards looks at this first.
        let first = !self.rung.swap(true, Ordering::AcqRel);
        let waker = self.listener.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(waker) = waker {
            waker.wake();
        }
        first
    }

    /// Whether it was rung.
    pub fn is_rung(&self) -> bool {
        self.rung.load(Ordering::Acquire)
    }

    /// Ready once it was rung. The task that polled last is woken: one task may listen.
    pub fn poll_rung(&self, cx: &Context<'_>) -> Poll<()> {
        let mut listener = self.listener.lock().unwrap_or_else(PoisonError::into_inner);
        if self.is_rung() {
            return Poll::Ready(());
        }
        // A task's waker seldom changes, and making another copy costs more than looking.
        if !listener.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
            *listener = Some(cx.waker().clone());
        }
        Poll::Pending
    }

    /// Waits until it is rung. Cancellation safe.
    pub async fn rung(&self) {
        poll_fn(|cx| self.poll_rung(cx)).await;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::AtomicUsize;
    use std::task::Wake;

    use super::*;

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn who_listens_is_woken_once() {
        let (bell, woken) = (Bell::default(), Arc::new(Count::default()));
        let waker = Waker::from(Arc::clone(&woken));
        assert_eq!(bell.poll_rung(&Context::from_waker(&waker)), Poll::Pending);
        assert_eq!(bell.poll_rung(&Context::from_waker(&waker)), Poll::Pending);
        assert!(bell.ring() && !bell.ring());
        assert_eq!(woken.0.load(Ordering::Relaxed), 1);
        assert_eq!(bell.poll_rung(&Context::from_waker(&waker)), Poll::Ready(()));
    }

    #[test]
    fn a_bell_rung_before_is_heard_at_once() {
        let bell = Bell::default();
        assert!(!bell.is_rung());
        bell.ring();
        assert_eq!(bell.poll_rung(&Context::from_waker(Waker::noop())), Poll::Ready(()));
    }
}
