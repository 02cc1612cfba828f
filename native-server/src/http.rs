//! The other runtime: the page, what it asks about the server, and the way in for WebSockets.
//!
//! One thread, apart from the runtime that is observed. It serves files and hands a console's socket over; it
//! runs no command. Owns the paths and the headers of every answer. Who may ask is [`guard`](crate::guard)'s
//! to say.

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, Response, StatusCode, header};
use axum::middleware::{self, Next};
use axum::routing::get;
use axum::{Extension, Router};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use interleave::command::Server;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::sync::{Semaphore, mpsc, watch};
use tracing::{debug, error};

use crate::StartError;
use crate::flags::Flags;
use crate::guard::Guard;
use crate::observed::{ACCEPT_PAUSE, Arrival, Observed, is_about_one_connection, listen_on, prepare};
use crate::page::{self, PageFiles};
use crate::process;
use crate::scenario::{ASKING_MAX, Stage};
use crate::trace::{Trace, WATCHERS_MAX};
use crate::watcher;
use crate::websocket;

/// HTTP connections at a time; more wait until one ends. A WebSocket no longer counts.
const CONNECTIONS_MAX: usize = 256;

/// How long a client may take to send a request's headers, or to think of the next request.
const HEADERS_TIMEOUT: Duration = Duration::from_secs(15);

/// How long a connection lives, whatever it does. A browser opens another.
const CONNECTION_LIFE: Duration = Duration::from_secs(120);

/// Time between two looks at how much memory the process has.
const WEIGH_EVERY: Duration = Duration::from_secs(1);

/// How long answers on their way may take when the server stops.
const END: Duration = Duration::from_secs(1);

/// What the page may load, and from where: from here alone, and no script but the page's own.
const CONTENT_SECURITY_POLICY: &str = "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; \
    connect-src 'self'; worker-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
    object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The runtime with its listener, ready to run.
pub(crate) struct Http {
    runtime: Runtime,
    listener: TcpListener,
    address: SocketAddr,
    guard: Guard,
    info: String,
    page: PageFiles,
    arrivals: mpsc::Sender<Arrival>,
    server: Arc<Server>,
    stage: Stage,
    trace: Trace,
}

/// What all requests have in common.
struct Site {
    guard: Guard,
    /// What `/api/info` answers.
    info: String,
    page: PageFiles,
    arrivals: mpsc::Sender<Arrival>,
    stage: Stage,
    trace: Trace,
    // Held by whoever must end before the runtime does.
    stop: watch::Receiver<bool>,
}

/// The address that a connection reached.
#[derive(Clone, Copy)]
struct Local(SocketAddr);

impl Http {
    /// Builds the runtime and takes the address. `info` is what `/api/info` answers, and `page` what else there is; consoles and
    /// scenarios go to `observed`, watchers to `trace`.
    pub(crate) fn bind(
        flags: &Flags,
        info: &serde_json::Value,
        page: PageFiles,
        observed: &Observed,
        trace: Trace,
    ) -> Result<Self, StartError> {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        let runtime = builder.enable_io().enable_time().build().map_err(StartError::System)?;
        let refused = |error| StartError::Listen { address: flags.http, flag: "--http", error };
        let listener = {
            let _registers_here = runtime.enter();
            listen_on(flags.http).map_err(refused)?
        };
        let address = listener.local_addr().map_err(refused)?;
        let guard = Guard::new(&flags.allow_host);
        Ok(Self {
            runtime,
            listener,
            address,
            guard,
            info: info.to_string(),
            page,
            arrivals: observed.arrivals(),
            server: observed.server(),
            stage: Stage::new(observed),
            trace,
        })
    }

    /// The address that browsers connect to.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `stop` turns true.
    pub(crate) fn run(self, mut stop: watch::Receiver<bool>) {
        let Self { runtime, listener, guard, info, page, arrivals, server, stage, trace, .. } = self;
        // Every connection and every watcher holds a receiver, and the router does.
        let (stop_all, stopped) = watch::channel(false);
        let site = Arc::new(Site { guard, info, page, arrivals, stage, trace: trace.clone(), stop: stopped });
        runtime.block_on(async {
            tokio::select! {
                _ = stop.wait_for(|stop| *stop) => {}
                () = listen(listener, &site) => {}
                () = weigh(&server) => {}
            }
            drop(site);
            stop_all.send_replace(true);
            let _ = tokio::time::timeout(END, stop_all.closed()).await;
        });
        trace.stop();
    }
}

async fn listen(listener: TcpListener, site: &Arc<Site>) {
    let router = router(Arc::clone(site));
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut failing = false;
    loop {
        let place = Arc::clone(&places).acquire_owned().await.expect("nobody closes the semaphore");
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) if is_about_one_connection(&error) => {
                debug!("a connection broke early: {error}");
                continue;
            }
            Err(error) => {
                if !std::mem::replace(&mut failing, true) {
                    error!("cannot let browsers in: {error}; trying on every {ACCEPT_PAUSE:?}");
                }
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        failing = false;
        let (router, stop) = (router.clone(), site.stop.clone());
        #[expect(clippy::disallowed_methods, reason = "this runtime is not the observed one")]
        tokio::spawn(async move {
            let _place = place;
            match prepare(&stream).and_then(|()| stream.local_addr()) {
                Ok(local) => serve(stream, local, router, stop).await,
                Err(error) => debug!("a browser was gone before it was served: {error}"),
            }
        });
    }
}

/// Keeps `INFO memory` and `INFO cpu` up to date. Here, because it reads files.
async fn weigh(server: &Server) {
    loop {
        server.counters.resident_bytes.store(process::resident_bytes(), Ordering::Relaxed);
        let (user_us, system_us) = process::processor_time_us();
        server.counters.user_us.store(user_us, Ordering::Relaxed);
        server.counters.system_us.store(system_us, Ordering::Relaxed);
        tokio::time::sleep(WEIGH_EVERY).await;
    }
}

