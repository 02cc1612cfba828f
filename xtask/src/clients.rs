//! Installs the Redis clients that `e2e/tests/real_clients` makes sessions with, into `target/clients`, and runs the sessions.
//! Knows nothing of what they do.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::e2e;
use crate::shell::{apt, find_program, root, run, say};

/// The sessions, after what they need is there.
pub(crate) fn test() -> Result<()> {
    apt::need(&["redis-server", "redis-tools"])?;
    let python = python()?;
    let node_modules = node_modules()?;
    let variables = [("INTERLEAVE_PYTHON", python), ("INTERLEAVE_NODE_MODULES", node_modules)];
    // Each starts a server in turn: two at once leave none of them waiting for the other.
    e2e::run_tests_with(&["--test=real_clients"], &["--test-threads=2", "--nocapture"], &variables)
}

fn sessions() -> PathBuf {
    root().join("e2e/tests/real_clients")
}

fn installed() -> PathBuf {
    root().join("target/clients")
}

/// A Python with redis-py, in the version that `requirements.txt` names.
fn python() -> Result<PathBuf> {
    let wanted = sessions().join("requirements.txt");
    let folder = installed().join("python");
    let python = folder.join("bin/python");
    if !is_current(&folder, &wanted)? {
        say("installing redis-py into target/clients");
        if find_program("python3").is_none() {
            apt::need(&["python3", "python3-venv"])?;
        }
        // Python says itself how to install the part of it that Debian leaves out.
        run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&folder))?;
        run(Command::new(&python).args(["-m", "pip", "install", "--quiet", "-r"]).arg(&wanted))?;
        mark_current(&folder, &wanted)?;
    }
    Ok(python)
}

/// A folder with node-redis and what it needs, in the versions that `package-lock.json` names.
fn node_modules() -> Result<PathBuf> {
    let wanted = sessions().join("package-lock.json");
    let folder = installed().join("node");
    if find_program("node").is_none() || find_program("npm").is_none() {
        apt::need(&["nodejs", "npm"])?;
    }
    if !is_current(&folder, &wanted)? {
        say("installing node-redis into target/clients");
        std::fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        for file in ["package.json", "package-lock.json"] {
            copy(&sessions().join(file), &folder.join(file))?;
        }
        run(Command::new("npm")
            .args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"])
            .current_dir(&folder))?;
        mark_current(&folder, &wanted)?;
    }
    Ok(folder.join("node_modules"))
}

/// Where a finished installation keeps what it was made from.
fn mark(folder: &Path) -> PathBuf {
    folder.join("installed.txt")
}

fn is_current(folder: &Path, wanted: &Path) -> Result<bool> {
    let wanted = std::fs::read(wanted).with_context(|| format!("cannot read {}", wanted.display()))?;
    Ok(std::fs::read(mark(folder)).is_ok_and(|found| found == wanted))
}

fn mark_current(folder: &Path, wanted: &Path) -> Result<()> {
    copy(wanted, &mark(folder))
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    std::fs::copy(from, to)
        .map(drop)
        .with_context(|| format!("cannot copy {} to {}", from.display(), to.display()))
}
