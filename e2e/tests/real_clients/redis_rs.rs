//! A session of redis-rs that uses every family of commands. Every step says what the client is to hand to its caller.
//!
//! Which families there are is asked of the server: one that this session has no part on is a failure.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::thread;
use std::time::{Duration, Instant};

use redis::streams::{
    StreamClaimReply, StreamInfoConsumersReply, StreamInfoGroupsReply, StreamInfoStreamReply, StreamMaxlen,
    StreamPendingCountReply, StreamPendingReply, StreamRangeReply, StreamReadOptions, StreamReadReply,
};
use redis::{
    Client, Commands, Connection, Direction, ErrorKind, ExistenceCheck, FromRedisValue, LposOptions,
    RedisResult, SetExpiry, SetOptions, Value, cmd,
};

/// Properties of commands, which are no families.
const PROPERTIES: [&str; 6] = ["read", "write", "fast", "slow", "admin", "dangerous"];

/// Families that Redis has and this project leaves out, as its README says.
const LEFT_OUT: [&str; 4] = ["bitmap", "hyperloglog", "geo", "scripting"];

/// A part of the session.
type Part = fn(&Session, &mut Connection) -> RedisResult<()>;

/// The parts of the session, by family.
const FAMILIES: [(&str, Part); 11] = [
    ("connection", Session::connection),
    ("keyspace", Session::keyspace),
    ("string", Session::string),
    ("list", Session::list),
    ("hash", Session::hash),
    ("set", Session::set),
    ("sortedset", Session::sorted_set),
    ("blocking", Session::blocking),
    ("pubsub", Session::pubsub),
    ("transaction", Session::transaction),
    ("stream", Session::stream),
];

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Runs the session against the server at `port`, which is spoken to in `protocol`, `resp2` or `resp3`; the families that it
/// had a part on.
///
/// # Panics
/// When the client hands back something else than it should.
pub(crate) fn session(port: u16, protocol: &str) -> BTreeSet<String> {
    let url = format!("redis://127.0.0.1:{port}/?protocol={protocol}");
    let client = Client::open(url).expect("a well-formed address");
    let mut r = connect(&client);
    let commands: Vec<Value> = cmd("COMMAND").query(&mut r).expect("COMMAND is answered");
    let (names, categories) = names_and_categories(&commands);
    let mut families = categories;
    families.retain(|name| !PROPERTIES.iter().chain(&LEFT_OUT).any(|other| other == name));
    let covered = FAMILIES.iter().map(|(name, _)| (*name).to_owned()).collect();
    let missing: Vec<_> = families.difference(&covered).collect();
    assert!(missing.is_empty(), "the session has no part on {missing:?}");

    let session = Session { client, names };
    for (name, part) in FAMILIES.iter().filter(|(name, _)| families.contains(*name)) {
        let _: () = r.flushall().expect("FLUSHALL is answered");
        part(&session, &mut r).unwrap_or_else(|error| panic!("in the family {name}: {error}"));
    }
    families
}

fn connect(client: &Client) -> Connection {
    let connection = client.get_connection_with_timeout(PATIENCE).expect("the server accepts");
    connection.set_read_timeout(Some(PATIENCE)).expect("a timeout above zero");
    connection
}

/// The names of `commands`, and the categories they are in, as COMMAND lists them.
fn names_and_categories(commands: &[Value]) -> (HashSet<String>, BTreeSet<String>) {
    let (mut names, mut categories) = (HashSet::new(), BTreeSet::new());
    for command in commands {
        let fields = command.as_sequence().expect("each command is an array");
        names.insert(String::from_redis_value_ref(&fields[0]).expect("its name is first"));
        let of_it = Vec::<String>::from_redis_value_ref(&fields[6]).expect("its categories are seventh");
        categories.extend(of_it.iter().map(|name| name.trim_start_matches('@').to_owned()));
    }
    (names, categories)
}

struct Session {
    client: Client,
    names: HashSet<String>,
}

/// Expects that `found`, answered as a type of the caller's choice, is `expected`.
#[track_caller]
fn expect<T: PartialEq + std::fmt::Debug>(found: RedisResult<T>, expected: impl Into<T>) {
    let expected = expected.into();
    match found {
        Ok(found) => assert_eq!(found, expected),
        Err(error) => panic!("expected {expected:?}, found the error {error}"),
    }
}

