"""A session of redis-py that uses every family of commands. `python redis_py.py PORT PROTOCOL`, PROTOCOL being 2 or 3.

Every step says what the client is to hand to its caller. Which families there are is asked of the server: one that this
session has no part on is a failure, and those that the server lacks are named in the last line printed.
"""

import sys
import threading

import redis

PORT, PROTOCOL = int(sys.argv[1]), int(sys.argv[2])

# Properties of commands, which are no families.
PROPERTIES = {"read", "write", "fast", "slow", "admin", "dangerous"}
# Families that Redis has and this project leaves out, as its README says.
LEFT_OUT = {"bitmap", "hyperloglog", "geo", "scripting"}

PATIENCE = 10
FAMILIES = {}
checks = 0


def connect(**options):
    return redis.Redis(
        port=PORT, protocol=PROTOCOL, decode_responses=True, socket_timeout=PATIENCE, **options
    )


def family(function):
    """Makes `function` the session's part on the family of its name."""
    FAMILIES[function.__name__.removesuffix("_")] = function
    return function


def expect(found, expected):
    global checks
    checks += 1
    if found != expected:
        raise AssertionError(f"expected {expected!r}, found {found!r}")


def expect_error(kind, words, call):
    global checks
    checks += 1
    try:
        found = call()
    except kind as error:
        if words not in str(error):
            raise AssertionError(f"expected an error with {words!r}, found {error}") from error
    else:
        raise AssertionError(f"expected an error with {words!r}, found {found!r}")


def pairs(scored):
    """Members with their scores: tuples or lists, as the protocol has it."""
    return [tuple(pair) for pair in scored]


@family
def connection(r):
    expect(r.ping(), True)
    expect(r.echo("héllo"), "héllo")
    with connect(single_connection_client=True) as named:
        expect(named.client_setname("shelf"), True)
        expect(named.client_getname(), "shelf")
        known = [client["name"] for client in r.client_list() if client["id"] == str(named.client_id())]
        expect(known, ["shelf"])
        expect(named.select(0), True)
    expect_error(redis.ResponseError, "unknown command", lambda: r.execute_command("NONSENSE", "1"))
    expect_error(redis.ResponseError, "wrong number of arguments", lambda: r.execute_command("GET"))


@family
def keyspace(r):
    r.mset({f"user:{number}": number for number in range(500)})
    expect(r.dbsize(), 500)
    expect(sorted(r.scan_iter("user:1?", count=50)), [f"user:1{digit}" for digit in range(10)])
    expect(sorted(r.keys("user:?")), [f"user:{digit}" for digit in range(10)])
    expect(r.exists("user:1", "user:2", "nobody"), 2)
    expect(r.type("user:1"), "string")
    expect(r.expire("user:1", 100), True)
    expect(0 < r.ttl("user:1") <= 100, True)
    expect(r.persist("user:1"), True)
    expect(r.ttl("user:1"), -1)
    expect(r.pexpire("user:2", 1_000_000, nx=True), True)
    expect(999_000 < r.pttl("user:2") <= 1_000_000, True)
    expect(r.expireat("user:2", 4_000_000_000), True)
    expect(r.expiretime("user:2"), 4_000_000_000)
    expect(r.rename("user:3", "renamed"), True)
    expect(r.renamenx("renamed", "user:4"), False)
    expect(r.copy("renamed", "copied"), True)
    expect(r.get("copied"), "3")
    expect(r.randomkey() is not None, True)
    r.sadd("digits", 1, 2)
    expect(r.object("ENCODING", "digits"), "intset")
    expect(r.touch("copied", "nobody"), 1)
    expect(r.unlink("copied", "renamed"), 2)
    r.rpush("numbers", 3, 1, 2)
    expect(r.sort("numbers", desc=True), ["3", "2", "1"])
    expect(r.sort("numbers", by="nosort", get=["#", "user:*"], groups=True)[0], ("3", None))
    if known("swapdb"):
        expect(r.move("numbers", 5), True)
        with connect(db=5) as other:
            expect(other.exists("numbers"), 1)
        expect(r.swapdb(0, 5), True)
        expect(r.keys("*"), ["numbers"])
        expect(r.swapdb(0, 5), True)
    expect(r.flushall(), True)
    expect(r.dbsize(), 0)
    expect(r.info("server")["redis_version"].startswith("7."), True)
    expect(r.config_get("maxmemory-policy").get("maxmemory-policy", "noeviction"), "noeviction")
    expect(r.time()[0] > 1_600_000_000, True)


