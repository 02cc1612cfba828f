//! All that is seen of a run while it stands still, as text and numbers for the page.
//!
//! Owns the form. Where it comes from is said with it: from the events (observed), from the rules (inferred), or out of the
//! model. Looking changes nothing: no lock of the program's is taken, and no task is polled.

use serde::Serialize;

use super::Machine;
use super::seen::{Object, Seen, State};
use crate::engine::{Choice, Steal, WorkerState};
use crate::scenario::{ChannelProgress, End, Span, TaskProgress, Waits, panicked};
use crate::scope::event::{ObjectId, TaskId};
use crate::scope::frame::{ObjectKind, Origin};
use crate::sharing::MirroredKey;

/// Keys that are shown, the first in their order.
const KEYS_SHOWN: usize = 200;

/// Characters of a key, a variable or a message that are shown; of a key's value, as many as the mirror keeps.
const TEXT_SHOWN: usize = 80;

/// Ended tasks that are shown, the last first.
const ENDED_SHOWN: usize = 200;

/// What is seen. Tasks are given by their number in the trace, times in virtual nanoseconds.
#[expect(missing_docs, reason = "the names say it, and the page's own texts explain them")]
#[derive(Clone, Debug, Serialize)]
pub struct Look {
    pub step: u64,
    pub now_ns: u64,
    pub over: bool,
    pub flavor: &'static str,
    pub sharing: &'static str,
    /// How the polls came about: `observed` on a real runtime, or `modelled`.
    pub origin: &'static str,
    /// How the queues are known: `inferred` or `modelled`.
    pub queues_origin: &'static str,
    pub outcome: Option<LookOutcome>,
    /// Where the person is the scheduler.
    pub options: Vec<LookOption>,
    pub workers: Vec<LookWorker>,
    pub injection: Vec<u32>,
    /// Tasks that one worker took from another's queue, in order: the last of them.
    pub steals: Vec<LookSteal>,
    pub locks: Vec<LookLock>,
    pub channels: Vec<LookChannel>,
    pub timers: Vec<LookTimer>,
    pub keys: Vec<LookKey>,
    /// How many keys there are besides those shown.
    pub keys_more: usize,
    pub tasks: Vec<LookTask>,
}

/// What came of the run.
#[expect(missing_docs, reason = "the names say it")]
#[derive(Clone, Debug, Serialize)]
pub struct LookOutcome {
    pub good: bool,
    pub deadlock: bool,
    pub headline: String,
    pub text: String,
}

/// What may happen next.
#[expect(missing_docs, reason = "the names say it")]
#[derive(Clone, Debug, Serialize)]
pub struct LookOption {
    pub option: usize,
    /// `poll` or `wait`.
    pub kind: &'static str,
    pub task: Option<u32>,
    pub name: String,
    /// The statement that the task stands at, or what it waited for.
    pub does: String,
    pub until_ns: Option<u64>,
}

/// A worker and what it has.
#[expect(missing_docs, reason = "the names say it")]
#[derive(Clone, Debug, Serialize)]
pub struct LookWorker {
    pub state: &'static str,
    pub clock_ns: u64,
    pub running: Option<u32>,
    pub lifo_slot: Option<u32>,
    pub local: Vec<u32>,
    pub deferred: Vec<u32>,
}

/// A task that one worker took from another's local queue.
#[expect(missing_docs, reason = "the names say it")]
#[derive(Clone, Debug, Serialize)]
pub struct LookSteal {
    pub task: u32,
    pub name: String,
    pub from: usize,
    pub to: usize,
    pub at_ns: u64,
    /// Whether it still waits where it was taken to.
    pub waits: bool,
}

/// A lock, who holds it and who waits for it, in order.
#[expect(missing_docs, reason = "the names say it")]
#[derive(Clone, Debug, Serialize)]
pub struct LookLock {
    pub name: String,
    /// `std` or `tokio`.
    pub kind: &'static str,
    pub holder: Option<u32>,
    pub waiters: Vec<u32>,
}

