//! Builds the server's binary and says where it is. Knows nothing of what the server does.

use std::path::PathBuf;

use anyhow::Result;

use crate::shell::{cargo, root, run, say};

const BINARY: &str = if cfg!(windows) { "interleave-server.exe" } else { "interleave-server" };

/// Builds the release server, with the page embedded as it now lies in `target/page`.
pub(crate) fn build() -> Result<PathBuf> {
    say("building the server");
    run(cargo().args(["build", "--release", "--package=interleave-server"]))?;
    Ok(root().join("target/release").join(BINARY))
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
