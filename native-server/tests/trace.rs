//! `/trace`: what watchers are told, what slow ones lose, and that nothing is recorded for nobody.
//!
//! A process has one recording, so these tests take turns.
#![cfg(feature = "scope")]

#[path = "support/mod.rs"]
mod support;

use std::collections::HashSet;
use std::net::TcpStream;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use interleave::scope::event::{Event, TaskId, WakeBy};
use interleave::scope::frame::{Definition, Frame, Origin};
use interleave::scope::{codec, hub};
use socket2::{Domain, Socket, Type};
use support::{PATIENCE, ask, connect, open, start, websocket};
use tungstenite::protocol::frame::coding::CloseCode;
use tungstenite::{Message, WebSocket};

static TURN: Mutex<()> = Mutex::new(());

fn my_turn() -> MutexGuard<'static, ()> {
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The frames of the next message.
fn read(watcher: &mut WebSocket<TcpStream>) -> Vec<Frame> {
    match watcher.read().unwrap() {
        Message::Binary(message) => codec::decode(&message).unwrap(),
        other => panic!("expected a batch of the trace, found {other:?}"),
    }
}

/// All frames up to one that `is_last`.
fn read_until(watcher: &mut WebSocket<TcpStream>, mut is_last: impl FnMut(&Frame) -> bool) -> Vec<Frame> {
    let began = Instant::now();
    let mut frames = Vec::new();
    loop {
        let from = frames.len();
        frames.extend(read(watcher));
        if frames[from..].iter().any(&mut is_last) {
            return frames;
        }
        assert!(began.elapsed() < PATIENCE, "waited for a frame that did not come");
    }
}

fn has(frame: &Frame, mut is_it: impl FnMut(&Event) -> bool) -> bool {
    matches!(frame, Frame::Events(chunk) if chunk.events.iter().any(|stamped| is_it(&stamped.event)))
}

fn labels(frames: &[Frame]) -> HashSet<String> {
    let definitions = frames.iter().flat_map(|frame| match frame {
        Frame::Define(definitions) => &definitions[..],
        _ => &[],
    });
    let labels = definitions.filter_map(|definition| match definition {
        Definition::Label { text, .. } => Some(text.clone()),
        _ => None,
    });
    labels.collect()
}

#[test]
fn a_watcher_learns_what_is_and_what_happens() {
    let _turn = my_turn();
    let server = start(&["--sharing=actor", "--flavor=current-thread"]);
    let client = connect(server.resp());
    ask(&client, "INCR hits\r\n", ":1\r\n");
    let mut watcher = websocket(&server, "/trace");

    let first = read(&mut watcher);
    let Frame::Hello(hello) = &first[0] else { panic!("expected a hello, found {:?}", first[0]) };
    let told =
        (hello.origin, &*hello.place, &*hello.flavor, hello.workers, &*hello.sharing, hello.virtual_time);
    assert_eq!(told, (Origin::Observed, "native server", "current-thread", 1, "actor", false));
    let names = labels(&first);
    for name in ["listener", "client", "active expiry"] {
        assert!(names.contains(name), "expected {name} among {names:?}");
    }
    let Frame::Alive(alive) = &first[2] else { panic!("expected tasks alive, found {:?}", first[2]) };
    // The listener, the store's owner, active expiry and the client.
    assert!(alive.len() >= 4, "{alive:?}");

    // The first wakes of a task that was idle when watching began go by unseen: their wakers are older.
    ask(&client, "INCR hits\r\n", ":2\r\n");
    read_until(&mut watcher, |frame| has(frame, |event| matches!(event, Event::Write { bytes: 4 })));
    ask(&client, "INCR hits\r\n", ":3\r\n");
    let frames =
        read_until(&mut watcher, |frame| has(frame, |event| matches!(event, Event::Write { bytes: 4 })));
    let seen = |is_it: fn(&Event) -> bool| frames.iter().any(|frame| has(frame, is_it));
    assert!(seen(|event| matches!(event, Event::Read { bytes: 11 })));
    assert!(seen(|event| matches!(event, Event::Wake { by: WakeBy::Driver, .. })));
    assert!(seen(|event| matches!(event, Event::Wake { by: WakeBy::Task(_), .. })));
    assert!(seen(|event| matches!(event, Event::Unpark { .. })));
    assert!(matches!(frames.last(), Some(Frame::Drained { at_ns }) if *at_ns > hello.now_ns));
}

