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
#[cfg(unix)]
fn no_more_clients_are_promised_than_the_system_permits() {
    let server = start(&[]);
    let ask = |clients: &str| {
        let mut connection = Connection::open(&server, Way::Tcp);
        connection.send(format!("CONFIG SET maxclients {clients}\r\nQUIT\r\n").as_bytes());
        connection.receive_all()
    };
    // No system opens four thousand million files.
    let refused = ask("4294967295");
    let text = "-ERR CONFIG SET failed (possibly related to argument 'maxclients') - The operating system is not able to \
                handle the specified number of clients, try with ";
    let possible = refused.strip_prefix(text).and_then(|rest| rest.strip_suffix("\r\n+OK\r\n"));
    let possible = possible.unwrap_or_else(|| panic!("expected a refusal, found {refused:?}"));
    assert_eq!(ask(possible), "+OK\r\n+OK\r\n");
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

/// Sends `request` on a connection of its own by `way`, expects `answer`, and the end if it is a violation's.
#[track_caller]
fn check(server: &interleave_server::Server, way: Way, request: &[u8], answer: &str) {
    let mut connection = Connection::open(server, way);
    connection.send(request);
    let found = if answer.starts_with("-ERR Protocol error") {
        connection.receive_all()
    } else {
        String::from_utf8(connection.receive_bytes(answer.len())).unwrap()
    };
    let (begins, length) = (request[..request.len().min(40)].escape_ascii(), request.len());
    assert!(found == answer, "{way:?} \"{begins}\" of {length} bytes: {}", &found[..found.len().min(200)]);
}

fn bulk(bytes: &str) -> String {
    format!("${}\r\n{bytes}\r\n", bytes.len())
}

#[test]
fn at_a_limit_all_is_well_and_one_past_it_is_told() {
    let server = start(&["--max-bulk-bytes=100000", "--max-request-bytes=300000"]);
    for way in Way::ALL {
        let check = |request: &str, answer: &str| check(&server, way, request.as_bytes(), answer);

        // A line: 64 KiB without its end.
        let words = "x".repeat((64 << 10) - "ECHO ".len());
        check(&format!("ECHO {words}\n"), &bulk(&words));
        check(&format!("ECHO {words}x\n"), "-ERR Protocol error: too big inline request\r\n");
        // It need not end to be too long.
        check(&format!("ECHO {words}x"), "-ERR Protocol error: too big inline request\r\n");

        // An argument, and with it a value.
        let longest = "v".repeat(100_000);
        check(&format!("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n{}", bulk(&longest)), "+OK\r\n");
        check("*2\r\n$4\r\nECHO\r\n$100001\r\n", "-ERR Protocol error: invalid bulk length\r\n");

        // A value that grows to the limit, and past it.
        let past = "-ERR string exceeds maximum allowed size (proto-max-bulk-len)\r\n";
        check("SETRANGE grown 99999 v\r\n", ":100000\r\n");
        check("SETRANGE grown 100000 v\r\n", past);
        check("APPEND grown v\r\n", past);
        check("STRLEN grown\r\nDEL grown\r\n", ":100000\r\n:1\r\n");

        // A request: all its bytes, ends of lines included.
        let before =
            "*5\r\n$3\r\nDEL\r\n".len() + 3 * bulk(&longest[..90_000]).len() + "$29946\r\n\r\n".len();
        let request = |rest: usize| {
            let key = bulk(&longest[..90_000]);
            format!("*5\r\n$3\r\nDEL\r\n{key}{key}{key}{}", bulk(&longest[..rest]))
        };
        let room = 300_000 - before;
        assert_eq!(request(room).len(), 300_000);
        check(&request(room), ":0\r\n");
        check(&request(room + 1), "-ERR Protocol error: request longer than 300000 bytes\r\n");
    }
}

#[test]
fn a_request_has_a_million_arguments_and_no_more() {
    let server = start(&[]);
    let arguments = 1 << 20;
    let keys = "$1\r\nk\r\n".repeat(arguments - 1);
    check(&server, Way::Tcp, format!("*{arguments}\r\n$3\r\nDEL\r\n{keys}").as_bytes(), ":0\r\n");
    let past = format!("*{}\r\n", arguments + 1);
    check(&server, Way::Tcp, past.as_bytes(), "-ERR Protocol error: invalid multibulk length\r\n");
}
