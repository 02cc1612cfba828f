//! SLOWLOG: the last commands that took long, and what they were.
//!
//! Owns the entries and how many are kept. Who ran a command says how long it took; the waiting for its lock is not counted.
//! Short commands that come in one pipeline are timed together where the limit is a millisecond or more; an entry for several says
//! so.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::auth::is_secret_argument;
use super::context::Server;
use super::help;
use super::mistake::Mistake;
use super::spec::{Flag, Group, KeySpec, Outcome, Run, SessionCtx, Spec};
use crate::resp::{Args, Reply, parse_i64};

/// Most arguments kept of one command, that which counts the rest included. Redis's SLOWLOG_ENTRY_MAX_ARGC.
const ARGUMENTS_MAX: usize = 32;

/// Most bytes kept of one argument. Redis's SLOWLOG_ENTRY_MAX_STRING.
const ARGUMENT_BYTES_MAX: usize = 128;

/// A command that took long.
#[derive(Clone, Debug)]
struct Entry {
    id: u64,
    at_s: u64,
    took_us: u64,
    arguments: Vec<Vec<u8>>,
    address: String,
    name: String,
}

/// The last of them, the newest in front.
#[derive(Debug)]
pub(crate) struct SlowLog {
    len_max: AtomicUsize,
    entries: Mutex<Entries>,
}

#[derive(Debug, Default)]
struct Entries {
    next_id: u64,
    newest_first: VecDeque<Entry>,
}

impl SlowLog {
    pub(super) fn new(len_max: usize) -> Self {
        Self { len_max: AtomicUsize::new(len_max), entries: Mutex::default() }
    }

    fn entries(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn len_max(&self) -> usize {
        self.len_max.load(Relaxed)
    }

    pub(super) fn set_len_max(&self, len_max: usize) {
        self.len_max.store(len_max, Relaxed);
        self.entries().newest_first.truncate(len_max);
    }
}

/// What took long.
pub(crate) struct Slow<'a> {
    pub(crate) spec: &'a Spec,
    /// The request, or the first of several that were timed together.
    pub(crate) args: Args<'a>,
    /// How many more those were.
    pub(crate) with: usize,
    pub(crate) took_ns: u64,
}

impl Server {
    /// Logs what of `client` took long, until `now_ms`.
    #[cold]
    pub(crate) fn log_slow(&self, client: u64, slow: &Slow<'_>, now_ms: u64) {
        let (address, name) = match self.clients().get(&client) {
            Some(client) => (client.peer.address.clone(), client.names().name.clone()),
            // It is gone already.
            None => Default::default(),
        };
        let mut arguments = kept_of(slow.spec, slow.args);
        if slow.with > 0 {
            arguments.push(format!("... (with {} more commands of the pipeline)", slow.with).into_bytes());
        }
        let len_max = self.slow_log.len_max();
        let mut entries = self.slow_log.entries();
        let id = entries.next_id;
        entries.next_id += 1;
        let (at_s, took_us) = (now_ms / 1000, slow.took_ns / 1000);
        entries.newest_first.push_front(Entry { id, at_s, took_us, arguments, address, name });
        entries.newest_first.truncate(len_max);
    }
}

/// What is kept of a request: what is too much is counted, what is secret is not shown.
fn kept_of(spec: &Spec, args: Args<'_>) -> Vec<Vec<u8>> {
    let kept = if args.len() > ARGUMENTS_MAX { ARGUMENTS_MAX - 1 } else { args.len() };
    let one = |(index, argument): (usize, &[u8])| {
        if is_secret_argument(spec, args, index) {
            return b"(redacted)".to_vec();
        }
        match argument.len().checked_sub(ARGUMENT_BYTES_MAX) {
            None | Some(0) => argument.to_vec(),
            Some(more) => {
                let mut text = argument[..ARGUMENT_BYTES_MAX].to_vec();
                text.extend_from_slice(format!("... ({more} more bytes)").as_bytes());
                text
            }
        }
    };
    let mut arguments: Vec<Vec<u8>> = args.iter().enumerate().take(kept).map(one).collect();
    if kept < args.len() {
        arguments.push(format!("... ({} more arguments)", args.len() - kept).into_bytes());
    }
    arguments
}

