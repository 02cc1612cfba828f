//! Streams against sorted maps: one of entries, one of groups, and what is pending in one map a group, searched whenever
//! somebody asks.

use std::collections::{BTreeMap, BTreeSet};

use interleave::resp::Value;
use proptest::prelude::*;

use super::{Model, array, bulk, check, integer, key, member, number, ok, request};

type Id = (u64, u64);
type Fields = Vec<String>;

#[derive(Default)]
struct Streams(BTreeMap<String, Stream>);

#[derive(Default)]
struct Stream {
    entries: BTreeMap<Id, Fields>,
    last: Id,
    groups: BTreeMap<String, Group>,
}

#[derive(Default)]
struct Group {
    last: Id,
    consumers: BTreeSet<String>,
    /// Whose, and how often delivered.
    pending: BTreeMap<Id, (String, i64)>,
}

/// `5`, `5-7`; the ends of a range are written out.
fn id(text: &str) -> Id {
    let (ms, seq) = text.split_once('-').unwrap_or((text, "0"));
    (number(ms) as u64, number(seq) as u64)
}

fn text((ms, seq): Id) -> Value {
    bulk(format!("{ms}-{seq}"))
}

fn entry(id: Id, fields: &Fields) -> Value {
    Value::Array(vec![text(id), array(fields)])
}

fn error(text: &str) -> Value {
    Value::Error(text.to_owned())
}

/// The number after COUNT, if there is one above 0.
fn count(words: &[&str]) -> usize {
    let at = words.iter().position(|word| *word == "COUNT");
    at.map(|at| number(words[at + 1]) as usize).filter(|count| *count > 0).unwrap_or(usize::MAX)
}

impl Stream {
    fn trim(&mut self, words: &[&str]) -> usize {
        let before = self.entries.len();
        match words.first() {
            Some(&"MAXLEN") => {
                let extra = before.saturating_sub(number(words[1]) as usize);
                self.entries = std::mem::take(&mut self.entries).into_iter().skip(extra).collect();
            }
            Some(&"MINID") => self.entries.retain(|other, _| *other >= id(words[1])),
            _ => {}
        }
        before - self.entries.len()
    }

    fn after(&self, last: Id, count: usize) -> Vec<(Id, Fields)> {
        let after = self.entries.iter().filter(|(id, _)| **id > last).take(count);
        after.map(|(id, fields)| (*id, fields.clone())).collect()
    }

    /// Claims an entry; what is answered for it.
    fn claim(&mut self, group: &str, consumer: &str, wanted: Id, words: &[&str]) -> Option<Value> {
        let group = self.groups.get_mut(group)?;
        let Some(fields) = self.entries.get(&wanted) else {
            group.pending.remove(&wanted);
            return None;
        };
        let (just_id, old) = (words.contains(&"JUSTID"), group.pending.get(&wanted).map(|(_, often)| *often));
        let often = old.or(words.contains(&"FORCE").then_some(1))?;
        group.consumers.insert(consumer.to_owned());
        group.pending.insert(wanted, (consumer.to_owned(), often + i64::from(!just_id)));
        Some(if just_id { text(wanted) } else { entry(wanted, fields) })
    }
}

impl Group {
    fn pending_of(&self, consumer: &str) -> Vec<Id> {
        self.pending.iter().filter(|(_, (whose, _))| whose == consumer).map(|(id, _)| *id).collect()
    }
}

impl Streams {
    fn xadd(&mut self, words: &[&str]) -> Value {
        let trim = if words[2].starts_with("M") { &words[2..4] } else { &[] };
        let at = 2 + trim.len();
        let old = self.0.get(words[1]).map_or((0, 0), |stream| stream.last);
        let new = match words[at].strip_suffix("-*") {
            Some(ms) if number(ms) as u64 == old.0 => (old.0, old.1 + 1),
            Some(ms) => (number(ms) as u64, 0),
            None => id(words[at]),
        };
        if words[at] == "0-0" {
            return error("ERR The ID specified in XADD must be greater than 0-0");
        }
        if new <= old {
            return error("ERR The ID specified in XADD is equal or smaller than the target stream top item");
        }
        let stream = self.0.entry(words[1].to_owned()).or_default();
        stream.entries.insert(new, words[at + 1..].iter().map(|word| (*word).to_owned()).collect());
        stream.last = new;
        stream.trim(trim);
        text(new)
    }

