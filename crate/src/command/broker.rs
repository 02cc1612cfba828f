//! Who listens to what, and handing messages to them.
//!
//! Owns the subscriptions of all clients and the way a message takes: it is put into the mailbox of everyone who listens,
//! under one lock, so that all who listen to the same channels see the same order. Nobody waits for a slow reader: one whose
//! mailbox is full is disconnected. Everything has an order that repeats: that of subscribing. Knows no reply and no socket.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use bytes::Bytes;
use foldhash::fast::RandomState;
use indexmap::IndexMap;

use super::client::Listed;
use super::context::Server;
use super::pattern::{Case, matches};
use crate::rt::{Mailbox, Mailboxes, Refused, Room, Slot};

/// What can be listened to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Topic {
    /// A channel by its name.
    Channel,
    /// All channels whose names match.
    Pattern,
    /// A channel of its own namespace, which in a cluster would belong to one shard.
    Shard,
    /// All commands, for those who MONITOR.
    Everything,
}

impl Topic {
    pub(super) const ALL: [Self; 4] = [Self::Channel, Self::Pattern, Self::Shard, Self::Everything];
}

/// A message on its way to one client.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    pub(super) topic: Topic,
    /// What it matched, under [`Topic::Pattern`].
    pub(super) pattern: Bytes,
    pub(super) channel: Bytes,
    pub(super) payload: Bytes,
}

/// What a message takes in a mailbox besides its bytes, about.
const MESSAGE_OVERHEAD_BYTES: usize = 128;

impl Message {
    /// What it counts for in a mailbox. The payload is shared between mailboxes, and counts in each all the same: who is
    /// slow must not depend on who else listens.
    fn weight(&self) -> usize {
        MESSAGE_OVERHEAD_BYTES + self.pattern.len() + self.channel.len() + self.payload.len()
    }
}

/// A client that listens, as the broker knows it.
#[derive(Debug)]
pub(super) struct Listener {
    client: Arc<Listed>,
    slot: Slot<Message>,
}

/// One client's own side: its mailbox, and what it listens to. In the order of subscribing, but that the last name takes the
/// place of one that is given up.
#[derive(Debug)]
pub(super) struct Subscriptions {
    server: Arc<Server>,
    listener: Arc<Listener>,
    pub(super) mailbox: Mailbox<Message>,
    // To each name, the number of the subscription.
    topics: [IndexMap<Bytes, u64, RandomState>; 4],
}

impl Drop for Subscriptions {
    fn drop(&mut self) {
        if self.total() > 0 {
            let server = Arc::clone(&self.server);
            server.broker.unsubscribe_all(self);
        }
    }
}

impl Subscriptions {
    /// How many of one kind.
    pub(super) fn count(&self, topic: Topic) -> usize {
        self.topics[topic as usize].len()
    }

    /// How many of all kinds.
    pub(super) fn total(&self) -> usize {
        self.topics.iter().map(IndexMap::len).sum()
    }

    /// The names of one kind.
    pub(super) fn names(&self, topic: Topic) -> Vec<Bytes> {
        self.topics[topic as usize].keys().cloned().collect()
    }

    fn has(&self, topic: Topic, name: &[u8]) -> bool {
        self.topics[topic as usize].contains_key(name)
    }
}

/// All subscriptions of one server.
#[derive(Debug)]
pub(super) struct Broker {
    room: Mutex<Room>,
    // Made for the first who listens: a server to which nobody does shows no mailboxes.
    mailboxes: OnceLock<Arc<Mailboxes>>,
    topics: Mutex<Topics>,
    // Whether anybody looks on: looked at for each command. Changed under the lock; orders nothing.
    watched: AtomicBool,
}

/// Who listens to one name, by the number of the subscription. Numbers grow, so they are sorted.
type Listeners = Vec<(u64, Arc<Listener>)>;

#[derive(Debug, Default)]
struct Topics {
    kinds: [IndexMap<Bytes, Listeners, RandomState>; 4],
    subscribed: u64,
}

impl Broker {
    pub(super) fn new(room: Room) -> Self {
        Self {
            room: Mutex::new(room),
            mailboxes: OnceLock::new(),
            topics: Mutex::default(),
            watched: AtomicBool::new(false),
        }
    }

    /// A panic while it was locked leaves every entry whole, so poison is of no interest.
    fn topics(&self) -> MutexGuard<'_, Topics> {
        self.topics.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn room(&self) -> MutexGuard<'_, Room> {
        self.room.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Most bytes that may lie in one mailbox.
    pub(super) fn bytes_max(&self) -> usize {
        self.room().bytes
    }

    /// Changes that, for those who listen already, too.
    pub(super) fn set_bytes_max(&self, bytes: usize) {
        self.room().bytes = bytes;
        if let Some(mailboxes) = self.mailboxes.get() {
            mailboxes.set_bytes_max(bytes);
        }
    }

    /// A mailbox for `client`, which listens to nothing yet.
    pub(super) fn open(&self, server: &Arc<Server>, client: &Arc<Listed>) -> Subscriptions {
        let mailboxes = self.mailboxes.get_or_init(|| Arc::new(Mailboxes::new("messages", *self.room())));
        let (slot, mailbox) = mailboxes.open();
        let listener = Arc::new(Listener { client: Arc::clone(client), slot });
        Subscriptions { server: Arc::clone(server), listener, mailbox, topics: Default::default() }
    }

