//! A child process that never outlives its owner, and its own children neither. Knows nothing of which program it is.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::PATIENCE;

/// A running program whose output goes to a file.
pub struct Process {
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts `command`, with its output in the new file `log`.
    ///
    /// # Panics
    /// When the program cannot be started.
    pub fn start(command: &mut Command, log: &Path) -> Self {
        let program = command.get_program().to_string_lossy().into_owned();
        let output =
            File::create(log).unwrap_or_else(|error| panic!("cannot make {}: {error}", log.display()));
        let errors = output.try_clone().unwrap_or_else(|error| panic!("cannot share the log: {error}"));
        let child = command
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(errors)
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {program}: {error}"));
        Self { child, log: log.to_owned() }
    }

    /// What the program printed so far.
    pub fn output(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// The program's exit status, if it has ended.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// Asks the program to end (SIGTERM) and waits for it.
    ///
    /// # Panics
    /// When it does not end in time.
    pub fn stop(&mut self) -> ExitStatus {
        // A process that ended by itself has nobody to signal.
        let _ = kill_process(self.pid(), Signal::TERM);
        let began = Instant::now();
        loop {
            if let Some(status) = self.ended() {
                return status;
            }
            assert!(
                began.elapsed() < PATIENCE,
                "still running after SIGTERM; it printed:\n{}",
                self.output()
            );
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.ended().is_some() {
            return;
        }
        // A browser is a tree of processes; its root alone would leave the others running.
        for pid in descendants(self.pid()) {
            let _ = kill_process(pid, Signal::KILL);
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The children of `root`, their children and so on, by Linux's `/proc`; elsewhere none are found.
fn descendants(root: Pid) -> Vec<Pid> {
    let mut parents = Vec::new();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()).and_then(Pid::from_raw)
        else {
            continue;
        };
        let stat = fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        // "PID (NAME) STATE PARENT ...": the name may hold anything, so count from its closing parenthesis.
        let parent = stat.rsplit_once(") ").and_then(|(_, rest)| rest.split(' ').nth(1)?.parse().ok());
        if let Some(parent) = parent.and_then(Pid::from_raw) {
            parents.push((pid, parent));
        }
    }
    let mut found = vec![root];
    let mut next = 0;
    while let Some(&parent) = found.get(next) {
        found.extend(parents.iter().filter(|(_, of)| *of == parent).map(|(pid, _)| *pid));
        next += 1;
    }
    found.split_off(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_with_its_owner_and_takes_its_children_along() {
        let folder = tempfile::tempdir().unwrap();
        // Not the shell's last command, or the shell would become it.
        let process =
            Process::start(Command::new("sh").args(["-c", "sleep 600; true"]), &folder.path().join("log"));
        let began = Instant::now();
        let child = loop {
            if let [child] = descendants(process.pid())[..] {
                break child;
            }
            assert!(began.elapsed() < PATIENCE, "the shell has no child");
        };
        drop(process);
        // A signal takes its time, and the orphan is reaped by whoever adopts it: dead is as good as gone.
        let stat = format!("/proc/{}/stat", child.as_raw_nonzero());
        while let Ok(stat) = fs::read_to_string(&stat)
            && !stat.contains(") Z ")
        {
            assert!(began.elapsed() < PATIENCE, "still there: {stat}");
        }
    }

    #[test]
    fn stops_when_asked() {
        let folder = tempfile::tempdir().unwrap();
        let mut process = Process::start(Command::new("sleep").arg("600"), &folder.path().join("log"));
        assert!(process.ended().is_none());
        assert!(!process.stop().success());
    }
}
