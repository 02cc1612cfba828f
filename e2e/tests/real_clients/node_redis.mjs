// A session of node-redis that uses every family of commands. `node node_redis.mjs PORT PROTOCOL`, PROTOCOL being 2 or 3;
// the package `redis` is found by NODE_PATH.
//
// Every step says what the client is to hand to its caller. Which families there are is asked of the server: one that this
// session has no part on is a failure, and those that the server lacks are named in the last line printed.

import assert from "node:assert/strict";
import { createRequire } from "node:module";

const { createClient, ErrorReply, RESP_TYPES, WatchError } = createRequire(import.meta.url)("redis");

const [port, protocol] = process.argv.slice(2).map(Number);

// Properties of commands, which are no families.
const PROPERTIES = ["read", "write", "fast", "slow", "admin", "dangerous"];
// Families that Redis has and this project leaves out, as its README says.
const LEFT_OUT = ["bitmap", "hyperloglog", "geo", "scripting"];

const PATIENCE_MS = 10_000;
let checks = 0;
const opened = [];

async function connect() {
    const client = createClient({ socket: { host: "127.0.0.1", port, reconnectStrategy: false }, RESP: protocol });
    client.on("error", (error) => {
        throw error;
    });
    await client.connect();
    opened.push(client);
    return client;
}

// Replies come with prototypes of their own, which are no matter here.
const plain = (value) => {
    if (Array.isArray(value)) return value.map(plain);
    if (value === null || typeof value !== "object" || Buffer.isBuffer(value) || value instanceof Error) return value;
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, plain(inner)]));
};

async function expect(found, expected) {
    checks += 1;
    assert.deepEqual(plain(await found), expected);
}

async function expectError(found, kind, words) {
    checks += 1;
    await assert.rejects(found, (error) => error instanceof kind && error.message.includes(words));
}

// Settles when `pending` does, or fails when that takes too long.
function soon(pending) {
    let timer;
    const late = new Promise((_, reject) => {
        timer = setTimeout(() => reject(new Error(`nothing came in ${PATIENCE_MS} ms`)), PATIENCE_MS);
    });
    return Promise.race([pending, late]).finally(() => clearTimeout(timer));
}

// What `wait` gives when `bring` runs while it waits.
async function whileWaiting(wait, bring) {
    const [waiter, other] = [await connect(), await connect()];
    const found = wait(waiter);
    const isOver = found.then(() => "over", () => "over");
    while (!(await other.clientList()).some((client) => client.flags === "b")) {
        const over = await Promise.race([isOver, new Promise((done) => setTimeout(done, 5))]);
        assert.notEqual(over, "over", "a client that should wait did not");
    }
    await bring(other);
    return soon(found);
}