#[track_caller]
fn expect_error(found: RedisResult<Value>, words: &str) {
    match found {
        Ok(found) => panic!("expected an error with {words:?}, found {found:?}"),
        Err(error) => {
            assert!(error.to_string().contains(words), "expected an error with {words:?}, found {error}");
        }
    }
}

fn strings(words: &[&str]) -> Vec<String> {
    words.iter().map(ToString::to_string).collect()
}

fn set_of(words: &[&str]) -> HashSet<String> {
    words.iter().map(ToString::to_string).collect()
}

impl Session {
    fn connection(&self, r: &mut Connection) -> RedisResult<()> {
        expect(r.ping::<String>(), "PONG");
        expect(cmd("ECHO").arg("h\u{e9}llo").query::<String>(r), "h\u{e9}llo");
        let mut named = connect(&self.client);
        expect(named.client_setname::<_, String>("shelf"), "OK");
        expect(named.client_getname::<String>(), "shelf");
        let id: u64 = named.client_id()?;
        let list: String = cmd("CLIENT").arg("LIST").query(r)?;
        assert!(
            list.lines().any(|line| line.starts_with(&format!("id={id} ")) && line.contains("name=shelf"))
        );
        expect_error(cmd("NONSENSE").arg(1).query(r), "unknown command");
        expect_error(cmd("GET").query(r), "wrong number of arguments");
        Ok(())
    }

    fn keyspace(&self, r: &mut Connection) -> RedisResult<()> {
        let users: Vec<(String, u32)> = (0..500).map(|number| (format!("user:{number}"), number)).collect();
        expect(r.mset::<_, _, String>(&users), "OK");
        expect(cmd("DBSIZE").query::<u32>(r), 500_u32);
        let scanned: HashSet<String> = r.scan_match("user:1?")?.collect::<RedisResult<_>>()?;
        assert_eq!(scanned.len(), 10);
        expect(r.keys::<_, Vec<String>>("user:?").map(|keys| keys.len()), 10_usize);
        expect(r.exists::<_, u32>(&["user:1", "user:2", "nobody"]), 2_u32);
        expect(r.key_type::<_, String>("user:1"), "string");
        expect(r.expire::<_, bool>("user:1", 100), true);
        assert!(r.ttl::<_, i64>("user:1")? > 90);
        expect(r.persist::<_, bool>("user:1"), true);
        expect(r.ttl::<_, i64>("user:1"), -1);
        expect(r.expire_at::<_, bool>("user:2", 4_000_000_000), true);
        expect(r.expire_time::<_, i64>("user:2"), 4_000_000_000_i64);
        expect(r.rename::<_, _, String>("user:3", "renamed"), "OK");
        expect(r.rename_nx::<_, _, bool>("renamed", "user:4"), false);
        expect(cmd("COPY").arg(&["renamed", "copied"]).query::<bool>(r), true);
        expect(r.get::<_, u32>("copied"), 3_u32);
        r.sadd::<_, _, ()>("digits", &[1, 2])?;
        expect(r.object_encoding::<_, String>("digits"), "intset");
        expect(r.unlink::<_, u32>(&["copied", "renamed"]), 2_u32);
        r.rpush::<_, _, ()>("numbers", &[3, 1, 2])?;
        expect(cmd("SORT").arg("numbers").query::<Vec<u32>>(r), [1, 2, 3]);
        if self.names.contains("swapdb") {
            let mut other = connect(&self.client);
            expect(cmd("SELECT").arg(5).query::<String>(&mut other), "OK");
            expect(cmd("MOVE").arg("numbers").arg(5).query::<bool>(r), true);
            expect(other.keys::<_, Vec<String>>("*"), strings(&["numbers"]));
            expect(cmd("SWAPDB").arg(0).arg(5).query::<String>(r), "OK");
            expect(r.keys::<_, Vec<String>>("*"), strings(&["numbers"]));
        }
        expect(r.flushall::<String>(), "OK");
        let info: redis::InfoDict = cmd("INFO").query(r)?;
        assert!(info.get::<String>("redis_version").is_some_and(|version| version.starts_with("7.")));
        Ok(())
    }