@family
def string(r):
    expect(r.set("k", "v", ex=100, nx=True), True)
    expect(r.set("k", "w", nx=True), None)
    expect(r.set("k", "w", keepttl=True, get=True), "v")
    expect(r.ttl("k") > 0, True)
    expect(r.getex("k", persist=True), "w")
    expect(r.getdel("k"), "w")
    expect(r.get("k"), None)
    expect(r.append("k", "hello"), 5)
    expect(r.setrange("k", 1, "ipp"), 5)
    expect(r.getrange("k", 0, -2), "hipp")
    expect(r.strlen("k"), 5)
    expect([r.incr("n"), r.incrby("n", 5), r.decr("n"), r.decrby("n", 2)], [1, 6, 5, 3])
    expect(r.incrbyfloat("n", 0.5), 3.5)
    expect(r.msetnx({"n": 1, "m": 1}), False)
    expect(r.mget("n", "m"), ["3.5", None])
    expect(r.setex("t", 100, 1), True)
    expect(r.psetex("t", 100_000, 1), True)
    expect(r.setnx("t", 1), False)
    expect(r.getset("t", 2), "1")
    if known("lcs"):
        expect(r.lcs("k", "k", len=True), 5)
    expect_error(redis.ResponseError, "value is not an integer", lambda: r.incr("k"))
    with redis.Redis(port=PORT, protocol=PROTOCOL) as bytes_client:
        every_byte = bytes(range(256)) * 1000
        expect(bytes_client.set("bytes", every_byte), True)
        expect(bytes_client.get("bytes"), every_byte)


@family
def list_(r):
    expect(r.rpush("l", "a", "b", "c"), 3)
    expect(r.lpush("l", "z"), 4)
    expect([r.lpushx("none", 1), r.rpushx("l", "d")], [0, 5])
    expect(r.lrange("l", 0, -1), ["z", "a", "b", "c", "d"])
    expect(r.lpop("l"), "z")
    expect(r.rpop("l", 2), ["d", "c"])
    expect(r.linsert("l", "AFTER", "a", "x"), 3)
    expect(r.lindex("l", 1), "x")
    expect(r.lset("l", 1, "y"), True)
    expect(r.lpos("l", "y"), 1)
    expect(r.lrem("l", 0, "y"), 1)
    expect(r.lmove("l", "m", "LEFT", "RIGHT"), "a")
    expect(r.rpoplpush("l", "m"), "b")
    expect(r.lmpop(2, "l", "m", direction="LEFT", count=5), ["m", ["b", "a"]])
    expect(r.llen("m"), 0)
    r.rpush("l", *range(10))
    expect(r.ltrim("l", 0, 1), True)
    expect(r.llen("l"), 2)
    expect_error(redis.ResponseError, "WRONGTYPE", lambda: r.get("l"))


@family
def hash_(r):
    expect(r.hset("h", mapping={"a": 1, "b": "two"}), 2)
    expect(r.hget("h", "b"), "two")
    expect(r.hmget("h", "a", "none"), ["1", None])
    expect(r.hgetall("h"), {"a": "1", "b": "two"})
    expect([r.hkeys("h"), r.hvals("h")], [["a", "b"], ["1", "two"]])
    expect([r.hexists("h", "a"), r.hlen("h"), r.hstrlen("h", "b")], [True, 2, 3])
    expect(bool(r.hsetnx("h", "a", 2)), False)
    expect(r.hincrby("h", "a", 4), 5)
    expect(r.hincrbyfloat("h", "a", 0.25), 5.25)
    expect(sorted(r.hrandfield("h", 5)), ["a", "b"])
    expect(sorted(field for field, _ in r.hscan_iter("h")), ["a", "b"])
    expect(r.hdel("h", "a", "none"), 1)


