//! Commands that take an element of one list to another, or take elements of the first list that has some.
//!
//! What is done to one list is in [`super::lists`].

use super::Mistake;
use super::lists::{FAMILY, take};
use super::parse::{is, natural};
use super::spec::{Ctx, Flag, KeySpec, Miscounted, Outcome, Run, Spec, counted};
use crate::resp::{Args, Reply};
use crate::store::{End, List};

pub(super) const LMOVE: Spec = Spec {
    name: "lmove",
    summary: "Takes an element at one end of a list and adds it at one end of another, or of the same; answers it.",
    usage: "source destination (LEFT | RIGHT) (LEFT | RIGHT)",
    since: "6.2.0",
    arity: 5,
    flags: &[Flag::Write, Flag::DenyOom],
    keys: KeySpec::TWO,
    run: Run::keyspace(lmove),
    ..FAMILY
};

fn lmove(ctx: &mut Ctx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let (from, to) = (end(&args[3])?, end(&args[4])?);
    move_one(ctx, (&args[1], from), (&args[2], to), reply)
}

pub(super) const RPOPLPUSH: Spec = Spec {
    name: "rpoplpush",
    summary: "Takes the last element of a list and adds it as the first of another, or of the same; answers it.",
    usage: "source destination",
    since: "1.2.0",
    arity: 3,
    run: Run::keyspace(rpoplpush),
    ..LMOVE
};

fn rpoplpush(ctx: &mut Ctx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    move_one(ctx, (&args[1], End::Right), (&args[2], End::Left), reply)
}

pub(super) fn end(word: &[u8]) -> Result<End, Mistake> {
    match word {
        word if is(word, "LEFT") => Ok(End::Left),
        word if is(word, "RIGHT") => Ok(End::Right),
        _ => Err(Mistake::SYNTAX),
    }
}

pub(super) fn move_one(
    ctx: &mut Ctx<'_>,
    (source, from): (&[u8], End),
    (destination, to): (&[u8], End),
    reply: &mut Reply<'_>,
) -> Outcome {
    let now_ms = ctx.now_ms;
    let Some(list) = ctx.keyspace.store(source).read::<List>(source, now_ms)? else {
        reply.null();
        return Ok(());
    };
    let index = if from == End::Left { 0 } else { list.len() - 1 };
    let element = list.get(index).map(<[u8]>::to_vec).unwrap_or_default();
    // Nothing is taken where it cannot be put.
    ctx.keyspace.store(destination).change_or_insert::<List>(destination, now_ms)?.push(to, &element);
    let store = ctx.keyspace.store(source);
    if let Some(list) = store.change::<List>(source, now_ms)? {
        // In one and the same list the element stands behind the one just added at its head.
        let index = if source == destination && to == End::Left { index + 1 } else { index };
        list.remove(index..index + 1);
        if list.is_empty() {
            store.remove(source, now_ms);
        }
    }
    reply.bulk(element);
    Ok(())
}

pub(super) const LMPOP: Spec = Spec {
    name: "lmpop",
    summary: "Takes elements of the first of several lists that has any; answers its key and them.",
    usage: "numkeys key ... (LEFT | RIGHT) [COUNT count]",
    since: "7.0.0",
    complexity: "O(N+M) in the number of keys and of elements taken",
    arity: -4,
    flags: &[Flag::Write],
    keys: KeySpec::Counted { count: 1, destination: None },
    run: Run::keyspace(lmpop),
    ..FAMILY
};

fn lmpop(ctx: &mut Ctx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let (keys, from, count) = parse_multi_pop(args, 1, end)?;
    for key in args.from(2).take(keys) {
        let store = ctx.keyspace.store(key);
        let Some(list) = store.change::<List>(key, ctx.now_ms)? else { continue };
        let taken = count.min(list.len());
        reply.array(2);
        reply.bulk(key);
        reply.array(taken);
        take(list, from, taken, reply);
        if list.is_empty() {
            store.remove(key, ctx.now_ms);
        }
        return Ok(());
    }
    reply.null_array();
    Ok(())
}

/// The arguments of LMPOP, ZMPOP and their like from the number of keys on, which is argument `at`: how many keys, from
/// which end, how many elements.
pub(super) fn parse_multi_pop<T>(
    args: Args<'_>,
    at: usize,
    end: impl FnOnce(&[u8]) -> Result<T, Mistake>,
) -> Result<(usize, T, usize), Mistake> {
    let keys = counted(args, at).map_err(|miscounted| match miscounted {
        Miscounted::TooMany => Mistake::SYNTAX,
        Miscounted::NoNumber | Miscounted::NotPositive => {
            Mistake::new("ERR numkeys should be greater than 0")
        }
    })?;
    let end = end(args.get(at + 1 + keys).ok_or(Mistake::SYNTAX)?)?;
    let mut count = None;
    let mut rest = args.from(at + 2 + keys);
    while let Some(option) = rest.next() {
        let value = rest.next().filter(|_| is(option, "COUNT") && count.is_none()).ok_or(Mistake::SYNTAX)?;
        count = Some(
            natural(value)
                .filter(|count| *count > 0)
                .ok_or(Mistake::new("ERR count should be greater than 0"))?,
        );
    }
    Ok((keys, end, count.unwrap_or(1)))
}
