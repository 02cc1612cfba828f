//! The program as a process of its own, which can be killed, and a client of it. Knows no command.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// How long something that should happen by itself may take; generous, because test machines are busy.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A folder that goes with its test.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("interleave-durability-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// The names of its files in order, but for the lock.
    pub(crate) fn files(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.0).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.retain(|name| name != "interleave.lock");
        names.sort();
        names
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A running server, which does not outlive its test.
pub(crate) struct Program {
    child: Child,
    resp: SocketAddr,
}

impl Program {
    /// Starts it with a log in `folder`.
    pub(crate) fn start(folder: &Folder, flags: &[&str]) -> Self {
        let dir = format!("--dir={}", folder.path().display());
        Self::start_with(&[&["--appendonly", "yes", &*dir], flags].concat())
    }

    pub(crate) fn start_with(flags: &[&str]) -> Self {
        let mut child = command(flags).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let resp = lines.find_map(|line| {
            let (address, _) = line.strip_prefix("Redis clients: ")?.split_once(' ')?;
            address.parse().ok()
        });
        match resp {
            Some(resp) => Self { child, resp },
            None => {
                let mut log = String::new();
                child.stderr.take().unwrap().read_to_string(&mut log).unwrap();
                panic!("the program did not start:\n{log}");
            }
        }
    }

    /// Why it does not start with a log in `folder`.
    pub(crate) fn refused(folder: &Folder, flags: &[&str]) -> String {
        let dir = format!("--dir={}", folder.path().display());
        let output = command(&[&["--appendonly", "yes", &*dir], flags].concat()).output().unwrap();
        let log = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{log}");
        log
    }

    pub(crate) fn client(&self) -> Client {
        Client::connect(self.resp)
    }

    /// Ends it at once, whatever it is doing.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Asks it to end, and waits for that; its log.
    pub(crate) fn stop(mut self) -> String {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        let mut log = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut log).unwrap();
        assert_eq!(self.child.wait().unwrap().code(), Some(0), "{log}");
        log
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn command(flags: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_interleave-server"));
    command.args(["--resp=127.0.0.1:0", "--http=127.0.0.1:0"]).args(flags);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// A client that sends a request and waits for its reply.
pub(crate) struct Client(BufReader<TcpStream>);

impl Client {
    pub(crate) fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self(BufReader::new(stream))
    }

    /// Sends a request of these words.
    pub(crate) fn send(&mut self, request: &str) -> std::io::Result<()> {
        self.0.get_mut().write_all(format!("{request}\r\n").as_bytes())
    }

    /// The next reply: its lines as they come, without what ends them; `None` if the server has gone.
    pub(crate) fn receive(&mut self) -> Option<String> {
        let mut line = String::new();
        if self.0.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let mut reply = line.trim_end().to_owned();
        let length = reply.get(1..)?.parse::<i64>().unwrap_or(-1);
        match reply.as_bytes()[0] {
            b'$' if length >= 0 => {
                let mut content = vec![0; length as usize + 2];
                self.0.read_exact(&mut content).ok()?;
                content.truncate(length as usize);
                reply += "\n";
                reply += &String::from_utf8_lossy(&content);
            }
            b'*' => {
                for _ in 0..length {
                    reply += "\n";
                    reply += &self.receive()?;
                }
            }
            _ => {}
        }
        Some(reply)
    }

    pub(crate) fn request(&mut self, request: &str) -> String {
        self.send(request).unwrap();
        self.receive().unwrap_or_else(|| panic!("{request}: the server has gone"))
    }

    #[track_caller]
    pub(crate) fn ask(&mut self, request: &str, expected: &str) {
        assert_eq!(self.request(request), expected, "{request}");
    }
}
