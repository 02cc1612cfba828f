//! What several clients do to each other: keys watched, elements waited for. Each conversation is the same under every way
//! of sharing, and Redis 7.0.15 holds it, too.

#[path = "support/talk.rs"]
mod talk;

use interleave::command::Config;
use interleave::resp::Limits;
use interleave::sharing::Kind;
use talk::Talk;

const SHARED: [Kind; 4] = [Kind::Mutex, Kind::AsyncMutex, Kind::Sharded, Kind::Actor];

/// Each turn and what is answered then.
#[track_caller]
fn check(turns: &[(&str, &str)]) {
    check_with(&Config::default(), turns);
}

#[track_caller]
fn check_with(config: &Config, turns: &[(&str, &str)]) {
    for kind in SHARED {
        let mut talk = Talk::new(kind, config.clone());
        for (number, (line, expected)) in turns.iter().enumerate() {
            assert_eq!(talk.turn(line), *expected, "under {kind}, turn {number}: {line}");
        }
    }
}

#[test]
fn a_watched_key_that_another_changes_breaks_the_transaction() {
    check(&[
        ("1 SET k 1", "1: OK"),
        ("1 WATCH k other", "1: OK"),
        ("1 MULTI", "1: OK"),
        ("1 INCR k", "1: QUEUED"),
        ("2 INCR k", "2: 2"),
        ("1 EXEC", "1: nil"),
        ("1 GET k", "1: 2"),
        ("1 MULTI", "1: OK"),
        ("1 INCR k", "1: QUEUED"),
        ("2 INCR k", "2: 3"),
        ("1 EXEC", "1: [4]"),
    ]);
}

#[test]
fn a_watched_key_that_another_looks_at_does_not() {
    check(&[
        ("1 RPUSH k a", "1: 1"),
        ("1 WATCH k", "1: OK"),
        ("2 LRANGE k 0 -1", "2: [a]"),
        ("2 LREM k 0 b", "2: 0"),
        ("2 SET other x", "2: OK"),
        ("2 SELECT 1", "2: OK"),
        ("2 SET k x", "2: OK"),
        ("1 MULTI", "1: OK"),
        ("1 LLEN k", "1: QUEUED"),
        ("1 EXEC", "1: [1]"),
    ]);
}

#[test]
fn what_is_gathered_is_seen_when_all_of_it_is_there() {
    check(&[
        ("1 MULTI", "1: OK"),
        ("1 SET a 1", "1: QUEUED"),
        ("1 SET b 1", "1: QUEUED"),
        ("2 MGET a b", "2: [nil nil]"),
        ("1 EXEC", "1: [OK OK]"),
        ("2 MGET a b", "2: [1 1]"),
    ]);
}

#[test]
fn a_watched_key_whose_time_has_come_breaks_the_transaction() {
    check(&[
        ("1 SET k 1 PX 100", "1: OK"),
        ("1 WATCH k", "1: OK"),
        ("pass 150", ""),
        ("1 MULTI", "1: OK"),
        ("1 PING", "1: QUEUED"),
        ("1 EXEC", "1: nil"),
        // What was gone by the time it was watched is not.
        ("1 SET k 1 PX 100", "1: OK"),
        ("pass 150", ""),
        ("1 WATCH k", "1: OK"),
        ("1 MULTI", "1: OK"),
        ("1 PING", "1: QUEUED"),
        ("2 EXISTS k", "2: 0"),
        ("1 EXEC", "1: [PONG]"),
        // Nor is it before its time.
        ("1 SET k 1 PX 100", "1: OK"),
        ("1 WATCH k", "1: OK"),
        ("1 MULTI", "1: OK"),
        ("1 PING", "1: QUEUED"),
        ("1 EXEC", "1: [PONG]"),
    ]);
}

