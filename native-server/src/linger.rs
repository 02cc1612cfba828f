//! Closing so that the last reply arrives.
//!
//! A socket that is closed while something it received is still unread resets the connection, and a reset takes
//! away replies that the client has not read yet: the very error that says why it is closed. So after the last byte
//! is sent, what still comes is read and thrown away for a moment. Knows nothing of what the bytes mean.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use interleave::rt::{Rt, Sleep};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// How long a closed connection is read on: what was on its way has arrived by then.
const LINGER: Duration = Duration::from_millis(250);

/// How much of it is read. Who sends more than this meanwhile is not listening.
const LINGER_BYTES_MAX: usize = 4 << 20;

/// A stream whose shutdown waits until the peer has closed too, at most [`LINGER`] long.
pub(crate) struct Lingering<S> {
    stream: S,
    rt: Rt,
    // How much has been thrown away, once our side is closed.
    thrown_away: Option<usize>,
    // Begun when there is something to wait for: most clients have closed before us.
    until: Option<Pin<Box<Sleep>>>,
}

impl<S> Lingering<S> {
    pub(crate) fn new(stream: S, rt: Rt) -> Self {
        Self { stream, rt, thrown_away: None, until: None }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Lingering<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Lingering<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let thrown_away = match &mut this.thrown_away {
            Some(bytes) => bytes,
            None => {
                ready!(Pin::new(&mut this.stream).poll_shutdown(cx))?;
                this.thrown_away.insert(0)
            }
        };
        let mut bytes = [0; 4096];
        let mut bytes = ReadBuf::new(&mut bytes);
        while *thrown_away < LINGER_BYTES_MAX {
            bytes.clear();
            if Pin::new(&mut this.stream).poll_read(cx, &mut bytes)?.is_pending() {
                let until = this.until.get_or_insert_with(|| Box::pin(this.rt.sleep(LINGER)));
                return until.as_mut().poll(cx).map(Ok);
            }
            if bytes.filled().is_empty() {
                break;
            }
            *thrown_away += bytes.filled().len();
        }
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    #[tokio::test]
    async fn what_still_comes_is_thrown_away_until_the_peer_closes() {
        let (mut peer, served) = duplex(64);
        let mut served = Lingering::new(served, Rt::native());
        served.write_all(b"bye").await.unwrap();
        let began = Instant::now();
        let (closed, ()) = tokio::join!(served.shutdown(), async {
            peer.write_all(&[0; 1000]).await.unwrap();
            let mut answer = Vec::new();
            peer.read_to_end(&mut answer).await.unwrap();
            assert_eq!(answer, b"bye");
            drop(peer);
        });
        closed.unwrap();
        assert!(began.elapsed() < LINGER, "it waited although the peer had closed");
    }

    #[tokio::test]
    async fn a_peer_that_does_not_close_is_not_waited_for_long() {
        let (_peer, served) = duplex(64);
        let began = Instant::now();
        Lingering::new(served, Rt::native()).shutdown().await.unwrap();
        assert!(began.elapsed() >= LINGER);
    }

    #[tokio::test]
    async fn a_peer_that_sends_without_end_is_not_listened_to() {
        let (mut peer, served) = duplex(1 << 16);
        let mut served = Lingering::new(served, Rt::native());
        let sending = async { while peer.write_all(&[0; 1 << 16]).await.is_ok() {} };
        tokio::select! {
            closed = served.shutdown() => closed.unwrap(),
            () = sending => panic!("nobody closed the pipe"),
        }
        assert!(served.thrown_away >= Some(LINGER_BYTES_MAX) || served.until.is_some());
    }
}
