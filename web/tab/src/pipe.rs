//! The outside end of a connection in the tab: where a socket's network would be.
//!
//! The host is no task and cannot wait, so it tries: what finds no room stays here until the next turn. Knows no
//! protocol.

use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf, duplex};

/// Bytes a pipe holds in each direction, as a socket's buffers would.
const PIPE_BYTES: usize = 64 * 1024;

/// Received bytes kept for a host that does not take them. Past it nothing is read, and the session waits.
const RECEIVED_BYTES_MAX: usize = 1024 * 1024;

/// The outside end, and the bytes on their way through it.
#[derive(Debug)]
pub(crate) struct Pipe {
    end: DuplexStream,
    unsent: BytesMut,
    received: Vec<u8>,
    closed: bool,
}

impl Pipe {
    /// A pipe, and the end of it that is to be served.
    pub(crate) fn new() -> (Self, DuplexStream) {
        let (end, served) = duplex(PIPE_BYTES);
        (Self { end, unsent: BytesMut::new(), received: Vec::new(), closed: false }, served)
    }

    /// Queues `bytes`.
    pub(crate) fn send(&mut self, bytes: &[u8]) {
        self.unsent.extend_from_slice(bytes);
    }

    /// What has been received since the last call.
    pub(crate) fn take_received(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.received)
    }

    /// Whether the other end is closed.
    pub(crate) fn is_closed(&self) -> bool {
        self.closed
    }

    /// Moves what can be moved, in both directions. Call it inside the runtime: it wakes the session.
    pub(crate) fn pump(&mut self) {
        // The host comes back with every turn, and needs no wake.
        let mut cx = Context::from_waker(Waker::noop());
        while !self.unsent.is_empty() && !self.closed {
            match Pin::new(&mut self.end).poll_write(&mut cx, &self.unsent) {
                Poll::Ready(Ok(sent)) if sent > 0 => self.unsent.advance(sent),
                Poll::Ready(_) => self.closed = true,
                Poll::Pending => break,
            }
        }
        let mut chunk = [0; 4096];
        while self.received.len() < RECEIVED_BYTES_MAX {
            let mut chunk = ReadBuf::new(&mut chunk);
            match Pin::new(&mut self.end).poll_read(&mut cx, &mut chunk) {
                Poll::Ready(Ok(())) if !chunk.filled().is_empty() => {
                    self.received.extend_from_slice(chunk.filled());
                }
                Poll::Ready(_) => {
                    self.closed = true;
                    break;
                }
                Poll::Pending => break,
            }
        }
    }
}
