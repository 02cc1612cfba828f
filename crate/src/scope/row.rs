//! An event as plain numbers: its kind, and up to three fields. `words.rs` packs them.
//!
//! Whoever records an event names it in full, so its row is known when the program is compiled: recording is a store of
//! whole words. An [`Event`] itself has its fields at odd places, and a copy of one that was just made waits for the
//! processor to put the pieces together, which cost more than the clock.
//!
//! What happens over and over in every batch is one row for several events.

use super::event::{EndKind, Event, LabelId, ObjectId, PollOutcome, TaskId, WakeBy, WorkerId};

/// Most fields of any event.
pub(super) const FIELDS_MAX: usize = 3;

/// How many fields the rows of each kind have.
pub(super) const FIELDS: [u8; 39] = [
    3, 2, 0, 0, 0, 0, 0, 1, 1, 1, 2, 2, 1, 1, 1, 1, 1, 2, 1, 1, 2, 1, 2, 1, 1, 1, 0, 1, 1, 2, 0, 0, 0, 0, 1,
    0, 2, 3, 3,
];

const COMMAND_START: u32 = 29;
/// A command ends well and the next of its batch starts.
const NEXT: u32 = 36;
/// The same, and before that a lock is released.
const RELEASED_NEXT: u32 = 37;
/// The same, and before that the lock was acquired: at the instant of the row before this one.
const HELD_NEXT: u32 = 38;

/// A row's numbers, in two words: the kind and the first field, the other fields. Those its kind does not have are 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Row(u64, u64);

/// When an event of a row happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Instant {
    Own,
    RowBefore,
}

impl Row {
    pub(super) const POLL_START: u32 = 1;
    #[cfg(feature = "native")]
    const POLL_ENDS: std::ops::RangeInclusive<u32> = 2..=6;

    /// Of a kind, with all the fields there may be.
    #[inline(always)]
    pub(super) const fn new(kind: u32, [a, b, c]: [u32; FIELDS_MAX]) -> Self {
        Self(kind as u64 | (a as u64) << 32, b as u64 | (c as u64) << 32)
    }

    #[inline(always)]
    pub(super) const fn kind(self) -> u32 {
        self.0 as u32
    }

    /// How many fields its kind has, and which of them is the client whose command starts.
    #[inline(always)]
    pub(super) fn layout(self) -> (usize, Option<usize>) {
        let count = FIELDS.get(self.kind() as usize).copied().unwrap_or_default();
        let client_at = match self.kind() {
            COMMAND_START | NEXT => Some(0),
            RELEASED_NEXT | HELD_NEXT => Some(1),
            _ => None,
        };
        (count.into(), client_at)
    }

    #[inline(always)]
    pub(super) const fn fields(self) -> [u32; FIELDS_MAX] {
        [(self.0 >> 32) as u32, self.1 as u32, (self.1 >> 32) as u32]
    }

    /// Whether it ends a poll.
    #[cfg(feature = "native")]
    pub(super) fn is_poll_end(self) -> bool {
        Self::POLL_ENDS.contains(&self.kind())
    }

    /// How many events it stands for.
    pub(super) fn count(self) -> u32 {
        match self.kind() {
            NEXT => 2,
            RELEASED_NEXT => 3,
            HELD_NEXT => 4,
            _ => 1,
        }
    }

    /// A command ends well and the next of its batch, of the same client, starts; before that `released` is, if it is a lock.
    #[inline(always)]
    pub(super) fn next(released: Option<ObjectId>, client: u32, command: LabelId) -> Self {
        match released {
            Some(lock) => Self::new(RELEASED_NEXT, [lock.0, client, command.0]),
            None => Self::new(NEXT, [client, command.0, 0]),
        }
    }

    /// The same as [`Self::next`] with a `lock` that was acquired at the instant of the row before.
    #[inline(always)]
    #[cfg(any(test, feature = "native"))]
    pub(super) fn held_next(lock: ObjectId, client: u32, command: LabelId) -> Self {
        Self::new(HELD_NEXT, [lock.0, client, command.0])
    }

