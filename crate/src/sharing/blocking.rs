//! Commands that wait for a key to have something: who waits, and serving them when it has.
//!
//! A client that finds nothing leaves a [`Ticket`] with the store, under the same hold of the lock, and its task awaits the
//! answer. Whoever changes the key carries the waiting command out in its stead, first come, first served, before it lets
//! the lock go. Giving up and being served meet at the ticket: whoever takes its promise first decides.
//!
//! Owns the tickets. Knows no lock; who has several shards holds those that [`Ticket::is_far`] asks for.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::BytesMut;

use crate::command::{Ctx, Flag, Found, Run, Server, Wait};
use crate::resp::{Args, Batch, Protocol, Reply};
use crate::rt::{Answer, Promise, Rt, ledger, step};
use crate::store::{Done, Keyspace, Store, Waiter, Watcher};

use super::job::{Asked, Executor};
use super::mirror::Mirror;

/// A command that waits.
#[derive(Debug)]
pub(crate) struct Ticket {
    /// The request alone.
    request: Batch,
    found: Found,
    database: usize,
    client: u32,
    protocol: Protocol,
    watcher: Arc<Watcher>,
    is_far: bool,
    minds_absence: bool,
    server: Arc<Server>,
    mirror: Option<Arc<Mirror>>,
    /// Who takes it decides what the client is answered. While the command is carried out it is held, within the store's
    /// lock; nothing else is locked while it is held.
    promise: Mutex<Option<Promise<BytesMut>>>,
}

impl Ticket {
    fn promise(&self) -> MutexGuard<'_, Option<Promise<BytesMut>>> {
        // A panic while it is held has taken the promise with it or left it where it is.
        self.promise.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn args(&self) -> Args<'_> {
        self.request.request(0)
    }
}

impl Waiter for Ticket {
    fn is_over(&self) -> bool {
        self.promise().is_none()
    }

    fn is_far(&self) -> bool {
        self.is_far
    }

    fn minds_absence(&self) -> bool {
        self.minds_absence
    }

    fn digest(&self) -> u64 {
        let words: Vec<&[u8]> = self.args().iter().collect();
        ledger::digest((self.watcher.identity(), self.database, words))
    }

    fn serve(
        &self,
        key: &[u8],
        keyspace: &mut dyn Keyspace,
        now_ms: u64,
        random: &mut fastrand::Rng,
        done: Done<'_>,
    ) -> bool {
        let mut place = self.promise();
        let Some(promise) = place.take() else { return true };
        let Run::Blocking(run) = self.found.spec.run else {
            unreachable!("no other command leaves a ticket")
        };
        let mut out = BytesMut::new();
        let mut reply = Reply::new(&mut out, self.protocol);
        let (database, server, watcher) = (self.database, &*self.server, &self.watcher);
        let mut ctx = Ctx { keyspace: &mut *keyspace, database, now_ms, random, server, watcher };
        match run(&mut ctx, self.args(), Some(key), &mut reply) {
            Ok(None) if self.found.spec.has(Flag::Write) => {
                done(keyspace, &self.args().iter().collect::<Vec<_>>());
            }
            Ok(None) => {}
            Ok(Some(_)) => {
                *place = Some(promise);
                return false;
            }
            Err(mistake) => {
                reply.error(mistake);
                // It has changed nothing.
                for index in 0..keyspace.count() {
                    keyspace.shard(index).stores().for_each(Store::settle_nothing);
                }
            }
        }
        if let Some(mirror) = &self.mirror {
            let keys = self.found.spec.keys(self.args());
            for other in keys.iter(self.args()) {
                if self.is_far || keyspace.is_same_shard(key, other) {
                    mirror.note(self.client, other, keyspace);
                }
            }
        }
        // What it was answered is all that the others know of it.
        ledger::read(&out[..]);
        // A client that leaves in this moment takes what it was given with it.
        let _ = promise.keep(out);
        true
    }

    fn release(&self, error: Option<&str>) -> bool {
        let Some(promise) = self.promise().take() else { return false };
        let mut out = BytesMut::new();
        let mut reply = Reply::new(&mut out, self.protocol);
        match error {
            Some(error) => reply.error(error),
            None => reply.null_array(),
        }
        // A client that has left awaits nothing.
        promise.keep(out).is_ok()
    }
}

