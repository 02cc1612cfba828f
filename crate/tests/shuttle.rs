//! What must hold however threads take turns, searched by shuttle: no update is lost, nothing of a transaction is seen alone,
//! nobody waits for each other, and who waits for a key is served once.
//!
//! Each client is a thread with a session of its own, over a pipe in memory, on a server whose locks are shuttle's. Schedules
//! are drawn at random and by priorities (PCT), from a seed: a failure prints the schedule that leads to it, for
//! `shuttle::replay`.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use interleave::command::{Config, Peer, Server};
use interleave::resp::{ReplyDecoder, Value, encode_request};
use interleave::rt::{Mutex, Rt, Timers};
use interleave::session::Service;
use interleave::sharing::{Kind, Options, Sharing};
use interleave::store::shard_of;
use shuttle::future::block_on;
use shuttle::scheduler::{PctScheduler, RandomScheduler};
use shuttle::thread::{self, JoinHandle};
use shuttle::{FailurePersistence, Runner};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::sync::watch;

const SEED: u64 = 20_261_125;

/// Schedules drawn at random, of every program under every sharing.
const RANDOM: usize = 150;

/// Schedules with so many changes of priority, of every program under every sharing.
const PCT: usize = 100;
const CHANGES: usize = 3;

const SHARDS: usize = 4;

const SHARED: [Kind; 4] = [Kind::Mutex, Kind::AsyncMutex, Kind::Sharded, Kind::Actor];

/// A server in a run of shuttle's.
struct World {
    service: Service,
    timers: Arc<Timers>,
    _stop: watch::Sender<bool>,
}

impl World {
    fn new(kind: Kind) -> Self {
        let timers = Arc::new(Timers::new(1_800_000_000_000));
        let rt = Rt::shuttle(Arc::clone(&timers));
        let server = Arc::new(Server::new(Config::default(), rt.unix_ms(), 7));
        let (stop, stopped) = watch::channel(false);
        let options = Options { shards: SHARDS, actor_queue: 2, ..Options::default() };
        let service = Service {
            sharing: Sharing::new(kind, options, &rt, &server),
            server,
            rt,
            unfinished_timeout: Duration::from_secs(10),
            idle_timeout: None,
            stop: stopped,
        };
        Self { service, timers, _stop: stop }
    }

    fn client(&self) -> Client {
        let (stream, end) = duplex(1 << 12);
        self.service.spawn(end, Peer::default());
        Client { stream, arrived: BytesMut::new(), decoder: ReplyDecoder::default() }
    }

    /// A thread that sends `batches` one after the other, each request of a batch behind a semicolon; all replies.
    fn sends(&self, batches: &[&str]) -> JoinHandle<Vec<Value>> {
        let mut client = self.client();
        let batches: Vec<String> = batches.iter().map(|batch| (*batch).to_owned()).collect();
        thread::spawn(move || batches.iter().flat_map(|batch| client.batch(batch)).collect())
    }
}

struct Client {
    stream: DuplexStream,
    arrived: BytesMut,
    decoder: ReplyDecoder,
}

impl Client {
    fn batch(&mut self, requests: &str) -> Vec<Value> {
        let mut bytes = BytesMut::new();
        let requests: Vec<&str> = requests.split("; ").collect();
        for request in &requests {
            encode_request(&request.split(' ').collect::<Vec<_>>(), &mut bytes);
        }
        block_on(async {
            self.stream.write_all(&bytes).await.expect("the server reads");
            let mut replies = Vec::new();
            while replies.len() < requests.len() {
                match self.decoder.decode(&mut self.arrived).expect("a good reply") {
                    Some(reply) => replies.push(reply),
                    None => {
                        let read = self.stream.read_buf(&mut self.arrived).await;
                        assert!(read.expect("the server writes") > 0, "a session has ended");
                    }
                }
            }
            replies
        })
    }

    fn ask(&mut self, request: &str) -> Value {
        self.batch(request).swap_remove(0)
    }
}

