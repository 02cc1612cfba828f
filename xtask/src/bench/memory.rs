//! `cargo xtask bench memory`: what a key and an idle connection cost in memory, and what idle connections cost the busy ones,
//! beside Debian's redis-server. Knows of a server no more than how to start it and to speak RESP.
//!
//! Memory is what the system says is resident, so that what the allocator cannot use counts, too.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::process::Command;

use anyhow::{Context, Result, bail};
use clap::Args;

use super::load::Load;
use super::median;
use super::program::Program;
use super::redis::{start_ours, start_redis};
use crate::shell::{apt, say};
use crate::{page, server};

/// Flags of the benchmark.
#[derive(Args)]
pub(crate) struct Flags {
    /// Which sharings to measure.
    #[arg(long, value_delimiter = ',', default_values_t = ["sharded".to_owned()])]
    sharing: Vec<String>,
    /// Rounds, in each of which every server is started anew and measured once.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Keys that are set.
    #[arg(long, default_value_t = 1_000_000)]
    keys: usize,
    /// Bytes of their values, each measured on its own.
    #[arg(long, value_delimiter = ',', default_values_t = [3, 100])]
    value_bytes: Vec<usize>,
    /// Connections that say one thing and then are silent.
    #[arg(long, default_value_t = 5_000)]
    connections: usize,
}

/// Requests in one write.
const BATCH: usize = 1000;

/// Measures and prints one table.
pub(crate) fn bench(flags: &Flags) -> Result<()> {
    apt::need(&["redis-server", "redis-tools"])?;
    page::build(page::Profile::Page)?;
    let binary = server::build(server::Profile::Dist)?;
    permit_connections(flags.connections)?;

    let mut servers = vec!["redis"];
    servers.extend(flags.sharing.iter().map(String::as_str));
    let start = |name: &str| {
        if name == "redis" { start_redis(None) } else { start_ours(&binary, name, None) }
    };

    let mut columns: Vec<String> = flags.value_bytes.iter().map(|bytes| format!("key+{bytes} B")).collect();
    columns.extend(["connection B".to_owned(), "beside them".to_owned()]);
    let mut rounds = Vec::new();
    for round in 0..flags.rounds {
        say(format!("round {} of {}", round + 1, flags.rounds));
        let mut costs = Vec::new();
        for name in &servers {
            let mut row = Vec::new();
            for bytes in &flags.value_bytes {
                row.push(bytes_a_key(&start(name)?, flags.keys, *bytes)?);
            }
            let idle = of_connections(&start(name)?, flags.connections, None)?;
            row.extend([idle.bytes_each, idle.rate_beside]);
            costs.push(row);
        }
        rounds.push(costs);
    }

    println!(
        "\n{} keys of 16 bytes; {} idle connections; SET -P 1 of 50 busy ones beside them, as a share of that without",
        flags.keys, flags.connections
    );
    print!("{:<12}", "");
    columns.iter().for_each(|column| print!(" {column:>14} {:>9}", "to redis"));
    println!();
    for (index, name) in servers.iter().enumerate() {
        print!("{name:<12}");
        for column in 0..columns.len() {
            let own = median(rounds.iter().map(|round| round[index][column]));
            let ratio = median(rounds.iter().map(|round| round[index][column] / round[0][column]));
            print!(" {own:>14.2} {ratio:>9.2}");
        }
        println!();
    }
    Ok(())
}

/// Resident memory that each of `keys` keys added to an empty server.
pub(super) fn bytes_a_key(program: &Program, keys: usize, value_bytes: usize) -> Result<f64> {
    let mut stream = connect(program)?;
    let value = "x".repeat(value_bytes);
    let before = program.resident_bytes()?;
    for start in (0..keys).step_by(BATCH) {
        let count = BATCH.min(keys - start);
        let requests: String = (start..start + count)
            .map(|key| format!("*3\r\n$3\r\nSET\r\n$16\r\nkey:{key:012}\r\n${value_bytes}\r\n{value}\r\n"))
            .collect();
        stream.write_all(requests.as_bytes())?;
        expect(&mut stream, &"+OK\r\n".repeat(count))?;
    }
    Ok((program.resident_bytes()? as f64 - before as f64) / keys as f64)
}

/// What connections cost that say nothing.
pub(super) struct Idle {
    /// Resident memory that each added.
    pub(super) bytes_each: f64,
    /// The throughput of busy ones beside them, as a share of that without.
    pub(super) rate_beside: f64,
}

/// Measures so many idle connections; the busy ones come from `load_core`, if it is to be one.
pub(super) fn of_connections(program: &Program, connections: usize, load_core: Option<u32>) -> Result<Idle> {
    let busy = Load { test: "set".to_owned(), pipeline: 1, keys: 1000, requests: 100_000 };
    // The first is to warm up.
    busy.measure(program, load_core)?;
    let alone = busy.measure(program, load_core)?.rate;
    let before = program.resident_bytes()?;
    let mut streams = Vec::new();
    for _ in 0..connections {
        let mut stream = connect(program)?;
        stream.write_all(b"*1\r\n$4\r\nPING\r\n")?;
        expect(&mut stream, "+PONG\r\n")?;
        streams.push(stream);
    }
    let bytes_each = (program.resident_bytes()? as f64 - before as f64) / connections as f64;
    let beside = busy.measure(program, load_core)?.rate;
    Ok(Idle { bytes_each, rate_beside: beside / alone })
}

fn connect(program: &Program) -> Result<TcpStream> {
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, program.port)).context("the server refuses")?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

fn expect(stream: &mut TcpStream, replies: &str) -> Result<()> {
    let mut found = vec![0; replies.len()];
    stream.read_exact(&mut found).context("the server has closed the connection")?;
    if found != replies.as_bytes() {
        bail!("expected {replies:?}, found {:?}", String::from_utf8_lossy(&found));
    }
    Ok(())
}

/// Lets this process, and the servers it starts, have enough files open.
pub(super) fn permit_connections(connections: usize) -> Result<()> {
    let files = connections + 1000;
    let pid = std::process::id().to_string();
    let status = Command::new("prlimit").args(["--pid", &pid, &format!("--nofile={files}:")]).status();
    if !status.context("cannot run util-linux's prlimit")?.success() {
        bail!("the system does not permit {files} open files; see `ulimit -Hn`");
    }
    Ok(())
}
