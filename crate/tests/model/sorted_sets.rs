//! Sorted sets against a map of maps, sorted whenever somebody asks.

use std::collections::BTreeMap;

use interleave::resp::Value;
use proptest::prelude::*;

use super::{Model, bulk, bulk_or_null, check, integer, key, member, members, number, positions, request};

/// Scores are small whole numbers, which print as integers and add up exactly; weights are above 0, for there is no
/// minus zero among these.
type Scores = BTreeMap<String, i64>;

#[derive(Default)]
struct SortedSets(BTreeMap<String, Scores>);

impl SortedSets {
    fn get(&self, key: &str) -> Scores {
        self.0.get(key).cloned().unwrap_or_default()
    }

    fn put(&mut self, key: &str, set: Scores) {
        self.0.insert(key.to_owned(), set);
        self.0.retain(|_, set| !set.is_empty());
    }

    /// The members in order.
    fn ordered(&self, key: &str) -> Vec<(i64, String)> {
        let mut members: Vec<_> = self.get(key).into_iter().map(|(member, score)| (score, member)).collect();
        members.sort();
        members
    }

    /// Those of them that a range is made of, and whether the last one is asked for first.
    fn range(&self, key: &str, words: &[&str]) -> Vec<(i64, String)> {
        let has = |word: &str| words.contains(&word);
        let mut members = self.ordered(key);
        let (mut min, mut max) = (words[0], words[1]);
        if has("REV") {
            members.reverse();
            if has("BYSCORE") || has("BYLEX") {
                (min, max) = (max, min);
            }
        }
        if has("BYSCORE") {
            members.retain(|(score, _)| match min.strip_prefix('(') {
                Some(min) => *score > number(min),
                None => *score >= number(min),
            });
            members.retain(|(score, _)| match max.strip_prefix('(') {
                Some(max) => *score < number(max),
                None => *score <= number(max),
            });
        } else if has("BYLEX") {
            members.retain(|(_, member)| match min.split_at(1) {
                ("(", min) => &member[..] > min,
                ("[", min) => &member[..] >= min,
                (end, _) => end == "-",
            });
            members.retain(|(_, member)| match max.split_at(1) {
                ("(", max) => &member[..] < max,
                ("[", max) => &member[..] <= max,
                (end, _) => end == "+",
            });
        } else {
            members = positions(min, max, members.len()).into_iter().map(|at| members[at].clone()).collect();
        }
        if let Some(at) = words.iter().position(|word| *word == "LIMIT") {
            let (offset, count) = (number(words[at + 1]) as usize, number(words[at + 2]));
            members = members.into_iter().skip(offset).collect();
            members.truncate(usize::try_from(count).unwrap_or(usize::MAX));
        }
        members
    }

    /// What ZUNION, ZINTER and ZDIFF of two keys come to.
    fn together(&self, name: &str, words: &[&str]) -> Scores {
        let [mut first, mut second] = [self.get(words[0]), self.get(words[1])];
        if let Some(at) = words.iter().position(|word| *word == "WEIGHTS") {
            first.values_mut().for_each(|score| *score *= number(words[at + 1]));
            second.values_mut().for_each(|score| *score *= number(words[at + 2]));
        }
        let aggregate = |a: i64, b: i64| match words.last() {
            Some(&"MIN") => a.min(b),
            Some(&"MAX") => a.max(b),
            _ => a + b,
        };
        match &name[..5] {
            "ZDIFF" => first.retain(|member, _| !second.contains_key(member)),
            "ZINTE" => {
                first.retain(|member, _| second.contains_key(member));
                first.iter_mut().for_each(|(member, score)| *score = aggregate(*score, second[member]));
            }
            _ => {
                for (member, score) in second {
                    first.entry(member).and_modify(|old| *old = aggregate(*old, score)).or_insert(score);
                }
            }
        }
        first
    }
}

