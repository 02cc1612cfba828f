//! `cargo xtask play`: build everything, then become the server. Knows none of the server's flags.

use std::ffi::OsString;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result};

use crate::server;
use crate::shell::say;

/// What the server answers by a text and its end: no page is needed for that.
const ASKS: [&str; 4] = ["--help", "-h", "--version", "-V"];

/// Builds the page and the server in release and runs the server with `flags`; the server prints its addresses. Its
/// exit code is ours, and so are the signals it gets.
pub(crate) fn play(flags: &[OsString]) -> Result<ExitCode> {
    let only_asks = flags.iter().any(|flag| ASKS.iter().any(|ask| flag == ask));
    let server = if only_asks {
        server::build(server::Profile::Release)?
    } else {
        server::build_with_page(server::Profile::Release)?
    };
    if !only_asks {
        say("starting the server; Ctrl-C stops it");
    }
    become_program(Command::new(&server).args(flags))
        .with_context(|| format!("cannot start {}", server.display()))
}

/// Replaces this process, so that nothing stands between a signal and the server.
#[cfg(unix)]
fn become_program(command: &mut Command) -> Result<ExitCode> {
    use std::os::unix::process::CommandExt;
    Err(command.exec().into())
}

#[cfg(not(unix))]
fn become_program(command: &mut Command) -> Result<ExitCode> {
    let code = command.status()?.code().and_then(|code| u8::try_from(code).ok());
    Ok(code.map_or(ExitCode::FAILURE, ExitCode::from))
}
