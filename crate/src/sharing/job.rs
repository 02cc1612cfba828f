//! Requests on their way to the data, and what carries them out once they are there.
//!
//! A [`Job`] owns its bytes, so that it can be run in place under a lock or moved to another task as it is. Knows no
//! lock and no channel; each way of sharing brings its own.

use std::mem;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use bytes::BytesMut;

use crate::command::{
    Calls, Client, Ctx, Flag, Found, Keys, Mistake, Run, Server, Slow, Spec, TABLE, Transaction, Wait,
};
use crate::resp::{Args, Batch, Protocol, Reply};
use crate::rt::{Answers, Rt, ledger, step};
use crate::scope::event::{Event, LabelId, ObjectId, REFUSED};
use crate::scope::record;
use crate::store::{FETCHED_TOGETHER, Keyspace, Needed, Store, Watcher, fetch};

use super::blocking::{Blocked, Ready};
use super::journal::Journal;
use super::mirror::Mirror;

/// Replies are written to the client before another command runs once they are this many bytes: a pipeline of large
/// reads costs the client's patience, not our memory.
pub(crate) const REPLY_BYTES_MAX: usize = 64 * 1024;

/// One connection's requests for the keyspace, and the replies so far.
#[derive(Debug, Default)]
pub(crate) struct Job {
    /// All requests that arrived together, those for the keyspace among them.
    pub(crate) batch: Batch,
    /// Replies not yet written to the client.
    pub(crate) replies: BytesMut,
    /// What the client speaks.
    pub(crate) protocol: Protocol,
    /// Whose requests these are, as stores know it. None only in a job that stands in for one that is elsewhere.
    pub(crate) watcher: Option<Arc<Watcher>>,
    /// What the EXEC among the requests carries out, which is alone then.
    pub(crate) transaction: Option<Box<Transaction>>,
    /// What the last request that has run waits for, if it does; then the others wait, too.
    pub(crate) blocked: Option<Box<Blocked>>,
    /// The database the requests are for.
    pub(crate) database: usize,
    /// Whose requests these are.
    pub(crate) client: u32,
    /// Where in the log the last command stands that was written down; 0 before the first.
    pub(crate) logged: u64,
    /// In order; the first `done` have run, and of these the first `ended` are recorded as ended.
    requests: Vec<Request>,
    started: usize,
    done: usize,
    ended: usize,
}

/// How far a [`Job`] has come.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Standing {
    done: usize,
    replies_bytes: usize,
}

#[derive(Clone, Copy, Debug)]
struct Request {
    index: usize,
    found: Found,
    failed: bool,
    /// It failed before it began.
    rejected: bool,
}

impl Job {
    /// Nothing to do yet for `client`.
    pub(crate) fn new(client: &Client) -> Self {
        let watcher = Some(Arc::clone(client.watcher()));
        Self { client: client.id() as u32, protocol: client.protocol(), watcher, ..Self::default() }
    }

    /// Adds request `index` of the batch, which asks for `found`, a command on the keyspace.
    pub(crate) fn push(&mut self, index: usize, found: Found) {
        self.requests.push(Request { index, found, failed: false, rejected: false });
    }

    /// Where its requests and replies stand, for [`Self::refuse_since`].
    pub(crate) fn standing(&self) -> Standing {
        Standing { done: self.done, replies_bytes: self.replies.len() }
    }

    /// Puts `mistake` in the place of every reply made since it stood there. None of them may have been written.
    pub(crate) fn refuse_since(&mut self, standing: Standing, mistake: &Mistake) {
        self.replies.truncate(standing.replies_bytes);
        // One that waits has no reply yet.
        let answered = self.done - usize::from(self.blocked.is_some());
        for _ in standing.done..answered {
            Reply::new(&mut self.replies, self.protocol).error(mistake);
        }
    }

    /// Whether every request has run.
    pub(crate) fn is_done(&self) -> bool {
        self.done == self.requests.len()
    }

