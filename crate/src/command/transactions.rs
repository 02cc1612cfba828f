//! Transactions: requests gathered by MULTI and carried out by EXEC as one, and WATCH, which lets EXEC do nothing if a key
//! was changed meanwhile.
//!
//! Owns the commands and the queue a client gathers in. That nothing comes between the requests of a transaction is the
//! work of whoever reaches the store.

use super::client::Client;
use super::mistake::Mistake;
use super::spec::{Ctx, Flag, Group, KeySpec, Outcome, Run, SessionCtx, Spec};
use super::table::Found;
use crate::resp::{Args, Batch, BatchBuilder, Limits, Reply};

/// What the commands of this family have in common.
const FAMILY: Spec = Spec {
    name: "",
    summary: "",
    usage: "",
    since: "1.2.0",
    group: Group::Transactions,
    complexity: "O(1)",
    arity: 1,
    flags: &[Flag::NoScript, Flag::Loading, Flag::Stale, Flag::Fast, Flag::AllowBusy],
    keys: KeySpec::None,
    subcommands: &[],
    run: Run::session(multi),
};

pub(super) const MULTI: Spec = Spec {
    name: "multi",
    summary: "Begins a transaction: requests are gathered until EXEC carries them out as one.",
    run: Run::session(multi),
    ..FAMILY
};

fn multi(ctx: &mut SessionCtx<'_>, _: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    ctx.client.begin_transaction()?;
    reply.ok();
    Ok(())
}

/// Carried out by whoever reaches the store: see [`Client::end_transaction`].
pub(super) const EXEC: Spec = Spec {
    name: "exec",
    summary: "Carries out the gathered requests as one; answers all their replies, or null if a watched key was changed.",
    complexity: "As the gathered requests",
    flags: &[Flag::NoScript, Flag::Loading, Flag::Stale, Flag::SkipSlowlog],
    run: Run::exec(),
    ..FAMILY
};

pub(super) const DISCARD: Spec = Spec {
    name: "discard",
    summary: "Ends the transaction without carrying it out, and watches no key any more.",
    since: "2.0.0",
    complexity: "O(N) in the number of gathered requests",
    run: Run::session(discard),
    ..FAMILY
};

fn discard(ctx: &mut SessionCtx<'_>, _: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    if !ctx.client.is_in_transaction() {
        return Err(Mistake::new("ERR DISCARD without MULTI"));
    }
    ctx.client.discard_transaction();
    reply.ok();
    Ok(())
}

pub(super) const WATCH: Spec = Spec {
    name: "watch",
    summary: "Lets the next EXEC do nothing if one of the keys is changed before it.",
    usage: "key ...",
    since: "2.2.0",
    complexity: "O(log(N)) for each key, in the number of watched keys",
    arity: -2,
    keys: KeySpec::EVERY,
    run: Run::keyspace(watch),
    ..FAMILY
};

fn watch(ctx: &mut Ctx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let most = ctx.server.config.limits.watched_keys;
    let mut keys = ctx.watcher.keys();
    for key in args.from(1) {
        if keys.iter().any(|(database, watched)| *database == ctx.database && **watched == *key) {
            continue;
        }
        if keys.len() >= most {
            return Err(Mistake::from(format!("ERR too many watched keys, at most {most} may be")));
        }
        let store = ctx.keyspace.store(key);
        // What has expired by now is gone, and its going is no change.
        store.peek(key, ctx.now_ms);
        store.watch(key, ctx.watcher);
        keys.push((ctx.database, key.into()));
    }
    reply.ok();
    Ok(())
}

pub(super) const UNWATCH: Spec = Spec {
    name: "unwatch",
    summary: "Watches no key any more.",
    since: "2.2.0",
    run: Run::session(unwatch),
    ..FAMILY
};

fn unwatch(ctx: &mut SessionCtx<'_>, _: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    ctx.client.watcher().forget();
    reply.ok();
    Ok(())
}

/// Commands that are carried out at once within a transaction, each with words of its own for it.
const AT_ONCE: [&str; 6] = ["multi", "exec", "discard", "watch", "quit", "reset"];

/// The requests a client has gathered since MULTI.
#[derive(Debug, Default)]
pub(super) struct Queue {
    requests: BatchBuilder,
    found: Vec<Found>,
    /// One of them may change data or be passed on to replicas.
    writes: bool,
    // One of them was refused: EXEC will refuse them all.
    spoiled: bool,
}

