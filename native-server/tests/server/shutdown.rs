//! How the server ends: with what is in flight, with those who take nothing, and for those who come later.

use std::net::TcpStream;
use std::time::{Duration, Instant};

use interleave::sharing::Kind;

use crate::connection::{Connection, Received, Way};
use crate::support::{PATIENCE, start};

#[test]
fn what_is_in_flight_is_finished() {
    for way in Way::ALL {
        let server = start(&["--sharing=async-mutex", "--hold-ms=500"]);
        let mut first = Connection::open(&server, way);
        let mut second = Connection::open(&server, way);
        first.send(b"INCR k\r\n");
        second.send(b"INCR k\r\n");
        // Both have arrived: one holds the lock and the other waits for it.
        let mut third = Connection::open(&server, Way::Tcp);
        let began = Instant::now();
        loop {
            third.send(b"CLIENT LIST\r\n");
            let Received::Bytes(list) = third.receive(PATIENCE) else { panic!("expected a list of clients") };
            if String::from_utf8_lossy(&list).matches("cmd=incr").count() == 2 {
                break;
            }
            assert!(began.elapsed() < PATIENCE, "expected two clients at INCR in {}", list.escape_ascii());
        }
        let resp = server.resp();
        assert_eq!(server.shutdown(), 0, "{way:?}: nobody was cut off");
        let mut replies = [first.receive_all(), second.receive_all()];
        replies.sort();
        assert_eq!(replies, [":1\r\n", ":2\r\n"], "{way:?}");
        assert!(TcpStream::connect(resp).is_err(), "nobody listens any more");
    }
}

#[test]
fn idle_clients_do_not_hold_it_up() {
    for kind in Kind::ALL {
        let server = start(&[&format!("--sharing={kind}")]);
        let mut clients = Way::ALL.map(|way| Connection::open(&server, way));
        clients.iter_mut().for_each(|client| client.ask("PING\r\n", "+PONG\r\n"));
        let began = Instant::now();
        assert_eq!(server.shutdown(), 0, "{kind}");
        assert!(began.elapsed() < Duration::from_secs(3), "{kind}: it took {:?}", began.elapsed());
        for client in &mut clients {
            assert_eq!(client.receive(PATIENCE), Received::End, "{kind}");
        }
    }
}

#[test]
fn who_takes_nothing_is_cut_off() {
    for flavor in ["--flavor=current-thread", "--flavor=multi-thread"] {
        let server = start(&[flavor, "--shutdown-timeout-s=0.3"]);
        let value = "v".repeat(100_000);
        let mut client = Connection::open(&server, Way::Tcp);
        client.ask(&format!("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$100000\r\n{value}\r\n"), "+OK\r\n");
        (0..1000).for_each(|_| client.send(b"GET k\r\n"));
        std::thread::sleep(Duration::from_millis(100));
        let began = Instant::now();
        assert_eq!(server.shutdown(), 1);
        assert!(began.elapsed() < Duration::from_secs(5), "it took {:?}", began.elapsed());
    }
}