    /// Whether something else comes before more requests: the replies should be written, or the client waits.
    pub(crate) fn is_full(&self) -> bool {
        self.replies.len() >= REPLY_BYTES_MAX || self.blocked.is_some()
    }

    /// Forgets the requests, to be filled again.
    pub(crate) fn clear(&mut self) {
        self.requests.clear();
        (self.started, self.done, self.ended) = (0, 0, 0);
    }

    /// The arguments and the command of the next request, if there is one.
    pub(super) fn next(&self) -> Option<(Args<'_>, &'static Spec)> {
        let request = self.requests.get(self.done)?;
        Some((self.batch.request(request.index), request.found.spec))
    }

    /// Whether there is a next request and it takes next to no time.
    #[inline]
    pub(super) fn is_next_short(&self) -> bool {
        self.requests
            .get(self.done)
            .is_some_and(|request| request.found.spec.is_short(|| self.batch.request(request.index).len()))
    }

    /// Whether it is time to fetch what the next requests need.
    pub(super) fn is_to_fetch(&self) -> bool {
        // WebAssembly is sent to the page: there it is not worth its bytes.
        !cfg!(target_family = "wasm") && self.done.is_multiple_of(FETCHED_TOGETHER)
    }

    /// How many requests are left of those that are fetched together.
    pub(super) fn count_to_fetch(&self) -> usize {
        (self.requests.len() - self.done).min(FETCHED_TOGETHER)
    }

    /// What the requests that come next need, of those with just one key, as many as are fetched together; none but every so many
    /// requests, and none of a request on its own.
    pub(super) fn to_fetch(&self) -> impl Iterator<Item = Needed<'_>> + Clone {
        let ahead = if self.is_to_fetch() { &self.requests[self.done..] } else { &[] };
        let ahead = if ahead.len() > 1 { ahead } else { &[] };
        let ahead = ahead.iter().take(FETCHED_TOGETHER);
        ahead.filter_map(|request| {
            let (spec, args) = (request.found.spec, self.batch.request(request.index));
            Some(Needed { key: spec.only_key(args)?, element: spec.element(args) })
        })
    }

    /// Whether the next request, or one of its transaction, may need more memory.
    pub(super) fn next_needs_memory(&self) -> bool {
        match &self.transaction {
            Some(transaction) => transaction.requests().any(|(found, _)| found.spec.has(Flag::DenyOom)),
            None => self.next().is_some_and(|(_, spec)| spec.has(Flag::DenyOom)),
        }
    }

    /// Records that the next command starts.
    pub(super) fn start_one(&mut self, labels: &Labels) {
        if let Some(request) = self.requests.get(self.started) {
            self.started += 1;
            record::record(labels.start(self.client, request.found));
        }
    }

    /// Records that the command that has run ends and the next one starts; before that, that a lock was `released`.
    pub(super) fn go_on(&mut self, labels: &Labels, released: Option<ObjectId>) {
        match self.requests.get(self.started) {
            Some(next) if self.done == self.ended + 1 && !self.requests[self.ended].failed => {
                record::record_next(released, self.client, labels.of(next.found));
                (self.ended, self.started) = (self.done, self.started + 1);
            }
            // Whatever else is to be told is told one by one.
            _ => {
                if let Some(lock) = released {
                    record::record(Event::LockReleased { lock });
                }
                self.end();
                self.start_one(labels);
            }
        }
    }

    /// Leaves what has run unrecorded: whoever comes to watch now sees the next command start.
    pub(super) fn pass_over(&mut self) {
        (self.started, self.ended) = (self.done, self.done);
    }

    /// Records that every command starts: they go to the data in one message.
    pub(super) fn start_all(&mut self, labels: &Labels) {
        while self.started < self.requests.len() {
            self.start_one(labels);
        }
    }

    /// Records the end of every command that has run.
    pub(super) fn end(&mut self) {
        if let [first, rest @ ..] = &self.requests[self.ended..self.done] {
            record::record(Event::CommandEnd { failed: first.failed });
            for request in rest {
                record::record_at_last(Event::CommandEnd { failed: request.failed });
            }
        }
        self.ended = self.done;
    }

    /// Records the end of the command that has run, at the instant at which its lock was released.
    pub(super) fn end_at_release(&mut self) {
        for request in &self.requests[self.ended..self.done] {
            record::record_at_last(Event::CommandEnd { failed: request.failed });
        }
        self.ended = self.done;
    }
}