    fn string(&self, r: &mut Connection) -> RedisResult<()> {
        let new =
            SetOptions::default().conditional_set(ExistenceCheck::NX).with_expiration(SetExpiry::EX(100));
        expect(r.set_options::<_, _, Option<String>>("k", "v", new.clone()), "OK".to_owned());
        expect(r.set_options::<_, _, Option<String>>("k", "w", new), None);
        expect(r.set_options::<_, _, String>("k", "w", SetOptions::default().get(true)), "v");
        expect(r.get_del::<_, String>("k"), "w");
        expect(r.get::<_, Option<String>>("k"), None);
        expect(r.append::<_, _, u32>("k", "hello"), 5_u32);
        expect(r.setrange::<_, _, u32>("k", 1, "ipp"), 5_u32);
        expect(r.getrange::<_, String>("k", 0, -2), "hipp");
        expect(r.strlen::<_, u32>("k"), 5_u32);
        expect(r.incr::<_, _, i64>("n", 6), 6);
        expect(r.decr::<_, _, i64>("n", 3), 3);
        expect(r.incr::<_, _, f64>("n", 0.5), 3.5);
        expect(r.mset_nx::<_, _, bool>(&[("n", 1), ("m", 1)]), false);
        expect(r.mget::<_, Vec<Option<f64>>>(&["n", "m"]), [Some(3.5), None]);
        expect(r.set_ex::<_, _, String>("t", 1, 100), "OK");
        expect(r.set_nx::<_, _, bool>("t", 1), false);
        expect(r.getset::<_, _, u32>("t", 2), 1_u32);
        expect_error(r.incr("k", 1), "value is not an integer");
        let bytes: Vec<u8> = (0..=255).cycle().take(256_000).collect();
        expect(r.set::<_, _, String>("bytes", &bytes), "OK");
        expect(r.get::<_, Vec<u8>>("bytes"), bytes);
        Ok(())
    }

    fn list(&self, r: &mut Connection) -> RedisResult<()> {
        expect(r.rpush::<_, _, u32>("l", &["a", "b", "c"]), 3_u32);
        expect(r.lpush::<_, _, u32>("l", "z"), 4_u32);
        expect(r.lpush_exists::<_, _, u32>("none", 1), 0_u32);
        expect(r.rpush_exists::<_, _, u32>("l", "d"), 5_u32);
        expect(r.lrange::<_, Vec<String>>("l", 0, -1), strings(&["z", "a", "b", "c", "d"]));
        expect(r.lpop::<_, String>("l", None), "z");
        expect(r.rpop::<_, Vec<String>>("l", std::num::NonZero::new(2)), strings(&["d", "c"]));
        expect(r.linsert_after::<_, _, _, u32>("l", "a", "x"), 3_u32);
        expect(r.lindex::<_, String>("l", 1), "x");
        expect(r.lset::<_, _, String>("l", 1, "y"), "OK");
        expect(r.lpos::<_, _, u32>("l", "y", LposOptions::default()), 1_u32);
        expect(r.lrem::<_, _, u32>("l", 0, "y"), 1_u32);
        expect(r.lmove::<_, _, String>("l", "m", Direction::Left, Direction::Right), "a");
        expect(r.rpoplpush::<_, _, String>("l", "m"), "b");
        let popped = r.lmpop::<_, (String, Vec<String>)>(2, &["l", "m"], Direction::Left, 5);
        expect(popped, ("m".to_owned(), strings(&["b", "a"])));
        expect(r.llen::<_, u32>("m"), 0_u32);
        r.rpush::<_, _, ()>("l", &[1, 2, 3])?;
        expect(r.ltrim::<_, String>("l", 0, 1), "OK");
        expect_error(r.get("l"), "WRONGTYPE");
        Ok(())
    }

