//! A server as a program under measurement: started on a free port, its CPU time read, killed at the end. Knows
//! nothing of which server it is.

use std::ffi::OsStr;
use std::fs;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// A running server.
pub(super) struct Program {
    child: Child,
    pub(super) port: u16,
}

impl Program {
    /// Starts `command`, which must listen on `port`, and waits until it does. `core` binds it to one core.
    pub(super) fn start(command: &Command, port: u16, core: Option<u32>) -> Result<Self> {
        let mut command = on_core(command, core);
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .with_context(|| format!("cannot start {}", command.get_program().to_string_lossy()))?;
        let mut program = Self { child, port };
        let began = Instant::now();
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            if let Some(status) = program.child.try_wait()? {
                bail!("{} ended at once: {status}", command.get_program().to_string_lossy());
            }
            if began.elapsed() > Duration::from_secs(10) {
                bail!("{} does not listen on port {port}", command.get_program().to_string_lossy());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(program)
    }

    /// Memory of its that is in RAM, in bytes.
    pub(super) fn resident_bytes(&self) -> Result<u64> {
        let file = format!("/proc/{}/status", self.child.id());
        let text =
            fs::read_to_string(&file).with_context(|| format!("cannot read {file}; this needs Linux"))?;
        // "VmRSS:     12345 kB".
        let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kilobytes = line.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok());
        Ok(1024 * kilobytes.with_context(|| format!("expected VmRSS in {file}, found:\n{text}"))?)
    }

    /// CPU time of all its threads until now, in nanoseconds. A thread that has ended no longer counts, so it is only
    /// for servers whose threads stay.
    pub(super) fn cpu_ns(&self) -> Result<u64> {
        let folder = format!("/proc/{}/task", self.child.id());
        let mut sum = 0;
        for entry in
            fs::read_dir(&folder).with_context(|| format!("cannot read {folder}; this needs Linux"))?
        {
            // "RUNNING WAITING SLICES"; nanoseconds, where /proc/PID/stat has hundredths of a second.
            let file = entry?.path().join("schedstat");
            let text =
                fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
            let running = text.split(' ').next().and_then(|field| field.parse::<u64>().ok());
            sum += running
                .with_context(|| format!("expected a number first in {}, found {text:?}", file.display()))?;
        }
        Ok(sum)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// CPU time of all programs that this one has started and seen the end of, in nanoseconds: hundredths of a second.
pub(super) fn cpu_of_ended_ns() -> Result<u64> {
    // Linux counts in hundredths of a second for programs, whatever it counts in itself.
    const TICK_NS: u64 = 10_000_000;
    const FILE: &str = "/proc/self/stat";
    let stat = fs::read_to_string(FILE).with_context(|| format!("cannot read {FILE}; this needs Linux"))?;
    // "PID (NAME) STATE ...": the name may hold anything, so count from its closing parenthesis. The 16th and 17th of all.
    let fields = stat.rsplit_once(") ").map_or("", |(_, rest)| rest).split(' ');
    let ticks: Vec<u64> = fields.skip(13).take(2).filter_map(|field| field.parse().ok()).collect();
    match ticks[..] {
        [user, system] => Ok((user + system) * TICK_NS),
        _ => bail!("expected CPU times in {FILE}, found {stat:?}"),
    }
}

/// The same command, bound to one core by util-linux's taskset.
pub(super) fn on_core(command: &Command, core: Option<u32>) -> Command {
    let mut bound = match core {
        Some(core) => {
            let mut bound = Command::new("taskset");
            bound.arg("--cpu-list").arg(core.to_string()).arg(command.get_program());
            bound
        }
        None => Command::new(command.get_program()),
    };
    bound.args(command.get_args().map(OsStr::to_owned));
    bound
}

/// A port that was free a moment ago.
pub(super) fn free_port() -> Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no free port")?;
    Ok(listener.local_addr()?.port())
}
