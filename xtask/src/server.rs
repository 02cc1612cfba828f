//! Builds the server's binary and says where it is. Knows nothing of what the server does.

use std::path::PathBuf;
use std::process::Stdio;

use anyhow::Result;

use crate::page;
use crate::shell::{cargo, root, run, say};

const BINARY: &str = if cfg!(windows) { "interleave-server.exe" } else { "interleave-server" };

/// Builds the release server, with the page embedded as it now lies in `target/page`.
pub(crate) fn build() -> Result<PathBuf> {
    say("building the server");
    run(cargo().args(["build", "--release", "--package=interleave-server"]))?;
    Ok(root().join("target/release").join(BINARY))
}

/// Builds the page, and the release server with that page inside.
///
/// Meanwhile what the server is made of is built beside the page: either build has long stretches that keep only one core
/// busy.
pub(crate) fn build_with_page() -> Result<PathBuf> {
    let mut early = cargo();
    early.args(["build", "--release", "--package=interleave-server", "--lib", "--quiet"]);
    // Whatever is wrong with it, the build proper says it again, where it can be read.
    let mut early = early.stderr(Stdio::null()).spawn()?;
    let page = page::build(page::Profile::Page);
    if page.is_err() {
        let _ = early.kill();
    }
    let _ = early.wait();
    page?;
    build()
}

/// Builds the server with the recording of tasks compiled out, in a target folder of its own: both builds stay.
pub(crate) fn build_without_scope() -> Result<PathBuf> {
    say("building the server without scope");
    let target = root().join("target/without-scope");
    run(cargo()
        .args(["build", "--release", "--package=interleave-server", "--no-default-features", "--target-dir"])
        .arg(&target))?;
    Ok(target.join("release").join(BINARY))
}