    fn hash(&self, r: &mut Connection) -> RedisResult<()> {
        expect(r.hset_multiple::<_, _, _, String>("h", &[("a", "1"), ("b", "two")]), "OK");
        expect(r.hget::<_, _, String>("h", "b"), "two");
        expect(r.hmget::<_, _, Vec<Option<u32>>>("h", &["a", "none"]), [Some(1), None]);
        let all = HashMap::from([("a".to_owned(), "1".to_owned()), ("b".to_owned(), "two".to_owned())]);
        expect(r.hgetall::<_, HashMap<String, String>>("h"), all);
        expect(r.hkeys::<_, Vec<String>>("h"), strings(&["a", "b"]));
        expect(r.hvals::<_, Vec<String>>("h"), strings(&["1", "two"]));
        expect(r.hexists::<_, _, bool>("h", "a"), true);
        expect(r.hlen::<_, u32>("h"), 2_u32);
        expect(r.hset_nx::<_, _, _, bool>("h", "a", 2), false);
        expect(r.hincr::<_, _, _, i64>("h", "a", 4), 5);
        expect(r.hincr::<_, _, _, f64>("h", "a", 0.25), 5.25);
        let scanned: HashMap<String, String> =
            r.hscan::<_, (String, String)>("h")?.collect::<RedisResult<_>>()?;
        assert_eq!(scanned.len(), 2);
        expect(cmd("HRANDFIELD").arg("h").query::<Option<String>>(r).map(|field| field.is_some()), true);
        expect(r.hdel::<_, _, u32>("h", &["a", "none"]), 1_u32);
        Ok(())
    }

    fn set(&self, r: &mut Connection) -> RedisResult<()> {
        expect(r.sadd::<_, _, u32>("s", &[1, 2, 3]), 3_u32);
        expect(r.sadd::<_, _, u32>("t", &[2, 3, 4]), 3_u32);
        expect(r.smembers::<_, HashSet<String>>("s"), set_of(&["1", "2", "3"]));
        expect(r.scard::<_, u32>("s"), 3_u32);
        expect(r.sismember::<_, _, bool>("s", 1), true);
        expect(r.smismember::<_, _, Vec<bool>>("s", &[1, 9]), [true, false]);
        expect(r.sinter::<_, HashSet<String>>(&["s", "t"]), set_of(&["2", "3"]));
        expect(r.sunion::<_, HashSet<String>>(&["s", "t"]), set_of(&["1", "2", "3", "4"]));
        expect(r.sdiff::<_, HashSet<String>>(&["s", "t"]), set_of(&["1"]));
        expect(r.sinterstore::<_, _, u32>("i", &["s", "t"]), 2_u32);
        expect(r.sunionstore::<_, _, u32>("u", &["s", "t"]), 4_u32);
        expect(r.sdiffstore::<_, _, u32>("d", &["s", "t"]), 1_u32);
        expect(cmd("SINTERCARD").arg(&["2", "s", "t"]).query::<u32>(r), 2_u32);
        expect(r.smove::<_, _, _, bool>("s", "t", 1), true);
        expect(r.srem::<_, _, u32>("s", &[2, 9]), 1_u32);
        expect(r.srandmember::<_, String>("s"), "3");
        let scanned: HashSet<String> = r.sscan("u")?.collect::<RedisResult<_>>()?;
        assert_eq!(scanned, set_of(&["1", "2", "3", "4"]));
        expect(r.spop::<_, String>("s"), "3");
        Ok(())
    }

