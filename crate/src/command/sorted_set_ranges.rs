//! Ranges of a sorted set, by rank, by score or by name: answered, counted, kept, removed.
//!
//! Owns how the ends of a range are written. What is done to single members is in [`super::sorted_sets`].

use std::ops::Range;

use super::Mistake;
use super::parse::{clip, integer, is};
use super::sorted_sets::{FAMILY, read, write_members};
use super::spec::{Ctx, Flag, KeySpec, Outcome, Run, Spec};
use crate::resp::{Args, Reply, parse_f64_leniently};
use crate::store::SortedSet;

/// What tells which members are in a range.
#[derive(Clone, Copy, PartialEq, Eq)]
enum By {
    Rank,
    Score,
    Lex,
}

/// A range as a client wrote it.
#[derive(Clone, Copy)]
enum Ends<'a> {
    Rank(i64, i64),
    Score(ScoreEnd, ScoreEnd),
    Lex(LexEnd<'a>, LexEnd<'a>),
}

#[derive(Clone, Copy)]
struct ScoreEnd {
    score: f64,
    is_open: bool,
}

#[derive(Clone, Copy)]
enum LexEnd<'a> {
    First,
    Last,
    Closed(&'a [u8]),
    Open(&'a [u8]),
}

impl ScoreEnd {
    fn parse(text: &[u8]) -> Result<Self, Mistake> {
        let (number, is_open) = match text {
            [b'(', number @ ..] => (number, true),
            number => (number, false),
        };
        // Redis reads what is empty as 0.
        let score = if number.is_empty() { Some(0.0) } else { parse_f64_leniently(number) };
        let score = score.ok_or(Mistake::new("ERR min or max is not a float"))?;
        Ok(Self { score, is_open })
    }
}

impl<'a> LexEnd<'a> {
    fn parse(text: &'a [u8]) -> Result<Self, Mistake> {
        match text {
            b"-" => Ok(Self::First),
            b"+" => Ok(Self::Last),
            [b'[', member @ ..] => Ok(Self::Closed(member)),
            [b'(', member @ ..] => Ok(Self::Open(member)),
            _ => Err(Mistake::new("ERR min or max not valid string range item")),
        }
    }

    /// Whether `member` lies in front of the range that begins here.
    fn is_after(self, member: &[u8]) -> bool {
        match self {
            Self::First => false,
            Self::Last => true,
            Self::Closed(end) => member < end,
            Self::Open(end) => member <= end,
        }
    }

    /// Whether `member` lies in front of the end of the range that ends here.
    fn ends_after(self, member: &[u8]) -> bool {
        match self {
            Self::First => false,
            Self::Last => true,
            Self::Closed(end) => member <= end,
            Self::Open(end) => member < end,
        }
    }
}

impl<'a> Ends<'a> {
    fn parse(by: By, min: &'a [u8], max: &'a [u8]) -> Result<Self, Mistake> {
        Ok(match by {
            By::Rank => Self::Rank(integer(min)?, integer(max)?),
            By::Score => Self::Score(ScoreEnd::parse(min)?, ScoreEnd::parse(max)?),
            By::Lex => Self::Lex(LexEnd::parse(min)?, LexEnd::parse(max)?),
        })
    }

    /// The ranks of the members in it. By name it means something only where all scores are the same, as in Redis.
    fn ranks(self, set: &SortedSet) -> Range<usize> {
        let (start, end) = match self {
            Self::Rank(start, stop) => return clip(start, stop, set.len()),
            Self::Score(min, max) => (
                set.count_before(|score, _| score < min.score || (min.is_open && score == min.score)),
                set.count_before(|score, _| score < max.score || (!max.is_open && score == max.score)),
            ),
            Self::Lex(min, max) => (
                set.count_before(|_, member| min.is_after(member)),
                set.count_before(|_, member| max.ends_after(member)),
            ),
        };
        start..end.max(start)
    }
}

pub(super) const ZRANGE: Spec = Spec {
    name: "zrange",
    summary: "A range of members by rank, score or name, in order or the last one first.",
    usage: "key start stop [BYSCORE | BYLEX] [REV] [LIMIT offset count] [WITHSCORES]",
    complexity: "O(log(N)+M), M members in the range",
    arity: -4,
    flags: &[Flag::ReadOnly],
    run: Run::keyspace(zrange),
    ..FAMILY
};

fn zrange(ctx: &mut Ctx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    answer(ctx, &Query::parse(args, 1, None)?, reply)
}

pub(super) const ZREVRANGE: Spec = Spec {
    name: "zrevrange",
    summary: "A range of members by rank, the last one first. ZRANGE with REV does the same.",
    usage: "key start stop [WITHSCORES]",
    run: Run::keyspace(zrevrange),
    ..ZRANGE
};

fn zrevrange(ctx: &mut Ctx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    answer(ctx, &Query::parse(args, 1, Some((By::Rank, true)))?, reply)
}

pub(super) const ZRANGEBYSCORE: Spec = Spec {
    name: "zrangebyscore",
    summary: "A range of members by score. ZRANGE with BYSCORE does the same.",
    usage: "key min max [WITHSCORES] [LIMIT offset count]",
    since: "1.0.5",
    run: Run::keyspace(zrangebyscore),
    ..ZRANGE
};

fn zrangebyscore(ctx: &mut Ctx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    answer(ctx, &Query::parse(args, 1, Some((By::Score, false)))?, reply)
}

pub(super) const ZREVRANGEBYSCORE: Spec = Spec {
    name: "zrevrangebyscore",
    summary: "A range of members by score, the last one first. ZRANGE with BYSCORE and REV does the same.",
    usage: "key max min [WITHSCORES] [LIMIT offset count]",
    since: "2.2.0",
    run: Run::keyspace(zrevrangebyscore),
    ..ZRANGE
};

fn zrevrangebyscore(ctx: &mut Ctx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    answer(ctx, &Query::parse(args, 1, Some((By::Score, true)))?, reply)
}

pub(super) const ZRANGEBYLEX: Spec = Spec {
    name: "zrangebylex",
    summary: "A range of members by name, where all scores are the same. ZRANGE with BYLEX does the same.",
    usage: "key min max [LIMIT offset count]",
    since: "2.8.9",
    run: Run::keyspace(zrangebylex),
    ..ZRANGE
};

fn zrangebylex(ctx: &mut Ctx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    answer(ctx, &Query::parse(args, 1, Some((By::Lex, false)))?, reply)
}

pub(super) const ZREVRANGEBYLEX: Spec = Spec {
    name: "zrevrangebylex",
    summary: "A range of members by name, the last one first. ZRANGE with BYLEX and REV does the same.",
    usage: "key max min [LIMIT offset count]",
    since: "2.8.9",
    run: Run::keyspace(zrevrangebylex),
    ..ZRANGE
};

fn zrevrangebylex(ctx: &mut Ctx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    answer(ctx, &Query::parse(args, 1, Some((By::Lex, true)))?, reply)
}

pub(super) const ZRANGESTORE: Spec = Spec {
    name: "zrangestore",
    summary: "Keeps a range of members as another sorted set; answers how many.",
    usage: "destination source min max [BYSCORE | BYLEX] [REV] [LIMIT offset count]",
    since: "6.2.0",
    arity: -5,
    flags: &[Flag::Write, Flag::DenyOom],
    keys: KeySpec::TWO,
    run: Run::keyspace(zrangestore),
    ..ZRANGE
};

fn zrangestore(ctx: &mut Ctx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let query = Query::parse(args, 2, None)?;
    let mut kept = SortedSet::default();
    if let Some(set) = read(ctx, query.key)? {
        for (member, score) in set.iter(query.ranks(set)) {
            kept.set(member, score);
        }
    }
    let (destination, len) = (&args[1], kept.len());
    ctx.keyspace.store(destination).insert_collection(destination, kept, ctx.now_ms);
    reply.count(len);
    Ok(())
}

/// What a command of the ZRANGE family asks for.
struct Query<'a> {
    key: &'a [u8],
    ends: Ends<'a>,
    is_reversed: bool,
    /// How many of the range to skip, and how many to take then: all if negative.
    limit: Option<(i64, i64)>,
    with_scores: bool,
}

