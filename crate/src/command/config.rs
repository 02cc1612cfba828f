//! CONFIG: what can be set, and changing it while the server runs.
//!
//! Owns the names, the checks and the texts. A change of several settings is made whole or not at all. What the values do is
//! the matter of whoever reads [`super::settings`].

use std::sync::atomic::Ordering::Relaxed;

use super::auth::PASSWORD_BYTES_MAX;
use super::context::Server;
use super::help;
use super::mistake::Mistake;
use super::pattern::{Case, matches};
use super::spec::{Ctx, Flag, Group, KeySpec, Keys, Outcome, Run, SessionCtx, Spec};
use crate::log::Fsync;
use crate::resp::{Args, Reply, parse_i64};
use crate::store::{LAYOUT_LIMITS, Policy};

const ADMINISTRATION: &[Flag] = &[Flag::Admin, Flag::NoScript, Flag::Loading, Flag::Stale, Flag::Dangerous];

pub(super) const CONFIG: Spec = Spec {
    name: "config",
    summary: "A container for commands about settings.",
    usage: "",
    since: "2.0.0",
    group: Group::Server,
    complexity: "Depends on the subcommand",
    arity: -2,
    flags: &[],
    keys: KeySpec::None,
    subcommands: &[GET, SET, RESETSTAT, REWRITE, HELP],
    run: help::RUN,
};

/// A setting that can be changed.
struct Changeable {
    name: &'static str,
    read: fn(&Server) -> String,
    /// What it would be changed to, or what is wrong with that.
    parse: fn(&Server, &[u8]) -> Result<Change, String>,
}

/// A change that nothing is wrong with.
enum Change {
    MaxClients(usize),
    IdleTimeout(u64),
    Password(Vec<u8>),
    SlowerThan(i64),
    SlowLogLen(usize),
    MessageBytes(Option<usize>),
    MemoryBytes(u64),
    MemoryPolicy(Policy),
    MemorySamples(u32),
    LogFactor(u32),
    DecayMinutes(u32),
}

const CHANGEABLE: [Changeable; 11] = [
    Changeable {
        name: "client-output-buffer-limit",
        read: |server| format!("normal 0 0 0 slave 0 0 0 pubsub {} 0 0", server.broker.bytes_max()),
        parse: |_, text| parse_output_limits(text).map(Change::MessageBytes),
    },
    Changeable {
        name: "lfu-decay-time",
        read: |server| server.memory.frequency().decay_minutes.to_string(),
        parse: |_, text| Ok(Change::DecayMinutes(within(text, 0, 2_147_483_647)? as u32)),
    },
    Changeable {
        name: "lfu-log-factor",
        read: |server| server.memory.frequency().log_factor.to_string(),
        parse: |_, text| Ok(Change::LogFactor(within(text, 0, 2_147_483_647)? as u32)),
    },
    Changeable {
        name: "maxclients",
        read: |server| server.settings.max_clients.load(Relaxed).to_string(),
        parse: |server, text| {
            let most = within(text, 1, 4_294_967_295)? as usize;
            (server.config.permit_clients)(most).map_err(|possible| {
                format!(
                    "The operating system is not able to handle the specified number of clients, try with {possible}"
                )
            })?;
            Ok(Change::MaxClients(most))
        },
    },
    Changeable {
        name: "maxmemory",
        read: |server| server.memory.bytes().unwrap_or(0).to_string(),
        parse: |_, text| match std::str::from_utf8(text).ok().and_then(bytes_or_none) {
            Some(bytes) => Ok(Change::MemoryBytes(bytes as u64)),
            None => Err("argument must be a memory value".to_owned()),
        },
    },
    Changeable {
        name: "maxmemory-policy",
        read: |server| server.memory.policy().name().to_owned(),
        parse: |_, text| {
            let policy = std::str::from_utf8(text).ok().and_then(|name| name.parse().ok());
            policy.map(Change::MemoryPolicy).ok_or_else(|| {
                "argument(s) must be one of the following: volatile-lru, volatile-lfu, volatile-random, \
                 volatile-ttl, allkeys-lru, allkeys-lfu, allkeys-random, noeviction"
                    .to_owned()
            })
        },
    },
    Changeable {
        name: "maxmemory-samples",
        read: |server| server.memory.samples().to_string(),
        parse: |_, text| Ok(Change::MemorySamples(within(text, 1, 2_147_483_647)? as u32)),
    },
    Changeable {
        name: "requirepass",
        read: |server| {
            let password = server.settings.password();
            password.map(|password| String::from_utf8_lossy(&password).into_owned()).unwrap_or_default()
        },
        parse: |_, text| {
            if text.len() > PASSWORD_BYTES_MAX {
                return Err(format!("argument must be at most {PASSWORD_BYTES_MAX} bytes"));
            }
            Ok(Change::Password(text.to_vec()))
        },
    },
    Changeable {
        name: "slowlog-log-slower-than",
        read: |server| server.settings.slower_than_us.load(Relaxed).to_string(),
        parse: |_, text| Ok(Change::SlowerThan(within(text, -1, i64::MAX)?)),
    },
    Changeable {
        name: "slowlog-max-len",
        read: |server| server.slow_log.len_max().to_string(),
        parse: |_, text| {
            Ok(Change::SlowLogLen(usize::try_from(within(text, 0, i64::MAX)?).unwrap_or(usize::MAX)))
        },
    },
    Changeable {
        name: "timeout",
        read: |server| server.settings.idle_timeout_s().unwrap_or(server.config.idle_timeout_s).to_string(),
        parse: |_, text| Ok(Change::IdleTimeout(within(text, 0, 2_147_483_647)? as u64)),
    },
];

