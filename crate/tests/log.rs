//! The log against what it stands for: whatever clients do, replaying it gives the data that they left.
//!
//! Random commands of every family, by several clients at the same time, under every sharing, while time passes; then
//! everything that a client can find out is asked of the server and of the replay.

#[path = "support/local.rs"]
mod local;

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::BytesMut;
use fastrand::Rng;
use interleave::command::{Config, Peer, Server};
use interleave::engine::{CurrentThread, MultiThread, Step};
use interleave::log::entry::{Entry, Next};
use interleave::log::frame::{Records, seal};
use interleave::log::{Fsync, Log};
use interleave::resp::{ReplyDecoder, Value, encode_request};
use interleave::rt::{JoinHandle, Rt};
use interleave::session::Service;
use interleave::sharing::{Kind, Options, Replay, Sharing, Stores, snapshot};
use interleave::store::Keyspace;
use local::Local;
use proptest::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
use tokio::sync::watch;

/// What clients send. `K` stands for a key, `M` for a member, an element or a field, `N` for a small number, `S` for a
/// score, `T` for a time that passes while the test runs, `L` for one that does not.
const COMMANDS: &str = "\
    SET K M; SET K N; SET K M PX T; SET K M EX L XX; SET K M NX GET; SETEX K L M; PSETEX K T M; SETNX K M; \
    GETSET K N; GETEX K PX T; GETEX K PERSIST; GETDEL K; MSET K M K N; MSETNX K M K M; APPEND K M; \
    SETRANGE K N M; INCR K; DECRBY K N; INCRBYFLOAT K S; GET K; LPUSH K M M M; RPUSH K M M; LPUSHX K M; \
    RPUSHX K M; LPOP K; RPOP K N; LSET K N M; LINSERT K BEFORE M M; LREM K N M; LTRIM K N -2; \
    LMOVE K K LEFT RIGHT; RPOPLPUSH K K; LMPOP 2 K K RIGHT COUNT 2; LRANGE K 0 -1; HSET K M M M N; \
    HMSET K M M; HSETNX K M N; HDEL K M M; HINCRBY K M N; HINCRBYFLOAT K M S; HGETALL K; SADD K M M M M; \
    SADD K N N N; SREM K M M; SMOVE K K M; SPOP K; SPOP K N; SINTERSTORE K K K; SUNIONSTORE K K K; \
    SDIFFSTORE K K K; SMEMBERS K; SRANDMEMBER K N; ZADD K S M S M; ZADD K GT CH S M; ZADD K INCR S M; \
    ZINCRBY K S M; ZREM K M; ZPOPMIN K; ZPOPMAX K N; ZMPOP 1 K MAX; ZRANGESTORE K K 0 -2; \
    ZREMRANGEBYRANK K 0 N; ZREMRANGEBYSCORE K -1 N; ZREMRANGEBYLEX K [a [b; ZUNIONSTORE K 2 K K; \
    ZINTERSTORE K 2 K K WEIGHTS 2 N; ZDIFFSTORE K 2 K K; SORT K ALPHA STORE K; SORT K BY nosort STORE K; \
    DEL K; UNLINK K K; RENAME K K; RENAMENX K K; COPY K K REPLACE; EXPIRE K L; PEXPIRE K T; PEXPIRE K T GT; \
    PEXPIREAT K 1; PERSIST K; RANDOMKEY; EXISTS K K; FLUSHALL; SELECT 0; SELECT 0; SELECT 2; MOVE K 2; \
    MOVE K 0; SWAPDB 0 2; COPY K K DB 2 REPLACE; MULTI; EXEC; EXEC; WATCH K; DISCARD; BLPOP K K 0.05; \
    BRPOP K 0.5; BLMOVE K K LEFT RIGHT 0.3; BRPOPLPUSH K K 0.2; BLMPOP 0.3 2 K K LEFT COUNT 2; \
    BZPOPMIN K K 0.3; BZPOPMAX K 0.3; BZMPOP 0.2 1 K MIN; RPUSH queue M; \
    LPUSH queue M M; RPUSH queue M; ZADD ranks S M; ZADD ranks S M S M; SADD d M M M M; SPOP d; SPOP d 2; SADD d M M N M; \
    XADD stream * M M; XADD stream * M M M N; XADD stream MAXLEN ~ 100 * a N; XADD stream MAXLEN 30 * a N; \
    XTRIM stream MINID 5; XDEL stream 1-1; XGROUP CREATE stream M 0 MKSTREAM; XGROUP CREATE stream g $ MKSTREAM; \
    XREADGROUP GROUP g M COUNT 3 STREAMS stream >; XREADGROUP GROUP g M BLOCK 200 STREAMS stream >; \
    XREAD BLOCK 100 STREAMS stream $; XAUTOCLAIM stream g M 0 0 COUNT 5; XGROUP DELCONSUMER stream g M; \
    XGROUP DESTROY stream M; XSETID stream 99999999999999-0; DEL stream; NOSUCH K; GET; CLIENT SETNAME M";

