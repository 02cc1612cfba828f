//! What stands at a place of the timeline, and what to say of it. Knows the picture's layout, not how it is drawn.

use interleave::scope::event::TaskId;
use interleave::scope::trace::{Poll, PollId};

use super::lanes::Whose;
use super::{RULER_PX, Scene};
use crate::machine::Steal;
use crate::page::Selected;
use crate::{format, names};

/// How far from a thing it can still be hit, in CSS pixels: what is a pixel wide can be clicked too.
const REACH_PX: f64 = 5.0;

/// What is hit.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Hit {
    /// What a click selects.
    pub(crate) selects: Option<Selected>,
    /// Whether a click opens the lanes of ended tasks, or folds them.
    pub(crate) opens: Option<bool>,
    /// What hovering tells, line by line.
    pub(crate) says: Vec<String>,
}

/// What stands at `x`, `y`, in CSS pixels of the canvas.
pub(crate) fn hit(scene: &Scene<'_>, x: f64, y: f64) -> Option<Hit> {
    let x = x - scene.place.gutter;
    if y < RULER_PX {
        return folded(scene, x);
    }
    let whose = *scene.shown.get(scene.place.index(y)?)?;
    match whose {
        Whose::Ended { count, open } => return Some(ended(count, open)),
        Whose::Part(_) => return name(scene, whose),
        Whose::Task(_) | Whose::Worker(_) => {}
    }
    if let Some(steal) = stolen(scene, x, y) {
        return Some(steal);
    }
    if x < 0.0 {
        return name(scene, whose);
    }
    let near = nearest(scene, whose, x);
    if let Some((id, poll)) = near {
        let (start, end) = (scene.axis.x(poll.start_ns as f64), scene.axis.x(end_ns(scene, poll)));
        if x >= start - 1.0 || end - start >= REACH_PX || start - x < REACH_PX {
            let woken = poll.wake.map(|wake| scene.axis.x(wake.at_ns as f64));
            let in_wake = woken.is_some_and(|woken| x >= woken - 1.0 && x < start);
            if x <= end + REACH_PX && x >= start - REACH_PX && !(in_wake && x < start - 2.0) {
                return Some(of_poll(scene, id, poll));
            }
        }
        if let Whose::Task(_) = whose
            && let Some(wake) = poll.wake
            && x >= scene.axis.x(wake.at_ns as f64) - REACH_PX
            && x <= start
        {
            return Some(of_wake(scene, id, poll));
        }
    }
    waiting(scene, whose, x)
}

/// The mark of a steal.
fn stolen(scene: &Scene<'_>, x: f64, y: f64) -> Option<Hit> {
    let is_near = |at: &(f64, f64)| (at.0 - x).abs() <= REACH_PX && (at.1 - y).abs() <= REACH_PX + 2.0;
    let steal = scene.steals().iter().find(|steal| scene.steal_mark(steal).is_some_and(|at| is_near(&at)))?;
    let Steal { name, from, to, at_ns, .. } = steal;
    let at = format::moment(*at_ns as f64, scene.scale.min(1e3));
    let says = format!("{name} is stolen: worker {to} takes it from the local queue of worker {from}");
    let selects = Some(Selected::Task(TaskId(steal.task)));
    Some(Hit { selects, opens: None, says: vec![says, format!("at {at}")] })
}

/// The poll of a lane that is nearest to `x`, of those around it.
fn nearest<'a>(scene: &'a Scene<'_>, whose: Whose, x: f64) -> Option<(PollId, &'a Poll)> {
    let lane = whose.polls(scene.trace);
    let from_ns = scene.axis.at_ns(x - REACH_PX).max(0.0) as u64;
    let first = scene.trace.first_ending_after(lane, from_ns);
    let around = lane.range(first..).take(64).filter_map(|&id| Some((id, scene.trace.poll(id)?)));
    let distance = |poll: &Poll| {
        let (start, end) = (scene.axis.x(poll.start_ns as f64), scene.axis.x(end_ns(scene, poll)));
        if x < start { start - x } else { (x - end).max(0.0) }
    };
    around
        .take_while(|(_, poll)| {
            let woken_ns = poll.wake.map_or(poll.start_ns, |wake| wake.at_ns.min(poll.start_ns));
            scene.axis.x(woken_ns as f64) <= x + REACH_PX
        })
        .min_by(|(_, a), (_, b)| distance(a).total_cmp(&distance(b)))
}

fn end_ns(scene: &Scene<'_>, poll: &Poll) -> f64 {
    poll.end_or(scene.trace.now_ns()) as f64
}

