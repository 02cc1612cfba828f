//! Commands about the server as a whole.
//!
//! What INFO reports is in [`super::info`], what COMMAND tells in [`super::introspection`], what can be set in
//! [`super::config`].

use super::mistake::Mistake;
use super::parse::is;
use super::spec::{Ctx, Flag, Group, KeySpec, Outcome, Run, SessionCtx, Spec};
use crate::resp::{Args, Reply};
use crate::store::Store;

pub(super) const DBSIZE: Spec = Spec {
    name: "dbsize",
    summary: "How many keys there are, expired ones not yet removed included.",
    usage: "",
    since: "1.0.0",
    group: Group::Server,
    complexity: "O(1)",
    arity: 1,
    flags: &[Flag::ReadOnly, Flag::Fast],
    keys: KeySpec::All,
    subcommands: &[],
    run: Run::keyspace(dbsize),
};

fn dbsize(ctx: &mut Ctx<'_>, _: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let shards = ctx.keyspace.count();
    reply.count((0..shards).map(|shard| ctx.keyspace.nth(shard).len()).sum());
    Ok(())
}

pub(super) const FLUSHDB: Spec = Spec {
    name: "flushdb",
    summary: "Removes all keys of the database.",
    usage: "[ASYNC | SYNC]",
    since: "1.0.0",
    group: Group::Server,
    complexity: "O(N) in the number of keys",
    arity: -1,
    flags: &[Flag::Write, Flag::Dangerous],
    keys: KeySpec::All,
    subcommands: &[],
    run: Run::keyspace(flushdb),
};

pub(super) const FLUSHALL: Spec = Spec {
    name: "flushall",
    summary: "Removes all keys of all databases.",
    usage: "[ASYNC | SYNC]",
    since: "1.0.0",
    group: Group::Server,
    complexity: "O(N) in the number of keys",
    arity: -1,
    flags: &[Flag::Write, Flag::Dangerous],
    keys: KeySpec::All,
    subcommands: &[],
    run: Run::keyspace(flushall),
};

fn flushdb(ctx: &mut Ctx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    check_flush(args)?;
    for shard in 0..ctx.keyspace.count() {
        ctx.keyspace.nth(shard).clear();
    }
    reply.ok();
    Ok(())
}

fn flushall(ctx: &mut Ctx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    check_flush(args)?;
    for shard in 0..ctx.keyspace.count() {
        ctx.keyspace.shard(shard).stores().for_each(Store::clear);
    }
    reply.ok();
    Ok(())
}

/// ASYNC is taken and done at once all the same: nobody can tell but by the time.
fn check_flush(args: Args<'_>) -> Result<(), Mistake> {
    let known = args.get(1).is_none_or(|option| is(option, "ASYNC") || is(option, "SYNC"));
    if args.len() > 2 || !known { Err(Mistake::SYNTAX) } else { Ok(()) }
}

/// The host's clock counts milliseconds, so the microseconds end in three zeros.
pub(super) const TIME: Spec = Spec {
    name: "time",
    summary: "The server's clock: Unix seconds, and the microseconds on top.",
    usage: "",
    since: "2.6.0",
    group: Group::Server,
    complexity: "O(1)",
    arity: 1,
    flags: &[Flag::Loading, Flag::Stale, Flag::Fast],
    keys: KeySpec::None,
    subcommands: &[],
    run: Run::session(time),
};

fn time(ctx: &mut SessionCtx<'_>, _: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    reply.array(2);
    reply.bulk((ctx.now_ms / 1000).to_string());
    reply.bulk((ctx.now_ms % 1000 * 1000).to_string());
    Ok(())
}
