//! The runtime that serves commands, and the task on it that lets clients in.
//!
//! Owns what is observed: every task here is spawned through `rt`. Knows sockets, and nothing of HTTP: a console's
//! WebSocket arrives here when it is one.

use std::hash::{BuildHasher, RandomState};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use interleave::command::{self, Peer};
use interleave::log::Log;
use interleave::rt::Rt;
use interleave::scope::hub;
use interleave::session::Service;
use interleave::sharing::{Sharing, Stores};
use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::{mpsc, watch};
use tracing::{debug, error, info};

use crate::StartError;
use crate::flags::{Flags, Flavor};
use crate::linger::Lingering;
use crate::websocket::{ByteStream, Raw, WebSocket};

/// Connections the system keeps for a listener that is busy. Redis's `tcp-backlog` is 511; past it a client waits a
/// second until it tries again.
pub(crate) const BACKLOG: u32 = 1024;

/// Pause after an error that is the server's own, such as no file descriptors left: trying again at once
/// would keep a worker busy with nothing.
pub(crate) const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Silence after which the system asks whether the other machine is still there: one that vanished would keep
/// its place for ever. Redis's `tcp-keepalive` is the same.
const KEEPALIVE: Duration = Duration::from_secs(300);

/// How long tasks that do not end may hold up the process at the very end.
const RUNTIME_END: Duration = Duration::from_secs(1);

/// Longest message on a WebSocket. On a console's only the bytes count, not how they are cut: a longer request comes in
/// several.
pub(crate) const MESSAGE_BYTES_MAX: usize = 1 << 20;

/// Consoles that may wait for the listener.
const ARRIVALS_MAX: usize = 64;

/// A console's socket on its way from the runtime that answered its request.
pub(crate) struct Arrival {
    stream: std::net::TcpStream,
    read: Bytes,
    peer: Peer,
}

impl Arrival {
    /// Takes the socket from the runtime it is registered with.
    pub(crate) fn new(Raw { stream, read }: Raw) -> io::Result<Self> {
        let peer = peer(&stream)?;
        Ok(Self { stream: stream.into_std()?, read, peer })
    }
}

/// The runtime with its listener, ready to run.
pub(crate) struct Observed {
    runtime: Runtime,
    listener: TcpListener,
    address: SocketAddr,
    arrivals: (mpsc::Sender<Arrival>, mpsc::Receiver<Arrival>),
    server: Arc<command::Server>,
    stores: Stores,
    flags: Flags,
    seed: u64,
}

impl Observed {
    /// Builds the runtime and takes the address, to serve the data in `stores`.
    pub(crate) fn bind(flags: &Flags, stores: Stores, log: Option<Log>) -> Result<Self, StartError> {
        let runtime = runtime(flags).map_err(StartError::System)?;
        let refused = |error| StartError::Listen { address: flags.resp, flag: "--resp", error };
        let listener = {
            let _registers_here = runtime.enter();
            listen_on(flags.resp).map_err(refused)?
        };
        let address = listener.local_addr().map_err(refused)?;
        // Any number that differs from run to run.
        let seed = RandomState::new().hash_one(address);
        let server = command::Server::new(flags.config(address), Rt::native().unix_ms(), seed);
        let server = Arc::new(match log {
            Some(log) => server.with_log(log),
            None => server,
        });
        let arrivals = mpsc::channel(ARRIVALS_MAX);
        Ok(Self { runtime, listener, address, arrivals, server, stores, flags: flags.clone(), seed })
    }

    /// The address that Redis clients connect to.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where consoles go.
    pub(crate) fn arrivals(&self) -> mpsc::Sender<Arrival> {
        self.arrivals.0.clone()
    }

    /// What its commands know of the server.
    pub(crate) fn server(&self) -> Arc<command::Server> {
        Arc::clone(&self.server)
    }

    /// The runtime, for those who spawn on it from outside.
    pub(crate) fn handle(&self) -> Handle {
        self.runtime.handle().clone()
    }

    /// How many workers the runtime has.
    pub(crate) fn workers(&self) -> usize {
        self.runtime.metrics().num_workers()
    }

