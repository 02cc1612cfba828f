//! XPENDING, XCLAIM and XAUTOCLAIM: what a group has handed out and nobody has acknowledged, and passing it on to another
//! consumer.

use super::Mistake;
use super::parse::{integer, is};
use super::spec::{Ctx, Flag, Outcome, Run, Spec};
use super::stream_groups::note;
use super::stream_words::{Elements, count, end, id, mistake, no_group, start, write_entry, write_id};
use super::streams::FAMILY;
use crate::resp::{Args, Reply, parse_i64};
use crate::store::stream::{Group, Log, StreamId};
use crate::store::{Stream, WrongType};

pub(super) const XPENDING: Spec = Spec {
    name: "xpending",
    summary: "What a group has pending: how much, between which ids and whose; or entry by entry, with how long and how often.",
    usage: "key group [[IDLE min-idle-time] start end count [consumer]]",
    complexity: "O(N) in the number of entries looked at, or of consumers",
    arity: -3,
    run: Run::keyspace(xpending),
    ..FAMILY
};

fn xpending(ctx: &mut Ctx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    if args.len() != 3 && !(6..=9).contains(&args.len()) {
        return Err(Mistake::SYNTAX);
    }
    let detailed = if args.len() == 3 { None } else { Some(Detailed::parse(args)?) };
    let (key, name) = (&args[1], &args[2]);
    let stream = ctx.keyspace.store(key).read::<Stream>(key, ctx.now_ms)?;
    let group = stream.and_then(|stream| stream.groups.get(name)).ok_or_else(|| no_group(key, name, ""))?;
    match detailed {
        Some(detailed) => detailed.write(group, ctx.now_ms, reply),
        None => write_summary(group, reply),
    }
    Ok(())
}

fn write_summary(group: &Group, reply: &mut Reply<'_>) {
    let pending = group.pending();
    reply.array(4);
    reply.count(pending.len());
    let (Some((first, _)), Some((last, _))) = (pending.first_key_value(), pending.last_key_value()) else {
        reply.null();
        reply.null();
        reply.null_array();
        return;
    };
    write_id(*first, reply);
    write_id(*last, reply);
    let busy = || group.consumers().iter().filter(|(_, consumer)| !consumer.pending().is_empty());
    reply.array(busy().count());
    for (name, consumer) in busy() {
        reply.array(2);
        reply.bulk(name);
        reply.bulk_integer(consumer.pending().len() as i64);
    }
}

/// Which pending entries are asked for one by one.
struct Detailed<'a> {
    min_idle_ms: i64,
    first: StreamId,
    last: StreamId,
    most: usize,
    consumer: Option<&'a [u8]>,
}

impl<'a> Detailed<'a> {
    fn parse(args: Args<'a>) -> Result<Self, Mistake> {
        let (mut min_idle_ms, mut at) = (0, 3);
        if is(&args[3], "IDLE") {
            min_idle_ms = integer(&args[4])?;
            if args.len() < 8 {
                return Err(Mistake::SYNTAX);
            }
            at = 5;
        }
        // What is wrong with the count is told first.
        let most = count(&args[at + 2])?;
        let (first, last) = (start(&args[at])?, end(&args[at + 1])?);
        Ok(Self { min_idle_ms, first, last, most, consumer: args.get(at + 3) })
    }

    fn write(&self, group: &Group, now_ms: u64, reply: &mut Reply<'_>) {
        let mut written = Elements::new(reply);
        let pending = group.pending_of(self.consumer, self.first..=self.last);
        let idle = pending.map(|(id, pending)| (id, pending, idle_ms(pending.delivered_ms, now_ms)));
        let wanted = idle.filter(|(_, _, idle_ms)| self.min_idle_ms == 0 || *idle_ms >= self.min_idle_ms);
        for (id, pending, idle_ms) in wanted.take(self.most) {
            let mut reply = written.add();
            reply.array(4);
            write_id(id, &mut reply);
            reply.bulk(&pending.consumer);
            reply.integer(idle_ms.max(0));
            reply.integer(pending.deliveries as i64);
        }
        written.finish(reply);
    }
}

