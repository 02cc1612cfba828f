//! Commands that take from a list or a sorted set, and wait if there is nothing to take.
//!
//! Owns their arguments and what each takes. They say that they wait, and for what; letting a client wait and serving it is
//! the work of whoever reaches the store, who calls them again for one key when that was changed. Then a key that holds
//! something else counts as one that holds nothing.

use std::time::Duration;

use super::list_moves::{end, move_one, parse_multi_pop};
use super::lists::{self, take};
use super::mistake::Mistake;
use super::parse::timeout_of_seconds;
use super::sorted_sets::{self, Extreme};
use super::spec::{Ctx, Flag, KeySpec, Keys, Run, Spec, Wait};
use crate::resp::{Args, Reply};
use crate::store::{Collection, End, List, SortedSet};

/// `None` once it has answered.
type Tried = Result<Option<Wait>, Mistake>;

/// The keys of those that name them before a last argument.
const ALL_BUT_LAST: KeySpec = KeySpec::Range { first: 1, last: -2, step: 1 };

pub(super) const BLPOP: Spec = Spec {
    name: "blpop",
    summary: "Takes the first element of the first list that has one; waits if none has, at most so many seconds, 0: for ever.",
    usage: "key ... float-timeout",
    since: "2.0.0",
    complexity: "O(N) in the number of keys",
    arity: -3,
    flags: &[Flag::Write, Flag::NoScript, Flag::Blocking],
    keys: ALL_BUT_LAST,
    run: Run::blocking(blpop),
    ..lists::FAMILY
};

fn blpop(ctx: &mut Ctx<'_>, args: Args<'_>, only: Option<&[u8]>, reply: &mut Reply<'_>) -> Tried {
    pop_element(ctx, args, only, End::Left, reply)
}

pub(super) const BRPOP: Spec = Spec {
    name: "brpop",
    summary: "Takes the last element of the first list that has one; waits if none has, at most so many seconds, 0: for ever.",
    run: Run::blocking(brpop),
    ..BLPOP
};

fn brpop(ctx: &mut Ctx<'_>, args: Args<'_>, only: Option<&[u8]>, reply: &mut Reply<'_>) -> Tried {
    pop_element(ctx, args, only, End::Right, reply)
}

fn pop_element(
    ctx: &mut Ctx<'_>,
    args: Args<'_>,
    only: Option<&[u8]>,
    end: End,
    reply: &mut Reply<'_>,
) -> Tried {
    let timeout = timeout(&args[args.len() - 1])?;
    let waits =
        Wait { timeout, keys: BLPOP.keys(args), null_array: true, settled: Vec::new(), minds_absence: false };
    let found = first_of::<List>(ctx, waits.keys.iter(args), only)?;
    let Some(key) = found else { return Ok(Some(waits)) };
    reply.array(2);
    reply.bulk(key);
    take_from(ctx, key, |list: &mut List| take(list, end, 1, reply))?;
    Ok(None)
}

pub(super) const BLMOVE: Spec = Spec {
    name: "blmove",
    summary: "Does what LMOVE does; waits if the source has no element, at most so many seconds, 0: for ever.",
    usage: "source destination (LEFT | RIGHT) (LEFT | RIGHT) float-timeout",
    since: "6.2.0",
    arity: 6,
    flags: &[Flag::Write, Flag::DenyOom, Flag::NoScript, Flag::Blocking],
    keys: KeySpec::TWO,
    run: Run::blocking(blmove),
    ..lists::FAMILY
};

fn blmove(ctx: &mut Ctx<'_>, args: Args<'_>, only: Option<&[u8]>, reply: &mut Reply<'_>) -> Tried {
    let (from, to) = (end(&args[3])?, end(&args[4])?);
    move_or_wait(ctx, args, only, (from, to), reply)
}

pub(super) const BRPOPLPUSH: Spec = Spec {
    name: "brpoplpush",
    summary: "Does what RPOPLPUSH does; waits if the source has no element, at most so many seconds, 0: for ever.",
    usage: "source destination float-timeout",
    since: "2.2.0",
    arity: 4,
    run: Run::blocking(brpoplpush),
    ..BLMOVE
};

