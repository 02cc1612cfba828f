//! Messages between tasks, numbered so that one's sending and receiving can be seen as one.
//!
//! [`channel`] is `tokio::sync::mpsc`, bounded. A [`Promise`] and its [`Answer`] are `tokio::sync::oneshot`; all that
//! carry answers of one kind belong to one [`Answers`], which numbers them: a name for each would never end.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll};

use tokio::sync::{mpsc, oneshot};

use super::{ledger, step};
use crate::scope::event::{Event, ObjectId};
use crate::scope::frame::ObjectKind;
use crate::scope::record;

/// A channel called `name` with room for `capacity` messages.
///
/// # Panics
/// If `capacity` is 0.
#[must_use]
pub fn channel<T>(name: &str, capacity: usize) -> (Sender<T>, Receiver<T>) {
    let id = record::object(ObjectKind::Mpsc, name, 0);
    let (sender, receiver) = mpsc::channel(capacity);
    (Sender { id, sent: Arc::default(), inner: sender }, Receiver { id, inner: receiver })
}

/// Puts messages into a [`channel`].
#[derive(Debug)]
pub struct Sender<T> {
    id: ObjectId,
    // Numbers are given when there is room, just before the message goes in.
    sent: Arc<AtomicU32>,
    inner: mpsc::Sender<(u32, T)>,
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        Self { id: self.id, sent: Arc::clone(&self.sent), inner: self.inner.clone() }
    }
}

impl<T> Sender<T> {
    /// Waits for room, then sends. Gives the message back if nobody receives any more. Cancelled: not sent.
    pub async fn send(&self, value: T) -> Result<(), T> {
        // Room or not: to wait is to take a place among those who wait.
        step::preempt().await;
        let mut reserving = pin!(self.inner.reserve());
        let mut told = false;
        let permit = poll_fn(|cx| {
            let poll = reserving.as_mut().poll(cx);
            if poll.is_pending() && !std::mem::replace(&mut told, true) {
                record::record(Event::SendWait { channel: self.id });
                ledger::waits(self.id);
            }
            poll
        })
        .await;
        ledger::sent(self.id, permit.is_ok());
        let Ok(permit) = permit else { return Err(value) };
        step::acted();
        let message = self.sent.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
        // Told before it is sent: the receiver is never seen to receive what nobody sent.
        record::record(Event::Send { channel: self.id, message });
        permit.send((message, value));
        Ok(())
    }
}

/// Takes messages out of a [`channel`], in the order they went in.
#[derive(Debug)]
pub struct Receiver<T> {
    id: ObjectId,
    inner: mpsc::Receiver<(u32, T)>,
}

impl<T> Receiver<T> {
    /// The next message; `None` when every sender is gone. Cancellation safe.
    pub async fn receive(&mut self) -> Option<T> {
        if !self.inner.is_empty() {
            // Only to take one: there is one receiver, and when it begins to wait for nothing makes no difference.
            step::preempt().await;
        }
        let mut told = false;
        let received = poll_fn(|cx| {
            let poll = self.inner.poll_recv(cx);
            if poll.is_pending() && !std::mem::replace(&mut told, true) {
                record::record(Event::ReceiveWait { channel: self.id });
            }
            poll
        })
        .await;
        ledger::received(self.id, received.is_some());
        let (message, value) = received?;
        step::acted();
        record::record(Event::Receive { channel: self.id, message });
        Some(value)
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        ledger::closed(self.id);
        step::acted();
    }
}

/// Where answers of one kind are numbered.
#[derive(Clone, Debug)]
pub struct Answers {
    id: ObjectId,
    promised: Arc<AtomicU32>,
}

impl Answers {
    /// Answers called `name`.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self { id: record::object(ObjectKind::Oneshot, name, 0), promised: Arc::default() }
    }

    /// One answer to come: who keeps the promise sends it, who holds the answer awaits it.
    #[must_use]
    pub fn promise<T>(&self) -> (Promise<T>, Answer<T>) {
        let message = self.promised.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
        let (sender, receiver) = oneshot::channel();
        let id = self.id;
        (
            Promise { id, message, whom: ledger::identity(), inner: sender },
            Answer { id, message, told: false, inner: receiver },
        )
    }
}

/// The sending half of one answer.
#[derive(Debug)]
pub struct Promise<T> {
    id: ObjectId,
    message: u32,
    // Who awaits it, if notes are kept.
    whom: u64,
    inner: oneshot::Sender<T>,
}

impl<T> Promise<T> {
    /// Sends the answer, or gives it back if nobody awaits it any more.
    pub fn keep(self, value: T) -> Result<(), T> {
        record::record(Event::Send { channel: self.id, message: self.message });
        ledger::answered(self.id, self.message, self.whom);
        step::acted();
        self.inner.send(value)
    }
}

/// The receiving half of one answer; `None` if the promise was dropped.
#[derive(Debug)]
pub struct Answer<T> {
    id: ObjectId,
    message: u32,
    told: bool,
    inner: oneshot::Receiver<T>,
}

impl<T> Future for Answer<T> {
    type Output = Option<T>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        let (channel, message) = (self.id, self.message);
        match Pin::new(&mut self.inner).poll(cx) {
            Poll::Ready(answer) => {
                if answer.is_ok() {
                    record::record(Event::Receive { channel, message });
                }
                ledger::took_answer(channel, message);
                Poll::Ready(answer.ok())
            }
            Poll::Pending => {
                if !std::mem::replace(&mut self.told, true) {
                    record::record(Event::ReceiveWait { channel });
                }
                Poll::Pending
            }
        }
    }
}