const sorted = (list) => [...list].sort();
const FAMILIES = {
    async connection(r) {
        await expect(r.ping(), "PONG");
        await expect(r.echo("héllo"), "héllo");
        const named = await connect();
        await expect(named.clientSetName("shelf"), "OK");
        await expect(named.clientGetName(), "shelf");
        const id = await named.clientId();
        await expect((await r.clientList()).filter((client) => client.id === id).map((client) => client.name), ["shelf"]);
        await named.select(0);
        await expectError(r.sendCommand(["NONSENSE", "1"]), ErrorReply, "unknown command");
        await expectError(r.sendCommand(["GET"]), ErrorReply, "wrong number of arguments");
    },

    async keyspace(r) {
        await r.mSet(Object.fromEntries(Array.from({ length: 500 }, (_, n) => [`user:${n}`, `${n}`])));
        await expect(r.dbSize(), 500);
        const scanned = [];
        for await (const keys of r.scanIterator({ MATCH: "user:1?", COUNT: 50 })) scanned.push(...keys);
        await expect(sorted(scanned), Array.from({ length: 10 }, (_, digit) => `user:1${digit}`));
        await expect((await r.keys("user:?")).length, 10);
        await expect(r.exists(["user:1", "user:2", "nobody"]), 2);
        await expect(r.type("user:1"), "string");
        await expect(r.expire("user:1", 100), 1);
        assert.ok((await r.ttl("user:1")) > 90);
        await expect(r.persist("user:1"), 1);
        await expect(r.ttl("user:1"), -1);
        await expect(r.pExpire("user:2", 1_000_000, "NX"), 1);
        assert.ok((await r.pTTL("user:2")) > 990_000);
        await expect(r.expireAt("user:2", 4_000_000_000), 1);
        await expect(r.expireTime("user:2"), 4_000_000_000);
        await expect(r.rename("user:3", "renamed"), "OK");
        await expect(r.renameNX("renamed", "user:4"), 0);
        await expect(r.copy("renamed", "copied"), 1);
        await expect(r.get("copied"), "3");
        assert.equal(typeof (await r.randomKey()), "string");
        await r.sAdd("digits", ["1", "2"]);
        await expect(r.objectEncoding("digits"), "intset");
        await expect(r.touch(["copied", "nobody"]), 1);
        await expect(r.unlink(["copied", "renamed"]), 2);
        await r.rPush("numbers", ["3", "1", "2"]);
        await expect(r.sort("numbers", { DIRECTION: "DESC" }), ["3", "2", "1"]);
        await expect(r.sortStore("numbers", "in order"), 3);
        if (names.has("swapdb")) {
            await expect(r.move("numbers", 5), 1);
            const other = await connect();
            await other.select(5);
            await expect(other.exists("numbers"), 1);
            await expect(r.swapDb(0, 5), "OK");
            await expect(r.keys("*"), ["numbers"]);
            await expect(r.swapDb(0, 5), "OK");
        }
        await expect(r.flushAll(), "OK");
        await expect(r.dbSize(), 0);
        assert.match(await r.info("server"), /redis_version:7\./);
        assert.ok(await r.configGet("maxmemory*"));
        assert.ok(await r.time());
    },

    async string(r) {
        await expect(r.set("k", "v", { expiration: { type: "EX", value: 100 }, condition: "NX" }), "OK");
        await expect(r.set("k", "w", { condition: "NX" }), null);
        await expect(r.set("k", "w", { expiration: "KEEPTTL", GET: true }), "v");
        await expect(r.getEx("k", { type: "PERSIST" }), "w");
        await expect(r.getDel("k"), "w");
        await expect(r.get("k"), null);
        await expect(r.append("k", "hello"), 5);
        await expect(r.setRange("k", 1, "ipp"), 5);
        await expect(r.getRange("k", 0, -2), "hipp");
        await expect(r.strLen("k"), 5);
        await expect(Promise.all([r.incr("n"), r.incrBy("n", 5), r.decr("n"), r.decrBy("n", 2)]), [1, 6, 5, 3]);
        await expect(r.incrByFloat("n", 0.5), "3.5");
        await expect(r.mSetNX({ n: "1", m: "1" }), 0);
        await expect(r.mGet(["n", "m"]), ["3.5", null]);
        await expect(r.setEx("t", 100, "1"), "OK");
        await expect(r.pSetEx("t", 100_000, "1"), "OK");
        await expect(r.setNX("t", "1"), 0);
        await expect(r.getSet("t", "2"), "1");
        if (names.has("lcs")) await expect(r.lcsLen("k", "k"), 5);
        await expectError(r.incr("k"), ErrorReply, "value is not an integer");
        const bytes = Buffer.from(Array.from({ length: 256_000 }, (_, n) => n % 256));
        await expect(r.set("bytes", bytes), "OK");
        const raw = r.withTypeMapping({ [RESP_TYPES.BLOB_STRING]: Buffer });
        assert.ok(bytes.equals(await raw.get("bytes")));
    },

    async list(r) {
        await expect(r.rPush("l", ["a", "b", "c"]), 3);
        await expect(r.lPush("l", "z"), 4);
        await expect(Promise.all([r.lPushX("none", "1"), r.rPushX("l", "d")]), [0, 5]);
        await expect(r.lRange("l", 0, -1), ["z", "a", "b", "c", "d"]);
        await expect(r.lPop("l"), "z");
        await expect(r.rPopCount("l", 2), ["d", "c"]);
        await expect(r.lInsert("l", "AFTER", "a", "x"), 3);
        await expect(r.lIndex("l", 1), "x");
        await expect(r.lSet("l", 1, "y"), "OK");
        await expect(r.lPos("l", "y"), 1);
        await expect(r.lRem("l", 0, "y"), 1);
        await expect(r.lMove("l", "m", "LEFT", "RIGHT"), "a");
        await expect(r.rPopLPush("l", "m"), "b");
        await expect(r.lmPop(["l", "m"], "LEFT", { COUNT: 5 }), ["m", ["b", "a"]]);
        await expect(r.lLen("m"), 0);
        await r.rPush("l", ["1", "2", "3"]);
        await expect(r.lTrim("l", 0, 1), "OK");
        await expectError(r.get("l"), ErrorReply, "WRONGTYPE");
    },

    async hash(r) {
        await expect(r.hSet("h", { a: "1", b: "two" }), 2);
        await expect(r.hGet("h", "b"), "two");
        await expect(r.hmGet("h", ["a", "none"]), ["1", null]);
        await expect(r.hGetAll("h"), { a: "1", b: "two" });
        await expect(Promise.all([r.hKeys("h"), r.hVals("h")]), [["a", "b"], ["1", "two"]]);
        await expect(Promise.all([r.hExists("h", "a"), r.hLen("h"), r.hStrLen("h", "b")]), [1, 2, 3]);
        await expect(r.hSetNX("h", "a", "2"), 0);
        await expect(r.hIncrBy("h", "a", 4), 5);
        await expect(r.hIncrByFloat("h", "a", 0.25), "5.25");
        await expect(sorted(await r.hRandFieldCount("h", 5)), ["a", "b"]);
        const scanned = [];
        for await (const entries of r.hScanIterator("h")) scanned.push(...entries.map((entry) => entry.field));
        await expect(sorted(scanned), ["a", "b"]);
        await expect(r.hDel("h", ["a", "none"]), 1);
    },

    async set(r) {
        await expect(r.sAdd("s", ["1", "2", "3"]), 3);
        await expect(r.sAdd("t", ["2", "3", "4"]), 3);
        await expect(sorted(await r.sMembers("s")), ["1", "2", "3"]);
        await expect(Promise.all([r.sCard("s"), r.sIsMember("s", "1"), r.smIsMember("s", ["1", "9"])]), [3, 1, [1, 0]]);
        await expect(sorted(await r.sInter(["s", "t"])), ["2", "3"]);
        await expect(sorted(await r.sUnion(["s", "t"])), ["1", "2", "3", "4"]);
        await expect(r.sDiff(["s", "t"]), ["1"]);
        await expect(r.sInterStore("i", ["s", "t"]), 2);
        await expect(r.sUnionStore("u", ["s", "t"]), 4);
        await expect(r.sDiffStore("d", ["s", "t"]), 1);
        await expect(r.sInterCard(["s", "t"], 1), 1);
        await expect(r.sMove("s", "t", "1"), 1);
        await expect(r.sRem("s", ["2", "9"]), 1);
        await expect(r.sRandMember("s"), "3");
        const scanned = [];
        for await (const members of r.sScanIterator("u", { COUNT: 2 })) scanned.push(...members);
        await expect(sorted(scanned), ["1", "2", "3", "4"]);
        await expect(r.sPop("s"), "3");
        await expect(r.exists("s"), 0);
    },

    async sortedset(r) {
        const scored = (...pairs) => pairs.map(([value, score]) => ({ value, score }));
        await expect(r.zAdd("z", scored(["a", 1], ["b", 2.5], ["c", 4])), 3);
        await expect(r.zAdd("z", scored(["a", 0]), { comparison: "GT", CH: true }), 0);
        await expect(r.zScore("z", "b"), 2.5);
        await expect(r.zmScore("z", ["a", "none"]), [1, null]);
        await expect(r.zIncrBy("z", 1.5, "b"), 4);
        await expect(Promise.all([r.zRank("z", "a"), r.zRevRank("z", "a"), r.zCard("z")]), [0, 2, 3]);
        await expect(r.zRangeWithScores("z", 0, -1), scored(["a", 1], ["b", 4], ["c", 4]));
        const above = { BY: "SCORE", REV: true, LIMIT: { offset: 1, count: 5 } };
        await expect(r.zRange("z", "+inf", "(1", above), ["b"]);
        await expect(r.zRangeByLex("z", "[b", "+"), ["b", "c"]);
        await expect(r.zRangeByScore("z", 1, 2), ["a"]);
        await expect(Promise.all([r.zCount("z", "-inf", 3), r.zLexCount("z", "-", "+")]), [1, 3]);
        await expect(r.zRangeStore("y", "z", 0, 1), 2);
        await expect(r.zUnionStore("u", ["z", "y"]), 3);
        await expect(r.zUnionWithScores(["z", "y"]), scored(["a", 2], ["c", 4], ["b", 8]));
        await expect(r.zInter(["z", "y"]), ["a", "b"]);
        await expect(r.zDiff(["z", "y"]), ["c"]);
        await expect(r.zInterStore("i", ["z", "y"]), 2);
        await expect(r.zDiffStore("d", ["z", "y"]), 1);
        await expect(r.zInterCard(["z", "y"]), 2);
        await expect(sorted(await r.zRandMemberCount("z", 3)), ["a", "b", "c"]);
        const scanned = [];
        for await (const members of r.zScanIterator("z")) scanned.push(...members.map((member) => member.score));
        await expect(sorted(scanned), [1, 4, 4]);
        await expect(r.zRemRangeByRank("u", 0, 0), 1);
        await expect(r.zRemRangeByScore("u", 8, 8), 1);
        await expect(r.zRemRangeByLex("u", "-", "+"), 1);
        await expect(r.zPopMin("z"), { value: "a", score: 1 });
        await expect(r.zPopMax("z"), { value: "c", score: 4 });
        await expect(r.zmPop(["none", "z"], "MIN"), { key: "z", members: scored(["b", 4]) });
        await expect(r.zRem("y", ["a", "none"]), 1);
    },

    async blocking(r) {
        const popped = (key, element) => ({ key, element });
        const pair = whileWaiting((w) => w.blPop(["q", "p"], 0), (o) => o.rPush("p", ["1", "2"]));
        await expect(pair, popped("p", "1"));
        await expect(r.brPop("p", 0), popped("p", "2"));
        await expect(r.blPop("p", 0.05), null);
        const moved = whileWaiting((w) => w.blMove("a", "b", "LEFT", "RIGHT", 0), (o) => o.rPush("a", "x"));
        await expect(moved, "x");
        await expect(r.brPopLPush("b", "a", 0), "x");
        const several = whileWaiting((w) => w.blmPop(0, "q", "LEFT"), (o) => o.rPush("q", "7"));
        await expect(several, ["q", ["7"]]);
        const members = [{ value: "m", score: 1 }, { value: "n", score: 2 }];
        const least = whileWaiting((w) => w.bzPopMin("z", 0), (o) => o.zAdd("z", members));
        await expect(least, { key: "z", value: "m", score: 1 });
        await expect(r.bzPopMax("z", 0), { key: "z", value: "n", score: 2 });
        const most = whileWaiting((w) => w.bzmPop(0, "z", "MAX"), (o) => o.zAdd("z", members));
        await expect(most, { key: "z", members: [{ value: "n", score: 2 }] });
    },

    async pubsub(r) {
        const subscriber = await connect();
        const heard = [];
        let tell;
        const next = () => new Promise((done) => { tell = done; });
        const listen = (kind) => (message, channel) => {
            heard.push([kind, channel, message]);
            if (heard.length === 2) tell();
        };
        await subscriber.subscribe(["news", "other"], listen("message"));
        await subscriber.pSubscribe("n*", listen("pmessage"));
        const both = next();
        await expect(r.publish("news", "hello"), 2);
        await soon(both);
        await expect(heard, [["message", "news", "hello"], ["pmessage", "news", "hello"]]);
        await expect(sorted(await r.pubSubChannels()), ["news", "other"]);
        await expect(r.pubSubNumSub(["news", "none"]), { news: 1, none: 0 });
        await expect(r.pubSubNumPat(), 1);
        await expect((await subscriber.ping()).toLowerCase(), "pong");
        await subscriber.unsubscribe("news");
        await subscriber.pUnsubscribe();
        await expect(r.publish("news", "nobody hears"), 0);
        await subscriber.unsubscribe();
        // In RESP2 the client goes on handing out bytes, as it does to those who listen.
        await expect(String(await subscriber.echo("free again")), "free again");
    },

    async transaction(r) {
        const run = r.multi().set("k", "1").incr("k").lPush("l", "a").lRange("l", 0, -1).exec();
        await expect(run, ["OK", 2, 1, ["a"]]);
        await assert.rejects(r.multi().incr("k").incr("l").incr("k").exec(), (error) =>
            error.replies[0] === 3 && error.errorIndexes[0] === 1 && error.replies[2] === 4);
        const careful = await connect();
        await careful.watch("k");
        await r.incr("k");
        await expectError(careful.multi().set("k", "0").exec(), WatchError, "");
        await careful.watch("k");
        await careful.unwatch();
        await r.incr("k");
        await expect(careful.multi().incr("k").exec(), [7]);
        await expect(careful.sendCommand(["MULTI"]), "OK");
        await expect(careful.sendCommand(["DISCARD"]), "OK");
    },

    async stream(r) {
        const ids = (entries) => entries.map((entry) => entry.id);
        await expect(r.xAdd("x", "5-1", { n: "1" }), "5-1");
        await expect(r.xAdd("x", "5-*", { n: "2" }), "5-2");
        const bounded = { TRIM: { strategy: "MAXLEN", strategyModifier: "=", threshold: 10 } };
        await expect(r.xAdd("x", "6-0", { n: "3" }, bounded), "6-0");
        await expect(r.xLen("x"), 3);
        const from = (await r.xRange("x", "5-2", "+")).map(({ id, message }) => [id, message.n]);
        await expect(from, [["5-2", "2"], ["6-0", "3"]]);
        await expect(ids(await r.xRevRange("x", "+", "-", { COUNT: 1 })), ["6-0"]);
        await expect(ids((await r.xRead({ key: "x", id: "5-1" }, { COUNT: 1 }))[0].messages), ["5-2"]);
        const came = await whileWaiting(
            (w) => w.xRead({ key: "x", id: "$" }, { BLOCK: 0 }),
            (o) => o.xAdd("x", "7-0", { n: "4" }),
        );
        await expect(ids(came[0].messages), ["7-0"]);
        await expect(r.xDel("x", "7-0"), 1);
        await expect(r.xGroupCreate("x", "g", "0"), "OK");
        await expectError(r.xGroupCreate("x", "g", "0"), ErrorReply, "BUSYGROUP");
        await expect(r.xGroupCreateConsumer("x", "g", "bob"), 1);
        const read = await r.xReadGroup("g", "ann", { key: "x", id: ">" }, { COUNT: 2 });
        await expect(ids(read[0].messages), ["5-1", "5-2"]);
        await expect(r.xAck("x", "g", "5-1"), 1);
        const pending = await r.xPending("x", "g");
        await expect([pending.pending, pending.firstId, pending.lastId], [1, "5-2", "5-2"]);
        await expect((await r.xPendingRange("x", "g", "-", "+", 10)).map((entry) => entry.consumer), ["ann"]);
        await expect(ids(await r.xClaim("x", "g", "bob", 0, "5-2")), ["5-2"]);
        await expect((await r.xAutoClaimJustId("x", "g", "ann", 0, "0")).messages, ["5-2"]);
        await expect((await r.xInfoStream("x")).length, 3);
        await expect((await r.xInfoGroups("x")).map((group) => group.name), ["g"]);
        await expect(sorted((await r.xInfoConsumers("x", "g")).map((consumer) => consumer.name)), ["ann", "bob"]);
        await expect(r.xGroupSetId("x", "g", "0"), "OK");
        await expect(r.xGroupDelConsumer("x", "g", "ann"), 1);
        await expect(r.xGroupDestroy("x", "g"), 1);
        await expect(r.xTrim("x", "MAXLEN", 1), 2);
    },
};

const client = await connect();
const commands = await client.sendCommand(["COMMAND"]);
const names = new Set(commands.map((command) => command[0]));
const categories = commands.flatMap((command) => [...command[6]].map((category) => category.slice(1)));
const families = new Set(categories.filter((name) => !PROPERTIES.includes(name) && !LEFT_OUT.includes(name)));
await expect([...families].filter((name) => !(name in FAMILIES)), []);
for (const [name, part] of Object.entries(FAMILIES)) {
    if (!families.has(name)) continue;
    await client.flushAll();
    try {
        await part(client);
    } catch (error) {
        console.error(`in the family ${name}:`);
        throw error;
    }
}
// More requests than the server runs at a time, with one reply each.
await client.flushAll();
const many = Array.from({ length: 20_000 }, () => client.incr("hits"));
await expect(Promise.all(many), many.map((_, n) => n + 1));
opened.forEach((one) => one.destroy());
const absent = Object.keys(FAMILIES).filter((name) => !families.has(name)).join(", ") || "none";
console.log(`${checks} checks; families: ${sorted(families).join(", ")}; absent: ${absent}`);
