//! The way of one command: bytes arrive, the task is woken, polled, it parses, reaches the store, writes the reply.
//!
//! Put together from what was recorded around the command, in its own task and, under an actor, in the owner's. What
//! was not recorded is named as missing; nothing is made up.

use super::poll::PollId;
use super::{Command, CommandId, Trace};
use crate::scope::event::{Event, ObjectId, REFUSED, Stamped, TaskId, WakeBy};

/// Polls of the task looked through before and after the command for its bytes and its reply.
const POLLS_AROUND_MAX: usize = 16;

/// A stretch of the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Woken, the task waits for a worker.
    Scheduled,
    /// The worker polls the task, which reads the bytes.
    Read,
    /// From the read to the command's start: parsing, and the commands before it in the batch.
    Parsed,
    /// The task waits for the lock.
    LockWaited(ObjectId),
    /// The task holds the lock; the command runs.
    LockHeld(ObjectId),
    /// The task holds the lock, and sleeps.
    LockSlept(ObjectId),
    /// The request is on its way to the owner.
    RequestQueued(ObjectId),
    /// The owner works on it.
    OwnerRan(TaskId),
    /// The reply is on its way back.
    ReplyQueued(ObjectId),
    /// The command runs with nothing shared to reach.
    Ran,
    /// There is no such command, or it takes other arguments: an error is the reply.
    Refused,
    /// There was nothing yet: the task waits for what another client brings, or for its time to pass.
    Awaited(ObjectId),
    /// From the command's end, or that of its waiting, until the reply is written.
    Written,
}

/// How a stretch is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Evidence {
    /// Both its ends were recorded.
    Observed,
    /// It lies between recorded ends, and what filled it is concluded.
    Inferred,
}

/// One stretch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// What happened.
    pub stage: Stage,
    /// Its beginning.
    pub from_ns: u64,
    /// Its end.
    pub to_ns: u64,
    /// How it is known.
    pub evidence: Evidence,
}

/// The way of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path {
    /// The stretches, in order of their beginnings.
    pub segments: Vec<Segment>,
    /// Who woke the task for these bytes.
    pub woken_by: Option<WakeBy>,
    /// Commands that came before it in the same read.
    pub behind: usize,
    /// What was not recorded, in words.
    pub missing: Vec<&'static str>,
}

pub(super) fn path(trace: &Trace, id: CommandId) -> Option<Path> {
    let command = *trace.commands.get(id)?;
    let around = Around::of(trace, &command);
    let mut path = Path { segments: Vec::new(), woken_by: None, behind: 0, missing: Vec::new() };
    arrival(trace, &command, &around, &mut path);
    let end_ns = command.end_ns.unwrap_or(trace.now_ns());
    if command.end_ns.is_none() {
        path.missing.push("the end of the command");
    }
    if trace.label(command.name) == REFUSED {
        path.push(Stage::Refused, command.start_ns, end_ns, Evidence::Observed);
    } else {
        store(trace, &around, command.start_ns..end_ns, &mut path);
    }
    reply(trace, &around, end_ns, &mut path);
    Some(path)
}

/// From the command's end to the written reply, perhaps after waiting.
fn reply(trace: &Trace, around: &Around<'_>, end_ns: u64, path: &mut Path) {
    // Another command would begin, or more be read, before this one's own waiting could.
    let own = around.after(end_ns).take_while(|stamped| {
        !matches!(stamped.event, Event::CommandStart { .. } | Event::Read { .. } | Event::ReadWait)
    });
    let awaited = own.into_iter().find_map(|stamped| match stamped.event {
        Event::ReceiveWait { channel } => Some((channel, stamped.at_ns)),
        _ => None,
    });
    let mut from_ns = end_ns;
    if let Some((channel, since_ns)) = awaited {
        let came = around.after(since_ns).find(|stamped| match stamped.event {
            Event::Receive { channel: from, .. } => from == channel,
            Event::Write { .. } => true,
            _ => false,
        });
        from_ns = came.map_or(trace.now_ns(), |stamped| stamped.at_ns);
        path.push(Stage::Awaited(channel), end_ns, from_ns, Evidence::Observed);
    }
    match around.after(from_ns).find(|stamped| matches!(stamped.event, Event::Write { .. })) {
        Some(written) => path.push(Stage::Written, from_ns, written.at_ns, Evidence::Observed),
        None => path.missing.push("the writing of the reply"),
    }
}

impl Path {
    fn push(&mut self, stage: Stage, from_ns: u64, to_ns: u64, evidence: Evidence) {
        self.segments.push(Segment { stage, from_ns, to_ns: to_ns.max(from_ns), evidence });
    }

    /// The lock was held; from `sleeps` on, if that is known, asleep.
    fn hold(&mut self, lock: ObjectId, held: std::ops::Range<u64>, sleeps: Option<u64>) {
        let ran_until_ns = sleeps.map_or(held.end, |sleeps| sleeps.clamp(held.start, held.end));
        self.push(Stage::LockHeld(lock), held.start, ran_until_ns, Evidence::Observed);
        if sleeps.is_some() {
            self.push(Stage::LockSlept(lock), ran_until_ns, held.end, Evidence::Observed);
        }
    }
}

/// The polls of the command's task around it, and what happened inside them.
struct Around<'a> {
    polls: Vec<PollId>,
    details: Vec<&'a Stamped>,
}

