//! A WebSocket: from the request for one to messages, and to a plain stream of bytes.
//!
//! tungstenite frames the messages and knows no runtime; what is here polls it. So a socket can be asked for
//! on one runtime and served on another, and the task that is woken is woken by its own runtime's driver.
//! Knows nothing of what the messages say.

use std::io::{self, Read, Write};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use axum::body::Body;
use axum::http::{Request, Response, StatusCode, header};
use bytes::{Buf, Bytes};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tungstenite::error::{CapacityError, ProtocolError};
use tungstenite::handshake::server::create_response_with_body;
use tungstenite::protocol::frame::CloseFrame;
use tungstenite::protocol::frame::coding::CloseCode;
use tungstenite::protocol::{Role, WebSocketConfig, WebSocketContext};
use tungstenite::{Error, Message};

/// Bytes read from a socket at a time, and kept for it.
const READ_BYTES: usize = 16 * 1024;

/// Bytes of replies that go into one message.
const MESSAGE_BYTES: usize = 64 * 1024;

/// A socket whose client has been answered that it is a WebSocket now.
pub(crate) struct Raw {
    /// The socket, still registered with the runtime it came from.
    pub(crate) stream: TcpStream,
    /// What the client sent right behind its request.
    pub(crate) read: Bytes,
}

/// The answer to a request for a WebSocket, and what becomes the socket once the answer is sent; none if the
/// request asks for something else.
pub(crate) fn upgrade(request: &mut Request<Body>) -> (Response<Body>, Option<OnUpgrade>) {
    match create_response_with_body(request, Body::empty) {
        Ok(answer) => (answer, Some(hyper::upgrade::on(request))),
        Err(error) => {
            let text = format!("expected a request for a WebSocket, version 13: {error}\n");
            let answer = Response::builder()
                .status(StatusCode::UPGRADE_REQUIRED)
                .header(header::CONTENT_TYPE, "text/plain; charset=utf-8")
                .header(header::UPGRADE, "websocket")
                .header(header::SEC_WEBSOCKET_VERSION, "13");
            (answer.body(text.into()).expect("header values are literals"), None)
        }
    }
}

/// The socket itself, out of hyper's wrapping.
pub(crate) fn unwrap(upgraded: Upgraded) -> Raw {
    let Ok(parts) = upgraded.downcast::<TokioIo<TcpStream>>() else {
        unreachable!("connections are made of nothing else")
    };
    Raw { stream: parts.io.into_inner(), read: parts.read_buf }
}

/// Messages over a stream, the server's side.
pub(crate) struct WebSocket<S> {
    stream: S,
    protocol: WebSocketContext,
}

impl<S: AsyncRead + AsyncWrite + Unpin> WebSocket<S> {
    /// `read`: what was read from `stream` already. Longer messages than `message_bytes_max` are an error.
    pub(crate) fn new(stream: S, read: &[u8], message_bytes_max: usize) -> Self {
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BYTES)
            // Each message is written at once; its sender waits until it is.
            .write_buffer_size(0)
            .max_message_size(Some(message_bytes_max))
            .max_frame_size(Some(message_bytes_max));
        let protocol = WebSocketContext::from_partially_read(read.to_vec(), Role::Server, Some(config));
        Self { stream, protocol }
    }

    /// The next message, `None` after the last one. Answers pings and the other side's closing by the way.
    pub(crate) fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Message>, Error>> {
        loop {
            match ready!(polled(self.protocol.read(&mut Blocking { stream: &mut self.stream, cx }))) {
                Ok(Message::Ping(_) | Message::Pong(_) | Message::Close(_) | Message::Frame(_)) => {}
                Ok(message) => return Poll::Ready(Ok(Some(message))),
                Err(
                    Error::ConnectionClosed
                    | Error::AlreadyClosed
                    // A client that is gone is gone, whether or not it said so.
                    | Error::Protocol(ProtocolError::ResetWithoutClosingHandshake),
                ) => return Poll::Ready(Ok(None)),
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }

    /// Ready when the other side leaves, one way or the other. What it sends until then is dropped.
    pub(crate) fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            match self.poll_read(cx) {
                Poll::Ready(Ok(Some(_))) => {}
                Poll::Ready(Ok(None) | Err(_)) => return Poll::Ready(()),
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    /// Begins to send a message. Flush before the next one, or they pile up.
    pub(crate) fn write(&mut self, cx: &mut Context<'_>, message: Message) -> Result<(), Error> {
        let sent = self.protocol.write(&mut Blocking { stream: &mut self.stream, cx }, message);
        match polled(sent) {
            // What did not go out is kept.
            Poll::Pending => Ok(()),
            Poll::Ready(sent) => sent,
        }
    }

    /// Waits until all that was written is out.
    pub(crate) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        polled(self.protocol.flush(&mut Blocking { stream: &mut self.stream, cx }))
    }

    /// Says that nothing more will be sent, and why, and waits until that is out. The first call's reason counts.
    pub(crate) fn poll_close(
        &mut self,
        cx: &mut Context<'_>,
        why: Option<CloseFrame>,
    ) -> Poll<Result<(), Error>> {
        let closed = self.protocol.close(&mut Blocking { stream: &mut self.stream, cx }, why);
        match ready!(polled(closed)) {
            Err(Error::ConnectionClosed | Error::AlreadyClosed) => Poll::Ready(Ok(())),
            closed => Poll::Ready(closed),
        }
    }
}

/// The stream as tungstenite wants it: what would have to wait is an error, and the task is woken when it need not.
struct Blocking<'a, 'b, S> {
    stream: &'a mut S,
    cx: &'a mut Context<'b>,
}

impl<S: AsyncRead + Unpin> Read for Blocking<'_, '_, S> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let mut buf = ReadBuf::new(buf);
        match Pin::new(&mut *self.stream).poll_read(self.cx, &mut buf) {
            Poll::Ready(read) => read.map(|()| buf.filled().len()),
            Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
        }
    }
}