    fn sorted_set(&self, r: &mut Connection) -> RedisResult<()> {
        let scored = |pairs: &[(&str, f64)]| -> Vec<(String, f64)> {
            pairs.iter().map(|(member, score)| ((*member).to_owned(), *score)).collect()
        };
        expect(r.zadd_multiple::<_, _, _, u32>("z", &[(1.0, "a"), (2.5, "b"), (4.0, "c")]), 3_u32);
        expect(r.zscore::<_, _, f64>("z", "b"), 2.5);
        expect(r.zscore_multiple::<_, _, Vec<Option<f64>>>("z", &["a", "none"]), [Some(1.0), None]);
        expect(r.zincr::<_, _, _, f64>("z", "b", 1.5), 4.0);
        expect(r.zrank::<_, _, u32>("z", "a"), 0_u32);
        expect(r.zrevrank::<_, _, u32>("z", "a"), 2_u32);
        let all = scored(&[("a", 1.0), ("b", 4.0), ("c", 4.0)]);
        expect(r.zrange_withscores::<_, Vec<(String, f64)>>("z", 0, -1), all.clone());
        expect(r.zrevrange::<_, Vec<String>>("z", 0, 0), strings(&["c"]));
        expect(r.zrangebyscore::<_, _, _, Vec<String>>("z", 1, 2), strings(&["a"]));
        expect(r.zrangebylex::<_, _, _, Vec<String>>("z", "[b", "+"), strings(&["b", "c"]));
        expect(r.zcount::<_, _, _, u32>("z", "-inf", 3), 1_u32);
        expect(r.zlexcount::<_, _, _, u32>("z", "-", "+"), 3_u32);
        expect(cmd("ZRANGESTORE").arg(&["y", "z", "0", "1"]).query::<u32>(r), 2_u32);
        expect(r.zunionstore::<_, _, u32>("u", &["z", "y"]), 3_u32);
        expect(r.zinterstore::<_, _, u32>("i", &["z", "y"]), 2_u32);
        expect(cmd("ZDIFF").arg(&["2", "z", "y"]).query::<Vec<String>>(r), strings(&["c"]));
        let mut scanned: Vec<(String, f64)> = r.zscan("z")?.collect::<RedisResult<_>>()?;
        scanned.sort_by(|a, b| a.0.cmp(&b.0));
        assert_eq!(scanned, all);
        expect(r.zrandmember::<_, Vec<String>>("z", Some(3)).map(|found| found.len()), 3_usize);
        expect(r.zremrangebyrank::<_, u32>("u", 0, 0), 1_u32);
        expect(r.zrembyscore::<_, _, _, u32>("u", 8, 8), 1_u32);
        expect(r.zrembylex::<_, _, _, u32>("u", "-", "+"), 1_u32);
        expect(r.zpopmin::<_, Vec<(String, f64)>>("z", 1), scored(&[("a", 1.0)]));
        expect(r.zpopmax::<_, Vec<(String, f64)>>("z", 1), scored(&[("c", 4.0)]));
        let popped = r.zmpop_min::<_, (String, Vec<(String, f64)>)>(&["none", "z"], 1);
        expect(popped, ("z".to_owned(), scored(&[("b", 4.0)])));
        expect(r.zrem::<_, _, u32>("y", &["a", "none"]), 1_u32);
        Ok(())
    }

    /// What `wait` gives on a connection of its own when `bring` runs while it waits.
    fn while_waiting<T: Send>(
        &self,
        wait: impl FnOnce(&mut Connection) -> RedisResult<T> + Send,
        bring: impl FnOnce(&mut Connection) -> RedisResult<()>,
    ) -> RedisResult<T> {
        let (mut waiter, mut other) = (connect(&self.client), connect(&self.client));
        thread::scope(|scope| {
            let waiting = scope.spawn(move || wait(&mut waiter));
            loop {
                let list: String = cmd("CLIENT").arg("LIST").query(&mut other)?;
                if list.contains(" flags=b ") {
                    break;
                }
                assert!(!waiting.is_finished(), "a client that should wait did not");
                thread::sleep(Duration::from_millis(5));
            }
            bring(&mut other)?;
            waiting.join().expect("the waiting thread does not panic")
        })
    }

    fn blocking(&self, r: &mut Connection) -> RedisResult<()> {
        let pair = |key: &str, element: &str| (key.to_owned(), element.to_owned());
        let popped = self.while_waiting(|w| w.blpop(&["q", "p"], 0.0), |o| o.rpush("p", &[1, 2]));
        expect::<(String, String)>(popped, pair("p", "1"));
        expect(r.brpop::<_, (String, String)>("p", 0.0), pair("p", "2"));
        expect(r.blpop::<_, Option<(String, String)>>("p", 0.05), None);
        let moved = self.while_waiting(
            |w| w.blmove("a", "b", Direction::Left, Direction::Right, 0.0),
            |o| o.rpush("a", "x"),
        );
        expect::<String>(moved, "x");
        expect(r.brpoplpush::<_, _, String>("b", "a", 0.0), "x");
        let several = self.while_waiting(|w| w.blmpop(0.0, 1, "q", Direction::Left, 1), |o| o.rpush("q", 7));
        expect::<(String, Vec<u32>)>(several, ("q".to_owned(), vec![7]));
        let members = [(1, "m"), (2, "n")];
        let least = self.while_waiting(|w| w.bzpopmin("z", 0.0), |o| o.zadd_multiple("z", &members));
        expect::<(String, String, f64)>(least, ("z".to_owned(), "m".to_owned(), 1.0));
        expect(r.bzpopmax::<_, (String, String, f64)>("z", 0.0), ("z".to_owned(), "n".to_owned(), 2.0));
        let most = self.while_waiting(|w| w.bzmpop_max(0.0, "z", 1), |o| o.zadd_multiple("z", &members));
        expect::<(String, Vec<(String, f64)>)>(most, ("z".to_owned(), vec![("n".to_owned(), 2.0)]));
        Ok(())
    }

