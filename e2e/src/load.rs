//! redis-benchmark beside a page: the load of many clients at once. Knows no page.

use std::process::Command;

use tempfile::TempDir;

use crate::eventually;
use crate::process::Process;
use crate::server::Server;

/// A running redis-benchmark, which ends with its owner.
pub struct Load {
    process: Process,
    _folder: TempDir,
}

impl Load {
    /// Starts redis-benchmark against `server`, with `args` besides the address.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn start(server: &Server, args: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap_or_else(|error| panic!("cannot make a folder: {error}"));
        let mut command = Command::new("redis-benchmark");
        command.args(["-h", "127.0.0.1", "-p", &server.resp_port().to_string(), "-q"]).args(args);
        Self { process: Process::start(&mut command, &folder.path().join("load.log")), _folder: folder }
    }

    /// Waits until it has ended well.
    ///
    /// # Panics
    /// When it fails, or takes too long.
    pub async fn ends(mut self) {
        eventually("the end of redis-benchmark", async || match self.process.ended() {
            Some(status) if status.success() => Ok(()),
            Some(status) => panic!("redis-benchmark: {status}; it printed:\n{}", self.process.output()),
            None => Err(self.process.output()),
        })
        .await;
    }
}
