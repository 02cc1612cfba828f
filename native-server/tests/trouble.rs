//! Trouble from outside, for a server process of its own: clients that are slow, gone halfway, far too many, or that ask and
//! never read. Each test says what comes of it: what the client gets, that others are served meanwhile, and how much memory
//! the server took at most.

#![cfg(target_os = "linux")]

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use interleave::sharing::Kind;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// How long something that should happen by itself may take; generous, because test machines are busy.
const PATIENCE: Duration = Duration::from_secs(60);

const MIB: u64 = 1 << 20;

/// A server in a process of its own, whose memory is no test's.
struct Server {
    child: Child,
    address: SocketAddr,
}

impl Server {
    fn start(flags: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_interleave-server"))
            .args(["--resp=127.0.0.1:0", "--http=127.0.0.1:0"])
            .args(flags)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the binary of this package can be started");
        let lines = BufReader::new(child.stdout.take().expect("stdout is a pipe")).lines();
        let address = lines.map_while(Result::ok).find_map(|line| {
            let (address, _) = line.strip_prefix("Redis clients: ")?.split_once(' ')?;
            address.parse().ok()
        });
        Self { child, address: address.expect("the server prints its address") }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).expect("the server accepts");
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        stream
    }

    /// The most memory that was resident since the start, in bytes.
    fn peak_bytes(&self) -> u64 {
        self.status("VmHWM:")
    }

    fn resident_bytes(&self) -> u64 {
        self.status("VmRSS:")
    }

    fn status(&self, name: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("Linux says so");
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
    }

    /// Waits until `count` clients are connected, who asks included.
    fn wait_for_clients(&self, count: usize) {
        let mut asking = self.connect();
        let expected = format!("connected_clients:{count}\r\n");
        let began = Instant::now();
        loop {
            asking.write_all(b"INFO clients\r\n").unwrap();
            let mut found = vec![0; 64 * 1024];
            let length = asking.read(&mut found).unwrap();
            let found = String::from_utf8_lossy(&found[..length]).into_owned();
            if found.contains(&expected) {
                return;
            }
            assert!(began.elapsed() < PATIENCE, "expected {expected:?} in {found}");
            thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[track_caller]
fn expect(stream: &mut impl Read, expected: &[u8]) {
    let mut found = vec![0; expected.len()];
    stream
        .read_exact(&mut found)
        .unwrap_or_else(|error| panic!("instead of {}: {error}", expected.escape_ascii()));
    assert!(found == expected, "expected {}, found {}", expected.escape_ascii(), found.escape_ascii());
}

#[track_caller]
fn ask(stream: &mut TcpStream, request: &[u8], reply: &[u8]) {
    stream.write_all(request).unwrap();
    expect(stream, reply);
}

/// Runs `trouble` while another client of `server` counts, one request at a time; how many it had answered, and the longest it
/// waited for one.
fn beside(server: &Server, trouble: impl FnOnce()) -> (u64, Duration) {
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let counting = scope.spawn(|| {
            let mut other = server.connect();
            let (mut count, mut longest) = (0, Duration::ZERO);
            while !is_over.load(Ordering::Relaxed) {
                count += 1;
                let began = Instant::now();
                ask(&mut other, b"INCR other\r\n", format!(":{count}\r\n").as_bytes());
                longest = longest.max(began.elapsed());
            }
            (count, longest)
        });
        trouble();
        is_over.store(true, Ordering::Relaxed);
        counting.join().expect("the other client is served")
    })
}

/// Nobody is kept waiting by another client's slowness for longer than this. On an idle machine it is a millisecond.
const OTHERS_WAIT_MAX: Duration = Duration::from_secs(2);

