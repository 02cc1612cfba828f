//! The table of all commands, and finding one in it.
//!
//! Owns the order of the table, the look-up and the checks every request passes before it runs.

use super::spec::Spec;
use super::{
    Mistake, auth, blocking, clients, config, connection, counters, databases, debug, expiry, hashes, info,
    introspection, keys, list_moves, lists, memory, monitor, objects, persistence, pubsub, server,
    set_algebra, sets, slow_log, sorted_set_ranges, sorted_sets, strings, substrings, transactions,
};
use super::{
    lcs, sort, sorted_set_algebra, stream_claims, stream_groups, stream_info, stream_reads, streams,
};
use crate::resp::Args;

/// The entries, each as it is told here.
macro_rules! table {
    ($($(#[$on:meta])? $spec:path,)*) => { &[$($(#[$on])? told($spec),)*] };
}

/// The entry of a command as this program has it: where nobody asks for texts, without them.
const fn told(spec: Spec) -> Spec {
    if cfg!(feature = "texts") {
        return spec;
    }
    let complexity = if spec.is_constant_time() { spec.complexity } else { "" };
    Spec { summary: "", usage: "", since: "", complexity, ..spec }
}

/// All commands, by family. A command's position is its number wherever one is recorded.
pub static TABLE: &[Spec] = table![
    connection::PING,
    connection::ECHO,
    connection::HELLO,
    connection::QUIT,
    connection::RESET,
    auth::AUTH,
    connection::SELECT,
    transactions::MULTI,
    transactions::EXEC,
    transactions::DISCARD,
    transactions::WATCH,
    transactions::UNWATCH,
    clients::CLIENT,
    pubsub::SUBSCRIBE,
    pubsub::UNSUBSCRIBE,
    pubsub::PSUBSCRIBE,
    pubsub::PUNSUBSCRIBE,
    pubsub::PUBLISH,
    pubsub::PUBSUB,
    pubsub::SSUBSCRIBE,
    pubsub::SUNSUBSCRIBE,
    pubsub::SPUBLISH,
    introspection::COMMAND,
    info::INFO,
    config::CONFIG,
    slow_log::SLOWLOG,
    monitor::MONITOR,
    debug::DEBUG,
    server::DBSIZE,
    server::FLUSHDB,
    server::FLUSHALL,
    server::TIME,
    databases::SWAPDB,
    persistence::BGREWRITEAOF,
    strings::GET,
    strings::SET,
    strings::SETNX,
    strings::SETEX,
    strings::PSETEX,
    strings::GETSET,
    strings::GETEX,
    strings::GETDEL,
    strings::MGET,
    strings::MSET,
    strings::MSETNX,
    substrings::APPEND,
    substrings::STRLEN,
    substrings::GETRANGE,
    substrings::SUBSTR,
    substrings::SETRANGE,
    lcs::LCS,
    counters::INCR,
    counters::DECR,
    counters::INCRBY,
    counters::DECRBY,
    counters::INCRBYFLOAT,
    lists::LPUSH,
    lists::RPUSH,
    lists::LPUSHX,
    lists::RPUSHX,
    lists::LPOP,
    lists::RPOP,
    lists::LLEN,
    lists::LRANGE,
    lists::LINDEX,
    lists::LSET,
    lists::LINSERT,
    lists::LREM,
    lists::LTRIM,
    lists::LPOS,
    list_moves::LMOVE,
    list_moves::RPOPLPUSH,
    list_moves::LMPOP,
    blocking::BLPOP,
    blocking::BRPOP,
    blocking::BLMOVE,
    blocking::BRPOPLPUSH,
    blocking::BLMPOP,
    hashes::HSET,
    hashes::HMSET,
    hashes::HSETNX,
    hashes::HGET,
    hashes::HMGET,
    hashes::HDEL,
    hashes::HLEN,
    hashes::HEXISTS,
    hashes::HSTRLEN,
    hashes::HKEYS,
    hashes::HVALS,
    hashes::HGETALL,
    hashes::HINCRBY,
    hashes::HINCRBYFLOAT,
    hashes::HRANDFIELD,
    hashes::HSCAN,
    sets::SADD,
    sets::SREM,
    sets::SMEMBERS,
    sets::SISMEMBER,
    sets::SMISMEMBER,
    sets::SCARD,
    sets::SMOVE,
    sets::SPOP,
    sets::SRANDMEMBER,
    sets::SSCAN,
    set_algebra::SINTER,
    set_algebra::SINTERSTORE,
    set_algebra::SINTERCARD,
    set_algebra::SUNION,
    set_algebra::SUNIONSTORE,
    set_algebra::SDIFF,
    set_algebra::SDIFFSTORE,
    sorted_sets::ZADD,
    sorted_sets::ZINCRBY,
    sorted_sets::ZREM,
    sorted_sets::ZCARD,
    sorted_sets::ZSCORE,
    sorted_sets::ZMSCORE,
    sorted_sets::ZRANK,
    sorted_sets::ZREVRANK,
    sorted_sets::ZPOPMIN,
    sorted_sets::ZPOPMAX,
    sorted_sets::ZMPOP,
    blocking::BZPOPMIN,
    blocking::BZPOPMAX,
    blocking::BZMPOP,
    sorted_sets::ZRANDMEMBER,
    sorted_sets::ZSCAN,
    sorted_set_ranges::ZRANGE,
    sorted_set_ranges::ZREVRANGE,
    sorted_set_ranges::ZRANGEBYSCORE,
    sorted_set_ranges::ZREVRANGEBYSCORE,
    sorted_set_ranges::ZRANGEBYLEX,
    sorted_set_ranges::ZREVRANGEBYLEX,
    sorted_set_ranges::ZRANGESTORE,
    sorted_set_ranges::ZCOUNT,
    sorted_set_ranges::ZLEXCOUNT,
    sorted_set_ranges::ZREMRANGEBYRANK,
    sorted_set_ranges::ZREMRANGEBYSCORE,
    sorted_set_ranges::ZREMRANGEBYLEX,
    sorted_set_algebra::ZUNION,
    sorted_set_algebra::ZINTER,
    sorted_set_algebra::ZDIFF,
    sorted_set_algebra::ZUNIONSTORE,
    sorted_set_algebra::ZINTERSTORE,
    sorted_set_algebra::ZDIFFSTORE,
    sorted_set_algebra::ZINTERCARD,
    streams::XADD,
    streams::XLEN,
    streams::XRANGE,
    streams::XREVRANGE,
    streams::XDEL,
    streams::XTRIM,
    streams::XSETID,
    stream_reads::XREAD,
    stream_reads::XREADGROUP,
    stream_groups::XGROUP,
    stream_groups::XACK,
    stream_claims::XPENDING,
    stream_claims::XCLAIM,
    stream_claims::XAUTOCLAIM,
    stream_info::XINFO,
    keys::DEL,
    keys::UNLINK,
    keys::EXISTS,
    keys::TOUCH,
    keys::TYPE,
    keys::KEYS,
    keys::SCAN,
    keys::RANDOMKEY,
    keys::RENAME,
    keys::RENAMENX,
    keys::COPY,
    databases::MOVE,
    objects::OBJECT,
    memory::MEMORY,
    sort::SORT,
    sort::SORT_RO,
    expiry::EXPIRE,
    expiry::PEXPIRE,
    expiry::EXPIREAT,
    expiry::PEXPIREAT,
    expiry::TTL,
    expiry::PTTL,
    expiry::EXPIRETIME,
    expiry::PEXPIRETIME,
    expiry::PERSIST,
];

/// A command found: its position in [`TABLE`] and what describes it.
#[derive(Clone, Copy, Debug)]
pub struct Found {
    /// Position of the command, or of the container of a subcommand.
    pub index: usize,
    /// The command, or the subcommand.
    pub spec: &'static Spec,
}

/// Slots of the look-up table: a power of two, several times the commands, so that most names hit at once.
const SLOTS: usize = 512;

/// Names longer than this are no commands.
const NAME_MAX: usize = 24;

/// For each slot, the position of a command plus one; 0 is free. Collisions go to the next slot.
static BY_NAME: [u8; SLOTS] = index(TABLE);

const fn index(table: &[Spec]) -> [u8; SLOTS] {
    assert!(table.len() < 256 && table.len() * 2 <= SLOTS, "make the slots wider and more");
    let mut slots = [0; SLOTS];
    let mut position = 0;
    while position < table.len() {
        let name = table[position].name.as_bytes();
        assert!(name.len() <= NAME_MAX);
        let mut at = slot(name, word(name));
        while slots[at] != 0 {
            at = (at + 1) % SLOTS;
        }
        position += 1;
        slots[at] = position as u8;
    }
    slots
}

/// Bit 5 of every byte: letters of both cases differ in it alone.
const CASE: u64 = 0x2020_2020_2020_2020;

/// The first eight bytes of a name, the first lowest; those it does not have are 0.
#[inline]
const fn word(name: &[u8]) -> u64 {
    if let Some(eight) = name.first_chunk() {
        return u64::from_le_bytes(*eight);
    }
    let (mut word, mut rest) = (0, name);
    while let [before @ .., last] = rest {
        word = word << 8 | *last as u64;
        rest = before;
    }
    word
}

/// Where a name's search starts, the same in any case. `first` is its first word.
#[inline]
const fn slot(name: &[u8], first: u64) -> usize {
    // The last eight bytes of a longer one tell it from others of its family.
    let last = if name.len() > 8 { word(name.split_at(name.len() - 8).1) } else { 0 };
    let mixed = ((first | CASE) ^ (last | CASE).rotate_left(29)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed >> 32) as usize % SLOTS
}

/// The command called `name`, in any case: its position in [`TABLE`] and its entry. One hash of the name, and usually one comparison.
#[inline]
pub fn lookup(name: &[u8]) -> Option<(usize, &'static Spec)> {
    if name.len() > NAME_MAX {
        return None;
    }
    let mut at = slot(name, word(name));
    loop {
        let position = usize::from(BY_NAME[at]).checked_sub(1)?;
        let spec = &TABLE[position];
        if spec.name.as_bytes().eq_ignore_ascii_case(name) {
            return Some((position, spec));
        }
        at = (at + 1) % SLOTS;
    }
}

/// The command, or subcommand, a request asks for, its number of arguments checked. Call it before anything else is
/// done with a request.
///
/// # Errors
/// When there is no such command, or it takes another number of arguments: the reply to write.
pub fn resolve(args: Args<'_>) -> Result<Found, Mistake> {
    let found = find(args)?;
    if !found.spec.takes(args.len()) {
        return Err(Mistake::arity(found.spec.name));
    }
    Ok(found)
}

/// Like [`resolve`], with any number of arguments.
#[inline]
pub(crate) fn find(args: Args<'_>) -> Result<Found, Mistake> {
    let (index, command) = lookup(args.name()).ok_or_else(|| unknown_command(args))?;
    let spec = match args.get(1) {
        Some(name) if !command.subcommands.is_empty() => {
            subcommand(command, name).ok_or_else(|| unknown_subcommand(args.name(), name))?
        }
        _ => command,
    };
    Ok(Found { index, spec })
}

/// The subcommand of `container` called `name`, in any case.
pub(super) fn subcommand(container: &Spec, name: &[u8]) -> Option<&'static Spec> {
    let prefix = container.name.len() + 1;
    container.subcommands.iter().find(|sub| sub.name.as_bytes()[prefix..].eq_ignore_ascii_case(name))
}

/// How much of a wrong request its error reply quotes, in bytes: of the name, and of the arguments together.
const QUOTED: usize = 128;

fn unknown_command(args: Args<'_>) -> Mistake {
    let mut text = b"ERR unknown command '".to_vec();
    text.extend_from_slice(quotable(args.name(), QUOTED));
    text.extend_from_slice(b"', with args beginning with: ");
    let before = text.len();
    for argument in args.from(1) {
        let used = text.len() - before;
        if used >= QUOTED {
            break;
        }
        text.push(b'\'');
        text.extend_from_slice(quotable(argument, QUOTED - used));
        text.extend_from_slice(b"' ");
    }
    Mistake::from(text)
}

fn unknown_subcommand(container: &[u8], name: &[u8]) -> Mistake {
    let mut text = b"ERR unknown subcommand '".to_vec();
    text.extend_from_slice(quotable(name, QUOTED));
    text.extend_from_slice(b"'. Try ");
    text.extend_from_slice(&container.to_ascii_uppercase());
    text.extend_from_slice(b" HELP.");
    Mistake::from(text)
}

/// As much of `text` as Redis would print: it ends at a zero byte.
fn quotable(text: &[u8], most: usize) -> &[u8] {
    let text = &text[..text.len().min(most)];
    text.split(|byte| *byte == 0).next().unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_is_what_takes_no_longer_whatever_there_is() {
        let is_short = |request: &str| {
            let (_, spec) = lookup(request.split(' ').next().unwrap().as_bytes()).unwrap();
            spec.is_short(|| request.split(' ').count())
        };
        for request in
            ["get k", "incr k", "set k v", "lpush k a b c d e f", "sadd k a", "hset k f v", "zadd k 1 a"]
        {
            assert!(is_short(request), "{request}");
        }
        for request in [
            "lpush k a b c d e f g",
            "xadd k maxlen 1 * f v",
            "lrange k 0 -1",
            "spop k 9",
            "zpopmin k 9",
            "lpop k 9",
            "del k",
        ] {
            assert!(!is_short(request), "{request}");
        }
    }

    #[test]
    fn every_command_is_found_in_any_case() {
        for (position, spec) in TABLE.iter().enumerate() {
            for name in [spec.name.to_owned(), spec.name.to_ascii_uppercase()] {
                assert_eq!(lookup(name.as_bytes()).map(|(found, _)| found), Some(position), "{name}");
            }
        }
    }

    #[test]
    fn one_other_byte_makes_another_name() {
        for spec in TABLE {
            for (at, was) in spec.name.bytes().enumerate() {
                for byte in 0..=255 {
                    let mut name = spec.name.as_bytes().to_vec();
                    name[at] = byte;
                    let expected =
                        TABLE.iter().position(|spec| spec.name.as_bytes().eq_ignore_ascii_case(&name));
                    assert_eq!(lookup(&name).map(|(found, _)| found), expected, "{} {was} {byte}", spec.name);
                }
            }
        }
    }

    #[test]
    fn anything_else_is_not() {
        for name in ["", "ge", "gett", "g\0t", "get\0", "GE\u{14}", "no-such-command", &"get".repeat(100)] {
            assert!(lookup(name.as_bytes()).is_none(), "{name:?}");
        }
    }
}
