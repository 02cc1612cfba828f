//! What reaches the log: every command that changed something and no other, and each key that went by itself. Whether a command
//! is written down is compared with the append-only file of Redis 7.0.15.

#[path = "support/talk.rs"]
#[expect(dead_code, reason = "every server here has a log")]
mod talk;

use std::collections::BTreeSet;
use std::time::Duration;

use interleave::command::{Config, Flag, Server, TABLE};
use interleave::log::entry::{Entry, Next};
use interleave::log::frame::{Records, seal};
use interleave::log::{Fsync, Log};
use interleave::sharing::{Kind, Options, Replay, Stores};
use interleave::store::{Keyspace, Policy};
use talk::{START_MS, Talk};

const SHARED: [Kind; 4] = [Kind::Mutex, Kind::AsyncMutex, Kind::Sharded, Kind::Actor];

/// Commands that change nothing, each with what was done before, behind a bar. On missing keys first.
const UNCHANGED: &str = "
    | DEL m | UNLINK m m2 | GETDEL m | SET m v XX | SETRANGE m 3 '' | GETEX m | GETEX m EX 10 | GETEX m PERSIST
    | EXPIRE m 10 | PEXPIRE m 10 | EXPIREAT m 1 | PEXPIREAT m 1 | PERSIST m | COPY m o | MOVE m 1
    | LPUSHX m v | RPUSHX m v | LPOP m | LPOP m 3 | RPOP m | RPOP m 2 | LINSERT m BEFORE a b | LREM m 0 a | LTRIM m 0 1
    | LMOVE m o LEFT LEFT | RPOPLPUSH m o | LMPOP 2 m o LEFT | BLPOP m o 0.01 | BRPOP m 0.01 | BLMOVE m o LEFT LEFT 0.01
    | BRPOPLPUSH m o 0.01 | BLMPOP 0.01 1 m LEFT
    | HDEL m f | SREM m a | SPOP m | SPOP m 2 | SMOVE m o a | SINTERSTORE o m m2 | SUNIONSTORE o m m2 | SDIFFSTORE o m m2
    | ZADD m XX 1 a | ZREM m a | ZPOPMIN m | ZPOPMAX m 2 | ZMPOP 1 m MIN | BZPOPMIN m 0.01 | BZPOPMAX m 0.01
    | BZMPOP 0.01 1 m MAX | ZRANGESTORE o m 0 -1 | ZREMRANGEBYRANK m 0 -1 | ZREMRANGEBYSCORE m 0 1
    | ZREMRANGEBYLEX m - + | ZUNIONSTORE o 1 m | ZINTERSTORE o 1 m | ZDIFFSTORE o 1 m | SORT m STORE o
    | XADD m NOMKSTREAM * f v | XDEL m 1-1 | XTRIM m MAXLEN 0 | XACK m g 1-1
    SET s v | SET s w NX | SETNX s w | MSETNX o 1 s 2 | SETRANGE s 3 '' | GETEX s | GETEX s PERSIST | PERSIST s
    SET s v | EXPIRE s 10 XX | EXPIRE s 10 GT | RENAME s s
    SET s v; SET s2 v | RENAMENX s s2 | COPY s s2
    SET s v; SELECT 1; SET s v; SELECT 0 | MOVE s 1
    RPUSH l a b | LPOP l 0 | RPOP l 0 | LINSERT l BEFORE z b | LREM l 0 z | LTRIM l 0 -1
    HSET h f v | HSETNX h f w | HDEL h g
    SADD t a b | SADD t a | SREM t z | SPOP t 0 | SMOVE t o z | SMOVE t t a
    SADD t a b; SADD o a | SINTERSTORE n t m | SDIFFSTORE n t t
    ZADD z 1 a 2 b | ZADD z 1 a | ZADD z NX 3 a | ZADD z GT 0 a | ZADD z XX 3 c | ZINCRBY z 0 a | ZREM z c | ZPOPMIN z 0
    ZADD z 1 a 2 b | ZREMRANGEBYRANK z 5 9 | ZREMRANGEBYSCORE z 5 9 | ZREMRANGEBYLEX z [x [y
    XADD x 1-1 f v | XDEL x 2-1 | XTRIM x MAXLEN 5 | XGROUP DESTROY x g | XACK x g 1-1
    XGROUP CREATE x g $ MKSTREAM; XGROUP CREATECONSUMER x g c | XGROUP CREATECONSUMER x g c | XGROUP DELCONSUMER x g d
    XADD x 1-1 f v; XGROUP CREATE x g $ | XREADGROUP GROUP g c STREAMS x > | XACK x g 1-1 | XCLAIM x g c 0 1-1
    XADD x 1-1 f v; XGROUP CREATE x g $ | XAUTOCLAIM x g c 0 0 | XREADGROUP GROUP g c BLOCK 10 STREAMS x >
    SET s v | GET s | SINTERSTORE n s | INCR s | LPUSH s a | MULTI; DEL m; LPOP m; GET s; EXEC
";

/// Commands that change something, in the same form.
const CHANGED: &str = "
    | SET s v | SETEX s 10 v | PSETEX s 10 v | SETNX s v | GETSET s v | MSET s v | MSETNX s v | APPEND s '' | SETRANGE s 1 a
    | INCR s | DECR s | INCRBY s 0 | DECRBY s 0 | INCRBYFLOAT s 0 | LPUSH l a | RPUSH l a | HSET h f v | HMSET h f v
    | HSETNX h f v | HINCRBY h f 0 | HINCRBYFLOAT h f 0 | SADD t a | ZADD z 1 a | ZINCRBY z 0 a | XADD x * f v
    | FLUSHALL | FLUSHDB | SWAPDB 0 1 | XGROUP CREATE x g $ MKSTREAM | MULTI; DEL m; SET s v; EXEC
    SET s v | SET s v | SET s v XX | SET s v GET | GETDEL s | GETEX s EX 10 | DEL s | UNLINK s | RENAME s o | RENAMENX s o
    SET s v | COPY s o | COPY s o DB 1 REPLACE | MOVE s 1 | EXPIRE s 10 | PEXPIRE s 10000 | EXPIREAT s 1 | PEXPIREAT s 1 | EXPIRE s -1
    SET s v EX 100 | PERSIST s | GETEX s PERSIST | EXPIRE s 100 | EXPIRE s 200 GT
    RPUSH l a b | LPUSHX l c | RPUSHX l c | LPOP l | LPOP l 2 | RPOP l | LSET l 0 a | LINSERT l BEFORE a b | LREM l 0 a
    RPUSH l a b | LTRIM l 1 1 | LTRIM l 5 6 | LMOVE l l LEFT LEFT | RPOPLPUSH l o | LMPOP 1 l LEFT | BLPOP m l 0
    RPUSH l a b | BRPOP l 0 | BLMOVE l o LEFT LEFT 0 | BRPOPLPUSH l o 0 | BLMPOP 0 1 l LEFT | SORT l ALPHA STORE o
    RPUSH o a b | SORT m STORE o
    HSET h f v | HSET h f v | HDEL h f
    SADD t a b | SREM t a | SPOP t | SPOP t 9 | SMOVE t o a | SINTERSTORE o t | SUNIONSTORE o t | SDIFFSTORE o t
    SADD o a b | SINTERSTORE o m
    ZADD z 1 a 2 b | ZADD z 3 a | ZADD z CH 3 a | ZINCRBY z 1 a | ZREM z a | ZPOPMIN z | ZPOPMAX z 2 | ZMPOP 1 z MIN
    ZADD z 1 a 2 b | BZPOPMIN z 0 | BZPOPMAX z 0 | BZMPOP 0 1 z MAX | ZRANGESTORE o z 0 -1 | ZREMRANGEBYRANK z 0 0
    ZADD z 1 a 1 b | ZREMRANGEBYSCORE z 0 1 | ZREMRANGEBYLEX z - + | ZUNIONSTORE o 1 z | ZINTERSTORE o 1 z | ZDIFFSTORE o 1 z
    XADD x 1-1 f v | XDEL x 1-1 | XTRIM x MAXLEN 0 | XSETID x 9-9 | XGROUP CREATE x g 0
    XADD x 1-1 f v; XGROUP CREATE x g 0 | XGROUP SETID x g $ | XGROUP DESTROY x g | XGROUP CREATECONSUMER x g c
    XADD x 1-1 f v; XGROUP CREATE x g 0 | XREADGROUP GROUP g c STREAMS x >
    XADD x 1-1 f v; XGROUP CREATE x g 0; XREADGROUP GROUP g c STREAMS x > | XACK x g 1-1 | XGROUP DELCONSUMER x g c
    XADD x 1-1 f v; XGROUP CREATE x g 0; XREADGROUP GROUP g c STREAMS x > | XCLAIM x g d 0 1-1 | XAUTOCLAIM x g d 0 0
    XADD x 1-1 f v; XGROUP CREATE x g 0; XREADGROUP GROUP g c STREAMS x >; XDEL x 1-1 | XCLAIM x g d 0 1-1 | XAUTOCLAIM x g d 0 0
";

/// Commands that have changed something whenever they are not a mistake.
const ALWAYS: &str = "setex psetex getset mset append incr decr incrby decrby incrbyfloat lpush rpush lset hset hmset \
    hincrby hincrbyfloat flushall flushdb swapdb xadd xsetid xgroup|create xgroup|setid";

/// Each command of such a list with what comes before it.
fn cases(list: &str) -> impl Iterator<Item = (&str, &str)> {
    let lines = list.lines().map(str::trim).filter(|line| !line.is_empty());
    lines.flat_map(|line| {
        let (before, commands) = line.split_once('|').expect("what comes before, a bar, and commands");
        commands.split('|').map(move |command| (before.trim(), command.trim()))
    })
}

/// A server with a log that nobody writes, and its one client.
struct Logged {
    talk: Talk,
    log: Log,
}

impl Logged {
    fn new(kind: Kind, config: Config) -> Self {
        let log = Log::new(Fsync::No);
        // Of one that is closed all is handed out at once, and nothing gathered first.
        log.close();
        Self { talk: Talk::with(kind, Server::new(config, START_MS, 7).with_log(log.clone())), log }
    }

    /// Sends requests one after the other, and waits until each is answered; what the last is answered.
    fn send(&mut self, requests: &str) -> String {
        let mut answer = String::new();
        for request in requests.split("; ").filter(|request| !request.is_empty()) {
            answer = self.talk.turn(&format!("1 {request}"));
            if answer.is_empty() {
                answer = self.talk.turn("pass 20");
            }
            assert!(!answer.is_empty(), "{request} waits");
        }
        answer
    }

    /// The records since the last call.
    fn records(&self) -> Vec<u8> {
        let mut records = self.log.take(Duration::ZERO, Vec::new()).records;
        seal(&mut records, 7);
        records
    }

    /// The commands in the records since the last call, a line a record.
    fn written(&self) -> Vec<String> {
        let bytes = self.records();
        let mut records = Records::new(7);
        records.feed(&bytes);
        let mut written = Vec::new();
        while let Some(content) = records.read_next().unwrap() {
            let Ok(Entry::Commands(mut commands)) = Entry::parse(content) else {
                panic!("expected commands")
            };
            let mut line = Vec::new();
            while let Some(Next { args, .. }) = commands.read_next().unwrap() {
                line.push(args.iter().map(String::from_utf8_lossy).collect::<Vec<_>>().join(" "));
            }
            written.push(line.join("; "));
        }
        written
    }
}

#[test]
fn a_command_is_written_down_if_it_changed_something() {
    for kind in SHARED {
        let mut server = Logged::new(kind, Config::default());
        for (list, is_written) in [(UNCHANGED, false), (CHANGED, true)] {
            for (before, command) in cases(list) {
                server.send("FLUSHALL");
                server.send(before);
                server.written();
                let answer = server.send(command);
                let written = server.written();
                assert_eq!(
                    !written.is_empty(),
                    is_written,
                    "under {kind}, {before} | {command} ({answer}): {written:?}"
                );
            }
        }
    }
}

#[test]
fn every_command_that_may_change_data_is_among_them() {
    let tried = |list: &'static str| -> BTreeSet<String> {
        let commands = cases(list).flat_map(|(_, command)| command.split("; "));
        let words = commands.map(|command| command.to_lowercase());
        words.map(|command| command.split(' ').take(2).collect::<Vec<_>>().join("|")).collect()
    };
    let (unchanged, changed) = (tried(UNCHANGED), tried(CHANGED));
    let has = |tried: &BTreeSet<String>, name: &str| {
        tried.iter().any(|words| words == name || words.split('|').next() == Some(name))
    };
    for spec in TABLE.iter().flat_map(|spec| std::iter::once(spec).chain(spec.subcommands)) {
        if spec.has(Flag::Write) && spec.subcommands.is_empty() {
            assert!(has(&changed, spec.name), "{} changes something", spec.name);
            let always = ALWAYS.split(' ').any(|name| name == spec.name);
            assert!(always || has(&unchanged, spec.name), "{} may change nothing", spec.name);
        }
    }
}

#[test]
fn who_waited_leaves_nothing_for_the_next_command_to_be_written_for() {
    for kind in SHARED {
        let mut server = Logged::new(kind, Config::default());
        assert_eq!(server.talk.turn("2 BLMOVE l o LEFT LEFT 0"), "");
        assert_eq!(server.talk.turn("1 RPUSH l a"), "1: 1; 2: a", "{kind}");
        assert_eq!(server.written(), ["RPUSH l a", "BLMOVE l o LEFT LEFT 0"], "{kind}");
        server.send("DEL m; LPUSH o b; LPUSHX m b");
        assert_eq!(server.written(), ["LPUSH o b"], "{kind}");
        // Nor does a mistake.
        server.send("INCR o; DEL m");
        assert_eq!(server.written(), Vec::<String>::new(), "{kind}");
    }
}

#[test]
fn who_waited_to_read_is_not_written_down() {
    for kind in SHARED {
        let mut server = Logged::new(kind, Config::default());
        assert_eq!(server.talk.turn("2 XREAD BLOCK 0 STREAMS x $"), "");
        let answers = server.talk.turn("1 XADD x 1-1 f v");
        assert!(answers.contains("2: "), "{kind}: {answers}");
        assert_eq!(server.written(), ["XADD x 1-1 f v"], "{kind}");
    }
}

#[test]
fn a_consumer_that_read_nothing_is_written_down_since_it_is_there() {
    // Redis makes it as well, and forgets it with the next start.
    for kind in SHARED {
        let mut server = Logged::new(kind, Config::default());
        server.send("XADD x 1-1 f v; XGROUP CREATE x g 0");
        server.written();
        server.send("XREADGROUP GROUP g c STREAMS x 0");
        assert_eq!(server.written(), ["XREADGROUP GROUP g c STREAMS x 0"], "{kind}");
    }
}

#[test]
fn a_transaction_is_one_record_which_is_written_and_synced_as_one() {
    for kind in SHARED {
        let log = Log::new(Fsync::Always);
        let mut talk = Talk::with(kind, Server::new(Config::default(), START_MS, 7).with_log(log.clone()));
        for request in ["MULTI", "SET a 1", "GET a", "DEL m", "RPUSH l 1 2", "INCR b"] {
            assert!(talk.turn(&format!("1 {request}")).starts_with("1: "), "{kind}: {request}");
        }
        assert_eq!(talk.turn("1 EXEC"), "", "{kind}: the disk has it not");
        let mut server = Logged { talk, log };
        let taken = server.log.take(Duration::ZERO, Vec::new());
        // One look at the disk is all it waits for.
        server.log.settled(taken.end);
        assert_eq!(server.talk.turn("pass 0"), "1: [OK 1 0 2 1]", "{kind}");
        let mut bytes = taken.records;
        seal(&mut bytes, 7);
        let mut records = Records::new(7);
        records.feed(&bytes);
        assert!(records.read_next().unwrap().is_some() && records.left() == 0, "{kind}: one record");
    }
}

/// What is there, read again from `records`, whatever has expired by `now_ms` left out.
fn read_again(records: &[u8], now_ms: u64) -> BTreeSet<String> {
    let mut stores = Stores::new(Kind::Sharded, &Options::default());
    let (mut found, mut replay) = (Records::new(7), Replay::new());
    found.feed(records);
    while let Some(content) = found.read_next().unwrap() {
        replay.apply(content, &mut stores).unwrap();
    }
    assert_eq!(replay.refused(), 0);
    let mut keys = BTreeSet::new();
    for index in 0..stores.count() {
        let store = stores.nth(index);
        let entries = (0..store.len()).filter_map(|position| store.at(position));
        keys.extend(
            entries
                .filter(|(_, entry)| !entry.is_expired(now_ms))
                .map(|(key, _)| String::from_utf8_lossy(key).into_owned()),
        );
    }
    keys
}

/// The keys that the server says it has.
fn keys(server: &mut Logged) -> BTreeSet<String> {
    let answer = server.send("KEYS *");
    let keys = answer.trim_start_matches("1: [").trim_end_matches(']').split(' ');
    keys.filter(|key| !key.is_empty()).map(str::to_owned).collect()
}

#[test]
fn no_key_that_was_evicted_comes_back() {
    let policies = [Policy::AllkeysLru, Policy::AllkeysLfu, Policy::AllkeysRandom, Policy::VolatileTtl];
    for (kind, policy) in SHARED.into_iter().zip(policies) {
        let config = Config { maxmemory: 60_000, maxmemory_policy: policy, ..Config::default() };
        let mut server = Logged::new(kind, config);
        let mut records = Vec::new();
        for number in 0..200 {
            let value = "x".repeat(number % 3 * 400 + 3);
            let expiry = if number % 4 == 0 { "" } else { " EX 1000" };
            server.send(&format!("SET key:{number} {value}{expiry}"));
            server.send(&format!("RPUSH list:{} {value}; EXPIRE list:{} 2000", number % 7, number % 7));
            server.send(&format!("GET key:{}", number / 2));
            records.extend(server.records());
        }
        let there = keys(&mut server);
        records.extend(server.records());
        assert!((10..150).contains(&there.len()), "{kind}, {}: {} keys", policy.name(), there.len());
        assert_eq!(read_again(&records, START_MS), there, "{kind}, {}", policy.name());
    }
}

#[test]
fn no_key_that_has_expired_comes_back() {
    for kind in SHARED {
        let mut server = Logged::new(kind, Config::default());
        for number in 0..100 {
            let [key_ms, set_ms] =
                [number / 50, number % 2].map(|later| if later == 0 { 40 } else { 50_000 });
            server.send(&format!("SET key:{number} v PX {key_ms}; SADD set:{number} a"));
            server.send(&format!("PEXPIRE set:{number} {set_ms}"));
        }
        server.talk.turn("pass 60");
        // Some are looked for and found gone, one is made anew; of the others nobody knows yet.
        server.send("GET key:1; EXISTS key:2 set:4; APPEND key:3 v; PERSIST key:4; SMOVE set:0 set:2 a");
        let records = server.records();
        let there = keys(&mut server);
        assert!(there.contains("key:3") && there.len() == 101, "{kind}: {}", there.len());
        // The clock of the server that reads it may be behind: what was found gone stays gone.
        for (now_ms, expected) in [(START_MS + 10_000, true), (START_MS, false)] {
            let again = read_again(&records, now_ms);
            assert_eq!(again == there, expected, "{kind}: {}", again.len());
            for gone in ["key:1", "key:2", "set:4", "key:4", "set:0"] {
                assert!(!again.contains(gone), "{kind}: {gone} is back");
            }
        }
    }
}
