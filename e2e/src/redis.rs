//! A redis-server to compare with, on a free port. Knows its flags, nothing else of it.

use std::net::{Ipv4Addr, TcpStream};
use std::process::Command;

use tempfile::TempDir;

use crate::eventually;
use crate::process::Process;
use crate::server::free_ports;

/// A redis-server with no data, none of which it keeps.
pub struct Redis {
    port: u16,
    _process: Process,
    _folder: TempDir,
}

impl Redis {
    /// Starts it, and waits until it accepts clients.
    ///
    /// # Panics
    /// When it does not.
    pub async fn start() -> Self {
        let [port] = free_ports();
        let folder = tempfile::tempdir().unwrap_or_else(|error| panic!("cannot make a folder: {error}"));
        let mut command = Command::new("redis-server");
        command.args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", ""]);
        // Whose clients' time has passed is looked for so often a second: ten times, unless told otherwise.
        command.args(["--hz", "500", "--enable-debug-command", "local", "--dir"]).arg(folder.path());
        let process = Process::start(&mut command, &folder.path().join("log"));
        eventually("a redis-server that accepts clients", async || {
            TcpStream::connect((Ipv4Addr::LOCALHOST, port)).map(drop).map_err(|error| error.to_string())
        })
        .await;
        Self { port, _process: process, _folder: folder }
    }

    /// The port that clients connect to.
    pub fn port(&self) -> u16 {
        self.port
    }
}
