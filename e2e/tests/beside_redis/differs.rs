//! What our server answers otherwise than redis-server 7.0.15 on purpose, and why: the one list of it, but for what stands
//! in a transcript after `! `.

use interleave::resp::Value;

use crate::talker::Replied;

/// Commands whose elements come in an order that means nothing: each server has its own.
const UNORDERED: [&str; 17] = [
    "smembers", "sinter", "sunion", "sdiff", "hgetall", "hkeys", "hvals", "hscan", "sscan", "zscan", "keys",
    "scan", "pubsub", "config", "exec", "sort", "sort_ro",
];

/// What random requests leave out: the start of a request, and why.
const NOT_ASKED_AT_RANDOM: [(&str, &str); 4] = [
    ("dbsize", "counts keys whose time has come, until each server happens to remove them"),
    (
        "object encoding",
        "small sets are packed here, in Redis only since 7.2; what packs is counted in another way",
    ),
    ("object refcount", "no value is shared here; in Redis the first ten thousand numbers are"),
    ("xinfo stream", "tells of blocks here, where Redis has a radix tree"),
];

/// Commands of Redis's that there are none of, by what they belong to.
pub(crate) const ABSENT: [(&str, &[&str]); 10] = [
    ("scripting", &["eval", "eval_ro", "evalsha", "evalsha_ro", "fcall", "fcall_ro", "function", "script"]),
    ("modules", &["module"]),
    ("cluster", &["asking", "cluster", "migrate", "readonly", "readwrite", "restore-asking"]),
    ("replication", &["failover", "psync", "replconf", "replicaof", "role", "slaveof", "sync", "wait"]),
    (
        "geo",
        &[
            "geoadd",
            "geodist",
            "geohash",
            "geopos",
            "georadius",
            "georadius_ro",
            "georadiusbymember",
            "georadiusbymember_ro",
            "geosearch",
            "geosearchstore",
        ],
    ),
    ("bit fields", &["bitcount", "bitfield", "bitfield_ro", "bitop", "bitpos", "getbit", "setbit"]),
    ("HyperLogLog", &["pfadd", "pfcount", "pfdebug", "pfmerge", "pfselftest"]),
    ("users", &["acl"]),
    ("Redis's own file", &["bgsave", "dump", "lastsave", "restore", "save"]),
    ("the process", &["latency", "lolwut", "shutdown"]),
];

/// Subcommands of Redis's that there are none of, and why.
pub(crate) const ABSENT_SUBCOMMANDS: [(&str, &[&str]); 3] = [
    (
        "no client is told of changes to keys it has read",
        &["client|caching", "client|getredir", "client|tracking", "client|trackinginfo"],
    ),
    (
        "the allocator is not the server's to tell of",
        &["memory|doctor", "memory|malloc-stats", "memory|purge", "memory|stats"],
    ),
    ("what is done to a key is not told apart", &["command|getkeysandflags"]),
];

/// Commands of ours that Redis 7.0.15 has not.
pub(crate) const ADDED: [(&str, &str); 1] =
    [("client|setinfo", "today's client libraries send it unasked; Redis has it since 7.2")];

/// Whether random requests leave `request` out.
pub(crate) fn in_random_requests(request: &[Vec<u8>]) -> bool {
    let words: Vec<String> =
        request.iter().map(|word| String::from_utf8_lossy(word).to_lowercase()).collect();
    let goes_on =
        words.get(2).and_then(|cursor| cursor.parse::<f64>().ok()).is_some_and(|cursor| cursor != 0.0);
    let is_of_a_walk = words[0].ends_with("scan") && (goes_on || words.iter().any(|word| word == "count"));
    // Decimals are exact here, where Redis's long double ends after 19 digits.
    let is_of_fractions = words[0].ends_with("incrbyfloat") && words.iter().any(|word| word.contains('.'));
    // Redis 7.0 overflows here, and has said so since 7.2.
    let overflows = words[0] == "lpos" && words.iter().any(|word| *word == i64::MIN.to_string());
    // What lies between two members is not said of a set with several scores.
    let is_lexical = words[0].contains("lex") || words.iter().any(|word| word == "bylex");
    // Help is in words of our own; a walk in several steps goes another way through a table.
    words.get(1).is_some_and(|word| word == "help")
        || is_of_a_walk
        || is_of_fractions
        || is_lexical
        || overflows
        || NOT_ASKED_AT_RANDOM.iter().any(|(start, _)| words.join(" ").starts_with(start))
}

/// Whether two replies to `request` say the same: the same bytes, or the same elements where their order means nothing, or
/// scores in as few digits as say the same number, as Redis prints them since 7.2.
pub(crate) fn same_reply(request: &[Vec<u8>], theirs: &Replied, ours: &Replied) -> bool {
    if theirs.bytes == ours.bytes {
        return true;
    }
    let name = request.first().map(|name| String::from_utf8_lossy(name).to_lowercase()).unwrap_or_default();
    let (has_scores, is_unordered) = (tells_scores(&name), is_unordered(request));
    // Values do not tell one null of RESP2 from the other: in another order the bytes are the same all the same.
    let in_order = |reply: &Replied| {
        let mut bytes = reply.bytes.clone();
        bytes.sort_unstable();
        bytes
    };
    if !has_scores && in_order(theirs) != in_order(ours) {
        return false;
    }
    let [theirs, ours] = [theirs, ours].map(|reply| {
        let value = if has_scores { with_numbers(reply.value.clone()) } else { reply.value.clone() };
        if is_unordered { sorted(value) } else { value }
    });
    (has_scores || is_unordered) && theirs == ours
}

/// Whether the order of what `request` is answered means nothing.
pub(crate) fn is_unordered(request: &[Vec<u8>]) -> bool {
    request
        .first()
        .is_some_and(|name| UNORDERED.iter().any(|known| known.as_bytes().eq_ignore_ascii_case(name)))
}

/// Whether scores are in the replies to a command, by themselves or among those of a transaction.
fn tells_scores(name: &str) -> bool {
    name.starts_with('z') || name.starts_with("bz") || name == "exec"
}

/// A value with each text of a fraction as the number that it says.
fn with_numbers(value: Value) -> Value {
    let number = |text: &[u8]| {
        let text = std::str::from_utf8(text).ok().filter(|text| text.contains('.'))?;
        text.parse::<f64>().ok().map(Value::Double)
    };
    match value {
        Value::Bulk(text) => number(&text).unwrap_or(Value::Bulk(text)),
        Value::Array(values) => Value::Array(values.into_iter().map(with_numbers).collect()),
        other => other,
    }
}

/// A value, its elements and theirs in one order for both servers.
pub(crate) fn sorted(value: Value) -> Value {
    let in_order = |values: Vec<Value>| {
        let mut values: Vec<Value> = values.into_iter().map(sorted).collect();
        values.sort_by_cached_key(|value| format!("{value:?}"));
        values
    };
    match value {
        Value::Array(values) => Value::Array(in_order(values)),
        Value::Set(values) => Value::Set(in_order(values)),
        Value::Map(pairs) => {
            let mut pairs: Vec<_> =
                pairs.into_iter().map(|(key, value)| (sorted(key), sorted(value))).collect();
            pairs.sort_by_cached_key(|pair| format!("{pair:?}"));
            Value::Map(pairs)
        }
        other => other,
    }
}
