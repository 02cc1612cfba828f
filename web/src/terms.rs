//! One sentence for every term of Tokio's and Redis's that the page uses. Owns the words, knows no place on the page.

/// The sentence for a term.
pub(crate) fn explain(term: &str) -> Option<&'static str> {
    TERMS.iter().find(|(name, _)| *name == term).map(|(_, sentence)| *sentence)
}

/// All of them, in the order the help lists them.
pub(crate) const TERMS: &[(&str, &str)] = &[
    (
        "task",
        "A piece of asynchronous work that the runtime schedules by itself; here every connection is one.",
    ),
    (
        "spawn",
        "To hand a future to the runtime as a task of its own, which then runs beside the one that spawned it.",
    ),
    ("poll", "One go at a task: a worker calls its future, which runs until it finishes or has to wait."),
    (
        "wake",
        "The message to the runtime that a waiting task can go on: it becomes scheduled, and will be polled.",
    ),
    ("worker", "A thread of the runtime that polls tasks, one at a time."),
    (
        "concurrency",
        "How many tasks are in flight: spawned and not ended, whether or not one is being polled.",
    ),
    (
        "parallelism",
        "How many tasks are being polled at the same instant: never more than there are workers.",
    ),
    ("running", "A worker is polling the task right now."),
    (
        "scheduled",
        "The task was woken, or just spawned, and waits for a worker to poll it; in a worker's lane, as far as the worker polled no other meanwhile.",
    ),
    ("idle", "The task waits for something; it costs no worker until it is woken."),
    ("waiting for bytes", "The task has nothing to read: its client has sent nothing more."),
    ("waiting for a lock", "Another task holds the lock; this one is woken when it is its turn."),
    ("waiting for a message", "The channel is empty: the task is woken when another sends."),
    ("sleeping", "The task waits for time to pass; a timer wakes it."),
    (
        "driver",
        "The part of the runtime that watches sockets and timers and wakes the tasks that wait for them.",
    ),
    ("outside", "A thread that belongs to no worker of this runtime."),
    ("self-wake", "A task that wakes itself: it gives the others a turn and wants to be polled again."),
    ("yield", "To give the other tasks a turn: the poll ends although the task could go on."),
    (
        "coop yield",
        "Tokio ends a poll that has used up its budget of 128 operations, so that others get their turn.",
    ),
    ("JoinHandle", "What spawn returns; awaiting it waits for the end of the spawned task."),
    (
        "flavour",
        "The kind of runtime: current-thread polls all tasks on one thread, multi-thread on several workers.",
    ),
    ("current-thread", "One thread polls all tasks in turn: concurrency without parallelism."),
    ("multi-thread", "Several workers poll tasks at the same time, and take work from each other."),
    (
        "sharing",
        "How the connections' tasks reach the one store: through locks, or by messages to the task that owns it.",
    ),
    (
        "isolated",
        "Every connection has a store of its own: nothing is shared, so nobody sees what others write.",
    ),
    ("mutex", "One std::sync::Mutex around the store, never held across an .await: the simple answer."),
    (
        "async-mutex",
        "One tokio::sync::Mutex around the store: a task that waits for it gives its worker back.",
    ),
    (
        "hold",
        "How long a task keeps the lock, asleep across an .await, once its commands have run: the others wait meanwhile.",
    ),
    ("sharded", "The keys are split over several mutexes, so two tasks wait only if their keys share one."),
    ("actor", "One task owns the store; the others send it requests and await its replies."),
    ("mpsc", "A channel with many senders and one receiver; a full one makes its senders wait."),
    ("oneshot", "A channel for a single message: here, the reply to one request."),
    ("observed", "Recorded from a real runtime while it ran."),
    ("inferred", "Concluded from what was recorded before and after it."),
    ("modelled", "Computed by a model of the scheduler, not recorded."),
    (
        "dropped",
        "Events that did not fit a buffer, or that came faster than the page could take them; they are missing from the picture.",
    ),
    (
        "virtual time",
        "The tab's own clock: it goes with the wall clock while the tab runs, stands still while it is paused, and counts 1 µs for each event.",
    ),
    ("native server", "A Tokio server of its own process, whose trace comes over a WebSocket."),
    (
        "in this tab",
        "The same server code as WebAssembly, on a real Tokio current-thread runtime in this browser tab.",
    ),
    (
        "time machine",
        "The same server and the clients of a scenario on a runtime that can be stopped, stepped, taken back and forked.",
    ),
    ("scenario", "What several clients do, as a text; each client is a task that is served by another."),
    ("step", "One poll of one task, or the passing of time until the next timer."),
    ("schedule", "The order in which the tasks of a run were polled."),
    ("interleaving", "One of the orders in which the steps of several tasks can follow each other."),
    (
        "seed",
        "The number from which all follows that a run leaves to chance: the same seed makes the same run.",
    ),
    ("fork", "To go back and do something else: what came after becomes a branch that one can return to."),
    ("manual", "A runtime whose scheduler is you: each step lists what may happen, and you choose."),
    (
        "direct",
        "Each command goes straight to the store's sharing, without a session: fewer tasks, one poll a command.",
    ),
    (
        "LIFO slot",
        "Room for one task that was just woken on this worker: it is polled next, and nobody steals it.",
    ),
    (
        "local queue",
        "A worker's own queue of scheduled tasks, first come first; others may steal half of it.",
    ),
    (
        "injection queue",
        "The queue all workers share: tasks that were woken or spawned from outside wait there.",
    ),
    (
        "message",
        "What one task sends to another through a channel: the dashed arrow leads from the poll that sent it to the poll that took it.",
    ),
    (
        "way",
        "The strip along the lane of the task that served the selected command: what became of the command in each stretch of time.",
    ),
    (
        "in between",
        "From one recorded moment of the way to the next, with nothing recorded that would tell more: the task goes on, or another has its turn.",
    ),
    ("steal", "A worker with nothing to do takes half of another's local queue."),
    (
        "deferred",
        "Tasks that gave the others a turn: they are scheduled again when the worker has nothing else.",
    ),
    ("lock", "A mutex: one task holds it, the others wait in the order in which they came."),
    ("holder", "The task that has the lock now."),
    ("waiters", "The tasks that wait for the lock, the next one first."),
    ("channel", "A queue of messages between tasks, with room for a fixed number of them or for one only."),
    ("timer", "The moment at which a sleeping task is woken."),
    ("keyspace", "All keys of the store with their values."),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_term_has_one_sentence() {
        for (index, (term, sentence)) in TERMS.iter().enumerate() {
            assert!(sentence.ends_with('.') && !sentence.contains(". "), "{term}: {sentence}");
            assert!(TERMS[..index].iter().all(|(other, _)| other != term), "{term} is there twice");
        }
    }
}
