//! Polls, what happened inside them, and the messages that went from one to another.

use std::collections::{HashMap, VecDeque};
use std::ops::Range;

use super::task::Wait;
use crate::scope::event::{ObjectId, PollOutcome, Stamped, TaskId, WakeBy, WorkerId};

/// Polls held: 80 bytes each and a place in two lanes, some 50 MB.
pub(super) const POLLS_MAX: usize = 400_000;

/// Events inside polls held: 24 bytes each, some 50 MB. Whichever bound is reached first evicts the oldest polls.
const DETAILS_MAX: usize = 2_000_000;

/// Workers told apart; a runtime with more shows the rest in one lane.
const WORKERS_MAX: u16 = 256;

/// A poll, by its place in the recording: later ones are larger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PollId(pub(super) u64);

/// A wake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wake {
    /// When.
    pub at_ns: u64,
    /// By whom.
    pub by: WakeBy,
}

/// One poll of one task.
#[derive(Clone, Debug)]
pub struct Poll {
    /// Who was polled.
    pub task: TaskId,
    /// By which worker.
    pub worker: WorkerId,
    /// When it began.
    pub start_ns: u64,
    /// When it ended; none while it goes on.
    pub end_ns: Option<u64>,
    /// How it ended; none while it goes on, and when the recording broke off.
    pub outcome: Option<PollOutcome>,
    /// What made the task scheduled before this poll; none for a first poll, and where it was not recorded.
    pub wake: Option<Wake>,
    /// What the task waited for afterwards.
    pub wait_after: Wait,
    // Places of its details, absolute.
    details: Range<u64>,
}

impl Poll {
    pub(super) fn new(task: TaskId, worker: WorkerId, start_ns: u64, wake: Option<Wake>) -> Self {
        let (end_ns, outcome, wait_after) = (None, None, Wait::Unknown);
        Self { task, worker, start_ns, end_ns, outcome, wake, wait_after, details: 0..0 }
    }

    /// Its end, or `now_ns` while it goes on.
    #[must_use]
    pub fn end_or(&self, now_ns: u64) -> u64 {
        self.end_ns.unwrap_or(now_ns).max(self.start_ns)
    }
}

/// A queue whose places are counted from the first that ever was in it.
#[derive(Debug)]
struct Counted<T> {
    evicted: u64,
    items: VecDeque<T>,
}

impl<T> Default for Counted<T> {
    fn default() -> Self {
        Self { evicted: 0, items: VecDeque::new() }
    }
}

impl<T> Counted<T> {
    fn place(&self, number: u64) -> Option<usize> {
        usize::try_from(number.checked_sub(self.evicted)?).ok()
    }

    fn end(&self) -> u64 {
        self.evicted + self.items.len() as u64
    }

    fn pop_front(&mut self) -> Option<T> {
        let first = self.items.pop_front()?;
        self.evicted += 1;
        Some(first)
    }
}

/// All polls held, by time, by worker and by task.
#[derive(Debug, Default)]
pub(super) struct Polls {
    polls: Counted<Poll>,
    details: Counted<Stamped>,
    workers: Vec<VecDeque<PollId>>,
    tasks: HashMap<TaskId, VecDeque<PollId>>,
    none: VecDeque<PollId>,
}

impl Polls {
    pub(super) fn len(&self) -> usize {
        self.polls.items.len()
    }

    pub(super) fn evicted(&self) -> u64 {
        self.polls.evicted
    }

    /// Starts and ends of polls, and what happened inside.
    pub(super) fn events_held(&self) -> u64 {
        (2 * self.polls.items.len() + self.details.items.len()) as u64
    }

    pub(super) fn workers(&self) -> u16 {
        self.workers.len() as u16
    }

    pub(super) fn first(&self) -> Option<&Poll> {
        self.polls.items.front()
    }

    pub(super) fn get(&self, id: PollId) -> Option<&Poll> {
        self.polls.items.get(self.polls.place(id.0)?)
    }

    pub(super) fn get_mut(&mut self, id: PollId) -> Option<&mut Poll> {
        let place = self.polls.place(id.0)?;
        self.polls.items.get_mut(place)
    }

    pub(super) fn of_worker(&self, worker: WorkerId) -> &VecDeque<PollId> {
        self.workers.get(usize::from(worker.0.min(WORKERS_MAX))).unwrap_or(&self.none)
    }

