//! Unions, intersections and differences of sorted sets, and of sets, whose members count 1: answered, counted or kept.

use foldhash::fast::RandomState;
use indexmap::IndexMap;

use super::Mistake;
use super::parse::{is, natural};
use super::sorted_sets::{FAMILY, write_members};
use super::spec::{Ctx, Flag, KeySpec, Miscounted, Outcome, Run, Spec, counted};
use crate::resp::{Args, Reply, parse_f64};
use crate::store::{Collection, Set, SortedSet};

pub(super) const ZUNION: Spec = Spec {
    name: "zunion",
    summary: "The members that any of several sorted sets has.",
    usage: "numkeys key ... [WEIGHTS weight ...] [AGGREGATE (SUM | MIN | MAX)] [WITHSCORES]",
    since: "6.2.0",
    complexity: "O(N)+O(M*log(M)), N members of all sets and M in the result",
    arity: -3,
    flags: &[Flag::ReadOnly],
    keys: KeySpec::Counted { count: 1, destination: None },
    run: Run::keyspace(zunion),
    ..FAMILY
};

fn zunion(ctx: &mut Ctx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    answer(ctx, args, (ZUNION.name, Operation::Union), reply)
}

pub(super) const ZINTER: Spec = Spec {
    name: "zinter",
    summary: "The members that several sorted sets have in common.",
    complexity: "O(N*K)+O(M*log(M)), N members of the smallest of K sets and M in the result",
    run: Run::keyspace(zinter),
    ..ZUNION
};

fn zinter(ctx: &mut Ctx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    answer(ctx, args, (ZINTER.name, Operation::Intersection), reply)
}

pub(super) const ZDIFF: Spec = Spec {
    name: "zdiff",
    summary: "The members of the first sorted set that no other has.",
    usage: "numkeys key ... [WITHSCORES]",
    complexity: "O(N*K)+O(M*log(M)), N members of the first of K sets and M in the result",
    run: Run::keyspace(zdiff),
    ..ZUNION
};

fn zdiff(ctx: &mut Ctx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    answer(ctx, args, (ZDIFF.name, Operation::Difference), reply)
}

pub(super) const ZUNIONSTORE: Spec = Spec {
    name: "zunionstore",
    summary: "Keeps the members that any of several sorted sets has as another; answers how many.",
    usage: "destination numkeys key ... [WEIGHTS weight ...] [AGGREGATE (SUM | MIN | MAX)]",
    since: "2.0.0",
    arity: -4,
    flags: &[Flag::Write, Flag::DenyOom],
    keys: KeySpec::Counted { count: 2, destination: Some(1) },
    run: Run::keyspace(zunionstore),
    ..ZUNION
};

fn zunionstore(ctx: &mut Ctx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    keep(ctx, args, (ZUNIONSTORE.name, Operation::Union), reply)
}

pub(super) const ZINTERSTORE: Spec = Spec {
    name: "zinterstore",
    summary: "Keeps the members that several sorted sets have in common as another; answers how many.",
    complexity: ZINTER.complexity,
    run: Run::keyspace(zinterstore),
    ..ZUNIONSTORE
};

fn zinterstore(ctx: &mut Ctx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    keep(ctx, args, (ZINTERSTORE.name, Operation::Intersection), reply)
}

pub(super) const ZDIFFSTORE: Spec = Spec {
    name: "zdiffstore",
    summary: "Keeps the members of the first sorted set that no other has as another; answers how many.",
    usage: "destination numkeys key ...",
    since: "6.2.0",
    complexity: ZDIFF.complexity,
    run: Run::keyspace(zdiffstore),
    ..ZUNIONSTORE
};

fn zdiffstore(ctx: &mut Ctx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    keep(ctx, args, (ZDIFFSTORE.name, Operation::Difference), reply)
}

