//! Strings and keys: random commands against a map, and the promise of SCAN.

use std::collections::{BTreeMap, BTreeSet};

use interleave::resp::Value;
use interleave::store::{Databases, Keyspace};
use proptest::prelude::*;

use crate::local::Local;
use crate::shards::Shards;

/// What a key holds and when it expires.
type Entry = (Vec<u8>, Option<u64>);

/// The model: a map, searched for expired keys before every command.
struct Model {
    entries: BTreeMap<Vec<u8>, Entry>,
    now_ms: u64,
}

#[derive(Clone, Debug)]
enum Step {
    Pass { ms: u64 },
    Set { key: u8, value: Vec<u8>, condition: &'static str, px: Option<u64>, keep: bool },
    Get(u8),
    GetDel(u8),
    Del(u8),
    Exists(u8, u8),
    IncrBy(u8, i64),
    Append(u8, Vec<u8>),
    SetRange(u8, usize, Vec<u8>),
    GetRange(u8, i64, i64),
    MSetNx(u8, u8),
    PExpire(u8, i64, &'static str),
    PTtl(u8),
    Persist(u8),
    Rename(u8, u8),
    RenameNx(u8, u8),
    Copy(u8, u8, bool),
    Keys,
    FlushAll,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    // Few keys, so that commands meet; some of them too long to be kept in the table.
    let key = || 0u8..5;
    let value = || {
        let number = prop_oneof![-9i64..100, Just(i64::MAX), Just(i64::MIN)];
        prop_oneof![
            number.prop_map(|n| n.to_string().into_bytes()),
            proptest::collection::vec(any::<u8>(), 0..30)
        ]
    };
    let condition = prop_oneof![Just(""), Just("NX"), Just("XX")];
    let expire_condition = prop_oneof![Just(""), Just("NX"), Just("XX"), Just("GT"), Just("LT")];
    let step = prop_oneof![
        (0u64..30).prop_map(|ms| Step::Pass { ms }),
        (key(), value(), condition, proptest::option::of(1u64..60), any::<bool>())
            .prop_map(|(key, value, condition, px, keep)| Step::Set { key, value, condition, px, keep }),
        key().prop_map(Step::Get),
        key().prop_map(Step::GetDel),
        key().prop_map(Step::Del),
        (key(), key()).prop_map(|(a, b)| Step::Exists(a, b)),
        (key(), prop_oneof![-9i64..9, Just(i64::MAX), Just(i64::MIN)])
            .prop_map(|(k, by)| Step::IncrBy(k, by)),
        (key(), value()).prop_map(|(k, value)| Step::Append(k, value)),
        (key(), 0usize..40, value()).prop_map(|(k, at, value)| Step::SetRange(k, at, value)),
        (key(), -40i64..40, -40i64..40).prop_map(|(k, start, end)| Step::GetRange(k, start, end)),
        (key(), key()).prop_map(|(a, b)| Step::MSetNx(a, b)),
        (key(), -5i64..60, expire_condition).prop_map(|(k, ms, condition)| Step::PExpire(k, ms, condition)),
        key().prop_map(Step::PTtl),
        key().prop_map(Step::Persist),
        (key(), key()).prop_map(|(a, b)| Step::Rename(a, b)),
        (key(), key()).prop_map(|(a, b)| Step::RenameNx(a, b)),
        (key(), key(), any::<bool>()).prop_map(|(a, b, replace)| Step::Copy(a, b, replace)),
        Just(Step::Keys),
        Just(Step::FlushAll),
    ];
    proptest::collection::vec(step, 1..80)
}

fn key(number: u8) -> Vec<u8> {
    if number.is_multiple_of(2) { vec![b'a' + number] } else { vec![b'a' + number; 40] }
}

fn integer(value: usize) -> Value {
    Value::Integer(value as i64)
}

fn error(text: &str) -> Value {
    Value::Error(text.to_owned())
}

fn bulk(value: Option<&Entry>) -> Value {
    value.map_or(Value::Null, |(value, _)| Value::Bulk(value.clone()))
}

impl Model {
    /// The request a step sends, and the reply it should get. `None` when it sends none.
    fn step(&mut self, step: &Step) -> Option<(Vec<Vec<u8>>, Value)> {
        let now_ms = self.now_ms;
        self.entries.retain(|_, (_, expires_ms)| expires_ms.is_none_or(|expires_ms| expires_ms >= now_ms));
        let text = |text: &str| text.as_bytes().to_vec();
        let number = |number: i64| number.to_string().into_bytes();
        let entries = &mut self.entries;
        Some(match step.clone() {
            Step::Pass { ms } => {
                self.now_ms += ms;
                return None;
            }
            Step::Set { key: k, value, condition, px, keep } => {
                let k = key(k);
                let mut request = vec![text("SET"), k.clone(), value.clone()];
                request.extend((!condition.is_empty()).then(|| text(condition)));
                let old_expiry = entries.get(&k).and_then(|old| old.1);
                let expires_ms = match px {
                    Some(px) => {
                        request.extend([text("PX"), px.to_string().into_bytes()]);
                        Some(now_ms + px)
                    }
                    None if keep => {
                        request.push(text("KEEPTTL"));
                        old_expiry
                    }
                    None => None,
                };
                let present = entries.contains_key(&k);
                if (condition == "NX" && present) || (condition == "XX" && !present) {
                    (request, Value::Null)
                } else {
                    entries.insert(k, (value, expires_ms));
                    (request, Value::Simple("OK".to_owned()))
                }
            }
            Step::Get(k) => (vec![text("GET"), key(k)], bulk(entries.get(&key(k)))),
            Step::GetDel(k) => (vec![text("GETDEL"), key(k)], bulk(entries.remove(&key(k)).as_ref())),
            Step::Del(k) => (vec![text("DEL"), key(k)], integer(entries.remove(&key(k)).iter().count())),
            Step::Exists(a, b) => {
                let found = [a, b].iter().filter(|k| entries.contains_key(&key(**k))).count();
                (vec![text("EXISTS"), key(a), key(b)], integer(found))
            }
            Step::IncrBy(k, by) => {
                let entry = entries.get(&key(k)).cloned();
                let expires_ms = entry.as_ref().and_then(|entry| entry.1);
                let old = match entry {
                    None => Some(0),
                    // The one spelling of a number: it prints the same again.
                    Some((old, _)) => std::str::from_utf8(&old)
                        .ok()
                        .and_then(|old| old.parse::<i64>().ok().filter(|number| number.to_string() == old)),
                };
                let reply = match old.map(|old| old.checked_add(by)) {
                    None => error("ERR value is not an integer or out of range"),
                    Some(None) => error("ERR increment or decrement would overflow"),
                    Some(Some(sum)) => {
                        entries.insert(key(k), (number(sum), expires_ms));
                        Value::Integer(sum)
                    }
                };
                (vec![text("INCRBY"), key(k), number(by)], reply)
            }
            Step::Append(k, tail) => {
                let (value, _) = entries.entry(key(k)).or_default();
                value.extend_from_slice(&tail);
                (vec![text("APPEND"), key(k), tail], integer(value.len()))
            }
            Step::SetRange(k, at, patch) => {
                let request = vec![text("SETRANGE"), key(k), number(at as i64), patch.clone()];
                if patch.is_empty() {
                    (request, integer(entries.get(&key(k)).map_or(0, |entry| entry.0.len())))
                } else {
                    let (value, _) = entries.entry(key(k)).or_default();
                    value.resize(value.len().max(at + patch.len()), 0);
                    value[at..at + patch.len()].copy_from_slice(&patch);
                    (request, integer(value.len()))
                }
            }
            Step::GetRange(k, start, end) => {
                let value = entries.get(&key(k)).map(|entry| entry.0.clone()).unwrap_or_default();
                let len = value.len() as i64;
                let from_start = |p: i64| if p < 0 { (p + len).max(0) } else { p };
                let in_order = start <= end || (start < 0) != (end < 0) || start >= 0;
                let inside = |p: i64| in_order && from_start(start) <= p && p <= from_start(end);
                let part = (0..len).filter(|p| inside(*p)).map(|p| value[p as usize]).collect();
                (vec![text("GETRANGE"), key(k), number(start), number(end)], Value::Bulk(part))
            }
            Step::MSetNx(a, b) => {
                let free = [a, b].iter().all(|k| !entries.contains_key(&key(*k)));
                if free {
                    entries.insert(key(a), (text("1"), None));
                    entries.insert(key(b), (text("2"), None));
                }
                (vec![text("MSETNX"), key(a), text("1"), key(b), text("2")], integer(usize::from(free)))
            }
            Step::PExpire(k, ms, condition) => {
                let mut request = vec![text("PEXPIRE"), key(k), number(ms)];
                request.extend((!condition.is_empty()).then(|| text(condition)));
                let new_ms = now_ms as i64 + ms;
                let Some((_, expires_ms)) = entries.get_mut(&key(k)) else {
                    return Some((request, integer(0)));
                };
                let old_ms = expires_ms.map(|ms| ms as i64);
                let allowed = match condition {
                    "NX" => old_ms.is_none(),
                    "XX" => old_ms.is_some(),
                    "GT" => new_ms > old_ms.unwrap_or(i64::MAX),
                    "LT" => new_ms < old_ms.unwrap_or(i64::MAX),
                    _ => true,
                };
                if allowed && ms <= 0 {
                    entries.remove(&key(k));
                } else if allowed {
                    *expires_ms = Some(new_ms as u64);
                }
                (request, integer(usize::from(allowed)))
            }
            Step::PTtl(k) => {
                let reply = match entries.get(&key(k)) {
                    None => -2,
                    Some((_, None)) => -1,
                    Some((_, Some(expires_ms))) => (expires_ms - now_ms) as i64,
                };
                (vec![text("PTTL"), key(k)], Value::Integer(reply))
            }
            Step::Persist(k) => {
                let taken = entries.get_mut(&key(k)).and_then(|entry| entry.1.take());
                (vec![text("PERSIST"), key(k)], integer(taken.iter().count()))
            }
            Step::Rename(a, b) => {
                let reply = match entries.remove(&key(a)) {
                    None => error("ERR no such key"),
                    Some(entry) => {
                        entries.insert(key(b), entry);
                        Value::Simple("OK".to_owned())
                    }
                };
                (vec![text("RENAME"), key(a), key(b)], reply)
            }
            Step::RenameNx(a, b) => {
                let reply = match entries.get(&key(a)).cloned() {
                    None => error("ERR no such key"),
                    Some(_) if entries.contains_key(&key(b)) => integer(0),
                    Some(entry) => {
                        entries.remove(&key(a));
                        entries.insert(key(b), entry);
                        integer(1)
                    }
                };
                (vec![text("RENAMENX"), key(a), key(b)], reply)
            }
            Step::Copy(a, b, replace) => {
                let mut request = vec![text("COPY"), key(a), key(b)];
                request.extend(replace.then(|| text("REPLACE")));
                let reply = match entries.get(&key(a)).cloned() {
                    _ if a == b => error("ERR source and destination objects are the same"),
                    Some(entry) if replace || !entries.contains_key(&key(b)) => {
                        entries.insert(key(b), entry);
                        integer(1)
                    }
                    _ => integer(0),
                };
                (request, reply)
            }
            Step::Keys => {
                let keys = entries.keys().map(|key| Value::Bulk(key.clone())).collect();
                (vec![text("KEYS"), text("*")], Value::Array(keys))
            }
            Step::FlushAll => {
                entries.clear();
                (vec![text("FLUSHALL")], Value::Simple("OK".to_owned()))
            }
        })
    }
}

fn sorted(mut value: Value) -> Value {
    if let Value::Array(values) = &mut value {
        values.sort_by_key(|value| format!("{value:?}"));
    }
    value
}

fn check_against_model<K: Keyspace>(keyspace: K, steps: &[Step]) -> Result<(), TestCaseError> {
    let mut local = Local::new(keyspace);
    let mut model = Model { entries: BTreeMap::new(), now_ms: local.now_ms };
    for step in steps {
        match model.step(step) {
            Some((request, reply)) => {
                prop_assert_eq!(sorted(local.request(&request)), sorted(reply), "{:?}", step);
            }
            None => local.now_ms = model.now_ms,
        }
        // What active expiry removes, nobody sees.
        local.keyspace.nth(0).expire_some(model.now_ms, 1);
        let volatile: usize = (0..local.keyspace.count()).map(|n| local.keyspace.nth(n).volatile()).sum();
        prop_assert!(
            volatile >= model.entries.values().filter(|entry| entry.1 >= Some(model.now_ms)).count()
        );
    }
    Ok(())
}

/// Walks with SCAN while other keys come and go; the keys that stay must all be seen, and none that never was.
fn check_scan(shards: usize, count: usize, changes: &[(bool, u8)]) -> Result<(), TestCaseError> {
    let mut local = Local::new(Shards::new(shards));
    let stay: BTreeSet<Vec<u8>> = (0..40).map(|n| format!("stay:{n}").into_bytes()).collect();
    let passing = |n: u8| format!("passing:{n}").into_bytes();
    // Keys that pass lie between those that stay.
    for (n, key) in stay.iter().enumerate() {
        local.request(&[b"SET", key.as_slice(), b"1"]);
        local.request(&[b"SET", passing(n as u8).as_slice(), b"1"]);
    }
    let mut changes = changes.iter();
    let (mut seen, mut cursor) = (BTreeSet::new(), b"0".to_vec());
    loop {
        let reply = local.request(&[b"SCAN", cursor.as_slice(), b"COUNT", count.to_string().as_bytes()]);
        let Value::Array(parts) = reply else { panic!("SCAN answers an array") };
        let [Value::Bulk(next), Value::Array(keys)] = &parts[..] else { panic!("of a cursor and keys") };
        seen.extend(keys.iter().map(|key| match key {
            Value::Bulk(key) => key.clone(),
            other => panic!("a key is a bulk string, found {other:?}"),
        }));
        cursor.clone_from(next);
        if cursor == b"0" {
            break;
        }
        for (adds, n) in changes.by_ref().take(5) {
            let key = passing(*n);
            match adds {
                true => local.request(&[b"SET", key.as_slice(), b"1"]),
                false => local.request(&[b"DEL", key.as_slice()]),
            };
        }
    }
    prop_assert!(stay.is_subset(&seen));
    prop_assert!(seen.iter().all(|key| stay.contains(key) || key.starts_with(b"passing:")));
    Ok(())
}

proptest! {
    #[test]
    fn one_store_does_what_the_model_does(steps in steps()) {
        check_against_model(Databases::default(), &steps)?;
    }

    #[test]
    fn several_stores_do_what_the_model_does(steps in steps()) {
        check_against_model(Shards::new(3), &steps)?;
    }

    #[test]
    fn scan_misses_no_key_that_stays(
        shards in 1usize..5,
        count in 1usize..20,
        changes in proptest::collection::vec((any::<bool>(), 0u8..60), 0..300),
    ) {
        check_scan(shards, count, &changes)?;
    }
}