/// Runs `program` under every sharing, in many schedules.
fn search(program: fn(&World)) {
    for kind in SHARED {
        search_one(kind, program, FailurePersistence::Print);
    }
}

fn search_one(kind: Kind, program: fn(&World), failures: FailurePersistence) {
    let mut config = shuttle::Config::new();
    config.stack_size = 1 << 18;
    config.failure_persistence = failures;
    let run = move || program(&World::new(kind));
    Runner::new(RandomScheduler::new_from_seed(SEED, RANDOM), config.clone()).run(run);
    Runner::new(PctScheduler::new_from_seed(SEED, CHANGES, PCT), config).run(run);
}

/// What `search` comes to where `run` must fail.
fn failure(run: impl FnOnce()) -> String {
    let panic = catch_unwind(AssertUnwindSafe(run)).expect_err("no schedule failed");
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned())).expect("a panic with a text")
}

/// A key that lies in this shard.
fn key(shard: usize) -> String {
    (0..)
        .map(|number| format!("k{number}"))
        .find(|key| shard_of(key.as_bytes(), SHARDS) == shard)
        .expect("one does")
}

/// `requests` with the keys `a`, `b`, `c` and `d` each in a shard of its own, in that order.
fn spread(requests: &str) -> String {
    let word = |word: &str| match word {
        "a" => key(0),
        "b" => key(1),
        "c" => key(2),
        "d" => key(3),
        word => word.to_owned(),
    };
    // A semicolon stays with the word before it.
    let words = requests.split(' ').map(|text| match text.strip_suffix(';') {
        Some(text) => word(text) + ";",
        None => word(text),
    });
    words.collect::<Vec<_>>().join(" ")
}

fn joined(threads: Vec<JoinHandle<Vec<Value>>>) -> Vec<Vec<Value>> {
    threads.into_iter().map(|thread| thread.join().expect("a client's thread")).collect()
}

fn bulk(text: &str) -> Value {
    Value::Bulk(text.as_bytes().to_vec())
}

fn number(value: &Value) -> i64 {
    match value {
        Value::Integer(number) => *number,
        Value::Bulk(text) => String::from_utf8_lossy(text).parse().expect("a number"),
        Value::Null => 0,
        other => panic!("expected a number, found {other:?}"),
    }
}

fn array(value: &Value) -> &[Value] {
    match value {
        Value::Array(values) => values,
        other => panic!("expected an array, found {other:?}"),
    }
}

#[test]
fn no_update_is_lost() {
    search(|world| {
        let clients = joined((0..3).map(|_| world.sends(&["INCR n; INCR n", "INCR n"])).collect());
        let seen: BTreeSet<i64> = clients.iter().flatten().map(number).collect();
        assert_eq!(seen, (1..=9).collect());
        assert_eq!(world.client().ask("GET n"), bulk("9"));
    });
}

#[test]
fn nothing_of_a_transaction_is_seen_alone() {
    search(|world| {
        let writes = spread("MULTI; INCR a; INCR b; INCR c; EXEC");
        let reads = spread("MULTI; GET a; GET c; GET b; EXEC");
        let apart: Vec<&str> = reads.split("; ").collect();
        let threads =
            vec![world.sends(&[&writes, &writes]), world.sends(&[&reads, &reads]), world.sends(&apart)];
        let replies = joined(threads);
        for values in replies[1..].iter().flatten().filter(|reply| matches!(reply, Value::Array(_))) {
            let values: Vec<i64> = array(values).iter().map(number).collect();
            assert!(values.iter().all(|value| *value == values[0]), "{values:?}");
        }
    });
}

