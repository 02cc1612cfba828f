//! What a watcher of a native runtime is told: whole polls, true causes, every loss counted.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::BytesMut;
use interleave::command::{Config, Peer, Server};
use interleave::resp::encode_request;
use interleave::rt::{Rt, channel};
use interleave::scope::event::{EndKind, Event, Stamped, TaskId, WakeBy};
use interleave::scope::frame::{Definition, Frame};
use interleave::scope::hub;
use interleave::session::Service;
use interleave::sharing::{Kind, Options, Sharing};
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

/// Recording is the process's; the tests take turns.
fn alone() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

fn runtime(workers: usize) -> tokio::runtime::Runtime {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    hub::watch_workers(builder.worker_threads(workers).enable_time()).build().unwrap()
}

/// Runs `program` on `workers` workers while watched; what each thread recorded, and the names.
fn watched<F>(workers: usize, program: impl FnOnce(Rt) -> F) -> (Vec<Vec<Stamped>>, Vec<Definition>)
where
    F: Future<Output = ()> + Send + 'static,
{
    let _watch = hub::watch();
    let mut frames = hub::snapshot().to_vec();
    let runtime = runtime(workers);
    let rt = Rt::native();
    let main = program(rt.clone());
    runtime.block_on(async { rt.spawn("main", 0, main).await }).unwrap();
    drop(runtime);
    hub::drain(&mut frames);
    let (mut threads, mut definitions) = (Vec::new(), Vec::new());
    for frame in frames {
        match frame {
            Frame::Events(chunk) => threads.push(chunk.events),
            Frame::Define(defined) => definitions.extend(defined),
            _ => {}
        }
    }
    (threads, definitions)
}

