//! The native server: one process with two runtimes, started and stopped as a whole.
//!
//! `observed` serves commands and is what the page shows. `http` and the thread of `trace` run beside it, so
//! that the observer neither shows up in the picture nor starves when the server is busy. Knows the threads
//! and in which order they end; what each of them does is its own file's matter.

mod durability;
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

use interleave::log::Log;
use interleave::scope::frame::{Hello, Origin};
use interleave::sharing::{Kind, Stores};
use serde_json::json;
use tokio::sync::watch;
use tracing::warn;

use self::durability::Durability;
pub use self::durability::OpenError;
pub use self::flags::{Command, Flags, Flavor};
use self::http::Http;
use self::observed::Observed;
pub use self::page::PageFiles;
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
    writer: Option<JoinHandle<()>>,
}

impl Server {
    /// Reads the log, if there is one, then listens on the addresses that `flags` name and serves them on threads of its own,
    /// browsers with the files of `page`.
    ///
    /// # Errors
    /// When the log cannot be read, an address cannot be had, or the system refuses a thread.
    pub fn start(flags: &Flags, page: PageFiles) -> Result<Self, StartError> {
        let (stop, stopped) = watch::channel(false);
        let mut stores = Stores::new(flags.sharing, &flags.options(0));
        let durability = open_log(flags, &mut stores)?;
        let log = durability.as_ref().map(|durability| durability.log().clone());
        let observed = Observed::bind(flags, stores, log.clone())?;
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
        let browsers = Http::bind(flags, &info, page, &observed, trace.clone())?;
        let http = browsers.address();
        if flags.requirepass.is_empty() {
            warn_if_open(resp, "--resp");
        }
        // Whoever gets there sees the trace, password or not.
        warn_if_open(http, "--http");
        let stop_http = stopped.clone();
        let close = log.map(CloseLog);
        let observed = thread("observed", move || {
            // Dropped last, however the thread ends: then all who append are gone.
            let _close = close;
            observed.run(stopped)
        })?;
        let writer = durability.map(|durability| thread("log", move || durability.run())).transpose()?;
        let browsers = thread("http", move || browsers.run(stop_http))?;
        let drain = thread("drain", move || trace.run(&hello))?;
        Ok(Self { resp, http, stop, observed, browsers, drain, writer })
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
    /// as long as the flag says; then for the log to be on the disk. Returns how many clients were cut off then.
    pub fn shutdown(self) -> usize {
        self.stop.send_replace(true);
        // A thread that panicked has said so, and has no clients left.
        let cut_off = self.observed.join().unwrap_or(0);
        let _ = self.browsers.join();
        let _ = self.drain.join();
        let _ = self.writer.map(JoinHandle::join);
        cut_off
    }
}

/// Tells the log's thread that nothing will come any more.
struct CloseLog(Log);

impl Drop for CloseLog {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// Reads the log into `stores`, if the flags want one.
fn open_log(flags: &Flags, stores: &mut Stores) -> Result<Option<Durability>, StartError> {
    if !flags.appendonly {
        return Ok(None);
    }
    if flags.sharing == Kind::Isolated {
        return Err(StartError::NothingToLog);
    }
    let opened = Durability::open(&flags.dir, flags.appendfsync, flags.auto_rewrite(), stores);
    opened.map(Some).map_err(StartError::Log)
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
    /// The log cannot be read, or not be written.
    Log(OpenError),
    /// A log is wanted, and connections share no data.
    NothingToLog,
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
            Self::Log(error) => error.fmt(f),
            Self::NothingToLog => f.write_str(
                "--appendonly needs data that connections share; choose another way than isolated with --sharing",
            ),
            Self::System(error) => write!(f, "the system refused a thread or a runtime's needs: {error}"),
        }
    }
}

impl std::error::Error for StartError {}
