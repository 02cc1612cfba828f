//! Builds the server's binary and says where it is. Knows nothing of what the server does.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::Result;

use crate::page;
use crate::shell::{self, cargo, root, run, say};

const BINARY: &str = if cfg!(windows) { "interleave-server.exe" } else { "interleave-server" };

/// How to build the server.
#[derive(Clone, Copy)]
pub(crate) enum Profile {
    /// Optimised, and not long in building.
    Release,
    /// What is handed out, and measured.
    Dist,
}

impl Profile {
    /// Cargo's name for it, and of its folder.
    fn name(self) -> &'static str {
        match self {
            Self::Release => "release",
            Self::Dist => "dist",
        }
    }

    /// `cargo build` of the server.
    fn build(self) -> Command {
        let mut command = cargo();
        command.args(["build", "--profile", self.name(), "--package=interleave-server"]);
        command
    }
}

/// Builds the server, with the page embedded as it now lies in `target/page`.
pub(crate) fn build(profile: Profile) -> Result<PathBuf> {
    say("building the server");
    run(&mut profile.build())?;
    Ok(root().join("target").join(profile.name()).join(BINARY))
}

/// Builds the page, and the server with that page inside.
///
/// Meanwhile what the server is made of is built beside the page, by the cores that this leaves idle: it has long stretches
/// that keep only one busy.
pub(crate) fn build_with_page(profile: Profile) -> Result<PathBuf> {
    let mut early = shell::yielding(profile.build());
    early.args(["--lib", "--quiet"]);
    // Whatever is wrong with it, the build proper says it again, where it can be read.
    let mut early = early.stderr(Stdio::null()).spawn()?;
    let page = page::build(page::Profile::Page);
    if page.is_err() {
        let _ = early.kill();
    }
    let _ = early.wait();
    page?;
    build(profile)
}

/// Builds the server with the recording of tasks compiled out, in a target folder of its own: both builds stay.
pub(crate) fn build_without_scope() -> Result<PathBuf> {
    say("building the server without scope");
    let target = root().join("target/without-scope");
    let profile = Profile::Dist;
    run(profile.build().args(["--no-default-features", "--target-dir"]).arg(&target))?;
    Ok(target.join(profile.name()).join(BINARY))
}