    /// Calls `f` with everything that happened, in order, and whether that was at the row's own instant or already at that of
    /// the row before; false if there is no such kind.
    pub(super) fn each(self, mut f: impl FnMut(Event, Instant)) -> bool {
        let [a, b, c] = self.fields();
        let kind = self.kind();
        let (client, command) = match kind {
            NEXT => (a, LabelId(b)),
            RELEASED_NEXT | HELD_NEXT => {
                let lock = ObjectId(a);
                if kind == HELD_NEXT {
                    f(Event::LockAcquired { lock }, Instant::RowBefore);
                }
                f(Event::LockReleased { lock }, Instant::Own);
                (b, LabelId(c))
            }
            _ => return self.event().map(|event| f(event, Instant::Own)).is_some(),
        };
        f(Event::CommandEnd { failed: false }, Instant::Own);
        f(Event::CommandStart { client, command }, Instant::Own);
        true
    }

    /// The one list of kinds and the order of their fields; [`Row::event`] is its mirror.
    #[inline(always)]
    pub(super) fn of(event: Event) -> Self {
        let none = |kind| Self::new(kind, [0; FIELDS_MAX]);
        let one = |kind, a| Self::new(kind, [a, 0, 0]);
        let two = |kind, a, b| Self::new(kind, [a, b, 0]);
        match event {
            Event::Spawn { task, label, number } => Self::new(0, [task.0, label.0, number]),
            Event::PollStart { task, worker } => two(Self::POLL_START, task.0, u32::from(worker.0)),
            Event::PollEnd { outcome } => match outcome {
                PollOutcome::Pending => none(2),
                PollOutcome::Ready => none(3),
                PollOutcome::CoopYield => none(4),
                PollOutcome::Yield => none(5),
                PollOutcome::Panicked => none(6),
            },
            Event::End { task, how } => match how {
                EndKind::Completed => one(7, task.0),
                EndKind::Cancelled => one(8, task.0),
                EndKind::Panicked => one(9, task.0),
            },
            Event::Wake { task, by } => match by {
                WakeBy::Task(by) => two(10, task.0, by.0),
                WakeBy::Finished(by) => two(11, task.0, by.0),
                WakeBy::Driver => one(12, task.0),
                WakeBy::Outside => one(13, task.0),
            },
            Event::Park { worker } => one(14, u32::from(worker.0)),
            Event::Unpark { worker } => one(15, u32::from(worker.0)),
            Event::LockWait { lock } => one(16, lock.0),
            Event::LockGranted { lock, to } => two(17, lock.0, to.0),
            Event::LockAcquired { lock } => one(18, lock.0),
            Event::LockReleased { lock } => one(19, lock.0),
            Event::Send { channel, message } => two(20, channel.0, message),
            Event::SendWait { channel } => one(21, channel.0),
            Event::Receive { channel, message } => two(22, channel.0, message),
            Event::ReceiveWait { channel } => one(23, channel.0),
            Event::JoinWait { on } => one(24, on.0),
            Event::Sleep { for_us } => one(25, for_us),
            Event::ReadWait => none(26),
            Event::Read { bytes } => one(27, bytes),
            Event::Write { bytes } => one(28, bytes),
            Event::CommandStart { client, command } => two(COMMAND_START, client, command.0),
            Event::CommandEnd { failed: false } => none(30),
            Event::CommandEnd { failed: true } => none(31),
            Event::BlockStart => none(32),
            Event::BlockEnd => none(33),
            Event::Gap { lost } => one(34, lost),
            Event::WriteWait => none(35),
        }
    }