impl<S: AsyncWrite + Unpin> Write for Blocking<'_, '_, S> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        match Pin::new(&mut *self.stream).poll_write(self.cx, buf) {
            Poll::Ready(written) => written,
            Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match Pin::new(&mut *self.stream).poll_flush(self.cx) {
            Poll::Ready(flushed) => flushed,
            Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
        }
    }
}

/// The way back from [`Blocking`].
fn polled<T>(result: Result<T, Error>) -> Poll<Result<T, Error>> {
    match result {
        Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => Poll::Pending,
        result => Poll::Ready(result),
    }
}

/// A WebSocket as a stream of bytes: binary messages one after the other, however they are cut.
pub(crate) struct ByteStream<S> {
    socket: WebSocket<S>,
    // What is left of the last message.
    message: Bytes,
    // Why we close, if the client is to blame. What it sends from then on is in no frames that we understand.
    violation: Option<CloseFrame>,
}

impl<S> ByteStream<S> {
    pub(crate) fn new(socket: WebSocket<S>) -> Self {
        Self { socket, message: Bytes::new(), violation: None }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> ByteStream<S> {
    /// The next message's bytes; `None` at the end.
    fn poll_message(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Option<Bytes>>> {
        let (code, reason) = match ready!(self.socket.poll_read(cx)) {
            Ok(Some(Message::Binary(message))) => return Poll::Ready(Ok(Some(message))),
            Ok(None) => return Poll::Ready(Ok(None)),
            Ok(Some(_)) => {
                (CloseCode::Unsupported, "expected RESP in binary messages, found text".to_owned())
            }
            Err(Error::Io(error)) => return Poll::Ready(Err(error)),
            Err(Error::Capacity(CapacityError::MessageTooLong { size, max_size })) => {
                let reason =
                    format!("expected at most {max_size} bytes a message, found {size}: send several");
                (CloseCode::Size, reason)
            }
            Err(error) => (CloseCode::Protocol, error.to_string()),
        };
        let error = io::Error::new(io::ErrorKind::InvalidData, reason.clone());
        self.violation = Some(CloseFrame { code, reason: short(reason).into() });
        Poll::Ready(Err(error))
    }
}

/// A close frame has room for 123 bytes of reason.
fn short(mut reason: String) -> String {
    reason.truncate(reason.floor_char_boundary(123));
    reason
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for ByteStream<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.violation.is_some() {
            // Whoever reads on only waits for the end.
            return Pin::new(&mut this.socket.stream).poll_read(cx, buf);
        }
        // An empty message is not the end.
        while this.message.is_empty() {
            match ready!(this.poll_message(cx))? {
                Some(message) => this.message = message,
                None => return Poll::Ready(Ok(())),
            }
        }
        let taken = this.message.len().min(buf.remaining());
        buf.put_slice(&this.message[..taken]);
        this.message.advance(taken);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for ByteStream<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        // At most one message waits here, so a client that does not read is waited for.
        ready!(self.socket.poll_flush(cx)).map_err(broken)?;
        let taken = buf.len().min(MESSAGE_BYTES);
        let message = Message::Binary(Bytes::copy_from_slice(&buf[..taken]));
        self.socket.write(cx, message).map_err(broken)?;
        Poll::Ready(Ok(taken))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.socket.poll_flush(cx).map_err(broken)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let why = self.violation.clone().unwrap_or(CloseFrame { code: CloseCode::Normal, reason: "".into() });
        self.socket.poll_close(cx, Some(why)).map_err(broken)
    }
}

fn broken(error: Error) -> io::Error {
    match error {
        Error::Io(error) => error,
        error => io::Error::new(io::ErrorKind::BrokenPipe, error),
    }
}