#[test]
fn flushing_and_swapping_change_what_was_there() {
    for (command, expected) in [
        ("2 FLUSHALL", "1: nil"),
        ("2 FLUSHDB", "1: nil"),
        ("2 SWAPDB 0 1", "1: nil"),
        ("2 SWAPDB 1 0", "1: nil"),
        ("2 SWAPDB 1 2", "1: []"),
    ] {
        check(&[
            ("1 SET k 1", "1: OK"),
            ("1 WATCH k", "1: OK"),
            (command, "2: OK"),
            ("1 MULTI", "1: OK"),
            ("1 EXEC", expected),
            ("1 FLUSHALL", "1: OK"),
            ("1 WATCH k", "1: OK"),
            (command, "2: OK"),
            ("1 MULTI", "1: OK"),
            ("1 EXEC", "1: []"),
        ]);
    }
}

#[test]
fn a_transaction_is_gathered_within_limits() {
    let limits =
        Limits { transaction_requests: 3, transaction_bytes: 40, watched_keys: 2, ..Limits::default() };
    let config = Config { limits, ..Config::default() };
    let refused = "1: -ERR transaction too large, at most 3 commands and 40 bytes are gathered";
    let discarded = "1: -EXECABORT Transaction discarded because of previous errors.";
    check_with(
        &config,
        &[
            ("1 MULTI", "1: OK"),
            ("1 PING", "1: QUEUED"),
            ("1 PING", "1: QUEUED"),
            ("1 PING", "1: QUEUED"),
            ("1 PING", refused),
            ("1 EXEC", discarded),
            ("1 MULTI", "1: OK"),
            ("1 SET k 0123456789012345678901234567890123456789", refused),
            ("1 EXEC", discarded),
            ("1 EXISTS k", "1: 0"),
            ("1 WATCH a b a", "1: OK"),
            ("1 WATCH c", "1: -ERR too many watched keys, at most 2 may be"),
            ("2 SET a 1", "2: OK"),
            ("1 MULTI", "1: OK"),
            ("1 EXEC", "1: nil"),
        ],
    );
}

#[test]
fn a_client_waits_until_another_brings_something() {
    check(&[
        ("1 BLPOP l 0", ""),
        ("2 RPUSH l a b", "1: [l a]; 2: 2"),
        ("2 LRANGE l 0 -1", "2: [b]"),
        ("1 PING", "1: PONG"),
        ("1 BRPOP nothing other 0", ""),
        ("2 RPUSH other x y", "1: [other y]; 2: 2"),
        ("1 BZPOPMIN z 0", ""),
        ("2 ZADD z 2 b 1 a", "1: [z a 1]; 2: 2"),
        ("1 BZPOPMAX nothing z 0", "1: [z b 2]"),
        ("1 BLMPOP 0 2 m n LEFT COUNT 2", ""),
        ("2 RPUSH n a b c", "1: [n [a b]]; 2: 3"),
        ("1 BZMPOP 0 2 y z MAX COUNT 2", ""),
        ("2 ZADD z 1 a 2 b 3 c", "1: [z [[c 3] [b 2]]]; 2: 3"),
    ]);
}

#[test]
fn those_who_wait_are_served_in_the_order_they_came() {
    check(&[
        ("1 BLPOP l 0", ""),
        ("2 BRPOP k l 0", ""),
        ("3 BLMPOP 0 1 l LEFT COUNT 1", ""),
        ("4 RPUSH l a", "1: [l a]; 4: 1"),
        ("1 BLPOP l 0", ""),
        ("4 RPUSH l b c", "2: [l c]; 3: [l [b]]; 4: 2"),
        ("4 RPUSH k x", "4: 1"),
        ("4 LPUSH l d e", "1: [l e]; 4: 2"),
        ("4 LRANGE l 0 -1", "4: [d]"),
    ]);
}