#[test]
fn nothing_of_a_command_on_several_shards_is_seen_alone() {
    search(|world| {
        let (one, two) = (spread("MSET a 1 b 1 c 1"), spread("MSET c 2 b 2 a 2"));
        let reads = spread("MGET b c a");
        let replies = joined(vec![
            world.sends(&[&one]),
            world.sends(&[&two]),
            world.sends(&[&reads, "DBSIZE", &reads]),
        ]);
        let [first, size, second] = &replies[2][..] else { panic!("three replies") };
        for values in [first, second] {
            let values: Vec<i64> = array(values).iter().map(number).collect();
            assert!(values.iter().all(|value| *value == values[0]), "{values:?}");
        }
        assert!([0, 3].contains(&number(size)), "{size:?}");
    });
}

#[test]
fn nobody_waits_for_each_other() {
    search(|world| {
        let mut client = world.client();
        client.batch(&spread("SET a x; SADD c m; RPUSH d 1 2; SET b2 y PX 1"));
        // Active expiry has its turn with every shard.
        world.timers.advance_to(10_000_000);
        world.service.spawn_expiry();
        // Each pair wants the same shards, named in the other order; the transactions want all of them.
        let threads = [
            ["RENAME a b", "SMOVE c b m", "MULTI; APPEND b y; APPEND a y; EXEC"],
            ["RENAME b a", "MSET d2 1 a2 1", "LMOVE d d LEFT RIGHT"],
            ["MULTI; LMOVE d c2 LEFT LEFT; LMOVE c2 d LEFT LEFT; EXEC", "MSET a2 2 d2 2", "FLUSHALL"],
        ];
        let threads = threads.map(|batches| {
            let batches = batches.map(spread);
            world.sends(&[&batches[0], &batches[1], &batches[2]])
        });
        joined(threads.into());
    });
}

#[test]
fn what_is_moved_to_and_fro_is_somewhere_and_once() {
    search(|world| {
        let mut client = world.client();
        client.batch(&spread("RPUSH a 1 2 3; SADD c m; SET d x"));
        let batches = |requests: [&str; 3]| requests.map(spread);
        let threads = [
            batches(["LMOVE a b LEFT RIGHT", "SMOVE c k m", "RENAME d e"]),
            batches(["LMOVE b a RIGHT LEFT", "SMOVE k c m", "RENAME e d"]),
            batches(["RPOPLPUSH a b", "SMOVE c k m; SMOVE k c m", "RENAMENX d e"]),
        ];
        joined(threads.map(|batches| world.sends(&[&batches[0], &batches[1], &batches[2]])).into());
        let counts = client.batch(&spread("LLEN a; LLEN b; SCARD c; SCARD k; EXISTS d; EXISTS e"));
        let counts: Vec<i64> = counts.iter().map(number).collect();
        assert_eq!([counts[0] + counts[1], counts[2] + counts[3], counts[4] + counts[5]], [3, 1, 1]);
    });
}

#[test]
fn a_watched_key_is_never_changed_in_between() {
    search(|world| {
        let threads: Vec<_> = (0..3)
            .map(|_| {
                let mut client = world.client();
                thread::spawn(move || {
                    let [key, other] = ["a", "b"].map(spread);
                    let seen = client.batch(&format!("WATCH {key} {other}; GET {key}"));
                    let next = number(&seen[1]) + 1;
                    client.batch(&format!("MULTI; SET {key} {next}; SET {other} {next}; EXEC"))
                })
            })
            .collect();
        let done = joined(threads).iter().filter(|replies| replies[3] != Value::Null).count();
        let values = array(&world.client().ask(&spread("MGET a b"))).iter().map(number).collect::<Vec<_>>();
        assert!(done > 0 && values == [done as i64; 2], "{done} transactions left {values:?}");
    });
}

#[test]
fn who_waits_for_several_keys_is_served_once() {
    search(|world| {
        let pops = spread("BLPOP a b c 0");
        let waiters = vec![world.sends(&[&pops]), world.sends(&[&pops])];
        let pushes = [spread("RPUSH b 1"), spread("MULTI; RPUSH a 2; RPUSH c 3; EXEC")];
        let pushing = pushes.iter().map(|push| world.sends(&[push])).collect();
        joined(pushing);
        let got = joined(waiters);
        let mut got: Vec<i64> = got.iter().map(|replies| number(&array(&replies[0])[1])).collect();
        let left = world.client().batch(&spread("LPOP a; LPOP b; LPOP c"));
        got.extend(left.iter().map(number).filter(|left| *left != 0));
        got.sort_unstable();
        assert_eq!(got, [1, 2, 3]);
    });
}