fn brpoplpush(ctx: &mut Ctx<'_>, args: Args<'_>, only: Option<&[u8]>, reply: &mut Reply<'_>) -> Tried {
    move_or_wait(ctx, args, only, (End::Right, End::Left), reply)
}

fn move_or_wait(
    ctx: &mut Ctx<'_>,
    args: Args<'_>,
    only: Option<&[u8]>,
    (from, to): (End, End),
    reply: &mut Reply<'_>,
) -> Tried {
    let timeout = timeout(&args[args.len() - 1])?;
    let (source, destination) = (&args[1], &args[2]);
    let waits = Wait {
        timeout,
        keys: Keys::Some { besides: None, first: 1, last: 1, step: 1 },
        null_array: false,
        settled: Vec::new(),
        minds_absence: false,
    };
    if first_of::<List>(ctx, [source].into_iter(), only)?.is_none() {
        return Ok(Some(waits));
    }
    move_one(ctx, (source, from), (destination, to), reply)?;
    Ok(None)
}

pub(super) const BLMPOP: Spec = Spec {
    name: "blmpop",
    summary: "Does what LMPOP does; waits if no list has an element, at most so many seconds, 0: for ever.",
    usage: "float-timeout numkeys key ... (LEFT | RIGHT) [COUNT count]",
    since: "7.0.0",
    complexity: "O(N+M) in the number of keys and of elements taken",
    arity: -5,
    flags: &[Flag::Write, Flag::Blocking],
    keys: KeySpec::Counted { count: 2, destination: None },
    run: Run::blocking(blmpop),
    ..lists::FAMILY
};

fn blmpop(ctx: &mut Ctx<'_>, args: Args<'_>, only: Option<&[u8]>, reply: &mut Reply<'_>) -> Tried {
    let (_, from, count) = parse_multi_pop(args, 2, end)?;
    let timeout = timeout(&args[1])?;
    let waits = Wait {
        timeout,
        keys: BLMPOP.keys(args),
        null_array: true,
        settled: Vec::new(),
        minds_absence: false,
    };
    let found = first_of::<List>(ctx, waits.keys.iter(args), only)?;
    let Some(key) = found else { return Ok(Some(waits)) };
    reply.array(2);
    reply.bulk(key);
    take_from(ctx, key, |list: &mut List| {
        let taken = count.min(list.len());
        reply.array(taken);
        take(list, from, taken, reply);
    })?;
    Ok(None)
}

pub(super) const BZPOPMIN: Spec = Spec {
    name: "bzpopmin",
    summary: "Takes the member with the lowest score of the first sorted set that has any; waits if none has, at most so many seconds, 0: for ever.",
    usage: "key ... float-timeout",
    since: "5.0.0",
    complexity: "O(log(N))",
    arity: -3,
    flags: &[Flag::Write, Flag::NoScript, Flag::Fast, Flag::Blocking],
    keys: ALL_BUT_LAST,
    run: Run::blocking(bzpopmin),
    ..sorted_sets::FAMILY
};

fn bzpopmin(ctx: &mut Ctx<'_>, args: Args<'_>, only: Option<&[u8]>, reply: &mut Reply<'_>) -> Tried {
    pop_member(ctx, args, only, Extreme::Min, reply)
}

pub(super) const BZPOPMAX: Spec = Spec {
    name: "bzpopmax",
    summary: "Takes the member with the highest score of the first sorted set that has any; waits if none has, at most so many seconds, 0: for ever.",
    run: Run::blocking(bzpopmax),
    ..BZPOPMIN
};

fn bzpopmax(ctx: &mut Ctx<'_>, args: Args<'_>, only: Option<&[u8]>, reply: &mut Reply<'_>) -> Tried {
    pop_member(ctx, args, only, Extreme::Max, reply)
}

