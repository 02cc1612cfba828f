//! Debian's packages: present, installed when root, or named in an error. Knows nothing of what they are for.

use std::process::Command;

use anyhow::{Result, bail};

use super::{find_program, read, run, say};

/// Makes sure that `packages` are installed; where they may not be installed from here, the error is the command to run.
pub(crate) fn need(packages: &[&str]) -> Result<()> {
    let missing: Vec<&str> = packages.iter().copied().filter(|package| !is_installed(package)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let command = format!("apt-get install -y --no-install-recommends {}", missing.join(" "));
    if find_program("apt-get").is_none() {
        bail!(
            "these programs are missing, by Debian's package names: {}. Install them and try again",
            missing.join(" ")
        );
    }
    if !is_root() {
        bail!("Debian packages are missing and only root may install them. Run: sudo {command}");
    }
    install(&missing)
}

/// Installs `packages` in the newest version there is, be they installed already or not.
pub(crate) fn install(packages: &[&str]) -> Result<()> {
    say(format!("installing Debian packages: {}", packages.join(" ")));
    // The lists of a fresh machine are as old as its image, and name versions that are long gone or too old. One list
    // that cannot be read is no reason to stop: what matters is whether the packages can be installed.
    if let Err(error) = run(apt_get().arg("update")) {
        say(format!("the package lists were not renewed ({error}); going on with those that are there"));
    }
    run(apt_get().args(["install", "-y", "--no-install-recommends"]).args(packages))
}

/// Whether packages may be installed from here.
pub(crate) fn is_root() -> bool {
    read(Command::new("id").arg("-u")).is_ok_and(|uid| uid == "0")
}

fn apt_get() -> Command {
    let mut command = Command::new("apt-get");
    command.env("DEBIAN_FRONTEND", "noninteractive");
    command
}

fn is_installed(package: &str) -> bool {
    let mut query = Command::new("dpkg-query");
    read(query.args(["-W", "-f=${db:Status-Status}", package])).is_ok_and(|status| status == "installed")
}