const ADMINISTRATION: &[Flag] = &[Flag::Admin, Flag::Loading, Flag::Stale, Flag::Dangerous];

pub(super) const SLOWLOG: Spec = Spec {
    name: "slowlog",
    summary: "A container for commands about what took long.",
    usage: "",
    since: "2.2.12",
    group: Group::Server,
    complexity: "Depends on the subcommand",
    arity: -2,
    flags: &[],
    keys: KeySpec::None,
    subcommands: &[GET, LEN, RESET, HELP],
    run: help::RUN,
};

const GET: Spec = Spec {
    name: "slowlog|get",
    summary: "The last commands that took longer than slowlog-log-slower-than, 10 unless told otherwise; -1: all.",
    usage: "[count]",
    since: "2.2.12",
    group: Group::Server,
    complexity: "O(N) in the number of entries",
    arity: -2,
    flags: ADMINISTRATION,
    keys: KeySpec::None,
    subcommands: &[],
    run: Run::session(get),
};

fn get(ctx: &mut SessionCtx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    if args.len() > 3 {
        return Err(Mistake::unknown_form(args));
    }
    let count = args.get(2).map_or(Some(10), |count| parse_i64(count).filter(|count| *count >= -1));
    let count = count.ok_or(Mistake::new("ERR count should be greater than or equal to -1"))?;
    let entries = ctx.server.slow_log.entries();
    let shown = usize::try_from(count).unwrap_or(usize::MAX).min(entries.newest_first.len());
    reply.array(shown);
    for entry in entries.newest_first.iter().take(shown) {
        reply.array(6);
        reply.integer(entry.id as i64);
        reply.integer(entry.at_s as i64);
        reply.integer(entry.took_us as i64);
        reply.array(entry.arguments.len());
        entry.arguments.iter().for_each(|argument| reply.bulk(argument));
        reply.bulk(&entry.address);
        reply.bulk(&entry.name);
    }
    Ok(())
}

const LEN: Spec = Spec {
    name: "slowlog|len",
    summary: "How many commands are logged.",
    usage: "",
    since: "2.2.12",
    group: Group::Server,
    complexity: "O(1)",
    arity: 2,
    flags: ADMINISTRATION,
    keys: KeySpec::None,
    subcommands: &[],
    run: Run::session(len),
};

fn len(ctx: &mut SessionCtx<'_>, _: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    reply.count(ctx.server.slow_log.entries().newest_first.len());
    Ok(())
}

const RESET: Spec = Spec {
    name: "slowlog|reset",
    summary: "Forgets what is logged.",
    usage: "",
    since: "2.2.12",
    group: Group::Server,
    complexity: "O(N) in the number of entries",
    arity: 2,
    flags: ADMINISTRATION,
    keys: KeySpec::None,
    subcommands: &[],
    run: Run::session(reset),
};

fn reset(ctx: &mut SessionCtx<'_>, _: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    ctx.server.slow_log.entries().newest_first.clear();
    reply.ok();
    Ok(())
}

const HELP: Spec = help::of("slowlog|help", "6.2.0", Group::Server);

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::command::{Config, resolve};
    use crate::resp::Batch;

    #[test]
    fn commands_timed_together_say_so_and_the_oldest_entries_go() {
        let server = Arc::new(Server::new(Config { slow_log_len: 2, ..Config::default() }, 0, 7));
        let mut batch = Batch::default();
        batch.push(&["GET", "k"]);
        let args = batch.request(0);
        let spec = resolve(args).unwrap().spec;
        for with in [0, 1, 15] {
            server.log_slow(1, &Slow { spec, args, with, took_ns: 20_000_000 }, 5_000);
        }
        let entries = server.slow_log.entries();
        let shown: Vec<String> = entries
            .newest_first
            .iter()
            .map(|entry| {
                let text = entry.arguments.concat();
                format!("{} {} {}: {}", entry.id, entry.at_s, entry.took_us, text.escape_ascii())
            })
            .collect();
        assert_eq!(
            shown,
            [
                "2 5 20000: GETk... (with 15 more commands of the pipeline)",
                "1 5 20000: GETk... (with 1 more commands of the pipeline)"
            ]
        );
    }
}
