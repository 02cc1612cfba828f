//! Commands on one list: adding and taking at its ends, reading, changing in the middle.
//!
//! What moves elements from list to list, or looks for a list that has some, is in [`super::list_moves`].

use super::Mistake;
use super::parse::{amount, clip, integer, is, natural};
use super::spec::{Ctx, Flag, Group, KeySpec, Outcome, Run, Spec};
use crate::resp::{Args, Reply};
use crate::store::{End, List};

/// What most commands of the family have in common.
pub(super) const FAMILY: Spec = Spec {
    name: "",
    summary: "",
    usage: "key",
    since: "1.0.0",
    group: Group::List,
    complexity: "O(1)",
    arity: 2,
    flags: &[Flag::ReadOnly],
    keys: KeySpec::ONE,
    subcommands: &[],
    run: Run::keyspace(llen),
};

pub(super) const LPUSH: Spec = Spec {
    name: "lpush",
    summary: "Adds elements at the head of a list, one after the other; answers its length then.",
    usage: "key element ...",
    complexity: "O(N) in the number of elements",
    arity: -3,
    flags: &[Flag::Write, Flag::DenyOom, Flag::Fast],
    run: Run::keyspace(lpush),
    ..FAMILY
};

fn lpush(ctx: &mut Ctx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    push(ctx, args, End::Left, reply)
}

pub(super) const RPUSH: Spec = Spec {
    name: "rpush",
    summary: "Adds elements at the tail of a list, one after the other; answers its length then.",
    run: Run::keyspace(rpush),
    ..LPUSH
};

fn rpush(ctx: &mut Ctx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    push(ctx, args, End::Right, reply)
}

fn push(ctx: &mut Ctx<'_>, args: Args<'_>, end: End, reply: &mut Reply<'_>) -> Outcome {
    let key = &args[1];
    let list: &mut List = ctx.keyspace.store(key).change_or_insert(key, ctx.now_ms)?;
    args.from(2).for_each(|element| list.push(end, element));
    reply.count(list.len());
    Ok(())
}

pub(super) const LPUSHX: Spec = Spec {
    name: "lpushx",
    summary: "Adds elements at the head of a list if there is one; answers its length then.",
    since: "2.2.0",
    run: Run::keyspace(lpushx),
    ..LPUSH
};

fn lpushx(ctx: &mut Ctx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    push_if_there(ctx, args, End::Left, reply)
}

pub(super) const RPUSHX: Spec = Spec {
    name: "rpushx",
    summary: "Adds elements at the tail of a list if there is one; answers its length then.",
    run: Run::keyspace(rpushx),
    ..LPUSHX
};

fn rpushx(ctx: &mut Ctx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    push_if_there(ctx, args, End::Right, reply)
}

fn push_if_there(ctx: &mut Ctx<'_>, args: Args<'_>, end: End, reply: &mut Reply<'_>) -> Outcome {
    let key = &args[1];
    let list = ctx.keyspace.store(key).change::<List>(key, ctx.now_ms)?;
    reply.count(list.map_or(0, |list| {
        args.from(2).for_each(|element| list.push(end, element));
        list.len()
    }));
    Ok(())
}

pub(super) const LPOP: Spec = Spec {
    name: "lpop",
    summary: "Takes the first element of a list, or the first `count` of them.",
    usage: "key [count]",
    complexity: "O(N) in the number of elements",
    arity: -2,
    flags: &[Flag::Write, Flag::Fast],
    run: Run::keyspace(lpop),
    ..FAMILY
};

fn lpop(ctx: &mut Ctx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    pop(ctx, LPOP.name, args, End::Left, reply)
}

pub(super) const RPOP: Spec = Spec {
    name: "rpop",
    summary: "Takes the last element of a list, or the last `count` of them, the last one first.",
    run: Run::keyspace(rpop),
    ..LPOP
};

fn rpop(ctx: &mut Ctx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    pop(ctx, RPOP.name, args, End::Right, reply)
}

fn pop(ctx: &mut Ctx<'_>, command: &str, args: Args<'_>, end: End, reply: &mut Reply<'_>) -> Outcome {
    if args.len() > 3 {
        return Err(Mistake::arity(command));
    }
    let count = args.get(2).map(amount).transpose()?;
    let key = &args[1];
    let store = ctx.keyspace.store(key);
    let Some(list) = store.change::<List>(key, ctx.now_ms)? else {
        match count {
            Some(_) => reply.null_array(),
            None => reply.null(),
        }
        return Ok(());
    };
    let taken = count.unwrap_or(1).min(list.len());
    if count.is_some() {
        reply.array(taken);
    }
    take(list, end, taken, reply);
    if list.is_empty() {
        store.remove(key, ctx.now_ms);
    } else if taken == 0 {
        store.unchanged(key);
    }
    Ok(())
}