fn write(members: impl IntoIterator<Item = (i64, String)>, with_scores: bool) -> Value {
    let mut values = Vec::new();
    for (score, member) in members {
        values.push(bulk(member));
        if with_scores {
            values.push(bulk(score.to_string()));
        }
    }
    Value::Array(values)
}

impl Model for SortedSets {
    fn reply(&mut self, words: &[&str]) -> Value {
        let key = words[1];
        let mut set = self.get(key);
        match words[0] {
            "ZADD" => {
                let options: Vec<&str> =
                    words[2..].iter().copied().take_while(|word| word.parse::<i64>().is_err()).collect();
                let has = |option: &str| options.contains(&option);
                let (mut added, mut changed, mut last) = (0, 0, None);
                for pair in words[2 + options.len()..].chunks(2) {
                    let (mut score, old) = (number(pair[0]), set.get(pair[1]).copied());
                    if has("INCR") {
                        score += old.unwrap_or(0);
                    }
                    let refused = match old {
                        Some(old) => has("NX") || has("GT") && score <= old || has("LT") && score >= old,
                        None => has("XX"),
                    };
                    if !refused {
                        set.insert(pair[1].to_owned(), score);
                        added += usize::from(old.is_none());
                        changed += usize::from(old != Some(score));
                        last = Some(score);
                    }
                }
                self.put(key, set);
                match () {
                    () if has("INCR") => bulk_or_null(last.map(|score| score.to_string())),
                    () if has("CH") => integer(changed),
                    () => integer(added),
                }
            }
            "ZREM" => {
                let removed = words[2..].iter().filter(|member| set.remove(**member).is_some()).count();
                self.put(key, set);
                integer(removed)
            }
            "ZCARD" => integer(set.len()),
            "ZSCORE" => bulk_or_null(set.get(words[2]).map(i64::to_string)),
            "ZMSCORE" => {
                let scores =
                    words[2..].iter().map(|member| bulk_or_null(set.get(*member).map(i64::to_string)));
                Value::Array(scores.collect())
            }
            "ZRANK" | "ZREVRANK" => {
                let mut members = self.ordered(key);
                if words[0] == "ZREVRANK" {
                    members.reverse();
                }
                members.iter().position(|(_, member)| member == words[2]).map_or(Value::Null, integer)
            }
            "ZRANGE" => write(self.range(key, &words[2..]), words.contains(&"WITHSCORES")),
            "ZRANGESTORE" => {
                let kept = self.range(words[2], &words[3..]);
                let len = kept.len();
                self.put(key, kept.into_iter().map(|(score, member)| (member, score)).collect());
                integer(len)
            }
            "ZCOUNT" | "ZLEXCOUNT" | "ZREMRANGEBYRANK" | "ZREMRANGEBYSCORE" | "ZREMRANGEBYLEX" => {
                let by = match words[0] {
                    "ZCOUNT" | "ZREMRANGEBYSCORE" => "BYSCORE",
                    "ZREMRANGEBYRANK" => "",
                    _ => "BYLEX",
                };
                let found = self.range(key, &[words[2], words[3], by]);
                if words[0].starts_with("ZREM") {
                    found
                        .iter()
                        .for_each(|(_, member)| drop(set.remove(member).map(|score| score.to_string())));
                    self.put(key, set);
                }
                integer(found.len())
            }
            "ZPOPMIN" | "ZPOPMAX" => {
                let mut members = self.ordered(key);
                if words[0] == "ZPOPMAX" {
                    members.reverse();
                }
                members.truncate(number(words[2]) as usize);
                set.retain(|member, _| !members.iter().any(|(_, taken)| taken == member));
                self.put(key, set);
                write(members, true)
            }
            "ZUNION" | "ZINTER" | "ZDIFF" => {
                let with_scores = words[4] == "WITHSCORES";
                let mut found: Vec<_> =
                    self.together(words[0], &words[2..]).into_iter().map(|(m, s)| (s, m)).collect();
                found.sort();
                write(found, with_scores)
            }
            "ZUNIONSTORE" | "ZINTERSTORE" | "ZDIFFSTORE" => {
                let found = self.together(words[0], &words[3..]);
                let len = found.len();
                self.put(key, found);
                integer(len)
            }
            "ZINTERCARD" => integer(self.together("ZINTER", &words[2..]).len()),
            "ZSCAN" => Value::Array(vec![bulk("0"), write(self.ordered(key), true)]),
            other => unreachable!("{other}"),
        }
    }