@family
def set_(r):
    expect(r.sadd("s", 1, 2, 3), 3)
    expect(r.sadd("t", 2, 3, 4), 3)
    expect(r.smembers("s"), {"1", "2", "3"})
    expect([r.scard("s"), bool(r.sismember("s", 1)), r.smismember("s", [1, 9])], [3, True, [1, 0]])
    expect(r.sinter("s", "t"), {"2", "3"})
    expect(r.sunion("s", "t"), {"1", "2", "3", "4"})
    expect(r.sdiff("s", "t"), {"1"})
    expect([r.sinterstore("i", "s", "t"), r.sunionstore("u", "s", "t"), r.sdiffstore("d", "s", "t")], [2, 4, 1])
    expect(r.sintercard(2, ["s", "t"], limit=1), 1)
    expect(bool(r.smove("s", "t", 1)), True)
    expect(r.srem("s", 2, 9), 1)
    expect(r.srandmember("s"), "3")
    expect(set(r.sscan_iter("u", count=2)), {"1", "2", "3", "4"})
    expect(r.spop("s"), "3")
    expect(r.exists("s"), 0)


@family
def sortedset(r):
    expect(r.zadd("z", {"a": 1, "b": 2.5, "c": 4}), 3)
    expect(r.zadd("z", {"a": 0}, gt=True, ch=True), 0)
    expect(r.zscore("z", "b"), 2.5)
    expect(r.zmscore("z", ["a", "none"]), [1.0, None])
    expect(r.zincrby("z", 1.5, "b"), 4.0)
    expect([r.zrank("z", "a"), r.zrevrank("z", "a"), r.zcard("z")], [0, 2, 3])
    expect(pairs(r.zrange("z", 0, -1, withscores=True)), [("a", 1.0), ("b", 4.0), ("c", 4.0)])
    expect(r.zrange("z", "+inf", "(1", byscore=True, desc=True, offset=1, num=5), ["b"])
    expect(r.zrangebylex("z", "[b", "+"), ["b", "c"])
    expect(r.zrangebyscore("z", 1, 2), ["a"])
    expect(r.zrevrange("z", 0, 0), ["c"])
    expect([r.zcount("z", "-inf", 3), r.zlexcount("z", "-", "+")], [1, 3])
    expect(r.zrangestore("y", "z", 0, 1), 2)
    expect(r.zunionstore("u", {"z": 1, "y": 2}, aggregate="MAX"), 3)
    expect(pairs(r.zunion(["z", "y"], withscores=True)), [("a", 2.0), ("c", 4.0), ("b", 8.0)])
    expect(r.zinter(["z", "y"]), ["a", "b"])
    expect(r.zdiff(["z", "y"]), ["c"])
    expect([r.zinterstore("i", ["z", "y"]), r.zdiffstore("d", ["z", "y"]), r.zintercard(2, ["z", "y"])], [2, 1, 2])
    expect(sorted(r.zrandmember("z", 3)), ["a", "b", "c"])
    expect(sorted(r.zscan_iter("z")), [("a", 1.0), ("b", 4.0), ("c", 4.0)])
    expect([r.zremrangebyrank("u", 0, 0), r.zremrangebyscore("u", 8, 8)], [1, 1])
    expect(r.zremrangebylex("u", "-", "+"), 1)
    expect(pairs(r.zpopmin("z", 1)), [("a", 1.0)])
    expect(pairs(r.zpopmax("z", 1)), [("c", 4.0)])
    expect(r.zmpop(2, ["none", "z"], min=True)[0], "z")
    expect(r.zrem("y", "a", "none"), 1)


