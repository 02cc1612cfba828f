//! What HSCAN, SSCAN and ZSCAN promise: what stays during a walk is seen, whatever comes and goes meanwhile.

use std::collections::BTreeSet;

use interleave::resp::Value;
use interleave::store::Databases;
use proptest::prelude::*;

use super::request;
use crate::local::Local;

/// The commands of one type: adding a member, removing it, walking, and how many elements of a reply are one member.
#[derive(Clone, Copy, Debug)]
struct Type {
    add: fn(&str) -> Vec<String>,
    remove: &'static str,
    walk: &'static str,
    width: usize,
}

const HASH: Type =
    Type { add: |member| request!["HSET", "k", member, "v"], remove: "HDEL", walk: "HSCAN", width: 2 };
const SET: Type =
    Type { add: |member| request!["SADD", "k", member], remove: "SREM", walk: "SSCAN", width: 1 };
const SORTED_SET: Type = Type {
    add: |member| request!["ZADD", "k", member.len(), member],
    remove: "ZREM",
    walk: "ZSCAN",
    width: 2,
};

/// One step of a walk: the members seen and the cursor to go on with.
fn step(local: &mut Local<Databases>, kind: Type, cursor: &str, count: usize) -> (Vec<String>, String) {
    let reply = local.request(&request![kind.walk, "k", cursor, "COUNT", count]);
    let Value::Array(parts) = reply else { panic!("a walk answers an array, found {reply:?}") };
    let [Value::Bulk(next), Value::Array(found)] = &parts[..] else { panic!("of a cursor and members") };
    let text = |value: &Value| match value {
        Value::Bulk(text) => String::from_utf8(text.clone()).expect("members are text here"),
        other => panic!("a member is a bulk string, found {other:?}"),
    };
    (found.iter().step_by(kind.width).map(text).collect(), String::from_utf8_lossy(next).into_owned())
}

fn check(kind: Type, stay: usize, count: usize, changes: &[(bool, u8)]) -> Result<(), TestCaseError> {
    let mut local = Local::new(Databases::default());
    let staying: BTreeSet<String> = (0..stay).map(|n| format!("stay:{n}")).collect();
    for (n, member) in staying.iter().enumerate() {
        // Members that pass lie between those that stay.
        local.request(&(kind.add)(member));
        local.request(&(kind.add)(&format!("passing:{n}")));
    }
    let mut changes = changes.iter();
    let (mut seen, mut cursor) = (BTreeSet::new(), "0".to_owned());
    loop {
        let (found, next) = step(&mut local, kind, &cursor, count);
        seen.extend(found);
        if next == "0" {
            break;
        }
        cursor = next;
        for (adds, n) in changes.by_ref().take(5) {
            let member = format!("passing:{n}");
            match adds {
                true => local.request(&(kind.add)(&member)),
                false => local.request(&request![kind.remove, "k", member]),
            };
        }
    }
    prop_assert!(staying.is_subset(&seen));
    prop_assert!(seen.iter().all(|member| staying.contains(member) || member.starts_with("passing:")));
    Ok(())
}

proptest! {
    #[test]
    fn walks_miss_no_member_that_stays(
        kind in prop_oneof![Just(HASH), Just(SET), Just(SORTED_SET)],
        // Packed and walked over in one step, about to become a table, and a table.
        stay in prop_oneof![1usize..20, 55usize..70, 100usize..150],
        count in 1usize..40,
        changes in proptest::collection::vec((any::<bool>(), 0u8..200), 0..300),
    ) {
        check(kind, stay, count, &changes)?;
    }
}