/// Keys that meet, one of them too long to lie in the table.
const KEYS: [&str; 8] = ["a", "b", "c", "d", "e", "queue", "ranks", "a-key-of-more-than-twenty-two-bytes"];

/// Requests for everything that can be found out about the keys.
fn questions() -> Vec<Vec<String>> {
    let mut questions = Vec::new();
    for database in ["SELECT 0", "SELECT 2", "SELECT 1"] {
        questions.push(vec![database]);
        for key in KEYS {
            for question in [
                "TYPE K",
                "OBJECT ENCODING K",
                "PEXPIRETIME K",
                "GET K",
                "LRANGE K 0 -1",
                "HGETALL K",
                "SMEMBERS K",
                "ZRANGE K 0 -1 WITHSCORES",
                "ZSCAN K 0 COUNT 1000",
            ] {
                questions
                    .push(question.split(' ').map(|word| if word == "K" { key } else { word }).collect());
            }
        }
        for question in ["XINFO STREAM stream FULL COUNT 0", "TYPE stream"] {
            questions.push(question.split(' ').collect());
        }
        // Last: until then a key that has expired may still be counted.
        questions.push(vec!["DBSIZE"]);
    }
    let words =
        |question: Vec<&str>| question.iter().flat_map(|words| words.split(' ')).map(str::to_owned).collect();
    questions.into_iter().map(words).collect()
}

/// A request made by chance.
fn request(chance: &mut Rng) -> Vec<String> {
    // Emptying everything is rare, or there would be nothing to lose.
    let usual: Vec<&str> = COMMANDS.split("; ").filter(|command| *command != "FLUSHALL").collect();
    let command =
        if chance.u32(0..400) == 0 { "FLUSHALL" } else { usual[chance.u64(..usual.len() as u64) as usize] };
    // Mostly a key that holds what the command is for, or it would be a mistake mostly.
    let usual_key = match &command[..2] {
        "LP" | "RP" | "LS" | "LI" | "LR" | "LT" | "LM" => "b",
        "HS" | "HM" | "HD" | "HI" | "HG" => "c",
        "SA" | "SR" | "SM" | "SP" | "SI" | "SU" | "SD" => "d",
        "ZA" | "ZI" | "ZR" | "ZP" | "ZM" | "ZU" | "ZD" => "e",
        "BL" | "BR" => "queue",
        "BZ" => "ranks",
        _ => "",
    };
    let words = command.split(' ').map(|word| match word {
        "K" if !usual_key.is_empty() && chance.u32(0..4) > 0 => usual_key.to_owned(),
        "K" => KEYS[chance.u64(..KEYS.len() as u64) as usize].to_owned(),
        "M" => match chance.u32(0..8) {
            0 => "xy".repeat(chance.u64(1..60) as usize),
            1..4 => chance.i64(-3..700).to_string(),
            _ => char::from(b'a' + chance.u8(0..26)).to_string(),
        },
        "N" => chance.i64(0..700).min(chance.i64(0..700)).to_string(),
        "S" => (chance.i64(-8..8) as f64 / 4.0).to_string(),
        "T" => chance.u64(1..2_000).to_string(),
        "L" => chance.u64(1_000..1_000_000).to_string(),
        word => word.to_owned(),
    });
    let mut words: Vec<String> = words.collect();
    if matches!(&*words[0], "SADD" | "HSET" | "ZADD") && words.len() > 4 && chance.u32(0..6) == 0 {
        // Enough for a table, which the value then stays.
        let pair = words[words.len() - 2..].to_vec();
        for number in 0..150 {
            words.extend([pair[0].clone(), format!("{}{number}", pair[1])]);
        }
    }
    words
}

