//! Commands on hashes: fields and their values under one key.

use super::Mistake;
use super::decimal::Decimal;
use super::parse::{integer, is};
use super::sample::{Count, below};
use super::spec::{Ctx, Flag, Group, KeySpec, Outcome, Run, Spec};
use super::walk::{self, Found, WalkOptions};
use crate::resp::{Args, Protocol, Reply, parse_i64};
use crate::store::Hash;

/// What most commands of the family have in common.
const FAMILY: Spec = Spec {
    name: "",
    summary: "",
    usage: "key",
    since: "2.0.0",
    group: Group::Hash,
    complexity: "O(1)",
    arity: 2,
    flags: &[Flag::ReadOnly, Flag::Fast],
    keys: KeySpec::ONE,
    subcommands: &[],
    run: Run::keyspace(hlen),
};

pub(super) const HSET: Spec = Spec {
    name: "hset",
    summary: "Sets fields of a hash; answers how many are new.",
    usage: "key (field value) ...",
    complexity: "O(N) in the number of fields",
    arity: -4,
    flags: &[Flag::Write, Flag::DenyOom, Flag::Fast],
    run: Run::keyspace(hset),
    ..FAMILY
};

fn hset(ctx: &mut Ctx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let added = set_fields(ctx, HSET.name, args)?;
    reply.count(added);
    Ok(())
}

pub(super) const HMSET: Spec = Spec {
    name: "hmset",
    summary: "Sets fields of a hash. HSET does the same.",
    run: Run::keyspace(hmset),
    ..HSET
};

fn hmset(ctx: &mut Ctx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    set_fields(ctx, HMSET.name, args)?;
    reply.ok();
    Ok(())
}

/// Sets the fields a request names; how many are new.
fn set_fields(ctx: &mut Ctx<'_>, command: &str, args: Args<'_>) -> Result<usize, Mistake> {
    if !args.len().is_multiple_of(2) {
        return Err(Mistake::arity(command));
    }
    let key = &args[1];
    let hash: &mut Hash = ctx.keyspace.store(key).change_or_insert(key, ctx.now_ms)?;
    let mut added = 0;
    let mut rest = args.from(2);
    while let (Some(field), Some(value)) = (rest.next(), rest.next()) {
        added += usize::from(hash.set(field, value));
    }
    Ok(added)
}

pub(super) const HSETNX: Spec = Spec {
    name: "hsetnx",
    summary: "Sets a field unless it is there; answers whether it did.",
    usage: "key field value",
    arity: 4,
    flags: &[Flag::Write, Flag::DenyOom, Flag::Fast],
    run: Run::keyspace(hsetnx),
    ..FAMILY
};

fn hsetnx(ctx: &mut Ctx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let (key, field) = (&args[1], &args[2]);
    let hash: &mut Hash = ctx.keyspace.store(key).change_or_insert(key, ctx.now_ms)?;
    let is_absent = hash.get(field).is_none();
    if is_absent {
        hash.set(field, &args[3]);
    } else {
        ctx.keyspace.store(key).unchanged(key);
    }
    reply.integer(i64::from(is_absent));
    Ok(())
}

pub(super) const HGET: Spec = Spec {
    name: "hget",
    summary: "The value of a field.",
    usage: "key field",
    arity: 3,
    run: Run::keyspace(hget),
    ..FAMILY
};

fn hget(ctx: &mut Ctx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let hash = read(ctx, &args[1])?;
    write_or_null(hash.and_then(|hash| hash.get(&args[2])), reply);
    Ok(())
}

pub(super) const HMGET: Spec = Spec {
    name: "hmget",
    summary: "The values of several fields, null where there is none.",
    usage: "key field ...",
    complexity: "O(N) in the number of fields",
    arity: -3,
    run: Run::keyspace(hmget),
    ..FAMILY
};

fn hmget(ctx: &mut Ctx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let hash = read(ctx, &args[1])?;
    reply.array(args.len() - 2);
    for field in args.from(2) {
        write_or_null(hash.and_then(|hash| hash.get(field)), reply);
    }
    Ok(())
}

fn read<'a>(ctx: &'a mut Ctx<'_>, key: &[u8]) -> Result<Option<&'a Hash>, Mistake> {
    Ok(ctx.keyspace.store(key).read(key, ctx.now_ms)?)
}

fn write_or_null(value: Option<&[u8]>, reply: &mut Reply<'_>) {
    match value {
        Some(value) => reply.bulk(value),
        None => reply.null(),
    }
}

