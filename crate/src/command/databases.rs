//! Commands that concern more than one database, and their numbers.
//!
//! What chooses a connection's own database is in [`super::connection`].

use super::Mistake;
use super::spec::{Ctx, Flag, Group, KeySpec, Outcome, Run, Spec};
use super::{Server, keys};
use crate::resp::{Args, Reply, parse_i64};

/// The number of a database.
pub(super) fn number(text: &[u8], server: &Server) -> Result<usize, Mistake> {
    let number = parse_i64(text).ok_or(Mistake::NOT_AN_INTEGER)?;
    let number = i32::try_from(number).map_err(|_| {
        Mistake::new("ERR value is out of range, value must between -2147483648 and 2147483647")
    })?;
    in_range(number, server)
}

fn in_range(number: i32, server: &Server) -> Result<usize, Mistake> {
    let number = usize::try_from(number).ok().filter(|number| *number < server.config.databases);
    number.ok_or(Mistake::new("ERR DB index is out of range"))
}

pub(super) const MOVE: Spec = Spec {
    name: "move",
    summary: "Takes a key to another database unless there is one of that name; answers whether it did.",
    usage: "key db",
    since: "1.0.0",
    group: Group::Generic,
    complexity: "O(1)",
    arity: 3,
    flags: &[Flag::Write, Flag::Fast],
    keys: KeySpec::ONE,
    subcommands: &[],
    run: Run::keyspace(move_key),
};

fn move_key(ctx: &mut Ctx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let (key, now_ms) = (&args[1], ctx.now_ms);
    let destination = number(&args[2], ctx.server)?;
    if destination == ctx.database {
        return Err(keys::SAME_OBJECT);
    }
    let shard = ctx.keyspace.shard_of(key);
    let free = shard.of(destination).peek(key, now_ms).is_none();
    let entry = if free { shard.of(ctx.database).remove(key, now_ms) } else { None };
    reply.integer(i64::from(entry.is_some()));
    if let Some(entry) = entry {
        let expires_ms = entry.expires_ms();
        shard.of(destination).insert(key, entry.value, expires_ms);
    }
    Ok(())
}

pub(super) const SWAPDB: Spec = Spec {
    name: "swapdb",
    summary: "Lets two databases change places: whoever uses one sees the other's keys from now on.",
    usage: "index index",
    since: "4.0.0",
    group: Group::Server,
    complexity: "O(1) for each shard, and O(N) in the number of keys that somebody watches or waits for",
    arity: 3,
    flags: &[Flag::Write, Flag::Fast, Flag::Dangerous],
    keys: KeySpec::All,
    subcommands: &[],
    run: Run::keyspace(swapdb),
};

fn swapdb(ctx: &mut Ctx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let parse = |text, mistake| {
        parse_i64(text).and_then(|number| i32::try_from(number).ok()).ok_or(Mistake::new(mistake))
    };
    let one = parse(&args[1], "ERR invalid first DB index")?;
    let other = parse(&args[2], "ERR invalid second DB index")?;
    let (one, other) = (in_range(one, ctx.server)?, in_range(other, ctx.server)?);
    if one != other {
        for index in 0..ctx.keyspace.count() {
            ctx.keyspace.shard(index).swap(one, other);
        }
    }
    reply.ok();
    Ok(())
}
