//! The program itself: what it prints, what it answers to signals, and when it does not start.

use std::io::{BufRead, BufReader, Read};
use std::net::{SocketAddr, TcpListener};
use std::process::{Child, Command, Output, Stdio};

use clap::Parser;
use interleave_server::{Flags, Server};

use crate::support::{ask, connect};

fn program(flags: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_interleave-server"));
    command.args(flags).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// A process that does not outlive its test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn run(flags: &[&str]) -> (Option<i32>, String) {
    let Output { status, stderr, .. } = program(flags).output().unwrap();
    (status.code(), String::from_utf8(stderr).unwrap())
}

#[test]
#[cfg(unix)]
fn it_prints_its_addresses_and_ends_when_asked_to() {
    for signal in ["-TERM", "-INT"] {
        let mut running = Running(program(&["--resp=127.0.0.1:0", "--http=127.0.0.1:0"]).spawn().unwrap());
        let mut lines = BufReader::new(running.0.stdout.take().unwrap()).lines().map(Result::unwrap);
        let page = lines.next().unwrap();
        let redis = lines.next().unwrap();
        assert_eq!(lines.next().unwrap(), "Ctrl-C stops the server.");
        let address = |line: &str, before: &str, after: &str| {
            let address = line.strip_prefix(before).and_then(|rest| rest.split_once(after));
            let address = address.unwrap_or_else(|| panic!("expected an address in {line:?}")).0;
            address.parse::<SocketAddr>().unwrap()
        };
        let _page = connect(address(&page, "Page: http://", "/"));
        ask(&connect(address(&redis, "Redis clients: ", "  (redis-cli -p ")), "PING\r\n", "+PONG\r\n");

        let pid = running.0.id().to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
        let status = running.0.wait().unwrap();
        let mut log = String::new();
        running.0.stderr.take().unwrap().read_to_string(&mut log).unwrap();
        assert_eq!(status.code(), Some(0), "{signal}: {log}");
    }
}

#[test]
fn an_address_in_use_is_told_with_its_flag() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    for (flag, other) in [("--resp", "--http"), ("--http", "--resp")] {
        let (code, log) = run(&[&format!("{flag}={address}"), &format!("{other}=127.0.0.1:0")]);
        assert_eq!(code, Some(1), "{log}");
        let expected = format!(
            "cannot listen on {address}: another program listens there; choose another address with {flag}"
        );
        assert!(log.contains(&expected), "expected {expected:?} in\n{log}");
    }
}

#[test]
fn a_wrong_flag_is_told() {
    let (code, log) = run(&["--sharing=shared"]);
    assert_eq!(code, Some(2), "{log}");
    assert!(log.contains("expected isolated, mutex, async-mutex, sharded, actor, found 'shared'"), "{log}");
}

#[test]
fn an_address_of_another_machine_cannot_be_had() {
    let flags = ["interleave-server", "--resp=192.0.2.1:0", "--http=127.0.0.1:0"];
    let error = Server::start(&Flags::try_parse_from(flags).unwrap(), |_| None).unwrap_err().to_string();
    let expected =
        "cannot listen on 192.0.2.1:0: this machine has no such address; choose another address with --resp";
    assert_eq!(error, expected);
}
