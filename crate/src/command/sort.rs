//! SORT and SORT_RO: the elements of a list, a set or a sorted set, sorted, or what keys named after them hold.
//!
//! Owns patterns in which `*` stands for the element: which keys they name is known only when the element is, so such
//! a request may touch any key.

use std::cmp::Ordering;

use super::Mistake;
use super::parse::{integer, is};
use super::spec::{Ctx, Flag, Group, KeySpec, Keys, Outcome, Run, Spec};
use super::strings::with_string;
use crate::resp::{Args, Reply, parse_f64};
use crate::store::{Collection, End, Hash, List, Value};

pub(super) const SORT: Spec = Spec {
    name: "sort",
    summary: "Sorts the elements of a list, set or sorted set, by themselves or by other keys; answers or keeps them.",
    usage: "key [BY by-pattern] [LIMIT offset count] [GET get-pattern ...] [ASC | DESC] [ALPHA] [STORE destination]",
    since: "1.0.0",
    group: Group::Generic,
    complexity: "O(N+M*log(M)), N elements and M answered",
    arity: -2,
    flags: &[Flag::Write, Flag::DenyOom, Flag::Dangerous],
    keys: KeySpec::FirstAndComputed(keys),
    subcommands: &[],
    run: Run::keyspace(sort),
};

pub(super) const SORT_RO: Spec = Spec {
    name: "sort_ro",
    summary: "Sorts as SORT does, and never keeps the result.",
    usage: "key [BY by-pattern] [LIMIT offset count] [GET get-pattern ...] [ASC | DESC] [ALPHA]",
    since: "7.0.0",
    flags: &[Flag::ReadOnly, Flag::Dangerous],
    run: Run::keyspace(sort_ro),
    ..SORT
};

/// How to sort, and what to do with it.
struct Query<'a> {
    key: &'a [u8],
    by: Option<&'a [u8]>,
    limit: Option<(i64, i64)>,
    gets: Vec<&'a [u8]>,
    is_descending: bool,
    is_alpha: bool,
    /// Where the key to keep the result under stands among the arguments.
    store: Option<usize>,
}

impl<'a> Query<'a> {
    fn parse(args: Args<'a>, may_store: bool) -> Result<Self, Mistake> {
        let key = args.get(1).unwrap_or_default();
        let mut query = Self {
            key,
            by: None,
            limit: None,
            gets: Vec::new(),
            is_descending: false,
            is_alpha: false,
            store: None,
        };
        let mut at = 2;
        while let Some(option) = args.get(at) {
            let value = args.get(at + 1);
            match value {
                _ if is(option, "ASC") => query.is_descending = false,
                _ if is(option, "DESC") => query.is_descending = true,
                _ if is(option, "ALPHA") => query.is_alpha = true,
                Some(offset) if is(option, "LIMIT") => {
                    let count = args.get(at + 2).ok_or(Mistake::SYNTAX)?;
                    query.limit = Some((integer(offset)?, integer(count)?));
                    at += 2;
                }
                Some(_) if is(option, "STORE") && may_store => {
                    query.store = Some(at + 1);
                    at += 1;
                }
                Some(pattern) if is(option, "BY") => {
                    query.by = Some(pattern);
                    at += 1;
                }
                Some(pattern) if is(option, "GET") => {
                    query.gets.push(pattern);
                    at += 1;
                }
                _ => return Err(Mistake::SYNTAX),
            }
            at += 1;
        }
        Ok(query)
    }

    /// Whether an element is not what is compared: a pattern that names the same for all asks for no order.
    fn is_unsorted(&self) -> bool {
        self.by.is_some_and(|pattern| !pattern.contains(&b'*'))
    }
}

/// The list itself and where the result is kept, unless patterns name keys.
fn keys(args: Args<'_>) -> Keys {
    let Ok(query) = Query::parse(args, true) else { return Keys::None };
    let names_keys = |pattern: &&[u8]| pattern.contains(&b'*');
    if query.by.iter().chain(&query.gets).any(names_keys) {
        return Keys::All;
    }
    Keys::Some { besides: query.store, first: 1, last: 1, step: 1 }
}

