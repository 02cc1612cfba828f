//! A memory limit under every sharing: what is refused, what goes, and that the rest is served.

#[path = "support/talk.rs"]
mod talk;

use interleave::command::Config;
use interleave::sharing::Kind;
use interleave::store::Policy;
use talk::Talk;

fn server(kind: Kind, maxmemory: u64, policy: Policy) -> Talk {
    Talk::new(kind, Config { maxmemory, maxmemory_policy: policy, ..Config::default() })
}

/// A figure of INFO's.
fn info(talk: &mut Talk, name: &str) -> u64 {
    let info = talk.turn("1 INFO");
    let field = info.split(name).nth(1).unwrap_or_else(|| panic!("no {name} in {info}"));
    let digits: String = field.trim_start_matches(':').chars().take_while(char::is_ascii_digit).collect();
    digits.parse().unwrap_or_else(|_| panic!("no number for {name} in {info}"))
}

const OOM: &str = "1: -OOM command not allowed when used memory > 'maxmemory'.";

#[test]
fn whatever_is_written_memory_stays_within_its_limit() {
    for kind in Kind::ALL {
        for policy in [Policy::AllkeysLru, Policy::AllkeysLfu, Policy::AllkeysRandom] {
            let mut talk = server(kind, 100_000, policy);
            for number in 0..400 {
                let value = "x".repeat(number % 3 * 500 + 3);
                assert_eq!(talk.turn(&format!("1 SET key:{number} {value}")), "1: OK", "{kind}");
                talk.turn(&format!("1 RPUSH list:{} {value}", number % 7));
            }
            let (used, evicted) = (info(&mut talk, "used_memory"), info(&mut talk, "evicted_keys"));
            assert!((50_000..102_000).contains(&used), "{kind}, {}: {used}", policy.name());
            assert!((100..800).contains(&evicted), "{kind}, {}: {evicted}", policy.name());
        }
    }
}

#[test]
fn without_eviction_what_needs_memory_is_refused_and_the_rest_is_served() {
    for kind in Kind::ALL {
        let mut talk = server(kind, 3_000, Policy::NoEviction);
        let mut written = 0;
        while talk.turn(&format!("1 SET key:{written} {}", "x".repeat(300))) == "1: OK" {
            written += 1;
            assert!(written < 20, "{kind}");
        }
        assert!(written >= 5, "{kind}: {written}");
        assert_eq!(talk.turn("1 LPUSH list a"), OOM, "{kind}");
        assert_eq!(talk.turn("1 EXISTS list key:0"), "1: 1", "{kind}");
        if kind != Kind::Isolated {
            // What is gathered takes memory, too.
            assert_eq!(talk.turn("1 MULTI"), "1: OK");
            assert_eq!(talk.turn("1 GET key:0"), OOM, "{kind}");
            let spoiled = "1: -EXECABORT Transaction discarded because of previous errors.";
            assert_eq!(talk.turn("1 EXEC"), spoiled, "{kind}");
        }
        assert_eq!(talk.turn("1 DEL key:0 key:1"), "1: 2", "{kind}");
        assert_eq!(talk.turn("1 SET again x"), "1: OK", "{kind}");
        assert_eq!(info(&mut talk, "evicted_keys"), 0);
    }
}

/// What was gathered before memory was short is refused as a whole.
#[test]
fn a_transaction_that_finds_too_little_memory_does_nothing() {
    for kind in [Kind::Mutex, Kind::AsyncMutex, Kind::Sharded, Kind::Actor] {
        let mut talk = server(kind, 3_000, Policy::NoEviction);
        for request in ["2 SET k v", "2 MULTI", "2 DEL k", "2 SET other x"] {
            talk.turn(request);
        }
        assert_eq!(talk.turn(&format!("1 SET large {}", "x".repeat(4_000))), "1: OK");
        assert_eq!(
            talk.turn("2 EXEC"),
            "2: -EXECABORT Transaction discarded because of: OOM command not allowed when used memory > 'maxmemory'.",
            "{kind}"
        );
        assert_eq!(talk.turn("1 EXISTS k other"), "1: 1", "{kind}");
    }
}

