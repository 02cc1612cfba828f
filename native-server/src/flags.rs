//! The command line: every flag, its default, and what is wrong with a value. Knows nothing of what a flag
//! sets off.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, Subcommand, ValueEnum};
use interleave::command::{self, Config, PASSWORD_BYTES_MAX};
use interleave::log::Fsync;
use interleave::log::entry::DATABASES_MAX;
use interleave::resp::Limits;
use interleave::rt::Room;
use interleave::sharing::{Kind, Options};
use interleave::store::Policy;
use tracing::warn;

use crate::durability::AutoRewrite;
use crate::process;
use crate::run::RunFlags;

/// What the program can do besides serving.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Run a scenario once and print what came of it; fails if an assertion did not hold or a task did not complete.
    Run(RunFlags),
}

/// A Redis-like server whose Tokio tasks can be watched in a browser.
#[derive(Clone, Debug, Parser)]
// A flag given again counts, so that one can be added behind those of a script.
#[command(
    name = "interleave-server",
    version,
    args_override_self = true,
    args_conflicts_with_subcommands = true
)]
pub struct Flags {
    /// Something else than to serve.
    #[command(subcommand)]
    pub command: Option<Command>,

    /// Where Redis clients connect. Port 0: any that is free.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:6379", value_parser = address)]
    pub resp: SocketAddr,

    /// Where browsers connect. Port 0: any that is free.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080", value_parser = address)]
    pub http: SocketAddr,

    /// A name that browsers may call this server by, besides localhost and its addresses; may be given
    /// several times.
    #[arg(long, value_name = "NAME", value_parser = host_name)]
    pub allow_host: Vec<String>,

    /// How connections share the store: isolated, mutex, async-mutex, sharded or actor.
    #[arg(long, value_name = "WAY", default_value_t)]
    pub sharing: Kind,

    /// The kind of Tokio runtime that serves commands.
    #[arg(long, value_enum, default_value_t)]
    pub flavor: Flavor,

    /// Workers of a multi-thread runtime [default: one a processor].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub worker_threads: Option<u16>,

    /// Most clients at a time, by TCP and by WebSocket; the next is told and closed.
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    pub max_clients: usize,

    /// Databases that clients can choose from with SELECT.
    #[arg(long, value_name = "N", default_value_t = Config::default().databases, value_parser = between(1, DATABASES_MAX))]
    pub databases: usize,

    /// Parts of the keyspace, each with a lock of its own, under `--sharing sharded`.
    #[arg(long, value_name = "N", default_value_t = 256, value_parser = between(1, 65_536))]
    pub shards: usize,

    /// Messages that may wait for the store's owner under `--sharing actor`.
    #[arg(long, value_name = "N", default_value_t = 1024, value_parser = between(1, 1 << 20))]
    pub actor_queue: usize,

    /// How long `--sharing async-mutex` keeps its lock across an `.await` after each batch, as a lesson.
    #[arg(long, value_name = "MS", default_value_t = 0)]
    pub hold_ms: u64,

    /// How long a request may stay half-arrived before its connection is closed, in seconds.
    #[arg(long, value_name = "S", default_value = "30", value_parser = seconds)]
    pub unfinished_timeout_s: Duration,

    /// How long a client may be silent before its connection is closed, in seconds; 0: for ever.
    #[arg(long, value_name = "S", default_value = "0", value_parser = seconds)]
    pub idle_timeout_s: Duration,

