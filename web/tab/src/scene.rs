//! The scene that plays when a tab opens: three clients, one counter.
//!
//! Real tasks with real connections, so that the page has something to show before anybody types. Under `isolated`
//! each counts to its own twenty, under every other sharing they reach sixty together.

use std::time::Duration;

use interleave::command::Peer;
use interleave::rt::Rt;
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
use tokio::sync::mpsc;

use crate::Arrival;

/// How long each visitor waits between two commands. Prime, so that they meet in ever new orders.
const PAUSES_MS: [u64; 3] = [211, 257, 307];

/// How often each visitor counts.
const ROUNDS: usize = 20;

/// Spawns the visitors, who connect through `connections`.
pub(crate) fn spawn(rt: &Rt, connections: &mpsc::UnboundedSender<Arrival>) {
    for (number, pause_ms) in (1..).zip(PAUSES_MS) {
        let (stream, served) = duplex(1024);
        let peer = Peer { address: format!("visitor-{number}"), local_address: "tab".to_owned() };
        // The listener, who spawns this, is there to receive it.
        let _ = connections.send((served, peer));
        rt.spawn("visitor", number, visit(rt.clone(), stream, Duration::from_millis(pause_ms)));
    }
}

async fn visit(rt: Rt, mut stream: tokio::io::DuplexStream, pause: Duration) {
    let mut reply = [0; 64];
    for _ in 0..ROUNDS {
        rt.sleep(pause).await;
        // The server gone, the visit is over.
        if stream.write_all(b"INCR counter\r\n").await.is_err()
            || !matches!(stream.read(&mut reply).await, Ok(1..))
        {
            return;
        }
    }
}