/// The numbers of the commands' names in events.
#[derive(Clone, Debug)]
pub(crate) struct Labels(Arc<[LabelId]>);

impl Labels {
    pub(crate) fn new() -> Self {
        // Exploring makes a server for every run, and asks for no name.
        static UNNAMED: LazyLock<Labels> = LazyLock::new(|| Labels(vec![LabelId(0); TABLE.len() + 1].into()));
        if !record::keeps_names() {
            return UNNAMED.clone();
        }
        Self(TABLE.iter().map(|spec| spec.name).chain([REFUSED]).map(record::label).collect())
    }

    /// The start of a request of `client` that no command takes.
    pub(crate) fn refused(&self, client: u32) -> Event {
        Event::CommandStart { client, command: self.0[TABLE.len()] }
    }

    /// The start of a command of `client`.
    pub(crate) fn start(&self, client: u32, found: Found) -> Event {
        Event::CommandStart { client, command: self.of(found) }
    }

    fn of(&self, found: Found) -> LabelId {
        self.0[found.index]
    }
}

/// A request for the data.
#[derive(Clone, Copy)]
pub(super) struct Asked<'a> {
    pub(super) found: Found,
    pub(super) args: Args<'a>,
    /// The database that is selected.
    pub(super) database: usize,
    pub(super) client: u32,
    pub(super) watcher: &'a Arc<Watcher>,
}

/// What came of a request for the data.
pub(super) enum Done {
    Answered,
    /// A mistake was answered, and nothing changed.
    Failed,
    /// Nothing was answered: there was nothing yet.
    Waits(Box<Wait>),
}

/// What carries commands out, given the data.
#[derive(Debug)]
pub(super) struct Executor {
    pub(super) labels: Labels,
    pub(super) rt: Rt,
    pub(super) server: Arc<Server>,
    /// Where onlookers see what the commands touched.
    pub(super) mirror: Option<Arc<Mirror>>,
    /// Where it is written down what the commands did.
    pub(super) journal: Option<Journal>,
    pub(super) random: fastrand::Rng,
    /// What was changed and is waited for, until those who wait are served.
    pub(super) ready: Ready,
    /// Where the answers to those who wait are numbered.
    pub(super) answers: Answers,
    /// The data is nobody else's.
    private: bool,
    /// When the last command ended, or the data was reached: the start of the next one.
    since_ns: u64,
    /// How long one may take before it is logged as slow.
    slow_ns: u64,
    /// How many commands have run since the clock was read, and how many right before these nobody timed.
    untimed: usize,
    unknown: usize,
    /// What the data takes, as far as it was counted.
    pub(super) used: Arc<AtomicU64>,
    /// The version of the settings that the shards held know of.
    pub(super) upkeep_version: u32,
}

/// From this limit on, in nanoseconds, short commands that come together are timed together: the clock costs as much as a quarter
/// of a GET, and with what counts it an eighth of an LPUSH.
const TIMED_TOGETHER_NS: u64 = 1_000_000;

impl Executor {
    pub(super) fn new(
        labels: &Labels,
        rt: &Rt,
        server: &Arc<Server>,
        answers: &Answers,
        mirror: Option<&Arc<Mirror>>,
        seed: u64,
    ) -> Self {
        let random = fastrand::Rng::with_seed(seed);
        Self {
            labels: labels.clone(),
            rt: rt.clone(),
            server: Arc::clone(server),
            mirror: mirror.cloned(),
            journal: server.log().map(Journal::new),
            random,
            ready: Ready::default(),
            answers: answers.clone(),
            private: false,
            since_ns: 0,
            slow_ns: u64::MAX,
            untimed: 0,
            unknown: 0,
            used: Arc::clone(server.memory.used()),
            upkeep_version: 0,
        }
    }