    /// Longest argument, and with it the longest value.
    #[arg(long, value_name = "BYTES", default_value_t = Limits::default().bulk_bytes,
          value_parser = between(1, Limits::REQUEST_BYTES_CEILING))]
    pub max_bulk_bytes: usize,

    /// Longest request.
    #[arg(long, value_name = "BYTES", default_value_t = Limits::default().request_bytes,
          value_parser = between(1, Limits::REQUEST_BYTES_CEILING))]
    pub max_request_bytes: usize,

    /// What clients must say by AUTH before anything else. Whoever lists this machine's processes can read it: CONFIG SET
    /// requirepass is the other way.
    #[arg(long, value_name = "PASSWORD", default_value = "", hide_default_value = true, value_parser = password)]
    pub requirepass: String,

    /// Messages of channels that may wait for one client that listens; it is disconnected when there would be more.
    #[arg(long, value_name = "N", default_value_t = Config::default().messages.messages,
          value_parser = between(1, 1 << 30))]
    pub pubsub_queue: usize,

    /// Bytes of them, those of their names and about 128 for each message included.
    #[arg(long, value_name = "BYTES", default_value_t = Config::default().messages.bytes,
          value_parser = between(1 << 10, 1 << 40))]
    pub pubsub_queue_bytes: usize,

    /// Bytes of trace that may wait for one watcher; then it loses what comes next, and is told.
    #[arg(long, value_name = "BYTES", default_value_t = 8 << 20, value_parser = between(1 << 10, 1 << 30))]
    pub trace_queue_bytes: usize,

    /// Most memory that keys and their values may take, as in 100mb; 0: as much as there is.
    #[arg(long, value_name = "BYTES", default_value = "0", value_parser = amount)]
    pub maxmemory: u64,

    /// What goes when that is not enough: noeviction, allkeys-lru, allkeys-lfu, allkeys-random, volatile-lru, volatile-lfu,
    /// volatile-random or volatile-ttl.
    #[arg(long, value_name = "POLICY", default_value = Policy::default().name())]
    pub maxmemory_policy: Policy,

    /// How many keys the one to go is chosen from.
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=0x7fff_ffff))]
    pub maxmemory_samples: u32,

    /// Write what is done to the data to a log in `--dir`, and read it when the server starts.
    #[arg(long, value_name = "YES|NO", default_value = "no", default_missing_value = "yes", num_args = 0..=1,
          value_parser = yes_or_no)]
    pub appendonly: bool,

    /// When the log is to reach the disk: always (before a client is answered), everysec, or no (when the system sees fit).
    #[arg(long, value_name = "WHEN", default_value = "everysec")]
    pub appendfsync: Fsync,

    /// The folder of the log.
    #[arg(long, value_name = "FOLDER", default_value = ".")]
    pub dir: PathBuf,

    /// By how many percent the log must grow to be compacted; 0: only when asked.
    #[arg(long, value_name = "PERCENT", default_value_t = 100)]
    pub auto_aof_rewrite_percentage: u64,

    /// How long the log must be to be compacted without being asked.
    #[arg(long, value_name = "BYTES", default_value_t = 64 << 20)]
    pub auto_aof_rewrite_min_size: u64,

    /// How long clients have to take their last replies when the server stops, in seconds.
    #[arg(long, value_name = "S", default_value = "10", value_parser = seconds)]
    pub shutdown_timeout_s: Duration,
}

/// Which of Tokio's runtimes serves commands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Flavor {
    /// All tasks take turns on one thread.
    CurrentThread,
    /// Several workers, which steal tasks from each other.
    #[default]
    MultiThread,
}

impl Flavor {
    /// Its name in the flag, in the page and in the trace.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::CurrentThread => "current-thread",
            Self::MultiThread => "multi-thread",
        }
    }
}

impl Flags {
    /// What the server's commands know of its setup. `resp` is the address that was bound.
    pub(crate) fn config(&self, resp: SocketAddr) -> Config {
        Config {
            limits: Limits {
                bulk_bytes: self.max_bulk_bytes,
                request_bytes: self.max_request_bytes,
                ..Limits::default()
            },
            max_clients: self.max_clients,
            permit_clients: process::permit_clients,
            databases: self.databases,
            port: resp.port(),
            messages: Room { messages: self.pubsub_queue, bytes: self.pubsub_queue_bytes },
            log: |line| warn!("{line}"),
            password: self.requirepass.clone(),
            maxmemory: self.maxmemory,
            maxmemory_policy: self.maxmemory_policy,
            maxmemory_samples: self.maxmemory_samples,
            idle_timeout_s: self.idle_timeout_s.as_secs(),
            settings: [
                ("appendfsync", self.appendfsync.name().to_owned()),
                ("appendonly", if self.appendonly { "yes" } else { "no" }.to_owned()),
                ("auto-aof-rewrite-min-size", self.auto_aof_rewrite_min_size.to_string()),
                ("auto-aof-rewrite-percentage", self.auto_aof_rewrite_percentage.to_string()),
                ("bind", resp.ip().to_string()),
                (
                    "dir",
                    std::path::absolute(&self.dir).unwrap_or_else(|_| self.dir.clone()).display().to_string(),
                ),
            ]
            .map(|(name, value)| (name.to_owned(), value))
            .into(),
            ..Config::default()
        }
    }

    /// When the log is compacted without being asked.
    pub(crate) fn auto_rewrite(&self) -> AutoRewrite {
        AutoRewrite {
            percentage: self.auto_aof_rewrite_percentage,
            min_bytes: self.auto_aof_rewrite_min_size,
        }
    }