/// A channel and what lies in it.
#[expect(missing_docs, reason = "the names say it")]
#[derive(Clone, Debug, Serialize)]
pub struct LookChannel {
    pub name: String,
    /// `mpsc` or `oneshot`.
    pub kind: &'static str,
    pub capacity: Option<usize>,
    pub messages: Vec<String>,
    pub receivers: Vec<u32>,
    pub senders: Vec<u32>,
}

/// A sleep that goes on.
#[expect(missing_docs, reason = "the names say it")]
#[derive(Clone, Debug, Serialize)]
pub struct LookTimer {
    pub at_ns: u64,
    pub task: Option<u32>,
}

/// A key of the store.
#[expect(missing_docs, reason = "the names say it")]
#[derive(Clone, Debug, Serialize)]
pub struct LookKey {
    pub key: String,
    /// The number of the database it is in.
    pub database: usize,
    #[serde(rename = "type")]
    pub value_type: &'static str,
    pub value: String,
    /// When it expires, in nanoseconds since the run began; none if it stays.
    pub expires_ns: Option<u64>,
    /// Whose store it is in, where every client has its own.
    pub owner: Option<String>,
}

/// A task.
#[expect(missing_docs, reason = "the names say it")]
#[derive(Clone, Debug, Serialize)]
pub struct LookTask {
    pub id: u32,
    pub name: String,
    /// Whether it is a task of the scenario's own, with a place in its text.
    pub script: bool,
    /// `running`, `scheduled`, `idle` or `ended`.
    pub state: &'static str,
    pub waits: String,
    /// Where it stands in the text, in UTF-16 units, as a browser counts.
    pub start: Option<usize>,
    pub end: Option<usize>,
    pub line: Option<usize>,
    pub variables: Vec<(String, String)>,
    /// How it ended.
    pub result: Option<String>,
}

pub(super) fn look(machine: &Machine) -> Look {
    let Machine { engine, run, seen, scenario, .. } = machine;
    let source = scenario.source();
    let progress = run.progress().tasks();
    let queues = engine.queues();
    let ids = |tasks: &[TaskId]| tasks.iter().map(|task| task.0).collect();
    let workers = queues.workers.iter().map(|worker| LookWorker {
        state: match worker.state {
            // Between two steps no worker polls: it is about to, or goes on looking for a task.
            WorkerState::Busy if worker.running.is_some() => "about to poll",
            WorkerState::Busy => "awake",
            WorkerState::Searching => "searching",
            WorkerState::Parked => "parked",
            WorkerState::ParkedOnDriver => "parked on driver",
        },
        clock_ns: worker.clock_ns,
        running: worker.running.map(|task| task.0),
        lifo_slot: worker.lifo_slot.map(|task| task.0),
        local: ids(&worker.local),
        deferred: ids(&worker.deferred),
    });
    let timers = engine.sleeping().into_iter();
    let (keys, keys_more) = keys(machine);
    Look {
        step: machine.steps(),
        now_ns: machine.now_ns(),
        over: machine.is_over(),
        flavor: machine.recipe.flavor.name(),
        sharing: machine.recipe.sharing.name(),
        origin: match engine.origin() {
            Origin::Observed => "observed",
            Origin::Modelled => "modelled",
        },
        queues_origin: if engine.queues_are_inferred() { "inferred" } else { "modelled" },
        outcome: machine.outcome().map(|outcome| LookOutcome {
            good: outcome.is_good(),
            deadlock: outcome.is_stuck(),
            headline: outcome.headline(source),
            text: outcome.describe(source),
        }),
        options: options(machine, &progress),
        workers: workers.collect(),
        injection: ids(&queues.injection),
        steals: queues.stolen.iter().map(|steal| look_at_steal(seen, steal)).collect(),
        locks: locks(seen),
        channels: channels(seen, &run.progress().channels()),
        timers: timers.map(|(at_ns, task)| LookTimer { at_ns, task: task.map(|task| task.0) }).collect(),
        keys,
        keys_more,
        tasks: tasks(seen, source, &progress, machine.is_over()),
    }
}

