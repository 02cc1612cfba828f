//! Bytes in and out of a client's stream, and the events that tell of it.
//!
//! Owns the room that is read into. Knows no request.

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::pin;

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::scope::event::Event;
use crate::scope::record;

/// Room made for one read, in bytes. A pipeline of 64 requests of a hundred bytes fits in one.
const READ_BYTES: usize = 16 * 1024;

/// What a client may send ahead, in bytes, while it waits for the answer to a blocking command. It is read to see the client
/// leave; of one that has sent more that is seen when it is served or its time has passed.
const AHEAD_BYTES_MAX: usize = 64 * 1024;

/// Reads what is there, or waits for it; 0 at the end of the stream. Cancellation safe.
pub(crate) async fn read_some<S: AsyncRead + Unpin>(
    stream: &mut S,
    arrived: &mut BytesMut,
) -> io::Result<usize> {
    let mut reading = pin!(stream.read_buf(arrived));
    let mut told = false;
    let read = poll_fn(|cx| {
        let poll = reading.as_mut().poll(cx);
        if poll.is_pending() && !std::mem::replace(&mut told, true) {
            record::record(Event::ReadWait);
        }
        poll
    })
    .await?;
    if read > 0 {
        record::record(Event::Read { bytes: read as u32 });
    }
    Ok(read)
}

thread_local! {
    /// Room to read into for whichever session of this thread is polled: who waits for its client needs none. At thousands of
    /// idle connections that is most of what each would cost, and handing it round costs no allocation.
    static SPARE: RefCell<BytesMut> = RefCell::default();
}

/// Reads what is there, or waits for it without keeping room for it meanwhile; 0 at the end of the stream. Cancellation safe.
pub(super) async fn read_into_spare<S: AsyncRead + Unpin>(
    stream: &mut S,
    arrived: &mut BytesMut,
) -> io::Result<usize> {
    let mut told = false;
    let read = poll_fn(|cx| {
        if arrived.capacity() == 0 {
            *arrived = SPARE.take();
        }
        arrived.reserve(READ_BYTES);
        // The future holds nothing between polls.
        let poll = pin!(stream.read_buf(arrived)).poll(cx);
        if poll.is_pending() {
            // One that has grown for a long request is given back to the system.
            let room = if arrived.is_empty() { std::mem::take(arrived) } else { BytesMut::new() };
            if (1..=READ_BYTES * 4).contains(&room.capacity()) {
                SPARE.set(room);
            }
            if !std::mem::replace(&mut told, true) {
                record::record(Event::ReadWait);
            }
        }
        poll
    })
    .await?;
    if read > 0 {
        record::record(Event::Read { bytes: read as u32 });
    }
    Ok(read)
}

/// Reads what a client sends that waits for an answer, until it is [`AHEAD_BYTES_MAX`]; 0 when the client has left. Does not
/// say that it waits: it is for the answer that the client does. Cancellation safe.
pub(super) async fn read_ahead<S: AsyncRead + Unpin>(
    stream: &mut S,
    arrived: &mut BytesMut,
) -> io::Result<usize> {
    if arrived.len() >= AHEAD_BYTES_MAX {
        return std::future::pending().await;
    }
    arrived.reserve(READ_BYTES);
    let read = stream.read_buf(arrived).await?;
    if read > 0 {
        record::record(Event::Read { bytes: read as u32 });
    }
    Ok(read)
}

/// Writes some of `replies` and removes it from there.
pub(crate) async fn write_some<S: AsyncWrite + Unpin>(
    stream: &mut S,
    replies: &mut BytesMut,
) -> io::Result<()> {
    let mut writing = pin!(stream.write_buf(replies));
    let mut told = false;
    let written = poll_fn(|cx| {
        let poll = writing.as_mut().poll(cx);
        if poll.is_pending() && !std::mem::replace(&mut told, true) {
            record::record(Event::WriteWait);
        }
        poll
    })
    .await?;
    if written == 0 {
        return Err(io::ErrorKind::WriteZero.into());
    }
    Ok(())
}
