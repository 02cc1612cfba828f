//! A client of a server without transport or task: commands against one store, replies printed.
//!
//! Owns the steps every session takes with a request. Time stands still unless told to pass.

use std::sync::Arc;

use bytes::BytesMut;
use interleave::command::{self, Client, Config, Ctx, Found, Peer, Run, Server, SessionCtx};
use interleave::resp::{Args, Batch, Reply, ReplyDecoder, Value};
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

    /// The reply to a request. One that would wait is answered as if its time had passed.
    pub(crate) fn request(&mut self, arguments: &[impl AsRef<[u8]>]) -> Value {
        let mut batch = Batch::default();
        batch.push(arguments);
        let args = batch.request(0);
        let mut out = BytesMut::new();
        let gathered = match command::resolve(args) {
            Err(mistake) => Some(Err(self.client.refuse(args, mistake))),
            Ok(found) => {
                self.client.note_command(found, self.now_ms);
                match command::admit(&self.client, found.spec) {
                    Ok(()) => self.client.gather(found, args, &self.server.config.limits),
                    Err(mistake) => Some(Err(self.client.refuse(args, mistake))),
                }
            }
        };
        match (gathered, command::resolve(args)) {
            (None, Ok(found)) if matches!(found.spec.run, Run::Exec) => self.exec(&mut out),
            (None, Ok(found)) => self.run(found, args, false, &mut out),
            (Some(Ok(())), _) => Reply::new(&mut out, self.client.protocol()).simple("QUEUED"),
            (Some(Err(mistake)), _) | (None, Err(mistake)) => {
                Reply::new(&mut out, self.client.protocol()).error(mistake);
            }
        }
        let value = ReplyDecoder::default().decode(&mut out).expect("a good reply").expect("a whole reply");
        assert!(out.is_empty(), "more than one reply: {args:?}");
        value
    }

    /// Appends the reply to one command. None waits, and in a transaction some say so in another way.
    fn run(&mut self, found: Found, args: Args<'_>, in_transaction: bool, out: &mut BytesMut) {
        let before = out.len();
        let mut reply = Reply::new(out, self.client.protocol());
        let database = self.client.database();
        self.keyspace.select(database);
        let watcher = self.client.watcher().clone();
        let mut ctx = Ctx {
            keyspace: &mut self.keyspace,
            database,
            now_ms: self.now_ms,
            random: &mut self.random,
            server: &self.server,
            watcher: &watcher,
        };
        let outcome = match found.spec.run {
            Run::Session(run) => {
                let mut ctx =
                    SessionCtx { client: &mut self.client, server: &self.server, now_ms: self.now_ms };
                run(&mut ctx, args, &mut reply)
            }
            Run::Keyspace(run) => run(&mut ctx, args, &mut reply),
            Run::Blocking(run) => run(&mut ctx, args, None, &mut reply).map(|wait| match wait {
                Some(wait) if in_transaction && !wait.null_array => reply.null(),
                Some(_) => reply.null_array(),
                None => {}
            }),
            _ => unreachable!("EXEC is carried out elsewhere"),
        };
        for index in 0..self.keyspace.count() {
            for store in self.keyspace.shard(index).stores() {
                match outcome {
                    Ok(()) => drop(store.settle()),
                    Err(_) => store.settle_nothing(),
                }
            }
        }
        if let Err(mistake) = outcome {
            assert_eq!(out.len(), before, "a mistake after part of a reply: {args:?}");
            Reply::new(out, self.client.protocol()).error(mistake);
        }
    }

    fn exec(&mut self, out: &mut BytesMut) {
        let transaction = match self.client.end_transaction() {
            Ok(transaction) => transaction,
            Err(mistake) => return Reply::new(out, self.client.protocol()).error(mistake),
        };
        let watcher = self.client.watcher().clone();
        let broken = watcher.is_dirty();
        watcher.forget();
        let mut reply = Reply::new(out, self.client.protocol());
        if broken {
            reply.null_array();
        } else {
            reply.array(transaction.requests().len());
            for (found, args) in transaction.requests() {
                self.run(found, args, true, out);
            }
        }
        drop(transaction.into_client());
    }
}
