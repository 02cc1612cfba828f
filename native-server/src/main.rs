//! The program: flags in, two addresses out, a signal ends it; or a scenario in, its outcome out. It carries the page; what it
//! starts is the library's matter.

use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser;
use interleave_server::{Command, Flags, RunFlags, Server, process};
use rust_embed::RustEmbed;
use tracing::{error, warn};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::prelude::*;

/// What `cargo xtask page` left. Here and not in the library, which then need not be built again for a new page.
#[derive(RustEmbed)]
#[folder = "../target/page"]
struct Page;

/// Names what the page was made from. Nobody reads it here: with it, cargo knows when a file has come to the page.
const _: &str = include_str!("../../target/page.stamp");

fn main() -> ExitCode {
    let flags = Flags::parse();
    // The log goes to stderr; stdout is for the addresses alone, so that a script can read them.
    let filter = std::env::var("RUST_LOG").ok().and_then(|filter| filter.parse().ok());
    let filter = filter.unwrap_or_else(|| Targets::new().with_default(LevelFilter::INFO));
    let log = tracing_subscriber::fmt::layer().with_writer(io::stderr);
    tracing_subscriber::registry().with(log.with_filter(filter)).init();
    if let Some(Command::Run(flags)) = &flags.command {
        return run_scenario(flags);
    }
    match serve(&flags) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            error!("{why}");
            ExitCode::FAILURE
        }
    }
}

/// Fails if the scenario came to no good end, and otherwise than that if it could not be run.
fn run_scenario(flags: &RunFlags) -> ExitCode {
    match interleave_server::run(flags) {
        Ok((outcome, source)) => {
            // Whoever reads it may have closed the pipe: the exit code tells.
            let _ = writeln!(io::stdout(), "{}", outcome.describe(&source).trim_end());
            if outcome.is_good() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(why) => {
            eprintln!("error: {why}");
            ExitCode::from(2)
        }
    }
}

fn serve(flags: &Flags) -> Result<(), Box<dyn std::error::Error>> {
    // Waits for signals before there is anything to stop: none is missed.
    let signals = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    let mut signal = {
        let _registers_here = signals.enter();
        Signal::new()?
    };
    if let Err(clients) = process::permit_clients(flags.max_clients) {
        warn!(
            "the system permits this process about {clients} clients, fewer than --max-clients; see `ulimit -n`"
        );
    }
    let server = Server::start(flags, Page::get)?;
    // Whoever read the addresses may have closed the pipe: no reason to stop.
    let _ = print_addresses(&server);

    signals.block_on(signal.recv());
    // A second signal does not wait for anybody.
    std::thread::spawn(move || {
        signals.block_on(signal.recv());
        std::process::exit(1);
    });
    let cut_off = server.shutdown();
    if cut_off > 0 {
        let patience = flags.shutdown_timeout_s;
        warn!("{cut_off} clients had not taken their replies after {patience:?} and were cut off");
    }
    Ok(())
}

fn print_addresses(server: &Server) -> io::Result<()> {
    let mut out = io::stdout().lock();
    let resp = server.resp();
    writeln!(out, "Page: http://{}/", server.http())?;
    writeln!(out, "Redis clients: {resp}  (redis-cli -p {})", resp.port())?;
    writeln!(out, "Ctrl-C stops the server.")?;
    out.flush()
}

/// What asks a program to end: Ctrl-C, and on Unix a service manager's SIGTERM.
#[cfg(unix)]
struct Signal {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signal {
    fn new() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    async fn recv(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

#[cfg(not(unix))]
struct Signal;

#[cfg(not(unix))]
impl Signal {
    fn new() -> io::Result<Self> {
        Ok(Self)
    }

    async fn recv(&mut self) {
        // Without Ctrl-C the program runs on until it is killed.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending().await
        }
    }
}
