//! INFO: what the server knows of itself, and no figure it does not know.

use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::broker::Topic;
use super::context::REDIS_VERSION;
use super::parse::is;
use super::persistence;
use super::spec::{Ctx, Flag, Group, KeySpec, Keys, Outcome, Run, Spec};
use crate::resp::{Args, Reply};
use crate::store::Stats;

pub(super) const INFO: Spec = Spec {
    name: "info",
    summary: "Reports on the server: all sections, or those named.",
    usage: "[section ...]",
    since: "1.0.0",
    group: Group::Server,
    complexity: "O(1)",
    arity: -1,
    flags: &[Flag::Loading, Flag::Stale, Flag::Dangerous],
    keys: KeySpec::Computed(keys),
    subcommands: &[],
    run: Run::keyspace(info),
};

#[derive(Clone, Copy, PartialEq, Eq)]
enum Section {
    Server,
    Clients,
    Memory,
    Persistence,
    Stats,
    Replication,
    Cpu,
    Modules,
    CommandStats,
    ErrorStats,
    LatencyStats,
    Cluster,
    Keyspace,
}

impl Section {
    const ALL: [Self; 13] = [
        Self::Server,
        Self::Clients,
        Self::Memory,
        Self::Persistence,
        Self::Stats,
        Self::Replication,
        Self::Cpu,
        Self::Modules,
        Self::CommandStats,
        Self::ErrorStats,
        Self::LatencyStats,
        Self::Cluster,
        Self::Keyspace,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Server => "Server",
            Self::Clients => "Clients",
            Self::Memory => "Memory",
            Self::Persistence => "Persistence",
            Self::Stats => "Stats",
            Self::Replication => "Replication",
            Self::Cpu => "CPU",
            Self::Modules => "Modules",
            Self::CommandStats => "Commandstats",
            Self::ErrorStats => "Errorstats",
            Self::LatencyStats => "Latencystats",
            Self::Cluster => "Cluster",
            Self::Keyspace => "Keyspace",
        }
    }

    fn is_wanted(self, args: Args<'_>) -> bool {
        // These have a line for each command.
        let by_default = !matches!(self, Self::CommandStats | Self::LatencyStats);
        let wants = |word: &[u8]| {
            is(word, self.name())
                || is(word, "all")
                || is(word, "everything")
                || by_default && is(word, "default")
        };
        args.len() == 1 && by_default || args.from(1).any(wants)
    }

    /// Whether it reports on keys, and so needs the stores.
    fn needs_stores(self) -> bool {
        matches!(self, Self::Memory | Self::Stats | Self::Keyspace)
    }
}

/// A report that leaves keys out waits for no store.
fn keys(args: Args<'_>) -> Keys {
    let needs_stores = |section: Section| section.needs_stores() && section.is_wanted(args);
    if Section::ALL.into_iter().any(needs_stores) { Keys::All } else { Keys::None }
}

fn info(ctx: &mut Ctx<'_>, args: Args<'_>, reply: &mut Reply<'_>) -> Outcome {
    let mut text = String::new();
    for section in Section::ALL.into_iter().filter(|section| section.is_wanted(args)) {
        if !text.is_empty() {
            text.push_str("\r\n");
        }
        let mut report = Report { text: &mut text };
        report.line(format_args!("# {}", section.name()));
        match section {
            Section::Server => server(ctx, &mut report),
            Section::Clients => clients(ctx, &mut report),
            Section::Memory => memory(ctx, &mut report),
            Section::Persistence => persistence::report(ctx.server.log(), &mut report),
            Section::Stats => stats(ctx, &mut report),
            Section::Replication => replication(&mut report),
            Section::Cpu => cpu(ctx, &mut report),
            // There is none.
            Section::Modules => {}
            Section::CommandStats => ctx.server.calls.report_calls(&mut report),
            Section::LatencyStats => ctx.server.calls.report_times(&mut report),
            Section::ErrorStats => error_stats(ctx, &mut report),
            Section::Cluster => report.field("cluster_enabled", 0),
            Section::Keyspace => keyspace(ctx, &mut report),
        }
    }
    reply.verbatim("txt", text);
    Ok(())
}

/// A section in the making.
pub(super) struct Report<'a> {
    text: &'a mut String,
}

impl Report<'_> {
    pub(super) fn line(&mut self, line: std::fmt::Arguments<'_>) {
        write!(self.text, "{line}\r\n").expect("writing to a string does not fail");
    }

    pub(super) fn field(&mut self, name: &str, value: impl std::fmt::Display) {
        self.line(format_args!("{name}:{value}"));
    }
}

