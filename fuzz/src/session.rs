//! A whole session, bytes in and bytes out: however they are cut, the answer is the same, and every session ends.

use std::collections::VecDeque;
use std::io;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use interleave::command::{Config, Peer, Server};
use interleave::engine::Manual;
use interleave::resp::Limits;
use interleave::session::Service;
use interleave::sharing::{Kind, Options, Sharing};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::watch;

use crate::cut::pieces;

/// A client that has been sent this much is gone: random input must not take a machine's memory by asking for it.
const ANSWER_BYTES_MAX: usize = 4 << 20;

/// Polls within which a session has long ended.
const POLLS_MAX: u32 = 1_000_000;

/// The first byte says how the others are cut, the second how the store is shared.
///
/// # Panics
/// When the session panics, does not end, or answers otherwise than to the same bytes at once.
pub fn session(input: &[u8]) {
    let [how, kind, bytes @ ..] = input else { return };
    let kind = Kind::ALL[usize::from(*kind) % Kind::ALL.len()];
    let whole = answer(kind, &[bytes]);
    let cut = answer(kind, &pieces(bytes, *how));
    if tells_how_it_was_cut(bytes) {
        return;
    }
    let words = || format!("under {kind}, at once\n{}\ncut\n{}", shown(&whole), shown(&cut));
    if is_hung_up_on(bytes) {
        // Closed without a word: replies that were not written yet, at once more than in pieces, are lost.
        assert!(cut.starts_with(&whole), "{}", words());
    } else {
        assert!(whole == cut, "{}", words());
    }
}

fn shown(answer: &[u8]) -> String {
    answer.escape_ascii().to_string()
}

/// Whether a line of HTTP may be in `bytes`.
fn is_hung_up_on(bytes: &[u8]) -> bool {
    holds(bytes, b"post") || holds(bytes, b"host:")
}

/// Whether somebody may ask for counts of reads and batches, or for how much has arrived and waits; or hear of its own requests,
/// which comes between the replies of two batches.
fn tells_how_it_was_cut(bytes: &[u8]) -> bool {
    [&b"info"[..], b"list", b"monitor"].into_iter().any(|word| holds(bytes, word))
}

fn holds(bytes: &[u8], word: &[u8]) -> bool {
    bytes.windows(word.len()).any(|window| window.eq_ignore_ascii_case(word))
}

/// All that a new server answers to `pieces`, each of which is one read.
fn answer(kind: Kind, pieces: &[&[u8]]) -> Vec<u8> {
    // Its clock stands still until nobody can go on: more pieces take no more time.
    let mut engine = Manual::unrecorded(1_800_000_000_000);
    let rt = engine.rt();
    let (_stop, stop) = watch::channel(false);
    let written = Arc::new(Mutex::new(Vec::new()));
    let client = Scripted {
        pieces: pieces.iter().map(|piece| piece.to_vec()).collect(),
        is_due: false,
        written: Arc::clone(&written),
    };
    let session = engine.enter(|| {
        let limits =
            Limits { bulk_bytes: 1 << 20, request_bytes: 2 << 20, arguments: 10_000, ..Limits::default() };
        let config = Config { limits, ..Config::default() };
        let server = Arc::new(Server::new(config, rt.unix_ms(), 7));
        let service = Service {
            sharing: Sharing::new(kind, Options { shards: 5, ..Options::default() }, &rt, &server),
            server,
            rt: rt.clone(),
            unfinished_timeout: Duration::from_secs(10),
            idle_timeout: None,
            stop,
        };
        service.spawn(client, Peer::default())
    });
    for _ in 0..POLLS_MAX {
        if session.is_finished() || engine.count() == 0 {
            break;
        }
        engine.choose(0);
    }
    match pin!(session).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(ended) => ended.expect("a session does not panic"),
        Poll::Pending => panic!("under {kind} the session of a client that has left goes on"),
    }
    std::mem::take(&mut *written.lock().unwrap_or_else(PoisonError::into_inner))
}

/// A client that sends one piece a read, each after a pause, and then leaves.
struct Scripted {
    pieces: VecDeque<Vec<u8>>,
    /// Whether the pause before the next piece is over.
    is_due: bool,
    written: Arc<Mutex<Vec<u8>>>,
}

impl AsyncRead for Scripted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !std::mem::replace(&mut self.is_due, true) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        if let Some(mut piece) = self.pieces.pop_front() {
            let rest = piece.split_off(piece.len().min(buf.remaining()));
            buf.put_slice(&piece);
            if !rest.is_empty() {
                self.pieces.push_front(rest);
            }
        }
        self.is_due = false;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Scripted {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        if written.len() > ANSWER_BYTES_MAX {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        written.extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
