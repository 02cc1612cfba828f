//! Which workers sleep, and how many look for work: when another is woken follows from these two.
//!
//! The rules are those of Tokio's `runtime/scheduler/multi_thread/idle.rs`, without its atomics: in the model one worker
//! acts at a time. Knows no queue and no time.

/// The model of `Idle`.
#[derive(Debug)]
pub(super) struct Idle {
    workers: usize,
    searching: usize,
    unparked: usize,
    sleepers: Vec<usize>,
}

impl Idle {
    /// All `workers` start awake.
    pub(super) fn new(workers: usize) -> Self {
        Self { workers, searching: 0, unparked: workers, sleepers: Vec::new() }
    }

    /// The worker to wake because there is work; it starts as one that searches. `worker_to_notify`: none as long as
    /// another still searches, for that one will find the work, and will wake the next when it did.
    pub(super) fn worker_to_notify(&mut self) -> Option<usize> {
        if self.searching > 0 || self.unparked == self.workers {
            return None;
        }
        self.searching += 1;
        self.unparked += 1;
        // The one that fell asleep last.
        self.sleepers.pop()
    }

    /// `transition_worker_to_parked`: whether it was the last that searched, which must look once more for work.
    pub(super) fn park(&mut self, worker: usize, searching: bool) -> bool {
        self.unparked -= 1;
        self.sleepers.push(worker);
        searching && self.search_ends()
    }

    /// `transition_worker_to_searching`: at most half of the workers search at a time.
    pub(super) fn may_search(&mut self) -> bool {
        let may = 2 * self.searching < self.workers;
        self.searching += usize::from(may);
        may
    }

    /// `transition_worker_from_searching`: whether it was the last that searched, which must wake another.
    pub(super) fn search_ends(&mut self) -> bool {
        self.searching -= 1;
        self.searching == 0
    }

    /// `unpark_worker_by_id`: `worker` woke for the driver. Whether it still slept.
    pub(super) fn unpark(&mut self, worker: usize) -> bool {
        let Some(place) = self.sleepers.iter().position(|&sleeper| sleeper == worker) else { return false };
        self.sleepers.swap_remove(place);
        self.unparked += 1;
        true
    }

    /// Whether `worker` sleeps and nobody woke it for work.
    pub(super) fn sleeps(&self, worker: usize) -> bool {
        self.sleepers.contains(&worker)
    }
}
