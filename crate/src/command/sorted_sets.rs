//! Commands on the members of a sorted set: adding, scores, ranks, taking the first or last, choosing at random.
//!
//! Ranges are in [`super::sorted_set_ranges`]; unions, intersections and differences in [`super::sorted_set_algebra`].

use super::Mistake;
use super::list_moves::parse_multi_pop;
use super::parse::{amount, is};
use super::sample::{Count, below};
use super::spec::{Ctx, Flag, Group, KeySpec, Outcome, Run, Spec};
use super::walk::{self, Found, WalkOptions};
use crate::resp::{Args, Protocol, Reply, parse_f64, write_f64};
use crate::store::SortedSet;

/// What most commands of the family have in common.
pub(super) const FAMILY: Spec = Spec {
    name: "",
    summary: "",
    usage: "key",
    since: "1.2.0",
    group: Group::SortedSet,
    complexity: "O(1)",
    arity: 2,
    flags: &[Flag::ReadOnly, Flag::Fast],
    keys: KeySpec::ONE,
    subcommands: &[],
    run: Run::keyspace(zcard),
};

pub(super) const ZADD: Spec = Spec {
    name: "zadd",
    summary: "Gives members scores; answers how many are new, with CH how many changed, with INCR the new score.",
    usage: "key [NX | XX] [GT | LT] [CH] [INCR] (score member) ...",
    complexity: "O(log(N)) for each member, N being all members",
    arity: -4,
    flags: &[Flag::Write, Flag::DenyOom, Flag::Fast],
    run: Run::keyspace(zadd),
    ..FAMILY
};

/// When a score is taken, and how.
#[derive(Clone, Copy, Default)]
struct AddOptions {
    only_new: bool,
    only_old: bool,
    only_greater: bool,
    only_less: bool,
    count_changed: bool,
    increment: bool,
}

impl AddOptions {
    /// The option that a word names.
    fn named(&mut self, word: &[u8]) -> Option<&mut bool> {
        Some(match word {
            word if is(word, "NX") => &mut self.only_new,
            word if is(word, "XX") => &mut self.only_old,
            word if is(word, "GT") => &mut self.only_greater,
            word if is(word, "LT") => &mut self.only_less,
            word if is(word, "CH") => &mut self.count_changed,
            word if is(word, "INCR") => &mut self.increment,
            _ => return None,
        })
    }

    /// Whether every score is taken as it is.
    fn are_none(self) -> bool {
        !(self.only_new || self.only_old || self.only_greater || self.only_less || self.increment)
    }
}

fn parse_zadd(args: Args<'_>) -> Result<(AddOptions, usize), Mistake> {
    let mut options = AddOptions::default();
    let mut first = 2;
    while let Some(option) = args.get(first).and_then(|word| options.named(word)) {
        *option = true;
        first += 1;
    }
    let words = args.len() - first;
    if words == 0 || !words.is_multiple_of(2) {
        return Err(Mistake::SYNTAX);
    }
    if options.only_new && options.only_old {
        return Err(Mistake::new("ERR XX and NX options at the same time are not compatible"));
    }
    let exclusive = [options.only_new, options.only_greater, options.only_less];
    if exclusive.into_iter().filter(|chosen| *chosen).count() > 1 {
        return Err(Mistake::new("ERR GT, LT, and/or NX options at the same time are not compatible"));
    }
    if options.increment && words > 2 {
        return Err(Mistake::new("ERR INCR option supports a single increment-element pair"));
    }
    Ok((options, first))
}

fn zadd(ctx: &mut Ctx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let (options, first) = parse_zadd(args)?;
    add(ctx, args, first, options, reply)
}

pub(super) const ZINCRBY: Spec = Spec {
    name: "zincrby",
    summary: "Adds to the score of a member; a missing one counts from 0. Answers the new score.",
    usage: "key float-increment member",
    complexity: "O(log(N))",
    arity: 4,
    run: Run::keyspace(zincrby),
    ..ZADD
};

fn zincrby(ctx: &mut Ctx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let mut options = AddOptions { increment: true, ..AddOptions::default() };
    // One of ZADD's options in the place of the number leaves no number.
    if options.named(&args[2]).is_some() {
        return Err(Mistake::SYNTAX);
    }
    add(ctx, args, 2, options, reply)
}