/// One large value fills the memory; a shard with nothing to give asks the others.
#[test]
fn a_key_of_any_shard_makes_room() {
    for kind in Kind::ALL {
        for number in 0..10 {
            let mut talk = server(kind, 2_000, Policy::AllkeysLru);
            assert_eq!(talk.turn(&format!("1 SET large {}", "x".repeat(3_000))), "1: OK");
            assert_eq!(talk.turn(&format!("1 SET key:{number} x")), "1: OK", "{kind}");
            assert_eq!(talk.turn("1 EXISTS large"), "1: 0", "{kind}");
        }
    }
}

#[test]
fn only_keys_that_expire_go_where_the_policy_says_so() {
    for kind in Kind::ALL {
        for policy in [Policy::VolatileLru, Policy::VolatileLfu, Policy::VolatileRandom, Policy::VolatileTtl]
        {
            let mut talk = server(kind, 10_000, policy);
            for number in 0..20 {
                talk.turn(&format!("1 SET stays:{number} {}", "x".repeat(100)));
            }
            for number in 0..200 {
                let set = format!("1 SET goes:{number} {} EX 1000", "x".repeat(100));
                assert_eq!(talk.turn(&set), "1: OK", "{kind}, {}", policy.name());
            }
            let all: Vec<String> = (0..20).map(|number| format!("stays:{number}")).collect();
            assert_eq!(talk.turn(&format!("1 EXISTS {}", all.join(" "))), "1: 20", "{kind}");
            // When there is none left, what needs memory is refused.
            let mut refused = false;
            for number in 0..200 {
                refused |= talk.turn(&format!("1 SET more:{number} {}", "x".repeat(100))) == OOM;
            }
            assert!(refused, "{kind}, {}", policy.name());
            assert_eq!(talk.turn(&format!("1 EXISTS {}", all.join(" "))), "1: 20", "{kind}");
        }
    }
}

#[test]
fn a_limit_that_is_set_later_counts_what_is_there() {
    for kind in Kind::ALL {
        let mut talk = server(kind, 0, Policy::NoEviction);
        for number in 0..100 {
            talk.turn(&format!("1 SET key:{number} {}", "x".repeat(1_000)));
        }
        assert_eq!(talk.turn("1 CONFIG SET maxmemory 50kb maxmemory-policy allkeys-lru"), "1: OK");
        assert!(info(&mut talk, "used_memory") > 100_000, "{kind}");
        for number in 0..20 {
            talk.turn(&format!("1 SET key:{number} x"));
        }
        assert!(info(&mut talk, "used_memory") <= 53_000, "{kind}");
        // Lifted and set again, the sum is still right.
        talk.turn("1 CONFIG SET maxmemory 0");
        talk.turn("1 FLUSHALL");
        talk.turn("1 CONFIG SET maxmemory 1kb maxmemory-policy noeviction");
        assert_eq!(info(&mut talk, "used_memory"), 0, "{kind}");
        assert_eq!(talk.turn("1 SET a b"), "1: OK", "{kind}");
    }
}

#[test]
fn who_watches_an_evicted_key_is_told() {
    for kind in [Kind::Mutex, Kind::AsyncMutex, Kind::Sharded, Kind::Actor] {
        let mut talk = server(kind, 2_000, Policy::AllkeysLru);
        talk.turn(&format!("1 SET large {}", "x".repeat(3_000)));
        assert_eq!(talk.turn("2 WATCH large"), "2: OK");
        talk.turn("2 MULTI");
        talk.turn("2 GET other");
        assert_eq!(talk.turn("1 SET key x"), "1: OK");
        assert_eq!(talk.turn("2 EXEC"), "2: nil", "{kind}");
    }
}

#[test]
fn idle_time_is_that_since_the_last_use() {
    for kind in Kind::ALL {
        let mut talk = server(kind, 0, Policy::NoEviction);
        talk.turn("1 SET k v");
        talk.turn("pass 10000");
        for asks in ["1 TTL k", "1 TYPE k", "1 EXISTS k", "1 MEMORY USAGE k", "1 OBJECT ENCODING k"] {
            talk.turn(asks);
        }
        assert_eq!(talk.turn("1 OBJECT IDLETIME k"), "1: 10", "{kind}");
        for uses in ["1 GET k", "1 TOUCH k", "1 APPEND k v", "1 SET k w", "1 STRLEN k"] {
            talk.turn(uses);
            assert_eq!(talk.turn("1 OBJECT IDLETIME k"), "1: 0", "{kind}: {uses}");
            talk.turn("pass 3000");
        }
    }
}