fn pop_member(
    ctx: &mut Ctx<'_>,
    args: Args<'_>,
    only: Option<&[u8]>,
    extreme: Extreme,
    reply: &mut Reply<'_>,
) -> Tried {
    let timeout = timeout(&args[args.len() - 1])?;
    let waits = Wait {
        timeout,
        keys: BZPOPMIN.keys(args),
        null_array: true,
        settled: Vec::new(),
        minds_absence: false,
    };
    let found = first_of::<SortedSet>(ctx, waits.keys.iter(args), only)?;
    let Some(key) = found else { return Ok(Some(waits)) };
    reply.array(3);
    reply.bulk(key);
    take_from(ctx, key, |set: &mut SortedSet| sorted_sets::take(set, extreme, 1, false, reply))?;
    Ok(None)
}

pub(super) const BZMPOP: Spec = Spec {
    name: "bzmpop",
    summary: "Does what ZMPOP does; waits if no sorted set has a member, at most so many seconds, 0: for ever.",
    usage: "float-timeout numkeys key ... (MIN | MAX) [COUNT count]",
    since: "7.0.0",
    complexity: "O(K)+O(M*log(N)), K keys and M members taken",
    arity: -5,
    flags: &[Flag::Write, Flag::Blocking],
    keys: KeySpec::Counted { count: 2, destination: None },
    run: Run::blocking(bzmpop),
    ..sorted_sets::FAMILY
};

fn bzmpop(ctx: &mut Ctx<'_>, args: Args<'_>, only: Option<&[u8]>, reply: &mut Reply<'_>) -> Tried {
    let (_, extreme, count) = parse_multi_pop(args, 2, Extreme::parse)?;
    let timeout = timeout(&args[1])?;
    let waits = Wait {
        timeout,
        keys: BZMPOP.keys(args),
        null_array: true,
        settled: Vec::new(),
        minds_absence: false,
    };
    let found = first_of::<SortedSet>(ctx, waits.keys.iter(args), only)?;
    let Some(key) = found else { return Ok(Some(waits)) };
    reply.array(2);
    reply.bulk(key);
    take_from(ctx, key, |set: &mut SortedSet| {
        let taken = count.min(set.len());
        reply.array(taken);
        sorted_sets::take(set, extreme, taken, true, reply);
    })?;
    Ok(None)
}

/// The first of `keys` that holds a collection of this type, `only` that one if it is given.
fn first_of<'a, T: Collection>(
    ctx: &mut Ctx<'_>,
    mut keys: impl Iterator<Item = &'a [u8]>,
    only: Option<&[u8]>,
) -> Result<Option<&'a [u8]>, Mistake> {
    let now_ms = ctx.now_ms;
    let Some(only) = only else {
        for key in keys {
            if let Some(entry) = ctx.keyspace.store(key).peek(key, now_ms) {
                T::of(&entry.value).ok_or(Mistake::WRONG_TYPE)?;
                return Ok(Some(key));
            }
        }
        return Ok(None);
    };
    let entry = ctx.keyspace.store(only).peek(only, now_ms);
    let is_there = entry.is_some_and(|entry| T::of(&entry.value).is_some());
    Ok(keys.find(|key| *key == only && is_there))
}

/// Takes from the collection at `key`, which goes when nothing is left of it.
fn take_from<T: Collection>(ctx: &mut Ctx<'_>, key: &[u8], take: impl FnOnce(&mut T)) -> Result<(), Mistake> {
    let store = ctx.keyspace.store(key);
    if let Some(collection) = store.change::<T>(key, ctx.now_ms)? {
        take(collection);
        if collection.is_empty() {
            store.remove(key, ctx.now_ms);
        }
    }
    Ok(())
}

/// How long to wait, given in seconds; `None`: for ever.
fn timeout(text: &[u8]) -> Result<Option<Duration>, Mistake> {
    let ms = timeout_of_seconds(text)?;
    Ok((ms > 0).then(|| Duration::from_millis(ms)))
}
