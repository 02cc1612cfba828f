//! Counting on several threads at once, each on cache lines of its own.
//!
//! Owns which thread counts where. Knows not what is counted.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};

/// As many threads as there are stripes never meet; more share them.
const STRIPES: usize = if cfg!(feature = "native") { 8 } else { 1 };

thread_local! {
    /// Where this thread counts.
    static STRIPE: usize = {
        static THREADS: AtomicUsize = AtomicUsize::new(0);
        THREADS.fetch_add(1, Relaxed).rem_euclid(STRIPES)
    };
}

/// A `T` for each of some threads, which otherwise would wait for a cache line that another core has just written: three counts of all
/// sessions in one place took 1 % of the CPU time of GET without pipelining, with two workers.
#[derive(Debug, Default)]
pub(super) struct Striped<T>([Apart<T>; STRIPES]);

#[derive(Debug, Default)]
#[repr(align(128))]
struct Apart<T>(T);

impl<T> Striped<T> {
    /// This thread's.
    #[inline]
    pub(super) fn own(&self) -> &T {
        &self.0[STRIPE.with(|stripe| *stripe)].0
    }

    /// All of them.
    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.0.iter().map(|Apart(one)| one)
    }

    /// What all threads have counted.
    pub(super) fn sum(&self, count: fn(&T) -> &AtomicU64) -> u64 {
        self.iter().map(|one| count(one).load(Relaxed)).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_threads_count_adds_up() {
        let counts = Striped::<(AtomicU64, AtomicU64)>::default();
        std::thread::scope(|scope| {
            for _ in 0..2 * STRIPES {
                scope.spawn(|| counts.own().1.fetch_add(3, Relaxed));
            }
        });
        assert_eq!((counts.sum(|(count, _)| count), counts.sum(|(_, count)| count)), (0, 6 * STRIPES as u64));
        assert_eq!(counts.iter().count(), STRIPES);
    }
}