    /// Asks again and again until `is_so`.
    fn wait_until(
        r: &mut Connection,
        is_so: impl Fn(&mut Connection) -> RedisResult<bool>,
    ) -> RedisResult<()> {
        let began = Instant::now();
        while !is_so(r)? {
            assert!(began.elapsed() < PATIENCE, "it does not come to what was awaited");
            thread::sleep(Duration::from_millis(2));
        }
        Ok(())
    }

    fn pubsub(&self, r: &mut Connection) -> RedisResult<()> {
        let mut listening = connect(&self.client);
        let mut subscriber = listening.as_pubsub();
        subscriber.set_read_timeout(Some(PATIENCE))?;
        subscriber.subscribe(&["news", "other"])?;
        subscriber.psubscribe("n*")?;
        // redis-rs does not wait for every confirmation.
        Self::wait_until(r, |r| Ok(cmd("PUBSUB").arg("NUMPAT").query::<u32>(r)? == 1))?;
        expect(r.publish::<_, _, u32>("news", "hello"), 2_u32);
        let mut heard = Vec::new();
        for _ in 0..2 {
            let message = subscriber.get_message()?;
            heard.push((
                message.get_channel_name().to_owned(),
                message.get_payload()?,
                message.from_pattern(),
            ));
        }
        let [channel, payload] = ["news", "hello"].map(str::to_owned);
        let expected = [(channel.clone(), payload.clone(), false), (channel, payload, true)];
        assert_eq!(heard, expected);
        let mut channels: Vec<String> = cmd("PUBSUB").arg("CHANNELS").query(r)?;
        channels.sort();
        assert_eq!(channels, ["news", "other"]);
        subscriber.unsubscribe("news")?;
        subscriber.punsubscribe("n*")?;
        Self::wait_until(r, |r| Ok(cmd("PUBSUB").arg("NUMPAT").query::<u32>(r)? == 0))?;
        expect(r.publish::<_, _, u32>("news", "nobody hears"), 0_u32);
        drop(subscriber);
        expect(cmd("ECHO").arg("free again").query::<String>(&mut listening), "free again");
        Ok(())
    }

    fn transaction(&self, r: &mut Connection) -> RedisResult<()> {
        let mut batch = redis::pipe();
        batch.atomic().set("k", 1).ignore().incr("k", 1).lpush("l", "a").lrange("l", 0, -1);
        expect(batch.query::<(i64, i64, Vec<String>)>(r), (2, 1, strings(&["a"])));
        let mut other = connect(&self.client);
        let mut tries = 0;
        let counted: Option<(i64,)> = redis::transaction(r, &["k"], |r, batch| {
            let value: i64 = r.get("k")?;
            tries += 1;
            if tries == 1 {
                // Somebody else comes in between: the first try is void.
                other.incr::<_, _, ()>("k", 1)?;
            }
            batch.set("k", value * 10).ignore().incr("k", 1).query(r)
        })
        .map(Some)?;
        assert_eq!((counted, tries), (Some((31,)), 2));
        expect(cmd("MULTI").query::<String>(r), "OK");
        expect(cmd("INCR").arg("k").query::<String>(r), "QUEUED");
        expect(cmd("DISCARD").query::<String>(r), "OK");
        expect(r.get::<_, i64>("k"), 31);
        let error = cmd("EXEC").query::<Value>(r).expect_err("no transaction is open");
        assert!(matches!(error.kind(), ErrorKind::Server(_)), "{error}");
        Ok(())
    }