#[test]
fn who_waits_for_another_type_is_passed_over() {
    check(&[
        ("1 BZPOPMIN k 0", ""),
        ("2 BLPOP k 0", ""),
        ("3 SET k x", "3: OK"),
        ("3 DEL k", "3: 1"),
        ("3 RPUSH k a", "2: [k a]; 3: 1"),
        ("3 ZADD k 1 m", "1: [k m 1]; 3: 1"),
    ]);
}

#[test]
fn elements_are_moved_on_for_who_waits() {
    check(&[
        ("1 BLMOVE a b LEFT RIGHT 0", ""),
        ("2 BRPOPLPUSH b c 0", ""),
        ("3 BLPOP c 0", ""),
        ("4 RPUSH a x", "1: x; 2: x; 3: [c x]; 4: 1"),
        ("4 EXISTS a b c", "4: 0"),
        ("1 BLMOVE a b LEFT RIGHT 0", ""),
        ("4 SET b text", "4: OK"),
        ("4 RPUSH a x", "1: -WRONGTYPE Operation against a key holding the wrong kind of value; 4: 1"),
        ("4 LRANGE a 0 -1", "4: [x]"),
        ("1 BLMOVE s s LEFT RIGHT 0", ""),
        ("4 RPUSH s 1 2", "1: 1; 4: 2"),
        ("4 LRANGE s 0 -1", "4: [2 1]"),
    ]);
}

#[test]
fn every_way_for_a_key_to_come_serves() {
    for (before, command, after) in [
        ("RPUSH from x", "2 RENAME from l", "1: [l x]; 2: OK"),
        ("RPUSH from x", "2 RENAMENX from l", "1: [l x]; 2: 1"),
        ("RPUSH from x", "2 COPY from l", "1: [l x]; 2: 1"),
        ("RPUSH from x", "2 LMOVE from l LEFT LEFT", "1: [l x]; 2: x"),
        ("RPUSH from x", "2 RPOPLPUSH from l", "1: [l x]; 2: x"),
        ("RPUSH from x", "2 BLMOVE from l LEFT LEFT 0", "1: [l x]; 2: x"),
        ("RPUSH from x", "2 SORT from ALPHA STORE l", "1: [l x]; 2: 1"),
        ("SELECT 0", "2 LPUSH l x", "1: [l x]; 2: 1"),
    ] {
        check(&[
            ("1 BLPOP l 0", ""),
            (&format!("2 {before}"), if before == "SELECT 0" { "2: OK" } else { "2: 1" }),
            (command, after),
        ]);
    }
    check(&[
        ("1 BLPOP l 0", ""),
        ("2 SELECT 1", "2: OK"),
        ("2 RPUSH l x", "2: 1"),
        ("2 MOVE l 0", "1: [l x]; 2: 1"),
        ("1 BLPOP l 0", ""),
        ("2 RPUSH l y", "2: 1"),
        ("2 SWAPDB 0 1", "1: [l y]; 2: OK"),
        ("1 BZPOPMIN z 0", ""),
        ("2 SELECT 0", "2: OK"),
        ("2 ZADD y 1 a", "2: 1"),
        ("2 ZUNIONSTORE z 1 y", "1: [z a 1]; 2: 1"),
    ]);
}

#[test]
fn a_transaction_serves_when_it_is_done() {
    check(&[
        ("1 BLPOP l 0", ""),
        ("2 MULTI", "2: OK"),
        ("2 RPUSH l a", "2: QUEUED"),
        ("2 LPUSH l b", "2: QUEUED"),
        ("2 LRANGE l 0 -1", "2: QUEUED"),
        ("2 EXEC", "1: [l b]; 2: [1 2 [b a]]"),
        ("1 BLPOP m 0", ""),
        ("2 MULTI", "2: OK"),
        ("2 RPUSH m a", "2: QUEUED"),
        ("2 DEL m", "2: QUEUED"),
        ("2 EXEC", "2: [1 1]"),
        ("2 MULTI", "2: OK"),
        ("2 BLPOP m 0", "2: QUEUED"),
        ("2 RPUSH m c", "2: QUEUED"),
        ("2 EXEC", "1: [m c]; 2: [nil 1]"),
        // Of several keys that of the first change.
        ("1 BLPOP x y 0", ""),
        ("2 MULTI", "2: OK"),
        ("2 RPUSH y 1", "2: QUEUED"),
        ("2 RPUSH x 2", "2: QUEUED"),
        ("2 EXEC", "1: [y 1]; 2: [1 1]"),
    ]);
}

