//! Lanes as pixels: what a task or worker did in each column, and from that the rows of a picture. One pass over the polls
//! that can be seen, so a hundred thousand events cost some milliseconds. Knows no canvas, only bytes.

use interleave::scope::trace::{TaskState, Trace, Wait};

use super::axis::Axis;
use super::colours::{Colours, Rgb};
use super::lanes::Whose;

/// What a column of a lane shows, as shares of the column's time.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Column {
    pub(crate) running: f32,
    pub(crate) scheduled: f32,
    pub(crate) idle: f32,
    pub(crate) lock: f32,
    pub(crate) message: f32,
    pub(crate) sleep: f32,
}

/// What takes less than a pixel is still seen: the least share that is drawn of anything that was there.
const LEAST_SHARE: f32 = 0.5;

/// Fills `columns` with what `whose` did; returns how many polls lie in them. `start_px` is the first column's place on
/// the axis, `columns_per_px` how many columns a pixel of the axis has.
pub(crate) fn columns(
    trace: &Trace,
    whose: Whose,
    axis: &Axis,
    columns_per_px: f64,
    columns: &mut [Column],
) -> usize {
    columns.fill(Column::default());
    let width = columns.len() as f64;
    let (from_ns, to_ns) = (axis.at_ns(0.0), axis.at_ns(width / columns_per_px));
    let now_ns = match whose {
        Whose::Task(task) => trace.until_ns(task),
        Whose::Worker(_) | Whose::Ended { .. } | Whose::Part(_) => trace.now_ns(),
    };
    let lane = whose.polls(trace);
    let mut walk = axis.walk();
    let mut x = |at_ns: u64| walk.x(at_ns as f64) * columns_per_px;
    let waits = matches!(whose, Whose::Task(_));
    let first = trace.first_ending_after(lane, from_ns.max(0.0) as u64);
    let mut polls = 0;
    // Until when a worker was busy: tasks that were scheduled meanwhile lie beneath what it polled.
    let mut busy_until_ns = 0;
    // What lies before the first poll to be seen is left by the poll before it.
    let mut idle_from =
        first.checked_sub(1).and_then(|before| trace.poll(*lane.get(before)?)).map(|before| {
            busy_until_ns = before.end_or(now_ns);
            (x(busy_until_ns), before.wait_after)
        });
    for &id in lane.range(first..) {
        let Some(poll) = trace.poll(id) else { continue };
        if poll.start_ns as f64 > to_ns {
            // Scheduled already, perhaps, and polled only beyond the edge.
            if let (true, Some((from, wait))) = (waits, idle_from.take()) {
                let woken = poll.wake.map_or(poll.start_ns, |wake| wake.at_ns);
                fill(columns, from, x(woken), |column| field(column, wait));
                fill(columns, x(woken), x(poll.start_ns), |column| &mut column.scheduled);
            }
            break;
        }
        polls += 1;
        let (start, end) = (x(poll.start_ns), x(poll.end_or(now_ns)));
        if waits {
            let woken = poll.wake.map_or(start, |wake| x(wake.at_ns.min(poll.start_ns)));
            if let Some((from, wait)) = idle_from {
                fill(columns, from, woken, |column| field(column, wait));
            }
            fill(columns, woken, start, |column| &mut column.scheduled);
        } else if let Some(wake) = poll.wake
            && wake.at_ns.max(busy_until_ns) < poll.start_ns
        {
            fill(columns, x(wake.at_ns.max(busy_until_ns)), start, |column| &mut column.scheduled);
        }
        busy_until_ns = poll.end_or(now_ns);
        fill(columns, start, end, |column| &mut column.running);
        idle_from = Some((end, poll.wait_after));
    }
    let state = match whose {
        Whose::Task(task) => trace.task(task).map(|task| task.state),
        Whose::Worker(_) | Whose::Ended { .. } | Whose::Part(_) => None,
    };
    match (state, idle_from) {
        (Some(TaskState::Scheduled { since_ns }), from) => {
            if let Some((from, wait)) = from {
                fill(columns, from, x(since_ns), |column| field(column, wait));
            }
            fill(columns, x(since_ns), x(now_ns), |column| &mut column.scheduled);
        }
        (Some(TaskState::Idle { .. }), Some((from, wait))) => {
            fill(columns, from, x(now_ns), |column| field(column, wait));
        }
        // Its last poll is no longer held; since when it waits is.
        (Some(TaskState::Idle { wait, since_ns }), None) if lane.is_empty() => {
            fill(columns, x(since_ns), x(now_ns), |column| field(column, wait));
        }
        _ => {}
    }
    polls
}