def while_waiting(wait, bring):
    """What `wait` gives, on a thread of its own, when `bring` runs while it waits."""
    found = []
    waiter = threading.Thread(target=lambda: found.append(wait()))
    waiter.start()
    with connect() as other:
        while not any(client["flags"] == "b" for client in other.client_list()):
            waiter.join(0.005)
            if not waiter.is_alive():
                raise AssertionError("a client that should wait did not")
        bring(other)
    waiter.join(PATIENCE)
    return found


@family
def blocking(r):
    found = while_waiting(lambda: r.blpop(["q", "p"]), lambda other: other.rpush("p", 1, 2))
    expect(pairs(found), [("p", "1")])
    expect(list(r.brpop("p")), ["p", "2"])
    expect(r.blpop("p", timeout=0.05), None)
    found = while_waiting(lambda: r.blmove("a", "b", 0, "LEFT", "RIGHT"), lambda other: other.rpush("a", "x"))
    expect(found, ["x"])
    expect(r.brpoplpush("b", "a"), "x")
    found = while_waiting(lambda: r.blmpop(0, 1, "q", direction="LEFT"), lambda other: other.rpush("q", 7))
    expect(found, [["q", ["7"]]])
    found = while_waiting(lambda: r.bzpopmin("z"), lambda other: other.zadd("z", {"m": 1, "n": 2}))
    expect([list(popped) for popped in found], [["z", "m", 1.0]])
    expect(list(r.bzpopmax("z")), ["z", "n", 2.0])
    expect(r.bzpopmax("z", timeout=0.05), None)
    found = while_waiting(lambda: r.bzmpop(0, 1, ["z"], max=True), lambda other: other.zadd("z", {"m": 1}))
    expect(found[0][0], "z")


def message(subscriber):
    while (found := subscriber.get_message(timeout=PATIENCE)) is not None:
        return found["type"], found["pattern"], found["channel"], found["data"]


@family
def pubsub(r):
    with r.pubsub() as subscriber:
        subscriber.subscribe("news", "other")
        expect(message(subscriber), ("subscribe", None, "news", 1))
        expect(message(subscriber), ("subscribe", None, "other", 2))
        subscriber.psubscribe("n*")
        expect(message(subscriber), ("psubscribe", None, "n*", 3))
        expect(r.publish("news", "hello"), 2)
        expect(message(subscriber), ("message", None, "news", "hello"))
        expect(message(subscriber), ("pmessage", "n*", "news", "hello"))
        expect(sorted(r.pubsub_channels()), ["news", "other"])
        expect([tuple(count) for count in r.pubsub_numsub("news", "none")], [("news", 1), ("none", 0)])
        expect(r.pubsub_numpat(), 1)
        if PROTOCOL == 2:
            # redis-py takes RESP3's answer, a plain string, for a message whose fields are its letters.
            subscriber.ping("still?")
            expect(message(subscriber)[3], "still?")
        subscriber.unsubscribe("news")
        expect(message(subscriber), ("unsubscribe", None, "news", 2))
        subscriber.punsubscribe()
        expect(message(subscriber), ("punsubscribe", None, "n*", 1))
        expect(r.publish("news", "nobody hears"), 0)


@family
def transaction(r):
    with r.pipeline(transaction=True) as batch:
        expect(batch.set("k", 1).incr("k").lpush("l", "a").lrange("l", 0, -1).execute(), [True, 2, 1, ["a"]])
        batch.incr("k").incr("l").incr("k")
        found = batch.execute(raise_on_error=False)
        expect([found[0], type(found[1]), found[2]], [3, redis.ResponseError, 4])
        batch.watch("k")
        value = int(batch.get("k"))
        r.incr("k")
        batch.multi()
        batch.set("k", value * 10)
        expect_error(redis.WatchError, "", batch.execute)
        batch.watch("k")
        batch.unwatch()
        batch.incr("k")
        expect(batch.execute(), [6])
    with connect(single_connection_client=True) as other:
        expect(other.execute_command("MULTI"), "OK")
        expect(other.execute_command("DISCARD"), "OK")