    pub(super) fn of_task(&self, task: TaskId) -> &VecDeque<PollId> {
        self.tasks.get(&task).unwrap_or(&self.none)
    }

    pub(super) fn start(&mut self, poll: Poll) -> PollId {
        let id = PollId(self.polls.end());
        // A thread that is no worker has a lane of its own behind the workers'.
        if poll.worker != WorkerId::NONE {
            let worker = usize::from(poll.worker.0.min(WORKERS_MAX));
            if self.workers.len() <= worker {
                self.workers.resize_with(worker + 1, VecDeque::new);
            }
            self.workers[worker].push_back(id);
        }
        self.tasks.entry(poll.task).or_default().push_back(id);
        self.polls.items.push_back(poll);
        id
    }

    pub(super) fn keep_details(&mut self, id: PollId, details: Vec<Stamped>) {
        let start = self.details.end();
        self.details.items.extend(details);
        let end = self.details.end();
        if let Some(poll) = self.get_mut(id) {
            poll.details = start..end;
        }
        while self.polls.items.len() > POLLS_MAX || self.details.items.len() > DETAILS_MAX {
            if self.polls.items.len() == 1 {
                break;
            }
            self.evict();
        }
    }

    pub(super) fn details(&self, id: PollId) -> impl Iterator<Item = &Stamped> {
        let range = self.get(id).map_or(0..0, |poll| poll.details.clone());
        range.filter_map(|number| self.details.items.get(self.details.place(number)?))
    }

    fn evict(&mut self) {
        let id = PollId(self.polls.evicted);
        let Some(poll) = self.polls.pop_front() else { return };
        while self.details.evicted < poll.details.end && self.details.pop_front().is_some() {}
        if let Some(lane) = self.workers.get_mut(usize::from(poll.worker.0.min(WORKERS_MAX))) {
            lane.pop_front_if(|first| *first == id);
        }
        if let Some(lane) = self.tasks.get_mut(&poll.task) {
            lane.pop_front_if(|first| *first == id);
            if lane.is_empty() {
                self.tasks.remove(&poll.task);
            }
        }
    }
}

/// A message: sent by one task, received by another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message {
    /// Through which channel.
    pub channel: ObjectId,
    /// Its number there.
    pub number: u32,
    /// When it was sent.
    pub sent_ns: u64,
    /// In which poll.
    pub sent_in: Option<PollId>,
    /// When it was received, and in which poll.
    pub received: Option<(u64, Option<PollId>)>,
}

/// All messages held, in the order of sending.
#[derive(Debug, Default)]
pub(super) struct Messages {
    messages: Counted<Message>,
    numbers: HashMap<(ObjectId, u32), u64>,
}

impl Messages {
    pub(super) fn get(&self, channel: ObjectId, number: u32) -> Option<&Message> {
        let place = self.messages.place(*self.numbers.get(&(channel, number))?)?;
        self.messages.items.get(place)
    }

    pub(super) fn sent(&mut self, channel: ObjectId, number: u32, sent_ns: u64, sent_in: Option<PollId>) {
        self.numbers.insert((channel, number), self.messages.end());
        self.messages.items.push_back(Message { channel, number, sent_ns, sent_in, received: None });
    }

    pub(super) fn received(&mut self, channel: ObjectId, number: u32, at_ns: u64, poll: Option<PollId>) {
        let place = self.numbers.get(&(channel, number)).and_then(|place| self.messages.place(*place));
        if let Some(message) = place.and_then(|place| self.messages.items.get_mut(place)) {
            message.received = Some((at_ns, poll));
        }
    }

    pub(super) fn sent_in(&self, range: Range<u64>) -> impl Iterator<Item = &Message> {
        let first = self.messages.items.partition_point(|message| message.sent_ns < range.start);
        self.messages.items.range(first..).take_while(move |message| message.sent_ns < range.end)
    }

    pub(super) fn forget_before(&mut self, at_ns: u64) {
        while self.messages.items.front().is_some_and(|message| message.sent_ns < at_ns) {
            if let Some(message) = self.messages.pop_front() {
                self.numbers.remove(&(message.channel, message.number));
            }
        }
    }
}
