//! The native server: one process with two runtimes, started and stopped as a whole.
//!
//! `observed` serves commands and is what the page shows. `http` and the thread of `trace` run beside it, so
//! that the observer neither shows up in the picture nor starves when the server is busy. Knows the threads
//! and in which order they end; what each of them does is its own file's matter.

mod flags;
mod guard;
mod http;
mod linger;
mod observed;
mod page;
pub mod process;
mod run;
mod scenario;
mod trace;
mod watcher;
mod websocket;

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::thread::JoinHandle;

use interleave::scope::frame::{Hello, Origin};
use serde_json::json;
use tokio::sync::watch;
use tracing::warn;

pub use self::flags::{Command, Flags, Flavor};
use self::http::Http;
use self::observed::Observed;
pub use self::run::{RunError, RunFlags, run};
use self::trace::Trace;

/// A running server. Dropping it stops it without waiting; [`shutdown`](Server::shutdown) lets clients finish.
#[derive(Debug)]
pub struct Server {
    resp: SocketAddr,
    http: SocketAddr,
    stop: watch::Sender<bool>,
    observed: JoinHandle<usize>,
    browsers: JoinHandle<()>,
    drain: JoinHandle<()>,
}

impl Server {
    /// Listens on the addresses that `flags` name and serves them on threads of its own.
    ///
    /// # Errors
    /// When an address cannot be had, or the system refuses a thread.
    pub fn start(flags: &Flags) -> Result<Self, StartError> {
        let (stop, stopped) = watch::channel(false);
        let observed = Observed::bind(flags)?;
        let resp = observed.address();
        let info = json!({
            "resp": resp,
            "flavor": flags.flavor.name(),
            "sharing": flags.sharing.name(),
            "workers": observed.workers(),
            "version": env!("CARGO_PKG_VERSION"),
            "trace": cfg!(feature = "scope"),
        });
        let hello = Hello {
            origin: Origin::Observed,
            place: "native server".to_owned(),
            flavor: flags.flavor.name().to_owned(),
            workers: u16::try_from(observed.workers()).unwrap_or(u16::MAX),
            sharing: flags.sharing.name().to_owned(),
            virtual_time: false,
            now_ns: 0,
        };
        let trace = Trace::new(flags.trace_queue_bytes);
        let browsers = Http::bind(flags, &info, &observed, trace.clone())?;
        let http = browsers.address();
        if flags.requirepass.is_empty() {
            warn_if_open(resp, "--resp");
        }
        // Whoever gets there sees the trace, password or not.
        warn_if_open(http, "--http");
        let stop_http = stopped.clone();
        let observed = thread("observed", move || observed.run(stopped))?;
        let browsers = thread("http", move || browsers.run(stop_http))?;
        let drain = thread("drain", move || trace.run(&hello))?;
        Ok(Self { resp, http, stop, observed, browsers, drain })
    }

    /// Where Redis clients connect: the port that was given, if the flag left it open.
    #[must_use]
    pub fn resp(&self) -> SocketAddr {
        self.resp
    }

    /// Where browsers connect.
    #[must_use]
    pub fn http(&self) -> SocketAddr {
        self.http
    }

    /// Stops accepting, lets every client take the replies to what it has sent, and waits for that, at most
    /// as long as the flag says. Returns how many clients were cut off then.
    pub fn shutdown(self) -> usize {
        self.stop.send_replace(true);
        // A thread that panicked has said so, and has no clients left.
        let cut_off = self.observed.join().unwrap_or(0);
        let _ = self.browsers.join();
        let _ = self.drain.join();
        cut_off
    }
}

fn thread<T: Send + 'static>(
    name: &str,
    run: impl FnOnce() -> T + Send + 'static,
) -> Result<JoinHandle<T>, StartError> {
    std::thread::Builder::new().name(name.to_owned()).spawn(run).map_err(StartError::System)
}

/// Says so when an address can be reached from other machines and there is no password.
fn warn_if_open(address: SocketAddr, flag: &str) {
    if !address.ip().is_loopback() {
        warn!("{address} can be reached from other machines, and asks for no password; see {flag}");
    }
}

/// Why the server did not start.
#[derive(Debug)]
#[non_exhaustive]
pub enum StartError {
    /// An address cannot be listened on.
    Listen {
        /// The address.
        address: SocketAddr,
        /// The flag that chooses it.
        flag: &'static str,
        /// What the system says.
        error: io::Error,
    },
    /// The system refused a thread or what a runtime needs.
    System(io::Error),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Listen { address, flag, error } => {
                let why = match error.kind() {
                    io::ErrorKind::AddrInUse => "another program listens there".to_owned(),
                    io::ErrorKind::AddrNotAvailable => "this machine has no such address".to_owned(),
                    io::ErrorKind::PermissionDenied => "the system does not permit it".to_owned(),
                    _ => error.to_string(),
                };
                write!(f, "cannot listen on {address}: {why}; choose another address with {flag}")
            }
            Self::System(error) => write!(f, "the system refused a thread or a runtime's needs: {error}"),
        }
    }
}

impl std::error::Error for StartError {}
