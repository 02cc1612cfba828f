//! The project's own commands: `cargo xtask page` and the rest. This file owns the flags and knows nothing of how a
//! command does its work.

mod page;
mod shell;
mod toolchain;

use std::process::ExitCode;

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
}

fn main() -> ExitCode {
    let result = match Flags::parse().command {
        Command::Page { dev } => {
            page::build(if dev { page::Profile::Dev } else { page::Profile::Page }).map(drop)
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
