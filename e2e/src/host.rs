//! Any web host: serves the built page's folder and has no server of ours behind it.

use std::net::Ipv4Addr;

use axum::Router;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tower_http::services::ServeDir;

use crate::path_from;

/// Serves the page until dropped.
pub struct Host {
    port: u16,
    task: JoinHandle<()>,
}

impl Host {
    /// Starts serving on a free port.
    ///
    /// # Panics
    /// When no port is free.
    pub async fn start() -> Self {
        let router =
            Router::new().fallback_service(ServeDir::new(path_from("INTERLEAVE_PAGE")).precompressed_br());
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
        let port = listener.local_addr().expect("a bound listener has an address").port();
        let task = tokio::spawn(async move {
            // Serving ends only with the task.
            let _ = axum::serve(listener, router).await;
        });
        Self { port, task }
    }

    /// The page's address.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/", self.port)
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.task.abort();
    }
}