fn sort(ctx: &mut Ctx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let query = Query::parse(args, true)?;
    let results = run(ctx, &query)?;
    let Some(destination) = query.store.and_then(|at| args.get(at)) else {
        write(&results, reply);
        return Ok(());
    };
    let mut list = List::default();
    // What is not there is kept as an empty string.
    results.iter().for_each(|result| list.push(End::Right, result.as_deref().unwrap_or_default()));
    ctx.keyspace.store(destination).insert_collection(destination, list, ctx.now_ms);
    reply.count(results.len());
    Ok(())
}

fn sort_ro(ctx: &mut Ctx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let results = run(ctx, &Query::parse(args, false)?)?;
    write(&results, reply);
    Ok(())
}

fn write(results: &[Option<Vec<u8>>], reply: &mut Reply<'_>) {
    reply.array(results.len());
    for result in results {
        match result {
            Some(result) => reply.bulk(result),
            None => reply.null(),
        }
    }
}

/// An element and what it is sorted by.
struct Element {
    element: Vec<u8>,
    weight: Weight,
}

enum Weight {
    Number(f64),
    Text(Option<Vec<u8>>),
}

/// What is answered or kept: for each element in order itself, or what each GET names.
fn run(ctx: &mut Ctx<'_>, query: &Query<'_>) -> Result<Vec<Option<Vec<u8>>>, Mistake> {
    let (elements, is_set) = elements(ctx, query)?;
    // A set has no order to be kept under a key in, so it gets one.
    let is_forced = query.is_unsorted() && is_set && query.store.is_some();
    let mut sorted = Vec::new();
    for element in elements {
        let weight = match query.by {
            Some(pattern) if !is_forced => {
                if query.is_unsorted() {
                    None
                } else {
                    look_up(ctx, pattern, &element)
                }
            }
            _ => Some(element.clone()),
        };
        let weight = if query.is_alpha || is_forced || query.is_unsorted() {
            Weight::Text(weight)
        } else {
            Weight::Number(weight.map_or(Ok(0.0), |text| number(&text))?)
        };
        sorted.push(Element { element, weight });
    }
    if !query.is_unsorted() || is_forced {
        sorted.sort_by(|a, b| {
            let order = compare(a, b);
            if query.is_descending { order.reverse() } else { order }
        });
    }
    let kept = &sorted[limited(query.limit, sorted.len())];
    if query.gets.is_empty() {
        return Ok(kept.iter().map(|element| Some(element.element.clone())).collect());
    }
    let (mut results, mut bytes) = (Vec::new(), 0);
    for Element { element, .. } in kept {
        for pattern in &query.gets {
            let result =
                if *pattern == b"#" { Some(element.clone()) } else { look_up(ctx, pattern, element) };
            // The same value may be asked for again and again, so the whole is bounded by what a request may be.
            bytes += size_of_val(&result) + result.as_ref().map_or(0, Vec::len);
            if bytes > ctx.server.config.limits.request_bytes {
                return Err(Mistake::new(
                    "ERR result is longer than a request may be (client-query-buffer-limit)",
                ));
            }
            results.push(result);
        }
    }
    Ok(results)
}

/// The elements in their own order, and whether that of a set, which is none.
fn elements(ctx: &mut Ctx<'_>, query: &Query<'_>) -> Result<(Vec<Vec<u8>>, bool), Mistake> {
    let key = query.key;
    let Some(entry) = ctx.keyspace.store(key).get(key, ctx.now_ms) else { return Ok((Vec::new(), false)) };
    let (mut elements, is_set): (Vec<_>, _) = match &entry.value {
        Value::List(list) => (list.iter(0..list.len()).map(<[u8]>::to_vec).collect(), false),
        Value::Set(set) => (set.iter().map(|member| member.with(<[u8]>::to_vec)).collect(), true),
        Value::SortedSet(set) => (set.iter(0..set.len()).map(|(member, _)| member.to_vec()).collect(), false),
        _ => return Err(Mistake::WRONG_TYPE),
    };
    if query.is_unsorted() && query.is_descending && !is_set {
        elements.reverse();
    }
    Ok((elements, is_set))
}

