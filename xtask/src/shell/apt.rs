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
    let install = format!("apt-get install -y --no-install-recommends {}", missing.join(" "));
    if find_program("apt-get").is_none() {
        bail!(
            "these programs are missing, by Debian's package names: {}. Install them and try again",
            missing.join(" ")
        );
    }
    if !read(Command::new("id").arg("-u")).is_ok_and(|uid| uid == "0") {
        bail!("Debian packages are missing and only root may install them. Run: sudo {install}");
    }
    say(format!("installing Debian packages: {}", missing.join(" ")));
    let mut command = Command::new("apt-get");
    command
        .args(["install", "-y", "--no-install-recommends"])
        .args(&missing)
        .env("DEBIAN_FRONTEND", "noninteractive");
    if run(&mut command).is_ok() {
        return Ok(());
    }
    // The package lists may be missing or old; that is the usual cause and worth one more try.
    run(Command::new("apt-get").arg("update"))?;
    run(&mut command)
}

fn is_installed(package: &str) -> bool {
    let mut query = Command::new("dpkg-query");
    read(query.args(["-W", "-f=${db:Status-Status}", package])).is_ok_and(|status| status == "installed")
}