#[test]
fn a_wait_ends_with_its_time() {
    check(&[
        ("1 BLPOP l 0.2", ""),
        ("2 BZPOPMIN z 0.1", ""),
        ("3 BLMOVE l m LEFT LEFT 0.3", ""),
        ("pass 150", "2: nil"),
        ("pass 100", "1: nil"),
        ("2 RPUSH l x", "2: 1; 3: x"),
        ("pass 100", ""),
        ("1 BLMOVE l m LEFT LEFT 0.05", ""),
        ("pass 60", "1: nil"),
        ("1 BLPOP l 0.05", ""),
        ("pass 60", "1: nil"),
        ("2 RPUSH l y", "2: 1"),
        ("2 LRANGE l 0 -1", "2: [y]"),
    ]);
}

#[test]
fn who_has_left_is_served_nothing() {
    check(&[
        ("1 BLPOP l 0", ""),
        ("2 BLPOP l 0", ""),
        ("1 leaves", ""),
        ("3 RPUSH l a", "2: [l a]; 3: 1"),
        ("2 BLMOVE l m LEFT LEFT 0", ""),
        ("2 leaves", ""),
        ("3 RPUSH l b", "3: 1"),
        ("3 LRANGE l 0 -1", "3: [b]"),
    ]);
}

#[test]
fn what_is_sent_ahead_is_carried_out_later() {
    check(&[
        ("1 BLPOP l 0", ""),
        ("1 PING", ""),
        ("1 BLPOP l 0", ""),
        ("1 SET done 1", ""),
        ("2 RPUSH l a", "1: [l a]; 1: PONG; 2: 1"),
        ("2 GET done", "2: nil"),
        ("2 RPUSH l b", "1: [l b]; 1: OK; 2: 1"),
    ]);
}

#[test]
fn another_client_may_end_a_wait() {
    check(&[
        ("1 CLIENT ID", "1: 1"),
        ("2 CLIENT ID", "2: 2"),
        ("1 BLPOP l 0", ""),
        ("2 CLIENT UNBLOCK 1", "1: nil; 2: 1"),
        ("1 BLMOVE l m LEFT LEFT 0", ""),
        ("2 CLIENT UNBLOCK 1 TIMEOUT", "1: nil; 2: 1"),
        ("1 BZPOPMIN l 0", ""),
        ("2 CLIENT UNBLOCK 1 ERROR", "1: -UNBLOCKED client unblocked via CLIENT UNBLOCK; 2: 1"),
        ("2 CLIENT UNBLOCK 1 ERROR", "2: 0"),
        ("2 RPUSH l a", "2: 1"),
        ("1 LPOP l", "1: a"),
    ]);
}

#[test]
fn those_who_wait_are_counted_and_forgotten() {
    for kind in SHARED {
        let mut talk = Talk::new(kind, Config::default());
        talk.turn("1 BLPOP l 0");
        assert!(talk.turn("2 INFO clients").contains("blocked_clients:1\r\n"));
        assert!(talk.turn("2 CLIENT LIST").contains("flags=b"));
        talk.turn("1 leaves");
        assert!(talk.turn("2 INFO clients").contains("blocked_clients:0\r\n"));
        assert_eq!(talk.turn("2 MULTI"), "2: OK");
        assert!(talk.turn("3 CLIENT LIST").contains("flags=x db=0 sub=0 psub=0 ssub=0 multi=0"));
    }
}