    /// Of data that nobody else reaches, and that ends with its client: there is nothing to write down, and the memory limit
    /// is its own.
    pub(super) fn private(self) -> Self {
        Self { private: true, journal: None, used: Arc::default(), ..self }
    }

    /// Tells whoever keeps notes that all this task knows from now on is `replies`, its data and its random choices.
    pub(super) fn knows(&self, replies: &[u8]) {
        if ledger::is_kept() {
            ledger::knows((replies, self.random.get_seed()));
        }
    }

    /// Runs `job` on `keyspace` until it is done or its replies should be written.
    ///
    /// The first command has been recorded as started. The last one's end is the caller's to record, and [`Self::finish_timing`]
    /// the caller's to call: once the lock is released.
    pub(super) fn run<K: Keyspace>(&mut self, job: &mut Job, keyspace: &mut K) {
        let now_ms = self.rt.unix_ms();
        self.start_clock();
        keyspace.select(job.database);
        loop {
            fetch(job.to_fetch().filter_map(|needed| Some((keyspace.peek(needed.key)?, needed))));
            self.run_one(job, keyspace, now_ms);
            if job.is_done() || job.is_full() {
                return;
            }
            job.go_on(&self.labels, None);
        }
    }

    /// Runs `job` until it is done or its replies should be written. Records nothing: the caller is not the
    /// connection's task.
    pub(super) fn run_all<K: Keyspace>(&mut self, job: &mut Job, keyspace: &mut K) {
        let now_ms = self.rt.unix_ms();
        self.start_clock();
        keyspace.select(job.database);
        while !job.is_done() && !job.is_full() {
            fetch(job.to_fetch().filter_map(|needed| Some((keyspace.peek(needed.key)?, needed))));
            self.run_one(job, keyspace, now_ms);
        }
        self.finish_timing(job);
    }

    /// The next command starts now: the data has just been reached.
    pub(super) fn start_clock(&mut self) {
        self.slow_ns = self.server.settings.slower_than_ns();
        (self.since_ns, self.untimed, self.unknown) = (self.rt.now_ns(), 0, 0);
    }

    /// The next command starts now: others have held the lock until here. How long those before it took, which were to be timed
    /// together, nobody knows.
    #[cold]
    pub(super) fn restart_clock(&mut self) {
        self.unknown += mem::take(&mut self.untimed);
        self.since_ns = self.rt.now_ns();
    }

    /// What has run of `job` is timed and counted, as far as it is not yet: once the lock is released, for all this takes as long as
    /// a command. Under the lock it cost LPUSH `-P 16`, where all want one key, 3 % of its throughput.
    pub(super) fn finish_timing(&mut self, job: &Job) {
        if self.untimed + self.unknown > 0 {
            self.time(job, job.done);
        }
    }

    /// Counts the requests that have run, one after the other, and how long all of them took.
    #[inline]
    fn count(&self, ran: &[Request], took_ns: Option<u64>) {
        let sum = |of: fn(&Request) -> bool, ran: &[Request]| ran.iter().filter(|ran| of(ran)).count() as u64;
        for same in ran.chunk_by(|a, b| std::ptr::eq(a.found.spec, b.found.spec)) {
            let share = |took_ns: u64| match same.len() == ran.len() {
                true => took_ns,
                false => took_ns * same.len() as u64 / ran.len() as u64,
            };
            let rejected = sum(|ran| ran.rejected, same);
            let calls = Calls {
                calls: same.len() as u64 - rejected,
                failed: sum(|ran| ran.failed, same) - rejected,
                took_ns: took_ns.map(share),
            };
            if calls.calls > 0 {
                self.server.calls.count(same[0].found, calls);
            }
        }
    }

