//! Intersections, unions and differences of sets: answered, counted or kept.
//!
//! What is done to one set is in [`super::sets`].

use super::Mistake;
use super::parse::{is, natural};
use super::sets::FAMILY;
use super::spec::{Ctx, Flag, KeySpec, Miscounted, Outcome, Run, Spec, counted};
use crate::resp::{Args, ArgsIter, Reply};
use crate::store::Set;

pub(super) const SINTER: Spec = Spec {
    name: "sinter",
    summary: "The members that several sets have in common.",
    usage: "key ...",
    complexity: "O(N*M), N members of the smallest set and M sets",
    arity: -2,
    keys: KeySpec::EVERY,
    run: Run::keyspace(sinter),
    ..FAMILY
};

fn sinter(ctx: &mut Ctx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let found = intersection(ctx, args.from(1))?;
    write(&found, reply);
    Ok(())
}

pub(super) const SINTERSTORE: Spec = Spec {
    name: "sinterstore",
    summary: "Keeps the members that several sets have in common as another set; answers how many.",
    usage: "destination key ...",
    arity: -3,
    flags: &[Flag::Write, Flag::DenyOom],
    keys: KeySpec::FirstApart { last: -1 },
    run: Run::keyspace(sinterstore),
    ..SINTER
};

fn sinterstore(ctx: &mut Ctx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let found = intersection(ctx, args.from(2))?;
    store(ctx, &args[1], &found, reply);
    Ok(())
}

pub(super) const SINTERCARD: Spec = Spec {
    name: "sintercard",
    summary: "How many members several sets have in common, up to a limit.",
    usage: "numkeys key ... [LIMIT limit]",
    since: "7.0.0",
    arity: -3,
    keys: KeySpec::Counted { count: 1, destination: None },
    run: Run::keyspace(sintercard),
    ..SINTER
};

fn sintercard(ctx: &mut Ctx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let (keys, limit) = parse_intersection_count(args)?;
    let found = intersection(ctx, args.from(2).take(keys))?;
    reply.count(found.len().min(limit));
    Ok(())
}

/// The arguments of SINTERCARD and ZINTERCARD: how many keys, and the most that is answered.
pub(super) fn parse_intersection_count(args: Args<'_>) -> Result<(usize, usize), Mistake> {
    let keys = counted(args, 1).map_err(|miscounted| match miscounted {
        Miscounted::TooMany => Mistake::new("ERR Number of keys can't be greater than number of args"),
        Miscounted::NoNumber | Miscounted::NotPositive => {
            Mistake::new("ERR numkeys should be greater than 0")
        }
    })?;
    let mut limit = 0;
    let mut rest = args.from(2 + keys);
    while let Some(option) = rest.next() {
        let value = rest.next().filter(|_| is(option, "LIMIT")).ok_or(Mistake::SYNTAX)?;
        limit = natural(value).ok_or(Mistake::new("ERR LIMIT can't be negative"))?;
    }
    Ok((keys, if limit == 0 { usize::MAX } else { limit }))
}

pub(super) const SUNION: Spec = Spec {
    name: "sunion",
    summary: "The members that any of several sets has.",
    complexity: "O(N) in the number of members of all sets",
    run: Run::keyspace(sunion),
    ..SINTER
};

fn sunion(ctx: &mut Ctx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let found = union(ctx, args.from(1))?;
    write(&found, reply);
    Ok(())
}

pub(super) const SUNIONSTORE: Spec = Spec {
    name: "sunionstore",
    summary: "Keeps the members that any of several sets has as another set; answers how many.",
    complexity: "O(N) in the number of members of all sets",
    run: Run::keyspace(sunionstore),
    ..SINTERSTORE
};

fn sunionstore(ctx: &mut Ctx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let found = union(ctx, args.from(2))?;
    store(ctx, &args[1], &found, reply);
    Ok(())
}

pub(super) const SDIFF: Spec = Spec {
    name: "sdiff",
    summary: "The members of the first set that no other has.",
    complexity: "O(N*M), N members of the first set and M sets",
    run: Run::keyspace(sdiff),
    ..SINTER
};

fn sdiff(ctx: &mut Ctx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let found = difference(ctx, args.from(1))?;
    write(&found, reply);
    Ok(())
}

pub(super) const SDIFFSTORE: Spec = Spec {
    name: "sdiffstore",
    summary: "Keeps the members of the first set that no other has as another set; answers how many.",
    complexity: "O(N*M), N members of the first set and M sets",
    run: Run::keyspace(sdiffstore),
    ..SINTERSTORE
};

fn sdiffstore(ctx: &mut Ctx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let found = difference(ctx, args.from(2))?;
    store(ctx, &args[1], &found, reply);
    Ok(())
}

/// Members on their own, in an order that follows from the sets'. Sets in several stores cannot be looked at
/// together, so the first one's members are copied and sifted.
type Members = Vec<Vec<u8>>;

fn members(ctx: &mut Ctx<'_>, key: &[u8]) -> Result<Members, Mistake> {
    let set = ctx.keyspace.store(key).read::<Set>(key, ctx.now_ms)?;
    Ok(set.into_iter().flat_map(Set::iter).map(|member| member.with(<[u8]>::to_vec)).collect())
}

fn intersection<'a>(
    ctx: &mut Ctx<'_>,
    keys: impl Iterator<Item = &'a [u8]> + Clone,
) -> Result<Members, Mistake> {
    // The smallest has no more members than there will be. All are looked at, for one may be no set.
    let mut smallest = None;
    for key in keys.clone() {
        let len = ctx.keyspace.store(key).read::<Set>(key, ctx.now_ms)?.map_or(0, Set::len);
        if smallest.is_none_or(|(least, _)| len < least) {
            smallest = Some((len, key));
        }
    }
    let Some((_, smallest)) = smallest else { return Ok(Members::new()) };
    let mut found = members(ctx, smallest)?;
    for key in keys.filter(|key| *key != smallest) {
        if found.is_empty() {
            break;
        }
        let set = ctx.keyspace.store(key).read::<Set>(key, ctx.now_ms)?;
        found.retain(|member| set.is_some_and(|set| set.contains(member)));
    }
    Ok(found)
}

fn union<'a>(ctx: &mut Ctx<'_>, keys: impl Iterator<Item = &'a [u8]>) -> Result<Members, Mistake> {
    let mut all = Set::default();
    for key in keys {
        let set = ctx.keyspace.store(key).read::<Set>(key, ctx.now_ms)?;
        for member in set.into_iter().flat_map(Set::iter) {
            member.with(|member| all.add(member));
        }
    }
    Ok(all.iter().map(|member| member.with(<[u8]>::to_vec)).collect())
}

fn difference(ctx: &mut Ctx<'_>, mut keys: ArgsIter<'_>) -> Result<Members, Mistake> {
    let mut found = match keys.next() {
        Some(first) => members(ctx, first)?,
        None => Members::new(),
    };
    for key in keys {
        if let Some(set) = ctx.keyspace.store(key).read::<Set>(key, ctx.now_ms)? {
            found.retain(|member| !set.contains(member));
        }
    }
    Ok(found)
}

fn write(members: &Members, reply: &mut Reply<'_>) {
    reply.set(members.len());
    members.iter().for_each(|member| reply.bulk(member));
}

fn store(ctx: &mut Ctx<'_>, destination: &[u8], members: &Members, reply: &mut Reply<'_>) {
    let mut set = Set::default();
    for member in members {
        set.add(member);
    }
    ctx.keyspace.store(destination).insert_collection(destination, set, ctx.now_ms);
    reply.count(members.len());
}