#[test]
fn a_console_is_woken_by_the_observed_runtimes_own_driver() {
    let _turn = my_turn();
    for flavor in ["--flavor=current-thread", "--flavor=multi-thread"] {
        let server = start(&[flavor]);
        let mut watcher = websocket(&server, "/trace");
        // The hello says that recording is on.
        read(&mut watcher);
        let mut console = websocket(&server, "/redis");
        let (mut client, mut waits) = (None, false);
        read_until(&mut watcher, |frame| {
            has(frame, |event| {
                match event {
                    Event::Spawn { task, number: 1, .. } => client = Some(*task),
                    Event::ReadWait => waits = true,
                    _ => {}
                }
                client.is_some() && waits
            })
        });
        let client: TaskId = client.unwrap();
        console.send(Message::binary("PING\r\n")).unwrap();
        let frames =
            read_until(&mut watcher, |frame| has(frame, |event| matches!(event, Event::Write { .. })));
        let wakes: Vec<_> = frames
            .iter()
            .filter_map(|frame| match frame {
                Frame::Events(chunk) => Some(&chunk.events),
                _ => None,
            })
            .flatten()
            .filter_map(|stamped| match stamped.event {
                Event::Wake { task, by } if task == client => Some(by),
                _ => None,
            })
            .collect();
        assert_eq!(wakes, [WakeBy::Driver], "{flavor}");
        assert_eq!(console.read().unwrap(), Message::binary("+PONG\r\n"));
    }
}

#[test]
fn a_scenarios_clients_are_seen_beside_their_sessions() {
    let _turn = my_turn();
    let server = start(&[]);
    let mut watcher = websocket(&server, "/trace");
    // What another test of this process has named is told first.
    let mut names = labels(&read(&mut watcher));
    let mut asking = websocket(&server, "/scenario");
    let scenario = r#"{"scenario": "client buyer * 2 { INCR sold\nsleep 1ms }"}"#;
    asking.send(Message::text(scenario)).unwrap();
    let mut ended = HashSet::new();
    let mut spawned = Vec::new();
    let frames = read_until(&mut watcher, |frame| {
        has(frame, |event| {
            match event {
                Event::Spawn { task, .. } => spawned.push(*task),
                Event::End { task, .. } => _ = ended.insert(*task),
                _ => {}
            }
            // The scenario's own task, its connection, and two buyers with theirs; on a busy machine the server's own tasks,
            // which go on, may be spawned just now, too.
            spawned.iter().filter(|&task| ended.contains(task)).count() >= 6
        })
    });
    names.extend(labels(&frames));
    for name in ["scenario", "buyer", "client"] {
        assert!(names.contains(name), "expected {name} among {names:?}");
    }
    let seen = |is_it: fn(&Event) -> bool| frames.iter().any(|frame| has(frame, is_it));
    assert!(seen(|event| matches!(event, Event::Sleep { for_us: 1000 })), "a buyer sleeps");
    assert!(seen(|event| matches!(event, Event::CommandStart { .. })), "a session runs its command");
}

#[test]
fn several_watchers_see_the_same() {
    let _turn = my_turn();
    let server = start(&[]);
    let mut watchers = [websocket(&server, "/trace"), websocket(&server, "/trace")];
    watchers.iter_mut().for_each(|watcher| assert!(matches!(read(watcher)[0], Frame::Hello(_))));
    let client = connect(server.resp());
    ask(&client, "ECHO 12345\r\n", "$5\r\n12345\r\n");
    for watcher in &mut watchers {
        read_until(watcher, |frame| has(frame, |event| matches!(event, Event::Write { bytes: 11 })));
    }
}

