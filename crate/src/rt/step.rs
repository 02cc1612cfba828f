//! Where a task gives way though nothing makes it wait: before it touches what others can see a second time in one poll.
//!
//! Only under [`Manual`](crate::engine::Manual), where one poll is one step: it begins with one shared operation (a command,
//! a free lock taken, a message sent or taken, a sleep begun where time is shared) and goes on through what only the task itself can see, up to the next. So
//! whoever chooses can put any other task between any two such operations. On every other runtime a look at a variable of
//! the thread, and nothing else.
//!
//! Not before all that others can see a task gives way:
//! - Letting a lock go, spawning, dropping a sender and noting an end go with the operation before them. Nobody can tell
//!   whether they came at once or a moment later, because nobody can look at them without waiting.
//! - Computing ([`spun`]) never gives way to itself: a task that never waits keeps its thread, however long it takes.

use std::cell::Cell;

use crate::scope::record;

/// What the current poll has done so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Done {
    /// Whatever it has done: the runtime does not ask.
    Unasked,
    /// Nothing that others can see.
    Nothing,
    /// Let time pass.
    Spun,
    /// Changed what others can see.
    Acted,
}

thread_local! {
    static GAVE_WAY: Cell<bool> = const { Cell::new(false) };
    static DONE: Cell<Done> = const { Cell::new(Done::Unasked) };
    static TIME_IS_SHARED: Cell<bool> = const { Cell::new(false) };
}

/// Tells whether tasks of the run that begins on this thread let time pass while others are ready: then others can see when a
/// sleep begins.
pub(crate) fn shares_time(shared: bool) {
    TIME_IS_SHARED.set(shared);
}

/// Runs `poll` as one step, which ends before its second shared operation; whether it did, instead of where the task waits.
pub(crate) fn of<R>(poll: impl FnOnce() -> R) -> (bool, R) {
    GAVE_WAY.set(false);
    DONE.set(Done::Nothing);
    let result = poll();
    DONE.set(Done::Unasked);
    (GAVE_WAY.get(), result)
}

/// Whether this runtime's polls are steps.
pub(crate) fn is_asked() -> bool {
    DONE.get() != Done::Unasked
}

/// The current task has done what others can see.
#[inline]
pub(crate) fn acted() {
    if is_asked() {
        DONE.set(Done::Acted);
    }
}

/// The current task has let time pass.
pub(crate) fn spun() {
    if DONE.get() == Done::Nothing {
        DONE.set(Done::Spun);
    }
}

/// Whether the step has to end before the next shared operation.
#[inline]
fn is_over() -> bool {
    DONE.get() > Done::Nothing
}

/// Gives way if this poll has already done something that others can see. To be awaited before a shared operation.
#[inline]
pub(crate) async fn preempt() {
    if is_over() {
        give_way().await;
    }
}

/// As [`preempt`], before computing: it gives way to no other computing.
pub(crate) async fn preempt_before_spin() {
    if DONE.get() == Done::Acted {
        give_way().await;
    }
}

/// As [`preempt`], before a sleep: when it ends depends on what time it is, which is shared if any task computes.
pub(crate) async fn preempt_before_sleep() {
    if TIME_IS_SHARED.get() && is_over() {
        give_way().await;
    }
}

async fn give_way() {
    GAVE_WAY.set(true);
    if record::is_on() {
        record::yields();
    }
    #[expect(clippy::disallowed_methods, reason = "the door itself")]
    tokio::task::yield_now().await;
}
