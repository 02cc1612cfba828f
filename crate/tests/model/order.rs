//! The same commands give the same replies in the same order, whatever seeds the tables' hashes have: each table has
//! its own.

use interleave::resp::Value;
use interleave::store::Databases;

use super::request;
use crate::local::Local;

/// Replies to whatever shows an order or chooses at random, over large collections that grew and shrank.
fn replies() -> Vec<Value> {
    let mut local = Local::new(Databases::default());
    for n in 0..700 {
        local.request(&request!["HSET", "h", format!("f{n}"), n]);
        local.request(&request!["SADD", "s", format!("m{n}")]);
        local.request(&request!["ZADD", "z", n % 7, format!("m{n}")]);
        if n % 3 == 0 {
            local.request(&request!["HDEL", "h", format!("f{}", n / 2)]);
            local.request(&request!["SREM", "s", format!("m{}", n / 2)]);
            local.request(&request!["ZREM", "z", format!("m{}", n / 2)]);
        }
    }
    let asked = [
        request!["HGETALL", "h"],
        request!["SMEMBERS", "s"],
        request!["HSCAN", "h", 0, "COUNT", 50],
        request!["SSCAN", "s", 0, "COUNT", 50],
        request!["ZSCAN", "z", 0, "COUNT", 50],
        request!["HRANDFIELD", "h", 20, "WITHVALUES"],
        request!["SRANDMEMBER", "s", -20],
        request!["ZRANDMEMBER", "z", 300],
        request!["SPOP", "s", 30],
        request!["SUNION", "s", "s"],
        request!["SDIFF", "s", "nobody"],
        request!["ZUNION", 2, "z", "s"],
        request!["SORT", "s", "BY", "nosort"],
    ];
    asked.iter().map(|request| local.request(request)).collect()
}

#[test]
fn no_order_and_no_choice_depends_on_a_hash() {
    let first = replies();
    assert!(first.iter().all(|reply| !matches!(reply, Value::Error(_))), "{first:?}");
    for _ in 0..3 {
        assert_eq!(replies(), first);
    }
}
