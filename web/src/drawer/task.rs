//! What is known of a task. Knows no page.

use interleave::scope::event::TaskId;
use interleave::scope::trace::{TaskState, Trace};

use super::{Fact, Link, Sheet};
use crate::page::Selected;
use crate::{format, names};

/// Spawned tasks that are linked, at most.
const CHILDREN_MAX: usize = 8;

pub(super) fn sheet(trace: &Trace, id: TaskId) -> Option<Sheet> {
    let task = trace.task(id)?;
    let now_ns = trace.now_ns();
    let mut facts = vec![Fact::new("state", names::state(trace, task))];
    let since_ns = match task.state {
        TaskState::Running { since_ns, .. }
        | TaskState::Scheduled { since_ns }
        | TaskState::Idle { since_ns, .. } => Some(since_ns),
        TaskState::Ended => None,
    };
    if let Some(since_ns) = since_ns {
        facts.push(Fact::new("for", format::duration(now_ns.saturating_sub(since_ns) as f64)));
    }
    if let Some((file, line)) = task.label.and_then(|label| trace.place(label)) {
        facts.push(Fact::new("spawned at", format!("{file}:{line}")));
    }
    let ended_ns = task.ended.map_or(now_ns, |(at_ns, _)| at_ns);
    facts.push(Fact::new("age", format::duration(ended_ns.saturating_sub(task.spawned_ns) as f64)));
    facts.push(Fact::new("polls", format::count(task.polls)));
    facts.push(Fact::new("time polled", format::duration(task.polled_ns as f64)));
    facts.push(Fact::new("time scheduled", format::duration(task.scheduled_ns as f64)));
    if task.polls > 0 {
        facts.push(Fact::new("average poll", format::duration(task.polled_ns as f64 / task.polls as f64)));
    }
    facts.push(Fact::new("wakes", format::count(task.wakes)));
    if task.self_wakes > 0 {
        facts.push(Fact::new("self-wake", format::count(task.self_wakes)));
    }
    facts.push(Fact::new("task number", id.0.to_string()));
    let mut links = Vec::new();
    if let Some(parent) = task.parent {
        links.push(Link {
            label: format!("spawned by {}", trace.task_name(parent)),
            to: Selected::Task(parent),
        });
    }
    if let Some(&last) = trace.polls_of_task(id).back() {
        links.push(Link { label: "its last poll".to_owned(), to: Selected::Poll(last) });
    }
    let children = trace.tasks().filter(|child| child.parent == Some(id) && child.ended.is_none());
    for child in children.take(CHILDREN_MAX) {
        links.push(Link {
            label: format!("spawned {}", trace.task_name(child.id)),
            to: Selected::Task(child.id),
        });
    }
    Some(Sheet { kind: "task", title: trace.task_name(id), facts, links, ..Sheet::default() })
}
