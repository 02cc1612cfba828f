//! A Redis client's connection, by either way that there is. Knows bytes, not what they say.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use interleave_server::Server;
use tungstenite::{Error, Message, WebSocket};

use crate::support::{PATIENCE, connect, websocket};

/// The ways to a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    Tcp,
    WebSocket,
}

impl Way {
    pub(crate) const ALL: [Self; 2] = [Self::Tcp, Self::WebSocket];
}

/// An open connection.
pub(crate) enum Connection {
    Tcp(TcpStream),
    WebSocket(Box<WebSocket<TcpStream>>),
}

/// What came, or did not.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Received {
    Bytes(Vec<u8>),
    Nothing,
    End,
}

impl Connection {
    pub(crate) fn open(server: &Server, way: Way) -> Self {
        match way {
            Way::Tcp => Self::Tcp(connect(server.resp())),
            Way::WebSocket => Self::WebSocket(Box::new(websocket(server, "/redis"))),
        }
    }

    /// Sends `bytes`; in messages of their own, several if need be.
    pub(crate) fn send(&mut self, bytes: &[u8]) {
        // The server may close before it has taken everything.
        match self {
            Self::Tcp(stream) => drop(stream.write_all(bytes)),
            Self::WebSocket(socket) => {
                for chunk in bytes.chunks(10_000) {
                    let _ = socket.send(Message::binary(chunk.to_vec()));
                }
            }
        }
    }

    /// What comes next, within `patience`.
    pub(crate) fn receive(&mut self, patience: Duration) -> Received {
        let stream = match self {
            Self::Tcp(stream) => stream,
            Self::WebSocket(socket) => socket.get_mut(),
        };
        stream.set_read_timeout(Some(patience)).unwrap();
        let received = match self {
            Self::Tcp(stream) => {
                let mut bytes = vec![0; 64 * 1024];
                stream.read(&mut bytes).map(|length| {
                    bytes.truncate(length);
                    bytes
                })
            }
            Self::WebSocket(socket) => match socket.read() {
                Ok(Message::Binary(message)) => Ok(message.to_vec()),
                Ok(Message::Close(_)) => Ok(Vec::new()),
                Ok(other) => panic!("expected a binary message, found {other:?}"),
                Err(Error::Io(error)) => Err(error),
                Err(error) => panic!("{error}"),
            },
        };
        match received {
            Ok(bytes) if bytes.is_empty() => Received::End,
            Ok(bytes) => Received::Bytes(bytes),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                Received::Nothing
            }
            Err(error) => panic!("{error}"),
        }
    }

    /// At least `length` bytes, or all there are before the end.
    pub(crate) fn receive_bytes(&mut self, length: usize) -> Vec<u8> {
        let mut all = Vec::new();
        while all.len() < length {
            match self.receive(PATIENCE) {
                Received::Bytes(bytes) => all.extend(bytes),
                Received::End => break,
                Received::Nothing => {
                    panic!("expected {length} bytes, found only \"{}\"", all.escape_ascii())
                }
            }
        }
        all
    }

    /// All there is until the end.
    pub(crate) fn receive_all(&mut self) -> String {
        String::from_utf8(self.receive_bytes(usize::MAX)).unwrap()
    }

    /// Sends `request` and expects exactly `reply`.
    #[track_caller]
    pub(crate) fn ask(&mut self, request: &str, reply: &str) {
        self.send(request.as_bytes());
        let found = self.receive_bytes(reply.len());
        assert_eq!(
            found.escape_ascii().to_string(),
            reply.as_bytes().escape_ascii().to_string(),
            "to {request:?}"
        );
    }
}
