//! `/scenario`: one run of a scenario on this server itself, each of its clients on a connection of its own.
//!
//! Owns the conversation with whoever asks, and how long a run may take. The run's tasks are spawned on the observed
//! runtime, so that a watcher of `/trace` sees them beside the sessions that they talk to. The conversation is on the other
//! one: a task that never gives way cannot hold up its end.

use std::future::poll_fn;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use interleave::rt::Rt;
use interleave::scenario::{Connect, Connecting, Limits, Outcome, Run, Scenario, Stream};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::{sleep, timeout};
use tracing::{debug, warn};
use tungstenite::error::CapacityError;
use tungstenite::protocol::frame::CloseFrame;
use tungstenite::protocol::frame::coding::CloseCode;
use tungstenite::{Error, Message};

use crate::observed::{MESSAGE_BYTES_MAX, Observed, prepare};
use crate::websocket::{Raw, WebSocket};

/// How long a run may take if whoever asks for it does not say.
const TIME_LIMIT: Duration = Duration::from_secs(10);

/// How long a run may take at most: nobody else has one meanwhile.
const TIME_LIMIT_MAX: Duration = Duration::from_secs(60);

/// Most who ask at a time. All but one of them are about to be told that another has the server.
pub(crate) const ASKING_MAX: usize = 16;

/// How long a client may take to send its scenario, and to take a message.
const PATIENCE: Duration = Duration::from_secs(15);

/// How long the tasks of a stopped run have to notice. They do when they are polled next.
const END: Duration = Duration::from_secs(1);

type Socket = WebSocket<TcpStream>;

/// What a client asks for: its one message.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    scenario: String,
    time_limit_ms: Option<u64>,
}

/// Where scenarios are run, one at a time.
pub(crate) struct Stage {
    observed: Handle,
    door: Arc<Door>,
    places: Arc<Semaphore>,
    turn: Semaphore,
}