/// How long ago something was delivered; below 0 if the clock went back.
fn idle_ms(delivered_ms: u64, now_ms: u64) -> i64 {
    (now_ms as i64).saturating_sub(delivered_ms as i64)
}

pub(super) const XCLAIM: Spec = Spec {
    name: "xclaim",
    summary: "Makes pending entries those of another consumer, if they have been pending long enough; answers them.",
    usage: "key group consumer min-idle-time id ... [IDLE ms] [TIME unix-time-milliseconds] [RETRYCOUNT count] [FORCE] [JUSTID] [LASTID last-id]",
    complexity: "O(log(N)) for each id, N being the pending entries",
    arity: -6,
    flags: &[Flag::Write, Flag::Fast],
    run: Run::keyspace(xclaim),
    ..FAMILY
};

/// How entries are claimed.
struct Claim<'a> {
    consumer: &'a [u8],
    min_idle_ms: i64,
    delivered_ms: u64,
    deliveries: Option<u64>,
    /// Entries that are not pending are claimed as well.
    force: bool,
    /// Only ids are answered, and that counts as no delivery.
    just_id: bool,
}

fn xclaim(ctx: &mut Ctx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let now_ms = ctx.now_ms;
    let (log, group) = group(ctx, args)?;
    let min_idle_ms = min_idle(&args[4], "ERR Invalid min-idle-time argument for XCLAIM")?;
    let ids: Vec<StreamId> = args.from(5).map_while(|text| id(text).ok()).collect();
    let mut claim = Claim {
        consumer: &args[3],
        min_idle_ms,
        delivered_ms: now_ms,
        deliveries: None,
        force: false,
        just_id: false,
    };
    let mut last_id = StreamId::MIN;
    // Time that is no sensible time is taken for now: it may come from a clock that differs.
    let sensible = |ms: i64| u64::try_from(ms).ok().filter(|ms| *ms <= now_ms).unwrap_or(now_ms);
    let number = |text: &[u8], mistake| parse_i64(text).ok_or(Mistake::new(mistake));
    let mut rest = args.from(5 + ids.len());
    while let Some(option) = rest.next() {
        if is(option, "FORCE") {
            claim.force = true;
            continue;
        } else if is(option, "JUSTID") {
            claim.just_id = true;
            continue;
        }
        let value = rest.next();
        match value {
            Some(value) if is(option, "IDLE") => {
                let idle = number(value, "ERR Invalid IDLE option argument for XCLAIM")?;
                claim.delivered_ms = sensible((now_ms as i64).checked_sub(idle).unwrap_or(-1));
            }
            Some(value) if is(option, "TIME") => {
                claim.delivered_ms = sensible(number(value, "ERR Invalid TIME option argument for XCLAIM")?);
            }
            Some(value) if is(option, "RETRYCOUNT") => {
                let count = number(value, "ERR Invalid RETRYCOUNT option argument for XCLAIM")?;
                claim.deliveries = u64::try_from(count).ok();
            }
            Some(value) if is(option, "LASTID") => last_id = id(value)?,
            _ => return Err(mistake(&[b"ERR Unrecognized XCLAIM option '", option, b"'"])),
        }
    }
    let mut changed = group.skip_to(last_id);
    let mut written = Elements::new(reply);
    for id in ids {
        changed |= claim.one(log, group, id, now_ms, &mut written);
    }
    written.finish(reply);
    note(ctx, &args[1], changed);
    Ok(())
}

impl Claim<'_> {
    /// Claims an entry and answers it, if it may be claimed. One that is gone from the log is pending no more. Whether either
    /// was so.
    fn one(&self, log: &Log, group: &mut Group, id: StreamId, now_ms: u64, written: &mut Elements) -> bool {
        let Some(entry) = log.get(id) else { return group.acknowledge(id) };
        let deliveries = match group.pending().get(&id) {
            Some(pending) if idle_ms(pending.delivered_ms, now_ms) < self.min_idle_ms => return false,
            Some(pending) => pending.deliveries,
            None if self.force => 1,
            None => return false,
        };
        group.see_consumer(self.consumer, now_ms);
        let counted = if self.just_id { deliveries } else { deliveries.wrapping_add(1) };
        group.assign(id, self.consumer, self.delivered_ms, self.deliveries.unwrap_or(counted));
        let mut reply = written.add();
        if self.just_id {
            write_id(id, &mut reply);
        } else {
            write_entry(&entry, &mut reply);
        }
        true
    }
}

