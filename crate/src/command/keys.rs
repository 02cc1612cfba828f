//! Commands on keys whatever they hold.

use super::parse::is;
use super::pattern::{Case, is_everything, matches};
use super::spec::{Ctx, Flag, Group, KeySpec, Outcome, Run, Spec};
use super::walk::{self, Found, WalkOptions};
use super::{Mistake, databases};
use crate::resp::{Args, Reply};
use crate::store::{self, Entry};

pub(super) const DEL: Spec = Spec {
    name: "del",
    summary: "Removes keys; answers how many were there.",
    usage: "key ...",
    since: "1.0.0",
    group: Group::Generic,
    complexity: "O(N) in the number of keys",
    arity: -2,
    flags: &[Flag::Write],
    keys: KeySpec::EVERY,
    subcommands: &[],
    run: Run::keyspace(del),
};

fn del(ctx: &mut Ctx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let (now_ms, mut removed) = (ctx.now_ms, 0);
    ctx.each_key(
        args.from(1),
        |key| *key,
        |ctx, key| {
            removed += usize::from(ctx.keyspace.store(key).remove(key, now_ms).is_some());
        },
    );
    reply.count(removed);
    Ok(())
}

/// A value is freed where its key is removed, a large one too, so it is DEL by another name.
pub(super) const UNLINK: Spec = Spec {
    name: "unlink",
    summary: "Removes keys as DEL does; answers how many were there.",
    usage: "key ...",
    since: "4.0.0",
    group: Group::Generic,
    complexity: "O(N) in the number of keys",
    arity: -2,
    flags: &[Flag::Write, Flag::Fast],
    keys: KeySpec::EVERY,
    subcommands: &[],
    run: Run::keyspace(del),
};

pub(super) const EXISTS: Spec = Spec {
    name: "exists",
    summary: "How many of the keys are there; one named twice counts twice.",
    usage: "key ...",
    since: "1.0.0",
    group: Group::Generic,
    complexity: "O(N) in the number of keys",
    arity: -2,
    flags: &[Flag::ReadOnly, Flag::Fast],
    keys: KeySpec::EVERY,
    subcommands: &[],
    run: Run::keyspace(exists),
};

fn exists(ctx: &mut Ctx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let (now_ms, mut found) = (ctx.now_ms, 0);
    ctx.each_key(
        args.from(1),
        |key| *key,
        |ctx, key| {
            found += usize::from(ctx.keyspace.store(key).inspect(key, now_ms).is_some());
        },
    );
    reply.count(found);
    Ok(())
}

pub(super) const TOUCH: Spec = Spec {
    name: "touch",
    summary: "Counts as a use of the keys; answers how many are there.",
    usage: "key ...",
    since: "3.2.1",
    group: Group::Generic,
    complexity: "O(N) in the number of keys",
    arity: -2,
    flags: &[Flag::ReadOnly, Flag::Fast],
    keys: KeySpec::EVERY,
    subcommands: &[],
    run: Run::keyspace(touch),
};

fn touch(ctx: &mut Ctx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let (now_ms, mut found) = (ctx.now_ms, 0);
    ctx.each_key(
        args.from(1),
        |key| *key,
        |ctx, key| {
            found += usize::from(ctx.keyspace.store(key).get(key, now_ms).is_some());
        },
    );
    reply.count(found);
    Ok(())
}

pub(super) const TYPE: Spec = Spec {
    name: "type",
    summary: "The type of a key's value, or none.",
    usage: "key",
    since: "1.0.0",
    group: Group::Generic,
    complexity: "O(1)",
    arity: 2,
    flags: &[Flag::ReadOnly, Flag::Fast],
    keys: KeySpec::ONE,
    subcommands: &[],
    run: Run::keyspace(type_of),
};

fn type_of(ctx: &mut Ctx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let key = &args[1];
    let entry = ctx.keyspace.store(key).inspect(key, ctx.now_ms);
    reply.simple(entry.map_or("none", |entry| entry.value.value_type().name()));
    Ok(())
}

pub(super) const KEYS: Spec = Spec {
    name: "keys",
    summary: "All keys that match a pattern. Looks at every key: prefer SCAN.",
    usage: "pattern",
    since: "1.0.0",
    group: Group::Generic,
    complexity: "O(N) in the number of all keys",
    arity: 2,
    flags: &[Flag::ReadOnly, Flag::Dangerous],
    keys: KeySpec::All,
    subcommands: &[],
    run: Run::keyspace(keys),
};

fn keys(ctx: &mut Ctx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let mut found = Found::new(reply);
    store::scan(ctx.keyspace, 0, usize::MAX, ctx.now_ms, |key, _| {
        if is_everything(&args[1]) || matches(&args[1], key, Case::Sensitive) {
            found.add(key);
        }
    });
    found.finish(reply);
    Ok(())
}

pub(super) const SCAN: Spec = Spec {
    name: "scan",
    summary: "Walks all keys step by step: start at cursor 0, go on with the answered one until it is 0 again.",
    usage: "cursor [MATCH pattern] [COUNT count] [TYPE type]",
    since: "2.8.0",
    group: Group::Generic,
    complexity: "O(1) a step, O(N) a whole walk",
    arity: -2,
    flags: &[Flag::ReadOnly],
    keys: KeySpec::All,
    subcommands: &[],
    run: Run::keyspace(scan),
};

