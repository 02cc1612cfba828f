//! Clients that wait for entries of streams: each conversation is the same under every way of sharing, and Redis 7.0.15
//! holds it, too.

#[path = "support/talk.rs"]
mod talk;

use interleave::command::Config;
use interleave::sharing::Kind;
use talk::Talk;

const SHARED: [Kind; 4] = [Kind::Mutex, Kind::AsyncMutex, Kind::Sharded, Kind::Actor];

/// Each turn and what is answered then.
#[track_caller]
fn check(turns: &[(&str, &str)]) {
    for kind in SHARED {
        let mut talk = Talk::new(kind, Config::default());
        for (number, (line, expected)) in turns.iter().enumerate() {
            assert_eq!(talk.turn(line), *expected, "under {kind}, turn {number}: {line}");
        }
    }
}

#[test]
fn every_reader_is_given_what_comes() {
    check(&[
        ("1 XADD s 1-0 f old", "1: 1-0"),
        ("1 XREAD BLOCK 0 STREAMS other s $ $", ""),
        ("2 XREAD BLOCK 0 STREAMS s 1-0", ""),
        ("3 XREAD BLOCK 0 STREAMS s 5-0", ""),
        ("4 XADD s 2-0 f v", "1: [[s [[2-0 [f v]]]]]; 2: [[s [[2-0 [f v]]]]]; 4: 2-0"),
        ("4 XADD s 5-1 f v", "3: [[s [[5-1 [f v]]]]]; 4: 5-1"),
        ("1 XREAD BLOCK 0 STREAMS s 2-0", "1: [[s [[5-1 [f v]]]]]"),
    ]);
}

#[test]
fn a_consumer_is_given_what_no_other_was() {
    check(&[
        ("1 XGROUP CREATE s g $ MKSTREAM", "1: OK"),
        ("1 XREADGROUP GROUP g ann BLOCK 0 STREAMS s >", ""),
        ("2 XREADGROUP GROUP g bob BLOCK 0 STREAMS s >", ""),
        ("3 XADD s 1-0 f v", "1: [[s [[1-0 [f v]]]]]; 3: 1-0"),
        ("3 XADD s 2-0 f v", "2: [[s [[2-0 [f v]]]]]; 3: 2-0"),
        ("3 XPENDING s g", "3: [2 1-0 2-0 [[ann 1] [bob 1]]]"),
    ]);
}

#[test]
fn what_dollar_stood_for_is_settled_when_the_wait_begins() {
    check(&[
        ("1 XREAD BLOCK 0 STREAMS s $", ""),
        ("2 MULTI", "2: OK"),
        ("2 XADD s 1-0 f v", "2: QUEUED"),
        ("2 XADD s 2-0 f w", "2: QUEUED"),
        ("2 EXEC", "1: [[s [[1-0 [f v]] [2-0 [f w]]]]]; 2: [1-0 2-0]"),
    ]);
}

#[test]
fn a_wait_ends_with_its_time() {
    check(&[
        ("1 XREAD BLOCK 100 STREAMS s 0", ""),
        ("pass 99", ""),
        ("pass 2", "1: nil"),
        ("1 MULTI", "1: OK"),
        ("1 XREAD BLOCK 100 STREAMS s 0", "1: QUEUED"),
        ("1 EXEC", "1: [nil]"),
        ("2 XADD s 1-0 f v", "2: 1-0"),
    ]);
}

#[test]
fn readers_of_a_group_are_told_when_it_goes() {
    for (command, answer, told) in [
        ("DEL s", "1", "UNBLOCKED the stream key no longer exists"),
        ("SET s x", "OK", "UNBLOCKED the stream key no longer exists"),
        ("RENAME s t", "OK", "UNBLOCKED the stream key no longer exists"),
        ("FLUSHALL", "OK", "UNBLOCKED the stream key no longer exists"),
        ("XGROUP DESTROY s g", "1", "NOGROUP the consumer group this client was blocked on no longer exists"),
    ] {
        check(&[
            ("1 XGROUP CREATE s g $ MKSTREAM", "1: OK"),
            ("1 XREADGROUP GROUP g ann BLOCK 0 STREAMS s >", ""),
            (&format!("2 {command}"), &format!("1: -{told}; 2: {answer}")),
        ]);
    }
    // A reader without a group waits for the key to be a stream again.
    check(&[
        ("1 XADD s 1-0 f v", "1: 1-0"),
        ("1 XREAD BLOCK 0 STREAMS s $", ""),
        ("2 SET s x", "2: OK"),
        ("2 DEL s", "2: 1"),
        ("2 XADD s 1-0 f v", "2: 1-0"),
        ("2 XADD s 2-0 f v", "1: [[s [[2-0 [f v]]]]]; 2: 2-0"),
    ]);
}

#[test]
fn readers_of_a_group_are_told_when_its_time_has_come() {
    let told = "UNBLOCKED the stream key no longer exists";
    // Whoever finds that, and be it to make a mistake.
    for (finds, answer) in [("GET s", "nil"), ("EXISTS s", "0"), ("XSETID s 1-0", "-ERR no such key")] {
        check(&[
            ("1 XGROUP CREATE s g $ MKSTREAM", "1: OK"),
            ("1 XREADGROUP GROUP g ann BLOCK 0 STREAMS s >", ""),
            ("3 XREAD BLOCK 0 STREAMS s $", ""),
            ("2 PEXPIRE s 20", "2: 1"),
            ("pass 30", ""),
            (&format!("2 {finds}"), &format!("1: -{told}; 2: {answer}")),
            // A reader without a group waits on.
            ("2 XADD s 1-0 f v", "2: 1-0; 3: [[s [[1-0 [f v]]]]]"),
        ]);
    }
}

#[test]
fn what_a_group_knows_is_no_change_to_who_watches() {
    let watched = |command: &str, answer: &str, outcome: &str| {
        check(&[
            ("1 XADD s 1-0 f v", "1: 1-0"),
            ("1 XGROUP CREATE s g 0", "1: OK"),
            ("1 WATCH s", "1: OK"),
            (&format!("2 {command}"), &format!("2: {answer}")),
            ("1 MULTI", "1: OK"),
            ("1 XLEN s", "1: QUEUED"),
            ("1 EXEC", &format!("1: {outcome}")),
        ]);
    };
    watched("XREADGROUP GROUP g ann STREAMS s >", "[[s [[1-0 [f v]]]]]", "[1]");
    watched("XCLAIM s g ann 0 1-0 FORCE JUSTID", "[1-0]", "[1]");
    watched("XAUTOCLAIM s g ann 0 0", "[0-0 [] []]", "[1]");
    watched("XACK s g 1-0", "0", "[1]");
    watched("XGROUP SETID s g 1-0", "OK", "[1]");
    watched("XGROUP CREATE s h 0", "OK", "[1]");
    watched("XGROUP CREATECONSUMER s g ann", "1", "[1]");
    watched("XSETID s 5-0", "OK", "[1]");
    watched("XDEL s 9-9", "0", "[1]");
    watched("XTRIM s MAXLEN 5", "0", "[1]");
    watched("XDEL s 1-0", "1", "nil");
    watched("XADD s 2-0 f v", "2-0", "nil");
}