    /// What happened; none if that is several events, or there is no such kind.
    fn event(self) -> Option<Event> {
        let [a, b, c] = self.fields();
        Some(match self.kind() {
            0 => Event::Spawn { task: TaskId(a), label: LabelId(b), number: c },
            Self::POLL_START => Event::PollStart { task: TaskId(a), worker: WorkerId(b as u16) },
            2 => Event::PollEnd { outcome: PollOutcome::Pending },
            3 => Event::PollEnd { outcome: PollOutcome::Ready },
            4 => Event::PollEnd { outcome: PollOutcome::CoopYield },
            5 => Event::PollEnd { outcome: PollOutcome::Yield },
            6 => Event::PollEnd { outcome: PollOutcome::Panicked },
            7 => Event::End { task: TaskId(a), how: EndKind::Completed },
            8 => Event::End { task: TaskId(a), how: EndKind::Cancelled },
            9 => Event::End { task: TaskId(a), how: EndKind::Panicked },
            10 => Event::Wake { task: TaskId(a), by: WakeBy::Task(TaskId(b)) },
            11 => Event::Wake { task: TaskId(a), by: WakeBy::Finished(TaskId(b)) },
            12 => Event::Wake { task: TaskId(a), by: WakeBy::Driver },
            13 => Event::Wake { task: TaskId(a), by: WakeBy::Outside },
            14 => Event::Park { worker: WorkerId(a as u16) },
            15 => Event::Unpark { worker: WorkerId(a as u16) },
            16 => Event::LockWait { lock: ObjectId(a) },
            17 => Event::LockGranted { lock: ObjectId(a), to: TaskId(b) },
            18 => Event::LockAcquired { lock: ObjectId(a) },
            19 => Event::LockReleased { lock: ObjectId(a) },
            20 => Event::Send { channel: ObjectId(a), message: b },
            21 => Event::SendWait { channel: ObjectId(a) },
            22 => Event::Receive { channel: ObjectId(a), message: b },
            23 => Event::ReceiveWait { channel: ObjectId(a) },
            24 => Event::JoinWait { on: TaskId(a) },
            25 => Event::Sleep { for_us: a },
            26 => Event::ReadWait,
            27 => Event::Read { bytes: a },
            28 => Event::Write { bytes: a },
            COMMAND_START => Event::CommandStart { client: a, command: LabelId(b) },
            30 => Event::CommandEnd { failed: false },
            31 => Event::CommandEnd { failed: true },
            32 => Event::BlockStart,
            33 => Event::BlockEnd,
            34 => Event::Gap { lost: a },
            35 => Event::WriteWait,
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_comes_back_with_its_fields() {
        for (kind, count) in (0..NEXT).zip(FIELDS) {
            let used = |field| if field < u32::from(count) { 7 + field } else { 0 };
            let row = Row::new(kind, [0, 1, 2].map(used));
            let event = row.event().unwrap_or_else(|| panic!("kind {kind} stands for no event"));
            assert!(Row::of(event) == row, "{event:?}");
            #[cfg(feature = "native")]
            assert_eq!(row.is_poll_end(), matches!(event, Event::PollEnd { .. }), "{event:?}");
            assert_eq!(row.kind() == Row::POLL_START, matches!(event, Event::PollStart { .. }), "{event:?}");
        }
        assert!(!Row::new(FIELDS.len() as u32, [0; FIELDS_MAX]).each(|event, _| panic!("{event:?}")));
    }

    #[test]
    fn one_row_tells_of_a_whole_batch_s_step() {
        let lock = ObjectId(9);
        let (acquired, released) = (Event::LockAcquired { lock }, Event::LockReleased { lock });
        let check = |row: Row, first: &[(Event, Instant)]| {
            let next =
                [Event::CommandEnd { failed: false }, Event::CommandStart { client: 7, command: LabelId(3) }];
            let next = next.map(|event| (event, Instant::Own));
            let expected: Vec<_> = first.iter().copied().chain(next).collect();
            let mut events = Vec::new();
            assert!(row.each(|event, instant| events.push((event, instant))));
            assert_eq!(events, expected);
            assert_eq!(row.count() as usize, events.len());
        };
        check(Row::next(None, 7, LabelId(3)), &[]);
        check(Row::next(Some(lock), 7, LabelId(3)), &[(released, Instant::Own)]);
        check(
            Row::held_next(lock, 7, LabelId(3)),
            &[(acquired, Instant::RowBefore), (released, Instant::Own)],
        );
    }
}
