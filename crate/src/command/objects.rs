//! OBJECT: how values lie in memory, as far as this server knows.

use super::Mistake;
use super::help;
use super::spec::{Ctx, Flag, Group, KeySpec, Outcome, Run, Spec};
use crate::resp::{Args, Reply};
use crate::store::Value;

pub(super) const OBJECT: Spec = Spec {
    name: "object",
    summary: "A container for commands about how values are kept.",
    usage: "",
    since: "2.2.3",
    group: Group::Generic,
    complexity: "Depends on the subcommand",
    arity: -2,
    flags: &[],
    keys: KeySpec::None,
    subcommands: &[ENCODING, FREQ, HELP, IDLETIME, REFCOUNT],
    run: help::RUN,
};

const ENCODING: Spec = Spec {
    name: "object|encoding",
    summary: "How a value lies in memory, by Redis's name for the like.",
    usage: "key",
    since: "2.2.3",
    group: Group::Generic,
    complexity: "O(1)",
    arity: 3,
    flags: &[Flag::ReadOnly],
    keys: KeySpec::Range { first: 2, last: 2, step: 1 },
    subcommands: &[],
    run: Run::keyspace(encoding),
};

fn encoding(ctx: &mut Ctx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    match value(ctx, &args[2]) {
        Some(value) => reply.bulk(value.encoding()),
        None => reply.null(),
    }
    Ok(())
}

/// What a key holds; asking is no use of it.
fn value<'a>(ctx: &'a mut Ctx<'_>, key: &[u8]) -> Option<&'a Value> {
    ctx.keyspace.store(key).peek(key, ctx.now_ms).map(|entry| &entry.value)
}

const REFCOUNT: Spec = Spec {
    name: "object|refcount",
    summary: "How many share a value: every key has its own, so 1.",
    run: Run::keyspace(refcount),
    ..ENCODING
};

fn refcount(ctx: &mut Ctx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    match value(ctx, &args[2]) {
        Some(_) => reply.integer(1),
        None => reply.null(),
    }
    Ok(())
}

const IDLETIME: Spec = Spec {
    name: "object|idletime",
    summary: "How many seconds a value was not used; not known while LFU is selected.",
    run: Run::keyspace(idletime),
    ..ENCODING
};

fn idletime(ctx: &mut Ctx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let idle_s = ctx.keyspace.store(&args[2]).idle_s(&args[2], ctx.now_ms);
    match idle_s {
        Some(_) if ctx.server.memory.policy().is_lfu() => Err(Mistake::new(
            "ERR An LFU maxmemory policy is selected, idle time not tracked. Please note that when switching between \
             policies at runtime LRU and LFU data will take some time to adjust.",
        )),
        Some(idle_s) => {
            reply.integer(idle_s.into());
            Ok(())
        }
        None => {
            reply.null();
            Ok(())
        }
    }
}

const FREQ: Spec = Spec {
    name: "object|freq",
    summary: "How often a value was used lately, from 0 to 255 and not in proportion; not known unless LFU is selected.",
    since: "4.0.0",
    run: Run::keyspace(freq),
    ..ENCODING
};

fn freq(ctx: &mut Ctx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let counter = ctx.keyspace.store(&args[2]).counter(&args[2], ctx.now_ms);
    if counter.is_some() && !ctx.server.memory.policy().is_lfu() {
        return Err(Mistake::new(
            "ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note that when switching \
             between policies at runtime LRU and LFU data will take some time to adjust.",
        ));
    }
    match counter {
        Some(counter) => reply.integer(counter.into()),
        None => reply.null(),
    }
    Ok(())
}

const HELP: Spec = help::of("object|help", "6.2.0", Group::Generic);