/// How long an entry must have been pending: below 0 as 0.
fn min_idle(text: &[u8], mistake: &'static str) -> Result<i64, Mistake> {
    parse_i64(text).map(|ms| ms.max(0)).ok_or(Mistake::new(mistake))
}

/// The log and the group that a command names.
fn group<'a>(ctx: &'a mut Ctx<'_>, args: Args<'_>) -> Result<(&'a Log, &'a mut Group), Mistake> {
    let (key, name) = (&args[1], &args[2]);
    let stream: Result<Option<&mut Stream>, WrongType> = ctx.keyspace.store(key).change(key, ctx.now_ms);
    let found = stream?.and_then(|stream| Some((&stream.log, stream.groups.get_mut(name)?)));
    found.ok_or_else(|| no_group(key, name, ""))
}

pub(super) const XAUTOCLAIM: Spec = Spec {
    name: "xautoclaim",
    summary: "Claims entries from an id on that have been pending long enough; answers where to go on, the entries, and ids of such as are gone.",
    usage: "key group consumer min-idle-time start [COUNT count] [JUSTID]",
    since: "6.2.0",
    complexity: "O(N) in the number of pending entries looked at, at most ten times COUNT",
    run: Run::keyspace(xautoclaim),
    ..XCLAIM
};

/// Pending entries looked at for each that may be claimed.
const LOOKS: usize = 10;

/// Highest COUNT of an XAUTOCLAIM: Redis's, whose array of ids it must fit.
const COUNT_MAX: i64 = i64::MAX / 16;

fn xautoclaim(ctx: &mut Ctx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let now_ms = ctx.now_ms;
    let min_idle_ms = min_idle(&args[4], "ERR Invalid min-idle-time argument for XAUTOCLAIM")?;
    let first = start(&args[5])?;
    let (mut left, mut just_id) = (100, false);
    let mut rest = args.from(6);
    while let Some(option) = rest.next() {
        if is(option, "JUSTID") {
            just_id = true;
            continue;
        }
        let value = rest.next().filter(|_| is(option, "COUNT")).ok_or(Mistake::SYNTAX)?;
        let count = parse_i64(value).filter(|count| (1..=COUNT_MAX).contains(count));
        let count = count.ok_or(Mistake::new("ERR COUNT must be > 0"))?;
        left = usize::try_from(count).unwrap_or(usize::MAX);
    }
    let (log, group) = group(ctx, args)?;
    let consumer = &args[3];
    let claim =
        Claim { consumer, min_idle_ms, delivered_ms: now_ms, deliveries: None, force: false, just_id };
    let (mut claimed, mut gone) = (Elements::new(reply), Vec::new());
    let mut looks = left.saturating_mul(LOOKS);
    let first_from = |group: &Group, id| group.pending().range(id..).next().map(|(id, _)| *id);
    let (mut next, mut changed) = (first_from(group, first), false);
    while let Some(id) = next
        && left > 0
        && looks > 0
    {
        looks -= 1;
        let before = claimed.len();
        changed |= claim.one(log, group, id, now_ms, &mut claimed);
        if claimed.len() > before {
            left -= 1;
        } else if !group.pending().contains_key(&id) {
            gone.push(id);
            left -= 1;
        }
        next = id.next().and_then(|above| first_from(group, above));
    }
    reply.array(3);
    write_id(next.unwrap_or(StreamId::MIN), reply);
    claimed.finish(reply);
    reply.array(gone.len());
    gone.into_iter().for_each(|id| write_id(id, reply));
    note(ctx, &args[1], changed);
    Ok(())
}
