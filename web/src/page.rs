//! What all parts of the page share: the source, the trace it brings, the consoles, what is selected. Owns the ways
//! these change together; draws nothing.

use std::collections::VecDeque;
use std::rc::Rc;

use interleave::scope::codec;
use interleave::scope::event::{Event, TaskId};
use interleave::scope::frame::{Chunk, Definition, Frame};
use interleave::scope::trace::{CommandId, Concurrency, Parallelism, Part, PollId, Trace};
use interleave::sharing;
use leptos::prelude::*;

use crate::console::Consoles;
use crate::machine::Machine;
use crate::saved::{self, Saved};
use crate::source::{About, Kind, News, Source, TabOptions};
use crate::timeline::Timeline;

/// Bytes of trace that may wait to be read. A server sends about 4 bytes an event; what comes while the page is hidden or
/// too slow is read only for what must be known, and its events are counted as dropped.
const INBOX_BYTES_MAX: usize = 4 << 20;

/// Milliseconds of a frame that reading the trace may take: what drawing leaves of [`FRAME_MS`], but never less than the first and
/// never more than the second. What is not read waits; what waits too long is counted as dropped.
const READ_MS: std::ops::RangeInclusive<f64> = 2.5..=5.0;

/// Milliseconds of work that a frame should take, which leaves the browser its part of 16.
const FRAME_MS: f64 = 9.0;

/// How long after a change it is kept: a wheel being turned changes the scale sixty times a second.
const SAVE_AFTER: std::time::Duration = std::time::Duration::from_millis(300);

/// What is selected, and shown in the drawer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Selected {
    Task(TaskId),
    Poll(PollId),
    /// The wake that led to this poll.
    Wake(PollId),
    Command(CommandId),
}

/// How the page stands with its source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Link {
    Starting,
    Up(About),
    Down { why: String, retry_ms: Option<i32> },
}

/// What the trace brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Arrived {
    Nothing,
    /// Only that time has passed.
    Time,
    Events,
}

/// The numbers above the timeline.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Numbers {
    pub(crate) concurrency: Concurrency,
    pub(crate) parallelism: Parallelism,
    pub(crate) workers: u16,
    pub(crate) dropped: u64,
    pub(crate) evicted: u64,
    pub(crate) events: u64,
    /// Where several runtimes are shown, each one's own: of all together neither number would say anything.
    pub(crate) parts: Vec<PartNumbers>,
}

/// The numbers of one of several runtimes.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct PartNumbers {
    pub(crate) name: String,
    pub(crate) alive: usize,
    pub(crate) parallelism: Parallelism,
    pub(crate) workers: u16,
}

/// Time over which parallelism is counted: as long as a glance.
const GLANCE_NS: u64 = 1_000_000_000;

/// The page. A handle: copies are the same page.
#[derive(Clone, Copy)]
pub(crate) struct Page {
    pub(crate) trace: StoredValue<Trace, LocalStorage>,
    inbox: StoredValue<Inbox, LocalStorage>,
    source: StoredValue<Option<Source>, LocalStorage>,
    /// Which server the consoles were connected to last.
    spoke_with: StoredValue<Option<Kind>>,
    /// Whether there was a place before.
    begun: StoredValue<bool>,
    pub(crate) kind: RwSignal<Kind>,
    pub(crate) chosen: RwSignal<Option<Kind>>,
    pub(crate) link: RwSignal<Link>,
    /// Whether the tab's server runs.
    pub(crate) running: RwSignal<bool>,
    /// How connections share the store in the tab.
    pub(crate) sharing: RwSignal<sharing::Kind>,
    /// How long `async-mutex` holds its lock in the tab.
    pub(crate) hold_ms: RwSignal<u32>,
    pub(crate) theme: RwSignal<Option<String>>,
    pub(crate) numbers: RwSignal<Numbers>,
    /// Told some times a second that the trace has gone on.
    pub(crate) changed: Trigger,
    pub(crate) selected: RwSignal<Option<Selected>>,
    pub(crate) dock_px: RwSignal<Option<f64>>,
    pub(crate) help: RwSignal<bool>,
    pub(crate) consoles: Consoles,
    pub(crate) timeline: Timeline,
    pub(crate) machine: Machine,
}

