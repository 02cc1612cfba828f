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

/// A stream whose shutdown waits until the peer has closed too, at most [`LINGER`] long.
pub(crate) struct Lingering<S> {
    stream: S,
    rt: Rt,
    // Begun when our side is closed.
    until: Option<Pin<Box<Sleep>>>,
}

impl<S> Lingering<S> {
    pub(crate) fn new(stream: S, rt: Rt) -> Self {
        Self { stream, rt, until: None }
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
        let until = match &mut this.until {
            Some(until) => until,
            None => {
                ready!(Pin::new(&mut this.stream).poll_shutdown(cx))?;
                this.until.insert(Box::pin(this.rt.sleep(LINGER)))
            }
        };
        let mut thrown_away = [0; 4096];
        loop {
            // Asked first, so that a client that never stops sending is not read for ever.
            if until.as_mut().poll(cx).is_ready() {
                return Poll::Ready(Ok(()));
            }
            let mut buf = ReadBuf::new(&mut thrown_away);
            ready!(Pin::new(&mut this.stream).poll_read(cx, &mut buf))?;
            if buf.filled().is_empty() {
                return Poll::Ready(Ok(()));
            }
        }
    }
}
