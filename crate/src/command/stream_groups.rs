//! XGROUP and XACK: the groups of a stream, their consumers, and what they acknowledge.
//!
//! Handing entries out is in [`super::stream_reads`], passing them on from one consumer to another in
//! [`super::stream_claims`].
//!
//! What a group knows is not what its stream holds: to those who watch the key or wait for it nothing is changed here, as in
//! Redis, but where a stream is made, or a group goes that somebody may wait in.

use super::Mistake;
use super::help;
use super::parse::{integer, is};
use super::spec::{Ctx, Flag, KeySpec, Outcome, Run, Spec};
use super::stream_words::{id, mistake};
use super::streams::FAMILY;
use crate::resp::{Args, Reply};
use crate::store::Stream;
use crate::store::stream::{Group, Log, StreamId};

pub(super) const XGROUP: Spec = Spec {
    name: "xgroup",
    summary: "A container for commands about the groups of a stream.",
    usage: "",
    complexity: "Depends on the subcommand",
    arity: -2,
    flags: &[],
    keys: KeySpec::None,
    subcommands: &[CREATE, SETID, DESTROY, CREATECONSUMER, DELCONSUMER, HELP],
    run: help::RUN,
    ..FAMILY
};

const CREATE: Spec = Spec {
    name: "xgroup|create",
    summary: "Makes a group that has read up to an id; `$` stands for the last one. MKSTREAM makes the stream, too.",
    usage: "key group (id | $) [MKSTREAM] [ENTRIESREAD entries-read]",
    arity: -5,
    flags: &[Flag::Write, Flag::DenyOom],
    keys: KeySpec::Range { first: 2, last: 2, step: 1 },
    run: Run::keyspace(create),
    ..FAMILY
};

fn create(ctx: &mut Ctx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let options = GroupOptions::parse(args, true)?;
    let key = &args[2];
    let store = ctx.keyspace.store(key);
    let stream = store.change::<Stream>(key, ctx.now_ms)?;
    let fresh = Log::default();
    let log = match &stream {
        Some(stream) => &stream.log,
        None if options.makes_key => &fresh,
        None => return Err(NO_STREAM),
    };
    if args.len() > 8 {
        return Err(Mistake::unknown_form(args));
    }
    let group = Group::new(position(&args[4], log)?, options.read);
    let is_new = stream.is_none();
    if !is_new {
        // Not changed yet.
        store.unchanged(key);
    }
    let stream: &mut Stream = store.change_or_insert(key, ctx.now_ms)?;
    if stream.groups.contains_key(&args[3]) {
        return Err(Mistake::new("BUSYGROUP Consumer Group name already exists"));
    }
    stream.groups.insert(args[3].into(), group);
    if !is_new {
        store.unseen(key);
    }
    reply.ok();
    Ok(())
}

const SETID: Spec = Spec {
    name: "xgroup|setid",
    summary: "Puts a group at another id; `$` stands for the last one.",
    usage: "key group (id | $) [ENTRIESREAD entries-read]",
    flags: &[Flag::Write],
    run: Run::keyspace(setid),
    ..CREATE
};

fn setid(ctx: &mut Ctx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let options = GroupOptions::parse(args, false)?;
    let (log, group) = group(ctx, args)?;
    if args.len() != 5 && args.len() != 7 {
        return Err(Mistake::unknown_form(args));
    }
    let last_id = match &args[4] {
        // The ends of a range are taken here, and nowhere else for a group.
        b"-" => StreamId::MIN,
        b"+" => StreamId::MAX,
        text => position(text, log)?,
    };
    group.set_position(last_id, options.read);
    ctx.keyspace.store(&args[2]).unseen(&args[2]);
    reply.ok();
    Ok(())
}

const DESTROY: Spec = Spec {
    name: "xgroup|destroy",
    summary: "Removes a group; answers whether there was one.",
    usage: "key group",
    complexity: "O(N) in the number of its pending entries",
    arity: 4,
    flags: &[Flag::Write],
    run: Run::keyspace(destroy),
    ..CREATE
};

fn destroy(ctx: &mut Ctx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let key = &args[2];
    let stream = ctx.keyspace.store(key).change::<Stream>(key, ctx.now_ms)?.ok_or(NO_STREAM)?;
    let is_gone = stream.groups.remove(&args[3]).is_some();
    if !is_gone {
        ctx.keyspace.store(key).unchanged(key);
    }
    reply.integer(i64::from(is_gone));
    Ok(())
}

