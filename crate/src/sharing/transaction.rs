//! Carrying out a transaction, its stores held from the first request to the last.
//!
//! Owns the order of replies and what a broken watch comes to. Which stores those are and how they are held, each way of
//! sharing knows.

use bytes::BytesMut;

use crate::command::{self, Calls, Flag, Run, SessionCtx, Transaction};
use crate::resp::Reply;
use crate::store::Keyspace;

use super::job::{Asked, Done, Executor, Job};

impl Executor {
    /// Carries out the transaction of `job`, all of whose stores, and those of the keys its client watches, are in `keyspace`.
    /// Commands about the connection are carried out here, too: what comes after them may depend on them.
    #[cold]
    pub(super) fn run_transaction<K: Keyspace>(&mut self, job: &mut Job, keyspace: &mut K, now_ms: u64) {
        if let Some(transaction) = &mut job.transaction {
            self.exec(transaction, &mut job.replies, keyspace, now_ms);
            if keyspace.any_touched() {
                // Not carried out, it has still found keys whose time had come.
                self.ready.settle(keyspace, false);
            }
            keyspace.select(job.database);
        }
    }

    fn exec<K: Keyspace>(
        &mut self,
        transaction: &mut Transaction,
        replies: &mut BytesMut,
        keyspace: &mut K,
        now_ms: u64,
    ) {
        // All or nothing: it may not be refused in the middle.
        let refused = self.journal.as_ref().and_then(|journal| {
            transaction.requests().find_map(|(found, _)| journal.admit(found.spec).err())
        });
        let refused = refused.or_else(|| {
            let of = (transaction.client.id() as u32, transaction.client.database());
            let needy = transaction.requests().find(|(found, _)| found.spec.has(Flag::DenyOom));
            needy.and_then(|(found, _)| self.make_room(found.spec, of, keyspace).err())
        });
        let (client, requests) = transaction.split();
        let watcher = client.watcher().clone();
        for (database, key) in watcher.keys().iter() {
            // One whose time has come since counts as changed, and looking for it is how it goes.
            keyspace.shard_of(key).of(*database).peek(key, now_ms);
        }
        let broken = watcher.is_dirty();
        watcher.forget();
        let mut reply = Reply::new(replies, client.protocol());
        if broken {
            reply.null_array();
            return;
        }
        if let Some(mistake) = refused {
            reply.error(mistake.discards_transaction());
            return;
        }
        reply.array(requests.len());
        let mut since_ns = self.rt.now_ns();
        for (found, args) in requests {
            let mut failed = false;
            if let Run::Session(run) = found.spec.run {
                let mut ctx = SessionCtx { client, server: &self.server, now_ms };
                let admitted = command::admit_in_transaction(found.spec);
                if let Err(mistake) = admitted.and_then(|()| run(&mut ctx, args, &mut reply)) {
                    failed = true;
                    self.server.errors.count(&mistake);
                    reply.error(mistake);
                }
                keyspace.select(client.database());
            } else {
                let (database, id) = (client.database(), client.id() as u32);
                let asked = Asked { found, args, database, client: id, watcher: &watcher };
                match self.carry_out(asked, keyspace, now_ms, &mut reply) {
                    Done::Answered => {}
                    Done::Failed => failed = true,
                    // It may not wait here: its time has passed at once.
                    Done::Waits(wait) if wait.null_array => reply.null_array(),
                    Done::Waits(_) => reply.null(),
                }
            }
            command::show(client, found.spec, args, now_ms);
            let now_ns = self.rt.now_ns();
            let took_ns = now_ns.saturating_sub(std::mem::replace(&mut since_ns, now_ns));
            self.server.calls.count(found, Calls { calls: 1, failed: failed.into(), took_ns: Some(took_ns) });
        }
    }
}