impl Queue {
    pub(super) fn len(&self) -> usize {
        self.found.len()
    }

    /// Gathers one more, or says what is wrong with it.
    fn push(&mut self, found: Found, request: Args<'_>, limits: &Limits) -> Outcome {
        let is_full = self.found.len() >= limits.transaction_requests
            || self.requests.bytes_len() + request.bytes_len() > limits.transaction_bytes;
        if is_full {
            self.spoiled = true;
            return Err(Mistake::from(format!(
                "ERR transaction too large, at most {} commands and {} bytes are gathered",
                limits.transaction_requests, limits.transaction_bytes
            )));
        }
        self.writes |= found.spec.may_write();
        // No more is needed of a transaction that will not be carried out.
        if !self.spoiled {
            self.requests.push(request);
            self.found.push(found);
        }
        Ok(())
    }
}

/// A transaction on its way to the store and back, with all that its commands work with.
#[derive(Debug)]
pub struct Transaction {
    /// Its client, whose state its commands may change: [take it back](Self::into_client) in the place of the one that made
    /// this.
    pub client: Client,
    requests: Batch,
    found: Vec<Found>,
}

impl Transaction {
    /// The requests in order, each with its command.
    pub fn requests(&self) -> impl ExactSizeIterator<Item = (Found, Args<'_>)> {
        self.found.iter().copied().zip(self.requests.iter())
    }

    /// It has been carried out, or never will be: its client, of which the list of clients says so.
    pub fn into_client(self) -> Client {
        self.client.tell_transaction();
        self.client
    }

    /// The same for whoever changes the client on the way.
    pub(crate) fn split(&mut self) -> (&mut Client, impl ExactSizeIterator<Item = (Found, Args<'_>)>) {
        let Self { client, requests, found } = self;
        (client, found.iter().copied().zip(requests.iter()))
    }
}

impl Client {
    /// Gathers the request if there is a transaction under way: what to answer instead of carrying it out, with `Ok` that
    /// it is queued. `None`: carry it out.
    pub fn gather(&mut self, found: Found, request: Args<'_>, limits: &Limits) -> Option<Outcome> {
        self.queue_mut()?;
        if found.spec.name == WATCH.name {
            return Some(Err(Mistake::new("ERR WATCH inside MULTI is not allowed")));
        }
        if AT_ONCE.contains(&found.spec.name) {
            return None;
        }
        if self.server().memory.refuses() {
            // Even a read would take memory, until EXEC.
            return Some(Err(self.refuse(request, Mistake::OUT_OF_MEMORY)));
        }
        let queue = self.queue_mut()?;
        let outcome = queue.push(found, request, limits);
        self.tell_transaction();
        Some(outcome)
    }

    /// Whether what is asked for may change data or be passed on to replicas, and be it what EXEC carries out.
    pub(crate) fn may_write(&self, spec: &Spec) -> bool {
        match spec.run {
            Run::Exec => self.queue().is_some_and(|queue| queue.writes),
            _ => spec.may_write(),
        }
    }

    /// Notes that a request could not be understood, which spoils a transaction under way; what to answer.
    pub fn refuse(&mut self, request: Args<'_>, mistake: Mistake) -> Mistake {
        if request.name().eq_ignore_ascii_case(EXEC.name.as_bytes()) {
            self.discard_transaction();
            let why = mistake.to_string();
            let why = why.strip_prefix("ERR ").unwrap_or(&why);
            return Mistake::from(format!("EXECABORT Transaction discarded because of: {why}"));
        }
        if let Some(queue) = self.queue_mut() {
            queue.spoiled = true;
        }
        mistake
    }

    /// Hands out the transaction that EXEC ends, with this client's state in it until it is given back. Until then the list of
    /// clients says that it is under way.
    ///
    /// # Errors
    /// When there is none, or it was spoiled: the reply.
    pub fn end_transaction(&mut self) -> Result<Transaction, Mistake> {
        let queue = self.take_queue().ok_or(Mistake::new("ERR EXEC without MULTI"))?;
        if queue.spoiled {
            self.tell_transaction();
            self.watcher().forget();
            return Err(Mistake::new("EXECABORT Transaction discarded because of previous errors."));
        }
        Ok(Transaction { client: self.lend(), requests: queue.requests.build(), found: queue.found })
    }
}