/// Sends `batches` one after the other with a pause before each, in milliseconds; all replies.
fn talk(rt: &Rt, service: &Service, batches: Vec<(u64, Vec<Vec<String>>)>) -> JoinHandle<Vec<Value>> {
    let (mut near, far) = duplex(1 << 16);
    service.spawn(far, Peer::default());
    let rt_here = rt.clone();
    rt.spawn("visitor", 0, async move {
        let (mut replies, mut decoder, mut arrived) = (Vec::new(), ReplyDecoder::default(), BytesMut::new());
        for (pause_ms, batch) in batches {
            rt_here.sleep(Duration::from_millis(pause_ms)).await;
            let mut bytes = BytesMut::new();
            batch.iter().for_each(|request| encode_request(request, &mut bytes));
            near.write_all(&bytes).await.unwrap();
            let wanted = replies.len() + batch.len();
            while replies.len() < wanted {
                match decoder.decode(&mut arrived).unwrap() {
                    Some(reply) => replies.push(reply),
                    None => assert!(near.read_buf(&mut arrived).await.unwrap() > 0, "the server closed"),
                }
            }
        }
        replies
    })
}

/// Runs clients made by `seed` on a server with a log; the log, and what the server answers to the questions in the
/// end.
macro_rules! live {
    ($engine:expr, $kind:expr, $seed:expr, $len:expr) => {{
        let mut engine = $engine;
        let rt = engine.rt();
        let log = Log::new(Fsync::No);
        let (_stop, stop) = watch::channel(false);
        let mut chance = Rng::with_seed($seed);
        let asked = engine.enter(|| {
            let server = Arc::new(Server::new(Config::default(), rt.unix_ms(), 7).with_log(log.clone()));
            let service = Service {
                sharing: Sharing::new($kind, OPTIONS, &rt, &server),
                server,
                rt: rt.clone(),
                unfinished_timeout: Duration::from_secs(10),
                idle_timeout: None,
                stop,
            };
            service.spawn_expiry();
            let mut clients = Vec::new();
            for _ in 0..3 {
                let batches = (0..$len).map(|_| {
                    let mut batch: Vec<_> = (0..chance.u64(1..12)).map(|_| request(&mut chance)).collect();
                    if chance.u32(0..8) == 0 {
                        batch.insert(0, vec!["MULTI".to_owned()]);
                        batch.push(vec!["EXEC".to_owned()]);
                    }
                    (chance.u64(0..300), batch)
                });
                clients.push(talk(&rt, &service, batches.collect()));
            }
            let (rt_here, asks) = (rt.clone(), service.clone());
            rt.spawn("asker", 0, async move {
                for client in clients {
                    client.await.unwrap();
                }
                // Until every short time is over: whether a key has expired is no question of a millisecond.
                talk(&rt_here, &asks, vec![(3_000, questions())]).await.unwrap()
            })
        });
        let mut asked = pin!(asked);
        let answers = loop {
            if let Poll::Ready(answers) = asked.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
                break answers.unwrap();
            }
            match engine.step() {
                Step::Polled => {}
                Step::Idle { next_deadline_ns: Some(at_ns) } => engine.advance_to(at_ns),
                Step::Idle { next_deadline_ns: None } => panic!("the clients wait for nothing"),
            }
        };
        let mut records = log.take(Duration::ZERO, Vec::new()).records;
        seal(&mut records, 7);
        (records, answers, rt.unix_ms())
    }};
}

const START_MS: u64 = 1_800_000_000_000;

