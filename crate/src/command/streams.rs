//! Commands on a stream's entries: adding, reading a range, removing.
//!
//! Reading what comes next is in [`super::stream_reads`]; groups are in [`super::stream_groups`].

use super::Mistake;
use super::parse::{integer, is};
use super::spec::{Ctx, Flag, Group, KeySpec, Outcome, Run, Spec};
use super::stream_words::{NewId, count, end, id, new_id, start, write_entries, write_id};
use crate::resp::{Args, Reply};
use crate::store::Stream;
use crate::store::stream::{BLOCK_LEN_MAX, Log, StreamId, Threshold};

/// What most commands of the family have in common.
pub(super) const FAMILY: Spec = Spec {
    name: "",
    summary: "",
    usage: "key",
    since: "5.0.0",
    group: Group::Stream,
    complexity: "O(1)",
    arity: 2,
    flags: &[Flag::ReadOnly],
    keys: KeySpec::ONE,
    subcommands: &[],
    run: Run::keyspace(xlen),
};

pub(super) const XADD: Spec = Spec {
    name: "xadd",
    summary: "Adds an entry to a stream and answers its id; trims the stream if asked to.",
    usage: "key [NOMKSTREAM] [(MAXLEN | MINID) [= | ~] threshold [LIMIT count]] (* | id) (field value) ...",
    complexity: "O(1), and O(N) in the number of entries trimmed",
    arity: -5,
    flags: &[Flag::Write, Flag::DenyOom, Flag::Fast],
    run: Run::keyspace(xadd),
    ..FAMILY
};

/// Blocks whose entries an inexact trim removes at most, unless it is told another limit.
const TRIM_BLOCKS: usize = 100;

/// What a trim removes.
#[derive(Clone, Copy, Debug)]
struct Trim {
    threshold: Threshold,
    /// Whole blocks only.
    is_inexact: bool,
    /// Most entries that an inexact one removes.
    limit: usize,
}

impl Trim {
    fn run(self, log: &mut Log) -> usize {
        match self.is_inexact {
            true => log.trim_blocks(self.threshold, self.limit),
            false => log.trim(self.threshold),
        }
    }
}

/// The options of XADD and XTRIM.
struct Options {
    trim: Option<Trim>,
    makes_key: bool,
    /// The position of XADD's id, or the end.
    id_at: usize,
}

impl Options {
    /// Reads options up to the id, or of XTRIM up to the end.
    fn parse(args: Args<'_>, adds: bool) -> Result<Self, Mistake> {
        let mut options = Self { trim: None, makes_key: true, id_at: 2 };
        let mut limit = None;
        let at = &mut options.id_at;
        while let Some(option) = args.get(*at) {
            let more = args.len() - 1 - *at;
            if adds && option == b"*" {
                break;
            } else if (is(option, "MAXLEN") || is(option, "MINID")) && more > 0 {
                if options.trim.is_some() {
                    return Err(Mistake::new(
                        "ERR syntax error, MAXLEN and MINID options at the same time are not compatible",
                    ));
                }
                let next = &args[*at + 1];
                let is_inexact = more > 1 && next == b"~";
                *at += if is_inexact || more > 1 && next == b"=" { 2 } else { 1 };
                let threshold = &args[*at];
                let threshold =
                    if is(option, "MINID") { Threshold::MinId(id(threshold)?) } else { max_len(threshold)? };
                options.trim = Some(Trim { threshold, is_inexact, limit: usize::MAX });
            } else if is(option, "LIMIT") && more > 0 {
                *at += 1;
                let number = u64::try_from(integer(&args[*at])?);
                let number = number.map_err(|_| Mistake::new("ERR The LIMIT argument must be >= 0."))?;
                limit = Some(usize::try_from(number).unwrap_or(usize::MAX));
            } else if adds && is(option, "NOMKSTREAM") {
                options.makes_key = false;
            } else if adds {
                break;
            } else {
                return Err(Mistake::SYNTAX);
            }
            *at += 1;
        }
        // What stands there should be an id, and it is told first that it is none.
        if let Some(id) = args.get(options.id_at) {
            new_id(id)?;
        }
        match &mut options.trim {
            None if limit.is_some_and(|limit| limit > 0) => Err(Mistake::new(
                "ERR syntax error, LIMIT cannot be used without specifying a trimming strategy",
            )),
            None if !adds => {
                Err(Mistake::new("ERR syntax error, XTRIM must be called with a trimming strategy"))
            }
            trim if limit.is_some() && !trim.is_some_and(|trim| trim.is_inexact) => {
                Err(Mistake::new("ERR syntax error, LIMIT cannot be used without the special ~ option"))
            }
            Some(trim) => {
                trim.limit = match limit {
                    Some(0) => usize::MAX,
                    Some(limit) => limit,
                    None => TRIM_BLOCKS * BLOCK_LEN_MAX,
                };
                Ok(options)
            }
            None => Ok(options),
        }
    }
}

