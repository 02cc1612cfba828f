//! Commands on when keys expire.

use super::Mistake;
use super::parse::{Clock, integer, is};
use super::spec::{Ctx, Flag, Group, KeySpec, Outcome, Run, Spec};
use crate::resp::{Args, Reply};
use crate::store::Entry;

/// The four commands that set an expiry differ in name, clock and the name of their amount.
const fn setter(
    name: &'static str,
    summary: &'static str,
    usage: &'static str,
    since: &'static str,
    run: Run,
) -> Spec {
    Spec {
        name,
        summary,
        usage,
        since,
        group: Group::Generic,
        complexity: "O(1)",
        arity: -3,
        flags: &[Flag::Write, Flag::Fast],
        keys: KeySpec::ONE,
        subcommands: &[],
        run,
    }
}

pub(super) const EXPIRE: Spec = setter(
    "expire",
    "Lets a key expire after some seconds; answers whether it will.",
    "key seconds [NX | XX | GT | LT]",
    "1.0.0",
    Run::keyspace(expire),
);

pub(super) const PEXPIRE: Spec = setter(
    "pexpire",
    "Lets a key expire after some milliseconds; answers whether it will.",
    "key milliseconds [NX | XX | GT | LT]",
    "2.6.0",
    Run::keyspace(pexpire),
);

pub(super) const EXPIREAT: Spec = setter(
    "expireat",
    "Lets a key expire at a time in Unix seconds; answers whether it will.",
    "key unix-time-seconds [NX | XX | GT | LT]",
    "1.2.0",
    Run::keyspace(expireat),
);

pub(super) const PEXPIREAT: Spec = setter(
    "pexpireat",
    "Lets a key expire at a time in Unix milliseconds; answers whether it will.",
    "key unix-time-milliseconds [NX | XX | GT | LT]",
    "2.6.0",
    Run::keyspace(pexpireat),
);

fn expire(ctx: &mut Ctx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    set_expiry(ctx, EXPIRE.name, Clock::Seconds, args, reply)
}

fn pexpire(ctx: &mut Ctx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    set_expiry(ctx, PEXPIRE.name, Clock::Milliseconds, args, reply)
}

fn expireat(ctx: &mut Ctx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    set_expiry(ctx, EXPIREAT.name, Clock::UnixSeconds, args, reply)
}

fn pexpireat(ctx: &mut Ctx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    set_expiry(ctx, PEXPIREAT.name, Clock::UnixMilliseconds, args, reply)
}

/// Under which expiry a key may get a new one. XX goes with GT or LT, the others alone.
#[derive(Clone, Copy, Default)]
struct Conditions {
    nx: bool,
    xx: bool,
    gt: bool,
    lt: bool,
}

impl Conditions {
    fn parse(args: Args<'_>) -> Result<Self, Mistake> {
        let mut conditions = Self::default();
        for option in args.from(3) {
            if is(option, "NX") {
                conditions.nx = true;
            } else if is(option, "XX") {
                conditions.xx = true;
            } else if is(option, "GT") {
                conditions.gt = true;
            } else if is(option, "LT") {
                conditions.lt = true;
            } else {
                return Err(Mistake::from([b"ERR Unsupported option ", option].concat()));
            }
        }
        let Self { nx, xx, gt, lt } = conditions;
        if nx && (xx || gt || lt) {
            let text = "ERR NX and XX, GT or LT options at the same time are not compatible";
            return Err(Mistake::new(text));
        }
        if gt && lt {
            return Err(Mistake::new("ERR GT and LT options at the same time are not compatible"));
        }
        Ok(conditions)
    }

    /// A key without an expiry counts as one that expires after any other.
    fn allow(self, old_ms: Option<u64>, new_ms: i64) -> bool {
        let old_ms = old_ms.map(|ms| ms as i64);
        (!self.nx || old_ms.is_none())
            && (!self.xx || old_ms.is_some())
            && (!self.gt || old_ms.is_some_and(|old_ms| new_ms > old_ms))
            && (!self.lt || old_ms.is_none_or(|old_ms| new_ms < old_ms))
    }
}