#[test]
fn a_slow_reader_gets_everything_and_keeps_nobody_waiting() {
    for kind in Kind::ALL {
        let server = Server::start(&[&format!("--sharing={kind}")]);
        let value = "0123456789abcdef".repeat(1 << 14);
        let mut slow = server.connect();
        ask(
            &mut slow,
            format!("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n${}\r\n{value}\r\n", value.len()).as_bytes(),
            b"+OK\r\n",
        );
        let before = server.resident_bytes();
        let (count, longest) = beside(&server, || {
            // 25 MB of replies, taken in a few hundred sips.
            slow.write_all(&b"GET k\r\n".repeat(100)).unwrap();
            let reply = format!("${}\r\n{value}\r\n", value.len()).into_bytes();
            for _ in 0..100 {
                for sip in reply.chunks(100_000) {
                    expect(&mut slow, sip);
                    thread::sleep(Duration::from_millis(2));
                }
            }
        });
        assert!(count > 100 && longest < OTHERS_WAIT_MAX, "{kind}: {count} served, one after {longest:?}");
        let taken = server.peak_bytes().saturating_sub(before);
        assert!(taken < 8 * MIB, "{kind}: {taken} bytes more");
    }
}

#[test]
fn a_slow_writer_is_answered_and_keeps_nobody_waiting() {
    for kind in Kind::ALL {
        let server = Server::start(&[&format!("--sharing={kind}")]);
        let mut slow = server.connect();
        let (count, longest) = beside(&server, || {
            for byte in b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$100\r\n".iter().chain(&[b'v'; 100]).chain(b"\r\n") {
                slow.write_all(&[*byte]).unwrap();
                thread::sleep(Duration::from_millis(2));
            }
            expect(&mut slow, b"+OK\r\n");
        });
        assert!(count > 100 && longest < OTHERS_WAIT_MAX, "{kind}: {count} served, one after {longest:?}");
        ask(&mut slow, b"STRLEN k\r\n", b":100\r\n");
    }
}