const OPTIONS: Options = Options { shards: 3, actor_queue: 4, hold: Duration::ZERO, seed: 5 };

fn stores() -> Stores {
    Stores::new(Kind::Sharded, &Options { shards: 2, ..OPTIONS })
}

/// Carries out the records of `bytes`.
fn replay(bytes: &[u8], keyspace: &mut dyn Keyspace) -> Replay {
    let (mut records, mut replay) = (Records::new(7), Replay::new());
    records.feed(bytes);
    while let Some(content) = records.read_next().unwrap() {
        replay.apply(content, keyspace).unwrap();
    }
    assert_eq!((records.left(), replay.refused()), (0, 0));
    replay
}

/// What such data answers to the questions.
fn answers(keyspace: impl Keyspace, now_ms: u64) -> Vec<Value> {
    let mut local = Local::new(keyspace);
    local.now_ms = now_ms;
    questions().iter().map(|question| local.request(question)).collect()
}

fn check(kind: Kind, seed: u64) -> Result<(), TestCaseError> {
    let one = live!(CurrentThread::new(START_MS), kind, seed, 40);
    let four = live!(MultiThread::new(4, seed, START_MS), kind, seed, 40);
    for (records, expected, now_ms) in [one, four] {
        let mut stores = stores();
        let commands = replay(&records, &mut stores).commands();
        prop_assert!(commands > 100, "only {commands} commands were written");
        prop_assert_eq!(answers(stores, now_ms), &expected[..], "under {}", kind);

        // Compacted in the middle of it, at whatever record: the snapshot stands for what was before.
        let mut cuts = Records::new(7);
        cuts.feed(&records);
        let middle = Rng::with_seed(seed).u64(0..commands);
        for _ in 0..middle {
            if cuts.read_next().unwrap().is_none() {
                break;
            }
        }
        let cut = records.len() - cuts.left();
        let mut before = self::stores();
        replay(&records[..cut], &mut before);
        let mut compacted = Vec::new();
        let keys = snapshot(&mut before, 100, |draft| {
            seal(draft.records(), 7);
            compacted.extend_from_slice(draft.records());
            Ok::<_, ()>(())
        });
        prop_assert!(keys.is_ok());
        let mut after = Stores::new(Kind::Mutex, &OPTIONS);
        prop_assert!(replay(&compacted, &mut after).has_ended());
        replay(&records[cut..], &mut after);
        prop_assert_eq!(answers(after, now_ms), &expected[..], "under {}, compacted after {}", kind, middle);
    }
    Ok(())
}

proptest! {
    // A seed is no smaller for being a smaller number.
    #![proptest_config(ProptestConfig {
        cases: 12,
        max_shrink_iters: 0,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn a_replay_gives_what_clients_left_under_a_mutex(seed: u64) {
        check(Kind::Mutex, seed)?;
    }

    #[test]
    fn a_replay_gives_what_clients_left_under_an_async_mutex(seed: u64) {
        check(Kind::AsyncMutex, seed)?;
    }

    #[test]
    fn a_replay_gives_what_clients_left_under_shards(seed: u64) {
        check(Kind::Sharded, seed)?;
    }

    #[test]
    fn a_replay_gives_what_clients_left_with_an_actor(seed: u64) {
        check(Kind::Actor, seed)?;
    }
}

#[test]
fn the_clients_do_all_that_there_is_to_be_written() {
    let (mut databases, mut random, mut served, mut together, mut by_itself) = ([0; 3], 0, 0, 0, 0);
    for seed in 0..6 {
        let (bytes, ..) = live!(CurrentThread::new(START_MS), Kind::Sharded, seed, 40);
        let mut records = Records::new(7);
        records.feed(&bytes);
        while let Some(content) = records.read_next().unwrap() {
            let Ok(Entry::Commands(mut commands)) = Entry::parse(content) else {
                panic!("expected commands")
            };
            let mut count = 0;
            while let Some(Next { ran, args }) = commands.read_next().unwrap() {
                count += 1;
                databases[ran.database] += 1;
                random += u32::from(ran.seed.is_some());
                served += u32::from(ran.served.is_some());
                by_itself += u32::from(args.name() == b"DEL" && args.len() == 2);
            }
            together += u32::from(count > 2);
        }
    }
    let all = [databases[0], databases[2], random, served, together, by_itself];
    assert!(all.iter().all(|count| *count > 5), "{all:?}");
}