/// Where time spent in a wait counts.
fn field(column: &mut Column, wait: Wait) -> &mut f32 {
    match wait {
        Wait::Lock(_) => &mut column.lock,
        Wait::Message(_) | Wait::Room(_) => &mut column.message,
        Wait::Sleep => &mut column.sleep,
        Wait::Turn => &mut column.scheduled,
        Wait::Unknown | Wait::Bytes | Wait::Writable | Wait::Join(_) | Wait::Nothing => &mut column.idle,
    }
}

/// Adds the stretch from `from` to `to`, in columns, to one field of each column it touches.
fn fill(columns: &mut [Column], from: f64, to: f64, field: impl Fn(&mut Column) -> &mut f32) {
    let width = columns.len() as f64;
    let (from, to) = (from.clamp(0.0, width), to.clamp(0.0, width));
    if to < from || from >= width {
        return;
    }
    let (first, last) = (from as usize, (to as usize).min(columns.len() - 1));
    if first == last {
        // Even what takes no time at all was there.
        *field(&mut columns[first]) += ((to - from) as f32).max(1e-3);
        return;
    }
    *field(&mut columns[first]) += (first as f64 + 1.0 - from) as f32;
    for column in &mut columns[first + 1..last] {
        *field(column) = 1.0;
    }
    if to > last as f64 {
        *field(&mut columns[last]) += (to - last as f64) as f32;
    }
}

/// The three kinds of rows a lane is made of: its edge, its middle, and the line through it.
#[derive(Debug, Default)]
pub(crate) struct Rows {
    pub(crate) edge: Vec<u8>,
    pub(crate) middle: Vec<u8>,
    pub(crate) line: Vec<u8>,
}

impl Rows {
    /// Colours the columns, over `ground`: a row of as many pixels, with what lies beneath the bars. Done for each lane in each frame,
    /// so it mixes whole numbers, and neighbours that show the same are mixed once.
    pub(crate) fn paint(&mut self, columns: &[Column], colours: &Colours, ground: &[u8]) {
        for row in [&mut self.edge, &mut self.middle, &mut self.line] {
            row.resize(columns.len() * 4, 255);
        }
        let rows = self.edge.chunks_exact_mut(4).zip(self.middle.chunks_exact_mut(4));
        let rows = rows.zip(self.line.chunks_exact_mut(4));
        let mut last = (Column::default(), [0; 3], [[0; 3]; 3]);
        for ((column, pixel), ((edge, middle), line)) in columns.iter().zip(ground.chunks_exact(4)).zip(rows)
        {
            let ground = [pixel[0], pixel[1], pixel[2]];
            if last.0 != *column || last.1 != ground || last.2 == [[0; 3]; 3] {
                last = (*column, ground, pixels(column, colours, ground));
            }
            for (row, colour) in [edge, middle, line].into_iter().zip(last.2) {
                row[..3].copy_from_slice(&colour);
            }
        }
    }
}

/// What a column looks like over `ground`: at the bar's edge, in its middle, and on the line through it.
fn pixels(column: &Column, colours: &Colours, ground: Rgb) -> [Rgb; 3] {
    if *column == Column::default() {
        return [ground; 3];
    }
    let mut line = ground;
    let waits = [
        (column.idle, colours.idle),
        (column.sleep, colours.sleep),
        (column.message, colours.message),
        (column.lock, colours.lock),
    ];
    for (share, colour) in waits {
        line = over(line, colour, share);
    }
    line = over(line, colours.scheduled, column.scheduled);
    let middle = over(ground, colours.scheduled, column.scheduled);
    [ground, middle, line].map(|under| over(under, colours.running, column.running))
}