    fn xgroup(&mut self, words: &[&str]) -> Value {
        let (key, name) = (words[2], words[3]);
        let Some(stream) = self.0.get_mut(key) else {
            return error(
                "ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use the \
                 MKSTREAM option to create an empty stream automatically.",
            );
        };
        let last = stream.last;
        let place = || if words[4] == "$" { last } else { id(words[4]) };
        match words[1] {
            "CREATE" if stream.groups.contains_key(name) => {
                error("BUSYGROUP Consumer Group name already exists")
            }
            "CREATE" => {
                stream.groups.insert(name.to_owned(), Group { last: place(), ..Group::default() });
                ok()
            }
            "DESTROY" => integer(usize::from(stream.groups.remove(name).is_some())),
            other => {
                let Some(group) = stream.groups.get_mut(name) else {
                    return error(&format!("NOGROUP No such consumer group '{name}' for key name '{key}'"));
                };
                if other == "SETID" {
                    group.last = place();
                    return ok();
                }
                let pending = group.pending_of(words[4]);
                pending.iter().for_each(|id| drop(group.pending.remove(id)));
                group.consumers.remove(words[4]);
                integer(pending.len())
            }
        }
    }

    fn xreadgroup(&mut self, words: &[&str]) -> Value {
        let (name, consumer, key, from) =
            (words[2], words[3], words[words.len() - 2], words[words.len() - 1]);
        let stream = self.0.get_mut(key);
        let Some(stream) = stream.filter(|stream| stream.groups.contains_key(name)) else {
            return error(&format!(
                "NOGROUP No such key '{key}' or consumer group '{name}' in XREADGROUP with GROUP option"
            ));
        };
        let mut found = Vec::new();
        if from == ">" {
            let new = stream.after(stream.groups[name].last, count(words));
            if new.is_empty() {
                return Value::Null;
            }
            let group = stream.groups.get_mut(name).expect("looked up above");
            for (id, fields) in new {
                group.last = id;
                if !words.contains(&"NOACK") {
                    group.pending.insert(id, (consumer.to_owned(), 1));
                }
                found.push(entry(id, &fields));
            }
        } else {
            let group = stream.groups.get_mut(name).expect("looked up above");
            let after = group.pending_of(consumer).into_iter().filter(|other| *other > id(from));
            for id in after.take(count(words)) {
                match stream.entries.get(&id) {
                    Some(fields) => {
                        found.push(entry(id, fields));
                        group.pending.entry(id).and_modify(|(_, often)| *often += 1);
                    }
                    None => found.push(Value::Array(vec![text(id), Value::Null])),
                }
            }
        }
        let group = stream.groups.get_mut(name).expect("looked up above");
        group.consumers.insert(consumer.to_owned());
        Value::Array(vec![Value::Array(vec![bulk(key), Value::Array(found)])])
    }

    fn xpending(&self, group: &Group, words: &[&str]) -> Value {
        let pending = &group.pending;
        if words.len() == 3 {
            let (Some(first), Some(last)) = (pending.keys().next(), pending.keys().next_back()) else {
                return Value::Array(vec![integer(0), Value::Null, Value::Null, Value::Null]);
            };
            let busy = group.consumers.iter().map(|name| (name, group.pending_of(name).len()));
            let busy = busy.filter(|(_, len)| *len > 0).map(|(name, len)| array([name, &len.to_string()]));
            return Value::Array(vec![
                integer(pending.len()),
                text(*first),
                text(*last),
                Value::Array(busy.collect()),
            ]);
        }
        let whose = words.get(6).copied();
        let found = pending.iter().filter(|(other, (consumer, _))| {
            **other >= id(words[3]) && **other <= id(words[4]) && whose.is_none_or(|name| name == consumer)
        });
        let one = |(id, (consumer, often)): (&Id, &(String, i64))| {
            Value::Array(vec![text(*id), bulk(consumer), integer(0), Value::Integer(*often)])
        };
        Value::Array(found.take(number(words[5]) as usize).map(one).collect())
    }

    /// XCLAIM and XAUTOCLAIM of a group that is there.
    fn claim(&mut self, words: &[&str]) -> Value {
        let (name, consumer) = (words[2], words[3]);
        let stream = self.0.get_mut(words[1]).expect("the group is there");
        if words[0] == "XCLAIM" {
            let ids = words[5..].iter().take_while(|word| word.starts_with(|c: char| c.is_ascii_digit()));
            let claimed = ids.filter_map(|wanted| stream.claim(name, consumer, id(wanted), words));
            return Value::Array(claimed.collect());
        }
        let candidates: Vec<Id> =
            stream.groups[name].pending.keys().copied().filter(|other| *other >= id(words[5])).collect();
        let (mut claimed, mut gone, most) = (Vec::new(), Vec::new(), count(words).min(100));
        for wanted in candidates.iter().take(most) {
            match stream.claim(name, consumer, *wanted, words) {
                Some(answer) => claimed.push(answer),
                None => gone.push(text(*wanted)),
            }
        }
        let next = candidates.get(most).copied().unwrap_or((0, 0));
        Value::Array(vec![text(next), Value::Array(claimed), Value::Array(gone)])
    }
}

