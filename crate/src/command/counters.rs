//! Commands that count: strings read as numbers.

use super::Mistake;
use super::decimal::Decimal;
use super::parse::integer;
use super::spec::{Ctx, Flag, Group, KeySpec, Outcome, Run, Spec};
use crate::resp::{Args, Reply, parse_i64};
use crate::store::{Bytes, Value};

pub(super) const INCR: Spec = Spec {
    name: "incr",
    summary: "Adds one to the integer a key holds; a missing key counts from 0.",
    usage: "key",
    since: "1.0.0",
    group: Group::String,
    complexity: "O(1)",
    arity: 2,
    flags: &[Flag::Write, Flag::DenyOom, Flag::Fast],
    keys: KeySpec::ONE,
    subcommands: &[],
    run: Run::keyspace(incr),
};

fn incr(ctx: &mut Ctx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    add(ctx, &args[1], 1, reply)
}

pub(super) const DECR: Spec = Spec {
    name: "decr",
    summary: "Takes one from the integer a key holds; a missing key counts from 0.",
    usage: "key",
    since: "1.0.0",
    group: Group::String,
    complexity: "O(1)",
    arity: 2,
    flags: &[Flag::Write, Flag::DenyOom, Flag::Fast],
    keys: KeySpec::ONE,
    subcommands: &[],
    run: Run::keyspace(decr),
};

fn decr(ctx: &mut Ctx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    add(ctx, &args[1], -1, reply)
}

pub(super) const INCRBY: Spec = Spec {
    name: "incrby",
    summary: "Adds to the integer a key holds; a missing key counts from 0.",
    usage: "key increment",
    since: "1.0.0",
    group: Group::String,
    complexity: "O(1)",
    arity: 3,
    flags: &[Flag::Write, Flag::DenyOom, Flag::Fast],
    keys: KeySpec::ONE,
    subcommands: &[],
    run: Run::keyspace(incrby),
};

fn incrby(ctx: &mut Ctx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    add(ctx, &args[1], integer(&args[2])?, reply)
}

pub(super) const DECRBY: Spec = Spec {
    name: "decrby",
    summary: "Takes from the integer a key holds; a missing key counts from 0.",
    usage: "key decrement",
    since: "1.0.0",
    group: Group::String,
    complexity: "O(1)",
    arity: 3,
    flags: &[Flag::Write, Flag::DenyOom, Flag::Fast],
    keys: KeySpec::ONE,
    subcommands: &[],
    run: Run::keyspace(decrby),
};

fn decrby(ctx: &mut Ctx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let by = integer(&args[2])?.checked_neg().ok_or(Mistake::new("ERR decrement would overflow"))?;
    add(ctx, &args[1], by, reply)
}

/// Adds to the counter at `key` and answers the sum.
fn add(ctx: &mut Ctx<'_>, key: &[u8], by: i64, reply: &mut Reply<'_>) -> Outcome {
    let store = ctx.keyspace.store(key);
    let sum = match store.value_mut(key, ctx.now_ms) {
        Some(value) => {
            let old = match value {
                Value::Int(old) => *old,
                Value::Bytes(old) => parse_i64(old).ok_or(Mistake::NOT_AN_INTEGER)?,
                _ => return Err(Mistake::WRONG_TYPE),
            };
            let sum = old.checked_add(by).ok_or(Mistake::OVERFLOW)?;
            *value = Value::Int(sum);
            sum
        }
        None => {
            store.insert(key, Value::Int(by), None);
            by
        }
    };
    reply.integer(sum);
    Ok(())
}

pub(super) const INCRBYFLOAT: Spec = Spec {
    name: "incrbyfloat",
    summary: "Adds to the number a key holds, fractions allowed; a missing key counts from 0.",
    usage: "key float-increment",
    since: "2.6.0",
    group: Group::String,
    complexity: "O(1)",
    arity: 3,
    flags: &[Flag::Write, Flag::DenyOom, Flag::Fast],
    keys: KeySpec::ONE,
    subcommands: &[],
    run: Run::keyspace(incrbyfloat),
};

fn incrbyfloat(ctx: &mut Ctx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let key = &args[1];
    let store = ctx.keyspace.store(key);
    let old = store.value_mut(key, ctx.now_ms);
    let start = match &old {
        Some(Value::Int(old)) => Decimal::from(*old),
        Some(Value::Bytes(old)) => Decimal::parse(old).ok_or(Mistake::NOT_A_FLOAT)?,
        Some(_) => return Err(Mistake::WRONG_TYPE),
        None => Decimal::from(0),
    };
    let by = Decimal::parse(&args[2]).ok_or(Mistake::NOT_A_FLOAT)?;
    let sum = start.add(by).ok_or(Mistake::NOT_FINITE)?;
    let text = sum.to_string();
    let sum = Value::Bytes(Bytes::from(text.as_bytes()));
    match old {
        Some(old) => *old = sum,
        None => store.insert(key, sum, None),
    }
    reply.bulk(text);
    Ok(())
}