impl Page {
    /// A page as it was left at the last visit, without a source yet.
    pub(crate) fn new(saved: &Saved) -> Self {
        let chosen = saved.source.as_deref().and_then(Kind::from_name);
        let sharing = saved.sharing.as_deref().and_then(|name| name.parse().ok()).unwrap_or_default();
        Self {
            trace: StoredValue::new_local(Trace::new()),
            inbox: StoredValue::new_local(Inbox::default()),
            source: StoredValue::new_local(None),
            spoke_with: StoredValue::new(None),
            begun: StoredValue::new(false),
            kind: RwSignal::new(chosen.unwrap_or(Kind::Native)),
            chosen: RwSignal::new(chosen),
            link: RwSignal::new(Link::Starting),
            running: RwSignal::new(true),
            sharing: RwSignal::new(sharing),
            hold_ms: RwSignal::new(saved.hold_ms),
            theme: RwSignal::new(saved.theme.clone()),
            numbers: RwSignal::new(Numbers::default()),
            changed: Trigger::new(),
            selected: RwSignal::new(None),
            dock_px: RwSignal::new(saved.dock_px),
            help: RwSignal::new(false),
            consoles: Consoles::new(&saved.consoles, saved.active),
            timeline: Timeline::new(saved),
            machine: Machine::new(saved.machine.as_ref()),
        }
    }

    /// Leaves the source there is and starts one of `kind`; with `scene`, the tab's opening scene plays.
    pub(crate) fn start(self, kind: Kind, scene: bool) {
        self.start_with(kind, scene, None);
    }

    fn start_with(self, kind: Kind, scene: bool, run: Option<String>) {
        // The native server is the same one after a look elsewhere; the tab's is always new.
        if kind != Kind::Machine {
            let before = self.spoke_with.try_update_value(|spoke_with| spoke_with.replace(kind)).flatten();
            if before.is_some_and(|before| before != kind || kind == Kind::Tab) {
                self.consoles.note("Another server from here on: it knows nothing of what was typed before.");
            }
        }
        // The scale of the last visit is for the place that the page begins with.
        if self.begun.try_update_value(|begun| std::mem::replace(begun, true)).unwrap_or_default() {
            self.timeline.keep_scale(self.kind.get_untracked(), kind);
        }
        // Gone before the next one speaks.
        self.source.set_value(None);
        self.machine.rest();
        self.inbox.set_value(Inbox::default());
        self.trace.set_value(Trace::new());
        self.selected.set(None);
        self.consoles.forget_trace();
        self.timeline.forget_trace();
        self.kind.set(kind);
        self.link.set(Link::Starting);
        self.running.set(true);
        let listener = Rc::new(move |news| self.hear(news));
        let source = match kind {
            Kind::Native => Some(Source::native(listener)),
            Kind::Tab => {
                let (sharing, hold_ms) = (self.sharing.get_untracked(), self.hold_ms.get_untracked());
                Some(Source::tab(TabOptions { sharing, hold_ms, scene }, listener))
            }
            Kind::Machine => {
                self.machine.start(self, run);
                None
            }
        };
        self.source.set_value(source);
    }

    /// Opens the time machine with the run that a link holds.
    pub(crate) fn open_link(self, link: String) {
        if self.kind.get_untracked() == Kind::Machine && matches!(self.link.get_untracked(), Link::Up(_)) {
            self.machine.open_from("link", &link);
        } else {
            self.start_with(Kind::Machine, false, Some(link));
        }
    }

    /// Begins a trace anew, of the same or another run. A task keeps its number from run to run, so it stays selected.
    pub(crate) fn renew_trace(self) {
        self.inbox.set_value(Inbox::default());
        self.trace.set_value(Trace::new());
        if !matches!(self.selected.get_untracked(), Some(Selected::Task(_))) {
            self.selected.set(None);
        }
        self.timeline.redraw();
    }

    /// Takes a message of the trace, to be read in the next frame.
    pub(crate) fn push_trace(self, message: Vec<u8>) {
        self.inbox.update_value(|inbox| inbox.push(message));
    }

    /// A person chose this source.
    pub(crate) fn choose(self, kind: Kind) {
        self.chosen.set(Some(kind));
        self.start(kind, kind == Kind::Tab);
    }

    /// Lets the tab's server run, or stand still.
    pub(crate) fn set_running(self, running: bool) {
        self.running.set(running);
        self.with_source(|source| source.set_running(running));
    }

