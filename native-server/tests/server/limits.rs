//! What a client may not do for ever, or too much of.

use std::time::{Duration, Instant};

use crate::connection::{Connection, Received, Way};
use crate::support::{PATIENCE, start};

/// How long `connection` lives without sending anything more.
fn life(connection: &mut Connection) -> Duration {
    let began = Instant::now();
    assert_eq!(connection.receive(PATIENCE), Received::End);
    began.elapsed()
}

#[test]
fn half_a_request_is_not_waited_for_long() {
    let server = start(&["--unfinished-timeout-s=0.3"]);
    for way in Way::ALL {
        for half in ["*1\r\n$4\r\nPI", "*1\r\n", "PIN"] {
            let mut connection = Connection::open(&server, way);
            let mut idle = Connection::open(&server, way);
            connection.send(half.as_bytes());
            assert!(life(&mut connection) >= Duration::from_millis(250), "{way:?} {half:?}");
            idle.ask("PING\r\n", "+PONG\r\n");
        }
    }
}

#[test]
fn silence_is_not_waited_for_longer_than_the_flag_says() {
    let server = start(&["--idle-timeout-s=0.3"]);
    for way in Way::ALL {
        let mut connection = Connection::open(&server, way);
        connection.ask("PING\r\n", "+PONG\r\n");
        assert!(life(&mut connection) >= Duration::from_millis(250), "{way:?}");
    }
}

#[test]
fn one_client_too_many_is_told() {
    let server = start(&["--max-clients=2"]);
    let mut first = Connection::open(&server, Way::Tcp);
    let mut second = Connection::open(&server, Way::WebSocket);
    first.ask("PING\r\n", "+PONG\r\n");
    second.ask("PING\r\n", "+PONG\r\n");
    for way in Way::ALL {
        let mut third = Connection::open(&server, way);
        assert_eq!(third.receive_all(), "-ERR max number of clients reached\r\n", "{way:?}");
    }
    first.ask("QUIT\r\n", "+OK\r\n");
    // Read to its end, so its task is over, or about to be.
    assert_eq!(first.receive_all(), "");
    drop(first);
    let began = Instant::now();
    loop {
        let mut next = Connection::open(&server, Way::Tcp);
        next.send(b"PING\r\n");
        if next.receive_bytes(7) == b"+PONG\r\n" {
            break;
        }
        assert!(began.elapsed() < PATIENCE, "the place of one that left stays taken");
    }
}

#[test]
fn values_and_requests_have_limits() {
    let server = start(&["--max-bulk-bytes=1000", "--max-request-bytes=5000"]);
    for way in Way::ALL {
        let value = "v".repeat(1000);
        let mut connection = Connection::open(&server, way);
        connection.ask(&format!("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1000\r\n{value}\r\n"), "+OK\r\n");
        connection.send(b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1001\r\n");
        assert_eq!(connection.receive_all(), "-ERR Protocol error: invalid bulk length\r\n");

        let mut connection = Connection::open(&server, way);
        connection.send(format!("*9\r\n{}", format!("$1000\r\n{value}\r\n").repeat(9)).as_bytes());
        let answer = connection.receive_all();
        assert!(answer.starts_with("-ERR Protocol error: "), "{way:?}: {answer}");
    }
}

#[test]
fn a_client_that_does_not_read_is_not_read_from() {
    let server = start(&[]);
    let value = "v".repeat(100_000);
    for way in Way::ALL {
        let mut connection = Connection::open(&server, way);
        connection.ask(&format!("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$100000\r\n{value}\r\n"), "+OK\r\n");
        // 100 MB of replies: they are not made before the first are taken.
        for _ in 0..1000 {
            connection.send(b"GET k\r\n");
        }
        let mut other = Connection::open(&server, way);
        other.ask("PING\r\n", "+PONG\r\n");
        let reply = format!("$100000\r\n{value}\r\n").len();
        assert_eq!(connection.receive_bytes(1000 * reply).len(), 1000 * reply);
    }
}
