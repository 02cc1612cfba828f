//! Where an engine's events are until they are taken: its buffers, its clocks and its own names.
//!
//! Knows neither threads of the process nor who watches.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::event::{Event, ObjectId, Stamped};
use super::frame::{Chunk, Frame, ObjectKind};
use super::registry::Registry;
use super::row::Row;

/// What one recorded event adds to an engine's virtual clock, in nanoseconds: enough to see order and nesting.
const VIRTUAL_TICK_NS: u64 = 1_000;

/// What was recorded, on its way out of an engine.
pub(crate) enum Fresh<'a> {
    /// Names for what follows.
    Defined(Frame),
    /// Events of one thread.
    Events {
        /// Which.
        thread: u16,
        /// In order.
        events: &'a [Stamped],
    },
}

impl Fresh<'_> {
    /// Adds it to `frames`: events to the last ones of the same thread, if no names came in between.
    pub(crate) fn append_to(self, frames: &mut Vec<Frame>) {
        let (thread, events) = match self {
            Self::Defined(frame) => return frames.push(frame),
            Self::Events { thread, events } => (thread, events),
        };
        let chunks = frames.iter_mut().rev().map_while(|frame| match frame {
            Frame::Events(chunk) => Some(chunk),
            _ => None,
        });
        match chunks.into_iter().find(|chunk| chunk.thread == thread) {
            Some(chunk) => chunk.events.extend_from_slice(events),
            None => frames.push(Frame::Events(Chunk { thread, events: events.to_vec() })),
        }
    }
}

/// An engine's buffers, its clock and its own names. Unbounded in itself: the engine hands it out after every turn.
pub(super) struct EngineSink {
    /// Events by the thread they stand for: one, or one for each worker of a model and one for its host.
    threads: Vec<Vec<Stamped>>,
    /// Which of them has its turn.
    pub(super) turn: usize,
    /// What the next event is stamped with.
    clock_ns: Arc<AtomicU64>,
    /// The clock of the program, where that is another: it does not tick, and the events' clock is never behind it.
    program_ns: Option<Arc<AtomicU64>>,
    /// Names are given and time passes, but no event is kept.
    quiet: bool,
    /// For every lock and channel, when it was last touched, if there are several threads.
    touched_ns: Vec<u64>,
    pub(super) registry: Registry,
}

impl EngineSink {
    /// Of an engine that stands for `threads` threads.
    pub(super) fn new(
        clock_ns: Arc<AtomicU64>,
        program_ns: Option<Arc<AtomicU64>>,
        threads: usize,
        quiet: bool,
    ) -> Self {
        Self {
            threads: vec![Vec::new(); threads],
            turn: 0,
            clock_ns,
            program_ns,
            quiet,
            touched_ns: Vec::new(),
            registry: if quiet { Registry::quiet() } else { Registry::default() },
        }
    }

    /// What the next event is stamped with.
    pub(super) fn now_ns(&self) -> u64 {
        let at_ns = self.clock_ns.load(Ordering::Relaxed);
        self.program_ns.as_ref().map_or(at_ns, |program_ns| at_ns.max(program_ns.load(Ordering::Relaxed)))
    }

    /// Lets `ns` pass for the program.
    pub(super) fn pass(&self, ns: u64) {
        self.program_ns.as_ref().unwrap_or(&self.clock_ns).fetch_add(ns, Ordering::Relaxed);
    }

    /// Keeps what `row` tells; an engine has a clock of its own to look at.
    // A call: three places come by here, and each would have a copy of all kinds of rows.
    #[inline(never)]
    pub(super) fn push_row(&mut self, row: Row) {
        if !self.quiet {
            row.each(|event, _| self.push(event));
        }
    }

    /// Keeps `event`.
    #[inline]
    fn push(&mut self, event: Event) {
        let mut at_ns = self.now_ns();
        if self.threads.len() > 1
            && let Some(object) = event.object()
        {
            at_ns = self.touch(object, event, at_ns);
        }
        self.clock_ns.store(at_ns + VIRTUAL_TICK_NS, Ordering::Relaxed);
        self.threads[self.turn].push(Stamped { at_ns, event });
    }

    /// When `event` happens to `object`: a worker whose clock is behind does not touch it before the one who touched it
    /// last. So nobody is seen to hold a lock before another let it go, or to receive what is not yet sent.
    fn touch(&mut self, object: ObjectId, event: Event, at_ns: u64) -> u64 {
        let index = object.0 as usize;
        if self.touched_ns.len() <= index {
            self.touched_ns.resize(index + 1, 0);
        }
        let touched_ns = &mut self.touched_ns[index];
        // Answers of one kind share a number and nothing else: their senders do not wait for each other.
        let alone =
            matches!(event, Event::Send { .. }) && self.registry.kind(object) == Some(ObjectKind::Oneshot);
        let at_ns = if alone { at_ns } else { at_ns.max(*touched_ns) };
        *touched_ns = (*touched_ns).max(at_ns + VIRTUAL_TICK_NS);
        at_ns
    }

    /// Hands what was recorded since the last call to `each`, in order; of each thread at once.
    pub(super) fn drain(&mut self, mut each: impl FnMut(Fresh<'_>)) {
        self.registry.take_fresh().into_iter().for_each(|frame| each(Fresh::Defined(frame)));
        for (thread, events) in (0..).zip(&mut self.threads) {
            if !events.is_empty() {
                each(Fresh::Events { thread, events });
                // Its memory is used again: this happens after every step of a time machine.
                events.clear();
            }
        }
    }

    /// The events of the first thread that have not been taken.
    pub(super) fn first(&self) -> &[Stamped] {
        &self.threads[0]
    }
}