/// Writes the `count` elements nearest to `end`, the outermost first, and removes them. The list has so many.
pub(super) fn take(list: &mut List, end: End, count: usize, reply: &mut Reply<'_>) {
    match end {
        End::Left => {
            list.iter(0..count).for_each(|element| reply.bulk(element));
            list.remove(0..count);
        }
        End::Right => {
            list.iter_back().take(count).for_each(|element| reply.bulk(element));
            list.remove(list.len() - count..list.len());
        }
    }
}

pub(super) const LLEN: Spec = Spec {
    name: "llen",
    summary: "How many elements a list has.",
    flags: &[Flag::ReadOnly, Flag::Fast],
    run: Run::keyspace(llen),
    ..FAMILY
};

fn llen(ctx: &mut Ctx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let key = &args[1];
    reply.count(ctx.keyspace.store(key).read::<List>(key, ctx.now_ms)?.map_or(0, List::len));
    Ok(())
}

pub(super) const LRANGE: Spec = Spec {
    name: "lrange",
    summary: "Part of a list, both ends included; negative positions count from its end.",
    usage: "key start stop",
    complexity: "O(S+N), S elements to the part and N in it",
    arity: 4,
    run: Run::keyspace(lrange),
    ..FAMILY
};

fn lrange(ctx: &mut Ctx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let (key, start, stop) = (&args[1], integer(&args[2])?, integer(&args[3])?);
    let Some(list) = ctx.keyspace.store(key).read::<List>(key, ctx.now_ms)? else {
        reply.array(0);
        return Ok(());
    };
    let range = clip(start, stop, list.len());
    reply.array(range.len());
    list.iter(range).for_each(|element| reply.bulk(element));
    Ok(())
}

pub(super) const LINDEX: Spec = Spec {
    name: "lindex",
    summary: "The element at a position; a negative one counts from the end.",
    usage: "key index",
    complexity: "O(N) in the number of elements passed over",
    arity: 3,
    run: Run::keyspace(lindex),
    ..FAMILY
};

fn lindex(ctx: &mut Ctx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let key = &args[1];
    let element = match ctx.keyspace.store(key).read::<List>(key, ctx.now_ms)? {
        Some(list) => position(&args[2], list)?.and_then(|index| list.get(index)),
        None => None,
    };
    match element {
        Some(element) => reply.bulk(element),
        None => reply.null(),
    }
    Ok(())
}

/// The position that `text` says, counted from the head, if it is not in front of it.
fn position(text: &[u8], list: &List) -> Result<Option<usize>, Mistake> {
    let index = integer(text)?;
    let index = if index < 0 { index.saturating_add(list.len() as i64) } else { index };
    Ok(usize::try_from(index).ok())
}

pub(super) const LSET: Spec = Spec {
    name: "lset",
    summary: "Puts another element at a position.",
    usage: "key index element",
    complexity: "O(N) in the number of elements passed over",
    arity: 4,
    flags: &[Flag::Write, Flag::DenyOom],
    run: Run::keyspace(lset),
    ..FAMILY
};

fn lset(ctx: &mut Ctx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let key = &args[1];
    let list = ctx.keyspace.store(key).change::<List>(key, ctx.now_ms)?.ok_or(Mistake::NO_SUCH_KEY)?;
    match position(&args[2], list)? {
        Some(index) if list.set(index, &args[3]) => reply.ok(),
        _ => return Err(Mistake::new("ERR index out of range")),
    }
    Ok(())
}

pub(super) const LINSERT: Spec = Spec {
    name: "linsert",
    summary: "Adds an element before or after the first that is the pivot; answers the length then, -1 without a pivot.",
    usage: "key (BEFORE | AFTER) pivot element",
    since: "2.2.0",
    complexity: "O(N) in the number of elements passed over",
    arity: 5,
    flags: &[Flag::Write, Flag::DenyOom],
    run: Run::keyspace(linsert),
    ..FAMILY
};

fn linsert(ctx: &mut Ctx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let after = is(&args[2], "AFTER");
    if !after && !is(&args[2], "BEFORE") {
        return Err(Mistake::SYNTAX);
    }
    let key = &args[1];
    let store = ctx.keyspace.store(key);
    let Some(list) = store.change::<List>(key, ctx.now_ms)? else {
        reply.integer(0);
        return Ok(());
    };
    let pivot = list.iter(0..list.len()).position(|element| *element == args[3]);
    match pivot {
        Some(index) => {
            list.insert(index + usize::from(after), &args[4]);
            reply.count(list.len());
        }
        None => {
            store.unchanged(key);
            reply.integer(-1);
        }
    }
    Ok(())
}

