//! What clients do to each other, where only real sockets show it.

use std::time::{Duration, Instant};

use crate::connection::{Connection, Received, Way};
use crate::support::{PATIENCE, start};

/// The number by which the server knows a client.
fn id(connection: &mut Connection) -> String {
    connection.send(b"CLIENT ID\r\n");
    let mut reply = Vec::new();
    while !reply.ends_with(b"\r\n") {
        reply.extend(connection.receive_bytes(1));
    }
    String::from_utf8(reply).unwrap().trim().trim_start_matches(':').to_owned()
}

#[test]
fn who_has_quit_is_no_client_any_more() {
    let server = start(&[]);
    for way in Way::ALL {
        let mut leaver = Connection::open(&server, way);
        let number = id(&mut leaver);
        let mut other = Connection::open(&server, Way::Tcp);
        leaver.ask("QUIT\r\n", "+OK\r\n");
        // The server still waits for its end of the connection.
        other.ask(&format!("CLIENT LIST ID {number}\r\n"), "$0\r\n\r\n");
        other.ask(&format!("CLIENT KILL ID {number}\r\n"), ":0\r\n");
        drop(leaver);
    }
}

#[test]
fn a_client_that_reads_nothing_can_be_killed() {
    for way in Way::ALL {
        let server = start(&[]);
        let value = "v".repeat(100_000);
        let mut deaf = Connection::open(&server, way);
        deaf.ask(&format!("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$100000\r\n{value}\r\n"), "+OK\r\n");
        let victim = id(&mut deaf);
        // 100 MB of replies: it waits in the middle of writing them.
        for _ in 0..1000 {
            deaf.send(b"GET k\r\n");
        }
        std::thread::sleep(Duration::from_millis(100));
        let mut other = Connection::open(&server, Way::Tcp);
        other.ask(&format!("CLIENT KILL ID {victim}\r\n"), ":1\r\n");
        let began = Instant::now();
        loop {
            other.send(format!("CLIENT LIST ID {victim}\r\n").as_bytes());
            let Received::Bytes(list) = other.receive(PATIENCE) else { panic!("expected a list of clients") };
            if list == b"$0\r\n\r\n" {
                break;
            }
            assert!(began.elapsed() < PATIENCE, "{way:?}: it is still served: {}", list.escape_ascii());
        }
        other.ask("PING\r\n", "+PONG\r\n");
    }
}

#[test]
fn an_idle_client_is_ended_by_a_kill_at_once() {
    for way in Way::ALL {
        let server = start(&[]);
        let mut idle = Connection::open(&server, way);
        let victim = id(&mut idle);
        let mut other = Connection::open(&server, way);
        let began = Instant::now();
        other.ask(&format!("CLIENT KILL ID {victim}\r\n"), ":1\r\n");
        assert_eq!(idle.receive(PATIENCE), Received::End);
        assert!(began.elapsed() < Duration::from_secs(5), "{way:?}: it took {:?}", began.elapsed());
    }
}

#[test]
fn a_pause_does_not_hold_up_the_servers_end() {
    let server = start(&[]);
    let mut first = Connection::open(&server, Way::Tcp);
    let mut second = Connection::open(&server, Way::Tcp);
    first.ask("CLIENT PAUSE 100000\r\n", "+OK\r\n");
    second.send(b"SET k 1\r\n");
    std::thread::sleep(Duration::from_millis(50));
    let began = Instant::now();
    assert_eq!(server.shutdown(), 0);
    assert!(began.elapsed() < Duration::from_secs(4), "it took {:?}", began.elapsed());
    assert_eq!(second.receive_all(), "+OK\r\n", "what has arrived is answered");
}

#[test]
fn a_password_is_asked_for_by_either_way() {
    let server = start(&["--requirepass=secret"]);
    for way in Way::ALL {
        let mut client = Connection::open(&server, way);
        client.ask("GET k\r\n", "-NOAUTH Authentication required.\r\n");
        let wrong = "-WRONGPASS invalid username-password pair or user is disabled.\r\n";
        client.ask("AUTH secre\r\n", wrong);
        client.ask("AUTH secret\r\n", "+OK\r\n");
        client.ask("GET k\r\n", "$-1\r\n");

        // Who is not let in may not send much; who was let in before it came may.
        let value = "v".repeat(20_000);
        let large = format!("*2\r\n$4\r\nECHO\r\n$20000\r\n{value}\r\n");
        let mut stranger = Connection::open(&server, way);
        stranger.send(large.as_bytes());
        assert_eq!(stranger.receive_all(), "-ERR Protocol error: unauthenticated bulk length\r\n");
        let mut stranger = Connection::open(&server, way);
        stranger.send(b"*11\r\n");
        assert_eq!(stranger.receive_all(), "-ERR Protocol error: unauthenticated multibulk length\r\n");
        let mut client = Connection::open(&server, way);
        client.ask(&format!("AUTH secret\r\n{large}"), &format!("+OK\r\n$20000\r\n{value}\r\n"));
    }
}

#[test]
fn settings_change_while_it_runs() {
    let server = start(&["--max-clients=1", "--idle-timeout-s=100"]);
    let mut first = Connection::open(&server, Way::Tcp);
    first.ask("CONFIG GET timeout\r\n", "*2\r\n$7\r\ntimeout\r\n$3\r\n100\r\n");
    let refused = "-ERR max number of clients reached\r\n";
    assert_eq!(Connection::open(&server, Way::Tcp).receive_all(), refused);
    first.ask("CONFIG SET maxclients 2 timeout 1\r\n", "+OK\r\n");
    let mut second = Connection::open(&server, Way::Tcp);
    second.ask("PING\r\n", "+PONG\r\n");
    let began = Instant::now();
    assert_eq!(second.receive(PATIENCE), Received::End);
    assert!(began.elapsed() >= Duration::from_millis(900), "{:?}", began.elapsed());
}

#[test]
fn a_busy_worker_is_slow_and_the_wait_for_it_is_not() {
    for kind in ["mutex", "sharded", "actor"] {
        let server = start(&["--flavor=multi-thread", "--worker-threads=2", &format!("--sharing={kind}")]);
        let mut busy = Connection::open(&server, Way::Tcp);
        let mut other = Connection::open(&server, Way::Tcp);
        busy.send(b"DEBUG SLEEP 0.1\r\n");
        other.ask("SET k 1\r\n", "+OK\r\n");
        busy.ask("", "+OK\r\n");
        other.ask("SLOWLOG LEN\r\n", ":1\r\n");
    }
}