pub(super) const ZINTERCARD: Spec = Spec {
    name: "zintercard",
    summary: "How many members several sorted sets have in common, up to a limit.",
    usage: "numkeys key ... [LIMIT limit]",
    since: "7.0.0",
    complexity: "O(N*K), N members of the smallest of K sets",
    run: Run::keyspace(zintercard),
    ..ZINTER
};

fn zintercard(ctx: &mut Ctx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let query = Query::parse(ctx, args, 1, (ZINTERCARD.name, Operation::Intersection))?;
    let found = query.run(ctx)?.len();
    reply.count(if query.limit == 0 { found } else { found.min(query.limit) });
    Ok(())
}

fn answer(ctx: &mut Ctx<'_>, args: Args<'_>, command: Command, reply: &mut Reply<'_>) -> Outcome {
    let query = Query::parse(ctx, args, 1, command)?;
    let found = query.run(ctx)?;
    write_members(found.len(), found.iter(0..found.len()), query.with_scores, reply);
    Ok(())
}

fn keep(ctx: &mut Ctx<'_>, args: Args<'_>, command: Command, reply: &mut Reply<'_>) -> Outcome {
    let found = Query::parse(ctx, args, 2, command)?.run(ctx)?;
    let (destination, len) = (&args[1], found.len());
    ctx.keyspace.store(destination).insert_collection(destination, found, ctx.now_ms);
    reply.count(len);
    Ok(())
}

/// A command's name, for its mistakes, and what it does.
type Command = (&'static str, Operation);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Operation {
    Union,
    Intersection,
    Difference,
}

/// What becomes of the scores of a member that several sets have.
#[derive(Clone, Copy)]
enum Aggregate {
    Sum,
    Min,
    Max,
}

impl Aggregate {
    fn of(self, a: f64, b: f64) -> f64 {
        match self {
            // The infinities cancel out, as in Redis.
            Self::Sum => or_zero(a + b),
            Self::Min => {
                if b < a {
                    b
                } else {
                    a
                }
            }
            Self::Max => {
                if b > a {
                    b
                } else {
                    a
                }
            }
        }
    }
}

fn or_zero(score: f64) -> f64 {
    if score.is_nan() { 0.0 } else { score }
}

/// One of the sets, by its key.
#[derive(Clone, Copy)]
struct Input<'a> {
    key: &'a [u8],
    weight: f64,
    len: usize,
}

/// What a command of the family asks for.
struct Query<'a> {
    operation: Operation,
    inputs: Vec<Input<'a>>,
    aggregate: Aggregate,
    with_scores: bool,
    /// Of ZINTERCARD; 0 is none.
    limit: usize,
}

impl<'a> Query<'a> {
    /// Reads the arguments from the number of keys on, and makes sure that the keys hold sets.
    fn parse(
        ctx: &mut Ctx<'_>,
        args: Args<'a>,
        numkeys: usize,
        (command, operation): Command,
    ) -> Result<Self, Mistake> {
        let keys = counted(args, numkeys).map_err(|miscounted| match miscounted {
            Miscounted::NoNumber => Mistake::NOT_AN_INTEGER,
            Miscounted::NotPositive => {
                Mistake::from(format!("ERR at least 1 input key is needed for '{command}' command"))
            }
            Miscounted::TooMany => Mistake::SYNTAX,
        })?;
        let mut inputs = Vec::new();
        for key in args.from(numkeys + 1).take(keys) {
            let len = Source::read(ctx, key)?.len();
            inputs.push(Input { key, weight: 1.0, len });
        }
        let (mut aggregate, mut with_scores, mut limit) = (Aggregate::Sum, false, 0);
        let (is_kept, is_counted) = (numkeys > 1, command == ZINTERCARD.name);
        let has_weights = operation != Operation::Difference && !is_counted;
        let mut rest = args.from(numkeys + 1 + keys);
        while let Some(option) = rest.next() {
            if is(option, "WEIGHTS") && has_weights && rest.len() >= keys {
                for (input, weight) in inputs.iter_mut().zip(&mut rest) {
                    input.weight =
                        parse_f64(weight).ok_or(Mistake::new("ERR weight value is not a float"))?;
                }
            } else if is(option, "AGGREGATE") && has_weights && rest.len() >= 1 {
                aggregate = match rest.next().unwrap_or_default() {
                    word if is(word, "SUM") => Aggregate::Sum,
                    word if is(word, "MIN") => Aggregate::Min,
                    word if is(word, "MAX") => Aggregate::Max,
                    _ => return Err(Mistake::SYNTAX),
                };
            } else if is(option, "WITHSCORES") && !is_kept && !is_counted {
                with_scores = true;
            } else if is(option, "LIMIT") && is_counted && rest.len() >= 1 {
                let value = rest.next().unwrap_or_default();
                limit = natural(value).ok_or(Mistake::new("ERR LIMIT can't be negative"))?;
            } else {
                return Err(Mistake::SYNTAX);
            }
        }
        if operation != Operation::Difference {
            // The smallest first: fewest to look up, and the order in which Redis adds.
            inputs.sort_by_key(|input| input.len);
        }
        Ok(Self { operation, inputs, aggregate, with_scores, limit })
    }