#[test]
fn a_slow_watcher_is_told_what_it_lost() {
    let _turn = my_turn();
    let server = start(&["--trace-queue-bytes=20000"]);
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    socket.connect(&server.http().into()).unwrap();
    let stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut slow = open(&server, "/trace", None, stream).unwrap();

    let client = connect(server.resp());
    let requests = "PING\r\n".repeat(1000);
    let replies = "+PONG\r\n".repeat(1000);
    // A million events and more, about four bytes each: past what the sockets' own buffers hold.
    for _ in 0..600 {
        ask(&client, &requests, &replies);
    }

    let began = Instant::now();
    let told = loop {
        let frames = read(&mut slow);
        if matches!(frames[0], Frame::Lost { .. }) {
            break frames;
        }
        assert!(began.elapsed() < PATIENCE, "the slow watcher was not told that it lost anything");
    };
    assert!(matches!(told[0], Frame::Lost { events } if events > 1000), "{:?}", told[0]);
    assert!(labels(&told).contains("client"), "and starts anew from a snapshot");
    assert!(matches!(&told[2], Frame::Alive(tasks) if !tasks.is_empty()), "{:?}", told[2]);
    // More may have been lost since. Once it has read all that waits for it, it misses nothing.
    loop {
        ask(&client, "ECHO 12345\r\n", "$5\r\n12345\r\n");
        let frames: Vec<_> = (0..10).flat_map(|_| read(&mut slow)).collect();
        if frames.iter().any(|frame| has(frame, |event| matches!(event, Event::Write { bytes: 11 }))) {
            break;
        }
        assert!(began.elapsed() < PATIENCE, "after it was told, the slow watcher got nothing");
    }
}

#[test]
fn nothing_is_recorded_while_nobody_watches() {
    let _turn = my_turn();
    let server = start(&[]);
    let client = connect(server.resp());
    let events = || {
        let mut frames = Vec::new();
        hub::drain(&mut frames);
        frames.iter().filter(|frame| matches!(frame, Frame::Events(_))).count()
    };
    // An earlier test's watcher may have left something; taken once, it does not come again.
    events();
    ask(&client, "PING\r\n", "+PONG\r\n");
    assert_eq!(events(), 0, "before the first watcher");

    let mut watcher = websocket(&server, "/trace");
    read(&mut watcher);
    ask(&client, "PING\r\n", "+PONG\r\n");
    read_until(&mut watcher, |frame| has(frame, |event| matches!(event, Event::Write { bytes: 7 })));
    watcher.close(None).unwrap();
    while watcher.read().is_ok() {}

    // The thread notices with its next batch that the last watcher is gone.
    let began = Instant::now();
    loop {
        std::thread::sleep(Duration::from_millis(50));
        events();
        ask(&client, "PING\r\n", "+PONG\r\n");
        if events() == 0 {
            break;
        }
        assert!(began.elapsed() < PATIENCE, "still recording after the last watcher left");
    }
}

#[test]
fn so_many_may_watch() {
    let _turn = my_turn();
    let server = start(&[]);
    let mut watchers: Vec<_> = (0..16).map(|_| websocket(&server, "/trace")).collect();
    let refused = open(&server, "/trace", None, connect(server.http())).unwrap_err();
    assert_eq!(refused.status(), 503);
    let text = String::from_utf8(refused.body().clone().unwrap_or_default()).unwrap();
    assert!(text.contains("16 watchers are connected"), "{text}");

    drop(watchers.pop());
    let began = Instant::now();
    while let Err(refused) = open(&server, "/trace", None, connect(server.http())) {
        assert!(began.elapsed() < PATIENCE, "the place of one that left stays taken: {refused:?}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_watcher_is_told_that_the_server_stops() {
    let _turn = my_turn();
    let server = start(&[]);
    let mut watcher = websocket(&server, "/trace");
    read(&mut watcher);
    let began = Instant::now();
    assert_eq!(server.shutdown(), 0);
    assert!(began.elapsed() < Duration::from_secs(5), "a watcher held up the end for {:?}", began.elapsed());
    let close = loop {
        match watcher.read().unwrap() {
            Message::Close(close) => break close.unwrap(),
            Message::Binary(_) => {}
            other => panic!("expected a batch or the end, found {other:?}"),
        }
    };
    assert_eq!((close.code, &*close.reason), (CloseCode::Away, "the server stops"));
}