impl<'a> Around<'a> {
    fn of(trace: &'a Trace, command: &Command) -> Self {
        let Some(task) = command.task else { return Self { polls: Vec::new(), details: Vec::new() } };
        let lane = trace.polls_of_task(task);
        let place = |poll: Option<PollId>| poll.and_then(|poll| lane.binary_search(&poll).ok());
        let first = place(command.start_poll).unwrap_or(0);
        let last = place(command.end_poll).unwrap_or(first);
        let from = first.saturating_sub(POLLS_AROUND_MAX);
        let to = (last + POLLS_AROUND_MAX).min(lane.len());
        let polls: Vec<PollId> = lane.range(from.min(to)..to).copied().collect();
        let details = polls.iter().flat_map(|&poll| trace.details(poll)).collect();
        Self { polls, details }
    }

    fn before(&self, at_ns: u64) -> impl Iterator<Item = &'a Stamped> {
        let end = self.details.partition_point(|stamped| stamped.at_ns <= at_ns);
        self.details[..end].iter().rev().copied()
    }

    fn after(&self, at_ns: u64) -> impl Iterator<Item = &'a Stamped> {
        let start = self.details.partition_point(|stamped| stamped.at_ns < at_ns);
        self.details[start..].iter().copied()
    }
}

/// Bytes arrive, the task is woken and polled, it reads and parses.
fn arrival(trace: &Trace, command: &Command, around: &Around<'_>, path: &mut Path) {
    let start_ns = command.start_ns;
    let Some(read) = around.before(start_ns).find(|stamped| matches!(stamped.event, Event::Read { .. }))
    else {
        path.missing.push("the arrival of its bytes");
        return;
    };
    let starts = |stamped: &&&Stamped| matches!(stamped.event, Event::CommandStart { .. });
    let since = around.details.iter().filter(|stamped| (read.at_ns..start_ns).contains(&stamped.at_ns));
    path.behind = since.filter(starts).count();
    let polls = around.polls.iter().filter_map(|&poll| trace.poll(poll));
    let Some(poll) = polls.take_while(|poll| poll.start_ns <= read.at_ns).last() else { return };
    match poll.wake {
        Some(wake) => {
            path.woken_by = Some(wake.by);
            path.push(Stage::Scheduled, wake.at_ns, poll.start_ns, Evidence::Observed);
        }
        None => path.missing.push("the wake"),
    }
    path.push(Stage::Read, poll.start_ns, read.at_ns, Evidence::Observed);
    path.push(Stage::Parsed, read.at_ns, start_ns, Evidence::Inferred);
}

/// Through a lock, or by messages to the owner and back, or with nothing between.
fn store(trace: &Trace, around: &Around<'_>, during: std::ops::Range<u64>, path: &mut Path) {
    let before = path.segments.len();
    // A lock taken for the whole batch was taken before the later commands began.
    let mut held = around.before(during.start).find_map(|stamped| match stamped.event {
        Event::LockAcquired { lock } => Some(Some((lock, during.start))),
        Event::LockReleased { .. } => Some(None),
        _ => None,
    });
    let mut held = held.take().flatten();
    let (mut waits, mut asked, mut sleeps) = (None, None, None);
    let inside = around.after(during.start).take_while(|stamped| stamped.at_ns <= during.end);
    for stamped in inside {
        let at_ns = stamped.at_ns;
        match stamped.event {
            Event::LockWait { lock } => waits = Some((lock, at_ns)),
            Event::LockAcquired { lock } => {
                if let Some((_, since_ns)) = waits.take_if(|(waited, _)| *waited == lock) {
                    path.push(Stage::LockWaited(lock), since_ns, at_ns, Evidence::Observed);
                }
                held = Some((lock, at_ns));
            }
            Event::LockReleased { lock } => {
                if let Some((_, since_ns)) = held.take_if(|(taken, _)| *taken == lock) {
                    path.hold(lock, since_ns..at_ns, sleeps.take());
                }
            }
            Event::Sleep { .. } if held.is_some() => sleeps = Some(at_ns),
            Event::Send { channel, message } => asked = Some((channel, message)),
            Event::Receive { channel, message } => {
                if let Some(request) = asked.take() {
                    owner(trace, request, (channel, message), path);
                }
            }
            _ => {}
        }
    }
    // Held beyond this command's end: for the rest of the batch.
    if let Some((lock, since_ns)) = held {
        path.hold(lock, since_ns..during.end, sleeps);
    }
    if path.segments.len() == before {
        path.push(Stage::Ran, during.start, during.end, Evidence::Observed);
    }
}

fn owner(trace: &Trace, request: (ObjectId, u32), answer: (ObjectId, u32), path: &mut Path) {
    let asked = trace.messages.get(request.0, request.1);
    let answered = trace.messages.get(answer.0, answer.1);
    let (Some(asked), Some(answered)) = (asked, answered) else {
        path.missing.push("the owner's part");
        return;
    };
    if let Some((taken_ns, taken_in)) = asked.received {
        path.push(Stage::RequestQueued(asked.channel), asked.sent_ns, taken_ns, Evidence::Observed);
        if let Some(owner) = taken_in.and_then(|poll| trace.poll(poll)) {
            path.push(Stage::OwnerRan(owner.task), taken_ns, answered.sent_ns, Evidence::Observed);
        }
    } else {
        path.missing.push("the owner's part");
    }
    if let Some((received_ns, _)) = answered.received {
        path.push(Stage::ReplyQueued(answered.channel), answered.sent_ns, received_ns, Evidence::Observed);
    }
}