#[test]
fn polls_are_whole_and_times_never_go_back() {
    let _alone = alone();
    let (threads, _) = watched(2, |rt| async move {
        let tasks: Vec<_> = (0..50)
            .map(|number| {
                let inner = rt.clone();
                rt.spawn("task", number, async move {
                    for _ in 0..20 {
                        inner.yield_now().await;
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
    });
    let mut polls = HashMap::<TaskId, u32>::new();
    for events in &threads {
        assert!(events.is_sorted_by_key(|stamped| stamped.at_ns), "a thread's times went back");
        let mut polled = None;
        for stamped in events {
            match stamped.event {
                Event::PollStart { task, .. } => assert_eq!(polled.replace(task), None, "polls nested"),
                Event::PollEnd { .. } => {
                    *polls.entry(polled.take().expect("an end without a start")).or_default() += 1;
                }
                _ => {}
            }
        }
    }
    assert_eq!(polls.values().filter(|&&count| count == 21).count(), 50, "{polls:?}");
}

#[test]
fn a_message_wakes_its_receiver_and_a_timer_its_sleeper() {
    let _alone = alone();
    let (threads, definitions) = watched(1, |rt| async move {
        let (sender, mut receiver) = channel("mail", 4);
        let reader = rt.spawn("reader", 0, async move { while receiver.receive().await.is_some() {} });
        rt.yield_now().await;
        rt.sleep(Duration::from_millis(2)).await;
        sender.send(1).await.unwrap();
        drop(sender);
        reader.await.unwrap();
    });
    let events: Vec<Event> = threads.iter().flatten().map(|stamped| stamped.event).collect();
    let named = |name: &str| {
        let label = definitions.iter().find_map(|definition| match definition {
            Definition::Label { id, text, .. } if text == name => Some(*id),
            _ => None,
        });
        let spawn = events.iter().find_map(|event| match event {
            Event::Spawn { task, label: found, .. } if Some(*found) == label => Some(*task),
            _ => None,
        });
        spawn.unwrap_or_else(|| panic!("no task called {name}"))
    };
    let (main, reader) = (named("main"), named("reader"));
    assert!(events.contains(&Event::Wake { task: main, by: WakeBy::Task(main) }), "yield_now is a self-wake");
    assert!(events.contains(&Event::Wake { task: main, by: WakeBy::Driver }), "a timer is the driver's wake");
    assert!(events.contains(&Event::Wake { task: reader, by: WakeBy::Task(main) }), "the sender wakes");
    assert!(
        events.contains(&Event::Wake { task: main, by: WakeBy::Finished(reader) }),
        "the joined task's end wakes"
    );
    assert!(events.contains(&Event::End { task: main, how: EndKind::Completed }));
    assert!(events.iter().any(|event| matches!(event, Event::Park { .. })));
}

#[test]
fn a_task_that_slept_when_watching_began_is_seen_woken() {
    let _alone = alone();
    let runtime = runtime(1);
    let rt = Rt::native();
    let (sender, mut receiver) = channel("mail", 4);
    let (sleeps, asleep) = std::sync::mpsc::channel();
    let inside = runtime.enter();
    let reader = rt.spawn("listener", 0, async move {
        let mut receive = std::pin::pin!(receiver.receive());
        std::future::poll_fn(|cx| {
            let poll = receive.as_mut().poll(cx);
            let _ = sleeps.send(());
            poll
        })
        .await
    });
    drop(inside);
    asleep.recv().unwrap();
    let _watch = hub::watch();
    let [_, alive] = hub::snapshot();
    let Frame::Alive(tasks) = alive else { panic!("the second frame of a snapshot is the tasks: {alive:?}") };
    let task = tasks.iter().map(|task| task.task).max().unwrap();
    runtime.block_on(async {
        sender.send(1).await.unwrap();
        reader.await.unwrap();
    });
    let mut frames = Vec::new();
    hub::drain(&mut frames);
    let events = frames.iter().filter_map(|frame| match frame {
        Frame::Events(chunk) => Some(&chunk.events),
        _ => None,
    });
    let wakes = events.flatten().filter(|stamped| stamped.event == Event::Wake { task, by: WakeBy::Outside });
    assert_eq!(wakes.count(), 1, "{frames:?}");
}

/// What a batch of `requests` does under `sharded`: `(` a lock is acquired, `)` released, and `.` a command has its reply.
fn locks_of(requests: &[&str]) -> String {
    let mut batch = BytesMut::new();
    for request in requests {
        encode_request(&request.split(' ').collect::<Vec<_>>(), &mut batch);
    }
    let (threads, _) = watched(1, |rt| async move {
        let server = Arc::new(Server::new(Config::default(), rt.unix_ms(), 7));
        let (_stop, stop) = tokio::sync::watch::channel(false);
        let service = Service {
            sharing: Sharing::new(Kind::Sharded, Options::default(), &rt, &server),
            server,
            rt,
            unfinished_timeout: Duration::from_secs(10),
            idle_timeout: None,
            stop,
        };
        let (mut near, far) = duplex(1 << 12);
        let session = service.spawn(far, Peer::default());
        near.write_all(&batch).await.unwrap();
        near.shutdown().await.unwrap();
        near.read_to_end(&mut Vec::new()).await.unwrap();
        session.await.unwrap();
    });
    let letters = threads.iter().flatten().filter_map(|stamped| match stamped.event {
        Event::LockAcquired { .. } => Some('('),
        Event::LockReleased { .. } => Some(')'),
        Event::CommandEnd { .. } => Some('.'),
        _ => None,
    });
    letters.collect()
}

#[test]
fn requests_for_one_key_share_its_lock_and_others_do_not() {
    let _alone = alone();
    assert_eq!(locks_of(&["LPUSH l a", "LPUSH l b", "LLEN l"]), "(..).");
    assert_eq!(locks_of(&["LPUSH l a", "LPUSH m b", "LPUSH l c"]), "().().().");
    // What may take long has the lock for itself.
    assert_eq!(locks_of(&["LPUSH l a", "LRANGE l 0 -1", "LPUSH l b"]), "().(.).");
    // And after sixteen it is let go, for others are fetched then.
    assert_eq!(locks_of(&["INCR n"; 18]), format!("({}).(.).", ".".repeat(15)));
}

#[test]
fn a_panic_and_a_cancellation_end_a_task() {
    let _alone = alone();
    let (threads, _) = watched(1, |rt| async move {
        let panics = rt.spawn("panics", 0, async { panic!("on purpose") });
        assert!(panics.await.is_err());
        let waits = rt.spawn("waits", 0, std::future::pending::<()>());
        rt.yield_now().await;
        waits.abort();
        assert!(waits.await.is_err());
    });
    let ends = threads.iter().flatten().filter_map(|stamped| match stamped.event {
        Event::End { how, .. } => Some(how),
        _ => None,
    });
    assert_eq!(ends.collect::<Vec<_>>(), [EndKind::Panicked, EndKind::Cancelled, EndKind::Completed]);
}

#[test]
fn what_does_not_fit_is_counted() {
    let _alone = alone();
    const YIELDS: u64 = 60_000;
    // Each yield is three events: more than a ring holds, and nobody drains meanwhile.
    let _watch = hub::watch();
    let runtime = runtime(1);
    let rt = Rt::native();
    let yielding = |times: u64| {
        let inner = rt.clone();
        let task = rt.spawn("yields", 0, async move {
            for _ in 0..times {
                inner.yield_now().await;
            }
        });
        async move { task.await.unwrap() }
    };
    let mut frames = Vec::new();
    runtime.block_on(async { yielding(YIELDS).await });
    hub::drain(&mut frames);
    runtime.block_on(async { yielding(1).await });
    hub::drain(&mut frames);
    let events: Vec<Event> = frames
        .iter()
        .filter_map(|frame| match frame {
            Frame::Events(chunk) => Some(&chunk.events),
            _ => None,
        })
        .flatten()
        .map(|stamped| stamped.event)
        .collect();
    let lost: u64 =
        events.iter().map(|event| if let Event::Gap { lost } = event { u64::from(*lost) } else { 0 }).sum();
    let kept = events
        .iter()
        .filter(|event| !matches!(event, Event::Gap { .. } | Event::Park { .. } | Event::Unpark { .. }));
    assert!(lost > YIELDS, "only {lost} events were counted as lost");
    // Spawn, end, and for every poll its start, end and wake.
    let made = 2 * (3 * YIELDS + 3) - (3 * YIELDS + 3) + 3 * 2 + 2;
    let seen = kept.count() as u64 + lost;
    assert!(seen.abs_diff(made) < 20, "made {made} events, told of {seen}");
}

#[test]
fn nothing_is_recorded_while_nobody_watches() {
    let _alone = alone();
    // What the tests before it have left.
    hub::drain(&mut Vec::new());
    let runtime = runtime(1);
    let rt = Rt::native();
    runtime.block_on(async { rt.spawn("unseen", 0, async {}).await }).unwrap();
    let mut frames = Vec::new();
    hub::drain(&mut frames);
    assert!(frames.iter().all(|frame| matches!(frame, Frame::Drained { .. })), "{frames:?}");
}

#[test]
fn a_watcher_who_comes_later_is_told_who_is_alive() {
    let _alone = alone();
    let runtime = runtime(1);
    let rt = Rt::native();
    let inside = runtime.enter();
    let task = rt.spawn("early", 7, std::future::pending::<()>());
    drop(inside);
    let _watch = hub::watch();
    let [_, alive] = hub::snapshot();
    let Frame::Alive(tasks) = alive else { panic!("the second frame of a snapshot is the tasks: {alive:?}") };
    assert_eq!(tasks.iter().filter(|task| task.number == 7).count(), 1);
    task.abort();
}
