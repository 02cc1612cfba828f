//! What recording costs a request, on a quiet thread: `cargo run --release --features native --example scope_cost`.
//!
//! One client sends batches of 16 GETs over a pipe to a session on a current-thread runtime; the least time of many rounds
//! is printed, with nobody watching, with recording on, and for draining and encoding what was recorded. `cargo xtask bench
//! scope` measures the whole server, sockets included; this finds what changed.

use std::sync::Arc;
use std::time::{Duration, Instant};

use interleave::command::{Config, Peer, Server};
use interleave::rt::Rt;
use interleave::scope::hub;
use interleave::session::Service;
use interleave::sharing::{Kind, Options, Sharing};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::sync::watch;

const BATCH: usize = 16;

/// Batches in a round: some milliseconds, and fewer events than a ring holds.
const BATCHES: usize = 500;

const ROUNDS: usize = 400;

fn main() {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = hub::watch_workers(&mut builder).enable_time().build().expect("a runtime");
    for kind in Kind::ALL {
        runtime.block_on(measure(kind));
    }
}

async fn measure(kind: Kind) {
    let rt = Rt::native();
    let (_stop, stopped) = watch::channel(false);
    let server = Arc::new(Server::new(Config::default(), 0, 0));
    let service = Service {
        sharing: Sharing::new(kind, Options::default(), &rt, &server),
        server,
        rt: rt.clone(),
        unfinished_timeout: Duration::from_secs(10),
        idle_timeout: None,
        stop: stopped,
    };
    let (mut client, end) = duplex(1 << 16);
    service.spawn(end, Peer::default());
    let requests = "*2\r\n$3\r\nGET\r\n$8\r\ngreeting\r\n".repeat(BATCH);
    ask(&mut client, "*3\r\n$3\r\nSET\r\n$8\r\ngreeting\r\n$5\r\nhello\r\n", 5).await;

    let mut least_ns = [f64::INFINITY; 3];
    let mut drain = hub::Drain::default();
    let mut bytes = 0;
    for _ in 0..ROUNDS {
        least_ns[0] = least_ns[0].min(round(&mut client, &requests).await);
        let watch = hub::watch();
        drain.message();
        least_ns[1] = least_ns[1].min(round(&mut client, &requests).await);
        let began = now();
        let message = drain.message();
        least_ns[2] = least_ns[2].min(a_request(began));
        bytes = message.len();
        drop(watch);
    }
    let [idle, watched, drained] = least_ns;
    println!(
        "{:<12} idle {idle:>6.1} ns a request, recording +{:>5.1} ns, draining {drained:>5.1} ns, {:.1} bytes",
        kind.name(),
        watched - idle,
        bytes as f64 / (BATCHES * BATCH) as f64
    );
}

/// Nanoseconds a request of one round.
async fn round(client: &mut DuplexStream, requests: &str) -> f64 {
    let began = now();
    for _ in 0..BATCHES {
        ask(client, requests, BATCH * "$5\r\nhello\r\n".len()).await;
    }
    a_request(began)
}

#[expect(clippy::disallowed_methods, reason = "a measurement")]
fn now() -> Instant {
    Instant::now()
}

fn a_request(began: Instant) -> f64 {
    began.elapsed().as_nanos() as f64 / (BATCHES * BATCH) as f64
}

async fn ask(client: &mut DuplexStream, requests: &str, reply_bytes: usize) {
    let mut reply = [0; 4096];
    client.write_all(requests.as_bytes()).await.expect("the session lives");
    client.read_exact(&mut reply[..reply_bytes]).await.expect("the session answers");
}
