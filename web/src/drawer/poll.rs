//! What is known of a poll, and of the wake that led to it. Knows no page.

use interleave::scope::event::Event;
use interleave::scope::trace::{PollId, Trace};

use super::{Fact, Link, Sheet, waker};
use crate::page::Selected;
use crate::{format, names};

/// Moments of a poll that are listed, at most: a pipeline of a thousand commands has several thousand.
const LOG_MAX: usize = 200;

pub(super) fn sheet(trace: &Trace, id: PollId) -> Option<Sheet> {
    let poll = trace.poll(id)?;
    let took_ns = poll.end_or(trace.now_ns()) - poll.start_ns;
    let mut facts = vec![
        Fact::new("worker", names::worker(trace, poll.worker)),
        Fact::new("took", format::duration(took_ns as f64)),
        Fact::new("at", format::moment(poll.start_ns as f64, 1_000.0)),
        Fact::new("ended", names::outcome(poll.outcome, poll.end_ns.is_some())),
    ];
    if poll.outcome.is_some() {
        facts.push(Fact::new("then it waits for", names::wait(trace, poll.wait_after)));
    }
    match poll.wake {
        Some(wake) => {
            facts.push(Fact::new("woken by", names::woken_by(trace, wake.by)));
            let waited_ns = poll.start_ns.saturating_sub(wake.at_ns);
            facts.push(Fact::new(
                "scheduled",
                format!("{} before this poll", format::duration(waited_ns as f64)),
            ));
        }
        None => facts.push(Fact::new("woken by", "nobody: its first poll, or the wake was not recorded")),
    }
    let mut links = vec![Link { label: trace.task_name(poll.task), to: Selected::Task(poll.task) }];
    links.extend(neighbours(trace, id));
    let all = trace.details(id).count();
    let mut log: Vec<(String, String)> = trace
        .details(id)
        .take(LOG_MAX)
        .map(|stamped| {
            let since_ns = stamped.at_ns.saturating_sub(poll.start_ns);
            (format!("+{}", format::duration(since_ns as f64)), happened(trace, stamped.event))
        })
        .collect();
    if all > LOG_MAX {
        log.push((String::new(), format!("and {} more", format::count((all - LOG_MAX) as u64))));
    }
    Some(Sheet { kind: "poll", title: trace.task_name(poll.task), facts, links, log, ..Sheet::default() })
}

pub(super) fn wake_sheet(trace: &Trace, id: PollId) -> Option<Sheet> {
    let poll = trace.poll(id)?;
    let wake = poll.wake?;
    let waited_ns = poll.start_ns.saturating_sub(wake.at_ns);
    let facts = vec![
        Fact::new("woken by", names::woken_by(trace, wake.by)),
        Fact::new("at", format::moment(wake.at_ns as f64, 1_000.0)),
        Fact::new(
            "scheduled",
            format!(
                "for {}, then polled by {}",
                format::duration(waited_ns as f64),
                names::worker(trace, poll.worker)
            ),
        ),
    ];
    let mut links = vec![
        Link { label: trace.task_name(poll.task), to: Selected::Task(poll.task) },
        Link { label: "the poll it led to".to_owned(), to: Selected::Poll(id) },
    ];
    if let Some(waker) = waker(trace, id) {
        links.push(Link { label: "the poll that woke it".to_owned(), to: Selected::Poll(waker) });
    }
    Some(Sheet {
        kind: "wake",
        title: format!("of {}", trace.task_name(poll.task)),
        facts,
        links,
        ..Sheet::default()
    })
}

fn neighbours(trace: &Trace, id: PollId) -> Vec<Link> {
    let link = |label: &str, to: PollId| Link { label: label.to_owned(), to: Selected::Poll(to) };
    let mut links = Vec::new();
    if let Some(before) = trace.neighbour(id, -1) {
        links.push(link("‹ poll before", before));
    }
    if let Some(after) = trace.neighbour(id, 1) {
        links.push(link("poll after ›", after));
    }
    if let Some(waker) = waker(trace, id) {
        links.push(link("the poll that woke it", waker));
    }
    links
}

/// One moment inside a poll, in words.
fn happened(trace: &Trace, event: Event) -> String {
    match event {
        Event::Spawn { task, .. } => format!("spawns {}", trace.task_name(task)),
        Event::Wake { task, .. } => format!("wakes {}", trace.task_name(task)),
        Event::End { task, .. } => format!("{} ends", trace.task_name(task)),
        Event::LockWait { lock } => format!("finds {} taken, waits", names::object(trace, lock)),
        Event::LockGranted { lock, to } => {
            format!("hands {} to {}", names::object(trace, lock), trace.task_name(to))
        }
        Event::LockAcquired { lock } => format!("locks {}", names::object(trace, lock)),
        Event::LockReleased { lock } => format!("unlocks {}", names::object(trace, lock)),
        Event::Send { channel, message } => {
            format!("sends message {message} on {}", names::object(trace, channel))
        }
        Event::SendWait { channel } => format!("finds {} full, waits", names::object(trace, channel)),
        Event::Receive { channel, message } => {
            format!("receives message {message} on {}", names::object(trace, channel))
        }
        Event::ReceiveWait { channel } => format!("finds {} empty, waits", names::object(trace, channel)),
        Event::JoinWait { on } => format!("awaits the end of {}", trace.task_name(on)),
        Event::Sleep { for_us } => format!("sleeps for {}", format::duration(f64::from(for_us) * 1e3)),
        Event::ReadWait => "has nothing to read, waits".to_owned(),
        Event::Read { bytes } => format!("reads {} bytes", format::count(bytes.into())),
        Event::Write { bytes } => format!("writes {} bytes", format::count(bytes.into())),
        Event::WriteWait => "cannot write, waits".to_owned(),
        Event::CommandStart { command, .. } => {
            format!("starts {}", trace.label(command).to_ascii_uppercase())
        }
        Event::CommandEnd { failed: false } => "has the reply".to_owned(),
        Event::CommandEnd { failed: true } => "has an error as the reply".to_owned(),
        Event::BlockStart => "begins to block its worker".to_owned(),
        Event::BlockEnd => "no longer blocks its worker".to_owned(),
        Event::PollStart { .. } | Event::PollEnd { .. } => "polls".to_owned(),
        Event::Park { .. } => "its worker parks".to_owned(),
        Event::Unpark { .. } => "its worker is unparked".to_owned(),
        Event::Gap { lost } => format!("{} events dropped", format::count(lost.into())),
    }
}