/// Serves one connection until it ends or becomes a WebSocket.
async fn serve(stream: TcpStream, local: SocketAddr, router: Router, mut stop: watch::Receiver<bool>) {
    let service = TowerToHyperService::new(router.layer(Extension(Local(local))));
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADERS_TIMEOUT)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    let mut connection = pin!(connection);
    let ended = tokio::time::timeout(CONNECTION_LIFE, async {
        tokio::select! {
            ended = connection.as_mut() => return ended,
            _ = stop.wait_for(|stop| *stop) => connection.as_mut().graceful_shutdown(),
        }
        connection.await
    });
    match ended.await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => debug!("an HTTP connection ended: {error}"),
        Err(_) => debug!("an HTTP connection was ended after {CONNECTION_LIFE:?}"),
    }
}

fn router(site: Arc<Site>) -> Router {
    Router::new()
        .route("/api/info", get(info))
        .route("/redis", get(redis))
        .route("/trace", get(trace))
        .route("/scenario", get(scenario))
        .fallback(get(file))
        .layer(middleware::from_fn_with_state(Arc::clone(&site), guarded))
        .with_state(site)
}

/// Checks the host, and says on every answer what a browser may do with it.
async fn guarded(
    State(site): State<Arc<Site>>,
    Extension(Local(local)): Extension<Local>,
    request: Request,
    next: Next,
) -> Response<Body> {
    let mut response = match site.guard.check_host(request.headers(), local.ip()) {
        Ok(()) => next.run(request).await,
        Err(why) => text(StatusCode::FORBIDDEN, why),
    };
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

async fn file(State(site): State<Arc<Site>>, request: Request) -> Response<Body> {
    page::file(site.page, request.uri().path(), request.headers())
}

async fn info(State(site): State<Arc<Site>>) -> Response<Body> {
    let response = Response::builder()
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::CACHE_CONTROL, "no-store");
    response.body(site.info.clone().into()).expect("header values are literals")
}

/// Turns the connection into a console's: a stream of RESP, served where all others are.
async fn redis(State(site): State<Arc<Site>>, mut request: Request) -> Response<Body> {
    if let Err(why) = site.guard.check_origin(request.headers()) {
        return text(StatusCode::FORBIDDEN, why);
    }
    let (answer, upgrade) = websocket::upgrade(&mut request);
    let Some(upgrade) = upgrade else { return answer };
    #[expect(clippy::disallowed_methods, reason = "this runtime is not the observed one")]
    tokio::spawn(async move {
        let moved = async {
            let raw = websocket::unwrap(upgrade.await.map_err(io::Error::other)?);
            let arrival = Arrival::new(raw)?;
            // The server stops: so does the console.
            let _ = site.arrivals.send(arrival).await;
            io::Result::Ok(())
        };
        if let Err(error) = moved.await {
            debug!("a console was gone before it was served: {error}");
        }
    });
    answer
}

/// Turns the connection into a watcher's.
async fn trace(State(site): State<Arc<Site>>, mut request: Request) -> Response<Body> {
    if !cfg!(feature = "scope") {
        return text(
            StatusCode::NOT_FOUND,
            "this server was built without `scope`: it records nothing".into(),
        );
    }
    if let Err(why) = site.guard.check_origin(request.headers()) {
        return text(StatusCode::FORBIDDEN, why);
    }
    let Some(place) = site.trace.place() else {
        let why =
            format!("{WATCHERS_MAX} watchers are connected, which is the most; close one of their pages");
        return text(StatusCode::SERVICE_UNAVAILABLE, why);
    };
    upgraded(&mut request, "a watcher", move |socket| async move {
        let messages = site.trace.watch(place);
        watcher::serve(socket, messages, site.stop.clone()).await;
    })
}

/// Answers with the change to a WebSocket, and has it served on this runtime, which is not the observed one. `whose` it is,
/// the log says when it is gone before.
fn upgraded<F>(
    request: &mut Request,
    whose: &'static str,
    serve: impl FnOnce(websocket::Raw) -> F + Send + 'static,
) -> Response<Body>
where
    F: Future<Output = ()> + Send,
{
    let (answer, upgrade) = websocket::upgrade(request);
    let Some(upgrade) = upgrade else { return answer };
    #[expect(clippy::disallowed_methods, reason = "this runtime is not the observed one")]
    tokio::spawn(async move {
        match upgrade.await {
            Ok(upgraded) => serve(websocket::unwrap(upgraded)).await,
            Err(error) => debug!("{whose} was gone before it was served: {error}"),
        }
    });
    answer
}

/// Turns the connection into one on which a scenario is asked for.
async fn scenario(State(site): State<Arc<Site>>, mut request: Request) -> Response<Body> {
    if let Err(why) = site.guard.check_origin(request.headers()) {
        return text(StatusCode::FORBIDDEN, why);
    }
    let Some(place) = site.stage.place() else {
        let why =
            format!("{ASKING_MAX} ask for scenarios to be run, which is the most; close one of their pages");
        return text(StatusCode::SERVICE_UNAVAILABLE, why);
    };
    upgraded(&mut request, "who asked for a scenario", move |socket| async move {
        site.stage.serve(place, socket, site.stop.clone()).await;
    })
}

fn text(status: StatusCode, text: String) -> Response<Body> {
    let response =
        Response::builder().status(status).header(header::CONTENT_TYPE, "text/plain; charset=utf-8");
    response.body((text + "\n").into()).expect("header values are literals")
}
