//! Commands on whole strings: reading, writing, replacing.
//!
//! Parts of strings are in [`super::substrings`], counting is in [`super::counters`].

use super::Mistake;
use super::parse::{Clock, is, positive_expiry};
use super::spec::{Ctx, Flag, Group, KeySpec, Outcome, Run, Spec};
use crate::resp::{Args, Reply};
use crate::store::Value;

pub(super) const GET: Spec = Spec {
    name: "get",
    summary: "Reads the string a key holds.",
    usage: "key",
    since: "1.0.0",
    group: Group::String,
    complexity: "O(1)",
    arity: 2,
    flags: &[Flag::ReadOnly, Flag::Fast],
    keys: KeySpec::ONE,
    subcommands: &[],
    run: Run::keyspace(get),
};

fn get(ctx: &mut Ctx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    read(ctx, &args[1], reply)
}

pub(super) const SET: Spec = Spec {
    name: "set",
    summary: "Makes a key hold a string, whatever it held before.",
    usage: "key value [NX | XX] [GET] [EX seconds | PX milliseconds | EXAT unix-time-seconds | \
            PXAT unix-time-milliseconds | KEEPTTL]",
    since: "1.0.0",
    group: Group::String,
    complexity: "O(1)",
    arity: -3,
    flags: &[Flag::Write, Flag::DenyOom],
    keys: KeySpec::ONE,
    subcommands: &[],
    run: Run::keyspace(set),
};

#[derive(Default)]
struct SetOptions<'a> {
    only_if: Option<OnlyIf>,
    get: bool,
    expiry: Option<SetExpiry<'a>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum OnlyIf {
    Absent,
    Present,
}

enum SetExpiry<'a> {
    At(Clock, &'a [u8]),
    Keep,
}