fn max_len(text: &[u8]) -> Result<Threshold, Mistake> {
    let len = u64::try_from(integer(text)?);
    let len = len.map_err(|_| Mistake::new("ERR The MAXLEN argument must be >= 0."))?;
    Ok(Threshold::MaxLen(usize::try_from(len).unwrap_or(usize::MAX)))
}

fn xadd(ctx: &mut Ctx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let options = Options::parse(args, true)?;
    let first = options.id_at + 1;
    if args.len() < first + 2 || !(args.len() - first).is_multiple_of(2) {
        return Err(Mistake::arity("xadd"));
    }
    let asked = new_id(&args[options.id_at])?;
    if asked == NewId::Given(StreamId::MIN) {
        return Err(Mistake::new("ERR The ID specified in XADD must be greater than 0-0"));
    }
    let (key, now_ms) = (&args[1], ctx.now_ms);
    let store = ctx.keyspace.store(key);
    if store.change::<Stream>(key, now_ms)?.is_none() && !options.makes_key {
        reply.null();
        return Ok(());
    }
    // Any id that passed is above that of a new stream, so none is made in vain.
    let log = &mut store.change_or_insert::<Stream>(key, now_ms)?.log;
    let id = chosen(asked, log, now_ms)?;
    let string = move |at| args.get(at).unwrap_or_default();
    log.append(id, (first..args.len()).step_by(2).map(|at| (string(at), string(at + 1))));
    if let Some(trim) = options.trim {
        trim.run(log);
    }
    write_id(id, reply);
    Ok(())
}

/// The id of the next entry of `log`.
fn chosen(asked: NewId, log: &Log, now_ms: u64) -> Result<StreamId, Mistake> {
    let last = log.last_id();
    if last == StreamId::MAX {
        return Err(Mistake::new(
            "ERR The stream has exhausted the last possible ID, unable to add more items",
        ));
    }
    let id = match asked {
        NewId::Given(id) => Some(id),
        NewId::OfMillisecond(ms) if ms == last.ms => {
            last.seq.checked_add(1).map(|seq| StreamId::new(ms, seq))
        }
        NewId::OfMillisecond(ms) => Some(StreamId::new(ms, 0)),
        NewId::OfNow => log.next_id(now_ms),
    };
    id.filter(|id| *id > last).ok_or(Mistake::new(
        "ERR The ID specified in XADD is equal or smaller than the target stream top item",
    ))
}

pub(super) const XLEN: Spec = Spec {
    name: "xlen",
    summary: "How many entries a stream has.",
    flags: &[Flag::ReadOnly, Flag::Fast],
    run: Run::keyspace(xlen),
    ..FAMILY
};

fn xlen(ctx: &mut Ctx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let key = &args[1];
    let stream = ctx.keyspace.store(key).read::<Stream>(key, ctx.now_ms)?;
    reply.count(stream.map_or(0, |stream| stream.log.len()));
    Ok(())
}

pub(super) const XRANGE: Spec = Spec {
    name: "xrange",
    summary: "The entries of a stream with ids in a range, in order. `-` and `+` are its ends, `(` leaves an id out.",
    usage: "key start end [COUNT count]",
    complexity: "O(N) in the number of entries answered",
    arity: -4,
    run: Run::keyspace(xrange),
    ..FAMILY
};

fn xrange(ctx: &mut Ctx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    range(ctx, args, false, reply)
}

pub(super) const XREVRANGE: Spec = Spec {
    name: "xrevrange",
    summary: "The entries of a stream with ids in a range, the last one first.",
    usage: "key end start [COUNT count]",
    run: Run::keyspace(xrevrange),
    ..XRANGE
};

fn xrevrange(ctx: &mut Ctx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    range(ctx, args, true, reply)
}

fn range(ctx: &mut Ctx<'_>, args: Args<'_>, is_reverse: bool, reply: &mut Reply<'_>) -> Outcome {
    let (min, max) = if is_reverse { (&args[3], &args[2]) } else { (&args[2], &args[3]) };
    let (min, max) = (start(min)?, end(max)?);
    let mut most = usize::MAX;
    let mut rest = args.from(4);
    while let Some(option) = rest.next() {
        match rest.next() {
            Some(number) if is(option, "COUNT") => most = count(number)?,
            _ => return Err(Mistake::SYNTAX),
        }
    }
    let key = &args[1];
    match ctx.keyspace.store(key).read::<Stream>(key, ctx.now_ms)? {
        None => reply.array(0),
        Some(_) if most == 0 => reply.null_array(),
        Some(stream) if is_reverse => write_entries(stream.log.range_back(min, max).take(most), reply),
        Some(stream) => write_entries(stream.log.range(min, max).take(most), reply),
    }
    Ok(())
}

