//! Commands on parts of strings, which they read or change in place.

use super::Mistake;
use super::parse::integer;
use super::spec::{Ctx, Flag, Group, KeySpec, Outcome, Run, Spec};
use super::strings::with_string;
use crate::resp::{Args, Reply};
use crate::store::{Bytes, Value};

pub(super) const APPEND: Spec = Spec {
    name: "append",
    summary: "Adds to the end of a string; answers its length then.",
    usage: "key value",
    since: "2.0.0",
    group: Group::String,
    complexity: "O(1) amortised",
    arity: 3,
    flags: &[Flag::Write, Flag::DenyOom, Flag::Fast],
    keys: KeySpec::ONE,
    subcommands: &[],
    run: Run::keyspace(append),
};

fn append(ctx: &mut Ctx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let (key, tail) = (&args[1], &args[2]);
    let bulk_bytes = ctx.server.config.limits.bulk_bytes;
    let store = ctx.keyspace.store(key);
    let len = match store.value_mut(key, ctx.now_ms) {
        Some(value) => {
            let bytes = string_mut(value)?;
            check_length(bytes.len() + tail.len(), bulk_bytes)?;
            bytes.change(|bytes| bytes.extend_from_slice(tail));
            bytes.len()
        }
        None => {
            store.insert_bytes(key, tail, None);
            tail.len()
        }
    };
    reply.count(len);
    Ok(())
}

pub(super) const STRLEN: Spec = Spec {
    name: "strlen",
    summary: "The length of a string in bytes.",
    usage: "key",
    since: "2.2.0",
    group: Group::String,
    complexity: "O(1)",
    arity: 2,
    flags: &[Flag::ReadOnly, Flag::Fast],
    keys: KeySpec::ONE,
    subcommands: &[],
    run: Run::keyspace(strlen),
};

fn strlen(ctx: &mut Ctx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let key = &args[1];
    let entry = ctx.keyspace.store(key).get(key, ctx.now_ms);
    reply.count(entry.map_or(Ok(0), |entry| with_string(&entry.value, <[u8]>::len))?);
    Ok(())
}

pub(super) const GETRANGE: Spec = Spec {
    name: "getrange",
    summary: "Part of a string, both ends included; negative positions count from its end.",
    usage: "key start end",
    since: "2.4.0",
    group: Group::String,
    complexity: "O(N) in the length of the part",
    arity: 4,
    flags: &[Flag::ReadOnly],
    keys: KeySpec::ONE,
    subcommands: &[],
    run: Run::keyspace(getrange),
};

/// GETRANGE by the name that it had before 2.4.
pub(super) const SUBSTR: Spec = Spec { name: "substr", since: "1.0.0", ..GETRANGE };

fn getrange(ctx: &mut Ctx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let key = &args[1];
    let (start, end) = (integer(&args[2])?, integer(&args[3])?);
    match ctx.keyspace.store(key).get(key, ctx.now_ms) {
        Some(entry) => with_string(&entry.value, |bytes| reply.bulk(part(bytes, start, end)))?,
        None => reply.bulk(b""),
    }
    Ok(())
}

/// The bytes from `start` to `end`, both included, clipped to what is there.
fn part(bytes: &[u8], start: i64, end: i64) -> &[u8] {
    // Two positions in front of the first byte clip to it, unless they are in the wrong order to begin with.
    if start < 0 && end < 0 && start > end {
        return &[];
    }
    let len = bytes.len() as i64;
    let from_start = |position: i64| if position < 0 { (position + len).max(0) } else { position };
    let (start, end) = (from_start(start), from_start(end).min(len - 1));
    if start > end { &[] } else { &bytes[start as usize..=end as usize] }
}

pub(super) const SETRANGE: Spec = Spec {
    name: "setrange",
    summary: "Overwrites part of a string from a position on, filling a gap with zero bytes; answers its length then.",
    usage: "key offset value",
    since: "2.2.0",
    group: Group::String,
    complexity: "O(N) in the length of the value, and of the gap",
    arity: 4,
    flags: &[Flag::Write, Flag::DenyOom],
    keys: KeySpec::ONE,
    subcommands: &[],
    run: Run::keyspace(setrange),
};

fn setrange(ctx: &mut Ctx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let (key, patch) = (&args[1], &args[3]);
    let offset = integer(&args[2])?;
    let offset = usize::try_from(offset).map_err(|_| match offset {
        ..0 => Mistake::new("ERR offset is out of range"),
        _ => Mistake::STRING_TOO_LONG,
    })?;
    let bulk_bytes = ctx.server.config.limits.bulk_bytes;
    let store = ctx.keyspace.store(key);
    let len = match store.value_mut(key, ctx.now_ms) {
        Some(value) if patch.is_empty() => {
            let len = with_string(value, <[u8]>::len)?;
            store.unchanged(key);
            len
        }
        None if patch.is_empty() => 0,
        mut value => {
            // What is no string is told before what is too long.
            value.as_deref_mut().map_or(Ok(()), |value| with_string(value, |_| ()))?;
            check_length(offset.saturating_add(patch.len()), bulk_bytes)?;
            match value {
                Some(value) => overwrite(string_mut(value)?, offset, patch),
                None => {
                    let mut bytes = Bytes::from(&b""[..]);
                    let len = overwrite(&mut bytes, offset, patch);
                    store.insert(key, Value::Bytes(bytes), None);
                    len
                }
            }
        }
    };
    reply.count(len);
    Ok(())
}

/// Writes `patch` over `bytes` from `offset` on; the length then.
fn overwrite(bytes: &mut Bytes, offset: usize, patch: &[u8]) -> usize {
    bytes.change(|bytes| {
        let end = offset + patch.len();
        if bytes.len() < end {
            bytes.resize(end, 0);
        }
        bytes[offset..end].copy_from_slice(patch);
        bytes.len()
    })
}

/// A string value, to be changed; a number becomes its text.
fn string_mut(value: &mut Value) -> Result<&mut Bytes, Mistake> {
    if let Value::Int(number) = value {
        *value = Value::Bytes(Bytes::from(itoa::Buffer::new().format(*number).as_bytes()));
    }
    match value {
        Value::Bytes(bytes) => Ok(bytes),
        _ => Err(Mistake::WRONG_TYPE),
    }
}

fn check_length(len: usize, limit: usize) -> Result<(), Mistake> {
    if len > limit { Err(Mistake::STRING_TOO_LONG) } else { Ok(()) }
}