const CREATECONSUMER: Spec = Spec {
    name: "xgroup|createconsumer",
    summary: "Adds a consumer to a group; answers whether there was none of that name.",
    usage: "key group consumer",
    since: "6.2.0",
    arity: 5,
    run: Run::keyspace(create_consumer),
    ..CREATE
};

fn create_consumer(ctx: &mut Ctx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let now_ms = ctx.now_ms;
    let (_, group) = group(ctx, args)?;
    let is_new = group.add_consumer(&args[4], now_ms);
    reply.integer(i64::from(is_new));
    note(ctx, &args[2], is_new);
    Ok(())
}

const DELCONSUMER: Spec = Spec {
    name: "xgroup|delconsumer",
    summary: "Removes a consumer and forgets what it has pending; answers how much that was.",
    usage: "key group consumer",
    complexity: "O(N) in the number of its pending entries",
    arity: 5,
    flags: &[Flag::Write],
    run: Run::keyspace(remove_consumer),
    ..CREATE
};

fn remove_consumer(ctx: &mut Ctx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let (_, group) = group(ctx, args)?;
    let was_there = group.consumers().contains_key(&args[4]);
    reply.count(group.remove_consumer(&args[4]));
    note(ctx, &args[2], was_there);
    Ok(())
}

const HELP: Spec = help::of("xgroup|help", "5.0.0", FAMILY.group);

const NO_STREAM: Mistake = Mistake::new(
    "ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use the MKSTREAM option to \
     create an empty stream automatically.",
);

/// What follows the id of CREATE and SETID.
struct GroupOptions {
    makes_key: bool,
    read: Option<i64>,
}

impl GroupOptions {
    fn parse(args: Args<'_>, creates: bool) -> Result<Self, Mistake> {
        let mut options = Self { makes_key: false, read: None };
        let mut rest = args.from(5);
        while let Some(option) = rest.next() {
            if creates && is(option, "MKSTREAM") {
                options.makes_key = true;
                continue;
            }
            let Some(value) = rest.next().filter(|_| is(option, "ENTRIESREAD")) else {
                return Err(Mistake::unknown_form(args));
            };
            options.read = match integer(value)? {
                -1 => None,
                read if read < 0 => {
                    return Err(Mistake::new("ERR value for ENTRIESREAD must be positive or -1"));
                }
                read => Some(read),
            };
        }
        Ok(options)
    }
}

/// The log and the group that a subcommand names.
fn group<'a>(ctx: &'a mut Ctx<'_>, args: Args<'_>) -> Result<(&'a Log, &'a mut Group), Mistake> {
    let (key, name) = (&args[2], &args[3]);
    let stream = ctx.keyspace.store(key).change::<Stream>(key, ctx.now_ms)?.ok_or(NO_STREAM)?;
    let group = stream.groups.get_mut(name).ok_or_else(|| no_such_group(key, name))?;
    Ok((&stream.log, group))
}

/// There is no such group of a stream that is there.
pub(super) fn no_such_group(key: &[u8], group: &[u8]) -> Mistake {
    mistake(&[b"NOGROUP No such consumer group '", group, b"' for key name '", key, b"'"])
}

/// The id a group is put at.
fn position(text: &[u8], log: &Log) -> Result<StreamId, Mistake> {
    if text == b"$" { Ok(log.last_id()) } else { id(text) }
}

pub(super) const XACK: Spec = Spec {
    name: "xack",
    summary: "Acknowledges entries: they are pending in the group no more. Answers how many were.",
    usage: "key group id ...",
    complexity: "O(log(N)) for each id, N being the pending entries",
    arity: -4,
    flags: &[Flag::Write, Flag::Fast],
    run: Run::keyspace(xack),
    ..FAMILY
};

fn xack(ctx: &mut Ctx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let key = &args[1];
    let store = ctx.keyspace.store(key);
    let Some(stream) = store.change::<Stream>(key, ctx.now_ms)? else {
        reply.integer(0);
        return Ok(());
    };
    let mut acknowledged = 0;
    if let Some(group) = stream.groups.get_mut(&args[2]) {
        // All ids are such, or none is acknowledged.
        let ids = args.from(3).map(id).collect::<Result<Vec<_>, _>>()?;
        acknowledged = ids.into_iter().filter(|id| group.acknowledge(*id)).count();
    }
    reply.count(acknowledged);
    note(ctx, key, acknowledged > 0);
    Ok(())
}

/// What was done to a group of the stream at `key`, which was looked up to be changed, is nothing to those who look on, as in Redis.
pub(super) fn note(ctx: &mut Ctx<'_>, key: &[u8], changed: bool) {
    let store = ctx.keyspace.store(key);
    if changed { store.unseen(key) } else { store.unchanged(key) }
}
