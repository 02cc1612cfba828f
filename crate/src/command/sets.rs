//! Commands on one set, and moving a member to another.
//!
//! Intersections, unions and differences are in [`super::set_algebra`].

use super::Mistake;
use super::parse::amount;
use super::sample::{Count, below, distinct};
use super::spec::{Ctx, Flag, Group, KeySpec, Outcome, Run, Spec};
use super::walk::{self, Found, WalkOptions};
use crate::resp::{Args, Reply};
use crate::store::Set;

/// What most commands of the family have in common.
pub(super) const FAMILY: Spec = Spec {
    name: "",
    summary: "",
    usage: "key",
    since: "1.0.0",
    group: Group::Set,
    complexity: "O(1)",
    arity: 2,
    flags: &[Flag::ReadOnly],
    keys: KeySpec::ONE,
    subcommands: &[],
    run: Run::keyspace(scard),
};

pub(super) const SADD: Spec = Spec {
    name: "sadd",
    summary: "Adds members to a set; answers how many are new.",
    usage: "key member ...",
    complexity: "O(N) in the number of members",
    arity: -3,
    flags: &[Flag::Write, Flag::DenyOom, Flag::Fast],
    run: Run::keyspace(sadd),
    ..FAMILY
};

fn sadd(ctx: &mut Ctx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let key = &args[1];
    let set: &mut Set = ctx.keyspace.store(key).change_or_insert(key, ctx.now_ms)?;
    let added = args.from(2).filter(|member| set.add(member)).count();
    if added == 0 {
        ctx.keyspace.store(key).unchanged(key);
    }
    reply.count(added);
    Ok(())
}

pub(super) const SREM: Spec = Spec {
    name: "srem",
    summary: "Removes members from a set; answers how many were there.",
    flags: &[Flag::Write, Flag::Fast],
    run: Run::keyspace(srem),
    ..SADD
};

