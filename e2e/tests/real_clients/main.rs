//! Sessions of real Redis clients that use every family of commands there is: redis-cli, redis-py, redis-rs and node-redis.
//!
//! Each runs against redis-server first, which shows that the session itself is right, and then against our server under
//! every sharing in which clients see each other's data. `cargo xtask test clients` installs what they need.

mod redis_cli;
mod redis_rs;

use std::path::PathBuf;
use std::process::Command;

use interleave_e2e::redis::Redis;
use interleave_e2e::server::Server;

/// The sharings under which several clients are clients of one store.
const SHARINGS: [&str; 4] = ["mutex", "async-mutex", "sharded", "actor"];

/// Runs `session` against Redis and then against our server, shared in every way, and prints what it says.
async fn check(name: &str, session: impl Fn(u16) -> String + Send + Clone + 'static) {
    let run = async |server: &str, port: u16| {
        let session = session.clone();
        // On a thread that may wait.
        let said = tokio::task::spawn_blocking(move || session(port)).await;
        println!("{name} and {server}: {}", said.expect("the session passes"));
    };
    let redis = Redis::start().await;
    run("redis-server", redis.port()).await;
    for sharing in SHARINGS {
        let server = Server::start(&["--sharing", sharing]).await;
        run(sharing, server.resp_port()).await;
    }
}

/// Runs the script `file` of this folder by `program`, with the server's port and a protocol, and gives its last line.
fn script(mut program: Command, file: &str, port: u16, protocol: &str) -> String {
    let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/real_clients").join(file);
    let output = program.arg(script).args([&port.to_string(), protocol]).output();
    let output = output.unwrap_or_else(|error| panic!("cannot start {program:?}: {error}"));
    let printed = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{file} by protocol {protocol}: {}\n{printed}", output.status);
    // What else it prints are complaints about words of Redis that redis-py finds old.
    String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
}

/// What `cargo xtask test clients` says of where a client is installed.
fn installed(variable: &str) -> PathBuf {
    std::env::var_os(variable)
        .unwrap_or_else(|| panic!("expected {variable} in the environment; run `cargo xtask test clients`"))
        .into()
}

#[tokio::test]
async fn redis_py() {
    for protocol in ["2", "3"] {
        check("redis-py", move |port| {
            script(Command::new(installed("INTERLEAVE_PYTHON")), "redis_py.py", port, protocol)
        })
        .await;
    }
}

#[tokio::test]
async fn node_redis() {
    for protocol in ["2", "3"] {
        check("node-redis", move |port| {
            let mut node = Command::new("node");
            node.env("NODE_PATH", installed("INTERLEAVE_NODE_MODULES"));
            script(node, "node_redis.mjs", port, protocol)
        })
        .await;
    }
}

#[tokio::test]
async fn redis_rs() {
    for protocol in ["resp2", "resp3"] {
        check("redis-rs", move |port| format!("{:?}", redis_rs::session(port, protocol))).await;
    }
}

#[tokio::test]
async fn redis_cli() {
    redis_cli::every_transcript(&SHARINGS).await;
    check("redis-cli", |port| format!("{:?}", redis_cli::several_clients(port))).await;
}
