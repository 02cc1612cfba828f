//! A client's connection: requests in, replies out.
//!
//! Owns the encoding and the waiting. What is at the other end is a real session: one of the run's own on a pipe in memory,
//! or one of a server that runs already, reached as the host says. Or there is none, and commands go straight to the data
//! ([`direct`](super::direct)). Knows no statement.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::Arc;

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, duplex};

use super::direct::Direct;
use crate::command::Peer;
use crate::resp::{ReplyDecoder, Value, encode_request};
use crate::scope::event::Event;
use crate::scope::record;
use crate::session::{Service, read_some, write_some};

/// How much either side may write before the other reads. A request or reply longer than this goes in pieces.
const PIPE_BYTES: usize = 16 * 1024;

/// How the clients of a run reach a server that runs already.
pub trait Connect: fmt::Debug + Send + Sync {
    /// A connection to be made: the client called `name` awaits it before its first command.
    fn connect(&self, name: &str) -> Connecting;
}

/// A connection on its way.
pub type Connecting = Pin<Box<dyn Future<Output = io::Result<Box<dyn Stream>>> + Send>>;

/// What carries the bytes of a connection.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// Where the sessions of a run are.
#[derive(Debug)]
pub(super) enum Way {
    /// In the run itself, on a server of its own.
    Here(Box<Service>),
    /// There are none.
    Direct(Box<Service>),
    /// With a server that runs already.
    There(Arc<dyn Connect>),
}

/// One open connection.
#[derive(Debug)]
pub(super) enum Link {
    /// To a session.
    Session(Box<Session>),
    /// To the data.
    Direct(Box<Direct>),
}

impl Link {
    /// Connects the client called `name`. In the run itself this spawns its session.
    pub(super) fn open(way: &Way, name: &str) -> Self {
        let peer = || Peer { address: name.to_owned(), local_address: "scenario".to_owned() };
        let carrier = match way {
            Way::Direct(service) => return Self::Direct(Box::new(Direct::open(service, name, peer()))),
            Way::Here(service) => {
                let (near, far) = duplex(PIPE_BYTES);
                service.spawn(far, peer());
                Carrier::Connected(Box::new(near))
            }
            Way::There(server) => Carrier::Connecting(server.connect(name)),
        };
        let (decoder, out, arrived) = (ReplyDecoder::default(), BytesMut::new(), BytesMut::new());
        Self::Session(Box::new(Session { carrier, decoder, out, arrived }))
    }

    /// Sends one request and waits for its reply.
    pub(super) async fn call(&mut self, request: &[impl AsRef<[u8]>]) -> io::Result<Value> {
        match self {
            Self::Session(session) => session.call(request).await,
            Self::Direct(direct) => direct.call(request).await,
        }
    }
}

/// A connection to a session.
pub(super) struct Session {
    carrier: Carrier,
    decoder: ReplyDecoder,
    // Both are empty between calls.
    out: BytesMut,
    arrived: BytesMut,
}

enum Carrier {
    Connecting(Connecting),
    Connected(Box<dyn Stream>),
    /// It could not be connected.
    Refused,
}

impl Carrier {
    /// The stream, once there is one.
    async fn connected(&mut self) -> io::Result<&mut Box<dyn Stream>> {
        if let Self::Connecting(connecting) = self {
            match connecting.await {
                Ok(stream) => *self = Self::Connected(stream),
                Err(error) => {
                    *self = Self::Refused;
                    return Err(error);
                }
            }
        }
        match self {
            Self::Connected(stream) => Ok(stream),
            Self::Connecting(_) | Self::Refused => Err(io::ErrorKind::NotConnected.into()),
        }
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let connected = matches!(self.carrier, Carrier::Connected(_));
        f.debug_struct("Session").field("connected", &connected).finish_non_exhaustive()
    }
}

impl Session {
    async fn call(&mut self, request: &[impl AsRef<[u8]>]) -> io::Result<Value> {
        let Self { carrier, decoder, out, arrived } = self;
        let stream = carrier.connected().await?;
        encode_request(request, out);
        let bytes = out.len() as u32;
        while !out.is_empty() {
            write_some(stream, out).await?;
        }
        stream.flush().await?;
        record::record(Event::Write { bytes });
        loop {
            if let Some(reply) = decoder.decode(arrived).map_err(io::Error::other)? {
                return Ok(reply);
            }
            if read_some(stream, arrived).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }
}