fn scan(ctx: &mut Ctx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let cursor = walk::cursor(&args[1])?;
    let options = WalkOptions::parse(args, 2, true)?;
    let wanted = |key: &[u8], entry: &Entry| {
        options.wants(key) && options.type_name.is_none_or(|name| is(name, entry.value.value_type().name()))
    };
    let mut found = Found::new(reply);
    let next = store::scan(ctx.keyspace, cursor, options.count, ctx.now_ms, |key, entry| {
        if wanted(key, entry) {
            found.add(key);
        }
    });
    found.finish_step(next, reply);
    Ok(())
}

pub(super) const RANDOMKEY: Spec = Spec {
    name: "randomkey",
    summary: "Any key.",
    usage: "",
    since: "1.0.0",
    group: Group::Generic,
    complexity: "O(1)",
    arity: 1,
    flags: &[Flag::ReadOnly],
    keys: KeySpec::All,
    subcommands: &[],
    run: Run::keyspace(randomkey),
};

fn randomkey(ctx: &mut Ctx<'_>, _: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let shards = ctx.keyspace.count();
    loop {
        let total: usize = (0..shards).map(|shard| ctx.keyspace.nth(shard).len()).sum();
        if total == 0 {
            reply.null();
            return Ok(());
        }
        // A shard is as likely as it has keys, so that every key is as likely as the other.
        let mut position = ctx.random.u64(..total as u64) as usize;
        let mut shard = 0;
        while position >= ctx.keyspace.nth(shard).len() {
            position -= ctx.keyspace.nth(shard).len();
            shard += 1;
        }
        // A shard in which every key has expired is empty now, and the next round cannot choose it.
        if let Some(key) = ctx.keyspace.nth(shard).random_key(ctx.random, ctx.now_ms) {
            reply.bulk(key);
            return Ok(());
        }
    }
}

pub(super) const RENAME: Spec = Spec {
    name: "rename",
    summary: "Gives a key another name, replacing the key that has it.",
    usage: "key newkey",
    since: "1.0.0",
    group: Group::Generic,
    complexity: "O(1)",
    arity: 3,
    flags: &[Flag::Write],
    keys: KeySpec::TWO,
    subcommands: &[],
    run: Run::keyspace(rename),
};

fn rename(ctx: &mut Ctx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let (from, to) = (&args[1], &args[2]);
    if from == to {
        ctx.keyspace.store(from).peek(from, ctx.now_ms).ok_or(Mistake::NO_SUCH_KEY)?;
    } else {
        let entry = ctx.keyspace.store(from).remove(from, ctx.now_ms).ok_or(Mistake::NO_SUCH_KEY)?;
        put(ctx, to, entry);
    }
    reply.ok();
    Ok(())
}

pub(super) const RENAMENX: Spec = Spec {
    name: "renamenx",
    summary: "Gives a key another name unless there is a key of that name; answers whether it did.",
    usage: "key newkey",
    since: "1.0.0",
    group: Group::Generic,
    complexity: "O(1)",
    arity: 3,
    flags: &[Flag::Write, Flag::Fast],
    keys: KeySpec::TWO,
    subcommands: &[],
    run: Run::keyspace(renamenx),
};

fn renamenx(ctx: &mut Ctx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let (from, to) = (&args[1], &args[2]);
    ctx.keyspace.store(from).peek(from, ctx.now_ms).ok_or(Mistake::NO_SUCH_KEY)?;
    let free = ctx.keyspace.store(to).peek(to, ctx.now_ms).is_none();
    if free && let Some(entry) = ctx.keyspace.store(from).remove(from, ctx.now_ms) {
        put(ctx, to, entry);
    }
    reply.integer(i64::from(free));
    Ok(())
}

pub(super) const COPY: Spec = Spec {
    name: "copy",
    summary: "Copies a value and its expiry to another key; answers whether it did.",
    usage: "source destination [DB destination-db] [REPLACE]",
    since: "6.2.0",
    group: Group::Generic,
    complexity: "O(N) in the size of the value",
    arity: -3,
    flags: &[Flag::Write, Flag::DenyOom],
    keys: KeySpec::TWO,
    subcommands: &[],
    run: Run::keyspace(copy),
};

pub(super) const SAME_OBJECT: Mistake = Mistake::new("ERR source and destination objects are the same");

fn copy(ctx: &mut Ctx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let (from, to) = (&args[1], &args[2]);
    let (mut replace, mut database) = (false, ctx.database);
    let mut rest = args.from(3);
    while let Some(option) = rest.next() {
        if is(option, "REPLACE") {
            replace = true;
        } else if is(option, "DB") {
            database = databases::number(rest.next().ok_or(Mistake::SYNTAX)?, ctx.server)?;
        } else {
            return Err(Mistake::SYNTAX);
        }
    }
    if from == to && database == ctx.database {
        return Err(SAME_OBJECT);
    }
    let source = ctx.keyspace.store(from).get(from, ctx.now_ms).cloned();
    let destination = ctx.keyspace.shard_of(to).of(database);
    let free = replace || destination.peek(to, ctx.now_ms).is_none();
    let source = source.filter(|_| free);
    reply.integer(i64::from(source.is_some()));
    if let Some(entry) = source {
        let expires_ms = entry.expires_ms();
        destination.insert(to, entry.value, expires_ms);
    }
    Ok(())
}

fn put(ctx: &mut Ctx<'_>, key: &[u8], entry: Entry) {
    let expires_ms = entry.expires_ms();
    ctx.keyspace.store(key).insert(key, entry.value, expires_ms);
}