/// Options in any order; a repeated one counts where it says the same thing again, the last amount winning.
fn parse_set(args: Args<'_>) -> Result<SetOptions<'_>, Mistake> {
    let mut options = SetOptions::default();
    let mut rest = args.from(3);
    while let Some(option) = rest.next() {
        if is(option, "NX") && options.only_if != Some(OnlyIf::Present) {
            options.only_if = Some(OnlyIf::Absent);
        } else if is(option, "XX") && options.only_if != Some(OnlyIf::Absent) {
            options.only_if = Some(OnlyIf::Present);
        } else if is(option, "GET") {
            options.get = true;
        } else if is(option, "KEEPTTL") && matches!(options.expiry, None | Some(SetExpiry::Keep)) {
            options.expiry = Some(SetExpiry::Keep);
        } else {
            let clock = Clock::of_option(option).ok_or(Mistake::SYNTAX)?;
            let repeats = |old: &SetExpiry<'_>| matches!(old, SetExpiry::At(old, _) if *old == clock);
            if !options.expiry.as_ref().is_none_or(repeats) {
                return Err(Mistake::SYNTAX);
            }
            options.expiry = Some(SetExpiry::At(clock, rest.next().ok_or(Mistake::SYNTAX)?));
        }
    }
    Ok(options)
}

fn set(ctx: &mut Ctx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let (key, value) = (&args[1], &args[2]);
    if args.len() == 3 {
        ctx.keyspace.store(key).insert_bytes(key, value, None);
        reply.ok();
        return Ok(());
    }
    let options = parse_set(args)?;
    let mut expires_ms = match options.expiry {
        Some(SetExpiry::At(clock, amount)) => Some(positive_expiry(SET.name, clock, amount, ctx.now_ms)?),
        _ => None,
    };
    if options.get {
        read(ctx, key, reply)?;
    }
    let store = ctx.keyspace.store(key);
    let old = store.peek(key, ctx.now_ms);
    let refused = match options.only_if {
        Some(OnlyIf::Absent) => old.is_some(),
        Some(OnlyIf::Present) => old.is_none(),
        None => false,
    };
    if !refused {
        if let Some(SetExpiry::Keep) = options.expiry {
            expires_ms = old.and_then(|old| old.expires_ms());
        }
        store.insert_bytes(key, value, expires_ms);
    }
    match (options.get, refused) {
        (true, _) => {}
        (false, true) => reply.null(),
        (false, false) => reply.ok(),
    }
    Ok(())
}

pub(super) const SETNX: Spec = Spec {
    name: "setnx",
    summary: "Sets a key unless it is there; answers whether it did.",
    usage: "key value",
    since: "1.0.0",
    group: Group::String,
    complexity: "O(1)",
    arity: 3,
    flags: &[Flag::Write, Flag::DenyOom, Flag::Fast],
    keys: KeySpec::ONE,
    subcommands: &[],
    run: Run::keyspace(setnx),
};

fn setnx(ctx: &mut Ctx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let key = &args[1];
    let store = ctx.keyspace.store(key);
    let absent = store.peek(key, ctx.now_ms).is_none();
    if absent {
        store.insert_bytes(key, &args[2], None);
    }
    reply.integer(i64::from(absent));
    Ok(())
}

pub(super) const SETEX: Spec = Spec {
    name: "setex",
    summary: "Sets a key and its expiry in seconds.",
    usage: "key seconds value",
    since: "2.0.0",
    group: Group::String,
    complexity: "O(1)",
    arity: 4,
    flags: &[Flag::Write, Flag::DenyOom],
    keys: KeySpec::ONE,
    subcommands: &[],
    run: Run::keyspace(setex),
};

fn setex(ctx: &mut Ctx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    set_with_expiry(ctx, SETEX.name, Clock::Seconds, args, reply)
}

pub(super) const PSETEX: Spec = Spec {
    name: "psetex",
    summary: "Sets a key and its expiry in milliseconds.",
    usage: "key milliseconds value",
    since: "2.6.0",
    group: Group::String,
    complexity: "O(1)",
    arity: 4,
    flags: &[Flag::Write, Flag::DenyOom],
    keys: KeySpec::ONE,
    subcommands: &[],
    run: Run::keyspace(psetex),
};

fn psetex(ctx: &mut Ctx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    set_with_expiry(ctx, PSETEX.name, Clock::Milliseconds, args, reply)
}

fn set_with_expiry(
    ctx: &mut Ctx<'_>,
    command: &str,
    clock: Clock,
    args: Args<'_>,
    reply: &mut Reply<'_>,
) -> Outcome {
    let key = &args[1];
    let expires_ms = positive_expiry(command, clock, &args[2], ctx.now_ms)?;
    ctx.keyspace.store(key).insert_bytes(key, &args[3], Some(expires_ms));
    reply.ok();
    Ok(())
}

pub(super) const GETSET: Spec = Spec {
    name: "getset",
    summary: "Sets a key and answers what it held before. SET with GET does the same.",
    usage: "key value",
    since: "1.0.0",
    group: Group::String,
    complexity: "O(1)",
    arity: 3,
    flags: &[Flag::Write, Flag::DenyOom, Flag::Fast],
    keys: KeySpec::ONE,
    subcommands: &[],
    run: Run::keyspace(getset),
};

fn getset(ctx: &mut Ctx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let key = &args[1];
    read(ctx, key, reply)?;
    ctx.keyspace.store(key).insert_bytes(key, &args[2], None);
    Ok(())
}

pub(super) const GETEX: Spec = Spec {
    name: "getex",
    summary: "Reads a string and sets or clears its key's expiry.",
    usage: "key [EX seconds | PX milliseconds | EXAT unix-time-seconds | PXAT unix-time-milliseconds | PERSIST]",
    since: "6.2.0",
    group: Group::String,
    complexity: "O(1)",
    arity: -2,
    flags: &[Flag::Write, Flag::Fast],
    keys: KeySpec::ONE,
    subcommands: &[],
    run: Run::keyspace(getex),
};

fn getex(ctx: &mut Ctx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let key = &args[1];
    let mut expiry = None;
    let mut persist = false;
    let mut rest = args.from(2);
    while let Some(option) = rest.next() {
        if is(option, "PERSIST") && expiry.is_none() {
            persist = true;
            continue;
        }
        let clock = Clock::of_option(option).ok_or(Mistake::SYNTAX)?;
        if persist || expiry.is_some_and(|(old, _)| old != clock) {
            return Err(Mistake::SYNTAX);
        }
        expiry = Some((clock, rest.next().ok_or(Mistake::SYNTAX)?));
    }
    let store = ctx.keyspace.store(key);
    let Some(entry) = store.get(key, ctx.now_ms) else {
        reply.null();
        return Ok(());
    };
    with_string(&entry.value, |_| ())?;
    // A wrong amount is only a mistake where there is a string.
    let expires_ms = match expiry {
        Some((clock, amount)) => Some(positive_expiry(GETEX.name, clock, amount, ctx.now_ms)?),
        None => None,
    };
    write_string(&entry.value, reply)?;
    if expires_ms.is_some_and(|expires_ms| expires_ms <= ctx.now_ms) {
        store.remove(key, ctx.now_ms);
    } else if expires_ms.is_some() || persist {
        store.set_expiry(key, expires_ms, ctx.now_ms);
    }
    Ok(())
}

pub(super) const GETDEL: Spec = Spec {
    name: "getdel",
    summary: "Reads a string and removes its key.",
    usage: "key",
    since: "6.2.0",
    group: Group::String,
    complexity: "O(1)",
    arity: 2,
    flags: &[Flag::Write, Flag::Fast],
    keys: KeySpec::ONE,
    subcommands: &[],
    run: Run::keyspace(getdel),
};

fn getdel(ctx: &mut Ctx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let key = &args[1];
    read(ctx, key, reply)?;
    ctx.keyspace.store(key).remove(key, ctx.now_ms);
    Ok(())
}

pub(super) const MGET: Spec = Spec {
    name: "mget",
    summary: "Reads the strings of several keys, null where there is none.",
    usage: "key ...",
    since: "1.0.0",
    group: Group::String,
    complexity: "O(N) in the number of keys",
    arity: -2,
    flags: &[Flag::ReadOnly, Flag::Fast],
    keys: KeySpec::EVERY,
    subcommands: &[],
    run: Run::keyspace(mget),
};

fn mget(ctx: &mut Ctx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    reply.array(args.len() - 1);
    ctx.each_key(
        args.from(1),
        |key| *key,
        |ctx, key| {
            // Null for what is no string, too.
            if read(ctx, key, reply).is_err() {
                reply.null();
            }
        },
    );
    Ok(())
}

pub(super) const MSET: Spec = Spec {
    name: "mset",
    summary: "Sets several keys at once.",
    usage: "(key value) ...",
    since: "1.0.1",
    group: Group::String,
    complexity: "O(N) in the number of keys",
    arity: -3,
    flags: &[Flag::Write, Flag::DenyOom],
    keys: KeySpec::PAIRS,
    subcommands: &[],
    run: Run::keyspace(mset),
};

fn mset(ctx: &mut Ctx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    if args.len().is_multiple_of(2) {
        return Err(Mistake::arity(MSET.name));
    }
    set_pairs(ctx, args);
    reply.ok();
    Ok(())
}

pub(super) const MSETNX: Spec = Spec {
    name: "msetnx",
    summary: "Sets several keys at once, or none if any is there; answers whether it did.",
    usage: "(key value) ...",
    since: "1.0.1",
    group: Group::String,
    complexity: "O(N) in the number of keys",
    arity: -3,
    flags: &[Flag::Write, Flag::DenyOom],
    keys: KeySpec::PAIRS,
    subcommands: &[],
    run: Run::keyspace(msetnx),
};

fn msetnx(ctx: &mut Ctx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    if args.len().is_multiple_of(2) {
        return Err(Mistake::arity(MSETNX.name));
    }
    let now_ms = ctx.now_ms;
    let all_absent = args.from(1).step_by(2).all(|key| ctx.keyspace.store(key).peek(key, now_ms).is_none());
    if all_absent {
        set_pairs(ctx, args);
    }
    reply.integer(i64::from(all_absent));
    Ok(())
}

fn set_pairs(ctx: &mut Ctx<'_>, args: Args<'_>) {
    let pairs = args.from(1).step_by(2).zip(args.from(2).step_by(2));
    ctx.each_key(
        pairs,
        |(key, _)| *key,
        |ctx, (key, value)| {
            ctx.keyspace.store(key).insert_bytes(key, value, None);
        },
    );
}

/// Answers the string at `key`, null when there is none.
fn read(ctx: &mut Ctx<'_>, key: &[u8], reply: &mut Reply<'_>) -> Outcome {
    match ctx.keyspace.store(key).get(key, ctx.now_ms) {
        Some(entry) => write_string(&entry.value, reply)?,
        None => reply.null(),
    }
    Ok(())
}

fn write_string(value: &Value, reply: &mut Reply<'_>) -> Outcome {
    with_string(value, |bytes| reply.bulk(bytes))
}

/// Lends the text of a string value, a counter's in decimal.
pub(super) fn with_string<T>(value: &Value, lend: impl FnOnce(&[u8]) -> T) -> Result<T, Mistake> {
    match value {
        Value::Int(value) => Ok(lend(itoa::Buffer::new().format(*value).as_bytes())),
        Value::Bytes(bytes) => Ok(lend(bytes)),
        _ => Err(Mistake::WRONG_TYPE),
    }
}