/// Adds the scores and members from argument `first` on.
fn add(
    ctx: &mut Ctx<'_>,
    args: Args<'_>,
    first: usize,
    options: AddOptions,
    reply: &mut Reply<'_>,
) -> Outcome {
    // All scores are numbers, or none is taken.
    for score in args.from(first).step_by(2) {
        parse_f64(score).ok_or(Mistake::NOT_A_FLOAT)?;
    }
    let key = &args[1];
    let store = ctx.keyspace.store(key);
    // No key is made for a member that must be there already.
    if options.only_old {
        if store.change::<SortedSet>(key, ctx.now_ms)?.is_none() {
            match options.increment {
                true => reply.null(),
                false => reply.integer(0),
            }
            return Ok(());
        }
        // Not changed yet.
        store.unchanged(key);
    }
    let set: &mut SortedSet = store.change_or_insert(key, ctx.now_ms)?;
    let (mut added, mut changed, mut last) = (0, 0, None);
    let mut rest = args.from(first);
    while let (Some(score), Some(member)) = (rest.next(), rest.next()) {
        let mut score = parse_f64(score).ok_or(Mistake::NOT_A_FLOAT)?;
        last = None;
        if options.are_none() {
            // Nothing depends on the old score, so the member is looked up once.
            let old = set.set(member, score);
            added += usize::from(old.is_none());
            changed += usize::from(old.is_some_and(|old| old != score));
            continue;
        }
        let old = set.score(member);
        if let Some(old) = old {
            if options.increment {
                score += old;
                if score.is_nan() {
                    return Err(Mistake::new("ERR resulting score is not a number (NaN)"));
                }
            }
            let is_refused = options.only_new
                || (options.only_greater && score <= old)
                || (options.only_less && score >= old);
            if is_refused {
                continue;
            }
        } else if options.only_old {
            continue;
        }
        set.set(member, score);
        added += usize::from(old.is_none());
        changed += usize::from(old.is_some_and(|old| old != score));
        last = Some(score);
    }
    if added + changed == 0 {
        store.unchanged(key);
    }
    match (options.increment, last) {
        (true, Some(score)) => reply.double(score),
        (true, None) => reply.null(),
        (false, _) => reply.count(if options.count_changed { added + changed } else { added }),
    }
    Ok(())
}

pub(super) const ZREM: Spec = Spec {
    name: "zrem",
    summary: "Removes members; answers how many were there.",
    usage: "key member ...",
    complexity: "O(M*log(N)), M members removed",
    arity: -3,
    flags: &[Flag::Write, Flag::Fast],
    run: Run::keyspace(zrem),
    ..FAMILY
};

fn zrem(ctx: &mut Ctx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let key = &args[1];
    let store = ctx.keyspace.store(key);
    let removed = match store.change::<SortedSet>(key, ctx.now_ms)? {
        Some(set) => {
            let removed = args.from(2).filter(|member| set.remove(member).is_some()).count();
            if set.is_empty() {
                store.remove(key, ctx.now_ms);
            } else if removed == 0 {
                store.unchanged(key);
            }
            removed
        }
        None => 0,
    };
    reply.count(removed);
    Ok(())
}

pub(super) const ZCARD: Spec = Spec {
    name: "zcard",
    summary: "How many members a sorted set has.",
    run: Run::keyspace(zcard),
    ..FAMILY
};

fn zcard(ctx: &mut Ctx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    reply.count(read(ctx, &args[1])?.map_or(0, SortedSet::len));
    Ok(())
}

pub(super) fn read<'a>(ctx: &'a mut Ctx<'_>, key: &[u8]) -> Result<Option<&'a SortedSet>, Mistake> {
    Ok(ctx.keyspace.store(key).read(key, ctx.now_ms)?)
}

pub(super) const ZSCORE: Spec = Spec {
    name: "zscore",
    summary: "The score of a member.",
    usage: "key member",
    arity: 3,
    run: Run::keyspace(zscore),
    ..FAMILY
};

fn zscore(ctx: &mut Ctx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let set = read(ctx, &args[1])?;
    write_score(set.and_then(|set| set.score(&args[2])), reply);
    Ok(())
}

pub(super) const ZMSCORE: Spec = Spec {
    name: "zmscore",
    summary: "The scores of several members, null where there is none.",
    usage: "key member ...",
    since: "6.2.0",
    complexity: "O(N) in the number of members",
    arity: -3,
    run: Run::keyspace(zmscore),
    ..FAMILY
};

fn zmscore(ctx: &mut Ctx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let set = read(ctx, &args[1])?;
    reply.array(args.len() - 2);
    for member in args.from(2) {
        write_score(set.and_then(|set| set.score(member)), reply);
    }
    Ok(())
}