/// A number to sort by. Redis reads what is empty as 0.
fn number(text: &[u8]) -> Result<f64, Mistake> {
    let number = if text.is_empty() { Some(0.0) } else { parse_f64(text.trim_ascii_start()) };
    number.ok_or(Mistake::new("ERR One or more scores can't be converted into double"))
}

/// Elements of the same number are told apart by themselves; of the same text they keep their order.
fn compare(a: &Element, b: &Element) -> Ordering {
    match (&a.weight, &b.weight) {
        (Weight::Number(x), Weight::Number(y)) => {
            x.partial_cmp(y).unwrap_or(Ordering::Equal).then_with(|| a.element.cmp(&b.element))
        }
        (Weight::Text(x), Weight::Text(y)) => x.cmp(y),
        (Weight::Number(_), Weight::Text(_)) | (Weight::Text(_), Weight::Number(_)) => {
            unreachable!("one request sorts by one kind of weight")
        }
    }
}

/// Which of `len` results a limit leaves: from the offset on, all if the count is negative.
fn limited(limit: Option<(i64, i64)>, len: usize) -> std::ops::Range<usize> {
    let Some((offset, count)) = limit else { return 0..len };
    let start = usize::try_from(offset.max(0)).unwrap_or(len).min(len);
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    start..start.saturating_add(count).min(len)
}

/// What the key named by `pattern` holds, `*` standing for `element`: a string, or behind `->` a hash's field.
fn look_up(ctx: &mut Ctx<'_>, pattern: &[u8], element: &[u8]) -> Option<Vec<u8>> {
    let star = pattern.iter().position(|byte| *byte == b'*')?;
    let (before, after) = (&pattern[..star], &pattern[star + 1..]);
    // An arrow with nothing behind it is part of the name.
    let arrow = after.windows(2).position(|two| two == b"->").filter(|at| at + 2 < after.len());
    let (after, field) = match arrow {
        Some(at) => (&after[..at], Some(&after[at + 2..])),
        None => (after, None),
    };
    let key = [before, element, after].concat();
    let value = &ctx.keyspace.store(&key).get(&key, ctx.now_ms)?.value;
    match field {
        Some(field) => Hash::of(value)?.get(field).map(<[u8]>::to_vec),
        None => with_string(value, <[u8]>::to_vec).ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::{Config, Server};
    use crate::resp::{Batch, Limits, Protocol};
    use crate::store::Databases;

    #[test]
    fn a_result_is_no_longer_than_a_request_may_be() {
        let limits = Limits { request_bytes: 1_000, ..Limits::default() };
        let server = Server::new(Config { limits, ..Config::default() }, 0, 7);
        let watcher = std::sync::Arc::default();
        let mut databases = Databases::default();
        let store = databases.selected();
        let list: &mut List = store.change_or_insert(b"l", 0).unwrap();
        list.push(End::Left, &[b'1'; 100]);
        let mut check = |gets: usize, is_answered: bool| {
            let mut batch = Batch::default();
            let words =
                ["SORT", "l", "ALPHA"].into_iter().chain(["GET", "#"].into_iter().cycle().take(gets * 2));
            batch.push(&words.collect::<Vec<_>>());
            let (mut out, mut random) = (bytes::BytesMut::new(), fastrand::Rng::with_seed(1));
            let mut ctx = Ctx {
                keyspace: &mut databases,
                database: 0,
                now_ms: 0,
                random: &mut random,
                server: &server,
                watcher: &watcher,
            };
            let outcome = sort(&mut ctx, batch.request(0), &mut Reply::new(&mut out, Protocol::Resp2));
            assert_eq!(outcome.is_ok(), is_answered, "{gets}");
        };
        check(1, true);
        check(7, true);
        check(9, false);
    }
}