fn srem(ctx: &mut Ctx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let key = &args[1];
    let store = ctx.keyspace.store(key);
    let removed = match store.change::<Set>(key, ctx.now_ms)? {
        Some(set) => {
            let removed = args.from(2).filter(|member| set.remove(member)).count();
            if set.is_empty() {
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

pub(super) const SMEMBERS: Spec = Spec {
    name: "smembers",
    summary: "All members of a set.",
    complexity: "O(N) in the number of members",
    run: Run::keyspace(smembers),
    ..FAMILY
};

fn smembers(ctx: &mut Ctx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let set = read(ctx, &args[1])?;
    reply.set(set.map_or(0, Set::len));
    set.into_iter().flat_map(Set::iter).for_each(|member| member.with(|member| reply.bulk(member)));
    Ok(())
}

fn read<'a>(ctx: &'a mut Ctx<'_>, key: &[u8]) -> Result<Option<&'a Set>, Mistake> {
    Ok(ctx.keyspace.store(key).read(key, ctx.now_ms)?)
}

pub(super) const SISMEMBER: Spec = Spec {
    name: "sismember",
    summary: "Whether a set has a member.",
    usage: "key member",
    arity: 3,
    flags: &[Flag::ReadOnly, Flag::Fast],
    run: Run::keyspace(sismember),
    ..FAMILY
};

fn sismember(ctx: &mut Ctx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let set = read(ctx, &args[1])?;
    reply.integer(i64::from(set.is_some_and(|set| set.contains(&args[2]))));
    Ok(())
}

pub(super) const SMISMEMBER: Spec = Spec {
    name: "smismember",
    summary: "Of several members, whether a set has each.",
    usage: "key member ...",
    since: "6.2.0",
    complexity: "O(N) in the number of members",
    arity: -3,
    flags: &[Flag::ReadOnly, Flag::Fast],
    run: Run::keyspace(smismember),
    ..FAMILY
};

fn smismember(ctx: &mut Ctx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let set = read(ctx, &args[1])?;
    reply.array(args.len() - 2);
    for member in args.from(2) {
        reply.integer(i64::from(set.is_some_and(|set| set.contains(member))));
    }
    Ok(())
}

pub(super) const SCARD: Spec = Spec {
    name: "scard",
    summary: "How many members a set has.",
    flags: &[Flag::ReadOnly, Flag::Fast],
    run: Run::keyspace(scard),
    ..FAMILY
};

fn scard(ctx: &mut Ctx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    reply.count(read(ctx, &args[1])?.map_or(0, Set::len));
    Ok(())
}

pub(super) const SMOVE: Spec = Spec {
    name: "smove",
    summary: "Takes a member out of one set and adds it to another; answers whether it was there.",
    usage: "source destination member",
    arity: 4,
    flags: &[Flag::Write, Flag::Fast],
    keys: KeySpec::TWO,
    run: Run::keyspace(smove),
    ..FAMILY
};

fn smove(ctx: &mut Ctx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let (source, destination, member) = (&args[1], &args[2], &args[3]);
    let now_ms = ctx.now_ms;
    let is_there = match ctx.keyspace.store(source).change::<Set>(source, now_ms)? {
        Some(set) => {
            let is_there = set.contains(member);
            // Nothing is taken where it cannot be put.
            if ctx.keyspace.store(destination).change::<Set>(destination, now_ms)?.is_some() {
                ctx.keyspace.store(destination).unchanged(destination);
            }
            ctx.keyspace.store(source).unchanged(source);
            is_there
        }
        None => false,
    };
    if is_there && source != destination {
        let store = ctx.keyspace.store(source);
        if let Some(set) = store.change::<Set>(source, now_ms)? {
            set.remove(member);
            if set.is_empty() {
                store.remove(source, now_ms);
            }
        }
        let store = ctx.keyspace.store(destination);
        if !store.change_or_insert::<Set>(destination, now_ms)?.add(member) {
            store.unchanged(destination);
        }
    }
    reply.integer(i64::from(is_there));
    Ok(())
}

pub(super) const SPOP: Spec = Spec {
    name: "spop",
    summary: "Takes a member at random, or several different ones.",
    usage: "key [count]",
    complexity: "O(N) in the number of members taken",
    arity: -2,
    flags: &[Flag::Write, Flag::Fast],
    run: Run::keyspace(spop),
    ..FAMILY
};

fn spop(ctx: &mut Ctx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    if args.len() > 3 {
        return Err(Mistake::SYNTAX);
    }
    let count = args.get(2).map(amount).transpose()?;
    let key = &args[1];
    let store = ctx.keyspace.store(key);
    let Some(set) = store.change::<Set>(key, ctx.now_ms)? else {
        match count {
            Some(_) => reply.set(0),
            None => reply.null(),
        }
        return Ok(());
    };
    let chosen = distinct(ctx.random, set.len(), count.unwrap_or(1));
    let taken: Vec<Vec<u8>> =
        chosen.into_iter().filter_map(|at| set.at(at)).map(|m| m.with(<[u8]>::to_vec)).collect();
    if count.is_some() {
        reply.set(taken.len());
    }
    if taken.len() == set.len() {
        store.remove(key, ctx.now_ms);
    } else {
        for member in &taken {
            set.remove(member);
        }
        if taken.is_empty() {
            store.unchanged(key);
        }
    }
    taken.iter().for_each(|member| reply.bulk(member));
    Ok(())
}

pub(super) const SRANDMEMBER: Spec = Spec {
    name: "srandmember",
    summary: "A member at random, or several: different ones, or so many with repetitions if the count is negative.",
    usage: "key [count]",
    complexity: "O(N) in the number of members answered",
    arity: -2,
    run: Run::keyspace(srandmember),
    ..FAMILY
};

fn srandmember(ctx: &mut Ctx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    if args.len() > 3 {
        return Err(Mistake::SYNTAX);
    }
    let count = args.get(2).map(Count::parse).transpose()?;
    let key = &args[1];
    let Some(set) = ctx.keyspace.store(key).read::<Set>(key, ctx.now_ms)? else {
        match count {
            Some(_) => reply.array(0),
            None => reply.null(),
        }
        return Ok(());
    };
    let bytes_at = |at| set.at(at).map_or(0, |member| member.with(<[u8]>::len));
    let chosen = match count {
        Some(count) => {
            let chosen = count.choose(ctx.random, set.len(), &ctx.server.config.limits, bytes_at)?;
            reply.array(chosen.len());
            chosen
        }
        None => vec![below(ctx.random, set.len())],
    };
    let members = chosen.into_iter().filter_map(|at| set.at(at));
    members.for_each(|member| member.with(|member| reply.bulk(member)));
    Ok(())
}

pub(super) const SSCAN: Spec = Spec {
    name: "sscan",
    summary: "Walks the members of a set step by step, as SCAN does keys.",
    usage: "key cursor [MATCH pattern] [COUNT count]",
    since: "2.8.0",
    complexity: "O(1) a step, O(N) a whole walk",
    arity: -3,
    run: Run::keyspace(sscan),
    ..FAMILY
};

fn sscan(ctx: &mut Ctx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let cursor = walk::cursor(&args[2])?;
    let mut found = Found::new(reply);
    let Some(set) = read(ctx, &args[1])? else {
        found.finish_step(0, reply);
        return Ok(());
    };
    let options = WalkOptions::parse(args, 3, false)?;
    let (positions, next) = walk::step(cursor, options.count, set.len(), set.is_packed());
    for member in positions.filter_map(|at| set.at(at)) {
        member.with(|member| {
            if options.wants(member) {
                found.add(member);
            }
        });
    }
    found.finish_step(next, reply);
    Ok(())
}