    pub(crate) fn open(self, console: u32) {
        if let Some(console) = self.consoles.get(console) {
            console.standing.set(crate::console::Standing::Connecting);
        }
        // Without a server the connection is opened when there is one.
        if matches!(self.link.get_untracked(), Link::Up(_)) {
            self.with_source(|source| source.open(console));
        }
    }

    pub(crate) fn close(self, console: u32) {
        self.with_source(|source| source.close(console));
    }

    pub(crate) fn send(self, console: u32, bytes: &[u8]) {
        self.with_source(|source| source.send(console, bytes));
    }

    fn with_source(self, f: impl FnOnce(&Source)) {
        self.source.with_value(|source| source.as_ref().map(f));
    }

    fn hear(self, news: News) {
        match news {
            News::Trace(message) => self.push_trace(message),
            News::Up(about) => {
                // A server that is back is another one: what was selected and typed is in no trace of its.
                if matches!(self.link.get_untracked(), Link::Down { .. }) {
                    self.selected.set(None);
                    self.consoles.forget_commands();
                    self.timeline.forget_trace();
                }
                self.link.set(Link::Up(about));
                for console in self.consoles.list.get_untracked() {
                    self.open(console.number);
                }
            }
            News::Down { why, retry_ms } => {
                self.link.set(Link::Down { why, retry_ms });
                for console in self.consoles.list.get_untracked() {
                    self.consoles.hear(self, News::Closed(console.number));
                }
            }
            news => self.consoles.hear(self, news),
        }
    }

    /// Takes in the trace that has arrived, for a few milliseconds; `draw_ms` is what the last picture took.
    pub(crate) fn read_trace(self, draw_ms: f64, now_ms: impl Fn() -> f64) -> Arrived {
        let (began_ms, read_ms) = (now_ms(), (FRAME_MS - draw_ms).clamp(*READ_MS.start(), *READ_MS.end()));
        let mut arrived = Arrived::Nothing;
        while now_ms() - began_ms < read_ms {
            let Some((message, skipped)) = self.inbox.try_update_value(Inbox::pop).flatten() else { break };
            // A message that cannot be read is a fault of ours or of a proxy; the picture goes on without it.
            let Ok(mut frames) = codec::decode(&message) else {
                self.trace
                    .update_value(|trace| trace.apply(&Frame::Lost { events: codec::events_in(&message) }));
                continue;
            };
            let is_time = frames.iter().all(|frame| matches!(frame, Frame::Drained { .. }));
            arrived = arrived.max(if is_time { Arrived::Time } else { Arrived::Events });
            self.trace.update_value(|trace| {
                for frame in &mut frames {
                    self.call_consoles_by_number(frame);
                    match frame {
                        Frame::Events(chunk) if skipped => skip(trace, chunk),
                        frame => trace.apply(frame),
                    }
                }
            });
        }
        arrived
    }

    fn call_consoles_by_number(self, frame: &mut Frame) {
        let Frame::Define(definitions) = frame else { return };
        for definition in definitions {
            if let Definition::ClientName { name, .. } = definition {
                self.consoles.shown_name(name);
            }
        }
    }

    /// Brings the numbers and whoever watches the trace up to date. Meant for some times a second.
    pub(crate) fn refresh(self) {
        self.trace.with_value(|trace| {
            let moment = self.machine.moment().filter(|_| self.kind.get_untracked() == Kind::Machine);
            let now_ns = moment.map_or(trace.now_ns(), |moment| moment.now_ns);
            let counts = trace.counts();
            let part = |(index, part): (usize, &Part)| PartNumbers {
                name: part.name.clone(),
                alive: trace
                    .tasks()
                    .filter(|task| task.ended.is_none() && trace.part_of(task.id) == index)
                    .count(),
                parallelism: trace.parallelism_of(index, now_ns.saturating_sub(GLANCE_NS)..now_ns),
                workers: part.workers.end - part.workers.start,
            };
            let numbers = Numbers {
                concurrency: moment.map_or(trace.concurrency(), |moment| moment.concurrency),
                // While a run or the tab's server stands still, a glance back over it says nothing of now.
                parallelism: match moment.and_then(|moment| moment.polled) {
                    Some(polled) => Parallelism { max: polled, average: polled as f64 },
                    None if !self.running.get_untracked() => Parallelism::default(),
                    None => trace.parallelism_over(now_ns.saturating_sub(GLANCE_NS)..now_ns),
                },
                workers: trace.workers(),
                dropped: counts.dropped,
                evicted: counts.evicted,
                events: counts.events_held,
                parts: trace.parts().iter().enumerate().map(part).collect(),
            };
            if self.numbers.get_untracked() != numbers {
                self.numbers.set(numbers);
            }
            self.consoles.find_in(trace);
        });
        self.changed.notify();
    }

