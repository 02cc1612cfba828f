//! The real server, started from its release binary on free ports. Knows its flags for addresses, nothing else of it.

use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::{Command, ExitStatus};

use tempfile::TempDir;

use crate::process::Process;
use crate::{eventually, path_from};

/// A server of one test.
pub struct Server {
    process: Process,
    flags: Vec<String>,
    resp_port: u16,
    http_port: u16,
    folder: TempDir,
}

impl Server {
    /// Starts the server with `flags` besides those for its addresses, and waits until it accepts clients.
    pub async fn start(flags: &[&str]) -> Self {
        let [resp_port, http_port] = free_ports();
        let flags = flags.iter().map(ToString::to_string).collect::<Vec<_>>();
        let folder = tempfile::tempdir().unwrap_or_else(|error| panic!("cannot make a folder: {error}"));
        let process = spawn(&flags, resp_port, http_port, &folder);
        let mut server = Self { process, flags, resp_port, http_port, folder };
        server.is_ready().await;
        server
    }

    /// The port that Redis clients connect to.
    pub fn resp_port(&self) -> u16 {
        self.resp_port
    }

    /// The page's address.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/", self.http_port)
    }

    /// What the server printed so far.
    pub fn output(&self) -> String {
        self.process.output()
    }

    /// Ends the server the way a service manager does.
    pub fn stop(&mut self) -> ExitStatus {
        self.process.stop()
    }

    /// Starts a stopped server again, with the same flags and addresses.
    pub async fn start_again(&mut self) {
        self.process = spawn(&self.flags, self.resp_port, self.http_port, &self.folder);
        self.is_ready().await;
    }

    async fn is_ready(&mut self) {
        let ports = [self.resp_port, self.http_port];
        eventually("a server that accepts clients", async || {
            if let Some(status) = self.process.ended() {
                panic!("the server ended ({status}); it printed:\n{}", self.process.output());
            }
            for port in ports {
                TcpStream::connect((Ipv4Addr::LOCALHOST, port))
                    .map_err(|error| format!("port {port}: {error}"))?;
            }
            Ok(())
        })
        .await;
    }
}

fn spawn(flags: &[String], resp_port: u16, http_port: u16, folder: &TempDir) -> Process {
    let mut command = Command::new(path_from("INTERLEAVE_SERVER"));
    command
        .arg(format!("--resp=127.0.0.1:{resp_port}"))
        .arg(format!("--http=127.0.0.1:{http_port}"))
        .args(flags);
    Process::start(&mut command, &folder.path().join("server.log"))
}

/// Ports that were free a moment ago. Another program may take one before it is used; the system hands them out in
/// turn, so that is rare.
pub fn free_ports<const N: usize>() -> [u16; N] {
    // All are held at once, so that no two are the same.
    let held = std::array::from_fn::<_, N, _>(|_| {
        TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap_or_else(|error| panic!("no free port: {error}"))
    });
    held.map(|listener| match listener.local_addr() {
        Ok(address) => address.port(),
        Err(error) => panic!("a listener without an address: {error}"),
    })
}
