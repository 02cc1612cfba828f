//! Lists against a map of vectors.

use std::collections::BTreeMap;

use interleave::resp::Value;
use proptest::prelude::*;

use super::{
    Model, array, bulk_or_null, check, integer, key, member, members, number, ok, positions, request,
};

#[derive(Default)]
struct Lists(BTreeMap<String, Vec<String>>);

impl Model for Lists {
    fn reply(&mut self, words: &[&str]) -> Value {
        let key = words[1].to_owned();
        let mut list = self.0.remove(&key).unwrap_or_default();
        let was_there = !list.is_empty();
        let from_start = |index: &str, len: usize| {
            let index = number(index);
            usize::try_from(if index < 0 { index + len as i64 } else { index }).ok()
        };
        let reply = match words[0] {
            "LPUSH" | "RPUSH" | "LPUSHX" | "RPUSHX" => {
                if was_there || !words[0].ends_with('X') {
                    for word in &words[2..] {
                        let at = if words[0].starts_with('L') { 0 } else { list.len() };
                        list.insert(at, (*word).to_owned());
                    }
                }
                integer(list.len())
            }
            "LPOP" | "RPOP" => {
                let mut take = || match words[0] {
                    _ if list.is_empty() => None,
                    "LPOP" => Some(list.remove(0)),
                    _ => list.pop(),
                };
                match words.get(2) {
                    None => bulk_or_null(take()),
                    Some(_) if !was_there => Value::Null,
                    Some(count) => array((0..number(count)).map_while(|_| take())),
                }
            }
            "LLEN" => integer(list.len()),
            "LRANGE" => array(positions(words[2], words[3], list.len()).into_iter().map(|at| &list[at])),
            "LINDEX" => bulk_or_null(from_start(words[2], list.len()).and_then(|at| list.get(at))),
            "LSET" if !was_there => Value::Error("ERR no such key".to_owned()),
            "LSET" => match from_start(words[2], list.len()).and_then(|at| list.get_mut(at)) {
                Some(element) => {
                    *element = words[3].to_owned();
                    ok()
                }
                None => Value::Error("ERR index out of range".to_owned()),
            },
            "LINSERT" if !was_there => integer(0),
            "LINSERT" => match list.iter().position(|element| element == words[3]) {
                Some(at) => {
                    list.insert(at + usize::from(words[2] == "AFTER"), words[4].to_owned());
                    integer(list.len())
                }
                None => Value::Integer(-1),
            },
            "LREM" => {
                let count = number(words[2]);
                let mut equal: Vec<usize> = (0..list.len()).filter(|at| list[*at] == words[3]).collect();
                if count < 0 {
                    equal.reverse();
                }
                if count != 0 {
                    equal.truncate(count.unsigned_abs() as usize);
                }
                equal.sort_unstable();
                equal.iter().rev().for_each(|at| drop(list.remove(*at)));
                integer(equal.len())
            }
            "LTRIM" => {
                let kept = positions(words[2], words[3], list.len());
                list = kept.into_iter().map(|at| list[at].clone()).collect();
                ok()
            }
            "LPOS" => {
                let (rank, most) = (number(words[4]), number(words[6]) as usize);
                let mut at: Vec<usize> = (0..list.len()).collect();
                if rank < 0 {
                    at.reverse();
                }
                at.truncate(if most == 0 { usize::MAX } else { most });
                at.retain(|at| list[*at] == words[2]);
                let found = at.into_iter().skip(rank.unsigned_abs() as usize - 1);
                match words.get(8).map(|count| number(count) as usize) {
                    None => found.map(integer).next().unwrap_or(Value::Null),
                    Some(0) => Value::Array(found.map(integer).collect()),
                    Some(count) => Value::Array(found.take(count).map(integer).collect()),
                }
            }
            "LMOVE" => {
                let element = match words[3] {
                    _ if list.is_empty() => None,
                    "LEFT" => Some(list.remove(0)),
                    _ => list.pop(),
                };
                if let Some(element) = element.clone() {
                    let to = match words[2] == key {
                        true => &mut list,
                        false => self.0.entry(words[2].to_owned()).or_default(),
                    };
                    to.insert(if words[4] == "LEFT" { 0 } else { to.len() }, element);
                }
                bulk_or_null(element)
            }
            other => unreachable!("{other}"),
        };
        if !list.is_empty() {
            self.0.insert(key, list);
        }
        reply
    }
}

fn requests() -> impl Strategy<Value = Vec<Vec<String>>> {
    let end = || prop_oneof![Just("LEFT"), Just("RIGHT")];
    let count = || prop_oneof![Just(String::new()), (0..4).prop_map(|count: i32| count.to_string())];
    let push = prop_oneof![Just("LPUSH"), Just("RPUSH"), Just("LPUSHX"), Just("RPUSHX")];
    let side = prop_oneof![Just("BEFORE"), Just("AFTER")];
    let rank = prop_oneof![1i64..3, -3i64..-1];
    let request = prop_oneof![
        4 => (push, key(), members()).prop_map(|(push, key, members)| request![push, key, members]),
        2 => (prop_oneof![Just("LPOP"), Just("RPOP")], key(), count()).prop_map(|(pop, key, count)| request![pop, key, count]),
        1 => key().prop_map(|key| request!["LLEN", key]),
        2 => (key(), -8i64..8, -8i64..8).prop_map(|(key, start, stop)| request!["LRANGE", key, start, stop]),
        1 => (key(), -8i64..8).prop_map(|(key, index)| request!["LINDEX", key, index]),
        1 => (key(), -8i64..8, member()).prop_map(|(key, index, member)| request!["LSET", key, index, member]),
        1 => (key(), side, member(), member()).prop_map(|(key, side, pivot, new)| request!["LINSERT", key, side, pivot, new]),
        1 => (key(), -3i64..3, member()).prop_map(|(key, count, member)| request!["LREM", key, count, member]),
        1 => (key(), -8i64..8, -8i64..8).prop_map(|(key, start, stop)| request!["LTRIM", key, start, stop]),
        1 => (key(), member(), rank, 0i64..6, count()).prop_map(|(key, member, rank, most, count)| {
            let count = if count.is_empty() { count } else { format!("COUNT {count}") };
            request!["LPOS", key, member, "RANK", rank, "MAXLEN", most, count]
        }),
        2 => (key(), key(), end(), end()).prop_map(|(from, to, take, put)| request!["LMOVE", from, to, take, put]),
    ];
    proptest::collection::vec(request, 1..80)
}

proptest! {
    #[test]
    fn lists_do_what_the_model_does(requests in requests()) {
        check::<Lists>(&requests)?;
    }
}

#[test]
fn long_lists_do_what_the_model_does() {
    // Past every bound of a row.
    let element = |number: usize| "e".repeat(number % 150) + &number.to_string();
    let push = |number: usize| {
        request![if number.is_multiple_of(3) { "LPUSH" } else { "RPUSH" }, "a", element(number)]
    };
    let mut requests: Vec<Vec<String>> = (0..2_000).map(push).collect();
    for number in 0..300 {
        requests.push(request!["LINSERT", "a", "BEFORE", element(number * 6 + 1), "new"]);
        requests.push(request!["LINDEX", "a", number * 7]);
        requests.push(request!["LSET", "a", number * 5, "f".repeat(number * 30 + 1)]);
    }
    requests.extend([
        request!["LREM", "a", -20, "new"],
        request!["LTRIM", "a", 500, -300],
        request!["LRANGE", "a", 0, -1],
    ]);
    check::<Lists>(&requests).unwrap();
}