    /// Has `who` listen to `name`; whether it did not before.
    pub(super) fn subscribe(&self, who: &mut Subscriptions, topic: Topic, name: &[u8]) -> bool {
        if who.has(topic, name) {
            return false;
        }
        let mut topics = self.topics();
        topics.subscribed += 1;
        let number = topics.subscribed;
        let kind = &mut topics.kinds[topic as usize];
        let (name, listeners) = match kind.get_index_of(name) {
            Some(index) => {
                let (known, listeners) = kind.get_index_mut(index).expect("the index was just found");
                (known.clone(), listeners)
            }
            None => {
                let name = Bytes::copy_from_slice(name);
                (name.clone(), kind.entry(name).or_default())
            }
        };
        listeners.push((number, Arc::clone(&who.listener)));
        if topic == Topic::Everything {
            self.watched.store(true, Relaxed);
        }
        drop(topics);
        who.topics[topic as usize].insert(name, number);
        who.tell_counts();
        true
    }

    /// Has `who` no longer listen to `name`; whether it did. What lies in its mailbox stays there.
    pub(super) fn unsubscribe(&self, who: &mut Subscriptions, topic: Topic, name: &[u8]) -> bool {
        let Some(number) = who.topics[topic as usize].swap_remove(name) else { return false };
        let mut topics = self.topics();
        topics.remove(topic, name, number);
        self.tell_watched(&topics);
        drop(topics);
        who.tell_counts();
        true
    }

    /// Has `who` no longer listen to anything.
    fn unsubscribe_all(&self, who: &mut Subscriptions) {
        let mut topics = self.topics();
        for topic in Topic::ALL {
            for (name, number) in std::mem::take(&mut who.topics[topic as usize]) {
                topics.remove(topic, &name, number);
            }
        }
        self.tell_watched(&topics);
        drop(topics);
        who.tell_counts();
    }

    fn tell_watched(&self, topics: &Topics) {
        self.watched.store(!topics.kinds[Topic::Everything as usize].is_empty(), Relaxed);
    }

    /// Whether anybody looks on.
    #[inline]
    pub(super) fn is_watched(&self) -> bool {
        self.watched.load(Relaxed)
    }

    /// Hands a message to all who listen to `channel`; how often. A client that listens to it in several ways gets it as often.
    pub(super) fn publish(&self, server: &Server, topic: Topic, channel: &[u8], payload: &[u8]) -> usize {
        let topics = self.topics();
        let mut told = 0;
        // Copied once, and only if somebody listens.
        let mut copies: Option<(Bytes, Bytes)> = None;
        let mut hand = |topic, pattern: &Bytes, listeners: &Listeners| {
            let (channel, payload) = copies
                .get_or_insert_with(|| (Bytes::copy_from_slice(channel), Bytes::copy_from_slice(payload)));
            for (_, listener) in listeners {
                let (pattern, channel, payload) = (pattern.clone(), channel.clone(), payload.clone());
                listener.hand(server, Message { topic, pattern, channel, payload });
                told += 1;
            }
        };
        if let Some(listeners) = topics.kinds[topic as usize].get(channel) {
            hand(topic, &Bytes::new(), listeners);
        }
        if topic == Topic::Channel {
            for (pattern, listeners) in &topics.kinds[Topic::Pattern as usize] {
                if matches(pattern, channel, Case::Sensitive) {
                    hand(Topic::Pattern, pattern, listeners);
                }
            }
        }
        told
    }

    /// The names somebody listens to and that match `pattern`, if there is one.
    pub(super) fn names(&self, topic: Topic, pattern: Option<&[u8]>) -> Vec<Bytes> {
        let topics = self.topics();
        let wanted = |name: &&Bytes| pattern.is_none_or(|pattern| matches(pattern, name, Case::Sensitive));
        topics.kinds[topic as usize].keys().filter(wanted).cloned().collect()
    }

    /// How many names somebody listens to.
    pub(super) fn count(&self, topic: Topic) -> usize {
        self.topics().kinds[topic as usize].len()
    }

    /// How many listen to `name`.
    pub(super) fn listeners(&self, topic: Topic, name: &[u8]) -> usize {
        self.topics().kinds[topic as usize].get(name).map_or(0, Vec::len)
    }
}

impl Topics {
    /// Removes subscription `number`, and the name with the last one. The others keep their order.
    fn remove(&mut self, topic: Topic, name: &[u8], number: u64) {
        let kind = &mut self.kinds[topic as usize];
        let Some(index) = kind.get_index_of(name) else { return };
        let listeners = &mut kind[index];
        if let Ok(place) = listeners.binary_search_by_key(&number, |(number, _)| *number) {
            listeners.remove(place);
        }
        if listeners.is_empty() {
            // The last name takes its place: the order repeats all the same, and nothing is moved along.
            kind.swap_remove_index(index);
        }
    }
}

impl Listener {
    fn hand(&self, server: &Server, message: Message) {
        let weight = message.weight();
        if self.slot.post(message, weight) == Err(Refused::Full) && self.client.bell.ring() {
            server.counters.too_slow.fetch_add(1, Relaxed);
            (server.config.log)(&format!(
                "client {} is disconnected: it takes its messages too slowly; {} of them, {} bytes, wait",
                self.client.id,
                self.slot.held_messages(),
                self.slot.held_bytes(),
            ));
        }
    }
}

impl Subscriptions {
    /// Tells the list of clients.
    fn tell_counts(&self) {
        for (topic, count) in Topic::ALL.into_iter().zip(&self.listener.client.subscriptions) {
            count.store(u32::try_from(self.count(topic)).unwrap_or(u32::MAX), Relaxed);
        }
    }
}