fn write_score(score: Option<f64>, reply: &mut Reply<'_>) {
    match score {
        Some(score) => reply.double(score),
        None => reply.null(),
    }
}

pub(super) const ZRANK: Spec = Spec {
    name: "zrank",
    summary: "How many members come before this one.",
    usage: "key member",
    since: "2.0.0",
    complexity: "O(log(N)), and one addition for every two hundred members",
    arity: 3,
    run: Run::keyspace(zrank),
    ..FAMILY
};

fn zrank(ctx: &mut Ctx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let set = read(ctx, &args[1])?;
    write_rank(set.and_then(|set| set.rank(&args[2])), reply);
    Ok(())
}

pub(super) const ZREVRANK: Spec = Spec {
    name: "zrevrank",
    summary: "How many members come after this one.",
    run: Run::keyspace(zrevrank),
    ..ZRANK
};

fn zrevrank(ctx: &mut Ctx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let set = read(ctx, &args[1])?;
    write_rank(set.and_then(|set| Some(set.len() - 1 - set.rank(&args[2])?)), reply);
    Ok(())
}

fn write_rank(rank: Option<usize>, reply: &mut Reply<'_>) {
    match rank {
        Some(rank) => reply.count(rank),
        None => reply.null(),
    }
}

pub(super) const ZPOPMIN: Spec = Spec {
    name: "zpopmin",
    summary: "Takes the member with the lowest score, or as many as asked for.",
    usage: "key [count]",
    since: "5.0.0",
    complexity: "O(log(N)*M), M members taken",
    arity: -2,
    flags: &[Flag::Write, Flag::Fast],
    run: Run::keyspace(zpopmin),
    ..FAMILY
};

fn zpopmin(ctx: &mut Ctx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    pop(ctx, args, Extreme::Min, reply)
}

pub(super) const ZPOPMAX: Spec = Spec {
    name: "zpopmax",
    summary: "Takes the member with the highest score, or as many as asked for.",
    run: Run::keyspace(zpopmax),
    ..ZPOPMIN
};

fn zpopmax(ctx: &mut Ctx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    pop(ctx, args, Extreme::Max, reply)
}

/// Which members are taken.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Extreme {
    Min,
    Max,
}

impl Extreme {
    /// The one that `word` names.
    pub(super) fn parse(word: &[u8]) -> Result<Self, Mistake> {
        match word {
            word if is(word, "MIN") => Ok(Self::Min),
            word if is(word, "MAX") => Ok(Self::Max),
            _ => Err(Mistake::SYNTAX),
        }
    }
}

fn pop(ctx: &mut Ctx<'_>, args: Args<'_>, extreme: Extreme, reply: &mut Reply<'_>) -> Outcome {
    if args.len() > 3 {
        return Err(Mistake::SYNTAX);
    }
    let count = args.get(2).map(amount).transpose()?;
    let key = &args[1];
    let store = ctx.keyspace.store(key);
    let Some(set) = store.change::<SortedSet>(key, ctx.now_ms)? else {
        reply.array(0);
        return Ok(());
    };
    let taken = count.unwrap_or(1).min(set.len());
    // A single member and its score are no array of pairs even in RESP3.
    let are_pairs = count.is_some() && reply.protocol() == Protocol::Resp3;
    reply.array(if are_pairs { taken } else { taken * 2 });
    take(set, extreme, taken, are_pairs, reply);
    if set.is_empty() {
        store.remove(key, ctx.now_ms);
    } else if taken == 0 {
        store.unchanged(key);
    }
    Ok(())
}

/// Writes `count` members and their scores, the outermost first, and removes them. The set has so many.
pub(super) fn take(
    set: &mut SortedSet,
    extreme: Extreme,
    count: usize,
    are_pairs: bool,
    reply: &mut Reply<'_>,
) {
    let mut write = |(member, score): (&[u8], f64)| {
        if are_pairs {
            reply.array(2);
        }
        reply.bulk(member);
        reply.double(score);
    };
    let len = set.len();
    match extreme {
        Extreme::Min => {
            set.iter(0..count).for_each(&mut write);
            set.remove_range(0..count);
        }
        Extreme::Max => {
            set.iter_back(len - count..len).for_each(&mut write);
            set.remove_range(len - count..len);
        }
    }
}

