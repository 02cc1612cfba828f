//! Hashes against a map of maps.

use std::collections::BTreeMap;

use interleave::resp::Value;
use proptest::prelude::*;

use super::{Model, array, bulk, bulk_or_null, check, integer, key, member, members, ok, request};

#[derive(Default)]
struct Hashes(BTreeMap<String, BTreeMap<String, String>>);

impl Model for Hashes {
    fn reply(&mut self, words: &[&str]) -> Value {
        let key = words[1].to_owned();
        let mut hash = self.0.remove(&key).unwrap_or_default();
        let set = |hash: &mut BTreeMap<_, _>, field: &str, value: &str| {
            integer(usize::from(hash.insert(field.to_owned(), value.to_owned()).is_none()))
        };
        let reply = match words[0] {
            "HSET" | "HMSET" => {
                let before = hash.len();
                for pair in words[2..].chunks(2) {
                    set(&mut hash, pair[0], pair[1]);
                }
                if words[0] == "HMSET" { ok() } else { integer(hash.len() - before) }
            }
            "HSETNX" if hash.contains_key(words[2]) => integer(0),
            "HSETNX" => set(&mut hash, words[2], words[3]),
            "HGET" => bulk_or_null(hash.get(words[2])),
            "HMGET" => Value::Array(words[2..].iter().map(|field| bulk_or_null(hash.get(*field))).collect()),
            "HDEL" => {
                let before = hash.len();
                hash.retain(|field, _| !words[2..].contains(&field.as_str()));
                integer(before - hash.len())
            }
            "HLEN" => integer(hash.len()),
            "HEXISTS" => integer(usize::from(hash.contains_key(words[2]))),
            "HSTRLEN" => integer(hash.get(words[2]).map_or(0, String::len)),
            "HKEYS" => array(hash.keys()),
            "HVALS" => array(hash.values()),
            "HGETALL" => {
                Value::Array(hash.iter().flat_map(|(field, value)| [bulk(field), bulk(value)]).collect())
            }
            "HSCAN" => {
                let all = hash.iter().flat_map(|(field, value)| [bulk(field), bulk(value)]);
                Value::Array(vec![bulk("0"), Value::Array(all.collect())])
            }
            "HINCRBY" => match hash.get(words[2]).map_or(Some(0), |old| old.parse::<i64>().ok()) {
                Some(old) => {
                    let sum = old + words[3].parse::<i64>().expect("a number");
                    set(&mut hash, words[2], &sum.to_string());
                    Value::Integer(sum)
                }
                None => Value::Error("ERR hash value is not an integer".to_owned()),
            },
            other => unreachable!("{other}"),
        };
        if !hash.is_empty() {
            self.0.insert(key, hash);
        }
        reply
    }

    fn is_unordered(word: &str) -> bool {
        matches!(word, "HKEYS" | "HVALS" | "HGETALL" | "HSCAN")
    }
}

fn requests() -> impl Strategy<Value = Vec<Vec<String>>> {
    let pairs = proptest::collection::vec((member(), member()), 1..4)
        .prop_map(|pairs| pairs.iter().map(|(field, value)| format!("{field} {value} ")).collect::<String>());
    let of_field = prop_oneof![Just("HGET"), Just("HEXISTS"), Just("HSTRLEN")];
    let of_all = prop_oneof![Just("HLEN"), Just("HKEYS"), Just("HVALS"), Just("HGETALL")];
    let request = prop_oneof![
        3 => (prop_oneof![Just("HSET"), Just("HMSET")], key(), pairs).prop_map(|(set, key, pairs)| request![set, key, pairs]),
        1 => (key(), member(), member()).prop_map(|(key, field, value)| request!["HSETNX", key, field, value]),
        2 => (of_field, key(), member()).prop_map(|(of_field, key, field)| request![of_field, key, field]),
        2 => (prop_oneof![Just("HMGET"), Just("HDEL")], key(), members()).prop_map(|(name, key, fields)| request![name, key, fields]),
        2 => (of_all, key()).prop_map(|(of_all, key)| request![of_all, key]),
        1 => key().prop_map(|key| request!["HSCAN", key, "0", "COUNT", 1_000]),
        1 => (key(), member(), -9i64..9).prop_map(|(key, field, by)| request!["HINCRBY", key, field, by]),
    ];
    proptest::collection::vec(request, 1..80)
}

proptest! {
    #[test]
    fn hashes_do_what_the_model_does(requests in requests()) {
        check::<Hashes>(&requests)?;
    }
}

#[test]
fn large_hashes_do_what_the_model_does() {
    let mut requests: Vec<_> =
        (0..500).map(|n| request!["HSET", "a", format!("f{}", n * 7 % 400), n]).collect();
    requests.extend((0..300).map(|n| request!["HDEL", "a", format!("f{}", n * 3)]));
    requests.extend([request!["HGETALL", "a"], request!["HLEN", "a"], request!["HGET", "a", "f1"]]);
    check::<Hashes>(&requests).unwrap();
}