    /// Serves until `stop` turns true, then until all clients have left or the flag's time is over. Returns
    /// how many had not.
    pub(crate) fn run(self, mut stop: watch::Receiver<bool>) -> usize {
        let Self { runtime, listener, arrivals: (_, arrivals), server, stores, flags, seed, .. } = self;
        let (stop_sessions, stopped) = watch::channel(false);
        runtime.block_on(async {
            let rt = Rt::native();
            let (clients, server) = (Arc::clone(&server), Arc::clone(&server));
            let patience = flags.shutdown_timeout_s;
            let door = rt.clone();
            rt.spawn("listener", 0, async move {
                let service = Service {
                    sharing: Sharing::over(stores, flags.sharing, flags.options(seed), &door, &server),
                    server,
                    rt: door,
                    unfinished_timeout: flags.unfinished_timeout_s,
                    idle_timeout: flags.idle_timeout(),
                    stop: stopped,
                };
                service.spawn_expiry();
                listen(listener, arrivals, &service).await;
            });
            // The sender gone means that nobody can ask for the rest of this either.
            let _ = stop.wait_for(|stop| *stop).await;
            info!("stopping; {} clients are connected", clients.connected_clients());
            stop_sessions.send_replace(true);
            // Every session, the listener and active expiry hold a receiver: all are gone when they have ended.
            let _ = tokio::time::timeout(patience, stop_sessions.closed()).await;
        });
        // Counted before the runtime drops their tasks.
        let cut_off = server.connected_clients();
        runtime.shutdown_timeout(RUNTIME_END);
        cut_off
    }
}

fn runtime(flags: &Flags) -> io::Result<Runtime> {
    let mut builder = match flags.flavor {
        Flavor::CurrentThread => Builder::new_current_thread(),
        Flavor::MultiThread => Builder::new_multi_thread(),
    };
    if let Some(workers) = flags.worker_threads {
        builder.worker_threads(usize::from(workers));
    }
    hub::watch_workers(&mut builder).thread_name("worker").enable_io().enable_time().build()
}

/// A listener at `address`, which stays free for the next start of the server.
pub(crate) fn listen_on(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // Connections of the last run that linger in the system do not block the address. Elsewhere the same
    // option would let two servers share it.
    #[cfg(unix)]
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Lets clients in until the server stops.
async fn listen(listener: TcpListener, mut arrivals: mpsc::Receiver<Arrival>, service: &Service) {
    let mut stop = service.stop.clone();
    let mut failing = false;
    loop {
        let accepted = tokio::select! {
            biased;
            _ = stop.wait_for(|stop| *stop) => return,
            accepted = listener.accept() => accepted,
            Some(arrival) = arrivals.recv() => {
                if let Err(error) = serve_console(arrival, service) {
                    debug!("a console was gone before it was served: {error}");
                }
                continue;
            }
        };
        match accepted {
            Ok((stream, address)) => {
                failing = false;
                if let Err(error) = serve(stream, service) {
                    debug!("{address} was gone before it was served: {error}");
                }
            }
            Err(error) if is_about_one_connection(&error) => debug!("a connection broke early: {error}"),
            Err(error) => {
                // Told once for each time it begins, not ten times a second.
                if !std::mem::replace(&mut failing, true) {
                    error!("cannot let clients in: {error}; trying on every {ACCEPT_PAUSE:?}");
                }
                service.rt.sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

fn serve(stream: TcpStream, service: &Service) -> io::Result<()> {
    prepare(&stream)?;
    let peer = peer(&stream)?;
    service.spawn(Lingering::new(stream, service.rt.clone()), peer);
    Ok(())
}

/// Sets what every socket has, whatever it carries.
pub(crate) fn prepare(stream: &TcpStream) -> io::Result<()> {
    // A reply is written whole; waiting for more to send with it would only delay it.
    stream.set_nodelay(true)?;
    let keepalive = TcpKeepalive::new().with_time(KEEPALIVE);
    SockRef::from(stream).set_tcp_keepalive(&keepalive)
}

/// Registers the socket here, so that it is this runtime's own driver that wakes the console's task.
fn serve_console(Arrival { stream, read, peer }: Arrival, service: &Service) -> io::Result<()> {
    let socket = WebSocket::new(TcpStream::from_std(stream)?, &read, MESSAGE_BYTES_MAX);
    service.spawn(Lingering::new(ByteStream::new(socket), service.rt.clone()), peer);
    Ok(())
}

fn peer(stream: &TcpStream) -> io::Result<Peer> {
    Ok(Peer { address: stream.peer_addr()?.to_string(), local_address: stream.local_addr()?.to_string() })
}

/// Whether accepting failed because of the one that connected, so that the next may be accepted at once.
pub(crate) fn is_about_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}