    /// Selects something and shows it on the timeline if it lies elsewhere.
    pub(crate) fn select(self, selected: Option<Selected>) {
        self.selected.set(selected);
        if let Some(selected) = selected {
            self.timeline.show(selected);
        }
    }

    /// Keeps what is to survive a reload: soon after it changes, and when the page is left.
    pub(crate) fn keep_saved(self) {
        let latest = Memo::new(move |_| {
            let active = self.consoles.active.get();
            Saved {
                source: self.chosen.get().map(|kind| kind.name().to_owned()),
                sharing: Some(self.sharing.get().name().to_owned()),
                hold_ms: self.hold_ms.get(),
                theme: self.theme.get(),
                lanes: Some(self.timeline.lanes.get().name().to_owned()),
                idle_in_full: self.timeline.wants_idle_in_full(),
                ended_open: self.timeline.ended_open.get(),
                ns_per_px: Some(self.timeline.scale.get()),
                dock_px: self.dock_px.get(),
                machine: Some(self.machine.saved()),
                consoles: self.consoles.saved(),
                active: self
                    .consoles
                    .list
                    .with(|list| list.iter().position(|console| console.number == active))
                    .unwrap_or(0),
            }
        });
        let waits = StoredValue::new(false);
        Effect::new(move |_| {
            latest.track();
            if !waits.get_value() {
                waits.set_value(true);
                set_timeout(
                    move || {
                        waits.set_value(false);
                        saved::store(&latest.get_untracked());
                    },
                    SAVE_AFTER,
                );
            }
        });
        window_event_listener_untyped("pagehide", move |_| saved::store(&latest.get_untracked()));
    }
}

/// Takes from events that are too many to draw what later ones build upon: which tasks there are. The rest is counted.
fn skip(trace: &mut Trace, chunk: &Chunk) {
    let matters = |event: &Event| matches!(event, Event::Spawn { .. } | Event::End { .. });
    let events: Vec<_> = chunk.events.iter().filter(|stamped| matters(&stamped.event)).copied().collect();
    let lost = (chunk.events.len() - events.len()) as u64;
    trace.apply(&Frame::Events(Chunk { thread: chunk.thread, events }));
    trace.apply(&Frame::Lost { events: lost });
}

/// Messages of the trace that have arrived and are not read yet.
#[derive(Debug, Default)]
struct Inbox {
    messages: VecDeque<Vec<u8>>,
    bytes: usize,
}

impl Inbox {
    fn push(&mut self, message: Vec<u8>) {
        self.bytes += message.len();
        self.messages.push_back(message);
    }

    /// The oldest message, and whether so much waits behind it that its events must be passed over.
    fn pop(&mut self) -> Option<(Vec<u8>, bool)> {
        let behind = self.bytes > INBOX_BYTES_MAX;
        let message = self.messages.pop_front()?;
        self.bytes -= message.len();
        Some((message, behind))
    }
}

#[cfg(test)]
mod tests {
    use interleave::scope::event::{LabelId, Stamped};

    use super::*;

    #[test]
    fn an_inbox_that_is_too_full_passes_over_its_oldest() {
        let mut inbox = Inbox::default();
        inbox.push(vec![0; INBOX_BYTES_MAX]);
        inbox.push(vec![1; 1]);
        assert!(inbox.pop().is_some_and(|(message, skipped)| message[0] == 0 && skipped));
        assert!(inbox.pop().is_some_and(|(message, skipped)| message[0] == 1 && !skipped));
        assert!(inbox.pop().is_none());
    }

    #[test]
    fn events_passed_over_are_counted_and_tasks_stay_known() {
        let mut trace = Trace::new();
        let spawn = Event::Spawn { task: TaskId(1), label: LabelId(0), number: 7 };
        let start = Event::PollStart { task: TaskId(1), worker: interleave::scope::event::WorkerId(0) };
        let events = [spawn, start].map(|event| Stamped { at_ns: 5, event }).to_vec();
        skip(&mut trace, &Chunk { thread: 0, events });
        trace.apply(&Frame::Drained { at_ns: 10 });
        assert_eq!((trace.counts().dropped, trace.concurrency().alive), (1, 1));
    }
}