fn look_at_steal(seen: &Seen, steal: &Steal) -> LookSteal {
    let Steal { at_ns, task, from, to } = *steal;
    let waits = seen.task(task).is_some_and(|seen| !seen.was_polled_since(at_ns));
    LookSteal { task: task.0, name: seen.name(task), from, to, at_ns, waits }
}

fn options(machine: &Machine, progress: &[TaskProgress]) -> Vec<LookOption> {
    if machine.is_over() {
        // Of what the runtime still does, nothing is the scenario's.
        return Vec::new();
    }
    let source = machine.scenario.source();
    let seen = &machine.seen;
    let option = |(option, choice)| match choice {
        Choice::Poll(task) => {
            // `setup` and `finally` are one task's: what has ended says nothing of what comes.
            let own = |progress: &&TaskProgress| progress.traced == Some(task) && progress.end.is_none();
            let does = match (progress.iter().rev().find(own), seen.task(task)) {
                (Some(progress), _) if progress.waits == Some(Waits::Reply) => {
                    format!("has the reply to {}", first_line(progress.span.text(source)))
                }
                (Some(progress), _) => first_line(progress.span.text(source)).to_owned(),
                (None, Some(task)) if task.is_new() => "begins".to_owned(),
                (None, Some(task)) => ready(&seen.waits(task)),
                (None, None) => String::new(),
            };
            LookOption {
                option,
                kind: "poll",
                task: Some(task.0),
                name: seen.name(task),
                does,
                until_ns: None,
            }
        }
        Choice::Wait { until_ns } => LookOption {
            option,
            kind: "wait",
            task: None,
            name: "time goes on".to_owned(),
            does: "to the end of the next sleep".to_owned(),
            until_ns: Some(until_ns),
        },
    };
    machine.engine.options().into_iter().enumerate().map(option).collect()
}

/// What a task waited for that no longer does: it has it, and goes on when it is polled.
fn ready(waits: &str) -> String {
    match waits.strip_prefix("waits for ") {
        Some(what) => format!("has {what}"),
        None => waits.to_owned(),
    }
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default().trim_end_matches('{').trim_end()
}

fn locks(seen: &Seen) -> Vec<LookLock> {
    let lock = |object: &Object| {
        let kind = match object.kind {
            ObjectKind::Mutex => "std",
            ObjectKind::AsyncMutex => "tokio",
            ObjectKind::Mpsc | ObjectKind::Oneshot => return None,
        };
        object.touched.then(|| LookLock {
            name: object.name.clone(),
            kind,
            holder: object.holder.map(|task| task.0),
            waiters: object.waiters.iter().map(|task| task.0).collect(),
        })
    };
    seen.objects().filter_map(|(_, object)| lock(object)).collect()
}

fn channels(seen: &Seen, scripted: &[ChannelProgress]) -> Vec<LookChannel> {
    use super::seen::Wait;
    let channel = |(id, object): (ObjectId, &Object)| {
        let kind = match object.kind {
            ObjectKind::Mpsc => "mpsc",
            ObjectKind::Oneshot => "oneshot",
            ObjectKind::Mutex | ObjectKind::AsyncMutex => return None,
        };
        // The scenario's own are shown with what the messages say; of the server's, who sent them.
        let scripted = scripted.iter().find(|channel| kind == "mpsc" && *channel.name == *object.name);
        let from = |&(message, from): &(u32, Option<TaskId>)| match from {
            Some(task) => format!("{message} from {}", seen.name(task)),
            None => message.to_string(),
        };
        let waiting = |wait: Wait| {
            let waits = |(id, task): (TaskId, &super::seen::Task)| (task.waits == wait).then_some(id.0);
            seen.tasks().filter_map(waits).collect()
        };
        (object.touched || scripted.is_some()).then(|| LookChannel {
            name: object.name.clone(),
            kind,
            capacity: match scripted {
                Some(channel) => Some(channel.capacity),
                None => (kind == "mpsc").then_some(super::ACTOR_QUEUE),
            },
            messages: match scripted {
                Some(channel) => {
                    channel.messages.iter().map(|message| shortened(&message.to_string())).collect()
                }
                None => object.messages.iter().map(from).collect(),
            },
            receivers: waiting(Wait::Message(id)),
            senders: waiting(Wait::Room(id)),
        })
    };
    seen.objects().filter_map(channel).collect()
}

