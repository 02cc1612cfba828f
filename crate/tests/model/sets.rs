//! Sets against a map of sets.

use std::collections::{BTreeMap, BTreeSet};

use interleave::resp::Value;
use proptest::prelude::*;

use super::{Model, array, bulk, check, integer, key, member, members, number, request};

#[derive(Default)]
struct Sets(BTreeMap<String, BTreeSet<String>>);

impl Sets {
    fn get(&self, key: &str) -> BTreeSet<String> {
        self.0.get(key).cloned().unwrap_or_default()
    }

    fn put(&mut self, key: &str, set: BTreeSet<String>) {
        self.0.insert(key.to_owned(), set);
        self.0.retain(|_, set| !set.is_empty());
    }

    /// What SINTER, SUNION and SDIFF come to.
    fn together(&self, name: &str, keys: &[&str]) -> BTreeSet<String> {
        let mut found = self.get(keys[0]);
        for key in &keys[1..] {
            let other = self.get(key);
            found = match &name[..5] {
                "SINTE" => found.intersection(&other).cloned().collect(),
                "SUNIO" => found.union(&other).cloned().collect(),
                _ => found.difference(&other).cloned().collect(),
            };
        }
        found
    }
}

impl Model for Sets {
    fn reply(&mut self, words: &[&str]) -> Value {
        let mut set = self.get(words[1]);
        match words[0] {
            "SADD" => {
                let added = words[2..].iter().filter(|member| set.insert((**member).to_owned())).count();
                self.put(words[1], set);
                integer(added)
            }
            "SREM" => {
                let removed = words[2..].iter().filter(|member| set.remove(**member)).count();
                self.put(words[1], set);
                integer(removed)
            }
            "SMEMBERS" => array(set),
            "SSCAN" => Value::Array(vec![bulk("0"), array(set)]),
            "SCARD" => integer(set.len()),
            "SISMEMBER" => integer(usize::from(set.contains(words[2]))),
            "SMISMEMBER" => Value::Array(
                words[2..].iter().map(|member| integer(usize::from(set.contains(*member)))).collect(),
            ),
            "SMOVE" => {
                let moved = set.remove(words[3]);
                if moved {
                    self.put(words[1], set);
                    let mut to = self.get(words[2]);
                    to.insert(words[3].to_owned());
                    self.put(words[2], to);
                }
                integer(usize::from(moved))
            }
            "SINTER" | "SUNION" | "SDIFF" => array(self.together(words[0], &words[1..])),
            "SINTERSTORE" | "SUNIONSTORE" | "SDIFFSTORE" => {
                let found = self.together(words[0], &words[2..]);
                let len = found.len();
                self.put(words[1], found);
                integer(len)
            }
            "SINTERCARD" => {
                let found = self.together("SINTER", &words[2..4]).len();
                let limit = number(words[5]) as usize;
                integer(if limit == 0 { found } else { found.min(limit) })
            }
            // All of a set is no choice.
            "SPOP" => {
                self.put(words[1], BTreeSet::new());
                array(set)
            }
            "SRANDMEMBER" => array(set),
            other => unreachable!("{other}"),
        }
    }

    fn is_unordered(word: &str) -> bool {
        !word.starts_with("SMIS")
    }
}

fn requests() -> impl Strategy<Value = Vec<Vec<String>>> {
    let algebra = || prop_oneof![Just("SINTER"), Just("SUNION"), Just("SDIFF")];
    let keys = || proptest::collection::vec(key(), 1..4).prop_map(|keys| keys.join(" "));
    let of_all = prop_oneof![Just("SMEMBERS"), Just("SCARD")];
    let integers = proptest::collection::vec(0..9, 1..5)
        .prop_map(|members| members.iter().map(|member: &i32| format!("{member} ")).collect::<String>());
    let request = prop_oneof![
        3 => (key(), members()).prop_map(|(key, members)| request!["SADD", key, members]),
        2 => (key(), integers).prop_map(|(key, members)| request!["SADD", key, members]),
        2 => (key(), members()).prop_map(|(key, members)| request!["SREM", key, members]),
        1 => (key(), members()).prop_map(|(key, members)| request!["SMISMEMBER", key, members]),
        1 => (key(), member()).prop_map(|(key, member)| request!["SISMEMBER", key, member]),
        2 => (of_all, key()).prop_map(|(of_all, key)| request![of_all, key]),
        1 => key().prop_map(|key| request!["SSCAN", key, "0", "COUNT", 1_000]),
        2 => (key(), key(), member()).prop_map(|(from, to, member)| request!["SMOVE", from, to, member]),
        2 => (algebra(), keys()).prop_map(|(name, keys)| request![name, keys]),
        2 => (algebra(), key(), keys()).prop_map(|(name, to, keys)| request![format!("{name}STORE"), to, keys]),
        1 => (key(), key(), 0i64..4).prop_map(|(a, b, limit)| request!["SINTERCARD", 2, a, b, "LIMIT", limit]),
        1 => (prop_oneof![Just("SPOP"), Just("SRANDMEMBER")], key()).prop_map(|(name, key)| request![name, key, 1_000]),
    ];
    proptest::collection::vec(request, 1..80)
}

proptest! {
    #[test]
    fn sets_do_what_the_model_does(requests in requests()) {
        check::<Sets>(&requests)?;
    }
}

#[test]
fn large_sets_do_what_the_model_does() {
    // Integers up to where they become a table, and words up to there.
    let mut requests: Vec<_> = (0..700).map(|n| request!["SADD", "a", n * 31 % 600]).collect();
    requests.extend((0..200).map(|n| request!["SADD", "b", format!("m{n}"), n * 5]));
    requests.extend((0..300).map(|n| request!["SREM", "a", n * 3]));
    requests.extend([
        request!["SMEMBERS", "a"],
        request!["SINTER", "a", "b"],
        request!["SUNIONSTORE", "c", "a", "b"],
    ]);
    requests.extend([request!["SMEMBERS", "c"], request!["SDIFF", "c", "b"], request!["SPOP", "c", 10_000]]);
    check::<Sets>(&requests).unwrap();
}