#[test]
fn who_waits_to_move_to_another_shard_is_served_in_turn() {
    search(|world| {
        let requests = ["BLMOVE a b LEFT RIGHT 0", "BLMOVE b c LEFT RIGHT 0", "BLMOVE c a LEFT RIGHT 0"];
        let waiters = requests.map(|request| world.sends(&[&spread(request)]));
        // Others lock the same shards meanwhile.
        let others =
            vec![world.sends(&[&spread("RPUSH a x")]), world.sends(&[&spread("MSET d 1 c2 1; MGET c2 d")])];
        joined(others);
        for replies in joined(waiters.into()) {
            assert_eq!(replies, [bulk("x")]);
        }
        let left = world.client().batch(&spread("LRANGE a 0 -1; EXISTS b c"));
        assert_eq!(left, [Value::Array(vec![bulk("x")]), Value::Integer(0)]);
    });
}

#[test]
fn a_client_is_served_or_gives_up_and_never_both() {
    search(|world| {
        let waiter = world.sends(&[&spread("BLMOVE a b LEFT LEFT 0.001")]);
        let pusher = world.sends(&[&spread("RPUSH a x")]);
        let timers = Arc::clone(&world.timers);
        let clock = thread::spawn(move || {
            thread::yield_now();
            timers.advance_to(1_000_000);
            timers.fire();
        });
        // Who begins to wait behind the clock's one turn finds the element, or is served.
        joined(vec![pusher]);
        clock.join().expect("nothing of it can fail");
        let got = joined(vec![waiter]).swap_remove(0).swap_remove(0);
        let left = world.client().batch(&spread("LRANGE a 0 -1; LRANGE b 0 -1"));
        let lists = |a: &[Value], b: &[Value]| [Value::Array(a.to_vec()), Value::Array(b.to_vec())];
        match got {
            Value::Null => assert_eq!(left, lists(&[bulk("x")], &[])),
            got => assert_eq!((got, &left[..]), (bulk("x"), &lists(&[], &[bulk("x")])[..])),
        }
    });
}

/// The search itself: what is known to go wrong is found.
mod finds {
    use super::*;

    #[test]
    fn an_update_lost_between_two_commands() {
        for kind in SHARED {
            let lost = failure(|| {
                let program = |world: &World| {
                    let threads: Vec<_> = (0..2)
                        .map(|_| {
                            let mut client = world.client();
                            thread::spawn(move || {
                                let next = number(&client.ask("GET n")) + 1;
                                client.batch(&format!("SET n {next}"))
                            })
                        })
                        .collect();
                    joined(threads);
                    assert_eq!(world.client().ask("GET n"), bulk("2"), "an update was lost");
                };
                search_one(kind, program, FailurePersistence::None);
            });
            assert!(lost.contains("an update was lost"), "under {kind}: {lost}");
        }
    }

    #[test]
    fn two_locks_taken_in_opposite_order() {
        let deadlock = failure(|| {
            let mut config = shuttle::Config::new();
            config.failure_persistence = FailurePersistence::None;
            let run = || {
                let locks = Arc::new([(); 2].map(|()| Mutex::new("lock", 0, ())));
                let other = Arc::clone(&locks);
                let thread = thread::spawn(move || {
                    let _first = other[1].lock();
                    drop(other[0].lock());
                });
                let first = locks[0].lock();
                drop(locks[1].lock());
                drop(first);
                thread.join().expect("it ends, or never");
            };
            Runner::new(RandomScheduler::new_from_seed(SEED, RANDOM), config).run(run);
        });
        assert!(deadlock.contains("deadlock"), "{deadlock}");
    }
}
