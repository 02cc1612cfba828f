//! Recordings of real sessions on the real engine, and what the index says of them.

use std::sync::Arc;
use std::time::Duration;

use insta::assert_snapshot;
use proptest::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
use tokio::sync::watch;

use super::*;
use crate::command::{Config, Peer, Server};
use crate::engine::{CurrentThread, Step};
use crate::scope::event::WakeBy;
use crate::scope::frame::{Chunk, Origin};
use crate::session::Service;
use crate::sharing::{Kind, Options, Sharing};

fn hello() -> Frame {
    Frame::Hello(Hello {
        origin: Origin::Observed,
        place: "a test".into(),
        flavor: "current-thread".into(),
        workers: 1,
        sharing: String::new(),
        virtual_time: true,
        now_ns: 0,
    })
}

/// A recording of a server shared by `kind`, to which `clients` clients each send `requests` at once.
fn recorded(kind: Kind, options: Options, clients: u32, requests: &'static [u8]) -> Trace {
    let mut engine = CurrentThread::new(0);
    let mut frames = vec![hello()];
    frames.extend(engine.snapshot());
    let rt = engine.rt();
    let (_stop, stop) = watch::channel(false);
    engine.enter(|| {
        let door = rt.clone();
        rt.spawn("listener", 0, async move {
            let server = Arc::new(Server::new(Config::default(), 0, 0));
            let sharing = Sharing::new(kind, options, &door, &server);
            let rt = door.clone();
            let unfinished_timeout = Duration::from_secs(1);
            let service = Service { sharing, server, rt, unfinished_timeout, idle_timeout: None, stop };
            for number in 1..=clients {
                let (mut near, far) = duplex(4096);
                service.spawn(far, Peer::default());
                let rt = door.clone();
                door.spawn("visitor", number, async move {
                    rt.sleep(Duration::from_millis(1)).await;
                    near.write_all(requests).await.unwrap();
                    let _ = near.read(&mut [0; 4096]).await;
                    rt.sleep(Duration::from_secs(1)).await;
                });
            }
            std::future::pending::<()>().await;
        })
    });
    while engine.now_ns() < 500_000_000 {
        match engine.step() {
            Step::Idle { next_deadline_ns: Some(at_ns) } => engine.advance_to(at_ns.min(500_000_000)),
            Step::Idle { next_deadline_ns: None } => break,
            Step::Polled => {}
        }
    }
    engine.take_frames(&mut frames);
    let mut trace = Trace::new();
    frames.iter().for_each(|frame| trace.apply(frame));
    trace
}

/// The way of the last command of `client`, a line a stretch.
fn way(trace: &Trace, client: u32) -> String {
    let id = trace.commands_of(client, None).last().expect("the client's command was recorded");
    let path = trace.path(id).unwrap();
    let name = |stage: Stage| match stage {
        Stage::LockWaited(lock) => format!("lock waited: {}", trace.object_name(lock)),
        Stage::LockHeld(lock) => format!("lock held: {}", trace.object_name(lock)),
        Stage::LockSlept(lock) => format!("lock slept on: {}", trace.object_name(lock)),
        Stage::Refused => "refused".to_owned(),
        Stage::RequestQueued(channel) => format!("request queued: {}", trace.object_name(channel)),
        Stage::OwnerRan(task) => format!("owner ran: {}", trace.task_name(task)),
        Stage::Awaited(channel) => format!("awaited: {}", trace.object_name(channel)),
        Stage::ReplyQueued(channel) => format!("reply queued: {}", trace.object_name(channel)),
        other => format!("{other:?}").to_ascii_lowercase(),
    };
    let segment = |segment: &Segment| {
        let us = (segment.to_ns - segment.from_ns) / 1_000;
        format!("{} {us} us {:?}\n", name(segment.stage), segment.evidence)
    };
    let segments: String = path.segments.iter().map(segment).collect();
    format!("woken by {:?}, behind {}\n{segments}missing {:?}", path.woken_by, path.behind, path.missing)
}