/// What a client awaits whose command found nothing.
#[derive(Debug)]
pub(crate) struct Blocked {
    /// Its place among those who wait.
    pub(crate) ticket: Arc<Ticket>,
    /// The reply, to come.
    answer: Answer<BytesMut>,
    /// How long it waits; `None`: for ever.
    timeout: Option<Duration>,
}

impl Blocked {
    /// Awaits the reply; `None` if the time passes first, and then nothing was taken for it. Cancelled, it still waits.
    pub(crate) async fn ended(&mut self, rt: &Rt) -> Option<BytesMut> {
        if let Some(timeout) = self.timeout {
            step::preempt_before_sleep().await;
            match rt.timeout(timeout, &mut self.answer).await {
                Some(answer) => return answer,
                None if self.give_up() => return None,
                // Served in this very moment.
                None => {}
            }
        }
        (&mut self.answer).await
    }

    /// Waits no longer; false if the reply is there already, or on its way.
    fn give_up(&self) -> bool {
        let gave_up = self.ticket.promise().take().is_some();
        ledger::read(("gives up", gave_up));
        step::acted();
        gave_up
    }
}

impl Drop for Blocked {
    fn drop(&mut self) {
        // Its client has left: nobody is to be served in its place.
        self.ticket.promise().take();
    }
}

/// Keys that commands have changed and somebody waits for, each with its database, in the order of the changes.
#[derive(Debug, Default)]
pub(super) struct Ready(VecDeque<(usize, Box<[u8]>)>);

impl Ready {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// A command is done, or has failed and changed nothing: whoever watches is told, whoever waits is noted.
    pub(super) fn settle(&mut self, keyspace: &mut dyn Keyspace, failed: bool) {
        for index in 0..keyspace.count() {
            for (database, store) in keyspace.shard(index).stores().enumerate() {
                if failed {
                    store.settle_nothing();
                }
                if store.is_touched() {
                    self.0.extend(store.settle().into_iter().map(|key| (database, key)));
                }
            }
        }
    }
}

impl Executor {
    /// Lets a command that found nothing wait, behind those who wait for the same keys already.
    #[cold]
    pub(super) fn block(
        &self,
        asked: Asked<'_>,
        protocol: Protocol,
        wait: &Wait,
        keyspace: &mut dyn Keyspace,
    ) -> Blocked {
        let Asked { found, args, database, client, watcher } = asked;
        let mut request = Batch::default();
        let mut words: Vec<&[u8]> = args.iter().collect();
        wait.settled.iter().for_each(|(at, word)| words[*at] = word);
        request.push(&words);
        let (promise, answer) = self.answers.promise();
        // Who waits for several keys is served by one of them; who waits for one may need others to put it there.
        let mut waited = wait.keys.iter(args);
        let is_far = match (waited.next(), waited.next()) {
            (Some(only), None) => {
                found.spec.keys(args).iter(args).any(|other| !keyspace.is_same_shard(only, other))
            }
            _ => false,
        };
        let ticket = Arc::new(Ticket {
            request,
            found,
            database,
            client,
            protocol,
            watcher: Arc::clone(watcher),
            is_far,
            minds_absence: wait.minds_absence,
            server: Arc::clone(&self.server),
            mirror: self.mirror.clone(),
            promise: Mutex::new(Some(promise)),
        });
        let mut seen: Vec<&[u8]> = Vec::new();
        for key in wait.keys.iter(args) {
            if !seen.contains(&key) {
                seen.push(key);
                keyspace.store(key).wait(key, Arc::clone(&ticket) as Arc<dyn Waiter>);
            }
        }
        Blocked { ticket, answer, timeout: wait.timeout }
    }