fn of_poll(scene: &Scene<'_>, id: PollId, poll: &Poll) -> Hit {
    let trace = scene.trace;
    let took = end_ns(scene, poll) - poll.start_ns as f64;
    let mut says = vec![
        format!(
            "{}, polled by {} for {}",
            trace.task_name(poll.task),
            names::worker(trace, poll.worker),
            format::duration(took)
        ),
        format!("at {}", format::moment(poll.start_ns as f64, scene.scale.min(1e3))),
    ];
    if let Some(wake) = poll.wake {
        let before = format::duration(poll.start_ns.saturating_sub(wake.at_ns) as f64);
        says.push(format!("woken {before} before, by {}", names::woken_by(trace, wake.by)));
    }
    if poll.end_ns.is_some() {
        says.push(format!("then it waits for {}", names::wait(trace, poll.wait_after)));
    }
    Hit { selects: Some(Selected::Poll(id)), opens: None, says }
}

fn of_wake(scene: &Scene<'_>, id: PollId, poll: &Poll) -> Hit {
    let Some(wake) = poll.wake else { return of_poll(scene, id, poll) };
    let waited = format::duration(poll.start_ns.saturating_sub(wake.at_ns) as f64);
    Hit {
        selects: Some(Selected::Wake(id)),
        opens: None,
        says: vec![
            format!(
                "{} is scheduled: woken, it waits {waited} for a worker",
                scene.trace.task_name(poll.task)
            ),
            format!("woken by {}", names::woken_by(scene.trace, wake.by)),
        ],
    }
}

/// The line above the tasks that have ended.
fn ended(count: usize, open: bool) -> Hit {
    let says = match count {
        1 => "1 task has ended in this stretch of time".to_owned(),
        count => format!("{count} tasks have ended in this stretch of time"),
    };
    let click = if open { "a click folds their lanes ( E )" } else { "a click shows their lanes ( E )" };
    Hit { selects: None, opens: Some(!open), says: vec![says, click.to_owned()] }
}

fn name(scene: &Scene<'_>, whose: Whose) -> Option<Hit> {
    let Whose::Task(id) = whose else {
        return Some(Hit { selects: None, opens: None, says: vec![whose.name(scene.trace)] });
    };
    let task = scene.trace.task(id)?;
    let mut says = vec![scene.trace.task_name(id), names::state(scene.trace, task)];
    if let Some((file, line)) = task.label.and_then(|label| scene.trace.place(label)) {
        says.push(format!("spawned at {file}:{line}"));
    }
    Some(Hit { selects: Some(Selected::Task(id)), opens: None, says })
}

/// A task between two polls.
fn waiting(scene: &Scene<'_>, whose: Whose, x: f64) -> Option<Hit> {
    let Whose::Task(id) = whose else { return folded(scene, x) };
    let lane = whose.polls(scene.trace);
    let next = scene.trace.first_ending_after(lane, scene.axis.at_ns(x).max(0.0) as u64);
    let before = scene.trace.poll(*lane.get(next.checked_sub(1)?)?)?;
    let until_ns = lane
        .get(next)
        .and_then(|&id| scene.trace.poll(id))
        .map_or(scene.trace.until_ns(id), |poll| poll.wake.map_or(poll.start_ns, |wake| wake.at_ns));
    if before.outcome.is_none() || has_ended(scene, id, before) {
        return None;
    }
    let waited = format::duration(until_ns.saturating_sub(before.end_or(until_ns)) as f64);
    Some(Hit {
        selects: Some(Selected::Task(id)),
        opens: None,
        says: vec![format!(
            "{} waits {waited} for {}",
            scene.trace.task_name(id),
            names::wait(scene.trace, before.wait_after)
        )],
    })
}

fn has_ended(scene: &Scene<'_>, task: TaskId, poll: &Poll) -> bool {
    let ended = scene.trace.task(task).and_then(|task| task.ended);
    ended.is_some_and(|(at_ns, _)| poll.end_ns.is_some_and(|end_ns| at_ns <= end_ns))
}

fn folded(scene: &Scene<'_>, x: f64) -> Option<Hit> {
    let piece =
        scene.axis.pieces().iter().find(|piece| piece.folded && (piece.from_px..piece.to_px).contains(&x))?;
    let length = format::duration(piece.to_ns - piece.from_ns);
    Some(Hit {
        selects: None,
        opens: None,
        says: vec![format!("{length} in which no task was polled, folded")],
    })
}
