//! A harness for tests from outside: the real server as a process, real Redis clients, and the page in a real browser.
//! It knows addresses and what a person sees, never the code behind.
//!
//! A test starts what it needs on free ports, and whatever it started ends with it, also when it fails. A failing
//! helper panics: this is a test's way to say what was expected and what was found.

pub mod browser;
pub mod host;
pub mod load;
pub mod pixels;
pub mod playground;
pub mod process;
pub mod redis;
pub mod server;
pub mod table;

use std::path::PathBuf;
use std::time::{Duration, Instant};

/// How long something that should happen by itself may take; generous, because test machines are busy.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// A path that `cargo xtask test` passes in the environment.
fn path_from(variable: &str) -> PathBuf {
    let Some(path) = std::env::var_os(variable) else {
        panic!("expected {variable} in the environment; run these tests by `cargo xtask test redis browser`")
    };
    PathBuf::from(path)
}

/// Asks `probe` again and again until it answers `Ok`; after [`PATIENCE`], panics with its last answer.
pub async fn eventually<T>(what: &str, mut probe: impl AsyncFnMut() -> Result<T, String>) -> T {
    let began = Instant::now();
    loop {
        match probe().await {
            Ok(answer) => return answer,
            Err(found) if began.elapsed() > PATIENCE => panic!("expected {what}, found: {found}"),
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
}
