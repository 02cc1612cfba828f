//! redis-cli: every transcript of the crate typed into it, and what needs several of it at once.

#[path = "../../../crate/tests/support/transcript.rs"]
mod transcript;

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};

use interleave_e2e::server::Server;

/// A line that redis-cli complains of without asking the server: it parts the replies, also those inside a transaction.
const NO_COMMAND: &str = "\"";

/// What it prints then.
const COMPLAINT: &str = "Invalid argument(s)";

/// What it prints when it is to show messages from now on.
const LISTENS: &str = "Reading messages... (press Ctrl-C to quit)\n";

fn redis_cli(port: u16) -> Command {
    let mut command = Command::new("redis-cli");
    command.args(["-p", &port.to_string(), "--no-raw"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit());
    command
}

/// What one redis-cli prints for each line of `typed`.
fn print(port: u16, typed: &[&str]) -> Vec<String> {
    let mut child = redis_cli(port).spawn().expect("redis-cli can be started");
    let lines: String = typed.iter().map(|line| format!("{line}\n{NO_COMMAND}\n")).collect();
    let mut stdin = child.stdin.take().expect("stdin is a pipe");
    // Apart, or both could wait for the other to read.
    let writer = std::thread::spawn(move || drop(stdin.write_all(lines.as_bytes())));
    let output = child.wait_with_output().expect("redis-cli ends");
    writer.join().expect("the writing thread does not panic");
    // INFO's lines end as RESP's do, and are printed as they are.
    let printed = String::from_utf8_lossy(&output.stdout).replace('\r', "");
    let mut replies: Vec<String> = printed.split(&format!("{COMPLAINT}\n")).map(str::to_owned).collect();
    assert_eq!(replies.pop().as_deref(), Some(""), "after the last complaint of\n{printed}");
    assert_eq!(replies.len(), typed.len(), "{printed}");
    replies
}

/// Types every transcript into redis-cli, under each of `sharings`, up to where it would listen instead of reading on.
pub(crate) async fn every_transcript(sharings: &[&str]) {
    for sharing in sharings {
        for (name, steps) in transcript::all() {
            let server = Server::start(&["--sharing", sharing]).await;
            let typed: Vec<&str> = steps
                .iter()
                .map(|step| step.request.as_str())
                .take_while(|request| !changes_redis_cli(request))
                .collect();
            for (step, printed) in steps.iter().zip(print(server.resp_port(), &typed)) {
                let (line, request) = (step.line, &step.request);
                // It says so before it knows that it may not.
                let printed = printed.strip_prefix(LISTENS).unwrap_or(&printed);
                assert!(step.accepts(printed), "{sharing} {name}:{line}\n> {request}\n{printed}");
            }
        }
    }
}

/// Whether redis-cli makes something of its own of `request`: it then shows messages only, speaks another protocol than it
/// prints, or ends.
fn changes_redis_cli(request: &str) -> bool {
    let words: Vec<String> = request.split(' ').map(str::to_lowercase).collect();
    let listens = ["subscribe", "psubscribe", "ssubscribe", "monitor"].contains(&words[0].as_str());
    listens && words.len() > 1
}

/// A redis-cli whose output is read line by line; it ends with this.
struct Typing {
    child: Child,
    lines: std::io::Lines<BufReader<std::process::ChildStdout>>,
}

impl Typing {
    fn start(port: u16, command: &[&str]) -> Self {
        let mut child = redis_cli(port).args(command).spawn().expect("redis-cli can be started");
        let lines = BufReader::new(child.stdout.take().expect("stdout is a pipe")).lines();
        Self { child, lines }
    }

    #[track_caller]
    fn expect(&mut self, expected: &[&str]) {
        for expected in expected {
            let line = self.lines.next().expect("redis-cli prints more").expect("it prints UTF-8");
            assert_eq!(line.trim(), *expected);
        }
    }
}

impl Drop for Typing {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What takes several redis-clis, as far as the server at `port` has the commands; the commands that were waited in.
pub(crate) fn several_clients(port: u16) -> Vec<&'static str> {
    let ask = |line: &str| print(port, &[line])[0].trim().to_owned();
    let knows = |name: &str| !ask(&format!("COMMAND INFO {name}")).contains("(nil)");
    // Whether `count` clients are inside `command`.
    let wait_for = |command: &str, flags: &str| {
        let pattern = format!("flags={flags} ");
        for _ in 0..1000 {
            let list = ask("CLIENT LIST");
            let is_there = |line: &str| line.contains(&pattern) && line.contains(&format!("cmd={command}"));
            if list.lines().any(is_there) {
                return;
            }
        }
        panic!("no client is at {command}")
    };
    let mut done = Vec::new();
    if knows("subscribe") {
        let mut listener = Typing::start(port, &["SUBSCRIBE", "news"]);
        listener.expect(&[LISTENS.trim()]);
        listener.expect(&["1) \"subscribe\"", "2) \"news\"", "3) (integer) 1"]);
        assert_eq!(ask("PUBLISH news hello"), "(integer) 1");
        listener.expect(&["1) \"message\"", "2) \"news\"", "3) \"hello\""]);
        done.push("subscribe");
    }
    if knows("blpop") {
        let mut waiter = Typing::start(port, &["BLPOP", "queue", "0"]);
        wait_for("blpop", "b");
        assert_eq!(ask("RPUSH queue job"), "(integer) 1");
        waiter.expect(&["1) \"queue\"", "2) \"job\""]);
        done.push("blpop");
    }
    if knows("xread") {
        let mut waiter = Typing::start(port, &["XREAD", "BLOCK", "0", "STREAMS", "log", "$"]);
        wait_for("xread", "b");
        assert_eq!(ask("XADD log 1-1 n 1"), "\"1-1\"");
        waiter.expect(&["1) 1) \"log\"", "2) 1) 1) \"1-1\"", "2) 1) \"n\"", "2) \"1\""]);
        done.push("xread");
    }
    if knows("watch") {
        let replies = print(port, &["WATCH k", "MULTI", "INCR k", "INCR k", "EXEC"]);
        let replies: Vec<&str> = replies.iter().map(|reply| reply.trim()).collect();
        assert_eq!(replies, ["OK", "OK", "QUEUED", "QUEUED", "1) (integer) 1\n2) (integer) 2"]);
        done.push("watch");
    }
    done
}