impl Change {
    fn make(self, server: &Server) {
        match self {
            Self::MaxClients(most) => server.settings.max_clients.store(most, Relaxed),
            Self::IdleTimeout(seconds) => server.settings.set_idle_timeout_s(seconds),
            Self::Password(password) => server.settings.set_password(&password),
            Self::SlowerThan(us) => server.settings.slower_than_us.store(us, Relaxed),
            Self::SlowLogLen(most) => server.slow_log.set_len_max(most),
            Self::MemoryBytes(bytes) => server.memory.set_bytes(bytes),
            Self::MemoryPolicy(policy) => server.memory.set_policy(policy),
            Self::MemorySamples(samples) => server.memory.set_samples(samples),
            Self::LogFactor(factor) => server.memory.set_log_factor(factor),
            Self::DecayMinutes(minutes) => server.memory.set_decay_minutes(minutes),
            Self::MessageBytes(None) => {}
            Self::MessageBytes(Some(bytes)) => server.broker.set_bytes_max(bytes),
        }
    }
}

/// An integer from `least` to `most`.
fn within(text: &[u8], least: i64, most: i64) -> Result<i64, String> {
    let number = parse_i64(text).ok_or("argument couldn't be parsed into an integer")?;
    if !(least..=most).contains(&number) {
        return Err(format!("argument must be between {least} and {most} inclusive"));
    }
    Ok(number)
}

/// Of `class hard soft seconds ...` the hard limit for clients that listen, if it is there; 0: none. Those of other classes
/// and soft ones are not kept here, so they may only be 0.
fn parse_output_limits(text: &[u8]) -> Result<Option<usize>, String> {
    let text = String::from_utf8_lossy(text);
    let words: Vec<&str> = text.split_whitespace().collect();
    if words.is_empty() || !words.len().is_multiple_of(4) {
        return Err("Wrong number of arguments in buffer limit configuration.".to_owned());
    }
    let mut listening = None;
    for limits in words.chunks_exact(4) {
        let class = limits[0].to_ascii_lowercase();
        if !["normal", "slave", "replica", "pubsub"].contains(&&*class) {
            return Err("Invalid client class specified in buffer limit configuration.".to_owned());
        }
        let amounts: Option<Vec<usize>> = limits[1..].iter().map(|amount| bytes(amount)).collect();
        let amounts =
            amounts.ok_or("Error in hard, soft or soft_seconds setting in buffer limit configuration.")?;
        match (&*class, &amounts[..]) {
            ("pubsub", [hard, 0, 0]) => listening = Some(if *hard == 0 { usize::MAX } else { *hard }),
            (_, [0, 0, 0]) => {}
            _ => return Err("only the hard limit of pubsub is kept; the others must be 0".to_owned()),
        }
    }
    Ok(listening)
}

