//! Events of several threads in one order of time.
//!
//! Each thread's events come in order, but a drain collects thread after thread. What is not later than the moment the
//! drain began is complete and can be merged; the rest waits for the next.

use std::collections::VecDeque;

use litemap::LiteMap;

use crate::scope::event::Stamped;
use crate::scope::frame::Chunk;

/// Events that wait for those of other threads.
#[derive(Debug, Default)]
pub(super) struct Merge {
    waiting: LiteMap<u16, VecDeque<Stamped>>,
}

impl Merge {
    /// Adds events of one thread.
    pub(super) fn push(&mut self, chunk: &Chunk) {
        self.waiting.entry(chunk.thread).or_default().extend(&chunk.events);
    }

    /// Hands out, in order of time, the events up to `until_ns`.
    pub(super) fn take_until(&mut self, until_ns: u64, mut each: impl FnMut(u16, Stamped)) {
        loop {
            let heads =
                self.waiting.iter().filter_map(|(&thread, events)| Some((events.front()?.at_ns, thread)));
            let Some((at_ns, thread)) = heads.min() else { break };
            if at_ns > until_ns {
                break;
            }
            // As far as no other thread has anything: a run, mostly a long one.
            let others = self.waiting.iter().filter(|(other, _)| **other != thread);
            let run_end_ns = others.filter_map(|(_, events)| events.front()).map(|head| head.at_ns).min();
            let run_end_ns = run_end_ns.unwrap_or(until_ns).min(until_ns);
            let Some(events) = self.waiting.get_mut(&thread) else { break };
            while let Some(stamped) = events.pop_front_if(|stamped| stamped.at_ns <= run_end_ns) {
                each(thread, stamped);
            }
        }
        self.waiting.retain(|_, events| !events.is_empty());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scope::event::Event;

    fn chunk(thread: u16, times: &[u64]) -> Chunk {
        let events = times.iter().map(|&at_ns| Stamped { at_ns, event: Event::ReadWait }).collect();
        Chunk { thread, events }
    }

    #[test]
    fn threads_are_merged_and_what_is_too_late_waits() {
        let mut merge = Merge::default();
        merge.push(&chunk(0, &[1, 4, 9]));
        merge.push(&chunk(1, &[2, 3, 5, 12]));
        let mut order = Vec::new();
        merge.take_until(10, |thread, stamped| order.push((stamped.at_ns, thread)));
        assert_eq!(order, [(1, 0), (2, 1), (3, 1), (4, 0), (5, 1), (9, 0)]);
        merge.push(&chunk(0, &[11]));
        order.clear();
        merge.take_until(20, |thread, stamped| order.push((stamped.at_ns, thread)));
        assert_eq!(order, [(11, 0), (12, 1)]);
    }
}
