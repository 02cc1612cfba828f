//! A load generator that keeps a pace whatever the server does, and the latency that clients see under it. redis-benchmark sends
//! the next request when it has the last reply, so a server that stalls is asked less. Knows nothing of which server it is.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// Connections that take turns.
const CONNECTIONS: usize = 50;

/// Replies later than this end the measurement: the server does not keep up.
const LATENCY_MAX: Duration = Duration::from_secs(5);

/// A value that is written and read.
const VALUE: &str = "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx";

/// The latency in microseconds that 99 of 100 GETs do not exceed, at `rate` requests a second for `duration`.
///
/// Counted from when a request was due, not from when it was sent. One thread sends and reads without sleeping, so it
/// takes a whole core; how fast it looks round bounds what it can tell apart to some microseconds.
pub(super) fn p99_us(port: u16, rate: f64, duration: Duration) -> Result<f64> {
    let mut lines = (0..CONNECTIONS).map(|_| Line::connect(port)).collect::<Result<Vec<_>>>()?;
    let (total, gap) = ((rate * duration.as_secs_f64()) as usize, Duration::from_secs_f64(1.0 / rate));
    let mut latencies_us = Vec::with_capacity(total);
    let (mut next, mut due) = (0, Instant::now());
    while latencies_us.len() < total {
        while next < total && due <= Instant::now() {
            lines[next % CONNECTIONS].send(due)?;
            (next, due) = (next + 1, due + gap);
        }
        for line in lines.iter_mut().filter(|line| !line.due.is_empty()) {
            line.receive(&mut latencies_us)?;
        }
    }
    latencies_us.sort_by(f64::total_cmp);
    Ok(latencies_us[(total - 1) * 99 / 100])
}

/// The request that gives GETs something to read, whole: `write!` would send each of its pieces in a packet of its own.
fn set_request() -> String {
    format!("*3\r\n$3\r\nSET\r\n$4\r\npace\r\n${}\r\n{VALUE}\r\n", VALUE.len())
}

/// One connection, and what it has asked for.
struct Line {
    stream: TcpStream,
    /// When each request was due that has no reply yet.
    due: VecDeque<Instant>,
    /// Bytes of a reply that has not arrived whole.
    partial: usize,
}

impl Line {
    /// Connects and has something to read written.
    fn connect(port: u16) -> Result<Self> {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).context("cannot connect")?;
        stream.set_nodelay(true)?;
        stream.write_all(set_request().as_bytes())?;
        let mut ok = [0; 5];
        stream.read_exact(&mut ok)?;
        stream.set_nonblocking(true)?;
        Ok(Self { stream, due: VecDeque::new(), partial: 0 })
    }

    fn send(&mut self, due: Instant) -> Result<()> {
        // A request is far smaller than what the system takes at once.
        self.stream.write_all(b"*2\r\n$3\r\nGET\r\n$4\r\npace\r\n").context("the server takes no request")?;
        self.due.push_back(due);
        Ok(())
    }

    /// Takes the replies that are there.
    fn receive(&mut self, latencies_us: &mut Vec<f64>) -> Result<()> {
        // "$64", the value, and the end of each line.
        let reply_bytes = 5 + VALUE.len() + 2;
        let mut buffer = [0; 4096];
        match self.stream.read(&mut buffer) {
            Ok(0) => bail!("the server closed a connection"),
            Ok(read) => {
                let now = Instant::now();
                let bytes = self.partial + read;
                self.partial = bytes % reply_bytes;
                for due in self.due.drain(..bytes / reply_bytes) {
                    latencies_us.push((now - due).as_secs_f64() * 1e6);
                }
                Ok(())
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                if self.due.front().is_some_and(|due| due.elapsed() > LATENCY_MAX) {
                    bail!("no reply within {LATENCY_MAX:?}");
                }
                Ok(())
            }
            Err(error) => Err(error).context("cannot read a reply"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn a_stalled_server_is_seen_by_all_that_were_due() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let stall = Duration::from_millis(50);
        std::thread::spawn(move || {
            let mut streams = Vec::new();
            let mut set = vec![0; set_request().len()];
            for _ in 0..CONNECTIONS {
                let (mut stream, _) = listener.accept().unwrap();
                stream.read_exact(&mut set).unwrap();
                stream.write_all(b"+OK\r\n").unwrap();
                streams.push(stream);
            }
            std::thread::sleep(stall);
            let reply = format!("${}\r\n{VALUE}\r\n", VALUE.len());
            // Two requests a connection: a hundred in all, a millisecond apart.
            for _ in 0..2 {
                for stream in &mut streams {
                    let mut request = [0; 23];
                    if stream.read_exact(&mut request).is_ok() {
                        let _ = stream.write_all(reply.as_bytes());
                    }
                }
            }
        });
        let p99_us = p99_us(port, 1_000.0, Duration::from_millis(100)).unwrap();
        assert!(p99_us > 30_000.0, "{p99_us}");
    }
}