impl Model for Streams {
    fn reply(&mut self, words: &[&str]) -> Value {
        match words[0] {
            "XADD" => return self.xadd(words),
            "XGROUP" => return self.xgroup(words),
            "XREADGROUP" => return self.xreadgroup(words),
            "XREAD" => {
                let (keys, ids) = (&words[words.len() - 4..words.len() - 2], &words[words.len() - 2..]);
                let mut found = Vec::new();
                for (key, from) in keys.iter().zip(ids) {
                    let Some(stream) = self.0.get(*key) else { continue };
                    let from = if *from == "$" { stream.last } else { id(from) };
                    let entries = stream.after(from, count(words));
                    if !entries.is_empty() {
                        let entries = entries.iter().map(|(id, fields)| entry(*id, fields)).collect();
                        found.push(Value::Array(vec![bulk(key), Value::Array(entries)]));
                    }
                }
                return if found.is_empty() { Value::Null } else { Value::Array(found) };
            }
            "DEL" => return integer(usize::from(self.0.remove(words[1]).is_some())),
            _ => {}
        }
        let of_group = matches!(words[0], "XPENDING" | "XCLAIM" | "XAUTOCLAIM");
        let Some(stream) = self.0.get_mut(words[1]).filter(|s| !of_group || s.groups.contains_key(words[2]))
        else {
            return match words[0] {
                "XRANGE" | "XREVRANGE" => Value::Array(Vec::new()),
                "XLEN" | "XDEL" | "XTRIM" | "XACK" => integer(0),
                _ => error(&format!("NOGROUP No such key '{}' or consumer group '{}'", words[1], words[2])),
            };
        };
        match words[0] {
            "XLEN" => integer(stream.entries.len()),
            "XDEL" => integer(words[2..].iter().filter(|w| stream.entries.remove(&id(w)).is_some()).count()),
            "XTRIM" => integer(stream.trim(&words[2..])),
            "XRANGE" | "XREVRANGE" => {
                let is_reverse = words[0] == "XREVRANGE";
                let (min, max) = if is_reverse { (words[3], words[2]) } else { (words[2], words[3]) };
                let min_is_open = min.starts_with('(');
                let (min, max) = (id(min.trim_start_matches('(')), id(max));
                let wanted = |other: &Id| *other >= min && (*other > min || !min_is_open) && *other <= max;
                let mut found: Vec<_> = stream.entries.iter().filter(|(other, _)| wanted(other)).collect();
                if is_reverse {
                    found.reverse();
                }
                found.truncate(count(words));
                Value::Array(found.into_iter().map(|(id, fields)| entry(*id, fields)).collect())
            }
            "XACK" => {
                let group = stream.groups.get_mut(words[2]);
                integer(group.map_or(0, |group| {
                    words[3..].iter().filter(|word| group.pending.remove(&id(word)).is_some()).count()
                }))
            }
            "XPENDING" => self.xpending(&self.0[words[1]].groups[words[2]], words),
            _ => self.claim(words),
        }
    }
}

fn an_id() -> impl Strategy<Value = String> + Clone {
    (0u64..40, 0u64..3).prop_map(|(ms, seq)| format!("{ms}-{seq}"))
}