    fn is_unordered(word: &str) -> bool {
        word == "ZSCAN"
    }
}

fn score() -> impl Strategy<Value = String> + Clone {
    (-9i64..10).prop_map(|score| score.to_string())
}

fn score_end() -> impl Strategy<Value = String> + Clone {
    (any::<bool>(), score()).prop_map(|(is_open, score)| if is_open { format!("({score}") } else { score })
}

fn lex_end() -> impl Strategy<Value = String> + Clone {
    prop_oneof![Just("-".to_owned()), Just("+".to_owned()), "[\\[(][a-e]", "[\\[(][1-5]"]
}

fn limit() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(String::new()),
        (0..4, -1..4).prop_map(|(offset, count): (i32, i32)| format!("LIMIT {offset} {count}"))
    ]
}

fn maybe(word: &'static str) -> impl Strategy<Value = &'static str> + Clone {
    prop_oneof![Just(""), Just(word)]
}

fn requests() -> impl Strategy<Value = Vec<Vec<String>>> {
    let scored = proptest::collection::vec((score(), member()), 1..5).prop_map(|pairs| {
        pairs.iter().map(|(score, member)| format!("{score} {member} ")).collect::<String>()
    });
    let condition =
        prop_oneof![Just(""), Just("NX"), Just("XX"), Just("GT"), Just("LT"), Just("XX GT"), Just("XX LT")];
    let rank = || -6i64..7;
    let of_member = prop_oneof![Just("ZSCORE"), Just("ZRANK"), Just("ZREVRANK")];
    let of_members = prop_oneof![Just("ZREM"), Just("ZMSCORE")];
    let of_all = prop_oneof![Just("ZCARD"), Just("ZSCAN")];
    let pop = prop_oneof![Just("ZPOPMIN"), Just("ZPOPMAX")];
    let options =
        (proptest::option::of((1..4, 1..4)), prop_oneof![Just(""), Just("SUM"), Just("MIN"), Just("MAX")])
            .prop_map(|(weights, aggregate): (Option<(i32, i32)>, _)| {
                let weights = weights.map(|(a, b)| format!("WEIGHTS {a} {b} ")).unwrap_or_default();
                let aggregate =
                    if aggregate.is_empty() { String::new() } else { format!("AGGREGATE {aggregate}") };
                weights + &aggregate
            });
    let algebra = || prop_oneof![Just("ZUNION"), Just("ZINTER")];
    let request = prop_oneof![
        3 => (key(), condition.clone(), maybe("CH"), scored)
            .prop_map(|(key, condition, ch, scored)| request!["ZADD", key, condition, ch, scored]),
        2 => (key(), condition, score(), member())
            .prop_map(|(key, condition, score, member)| request!["ZADD", key, condition, "INCR", score, member]),
        2 => (of_member, key(), member()).prop_map(|(name, key, member)| request![name, key, member]),
        2 => (of_members, key(), members()).prop_map(|(name, key, members)| request![name, key, members]),
        1 => (of_all, key()).prop_map(|(name, key)| request![name, key, if name == "ZSCAN" { "0 COUNT 1000" } else { "" }]),
        2 => (key(), rank(), rank(), maybe("REV"), maybe("WITHSCORES"))
            .prop_map(|(key, start, stop, rev, scores)| request!["ZRANGE", key, start, stop, rev, scores]),
        2 => (key(), score_end(), score_end(), maybe("REV"), limit(), maybe("WITHSCORES")).prop_map(
            |(key, min, max, rev, limit, scores)| request!["ZRANGE", key, min, max, "BYSCORE", rev, limit, scores]),
        1 => (key(), key(), score_end(), score_end(), maybe("REV"), limit()).prop_map(
            |(to, key, min, max, rev, limit)| request!["ZRANGESTORE", to, key, min, max, "BYSCORE", rev, limit]),
        1 => (prop_oneof![Just("ZCOUNT"), Just("ZREMRANGEBYSCORE")], key(), score_end(), score_end())
            .prop_map(|(name, key, min, max)| request![name, key, min, max]),
        1 => (key(), rank(), rank()).prop_map(|(key, start, stop)| request!["ZREMRANGEBYRANK", key, start, stop]),
        1 => (pop, key(), 0i64..4).prop_map(|(pop, key, count)| request![pop, key, count]),
        1 => (algebra(), key(), key(), options.clone())
            .prop_map(|(name, a, b, options)| request![name, 2, a, b, "WITHSCORES", options]),
        1 => (algebra(), key(), key(), key(), options)
            .prop_map(|(name, to, a, b, options)| request![format!("{name}STORE"), to, 2, a, b, options]),
        1 => (key(), key(), key()).prop_map(|(to, a, b)| request!["ZDIFFSTORE", to, 2, a, b]),
        1 => (key(), key()).prop_map(|(a, b)| request!["ZDIFF", 2, a, b, "WITHSCORES"]),
        1 => (key(), key()).prop_map(|(a, b)| request!["ZINTERCARD", 2, a, b]),
    ];
    proptest::collection::vec(request, 1..80)
}

/// Members by name: all scores are the same.
fn requests_by_name() -> impl Strategy<Value = Vec<Vec<String>>> {
    let request = prop_oneof![
        2 => (key(), member()).prop_map(|(key, member)| request!["ZADD", key, 0, member]),
        1 => (key(), lex_end(), lex_end(), maybe("REV"), limit())
            .prop_map(|(key, min, max, rev, limit)| request!["ZRANGE", key, min, max, "BYLEX", rev, limit]),
        1 => (prop_oneof![Just("ZLEXCOUNT"), Just("ZREMRANGEBYLEX")], key(), lex_end(), lex_end())
            .prop_map(|(name, key, min, max)| request![name, key, min, max]),
    ];
    proptest::collection::vec(request, 1..80)
}

proptest! {
    #[test]
    fn sorted_sets_do_what_the_model_does(requests in requests()) {
        check::<SortedSets>(&requests)?;
    }

    #[test]
    fn ranges_by_name_are_those_of_the_model(requests in requests_by_name()) {
        check::<SortedSets>(&requests)?;
    }
}

#[test]
fn large_sorted_sets_do_what_the_model_does() {
    let mut requests: Vec<_> =
        (0..2_000).map(|n| request!["ZADD", "a", n * 7919 % 500, format!("m{n}")]).collect();
    requests.extend((0..100).map(|n| request!["ZREM", "a", format!("m{}", n * 11)]));
    requests.extend((0..100).map(|n| request!["ZRANK", "a", format!("m{}", n * 13)]));
    requests
        .extend([request!["ZREMRANGEBYRANK", "a", 100, 700], request!["ZREMRANGEBYSCORE", "a", 300, 310]]);
    requests.extend([request!["ZRANGE", "a", 0, -1, "WITHSCORES"], request!["ZRANGE", "a", 10, 600, "REV"]]);
    requests
        .extend([request!["ZRANGE", "a", 0, 100, "BYSCORE", "LIMIT", 10, 50], request!["ZPOPMAX", "a", 500]]);
    requests.extend([request!["ZCOUNT", "a", "(5", 200], request!["ZCARD", "a"]]);
    check::<SortedSets>(&requests).unwrap();
}
