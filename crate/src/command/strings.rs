//! Commands on string values.

use super::Mistake;
use super::spec::{Ctx, Flag, Group, KeySpec, Outcome, Run, Spec};
use crate::resp::{Args, Reply, parse_i64};
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
    run: Run::Keyspace(get),
};

fn get(ctx: &mut Ctx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let key = &args[1];
    match ctx.keyspace.store(key).get(key, ctx.now_ms) {
        Some(entry) => write_string(&entry.value, reply),
        None => {
            reply.null();
            Ok(())
        }
    }
}

pub(super) const SET: Spec = Spec {
    name: "set",
    summary: "Makes a key hold a string, whatever it held before.",
    usage: "key value",
    since: "1.0.0",
    group: Group::String,
    complexity: "O(1)",
    arity: -3,
    flags: &[Flag::Write, Flag::DenyOom],
    keys: KeySpec::ONE,
    subcommands: &[],
    run: Run::Keyspace(set),
};

fn set(ctx: &mut Ctx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let key = &args[1];
    ctx.keyspace.store(key).insert_bytes(key, &args[2], None);
    reply.ok();
    Ok(())
}

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
    run: Run::Keyspace(incr),
};

fn incr(ctx: &mut Ctx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    add(ctx, &args[1], 1, reply)
}

/// Adds to the counter at `key` and answers the sum.
fn add(ctx: &mut Ctx<'_>, key: &[u8], by: i64, reply: &mut Reply<'_>) -> Outcome {
    const OVERFLOW: Mistake = Mistake::new("ERR increment or decrement would overflow");
    let store = ctx.keyspace.store(key);
    let sum = match store.value_mut(key, ctx.now_ms) {
        Some(value) => {
            let old = match value {
                Value::Int(old) => *old,
                Value::Bytes(old) => parse_i64(old).ok_or(Mistake::NOT_AN_INTEGER)?,
            };
            let sum = old.checked_add(by).ok_or(OVERFLOW)?;
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

fn write_string(value: &Value, reply: &mut Reply<'_>) -> Outcome {
    match value {
        Value::Int(value) => reply.bulk_integer(*value),
        Value::Bytes(bytes) => reply.bulk(&**bytes),
    }
    Ok(())
}
