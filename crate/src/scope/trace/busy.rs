//! When anything happened at all, so that a picture can leave out the time in between.

use std::collections::VecDeque;
use std::ops::Range;

/// Quiet shorter than this does not part two periods: a hundred microseconds between two polls belong to one story.
const QUIET_NS: u64 = 100_000;

/// Stretches of time in which tasks were scheduled or polled, in order, at least [`QUIET_NS`] apart.
#[derive(Debug, Default)]
pub(super) struct Busy {
    periods: VecDeque<Range<u64>>,
}

impl Busy {
    /// Something went on from `from_ns` to `to_ns`. Ends come in order, give or take what two threads do at once.
    pub(super) fn add(&mut self, from_ns: u64, to_ns: u64) {
        let mut added = from_ns..to_ns.max(from_ns);
        while let Some(last) = self.periods.pop_back_if(|last| last.end + QUIET_NS >= added.start) {
            added = last.start.min(added.start)..last.end.max(added.end);
        }
        self.periods.push_back(added);
    }

    pub(super) fn periods(&self) -> &VecDeque<Range<u64>> {
        &self.periods
    }

    pub(super) fn forget_before(&mut self, at_ns: u64) {
        while self.periods.pop_front_if(|first| first.end < at_ns).is_some() {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(added: &[(u64, u64)], expected: &[(u64, u64)]) {
        let mut busy = Busy::default();
        added.iter().for_each(|&(from_us, to_us)| busy.add(from_us * 1000, to_us * 1000));
        let found: Vec<_> = busy.periods().iter().map(|p| (p.start / 1000, p.end / 1000)).collect();
        assert_eq!(found, expected, "{added:?}");
    }

    #[test]
    fn short_quiet_does_not_part() {
        check(&[(0, 10), (50, 60), (500, 510)], &[(0, 60), (500, 510)]);
    }

    #[test]
    fn a_late_wake_joins_what_it_reaches_back_to() {
        check(&[(0, 10), (500, 510), (900, 910), (450, 920)], &[(0, 10), (450, 920)]);
        check(&[(100, 110), (0, 5000)], &[(0, 5000)]);
    }
}