fn server(ctx: &Ctx<'_>, report: &mut Report<'_>) {
    let server = ctx.server;
    let uptime_seconds = ctx.now_ms.saturating_sub(server.started_ms()) / 1000;
    report.field("redis_version", REDIS_VERSION);
    report.field("redis_mode", "standalone");
    report.field("interleave_version", env!("CARGO_PKG_VERSION"));
    report.field("os", std::env::consts::OS);
    report.field("arch_bits", usize::BITS);
    report.field("run_id", server.run_id());
    report.field("tcp_port", server.config.port);
    report.field("server_time_usec", ctx.now_ms.saturating_mul(1000));
    report.field("uptime_in_seconds", uptime_seconds);
    report.field("uptime_in_days", uptime_seconds / 86_400);
}

fn clients(ctx: &Ctx<'_>, report: &mut Report<'_>) {
    report.field("connected_clients", ctx.server.connected_clients());
    report.field("blocked_clients", ctx.server.waiting_clients());
    report.field("maxclients", ctx.server.settings.max_clients.load(Relaxed));
}

fn memory(ctx: &mut Ctx<'_>, report: &mut Report<'_>) {
    // Nobody keeps count without a limit.
    if ctx.server.memory.bytes().is_some() {
        let shards = 0..ctx.keyspace.count();
        report.field("used_memory", shards.map(|shard| ctx.keyspace.shard(shard).weight()).sum::<usize>());
    }
    let resident_bytes = load(&ctx.server.counters.resident_bytes);
    if resident_bytes > 0 {
        report.field("used_memory_rss", resident_bytes);
    }
    let limit = &ctx.server.memory;
    report.field("maxmemory", limit.bytes().unwrap_or(0));
    report.field("maxmemory_policy", limit.policy().name());
}

fn stats(ctx: &mut Ctx<'_>, report: &mut Report<'_>) {
    let counters = &ctx.server.counters;
    report.field("total_connections_received", load(&counters.connections));
    report.field("total_commands_processed", counters.served.sum(|served| &served.commands));
    report.field("total_net_input_bytes", counters.served.sum(|served| &served.bytes_in));
    report.field("total_net_output_bytes", counters.served.sum(|served| &served.bytes_out));
    report.field("rejected_connections", load(&counters.rejected));
    let mut total = Stats::default();
    for shard in 0..ctx.keyspace.count() {
        for store in ctx.keyspace.shard(shard).stores() {
            let stats = store.stats();
            total.expired += stats.expired;
            total.evicted += stats.evicted;
            total.hits += stats.hits;
            total.misses += stats.misses;
        }
    }
    report.field("expired_keys", total.expired);
    report.field("evicted_keys", total.evicted);
    report.field("keyspace_hits", total.hits);
    report.field("keyspace_misses", total.misses);
    report.field("pubsub_channels", ctx.server.broker.count(Topic::Channel));
    report.field("pubsub_patterns", ctx.server.broker.count(Topic::Pattern));
    report.field("pubsubshard_channels", ctx.server.broker.count(Topic::Shard));
    report.field("total_error_replies", ctx.server.errors.total());
    report.field("client_output_buffer_limit_disconnections", load(&ctx.server.counters.too_slow));
}

/// There are no other servers.
fn replication(report: &mut Report<'_>) {
    report.field("role", "master");
    report.field("connected_slaves", 0);
}

/// Nothing where the host cannot tell: in the tab.
fn cpu(ctx: &Ctx<'_>, report: &mut Report<'_>) {
    let counters = &ctx.server.counters;
    let (user_us, system_us) = (load(&counters.user_us), load(&counters.system_us));
    if user_us + system_us > 0 {
        let seconds = |us: u64| format!("{}.{:06}", us / 1_000_000, us % 1_000_000);
        report.field("used_cpu_sys", seconds(system_us));
        report.field("used_cpu_user", seconds(user_us));
    }
}

fn error_stats(ctx: &Ctx<'_>, report: &mut Report<'_>) {
    for (word, count) in ctx.server.errors.by_word() {
        report.line(format_args!("errorstat_{word}:count={count}"));
    }
}

fn keyspace(ctx: &mut Ctx<'_>, report: &mut Report<'_>) {
    let mut databases = Vec::new();
    for shard in 0..ctx.keyspace.count() {
        for (number, store) in ctx.keyspace.shard(shard).stores().enumerate() {
            if number == databases.len() {
                databases.push((0, 0));
            }
            databases[number].0 += store.len();
            databases[number].1 += store.volatile();
        }
    }
    for (number, (keys, expires)) in databases.iter().enumerate().filter(|(_, (keys, _))| *keys > 0) {
        report.line(format_args!("db{number}:keys={keys},expires={expires}"));
    }
}

fn load(counter: &AtomicU64) -> u64 {
    counter.load(Relaxed)
}