fn requests() -> impl Strategy<Value = Vec<Vec<String>>> {
    let new = prop_oneof![3 => (0u64..40).prop_map(|ms| format!("{ms}-*")), 1 => an_id()];
    let fields =
        proptest::collection::vec((prop_oneof![3 => Just("f".to_owned()), 1 => member()], member()), 1..4)
            .prop_map(|pairs| {
                pairs.iter().map(|(name, value)| format!("{name} {value} ")).collect::<String>()
            });
    let trim = || {
        prop_oneof![
            (0..30).prop_map(|len| format!("MAXLEN {len}")),
            an_id().prop_map(|id| format!("MINID {id}")),
        ]
    };
    let maybe_trim = prop_oneof![6 => Just(String::new()), 1 => trim()];
    let count = || prop_oneof![Just(String::new()), (1..5).prop_map(|count| format!("COUNT {count}"))];
    let ids = || proptest::collection::vec(an_id(), 1..4).prop_map(|ids| ids.join(" "));
    let group = || prop_oneof![Just("g"), Just("h")];
    let consumer = || prop_oneof![Just("ann"), Just("bob"), Just("cid")];
    let from = || prop_oneof![1 => Just("$".to_owned()), 3 => an_id()];
    let start = prop_oneof![an_id(), an_id().prop_map(|id| format!("({id}"))];
    let just_id = || prop_oneof![Just(""), Just("JUSTID")];
    let request = prop_oneof![
        9 => (key(), maybe_trim, new, fields)
            .prop_map(|(key, trim, new, fields)| request!["XADD", key, trim, new, fields]),
        2 => (key(), start.clone(), an_id(), count())
            .prop_map(|(key, min, max, count)| request!["XRANGE", key, min, max, count]),
        2 => (key(), start, an_id(), count())
            .prop_map(|(key, min, max, count)| request!["XREVRANGE", key, max, min, count]),
        2 => (key(), ids()).prop_map(|(key, ids)| request!["XDEL", key, ids]),
        1 => (key(), trim()).prop_map(|(key, trim)| request!["XTRIM", key, trim]),
        1 => (prop_oneof![4 => Just("XLEN"), 1 => Just("DEL")], key()).prop_map(|(name, key)| request![name, key]),
        2 => (count(), key(), key(), from(), from())
            .prop_map(|(count, a, b, i, j)| request!["XREAD", count, "STREAMS", a, b, i, j]),
        3 => (prop_oneof![2 => Just("CREATE"), 1 => Just("SETID")], key(), group(), from())
            .prop_map(|(name, key, group, from)| request!["XGROUP", name, key, group, from]),
        1 => (key(), group()).prop_map(|(key, group)| request!["XGROUP", "DESTROY", key, group]),
        1 => (key(), group(), consumer())
            .prop_map(|(key, group, consumer)| request!["XGROUP", "DELCONSUMER", key, group, consumer]),
        6 => (group(), consumer(), count(), prop_oneof![4 => Just(""), 1 => Just("NOACK")], key(),
                prop_oneof![2 => Just(">".to_owned()), 1 => an_id()])
            .prop_map(|(group, consumer, count, no_ack, key, from)|
                request!["XREADGROUP", "GROUP", group, consumer, count, no_ack, "STREAMS", key, from]),
        3 => (key(), group(), ids()).prop_map(|(key, group, ids)| request!["XACK", key, group, ids]),
        2 => (key(), group()).prop_map(|(key, group)| request!["XPENDING", key, group]),
        2 => (key(), group(), an_id(), an_id(), 0i64..5, prop_oneof![Just(""), consumer()])
            .prop_map(|(key, group, min, max, count, whose)|
                request!["XPENDING", key, group, min, max, count, whose]),
        3 => (key(), group(), consumer(), ids(), prop_oneof![Just(""), Just("FORCE")], just_id())
            .prop_map(|(key, group, consumer, ids, force, just_id)|
                request!["XCLAIM", key, group, consumer, 0, ids, force, just_id]),
        2 => (key(), group(), consumer(), an_id(), count(), just_id())
            .prop_map(|(key, group, consumer, start, count, just_id)|
                request!["XAUTOCLAIM", key, group, consumer, 0, start, count, just_id]),
    ];
    proptest::collection::vec(request, 1..120)
}

proptest! {
    #[test]
    fn streams_do_what_the_model_does(requests in requests()) {
        check::<Streams>(&requests)?;
    }
}

#[test]
fn long_streams_do_what_the_model_does() {
    let mut requests: Vec<_> =
        (0..1_000).map(|n| request!["XADD", "a", format!("{}-*", n / 3), "f", n, "g", n % 7]).collect();
    requests.push(request!["XGROUP", "CREATE", "a", "g", "100-0"]);
    requests.push(request!["XREADGROUP", "GROUP", "g", "ann", "COUNT", 500, "STREAMS", "a", ">"]);
    requests.extend((0..200).map(|n| request!["XDEL", "a", format!("{}-1", n + 50)]));
    requests.extend((0..50).map(|n| request!["XRANGE", "a", n * 7, format!("{}-9", n * 7 + 30)]));
    requests.push(request!["XREVRANGE", "a", "300-9", 20]);
    requests.push(request!["XAUTOCLAIM", "a", "g", "bob", 0, "90-0", "COUNT", 80]);
    requests.push(request!["XREADGROUP", "GROUP", "g", "bob", "COUNT", 90, "STREAMS", "a", "99-0"]);
    requests.extend([request!["XTRIM", "a", "MAXLEN", 333], request!["XRANGE", "a", 0, "999-9"]]);
    requests.extend([request!["XTRIM", "a", "MINID", "290-1"], request!["XREAD", "STREAMS", "a", "b", 0, 0]]);
    check::<Streams>(&requests).unwrap();
}
