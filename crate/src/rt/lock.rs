//! Locks that say who waits for them and who holds them.
//!
//! [`Mutex`] is `std::sync::Mutex`, for short sections without `.await`: a task that waits for it blocks its worker.
//! [`AsyncMutex`] is `tokio::sync::Mutex`, which may be held across `.await`: a task that waits gives its worker
//! back. Both only add the telling. Under the feature `shuttle` the first is shuttle's, which chooses who has it next.

use std::future::Future;
use std::ops::{Deref, DerefMut};
use std::pin::pin;
#[cfg(not(feature = "shuttle"))]
use std::sync as blocking;
use std::sync::{PoisonError, TryLockError};

#[cfg(feature = "shuttle")]
use shuttle::sync as blocking;

use super::{ledger, step};
use crate::scope::event::{Event, ObjectId};
use crate::scope::frame::ObjectKind;
use crate::scope::record;

/// `std::sync::Mutex`, recorded.
///
/// A panic while it is held does not poison it for the others: a command checks before it changes, and
/// one connection's panic must not end the server.
#[derive(Debug)]
pub struct Mutex<T> {
    id: ObjectId,
    inner: blocking::Mutex<T>,
}

impl<T> Mutex<T> {
    /// A lock called `name number`.
    pub fn new(name: &str, number: u32, value: T) -> Self {
        Self { id: record::object(ObjectKind::Mutex, name, number), inner: blocking::Mutex::new(value) }
    }

    /// Waits, blocking the worker, until the lock is free.
    #[inline]
    pub fn lock(&self) -> MutexGuard<'_, T> {
        self.lock_as(false)
    }

    /// The same, for a caller that has asked whether anybody watches: if not, it is not `SEEN` to hold the lock, and
    /// neither locking nor letting go asks again. Whether it is held but `briefly` is for
    /// [`record::record_acquired_briefly`] to know.
    // Inline, and all but the free lock apart: as a call it was most of what an idle recorder costs a command, 32
    // instructions of 55.
    #[inline]
    pub(crate) fn lock_as<const SEEN: bool>(&self, briefly: bool) -> MutexGuard<'_, T, SEEN> {
        let (guard, waited) = match self.inner.try_lock() {
            Ok(guard) => (guard, false),
            Err(not_free) => (self.lock_later(not_free), true),
        };
        if SEEN && briefly && !waited {
            record::record_acquired_briefly(self.id);
        } else if SEEN {
            record::record(Event::LockAcquired { lock: self.id });
        }
        MutexGuard { released: Released(self.id), waited, guard }
    }

    /// What the lock guards, if it is free: to look at for no longer than a thread that finds it taken would spin. It is not
    /// recorded, as who holds it is not: no command does.
    #[inline]
    pub(crate) fn glance(&self) -> Option<impl Deref<Target = T>> {
        self.inner.try_lock().ok()
    }

    #[cold]
    fn lock_later<'a>(
        &'a self,
        not_free: TryLockError<blocking::MutexGuard<'a, T>>,
    ) -> blocking::MutexGuard<'a, T> {
        match not_free {
            TryLockError::Poisoned(poisoned) => poisoned.into_inner(),
            TryLockError::WouldBlock => {
                record::record(Event::LockWait { lock: self.id });
                self.inner.lock().unwrap_or_else(PoisonError::into_inner)
            }
        }
    }
}

/// Holds a [`Mutex`] until dropped; `SEEN` to, if anybody watches.
#[derive(Debug)]
pub struct MutexGuard<'a, T, const SEEN: bool = true> {
    // Declared, and so dropped, before the guard: whoever acquires next is seen to acquire later.
    released: Released<SEEN>,
    waited: bool,
    guard: blocking::MutexGuard<'a, T>,
}

impl<T, const SEEN: bool> MutexGuard<'_, T, SEEN> {
    /// Whether the lock was not free at first. Also after a panic of who held it last.
    pub fn waited(&self) -> bool {
        self.waited
    }

    /// Lets the lock go, having `f` record that, with whatever else happens at this instant.
    pub(crate) fn release(self, f: impl FnOnce(ObjectId)) {
        let Self { released, guard, waited: _ } = self;
        f(released.0);
        std::mem::forget(released);
        drop(guard);
    }
}

impl<T, const SEEN: bool> Deref for MutexGuard<'_, T, SEEN> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.guard
    }
}

impl<T, const SEEN: bool> DerefMut for MutexGuard<'_, T, SEEN> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.guard
    }
}

#[derive(Debug)]
struct Released<const SEEN: bool>(ObjectId);

impl<const SEEN: bool> Drop for Released<SEEN> {
    fn drop(&mut self) {
        if SEEN {
            record::record(Event::LockReleased { lock: self.0 });
        }
    }
}

/// `tokio::sync::Mutex`, recorded. Waiters are served in the order they came.
#[derive(Debug)]
pub struct AsyncMutex<T> {
    id: ObjectId,
    inner: tokio::sync::Mutex<T>,
}

impl<T> AsyncMutex<T> {
    /// A lock called `name number`.
    pub fn new(name: &str, number: u32, value: T) -> Self {
        Self {
            id: record::object(ObjectKind::AsyncMutex, name, number),
            inner: tokio::sync::Mutex::new(value),
        }
    }

    /// Waits until the lock is free. Cancellation safe, but a cancelled waiter loses its place.
    pub async fn lock(&self) -> AsyncMutexGuard<'_, T> {
        // Free or not: to wait is to take a place among those who wait.
        step::preempt().await;
        let mut locking = pin!(self.inner.lock());
        let mut told = false;
        let guard = std::future::poll_fn(|cx| {
            let poll = locking.as_mut().poll(cx);
            if poll.is_pending() && !std::mem::replace(&mut told, true) {
                record::record(Event::LockWait { lock: self.id });
                ledger::waits(self.id);
            }
            poll
        })
        .await;
        if !told {
            // Who was handed it has it since then: nothing has happened now.
            step::acted();
        }
        ledger::acquired(self.id);
        record::record(Event::LockAcquired { lock: self.id });
        AsyncMutexGuard { id: self.id, guard: Some(guard) }
    }
}

/// Holds an [`AsyncMutex`] until dropped.
#[derive(Debug)]
pub struct AsyncMutexGuard<'a, T> {
    id: ObjectId,
    guard: Option<tokio::sync::MutexGuard<'a, T>>,
}

impl<T> Deref for AsyncMutexGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.guard.as_ref().expect("taken only by `drop`")
    }
}

impl<T> DerefMut for AsyncMutexGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        self.guard.as_mut().expect("taken only by `drop`")
    }
}

impl<T> Drop for AsyncMutexGuard<'_, T> {
    fn drop(&mut self) {
        record::record(Event::LockReleased { lock: self.id });
        ledger::released(self.id);
        step::acted();
        // The drop wakes the first waiter, which thereby holds the lock.
        record::releasing(self.id, || drop(self.guard.take()));
    }
}