    /// What can be chosen about the sharing.
    pub(crate) fn options(&self, seed: u64) -> Options {
        Options {
            shards: self.shards,
            actor_queue: self.actor_queue,
            hold: Duration::from_millis(self.hold_ms),
            seed,
        }
    }

    /// How long a client may be silent.
    pub(crate) fn idle_timeout(&self) -> Option<Duration> {
        Some(self.idle_timeout_s).filter(|timeout| !timeout.is_zero())
    }
}

fn amount(text: &str) -> Result<u64, String> {
    let bytes = command::bytes(text).map(|bytes| bytes as u64);
    bytes.ok_or_else(|| "expected a number of bytes, as in 1048576 or 1mb".to_owned())
}

fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse()
        .map_err(|_| "expected an IP address and a port, as in 127.0.0.1:6379 or [::1]:6379".to_owned())
}

fn yes_or_no(text: &str) -> Result<bool, String> {
    match text {
        "yes" => Ok(true),
        "no" => Ok(false),
        _ => Err("expected yes or no".to_owned()),
    }
}

fn host_name(text: &str) -> Result<String, String> {
    if text.is_empty() || text.contains([':', '/', '@', ' ']) {
        return Err("expected a host's name alone, as in play.example".to_owned());
    }
    Ok(text.to_owned())
}

fn password(text: &str) -> Result<String, String> {
    if text.len() > PASSWORD_BYTES_MAX {
        return Err(format!("expected at most {PASSWORD_BYTES_MAX} bytes"));
    }
    Ok(text.to_owned())
}

fn seconds(text: &str) -> Result<Duration, String> {
    let expected = "expected a number of seconds, as in 30 or 0.5";
    let seconds: f64 = text.parse().map_err(|_| expected.to_owned())?;
    Duration::try_from_secs_f64(seconds).map_err(|_| expected.to_owned())
}

fn between(least: usize, most: usize) -> impl Fn(&str) -> Result<usize, String> + Clone + Send + Sync {
    move |text| {
        let number = text.parse().ok().filter(|number| (least..=most).contains(number));
        number.ok_or_else(|| format!("expected a number from {least} to {most}"))
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn parse(flags: &[&str]) -> Result<Flags, String> {
        let name = ["interleave-server"];
        Flags::try_parse_from(name.iter().chain(flags)).map_err(|error| error.to_string())
    }

    #[test]
    fn the_flags_are_consistent() {
        Flags::command().debug_assert();
    }

    #[test]
    fn defaults_are_the_librarys() {
        let flags = parse(&[]).unwrap();
        // More shards, for it has more than one worker.
        assert_eq!(flags.options(0), Options { shards: 256, ..Options::default() });
        assert_eq!(flags.config(flags.resp).limits, Limits::default());
        assert_eq!(flags.config(flags.resp).max_clients, Config::default().max_clients);
        assert_eq!(flags.config(flags.resp).messages, Config::default().messages);
        assert_eq!(flags.config(flags.resp).databases, Config::default().databases);
        assert_eq!(
            (flags.sharing, flags.flavor, flags.idle_timeout()),
            (Kind::Sharded, Flavor::MultiThread, None)
        );
    }

    #[test]
    fn a_wrong_value_says_what_was_expected() {
        for (flag, expected) in [
            ("--resp=6379", "expected an IP address and a port"),
            ("--allow-host=http://a", "expected a host's name alone"),
            ("--sharing=shared", "expected isolated, mutex, async-mutex, sharded, actor, found 'shared'"),
            ("--flavor=threads", "current-thread, multi-thread"),
            ("--databases=0", "expected a number from 1 to 1024"),
            ("--shards=0", "expected a number from 1 to 65536"),
            ("--pubsub-queue=0", "expected a number from 1"),
            ("--idle-timeout-s=-1", "expected a number of seconds"),
            ("--idle-timeout-s=soon", "expected a number of seconds"),
            ("--worker-threads=0", "1..=1024"),
        ] {
            let error = parse(&[flag]).unwrap_err();
            assert!(error.contains(expected), "{flag}: {error}");
        }
    }

    #[test]
    fn parts_of_a_second_count() {
        let flags = parse(&["--unfinished-timeout-s=0.25", "--idle-timeout-s", "2"]).unwrap();
        assert_eq!(flags.unfinished_timeout_s, Duration::from_millis(250));
        assert_eq!(flags.idle_timeout(), Some(Duration::from_secs(2)));
    }
}
