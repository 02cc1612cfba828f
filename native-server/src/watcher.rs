//! One watcher: sends it the messages of the trace, for as long as it is there to take them. Knows nothing of
//! what is in them, nor of the other watchers.

use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tracing::debug;
use tungstenite::protocol::frame::CloseFrame;
use tungstenite::protocol::frame::coding::CloseCode;
use tungstenite::{Error, Message};

use crate::trace::Messages;
use crate::websocket::{Raw, WebSocket};

/// Longest message of a watcher's. It has nothing to say.
const MESSAGE_BYTES_MAX: usize = 1024;

/// How long one message may take to be taken. Who takes longer is gone, and keeps the recording on for nobody.
const PATIENCE: Duration = Duration::from_secs(30);

type Socket = WebSocket<TcpStream>;

/// Serves one watcher until it leaves or the server stops.
pub(crate) async fn serve(
    Raw { stream, read }: Raw,
    mut messages: Messages,
    mut stop: watch::Receiver<bool>,
) {
    let mut socket = WebSocket::new(stream, &read, MESSAGE_BYTES_MAX);
    let why = loop {
        let message = tokio::select! {
            biased;
            _ = stop.wait_for(|stop| *stop) => None,
            () = poll_fn(|cx| socket.poll_end(cx)) => break None,
            message = messages.next() => message,
        };
        // No message any more means that the thread which drains is gone: the server stops too.
        let Some(message) = message else {
            break Some(CloseFrame { code: CloseCode::Away, reason: "the server stops".into() });
        };
        match tokio::time::timeout(PATIENCE, send(&mut socket, message)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return debug!("a watcher is gone: {error}"),
            Err(_) => return debug!("a watcher took nothing for {PATIENCE:?}"),
        }
    };
    let _ = poll_fn(|cx| socket.poll_close(cx, why.clone())).await;
}

/// Sends `message`. What the watcher sends meanwhile is read, so that its pings are answered.
async fn send(socket: &mut Socket, message: Bytes) -> Result<(), Error> {
    let mut message = Some(message);
    poll_fn(|cx| {
        if socket.poll_end(cx).is_ready() {
            return Poll::Ready(Err(Error::ConnectionClosed));
        }
        if let Some(message) = message.take() {
            socket.write(cx, Message::Binary(message))?;
        }
        socket.poll_flush(cx)
    })
    .await
}
