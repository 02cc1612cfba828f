//! Mailboxes: queues whose senders never wait, because nobody may wait for a slow reader.
//!
//! A [`Mailbox`] has room for so many messages and so many bytes; what does not fit is refused, and what follows from that
//! is the sender's matter. All of one server share their name, as [answers](super::Answers) do: connections come and go, and
//! a name for each would never end. Exploring runs no command that needs one, so nothing is noted for it here.

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::task::{Context, Poll};

use tokio::sync::mpsc::{self, error::TrySendError};

use super::step;
use crate::scope::event::{Event, ObjectId};
use crate::scope::frame::ObjectKind;
use crate::scope::record;

/// How much may lie in one mailbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// Most messages; at least 1.
    pub messages: usize,
    /// Most bytes, as their senders count them. A message that is longer than all of it is refused, too.
    pub bytes: usize,
}

/// Mailboxes of one kind: their name, their messages' numbers and their room.
#[derive(Debug)]
pub struct Mailboxes {
    id: ObjectId,
    sent: AtomicU32,
    messages_max: usize,
    bytes_max: AtomicUsize,
}

impl Mailboxes {
    /// Mailboxes called `name`.
    #[must_use]
    pub fn new(name: &str, room: Room) -> Self {
        Self {
            id: record::object(ObjectKind::Mpsc, name, 0),
            sent: AtomicU32::new(0),
            messages_max: room.messages,
            bytes_max: AtomicUsize::new(room.bytes),
        }
    }

    /// Has room for `bytes` from now on in each; what lies there stays.
    pub fn set_bytes_max(&self, bytes: usize) {
        self.bytes_max.store(bytes, Ordering::Relaxed);
    }

    /// An empty mailbox, and the slot through which messages get into it.
    ///
    /// # Panics
    /// If there is room for no message.
    #[must_use]
    pub fn open<T>(self: &Arc<Self>) -> (Slot<T>, Mailbox<T>) {
        let (sender, receiver) = mpsc::channel(self.messages_max);
        let held = Arc::new(AtomicUsize::new(0));
        let slot = Slot { of: Arc::clone(self), held: Arc::clone(&held), inner: sender };
        (slot, Mailbox { id: self.id, held, inner: receiver })
    }
}

/// A message as it lies there.
#[derive(Debug)]
struct Letter<T> {
    number: u32,
    bytes: usize,
    content: T,
}

/// Puts messages into one [`Mailbox`].
#[derive(Debug)]
pub struct Slot<T> {
    of: Arc<Mailboxes>,
    // Bytes that lie there. Orders nothing.
    held: Arc<AtomicUsize>,
    inner: mpsc::Sender<Letter<T>>,
}

/// Why a message was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// There is no room.
    Full,
    /// Nobody will read it.
    Gone,
}

impl<T> Slot<T> {
    /// Puts a message in, which counts for `bytes`, without waiting. Several senders at once may exceed the room for bytes by a
    /// message each.
    ///
    /// # Errors
    /// When there is no room for it, or no reader any more.
    pub fn post(&self, content: T, bytes: usize) -> Result<(), Refused> {
        let held = self.held.load(Ordering::Relaxed);
        if held.saturating_add(bytes) > self.of.bytes_max.load(Ordering::Relaxed) {
            return Err(Refused::Full);
        }
        let permit = self.inner.try_reserve().map_err(|error| match error {
            TrySendError::Full(()) => Refused::Full,
            TrySendError::Closed(()) => Refused::Gone,
        })?;
        self.held.fetch_add(bytes, Ordering::Relaxed);
        let number = self.of.sent.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
        // Told before it is sent: the reader is never seen to take what nobody sent.
        record::record(Event::Send { channel: self.of.id, message: number });
        step::acted();
        permit.send(Letter { number, bytes, content });
        Ok(())
    }

    /// How many bytes lie in the mailbox.
    pub fn held_bytes(&self) -> usize {
        self.held.load(Ordering::Relaxed)
    }

    /// How many messages lie in the mailbox.
    pub fn held_messages(&self) -> usize {
        self.inner.max_capacity() - self.inner.capacity()
    }
}

/// Where the messages for one reader lie, in the order they came.
#[derive(Debug)]
pub struct Mailbox<T> {
    id: ObjectId,
    held: Arc<AtomicUsize>,
    inner: mpsc::Receiver<Letter<T>>,
}

impl<T> Mailbox<T> {
    /// Whether nothing lies there.
    pub fn is_empty(&self) -> bool {
        self.inner.is_empty()
    }

    /// Ready with the next message; never, once there is no [`Slot`].
    pub fn poll_take(&mut self, cx: &mut Context<'_>) -> Poll<T> {
        match self.inner.poll_recv(cx) {
            Poll::Ready(Some(letter)) => Poll::Ready(self.taken(letter)),
            Poll::Ready(None) | Poll::Pending => Poll::Pending,
        }
    }

    /// Waits for the next message. Cancellation safe.
    pub async fn take(&mut self) -> T {
        poll_fn(|cx| self.poll_take(cx)).await
    }

    /// The next message, if one lies there.
    pub fn take_now(&mut self) -> Option<T> {
        let letter = self.inner.try_recv().ok()?;
        Some(self.taken(letter))
    }

    fn taken(&self, Letter { number, bytes, content }: Letter<T>) -> T {
        self.held.fetch_sub(bytes, Ordering::Relaxed);
        step::acted();
        record::record(Event::Receive { channel: self.id, message: number });
        content
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mailbox(messages: usize, bytes: usize) -> (Slot<u8>, Mailbox<u8>) {
        let (sent, bytes_max) = (AtomicU32::new(0), AtomicUsize::new(bytes));
        Arc::new(Mailboxes { id: ObjectId(0), sent, messages_max: messages, bytes_max }).open()
    }

    #[test]
    fn there_is_room_for_so_many_messages() {
        let (slot, mut mailbox) = mailbox(2, 100);
        assert_eq!([1, 2, 3].map(|n| slot.post(n, 1)), [Ok(()), Ok(()), Err(Refused::Full)]);
        assert_eq!((slot.held_messages(), slot.held_bytes()), (2, 2));
        assert_eq!(mailbox.take_now(), Some(1));
        assert_eq!(slot.post(4, 1), Ok(()));
        assert_eq!((mailbox.take_now(), mailbox.take_now(), mailbox.take_now()), (Some(2), Some(4), None));
        assert_eq!((slot.held_messages(), slot.held_bytes()), (0, 0));
    }

    #[test]
    fn there_is_room_for_so_many_bytes() {
        let (slot, mut mailbox) = mailbox(100, 10);
        assert_eq!(
            [(1, 6), (2, 5), (3, 4)].map(|(n, bytes)| slot.post(n, bytes)),
            [Ok(()), Err(Refused::Full), Ok(())]
        );
        assert_eq!(
            (mailbox.take_now(), slot.post(4, 11), slot.post(5, usize::MAX)),
            (Some(1), Err(Refused::Full), Err(Refused::Full))
        );
        assert_eq!((mailbox.take_now(), slot.held_bytes()), (Some(3), 0));
    }

    #[test]
    fn nothing_is_put_where_nobody_reads() {
        let (slot, mailbox) = mailbox(2, 100);
        drop(mailbox);
        assert_eq!((slot.post(1, 1), slot.held_bytes()), (Err(Refused::Gone), 0));
    }
}