#[test]
fn the_way_through_a_mutex() {
    let trace = recorded(Kind::Mutex, Options::default(), 1, b"INCR k\r\n");
    assert_snapshot!(way(&trace, 1), @"
    woken by Some(Task(TaskId(3))), behind 0
    scheduled 2 us Observed
    read 1 us Observed
    parsed 1 us Inferred
    lock held: store 1 us Observed
    written 2 us Observed
    missing []
    ");
}

#[test]
fn the_way_through_a_shard_behind_others_of_the_batch() {
    let trace = recorded(Kind::Sharded, Options::default(), 1, b"INCR k\r\nINCR l\r\nINCR m\r\n");
    assert_snapshot!(way(&trace, 1), @"
    woken by Some(Task(TaskId(3))), behind 2
    scheduled 2 us Observed
    read 1 us Observed
    parsed 9 us Inferred
    lock held: shard 37 1 us Observed
    written 2 us Observed
    missing []
    ");
}

#[test]
fn the_way_through_one_lock_for_the_batch() {
    let trace = recorded(Kind::Mutex, Options::default(), 1, b"INCR k\r\nINCR l\r\n");
    assert_snapshot!(way(&trace, 1), @"
    woken by Some(Task(TaskId(3))), behind 1
    scheduled 2 us Observed
    read 1 us Observed
    parsed 4 us Inferred
    lock held: store 1 us Observed
    written 2 us Observed
    missing []
    ");
}

#[test]
fn the_way_through_a_lock_that_another_holds() {
    let options = Options { hold: Duration::from_millis(5), ..Options::default() };
    let trace = recorded(Kind::AsyncMutex, options, 2, b"INCR k\r\n");
    assert_snapshot!(way(&trace, 2), @"
    woken by Some(Task(TaskId(5))), behind 0
    scheduled 2 us Observed
    read 1 us Observed
    parsed 1 us Inferred
    lock waited: store 5002 us Observed
    lock held: store 1 us Observed
    lock slept on: store 5002 us Observed
    written 2 us Observed
    missing []
    ");
}

#[test]
fn the_way_of_a_request_that_no_command_takes() {
    for request in [&b"NONSENSE k\r\n"[..], b"GET\r\n"] {
        let trace = recorded(Kind::Mutex, Options::default(), 1, request);
        let way = way(&trace, 1);
        let stages: Vec<_> = way
            .lines()
            .filter(|line| line.contains(" us "))
            .filter_map(|line| line.split(' ').next())
            .collect();
        assert_eq!(stages, ["scheduled", "read", "parsed", "refused", "written"], "{way}");
    }
}

#[test]
fn the_way_to_the_owner_and_back() {
    let trace = recorded(Kind::Actor, Options::default(), 1, b"INCR k\r\n");
    assert_snapshot!(way(&trace, 1), @"
    woken by Some(Task(TaskId(4))), behind 0
    scheduled 2 us Observed
    read 1 us Observed
    parsed 1 us Inferred
    request queued: requests 5 us Observed
    owner ran: store owner 1 us Observed
    reply queued: reply 5 us Observed
    written 2 us Observed
    missing []
    ");
}

#[test]
fn a_command_that_waits_is_seen_to_wait() {
    for kind in Kind::ALL {
        let trace = recorded(kind, Options::default(), 1, b"BLPOP k 0.1\r\n");
        let way = way(&trace, 1);
        let waited: Vec<_> = way.lines().filter(|line| line.starts_with("awaited")).collect();
        assert!(matches!(*waited, [line] if line.contains(" 1000")), "{kind}: {way}");
        assert!(way.contains("written"), "{kind}: {way}");
    }
}

#[test]
fn a_command_of_the_connection_reaches_no_store() {
    let trace = recorded(Kind::Mutex, Options::default(), 1, b"PING\r\n");
    assert_snapshot!(way(&trace, 1), @"
    woken by Some(Task(TaskId(3))), behind 0
    scheduled 2 us Observed
    read 1 us Observed
    parsed 1 us Inferred
    ran 1 us Observed
    written 2 us Observed
    missing []
    ");
}

#[test]
fn tasks_have_names_states_and_parents() {
    let trace = recorded(Kind::Actor, Options::default(), 2, b"CLIENT SETNAME me\r\nGET k\r\n");
    let line = |task: &Task| {
        let parent = task.parent.map_or("nobody".to_owned(), |parent| trace.task_name(parent));
        let state = match task.state {
            TaskState::Idle { wait: Wait::Message(channel), .. } => {
                format!("waits for {}", trace.object_name(channel))
            }
            TaskState::Idle { wait, .. } => format!("waits for {wait:?}"),
            other => format!("{other:?}"),
        };
        format!(
            "{} of {parent}: {state}, {} polls, {} wakes\n",
            trace.task_name(task.id),
            task.polls,
            task.wakes
        )
    };
    let lines: String = trace.tasks().map(line).collect();
    assert_snapshot!(lines, @"
    listener of nobody: waits for Unknown, 1 polls, 0 wakes
    store owner of listener: waits for requests, 3 polls, 2 wakes
    client 1 (me) of listener: waits for Bytes, 3 polls, 2 wakes
    visitor 1 of listener: waits for Sleep, 3 polls, 2 wakes
    client 2 (me) of listener: waits for Bytes, 3 polls, 2 wakes
    visitor 2 of listener: waits for Sleep, 3 polls, 2 wakes
    ");
}

#[test]
fn concurrency_counts_the_living_and_parallelism_the_polled() {
    let trace = recorded(Kind::Mutex, Options::default(), 3, b"PING\r\n");
    assert_eq!(trace.concurrency(), Concurrency { alive: 7, busy: 0 });
    let parallelism = trace.parallelism_over(0..500_000_000);
    assert_eq!(parallelism.max, 1);
    assert!(parallelism.average > 0.0 && parallelism.average < 0.01, "{parallelism:?}");
}

fn events(thread: u16, events: &[(u64, Event)]) -> Frame {
    let events = events.iter().map(|&(at_ns, event)| Stamped { at_ns, event }).collect();
    Frame::Events(Chunk { thread, events })
}

fn start(task: u32, worker: u16) -> Event {
    Event::PollStart { task: TaskId(task), worker: WorkerId(worker) }
}

const PENDING: Event = Event::PollEnd { outcome: PollOutcome::Pending };

fn applied(frames: &[Frame]) -> Trace {
    let mut trace = Trace::new();
    trace.apply(&hello());
    frames.iter().for_each(|frame| trace.apply(frame));
    trace
}

#[test]
fn two_workers_poll_at_the_same_instant() {
    let trace = applied(&[
        events(0, &[(10, start(1, 0)), (30, PENDING)]),
        events(1, &[(20, start(2, 1)), (40, PENDING)]),
        Frame::Drained { at_ns: 50 },
    ]);
    assert_eq!(trace.parallelism_over(0..50), Parallelism { max: 2, average: 0.8 });
    assert_eq!(trace.polls_of_worker(WorkerId(1)).len(), 1);
}

#[test]
fn what_is_held_no_more_is_not_known() {
    let polls = |from_ns: u64, count: usize| {
        let poll = |at_ns| [(at_ns, start(1, 0)), (at_ns + 1, PENDING)];
        events(0, &(0..count as u64).flat_map(|number| poll(from_ns + 10 * number)).collect::<Vec<_>>())
    };
    // Who comes late knows nothing of what was before.
    let mut trace = applied(&[polls(500, 1), Frame::Drained { at_ns: 600 }]);
    assert_eq!((trace.known_from_ns(), trace.counts().evicted), (500, 0));
    trace.apply(&polls(1_000, poll::POLLS_MAX + 1));
    trace.apply(&Frame::Drained { at_ns: 1_000_000_000 });
    assert_eq!((trace.known_from_ns(), trace.counts().evicted), (1_010, 2));
}

#[test]
fn a_gap_cuts_the_poll_and_is_counted() {
    let trace = applied(&[
        events(0, &[(10, start(1, 0)), (20, Event::Gap { lost: 7 }), (30, start(1, 0)), (40, PENDING)]),
        Frame::Lost { events: 5 },
        Frame::Drained { at_ns: 50 },
    ]);
    assert_eq!(trace.counts(), Counts { events_held: 4, polls_held: 2, dropped: 12, evicted: 0 });
    let polls: Vec<_> = trace.polls_of_task(TaskId(1)).iter().filter_map(|&id| trace.poll(id)).collect();
    assert_eq!((polls[0].outcome, polls[1].outcome), (None, Some(PollOutcome::Pending)));
    assert_eq!(trace.gaps().count(), 2);
}

#[test]
fn a_snapshot_after_a_loss_ends_those_who_are_gone() {
    let trace = applied(&[
        events(0, &[(10, start(1, 0)), (20, PENDING)]),
        Frame::Drained { at_ns: 30 },
        Frame::Alive(vec![]),
    ]);
    assert_eq!(trace.concurrency().alive, 0);
}

#[test]
fn a_task_woken_while_it_runs_is_scheduled_again() {
    let wake = Event::Wake { task: TaskId(1), by: WakeBy::Driver };
    let trace =
        applied(&[events(0, &[(10, start(1, 0)), (15, wake), (20, PENDING)]), Frame::Drained { at_ns: 30 }]);
    assert_eq!(trace.task(TaskId(1)).unwrap().state, TaskState::Scheduled { since_ns: 20 });
}

proptest! {
    #[test]
    fn nonsense_is_survived(
        steps in prop::collection::vec((0u16..3, 0u64..50, 0u32..4, 0u8..14), 0..200),
        drains in prop::collection::vec(0u64..3_000, 0..10),
    ) {
        let mut trace = applied(&[]);
        let mut at_ns = 0;
        for (thread, step, number, kind) in steps {
            at_ns += step;
            let (task, id) = (TaskId(number), ObjectId(number));
            let event = match kind {
                0 => start(number, thread),
                1 => PENDING,
                2 => Event::Spawn { task, label: LabelId(number), number },
                3 => Event::End { task, how: EndKind::Completed },
                4 => Event::Wake { task, by: WakeBy::Task(TaskId(1)) },
                5 => Event::CommandStart { client: number, command: LabelId(0) },
                6 => Event::CommandEnd { failed: true },
                7 => Event::Send { channel: id, message: number },
                8 => Event::Receive { channel: id, message: number },
                9 => Event::LockAcquired { lock: id },
                10 => Event::LockReleased { lock: id },
                11 => Event::Gap { lost: 1 },
                12 => Event::Read { bytes: 1 },
                _ => Event::Write { bytes: 1 },
            };
            trace.apply(&events(thread, &[(at_ns, event)]));
            trace.apply(&Frame::Drained { at_ns: at_ns.saturating_sub(30) });
        }
        drains.into_iter().for_each(|at_ns| trace.apply(&Frame::Drained { at_ns }));
        for client in 0..4 {
            let commands: Vec<_> = trace.commands_of(client, None).collect();
            for id in commands {
                prop_assert!(trace.path(id).is_some());
            }
        }
        prop_assert!(trace.concurrency().busy <= trace.concurrency().alive);
    }
}