    /// The next request of `job` starts. One that may take long is timed on its own, so what came before it is timed now.
    #[inline]
    fn begin_timing(&mut self, job: &Job) {
        if self.untimed > 0 && !self.is_timed_with_others(job) {
            self.time(job, job.done);
        }
    }

    /// The next request of `job` has run.
    #[inline]
    fn end_timing(&mut self, job: &Job) {
        self.untimed += 1;
        if !self.is_timed_with_others(job) {
            self.time(job, job.done + 1);
        }
    }

    /// Whether the next request of `job` is timed together with others like it.
    #[inline]
    fn is_timed_with_others(&self, job: &Job) -> bool {
        self.slow_ns >= TIMED_TOGETHER_NS && job.is_next_short()
    }

    /// Counts the requests before `end` that have run and are not counted yet, and logs those that took long since the clock was
    /// read.
    fn time(&mut self, job: &Job, end: usize) {
        let now_ns = self.rt.now_ns();
        let took_ns = now_ns.saturating_sub(mem::replace(&mut self.since_ns, now_ns));
        let (timed, unknown) = (mem::take(&mut self.untimed), mem::take(&mut self.unknown));
        // What has run may have changed it.
        self.slow_ns = self.server.settings.slower_than_ns();
        let (unknown, ran) = job.requests[end - timed - unknown..end].split_at(unknown);
        self.count(unknown, None);
        self.count(ran, Some(took_ns));
        if let Some(first) = ran.first()
            && took_ns >= self.slow_ns
        {
            let (args, now_ms) = (job.batch.request(first.index), self.rt.unix_ms());
            let slow = Slow { spec: first.found.spec, args, with: timed - 1, took_ns };
            self.server.log_slow(job.client.into(), &slow, now_ms);
        }
    }

    /// Runs the next request of `job`, whose database is selected.
    pub(super) fn run_one<K: Keyspace>(&mut self, job: &mut Job, keyspace: &mut K, now_ms: u64) {
        self.begin_timing(job);
        self.prepare(keyspace, now_ms);
        if job.transaction.is_some() {
            self.run_transaction(job, keyspace, now_ms);
        } else {
            let request = &mut job.requests[job.done];
            let args = job.batch.request(request.index);
            let watcher = job.watcher.as_ref();
            let watcher = watcher.unwrap_or_else(|| unreachable!("a job of requests is a client's"));
            let asked =
                Asked { found: request.found, args, database: job.database, client: job.client, watcher };
            let mut reply = Reply::new(&mut job.replies, job.protocol);
            let admitted = self.journal.as_ref().map_or(Ok(()), |journal| journal.admit(asked.found.spec));
            let done = match admitted
                .and_then(|()| self.make_room(asked.found.spec, (asked.client, asked.database), keyspace))
            {
                Ok(()) => self.carry_out(asked, keyspace, now_ms, &mut reply),
                Err(mistake) => {
                    self.server.errors.count(&mistake);
                    self.server.calls.count_rejected(request.found);
                    reply.error(mistake);
                    request.rejected = true;
                    Done::Failed
                }
            };
            match done {
                Done::Answered => {}
                Done::Failed => request.failed = true,
                Done::Waits(wait) => {
                    job.blocked = Some(Box::new(self.block(asked, job.protocol, &wait, keyspace)));
                }
            }
        }
        if let Some(journal) = &mut self.journal {
            journal.note_vanished(keyspace, now_ms);
            if let Some(position) = journal.append() {
                job.logged = position;
            }
        }
        if !self.ready.is_empty() {
            self.serve(keyspace, job.database, now_ms);
        }
        self.weigh_all(keyspace, now_ms);
        self.end_timing(job);
        job.done += 1;
        step::acted();
        if ledger::is_kept() {
            self.note(keyspace);
        }
    }