/// A number of bytes; none is 0, as in Redis.
fn bytes_or_none(text: &str) -> Option<usize> {
    if text.is_empty() { Some(0) } else { bytes(text) }
}

/// A number of bytes, as `1048576` or `1mb`.
#[must_use]
pub fn bytes(text: &str) -> Option<usize> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit: usize = match text[digits.len()..].to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" => 1000,
        "kb" => 1 << 10,
        "m" => 1_000_000,
        "mb" => 1 << 20,
        "g" => 1_000_000_000,
        "gb" => 1 << 30,
        _ => return None,
    };
    digits.parse::<usize>().ok()?.checked_mul(unit)
}

/// All settings: those that can be changed, those that follow from what this server does not do, and those that the host
/// chose for good. By Redis's names where Redis has them.
fn list(server: &Server) -> Vec<(&str, String)> {
    let config = &server.config;
    let mut list: Vec<(&str, String)> =
        CHANGEABLE.iter().map(|setting| (setting.name, (setting.read)(server))).collect();
    list.extend([
        ("appendfsync", Fsync::default().name().to_owned()),
        ("appendonly", "no".to_owned()),
        ("client-query-buffer-limit", config.limits.request_bytes.to_string()),
        ("databases", config.databases.to_string()),
        ("port", config.port.to_string()),
        ("proto-max-bulk-len", config.limits.bulk_bytes.to_string()),
        ("save", String::new()),
    ]);
    list.extend(LAYOUT_LIMITS.iter().map(|(name, limit)| (*name, limit.to_string())));
    // What the host says of itself is so.
    list.retain(|(name, _)| config.settings.iter().all(|(set, _)| set != name));
    list.extend(config.settings.iter().map(|(name, value)| (name.as_str(), value.clone())));
    list
}

const GET: Spec = Spec {
    name: "config|get",
    summary: "The settings whose names match any of the patterns.",
    usage: "pattern ...",
    since: "2.0.0",
    group: Group::Server,
    complexity: "O(N) in the number of settings and patterns",
    arity: -3,
    flags: ADMINISTRATION,
    keys: KeySpec::None,
    subcommands: &[],
    run: Run::session(get),
};

fn get(ctx: &mut SessionCtx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let list = list(ctx.server);
    let asked = |name: &str| args.from(2).find(|it| matches(it, name.as_bytes(), Case::Insensitive));
    let found: Vec<_> = list.iter().filter_map(|(name, value)| Some((asked(name)?, name, value))).collect();
    reply.map(found.len());
    for (asked, name, value) in found {
        // As it was spelled, where it is a name and no pattern.
        reply.bulk(if asked.eq_ignore_ascii_case(name.as_bytes()) { asked } else { name.as_bytes() });
        reply.bulk(value);
    }
    Ok(())
}

const SET: Spec = Spec {
    name: "config|set",
    summary: "Changes settings while the server runs: all of them, or none if one cannot be.",
    usage: "(parameter value) ...",
    since: "2.0.0",
    group: Group::Server,
    complexity: "O(N) in the number of settings given; in that of keys where a memory limit is first set",
    arity: -4,
    flags: ADMINISTRATION,
    keys: KeySpec::Computed(set_keys),
    subcommands: &[],
    run: Run::keyspace(set),
};

/// Whoever sets how much memory the data may take waits for all of it, so that what is used is known from then on: shards learn
/// of it when the command is done. Other settings need none.
fn set_keys(args: Args<'_>) -> Keys {
    let is_of_memory = |name: &[u8]| {
        let name = name.to_ascii_lowercase();
        name.starts_with(b"maxmemory") || name.starts_with(b"lfu-")
    };
    if args.from(2).step_by(2).any(is_of_memory) { Keys::All } else { Keys::None }
}

