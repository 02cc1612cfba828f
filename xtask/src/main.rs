//! The project's own commands: `cargo xtask page` and the rest. This file owns the flags and knows nothing of how a
//! command does its work.

mod bench;
mod clients;
mod dist;
mod e2e;
mod fuzz;
mod page;
mod play;
mod server;
mod shell;
mod shots;
mod test;
mod tidy;
mod toolchain;

use std::ffi::OsString;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

/// Builds, runs, checks and measures Interleave.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Flags {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Build the page (WebAssembly, scripts, styles, compressed copies) into target/page.
    Page {
        /// Build fast instead of small: the dev profile and quick compression.
        #[arg(long)]
        dev: bool,
    },
    /// Build the page and the server in release, and run the server.
    Play {
        /// Passed on to the server: `cargo xtask play -- --help` lists its flags.
        #[arg(last = true)]
        server_flags: Vec<OsString>,
    },
    /// Fill dist/ with the server (one file, the page inside) and the page alone (for any web host).
    Dist,
    /// Run every check, or only those named.
    Test {
        /// Names from `--list`.
        names: Vec<String>,
        /// Only print the checks.
        #[arg(long)]
        list: bool,
    },
    /// Look for inputs that make what reads bytes fail; those found before are where it begins.
    Fuzz(fuzz::Flags),
    /// Take the screenshots in docs/screenshots.
    Shots,
    /// Measure what the server and the page cost.
    #[command(subcommand)]
    Bench(Bench),
}

#[derive(Subcommand)]
enum Bench {
    /// Polls a second of every engine, and how long exploring takes.
    Engine,
    /// Throughput and CPU time beside redis-server, for every sharing.
    Redis(bench::redis::Flags),
    /// What a key and an idle connection cost in memory, beside Redis.
    Memory(bench::memory::Flags),
    /// CPU time with the recording of tasks compiled out, idle and watched.
    Scope(bench::scope::Flags),
    /// The ways to share the store beside each other, for docs/sharings.md.
    Sharings(bench::sharings::Flags),
    /// The page beside its limits: bytes, time to a ready console, work a frame with 100,000 events on screen.
    Page,
}

fn main() -> ExitCode {
    match run(Flags::parse().command) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<ExitCode> {
    match command {
        Command::Page { dev: false } => page::build(page::Profile::Page).map(drop)?,
        Command::Page { dev: true } => page::build(page::Profile::Dev).map(drop)?,
        Command::Play { server_flags } => return play::play(&server_flags),
        Command::Dist => dist::dist()?,
        Command::Test { list: true, .. } => test::list(),
        Command::Test { names, list: false } => test::test(&names)?,
        Command::Fuzz(flags) => fuzz::fuzz(&flags)?,
        Command::Shots => shots::take()?,
        Command::Bench(Bench::Engine) => bench::engine::bench()?,
        Command::Bench(Bench::Memory(flags)) => bench::memory::bench(&flags)?,
        Command::Bench(Bench::Page) => bench::page::bench()?,
        Command::Bench(Bench::Redis(flags)) => bench::redis::bench(&flags)?,
        Command::Bench(Bench::Scope(flags)) => bench::scope::bench(&flags)?,
        Command::Bench(Bench::Sharings(flags)) => bench::sharings::bench(&flags)?,
    }
    Ok(ExitCode::SUCCESS)
}
