//! XINFO: what a stream, its groups and their consumers are like.
//!
//! Redis keeps entries in a radix tree of nodes and tells how many keys and nodes that has. Here they lie in a queue of
//! blocks: `radix-tree-keys` are the blocks, `radix-tree-nodes` the blocks and the queue.

use super::Mistake;
use super::help;
use super::parse::{integer, is};
use super::spec::{Ctx, KeySpec, Outcome, Run, Spec};
use super::stream_groups::no_such_group;
use super::stream_words::{write_entries, write_entry, write_id};
use super::streams::FAMILY;
use crate::resp::{Args, Reply};
use crate::store::Stream;
use crate::store::stream::{Consumer, Group, StreamEntry, StreamId};

pub(super) const XINFO: Spec = Spec {
    name: "xinfo",
    summary: "A container for commands that tell about streams.",
    usage: "",
    complexity: "Depends on the subcommand",
    arity: -2,
    flags: &[],
    keys: KeySpec::None,
    subcommands: &[STREAM, GROUPS, CONSUMERS, HELP],
    run: help::RUN,
    ..FAMILY
};

const STREAM: Spec = Spec {
    name: "xinfo|stream",
    summary: "A stream's length, ids and ends; with FULL all of it, groups and pending entries too.",
    usage: "key [FULL [COUNT count]]",
    complexity: "O(N) in the number of entries and pending entries answered",
    arity: -3,
    keys: KeySpec::Range { first: 2, last: 2, step: 1 },
    run: Run::keyspace(stream),
    ..FAMILY
};

/// Entries and pending entries that FULL answers of each, unless it is told another number.
const FULL_COUNT: usize = 10;

fn stream(ctx: &mut Ctx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let stream = named(ctx, args)?;
    let full = match args.len() {
        3 => None,
        4 if is(&args[3], "FULL") => Some(FULL_COUNT),
        6 if is(&args[3], "FULL") && is(&args[4], "COUNT") => Some(match integer(&args[5])? {
            0 => usize::MAX,
            count => usize::try_from(count).unwrap_or(if count < 0 { FULL_COUNT } else { usize::MAX }),
        }),
        _ => return Err(Mistake::unknown_form(args)),
    };
    let log = &stream.log;
    reply.map(if full.is_some() { 9 } else { 10 });
    field("length", reply).count(log.len());
    field("radix-tree-keys", reply).count(log.blocks());
    field("radix-tree-nodes", reply).count(log.blocks() + 1);
    write_id(log.last_id(), field("last-generated-id", reply));
    write_id(log.max_deleted_id(), field("max-deleted-entry-id", reply));
    field("entries-added", reply).integer(log.added() as i64);
    write_id(log.first_id(), field("recorded-first-entry-id", reply));
    let (min, max) = (StreamId::MIN, StreamId::MAX);
    match full {
        None => {
            field("groups", reply).count(stream.groups.len());
            write_edge(log.range(min, max).next(), field("first-entry", reply));
            write_edge(log.range_back(min, max).next(), field("last-entry", reply));
        }
        Some(most) => {
            write_entries(log.range(min, max).take(most), field("entries", reply));
            field("groups", reply).array(stream.groups.len());
            for (name, group) in &stream.groups {
                write_group(stream, name, group, most, reply);
            }
        }
    }
    Ok(())
}

/// The stream that a subcommand names.
fn named<'a>(ctx: &'a mut Ctx<'_>, args: Args<'_>) -> Result<&'a Stream, Mistake> {
    let key = &args[2];
    ctx.keyspace.store(key).read::<Stream>(key, ctx.now_ms)?.ok_or(Mistake::NO_SUCH_KEY)
}

/// Answers a field's name; its value is to follow.
fn field<'a, 'b>(name: &str, reply: &'a mut Reply<'b>) -> &'a mut Reply<'b> {
    reply.bulk(name);
    reply
}

fn write_edge(entry: Option<StreamEntry<'_>>, reply: &mut Reply<'_>) {
    match entry {
        Some(entry) => write_entry(&entry, reply),
        None => reply.null(),
    }
}

/// Answers all of a group, at most so many pending entries of it and of each consumer.
fn write_group(stream: &Stream, name: &[u8], group: &Group, most: usize, reply: &mut Reply<'_>) {
    reply.map(7);
    field("name", reply).bulk(name);
    write_position(stream, group, reply);
    let pending = group.pending();
    field("pel-count", reply).count(pending.len());
    field("pending", reply).array(pending.len().min(most));
    for (id, pending) in pending.iter().take(most) {
        reply.array(4);
        write_id(*id, reply);
        reply.bulk(&pending.consumer);
        reply.integer(pending.delivered_ms as i64);
        reply.integer(pending.deliveries as i64);
    }
    field("consumers", reply).array(group.consumers().len());
    for (name, consumer) in group.consumers() {
        write_consumer(group, name, consumer, most, reply);
    }
}

/// Answers how far a group has read: three fields.
fn write_position(stream: &Stream, group: &Group, reply: &mut Reply<'_>) {
    write_id(group.last_id(), field("last-delivered-id", reply));
    for (name, number) in [("entries-read", group.read()), ("lag", group.lag(&stream.log))] {
        match number {
            Some(number) => field(name, reply).integer(number),
            None => field(name, reply).null(),
        }
    }
}

fn write_consumer(group: &Group, name: &[u8], consumer: &Consumer, most: usize, reply: &mut Reply<'_>) {
    reply.map(4);
    field("name", reply).bulk(name);
    field("seen-time", reply).integer(consumer.seen_ms() as i64);
    let len = consumer.pending().len();
    field("pel-count", reply).count(len);
    field("pending", reply).array(len.min(most));
    for (id, pending) in group.pending_of(Some(name), StreamId::MIN..=StreamId::MAX).take(most) {
        reply.array(3);
        write_id(id, reply);
        reply.integer(pending.delivered_ms as i64);
        reply.integer(pending.deliveries as i64);
    }
}

const GROUPS: Spec = Spec {
    name: "xinfo|groups",
    summary: "The groups of a stream: how many consumers and pending entries each has, and how far it has read.",
    usage: "key",
    complexity: "O(N) in the number of groups",
    arity: 3,
    run: Run::keyspace(groups),
    ..STREAM
};

fn groups(ctx: &mut Ctx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let stream = named(ctx, args)?;
    reply.array(stream.groups.len());
    for (name, group) in &stream.groups {
        reply.map(6);
        field("name", reply).bulk(name);
        field("consumers", reply).count(group.consumers().len());
        field("pending", reply).count(group.pending().len());
        write_position(stream, group, reply);
    }
    Ok(())
}

const CONSUMERS: Spec = Spec {
    name: "xinfo|consumers",
    summary: "The consumers of a group: how much each has pending, and for how long it has not asked for anything.",
    usage: "key group",
    complexity: "O(N) in the number of consumers",
    arity: 4,
    run: Run::keyspace(consumers),
    ..STREAM
};

fn consumers(ctx: &mut Ctx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let now_ms = ctx.now_ms;
    let stream = named(ctx, args)?;
    let group = stream.groups.get(&args[3]).ok_or_else(|| no_such_group(&args[2], &args[3]))?;
    reply.array(group.consumers().len());
    for (name, consumer) in group.consumers() {
        reply.map(3);
        field("name", reply).bulk(name);
        field("pending", reply).count(consumer.pending().len());
        field("idle", reply).integer((now_ms as i64).saturating_sub(consumer.seen_ms() as i64).max(0));
    }
    Ok(())
}

const HELP: Spec = help::of("xinfo|help", "5.0.0", FAMILY.group);
