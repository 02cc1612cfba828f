//! The way of a command, from the wake to the written reply. Knows no page.

use interleave::scope::trace::{CommandId, Path, PollId, Trace};

use super::{Fact, GONE, Link, Sheet, Stretch};
use crate::console::Way;
use crate::page::Selected;
use crate::{format, names};

/// `kept`: the command's way, if it was typed here; the trace may no longer hold it.
pub(super) fn sheet(trace: &Trace, id: CommandId, kept: Option<Way>) -> Option<Sheet> {
    let Way { command, path } = match kept {
        Some(kept) => kept,
        None => Way { command: *trace.command(id)?, path: trace.path(id)? },
    };
    let mut facts = Vec::new();
    if let Some((first, last)) = path.segments.first().zip(path.segments.last()) {
        let took_ns = last.to_ns.saturating_sub(first.from_ns);
        facts.push(Fact::new("in all", format::duration(took_ns as f64)));
    }
    if let Some(by) = path.woken_by {
        facts.push(Fact::new("woken by", names::woken_by(trace, by)));
    }
    if let Some(task) = command.task {
        facts.push(Fact::new("served by", trace.task_name(task)));
    }
    if command.failed {
        facts.push(Fact::new("reply", "an error"));
    }
    facts.push(Fact::new("at", format::moment(command.start_ns as f64, 1_000.0)));
    let mut notes = Vec::new();
    if command.start_ns < trace.known_from_ns() {
        notes.push(GONE.to_owned());
    }
    if path.behind > 0 {
        notes.push(format!("{} commands of the same read came before it.", path.behind));
    }
    if !path.missing.is_empty() {
        notes.push(format!("Not recorded: {}.", path.missing.join(", ")));
    }
    let stretches = stretches(trace, &path);
    let mut links = Vec::new();
    if let Some(task) = command.task {
        links.push(Link { label: trace.task_name(task), to: Selected::Task(task) });
    }
    let held = |poll: &PollId| trace.poll(*poll).is_some();
    if let Some(poll) = command.start_poll.filter(held) {
        links.push(Link { label: "the poll it started in".to_owned(), to: Selected::Poll(poll) });
    }
    if let Some(poll) = command.end_poll.filter(held).filter(|poll| Some(*poll) != command.start_poll) {
        links.push(Link { label: "the poll that had its reply".to_owned(), to: Selected::Poll(poll) });
    }
    let title = trace.label(command.name).to_ascii_uppercase();
    Some(Sheet { kind: "command", title, facts, stretches, notes, links, ..Sheet::default() })
}

/// The stretches of a way in order, with what lies between them, so that they add up.
fn stretches(trace: &Trace, path: &Path) -> Vec<Stretch> {
    let mut stretches: Vec<Stretch> = Vec::new();
    let mut until_ns = path.segments.first().map_or(0, |first| first.from_ns);
    for segment in &path.segments {
        if segment.from_ns > until_ns {
            stretches.push(Stretch {
                label: "in between".to_owned(),
                colour: "between",
                from_ns: until_ns,
                to_ns: segment.from_ns,
                evidence: "observed",
            });
        }
        stretches.push(Stretch {
            label: names::stage(trace, segment.stage),
            colour: names::stage_colour(segment.stage),
            from_ns: segment.from_ns,
            to_ns: segment.to_ns,
            evidence: names::evidence(segment.evidence),
        });
        until_ns = until_ns.max(segment.to_ns);
    }
    stretches
}
