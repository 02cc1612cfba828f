//! What is in a trace, in words: waits, wakes, outcomes, states. Knows the field's terms, no place on the page.

use interleave::scope::event::{EndKind, PollOutcome, WakeBy, WorkerId};
use interleave::scope::frame::ObjectKind;
use interleave::scope::trace::{Evidence, Stage, Task, TaskState, Trace, Wait};

/// Who woke a task.
pub(crate) fn woken_by(trace: &Trace, by: WakeBy) -> String {
    match by {
        WakeBy::Task(task) => trace.task_name(task),
        WakeBy::Finished(task) => format!("the end of {}", trace.task_name(task)),
        WakeBy::Driver if trace.hello().is_some_and(|hello| hello.virtual_time) => {
            "the driver (bytes in its pipe, or a timer)".to_owned()
        }
        WakeBy::Driver => "the driver (its socket, or a timer)".to_owned(),
        WakeBy::Outside => "a thread outside the runtime".to_owned(),
    }
}

/// What a task waits for.
pub(crate) fn wait(trace: &Trace, wait: Wait) -> String {
    match wait {
        Wait::Unknown => "something that is not recorded".to_owned(),
        Wait::Bytes => "bytes from its client".to_owned(),
        Wait::Writable => "its client to take bytes".to_owned(),
        Wait::Lock(lock) => format!("the lock {}", trace.object_name(lock)),
        Wait::Message(channel) => format!("a message on {}", trace.object_name(channel)),
        Wait::Room(channel) => format!("room in {}", trace.object_name(channel)),
        Wait::Join(task) => format!("the end of {}", trace.task_name(task)),
        Wait::Sleep => "time to pass".to_owned(),
        Wait::Turn => "its next turn".to_owned(),
        Wait::Nothing => "nothing: it has ended".to_owned(),
    }
}

/// What a task does now.
pub(crate) fn state(trace: &Trace, task: &Task) -> String {
    match task.state {
        TaskState::Running { worker, .. } => format!("running on {}", self::worker(trace, worker)),
        TaskState::Scheduled { .. } => "scheduled".to_owned(),
        TaskState::Idle { wait, .. } => format!("idle, waiting for {}", self::wait(trace, wait)),
        TaskState::Ended => match task.ended {
            Some((_, EndKind::Completed)) | None => "ended: it returned".to_owned(),
            Some((_, EndKind::Cancelled)) => "ended: it was cancelled".to_owned(),
            Some((_, EndKind::Panicked)) => "ended: it panicked".to_owned(),
        },
    }
}

/// One word for what a task does now.
pub(crate) fn state_word(state: TaskState) -> &'static str {
    match state {
        TaskState::Running { .. } => "running",
        TaskState::Scheduled { .. } => "scheduled",
        TaskState::Idle { .. } => "idle",
        TaskState::Ended => "ended",
    }
}

/// A worker, by its number in its own runtime.
pub(crate) fn worker(trace: &Trace, worker: WorkerId) -> String {
    match trace.own_worker(worker) {
        WorkerId::NONE => "a thread that is no worker".to_owned(),
        WorkerId(number) => format!("worker {number}"),
    }
}

/// How a poll ended.
pub(crate) fn outcome(outcome: Option<PollOutcome>, ended: bool) -> &'static str {
    match outcome {
        Some(PollOutcome::Ready) => "ready: the task is finished",
        Some(PollOutcome::Pending) => "pending: the task waits",
        Some(PollOutcome::CoopYield) => "pending: its coop budget was used up",
        Some(PollOutcome::Yield) => "pending: it gave the others a turn",
        Some(PollOutcome::Panicked) => "it panicked",
        None if ended => "not recorded",
        None => "it goes on",
    }
}

/// A lock or a channel, with its kind.
pub(crate) fn object(trace: &Trace, object: interleave::scope::event::ObjectId) -> String {
    let kind = match trace.object_kind(object) {
        Some(ObjectKind::Mutex) => "std::sync::Mutex",
        Some(ObjectKind::AsyncMutex) => "tokio::sync::Mutex",
        Some(ObjectKind::Mpsc) => "mpsc",
        Some(ObjectKind::Oneshot) => "oneshot",
        None => return trace.object_name(object),
    };
    format!("{} ({kind})", trace.object_name(object))
}

/// A stretch of a command's way.
pub(crate) fn stage(trace: &Trace, stage: Stage) -> String {
    match stage {
        Stage::Scheduled => "bytes arrived: woken, waits for a worker".to_owned(),
        Stage::Read => "polled, reads the bytes".to_owned(),
        Stage::Parsed => "parses the request".to_owned(),
        Stage::LockWaited(lock) => format!("waits for the lock `{}`", trace.object_name(lock)),
        Stage::LockHeld(lock) => format!("holds the lock `{}`, runs the command", trace.object_name(lock)),
        Stage::LockSlept(lock) => {
            format!("sleeps, and holds the lock `{}` meanwhile", trace.object_name(lock))
        }
        Stage::RequestQueued(channel) => {
            format!("request waits in the channel `{}`", trace.object_name(channel))
        }
        Stage::OwnerRan(task) => format!("{} runs the command", trace.task_name(task)),
        Stage::ReplyQueued(channel) => format!("reply waits in the oneshot `{}`", trace.object_name(channel)),
        Stage::Ran => "runs the command".to_owned(),
        Stage::Refused => {
            "no such command, or other arguments than it takes: the reply is an error".to_owned()
        }
        Stage::Awaited(channel) => format!("waits for a message in `{}`", trace.object_name(channel)),
        Stage::Written => "writes the reply".to_owned(),
    }
}

/// The colour that stands for a stretch, by the name of the style sheet's variable.
pub(crate) fn stage_colour(stage: Stage) -> &'static str {
    match stage {
        Stage::Scheduled => "scheduled",
        Stage::LockWaited(_) => "lock",
        Stage::LockSlept(_) => "sleep",
        Stage::RequestQueued(_) | Stage::ReplyQueued(_) | Stage::Awaited(_) => "message",
        _ => "running",
    }
}

/// How a stretch is known.
pub(crate) fn evidence(evidence: Evidence) -> &'static str {
    match evidence {
        Evidence::Observed => "observed",
        Evidence::Inferred => "inferred",
    }
}