/// A time that has passed removes the key at once.
fn set_expiry(
    ctx: &mut Ctx<'_>,
    command: &str,
    clock: Clock,
    args: Args<'_>,
    reply: &mut Reply<'_>,
) -> Outcome {
    let key = &args[1];
    let conditions = Conditions::parse(args)?;
    let amount = integer(&args[2])?;
    let new_ms = clock.unix_ms(amount, ctx.now_ms).ok_or_else(|| Mistake::invalid_expire(command))?;
    let store = ctx.keyspace.store(key);
    let old = store.peek(key, ctx.now_ms).map(Entry::expires_ms);
    let allowed = old.is_some_and(|old_ms| conditions.allow(old_ms, new_ms));
    if allowed {
        match u64::try_from(new_ms) {
            Ok(new_ms) if new_ms > ctx.now_ms => {
                store.set_expiry(key, Some(new_ms), ctx.now_ms);
            }
            _ => {
                store.remove(key, ctx.now_ms);
            }
        }
    }
    reply.integer(i64::from(allowed));
    Ok(())
}

/// The four commands that tell an expiry differ in how they count it.
const fn getter(name: &'static str, summary: &'static str, since: &'static str, run: Run) -> Spec {
    Spec {
        name,
        summary,
        usage: "key",
        since,
        group: Group::Generic,
        complexity: "O(1)",
        arity: 2,
        flags: &[Flag::ReadOnly, Flag::Fast],
        keys: KeySpec::ONE,
        subcommands: &[],
        run,
    }
}

pub(super) const TTL: Spec = getter(
    "ttl",
    "How many seconds a key has left: -1 without an expiry, -2 without a key.",
    "1.0.0",
    Run::keyspace(ttl),
);

fn ttl(ctx: &mut Ctx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    tell_expiry(ctx, args, reply, |expires_ms, now_ms| to_seconds(expires_ms - now_ms))
}

pub(super) const PTTL: Spec = getter(
    "pttl",
    "How many milliseconds a key has left: -1 without an expiry, -2 without a key.",
    "2.6.0",
    Run::keyspace(pttl),
);

fn pttl(ctx: &mut Ctx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    tell_expiry(ctx, args, reply, |expires_ms, now_ms| expires_ms - now_ms)
}

pub(super) const EXPIRETIME: Spec = getter(
    "expiretime",
    "When a key expires, in Unix seconds: -1 without an expiry, -2 without a key.",
    "7.0.0",
    Run::keyspace(expiretime),
);

fn expiretime(ctx: &mut Ctx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    tell_expiry(ctx, args, reply, |expires_ms, _| to_seconds(expires_ms))
}

pub(super) const PEXPIRETIME: Spec = getter(
    "pexpiretime",
    "When a key expires, in Unix milliseconds: -1 without an expiry, -2 without a key.",
    "7.0.0",
    Run::keyspace(pexpiretime),
);

fn pexpiretime(ctx: &mut Ctx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    tell_expiry(ctx, args, reply, |expires_ms, _| expires_ms)
}

/// Answers what `tell` makes of the expiry and the time now, which is not after it.
fn tell_expiry(
    ctx: &mut Ctx<'_>,
    args: Args<'_>,
    reply: &mut Reply<'_>,
    tell: impl Fn(u64, u64) -> u64,
) -> Outcome {
    let key = &args[1];
    let entry = ctx.keyspace.store(key).inspect(key, ctx.now_ms);
    reply.integer(match entry.map(Entry::expires_ms) {
        None => -2,
        Some(None) => -1,
        Some(Some(expires_ms)) => tell(expires_ms, ctx.now_ms) as i64,
    });
    Ok(())
}

/// Rounded to the nearest second.
fn to_seconds(ms: u64) -> u64 {
    (ms + 500) / 1000
}

pub(super) const PERSIST: Spec = Spec {
    name: "persist",
    summary: "Lets a key stay for good; answers whether it had an expiry.",
    usage: "key",
    since: "2.2.0",
    group: Group::Generic,
    complexity: "O(1)",
    arity: 2,
    flags: &[Flag::Write, Flag::Fast],
    keys: KeySpec::ONE,
    subcommands: &[],
    run: Run::keyspace(persist),
};

fn persist(ctx: &mut Ctx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let key = &args[1];
    let store = ctx.keyspace.store(key);
    let had_expiry = store.peek(key, ctx.now_ms).is_some_and(|entry| entry.expires_ms().is_some());
    if had_expiry {
        store.set_expiry(key, None, ctx.now_ms);
    }
    reply.integer(i64::from(had_expiry));
    Ok(())
}