    /// The result. Sets in several stores cannot be looked at together, so members are copied.
    fn run(&self, ctx: &mut Ctx<'_>) -> Result<SortedSet, Mistake> {
        let mut found: IndexMap<Vec<u8>, f64, RandomState> = IndexMap::default();
        let (first, others) = self.inputs.split_first().expect("there is at least one key");
        Source::read(ctx, first.key)?.for_each(|member, score| {
            found.insert(member.to_vec(), or_zero(first.weight * score));
        });
        for input in others {
            let source = Source::read(ctx, input.key)?;
            let weighted = |score: f64| input.weight * score;
            match self.operation {
                Operation::Union => source.for_each(|member, score| match found.get_mut(member) {
                    Some(old) => *old = self.aggregate.of(*old, or_zero(weighted(score))),
                    None => {
                        found.insert(member.to_vec(), or_zero(weighted(score)));
                    }
                }),
                Operation::Intersection => found.retain(|member, old| match source.score(member) {
                    // What is no number loses against any minimum and maximum, as in Redis.
                    Some(score) => {
                        *old = self.aggregate.of(*old, weighted(score));
                        true
                    }
                    None => false,
                }),
                Operation::Difference => found.retain(|member, _| source.score(member).is_none()),
            }
        }
        let mut set = SortedSet::default();
        for (member, score) in &found {
            set.set(member, *score);
        }
        Ok(set)
    }
}

/// What a key holds, as members with scores.
enum Source<'a> {
    Nothing,
    Set(&'a Set),
    SortedSet(&'a SortedSet),
}

impl<'a> Source<'a> {
    fn read(ctx: &'a mut Ctx<'_>, key: &[u8]) -> Result<Self, Mistake> {
        let Some(entry) = ctx.keyspace.store(key).get(key, ctx.now_ms) else { return Ok(Self::Nothing) };
        let sorted_set = SortedSet::of(&entry.value).map(Self::SortedSet);
        sorted_set.or_else(|| Set::of(&entry.value).map(Self::Set)).ok_or(Mistake::WRONG_TYPE)
    }

    fn len(&self) -> usize {
        match self {
            Self::Nothing => 0,
            Self::Set(set) => set.len(),
            Self::SortedSet(set) => set.len(),
        }
    }

    fn score(&self, member: &[u8]) -> Option<f64> {
        match self {
            Self::Nothing => None,
            Self::Set(set) => set.contains(member).then_some(1.0),
            Self::SortedSet(set) => set.score(member),
        }
    }

    fn for_each(&self, mut visit: impl FnMut(&[u8], f64)) {
        match self {
            Self::Nothing => {}
            Self::Set(set) => set.iter().for_each(|member| member.with(|member| visit(member, 1.0))),
            Self::SortedSet(set) => set.iter(0..set.len()).for_each(|(member, score)| visit(member, score)),
        }
    }
}
