//! How many tasks were polled at the same instant: counted while a recording is read, and asked for by stretches of time.
//! Owns the precision and how far back it goes; knows no task.

use std::collections::VecDeque;
use std::ops::Range;

use super::Parallelism;

/// Length of one bucket of the count.
const BUCKET_NS: u64 = 10_000_000;

/// Buckets kept: a minute.
const BUCKETS_MAX: usize = 6_000;

/// The polls of one runtime.
#[derive(Debug, Default)]
pub(super) struct Parallel {
    running: usize,
    buckets: VecDeque<Bucket>,
}

#[derive(Debug)]
struct Bucket {
    number: u64,
    max: usize,
    polled_ns: u64,
}

impl Parallel {
    /// A poll begins.
    pub(super) fn begin(&mut self, at_ns: u64) {
        self.running += 1;
        let running = self.running;
        let bucket = self.bucket(at_ns);
        bucket.max = bucket.max.max(running);
    }

    /// A poll that took `polled_ns` ends.
    pub(super) fn end(&mut self, at_ns: u64, polled_ns: u64) {
        self.running = self.running.saturating_sub(1);
        self.bucket(at_ns).polled_ns += polled_ns;
    }

    /// What was in `range`, to the precision of a bucket.
    pub(super) fn over(&self, range: &Range<u64>) -> Parallelism {
        let (first, last) = (range.start / BUCKET_NS, range.end / BUCKET_NS);
        let buckets = self.buckets.iter().rev().take_while(|bucket| bucket.number >= first);
        let (max, polled_ns) = buckets
            .filter(|bucket| bucket.number <= last)
            .fold((0, 0), |(max, polled_ns), bucket| (bucket.max.max(max), polled_ns + bucket.polled_ns));
        let length_ns = range.end.saturating_sub(range.start).max(1);
        Parallelism { max, average: polled_ns as f64 / length_ns as f64 }
    }

    fn bucket(&mut self, at_ns: u64) -> &mut Bucket {
        let number = at_ns / BUCKET_NS;
        if self.buckets.back().is_none_or(|last| last.number < number) {
            // Polls that go on from the last bucket count in this one too.
            self.buckets.push_back(Bucket { number, max: self.running, polled_ns: 0 });
            if self.buckets.len() > BUCKETS_MAX {
                self.buckets.pop_front();
            }
        }
        self.buckets.back_mut().expect("one was just put there")
    }
}
