//! `cargo xtask bench redis`: our server under every sharing beside Debian's redis-server. Knows no more of either
//! than how to start it.

use std::path::Path;
use std::process::Command;

use anyhow::Result;
use clap::Args;

use super::load::{Cost, Load};
use super::program::{Program, free_port};
use super::{Effort, median, targets};
use crate::shell::{apt, say};
use crate::{page, server};

const SHARINGS: [&str; 5] = ["isolated", "mutex", "async-mutex", "sharded", "actor"];

/// Flags of the benchmark.
#[derive(Args)]
pub(crate) struct Flags {
    /// Which sharings to measure.
    #[arg(long, value_delimiter = ',', default_values_t = SHARINGS.map(String::from))]
    sharing: Vec<String>,
    /// Measure what the default sharing is to reach instead, and say of each goal whether it is. Of the effort only the
    /// rounds, the requests, the keys and the cores count.
    #[arg(long)]
    targets: bool,
    /// Workers of our server, which has one for each processor otherwise; for the tables of the sharings only.
    #[arg(long, value_name = "N", conflicts_with = "targets")]
    worker_threads: Option<usize>,
    #[command(flatten)]
    effort: Effort,
}

/// Measures and prints one table for each load.
pub(crate) fn bench(flags: &Flags) -> Result<()> {
    apt::need(&["redis-server", "redis-tools"])?;
    page::build(page::Profile::Page)?;
    let binary = server::build(server::Profile::Dist)?;
    if flags.targets {
        return targets::bench(&flags.effort, &binary);
    }
    let (server_core, load_core) = flags.effort.cores();
    let mut programs = vec![("redis", start_redis(server_core)?)];
    for sharing in &flags.sharing {
        programs.push((sharing, start_with(&binary, sharing, flags.worker_threads, server_core)?));
    }

    for load in flags.effort.loads() {
        say(format!("{} -P {}: {} rounds", load.test, load.pipeline, flags.effort.rounds));
        let mut rounds = Vec::new();
        for _ in 0..flags.effort.rounds {
            let costs = programs.iter().map(|(_, program)| load.measure(program, load_core));
            rounds.push(costs.collect::<Result<Vec<Cost>>>()?);
        }
        let names = programs.iter().map(|(name, _)| *name).collect::<Vec<_>>();
        print_table(&load, &names, &rounds);
    }
    Ok(())
}

/// Starts Debian's redis-server, keeping nothing on disk.
pub(super) fn start_redis(core: Option<u32>) -> Result<Program> {
    let port = free_port()?;
    let mut redis = Command::new("redis-server");
    redis.args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--port", &port.to_string()]);
    Program::start(&redis, port, core)
}

/// Starts our server.
pub(super) fn start_ours(binary: &Path, sharing: &str, core: Option<u32>) -> Result<Program> {
    start_with(binary, sharing, None, core)
}

fn start_with(binary: &Path, sharing: &str, workers: Option<usize>, core: Option<u32>) -> Result<Program> {
    let port = free_port()?;
    let mut ours = Command::new(binary);
    ours.arg(format!("--resp=127.0.0.1:{port}")).arg(format!("--http=127.0.0.1:{}", free_port()?));
    ours.arg(format!("--sharing={sharing}"));
    ours.args(workers.map(|workers| format!("--worker-threads={workers}")));
    Program::start(&ours, port, core)
}

/// `rounds` holds for each round one cost a server, in the order of `names`; the first is the one compared with.
fn print_table(load: &Load, names: &[&str], rounds: &[Vec<Cost>]) {
    println!("\n{} -P {}, 50 clients, 64-byte values", load.test, load.pipeline);
    println!(
        "{:<12} {:>12} {:>10} {:>16} {:>10} {:>10}",
        "", "requests/s", "to redis", "CPU s/million", "to redis", "load busy"
    );
    for (index, name) in names.iter().enumerate() {
        let of = |value: fn(&Cost) -> f64| {
            let own = median(rounds.iter().map(|round| value(&round[index])));
            let ratio = median(rounds.iter().map(|round| value(&round[index]) / value(&round[0])));
            (own, ratio)
        };
        let (rate, rate_ratio) = of(|cost| cost.rate);
        let (cpu, cpu_ratio) = of(|cost| cost.cpu_us);
        let (busy, _) = of(|cost| cost.load_busy);
        println!("{name:<12} {rate:>12.0} {rate_ratio:>10.2} {cpu:>16.3} {cpu_ratio:>10.2} {busy:>10.2}");
    }
}