pub(super) const XDEL: Spec = Spec {
    name: "xdel",
    summary: "Removes entries of a stream; answers how many were there.",
    usage: "key id ...",
    complexity: "O(1) for each id",
    arity: -3,
    flags: &[Flag::Write, Flag::Fast],
    run: Run::keyspace(xdel),
    ..FAMILY
};

fn xdel(ctx: &mut Ctx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let key = &args[1];
    let store = ctx.keyspace.store(key);
    let Some(stream) = store.change::<Stream>(key, ctx.now_ms)? else {
        reply.integer(0);
        return Ok(());
    };
    // All ids are such, or none is removed.
    let ids = args.from(2).map(id).collect::<Result<Vec<_>, _>>()?;
    let removed = ids.into_iter().filter(|id| stream.log.remove(*id)).count();
    if removed == 0 {
        store.unchanged(key);
    }
    reply.count(removed);
    Ok(())
}

pub(super) const XTRIM: Spec = Spec {
    name: "xtrim",
    summary: "Removes the oldest entries of a stream until its length or its first id is right; with ~ about so, and faster.",
    usage: "key (MAXLEN | MINID) [= | ~] threshold [LIMIT count]",
    complexity: "O(N) in the number of entries removed",
    arity: -4,
    flags: &[Flag::Write],
    run: Run::keyspace(xtrim),
    ..FAMILY
};

fn xtrim(ctx: &mut Ctx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let options = Options::parse(args, false)?;
    let key = &args[1];
    let store = ctx.keyspace.store(key);
    let mut removed = 0;
    if let Some(stream) = store.change::<Stream>(key, ctx.now_ms)? {
        removed = options.trim.map_or(0, |trim| trim.run(&mut stream.log));
        if removed == 0 {
            store.unchanged(key);
        }
    }
    reply.count(removed);
    Ok(())
}

pub(super) const XSETID: Spec = Spec {
    name: "xsetid",
    summary: "Sets the last id of a stream, and if asked to how many entries it ever had and the highest id removed.",
    usage: "key last-id [ENTRIESADDED entries-added] [MAXDELETEDID max-deleted-id]",
    arity: -3,
    flags: &[Flag::Write, Flag::DenyOom, Flag::Fast],
    run: Run::keyspace(xsetid),
    ..FAMILY
};

fn xsetid(ctx: &mut Ctx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let last_id = id(&args[2])?;
    let (mut added, mut max_deleted_id) = (None, None);
    let mut rest = args.from(3);
    while let Some(option) = rest.next() {
        match rest.next() {
            Some(number) if is(option, "ENTRIESADDED") => {
                let number = u64::try_from(integer(number)?);
                added = Some(number.map_err(|_| Mistake::new("ERR entries_added must be positive"))?);
            }
            Some(deleted) if is(option, "MAXDELETEDID") => {
                let deleted = id(deleted)?;
                if last_id < deleted {
                    return Err(Mistake::new(
                        "ERR The ID specified in XSETID is smaller than the provided max_deleted_entry_id",
                    ));
                }
                max_deleted_id = Some(deleted).filter(|deleted| *deleted != StreamId::MIN);
            }
            _ => return Err(Mistake::SYNTAX),
        }
    }
    let key = &args[1];
    let store = ctx.keyspace.store(key);
    let stream = store.change::<Stream>(key, ctx.now_ms)?.ok_or(Mistake::NO_SUCH_KEY)?;
    let log = &mut stream.log;
    if log.range_back(StreamId::MIN, StreamId::MAX).next().is_some_and(|top| last_id < top.id) {
        return Err(Mistake::new(
            "ERR The ID specified in XSETID is smaller than the target stream top item",
        ));
    }
    if !log.is_empty() && added.is_some_and(|added| added < log.len() as u64) {
        return Err(Mistake::new(
            "ERR The entries_added specified in XSETID is smaller than the target stream length",
        ));
    }
    log.set_counters(last_id, added, max_deleted_id);
    // To those who watch or wait nothing is changed, as in Redis: the entries are the same.
    store.unseen(key);
    reply.ok();
    Ok(())
}
