//! A server in this process on free ports, and clients of it that never wait for ever.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::ops::Deref;
use std::time::Duration;

use clap::Parser;
use interleave_server::{Flags, Server};
use rust_embed::RustEmbed;
use tungstenite::handshake::HandshakeError;
use tungstenite::http::{Response, header};
use tungstenite::{ClientRequestBuilder, Error, WebSocket};

/// How long something that should happen by itself may take; generous, because test machines are busy.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A server that is stopped, and has stopped, when the test is over: a process has one recording, which the
/// next test's server wants for itself.
pub(crate) struct Running(Option<Server>);

impl Deref for Running {
    type Target = Server;

    fn deref(&self) -> &Server {
        self.0.as_ref().expect("only `shutdown` takes it")
    }
}

impl Running {
    /// Stops the server; how many clients were cut off.
    pub(crate) fn shutdown(mut self) -> usize {
        self.0.take().map_or(0, Server::shutdown)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.take().map(Server::shutdown);
    }
}

/// A page of a few bytes, whose compressed copies are none.
#[derive(RustEmbed)]
#[folder = "tests/support/page"]
struct Page;

/// Starts a server with `flags` on ports of its own.
pub(crate) fn start(flags: &[&str]) -> Running {
    let addresses =
        ["interleave-server", "--resp=127.0.0.1:0", "--http=127.0.0.1:0", "--shutdown-timeout-s=5"];
    let flags =
        Flags::try_parse_from(addresses.iter().chain(flags)).unwrap_or_else(|error| panic!("{error}"));
    Running(Some(Server::start(&flags, Page::get).unwrap_or_else(|error| panic!("{error}"))))
}

/// A socket to `address`, on which waiting longer than [`PATIENCE`] is an error.
pub(crate) fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap_or_else(|error| panic!("{address}: {error}"));
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

/// Sends `bytes` and reads as many as `expected` has, which they should be.
#[track_caller]
pub(crate) fn ask(mut stream: &TcpStream, bytes: &str, expected: &str) {
    stream.write_all(bytes.as_bytes()).unwrap();
    let mut found = vec![0; expected.len()];
    stream.read_exact(&mut found).unwrap_or_else(|error| panic!("expected {expected:?}: {error}"));
    assert_eq!(String::from_utf8_lossy(&found), expected);
}

/// The answer to a request for a WebSocket that is refused.
pub(crate) type Refusal = Box<Response<Option<Vec<u8>>>>;

/// A WebSocket to `path`, as a page at `origin` opens it, over `stream`; or the answer that refuses it.
pub(crate) fn open(
    server: &Server,
    path: &str,
    origin: Option<&str>,
    stream: TcpStream,
) -> Result<WebSocket<TcpStream>, Refusal> {
    let uri = format!("ws://{}{path}", server.http()).parse().unwrap();
    let mut request = ClientRequestBuilder::new(uri);
    if let Some(origin) = origin {
        request = request.with_header(header::ORIGIN.as_str(), origin);
    }
    match tungstenite::client(request, stream) {
        Ok((socket, _)) => Ok(socket),
        Err(HandshakeError::Failure(Error::Http(answer))) => Err(answer),
        Err(error) => panic!("{path}: {error}"),
    }
}

/// A WebSocket to `path`, as a program opens it.
pub(crate) fn websocket(server: &Server, path: &str) -> WebSocket<TcpStream> {
    open(server, path, None, connect(server.http())).unwrap_or_else(|answer| panic!("{path}: {answer:?}"))
}