    fn stream(&self, r: &mut Connection) -> RedisResult<()> {
        expect(r.xadd::<_, _, _, _, String>("x", "5-1", &[("n", 1)]), "5-1");
        expect(r.xadd::<_, _, _, _, String>("x", "5-*", &[("n", 2)]), "5-2");
        let bounded = StreamMaxlen::Equals(10);
        expect(r.xadd_maxlen::<_, _, _, _, String>("x", bounded, "6-0", &[("n", 3)]), "6-0");
        expect(r.xlen::<_, u32>("x"), 3_u32);
        let range: StreamRangeReply = r.xrange("x", "5-2", "+")?;
        assert_eq!(ids(&range.ids), ["5-2", "6-0"]);
        assert_eq!(range.ids[0].get::<u32>("n"), Some(2));
        let last: StreamRangeReply = r.xrevrange_count("x", "+", "-", 1)?;
        assert_eq!(ids(&last.ids), ["6-0"]);
        let one = StreamReadOptions::default().count(1);
        let read: StreamReadReply =
            r.xread_options::<_, _, Option<_>>(&["x"], &["5-1"], &one)?.expect("an entry");
        assert_eq!(ids(&read.keys[0].ids), ["5-2"]);
        let block = StreamReadOptions::default().block(0);
        let came: Option<StreamReadReply> = self.while_waiting(
            |w| w.xread_options(&["x"], &["$"], &block),
            |o| o.xadd("x", "7-0", &[("n", 4)]),
        )?;
        assert_eq!(ids(&came.expect("an entry").keys[0].ids), ["7-0"]);
        expect(r.xdel::<_, _, u32>("x", &["7-0"]), 1_u32);
        expect(r.xgroup_create::<_, _, _, String>("x", "g", "0"), "OK");
        expect_error(r.xgroup_create("x", "g", "0"), "BUSYGROUP");
        expect(r.xgroup_createconsumer::<_, _, _, bool>("x", "g", "bob"), true);
        let as_ann = StreamReadOptions::default().group("g", "ann").count(2);
        let read: StreamReadReply =
            r.xread_options::<_, _, Option<_>>(&["x"], &[">"], &as_ann)?.expect("entries");
        assert_eq!(ids(&read.keys[0].ids), ["5-1", "5-2"]);
        expect(r.xack::<_, _, _, u32>("x", "g", &["5-1"]), 1_u32);
        let pending: StreamPendingReply = r.xpending("x", "g")?;
        assert_eq!(pending.count(), 1);
        let each: StreamPendingCountReply = r.xpending_count("x", "g", "-", "+", 10)?;
        assert_eq!((each.ids[0].id.as_str(), each.ids[0].consumer.as_str()), ("5-2", "ann"));
        let claimed: StreamClaimReply = r.xclaim("x", "g", "bob", 0, &["5-2"])?;
        assert_eq!(ids(&claimed.ids), ["5-2"]);
        let (_, found, _) = cmd("XAUTOCLAIM").arg(&["x", "g", "ann", "0", "0", "JUSTID"]).query::<(
            String,
            Vec<String>,
            Vec<String>,
        )>(r)?;
        assert_eq!(found, ["5-2"]);
        let stream: StreamInfoStreamReply = r.xinfo_stream("x")?;
        assert_eq!((stream.length, stream.groups), (3, 1));
        let groups: StreamInfoGroupsReply = r.xinfo_groups("x")?;
        assert_eq!(groups.groups[0].name, "g");
        let consumers: StreamInfoConsumersReply = r.xinfo_consumers("x", "g")?;
        assert_eq!(consumers.consumers.len(), 2);
        expect(r.xgroup_setid::<_, _, _, String>("x", "g", "0"), "OK");
        expect(r.xgroup_delconsumer::<_, _, _, u32>("x", "g", "ann"), 1_u32);
        expect(r.xgroup_destroy::<_, _, bool>("x", "g"), true);
        expect(r.xtrim::<_, u32>("x", StreamMaxlen::Equals(1)), 2_u32);
        Ok(())
    }
}

fn ids(entries: &[redis::streams::StreamId]) -> Vec<&str> {
    entries.iter().map(|entry| entry.id.as_str()).collect()
}
