//! Channels over real sockets: every conversation, and listeners that do not listen.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use interleave::resp::{encode_request, split_line};
use interleave::sharing::Kind;

use crate::connection::{Connection, Received, Way};
use crate::support::{PATIENCE, Running, start};

#[path = "../../../crate/tests/support/conversation.rs"]
mod conversation;

use conversation::{Act, Heard, shown};

/// What a client hears in this turn: all that is expected, or what came instead.
fn hear(connection: &mut Connection, expected: &Heard) -> String {
    let began = Instant::now();
    let (mut bytes, mut ended) = (Vec::new(), false);
    while !expected.is(&shown(&bytes, ended)) && !ended && began.elapsed() < PATIENCE {
        match connection.receive(Duration::from_millis(500)) {
            Received::Bytes(more) => bytes.extend(more),
            Received::End => ended = true,
            Received::Nothing => {}
        }
    }
    shown(&bytes, ended)
}

fn hold(server: &Running, way: Way, turns: &[conversation::Turn]) -> String {
    let mut clients: BTreeMap<char, Connection> = BTreeMap::new();
    let mut wrong = String::new();
    for turn in turns {
        match &turn.act {
            Act::Say(client, request) => {
                let mut bytes = BytesMut::new();
                encode_request(&split_line(request).expect("balanced quotes"), &mut bytes);
                let connection = clients.entry(*client).or_insert_with(|| Connection::open(server, way));
                connection.send(&bytes);
            }
            Act::Leave(client) => {
                drop(clients.remove(client));
                // Nobody says when its session has ended.
                std::thread::sleep(Duration::from_millis(50));
            }
            Act::Wait(ms) => std::thread::sleep(Duration::from_millis(*ms)),
        }
        for (client, expected) in &turn.heard {
            let Some(connection) = clients.get_mut(client) else { continue };
            let found = hear(connection, expected);
            if !expected.is(&found) {
                let _ = writeln!(wrong, "{}: {:?}\n{client} heard {found}", turn.line, turn.act);
            }
            if found.ends_with("<end>") {
                clients.remove(client);
            }
        }
    }
    for (client, connection) in &mut clients {
        if let Received::Bytes(more) = connection.receive(Duration::from_millis(5)) {
            let _ = writeln!(wrong, "in the end {client} heard {}", shown(&more, false));
        }
    }
    wrong
}

#[test]
fn conversations_over_sockets() {
    for (name, turns) in conversation::all() {
        for kind in [Kind::Sharded, Kind::Actor] {
            for way in Way::ALL {
                // A new server for each: a conversation starts with nothing.
                let server = start(&[&format!("--sharing={kind}")]);
                let wrong = hold(&server, way, &turns);
                assert!(wrong.is_empty(), "{name} under {kind} by {way:?}:\n{wrong}");
            }
        }
    }
}

/// The number that INFO gives for `field`.
fn info(connection: &mut Connection, field: &str) -> u64 {
    connection.send(b"INFO\r\n");
    let mut text = String::new();
    let start = format!("{field}:");
    loop {
        let line = text.lines().find_map(|line| line.strip_prefix(&start));
        if let Some(number) = line.filter(|_| text.contains("# Keyspace\r\n")) {
            return number.parse().unwrap();
        }
        match connection.receive(PATIENCE) {
            Received::Bytes(bytes) => text.push_str(&String::from_utf8_lossy(&bytes)),
            other => panic!("expected INFO, found {other:?} after {text}"),
        }
    }
}

#[test]
fn who_does_not_read_is_disconnected_and_nobody_waits() {
    for way in Way::ALL {
        let server = start(&["--pubsub-queue-bytes=2000000"]);
        let mut deaf = Connection::open(&server, way);
        deaf.ask("SUBSCRIBE c\r\n", "*3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n");
        let mut hears = Connection::open(&server, way);
        hears.ask("SUBSCRIBE c\r\n", "*3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n");
        let mut tells = Connection::open(&server, Way::Tcp);
        let payload = "x".repeat(100_000);
        let request = format!("*3\r\n$7\r\nPUBLISH\r\n$1\r\nc\r\n$100000\r\n{payload}\r\n");
        let message = format!("*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$100000\r\n{payload}\r\n");
        let began = Instant::now();
        let mut told = 0;
        // Sockets take some megabytes before anything waits.
        while info(&mut tells, "client_output_buffer_limit_disconnections") == 0 {
            assert!(told < 1000, "{way:?}: after 100 MB nobody is disconnected");
            tells.send(request.as_bytes());
            let listeners = tells.receive_bytes(4);
            assert_eq!(listeners, b":2\r\n", "{way:?}: {}", listeners.escape_ascii());
            assert_eq!(hears.receive_bytes(message.len()).len(), message.len());
            told += 1;
        }
        assert!(began.elapsed() < PATIENCE);
        // It is gone from the list as soon as its task has ended.
        loop {
            tells.send(b"PUBSUB NUMSUB c\r\n");
            let answer = tells.receive_bytes("*2\r\n$1\r\nc\r\n:1\r\n".len());
            if answer == b"*2\r\n$1\r\nc\r\n:1\r\n" {
                break;
            }
            assert!(began.elapsed() < PATIENCE, "{way:?}: it still listens: {}", answer.escape_ascii());
        }
        tells.send(b"PUBLISH c x\r\n");
        assert_eq!(tells.receive_bytes(4), b":1\r\n");
        assert_eq!(hears.receive_bytes(4), b"*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$1\r\nx\r\n");
    }
}

#[test]
fn many_small_messages_may_wait_no_longer_than_the_flag_says() {
    let server = start(&["--pubsub-queue=1000", "--flavor=current-thread"]);
    let mut deaf = Connection::open(&server, Way::Tcp);
    deaf.ask("SUBSCRIBE c\r\n", "*3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n");
    let mut tells = Connection::open(&server, Way::Tcp);
    // On one thread nobody reads while a batch runs, and no batch is longer than 1,024 requests.
    tells.send("PUBLISH c x\r\n".repeat(1024).as_bytes());
    assert_eq!(tells.receive_bytes(4 * 1024).len(), 4 * 1024);
    assert_eq!(info(&mut tells, "client_output_buffer_limit_disconnections"), 1);
    while deaf.receive(PATIENCE) != Received::End {}
}