impl<'a> Query<'a> {
    /// Reads the arguments from the key on. `fixed` is what the command's name has settled; otherwise options do.
    fn parse(args: Args<'a>, key: usize, fixed: Option<(By, bool)>) -> Result<Self, Mistake> {
        let (mut by, mut is_reversed) = fixed.unwrap_or((By::Rank, false));
        let (mut limit, mut with_scores) = (None, false);
        let is_kept = key > 1;
        let mut rest = args.from(key);
        // The arity makes sure of these three.
        let [key, mut min, mut max] = [(); 3].map(|()| rest.next().unwrap_or_default());
        while let Some(option) = rest.next() {
            if is(option, "WITHSCORES") && !is_kept {
                with_scores = true;
            } else if is(option, "LIMIT") && rest.len() >= 2 {
                let mut number = || integer(rest.next().unwrap_or_default());
                limit = Some((number()?, number()?));
            } else if is(option, "REV") && fixed.is_none() && !is_reversed {
                is_reversed = true;
            } else if is(option, "BYSCORE") && fixed.is_none() && by == By::Rank {
                by = By::Score;
            } else if is(option, "BYLEX") && fixed.is_none() && by == By::Rank {
                by = By::Lex;
            } else {
                return Err(Mistake::SYNTAX);
            }
        }
        if by == By::Rank && limit.is_some_and(|(_, count)| count != -1) {
            return Err(Mistake::new(
                "ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX",
            ));
        }
        if by == By::Lex && with_scores {
            return Err(Mistake::new("ERR syntax error, WITHSCORES not supported in combination with BYLEX"));
        }
        if is_reversed && by != By::Rank {
            (min, max) = (max, min);
        }
        // By rank a limit of all is no limit.
        let limit = limit.filter(|_| by != By::Rank);
        Ok(Self { key, ends: Ends::parse(by, min, max)?, is_reversed, limit, with_scores })
    }

