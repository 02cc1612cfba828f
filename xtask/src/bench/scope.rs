//! `cargo xtask bench scope`: what seeing tasks costs the server: recording compiled out, compiled in and idle, and
//! watched. Knows the address of the trace, nothing of what is in it.
//!
//! Where a process's memory comes to lie can cost it more than what is looked for here. So idle and watched are the same
//! process, which is watched every other time; every round has new processes; and of the program without recording there are two,
//! of which the mean counts: how far they are from each other is how little the differences between processes tell.

use std::net::{Shutdown, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

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

/// What is measured, in the order it is printed; the mean of the first two is what all are compared with.
const NAMES: [&str; 4] = ["compiled out", "the same again", "idle", "watched"];

/// How often each is measured in a round.
pub(super) const TURNS: usize = 5;

/// How long the server is given to see that nobody watches any more.
const LEAVE: Duration = Duration::from_millis(50);

/// Measures and prints one table for each load.
pub(crate) fn bench(flags: &Flags) -> Result<()> {
    apt::need(&["redis-tools"])?;
    page::build(page::Profile::Page)?;
    let with_scope = server::build(server::Profile::Dist)?;
    let without_scope = server::build_without_scope()?;
    for load in flags.effort.loads() {
        say(format!("{} -P {}: {} rounds", load.test, load.pipeline, flags.effort.rounds));
        let (mut rounds, mut trace_bytes) = (Vec::new(), 0);
        for _ in 0..flags.effort.rounds {
            let cores = flags.effort.cores();
            let start = |binary| Subject::start(binary, &flags.sharing, cores, &load);
            let [out, again, with] = [start(&without_scope)?, start(&without_scope)?, start(&with_scope)?];
            let mut turns = [const { Vec::new() }; NAMES.len()];
            for turn in 0..TURNS {
                // Another one begins each time: what drifts favours none.
                for index in (0..NAMES.len()).map(|index| (index + turn) % NAMES.len()) {
                    let (cost, bytes) = match index {
                        0 => out.measure(&load, false)?,
                        1 => again.measure(&load, false)?,
                        2 => with.measure(&load, false)?,
                        _ => with.measure(&load, true)?,
                    };
                    turns[index].push(cost.cpu_us);
                    trace_bytes += bytes;
                }
            }
            rounds.push(turns.map(median));
        }
        println!(
            "\n{} -P {}, 50 clients, 64-byte values, sharing {}",
            load.test, load.pipeline, flags.sharing
        );
        println!("{:<14} {:>16} {:>18} {:>10}", "", "CPU us/request", "to compiled out", "to idle");
        for (index, name) in NAMES.iter().enumerate() {
            let more = |other: fn(&[f64; NAMES.len()]) -> f64| {
                100.0 * (median(rounds.iter().map(|round| round[index] / other(round))) - 1.0)
            };
            let cpu = median(rounds.iter().map(|round| round[index]));
            let to_out = more(|round| f64::midpoint(round[0], round[1]));
            println!("{name:<14} {cpu:>16.4} {to_out:>17.1}% {:>9.1}%", more(|round| round[2]));
        }
        let requests = load.requests * (TURNS * flags.effort.rounds) as u64;
        println!("the watcher received {:.1} bytes of trace a request", trace_bytes as f64 / requests as f64);
    }
    Ok(())
}

/// A server to be measured, with its keys in it.
pub(super) struct Subject {
    program: Program,
    http_port: u16,
    load_core: Option<u32>,
}

impl Subject {
    /// Starts `binary` and fills it. The first time memory is taken from the system costs more, and more unevenly, than what is
    /// looked for.
    pub(super) fn start(
        binary: &Path,
        sharing: &str,
        (server_core, load_core): (Option<u32>, Option<u32>),
        load: &Load,
    ) -> Result<Self> {
        let (port, http_port) = (free_port()?, free_port()?);
        let mut command = Command::new(binary);
        command.arg(format!("--resp=127.0.0.1:{port}")).arg(format!("--http=127.0.0.1:{http_port}"));
        command.arg(format!("--sharing={sharing}"));
        let subject = Self { program: Program::start(&command, port, server_core)?, http_port, load_core };
        let fill = |test: &str| {
            let filling = Load { test: test.to_owned(), pipeline: 64, requests: 2 * load.keys, ..*load };
            filling.measure(&subject.program, load_core)
        };
        fill(&load.test)?;
        if load.test.eq_ignore_ascii_case("get") {
            // What is read must be there.
            fill("set")?;
        }
        Ok(subject)
    }

    /// Measures it, watched if asked to, and returns what it cost with the bytes of trace it sent.
    pub(super) fn measure(&self, load: &Load, watched: bool) -> Result<(Cost, u64)> {
        // Watched from before, so that connecting is not measured.
        let watcher = watched.then(|| Watcher::connect(self.http_port)).transpose()?;
        let cost = load.measure(&self.program, self.load_core)?;
        let Some(watcher) = watcher else { return Ok((cost, 0)) };
        let bytes = watcher.finish()?;
        std::thread::sleep(LEAVE);
        Ok((cost, bytes))
    }
}

/// Reads the trace as the page does, and throws it away.
struct Watcher {
    bytes: Arc<AtomicU64>,
    stream: TcpStream,
    reader: JoinHandle<tungstenite::Error>,
}

impl Watcher {
    fn connect(http_port: u16) -> Result<Self> {
        let host = format!("127.0.0.1:{http_port}");
        let request = ClientRequestBuilder::new(format!("ws://{host}/trace").parse()?)
            .with_header("Origin", format!("http://{host}"));
        let stream = TcpStream::connect(&host)?;
        let (mut socket, _) =
            tungstenite::client(request, stream.try_clone()?).context("cannot watch the trace")?;
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
        Ok(Self { bytes, stream, reader })
    }

    /// Stops watching. How many bytes came; fails if the server was not watched to the end.
    fn finish(self) -> Result<u64> {
        if self.reader.is_finished() {
            let error = self.reader.join().map_err(|_| anyhow::anyhow!("the watcher panicked"))?;
            return Err(error)
                .context("the server stopped sending its trace; the numbers for `watched` do not count");
        }
        self.stream.shutdown(Shutdown::Both)?;
        let _ = self.reader.join();
        Ok(self.bytes.load(Ordering::Relaxed))
    }
}
