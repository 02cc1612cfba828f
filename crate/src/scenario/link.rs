//! A client's connection: requests in, replies out.
//!
//! Owns the encoding and the waiting. What is at the other end is a real session on a pipe in memory; a socket, or the
//! store without a session, would be another way to make one. Knows no statement.

use std::io;

use bytes::BytesMut;
use tokio::io::{AsyncWriteExt, DuplexStream, duplex};

use crate::command::Peer;
use crate::resp::{ReplyDecoder, Value, encode_request};
use crate::scope::event::Event;
use crate::scope::record;
use crate::session::{Service, read_some, write_some};

/// How much either side may write before the other reads. A request or reply longer than this goes in pieces.
const PIPE_BYTES: usize = 16 * 1024;

/// One open connection.
#[derive(Debug)]
pub(super) struct Link {
    stream: DuplexStream,
    decoder: ReplyDecoder,
    // Both are empty between calls.
    out: BytesMut,
    arrived: BytesMut,
}

impl Link {
    /// Connects the client called `name`: spawns its session.
    pub(super) fn open(service: &Service, name: &str) -> Self {
        let (near, far) = duplex(PIPE_BYTES);
        service.spawn(far, Peer { address: name.to_owned(), local_address: "scenario".to_owned() });
        Self {
            stream: near,
            decoder: ReplyDecoder::default(),
            out: BytesMut::new(),
            arrived: BytesMut::new(),
        }
    }

    /// Sends one request and waits for its reply.
    pub(super) async fn call(&mut self, request: &[impl AsRef<[u8]>]) -> io::Result<Value> {
        encode_request(request, &mut self.out);
        self.flush().await?;
        self.reply().await
    }

    async fn flush(&mut self) -> io::Result<()> {
        let bytes = self.out.len() as u32;
        while !self.out.is_empty() {
            write_some(&mut self.stream, &mut self.out).await?;
        }
        self.stream.flush().await?;
        record::record(Event::Write { bytes });
        Ok(())
    }

    async fn reply(&mut self) -> io::Result<Value> {
        loop {
            if let Some(reply) = self.decoder.decode(&mut self.arrived).map_err(io::Error::other)? {
                return Ok(reply);
            }
            if read_some(&mut self.stream, &mut self.arrived).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }
}