fn keys(machine: &Machine) -> (Vec<LookKey>, usize) {
    let Some(mirror) = machine.run.keys() else { return (Vec::new(), 0) };
    let started_ms = super::STARTED_UNIX_MS;
    let all = mirror.list();
    let more = all.len().saturating_sub(KEYS_SHOWN);
    let key = |MirroredKey { owner, database, key, entry }| LookKey {
        key: shortened(&String::from_utf8_lossy(&key)),
        database,
        value_type: entry.value_type.name(),
        value: entry.shown,
        expires_ns: entry.expires_ms.map(|at_ms| at_ms.saturating_sub(started_ms) * 1_000_000),
        owner: owner.map(|client| format!("client {client}")),
    };
    (all.into_iter().take(KEYS_SHOWN).map(key).collect(), more)
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(TEXT_SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

fn tasks(seen: &Seen, source: &str, progress: &[TaskProgress], machine_is_over: bool) -> Vec<LookTask> {
    let ended = seen.tasks().filter(|(_, task)| task.state == State::Ended).count();
    let mut passed_over = ended.saturating_sub(ENDED_SHOWN);
    let mut tasks = Vec::new();
    for (id, task) in seen.tasks() {
        if task.state == State::Ended && passed_over > 0 {
            passed_over -= 1;
            continue;
        }
        // `setup` and `finally` are one task; between them it waits, and stands nowhere.
        let over = task.state == State::Ended;
        let mut parts = progress.iter().rev().filter(|progress| progress.traced == Some(id));
        let script = parts.find(|progress| over || progress.end.is_none());
        let place = script.map(|progress| progress.span).filter(|span| *span != Span::default());
        tasks.push(LookTask {
            id: id.0,
            name: seen.name(id),
            script: progress.iter().any(|progress| progress.traced == Some(id)),
            state: match task.state {
                State::Running | State::RunningScheduled => "running",
                State::Scheduled => "scheduled",
                State::Idle => "idle",
                State::Ended => "ended",
            },
            waits: {
                let waits = match script.and_then(|progress| progress.waits.as_ref()) {
                    Some(waits) if task.state != State::Ended => waits.to_string(),
                    _ => seen.waits(task),
                };
                match (task.state, script) {
                    (State::Scheduled, None) if machine_is_over => {
                        "had no turn before the run was over".to_owned()
                    }
                    (State::Scheduled, Some(_)) => "ready".to_owned(),
                    (State::Scheduled, None) => ready(&waits),
                    _ => waits,
                }
            },
            start: place.map(|span| utf16(source, span.start)),
            end: place.map(|span| utf16(source, span.end)),
            line: place.map(|span| span.line_and_column(source).0),
            variables: script.map_or_else(Vec::new, |progress| {
                progress
                    .variables
                    .iter()
                    .map(|(name, value)| (name.to_string(), shortened(&value.to_string())))
                    .collect()
            }),
            result: script.and_then(|progress| progress.end.as_ref()).map(|end| match end {
                End::Completed => "completed".to_owned(),
                End::Error { message, .. } => message.clone(),
                End::Panicked { message, .. } => panicked(message),
                End::Stuck { .. } => "stuck".to_owned(),
                End::Unfinished { .. } | End::Stopped => "not at its end".to_owned(),
            }),
        });
    }
    tasks
}

/// How many UTF-16 units lie before byte `at`.
pub(super) fn utf16(source: &str, at: u32) -> usize {
    source[..source.floor_char_boundary(at as usize)].encode_utf16().count()
}
