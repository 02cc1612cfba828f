//! `cargo xtask bench scope`: what seeing tasks costs the server: recording compiled out, compiled in and idle, and
//! watched. Knows the address of the trace, nothing of what is in it.
//!
//! Where a process's memory comes to lie can cost it more than what is looked for here. So every measurement has a process of
//! its own, and one program is measured twice: how far it is from itself is how little the other differences tell.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;

use anyhow::{Context, Result};
use clap::Args;
use tungstenite::{ClientRequestBuilder, Message};

use super::load::{Cost, Load};
use super::program::{Program, free_port};
use super::{Effort, median};
use crate::shell::{apt, say};
use crate::{page, server};

/// Flags of the benchmark.
#[derive(Args)]
pub(crate) struct Flags {
    /// The sharing to measure.
    #[arg(long, default_value = "sharded")]
    sharing: String,
    #[command(flatten)]
    effort: Effort,
}

/// What is compared, in the order it is printed; the first is what the others are compared with.
const NAMES: [&str; 4] = ["compiled out", "the same again", "idle", "watched"];

/// Measures and prints one table for each load.
pub(crate) fn bench(flags: &Flags) -> Result<()> {
    apt::need(&["redis-tools"])?;
    page::build(page::Profile::Page)?;
    let with_scope = server::build(server::Profile::Dist)?;
    let without_scope = server::build_without_scope()?;
    let binaries = [&without_scope, &without_scope, &with_scope, &with_scope];
    for load in flags.effort.loads() {
        say(format!("{} -P {}: {} rounds", load.test, load.pipeline, flags.effort.rounds));
        let mut rounds = Vec::new();
        let mut trace_bytes = 0;
        for round in 0..flags.effort.rounds {
            let mut cpu_us = [0.0; NAMES.len()];
            for turn in 0..NAMES.len() {
                // Another one begins in each round: what drifts over a round favours none.
                let index = (round + turn) % NAMES.len();
                let watched = NAMES[index] == "watched";
                let (cost, bytes) =
                    measure(&load, binaries[index], &flags.sharing, flags.effort.cores(), watched)?;
                cpu_us[index] = cost.cpu_us;
                trace_bytes += bytes;
            }
            rounds.push(cpu_us);
        }
        println!(
            "\n{} -P {}, 50 clients, 64-byte values, sharing {}",
            load.test, load.pipeline, flags.sharing
        );
        println!("{:<14} {:>16} {:>18}", "", "CPU us/request", "to compiled out");
        for (index, name) in NAMES.iter().enumerate() {
            let cpu = median(rounds.iter().map(|round| round[index]));
            let ratio = median(rounds.iter().map(|round| round[index] / round[0]));
            println!("{name:<14} {cpu:>16.4} {:>17.1}%", (ratio - 1.0) * 100.0);
        }
        let requests = 2 * load.requests * flags.effort.rounds as u64;
        println!("the watcher received {:.1} bytes of trace a request", trace_bytes as f64 / requests as f64);
    }
    Ok(())
}

/// Starts `binary`, watches it if asked to, measures it, and returns what it cost with the bytes of trace it sent.
pub(super) fn measure(
    load: &Load,
    binary: &Path,
    sharing: &str,
    (server_core, load_core): (Option<u32>, Option<u32>),
    watched: bool,
) -> Result<(Cost, u64)> {
    let (program, http_port) = start(binary, sharing, server_core)?;
    // Watched from before, so that connecting is not measured.
    let watcher = watched.then(|| Watcher::connect(http_port)).transpose()?;
    // The first time memory is taken from the system, which costs more, and more unevenly, than what is looked for.
    load.measure(&program, load_core)?;
    let cost = load.measure(&program, load_core)?;
    let bytes = watcher.map_or(Ok(0), Watcher::finish)?;
    Ok((cost, bytes))
}

/// Starts the server and returns it with the port of its page.
fn start(binary: &Path, sharing: &str, core: Option<u32>) -> Result<(Program, u16)> {
    let (port, http_port) = (free_port()?, free_port()?);
    let mut command = Command::new(binary);
    command.arg(format!("--resp=127.0.0.1:{port}")).arg(format!("--http=127.0.0.1:{http_port}"));
    command.arg(format!("--sharing={sharing}"));
    Ok((Program::start(&command, port, core)?, http_port))
}

/// Reads the trace as the page does, and throws it away.
struct Watcher {
    bytes: Arc<AtomicU64>,
    reader: JoinHandle<tungstenite::Error>,
}

impl Watcher {
    fn connect(http_port: u16) -> Result<Self> {
        let host = format!("127.0.0.1:{http_port}");
        let request = ClientRequestBuilder::new(format!("ws://{host}/trace").parse()?)
            .with_header("Origin", format!("http://{host}"));
        let (mut socket, _) = tungstenite::connect(request).context("cannot watch the trace")?;
        let bytes = Arc::new(AtomicU64::new(0));
        let counter = bytes.clone();
        let reader = std::thread::spawn(move || {
            loop {
                match socket.read() {
                    Ok(Message::Binary(batch)) => counter.fetch_add(batch.len() as u64, Ordering::Relaxed),
                    Ok(_) => 0,
                    Err(error) => return error,
                };
            }
        });
        Ok(Self { bytes, reader })
    }

    /// How many bytes came; fails if the server was not watched to the end.
    fn finish(self) -> Result<u64> {
        if self.reader.is_finished() {
            let error = self.reader.join().map_err(|_| anyhow::anyhow!("the watcher panicked"))?;
            return Err(error)
                .context("the server stopped sending its trace; the numbers for `watched` do not count");
        }
        Ok(self.bytes.load(Ordering::Relaxed))
    }
}