#[test]
fn what_is_each_connections_own_is_not_written() {
    let (records, ..) = live!(CurrentThread::new(START_MS), Kind::Isolated, 1, 10);
    assert!(records.is_empty());
}

/// A server whose log nobody writes, under every sharing: what its client has been answered after each of the `deeds`,
/// which are given the log.
fn answered(requests: &str, deeds: &[fn(&Log)]) -> Vec<String> {
    let mut all = Vec::new();
    for kind in [Kind::Mutex, Kind::AsyncMutex, Kind::Sharded, Kind::Actor] {
        let mut engine = CurrentThread::new(START_MS);
        let rt = engine.rt();
        let log = Log::new(Fsync::Always);
        let (_stop, stop) = watch::channel(false);
        let (mut near, far) = duplex(1 << 16);
        engine.enter(|| {
            let server = Arc::new(Server::new(Config::default(), rt.unix_ms(), 7).with_log(log.clone()));
            let service = Service {
                sharing: Sharing::new(kind, OPTIONS, &rt, &server),
                server,
                rt: rt.clone(),
                unfinished_timeout: Duration::from_secs(10),
                idle_timeout: None,
                stop,
            };
            service.spawn(far, Peer::default());
        });
        let mut cx = Context::from_waker(Waker::noop());
        assert!(pin!(near.write_all(requests.as_bytes())).poll(&mut cx).is_ready());
        let mut answers = Vec::new();
        for deed in [&[(|_| {}) as fn(&Log)], deeds].concat() {
            deed(&log);
            while matches!(engine.step(), Step::Polled) {}
            let mut arrived = BytesMut::with_capacity(1 << 16);
            let _ = pin!(near.read_buf(&mut arrived)).poll(&mut cx);
            answers.push(String::from_utf8(arrived.to_vec()).unwrap());
        }
        all.push(answers);
    }
    assert!(all.iter().all(|answers| *answers == all[0]), "{all:?}");
    all.swap_remove(0)
}

#[test]
fn with_always_no_reply_comes_before_the_disk_has_it() {
    let all_safe = |log: &Log| log.settled(log.take(Duration::ZERO, Vec::new()).end);
    let nothing_safe = |log: &Log| log.settled(0);
    assert_eq!(answered("GET k\r\n", &[]), ["$-1\r\n"]);
    assert_eq!(answered("SET k v\r\nGET k\r\n", &[nothing_safe, all_safe]), ["", "", "+OK\r\n$1\r\nv\r\n"]);
}

#[test]
fn with_always_no_write_is_said_to_be_done_that_cannot_be_written() {
    let full = |log: &Log| log.failed("No space left on device");
    let refused = "-MISCONF Errors writing to the AOF file: No space left on device\r\n";
    // The first two ran before it was known, and may come into the log after all; a reply that is told at once is not
    // taken back.
    assert_eq!(
        answered("PING\r\nSET k v\r\nGET k\r\nPING\r\nDEL k\r\nGET k\r\n", &[full]),
        ["", &*format!("+PONG\r\n{refused}{refused}+PONG\r\n{refused}$1\r\nv\r\n")]
    );
    // A transaction is refused as a whole, and one that changes nothing is not.
    let aborted = refused.replacen("-MISCONF", "-EXECABORT Transaction discarded because of: MISCONF", 1);
    assert_eq!(
        answered("SET k v\r\nMULTI\r\nGET k\r\nSET k w\r\nEXEC\r\nMULTI\r\nGET k\r\nEXEC\r\n", &[full]),
        ["", &*format!("{refused}+OK\r\n+QUEUED\r\n+QUEUED\r\n{aborted}+OK\r\n+QUEUED\r\n*1\r\n$1\r\nv\r\n")]
    );
}