pub(super) const HDEL: Spec = Spec {
    name: "hdel",
    summary: "Removes fields; answers how many were there.",
    usage: "key field ...",
    complexity: "O(N) in the number of fields",
    arity: -3,
    flags: &[Flag::Write, Flag::Fast],
    run: Run::keyspace(hdel),
    ..FAMILY
};

fn hdel(ctx: &mut Ctx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let key = &args[1];
    let store = ctx.keyspace.store(key);
    let removed = match store.change::<Hash>(key, ctx.now_ms)? {
        Some(hash) => {
            let removed = args.from(2).filter(|field| hash.remove(field)).count();
            if hash.is_empty() {
                store.remove(key, ctx.now_ms);
            } else if removed == 0 {
                store.unchanged(key);
            }
            removed
        }
        None => 0,
    };
    reply.count(removed);
    Ok(())
}

pub(super) const HLEN: Spec =
    Spec { name: "hlen", summary: "How many fields a hash has.", run: Run::keyspace(hlen), ..FAMILY };

fn hlen(ctx: &mut Ctx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    reply.count(read(ctx, &args[1])?.map_or(0, Hash::len));
    Ok(())
}

pub(super) const HEXISTS: Spec = Spec {
    name: "hexists",
    summary: "Whether a hash has a field.",
    usage: "key field",
    arity: 3,
    run: Run::keyspace(hexists),
    ..FAMILY
};

fn hexists(ctx: &mut Ctx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let hash = read(ctx, &args[1])?;
    reply.integer(i64::from(hash.is_some_and(|hash| hash.get(&args[2]).is_some())));
    Ok(())
}

pub(super) const HSTRLEN: Spec = Spec {
    name: "hstrlen",
    summary: "The length of a field's value in bytes.",
    usage: "key field",
    since: "3.2.0",
    arity: 3,
    run: Run::keyspace(hstrlen),
    ..FAMILY
};

fn hstrlen(ctx: &mut Ctx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let hash = read(ctx, &args[1])?;
    reply.count(hash.and_then(|hash| hash.get(&args[2])).map_or(0, <[u8]>::len));
    Ok(())
}

pub(super) const HKEYS: Spec = Spec {
    name: "hkeys",
    summary: "All fields of a hash.",
    complexity: "O(N) in the number of fields",
    flags: &[Flag::ReadOnly],
    run: Run::keyspace(hkeys),
    ..FAMILY
};

fn hkeys(ctx: &mut Ctx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let hash = read(ctx, &args[1])?;
    reply.array(hash.map_or(0, Hash::len));
    hash.into_iter().flat_map(Hash::iter).for_each(|(field, _)| reply.bulk(field));
    Ok(())
}

pub(super) const HVALS: Spec =
    Spec { name: "hvals", summary: "All values of a hash.", run: Run::keyspace(hvals), ..HKEYS };

fn hvals(ctx: &mut Ctx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let hash = read(ctx, &args[1])?;
    reply.array(hash.map_or(0, Hash::len));
    hash.into_iter().flat_map(Hash::iter).for_each(|(_, value)| reply.bulk(value));
    Ok(())
}

pub(super) const HGETALL: Spec = Spec {
    name: "hgetall",
    summary: "All fields and values of a hash.",
    run: Run::keyspace(hgetall),
    ..HKEYS
};

fn hgetall(ctx: &mut Ctx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let hash = read(ctx, &args[1])?;
    reply.map(hash.map_or(0, Hash::len));
    for (field, value) in hash.into_iter().flat_map(Hash::iter) {
        reply.bulk(field);
        reply.bulk(value);
    }
    Ok(())
}

pub(super) const HINCRBY: Spec = Spec {
    name: "hincrby",
    summary: "Adds to the integer a field holds; a missing field counts from 0.",
    usage: "key field increment",
    arity: 4,
    flags: &[Flag::Write, Flag::DenyOom, Flag::Fast],
    run: Run::keyspace(hincrby),
    ..FAMILY
};

fn hincrby(ctx: &mut Ctx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let (key, field, by) = (&args[1], &args[2], integer(&args[3])?);
    let hash: &mut Hash = ctx.keyspace.store(key).change_or_insert(key, ctx.now_ms)?;
    let old = match hash.get(field) {
        Some(old) => parse_i64(old).ok_or(Mistake::new("ERR hash value is not an integer"))?,
        None => 0,
    };
    // From 0 nothing overflows, so no new hash is left empty.
    let sum = old.checked_add(by).ok_or(Mistake::OVERFLOW)?;
    hash.set(field, itoa::Buffer::new().format(sum).as_bytes());
    reply.integer(sum);
    Ok(())
}