fn set(ctx: &mut Ctx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    if !args.len().is_multiple_of(2) {
        return Err(Mistake::SYNTAX);
    }
    let failed = |name: &[u8], why: &str| {
        Mistake::from(
            [b"ERR CONFIG SET failed (possibly related to argument '", name, b"') - ", why.as_bytes()]
                .concat(),
        )
    };
    let mut settings: Vec<(&Changeable, &[u8])> = Vec::new();
    // What cannot be set at all is said before what is wrong with a value.
    for index in (2..args.len()).step_by(2) {
        let name = &args[index];
        let Some(setting) = CHANGEABLE.iter().find(|known| known.name.as_bytes().eq_ignore_ascii_case(name))
        else {
            if list(ctx.server).iter().any(|(known, _)| known.as_bytes().eq_ignore_ascii_case(name)) {
                return Err(failed(name, "can't set immutable config"));
            }
            return Err(Mistake::from(
                [b"ERR Unknown option or number of arguments for CONFIG SET - '", name, b"'"].concat(),
            ));
        };
        if settings.iter().any(|(other, _)| other.name == setting.name) {
            return Err(failed(name, "duplicate parameter"));
        }
        settings.push((setting, &args[index + 1]));
    }
    let changes = settings.iter().map(|(setting, value)| {
        (setting.parse)(ctx.server, value).map_err(|why| failed(setting.name.as_bytes(), &why))
    });
    let changes: Vec<Change> = changes.collect::<Result<_, _>>()?;
    changes.into_iter().for_each(|change| change.make(ctx.server));
    reply.ok();
    Ok(())
}

const RESETSTAT: Spec = Spec {
    name: "config|resetstat",
    summary: "Has INFO count from 0 again.",
    usage: "",
    since: "2.0.0",
    group: Group::Server,
    complexity: "O(N) in the number of shards",
    arity: 2,
    flags: ADMINISTRATION,
    keys: KeySpec::All,
    subcommands: &[],
    run: Run::keyspace(resetstat),
};

fn resetstat(ctx: &mut Ctx<'_>, _: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    for shard in 0..ctx.keyspace.count() {
        ctx.keyspace.nth(shard).reset_stats();
    }
    ctx.server.counters.reset();
    ctx.server.errors.reset();
    ctx.server.calls.reset();
    reply.ok();
    Ok(())
}

const REWRITE: Spec = Spec {
    name: "config|rewrite",
    summary: "Would write the settings into the configuration file: there is none, flags are all.",
    usage: "",
    since: "2.8.0",
    group: Group::Server,
    complexity: "O(1)",
    arity: 2,
    flags: ADMINISTRATION,
    keys: KeySpec::None,
    subcommands: &[],
    run: Run::session(rewrite),
};

fn rewrite(_: &mut SessionCtx<'_>, _: Args<'_>, _: &mut Reply<'_>) -> Outcome {
    Err(Mistake::new("ERR The server is running without a config file"))
}

const HELP: Spec = help::of("config|help", "5.0.0", Group::Server);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_of_bytes() {
        for (text, expected) in [
            ("0", Some(0)),
            ("1mb", Some(1 << 20)),
            ("2KB", Some(2048)),
            ("3k", Some(3000)),
            ("x", None),
            ("1x", None),
            ("-1", None),
            ("99999999999999999999", None),
        ] {
            assert_eq!(bytes(text), expected, "{text}");
        }
    }

    #[test]
    fn only_what_is_kept_can_be_limited() {
        assert_eq!(parse_output_limits(b"normal 0 0 0 pubsub 1mb 0 0"), Ok(Some(1 << 20)));
        assert_eq!(parse_output_limits(b"pubsub 0 0 0"), Ok(Some(usize::MAX)));
        assert_eq!(parse_output_limits(b"normal 0 0 0"), Ok(None));
        assert!(parse_output_limits(b"normal 1 0 0").is_err());
        assert!(parse_output_limits(b"pubsub 5 4 3").is_err());
    }
}