    /// The ranks of the members asked for, counted from the first in order even where the last one comes first.
    fn ranks(&self, set: &SortedSet) -> Range<usize> {
        let mut range = self.ends.ranks(set);
        if let (Ends::Rank(..), true) = (self.ends, self.is_reversed) {
            range = set.len() - range.end..set.len() - range.start;
        }
        let Some((offset, count)) = self.limit else { return range };
        // A negative offset skips all.
        let skipped = usize::try_from(offset).unwrap_or(usize::MAX).min(range.len());
        let taken = usize::try_from(count).unwrap_or(usize::MAX).min(range.len() - skipped);
        if self.is_reversed {
            range.end - skipped - taken..range.end - skipped
        } else {
            range.start + skipped..range.start + skipped + taken
        }
    }
}

fn answer(ctx: &mut Ctx<'_>, query: &Query<'_>, reply: &mut Reply<'_>) -> Outcome {
    let Some(set) = read(ctx, query.key)? else {
        reply.array(0);
        return Ok(());
    };
    let ranks = query.ranks(set);
    if query.is_reversed {
        write_members(ranks.len(), set.iter_back(ranks), query.with_scores, reply);
    } else {
        write_members(ranks.len(), set.iter(ranks), query.with_scores, reply);
    }
    Ok(())
}

pub(super) const ZCOUNT: Spec = Spec {
    name: "zcount",
    summary: "How many members have a score in a range.",
    usage: "key min max",
    since: "2.0.0",
    complexity: "O(log(N)), and one addition for every two hundred members",
    arity: 4,
    run: Run::keyspace(zcount),
    ..FAMILY
};

fn zcount(ctx: &mut Ctx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    count(ctx, args, By::Score, reply)
}

pub(super) const ZLEXCOUNT: Spec = Spec {
    name: "zlexcount",
    summary: "How many members have a name in a range, where all scores are the same.",
    since: "2.8.9",
    run: Run::keyspace(zlexcount),
    ..ZCOUNT
};

fn zlexcount(ctx: &mut Ctx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    count(ctx, args, By::Lex, reply)
}

fn count(ctx: &mut Ctx<'_>, args: Args<'_>, by: By, reply: &mut Reply<'_>) -> Outcome {
    let ends = Ends::parse(by, &args[2], &args[3])?;
    reply.count(read(ctx, &args[1])?.map_or(0, |set| ends.ranks(set).len()));
    Ok(())
}

pub(super) const ZREMRANGEBYRANK: Spec = Spec {
    name: "zremrangebyrank",
    summary: "Removes a range of members by rank; answers how many.",
    usage: "key start stop",
    since: "2.0.0",
    complexity: "O(log(N)+M), M members removed",
    arity: 4,
    flags: &[Flag::Write],
    run: Run::keyspace(zremrangebyrank),
    ..FAMILY
};

fn zremrangebyrank(ctx: &mut Ctx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    remove(ctx, args, By::Rank, reply)
}

pub(super) const ZREMRANGEBYSCORE: Spec = Spec {
    name: "zremrangebyscore",
    summary: "Removes a range of members by score; answers how many.",
    usage: "key min max",
    since: "1.2.0",
    run: Run::keyspace(zremrangebyscore),
    ..ZREMRANGEBYRANK
};

fn zremrangebyscore(ctx: &mut Ctx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    remove(ctx, args, By::Score, reply)
}

pub(super) const ZREMRANGEBYLEX: Spec = Spec {
    name: "zremrangebylex",
    summary: "Removes a range of members by name, where all scores are the same; answers how many.",
    usage: "key min max",
    since: "2.8.9",
    run: Run::keyspace(zremrangebylex),
    ..ZREMRANGEBYRANK
};

fn zremrangebylex(ctx: &mut Ctx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    remove(ctx, args, By::Lex, reply)
}

fn remove(ctx: &mut Ctx<'_>, args: Args<'_>, by: By, reply: &mut Reply<'_>) -> Outcome {
    let ends = Ends::parse(by, &args[2], &args[3])?;
    let key = &args[1];
    let store = ctx.keyspace.store(key);
    let Some(set) = store.change::<SortedSet>(key, ctx.now_ms)? else {
        reply.integer(0);
        return Ok(());
    };
    let ranks = ends.ranks(set);
    let removed = ranks.len();
    set.remove_range(ranks);
    if set.is_empty() {
        store.remove(key, ctx.now_ms);
    } else if removed == 0 {
        store.unchanged(key);
    }
    reply.count(removed);
    Ok(())
}