pub(super) const HINCRBYFLOAT: Spec = Spec {
    name: "hincrbyfloat",
    summary: "Adds to the number a field holds, fractions allowed; a missing field counts from 0.",
    usage: "key field float-increment",
    since: "2.6.0",
    run: Run::keyspace(hincrbyfloat),
    ..HINCRBY
};

fn hincrbyfloat(ctx: &mut Ctx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let (key, field) = (&args[1], &args[2]);
    let by = Decimal::parse(&args[3]).ok_or(Mistake::NOT_A_FLOAT)?;
    if !by.is_finite() {
        return Err(Mistake::new("ERR value is NaN or Infinity"));
    }
    let hash: &mut Hash = ctx.keyspace.store(key).change_or_insert(key, ctx.now_ms)?;
    let old = match hash.get(field) {
        Some(old) => Decimal::parse(old).ok_or(Mistake::new("ERR hash value is not a float"))?,
        None => Decimal::from(0),
    };
    let sum = old.add(by).ok_or(Mistake::NOT_FINITE)?.to_string();
    hash.set(field, sum.as_bytes());
    reply.bulk(sum);
    Ok(())
}

pub(super) const HRANDFIELD: Spec = Spec {
    name: "hrandfield",
    summary: "A field at random, or several: different ones, or so many with repetitions if the count is negative.",
    usage: "key [count [WITHVALUES]]",
    since: "6.2.0",
    complexity: "O(N) in the number of fields answered",
    arity: -2,
    flags: &[Flag::ReadOnly],
    run: Run::keyspace(hrandfield),
    ..FAMILY
};

fn hrandfield(ctx: &mut Ctx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let count = args.get(2).map(Count::parse).transpose()?;
    let with_values = args.get(3).is_some_and(|option| is(option, "WITHVALUES"));
    if args.len() > 4 || (args.len() == 4 && !with_values) {
        return Err(Mistake::SYNTAX);
    }
    if with_values && let Some(count) = count {
        count.check_doubled()?;
    }
    let key = &args[1];
    let hash = ctx.keyspace.store(key).read::<Hash>(key, ctx.now_ms)?;
    let (hash, count) = match (hash, count) {
        (Some(hash), Some(count)) => (hash, count),
        (Some(hash), None) => {
            write_or_null(hash.at(below(ctx.random, hash.len())).map(|(field, _)| field), reply);
            return Ok(());
        }
        (None, Some(_)) => {
            reply.array(0);
            return Ok(());
        }
        (None, None) => {
            reply.null();
            return Ok(());
        }
    };
    let bytes_at = |at| hash.at(at).map_or(0, |(field, value)| field.len() + value.len());
    let chosen = count.choose(ctx.random, hash.len(), &ctx.server.config.limits, bytes_at)?;
    // Pairs are arrays of their own in RESP3 only.
    let is_flat = reply.protocol() == Protocol::Resp2;
    reply.array(chosen.len() * if with_values && is_flat { 2 } else { 1 });
    for (field, value) in chosen.into_iter().filter_map(|at| hash.at(at)) {
        if with_values && !is_flat {
            reply.array(2);
        }
        reply.bulk(field);
        if with_values {
            reply.bulk(value);
        }
    }
    Ok(())
}

pub(super) const HSCAN: Spec = Spec {
    name: "hscan",
    summary: "Walks the fields and values of a hash step by step, as SCAN does keys.",
    usage: "key cursor [MATCH pattern] [COUNT count]",
    since: "2.8.0",
    complexity: "O(1) a step, O(N) a whole walk",
    arity: -3,
    flags: &[Flag::ReadOnly],
    run: Run::keyspace(hscan),
    ..FAMILY
};

fn hscan(ctx: &mut Ctx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let cursor = walk::cursor(&args[2])?;
    let mut found = Found::new(reply);
    let Some(hash) = read(ctx, &args[1])? else {
        found.finish_step(0, reply);
        return Ok(());
    };
    let options = WalkOptions::parse(args, 3, false)?;
    let (positions, next) = walk::step(cursor, options.count, hash.len(), hash.is_packed());
    for (field, value) in positions.filter_map(|at| hash.at(at)) {
        if options.wants(field) {
            found.add(field);
            found.add(value);
        }
    }
    found.finish_step(next, reply);
    Ok(())
}
