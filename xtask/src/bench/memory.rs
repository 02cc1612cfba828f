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
use super::program::{Program, free_port};
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
    let binary = server::build()?;
    permit_connections(flags.connections)?;

    let mut servers = vec!["redis"];
    servers.extend(flags.sharing.iter().map(String::as_str));
    let start = |name: &str| {
        let port = free_port()?;
        let mut command =
            Command::new(if name == "redis" { "redis-server".as_ref() } else { binary.as_os_str() });
        if name == "redis" {
            command.args(["--bind", "127.0.0.1", "--save", "", "--port", &port.to_string()]);
        } else {
            command.arg(format!("--resp=127.0.0.1:{port}")).arg(format!("--http=127.0.0.1:{}", free_port()?));
            command.arg(format!("--sharing={name}"));
        }
        Program::start(&command, port, None)
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
            row.extend(of_connections(&start(name)?, flags.connections)?);
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

/// Resident memory that each of `keys` keys added.
fn bytes_a_key(program: &Program, keys: usize, value_bytes: usize) -> Result<f64> {
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

/// Resident memory that each of so many connections added, and the throughput of busy ones beside them, as a share of that
/// without.
fn of_connections(program: &Program, connections: usize) -> Result<[f64; 2]> {
    let busy = Load { test: "set".to_owned(), pipeline: 1, keys: 1000, requests: 100_000 };
    // The first is to warm up.
    busy.measure(program, None)?;
    let alone = busy.measure(program, None)?.rate;
    let before = program.resident_bytes()?;
    let mut streams = Vec::new();
    for _ in 0..connections {
        let mut stream = connect(program)?;
        stream.write_all(b"*1\r\n$4\r\nPING\r\n")?;
        expect(&mut stream, "+PONG\r\n")?;
        streams.push(stream);
    }
    let each = (program.resident_bytes()? as f64 - before as f64) / connections as f64;
    let beside = busy.measure(program, None)?.rate;
    Ok([each, beside / alone])
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
fn permit_connections(connections: usize) -> Result<()> {
    let files = connections + 1000;
    let pid = std::process::id().to_string();
    let status = Command::new("prlimit").args(["--pid", &pid, &format!("--nofile={files}:")]).status();
    if !status.context("cannot run util-linux's prlimit")?.success() {
        bail!("the system does not permit {files} open files; see `ulimit -Hn`");
    }
    Ok(())
}
