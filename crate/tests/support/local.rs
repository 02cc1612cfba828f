//! A client of a server without transport or task: commands against one store, replies printed.
//!
//! Owns the steps every session takes with a request. Time stands still unless told to pass.

use std::sync::Arc;

use bytes::BytesMut;
use interleave::command::{self, Client, Config, Ctx, Peer, Run, Server, SessionCtx};
use interleave::resp::{Batch, Reply, ReplyDecoder, Value};
use interleave::store::Keyspace;

/// One client and the keyspace it alone uses.
pub(crate) struct Local<K> {
    pub(crate) keyspace: K,
    pub(crate) now_ms: u64,
    server: Arc<Server>,
    client: Client,
    random: fastrand::Rng,
}

impl<K: Keyspace> Local<K> {
    pub(crate) fn new(keyspace: K) -> Self {
        // Any time will do; transcripts take 1970 as past and 2096 as future.
        let now_ms = 1_800_000_000_000;
        let server = Arc::new(Server::new(Config::default(), now_ms, 7));
        let client = server.connect(Peer::default(), now_ms).expect("the first client is let in");
        Self { keyspace, now_ms, server, client, random: fastrand::Rng::with_seed(7) }
    }

    /// The reply to a request.
    pub(crate) fn request(&mut self, arguments: &[impl AsRef<[u8]>]) -> Value {
        let mut batch = Batch::default();
        batch.push(arguments);
        let args = batch.request(0);
        let mut out = BytesMut::new();
        let mut reply = Reply::new(&mut out, self.client.protocol());
        let outcome = command::resolve(args).and_then(|found| {
            self.client.note_command(found, self.now_ms);
            command::admit(&self.client, found.spec)?;
            match found.spec.run {
                Run::Session(run) => {
                    let mut ctx =
                        SessionCtx { client: &mut self.client, server: &self.server, now_ms: self.now_ms };
                    run(&mut ctx, args, &mut reply)
                }
                Run::Keyspace(run) => {
                    let mut ctx = Ctx {
                        keyspace: &mut self.keyspace,
                        now_ms: self.now_ms,
                        random: &mut self.random,
                        server: &self.server,
                    };
                    run(&mut ctx, args, &mut reply)
                }
            }
        });
        if let Err(mistake) = outcome {
            assert!(out.is_empty(), "a mistake after part of a reply: {args:?}");
            Reply::new(&mut out, self.client.protocol()).error(mistake);
        }
        let value = ReplyDecoder::default().decode(&mut out).expect("a good reply").expect("a whole reply");
        assert!(out.is_empty(), "more than one reply: {args:?}");
        value
    }
}