pub(super) const ZMPOP: Spec = Spec {
    name: "zmpop",
    summary: "Takes members of the first of several sorted sets that has any; answers its key and them.",
    usage: "numkeys key ... (MIN | MAX) [COUNT count]",
    since: "7.0.0",
    complexity: "O(K)+O(M*log(N)), K keys and M members taken",
    arity: -4,
    flags: &[Flag::Write],
    keys: KeySpec::Counted { count: 1, destination: None },
    run: Run::keyspace(zmpop),
    ..FAMILY
};

fn zmpop(ctx: &mut Ctx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let (keys, extreme, count) = parse_multi_pop(args, 1, Extreme::parse)?;
    for key in args.from(2).take(keys) {
        let store = ctx.keyspace.store(key);
        let Some(set) = store.change::<SortedSet>(key, ctx.now_ms)? else { continue };
        let taken = count.min(set.len());
        reply.array(2);
        reply.bulk(key);
        reply.array(taken);
        take(set, extreme, taken, true, reply);
        if set.is_empty() {
            store.remove(key, ctx.now_ms);
        }
        return Ok(());
    }
    reply.null_array();
    Ok(())
}

pub(super) const ZRANDMEMBER: Spec = Spec {
    name: "zrandmember",
    summary: "A member at random, or several: different ones, or so many with repetitions if the count is negative.",
    usage: "key [count [WITHSCORES]]",
    since: "6.2.0",
    complexity: "O(N) in the number of members answered",
    arity: -2,
    flags: &[Flag::ReadOnly],
    run: Run::keyspace(zrandmember),
    ..FAMILY
};

fn zrandmember(ctx: &mut Ctx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let count = args.get(2).map(Count::parse).transpose()?;
    let with_scores = args.get(3).is_some_and(|option| is(option, "WITHSCORES"));
    if args.len() > 4 || (args.len() == 4 && !with_scores) {
        return Err(Mistake::SYNTAX);
    }
    if with_scores && let Some(count) = count {
        count.check_doubled()?;
    }
    let key = &args[1];
    let set = ctx.keyspace.store(key).read::<SortedSet>(key, ctx.now_ms)?;
    match (set, count) {
        (Some(set), Some(count)) => {
            let bytes_at = |at| set.walk_at(at).map_or(0, |(member, _)| member.len());
            let chosen = count.choose(ctx.random, set.len(), &ctx.server.config.limits, bytes_at)?;
            let members = chosen.iter().filter_map(|at| set.walk_at(*at));
            write_members(chosen.len(), members, with_scores, reply);
        }
        (Some(set), None) => match set.walk_at(below(ctx.random, set.len())) {
            Some((member, _)) => reply.bulk(member),
            None => reply.null(),
        },
        (None, Some(_)) => reply.array(0),
        (None, None) => reply.null(),
    }
    Ok(())
}

/// Writes `count` members, with their scores if wanted: pairs in RESP3, one after the other in RESP2.
pub(super) fn write_members<'a>(
    count: usize,
    members: impl Iterator<Item = (&'a [u8], f64)>,
    with_scores: bool,
    reply: &mut Reply<'_>,
) {
    let are_pairs = with_scores && reply.protocol() == Protocol::Resp3;
    reply.array(if with_scores && !are_pairs { count * 2 } else { count });
    for (member, score) in members {
        if are_pairs {
            reply.array(2);
        }
        reply.bulk(member);
        if with_scores {
            reply.double(score);
        }
    }
}

pub(super) const ZSCAN: Spec = Spec {
    name: "zscan",
    summary: "Walks the members and scores of a sorted set step by step, as SCAN does keys.",
    usage: "key cursor [MATCH pattern] [COUNT count]",
    since: "2.8.0",
    complexity: "O(1) a step, O(N) a whole walk",
    arity: -3,
    flags: &[Flag::ReadOnly],
    run: Run::keyspace(zscan),
    ..FAMILY
};

fn zscan(ctx: &mut Ctx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let cursor = walk::cursor(&args[2])?;
    let mut found = Found::new(reply);
    let Some(set) = read(ctx, &args[1])? else {
        found.finish_step(0, reply);
        return Ok(());
    };
    let options = WalkOptions::parse(args, 3, false)?;
    let (positions, next) = walk::step(cursor, options.count, set.len(), set.is_packed());
    for (member, score) in positions.filter_map(|at| set.walk_at(at)) {
        if options.wants(member) {
            found.add(member);
            // A string in both protocols.
            found.add(write_f64(score).as_bytes());
        }
    }
    found.finish_step(next, reply);
    Ok(())
}
