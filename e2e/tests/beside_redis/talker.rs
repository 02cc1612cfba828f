//! A connection that says what it is told and hands out replies byte by byte. Knows no command.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::{Duration, Instant};

use bytes::BytesMut;
use interleave::resp::{ReplyDecoder, Value, encode_request};
use interleave_e2e::PATIENCE;

/// A reply, as it was sent and as it reads.
#[derive(Debug)]
pub(crate) struct Replied {
    pub(crate) bytes: Vec<u8>,
    pub(crate) value: Value,
}

/// One client of one server.
pub(crate) struct Talker {
    stream: TcpStream,
    decoder: ReplyDecoder,
    arrived: BytesMut,
    /// The bytes of the reply that comes next, those in `arrived` at its end.
    raw: Vec<u8>,
    ended: bool,
}

impl Talker {
    pub(crate) fn connect(port: u16) -> Self {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).expect("the server listens");
        stream.set_nodelay(true).expect("a socket takes options");
        Self {
            stream,
            decoder: ReplyDecoder::default(),
            arrived: BytesMut::new(),
            raw: Vec::new(),
            ended: false,
        }
    }

    /// Sends `requests` at once. One that the server does not want any more is lost.
    pub(crate) fn send(&mut self, requests: &[Vec<Vec<u8>>]) {
        let mut bytes = BytesMut::new();
        requests.iter().for_each(|request| encode_request(request, &mut bytes));
        self.ended |= self.stream.write_all(&bytes).is_err();
    }

    /// The next reply; `None` if the server closes the connection instead.
    ///
    /// # Panics
    /// When neither comes.
    pub(crate) fn reply(&mut self) -> Option<Replied> {
        let began = Instant::now();
        loop {
            if let Some(value) = self.decoder.decode(&mut self.arrived).expect("what came is a reply") {
                let rest = self.raw.split_off(self.raw.len() - self.arrived.len());
                return Some(Replied { bytes: std::mem::replace(&mut self.raw, rest), value });
            }
            if self.ended {
                return None;
            }
            assert!(began.elapsed() < PATIENCE, "no reply comes; so far: {}", self.raw.escape_ascii());
            self.receive(PATIENCE);
        }
    }

    /// What `request` is answered.
    pub(crate) fn ask(&mut self, request: &[Vec<u8>]) -> Option<Replied> {
        self.send(&[request.to_vec()]);
        self.reply()
    }

    /// What has arrived and was not handed out yet, and whether the server closed the connection after it.
    pub(crate) fn heard(&self) -> (&[u8], bool) {
        (&self.raw, self.ended)
    }

    /// Hands out nothing of what was [heard](Self::heard) any more.
    pub(crate) fn forget(&mut self) {
        self.raw.clear();
        self.arrived.clear();
    }

    /// Waits for more bytes, no longer than `patience`.
    pub(crate) fn receive(&mut self, patience: Duration) {
        if self.ended {
            return;
        }
        self.stream.set_read_timeout(Some(patience)).expect("a socket takes options");
        let mut bytes = [0; 16 * 1024];
        match self.stream.read(&mut bytes) {
            Ok(0) => self.ended = true,
            Ok(read) => {
                self.raw.extend_from_slice(&bytes[..read]);
                self.arrived.extend_from_slice(&bytes[..read]);
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            // Closed with something unread.
            Err(_) => self.ended = true,
        }
    }
}