pub(super) const LREM: Spec = Spec {
    name: "lrem",
    summary: "Removes the first `count` elements that are the given one, the last ones if negative, all if 0; answers how many.",
    usage: "key count element",
    complexity: "O(N) in the number of elements",
    arity: 4,
    flags: &[Flag::Write],
    run: Run::keyspace(lrem),
    ..FAMILY
};

fn lrem(ctx: &mut Ctx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let (key, count) = (&args[1], integer(&args[2])?);
    let end = if count < 0 { End::Right } else { End::Left };
    let most =
        if count == 0 { usize::MAX } else { usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX) };
    let store = ctx.keyspace.store(key);
    let Some(list) = store.change::<List>(key, ctx.now_ms)? else {
        reply.integer(0);
        return Ok(());
    };
    let removed = list.remove_equal(&args[3], end, most);
    if list.is_empty() {
        store.remove(key, ctx.now_ms);
    } else if removed == 0 {
        store.unchanged(key);
    }
    reply.count(removed);
    Ok(())
}

pub(super) const LTRIM: Spec = Spec {
    name: "ltrim",
    summary: "Keeps part of a list, both ends included, and removes the rest.",
    usage: "key start stop",
    complexity: "O(N) in the number of elements removed",
    arity: 4,
    flags: &[Flag::Write],
    run: Run::keyspace(ltrim),
    ..FAMILY
};

fn ltrim(ctx: &mut Ctx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let (key, start, stop) = (&args[1], integer(&args[2])?, integer(&args[3])?);
    let store = ctx.keyspace.store(key);
    if let Some(list) = store.change::<List>(key, ctx.now_ms)? {
        let before = list.len();
        let kept = clip(start, stop, before);
        list.remove(kept.end..before);
        list.remove(0..kept.start);
        if list.is_empty() {
            store.remove(key, ctx.now_ms);
        } else if list.len() == before {
            // To those who watch it is changed, as in Redis.
            store.unwritten();
        }
    }
    reply.ok();
    Ok(())
}

pub(super) const LPOS: Spec = Spec {
    name: "lpos",
    summary: "Where an element is in a list: the first place, or as many as asked for.",
    usage: "key element [RANK rank] [COUNT num-matches] [MAXLEN len]",
    since: "6.0.6",
    complexity: "O(N) in the number of elements compared",
    arity: -3,
    run: Run::keyspace(lpos),
    ..FAMILY
};

fn lpos(ctx: &mut Ctx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let (mut rank, mut count, mut most_compared) = (1, None, usize::MAX);
    // 0 means all.
    let limit = |text: &[u8], mistake: &'static str| {
        natural(text).map(|limit| if limit == 0 { usize::MAX } else { limit }).ok_or(Mistake::new(mistake))
    };
    let mut rest = args.from(3);
    while let Some(option) = rest.next() {
        let value = rest.next().ok_or(Mistake::SYNTAX)?;
        if is(option, "RANK") {
            rank = integer(value)?;
            if rank == i64::MIN {
                return Err(Mistake::new(
                    "ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807",
                ));
            }
            if rank == 0 {
                return Err(Mistake::new(
                    "ERR RANK can't be zero: use 1 to start from the first match, 2 from the second ... \
                     or use negative to start from the end of the list",
                ));
            }
        } else if is(option, "COUNT") {
            count = Some(limit(value, "ERR COUNT can't be negative")?);
        } else if is(option, "MAXLEN") {
            most_compared = limit(value, "ERR MAXLEN can't be negative")?;
        } else {
            return Err(Mistake::SYNTAX);
        }
    }
    let (key, element) = (&args[1], &args[2]);
    let list = ctx.keyspace.store(key).read::<List>(key, ctx.now_ms)?;
    let passed_over = usize::try_from(rank.unsigned_abs() - 1).unwrap_or(usize::MAX);
    let found: Vec<usize> = list.map_or(Vec::new(), |list| {
        let len = list.len();
        let found = |at: &(usize, &[u8])| at.1 == element;
        if rank > 0 {
            let compared = list.iter(0..len).enumerate().take(most_compared).filter(found);
            compared.map(|(at, _)| at).skip(passed_over).take(count.unwrap_or(1)).collect()
        } else {
            let compared = list.iter_back().enumerate().take(most_compared).filter(found);
            compared.map(|(at, _)| len - 1 - at).skip(passed_over).take(count.unwrap_or(1)).collect()
        }
    });
    match (count, found.first()) {
        (Some(_), _) => {
            reply.array(found.len());
            found.iter().for_each(|at| reply.count(*at));
        }
        (None, Some(at)) => reply.count(*at),
        (None, None) => reply.null(),
    }
    Ok(())
}