    /// Carries out one command on the data, or has its mistake answered. Generic, so that to find nothing touched takes no
    /// call.
    #[inline]
    pub(super) fn carry_out<K: Keyspace>(
        &mut self,
        asked: Asked<'_>,
        keyspace: &mut K,
        now_ms: u64,
        reply: &mut Reply<'_>,
    ) -> Done {
        let Asked { found, args, database, client, watcher } = asked;
        let seed = self.random.get_seed();
        let (random, server) = (&mut self.random, &*self.server);
        let mut ctx = Ctx { keyspace: &mut *keyspace, database, now_ms, random, server, watcher };
        let done = match found.spec.run {
            Run::Keyspace(run) => run(&mut ctx, args, reply).map(|()| Done::Answered),
            Run::Blocking(run) => run(&mut ctx, args, None, reply)
                .map(|wait| wait.map_or(Done::Answered, |wait| Done::Waits(Box::new(wait)))),
            _ => unreachable!("a session runs its own commands itself"),
        };
        let done = done.unwrap_or_else(|mistake| {
            self.server.errors.count(&mistake);
            reply.error(mistake);
            Done::Failed
        });
        // Asked whatever came of it: the next command begins with nothing changed.
        if let Some(journal) = &mut self.journal
            && keyspace.take_changed()
            && matches!(done, Done::Answered)
        {
            journal.note_vanished(keyspace, now_ms);
            journal.note(&asked, now_ms, (self.random.get_seed() != seed).then_some(seed));
        }
        if keyspace.any_touched() {
            self.ready.settle(keyspace, matches!(done, Done::Failed));
        }
        if let Some(mirror) = &self.mirror {
            match found.spec.keys(args) {
                Keys::All => mirror.note_all(client, keyspace),
                keys => keys.iter(args).for_each(|key| mirror.note(client, key, keyspace)),
            }
        }
        done
    }

    /// Notes what the command may have changed and read besides its reply.
    fn note(&self, keyspace: &mut dyn Keyspace) {
        for index in 0..keyspace.count() {
            let store = keyspace.shard(index);
            if store.is_looked_at() {
                // Whether a client still looks on is its own affair until somebody comes by.
                ledger::entangles();
            }
            if self.private {
                ledger::read(store.digest());
            } else {
                ledger::store(std::ptr::from_ref(store).addr(), store.digest());
            }
        }
        ledger::read(self.random.get_seed());
    }

    /// Milliseconds since 1970, for [`Self::run_one`].
    pub(super) fn now_ms(&self) -> u64 {
        self.rt.unix_ms()
    }

    /// Sleeps, with whatever the caller holds.
    pub(super) async fn sleep(&self, duration: Duration) {
        step::preempt_before_sleep().await;
        self.rt.sleep(duration).await;
    }

    /// Removes a sample of `keyspace`'s expired keys, and forgets who looked on and has gone; whether any key is left that will expire.
    pub(super) fn expire(&mut self, keyspace: &mut dyn Keyspace) -> bool {
        let now_ms = self.rt.unix_ms();
        let mut any_expire = false;
        if self.journal.as_ref().is_some_and(Journal::fails) {
            // It could not be written down. Who asks for a key finds that it has expired all the same.
            return true;
        }
        for index in 0..keyspace.count() {
            keyspace.shard(index).stores().for_each(Store::forget_gone);
            for store in keyspace.shard(index).stores().filter(|store| store.volatile() > 0) {
                store.expire_some(now_ms, EXPIRE_LOOKUPS_MAX);
                any_expire |= store.volatile() > 0;
            }
        }
        if keyspace.any_touched() {
            self.ready.settle(keyspace, false);
        }
        self.prepare(keyspace, now_ms);
        self.weigh_all(keyspace, now_ms);
        any_expire |= self.evict_actively(keyspace);
        if !self.ready.is_empty() {
            self.serve(keyspace, 0, now_ms);
        }
        if let Some(journal) = &mut self.journal {
            journal.note_vanished(keyspace, now_ms);
            journal.append();
        }
        any_expire
    }
}

/// Entries looked at in one shard in one round of active expiry. At a nanosecond or two each the lock is held for some
/// tens of microseconds, and a million keys are gone through in ten seconds.
const EXPIRE_LOOKUPS_MAX: usize = 10_000;