fn over(under: Rgb, colour: Rgb, share: f32) -> Rgb {
    if share <= 0.0 {
        return under;
    }
    let share = (share.clamp(LEAST_SHARE, 1.0) * 256.0) as u32;
    let channel = |index: usize| {
        ((u32::from(under[index]) * (256 - share) + u32::from(colour[index]) * share + 128) >> 8) as u8
    };
    [channel(0), channel(1), channel(2)]
}

#[cfg(test)]
mod tests {
    use interleave::scope::event::{Event, LabelId, PollOutcome, Stamped, TaskId, WakeBy, WorkerId};
    use interleave::scope::frame::{Chunk, Frame};

    use super::super::axis::Layout;
    use super::*;

    /// A task that is polled at 10..20, woken at 60, polled at 70..80; then it waits for its client until 100.
    fn trace() -> Trace {
        let (task, worker) = (TaskId(1), WorkerId(0));
        let pending = Event::PollEnd { outcome: PollOutcome::Pending };
        let events = [
            (5, Event::Spawn { task, label: LabelId(0), number: 1 }),
            (10, Event::PollStart { task, worker }),
            (15, Event::ReadWait),
            (20, pending),
            (60, Event::Wake { task, by: WakeBy::Driver }),
            (70, Event::PollStart { task, worker }),
            (75, Event::ReadWait),
            (80, pending),
        ];
        let events = events.map(|(at_ns, event)| Stamped { at_ns, event }).to_vec();
        let mut trace = Trace::new();
        trace.apply(&Frame::Events(Chunk { thread: 0, events }));
        trace.apply(&Frame::Drained { at_ns: 100 });
        trace
    }

    /// One letter for what each of ten columns mostly shows.
    fn check(whose: Whose, scale: f64, from_ns: f64, expected: &str) {
        let trace = trace();
        let layout =
            Layout { scale, folds: false, anchor_ns: from_ns, anchor_px: 0.0, width_px: 10.0, now_ns: 100.0 };
        let mut found = [Column::default(); 10];
        columns(&trace, whose, &Axis::lay(layout, trace.busy_periods()), 1.0, &mut found);
        let letter = |column: &Column| {
            let shares = [(column.running, 'R'), (column.scheduled, 's'), (column.idle, '-'), (0.01, '.')];
            shares.into_iter().max_by(|a, b| a.0.total_cmp(&b.0)).map_or('?', |(_, letter)| letter)
        };
        assert_eq!(found.iter().map(letter).collect::<String>(), expected, "at {scale} from {from_ns}");
    }

    #[test]
    fn a_task_runs_waits_and_is_scheduled() {
        check(Whose::Task(TaskId(1)), 10.0, 0.0, ".R----sR--");
        check(Whose::Task(TaskId(1)), 1.0, 65.0, "sssssRRRRR");
        check(Whose::Task(TaskId(1)), 10.0, 30.0, "---sR--...");
    }

    #[test]
    fn a_worker_runs_what_was_scheduled() {
        check(Whose::Worker(WorkerId(0)), 10.0, 0.0, ".R....sR..");
    }

    #[test]
    fn what_is_narrower_than_a_column_is_seen() {
        let trace = trace();
        let layout = Layout {
            scale: 10_000.0,
            folds: false,
            anchor_ns: 0.0,
            anchor_px: 0.0,
            width_px: 10.0,
            now_ns: 100.0,
        };
        let mut found = [Column::default(); 10];
        let axis = Axis::lay(layout, trace.busy_periods());
        assert_eq!(columns(&trace, Whose::Worker(WorkerId(0)), &axis, 1.0, &mut found), 2);
        assert!(found[0].running > 0.0);
        assert_eq!(found[1], Column::default());
    }
}