#[test]
fn who_announces_much_and_sends_little_takes_no_memory() {
    let server = Server::start(&[]);
    server.wait_for_clients(1);
    let before = server.peak_bytes();
    // 50 GB, if it were taken for what was announced.
    let clients: Vec<TcpStream> = (0..100)
        .map(|_| {
            let mut client = server.connect();
            client.write_all(b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$536870912\r\nv").unwrap();
            client
        })
        .collect();
    server.wait_for_clients(101);
    let taken = server.peak_bytes().saturating_sub(before);
    assert!(taken < 16 * MIB, "{taken} bytes more for {} clients", clients.len());
}

#[test]
fn a_client_that_only_listens_any_more_gets_all_its_replies() {
    for kind in Kind::ALL {
        let server = Server::start(&[&format!("--sharing={kind}")]);
        let mut client = server.connect();
        client.write_all(&b"INCR k\r\n".repeat(10_000)).unwrap();
        client.shutdown(Shutdown::Write).unwrap();
        let mut found = String::new();
        client.read_to_string(&mut found).unwrap();
        let expected: String = (1..=10_000).map(|count| format!(":{count}\r\n")).collect();
        assert!(found == expected, "{kind}: {} bytes of {}", found.len(), expected.len());
        server.wait_for_clients(1);
    }
}

#[test]
fn a_client_that_is_gone_while_it_is_written_to_is_forgotten() {
    let server = Server::start(&[]);
    let value = "v".repeat(1 << 20);
    let mut first = server.connect();
    ask(&mut first, format!("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1048576\r\n{value}\r\n").as_bytes(), b"+OK\r\n");
    for _ in 0..20 {
        let mut client = server.connect();
        client.write_all(&b"GET k\r\n".repeat(50)).unwrap();
        // Begun to be answered; what is unread when it is dropped makes the system reset the connection.
        expect(&mut client, b"$1048576\r\n");
    }
    server.wait_for_clients(2);
    ask(&mut first, b"PING\r\n", b"+PONG\r\n");
}

#[test]
fn a_peer_that_vanished_is_noticed_by_its_silence() {
    // No end of the connection arrives: to the server it is one that says nothing, which the flag bounds.
    let server = Server::start(&["--idle-timeout-s=0.5", "--unfinished-timeout-s=0.5"]);
    let (mut silent, mut midway) = (server.connect(), server.connect());
    ask(&mut silent, b"PING\r\n", b"+PONG\r\n");
    midway.write_all(b"*2\r\n$4\r\nECHO\r\n$5\r\nhal").unwrap();
    for peer in [&mut silent, &mut midway] {
        assert_eq!(peer.read(&mut [0; 16]).unwrap(), 0);
    }
    server.wait_for_clients(1);
}

#[test]
fn a_million_commands_of_one_that_never_reads_cost_a_few_megabytes() {
    const COMMANDS: usize = 1_000_000;
    let reply = [b"$64\r\n", &[b'v'; 64][..], b"\r\n"].concat();
    for kind in [Kind::Mutex, Kind::AsyncMutex, Kind::Sharded, Kind::Actor] {
        let server = Server::start(&[&format!("--sharing={kind}")]);
        let mut greedy = server.connect();
        ask(&mut greedy, &[b"SET k ", &[b'v'; 64][..], b"\r\n"].concat(), b"+OK\r\n");
        let before = server.resident_bytes();
        let requests = b"*2\r\n$3\r\nGET\r\n$1\r\nk\r\n".repeat(COMMANDS);
        let mut sent = 0;
        let (count, longest) = beside(&server, || {
            // Until nothing more is taken for a while.
            greedy.set_write_timeout(Some(Duration::from_secs(1))).unwrap();
            while sent < requests.len() {
                match greedy.write(&requests[sent..]) {
                    Ok(length) => sent += length,
                    Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                    Err(error) => panic!("{kind}: {error}"),
                }
            }
        });
        assert!(sent < requests.len(), "{kind}: all was taken from one who reads nothing");
        assert!(count > 100 && longest < OTHERS_WAIT_MAX, "{kind}: {count} served, one after {longest:?}");
        let taken = server.peak_bytes().saturating_sub(before);
        assert!(taken < 4 * MIB, "{kind}: {taken} bytes more");
        if kind == Kind::default() {
            // It thinks better of it, and nothing was lost.
            greedy.set_write_timeout(Some(PATIENCE)).unwrap();
            let mut writing = greedy.try_clone().unwrap();
            thread::scope(|scope| {
                scope.spawn(|| writing.write_all(&requests[sent..]).unwrap());
                let mut replies = BufReader::with_capacity(1 << 20, &greedy);
                for _ in 0..COMMANDS / 1000 {
                    expect(&mut replies, &reply.repeat(1000));
                }
            });
            let taken = server.peak_bytes().saturating_sub(before);
            assert!(taken < 4 * MIB, "{kind}, read at last: {taken} bytes more");
        }
    }
}

/// Lets this process have `files` files.
fn permit_files(files: u64) {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current.is_some_and(|current| current < files) {
        let raised = setrlimit(Resource::Nofile, Rlimit { current: Some(files), maximum });
        assert!(
            raised.is_ok(),
            "expected that {files} files may be open, found at most {maximum:?}: raise `ulimit -Hn`"
        );
    }
}

#[test]
fn ten_thousand_clients_are_served_and_the_next_is_told() {
    const CLIENTS: usize = 10_000;
    permit_files(CLIENTS as u64 + 500);
    let server = Server::start(&[]);
    server.wait_for_clients(1);
    let before = server.resident_bytes();
    let mut clients: Vec<TcpStream> = (0..CLIENTS).map(|_| server.connect()).collect();
    // All at once, then each gets its own.
    for (number, client) in clients.iter_mut().enumerate() {
        client.write_all(format!("*2\r\n$4\r\nECHO\r\n$4\r\n{number:04}\r\n").as_bytes()).unwrap();
    }
    for (number, client) in clients.iter_mut().enumerate() {
        expect(client, format!("$4\r\n{number:04}\r\n").as_bytes());
    }
    let each = server.resident_bytes().saturating_sub(before) / CLIENTS as u64;
    println!("{each} bytes for each of {CLIENTS} clients");
    assert!(each < 32 * 1024, "{each} bytes a client");
    expect(&mut server.connect(), b"-ERR max number of clients reached\r\n");
    ask(&mut clients[CLIENTS / 2], b"PING\r\n", b"+PONG\r\n");
    drop(clients);
    server.wait_for_clients(1);
}