@family
def stream(r):
    first = r.xadd("x", {"n": 1}, id="5-1")
    expect(first, "5-1")
    expect(r.xadd("x", {"n": 2}, id="5-*"), "5-2")
    expect(r.xadd("x", {"n": 3}, id="6-0", maxlen=10, approximate=False), "6-0")
    expect(r.xlen("x"), 3)
    expect([tuple(entry) for entry in r.xrange("x", "5-2", "+")], [("5-2", {"n": "2"}), ("6-0", {"n": "3"})])
    expect([entry[0] for entry in r.xrevrange("x", count=1)], ["6-0"])
    expect(ids(r.xread({"x": "5-1"}, count=1)), ["5-2"])
    found = while_waiting(lambda: r.xread({"x": "$"}, block=0), lambda other: other.xadd("x", {"n": 4}, id="7-0"))
    expect(ids(found[0]), ["7-0"])
    expect(r.xdel("x", "7-0"), 1)
    expect(r.xgroup_create("x", "g", id="0"), True)
    expect_error(redis.ResponseError, "BUSYGROUP", lambda: r.xgroup_create("x", "g"))
    expect(r.xgroup_createconsumer("x", "g", "bob"), 1)
    expect(ids(r.xreadgroup("g", "ann", {"x": ">"}, count=2)), ["5-1", "5-2"])
    expect(r.xack("x", "g", "5-1"), 1)
    pending = r.xpending("x", "g")
    expect([pending["pending"], pending["min"], pending["max"]], [1, "5-2", "5-2"])
    expect([entry["consumer"] for entry in r.xpending_range("x", "g", "-", "+", 10)], ["ann"])
    expect([entry[0] for entry in r.xclaim("x", "g", "bob", 0, ["5-2"])], ["5-2"])
    expect(r.xautoclaim("x", "g", "ann", 0, justid=True), ["5-2"])
    expect(r.xinfo_stream("x")["length"], 3)
    expect([group["name"] for group in r.xinfo_groups("x")], ["g"])
    expect(sorted(consumer["name"] for consumer in r.xinfo_consumers("x", "g")), ["ann", "bob"])
    expect(r.xgroup_setid("x", "g", "0"), True)
    expect(r.xgroup_delconsumer("x", "g", "ann"), 1)
    expect(r.xgroup_destroy("x", "g"), 1)
    expect(r.xtrim("x", maxlen=1, approximate=False), 2)


def ids(read):
    """The entries' ids in the only stream of what XREAD answered."""
    if isinstance(read, dict):
        [[entries]] = read.values()
    else:
        [(_, entries)] = read
    return [entry[0] for entry in entries]


def ask_for_commands(r):
    """Names of all commands, and the families they belong to."""
    # Below what redis-py makes of it: that differs from version to version.
    link = r.connection_pool.get_connection()
    link.send_command("COMMAND")
    commands = link.read_response()
    r.connection_pool.release(link)
    families = {category.removeprefix("@") for command in commands for category in command[6]}
    return {command[0] for command in commands}, families - PROPERTIES - LEFT_OUT


def known(name):
    return name in NAMES


def many(r):
    """More requests than the server runs at a time, with one reply each."""
    with r.pipeline(transaction=False) as batch:
        for _ in range(20_000):
            batch.incr("hits")
        expect(batch.execute(), list(range(1, 20_001)))


with connect() as client:
    NAMES, families = ask_for_commands(client)
    expect(families - FAMILIES.keys(), set())
    for name, part in FAMILIES.items():
        if name in families:
            client.flushall()
            try:
                part(client)
            except Exception as error:
                error.add_note(f"in the family {name}")
                raise
    client.flushall()
    many(client)
absent = ", ".join(sorted(FAMILIES.keys() - families)) or "none"
print(f"{checks} checks; families: {', '.join(sorted(families))}; absent: {absent}")