    /// Serves those who wait for what was changed, in the order they came, and those who wait for what that changes in
    /// turn. `database` is selected again in the end.
    pub(super) fn serve(&mut self, keyspace: &mut dyn Keyspace, database: usize, now_ms: u64) {
        while let Some((of, key)) = self.ready.0.pop_front() {
            let mut waiters = keyspace.shard_of(&key).of(of).take_waiters(&key);
            let mut left = VecDeque::new();
            keyspace.select(of);
            let mut is_there = true;
            while let Some(waiter) = waiters.pop_front() {
                // Once it has gone nobody brings it back: who minds that is told, and changes nothing.
                is_there = is_there && keyspace.store(&key).peek(&key, now_ms).is_some();
                let journal = &mut self.journal;
                let mut written = |keyspace: &mut dyn Keyspace, words: &[&[u8]]| {
                    if let Some(journal) = journal {
                        journal.note_vanished(keyspace, now_ms);
                        journal.note_served(words, &key, of, now_ms);
                        journal.append();
                    }
                };
                // One that waits for another type is passed over.
                if !is_there && !waiter.minds_absence()
                    || !waiter.serve(&key, keyspace, now_ms, &mut self.random, &mut written)
                {
                    left.push_back(waiter);
                } else if keyspace.any_touched() {
                    self.ready.settle(keyspace, false);
                }
            }
            keyspace.shard_of(&key).of(of).put_back(&key, left);
        }
        if self.journal.is_some() {
            // All of it is written down; the next command begins with nothing changed.
            keyspace.take_changed();
        }
        keyspace.select(database);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::{Client, Config, Peer, resolve};
    use crate::engine::CurrentThread;
    use crate::rt::Answers;
    use crate::sharing::job::{Done, Labels};
    use crate::store::Databases;

    /// A client's request carried out, and what it waits for then, if it does.
    fn ask(
        executor: &mut Executor,
        client: &Client,
        databases: &mut Databases,
        words: &[&str],
    ) -> Option<Blocked> {
        let mut batch = Batch::default();
        batch.push(words);
        let args = batch.request(0);
        let (found, watcher, id) = (resolve(args).unwrap(), client.watcher(), client.id() as u32);
        let asked = Asked { found, args, database: 0, client: id, watcher };
        let mut out = BytesMut::new();
        let mut reply = Reply::new(&mut out, Protocol::Resp2);
        match executor.carry_out(asked, databases, 0, &mut reply) {
            Done::Waits(wait) => Some(executor.block(asked, Protocol::Resp2, &wait, databases)),
            _ => None,
        }
    }

    #[test]
    fn active_expiry_tells_who_reads_for_a_group() {
        let rt = CurrentThread::new(10).rt();
        let server = Arc::new(Server::new(Config::default(), 10, 7));
        let client = server.connect(Peer::default(), 10).unwrap();
        let (labels, answers) = (Labels::new(), Answers::new("element"));
        let mut executor = Executor::new(&labels, &rt, &server, &answers, None, 7);
        let mut databases = Databases::default();
        let request = |executor: &mut Executor, databases: &mut Databases, line: &str| {
            ask(executor, &client, databases, &line.split(' ').collect::<Vec<_>>())
        };
        request(&mut executor, &mut databases, "XGROUP CREATE s g $ MKSTREAM");
        let reads =
            request(&mut executor, &mut databases, "XREADGROUP GROUP g c BLOCK 0 STREAMS s >").unwrap();
        // Its time is to come at 5, and it is 10 by the clock of whoever looks.
        request(&mut executor, &mut databases, "PEXPIREAT s 5");
        executor.serve(&mut databases, 0, 0);
        assert!(!Waiter::is_over(&*reads.ticket), "a stream that is there has nothing new");
        executor.expire(&mut databases);
        assert!(Waiter::is_over(&*reads.ticket), "told that it is gone");
    }

    #[test]
    fn a_hundred_thousand_who_waited_leave_nothing() {
        let rt = CurrentThread::new(0).rt();
        let server = Arc::new(Server::new(Config::default(), 0, 7));
        let client = server.connect(Peer::default(), 0).unwrap();
        let (labels, answers) = (Labels::new(), Answers::new("element"));
        let mut executor = Executor::new(&labels, &rt, &server, &answers, None, 7);
        let mut databases = Databases::default();
        let stays = ask(&mut executor, &client, &mut databases, &["BLPOP", "stays", "0"]).unwrap();
        let mut most = 0;
        for number in 0..100_000 {
            // To one key, and each to one of its own.
            let own = number.to_string();
            let waits = ask(&mut executor, &client, &mut databases, &["BLPOP", "l", &own, "0.001"]);
            assert!(waits.is_some_and(|blocked| blocked.give_up()));
            most = most.max(databases.selected().onlookers());
        }
        assert!(most < 200, "{most}");
        executor.expire(&mut databases);
        assert_eq!(databases.selected().onlookers(), 1, "the one who still waits");
        assert!(stays.give_up());
        executor.expire(&mut databases);
        assert_eq!(databases.selected().onlookers(), 0);
    }
}