/// The right to ask for a run: one of [`ASKING_MAX`].
pub(crate) struct Place(#[expect(dead_code, reason = "held, not used")] OwnedSemaphorePermit);

/// Why a run ends before its time.
enum Cut {
    /// It has taken as long as it may.
    Late,
    /// Who asked for it has gone.
    Left,
    /// The server stops.
    Stopping,
}

impl Stage {
    /// Runs scenarios on `observed`.
    pub(crate) fn new(observed: &Observed) -> Self {
        Self {
            observed: observed.handle(),
            door: Arc::new(Door(reachable(observed.address()))),
            places: Arc::new(Semaphore::new(ASKING_MAX)),
            turn: Semaphore::new(1),
        }
    }

    /// A place for one more who asks, if there is one.
    pub(crate) fn place(&self) -> Option<Place> {
        Arc::clone(&self.places).try_acquire_owned().ok().map(Place)
    }

    /// Serves one who asks until its run is over, it leaves, or the server stops.
    pub(crate) async fn serve(
        &self,
        _place: Place,
        Raw { stream, read }: Raw,
        mut stop: watch::Receiver<bool>,
    ) {
        let mut socket = WebSocket::new(stream, &read, MESSAGE_BYTES_MAX);
        let served = async {
            if let Err(why) = self.converse(&mut socket, &mut stop).await? {
                say(&mut socket, &json!({ "refused": why })).await?;
            }
            let bye = CloseFrame { code: CloseCode::Normal, reason: "".into() };
            in_time(poll_fn(|cx| socket.poll_close(cx, Some(bye.clone())))).await
        };
        if let Err(error) = served.await {
            debug!("who asked for a scenario is gone: {error}");
        }
    }

    /// Reads what is asked for and carries it out; the inner error says why not.
    async fn converse(
        &self,
        socket: &mut Socket,
        stop: &mut watch::Receiver<bool>,
    ) -> Result<Result<(), String>, Error> {
        let asked = tokio::select! {
            biased;
            _ = stop.wait_for(|stop| *stop) => Err("the server stops".to_owned()),
            message = next(socket) => message?,
        };
        let (scenario, time_limit) = match asked.and_then(|text| understood(&text)) {
            Ok(asked) => asked,
            Err(why) => return Ok(Err(why)),
        };
        let Ok(_turn) = self.turn.try_acquire() else {
            let why =
                "expected to be the only one, found another scenario running here: wait until it has ended";
            return Ok(Err(why.to_owned()));
        };
        let rt = Rt::native();
        let from_ns = rt.now_ns();
        let run = {
            let _spawns_there = self.observed.enter();
            Run::start_on(self.door.clone(), &scenario, Limits::default(), &rt)
        };
        // Whatever happens, the next one's turn comes when this run's tasks have ended.
        let told = say(socket, &json!({ "started": true, "now_ns": from_ns })).await;
        let cut = match &told {
            Ok(()) => until_cut(&run, socket, time_limit, stop).await,
            Err(_) => Some(Cut::Left),
        };
        end(&run, cut, time_limit).await;
        told?;
        let finished = finished(run.ended().await, scenario.source(), from_ns, rt.now_ns());
        say(socket, &finished).await?;
        Ok(Ok(()))
    }
}

/// The scenario asked for, and how long it may take.
fn understood(text: &str) -> Result<(Arc<Scenario>, Duration), String> {
    let Asked { scenario, time_limit_ms } = serde_json::from_str(text).map_err(|error| {
        format!(r#"expected {{"scenario": text}}, and "time_limit_ms" for a limit of its own: {error}"#)
    })?;
    let time_limit = time_limit_ms.map_or(TIME_LIMIT, Duration::from_millis);
    if time_limit.is_zero() || time_limit > TIME_LIMIT_MAX {
        let (most, found) = (TIME_LIMIT_MAX.as_millis(), time_limit.as_millis());
        return Err(format!("expected 1 to {most} in `time_limit_ms`, found {found}"));
    }
    let scenario = Scenario::parse(&scenario, &Limits::default()).map_err(|error| error.to_string())?;
    Ok((Arc::new(scenario), time_limit))
}

/// Waits for the outcome of `run`, or for what ends it before.
async fn until_cut(
    run: &Run,
    socket: &mut Socket,
    time_limit: Duration,
    stop: &mut watch::Receiver<bool>,
) -> Option<Cut> {
    tokio::select! {
        biased;
        _ = run.ended() => None,
        _ = stop.wait_for(|stop| *stop) => Some(Cut::Stopping),
        () = poll_fn(|cx| socket.poll_end(cx)) => Some(Cut::Left),
        () = sleep(time_limit) => Some(Cut::Late),
    }
}

/// Ends `run` if it was cut, and waits until its tasks are gone: the next one has the server for itself.
async fn end(run: &Run, cut: Option<Cut>, time_limit: Duration) {
    match cut {
        None => {}
        Some(Cut::Late) => run.stop(
            "time_limit_ms",
            format!("it was not at its end after {time_limit:?}, the limit `time_limit_ms` of a run here"),
        ),
        Some(Cut::Left) => run.stop("page", "who asked for it has gone".to_owned()),
        Some(Cut::Stopping) => run.stop("server", "the server stops".to_owned()),
    }
    if timeout(END, run.left()).await.is_err() {
        warn!("tasks of a scenario have not noticed its end for {END:?}: something else keeps the workers");
    }
}

fn finished(outcome: &Outcome, source: &str, from_ns: u64, to_ns: u64) -> Value {
    json!({ "finished": {
        "good": outcome.is_good(),
        "deadlock": outcome.is_stuck(),
        "headline": outcome.headline(source),
        "text": outcome.describe(source),
        "from_ns": from_ns,
        "to_ns": to_ns,
    }})
}

/// The client's message; the inner error says what is wrong with it.
async fn next(socket: &mut Socket) -> Result<Result<String, String>, Error> {
    let Ok(read) = timeout(PATIENCE, poll_fn(|cx| socket.poll_read(cx))).await else {
        return Ok(Err(format!("expected a scenario within {PATIENCE:?}, found none")));
    };
    match read {
        Ok(Some(Message::Text(text))) => Ok(Ok(text.as_str().to_owned())),
        Ok(Some(_)) => Ok(Err("expected a scenario in a text message, found a binary one".to_owned())),
        Ok(None) => Err(Error::ConnectionClosed),
        Err(Error::Capacity(CapacityError::MessageTooLong { size, max_size })) => {
            Ok(Err(format!("expected at most {max_size} bytes a message, found {size}")))
        }
        Err(error) => Err(error),
    }
}

async fn say(socket: &mut Socket, message: &Value) -> Result<(), Error> {
    let mut message = Some(Message::text(message.to_string()));
    in_time(poll_fn(|cx| {
        if let Some(message) = message.take() {
            socket.write(cx, message)?;
        }
        socket.poll_flush(cx)
    }))
    .await
}

/// Awaits `sending` for as long as a client may take.
async fn in_time(sending: impl Future<Output = Result<(), Error>>) -> Result<(), Error> {
    timeout(PATIENCE, sending).await.unwrap_or_else(|_| Err(Error::Io(io::ErrorKind::TimedOut.into())))
}

/// The server's own port, as a client in this process reaches it.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

/// The way in that every Redis client takes.
#[derive(Debug)]
struct Door(SocketAddr);

impl Connect for Door {
    fn connect(&self, _name: &str) -> Connecting {
        let address = self.0;
        Box::pin(async move {
            let stream = TcpStream::connect(address).await?;
            prepare(&stream)?;
            Ok(Box::new(stream) as Box<dyn Stream>)
        })
    }
}
